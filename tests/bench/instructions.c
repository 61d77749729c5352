/* Instructions of the CPU itself. */
#include "tests/bench/bench.h"

#define EMPTY_ROUNDS  1000u
#define CPUID_1_XSAVE (1u << 26) /* ECX */

static void xsetbv(uint32_t index, uint64_t value)
{
    __asm__ volatile("xsetbv"
                     :
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

TEST(empty_loop)
{
    struct ticks ticks = NO_TICKS;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t start = rdtsc();
        for (unsigned round = 0; round < EMPTY_ROUNDS; round++) {
            __asm__ volatile("");
        }
        add_round(&ticks, rdtsc() - start);
    }
    report("empty_loop", &ticks);
}

TEST(instructions)
{
    MEASURE("cpuid", cpuid(0, 0));
    MEASURE("cpuid_1", cpuid(1, 0));
    MEASURE("cpuid_4", cpuid(4, 0));
    if (is_guest()) {
        MEASURE("vmcall", vmcall(0, 0, 0, 0)); /* a number that nobody knows */
    }
    MEASURE("pause", cpu_pause());
    MEASURE("invlpg", invlpg(UNTOUCHED));
}

TEST(control_registers)
{
    uint64_t cr0 = read_cr0();
    uint64_t cr3 = read_cr3();
    uint64_t cr4 = read_cr4();

    MEASURE("cr8_read", read_cr8());
    MEASURE("cr8_write", write_cr8(0));
    MEASURE("cr3_reload", write_cr3(cr3));
    /* Twice: changed and back. The bits of the first of each pair are the guest's own. */
    MEASURE("cr0_wp", (write_cr0(cr0 ^ CR0_WP), write_cr0(cr0)));
    MEASURE("cr0_cd", (write_cr0(cr0 ^ CR0_CD), write_cr0(cr0)));
    MEASURE("cr4_de", (write_cr4(cr4 ^ CR4_DE), write_cr4(cr4)));
}

/* What a CPU has only with XSAVE. */
TEST(extended_state)
{
    uint64_t cr4 = read_cr4();

    SKIP_UNLESS(cpuid(1, 0).ecx & CPUID_1_XSAVE, "no XSAVE");
    MEASURE("cr4_osxsave", (write_cr4(cr4 ^ CR4_OSXSAVE), write_cr4(cr4)));
    write_cr4(cr4 | CR4_OSXSAVE);
    uint64_t xcr0 = xgetbv(0);
    MEASURE("xsetbv", xsetbv(0, xcr0));
    write_cr4(cr4);
}

TEST(msrs)
{
    uint64_t misc_enable = rdmsr(MSR_MISC_ENABLE);
    uint64_t base = rdmsr(MSR_KERNEL_GS_BASE);

    MEASURE("rdmsr", rdmsr(MSR_APIC_BASE));
    MEASURE("wrmsr", wrmsr(MSR_MISC_ENABLE, misc_enable));
    MEASURE("rdmsr_passed", rdmsr(MSR_KERNEL_GS_BASE));
    MEASURE("wrmsr_passed", wrmsr(MSR_KERNEL_GS_BASE, base));
}
