#include "guest/emulate/task_switch.h"

#include <string.h>

#include "kernel/cpu/x86_defs.h"
#include "tests/unit/emulate/fake_cpu.h"
#include "tests/unit/support/cmocka.h"

#define GDT   0x100000u
#define TSS_A 0x101000u
#define TSS_B 0x102000u
#define STACK 0x103000u

#define CODE     0x08u
#define DATA     0x10u
#define SELECT_A 0x18u
#define SELECT_B 0x20u
#define OTHER    0x28u

/* Offsets in a 32-bit TSS (SDM vol. 3, figure 7-2). */
#define TSS_LINK   0
#define TSS_CR3    28
#define TSS_EIP    32
#define TSS_EFLAGS 36
#define TSS_EAX    40
#define TSS_ESP    56
#define TSS_ES     72
#define TSS_CS     76
#define TSS_SS     80
#define TSS_LDT    96
#define TSS_TRAP   100

#define TYPE_AVAILABLE 0x89u
#define TYPE_BUSY      0x8bu

static void put(struct fake_cpu *cpu, uint32_t address, uint32_t value)
{
    memcpy(fake_cpu_ram(cpu, address), &value, 4);
}

static uint32_t get(struct fake_cpu *cpu, uint32_t address)
{
    uint32_t value;

    memcpy(&value, fake_cpu_ram(cpu, address), 4);
    return value;
}

static void put_descriptor(struct fake_cpu *cpu, uint32_t selector, uint32_t base, uint32_t limit,
                           uint32_t attributes)
{
    put(cpu, GDT + selector, (limit & 0xffff) | base << 16);
    put(cpu, GDT + selector + 4,
        (base >> 16 & 0xff) | (attributes & 0xf0ff) << 8 | (limit & 0xf0000) | (base & 0xff000000));
}

static uint8_t type_of(struct fake_cpu *cpu, uint32_t selector)
{
    return *fake_cpu_ram(cpu, GDT + selector + 5);
}

static int set_up(void **state)
{
    struct fake_cpu *cpu = fake_cpu_create();

    fake_cpu_set_legacy(cpu, CPU_32_BIT);
    cpu->gdtr = (struct virt_table_state){.base = GDT, .limit = 0x2f};
    put_descriptor(cpu, CODE, 0, 0xfffff, 0xc09b);
    put_descriptor(cpu, DATA, 0, 0xfffff, 0xc092); /* not accessed yet */
    put_descriptor(cpu, SELECT_A, TSS_A, 0x67, TYPE_BUSY);
    put_descriptor(cpu, SELECT_B, TSS_B, 0x67, TYPE_AVAILABLE);
    cpu->segments[SEGMENT_TR] = (struct virt_segment_state){
        .selector = SELECT_A, .attributes = TYPE_BUSY, .limit = 0x67, .base = TSS_A};
    for (unsigned i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
        cpu->segments[i].selector = (uint16_t)(0x40 + 8 * i);
        put(cpu, TSS_B + TSS_ES + 4 * i, i == SEGMENT_CS ? CODE : i < SEGMENT_FS ? DATA : 0);
    }
    for (unsigned i = 0; i < 8; i++) {
        cpu->vcpu.gpr[i] = 0xa0 + i;
        put(cpu, TSS_B + TSS_EAX + 4 * i, 0xb0 + i);
    }
    cpu->registers[REGISTER_RSP] = 0xa4;
    put(cpu, TSS_B + TSS_ESP, STACK);
    put(cpu, TSS_B + TSS_EIP, 0x5000);
    put(cpu, TSS_B + TSS_EFLAGS, 0x202);
    put(cpu, TSS_B + TSS_CR3, 0x7000);
    put(cpu, TSS_A + TSS_LINK, 0x1234);
    cpu->mode.rip = 0x4000;
    cpu->mode.rflags = 0x46;
    cpu->registers[REGISTER_DR7] = 0x7ff;
    *state = cpu;
    return 0;
}

static int tear_down(void **state)
{
    fake_cpu_destroy(*state);
    return 0;
}

static enum emulate_result switch_to(struct fake_cpu *cpu, uint16_t selector,
                                     enum task_switch_source source,
                                     const struct virt_event *during)
{
    struct vm_exit exit = {.kind = VM_EXIT_TASK_SWITCH, .instruction_length = 7};

    exit.task_switch.selector = selector;
    exit.task_switch.source = source;
    if (during != NULL) {
        exit.task_switch.during = *during;
        exit.instruction_length = during->instruction_length;
    }
    return emulate_task_switch(&cpu->context, &exit);
}

