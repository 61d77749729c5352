/*
 * Control and debug registers: values that hold, values that fault, and single-stepping.
 */
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

#define TRY_CR(number, value) TRY("movq %0, %%cr" #number, OUT(), IN("r"((uint64_t)(value))))
#define TRY_DR(number, value) TRY("movq %0, %%dr" #number, OUT(), IN("r"((uint64_t)(value))))

#define DR6_FIXED UINT64_C(0xffff0ff0)
#define DR6_DATA  UINT64_C(0xe00f) /* B0-B3, BD, BS, BT */
#define DR6_BD    UINT64_C(0x2000)
#define DR6_BS    UINT64_C(0x4000)
#define DR7_FIXED UINT64_C(0x400)
#define DR7_GD    UINT64_C(0x2000)

TEST(cr0_faults)
{
    uint64_t cr0 = read_cr0();

    CHECK_EQUAL(TRY_CR(0, cr0 & ~CR0_PE), EXCEPTION_GP);            /* PG without PE */
    CHECK_EQUAL(TRY_CR(0, (cr0 & ~CR0_CD) | CR0_NW), EXCEPTION_GP); /* NW without CD */
    CHECK_EQUAL(TRY_CR(0, cr0 | UINT64_C(1) << 32), EXCEPTION_GP);
    CHECK_EQUAL(TRY_CR(0, cr0 & ~CR0_PG), EXCEPTION_GP); /* in 64-bit code */
    CHECK_EQUAL(trap.error_code, 0);
    CHECK_EQUAL(read_cr0(), cr0);
}

TEST(cr0_bits)
{
    static const uint64_t bits[] = {CR0_CD, CR0_CD | CR0_NW, CR0_TS, CR0_MP,
                                    CR0_EM, CR0_WP,          CR0_AM, CR0_NE};
    uint64_t cr0 = read_cr0();

    for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        uint64_t value = cr0 ^ bits[i];

        CHECK_EQUAL(TRY_CR(0, value), NO_TRAP);
        CHECK_EQUAL(read_cr0(), value);
        write_cr0(cr0);
        CHECK_EQUAL(read_cr0(), cr0);
    }
    /* ET cannot be cleared, reserved bits of the low half cannot be set. */
    CHECK_EQUAL(TRY_CR(0, (cr0 & ~CR0_ET) | 0x40), NO_TRAP);
    CHECK_EQUAL(read_cr0(), cr0);
}

TEST(cr0_ts)
{
    uint64_t cr0 = read_cr0();
    uint16_t word;

    write_cr0((cr0 & ~CR0_EM) | CR0_TS | CR0_MP);
    CHECK_EQUAL(TRY("fninit", OUT(), IN()), EXCEPTION_NM);
    CHECK_EQUAL(TRY("wait", OUT(), IN()), EXCEPTION_NM);
    __asm__ volatile("clts");
    CHECK_EQUAL(read_cr0() & CR0_TS, 0);
    CHECK_EQUAL(TRY("fninit", OUT(), IN()), NO_TRAP);
    /* LMSW sets TS, EM, MP and PE, but does not clear PE. */
    __asm__ volatile("lmsw %w0" : : "r"((uint32_t)(CR0_TS)));
    CHECK_EQUAL(read_cr0() & 0xf, CR0_TS | CR0_PE);
    word = (uint16_t)(CR0_MP | CR0_PE);
    __asm__ volatile("lmsw %0" : : "m"(word));
    CHECK_EQUAL(read_cr0() & 0xf, CR0_MP | CR0_PE);
    __asm__ volatile("smsw %0" : "=m"(word));
    CHECK_EQUAL(word, (uint16_t)read_cr0());
    write_cr0(cr0);
}

