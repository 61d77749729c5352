#include "guest/devices/uart.h"

#include <string.h>

#include "guest/devices/uart_registers.h"
#include "tests/unit/devices/clock.h"
#include "tests/unit/devices/line.h"
#include "tests/unit/support/cmocka.h"

static struct uart uart;
static struct test_line line;
static struct test_clock test_clock;

/* The host's side: takes bytes while it has room. */
static uint8_t output[64];
static size_t output_count;
static size_t output_room;

static bool transmit(void *context, uint8_t byte)
{
    assert_ptr_equal(context, &output_room);
    if (output_count >= output_room) {
        return false;
    }
    output[output_count++] = byte;
    return true;
}

static int set_up(void **state)
{
    struct uart_config config = {.irq = test_line_connect(&line),
                                 .timers = &test_clock.timers,
                                 .transmit = transmit,
                                 .context = &output_room};

    (void)state;
    output_count = 0;
    output_room = sizeof(output);
    test_clock_init(&test_clock);
    uart_init(&uart, &config);
    return 0;
}

static uint8_t get(enum uart_register which)
{
    return (uint8_t)uart_read(&uart, (uint16_t)which, 1);
}

static void put(enum uart_register which, uint8_t value)
{
    uart_write(&uart, (uint16_t)which, 1, value);
}

static size_t input(const char *text)
{
    return uart_receive(&uart, (const uint8_t *)text, strlen(text));
}

static void connect_interrupt(uint8_t enabled)
{
    put(UART_MODEM_CONTROL, MCR_DTR | MCR_RTS | MCR_OUT2);
    put(UART_INTERRUPT_ENABLE, enabled);
}

static void registers_after_reset(void **state)
{
    (void)state;
    assert_int_equal(get(UART_INTERRUPT_ENABLE), 0);
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_NONE);
    assert_int_equal(get(UART_LINE_CONTROL), 0);
    assert_int_equal(get(UART_MODEM_CONTROL), 0);
    assert_int_equal(get(UART_LINE_STATUS), 0x60);
    assert_int_equal(get(UART_MODEM_STATUS), MSR_CONNECTED);
    assert_false(line.level);
}

/* What Linux's 8250 driver does to tell the chips apart. */
static void probing_finds_a_16550a(void **state)
{
    (void)state;
    put(UART_INTERRUPT_ENABLE, 0x00);
    assert_int_equal(get(UART_INTERRUPT_ENABLE), 0x00);
    put(UART_INTERRUPT_ENABLE, 0x0f);
    assert_int_equal(get(UART_INTERRUPT_ENABLE), 0x0f);
    put(UART_INTERRUPT_ENABLE, 0xff);
    assert_int_equal(get(UART_INTERRUPT_ENABLE), 0x0f); /* no sleep mode, no XScale unit enable */
    put(UART_INTERRUPT_ENABLE, 0x00);
    put(UART_SCRATCH, 0xa5);
    assert_int_equal(get(UART_SCRATCH), 0xa5);
    put(UART_MODEM_CONTROL, MCR_LOOPBACK | MCR_OUT2 | MCR_RTS);
    assert_int_equal(get(UART_MODEM_STATUS) & 0xf0, MSR_DCD | MSR_CTS);
    put(UART_MODEM_CONTROL, 0);
    put(UART_INTERRUPT_ID, FCR_ENABLE);
    assert_int_equal(get(UART_INTERRUPT_ID), 0xc1);
    put(UART_LINE_CONTROL, 0xbf); /* no enhanced features register */
    assert_int_not_equal(get(UART_INTERRUPT_ID), 0);
    put(UART_LINE_CONTROL, 0xe0); /* no extended control register of National Semiconductor's */
    assert_int_equal(get(UART_INTERRUPT_ID) & MCR_LOOPBACK, 0);
    put(UART_LINE_CONTROL, 0x80);
    put(UART_INTERRUPT_ID, FCR_ENABLE | 0x20); /* no 64-byte FIFO */
    assert_int_equal(get(UART_INTERRUPT_ID) >> 5, 6);
    put(UART_LINE_CONTROL, 0x00);
    put(UART_INTERRUPT_ID, 0);
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_NONE);
}

