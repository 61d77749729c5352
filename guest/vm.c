#include "guest/vm.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "guest/acpi_tables.h"
#include "guest/layout.h"
#include "guest/loader/loader.h"
#include "guest/policy/cpuid_bits.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"
#include "kernel/thread.h"
#include "kernel/time.h"

#define NS_PER_SECOND UINT64_C(1000000000)

_Static_assert(sizeof(struct vcpu) <= FRAME_SIZE, "a vCPU has a page, and wants no second one");

static uint64_t block_alloc(void)
{
    return frame_alloc(FRAME_ORDER_2M);
}

static void block_free(uint64_t host_phys)
{
    frame_free(host_phys, FRAME_ORDER_2M);
}

static const struct block_source frame_blocks = {
    .alloc = block_alloc,
    .free = block_free,
    .map = phys_to_virt,
};

/* Why it cannot be made or started again: for the log, and for whoever asked. */
static void __attribute__((format(printf, 2, 3))) explain(struct vm *vm, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(vm->stop_reason, sizeof(vm->stop_reason), format, arguments);
    va_end(arguments);
    log_error("vm %s: %s", vm->description.name, vm->stop_reason);
}

static void host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *answer)
{
    struct cpuid_result result = cpuid(leaf, subleaf);

    *answer = (struct cpuid_registers){result.eax, result.ebx, result.ecx, result.edx};
}

void vm_request(struct vm *vm, unsigned requests)
{
    __atomic_fetch_or(&vm->requests, requests, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        vcpu_signal(&vm->vcpus[i], VCPU_LOOK);
    }
}

void vm_stop(struct vm *vm, const char *format, ...)
{
    va_list arguments;

    if (__atomic_fetch_or(&vm->requests, VM_REQUEST_STOP, __ATOMIC_SEQ_CST) & VM_REQUEST_STOP) {
        return;
    }
    /* Read when all vCPUs have stopped, the one too that is here. */
    va_start(arguments, format);
    vsnprintf(vm->stop_reason, sizeof(vm->stop_reason), format, arguments);
    va_end(arguments);
    vm_request(vm, VM_REQUEST_STOP);
}

static int load_images(struct vm *vm, struct boot_state *state, char *reason, size_t size)
{
    const struct vm_description *description = &vm->description;
    const struct vm_images *images = &vm->images;
    bool once = images->once.data && vm->resets == 0;
    struct guest_image image = once ? images->once : images->image;
    struct multiboot_boot multiboot = {.image = image, .cmdline = description->cmdline};
    struct linux_boot linux_boot = {
        .kernel = image, .initrd = images->initrd, .cmdline = description->cmdline};

    if (!image.data) {
        snprintf(reason, size, "%s: there is no image of that name", image.name);
        return -ENOENT;
    }
    if ((once ? images->once_boot : images->boot) == BOOT_KIND_LINUX) {
        return load_linux(&vm->memory, &linux_boot, state, reason, size);
    }
    multiboot.module_count = description->module_count;
    for (unsigned i = 0; i < description->module_count; i++) {
        multiboot.modules[i].image = images->modules[i];
        multiboot.modules[i].cmdline = description->modules[i].cmdline;
    }
    return load_multiboot(&vm->memory, &multiboot, state, reason, size);
}

static int write_acpi_tables(struct vm *vm)
{
    const struct acpi_tables_config config = {.base = LAYOUT_ACPI,
                                              .vcpus = vm->description.vcpus,
                                              .ioapic_id = vm->pc.ioapic.initial_id,
                                              .dsdt = acpi_dsdt,
                                              .dsdt_size = acpi_dsdt_size};
    void *buffer = kmalloc(ACPI_TABLES_SIZE);
    long size;
    int error;

    if (!buffer) {
        return -ENOMEM;
    }
    size = acpi_tables_build(&config, buffer, ACPI_TABLES_SIZE);
    error =
        size < 0 ? (int)size : guest_memory_write(&vm->memory, LAYOUT_ACPI, buffer, (size_t)size);
    kfree(buffer);
    return error;
}

