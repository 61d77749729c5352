#include "guest/vm_statistics.h"

#include <stdio.h>
#include <string.h>

#include "kernel/cpu/interrupts.h"
#include "kernel/log.h"
#include "kernel/thread.h"

static enum vcpu_activity activity(const struct vm *vm, const struct vcpu *vcpu)
{
    if (vm->state == VM_PAUSED) {
        return VCPU_IS_PAUSED;
    }
    if (__atomic_load_n(&vcpu->running_on, __ATOMIC_RELAXED)) {
        return VCPU_IS_RUNNING;
    }
    if (vcpu->waits_for_startup) {
        return VCPU_IS_OFFLINE;
    }
    return vcpu->halted ? VCPU_IS_HALTED : VCPU_IS_READY;
}

void vm_vcpu_statistics(struct vm *vm, unsigned index, struct vcpu_statistics *statistics)
{
    const struct vcpu *vcpu = &vm->vcpus[index];
    bool interrupts = interrupts_save();

    statistics->exits = 0;
    for (unsigned kind = 0; kind < VM_EXIT_KINDS; kind++) {
        statistics->exits += vcpu->cpu->exit_count[kind];
    }
    vm_lock_devices(vm, NULL);
    /* With the lock, in these states, its thread is there. */
    if (vm->state == VM_RUNNING || vm->state == VM_PAUSED) {
        statistics->activity = activity(vm, vcpu);
        statistics->cpu = (int)thread_cpu(vcpu->thread);
        statistics->run_time = thread_run_time(vcpu->thread);
        statistics->steal_time = thread_wait_time(vcpu->thread);
    } else {
        statistics->activity = VCPU_IS_STOPPED;
        statistics->cpu = -1;
        statistics->run_time = vcpu->run_time;
        statistics->steal_time = vcpu->steal_time;
    }
    vm_unlock_devices(vm);
    interrupts_restore(interrupts);
}

void vm_exit_statistics(const struct vm *vm, enum vm_exit_kind kind,
                        struct exit_statistics *statistics)
{
    memset(statistics, 0, sizeof(*statistics));
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        const struct virt_vcpu *cpu = vm->vcpus[i].cpu;

        const uint64_t *ticks = __atomic_load_n(&cpu->exit_ticks_log2[kind], __ATOMIC_ACQUIRE);

        statistics->count += cpu->exit_count[kind];
        if (ticks == virt_no_ticks) {
            continue;
        }
        for (unsigned bucket = 0; bucket < VIRT_TICKS_BUCKETS; bucket++) {
            statistics->ticks_log2[bucket] += ticks[bucket];
        }
    }
}

void vm_log_end(const struct vm *vm)
{
    struct exit_statistics exits;
    char line[256];
    size_t length = 0;
    uint64_t total = 0;

    log_info("vm %s stopped: %s", vm->description.name, vm->stop_reason);
    line[0] = '\0';
    for (unsigned kind = 0; kind < VM_EXIT_KINDS; kind++) {
        vm_exit_statistics(vm, (enum vm_exit_kind)kind, &exits);
        total += exits.count;
        if (exits.count > 0 && length < sizeof(line)) {
            length += (size_t)snprintf(line + length, sizeof(line) - length, " %s=%lu",
                                       vm_exit_kind_name((enum vm_exit_kind)kind), exits.count);
        }
    }
    log_info("vm %s exits: %lu:%s", vm->description.name, total, line);
}
