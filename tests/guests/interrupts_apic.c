/*
 * The local APIC: timer, inter-processor interrupts to itself, priorities, errors.
 */
#include "guest/hypercall.h"
#include "tests/guests/interrupts.h"

#define TIMER_VECTOR 0x51u
#define DIVIDE_BY_1  0xbu
#define DIVIDE_BY_16 0x3u

#define ESR_SEND_ILLEGAL_VECTOR (1u << 5)
#define ESR_ILLEGAL_REGISTER    (1u << 7)

#define has_deadline() ((cpuid(1, 0).ecx & 1u << 24) != 0)

static uint32_t vector_order[16];
static unsigned vectors_seen;

static void note_order(struct trap_frame *frame)
{
    if (vectors_seen < 16) {
        vector_order[vectors_seen++] = (uint32_t)frame->vector;
    }
    count_interrupt(frame);
}

TEST_IN_BOTH_MODES(timer_one_shot)
{
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR);
    lapic_write(LAPIC_INITIAL_COUNT, 20000);
    CHECK(lapic_read(LAPIC_CURRENT_COUNT) <= 20000);
    WAIT_WITH_INTERRUPTS(interrupt_count[TIMER_VECTOR] != 0, 200);
    WAIT_WITH_INTERRUPTS(false, 5);
    CHECK_EQUAL(interrupt_count[TIMER_VECTOR], 1);
    CHECK_EQUAL(lapic_read(LAPIC_CURRENT_COUNT), 0);
}

TEST_IN_BOTH_MODES(timer_periodic)
{
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR | LVT_TIMER_PERIODIC);
    lapic_write(LAPIC_INITIAL_COUNT, 50000);
    WAIT_WITH_INTERRUPTS(interrupt_count[TIMER_VECTOR] >= 5, 500);
    CHECK(interrupt_count[TIMER_VECTOR] >= 5);
    lapic_write(LAPIC_INITIAL_COUNT, 0);
    interrupts_for_a_moment();
    unsigned count = interrupt_count[TIMER_VECTOR];
    WAIT_WITH_INTERRUPTS(false, 5);
    CHECK_EQUAL(interrupt_count[TIMER_VECTOR], count);
}

TEST_IN_BOTH_MODES(timer_masked)
{
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR | LVT_MASKED);
    lapic_write(LAPIC_INITIAL_COUNT, 10000);
    WAIT_WITH_INTERRUPTS(lapic_read(LAPIC_CURRENT_COUNT) == 0, 200);
    CHECK_EQUAL(lapic_read(LAPIC_CURRENT_COUNT), 0);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[TIMER_VECTOR], 0);
}

static uint64_t timer_duration(uint32_t divide)
{
    interrupt_count[TIMER_VECTOR] = 0;
    lapic_write(LAPIC_DIVIDE, divide);
    lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR);
    uint64_t start = rdtsc();
    lapic_write(LAPIC_INITIAL_COUNT, 200000);
    WAIT_WITH_INTERRUPTS(interrupt_count[TIMER_VECTOR] != 0, 2000);
    CHECK_EQUAL(interrupt_count[TIMER_VECTOR], 1);
    return rdtsc() - start;
}

TEST_IN_BOTH_MODES(timer_divide)
{
    uint64_t quick = timer_duration(DIVIDE_BY_1);
    uint64_t slow = timer_duration(DIVIDE_BY_16);

    /* Sixteen times, give or take what the way through the interrupt costs. */
    CHECK(slow > 4 * quick);
    CHECK(slow < 32 * quick);
}

TEST_IN_BOTH_MODES(timer_deadline)
{
    if (!has_deadline()) {
        return;
    }
    uint64_t delay = tsc_per_ms * 2;
    lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR | LVT_TIMER_DEADLINE);
    uint64_t deadline = rdtsc() + delay;
    wrmsr(MSR_TSC_DEADLINE, deadline);
    CHECK_EQUAL(rdmsr(MSR_TSC_DEADLINE), deadline);
    WAIT_WITH_INTERRUPTS(interrupt_count[TIMER_VECTOR] != 0, 200);
    CHECK(rdtsc() >= deadline);
    CHECK_EQUAL(interrupt_count[TIMER_VECTOR], 1);
    CHECK_EQUAL(rdmsr(MSR_TSC_DEADLINE), 0);
    /* One that has passed is now; zero is never. */
    wrmsr(MSR_TSC_DEADLINE, rdtsc() - 1);
    WAIT_WITH_INTERRUPTS(interrupt_count[TIMER_VECTOR] == 2, 50);
    CHECK_EQUAL(interrupt_count[TIMER_VECTOR], 2);
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + delay);
    wrmsr(MSR_TSC_DEADLINE, 0);
    WAIT_WITH_INTERRUPTS(false, 5);
    CHECK_EQUAL(interrupt_count[TIMER_VECTOR], 2);
    /* The initial count has no effect in this mode. */
    lapic_write(LAPIC_INITIAL_COUNT, 1000);
    WAIT_WITH_INTERRUPTS(false, 2);
    CHECK_EQUAL(interrupt_count[TIMER_VECTOR], 2);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
}