/* What was loaded, the back end must find where the guest is about to look, without a touch by the
 * CPU first: PDPTEs. */
static int map_loaded(struct vm *vm)
{
    const struct guest_memory *memory = &vm->memory;

    for (size_t i = 0; i < memory->block_count; i++) {
        const struct guest_block *block = &memory->blocks[i];
        int error = 0;

        if (block->cleared) {
            error = virt->space.map(vm->space, guest_memory_address(memory, i), block->host_phys,
                                    GUEST_BLOCK_SIZE, VIRT_PROT_ALL, VIRT_MEMORY_WRITE_BACK);
        }
        if (error) {
            explain(vm, "no memory for its page tables: error %d", error);
            return error;
        }
    }
    return 0;
}

/* Fills fresh memory and sets the first vCPU to where the image starts. */
static int load(struct vm *vm)
{
    char reason[LOADER_REASON_SIZE] = "";
    struct boot_state *state = kzalloc(sizeof(*state));
    int error;

    if (!state) {
        return -ENOMEM;
    }
    /* The tables first: loaders tell the guest where they are. */
    error = write_acpi_tables(vm);
    if (error) {
        explain(vm, "the ACPI tables do not fit: error %d", error);
    } else {
        error = load_images(vm, state, reason, sizeof(reason));
        if (error) {
            explain(vm, "%s", reason);
        }
    }
    if (!error) {
        error = map_loaded(vm);
    }
    if (!error) {
        vcpu_apply_boot_state(&vm->vcpus[0], state);
    }
    kfree(state);
    return error;
}

static int create_vcpus(struct vm *vm)
{
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        int error = vcpu_create(&vm->vcpus[i], vm, i);

        if (error) {
            return error;
        }
    }
    return 0;
}

/* This CPU's; those of one machine do not differ in it. */
static uint64_t host_arch_capabilities(void)
{
    struct cpuid_registers features;

    host_cpuid(0, 0, &features);
    if (features.eax < 7) {
        return 0;
    }
    host_cpuid(7, 0, &features);
    return features.edx & CPUID7_EDX_ARCH_CAPABILITIES ? rdmsr(MSR_ARCH_CAPABILITIES) : 0;
}

static int build(struct vm *vm)
{
    struct cpuid_config cpuid_config = {.host = host_cpuid,
                                        .vcpus = vm->description.vcpus,
                                        .tsc_khz = tsc_khz(),
                                        .crystal_hz = LAPIC_TIMER_HZ,
                                        .xcr0_host = XCR0_X87 | XCR0_SSE,
                                        .arch_capabilities = host_arch_capabilities(),
                                        .rdtscp = virt->features->rdtscp,
                                        .invpcid = virt->features->invpcid};
    int error = guest_memory_create(&vm->memory, vm->description.memory, &frame_blocks);
    bool interrupts;

    if (error) {
        explain(vm, "no memory: wants %lu MiB, %lu MiB are free", vm->description.memory >> 20,
                frames_free() * FRAME_SIZE >> 20);
        return error;
    }
    if (read_cr4() & CR4_OSXSAVE) {
        struct cpuid_result components = cpuid(0xd, 0);

        cpuid_config.xcr0_host = (uint64_t)components.edx << 32 | components.eax;
    }
    cpuid_policy_init(&vm->cpuid, &cpuid_config);
    control_policy_init(&vm->control, &vm->cpuid);
    vm->space = virt->space.create();
    if (!vm->space) {
        return -ENOMEM;
    }
    for (const struct msr_passthrough *msr = msr_passthrough; msr->index; msr++) {
        /* One that the back end cannot let through is emulated instead. */
        (void)virt->space.allow_msr(vm->space, msr->index, msr->read, msr->write);
    }
    vm->tsc_start = rdtsc();
    vm->clock_start = time_from_tsc(vm->tsc_start);
    /* Whole seconds, as the real-time clock begins. */
    vm->pvclock = (struct pvclock_vm){
        .memory = &vm->memory,
        .scale = pvclock_scale_of(tsc_hz()),
        .wall_clock = boot_wall_clock() + vm->clock_start / NS_PER_SECOND,
    };
    timer_queue_init(&vm->timers, vm_clock, vm);
    vm->device_deadline = TIMER_NEVER;
    error = create_vcpus(vm);
    if (!error) {
        /* Devices may speak to a vCPU's back end as soon as they are there. */
        virt->vcpu_load(vm->vcpus[0].cpu);
        error = pc_init(vm, vm->pvclock.wall_clock);
    }
    if (!error) {
        error = load(vm);
    }
    /* What the devices armed meanwhile becomes known to the vCPUs. */
    interrupts = interrupts_save();
    vm_lock_devices(vm, NULL);
    vm_unlock_devices(vm);
    interrupts_restore(interrupts);
    return error;
}

