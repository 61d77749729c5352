/* Guest-physical address spaces: EPT over the kernel's frames, and what CPUs cached of them. */
#include <errno.h>
#include <string.h>

#include "kernel/cpu/interrupts.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"
#include "kernel/smp.h"
#include "vmx/definitions.h"
#include "vmx/ept.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

#define APIC_DEFAULT_BASE UINT64_C(0xfee00000)

static uint64_t alloc_table(void *context)
{
    (void)context;
    return frame_alloc(0);
}

static void free_table(void *context, uint64_t phys)
{
    (void)context;
    frame_free(phys, 0);
}

static uint64_t *map_table(void *context, uint64_t phys)
{
    (void)context;
    return phys_to_virt(phys);
}

static void flush_space(const struct virt_space *space)
{
    bool done;

    if (vmx_capabilities.limits.ept_vpid & EPT_CAP_INVEPT_SINGLE) {
        done = invept(INVEPT_SINGLE_CONTEXT, ept_pointer(&space->ept));
    } else {
        done = invept(INVEPT_ALL_CONTEXTS, 0);
    }
    ASSERT(done, "the CPU carries out an INVEPT of a type that it offers");
}

static void flush_here(void *context)
{
    if (vmx_this_cpu()) {
        flush_space(context);
    }
}

/* On all CPUs, whether or not a vCPU of this space is loaded there now: what one cached when a vCPU
 * was there would still be used when it comes again. */
static void invalidate(void *context)
{
    flush_here(context);
    smp_call_others(flush_here, context);
}

/* Interrupts off, for as long as the lock is held. */
static bool lock_space(struct virt_space *space)
{
    bool interrupts = interrupts_save();

    smp_lock(&space->lock);
    return interrupts;
}

static void unlock_space(struct virt_space *space, bool interrupts)
{
    spin_unlock(&space->lock);
    interrupts_restore(interrupts);
}

struct virt_space *space_create(void)
{
    struct virt_space *space = kzalloc(sizeof(*space));
    const struct ept_tables tables = {
        .alloc = alloc_table,
        .free = free_table,
        .map = map_table,
        .invalidate = invalidate,
        .context = space,
    };
    const struct virt_features *features = &vmx_controls.features;

    if (!space) {
        return NULL;
    }
    if (space_create_bitmaps(space)) {
        kfree(space);
        return NULL;
    }
    if (ept_init(&space->ept, &tables, features->nested_2m, features->nested_1g,
                 features->nested_accessed_dirty)) {
        space_free_bitmaps(space);
        kfree(space);
        return NULL;
    }
    return space;
}

void space_destroy(struct virt_space *space)
{
    /* The root's frame may become another space's root, under the same EPT pointer. */
    invalidate(space);
    ept_destroy(&space->ept);
    if (space->apic_access_page) {
        frame_free(space->apic_access_page, 0);
    }
    space_free_bitmaps(space);
    kfree(space);
}

int space_map(struct virt_space *space, uint64_t guest_phys, uint64_t host_phys, uint64_t size,
              unsigned prot, enum virt_memory_type type)
{
    bool interrupts = lock_space(space);
    int error = ept_map(&space->ept, guest_phys, host_phys, size, prot, type);

    unlock_space(space, interrupts);
    return error;
}

int space_unmap(struct virt_space *space, uint64_t guest_phys, uint64_t size)
{
    bool interrupts = lock_space(space);
    int error = ept_unmap(&space->ept, guest_phys, size);

    unlock_space(space, interrupts);
    return error;
}

uint64_t space_page_size(struct virt_space *space, uint64_t guest_phys)
{
    bool interrupts = lock_space(space);
    struct ept_mapping mapping;
    bool mapped = ept_lookup(&space->ept, guest_phys, &mapping);

    unlock_space(space, interrupts);
    return mapped ? mapping.page_size : 0;
}

void vmx_flush_linear(const struct vmx_vcpu *vcpu)
{
    bool done;

    /* Without VPIDs every VM entry and exit flushes (SDM vol. 3, 29.4.3.1). */
    if (!vmx_controls.features.vpid) {
        return;
    }
    if (vmx_capabilities.limits.ept_vpid & EPT_CAP_INVVPID_SINGLE) {
        done = invvpid(INVVPID_SINGLE_CONTEXT, vcpu->vpid);
    } else {
        done = invvpid(INVVPID_ALL_CONTEXTS, 0);
    }
    ASSERT(done, "the CPU carries out an INVVPID of a type that it offers");
}

/*
 * The page is a marker for the CPU and never holds data, unless a vCPU in another APIC mode touches
 * it while one in xAPIC mode keeps it mapped: so every space has its own.
 */
static int map_apic_access(struct virt_space *space)
{
    int error;

    if (!space->apic_access_page) {
        space->apic_access_page = frame_alloc(0);
        if (!space->apic_access_page) {
            return -ENOMEM;
        }
        memset(phys_to_virt(space->apic_access_page), 0, FRAME_SIZE);
    }
    if (space->apic_access_users == 0) {
        error = ept_map(&space->ept, APIC_DEFAULT_BASE, space->apic_access_page, FRAME_SIZE,
                        VIRT_PROT_READ | VIRT_PROT_WRITE, VIRT_MEMORY_WRITE_BACK);
        if (error) {
            return error;
        }
    }
    space->apic_access_users++;
    return 0;
}

int space_map_apic_access(struct virt_space *space)
{
    bool interrupts = lock_space(space);
    int error = map_apic_access(space);

    unlock_space(space, interrupts);
    return error;
}

void space_unmap_apic_access(struct virt_space *space)
{
    bool interrupts = lock_space(space);

    space->apic_access_users--;
    if (space->apic_access_users == 0) {
        /* The page was mapped as 4 KiB, so there is nothing to split and no memory to run short. */
        int error = ept_unmap(&space->ept, APIC_DEFAULT_BASE, FRAME_SIZE);

        ASSERT(!error, "a 4 KiB mapping can be undone without memory");
    }
    unlock_space(space, interrupts);
}
