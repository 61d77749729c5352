/*
 * The fields of a VMCS (SDM vol. 3, appendix B). Each width has a type of its own, so a 16-bit
 * field cannot be written as a 64-bit one, and an encoding is never taken for a value.
 */
#ifndef VMX_VMCS_FIELDS_H
#define VMX_VMCS_FIELDS_H

#include <stdint.h>

#include "virt/vcpu.h"

struct vmcs_field16 {
    uint32_t encoding;
};
struct vmcs_field32 {
    uint32_t encoding;
};
struct vmcs_field64 {
    uint32_t encoding;
};
struct vmcs_field_natural {
    uint32_t encoding;
};

#define VMCS_FIELD16(encoding)       ((struct vmcs_field16){encoding})
#define VMCS_FIELD32(encoding)       ((struct vmcs_field32){encoding})
#define VMCS_FIELD64(encoding)       ((struct vmcs_field64){encoding})
#define VMCS_FIELD_NATURAL(encoding) ((struct vmcs_field_natural){encoding})

/* B.1: 16-bit fields */
#define VMCS_VPID                   VMCS_FIELD16(0x0000)
#define VMCS_GUEST_ES_SELECTOR      VMCS_FIELD16(0x0800) /* the others follow by 2 */
#define VMCS_GUEST_INTERRUPT_STATUS VMCS_FIELD16(0x0810)
#define VMCS_HOST_ES_SELECTOR       VMCS_FIELD16(0x0c00)
#define VMCS_HOST_CS_SELECTOR       VMCS_FIELD16(0x0c02)
#define VMCS_HOST_SS_SELECTOR       VMCS_FIELD16(0x0c04)
#define VMCS_HOST_DS_SELECTOR       VMCS_FIELD16(0x0c06)
#define VMCS_HOST_FS_SELECTOR       VMCS_FIELD16(0x0c08)
#define VMCS_HOST_GS_SELECTOR       VMCS_FIELD16(0x0c0a)
#define VMCS_HOST_TR_SELECTOR       VMCS_FIELD16(0x0c0c)

/* B.2: 64-bit fields */
#define VMCS_IO_BITMAP_A            VMCS_FIELD64(0x2000)
#define VMCS_IO_BITMAP_B            VMCS_FIELD64(0x2002)
#define VMCS_MSR_BITMAP             VMCS_FIELD64(0x2004)
#define VMCS_EXIT_MSR_STORE         VMCS_FIELD64(0x2006)
#define VMCS_EXIT_MSR_LOAD          VMCS_FIELD64(0x2008)
#define VMCS_ENTRY_MSR_LOAD         VMCS_FIELD64(0x200a)
#define VMCS_TSC_OFFSET             VMCS_FIELD64(0x2010)
#define VMCS_VIRTUAL_APIC_PAGE      VMCS_FIELD64(0x2012)
#define VMCS_APIC_ACCESS_PAGE       VMCS_FIELD64(0x2014)
#define VMCS_EPT_POINTER            VMCS_FIELD64(0x201a)
#define VMCS_EOI_EXIT_BITMAP0       VMCS_FIELD64(0x201c) /* the others follow by 2 */
#define VMCS_GUEST_PHYSICAL_ADDRESS VMCS_FIELD64(0x2400)
#define VMCS_LINK_POINTER           VMCS_FIELD64(0x2800)
#define VMCS_GUEST_DEBUGCTL         VMCS_FIELD64(0x2802)
#define VMCS_GUEST_PAT              VMCS_FIELD64(0x2804)
#define VMCS_GUEST_EFER             VMCS_FIELD64(0x2806)
#define VMCS_GUEST_PERF_GLOBAL_CTRL VMCS_FIELD64(0x2808)
#define VMCS_GUEST_PDPTE0           VMCS_FIELD64(0x280a) /* the others follow by 2 */
#define VMCS_HOST_PAT               VMCS_FIELD64(0x2c00)
#define VMCS_HOST_EFER              VMCS_FIELD64(0x2c02)
#define VMCS_HOST_PERF_GLOBAL_CTRL  VMCS_FIELD64(0x2c04)

