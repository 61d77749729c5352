/*
 * What mbedTLS lets others do of its ECDH and ECDSA: on P-256 by p256.h, on other curves by
 * mbedTLS's own multiplication. The names are its.
 */
#include <mbedtls/ecdh.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/platform_util.h>

#include "manage/net/tls/p256.h"

#define TRIES 16u /* that many random numbers in a row are not of no use */

typedef int random_function(void *context, unsigned char *bytes, size_t size);

static int multiply_p256(mbedtls_ecp_group *group, mbedtls_ecp_point *product,
                         const mbedtls_mpi *scalar, const mbedtls_ecp_point *point)
{
    uint8_t bytes[P256_SIZE];
    struct p256_point factor;
    struct p256_point result;
    bool own = point == &group->G;
    int error = mbedtls_mpi_write_binary(scalar, bytes, sizeof(bytes));

    if (!error && !own) {
        error = mbedtls_mpi_write_binary(&point->X, factor.x, sizeof(factor.x));
    }
    if (!error && !own) {
        error = mbedtls_mpi_write_binary(&point->Y, factor.y, sizeof(factor.y));
    }
    if (!error) {
        error = p256_multiply(bytes, own ? NULL : &factor, &result)
                    ? mbedtls_mpi_read_binary(&product->X, result.x, sizeof(result.x))
                    : MBEDTLS_ERR_ECP_INVALID_KEY;
    }
    if (!error) {
        error = mbedtls_mpi_read_binary(&product->Y, result.y, sizeof(result.y));
    }
    if (!error) {
        error = mbedtls_mpi_lset(&product->Z, 1);
    }
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
    mbedtls_platform_zeroize(&result, sizeof(result));
    return error;
}

/* As mbedtls_ecp_mul: both are looked at first. */
static int multiply(mbedtls_ecp_group *group, mbedtls_ecp_point *product, const mbedtls_mpi *scalar,
                    const mbedtls_ecp_point *point, random_function *random, void *context)
{
    int error;

    if (group->id != MBEDTLS_ECP_DP_SECP256R1) {
        return mbedtls_ecp_mul(group, product, scalar, point, random, context);
    }
    error = mbedtls_ecp_check_privkey(group, scalar);
    if (!error && point != &group->G) {
        error = mbedtls_ecp_check_pubkey(group, point);
    }
    return error ? error : multiply_p256(group, product, scalar, point);
}

int mbedtls_ecdh_gen_public(mbedtls_ecp_group *group, mbedtls_mpi *secret,
                            mbedtls_ecp_point *public, random_function *random, void *context)
{
    int error = mbedtls_ecp_gen_privkey(group, secret, random, context);

    return error ? error : multiply(group, public, secret, &group->G, random, context);
}

int mbedtls_ecdh_compute_shared(mbedtls_ecp_group *group, mbedtls_mpi *shared,
                                const mbedtls_ecp_point *public, const mbedtls_mpi *secret,
                                random_function *random, void *context)
{
    mbedtls_ecp_point product;
    int error;

    mbedtls_ecp_point_init(&product);
    error = multiply(group, &product, secret, public, random, context);
    if (!error) {
        error = mbedtls_mpi_copy(shared, &product.X);
    }
    mbedtls_ecp_point_free(&product);
    return error;
}

/* The hash as a number (SEC 1, section 4.1.3, step 5). */
static int hash_to_number(const mbedtls_ecp_group *group, mbedtls_mpi *number,
                          const unsigned char *hash, size_t size)
{
    size_t bytes = (group->nbits + 7) / 8;
    size_t used = size < bytes ? size : bytes;
    int error = mbedtls_mpi_read_binary(number, hash, used);

    if (!error && used * 8 > group->nbits) {
        error = mbedtls_mpi_shift_r(number, used * 8 - group->nbits);
    }
    return error ? error : mbedtls_mpi_mod_mpi(number, number, &group->N);
}

