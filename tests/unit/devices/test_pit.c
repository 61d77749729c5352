#include "guest/devices/pit.h"

#include "tests/unit/devices/clock.h"
#include "tests/unit/support/cmocka.h"

#define LATCH(channel)      ((uint8_t)((channel) << 6))
#define MODE(channel, mode) ((uint8_t)((channel) << 6 | 0x30 | (mode) << 1))
#define BCD                 1u
#define STATUS_OUTPUT       0x80u
#define STATUS_NULL         0x40u

static struct test_clock test_time;
static struct pit pit;

/* What the interrupt input saw. */
static bool line;
static unsigned rises;
static uint64_t rise_times[100000];

static void set_line(void *context, unsigned irq, bool level)
{
    (void)context;
    assert_int_equal(irq, 0);
    if (level && !line) {
        rise_times[rises++ % 100000] = test_time.now;
    }
    line = level;
}

static int setup(void **state)
{
    const struct irq_line irq = {.set = set_line, .irq = 0};

    (void)state;
    test_clock_init(&test_time);
    line = false;
    rises = 0;
    pit_init(&pit, &test_time.timers, &irq);
    return 0;
}

static void out(uint16_t port, uint8_t value)
{
    if (port == PIT_CONTROL_PORT) {
        pit_control_write(&pit, 0, 1, value);
    } else {
        pit_write(&pit, (uint16_t)(port - PIT_PORT), 1, value);
    }
}

static uint8_t in(uint16_t port)
{
    return (uint8_t)(port == PIT_CONTROL_PORT ? pit_control_read(&pit, 0, 1)
                                              : pit_read(&pit, (uint16_t)(port - PIT_PORT), 1));
}

/* The first nanosecond of a PIT clock, by wide arithmetic. */
static uint64_t time_of(uint64_t clock)
{
    return (uint64_t)(((unsigned __int128)clock * 1000000000u + PIT_HZ - 1) / PIT_HZ);
}

static void go_to(uint64_t clock)
{
    test_clock_run_until(&test_time, time_of(clock));
}

