#include "manage/host.h"

#include <string.h>

#include "drivers/serial.h"
#include "guest/vm.h"
#include "kernel/boot/boot.h"
#include "kernel/boot/boot_info.h"
#include "kernel/console.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/heap.h"
#include "kernel/power.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "manage/host_console.h"

#define VMS_MAX HOST_CONSOLE_GUESTS
/* How long a VM runs before the next one's turn, and the console's. */
#define SLICE_NS UINT64_C(10000000)

static struct vm *vms[VMS_MAX];
static unsigned vm_count;
static struct host_console console;

static void write_console(const char *text, size_t length)
{
    /* The space was asked for before; with no sink at all there is nobody to show it to. */
    (void)console_put(text, length);
}

static void report_description_error(void *context, const char *message)
{
    (void)context;
    log_error("%s", message);
}

static void create_vm(const struct vm_description *description)
{
    struct vm *vm;

    if (description->vcpus > 1) {
        log_error("vm %s: \"vcpus\": %u: a VM has one vCPU in this version", description->name,
                  description->vcpus);
        return;
    }
    if (vm_create(&vm, description) == 0) {
        vms[vm_count++] = vm;
        log_info("vm %s: %lu MiB, %u vCPU, image %s", description->name, description->memory >> 20,
                 description->vcpus, description->image);
        /* There is one console entry for each of the VMs there can be. */
        (void)host_console_add(&console, vm->description.name, &vm->console);
    }
}

static void create_described(const struct boot_module *module)
{
    struct vm_description *descriptions = kmalloc(sizeof(*descriptions) * VMS_MAX);
    unsigned count = 0;

    if (!descriptions) {
        log_error("%s: the kernel heap is exhausted", module->name);
        return;
    }
    /* Every error has been reported; what is right is used. */
    (void)description_parse(module->name, module->data, module->size, descriptions,
                            VMS_MAX - vm_count, &count, report_description_error, NULL);
    for (unsigned i = 0; i < count; i++) {
        create_vm(&descriptions[i]);
    }
    kfree(descriptions);
}

static bool is_description(const struct boot_module *module)
{
    const char *dot = strrchr(module->name, '.');

    return dot && strcmp(dot, ".json") == 0;
}

void host_init(void)
{
    const struct host_console_screen screen = {
        .space = console_space, .write = write_console, .at_line_start = console_at_line_start};

    host_console_init(&console, &screen);
}

unsigned host_create_vms(void)
{
    const struct boot_info *info = boot_info();
    char name[64];
    bool named = boot_option("vms", name, sizeof(name));
    bool found = false;

    for (unsigned i = 0; i < info->module_count; i++) {
        const struct boot_module *module = &info->modules[i];

        if (named ? strcmp(module->name, name) == 0 : is_description(module)) {
            found = true;
            create_described(module);
        }
    }
    if (!found) {
        log_warn("no VM description: %s%s",
                 named ? "no boot module is called "
                       : "pass a boot module "
                         "whose name ends in .json",
                 named ? name : "");
    }
    return vm_count;
}

/* Acts on what a VM asked for; true if it stopped. */
static void handle_requests(struct vm *vm)
{
    if (vm->requests & VM_REQUEST_STOP) {
        vm->state = VM_STOPPED;
    } else if (vm->requests & VM_REQUEST_RESET) {
        if (vm_reset(vm)) {
            vm_stop(vm, "the reset failed");
            vm->state = VM_STOPPED;
        }
    }
    if (vm->state == VM_STOPPED) {
        host_console_flush_guest(&console, &vm->console);
        vm_log_end(vm);
    }
}

/* How long a machine takes from our first instruction to a guest's. */
static void say_first_entry(void)
{
    static bool said;

    if (!said) {
        said = true;
        log_info("first VM entry %lu ticks after the first instruction", rdtsc() - boot_tsc);
    }
}

/* Gives every VM that has something to do one slice. Returns how many run on, and in *idle_until
 * when the first of those that wait has to be looked at again; 0 if one has more to do now. */
static unsigned run_round(uint64_t *idle_until)
{
    unsigned alive = 0;

    *idle_until = TIME_NEVER;
    for (unsigned i = 0; i < vm_count; i++) {
        struct vm *vm = vms[i];
        uint64_t deadline;

        if (vm->state == VM_STOPPED) {
            continue;
        }
        vm->state = VM_RUNNING;
        vm_service_console(vm);
        if (vm_next_deadline(vm) <= time_ns()) {
            vm_run_timers(vm);
        }
        if (vcpu_wakes(&vm->vcpus[0])) {
            say_first_entry();
            switch (vcpu_run(&vm->vcpus[0], time_ns() + SLICE_NS)) {
            case VCPU_SLICE_OVER:
                *idle_until = 0;
                break;
            case VCPU_HALTED:
                break;
            case VCPU_STOPPED:
                handle_requests(vm);
                *idle_until = 0;
                break;
            }
        }
        deadline = vm_next_deadline(vm);
        if (vm->state != VM_STOPPED) {
            alive++;
            *idle_until = deadline < *idle_until ? deadline : *idle_until;
        }
    }
    return alive;
}

static void read_keys(void)
{
    int key;

    while ((key = serial_read()) >= 0) {
        host_console_key(&console, (uint8_t)key);
    }
}

/* A running VM's console took a key, gave one up to its UART, or has room again: the VM must not
 * sleep on it. */
static bool any_console_ready(void)
{
    for (unsigned i = 0; i < vm_count; i++) {
        if (vms[i]->state != VM_STOPPED && vm_console_ready(vms[i])) {
            return true;
        }
    }
    return false;
}

/* Waits for an interrupt or the deadline. */
static void idle(uint64_t deadline)
{
    uint64_t due = thread_slice_end();

    deadline = due < deadline ? due : deadline;
    alarm_set(deadline);
    if (time_ns() < deadline) {
        sti_hlt();
    } else {
        sti();
    }
    cli();
}

void host_run(void)
{
    bool said = vm_count == 0;
    char on_stop[16] = "";
    uint64_t idle_until;
    uint64_t console_due;

    boot_option("on-stop", on_stop, sizeof(on_stop));
    if (vm_count > 0) {
        log_info("console: Ctrl-] then a number attaches to a VM (1 to %u), Ctrl-] 0 detaches",
                 vm_count);
    }
    for (;;) {
        unsigned alive = run_round(&idle_until);
        bool more;

        read_keys();
        console_due = host_console_service(&console, time_ns());
        more = log_drain();
        thread_yield();
        if (alive == 0 && !said && !host_console_waiting(&console)) {
            said = true;
            log_info("all VMs have stopped");
            if (strcmp(on_stop, "poweroff") == 0) {
                power_off();
            }
        }
        if (idle_until > 0 && !any_console_ready()) {
            idle(more ? 0 : (console_due < idle_until ? console_due : idle_until));
        } else {
            /* Interrupts that came meanwhile. */
            sti();
            cli();
        }
    }
}
