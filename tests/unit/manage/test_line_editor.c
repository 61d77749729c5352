/* manage/line_editor.c: what keys make of a line. */
#include "manage/line_editor.h"

#include <string.h>

#include "tests/unit/support/cmocka.h"

static struct line_editor editor;

static int setup(void **state)
{
    (void)state;
    memset(&editor, 0, sizeof(editor));
    return 0;
}

/* The event of the last key. */
static enum line_event type(const char *keys)
{
    enum line_event event = LINE_CHANGED;

    for (; *keys != '\0'; keys++) {
        event = line_editor_key(&editor, (uint8_t)*keys);
    }
    return event;
}

static void enter(const char *line)
{
    assert_int_equal(type(line), LINE_CHANGED);
    assert_int_equal(type("\r"), LINE_ENTERED);
    line_editor_next(&editor, true);
}

static void characters_are_taken_and_taken_back(void **state)
{
    (void)state;
    assert_int_equal(type("vxx\b\x7f"
                          "ms a"),
                     LINE_CHANGED);
    assert_string_equal(editor.text, "vms a");
    assert_int_equal(editor.length, 5);
    type("\b\b\b\b\b\b\b");
    assert_string_equal(editor.text, "");
    type("one  two \x17");
    assert_string_equal(editor.text, "one  ");
    type("\x17");
    assert_string_equal(editor.text, "");
    type("abc\x15");
    assert_string_equal(editor.text, "");
    type("a\x01\x02\x80\xffz");
    assert_string_equal(editor.text, "az");
}

static void a_line_does_not_grow_past_its_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * LINE_EDITOR_SIZE; i++) {
        type("x");
    }
    assert_int_equal(editor.length, LINE_EDITOR_SIZE - 1);
    assert_int_equal(strlen(editor.text), LINE_EDITOR_SIZE - 1);
}

static void lines_end_by_cr_lf_or_both(void **state)
{
    (void)state;
    assert_int_equal(type("a\r"), LINE_ENTERED);
    line_editor_next(&editor, true);
    assert_int_equal(type("\n"), LINE_CHANGED);
    assert_int_equal(type("\n"), LINE_ENTERED);
    assert_int_equal(type("\r"), LINE_ENTERED);
    assert_int_equal(type("\r"), LINE_ENTERED);
    assert_int_equal(type("b\x03"), LINE_GIVEN_UP);
    assert_int_equal(type("\t"), LINE_TAB);
}

static void old_lines_come_back(void **state)
{
    (void)state;
    enter("first");
    enter("second");
    enter("second");
    enter("");
    type("new\x1b[A");
    assert_string_equal(editor.text, "second");
    type("\x1bOA");
    assert_string_equal(editor.text, "first");
    type("\x1b[A");
    assert_string_equal(editor.text, "first");
    type("\x1b[B!");
    assert_string_equal(editor.text, "second!");
    type("\x0e");
    assert_string_equal(editor.text, "");
    type("\x0e");
    assert_string_equal(editor.text, "");
    type("\x10");
    assert_string_equal(editor.text, "second");
    line_editor_next(&editor, false);
    type("\x10");
    assert_string_equal(editor.text, "second");
}

static void only_so_many_lines_are_kept(void **state)
{
    char line[3] = "a0";

    (void)state;
    for (unsigned i = 0; i < LINE_EDITOR_HISTORY + 3; i++) {
        line[0] = (char)('a' + i);
        enter(line);
    }
    for (unsigned i = 0; i < LINE_EDITOR_HISTORY + 3; i++) {
        type("\x10");
    }
    assert_string_equal(editor.text, "d0");
}

static void other_escape_sequences_are_swallowed(void **state)
{
    (void)state;
    type("a\x1b[Cb\x1b[1;5Dc\x1b[3~d\x1bxe");
    assert_string_equal(editor.text, "abcde");
    assert_int_equal(type("\x1b\r"), LINE_ENTERED);
    assert_int_equal(type("\x1b[\x03"), LINE_GIVEN_UP);
    type("A");
    assert_string_equal(editor.text, "abcdeA");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(characters_are_taken_and_taken_back, setup),
        cmocka_unit_test_setup(a_line_does_not_grow_past_its_end, setup),
        cmocka_unit_test_setup(lines_end_by_cr_lf_or_both, setup),
        cmocka_unit_test_setup(old_lines_come_back, setup),
        cmocka_unit_test_setup(only_so_many_lines_are_kept, setup),
        cmocka_unit_test_setup(other_escape_sequences_are_swallowed, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
