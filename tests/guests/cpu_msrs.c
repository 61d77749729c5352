/*
 * Model-specific registers: what exists works, the rest faults.
 */
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

#define NON_CANONICAL (UINT64_C(1) << 47)

static int try_rdmsr(uint32_t index)
{
    uint32_t low = 0;
    uint32_t high = 0;

    return TRY("rdmsr", OUT("=a"(low), "=d"(high)), IN("c"(index)));
}

static int try_wrmsr(uint32_t index, uint64_t value)
{
    return TRY("wrmsr", OUT(), IN("c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))));
}

TEST(unknown_msrs_fault)
{
    static const uint32_t unknown[] = {0x2,        0x5ff,      0x1fff,     0x2000,
                                       0x12345678, 0x40000000, 0x4b564d02, 0xbfffffff,
                                       0xc0001fff, 0xc0002000, 0xffffffff};

    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        CHECK_EQUAL(try_rdmsr(unknown[i]), EXCEPTION_GP);
        CHECK_EQUAL(trap.error_code, 0);
        CHECK_EQUAL(try_wrmsr(unknown[i], 0), EXCEPTION_GP);
    }
}

TEST(vmx_msrs_are_hidden)
{
    SKIP_UNLESS(under_innkeeper(), "not Innkeeper's guest");
    for (uint32_t index = MSR_VMX_BASIC; index <= MSR_VMX_BASIC + 0x11; index++) {
        CHECK_EQUAL(try_rdmsr(index), EXCEPTION_GP);
    }
}

/* What the CPU says of its own speculation: read-only. */
TEST(arch_capabilities)
{
    bool offered = cpuid(0, 0).eax >= 7 && (cpuid(7, 0).edx & 1u << 29) != 0;

    SKIP_UNLESS(under_innkeeper(), "not Innkeeper's guest");
    CHECK_EQUAL(try_rdmsr(MSR_ARCH_CAPABILITIES), offered ? NO_TRAP : EXCEPTION_GP);
    CHECK_EQUAL(try_wrmsr(MSR_ARCH_CAPABILITIES, 0), EXCEPTION_GP);
}

TEST(efer)
{
    uint64_t efer = rdmsr(MSR_EFER);

    CHECK((efer & EFER_LMA) != 0);
    CHECK_EQUAL(try_wrmsr(MSR_EFER, efer ^ EFER_SCE), NO_TRAP);
    CHECK_EQUAL(rdmsr(MSR_EFER), efer ^ EFER_SCE);
    CHECK_EQUAL(try_wrmsr(MSR_EFER, efer), NO_TRAP);
    CHECK_EQUAL(rdmsr(MSR_EFER), efer);
    CHECK_EQUAL(try_wrmsr(MSR_EFER, efer & ~EFER_LMA), NO_TRAP); /* read-only, ignored */
    CHECK_EQUAL(rdmsr(MSR_EFER), efer);
    CHECK_EQUAL(try_wrmsr(MSR_EFER, efer & ~EFER_LME), EXCEPTION_GP); /* while paging */
    CHECK_EQUAL(try_wrmsr(MSR_EFER, efer | 2), EXCEPTION_GP);
    CHECK_EQUAL(try_wrmsr(MSR_EFER, efer | UINT64_C(1) << 32), EXCEPTION_GP);
    CHECK_EQUAL(rdmsr(MSR_EFER), efer);
}

TEST(pat)
{
    uint64_t pat = rdmsr(MSR_PAT);

    CHECK_EQUAL(try_wrmsr(MSR_PAT, UINT64_C(0x0001040506070001)), NO_TRAP);
    CHECK_EQUAL(rdmsr(MSR_PAT), UINT64_C(0x0001040506070001));
    CHECK_EQUAL(try_wrmsr(MSR_PAT, UINT64_C(0x0002040506070001)), EXCEPTION_GP);
    CHECK_EQUAL(try_wrmsr(MSR_PAT, UINT64_C(0x0001040506070008)), EXCEPTION_GP);
    CHECK_EQUAL(rdmsr(MSR_PAT), UINT64_C(0x0001040506070001));
    wrmsr(MSR_PAT, pat);
}

/* Registers with addresses: kept in full, and canonical only. */
TEST(address_msrs)
{
    static const uint32_t indexes[] = {MSR_LSTAR,       MSR_CSTAR,   MSR_SYSENTER_ESP,
                                       MSR_FS_BASE,     MSR_GS_BASE, MSR_KERNEL_GS_BASE,
                                       MSR_SYSENTER_EIP};

    for (unsigned i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
        uint64_t old = rdmsr(indexes[i]);

        CHECK_EQUAL(try_wrmsr(indexes[i], UINT64_C(0xffff8123456789ab)), NO_TRAP);
        cpuid(0, 0);
        CHECK_EQUAL(rdmsr(indexes[i]), UINT64_C(0xffff8123456789ab));
        CHECK_EQUAL(try_wrmsr(indexes[i], NON_CANONICAL), EXCEPTION_GP);
        wrmsr(indexes[i], old);
    }
}

TEST(plain_msrs)
{
    static const struct {
        uint32_t index;
        uint64_t value;
    } registers[] = {
        {MSR_STAR, UINT64_C(0x0123456789abcdef)},
        {MSR_SFMASK, UINT64_C(0x47700)},
        {MSR_SYSENTER_CS, UINT64_C(0x1234)},
        {MSR_TSC_AUX, UINT64_C(0x87654321)},
    };

    for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        if (registers[i].index == MSR_TSC_AUX && try_rdmsr(MSR_TSC_AUX) != NO_TRAP) {
            continue;
        }
        uint64_t old = rdmsr(registers[i].index);
        wrmsr(registers[i].index, registers[i].value);
        cpuid(0, 0);
        CHECK_EQUAL(rdmsr(registers[i].index), registers[i].value);
        wrmsr(registers[i].index, old);
    }
}

