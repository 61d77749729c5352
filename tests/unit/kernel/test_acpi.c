/* The ACPI table parsers, over a made-up machine's memory, whole and broken. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/acpi/tables.h"
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/log.h"

#define MEMORY_SIZE 0x9000u
#define RSDT        0x1000u
#define XSDT        0x1800u
#define MADT        0x2000u
#define MCFG        0x3000u
#define FADT        0x4000u
#define DSDT        0x5000u
#define SSDT        0x6000u

/* Room for more entries than are read. */
#define CROWDED_MADT 0x7000u

static uint8_t memory[MEMORY_SIZE];
static uint8_t rsdp[ACPI_RSDP_SIZE];
static struct acpi_info info;

/* Hands out copies of the exact size, so that AddressSanitizer sees every read past the end. */
static uint8_t *copies[64];
static unsigned copy_count;

static const uint8_t *map(uint64_t phys, size_t size)
{
    uint8_t *copy;

    if (phys >= MEMORY_SIZE || size > MEMORY_SIZE - phys) {
        return NULL;
    }
    assert_true(copy_count < 64);
    copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, memory + phys, size);
    copies[copy_count++] = copy;
    return copy;
}

static void unmap_all(void)
{
    while (copy_count) {
        free(copies[--copy_count]);
    }
}

static void put(uint32_t at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        memory[at + i] = (uint8_t)(value >> i * 8);
    }
}

static uint8_t negative_sum(const uint8_t *bytes, size_t length)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < length; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return (uint8_t)-sum;
}

/* Header and checksum over what is in memory already. */
static void seal(uint32_t at, const char *signature, uint32_t length)
{
    memcpy(memory + at, signature, 4);
    put(at + 4, length, 4);
    memory[at + 9] = 0;
    memory[at + 9] = negative_sum(memory + at, length);
}

static void seal_rsdp(uint8_t revision)
{
    memcpy(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 9, "HOUSE1", 6);
    rsdp[15] = revision;
    rsdp[16] = RSDT & 0xff;
    rsdp[17] = RSDT >> 8;
    if (revision >= 2) {
        rsdp[20] = ACPI_RSDP_SIZE;
        rsdp[24] = XSDT & 0xff;
        rsdp[25] = XSDT >> 8;
    }
    rsdp[8] = 0;
    rsdp[8] = negative_sum(rsdp, 20);
    rsdp[32] = 0;
    rsdp[32] = negative_sum(rsdp, ACPI_RSDP_SIZE);
}

static uint32_t append(uint32_t at, const uint8_t *bytes, size_t size)
{
    memcpy(memory + at, bytes, size);
    return at + (uint32_t)size;
}

#define APPEND(at, ...) append(at, (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static uint32_t make_madt(void)
{
    uint32_t at = MADT + 44;

    put(MADT + 36, 0xfee01000, 4);
    put(MADT + 40, 1, 4);
    at = APPEND(at, 0, 8, 10, 0, 1, 0, 0, 0);    /* CPU uid 10, id 0, enabled */
    at = APPEND(at, 0, 8, 11, 2, 2, 0, 0, 0);    /* id 2, may be enabled later */
    at = APPEND(at, 0, 8, 12, 4, 0, 0, 0, 0);    /* id 4, absent */
    at = APPEND(at, 0, 8, 13, 0xff, 1, 0, 0, 0); /* unused entry */
    /* x2APIC: id 0x12345, enabled, uid 0x300; and CPU 0 again */
    at = APPEND(at, 9, 16, 0, 0, 0x45, 0x23, 1, 0, 1, 0, 0, 0, 0, 3, 0, 0);
    at = APPEND(at, 9, 16, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 10, 0, 0, 0);
    at = APPEND(at, 1, 12, 7, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0); /* I/O APIC 7, GSI 0 */
    at = APPEND(at, 1, 12, 8, 0, 0, 0x10, 0xc0, 0xfe, 24, 0, 0, 0);
    at = APPEND(at, 2, 10, 0, 0, 2, 0, 0, 0, 0, 0);    /* IRQ 0 is GSI 2 */
    at = APPEND(at, 2, 10, 0, 9, 9, 0, 0, 0, 0x0f, 0); /* IRQ 9 level, low */
    at = APPEND(at, 2, 10, 0, 5, 5, 0, 0, 0, 0x0d, 0); /* IRQ 5 level, high */
    at = APPEND(at, 2, 10, 0, 16, 3, 0, 0, 0, 0, 0);   /* no such IRQ */
    at = APPEND(at, 4, 6, 0xff, 0x0f, 0, 1);           /* NMI: all CPUs, LINT1, low */
    at = APPEND(at, 10, 12, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0);
    at = APPEND(at, 0x7f, 5, 1, 2, 3); /* of a type to come */
    at = APPEND(at, 5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 1, 0, 0, 0);
    return at - MADT;
}

