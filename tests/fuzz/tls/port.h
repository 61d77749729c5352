/*
 * What the layer of TLS asks of others: time, memory, random numbers, options. Each of the fuzzer's
 * inputs has the same of them.
 */
#ifndef FUZZ_TLS_PORT_H
#define FUZZ_TLS_PORT_H

#include <stdbool.h>
#include <stdint.h>

#define SECOND UINT64_C(1000000000)

extern uint64_t port_now; /* ns since boot */

/** The beginning, before each input. */
void port_reset(void);
/** After `good` pieces of memory the next `bad` ones are not to be had: of lwIP's, or of mbedTLS's,
 * too. */
void port_lack_memory(unsigned good, unsigned bad, bool everywhere);

#endif
