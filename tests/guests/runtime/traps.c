#include "tests/guests/runtime/traps.h"

#include "tests/guests/runtime/devices.h"

#define STACK_SIZE     4096u
#define GATE_INTERRUPT 0x8eu
#define GATE_USER      0xeeu
#define IST_NMI        1
#define IST_DF         2

uint64_t trap_resume;
uint64_t trap_resume_rsp;
volatile struct caught_trap trap;
volatile unsigned interrupt_count[256];
volatile unsigned last_vector;
volatile uint64_t last_interrupt_rip;

extern const uint8_t trap_stubs[];
void trap_dispatch(struct trap_frame *frame);
void enter_ring(uint64_t rip, uint64_t cs, uint64_t rflags, uint64_t rsp, uint64_t ss);

static trap_handler handlers[256];
static uint8_t trap_stacks[4][STACK_SIZE] __attribute__((aligned(16)));
static uint8_t ring_stack[STACK_SIZE] __attribute__((aligned(16)));

struct idt_gate idt[256] __attribute__((aligned(4096)));
struct task_state tss __attribute__((aligned(128)));

uint64_t gdt[GDT_SLOTS] __attribute__((aligned(4096))) = {
    [KERNEL_CS / 8] = 0x00af9b000000ffff, [KERNEL_DS / 8] = 0x00cf93000000ffff,
    [CODE32 / 8] = 0x00cf9b000000ffff,    [CODE16 / 8] = 0x00009b010000ffff,
    [DATA16 / 8] = 0x000093010000ffff,    [USER_DS / 8] = 0x00cff3000000ffff,
    [USER_CS / 8] = 0x00affb000000ffff,   [USER_CS32 / 8] = 0x00cffb000000ffff,
    [RING1_CS / 8] = 0x00afbb000000ffff,  [RING1_DS / 8] = 0x00cfb3000000ffff,
    [RING2_CS / 8] = 0x00afdb000000ffff,  [RING2_DS / 8] = 0x00cfd3000000ffff,
};

void set_handler(unsigned vector, trap_handler handler)
{
    handlers[vector] = handler;
}

void trap_dispatch(struct trap_frame *frame)
{
    if (handlers[frame->vector] != NULL) {
        handlers[frame->vector](frame);
        return;
    }
    if (trap_resume == 0) {
        print("unexpected vector %lu, error code 0x%lx, rip 0x%lx, cs 0x%lx, cr2 0x%lx\n",
              frame->vector, frame->error_code, frame->rip, frame->cs, read_cr2());
        check_failed(__FILE__, __LINE__, "no unexpected exception", 0, 0, false);
        exit_guest(1);
    }
    trap.vector = (int)frame->vector;
    trap.error_code = frame->error_code;
    trap.rip = frame->rip;
    trap.cr2 = read_cr2();
    trap.rflags = frame->rflags;
    trap.rsp = frame->rsp;
    trap.cs = (uint16_t)frame->cs;
    frame->rip = trap_resume;
    frame->rflags &= ~(uint64_t)(RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_AC | RFLAGS_NT);
    trap_resume = 0;
    if (frame->cs != KERNEL_CS) {
        frame->cs = KERNEL_CS;
        frame->ss = KERNEL_DS;
        frame->rsp = trap_resume_rsp;
    }
}

void count_interrupt(struct trap_frame *frame)
{
    interrupt_count[frame->vector]++;
    last_vector = (unsigned)frame->vector;
    last_interrupt_rip = frame->rip;
    end_of_interrupt((unsigned)frame->vector);
}

static uint64_t ring_flags(uint64_t rflags)
{
    return rflags | RFLAGS_FIXED1;
}

int run_in_ring(unsigned ring, void (*code)(void), uint64_t rflags)
{
    static const uint16_t code_selectors[4] = {0, RING1_CS, RING2_CS, USER_CS};
    static const uint16_t data_selectors[4] = {0, RING1_DS, RING2_DS, USER_DS};
    uint64_t alias = ring == 3 ? USER_ALIAS : 0;

    trap.vector = NO_TRAP;
    enter_ring((uint64_t)(uintptr_t)code + alias, code_selectors[ring], ring_flags(rflags),
               (uint64_t)(uintptr_t)(ring_stack + STACK_SIZE) + alias, data_selectors[ring]);
    return trap.vector;
}

int run_in_compatibility_mode(void (*code)(void), uint64_t rflags)
{
    trap.vector = NO_TRAP;
    enter_ring(user_address(code), USER_CS32, ring_flags(rflags),
               user_address(ring_stack + STACK_SIZE), USER_DS);
    return trap.vector;
}

void load_descriptor_tables(void)
{
    const struct table_pointer gdt_pointer = {sizeof(gdt) - 1, (uint64_t)(uintptr_t)gdt};
    const struct table_pointer idt_pointer = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};
    uint64_t base = (uint64_t)(uintptr_t)&tss;

    /* An available 64-bit TSS: loading it marks it busy, so it is written anew. */
    gdt[TSS / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | UINT64_C(0x89) << 40 |
                   (base >> 24 & 0xff) << 56;
    gdt[TSS / 8 + 1] = base >> 32;
    load_gdt(&gdt_pointer);
    load_idt(&idt_pointer);
    load_tr(TSS);
    load_ldt(0); /* RESET leaves one in force */
}

void traps_init(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t stub = (uint64_t)(uintptr_t)trap_stubs + 16 * (uint64_t)i;

        idt[i] = (struct idt_gate){.offset_low = (uint16_t)stub,
                                   .selector = KERNEL_CS,
                                   .type = GATE_INTERRUPT,
                                   .offset_middle = (uint16_t)(stub >> 16),
                                   .offset_high = (uint32_t)(stub >> 32)};
    }
    idt[RETURN_VECTOR].type = GATE_USER;
    idt[EXCEPTION_BP].type = GATE_USER;
    idt[EXCEPTION_NMI].ist = IST_NMI;
    idt[EXCEPTION_DF].ist = IST_DF;
    for (unsigned i = 0; i < 3; i++) {
        /* All on one: code of the other rings never nests. */
        tss.rsp[i] = (uint64_t)(uintptr_t)trap_stacks[0] + STACK_SIZE;
    }
    tss.ist[IST_NMI - 1] = (uint64_t)(uintptr_t)trap_stacks[1] + STACK_SIZE;
    tss.ist[IST_DF - 1] = (uint64_t)(uintptr_t)trap_stacks[2] + STACK_SIZE;
    tss.io_bitmap = sizeof(tss);
    load_descriptor_tables();
}
