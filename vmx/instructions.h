/*
 * The VMX instructions (SDM vol. 3, ch. 31) and the few others that only this back end needs: no
 * policy.
 *
 * VMREAD and VMWRITE work on the current VMCS of this CPU. They can fail only when there is no
 * current VMCS or the CPU has no such field; both are broken invariants here, and end in an
 * invalid-opcode exception that shows where: these two are on the path of every VM exit, and a call
 * would make a larger function of each that uses them.
 */
#ifndef VMX_INSTRUCTIONS_H
#define VMX_INSTRUCTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/panic.h"
#include "vmx/access_count.h"
#include "vmx/vmcs_fields.h"

/** Enters VMX root operation with the region at `phys`; false if the CPU refuses. */
static inline bool vmxon(uint64_t phys)
{
    bool failed;

    __asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(phys) : "memory");
    return !failed;
}

/** Leaves VMX operation. */
static inline bool vmxoff(void)
{
    bool failed;

    __asm__ volatile("vmxoff" : "=@ccbe"(failed) : : "memory");
    return !failed;
}

/** Writes the VMCS at `phys` back to memory and makes it inactive and clear. */
static inline bool vmclear(uint64_t phys)
{
    bool failed;

    __asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(phys) : "memory");
    return !failed;
}

/** Makes the VMCS at `phys` this CPU's current one. */
static inline bool vmptrld(uint64_t phys)
{
    bool failed;

    __asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(phys) : "memory");
    return !failed;
}

static inline uint64_t vmread(uint32_t encoding)
{
    uint64_t value;

    count_vmcs_read();
    __asm__ volatile("vmread %1, %0\n\t"
                     "ja 1f\n\t"
                     "ud2\n"
                     "1:"
                     : "=r"(value)
                     : "r"((uint64_t)encoding)
                     : "cc", "memory");
    return value;
}

static inline void vmwrite(uint32_t encoding, uint64_t value)
{
    count_vmcs_write();
    __asm__ volatile("vmwrite %1, %0\n\t"
                     "ja 1f\n\t"
                     "ud2\n"
                     "1:"
                     :
                     : "r"((uint64_t)encoding), "rm"(value)
                     : "cc", "memory");
}

static inline uint16_t vmcs_read16(struct vmcs_field16 field)
{
    return (uint16_t)vmread(field.encoding);
}

static inline uint32_t vmcs_read32(struct vmcs_field32 field)
{
    return (uint32_t)vmread(field.encoding);
}

static inline uint64_t vmcs_read64(struct vmcs_field64 field)
{
    return vmread(field.encoding);
}

static inline uint64_t vmcs_read_natural(struct vmcs_field_natural field)
{
    return vmread(field.encoding);
}

static inline void vmcs_write16(struct vmcs_field16 field, uint16_t value)
{
    vmwrite(field.encoding, value);
}

static inline void vmcs_write32(struct vmcs_field32 field, uint32_t value)
{
    vmwrite(field.encoding, value);
}

static inline void vmcs_write64(struct vmcs_field64 field, uint64_t value)
{
    vmwrite(field.encoding, value);
}

static inline void vmcs_write_natural(struct vmcs_field_natural field, uint64_t value)
{
    vmwrite(field.encoding, value);
}

/*
 * The same for what most exits do, unchecked: right after an exit a VMCS is current, and these are
 * for fields that every CPU has on which we run guests. The upper half of a 32-bit field reads as
 * 0.
 */
static inline uint64_t exit_vmread(uint32_t encoding)
{
    uint64_t value;

    count_vmcs_read();
    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)encoding) : "cc", "memory");
    return value;
}

static inline uint64_t exit_read32(struct vmcs_field32 field)
{
    return exit_vmread(field.encoding);
}

static inline uint64_t exit_read64(struct vmcs_field64 field)
{
    return exit_vmread(field.encoding);
}

static inline uint64_t exit_read_natural(struct vmcs_field_natural field)
{
    return exit_vmread(field.encoding);
}

static inline void exit_vmwrite(uint32_t encoding, uint64_t value)
{
    count_vmcs_write();
    __asm__ volatile("vmwrite %1, %0" : : "r"((uint64_t)encoding), "rm"(value) : "cc", "memory");
}

static inline void exit_write32(struct vmcs_field32 field, uint32_t value)
{
    exit_vmwrite(field.encoding, value);
}

static inline void exit_write_natural(struct vmcs_field_natural field, uint64_t value)
{
    exit_vmwrite(field.encoding, value);
}

/* INVEPT and INVVPID types (SDM vol. 3, 31.3). */
enum invept_type { INVEPT_SINGLE_CONTEXT = 1, INVEPT_ALL_CONTEXTS = 2 };
enum invvpid_type { INVVPID_SINGLE_CONTEXT = 1, INVVPID_ALL_CONTEXTS = 2 };

/** Forgets what this CPU cached of guest-physical mappings of that EPT pointer, or of all. */
static inline bool invept(enum invept_type type, uint64_t ept_pointer)
{
    struct {
        uint64_t ept_pointer;
        uint64_t reserved;
    } descriptor = {ept_pointer, 0};
    bool failed;

    __asm__ volatile("invept %1, %2"
                     : "=@ccbe"(failed)
                     : "m"(descriptor), "r"((uint64_t)type)
                     : "memory");
    return !failed;
}

/** Forgets what this CPU cached of linear mappings of that VPID, or of all but VPID 0. */
static inline bool invvpid(enum invvpid_type type, uint16_t vpid)
{
    struct {
        uint64_t vpid;
        uint64_t linear;
    } descriptor = {vpid, 0};
    bool failed;

    __asm__ volatile("invvpid %1, %2"
                     : "=@ccbe"(failed)
                     : "m"(descriptor), "r"((uint64_t)type)
                     : "memory");
    return !failed;
}

/* Extended state (SDM vol. 1, ch. 13): areas are 64-byte aligned. */

static inline void xsave(void *area, uint64_t components)
{
    __asm__ volatile("xsave64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
                     : "memory");
}

static inline void xrstor(const void *area, uint64_t components)
{
    __asm__ volatile("xrstor64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
                     : "memory");
}

static inline void fxsave(void *area)
{
    __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static inline void fxrstor(const void *area)
{
    __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/* The host's handlers for events which a VM exit took instead of the IDT. The handler's IRET also
 * ends the blocking of further NMIs that such an exit leaves behind. */

static inline void call_nmi_handler(void)
{
    __asm__ volatile("int $2" : : : "memory");
}

static inline void call_machine_check_handler(void)
{
    __asm__ volatile("int $18" : : : "memory");
}

#endif
