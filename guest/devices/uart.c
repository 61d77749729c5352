#include "guest/devices/uart.h"

#include "guest/devices/uart_registers.h"

#define DEFAULT_DIVISOR 12u /* 9600 baud */

/* A bit takes 16 periods of the 1.8432 MHz clock, times the divisor. */
#define BIT_NS_NUMERATOR   UINT64_C(16000000000)
#define BIT_NS_DENOMINATOR UINT64_C(1843200)

static void fifo_clear(struct uart_fifo *fifo)
{
    fifo->first = 0;
    fifo->count = 0;
}

static void fifo_put(struct uart_fifo *fifo, uint8_t byte)
{
    fifo->bytes[(fifo->first + fifo->count) % UART_FIFO_SIZE] = byte;
    fifo->count++;
}

static uint8_t fifo_take(struct uart_fifo *fifo)
{
    uint8_t byte = fifo->bytes[fifo->first];

    fifo->first = (uint8_t)((fifo->first + 1) % UART_FIFO_SIZE);
    fifo->count--;
    return byte;
}

static bool fifos_enabled(const struct uart *uart)
{
    return uart->fifo_control & FCR_ENABLE;
}

static unsigned receive_capacity(const struct uart *uart)
{
    return fifos_enabled(uart) ? UART_FIFO_SIZE : 1;
}

static unsigned receive_trigger(const struct uart *uart)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    return fifos_enabled(uart) ? levels[uart->fifo_control >> FCR_TRIGGER_SHIFT] : 1;
}

/* The interrupt of highest priority, as IIR says it. */
static uint8_t interrupt_source(const struct uart *uart)
{
    uint8_t enabled = uart->interrupt_enable;

    if ((enabled & IER_LINE_STATUS) && (uart->line_status & LSR_OVERRUN)) {
        return IIR_LINE_STATUS;
    }
    if (enabled & IER_RECEIVE) {
        if (uart->receive.count >= receive_trigger(uart)) {
            return IIR_RECEIVE;
        }
        if (uart->receive_timeout) {
            return IIR_TIMEOUT;
        }
    }
    if ((enabled & IER_TRANSMIT) && uart->transmit_empty_event) {
        return IIR_TRANSMIT;
    }
    if ((enabled & IER_MODEM_STATUS) && (uart->modem_status & MSR_DELTAS)) {
        return IIR_MODEM_STATUS;
    }
    return IIR_NONE;
}

static void update_irq(struct uart *uart)
{
    /* Loopback forces the outputs off, OUT2 among them. */
    bool connected = (uart->modem_control & (MCR_OUT2 | MCR_LOOPBACK)) == MCR_OUT2;
    bool level = connected && interrupt_source(uart) != IIR_NONE;

    if (level != uart->irq_level) {
        uart->irq_level = level;
        irq_line_set(&uart->irq, level);
    }
}

/* Time of four characters, after which bytes below the trigger level are announced. */
static uint64_t timeout_ns(const struct uart *uart)
{
    unsigned bits = 1 + 5 + (uart->line_control & LCR_WORD_LENGTH) +
                    (uart->line_control & LCR_PARITY ? 1 : 0) +
                    (uart->line_control & LCR_STOP ? 2 : 1);
    uint64_t divisor = uart->divisor ? uart->divisor : 1;

    return UINT64_C(4) * bits * divisor * BIT_NS_NUMERATOR / BIT_NS_DENOMINATOR;
}

/* A byte came or went: the time to the character timeout starts anew. */
static void restart_timeout(struct uart *uart)
{
    if (fifos_enabled(uart) && (uart->interrupt_enable & IER_RECEIVE) && uart->receive.count > 0 &&
        !uart->receive_timeout) {
        timer_arm(&uart->timeout, timer_now(uart->timeout.queue) + timeout_ns(uart));
    } else {
        timer_cancel(&uart->timeout);
    }
}

static void timeout_expired(void *context, uint64_t deadline)
{
    struct uart *uart = context;

    (void)deadline;
    uart->receive_timeout = true;
    update_irq(uart);
}

static void clear_receiver(struct uart *uart)
{
    fifo_clear(&uart->receive);
    uart->receive_timeout = false;
    uart->line_status &= (uint8_t)~LSR_DATA_READY;
    restart_timeout(uart);
}

static void transmitter_became_empty(struct uart *uart)
{
    uart->line_status |= LSR_TRANSMIT_READY;
    uart->transmit_empty_event = true;
    if (uart->interrupt_enable & IER_TRANSMIT) {
        update_irq(uart);
    }
}

static void clear_transmitter(struct uart *uart)
{
    fifo_clear(&uart->send);
    if (!(uart->line_status & LSR_TRANSMIT_HOLDING)) {
        transmitter_became_empty(uart);
    }
}