static void divisor_hides_behind_dlab(void **state)
{
    (void)state;
    put(UART_INTERRUPT_ENABLE, IER_RECEIVE);
    put(UART_LINE_CONTROL, LCR_DLAB | 0x03);
    put(UART_DATA, 0x34);
    put(UART_INTERRUPT_ENABLE, 0x12);
    assert_int_equal(get(UART_DATA), 0x34);
    assert_int_equal(get(UART_INTERRUPT_ENABLE), 0x12);
    put(UART_LINE_CONTROL, 0x03);
    assert_int_equal(get(UART_INTERRUPT_ENABLE), IER_RECEIVE);
    assert_int_equal(uart.divisor, 0x1234);
    put(UART_LINE_CONTROL, LCR_DLAB | 0x03);
    put(UART_DATA, 0x01);
    assert_int_equal(uart.divisor, 0x1201);
    put(UART_INTERRUPT_ENABLE, 0x00);
    assert_int_equal(uart.divisor, 0x0001);
    assert_int_equal(output_count, 0);
}

static void output_goes_out_at_once(void **state)
{
    (void)state;
    for (const char *c = "hello"; *c; c++) {
        put(UART_DATA, (uint8_t)*c);
        assert_int_equal(get(UART_LINE_STATUS), 0x60);
    }
    assert_int_equal(output_count, 5);
    assert_memory_equal(output, "hello", 5);
}

static void refused_output_waits_and_is_not_lost(void **state)
{
    (void)state;
    output_room = 2;
    put(UART_INTERRUPT_ID, FCR_ENABLE);
    for (unsigned i = 0; i < 2 + UART_FIFO_SIZE; i++) {
        put(UART_DATA, (uint8_t)('a' + i));
        assert_int_equal(get(UART_LINE_STATUS), i < 2 ? 0x60 : 0x00);
    }
    assert_int_equal(uart_transmit_waiting(&uart), UART_FIFO_SIZE);
    output_room = 10;
    uart_transmit_ready(&uart);
    assert_int_equal(output_count, 10);
    assert_int_equal(get(UART_LINE_STATUS), 0x00);
    put(UART_DATA, 's'); /* queues behind the others, though there is room again */
    output_room = sizeof(output);
    put(UART_DATA, 't');
    assert_int_equal(output_count, 10);
    uart_transmit_ready(&uart);
    assert_int_equal(get(UART_LINE_STATUS), 0x60);
    assert_int_equal(uart_transmit_waiting(&uart), 0);
    assert_int_equal(output_count, 20);
    assert_memory_equal(output, "abcdefghijklmnopqrst", 20);
    uart_transmit_ready(&uart);
    assert_int_equal(output_count, 20);
}

static void a_full_transmitter_drops_what_is_too_much(void **state)
{
    (void)state;
    output_room = 0;
    for (unsigned i = 0; i < UART_FIFO_SIZE + 5; i++) {
        put(UART_DATA, (uint8_t)('a' + i));
    }
    output_room = sizeof(output);
    uart_transmit_ready(&uart);
    assert_int_equal(output_count, UART_FIFO_SIZE);
    assert_int_equal(output[UART_FIFO_SIZE - 1], 'a' + UART_FIFO_SIZE - 1);
}

static void clearing_the_transmitter_forgets_what_waits(void **state)
{
    (void)state;
    output_room = 0;
    put(UART_INTERRUPT_ID, FCR_ENABLE);
    put(UART_DATA, 'x');
    put(UART_INTERRUPT_ID, FCR_ENABLE);
    assert_int_equal(uart_transmit_waiting(&uart), 1);
    put(UART_INTERRUPT_ID, FCR_ENABLE | FCR_CLEAR_TRANSMIT);
    assert_int_equal(get(UART_LINE_STATUS), 0x60);
    put(UART_DATA, 'y');
    put(UART_INTERRUPT_ID, 0); /* so does switching the FIFOs off */
    assert_int_equal(get(UART_LINE_STATUS), 0x60);
    output_room = sizeof(output);
    uart_transmit_ready(&uart);
    assert_int_equal(output_count, 0);
}

