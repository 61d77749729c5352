/* A machine for the shell: what a test puts into these structures is what the shell sees. */
#ifndef TESTS_UNIT_MANAGE_FAKE_MACHINE_H
#define TESTS_UNIT_MANAGE_FAKE_MACHINE_H

#include "manage/shell.h"

#define FAKE_VMS   64u
#define FAKE_VCPUS 32u
#define FAKE_KINDS 4u

struct fake_vm {
    struct shell_vm vm;
    struct shell_vcpu vcpus[FAKE_VCPUS];
    struct shell_exits exits[FAKE_KINDS];
};

struct fake_machine {
    struct fake_vm vms[FAKE_VMS];
    unsigned vm_count;
    uint64_t busy[SHELL_TOP_CPUS];
    unsigned cpu_count;
    uint64_t now;
    unsigned log_lines; /* "line 1", "line 2", ... */
    /* What was asked for last, and what to answer. */
    int acted; /* enum shell_action, -1: nothing */
    char acted_on[SHELL_NAME_SIZE];
    const char *refusal; /* NULL: none */
};

extern struct fake_machine fake;
extern const struct shell_machine fake_shell_machine;

/** A machine without VMs. */
void fake_init(void);
/** Adds a VM that runs. */
struct fake_vm *fake_add(const char *name, unsigned vcpus);
/** Takes a VM out. */
void fake_remove(unsigned index);

#endif