/* B.3: 32-bit fields */
#define VMCS_PIN_CONTROLS             VMCS_FIELD32(0x4000)
#define VMCS_PROC_CONTROLS            VMCS_FIELD32(0x4002)
#define VMCS_EXCEPTION_BITMAP         VMCS_FIELD32(0x4004)
#define VMCS_PAGE_FAULT_MASK          VMCS_FIELD32(0x4006)
#define VMCS_PAGE_FAULT_MATCH         VMCS_FIELD32(0x4008)
#define VMCS_CR3_TARGET_COUNT         VMCS_FIELD32(0x400a)
#define VMCS_EXIT_CONTROLS            VMCS_FIELD32(0x400c)
#define VMCS_EXIT_MSR_STORE_COUNT     VMCS_FIELD32(0x400e)
#define VMCS_EXIT_MSR_LOAD_COUNT      VMCS_FIELD32(0x4010)
#define VMCS_ENTRY_CONTROLS           VMCS_FIELD32(0x4012)
#define VMCS_ENTRY_MSR_LOAD_COUNT     VMCS_FIELD32(0x4014)
#define VMCS_ENTRY_INTERRUPTION_INFO  VMCS_FIELD32(0x4016)
#define VMCS_ENTRY_ERROR_CODE         VMCS_FIELD32(0x4018)
#define VMCS_ENTRY_INSTRUCTION_LENGTH VMCS_FIELD32(0x401a)
#define VMCS_TPR_THRESHOLD            VMCS_FIELD32(0x401c)
#define VMCS_PROC2_CONTROLS           VMCS_FIELD32(0x401e)
#define VMCS_PLE_GAP                  VMCS_FIELD32(0x4020)
#define VMCS_PLE_WINDOW               VMCS_FIELD32(0x4022)
#define VMCS_INSTRUCTION_ERROR        VMCS_FIELD32(0x4400)
#define VMCS_EXIT_REASON              VMCS_FIELD32(0x4402)
#define VMCS_EXIT_INTERRUPTION_INFO   VMCS_FIELD32(0x4404)
#define VMCS_EXIT_INTERRUPTION_ERROR  VMCS_FIELD32(0x4406)
#define VMCS_IDT_VECTORING_INFO       VMCS_FIELD32(0x4408)
#define VMCS_IDT_VECTORING_ERROR      VMCS_FIELD32(0x440a)
#define VMCS_EXIT_INSTRUCTION_LENGTH  VMCS_FIELD32(0x440c)
#define VMCS_EXIT_INSTRUCTION_INFO    VMCS_FIELD32(0x440e)
#define VMCS_GUEST_ES_LIMIT           VMCS_FIELD32(0x4800) /* the others follow by 2 */
#define VMCS_GUEST_GDTR_LIMIT         VMCS_FIELD32(0x4810)
#define VMCS_GUEST_IDTR_LIMIT         VMCS_FIELD32(0x4812)
#define VMCS_GUEST_ES_ACCESS_RIGHTS   VMCS_FIELD32(0x4814) /* the others follow by 2 */
#define VMCS_GUEST_INTERRUPTIBILITY   VMCS_FIELD32(0x4824)
#define VMCS_GUEST_ACTIVITY           VMCS_FIELD32(0x4826)
#define VMCS_GUEST_SYSENTER_CS        VMCS_FIELD32(0x482a)
#define VMCS_PREEMPTION_TIMER         VMCS_FIELD32(0x482e)
#define VMCS_HOST_SYSENTER_CS         VMCS_FIELD32(0x4c00)

