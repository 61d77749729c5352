/* The heap's allocator over the host's memory: sizes, alignment, no overlap, nothing left behind.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/memory/frames.h"
#include "kernel/memory/slab.h"
#include "tests/unit/support/cmocka.h"

#define BLOCKS_MAX 4096u

static struct {
    void *address;
    unsigned order;
} blocks[BLOCKS_MAX];
static unsigned block_count;
static unsigned block_limit;

static void *alloc_block(unsigned order)
{
    void *block;

    if (block_count == block_limit) {
        return NULL;
    }
    block = aligned_alloc(FRAME_SIZE, (size_t)FRAME_SIZE << order);
    assert_non_null(block);
    memset(block, 0xff, (size_t)FRAME_SIZE << order);
    blocks[block_count].address = block;
    blocks[block_count].order = order;
    block_count++;
    return block;
}

static unsigned find_block(const void *address)
{
    for (unsigned i = 0; i < block_count; i++) {
        if (blocks[i].address == address) {
            return i;
        }
    }
    fail();
    return 0;
}

static void free_block(void *block, unsigned order)
{
    unsigned which = find_block(block);

    assert_int_equal(blocks[which].order, order);
    free(block);
    blocks[which] = blocks[--block_count];
}

static unsigned block_order(const void *block)
{
    return blocks[find_block(block)].order;
}

static const struct page_source source = {
    .alloc = alloc_block, .free = free_block, .order = block_order};
static struct slab_heap heap;

static int set_up(void **state)
{
    (void)state;
    heap = (struct slab_heap){.source = &source};
    block_count = 0;
    block_limit = BLOCKS_MAX;
    return 0;
}

static void test_every_size(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 3 * FRAME_SIZE; size++) {
        char *memory = slab_alloc(&heap, size);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        assert_true(heap.used >= size);
        memset(memory, 0, size); /* AddressSanitizer sees it leave the block */
        slab_free(&heap, memory);
        assert_int_equal(heap.used, 0);
        assert_int_equal(block_count, 0);
    }
}

static void test_nothing(void **state)
{
    (void)state;
    assert_null(slab_alloc(&heap, 0));
    slab_free(&heap, NULL);
    assert_int_equal(heap.used, 0);
}

static void test_short_of_memory(void **state)
{
    void *first;

    (void)state;
    block_limit = 1;
    first = slab_alloc(&heap, 2000);
    assert_non_null(first);
    assert_non_null(slab_alloc(&heap, 2000));
    assert_null(slab_alloc(&heap, 2000)); /* two to a page */
    assert_null(slab_alloc(&heap, 16));
    assert_null(slab_alloc(&heap, FRAME_SIZE));
    assert_null(slab_alloc(&heap, SIZE_MAX));
    slab_free(&heap, first);
    assert_ptr_equal(slab_alloc(&heap, 2000), first);
    block_limit = BLOCKS_MAX;
    slab_free(&heap, first);
    free(blocks[0].address);
}

static void test_many_in_a_page(void **state)
{
    void *objects[63];

    (void)state;
    for (unsigned i = 0; i < 63; i++) {
        objects[i] = slab_alloc(&heap, 64);
    }
    assert_int_equal(block_count, 1);
    assert_int_equal(heap.used, 63 * 64);
    for (unsigned i = 0; i < 63; i++) {
        slab_free(&heap, objects[i]);
    }
    assert_int_equal(block_count, 0);
}

/* Each object is filled with its own byte: whatever overlaps shows. */
static void test_random(void **state)
{
    static struct {
        uint8_t *memory;
        size_t size;
        uint8_t mark;
    } objects[500];
    unsigned count = 0;

    (void)state;
    srand(3);
    for (unsigned step = 0; step < 30000; step++) {
        if (count < 500 && rand() % 2 != 0) {
            size_t size = 1 + (size_t)rand() % (rand() % 10 == 0 ? 10000 : 600);
            uint8_t *memory = slab_alloc(&heap, size);

            assert_non_null(memory);
            objects[count].memory = memory;
            objects[count].size = size;
            objects[count].mark = (uint8_t)step;
            memset(memory, (uint8_t)step, size);
            count++;
        } else if (count > 0) {
            unsigned which = (unsigned)rand() % count;

            for (size_t i = 0; i < objects[which].size; i++) {
                assert_int_equal(objects[which].memory[i], objects[which].mark);
            }
            slab_free(&heap, objects[which].memory);
            objects[which] = objects[--count];
        }
    }
    while (count > 0) {
        slab_free(&heap, objects[--count].memory);
    }
    assert_int_equal(heap.used, 0);
    assert_int_equal(block_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_every_size, set_up),
        cmocka_unit_test_setup(test_nothing, set_up),
        cmocka_unit_test_setup(test_short_of_memory, set_up),
        cmocka_unit_test_setup(test_many_in_a_page, set_up),
        cmocka_unit_test_setup(test_random, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
