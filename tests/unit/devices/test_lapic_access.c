/* Modes, register access by memory and by MSR, hardware-virtualised writes. */
#include <errno.h>
#include <string.h>

#include "tests/unit/devices/lapic_fixture.h"

#define BASE (LAPIC_DEFAULT_BASE | MSR_APIC_BASE_ENABLE)

static struct lapic *const first = &test_cpus[0].lapic;
static struct lapic *const second = &test_cpus[1].lapic;

static uint64_t msr(const struct test_cpu *cpu, uint32_t index)
{
    uint64_t value = 0;

    assert_int_equal(lapic_msr_read((struct lapic *)(uintptr_t)&cpu->lapic, index, &value), 0);
    return value;
}

static void reset_state(void **state)
{
    (void)state;
    assert_int_equal(lapic_base_read(first), BASE | MSR_APIC_BASE_BSP);
    assert_int_equal(lapic_base_read(second), BASE);
    assert_int_equal(lapic_mode(first), APIC_MODE_XAPIC);
    assert_int_equal(lapic_fixture_read(1, 0x20), 1u << 24);
    assert_int_equal(lapic_fixture_read(1, 0x30), 0x01050014);
    assert_int_equal(lapic_fixture_read(1, 0x80), 0);
    assert_int_equal(lapic_fixture_read(1, 0xd0), 0);
    assert_int_equal(lapic_fixture_read(1, 0xe0), 0xffffffff);
    assert_int_equal(lapic_fixture_read(1, 0xf0), 0xff);
    for (unsigned offset = 0x320; offset <= 0x370; offset += 16) {
        assert_int_equal(lapic_fixture_read(1, offset), 0x10000);
    }
    assert_int_equal(lapic_fixture_read(1, 0x380), 0);
    assert_int_equal(lapic_fixture_read(1, 0x390), 0);
    assert_int_equal(lapic_fixture_read(1, 0x3e0), 0);
}

static void writable_bits_in_memory(void **state)
{
    static const struct {
        unsigned offset;
        uint32_t ones;  /* read after writing all ones */
        uint32_t zeros; /* read after writing 0 */
    } expected[] = {
        {0x80, 0xff, 0},
        {0xd0, 0xff000000, 0},
        {0xe0, 0xffffffff, 0x0fffffff},
        {0xf0, 0x13ff, 0},
        {0x310, 0xff000000, 0},
        {0x330, 0x107ff, 0},
        {0x340, 0x107ff, 0},
        {0x350, 0x1a7ff, 0},
        {0x360, 0x1a7ff, 0},
        {0x370, 0x100ff, 0},
        {0x320, 0x700ff, 0},
        {0x3e0, 0xb, 0},
        {0x20, 0, 0},
        {0x30, 0x01050014, 0x01050014},
        {0x90, 0, 0},
        {0xa0, 0, 0},
        {0xc0, 0, 0},
        {0x100, 0, 0},
        {0x180, 0, 0},
        {0x270, 0, 0},
        {0x390, 0, 0},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        lapic_fixture_setup(NULL);
        lapic_fixture_enable(0);
        lapic_fixture_write(0, expected[i].offset, 0xffffffff);
        assert_int_equal(lapic_fixture_read(0, expected[i].offset), expected[i].ones);
        lapic_fixture_setup(NULL);
        lapic_fixture_enable(0);
        lapic_fixture_write(0, expected[i].offset, 0);
        assert_int_equal(lapic_fixture_read(0, expected[i].offset), expected[i].zeros);
    }
}

static void odd_sizes_and_places(void **state)
{
    (void)state;
    assert_int_equal(lapic_mmio_read(second, 0x20, 8), 1u << 24);
    assert_int_equal(lapic_mmio_read(second, 0x23, 1), 1);
    assert_int_equal(lapic_mmio_read(second, 0x22, 2), 0x100);
    assert_int_equal(lapic_mmio_read(second, 0x32, 1), 5);
    assert_int_equal(lapic_mmio_read(second, 0x24, 4), 0);
    lapic_mmio_write(second, 0x80, 1, 0x20);
    lapic_mmio_write(second, 0x82, 4, 0x20);
    assert_int_equal(lapic_fixture_read(1, 0x80), 0);
    lapic_mmio_write(second, 0x80, 8, 0x20);
    assert_int_equal(lapic_fixture_read(1, 0x80), 0x20);
}

