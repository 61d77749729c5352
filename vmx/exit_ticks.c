/*
 * The histograms of exits. Most kinds are never met, so each gets its histogram at its first exit:
 * until then that calls handle_first in the place of the handler, and the way of exits need not
 * look.
 */
#include <errno.h>
#include <stddef.h>

#include "kernel/memory/heap.h"
#include "vmx/vcpu.h"

static bool begin(struct vmx_vcpu *vcpu, enum vm_exit_kind kind)
{
    uint64_t *ticks = kzalloc(VIRT_TICKS_BUCKETS * sizeof(*ticks));

    if (!ticks) {
        return false;
    }
    __atomic_store_n(&vcpu->virt.exit_ticks_log2[kind], ticks, __ATOMIC_RELEASE);
    vcpu->exit_handlers[kind] = vcpu->given_handlers[kind];
    return true;
}

/* Without memory, the next of its kind tries again. */
static enum virt_next handle_first(void *context, const struct vm_exit *exit)
{
    struct vmx_vcpu *vcpu = (struct vmx_vcpu *)((uintptr_t)exit - offsetof(struct vmx_vcpu, exit));

    (void)begin(vcpu, exit->kind);
    return vcpu->given_handlers[exit->kind](context, exit);
}

int vmx_create_exit_ticks(struct vmx_vcpu *vcpu)
{
    for (unsigned kind = 0; kind < VM_EXIT_KINDS; kind++) {
        vcpu->virt.exit_ticks_log2[kind] = virt_no_ticks;
        vcpu->exit_handlers[kind] = handle_first;
    }
    /* As if it were at the end of one, see vmx_vcpu_reset. */
    return begin(vcpu, VM_EXIT_INTERRUPTED) ? 0 : -ENOMEM;
}

void vmx_free_exit_ticks(struct vmx_vcpu *vcpu)
{
    for (unsigned kind = 0; kind < VM_EXIT_KINDS; kind++) {
        if (vcpu->virt.exit_ticks_log2[kind] != virt_no_ticks) {
            kfree(vcpu->virt.exit_ticks_log2[kind]);
        }
    }
}
