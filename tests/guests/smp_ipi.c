/*
 * Interprocessor interrupts: who gets them (SDM vol. 3, 11.6, 11.12.9, 11.12.10), and when.
 */
#include "tests/guests/runtime/smp.h"

#define VECTOR       0x51u
#define LOW_VECTOR   0x41u
#define HIGH_VECTOR  0x61u
#define ERROR_VECTOR 0x45u

#define DFR_FLAT    0xffffffffu
#define DFR_CLUSTER 0x0fffffffu

#define ESR_SEND_ILLEGAL_VECTOR (1u << 5)

#define NOBODY_HAS_IT 14u /* an APIC id */
#define NOBODY        0u
#define EVERYBODY     ((1u << cpu_count) - 1)
#define OTHERS        (EVERYBODY & ~1u)

static uint32_t broadcast(void)
{
    return lapic_x2apic ? 0xffffffff : 0xff;
}

static unsigned total(unsigned vector)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < cpu_count; i++) {
        sum += cpus[i].counts[vector];
    }
    return sum;
}

static bool all_have(unsigned vector, unsigned mask)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        if ((mask & 1u << i) != 0 && cpus[i].counts[vector] == 0) {
            return false;
        }
    }
    return true;
}

/* Each CPU of the mask gets it once, and nobody else does. The counts are zero afterwards. */
static bool arrives(unsigned vector, unsigned mask)
{
    bool right = true;

    interrupts_on();
    WAIT_FOR(all_have(vector, mask), 500);
    WAIT_FOR(false, 1);
    interrupts_off();
    for (unsigned i = 0; i < cpu_count; i++) {
        right &= cpus[i].counts[vector] == (mask >> i & 1);
        cpus[i].counts[vector] = 0;
    }
    return right;
}

static void send(uint32_t destination, uint32_t command)
{
    set_handler(VECTOR, count_here);
    send_ipi(destination, command | ICR_ASSERT | VECTOR);
}

SMP_TEST_IN_BOTH_MODES(physical)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        send(i, ICR_FIXED);
        CHECK(arrives(VECTOR, 1u << i));
    }
    send(NOBODY_HAS_IT, ICR_FIXED);
    CHECK(arrives(VECTOR, NOBODY));
    send(broadcast(), ICR_FIXED);
    CHECK(arrives(VECTOR, EVERYBODY));
}

SMP_TEST_IN_BOTH_MODES(shorthands)
{
    send(ICR_NOBODY, ICR_SELF);
    CHECK(arrives(VECTOR, 1));
    send(ICR_NOBODY, ICR_ALL);
    CHECK(arrives(VECTOR, EVERYBODY));
    send(1, ICR_OTHERS); /* whatever destination stands there */
    CHECK(arrives(VECTOR, OTHERS));
    send(1, ICR_SELF | ICR_LOGICAL);
    CHECK(arrives(VECTOR, 1));
}

static void send_to_boot_cpu_and_others(void *unused)
{
    (void)unused;
    send(0, ICR_FIXED);
    WAIT_FOR(cpus[0].counts[VECTOR] == 1, 500); /* or the two become one */
    send(ICR_NOBODY, ICR_OTHERS);
}

/* "Others" are others than the sender, not than the boot CPU. */
SMP_TEST_IN_BOTH_MODES(from_another_cpu)
{
    SKIP_UNLESS(cpu_count > 1, "one CPU");
    unsigned sender = cpu_count - 1;

    run_on(sender, send_to_boot_cpu_and_others, NULL);
    interrupts_on();
    WAIT_FOR(cpus[0].counts[VECTOR] == 2, 500);
    wait_for_cpu(sender);
    CHECK_EQUAL(cpus[0].counts[VECTOR], 2);
    cpus[0].counts[VECTOR] = 1;
    CHECK(arrives(VECTOR, EVERYBODY & ~(1u << sender)));
}

static void set_flat(void *unused)
{
    (void)unused;
    lapic_write(LAPIC_DFR, DFR_FLAT);
    lapic_write(LAPIC_LDR, 1u << (24 + this_cpu()->index % 8));
}

/* Two CPUs a cluster. */
static void set_cluster(void *unused)
{
    unsigned index = this_cpu()->index;

    (void)unused;
    lapic_write(LAPIC_DFR, DFR_CLUSTER);
    lapic_write(LAPIC_LDR, (index / 2) << 28 | 1u << (24 + index % 2));
}

static void on_all(void (*job)(void *argument))
{
    run_on_others(job, NULL);
    job(NULL);
    wait_for_others();
}

TEST(logical_flat)
{
    prepare_smp(false);
    on_all(set_flat);
    for (unsigned mask = 0; mask <= EVERYBODY; mask++) {
        send(mask, ICR_LOGICAL);
        CHECK(arrives(VECTOR, mask));
    }
    send(broadcast(), ICR_LOGICAL);
    CHECK(arrives(VECTOR, EVERYBODY));
    send(broadcast() & ~1u, ICR_LOGICAL);
    CHECK(arrives(VECTOR, OTHERS));
}

