/*
 * A line that a person types: characters, taking back, and the lines entered before. It does not
 * draw; whoever shows the line compares it with what is on the screen. Pure.
 *
 *   Backspace, Delete   takes back a character
 *   Ctrl-U              takes back the line
 *   Ctrl-W              takes back a word
 *   Ctrl-C              gives the line up
 *   up, down            the lines entered before (also Ctrl-P, Ctrl-N)
 *   Tab                 is left to the owner
 */
#ifndef MANAGE_LINE_EDITOR_H
#define MANAGE_LINE_EDITOR_H

#include <stdbool.h>
#include <stdint.h>

#define LINE_EDITOR_SIZE    65u /* with the final NUL; more is not taken */
#define LINE_EDITOR_HISTORY 16u

struct line_editor {
    char text[LINE_EDITOR_SIZE]; /* NUL-terminated */
    unsigned length;
    char history[LINE_EDITOR_HISTORY][LINE_EDITOR_SIZE]; /* a ring */
    unsigned entered;                                    /* lines ever put into it */
    unsigned back;        /* how many lines back is the one that was fetched last; 0: none */
    bool carriage_return; /* the last key was that: a line feed belongs to it */
    enum { KEY_PLAIN, KEY_ESCAPE, KEY_SEQUENCE } escape;
};

enum line_event {
    LINE_CHANGED,  /* or not */
    LINE_ENTERED,  /* the line is complete: use it, then line_editor_next */
    LINE_GIVEN_UP, /* likewise, but it is not wanted */
    LINE_TAB,
};

/** A key was pressed. */
enum line_event line_editor_key(struct line_editor *editor, uint8_t key);
/** Begins an empty line. One that was entered is remembered. */
void line_editor_next(struct line_editor *editor, bool remember);
/** Types `text`, as far as it fits. */
void line_editor_type(struct line_editor *editor, const char *text);

#endif
