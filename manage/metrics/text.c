#include "manage/metrics/text.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define NUMBER_SIZE   24u

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

/* In quotes; what would end them, or the line, is escaped. */
static void put_label_value(struct metrics_text *text, const char *value)
{
    put(text, "\"");
    while (*value) {
        size_t plain = 0;

        while (value[plain] && !strchr("\\\"\n", value[plain])) {
            plain++;
        }
        http_write(text->answer, value, plain);
        value += plain;
        if (*value) {
            char escaped[3] = {'\\', *value, '\0'};

            put(text, *value == '\n' ? "\\n" : escaped);
            value++;
        }
    }
    put(text, "\"");
}

static void put_sample(struct metrics_text *text, const char *suffix,
                       const struct metrics_label *labels, const char *value)
{
    put(text, text->family);
    put(text, suffix);
    for (const struct metrics_label *label = labels; label->name; label++) {
        put(text, label == labels ? "{" : ",");
        put(text, label->name);
        put(text, "=");
        put_label_value(text, label->value);
    }
    put(text, labels->name ? "} " : " ");
    put(text, value);
    put(text, "\n");
}

void metrics_integer(struct metrics_text *text, const char *suffix,
                     const struct metrics_label *labels, uint64_t value)
{
    char number[NUMBER_SIZE];

    snprintf(number, sizeof(number), "%lu", value);
    put_sample(text, suffix, labels, number);
}

void metrics_write_seconds(char out[static METRICS_SECONDS_SIZE], uint64_t ns)
{
    size_t length;

    snprintf(out, METRICS_SECONDS_SIZE, "%lu.%09lu", ns / NS_PER_SECOND, ns % NS_PER_SECOND);
    length = strlen(out);
    while (out[length - 1] == '0') {
        length--;
    }
    if (out[length - 1] == '.') {
        length--;
    }
    out[length] = '\0';
}

void metrics_seconds(struct metrics_text *text, const char *suffix,
                     const struct metrics_label *labels, uint64_t ns)
{
    char number[METRICS_SECONDS_SIZE];

    metrics_write_seconds(number, ns);
    put_sample(text, suffix, labels, number);
}

void metrics_one(struct metrics_text *text, const char *name, const char *type, const char *help,
                 uint64_t value)
{
    metrics_family(text, name, type, help);
    metrics_integer(text, "", METRICS_NO_LABELS, value);
}
