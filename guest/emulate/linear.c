#include "guest/emulate/linear.h"

#include "guest/emulate/alu.h"
#include "kernel/cpu/x86_defs.h"

#define PAGE_SIZE   4096u
#define PAGE_OFFSET (PAGE_SIZE - 1)

#define TYPE_CODE        8u
#define TYPE_EXPAND_DOWN 4u /* data segments */
#define TYPE_WRITABLE    2u /* data segments; readable for code */

/* #SS for the stack segment, #GP for the others; an error code of zero except in real mode. */
static bool segment_fault(struct emulate_context *context, enum virt_segment segment)
{
    context->fault = (struct emulate_fault){
        .vector = segment == SEGMENT_SS ? EXCEPTION_SS : EXCEPTION_GP,
        .has_error_code = (context->mode.cr0 & CR0_PE) != 0,
    };
    return false;
}

static bool within_limit(const struct virt_segment_state *state, uint64_t offset, unsigned size)
{
    uint64_t last = offset + size - 1;

    if ((state->attributes & SEGMENT_S) != 0 &&
        (state->attributes & (TYPE_CODE | TYPE_EXPAND_DOWN)) == TYPE_EXPAND_DOWN) {
        return offset > state->limit &&
               last <= ((state->attributes & SEGMENT_DB) != 0 ? UINT32_MAX : UINT16_MAX);
    }
    return last <= state->limit;
}

static bool type_allows(uint32_t attributes, bool write)
{
    if ((attributes & TYPE_CODE) != 0) {
        return !write && (attributes & TYPE_WRITABLE) != 0;
    }
    return !write || (attributes & TYPE_WRITABLE) != 0;
}

static __attribute__((noinline)) bool legacy_address(struct emulate_context *context,
                                                     enum virt_segment segment, uint64_t offset,
                                                     unsigned size, bool write, uint64_t *linear)
{
    bool descriptors = (context->mode.cr0 & CR0_PE) != 0 && (context->mode.rflags & RFLAGS_VM) == 0;
    struct virt_segment_state state;

    virt->get_segment(context->vcpu, segment, &state);
    if (!within_limit(&state, offset, size) ||
        (descriptors &&
         ((state.attributes & SEGMENT_UNUSABLE) != 0 || !type_allows(state.attributes, write)))) {
        return segment_fault(context, segment);
    }
    *linear = (state.base + offset) & UINT32_MAX;
    return true;
}

static inline bool canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

bool linear_address(struct emulate_context *context, enum virt_segment segment, uint64_t offset,
                    unsigned size, bool write, uint64_t *linear)
{
    if (linear_cpu_bits(&context->mode) != CPU_64_BIT) {
        return legacy_address(context, segment, offset, size, write, linear);
    }
    if (segment == SEGMENT_FS || segment == SEGMENT_GS) {
        struct virt_segment_state state;

        virt->get_segment(context->vcpu, segment, &state);
        offset += state.base;
    }
    if (!canonical(offset) || !canonical(offset + size - 1)) {
        return segment_fault(context, segment);
    }
    *linear = offset;
    return true;
}

static inline bool translate(struct emulate_context *context, uint64_t linear, uint32_t access,
                             uint64_t *guest_phys)
{
    if ((access & PAGE_ACCESS_IMPLICIT) == 0 && context->mode.cpl == 3) {
        access |= PAGE_ACCESS_USER;
    }
    struct page_walk_result walk =
        page_walk(context->memory, &context->mode, context->physical_bits, linear, access);
    if (walk.fault) {
        context->fault = (struct emulate_fault){.vector = EXCEPTION_PF,
                                                .has_error_code = true,
                                                .error_code = walk.error_code,
                                                .address = linear};
        return false;
    }
    *guest_phys = walk.guest_phys;
    return true;
}

/* Linear addresses wrap at 4 GiB outside 64-bit mode. */
static uint64_t next_page(const struct emulate_context *context, uint64_t linear)
{
    uint64_t next = (linear & ~(uint64_t)PAGE_OFFSET) + PAGE_SIZE;

    return linear_cpu_bits(&context->mode) == CPU_64_BIT ? next : next & UINT32_MAX;
}

bool linear_resolve(struct emulate_context *context, uint64_t linear, unsigned size,
                    uint32_t access, struct linear_operand *operand)
{
    unsigned room = PAGE_SIZE - (unsigned)(linear & PAGE_OFFSET);

    operand->size = (uint8_t)size;
    if (__builtin_expect(size <= room, 1)) {
        operand->first_size = (uint8_t)size;
        if (context->guest_linear_valid && context->guest_linear == linear) {
            /* The CPU has just translated this address for this very access. */
            operand->guest_phys = context->guest_phys;
            return true;
        }
        return translate(context, linear, access, &operand->guest_phys);
    }
    operand->first_size = (uint8_t)room;
    return translate(context, linear, access, &operand->guest_phys) &&
           translate(context, next_page(context, linear), access, &operand->second_phys);
}

