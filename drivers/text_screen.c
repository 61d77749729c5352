#include "drivers/text_screen.h"

#include <string.h>

#define ESCAPE    0x1b
#define BELL      0x07
#define TAB_STOPS 8u

static unsigned clamp(unsigned value, unsigned max)
{
    if (value < 1) {
        return 1;
    }
    return value < max ? value : max;
}

void text_screen_init(struct text_screen *screen, unsigned columns, unsigned rows)
{
    screen->columns = clamp(columns, TEXT_COLUMNS_MAX);
    screen->rows = clamp(rows, TEXT_ROWS_MAX);
    screen->column = 0;
    screen->row = 0;
    screen->parser = TEXT_PLAIN;
    for (unsigned row = 0; row < screen->rows; row++) {
        screen->changed_from[row] = screen->columns;
        memset(screen->cells[row], ' ', screen->columns);
        memset(screen->drawn[row], ' ', screen->columns);
    }
}

static void scroll(struct text_screen *screen)
{
    unsigned lines = (screen->rows + 2) / 3;
    unsigned kept = screen->rows - lines;

    for (unsigned row = 0; row < screen->rows; row++) {
        if (row < kept) {
            memcpy(screen->cells[row], screen->cells[row + lines], screen->columns);
        } else {
            memset(screen->cells[row], ' ', screen->columns);
        }
        screen->changed_from[row] = 0;
    }
    screen->row -= lines;
}

static void line_feed(struct text_screen *screen)
{
    screen->row++;
    if (screen->row == screen->rows) {
        scroll(screen);
    }
}

static void put_cell(struct text_screen *screen, uint8_t character)
{
    if (screen->column == screen->columns) {
        screen->column = 0;
        line_feed(screen);
    }
    if (screen->column < screen->changed_from[screen->row]) {
        screen->changed_from[screen->row] = screen->column;
    }
    screen->cells[screen->row][screen->column++] = character;
}

static void put_plain(struct text_screen *screen, uint8_t c)
{
    switch (c) {
    case '\n':
        line_feed(screen);
        break;
    case '\r':
        screen->column = 0;
        break;
    case '\b':
        screen->column -= screen->column > 0 ? 1 : 0;
        break;
    case '\t':
        do {
            put_cell(screen, ' ');
        } while (screen->column % TAB_STOPS != 0 && screen->column < screen->columns);
        break;
    case ESCAPE:
        screen->parser = TEXT_ESCAPE;
        break;
    default:
        if (c >= ' ' && c < 0x7f) {
            put_cell(screen, c);
        } else if (c >= 0xc0) {
            put_cell(screen,
                     TEXT_UNKNOWN); /* starts a UTF-8 sequence; what continues it is < 0xc0 */
        }
        break;
    }
}

/* ECMA-48: ESC [ parameters and a final byte of 0x40-0x7e; ESC ] string up to BEL or ESC \. */
static void put_byte(struct text_screen *screen, uint8_t c)
{
    switch (screen->parser) {
    case TEXT_PLAIN:
        put_plain(screen, c);
        break;
    case TEXT_ESCAPE:
        if (c == '[') {
            screen->parser = TEXT_CONTROL_SEQUENCE;
        } else if (c == ']') {
            screen->parser = TEXT_STRING;
        } else if (c < 0x20 || c > 0x2f) { /* these are intermediate bytes: more follows */
            screen->parser = TEXT_PLAIN;
        }
        break;
    case TEXT_CONTROL_SEQUENCE:
        if (c >= 0x40 && c <= 0x7e) {
            screen->parser = TEXT_PLAIN;
        }
        break;
    case TEXT_STRING:
        if (c == BELL) {
            screen->parser = TEXT_PLAIN;
        } else if (c == ESCAPE) {
            screen->parser = TEXT_ESCAPE;
        }
        break;
    }
}

void text_screen_put(struct text_screen *screen, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        put_byte(screen, (uint8_t)text[i]);
    }
}

bool text_screen_next_change(struct text_screen *screen, struct text_change *change)
{
    for (unsigned row = 0; row < screen->rows; row++) {
        const uint8_t *cells = screen->cells[row];
        uint8_t *drawn = screen->drawn[row];

        for (unsigned column = screen->changed_from[row]; column < screen->columns; column++) {
            if (cells[column] != drawn[column]) {
                drawn[column] = cells[column];
                screen->changed_from[row] = column + 1;
                *change =
                    (struct text_change){.column = column, .row = row, .character = cells[column]};
                return true;
            }
        }
        screen->changed_from[row] = screen->columns;
    }
    return false;
}
