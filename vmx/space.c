/* Guest-physical address spaces: EPT over the kernel's frames, and what CPUs cached of them. */
#include <errno.h>
#include <string.h>

#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"
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

/* vCPUs of this space that are loaded elsewhere: there is no elsewhere while the kernel runs guests
 * on the boot CPU alone. Those not loaded learn of it in space_refresh. */
static void invalidate(void *context)
{
    struct virt_space *space = context;

    space->generation++;
    flush_space(space);
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
    if (ept_init(&space->ept, &tables, features->nested_2m, features->nested_1g,
                 features->nested_accessed_dirty)) {
        kfree(space);
        return NULL;
    }
    /* The root's frame may have been another space's root, under the same EPT pointer. */
    flush_space(space);
    return space;
}

void space_destroy(struct virt_space *space)
{
    flush_space(space);
    ept_destroy(&space->ept);
    if (space->apic_access_page) {
        frame_free(space->apic_access_page, 0);
    }
    kfree(space);
}

int space_map(struct virt_space *space, uint64_t guest_phys, uint64_t host_phys, uint64_t size,
              unsigned prot, enum virt_memory_type type)
{
    return ept_map(&space->ept, guest_phys, host_phys, size, prot, type);
}

int space_unmap(struct virt_space *space, uint64_t guest_phys, uint64_t size)
{
    return ept_unmap(&space->ept, guest_phys, size);
}

uint64_t space_page_size(struct virt_space *space, uint64_t guest_phys)
{
    struct ept_mapping mapping;

    return ept_lookup(&space->ept, guest_phys, &mapping) ? mapping.page_size : 0;
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

void space_refresh(struct vmx_vcpu *vcpu, bool moved)
{
    if (moved) {
        vmx_flush_linear(vcpu);
    }
    if (moved || vcpu->space_generation != vcpu->space->generation) {
        flush_space(vcpu->space);
        vcpu->space_generation = vcpu->space->generation;
    }
}

/*
 * The page is a marker for the CPU and never holds data, unless a vCPU in another APIC mode touches
 * it while one in xAPIC mode keeps it mapped: so every space has its own.
 */
int space_map_apic_access(struct virt_space *space)
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

void space_unmap_apic_access(struct virt_space *space)
{
    space->apic_access_users--;
    if (space->apic_access_users == 0) {
        /* The page was mapped as 4 KiB, so there is nothing to split and no memory to run short. */
        int error = ept_unmap(&space->ept, APIC_DEFAULT_BASE, FRAME_SIZE);

        ASSERT(!error, "a 4 KiB mapping can be undone without memory");
    }
}
