/*
 * Somebody at a VM's console, by whatever protocol: a place in what the console has sent, and
 * perhaps the right to type. There are any number of readers and one writer; who comes first is the
 * writer, and when that one is gone, another one. Pure over the machine's table of functions.
 */
#ifndef MANAGE_CONSOLES_ATTACHMENT_H
#define MANAGE_CONSOLES_ATTACHMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct attachment {
    uint64_t vm; /* its id */
    uint64_t position;
    bool may_write;
    bool writer; /* as of the last attachment_update */
};

/** At the beginning of what is kept of the console. The attachment stays where it is in memory
 * until attachment_end. */
void attachment_begin(struct attachment *attachment, uint64_t vm, bool may_write);
void attachment_end(struct attachment *attachment);

/** Becomes the writer if nobody is; true if attachment->writer has changed. */
bool attachment_update(struct attachment *attachment);
/** Becomes the writer in any case, if it may. */
void attachment_take(struct attachment *attachment);

/** Copies what comes next, without moving on; *next is where that ends: attachment->position, when
 * it is dealt with. */
size_t attachment_peek(const struct attachment *attachment, uint8_t *bytes, size_t size,
                       uint64_t *next);
/** Types; returns how many bytes the guest has taken. Those of one that is not the writer are taken
 * by nobody, and count. */
size_t attachment_type(const struct attachment *attachment, const uint8_t *bytes, size_t length);

#endif
