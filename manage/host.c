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
#include "kernel/panic.h"
#include "kernel/power.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "manage/host_console.h"
#include "manage/host_shell.h"
#include "manage/http_service.h"
#include "manage/machine_cycles.h"
#include "manage/machine_parts.h"
#include "manage/net/net.h"
#include "manage/vm_cycles.h"
#include "manage/vms.h"

/* How long guests' output is gathered before it is shown. */
#define GATHER_NS UINT64_C(5000000)
/* Sleeps of that length until a text that finds no room on the screen is given up. */
#define CONSOLE_PATIENCE 20u

static struct host_console console;
static struct shell_machine shell_machine;
static struct shell shell;
static struct thread *console_thread;

static void write_console(const char *text, size_t length)
{
    /* The space was asked for before, but another CPU's line of the log may come between. With no
     * sink at all there is nobody to show it to. */
    for (unsigned i = 0; i < CONSOLE_PATIENCE && !console_put(text, length); i++) {
        thread_sleep_until(time_ns() + GATHER_NS);
    }
}

static void wake_console(void)
{
    thread_wake(console_thread);
}

void host_init(void)
{
    const struct host_console_screen screen = {
        .space = console_space, .write = write_console, .at_line_start = console_at_line_start};

    host_shell_init(&shell_machine, &console);
    shell_init(&shell, &shell_machine);
    host_console_init(&console, &screen, &shell);
    machine_init(wake_console);
}

void host_define_vms(void)
{
    vms_lock();
    vms_define_all();
    vms_unlock();
}

/* The console's list of guests follows the VMs, which others define and delete too. */
static void follow_vms(void)
{
    struct managed_vm *vm;

    while ((vm = vms_take_deleted()) != NULL) {
        host_console_remove(&console, &vm->console); /* may wait for the screen */
        vms_free(vm);
    }
    vms_lock();
    for (unsigned i = 0; (vm = vms_get(i)) != NULL; i++) {
        if (!vm->listed) {
            /* No room only as long as one that was deleted just now is still there. */
            vm->listed = host_console_add(&console, vm->description.name, &vm->console) == 0;
        }
    }
    vms_unlock();
}

/* Those that start by themselves. What goes wrong has been logged. */
static void start_vms(void)
{
    struct managed_vm *vm;
    char reason[MACHINE_REASON_SIZE];

    vms_lock();
    for (unsigned i = 0; (vm = vms_get(i)) != NULL; i++) {
        if (vm->description.autostart && vm->starts == 0) {
            (void)vms_start(vm, reason, sizeof(reason));
            vms_unlock(); /* others get a turn */
            log_drain();
            vms_lock();
        }
    }
    vms_unlock();
}

/* A VM that has ended and was not released; NULL if there is none. */
static struct managed_vm *find_ended(void)
{
    struct managed_vm *vm;

    for (unsigned i = 0; (vm = vms_get(i)) != NULL; i++) {
        if (vms_ended(vm)) {
            return vm;
        }
    }
    return NULL;
}

/* Buries the VMs that have ended; returns how many are started. *any: one was, even if it has ended
 * before anybody looked. */
static unsigned release_ended(bool *any)
{
    unsigned started = 0;
    struct managed_vm *vm;

    vms_lock();
    while ((vm = find_ended()) != NULL) {
        *any = true;
        /* Its last words may wait for the screen, and nobody else shall wait for that. The VM stays
         * meanwhile: only this thread releases it. */
        vms_unlock();
        host_console_flush_guest(&console, &vm->console);
        vms_lock();
        vms_release(vm);
    }
    vms_watch();
    for (unsigned i = 0; (vm = vms_get(i)) != NULL; i++) {
        started += vm->vm != NULL;
    }
    *any |= started > 0;
    vms_unlock();
    return started;
}

static void read_keys(void)
{
    int key;

    while (host_console_takes_keys(&console) && (key = serial_read()) >= 0) {
        host_console_key(&console, (uint8_t)key);
    }
}

/* True if a guest has keys that it has not taken. */
static bool service_guests(void)
{
    bool left = false;
    struct managed_vm *vm;

    vms_lock();
    for (unsigned i = 0; (vm = vms_get(i)) != NULL; i++) {
        left |= vm->vm && vm_service_console(vm->vm);
    }
    vms_unlock();
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
    bool any = false; /* since it was last said that all have stopped */

    (void)context;
    follow_vms();
    start_vms();
    for (;;) {
        unsigned started;
        uint64_t due;
        bool keys;

        follow_vms();
        read_keys();
        started = release_ended(&any);
        /* The log first: it would push away the prompt that follows an answer. */
        if (log_drain()) {
            thread_yield();
            continue;
        }
        due = host_console_service(&console, time_ns());
        keys = service_guests();
        if (started == 0 && any && !host_console_waiting(&console)) {
            any = false;
            end_of_all();
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
    unsigned vms;

    vms_lock(); /* as long as there are no threads that could have it */
    vms = vms_count();
    vms_unlock();
    console_thread = thread_create("console", serve_console, NULL);
    if (!console_thread || thread_set_cpus(console_thread, &here) ||
        thread_set_io(console_thread)) {
        panic("no memory for the console's thread");
    }
    thread_start(console_thread);
    net_start(&http_service);
    serial_set_listener(wake_console);
    if (vms > 0) {
        log_info("console: Ctrl-] then a number attaches to a VM (1 to %u), Ctrl-] 0 detaches",
                 vms);
    }
    vm_cycles_start();
    machine_cycles_start();
    thread_idle();
}
