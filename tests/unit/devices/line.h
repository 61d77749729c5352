#ifndef TESTS_UNIT_DEVICES_LINE_H
#define TESTS_UNIT_DEVICES_LINE_H

#include <stdbool.h>

#include "guest/devices/device.h"

/* An interrupt line that remembers what was done to it. */
struct test_line {
    bool level;
    unsigned rises; /* edges from low to high */
};

static inline void test_line_set(void *context, unsigned irq, bool level)
{
    struct test_line *line = context;

    (void)irq;
    line->rises += level && !line->level;
    line->level = level;
}

static inline struct irq_line test_line_connect(struct test_line *line)
{
    *line = (struct test_line){0};
    return (struct irq_line){.set = test_line_set, .context = line};
}

#endif