TEST(cr3_reserved_bits)
{
    unsigned bits = cpuid(0x80000008, 0).eax & 0xff;
    uint64_t cr3 = read_cr3();

    CHECK(bits >= 36 && bits <= 52);
    if (bits < 52) {
        CHECK_EQUAL(TRY_CR(3, cr3 | UINT64_C(1) << 51), EXCEPTION_GP);
    }
    CHECK_EQUAL(TRY_CR(3, cr3 | UINT64_C(1) << 62), EXCEPTION_GP);
    CHECK_EQUAL(TRY_CR(3, cr3 | 0x18), NO_TRAP); /* PWT, PCD */
    CHECK_EQUAL(read_cr3(), cr3 | 0x18);
    write_cr3(cr3);
}

TEST(cr4_faults)
{
    uint64_t cr4 = read_cr4();

    CHECK_EQUAL(TRY_CR(4, cr4 & ~CR4_PAE), EXCEPTION_GP); /* in long mode */
    CHECK_EQUAL(TRY_CR(4, cr4 | UINT64_C(1) << 15), EXCEPTION_GP);
    CHECK_EQUAL(TRY_CR(4, cr4 | UINT64_C(1) << 31), EXCEPTION_GP);
    CHECK_EQUAL(TRY_CR(4, cr4 | UINT64_C(1) << 63), EXCEPTION_GP);
    CHECK_EQUAL(TRY_CR(4, cr4 | CR4_LA57), EXCEPTION_GP);
    if (under_innkeeper()) {
        CHECK_EQUAL(TRY_CR(4, cr4 | CR4_VMXE), EXCEPTION_GP);
        CHECK_EQUAL(TRY_CR(4, cr4 | CR4_SMXE), EXCEPTION_GP);
    }
    CHECK_EQUAL(read_cr4(), cr4);
}

/* A bit may be set exactly if CPUID has its feature. */
TEST(cr4_follows_cpuid)
{
    struct cpuid one = cpuid(1, 0);
    struct cpuid seven = cpuid(7, 0);
    const struct {
        uint64_t bit;
        bool allowed;
    } bits[] = {
        {CR4_VME, one.edx & 1u << 1},
        {CR4_PVI, one.edx & 1u << 1},
        {CR4_TSD, one.edx & 1u << 4},
        {CR4_DE, one.edx & 1u << 2},
        {CR4_PSE, one.edx & 1u << 3},
        {CR4_MCE, one.edx & 1u << 7},
        {CR4_PGE, one.edx & 1u << 13},
        {CR4_UMIP, seven.ecx & 1u << 2},
        {CR4_FSGSBASE, seven.ebx & 1u},
        {CR4_PCIDE, one.ecx & 1u << 17},
        {CR4_OSXSAVE, one.ecx & 1u << 26},
        {CR4_PKE, seven.ecx & 1u << 3},
        {CR4_CET, (seven.ecx & 1u << 7) || (seven.edx & 1u << 20)},
    };
    uint64_t cr4 = read_cr4();

    for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        int vector = TRY_CR(4, cr4 | bits[i].bit);

        if (vector != (bits[i].allowed ? NO_TRAP : EXCEPTION_GP)) {
            CHECK_EQUAL(bits[i].bit, bits[i].allowed);
        }
        CHECK_EQUAL(read_cr4(), vector == NO_TRAP ? cr4 | bits[i].bit : cr4);
        write_cr4(cr4);
    }
}

TEST(cr8)
{
    for (unsigned i = 0; i < 16; i++) {
        write_cr8(i);
        CHECK_EQUAL(read_cr8(), i);
        CHECK_EQUAL(lapic_read(LAPIC_TPR), i << 4);
    }
    CHECK_EQUAL(TRY_CR(8, 16), EXCEPTION_GP);
    CHECK_EQUAL(TRY_CR(8, UINT64_C(1) << 32), EXCEPTION_GP);
    lapic_write(LAPIC_TPR, 0x5a);
    CHECK_EQUAL(read_cr8(), 5);
    write_cr8(0);
}