TEST(logical_cluster)
{
    prepare_smp(false);
    on_all(set_cluster);
    for (unsigned cluster = 0; cluster < 4; cluster++) {
        for (unsigned members = 0; members < 16; members++) {
            send(cluster << 4 | members, ICR_LOGICAL);
            CHECK(arrives(VECTOR, (members & 3) << (2 * cluster) & EVERYBODY));
        }
    }
    send(broadcast(), ICR_LOGICAL);
    CHECK(arrives(VECTOR, EVERYBODY));
}

LATE_TEST(logical_x2apic)
{
    prepare_smp(true);
    for (unsigned mask = 0; mask <= EVERYBODY; mask++) {
        send(mask, ICR_LOGICAL);
        CHECK(arrives(VECTOR, mask));
    }
    send(1u << 16 | 0xffff, ICR_LOGICAL); /* another cluster's */
    CHECK(arrives(VECTOR, NOBODY));
    send(broadcast(), ICR_LOGICAL);
    CHECK(arrives(VECTOR, EVERYBODY));
}

static void be_important(void *important)
{
    write_cr8(important != NULL ? 4 : 0);
}

/* One of those who are meant takes it: the one with the lowest priority. */
SMP_TEST_IN_BOTH_MODES(lowest_priority)
{
    static char yes;

    if (!lapic_x2apic) {
        on_all(set_flat);
    }
    for (unsigned round = 1; round <= 20; round++) {
        send(EVERYBODY, ICR_LOWEST | ICR_LOGICAL);
        interrupts_on();
        WAIT_FOR(total(VECTOR) == round, 500);
        CHECK_EQUAL(total(VECTOR), round);
    }
    clear_counts();
    for (unsigned chosen = 0; chosen < cpu_count; chosen++) {
        for (unsigned i = 1; i < cpu_count; i++) {
            run_on(i, be_important, i != chosen ? &yes : NULL);
        }
        be_important(chosen != 0 ? &yes : NULL);
        wait_for_others();
        for (unsigned round = 0; round < 3; round++) {
            send(EVERYBODY, ICR_LOWEST | ICR_LOGICAL);
            CHECK(arrives(VECTOR, 1u << chosen));
        }
    }
    run_on_others(be_important, NULL);
    be_important(NULL);
    wait_for_others();
}

static void halt_with_interrupts_off(void *unused)
{
    struct cpu *cpu = this_cpu();

    (void)unused;
    interrupts_off();
    cpu->value = 1;
    while (cpu->counts[EXCEPTION_NMI] == 0) {
        __asm__ volatile("hlt");
    }
    cpu->value = 2;
}

SMP_TEST_IN_BOTH_MODES(nmi)
{
    set_handler(EXCEPTION_NMI, count_here);
    for (unsigned i = 0; i < cpu_count; i++) {
        send_ipi(i, ICR_NMI | ICR_ASSERT);
        CHECK(arrives(EXCEPTION_NMI, 1u << i));
    }
    send_ipi(ICR_NOBODY, ICR_NMI | ICR_ASSERT | ICR_OTHERS);
    CHECK(arrives(EXCEPTION_NMI, OTHERS));
    /* It wakes who takes no interrupts. */
    for (unsigned i = 1; i < cpu_count; i++) {
        run_on(i, halt_with_interrupts_off, NULL);
        WAIT_FOR(cpus[i].value == 1, 500);
        send(i, ICR_FIXED);
        WAIT_FOR(false, 2);
        CHECK_EQUAL(cpus[i].value, 1);
        send_ipi(i, ICR_NMI | ICR_ASSERT);
        wait_for_cpu(i);
        CHECK_EQUAL(cpus[i].value, 2);
        cpus[i].counts[EXCEPTION_NMI] = 0;
        CHECK(arrives(VECTOR, 1u << i));
    }
    set_handler(EXCEPTION_NMI, NULL);
}

static volatile unsigned order[4];
static volatile unsigned order_count;

static void note_order(struct trap_frame *frame)
{
    order[order_count++ & 3] = (unsigned)frame->vector;
    count_here(frame);
}

/* Interrupts off until it is told. */
static void wait_deaf(void *unused)
{
    struct cpu *cpu = this_cpu();

    (void)unused;
    interrupts_off();
    cpu->value = 1;
    while (cpu->value != 2) {
        cpu_pause();
    }
    interrupts_on();
}

/* What waits comes by priority, and no more often than once. */
SMP_TEST_IN_BOTH_MODES(pending_meanwhile)
{
    set_handler(LOW_VECTOR, note_order);
    set_handler(VECTOR, note_order);
    set_handler(HIGH_VECTOR, note_order);
    for (unsigned i = 1; i < cpu_count; i++) {
        order_count = 0;
        run_on(i, wait_deaf, NULL);
        WAIT_FOR(cpus[i].value == 1, 500);
        send_ipi(i, ICR_FIXED | ICR_ASSERT | VECTOR);
        send_ipi(i, ICR_FIXED | ICR_ASSERT | LOW_VECTOR);
        send_ipi(i, ICR_FIXED | ICR_ASSERT | HIGH_VECTOR);
        send_ipi(i, ICR_FIXED | ICR_ASSERT | LOW_VECTOR);
        WAIT_FOR(false, 2);
        CHECK_EQUAL(order_count, 0);
        cpus[i].value = 2;
        wait_for_cpu(i);
        WAIT_FOR(order_count == 3, 500);
        WAIT_FOR(false, 1);
        CHECK_EQUAL(order_count, 3);
        CHECK_EQUAL(order[0], HIGH_VECTOR);
        CHECK_EQUAL(order[1], VECTOR);
        CHECK_EQUAL(order[2], LOW_VECTOR);
    }
    set_handler(VECTOR, count_here);
}

