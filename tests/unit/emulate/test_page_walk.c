#include <string.h>

#include "guest/emulate/page_walk.h"
#include "kernel/cpu/x86_defs.h"
#include "tests/unit/loader/block_source.h"
#include "tests/unit/support/cmocka.h"

#define P   UINT64_C(1)
#define W   UINT64_C(2)
#define U   UINT64_C(4)
#define A   UINT64_C(0x20)
#define D   UINT64_C(0x40)
#define PS  UINT64_C(0x80)
#define NX  (UINT64_C(1) << 63)
#define ALL (P | W | U)

#define TOP    UINT64_C(0x1000)     /* where CR3 points */
#define TABLE  UINT64_C(0x2000)     /* of level n: + n * 0x1000 */
#define TARGET UINT64_C(0x40000000) /* where leaves point: aligned for every size */
#define LINEAR UINT64_C(0x12345678)

/* A paging mode with the level its leaf is at; levels count from the PML4 (or PDPT, PD) down. */
struct layout {
    const char *name;
    bool wide; /* entries of 8 bytes */
    bool long_mode;
    unsigned levels; /* of tables, down to the leaf */
    unsigned top_shift;
    unsigned bits; /* index bits of a level */
};

static const struct layout layouts[] = {
    {"4-level 4K", true, true, 4, 39, 9},   {"4-level 2M", true, true, 3, 39, 9},
    {"4-level 1G", true, true, 2, 39, 9},   {"PAE 4K", true, false, 3, 30, 9},
    {"PAE 2M", true, false, 2, 30, 9},      {"32-bit 4K", false, false, 2, 22, 10},
    {"32-bit 4M", false, false, 1, 22, 10},
};
#define LAYOUT_COUNT (sizeof(layouts) / sizeof(layouts[0]))

static struct guest_memory memory;

static int set_up(void **state)
{
    (void)state;
    return guest_memory_create(&memory, 0x400000, &test_blocks);
}

static int tear_down(void **state)
{
    (void)state;
    guest_memory_destroy(&memory);
    return 0;
}

static struct virt_mode mode_of(const struct layout *layout)
{
    struct virt_mode mode = {.cr0 = CR0_PE | CR0_PG, .cr3 = TOP, .cr4 = CR4_PSE};

    if (layout->wide) {
        mode.cr4 |= CR4_PAE;
        mode.efer = EFER_NXE | (layout->long_mode ? EFER_LME | EFER_LMA : 0);
    }
    return mode;
}

static unsigned level_shift(const struct layout *layout, unsigned level)
{
    return layout->top_shift - layout->bits * level;
}

static uint64_t entry_address(const struct layout *layout, unsigned level, uint64_t linear)
{
    uint64_t table = level == 0 ? TOP : TABLE + level * UINT64_C(0x1000);
    uint64_t index = (linear >> level_shift(layout, level)) & ((1u << layout->bits) - 1);

    return table + index * (layout->wide ? 8 : 4);
}

static bool is_pdpte(const struct layout *layout, unsigned level)
{
    return layout->wide && !layout->long_mode && level == 0;
}

static uint64_t get_entry(const struct layout *layout, unsigned level)
{
    uint64_t entry = 0;

    guest_memory_read(&memory, entry_address(layout, level, LINEAR), &entry, layout->wide ? 8 : 4);
    return entry;
}

static void set_entry(const struct layout *layout, unsigned level, uint64_t entry)
{
    guest_memory_write(&memory, entry_address(layout, level, LINEAR), &entry, layout->wide ? 8 : 4);
}

/* Tables for LINEAR: flags `upper` in all entries above the leaf, `leaf` in it. */
static void build(const struct layout *layout, uint64_t upper, uint64_t leaf)
{
    for (unsigned level = 0; level < layout->levels; level++) {
        bool last = level + 1 == layout->levels;
        uint64_t large = last && level_shift(layout, level) != 12 ? PS : 0;
        uint64_t next = last ? TARGET : TABLE + (level + 1) * UINT64_C(0x1000);

        if (is_pdpte(layout, level)) {
            set_entry(layout, level, next | P); /* has no rights */
        } else {
            set_entry(layout, level, next | large | (last ? leaf : upper));
        }
    }
}

static uint64_t expected_phys(const struct layout *layout)
{
    uint64_t offset_mask = (UINT64_C(1) << level_shift(layout, layout->levels - 1)) - 1;

    return TARGET | (LINEAR & offset_mask);
}

/* One access by one privilege. */
struct attempt {
    uint32_t access;
    bool wp, smep, smap, ac, nxe;
};

