/*
 * What the comparison with the host's CPU cannot reach: faults, segments, modes, bounds, devices.
 */
#include <string.h>

#include "kernel/cpu/x86_defs.h"
#include "tests/unit/emulate/fake_cpu.h"
#include "tests/unit/support/cmocka.h"

#define CODE      UINT64_C(0x400000) /* linear */
#define CODE_RAM  UINT64_C(0x100000)
#define DATA      UINT64_C(0x500000)
#define DATA_RAM  UINT64_C(0x110000)
#define DEVICE    UINT64_C(0x600000)
#define HOLE      UINT64_C(0x700000) /* mapped to where nothing answers */
#define PRESENT   UINT64_C(0x67)
#define READ_ONLY UINT64_C(0x65)

#define CODE_BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static int set_up(void **state)
{
    struct fake_cpu *cpu = fake_cpu_create();

    fake_cpu_map(cpu, CODE, CODE_RAM, PRESENT);
    fake_cpu_map(cpu, CODE + 0x1000, CODE_RAM + 0x8000, PRESENT); /* not adjacent in RAM */
    fake_cpu_map(cpu, DATA, DATA_RAM, PRESENT);
    fake_cpu_map(cpu, DATA + 0x1000, DATA_RAM + 0x8000, PRESENT);
    fake_cpu_map(cpu, DEVICE, FAKE_MMIO, PRESENT);
    fake_cpu_map(cpu, HOLE, UINT64_C(0xf0000000), PRESENT);
    *state = cpu;
    return 0;
}

static int tear_down(void **state)
{
    fake_cpu_destroy(*state);
    return 0;
}

/* Executes bytes that lie at CODE. */
static enum emulate_result run(struct fake_cpu *cpu, const uint8_t *bytes, size_t length)
{
    memcpy(fake_cpu_ram(cpu, CODE_RAM), bytes, length);
    cpu->mode.rip = cpu->mode.cr0 & CR0_PG ? CODE : CODE_RAM;
    cpu->completed = 0;
    return emulate_instruction(&cpu->context);
}

static void expect_fault(struct fake_cpu *cpu, unsigned vector, unsigned error_code,
                         uint64_t address)
{
    assert_int_equal(cpu->context.fault.vector, vector);
    assert_true(cpu->context.fault.has_error_code);
    assert_int_equal(cpu->context.fault.error_code, error_code);
    assert_int_equal(cpu->context.fault.address, address);
    assert_int_equal(cpu->completed, 0);
}

static void test_device_access(void **state)
{
    struct fake_cpu *cpu = *state;

    cpu->vcpu.gpr[GPR_RDI] = DEVICE;
    cpu->vcpu.gpr[GPR_RAX] = UINT64_C(0x1122334455667788);
    assert_int_equal(run(cpu, CODE_BYTES("\x89\x47\x10")), EMULATE_DONE); /* mov [rdi+16], eax */
    assert_int_equal(cpu->device_writes, 1);
    assert_int_equal(cpu->device_last_size, 4);
    assert_memory_equal(cpu->device + 16, "\x88\x77\x66\x55\0\0\0\0", 8);
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x47\x10")), EMULATE_DONE); /* mov eax, [rdi+16] */
    assert_int_equal(cpu->device_reads, 1);
    assert_int_equal(cpu->vcpu.gpr[GPR_RAX], 0x55667788);
    assert_int_equal(cpu->completed_length, 3);
    assert_int_equal(run(cpu, CODE_BYTES("\x66\x8b\x07")), EMULATE_DONE);
    assert_int_equal(cpu->device_last_size, 2);
    assert_int_equal(run(cpu, CODE_BYTES("\x48\x8b\x07")), EMULATE_DONE);
    assert_int_equal(cpu->device_last_size, 8);
    /* A comparison reads once and does not write. */
    unsigned reads = cpu->device_reads;
    assert_int_equal(run(cpu, CODE_BYTES("\x39\x07")), EMULATE_DONE);
    assert_int_equal(cpu->device_reads, reads + 1);
    assert_int_equal(cpu->device_writes, 1);
}

