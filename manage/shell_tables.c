/*
 * Tables about the VMs, the network, and the log.
 */
#include <stdio.h>
#include <string.h>

#include "manage/shell_rows.h"

#define LOG_LINES_DEFAULT 20u
#define LOG_LINES_MAX     100000u
#define HISTOGRAM_WIDTH   40u
#define NUMBER_SIZE       24u
#define MIB               20u

/* A size or count in at most six characters: 99999, 12345K, 12M. */
static const char *shorten(uint64_t number, char out[NUMBER_SIZE])
{
    static const char units[] = "KMGTPE";
    const char *unit = units;

    if (number < 1000000) {
        snprintf(out, NUMBER_SIZE, "%lu", number);
        return out;
    }
    for (number /= 1000; number >= 100000; number /= 1000) {
        unit++;
    }
    snprintf(out, NUMBER_SIZE, "%lu%c", number, *unit);
    return out;
}

/* 2 to the power of `exponent`: 512, 1K, 4M. */
static const char *power_of_two(unsigned exponent, char out[NUMBER_SIZE])
{
    static const char *const units[] = {"", "K", "M", "G"};

    snprintf(out, NUMBER_SIZE, "%u%s", 1u << exponent % 10, units[exponent / 10]);
    return out;
}

/* CPU time, such as 12.345 s. */
static const char *seconds(uint64_t ns, char out[NUMBER_SIZE])
{
    snprintf(out, NUMBER_SIZE, "%lu.%03lu s", ns / 1000000000, ns / 1000000 % 1000);
    return out;
}

static bool vms_row(struct shell *shell, char row[SHELL_ROW_SIZE])
{
    const struct shell_machine *machine = shell->machine;
    char time[NUMBER_SIZE];
    char exits[NUMBER_SIZE];
    char memory[NUMBER_SIZE];
    struct shell_vm vm;

    if (shell->step++ == 0) {
        snprintf(row, SHELL_ROW_SIZE, "%2s %-31s %-8s %5s %9s %11s %6s", "#", "NAME", "STATE",
                 "VCPUS", "MEMORY", "CPU TIME", "EXITS");
        return true;
    }
    if (!machine->vm(machine->context, shell->vm, &vm)) {
        return false;
    }
    snprintf(memory, sizeof(memory), "%s MiB", shorten(vm.memory >> MIB, time));
    snprintf(row, SHELL_ROW_SIZE, "%2u %-31s %-8s %5u %9s %11s %6s", ++shell->vm, vm.name, vm.state,
             vm.vcpus, memory, seconds(vm.run_time, time), shorten(vm.exits, exits));
    return true;
}

void shell_vms(struct shell *shell, const char *const *arguments)
{
    (void)arguments;
    shell_answer(shell, vms_row);
}

static void vcpu_row(const struct shell_vm *vm, unsigned index, const struct shell_vcpu *vcpu,
                     char row[SHELL_ROW_SIZE])
{
    char time[NUMBER_SIZE];
    char exits[NUMBER_SIZE];
    char cpu[NUMBER_SIZE] = "-";

    if (vcpu->cpu >= 0) {
        snprintf(cpu, sizeof(cpu), "%d", vcpu->cpu);
    }
    snprintf(row, SHELL_ROW_SIZE, "%-31s %4u %-8s %4s %11s %6s", vm->name, index, vcpu->state, cpu,
             seconds(vcpu->run_time, time), shorten(vcpu->exits, exits));
}

/* From shell->vm on; with `cursor` 0 to the last VM, else of one only. */
static bool vcpus_row(struct shell *shell, char row[SHELL_ROW_SIZE])
{
    const struct shell_machine *machine = shell->machine;
    struct shell_vcpu vcpu;
    struct shell_vm vm;

    if (shell->step++ == 0) {
        snprintf(row, SHELL_ROW_SIZE, "%-31s %4s %-8s %4s %11s %6s", "NAME", "VCPU", "STATE", "CPU",
                 "CPU TIME", "EXITS");
        return true;
    }
    while (machine->vm(machine->context, shell->vm, &vm)) {
        if (machine->vcpu(machine->context, shell->vm, shell->item, &vcpu)) {
            vcpu_row(&vm, shell->item++, &vcpu, row);
            return true;
        }
        if (shell->cursor != 0) {
            return false;
        }
        shell->vm++;
        shell->item = 0;
    }
    return false;
}

void shell_vcpus(struct shell *shell, const char *const *arguments)
{
    unsigned vm = 0;

    if (!arguments[0] || shell_find_vm(shell, arguments[0], &vm)) {
        shell_answer(shell, vcpus_row);
        shell->vm = vm;
        shell->cursor = arguments[0] != NULL;
    }
}

/* Below which power of two this many percent of the exits stayed. */
static unsigned quantile(const struct shell_exits *exits, unsigned percent)
{
    uint64_t sum = 0;
    unsigned bucket = 0;

    for (; bucket < SHELL_BUCKETS - 1; bucket++) {
        sum += exits->ticks_log2[bucket];
        if (sum * 100 >= exits->count * percent) {
            break;
        }
    }
    return bucket + 1;
}

