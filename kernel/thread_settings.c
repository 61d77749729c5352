/* How much of the CPUs a thread gets, and of which. */
#include <errno.h>
#include <stddef.h>

#include "kernel/cpu/interrupts.h"
#include "kernel/memory/heap.h"
#include "kernel/sched/settings.h"
#include "kernel/thread_internal.h"
#include "kernel/time.h"

/* In memory of its own: it goes with the last of its threads and its maker, whoever is last. */
struct thread_cap {
    struct sched_cap cap;
    unsigned references;
};

/* For all settings but weights: what is reserved and who is under which cap is one for the machine.
 * Taken with a scheduler's lock held or without, interrupts off. */
static struct spinlock lock;

static bool lock_settings(void)
{
    bool interrupts = interrupts_save();

    spin_lock(&lock);
    return interrupts;
}

static void unlock_settings(bool interrupts)
{
    spin_unlock(&lock);
    interrupts_restore(interrupts);
}

int thread_set_cpus(struct thread *thread, const struct cpu_mask *cpus)
{
    bool interrupts = lock_settings();
    int error = sched_set_allowed(&scheduler_machine, &thread->entity, cpus);

    unlock_settings(interrupts);
    return error;
}

int thread_set_io(struct thread *thread)
{
    bool interrupts = lock_settings();
    int error = sched_set_io(&thread->entity, true);

    unlock_settings(interrupts);
    return error;
}

int thread_reserve(struct thread *thread, uint64_t budget, uint64_t period)
{
    bool interrupts = lock_settings();
    int error = sched_reserve(&scheduler_machine, &thread->entity, budget, period);

    unlock_settings(interrupts);
    return error;
}

int thread_set_weight(struct thread *thread, uint32_t weight)
{
    struct scheduler *scheduler;
    bool interrupts;

    if (weight < SCHED_WEIGHT_MIN || weight > SCHED_WEIGHT_MAX) {
        return -EINVAL;
    }
    interrupts = interrupts_save();
    scheduler = scheduler_lock_of(thread);
    scheduler_apply(scheduler,
                    sched_set_weight(&scheduler->queue, &thread->entity, weight, time_ns()));
    spin_unlock(&scheduler->lock);
    interrupts_restore(interrupts);
    return 0;
}

struct thread_cap *thread_cap_create(uint32_t percent)
{
    struct thread_cap *cap = kzalloc(sizeof(*cap));

    if (cap && cap_init(&cap->cap, percent) != 0) {
        kfree(cap);
        return NULL;
    }
    if (cap) {
        cap->references = 1;
    }
    return cap;
}

int thread_cap_set_percent(struct thread_cap *cap, uint32_t percent)
{
    bool interrupts = lock_settings();
    int error = sched_set_cap_percent(&scheduler_machine, &cap->cap, percent);

    unlock_settings(interrupts);
    return error;
}

void thread_cap_release(struct thread_cap *cap)
{
    bool interrupts = lock_settings();
    bool last = --cap->references == 0;

    unlock_settings(interrupts);
    if (last) {
        kfree(cap);
    }
}

int thread_set_cap(struct thread *thread, struct thread_cap *cap)
{
    bool interrupts = lock_settings();
    int error = sched_set_cap(&scheduler_machine, &thread->entity, &cap->cap);

    if (error == 0) {
        thread->cap = cap;
        cap->references++;
    }
    unlock_settings(interrupts);
    return error;
}

void thread_release_settings(struct thread *thread)
{
    struct thread_cap *cap = thread->cap;
    bool interrupts = lock_settings();

    (void)sched_reserve(&scheduler_machine, &thread->entity, 0, 0);
    (void)sched_set_cap(&scheduler_machine, &thread->entity, NULL);
    unlock_settings(interrupts);
    if (cap) {
        thread_cap_release(cap);
    }
}
