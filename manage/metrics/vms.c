#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/memory/heap.h"
#include "manage/metrics/exits.h"
#include "manage/metrics/families.h"

#define NUMBER_SIZE 12u

/* What is told of a VM: of one moment, and much less than a machine_vm. */
struct sample {
    char name[DESCRIPTION_NAME_SIZE];
    enum machine_vm_state state;
    unsigned vcpus;
    uint64_t memory;
    uint64_t memory_touched;
    uint64_t starts;
    uint64_t steal_time;
    uint64_t console_bytes;
    struct vcpu_statistics vcpu[DESCRIPTION_VCPUS_MAX];
};

struct samples {
    struct sample *samples;
    unsigned count;
};

static void take_sample(struct sample *sample, const struct machine_vm *vm)
{
    memcpy(sample->name, vm->description.name, sizeof(sample->name));
    sample->state = vm->state;
    sample->vcpus = vm->description.vcpus;
    sample->memory = vm->description.memory;
    sample->memory_touched = vm->memory_touched;
    sample->starts = vm->starts;
    sample->steal_time = vm->steal_time;
    sample->console_bytes = vm->console_bytes;
    memcpy(sample->vcpu, vm->vcpus, sizeof(sample->vcpu));
}

static int take_samples(struct samples *all, const struct machine *machine)
{
    static struct machine_vm vm; /* too large for a stack */
    unsigned count = machine->vm_count();

    all->count = 0;
    all->samples = kmalloc(sizeof(*all->samples) * (count + 1));
    if (!all->samples) {
        return -ENOMEM;
    }
    while (all->count < count && machine->vm(all->count, &vm)) {
        take_sample(&all->samples[all->count], &vm);
        all->count++;
    }
    return 0;
}

static void describe_states(struct metrics_text *text, const struct samples *all)
{
    static const char *const names[] = {[MACHINE_DEFINED] = "defined",
                                        [MACHINE_RUNNING] = "running",
                                        [MACHINE_PAUSED] = "paused",
                                        [MACHINE_STOPPED] = "stopped"};

    metrics_family(text, "innkeeper_vm_state", "gauge",
                   "1 for the state that a VM is in, 0 for the others.");
    for (unsigned i = 0; i < all->count; i++) {
        for (unsigned state = 0; state < sizeof(names) / sizeof(names[0]); state++) {
            metrics_integer(text, "",
                            METRICS_LABELS({"vm", all->samples[i].name}, {"state", names[state]}),
                            all->samples[i].state == state);
        }
    }
}

/* A family with one sample for each VM. */
struct vm_family {
    const char *name;
    const char *type;
    const char *help;
    size_t offset; /* of a uint64_t in struct sample */
    bool seconds;  /* it is in ns */
};

static const struct vm_family vm_families[] = {
    {"innkeeper_vm_memory_bytes", "gauge", "Memory that a VM has when it runs.",
     offsetof(struct sample, memory), false},
    {"innkeeper_vm_memory_touched_bytes", "gauge",
     "Memory that a VM has used since it was started.", offsetof(struct sample, memory_touched),
     false},
    {"innkeeper_vm_starts_total", "counter", "How often a VM was started.",
     offsetof(struct sample, starts), false},
    {"innkeeper_vm_steal_seconds_total", "counter",
     "Time for which vCPUs could have run, but others had the CPUs.",
     offsetof(struct sample, steal_time), true},
    {"innkeeper_vm_console_transmit_bytes_total", "counter",
     "Bytes that a VM has sent to its console.", offsetof(struct sample, console_bytes), false},
};

static void describe_family(struct metrics_text *text, const struct vm_family *family,
                            const struct samples *all)
{
    metrics_family(text, family->name, family->type, family->help);
    for (unsigned i = 0; i < all->count; i++) {
        const struct metrics_label *labels = METRICS_LABELS({"vm", all->samples[i].name});
        uint64_t value;

        memcpy(&value, (const char *)&all->samples[i] + family->offset, sizeof(value));
        (family->seconds ? metrics_seconds : metrics_integer)(text, "", labels, value);
    }
}

