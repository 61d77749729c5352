/*
 * The 8259 pair and the 8254 behind the local APIC, and the I/O APIC.
 */
#include "tests/guests/interrupts.h"

#define PIC_MASTER   0x20u
#define PIC_READ_IRR 0x0au
#define PIC_READ_ISR 0x0bu

#define COM1     0x3f8u
#define COM1_IRQ 4u
#define PIT_PIN  2u /* IRQ 0 arrives at the I/O APIC's pin 2 on every PC */

#define IOAPIC_LEVEL      (1u << 15)
#define IOAPIC_REMOTE_IRR (1u << 14)

static unsigned apic_id(void)
{
    return lapic_x2apic ? lapic_read(LAPIC_ID) : lapic_read(LAPIC_ID) >> 24;
}

static uint8_t pic_register(uint8_t which)
{
    outb(PIC_MASTER, which);
    return inb(PIC_MASTER);
}

void prepare_interrupts(void)
{
    interrupts_off();
    pit_start(0, 0xffff);
    outb(COM1 + 1, 0);
    pic_init();
    lapic_init();
    write_cr8(0);
    for (unsigned pin = 0; pin < 24; pin++) {
        ioapic_route(pin, LVT_MASKED, 0);
    }
    for (unsigned vector = 32; vector < 256; vector++) {
        if (vector != RETURN_VECTOR) {
            set_handler(vector, count_interrupt);
        }
        interrupt_count[vector] = 0;
    }
    interrupts_for_a_moment();
    for (unsigned vector = 32; vector < 256; vector++) {
        interrupt_count[vector] = 0;
    }
    last_vector = 0;
}

/* Leaves either mode, as a change from x2APIC to xAPIC mode needs it. */
void lapic_disable(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC));
}

TEST(pit_through_pic)
{
    prepare_interrupts();
    lapic_write(LAPIC_LVT_LINT0, DELIVERY_EXTINT);
    pic_mask(0xfffe);
    pit_start(2, PIT_HZ / 1000);
    WAIT_WITH_INTERRUPTS(interrupt_count[PIC_VECTOR] >= 5, 200);
    CHECK(interrupt_count[PIC_VECTOR] >= 5);
    /* Masked at the PIC, then at the local APIC: silence. */
    pic_mask(0xffff);
    interrupts_for_a_moment();
    unsigned count = interrupt_count[PIC_VECTOR];
    WAIT_WITH_INTERRUPTS(false, 10);
    CHECK_EQUAL(interrupt_count[PIC_VECTOR], count);
    lapic_write(LAPIC_LVT_LINT0, DELIVERY_EXTINT | LVT_MASKED);
    pic_mask(0xfffe);
    WAIT_WITH_INTERRUPTS(false, 10);
    CHECK_EQUAL(interrupt_count[PIC_VECTOR], count);
    prepare_interrupts();
}

TEST(pic_request_and_service)
{
    prepare_interrupts();
    lapic_write(LAPIC_LVT_LINT0, DELIVERY_EXTINT);
    pic_mask(0xfffe);
    pit_start(0, 1000);
    WAIT_FOR((pic_register(PIC_READ_IRR) & 1) != 0, 100);
    CHECK_EQUAL(pic_register(PIC_READ_IRR) & 1, 1);
    CHECK_EQUAL(pic_register(PIC_READ_ISR) & 1, 0);
    CHECK_EQUAL(interrupt_count[PIC_VECTOR], 0);
    interrupts_for_a_moment();
    CHECK_EQUAL(interrupt_count[PIC_VECTOR], 1);
    CHECK_EQUAL(pic_register(PIC_READ_IRR) & 1, 0);
    prepare_interrupts();
}

static void count_without_eoi(struct trap_frame *frame)
{
    interrupt_count[frame->vector]++;
}

TEST(pic_waits_for_eoi)
{
    prepare_interrupts();
    set_handler(PIC_VECTOR, count_without_eoi);
    lapic_write(LAPIC_LVT_LINT0, DELIVERY_EXTINT);
    pic_mask(0xfffe);
    pit_start(2, PIT_HZ / 1000);
    WAIT_WITH_INTERRUPTS(interrupt_count[PIC_VECTOR] >= 2, 10);
    CHECK_EQUAL(interrupt_count[PIC_VECTOR], 1);
    CHECK_EQUAL(pic_register(PIC_READ_ISR) & 1, 1);
    end_of_interrupt(PIC_VECTOR);
    WAIT_WITH_INTERRUPTS(interrupt_count[PIC_VECTOR] >= 2, 100);
    CHECK_EQUAL(interrupt_count[PIC_VECTOR], 2);
    end_of_interrupt(PIC_VECTOR);
    prepare_interrupts();
}

TEST(pic_slave)
{
    prepare_interrupts();
    lapic_write(LAPIC_LVT_LINT0, DELIVERY_EXTINT);
    /* The RTC's update interrupt comes once a second by IRQ 8; periodic at 1024 Hz is quicker. */
    outb(0x70, 0x0b);
    uint8_t control = inb(0x71);
    outb(0x70, 0x0a);
    outb(0x71, 0x26);
    outb(0x70, 0x0b);
    outb(0x71, (uint8_t)(control | 0x40));
    outb(0x70, 0x0c);
    inb(0x71);
    pic_mask(0xfefb);
    WAIT_WITH_INTERRUPTS(interrupt_count[PIC_VECTOR + 8] >= 1, 200);
    CHECK_EQUAL(interrupt_count[PIC_VECTOR + 8], 1);
    /* No further one until register C has been read. */
    outb(0x70, 0x0c);
    CHECK_EQUAL(inb(0x71) & 0xc0, 0xc0);
    WAIT_WITH_INTERRUPTS(interrupt_count[PIC_VECTOR + 8] >= 2, 200);
    CHECK(interrupt_count[PIC_VECTOR + 8] >= 2);
    outb(0x70, 0x0b);
    outb(0x71, control);
    outb(0x70, 0x0c);
    inb(0x71);
    prepare_interrupts();
}

