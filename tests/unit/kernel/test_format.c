/* The kernel's formatter beside the host's: the same text and the same length for the same format.
 */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kernel/libc/format.h"
#include "tests/unit/support/cmocka.h"

/* Formats that are wrong or too long for their buffer are what some tests are about. */
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-truncation"

__attribute__((format(printf, 3, 4))) static int kernel_snprintf(char *buffer, size_t size,
                                                                 const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = format_string(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

/* Both into buffers of `room` bytes whose rest must stay untouched. */
#define SAME_IN(room, ...)                                     \
    do {                                                       \
        char ours[256];                                        \
        char theirs[256];                                      \
        int our_length;                                        \
        int their_length;                                      \
                                                               \
        memset(ours, 0x5a, sizeof(ours));                      \
        memset(theirs, 0x5a, sizeof(theirs));                  \
        our_length = kernel_snprintf(ours, room, __VA_ARGS__); \
        their_length = snprintf(theirs, room, __VA_ARGS__);    \
        assert_memory_equal(ours, theirs, sizeof(ours));       \
        assert_int_equal(our_length, their_length);            \
    } while (0)

#define SAME(...) SAME_IN(sizeof(theirs), __VA_ARGS__)

static void test_integers(void **state)
{
    static const int64_t values[] = {0,    1,       -1,      9,     10,        255,
                                     -256, INT_MAX, INT_MIN, 65535, INT64_MAX, INT64_MIN};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        int64_t v = values[i];

        SAME("%d %i %u %x %X", (int)v, (int)v, (unsigned)v, (unsigned)v, (unsigned)v);
        SAME("%ld %lu %lx %lld %llu %llx", v, (uint64_t)v, (uint64_t)v, (long long)v,
             (unsigned long long)v, (unsigned long long)v);
        SAME("%hhd %hhu %hd %hu %hx", (signed char)v, (unsigned char)v, (short)v, (unsigned short)v,
             (unsigned short)v);
        SAME("%zu %zd %td %jd", (size_t)v, (ssize_t)v, (ptrdiff_t)v, (intmax_t)v);
        SAME("[%8d] [%-8d] [%08d] [%+d] [% d]", (int)v, (int)v, (int)v, (int)v, (int)v);
        SAME("[%20lx] [%-20lx] [%020lx] [%#lx] [%#020lx]", (uint64_t)v, (uint64_t)v, (uint64_t)v,
             (uint64_t)v, (uint64_t)v);
        SAME("[%.5d] [%8.5d] [%-8.5d] [%.0d] [%#X]", (int)v, (int)v, (int)v, (int)v, (unsigned)v);
        SAME("[%-08d] [%-+8d] [%+08d] [%08.5d]", (int)v, (int)v, (int)v, (int)v);
        SAME("[%*d] [%-*d] [%.*d] [%*d]", 7, (int)v, 7, (int)v, 7, (int)v, -7, (int)v);
    }
}

static void test_text(void **state)
{
    const char unterminated[3] = {'a', 'b', 'c'};

    (void)state;
    SAME("plain");
    SAME("%%|%c|%s|", 'x', "text");
    SAME("[%10s] [%-10s] [%.2s] [%10.2s] [%.0s]", "text", "text", "text", "text", "text");
    SAME("[%.3s] [%.*s]", unterminated, 2, unterminated);
    SAME("[%5c] [%-5c]", 'x', 'y');
    SAME("%p", (void *)(uintptr_t)0xffffffff80000000);
}

static void test_cut(void **state)
{
    (void)state;
    SAME_IN(1, "%s", "text");
    SAME_IN(4, "%s", "text");
    SAME_IN(5, "%s", "text");
    SAME_IN(6, "%d:%08x", -12, 0xbeefu);
    assert_int_equal(kernel_snprintf(NULL, 0, "%d", 12345), 5);
}

static void test_oddities(void **state)
{
    char buffer[64];
    /* Not literals, so that the compiler does not refuse them. */
    const char *volatile null = NULL;
    va_list none;

    (void)state;
    kernel_snprintf(buffer, sizeof(buffer), "%s", null);
    assert_string_equal(buffer, "(null)");
    memset(&none, 0, sizeof(none));
    assert_int_equal(format_string(buffer, sizeof(buffer), "50%", none), 3);
    assert_string_equal(buffer, "50%");
    format_string(buffer, sizeof(buffer), "%-5y!", none);
    assert_string_equal(buffer, "%-5y!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_oddities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