/* Linux's test for a broken THRE interrupt: enabling it while empty must give it, twice. */
static void enabling_the_transmit_interrupt_gives_it(void **state)
{
    (void)state;
    connect_interrupt(0);
    for (unsigned i = 1; i <= 2; i++) {
        put(UART_INTERRUPT_ENABLE, IER_TRANSMIT);
        assert_true(line.level);
        assert_int_equal(line.rises, i);
        assert_int_equal(get(UART_INTERRUPT_ID), IIR_TRANSMIT);
        assert_false(line.level); /* reading it acknowledges it */
        assert_int_equal(get(UART_INTERRUPT_ID), IIR_NONE);
        put(UART_INTERRUPT_ENABLE, IER_TRANSMIT); /* already enabled: nothing new */
        assert_false(line.level);
        put(UART_INTERRUPT_ENABLE, 0);
    }
}

static void each_byte_sent_makes_an_edge(void **state)
{
    (void)state;
    connect_interrupt(IER_TRANSMIT);
    assert_int_equal(line.rises, 1);
    put(UART_DATA, 'a'); /* without having read IIR */
    assert_true(line.level);
    assert_int_equal(line.rises, 2);
    get(UART_INTERRUPT_ID);
    assert_false(line.level);
    put(UART_DATA, 'b');
    assert_true(line.level);
    assert_int_equal(line.rises, 3);
    put(UART_INTERRUPT_ENABLE, 0);
    assert_false(line.level);
}

static void transmit_interrupt_waits_for_the_host(void **state)
{
    (void)state;
    connect_interrupt(IER_TRANSMIT);
    output_room = 0;
    put(UART_DATA, 'a');
    assert_false(line.level);
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_NONE);
    put(UART_INTERRUPT_ENABLE, 0);
    put(UART_INTERRUPT_ENABLE, IER_TRANSMIT); /* not empty: not given */
    assert_false(line.level);
    output_room = 1;
    uart_transmit_ready(&uart);
    assert_true(line.level);
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_TRANSMIT);
}

static void input_without_fifos(void **state)
{
    (void)state;
    connect_interrupt(IER_RECEIVE);
    assert_int_equal(uart_receive_room(&uart), 1);
    assert_int_equal(input("ab"), 1);
    assert_true(line.level);
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_RECEIVE);
    assert_int_equal(get(UART_LINE_STATUS), 0x61);
    assert_int_equal(input("b"), 0); /* never an overrun by the host */
    assert_int_equal(get(UART_DATA), 'a');
    assert_false(line.level);
    assert_int_equal(get(UART_LINE_STATUS), 0x60);
    assert_int_equal(input("b"), 1);
    assert_int_equal(get(UART_DATA), 'b');
    assert_int_equal(get(UART_DATA), 'b'); /* nothing there: the last one again, no harm */
    assert_int_equal(line.rises, 2);
}

static void fifo_interrupts_at_its_trigger_level(void **state)
{
    static const unsigned levels[] = {1, 4, 8, 14};

    (void)state;
    connect_interrupt(IER_RECEIVE);
    for (unsigned i = 0; i < 4; i++) {
        put(UART_INTERRUPT_ID, (uint8_t)(FCR_ENABLE | FCR_CLEAR_RECEIVE | i << FCR_TRIGGER_SHIFT));
        for (unsigned count = 1; count <= UART_FIFO_SIZE; count++) {
            assert_int_equal(input("x"), 1);
            assert_int_equal(line.level, count >= levels[i]);
        }
        assert_int_equal(input("y"), 0);
        assert_int_equal(get(UART_INTERRUPT_ID), IIR_FIFOS | IIR_RECEIVE);
        for (unsigned count = UART_FIFO_SIZE; count > 0; count--) {
            assert_int_equal(line.level, count >= levels[i]);
            assert_int_equal(get(UART_DATA), 'x');
        }
        assert_false(line.level);
    }
}

