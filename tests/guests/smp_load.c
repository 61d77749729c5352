/*
 * Interrupts between CPUs under load: none is lost, none comes twice, and what they tell of is true
 * when they come.
 */
#include "tests/guests/runtime/smp.h"

#define PING_VECTOR     0x51u
#define PONG_VECTOR     0x52u
#define FLUSH_VECTOR    0x53u
#define CROWD_VECTOR(i) (0x60u + (i)) /* of the sender */

#define PING_ROUNDS  1000u
#define CROWD_ROUNDS 300u
#define TOKEN_ROUNDS 1000u
#define NMI_ROUNDS   200u
#define FLUSH_ROUNDS 3000u

/* A page of its own, in a GiB that nothing else uses. */
#define TEST_PAGE      UINT64_C(0x5000000000)
#define TEST_PDPT_SLOT 320u
#define PAGE_PRESENT   1u
#define PAGE_WRITABLE  2u

static void answer_pings(void *unused)
{
    (void)unused;
    for (unsigned round = 1; round <= PING_ROUNDS; round++) {
        halt_until(PING_VECTOR, round);
        send_ipi(0, ICR_FIXED | ICR_ASSERT | PONG_VECTOR);
    }
}

/* A lost one would stop it: the watchdog ends the guest then. */
SMP_TEST_IN_BOTH_MODES(ping_pong_halted)
{
    set_handler(PING_VECTOR, count_here);
    set_handler(PONG_VECTOR, count_here);
    for (unsigned i = 1; i < cpu_count; i++) {
        run_on(i, answer_pings, NULL);
        for (unsigned round = 1; round <= PING_ROUNDS; round++) {
            send_ipi(i, ICR_FIXED | ICR_ASSERT | PING_VECTOR);
            halt_until(PONG_VECTOR, round);
        }
        wait_for_cpu(i);
        CHECK_EQUAL(cpus[i].counts[PING_VECTOR], PING_ROUNDS);
        CHECK_EQUAL(cpus[0].counts[PONG_VECTOR], PING_ROUNDS);
        cpus[0].counts[PONG_VECTOR] = 0;
    }
}

/* From CPU to CPU, the last passes it to the first. */
static void pass_token(void *unused)
{
    unsigned self = this_cpu()->index;

    (void)unused;
    for (unsigned round = 1; round <= TOKEN_ROUNDS; round++) {
        if (self != 0 || round != 1) {
            halt_until(PING_VECTOR, self == 0 ? round - 1 : round);
        }
        send_ipi((self + 1) % cpu_count, ICR_FIXED | ICR_ASSERT | PING_VECTOR);
    }
}

SMP_TEST_IN_BOTH_MODES(token_ring)
{
    set_handler(PING_VECTOR, count_here);
    run_on_others(pass_token, NULL);
    pass_token(NULL);
    wait_for_others();
    halt_until(PING_VECTOR, TOKEN_ROUNDS);
    for (unsigned i = 0; i < cpu_count; i++) {
        CHECK_EQUAL(cpus[i].counts[PING_VECTOR], TOKEN_ROUNDS);
    }
}

/* Each sends to each, one at a time to one CPU, all at the same time. */
static void crowd(void *unused)
{
    unsigned self = this_cpu()->index;

    (void)unused;
    interrupts_on();
    for (unsigned round = 1; round <= CROWD_ROUNDS; round++) {
        for (unsigned i = 0; i < cpu_count; i++) {
            send_ipi(i, ICR_FIXED | ICR_ASSERT | CROWD_VECTOR(self));
        }
        for (unsigned i = 0; i < cpu_count; i++) {
            while (cpus[i].counts[CROWD_VECTOR(self)] < round) {
                cpu_pause();
            }
        }
        this_cpu()->value = round;
    }
}

SMP_TEST_IN_BOTH_MODES(everyone_to_everyone)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        set_handler(CROWD_VECTOR(i), count_here);
    }
    run_on_others(crowd, NULL);
    crowd(NULL);
    wait_for_others();
    for (unsigned i = 0; i < cpu_count; i++) {
        for (unsigned sender = 0; sender < cpu_count; sender++) {
            CHECK_EQUAL(cpus[i].counts[CROWD_VECTOR(sender)], CROWD_ROUNDS);
        }
    }
}

static void spin_deaf(void *unused)
{
    struct cpu *cpu = this_cpu();

    (void)unused;
    interrupts_off();
    while (cpu->value == 0) {
        cpu_pause();
    }
    interrupts_on();
}