TEST(segment_base_msrs)
{
    static const uint64_t words[2] = {0x1111, 0x2222};
    uint64_t value;

    wrmsr(MSR_FS_BASE, (uint64_t)(uintptr_t)&words[0]);
    wrmsr(MSR_GS_BASE, (uint64_t)(uintptr_t)&words[0]);
    wrmsr(MSR_KERNEL_GS_BASE, (uint64_t)(uintptr_t)&words[1]);
    __asm__ volatile("movq %%fs:0, %0" : "=r"(value));
    CHECK_EQUAL(value, 0x1111);
    __asm__ volatile("swapgs; movq %%gs:0, %0" : "=r"(value));
    CHECK_EQUAL(value, 0x2222);
    cpuid(0, 0);
    CHECK_EQUAL(rdmsr(MSR_GS_BASE), (uint64_t)(uintptr_t)&words[1]);
    CHECK_EQUAL(rdmsr(MSR_KERNEL_GS_BASE), (uint64_t)(uintptr_t)&words[0]);
    __asm__ volatile("swapgs; movq %%gs:0, %0" : "=r"(value));
    CHECK_EQUAL(value, 0x1111);
}

TEST(tsc)
{
    uint64_t last = rdtsc();

    for (unsigned i = 0; i < 1000; i++) {
        if (i % 8 == 0) {
            cpuid(0, 0);
        }
        uint64_t now = rdtsc();
        if (now < last) {
            CHECK_EQUAL(now, last);
            break;
        }
        last = now;
    }
    uint64_t read = rdmsr(MSR_TSC);
    CHECK(read >= last);
    CHECK(rdtsc() - read < tsc_per_ms * 100);
}

TEST(tsc_adjust)
{
    SKIP_UNLESS((cpuid(7, 0).ebx & 2) != 0, "no TSC_ADJUST");
    const uint64_t jump = UINT64_C(1) << 40;
    uint64_t adjust = rdmsr(MSR_TSC_ADJUST);
    uint64_t before = rdtsc();
    wrmsr(MSR_TSC_ADJUST, adjust + jump);
    uint64_t after = rdtsc();
    CHECK(after - before >= jump && after - before < jump + jump / 2);
    CHECK_EQUAL(rdmsr(MSR_TSC_ADJUST), adjust + jump);
    /* A write of the TSC moves both. */
    wrmsr(MSR_TSC, before);
    CHECK(rdtsc() - before < jump / 2);
    uint64_t moved = adjust + jump - rdmsr(MSR_TSC_ADJUST);
    CHECK(moved >= jump && moved < jump + jump / 2);
    wrmsr(MSR_TSC_ADJUST, adjust);
}

TEST(apic_base)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    CHECK_EQUAL(base & ~UINT64_C(0xfff), LAPIC_ADDRESS);
    CHECK((base & APIC_BASE_BSP) != 0);
    CHECK((base & APIC_BASE_ENABLE) != 0);
    CHECK_EQUAL(try_wrmsr(MSR_APIC_BASE, base | 1), EXCEPTION_GP);
    CHECK_EQUAL(try_wrmsr(MSR_APIC_BASE, base | UINT64_C(1) << 60), EXCEPTION_GP);
    /* x2APIC mode without the enable bit. */
    CHECK_EQUAL(try_wrmsr(MSR_APIC_BASE, (base & ~APIC_BASE_ENABLE) | APIC_BASE_X2APIC),
                EXCEPTION_GP);
    /* Its MSRs are there in x2APIC mode only. */
    CHECK_EQUAL(try_rdmsr(MSR_X2APIC_ID), EXCEPTION_GP);
    CHECK_EQUAL(rdmsr(MSR_APIC_BASE), base);
}

TEST(msrs_need_ring_0)
{
    extern void ring3_rdmsr(void);

    CHECK_EQUAL(run_in_ring(3, ring3_rdmsr, 0), EXCEPTION_GP);
}
