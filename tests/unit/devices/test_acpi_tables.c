/* The tables are walked here as an operating system walks them, with nothing of the builder's. */
#include "guest/acpi_tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/cmocka.h"

#define BASE UINT64_C(0xe0000)

static uint8_t tables[ACPI_TABLES_SIZE];
static long used;

static long build(unsigned vcpus, size_t capacity)
{
    const struct acpi_tables_config config = {.base = BASE,
                                              .vcpus = vcpus,
                                              .ioapic_id = 9,
                                              .dsdt = acpi_dsdt,
                                              .dsdt_size = acpi_dsdt_size};

    memset(tables, 0xcc, sizeof(tables));
    used = acpi_tables_build(&config, tables, capacity);
    return used;
}

static uint64_t number(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = size; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

static uint8_t sum(const uint8_t *bytes, size_t count)
{
    unsigned total = 0;

    while (count--) {
        total += *bytes++;
    }
    return (uint8_t)total;
}

static const uint8_t *at(uint64_t address)
{
    assert_in_range(address, BASE, BASE + (uint64_t)used - 1);
    return tables + (address - BASE);
}

/* A table with a good header; NULL if it is another one. */
static const uint8_t *check_table(uint64_t address, const char *signature)
{
    const uint8_t *table = at(address);
    uint64_t length = number(table + 4, 4);

    if (memcmp(table, signature, 4) != 0) {
        return NULL;
    }
    assert_true(length >= 36);
    at(address + length - 1);
    assert_int_equal(sum(table, length), 0);
    assert_memory_equal(table + 10, "INNKPR", 6);
    return table;
}

static const uint8_t *xsdt(void)
{
    assert_memory_equal(tables, "RSD PTR ", 8);
    assert_int_equal(tables[15], 2);
    assert_int_equal(number(tables + 20, 4), 36);
    assert_int_equal(sum(tables, 20), 0);
    assert_int_equal(sum(tables, 36), 0);
    return check_table(number(tables + 24, 8), "XSDT");
}

static const uint8_t *find(const char *signature)
{
    const uint8_t *root = xsdt();
    uint64_t count = (number(root + 4, 4) - 36) / 8;
    const uint8_t *found = NULL;

    assert_int_equal((number(root + 4, 4) - 36) % 8, 0);
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *table = check_table(number(root + 36 + 8 * i, 8), signature);

        if (table) {
            assert_null(found); /* each once */
            found = table;
        }
    }
    assert_non_null(found);
    return found;
}

static void roots_name_the_same_tables(void **state)
{
    const uint8_t *rsdt;
    const uint8_t *root;

    (void)state;
    assert_true(build(2, sizeof(tables)) > 0);
    root = xsdt();
    rsdt = check_table(number(tables + 16, 4), "RSDT");
    assert_non_null(rsdt);
    assert_int_equal((number(rsdt + 4, 4) - 36) / 4, (number(root + 4, 4) - 36) / 8);
    for (unsigned i = 0; i < (number(rsdt + 4, 4) - 36) / 4; i++) {
        assert_int_equal(number(rsdt + 36 + 4 * i, 4), number(root + 36 + 8 * i, 8));
    }
    /* Nothing is written past what is said to be used. */
    for (size_t i = (size_t)used; i < sizeof(tables); i++) {
        assert_int_equal(tables[i], 0xcc);
    }
}

static void assert_gas(const uint8_t *gas, unsigned port, unsigned bits)
{
    assert_int_equal(gas[0], 1); /* I/O space */
    assert_int_equal(gas[1], bits);
    assert_int_equal(gas[2], 0);
    assert_int_equal(number(gas + 4, 8), port);
}

