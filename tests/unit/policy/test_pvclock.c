#include "guest/pvclock.h"

#include <pthread.h>
#include <string.h>

#include "tests/unit/loader/block_source.h"
#include "tests/unit/support/cmocka.h"

#define ENABLE     PVCLOCK_MSR_ENABLE
#define RAM        (2 * GUEST_BLOCK_SIZE)
#define PLACE      UINT64_C(0x1004) /* 4-byte aligned, no more */
#define STEAL      UINT64_C(0x2040)
#define WALL_CLOCK UINT64_C(1790000000)

static struct guest_memory memory;
static struct pvclock_vm vm;
static struct pvclock vcpu_clock;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(guest_memory_create(&memory, RAM, &test_blocks), 0);
    vm = (struct pvclock_vm){.memory = &memory,
                             .scale = pvclock_scale_of(UINT64_C(3500000000)),
                             .wall_clock = WALL_CLOCK};
    pvclock_init(&vcpu_clock, &vm);
    pvclock_set_tsc(&vcpu_clock, UINT64_C(0x123456789abcdef0), true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guest_memory_destroy(&memory);
    return 0;
}

static void put(uint32_t index, uint64_t value)
{
    assert_true(pvclock_msr_write(&vcpu_clock, index, value));
    assert_int_equal(pvclock_msr_read(&vcpu_clock, index), value);
}

static void refuse_put(uint32_t index, uint64_t value)
{
    uint64_t before = pvclock_msr_read(&vcpu_clock, index);

    assert_false(pvclock_msr_write(&vcpu_clock, index, value));
    assert_int_equal(pvclock_msr_read(&vcpu_clock, index), before);
}

static struct pvclock_vcpu_time_info time_info(uint64_t place)
{
    struct pvclock_vcpu_time_info info;

    assert_int_equal(guest_memory_read(&memory, place, &info, sizeof(info)), 0);
    return info;
}

static struct kvm_steal_time steal_time(void)
{
    struct kvm_steal_time steal;

    assert_int_equal(guest_memory_read(&memory, STEAL, &steal, sizeof(steal)), 0);
    return steal;
}

/* Nothing was written to that page but what is in [from, +length). */
static void assert_rest_untouched(uint64_t from, uint64_t length)
{
    for (uint64_t at = from & ~UINT64_C(0xfff); at < (from | 0xfff); at++) {
        uint8_t byte;

        assert_int_equal(guest_memory_read(&memory, at, &byte, 1), 0);
        assert_true(byte == 0 || at - from < length);
    }
}

/* As the interface has guests do it. */
static uint64_t guest_ns(const struct pvclock_scale *scale, uint64_t ticks)
{
    ticks = scale->shift < 0 ? ticks >> -scale->shift : ticks << scale->shift;
    return (uint64_t)((unsigned __int128)ticks * scale->mul >> 32);
}

static void assert_scale_right(uint64_t hz)
{
    struct pvclock_scale scale = pvclock_scale_of(hz);
    const uint64_t seconds[] = {1, 60, 86400, 30 * 86400, UINT64_C(10) * 365 * 86400};

    assert_true(scale.mul >= UINT32_C(1) << 31);
    assert_int_equal(guest_ns(&scale, 0), 0);
    for (unsigned i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        uint64_t ticks = hz * seconds[i] - hz / 3;
        uint64_t exact = (uint64_t)((unsigned __int128)ticks * 1000000000 / hz);
        uint64_t ns = guest_ns(&scale, ticks);

        assert_true(ns <= exact);
        /* A shift to the right drops less than 4 ticks of over 1 GHz. */
        assert_true(exact - ns <= (exact >> 31) + 4);
    }
}

static void scales_are_right_for_every_tsc(void **state)
{
    const uint64_t odd[] = {1,          2,          999999999,  1000000000, 1000000001,
                            1999999999, 2000000000, 2000000001, 4000000000, 4000000001,
                            7999999999, 8000000000, 49999000,   1193182,    24000000};

    (void)state;
    for (uint64_t hz = 100000000; hz <= UINT64_C(5000000000); hz += 98765) {
        assert_scale_right(hz);
    }
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_scale_right(odd[i]);
    }
}

