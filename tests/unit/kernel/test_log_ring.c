/* The log's memory: order, loss, unfinished lines, concurrent writers; and the lines' format. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/log_ring.h"
#include "tests/unit/support/cmocka.h"

static struct log_ring ring;
static struct log_record record;

static int setup(void **state)
{
    (void)state;
    memset(&ring, 0, sizeof(ring));
    memset(&record, 0x5a, sizeof(record));
    return 0;
}

static void write_line(const char *text)
{
    log_ring_write(&ring, LOG_INFO, 7, text, strlen(text));
}

static void write_numbered(unsigned from, unsigned to)
{
    char text[32];

    for (unsigned i = from; i < to; i++) {
        snprintf(text, sizeof(text), "line %u", i);
        write_line(text);
    }
}

static void test_reads_in_order(void **state)
{
    uint64_t cursor = 0;
    uint64_t other = 0;

    (void)state;
    assert_false(log_ring_read(&ring, &cursor, &record, false));
    log_ring_write(&ring, LOG_ERROR, 42, "first", 5);
    write_line("second");
    assert_true(log_ring_read(&ring, &cursor, &record, false));
    assert_string_equal(record.text, "first");
    assert_int_equal(record.length, 5);
    assert_int_equal(record.level, LOG_ERROR);
    assert_int_equal(record.tsc, 42);
    assert_int_equal(record.lost, 0);
    assert_true(log_ring_read(&ring, &cursor, &record, false));
    assert_string_equal(record.text, "second");
    assert_false(log_ring_read(&ring, &cursor, &record, false));
    assert_true(log_ring_read(&ring, &other, &record, false));
    assert_string_equal(record.text, "first");
}

static void test_counts_lost_lines(void **state)
{
    uint64_t cursor = 0;
    char text[32];

    (void)state;
    write_numbered(0, 3);
    assert_true(log_ring_read(&ring, &cursor, &record, false));
    write_numbered(3, LOG_RING_LINES + 11);
    assert_true(log_ring_read(&ring, &cursor, &record, false));
    /* Line 0 was read; 11 lines have been overwritten, of which ten are new to us. */
    assert_int_equal(record.lost, 10);
    assert_string_equal(record.text, "line 11");
    for (unsigned i = 12; i < LOG_RING_LINES + 11; i++) {
        assert_true(log_ring_read(&ring, &cursor, &record, false));
        snprintf(text, sizeof(text), "line %u", i);
        assert_string_equal(record.text, text);
        assert_int_equal(record.lost, 0);
    }
    assert_false(log_ring_read(&ring, &cursor, &record, false));
}

static void test_cuts_and_cleans(void **state)
{
    char longest[LOG_TEXT_MAX + 20];
    uint64_t cursor = 0;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    log_ring_write(&ring, LOG_INFO, 0, longest, sizeof(longest));
    assert_true(log_ring_read(&ring, &cursor, &record, false));
    assert_int_equal(record.length, LOG_TEXT_MAX);
    assert_int_equal(strlen(record.text), LOG_TEXT_MAX);
    write_line("a\nb\033[2Jc\x7f \xc3\xa9");
    assert_true(log_ring_read(&ring, &cursor, &record, false));
    assert_string_equal(record.text, "a?b?[2Jc? \xc3\xa9");
}

/* A writer that was interrupted after it took its number, for a while or for good. */
static void test_waits_for_unfinished_line(void **state)
{
    uint64_t cursor = 0;

    (void)state;
    write_line("before");
    atomic_fetch_add(&ring.head, 1);
    write_line("after");
    assert_true(log_ring_read(&ring, &cursor, &record, false));
    assert_string_equal(record.text, "before");
    assert_false(log_ring_read(&ring, &cursor, &record, false));
    assert_int_equal(cursor, 1);
    assert_true(log_ring_read(&ring, &cursor, &record, true));
    assert_string_equal(record.text, "after");
    assert_int_equal(record.lost, 1);
    assert_false(log_ring_read(&ring, &cursor, &record, true));
}