/* Operands in RAM are accessed whole, as other CPUs and devices expect. */
static inline uint64_t load(const void *ram, unsigned size)
{
    uint8_t byte;
    uint16_t word;
    uint32_t dword;
    uint64_t qword;

    switch (size) {
    case 1:
        __builtin_memcpy(&byte, ram, sizeof(byte));
        return byte;
    case 2:
        __builtin_memcpy(&word, ram, sizeof(word));
        return word;
    case 4:
        __builtin_memcpy(&dword, ram, sizeof(dword));
        return dword;
    default:
        __builtin_memcpy(&qword, ram, sizeof(qword));
        return qword;
    }
}

static inline void store(void *ram, unsigned size, uint64_t value)
{
    uint8_t byte = (uint8_t)value;
    uint16_t word = (uint16_t)value;
    uint32_t dword = (uint32_t)value;

    switch (size) {
    case 1:
        __builtin_memcpy(ram, &byte, sizeof(byte));
        break;
    case 2:
        __builtin_memcpy(ram, &word, sizeof(word));
        break;
    case 4:
        __builtin_memcpy(ram, &dword, sizeof(dword));
        break;
    default:
        __builtin_memcpy(ram, &value, sizeof(value));
        break;
    }
}

/* A device that claims an address comes before RAM: VGA memory and ROMs lie in its middle. */
static inline uint64_t physical_read(struct emulate_context *context, uint64_t guest_phys,
                                     unsigned size)
{
    const struct mmio_range *range = mmio_bus_find(context->mmio, guest_phys);

    if (__builtin_expect(range != NULL && guest_phys + size - 1 <= range->last, 1)) {
        return low_bytes(range->read(range->device, guest_phys - range->first, size), size);
    }
    if (range == NULL) {
        const void *ram = guest_memory_pointer(context->memory, guest_phys, size);

        if (ram != NULL) {
            return load(ram, size);
        }
    }
    return low_bytes(mmio_bus_read(context->mmio, guest_phys, size), size);
}

static inline void physical_write(struct emulate_context *context, uint64_t guest_phys,
                                  unsigned size, uint64_t value)
{
    const struct mmio_range *range = mmio_bus_find(context->mmio, guest_phys);

    if (__builtin_expect(range != NULL && guest_phys + size - 1 <= range->last, 1)) {
        range->write(range->device, guest_phys - range->first, size, low_bytes(value, size));
        return;
    }
    if (range == NULL) {
        void *ram = guest_memory_pointer(context->memory, guest_phys, size);

        if (ram != NULL) {
            store(ram, size, value);
            return;
        }
    }
    mmio_bus_write(context->mmio, guest_phys, size, low_bytes(value, size));
}

static inline uint64_t byte_address(const struct linear_operand *operand, unsigned i)
{
    return i < operand->first_size ? operand->guest_phys + i
                                   : operand->second_phys + (i - operand->first_size);
}

uint64_t linear_operand_read(struct emulate_context *context, const struct linear_operand *operand)
{
    uint64_t value = 0;

    if (__builtin_expect(operand->first_size == operand->size, 1)) {
        return physical_read(context, operand->guest_phys, operand->size);
    }
    for (unsigned i = 0; i < operand->size; i++) {
        value |= physical_read(context, byte_address(operand, i), 1) << (8 * i);
    }
    return value;
}

void linear_operand_write(struct emulate_context *context, const struct linear_operand *operand,
                          uint64_t value)
{
    if (__builtin_expect(operand->first_size == operand->size, 1)) {
        physical_write(context, operand->guest_phys, operand->size, value);
        return;
    }
    for (unsigned i = 0; i < operand->size; i++) {
        physical_write(context, byte_address(operand, i), 1, (value >> (8 * i)) & 0xff);
    }
}

/* Copies the part of [linear, +length) that lies on its first page; 0 after a fault. */
static size_t copy_in_page(struct emulate_context *context, uint64_t linear, uint8_t *bytes,
                           size_t length, uint32_t access)
{
    size_t room = PAGE_SIZE - (linear & PAGE_OFFSET);
    size_t part = length < room ? length : room;
    bool write = (access & PAGE_ACCESS_WRITE) != 0;
    uint64_t guest_phys;

    if (!translate(context, linear, access, &guest_phys)) {
        return 0;
    }
    for (size_t i = 0; i < part; i++) {
        if (write) {
            physical_write(context, guest_phys + i, 1, bytes[i]);
        } else {
            bytes[i] = (uint8_t)physical_read(context, guest_phys + i, 1);
        }
    }
    return part;
}

static bool copy(struct emulate_context *context, uint64_t linear, uint8_t *bytes, size_t length,
                 uint32_t access)
{
    while (length > 0) {
        size_t part = copy_in_page(context, linear, bytes, length, access);

        if (part == 0) {
            return false;
        }
        bytes += part;
        length -= part;
        linear = next_page(context, linear);
    }
    return true;
}

bool linear_read(struct emulate_context *context, uint64_t linear, void *to, size_t length,
                 uint32_t access)
{
    return copy(context, linear, to, length, access & ~PAGE_ACCESS_WRITE);
}

bool linear_write(struct emulate_context *context, uint64_t linear, const void *from, size_t length,
                  uint32_t access)
{
    return copy(context, linear, (uint8_t *)from, length, access | PAGE_ACCESS_WRITE);
}
