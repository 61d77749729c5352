#include <stdio.h>

#include "manage/metrics/families.h"

/* A wall clock before that has not been set (2000-01-01). */
#define CLOCK_IS_SET_NS UINT64_C(946684800000000000)
#define NUMBER_SIZE     12u

static void describe_machine(struct metrics_text *text, const struct machine_host *host)
{
    metrics_family(text, "innkeeper_build_info", "gauge",
                   "Always 1; tells the version and what it runs on.");
    metrics_integer(text, "",
                    METRICS_LABELS({"version", host->version}, {"loader", host->loader},
                                   {"cpu", host->cpu_name}),
                    1);
    metrics_one(text, "innkeeper_virtualization_available", "gauge",
                "Whether VMs can be started on this machine.", host->vmx);
}

static void describe_time(struct metrics_text *text, const struct machine_host *host)
{
    metrics_family(text, "innkeeper_uptime_seconds", "gauge", "Time since the machine was booted.");
    metrics_seconds(text, "", METRICS_NO_LABELS, host->uptime);
    if (host->wall_clock >= CLOCK_IS_SET_NS) {
        metrics_family(text, "innkeeper_boot_time_seconds", "gauge",
                       "When the machine was booted, since 1970-01-01 UTC.");
        metrics_seconds(text, "", METRICS_NO_LABELS, host->wall_clock - host->uptime);
    }
}

static void describe_cpus(struct metrics_text *text, const struct machine *machine,
                          const struct machine_host *host)
{
    struct machine_cpu cpu;

    metrics_one(text, "innkeeper_tsc_hertz", "gauge", "Speed of the time stamp counter.",
                host->tsc_hz);
    metrics_family(text, "innkeeper_cpu_busy_seconds_total", "counter",
                   "Time for which a CPU has not been idle.");
    for (unsigned i = 0; machine->cpu(i, &cpu); i++) {
        char number[NUMBER_SIZE];

        snprintf(number, sizeof(number), "%u", i);
        metrics_seconds(text, "", METRICS_LABELS({"cpu", number}), cpu.busy_time);
    }
}

void metrics_of_host(struct metrics_text *text, const struct machine *machine,
                     const struct machine_host *host)
{
    describe_machine(text, host);
    describe_time(text, host);
    describe_cpus(text, machine, host);
    metrics_one(text, "innkeeper_memory_bytes", "gauge", "Memory of the machine.", host->memory);
    metrics_one(text, "innkeeper_memory_free_bytes", "gauge", "Memory that nobody uses.",
                host->memory_free);
    metrics_one(text, "innkeeper_heap_bytes", "gauge", "Memory on the kernel's own heap.",
                host->heap_used);
}