static void few_bytes_are_announced_after_four_characters(void **state)
{
    /* 115200 baud, 8N1: 10 bits a character. */
    const uint64_t wait = 4 * 10 * UINT64_C(1000000000) / 115200;

    (void)state;
    put(UART_LINE_CONTROL, LCR_DLAB | 0x03);
    put(UART_DATA, 1);
    put(UART_INTERRUPT_ENABLE, 0);
    put(UART_LINE_CONTROL, 0x03);
    put(UART_INTERRUPT_ID, FCR_ENABLE | 3u << FCR_TRIGGER_SHIFT);
    connect_interrupt(IER_RECEIVE);
    input("ab");
    test_clock_run_until(&test_clock, wait - 1000);
    assert_false(line.level);
    input("c"); /* starts the wait anew */
    test_clock_run_until(&test_clock, 2 * wait - 2000);
    assert_false(line.level);
    test_clock_run_until(&test_clock, 2 * wait);
    assert_true(line.level);
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_FIFOS | IIR_TIMEOUT);
    assert_int_equal(get(UART_DATA), 'a'); /* a read ends it, and starts the next wait */
    assert_false(line.level);
    test_clock_run_until(&test_clock, 3 * wait - 1000);
    assert_false(line.level);
    test_clock_run_until(&test_clock, 3 * wait + 1000);
    assert_true(line.level);
    assert_int_equal(get(UART_DATA), 'b');
    assert_int_equal(get(UART_DATA), 'c');
    assert_false(line.level);
    assert_null(test_clock.timers.first);
}

static void nobody_listening_means_no_timer(void **state)
{
    (void)state;
    put(UART_INTERRUPT_ID, FCR_ENABLE | 3u << FCR_TRIGGER_SHIFT);
    input("a");
    assert_null(test_clock.timers.first);
    connect_interrupt(IER_RECEIVE);
    assert_non_null(test_clock.timers.first);
    put(UART_INTERRUPT_ID, FCR_ENABLE | FCR_CLEAR_RECEIVE);
    assert_null(test_clock.timers.first);
    assert_int_equal(get(UART_LINE_STATUS), 0x60);
}

static void interrupts_have_their_order(void **state)
{
    (void)state;
    put(UART_MODEM_CONTROL, MCR_LOOPBACK | MCR_RTS);
    put(UART_MODEM_CONTROL, MCR_LOOPBACK); /* a change of CTS */
    put(UART_DATA, '1');
    put(UART_DATA, '2'); /* an overrun */
    put(UART_INTERRUPT_ENABLE, 0x0f);
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_LINE_STATUS);
    assert_int_equal(get(UART_LINE_STATUS), 0x60 | LSR_DATA_READY | LSR_OVERRUN);
    assert_int_equal(get(UART_LINE_STATUS), 0x60 | LSR_DATA_READY);
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_RECEIVE);
    assert_int_equal(get(UART_DATA), '2'); /* without FIFOs the newest stays */
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_TRANSMIT);
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_MODEM_STATUS);
    assert_true(get(UART_MODEM_STATUS) & (MSR_CTS >> MSR_DELTA_SHIFT));
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_NONE);
}

static void overrun_of_a_fifo_keeps_the_oldest(void **state)
{
    (void)state;
    put(UART_INTERRUPT_ID, FCR_ENABLE);
    put(UART_MODEM_CONTROL, MCR_LOOPBACK);
    for (unsigned i = 0; i < UART_FIFO_SIZE + 2; i++) {
        put(UART_DATA, (uint8_t)('a' + i));
    }
    assert_int_equal(get(UART_LINE_STATUS), 0x60 | LSR_DATA_READY | LSR_OVERRUN);
    for (unsigned i = 0; i < UART_FIFO_SIZE; i++) {
        assert_int_equal(get(UART_DATA), 'a' + i);
    }
    assert_int_equal(get(UART_LINE_STATUS), 0x60);
}