/* NMIs to CPUs that take no interrupts, each when the last one has come. */
SMP_TEST_IN_BOTH_MODES(nmis_under_load)
{
    set_handler(EXCEPTION_NMI, count_here);
    run_on_others(spin_deaf, NULL);
    for (unsigned round = 1; round <= NMI_ROUNDS; round++) {
        send_ipi(ICR_NOBODY, ICR_NMI | ICR_ASSERT | ICR_OTHERS);
        for (unsigned i = 1; i < cpu_count; i++) {
            WAIT_FOR(cpus[i].counts[EXCEPTION_NMI] >= round, 1000);
            CHECK_EQUAL(cpus[i].counts[EXCEPTION_NMI], round);
        }
    }
    for (unsigned i = 1; i < cpu_count; i++) {
        cpus[i].value = 1;
    }
    wait_for_others();
    set_handler(EXCEPTION_NMI, NULL);
}

extern uint64_t page_pdpt[512];
static uint64_t test_directory[512] __attribute__((aligned(4096)));
static uint64_t test_table[512] __attribute__((aligned(4096)));
static volatile uint64_t frames[2][512] __attribute__((aligned(4096)));
static volatile uint64_t shot;            /* number of the mapping that all have to see */
static volatile uint64_t seen[CPUS_MAX];  /* by the handler */
static volatile unsigned stale[CPUS_MAX]; /* what was seen was older than it had to be */
static volatile unsigned reads[CPUS_MAX];

static uint64_t read_page(void)
{
    return *(volatile uint64_t *)TEST_PAGE;
}

static void map_frame(uint64_t round)
{
    frames[round % 2][0] = round;
    __sync_synchronize();
    test_table[0] = (uint64_t)(uintptr_t)frames[round % 2] | PAGE_PRESENT | PAGE_WRITABLE;
    invlpg(TEST_PAGE);
}

static void flush(struct trap_frame *frame)
{
    unsigned self = this_cpu()->index;
    uint64_t wanted = shot;

    invlpg(TEST_PAGE);
    if (read_page() != wanted) {
        stale[self]++;
    }
    __sync_synchronize();
    seen[self] = wanted;
    end_of_interrupt((unsigned)frame->vector);
}

/* Keeps the translation in the TLB, and checks that it is never older than the last flush. */
static void keep_reading(void *unused)
{
    struct cpu *cpu = this_cpu();

    (void)unused;
    interrupts_on();
    while (cpu->value == 0) {
        uint64_t least = seen[cpu->index];

        if (read_page() < least) {
            stale[cpu->index]++;
        }
        reads[cpu->index]++;
        cpu_pause();
    }
}

/* As an OS does it: change the page table, interrupt all who may have it cached, wait for them. */
SMP_TEST_IN_BOTH_MODES(tlb_shoot_down)
{
    set_handler(FLUSH_VECTOR, flush);
    page_pdpt[TEST_PDPT_SLOT] = (uint64_t)(uintptr_t)test_directory | PAGE_PRESENT | PAGE_WRITABLE;
    test_directory[0] = (uint64_t)(uintptr_t)test_table | PAGE_PRESENT | PAGE_WRITABLE;
    for (unsigned i = 0; i < CPUS_MAX; i++) {
        seen[i] = 0;
        stale[i] = 0;
        reads[i] = 0;
    }
    shot = 0;
    map_frame(0);
    run_on_others(keep_reading, NULL);
    for (unsigned i = 1; i < cpu_count; i++) {
        WAIT_FOR(reads[i] > 0, 1000);
    }
    for (uint64_t round = 1; round <= FLUSH_ROUNDS; round++) {
        map_frame(round);
        shot = round;
        send_ipi(ICR_NOBODY, ICR_FIXED | ICR_ASSERT | ICR_OTHERS | FLUSH_VECTOR);
        for (unsigned i = 1; i < cpu_count; i++) {
            while (seen[i] != round) {
                cpu_pause();
            }
        }
    }
    for (unsigned i = 1; i < cpu_count; i++) {
        cpus[i].value = 1;
    }
    wait_for_others();
    for (unsigned i = 1; i < cpu_count; i++) {
        CHECK_EQUAL(stale[i], 0);
        CHECK_EQUAL(seen[i], FLUSH_ROUNDS);
    }
}
