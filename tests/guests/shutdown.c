/*
 * The ways in which a guest ends or misbehaves; a word on the command line chooses. Without one it
 * ends by the debug-exit port. None of them returns.
 */
#include "guest/hypercall.h"
#include "tests/guests/runtime/acpi.h"
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

#define EXIT_VALUE 0x31u

#define SLEEP_ENABLE (1u << 13)

#define COM1     0x3f8u
#define COM1_IRQ 4u

static void debug_exit(void)
{
    exit_guest(EXIT_VALUE);
}

static void triple_fault(void)
{
    const struct table_pointer none = {0, 0};

    load_idt(&none);
    __asm__ volatile("ud2");
}

static void power_off(void)
{
    const uint8_t *fadt = acpi_find("FACP");
    int type = acpi_s5_type();

    if (fadt == NULL || type < 0) {
        print("no ACPI way to power off\n");
        exit_guest(1);
    }
    outw((uint16_t)acpi_field(fadt, FADT_PM1A_CNT, 4),
         (uint16_t)(SLEEP_ENABLE | (unsigned)type << 10));
}

static void reset_cf9(void)
{
    outb(0xcf9, 0x02);
    outb(0xcf9, 0x06);
}

static void reset_i8042(void)
{
    outb(0x64, 0xfe);
}

static void reset_92(void)
{
    outb(0x92, (uint8_t)(inb(0x92) & ~1));
    outb(0x92, (uint8_t)(inb(0x92) | 1));
}

/* An instruction that no emulator of MMIO needs to know, on a device. */
static void undecodable(void)
{
    __asm__ volatile("movq (%0), %%mm0" : : "r"(IOAPIC_ADDRESS));
}

static void spin(void)
{
    for (;;) {
        __asm__ volatile("cli");
    }
}

static void exit_flood(void)
{
    interrupts_on();
    for (;;) {
        cpuid(0, 0);
    }
}

static void exit_flood_masked(void)
{
    for (;;) {
        cpuid(0, 0);
    }
}

static void break_state(void)
{
    int which = command_line_number("break-state");

    print("breaks state %d: %lx\n", which,
          vmcall(HYPERCALL_TEST + HYPERCALL_BREAK_STATE, (uint64_t)which, 0, 0));
}

static unsigned typed;

static void take_typed(struct trap_frame *frame)
{
    (void)frame;
    while (inb(COM1 + 5) & 1) {
        typed++;
        if (inb(COM1) == '\r') {
            print("%d keys\n", typed);
            typed = 0;
        }
    }
    end_of_interrupt(PIC_VECTOR + COM1_IRQ);
}

/* Sleeps until a key wakes it, and has no timer that would. */
static void count_keys(void)
{
    pic_init();
    lapic_init();
    lapic_write(LAPIC_LVT_LINT0, DELIVERY_EXTINT);
    set_handler(PIC_VECTOR + COM1_IRQ, take_typed);
    pic_mask((uint16_t) ~(1u << COM1_IRQ));
    pit_start(0, 1);   /* counts down once, and that is all */
    outb(COM1 + 2, 1); /* FIFOs; an interrupt from the first byte */
    outb(COM1 + 4, 8); /* OUT2 lets its interrupts out */
    outb(COM1 + 1, 1); /* when something was received */
    for (;;) {
        __asm__ volatile("sti; hlt");
    }
}

static const struct {
    const char *word;
    void (*end)(void);
} endings[] = {
    {"debug-exit", debug_exit},   {"triple-fault", triple_fault},
    {"power-off", power_off},     {"reset-cf9", reset_cf9},
    {"reset-i8042", reset_i8042}, {"reset-92", reset_92},
    {"undecodable", undecodable}, {"spin", spin},
    {"exit-flood", exit_flood},   {"exit-flood-cli", exit_flood_masked},
    {"count-keys", count_keys},
};

void prepare(void)
{
    if (command_line_number("break-state") >= 0) {
        break_state();
    }
    for (unsigned i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (command_line_has(endings[i].word)) {
            print("ends by %s\n", endings[i].word);
            endings[i].end();
            /* A reset takes its moment. */
            WAIT_FOR(false, 1000);
            print("FAIL %s: still here\n", endings[i].word);
            exit_guest(1);
        }
    }
    debug_exit();
}
