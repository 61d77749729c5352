#include "tests/unit/manage/fake_machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct fake_machine fake;

static bool get_vm(void *context, unsigned index, struct shell_vm *vm)
{
    (void)context;
    if (index >= fake.vm_count) {
        return false;
    }
    *vm = fake.vms[index].vm;
    return true;
}

static bool get_vcpu(void *context, unsigned vm, unsigned index, struct shell_vcpu *vcpu)
{
    (void)context;
    if (vm >= fake.vm_count || index >= fake.vms[vm].vm.vcpus) {
        return false;
    }
    *vcpu = fake.vms[vm].vcpus[index];
    return true;
}

static bool get_exits(void *context, unsigned vm, unsigned kind, struct shell_exits *exits)
{
    (void)context;
    if (vm >= fake.vm_count || kind >= FAKE_KINDS) {
        return false;
    }
    *exits = fake.vms[vm].exits[kind];
    return true;
}

static bool get_busy_time(void *context, unsigned cpu, uint64_t *ns)
{
    (void)context;
    if (cpu >= fake.cpu_count) {
        return false;
    }
    *ns = fake.busy[cpu];
    return true;
}

static uint64_t get_now(void *context)
{
    (void)context;
    return fake.now;
}

static bool get_log_line(void *context, uint64_t *cursor, char line[SHELL_ROW_SIZE])
{
    (void)context;
    if (*cursor >= fake.log_lines) {
        return false;
    }
    snprintf(line, SHELL_ROW_SIZE, "line %lu", ++*cursor);
    return true;
}

static bool get_network_row(void *context, unsigned row, char text[SHELL_ROW_SIZE])
{
    (void)context;
    snprintf(text, SHELL_ROW_SIZE, "network row %u", row + 1);
    return row < 2;
}

static int act(void *context, enum shell_action action, const char *vm, char *reason, size_t size)
{
    (void)context;
    fake.acted = (int)action;
    snprintf(fake.acted_on, sizeof(fake.acted_on), "%s", vm ? vm : "");
    if (fake.refusal) {
        snprintf(reason, size, "%s", fake.refusal);
        return -EINVAL;
    }
    return 0;
}

const struct shell_machine fake_shell_machine = {
    .vm = get_vm,
    .vcpu = get_vcpu,
    .exits = get_exits,
    .busy_time = get_busy_time,
    .now = get_now,
    .log_line = get_log_line,
    .network = get_network_row,
    .act = act,
};

void fake_init(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.acted = -1;
}

struct fake_vm *fake_add(const char *name, unsigned vcpus)
{
    static const char *const kinds[FAKE_KINDS] = {"io", "memory", "cpuid", "task_switch"};
    static uint64_t next_id;
    struct fake_vm *added = &fake.vms[fake.vm_count++];

    memset(added, 0, sizeof(*added));
    snprintf(added->vm.name, sizeof(added->vm.name), "%s", name);
    added->vm.state = "running";
    added->vm.id = ++next_id;
    added->vm.vcpus = vcpus;
    for (unsigned i = 0; i < vcpus; i++) {
        added->vcpus[i].state = "waits";
        added->vcpus[i].cpu = (int)i;
    }
    for (unsigned i = 0; i < FAKE_KINDS; i++) {
        added->exits[i].name = kinds[i];
    }
    return added;
}

void fake_remove(unsigned index)
{
    memmove(&fake.vms[index], &fake.vms[index + 1], (FAKE_VMS - index - 1) * sizeof(fake.vms[0]));
    fake.vm_count--;
}
