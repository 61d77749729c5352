/* The machine's console as a person sees it: a screen made of what was written. */
#include <stdio.h>
#include <string.h>

#include "manage/host_console.h"
#include "tests/unit/manage/fake_machine.h"
#include "tests/unit/support/cmocka.h"

#define MS UINT64_C(1000000)

static char screen[65536];
static size_t shown;
static size_t looked;
static size_t room = SIZE_MAX;
static struct host_console host;
static struct console first, second;
static uint8_t rings[2][CONSOLE_RING_SIZE];
static struct shell shell;

static size_t space(void)
{
    return room;
}

static void write_screen(const char *text, size_t length)
{
    assert_true(shown + length < sizeof(screen));
    memcpy(screen + shown, text, length);
    shown += length;
    room -= room == SIZE_MAX ? 0 : length;
    screen[shown] = '\0';
}

static bool at_line_start(void)
{
    return shown == 0 || screen[shown - 1] == '\n';
}

static int setup(void **state)
{
    const struct host_console_screen s = {space, write_screen, at_line_start};

    (void)state;
    memset(&first, 0, sizeof(first));
    memset(&second, 0, sizeof(second));
    first.ring = rings[0];
    second.ring = rings[1];
    shown = 0;
    looked = 0;
    screen[0] = '\0';
    room = SIZE_MAX;
    host_console_init(&host, &s, NULL);
    assert_int_equal(host_console_add(&host, "one", &first), 0);
    assert_int_equal(host_console_add(&host, "two", &second), 0);
    return 0;
}

/* With a shell, on a machine that has the same VMs. */
static int setup_shell(void **state)
{
    const struct host_console_screen s = {space, write_screen, at_line_start};

    setup(state);
    fake_init();
    fake_add("one", 1);
    fake_add("two", 1);
    shell_init(&shell, &fake_shell_machine);
    host_console_init(&host, &s, &shell);
    assert_int_equal(host_console_add(&host, "one", &first), 0);
    assert_int_equal(host_console_add(&host, "two", &second), 0);
    return 0;
}

static void say(struct console *console, const char *text)
{
    for (; *text; text++) {
        assert_true(console_send(console, (uint8_t)*text));
    }
}

static void type(const char *keys)
{
    for (; *keys; keys++) {
        host_console_key(&host, (uint8_t)*keys);
    }
}

static void lines_get_their_guests_name(void **state)
{
    (void)state;
    say(&first, "hello\r\nwor");
    say(&second, "other\n");
    host_console_service(&host, 0);
    assert_string_equal(screen, "one| hello\r\ntwo| other\r\n");
    say(&first, "ld\r\n");
    host_console_service(&host, MS);
    assert_string_equal(screen, "one| hello\r\ntwo| other\r\none| world\r\n");
}

static void a_prompt_appears_after_silence_and_goes_on(void **state)
{
    uint64_t due;

    (void)state;
    say(&first, "~ # \x1b[6n");
    due = host_console_service(&host, 5 * MS);
    assert_int_equal(due, 5 * MS + HOST_CONSOLE_SILENCE);
    assert_string_equal(screen, "");
    assert_int_equal(host_console_service(&host, due), UINT64_MAX);
    assert_string_equal(screen, "one| ~ # ");
    say(&first, "ls\r\nbin\r\n");
    host_console_service(&host, due + MS);
    assert_string_equal(screen, "one| ~ # ls\r\none| bin\r\n");
}

static void another_line_interrupts_a_prompt(void **state)
{
    (void)state;
    say(&first, "login: ");
    host_console_service(&host, 0);
    host_console_service(&host, HOST_CONSOLE_SILENCE);
    say(&second, "x\n");
    host_console_service(&host, HOST_CONSOLE_SILENCE);
    assert_string_equal(screen, "one| login: \r\ntwo| x\r\n");
    say(&first, "root\n");
    host_console_service(&host, HOST_CONSOLE_SILENCE);
    assert_string_equal(screen, "one| login: \r\ntwo| x\r\none| login: root\r\n");
}

