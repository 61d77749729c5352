#include "manage/console_lines.h"

/* Tracks escape sequences (ECMA-48); true if the byte is text. */
static bool is_text(struct console_lines *lines, uint8_t byte)
{
    switch (lines->escape) {
    case TEXT:
        if (byte == 0x1b) {
            lines->escape = ESCAPE;
            return false;
        }
        return byte >= 0x20 ? byte != 0x7f : byte == '\t';
    case ESCAPE:
        if (byte == '[') {
            lines->escape = CONTROL_SEQUENCE;
        } else if (byte == ']' || byte == 'P' || byte == '^' || byte == '_') {
            lines->escape = STRING;
        } else if (byte < 0x20 || byte > 0x2f) {
            lines->escape = TEXT; /* 0x20-0x2f: intermediate bytes, more follow */
        }
        return false;
    case CONTROL_SEQUENCE:
        if (byte >= 0x40 && byte <= 0x7e) {
            lines->escape = TEXT;
        }
        return false;
    case STRING: /* ends with BEL or ESC \ */
        if (byte == 0x07) {
            lines->escape = TEXT;
        } else if (byte == 0x1b) {
            lines->escape = ESCAPE;
        }
        return false;
    }
    return false;
}

bool console_lines_add(struct console_lines *lines, uint8_t byte)
{
    bool ended = false;

    if (byte == '\n') {
        lines->carriage_return = false;
        lines->escape = TEXT;
        ended = true;
    } else if (byte == '\r') {
        lines->carriage_return = true;
    } else if (byte == '\b') {
        if (lines->length > 0) {
            lines->length--;
            lines->redrawn = true;
        }
    } else if (is_text(lines, byte)) {
        /* Text after a lone CR would overwrite the line (progress bars, redrawn prompts). */
        if (lines->carriage_return) {
            lines->length = 0;
            lines->redrawn = true;
            lines->carriage_return = false;
        }
        lines->text[lines->length++] = (char)byte;
        ended = lines->length == CONSOLE_LINE_MAX;
    }
    lines->text[lines->length] = '\0';
    return ended;
}

void console_lines_next(struct console_lines *lines)
{
    lines->length = 0;
    lines->text[0] = '\0';
}
