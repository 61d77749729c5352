/*
 * The descriptor rings of the e1000 family, in the legacy format that all its chips know (Intel
 * 8254x software developer's manual, 3.2.3 and 3.3.3). Memory only: who calls tells the chip the
 * new tail. Each descriptor has a buffer of its own for good, so nothing is allocated here, and the
 * chip never holds memory of anybody else's.
 *
 * Of a ring's descriptors [head, tail) are the chip's. They are never all: head = tail means none.
 */
#ifndef DRIVERS_E1000_RING_H
#define DRIVERS_E1000_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define E1000_BUFFER_SIZE     2048ul
#define E1000_DESCRIPTOR_SIZE 16ul

struct e1000_receive_descriptor {
    uint64_t address;
    uint16_t length;
    uint16_t checksum;
    _Atomic uint8_t status; /* the chip writes it last */
    uint8_t errors;
    uint16_t special;
};

struct e1000_send_descriptor {
    uint64_t address;
    uint16_t length;
    uint8_t checksum_offset;
    uint8_t command;
    _Atomic uint8_t status;
    uint8_t checksum_start;
    uint16_t special;
};

struct e1000_receive_ring {
    struct e1000_receive_descriptor *descriptors;
    uint8_t *buffers;
    uint32_t count; /* a multiple of 8, as the chip wants it */
    uint32_t next;  /* the descriptor the chip fills next, once it is seen to have done so */
    uint64_t damaged;
};

struct e1000_send_ring {
    struct e1000_send_descriptor *descriptors;
    uint8_t *buffers;
    uint32_t count;
    uint32_t tail;   /* the next to be filled */
    uint32_t oldest; /* the first that the chip has not said to be done */
};

/** All descriptors empty. The ring's memory is given: `descriptors` for `count`, and `count`
 * buffers, which the chip sees at `physical`. */
void e1000_receive_ring_init(struct e1000_receive_ring *ring, uint64_t physical);
/** The next frame that is whole and sound, without its check sum; NULL if none has come. Damaged
 * ones are counted and passed over: then `tail` is to be told to the chip even so. */
const void *e1000_ring_receive(struct e1000_receive_ring *ring, size_t *length);
/** Gives the descriptor of the last frame back. */
void e1000_ring_receive_done(struct e1000_receive_ring *ring);
/** Tail for the chip: all descriptors are its own but the one before the next. */
uint32_t e1000_receive_tail(const struct e1000_receive_ring *ring);

void e1000_send_ring_init(struct e1000_send_ring *ring, uint64_t physical);
/** The buffer of the next descriptor; NULL while the ring is full. */
void *e1000_ring_send_buffer(struct e1000_send_ring *ring);
/** Fills the descriptor of that buffer in; `tail` is then the chip's new tail. */
void e1000_ring_send(struct e1000_send_ring *ring, size_t length);

#endif
