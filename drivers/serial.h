/*
 * The first serial port (COM1, 16550A) at 115200 baud, 8N1: sink of the console, and its keyboard.
 * Nothing here waits for the device but serial_flush. Output goes through a ring of 64 KiB which
 * the transmitter's interrupt empties; until serial_connect has run, the ring is emptied as far as
 * the FIFO has space at each write and poll.
 */
#ifndef DRIVERS_SERIAL_H
#define DRIVERS_SERIAL_H

#include <stdbool.h>
#include <stddef.h>

/** Finds and programs the port and makes it a sink of the console. 0, or -ENODEV when there is no
 * UART (then all below do nothing). Needs nothing but the ports: may be called first of all. */
int serial_init(void);

/** Lets interrupts move the bytes from now on. 0 or the error of interrupt_connect_isa (then
 * serial_poll keeps moving them). */
int serial_connect(void);

/** Has `function` called after each of the port's interrupts, in interrupt context: bytes have
 * come, or there is more space. One listener. */
void serial_set_listener(void (*function)(void));

/** Takes as many bytes as the ring has space for; returns how many. Any context. Text for people
 * goes through console_put instead, which keeps lines whole. */
size_t serial_write(const void *bytes, size_t length);

/** Bytes that serial_write would take now. */
size_t serial_write_space(void);

/** The next byte received (0-255), -1 when there is none. */
int serial_read(void);

/** Moves what the FIFOs allow, both ways. Any context. */
void serial_poll(void);

/** Sends all that waits and returns when the last bit is on the line, or when the transmitter makes
 * no progress. From then on the port works without lock: only when the kernel is about to end. */
void serial_flush(void);

#endif