static void known_scales(void **state)
{
    struct pvclock_scale scale = pvclock_scale_of(1000000000);

    (void)state;
    assert_int_equal(scale.mul, UINT32_C(1) << 31);
    assert_int_equal(scale.shift, 1);
    scale = pvclock_scale_of(4000000000);
    assert_int_equal(scale.mul, UINT32_C(1) << 31);
    assert_int_equal(scale.shift, -1);
    scale = pvclock_scale_of(50000000); /* Bochs */
    assert_int_equal(scale.mul, 2684354560);
    assert_int_equal(scale.shift, 5);
}

static void the_guest_finds_the_clock(void **state)
{
    static const uint32_t names[] = {MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME_NEW};
    struct pvclock_vcpu_time_info info;
    uint32_t version = 0;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        put(names[i], PLACE | ENABLE);
        info = time_info(PLACE);
        assert_int_equal(info.version, version + 2);
        assert_int_equal(info.tsc_timestamp, 0x123456789abcdef0);
        assert_int_equal(info.system_time, 0);
        assert_int_equal(info.tsc_to_system_mul, vm.scale.mul);
        assert_int_equal(info.tsc_shift, -1);
        assert_int_equal(info.flags, PVCLOCK_TSC_STABLE);
        assert_rest_untouched(PLACE, sizeof(info));
        version = info.version;
        assert_int_equal(pvclock_msr_read(&vcpu_clock, names[1 - i]), PLACE | ENABLE);
    }
}

static void a_set_tsc_moves_the_clock(void **state)
{
    struct pvclock_vcpu_time_info info;

    (void)state;
    put(MSR_KVM_SYSTEM_TIME_NEW, PLACE | ENABLE);
    pvclock_set_tsc(&vcpu_clock, UINT64_MAX - 5, false);
    info = time_info(PLACE);
    assert_int_equal(info.version, 4);
    assert_int_equal(info.tsc_timestamp, UINT64_MAX - 5);
    assert_int_equal(info.flags, 0);
    /* What was written while it was not in use is known when it is. */
    put(MSR_KVM_SYSTEM_TIME_NEW, PLACE);
    pvclock_set_tsc(&vcpu_clock, 77, true);
    assert_int_equal(time_info(PLACE).version, 4);
    put(MSR_KVM_SYSTEM_TIME_NEW, PLACE | ENABLE);
    assert_int_equal(time_info(PLACE).tsc_timestamp, 77);
    assert_int_equal(time_info(PLACE).flags, PVCLOCK_TSC_STABLE);
}

static void a_version_left_odd_becomes_even(void **state)
{
    const uint32_t left = 0xffffffff;

    (void)state;
    assert_int_equal(guest_memory_write(&memory, PLACE, &left, sizeof(left)), 0);
    put(MSR_KVM_SYSTEM_TIME_NEW, PLACE | ENABLE);
    assert_int_equal(time_info(PLACE).version, 2);
}

static void a_clock_may_lie_in_two_pages_and_blocks(void **state)
{
    static const uint64_t boundaries[] = {0x3000, GUEST_BLOCK_SIZE};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        for (uint64_t before = 4; before < 32; before += 4) {
            put(MSR_KVM_SYSTEM_TIME_NEW, (boundaries[i] - before) | ENABLE);
            assert_int_equal(time_info(boundaries[i] - before).tsc_timestamp,
                             vcpu_clock.tsc_at_zero);
            assert_int_equal(time_info(boundaries[i] - before).tsc_shift, -1);
        }
    }
}

