/*
 * CPUID, and that what it denies is really not there.
 */
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

#define BIT(n) (1u << (n))

TEST(cpuid_hypervisor)
{
    SKIP_UNLESS(under_innkeeper(), "not Innkeeper's guest");
    struct cpuid features = cpuid(1, 0);
    CHECK((features.ecx & BIT(31)) != 0);    /* hypervisor */
    CHECK((features.ecx & BIT(5)) == 0);     /* VMX */
    CHECK((features.ecx & BIT(6)) == 0);     /* SMX */
    CHECK((features.ecx & BIT(21)) != 0);    /* x2APIC */
    CHECK((features.edx & BIT(9)) != 0);     /* APIC */
    CHECK((cpuid(7, 0).ecx & BIT(16)) == 0); /* LA57 */
    CHECK(cpuid(0x40000000, 0).eax >= 0x40000000);
    CHECK_EQUAL(cpuid(10, 0).eax & 0xff, 0); /* no performance counters */
}

TEST(cpuid_unknown_leaf)
{
    uint32_t last = cpuid(0, 0).eax;
    struct cpuid expected = cpuid(last, 0);
    struct cpuid got = cpuid(last + 1000, 0);

    CHECK_EQUAL(got.eax, expected.eax);
    CHECK_EQUAL(got.ebx, expected.ebx);
    CHECK_EQUAL(got.ecx, expected.ecx);
    CHECK_EQUAL(got.edx, expected.edx);
    CHECK(cpuid(0x80000000, 0).eax >= 0x80000008);
}

TEST(cpuid_clears_upper_halves)
{
    uint64_t rax = UINT64_C(0xaaaaaaaa00000000);
    uint64_t rbx = UINT64_MAX;
    uint64_t rcx = UINT64_C(0xbbbbbbbb00000000);
    uint64_t rdx = UINT64_MAX;

    __asm__ volatile("cpuid" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx));
    CHECK_EQUAL((rax | rbx | rcx | rdx) >> 32, 0);
}

TEST(cpuid_keeps_other_registers)
{
    register uint64_t rsi __asm__("rsi") = UINT64_C(0x1111222233334444);
    register uint64_t rbp_copy __asm__("r12") = UINT64_C(0x5555666677778888);
    register uint64_t r8 __asm__("r8") = UINT64_C(0x9999aaaabbbbcccc);
    register uint64_t r15 __asm__("r15") = UINT64_C(0xddddeeeeffff0000);
    uint32_t eax = 0;

    __asm__ volatile("cpuid"
                     : "+a"(eax), "+r"(rsi), "+r"(rbp_copy), "+r"(r8), "+r"(r15)
                     :
                     : "rbx", "rcx", "rdx");
    CHECK_EQUAL(rsi, UINT64_C(0x1111222233334444));
    CHECK_EQUAL(rbp_copy, UINT64_C(0x5555666677778888));
    CHECK_EQUAL(r8, UINT64_C(0x9999aaaabbbbcccc));
    CHECK_EQUAL(r15, UINT64_C(0xddddeeeeffff0000));
}

TEST(cpuid_apic_id)
{
    uint32_t id = lapic_read(LAPIC_ID) >> 24;

    CHECK_EQUAL(cpuid(1, 0).ebx >> 24, id);
    if (cpuid(0, 0).eax >= 0xb && cpuid(0xb, 0).ebx != 0) {
        CHECK_EQUAL(cpuid(0xb, 0).edx, id);
    }
}

TEST(cpuid_osxsave_follows_cr4)
{
    SKIP_UNLESS((cpuid(1, 0).ecx & BIT(26)) != 0, "no XSAVE");
    uint64_t cr4 = read_cr4();
    uint32_t low;
    uint32_t high;
    write_cr4(cr4 & ~CR4_OSXSAVE);
    CHECK((cpuid(1, 0).ecx & BIT(27)) == 0);
    /* Without CR4.OSXSAVE these are #UD, even with values that are #GP otherwise. */
    CHECK_EQUAL(TRY("xgetbv", OUT("=a"(low), "=d"(high)), IN("c"(0))), EXCEPTION_UD);
    CHECK_EQUAL(TRY("xsetbv", OUT(), IN("a"(0), "d"(0), "c"(0))), EXCEPTION_UD);
    CHECK_EQUAL(TRY("xsetbv", OUT(), IN("a"(7), "d"(0), "c"(99))), EXCEPTION_UD);
    write_cr4(cr4 | CR4_OSXSAVE);
    CHECK((cpuid(1, 0).ecx & BIT(27)) != 0);
    CHECK_EQUAL(TRY("xgetbv", OUT("=a"(low), "=d"(high)), IN("c"(0))), NO_TRAP);
    write_cr4(cr4);
}

