#include "kernel/sched/settings.h"

#include <errno.h>
#include <stddef.h>

#include "kernel/panic.h"

static uint64_t utilisation(const struct sched_entity *entity)
{
    const struct reservation *reservation = &entity->reservation;

    return reservation_exists(reservation)
               ? reservation_utilisation(reservation->budget, reservation->period)
               : 0;
}

static void update_special(struct sched_entity *entity)
{
    entity->special = entity->io || entity->cap != NULL || reservation_exists(&entity->reservation);
}

int sched_set_io(struct sched_entity *entity, bool io)
{
    ASSERT(entity->state == SCHED_BLOCKED, "settings are changed while blocked");
    if (io && (entity->cap || reservation_exists(&entity->reservation))) {
        return -EINVAL;
    }
    entity->io = io;
    update_special(entity);
    return 0;
}

int sched_set_allowed(struct sched_machine *machine, struct sched_entity *entity,
                      const struct cpu_mask *allowed)
{
    struct cpu_mask present = cpu_mask_first(machine->cpus);

    ASSERT(entity->state == SCHED_BLOCKED, "settings are changed while blocked");
    if (!cpu_mask_meets(allowed, &present)) {
        return -EINVAL;
    }
    if (reservation_exists(&entity->reservation) && !cpu_mask_has(allowed, entity->cpu)) {
        return -EBUSY;
    }
    entity->allowed = *allowed;
    while (!cpu_mask_has(allowed, entity->cpu)) {
        entity->cpu = (uint16_t)((entity->cpu + 1) % machine->cpus);
    }
    return 0;
}

/* True if the cap lets its members reserve so much together. */
static bool within_cap(const struct sched_cap *cap, uint64_t reserved)
{
    return reserved * 100 <= cap->percent * UTILISATION_ONE;
}

int sched_set_cap(struct sched_machine *machine, struct sched_entity *entity, struct sched_cap *cap)
{
    const struct sched_config *config = &machine->config;
    uint64_t reserved = utilisation(entity);

    ASSERT(entity->state == SCHED_BLOCKED, "settings are changed while blocked");
    if (entity->io) {
        return -EINVAL;
    }
    if (cap == entity->cap) {
        return 0;
    }
    if (cap && !within_cap(cap, cap->reserved + reserved)) {
        return -EBUSY;
    }
    if (entity->cap) {
        entity->cap->reserved -= reserved;
        cap_change_members(entity->cap, -1, config->slice, config->cap_grain);
    }
    entity->cap = cap;
    if (cap) {
        cap->reserved += reserved;
        cap_change_members(cap, 1, config->slice, config->cap_grain);
    }
    update_special(entity);
    return 0;
}

int sched_set_cap_percent(struct sched_machine *machine, struct sched_cap *cap, uint32_t percent)
{
    return cap_set_percent(cap, percent, machine->config.slice, machine->config.cap_grain);
}

/* The allowed CPU of which the least is reserved, not counting the entity's own; and how much. */
static uint32_t find_home(const struct sched_machine *machine, const struct sched_entity *entity,
                          uint64_t *reserved)
{
    uint32_t home = SCHED_NO_CPU;

    *reserved = UINT64_MAX;
    for (uint32_t cpu = 0; cpu < machine->cpus; cpu++) {
        uint64_t here = machine->queues[cpu]->reserved;

        if (cpu == entity->cpu) {
            here -= utilisation(entity);
        }
        if (cpu_mask_has(&entity->allowed, cpu) && here < *reserved) {
            *reserved = here;
            home = cpu;
        }
    }
    return home;
}

int sched_reserve(struct sched_machine *machine, struct sched_entity *entity, uint64_t budget,
                  uint64_t period)
{
    uint64_t old = utilisation(entity);
    uint64_t wanted = 0;
    uint32_t home = entity->cpu;

    ASSERT(entity->state == SCHED_BLOCKED, "settings are changed while blocked");
    if (budget != 0) {
        uint64_t reserved;

        if (entity->io || reservation_check(budget, period) != 0) {
            return -EINVAL;
        }
        wanted = reservation_utilisation(budget, period);
        if (entity->cap && !within_cap(entity->cap, entity->cap->reserved - old + wanted)) {
            return -EBUSY;
        }
        home = find_home(machine, entity, &reserved);
        if (reserved + wanted > machine->config.reservable) {
            return -ENOSPC;
        }
    }
    machine->queues[entity->cpu]->reserved -= old;
    machine->queues[home]->reserved += wanted;
    if (entity->cap) {
        entity->cap->reserved += wanted - old;
    }
    entity->cpu = (uint16_t)home;
    entity->reservation = (struct reservation){.budget = budget, .period = period};
    update_special(entity);
    return 0;
}
