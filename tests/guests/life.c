/*
 * A guest to be paused, resumed, reset and shut down from outside. It compares its clocks all the
 * time, tells of them when a line is typed, and powers off when its power button is pressed.
 */
#include "tests/guests/runtime/acpi.h"
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

#define COM1     0x3f8u
#define COM1_IRQ 4u

#define POWER_BUTTON (1u << 8) /* in PM1 status and enable */
#define SLEEP_ENABLE (1u << 13)
#define PM_TIMER_KHZ 3580u

#define PIT_IRQ     0u
#define TICKS_PER_S 100u
#define SLEEP_TICKS (PIT_HZ / TICKS_PER_S)

static const uint8_t *fadt;
static uint16_t pm_event;
static unsigned sci;
static uint64_t tsc_start;
static uint32_t pm_start;
static uint64_t longest_gap; /* TSC */
static volatile unsigned ticks;
/* As CPUID says (leaf 15H); to measure it takes a CPU that nobody shares. */
static uint64_t tsc_khz;

static uint32_t read_pm_timer(void)
{
    return inl((uint16_t)acpi_field(fadt, FADT_PM_TMR, 4));
}

static void tell_clocks(void)
{
    print("clocks: TSC %lu ms, PM timer %u ms, 8254 %u ms, longest gap %lu ms\n",
          (rdtsc() - tsc_start) / tsc_khz, (read_pm_timer() - pm_start) / PM_TIMER_KHZ,
          ticks * 1000 / TICKS_PER_S, longest_gap / tsc_khz);
}

static void take_typed(struct trap_frame *frame)
{
    (void)frame;
    while (inb(COM1 + 5) & 1) {
        if (inb(COM1) == '\r') {
            tell_clocks();
        }
    }
    end_of_interrupt(PIC_VECTOR + COM1_IRQ);
}

static void take_tick(struct trap_frame *frame)
{
    (void)frame;
    ticks++;
    end_of_interrupt(PIC_VECTOR + PIT_IRQ);
}

static void take_sci(struct trap_frame *frame)
{
    (void)frame;
    if (inw(pm_event) & POWER_BUTTON) {
        outw(pm_event, POWER_BUTTON);
        print("the power button was pressed\n");
        outw((uint16_t)acpi_field(fadt, FADT_PM1A_CNT, 4),
             (uint16_t)(SLEEP_ENABLE | (unsigned)acpi_s5_type() << 10));
    }
    end_of_interrupt(PIC_VECTOR + sci);
}

void prepare(void)
{
    struct cpuid rate = cpuid(0x15, 0);

    tsc_khz = rate.eax != 0 ? (uint64_t)rate.ecx * rate.ebx / rate.eax / 1000 : tsc_per_ms;
    fadt = acpi_find("FACP");
    if (fadt == NULL || acpi_s5_type() < 0) {
        print("FAIL life: no ACPI\n");
        exit_guest(1);
    }
    pm_event = (uint16_t)acpi_field(fadt, FADT_PM1A_EVT, 4);
    sci = acpi_field(fadt, FADT_SCI, 2);
    pic_init();
    lapic_init();
    lapic_write(LAPIC_LVT_LINT0, DELIVERY_EXTINT);
    set_handler(PIC_VECTOR + PIT_IRQ, take_tick);
    set_handler(PIC_VECTOR + COM1_IRQ, take_typed);
    set_handler((uint8_t)(PIC_VECTOR + sci), take_sci);
    pic_mask((uint16_t) ~(1u << PIT_IRQ | 1u << COM1_IRQ | 1u << 2 | 1u << sci));
    outb(COM1 + 2, 1); /* FIFOs; an interrupt from the first byte */
    outb(COM1 + 4, 8); /* OUT2 lets its interrupts out */
    outb(COM1 + 1, 1); /* when something was received */
    pit_start(2, SLEEP_TICKS);
    tsc_start = rdtsc();
    pm_start = read_pm_timer();
    /* The button is heard from here on. */
    outw((uint16_t)(pm_event + 2), POWER_BUTTON);
    print("alive\n");
    interrupts_on();
    for (uint64_t last = rdtsc();;) {
        uint64_t now = rdtsc();

        longest_gap = now - last > longest_gap ? now - last : longest_gap;
        last = now;
    }
}
