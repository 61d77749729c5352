#include "guest/pvclock.h"

#include <stddef.h>

#define NS_PER_SECOND UINT64_C(1000000000)

#define SYSTEM_TIME_RESERVED UINT64_C(0x2)  /* beside the enable bit: 4-byte aligned */
#define STEAL_TIME_RESERVED  UINT64_C(0x3e) /* 64-byte aligned */
#define WALL_CLOCK_RESERVED  UINT64_C(0x3)

/* Structures are written by aligned double words: none is ever torn, whatever block of memory it is
 * in, and a structure may well lie in two. */
#define TIME_INFO_WORDS  (sizeof(struct pvclock_vcpu_time_info) / 4)
#define FLAGS_SHIFT      8
#define WALL_CLOCK_WORDS (sizeof(struct pvclock_wall_clock) / 4)

struct pvclock_scale pvclock_scale_of(uint64_t tsc_hz)
{
    struct pvclock_scale scale = {0};
    unsigned right = 0;

    /* The factor is below 2^32 and not below 2^31: all its bits are of use. */
    while (tsc_hz > 2 * NS_PER_SECOND << right) {
        right++;
    }
    while (tsc_hz << scale.shift <= NS_PER_SECOND) {
        scale.shift++;
    }
    scale.mul = (uint32_t)((NS_PER_SECOND << (32 + right)) / (tsc_hz << scale.shift));
    scale.shift = (int8_t)(scale.shift - (int)right);
    return scale;
}

void pvclock_init(struct pvclock *clock, struct pvclock_vm *vm)
{
    *clock = (struct pvclock){.vm = vm};
}

/* One word of a structure; the caller knows that there is memory. */
static uint32_t *word(struct guest_memory *memory, uint64_t structure, size_t index)
{
    return guest_memory_pointer(memory, structure + index * sizeof(uint32_t), sizeof(uint32_t));
}

static void store(uint32_t *to, uint32_t value)
{
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
}

/* The next odd version: readers wait until it is even again. Theirs is the only copy. */
static uint32_t begin_version(uint32_t *version)
{
    uint32_t odd = (__atomic_load_n(version, __ATOMIC_RELAXED) + 1) | 1;

    store(version, odd);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return odd;
}

/* All but the first word, which is the version. */
static void write_words(struct guest_memory *memory, uint64_t structure, const uint32_t *words,
                        size_t count)
{
    uint32_t *version = word(memory, structure, 0);
    uint32_t odd = begin_version(version);

    for (size_t i = 1; i < count; i++) {
        store(word(memory, structure, i), words[i]);
    }
    store(version, odd + 1);
}

static void write_time_info(const struct pvclock *clock)
{
    const struct pvclock_vm *vm = clock->vm;
    uint64_t place = clock->system_time_msr & ~PVCLOCK_MSR_ENABLE;
    uint32_t flags = clock->stable ? PVCLOCK_TSC_STABLE : 0;
    const uint32_t words[TIME_INFO_WORDS] = {
        [2] = (uint32_t)clock->tsc_at_zero,
        [3] = (uint32_t)(clock->tsc_at_zero >> 32),
        [6] = vm->scale.mul, /* system_time is 0 */
        [7] = (uint8_t)vm->scale.shift | flags << FLAGS_SHIFT,
    };

    if ((clock->system_time_msr & PVCLOCK_MSR_ENABLE) &&
        guest_memory_contains(vm->memory, place, sizeof(struct pvclock_vcpu_time_info))) {
        write_words(vm->memory, place, words, TIME_INFO_WORDS);
    }
}

static void write_wall_clock(const struct pvclock_vm *vm, uint64_t place)
{
    const uint32_t words[WALL_CLOCK_WORDS] = {[1] = (uint32_t)vm->wall_clock};

    if (place && guest_memory_contains(vm->memory, place, sizeof(struct pvclock_wall_clock))) {
        write_words(vm->memory, place, words, WALL_CLOCK_WORDS);
    }
}

/* NULL if the guest does not want to know. Aligned, so in one block of memory. */
static struct kvm_steal_time *steal_time(const struct pvclock *clock)
{
    uint64_t place = clock->steal_time_msr & ~PVCLOCK_MSR_ENABLE;

    return clock->steal_time_msr & PVCLOCK_MSR_ENABLE
               ? guest_memory_pointer(clock->vm->memory, place, sizeof(struct kvm_steal_time))
               : NULL;
}

static void write_steal_time(const struct pvclock *clock)
{
    struct kvm_steal_time *to = steal_time(clock);
    uint32_t odd;

    if (to) {
        odd = begin_version(&to->version);
        __atomic_store_n(&to->steal, clock->steal, __ATOMIC_RELEASE);
        store(&to->version, odd + 1);
    }
}

bool pvclock_has_msr(uint32_t index)
{
    switch (index) {
    case MSR_KVM_WALL_CLOCK:
    case MSR_KVM_WALL_CLOCK_NEW:
    case MSR_KVM_SYSTEM_TIME:
    case MSR_KVM_SYSTEM_TIME_NEW:
    case MSR_KVM_STEAL_TIME:
        return true;
    default:
        return false;
    }
}

uint64_t pvclock_msr_read(const struct pvclock *clock, uint32_t index)
{
    switch (index) {
    case MSR_KVM_STEAL_TIME:
        return clock->steal_time_msr;
    case MSR_KVM_SYSTEM_TIME:
    case MSR_KVM_SYSTEM_TIME_NEW:
        return clock->system_time_msr;
    default:
        return __atomic_load_n(&clock->vm->wall_clock_msr, __ATOMIC_RELAXED);
    }
}

bool pvclock_msr_write(struct pvclock *clock, uint32_t index, uint64_t value)
{
    switch (index) {
    case MSR_KVM_STEAL_TIME:
        if (value & STEAL_TIME_RESERVED) {
            return false;
        }
        clock->steal_time_msr = value;
        write_steal_time(clock);
        pvclock_set_preempted(clock, false);
        return true;
    case MSR_KVM_SYSTEM_TIME:
    case MSR_KVM_SYSTEM_TIME_NEW:
        if (value & SYSTEM_TIME_RESERVED) {
            return false;
        }
        clock->system_time_msr = value;
        write_time_info(clock);
        return true;
    default:
        if (value & WALL_CLOCK_RESERVED) {
            return false;
        }
        __atomic_store_n(&clock->vm->wall_clock_msr, value, __ATOMIC_RELAXED);
        write_wall_clock(clock->vm, value);
        return true;
    }
}

void pvclock_set_tsc(struct pvclock *clock, uint64_t tsc_at_zero, bool stable)
{
    clock->tsc_at_zero = tsc_at_zero;
    clock->stable = stable;
    write_time_info(clock);
}

void pvclock_set_steal(struct pvclock *clock, uint64_t steal)
{
    clock->steal = steal;
    write_steal_time(clock);
}

void pvclock_set_preempted(struct pvclock *clock, bool preempted)
{
    struct kvm_steal_time *to = steal_time(clock);

    if (to) {
        __atomic_store_n(&to->preempted, preempted ? KVM_VCPU_PREEMPTED : 0, __ATOMIC_RELEASE);
    }
}
