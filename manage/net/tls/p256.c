#include "manage/net/tls/p256.h"

#include "manage/net/tls/port.h"

#define LIMBS        4u
#define WINDOW_BITS  4u
#define WINDOW_COUNT 16u /* values of a window */
#define COMB_SPACING 64u

__extension__ typedef unsigned __int128 uint128;

/* A number modulo p, times 2^256 (Montgomery's form), less than p; the least significant limb
 * first. */
struct field {
    uint64_t limb[LIMBS];
};

/* X / Z, Y / Z; Z = 0: the point at infinity. */
struct point {
    struct field x, y, z;
};

/* p = 2^256 - 2^224 + 2^192 + 2^96 - 1. */
static const struct field prime = {
    {UINT64_MAX, 0x00000000ffffffff, 0x0000000000000000, 0xffffffff00000001}};
/* 1, and 2^512 to bring numbers into the form. */
static const struct field one = {
    {0x0000000000000001, 0xffffffff00000000, UINT64_MAX, 0x00000000fffffffe}};
static const struct field into_form = {
    {0x0000000000000003, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd}};

/* As they are in the standard. */
static const uint8_t curve_b[P256_SIZE] = {
    0x5a, 0xc6, 0x35, 0xd8, 0xaa, 0x3a, 0x93, 0xe7, 0xb3, 0xeb, 0xbd, 0x55, 0x76, 0x98, 0x86, 0xbc,
    0x65, 0x1d, 0x06, 0xb0, 0xcc, 0x53, 0xb0, 0xf6, 0x3b, 0xce, 0x3c, 0x3e, 0x27, 0xd2, 0x60, 0x4b};
static const struct p256_point generator = {
    {0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6,
     0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb,
     0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96},
    {0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb,
     0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31,
     0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5}};

/* Chains of carries: the compiler makes one instruction of each of these. */

static uint64_t add_limb(uint64_t a, uint64_t b, unsigned char *carry)
{
    unsigned long long sum;

    *carry = __builtin_ia32_addcarryx_u64(*carry, a, b, &sum);
    return sum;
}

/* `enough`: nothing was borrowed so far. */
static uint64_t subtract_limb(uint64_t a, uint64_t b, unsigned char *enough)
{
    return add_limb(a, ~b, enough);
}

/* The number with `high` before its limbs, which is less than 2 p, modulo p. */
static inline struct field reduce_once(const struct field *number, uint64_t high)
{
    unsigned char enough = 1;
    struct field less;
    uint64_t keep;

#pragma GCC unroll 4
    for (unsigned i = 0; i < LIMBS; i++) {
        less.limb[i] = subtract_limb(number->limb[i], prime.limb[i], &enough);
    }
    (void)subtract_limb(high, 0, &enough);
    keep = (uint64_t)enough - 1; /* all ones if it was less than p */
#pragma GCC unroll 4
    for (unsigned i = 0; i < LIMBS; i++) {
        less.limb[i] ^= (number->limb[i] ^ less.limb[i]) & keep;
    }
    return less;
}

static struct field add(const struct field *a, const struct field *b)
{
    unsigned char carry = 0;
    struct field sum;

#pragma GCC unroll 4
    for (unsigned i = 0; i < LIMBS; i++) {
        sum.limb[i] = add_limb(a->limb[i], b->limb[i], &carry);
    }
    return reduce_once(&sum, carry);
}

static struct field subtract(const struct field *a, const struct field *b)
{
    unsigned char enough = 1;
    unsigned char carry = 0;
    struct field difference;
    uint64_t negative;

#pragma GCC unroll 4
    for (unsigned i = 0; i < LIMBS; i++) {
        difference.limb[i] = subtract_limb(a->limb[i], b->limb[i], &enough);
    }
    negative = (uint64_t)enough - 1;
#pragma GCC unroll 4
    for (unsigned i = 0; i < LIMBS; i++) {
        difference.limb[i] = add_limb(difference.limb[i], prime.limb[i] & negative, &carry);
    }
    return difference;
}

