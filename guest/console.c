#include "guest/console.h"

static bool put(struct console *console, uint8_t byte)
{
    if (console_waiting(console) == CONSOLE_OUTPUT_SIZE) {
        if (!console->hidden) {
            return false;
        }
        console->output_tail++;
        console->dropped++;
    }
    console->output[console->output_head++ % CONSOLE_OUTPUT_SIZE] = byte;
    return true;
}

bool console_send(struct console *console, uint8_t byte)
{
    bool first;
    bool sent;

    spin_lock(&console->lock);
    first = console_waiting(console) == 0;
    sent = put(console, byte);
    spin_unlock(&console->lock);
    if (first && console->notify) {
        console->notify();
    }
    return sent;
}

size_t console_read(struct console *console, uint8_t *bytes, size_t size)
{
    size_t count = 0;

    spin_lock(&console->lock);
    while (count < size && console_waiting(console) > 0) {
        bytes[count++] = console->output[console->output_tail++ % CONSOLE_OUTPUT_SIZE];
    }
    spin_unlock(&console->lock);
    return count;
}

bool console_type(struct console *console, uint8_t byte)
{
    if (console->input_head - console->input_tail == CONSOLE_INPUT_SIZE) {
        return false;
    }
    console->input[console->input_head++ % CONSOLE_INPUT_SIZE] = byte;
    return true;
}

size_t console_typed(const struct console *console, const uint8_t **bytes)
{
    uint32_t first = console->input_tail % CONSOLE_INPUT_SIZE;
    uint32_t count = console->input_head - console->input_tail;

    *bytes = &console->input[first];
    return count < CONSOLE_INPUT_SIZE - first ? count : CONSOLE_INPUT_SIZE - first;
}

void console_typed_taken(struct console *console, size_t count)
{
    console->input_tail += (uint32_t)count;
}