void uart_init(struct uart *uart, const struct uart_config *config)
{
    uart->irq = config->irq;
    uart->transmit = config->transmit;
    uart->context = config->context;
    uart->irq_level = false;
    timer_init(&uart->timeout, config->timers, timeout_expired, uart);
    uart->scratch = 0;
    uart->divisor = DEFAULT_DIVISOR;
    uart_reset(uart);
}

void uart_reset(struct uart *uart)
{
    uart->interrupt_enable = 0;
    uart->line_control = 0;
    uart->modem_control = 0;
    uart->modem_status = MSR_CONNECTED;
    uart->fifo_control = 0;
    uart->transmit_empty_event = false;
    fifo_clear(&uart->send);
    uart->line_status = LSR_TRANSMIT_READY;
    clear_receiver(uart);
    update_irq(uart);
}

/* A byte on the receiver's input; overruns only in loopback, where the guest itself is the cause.
 */
static void receive_byte(struct uart *uart, uint8_t byte)
{
    if (uart->receive.count < receive_capacity(uart)) {
        fifo_put(&uart->receive, byte);
    } else {
        uart->line_status |= LSR_OVERRUN;
        if (!fifos_enabled(uart)) {
            uart->receive.bytes[uart->receive.first] = byte; /* RBR is overwritten */
        }
    }
    uart->line_status |= LSR_DATA_READY;
}

static void write_data(struct uart *uart, uint8_t byte)
{
    if (uart->transmit_empty_event) {
        /* The line falls and rises again: a guest that does not read IIR lives on that edge. */
        uart->transmit_empty_event = false;
        if (uart->interrupt_enable & IER_TRANSMIT) {
            update_irq(uart);
        }
    }
    if (uart->modem_control & MCR_LOOPBACK) {
        receive_byte(uart, byte);
        restart_timeout(uart);
        if (uart->send.count == 0) { /* else the host still owes it room for earlier bytes */
            transmitter_became_empty(uart);
        }
        update_irq(uart);
    } else if (uart->send.count == 0 && uart->transmit(uart->context, byte)) {
        transmitter_became_empty(uart);
    } else {
        /* The 17th byte written to a transmitter that says it is full is lost, as on the chip. */
        if (uart->send.count < UART_FIFO_SIZE) {
            fifo_put(&uart->send, byte);
        }
        uart->line_status &= (uint8_t)~LSR_TRANSMIT_READY;
    }
}

void uart_transmit_ready(struct uart *uart)
{
    if (uart->send.count == 0) {
        return;
    }
    while (uart->transmit(uart->context, uart->send.bytes[uart->send.first])) {
        fifo_take(&uart->send);
        if (uart->send.count == 0) {
            transmitter_became_empty(uart);
            return;
        }
    }
}

size_t uart_receive_room(const struct uart *uart)
{
    if (uart->modem_control & MCR_LOOPBACK) {
        return 0;
    }
    return receive_capacity(uart) - uart->receive.count;
}

size_t uart_receive(struct uart *uart, const uint8_t *bytes, size_t count)
{
    size_t room = uart_receive_room(uart);

    if (count > room) {
        count = room;
    }
    if (count == 0) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        receive_byte(uart, bytes[i]);
    }
    restart_timeout(uart);
    update_irq(uart);
    return count;
}

static uint8_t read_data(struct uart *uart)
{
    const struct uart_fifo *fifo = &uart->receive;
    uint8_t byte = fifo->bytes[(fifo->first + UART_FIFO_SIZE - 1) % UART_FIFO_SIZE];

    /* While there is nothing the last byte stays to be read. */
    if (fifo->count > 0) {
        byte = fifo_take(&uart->receive);
        if (uart->receive.count == 0) {
            uart->line_status &= (uint8_t)~LSR_DATA_READY;
        }
        uart->receive_timeout = false;
        restart_timeout(uart);
        update_irq(uart);
    }
    return byte;
}

static uint8_t read_line_status(struct uart *uart)
{
    uint8_t value = uart->line_status;

    if (value & LSR_OVERRUN) {
        uart->line_status &= (uint8_t)~LSR_OVERRUN;
        update_irq(uart);
    }
    return value;
}

static uint8_t read_modem_status(struct uart *uart)
{
    uint8_t value = uart->modem_status;

    uart->modem_status &= (uint8_t)~MSR_DELTAS;
    update_irq(uart);
    return value;
}

static uint8_t read_interrupt_id(struct uart *uart)
{
    uint8_t source = interrupt_source(uart);

    if (source == IIR_TRANSMIT) {
        uart->transmit_empty_event = false;
        update_irq(uart);
    }
    return source | (fifos_enabled(uart) ? IIR_FIFOS : 0);
}