static struct field triple(const struct field *a)
{
    struct field twice = add(a, a);

    return add(&twice, a);
}

/* a b / 2^256. After each limb of b a multiple m of p is added that makes the lowest limb 0, and
 * that limb dropped. As p = -1 modulo 2^64, m is the lowest limb itself. */
static struct field multiply(const struct field *a, const struct field *b)
{
    uint64_t sum[LIMBS + 1] = {0};
    struct field result;

#pragma GCC unroll 4
    for (unsigned i = 0; i < LIMBS; i++) {
        uint64_t high[LIMBS];
        unsigned char carry = 0;
        uint64_t top;
        uint64_t m;
        uint128 product;

#pragma GCC unroll 4
        for (unsigned j = 0; j < LIMBS; j++) {
            product = (uint128)a->limb[j] * b->limb[i];
            sum[j] = add_limb(sum[j], (uint64_t)product, &carry);
            high[j] = (uint64_t)(product >> 64);
        }
        sum[4] = add_limb(sum[4], 0, &carry);
        top = carry;
        carry = 0;
#pragma GCC unroll 4
        for (unsigned j = 0; j < LIMBS; j++) {
            sum[j + 1] = add_limb(sum[j + 1], high[j], &carry);
        }
        top += carry;
        /* p's limbs are 2^64 - 1, 2^32 - 1, 0 and the last. The first makes the lowest limb 0, and
         * carries m, which with the second makes m 2^32. */
        m = sum[0];
        product = (uint128)m * prime.limb[3];
        carry = 0;
        sum[0] = add_limb(sum[1], m << 32, &carry);
        sum[1] = add_limb(sum[2], m >> 32, &carry);
        sum[2] = add_limb(sum[3], (uint64_t)product, &carry);
        sum[3] = add_limb(sum[4], (uint64_t)(product >> 64), &carry);
        sum[4] = top + carry;
    }
#pragma GCC unroll 4
    for (unsigned i = 0; i < LIMBS; i++) {
        result.limb[i] = sum[i];
    }
    return reduce_once(&result, sum[4]);
}

/* a^(p - 2) = 1 / a. */
static struct field invert(const struct field *a)
{
    struct field exponent = prime;
    struct field result = one;

    exponent.limb[0] -= 2;
    for (unsigned i = 64 * LIMBS; i-- > 0;) {
        result = multiply(&result, &result);
        if (exponent.limb[i / 64] >> i % 64 & 1) { /* which is no secret */
            result = multiply(&result, a);
        }
    }
    return result;
}

static struct field from_bytes(const uint8_t bytes[P256_SIZE])
{
    struct field number = {{0}};

    for (unsigned i = 0; i < P256_SIZE; i++) {
        number.limb[LIMBS - 1 - i / 8] |= (uint64_t)bytes[i] << (56 - i % 8 * 8);
    }
    return multiply(&number, &into_form);
}

static void to_bytes(const struct field *number, uint8_t bytes[P256_SIZE])
{
    const struct field plain_one = {{1}};
    struct field plain = multiply(number, &plain_one);

    for (unsigned i = 0; i < P256_SIZE; i++) {
        bytes[i] = (uint8_t)(plain.limb[LIMBS - 1 - i / 8] >> (56 - i % 8 * 8));
    }
}

/* What both of the formulas below end with. */
struct products {
    struct field xx, yy, zz;
    struct field xz; /* in all, both of them: X1 Z2 + X2 Z1 */
};

/* The parts that contain the curve's b: yy - 3 (b zz - xz) and yy + 3 (b zz - xz), 3 (b xz - 3 zz -
 * xx), and 3 xx - 3 zz. */
struct parts {
    struct field minus, plus, three_b, three_xx;
};

