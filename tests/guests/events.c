/*
 * The back end driven from inside by the test device (guest/hypercall.h): injection of every type,
 * delivery that meets unmapped memory, what exits and what does not.
 */
#include "guest/hypercall.h"
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"
#include "virt/vcpu.h"

#define VECTOR      0x71u
#define SOFT_VECTOR 0x90u

/* Bits of HYPERCALL_FEATURES: members of struct virt_features in order. */
#define FEATURE_VIRTUAL_INTERRUPT_DELIVERY 3
#define FEATURE_VIRTUAL_NMIS               6
#define FEATURE_NESTED_2M                  9

void ring_return(void); /* cpu_rings.S */

static uint64_t features;
static unsigned hits;
static uint64_t hit_rip;
static uint64_t hit_error;
static uint64_t hit_flags;

static uint64_t call(enum test_hypercall function, uint64_t rbx, uint64_t rcx, uint64_t rdx)
{
    return vmcall(HYPERCALL_TEST + function, rbx, rcx, rdx);
}

static bool has(unsigned feature)
{
    return (features >> feature & 1) != 0;
}

static uint64_t exits(enum vm_exit_kind kind)
{
    return call(HYPERCALL_EXIT_COUNT, kind, 0, 0);
}

void prepare(void)
{
    uint64_t rax = HYPERCALL_TEST + HYPERCALL_PRESENT;

    if (TRY("vmcall", OUT("+a"(rax)), IN()) != NO_TRAP || rax != HYPERCALL_TEST_SIGNATURE) {
        print("no test device\ndone: 0 passed, 1 failed\n");
        exit_guest(1);
    }
    features = call(HYPERCALL_FEATURES, 0, 0, 0);
    print("features 0x%lx\n", features);
}

static void note(struct trap_frame *frame)
{
    hits++;
    hit_rip = frame->rip;
    hit_error = frame->error_code;
    hit_flags = frame->rflags;
}

static void note_interrupt(struct trap_frame *frame)
{
    note(frame);
    end_of_interrupt((unsigned)frame->vector);
}

/* The test device's call at a known place: `skipped` bytes of NOP follow, as long as the
 * instruction that the event is said to come from. How far behind VMCALL the handler returned to.
 */
#define INJECT(type, vector, details, flags_on)                                            \
    ({                                                                                     \
        uint64_t result = HYPERCALL_TEST + HYPERCALL_INJECT_EVENT;                         \
        uint64_t behind;                                                                   \
        hits = 0;                                                                          \
        __asm__ volatile(flags_on "vmcall; 1: nop; nop; nop; nop; cli; leaq 1b(%%rip), %1" \
                         : "+a"(result), "=&r"(behind)                                     \
                         : "b"((uint64_t)(type)), "c"((uint64_t)(vector)),                 \
                           "d"((uint64_t)(details))                                        \
                         : "memory", "cc");                                                \
        hit_rip - behind;                                                                  \
    })
#define WITH_ERROR(code) ((uint64_t)(code) | UINT64_C(1) << 32)
#define WITH_LENGTH(n)   ((uint64_t)(n) << 40)

TEST(inject_external_interrupt)
{
    set_handler(VECTOR, note);
    CHECK_EQUAL(INJECT(VIRT_EVENT_EXTERNAL_INTERRUPT, VECTOR, 0, "sti; nop; "), 0);
    CHECK_EQUAL(hits, 1);
    CHECK((hit_flags & RFLAGS_IF) != 0);
    set_handler(VECTOR, NULL);
}

TEST(inject_nmi)
{
    set_handler(EXCEPTION_NMI, note);
    CHECK_EQUAL(INJECT(VIRT_EVENT_NMI, EXCEPTION_NMI, 0, ""), 0);
    CHECK_EQUAL(hits, 1);
    hits = 0;
    call(HYPERCALL_INJECT_NMI, 0, 0, 0);
    WAIT_FOR(hits != 0, 10);
    CHECK_EQUAL(hits, 1);
    set_handler(EXCEPTION_NMI, NULL);
}