static void base_transitions(void **state)
{
    /* Rows: from; columns: to (disabled, EXTD alone, xAPIC, x2APIC). Figure 11-27. */
    static const uint64_t bits[] = {0, MSR_APIC_BASE_EXTD, MSR_APIC_BASE_ENABLE,
                                    MSR_APIC_BASE_ENABLE | MSR_APIC_BASE_EXTD};
    static const bool legal[4][4] = {
        {true, false, true, false},
        {false, false, false, false},
        {true, false, true, true},
        {true, false, false, true},
    };

    (void)state;
    for (unsigned from = 0; from < 4; from++) {
        for (unsigned to = 0; to < 4 && from != 1; to++) {
            lapic_fixture_setup(NULL);
            if (from == 0) {
                assert_int_equal(lapic_base_write(first, LAPIC_DEFAULT_BASE), 0);
            } else if (from == 3) {
                lapic_fixture_x2apic(0);
            }
            uint64_t before = lapic_base_read(first);
            int result = lapic_base_write(first, LAPIC_DEFAULT_BASE | bits[to]);

            assert_int_equal(result, legal[from][to] ? 0 : -EINVAL);
            assert_int_equal(lapic_base_read(first),
                             legal[from][to] ? LAPIC_DEFAULT_BASE | bits[to] : before);
        }
    }
}

static void base_reserved_bits_fault(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        /* BSP, EXTD and the address (MAXPHYADDR is 39 here); EN is set already. */
        bool legal = bit == 8 || bit == 10 || bit == 11 || (bit >= 12 && bit < 39);

        lapic_fixture_setup(NULL);
        assert_int_equal(lapic_base_write(first, BASE | 1ull << bit), legal ? 0 : -EINVAL);
    }
}

static void moving_the_base_is_told(void **state)
{
    (void)state;
    assert_int_equal(lapic_base_write(first, BASE | MSR_APIC_BASE_BSP), 0);
    assert_int_equal(test_cpus[0].modes, 0); /* nothing changed */
    assert_int_equal(lapic_base_write(first, 0xd0000000 | MSR_APIC_BASE_ENABLE), 0);
    assert_int_equal(test_cpus[0].modes, 1);
    assert_int_equal(test_cpus[0].mode, APIC_MODE_XAPIC);
    assert_int_equal(test_cpus[0].base, 0xd0000000);
}

static void x2apic_keeps_state_and_derives_its_ids(void **state)
{
    (void)state;
    lapic_fixture_enable(19);
    lapic_fixture_write(19, 0x80, 0x30);
    lapic_fixture_write(19, 0x310, 0x55000000);
    lapic_fixture_write(19, 0xd0, 0x80000000);

    struct lapic *lapic = &test_cpus[19].lapic;

    assert_int_equal(lapic_base_write(lapic, BASE | MSR_APIC_BASE_EXTD), 0);
    assert_int_equal(test_cpus[19].mode, APIC_MODE_X2APIC);
    assert_int_equal(msr(&test_cpus[19], 0x802), 19);
    assert_int_equal(msr(&test_cpus[19], 0x80d), 1u << 16 | 1u << 3);
    assert_int_equal(msr(&test_cpus[19], 0x808), 0x30);
    assert_int_equal(msr(&test_cpus[19], 0x80f), 0x1ff);
    assert_int_equal(msr(&test_cpus[19], 0x830), 0);
    /* The page is gone. */
    assert_int_equal(lapic_mmio_read(lapic, 0x20, 4) & 0xffffffff, 0xffffffff);
    lapic_mmio_write(lapic, 0x80, 4, 0);
    assert_int_equal(msr(&test_cpus[19], 0x808), 0x30);
    /* Off and on again: as after power-up. */
    assert_int_equal(lapic_base_write(lapic, LAPIC_DEFAULT_BASE), 0);
    assert_int_equal(lapic_base_write(lapic, BASE), 0);
    assert_int_equal(lapic_fixture_read(19, 0x80), 0);
    assert_int_equal(lapic_fixture_read(19, 0x20), 19u << 24);
    assert_int_equal(lapic_fixture_read(19, 0xf0), 0xff);
}

static void init_keeps_mode_and_id(void **state)
{
    (void)state;
    lapic_fixture_x2apic(2);
    assert_int_equal(lapic_msr_write(&test_cpus[2].lapic, 0x808, 0x20), 0);

    const struct interrupt_message message = {.vector = 0x44};

    const struct interrupt_message low = {.vector = 0x20};

    lapic_deliver(&test_cpus[2].lapic, &message);
    lapic_deliver(&test_cpus[2].lapic, &low);
    lapic_init_signal(&test_cpus[2].lapic);
    assert_int_equal(lapic_mode(&test_cpus[2].lapic), APIC_MODE_X2APIC);
    assert_int_equal(msr(&test_cpus[2], 0x802), 2);
    assert_int_equal(msr(&test_cpus[2], 0x80d), 4);
    assert_int_equal(msr(&test_cpus[2], 0x808), 0);
    assert_int_equal(msr(&test_cpus[2], 0x80f), 0xff);
    assert_false(lapic_fixture_requested(2, 0x44));
    assert_false(lapic_fixture_requested(2, 0x20));
    lapic_reset(&test_cpus[2].lapic);
    assert_int_equal(lapic_mode(&test_cpus[2].lapic), APIC_MODE_XAPIC);
    assert_int_equal(test_cpus[2].mode, APIC_MODE_XAPIC);
}