static void make_fadt(void)
{
    put(FADT + 40, DSDT, 4);
    put(FADT + 48, 0xb2, 4);
    memory[FADT + 52] = 0xa0;
    put(FADT + 64, 0x604, 4);
    put(FADT + 68, 0, 4);
    put(FADT + 76, 0x608, 4);
    memory[FADT + 108] = 0x32;
    put(FADT + 112, 1u << 8 | 1u << 10, 4);
    memory[FADT + 116] = ACPI_SPACE_IO;
    put(FADT + 120, 0xcf9, 8);
    memory[FADT + 128] = 0x0f;
    /* The extended PM timer is elsewhere; the extended PM1a is in memory, which we do not use. */
    memory[FADT + 208] = ACPI_SPACE_IO;
    put(FADT + 212, 0x1808, 8);
    memory[FADT + 172] = ACPI_SPACE_MEMORY;
    put(FADT + 176, 0xfed00000, 8);
}

static void make_roots(void)
{
    static const uint32_t tables[] = {MADT, 0, MCFG, FADT, SSDT};

    for (unsigned i = 0; i < 5; i++) {
        put(RSDT + 36 + i * 4, tables[i], 4);
        put(XSDT + 36 + i * 8, tables[i], 8);
    }
    seal(RSDT, "RSDT", 36 + 5 * 4);
    seal(XSDT, "XSDT", 36 + 5 * 8);
}

static int setup(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    memset(rsdp, 0, sizeof(rsdp));
    memset(&info, 0x5a, sizeof(info));
    test_log_lines = 0;
    seal_rsdp(2);
    make_roots();
    seal(MADT, "APIC", make_madt());
    put(MCFG + 44, 0xb0000000, 8);
    memory[MCFG + 44 + 11] = 0xff;
    put(MCFG + 60, UINT64_C(0x4000000000), 8);
    put(MCFG + 68, 1, 2);
    memory[MCFG + 70] = 0x10;
    memory[MCFG + 71] = 0x1f;
    memory[MCFG + 76 + 10] = 2; /* buses 2-1 */
    seal(MCFG, "MCFG", 44 + 3 * 16);
    make_fadt();
    seal(FADT, "FACP", 244);
    /* A mention of the name, a sleep state that is not it, then Name (\_S5, Package (4) {5, 6}). */
    APPEND(DSDT + 36, '_', 'S', '5', '_', 0x08, '_', 'S', '3', '_', 0x12, 4, 2, 0x0a, 1, 0x08, 0x5c,
           '_', 'S', '5', '_', 0x12, 0x08, 4, 0x0a, 5, 0x0a, 6, 0, 0);
    seal(DSDT, "DSDT", 36 + 29);
    APPEND(SSDT + 36, 0x08, '_', 'S', '5', '_', 0x12, 6, 2, 0x0a, 7, 0x0a, 7);
    seal(SSDT, "SSDT", 36 + 12);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unmap_all();
    return 0;
}

