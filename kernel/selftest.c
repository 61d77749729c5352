#include "kernel/selftest.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/apic.h"
#include "kernel/boot/boot.h"
#include "kernel/boot/boot_info.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"
#include "kernel/selftest_threads.h"

static void write_text(void)
{
    *(volatile char *)image_start = 0;
}

/* The same memory by another address. */
static void write_text_alias(void)
{
    *(volatile char *)phys_to_virt(virt_to_phys(image_start)) = 0;
}

static void write_rodata(void)
{
    *(volatile char *)rodata_start = 0;
}

static void exec_data(void)
{
    static unsigned char code[] = {0xc3}; /* RET */

    ((void (*)(void))(uintptr_t)code)();
}

static void exec_direct_map(void)
{
    ((void (*)(void))phys_to_virt(virt_to_phys((const void *)(uintptr_t)selftest_run)))();
}

/* A zero that the compiler does not see through: FS holds the null selector. */
static unsigned zero(void)
{
    return read_fs();
}

static void null_pointer(void)
{
    *(volatile char *)(uintptr_t)zero() = 0;
}

/* A frame larger than the last, so that the compiler cannot make a loop of it. */
static unsigned recurse(unsigned depth)
{
    volatile char frame[256] = {0};

    frame[depth % sizeof(frame)] = (char)depth;
    return depth == UINT32_MAX ? 0 : recurse(depth + 1) + (unsigned char)frame[0];
}

static void overflow_stack(void)
{
    log_info("selftest: depth %u", recurse(0));
}

static void below_stack_alloc(void)
{
    char *top = stack_alloc(FRAME_SIZE);

    if (top == NULL) {
        panic("selftest: no stack");
    }
    top[-1] = 1;
    ((volatile char *)top)[-(ptrdiff_t)FRAME_SIZE - 1] = 1;
}

static void divide_by_zero(void)
{
    volatile unsigned result = 10u / zero();

    (void)result;
}

static void send_nmi(void)
{
    apic_send_nmi(this_cpu()->apic_id);
}

static void double_free(void)
{
    uint64_t frame = frame_alloc(0);

    frame_free(frame, 0);
    frame_free(frame, 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} selftests[] = {
    {"fault-write-text", write_text},
    {"fault-write-text-alias", write_text_alias},
    {"fault-write-rodata", write_rodata},
    {"fault-exec-data", exec_data},
    {"fault-exec-direct-map", exec_direct_map},
    {"fault-null", null_pointer},
    {"fault-stack", overflow_stack},
    {"fault-stack-alloc", below_stack_alloc},
    {"fault-divide", divide_by_zero},
    {"fault-double-free", double_free},
    {"nmi", send_nmi},
};

void selftest_run(void)
{
    char wanted[32];

    if (!boot_option("selftest", wanted, sizeof(wanted))) {
        return;
    }
    if (strcmp(wanted, "vcpus") == 0) {
        return; /* not before guests can run: guest/selftest_vcpus.h */
    }
    if (strcmp(wanted, "threads") == 0) {
        selftest_threads();
        return;
    }
    for (size_t i = 0; i < sizeof(selftests) / sizeof(selftests[0]); i++) {
        if (strcmp(selftests[i].name, wanted) == 0) {
            log_info("selftest: %s", wanted);
            selftests[i].run();
            panic("selftest: %s was not caught", wanted);
        }
    }
    log_error("selftest: there is no test '%s'", wanted);
}
