/*
 * EPT against a model: random maps and unmaps, then every page of the window must translate as the
 * model says, by a walk written here from the SDM (vol. 3, 29.3.2). Frames come from a pool that
 * knows which are in use and that tables are freed only when no CPU can know of them any more.
 */
#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmx/definitions.h"
#include "vmx/ept.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

#define POOL_FRAMES 4096u
#define POOL_BASE   UINT64_C(0x7000000000) /* physical address of the first frame */

static struct {
    uint64_t (*frames)[512];
    bool used[POOL_FRAMES];
    unsigned used_count;
    unsigned limit; /* alloc fails when so many are in use */
    unsigned invalidations;
    unsigned dirty_frees; /* frees of a table that the CPU model still reaches */
    uint64_t cached_root;
    bool cached[POOL_FRAMES]; /* tables the CPU model may have walked through */
} pool;

static unsigned frame_number(uint64_t phys)
{
    uint64_t number = (phys - POOL_BASE) / 4096;

    assert_true(phys % 4096 == 0 && phys >= POOL_BASE && number < POOL_FRAMES);
    return (unsigned)number;
}

static uint64_t pool_alloc(void *context)
{
    (void)context;
    if (pool.used_count >= pool.limit) {
        return 0;
    }
    for (unsigned i = 0; i < POOL_FRAMES; i++) {
        /* Not the lowest always, so that a freed frame comes back at another place. */
        unsigned frame = (i * 7 + pool.invalidations) % POOL_FRAMES;

        if (!pool.used[frame]) {
            pool.used[frame] = true;
            pool.used_count++;
            memset(pool.frames[frame], 0xee, 4096);
            return POOL_BASE + frame * UINT64_C(4096);
        }
    }
    return 0;
}

static void pool_free(void *context, uint64_t phys)
{
    unsigned frame = frame_number(phys);

    (void)context;
    assert_true(pool.used[frame]);
    pool.dirty_frees += pool.cached[frame];
    pool.used[frame] = false;
    pool.used_count--;
    memset(pool.frames[frame], 0xdd, 4096);
}

static uint64_t *pool_map(void *context, uint64_t phys)
{
    (void)context;
    assert_true(pool.used[frame_number(phys)]);
    return pool.frames[frame_number(phys)];
}

/* The CPU forgets, and has walked all tables again a moment later. */
static void recache(uint64_t table, unsigned level)
{
    const uint64_t *entries = pool.frames[frame_number(table)];

    pool.cached[frame_number(table)] = true;
    for (unsigned i = 0; level && i < 512; i++) {
        if ((entries[i] & 7) && !(entries[i] & EPT_ENTRY_LARGE)) {
            recache(entries[i] & EPT_ADDRESS_MASK, level - 1);
        }
    }
}

static void pool_invalidate(void *context)
{
    (void)context;
    pool.invalidations++;
    memset(pool.cached, 0, sizeof(pool.cached));
    recache(pool.cached_root, 3);
}

static const struct ept_tables pool_tables = {pool_alloc, pool_free, pool_map, pool_invalidate,
                                              NULL};

static struct ept new_ept(bool large_2m, bool large_1g)
{
    struct ept ept;

    assert_int_equal(ept_init(&ept, &pool_tables, large_2m, large_1g, true), 0);
    pool.cached_root = ept.root;
    recache(ept.root, 3);
    return ept;
}

static void end_ept(struct ept *ept)
{
    memset(pool.cached, 0, sizeof(pool.cached));
    assert_int_equal(ept->table_count, pool.used_count);
    ept_destroy(ept);
    assert_int_equal(pool.used_count, 0);
    assert_int_equal(pool.dirty_frees, 0);
}

static int set_up(void **state)
{
    (void)state;
    memset(&pool, 0, sizeof(pool));
    pool.frames = malloc(POOL_FRAMES * sizeof(*pool.frames));
    pool.limit = POOL_FRAMES;
    return pool.frames ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(pool.frames);
    return 0;
}

/* What the CPU makes of an address: the leaf's permissions and memory type, and where it leads. */
struct translation {
    uint64_t host;
    uint64_t attributes; /* bits 5:0; 0: not present */
    uint64_t page_size;
};

