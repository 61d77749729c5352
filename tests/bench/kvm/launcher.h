/*
 * A small user of /dev/kvm for the bench: what Firecracker does, as far as it costs a guest
 * anything. Interrupt controllers and the 8254 are KVM's own, the serial port is here; nothing that
 * is not asked for. A failure ends the program.
 */
#ifndef TESTS_BENCH_KVM_LAUNCHER_H
#define TESTS_BENCH_KVM_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VCPUS_MAX   2
#define MODULES_MAX 4

/* Where things lie in the guest's memory. */
#define MULTIBOOT_INFORMATION 0x80000u
#define BASE_MEMORY_END       0x9fc00u
#define ACPI_TABLES           0xe0000u
#define EXTENDED_MEMORY       0x100000u

struct image {
    const char *path;
    uint8_t *data;
    size_t size;
};

struct guest {
    int kvm; /* file descriptors */
    int vm;
    int vcpu[VCPUS_MAX];
    unsigned vcpu_count;
    uint8_t *memory;
    size_t memory_size;
    const char *cmdline;
    struct image image;
    struct image modules[MODULES_MAX];
    unsigned module_count;
};

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** ioctl() that does not fail. */
int checked_ioctl(int file, unsigned long request, void *argument, const char *what);

/** Loads a multiboot 1 image (32-bit ELF) and its modules; the address where it starts. */
uint32_t load_multiboot(struct guest *guest);

/** The ACPI tables by which systems find CPUs and the I/O APIC. */
void write_acpi_tables(struct guest *guest);

/** A guest's access to a port that KVM does not know. */
void port_read(struct guest *guest, uint16_t port, unsigned size, void *data);
void port_write(struct guest *guest, uint16_t port, unsigned size, const void *data);

/** Prints how often vCPU 0 did what since the last call, by KVM's own counters, if `print`. */
void count_exits(struct guest *guest, bool print);

#endif