static void test_empty_bus(void **state)
{
    struct fake_cpu *cpu = *state;

    cpu->vcpu.gpr[GPR_RDI] = HOLE;
    assert_int_equal(run(cpu, CODE_BYTES("\x48\x8b\x07")), EMULATE_DONE);
    assert_int_equal(cpu->vcpu.gpr[GPR_RAX], UINT64_MAX);
    assert_int_equal(run(cpu, CODE_BYTES("\x0f\xb6\x07")), EMULATE_DONE);
    assert_int_equal(cpu->vcpu.gpr[GPR_RAX], 0xff);
    assert_int_equal(run(cpu, CODE_BYTES("\x89\x07")), EMULATE_DONE);
}

static void test_hint(void **state)
{
    struct fake_cpu *cpu = *state;

    /* The operand's page is not mapped: only what the exit told can lead to the device. */
    cpu->vcpu.gpr[GPR_RDI] = UINT64_C(0x800020);
    cpu->context.guest_phys_valid = true;
    cpu->context.guest_phys = FAKE_MMIO + 0x20;
    cpu->context.guest_linear_valid = true;
    cpu->context.guest_linear = UINT64_C(0x800020);
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_DONE);
    assert_int_equal(cpu->device_reads, 1);
    /* mov dword [0x800020], 0x12345678; mov eax, [0x800020] */
    assert_int_equal(run(cpu, CODE_BYTES("\xc7\x04\x25\x20\x00\x80\x00\x78\x56\x34\x12")),
                     EMULATE_DONE);
    assert_memory_equal(cpu->device + 0x20, "\x78\x56\x34\x12", 4);
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x04\x25\x20\x00\x80\x00")), EMULATE_DONE);
    assert_int_equal(cpu->vcpu.gpr[GPR_RAX], 0x12345678);
    cpu->device_reads = 1;
    /* Without the linear address the page offset has to agree. */
    cpu->context.guest_linear_valid = false;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_DONE);
    assert_int_equal(cpu->device_reads, 2);
    cpu->context.guest_linear_valid = false;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x47\x04")), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_PF, 0, 0x800024);
    /* A hint for another operand is none for this one. */
    cpu->context.guest_linear_valid = true;
    cpu->context.guest_linear = DEVICE;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_FAULT);
    /* An operand across pages is translated in full, even if it starts where the hint says. */
    cpu->context.guest_linear = DATA + 0xffe;
    cpu->vcpu.gpr[GPR_RDI] = DATA + 0xffe;
    memcpy(fake_cpu_ram(cpu, DATA_RAM + 0xffe), "\x11\x22", 2);
    memcpy(fake_cpu_ram(cpu, DATA_RAM + 0x8000), "\x33\x44", 2);
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_DONE);
    assert_int_equal(cpu->vcpu.gpr[GPR_RAX], 0x44332211);
}

static void test_code_across_pages(void **state)
{
    struct fake_cpu *cpu = *state;

    cpu->vcpu.gpr[GPR_RDI] = DEVICE;
    for (unsigned first = 1; first < 7; first++) {
        static const uint8_t code[] = "\xc7\x87\x10\0\0\0\x78\x56\x34\x12"; /* mov [rdi+16], imm */

        memcpy(fake_cpu_ram(cpu, CODE_RAM + 0x1000 - first), code, first);
        memcpy(fake_cpu_ram(cpu, CODE_RAM + 0x8000), code + first, 10 - first);
        cpu->mode.rip = CODE + 0x1000 - first;
        memset(cpu->device, 0, 32);
        assert_int_equal(emulate_instruction(&cpu->context), EMULATE_DONE);
        assert_memory_equal(cpu->device + 16, "\x78\x56\x34\x12", 4);
    }
    /* The second page is missing: a page fault of the fetch. */
    fake_cpu_map(cpu, CODE + 0x1000, 0, 0);
    cpu->completed = 0;
    cpu->mode.rip = CODE + 0xfff;
    fake_cpu_set_cpl(cpu, 3);
    assert_int_equal(emulate_instruction(&cpu->context), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_PF, PF_FETCH | PF_USER, CODE + 0x1000);
    /* A short instruction at the very end needs no second page. */
    fake_cpu_set_cpl(cpu, 0);
    memcpy(fake_cpu_ram(cpu, CODE_RAM + 0xffe), "\x8b\x07", 2);
    cpu->mode.rip = CODE + 0xffe;
    assert_int_equal(emulate_instruction(&cpu->context), EMULATE_DONE);
}

