#include "manage/vm_cycles.h"

#include <errno.h>
#include <string.h>

#include "guest/vm.h"
#include "kernel/boot/boot_info.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "manage/vms.h"

/* Caches of the allocators and the kernel's page tables grow in the first ones. */
#define WARM_UP     8u
#define PATIENCE_NS UINT64_C(10000000000)
#define POLL_NS     UINT64_C(300000)
#define RUN_NS      UINT64_C(8000000)

/* Without a ring: nobody looks, so it never holds the guest up. */
static struct console guest_console;
/* Bytes, while there was nothing in the allocators' caches that it could use. */
static uint64_t taken_by_first;

/* 0, or -ETIMEDOUT. */
static int wait_end(const struct vm *vm)
{
    uint64_t limit = time_ns() + PATIENCE_NS;

    while (!vm_ended(vm)) {
        if (time_ns() > limit) {
            return -ETIMEDOUT;
        }
        thread_sleep_until(time_ns() + POLL_NS);
    }
    return 0;
}

static void pause_for(unsigned number, uint64_t most)
{
    thread_sleep_until(time_ns() + number * UINT64_C(7919) * 1000 % most);
}

/* The VM comes to be killed in all states that there are, after times of all lengths. */
static void disturb(struct vm *vm, unsigned number)
{
    pause_for(number, RUN_NS);
    if (number % 3 == 1) {
        (void)vm_pause(vm);
    }
    if (number % 2 == 1) {
        pause_for(number, POLL_NS);
    }
    if (number % 5 == 2) {
        (void)vm_reset(vm);
    }
    if (number % 4 > 1) {
        pause_for(number, POLL_NS);
        (void)vm_resume(vm);
    }
    if (number % 7 > 3) {
        pause_for(number, POLL_NS);
    }
}

static int cycle(const struct vm_description *description, const struct vm_images *images,
                 unsigned number)
{
    struct vm *vm;
    uint64_t frames = frames_free();
    char reason[MACHINE_REASON_SIZE];
    int error = vm_create(&vm, description, images, &guest_console, reason, sizeof(reason));

    if (error) {
        return error;
    }
    error = vm_start(vm);
    if (number == 0) {
        taken_by_first = (frames - frames_free()) * FRAME_SIZE - description->memory;
    }
    if (!error) {
        disturb(vm, number);
        (void)vm_kill(vm); /* it may have ended by itself */
    }
    if (wait_end(vm)) {
        return -ETIMEDOUT; /* somebody may still use it */
    }
    vm_destroy(vm);
    /* The last thread's stack is given back by whoever runs next on its CPU. */
    thread_sleep_until(time_ns() + POLL_NS);
    return error;
}

/* 0 without the option. */
static unsigned read_count(void)
{
    char text[8] = "";
    unsigned count = 0;

    boot_option("vm-cycles", text, sizeof(text));
    for (const char *c = text; *c >= '0' && *c <= '9'; c++) {
        count = count * 10 + (unsigned)(*c - '0');
    }
    return count;
}

static void run(void *context)
{
    /* As they were at first, whatever becomes of that VM. */
    static struct vm_description description;
    static struct image_set images;
    char reason[MACHINE_REASON_SIZE];
    struct managed_vm *vm;
    unsigned cycles = read_count();
    uint64_t frames = 0;
    size_t heap = 0;
    int error;

    (void)context;
    vms_lock();
    vm = vms_get(0);
    if (!vm) {
        vms_unlock();
        log_error("vm-cycles: this needs a VM that is described");
        return;
    }
    description = vm->description;
    error = image_set_take(&images, &description, false, reason, sizeof(reason));
    vms_unlock();
    if (error) {
        log_error("vm-cycles: %s", reason);
        return;
    }
    for (unsigned i = 0; i < WARM_UP + cycles; i++) {
        if (i == WARM_UP) {
            frames = frames_free();
            heap = heap_used();
        }
        error = cycle(&description, &images.images, i);
        if (error) {
            log_error("vm-cycles: failed in cycle %u: error %d", i, error);
            return;
        }
    }
    log_info("vm-cycles: the first VM took %lu bytes beside its memory", taken_by_first);
    log_info("vm-cycles: %u cycles: %lu frames free before, %lu after; heap %zu bytes before, %zu "
             "after: %s",
             cycles, frames, frames_free(), heap, heap_used(),
             frames == frames_free() && heap == heap_used() ? "all came back" : "some is lost");
}

void vm_cycles_start(void)
{
    struct thread *thread;

    if (read_count() == 0) {
        return;
    }
    thread = thread_create("cycles", run, NULL);
    if (!thread) {
        log_error("vm-cycles: no memory for its thread");
        return;
    }
    thread_start(thread);
}