static int try_xsetbv(uint32_t index, uint64_t value)
{
    return TRY("xsetbv", OUT(), IN("a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(index)));
}

TEST(xsetbv)
{
    SKIP_UNLESS((cpuid(1, 0).ecx & BIT(26)) != 0, "no XSAVE");
    uint64_t cr4 = read_cr4();
    struct cpuid leaf = cpuid(0xd, 0);
    uint64_t supported = (uint64_t)leaf.edx << 32 | leaf.eax;
    write_cr4(cr4 | CR4_OSXSAVE);
    CHECK_EQUAL(supported & 3, 3);
    CHECK_EQUAL(try_xsetbv(0, 0), EXCEPTION_GP); /* x87 is always on */
    CHECK_EQUAL(try_xsetbv(0, 2), EXCEPTION_GP);
    CHECK_EQUAL(try_xsetbv(0, 5), EXCEPTION_GP); /* AVX without SSE */
    CHECK_EQUAL(trap.error_code, 0);
    CHECK_EQUAL(try_xsetbv(0, UINT64_C(1) << 63 | 1), EXCEPTION_GP);
    CHECK_EQUAL(try_xsetbv(1, 1), EXCEPTION_GP);
    CHECK_EQUAL(try_xsetbv(0, ~supported | 3), EXCEPTION_GP);
    CHECK_EQUAL(try_xsetbv(0, 1), NO_TRAP);
    CHECK_EQUAL(xgetbv(0), 1);
    /* EBX is the size of what is enabled now. */
    CHECK_EQUAL(cpuid(0xd, 0).ebx, 576);
    CHECK_EQUAL(try_xsetbv(0, 3), NO_TRAP);
    if ((supported & 4) != 0) {
        CHECK_EQUAL(try_xsetbv(0, 7), NO_TRAP);
        CHECK_EQUAL(xgetbv(0), 7);
        CHECK_EQUAL(cpuid(0xd, 0).ebx, cpuid(0xd, 2).ebx + cpuid(0xd, 2).eax);
    }
    CHECK_EQUAL(try_xsetbv(0, supported), NO_TRAP);
    CHECK_EQUAL(cpuid(0xd, 0).ebx, leaf.ecx);
    CHECK_EQUAL(try_xsetbv(0, 3), NO_TRAP);
    write_cr4(cr4);
}

/* An instruction must be #UD exactly where its CPUID bit is clear. */
static void check_feature(bool present, int vector)
{
    CHECK_EQUAL(vector == EXCEPTION_UD, !present);
}

TEST(absent_features_fault)
{
    uint32_t value;
    uint32_t high;
    uint32_t aux;
    uint64_t descriptor[2] = {0, 0};
    struct cpuid one = cpuid(1, 0);
    struct cpuid seven = cpuid(7, 0);

    check_feature((one.ecx & BIT(3)) != 0,
                  TRY("monitor", OUT(), IN("a"(descriptor), "c"(0), "d"(0))));
    check_feature((one.ecx & BIT(30)) != 0, TRY("rdrand %0", OUT("=r"(value)), IN()));
    check_feature((seven.ebx & BIT(18)) != 0, TRY("rdseed %0", OUT("=r"(value)), IN()));
    check_feature((seven.ebx & BIT(10)) != 0,
                  TRY("invpcid %0, %1", OUT(), IN("m"(descriptor), "r"(UINT64_C(2)))));
    check_feature((cpuid(0x80000001, 0).edx & BIT(27)) != 0,
                  TRY("rdtscp", OUT("=a"(value), "=d"(high), "=c"(aux)), IN()));
}

TEST(vmx_instructions)
{
    SKIP_UNLESS((read_cr4() & CR4_VMXE) == 0, "VMX is on");
    uint64_t memory[2] = {0, 0};
    uint64_t value = 0;
    CHECK_EQUAL(TRY("vmxon %0", OUT(), IN("m"(memory[0]))), EXCEPTION_UD);
    CHECK_EQUAL(TRY("vmxoff", OUT(), IN()), EXCEPTION_UD);
    CHECK_EQUAL(TRY("vmclear %0", OUT(), IN("m"(memory[0]))), EXCEPTION_UD);
    CHECK_EQUAL(TRY("vmptrld %0", OUT(), IN("m"(memory[0]))), EXCEPTION_UD);
    CHECK_EQUAL(TRY("vmptrst %0", OUT("=m"(memory[0])), IN()), EXCEPTION_UD);
    CHECK_EQUAL(TRY("vmread %0, %0", OUT("+r"(value)), IN()), EXCEPTION_UD);
    CHECK_EQUAL(TRY("vmwrite %0, %0", OUT("+r"(value)), IN()), EXCEPTION_UD);
    CHECK_EQUAL(TRY("vmlaunch", OUT(), IN()), EXCEPTION_UD);
    CHECK_EQUAL(TRY("vmresume", OUT(), IN()), EXCEPTION_UD);
    CHECK_EQUAL(TRY("invept %0, %1", OUT(), IN("m"(memory), "r"(UINT64_C(1)))), EXCEPTION_UD);
    CHECK_EQUAL(TRY("invvpid %0, %1", OUT(), IN("m"(memory), "r"(UINT64_C(2)))), EXCEPTION_UD);
    if (under_innkeeper()) {
        CHECK_EQUAL(TRY("vmfunc", OUT(), IN("a"(0), "c"(0))), EXCEPTION_UD);
        CHECK_EQUAL(TRY("getsec", OUT(), IN("a"(0))), EXCEPTION_UD);
    }
}

TEST(cache_control)
{
    CHECK_EQUAL(TRY("wbinvd", OUT(), IN()), NO_TRAP);
    CHECK_EQUAL(TRY("invd", OUT(), IN()), NO_TRAP);
}