/* The same address again: whatever the outcome depended on has to be looked at again. */
static void test_code_changes(void **state)
{
    struct fake_cpu *cpu = *state;
    uint64_t other_code = CODE_RAM + 0x8000;

    cpu->vcpu.gpr[GPR_RDI] = DEVICE;
    for (unsigned again = 0; again < 2; again++) {
        cpu->vcpu.gpr[GPR_RAX] = 0x11;
        memset(cpu->device, 0, 8);
        assert_int_equal(run(cpu, CODE_BYTES("\x89\x07")), EMULATE_DONE); /* mov [rdi], eax */
        assert_int_equal(cpu->device[0], 0x11);
        assert_int_equal(cpu->completed_length, 2);
        /* Other bytes. */
        assert_int_equal(run(cpu, CODE_BYTES("\xc6\x47\x01\x22")), EMULATE_DONE);
        assert_int_equal(cpu->device[1], 0x22);
        assert_int_equal(cpu->completed_length, 4);
        /* Another mode: what was REX is now DEC. */
        assert_int_equal(run(cpu, CODE_BYTES("\x48\x89\x07")), EMULATE_DONE);
        cpu->mode.cs_attributes = SEGMENT_DB;
        assert_int_equal(run(cpu, CODE_BYTES("\x48\x89\x07")), EMULATE_UNDECODABLE);
        cpu->mode.cs_attributes = FAKE_CODE_64;
        /* Another page at the same address. */
        assert_int_equal(run(cpu, CODE_BYTES("\x89\x07")), EMULATE_DONE);
        memcpy(fake_cpu_ram(cpu, other_code), "\xc6\x07\x33", 3);
        fake_cpu_map(cpu, CODE, other_code, PRESENT);
        cpu->mode.rip = CODE;
        assert_int_equal(emulate_instruction(&cpu->context), EMULATE_DONE);
        assert_int_equal(cpu->device[0], 0x33);
        /* No page at all, or not for this CPL. */
        fake_cpu_map(cpu, CODE, CODE_RAM, PRESENT & ~UINT64_C(4));
        assert_int_equal(run(cpu, CODE_BYTES("\x89\x07")), EMULATE_DONE);
        fake_cpu_set_cpl(cpu, 3);
        assert_int_equal(run(cpu, CODE_BYTES("\x89\x07")), EMULATE_FAULT);
        fake_cpu_set_cpl(cpu, 0);
        fake_cpu_map(cpu, CODE, CODE_RAM, 0);
        assert_int_equal(run(cpu, CODE_BYTES("\x89\x07")), EMULATE_FAULT);
        fake_cpu_map(cpu, CODE, CODE_RAM, PRESENT);
    }
}

/* A store to the device of which the exit has told where it goes. */
static enum emulate_result run_move(struct fake_cpu *cpu)
{
    cpu->vcpu.gpr[GPR_RDI] = DEVICE + 8;
    cpu->context.guest_phys_valid = true;
    cpu->context.guest_linear_valid = true;
    cpu->context.guest_phys = FAKE_MMIO + 8;
    cpu->context.guest_linear = DEVICE + 8;
    cpu->modes_read = 0;
    return run(cpu, CODE_BYTES("\x89\x07")); /* mov [rdi], eax */
}

/* Executed twice, so that it is in the cache. */
static void remember_move(struct fake_cpu *cpu)
{
    for (unsigned again = 0; again < 2; again++) {
        assert_int_equal(run_move(cpu), EMULATE_DONE);
    }
}

/* What is asked of the CPU for a move that was executed before is little, and enough: a change of
 * any thing that the outcome depends on is noticed. */