TEST_IN_BOTH_MODES(timer_ends_halt)
{
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR);
    for (unsigned i = 1; i <= 3; i++) {
        lapic_write(LAPIC_INITIAL_COUNT, 20000);
        halt_until_interrupt();
        CHECK_EQUAL(interrupt_count[TIMER_VECTOR], i);
    }
}

TEST_IN_BOTH_MODES(self_ipi)
{
    lapic_self_ipi(VECTOR_MID);
    CHECK(lapic_vector_bit(LAPIC_IRR, VECTOR_MID));
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 0);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 1);
    CHECK(!lapic_vector_bit(LAPIC_IRR, VECTOR_MID));
    CHECK(!lapic_vector_bit(LAPIC_ISR, VECTOR_MID));
    /* Requests of the same vector merge. */
    lapic_self_ipi(VECTOR_MID);
    lapic_self_ipi(VECTOR_MID);
    interrupts_for_a_moment();
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 2);
    interrupts_on();
    lapic_self_ipi(VECTOR_LOW);
    WAIT_FOR(interrupt_count[VECTOR_LOW] != 0, 10);
    CHECK_EQUAL(interrupt_count[VECTOR_LOW], 1);
}

LATE_TEST(self_ipi_register)
{
    SKIP_UNLESS(has_x2apic(), "no x2APIC mode");
    lapic_enable_x2apic();
    prepare_interrupts();
    wrmsr(MSR_X2APIC_SELF_IPI, VECTOR_HIGH);
    CHECK(lapic_vector_bit(LAPIC_IRR, VECTOR_HIGH));
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_HIGH], 1);
}

TEST_IN_BOTH_MODES(highest_first)
{
    static const uint32_t sent[] = {0x31, 0xa1, 0x62, 0x61, 0xf1, 0x41};
    static const uint32_t expected[] = {0xf1, 0xa1, 0x62, 0x61, 0x41, 0x31};

    vectors_seen = 0;
    for (unsigned i = 0; i < 6; i++) {
        set_handler(sent[i], note_order);
        lapic_self_ipi(sent[i]);
    }
    WAIT_WITH_INTERRUPTS(vectors_seen == 6, 20);
    CHECK_EQUAL(vectors_seen, 6);
    for (unsigned i = 0; i < 6; i++) {
        CHECK_EQUAL(vector_order[i], expected[i]);
    }
}

static bool nested_high;
static bool nested_low;
static bool in_service;
static uint32_t ppr_in_service;

static void nest(struct trap_frame *frame)
{
    lapic_self_ipi(VECTOR_LOW);
    lapic_self_ipi(VECTOR_MID + 1); /* of the same class: has to wait */
    lapic_self_ipi(VECTOR_HIGH);
    interrupts_for_a_moment();
    nested_high = interrupt_count[VECTOR_HIGH] == 1;
    nested_low = interrupt_count[VECTOR_LOW] != 0 || interrupt_count[VECTOR_MID + 1] != 0;
    in_service = lapic_vector_bit(LAPIC_ISR, VECTOR_MID);
    ppr_in_service = lapic_read(LAPIC_PPR);
    end_of_interrupt((unsigned)frame->vector);
}

TEST_IN_BOTH_MODES(nesting_by_priority)
{
    set_handler(VECTOR_MID, nest);
    lapic_self_ipi(VECTOR_MID);
    interrupts_for_a_moment();
    interrupts_for_a_moment();
    CHECK(nested_high);
    CHECK(!nested_low);
    CHECK(in_service);
    CHECK_EQUAL(ppr_in_service, VECTOR_MID & 0xf0);
    CHECK_EQUAL(interrupt_count[VECTOR_LOW], 1);
    CHECK_EQUAL(interrupt_count[VECTOR_MID + 1], 1);
    CHECK_EQUAL(lapic_read(LAPIC_PPR), 0);
}

