/*
 * What the workloads' helper and the KVM launcher agree on. No code.
 */
#ifndef TESTS_BENCH_MARK_H
#define TESTS_BENCH_MARK_H

/* A port of nobody's. Writes of 1 and 0 begin and end what exits are counted for. */
#define MARK_PORT 0x5f0

/* A write ends the guest. */
#define DEBUG_EXIT_PORT 0xf4

#endif
