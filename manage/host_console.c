#include "manage/host_console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NOBODY (-1)
/* Room that one line with its prefix takes at most. */
#define LINE_SPACE (CONSOLE_LINE_MAX + 64u)

static void write_text(struct host_console *host, const char *text)
{
    host->screen.write(text, strlen(text));
}

void host_console_init(struct host_console *host, const struct host_console_screen *screen)
{
    memset(host, 0, sizeof(*host));
    host->screen = *screen;
    host->attached = NOBODY;
    host->open = NOBODY;
}

int host_console_add(struct host_console *host, const char *name, struct console *console)
{
    if (host->count == HOST_CONSOLE_GUESTS) {
        return -ENOSPC;
    }
    host->guests[host->count].name = name;
    host->guests[host->count].console = console;
    host->count++;
    return 0;
}

/* Ends the unfinished line on the screen, if there is one, whoever wrote it. */
static void end_line(struct host_console *host)
{
    if (host->open != NOBODY) {
        host->guests[host->open].shown = 0;
        host->open = NOBODY;
    }
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

/* The screen does not have the unfinished line as it is now. */
static bool unfinished_waits(const struct host_console_guest *guest)
{
    return guest->lines.length != guest->shown || (guest->shown > 0 && guest->lines.redrawn);
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
    for (unsigned n = 0; n < host->count; n++) {
        unsigned i = (host->first + n) % host->count;
        struct host_console_guest *guest = &host->guests[i];

        if (show_output(host, i)) {
            guest->last_output = now;
            after_last = (i + 1) % host->count;
        }
        left |= console_waiting(guest->console) > 0;
        if (unfinished_waits(guest)) {
            uint64_t due = guest->last_output + HOST_CONSOLE_SILENCE;

            if (now < due) {
                next = due < next ? due : next;
            } else if (host->screen.space() >= LINE_SPACE) {
                show_line(host, i, false);
            }
        }
    }
    /* One that always has more to say must not take all the space from the others. */
    if (left) {
        host->first = after_last;
    }
    return next;
}

bool host_console_waiting(const struct host_console *host)
{
    for (unsigned i = 0; i < host->count; i++) {
        const struct host_console_guest *guest = &host->guests[i];

        if (!guest->console->hidden &&
            (console_waiting(guest->console) > 0 || guest->lines.length != guest->shown)) {
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
    } else {
        help(host);
    }
}
