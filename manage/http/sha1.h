/*
 * SHA-1 (FIPS 180-4, 6.1), for the handshake of a WebSocket (RFC 6455), where nothing depends on
 * its strength. Small, not fast. Pure.
 */
#ifndef MANAGE_HTTP_SHA1_H
#define MANAGE_HTTP_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define SHA1_SIZE 20u

/** The hash of `length` bytes. */
void sha1(const void *bytes, size_t length, uint8_t hash[SHA1_SIZE]);

#endif
