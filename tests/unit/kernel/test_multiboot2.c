/* The boot information's parser: made-up information, whole, cut short and scrambled. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/boot/multiboot2.h"
#include "kernel/memory/paging.h"
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/log.h"

static uint8_t information[8192];
static size_t length;
static char arena_memory[4096] __attribute__((aligned(8)));
static struct boot_arena arena;
static struct boot_info info;

static void put(const void *data, size_t size)
{
    memcpy(information + length, data, size);
    length += size;
}

static void put32(uint32_t value)
{
    put(&value, sizeof(value));
}

static void put64(uint64_t value)
{
    put(&value, sizeof(value));
}

/* Begins a tag; end_tag fills its size in. */
static size_t begin_tag(uint32_t type)
{
    length = (length + 7) & ~(size_t)7;
    put32(type);
    put32(0);
    return length - 8;
}

static void end_tag(size_t tag)
{
    uint32_t size = (uint32_t)(length - tag);

    memcpy(information + tag + 4, &size, sizeof(size));
}

static void put_string_tag(uint32_t type, const char *text)
{
    size_t tag = begin_tag(type);

    put(text, strlen(text) + 1);
    end_tag(tag);
}

static void put_module(uint32_t start, uint32_t end, const char *cmdline)
{
    size_t tag = begin_tag(3);

    put32(start);
    put32(end);
    put(cmdline, strlen(cmdline) + 1);
    end_tag(tag);
}

static void put_memory_map(uint32_t entry_size, const uint64_t (*entries)[3], unsigned count)
{
    size_t tag = begin_tag(6);

    put32(entry_size);
    put32(0);
    for (unsigned i = 0; i < count; i++) {
        put64(entries[i][0]);
        put64(entries[i][1]);
        put64(entries[i][2]);
        for (uint32_t extra = 24; extra < entry_size; extra += 4) {
            put32(0xffffffff);
        }
    }
    end_tag(tag);
}

static void put_rsdp(uint32_t type, uint8_t fill, size_t size)
{
    uint8_t rsdp[36];
    size_t tag = begin_tag(type);

    memset(rsdp, fill, sizeof(rsdp));
    put(rsdp, size);
    end_tag(tag);
}

static void begin(void)
{
    memset(information, 0xee, sizeof(information));
    length = 0;
    put64(0);
}

static void finish(void)
{
    uint32_t size;

    end_tag(begin_tag(0));
    size = (uint32_t)length;
    memcpy(information, &size, sizeof(size));
}

/* Parses a copy of the exact size, so that AddressSanitizer sees every read past it. */
static int parse_copy(size_t size)
{
    uint8_t *copy = malloc(size);
    int error;

    assert_non_null(copy);
    memcpy(copy, information, size);
    arena = (struct boot_arena){.memory = arena_memory, .size = sizeof(arena_memory)};
    error = multiboot2_parse(copy, size, &arena, &info);
    free(copy);
    return error;
}

static const uint64_t memory_map[][3] = {
    {0, 0x9fc00, 1},          {0x9fc00, 0x400, 2},         {0x100000, 0x3fef0000, 1},
    {0x3fff0000, 0x8000, 3},  {0x3fff8000, 0x8000, 4},     {0x40000000, 0x1000, 5},
    {0x50000000, 0x1000, 99}, {0x100000000, 1ul << 36, 1}, {0x7000, 0, 1},
};

static void put_everything(void)
{
    static const uint8_t sections[2 * 64] = {1, 2, 3};
    size_t tag;

    begin();
    put_string_tag(1, "loglevel=debug on-stop=poweroff");
    put_string_tag(2, "GRUB 2.06");
    put_module(0x400000, 0x500123, "vmlinuz console=ttyS0 quiet");
    put_module(0x600000, 0x600000, "empty");
    put_module(0x700000, 0x700010, "");
    put_memory_map(24, memory_map, 9);
    put_string_tag(4711, "a tag that nobody knows");
    tag = begin_tag(8);
    put64(0xfd000000);
    put32(4096);
    put32(1024);
    put32(768);
    put("\x20\x01\x00\x00", 4);
    put("\x10\x08\x08\x08\x00\x08", 6);
    end_tag(tag);
    tag = begin_tag(9);
    put32(2);
    put32(64);
    put32(1);
    put(sections, sizeof(sections));
    end_tag(tag);
    put_rsdp(15, 0x22, 36);
    put_rsdp(14, 0x11, 20);
    tag = begin_tag(12);
    put64(0x12345678);
    end_tag(tag);
    finish();
}

