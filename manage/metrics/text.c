#include "manage/metrics/text.h"

#include <stddef.h>
#include <string.h>

#define NS_DIGITS 9u

static void put(struct metrics_text *text, const char *string)
{
    http_write(text->answer, string, strlen(string));
}

void metrics_family(struct metrics_text *text, const char *name, const char *type, const char *help)
{
    text->family = name;
    put(text, "# HELP ");
    put(text, name);
    put(text, " ");
    put(text, help); /* ours: nothing in it to be escaped */
    put(text, "\n# TYPE ");
    put(text, name);
    put(text, " ");
    put(text, type);
    put(text, "\n");
}

static char *copy(char *to, const char *string)
{
    size_t length = strlen(string);

    memcpy(to, string, length);
    return to + length;
}

/* What would end the quotes, or the line, is escaped. */
static char *copy_escaped(char *to, const char *value)
{
    for (; *value; value++) {
        char c = *value;

        if (c == '\\' || c == '"' || c == '\n') {
            *to++ = '\\';
            c = (char)(c == '\n' ? 'n' : c);
        }
        *to++ = c;
    }
    return to;
}

static char *copy_labels(char *to, const struct metrics_label *labels)
{
    for (const struct metrics_label *label = labels; label->name; label++) {
        *to++ = label == labels ? '{' : ',';
        to = copy(to, label->name);
        to = copy_escaped(copy(to, "=\""), label->value);
        *to++ = '"';
    }
    return labels->name ? copy(to, "}") : to;
}

/* As long as copy_labels can make them. */
static size_t labels_max(const struct metrics_label *labels)
{
    size_t length = 1;

    for (; labels->name; labels++) {
        length += strlen(labels->name) + 2 * strlen(labels->value) + 4;
    }
    return length;
}

static void put_sample(struct metrics_text *text, const char *suffix,
                       const struct metrics_label *labels, const char *value)
{
    size_t max = strlen(text->family) + strlen(suffix) + labels_max(labels) + strlen(value) + 2;
    char *line = http_extend(text->answer, max);
    char *end;

    if (!line) {
        return;
    }
    end = copy_labels(copy(copy(line, text->family), suffix), labels);
    *end++ = ' ';
    end = copy(end, value);
    *end++ = '\n';
    http_shorten(text->answer, max - (size_t)(end - line));
}

void metrics_integer(struct metrics_text *text, const char *suffix,
                     const struct metrics_label *labels, uint64_t value)
{
    char number[DECIMAL_SIZE];

    put_sample(text, suffix, labels, decimal_write(number, value, 0));
}

void metrics_seconds(struct metrics_text *text, const char *suffix,
                     const struct metrics_label *labels, uint64_t ns)
{
    char number[DECIMAL_SIZE];

    put_sample(text, suffix, labels, metrics_write_seconds(number, ns));
}

const char *metrics_write_seconds(char text[static DECIMAL_SIZE], uint64_t ns)
{
    return decimal_write(text, ns, NS_DIGITS);
}

void metrics_one(struct metrics_text *text, const char *name, const char *type, const char *help,
                 uint64_t value)
{
    metrics_family(text, name, type, help);
    metrics_integer(text, "", METRICS_NO_LABELS, value);
}
