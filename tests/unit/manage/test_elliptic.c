/* P-256 beside mbedTLS's own multiplication, and signatures and key agreement by it. */
#include <string.h>

#include <mbedtls/ecdh.h>
#include <mbedtls/ecdsa.h>

#include "manage/net/tls/p256.h"
#include "manage/net/tls/port.h"
#include "tests/unit/support/cmocka.h"

#define ROUNDS 200u

static int set_up(void **state)
{
    static mbedtls_ecp_group group;

    mbedtls_ecp_group_init(&group);
    assert_int_equal(mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1), 0);
    *state = &group;
    return 0;
}

static int tear_down(void **state)
{
    mbedtls_ecp_group_free(*state);
    return 0;
}

static void to_point(const mbedtls_ecp_point *from, struct p256_point *to)
{
    assert_int_equal(mbedtls_mpi_write_binary(&from->X, to->x, sizeof(to->x)), 0);
    assert_int_equal(mbedtls_mpi_write_binary(&from->Y, to->y, sizeof(to->y)), 0);
}

/* Compares scalar * point; `point` becomes the product. */
static void compare(mbedtls_ecp_group *group, const mbedtls_mpi *scalar, mbedtls_ecp_point *point)
{
    bool generator = mbedtls_ecp_point_cmp(point, &group->G) == 0;
    mbedtls_ecp_point expected;
    struct p256_point factor;
    struct p256_point wanted;
    struct p256_point product;
    uint8_t bytes[P256_SIZE];

    mbedtls_ecp_point_init(&expected);
    to_point(point, &factor);
    assert_int_equal(mbedtls_mpi_write_binary(scalar, bytes, sizeof(bytes)), 0);
    assert_int_equal(mbedtls_ecp_mul(group, &expected, scalar, point, tls_random, NULL), 0);
    to_point(&expected, &wanted);
    memset(&product, 0xaa, sizeof(product));
    assert_true(p256_multiply(bytes, &factor, &product));
    assert_memory_equal(&product, &wanted, sizeof(wanted));
    if (generator) {
        memset(&product, 0xaa, sizeof(product));
        assert_true(p256_multiply(bytes, NULL, &product));
        assert_memory_equal(&product, &wanted, sizeof(wanted));
    }
    assert_int_equal(mbedtls_ecp_copy(point, &expected), 0);
    mbedtls_ecp_point_free(&expected);
}

static void random_scalars(void **state)
{
    mbedtls_ecp_group *group = *state;
    mbedtls_ecp_point point;
    mbedtls_mpi scalar;

    mbedtls_ecp_point_init(&point);
    mbedtls_mpi_init(&scalar);
    assert_int_equal(mbedtls_ecp_copy(&point, &group->G), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        assert_int_equal(mbedtls_ecp_gen_privkey(group, &scalar, tls_random, NULL), 0);
        compare(group, &scalar, &point); /* of the last product the next time */
    }
    mbedtls_ecp_point_free(&point);
    mbedtls_mpi_free(&scalar);
}

/* Near 0 and n, powers of two and long runs of ones and zeros, where formulas that are not complete
 * meet equal points. */
static void special_scalars(void **state)
{
    mbedtls_ecp_group *group = *state;
    mbedtls_ecp_point point;
    mbedtls_mpi scalar;

    mbedtls_ecp_point_init(&point);
    mbedtls_mpi_init(&scalar);
    for (int i = 1; i <= 40; i++) {
        assert_int_equal(mbedtls_mpi_lset(&scalar, i), 0);
        assert_int_equal(mbedtls_ecp_copy(&point, &group->G), 0);
        compare(group, &scalar, &point);
        assert_int_equal(mbedtls_mpi_sub_int(&scalar, &group->N, i), 0);
        assert_int_equal(mbedtls_ecp_copy(&point, &group->G), 0);
        compare(group, &scalar, &point);
    }
    for (unsigned bit = 0; bit < 256; bit++) {
        for (int less = 0; less < 2; less++) {
            assert_int_equal(mbedtls_mpi_lset(&scalar, 1), 0);
            assert_int_equal(mbedtls_mpi_shift_l(&scalar, bit), 0);
            assert_int_equal(mbedtls_mpi_sub_int(&scalar, &scalar, less), 0);
            if (mbedtls_mpi_cmp_int(&scalar, 0) > 0) {
                assert_int_equal(mbedtls_ecp_copy(&point, &group->G), 0);
                compare(group, &scalar, &point);
            }
        }
    }
    mbedtls_ecp_point_free(&point);
    mbedtls_mpi_free(&scalar);
}

/* n times any point, and 0 times it, is the one at infinity. */
static void infinity(void **state)
{
    mbedtls_ecp_group *group = *state;
    uint8_t bytes[P256_SIZE] = {0};
    struct p256_point product;

    assert_false(p256_multiply(bytes, NULL, &product));
    assert_int_equal(mbedtls_mpi_write_binary(&group->N, bytes, sizeof(bytes)), 0);
    assert_false(p256_multiply(bytes, NULL, &product));
    bytes[31]++; /* n + 1 */
    assert_true(p256_multiply(bytes, NULL, &product));
    assert_int_equal(mbedtls_mpi_write_binary(&group->G.X, bytes, sizeof(bytes)), 0);
    assert_memory_equal(product.x, bytes, sizeof(bytes));
}