/* Exits that are counted while they are summed may not be in the sum yet. */
static uint64_t all_exits(const struct shell *shell)
{
    const struct shell_machine *machine = shell->machine;
    struct shell_exits exits;
    uint64_t sum = 0;

    for (unsigned kind = 0; machine->exits(machine->context, shell->vm, kind, &exits); kind++) {
        sum += exits.count;
    }
    return sum;
}

static bool exits_row(struct shell *shell, char row[SHELL_ROW_SIZE])
{
    const struct shell_machine *machine = shell->machine;
    char numbers[3][NUMBER_SIZE];
    struct shell_exits exits;
    uint64_t permille;

    if (shell->step++ == 0) {
        shell->cursor = all_exits(shell);
        snprintf(row, SHELL_ROW_SIZE, "%-20s %12s %7s   ticks:%8s %8s %8s", "REASON", "EXITS",
                 "SHARE", "50% <", "90% <", "ALL <");
        return true;
    }
    do {
        if (!machine->exits(machine->context, shell->vm, shell->item++, &exits)) {
            return false;
        }
    } while (exits.count == 0);
    permille = shell->cursor > 0 ? exits.count * 1000 / shell->cursor : 0;
    snprintf(row, SHELL_ROW_SIZE, "%-20s %12lu %4lu.%lu%%         %8s %8s %8s", exits.name,
             exits.count, permille / 10, permille % 10,
             power_of_two(quantile(&exits, 50), numbers[0]),
             power_of_two(quantile(&exits, 90), numbers[1]),
             power_of_two(quantile(&exits, 100), numbers[2]));
    return true;
}

/* Of the kind shell->item: a bar for each power of two, from shell->step on. */
static bool histogram_row(struct shell *shell, char row[SHELL_ROW_SIZE])
{
    const struct shell_machine *machine = shell->machine;
    char numbers[2][NUMBER_SIZE];
    char bar[HISTOGRAM_WIDTH + 1];
    struct shell_exits exits;
    uint64_t most = 1;
    unsigned first = SHELL_BUCKETS;
    unsigned last = 0;
    uint64_t count;
    size_t length;

    if (!machine->exits(machine->context, shell->vm, shell->item, &exits)) {
        return false;
    }
    for (unsigned i = 0; i < SHELL_BUCKETS; i++) {
        count = exits.ticks_log2[i];
        most = count > most ? count : most;
        first = count > 0 && first == SHELL_BUCKETS ? i : first;
        last = count > 0 ? i : last;
    }
    if (shell->step == 0) {
        snprintf(row, SHELL_ROW_SIZE, "%-14s %12s", "TICKS", "EXITS");
        shell->step = first + 1;
        return true;
    }
    if (shell->step > last + 1) {
        return false;
    }
    count = exits.ticks_log2[shell->step - 1];
    length = (size_t)((count * HISTOGRAM_WIDTH + most - 1) / most);
    memset(bar, '#', length);
    bar[length] = '\0';
    snprintf(row, SHELL_ROW_SIZE, "%5s to %-5s %12lu %s", power_of_two(shell->step - 1, numbers[0]),
             power_of_two(shell->step, numbers[1]), count, bar);
    shell->step++;
    return true;
}

void shell_exits(struct shell *shell, const char *const *arguments)
{
    const struct shell_machine *machine = shell->machine;
    struct shell_exits exits;
    unsigned vm;

    if (!shell_find_vm(shell, arguments[0], &vm)) {
        return;
    }
    if (!arguments[1]) {
        shell_answer(shell, exits_row);
        shell->vm = vm;
        return;
    }
    for (unsigned kind = 0; machine->exits(machine->context, vm, kind, &exits); kind++) {
        if (strcmp(exits.name, arguments[1]) == 0) {
            shell_answer(shell, histogram_row);
            shell->vm = vm;
            shell->item = kind;
            return;
        }
    }
    shell_say(shell, "shell: there is no exit reason \"%s\"; \"exits %s\" lists them", arguments[1],
              arguments[0]);
}

static bool net_row(struct shell *shell, char row[SHELL_ROW_SIZE])
{
    const struct shell_machine *machine = shell->machine;

    return machine->network(machine->context, shell->step++, row);
}

void shell_net(struct shell *shell, const char *const *arguments)
{
    (void)arguments;
    shell_answer(shell, net_row);
}

static bool log_row(struct shell *shell, char row[SHELL_ROW_SIZE])
{
    const struct shell_machine *machine = shell->machine;

    return shell->item > 0 && shell->item-- > 0 &&
           machine->log_line(machine->context, &shell->cursor, row);
}

void shell_log(struct shell *shell, const char *const *arguments)
{
    const struct shell_machine *machine = shell->machine;
    uint64_t lines = LOG_LINES_DEFAULT;
    uint64_t cursor = 0;
    uint64_t kept = 0;

    if (arguments[0] && !shell_number(arguments[0], LOG_LINES_MAX, &lines)) {
        shell_say(shell, "shell: \"%s\" is not a number of lines", arguments[0]);
        return;
    }
    while (machine->log_line(machine->context, &cursor, shell->message)) {
        kept++;
    }
    shell_answer(shell, log_row);
    shell->item = (unsigned)(lines < kept ? lines : kept);
    for (shell->cursor = 0; kept > shell->item; kept--) {
        (void)machine->log_line(machine->context, &shell->cursor, shell->message);
    }
}
