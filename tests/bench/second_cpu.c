/*
 * What passes between two CPUs of one machine. With `shared` on the command line they are a virtual
 * machine's and share one CPU of the host, so neither waits by spinning.
 */
#include "tests/bench/bench.h"

#define PING_VECTOR 0x42
#define SECOND_ID   UINT64_C(1)
#define SHARED      "shared"

#define MSR_X2APIC_ICR (MSR_X2APIC_BASE + LAPIC_ICR_LOW / 16)
#define ICR_INIT       (5u << 8)
#define ICR_STARTUP    (6u << 8)
#define ICR_TO_SECOND  (SECOND_ID << 32 | ICR_ASSERT)

/* For a virtual machine's CPU to have lost the host's to the other one and to have it back. */
#define BACK_AGAIN UINT64_C(20000)

extern const uint8_t second_cpu_start[];
extern const uint8_t second_cpu_end[];
void second_cpu_main(void);

enum role { ROLE_SPIN, ROLE_HALT, ROLE_WATCH };

static volatile bool second_runs;
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
    wrmsr(MSR_X2APIC_ICR, ICR_ASSERT | VECTOR);
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

    while (role == ROLE_WATCH) {
        uint64_t at = given_up_at;

        if (at != last) {
            taken_after = rdtsc() - at;
            last = at;
        }
    }
}

void second_cpu_main(void)
{
    const struct table_pointer idt_pointer = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

    load_idt(&idt_pointer);
    lapic_enable_x2apic();
    second_runs = true;
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
    volatile uint8_t *to = (volatile uint8_t *)(uintptr_t)LOW_CODE;

    for (size_t i = 0; i < (size_t)(second_cpu_end - second_cpu_start); i++) {
        to[i] = second_cpu_start[i];
    }
    install_gate(PING_VECTOR, (uint64_t)(uintptr_t)handle_ping);
    use_timing_handler();
    role = ROLE_HALT;
    wrmsr(MSR_X2APIC_ICR, ICR_TO_SECOND | ICR_INIT);
    WAIT_FOR(false, 10);
    wrmsr(MSR_X2APIC_ICR, ICR_TO_SECOND | ICR_STARTUP | LOW_CODE >> 12);
    WAIT_FOR(second_runs, 1000);
}

static void ping(void)
{
    wrmsr(MSR_X2APIC_ICR, ICR_TO_SECOND | PING_VECTOR);
}

static void set_role(enum role next)
{
    unsigned seen = interrupts;

    role = next;
    ping(); /* in case it halts */
    await_halted(seen);
    WAIT_FOR(false, 1);
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
        WAIT_FOR(taken_after != 0, 1000);
        if (i >= WARM_UP) {
            add_round(&ticks, taken_after);
        }
    }
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    report_plain("vcpu_switch", &ticks);
    role = ROLE_HALT;
}

TEST(second_cpu)
{
    SKIP_UNLESS(has_second_cpu(), "not asked for by cpus=2");
    start_second();
    CHECK(second_runs);
    SKIP_UNLESS(second_runs, "the second CPU does not start");
    if (command_line_has(SHARED)) {
        measure_ipi("vcpu_wake", "ipi_roundtrip_1cpu", await_halted);
        measure_switch();
    } else {
        measure_ipi("ipi_wake_other_cpu", "ipi_roundtrip_hlt", await_halted);
        set_role(ROLE_SPIN);
        measure_ipi("ipi_other_cpu", "ipi_roundtrip", await_running);
    }
}
