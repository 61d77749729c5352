#include "drivers/serial.h"

#include <errno.h>
#include <stdint.h>

#include "kernel/byte_ring.h"
#include "kernel/console.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/cpu/x86.h"

#define PORT 0x3f8u
#define IRQ  4u

/* Registers of the 16550A, as offsets from the port. */
#define DATA          0u
#define DIVISOR_LOW   0u /* while LINE_CONTROL_DLAB is set, as the next */
#define INT_ENABLE    1u
#define DIVISOR_HIGH  1u
#define INT_IDENTITY  2u /* read */
#define FIFO_CONTROL  2u /* write */
#define LINE_CONTROL  3u
#define MODEM_CONTROL 4u
#define LINE_STATUS   5u
#define MODEM_STATUS  6u
#define SCRATCH       7u

#define INT_ENABLE_RECEIVED  0x01u
#define INT_ENABLE_SENT      0x02u
#define INT_IDENTITY_NONE    0x01u
#define INT_IDENTITY_FIFO    0xc0u
#define FIFO_ENABLE          0x03u /* and the receiver emptied; interrupt from the first byte */
#define LINE_CONTROL_8N1     0x03u
#define LINE_CONTROL_DLAB    0x80u
#define MODEM_CONTROL_DTR    0x01u
#define MODEM_CONTROL_RTS    0x02u
#define MODEM_CONTROL_OUT2   0x08u /* gates the interrupt line on a PC */
#define MODEM_CONTROL_LOOP   0x10u
#define LINE_STATUS_RECEIVED 0x01u
#define LINE_STATUS_THR_FREE 0x20u
#define LINE_STATUS_IDLE     0x40u
#define MODEM_STATUS_CTS     0x10u
#define MODEM_STATUS_DCD     0x80u
#define MODEM_STATUS_LINES   0xf0u

#define DIVISOR_115200 1u
#define FIFO_SIZE      16u

/* Looks at the line status before the transmitter counts as stuck: hundreds of times longer than a
 * full FIFO takes to leave, as a port access takes a microsecond at most. */
#define FLUSH_PATIENCE 200000u

/* Interrupt causes handled at one interrupt; a UART that never rests must not keep the CPU. */
#define INTERRUPT_ROUNDS 64u

static bool present;
static bool lockless; /* the kernel is ending */
static void (*_Atomic listener)(void);
static unsigned fifo_size = 1;
static struct spinlock lock;
static uint8_t send_bytes[65536];
static uint8_t receive_bytes[1024];
static struct byte_ring send_ring = {.bytes = send_bytes, .size = sizeof(send_bytes)};
static struct byte_ring receive_ring = {.bytes = receive_bytes, .size = sizeof(receive_bytes)};

static uint8_t uart_read(unsigned reg)
{
    return inb((uint16_t)(PORT + reg));
}

static void uart_write(unsigned reg, unsigned value)
{
    outb((uint16_t)(PORT + reg), (uint8_t)value);
}

/* Interrupts off, and the port ours. False when an NMI came into the middle of the holder's work.
 */
static bool acquire(bool *interrupts)
{
    *interrupts = interrupts_save();
    if (lockless || spin_lock_bounded(&lock)) {
        return true;
    }
    interrupts_restore(*interrupts);
    return false;
}

static void release(bool interrupts)
{
    if (!lockless) {
        spin_unlock(&lock);
    }
    interrupts_restore(interrupts);
}

/* Fills the transmitter's FIFO if it is empty. (THRE says empty, not "has space".) */
static void send(void)
{
    uint8_t bytes[FIFO_SIZE];
    size_t count;

    if (byte_ring_used(&send_ring) == 0 || !(uart_read(LINE_STATUS) & LINE_STATUS_THR_FREE)) {
        return;
    }
    count = byte_ring_read(&send_ring, bytes, fifo_size);
    for (size_t i = 0; i < count; i++) {
        uart_write(DATA, bytes[i]);
    }
}

/* Bounded by what the FIFO holds. A byte that finds the ring full is dropped: nobody reads. */
static void receive(void)
{
    for (unsigned i = 0; i < FIFO_SIZE && uart_read(LINE_STATUS) & LINE_STATUS_RECEIVED; i++) {
        uint8_t byte = uart_read(DATA);

        byte_ring_write(&receive_ring, &byte, 1);
    }
}

/* The line is edge triggered at the interrupt controller: it must be seen low before we leave, or
 * no further edge comes. Reading the identity register withdraws the transmitter's request. */
