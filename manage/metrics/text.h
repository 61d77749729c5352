/*
 * Prometheus' text format, version 0.0.4: families of samples, each under its name, what it means
 * and its type. Pure.
 */
#ifndef MANAGE_METRICS_TEXT_H
#define MANAGE_METRICS_TEXT_H

#include <stdint.h>

#include "kernel/decimal.h"
#include "manage/http/http.h"

struct metrics_text {
    struct http_answer *answer;
    const char *family;
};

struct metrics_label {
    const char *name;
    const char *value; /* any text */
};

/* An array of labels ends with one that has no name. */
#define METRICS_LABELS(...) ((const struct metrics_label[]){__VA_ARGS__, {0}})
#define METRICS_NO_LABELS   ((const struct metrics_label[]){{0}})

/** Begins a family; `type` is "counter", "gauge" or "histogram". Each name once, and its samples
 * before the next family's. */
void metrics_family(struct metrics_text *text, const char *name, const char *type,
                    const char *help);
/** A sample of the family; `suffix` is what its name has besides ("" or a histogram's "_bucket").
 */
void metrics_integer(struct metrics_text *text, const char *suffix,
                     const struct metrics_label *labels, uint64_t value);
/** A time. */
void metrics_seconds(struct metrics_text *text, const char *suffix,
                     const struct metrics_label *labels, uint64_t ns);
/** A family of one sample without labels. */
void metrics_one(struct metrics_text *text, const char *name, const char *type, const char *help,
                 uint64_t value);

/** A time in seconds, with as many digits as it takes; returns where in `text` it begins. */
const char *metrics_write_seconds(char text[static DECIMAL_SIZE], uint64_t ns);

#endif
