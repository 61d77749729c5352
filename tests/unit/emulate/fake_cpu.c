#include "tests/unit/emulate/fake_cpu.h"

#include <string.h>

#include "kernel/cpu/x86_defs.h"
#include "kernel/memory/heap.h"
#include "tests/unit/loader/block_source.h"
#include "tests/unit/support/cmocka.h"

#define PML4        UINT64_C(0x1000)
#define FIRST_TABLE UINT64_C(0x2000)

static uint64_t next_table;

static uint64_t get_register(struct virt_vcpu *vcpu, enum virt_register which)
{
    return ((struct fake_cpu *)vcpu)->registers[which];
}

static void set_register(struct virt_vcpu *vcpu, enum virt_register which, uint64_t value)
{
    struct fake_cpu *cpu = (struct fake_cpu *)vcpu;

    cpu->registers[which] = value;
    if (which == REGISTER_RFLAGS) {
        cpu->mode.rflags = value;
    } else if (which == REGISTER_RIP) {
        cpu->mode.rip = value;
    } else if (which == REGISTER_CR3) {
        cpu->mode.cr3 = value;
    }
}

static void get_segment(struct virt_vcpu *vcpu, enum virt_segment which,
                        struct virt_segment_state *state)
{
    *state = ((struct fake_cpu *)vcpu)->segments[which];
}

static void set_segment(struct virt_vcpu *vcpu, enum virt_segment which,
                        const struct virt_segment_state *state)
{
    ((struct fake_cpu *)vcpu)->segments[which] = *state;
}

static void get_tables(struct virt_vcpu *vcpu, struct virt_table_state *gdtr,
                       struct virt_table_state *idtr)
{
    *gdtr = ((struct fake_cpu *)vcpu)->gdtr;
    *idtr = (struct virt_table_state){0};
}

static void write_cr(struct virt_vcpu *vcpu, unsigned number, uint64_t value)
{
    assert_int_equal(number, 0);
    ((struct fake_cpu *)vcpu)->mode.cr0 = value;
}

static void get_mode(struct virt_vcpu *vcpu, struct virt_mode *mode)
{
    *mode = ((struct fake_cpu *)vcpu)->mode;
    ((struct fake_cpu *)vcpu)->modes_read++;
}

static void get_code_place(struct virt_vcpu *vcpu, struct virt_code_place *place)
{
    const struct virt_mode *mode = &((struct fake_cpu *)vcpu)->mode;

    *place = (struct virt_code_place){.rip = mode->rip,
                                      .cr3 = mode->cr3,
                                      .efer = mode->efer,
                                      .cs_attributes = mode->cs_attributes};
}

static void complete_instruction(struct virt_vcpu *vcpu, uint8_t length)
{
    struct fake_cpu *cpu = (struct fake_cpu *)vcpu;

    cpu->completed++;
    cpu->completed_length = length;
    cpu->mode.rip += length;
}

static void inject_exception(struct virt_vcpu *vcpu, uint8_t vector, bool has_error_code,
                             uint32_t error_code)
{
    struct fake_cpu *cpu = (struct fake_cpu *)vcpu;

    cpu->injected++;
    cpu->event = (struct virt_event){.type = VIRT_EVENT_HARDWARE_EXCEPTION,
                                     .vector = vector,
                                     .has_error_code = has_error_code,
                                     .error_code = error_code};
}

static const struct virt_ops fake_ops = {
    .name = "fake",
    .get_register = get_register,
    .set_register = set_register,
    .get_segment = get_segment,
    .set_segment = set_segment,
    .get_tables = get_tables,
    .write_cr = write_cr,
    .get_mode = get_mode,
    .get_code_place = get_code_place,
    .complete_instruction = complete_instruction,
    .inject_exception = inject_exception,
};

const struct virt_ops *virt = &fake_ops;