static void check_in_b(struct fake_cpu *cpu)
{
    assert_int_equal(cpu->mode.rip, 0x5000);
    assert_int_equal(cpu->segments[SEGMENT_TR].selector, SELECT_B);
    assert_int_equal(cpu->segments[SEGMENT_TR].base, TSS_B);
    assert_int_equal(cpu->segments[SEGMENT_TR].attributes, TYPE_BUSY);
    assert_int_equal(type_of(cpu, SELECT_B), TYPE_BUSY);
    assert_int_equal(cpu->vcpu.gpr[GPR_RAX], 0xb0);
    assert_int_equal(cpu->vcpu.gpr[GPR_RDI], 0xb7);
    assert_int_equal(cpu->segments[SEGMENT_CS].selector, CODE);
    assert_int_equal(cpu->segments[SEGMENT_CS].attributes, 0xc09b);
    assert_int_equal(cpu->segments[SEGMENT_DS].limit, UINT32_MAX);
    assert_int_equal(type_of(cpu, DATA), 0x93); /* accessed now */
    assert_int_equal(cpu->segments[SEGMENT_FS].attributes, SEGMENT_UNUSABLE);
    assert_int_equal(cpu->segments[SEGMENT_LDTR].attributes, SEGMENT_UNUSABLE);
    assert_true((cpu->mode.cr0 & CR0_TS) != 0);
    assert_int_equal(cpu->registers[REGISTER_DR7], 0x7ff & ~0x155);
}

/* What of the old task the CPU keeps in its TSS. */
static void check_saved_a(struct fake_cpu *cpu, uint32_t eip)
{
    assert_int_equal(get(cpu, TSS_A + TSS_EIP), eip);
    assert_int_equal(get(cpu, TSS_A + TSS_EFLAGS), 0x46);
    assert_int_equal(get(cpu, TSS_A + TSS_EAX), 0xa0);
    assert_int_equal(get(cpu, TSS_A + TSS_ESP), 0xa4);
    assert_int_equal(get(cpu, TSS_A + TSS_CS), 0x48);
}

static void test_jump(void **state)
{
    struct fake_cpu *cpu = *state;

    assert_int_equal(switch_to(cpu, SELECT_B, TASK_SWITCH_JMP, NULL), EMULATE_DONE);
    check_in_b(cpu);
    check_saved_a(cpu, 0x4007);
    assert_int_equal(type_of(cpu, SELECT_A), TYPE_AVAILABLE);
    assert_int_equal(cpu->mode.rflags, 0x202);
    assert_int_equal(get(cpu, TSS_B + TSS_LINK) & 0xffff, 0);
    assert_int_equal(cpu->injected, 0);
    assert_int_equal(cpu->completed, 0);
    /* CR3 is loaded with paging only. */
    assert_int_not_equal(cpu->mode.cr3, 0x7000);
}

static void test_call_and_return(void **state)
{
    struct fake_cpu *cpu = *state;

    assert_int_equal(switch_to(cpu, SELECT_B, TASK_SWITCH_CALL, NULL), EMULATE_DONE);
    check_in_b(cpu);
    assert_int_equal(type_of(cpu, SELECT_A), TYPE_BUSY);
    assert_int_equal(cpu->mode.rflags, 0x202 | RFLAGS_NT);
    assert_int_equal(get(cpu, TSS_B + TSS_LINK) & 0xffff, SELECT_A);
    /* Back: the segments of A have to exist by now. */
    for (unsigned i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
        put(cpu, TSS_A + TSS_ES + 4 * i, i == SEGMENT_CS ? CODE : DATA);
    }
    assert_int_equal(switch_to(cpu, SELECT_A, TASK_SWITCH_IRET, NULL), EMULATE_DONE);
    assert_int_equal(cpu->mode.rip, 0x4007);
    assert_int_equal(cpu->mode.rflags, 0x46);
    assert_int_equal(cpu->vcpu.gpr[GPR_RAX], 0xa0);
    assert_int_equal(type_of(cpu, SELECT_A), TYPE_BUSY);
    assert_int_equal(type_of(cpu, SELECT_B), TYPE_AVAILABLE);
    assert_int_equal(get(cpu, TSS_B + TSS_EFLAGS), 0x202); /* NT is cleared in what it leaves */
    assert_int_equal(get(cpu, TSS_B + TSS_EIP), 0x5007);
}

static void test_gate_with_error_code(void **state)
{
    struct fake_cpu *cpu = *state;
    const struct virt_event event = {.type = VIRT_EVENT_HARDWARE_EXCEPTION,
                                     .vector = EXCEPTION_GP,
                                     .has_error_code = true,
                                     .error_code = 0x5678};

    assert_int_equal(switch_to(cpu, SELECT_B, TASK_SWITCH_TASK_GATE, &event), EMULATE_DONE);
    check_in_b(cpu);
    check_saved_a(cpu, 0x4000);
    assert_int_equal(cpu->registers[REGISTER_RSP], STACK - 4);
    assert_int_equal(get(cpu, STACK - 4), 0x5678);
    assert_int_equal(cpu->mode.rflags, 0x202 | RFLAGS_NT);
}

static void test_gate_by_software_interrupt(void **state)
{
    struct fake_cpu *cpu = *state;
    const struct virt_event event = {
        .type = VIRT_EVENT_SOFTWARE_INTERRUPT, .vector = 0x40, .instruction_length = 2};

    assert_int_equal(switch_to(cpu, SELECT_B, TASK_SWITCH_TASK_GATE, &event), EMULATE_DONE);
    check_saved_a(cpu, 0x4002);
    assert_int_equal(cpu->registers[REGISTER_RSP], STACK);
}

