/*
 * Puts the house together: brings the machine up, stage by stage, each with one line of facts.
 */
#include "kernel/boot/boot.h"
#include "kernel/cpu/x86.h"

_Noreturn void kernel_main(uint64_t information)
{
    const char *text = "innkeeper: long mode\n";

    (void)information;
    for (; *text; text++) {
        outb(0x3f8, (uint8_t)*text);
    }
    for (;;) {
        hlt();
    }
}
