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
#include "manage/net/describe.h"
#include "manage/vms.h"

_Static_assert(SHELL_BUCKETS == VIRT_TICKS_BUCKETS, "the histograms are the same");
_Static_assert(SHELL_NAME_SIZE == DESCRIPTION_NAME_SIZE, "names have the same length");
_Static_assert((unsigned)SHELL_ROW_SIZE >= LOG_LINE_MAX, "a line of the log is a row");

static bool get_vm(void *context, unsigned index, struct shell_vm *out)
{
    const struct managed_vm *vm = vms_get(index);
    struct vcpu_statistics vcpu;

    (void)context;
    if (!vm) {
        return false;
    }
    *out = (struct shell_vm){.state = vms_state(vm),
                             .id = vm->id,
                             .vcpus = vm->description.vcpus,
                             .memory = vm->description.memory};
    memcpy(out->name, vm->description.name, sizeof(out->name));
    for (unsigned i = 0; i < out->vcpus; i++) {
        vms_vcpu_statistics(vm, i, &vcpu);
        out->run_time += vcpu.run_time;
        out->exits += vcpu.exits;
    }
    return true;
}

static bool get_vcpu(void *context, unsigned index, unsigned vcpu_index, struct shell_vcpu *out)
{
    static const char *const activities[] = {
        [VCPU_IS_STOPPED] = "stopped", [VCPU_IS_PAUSED] = "paused", [VCPU_IS_RUNNING] = "running",
        [VCPU_IS_READY] = "ready",     [VCPU_IS_HALTED] = "halted", [VCPU_IS_OFFLINE] = "offline",
    };
    const struct managed_vm *vm = vms_get(index);
    struct vcpu_statistics vcpu;

    (void)context;
    if (!vm || vcpu_index >= vm->description.vcpus) {
        return false;
    }
    vms_vcpu_statistics(vm, vcpu_index, &vcpu);
    *out = (struct shell_vcpu){.state = activities[vcpu.activity],
                               .cpu = vcpu.cpu,
                               .run_time = vcpu.run_time,
                               .exits = vcpu.exits};
    return true;
}

static bool get_exits(void *context, unsigned index, unsigned kind, struct shell_exits *out)
{
    const struct managed_vm *vm = vms_get(index);
    struct exit_statistics exits;

    (void)context;
    if (!vm || kind >= VM_EXIT_KINDS) {
        return false;
    }
    vms_exit_statistics(vm, (enum vm_exit_kind)kind, &exits);
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

static int define(struct host_console *console, const char *name, char *reason, size_t size)
{
    int error = vms_define(name, reason, size);

    if (!error) {
        struct managed_vm *vm = vms_find(name);

        /* The console has room for as many guests as there can be VMs. */
        (void)host_console_add(console, vm->description.name, &vm->console);
    }
    return error;
}

static int forget(struct host_console *console, struct managed_vm *vm, char *reason, size_t size)
{
    if (!vm->vm) {
        host_console_remove(console, &vm->console);
    }
    return vms_delete(vm, reason, size);
}

static int act_on_vm(struct host_console *console, enum shell_action action, const char *name,
                     char *reason, size_t size)
{
    struct managed_vm *vm = vms_find(name);

    if (!vm) {
        snprintf(reason, size, "there is no VM of that name");
        return -ENOENT;
    }
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
        return forget(console, vm, reason, size);
    case SHELL_ATTACH:
        host_console_attach(console, &vm->console);
        return 0;
    case SHELL_DEFINE:
    case SHELL_POWER_OFF:
    case SHELL_REBOOT:
        break;
    }
    return -EINVAL;
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
    case SHELL_DEFINE:
        return define(context, vm, reason, size);
    default:
        return act_on_vm(context, action, vm, reason, size);
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