TEST(inject_exceptions)
{
    static const struct {
        uint8_t vector;
        bool has_error;
    } exceptions[] = {{EXCEPTION_DE, false}, {EXCEPTION_UD, false}, {EXCEPTION_NM, false},
                      {EXCEPTION_DF, true},  {EXCEPTION_TS, true},  {EXCEPTION_NP, true},
                      {EXCEPTION_SS, true},  {EXCEPTION_GP, true},  {EXCEPTION_PF, true},
                      {EXCEPTION_AC, true},  {EXCEPTION_XM, false}};

    for (unsigned i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
        unsigned vector = exceptions[i].vector;
        uint64_t error = vector == EXCEPTION_DF || vector == EXCEPTION_AC ? 0 : 0x4ac0 + vector;

        set_handler(vector, note);
        CHECK_EQUAL(INJECT(VIRT_EVENT_HARDWARE_EXCEPTION, vector,
                           exceptions[i].has_error ? WITH_ERROR(error) : 0, ""),
                    0);
        CHECK_EQUAL(hits, 1);
        CHECK_EQUAL(hit_error, exceptions[i].has_error ? error : 0);
        set_handler(vector, NULL);
    }
}

TEST(inject_software_events)
{
    set_handler(SOFT_VECTOR, note);
    CHECK_EQUAL(INJECT(VIRT_EVENT_SOFTWARE_INTERRUPT, SOFT_VECTOR, WITH_LENGTH(2), ""), 2);
    CHECK_EQUAL(hits, 1);
    set_handler(SOFT_VECTOR, NULL);
    set_handler(EXCEPTION_BP, note);
    CHECK_EQUAL(INJECT(VIRT_EVENT_SOFTWARE_EXCEPTION, EXCEPTION_BP, WITH_LENGTH(1), ""), 1);
    CHECK_EQUAL(hits, 1);
    set_handler(EXCEPTION_BP, NULL);
    set_handler(EXCEPTION_OF, note);
    CHECK_EQUAL(INJECT(VIRT_EVENT_SOFTWARE_EXCEPTION, EXCEPTION_OF, WITH_LENGTH(1), ""), 1);
    CHECK_EQUAL(hits, 1);
    set_handler(EXCEPTION_OF, NULL);
    set_handler(EXCEPTION_DB, note);
    CHECK_EQUAL(INJECT(VIRT_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, EXCEPTION_DB, WITH_LENGTH(1), ""),
                1);
    CHECK_EQUAL(hits, 1);
    set_handler(EXCEPTION_DB, NULL);
}

/* An interrupt waits already: the exception comes first, then the interrupt, each once. */
TEST(inject_before_pending_interrupt)
{
    set_handler(VECTOR, count_interrupt);
    set_handler(EXCEPTION_UD, note);
    interrupt_count[VECTOR] = 0;
    lapic_self_ipi(VECTOR);
    CHECK_EQUAL(INJECT(VIRT_EVENT_HARDWARE_EXCEPTION, EXCEPTION_UD, 0, ""), 0);
    CHECK_EQUAL(hits, 1);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[VECTOR], 1);
    set_handler(VECTOR, NULL);
    set_handler(EXCEPTION_UD, NULL);
}

/* Takes the page away from under an object; the next touch brings it back. */
static void unmap(const volatile void *object)
{
    uint64_t page = (uint64_t)(uintptr_t)object & ~UINT64_C(0xfff);

    CHECK_EQUAL(call(HYPERCALL_UNMAP, page, 4096, 0), 0);
}

/* Delivery must have met the hole: at least one exit for memory since `before`. */
#define CHECK_MET_HOLE(before) CHECK(exits(VM_EXIT_MEMORY) > (before))

/* By the PIC: such interrupts are always injected. */
TEST(interrupted_pic_interrupt)
{
    set_handler(PIC_VECTOR, note_interrupt);
    lapic_write(LAPIC_LVT_LINT0, DELIVERY_EXTINT);
    pic_mask(0xfffe);
    for (unsigned i = 0; i < 5; i++) {
        const void *away = i % 2 == 0 ? (const void *)idt : (const void *)gdt;
        uint64_t before = exits(VM_EXIT_MEMORY);

        hits = 0;
        pit_start(0, 300);
        WAIT_FOR(false, 2);
        unmap(away);
        interrupts_for_a_moment();
        interrupts_for_a_moment();
        CHECK_EQUAL(hits, 1);
        CHECK_MET_HOLE(before);
    }
    pic_mask(0xffff);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    set_handler(PIC_VECTOR, NULL);
}