TEST_IN_BOTH_MODES(ioapic_edge)
{
    ioapic_route(PIT_PIN, VECTOR_MID, apic_id());
    pit_start(0, 1000);
    WAIT_WITH_INTERRUPTS(interrupt_count[VECTOR_MID] != 0, 100);
    WAIT_WITH_INTERRUPTS(false, 5);
    CHECK_EQUAL(interrupt_count[VECTOR_MID], 1);
    pit_start(2, PIT_HZ / 1000);
    WAIT_WITH_INTERRUPTS(interrupt_count[VECTOR_MID] >= 4, 200);
    CHECK(interrupt_count[VECTOR_MID] >= 4);
    ioapic_route(PIT_PIN, LVT_MASKED | VECTOR_MID, apic_id());
    interrupts_for_a_moment();
    unsigned count = interrupt_count[VECTOR_MID];
    WAIT_WITH_INTERRUPTS(false, 10);
    CHECK_EQUAL(interrupt_count[VECTOR_MID], count);
}

static unsigned level_interrupts;
static uint32_t entry_in_service;

/* The device is silenced at the third interrupt only. */
static void level_handler(struct trap_frame *frame)
{
    entry_in_service = ioapic_read(0x10 + 2 * COM1_IRQ);
    if (++level_interrupts == 3) {
        outb(COM1 + 1, 0);
    }
    end_of_interrupt((unsigned)frame->vector);
}

TEST_IN_BOTH_MODES(ioapic_level)
{
    level_interrupts = 0;
    set_handler(VECTOR_MID, level_handler);
    ioapic_route(COM1_IRQ, IOAPIC_LEVEL | VECTOR_MID, apic_id());
    outb(COM1 + 4, 8); /* OUT2 lets its interrupts out */
    outb(COM1 + 1, 2); /* transmitter empty: now */
    WAIT_WITH_INTERRUPTS(level_interrupts >= 3, 100);
    WAIT_WITH_INTERRUPTS(false, 5);
    CHECK_EQUAL(level_interrupts, 3);
    CHECK_EQUAL(entry_in_service & IOAPIC_REMOTE_IRR, IOAPIC_REMOTE_IRR);
    CHECK_EQUAL(ioapic_read(0x10 + 2 * COM1_IRQ) & IOAPIC_REMOTE_IRR, 0);
    /* A level that is there when the pin is unmasked interrupts. */
    ioapic_route(COM1_IRQ, LVT_MASKED | IOAPIC_LEVEL | VECTOR_MID, apic_id());
    level_interrupts = 2;
    outb(COM1 + 1, 2);
    WAIT_WITH_INTERRUPTS(level_interrupts != 2, 5);
    CHECK_EQUAL(level_interrupts, 2);
    ioapic_write(0x10 + 2 * COM1_IRQ, IOAPIC_LEVEL | VECTOR_MID);
    WAIT_WITH_INTERRUPTS(level_interrupts != 2, 100);
    CHECK_EQUAL(level_interrupts, 3);
    outb(COM1 + 4, 0);
}

static unsigned nmis;

static void count_nmi(struct trap_frame *frame)
{
    (void)frame;
    nmis++;
}

/* An NMI ends HLT though interrupts are off. */
TEST_IN_BOTH_MODES(ioapic_nmi_ends_halt)
{
    nmis = 0;
    set_handler(EXCEPTION_NMI, count_nmi);
    ioapic_route(PIT_PIN, ICR_NMI, apic_id());
    pit_start(0, 2000);
    __asm__ volatile("hlt");
    CHECK_EQUAL(nmis, 1);
    ioapic_route(PIT_PIN, LVT_MASKED, 0);
    set_handler(EXCEPTION_NMI, NULL);
}

TEST(ioapic_registers)
{
    prepare_interrupts();
    CHECK((ioapic_read(1) >> 16 & 0xff) >= 23);
    ioapic_write(0x10 + 2 * 5, UINT32_MAX & ~0x700u);
    CHECK_EQUAL(ioapic_read(0x10 + 2 * 5) & (IOAPIC_REMOTE_IRR | 1u << 12), 0); /* read-only */
    CHECK_EQUAL(ioapic_read(0x10 + 2 * 5) & 0x1a8ff, 0x1a8ff);
    ioapic_write(0x10 + 2 * 5, LVT_MASKED);
    ioapic_write(0x11 + 2 * 5, 0x0f000000);
    CHECK_EQUAL(ioapic_read(0x11 + 2 * 5) & 0x0f000000, 0x0f000000);
    ioapic_write(0x11 + 2 * 5, 0);
}

LAST_TEST(pic_without_local_apic)
{
    prepare_interrupts();
    /* Disabled by its base register the local APIC lets the PIC's line through. */
    lapic_disable();
    CHECK((cpuid(1, 0).edx & 1u << 9) == 0);
    pic_mask(0xfffe);
    pit_start(2, PIT_HZ / 1000);
    WAIT_WITH_INTERRUPTS(interrupt_count[PIC_VECTOR] >= 3, 200);
    CHECK(interrupt_count[PIC_VECTOR] >= 3);
    prepare_interrupts();
}
