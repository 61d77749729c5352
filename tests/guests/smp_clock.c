/*
 * Time on several CPUs: TSCs, KVM's paravirtual clock and steal time (guest/pvclock.h).
 */
#include "guest/pvclock.h"
#include "tests/guests/runtime/smp.h"

#define TRIALS        20000u
#define RTC_SECONDS   0x00u
#define RTC_MINUTES   0x02u
#define RTC_HOURS     0x04u
#define RTC_STATUS_A  0x0au
#define RTC_UPDATING  0x80u
#define SECONDS_A_DAY 86400u
#define TURN_VECTOR   0x54u
#define TURNS         1000u
#define TSC_SHIFT     UINT64_C(123456789)
#define BURN_MS       400u
#define SAMPLES       1000u

static struct pvclock_vcpu_time_info time_infos[CPUS_MAX] __attribute__((aligned(64)));
static struct kvm_steal_time steal_times[CPUS_MAX] __attribute__((aligned(64)));
static volatile unsigned backwards;

static bool has_pvclock(void)
{
    return (cpuid(1, 0).ecx & 1u << 31) != 0 && cpuid(0x40000000, 0).ebx == 0x4b4d564b &&
           (cpuid(0x40000001, 0).eax & KVM_FEATURE_CLOCKSOURCE2) != 0;
}

/* As guests do it: again while the version is odd, or has changed. */
static uint64_t read_clock(const struct pvclock_vcpu_time_info *from)
{
    const volatile struct pvclock_vcpu_time_info *info = from;
    uint32_t version;
    uint64_t ns;

    do {
        version = info->version & ~1u;
        __sync_synchronize();
        uint64_t ticks = rdtsc() - info->tsc_timestamp;
        int shift = info->tsc_shift;
        ticks = shift < 0 ? ticks >> -shift : ticks << shift;
        ns = info->system_time +
             (uint64_t)((unsigned __int128)ticks * info->tsc_to_system_mul >> 32);
        __sync_synchronize();
    } while (info->version != version);
    return ns;
}

static uint64_t own_clock(void)
{
    return read_clock(&time_infos[this_cpu()->index]);
}

/* What a guest does where all clocks are the same: one for all CPUs. */
static uint64_t shared_clock(void)
{
    return read_clock(&time_infos[0]);
}

static volatile unsigned lock;
static volatile uint64_t last;

/* On all CPUs at a time: reads the clock, one CPU after the other, and notes if that was earlier
 * than what the one before has read. */
static void watch(void *clock)
{
    uint64_t (*read)(void) = (uint64_t(*)(void))clock;

    for (unsigned i = 0; i < TRIALS; i++) {
        while (__sync_lock_test_and_set(&lock, 1) != 0) {
            cpu_pause();
        }
        uint64_t now = read();
        if (now < last) {
            backwards++;
        }
        last = now;
        __sync_lock_release(&lock);
    }
}

static void check_monotonic(uint64_t (*clock)(void))
{
    backwards = 0;
    last = 0;
    run_on_others(watch, (void *)clock);
    watch((void *)clock);
    wait_for_others();
    CHECK_EQUAL(backwards, 0);
}

TEST(tscs_agree)
{
    prepare_smp(false);
    check_monotonic(rdtsc);
}

static void use_clock(void *unused)
{
    (void)unused;
    wrmsr(MSR_KVM_SYSTEM_TIME_NEW,
          (uint64_t)(uintptr_t)&time_infos[this_cpu()->index] | PVCLOCK_MSR_ENABLE);
}

static void use_clocks(void)
{
    run_on_others(use_clock, NULL);
    use_clock(NULL);
    wait_for_others();
}

TEST(pvclock_parameters)
{
    SKIP_UNLESS(has_pvclock(), "no KVM clock");
    prepare_smp(false);
    use_clocks();
    for (unsigned i = 0; i < cpu_count; i++) {
        CHECK_EQUAL(time_infos[i].version % 2, 0);
        CHECK(time_infos[i].version != 0);
        CHECK_EQUAL(time_infos[i].flags, PVCLOCK_TSC_STABLE);
        CHECK_EQUAL(time_infos[i].tsc_timestamp, time_infos[0].tsc_timestamp);
        CHECK_EQUAL(time_infos[i].system_time, time_infos[0].system_time);
        CHECK_EQUAL(time_infos[i].tsc_to_system_mul, time_infos[0].tsc_to_system_mul);
    }
    CHECK_EQUAL(rdmsr(MSR_KVM_SYSTEM_TIME), rdmsr(MSR_KVM_SYSTEM_TIME_NEW));
}

static void read_and_pass_on(void *unused)
{
    unsigned self = this_cpu()->index;

    (void)unused;
    for (unsigned round = 1; round <= TURNS; round++) {
        if (self != 0 || round != 1) {
            halt_until(TURN_VECTOR, self == 0 ? round - 1 : round);
        }
        uint64_t now = own_clock();
        if (now < last) {
            backwards++;
        }
        last = now;
        send_ipi((self + 1) % cpu_count, ICR_FIXED | ICR_ASSERT | TURN_VECTOR);
    }
}

