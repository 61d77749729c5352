/*
 * Architectural constants of x86-64 (SDM vol. 3 ch. 2, vol. 4): control register, flag and MSR
 * numbers. No code, so that pure logic and host-side tests can use it too.
 */
#ifndef KERNEL_CPU_X86_DEFS_H
#define KERNEL_CPU_X86_DEFS_H

#define CR0_PE (UINT64_C(1) << 0)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_ET (UINT64_C(1) << 4)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR0_AM (UINT64_C(1) << 18)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_CD (UINT64_C(1) << 30)
#define CR0_PG (UINT64_C(1) << 31)

#define CR4_VME        (UINT64_C(1) << 0)
#define CR4_PVI        (UINT64_C(1) << 1)
#define CR4_TSD        (UINT64_C(1) << 2)
#define CR4_DE         (UINT64_C(1) << 3)
#define CR4_PSE        (UINT64_C(1) << 4)
#define CR4_PAE        (UINT64_C(1) << 5)
#define CR4_MCE        (UINT64_C(1) << 6)
#define CR4_PGE        (UINT64_C(1) << 7)
#define CR4_PCE        (UINT64_C(1) << 8)
#define CR4_OSFXSR     (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_UMIP       (UINT64_C(1) << 11)
#define CR4_LA57       (UINT64_C(1) << 12)
#define CR4_VMXE       (UINT64_C(1) << 13)
#define CR4_SMXE       (UINT64_C(1) << 14)
#define CR4_FSGSBASE   (UINT64_C(1) << 16)
#define CR4_PCIDE      (UINT64_C(1) << 17)
#define CR4_OSXSAVE    (UINT64_C(1) << 18)
#define CR4_SMEP       (UINT64_C(1) << 20)
#define CR4_SMAP       (UINT64_C(1) << 21)
#define CR4_PKE        (UINT64_C(1) << 22)
#define CR4_CET        (UINT64_C(1) << 23)
#define CR4_PKS        (UINT64_C(1) << 24)

#define EFER_SCE (UINT64_C(1) << 0)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)

#define RFLAGS_CF     (UINT64_C(1) << 0)
#define RFLAGS_FIXED1 (UINT64_C(1) << 1)
#define RFLAGS_PF     (UINT64_C(1) << 2)
#define RFLAGS_AF     (UINT64_C(1) << 4)
#define RFLAGS_ZF     (UINT64_C(1) << 6)
#define RFLAGS_SF     (UINT64_C(1) << 7)
#define RFLAGS_TF     (UINT64_C(1) << 8)
#define RFLAGS_IF     (UINT64_C(1) << 9)
#define RFLAGS_DF     (UINT64_C(1) << 10)
#define RFLAGS_OF     (UINT64_C(1) << 11)
#define RFLAGS_IOPL   (UINT64_C(3) << 12)
#define RFLAGS_NT     (UINT64_C(1) << 14)
#define RFLAGS_RF     (UINT64_C(1) << 16)
#define RFLAGS_VM     (UINT64_C(1) << 17)
#define RFLAGS_AC     (UINT64_C(1) << 18)
#define RFLAGS_VIF    (UINT64_C(1) << 19)
#define RFLAGS_VIP    (UINT64_C(1) << 20)
#define RFLAGS_ID     (UINT64_C(1) << 21)

/* Exception vectors (SDM vol. 3, 6.3.1). */
enum exception_vector {
    EXCEPTION_DE = 0,
    EXCEPTION_DB = 1,
    EXCEPTION_NMI = 2,
    EXCEPTION_BP = 3,
    EXCEPTION_OF = 4,
    EXCEPTION_BR = 5,
    EXCEPTION_UD = 6,
    EXCEPTION_NM = 7,
    EXCEPTION_DF = 8,
    EXCEPTION_TS = 10,
    EXCEPTION_NP = 11,
    EXCEPTION_SS = 12,
    EXCEPTION_GP = 13,
    EXCEPTION_PF = 14,
    EXCEPTION_MF = 16,
    EXCEPTION_AC = 17,
    EXCEPTION_MC = 18,
    EXCEPTION_XM = 19,
    EXCEPTION_VE = 20,
    EXCEPTION_CP = 21,
};

/* #PF error code bits (SDM vol. 3, 4.7). */
#define PF_PRESENT  (1u << 0)
#define PF_WRITE    (1u << 1)
#define PF_USER     (1u << 2)
#define PF_RESERVED (1u << 3)
#define PF_FETCH    (1u << 4)