static struct translation walk(uint64_t root, uint64_t address)
{
    uint64_t table = root;

    for (unsigned shift = 39;; shift -= 9) {
        uint64_t entry = pool.frames[frame_number(table)][address >> shift & 511];
        uint64_t mask = (UINT64_C(1) << shift) - 1;

        if (!(entry & 7)) {
            return (struct translation){0};
        }
        if (shift == 12 || (entry & 0x80)) {
            /* Large pages have reserved address bits, and 512 GiB pages do not exist. */
            assert_true(shift < 39);
            assert_int_equal(entry & mask & EPT_ADDRESS_MASK, 0);
            return (struct translation){(entry & 0x000ffffffffff000 & ~mask) | (address & mask),
                                        entry & 0x3f, mask + 1};
        }
        assert_int_equal(entry & 0xff, 7); /* all rights, and the reserved bits 0 (29.3.2) */
        table = entry & 0x000ffffffffff000;
    }
}

static void assert_translates(const struct ept *ept, uint64_t guest, uint64_t host,
                              uint64_t attributes, uint64_t page_size)
{
    struct translation translation = walk(ept->root, guest);
    struct ept_mapping mapping;

    assert_int_equal(translation.attributes, attributes);
    assert_int_equal(translation.host, host);
    assert_int_equal(translation.page_size, page_size);
    assert_true(ept_lookup(ept, guest, &mapping));
    assert_int_equal(mapping.host_phys, host);
    assert_int_equal(mapping.page_size, page_size);
    assert_int_equal(mapping.entry & 0x3f, attributes);
}

static void assert_unmapped(const struct ept *ept, uint64_t guest)
{
    struct ept_mapping mapping;

    assert_int_equal(walk(ept->root, guest).attributes, 0);
    assert_false(ept_lookup(ept, guest, &mapping));
}

#define RWX_WB 0x37u
#define RW_WB  0x33u
#define R_WB   0x31u
#define RW_UC  0x03u

static int map_ram(struct ept *ept, uint64_t guest, uint64_t host, uint64_t size)
{
    return ept_map(ept, guest, host, size, VIRT_PROT_ALL, VIRT_MEMORY_WRITE_BACK);
}

static void pages_are_as_large_as_they_can_be(void **state)
{
    struct ept ept = new_ept(true, true);

    (void)state;
    assert_int_equal(map_ram(&ept, 0, 16 * GIB, 4 * GIB + 6 * MIB + 12 * KIB), 0);
    assert_translates(&ept, 0x1234, 16 * GIB + 0x1234, RWX_WB, GIB);
    assert_translates(&ept, 4 * GIB + 0x5000, 20 * GIB + 0x5000, RWX_WB, 2 * MIB);
    assert_translates(&ept, 4 * GIB + 6 * MIB + 0x2fff, 20 * GIB + 6 * MIB + 0x2fff, RWX_WB,
                      4 * KIB);
    assert_unmapped(&ept, 4 * GIB + 6 * MIB + 12 * KIB);
    assert_int_equal(ept.table_count, 4);
    assert_int_equal(pool.invalidations, 0); /* nothing was there before */

    /* The host address must be aligned too. */
    assert_int_equal(map_ram(&ept, 8 * GIB, 32 * GIB + 2 * MIB, GIB), 0);
    assert_translates(&ept, 8 * GIB, 32 * GIB + 2 * MIB, RWX_WB, 2 * MIB);
    assert_int_equal(map_ram(&ept, 9 * GIB, 34 * GIB + 4 * KIB, 4 * MIB), 0);
    assert_translates(&ept, 9 * GIB + 2 * MIB, 34 * GIB + 2 * MIB + 4 * KIB, RWX_WB, 4 * KIB);
    end_ept(&ept);
}