static void handle_interrupt(void *context)
{
    void (*tell)(void);
    bool interrupts;

    (void)context;
    if (!acquire(&interrupts)) {
        return;
    }
    for (unsigned i = 0; i < INTERRUPT_ROUNDS; i++) {
        if (uart_read(INT_IDENTITY) & INT_IDENTITY_NONE) {
            break;
        }
        receive();
        send();
    }
    release(interrupts);
    tell = listener;
    if (tell) {
        tell();
    }
}

void serial_set_listener(void (*function)(void))
{
    listener = function;
}

/* A scratch register that keeps its value, and modem lines that loop back at once (no character is
 * sent for it, which would take 87 microseconds). */
static bool probe(void)
{
    uint8_t lines;

    if (uart_read(LINE_STATUS) == 0xff) {
        return false;
    }
    for (unsigned pattern = 0x55; pattern <= 0xaa; pattern += 0x55) {
        uart_write(SCRATCH, pattern);
        if (uart_read(SCRATCH) != pattern) {
            return false;
        }
    }
    uart_write(MODEM_CONTROL, MODEM_CONTROL_LOOP | MODEM_CONTROL_OUT2 | MODEM_CONTROL_RTS);
    lines = uart_read(MODEM_STATUS) & MODEM_STATUS_LINES;
    uart_write(MODEM_CONTROL, MODEM_CONTROL_OUT2 | MODEM_CONTROL_RTS | MODEM_CONTROL_DTR);
    return lines == (MODEM_STATUS_CTS | MODEM_STATUS_DCD);
}

size_t serial_write_space(void)
{
    return present ? byte_ring_space(&send_ring) : 0;
}

size_t serial_write(const void *bytes, size_t length)
{
    bool interrupts;
    size_t count;

    if (!present || !acquire(&interrupts)) {
        return 0;
    }
    count = byte_ring_write(&send_ring, bytes, length);
    send();
    release(interrupts);
    return count;
}

int serial_read(void)
{
    bool interrupts;
    uint8_t byte;
    size_t count;

    if (!present || !acquire(&interrupts)) {
        return -1;
    }
    count = byte_ring_read(&receive_ring, &byte, 1);
    release(interrupts);
    return count ? byte : -1;
}

void serial_poll(void)
{
    bool interrupts;

    if (!present || !acquire(&interrupts)) {
        return;
    }
    receive();
    send();
    release(interrupts);
}

void serial_flush(void)
{
    bool interrupts;
    unsigned patience = FLUSH_PATIENCE;

    if (!present) {
        return;
    }
    lockless = true;
    interrupts = interrupts_save();
    while (patience-- > 0 &&
           (byte_ring_used(&send_ring) || !(uart_read(LINE_STATUS) & LINE_STATUS_IDLE))) {
        size_t before = byte_ring_used(&send_ring);

        send();
        if (byte_ring_used(&send_ring) != before) {
            patience = FLUSH_PATIENCE;
        }
    }
    interrupts_restore(interrupts);
}

static void sink_write(const char *text, size_t length)
{
    serial_write(text, length);
}

static bool sink_work(void)
{
    serial_poll();
    return false; /* the rest is up to the device */
}

static struct console_sink sink = {
    .space = serial_write_space,
    .write = sink_write,
    .work = sink_work,
    .flush = serial_flush,
};

int serial_init(void)
{
    if (!probe()) {
        return -ENODEV;
    }
    uart_write(INT_ENABLE, 0);
    uart_write(LINE_CONTROL, LINE_CONTROL_DLAB);
    uart_write(DIVISOR_LOW, DIVISOR_115200 & 0xff);
    uart_write(DIVISOR_HIGH, DIVISOR_115200 >> 8);
    uart_write(LINE_CONTROL, LINE_CONTROL_8N1);
    uart_write(FIFO_CONTROL, FIFO_ENABLE);
    if ((uart_read(INT_IDENTITY) & INT_IDENTITY_FIFO) == INT_IDENTITY_FIFO) {
        fifo_size = FIFO_SIZE;
    }
    present = true;
    console_add(&sink);
    return 0;
}

int serial_connect(void)
{
    int error;

    if (!present) {
        return -ENODEV;
    }
    error = interrupt_connect_isa(IRQ, handle_interrupt, NULL);
    if (error == 0) {
        uart_write(INT_ENABLE, INT_ENABLE_RECEIVED | INT_ENABLE_SENT);
    }
    return error;
}