static void test_everything(void **state)
{
    uint8_t rsdp[36];

    (void)state;
    put_everything();
    assert_int_equal(parse_copy(length), 0);
    assert_string_equal(info.cmdline, "loglevel=debug on-stop=poweroff");
    assert_string_equal(info.loader, "GRUB 2.06");
    assert_int_equal(info.module_count, 3);
    assert_string_equal(info.modules[0].name, "vmlinuz");
    assert_string_equal(info.modules[0].arguments, "console=ttyS0 quiet");
    assert_int_equal(info.modules[0].phys, 0x400000);
    assert_int_equal(info.modules[0].size, 0x100123);
    assert_ptr_equal(info.modules[0].data, phys_to_virt(0x400000));
    assert_string_equal(info.modules[1].name, "empty");
    assert_string_equal(info.modules[1].arguments, "");
    assert_int_equal(info.modules[1].size, 0);
    assert_string_equal(info.modules[2].name, "");
    assert_int_equal(info.memory_count, 8);
    assert_int_equal(info.memory[2].base, 0x100000);
    assert_int_equal(info.memory[2].size, 0x3fef0000);
    assert_int_equal(info.memory[0].kind, BOOT_MEMORY_RAM);
    assert_int_equal(info.memory[1].kind, BOOT_MEMORY_RESERVED);
    assert_int_equal(info.memory[3].kind, BOOT_MEMORY_ACPI);
    assert_int_equal(info.memory[4].kind, BOOT_MEMORY_NVS);
    assert_int_equal(info.memory[5].kind, BOOT_MEMORY_BAD);
    assert_int_equal(info.memory[6].kind, BOOT_MEMORY_RESERVED);
    assert_int_equal(info.framebuffer.phys, 0xfd000000);
    assert_int_equal(info.framebuffer.pitch, 4096);
    assert_int_equal(info.framebuffer.width, 1024);
    assert_int_equal(info.framebuffer.height, 768);
    assert_int_equal(info.framebuffer.bits_per_pixel, 32);
    assert_true(info.framebuffer.rgb);
    assert_int_equal(info.framebuffer.red_position, 16);
    assert_int_equal(info.framebuffer.green_position, 8);
    assert_int_equal(info.framebuffer.blue_position, 0);
    assert_int_equal(info.framebuffer.blue_size, 8);
    assert_int_equal(info.elf_section_count, 2);
    assert_int_equal(info.elf_section_size, 64);
    assert_int_equal(info.elf_section_names, 1);
    assert_int_equal(((const uint8_t *)info.elf_sections)[2], 3);
    assert_int_equal((uintptr_t)info.elf_sections % 8, 0);
    /* The new RSDP wins over the old one, whichever comes last. */
    memset(rsdp, 0x22, sizeof(rsdp));
    assert_memory_equal(info.rsdp, rsdp, sizeof(rsdp));
    assert_true(info.efi);
}

static void test_nothing(void **state)
{
    (void)state;
    begin();
    finish();
    assert_int_equal(parse_copy(length), 0);
    assert_string_equal(info.cmdline, "");
    assert_string_equal(info.loader, "");
    assert_int_equal(info.memory_count, 0);
    assert_int_equal(info.framebuffer.phys, 0);
    assert_null(info.elf_sections);
    assert_false(info.efi);
}

/* A string ends with its tag at the latest. */
static void test_unterminated_string(void **state)
{
    size_t tag;

    (void)state;
    begin();
    tag = begin_tag(1);
    put("12345678", 8);
    end_tag(tag);
    put_string_tag(2, "GRUB");
    finish();
    assert_int_equal(parse_copy(length), 0);
    assert_string_equal(info.cmdline, "12345678");
    assert_string_equal(info.loader, "GRUB");
}

static void test_old_rsdp(void **state)
{
    uint8_t rsdp[36] = {0};

    (void)state;
    begin();
    put_rsdp(14, 0x11, 20);
    finish();
    assert_int_equal(parse_copy(length), 0);
    memset(rsdp, 0x11, 20);
    assert_memory_equal(info.rsdp, rsdp, sizeof(rsdp));
}

static void test_long_memory_entries(void **state)
{
    (void)state;
    begin();
    put_memory_map(32, memory_map, 3);
    finish();
    assert_int_equal(parse_copy(length), 0);
    assert_int_equal(info.memory_count, 3);
    assert_int_equal(info.memory[2].base, 0x100000);
}

