/*
 * A screen of characters in memory, as a dumb terminal: text goes in, and what has to be drawn to
 * bring a display up to date comes out. Pure. Drawing is the expensive part, so what is overwritten
 * or scrolled away before anybody draws costs nothing, and a full screen scrolls by a third at
 * once.
 */
#ifndef DRIVERS_TEXT_SCREEN_H
#define DRIVERS_TEXT_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A display of 1920x1080; on a larger one the rest stays empty. */
#define TEXT_COLUMNS_MAX 240u
#define TEXT_ROWS_MAX    67u

/* Shown for what is not printable ASCII. */
#define TEXT_UNKNOWN 0x7fu

enum text_parser { TEXT_PLAIN, TEXT_ESCAPE, TEXT_CONTROL_SEQUENCE, TEXT_STRING };

struct text_screen {
    unsigned columns;
    unsigned rows;
    unsigned column; /* may be `columns`: the next character wraps */
    unsigned row;
    enum text_parser parser;
    unsigned changed_from[TEXT_ROWS_MAX]; /* cells before this column are drawn already */
    uint8_t cells[TEXT_ROWS_MAX][TEXT_COLUMNS_MAX];
    uint8_t drawn[TEXT_ROWS_MAX][TEXT_COLUMNS_MAX]; /* what the display shows */
};

struct text_change {
    unsigned column;
    unsigned row;
    uint8_t character; /* 0x20-0x7e or TEXT_UNKNOWN */
};

/** An empty screen over an empty display; sizes are cut to the maxima, and at least 1. */
void text_screen_init(struct text_screen *screen, unsigned columns, unsigned rows);

/** Writes text: CR, LF, backspace and tab do what they do on a terminal, escape sequences are
 * swallowed, UTF-8 sequences count as one unknown character. */
void text_screen_put(struct text_screen *screen, const char *text, size_t length);

/** Takes one cell that differs from the display; it counts as drawn then. False: up to date. */
bool text_screen_next_change(struct text_screen *screen, struct text_change *change);

#endif