TEST(interrupted_apic_interrupt)
{
    SKIP_UNLESS(!has(FEATURE_VIRTUAL_INTERRUPT_DELIVERY),
                "Bochs 2.7 forgets which virtual interrupt it was delivering");
    set_handler(VECTOR, note_interrupt);
    for (unsigned i = 0; i < 5; i++) {
        uint64_t before = exits(VM_EXIT_MEMORY);

        hits = 0;
        lapic_self_ipi(VECTOR);
        unmap(idt);
        interrupts_for_a_moment();
        CHECK_EQUAL(hits, 1);
        CHECK_MET_HOLE(before);
    }
    set_handler(VECTOR, NULL);
}

TEST(interrupted_exceptions)
{
    uint64_t before = exits(VM_EXIT_MEMORY);
    uint16_t selector = GDT_SLOTS * 8;

    unmap(idt);
    CHECK_EQUAL(TRY("ud2", OUT(), IN()), EXCEPTION_UD);
    unmap(idt);
    CHECK_EQUAL(TRY("movw %w0, %%ds", OUT(), IN("r"(selector))), EXCEPTION_GP);
    CHECK_EQUAL(trap.error_code, selector);
    unmap(idt);
    CHECK_EQUAL(TRY("movq (%0), %%rax", OUT(), IN("r"(UINT64_C(0x7000000000)))), EXCEPTION_PF);
    CHECK_EQUAL(trap.error_code, 0);
    CHECK_EQUAL(trap.cr2, UINT64_C(0x7000000000));
    unmap(idt);
    CHECK_EQUAL(TRY("divl %0", OUT(), IN("r"(0), "a"(1), "d"(0))), EXCEPTION_DE);
    CHECK(exits(VM_EXIT_MEMORY) >= before + 4);
}

/* INT n and its like go on behind themselves, though they were delivered at the second try. */
#define CHECK_SOFT(instruction, vector)                                                      \
    do {                                                                                     \
        uint64_t behind;                                                                     \
        hits = 0;                                                                            \
        set_handler(vector, note);                                                           \
        unmap(idt);                                                                          \
        __asm__ volatile(instruction "; 1: leaq 1b(%%rip), %0" : "=r"(behind) : : "memory"); \
        set_handler(vector, NULL);                                                           \
        CHECK_EQUAL(hits, 1);                                                                \
        CHECK_EQUAL(hit_rip, behind);                                                        \
    } while (0)

TEST(interrupted_software_events)
{
    uint64_t before = exits(VM_EXIT_MEMORY);

    CHECK_SOFT("int $0x90", SOFT_VECTOR);
    CHECK_SOFT("int3", EXCEPTION_BP);
    CHECK_SOFT(".byte 0xf1", EXCEPTION_DB);
    CHECK_SOFT("int $3", EXCEPTION_BP);
    CHECK(exits(VM_EXIT_MEMORY) >= before + 4);
}

TEST(interrupted_nmi)
{
    set_handler(EXCEPTION_NMI, note);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t before = exits(VM_EXIT_MEMORY);

        hits = 0;
        unmap(idt);
        lapic_self_nmi();
        WAIT_FOR(hits != 0, 10);
        CHECK_EQUAL(hits, 1);
        CHECK_MET_HOLE(before);
        /* The stack of NMIs, which the TSS names. */
        hits = 0;
        unmap((void *)(uintptr_t)(tss.ist[0] - 8));
        lapic_self_nmi();
        WAIT_FOR(hits != 0, 10);
        CHECK_EQUAL(hits, 1);
        hits = 0;
        unmap(&tss);
        lapic_self_nmi();
        WAIT_FOR(hits != 0, 10);
        CHECK_EQUAL(hits, 1);
    }
    set_handler(EXCEPTION_NMI, NULL);
}