static void sign(mbedtls_ecp_group_id curve, size_t hash_size)
{
    mbedtls_ecdsa_context key;
    mbedtls_mpi r;
    mbedtls_mpi s;
    unsigned char hash[64];

    mbedtls_ecdsa_init(&key);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    assert_int_equal(mbedtls_ecdsa_genkey(&key, curve, tls_random, NULL), 0);
    for (unsigned i = 0; i < 10; i++) {
        (void)tls_random(NULL, hash, sizeof(hash));
        assert_int_equal(
            mbedtls_ecdsa_sign(&key.grp, &r, &s, &key.d, hash, hash_size, tls_random, NULL), 0);
        assert_int_equal(mbedtls_ecdsa_verify(&key.grp, hash, hash_size, &key.Q, &r, &s), 0);
        hash[0] ^= 1;
        assert_int_equal(mbedtls_ecdsa_verify(&key.grp, hash, hash_size, &key.Q, &r, &s),
                         MBEDTLS_ERR_ECP_VERIFY_FAILED);
    }
    assert_int_equal(mbedtls_mpi_lset(&key.d, 0), 0);
    assert_int_equal(
        mbedtls_ecdsa_sign(&key.grp, &r, &s, &key.d, hash, hash_size, tls_random, NULL),
        MBEDTLS_ERR_ECP_INVALID_KEY);
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    mbedtls_ecdsa_free(&key);
}

static void signatures(void **state)
{
    (void)state;
    sign(MBEDTLS_ECP_DP_SECP256R1, 20);
    sign(MBEDTLS_ECP_DP_SECP256R1, 32);
    sign(MBEDTLS_ECP_DP_SECP256R1, 64);
    sign(MBEDTLS_ECP_DP_SECP384R1, 32);
    sign(MBEDTLS_ECP_DP_SECP384R1, 48);
}

static void agree(mbedtls_ecp_group_id curve)
{
    mbedtls_ecp_group group;
    mbedtls_ecp_point publics[2];
    mbedtls_mpi secrets[2];
    mbedtls_mpi shared[2];

    mbedtls_ecp_group_init(&group);
    assert_int_equal(mbedtls_ecp_group_load(&group, curve), 0);
    for (unsigned i = 0; i < 2; i++) {
        mbedtls_ecp_point_init(&publics[i]);
        mbedtls_mpi_init(&secrets[i]);
        mbedtls_mpi_init(&shared[i]);
        assert_int_equal(
            mbedtls_ecdh_gen_public(&group, &secrets[i], &publics[i], tls_random, NULL), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(mbedtls_ecdh_compute_shared(&group, &shared[i], &publics[!i], &secrets[i],
                                                     tls_random, NULL),
                         0);
    }
    assert_int_equal(mbedtls_mpi_cmp_mpi(&shared[0], &shared[1]), 0);
    /* A point that is on another curve would give the secret away. */
    assert_int_equal(mbedtls_mpi_add_int(&publics[1].X, &publics[1].X, 1), 0);
    assert_int_equal(
        mbedtls_ecdh_compute_shared(&group, &shared[0], &publics[1], &secrets[0], tls_random, NULL),
        MBEDTLS_ERR_ECP_INVALID_KEY);
    for (unsigned i = 0; i < 2; i++) {
        mbedtls_ecp_point_free(&publics[i]);
        mbedtls_mpi_free(&secrets[i]);
        mbedtls_mpi_free(&shared[i]);
    }
    mbedtls_ecp_group_free(&group);
}

static void agreement(void **state)
{
    (void)state;
    agree(MBEDTLS_ECP_DP_SECP256R1);
    agree(MBEDTLS_ECP_DP_SECP384R1);
}

/* What RFC 5903, section 8.1, has as an example. */
static void published(void **state)
{
    static const uint8_t secret[P256_SIZE] = {0xc8, 0x8f, 0x01, 0xf5, 0x10, 0xd9, 0xac, 0x3f,
                                              0x70, 0xa2, 0x92, 0xda, 0xa2, 0x31, 0x6d, 0xe5,
                                              0x44, 0xe9, 0xaa, 0xb8, 0xaf, 0xe8, 0x40, 0x49,
                                              0xc6, 0x2a, 0x9c, 0x57, 0x86, 0x2d, 0x14, 0x33};
    static const uint8_t x[P256_SIZE] = {0xda, 0xd0, 0xb6, 0x53, 0x94, 0x22, 0x1c, 0xf9,
                                         0xb0, 0x51, 0xe1, 0xfe, 0xca, 0x57, 0x87, 0xd0,
                                         0x98, 0xdf, 0xe6, 0x37, 0xfc, 0x90, 0xb9, 0xef,
                                         0x94, 0x5d, 0x0c, 0x37, 0x72, 0x58, 0x11, 0x80};
    struct p256_point product;

    (void)state;
    assert_true(p256_multiply(secret, NULL, &product));
    assert_memory_equal(product.x, x, sizeof(x));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_scalars), cmocka_unit_test(special_scalars),
        cmocka_unit_test(infinity),       cmocka_unit_test(signatures),
        cmocka_unit_test(agreement),      cmocka_unit_test(published),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