static struct parts make_parts(const struct products *of, const struct field *b)
{
    struct parts parts;
    struct field b_zz = multiply(b, &of->zz);
    struct field b_xz = multiply(b, &of->xz);
    struct field zz3 = triple(&of->zz);
    struct field xx3 = triple(&of->xx);
    struct field t = subtract(&b_zz, &of->xz);

    t = triple(&t);
    parts.plus = add(&of->yy, &t);
    parts.minus = subtract(&of->yy, &t);
    t = subtract(&b_xz, &zz3);
    t = subtract(&t, &of->xx);
    parts.three_b = triple(&t);
    parts.three_xx = subtract(&xx3, &zz3);
    return parts;
}

/* (a1 + b1) (a2 + b2) - a1 a2 - b1 b2 = a1 b2 + b1 a2. */
static struct field cross(const struct field *a1, const struct field *b1, const struct field *a2,
                          const struct field *b2, const struct field *aa, const struct field *bb)
{
    struct field first = add(a1, b1);
    struct field second = add(a2, b2);
    struct field product = multiply(&first, &second);

    product = subtract(&product, aa);
    return subtract(&product, bb);
}

/* The sum of any two points, equal ones and those at infinity too (Renes, Costello and Batina,
 * "Complete addition formulas for prime order elliptic curves", 2016, algorithm 4). */
static struct point add_points(const struct point *p, const struct point *q, const struct field *b)
{
    struct products products = {
        .xx = multiply(&p->x, &q->x),
        .yy = multiply(&p->y, &q->y),
        .zz = multiply(&p->z, &q->z),
    };
    struct field xy = cross(&p->x, &p->y, &q->x, &q->y, &products.xx, &products.yy);
    struct field yz = cross(&p->y, &p->z, &q->y, &q->z, &products.yy, &products.zz);
    struct parts parts;
    struct point sum;
    struct field t;

    products.xz = cross(&p->x, &p->z, &q->x, &q->z, &products.xx, &products.zz);
    parts = make_parts(&products, b);
    sum.x = multiply(&parts.minus, &xy);
    t = multiply(&yz, &parts.three_b);
    sum.x = subtract(&sum.x, &t);
    sum.y = multiply(&parts.minus, &parts.plus);
    t = multiply(&parts.three_xx, &parts.three_b);
    sum.y = add(&sum.y, &t);
    sum.z = multiply(&parts.plus, &yz);
    t = multiply(&xy, &parts.three_xx);
    sum.z = add(&sum.z, &t);
    return sum;
}

/* Likewise, algorithm 6. */
static struct point double_point(const struct point *p, const struct field *b)
{
    struct products products = {
        .xx = multiply(&p->x, &p->x),
        .yy = multiply(&p->y, &p->y),
        .zz = multiply(&p->z, &p->z),
        .xz = multiply(&p->x, &p->z),
    };
    struct field xy = multiply(&p->x, &p->y);
    struct field yz = multiply(&p->y, &p->z);
    struct parts parts;
    struct point twice;
    struct field t;

    products.xz = add(&products.xz, &products.xz);
    xy = add(&xy, &xy);
    yz = add(&yz, &yz);
    parts = make_parts(&products, b);
    twice.y = multiply(&parts.plus, &parts.minus);
    t = multiply(&parts.three_xx, &parts.three_b);
    twice.y = add(&twice.y, &t);
    twice.x = multiply(&parts.minus, &xy);
    t = multiply(&parts.three_b, &yz);
    twice.x = subtract(&twice.x, &t);
    twice.z = multiply(&yz, &products.yy);
    twice.z = add(&twice.z, &twice.z);
    twice.z = add(&twice.z, &twice.z);
    return twice;
}

static void select_field(struct field *to, const struct field *from, uint64_t mask)
{
    for (unsigned i = 0; i < LIMBS; i++) {
        to->limb[i] |= from->limb[i] & mask;
    }
}

/* The entry of that number; all are looked at. */
static struct point select_point(const struct point table[WINDOW_COUNT], unsigned number)
{
    struct point chosen = {0};

