/*
 * What every test guest is made of: tests, checks, exceptions that are expected, output.
 *
 * A guest prints "PASS name", "SKIP name: why" or "FAIL name: file:line what" and at its end
 * "done: N passed, N failed"; then it writes 0 or 1 to port 0xf4. It runs under Innkeeper and on
 * bare Bochs (port_e9_hack), where it has to pass too: what a real CPU does is what the tests ask
 * for. Under QEMU (-debugcon, isa-debug-exit) it runs, but without KVM that CPU skips many checks.
 */
#ifndef TESTS_GUESTS_RUNTIME_RUNTIME_H
#define TESTS_GUESTS_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/cpu/x86_defs.h"
#include "tests/guests/runtime/cpu.h"
#include "tests/guests/runtime/layout.h"

struct test {
    const char *name;
    void (*run)(void);
};

/* Defines a test; all of an image are run in the order of its files, but late and last ones after
 * all others. */
#define TEST(id)      TEST_IN_SECTION(id, "tests")
#define LATE_TEST(id) TEST_IN_SECTION(id, "tests.late")
#define LAST_TEST(id) TEST_IN_SECTION(id, "tests.last")
#define TEST_IN_SECTION(id, name)                                \
    static void test_##id(void);                                 \
    static const struct test test_entry_##id                     \
        __attribute__((used, section(name))) = {#id, test_##id}; \
    static void test_##id(void)

/* Notes a failure and goes on. */
#define CHECK(condition)                                               \
    do {                                                               \
        if (!(condition)) {                                            \
            check_failed(__FILE__, __LINE__, #condition, 0, 0, false); \
        }                                                              \
    } while (0)
#define CHECK_EQUAL(got, expected)                                                             \
    do {                                                                                       \
        uint64_t check_got = (uint64_t)(got);                                                  \
        uint64_t check_expected = (uint64_t)(expected);                                        \
        if (check_got != check_expected) {                                                     \
            check_failed(__FILE__, __LINE__, #got " == " #expected, check_got, check_expected, \
                         true);                                                                \
        }                                                                                      \
    } while (0)
void check_failed(const char *file, int line, const char *condition, uint64_t got,
                  uint64_t expected, bool values);

/* Leaves the test without a verdict; the reason is printed. */
#define SKIP_UNLESS(condition, why) \
    do {                            \
        if (!(condition)) {         \
            skip(why);              \
            return;                 \
        }                           \
    } while (0)
void skip(const char *why);

/** An image may define it: runs before the first test. */
void prepare(void);

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void exit_guest(uint32_t value);

/* The boot loader's command line, and whether a word is on it. */
extern char command_line[256];
bool command_line_has(const char *word);
/* The number after "name=" on the command line, -1 if there is none. */
int command_line_number(const char *name);

/* Are we Innkeeper's guest? Else QEMU, Bochs or hardware. */
bool under_innkeeper(void);

#endif