/* One CPU after the other wakes and reads it: wherever the machine lets them run. */
TEST(pvclock_is_monotonic_for_sleepers)
{
    SKIP_UNLESS(has_pvclock(), "no KVM clock");
    prepare_smp(false);
    use_clocks();
    set_handler(TURN_VECTOR, count_here);
    backwards = 0;
    last = 0;
    run_on_others(read_and_pass_on, NULL);
    read_and_pass_on(NULL);
    wait_for_others();
    CHECK_EQUAL(backwards, 0);
    CHECK_EQUAL(cpus[cpu_count - 1].counts[TURN_VECTOR], TURNS);
}

TEST(pvclock_is_monotonic)
{
    SKIP_UNLESS(has_pvclock(), "no KVM clock");
    prepare_smp(false);
    use_clocks();
    check_monotonic(own_clock);
    check_monotonic(shared_clock);
}

/* Against the 8254, by which the TSC has been measured. */
TEST(pvclock_rate)
{
    SKIP_UNLESS(has_pvclock(), "no KVM clock");
    prepare_smp(false);
    use_clocks();
    uint64_t ns = own_clock();
    WAIT_FOR(false, 50);
    ns = own_clock() - ns;
    CHECK(ns > 49000000 && ns < 55000000);
}

static uint8_t rtc_read(uint8_t index)
{
    outb(0x70, index);
    uint8_t bcd = inb(0x71);
    return (uint8_t)((bcd >> 4) * 10 + (bcd & 15));
}

static uint32_t rtc_time_of_day(void)
{
    do {
        outb(0x70, RTC_STATUS_A);
    } while ((inb(0x71) & RTC_UPDATING) != 0);
    return rtc_read(RTC_HOURS) * 3600u + rtc_read(RTC_MINUTES) * 60u + rtc_read(RTC_SECONDS);
}

TEST(wall_clock_is_that_of_the_rtc)
{
    static struct pvclock_wall_clock wall __attribute__((aligned(4)));

    SKIP_UNLESS(has_pvclock(), "no KVM clock");
    prepare_smp(false);
    use_clocks();
    wrmsr(MSR_KVM_WALL_CLOCK_NEW, (uint64_t)(uintptr_t)&wall);
    CHECK_EQUAL(wall.version, 2);
    CHECK(wall.sec > UINT32_C(1577836800)); /* 2020 */
    uint64_t now = wall.sec + (wall.nsec + own_clock()) / 1000000000;
    uint32_t rtc = rtc_time_of_day();
    /* A second may begin meanwhile, and a day. */
    uint64_t difference = (rtc + SECONDS_A_DAY - now % SECONDS_A_DAY) % SECONDS_A_DAY;
    CHECK(difference <= 1);
}

static int try_wrmsr(uint32_t index, uint64_t value)
{
    return TRY("wrmsr", OUT(), IN("c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))));
}

TEST(pvclock_reserved_bits)
{
    SKIP_UNLESS(has_pvclock(), "no KVM clock");
    uint64_t place = (uint64_t)(uintptr_t)&steal_times[0];
    for (unsigned bit = 1; bit < 6; bit++) {
        CHECK_EQUAL(try_wrmsr(MSR_KVM_STEAL_TIME, place | 1 | 1u << bit), EXCEPTION_GP);
    }
    CHECK_EQUAL(try_wrmsr(MSR_KVM_SYSTEM_TIME_NEW, place | 3), EXCEPTION_GP);
    CHECK_EQUAL(try_wrmsr(MSR_KVM_WALL_CLOCK_NEW, place | 1), EXCEPTION_GP);
    /* Where there is no memory nothing is written, and nothing happens. */
    CHECK_EQUAL(try_wrmsr(MSR_KVM_SYSTEM_TIME_NEW, UINT64_C(0xfffffffffffffff1)), NO_TRAP);
    CHECK_EQUAL(try_wrmsr(MSR_KVM_STEAL_TIME, UINT64_C(0xfee00001)), NO_TRAP);
    CHECK_EQUAL(try_wrmsr(MSR_KVM_STEAL_TIME, 0), NO_TRAP);
    use_clock(NULL);
}

static void set_tsc_adjust(void *value)
{
    wrmsr(MSR_TSC_ADJUST, (uint64_t)(uintptr_t)value);
}

static bool all_flags_are(unsigned flags)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        if (*(volatile uint8_t *)&time_infos[i].flags != flags) {
            return false;
        }
    }
    return true;
}

/* A TSC of its own for one CPU: every CPU's own clock is right, and all are told not to share one.
 */
