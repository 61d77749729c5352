/* Devices: by ports and by memory. */
#include "tests/bench/bench.h"

#define PIC_MASTER_MASK 0x21u
#define PIT_COUNTER0    0x40u
#define UNKNOWN_PORT    0x1f8u
#define UART_DATA       0x3f8u
#define UART_STATUS     0x3fdu
#define UART_SCRATCH    0x3ffu

#define IOAPIC_LAST_ENTRY 0x3eu
#define IOAPIC_WINDOW     (*(volatile uint32_t *)(IOAPIC_ADDRESS + 0x10))
#define XAPIC(offset)     (*(volatile uint32_t *)(LAPIC_ADDRESS + (offset)))

TEST(ports)
{
    uint8_t mask = inb(PIC_MASTER_MASK);

    MEASURE("pic_in", inb(PIC_MASTER_MASK));
    MEASURE("pic_out", outb(PIC_MASTER_MASK, mask));
    pit_start(2, 0); /* running; nobody listens to its interrupts */
    MEASURE("pit_in", inb(PIT_COUNTER0));
    MEASURE("unknown_in", inb(UNKNOWN_PORT));
    MEASURE("unknown_out", outb(UNKNOWN_PORT, 0));
    MEASURE("uart_in", inb(UART_STATUS));
    MEASURE("uart_out", outb(UART_SCRATCH, 0x55)); /* the scratch register, which does nothing */

    struct ticks send = ROUNDS_OF(outb(UART_DATA, ' '));
    print("\n");
    report("uart_send", &send);
}

TEST(mmio)
{
    uint32_t entry = ioapic_read(IOAPIC_LAST_ENTRY); /* masked, and selected from here on */

    MEASURE("ioapic_read", IOAPIC_WINDOW);
    MEASURE("ioapic_write", IOAPIC_WINDOW = entry);
}

TEST(xapic)
{
    MEASURE("xapic_read", XAPIC(LAPIC_TPR));
    MEASURE("xapic_write", XAPIC(LAPIC_TPR) = 0);
    MEASURE("xapic_eoi", XAPIC(LAPIC_EOI) = 0); /* nothing in service */

    use_xapic_handler();
    interrupts = 0;
    interrupts_on();
    MEASURE("xapic_self_ipi", XAPIC(LAPIC_ICR_LOW) = ICR_SELF | ICR_ASSERT | VECTOR);
    interrupts_off();
    CHECK_EQUAL(interrupts, WARM_UP + ROUNDS);
}
