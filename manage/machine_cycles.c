#include "manage/machine_cycles.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/boot/boot_info.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "manage/machine.h"

/* Caches of the allocators, the windows' page tables and stacks grow in the first ones. */
#define WARM_UP     8u
#define RUN_NS      UINT64_C(4000000)
#define POLL_NS     UINT64_C(1000000)
#define PATIENCE_NS UINT64_C(5000000000)

/* What is uploaded ends with so many bytes of nothing, in turn. */
#define PADDING UINT64_C(3000000)
#define PIECE   50000u

#define NAME "cycled"

static char reason[MACHINE_REASON_SIZE];
static uint8_t zeroes[PIECE];

static void pause_for(unsigned number, uint64_t most)
{
    thread_sleep_until(time_ns() + number * UINT64_C(7919) * 1000 % most);
}

static int upload(const struct boot_module *module, unsigned number, bool complete)
{
    uint64_t length = module->size + number % 4 * PADDING / 4;
    const uint8_t *bytes = module->data;
    void *image;
    int error = machine()->image_begin(NAME, number % 3 == 0 ? UINT64_MAX : length, &image, reason,
                                       sizeof(reason));

    if (error) {
        return error;
    }
    for (uint64_t at = 0; at < length && !error; at += PIECE) {
        uint64_t part = length - at < PIECE ? length - at : PIECE;
        uint64_t of_module = at >= module->size ? 0 : module->size - at;

        of_module = of_module < part ? of_module : part;
        if (of_module > 0) {
            error = machine()->image_data(image, bytes + at, of_module, reason, sizeof(reason));
        }
        if (!error && of_module < part) {
            error = machine()->image_data(image, zeroes, part - of_module, reason, sizeof(reason));
        }
        if (!complete && at > length / 2) {
            break;
        }
    }
    if (!error) {
        error = machine()->image_end(image, complete, reason, sizeof(reason));
    }
    return error;
}

static int define(const char *cmdline, unsigned vcpus)
{
    char text[512];
    char name[DESCRIPTION_NAME_SIZE];

    snprintf(text, sizeof(text),
             "{\"name\": \"" NAME "\", \"memory\": \"8M\", \"vcpus\": %u,\n"
             " \"multiboot\": {\"image\": \"" NAME "\", \"cmdline\": \"%.200s\"}}",
             vcpus, cmdline);
    return machine()->define(text, strlen(text), name, reason, sizeof(reason));
}

static int act(enum machine_action action)
{
    uint64_t task;

    return machine()->act(NAME, action, &task, reason, sizeof(reason));
}

/* Some of these are refused, as the guest may end by itself at any time. */
static void disturb(unsigned number)
{
    static const enum machine_action actions[] = {
        MACHINE_PAUSE, MACHINE_RESUME,       MACHINE_RESET, MACHINE_POWER_CYCLE,
        MACHINE_NMI,   MACHINE_POWER_BUTTON, MACHINE_START, MACHINE_SHUT_DOWN_AND_START};
    uint64_t position = 0;
    uint8_t bytes[64];
    struct machine_vm *vm;

    pause_for(number, RUN_NS);
    for (unsigned i = 0; i < number % 4; i++) {
        (void)act(actions[(number / 4 + i) % (sizeof(actions) / sizeof(actions[0]))]);
        pause_for(number + i, POLL_NS);
    }
    vm = kmalloc(sizeof(*vm));
    if (vm && machine()->find_vm(NAME, vm)) {
        (void)machine()->console_claim(vm->id, vm, true);
        (void)machine()->console_type(vm->id, vm, bytes, number % sizeof(bytes));
        (void)machine()->console_read(vm->id, &position, bytes, sizeof(bytes));
        machine()->console_release(vm->id, vm);
    }
    kfree(vm);
}

static int delete (void)
{
    uint64_t limit = time_ns() + PATIENCE_NS;
    int error;

    do {
        (void)act(MACHINE_KILL); /* it may have ended by itself */
        error = machine()->delete (NAME, reason, sizeof(reason));
    } while (error == -EBUSY && time_ns() < limit);
    return error;
}

static int cycle(const struct vm_description *description, const struct boot_module *module,
                 unsigned number)
{
    int error = upload(module, number, true);

    if (!error && number % 2 == 0) {
        error = upload(module, number + 1, number % 4 == 0); /* in its place, or in vain */
    }
    if (!error) {
        error = define(description->cmdline, description->vcpus);
    }
    if (!error) {
        error = act(MACHINE_START);
    }
    if (!error && machine()->delete_image(NAME, reason, sizeof(reason)) != -EBUSY) {
        snprintf(reason, sizeof(reason), "an image that a description names was deleted");
        error = -EEXIST;
    }
    if (!error) {
        disturb(number);
        error = delete ();
    }
    if (!error) {
        error = machine()->delete_image(NAME, reason, sizeof(reason));
    }
    /* The console's thread frees the VM, and stacks go when somebody else runs. */
    thread_sleep_until(time_ns() + 4 * POLL_NS);
    return error;
}

/* 0 without the option. */
static unsigned read_count(void)
{
    char text[8] = "";
    unsigned count = 0;

    boot_option("machine-cycles", text, sizeof(text));
    for (const char *c = text; *c >= '0' && *c <= '9'; c++) {
        count = count * 10 + (unsigned)(*c - '0');
    }
    return count;
}

static void run(void *context)
{
    struct machine_vm *vm = kmalloc(sizeof(*vm));
    const struct boot_module *module;
    unsigned cycles = read_count();
    uint64_t frames = 0;
    size_t heap = 0;

    (void)context;
    module = vm && machine()->vm(0, vm) ? boot_module_find(vm->description.image) : NULL;
    if (!module) {
        log_error("machine-cycles: this needs a VM that is described, and its image");
        return;
    }
    for (unsigned i = 0; i < WARM_UP + cycles; i++) {
        int error;

        if (i == WARM_UP) {
            frames = frames_free();
            heap = heap_used();
        }
        error = cycle(&vm->description, module, i);
        if (error) {
            log_error("machine-cycles: failed in cycle %u: %s (error %d)", i, reason, error);
            return;
        }
    }
    log_info("machine-cycles: %u cycles: %lu frames free before, %lu after; heap %zu bytes before, "
             "%zu after: %s",
             cycles, frames, frames_free(), heap, heap_used(),
             frames == frames_free() && heap == heap_used() ? "all came back" : "some is lost");
}

void machine_cycles_start(void)
{
    struct thread *thread;

    if (read_count() == 0) {
        return;
    }
    thread = thread_create("machine cycles", run, NULL);
    if (!thread) {
        log_error("machine-cycles: no memory for its thread");
        return;
    }
    thread_start(thread);
}
