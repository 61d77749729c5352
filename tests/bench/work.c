/*
 * The helper of the workloads, a static Linux program. What it can do is in usage().
 *
 * Started as /init it tells how long the kernel took from its entry, which the boot loader noted on
 * the command line, and goes on with the script of workloads.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/hypercall.h"
#include "guest/policy/cpuid.h"
#include "tests/bench/mark.h"
#include "tests/guests/runtime/cpu.h"
#include "virt/vm_exit.h"

#define SCRIPT     "/bench.sh"
#define BOCHS_PORT 0x8900

#define HYPERVISOR_PRESENT (1u << 31) /* CPUID.1:ECX */

static void usage(void)
{
    fputs("usage: work measure NAME COMMAND...  its ticks, and exits if the hypervisor tells\n"
          "       work spawn N                  fork, exec and wait, N times\n"
          "       work syscalls N               the cheapest system call, N times\n"
          "       work off                      ends the machine\n",
          stderr);
    exit(2);
}

static void print_row(const char *name, uint64_t ticks)
{
    printf("row %s %" PRIu64 " %" PRIu64 "\n", name, ticks, ticks);
    fflush(stdout);
}

static bool under_innkeeper(void)
{
    struct cpuid answer;

    if ((cpuid(1, 0).ecx & HYPERVISOR_PRESENT) == 0) {
        return false;
    }
    answer = cpuid(CPUID_OWN_NAME, 0);
    return memcmp(&answer.ebx, "Inn", 3) == 0;
}

/* Of this kind so far. Only Innkeeper knows the hypercall, for guests that may test it. */
static uint64_t exit_count(unsigned kind)
{
    return vmcall(HYPERCALL_TEST + HYPERCALL_EXIT_COUNT, kind, 0, 0);
}

static void read_exits(uint64_t counts[VM_EXIT_KINDS])
{
    for (unsigned kind = 0; kind < VM_EXIT_KINDS; kind++) {
        counts[kind] = exit_count(kind);
    }
}

static void print_exits(const char *name, const uint64_t before[VM_EXIT_KINDS])
{
    static uint64_t after[VM_EXIT_KINDS];

    read_exits(after);
    printf("exits %s", name);
    for (unsigned kind = 0; kind < VM_EXIT_KINDS; kind++) {
        uint64_t count = after[kind] - before[kind];

        if (count > 0 && kind != VM_EXIT_HYPERCALL) { /* those are our own */
            printf(" %s=%" PRIu64, vm_exit_kind_name((enum vm_exit_kind)kind), count);
        }
    }
    printf("\n");
}

/* From here on exits are counted, by us under Innkeeper, by KVM's launcher under KVM. */
static void begin_exits(uint64_t before[VM_EXIT_KINDS])
{
    outb(MARK_PORT, 1);
    if (under_innkeeper()) {
        read_exits(before);
    }
}

static void end_exits(const char *name, const uint64_t before[VM_EXIT_KINDS])
{
    outb(MARK_PORT, 0);
    if (under_innkeeper()) {
        print_exits(name, before);
    }
}

static int run(char *const command[])
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("work");
        exit(1);
    }
    return status;
}

static void measure(const char *name, char *const command[])
{
    static uint64_t before[VM_EXIT_KINDS];
    uint64_t start;
    uint64_t end;
    int status;

    begin_exits(before);
    start = rdtsc();
    status = run(command);
    end = rdtsc();
    end_exits(name, before);
    if (status != 0) {
        printf("FAIL %s: status 0x%x\n", name, (unsigned)status);
        return;
    }
    print_row(name, end - start);
}

static void spawn(unsigned long count)
{
    static char program[] = "/work";
    static char argument[] = "nothing";
    char *const nothing[] = {program, argument, NULL};

    while (count-- > 0) {
        if (run(nothing) != 0) {
            exit(1);
        }
    }
}

static void call_system(unsigned long count)
{
    while (count-- > 0) {
        syscall(SYS_getppid);
    }
}

static void turn_off(void)
{
    outl(DEBUG_EXIT_PORT, 0);
    for (const char *c = "Shutdown"; *c != '\0'; c++) {
        outb(BOCHS_PORT, (uint8_t)*c);
    }
}

/* What the boot loader saw of the TSC. */
static uint64_t entry_time(void)
{
    static const char key[] = "bench.tsc=";
    static char line[2048];
    FILE *file = fopen("/proc/cmdline", "r");
    const char *value;

    if (!file || !fgets(line, sizeof(line), file)) {
        return 0;
    }
    fclose(file);
    value = strstr(line, key);
    return value ? strtoull(value + sizeof(key) - 1, NULL, 10) : 0;
}

static void init(uint64_t now)
{
    static const uint64_t none[VM_EXIT_KINDS];
    uint64_t entry;

    end_exits("linux_boot", none);
    mount("proc", "/proc", "proc", 0, NULL);
    entry = entry_time();
    if (entry > 0) {
        print_row("linux_boot", now - entry);
    }
    execl("/bin/sh", "sh", SCRIPT, NULL);
    perror("/bin/sh");
}

int main(int count, char **arguments)
{
    uint64_t now = rdtsc();
    const char *what = count > 1 ? arguments[1] : "";

    if (syscall(SYS_iopl, 3) != 0) {
        perror("iopl");
        return 1;
    }
    if (strcmp(arguments[0], "/init") == 0) {
        init(now);
    } else if (strcmp(what, "measure") == 0 && count > 3) {
        measure(arguments[2], arguments + 3);
    } else if (strcmp(what, "spawn") == 0 && count == 3) {
        spawn(strtoul(arguments[2], NULL, 10));
    } else if (strcmp(what, "syscalls") == 0 && count == 3) {
        call_system(strtoul(arguments[2], NULL, 10));
    } else if (strcmp(what, "off") == 0) {
        turn_off();
    } else if (strcmp(what, "nothing") != 0) {
        usage();
    }
    return 0;
}