static void test_moves_are_remembered(void **state)
{
    struct fake_cpu *cpu = *state;

    fake_cpu_map(cpu, CODE, CODE_RAM, PRESENT & ~UINT64_C(4));
    assert_int_equal(run_move(cpu), EMULATE_DONE);
    assert_int_equal(cpu->modes_read, 1);
    cpu->vcpu.gpr[GPR_RAX] = 0x12345678;
    assert_int_equal(run_move(cpu), EMULATE_DONE);
    assert_int_equal(cpu->modes_read, 0);
    assert_int_equal(cpu->completed_length, 2);
    assert_memory_equal(cpu->device + 8, "\x78\x56\x34\x12", 4);

    fake_cpu_set_cpl(cpu, 3); /* it is the supervisor's page */
    assert_int_equal(run_move(cpu), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_PF, 0x15, CODE);
    fake_cpu_set_cpl(cpu, 0);

    remember_move(cpu);
    fake_cpu_map(cpu, CODE, CODE_RAM, (PRESENT & ~UINT64_C(4)) | UINT64_C(1) << 63);
    assert_int_equal(run_move(cpu), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_PF, 0x11, CODE);
    fake_cpu_map(cpu, CODE, CODE_RAM, PRESENT & ~UINT64_C(4));

    remember_move(cpu);
    cpu->mode.cr3 = 0x3f0000; /* other tables, and empty */
    assert_int_equal(run_move(cpu), EMULATE_FAULT);
    cpu->mode.cr3 = 0x1000;

    remember_move(cpu);
    cpu->mode.efer &= ~(EFER_LMA | EFER_LME); /* CS.L has no meaning then */
    cpu->mode.cr0 = CR0_PE;                   /* no paging: at the address there is no code */
    cpu->mode.rip = CODE;
    assert_int_not_equal(emulate_instruction(&cpu->context), EMULATE_DONE);
}

/* Where CR4.SMEP has a say, or the CPL is not that of CS, the whole mode is looked at. */
static void test_moves_with_a_doubt(void **state)
{
    struct fake_cpu *cpu = *state;

    remember_move(cpu); /* by the supervisor on a user's page */
    assert_int_equal(cpu->modes_read, 1);
    cpu->mode.cr4 |= CR4_SMEP;
    assert_int_equal(run_move(cpu), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_PF, 0x11, CODE);
    fake_cpu_set_cpl(cpu, 3); /* by the user */
    remember_move(cpu);
    assert_int_equal(cpu->modes_read, 0);

    fake_cpu_set_cpl(cpu, 0);
    fake_cpu_map(cpu, CODE, CODE_RAM, PRESENT & ~UINT64_C(4));
    cpu->mode.cs_attributes |= 4; /* conforming */
    remember_move(cpu);
    assert_int_equal(cpu->modes_read, 1);
    cpu->mode.cpl = 3;
    assert_int_equal(run_move(cpu), EMULATE_FAULT);
}

static void test_undecodable(void **state)
{
    struct fake_cpu *cpu = *state;

    assert_int_equal(run(cpu, CODE_BYTES("\x0f\x6f\x07")), EMULATE_UNDECODABLE);
    assert_true(cpu->context.byte_count >= 3);
    assert_memory_equal(cpu->context.bytes, "\x0f\x6f\x07", 3);
    assert_int_equal(cpu->completed, 0);
    /* Code that is not in RAM cannot be fetched. */
    cpu->mode.rip = DEVICE;
    assert_int_equal(emulate_instruction(&cpu->context), EMULATE_UNDECODABLE);
    assert_int_equal(cpu->context.byte_count, 0);
}

