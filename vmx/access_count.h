/*
 * How often an exit of each kind reads and writes the VMCS: what a CPU takes tens of cycles for,
 * and an emulator one. Only in kernels that are built to count (meson -Dcount_vmcs=true), for
 * machines of one CPU; in others, nothing of this is left.
 */
#ifndef VMX_ACCESS_COUNT_H
#define VMX_ACCESS_COUNT_H

#include "virt/vm_exit.h"

#ifndef COUNT_VMCS_ACCESSES
#define COUNT_VMCS_ACCESSES 0
#endif

/* Since the last exit. */
struct vmcs_accesses {
    unsigned reads;
    unsigned writes;
};
extern struct vmcs_accesses vmcs_accesses;

void access_count_exit(enum vm_exit_kind last);
void access_count_log(void);

static inline void count_vmcs_read(void)
{
    if (COUNT_VMCS_ACCESSES) {
        vmcs_accesses.reads++;
    }
}

static inline void count_vmcs_write(void)
{
    if (COUNT_VMCS_ACCESSES) {
        vmcs_accesses.writes++;
    }
}

/** At an exit, before it is looked at: the accesses so far were for the `last` one. */
static inline void count_vmcs_exit(enum vm_exit_kind last)
{
    if (COUNT_VMCS_ACCESSES) {
        access_count_exit(last);
    }
}

/** Logs a line with the least of each kind, READS+WRITES. */
static inline void log_vmcs_accesses(void)
{
    if (COUNT_VMCS_ACCESSES) {
        access_count_log();
    }
}

#endif
