/*
 * What mbedTLS needs of the kernel. It allocates memory in all long computations, so that is
 * where these let others run: whoever calls mbedTLS for more than hashes is a thread, and holds no
 * lock.
 */
#ifndef MANAGE_NET_TLS_PORT_H
#define MANAGE_NET_TLS_PORT_H

#include <stddef.h>
#include <stdint.h>

/** Lets others run that are to run by now. */
void tls_pause(void);

/** `count` times `size` bytes, cleared; NULL when memory is short. */
void *tls_calloc(size_t count, size_t size);
/** Frees what tls_calloc gave; NULL is allowed. */
void tls_free(void *memory);

/** Seconds since 1970-01-01 UTC, also to `*seconds` if that is not NULL. */
int64_t tls_time(int64_t *seconds);

/** Random bytes, as mbedTLS wants to have them (f_rng): `context` is not looked at. 0. */
int tls_random(void *context, unsigned char *bytes, size_t size);

#endif