int vm_create(struct vm **vm, const struct vm_description *description,
              const struct vm_images *images, struct console *console, char *reason, size_t size)
{
    struct vm *made;
    int error;

    *vm = NULL;
    made = kzalloc(sizeof(*made));
    if (made) {
        made->vcpus = kzalloc(description->vcpus * sizeof(*made->vcpus));
    }
    if (!made || !made->vcpus) {
        snprintf(reason, size, "the kernel heap is exhausted");
        log_error("vm %s: %s", description->name, reason);
        kfree(made);
        return -ENOMEM;
    }
    made->description = *description;
    made->images = *images;
    made->console = console;
    error = build(made);
    if (error) {
        if (made->stop_reason[0] == '\0') {
            explain(made, "no memory for its vCPUs and devices (error %d)", error);
        }
        log_error("vm %s: not started (error %d)", description->name, error);
        snprintf(reason, size, "%s", made->stop_reason);
        vm_destroy(made);
        return error;
    }
    *vm = made;
    return 0;
}

void vm_destroy(struct vm *vm)
{
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        vcpu_destroy(&vm->vcpus[i]);
    }
    if (vm->space) {
        virt->space.destroy(vm->space);
    }
    guest_memory_destroy(&vm->memory);
    if (vm->cap) {
        thread_cap_release(vm->cap);
    }
    kfree(vm->vcpus);
    kfree(vm);
}

/* At most once a second: a guest that does nothing but reset must not fill the log. */
static void log_reset(struct vm *vm)
{
    uint64_t now = time_ns();

    if (vm->resets == 1 || now - vm->reset_told >= NS_PER_SECOND) {
        log_info("vm %s: reset, number %u", vm->description.name, vm->resets);
        vm->reset_told = now;
    }
}

int vm_restart(struct vm *vm)
{
    int error;

    vm->resets++;
    log_reset(vm);
    guest_memory_forget(&vm->memory);
    /* Unmapped, so that every block is cleared at its next touch. */
    error = virt->space.unmap(vm->space, 0, vm->memory.low_size);
    if (!error && vm->memory.high_size) {
        error = virt->space.unmap(vm->space, GUEST_HIGH_RAM, vm->memory.high_size);
    }
    if (error) {
        log_error("vm %s: reset failed: error %d", vm->description.name, error);
        return error;
    }
    vm_lock_devices(vm, NULL);
    pc_reset(vm);
    vm_unlock_devices(vm);
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        vcpu_reset(&vm->vcpus[i]);
        virt->vcpu_put(vm->vcpus[i].cpu);
    }
    return load(vm);
}

bool vm_service_console(struct vm *vm)
{
    bool interrupts = interrupts_save();
    uint8_t bytes[UART_FIFO_SIZE];
    bool left = false;

    vm_lock_devices(vm, NULL);
    if (vm->state == VM_RUNNING) {
        struct uart *uart = &vm->pc.com1;
        size_t count = console_take_typed(vm->console, bytes, uart_receive_room(uart));

        (void)uart_receive(uart, bytes, count); /* which has room for them */
        left = console_typed(vm->console) > 0;
        if (uart_transmit_waiting(uart) > 0) {
            uart_transmit_ready(uart);
        }
    }
    vm_unlock_devices(vm);
    interrupts_restore(interrupts);
    return left;
}
