/*
 * INIT and start-up IPIs (SDM vol. 3, 9.4, 11.4.7.3, 11.6.1).
 */
#include "tests/guests/runtime/smp.h"

#define CR0_AFTER_INIT 0x10u /* ET; CD and NW are as they were */
#define CR0_CACHE_BITS 0x60000000u
#define ERROR_VECTOR   0x45u
#define IGNORED_VECTOR 0x46u
#define SVR_AFTER_INIT 0xffu
#define INIT_DEASSERT  (ICR_INIT | ICR_LEVEL | ICR_OTHERS)
#define RESTARTS       50u

void prepare(void)
{
    smp_init();
}

static void count_for_ever(void *unused)
{
    (void)unused;
    for (;;) {
        this_cpu()->value++;
        cpu_pause();
    }
}

static bool counts(unsigned index)
{
    uint64_t before = cpus[index].value;

    WAIT_FOR(cpus[index].value != before, 200);
    return cpus[index].value != before;
}

/* Has a CPU count, and waits until it does. */
static void occupy(unsigned index)
{
    run_on(index, count_for_ever, NULL);
    CHECK(counts(index));
}

/* No start-up IPI is on its way to it and none will be seen: it has started that often. */
static void stays_at(unsigned index, unsigned starts)
{
    uint64_t before;

    WAIT_FOR(false, 5);
    before = cpus[index].value;
    WAIT_FOR(false, 50);
    CHECK_EQUAL(cpus[index].value, before);
    CHECK_EQUAL(cpus[index].start.count, starts);
}

static void check_start(unsigned index, unsigned page)
{
    const struct start *start = &cpus[index].start;

    CHECK_EQUAL(start->page, page);
    CHECK_EQUAL(start->cr0 & ~(uint64_t)CR0_CACHE_BITS, CR0_AFTER_INIT);
    if (under_innkeeper()) { /* Bochs itself starts with 0 */
        CHECK_EQUAL(start->edx, cpuid(1, 0).eax);
    }
    CHECK_EQUAL(start->rflags, RFLAGS_FIXED1);
}

TEST(all_have_started_once)
{
    prepare_smp(false);
    SKIP_UNLESS(cpu_count > 1, "one CPU");
    for (unsigned i = 1; i < cpu_count; i++) {
        CHECK_EQUAL(cpus[i].start.count, 1);
        check_start(i, START_PAGE);
    }
}

static void note_identity(void *unused)
{
    uint32_t id = lapic_read(LAPIC_ID);

    (void)unused;
    this_cpu()->value = (uint64_t)(lapic_x2apic ? id : id >> 24) |
                        (uint64_t)(cpuid(1, 0).ebx >> 24) << 8 |
                        (uint64_t)(cpuid(0xb, 0).edx & 0xff) << 16 |
                        (uint64_t)((rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP) != 0) << 24;
}

SMP_TEST_IN_BOTH_MODES(each_has_its_identity)
{
    run_on_others(note_identity, NULL);
    note_identity(NULL);
    wait_for_others();
    for (uint64_t i = 0; i < cpu_count; i++) {
        CHECK_EQUAL(cpus[i].value, i | i << 8 | i << 16 | (uint64_t)(i == 0) << 24);
    }
}

SMP_TEST_IN_BOTH_MODES(a_running_cpu_ignores_startup)
{
    for (unsigned i = 1; i < cpu_count; i++) {
        unsigned starts = cpus[i].start.count;

        occupy(i);
        send_ipi(i, ICR_STARTUP | ICR_ASSERT | OTHER_START_PAGE);
        WAIT_FOR(false, 5);
        CHECK(counts(i));
        CHECK_EQUAL(cpus[i].start.count, starts);
        CHECK(cpu_start(i, START_PAGE)); /* the way out of counting for ever */
    }
}

/* Nothing else ends the wait for a start-up IPI, and what came meanwhile is not remembered. */
SMP_TEST_IN_BOTH_MODES(init_stops_until_startup)
{
    set_handler(IGNORED_VECTOR, count_here);
    set_handler(EXCEPTION_NMI, count_here);
    for (unsigned i = 1; i < cpu_count; i++) {
        unsigned starts = cpus[i].start.count;

        occupy(i);
        send_ipi(i, ICR_INIT | ICR_ASSERT);
        stays_at(i, starts);
        send_ipi(i, ICR_FIXED | ICR_ASSERT | IGNORED_VECTOR);
        stays_at(i, starts);
        send_ipi(i, ICR_STARTUP | ICR_ASSERT | OTHER_START_PAGE);
        CHECK(cpu_started(i, starts + 1));
        check_start(i, OTHER_START_PAGE);
        if (under_innkeeper()) { /* a local APIC of Bochs takes them while it is disabled */
            CHECK_EQUAL(cpus[i].counts[IGNORED_VECTOR], 0);
        }
        CHECK_EQUAL(cpus[i].counts[EXCEPTION_NMI], 0);
        /* The second one finds it running. */
        send_ipi(i, ICR_STARTUP | ICR_ASSERT | START_PAGE);
        WAIT_FOR(false, 5);
        CHECK_EQUAL(cpus[i].start.count, starts + 1);
    }
}

SMP_TEST_IN_BOTH_MODES(a_halted_cpu_takes_init)
{
    for (unsigned i = 1; i < cpu_count; i++) {
        WAIT_FOR(cpus[i].sleeping, 100);
        CHECK(cpus[i].sleeping);
        WAIT_FOR(false, 2);
        CHECK(cpu_start(i, OTHER_START_PAGE));
        check_start(i, OTHER_START_PAGE);
    }
}

