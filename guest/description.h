/*
 * VM descriptions: a JSON file that says which VMs there shall be. For instance
 *
 *   {"vms": [
 *     {"name": "linux", "memory": "256M", "vcpus": 1,
 *      "linux": {"kernel": "vmlinuz", "initrd": "initrd", "cmdline": "console=ttyS0"}},
 *     {"name": "hello", "memory": "16M",
 *      "multiboot": {"image": "hello.elf", "cmdline": "a b",
 *                    "modules": ["data", {"name": "more", "cmdline": "x=1"}]},
 *      "sched": {"weight": 200, "cap": 50, "cpus": "1-3"}, "autostart": false}]}
 *
 * Images go by their names. Pure: needs nothing but the heap.
 */
#ifndef GUEST_DESCRIPTION_H
#define GUEST_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/sched/cpu_mask.h"

/* Sizes of strings with their final NUL. */
#define DESCRIPTION_NAME_SIZE           32
#define DESCRIPTION_MODULE_NAME_SIZE    64
#define DESCRIPTION_CMDLINE_SIZE        2048 /* the longest that Linux takes on x86 */
#define DESCRIPTION_MODULE_CMDLINE_SIZE 256
#define DESCRIPTION_MODULES_MAX         16
#define DESCRIPTION_VCPUS_MAX           16u                /* of a VM */
#define DESCRIPTION_MEMORY_MIN          UINT64_C(0x200000) /* 2 MiB */
#define DESCRIPTION_WEIGHT_MIN          1u
#define DESCRIPTION_WEIGHT_DEFAULT      100u
#define DESCRIPTION_WEIGHT_MAX          10000u
#define DESCRIPTION_CAP_PERCENT_MAX     100u                 /* for each vCPU */
#define DESCRIPTION_BUDGET_MIN          UINT64_C(10000)      /* ns */
#define DESCRIPTION_PERIOD_MIN          UINT64_C(100000)     /* ns */
#define DESCRIPTION_PERIOD_MAX          UINT64_C(1000000000) /* ns */

enum boot_kind { BOOT_KIND_LINUX, BOOT_KIND_MULTIBOOT };

struct module_description {
    char name[DESCRIPTION_MODULE_NAME_SIZE];
    char cmdline[DESCRIPTION_MODULE_CMDLINE_SIZE]; /* the name itself where none is given */
};

/* How a VM shares the machine's CPUs with others. */
struct sched_description {
    uint32_t weight;      /* of each vCPU, DESCRIPTION_WEIGHT_MIN .. _MAX */
    uint32_t cap;         /* of all vCPUs together, in percent of one CPU; 0: none */
    uint64_t budget;      /* of each vCPU: ns in every `period`; 0: nothing is reserved */
    uint64_t period;      /* ns */
    struct cpu_mask cpus; /* where its vCPUs may run; CPUs that the machine has not count for
                             nothing */
};

struct vm_description {
    char name[DESCRIPTION_NAME_SIZE]; /* [a-zA-Z0-9._-], unique in the file */
    uint64_t memory;                  /* bytes, as written */
    unsigned vcpus;                   /* 1 .. DESCRIPTION_VCPUS_MAX; 1 where none is given */
    bool test_device;                 /* "test-device": the tests' hypercalls are answered */
    bool autostart;                   /* runs from boot on; true where nothing is said */
    struct sched_description sched;
    enum boot_kind boot;
    char image[DESCRIPTION_MODULE_NAME_SIZE];                   /* "kernel" or "image" */
    char initrd[DESCRIPTION_MODULE_NAME_SIZE];                  /* Linux only; "": none */
    char cmdline[DESCRIPTION_CMDLINE_SIZE];                     /* "" where none is given */
    struct module_description modules[DESCRIPTION_MODULES_MAX]; /* multiboot only */
    unsigned module_count;
};

/** Is told each error, as one line of text without its newline. */
typedef void (*description_report_fn)(void *context, const char *message);

/**
 * Parses the `length` bytes at `text`, which came from the file called `file` (for messages). VMs
 * in order: those that are right go to `out[0 .. *count)`; each wrong one costs one report, which
 * begins "file:line:column: ", and is left out.
 *
 * Returns 0; -EINVAL when the text as a whole is no JSON or no list of VMs (one report, *count is
 * 0); -ENOMEM when the heap is short (one report); -ENOSPC when there are more than `max` right
 * ones (a report for each that is left out).
 */
int description_parse(const char *file, const char *text, size_t length, struct vm_description *out,
                      unsigned max, unsigned *count, description_report_fn report, void *context);

/**
 * Parses the text of one VM's description: its object alone, or a list of VMs that holds just this
 * one. `source` stands in messages where a file's name would. 0, -EINVAL or -ENOMEM, after one
 * report.
 */
int description_parse_one(const char *source, const char *text, size_t length,
                          struct vm_description *out, description_report_fn report, void *context);

#endif