static void describe_vcpus(struct metrics_text *text, const struct samples *all, bool exits)
{
    if (exits) {
        metrics_family(text, "innkeeper_vcpu_exits_total", "counter", "VM exits of a vCPU.");
    } else {
        metrics_family(text, "innkeeper_vcpu_cpu_seconds_total", "counter",
                       "CPU time that a vCPU has used.");
    }
    for (unsigned i = 0; i < all->count; i++) {
        const struct sample *vm = &all->samples[i];

        for (unsigned j = 0; j < vm->vcpus; j++) {
            char number[NUMBER_SIZE];
            const struct metrics_label *labels;

            snprintf(number, sizeof(number), "%u", j);
            labels = METRICS_LABELS({"vm", vm->name}, {"vcpu", number});
            if (exits) {
                metrics_integer(text, "", labels, vm->vcpu[j].exits);
            } else {
                metrics_seconds(text, "", labels, vm->vcpu[j].run_time);
            }
        }
    }
}

static void describe_histogram(struct metrics_text *text, const char *vm, const char *reason,
                               const struct exit_statistics *exits, uint64_t tsc_hz)
{
    const struct metrics_label *labels = METRICS_LABELS({"vm", vm}, {"reason", reason});
    struct exits_histogram histogram;
    uint64_t count = 0;

    /* Each bucket and their sum, but not exits->count: a guest that runs moves one after the other,
     * and what is told has to be consistent. */
    for (unsigned i = 0; i < VIRT_TICKS_BUCKETS; i++) {
        count += exits->ticks_log2[i];
    }
    exits_histogram(exits, tsc_hz, &histogram);
    for (unsigned i = 0; i < EXITS_BOUNDS; i++) {
        char number[DECIMAL_SIZE];
        const char *bound = metrics_write_seconds(number, exits_bounds[i]);

        metrics_integer(text, "_bucket",
                        METRICS_LABELS({"vm", vm}, {"reason", reason}, {"le", bound}),
                        histogram.below[i]);
    }
    metrics_integer(text, "_bucket", METRICS_LABELS({"vm", vm}, {"reason", reason}, {"le", "+Inf"}),
                    count);
    metrics_seconds(text, "_sum", labels, histogram.sum);
    metrics_integer(text, "_count", labels, count);
}

static void describe_exits(struct metrics_text *text, const struct machine *machine,
                           const struct samples *all, uint64_t tsc_hz, bool durations)
{
    static struct exit_statistics exits[VM_EXIT_KINDS]; /* too large for a stack */

    if (durations) {
        metrics_family(text, "innkeeper_vm_exit_duration_seconds", "histogram",
                       "From a VM exit to the next entry, for each reason that there was; bounds "
                       "hold within a factor of two, the sum is estimated from the counts.");
    } else {
        metrics_family(text, "innkeeper_vm_exits_total", "counter",
                       "VM exits by reason, for each reason that there was.");
    }
    for (unsigned i = 0; i < all->count; i++) {
        const char *vm = all->samples[i].name;

        bool known = machine->exits(vm, exits);

        for (unsigned kind = 0; known && kind < VM_EXIT_KINDS; kind++) {
            const char *reason = vm_exit_kind_name((enum vm_exit_kind)kind);

            if (exits[kind].count == 0) {
                continue;
            }
            if (durations) {
                describe_histogram(text, vm, reason, &exits[kind], tsc_hz);
            } else {
                metrics_integer(text, "", METRICS_LABELS({"vm", vm}, {"reason", reason}),
                                exits[kind].count);
            }
        }
    }
}

int metrics_of_vms(struct metrics_text *text, const struct machine *machine, uint64_t tsc_hz)
{
    struct samples all;
    int error = take_samples(&all, machine);

    if (error) {
        return error;
    }
    metrics_one(text, "innkeeper_vms", "gauge", "VMs that are defined, in whatever state.",
                all.count);
    describe_states(text, &all);
    for (size_t i = 0; i < sizeof(vm_families) / sizeof(vm_families[0]); i++) {
        describe_family(text, &vm_families[i], &all);
    }
    describe_vcpus(text, &all, false);
    describe_vcpus(text, &all, true);
    describe_exits(text, machine, &all, tsc_hz, false);
    describe_exits(text, machine, &all, tsc_hz, true);
    kfree(all.samples);
    return 0;
}
