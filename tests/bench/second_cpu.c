/*
 * What passes between two CPUs of one machine. With `shared` on the command line they are a virtual
 * machine's and share one CPU of the host, so neither waits by spinning.
 *
 * Whoever spins does so with interrupts on: Bochs 2.7 does not leave a guest for an interrupt that
 * was entered with them off, and KVM has no other way to get its CPU back.
 */
#include "tests/bench/bench.h"
#include "tests/guests/runtime/smp.h"

#define PING_VECTOR 0x42
#define SECOND_CPU  1u
#define SHARED      "shared"

/* For a virtual machine's CPU to have lost the host's to the other one and to have it back. */
#define BACK_AGAIN UINT64_C(20000)

enum role { ROLE_SPIN, ROLE_HALT, ROLE_WATCH };

static volatile enum role role;
static volatile uint64_t pinged_at;
/* When the first CPU gave the host's CPU up, and how long after that the second one had it. */
static volatile uint64_t given_up_at;
static volatile uint64_t taken_after;

/* Answers at once. */
__attribute__((interrupt)) static void handle_ping(void *frame)
{
    pinged_at = rdtsc();
    (void)frame;
    wrmsr(MSR_X2APIC_EOI, 0);
    send_ipi(0, ICR_ASSERT | VECTOR);
}

static void spin(enum role as)
{
    interrupts_on();
    while (role == as) {
    }
    interrupts_off();
}

static void watch(void)
{
    uint64_t last = given_up_at;

    interrupts_on();
    while (role == ROLE_WATCH) {
        uint64_t at = given_up_at;

        if (at != last) {
            taken_after = rdtsc() - at;
            last = at;
        }
    }
    interrupts_off();
}

static void serve(void *unused)
{
    (void)unused;
    interrupts_off();
    for (;;) {
        switch (role) {
        case ROLE_SPIN:
            spin(ROLE_SPIN);
            break;
        case ROLE_HALT:
            halt_until_interrupt();
            break;
        case ROLE_WATCH:
            watch();
            break;
        }
    }
}

static void start_second(void)
{
    interrupts_on();
    smp_init();
    interrupts_off();
    install_gate(PING_VECTOR, (uint64_t)(uintptr_t)handle_ping);
    use_timing_handler();
    role = ROLE_HALT;
    run_on(SECOND_CPU, serve, NULL);
    WAIT_WITH_INTERRUPTS(false, 1);
}

static void ping(void)
{
    send_ipi(SECOND_CPU, ICR_ASSERT | PING_VECTOR);
}

static void set_role(enum role next)
{
    unsigned seen = interrupts;

    role = next;
    ping(); /* in case it halts */
    await_halted(seen);
    WAIT_WITH_INTERRUPTS(false, 1);
}

/* From here to the second CPU's handler, and until this CPU's handler ran. */
static void measure_ipi(const char *one_way, const char *round_trip, void (*await)(unsigned seen))
{
    struct ticks there = NO_TICKS;
    struct ticks back = NO_TICKS;

    for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
        unsigned seen = interrupts;
        uint64_t start = rdtsc();

        ping();
        await(seen);
        if (i >= WARM_UP) {
            add_round(&there, pinged_at - start);
            add_round(&back, interrupted_at - start);
        }
    }
    report_plain(one_way, &there);
    report_plain(round_trip, &back);
}

/* The host's CPU goes from one that halts to one that was interrupted: no event is delivered. */
static void measure_switch(void)
{
    struct ticks ticks = NO_TICKS;

    set_role(ROLE_WATCH);
    lapic_write(LAPIC_LVT_TIMER, LVT_TIMER_DEADLINE | VECTOR);
    for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
        unsigned seen = interrupts;

        taken_after = 0;
        wrmsr(MSR_TSC_DEADLINE, rdtsc() + BACK_AGAIN);
        given_up_at = rdtsc();
        await_halted(seen);
        WAIT_WITH_INTERRUPTS(taken_after != 0, 1000);
        if (i >= WARM_UP) {
            add_round(&ticks, taken_after);
        }
    }
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    report_plain("hlt_switch", &ticks);
    role = ROLE_HALT;
}

TEST(second_cpu)
{
    SKIP_UNLESS(has_second_cpu(), "not asked for by cpus=2");
    start_second();
    if (command_line_has(SHARED)) {
        measure_ipi("ipi_wake_same_cpu", "ipi_roundtrip_1cpu", await_halted);
        measure_switch();
    } else {
        measure_ipi("ipi_wake_other_cpu", "ipi_roundtrip_hlt", await_halted);
        set_role(ROLE_SPIN);
        measure_ipi("ipi_other_cpu", "ipi_roundtrip", await_running);
    }
}