TEST_IN_BOTH_MODES(tpr_holds_back)
{
    write_cr8(VECTOR_MID >> 4);
    CHECK_EQUAL(lapic_read(LAPIC_PPR), VECTOR_MID & 0xf0);
    lapic_self_ipi(VECTOR_MID);
    lapic_self_ipi(VECTOR_LOW);
    interrupts_on();
    WAIT_FOR(false, 1);
    CHECK_EQUAL(interrupt_count[VECTOR_MID] + interrupt_count[VECTOR_LOW], 0);
    lapic_self_ipi(VECTOR_HIGH);
    WAIT_FOR(interrupt_count[VECTOR_HIGH] != 0, 10);
    CHECK_EQUAL(interrupt_count[VECTOR_HIGH], 1);
    /* Lowered, what waits comes at once: by CR8 ... */
    write_cr8((VECTOR_MID >> 4) - 1);
    __asm__ volatile("nop");
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 1);
    CHECK_EQUAL(interrupt_count[VECTOR_LOW], 0);
    /* ... and by the register. */
    lapic_write(LAPIC_TPR, (VECTOR_LOW & 0xf0) + 0xf);
    WAIT_FOR(false, 1);
    CHECK_EQUAL(interrupt_count[VECTOR_LOW], 0);
    lapic_write(LAPIC_TPR, 0);
    __asm__ volatile("nop");
    CHECK_EQUAL(interrupt_count[VECTOR_LOW], 1);
}

/* Bit 3 of HYPERCALL_FEATURES, see struct virt_features. */
static bool cpu_delivers_virtual_interrupts(void)
{
    return under_innkeeper() &&
           (vmcall(HYPERCALL_TEST + HYPERCALL_FEATURES, 0, 0, 0) & 1u << 3) != 0;
}

/* Lowering TPR with interrupts off delivers nothing until they are on. */
TEST_IN_BOTH_MODES(tpr_and_if)
{
    SKIP_UNLESS(
        !cpu_delivers_virtual_interrupts(),
        "Bochs 2.7 delivers virtual interrupts when a host interrupt comes, whatever IF is");
    write_cr8(15);
    lapic_self_ipi(VECTOR_MID);
    interrupts_on();
    WAIT_FOR(false, 1);
    interrupts_off();
    write_cr8(0);
    WAIT_FOR(false, 1);
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 0);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 1);
}

static void no_eoi(struct trap_frame *frame)
{
    interrupt_count[frame->vector]++;
}

TEST_IN_BOTH_MODES(eoi_opens)
{
    set_handler(VECTOR_MID, no_eoi);
    lapic_self_ipi(VECTOR_MID);
    interrupts_for_a_moment();
    lapic_self_ipi(VECTOR_MID);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 1);
    CHECK(lapic_vector_bit(LAPIC_ISR, VECTOR_MID));
    CHECK(lapic_vector_bit(LAPIC_IRR, VECTOR_MID));
    lapic_write(LAPIC_EOI, 0);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 2);
    lapic_write(LAPIC_EOI, 0);
    CHECK(!lapic_vector_bit(LAPIC_ISR, VECTOR_MID));
}

TEST(logical_destination)
{
    prepare_interrupts();
    lapic_write(LAPIC_DFR, UINT32_MAX);
    lapic_write(LAPIC_LDR, 4u << 24);
    lapic_write(LAPIC_ICR_HIGH, 6u << 24);
    lapic_write(LAPIC_ICR_LOW, 1u << 11 | ICR_ASSERT | VECTOR_MID);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 1);
    lapic_write(LAPIC_ICR_HIGH, 3u << 24); /* others */
    lapic_write(LAPIC_ICR_LOW, 1u << 11 | ICR_ASSERT | VECTOR_MID);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 1);
    lapic_write(LAPIC_ICR_LOW, 2u << 18 | ICR_ASSERT | VECTOR_LOW); /* all including self */
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_LOW], 1);
    lapic_write(LAPIC_ICR_LOW, 3u << 18 | ICR_ASSERT | VECTOR_LOW); /* all but self */
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_LOW], 1);
    lapic_write(LAPIC_LDR, 0);
}

TEST_IN_BOTH_MODES(illegal_vector)
{
    lapic_write(LAPIC_LVT_ERROR, VECTOR_HIGH);
    set_handler(5, count_interrupt);
    lapic_self_ipi(5);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_HIGH], 1);
    lapic_write(LAPIC_ESR, 0);
    CHECK((lapic_read(LAPIC_ESR) & ESR_SEND_ILLEGAL_VECTOR) != 0);
    lapic_write(LAPIC_ESR, 0);
    CHECK_EQUAL(lapic_read(LAPIC_ESR), 0);
    CHECK_EQUAL(interrupt_count[5], 0);
    lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
    set_handler(5, NULL);
}

