/*
 * The registers of a 16550A and their bits (its data sheet; PC16550D, National Semiconductor).
 */
#ifndef GUEST_DEVICES_UART_REGISTERS_H
#define GUEST_DEVICES_UART_REGISTERS_H

enum uart_register {
    UART_DATA = 0,             /* RBR, THR; with DLAB the divisor's low byte */
    UART_INTERRUPT_ENABLE = 1, /* IER; with DLAB the divisor's high byte */
    UART_INTERRUPT_ID = 2,     /* IIR; written: FCR */
    UART_LINE_CONTROL = 3,     /* LCR */
    UART_MODEM_CONTROL = 4,    /* MCR */
    UART_LINE_STATUS = 5,      /* LSR */
    UART_MODEM_STATUS = 6,     /* MSR */
    UART_SCRATCH = 7,          /* SCR */
};

#define IER_RECEIVE      0x01u
#define IER_TRANSMIT     0x02u
#define IER_LINE_STATUS  0x04u
#define IER_MODEM_STATUS 0x08u
#define IER_MASK         0x0fu

#define IIR_NONE         0x01u
#define IIR_MODEM_STATUS 0x00u
#define IIR_TRANSMIT     0x02u
#define IIR_RECEIVE      0x04u
#define IIR_LINE_STATUS  0x06u
#define IIR_TIMEOUT      0x0cu
#define IIR_FIFOS        0xc0u

#define FCR_ENABLE         0x01u
#define FCR_CLEAR_RECEIVE  0x02u
#define FCR_CLEAR_TRANSMIT 0x04u
#define FCR_TRIGGER_SHIFT  6
#define FCR_KEPT           0xc1u

#define LCR_WORD_LENGTH 0x03u
#define LCR_STOP        0x04u
#define LCR_PARITY      0x08u
#define LCR_DLAB        0x80u

#define MCR_DTR      0x01u
#define MCR_RTS      0x02u
#define MCR_OUT1     0x04u
#define MCR_OUT2     0x08u /* on a PC: connects the interrupt output */
#define MCR_LOOPBACK 0x10u
#define MCR_MASK     0x1fu

#define LSR_DATA_READY        0x01u
#define LSR_OVERRUN           0x02u
#define LSR_TRANSMIT_HOLDING  0x20u /* THRE */
#define LSR_TRANSMITTER_EMPTY 0x40u /* TEMT */
#define LSR_TRANSMIT_READY    (LSR_TRANSMIT_HOLDING | LSR_TRANSMITTER_EMPTY)

#define MSR_CTS         0x10u
#define MSR_DSR         0x20u
#define MSR_RI          0x40u
#define MSR_DCD         0x80u
#define MSR_DELTA_SHIFT 4
#define MSR_DELTAS      0x0fu
#define MSR_CONNECTED   (MSR_CTS | MSR_DSR | MSR_DCD)

#endif
