/*
 * The rules of VM entry in software (SDM vol. 3, 27.2 and 27.3.1): when the CPU refuses an entry
 * with "VM-instruction error 7" or "exit reason 33", this names the broken rule. Pure: works on a
 * plain copy of what is in the VMCS. Called after a failure only, so it may be slow.
 *
 * Not looked at, because this back end never uses them: entry to and from SMM (STM), posted
 * interrupts, VM functions, VMCS shadowing, #VE, sub-page permissions, CET, MPX and tertiary
 * controls; asking for one is itself reported. What lies in memory (the MSR areas' contents, the
 * VMCS link pointer's target) is not read.
 */
#ifndef VMX_ENTRY_CHECK_H
#define VMX_ENTRY_CHECK_H

#include <stdint.h>

#include "virt/vcpu.h"

/* A control word's capability MSR: bits that must be 1 in the low half, that may be 1 in the high
 * half (SDM vol. 3, A.2). Of the true MSRs where IA32_VMX_BASIC bit 55 says they are there. */
struct vmx_entry_capabilities {
    uint64_t basic; /* IA32_VMX_BASIC */
    uint64_t pin;
    uint64_t proc;
    uint64_t proc2; /* 0: there are no secondary controls */
    uint64_t exit;
    uint64_t entry;
    uint64_t cr0_fixed0; /* bits that must be 1 */
    uint64_t cr0_fixed1; /* bits that may be 1 */
    uint64_t cr4_fixed0;
    uint64_t cr4_fixed1;
    uint64_t misc;                      /* IA32_VMX_MISC */
    uint64_t ept_vpid;                  /* IA32_VMX_EPT_VPID_CAP */
    unsigned physical_bits;             /* MAXPHYADDR: CPUID 0x80000008 EAX[7:0] */
    unsigned linear_bits;               /* 48 or 57: CPUID 0x80000008 EAX[15:8] */
    uint64_t efer_reserved;             /* bits of IA32_EFER that this CPU does not know */
    uint64_t perf_global_ctrl_reserved; /* the same of IA32_PERF_GLOBAL_CTRL */
};

struct vmx_entry_controls {
    uint32_t pin;
    uint32_t proc;
    uint32_t proc2; /* looked at if `proc` activates it */
    uint32_t exit;
    uint32_t entry;
    uint32_t cr3_target_count;
    uint64_t io_bitmap_a;
    uint64_t io_bitmap_b;
    uint64_t msr_bitmap;
    uint64_t apic_access_page;
    uint64_t virtual_apic_page;
    uint8_t virtual_tpr; /* the TPR in the virtual-APIC page */
    uint32_t tpr_threshold;
    uint64_t eptp;
    uint16_t vpid;
    uint64_t pml_address;
    uint32_t exit_msr_store_count;
    uint64_t exit_msr_store;
    uint32_t exit_msr_load_count;
    uint64_t exit_msr_load;
    uint32_t entry_msr_load_count;
    uint64_t entry_msr_load;
    uint32_t interruption_info; /* VM-entry interruption information */
    uint32_t interruption_error;
    uint32_t instruction_length; /* VM-entry instruction length */
};

struct vmx_entry_host {
    uint64_t cr0;
    uint64_t cr3;
    uint64_t cr4;
    uint64_t rip;
    uint64_t efer;
    uint64_t pat;
    uint64_t perf_global_ctrl;
    uint64_t sysenter_esp;
    uint64_t sysenter_eip;
    uint64_t fs_base;
    uint64_t gs_base;
    uint64_t tr_base;
    uint64_t gdtr_base;
    uint64_t idtr_base;
    uint16_t es, cs, ss, ds, fs, gs, tr;
};

struct vmx_entry_guest {
    uint64_t cr0;
    uint64_t cr3;
    uint64_t cr4;
    uint64_t dr7;
    uint64_t rip;
    uint64_t rflags;
    uint64_t debugctl;
    uint64_t efer;
    uint64_t pat;
    uint64_t perf_global_ctrl;
    uint64_t sysenter_esp;
    uint64_t sysenter_eip;
    struct virt_segment_state segments[SEGMENT_COUNT]; /* by enum virt_segment */
    uint64_t gdtr_base;
    uint32_t gdtr_limit; /* 32 bits wide in the VMCS */
    uint64_t idtr_base;
    uint32_t idtr_limit;
    uint32_t activity;         /* ACTIVITY_STATE_* */
    uint32_t interruptibility; /* INTERRUPTIBILITY_* */
    uint64_t pending_debug;
    uint64_t link_pointer;
    uint64_t pdpte[4];
};

struct vmx_entry_state {
    struct vmx_entry_capabilities capabilities;
    struct vmx_entry_controls controls;
    struct vmx_entry_host host;
    struct vmx_entry_guest guest;
};

#define ENTRY_CHECK_TEXT_SIZE 96

/**
 * The first rule of VM entry that `state` breaks, in words ("guest CS: limit bits 31:20 are not all
 * 0 while the granularity is bytes"), in the order controls, host state, guest state; NULL if it
 * breaks none of the rules known here. It is static, or was put together in `text`.
 */
const char *entry_check(const struct vmx_entry_state *state, char text[ENTRY_CHECK_TEXT_SIZE]);

#endif