static void cpus_without_large_pages_get_none(void **state)
{
    struct ept ept = new_ept(true, false);

    (void)state;
    assert_int_equal(map_ram(&ept, GIB, GIB, GIB), 0);
    assert_translates(&ept, GIB + 123 * MIB, GIB + 123 * MIB, RWX_WB, 2 * MIB);
    end_ept(&ept);
    ept = new_ept(false, false);
    assert_int_equal(map_ram(&ept, GIB, GIB, 4 * MIB), 0);
    assert_translates(&ept, GIB + 3 * MIB, GIB + 3 * MIB, RWX_WB, 4 * KIB);
    end_ept(&ept);
}

static void rights_and_memory_types(void **state)
{
    struct ept ept = new_ept(true, true);

    (void)state;
    assert_int_equal(ept_map(&ept, 0x1000, 0x8000, 0x1000, VIRT_PROT_READ, VIRT_MEMORY_WRITE_BACK),
                     0);
    assert_int_equal(ept_map(&ept, 0x2000, 0x9000, 0x1000, VIRT_PROT_READ | VIRT_PROT_WRITE,
                             VIRT_MEMORY_UNCACHED),
                     0);
    assert_translates(&ept, 0x1000, 0x8000, R_WB, 4 * KIB);
    assert_translates(&ept, 0x2000, 0x9000, RW_UC, 4 * KIB);
    /* Rights of what is there change. */
    assert_int_equal(ept_map(&ept, 0x1000, 0x8000, 0x1000, VIRT_PROT_READ | VIRT_PROT_WRITE,
                             VIRT_MEMORY_WRITE_BACK),
                     0);
    assert_translates(&ept, 0x1000, 0x8000, RW_WB, 4 * KIB);
    assert_int_equal(pool.invalidations, 1);
    end_ept(&ept);
}

static void wrong_ranges_are_refused(void **state)
{
    struct ept ept = new_ept(true, true);

    (void)state;
    assert_int_equal(map_ram(&ept, 0x800, 0, 0x1000), -EINVAL);
    assert_int_equal(map_ram(&ept, 0, 0x800, 0x1000), -EINVAL);
    assert_int_equal(map_ram(&ept, 0, 0, 0x800), -EINVAL);
    assert_int_equal(map_ram(&ept, (UINT64_C(1) << 48) - 0x1000, 0, 0x2000), -EINVAL);
    assert_int_equal(map_ram(&ept, UINT64_C(1) << 48, 0, 0x1000), -EINVAL);
    assert_int_equal(map_ram(&ept, 0xfffffffffffff000, 0, 0x1000), -EINVAL);
    assert_int_equal(map_ram(&ept, 0, UINT64_C(1) << 52, 0x1000), -EINVAL);
    assert_int_equal(map_ram(&ept, 0x1000, 0, 0xfffffffffffff000), -EINVAL);
    assert_int_equal(ept_unmap(&ept, 0x800, 0x1000), -EINVAL);
    assert_int_equal(ept_unmap(&ept, 0x1000, 0xfffffffffffff000), -EINVAL);
    assert_int_equal(ept_map(&ept, 0, 0, 0x1000, 0, VIRT_MEMORY_WRITE_BACK), -EINVAL);
    assert_int_equal(ept_map(&ept, 0, 0, 0x1000, VIRT_PROT_WRITE, VIRT_MEMORY_WRITE_BACK), -EINVAL);
    assert_int_equal(ept_map(&ept, 0, 0, 0x1000, VIRT_PROT_ALL | 8, VIRT_MEMORY_WRITE_BACK),
                     -EINVAL);
    assert_int_equal(ept.table_count, 1);
    /* The very last page is fine. */
    assert_int_equal(map_ram(&ept, (UINT64_C(1) << 48) - 0x1000, 0x5000, 0x1000), 0);
    assert_translates(&ept, (UINT64_C(1) << 48) - 1, 0x5fff, RWX_WB, 4 * KIB);
    assert_int_equal(map_ram(&ept, 0, 0, 0), 0);
    end_ept(&ept);
}