/* B.4: fields of natural width */
#define VMCS_CR0_MASK             VMCS_FIELD_NATURAL(0x6000)
#define VMCS_CR4_MASK             VMCS_FIELD_NATURAL(0x6002)
#define VMCS_CR0_SHADOW           VMCS_FIELD_NATURAL(0x6004)
#define VMCS_CR4_SHADOW           VMCS_FIELD_NATURAL(0x6006)
#define VMCS_EXIT_QUALIFICATION   VMCS_FIELD_NATURAL(0x6400)
#define VMCS_GUEST_LINEAR_ADDRESS VMCS_FIELD_NATURAL(0x640a)
#define VMCS_GUEST_CR0            VMCS_FIELD_NATURAL(0x6800)
#define VMCS_GUEST_CR3            VMCS_FIELD_NATURAL(0x6802)
#define VMCS_GUEST_CR4            VMCS_FIELD_NATURAL(0x6804)
#define VMCS_GUEST_ES_BASE        VMCS_FIELD_NATURAL(0x6806) /* the others follow by 2 */
#define VMCS_GUEST_GDTR_BASE      VMCS_FIELD_NATURAL(0x6816)
#define VMCS_GUEST_IDTR_BASE      VMCS_FIELD_NATURAL(0x6818)
#define VMCS_GUEST_DR7            VMCS_FIELD_NATURAL(0x681a)
#define VMCS_GUEST_RSP            VMCS_FIELD_NATURAL(0x681c)
#define VMCS_GUEST_RIP            VMCS_FIELD_NATURAL(0x681e)
#define VMCS_GUEST_RFLAGS         VMCS_FIELD_NATURAL(0x6820)
#define VMCS_GUEST_PENDING_DEBUG  VMCS_FIELD_NATURAL(0x6822)
#define VMCS_GUEST_SYSENTER_ESP   VMCS_FIELD_NATURAL(0x6824)
#define VMCS_GUEST_SYSENTER_EIP   VMCS_FIELD_NATURAL(0x6826)
#define VMCS_HOST_CR0             VMCS_FIELD_NATURAL(0x6c00)
#define VMCS_HOST_CR3             VMCS_FIELD_NATURAL(0x6c02)
#define VMCS_HOST_CR4             VMCS_FIELD_NATURAL(0x6c04)
#define VMCS_HOST_FS_BASE         VMCS_FIELD_NATURAL(0x6c06)
#define VMCS_HOST_GS_BASE         VMCS_FIELD_NATURAL(0x6c08)
#define VMCS_HOST_TR_BASE         VMCS_FIELD_NATURAL(0x6c0a)
#define VMCS_HOST_GDTR_BASE       VMCS_FIELD_NATURAL(0x6c0c)
#define VMCS_HOST_IDTR_BASE       VMCS_FIELD_NATURAL(0x6c0e)
#define VMCS_HOST_SYSENTER_ESP    VMCS_FIELD_NATURAL(0x6c10)
#define VMCS_HOST_SYSENTER_EIP    VMCS_FIELD_NATURAL(0x6c12)
#define VMCS_HOST_RSP             VMCS_FIELD_NATURAL(0x6c14)
#define VMCS_HOST_RIP             VMCS_FIELD_NATURAL(0x6c16)

/* The VMCS orders segment registers as enum virt_segment does: ES, CS, SS, DS, FS, GS, LDTR, TR. */
static inline struct vmcs_field16 vmcs_guest_selector(enum virt_segment which)
{
    return VMCS_FIELD16(VMCS_GUEST_ES_SELECTOR.encoding + 2 * (uint32_t)which);
}

static inline struct vmcs_field32 vmcs_guest_limit(enum virt_segment which)
{
    return VMCS_FIELD32(VMCS_GUEST_ES_LIMIT.encoding + 2 * (uint32_t)which);
}

static inline struct vmcs_field32 vmcs_guest_access_rights(enum virt_segment which)
{
    return VMCS_FIELD32(VMCS_GUEST_ES_ACCESS_RIGHTS.encoding + 2 * (uint32_t)which);
}

static inline struct vmcs_field_natural vmcs_guest_base(enum virt_segment which)
{
    return VMCS_FIELD_NATURAL(VMCS_GUEST_ES_BASE.encoding + 2 * (uint32_t)which);
}

static inline struct vmcs_field64 vmcs_guest_pdpte(unsigned index)
{
    return VMCS_FIELD64(VMCS_GUEST_PDPTE0.encoding + 2 * index);
}

static inline struct vmcs_field64 vmcs_eoi_exit_bitmap(unsigned index)
{
    return VMCS_FIELD64(VMCS_EOI_EXIT_BITMAP0.encoding + 2 * index);
}

#endif