/* Interrupts on, but its priority is above what comes until it is told. */
static void wait_important(void *unused)
{
    struct cpu *cpu = this_cpu();

    (void)unused;
    write_cr8(VECTOR >> 4);
    cpu->value = 1;
    while (cpu->value != 2) {
        cpu_pause();
    }
    write_cr8(0);
}

SMP_TEST_IN_BOTH_MODES(held_back_by_priority)
{
    set_handler(HIGH_VECTOR, count_here);
    for (unsigned i = 1; i < cpu_count; i++) {
        run_on(i, wait_important, NULL);
        WAIT_FOR(cpus[i].value == 1, 500);
        send(i, ICR_FIXED);
        CHECK(arrives(VECTOR, NOBODY));
        send_ipi(i, ICR_FIXED | ICR_ASSERT | HIGH_VECTOR);
        CHECK(arrives(HIGH_VECTOR, 1u << i));
        cpus[i].value = 2;
        CHECK(arrives(VECTOR, 1u << i));
        wait_for_cpu(i);
    }
}

static void disable(void *unused)
{
    struct cpu *cpu = this_cpu();

    (void)unused;
    interrupts_off();
    lapic_write(LAPIC_SVR, SPURIOUS_VECTOR);
    cpu->value = 1;
    while (cpu->value != 2) {
        cpu_pause();
    }
    lapic_init();
    interrupts_on();
}

/* Disabled by software a local APIC takes NMIs, and forgets all else. */
SMP_TEST_IN_BOTH_MODES(software_disabled)
{
    SKIP_UNLESS(under_innkeeper(), "Bochs' local APIC takes interrupts while it is disabled");
    set_handler(EXCEPTION_NMI, count_here);
    for (unsigned i = 1; i < cpu_count; i++) {
        run_on(i, disable, NULL);
        WAIT_FOR(cpus[i].value == 1, 500);
        send(i, ICR_FIXED);
        send(ICR_NOBODY, ICR_OTHERS);
        CHECK(arrives(VECTOR, OTHERS & ~(1u << i)));
        send_ipi(i, ICR_NMI | ICR_ASSERT);
        CHECK(arrives(EXCEPTION_NMI, 1u << i));
        cpus[i].value = 2;
        wait_for_cpu(i);
        CHECK(arrives(VECTOR, NOBODY));
        send(i, ICR_FIXED);
        CHECK(arrives(VECTOR, 1u << i));
    }
    set_handler(EXCEPTION_NMI, NULL);
}

SMP_TEST_IN_BOTH_MODES(command_register)
{
    uint32_t command = ICR_FIXED | ICR_ASSERT | VECTOR;

    send(cpu_count - 1, ICR_FIXED);
    CHECK(arrives(VECTOR, 1u << (cpu_count - 1)));
    if (lapic_x2apic) {
        SKIP_UNLESS(under_innkeeper(), "Bochs' x2APIC does not keep it");
        CHECK_EQUAL(rdmsr(MSR_X2APIC_BASE + LAPIC_ICR_LOW / 16),
                    (uint64_t)(cpu_count - 1) << 32 | command);
    } else {
        CHECK_EQUAL(lapic_read(LAPIC_ICR_LOW), command);
        CHECK_EQUAL(lapic_read(LAPIC_ICR_HIGH), (cpu_count - 1) << 24);
        /* The high half alone sends nothing. */
        lapic_write(LAPIC_ICR_HIGH, 0);
        CHECK(arrives(VECTOR, NOBODY));
    }
}

/* An illegal vector is the sender's error, and nobody else hears of it. */
SMP_TEST_IN_BOTH_MODES(illegal_vector)
{
    SKIP_UNLESS(under_innkeeper(), "Bochs looks at vectors only where they arrive");
    set_handler(ERROR_VECTOR, count_here);
    lapic_write(LAPIC_ESR, 0);
    lapic_write(LAPIC_LVT_ERROR, ERROR_VECTOR);
    send_ipi(ICR_NOBODY, ICR_FIXED | ICR_ASSERT | ICR_OTHERS | 5);
    CHECK(arrives(ERROR_VECTOR, 1));
    lapic_write(LAPIC_ESR, 0);
    CHECK((lapic_read(LAPIC_ESR) & ESR_SEND_ILLEGAL_VECTOR) != 0);
    lapic_write(LAPIC_ESR, 0);
    lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
}
