/* What the scheduler costs, in ticks of the TSC. */
#include <stddef.h>
#include <stdint.h>

#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/heap.h"
#include "kernel/sched/policy.h"
#include "kernel/selftest_threads.h"
#include "kernel/thread.h"
#include "kernel/time.h"

#define ROUNDS 1000u
#define PICKS  2000u
#define SLICE  UINT64_C(2000000) /* ns */

/* One goes on where the other stops. */
static struct thread *measurer;
static struct thread *partner;
static uint64_t stopped_at;
static uint64_t ticks;
static unsigned switches;

static bool start_here(const char *name, void (*function)(void *context))
{
    struct cpu_mask here = cpu_mask_of(this_cpu()->index);

    measurer = thread_current();
    ticks = 0;
    switches = 0;
    partner = thread_create(name, function, NULL);
    if (!partner || thread_set_cpus(partner, &here) != 0) {
        log_error("selftest threads: no memory to measure");
        return false;
    }
    thread_start(partner);
    return true;
}

/* Yields until it has been enough. Not every yield is a switch. */
static void yield_in_turn(void *context)
{
    static struct thread *last;

    while (switches < ROUNDS) {
        uint64_t now = rdtsc();

        if (last != thread_current()) {
            last = thread_current();
            ticks += now - stopped_at;
            switches++;
        }
        stopped_at = rdtsc();
        thread_yield_to(NULL);
    }
    if (context) {
        thread_wake(measurer);
    }
}

static void measure_switch(void)
{
    if (start_here("yields", yield_in_turn)) {
        stopped_at = rdtsc();
        thread_yield_to(NULL);
        yield_in_turn(NULL);
        log_info("selftest threads: %lu ticks a switch", ticks / ROUNDS);
        thread_sleep_until(time_ns() + SLICE); /* until the other is gone */
    }
}

static void is_woken_in_turn(void *context)
{
    (void)context;
    for (unsigned i = 0; i < ROUNDS; i++) {
        thread_block();
        ticks += rdtsc() - stopped_at;
        thread_wake(measurer);
    }
}

static void measure_wake(void)
{
    uint64_t waking = 0;

    if (!start_here("is woken", is_woken_in_turn)) {
        return;
    }
    thread_yield_to(NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t start = rdtsc();

        thread_wake(partner);
        stopped_at = rdtsc();
        waking += stopped_at - start;
        thread_block();
    }
    log_info("selftest threads: %lu ticks to wake, %lu from a block to the next who runs",
             waking / ROUNDS, ticks / ROUNDS);
}

/* The policy by itself, with so many who can run, in a time of its own: everyone has a slice. */
static void measure_pick(unsigned count)
{
    const struct sched_config config = sched_config_for_slice(SLICE);
    struct sched_machine *machine = kmalloc(sizeof(*machine));
    struct run_queue *queue = kmalloc(sizeof(*queue));
    struct sched_entity *entities = kmalloc(count * sizeof(*entities));
    struct run_queue *queues[1] = {queue};
    uint64_t now = SLICE;
    uint64_t start;

    if (machine && queue && entities) {
        sched_machine_init(machine, &config);
        sched_queue_init(queue, machine, 0, 0, now);
        sched_machine_set_queues(machine, queues, 1);
        for (unsigned i = 0; i < count; i++) {
            sched_entity_init(machine, &entities[i]);
            (void)sched_set_weight(queue, &entities[i], 100 + i % 7 * 50, now);
            (void)sched_wake(queue, &entities[i], now);
        }
        for (unsigned i = 0; i < PICKS; i++) {
            now += SLICE;
            (void)sched_pick(queue, now);
        }
        start = rdtsc();
        for (unsigned i = 0; i < PICKS; i++) {
            now += SLICE;
            (void)sched_pick(queue, now);
        }
        log_info("selftest threads: %lu ticks a pick with %u runnable", (rdtsc() - start) / PICKS,
                 count);
    } else {
        log_error("selftest threads: no memory to measure");
    }
    kfree(entities);
    kfree(queue);
    kfree(machine);
}

void selftest_measure_scheduler(void)
{
    measure_switch();
    measure_wake();
    measure_pick(10);
    measure_pick(1000);
}
