/*
 * The machine's serial console, shared by all guests: each guest's output appears line by line as
 * `name| text`, an unfinished line (a prompt) after a moment of silence. What is typed goes to the
 * shell, whose line is one among the others. Keys attach the console raw to one guest and back.
 * Pure: where text goes is a pair of functions.
 *
 * Called by one thread only.
 */
#ifndef MANAGE_HOST_CONSOLE_H
#define MANAGE_HOST_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/console.h"
#include "manage/console_lines.h"
#include "manage/shell.h"

#define HOST_CONSOLE_GUESTS  64
#define HOST_CONSOLE_COMMAND 0x1d /* Ctrl-] */
/* An unfinished line is shown after this much silence. */
#define HOST_CONSOLE_SILENCE UINT64_C(100000000)

struct host_console_guest {
    const char *name;
    struct console *console;
    struct console_lines lines;
    size_t shown;         /* characters of the unfinished line that are on the screen */
    bool changed;         /* it is not on the screen as it is now, and never was */
    uint64_t last_output; /* ns */
};

/* The screen that guests share with others, such as the log. */
struct host_console_screen {
    size_t (*space)(void); /* bytes that can be written now without loss */
    void (*write)(const char *text, size_t length);
    bool (*at_line_start)(void); /* what anyone wrote last ended its line */
};

struct host_console {
    struct host_console_screen screen;
    struct host_console_guest guests[HOST_CONSOLE_GUESTS];
    unsigned count;
    unsigned first; /* index of the guest that is asked first for output */
    int attached;   /* index of the guest that has the console raw, -1 for none */
    int open;       /* index of the guest whose unfinished line is the last on the screen, -1: none,
                       -2: the shell's */
    struct shell *shell;                                 /* NULL: there is none */
    char typed[sizeof(SHELL_PROMPT) + LINE_EDITOR_SIZE]; /* the shell's line as it is shown */
    bool command; /* the command key was pressed; the next key says what to do */
};

/** `shell` (or NULL) gets the keys while no guest is attached. */
void host_console_init(struct host_console *host, const struct host_console_screen *screen,
                       struct shell *shell);
/** Adds a guest; it is number `count` (from 1) for the keys. 0, or -ENOSPC. Both live until it is
 * removed. */
int host_console_add(struct host_console *host, const char *name, struct console *console);
/** Forgets a guest; those after it get the number before theirs. */
void host_console_remove(struct host_console *host, const struct console *console);
/** True if there is a use for keys now; not while the shell's answer is being shown. */
bool host_console_takes_keys(const struct host_console *host);
/** A key was pressed. */
void host_console_key(struct host_console *host, uint8_t key);
/** Keyboard and screen to this guest. */
void host_console_attach(struct host_console *host, const struct console *console);
/** Shows what the shell answers and what guests have sent, as far as there is space. Returns when
 * to come back (ns), UINT64_MAX if nothing waits. */
uint64_t host_console_service(struct host_console *host, uint64_t now);
/** Shows what waits of one guest, its unfinished line included (it has stopped), as far as there is
 * space. */
void host_console_flush_guest(struct host_console *host, const struct console *console);
/** True if there is output that was not shown yet and that host_console_service will show. */
bool host_console_waiting(const struct host_console *host);

#endif
