#ifndef TESTS_UNIT_LOADER_LOADING_SUPPORT_H
#define TESTS_UNIT_LOADER_LOADING_SUPPORT_H

#include "guest/loader/loader.h"

/* One VM for a test of a loader, and what came out. */
extern struct guest_memory test_memory;
extern struct boot_state test_state;
extern char test_reason[LOADER_REASON_SIZE];

/* Gives the VM (fresh) memory. */
void test_memory_create(uint64_t mib);
int test_memory_destroy(void **state);

/* What the guest finds at an address. */
uint32_t guest32(uint64_t address);
uint64_t guest64(uint64_t address);
const char *guest_string(uint64_t address);
void assert_guest_bytes(uint64_t address, const void *expected, size_t size);

/* A copy of exactly this size on the heap, so that AddressSanitizer sees reads past its end. */
struct guest_image test_image(const char *name, const void *bytes, size_t size);
void test_image_free(struct guest_image *image);

/* The state of a start in 32-bit protected mode. */
void assert_protected_state(uint32_t rip);

#endif
