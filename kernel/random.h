/*
 * Random numbers that cannot be guessed: for keys, TCP sequence numbers and the like.
 *
 * The generator is ChaCha20 that replaces its key after each use ("fast key erasure"): what was
 * given out cannot be found out from what is in memory later. The key is made at first use of
 * RDSEED or RDRAND where the CPU has them, and of the jitter of the TSC against memory and ports;
 * either alone is enough where it is good. After every 1 MiB given out, and by random_add, more is
 * mixed in, never in place of what is there.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** Fills `memory`. Any context but NMI; the first call takes some 100 us. */
void random_bytes(void *memory, size_t size);
uint32_t random_u32(void);

/** Mixes something in that others do not know exactly, such as the time of an event. It need not be
 * random, and does no harm if it is not. Any context but NMI. */
void random_add(uint64_t value);

#endif
