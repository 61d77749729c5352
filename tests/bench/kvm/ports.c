/* Ports of user space: the serial port, and those by which a guest speaks to the bench. */
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/kvm/launcher.h"
#include "tests/bench/mark.h"

#define DEBUG_PORT 0xe9
#define COM1       0x3f8
#define COM1_IRQ   4

/* Registers of a 16550A by their offset. */
enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH, UART_PORTS };
#define IER_THR_EMPTY 0x02
#define IIR_NOTHING   0x01
#define IIR_THR_EMPTY 0x02
#define IIR_FIFOS     0xc0
#define LCR_DLAB      0x80
#define MCR_LOOP      0x10
#define LSR_IDLE      0x60 /* all is sent */
#define MSR_CONNECTED 0xb0 /* CTS, DSR, DCD */

/* Sends at once, receives nothing. */
static struct {
    uint8_t ier, fcr, lcr, mcr, scratch;
    uint8_t divisor[2];
    bool thr_empty; /* not yet told */
    bool irq;
} uart;

static void update_irq(struct guest *guest)
{
    bool irq = uart.thr_empty && (uart.ier & IER_THR_EMPTY);
    struct kvm_irq_level level = {.irq = COM1_IRQ, .level = irq};

    if (irq != uart.irq) {
        uart.irq = irq;
        checked_ioctl(guest->vm, KVM_IRQ_LINE, &level, "interrupt");
    }
}

static uint8_t read_iir(struct guest *guest)
{
    uint8_t fifos = uart.fcr & 1 ? IIR_FIFOS : 0;

    if (!uart.irq) {
        return fifos | IIR_NOTHING;
    }
    uart.thr_empty = false;
    update_irq(guest);
    return fifos | IIR_THR_EMPTY;
}

/* In loop mode the outputs come back as inputs: RTS, DTR, OUT1, OUT2 as CTS, DSR, RI, DCD. */
static uint8_t read_msr(void)
{
    uint8_t mcr = uart.mcr;

    if (!(mcr & MCR_LOOP)) {
        return MSR_CONNECTED;
    }
    return (uint8_t)((mcr & 2) << 3 | (mcr & 1) << 5 | (mcr & 4) << 4 | (mcr & 8) << 4);
}

static uint8_t read_uart(struct guest *guest, unsigned offset)
{
    switch (offset) {
    case DATA:
        return uart.lcr & LCR_DLAB ? uart.divisor[0] : 0;
    case IER:
        return uart.lcr & LCR_DLAB ? uart.divisor[1] : uart.ier;
    case IIR:
        return read_iir(guest);
    case LCR:
        return uart.lcr;
    case MCR:
        return uart.mcr;
    case LSR:
        return LSR_IDLE;
    case MSR:
        return read_msr();
    default:
        return uart.scratch;
    }
}

static void send(struct guest *guest, uint8_t byte)
{
    if (!(uart.mcr & MCR_LOOP)) {
        putchar(byte);
        if (byte == '\n') {
            fflush(stdout);
        }
    }
    uart.thr_empty = true;
    update_irq(guest);
}

static void write_uart(struct guest *guest, unsigned offset, uint8_t value)
{
    switch (offset) {
    case DATA:
    case IER:
        if (uart.lcr & LCR_DLAB) {
            uart.divisor[offset] = value;
        } else if (offset == DATA) {
            send(guest, value);
        } else {
            uart.thr_empty |= (value & ~uart.ier & IER_THR_EMPTY) != 0;
            uart.ier = value & 0xf;
            update_irq(guest);
        }
        break;
    case IIR:
        uart.fcr = value;
        break;
    case LCR:
        uart.lcr = value;
        break;
    case MCR:
        uart.mcr = value & 0x1f;
        break;
    case SCRATCH:
        uart.scratch = value;
        break;
    default:
        break;
    }
}

void port_read(struct guest *guest, uint16_t port, unsigned size, void *data)
{
    memset(data, 0xff, size);
    if (port >= COM1 && port < COM1 + UART_PORTS && size == 1) {
        *(uint8_t *)data = read_uart(guest, port - COM1);
    }
}

void port_write(struct guest *guest, uint16_t port, unsigned size, const void *data)
{
    uint8_t byte = *(const uint8_t *)data;

    if (port >= COM1 && port < COM1 + UART_PORTS && size == 1) {
        write_uart(guest, port - COM1, byte);
    } else if (port == DEBUG_PORT) {
        putchar(byte);
    } else if (port == MARK_PORT) {
        count_exits(guest, byte == 0);
    } else if (port == DEBUG_EXIT_PORT) {
        fflush(stdout);
        _Exit(byte);
    }
}
