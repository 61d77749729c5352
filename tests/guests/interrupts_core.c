/*
 * When the CPU takes interrupts: shadows, HLT, NMIs.
 */
#include "tests/guests/interrupts.h"

/* With VECTOR_MID pending and interrupts off: executes and says after which label it came. */
#define INTERRUPTED_AT(instructions, label)                                                   \
    ({                                                                                        \
        uint64_t wanted;                                                                      \
        last_interrupt_rip = 0;                                                               \
        lapic_self_ipi(VECTOR_MID);                                                           \
        __asm__ volatile("leaq " label "f(%%rip), %%r11; movl %%ss, %%r10d;"                  \
                         "xorl %%eax, %%eax; " instructions "; nop; nop; cli; movq %%r11, %0" \
                         : "=r"(wanted)                                                       \
                         :                                                                    \
                         : "rax", "rbx", "rcx", "rdx", "r10", "r11", "memory", "cc");         \
        last_interrupt_rip - wanted;                                                          \
    })

TEST_IN_BOTH_MODES(sti_shadow)
{
    CHECK_EQUAL(INTERRUPTED_AT("sti; nop; 1:", "1"), 0);
    CHECK_EQUAL(INTERRUPTED_AT("sti; cpuid; 1:", "1"), 0);
    CHECK_EQUAL(INTERRUPTED_AT("sti; inb $0x61, %%al; 1:", "1"), 0);
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 3);
    /* STI right before CLI opens no gap. */
    lapic_self_ipi(VECTOR_MID);
    __asm__ volatile("sti; cli; nop");
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 3);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 4);
}

static uint64_t after_mov_ss[2];
static unsigned in_mov_ss_shadow;
static unsigned timer_interrupts;

static void watch_mov_ss(struct trap_frame *frame)
{
    timer_interrupts++;
    in_mov_ss_shadow += frame->rip == after_mov_ss[0] || frame->rip == after_mov_ss[1];
    end_of_interrupt((unsigned)frame->vector);
}

/* Interrupts at all times: none between MOV SS and the next instruction, whether that exits or
 * not. (After STI only the first of two shadows is certain, so that one interrupt which waits
 * cannot tell.) */
TEST_IN_BOTH_MODES(mov_ss_shadow)
{
    in_mov_ss_shadow = 0;
    timer_interrupts = 0;
    set_handler(VECTOR_MID, watch_mov_ss);
    lapic_write(LAPIC_DIVIDE, 0xb);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_MID | LVT_TIMER_PERIODIC);
    lapic_write(LAPIC_INITIAL_COUNT, 1777);
    uint64_t end = rdtsc() + 100 * tsc_per_ms;
    interrupts_on();
    while (timer_interrupts < 300 && rdtsc() < end) {
        __asm__ volatile("leaq 1f(%%rip), %%rax; movq %%rax, %0; leaq 2f(%%rip), %%rax;"
                         "movq %%rax, %1; movl %%ss, %%r10d; xorl %%eax, %%eax;"
                         "movl %%r10d, %%ss; 1: cpuid; movl %%r10d, %%ss; 2: nop"
                         : "=m"(after_mov_ss[0]), "=m"(after_mov_ss[1])
                         :
                         : "rax", "rbx", "rcx", "rdx", "r10", "memory");
    }
    interrupts_off();
    lapic_write(LAPIC_INITIAL_COUNT, 0);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    CHECK(timer_interrupts > 10);
    CHECK_EQUAL(in_mov_ss_shadow, 0);
}

TEST_IN_BOTH_MODES(popf_has_no_shadow)
{
    CHECK_EQUAL(INTERRUPTED_AT("pushfq; orl $0x200, (%%rsp); popfq; 1: nop", "1"), 0);
}

TEST_IN_BOTH_MODES(halt_with_pending)
{
    /* What is pending ends HLT before it begins; RIP is behind it. */
    CHECK_EQUAL(INTERRUPTED_AT("sti; hlt; 1:", "1"), 0);
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 1);
}

static unsigned nmis;
static unsigned depth;
static unsigned deepest;
static unsigned nmis_to_send;

