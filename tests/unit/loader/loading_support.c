#include "tests/unit/loader/loading_support.h"

#include <stdlib.h>
#include <string.h>

#include "guest/layout.h"
#include "kernel/cpu/x86_defs.h"
#include "tests/unit/loader/block_source.h"
#include "tests/unit/support/cmocka.h"

struct guest_memory test_memory;
struct boot_state test_state;
char test_reason[LOADER_REASON_SIZE];

void test_memory_create(uint64_t mib)
{
    guest_memory_destroy(&test_memory);
    assert_int_equal(guest_memory_create(&test_memory, mib << 20, &test_blocks), 0);
    memset(&test_state, 0xee, sizeof(test_state));
    test_reason[0] = '\0';
}

int test_memory_destroy(void **state)
{
    (void)state;
    guest_memory_destroy(&test_memory);
    return test_blocks_used == 0 ? 0 : -1;
}

uint32_t guest32(uint64_t address)
{
    uint32_t value;

    assert_int_equal(guest_memory_read(&test_memory, address, &value, sizeof(value)), 0);
    return value;
}

uint64_t guest64(uint64_t address)
{
    uint64_t value;

    assert_int_equal(guest_memory_read(&test_memory, address, &value, sizeof(value)), 0);
    return value;
}

const char *guest_string(uint64_t address)
{
    const char *string = guest_memory_pointer(&test_memory, address, 256);

    assert_non_null(string);
    return string;
}

void assert_guest_bytes(uint64_t address, const void *expected, size_t size)
{
    void *actual = malloc(size);

    assert_non_null(actual);
    assert_int_equal(guest_memory_read(&test_memory, address, actual, size), 0);
    assert_memory_equal(actual, expected, size);
    free(actual);
}

struct guest_image test_image(const char *name, const void *bytes, size_t size)
{
    void *copy = malloc(size > 0 ? size : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    return (struct guest_image){.name = name, .data = copy, .size = size};
}

void test_image_free(struct guest_image *image)
{
    free((void *)(uintptr_t)image->data);
    image->data = NULL;
}

void assert_protected_state(uint32_t rip)
{
    assert_int_equal(test_state.rip, rip);
    assert_int_equal(test_state.rflags, RFLAGS_FIXED1);
    assert_int_equal(test_state.cr0, CR0_PE | CR0_ET);
    assert_int_equal(test_state.cr3, 0);
    assert_int_equal(test_state.cr4, 0);
    assert_int_equal(test_state.efer, 0);
    /* Flat, 32 bits: execute/read and read/write, accessed, present, ring 0. */
    assert_int_equal(test_state.segments[SEGMENT_CS].attributes, 0xc09b);
    assert_int_equal(test_state.segments[SEGMENT_CS].selector, 0x10);
    assert_int_equal(test_state.segments[SEGMENT_SS].attributes, 0xc093);
    assert_int_equal(test_state.segments[SEGMENT_DS].selector, 0x18);
    for (unsigned i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
        assert_int_equal(test_state.segments[i].base, 0);
        assert_int_equal(test_state.segments[i].limit, UINT32_MAX);
    }
    assert_int_equal(test_state.segments[SEGMENT_TR].attributes, 0x8b);
    assert_int_equal(test_state.segments[SEGMENT_LDTR].attributes, SEGMENT_UNUSABLE);
    assert_int_equal(test_state.gdtr.base, LAYOUT_GDT);
    assert_int_equal(test_state.gdtr.limit, 31);
    assert_int_equal(guest64(LAYOUT_GDT), 0);
    assert_int_equal(guest64(LAYOUT_GDT + 0x10), 0x00cf9b000000ffff);
    assert_int_equal(guest64(LAYOUT_GDT + 0x18), 0x00cf93000000ffff);
}
