/*
 * How the bench guest measures. A row is
 *
 *     row NAME LEAST MEAN
 *
 * in ticks of the TSC, over many rounds of one operation, less what the measuring itself takes.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/runtime.h"
#include "tests/guests/runtime/traps.h"

#define WARM_UP 8
#define ROUNDS  64

struct ticks {
    uint64_t least;
    uint64_t sum;
    unsigned rounds;
};

#define NO_TICKS ((struct ticks){.least = UINT64_MAX})

/** One more round. */
static inline void add_round(struct ticks *ticks, uint64_t round)
{
    ticks->least = round < ticks->least ? round : ticks->least;
    ticks->sum += round;
    ticks->rounds++;
}

/* The rounds of `operation`, two readings of the TSC included. */
#define ROUNDS_OF(operation)                     \
    ({                                           \
        struct ticks rounds = NO_TICKS;          \
                                                 \
        for (unsigned i = 0; i < WARM_UP; i++) { \
            operation;                           \
        }                                        \
        for (unsigned i = 0; i < ROUNDS; i++) {  \
            uint64_t start = rdtsc();            \
            operation;                           \
            add_round(&rounds, rdtsc() - start); \
        }                                        \
        rounds;                                  \
    })
#define MEASURE(name, operation)                   \
    do {                                           \
        struct ticks found = ROUNDS_OF(operation); \
        report(name, &found);                      \
    } while (0)

/** Prints a row, less two readings of the TSC. */
void report(const char *name, const struct ticks *ticks);
/** Prints a row whose rounds hold no such readings. */
void report_plain(const char *name, const struct ticks *ticks);

/** In a virtual machine, whoever runs it? */
bool is_guest(void);
/** Told by cpus=2 on the command line. */
bool has_second_cpu(void);

/* Memory that nobody touches before its row: the image and the boot information lie below it. */
#define UNTOUCHED        UINT64_C(0x400000)
#define UNTOUCHED_MIDDLE UINT64_C(0x2000000)
#define UNTOUCHED_END    UINT64_C(0x2400000)

#define VECTOR 0x41

/** Interrupts so far, and when the last one's handler began, where the handler notes it. */
extern volatile unsigned interrupts;
extern volatile uint64_t interrupted_at;

/* Handlers that do as little as they can: count and end the interrupt, by the local APIC's memory
 * or its MSR; or note the time first. */
void use_xapic_handler(void);
void use_x2apic_handler(void);
void use_timing_handler(void);
void install_gate(unsigned vector, uint64_t handler);

/** Until there was one interrupt more than `seen`: with interrupts on, or by HLT. Interrupts are
 * off before and after. */
void await_running(unsigned seen);
void await_halted(unsigned seen);

#endif