static void fixed_hardware_is_described(void **state)
{
    const uint8_t *fadt;
    const uint8_t *facs;

    (void)state;
    build(1, sizeof(tables));
    fadt = find("FACP");
    assert_int_equal(fadt[8], 6);
    assert_int_equal(number(fadt + 4, 4), 276);
    assert_int_equal(number(fadt + 46, 2), 9); /* SCI */
    assert_int_equal(number(fadt + 48, 4), 0); /* SMI command port: ACPI is always on */
    assert_int_equal(number(fadt + 56, 4), 0x600);
    assert_int_equal(number(fadt + 64, 4), 0x604);
    assert_int_equal(number(fadt + 76, 4), 0x608);
    assert_int_equal(fadt[88], 4);
    assert_int_equal(fadt[89], 2);
    assert_int_equal(fadt[91], 4);
    assert_int_equal(number(fadt + 80, 8), 0); /* no GPEs */
    assert_int_equal(fadt[108], 0x32);         /* century */
    assert_int_equal(number(fadt + 109, 2), 0x0005);
    /* WBINVD, C1, no sleep button, no RTC wake, 32-bit timer, reset register. Bit 4 clear: the
     * power button is fixed hardware; bit 20 clear: not reduced hardware. */
    assert_int_equal(number(fadt + 112, 4), 0x565);
    assert_gas(fadt + 116, 0xcf9, 8);
    assert_int_equal(fadt[128], 0x06);
    assert_gas(fadt + 148, 0x600, 32);
    assert_gas(fadt + 172, 0x604, 16);
    assert_gas(fadt + 208, 0x608, 32);
    assert_int_equal(number(fadt + 220, 8) | number(fadt + 232, 8), 0);

    facs = at(number(fadt + 36, 4));
    assert_memory_equal(facs, "FACS", 4);
    assert_int_equal(number(facs + 4, 4), 64);
    assert_int_equal(number(fadt + 36, 4) % 64, 0);
    assert_int_equal(number(fadt + 132, 8), 0);
    at(number(fadt + 36, 4) + 63);
}

static void dsdt_is_the_compiled_one(void **state)
{
    const uint8_t *fadt;
    const uint8_t *dsdt;

    (void)state;
    build(1, sizeof(tables));
    fadt = find("FACP");
    dsdt = check_table(number(fadt + 40, 4), "DSDT");
    assert_non_null(dsdt);
    assert_int_equal(number(fadt + 140, 8), number(fadt + 40, 4));
    assert_int_equal(number(dsdt + 4, 4), acpi_dsdt_size);
    assert_memory_equal(dsdt, acpi_dsdt, acpi_dsdt_size);
}

static void processors_and_interrupts_are_described(void **state)
{
    static const unsigned counts[] = {1, 2, 7, 254, 255, 256};

    (void)state;
    for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const uint8_t *madt;
        uint64_t length;
        uint64_t offset = 44;
        unsigned processors = 0;
        unsigned seen[16] = {0};

        assert_true(build(counts[i], sizeof(tables)) > 0);
        madt = find("APIC");
        length = number(madt + 4, 4);
        assert_int_equal(number(madt + 36, 4), 0xfee00000);
        assert_int_equal(number(madt + 40, 4), 1);
        while (offset < length) {
            const uint8_t *entry = madt + offset;

            assert_true(entry[1] >= 2);
            assert_true(offset + entry[1] <= length);
            assert_in_range(entry[0], 0, 15);
            seen[entry[0]]++;
            switch (entry[0]) {
            case 0: /* local APIC */
                assert_int_equal(entry[1], 8);
                assert_int_equal(entry[2], processors);
                assert_int_equal(entry[3], processors);
                assert_int_equal(number(entry + 4, 4), 1);
                assert_true(processors < 255);
                processors++;
                break;
            case 1: /* I/O APIC */
                assert_int_equal(entry[1], 12);
                assert_int_equal(entry[2], 9);
                assert_int_equal(number(entry + 4, 4), 0xfec00000);
                assert_int_equal(number(entry + 8, 4), 0);
                break;
            case 2: /* ISA interrupt 0 to pin 2; the SCI is level-triggered, active high */
                assert_int_equal(entry[1], 10);
                assert_int_equal(entry[2], 0);
                if (entry[3] == 0) {
                    assert_int_equal(number(entry + 4, 4), 2);
                    assert_int_equal(number(entry + 8, 2), 0);
                } else {
                    assert_int_equal(entry[3], 9);
                    assert_int_equal(number(entry + 4, 4), 9);
                    assert_int_equal(number(entry + 8, 2), 0xd);
                }
                break;
            case 4: /* NMI at LINT1 of all */
                assert_int_equal(entry[1], 6);
                assert_int_equal(entry[2], 0xff);
                assert_int_equal(entry[5], 1);
                break;
            case 9: /* local x2APIC */
                assert_int_equal(entry[1], 16);
                assert_int_equal(number(entry + 4, 4), processors);
                assert_int_equal(number(entry + 8, 4), 1);
                assert_int_equal(number(entry + 12, 4), processors);
                assert_true(processors >= 255);
                processors++;
                break;
            case 10:
                assert_int_equal(entry[1], 12);
                assert_int_equal(number(entry + 4, 4), 0xffffffff);
                assert_int_equal(entry[8], 1);
                break;
            default:
                fail_msg("entry of type %u", entry[0]);
            }
            offset += entry[1];
        }
        assert_int_equal(processors, counts[i]);
        assert_int_equal(seen[1], 1);
        assert_int_equal(seen[2], 2);
        assert_int_equal(seen[4], 1);
        assert_int_equal(seen[9], counts[i] > 255 ? counts[i] - 255 : 0);
        assert_int_equal(seen[10], counts[i] > 255);
    }
}

