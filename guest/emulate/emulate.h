/*
 * Executes the instruction that a vCPU stopped at because it accesses a device's memory, or
 * transfers a string to or from a port. State is read and written through virt/vcpu.h, memory and
 * devices through the context.
 */
#ifndef GUEST_EMULATE_EMULATE_H
#define GUEST_EMULATE_EMULATE_H

#include "guest/emulate/linear.h"

/* Most iterations of a repeated string instruction in one call: a guest must stay interruptible. */
#define EMULATE_REPEAT_MAX 256
/* Most bytes of one string I/O transfer in one call. */
#define EMULATE_STRING_IO_MAX 4096u

enum emulate_result {
    /* Done, the instruction is completed (RIP moved), or a repeated one has made progress and
     * goes on when the guest is entered again. */
    EMULATE_DONE,
    /* Nothing has been changed that the CPU would not have changed; context->fault is to be
     * delivered: emulate_deliver_fault(). */
    EMULATE_FAULT,
    /* context->bytes is not an instruction the emulator knows: the VM cannot go on. */
    EMULATE_UNDECODABLE,
};

/**
 * Fetches, decodes and executes the instruction at the vCPU's RIP. By the vCPU's own CPU, in the
 * course of handling an exit.
 */
enum emulate_result emulate_instruction(struct emulate_context *context);

/** Carries out INS or OUTS as described by exit->io. `exit->io.address_size` or
 * `segment` not known: the instruction is fetched and decoded. */
enum emulate_result emulate_string_io(struct emulate_context *context, const struct port_bus *ports,
                                      const struct vm_exit *exit);

/** Queues context->fault for the next entry (CR2 first if it is a #PF). */
void emulate_deliver_fault(struct emulate_context *context);

#endif
