/*
 * Bits of VMCS fields and VMX capability MSRs (SDM vol. 3, ch. 25 and appendix A), for hardware
 * code and pure logic alike. Constants only.
 */
#ifndef VMX_DEFINITIONS_H
#define VMX_DEFINITIONS_H

/* Pin-based VM-execution controls (25.6.1). */
#define PIN_EXTERNAL_INTERRUPT_EXITING (1u << 0)
#define PIN_NMI_EXITING                (1u << 3)
#define PIN_VIRTUAL_NMIS               (1u << 5)
#define PIN_PREEMPTION_TIMER           (1u << 6)
#define PIN_POSTED_INTERRUPTS          (1u << 7)

/* Primary processor-based VM-execution controls (25.6.2). */
#define PROC_INTERRUPT_WINDOW_EXITING (1u << 2)
#define PROC_TSC_OFFSETTING           (1u << 3)
#define PROC_HLT_EXITING              (1u << 7)
#define PROC_INVLPG_EXITING           (1u << 9)
#define PROC_MWAIT_EXITING            (1u << 10)
#define PROC_RDPMC_EXITING            (1u << 11)
#define PROC_RDTSC_EXITING            (1u << 12)
#define PROC_CR3_LOAD_EXITING         (1u << 15)
#define PROC_CR3_STORE_EXITING        (1u << 16)
#define PROC_TERTIARY_CONTROLS        (1u << 17)
#define PROC_CR8_LOAD_EXITING         (1u << 19)
#define PROC_CR8_STORE_EXITING        (1u << 20)
#define PROC_TPR_SHADOW               (1u << 21)
#define PROC_NMI_WINDOW_EXITING       (1u << 22)
#define PROC_MOV_DR_EXITING           (1u << 23)
#define PROC_UNCONDITIONAL_IO_EXITING (1u << 24)
#define PROC_IO_BITMAPS               (1u << 25)
#define PROC_MONITOR_TRAP_FLAG        (1u << 27)
#define PROC_MSR_BITMAPS              (1u << 28)
#define PROC_MONITOR_EXITING          (1u << 29)
#define PROC_PAUSE_EXITING            (1u << 30)
#define PROC_SECONDARY_CONTROLS       (1u << 31)

/* Secondary processor-based VM-execution controls (25.6.2). */
#define PROC2_VIRTUALIZE_APIC_ACCESSES     (1u << 0)
#define PROC2_EPT                          (1u << 1)
#define PROC2_DESCRIPTOR_TABLE_EXITING     (1u << 2)
#define PROC2_RDTSCP                       (1u << 3)
#define PROC2_VIRTUALIZE_X2APIC            (1u << 4)
#define PROC2_VPID                         (1u << 5)
#define PROC2_WBINVD_EXITING               (1u << 6)
#define PROC2_UNRESTRICTED_GUEST           (1u << 7)
#define PROC2_APIC_REGISTER_VIRTUALIZATION (1u << 8)
#define PROC2_VIRTUAL_INTERRUPT_DELIVERY   (1u << 9)
#define PROC2_PAUSE_LOOP_EXITING           (1u << 10)
#define PROC2_RDRAND_EXITING               (1u << 11)
#define PROC2_INVPCID                      (1u << 12)
#define PROC2_VM_FUNCTIONS                 (1u << 13)
#define PROC2_VMCS_SHADOWING               (1u << 14)
#define PROC2_ENCLS_EXITING                (1u << 15)
#define PROC2_RDSEED_EXITING               (1u << 16)
#define PROC2_PML                          (1u << 17)
#define PROC2_EPT_VIOLATION_VE             (1u << 18)
#define PROC2_XSAVES                       (1u << 20)
#define PROC2_MODE_BASED_EXECUTE           (1u << 22)
#define PROC2_SUB_PAGE_WRITE               (1u << 23)
#define PROC2_TSC_SCALING                  (1u << 25)

/* VM-exit controls (25.7.1). */
#define EXIT_SAVE_DEBUG_CONTROLS   (1u << 2)
#define EXIT_HOST_64BIT            (1u << 9)
#define EXIT_LOAD_PERF_GLOBAL_CTRL (1u << 12)
#define EXIT_ACKNOWLEDGE_INTERRUPT (1u << 15)
#define EXIT_SAVE_PAT              (1u << 18)
#define EXIT_LOAD_PAT              (1u << 19)
#define EXIT_SAVE_EFER             (1u << 20)
#define EXIT_LOAD_EFER             (1u << 21)
#define EXIT_SAVE_PREEMPTION_TIMER (1u << 22)
#define EXIT_CLEAR_BNDCFGS         (1u << 23)
#define EXIT_LOAD_CET_STATE        (1u << 28)

/* VM-entry controls (25.8.1). */
#define ENTRY_LOAD_DEBUG_CONTROLS     (1u << 2)
#define ENTRY_IA32E_GUEST             (1u << 9)
#define ENTRY_TO_SMM                  (1u << 10)
#define ENTRY_DEACTIVATE_DUAL_MONITOR (1u << 11)
#define ENTRY_LOAD_PERF_GLOBAL_CTRL   (1u << 13)
#define ENTRY_LOAD_PAT                (1u << 14)
#define ENTRY_LOAD_EFER               (1u << 15)
#define ENTRY_LOAD_BNDCFGS            (1u << 16)
#define ENTRY_LOAD_CET_STATE          (1u << 20)