uint32_t uart_read(void *device, uint16_t offset, unsigned size)
{
    struct uart *uart = device;

    if (size != 1) {
        return port_all_ones(size);
    }
    switch ((enum uart_register)offset) {
    case UART_LINE_STATUS:
        return read_line_status(uart);
    case UART_DATA:
        return uart->line_control & LCR_DLAB ? uart->divisor & 0xffu : read_data(uart);
    case UART_INTERRUPT_ENABLE:
        return uart->line_control & LCR_DLAB ? uart->divisor >> 8 : uart->interrupt_enable;
    case UART_INTERRUPT_ID:
        return read_interrupt_id(uart);
    case UART_LINE_CONTROL:
        return uart->line_control;
    case UART_MODEM_CONTROL:
        return uart->modem_control;
    case UART_MODEM_STATUS:
        return read_modem_status(uart);
    case UART_SCRATCH:
        return uart->scratch;
    }
    return port_all_ones(size);
}

static void write_interrupt_enable(struct uart *uart, uint8_t value)
{
    uint8_t newly = value & (uint8_t)~uart->interrupt_enable;

    uart->interrupt_enable = value & IER_MASK;
    /* Asking for the transmitter's interrupt while it is empty gives it at once: drivers start
     * sending that way, and test for it. */
    if (newly & IER_TRANSMIT) {
        uart->transmit_empty_event = uart->line_status & LSR_TRANSMIT_HOLDING;
    }
    if (newly & IER_RECEIVE) {
        restart_timeout(uart);
    }
    update_irq(uart);
}

static void write_fifo_control(struct uart *uart, uint8_t value)
{
    bool toggled = (value ^ uart->fifo_control) & FCR_ENABLE;

    /* The other bits take effect only together with the enable bit. */
    uart->fifo_control = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    if (toggled || (value & FCR_CLEAR_RECEIVE)) {
        clear_receiver(uart);
    }
    if (toggled || (value & FCR_CLEAR_TRANSMIT)) {
        clear_transmitter(uart);
    }
    update_irq(uart);
}

/* The modem inputs: in loopback the outputs, otherwise a line that is connected. */
static uint8_t modem_inputs(const struct uart *uart)
{
    uint8_t control = uart->modem_control;

    if (!(control & MCR_LOOPBACK)) {
        return MSR_CONNECTED;
    }
    return (uint8_t)((control & MCR_RTS ? MSR_CTS : 0) | (control & MCR_DTR ? MSR_DSR : 0) |
                     (control & MCR_OUT1 ? MSR_RI : 0) | (control & MCR_OUT2 ? MSR_DCD : 0));
}

static void write_modem_control(struct uart *uart, uint8_t value)
{
    uint8_t before = uart->modem_status;
    uint8_t after;
    uint8_t changed;

    uart->modem_control = value & MCR_MASK;
    after = modem_inputs(uart);
    changed = (before ^ after) & (MSR_CTS | MSR_DSR | MSR_DCD);
    /* Of the ring indicator only the end of a ring counts. */
    changed |= before & (uint8_t)~after & MSR_RI;
    uart->modem_status =
        (uint8_t)(after | (before & MSR_DELTAS) | (uint8_t)(changed >> MSR_DELTA_SHIFT));
    update_irq(uart);
}

static void write_divisor(struct uart *uart, unsigned shift, uint8_t value)
{
    uart->divisor = (uint16_t)((uart->divisor & ~(0xffu << shift)) | ((unsigned)value << shift));
}

void uart_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct uart *uart = device;
    uint8_t byte = (uint8_t)value;

    if (size != 1) {
        return;
    }
    switch ((enum uart_register)offset) {
    case UART_DATA:
        if (uart->line_control & LCR_DLAB) {
            write_divisor(uart, 0, byte);
        } else {
            write_data(uart, byte);
        }
        break;
    case UART_INTERRUPT_ENABLE:
        if (uart->line_control & LCR_DLAB) {
            write_divisor(uart, 8, byte);
        } else {
            write_interrupt_enable(uart, byte);
        }
        break;
    case UART_INTERRUPT_ID:
        write_fifo_control(uart, byte);
        break;
    case UART_LINE_CONTROL:
        uart->line_control = byte;
        break;
    case UART_MODEM_CONTROL:
        write_modem_control(uart, byte);
        break;
    case UART_SCRATCH:
        uart->scratch = byte;
        break;
    case UART_LINE_STATUS:  /* read-only, but for factory tests */
    case UART_MODEM_STATUS: /* read-only */
        break;
    }
}