static void a_line_that_is_drawn_again_is_shown_again(void **state)
{
    (void)state;
    say(&first, "10% done");
    host_console_service(&host, 0);
    host_console_service(&host, HOST_CONSOLE_SILENCE);
    say(&first, "\r20% done");
    host_console_service(&host, 2 * HOST_CONSOLE_SILENCE);
    host_console_service(&host, 3 * HOST_CONSOLE_SILENCE);
    assert_string_equal(screen, "one| 10% done\r\none| 20% done");
    say(&first, "\r100% done\r\n");
    host_console_service(&host, 3 * HOST_CONSOLE_SILENCE);
    assert_string_equal(screen, "one| 10% done\r\none| 20% done\r\none| 100% done\r\n");
}

static void the_logs_line_interrupts_a_prompt(void **state)
{
    (void)state;
    say(&first, "login: ");
    host_console_service(&host, 0);
    host_console_service(&host, HOST_CONSOLE_SILENCE);
    write_screen("\r\n[log]\r\n", 9);
    say(&first, "root\n");
    host_console_service(&host, HOST_CONSOLE_SILENCE);
    assert_string_equal(screen, "one| login: \r\n[log]\r\none| login: root\r\n");
}

static void control_sequences_are_taken_out(void **state)
{
    (void)state;
    say(&first, "\x1b[1;31mred\x1b[0m \x1b]0;title\x07"
                "a\tb\x01\x7f"
                "c\bd\x1b(B!\r\n");
    say(&first, "10%\r20%\r30%\r\n");
    host_console_service(&host, 0);
    assert_string_equal(screen, "one| red a\tbd!\r\none| 30%\r\n");
}

static void a_long_line_comes_in_pieces(void **state)
{
    char expected[CONSOLE_LINE_MAX + 64];

    (void)state;
    for (unsigned i = 0; i < CONSOLE_LINE_MAX + 3; i++) {
        say(&first, "x");
    }
    say(&first, "\n");
    host_console_service(&host, 0);
    memset(expected, 'x', sizeof(expected));
    memcpy(expected, "one| ", 5);
    snprintf(expected + 5 + CONSOLE_LINE_MAX, 32, "\r\none| xxx\r\n");
    assert_string_equal(screen, expected);
}

static void attached_is_raw_both_ways(void **state)
{
    uint8_t typed[8];

    (void)state;
    say(&first, "~ # ");
    host_console_service(&host, 0);
    type("\x1d"
         "1");
    assert_string_equal(screen, "[attached to one; Ctrl-] 0 detaches]\r\n~ # ");
    type("ls\x03");
    assert_int_equal(console_take_typed(&first, typed, sizeof(typed)), 3);
    assert_memory_equal(typed, "ls\x03", 3);
    type("\x1d\x1d");
    assert_int_equal(console_take_typed(&first, typed, sizeof(typed)), 1);
    assert_int_equal(typed[0], 0x1d);
    shown = 0;
    say(&first, "\x1b[2Jraw\r");
    say(&second, "kept\n");
    host_console_service(&host, MS);
    assert_string_equal(screen, "\x1b[2Jraw\r");
    type("\x1d"
         "0");
    shown = 0;
    host_console_service(&host, 2 * MS);
    assert_string_equal(screen, "two| kept\r\n");
}

static void keys_while_detached_give_help(void **state)
{
    (void)state;
    type("x");
    assert_non_null(strstr(screen, "[1: one]"));
    assert_non_null(strstr(screen, "[2: two]"));
    shown = 0;
    type("\x1d"
         "7");
    assert_non_null(strstr(screen, "[1: one]"));
    assert_int_equal(host.attached, -1);
}

