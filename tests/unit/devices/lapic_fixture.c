#include "tests/unit/devices/lapic_fixture.h"

#include <string.h>

struct test_cpu test_cpus[TEST_CPUS];
struct apic_bus test_bus;
struct test_clock test_time;
uint64_t test_tsc_jump;

static void on_changed(void *context)
{
    ((struct test_cpu *)context)->changed++;
}

static void on_requested(void *context)
{
    ((struct test_cpu *)context)->requested++;
}

static void on_timer_armed(void *context)
{
    ((struct test_cpu *)context)->timers_armed++;
}

static void on_nmi(void *context)
{
    ((struct test_cpu *)context)->nmis++;
}

static void on_init(void *context)
{
    ((struct test_cpu *)context)->inits++;
}

static void on_startup(void *context, uint8_t vector)
{
    struct test_cpu *cpu = context;

    cpu->startups++;
    cpu->startup_vector = vector;
}

static void on_send(void *context, const struct interrupt_message *message)
{
    apic_bus_send(&test_bus, &((struct test_cpu *)context)->lapic, message);
}

static void on_eoi(void *context, uint8_t vector)
{
    struct test_cpu *cpu = context;

    cpu->eois++;
    cpu->eoi_vector = vector;
}

static void on_mode_changed(void *context, enum virt_apic_mode mode, uint64_t base)
{
    struct test_cpu *cpu = context;

    cpu->modes++;
    cpu->mode = mode;
    cpu->base = base;
}

static uint64_t deadline_from_tsc(void *context, uint64_t tsc)
{
    uint64_t now = TEST_TSC_START + test_time.now * TEST_TSC_PER_NS + test_tsc_jump;

    (void)context;
    return tsc > now
               ? (tsc - TEST_TSC_START - test_tsc_jump + TEST_TSC_PER_NS - 1) / TEST_TSC_PER_NS
               : 0;
}

static const struct lapic_ops ops = {
    .changed = on_changed,
    .requested = on_requested,
    .timer_armed = on_timer_armed,
    .nmi = on_nmi,
    .init = on_init,
    .startup = on_startup,
    .send = on_send,
    .eoi = on_eoi,
    .mode_changed = on_mode_changed,
    .deadline_from_tsc = deadline_from_tsc,
};

int lapic_fixture_setup(void **state)
{
    (void)state;
    memset(test_cpus, 0, sizeof(test_cpus));
    memset(&test_bus, 0, sizeof(test_bus));
    test_clock_init(&test_time);
    test_tsc_jump = 0;
    for (unsigned i = 0; i < TEST_CPUS; i++) {
        lapic_init(&test_cpus[i].lapic, test_cpus[i].page, i, i == 0, 39, false, &test_time.timers,
                   &ops, &test_cpus[i]);
        assert_int_equal(apic_bus_add(&test_bus, &test_cpus[i].lapic), 0);
    }
    return 0;
}

void lapic_fixture_enable(unsigned i)
{
    lapic_fixture_write(i, 0xf0, 0x1ff);
}

void lapic_fixture_x2apic(unsigned i)
{
    struct lapic *lapic = &test_cpus[i].lapic;

    assert_int_equal(lapic_base_write(lapic, lapic_base_read(lapic) | MSR_APIC_BASE_EXTD), 0);
    assert_int_equal(lapic_msr_write(lapic, 0x80f, 0x1ff), 0);
}

uint32_t lapic_fixture_read(unsigned i, unsigned offset)
{
    return (uint32_t)lapic_mmio_read(&test_cpus[i].lapic, offset, 4);
}

void lapic_fixture_write(unsigned i, unsigned offset, uint32_t value)
{
    lapic_mmio_write(&test_cpus[i].lapic, offset, 4, value);
}

bool lapic_fixture_requested(unsigned i, uint8_t vector)
{
    struct virt_pending_interrupts pending;
    uint32_t word;

    lapic_pending(&test_cpus[i].lapic, &pending);
    memcpy(&word, test_cpus[i].page + 0x200 + vector / 32 * 16, sizeof(word));
    return word >> (vector % 32) & 1;
}

int lapic_fixture_take(unsigned i)
{
    struct virt_pending_interrupts pending;

    lapic_pending(&test_cpus[i].lapic, &pending);

    int served = pending.apic_isr < 0 ? 0 : pending.apic_isr >> 4;
    int priority = pending.tpr >> 4 > served ? pending.tpr >> 4 : served;

    if (pending.apic_irr < 0 || pending.apic_irr >> 4 <= priority) {
        return -1;
    }
    lapic_accept(&test_cpus[i].lapic, (uint8_t)pending.apic_irr);
    return pending.apic_irr;
}