static void test_madt(void **state)
{
    (void)state;
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_string_equal(info.oem_id, "HOUSE1");
    assert_true(info.has_madt);
    assert_true(info.has_8259);
    assert_true(info.local_apic == UINT64_C(0x1fee00000));
    assert_int_equal(info.cpu_count, 3);
    assert_int_equal(info.cpus[0].apic_id, 0);
    assert_int_equal(info.cpus[0].uid, 10);
    assert_true(info.cpus[0].enabled);
    assert_int_equal(info.cpus[1].apic_id, 2);
    assert_false(info.cpus[1].enabled);
    assert_int_equal(info.cpus[2].apic_id, 0x12345);
    assert_int_equal(info.cpus[2].uid, 0x300);
    assert_int_equal(info.ioapic_count, 2);
    assert_int_equal(info.ioapics[0].id, 7);
    assert_int_equal(info.ioapics[0].phys, 0xfec00000);
    assert_int_equal(info.ioapics[1].gsi_base, 24);
    assert_int_equal(info.nmi_count, 2);
    assert_true(info.nmis[0].uid == ACPI_ALL_PROCESSORS);
    assert_int_equal(info.nmis[0].lint, 1);
    assert_true(info.nmis[0].active_low && info.nmis[0].level);
    assert_int_equal(info.nmis[1].uid, 0x300);
    assert_int_equal(info.nmis[1].lint, 0);
    assert_false(info.nmis[1].active_low || info.nmis[1].level);
}

static void test_overrides(void **state)
{
    (void)state;
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_int_equal(info.isa[0].gsi, 2);
    assert_false(info.isa[0].level || info.isa[0].active_low);
    assert_int_equal(info.isa[9].gsi, 9);
    assert_true(info.isa[9].level && info.isa[9].active_low);
    assert_true(info.isa[5].level && !info.isa[5].active_low);
    assert_int_equal(info.isa[4].gsi, 4);
    assert_false(info.isa[4].level || info.isa[4].active_low);
}

static void test_mcfg(void **state)
{
    (void)state;
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_int_equal(info.mcfg_count, 2);
    assert_int_equal(info.mcfg[0].phys, 0xb0000000);
    assert_int_equal(info.mcfg[0].bus_last, 0xff);
    assert_true(info.mcfg[1].phys == UINT64_C(0x4000000000));
    assert_int_equal(info.mcfg[1].segment, 1);
    assert_int_equal(info.mcfg[1].bus_first, 0x10);
    assert_int_equal(info.mcfg[1].bus_last, 0x1f);
}

static void test_fadt(void **state)
{
    (void)state;
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_true(info.has_fadt);
    assert_int_equal(info.pm_timer.address, 0x1808);
    assert_true(info.pm_timer_32bit);
    assert_int_equal(info.pm1a_control.address, 0x604);
    assert_int_equal(info.pm1b_control.address, 0);
    assert_int_equal(info.smi_command, 0xb2);
    assert_int_equal(info.acpi_enable, 0xa0);
    assert_int_equal(info.century, 0x32);
    assert_int_equal(info.reset.address, 0xcf9);
    assert_int_equal(info.reset.space, ACPI_SPACE_IO);
    assert_int_equal(info.reset_value, 0x0f);
    assert_true(info.has_s5);
    assert_int_equal(info.s5_a, 5);
    assert_int_equal(info.s5_b, 6);
}

/* ACPI 1.0: no extended fields, no reset register, RSDT only. */
static void test_version_1(void **state)
{
    (void)state;
    memset(rsdp, 0, sizeof(rsdp));
    seal_rsdp(0);
    memset(memory + XSDT, 0xff, 0x100);
    seal(FADT, "FACP", 116);
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_int_equal(info.cpu_count, 3);
    assert_int_equal(info.mcfg_count, 2);
    assert_int_equal(info.pm_timer.address, 0x608);
    assert_int_equal(info.s5_a, 5);
    put(FADT + 112, 1u << 10, 4);
    seal(FADT, "FACP", 116);
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_int_equal(info.reset.address, 0);
    assert_false(info.pm_timer_32bit);
}

static void test_falls_back_to_rsdt(void **state)
{
    (void)state;
    rsdp[33] ^= 1; /* only the extended checksum covers it */
    memory[XSDT + 40] ^= 1;
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_int_equal(info.cpu_count, 3);
    seal_rsdp(2);
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_int_equal(info.cpu_count, 3);
}

static void test_without_acpi(void **state)
{
    (void)state;
    memset(rsdp, 0, sizeof(rsdp));
    assert_int_equal(acpi_parse(rsdp, map, &info), -ENOENT);
    assert_int_equal(info.cpu_count, 0);
    assert_int_equal(info.isa[4].gsi, 4);
    assert_true(info.local_apic == ACPI_DEFAULT_APIC);
    assert_string_equal(info.oem_id, "");
}