static void loopback_stays_inside(void **state)
{
    (void)state;
    put(UART_MODEM_CONTROL, MCR_LOOPBACK | MCR_OUT2);
    put(UART_INTERRUPT_ENABLE, IER_RECEIVE);
    put(UART_DATA, 'x');
    assert_int_equal(output_count, 0);
    assert_int_equal(get(UART_DATA), 'x');
    assert_int_equal(uart_receive_room(&uart), 0);
    assert_int_equal(input("abc"), 0);
    assert_int_equal(line.rises, 0); /* OUT2 is off the pin in loopback */
    put(UART_MODEM_CONTROL, MCR_OUT2);
    assert_int_equal(input("a"), 1);
    assert_true(line.level);
}

static void modem_lines_in_loopback(void **state)
{
    (void)state;
    put(UART_MODEM_CONTROL, MCR_LOOPBACK);
    assert_int_equal(get(UART_MODEM_STATUS), 0x0b); /* CTS, DSR and DCD went */
    put(UART_MODEM_CONTROL, MCR_LOOPBACK | MCR_DTR);
    assert_int_equal(get(UART_MODEM_STATUS), MSR_DSR | 0x02);
    put(UART_MODEM_CONTROL, MCR_LOOPBACK | MCR_OUT1);
    assert_int_equal(get(UART_MODEM_STATUS), MSR_RI | 0x02); /* a ring's start is no event */
    put(UART_MODEM_CONTROL, MCR_LOOPBACK);
    assert_int_equal(get(UART_MODEM_STATUS), 0x04); /* its end is */
    put(UART_MODEM_CONTROL, 0);
    assert_int_equal(get(UART_MODEM_STATUS), MSR_CONNECTED | 0x0b);
    assert_int_equal(get(UART_MODEM_STATUS), MSR_CONNECTED);
    put(UART_MODEM_CONTROL, 0xff);
    assert_int_equal(get(UART_MODEM_CONTROL), 0x1f);
}

static void out2_gates_the_interrupt(void **state)
{
    (void)state;
    put(UART_INTERRUPT_ENABLE, IER_RECEIVE);
    input("x");
    assert_int_equal(get(UART_INTERRUPT_ID), IIR_RECEIVE);
    assert_false(line.level);
    put(UART_MODEM_CONTROL, MCR_OUT2);
    assert_true(line.level);
    put(UART_MODEM_CONTROL, 0);
    assert_false(line.level);
}

static void switching_fifos_empties_them(void **state)
{
    (void)state;
    put(UART_INTERRUPT_ID, FCR_ENABLE);
    input("abc");
    put(UART_INTERRUPT_ID, FCR_ENABLE); /* no switch: nothing is lost */
    assert_int_equal(get(UART_DATA), 'a');
    put(UART_INTERRUPT_ID, 0);
    assert_int_equal(get(UART_LINE_STATUS), 0x60);
    put(UART_INTERRUPT_ID, FCR_CLEAR_RECEIVE | 3u << FCR_TRIGGER_SHIFT); /* not without enable */
    input("d");
    connect_interrupt(IER_RECEIVE);
    assert_true(line.level);
}

static void read_only_registers_and_other_sizes(void **state)
{
    (void)state;
    put(UART_LINE_STATUS, 0x00);
    put(UART_MODEM_STATUS, 0xff);
    assert_int_equal(get(UART_LINE_STATUS), 0x60);
    assert_int_equal(get(UART_MODEM_STATUS), MSR_CONNECTED);
    uart_write(&uart, UART_DATA, 2, 0x4141);
    uart_write(&uart, UART_DATA, 4, 0x41414141);
    assert_int_equal(output_count, 0);
    assert_int_equal(uart_read(&uart, UART_LINE_STATUS, 2), 0xffff);
    assert_int_equal(uart_read(&uart, UART_LINE_STATUS, 4), 0xffffffff);
    input("a");
    uart_read(&uart, UART_DATA, 4);
    assert_int_equal(get(UART_DATA), 'a');
}