static void halt_for_good(void *unused)
{
    (void)unused;
    interrupts_off();
    this_cpu()->value = 1;
    for (;;) {
        __asm__ volatile("hlt");
    }
}

SMP_TEST_IN_BOTH_MODES(a_cpu_halted_for_good_takes_init)
{
    for (unsigned i = 1; i < cpu_count; i++) {
        run_on(i, halt_for_good, NULL);
        WAIT_FOR(cpus[i].value == 1, 200);
        WAIT_FOR(false, 5);
        CHECK(cpu_start(i, START_PAGE));
    }
}

/* The start-up IPI comes first, to a CPU that does not wait for it. */
SMP_TEST_IN_BOTH_MODES(startup_before_init_is_lost)
{
    for (unsigned i = 1; i < cpu_count; i++) {
        unsigned starts = cpus[i].start.count;

        occupy(i);
        send_ipi(i, ICR_STARTUP | ICR_ASSERT | OTHER_START_PAGE);
        send_ipi(i, ICR_INIT | ICR_ASSERT);
        stays_at(i, starts);
        send_ipi(i, ICR_STARTUP | ICR_ASSERT | START_PAGE);
        CHECK(cpu_started(i, starts + 1));
        check_start(i, START_PAGE);
    }
}

SMP_TEST_IN_BOTH_MODES(all_others_at_once)
{
    unsigned starts[CPUS_MAX];

    for (unsigned i = 1; i < cpu_count; i++) {
        starts[i] = cpus[i].start.count;
        occupy(i);
    }
    send_ipi(ICR_NOBODY, ICR_INIT | ICR_ASSERT | ICR_OTHERS);
    for (unsigned i = 1; i < cpu_count; i++) {
        stays_at(i, starts[i]);
    }
    send_ipi(ICR_NOBODY, ICR_STARTUP | ICR_ASSERT | ICR_OTHERS | OTHER_START_PAGE);
    for (unsigned i = 1; i < cpu_count; i++) {
        CHECK(cpu_started(i, starts[i] + 1));
        check_start(i, OTHER_START_PAGE);
    }
}

/* The level de-assertion of INIT, which only old parts knew. */
TEST(init_deassert_does_nothing)
{
    prepare_smp(false);
    for (unsigned i = 1; i < cpu_count; i++) {
        occupy(i);
    }
    send_ipi(ICR_NOBODY, INIT_DEASSERT);
    WAIT_FOR(false, 5);
    for (unsigned i = 1; i < cpu_count; i++) {
        unsigned starts = cpus[i].start.count;

        CHECK(counts(i));
        CHECK(cpu_start(i, START_PAGE));
        CHECK_EQUAL(cpus[i].start.count, starts + 1);
    }
}

static uint64_t tsc_of_last_start;

static void use_everything(void *unused)
{
    (void)unused;
    interrupts_off();
    lapic_write(LAPIC_TPR, 0x20);
    lapic_write(LAPIC_LVT_ERROR, ERROR_VECTOR);
    send_ipi(this_cpu()->index, ICR_FIXED | ICR_ASSERT | IGNORED_VECTOR);
    tsc_of_last_start = rdtsc();
    this_cpu()->value = 1;
    for (;;) {
        cpu_pause();
    }
}

static void look_at_everything(void *unused)
{
    (void)unused;
    this_cpu()->value = (uint64_t)(lapic_read(LAPIC_TPR) != 0) |
                        (uint64_t)(lapic_read(LAPIC_LVT_LINT0) != LVT_MASKED) << 1 |
                        (uint64_t)(rdtsc() <= tsc_of_last_start) << 2 |
                        (uint64_t)(read_cr2() != 0) << 3;
}

/* The local APIC but for its mode, and the CPU but for its TSC. */
SMP_TEST_IN_BOTH_MODES(init_resets)
{
    set_handler(IGNORED_VECTOR, count_here);
    for (unsigned i = 1; i < cpu_count; i++) {
        run_on(i, use_everything, NULL);
        WAIT_FOR(cpus[i].value == 1, 200);
        CHECK_EQUAL(cpus[i].value, 1);
        CHECK(cpu_start(i, START_PAGE)); /* it would fault, were it in the other mode now */
        run_on(i, look_at_everything, NULL);
        wait_for_cpu(i);
        CHECK_EQUAL(cpus[i].value, 0);
        CHECK_EQUAL(cpus[i].counts[IGNORED_VECTOR], 0);
    }
}

/* Over and over, with interrupts under way to it. */
SMP_TEST_IN_BOTH_MODES(restarts)
{
    set_handler(IGNORED_VECTOR, count_here);
    for (unsigned round = 0; cpu_count > 1 && round < RESTARTS; round++) {
        unsigned i = 1 + round % (cpu_count - 1);
        unsigned starts = cpus[i].start.count;

        if (round % 3 != 0) {
            occupy(i);
        }
        send_ipi(i, ICR_FIXED | ICR_ASSERT | IGNORED_VECTOR);
        send_ipi(i, ICR_INIT | ICR_ASSERT);
        send_ipi(i, ICR_FIXED | ICR_ASSERT | IGNORED_VECTOR);
        send_ipi(i, ICR_STARTUP | ICR_ASSERT | START_PAGE);
        CHECK(cpu_started(i, starts + 1));
        send_ipi(i, ICR_STARTUP | ICR_ASSERT | START_PAGE);
        run_on(i, note_identity, NULL);
        wait_for_cpu(i);
        CHECK_EQUAL(cpus[i].value & 0xff, i);
    }
}
