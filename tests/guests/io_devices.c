/*
 * The devices of a PC by their ports, each as a driver would probe it.
 */
#include "tests/guests/runtime/acpi.h"
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

#define COM1 0x3f8u

TEST(unknown_ports)
{
    static const uint16_t ports[] = {0x1234, 0x2222, 0x5000, 0x9abc, 0xfffc};

    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        CHECK_EQUAL(inb(ports[i]), UINT8_MAX);
        CHECK_EQUAL(inw(ports[i]), UINT16_MAX);
        CHECK_EQUAL(inl(ports[i]), UINT32_MAX);
        outb(ports[i], 0);
        outw(ports[i], 0);
        outl(ports[i], 0);
        CHECK_EQUAL(inb(ports[i]), UINT8_MAX);
    }
}

/* IN leaves or clears what the size says. */
TEST(in_registers)
{
    uint64_t rax = UINT64_C(0x1122334455667788);

    __asm__ volatile("inb %w1, %b0" : "+a"(rax) : "d"(0x1234));
    CHECK_EQUAL(rax, UINT64_C(0x11223344556677ff));
    __asm__ volatile("inw %w1, %w0" : "+a"(rax) : "d"(0x1234));
    CHECK_EQUAL(rax, UINT64_C(0x112233445566ffff));
    __asm__ volatile("inl %w1, %k0" : "+a"(rax) : "d"(0x1234));
    CHECK_EQUAL(rax, UINT32_MAX);
}

static void uart_reset(void)
{
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x80);
    outb(COM1, 1);
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);
    outb(COM1 + 2, 7);
    outb(COM1 + 4, 0);
    (void)inb(COM1);
    (void)inb(COM1 + 5);
    (void)inb(COM1 + 6);
}

TEST(uart_registers)
{
    uart_reset();
    outb(COM1 + 7, 0x5a);
    CHECK_EQUAL(inb(COM1 + 7), 0x5a);
    outb(COM1 + 7, 0xa5);
    CHECK_EQUAL(inb(COM1 + 7), 0xa5);
    /* The divisor appears with DLAB only. */
    outb(COM1 + 3, 0x83);
    outb(COM1, 0x12);
    outb(COM1 + 1, 0x34);
    CHECK_EQUAL(inb(COM1), 0x12);
    CHECK_EQUAL(inb(COM1 + 1), 0x34);
    outb(COM1 + 3, 3);
    CHECK_EQUAL(inb(COM1 + 1), 0);
    CHECK_EQUAL(inb(COM1 + 2) & 0xc1, 0xc1); /* FIFOs on, no interrupt */
    CHECK_EQUAL(inb(COM1 + 5) & 0x60, 0x60); /* transmitter empty */
    uart_reset();
}

TEST(uart_loopback)
{
    uart_reset();
    outb(COM1 + 4, 0x10);
    for (unsigned i = 0; i < 5; i++) {
        outb(COM1, (uint8_t)(0x40 + i));
    }
    WAIT_FOR(false, 5); /* at 115200 baud a byte takes 87 us */
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQUAL(inb(COM1 + 5) & 1, 1);
        CHECK_EQUAL(inb(COM1), 0x40 + i);
    }
    CHECK_EQUAL(inb(COM1 + 5) & 1, 0);
    /* Modem lines: DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD. */
    for (unsigned lines = 0; lines < 16; lines++) {
        uint8_t expected = (uint8_t)(((lines & 2) << 3) | ((lines & 1) << 5) | ((lines & 4) << 4) |
                                     ((lines & 8) << 4));
        outb(COM1 + 4, (uint8_t)(0x10 | lines));
        CHECK_EQUAL(inb(COM1 + 6) & 0xf0, expected);
    }
    uart_reset();
}

