/* The local APIC in x2APIC mode, which stays from here on: its registers, interrupts, its timer. */
#include "guest/hypercall.h"
#include "tests/bench/bench.h"

#define FAR_AWAY (UINT64_MAX / 2)
/* Long enough for any hypervisor to be ready before the timer is due. */
#define TIMER_DELAY UINT64_C(20000)

TEST(x2apic)
{
    lapic_enable_x2apic();
    MEASURE("x2apic_id", rdmsr(MSR_X2APIC_BASE + LAPIC_ID / 16));
    MEASURE("x2apic_eoi", wrmsr(MSR_X2APIC_EOI, 0)); /* nothing in service */
    lapic_write(LAPIC_LVT_TIMER, LVT_TIMER_DEADLINE | LVT_MASKED);
    MEASURE("tsc_deadline", wrmsr(MSR_TSC_DEADLINE, FAR_AWAY));
    wrmsr(MSR_TSC_DEADLINE, 0);
}

/* From the request to the end of the handler, EOI and IRET included. */
TEST(self_interrupts)
{
    use_x2apic_handler();
    interrupts = 0;
    interrupts_on();
    MEASURE("self_ipi", wrmsr(MSR_X2APIC_SELF_IPI, VECTOR));
    MEASURE("self_ipi_icr",
            wrmsr(MSR_X2APIC_BASE + LAPIC_ICR_LOW / 16, ICR_SELF | ICR_ASSERT | VECTOR));
    interrupts_off();
    CHECK_EQUAL(interrupts, 2 * (WARM_UP + ROUNDS));

    interrupts = 0;
    MEASURE("irq_window", (wrmsr(MSR_X2APIC_SELF_IPI, VECTOR), interrupts_for_a_moment()));
    MEASURE("self_ipi_hlt", (wrmsr(MSR_X2APIC_SELF_IPI, VECTOR), halt_until_interrupt()));
    CHECK_EQUAL(interrupts, 2 * (WARM_UP + ROUNDS));
}

/* How long after the deadline the handler's first instruction runs. */
static void measure_timer(const char *name, void (*await)(unsigned seen))
{
    struct ticks late = NO_TICKS;

    for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
        uint64_t deadline = rdtsc() + TIMER_DELAY;

        wrmsr(MSR_TSC_DEADLINE, deadline);
        await(interrupts);
        CHECK(interrupted_at >= deadline);
        if (i >= WARM_UP) {
            add_round(&late, interrupted_at - deadline);
        }
    }
    report_plain(name, &late);
}

/* The same as hlt_wake, but from when the hypervisor found that the vCPU is to run: without the
 * host's interrupt. A VM with the test device can ask for that. */
static void measure_wake(void)
{
    struct ticks ticks = NO_TICKS;

    for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
        wrmsr(MSR_TSC_DEADLINE, rdtsc() + TIMER_DELAY);
        await_halted(interrupts);
        if (i >= WARM_UP) {
            uint64_t woken_at = vmcall(HYPERCALL_TEST + HYPERCALL_WOKEN_AT, 0, 0, 0);

            add_round(&ticks, interrupted_at - woken_at);
        }
    }
    report_plain("vcpu_wake", &ticks);
}

TEST(timer)
{
    use_timing_handler();
    lapic_write(LAPIC_LVT_TIMER, LVT_TIMER_DEADLINE | VECTOR);
    measure_timer("timer_latency", await_running);
    measure_timer("hlt_wake", await_halted);
    if (command_line_has("test-device")) {
        measure_wake();
    }
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
}