/* Guest activity state (25.4.2). */
#define ACTIVITY_STATE_ACTIVE        0u
#define ACTIVITY_STATE_HLT           1u
#define ACTIVITY_STATE_SHUTDOWN      2u
#define ACTIVITY_STATE_WAIT_FOR_SIPI 3u

/* Guest interruptibility state (table 25-3). */
#define INTERRUPTIBILITY_STI     (1u << 0)
#define INTERRUPTIBILITY_MOV_SS  (1u << 1)
#define INTERRUPTIBILITY_SMI     (1u << 2)
#define INTERRUPTIBILITY_NMI     (1u << 3)
#define INTERRUPTIBILITY_ENCLAVE (1u << 4)

/* Guest pending debug exceptions (table 25-4). */
#define PENDING_DEBUG_BREAKPOINTS (UINT64_C(0xf))
#define PENDING_DEBUG_ENABLED     (UINT64_C(1) << 12)
#define PENDING_DEBUG_BS          (UINT64_C(1) << 14)
#define PENDING_DEBUG_RTM         (UINT64_C(1) << 16)

/* IA32_DEBUGCTL (18.4.1): single-step on branches. */
#define DEBUGCTL_BTF (UINT64_C(1) << 1)

/* Interruption information: VM-entry (25.8.3), VM-exit (25.9.2), IDT-vectoring (25.9.3). */
#define INTERRUPTION_VECTOR_MASK    0x000000ffu
#define INTERRUPTION_TYPE_SHIFT     8
#define INTERRUPTION_TYPE_MASK      0x00000700u
#define INTERRUPTION_ERROR_CODE     (1u << 11)
#define INTERRUPTION_NMI_UNBLOCKING (1u << 12) /* VM-exit interruption information only */
#define INTERRUPTION_VALID          (1u << 31)

enum interruption_type {
    INTERRUPTION_EXTERNAL = 0,
    INTERRUPTION_NMI = 2,
    INTERRUPTION_HARDWARE_EXCEPTION = 3,
    INTERRUPTION_SOFTWARE_INTERRUPT = 4,
    INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION = 5,
    INTERRUPTION_SOFTWARE_EXCEPTION = 6,
    INTERRUPTION_OTHER = 7, /* VM entry only: pending MTF VM exit */
};

/* IA32_VMX_BASIC (A.1). */
#define VMX_BASIC_REVISION_MASK   UINT64_C(0x7fffffff)
#define VMX_BASIC_SIZE_SHIFT      32 /* bytes of a VMCS region, 13 bits */
#define VMX_BASIC_32BIT_ADDRESSES (UINT64_C(1) << 48)
#define VMX_BASIC_STRING_IO_INFO  (UINT64_C(1) << 54) /* instruction information of INS and OUTS */
#define VMX_BASIC_TRUE_CONTROLS   (UINT64_C(1) << 55)
#define VMX_BASIC_ANY_ERROR_CODE  (UINT64_C(1) << 56) /* injected with any exception, or none */

/* IA32_VMX_MISC (A.6). */
#define VMX_MISC_ACTIVITY_HLT           (UINT64_C(1) << 6)
#define VMX_MISC_ACTIVITY_SHUTDOWN      (UINT64_C(1) << 7)
#define VMX_MISC_ACTIVITY_WAIT_FOR_SIPI (UINT64_C(1) << 8)
#define VMX_MISC_CR3_TARGETS_SHIFT      16
#define VMX_MISC_CR3_TARGETS_MASK       (UINT64_C(0x1ff) << 16)
#define VMX_MISC_ZERO_LENGTH_INJECTION  (UINT64_C(1) << 30)

/* IA32_VMX_EPT_VPID_CAP (A.10). */
#define EPT_CAP_EXECUTE_ONLY      (UINT64_C(1) << 0)
#define EPT_CAP_WALK_4            (UINT64_C(1) << 6)
#define EPT_CAP_WALK_5            (UINT64_C(1) << 7)
#define EPT_CAP_UNCACHED          (UINT64_C(1) << 8)
#define EPT_CAP_WRITE_BACK        (UINT64_C(1) << 14)
#define EPT_CAP_2M                (UINT64_C(1) << 16)
#define EPT_CAP_1G                (UINT64_C(1) << 17)
#define EPT_CAP_INVEPT            (UINT64_C(1) << 20)
#define EPT_CAP_ACCESSED_DIRTY    (UINT64_C(1) << 21)
#define EPT_CAP_INVEPT_SINGLE     (UINT64_C(1) << 25)
#define EPT_CAP_INVEPT_ALL        (UINT64_C(1) << 26)
#define EPT_CAP_INVVPID           (UINT64_C(1) << 32)
#define EPT_CAP_INVVPID_ADDRESS   (UINT64_C(1) << 40)
#define EPT_CAP_INVVPID_SINGLE    (UINT64_C(1) << 41)
#define EPT_CAP_INVVPID_ALL       (UINT64_C(1) << 42)
#define EPT_CAP_INVVPID_NONGLOBAL (UINT64_C(1) << 43)

/* EPT pointer (25.6.11). */
#define EPTP_TYPE_MASK       UINT64_C(7)
#define EPTP_TYPE_UNCACHED   UINT64_C(0)
#define EPTP_TYPE_WRITE_BACK UINT64_C(6)
#define EPTP_WALK_SHIFT      3 /* page-walk length less 1 */
#define EPTP_WALK_MASK       (UINT64_C(7) << 3)
#define EPTP_ACCESSED_DIRTY  (UINT64_C(1) << 6)

#endif