/* SDM table 11-6: R readable, W writable, by MSR. */
static const char *x2apic_rights(uint32_t index)
{
    if (index >= 0x810 && index <= 0x827) {
        return "R";
    }
    switch (index) {
    case 0x802:
    case 0x803:
    case 0x80a:
    case 0x80d:
    case 0x839:
        return "R";
    case 0x80b:
    case 0x83f:
        return "W";
    case 0x808:
    case 0x80f:
    case 0x828:
    case 0x830:
    case 0x832:
    case 0x833:
    case 0x834:
    case 0x835:
    case 0x836:
    case 0x837:
    case 0x838:
    case 0x83e:
        return "RW";
    default:
        return "";
    }
}

static void msr_rights(void **state)
{
    (void)state;
    for (uint32_t index = LAPIC_MSR_FIRST; index <= LAPIC_MSR_LAST; index++) {
        const char *rights = x2apic_rights(index);
        uint64_t value;

        lapic_fixture_setup(NULL);
        assert_int_equal(lapic_msr_read(first, index, &value), -EINVAL); /* xAPIC mode */
        assert_int_equal(lapic_msr_write(first, index, 0), -EINVAL);
        lapic_fixture_x2apic(0);
        assert_int_equal(lapic_msr_read(first, index, &value), strchr(rights, 'R') ? 0 : -EINVAL);
        assert_int_equal(lapic_msr_write(first, index, 0), strchr(rights, 'W') ? 0 : -EINVAL);
    }
}

static void msr_reserved_bits_fault(void **state)
{
    static const struct {
        uint32_t index;
        uint64_t writable;
    } registers[] = {
        {0x808, 0xff},       {0x80b, 0},
        {0x80f, 0x13ff},     {0x828, 0},
        {0x832, 0x750ff},    {0x833, 0x157ff},
        {0x834, 0x157ff},    {0x835, 0x1f7ff},
        {0x836, 0x1f7ff},    {0x837, 0x150ff},
        {0x838, 0xffffffff}, {0x83e, 0xb},
        {0x83f, 0xff},       {0x830, 0xffffffff000cdfff},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        for (unsigned bit = 0; bit < 64; bit++) {
            lapic_fixture_setup(NULL);
            lapic_fixture_x2apic(0);
            assert_int_equal(lapic_msr_write(first, registers[i].index, 1ull << bit),
                             registers[i].writable >> bit & 1 ? 0 : -EINVAL);
        }
    }
}

static void icr_is_one_register_in_x2apic_mode(void **state)
{
    (void)state;
    lapic_fixture_x2apic(0);
    assert_int_equal(lapic_msr_write(first, 0x830, 0x123456780000d0f1), 0);
    assert_int_equal(msr(&test_cpus[0], 0x830), 0x123456780000c0f1); /* status reads as idle */
}

static void self_ipi(void **state)
{
    (void)state;
    lapic_fixture_x2apic(3);
    assert_int_equal(lapic_msr_write(&test_cpus[3].lapic, 0x83f, 0x91), 0);
    assert_true(lapic_fixture_requested(3, 0x91));
    assert_int_equal(lapic_msr_write(&test_cpus[3].lapic, 0x83f, 7), 0);
    assert_int_equal(lapic_msr_write(&test_cpus[3].lapic, 0x828, 0), 0);
    assert_int_equal(msr(&test_cpus[3], 0x828), 1u << 5);
}

static void cr8_limits(void **state)
{
    (void)state;
    assert_int_equal(lapic_cr8_write(first, 15), 0);
    assert_int_equal(lapic_fixture_read(0, 0x80), 0xf0);
    assert_int_equal(lapic_cr8_write(first, 16), -EINVAL);
    assert_int_equal(lapic_cr8_write(first, 1ull << 63), -EINVAL);
    assert_int_equal(lapic_cr8_read(first), 15);
    lapic_fixture_write(0, 0x80, 0x57);
    assert_int_equal(lapic_cr8_read(first), 5);
}

/* The CPU stores the value in the page, then exits. */
static void hardware_write(struct test_cpu *cpu, uint16_t offset, uint32_t value)
{
    memcpy(cpu->page + offset, &value, sizeof(value));
    lapic_after_hardware_write(&cpu->lapic, offset);
}

