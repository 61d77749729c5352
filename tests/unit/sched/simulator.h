/*
 * A machine that exists as numbers only, to run the scheduler's policy on: discrete events, exact
 * alarms, inter-processor interrupts and switches that take no time.
 */
#ifndef TESTS_UNIT_SCHED_SIMULATOR_H
#define TESTS_UNIT_SCHED_SIMULATOR_H

#include "kernel/sched/policy.h"
#include "kernel/sched/settings.h"

#define MICROSECOND 1000ul
#define MILLISECOND 1000000ul
#define SECOND      1000000000ul

/* Lengths of a slice with which everything is simulated. */
#define SIMULATED_SLICES 3u
extern const uint64_t simulated_slices[SIMULATED_SLICES];

struct simulator;

/* What is known about a cap's members together, to find the window in which they ran most. */
struct simulated_cap {
    struct sched_cap cap;
    unsigned members;
    struct simulated_vcpu *first; /* the others follow through next_member */
    int64_t least;                /* of what they ran less what the cap allows, * 100 */
    int64_t worst;                /* most that was run beyond the cap in any window, ns */
};

struct simulated_vcpu {
    struct sched_entity entity; /* first */
    uint32_t number;

    /* Behaviour: runs for a burst, sleeps, and so on; burst_most 0: never sleeps. */
    uint64_t burst_least;
    uint64_t burst_most;
    uint64_t sleep_least;
    uint64_t sleep_most;
    uint64_t period; /* instead of sleeping so long: wakes at least so long after it last woke */
    uint64_t yield_every; /* ns of run time; 0: never */

    struct simulated_cap *cap;
    struct simulated_vcpu *next_member;

    /* State. */
    uint64_t burst_end; /* run time at which it sleeps */
    uint64_t yield_at;  /* run time at which it yields */
    uint64_t woken_at;
    bool waits;     /* has not run since */
    uint64_t bound; /* of the wait, as in policy.h but for what is reserved */
    uint64_t debt;

    /* Measured. */
    bool watched;         /* check the wait against the bound */
    uint64_t runnable;    /* ns until runnable_counted_at */
    uint64_t runnable_at; /* when it was last counted */
    uint64_t wakes;
    uint64_t longest_wait;
    double worst_part_of_bound; /* greatest wait / bound */
    uint64_t latest;            /* `period`: longest from waking to the end of the burst */
};

struct simulator {
    struct sched_machine machine;
    struct run_queue *queues;
    struct run_queue **queue_table;
    uint64_t now;
    uint32_t cpus;
    struct simulated_vcpu **vcpus;
    uint32_t vcpu_count;

    /* Heap of what happens next: CPUs, then vCPUs that sleep. */
    uint64_t *times;
    uint32_t *heap;
    uint32_t *place; /* of each in the heap */
    uint64_t random;

    uint64_t events;
    uint64_t picks;
    uint64_t switches;
};

/** At most `vcpus` vCPUs can be added; the time starts at one second. */
struct simulator *simulator_new(uint32_t cpus, uint32_t vcpus, const struct sched_config *config);
void simulator_free(struct simulator *simulator);

/** A vCPU that is blocked and will stay so until simulator_wake. */
struct simulated_vcpu *simulator_add(struct simulator *simulator, uint32_t weight, bool io);
void simulator_join_cap(struct simulator *simulator, struct simulated_vcpu *vcpu,
                        struct simulated_cap *cap);
void simulator_wake(struct simulator *simulator, struct simulated_vcpu *vcpu);
void simulator_block(struct simulator *simulator, struct simulated_vcpu *vcpu);
void simulator_set_weight(struct simulator *simulator, struct simulated_vcpu *vcpu,
                          uint32_t weight);

/** Runs until `time`, and charges all that run. */
void simulator_run(struct simulator *simulator, uint64_t time);

/** All CPUs go on with what they do for `ns`, and then have an alarm. Nobody may sleep. */
void simulator_stall(struct simulator *simulator, uint64_t ns);

/** CPU time it has had until now. */
uint64_t simulator_run_time(const struct simulator *simulator, const struct simulated_vcpu *vcpu);

/** Uniform in [least, most]. */
uint64_t simulator_random(struct simulator *simulator, uint64_t least, uint64_t most);

#endif