TEST(uart_interrupt_identification)
{
    uart_reset();
    outb(COM1 + 1, 2);
    CHECK_EQUAL(inb(COM1 + 2) & 0xf, 2); /* transmitter empty; reading it clears it */
    CHECK_EQUAL(inb(COM1 + 2) & 0xf, 1);
    outb(COM1 + 4, 0x10);
    outb(COM1 + 1, 1);
    outb(COM1 + 2, 1); /* FIFO, trigger at one byte */
    outb(COM1, 0x77);
    WAIT_FOR((inb(COM1 + 2) & 0xf) == 4, 10);
    CHECK_EQUAL(inb(COM1 + 2) & 0xf, 4); /* received data */
    CHECK_EQUAL(inb(COM1), 0x77);
    CHECK_EQUAL(inb(COM1 + 2) & 0xf, 1);
    uart_reset();
}

static uint8_t cmos_read(unsigned index)
{
    outb(0x70, (uint8_t)index);
    return inb(0x71);
}

static void cmos_write(unsigned index, uint8_t value)
{
    outb(0x70, (uint8_t)index);
    outb(0x71, value);
}

TEST(cmos)
{
    uint8_t old = cmos_read(0x70);

    cmos_write(0x70, 0x3c);
    CHECK_EQUAL(cmos_read(0x70), 0x3c);
    cmos_write(0x70, old);
    CHECK_EQUAL(cmos_read(0x0d) & 0x80, 0x80); /* the battery is good */
}

static uint64_t seconds_now(void)
{
    while ((cmos_read(0x0a) & 0x80) != 0) {
        cpu_pause();
    }
    return cmos_read(0);
}

TEST(rtc_runs)
{
    uint64_t first = seconds_now();
    uint64_t start = rdtsc();

    CHECK((first & 0xf) < 10 && first < 0x60); /* BCD */
    CHECK(cmos_read(4) < 0x24 || (cmos_read(0x0b) & 2) == 0);
    CHECK(cmos_read(8) >= 1 && cmos_read(8) <= 0x12);
    WAIT_FOR(seconds_now() != first, 1500);
    CHECK(seconds_now() != first);
    CHECK(rdtsc() - start < 1100 * tsc_per_ms);
}

TEST(pit_count)
{
    uint16_t first;
    uint16_t second;

    pit_start(2, 0xffff);
    outb(0x43, 0); /* latch channel 0 */
    first = inb(0x40);
    first = (uint16_t)(first | inb(0x40) << 8);
    WAIT_FOR(false, 5);
    outb(0x43, 0);
    second = inb(0x40);
    second = (uint16_t)(second | inb(0x40) << 8);
    unsigned elapsed = (uint16_t)(first - second);
    CHECK(elapsed >= 5 * PIT_HZ / 1000 * 9 / 10);
    CHECK(elapsed < 5 * PIT_HZ / 1000 * 4);
}

TEST(pit_read_back)
{
    pit_start(3, 20000);
    outb(0x43, 0xe2); /* status of channel 0 */
    CHECK_EQUAL(inb(0x40) & 0x3f, 0x36);
    outb(0x43, 0xc2); /* status, then count */
    CHECK_EQUAL(inb(0x40) & 0x3f, 0x36);
    uint16_t count = inb(0x40);
    count = (uint16_t)(count | inb(0x40) << 8);
    CHECK(count <= 20000);
    /* A count not yet written in full is a null count. */
    outb(0x43, 0x34);
    outb(0x43, 0xe2);
    CHECK_EQUAL(inb(0x40) & 0x40, 0x40);
    pit_start(2, 0xffff);
}

TEST(port_61)
{
    uint8_t old = inb(0x61);
    unsigned changes = 0;

    outb(0x61, 1);
    CHECK_EQUAL(inb(0x61) & 3, 1);
    outb(0x61, 0);
    CHECK_EQUAL(inb(0x61) & 3, 0);
    /* Bit 4 toggles with the refresh of memory. */
    uint8_t last = inb(0x61);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t now = inb(0x61);
        changes += ((now ^ last) & 0x10) != 0;
        last = now;
    }
    CHECK(changes > 10);
    /* Channel 2 counts only with its gate open. */
    outb(0x43, 0xb0);
    outb(0x42, 0xe8);
    outb(0x42, 3);
    WAIT_FOR(false, 3);
    CHECK_EQUAL(inb(0x61) & 0x20, 0);
    outb(0x61, 1);
    WAIT_FOR((inb(0x61) & 0x20) != 0, 20);
    CHECK_EQUAL(inb(0x61) & 0x20, 0x20);
    outb(0x61, (uint8_t)(old & 0xf));
}

