/*
 * How exit qualifications and VM-exit instruction information are laid out (SDM vol. 3, 28.2.1 and
 * 28.2.5), for the two sources that take exits apart.
 */
#ifndef VMX_QUALIFICATION_H
#define VMX_QUALIFICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "vmx/definitions.h"

/* I/O instructions (SDM vol. 3, table 28-5). */
#define IO_SIZE_MASK  UINT64_C(7) /* bytes less 1 */
#define IO_IN         (UINT64_C(1) << 3)
#define IO_STRING     (UINT64_C(1) << 4)
#define IO_REP        (UINT64_C(1) << 5)
#define IO_PORT_SHIFT 16

/* VM-exit instruction information of INS and OUTS (table 28-9). */
#define INFO_ADDRESS_SIZE_SHIFT 7
#define INFO_ADDRESS_SIZE_MASK  7u
#define INFO_SEGMENT_SHIFT      15
#define INFO_SEGMENT_MASK       7u

/* Control-register accesses (table 28-3). */
#define CR_NUMBER_MASK        UINT64_C(15)
#define CR_ACCESS_SHIFT       4
#define CR_ACCESS_MASK        UINT64_C(3)
#define CR_LMSW_MEMORY        (UINT64_C(1) << 6)
#define CR_GPR_SHIFT          8
#define CR_GPR_MASK           UINT64_C(15)
#define CR_LMSW_SOURCE_SHIFT  16
#define CR_ACCESS_TYPE(value) (((value) >> CR_ACCESS_SHIFT) & CR_ACCESS_MASK)

/* MOV DR (table 28-4). */
#define DR_NUMBER_MASK UINT64_C(7)
#define DR_FROM        (UINT64_C(1) << 4)
#define DR_GPR_SHIFT   8
#define DR_GPR_MASK    UINT64_C(15)

/* Task switches (table 28-2). */
#define TASK_SOURCE_SHIFT 30
#define TASK_SOURCE_MASK  UINT64_C(3)

/* APIC accesses (table 28-6). */
#define APIC_OFFSET_MASK  UINT64_C(0xfff)
#define APIC_ACCESS_SHIFT 12
#define APIC_ACCESS_MASK  UINT64_C(15)

/* EPT violations (table 28-7). */
#define EPT_ACCESS            UINT64_C(7) /* read, write, fetch: numbered as VIRT_PROT_* */
#define EPT_LINEAR_VALID      (UINT64_C(1) << 7)
#define EPT_FINAL_TRANSLATION (UINT64_C(1) << 8)
#define EPT_NMI_UNBLOCKING    (UINT64_C(1) << 12)

static inline enum interruption_type interruption_type(uint32_t info)
{
    return (enum interruption_type)((info & INTERRUPTION_TYPE_MASK) >> INTERRUPTION_TYPE_SHIFT);
}

/* Events that an instruction raised: delivering them again needs its length. */
static inline bool raised_by_instruction(uint32_t info)
{
    enum interruption_type type = interruption_type(info);

    return type == INTERRUPTION_SOFTWARE_INTERRUPT ||
           type == INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION ||
           type == INTERRUPTION_SOFTWARE_EXCEPTION;
}

#endif