static void nothing_is_lost_when_the_screen_is_slow(void **state)
{
    char expected[4096] = "";

    (void)state;
    room = 0;
    for (unsigned i = 0; i < 100; i++) {
        char line[32];

        snprintf(line, sizeof(line), "line %u\n", i);
        say(&first, line);
        snprintf(expected + strlen(expected), 32, "one| line %u\r\n", i);
    }
    host_console_service(&host, 0);
    assert_string_equal(screen, "");
    room = SIZE_MAX;
    host_console_service(&host, MS);
    assert_string_equal(screen, expected);
}

/* A guest that never stops talking does not keep another from being heard. */
static void space_goes_round(void **state)
{
    (void)state;
    say(&second, "help\n");
    for (unsigned i = 0; i < 4; i++) {
        while (console_waiting(&first) < CONSOLE_OUTPUT_SIZE - 16) {
            say(&first, "line\n");
        }
        room = CONSOLE_LINE_MAX + 64 + 2 * 64;
        host_console_service(&host, i * MS);
    }
    assert_non_null(strstr(screen, "two| help\r\n"));
}

static void what_waits_is_told_until_it_is_shown(void **state)
{
    (void)state;
    assert_false(host_console_waiting(&host));
    say(&first, "one\nlast words");
    room = 0;
    host_console_service(&host, 0);
    host_console_flush_guest(&host, &first);
    assert_string_equal(screen, "");
    assert_true(host_console_waiting(&host));
    room = SIZE_MAX;
    host_console_service(&host, 0);
    assert_true(host_console_waiting(&host));
    host_console_service(&host, HOST_CONSOLE_SILENCE);
    assert_string_equal(screen, "one| one\r\none| last words");
    assert_false(host_console_waiting(&host));
    /* What nobody looks at is never shown. */
    type("\x1d"
         "1");
    say(&second, "x\n");
    assert_false(host_console_waiting(&host));
}

static void a_full_ring_holds_the_guest_up_or_drops_when_hidden(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CONSOLE_OUTPUT_SIZE; i++) {
        assert_true(console_send(&first, 'a'));
    }
    assert_false(console_send(&first, 'b'));
    type("\x1d"
         "2");
    assert_true(console_send(&first, 'b'));
    assert_int_equal(first.dropped, 1);
    type("\x1d"
         "0");
    assert_non_null(strstr(screen, "[one: 1 bytes not shown]"));
    assert_int_equal(first.dropped, 0);
}

static void input_overflow_is_dropped_not_mixed(void **state)
{
    uint8_t typed[CONSOLE_INPUT_SIZE + 1];

    (void)state;
    for (unsigned i = 0; i < CONSOLE_INPUT_SIZE; i++) {
        assert_true(console_type(&first, (uint8_t)i));
    }
    assert_false(console_type(&first, 1));
    assert_int_equal(console_take_typed(&first, typed, 10), 10);
    assert_int_equal(typed[9], 9);
    assert_true(console_type(&first, 0xee));
    assert_int_equal(console_take_typed(&first, typed, sizeof(typed)), CONSOLE_INPUT_SIZE - 9);
    assert_int_equal(typed[0], 10);
    assert_int_equal(typed[CONSOLE_INPUT_SIZE - 10], 0xee);
    assert_int_equal(console_take_typed(&first, typed, sizeof(typed)), 0);
}

/* The UART takes 16 at a time, from a ring that goes round: what is at its beginning again waits as
 * what is at its end does, or nobody would come back for it. */
static void what_waits_is_known_round_the_ring(void **state)
{
    uint8_t typed[16];
    uint8_t next = 0;
    uint8_t taken = 0;

    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        size_t count;

        for (unsigned i = 0; i < 200; i++) {
            assert_true(console_type(&first, next++));
        }
        for (unsigned left = 200; left > 0; left -= (unsigned)count) {
            assert_int_equal(console_typed(&first), left);
            count = console_take_typed(&first, typed, sizeof(typed));
            assert_int_equal(count, left < sizeof(typed) ? left : sizeof(typed));
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(typed[i], taken++);
            }
        }
        assert_int_equal(console_typed(&first), 0);
    }
}

