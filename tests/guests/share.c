/*
 * Keeps a CPU as busy as it can, in the way that a word on the command line names, and tells which
 * part of the time it had it: what the work took by itself, as its shortest pieces say, to what
 * passed. "length=N": it ends after N G ticks of the TSC, 5 unless given.
 */
#include "guest/hypercall.h"
#include "tests/guests/runtime/cpu.h"
#include "tests/guests/runtime/runtime.h"

#define GIGA           UINT64_C(1000000000)
#define DEFAULT_LENGTH 5

static void compute(void)
{
    for (unsigned i = 0; i < 1000; i++) {
        __asm__ volatile("" : : "r"(i));
    }
}

static void do_cpuid(void)
{
    for (unsigned i = 0; i < 20; i++) {
        cpuid(0, 0);
    }
}

static void do_vmcall(void)
{
    for (unsigned i = 0; i < 20; i++) {
        vmcall(UINT64_MAX, 0, 0, 0);
    }
}

static void do_pause(void)
{
    for (unsigned i = 0; i < 1000; i++) {
        __asm__ volatile("pause");
    }
}

static const struct {
    const char *word;
    void (*piece)(void);
} kinds[] = {{"compute", compute}, {"cpuid", do_cpuid}, {"vmcall", do_vmcall}, {"pause", do_pause}};

static void use(const char *word, void (*piece)(void), uint64_t length)
{
    uint64_t start = rdtsc();
    uint64_t now = start;
    uint64_t least = UINT64_MAX;
    uint64_t pieces = 0;
    uint64_t share;

    while (now - start < length) {
        uint64_t before = now;

        piece();
        pieces++;
        now = rdtsc();
        if (now - before < least) {
            least = now - before;
        }
    }
    share = pieces * least / ((now - start) / 10000);
    print("%s had %d of 10000 parts\n", word, (int)share);
}

void prepare(void)
{
    int length = command_line_number("length");

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (command_line_has(kinds[i].word)) {
            use(kinds[i].word, kinds[i].piece,
                (uint64_t)(length > 0 ? length : DEFAULT_LENGTH) * GIGA);
            exit_guest(0);
        }
    }
    print("what to do is not on the command line\n");
    exit_guest(1);
}