static void test_broken_roots(void **state)
{
    (void)state;
    rsdp[10] ^= 1;
    assert_int_equal(acpi_parse(rsdp, map, &info), -EINVAL);
    seal_rsdp(2);
    memory[RSDT + 40] ^= 1;
    memory[XSDT + 40] ^= 1;
    assert_int_equal(acpi_parse(rsdp, map, &info), -EINVAL);
    make_roots();
    seal(RSDT, "TSDR", 36);
    seal(XSDT, "TSDX", 36);
    assert_int_equal(acpi_parse(rsdp, map, &info), -EINVAL);
    assert_int_equal(info.cpu_count, 0);
}

static void test_wrong_checksum_is_named(void **state)
{
    (void)state;
    memory[MADT + 45] ^= 0x40;
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_false(info.has_madt);
    assert_int_equal(info.cpu_count, 0);
    assert_true(info.has_fadt);
    setup(NULL);
    memory[DSDT + 60] ^= 1;
    seal(SSDT, "SSDT", 36);
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_string_equal(test_log_last, "ACPI: table DSDT at 0x5000 ignored: wrong checksum");
    assert_true(info.has_fadt);
    assert_false(info.has_s5);
}

static void test_bad_lengths(void **state)
{
    static const uint32_t lengths[] = {0, 1, 35, MEMORY_SIZE, 0x7fffffff, 0xffffffff};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        put(MADT + 4, lengths[i], 4);
        assert_int_equal(acpi_parse(rsdp, map, &info), 0);
        assert_false(info.has_madt);
        assert_true(info.has_fadt);
        unmap_all();
    }
}

static void parse_all_lengths(uint32_t at, const char *signature, uint32_t length)
{
    for (uint32_t cut = ACPI_HEADER_SIZE; cut <= length; cut++) {
        setup(NULL);
        seal(at, signature, cut);
        assert_int_equal(acpi_parse(rsdp, map, &info), 0);
        unmap_all();
    }
}

/* Cut anywhere, with a right checksum: nothing is read past the end. */
static void test_truncated(void **state)
{
    (void)state;
    parse_all_lengths(MADT, "APIC", make_madt());
    parse_all_lengths(MCFG, "MCFG", 44 + 3 * 16);
    parse_all_lengths(FADT, "FACP", 244);
    parse_all_lengths(DSDT, "DSDT", 36 + 29);
    parse_all_lengths(XSDT, "XSDT", 36 + 5 * 8);
}

static void test_madt_entries_that_run_out(void **state)
{
    (void)state;
    memory[MADT + 45] = 0; /* an entry of no length would never end */
    seal(MADT, "APIC", make_madt());
    memory[MADT + 45] = 0;
    seal(MADT, "APIC", 44 + 16);
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_true(info.has_madt);
    assert_int_equal(info.cpu_count, 0);
    memory[MADT + 45] = 200; /* past the end */
    seal(MADT, "APIC", 44 + 16);
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_int_equal(info.cpu_count, 0);
    memory[MADT + 45] = 4; /* too short for its type: left out, the next is read */
    memory[MADT + 48] = 0;
    memory[MADT + 49] = 8;
    memory[MADT + 52] = 1;
    seal(MADT, "APIC", 44 + 12);
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_int_equal(info.cpu_count, 1);
}