TEST(interrupted_injection)
{
    /* The event that is injected meets the hole itself. */
    set_handler(EXCEPTION_GP, note);
    for (unsigned i = 0; i < 3; i++) {
        unmap(idt);
        CHECK_EQUAL(INJECT(VIRT_EVENT_HARDWARE_EXCEPTION, EXCEPTION_GP, WITH_ERROR(0x5550), ""), 0);
        CHECK_EQUAL(hits, 1);
        CHECK_EQUAL(hit_error, 0x5550);
    }
    set_handler(EXCEPTION_GP, NULL);
}

TEST(interrupted_ring_change)
{
    /* The stack for ring 0 lies on a page that is away. */
    unmap((void *)(uintptr_t)(tss.rsp[0] - 8));
    CHECK_EQUAL(run_in_ring(3, ring_return, 0), RETURN_VECTOR);
    unmap(&tss);
    CHECK_EQUAL(run_in_ring(3, ring_return, 0), RETURN_VECTOR);
    CHECK_EQUAL(trap.cs, USER_CS);
}

static uint64_t counted(unsigned vector)
{
    return call(HYPERCALL_EXCEPTION_COUNT, vector, 0, 0);
}

TEST(exception_bitmap)
{
    uint64_t ud = counted(EXCEPTION_UD);
    uint64_t gp = counted(EXCEPTION_GP);
    uint64_t bp = counted(EXCEPTION_BP);

    CHECK_EQUAL(TRY("ud2", OUT(), IN()), EXCEPTION_UD);
    CHECK_EQUAL(counted(EXCEPTION_UD), ud);
    call(HYPERCALL_INTERCEPT_EXCEPTIONS,
         1u << EXCEPTION_UD | 1u << EXCEPTION_GP | 1u << EXCEPTION_BP | 1u << EXCEPTION_DB, 0, 0);
    CHECK_EQUAL(TRY("ud2", OUT(), IN()), EXCEPTION_UD);
    CHECK_EQUAL(counted(EXCEPTION_UD), ud + 1);
    uint16_t selector = GDT_SLOTS * 8;
    CHECK_EQUAL(TRY("movw %w0, %%ds", OUT(), IN("r"(selector))), EXCEPTION_GP);
    CHECK_EQUAL(trap.error_code, selector);
    CHECK_EQUAL(counted(EXCEPTION_GP), gp + 1);
    hits = 0;
    uint64_t behind;
    set_handler(EXCEPTION_BP, note);
    __asm__ volatile("int3; 1: leaq 1b(%%rip), %0" : "=r"(behind) : : "memory");
    set_handler(EXCEPTION_BP, NULL);
    CHECK_EQUAL(hits, 1);
    CHECK_EQUAL(hit_rip, behind);
    CHECK_EQUAL(counted(EXCEPTION_BP), bp + 1);
    /* A debug exception leaves its cause in DR6. */
    static volatile uint32_t watched;
    write_dr6(UINT64_C(0xffff0ff0));
    write_dr1((uint64_t)(uintptr_t)&watched);
    write_dr7(0x400 | 0xd00008);
    CHECK_EQUAL(TRY("movl $5, %0; nop", OUT("=m"(watched)), IN()), EXCEPTION_DB);
    CHECK_EQUAL(read_dr6() & 0xf, 2);
    write_dr7(0x400);
    call(HYPERCALL_INTERCEPT_EXCEPTIONS, 0, 0, 0);
    CHECK_EQUAL(TRY("ud2", OUT(), IN()), EXCEPTION_UD);
    CHECK_EQUAL(counted(EXCEPTION_UD), ud + 1);
}

static int fault_read(void)
{
    return TRY("movq (%0), %%rax", OUT(), IN("r"(UINT64_C(0x7000000000)), "a"(0)));
}

static int fault_write(void)
{
    return TRY("movq %%rax, (%0)", OUT(), IN("r"(UINT64_C(0x7000001000)), "a"(0)));
}

