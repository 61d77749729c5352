/*
 * The VMX control words: what we need and what we would like meet what the CPU can do, here and
 * nowhere else. Pure.
 */
#ifndef VMX_CONTROLS_H
#define VMX_CONTROLS_H

#include <stdbool.h>
#include <stdint.h>

#include "virt/vcpu.h"
#include "vmx/capabilities.h"

struct vmx_controls {
    uint32_t pin;
    uint32_t proc;  /* windows closed */
    uint32_t proc2; /* without what depends on the local APIC's mode: see apic_proc2 */
    uint32_t exit;
    uint32_t entry;
    /* APIC virtualisation that a vCPU may switch on, by its APIC mode. */
    uint32_t apic_proc2;
    struct virt_features features;
};

/* How much of the CPU's support for virtual local APICs to use, beyond the TPR shadow. */
enum apic_virtualization {
    APIC_VIRTUALIZATION_OFF,
    APIC_VIRTUALIZATION_ACCESS, /* the APIC-access page and x2APIC's TPR */
    APIC_VIRTUALIZATION_FULL,   /* registers and interrupt delivery too */
};

/**
 * Finds the control words. 0; or -ENODEV when the CPU lacks something needed, and `*missing` names
 * the first such thing ("nested paging (EPT)"). `apic`: what to use of it where the CPU has it.
 */
int vmx_negotiate_controls(const struct vmx_capabilities *capabilities,
                           enum apic_virtualization apic, struct vmx_controls *controls,
                           const char **missing);

#endif
