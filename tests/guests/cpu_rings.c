/*
 * Rings, segments, system calls: what the CPU checks when guests change privilege.
 */
#include "tests/guests/runtime/traps.h"

/* cpu_rings.S */
void ring_return(void);
void ring_hlt(void);
void ring_cli(void);
void ring_in(void);
void ring_mov_cr(void);
void ring_mov_dr(void);
void ring_cpuid(void);
void ring_rdtsc(void);
void ring_xsetbv(void);
void ring_read_kernel(void);
void ring_int3(void);
void ring_closed_gate(void);
void ring_misaligned(void);
void ring_non_canonical_stack(void);
void ring_vmcall(void);
void compatibility_code(void);
void ring3_syscall(void);
void syscall_entry(void);
void ring3_sysenter(void);
void sysenter_entry(void);

static struct trap_frame user_frame;

/* Keeps the registers with which another ring came back. */
static void keep_frame(struct trap_frame *frame)
{
    user_frame = *frame;
    set_handler(RETURN_VECTOR, NULL);
    frame->rip -= 2; /* the INT again, now for run_in_ring() */
}

static int run_and_keep(unsigned ring, void (*code)(void))
{
    set_handler(RETURN_VECTOR, keep_frame);
    return run_in_ring(ring, code, 0);
}

TEST(rings_run)
{
    for (unsigned ring = 1; ring <= 3; ring++) {
        CHECK_EQUAL(run_in_ring(ring, ring_return, 0), RETURN_VECTOR);
        CHECK_EQUAL(trap.cs & 3, ring);
        CHECK_EQUAL(run_in_ring(ring, ring_cpuid, 0), RETURN_VECTOR);
    }
}

TEST(rings_are_denied)
{
    for (unsigned ring = 1; ring <= 3; ring++) {
        CHECK_EQUAL(run_in_ring(ring, ring_hlt, 0), EXCEPTION_GP);
        CHECK_EQUAL(trap.error_code, 0);
        CHECK_EQUAL(trap.cs & 3, ring);
        CHECK_EQUAL(run_in_ring(ring, ring_mov_cr, 0), EXCEPTION_GP);
        CHECK_EQUAL(run_in_ring(ring, ring_mov_dr, 0), EXCEPTION_GP);
        CHECK_EQUAL(run_in_ring(ring, ring_cli, 0), EXCEPTION_GP);
        CHECK_EQUAL(run_in_ring(ring, ring_in, 0), EXCEPTION_GP);
        /* The I/O privilege level of the ring allows both. */
        CHECK_EQUAL(run_in_ring(ring, ring_cli, (uint64_t)ring << 12), RETURN_VECTOR);
        CHECK_EQUAL(run_in_ring(ring, ring_in, (uint64_t)ring << 12), RETURN_VECTOR);
    }
    CHECK_EQUAL(run_in_ring(3, ring_vmcall, 0) == EXCEPTION_GP, false);
}

TEST(ring3_xsetbv)
{
    SKIP_UNLESS((cpuid(1, 0).ecx & 1u << 26) != 0, "no XSAVE");
    uint64_t cr4 = read_cr4();
    write_cr4(cr4 | CR4_OSXSAVE);
    CHECK_EQUAL(run_in_ring(3, ring_xsetbv, 0), EXCEPTION_GP);
    write_cr4(cr4 & ~CR4_OSXSAVE);
    CHECK_EQUAL(run_in_ring(3, ring_xsetbv, 0), EXCEPTION_UD);
    write_cr4(cr4);
}

TEST(ring3_tsd)
{
    uint64_t cr4 = read_cr4();

    CHECK_EQUAL(run_in_ring(3, ring_rdtsc, 0), RETURN_VECTOR);
    write_cr4(cr4 | CR4_TSD);
    CHECK_EQUAL(run_in_ring(3, ring_rdtsc, 0), EXCEPTION_GP);
    write_cr4(cr4);
}

