#include "manage/host_console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NOBODY (-1)
#define SHELL  (-2)
/* Room that one line with its prefix takes at most. */
#define LINE_SPACE (CONSOLE_LINE_MAX + 64u)
/* When to look again for room on the screen. */
#define SPACE_NS UINT64_C(5000000)

static void write_text(struct host_console *host, const char *text)
{
    host->screen.write(text, strlen(text));
}

void host_console_init(struct host_console *host, const struct host_console_screen *screen,
                       struct shell *shell)
{
    memset(host, 0, sizeof(*host));
    host->screen = *screen;
    host->shell = shell;
    host->attached = NOBODY;
    host->open = NOBODY;
}

int host_console_add(struct host_console *host, const char *name, struct console *console)
{
    if (host->count == HOST_CONSOLE_GUESTS) {
        return -ENOSPC;
    }
    host->guests[host->count] = (struct host_console_guest){.name = name, .console = console};
    console->hidden = host->attached != NOBODY;
    host->count++;
    return 0;
}

/* Ends the unfinished line on the screen, if there is one, whoever wrote it. */
static void end_line(struct host_console *host)
{
    if (host->open >= 0) {
        host->guests[host->open].shown = 0;
    }
    host->open = NOBODY;
    if (!host->screen.at_line_start()) {
        write_text(host, "\r\n");
    }
}

/* Brings the line that a guest is writing to the screen, finished or not. */
static void show_line(struct host_console *host, unsigned index, bool finished)
{
    struct host_console_guest *guest = &host->guests[index];

    /* Someone else's line came between, or the guest took back what is on the screen already. */
    if (host->open != (int)index || host->screen.at_line_start() ||
        (guest->shown > 0 && guest->lines.redrawn)) {
        end_line(host);
        write_text(host, guest->name);
        write_text(host, "| ");
        guest->shown = 0;
        host->open = (int)index;
    }
    host->screen.write(guest->lines.text + guest->shown, guest->lines.length - guest->shown);
    guest->shown = guest->lines.length;
    guest->changed = false;
    guest->lines.redrawn = false;
    if (finished) {
        end_line(host);
        console_lines_next(&guest->lines);
    }
}

/* Takes a guest's output as far as the screen has room; true if some was taken. */
static bool show_output(struct host_console *host, unsigned index)
{
    struct host_console_guest *guest = &host->guests[index];
    bool any = false;
    uint8_t bytes[64];
    size_t count;

    while (host->screen.space() >= LINE_SPACE + sizeof(bytes) * 2 &&
           (count = console_read(guest->console, bytes, sizeof(bytes))) > 0) {
        any = true;
        for (size_t i = 0; i < count; i++) {
            if (console_lines_add(&guest->lines, bytes[i])) {
                show_line(host, index, true);
            }
        }
        /* A line that was interrupted, by another guest's prompt perhaps, comes again when it goes
         * on, and not before: two prompts would push each other away for ever. */
        guest->changed = guest->lines.length != guest->shown || guest->lines.redrawn;
    }
    return any;
}

static void show_raw(struct host_console *host, struct host_console_guest *guest)
{
    uint8_t bytes[64];
    size_t count;

    while (host->screen.space() >= sizeof(bytes) &&
           (count = console_read(guest->console, bytes, sizeof(bytes))) > 0) {
        host->screen.write((const char *)bytes, count);
    }
}

/* Brings the shell's line to the screen, as it is now. */
static void show_typed(struct host_console *host)
{
    char wanted[sizeof(host->typed)];
    size_t same = 0;

    snprintf(wanted, sizeof(wanted), "%s%s", SHELL_PROMPT, host->shell->editor.text);
    if (host->open != SHELL || host->screen.at_line_start()) {
        end_line(host);
        host->typed[0] = '\0';
        host->open = SHELL;
    }
    while (wanted[same] != '\0' && wanted[same] == host->typed[same]) {
        same++;
    }
    for (size_t i = strlen(host->typed); i > same; i--) {
        write_text(host, "\b \b");
    }
    write_text(host, wanted + same);
    memcpy(host->typed, wanted, sizeof(wanted));
}