/* Others read from where they are, and nobody waits for them. */
static void late_readers_see_what_the_ring_has(void **state)
{
    uint64_t early = 0;
    uint64_t late = 0;
    uint8_t bytes[3 * CONSOLE_OUTPUT_SIZE];
    uint64_t next = 0;
    size_t count;

    (void)state;
    first.hidden = true;
    say(&first, "hello");
    assert_int_equal(console_read_at(&first, &early, bytes, 3), 3);
    assert_memory_equal(bytes, "hel", 3);
    assert_int_equal(console_read_at(&first, &early, bytes, sizeof(bytes)), 2);
    assert_int_equal(console_read_at(&first, &early, bytes, sizeof(bytes)), 0);
    assert_int_equal(early, 5);
    for (unsigned i = 5; i < 2 * CONSOLE_RING_SIZE + 77; i++) {
        assert_true(console_send(&first, (uint8_t)(i % 251)));
    }
    assert_int_equal(console_sent(&first), 2 * CONSOLE_RING_SIZE + 77);
    next = CONSOLE_RING_SIZE + 77;
    while ((count = console_read_at(&first, &late, bytes, sizeof(bytes))) > 0) {
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(bytes[i], (next + i) % 251);
        }
        next += count;
        assert_int_equal(late, next);
    }
    assert_int_equal(next, 2 * CONSOLE_RING_SIZE + 77);
    late = UINT64_MAX; /* nobody was ever there */
    assert_int_equal(console_read_at(&first, &late, bytes, sizeof(bytes)), 0);
    /* The machine's console has its own place, and what waits for it is less. */
    assert_int_equal(console_waiting(&first), CONSOLE_OUTPUT_SIZE);
    assert_int_equal(console_read(&first, bytes, sizeof(bytes)), CONSOLE_OUTPUT_SIZE);
    assert_int_equal(bytes[0], (2 * CONSOLE_RING_SIZE + 77 - CONSOLE_OUTPUT_SIZE) % 251);
}

static unsigned watched;

static void count_watched(void)
{
    watched++;
}

static void a_watcher_is_told_once(void **state)
{
    (void)state;
    first.watcher = count_watched;
    watched = 0;
    say(&first, "abc");
    assert_int_equal(watched, 0);
    assert_false(console_watch(&first, 2)); /* there is a third one already */
    assert_true(console_watch(&first, 3));
    say(&first, "de");
    assert_int_equal(watched, 1);
    assert_true(console_watch(&first, 5));
    assert_true(console_watch(&first, 5));
    say(&first, "f");
    assert_int_equal(watched, 2);
    /* A byte that was not taken is no news. */
    while (console_send(&first, 'x')) {
    }
    assert_true(console_watch(&first, console_sent(&first)));
    assert_false(console_send(&first, 'x'));
    assert_int_equal(watched, 2);
}

static void an_ended_guest_shows_its_last_words(void **state)
{
    (void)state;
    say(&first, "bye");
    host_console_flush_guest(&host, &first);
    assert_string_equal(screen, "one| bye\r\n");
}

/* What was shown since the last look. */
static const char *look(void)
{
    const char *seen = screen + looked;

    looked = shown;
    return seen;
}

static void unfinished_lines_do_not_push_each_other_away(void **state)
{
    (void)state;
    say(&first, "one # ");
    host_console_service(&host, 0);
    host_console_service(&host, HOST_CONSOLE_SILENCE);
    say(&second, "two # ");
    host_console_service(&host, HOST_CONSOLE_SILENCE);
    host_console_service(&host, 2 * HOST_CONSOLE_SILENCE);
    assert_string_equal(screen, "one| one # \r\ntwo| two # ");
    assert_int_equal(host_console_service(&host, 3 * HOST_CONSOLE_SILENCE), UINT64_MAX);
    assert_string_equal(screen, "one| one # \r\ntwo| two # ");
    assert_false(host_console_waiting(&host));
    say(&first, "ls");
    host_console_service(&host, 3 * HOST_CONSOLE_SILENCE);
    host_console_service(&host, 4 * HOST_CONSOLE_SILENCE);
    assert_string_equal(screen, "one| one # \r\ntwo| two # \r\none| one # ls");
}

