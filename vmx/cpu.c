/* From a CPU that has VT-x to one in VMX root operation; or the reason why not. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"
#include "vmx/capabilities.h"
#include "vmx/controls.h"
#include "vmx/definitions.h"
#include "vmx/extended_state.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"
#include "vmx/vmx.h"

#define CPUID_FEATURES             1u
#define CPUID_FEATURES_ECX_VMX     (1u << 5)
#define CPUID_EXTENDED             0x80000000u
#define CPUID_EXTENDED_FEATURES    0x80000001u
#define CPUID_EXTENDED_ECX_SVM     (1u << 2)
#define CPUID_EXTENDED_EDX_SYSCALL (1u << 11)
#define CPUID_EXTENDED_EDX_NX      (1u << 20)
#define CPUID_EXTENDED_EDX_LONG    (1u << 29)
#define CPUID_ADDRESS_WIDTHS       0x80000008u

#define MEMORY_TYPE_WRITE_BACK 6u

enum apic_virtualization vmx_apic_virtualization = APIC_VIRTUALIZATION_FULL;
struct vmx_capabilities vmx_capabilities;
struct vmx_controls vmx_controls;

static uint32_t extended_leaf(uint32_t leaf, struct cpuid_result *result)
{
    uint32_t last = cpuid(CPUID_EXTENDED, 0).eax;

    *result = last >= leaf ? cpuid(leaf, 0) : (struct cpuid_result){0};
    return last;
}

static uint32_t read_address_widths(void)
{
    struct cpuid_result result;

    extended_leaf(CPUID_ADDRESS_WIDTHS, &result);
    return result.eax;
}

static uint64_t unknown_efer_bits(void)
{
    struct cpuid_result result;
    uint64_t known = 0;

    extended_leaf(CPUID_EXTENDED_FEATURES, &result);
    known |= result.edx & CPUID_EXTENDED_EDX_SYSCALL ? EFER_SCE : 0;
    known |= result.edx & CPUID_EXTENDED_EDX_NX ? EFER_NXE : 0;
    known |= result.edx & CPUID_EXTENDED_EDX_LONG ? EFER_LME | EFER_LMA : 0;
    return ~known;
}

static const char *missing_cpu_feature(void)
{
    struct cpuid_result extended;

    if (cpuid(CPUID_FEATURES, 0).ecx & CPUID_FEATURES_ECX_VMX) {
        return NULL;
    }
    extended_leaf(CPUID_EXTENDED_FEATURES, &extended);
    if (extended.ecx & CPUID_EXTENDED_ECX_SVM) {
        return "This CPU has AMD-V (SVM), which is not supported: use a machine with Intel VT-x.";
    }
    return "This CPU has no VT-x: use an Intel CPU that has it, or, inside a virtual machine, turn "
           "on nested virtualisation.";
}

/* Locked with VT-x off: nothing but the firmware can change that before the next reset. */
static bool locked_off(uint64_t feature_control)
{
    return (feature_control & FEATURE_CONTROL_LOCKED) &&
           !(feature_control & FEATURE_CONTROL_VMX_OUTSIDE_SMX);
}

static const char *unusable_regions(uint64_t basic)
{
    if (((basic >> VMX_BASIC_SIZE_SHIFT) & VMX_BASIC_SIZE_MASK) > FRAME_SIZE) {
        return "VMCS regions of at most 4 KiB";
    }
    if (((basic >> VMX_BASIC_MEMORY_TYPE_SHIFT) & VMX_BASIC_MEMORY_TYPE_MASK) !=
        MEMORY_TYPE_WRITE_BACK) {
        return "VMCS regions in write-back memory";
    }
    return NULL;
}

int vmx_probe(const char **refusal)
{
    static const struct vmx_capability_source source = {
        .read_msr = rdmsr,
        .address_widths = read_address_widths,
        .efer_reserved = unknown_efer_bits,
    };
    static char text[160];
    const char *missing;

    *refusal = missing_cpu_feature();
    if (*refusal) {
        return -ENODEV;
    }
    if (locked_off(rdmsr(MSR_FEATURE_CONTROL))) {
        *refusal = "VT-x is switched off and locked by the firmware: turn on \"Intel "
                   "Virtualization Technology\" in its set-up and power-cycle the machine.";
        return -ENODEV;
    }
    vmx_capabilities_read(&vmx_capabilities, &source);
    missing = unusable_regions(vmx_capabilities.basic);
    if (missing || vmx_negotiate_controls(&vmx_capabilities, vmx_apic_virtualization, &vmx_controls,
                                          &missing)) {
        snprintf(text, sizeof(text),
                 "This CPU's VT-x lacks %s: use a newer Intel CPU (Westmere of 2010 or later).",
                 missing);
        *refusal = text;
        return -ENODEV;
    }
    return 0;
}

/* Firmware that left the MSR unlocked leaves the choice to us; VMXON faults until it is locked. */
static bool unlock_vmx(void)
{
    uint64_t feature_control = rdmsr(MSR_FEATURE_CONTROL);

    if (!(feature_control & FEATURE_CONTROL_LOCKED)) {
        wrmsr(MSR_FEATURE_CONTROL,
              feature_control | FEATURE_CONTROL_VMX_OUTSIDE_SMX | FEATURE_CONTROL_LOCKED);
        feature_control = rdmsr(MSR_FEATURE_CONTROL);
    }
    return !locked_off(feature_control);
}

static bool set_fixed_bits(void)
{
    const struct vmx_entry_capabilities *limits = &vmx_capabilities.limits;
    uint64_t cr0 = read_cr0() | limits->cr0_fixed0;
    uint64_t cr4 = read_cr4() | limits->cr4_fixed0 | CR4_VMXE;

    if ((cr0 & ~limits->cr0_fixed1) || (cr4 & ~limits->cr4_fixed1)) {
        return false;
    }
    write_cr0(cr0);
    write_cr4(cr4);
    return true;
}

/* Forgets what a previous life (firmware, warm start) may have cached under our tags. */
static void flush_all(void)
{
    if (vmx_capabilities.limits.ept_vpid & EPT_CAP_INVEPT_ALL) {
        invept(INVEPT_ALL_CONTEXTS, 0);
    }
    if (vmx_controls.features.vpid && (vmx_capabilities.limits.ept_vpid & EPT_CAP_INVVPID_ALL)) {
        invvpid(INVVPID_ALL_CONTEXTS, 0);
    }
}

int vmx_enable_cpu(void)
{
    struct vmx_cpu *cpu = kzalloc(sizeof(*cpu));
    uint64_t region = frame_alloc(0);
    uint32_t revision = vmx_revision(&vmx_capabilities);

    if (!cpu || !region) {
        goto no_memory;
    }
    extended_state_enable_cpu();
    if (!unlock_vmx() || !set_fixed_bits()) {
        log_error("vmx: CPU %u cannot enter VMX operation: its settings differ from the boot CPU's",
                  this_cpu()->index);
        goto refused;
    }
    memset(phys_to_virt(region), 0, FRAME_SIZE);
    memcpy(phys_to_virt(region), &revision, sizeof(revision));
    if (!vmxon(region)) {
        log_error("vmx: CPU %u: VMXON failed", this_cpu()->index);
        goto refused;
    }
    flush_all();
    cpu->percpu = this_cpu();
    cpu->vmxon_region = region;
    this_cpu()->virt = cpu;
    return 0;

refused:
    frame_free(region, 0);
    kfree(cpu);
    return -ENODEV;
no_memory:
    if (region) {
        frame_free(region, 0);
    }
    kfree(cpu);
    return -ENOMEM;
}