TEST(page_fault_mask_and_match)
{
    const uint64_t bit = 1u << EXCEPTION_PF;
    uint64_t count = counted(EXCEPTION_PF);

    fault_read();
    CHECK_EQUAL(counted(EXCEPTION_PF), count);
    call(HYPERCALL_INTERCEPT_EXCEPTIONS, bit, PF_WRITE, PF_WRITE);
    CHECK_EQUAL(fault_read(), EXCEPTION_PF);
    CHECK_EQUAL(counted(EXCEPTION_PF), count);
    CHECK_EQUAL(fault_write(), EXCEPTION_PF);
    CHECK_EQUAL(trap.error_code, PF_WRITE);
    CHECK_EQUAL(trap.cr2, UINT64_C(0x7000001000));
    CHECK_EQUAL(counted(EXCEPTION_PF), count + 1);
    call(HYPERCALL_INTERCEPT_EXCEPTIONS, bit, PF_WRITE, 0);
    CHECK_EQUAL(fault_write(), EXCEPTION_PF);
    CHECK_EQUAL(counted(EXCEPTION_PF), count + 1);
    CHECK_EQUAL(fault_read(), EXCEPTION_PF);
    CHECK_EQUAL(counted(EXCEPTION_PF), count + 2);
    call(HYPERCALL_INTERCEPT_EXCEPTIONS, bit, 0, 0);
    fault_read();
    fault_write();
    CHECK_EQUAL(counted(EXCEPTION_PF), count + 4);
    call(HYPERCALL_INTERCEPT_EXCEPTIONS, 0, 0, 0);
    fault_read();
    CHECK_EQUAL(counted(EXCEPTION_PF), count + 4);
}

TEST(interrupt_window)
{
    /* An interrupt of the PIC while they are off: it comes by the window. */
    set_handler(PIC_VECTOR, note_interrupt);
    lapic_write(LAPIC_LVT_LINT0, DELIVERY_EXTINT);
    pic_mask(0xfffe);
    hits = 0;
    uint64_t before = exits(VM_EXIT_INTERRUPT_WINDOW);
    pit_start(0, 500);
    WAIT_FOR(false, 8); /* longer than a stay in the guest can be */
    exits(VM_EXIT_IO);
    CHECK_EQUAL(hits, 0);
    interrupts_for_a_moment();
    CHECK_EQUAL(hits, 1);
    CHECK_EQUAL(exits(VM_EXIT_INTERRUPT_WINDOW), before + 1);
    pic_mask(0xffff);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    /* The local APIC's, where the CPU does not deliver them by itself. */
    before = exits(VM_EXIT_INTERRUPT_WINDOW);
    hits = 0;
    set_handler(VECTOR, note_interrupt);
    lapic_self_ipi(VECTOR);
    interrupts_for_a_moment();
    CHECK_EQUAL(hits, 1);
    CHECK_EQUAL(exits(VM_EXIT_INTERRUPT_WINDOW),
                before + (has(FEATURE_VIRTUAL_INTERRUPT_DELIVERY) ? 0 : 1));
    set_handler(VECTOR, NULL);
}

static void send_one_more(struct trap_frame *frame)
{
    note(frame);
    if (hits == 1) {
        lapic_self_nmi();
        cpuid(0, 0);
    }
}

TEST(nmi_window)
{
    uint64_t before = exits(VM_EXIT_NMI_WINDOW);

    SKIP_UNLESS(has(FEATURE_VIRTUAL_NMIS), "no virtual NMIs");
    hits = 0;
    set_handler(EXCEPTION_NMI, send_one_more);
    lapic_self_nmi();
    WAIT_FOR(hits == 2, 10);
    CHECK_EQUAL(hits, 2);
    CHECK_EQUAL(exits(VM_EXIT_NMI_WINDOW), before + 1);
    set_handler(EXCEPTION_NMI, NULL);
}