static void reset_forgets_all(void **state)
{
    (void)state;
    put(UART_INTERRUPT_ID, FCR_ENABLE | 3u << FCR_TRIGGER_SHIFT);
    connect_interrupt(0x0f);
    input("abc");
    output_room = 0;
    put(UART_DATA, 'x');
    uart_reset(&uart);
    registers_after_reset(state);
    assert_null(test_clock.timers.first);
    assert_int_equal(uart_transmit_waiting(&uart), 0);
}

/* Whatever a guest writes, bytes that were taken come out in order and the state stays sound. */
static void random_accesses(void **state)
{
    uint64_t random = 42;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t bits = test_random(&random);
        uint16_t offset = bits & 7;

        switch (bits >> 8 & 7) {
        case 0:
            uart_receive(&uart, (const uint8_t *)&bits, bits >> 16 & 7);
            break;
        case 1:
            output_room = bits >> 16 & 63;
            output_count = 0;
            uart_transmit_ready(&uart);
            break;
        case 2:
            test_clock_run_until(&test_clock, test_clock.now + (bits >> 40));
            break;
        case 3:
        case 4:
            uart_read(&uart, offset, 1u << (bits >> 16 & 1));
            break;
        default:
            put(offset, (uint8_t)(bits >> 24));
            break;
        }
        assert_true(uart.receive.count <= UART_FIFO_SIZE);
        assert_true(uart.send.count <= UART_FIFO_SIZE);
        assert_int_equal(!(uart.line_status & LSR_DATA_READY), uart.receive.count == 0);
        assert_int_equal(!(uart.line_status & LSR_TRANSMIT_HOLDING), uart.send.count > 0);
        assert_int_equal(line.level, uart.irq_level);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers_after_reset, set_up),
        cmocka_unit_test_setup(probing_finds_a_16550a, set_up),
        cmocka_unit_test_setup(divisor_hides_behind_dlab, set_up),
        cmocka_unit_test_setup(output_goes_out_at_once, set_up),
        cmocka_unit_test_setup(refused_output_waits_and_is_not_lost, set_up),
        cmocka_unit_test_setup(a_full_transmitter_drops_what_is_too_much, set_up),
        cmocka_unit_test_setup(clearing_the_transmitter_forgets_what_waits, set_up),
        cmocka_unit_test_setup(enabling_the_transmit_interrupt_gives_it, set_up),
        cmocka_unit_test_setup(each_byte_sent_makes_an_edge, set_up),
        cmocka_unit_test_setup(transmit_interrupt_waits_for_the_host, set_up),
        cmocka_unit_test_setup(input_without_fifos, set_up),
        cmocka_unit_test_setup(fifo_interrupts_at_its_trigger_level, set_up),
        cmocka_unit_test_setup(few_bytes_are_announced_after_four_characters, set_up),
        cmocka_unit_test_setup(nobody_listening_means_no_timer, set_up),
        cmocka_unit_test_setup(interrupts_have_their_order, set_up),
        cmocka_unit_test_setup(overrun_of_a_fifo_keeps_the_oldest, set_up),
        cmocka_unit_test_setup(loopback_stays_inside, set_up),
        cmocka_unit_test_setup(modem_lines_in_loopback, set_up),
        cmocka_unit_test_setup(out2_gates_the_interrupt, set_up),
        cmocka_unit_test_setup(switching_fifos_empties_them, set_up),
        cmocka_unit_test_setup(read_only_registers_and_other_sizes, set_up),
        cmocka_unit_test_setup(reset_forgets_all, set_up),
        cmocka_unit_test_setup(random_accesses, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