/* As with KVM: accepted, and nothing comes of it. */
static void places_that_are_no_ram(void **state)
{
    static const uint64_t places[] = {RAM,
                                      RAM - 4,
                                      RAM - 28,
                                      0xfee00000,
                                      GUEST_HIGH_RAM,
                                      UINT64_C(0x10000000000),
                                      UINT64_C(0xffffffffffffffc0)};

    (void)state;
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        put(MSR_KVM_SYSTEM_TIME_NEW, places[i] | ENABLE);
        put(MSR_KVM_STEAL_TIME, ((places[i] & ~UINT64_C(63)) + 64) | ENABLE);
        pvclock_set_tsc(&vcpu_clock, 1, true);
        pvclock_set_steal(&vcpu_clock, 1);
        pvclock_set_preempted(&vcpu_clock, true);
    }
    put(MSR_KVM_WALL_CLOCK_NEW, RAM - 8);
    put(MSR_KVM_WALL_CLOCK_NEW, UINT64_C(0xfffffffffffffff8));
    assert_rest_untouched(RAM - 64, 0);
}

static void reserved_bits_fault(void **state)
{
    (void)state;
    put(MSR_KVM_SYSTEM_TIME_NEW, PLACE | ENABLE);
    put(MSR_KVM_STEAL_TIME, STEAL | ENABLE);
    refuse_put(MSR_KVM_SYSTEM_TIME_NEW, PLACE | ENABLE | 2);
    refuse_put(MSR_KVM_SYSTEM_TIME, PLACE | 2);
    refuse_put(MSR_KVM_WALL_CLOCK, PLACE | 1);
    refuse_put(MSR_KVM_WALL_CLOCK_NEW, PLACE | 2);
    for (unsigned bit = 1; bit < 6; bit++) {
        refuse_put(MSR_KVM_STEAL_TIME, STEAL | ENABLE | UINT64_C(1) << bit);
    }
    put(MSR_KVM_STEAL_TIME, STEAL + 64);
}

static void the_wall_clock_is_the_vms(void **state)
{
    static const uint32_t names[] = {MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK_NEW};
    struct pvclock_wall_clock wall;
    struct pvclock other;

    (void)state;
    pvclock_init(&other, &vm);
    for (unsigned i = 0; i < 2; i++) {
        put(names[i], PLACE);
        assert_int_equal(guest_memory_read(&memory, PLACE, &wall, sizeof(wall)), 0);
        assert_int_equal(wall.version, 2 * (i + 1));
        assert_int_equal(wall.sec, WALL_CLOCK);
        assert_int_equal(wall.nsec, 0);
        assert_rest_untouched(PLACE, sizeof(wall));
        assert_int_equal(pvclock_msr_read(&other, names[i]), PLACE);
    }
    put(MSR_KVM_WALL_CLOCK_NEW, 0); /* means: nothing */
    assert_rest_untouched(0, 0);
}

static void steal_time_is_told(void **state)
{
    (void)state;
    pvclock_set_steal(&vcpu_clock, 5000);
    assert_int_equal(steal_time().version, 0);
    put(MSR_KVM_STEAL_TIME, STEAL | ENABLE);
    assert_int_equal(steal_time().version, 2);
    assert_int_equal(steal_time().steal, 5000); /* what has gone before counts */
    pvclock_set_steal(&vcpu_clock, UINT64_C(0x123456789));
    assert_int_equal(steal_time().version, 4);
    assert_int_equal(steal_time().steal, UINT64_C(0x123456789));
    assert_int_equal(steal_time().flags, 0);
    put(MSR_KVM_STEAL_TIME, STEAL);
    pvclock_set_steal(&vcpu_clock, 1);
    pvclock_set_preempted(&vcpu_clock, true);
    assert_int_equal(steal_time().steal, UINT64_C(0x123456789));
    assert_int_equal(steal_time().preempted, 0);
}