/* AML's package length: 1 to 4 bytes; returns their number. */
static unsigned package_length(const uint8_t *aml, uint64_t *length)
{
    unsigned more = aml[0] >> 6;

    *length = more ? aml[0] & 0xf : aml[0] & 0x3f;
    for (unsigned i = 0; i < more; i++) {
        *length |= (uint64_t)aml[1 + i] << (4 + 8 * i);
    }
    return 1 + more;
}

static void processors_are_devices(void **state)
{
    static const unsigned counts[] = {1, 3, 256};

    (void)state;
    for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const uint8_t *ssdt;
        const uint8_t *aml;
        const uint8_t *end;
        uint64_t length;
        unsigned processors = 0;

        assert_true(build(counts[i], sizeof(tables)) > 0);
        ssdt = find("SSDT");
        end = ssdt + number(ssdt + 4, 4);
        aml = ssdt + 36;
        assert_int_equal(*aml++, 0x10); /* Scope */
        assert_true(package_length(aml, &length) == 3 && aml + length == end);
        aml += 3;
        assert_memory_equal(aml, "\\_SB_", 5);
        aml += 5;
        while (aml < end) {
            char name[5];

            assert_int_equal(*aml++, 0x5b);
            assert_int_equal(*aml++, 0x82); /* Device */
            assert_int_equal(package_length(aml, &length), 1);
            assert_int_equal(length, 28);
            snprintf(name, sizeof(name), "C%03X", processors & 0xfff);
            assert_memory_equal(aml + 1, name, 4);
            assert_memory_equal(aml + 5,
                                "\x08_HID\x0d"
                                "ACPI0007",
                                15);
            assert_memory_equal(aml + 20, "\x08_UID\x0b", 6);
            assert_int_equal(number(aml + 26, 2), processors);
            aml += length;
            processors++;
        }
        assert_ptr_equal(aml, end);
        assert_int_equal(processors, counts[i]);
    }
}

static void too_small_a_buffer_is_refused(void **state)
{
    (void)state;
    long full = build(4, sizeof(tables));

    assert_int_equal(build(4, (size_t)full), full);
    for (size_t capacity = 0; capacity < (size_t)full; capacity++) {
        uint8_t *exact = malloc(capacity ? capacity : 1); /* the sanitizer guards its end */
        const struct acpi_tables_config config = {
            .base = BASE, .vcpus = 4, .dsdt = acpi_dsdt, .dsdt_size = acpi_dsdt_size};

        assert_int_equal(acpi_tables_build(&config, exact, capacity), -ENOSPC);
        free(exact);
    }
}

static void wrong_configurations_are_refused(void **state)
{
    const struct acpi_tables_config good = {
        .base = BASE, .vcpus = 1, .dsdt = acpi_dsdt, .dsdt_size = acpi_dsdt_size};
    struct acpi_tables_config config = good;

    (void)state;
    config.vcpus = 0;
    assert_int_equal(acpi_tables_build(&config, tables, sizeof(tables)), -EINVAL);
    config.vcpus = ACPI_MAX_VCPUS + 1;
    assert_int_equal(acpi_tables_build(&config, tables, sizeof(tables)), -EINVAL);
    config = good;
    config.base = BASE + 16;
    assert_int_equal(acpi_tables_build(&config, tables, sizeof(tables)), -EINVAL);
    config.base = UINT64_C(0xffff0040);
    assert_int_equal(acpi_tables_build(&config, tables, sizeof(tables)), -EINVAL);
    config.base = UINT64_C(0xffff0000);
    assert_true(acpi_tables_build(&config, tables, sizeof(tables)) > 0);
    config = good;
    config.dsdt_size = 35;
    assert_int_equal(acpi_tables_build(&config, tables, sizeof(tables)), -EINVAL);
    config = good;
    config.dsdt = (const uint8_t *)"SSDT, which is something else altogether";
    config.dsdt_size = 40;
    assert_int_equal(acpi_tables_build(&config, tables, sizeof(tables)), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_name_the_same_tables),
        cmocka_unit_test(fixed_hardware_is_described),
        cmocka_unit_test(dsdt_is_the_compiled_one),
        cmocka_unit_test(processors_and_interrupts_are_described),
        cmocka_unit_test(processors_are_devices),
        cmocka_unit_test(too_small_a_buffer_is_refused),
        cmocka_unit_test(wrong_configurations_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