/* Model-specific registers (SDM vol. 4). */
#define MSR_P5_MC_ADDR         0x0u
#define MSR_P5_MC_TYPE         0x1u
#define MSR_TSC                0x10u
#define MSR_PLATFORM_ID        0x17u
#define MSR_APIC_BASE          0x1bu
#define MSR_FEATURE_CONTROL    0x3au
#define MSR_TSC_ADJUST         0x3bu
#define MSR_SPEC_CTRL          0x48u
#define MSR_PRED_CMD           0x49u
#define MSR_BIOS_UPDT_TRIG     0x79u
#define MSR_BIOS_SIGN_ID       0x8bu
#define MSR_MTRRCAP            0xfeu
#define MSR_ARCH_CAPABILITIES  0x10au
#define MSR_SYSENTER_CS        0x174u
#define MSR_SYSENTER_ESP       0x175u
#define MSR_SYSENTER_EIP       0x176u
#define MSR_MCG_CAP            0x179u
#define MSR_MCG_STATUS         0x17au
#define MSR_MISC_ENABLE        0x1a0u
#define MSR_DEBUGCTL           0x1d9u
#define MSR_MTRR_PHYSBASE0     0x200u
#define MSR_MTRR_FIX64K_00000  0x250u
#define MSR_MTRR_FIX16K_80000  0x258u
#define MSR_MTRR_FIX16K_A0000  0x259u
#define MSR_MTRR_FIX4K_C0000   0x268u
#define MSR_PAT                0x277u
#define MSR_MTRR_DEF_TYPE      0x2ffu
#define MSR_PERF_GLOBAL_CTRL   0x38fu
#define MSR_VMX_BASIC          0x480u
#define MSR_VMX_PINBASED       0x481u
#define MSR_VMX_PROCBASED      0x482u
#define MSR_VMX_EXIT           0x483u
#define MSR_VMX_ENTRY          0x484u
#define MSR_VMX_MISC           0x485u
#define MSR_VMX_CR0_FIXED0     0x486u
#define MSR_VMX_CR0_FIXED1     0x487u
#define MSR_VMX_CR4_FIXED0     0x488u
#define MSR_VMX_CR4_FIXED1     0x489u
#define MSR_VMX_VMCS_ENUM      0x48au
#define MSR_VMX_PROCBASED2     0x48bu
#define MSR_VMX_EPT_VPID_CAP   0x48cu
#define MSR_VMX_TRUE_PINBASED  0x48du
#define MSR_VMX_TRUE_PROCBASED 0x48eu
#define MSR_VMX_TRUE_EXIT      0x48fu
#define MSR_VMX_TRUE_ENTRY     0x490u
#define MSR_TSC_DEADLINE       0x6e0u
#define MSR_X2APIC_BASE        0x800u
#define MSR_X2APIC_ID          0x802u
#define MSR_X2APIC_TPR         0x808u
#define MSR_X2APIC_EOI         0x80bu
#define MSR_X2APIC_SELF_IPI    0x83fu
#define MSR_XSS                0xda0u
#define MSR_EFER               0xc0000080u
#define MSR_STAR               0xc0000081u
#define MSR_LSTAR              0xc0000082u
#define MSR_CSTAR              0xc0000083u
#define MSR_SFMASK             0xc0000084u
#define MSR_FS_BASE            0xc0000100u
#define MSR_GS_BASE            0xc0000101u
#define MSR_KERNEL_GS_BASE     0xc0000102u
#define MSR_TSC_AUX            0xc0000103u

#define APIC_BASE_BSP    (UINT64_C(1) << 8)
#define APIC_BASE_X2APIC (UINT64_C(1) << 10)
#define APIC_BASE_ENABLE (UINT64_C(1) << 11)

#define FEATURE_CONTROL_LOCKED          (UINT64_C(1) << 0)
#define FEATURE_CONTROL_VMX_IN_SMX      (UINT64_C(1) << 1)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX (UINT64_C(1) << 2)

/* XCR0 state components (SDM vol. 1, 13.1). */
#define XCR0_X87    (UINT64_C(1) << 0)
#define XCR0_SSE    (UINT64_C(1) << 1)
#define XCR0_AVX    (UINT64_C(1) << 2)
#define XCR0_AVX512 (UINT64_C(7) << 5) /* three components: together or not at all */
#define XCR0_PKRU   (UINT64_C(1) << 9)

#endif