static void test_page_faults(void **state)
{
    struct fake_cpu *cpu = *state;

    cpu->vcpu.gpr[GPR_RDI] = UINT64_C(0x900ffe);
    cpu->vcpu.gpr[GPR_RAX] = 1;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_PF, 0, 0x900ffe);
    emulate_deliver_fault(&cpu->context);
    assert_int_equal(cpu->registers[REGISTER_CR2], 0x900ffe);
    assert_int_equal(cpu->event.vector, EXCEPTION_PF);
    /* The second page of an operand faults at its start, and nothing is written to the first. */
    fake_cpu_map(cpu, UINT64_C(0x900000), DATA_RAM, PRESENT);
    fake_cpu_map(cpu, UINT64_C(0x901000), DATA_RAM + 0x8000, READ_ONLY);
    memset(fake_cpu_ram(cpu, DATA_RAM + 0xff0), 0xaa, 16);
    assert_int_equal(run(cpu, CODE_BYTES("\x89\x07")), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_PF, PF_PRESENT | PF_WRITE, 0x901000);
    assert_memory_equal(fake_cpu_ram(cpu, DATA_RAM + 0xffe), "\xaa\xaa", 2);
    /* Read-modify-write faults as a write, before it reads the device. */
    fake_cpu_map(cpu, DEVICE, FAKE_MMIO, READ_ONLY);
    cpu->vcpu.gpr[GPR_RDI] = DEVICE;
    assert_int_equal(run(cpu, CODE_BYTES("\x01\x07")), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_PF, PF_PRESENT | PF_WRITE, DEVICE);
    assert_int_equal(cpu->device_reads, 0);
    fake_cpu_set_cpl(cpu, 3);
    assert_int_equal(run(cpu, CODE_BYTES("\x01\x07")), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_PF, PF_PRESENT | PF_WRITE | PF_USER, DEVICE);
}

static void test_non_canonical(void **state)
{
    struct fake_cpu *cpu = *state;

    cpu->vcpu.gpr[GPR_RDI] = UINT64_C(0x7ffffffffffe);
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_GP, 0, 0);
    cpu->vcpu.gpr[GPR_RBP] = UINT64_C(0x800000000000);
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x45\x00")), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_SS, 0, 0);
    /* FS and GS have bases in 64-bit mode, DS has none. */
    cpu->segments[SEGMENT_GS].base = DEVICE;
    cpu->segments[SEGMENT_DS].base = UINT64_C(0x12345000);
    cpu->vcpu.gpr[GPR_RDI] = 8;
    assert_int_equal(run(cpu, CODE_BYTES("\x65\x8b\x07")), EMULATE_DONE);
    assert_int_equal(cpu->device_reads, 1);
    cpu->vcpu.gpr[GPR_RDI] = DEVICE;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_DONE);
    assert_int_equal(cpu->device_reads, 2);
}

static void test_segments(void **state)
{
    struct fake_cpu *cpu = *state;
    struct virt_segment_state *ds = &cpu->segments[SEGMENT_DS];

    fake_cpu_set_legacy(cpu, CPU_32_BIT);
    ds->base = FAKE_MMIO;
    ds->limit = 0xfff;
    cpu->vcpu.gpr[GPR_RDI] = UINT64_C(0xdead00000ffc);
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_DONE);
    cpu->vcpu.gpr[GPR_RDI] = 0xffd;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_GP, 0, 0);
    /* The wrap of base + offset stays below 4 GiB. */
    ds->limit = UINT32_MAX;
    ds->base = UINT64_C(0xffffffff);
    cpu->vcpu.gpr[GPR_RDI] = FAKE_MMIO + 1;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_DONE);
    assert_int_equal(cpu->device_reads, 2);
    /* Expand-down: offsets above the limit are good. */
    ds->base = FAKE_MMIO - 0x1000;
    ds->limit = 0xfff;
    ds->attributes |= 4;
    cpu->vcpu.gpr[GPR_RDI] = 0x1000;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_DONE);
    cpu->vcpu.gpr[GPR_RDI] = 0xfff;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_FAULT);
    /* Types and usability. */
    *ds = cpu->segments[SEGMENT_ES];
    cpu->vcpu.gpr[GPR_RDI] = FAKE_MMIO;
    ds->attributes &= ~2u;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_DONE);
    assert_int_equal(run(cpu, CODE_BYTES("\x89\x07")), EMULATE_FAULT);
    assert_int_equal(run(cpu, CODE_BYTES("\x2e\x89\x07")), EMULATE_FAULT); /* code */
    assert_int_equal(run(cpu, CODE_BYTES("\x2e\x8b\x07")), EMULATE_DONE);
    cpu->segments[SEGMENT_CS].attributes &= ~2u; /* execute-only */
    assert_int_equal(run(cpu, CODE_BYTES("\x2e\x8b\x07")), EMULATE_FAULT);
    ds->attributes |= SEGMENT_UNUSABLE;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x07")), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_GP, 0, 0);
    cpu->segments[SEGMENT_SS].limit = 0;
    assert_int_equal(run(cpu, CODE_BYTES("\x8b\x45\x00")), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_SS, 0, 0);
}

