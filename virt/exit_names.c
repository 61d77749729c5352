#include <stddef.h>

#include "virt/vm_exit.h"

static const char *const names[] = {
    [VM_EXIT_INTERRUPTED] = "interrupted",
    [VM_EXIT_IO] = "io",
    [VM_EXIT_STRING_IO] = "string_io",
    [VM_EXIT_MEMORY] = "memory",
    [VM_EXIT_CPUID] = "cpuid",
    [VM_EXIT_MSR_READ] = "msr_read",
    [VM_EXIT_MSR_WRITE] = "msr_write",
    [VM_EXIT_CR_ACCESS] = "cr_access",
    [VM_EXIT_DR_ACCESS] = "dr_access",
    [VM_EXIT_HLT] = "hlt",
    [VM_EXIT_MWAIT] = "mwait",
    [VM_EXIT_MONITOR] = "monitor",
    [VM_EXIT_PAUSE] = "pause",
    [VM_EXIT_HYPERCALL] = "hypercall",
    [VM_EXIT_XSETBV] = "xsetbv",
    [VM_EXIT_INVLPG] = "invlpg",
    [VM_EXIT_INVD] = "invd",
    [VM_EXIT_WBINVD] = "wbinvd",
    [VM_EXIT_RDPMC] = "rdpmc",
    [VM_EXIT_RDTSC] = "rdtsc",
    [VM_EXIT_RDTSCP] = "rdtscp",
    [VM_EXIT_RDRAND] = "rdrand",
    [VM_EXIT_RDSEED] = "rdseed",
    [VM_EXIT_INVPCID] = "invpcid",
    [VM_EXIT_XSAVES] = "xsaves",
    [VM_EXIT_XRSTORS] = "xrstors",
    [VM_EXIT_DESCRIPTOR_TABLE] = "descriptor_table",
    [VM_EXIT_UNDEFINED] = "undefined",
    [VM_EXIT_TASK_SWITCH] = "task_switch",
    [VM_EXIT_EXCEPTION] = "exception",
    [VM_EXIT_NMI] = "nmi",
    [VM_EXIT_SHUTDOWN] = "shutdown",
    [VM_EXIT_INIT] = "init",
    [VM_EXIT_SIPI] = "sipi",
    [VM_EXIT_INTERRUPT_WINDOW] = "interrupt_window",
    [VM_EXIT_NMI_WINDOW] = "nmi_window",
    [VM_EXIT_TPR_BELOW_THRESHOLD] = "tpr_below_threshold",
    [VM_EXIT_APIC_ACCESS] = "apic_access",
    [VM_EXIT_APIC_WRITE] = "apic_write",
    [VM_EXIT_APIC_EOI] = "apic_eoi",
    [VM_EXIT_ENTRY_FAILURE] = "entry_failure",
    [VM_EXIT_INTERNAL_ERROR] = "internal_error",
};

/* A new kind at the end of the list needs a name. */
_Static_assert(sizeof(names) / sizeof(names[0]) == VM_EXIT_KINDS, "every exit kind has a name");

const char *vm_exit_kind_name(enum vm_exit_kind kind)
{
    const char *name = (unsigned)kind < VM_EXIT_KINDS ? names[kind] : NULL;

    return name ? name : "unknown";
}
