#include <string.h>

#include "guest/emulate/alu.h"
#include "guest/emulate/execute.h"
#include "kernel/cpu/x86_defs.h"

#define PAGE_OFFSET 0xfffu

/* INS or OUTS under way. */
struct transfer {
    struct emulate_context *context;
    const struct port_bus *ports;
    uint16_t port;
    unsigned size;
    bool in;
    enum virt_segment segment;
    unsigned address_size;
    uint64_t offset; /* SI or DI */
    uint64_t step;
    /* Where the page of the last element lies in RAM: the next one is mostly on it too. */
    bool page_valid;
    uint64_t page; /* linear address */
    uint8_t *ram;
};

/* The RAM behind [linear, +size) if it lies on the page that was used last. */
static uint8_t *in_last_page(const struct transfer *transfer, uint64_t linear)
{
    if (!transfer->page_valid || (linear & ~(uint64_t)PAGE_OFFSET) != transfer->page ||
        (linear & PAGE_OFFSET) + transfer->size > PAGE_OFFSET + 1) {
        return NULL;
    }
    return transfer->ram + (linear & PAGE_OFFSET);
}

static void remember_page(struct transfer *transfer, uint64_t linear,
                          const struct linear_operand *operand)
{
    uint64_t guest_phys = operand->guest_phys & ~(uint64_t)PAGE_OFFSET;
    const struct mmio_range *range = mmio_bus_find(transfer->context->mmio, operand->guest_phys);

    transfer->ram =
        range == NULL ? guest_memory_pointer(transfer->context->memory, guest_phys, PAGE_OFFSET + 1)
                      : NULL;
    transfer->page_valid = transfer->ram != NULL && operand->first_size == operand->size;
    transfer->page = linear & ~(uint64_t)PAGE_OFFSET;
}

/* Moves one element; false after a fault, with nothing moved. */
static bool move_element(struct transfer *transfer)
{
    struct emulate_context *context = transfer->context;
    struct linear_operand operand;
    uint64_t linear;
    uint32_t value = 0;

    if (!linear_address(context, transfer->segment, transfer->offset, transfer->size, transfer->in,
                        &linear)) {
        return false;
    }
    uint8_t *ram = in_last_page(transfer, linear);
    if (ram == NULL) {
        if (!linear_resolve(context, linear, transfer->size, transfer->in ? PAGE_ACCESS_WRITE : 0,
                            &operand)) {
            return false;
        }
        remember_page(transfer, linear, &operand);
    }
    if (transfer->in) {
        value = port_bus_read(transfer->ports, transfer->port, transfer->size);
        if (ram != NULL) {
            memcpy(ram, &value, transfer->size);
        } else {
            linear_operand_write(context, &operand, value);
        }
        return true;
    }
    if (ram != NULL) {
        memcpy(&value, ram, transfer->size);
    } else {
        value = (uint32_t)linear_operand_read(context, &operand);
    }
    port_bus_write(transfer->ports, transfer->port, transfer->size, value);
    return true;
}

/* What the exit did not tell is in the instruction's bytes. */
static enum emulate_result complete_from_code(struct emulate_context *context,
                                              struct transfer *transfer, uint8_t *length)
{
    const struct instruction *instruction;
    enum emulate_result result = emulate_fetch(context, &instruction);

    if (result != EMULATE_DONE) {
        return result;
    }
    if (instruction->operation != (transfer->in ? OP_INS : OP_OUTS)) {
        return EMULATE_UNDECODABLE;
    }
    transfer->address_size = instruction->address_size;
    transfer->segment = transfer->in ? SEGMENT_ES : (enum virt_segment)instruction->segment;
    *length = instruction->length;
    return EMULATE_DONE;
}

/* The device could not take the last element: it has to be transferred again. */
static bool retry_requested(const struct emulate_context *context)
{
    return context->requests != NULL && (*context->requests & context->retry_request) != 0;
}

enum emulate_result emulate_string_io(struct emulate_context *context, const struct port_bus *ports,
                                      const struct vm_exit *exit)
{
    unsigned pointer = exit->io.in ? GPR_RDI : GPR_RSI;
    uint8_t length = exit->instruction_length;
    uint64_t budget = exit->io.rep ? EMULATE_STRING_IO_MAX / (unsigned)exit->io.size : 1;
    uint64_t count = 1;
    uint64_t moved = 0;
    bool faulted = false;
    bool stop = false;
    struct transfer transfer = {
        .context = context,
        .ports = ports,
        .port = exit->io.port,
        .size = exit->io.size,
        .in = exit->io.in,
        .segment = exit->io.in ? SEGMENT_ES : (enum virt_segment)exit->io.segment,
        .address_size = exit->io.address_size,
    };

    virt->get_mode(context->vcpu, &context->mode);
    context->guest_phys_valid = false;
    context->guest_linear_valid = false;
    if (length == 0 || exit->io.address_size == 0 || (!exit->io.in && exit->io.segment < 0)) {
        enum emulate_result result = complete_from_code(context, &transfer, &length);
        if (result != EMULATE_DONE) {
            return result;
        }
    }
    if (exit->io.rep) {
        count = low_bytes(vcpu_read_gpr(context->vcpu, GPR_RCX), transfer.address_size);
    }
    bool trap = (context->mode.rflags & RFLAGS_TF) != 0;
    if (trap) {
        budget = 1;
    }
    transfer.offset = low_bytes(vcpu_read_gpr(context->vcpu, pointer), transfer.address_size);
    transfer.step =
        (context->mode.rflags & RFLAGS_DF) != 0 ? UINT64_C(0) - transfer.size : transfer.size;
    while (count > 0 && moved < budget && !stop) {
        faulted = !move_element(&transfer);
        if (faulted || retry_requested(context)) {
            break;
        }
        stop = context->requests != NULL && *context->requests != 0;
        transfer.offset = low_bytes(transfer.offset + transfer.step, transfer.address_size);
        count--;
        moved++;
    }
    if (moved > 0) {
        emulate_write_gpr(context->vcpu, pointer, transfer.address_size, transfer.offset);
        if (exit->io.rep) {
            emulate_write_gpr(context->vcpu, GPR_RCX, transfer.address_size, count);
        }
    }
    if (faulted) {
        return EMULATE_FAULT;
    }
    if (count == 0) {
        virt->complete_instruction(context->vcpu, length);
    } else if (trap && moved > 0) {
        /* Each iteration of a repeated instruction is followed by a single-step trap. */
        virt->complete_instruction(context->vcpu, 0);
    }
    return EMULATE_DONE;
}
