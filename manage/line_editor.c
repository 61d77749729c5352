#include "manage/line_editor.h"

#include <string.h>

#define CONTROL(letter) ((letter) - '@')
#define ESCAPE          0x1b
#define DELETE          0x7f

static void cut(struct line_editor *editor, unsigned length)
{
    editor->length = length;
    editor->text[length] = '\0';
}

static void cut_word(struct line_editor *editor)
{
    unsigned length = editor->length;

    while (length > 0 && editor->text[length - 1] == ' ') {
        length--;
    }
    while (length > 0 && editor->text[length - 1] != ' ') {
        length--;
    }
    cut(editor, length);
}

void line_editor_type(struct line_editor *editor, const char *text)
{
    for (; *text != '\0' && editor->length + 1 < LINE_EDITOR_SIZE; text++) {
        editor->text[editor->length++] = *text;
    }
    editor->text[editor->length] = '\0';
}

/* Puts the line that was entered `back` lines ago in place of this one; 0: an empty one. */
static void fetch(struct line_editor *editor, unsigned back)
{
    unsigned kept = editor->entered < LINE_EDITOR_HISTORY ? editor->entered : LINE_EDITOR_HISTORY;

    if (back > kept) {
        return;
    }
    editor->back = back;
    cut(editor, 0);
    if (back > 0) {
        line_editor_type(editor, editor->history[(editor->entered - back) % LINE_EDITOR_HISTORY]);
    }
}

static void older(struct line_editor *editor)
{
    fetch(editor, editor->back + 1);
}

static void newer(struct line_editor *editor)
{
    if (editor->back > 0) {
        fetch(editor, editor->back - 1);
    }
}

/* The part of an escape sequence (ECMA-48) that follows ESC; ESC O comes in cursor keys, too. */
static void escape_key(struct line_editor *editor, uint8_t key)
{
    if (editor->escape == KEY_ESCAPE && (key == '[' || key == 'O')) {
        editor->escape = KEY_SEQUENCE;
        return;
    }
    if (editor->escape == KEY_SEQUENCE && key < 0x40) {
        return; /* a parameter: more follows */
    }
    if (editor->escape == KEY_SEQUENCE && key == 'A') {
        older(editor);
    } else if (editor->escape == KEY_SEQUENCE && key == 'B') {
        newer(editor);
    }
    editor->escape = KEY_PLAIN;
}

enum line_event line_editor_key(struct line_editor *editor, uint8_t key)
{
    const char text[2] = {(char)key, '\0'};
    bool after_return = editor->carriage_return;

    editor->carriage_return = key == '\r';
    if (editor->escape != KEY_PLAIN && key >= ' ') {
        escape_key(editor, key);
        return LINE_CHANGED;
    }
    editor->escape = KEY_PLAIN;
    switch (key) {
    case '\n':
        return after_return ? LINE_CHANGED : LINE_ENTERED;
    case '\r':
        return LINE_ENTERED;
    case '\t':
        return LINE_TAB;
    case CONTROL('C'):
        return LINE_GIVEN_UP;
    case ESCAPE:
        editor->escape = KEY_ESCAPE;
        break;
    case '\b':
    case DELETE:
        cut(editor, editor->length > 0 ? editor->length - 1 : 0);
        break;
    case CONTROL('U'):
        cut(editor, 0);
        break;
    case CONTROL('W'):
        cut_word(editor);
        break;
    case CONTROL('P'):
        older(editor);
        break;
    case CONTROL('N'):
        newer(editor);
        break;
    default:
        if (key >= ' ' && key < DELETE) {
            line_editor_type(editor, text);
        }
        break;
    }
    return LINE_CHANGED;
}

/* The same line twice in a row is one. */
static bool worth_remembering(const struct line_editor *editor)
{
    return editor->length > 0 &&
           (editor->entered == 0 ||
            strcmp(editor->history[(editor->entered - 1) % LINE_EDITOR_HISTORY], editor->text) !=
                0);
}

void line_editor_next(struct line_editor *editor, bool remember)
{
    if (remember && worth_remembering(editor)) {
        memcpy(editor->history[editor->entered++ % LINE_EDITOR_HISTORY], editor->text,
               LINE_EDITOR_SIZE);
    }
    cut(editor, 0);
    editor->back = 0;
}