static void test_real_mode(void **state)
{
    struct fake_cpu *cpu = *state;

    fake_cpu_set_legacy(cpu, CPU_16_BIT);
    cpu->mode.cr0 = 0;
    cpu->mode.cs_base = CODE_RAM - 0x100;
    cpu->segments[SEGMENT_DS].base = DATA_RAM;
    memcpy(fake_cpu_ram(cpu, CODE_RAM), "\x8b\x40\x02", 3); /* mov ax, [bx+si+2] */
    memcpy(fake_cpu_ram(cpu, DATA_RAM + 0x12), "\xcd\xab", 2);
    cpu->mode.rip = 0x100;
    cpu->vcpu.gpr[GPR_RAX] = UINT64_MAX;
    cpu->vcpu.gpr[GPR_RBX] = 0x5555fff0;
    cpu->vcpu.gpr[GPR_RSI] = 0x20;
    assert_int_equal(emulate_instruction(&cpu->context), EMULATE_DONE);
    assert_int_equal(cpu->vcpu.gpr[GPR_RAX], UINT64_C(0xffffffffffffabcd));
    /* A word at the segment's last byte: #GP without an error code. */
    cpu->mode.rip = 0x100;
    cpu->vcpu.gpr[GPR_RSI] = 0xd;
    cpu->completed = 0;
    assert_int_equal(emulate_instruction(&cpu->context), EMULATE_FAULT);
    assert_int_equal(cpu->context.fault.vector, EXCEPTION_GP);
    assert_false(cpu->context.fault.has_error_code);
}

static void test_repeat_is_bounded(void **state)
{
    struct fake_cpu *cpu = *state;

    cpu->vcpu.gpr[GPR_RDI] = DEVICE;
    cpu->vcpu.gpr[GPR_RCX] = EMULATE_REPEAT_MAX + 10;
    cpu->vcpu.gpr[GPR_RAX] = 0x5a;
    assert_int_equal(run(cpu, CODE_BYTES("\xf3\xaa")), EMULATE_DONE); /* rep stosb */
    assert_int_equal(cpu->completed, 0);
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 10);
    assert_int_equal(cpu->vcpu.gpr[GPR_RDI], DEVICE + EMULATE_REPEAT_MAX);
    assert_int_equal(emulate_instruction(&cpu->context), EMULATE_DONE);
    assert_int_equal(cpu->completed, 1);
    assert_int_equal(cpu->completed_length, 2);
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 0);
    assert_int_equal(cpu->device[EMULATE_REPEAT_MAX + 9], 0x5a);
    assert_int_equal(cpu->device[EMULATE_REPEAT_MAX + 10], 0);
}

static void test_repeat_faults_midway(void **state)
{
    struct fake_cpu *cpu = *state;

    /* rep movsd from the device to memory whose next page is read-only. */
    fake_cpu_map(cpu, DATA + 0x1000, DATA_RAM + 0x8000, READ_ONLY);
    memcpy(cpu->device, "abcdefghijkl", 12);
    cpu->vcpu.gpr[GPR_RSI] = DEVICE;
    cpu->vcpu.gpr[GPR_RDI] = DATA + 0xff8;
    cpu->vcpu.gpr[GPR_RCX] = 5;
    assert_int_equal(run(cpu, CODE_BYTES("\xf3\xa5")), EMULATE_FAULT);
    expect_fault(cpu, EXCEPTION_PF, PF_PRESENT | PF_WRITE, DATA + 0x1000);
    assert_memory_equal(fake_cpu_ram(cpu, DATA_RAM + 0xff8), "abcdefgh", 8);
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 3);
    assert_int_equal(cpu->vcpu.gpr[GPR_RSI], DEVICE + 8);
    assert_int_equal(cpu->vcpu.gpr[GPR_RDI], DATA + 0x1000);
    assert_int_equal(cpu->device_reads, 2); /* a faulting iteration does not touch the device */
}

