/* The kernel's string functions, under their names with kernel_ before, beside the host's. */
#include <stdint.h>
#include <string.h>

#include "tests/unit/support/cmocka.h"

void *kernel_memcpy(void *to, const void *from, size_t size);
void *kernel_memmove(void *to, const void *from, size_t size);
void *kernel_memset(void *to, int byte, size_t size);
int kernel_memcmp(const void *a, const void *b, size_t size);
void *kernel_memchr(const void *memory, int byte, size_t size);
size_t kernel_strlen(const char *string);
size_t kernel_strnlen(const char *string, size_t limit);
int kernel_strcmp(const char *a, const char *b);
int kernel_strncmp(const char *a, const char *b, size_t limit);
char *kernel_strchr(const char *string, int character);
char *kernel_strrchr(const char *string, int character);
char *kernel_strstr(const char *string, const char *wanted);

#define SIZE 96u

static uint8_t ours[SIZE];
static uint8_t theirs[SIZE];

static void fill(void)
{
    for (unsigned i = 0; i < SIZE; i++) {
        ours[i] = theirs[i] = (uint8_t)(i * 7 + 1);
    }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

/* All sizes and alignments; for memmove, all overlaps. */
static void test_moving(void **state)
{
    (void)state;
    for (unsigned size = 0; size <= 40; size++) {
        for (unsigned from = 0; from <= 40; from++) {
            for (unsigned to = 0; to <= 40; to++) {
                fill();
                assert_ptr_equal(kernel_memmove(ours + to, ours + from, size), ours + to);
                memmove(theirs + to, theirs + from, size);
                assert_memory_equal(ours, theirs, SIZE);
                if (to + size <= from || from + size <= to) {
                    fill();
                    assert_ptr_equal(kernel_memcpy(ours + to, ours + from, size), ours + to);
                    memcpy(theirs + to, theirs + from, size);
                    assert_memory_equal(ours, theirs, SIZE);
                }
            }
        }
    }
}

static void test_setting(void **state)
{
    (void)state;
    for (unsigned size = 0; size <= 40; size++) {
        for (unsigned to = 0; to <= 16; to++) {
            fill();
            assert_ptr_equal(kernel_memset(ours + to, 0x1a5, size), ours + to);
            memset(theirs + to, 0xa5, size);
            assert_memory_equal(ours, theirs, SIZE);
        }
    }
}

static void test_comparing(void **state)
{
    (void)state;
    for (unsigned size = 0; size <= 40; size++) {
        for (unsigned at = 0; at < 40; at++) {
            for (int delta = -1; delta <= 1; delta += 2) {
                fill();
                ours[at] = 0x80;
                theirs[at] = (uint8_t)(0x80 + delta);
                ours[at + 1] = 0xff; /* what follows does not count */
                assert_int_equal(sign(kernel_memcmp(ours, theirs, size)),
                                 sign(memcmp(ours, theirs, size)));
            }
        }
    }
    fill();
    assert_ptr_equal(kernel_memchr(ours, ours[20], SIZE), ours + 20);
    assert_null(kernel_memchr(ours, ours[20], 20));
    assert_null(kernel_memchr(ours, 0, 0));
}

static void test_strings(void **state)
{
    static const char *const strings[] = {"",
                                          "a",
                                          "ab",
                                          "abc",
                                          "abd",
                                          "\xff"
                                          "b",
                                          "a.b.c.",
                                          "aabaabaaac",
                                          "aabaaac",
                                          "needle",
                                          "hayneedles",
                                          "nee"};

    (void)state;
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        const char *a = strings[i];

        assert_int_equal(kernel_strlen(a), strlen(a));
        for (size_t place = 0; place < 16; place++) {
            _Alignas(8) char moved[32];

            memset(moved, 0, sizeof(moved)); /* what is in front of it is no end of it */
            strcpy(moved + place, a);
            assert_int_equal(kernel_strlen(moved + place), strlen(a));
            memset(moved + place + strlen(a) + 1, 'x', sizeof(moved) - place - strlen(a) - 1);
            assert_int_equal(kernel_strlen(moved + place), strlen(a));
        }
        for (size_t limit = 0; limit < 12; limit++) {
            assert_int_equal(kernel_strnlen(a, limit), strnlen(a, limit));
        }
        for (int character = 0; character < 128; character++) {
            assert_ptr_equal(kernel_strchr(a, character), strchr(a, character));
            assert_ptr_equal(kernel_strrchr(a, character), strrchr(a, character));
        }
        for (size_t j = 0; j < sizeof(strings) / sizeof(strings[0]); j++) {
            const char *b = strings[j];

            assert_int_equal(sign(kernel_strcmp(a, b)), sign(strcmp(a, b)));
            assert_ptr_equal(kernel_strstr(a, b), strstr(a, b));
            for (size_t limit = 0; limit < 12; limit++) {
                assert_int_equal(sign(kernel_strncmp(a, b, limit)), sign(strncmp(a, b, limit)));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moving),
        cmocka_unit_test(test_setting),
        cmocka_unit_test(test_comparing),
        cmocka_unit_test(test_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