static uint64_t device_read(void *device, uint64_t offset, unsigned size)
{
    struct fake_cpu *cpu = device;
    uint64_t value = 0;

    assert_true(size == 1 || size == 2 || size == 4 || size == 8);
    assert_true(offset + size <= FAKE_MMIO_SIZE);
    memcpy(&value, cpu->device + offset, size);
    cpu->device_reads++;
    cpu->device_last_size = size;
    return value;
}

static void device_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    struct fake_cpu *cpu = device;

    assert_true(size == 1 || size == 2 || size == 4 || size == 8);
    assert_true(offset + size <= FAKE_MMIO_SIZE);
    memcpy(cpu->device + offset, &value, size);
    cpu->device_writes++;
    cpu->device_last_size = size;
}

struct fake_cpu *fake_cpu_create(void)
{
    struct fake_cpu *cpu = kzalloc(sizeof(*cpu));

    assert_non_null(cpu);
    assert_int_equal(guest_memory_create(&cpu->memory, FAKE_RAM_SIZE, &test_blocks), 0);
    assert_int_equal(
        mmio_bus_add(&cpu->mmio, FAKE_MMIO, FAKE_MMIO_SIZE, cpu, device_read, device_write), 0);
    cpu->mode = (struct virt_mode){.rflags = RFLAGS_FIXED1,
                                   .cr0 = CR0_PE | CR0_PG | CR0_WP,
                                   .cr3 = PML4,
                                   .cr4 = CR4_PAE,
                                   .efer = EFER_LME | EFER_LMA | EFER_NXE,
                                   .cs_attributes = FAKE_CODE_64};
    cpu->context.vcpu = &cpu->vcpu;
    cpu->context.memory = &cpu->memory;
    cpu->context.mmio = &cpu->mmio;
    cpu->context.physical_bits = 40;
    next_table = FIRST_TABLE;
    return cpu;
}

void fake_cpu_destroy(struct fake_cpu *cpu)
{
    guest_memory_destroy(&cpu->memory);
    kfree(cpu);
}

void fake_cpu_set_cpl(struct fake_cpu *cpu, unsigned cpl)
{
    cpu->mode.cpl = (uint8_t)cpl;
    cpu->mode.cs_attributes &= ~SEGMENT_DPL_MASK;
    cpu->mode.cs_attributes |= cpl << SEGMENT_DPL_SHIFT;
}

void fake_cpu_set_legacy(struct fake_cpu *cpu, enum cpu_bits bits)
{
    bool wide = bits == CPU_32_BIT;

    cpu->mode.cr0 = CR0_PE;
    cpu->mode.cr4 = 0;
    cpu->mode.efer = 0;
    cpu->mode.cs_attributes = wide ? SEGMENT_DB : 0;
    for (unsigned i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
        cpu->segments[i] = (struct virt_segment_state){
            .attributes = SEGMENT_P | SEGMENT_S | (i == SEGMENT_CS ? 0xbu : 0x3u) |
                          (wide ? SEGMENT_DB | SEGMENT_G : 0u),
            .limit = wide ? UINT32_MAX : UINT16_MAX,
        };
    }
}

uint8_t *fake_cpu_ram(struct fake_cpu *cpu, uint64_t guest_phys)
{
    uint8_t *ram = guest_memory_pointer(&cpu->memory, guest_phys, 1);

    assert_non_null(ram);
    return ram;
}

void fake_cpu_map(struct fake_cpu *cpu, uint64_t linear, uint64_t guest_phys, uint64_t flags)
{
    uint64_t table = cpu->mode.cr3;

    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t *entry =
            (uint64_t *)(void *)fake_cpu_ram(cpu, table + ((linear >> shift) & 0x1ff) * 8);
        if (*entry == 0) {
            *entry = next_table | flags;
            next_table += 0x1000;
        }
        table = *entry & UINT64_C(0xffffffffff000);
    }
    *(uint64_t *)(void *)fake_cpu_ram(cpu, table + ((linear >> 12) & 0x1ff) * 8) =
        guest_phys | flags;
}