TEST(absent_control_registers)
{
    uint64_t value = 0;

    CHECK_EQUAL(TRY("movq %%cr1, %0", OUT("=r"(value)), IN()), EXCEPTION_UD);
    CHECK_EQUAL(TRY("movq %%cr5, %0", OUT("=r"(value)), IN()), EXCEPTION_UD);
    CHECK_EQUAL(TRY("movq %0, %%cr9", OUT(), IN("r"(value))), EXCEPTION_UD);
}

TEST(debug_registers_keep_values)
{
    write_dr0(0x1111);
    write_dr1(UINT64_C(0xffff800012345678));
    write_dr2(0x3333);
    write_dr3(0x4444);
    write_dr7(DR7_FIXED | 0xf0f00000); /* conditions and lengths, nothing enabled */
    for (unsigned i = 0; i < 20; i++) {
        cpuid(0, 0);
        inb(0x61);
    }
    CHECK_EQUAL(read_dr0(), 0x1111);
    CHECK_EQUAL(read_dr1(), UINT64_C(0xffff800012345678));
    CHECK_EQUAL(read_dr2(), 0x3333);
    CHECK_EQUAL(read_dr3(), 0x4444);
    CHECK_EQUAL(read_dr7(), DR7_FIXED | 0xf0f00000);
    write_dr6(0);
    CHECK_EQUAL(read_dr6() & ~(UINT64_C(1) << 11), DR6_FIXED & ~(UINT64_C(1) << 11));
    write_dr6(DR6_FIXED | DR6_DATA);
    CHECK_EQUAL(read_dr6() & DR6_DATA, DR6_DATA);
    write_dr6(DR6_FIXED);
    write_dr7(DR7_FIXED);
    CHECK_EQUAL(TRY_DR(6, UINT64_C(1) << 32), EXCEPTION_GP);
    CHECK_EQUAL(TRY_DR(7, UINT64_C(1) << 32), EXCEPTION_GP);
}

TEST(debug_register_aliases)
{
    uint64_t cr4 = read_cr4();
    uint64_t value = 0;

    write_cr4(cr4 & ~CR4_DE);
    CHECK_EQUAL(TRY("movq %%dr4, %0", OUT("=r"(value)), IN()), NO_TRAP);
    CHECK_EQUAL(value, read_dr6());
    CHECK_EQUAL(TRY("movq %%dr5, %0", OUT("=r"(value)), IN()), NO_TRAP);
    CHECK_EQUAL(value, read_dr7());
    write_cr4(cr4 | CR4_DE);
    CHECK_EQUAL(TRY("movq %%dr4, %0", OUT("=r"(value)), IN()), EXCEPTION_UD);
    CHECK_EQUAL(TRY("movq %0, %%dr5", OUT(), IN("r"(value))), EXCEPTION_UD);
    write_cr4(cr4);
}

TEST(general_detect)
{
    uint64_t value = 0;

    write_dr6(DR6_FIXED);
    write_dr7(DR7_FIXED | DR7_GD);
    /* The handler itself finds GD cleared, so it can look. */
    CHECK_EQUAL(TRY("movq %%dr0, %0", OUT("=r"(value)), IN()), EXCEPTION_DB);
    CHECK_EQUAL(read_dr7(), DR7_FIXED);
    CHECK_EQUAL(read_dr6() & (DR6_BD | DR6_BS), DR6_BD);
    write_dr6(DR6_FIXED);
}

TEST(data_breakpoint)
{
    static volatile uint32_t watched;

    write_dr6(DR6_FIXED);
    write_dr0((uint64_t)(uintptr_t)&watched);
    write_dr7(DR7_FIXED | 0xd0002); /* global, write, four bytes */
    cpuid(0, 0);
    CHECK_EQUAL(TRY("movl $5, %0; nop", OUT("=m"(watched)), IN()), EXCEPTION_DB);
    CHECK_EQUAL(watched, 5);
    CHECK_EQUAL(read_dr6() & 0xf, 1);
    write_dr7(DR7_FIXED);
    write_dr6(DR6_FIXED);
}

