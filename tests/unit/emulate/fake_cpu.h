/*
 * A vCPU without hardware: its state in plain variables behind virt_ops, 4 MiB of RAM, an MMIO
 * device made of bytes. What the emulator's tests share.
 */
#ifndef TESTS_UNIT_EMULATE_FAKE_CPU_H
#define TESTS_UNIT_EMULATE_FAKE_CPU_H

#include "guest/bus.h"
#include "guest/emulate/emulate.h"
#include "guest/memory.h"
#include "virt/vcpu.h"

#define FAKE_RAM_SIZE  UINT64_C(0x400000)
#define FAKE_MMIO      UINT64_C(0xfec00000)
#define FAKE_MMIO_SIZE 0x4000u

/* A code segment that is not conforming. */
#define FAKE_CODE_64 (SEGMENT_P | SEGMENT_L | SEGMENT_S | 0xbu)

struct fake_cpu {
    struct virt_vcpu vcpu; /* first: virt_ops gets a pointer to it */
    struct virt_mode mode;
    struct virt_segment_state segments[SEGMENT_COUNT];
    struct virt_table_state gdtr;
    uint64_t registers[REGISTER_COUNT];
    /* What the emulator asked for. */
    unsigned modes_read; /* calls */
    unsigned completed;
    unsigned completed_length;
    unsigned injected;
    struct virt_event event;

    struct guest_memory memory;
    struct mmio_bus mmio;
    uint8_t device[FAKE_MMIO_SIZE];
    unsigned device_reads;
    unsigned device_writes;
    unsigned device_last_size;
    struct emulate_context context;
};

/** A CPU in 64-bit mode at CPL 0 with paging on and an empty PML4 at 0x1000. */
struct fake_cpu *fake_cpu_create(void);
void fake_cpu_destroy(struct fake_cpu *cpu);
/** The CPL, and with it the DPL of CS, as a CPU has it with code that is not conforming. */
void fake_cpu_set_cpl(struct fake_cpu *cpu, unsigned cpl);
/** Protected mode, paging off; flat segments of 16 or 32 bits. */
void fake_cpu_set_legacy(struct fake_cpu *cpu, enum cpu_bits bits);
/** Maps a 4 KiB page in the 4-level tables, taking tables from 0x2000 up; all entries get
 * `flags`. Call with the cpu in its mode as created. */
void fake_cpu_map(struct fake_cpu *cpu, uint64_t linear, uint64_t guest_phys, uint64_t flags);
/** Host address of RAM at guest_phys. */
uint8_t *fake_cpu_ram(struct fake_cpu *cpu, uint64_t guest_phys);

#endif