TEST(illegal_register)
{
    prepare_interrupts();
    lapic_read(0x10);
    lapic_write(LAPIC_ESR, 0);
    CHECK((lapic_read(LAPIC_ESR) & ESR_ILLEGAL_REGISTER) != 0);
    lapic_write(LAPIC_ESR, 0);
}

TEST_IN_BOTH_MODES(software_disable)
{
    lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR);
    lapic_write(LAPIC_SVR, SPURIOUS_VECTOR);
    CHECK((lapic_read(LAPIC_LVT_TIMER) & LVT_MASKED) != 0);
    lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR);
    CHECK((lapic_read(LAPIC_LVT_TIMER) & LVT_MASKED) != 0); /* cannot be cleared now */
    lapic_write(LAPIC_SVR, LAPIC_ENABLED | SPURIOUS_VECTOR);
    lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR);
    CHECK_EQUAL(lapic_read(LAPIC_LVT_TIMER), TIMER_VECTOR);
}

static int try_write(uint32_t index, uint64_t value)
{
    return TRY("wrmsr", OUT(), IN("c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))));
}

LATE_TEST(x2apic_registers)
{
    SKIP_UNLESS(has_x2apic(), "no x2APIC mode");
    uint32_t low;
    uint32_t high;
    lapic_enable_x2apic();
    prepare_interrupts();
    uint32_t id = cpuid(1, 0).ebx >> 24;
    CHECK_EQUAL(lapic_read(LAPIC_ID), id);
    CHECK_EQUAL(lapic_read(LAPIC_LDR), (id & 0xffff0) << 12 | 1u << (id & 15));
    CHECK_EQUAL(cpuid(0xb, 0).edx, id);
    CHECK_EQUAL(try_write(MSR_X2APIC_ID, 0), EXCEPTION_GP);      /* read-only */
    CHECK_EQUAL(try_write(MSR_X2APIC_EOI, 1), EXCEPTION_GP);     /* zero only */
    CHECK_EQUAL(try_write(MSR_X2APIC_TPR, 0x100), EXCEPTION_GP); /* reserved */
    CHECK_EQUAL(try_write(MSR_X2APIC_TPR, UINT64_C(1) << 32), EXCEPTION_GP);
    CHECK_EQUAL(try_write(MSR_X2APIC_BASE + LAPIC_LVT_TIMER / 16, 1u << 13), EXCEPTION_GP);
    CHECK_EQUAL(try_write(MSR_X2APIC_BASE + LAPIC_DFR / 16, 0), EXCEPTION_GP); /* is not there */
    CHECK_EQUAL(TRY("rdmsr", OUT("=a"(low), "=d"(high)), IN("c"(MSR_X2APIC_EOI))), EXCEPTION_GP);
    CHECK_EQUAL(TRY("rdmsr", OUT("=a"(low), "=d"(high)), IN("c"(MSR_X2APIC_SELF_IPI))),
                EXCEPTION_GP);
    CHECK_EQUAL(TRY("rdmsr", OUT("=a"(low), "=d"(high)), IN("c"(0x8ff))), EXCEPTION_GP);
    write_cr8(9);
    CHECK_EQUAL(lapic_read(LAPIC_TPR), 0x90);
    lapic_write(LAPIC_TPR, 0x37);
    CHECK_EQUAL(read_cr8(), 3);
    write_cr8(0);
}

LAST_TEST(x2apic_to_xapic)
{
    SKIP_UNLESS(has_x2apic(), "no x2APIC mode");
    lapic_enable_x2apic();
    uint64_t base = rdmsr(MSR_APIC_BASE);
    uint32_t id = lapic_read(LAPIC_ID);
    /* Only through "disabled". */
    CHECK_EQUAL(try_write(MSR_APIC_BASE, base & ~APIC_BASE_X2APIC), EXCEPTION_GP);
    lapic_disable();
    prepare_interrupts();
    CHECK_EQUAL(rdmsr(MSR_APIC_BASE), base & ~APIC_BASE_X2APIC);
    CHECK_EQUAL(lapic_read(LAPIC_ID) >> 24, id);
    lapic_self_ipi(VECTOR_MID);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 1);
}
