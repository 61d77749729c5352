/*
 * What the simulator measures: waits against their bound, caps over every window.
 */
#ifndef TESTS_UNIT_SCHED_MEASURE_H
#define TESTS_UNIT_SCHED_MEASURE_H

#include "tests/unit/sched/simulator.h"

/** A member of the cap starts or stops to run. */
void simulator_measure_cap(const struct simulator *simulator, struct simulated_cap *cap);

/** The vCPU has woken, on its queue: takes down the bound of its wait as policy.h states it. */
void simulator_start_waiting(struct simulator *simulator, struct simulated_vcpu *vcpu);

/** It runs. */
void simulator_stop_waiting(struct simulator *simulator, struct simulated_vcpu *vcpu);

/** Someone has come to a queue or left it: the bounds of those who wait there grow by that. */
void simulator_queue_changed(struct simulator *simulator, const struct run_queue *queue,
                             const struct sched_entity *who, bool comes);

/** Adds to the time it could run, before that changes. */
void simulator_count_runnable(struct simulator *simulator, struct simulated_vcpu *vcpu);

#endif