TEST(tpr_threshold)
{
    uint64_t before;

    /* With nothing waiting TPR moves without an exit. */
    before = exits(VM_EXIT_TPR_BELOW_THRESHOLD);
    uint64_t cr_before = exits(VM_EXIT_CR_ACCESS);
    for (unsigned i = 0; i < 100; i++) {
        write_cr8(i & 15);
        CHECK_EQUAL(read_cr8(), i & 15);
    }
    write_cr8(0);
    CHECK_EQUAL(exits(VM_EXIT_TPR_BELOW_THRESHOLD), before);
    CHECK_EQUAL(exits(VM_EXIT_CR_ACCESS), cr_before);
    set_handler(VECTOR, note_interrupt);
    hits = 0;
    write_cr8(15);
    lapic_self_ipi(VECTOR);
    interrupts_on();
    WAIT_FOR(false, 1);
    CHECK_EQUAL(hits, 0);
    write_cr8(VECTOR >> 4);
    __asm__ volatile("nop");
    CHECK_EQUAL(hits, 0);
    write_cr8(0);
    __asm__ volatile("nop");
    CHECK_EQUAL(hits, 1);
    interrupts_off();
    uint64_t by_threshold = exits(VM_EXIT_TPR_BELOW_THRESHOLD) - before;
    CHECK_EQUAL(by_threshold, has(FEATURE_VIRTUAL_INTERRUPT_DELIVERY) ? 0 : 1);
    set_handler(VECTOR, NULL);
}

TEST(register_writes_without_exit)
{
    uint64_t before = exits(VM_EXIT_CR_ACCESS);
    uint64_t cr0 = read_cr0();

    for (unsigned i = 0; i < 20; i++) {
        write_cr0(cr0 | CR0_TS);
        __asm__ volatile("clts");
        write_cr0(cr0 ^ CR0_MP);
        write_cr0(cr0);
        write_cr3(read_cr3());
    }
    CHECK_EQUAL(exits(VM_EXIT_CR_ACCESS), before);
    /* The same with TS intercepted. */
    call(HYPERCALL_INTERCEPT_CR_BITS, CR0_TS, 0, 0);
    write_cr0(cr0 | CR0_TS);
    CHECK_EQUAL(read_cr0(), cr0 | CR0_TS);
    CHECK_EQUAL(TRY("fninit", OUT(), IN()), EXCEPTION_NM);
    __asm__ volatile("clts");
    CHECK_EQUAL(read_cr0(), cr0 & ~CR0_TS);
    CHECK_EQUAL(TRY("fninit", OUT(), IN()), NO_TRAP);
    write_cr0(cr0);
    CHECK_EQUAL(exits(VM_EXIT_CR_ACCESS), before + 2);
    call(HYPERCALL_INTERCEPT_CR_BITS, 0, 0, 0);
}

TEST(instructions_without_exit)
{
    uint64_t reads = exits(VM_EXIT_MSR_READ);
    uint64_t writes = exits(VM_EXIT_MSR_WRITE);
    uint64_t tsc = exits(VM_EXIT_RDTSC);

    for (unsigned i = 0; i < 20; i++) {
        wrmsr(MSR_FS_BASE, rdmsr(MSR_FS_BASE));
        wrmsr(MSR_KERNEL_GS_BASE, rdmsr(MSR_KERNEL_GS_BASE));
        wrmsr(MSR_SYSENTER_EIP, rdmsr(MSR_SYSENTER_EIP));
        rdtsc();
        invlpg(0x1000);
        __asm__ volatile("pause");
    }
    CHECK_EQUAL(exits(VM_EXIT_MSR_READ), reads);
    CHECK_EQUAL(exits(VM_EXIT_MSR_WRITE), writes);
    CHECK_EQUAL(exits(VM_EXIT_RDTSC), tsc);
    CHECK_EQUAL(exits(VM_EXIT_INVLPG), 0);
}

TEST(io_bitmap)
{
    uint64_t before = exits(VM_EXIT_IO);

    outb(0x80, 1);
    CHECK_EQUAL(exits(VM_EXIT_IO), before + 1);
    call(HYPERCALL_ALLOW_PORTS, 0x80, 1, 1);
    for (unsigned i = 0; i < 10; i++) {
        outb(0x80, 1);
    }
    CHECK_EQUAL(exits(VM_EXIT_IO), before + 1);
    outb(0x81, 1); /* its neighbours still exit */
    outw(0x80, 1); /* and so does an access that is only half on it */
    CHECK_EQUAL(exits(VM_EXIT_IO), before + 3);
    call(HYPERCALL_ALLOW_PORTS, 0x80, 1, 0);
    CHECK((int64_t)call(HYPERCALL_ALLOW_PORTS, 1, 0x10000, 0) < 0);
    CHECK((int64_t)call(HYPERCALL_ALLOW_PORTS, 0x10000, 1, 0) < 0);
    outb(0x80, 1);
    CHECK_EQUAL(exits(VM_EXIT_IO), before + 4);
}

