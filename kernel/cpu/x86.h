/*
 * One thin inline function per privileged or special instruction (SDM vol. 2). Nothing here decides
 * anything; a test that needs different hardware replaces the caller, not this header.
 */
#ifndef KERNEL_CPU_X86_H
#define KERNEL_CPU_X86_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpu/x86_defs.h"

struct cpuid_result {
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
};

/* Operand of LGDT, LIDT, SGDT, SIDT. */
struct descriptor_table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static inline struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result result;

    __asm__ volatile("cpuid"
                     : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
                     : "a"(leaf), "c"(subleaf));
    return result;
}

/** #GP if the CPU has no such MSR: the caller must know that it has. */
static inline uint64_t rdmsr(uint32_t index)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t rdtsc(void)
{
    uint64_t low; /* RDTSC clears the upper halves of both registers */
    uint64_t high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return high << 32 | low;
}

/** A hardware random number; false if the CPU had none ready (try again). Needs CPUID.1:ECX.30. */
static inline bool rdrand(uint64_t *value)
{
    bool ok;

    __asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok));
    return ok;
}

/** Likewise what such numbers are made of, which takes longer. Needs CPUID.7:EBX.18. */
static inline bool rdseed(uint64_t *value)
{
    bool ok;

    __asm__ volatile("rdseed %0" : "=r"(*value), "=@ccc"(ok));
    return ok;
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

#define X86_DEFINE_REGISTER(name)                                           \
    static inline uint64_t read_##name(void)                                \
    {                                                                       \
        uint64_t value;                                                     \
                                                                            \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory"); \
        return value;                                                       \
    }                                                                       \
    static inline void write_##name(uint64_t value)                         \
    {                                                                       \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");     \
    }

/* read_cr0(), write_cr0(), ... */
X86_DEFINE_REGISTER(cr0)
X86_DEFINE_REGISTER(cr2)
X86_DEFINE_REGISTER(cr3)
X86_DEFINE_REGISTER(cr4)
X86_DEFINE_REGISTER(cr8)
X86_DEFINE_REGISTER(dr0)
X86_DEFINE_REGISTER(dr1)
X86_DEFINE_REGISTER(dr2)
X86_DEFINE_REGISTER(dr3)
X86_DEFINE_REGISTER(dr6)
X86_DEFINE_REGISTER(dr7)

#undef X86_DEFINE_REGISTER

/** Extended control register (XCR0 is number 0); needs CR4.OSXSAVE. */
static inline uint64_t xgetbv(uint32_t number)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(number));
    return (uint64_t)high << 32 | low;
}

static inline void xsetbv(uint32_t number, uint64_t value)
{
    __asm__ volatile("xsetbv"
                     :
                     : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline void invlpg(const void *address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void wbinvd(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}

static inline void pause(void)
{
    __asm__ volatile("pause");
}

static inline void cli(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void sti(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void hlt(void)
{
    __asm__ volatile("hlt" : : : "memory");
}

/** Takes the interrupts that wait, with interrupts off before and after. */
static inline void sti_cli(void)
{
    /* Between them one instruction, for STI takes effect only after it. */
    __asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}

/** Interrupts on and wait for one: no interrupt can slip in between, because STI takes effect only
 * after the instruction that follows it. Returns with interrupts on. */
static inline void sti_hlt(void)
{
    __asm__ volatile("sti\n\thlt" : : : "memory");
}

static inline uint64_t read_rflags(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
    return flags;
}

static inline uint64_t read_rsp(void)
{
    uint64_t value;

    __asm__ volatile("mov %%rsp, %0" : "=r"(value));
    return value;
}

static inline void lgdt(const struct descriptor_table *table)
{
    __asm__ volatile("lgdt %0" : : "m"(*table));
}

static inline void lidt(const struct descriptor_table *table)
{
    __asm__ volatile("lidt %0" : : "m"(*table));
}

static inline void sgdt(struct descriptor_table *table)
{
    __asm__ volatile("sgdt %0" : "=m"(*table));
}

static inline void sidt(struct descriptor_table *table)
{
    __asm__ volatile("sidt %0" : "=m"(*table));
}

static inline void ltr(uint16_t selector)
{
    __asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

static inline void lldt(uint16_t selector)
{
    __asm__ volatile("lldt %0" : : "r"(selector) : "memory");
}

#define X86_DEFINE_SEGMENT(name)                               \
    static inline uint16_t read_##name(void)                   \
    {                                                          \
        uint16_t value;                                        \
                                                               \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value)); \
        return value;                                          \
    }

/* read_cs(), read_ss(), ... */
X86_DEFINE_SEGMENT(cs)
X86_DEFINE_SEGMENT(ss)
X86_DEFINE_SEGMENT(ds)
X86_DEFINE_SEGMENT(es)
X86_DEFINE_SEGMENT(fs)
X86_DEFINE_SEGMENT(gs)

#undef X86_DEFINE_SEGMENT

static inline uint16_t read_tr(void)
{
    uint16_t value;

    __asm__ volatile("str %0" : "=r"(value));
    return value;
}

/** A far return to the next instruction. */
static inline void write_cs(uint16_t selector)
{
    __asm__ volatile("pushq %0\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:"
                     :
                     : "r"((uint64_t)selector)
                     : "rax", "memory");
}

static inline void write_data_segments(uint16_t selector)
{
    __asm__ volatile("mov %0, %%ds\n\t"
                     "mov %0, %%es\n\t"
                     "mov %0, %%ss"
                     :
                     : "r"((uint32_t)selector)
                     : "memory");
}

/** FS and GS with the null selector: their bases become 0 until the MSRs are written. */
static inline void write_null_fs_gs(void)
{
    __asm__ volatile("mov %0, %%fs\n\t"
                     "mov %0, %%gs"
                     :
                     : "r"(0)
                     : "memory");
}

#endif