static void large_pages_split_and_merge(void **state)
{
    struct ept ept = new_ept(true, true);
    uint64_t hole = GIB + 5 * MIB + 12 * KIB;

    (void)state;
    assert_int_equal(map_ram(&ept, GIB, 8 * GIB, GIB), 0);
    assert_int_equal(ept.table_count, 2);
    assert_int_equal(ept_unmap(&ept, hole, 4 * KIB), 0);
    assert_int_equal(pool.invalidations, 1);
    assert_unmapped(&ept, hole);
    assert_translates(&ept, hole - 1, 8 * GIB + 5 * MIB + 12 * KIB - 1, RWX_WB, 4 * KIB);
    assert_translates(&ept, hole + 4 * KIB, 8 * GIB + 5 * MIB + 16 * KIB, RWX_WB, 4 * KIB);
    assert_translates(&ept, GIB, 8 * GIB, RWX_WB, 2 * MIB);
    assert_int_equal(ept.table_count, 4);

    /* The hole filled as it was: one page again. */
    assert_int_equal(map_ram(&ept, hole, 8 * GIB + 5 * MIB + 12 * KIB, 4 * KIB), 0);
    assert_translates(&ept, hole, 8 * GIB + 5 * MIB + 12 * KIB, RWX_WB, GIB);
    assert_int_equal(ept.table_count, 2);

    /* Filled with something else: it stays apart. */
    assert_int_equal(ept_unmap(&ept, hole, 4 * KIB), 0);
    assert_int_equal(ept_map(&ept, hole, 8 * GIB + 5 * MIB + 12 * KIB, 4 * KIB, VIRT_PROT_READ,
                             VIRT_MEMORY_WRITE_BACK),
                     0);
    assert_translates(&ept, hole, 8 * GIB + 5 * MIB + 12 * KIB, R_WB, 4 * KIB);
    assert_int_equal(ept.table_count, 4);
    end_ept(&ept);
}

static void accessed_and_dirty_do_not_stand_in_the_way_of_a_merge(void **state)
{
    struct ept ept = new_ept(true, false);
    struct ept_mapping mapping;
    uint64_t *page_table;

    (void)state;
    assert_int_equal(map_ram(&ept, 0, 4 * GIB, 2 * MIB - 4 * KIB), 0);
    page_table = pool.frames[frame_number(
        pool.frames[frame_number(pool.frames[frame_number(pool.frames[frame_number(ept.root)][0] &
                                                          EPT_ADDRESS_MASK)][0] &
                                 EPT_ADDRESS_MASK)][0] &
        EPT_ADDRESS_MASK)];
    page_table[7] |= EPT_ENTRY_ACCESSED | EPT_ENTRY_DIRTY; /* as the CPU does */
    assert_int_equal(map_ram(&ept, 2 * MIB - 4 * KIB, 4 * GIB + 2 * MIB - 4 * KIB, 4 * KIB), 0);
    assert_translates(&ept, 0x7000, 4 * GIB + 0x7000, RWX_WB, 2 * MIB);
    assert_true(ept_lookup(&ept, 0, &mapping));
    assert_int_equal(mapping.entry & (EPT_ENTRY_ACCESSED | EPT_ENTRY_DIRTY),
                     EPT_ENTRY_ACCESSED | EPT_ENTRY_DIRTY);
    end_ept(&ept);
}

static void the_pointer_says_what_the_tables_are(void **state)
{
    struct ept ept = new_ept(true, true);

    (void)state;
    assert_int_equal(ept_pointer(&ept), ept.root | 6 | 3 << 3 | 1 << 6);
    ept.accessed_dirty = false;
    assert_int_equal(ept_pointer(&ept), ept.root | 6 | 3 << 3);
    end_ept(&ept);
}

static void short_memory_breaks_nothing(void **state)
{
    (void)state;
    for (unsigned limit = 0; limit < 6; limit++) {
        struct ept ept;
        int error;

        pool.limit = limit;
        error = ept_init(&ept, &pool_tables, true, true, true);
        if (limit == 0) {
            assert_int_equal(error, -ENOMEM);
            continue;
        }
        pool.cached_root = ept.root;
        error = map_ram(&ept, 5 * MIB, 5 * MIB, 2 * MIB); /* 4 KiB pages at both ends */
        assert_int_equal(error, limit < 5 ? -ENOMEM : 0);
        end_ept(&ept);
    }
}

