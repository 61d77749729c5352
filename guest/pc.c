#include "guest/pc.h"

#include <stddef.h>

#include "guest/vm.h"

#define COM1_PORT 0x3f8u
#define COM1_IRQ  4u
#define ISA_IRQS  16u
/* The 8254's output is wired to input 2 of the I/O APIC (the MADT's override says so). */
#define IOAPIC_PIT_PIN 2u

/* A device's interrupt output reaches both controllers; the guest programs the one it uses. */
static void set_isa_irq(void *context, unsigned irq, bool level)
{
    struct vm *vm = context;

    pic_set_irq(&vm->pc.pic, irq, level);
    ioapic_set_irq(&vm->pc.ioapic, irq == 0 ? IOAPIC_PIT_PIN : irq, level);
}

/* INTR of the 8259 pair goes to LINT0 of every local APIC. */
static void pic_changed(void *context, bool level)
{
    struct vm *vm = context;

    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        lapic_set_lint(&vm->vcpus[i].lapic, 0, level);
    }
}

static void ioapic_deliver(void *context, const struct interrupt_message *message)
{
    struct vm *vm = context;

    apic_bus_send(&vm->pc.apic_bus, NULL, message);
}

static void level_vectors_changed(void *context)
{
    struct vm *vm = context;

    ioapic_level_vectors(&vm->pc.ioapic, vm->eoi_exits);
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        vcpu_signal(&vm->vcpus[i], VCPU_EOI_EXITS);
    }
}

static const struct ioapic_ops ioapic_ops = {
    .deliver = ioapic_deliver,
    .level_vectors_changed = level_vectors_changed,
};

static bool com1_transmit(void *context, uint8_t byte)
{
    struct vm *vm = context;

    return console_send(vm->console, byte);
}

static void action_reset(void *context)
{
    struct vm *vm = context;

    vm_request(vm, VM_REQUEST_RESET);
}

static void action_power_off(void *context)
{
    vm_stop(context, "power-off");
}

static void action_debug_exit(void *context, uint32_t value)
{
    vm_stop(context, "debug-exit 0x%x", value);
}

static void action_debug_output(void *context, uint8_t byte)
{
    struct vm *vm = context;

    if (!console_send(vm->console, byte)) {
        vcpu_signal(vm->device_user, VCPU_RETRY);
    }
}

static int add_ports(struct vm *vm)
{
    struct pc *pc = &vm->pc;
    const struct {
        uint16_t first;
        uint16_t count;
        void *device;
        port_read_fn read;
        port_write_fn write;
    } ports[] = {
        {PIC_MASTER_PORT, PIC_PORTS, &pc->pic.chip[0], pic_chip_read, pic_chip_write},
        {PIC_SLAVE_PORT, PIC_PORTS, &pc->pic.chip[1], pic_chip_read, pic_chip_write},
        {PIC_ELCR_PORT, PIC_PORTS, &pc->pic, pic_elcr_read, pic_elcr_write},
        {PIT_PORT, PIT_PORTS, &pc->pit, pit_read, pit_write},
        {PIT_CONTROL_PORT, 1, &pc->pit, pit_control_read, pit_control_write},
        {I8042_DATA_PORT, 1, &pc->i8042, i8042_data_read, i8042_data_write},
        {I8042_COMMAND_PORT, 1, &pc->i8042, i8042_status_read, i8042_command_write},
        {RTC_PORT, RTC_PORT_COUNT, &pc->rtc, rtc_read, rtc_write},
        {COM1_PORT, UART_PORT_COUNT, &pc->com1, uart_read, uart_write},
        {ACPI_PM_BASE, ACPI_PM_PORT_COUNT, &pc->pm, acpi_pm_read, acpi_pm_write},
        {SYSTEM_CONTROL_PORT, 1, &pc->misc, system_control_read, system_control_write},
        {RESET_CONTROL_PORT, 1, &pc->misc, reset_control_read, reset_control_write},
        {POST_CODE_PORT, 1, &pc->misc, post_code_read, post_code_write},
        {DEBUG_CONSOLE_PORT, 1, &pc->misc, debug_console_read, debug_console_write},
        {FIRMWARE_CONSOLE_PORT, 1, &pc->misc, debug_console_read, debug_console_write},
        {DEBUG_EXIT_PORT, DEBUG_EXIT_PORT_COUNT, &pc->misc, debug_exit_read, debug_exit_write},
    };

    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        int error = port_bus_add(&vm->ports, ports[i].first, ports[i].count, ports[i].device,
                                 ports[i].read, ports[i].write);

        if (error) {
            return error;
        }
    }
    return 0;
}