/* s = (hash + r key) / k modulo n. Both sides of the division are multiplied by a random number, so
 * that the time it takes tells nothing of k. `k` is lost. */
static int divide(mbedtls_ecp_group *group, mbedtls_mpi *s, mbedtls_mpi *hash, const mbedtls_mpi *r,
                  const mbedtls_mpi *key, mbedtls_mpi *k, random_function *random, void *context)
{
    mbedtls_mpi blind;
    int ret;

    mbedtls_mpi_init(&blind);
    MBEDTLS_MPI_CHK(mbedtls_ecp_gen_privkey(group, &blind, random, context));
    MBEDTLS_MPI_CHK(mbedtls_mpi_mul_mpi(s, r, key));
    MBEDTLS_MPI_CHK(mbedtls_mpi_add_mpi(s, s, hash));
    MBEDTLS_MPI_CHK(mbedtls_mpi_mul_mpi(s, s, &blind));
    MBEDTLS_MPI_CHK(mbedtls_mpi_mod_mpi(hash, s, &group->N));
    MBEDTLS_MPI_CHK(mbedtls_mpi_mul_mpi(k, k, &blind));
    MBEDTLS_MPI_CHK(mbedtls_mpi_mod_mpi(k, k, &group->N));
    MBEDTLS_MPI_CHK(mbedtls_mpi_inv_mod(s, k, &group->N));
    MBEDTLS_MPI_CHK(mbedtls_mpi_mul_mpi(s, s, hash));
    MBEDTLS_MPI_CHK(mbedtls_mpi_mod_mpi(s, s, &group->N));
cleanup:
    mbedtls_mpi_free(&blind);
    return ret;
}

/* One try (SEC 1, section 4.1.3); r or s may be 0, which makes no signature. */
static int sign_once(mbedtls_ecp_group *group, mbedtls_mpi *r, mbedtls_mpi *s,
                     const mbedtls_mpi *key, const unsigned char *bytes, size_t size,
                     random_function *random, void *context)
{
    mbedtls_ecp_point point;
    mbedtls_mpi hash;
    mbedtls_mpi k;
    int ret;

    mbedtls_ecp_point_init(&point);
    mbedtls_mpi_init(&hash);
    mbedtls_mpi_init(&k);
    MBEDTLS_MPI_CHK(hash_to_number(group, &hash, bytes, size));
    MBEDTLS_MPI_CHK(mbedtls_ecp_gen_privkey(group, &k, random, context));
    MBEDTLS_MPI_CHK(multiply(group, &point, &k, &group->G, random, context));
    MBEDTLS_MPI_CHK(mbedtls_mpi_mod_mpi(r, &point.X, &group->N));
    MBEDTLS_MPI_CHK(divide(group, s, &hash, r, key, &k, random, context));
cleanup:
    mbedtls_ecp_point_free(&point);
    mbedtls_mpi_free(&hash);
    mbedtls_mpi_free(&k);
    return ret;
}

int mbedtls_ecdsa_can_do(mbedtls_ecp_group_id curve)
{
    return curve == MBEDTLS_ECP_DP_SECP256R1 || curve == MBEDTLS_ECP_DP_SECP384R1;
}

int mbedtls_ecdsa_sign(mbedtls_ecp_group *group, mbedtls_mpi *r, mbedtls_mpi *s,
                       const mbedtls_mpi *key, const unsigned char *hash, size_t size,
                       random_function *random, void *context)
{
    int error = mbedtls_ecp_check_privkey(group, key);

    for (unsigned i = 0; !error && i < TRIES; i++) {
        error = sign_once(group, r, s, key, hash, size, random, context);
        if (!error && mbedtls_mpi_cmp_int(r, 0) != 0 && mbedtls_mpi_cmp_int(s, 0) != 0) {
            return 0;
        }
    }
    return error ? error : MBEDTLS_ERR_ECP_RANDOM_FAILED;
}