/* What the SDM says of it, written down flag by flag; -1: allowed, else the error code. */
static int expected_error(const struct layout *layout, const struct attempt *attempt,
                          uint64_t upper, uint64_t leaf)
{
    bool has_upper = layout->levels > (is_pdpte(layout, 0) ? 2u : 1u);
    bool write = attempt->access & PAGE_ACCESS_WRITE;
    bool user = attempt->access & PAGE_ACCESS_USER;
    bool fetch = attempt->access & PAGE_ACCESS_FETCH;
    bool implicit = attempt->access & PAGE_ACCESS_IMPLICIT;
    bool nxe = attempt->nxe && layout->wide;
    int error = (write ? 2 : 0) | (user ? 4 : 0) | (fetch && (nxe || attempt->smep) ? 0x10 : 0);
    uint64_t entries[2] = {upper, leaf};

    for (unsigned i = has_upper ? 0 : 1; i < 2; i++) {
        if (!(entries[i] & P)) {
            return error;
        }
        if ((entries[i] & NX) && layout->wide && !nxe) {
            return error | 1 | 8;
        }
    }
    uint64_t both = has_upper ? upper & leaf : leaf;
    bool nx = layout->wide && (((has_upper ? upper : 0) | leaf) & NX);
    bool bad = fetch && nx;
    if (user) {
        bad |= !(both & U);
        bad |= write && !(both & W);
    } else {
        bad |= write && !(both & W) && attempt->wp;
        bad |= fetch && attempt->smep && (both & U);
        bad |= !fetch && attempt->smap && (both & U) && (implicit || !attempt->ac);
    }
    return bad ? (error | 1) : -1;
}

static void check(const struct layout *layout, const struct attempt *attempt, uint64_t upper,
                  uint64_t leaf)
{
    struct virt_mode mode = mode_of(layout);
    int expected = expected_error(layout, attempt, upper, leaf);

    mode.cr0 |= attempt->wp ? CR0_WP : 0;
    mode.cr4 |= (attempt->smep ? CR4_SMEP : 0) | (attempt->smap ? CR4_SMAP : 0);
    mode.rflags |= attempt->ac ? RFLAGS_AC : 0;
    mode.efer &= ~(attempt->nxe ? 0 : EFER_NXE);
    build(layout, upper, leaf);
    struct page_walk_result result = page_walk(&memory, &mode, 36, LINEAR, attempt->access);
    int got = result.fault ? (int)result.error_code : -1;
    if (got != expected) {
        print_message("%s access %x upper %lx leaf %lx\n", layout->name, attempt->access, upper,
                      leaf);
    }
    assert_int_equal(got, expected);
    bool write = attempt->access & PAGE_ACCESS_WRITE;
    for (unsigned level = 0; level < layout->levels; level++) {
        bool last = level + 1 == layout->levels;
        uint64_t flags = get_entry(layout, level) & (A | D);
        bool used = expected < 0 && !is_pdpte(layout, level);

        assert_int_equal(flags, used ? (A | (last && write ? D : 0)) : 0);
    }
    if (expected < 0) {
        assert_int_equal(result.guest_phys, expected_phys(layout));
    }
}

static void test_every_permission(void **state)
{
    static const uint32_t accesses[] = {
        0,
        PAGE_ACCESS_WRITE,
        PAGE_ACCESS_FETCH,
        PAGE_ACCESS_USER,
        PAGE_ACCESS_USER | PAGE_ACCESS_WRITE,
        PAGE_ACCESS_USER | PAGE_ACCESS_FETCH,
        PAGE_ACCESS_IMPLICIT,
        PAGE_ACCESS_IMPLICIT | PAGE_ACCESS_WRITE,
    };

    (void)state;
    for (unsigned l = 0; l < LAYOUT_COUNT; l++) {
        for (unsigned flags = 0; flags < 256; flags++) {
            uint64_t upper = (flags & 7) | ((flags & 8) && layouts[l].wide ? NX : 0);
            uint64_t leaf = ((flags >> 4) & 7) | ((flags & 0x80) && layouts[l].wide ? NX : 0);

            for (unsigned a = 0; a < sizeof(accesses) / sizeof(accesses[0]); a++) {
                for (unsigned cpu = 0; cpu < 32; cpu++) {
                    struct attempt attempt = {accesses[a],    cpu & 1,        (cpu & 2) != 0,
                                              (cpu & 4) != 0, (cpu & 8) != 0, (cpu & 16) != 0};
                    check(&layouts[l], &attempt, upper, leaf);
                }
            }
        }
    }
}