TEST(ring3_io_bitmap)
{
    /* A bitmap right after the TSS with port 0x61 open: limit and base make it reachable. */
    static struct {
        struct task_state state;
        uint8_t bitmap[0x61 / 8 + 2];
    } open __attribute__((aligned(128)));

    open.state = tss;
    open.state.io_bitmap = sizeof(open.state);
    for (unsigned i = 0; i < sizeof(open.bitmap); i++) {
        open.bitmap[i] = 0xff;
    }
    open.bitmap[0x61 / 8] = (uint8_t) ~(1u << (0x61 % 8));
    uint64_t base = (uint64_t)(uintptr_t)&open;
    gdt[SPARE / 8] = (sizeof(open) - 1) | (base & 0xffffff) << 16 | UINT64_C(0x89) << 40 |
                     (base >> 24 & 0xff) << 56;
    gdt[SPARE / 8 + 1] = base >> 32;
    load_tr(SPARE);
    CHECK_EQUAL(run_in_ring(3, ring_in, 0), RETURN_VECTOR);
    open.bitmap[0x61 / 8] = 0xff;
    CHECK_EQUAL(run_in_ring(3, ring_in, 0), EXCEPTION_GP);
    load_descriptor_tables();
}

TEST(ring3_exceptions)
{
    uint64_t cr0 = read_cr0();

    CHECK_EQUAL(run_in_ring(3, ring_read_kernel, 0), EXCEPTION_PF);
    CHECK_EQUAL(trap.error_code, PF_PRESENT | PF_USER);
    CHECK_EQUAL(trap.cr2, 0x100000);
    CHECK_EQUAL(run_in_ring(3, ring_int3, 0), EXCEPTION_BP);
    CHECK_EQUAL(trap.rip, user_address(ring_int3) + 1);
    CHECK_EQUAL(run_in_ring(3, ring_closed_gate, 0), EXCEPTION_GP);
    CHECK_EQUAL(trap.error_code, 0x81 * 8 + 2);
    CHECK_EQUAL(run_in_ring(3, ring_non_canonical_stack, 0), EXCEPTION_SS);
    write_cr0(cr0 | CR0_AM);
    CHECK_EQUAL(run_in_ring(3, ring_misaligned, RFLAGS_AC), EXCEPTION_AC);
    CHECK_EQUAL(trap.error_code, 0);
    write_cr0(cr0 & ~CR0_AM);
    CHECK_EQUAL(run_in_ring(3, ring_misaligned, RFLAGS_AC), RETURN_VECTOR);
    write_cr0(cr0);
}

TEST(compatibility_mode)
{
    set_handler(RETURN_VECTOR, keep_frame);
    CHECK_EQUAL(run_in_compatibility_mode(compatibility_code, 0), RETURN_VECTOR);
    CHECK_EQUAL(user_frame.cs, USER_CS32);
    CHECK_EQUAL(user_frame.rbx, 9);
    CHECK_EQUAL(user_frame.rcx, 0x12345678);
}

TEST(syscall)
{
    uint64_t efer = rdmsr(MSR_EFER);

    wrmsr(MSR_EFER, efer & ~EFER_SCE);
    CHECK_EQUAL(run_in_ring(3, ring3_syscall, 0), EXCEPTION_UD);
    wrmsr(MSR_EFER, efer | EFER_SCE);
    /* SYSRET takes CS from STAR[63:48] + 16, SS from + 8. */
    wrmsr(MSR_STAR, (uint64_t)(USER_CS - 16) << 48 | (uint64_t)KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)(uintptr_t)syscall_entry);
    wrmsr(MSR_SFMASK, RFLAGS_IF | RFLAGS_TF);
    CHECK_EQUAL(run_and_keep(3, ring3_syscall), RETURN_VECTOR);
    CHECK_EQUAL(user_frame.rax, 14);
    CHECK_EQUAL(user_frame.rdx & 0xffff, KERNEL_CS);
    CHECK_EQUAL(user_frame.cs, USER_CS);
    CHECK_EQUAL(user_frame.rsp, user_frame.rbx);
    CHECK_EQUAL(user_frame.rcx, user_frame.rip - 2);
    wrmsr(MSR_EFER, efer);
}

TEST(sysenter)
{
    static uint8_t stack[512] __attribute__((aligned(16)));
    uint64_t top = (uint64_t)(uintptr_t)stack + sizeof(stack);

    SKIP_UNLESS((cpuid(1, 0).edx & 1u << 11) != 0, "no SYSENTER");
    wrmsr(MSR_SYSENTER_CS, 0);
    CHECK_EQUAL(run_in_ring(3, ring3_sysenter, 0), EXCEPTION_GP);
    /* SYSEXIT wants the user's 64-bit CS 32 above this. */
    CHECK_EQUAL(KERNEL_CS + 32, CODE16 + 8);
    uint64_t old[2] = {gdt[(KERNEL_CS + 32) / 8], gdt[(KERNEL_CS + 40) / 8]};
    gdt[(KERNEL_CS + 32) / 8] = gdt[USER_CS / 8];
    gdt[(KERNEL_CS + 40) / 8] = gdt[USER_DS / 8];
    wrmsr(MSR_SYSENTER_CS, KERNEL_CS);
    wrmsr(MSR_SYSENTER_ESP, top);
    wrmsr(MSR_SYSENTER_EIP, (uint64_t)(uintptr_t)sysenter_entry);
    CHECK_EQUAL(run_and_keep(3, ring3_sysenter), RETURN_VECTOR);
    CHECK_EQUAL(user_frame.rax, 18);
    CHECK_EQUAL(user_frame.rbx, top);
    CHECK_EQUAL(user_frame.cs & 3, 3);
    gdt[(KERNEL_CS + 32) / 8] = old[0];
    gdt[(KERNEL_CS + 40) / 8] = old[1];
}

