/*
 * What the files of the instruction emulator share among themselves.
 */
#ifndef GUEST_EMULATE_EXECUTE_H
#define GUEST_EMULATE_EXECUTE_H

#include "guest/emulate/emulate.h"

/** Fetches and decodes the instruction at RIP; context->mode must be valid. EMULATE_DONE: decoded,
 * nothing executed yet; *instruction is good until the next call. */
enum emulate_result emulate_fetch(struct emulate_context *context,
                                  const struct instruction **instruction);

/** Executes MOVS, CMPS, STOS, LODS or SCAS with its repetitions, and completes it. */
enum emulate_result execute_string(struct emulate_context *context,
                                   const struct instruction *instruction);

/** Execute one decoded instruction of the form in their names, but do not complete it. */
enum emulate_result execute_load(struct emulate_context *context,
                                 const struct instruction *instruction);
enum emulate_result execute_store(struct emulate_context *context,
                                  const struct instruction *instruction);
enum emulate_result execute_immediate(struct emulate_context *context,
                                      const struct instruction *instruction);
enum emulate_result execute_unary(struct emulate_context *context,
                                  const struct instruction *instruction);

/** Writes the low `size` bytes of a register as the CPU does: 4 bytes clear the upper half, 1 and
 * 2 leave the rest as it was. */
static inline void emulate_write_gpr(struct virt_vcpu *vcpu, unsigned gpr, unsigned size,
                                     uint64_t value)
{
    switch (size) {
    case 1:
        value = (vcpu_read_gpr(vcpu, gpr) & ~UINT64_C(0xff)) | (value & 0xff);
        break;
    case 2:
        value = (vcpu_read_gpr(vcpu, gpr) & ~UINT64_C(0xffff)) | (value & 0xffff);
        break;
    case 4:
        value &= UINT32_MAX;
        break;
    default:
        break;
    }
    vcpu_write_gpr(vcpu, gpr, value);
}

#endif
