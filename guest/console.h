/*
 * A guest's serial console as the host keeps it: a ring of what the guest sent, and a small one of
 * what was typed and the guest has not taken yet. The UART model is on one side, those who show
 * consoles (manage/) on the other, perhaps on different CPUs. Pure.
 *
 * The machine's own console is the one reader that the guest waits for. Any number of others read
 * from places of their own, as far back as the ring goes, and the guest never waits for them.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/cpu/spinlock.h"

/* Powers of two. */
#define CONSOLE_RING_SIZE   65536u
#define CONSOLE_OUTPUT_SIZE 16384u /* what may wait for the machine's console */
#define CONSOLE_INPUT_SIZE  256u

struct console {
    struct spinlock lock;
    uint8_t *ring;        /* CONSOLE_RING_SIZE bytes; NULL: what the guest sends is lost */
    uint64_t sent;        /* bytes ever sent */
    uint64_t shown;       /* of these, how many the machine's console has taken */
    void (*notify)(void); /* output has come where none waited; NULL: nobody wants to know */
    void (*watcher)(void);
    bool watched; /* the next byte that is sent calls `watcher`, once */
    uint8_t input[CONSOLE_INPUT_SIZE];
    uint32_t input_head; /* free-running: next byte to be written */
    uint32_t input_tail; /* next byte to be taken */
    uint64_t dropped;    /* bytes that the machine's console did not show in time */
    bool hidden; /* it is not looking: old output gives way instead of holding the guest up */
};

/** The guest sends a byte. False if there is no room and it has to wait (never when hidden). */
bool console_send(struct console *console, uint8_t byte);

/* The machine's console. */

/** Takes up to `size` bytes of output; returns how many. */
size_t console_read(struct console *console, uint8_t *bytes, size_t size);
/** Bytes of output that wait. */
static inline uint32_t console_waiting(const struct console *console)
{
    return (uint32_t)(console->sent - console->shown);
}

/* All others who read. */

/** Copies up to `size` bytes from byte number *position on (0: the first ever; what the ring has
 * lost is skipped) and moves it past them; returns how many. */
size_t console_read_at(struct console *console, uint64_t *position, uint8_t *bytes, size_t size);
/** Has `watcher` called once, in any context, when there is more than `sent` bytes. False if there
 * is already. */
bool console_watch(struct console *console, uint64_t sent);
/** Bytes ever sent. */
uint64_t console_sent(struct console *console);

/* Who types. */

/** Types a byte. False if the guest has not taken the ones before. */
bool console_type(struct console *console, uint8_t byte);
/** Takes up to `size` bytes of what was typed, for the UART; returns how many. By one at a time. */
size_t console_take_typed(struct console *console, uint8_t *bytes, size_t size);
/** Bytes that were typed and not taken. */
static inline uint32_t console_typed(const struct console *console)
{
    return __atomic_load_n(&console->input_head, __ATOMIC_ACQUIRE) - console->input_tail;
}

#endif
