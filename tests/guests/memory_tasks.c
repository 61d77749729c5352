/*
 * Hardware task switches: by CALL, JMP, IRET, and task gates for INT n and for an exception.
 */
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

/* memory_modes.S and memory_tasks.S */
void call_protected(void (*code)(void));
void task_code(void);
void task_b(void);
void task_c(void);
extern uint32_t tss_a[26];
extern uint32_t tss_b[26];
extern uint32_t tss_c[26];
extern volatile uint32_t task_results[16];

/* Words of a 32-bit TSS. */
#define TSS_EIP    8
#define TSS_EFLAGS 9
#define TSS_ESP    14
#define TSS_ES     18
#define TSS_CS     19

static void add_task(unsigned selector, uint32_t *state, void (*code)(void))
{
    uint64_t base = (uint64_t)(uintptr_t)state;

    gdt[selector / 8] =
        103 | (base & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (base >> 24 & 0xff) << 56;
    state[TSS_EIP] = (uint32_t)(uintptr_t)code;
    state[TSS_EFLAGS] = RFLAGS_FIXED1;
    state[TSS_ESP] = (uint32_t)(uintptr_t)task_results - (selector == TASK_B ? 512 : 0);
    for (unsigned i = 0; i < 6; i++) {
        state[TSS_ES + i] = KERNEL_DS;
    }
    state[TSS_CS] = CODE32;
}

TEST(task_switches)
{
    add_task(TASK_A, tss_a, NULL);
    add_task(TASK_B, tss_b, task_b);
    add_task(TASK_C, tss_c, task_c);
    call_protected(task_code);
    load_descriptor_tables();
    CHECK_EQUAL(task_results[0], 0x1111);
    CHECK_EQUAL(task_results[1] & CR0_TS, CR0_TS);
    CHECK_EQUAL(task_results[2] & 0xffff, TASK_A);
    CHECK_EQUAL(task_results[5], 3);
    CHECK_EQUAL(task_results[6] & RFLAGS_NT, RFLAGS_NT);
    CHECK_EQUAL(task_results[7] & 0xffff, TASK_A); /* the link to the caller */
    CHECK_EQUAL(task_results[8] & RFLAGS_NT, RFLAGS_NT);
    CHECK_EQUAL(task_results[9] & RFLAGS_NT, 0); /* a jump does not nest */
    CHECK_EQUAL(task_results[10], task_results[3]);
    CHECK_EQUAL(task_results[11], 0xfff8);
    CHECK_EQUAL(task_results[12], task_results[4]);
}