static void program(unsigned channel, unsigned mode, uint16_t count)
{
    out(0x43, (uint8_t)(MODE(channel, mode)));
    out((uint16_t)(0x40 + channel), (uint8_t)count);
    out((uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static uint16_t latched(unsigned channel)
{
    out(0x43, LATCH(channel));

    uint8_t low = in((uint16_t)(0x40 + channel));

    return (uint16_t)(low | in((uint16_t)(0x40 + channel)) << 8);
}

static uint8_t status(unsigned channel)
{
    out(0x43, (uint8_t)(0xe0 | 2u << channel));
    return in((uint16_t)(0x40 + channel));
}

static void periodic_interrupts_do_not_drift(void **state)
{
    (void)state;
    go_to(1000);
    rises = 0;
    program(0, 2, 11932); /* Linux at 100 Hz */
    /* The host comes late each time, by a different amount. */
    for (uint64_t i = 1; i <= 90000; i++) {
        test_time.now = time_of(1001 + i * 11932) + (i * 7919) % 3000000;
        timer_run(&test_time.timers, test_time.now);
        assert_int_equal(rises, i);
        assert_int_equal(timer_next_deadline(&test_time.timers), time_of(1001 + (i + 1) * 11932));
    }
}

/* However long the VM's clock has run: the count changes with the very nanosecond. */
static void each_clock_begins_on_its_nanosecond(void **state)
{
    uint64_t clock = 1;

    (void)state;
    program(0, 2, 0);
    for (unsigned i = 0; i < 200000; i++) {
        /* From near to as far as nanoseconds go, and by many remainders. */
        clock = i % 4 ? clock + 1 : (clock * 1000003 + i) % ((uint64_t)PIT_HZ * 18446744073u);
        if (clock < 2) {
            continue;
        }
        test_time.now = time_of(clock);
        out(0x43, LATCH(0));
        assert_int_equal(latched(0), (uint16_t)(1 - clock));
        test_time.now--;
        out(0x43, LATCH(0));
        assert_int_equal(latched(0), (uint16_t)(2 - clock));
    }
}

static void missed_interrupts_merge(void **state)
{
    (void)state;
    program(0, 3, 1000);
    rises = 0;
    test_time.now = time_of(1 + 7500);
    timer_run(&test_time.timers, test_time.now);
    assert_int_equal(rises, 1);
    assert_int_equal(timer_next_deadline(&test_time.timers), time_of(1 + 8000));
    test_time.now = time_of(1 + 8997); /* the next one is near: it is not skipped */
    timer_run(&test_time.timers, test_time.now);
    assert_int_equal(timer_next_deadline(&test_time.timers), time_of(1 + 9000));
}

static void a_period_too_short_to_serve_leaves_time_to_run(void **state)
{
    (void)state;
    program(0, 2, 2);
    test_time.now = timer_next_deadline(&test_time.timers);
    timer_run(&test_time.timers, test_time.now);

    uint64_t next = timer_next_deadline(&test_time.timers);

    assert_true(next >= test_time.now + 10000);
    assert_true(next <= test_time.now + 15000);
}

static void a_one_shot_interrupts_once(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode <= 4; mode += 4) {
        setup(NULL);
        go_to(10);
        program(0, mode, 500);
        rises = 0;
        go_to(11 + 499);
        assert_int_equal(rises, 0);
        go_to(200000);
        assert_int_equal(rises, 1);
        /* Mode 4 rises at the end of its one-clock strobe. */
        assert_int_equal(rise_times[0], time_of(11 + 500 + mode / 4));
        assert_true(line);
    }
}

static void a_short_one_shot_is_exact(void **state)
{
    (void)state;
    go_to(PIT_HZ - 6);
    program(0, 0, 5);
    assert_int_equal(timer_next_deadline(&test_time.timers), 1000000000);
    rises = 0;
    go_to(PIT_HZ);
    assert_int_equal(rises, 1);
}

static void a_new_count_restarts_a_one_shot(void **state)
{
    (void)state;
    out(0x43, MODE(0, 0));
    assert_false(line);
    out(0x40, 0xe8);
    out(0x40, 0x03);
    go_to(500);
    out(0x40, 0xd0); /* the first byte stops it */
    go_to(3000);
    assert_int_equal(rises, 0);
    out(0x40, 0x07);
    go_to(3000 + 2000);
    assert_int_equal(rises, 0);
    go_to(3001 + 2000);
    assert_int_equal(rises, 1);
    /* It goes on counting after the end. */
    go_to(3001 + 2010);
    assert_int_equal(latched(0), 0x10000 - 10);
}

static void leaving_mode_0_is_an_edge(void **state)
{
    (void)state;
    program(0, 0, 1000);
    assert_int_equal(rises, 0);
    assert_int_equal(timer_next_deadline(&test_time.timers), time_of(1001));
    out(0x43, MODE(0, 2)); /* no count yet: output high, nothing runs */
    assert_int_equal(rises, 1);
    assert_int_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
}

static void latch_holds_until_read(void **state)
{
    (void)state;
    program(0, 2, 10000);
    go_to(101);
    out(0x43, LATCH(0));
    go_to(501);
    out(0x43, LATCH(0)); /* ignored: the first is not read yet */
    assert_int_equal(in(0x40), (10000 - 100) & 0xff);
    go_to(601);
    assert_int_equal(in(0x40), (10000 - 100) >> 8);
    /* Without a latch: as it counts. */
    assert_int_equal(in(0x40), (10000 - 600) & 0xff);
    go_to(3001);
    assert_int_equal(in(0x40), (10000 - 3000) >> 8);
}

static void access_modes(void **state)
{
    (void)state;
    out(0x43, 0x94); /* channel 2, low byte, mode 2 */
    out(PIT_CONTROL_PORT, 1);
    out(0x42, 200);
    go_to(11);
    assert_int_equal(in(0x42), 190);
    assert_int_equal(in(0x42), 190);
    out(0x43, LATCH(2));
    go_to(21);
    assert_int_equal(in(0x42), 190);
    assert_int_equal(in(0x42), 180); /* the latch was one byte */
    out(0x43, 0xa4);                 /* high byte */
    out(0x42, 0x12);
    go_to(22);
    assert_int_equal(latched(2), 0x1212); /* the high byte each time */
    assert_int_equal(status(2), 0x80 | 2 << 4 | 2 << 1);
}

static void read_back(void **state)
{
    (void)state;
    program(0, 2, 1000);
    out(0x43, MODE(2, 1) | BCD);
    go_to(11);
    out(0x43, 0xc2 | 8); /* count and status of channels 0 and 2 */
    go_to(50);
    assert_int_equal(in(0x40), STATUS_OUTPUT | 0x30 | 2 << 1); /* status comes first */
    assert_int_equal(in(0x40), 990 & 0xff);
    assert_int_equal(in(0x40), 990 >> 8);
    assert_int_equal(in(0x42), STATUS_OUTPUT | STATUS_NULL | 0x30 | 1 << 1 | BCD);
    in(0x42);
    in(0x42);
    /* Status only; a second latch before the read is ignored. */
    go_to(1000);
    out(0x43, 0xe2);
    go_to(1005);
    out(0x43, 0xe2);
    assert_int_equal(in(0x40), 0x30 | 2 << 1); /* the low clock of mode 2 */
    assert_int_equal(in(0x40), 996 & 0xff);
    in(0x40);
    /* Count only. */
    out(0x43, 0xd2);
    go_to(1100);
    assert_int_equal(in(0x40), 996 & 0xff);
    assert_int_equal(in(0x40), 996 >> 8);
    /* None selected, and the control word register cannot be read. */
    out(0x43, 0xc0);
    assert_int_equal(pit_read(&pit, 3, 1) & 0xff, 0xff);
}

static void a_control_word_drops_latches(void **state)
{
    (void)state;
    program(0, 2, 0x1234);
    go_to(5);
    out(0x43, 0xc2);
    program(0, 2, 0x5678);
    go_to(6);
    assert_int_equal(in(0x40), 0x78);
    assert_int_equal(in(0x40), 0x56);
}

static void null_count_until_the_counter_has_it(void **state)
{
    (void)state;
    program(0, 2, 1000);
    assert_true(status(0) & STATUS_NULL);
    go_to(2);
    assert_false(status(0) & STATUS_NULL);
    out(0x40, 100); /* in mode 2, at the next reload */
    out(0x40, 0);
    assert_true(status(0) & STATUS_NULL);
    go_to(1000);
    assert_true(status(0) & STATUS_NULL);
    assert_int_equal(latched(0), 1);
    go_to(1001);
    assert_false(status(0) & STATUS_NULL);
    assert_int_equal(latched(0), 100);
    rises = 0;
    go_to(1101);
    assert_int_equal(rises, 1);
}

static void zero_is_the_largest_count(void **state)
{
    (void)state;
    program(0, 2, 0);
    go_to(1);
    assert_int_equal(latched(0), 0);
    go_to(2);
    assert_int_equal(latched(0), 0xffff);
    rises = 0;
    go_to(65536);
    assert_int_equal(rises, 0);
    go_to(65537);
    assert_int_equal(rises, 1);
    out(0x43, MODE(0, 2) | BCD);
    out(0x40, 0);
    out(0x40, 0);
    go_to(65537 + 2);
    assert_int_equal(latched(0), 0x9999);
}

static void the_speaker_port(void **state)
{
    (void)state;
    /* As OSes calibrate: gate on, mode 0, wait for OUT2. */
    out(PIT_CONTROL_PORT, 0x01);
    program(2, 0, 50000);
    assert_int_equal(in(PIT_CONTROL_PORT)&0x2f, 0x01);
    go_to(50000);
    assert_int_equal(in(PIT_CONTROL_PORT)&0x20, 0);
    go_to(50001);
    assert_int_equal(in(PIT_CONTROL_PORT)&0x20, 0x20);
    out(PIT_CONTROL_PORT, 0xff);
    assert_int_equal(in(PIT_CONTROL_PORT)&0xcf, 0x0f);
    /* The refresh bit toggles about every 15 us. */
    unsigned toggles = 0;
    uint8_t last = in(PIT_CONTROL_PORT)&0x10;

    for (unsigned i = 0; i < 1000; i++) {
        test_time.now += 1000;

        uint8_t bit = in(PIT_CONTROL_PORT)&0x10;

        toggles += bit != last;
        last = bit;
    }
    assert_in_range(toggles, 65, 67);
}

static void firmware_state(void **state)
{
    (void)state;
    assert_int_equal(status(0) & 0x3f, 0x36);
    assert_int_equal(timer_next_deadline(&test_time.timers), time_of(65537));
    assert_int_equal(rises, 0);
    assert_int_equal(in(PIT_CONTROL_PORT)&0x0f, 0);
    program(0, 2, 100);
    pit_reset(&pit);
    assert_int_equal(timer_next_deadline(&test_time.timers), time_of(65537));
}

static void other_sizes_are_not_for_it(void **state)
{
    (void)state;
    program(0, 2, 1000);
    pit_write(&pit, 0, 2, 0x55);
    pit_control_write(&pit, 0, 2, 3);
    assert_int_equal(pit_read(&pit, 0, 4), 0xffffffff);
    assert_int_equal(pit_control_read(&pit, 0, 2), 0xffffffff);
    assert_int_equal(in(PIT_CONTROL_PORT)&3, 0);
    go_to(2);
    assert_int_equal(latched(0), 999);
}

/* A counter that is ticked clock by clock, straight from the data sheet's mode descriptions. */
struct ticked {
    unsigned mode;
    bool bcd;
    bool gate;
    bool out;
    bool load;     /* with the next clock */
    bool counting; /* a count was loaded */
    bool armed;    /* the one-shot's end is still to come */
    bool written;  /* a count was ever written */
    bool null_count;
    bool odd; /* the loaded count, mode 3 */
    uint32_t cr;
    uint32_t ce;
};

static void ticked_control(struct ticked *t, unsigned mode, bool bcd)
{
    *t = (struct ticked){
        .mode = mode, .bcd = bcd, .gate = t->gate, .out = mode != 0, .null_count = true};
}

static void ticked_first_byte(struct ticked *t)
{
    if (t->mode == 0) {
        t->counting = false;
        t->out = false;
    }
}

static void ticked_count(struct ticked *t, uint32_t count)
{
    bool first = !t->written;

    t->cr = count;
    t->written = true;
    t->null_count = true;
    if (t->mode == 0 || t->mode == 4 || ((t->mode == 2 || t->mode == 3) && first)) {
        t->load = true;
    }
}

static void ticked_gate(struct ticked *t, bool gate)
{
    bool triggers = gate && !t->gate;

    t->gate = gate;
    if (triggers && t->written && t->mode != 0 && t->mode != 4) {
        t->load = true;
    }
    if (!gate && (t->mode == 2 || t->mode == 3)) {
        t->out = true;
    }
}

static void ticked_load(struct ticked *t)
{
    t->ce = t->mode == 3 ? t->cr & ~1u : t->cr;
    t->odd = t->cr & 1;
    t->null_count = false;
    t->load = false;
    t->counting = true;
    t->armed = true;
}

static void ticked_clock(struct ticked *t)
{
    bool one_shot = t->mode == 1 || t->mode == 5;
    uint32_t modulus = t->bcd ? 10000 : 65536;

    if (t->mode >= 4 && t->counting) {
        t->out = true; /* a strobe is one clock long */
    }
    if (t->load) {
        ticked_load(t);
        if (t->mode == 1) {
            t->out = false;
        }
        return;
    }
    if (!t->counting || (!t->gate && !one_shot)) {
        return;
    }
    switch (t->mode) {
    case 2:
        t->ce--;
        if (t->ce == 1) {
            t->out = false;
        } else if (t->ce == 0) {
            t->out = true;
            ticked_load(t);
        }
        break;
    case 3:
        if (t->ce == 0 && t->out) { /* odd: one clock more while high */
            t->out = false;
            ticked_load(t);
            break;
        }
        t->ce -= 2;
        if (t->ce == 0 && !(t->out && t->odd)) {
            t->out = !t->out;
            ticked_load(t);
        }
        break;
    default:
        t->ce = (t->ce + modulus - 1) % modulus;
        if (t->ce == 0 && t->armed) {
            t->armed = false;
            t->out = t->mode < 4;
        }
        break;
    }
}

static uint16_t ticked_read(const struct ticked *t)
{
    if (!t->bcd) {
        return (uint16_t)t->ce;
    }
    return (uint16_t)(t->ce / 1000 % 10 << 12 | t->ce / 100 % 10 << 8 | t->ce / 10 % 10 << 4 |
                      t->ce % 10);
}

/* Channel 2 (the one with a gate) does what the ticked counter does, whatever is done to it. */
static void random_programs_match_a_ticked_counter(void **state)
{
    struct ticked ticked = {0};
    uint64_t seed = 0x2545f4914f6cdd1dull;
    uint64_t clock = 0;

    (void)state;
    ticked_control(&ticked, 0, false);
    program(2, 0, 100);
    ticked_count(&ticked, 100);
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t random = test_random(&seed);
        unsigned mode = (unsigned)(random >> 8) % 6;
        bool bcd = random >> 16 & 1;
        bool gate = random >> 17 & 1;
        uint32_t count = (uint32_t)(random >> 32) & (random >> 20 & 1 ? 0xff : 0xffff);

        if (random % 16 == 0) {
            out(0x43, (uint8_t)(MODE(2, mode) | bcd));
            ticked_control(&ticked, mode, bcd);
        } else if (random % 16 >= 2 && random % 16 < 5) {
            out(PIT_CONTROL_PORT, gate);
            ticked_gate(&ticked, gate);
        }
        if (random % 16 < 2 && !(count == 1 && (ticked.mode & ~1u) == 2)) {
            uint32_t digits = count;

            if (ticked.bcd) {
                count %= 10000;
                digits =
                    count / 1000 << 12 | count / 100 % 10 << 8 | count / 10 % 10 << 4 | count % 10;
                count += count == 1; /* as 1 in modes 2 and 3 */
                digits += digits == 1;
            }
            out(0x42, (uint8_t)digits);
            out(0x42, (uint8_t)(digits >> 8));
            ticked_first_byte(&ticked);
            ticked_count(&ticked, count ? count : ticked.bcd ? 10000 : 65536);
        }
        uint64_t advance = 2 + (random >> 48) % (step % 8 ? 300 : 3000);

        for (uint64_t i = 0; i < advance; i++) {
            ticked_clock(&ticked);
        }
        clock += advance;
        go_to(clock);
        if (ticked.mode != 4 || ticked.gate) { /* a strobe ends without a gate too */
            assert_int_equal(!!(in(PIT_CONTROL_PORT)&0x20), ticked.out);
        }
        assert_int_equal(!!(status(2) & STATUS_NULL), ticked.null_count);
        assert_int_equal(latched(2), ticked_read(&ticked));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(periodic_interrupts_do_not_drift, setup),
        cmocka_unit_test_setup(each_clock_begins_on_its_nanosecond, setup),
        cmocka_unit_test_setup(missed_interrupts_merge, setup),
        cmocka_unit_test_setup(a_period_too_short_to_serve_leaves_time_to_run, setup),
        cmocka_unit_test_setup(a_one_shot_interrupts_once, setup),
        cmocka_unit_test_setup(a_short_one_shot_is_exact, setup),
        cmocka_unit_test_setup(a_new_count_restarts_a_one_shot, setup),
        cmocka_unit_test_setup(leaving_mode_0_is_an_edge, setup),
        cmocka_unit_test_setup(latch_holds_until_read, setup),
        cmocka_unit_test_setup(access_modes, setup),
        cmocka_unit_test_setup(read_back, setup),
        cmocka_unit_test_setup(a_control_word_drops_latches, setup),
        cmocka_unit_test_setup(null_count_until_the_counter_has_it, setup),
        cmocka_unit_test_setup(zero_is_the_largest_count, setup),
        cmocka_unit_test_setup(the_speaker_port, setup),
        cmocka_unit_test_setup(firmware_state, setup),
        cmocka_unit_test_setup(other_sizes_are_not_for_it, setup),
        cmocka_unit_test_setup(random_programs_match_a_ticked_counter, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
