/*
 * What exits cost, as the guest sees it. Each row is the least of many rounds of one operation, in
 * ticks of the TSC, less what the measuring itself takes:
 *
 *     row NAME TICKS
 *
 * Under an emulator that counts a tick for each instruction, that is nearly the same in every run.
 */
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/runtime.h"
#include "tests/guests/runtime/traps.h"

#define WARM_UP 8
#define ROUNDS  64

#define VECTOR 0x41

#define PIC_MASTER_MASK 0x21u
#define PIT_COUNTER0    0x40u
#define UNKNOWN_PORT    0x1f8u
#define UART_DATA       0x3f8u
#define UART_STATUS     0x3fdu
#define UART_SCRATCH    0x3ffu

#define IOAPIC_LAST_ENTRY 0x3eu
#define IOAPIC_WINDOW     (*(volatile uint32_t *)(IOAPIC_ADDRESS + 0x10))
#define XAPIC_TPR         (*(volatile uint32_t *)(LAPIC_ADDRESS + LAPIC_TPR))
#define XAPIC_EOI         (*(volatile uint32_t *)(LAPIC_ADDRESS + LAPIC_EOI))

/* Memory that nobody has touched: the image and the boot information lie below it. */
#define BLOCK           UINT64_C(0x200000)
#define UNTOUCHED_START UINT64_C(0x400000)
#define UNTOUCHED_END   UINT64_C(0xe00000)

/* Ticks of the least round of `operation`, two readings of the TSC included. */
#define LEAST(operation)                                           \
    ({                                                             \
        uint64_t least = UINT64_MAX;                               \
                                                                   \
        for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {          \
            uint64_t start = rdtsc();                              \
            operation;                                             \
            uint64_t ticks = rdtsc() - start;                      \
            least = i >= WARM_UP && ticks < least ? ticks : least; \
        }                                                          \
        least;                                                     \
    })
#define MEASURE(name, operation) report(name, LEAST(operation))

static uint64_t overhead;
static volatile unsigned interrupts;

static void report(const char *name, uint64_t least)
{
    print("row %s %lu\n", name, least - overhead);
}

/* As little as an interrupt handler can do. */
__attribute__((interrupt)) static void handle_interrupt(void *frame)
{
    (void)frame;
    interrupts++;
    wrmsr(MSR_X2APIC_EOI, 0);
}

static void install_handler(void)
{
    uint64_t address = (uint64_t)(uintptr_t)handle_interrupt;

    idt[VECTOR].offset_low = (uint16_t)address;
    idt[VECTOR].offset_middle = (uint16_t)(address >> 16);
    idt[VECTOR].offset_high = (uint32_t)(address >> 32);
}

void prepare(void)
{
    overhead = LEAST((void)0);
}

TEST(instructions)
{
    uint64_t cr0 = read_cr0();

    MEASURE("cpuid", cpuid(0, 0));
    MEASURE("vmcall", vmcall(0, 0, 0, 0));
    MEASURE("cr8_read", read_cr8());
    MEASURE("cr8_write", write_cr8(0));
    /* Twice: off and on again. */
    MEASURE("cr0_wp", (write_cr0(cr0 ^ CR0_WP), write_cr0(cr0)));
    MEASURE("cr0_cd", (write_cr0(cr0 ^ CR0_CD), write_cr0(cr0)));
}

TEST(msrs)
{
    uint64_t misc_enable = rdmsr(MSR_MISC_ENABLE);
    uint64_t lstar = rdmsr(MSR_LSTAR);

    MEASURE("rdmsr", rdmsr(MSR_APIC_BASE));
    MEASURE("wrmsr", wrmsr(MSR_MISC_ENABLE, misc_enable));
    MEASURE("rdmsr_passed", rdmsr(MSR_LSTAR));
    MEASURE("wrmsr_passed", wrmsr(MSR_LSTAR, lstar));
}

TEST(ports)
{
    uint8_t mask = inb(PIC_MASTER_MASK);

    MEASURE("pic_in", inb(PIC_MASTER_MASK));
    MEASURE("pic_out", outb(PIC_MASTER_MASK, mask));
    pit_start(2, 0); /* running; nobody listens to its interrupts */
    MEASURE("pit_in", inb(PIT_COUNTER0));
    MEASURE("unknown_in", inb(UNKNOWN_PORT));
    MEASURE("uart_in", inb(UART_STATUS));
    MEASURE("uart_out", outb(UART_SCRATCH, 0x55)); /* the scratch register, which does nothing */

    uint64_t send = LEAST(outb(UART_DATA, ' '));
    print("\n");
    report("uart_send", send);
}

TEST(mmio)
{
    uint32_t entry = ioapic_read(IOAPIC_LAST_ENTRY); /* masked, and selected from here on */

    MEASURE("ioapic_read", IOAPIC_WINDOW);
    MEASURE("ioapic_write", IOAPIC_WINDOW = entry);
    MEASURE("xapic_read", XAPIC_TPR);
    MEASURE("xapic_write", XAPIC_TPR = 0);
    MEASURE("xapic_eoi", XAPIC_EOI = 0); /* nothing in service */
}

TEST(x2apic)
{
    lapic_enable_x2apic();
    MEASURE("x2apic_eoi", wrmsr(MSR_X2APIC_EOI, 0)); /* nothing in service */
    lapic_write(LAPIC_LVT_TIMER, LVT_TIMER_DEADLINE | LVT_MASKED);
    MEASURE("tsc_deadline", wrmsr(MSR_TSC_DEADLINE, UINT64_MAX / 2)); /* far away */
    wrmsr(MSR_TSC_DEADLINE, 0);
}

/* From the request to the end of the handler, EOI and IRET included. */
TEST(interrupts)
{
    install_handler();

    interrupts = 0;
    interrupts_on();
    MEASURE("self_ipi", wrmsr(MSR_X2APIC_SELF_IPI, VECTOR));
    interrupts_off();
    CHECK_EQUAL(interrupts, WARM_UP + ROUNDS);

    interrupts = 0;
    MEASURE("irq_window", (wrmsr(MSR_X2APIC_SELF_IPI, VECTOR), interrupts_for_a_moment()));
    CHECK_EQUAL(interrupts, WARM_UP + ROUNDS);

    interrupts = 0;
    MEASURE("self_ipi_hlt", (wrmsr(MSR_X2APIC_SELF_IPI, VECTOR), halt_until_interrupt()));
    CHECK_EQUAL(interrupts, WARM_UP + ROUNDS);
}

TEST(memory)
{
    uint64_t least = UINT64_MAX;

    for (uint64_t block = UNTOUCHED_START; block < UNTOUCHED_END; block += BLOCK) {
        uint64_t start = rdtsc();
        *(volatile uint8_t *)(uintptr_t)block = 1;
        uint64_t ticks = rdtsc() - start;
        least = ticks < least ? ticks : least;
    }
    report("page_touch_2m", least);
}