TEST(pvclock_follows_the_tsc)
{
    SKIP_UNLESS(has_pvclock(), "no KVM clock");
    prepare_smp(false);
    use_clocks();
    for (unsigned i = 0; i<cpu_count; i += cpu_count> 1 ? cpu_count - 1 : 1) {
        if (i == 0) {
            set_tsc_adjust((void *)(uintptr_t)TSC_SHIFT);
        } else {
            run_on(i, set_tsc_adjust, (void *)(uintptr_t)TSC_SHIFT);
            wait_for_cpu(i);
        }
        unsigned expected = cpu_count > 1 ? 0 : PVCLOCK_TSC_STABLE;
        WAIT_FOR(all_flags_are(expected), 500);
        CHECK(all_flags_are(expected));
        check_monotonic(own_clock);
        if (i == 0) {
            set_tsc_adjust(NULL);
        } else {
            run_on(i, set_tsc_adjust, NULL);
            wait_for_cpu(i);
        }
        WAIT_FOR(all_flags_are(PVCLOCK_TSC_STABLE), 500);
        CHECK(all_flags_are(PVCLOCK_TSC_STABLE));
        check_monotonic(shared_clock);
    }
}

static void read_clock_msrs(void *unused)
{
    (void)unused;
    this_cpu()->value = rdmsr(MSR_KVM_SYSTEM_TIME_NEW) | rdmsr(MSR_KVM_STEAL_TIME);
}

static void use_steal_time(void *unused)
{
    (void)unused;
    wrmsr(MSR_KVM_STEAL_TIME,
          (uint64_t)(uintptr_t)&steal_times[this_cpu()->index] | PVCLOCK_MSR_ENABLE);
}

TEST(init_forgets_the_clock)
{
    SKIP_UNLESS(has_pvclock(), "no KVM clock");
    prepare_smp(false);
    use_clocks();
    for (unsigned i = 1; i < cpu_count; i++) {
        run_on(i, use_steal_time, NULL);
        wait_for_cpu(i);
        run_on(i, read_clock_msrs, NULL);
        wait_for_cpu(i);
        CHECK(cpus[i].value != 0);
        CHECK(cpu_start(i, START_PAGE));
        run_on(i, read_clock_msrs, NULL);
        wait_for_cpu(i);
        CHECK_EQUAL(cpus[i].value, 0);
    }
}

static uint64_t read_steal(unsigned index)
{
    const volatile struct kvm_steal_time *from = &steal_times[index];
    uint32_t version;
    uint64_t steal;

    do {
        version = from->version & ~1u;
        __sync_synchronize();
        steal = from->steal;
        __sync_synchronize();
    } while (from->version != version);
    return steal;
}

static volatile uint64_t burn_until;
static volatile uint64_t stolen[CPUS_MAX];
static volatile uint64_t elapsed[CPUS_MAX];

/* Works and never waits. */
static void burn(void *unused)
{
    unsigned self = this_cpu()->index;

    (void)unused;
    use_steal_time(NULL);
    uint64_t start = own_clock();
    uint64_t before = read_steal(self);
    while (rdtsc() < burn_until) {
    }
    stolen[self] = read_steal(self) - before;
    elapsed[self] = own_clock() - start;
}

/* With more CPUs than the machine has, each has its share of them, and the rest is stolen. */
TEST(steal_time)
{
    int host_cpus = command_line_number("host-cpus");
    SKIP_UNLESS(has_pvclock() && host_cpus > 0, "not told what the machine has");
    prepare_smp(false);
    use_clocks();
    unsigned busy = cpu_count > (unsigned)host_cpus ? (unsigned)host_cpus : cpu_count;
    uint64_t expected = 100 - 100 * busy / cpu_count;
    burn_until = rdtsc() + BURN_MS * tsc_per_ms;
    run_on_others(burn, NULL);
    burn(NULL);
    wait_for_others();
    for (unsigned i = 0; i < cpu_count; i++) {
        uint64_t percent = 100 * stolen[i] / elapsed[i];

        print("CPU %u: %lu %% stolen, %lu expected\n", i, percent, expected);
        CHECK(percent + 12 >= expected && percent <= expected + 12);
        CHECK_EQUAL(steal_times[i].flags, 0);
    }
}

/* On one CPU all others are preempted whenever one looks, if they do not sleep; each on its own,
 * none is. */
TEST(preempted)
{
    int host_cpus = command_line_number("host-cpus");
    unsigned preempted[CPUS_MAX] = {0};
    unsigned samples = 0;
    SKIP_UNLESS(has_pvclock() && cpu_count > 1 && (host_cpus == 1 || host_cpus >= (int)cpu_count),
                "who runs with whom is not known");
    prepare_smp(false);
    use_clocks();
    uint64_t start = rdtsc();
    burn_until = start + BURN_MS * tsc_per_ms;
    run_on_others(burn, NULL);
    while (rdtsc() < start + BURN_MS * tsc_per_ms / 4) { /* until all are at it */
    }
    for (; rdtsc() < burn_until - BURN_MS * tsc_per_ms / 4; samples++) {
        for (unsigned i = 1; i < cpu_count; i++) {
            preempted[i] += *(volatile uint8_t *)&steal_times[i].preempted == KVM_VCPU_PREEMPTED;
        }
    }
    wait_for_others();
    CHECK(samples > 100);
    for (unsigned i = 1; i < cpu_count; i++) {
        CHECK(host_cpus == 1 ? preempted[i] > samples * 9ul / 10 : preempted[i] < samples / 10);
        CHECK_EQUAL(steal_times[i].preempted, 0);
    }
}
