#include "manage/host.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "drivers/serial.h"
#include "guest/vm.h"
#include "kernel/boot/boot_info.h"
#include "kernel/console.h"
#include "kernel/cpu/percpu.h"
#include "kernel/log.h"
#include "kernel/memory/heap.h"
#include "kernel/panic.h"
#include "kernel/power.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "manage/host_console.h"

#define VMS_MAX HOST_CONSOLE_GUESTS
/* How long guests' output is gathered before it is shown. */
#define GATHER_NS UINT64_C(5000000)
/* Sleeps of that length until a text that finds no room on the screen is given up. */
#define CONSOLE_PATIENCE 20u

static struct vm *vms[VMS_MAX];
static unsigned vm_count;
static bool reported[VMS_MAX]; /* its end */
static struct host_console console;
static struct thread *console_thread;

static void write_console(const char *text, size_t length)
{
    /* The space was asked for before, but another CPU's line of the log may come between. With no
     * sink at all there is nobody to show it to. */
    for (unsigned i = 0; i < CONSOLE_PATIENCE && !console_put(text, length); i++) {
        thread_sleep_until(time_ns() + GATHER_NS);
    }
}

static void report_description_error(void *context, const char *message)
{
    (void)context;
    log_error("%s", message);
}

static void create_vm(const struct vm_description *description)
{
    struct vm *vm;

    if (vm_create(&vm, description) == 0) {
        vms[vm_count++] = vm;
        log_info("vm %s: %lu MiB, %u vCPU%s, image %s", description->name,
                 description->memory >> 20, description->vcpus, description->vcpus > 1 ? "s" : "",
                 description->image);
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

    host_console_init(&console, &screen, NULL);
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

static void wake_console(void)
{
    thread_wake(console_thread);
}

/* Tells of the VMs that have stopped since the last time; true if none runs any more. */
static bool report_ends(void)
{
    unsigned running = 0;

    for (unsigned i = 0; i < vm_count; i++) {
        if (vms[i]->state != VM_STOPPED) {
            running++;
        } else if (!reported[i]) {
            reported[i] = true;
            host_console_flush_guest(&console, &vms[i]->console);
            vm_log_end(vms[i]);
        }
    }
    return running == 0;
}

static void read_keys(void)
{
    int key;

    while ((key = serial_read()) >= 0) {
        host_console_key(&console, (uint8_t)key);
    }
}

/* True if a guest has keys that it has not taken. */
static bool service_guests(void)
{
    bool left = false;

    for (unsigned i = 0; i < vm_count; i++) {
        left |= vm_service_console(vms[i]);
    }
    return left;
}

static void end_of_all(void)
{
    char on_stop[16] = "";

    boot_option("on-stop", on_stop, sizeof(on_stop));
    log_info("all VMs have stopped");
    if (strcmp(on_stop, "poweroff") == 0) {
        power_off();
    }
}

/* The console's thread: woken by the serial port, by guests' output and by the end of a VM. */
static void serve_console(void *context)
{
    bool said = vm_count == 0;

    (void)context;
    for (;;) {
        uint64_t due;
        bool keys;

        read_keys();
        due = host_console_service(&console, time_ns());
        keys = service_guests();
        if (report_ends() && !said && !host_console_waiting(&console)) {
            said = true;
            end_of_all();
        }
        if (log_drain()) {
            thread_yield();
            continue;
        }
        if (keys) {
            due = time_ns() + GATHER_NS;
        }
        if (thread_block_until(due)) {
            /* A guest that writes is woken for once in a while, not for every character. */
            thread_sleep_until(time_ns() + GATHER_NS);
        }
    }
}

void host_run(void)
{
    const struct cpu_mask here = cpu_mask_of(this_cpu()->index); /* the serial port's interrupt */

    console_thread = thread_create("console", serve_console, NULL);
    if (!console_thread || thread_set_cpus(console_thread, &here) ||
        thread_set_io(console_thread)) {
        panic("no memory for the console's thread");
    }
    thread_start(console_thread);
    serial_set_listener(wake_console);
    if (vm_count > 0) {
        log_info("console: Ctrl-] then a number attaches to a VM (1 to %u), Ctrl-] 0 detaches",
                 vm_count);
    }
    for (unsigned i = 0; i < vm_count; i++) {
        vms[i]->ended = wake_console;
        vms[i]->console.notify = wake_console;
        (void)vm_start(vms[i]); /* what goes wrong has been logged, and the VM has stopped */
    }
    thread_idle();
}
