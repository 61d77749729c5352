/*
 * Multiplication on the elliptic curve P-256 (FIPS 186-4, D.1.2.3), which is nearly all that a
 * handshake computes: several times as fast as what mbedTLS has for any curve. Neither time nor
 * addresses depend on the numbers. Pure, but for tls_pause;
 * the network's thread.
 */
#ifndef MANAGE_NET_TLS_P256_H
#define MANAGE_NET_TLS_P256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P256_SIZE 32u

/* Coordinates, the most significant byte first. */
struct p256_point {
    uint8_t x[P256_SIZE];
    uint8_t y[P256_SIZE];
};

/** `point` (NULL: the generator) times `scalar`, the most significant byte first. The point has to
 * be on the curve. False if that is the point at infinity. */
bool p256_multiply(const uint8_t scalar[P256_SIZE], const struct p256_point *point,
                   struct p256_point *product);

#endif