static void preempted_comes_and_goes(void **state)
{
    (void)state;
    put(MSR_KVM_STEAL_TIME, STEAL | ENABLE);
    pvclock_set_preempted(&vcpu_clock, true);
    assert_int_equal(steal_time().preempted, KVM_VCPU_PREEMPTED);
    assert_int_equal(steal_time().version, 2);
    pvclock_set_preempted(&vcpu_clock, false);
    assert_int_equal(steal_time().preempted, 0);
    /* Whoever names the place runs. */
    pvclock_set_preempted(&vcpu_clock, true);
    put(MSR_KVM_STEAL_TIME, STEAL | ENABLE);
    assert_int_equal(steal_time().preempted, 0);
    assert_rest_untouched(STEAL, sizeof(struct kvm_steal_time));
}

static void reset_forgets_all(void **state)
{
    (void)state;
    put(MSR_KVM_SYSTEM_TIME, PLACE | ENABLE);
    put(MSR_KVM_STEAL_TIME, STEAL | ENABLE);
    pvclock_init(&vcpu_clock, &vm);
    guest_memory_forget(&memory);
    assert_int_equal(pvclock_msr_read(&vcpu_clock, MSR_KVM_SYSTEM_TIME), 0);
    assert_int_equal(pvclock_msr_read(&vcpu_clock, MSR_KVM_STEAL_TIME), 0);
    pvclock_set_tsc(&vcpu_clock, 1, true);
    pvclock_set_steal(&vcpu_clock, 1);
    assert_rest_untouched(PLACE, 0);
    assert_rest_untouched(STEAL, 0);
}

static void only_these_msrs(void **state)
{
    (void)state;
    for (uint32_t index = 0; index < 0x1000; index++) {
        assert_int_equal(pvclock_has_msr(index), index == 0x11 || index == 0x12);
        assert_int_equal(pvclock_has_msr(0x4b564d00 + index),
                         index == 0 || index == 1 || index == 3);
    }
}

#define ROUNDS 100000u

static void *change(void *context)
{
    (void)context;
    for (uint64_t i = 0; i <= ROUNDS; i++) {
        pvclock_set_tsc(&vcpu_clock, i << 32 | i, i % 2 == 0);
        pvclock_set_steal(&vcpu_clock, i);
    }
    return NULL;
}

static uint32_t load(const uint32_t *from)
{
    return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

/* Another vCPU reads while this one's clock is written: a state with an even, unchanged version is
 * one state. */
static void readers_never_see_half_a_clock(void **state)
{
    uint32_t *words = guest_memory_pointer(&memory, PLACE, 32);
    uint64_t last = 0;
    pthread_t writer;

    (void)state;
    put(MSR_KVM_SYSTEM_TIME_NEW, PLACE | ENABLE);
    put(MSR_KVM_STEAL_TIME, STEAL | ENABLE);
    pvclock_set_tsc(&vcpu_clock, 0, true);
    assert_int_equal(pthread_create(&writer, NULL, change, NULL), 0);
    while (last < ROUNDS) {
        uint32_t version = load(&words[0]);
        uint32_t low = load(&words[2]);
        uint32_t flags = load(&words[7]) >> 8;
        uint32_t high = load(&words[3]);

        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (version % 2 == 0 && load(&words[0]) == version) {
            assert_int_equal(low, high);
            assert_int_equal(flags, low % 2 == 0 ? PVCLOCK_TSC_STABLE : 0);
            assert_true(low >= last);
            last = low;
        }
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_int_equal(steal_time().steal, ROUNDS);
}

#define IN_USE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_are_right_for_every_tsc),
        cmocka_unit_test(known_scales),
        cmocka_unit_test(only_these_msrs),
        IN_USE(the_guest_finds_the_clock),
        IN_USE(a_set_tsc_moves_the_clock),
        IN_USE(a_version_left_odd_becomes_even),
        IN_USE(a_clock_may_lie_in_two_pages_and_blocks),
        IN_USE(places_that_are_no_ram),
        IN_USE(reserved_bits_fault),
        IN_USE(the_wall_clock_is_the_vms),
        IN_USE(steal_time_is_told),
        IN_USE(preempted_comes_and_goes),
        IN_USE(reset_forgets_all),
        IN_USE(readers_never_see_half_a_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