TEST(pic_masks)
{
    pic_mask(0xffff);
    CHECK_EQUAL(inb(0x21), 0xff);
    CHECK_EQUAL(inb(0xa1), 0xff);
    pic_mask(0xa55a);
    CHECK_EQUAL(inb(0x21), 0x5a);
    CHECK_EQUAL(inb(0xa1), 0xa5);
    pic_mask(0xffff);
    outb(0x4d1, 0x0c);
    CHECK_EQUAL(inb(0x4d1), 0x0c);
    outb(0x4d1, 0);
    CHECK_EQUAL(inb(0x4d0), 0);
}

static int i8042_result(uint8_t command)
{
    WAIT_FOR((inb(0x64) & 2) == 0, 20);
    outb(0x64, command);
    WAIT_FOR((inb(0x64) & 1) != 0, 50);
    return (inb(0x64) & 1) != 0 ? inb(0x60) : -1;
}

TEST(i8042)
{
    for (unsigned i = 0; i < 16 && (inb(0x64) & 1) != 0; i++) {
        (void)inb(0x60);
    }
    CHECK_EQUAL(i8042_result(0xaa), 0x55);
    CHECK_EQUAL(i8042_result(0xab), 0);
    int command = i8042_result(0x20);
    CHECK(command >= 0);
    outb(0x64, 0x60);
    WAIT_FOR((inb(0x64) & 2) == 0, 20);
    outb(0x60, (uint8_t)(command ^ 0x10));
    CHECK_EQUAL(i8042_result(0x20), command ^ 0x10);
    outb(0x64, 0x60);
    WAIT_FOR((inb(0x64) & 2) == 0, 20);
    outb(0x60, (uint8_t)command);
}

TEST(resets_that_are_none)
{
    uint8_t old = inb(0x92);

    outb(0x92, (uint8_t)((old | 2) & ~1)); /* A20, not the reset bit */
    CHECK_EQUAL(inb(0x92) & 3, 2);
    outb(0xcf9, 0x02); /* the kind of reset, but not the reset */
    outb(0xcf9, 0x00);
    outb(0x64, 0xff); /* pulses no line */
    outb(0x80, 0x12);
    CHECK_EQUAL(inb(0xe9), 0xe9);
}

TEST(acpi_tables)
{
    const uint8_t *fadt = acpi_find("FACP");
    const uint8_t *madt = acpi_find("APIC");

    CHECK(fadt != NULL);
    CHECK(madt != NULL);
    if (fadt != NULL && madt != NULL) {
        CHECK(acpi_field(fadt, FADT_PM_TMR, 4) != 0);
        CHECK(acpi_s5_type() >= 0);
        CHECK_EQUAL(acpi_field(madt, 36, 4), LAPIC_ADDRESS);
    }
}

TEST(pm_timer)
{
    const uint8_t *fadt = acpi_find("FACP");

    SKIP_UNLESS(fadt != NULL, "no FADT");
    uint16_t port = (uint16_t)acpi_field(fadt, FADT_PM_TMR, 4);
    uint32_t last = inl(port);
    uint32_t start = last;
    uint64_t tsc = rdtsc();
    for (unsigned i = 0; i < 500; i++) {
        uint32_t now = inl(port);
        if (((now - last) & 0xffffff) > 0x800000) {
            CHECK_EQUAL(now, last);
            break;
        }
        last = now;
    }
    WAIT_FOR(rdtsc() - tsc > 50 * tsc_per_ms, 100);
    uint64_t milliseconds = (rdtsc() - tsc) / tsc_per_ms;
    uint64_t ticks = (inl(port) - start) & 0xffffff;
    /* 3.579545 MHz, against the TSC as the 8254 measured it. */
    CHECK(ticks > milliseconds * 3579 * 9 / 10);
    CHECK(ticks < (milliseconds + 2) * 3580 * 11 / 10);
}

TEST(no_pci)
{
    SKIP_UNLESS(under_innkeeper(), "a PC with PCI");
    outl(0xcf8, 0x80000000);
    CHECK_EQUAL(inl(0xcfc), UINT32_MAX);
}
