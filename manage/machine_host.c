/* The host as the table of functions shows it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <lwip/timeouts.h>

#include "kernel/boot/boot_info.h"
#include "kernel/cpu/features.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/power.h"
#include "kernel/smp.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "manage/machine_parts.h"

/* The time for an answer to get out. */
#define ANSWER_MS 500u

void machine_get_host(struct machine_host *host)
{
    const struct boot_info *boot = boot_info();

    memset(host, 0, sizeof(*host));
    host->version = INNKEEPER_VERSION;
    host->loader = boot->loader;
    cpu_brand(host->cpu_name);
    host->cpus = smp_count();
    host->tsc_hz = tsc_hz();
    for (unsigned i = 0; i < boot->memory_count; i++) {
        if (boot->memory[i].kind == BOOT_MEMORY_RAM) {
            host->memory += boot->memory[i].size;
        }
    }
    host->memory_free = frames_free() * FRAME_SIZE;
    host->heap_used = heap_used();
    host->uptime = time_ns();
    host->wall_clock = wall_clock_ns();
    host->vmx = virt != NULL;
    host->why_not = virt ? NULL : virt_refusal;
    net_status(&host->network);
    snprintf(host->hostname, sizeof(host->hostname), "%s", net_hostname());
}

bool machine_get_cpu(unsigned index, struct machine_cpu *cpu)
{
    if (index >= smp_count()) {
        return false;
    }
    cpu->busy_time = thread_busy_time(smp_cpu(index));
    return true;
}

int machine_set_hostname(const char *name, char *reason, size_t size)
{
    int error = net_set_hostname(name);

    if (error) {
        snprintf(reason, size, "a host's name is up to 63 letters, digits and inner hyphens");
    }
    return error;
}

static void end_machine(void *reset)
{
    if (reset) {
        power_reset();
    }
    power_off();
}

/* In a moment: whoever asked for it gets an answer. */
int machine_power(bool reset, char *reason, size_t size)
{
    static bool soon;

    if (soon) {
        snprintf(reason, size, "it is on its way to its end");
        return -EBUSY;
    }
    soon = true;
    log_info("%s by the network", reset ? "reboot" : "poweroff");
    sys_timeout(ANSWER_MS, end_machine, reset ? &soon : NULL);
    return 0;
}