/* The I/O APIC is on each vCPU's bus, beside that vCPU's local APIC, which takes no lock. */
static uint64_t shared_ioapic_read(void *device, uint64_t offset, unsigned size)
{
    struct vcpu *vcpu = device;
    uint64_t value;

    vm_lock_devices(vcpu->vm, vcpu);
    value = ioapic_mmio_read(&vcpu->vm->pc.ioapic, offset, size);
    vm_unlock_devices(vcpu->vm);
    return value;
}

static void shared_ioapic_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    struct vcpu *vcpu = device;

    vm_lock_devices(vcpu->vm, vcpu);
    ioapic_mmio_write(&vcpu->vm->pc.ioapic, offset, size, value);
    vm_unlock_devices(vcpu->vm);
}

static int add_apics(struct vm *vm)
{
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        struct vcpu *vcpu = &vm->vcpus[i];
        int error = apic_bus_add(&vm->pc.apic_bus, &vcpu->lapic);

        if (!error) {
            error = mmio_bus_add(&vcpu->mmio, IOAPIC_DEFAULT_BASE, IOAPIC_SIZE, vcpu,
                                 shared_ioapic_read, shared_ioapic_write);
        }
        if (error) {
            return error;
        }
    }
    return 0;
}

int pc_init(struct vm *vm, uint64_t wall_clock)
{
    struct pc *pc = &vm->pc;
    const struct vm_actions actions = {.reset = action_reset,
                                       .power_off = action_power_off,
                                       .debug_exit = action_debug_exit,
                                       .debug_output = action_debug_output,
                                       .context = vm};
    struct irq_line line = {.set = set_isa_irq, .context = vm};
    struct irq_line mouse = {.set = set_isa_irq, .context = vm, .irq = I8042_MOUSE_IRQ};
    struct uart_config com1 = {.timers = &vm->timers, .transmit = com1_transmit, .context = vm};
    struct rtc_config rtc = {.timers = &vm->timers,
                             .wall_clock = wall_clock,
                             .low_ram = vm->memory.low_size,
                             .high_ram = vm->memory.high_size};
    int error = add_apics(vm);

    if (error) {
        return error;
    }
    pic_init(&pc->pic, pic_changed, vm);
    ioapic_init(&pc->ioapic, (uint8_t)vm->description.vcpus, &ioapic_ops, vm);
    line.irq = 0;
    pit_init(&pc->pit, &vm->timers, &line);
    line.irq = RTC_IRQ;
    rtc.irq = line;
    rtc_init(&pc->rtc, &rtc);
    line.irq = COM1_IRQ;
    com1.irq = line;
    uart_init(&pc->com1, &com1);
    line.irq = I8042_KEYBOARD_IRQ;
    i8042_init(&pc->i8042, &actions, &line, &mouse);
    line.irq = ACPI_SCI_IRQ;
    acpi_pm_init(&pc->pm, &line, &vm->timers, &actions);
    misc_ports_init(&pc->misc, &actions);
    return add_ports(vm);
}

void pc_reset(struct vm *vm)
{
    struct pc *pc = &vm->pc;

    pic_reset(&pc->pic);
    ioapic_reset(&pc->ioapic);
    pit_reset(&pc->pit);
    rtc_reset(&pc->rtc);
    uart_reset(&pc->com1);
    i8042_reset(&pc->i8042);
    acpi_pm_reset(&pc->pm);
    misc_ports_reset(&pc->misc);
}