static void test_too_many(void **state)
{
    uint32_t at = CROWDED_MADT + 44;

    (void)state;
    for (unsigned i = 0; i < ACPI_MAX_CPUS + 3; i++) {
        at = APPEND(at, 9, 16, 0, 0, (uint8_t)i, (uint8_t)(i >> 8), 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
    }
    for (unsigned i = 0; i < ACPI_MAX_IOAPICS + 3; i++) {
        at = APPEND(at, 1, 12, (uint8_t)i, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0);
        at = APPEND(at, 4, 6, 0xff, 0, 0, 1);
    }
    seal(CROWDED_MADT, "APIC", at - CROWDED_MADT);
    put(XSDT + 36, CROWDED_MADT, 8);
    seal(XSDT, "XSDT", 36 + 5 * 8);
    assert_int_equal(acpi_parse(rsdp, map, &info), 0);
    assert_int_equal(info.cpu_count, ACPI_MAX_CPUS);
    assert_int_equal(info.ioapic_count, ACPI_MAX_IOAPICS);
    assert_int_equal(info.nmi_count, ACPI_MAX_NMIS);
}

static void assert_s5(const uint8_t *aml, size_t size, int expected)
{
    uint8_t bytes[ACPI_HEADER_SIZE + 64] = {0};
    struct acpi_table table = {.bytes = bytes, .length = ACPI_HEADER_SIZE + size};

    memset(&info, 0, sizeof(info));
    memcpy(bytes + ACPI_HEADER_SIZE, aml, size);
    acpi_parse_s5(&table, &info);
    assert_int_equal(info.has_s5 ? info.s5_a : -1, expected);
}

#define ASSERT_S5(expected, ...) \
    assert_s5((const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), expected)

static void test_s5_forms(void **state)
{
    (void)state;
    ASSERT_S5(0, 8, '_', 'S', '5', '_', 0x12, 4, 2, 0, 0);
    ASSERT_S5(1, 8, '_', 'S', '5', '_', 0x12, 4, 2, 1, 0);
    ASSERT_S5(5, 8, '_', 'S', '5', '_', 0x12, 4, 1, 0x0b, 5, 0);
    ASSERT_S5(5, 8, '_', 'S', '5', '_', 0x12, 4, 1, 0x0c, 5, 0, 0, 0);
    ASSERT_S5(7, 8, '_', 'S', '5', '_', 0x12, 4, 2, 0xff, 0);
    ASSERT_S5(3, 8, '_', 'S', '5', '_', 0x12, 0x48, 0, 2, 0x0a, 3, 0x0a, 3); /* two-byte length */
    ASSERT_S5(-1, 8, '_', 'S', '5', '_', 0x13, 4, 2, 0, 0);
    ASSERT_S5(-1, 8, '_', 'S', '5', '_', 0x12, 4, 0, 0, 0);
    ASSERT_S5(-1, 8, '_', 'S', '5', '_', 0x12, 4, 2, 0x0d, 'x');
    ASSERT_S5(-1, 8, '_', 'S', '5', '_', 0x12, 4, 2, 0x0c, 5, 0);
    ASSERT_S5(-1, 8, '_', 'S', '5', '_', 0x12, 0xc0);
    ASSERT_S5(-1, 8, '_', 'S', '5', '_');
    ASSERT_S5(-1, 8, '_', 'S', '5');
    ASSERT_S5(-1, 7, '_', 'S', '5', '_', 0x12, 4, 2, 0, 0);
}

/* Random damage with the checksums made right again: no crash, no read outside. */
static void test_garbage(void **state)
{
    static const struct {
        const char *signature;
        uint32_t at;
        uint32_t length;
    } tables[] = {{"APIC", MADT, 200}, {"MCFG", MCFG, 92}, {"FACP", FADT, 244}, {"DSDT", DSDT, 65}};

    (void)state;
    srand(7);
    for (unsigned round = 0; round < 3000; round++) {
        unsigned which = round % 4;

        setup(NULL);
        for (unsigned i = 0; i < 12; i++) {
            uint32_t offset = 36 + (uint32_t)rand() % (tables[which].length - 36);

            memory[tables[which].at + offset] = (uint8_t)rand();
        }
        seal(tables[which].at, tables[which].signature, tables[which].length);
        assert_int_equal(acpi_parse(rsdp, map, &info), 0);
        assert_true(info.cpu_count <= ACPI_MAX_CPUS && info.nmi_count <= ACPI_MAX_NMIS);
        unmap_all();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_madt),         TEST(test_overrides),    TEST(test_mcfg),
        TEST(test_fadt),         TEST(test_version_1),    TEST(test_falls_back_to_rsdt),
        TEST(test_without_acpi), TEST(test_broken_roots), TEST(test_wrong_checksum_is_named),
        TEST(test_bad_lengths),  TEST(test_truncated),    TEST(test_madt_entries_that_run_out),
        TEST(test_too_many),     TEST(test_s5_forms),     TEST(test_garbage),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
