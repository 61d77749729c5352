#include "manage/host_shell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/log.h"
#include "kernel/log_ring.h"
#include "kernel/power.h"
#include "kernel/smp.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "manage/access/access.h"
#include "manage/net/describe.h"
#include "manage/vms.h"

_Static_assert(SHELL_BUCKETS == VIRT_TICKS_BUCKETS, "the histograms are the same");
_Static_assert(SHELL_NAME_SIZE == DESCRIPTION_NAME_SIZE, "names have the same length");
_Static_assert((unsigned)SHELL_ROW_SIZE >= LOG_LINE_MAX, "a line of the log is a row");

static bool get_vm(void *context, unsigned index, struct shell_vm *out)
{
    const struct managed_vm *vm;
    struct vcpu_statistics vcpu;

    (void)context;
    vms_lock();
    vm = vms_get(index);
    if (!vm) {
        vms_unlock();
        return false;
    }
    *out = (struct shell_vm){.state = vms_state_name(vm),
                             .id = vm->id,
                             .vcpus = vm->description.vcpus,
                             .memory = vm->description.memory};
    memcpy(out->name, vm->description.name, sizeof(out->name));
    for (unsigned i = 0; i < out->vcpus; i++) {
        vms_vcpu_statistics(vm, i, &vcpu);
        out->run_time += vcpu.run_time;
        out->exits += vcpu.exits;
    }
    vms_unlock();
    return true;
}

static bool get_vcpu(void *context, unsigned index, unsigned vcpu_index, struct shell_vcpu *out)
{
    static const char *const activities[] = {
        [VCPU_IS_STOPPED] = "stopped", [VCPU_IS_PAUSED] = "paused", [VCPU_IS_RUNNING] = "running",
        [VCPU_IS_READY] = "ready",     [VCPU_IS_HALTED] = "halted", [VCPU_IS_OFFLINE] = "offline",
    };
    const struct managed_vm *vm;
    struct vcpu_statistics vcpu;
    bool found;

    (void)context;
    vms_lock();
    vm = vms_get(index);
    found = vm && vcpu_index < vm->description.vcpus;
    if (found) {
        vms_vcpu_statistics(vm, vcpu_index, &vcpu);
    }
    vms_unlock();
    if (!found) {
        return false;
    }
    *out = (struct shell_vcpu){.state = activities[vcpu.activity],
                               .cpu = vcpu.cpu,
                               .run_time = vcpu.run_time,
                               .exits = vcpu.exits};
    return true;
}

static bool get_exits(void *context, unsigned index, unsigned kind, struct shell_exits *out)
{
    const struct managed_vm *vm;
    struct exit_statistics exits;
    bool found;

    (void)context;
    vms_lock();
    vm = vms_get(index);
    found = vm && kind < VM_EXIT_KINDS;
    if (found) {
        vms_exit_statistics(vm, (enum vm_exit_kind)kind, &exits);
    }
    vms_unlock();
    if (!found) {
        return false;
    }
    out->name = vm_exit_kind_name((enum vm_exit_kind)kind);
    out->count = exits.count;
    memcpy(out->ticks_log2, exits.ticks_log2, sizeof(out->ticks_log2));
    return true;
}

static bool get_busy_time(void *context, unsigned cpu, uint64_t *ns)
{
    (void)context;
    if (cpu >= smp_count()) {
        return false;
    }
    *ns = thread_busy_time(smp_cpu(cpu));
    return true;
}

static uint64_t get_now(void *context)
{
    (void)context;
    return time_ns();
}

static bool get_log_line(void *context, uint64_t *cursor, char line[SHELL_ROW_SIZE])
{
    struct log_record record;
    size_t length;

    (void)context;
    if (!log_read(cursor, &record)) {
        return false;
    }
    record.lost = 0;
    length = log_format_line(&record, time_from_tsc(record.tsc), line);
    line[length - 2] = '\0'; /* its line end */
    return true;
}

static bool get_network_row(void *context, unsigned row, char text[SHELL_ROW_SIZE])
{
    struct net_status status;

    (void)context;
    net_status(&status);
    return net_describe(&status, row, text, SHELL_ROW_SIZE);
}

/* To the VM, with the lock. */
static int act_on_vm(enum shell_action action, struct managed_vm *vm, char *reason, size_t size)
{
    switch (action) {
    case SHELL_START:
        return vms_start(vm, reason, size);
    case SHELL_PAUSE:
        return vms_pause(vm, reason, size);
    case SHELL_RESUME:
        return vms_resume(vm, reason, size);
    case SHELL_RESET:
        return vms_reset(vm, reason, size);
    case SHELL_STOP:
        return vms_press_power_button(vm, reason, size);
    case SHELL_KILL:
        return vms_kill(vm, reason, size);
    case SHELL_DELETE:
        return vms_delete(vm, reason, size);
    case SHELL_ATTACH:
    case SHELL_DEFINE:
    case SHELL_PASSWORD:
    case SHELL_POWER_OFF:
    case SHELL_REBOOT:
        break;
    }
    return -EINVAL;
}

/* The VM stays, deleted or not, until this thread has freed it: the screen can be waited for
 * without the lock. */
static int attach(struct host_console *console, const char *name, char *reason, size_t size)
{
    struct managed_vm *vm;

    vms_lock();
    vm = vms_find(name);
    vms_unlock();
    if (!vm) {
        snprintf(reason, size, "there is no VM of that name");
        return -ENOENT;
    }
    host_console_attach(console, &vm->console);
    return 0;
}

static int find_and_act(enum shell_action action, const char *name, char *reason, size_t size)
{
    struct managed_vm *vm;
    int error = -ENOENT;

    vms_lock();
    vm = vms_find(name);
    if (action == SHELL_DEFINE) {
        error = vms_define_again(name, reason, size);
    } else if (vm) {
        error = act_on_vm(action, vm, reason, size);
    } else {
        snprintf(reason, size, "there is no VM of that name");
    }
    vms_unlock();
    return error;
}

static int new_password(const char *account, char *reason, size_t size)
{
    int error = access_request_password(account, reason, size);

    net_wake();
    return error;
}

static int act(void *context, enum shell_action action, const char *vm, char *reason, size_t size)
{
    switch (action) {
    case SHELL_POWER_OFF:
        log_info("poweroff by the console");
        power_off();
    case SHELL_REBOOT:
        log_info("reboot by the console");
        power_reset();
    case SHELL_ATTACH:
        return attach(context, vm, reason, size);
    case SHELL_PASSWORD:
        return new_password(vm, reason, size);
    default:
        return find_and_act(action, vm, reason, size);
    }
}

void host_shell_init(struct shell_machine *machine, struct host_console *console)
{
    *machine = (struct shell_machine){
        .vm = get_vm,
        .vcpu = get_vcpu,
        .exits = get_exits,
        .busy_time = get_busy_time,
        .now = get_now,
        .log_line = get_log_line,
        .network = get_network_row,
        .act = act,
        .context = console,
    };
}
