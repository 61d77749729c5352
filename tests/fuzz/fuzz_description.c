/* libFuzzer target: any text as a VM description. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guest/description.h"

#define VMS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned reports;

static void count_report(void *context, const char *message)
{
    (void)context;
    /* Every report says where. */
    if (strncmp(message, "vms.json:", 9) != 0) {
        abort();
    }
    reports++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vm_description vms[VMS_MAX];
    const struct cpu_mask all = cpu_mask_first(SCHED_CPUS_MAX);
    unsigned count;

    reports = 0;
    int result = description_parse("vms.json", (const char *)data, size, vms, VMS_MAX, &count,
                                   count_report, NULL);
    /* A refusal is always reported, and what is accepted keeps the promises of the header. */
    if (count > VMS_MAX || (result != 0 && reports == 0)) {
        abort();
    }
    for (unsigned i = 0; i < count; i++) {
        const struct sched_description *sched = &vms[i].sched;

        if (sched->weight < DESCRIPTION_WEIGHT_MIN || sched->weight > DESCRIPTION_WEIGHT_MAX ||
            sched->cap > vms[i].vcpus * DESCRIPTION_CAP_PERCENT_MAX ||
            sched->budget > sched->period || sched->period > DESCRIPTION_PERIOD_MAX ||
            !cpu_mask_meets(&sched->cpus, &all)) {
            abort();
        }
        if (vms[i].name[0] == '\0' || vms[i].image[0] == '\0' || vms[i].vcpus < 1 ||
            vms[i].vcpus > DESCRIPTION_VCPUS_MAX || vms[i].memory < DESCRIPTION_MEMORY_MIN ||
            vms[i].module_count > DESCRIPTION_MODULES_MAX) {
            abort();
        }
    }
    return 0;
}