static void test_reserved_bits(void **state)
{
    (void)state;
    for (unsigned l = 0; l < LAYOUT_COUNT; l++) {
        const struct layout *layout = &layouts[l];
        struct virt_mode mode = mode_of(layout);

        for (unsigned level = 0; level < layout->levels; level++) {
            bool last = level + 1 == layout->levels;
            unsigned shift = level_shift(layout, level);

            for (unsigned bit = 1; bit < (layout->wide ? 63u : 32u); bit++) {
                bool reserved = false;

                build(layout, ALL, ALL);
                if (bit == 7 && !(is_pdpte(layout, level))) {
                    /* Page size: reserved only where there are no large pages. */
                    if (shift != 39) {
                        continue;
                    }
                    reserved = true;
                } else if (is_pdpte(layout, level)) {
                    reserved = bit <= 2 || (bit >= 5 && bit <= 8) || bit >= 36;
                    if (bit >= 12 && bit < 36) {
                        continue; /* leads elsewhere */
                    }
                } else if (bit < 3) {
                    continue; /* rights */
                } else if (layout->wide) {
                    reserved = (bit >= 36 && bit < 52) || (bit >= 52 && !layout->long_mode) ||
                               (last && shift > 12 && bit > 12 && bit < shift);
                    if (!reserved && bit >= 12 && bit < 36 && !(last && shift > 12 && bit == 12)) {
                        continue;
                    }
                } else {
                    reserved = last && shift == 22 && bit >= 17 && bit < 22; /* 36 - 19 */
                    if (!reserved && bit >= 12 && !(last && shift == 22 && bit == 12)) {
                        continue;
                    }
                }
                set_entry(layout, level, get_entry(layout, level) | UINT64_C(1) << bit);
                struct page_walk_result result = page_walk(&memory, &mode, 36, LINEAR, 0);
                if (result.fault != reserved) {
                    print_message("%s level %u bit %u\n", layout->name, level, bit);
                }
                assert_int_equal(result.fault, reserved);
                assert_int_equal(result.fault ? result.error_code : 9, 9);
            }
        }
    }
}

static void test_no_paging(void **state)
{
    struct virt_mode mode = {.cr0 = CR0_PE};

    (void)state;
    struct page_walk_result result =
        page_walk(&memory, &mode, 36, LINEAR, PAGE_ACCESS_USER | PAGE_ACCESS_WRITE);
    assert_false(result.fault);
    assert_int_equal(result.guest_phys, LINEAR);
}

static void test_large_pages_beyond_4g(void **state)
{
    const struct layout *layout = &layouts[6];
    struct virt_mode mode = mode_of(layout);

    (void)state;
    /* Bits 20:13 of the entry are bits 39:32 of the address. */
    set_entry(layout, 0, UINT64_C(0x40000000) | 5u << 13 | PS | ALL);
    struct page_walk_result result = page_walk(&memory, &mode, 40, LINEAR, 0);
    assert_false(result.fault);
    assert_int_equal(result.guest_phys, UINT64_C(0x500000000) + 0x40000000 + (LINEAR & 0x3fffff));
    /* Without CR4.PSE the bit means nothing and the entry names a table. */
    mode.cr4 = 0;
    set_entry(layout, 0, TABLE | PS | ALL);
    uint32_t entry = 0x7000 | ALL;
    guest_memory_write(&memory, TABLE + ((LINEAR >> 12) & 0x3ff) * 4, &entry, 4);
    result = page_walk(&memory, &mode, 40, LINEAR, 0);
    assert_false(result.fault);
    assert_int_equal(result.guest_phys, 0x7000 | (LINEAR & 0xfff));
}

static void test_tables_outside_ram(void **state)
{
    (void)state;
    for (unsigned l = 0; l < LAYOUT_COUNT; l++) {
        struct virt_mode mode = mode_of(&layouts[l]);

        if (layouts[l].levels < 2) {
            continue;
        }
        build(&layouts[l], ALL, ALL);
        set_entry(&layouts[l], 0, UINT64_C(0x80000000) | (is_pdpte(&layouts[l], 0) ? P : ALL));
        struct page_walk_result result = page_walk(&memory, &mode, 36, LINEAR, PAGE_ACCESS_WRITE);
        if (layouts[l].wide) {
            assert_true(result.fault);
            assert_int_equal(result.error_code, 8 | 2 | 1);
        } else { /* a page-table entry of ones is a page at the top */
            assert_false(result.fault);
            assert_int_equal(result.guest_phys, 0xfffff000u | (LINEAR & 0xfff));
        }
        mode.cr3 = UINT64_C(0x90000000);
        page_walk(&memory, &mode, 36, LINEAR, PAGE_ACCESS_WRITE);
    }
}

static void test_flags_are_kept(void **state)
{
    const struct layout *layout = &layouts[0];
    struct virt_mode mode = mode_of(layout);

    (void)state;
    /* Accessed already, not dirty: a read changes nothing, a write sets D in the leaf alone. */
    build(layout, ALL | A, ALL | A);
    page_walk(&memory, &mode, 36, LINEAR, 0);
    assert_int_equal(get_entry(layout, 3), TARGET | ALL | A);
    page_walk(&memory, &mode, 36, LINEAR, PAGE_ACCESS_WRITE);
    assert_int_equal(get_entry(layout, 3), TARGET | ALL | A | D);
    assert_int_equal(get_entry(layout, 2), (TABLE + 0x3000) | ALL | A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_permission),   cmocka_unit_test(test_reserved_bits),
        cmocka_unit_test(test_no_paging),          cmocka_unit_test(test_large_pages_beyond_4g),
        cmocka_unit_test(test_tables_outside_ram), cmocka_unit_test(test_flags_are_kept),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