static void test_debug_trap(void **state)
{
    struct fake_cpu *cpu = *state;

    *fake_cpu_ram(cpu, TSS_B + TSS_TRAP) = 1;
    assert_int_equal(switch_to(cpu, SELECT_B, TASK_SWITCH_JMP, NULL), EMULATE_DONE);
    assert_int_equal(cpu->injected, 1);
    assert_int_equal(cpu->event.vector, EXCEPTION_DB);
    assert_int_equal(cpu->registers[REGISTER_DR6], 0x8000);
}

static void check_refused(struct fake_cpu *cpu, enum task_switch_source source, uint16_t selector,
                          unsigned vector, unsigned error_code)
{
    assert_int_equal(switch_to(cpu, selector, source, NULL), EMULATE_FAULT);
    assert_int_equal(cpu->context.fault.vector, vector);
    assert_int_equal(cpu->context.fault.error_code, error_code);
    /* Nothing has happened. */
    assert_int_equal(cpu->mode.rip, 0x4000);
    assert_int_equal(cpu->segments[SEGMENT_TR].selector, SELECT_A);
    assert_int_equal(get(cpu, TSS_A + TSS_EIP), 0);
}

static void test_refused(void **state)
{
    struct fake_cpu *cpu = *state;

    check_refused(cpu, TASK_SWITCH_JMP, SELECT_A, EXCEPTION_GP, SELECT_A);  /* busy */
    check_refused(cpu, TASK_SWITCH_IRET, SELECT_B, EXCEPTION_TS, SELECT_B); /* not busy */
    check_refused(cpu, TASK_SWITCH_JMP, DATA, EXCEPTION_GP, DATA);
    check_refused(cpu, TASK_SWITCH_JMP, SELECT_B | 4, EXCEPTION_GP, SELECT_B | 4); /* LDT */
    check_refused(cpu, TASK_SWITCH_CALL, 0x30, EXCEPTION_GP, 0x30); /* beyond the limit */
    check_refused(cpu, TASK_SWITCH_CALL, 0, EXCEPTION_GP, 0);
    put_descriptor(cpu, SELECT_B, TSS_B, 0x66, TYPE_AVAILABLE);
    check_refused(cpu, TASK_SWITCH_CALL, SELECT_B, EXCEPTION_TS, SELECT_B);
    put_descriptor(cpu, SELECT_B, TSS_B, 0x67, TYPE_AVAILABLE & ~SEGMENT_P);
    check_refused(cpu, TASK_SWITCH_CALL, SELECT_B, EXCEPTION_NP, SELECT_B);
    put_descriptor(cpu, SELECT_B, TSS_B, 0x67, 0x81);
    assert_int_equal(switch_to(cpu, SELECT_B, TASK_SWITCH_JMP, NULL), EMULATE_UNDECODABLE);
}

static void check_fault_in_b(struct fake_cpu *cpu, unsigned vector, unsigned error_code)
{
    assert_int_equal(switch_to(cpu, SELECT_B, TASK_SWITCH_JMP, NULL), EMULATE_DONE);
    assert_int_equal(cpu->injected, 1);
    assert_int_equal(cpu->event.vector, vector);
    assert_int_equal(cpu->event.error_code, error_code);
    assert_int_equal(cpu->mode.rip, 0x5000);
    assert_int_equal(cpu->segments[SEGMENT_TR].selector, SELECT_B);
}

static void test_bad_stack_in_new_task(void **state)
{
    put(*state, TSS_B + TSS_SS, CODE);
    check_fault_in_b(*state, EXCEPTION_TS, CODE);
}

static void test_absent_code_in_new_task(void **state)
{
    put_descriptor(*state, OTHER, 0, 0xfffff, 0xc01b);
    put(*state, TSS_B + TSS_CS, OTHER);
    check_fault_in_b(*state, EXCEPTION_NP, OTHER);
}

static void test_bad_ldt_in_new_task(void **state)
{
    put(*state, TSS_B + TSS_LDT, DATA);
    check_fault_in_b(*state, EXCEPTION_TS, DATA);
}

static void test_virtual_8086(void **state)
{
    struct fake_cpu *cpu = *state;

    put(cpu, TSS_B + TSS_EFLAGS, 0x202 | RFLAGS_VM);
    put(cpu, TSS_B + TSS_CS, 0x1234);
    assert_int_equal(switch_to(cpu, SELECT_B, TASK_SWITCH_JMP, NULL), EMULATE_DONE);
    assert_int_equal(cpu->segments[SEGMENT_CS].base, 0x12340);
    assert_int_equal(cpu->segments[SEGMENT_CS].limit, 0xffff);
    assert_int_equal(cpu->segments[SEGMENT_CS].attributes, 0xf3);
    assert_int_equal(cpu->injected, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_jump),
        TEST(test_call_and_return),
        TEST(test_gate_with_error_code),
        TEST(test_gate_by_software_interrupt),
        TEST(test_debug_trap),
        TEST(test_refused),
        TEST(test_bad_stack_in_new_task),
        TEST(test_absent_code_in_new_task),
        TEST(test_bad_ldt_in_new_task),
        TEST(test_virtual_8086),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