/* An instruction breakpoint on an instruction that exits: hit once, then stepped over with RF. */
static unsigned breakpoints;
static void skip_breakpoint(struct trap_frame *frame)
{
    breakpoints++;
    frame->rflags |= RFLAGS_RF;
}

TEST(instruction_breakpoint)
{
    uint32_t eax = 0;

    breakpoints = 0;
    set_handler(EXCEPTION_DB, skip_breakpoint);
    write_dr6(DR6_FIXED);
    __asm__ volatile("leaq 1f(%%rip), %%rbx; movq %%rbx, %%dr1; movl $0x408, %%ebx;"
                     "movq %%rbx, %%dr7; 1: cpuid"
                     : "+a"(eax)
                     :
                     : "rbx", "rcx", "rdx", "memory");
    write_dr7(DR7_FIXED);
    set_handler(EXCEPTION_DB, NULL);
    CHECK_EQUAL(breakpoints, 1);
    CHECK_EQUAL(read_dr6() & 0xf, 2);
    write_dr6(DR6_FIXED);
}

static unsigned steps;
static uint64_t first_step;
static uint64_t step_dr6;
static void step(struct trap_frame *frame)
{
    if (steps++ == 0) {
        first_step = frame->rip;
        step_dr6 = read_dr6();
    }
    frame->rflags &= ~RFLAGS_TF;
}

/* Sets TF after `setup`; the trap has to come right after `instruction`, which may exit. */
#define CHECK_STEP(setup, instruction)                                         \
    do {                                                                       \
        uint64_t after;                                                        \
        steps = 0;                                                             \
        write_dr6(DR6_FIXED);                                                  \
        __asm__ volatile("leaq 1f(%%rip), %%r11; " setup                       \
                         "; pushfq; orl $0x100, (%%rsp); popfq; " instruction  \
                         "; 1: nop; nop; movq %%r11, %0"                       \
                         : "=r"(after)                                         \
                         :                                                     \
                         : "r11", "rax", "rbx", "rcx", "rdx", "memory", "cc"); \
        CHECK_EQUAL(steps, 1);                                                 \
        CHECK_EQUAL(first_step, after);                                        \
        CHECK_EQUAL(step_dr6 &(DR6_BS | 0xf), DR6_BS);                         \
    } while (0)

TEST(single_step)
{
    set_handler(EXCEPTION_DB, step);
    CHECK_STEP("", "nop");
    CHECK_STEP("xorl %%eax, %%eax", "cpuid");
    CHECK_STEP("movl $0x61, %%edx", "inb %%dx, %%al");
    CHECK_STEP("movl $0x80, %%edx", "outb %%al, %%dx");
    CHECK_STEP("movl $0x277, %%ecx", "rdmsr");
    CHECK_STEP("movl $0x277, %%ecx; rdmsr", "wrmsr");
    CHECK_STEP("movl $0x1b, %%ecx", "rdmsr");
    CHECK_STEP("movl $0xfec00000, %%ebx", "movl (%%rbx), %%eax");
    CHECK_STEP("movl $0xfee00020, %%ebx", "movl (%%rbx), %%eax");
    CHECK_STEP("movq %%cr0, %%rax", "movq %%rax, %%cr0");
    CHECK_STEP("movq %%cr4, %%rax; xorl $0x40000, %%eax", "movq %%rax, %%cr4");
    CHECK_STEP("movq %%cr4, %%rax; xorl $0x40000, %%eax", "movq %%rax, %%cr4");
    CHECK_STEP("movq %%cr3, %%rax", "movq %%rax, %%cr3");
    CHECK_STEP("xorl %%eax, %%eax", "movq %%rax, %%cr8");
    CHECK_STEP("", "movq %%dr0, %%rax");
    CHECK_STEP("", "wbinvd");
    CHECK_STEP("", "rdtsc");
    set_handler(EXCEPTION_DB, NULL);
    write_dr6(DR6_FIXED);
}