/* Shows the shell's answer as far as it is there and the screen has room; then its prompt. When to
 * come back. */
static uint64_t show_answer(struct host_console *host, uint64_t now)
{
    struct shell *shell = host->shell;
    char row[SHELL_ROW_SIZE];

    while (shell_due(shell) <= now) {
        if (host->screen.space() < SHELL_ROW_SIZE + 2u) {
            return now + SPACE_NS;
        }
        if (shell_row(shell, row)) {
            end_line(host);
            write_text(host, row);
            write_text(host, "\r\n");
        } else {
            show_typed(host);
        }
    }
    return shell_due(shell);
}

/* Whoever is typing gets the line back when what interrupted it is over. */
static uint64_t show_typed_again(struct host_console *host, uint64_t now)
{
    uint64_t due = 0;

    if (host->shell->next_row || host->shell->editor.length == 0 ||
        (host->open == SHELL && !host->screen.at_line_start())) {
        return UINT64_MAX;
    }
    for (unsigned i = 0; i < host->count; i++) {
        uint64_t silent = host->guests[i].last_output + HOST_CONSOLE_SILENCE;

        due = silent > due ? silent : due;
    }
    if (now < due) {
        return due;
    }
    if (host->screen.space() < LINE_SPACE) {
        return now + SPACE_NS;
    }
    show_typed(host);
    return UINT64_MAX;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t host_console_service(struct host_console *host, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    unsigned after_last = host->first;
    bool left = false;

    if (host->attached != NOBODY) {
        show_raw(host, &host->guests[host->attached]);
        return next;
    }
    if (host->shell) {
        next = show_answer(host, now);
    }
    for (unsigned n = 0; n < host->count; n++) {
        unsigned i = (host->first + n) % host->count;
        struct host_console_guest *guest = &host->guests[i];

        if (show_output(host, i)) {
            guest->last_output = now;
            after_last = (i + 1) % host->count;
        }
        left |= console_waiting(guest->console) > 0;
        if (guest->changed) {
            uint64_t due = guest->last_output + HOST_CONSOLE_SILENCE;

            if (now < due) {
                next = earlier(due, next);
            } else if (host->screen.space() >= LINE_SPACE) {
                show_line(host, i, false);
            }
        }
    }
    /* One that always has more to say must not take all the space from the others. */
    if (left) {
        host->first = after_last;
    }
    if (host->shell) {
        next = earlier(next, show_typed_again(host, now));
    }
    return next;
}

bool host_console_waiting(const struct host_console *host)
{
    for (unsigned i = 0; i < host->count; i++) {
        const struct host_console_guest *guest = &host->guests[i];

        if (!guest->console->hidden && (console_waiting(guest->console) > 0 || guest->changed)) {
            return true;
        }
    }
    return false;
}

void host_console_flush_guest(struct host_console *host, const struct console *console)
{
    for (unsigned i = 0; i < host->count; i++) {
        if (host->guests[i].console == console) {
            if (host->attached == (int)i) {
                show_raw(host, &host->guests[i]);
                continue;
            }
            show_output(host, i);
            if (host->guests[i].lines.length > 0 && host->screen.space() >= LINE_SPACE) {
                show_line(host, i, true);
            }
        }
    }
}

static void attach(struct host_console *host, unsigned index)
{
    char text[160];

    if (host->shell) {
        shell_interrupt(host->shell);
    }
    end_line(host);
    host->attached = (int)index;
    for (unsigned i = 0; i < host->count; i++) {
        host->guests[i].console->hidden = i != index;
    }
    snprintf(text, sizeof(text), "[attached to %s; Ctrl-] 0 detaches]\r\n",
             host->guests[index].name);
    write_text(host, text);
    /* What is unfinished on its line is the prompt the user wants to see. */
    host->screen.write(host->guests[index].lines.text, host->guests[index].lines.length);
    console_lines_next(&host->guests[index].lines);
    host->guests[index].shown = 0;
    host->guests[index].changed = false;
}

void host_console_attach(struct host_console *host, const struct console *console)
{
    for (unsigned i = 0; i < host->count; i++) {
        if (host->guests[i].console == console) {
            attach(host, i);
        }
    }
}

static void detach(struct host_console *host)
{
    char text[120];

    if (host->attached != NOBODY) {
        snprintf(text, sizeof(text), "\r\n[detached from %s]\r\n",
                 host->guests[host->attached].name);
        write_text(host, text);
    }
    host->attached = NOBODY;
    for (unsigned i = 0; i < host->count; i++) {
        struct host_console_guest *guest = &host->guests[i];

        guest->console->hidden = false;
        if (guest->console->dropped > 0) {
            snprintf(text, sizeof(text), "[%s: %lu bytes not shown]\r\n", guest->name,
                     guest->console->dropped);
            write_text(host, text);
            guest->console->dropped = 0;
        }
    }
}

void host_console_remove(struct host_console *host, const struct console *console)
{
    unsigned i = 0;

    while (i < host->count && host->guests[i].console != console) {
        i++;
    }
    if (i == host->count) {
        return;
    }
    if (host->attached == (int)i) {
        detach(host);
    }
    end_line(host);
    memmove(&host->guests[i], &host->guests[i + 1],
            (host->count - i - 1) * sizeof(host->guests[0]));
    host->count--;
    host->attached -= host->attached > (int)i ? 1 : 0;
    host->first = 0;
}

static void help(struct host_console *host)
{
    char text[160];

    end_line(host);
    write_text(host,
               "[Ctrl-] then a number attaches the keyboard to a guest, Ctrl-] 0 detaches]\r\n");
    for (unsigned i = 0; i < host->count && i < 9; i++) {
        snprintf(text, sizeof(text), "[%u: %s]\r\n", i + 1, host->guests[i].name);
        write_text(host, text);
    }
    if (host->shell) {
        write_text(host, "[\"help\" lists the commands]\r\n");
        show_typed(host);
    }
}

/* A key for the shell, which is shown at once. */
static void shell_takes(struct host_console *host, uint8_t key)
{
    struct shell *shell = host->shell;

    if (shell_waits_for_key(shell)) {
        shell_interrupt(shell);
        show_typed(host);
        return;
    }
    switch (shell_key(shell, key)) {
    case LINE_CHANGED:
        show_typed(host);
        break;
    case LINE_ENTERED:
        show_typed(host);
        end_line(host);
        if (shell->editor.length == 0) {
            help(host);
        } else {
            shell_run(shell);
            if (!shell->next_row && host->attached == NOBODY) {
                show_typed(host);
            }
        }
        break;
    case LINE_GIVEN_UP:
        show_typed(host);
        write_text(host, "^C");
        end_line(host);
        line_editor_next(&shell->editor, false);
        show_typed(host);
        break;
    case LINE_TAB:
        shell_complete(shell);
        show_typed(host);
        break;
    }
}

bool host_console_takes_keys(const struct host_console *host)
{
    return host->attached != NOBODY || !host->shell || !host->shell->next_row ||
           shell_waits_for_key(host->shell);
}

void host_console_key(struct host_console *host, uint8_t key)
{
    if (host->command) {
        host->command = false;
        if (key >= '1' && key <= '9' && key - '1' < (int)host->count) {
            attach(host, (unsigned)(key - '1'));
        } else if (key == '0') {
            detach(host);
        } else if (key == HOST_CONSOLE_COMMAND && host->attached != NOBODY) {
            console_type(host->guests[host->attached].console, key);
        } else {
            help(host);
        }
    } else if (key == HOST_CONSOLE_COMMAND) {
        host->command = true;
    } else if (host->attached != NOBODY) {
        /* A guest that does not read loses what overflows its line, as on a real UART. */
        console_type(host->guests[host->attached].console, key);
    } else if (host->shell) {
        shell_takes(host, key);
    } else {
        help(host);
    }
}
