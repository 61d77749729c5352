/* Patience with those who guess passwords. */
#include <stdio.h>
#include <string.h>

#include "manage/access/backoff.h"
#include "tests/unit/support/cmocka.h"

#define SECOND UINT64_C(1000000000)

static struct backoff backoff;

static int init(void **state)
{
    (void)state;
    backoff_init(&backoff, 42);
    return 0;
}

static void test_peers(void **state)
{
    (void)state;
    assert_true(backoff_peer_of("10.0.2.2") == backoff_peer_of("10.0.2.2"));
    assert_true(backoff_peer_of("10.0.2.2") != backoff_peer_of("10.0.2.3"));
    assert_true(backoff_peer_of("FE80::1") == 0xfe80000000000000);
    assert_true(backoff_peer_of("2001:db8:1:2:3:4:5:6") == 0x20010db800010002);
    assert_true(backoff_peer_of("2001:DB8:1:2::") == 0x20010db800010002);
    assert_true(backoff_peer_of("2001:db8::3:4:5:6:7") == 0x20010db800000003);
    assert_true(backoff_peer_of("2001:db8:1:2::7") == backoff_peer_of("2001:db8:1:2::8"));
    assert_true(backoff_peer_of("2001:db8:1:2::7") != backoff_peer_of("2001:db8:1:3::7"));
    assert_true(backoff_peer_of("::1") == 0);
    assert_true(backoff_peer_of("a:b") != backoff_peer_of("a:c")); /* no addresses, but no harm */
    assert_true(backoff_peer_of("1:2:3:4:5:6:7:8:9") == backoff_peer_of("1:2:3:4::"));
    (void)backoff_peer_of("::::::::");
    (void)backoff_peer_of("");
    (void)backoff_peer_of("1:2:3:4:5:6:7::8");
}

static void test_waits_grow(void **state)
{
    uint64_t now = 5 * SECOND;
    unsigned last = 0;

    (void)state;
    for (unsigned i = 0; i < BACKOFF_FREE_FAILURES; i++) {
        assert_int_equal(backoff_wait(&backoff, 1, now), 0);
        backoff_failed(&backoff, 1, now);
    }
    for (unsigned i = 0; i < 20; i++) {
        unsigned wait;

        assert_int_equal(backoff_wait(&backoff, 1, now), 0);
        backoff_failed(&backoff, 1, now);
        wait = backoff_wait(&backoff, 1, now);
        assert_true(wait == 2 * last || wait == 256 || (last == 0 && wait == 1));
        assert_int_equal(backoff_wait(&backoff, 1, now + wait * SECOND - 1), 1);
        assert_int_equal(backoff_wait(&backoff, 2, now), 0);
        last = wait;
        now += wait * SECOND;
    }
    assert_int_equal(last, 256);
}

static void test_forgives(void **state)
{
    uint64_t now = 0;

    (void)state;
    for (unsigned i = 0; i < BACKOFF_FREE_FAILURES + 1; i++) {
        backoff_failed(&backoff, 1, now);
    }
    assert_int_equal(backoff_wait(&backoff, 1, now), 1);
    now += SECOND + 2 * BACKOFF_FORGIVE_NS; /* two are forgotten, two are left */
    backoff_failed(&backoff, 1, now);
    assert_int_equal(backoff_wait(&backoff, 1, now), 0);
    backoff_failed(&backoff, 1, now);
    assert_int_equal(backoff_wait(&backoff, 1, now), 1);
    now += 100 * BACKOFF_FORGIVE_NS;
    for (unsigned i = 0; i < BACKOFF_FREE_FAILURES; i++) {
        backoff_failed(&backoff, 1, now);
        assert_int_equal(backoff_wait(&backoff, 1, now), 0);
    }
}

/* Many others push out those who have not to wait any more, not those who have to. */
static void test_full(void **state)
{
    uint64_t now = SECOND;

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        backoff_failed(&backoff, 7, now);
    }
    for (unsigned i = 0; i < 10 * BACKOFF_PEERS; i++) {
        backoff_failed(&backoff, 1000 + i, now);
    }
    assert_true(backoff_wait(&backoff, 7, now) > 30);
    assert_int_equal(backoff_wait(&backoff, 1000, now), 0);
}

static void test_names(void **state)
{
    uint64_t now = 100 * SECOND;

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < BACKOFF_NAME_TRIES; i++) {
            assert_false(backoff_no_tries(&backoff, "admin", now));
            assert_true(backoff_take_try(&backoff, "admin", now));
        }
        assert_true(backoff_no_tries(&backoff, "admin", now));
        assert_false(backoff_take_try(&backoff, "admin", now));
        assert_false(backoff_take_try(&backoff, "admin", now + SECOND - 1));
        backoff_return_try(&backoff, "admin");
        assert_true(backoff_take_try(&backoff, "admin", now));
        now += SECOND;
        assert_true(backoff_take_try(&backoff, "admin", now));
        assert_false(backoff_take_try(&backoff, "admin", now));
        now += BACKOFF_NAME_TRIES * BACKOFF_NAME_NS;
    }
    backoff_return_try(&backoff, "nobody");
    assert_false(backoff_no_tries(&backoff, "nobody", now));
}

/* Which names share a place depends on the key. */
static void test_names_are_spread(void **state)
{
    static struct backoff other;
    unsigned apart = 0;

    (void)state;
    backoff_init(&other, 43);
    for (unsigned i = 0; i < 1000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "user%u", i);
        for (unsigned j = 0; j < BACKOFF_NAME_TRIES; j++) {
            backoff_take_try(&backoff, name, 0);
        }
        apart += backoff_no_tries(&backoff, name, 0);
    }
    assert_int_equal(apart, 1000);
    for (unsigned i = 0; i < BACKOFF_NAMES; i++) {
        assert_int_equal(backoff.names[i].used, BACKOFF_NAME_TRIES);
    }
    for (unsigned i = 0; i < 100; i++) {
        char name[16];

        snprintf(name, sizeof(name), "user%u", i);
        assert_true(backoff_take_try(&other, name, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_peers, init),
        cmocka_unit_test_setup(test_waits_grow, init),
        cmocka_unit_test_setup(test_forgives, init),
        cmocka_unit_test_setup(test_full, init),
        cmocka_unit_test_setup(test_names, init),
        cmocka_unit_test_setup(test_names_are_spread, init),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
