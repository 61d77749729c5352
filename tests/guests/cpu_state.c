/*
 * What must survive exits, and exceptions as such.
 */
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

#define EXITS 50u

static void cause_exits(void)
{
    for (unsigned i = 0; i < EXITS; i++) {
        cpuid(0, 0);
        inb(0x61);
        ioapic_read(0);
    }
}

TEST(x87_state)
{
    static const double values[3] = {1.5, -2.25, 1e100};
    double got[3];
    uint16_t control = 0x0c7f; /* single precision, round to zero */
    uint16_t got_control;

    __asm__ volatile("fninit; fldcw %0; fldl %1; fldl %2; fldl %3"
                     :
                     : "m"(control), "m"(values[0]), "m"(values[1]), "m"(values[2]));
    cause_exits();
    __asm__ volatile("fnstcw %0; fstpl %1; fstpl %2; fstpl %3"
                     : "=m"(got_control), "=m"(got[2]), "=m"(got[1]), "=m"(got[0]));
    __asm__ volatile("fninit");
    CHECK_EQUAL(got_control, control);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQUAL(*(const uint64_t *)&got[i], *(const uint64_t *)&values[i]);
    }
}

TEST(sse_state)
{
    static const uint64_t pattern[4] = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210),
                                        UINT64_C(0xaaaa5555aaaa5555), UINT64_C(0x1122334455667788)};
    uint64_t got[4] = {0};
    uint32_t mxcsr = 0x3f80; /* round up, all masked */
    uint32_t got_mxcsr;

    __asm__ volatile("ldmxcsr %0; movdqu %1, %%xmm0; movdqu %2, %%xmm15"
                     :
                     : "m"(mxcsr), "m"(pattern[0]), "m"(pattern[2]));
    cause_exits();
    __asm__ volatile("stmxcsr %0; movdqu %%xmm0, %1; movdqu %%xmm15, %2"
                     : "=m"(got_mxcsr), "=m"(got[0]), "=m"(got[2])
                     :
                     : "memory");
    CHECK_EQUAL(got_mxcsr, mxcsr);
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQUAL(got[i], pattern[i]);
    }
}

TEST(avx_state)
{
    SKIP_UNLESS((cpuid(1, 0).ecx & 1u << 28) != 0, "no AVX");
    static const uint64_t pattern[4] = {1, 2, UINT64_C(0xdeadbeefcafebabe), 4};
    uint64_t cr4 = read_cr4();
    uint64_t got[4] = {0};
    write_cr4(cr4 | CR4_OSXSAVE);
    __asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
    __asm__ volatile("vmovdqu %0, %%ymm7" : : "m"(pattern[0]), "m"(pattern));
    cause_exits();
    __asm__ volatile("vmovdqu %%ymm7, %0" : "=m"(got[0]) : : "memory");
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQUAL(*(volatile uint64_t *)&got[i], pattern[i]);
    }
    CHECK_EQUAL(xgetbv(0), 7);
    /* Without AVX in XCR0 its instructions are gone. */
    __asm__ volatile("xsetbv" : : "a"(3), "d"(0), "c"(0));
    CHECK_EQUAL(TRY("vzeroupper", OUT(), IN()), EXCEPTION_UD);
    write_cr4(cr4);
}

TEST(cr2_survives)
{
    write_cr2(UINT64_C(0xffff812345678000));
    cause_exits();
    CHECK_EQUAL(read_cr2(), UINT64_C(0xffff812345678000));
}

TEST(flags_survive)
{
    uint64_t set = RFLAGS_CF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_DF | RFLAGS_OF | RFLAGS_SF;
    uint64_t got;

    __asm__ volatile("pushq %1; popfq; xchg %%eax, %%eax; inb $0x61, %%al; pushfq; popq %0; cld"
                     : "=r"(got)
                     : "r"(set | RFLAGS_FIXED1)
                     : "rax", "cc");
    CHECK_EQUAL(got & (set | RFLAGS_PF), set);
    write_rflags(read_rflags() | RFLAGS_ID | RFLAGS_AC);
    cpuid(0, 0);
    got = read_rflags();
    write_rflags(got & ~(uint64_t)(RFLAGS_ID | RFLAGS_AC));
    CHECK_EQUAL(got & (RFLAGS_ID | RFLAGS_AC), RFLAGS_ID | RFLAGS_AC);
}

TEST(exceptions)
{
    uint32_t eax = 1;
    uint32_t edx = 0;

    CHECK_EQUAL(TRY("divl %2", OUT("+a"(eax), "+d"(edx)), IN("r"(0))), EXCEPTION_DE);
    CHECK_EQUAL(TRY("ud2", OUT(), IN()), EXCEPTION_UD);
    CHECK_EQUAL(TRY("int3", OUT(), IN()), EXCEPTION_BP);
    CHECK_EQUAL(TRY(".byte 0xf1", OUT(), IN()), EXCEPTION_DB); /* INT1 */
    CHECK_EQUAL(TRY("int $4", OUT(), IN()), EXCEPTION_OF);
    CHECK_EQUAL(TRY("movq (%0), %0", OUT(), IN("r"(UINT64_C(1) << 47))), EXCEPTION_GP);
    CHECK_EQUAL(trap.error_code, 0);
    CHECK_EQUAL(TRY("pushq %%rbp; movq %0, %%rbp; movq (%%rbp), %%rax; 771: popq %%rbp", OUT(),
                    IN("r"(UINT64_C(1) << 47))),
                EXCEPTION_SS);
    CHECK_EQUAL(TRY("int $0x90", OUT(), IN()), 0x90);
}

TEST(fpu_exceptions)
{
    uint64_t cr0 = read_cr0();
    uint16_t control = 0x037b; /* division by zero not masked */
    uint32_t mxcsr = 0x1f80 & ~(1u << 9);

    write_cr0(cr0 | CR0_NE);
    __asm__ volatile("fninit; fldcw %0; fld1; fldz" : : "m"(control));
    CHECK_EQUAL(TRY("fdivrp; fwait", OUT(), IN()), EXCEPTION_MF);
    __asm__ volatile("fninit");
    write_cr0(cr0);
    __asm__ volatile("ldmxcsr %0; xorps %%xmm1, %%xmm1; pcmpeqd %%xmm0, %%xmm0; psrld $25, %%xmm0;"
                     "pslld $23, %%xmm0"
                     :
                     : "m"(mxcsr));
    CHECK_EQUAL(TRY("divps %%xmm1, %%xmm0", OUT(), IN()), EXCEPTION_XM);
    mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

TEST(double_fault)
{
    const struct idt_gate saved = idt[EXCEPTION_GP];

    /* A #GP whose gate is not present: #NP while delivering it is a double fault. */
    idt[EXCEPTION_GP].type = 0;
    int vector = TRY("movq (%0), %0", OUT(), IN("r"(UINT64_C(1) << 47)));
    idt[EXCEPTION_GP] = saved;
    CHECK_EQUAL(vector, EXCEPTION_DF);
    CHECK_EQUAL(trap.error_code, 0);
}