static void test_repeat_single_step(void **state)
{
    struct fake_cpu *cpu = *state;

    cpu->mode.rflags |= RFLAGS_TF;
    cpu->vcpu.gpr[GPR_RDI] = DEVICE;
    cpu->vcpu.gpr[GPR_RCX] = 2;
    assert_int_equal(run(cpu, CODE_BYTES("\xf3\xaa")), EMULATE_DONE);
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 1);
    assert_int_equal(cpu->completed, 1); /* for the trap, but RIP stays */
    assert_int_equal(cpu->completed_length, 0);
    assert_int_equal(emulate_instruction(&cpu->context), EMULATE_DONE);
    assert_int_equal(cpu->completed_length, 2);
}

static void test_string_wraps_by_address_size(void **state)
{
    struct fake_cpu *cpu = *state;

    fake_cpu_set_legacy(cpu, CPU_16_BIT);
    cpu->segments[SEGMENT_ES].base = DATA_RAM;
    cpu->vcpu.gpr[GPR_RAX] = 0x77;
    cpu->vcpu.gpr[GPR_RDI] = 0xabcdffff;
    cpu->vcpu.gpr[GPR_RCX] = 0xabcd0002;
    memset(fake_cpu_ram(cpu, DATA_RAM + 0xffff), 0, 2);
    assert_int_equal(run(cpu, CODE_BYTES("\xf3\xaa")), EMULATE_DONE);
    assert_int_equal(*fake_cpu_ram(cpu, DATA_RAM), 0x77);
    assert_int_equal(*fake_cpu_ram(cpu, DATA_RAM + 0xffff), 0x77);
    assert_int_equal(*fake_cpu_ram(cpu, DATA_RAM + 0x10000), 0);
    assert_int_equal(cpu->vcpu.gpr[GPR_RDI], 0xabcd0001);
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 0xabcd0000);
}

static void test_bulk_copy(void **state)
{
    struct fake_cpu *cpu = *state;
    char bytes[16] = "";

    cpu->context.mode = cpu->mode;
    memset(fake_cpu_ram(cpu, DATA_RAM + 0xffc), 'x', 4);
    assert_true(linear_write(&cpu->context, DATA + 0xffe, "0123456789", 10, 0));
    assert_true(linear_read(&cpu->context, DATA + 0xffc, bytes, 12, 0));
    assert_string_equal(bytes, "xx0123456789");
    assert_false(linear_read(&cpu->context, DATA + 0x1ffe, bytes, 4, PAGE_ACCESS_IMPLICIT));
    expect_fault(cpu, EXCEPTION_PF, 0, DATA + 0x2000);
}

/* Whatever the guest executes: the emulator stays within its bounds (the sanitizers watch). */
static void test_random_code(void **state)
{
    struct fake_cpu *cpu = *state;
    uint64_t seed = 42;
    unsigned executed = 0;

    for (unsigned i = 0; i < 300000; i++) {
        uint8_t bytes[15];

        for (unsigned b = 0; b < sizeof(bytes); b++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            bytes[b] = (uint8_t)(seed >> 56);
        }
        for (unsigned g = 0; g < GPR_COUNT; g++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            cpu->vcpu.gpr[g] = seed >> 60 > 8 ? seed : DEVICE + (seed >> 50);
        }
        cpu->registers[REGISTER_RSP] = cpu->vcpu.gpr[GPR_RSP];
        cpu->mode.cs_attributes = i % 3 == 0 ? FAKE_CODE_64 : i % 3 == 1 ? SEGMENT_DB : 0;
        fake_cpu_set_cpl(cpu, i % 4 == 0 ? 3 : 0);
        executed += run(cpu, bytes, sizeof(bytes)) == EMULATE_DONE;
    }
    assert_true(executed > 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_device_access),
        TEST(test_empty_bus),
        TEST(test_hint),
        TEST(test_code_across_pages),
        TEST(test_code_changes),
        TEST(test_moves_are_remembered),
        TEST(test_moves_with_a_doubt),
        TEST(test_undecodable),
        TEST(test_page_faults),
        TEST(test_non_canonical),
        TEST(test_segments),
        TEST(test_real_mode),
        TEST(test_repeat_is_bounded),
        TEST(test_repeat_faults_midway),
        TEST(test_repeat_single_step),
        TEST(test_string_wraps_by_address_size),
        TEST(test_bulk_copy),
        TEST(test_random_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
