/*
 * Caps, reservations and affinity of entities. All for blocked entities only: a runnable one is
 * blocked, changed, placed and woken again, which costs it nothing, as its lag goes along. One
 * change at a time in the machine (the mechanism has a lock for it); no queue's lock is needed.
 */
#ifndef KERNEL_SCHED_SETTINGS_H
#define KERNEL_SCHED_SETTINGS_H

#include "kernel/sched/balance.h"
#include "kernel/sched/entity.h"

/** Whether it is a kernel thread that moves I/O. 0; -EINVAL if it has a cap or a reservation. */
int sched_set_io(struct sched_entity *entity, bool io);

/** Which CPUs it may run on. 0; -EINVAL if none of the machine's is among them; -EBUSY if it has a
 * reservation whose home is not. */
int sched_set_allowed(struct sched_machine *machine, struct sched_entity *entity,
                      const struct cpu_mask *allowed);

/** Makes it a member of a cap, or of none (NULL). 0; -EINVAL if it is an I/O thread; -EBUSY if its
 * reservation and the other members' are more than the cap. */
int sched_set_cap(struct sched_machine *machine, struct sched_entity *entity,
                  struct sched_cap *cap);

/** Changes a cap, whatever its members do; what they hold of it stays theirs. 0; -EINVAL if the
 * percent is out of range; -EBUSY if the members' reservations are more. */
int sched_set_cap_percent(struct sched_machine *machine, struct sched_cap *cap, uint32_t percent);

/**
 * Reserves `budget` ns in every `period` ns, on the allowed CPU of which the least is reserved;
 * that is its home from now on. Instead of a reservation it has already; a budget of 0 gives that
 * back.
 *
 * 0; -EINVAL for a period or budget out of range (reservation.h), or an I/O thread; -ENOSPC if no
 * allowed CPU has that much left to reserve; -EBUSY if its cap is less than that. On an error the
 * old reservation stays.
 */
int sched_reserve(struct sched_machine *machine, struct sched_entity *entity, uint64_t budget,
                  uint64_t period);

#endif