static uint64_t page_size(uint64_t address)
{
    return call(HYPERCALL_PAGE_SIZE, address, 0, 0);
}

TEST(nested_page_sizes)
{
    const uint64_t block = 0xa00000; /* nothing of ours lies there */
    volatile uint64_t *word = (volatile uint64_t *)block;
    uint64_t large = has(FEATURE_NESTED_2M) ? 0x200000 : 4096;

    CHECK_EQUAL(page_size(UINT64_C(0xd0000000)), 0);
    *word = 1;
    CHECK(page_size(block) >= large);
    /* A hole in a large page: the rest is there in small ones. */
    CHECK_EQUAL(call(HYPERCALL_UNMAP, block + 0x3000, 4096, 0), 0);
    CHECK_EQUAL(page_size(block + 0x3000), 0);
    CHECK_EQUAL(page_size(block + 0x2000), 4096);
    CHECK_EQUAL(page_size(block + 0x4000), 4096);
    CHECK_EQUAL(*word, 1);
    CHECK_EQUAL(page_size(block + 0x3000), 0);
    word[0x3000 / 8] = 2;
    CHECK(page_size(block + 0x3000) != 0);
    CHECK_EQUAL(word[0x3000 / 8], 2);
    CHECK_EQUAL(*word, 1);
    CHECK_EQUAL(call(HYPERCALL_UNMAP, block, 0x200000, 0), 0);
    CHECK_EQUAL(page_size(block + 0x1000), 0);
    CHECK_EQUAL(*word, 1);
}

TEST(remapped_page_is_seen)
{
    /* Through a translation that the CPU still remembers if it was not told to forget. */
    volatile uint64_t *word = (volatile uint64_t *)UINT64_C(0xc00000);

    for (unsigned i = 0; i < 5; i++) {
        uint64_t before;

        *word = i;
        before = exits(VM_EXIT_MEMORY);
        CHECK_EQUAL(call(HYPERCALL_UNMAP, 0xc00000, 4096, 0), 0);
        CHECK_EQUAL(*word, i);
        CHECK_EQUAL(exits(VM_EXIT_MEMORY), before + 1);
    }
}

TEST(activity_halt)
{
    set_handler(VECTOR, note_interrupt);
    lapic_write(LAPIC_DIVIDE, 0xb);
    lapic_write(LAPIC_LVT_TIMER, VECTOR);
    hits = 0;
    interrupts_on();
    lapic_write(LAPIC_INITIAL_COUNT, 200000);
    call(HYPERCALL_SET_ACTIVITY, ACTIVITY_HLT, 0, 0);
    /* Bochs 2.7 lets any interrupt of the host end it, so the guest's may still be to come. */
    WAIT_FOR(hits != 0, 100);
    CHECK_EQUAL(hits, 1);
    interrupts_off();
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    set_handler(VECTOR, NULL);
}

TEST(spinning_is_bounded)
{
    uint64_t before = exits(VM_EXIT_INTERRUPTED);

    interrupts_off();
    WAIT_FOR(false, 50);
    CHECK(exits(VM_EXIT_INTERRUPTED) > before);
}

TEST(unknown_functions)
{
    CHECK((int64_t)vmcall(HYPERCALL_TEST + 200, 0, 0, 0) < 0);
    CHECK((int64_t)vmcall(0, 0, 0, 0) < 0);
    CHECK((int64_t)call(HYPERCALL_INJECT_EVENT, 99, 0, 0) < 0);
    CHECK((int64_t)call(HYPERCALL_EXIT_COUNT, 9999, 0, 0) < 0);
}