static void test_framebuffer_without_pixels(void **state)
{
    size_t tag;

    (void)state;
    begin();
    tag = begin_tag(8);
    put64(0xb8000);
    put32(160);
    put32(80);
    put32(25);
    put("\x10\x02\x00\x00", 4);
    end_tag(tag);
    finish();
    assert_int_equal(parse_copy(length), 0);
    assert_false(info.framebuffer.rgb);
    assert_int_equal(info.framebuffer.height, 25);
}

/* Every cut must be noticed, and nothing beyond it read. */
static void test_truncated(void **state)
{
    size_t whole;

    (void)state;
    put_everything();
    whole = length;
    for (size_t size = 1; size < whole; size++) {
        uint32_t claimed = (uint32_t)size;

        assert_int_equal(parse_copy(size), -EINVAL); /* claims more than there is */
        memcpy(information, &claimed, sizeof(claimed));
        assert_int_equal(parse_copy(size), -EINVAL); /* claims what there is */
        claimed = (uint32_t)whole;
        memcpy(information, &claimed, sizeof(claimed));
    }
}

/* Any byte may be anything: no crash, no read outside, and counts within bounds. */
static void test_scrambled(void **state)
{
    (void)state;
    srand(4);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned flips = 1 + (unsigned)rand() % 4;

        put_everything();
        while (flips-- > 0) {
            information[(size_t)rand() % length] = (uint8_t)rand();
        }
        parse_copy(length);
        assert_true(info.module_count <= BOOT_MAX_MODULES);
        assert_true(info.memory_count <= BOOT_MAX_MEMORY_RANGES);
        assert_true(arena.used <= arena.size);
    }
}

static void test_broken_tags(void **state)
{
    const uint64_t wrapping[][3] = {{0xfffffffffffff000, 0x2000, 1}};
    uint32_t small = 4;
    size_t tag;

    (void)state;
    begin();
    put_module(0x2000, 0x1000, "backwards");
    finish();
    assert_int_equal(parse_copy(length), -EINVAL);
    assert_non_null(strstr(test_log_last, "tag 3 at offset 8"));

    begin();
    put_memory_map(24, wrapping, 1);
    finish();
    assert_int_equal(parse_copy(length), -EINVAL);

    begin();
    put_memory_map(8, NULL, 0);
    finish();
    assert_int_equal(parse_copy(length), -EINVAL);

    begin();
    tag = begin_tag(1);
    memcpy(information + tag + 4, &small, sizeof(small));
    finish();
    assert_int_equal(parse_copy(length), -EINVAL);

    begin();
    tag = begin_tag(9);
    put32(0x10000000);
    put32(64);
    put32(0);
    end_tag(tag);
    finish();
    assert_int_equal(parse_copy(length), -EINVAL);
    assert_null(info.elf_sections);
}

static void test_too_many(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < BOOT_MAX_MODULES + 2; i++) {
        put_module(0x1000, 0x2000, i < BOOT_MAX_MODULES ? "kept" : "dropped");
    }
    finish();
    test_log_lines = 0;
    assert_int_equal(parse_copy(length), 0);
    assert_int_equal(info.module_count, BOOT_MAX_MODULES);
    assert_string_equal(info.modules[BOOT_MAX_MODULES - 1].name, "kept");
    assert_int_equal(test_log_lines, 2);

    begin();
    for (unsigned i = 0; i < BOOT_MAX_MEMORY_RANGES / 8 + 1; i++) {
        put_memory_map(24, memory_map, 8);
    }
    finish();
    assert_int_equal(parse_copy(length), 0);
    assert_int_equal(info.memory_count, BOOT_MAX_MEMORY_RANGES);
}

static void test_small_arena(void **state)
{
    (void)state;
    put_everything();
    arena = (struct boot_arena){.memory = arena_memory, .size = 20};
    assert_int_equal(multiboot2_parse(information, length, &arena, &info), 0);
    assert_string_equal(info.cmdline, "");
    assert_string_equal(info.loader, "GRUB 2.06");
    assert_int_equal(info.module_count, 3);
    assert_string_equal(info.modules[0].name, "");
    assert_null(info.elf_sections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_unterminated_string),
        cmocka_unit_test(test_old_rsdp),
        cmocka_unit_test(test_long_memory_entries),
        cmocka_unit_test(test_framebuffer_without_pixels),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_scrambled),
        cmocka_unit_test(test_broken_tags),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_small_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
