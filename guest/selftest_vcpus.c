#include "guest/selftest_vcpus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/boot/boot_info.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/paging.h"
#include "kernel/thread.h"
#include "virt/vcpu.h"

#define ROUNDS 1000u

/* Neither enters its guest: what counts is that each needs the CPU's registers for it. */
static struct player {
    struct virt_vcpu *vcpu;
    uint64_t apic_page;
} players[2];

static struct virt_space *space;
static const struct player *last;
static uint64_t stopped_at;
static uint64_t ticks;
static unsigned switches;
static unsigned done;

static void clean_up(void)
{
    for (unsigned i = 0; i < 2; i++) {
        if (players[i].vcpu) {
            virt->vcpu_put(players[i].vcpu);
            virt->vcpu_destroy(players[i].vcpu);
        }
        if (players[i].apic_page) {
            frame_free(players[i].apic_page, 0);
        }
    }
    if (space) {
        virt->space.destroy(space);
    }
}

/* Interrupts are off, as they are for the thread of a vCPU. Not every yield is a switch. */
static void take_turns(void *context)
{
    const struct player *self = context;

    cli();
    while (switches < ROUNDS) {
        uint64_t now;

        virt->vcpu_load(self->vcpu);
        now = rdtsc();
        if (last && last != self) {
            ticks += now - stopped_at;
            switches++;
        }
        last = self;
        stopped_at = rdtsc();
        thread_yield_to(NULL);
    }
    done++;
    if (done == 2) {
        log_info("selftest vcpus: %lu ticks a switch", ticks / switches);
        clean_up();
    }
    sti();
}

static bool create(struct player *player)
{
    static const virt_exit_handler none[VM_EXIT_KINDS]; /* it enters no guest */
    struct virt_vcpu_config config = {.space = space, .exit_handlers = none};

    player->apic_page = frame_alloc(0);
    if (!player->apic_page) {
        return false;
    }
    config.apic_page = phys_to_virt(player->apic_page);
    config.apic_page_phys = player->apic_page;
    return virt->vcpu_create(&player->vcpu, &config) == 0;
}

void selftest_vcpus(void)
{
    const struct cpu_mask here = cpu_mask_of(this_cpu()->index);
    struct thread *threads[2] = {NULL, NULL};
    char wanted[8];

    if (!boot_option("selftest", wanted, sizeof(wanted)) || strcmp(wanted, "vcpus") != 0) {
        return;
    }
    space = virt->space.create();
    for (unsigned i = 0; i < 2 && space && create(&players[i]); i++) {
        threads[i] = thread_create("takes turns", take_turns, &players[i]);
        if (threads[i] && thread_set_cpus(threads[i], &here)) {
            threads[i] = NULL;
        }
    }
    if (!threads[0] || !threads[1]) {
        log_error("selftest vcpus: no memory");
        clean_up();
        return;
    }
    thread_start(threads[0]);
    thread_start(threads[1]);
}