static int load_ds(uint16_t selector)
{
    int vector = TRY("movw %w0, %%ds", OUT(), IN("r"(selector)));
    uint16_t kernel = KERNEL_DS;

    __asm__ volatile("movw %w0, %%ds" : : "r"(kernel));
    return vector;
}

TEST(segment_loads)
{
    const uint64_t data = UINT64_C(0x00cf93000000ffff);
    const uint64_t present = UINT64_C(1) << 47;
    uint16_t tr;

    CHECK_EQUAL(load_ds(0), NO_TRAP);
    CHECK_EQUAL(load_ds(GDT_SLOTS * 8), EXCEPTION_GP); /* beyond the limit */
    CHECK_EQUAL(trap.error_code, GDT_SLOTS * 8);
    CHECK_EQUAL(load_ds(TSS), EXCEPTION_GP); /* a system segment */
    CHECK_EQUAL(load_ds(4), EXCEPTION_GP);   /* there is no LDT */
    gdt[SPARE / 8] = data & ~present;
    CHECK_EQUAL(load_ds(SPARE), EXCEPTION_NP);
    CHECK_EQUAL(trap.error_code, SPARE);
    CHECK_EQUAL(TRY("movw %w0, %%ss", OUT(), IN("r"((uint16_t)SPARE))), EXCEPTION_SS);
    CHECK_EQUAL(trap.error_code, SPARE);
    CHECK_EQUAL(TRY("movw %w0, %%ss", OUT(), IN("r"((uint16_t)USER_DS))), EXCEPTION_GP);
    /* Loading sets the accessed bit. */
    gdt[SPARE / 8] = data & ~(UINT64_C(1) << 40);
    CHECK_EQUAL(load_ds(SPARE), NO_TRAP);
    CHECK_EQUAL(gdt[SPARE / 8], data);
    CHECK_EQUAL(TRY("ltr %w0", OUT(), IN("r"((uint16_t)TSS))), EXCEPTION_GP); /* busy */
    CHECK_EQUAL(trap.error_code, TSS);
    __asm__ volatile("str %0" : "=r"(tr));
    CHECK_EQUAL(tr, TSS);
}

TEST(ldt)
{
    static uint64_t table[2] = {0, UINT64_C(0x00cf93000000ffff)};
    uint64_t base = (uint64_t)(uintptr_t)table;
    uint32_t limit = 0;

    gdt[SPARE / 8] = (sizeof(table) - 1) | (base & 0xffffff) << 16 | UINT64_C(0x82) << 40 |
                     (base >> 24 & 0xff) << 56;
    gdt[SPARE / 8 + 1] = base >> 32;
    load_ldt(SPARE);
    CHECK_EQUAL(load_ds(8 | 4), NO_TRAP);
    CHECK_EQUAL(load_ds(16 | 4), EXCEPTION_GP);
    __asm__ volatile("lsl %w1, %0" : "+r"(limit) : "r"(8 | 4));
    CHECK_EQUAL(limit, UINT32_MAX);
    load_ldt(0);
    CHECK_EQUAL(load_ds(8 | 4), EXCEPTION_GP);
}

TEST(descriptor_tables)
{
    struct table_pointer pointer = {0, 0};

    __asm__ volatile("sgdt %0" : "=m"(pointer));
    CHECK_EQUAL(pointer.limit, GDT_SLOTS * 8 - 1);
    CHECK_EQUAL(pointer.base, (uint64_t)(uintptr_t)gdt);
    __asm__ volatile("sidt %0" : "=m"(pointer));
    CHECK_EQUAL(pointer.limit, sizeof(idt) - 1);
    CHECK_EQUAL(pointer.base, (uint64_t)(uintptr_t)idt);
}
