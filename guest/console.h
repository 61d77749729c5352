/*
 * A guest's serial console as the host keeps it: a ring of what the guest sent and nobody has
 * shown yet, and a small one of what was typed and the guest has not taken yet. The UART model is
 * on one side, whoever shows consoles (manage/) on the other, perhaps on different CPUs. Pure.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/cpu/spinlock.h"

#define CONSOLE_OUTPUT_SIZE 16384u /* powers of two */
#define CONSOLE_INPUT_SIZE  256u

struct console {
    struct spinlock lock; /* of the output */
    void (*notify)(void); /* output has come where there was none; NULL: nobody wants to know */
    uint8_t output[CONSOLE_OUTPUT_SIZE];
    uint32_t output_head; /* free-running: next byte to be written */
    uint32_t output_tail; /* next byte to be read */
    uint8_t input[CONSOLE_INPUT_SIZE];
    uint32_t input_head;
    uint32_t input_tail;
    uint64_t dropped; /* bytes that were overwritten because nobody showed them in time */
    bool hidden;      /* nobody is looking: old output gives way instead of holding the guest up */
};

/** The guest sends a byte. False if there is no room and it has to wait (never when hidden). */
bool console_send(struct console *console, uint8_t byte);
/** Takes up to `size` bytes of output; returns how many. */
size_t console_read(struct console *console, uint8_t *bytes, size_t size);
/** Bytes of output that wait. */
static inline uint32_t console_waiting(const struct console *console)
{
    return console->output_head - console->output_tail;
}
/** Types a byte. False if the guest has not taken the ones before. */
bool console_type(struct console *console, uint8_t byte);
/** The input bytes that wait, contiguous, for the UART; `console_typed_taken` removes them. */
size_t console_typed(const struct console *console, const uint8_t **bytes);
void console_typed_taken(struct console *console, size_t count);

#endif