#define THREADS          4
#define LINES_PER_THREAD 20000u
#define LINES_ALL        UINT64_C(80000)

_Static_assert(LINES_ALL == (uint64_t)THREADS * LINES_PER_THREAD, "what all threads write");

static void *write_many(void *argument)
{
    unsigned thread = *(const unsigned *)argument;
    char text[LOG_TEXT_MAX];

    for (unsigned i = 0; i < LINES_PER_THREAD; i++) {
        /* Every line repeats its content, so that a torn one shows. */
        int length = snprintf(text, sizeof(text), "%u:%u:%u:%u:%u", thread, i, thread, i, thread);

        log_ring_write(&ring, LOG_INFO, i, text, (size_t)length);
    }
    return NULL;
}

static void test_concurrent_writers(void **state)
{
    static unsigned next[THREADS];
    static const unsigned numbers[THREADS] = {0, 1, 2, 3};
    pthread_t threads[THREADS];
    uint64_t cursor = 0;
    uint64_t seen = 0;

    (void)state;
    memset(next, 0, sizeof(next));
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, write_many, (void *)(uintptr_t)&numbers[i]), 0);
    }
    while (seen < LINES_ALL) {
        unsigned a;
        unsigned b;
        unsigned c;
        unsigned d;
        unsigned e;

        if (!log_ring_read(&ring, &cursor, &record, false)) {
            continue;
        }
        seen += record.lost + 1;
        /* Lag behind now and then, to read where the writers are writing. */
        while (seen % 64 == 0 && atomic_load(&ring.head) < LINES_ALL &&
               atomic_load(&ring.head) - cursor < LOG_RING_LINES) {
        }
        assert_int_equal(sscanf(record.text, "%u:%u:%u:%u:%u", &a, &b, &c, &d, &e), 5);
        assert_true(a == c && c == e && b == d && a < THREADS);
        assert_int_equal(record.tsc, b);
        assert_true(b >= next[a]); /* each writer's lines come in its order */
        next[a] = b + 1;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(seen, LINES_ALL);
    assert_int_equal(cursor, LINES_ALL);
}

static void assert_line(uint64_t time_ns, const char *expected)
{
    char line[LOG_LINE_MAX];
    size_t length = log_format_line(&record, time_ns, line);

    assert_int_equal(length, strlen(expected));
    assert_memory_equal(line, expected, length);
}

static void test_format(void **state)
{
    (void)state;
    record = (struct log_record){.level = LOG_INFO, .length = 5, .text = "hello"};
    assert_line(12345678, "[    0.012345] info: hello\r\n");
    record.level = LOG_ERROR;
    assert_line(UINT64_C(123456789012345678), "[123456789.012345] error: hello\r\n");
    record.level = LOG_DEBUG;
    record.lost = 3;
    assert_line(0, "[3 log lines lost]\r\n[    0.000000] debug: hello\r\n");
}

static void test_format_longest(void **state)
{
    char line[LOG_LINE_MAX];
    size_t length;

    (void)state;
    record = (struct log_record){.level = LOG_ERROR, .length = LOG_TEXT_MAX, .lost = UINT64_MAX};
    memset(record.text, 'x', LOG_TEXT_MAX);
    length = log_format_line(&record, UINT64_MAX, line);
    assert_true(length < LOG_LINE_MAX);
    assert_memory_equal(line + length - 3, "x\r\n", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_reads_in_order, setup),
        cmocka_unit_test_setup(test_counts_lost_lines, setup),
        cmocka_unit_test_setup(test_cuts_and_cleans, setup),
        cmocka_unit_test_setup(test_waits_for_unfinished_line, setup),
        cmocka_unit_test_setup(test_concurrent_writers, setup),
        cmocka_unit_test_setup(test_format, setup),
        cmocka_unit_test_setup(test_format_longest, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