static void what_is_typed_is_shown_and_done(void **state)
{
    (void)state;
    type("vx");
    assert_string_equal(look(), "innkeeper> vx");
    type("\b");
    assert_string_equal(look(), "\b \b");
    type("cpus\r");
    assert_string_equal(look(), "cpus\r\n");
    assert_false(host_console_takes_keys(&host));
    assert_int_equal(host_console_service(&host, 0), UINT64_MAX);
    assert_string_equal(look(),
                        "NAME                            VCPU STATE     CPU    CPU TIME  EXITS\r\n"
                        "one                                0 waits       0     0.000 s      0\r\n"
                        "two                                0 waits       0     0.000 s      0\r\n"
                        "innkeeper> ");
    assert_true(host_console_takes_keys(&host));
    type("x\x15y\x03");
    assert_string_equal(look(), "x\b \by^C\r\ninnkeeper> ");
    type("\x10");
    assert_string_equal(look(), "vcpus");
}

static void an_empty_line_gives_help(void **state)
{
    (void)state;
    type("\r");
    assert_string_equal(look(), "innkeeper> \r\n"
                                "[Ctrl-] then a number attaches the keyboard to a guest, Ctrl-] 0 "
                                "detaches]\r\n"
                                "[1: one]\r\n[2: two]\r\n"
                                "[\"help\" lists the commands]\r\ninnkeeper> ");
}

static void a_typed_line_survives_a_guests(void **state)
{
    (void)state;
    type("vm");
    say(&first, "news\n");
    assert_int_equal(host_console_service(&host, MS), MS + HOST_CONSOLE_SILENCE);
    assert_string_equal(look(), "innkeeper> vm\r\none| news\r\n");
    host_console_service(&host, MS + HOST_CONSOLE_SILENCE);
    assert_string_equal(look(), "innkeeper> vm");
    /* A guest's prompt does not come and go with it. */
    say(&first, "# ");
    host_console_service(&host, 2 * HOST_CONSOLE_SILENCE);
    host_console_service(&host, 3 * HOST_CONSOLE_SILENCE);
    assert_string_equal(look(), "\r\none| # \r\ninnkeeper> vm");
    assert_int_equal(host_console_service(&host, 4 * HOST_CONSOLE_SILENCE), UINT64_MAX);
    assert_string_equal(look(), "");
    type("s");
    assert_string_equal(look(), "s");
    write_screen("\r\n[log]\r\n", 9);
    type("!");
    assert_string_equal(look(), "\r\n[log]\r\ninnkeeper> vms!");
}

static void an_answer_waits_for_room(void **state)
{
    (void)state;
    fake.log_lines = 3;
    type("log\r");
    look();
    room = SHELL_ROW_SIZE + 2;
    assert_int_equal(host_console_service(&host, 7 * MS), 12 * MS);
    assert_string_equal(look(), "line 1\r\n");
    room = SIZE_MAX;
    host_console_service(&host, 12 * MS);
    assert_string_equal(look(), "line 2\r\nline 3\r\ninnkeeper> ");
}

static void top_goes_on_until_a_key(void **state)
{
    (void)state;
    type("top\r");
    look();
    assert_int_equal(host_console_service(&host, 0), SHELL_TOP_NS);
    assert_true(host_console_takes_keys(&host));
    say(&first, "meanwhile\n");
    fake.now = SHELL_TOP_NS;
    host_console_service(&host, SHELL_TOP_NS);
    assert_non_null(strstr(look(), "\r\n\r\none| meanwhile\r\n"));
    type("q");
    assert_string_equal(look(), "innkeeper> ");
    assert_int_equal(host_console_service(&host, 2 * SHELL_TOP_NS), UINT64_MAX);
    assert_string_equal(look(), "");
    type("top\r\x1d"
         "1");
    assert_int_equal(host.attached, 0);
    assert_int_equal(host_console_service(&host, 3 * SHELL_TOP_NS), UINT64_MAX);
}

