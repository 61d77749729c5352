#include "kernel/selftest_threads.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/mutex.h"
#include "kernel/smp.h"
#include "kernel/thread.h"
#include "kernel/time.h"

#define ROUNDS         200u
#define GENERATIONS    50u
#define SLEEP_NS       UINT64_C(3000000)
#define PATIENCE_NS    UINT64_C(5000000000)
#define MUTEX_SLEEP_NS UINT64_C(50000)

static struct thread *_Atomic judge;

/* Two that take turns. */
static struct player {
    struct thread *_Atomic thread;
    struct player *other;
    atomic_uint turns;
    atomic_bool done;
} players[2];

static unsigned failures;

static void check(bool condition, const char *what)
{
    if (!condition) {
        log_error("selftest threads: %s", what);
        failures++;
    }
}

/* Starts a thread on that CPU, before anybody can see that it runs. */
static bool start_on(struct percpu *cpu, struct thread *_Atomic *where, const char *name,
                     void (*function)(void *context), void *context)
{
    struct cpu_mask only = cpu_mask_of(cpu->index);
    struct thread *thread = thread_create(name, function, context);

    check(thread, "there is memory for threads");
    if (!thread) {
        return false;
    }
    check(thread_set_cpus(thread, &only) == 0, "a CPU that runs can be chosen");
    if (where) {
        atomic_store(where, thread);
    }
    thread_start(thread);
    return true;
}

static void play(void *context)
{
    struct player *self = context;

    for (unsigned turn = 0; turn < ROUNDS; turn++) {
        atomic_store(&self->turns, turn + 1);
        thread_wake(self->other->thread);
        while (atomic_load(&self->other->turns) <= turn) {
            thread_block();
        }
    }
    atomic_store(&self->done, true);
    thread_wake(judge);
}

static void wait_for(const atomic_bool *flag)
{
    uint64_t deadline = time_ns() + PATIENCE_NS;

    while (!atomic_load(flag) && time_ns() < deadline) {
        thread_block_until(deadline);
    }
}

/* A wake-up that is lost leaves both waiting for ever. */
static void test_wake(struct percpu *first, struct percpu *second)
{
    struct percpu *const cpus[2] = {first, second};

    for (unsigned i = 0; i < 2; i++) {
        atomic_store(&players[i].turns, 0);
        atomic_store(&players[i].done, false);
        players[i].other = &players[1 - i];
    }
    players[0].thread = judge; /* whom an early second player wakes in vain */
    if (!start_on(cpus[1], &players[1].thread, "second", play, &players[1]) ||
        !start_on(cpus[0], &players[0].thread, "first", play, &players[0])) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        wait_for(&players[i].done);
        check(atomic_load(&players[i].done), "a wake-up was lost");
    }
}

static atomic_uint ended;

static void end(void *context)
{
    (void)context;
    atomic_fetch_add(&ended, 1);
    thread_wake(judge);
}

static void one_generation(void)
{
    uint64_t deadline = time_ns() + PATIENCE_NS;

    atomic_store(&ended, 0);
    for (unsigned i = 0; i < smp_count(); i++) {
        (void)start_on(smp_cpu(i), NULL, "short", end, NULL);
    }
    while (atomic_load(&ended) < smp_count() && time_ns() < deadline) {
        thread_block_until(deadline);
    }
    check(atomic_load(&ended) == smp_count(), "a thread did not run");
    /* The last have said so, but must still leave their stacks. */
    thread_sleep_until(time_ns() + SLEEP_NS);
}

static void test_ends(void)
{
    size_t heap;
    uint64_t frames;

    one_generation();
    heap = heap_used();
    frames = frames_free();
    for (unsigned i = 0; i < GENERATIONS; i++) {
        one_generation();
    }
    check(heap_used() == heap, "threads that end leave memory of the heap behind");
    check(frames_free() == frames, "threads that end leave frames behind");
}

static void test_sleep(void)
{
    uint64_t deadline = time_ns() + SLEEP_NS;
    uint64_t late;

    thread_wake(thread_current());
    thread_sleep_until(deadline);
    late = time_ns() - deadline;
    check(late < SLEEP_NS, "a sleeper woke too early or much too late");
    check(thread_block_until(TIME_NEVER), "a wake was lost in a sleep");
    check(!thread_block_until(time_ns() + SLEEP_NS), "a wake that nobody sent");
    log_info("selftest threads: woke %lu ns after its time", late);
}

static struct mutex mutex;
/* Guarded by it. */
static unsigned inside;
static unsigned passes;
static unsigned overlaps;

/* Sleeps now and then while it has the mutex, so that the others queue up. */
static void contend(void *context)
{
    (void)context;
    for (unsigned round = 0; round < ROUNDS; round++) {
        mutex_lock(&mutex);
        overlaps += inside++ != 0;
        if (round % 8 == 0) {
            thread_yield();
        }
        if (round % 64 == 0) {
            thread_sleep_until(time_ns() + MUTEX_SLEEP_NS);
        }
        overlaps += --inside != 0;
        passes++;
        mutex_unlock(&mutex);
    }
    atomic_fetch_add(&ended, 1);
    thread_wake(judge);
}

static void test_mutex(void)
{
    uint64_t deadline = time_ns() + PATIENCE_NS;
    unsigned started = 0;

    atomic_store(&ended, 0);
    for (unsigned i = 0; i < 2 * smp_count(); i++) {
        started += start_on(smp_cpu(i % smp_count()), NULL, "contender", contend, NULL);
    }
    while (atomic_load(&ended) < started && time_ns() < deadline) {
        thread_block_until(deadline);
    }
    check(atomic_load(&ended) == started, "a mutex was not handed on");
    mutex_lock(&mutex);
    check(mutex_is_mine(&mutex), "a mutex has no owner");
    check(overlaps == 0, "two threads had a mutex at the same time");
    check(passes == started * ROUNDS, "what a mutex guards was changed by two at the same time");
    mutex_unlock(&mutex);
}

static void run(void *context)
{
    (void)context;
    test_sleep();
    for (unsigned i = 0; i < smp_count(); i++) {
        test_wake(this_cpu(), smp_cpu(i));
    }
    test_mutex();
    test_ends();
    selftest_measure_scheduler();
    log_info("selftest threads: %s on %u CPUs", failures ? "FAILED" : "passed", smp_count());
}

void selftest_threads(void)
{
    (void)start_on(this_cpu(), &judge, "judge", run, NULL);
}
