/*
 * A 16550A serial port: eight ports, one interrupt.
 *
 * Towards the host it is a pair of byte streams with back-pressure. Sending has no baud rate: a
 * byte goes to `transmit` as soon as the guest writes it. When `transmit` refuses, the byte waits,
 * the guest sees a transmitter that is busy, and nothing is lost.
 */
#ifndef GUEST_DEVICES_UART_H
#define GUEST_DEVICES_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/devices/device.h"
#include "guest/timer.h"

#define UART_PORT_COUNT 8u
#define UART_FIFO_SIZE  16u

struct uart_config {
    struct irq_line irq;
    struct timer_queue *timers;
    /* Takes one byte of the guest's output; false when there is no room now: it is offered again
     * after uart_transmit_ready. */
    bool (*transmit)(void *context, uint8_t byte);
    void *context;
};

struct uart_fifo {
    uint8_t bytes[UART_FIFO_SIZE];
    uint8_t first;
    uint8_t count;
};

struct uart {
    uint8_t line_status;       /* LSR as the guest reads it */
    uint8_t line_control;      /* LCR */
    uint8_t interrupt_enable;  /* IER */
    uint8_t modem_control;     /* MCR */
    uint8_t modem_status;      /* MSR */
    uint8_t scratch;           /* SCR */
    uint8_t fifo_control;      /* FCR bits that stay: enable and trigger level */
    bool transmit_empty_event; /* THRE interrupt pending */
    bool receive_timeout;      /* character timeout pending */
    bool irq_level;
    uint16_t divisor;
    struct uart_fifo receive;
    struct uart_fifo send;
    struct irq_line irq;
    struct timer timeout;
    bool (*transmit)(void *context, uint8_t byte);
    void *context;
};

void uart_init(struct uart *uart, const struct uart_config *config);
/** Master reset: all registers as after power-on, both FIFOs empty. */
void uart_reset(struct uart *uart);
/** port_read_fn and port_write_fn of the eight ports; bytes only. */
uint32_t uart_read(void *device, uint16_t offset, unsigned size);
void uart_write(void *device, uint16_t offset, unsigned size, uint32_t value);

/** The host has room again: offers what waits. Also harmless when nothing waits. */
void uart_transmit_ready(struct uart *uart);
/** Bytes that the guest has written and the host has not taken yet. */
static inline size_t uart_transmit_waiting(const struct uart *uart)
{
    return uart->send.count;
}
/** Hands input to the guest; returns how many of `count` bytes were taken (0 when its receiver is
 * full or in loopback: try again later). The host never causes an overrun. */
size_t uart_receive(struct uart *uart, const uint8_t *bytes, size_t count);
/** How many bytes uart_receive would take now. */
size_t uart_receive_room(const struct uart *uart);

#endif
