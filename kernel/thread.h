/*
 * Kernel threads. A thread is not interrupted by another one: it gives the CPU up at points of its
 * own choosing (thread_block, thread_yield, ...), and those who run long look at thread_slice_end
 * at such points. Interrupts stay as they are for the caller; each thread starts with them on.
 *
 * A thread belongs to one CPU at a time and goes to others, if it may, where it gets more; never
 * while it runs. When nothing can run on a CPU it halts, with its alarm set for the first sleeper,
 * if there is one, and no tick otherwise. Who runs, and for how long: docs/scheduler.md.
 *
 * Waiting without losing a wake-up:
 *
 *   while (!condition)
 *       thread_block();
 *
 * and whoever makes the condition true does so before it calls thread_wake: a wake that comes
 * between the look and the block makes the block return at once.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/cpu/percpu.h"
#include "kernel/sched/cpu_mask.h"

#define THREAD_STACK_SIZE KERNEL_STACK_SIZE
#define THREAD_NAME_SIZE  40

struct thread;

/** Makes what this CPU runs now its idle thread; from then on it can have others. Each CPU, the
 * boot CPU first. */
void threads_start_cpu(void);
/** Threads run on all CPUs that run by now. Once, by the boot CPU, before there are threads. */
void threads_use_cpus(void);
/** The rest of this CPU's idle thread: runs others, or halts. Interrupts off. */
_Noreturn void thread_idle(void);

/** A thread that will run `function` and end when that returns. `name` is copied, and cut. It may
 * run on any CPU, until something else is set below. NULL when memory is short. */
struct thread *thread_create(const char *name, void (*function)(void *context), void *context);
/** Likewise, with so many bytes of stack, a multiple of 4 KiB, in the place of THREAD_STACK_SIZE.
 */
struct thread *thread_create_with_stack(size_t stack_size, const char *name,
                                        void (*function)(void *context), void *context);
/** Lets it run. Once. */
void thread_start(struct thread *thread);
/** The thread that runs. */
struct thread *thread_current(void);
const char *thread_name(const struct thread *thread);
/** CPU time it has used, in ns. Any CPU. */
uint64_t thread_run_time(const struct thread *thread);
/** Time in which it could have run and did not, in ns, as of its last start. Any CPU. */
uint64_t thread_wait_time(const struct thread *thread);
/** When it became able to run, as of its last block; ns since boot. By itself. */
uint64_t thread_woken_at(const struct thread *thread);
/** How often it has changed CPUs while it could run. Any CPU. */
uint64_t thread_migrations(const struct thread *thread);
/** Index of the CPU it belongs to now. Any CPU. */
unsigned thread_cpu(const struct thread *thread);
/** Time for which a CPU has run threads, in ns. Any CPU. */
uint64_t thread_busy_time(const struct percpu *cpu);
/** Ends the current thread. Its memory is given back once it has left its stack. */
_Noreturn void thread_exit(void);

/** Waits until thread_wake is or was called for the current thread since its last block. */
void thread_block(void);
/** Likewise, but no longer than until `deadline` (ns since boot). True if it was woken. */
bool thread_block_until(uint64_t deadline);
/** Waits until `deadline`, woken or not: a wake counts for the next block. */
void thread_sleep_until(uint64_t deadline);
/** Wakes a thread: a block of its ends, now or when it comes to one. Any context but NMI. The
 * thread must not have ended. */
void thread_wake(struct thread *thread);

/** Lets others run that are to run before the current thread goes on. */
void thread_yield(void);
/** Lets others run first, once, if they are not owed less than nothing: `favoured` if it waits on
 * this CPU (NULL: nobody in particular). */
void thread_yield_to(struct thread *favoured);
/** True if the thread waits for this CPU; true of a moment ago. */
bool thread_waits_here(const struct thread *thread);
/** Until when the current thread may run on if nothing happens (ns since boot; 0: it should call
 * thread_yield soon; TIME_NEVER: nobody else wants the CPU). Whoever sets this CPU's alarm sets it
 * no later. Interrupts off. */
uint64_t thread_slice_end(void);
/** True if the current thread should call thread_yield soon; `now` in ns since boot. */
static inline bool thread_should_yield(uint64_t now)
{
    return now >= thread_slice_end();
}

/** The alarm's interrupt. In interrupt context. */
void thread_alarm(void);

/* Settings. All but weights and the percentage of a cap only before thread_start. */

/** Each has CPU time in proportion to it (1 to 10000; 100 if nothing is set). Any time. 0 or
 * -EINVAL.
 */
int thread_set_weight(struct thread *thread, uint32_t weight);
/** On which CPUs it may run. 0; -EINVAL if the machine has none of them; -EBUSY if it has time
 * reserved on another. */
int thread_set_cpus(struct thread *thread, const struct cpu_mask *cpus);
/** It moves I/O for others: it comes first, within bounds (docs/scheduler.md). 0, or -EINVAL if it
 * has a cap or a reservation. */
int thread_set_io(struct thread *thread);
/** It has `budget` ns in each `period` ns, on one of its CPUs, whatever the others do. 0; -EINVAL
 * if they are out of range (kernel/sched/reservation.h); -ENOSPC if no CPU has that much left;
 * -EBUSY if its cap is less. */
int thread_reserve(struct thread *thread, uint64_t budget, uint64_t period);

/* A ceiling for some threads together, in percent of one CPU. */
struct thread_cap;
/** NULL when memory is short, or `percent` is not within 1 to 100000. */
struct thread_cap *thread_cap_create(uint32_t percent);
/** Its maker needs it no more; it is gone when no thread is under it. */
void thread_cap_release(struct thread_cap *cap);
/** 0; -EINVAL if it is out of range; -EBUSY if less than what its threads have reserved. Any time.
 */
int thread_cap_set_percent(struct thread_cap *cap, uint32_t percent);
/** Puts a thread that has no cap under this one. 0; -EINVAL if it moves I/O; -EBUSY if what is
 * reserved would be more than the cap. */
int thread_set_cap(struct thread *thread, struct thread_cap *cap);

#endif
