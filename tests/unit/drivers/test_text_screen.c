/* The screen in memory: where text lands, what has to be drawn, scrolling, escape sequences. */
#include <string.h>

#include "drivers/text_screen.h"
#include "tests/unit/support/cmocka.h"

static struct text_screen screen;

/* What a display shows that draws every change it is told. */
static char display[TEXT_ROWS_MAX][TEXT_COLUMNS_MAX + 1];

static unsigned draw(void)
{
    struct text_change change;
    unsigned count = 0;

    while (text_screen_next_change(&screen, &change)) {
        assert_true(change.row < screen.rows && change.column < screen.columns);
        assert_true(change.character >= ' ' && change.character <= TEXT_UNKNOWN);
        display[change.row][change.column] = (char)change.character;
        count++;
    }
    return count;
}

static void start(unsigned columns, unsigned rows)
{
    text_screen_init(&screen, columns, rows);
    memset(display, 0, sizeof(display));
    for (unsigned row = 0; row < screen.rows; row++) {
        memset(display[row], ' ', screen.columns);
    }
}

static void put(const char *text)
{
    text_screen_put(&screen, text, strlen(text));
}

static void test_draws_changes_only(void **state)
{
    (void)state;
    start(10, 4);
    assert_int_equal(draw(), 0);
    put("abc\r\ndef");
    assert_int_equal(draw(), 6);
    assert_string_equal(display[0], "abc       ");
    assert_string_equal(display[1], "def       ");
    put("\raXc");
    assert_int_equal(draw(), 3);
    put("\raYc");
    assert_int_equal(draw(), 1);
    assert_string_equal(display[1], "aYc       ");
    assert_int_equal(draw(), 0);
}

static void test_wraps_at_the_margin(void **state)
{
    (void)state;
    start(4, 3);
    put("abcd\r\nefghij");
    draw();
    assert_string_equal(display[0], "abcd");
    assert_string_equal(display[1], "efgh");
    assert_string_equal(display[2], "ij  ");
}

static void test_scrolls_by_a_third(void **state)
{
    (void)state;
    start(3, 6);
    put("1\r\n2\r\n3\r\n4\r\n5\r\n6");
    draw();
    assert_string_equal(display[5], "6  ");
    put("\r\n7");
    draw();
    assert_string_equal(display[0], "3  ");
    assert_string_equal(display[3], "6  ");
    assert_string_equal(display[4], "7  ");
    assert_string_equal(display[5], "   ");
    put("\r\n8\r\n9");
    draw();
    assert_string_equal(display[0], "5  ");
    assert_string_equal(display[4], "9  ");
}

static void test_smallest_and_largest(void **state)
{
    (void)state;
    start(0, 0);
    put("abc\r\nd\te");
    draw();
    assert_string_equal(display[0], "e");
    start(100000, 100000);
    assert_int_equal(screen.columns, TEXT_COLUMNS_MAX);
    assert_int_equal(screen.rows, TEXT_ROWS_MAX);
    for (unsigned i = 0; i < 3 * TEXT_ROWS_MAX; i++) {
        for (unsigned column = 0; column < TEXT_COLUMNS_MAX; column++) {
            put("x");
        }
    }
    draw();
}

static void test_control_characters(void **state)
{
    (void)state;
    start(20, 3);
    put("a\tb\bc\a\bde");
    draw();
    assert_string_equal(display[0], "a       de          ");
    put("\r\b\bx\r\n\t\t\tz");
    draw();
    assert_string_equal(display[0], "x       de          ");
    assert_string_equal(display[2], "z                   ");
}

static void test_swallows_escapes(void **state)
{
    (void)state;
    start(20, 2);
    put("a\033[6nb\033[1;31mc\033[?25hd\033(Be\0337f\033]0;title\007g\033]0;t\033\\h");
    draw();
    assert_string_equal(display[0], "abcdefgh            ");
}

static void test_unknown_characters(void **state)
{
    (void)state;
    start(8, 2);
    put("\xc3\xa9\xe2\x82\xacx\x7f");
    draw();
    assert_string_equal(display[0], "\x7f\x7fx     ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_changes_only), cmocka_unit_test(test_wraps_at_the_margin),
        cmocka_unit_test(test_scrolls_by_a_third), cmocka_unit_test(test_smallest_and_largest),
        cmocka_unit_test(test_control_characters), cmocka_unit_test(test_swallows_escapes),
        cmocka_unit_test(test_unknown_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
