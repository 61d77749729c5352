#include "vmx/access_count.h"

#include <stddef.h>
#include <stdio.h>

#include "kernel/log.h"

struct vmcs_accesses vmcs_accesses;

/* The exits of each kind with the fewest accesses; none when both are 0, as every exit reads. */
static struct vmcs_accesses least[VM_EXIT_KINDS];

static unsigned sum(const struct vmcs_accesses *accesses)
{
    return accesses->reads + accesses->writes;
}

void access_count_exit(enum vm_exit_kind last)
{
    if (sum(&least[last]) == 0 || sum(&vmcs_accesses) < sum(&least[last])) {
        least[last] = vmcs_accesses;
    }
    vmcs_accesses = (struct vmcs_accesses){0, 0};
}

void access_count_log(void)
{
    char line[512] = "";
    size_t length = 0;

    for (unsigned kind = 0; kind < VM_EXIT_KINDS; kind++) {
        if (sum(&least[kind]) > 0 && length < sizeof(line)) {
            length += (size_t)snprintf(line + length, sizeof(line) - length, " %s=%u+%u",
                                       vm_exit_kind_name((enum vm_exit_kind)kind),
                                       least[kind].reads, least[kind].writes);
        }
    }
    log_info("VMCS accesses, reads+writes:%s", line);
}
