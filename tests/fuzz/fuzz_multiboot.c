/* libFuzzer target: any bytes as a multiboot image. Headers are given the checksum that they need,
 * which chance would not find. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/loading.h"

#define MAGIC_1 0x1badb002u
#define MAGIC_2 0xe85250d6u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fix_checksums(uint8_t *bytes, size_t size)
{
    uint32_t header[4];

    for (size_t at = 0; at + sizeof(header) <= size; at += 4) {
        memcpy(header, bytes + at, sizeof(header));
        if (header[0] == MAGIC_1) {
            header[2] = 0 - MAGIC_1 - header[1];
        } else if (header[0] == MAGIC_2) {
            header[3] = 0 - MAGIC_2 - header[1] - header[2];
        } else {
            continue;
        }
        memcpy(bytes + at, header, sizeof(header));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t module[100];
    uint8_t *image = malloc(size > 0 ? size : 1);
    struct boot_state state;
    char reason[LOADER_REASON_SIZE] = "";

    if (image == NULL) {
        abort();
    }
    memcpy(image, data, size);
    fix_checksums(image, size);
    const struct multiboot_boot boot = {
        .image = {.name = "image", .data = image, .size = size},
        .cmdline = "a b",
        .modules = {{{.name = "module", .data = module, .size = sizeof(module)}, "m"}},
        .module_count = 1,
    };
    fuzz_check(load_multiboot(fuzz_memory(), &boot, &state, reason, sizeof(reason)), &state,
               reason);
    free(image);
    return 0;
}
