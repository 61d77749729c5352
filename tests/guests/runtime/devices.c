#include "tests/guests/runtime/devices.h"

#define PIC_MASTER 0x20u
#define PIC_SLAVE  0xa0u
#define PIC_EOI    0x20u

#define PIT_CHANNEL0 0x40u
#define PIT_CHANNEL2 0x42u
#define PIT_CONTROL  0x43u
#define PORT_61      0x61u

#define IOAPIC_SELECT (volatile uint32_t *)IOAPIC_ADDRESS
#define IOAPIC_WINDOW (volatile uint32_t *)(IOAPIC_ADDRESS + 0x10)

bool lapic_x2apic;
uint64_t tsc_per_ms = 1000000; /* until it has been measured */

uint32_t lapic_read(unsigned offset)
{
    if (lapic_x2apic) {
        return (uint32_t)rdmsr(MSR_X2APIC_BASE + offset / 16);
    }
    return *(volatile uint32_t *)(LAPIC_ADDRESS + offset);
}

void lapic_write(unsigned offset, uint32_t value)
{
    if (lapic_x2apic) {
        wrmsr(MSR_X2APIC_BASE + offset / 16, value);
    } else {
        *(volatile uint32_t *)(LAPIC_ADDRESS + offset) = value;
    }
}

void lapic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    lapic_x2apic = (base & APIC_BASE_X2APIC) != 0;
    wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    lapic_write(LAPIC_SVR, LAPIC_ENABLED | SPURIOUS_VECTOR);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_INITIAL_COUNT, 0);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LVT_MASKED);
    lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
    lapic_write(LAPIC_ESR, 0);
}

void lapic_enable_x2apic(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC | APIC_BASE_ENABLE);
    lapic_init();
}

void lapic_self_ipi(unsigned vector)
{
    lapic_write(LAPIC_ICR_LOW, ICR_SELF | ICR_ASSERT | vector);
}

void lapic_self_nmi(void)
{
    /* The shorthand "self" does not take NMIs (SDM vol. 3, 11.6.1): address ourselves. */
    uint32_t id = lapic_read(LAPIC_ID);

    if (lapic_x2apic) {
        wrmsr(MSR_X2APIC_BASE + LAPIC_ICR_LOW / 16, (uint64_t)id << 32 | ICR_NMI | ICR_ASSERT);
    } else {
        lapic_write(LAPIC_ICR_HIGH, id);
        lapic_write(LAPIC_ICR_LOW, ICR_NMI | ICR_ASSERT);
    }
}

bool lapic_vector_bit(unsigned offset, unsigned vector)
{
    return (lapic_read(offset + vector / 32 * 16) >> (vector % 32) & 1) != 0;
}

uint32_t ioapic_read(unsigned index)
{
    *IOAPIC_SELECT = index;
    return *IOAPIC_WINDOW;
}

void ioapic_write(unsigned index, uint32_t value)
{
    *IOAPIC_SELECT = index;
    *IOAPIC_WINDOW = value;
}

void ioapic_route(unsigned pin, uint32_t low, uint32_t destination)
{
    ioapic_write(0x10 + 2 * pin, LVT_MASKED);
    ioapic_write(0x11 + 2 * pin, destination << 24);
    ioapic_write(0x10 + 2 * pin, low);
}

void pic_init(void)
{
    outb(PIC_MASTER, 0x11);
    outb(PIC_SLAVE, 0x11);
    outb(PIC_MASTER + 1, PIC_VECTOR);
    outb(PIC_SLAVE + 1, PIC_VECTOR + 8);
    outb(PIC_MASTER + 1, 4);
    outb(PIC_SLAVE + 1, 2);
    outb(PIC_MASTER + 1, 1);
    outb(PIC_SLAVE + 1, 1);
    pic_mask(0xffff);
}

void pic_mask(uint16_t mask)
{
    outb(PIC_MASTER + 1, (uint8_t)mask);
    outb(PIC_SLAVE + 1, (uint8_t)(mask >> 8));
}

void end_of_interrupt(unsigned vector)
{
    if (vector >= PIC_VECTOR && vector < PIC_VECTOR + 16) {
        if (vector >= PIC_VECTOR + 8) {
            outb(PIC_SLAVE, PIC_EOI);
        }
        outb(PIC_MASTER, PIC_EOI);
    } else if (vector > PIC_VECTOR && vector != SPURIOUS_VECTOR) {
        lapic_write(LAPIC_EOI, 0);
    }
}

void pit_start(unsigned mode, uint16_t count)
{
    outb(PIT_CONTROL, (uint8_t)(0x30 | mode << 1));
    outb(PIT_CHANNEL0, (uint8_t)count);
    outb(PIT_CHANNEL0, (uint8_t)(count >> 8));
}

void time_init(void)
{
    uint16_t count = PIT_HZ / 100; /* 10 ms */
    uint64_t start;

    /* Gate of channel 2 on, speaker off; mode 0: output rises at the end. */
    outb(PORT_61, (uint8_t)((inb(PORT_61) & ~2) | 1));
    outb(PIT_CONTROL, 0xb0);
    outb(PIT_CHANNEL2, (uint8_t)count);
    outb(PIT_CHANNEL2, (uint8_t)(count >> 8));
    start = rdtsc();
    while ((inb(PORT_61) & 0x20) == 0) {
        cpu_pause();
    }
    tsc_per_ms = (rdtsc() - start) / 10;
}