static void unmap_without_memory_keeps_the_page_whole(void **state)
{
    struct ept ept = new_ept(true, true);

    (void)state;
    assert_int_equal(map_ram(&ept, 0, 0, 4 * MIB), 0);
    pool.limit = pool.used_count;
    /* The second page goes whole, the first would have to be split. */
    assert_int_equal(ept_unmap(&ept, MIB, 3 * MIB), -ENOMEM);
    assert_translates(&ept, MIB, MIB, RWX_WB, 2 * MIB);
    assert_unmapped(&ept, 2 * MIB);
    end_ept(&ept);
}

/* ---- the model ---- */

#define WINDOW_START (GIB - 4 * MIB) /* across a border of 1 GiB */
#define WINDOW_PAGES 4096u           /* 16 MiB */

static struct {
    uint64_t host;
    uint64_t attributes;
} expected[WINDOW_PAGES];

static uint64_t random_state = 0x123456789abcdef;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 11) % limit;
}

static void check_window(const struct ept *ept)
{
    for (unsigned i = 0; i < WINDOW_PAGES; i++) {
        struct translation translation = walk(ept->root, WINDOW_START + i * 4 * KIB);

        assert_int_equal(translation.attributes, expected[i].attributes);
        if (translation.attributes) {
            assert_int_equal(translation.host, expected[i].host);
        }
    }
}

static void random_change(struct ept *ept)
{
    /* Often whole 2 MiB pages, often at the identical place: so that splits and merges happen. */
    unsigned grain = random_below(2) ? 512 : 1 + (unsigned)random_below(700);
    unsigned first = (unsigned)random_below(WINDOW_PAGES / grain + 1) * grain;
    unsigned count = 1 + (unsigned)random_below(1500);
    uint64_t guest = WINDOW_START + first * 4 * KIB;
    uint64_t host = random_below(3) ? 64 * GIB + guest : random_below(1000) * 4 * KIB;
    bool uncached = random_below(4) == 0;
    unsigned prot = random_below(3) ? VIRT_PROT_ALL : VIRT_PROT_READ;
    bool unmap = random_below(3) == 0;

    if (first >= WINDOW_PAGES) {
        return;
    }
    if (grain == 512) {
        count = (count / 512 + 1) * 512;
    }
    if (count > WINDOW_PAGES - first) {
        count = WINDOW_PAGES - first;
    }
    if (unmap) {
        assert_int_equal(ept_unmap(ept, guest, count * 4 * KIB), 0);
    } else {
        assert_int_equal(ept_map(ept, guest, host, count * 4 * KIB, prot,
                                 uncached ? VIRT_MEMORY_UNCACHED : VIRT_MEMORY_WRITE_BACK),
                         0);
    }
    for (unsigned i = 0; i < count; i++) {
        expected[first + i].host = host + i * 4 * KIB;
        expected[first + i].attributes =
            unmap ? 0 : (prot == VIRT_PROT_ALL ? 7u : 1u) | (uncached ? 0 : 0x30u);
    }
}

static void random_changes_agree_with_the_model(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 8; round++) {
        struct ept ept = new_ept(round & 1, round & 2);

        memset(expected, 0, sizeof(expected));
        for (unsigned i = 0; i < 150; i++) {
            random_change(&ept);
            check_window(&ept);
            assert_int_equal(ept.table_count, pool.used_count);
            assert_false(ept.stale);
        }
        assert_int_equal(ept_unmap(&ept, WINDOW_START, WINDOW_PAGES * 4 * KIB), 0);
        assert_int_equal(ept.table_count, 1);
        end_ept(&ept);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pages_are_as_large_as_they_can_be),
        TEST(cpus_without_large_pages_get_none),
        TEST(rights_and_memory_types),
        TEST(wrong_ranges_are_refused),
        TEST(large_pages_split_and_merge),
        TEST(accessed_and_dirty_do_not_stand_in_the_way_of_a_merge),
        TEST(the_pointer_says_what_the_tables_are),
        TEST(short_memory_breaks_nothing),
        TEST(unmap_without_memory_keeps_the_page_whole),
        TEST(random_changes_agree_with_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