static void hardware_writes_do_what_emulated_ones_do(void **state)
{
    static const uint16_t offsets[] = {0x20,  0x80,  0xb0,  0xd0,  0xe0,  0xf0,
                                       0x280, 0x310, 0x320, 0x330, 0x340, 0x350,
                                       0x360, 0x370, 0x3e0, 0x380, 0x300};
    uint64_t seed = 4711;

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        uint16_t offset = offsets[test_random(&seed) % (sizeof(offsets) / sizeof(offsets[0]))];
        uint32_t value = (uint32_t)test_random(&seed);

        if (offset == 0x300) {
            value = (value & 0xff) | 1u << 18; /* to itself: the two must stay comparable */
        }
        hardware_write(&test_cpus[0], offset, value);
        lapic_fixture_write(1, offset, value);
        lapic_fixture_requested(0, 0);
        lapic_fixture_requested(1, 0);
        for (unsigned i = 0x30; i < 0x400; i += 16) {
            if (i != 0x40) {
                assert_int_equal(lapic_fixture_read(0, i), lapic_fixture_read(1, i));
            }
        }
    }
    assert_int_equal(lapic_fixture_read(0, 0x20), 0);
}

static void hardware_self_ipi_in_x2apic_mode(void **state)
{
    (void)state;
    lapic_fixture_x2apic(3);
    hardware_write(&test_cpus[3], 0x3f0, 0x66);
    assert_true(lapic_fixture_requested(3, 0x66));
    hardware_write(&test_cpus[3], 0x80, 0x77);
    assert_false(lapic_fixture_requested(3, 0x77));
    assert_int_equal(msr(&test_cpus[3], 0x808), 0x77);
    lapic_fixture_enable(4);
    hardware_write(&test_cpus[4], 0x3f0, 0x66); /* no such register in xAPIC mode */
    assert_false(lapic_fixture_requested(4, 0x66));
    hardware_write(&test_cpus[4], 0x20, 0x99000000);
    assert_int_equal(lapic_fixture_read(4, 0x20), 4u << 24);
}

static void msrs_outside_the_x2apic_range(void **state)
{
    static const uint32_t own[] = {0x1b, 0x6e0, 0x800, 0x80b, 0x8ff};
    static const uint32_t others[] = {0x1a, 0x1c, 0x6df, 0x6e1, 0x7ff, 0x900, 0};

    (void)state;
    for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        assert_true(lapic_has_msr(own[i]));
    }
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(lapic_has_msr(others[i]));
    }
    /* In every mode. */
    assert_int_equal(msr(&test_cpus[1], 0x1b), BASE);
    assert_int_equal(lapic_msr_write(second, 0x1b, BASE | MSR_APIC_BASE_EXTD), 0);
    assert_int_equal(msr(&test_cpus[1], 0x1b), BASE | MSR_APIC_BASE_EXTD);
    assert_int_equal(lapic_msr_write(second, 0x1b, BASE), -EINVAL);
    assert_int_equal(lapic_msr_write(second, 0x80f, 0x1ff), 0);
    assert_int_equal(lapic_msr_write(second, 0x832, 2u << 17 | 0x40), 0);
    assert_int_equal(lapic_msr_write(second, 0x6e0, 1ull << 60), 0);
    assert_int_equal(msr(&test_cpus[1], 0x6e0), 1ull << 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_state, lapic_fixture_setup),
        cmocka_unit_test_setup(writable_bits_in_memory, lapic_fixture_setup),
        cmocka_unit_test_setup(odd_sizes_and_places, lapic_fixture_setup),
        cmocka_unit_test_setup(base_transitions, lapic_fixture_setup),
        cmocka_unit_test_setup(base_reserved_bits_fault, lapic_fixture_setup),
        cmocka_unit_test_setup(moving_the_base_is_told, lapic_fixture_setup),
        cmocka_unit_test_setup(x2apic_keeps_state_and_derives_its_ids, lapic_fixture_setup),
        cmocka_unit_test_setup(init_keeps_mode_and_id, lapic_fixture_setup),
        cmocka_unit_test_setup(msr_rights, lapic_fixture_setup),
        cmocka_unit_test_setup(msr_reserved_bits_fault, lapic_fixture_setup),
        cmocka_unit_test_setup(icr_is_one_register_in_x2apic_mode, lapic_fixture_setup),
        cmocka_unit_test_setup(self_ipi, lapic_fixture_setup),
        cmocka_unit_test_setup(cr8_limits, lapic_fixture_setup),
        cmocka_unit_test_setup(hardware_writes_do_what_emulated_ones_do, lapic_fixture_setup),
        cmocka_unit_test_setup(hardware_self_ipi_in_x2apic_mode, lapic_fixture_setup),
        cmocka_unit_test_setup(msrs_outside_the_x2apic_range, lapic_fixture_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
