/*
 * Turns the byte stream of a guest's console into whole lines of printable text: line ends are
 * normalised, escape sequences (colours, cursor queries) and other control characters are taken
 * out. Pure.
 */
#ifndef MANAGE_CONSOLE_LINES_H
#define MANAGE_CONSOLE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_LINE_MAX 240 /* a longer line is shown in pieces */

struct console_lines {
    char text[CONSOLE_LINE_MAX + 1];
    size_t length;
    bool carriage_return; /* seen, and not yet known to be part of CR LF */
    bool redrawn;         /* text was taken back since whoever shows it cleared this */
    enum { TEXT, ESCAPE, CONTROL_SEQUENCE, STRING } escape;
};

/** Adds a byte; true if `text` (NUL-terminated, `length` bytes) is now a whole line, to be shown
 * and then cleared by console_lines_next before more is added. */
bool console_lines_add(struct console_lines *lines, uint8_t byte);
/** The line was shown: start the next one. */
void console_lines_next(struct console_lines *lines);

#endif
