/*
 * `top`: the CPU use of vCPUs and CPUs between two looks.
 */
#include <stdio.h>
#include <string.h>

#include "manage/shell_rows.h"

#define CPUS_IN_ROW 8u

/* Where the numbers of a vCPU were kept at the look before, NULL if it was not there. VMs keep
 * their order, and new ones come last, so it is not among the first `from`. */
static const struct shell_top_vcpu *look_before(const struct shell_top *top, unsigned from,
                                                uint64_t vm, unsigned index)
{
    for (unsigned i = from; i < top->vcpu_count; i++) {
        if (top->vcpus[i].vm == vm && top->vcpus[i].index == index) {
            return &top->vcpus[i];
        }
    }
    return NULL;
}

/* Keeps the busiest, the busiest first. */
static void show(struct shell_top *top, unsigned vm, unsigned vcpu)
{
    unsigned place = top->shown_count;

    while (place > 0 && top->vcpus[top->shown[place - 1].vcpu].used < top->vcpus[vcpu].used) {
        place--;
    }
    if (place == SHELL_TOP_SHOWN) {
        return;
    }
    top->shown_count += top->shown_count < SHELL_TOP_SHOWN ? 1 : 0;
    memmove(&top->shown[place + 1], &top->shown[place],
            (top->shown_count - place - 1) * sizeof(top->shown[0]));
    top->shown[place].vm = vm;
    top->shown[place].vcpu = vcpu;
}

/* What a counter grew by; it begins anew when a VM is started again. */
static uint64_t growth(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now;
}

static void look_at_vcpus(struct shell *shell)
{
    const struct shell_machine *machine = shell->machine;
    struct shell_top *top = &shell->top;
    unsigned count = 0;
    struct shell_vm vm;
    struct shell_vcpu vcpu;

    top->shown_count = 0;
    for (unsigned v = 0; machine->vm(machine->context, v, &vm); v++) {
        for (unsigned i = 0;
             count < SHELL_TOP_VCPUS && machine->vcpu(machine->context, v, i, &vcpu); i++) {
            const struct shell_top_vcpu *before = look_before(top, count, vm.id, i);
            uint64_t used = growth(vcpu.run_time, before ? before->run_time : 0);

            top->vcpus[count] = (struct shell_top_vcpu){vm.id, i, vcpu.run_time, used};
            /* What has no CPU does not run at all. */
            if (vcpu.cpu >= 0) {
                show(top, v, count);
            }
            count++;
        }
    }
    top->vcpu_count = count;
}

static void look_at_cpus(struct shell *shell)
{
    const struct shell_machine *machine = shell->machine;
    struct shell_top *top = &shell->top;
    unsigned count = 0;
    uint64_t busy;

    while (count < SHELL_TOP_CPUS && machine->busy_time(machine->context, count, &busy)) {
        top->busy[count] = growth(busy, count < top->cpu_count ? top->busy_time[count] : busy);
        top->busy_time[count++] = busy;
    }
    top->cpu_count = count;
}

static void look(struct shell *shell)
{
    struct shell_top *top = &shell->top;
    uint64_t now = shell->machine->now(shell->machine->context);

    look_at_vcpus(shell);
    look_at_cpus(shell);
    top->length = now - top->when;
    top->when = now;
    top->due = now + SHELL_TOP_NS;
}

/* In tenths of a percent. Times are not read all at once, so a little more than all may come out.
 */
static unsigned permille(const struct shell_top *top, uint64_t time)
{
    uint64_t part = top->length > 0 ? (time * 1000 + top->length / 2) / top->length : 0;

    return part < 1000 ? (unsigned)part : 1000;
}

static void percentage(unsigned part, char out[16])
{
    snprintf(out, 16, "%u.%u%%", part / 10 % 1000, part % 10);
}

/* Eight CPUs from `first` on: their numbers, or how busy they were. */
static void cpus_row(const struct shell_top *top, unsigned first, bool numbers,
                     char row[SHELL_ROW_SIZE])
{
    size_t used = (size_t)snprintf(row, SHELL_ROW_SIZE, "%-6s", numbers ? "CPU" : "busy");
    char text[16];

    for (unsigned i = first; i < first + CPUS_IN_ROW && i < top->cpu_count; i++) {
        if (numbers) {
            snprintf(text, sizeof(text), "%u", i);
        } else {
            percentage(permille(top, top->busy[i]), text);
        }
        used += (size_t)snprintf(row + used, SHELL_ROW_SIZE - used, " %7s", text);
    }
}

static void vcpus_row(const struct shell *shell, unsigned place, char row[SHELL_ROW_SIZE])
{
    const struct shell_machine *machine = shell->machine;
    const struct shell_top *top = &shell->top;
    const struct shell_top_vcpu *entry = &top->vcpus[top->shown[place].vcpu];
    struct shell_vm vm;
    struct shell_vcpu vcpu;
    char use[16];
    char cpu[16] = "-";

    percentage(permille(top, entry->used), use);
    if (!machine->vm(machine->context, top->shown[place].vm, &vm) || vm.id != entry->vm ||
        !machine->vcpu(machine->context, top->shown[place].vm, entry->index, &vcpu)) {
        snprintf(row, SHELL_ROW_SIZE, "%-31s", "(deleted)");
        return;
    }
    if (vcpu.cpu >= 0) {
        snprintf(cpu, sizeof(cpu), "%u", (unsigned)vcpu.cpu);
    }
    snprintf(row, SHELL_ROW_SIZE, "%-31s %4u %-8s %4s %7s", vm.name, entry->index, vcpu.state, cpu,
             use);
}

/* A table: two rows for every eight CPUs, a heading, the busiest vCPUs, an empty row. */
bool shell_top_row(struct shell *shell, char row[SHELL_ROW_SIZE])
{
    struct shell_top *top = &shell->top;
    unsigned heading = (top->cpu_count + CPUS_IN_ROW - 1) / CPUS_IN_ROW * 2;

    if (shell->step == 0) {
        bool first = top->due == 0;

        look(shell);
        if (first) {
            snprintf(row, SHELL_ROW_SIZE, "A table comes every second, until a key is pressed.");
            return true;
        }
        shell->step = 1;
        heading = (top->cpu_count + CPUS_IN_ROW - 1) / CPUS_IN_ROW * 2;
    }
    unsigned step = shell->step++ - 1;
    if (step < heading) {
        cpus_row(top, step / 2 * CPUS_IN_ROW, step % 2 == 0, row);
    } else if (step == heading) {
        snprintf(row, SHELL_ROW_SIZE, "%-31s %4s %-8s %4s %7s", "NAME", "VCPU", "STATE", "CPU",
                 "USE");
    } else if (step - heading - 1 < top->shown_count) {
        vcpus_row(shell, step - heading - 1, row);
    } else {
        row[0] = '\0';
        shell->step = 0;
    }
    return true;
}

void shell_top(struct shell *shell, const char *const *arguments)
{
    (void)arguments;
    memset(&shell->top, 0, sizeof(shell->top));
    shell_answer(shell, shell_top_row);
}
