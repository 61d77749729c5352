/*
 * Kernel threads. A thread is not interrupted by another one: it gives the CPU up at points of its
 * own choosing (thread_block, thread_yield, ...), and those who run long ask thread_should_yield at
 * such points. Interrupts stay as they are for the caller; each thread starts with them on.
 *
 * A thread belongs to one CPU at a time. When nothing can run there the CPU halts, with its alarm
 * set for the first sleeper, if there is one, and no tick otherwise.
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
#include <stdint.h>

#include "kernel/cpu/percpu.h"

#define THREAD_STACK_SIZE KERNEL_STACK_SIZE
#define THREAD_NAME_SIZE  40

struct thread;

/** Makes what this CPU runs now its idle thread; from then on it can have others. Each CPU, the
 * boot CPU first. */
void threads_start_cpu(void);
/** The rest of this CPU's idle thread: runs others, or halts. Interrupts off. */
_Noreturn void thread_idle(void);

/** A thread on `cpu` that runs `function` and ends when that returns. `name` is copied, and cut. It
 * can run at once. NULL when memory is short. */
struct thread *thread_create(const char *name, struct percpu *cpu, void (*function)(void *context),
                             void *context);
/** The thread that runs. */
struct thread *thread_current(void);
const char *thread_name(const struct thread *thread);
/** CPU time it has used, in ns, as of its last stop. */
uint64_t thread_run_time(const struct thread *thread);
/** Time in which it could have run and did not, in ns, as of its last start. Any CPU. */
uint64_t thread_wait_time(const struct thread *thread);
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
/** True if the current thread should call thread_yield soon; `now` in ns since boot. */
bool thread_should_yield(uint64_t now);
/** Until when the current thread may run on if nothing happens (ns since boot; TIME_NEVER: nobody
 * else wants the CPU). Whoever sets this CPU's alarm sets it no later. Interrupts off. */
uint64_t thread_slice_end(void);

/** The alarm's interrupt. In interrupt context. */
void thread_alarm(void);

#endif