static void tab_completes(void **state)
{
    (void)state;
    type("kill \t");
    assert_string_equal(look(), "innkeeper> kill ");
    host_console_service(&host, 0);
    assert_string_equal(look(), "\r\none  two\r\ninnkeeper> kill ");
    type("t\t");
    assert_string_equal(look(), "two ");
}

static void guests_come_and_go(void **state)
{
    static uint8_t ring[CONSOLE_RING_SIZE];
    static struct console third;

    (void)state;
    third = (struct console){.ring = ring};
    host_console_attach(&host, &second);
    assert_int_equal(host.attached, 1);
    assert_int_equal(host_console_add(&host, "three", &third), 0);
    assert_true(third.hidden);
    host_console_remove(&host, &first);
    assert_int_equal(host.attached, 0);
    look();
    say(&second, "x");
    host_console_service(&host, 0);
    assert_string_equal(look(), "x");
    host_console_remove(&host, &second);
    assert_int_equal(host.attached, -1);
    assert_string_equal(look(), "\r\n[detached from two]\r\n");
    assert_false(third.hidden);
    say(&third, "y\n");
    host_console_service(&host, 0);
    assert_string_equal(look(), "three| y\r\n");
    host_console_remove(&host, &first);
    assert_int_equal(host.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_get_their_guests_name, setup),
        cmocka_unit_test_setup(a_prompt_appears_after_silence_and_goes_on, setup),
        cmocka_unit_test_setup(another_line_interrupts_a_prompt, setup),
        cmocka_unit_test_setup(a_line_that_is_drawn_again_is_shown_again, setup),
        cmocka_unit_test_setup(the_logs_line_interrupts_a_prompt, setup),
        cmocka_unit_test_setup(control_sequences_are_taken_out, setup),
        cmocka_unit_test_setup(a_long_line_comes_in_pieces, setup),
        cmocka_unit_test_setup(attached_is_raw_both_ways, setup),
        cmocka_unit_test_setup(keys_while_detached_give_help, setup),
        cmocka_unit_test_setup(nothing_is_lost_when_the_screen_is_slow, setup),
        cmocka_unit_test_setup(space_goes_round, setup),
        cmocka_unit_test_setup(what_waits_is_told_until_it_is_shown, setup),
        cmocka_unit_test_setup(a_full_ring_holds_the_guest_up_or_drops_when_hidden, setup),
        cmocka_unit_test_setup(input_overflow_is_dropped_not_mixed, setup),
        cmocka_unit_test_setup(what_waits_is_known_round_the_ring, setup),
        cmocka_unit_test_setup(late_readers_see_what_the_ring_has, setup),
        cmocka_unit_test_setup(a_watcher_is_told_once, setup),
        cmocka_unit_test_setup(an_ended_guest_shows_its_last_words, setup),
        cmocka_unit_test_setup(unfinished_lines_do_not_push_each_other_away, setup),
        cmocka_unit_test_setup(what_is_typed_is_shown_and_done, setup_shell),
        cmocka_unit_test_setup(an_empty_line_gives_help, setup_shell),
        cmocka_unit_test_setup(a_typed_line_survives_a_guests, setup_shell),
        cmocka_unit_test_setup(an_answer_waits_for_room, setup_shell),
        cmocka_unit_test_setup(top_goes_on_until_a_key, setup_shell),
        cmocka_unit_test_setup(tab_completes, setup_shell),
        cmocka_unit_test_setup(guests_come_and_go, setup_shell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