static void nmi_handler(struct trap_frame *frame)
{
    (void)frame;
    nmis++;
    depth++;
    deepest = depth > deepest ? depth : deepest;
    while (nmis_to_send > 0) {
        nmis_to_send--;
        lapic_self_nmi();
    }
    cpuid(0, 0);
    depth--;
}

static void prepare_nmis(unsigned send)
{
    nmis = 0;
    deepest = 0;
    nmis_to_send = send;
    set_handler(EXCEPTION_NMI, nmi_handler);
}

TEST_IN_BOTH_MODES(nmi)
{
    prepare_nmis(0);
    lapic_self_nmi();
    WAIT_FOR(nmis != 0, 10);
    CHECK_EQUAL(nmis, 1);
    lapic_self_nmi();
    WAIT_FOR(nmis != 1, 10);
    CHECK_EQUAL(nmis, 2);
    set_handler(EXCEPTION_NMI, NULL);
}

/* While one is handled another waits, and only one, until IRET. */
TEST_IN_BOTH_MODES(nmi_is_blocked)
{
    prepare_nmis(3);
    lapic_self_nmi();
    WAIT_FOR(nmis >= 2, 10);
    WAIT_FOR(false, 1);
    CHECK_EQUAL(nmis, 2);
    CHECK_EQUAL(deepest, 1);
    set_handler(EXCEPTION_NMI, NULL);
}

static bool interrupted_nmi;

static void nmi_with_interrupt(struct trap_frame *frame)
{
    (void)frame;
    nmis++;
    lapic_self_ipi(VECTOR_MID);
    interrupts_for_a_moment();
    interrupted_nmi = interrupt_count[VECTOR_MID] == 1;
}

TEST_IN_BOTH_MODES(interrupt_in_nmi)
{
    prepare_nmis(0);
    set_handler(EXCEPTION_NMI, nmi_with_interrupt);
    lapic_self_nmi();
    WAIT_FOR(nmis != 0, 10);
    CHECK_EQUAL(nmis, 1);
    CHECK(interrupted_nmi);
    set_handler(EXCEPTION_NMI, NULL);
}

/* An exception inside the handler, with its IRET, lets the next NMI in early: so do real CPUs. */
static void nmi_with_exception(struct trap_frame *frame)
{
    (void)frame;
    nmis++;
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (nmis == 1) {
        lapic_self_nmi();
        WAIT_FOR(false, 1);
        CHECK_EQUAL(nmis, 1);
        set_handler(EXCEPTION_BP, count_interrupt);
        /* The IST stack is in use: the nested NMI must have another. */
        tss.ist[0] -= 2048;
        __asm__ volatile("int3");
        WAIT_FOR(nmis == 2, 10);
        tss.ist[0] += 2048;
        set_handler(EXCEPTION_BP, NULL);
    }
    depth--;
}

TEST_IN_BOTH_MODES(iret_unblocks_nmis)
{
    prepare_nmis(0);
    depth = 0;
    set_handler(EXCEPTION_NMI, nmi_with_exception);
    lapic_self_nmi();
    WAIT_FOR(nmis >= 2, 20);
    CHECK_EQUAL(nmis, 2);
    CHECK_EQUAL(deepest, 2);
    set_handler(EXCEPTION_NMI, NULL);
}

/* Interrupts from everywhere while the guest exits all the time: none gets lost or comes twice. */
TEST_IN_BOTH_MODES(none_lost)
{
    for (unsigned i = 1; i <= 500; i++) {
        interrupts_on();
        lapic_self_ipi(VECTOR_LOW);
        if (i % 2 == 0) {
            cpuid(0, 0);
        }
        lapic_self_ipi(VECTOR_HIGH);
        if (i % 3 == 0) {
            write_cr8(10);
            write_cr8(0);
        }
        interrupts_off();
        interrupts_for_a_moment();
        interrupts_for_a_moment();
        if (interrupt_count[VECTOR_LOW] != i || interrupt_count[VECTOR_HIGH] != i) {
            break;
        }
    }
    CHECK_EQUAL(interrupt_count[VECTOR_LOW], 500);
    CHECK_EQUAL(interrupt_count[VECTOR_HIGH], 500);
}
