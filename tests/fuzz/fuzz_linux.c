/* libFuzzer target: any bytes as a Linux kernel, bzImage or ELF. */
#include <stdint.h>

#include "tests/fuzz/loading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t initrd[100];
    const struct linux_boot boot = {
        .kernel = {.name = "vmlinuz", .data = data, .size = size},
        .initrd = {.name = "initrd", .data = initrd, .size = sizeof(initrd)},
        .cmdline = "console=ttyS0",
    };
    struct boot_state state;
    char reason[LOADER_REASON_SIZE] = "";

    fuzz_check(load_linux(fuzz_memory(), &boot, &state, reason, sizeof(reason)), &state, reason);
    return 0;
}