    for (unsigned i = 0; i < WINDOW_COUNT; i++) {
        uint64_t mask = 0 - (((uint64_t)(i ^ number) - 1) >> 63); /* all ones if equal */

        select_field(&chosen.x, &table[i].x, mask);
        select_field(&chosen.y, &table[i].y, mask);
        select_field(&chosen.z, &table[i].z, mask);
    }
    return chosen;
}

/* The generator's multiples for multiply_generator: entry i is the sum of 2^(64 j) times it,
 * for each bit j of i. */
static const struct point *generator_comb(const struct field *b)
{
    static struct point comb[WINDOW_COUNT];
    struct point tooth = {from_bytes(generator.x), from_bytes(generator.y), one};

    if (comb[0].y.limb[0]) {
        return comb; /* made the first time */
    }
    for (unsigned entry = 1; entry < WINDOW_COUNT; entry *= 2) {
        comb[entry] = tooth;
        for (unsigned i = 1; i < entry; i++) {
            comb[entry + i] = add_points(&comb[i], &tooth, b);
        }
        for (unsigned i = 0; i < COMB_SPACING; i++) {
            tooth = double_point(&tooth, b);
        }
    }
    comb[0].y = one; /* at infinity */
    return comb;
}

static unsigned scalar_bit(const uint8_t scalar[P256_SIZE], unsigned bit)
{
    return (unsigned)scalar[P256_SIZE - 1 - bit / 8] >> bit % 8 & 1;
}

/* Four bits of the scalar at a time that are 64 from each other. */
static struct point multiply_generator(const uint8_t scalar[P256_SIZE], const struct field *b)
{
    const struct point *comb = generator_comb(b);
    struct point sum = comb[0];

    for (unsigned i = COMB_SPACING; i-- > 0;) {
        unsigned entry = 0;
        struct point part;

        for (unsigned j = 0; j < WINDOW_BITS; j++) {
            entry |= scalar_bit(scalar, i + j * COMB_SPACING) << j;
        }
        part = select_point(comb, entry);
        sum = double_point(&sum, b);
        sum = add_points(&sum, &part, b);
        tls_pause();
    }
    return sum;
}

/* Four bits at a time that are beside each other. */
static struct point multiply_point(const uint8_t scalar[P256_SIZE], const struct p256_point *point,
                                   const struct field *b)
{
    struct point table[WINDOW_COUNT] = {{.y = one}}; /* 0 times the point: at infinity */
    struct point sum = table[0];

    table[1] = (struct point){from_bytes(point->x), from_bytes(point->y), one};
    for (unsigned i = 2; i < WINDOW_COUNT; i++) {
        table[i] = add_points(&table[i - 1], &table[1], b);
    }
    for (unsigned i = 0; i < 2 * P256_SIZE; i++) {
        unsigned window = (unsigned)scalar[i / 2] >> (i % 2 ? 0 : WINDOW_BITS);
        struct point part = select_point(table, window % WINDOW_COUNT);

        for (unsigned j = 0; j < WINDOW_BITS; j++) {
            sum = double_point(&sum, b);
        }
        sum = add_points(&sum, &part, b);
        tls_pause();
    }
    return sum;
}

bool p256_multiply(const uint8_t scalar[P256_SIZE], const struct p256_point *point,
                   struct p256_point *product)
{
    struct field b = from_bytes(curve_b);
    struct point result =
        point ? multiply_point(scalar, point, &b) : multiply_generator(scalar, &b);
    struct field z = invert(&result.z);
    uint64_t any = 0;

    result.x = multiply(&result.x, &z);
    result.y = multiply(&result.y, &z);
    to_bytes(&result.x, product->x);
    to_bytes(&result.y, product->y);
    for (unsigned i = 0; i < LIMBS; i++) {
        any |= result.z.limb[i];
    }
    return any != 0;
}
