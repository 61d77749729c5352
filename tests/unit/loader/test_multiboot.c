/* guest/loader: multiboot 1 and 2. The images are put together here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/layout.h"
#include "guest/loader/loader.h"
#include "tests/unit/loader/elf_builder.h"
#include "tests/unit/loader/loading_support.h"
#include "tests/unit/support/cmocka.h"

#define MIB    UINT64_C(0x100000)
#define HEADER 0x1000u /* offset of the header in the image */

static const uint8_t module_bytes[5000] = {7, 8, [4999] = 9};
static struct elf_builder elf;
static unsigned module_count;

static int load(const void *bytes, size_t size)
{
    struct multiboot_boot boot = {
        .image = test_image("hello.elf", bytes, size),
        .cmdline = "one two",
        .modules = {{test_image("first", module_bytes, 5000), "first x=1"},
                    {test_image("second", module_bytes, 10), ""}},
        .module_count = module_count,
    };
    int result = load_multiboot(&test_memory, &boot, &test_state, test_reason, sizeof(test_reason));

    test_image_free(&boot.image);
    test_image_free(&boot.modules[0].image);
    test_image_free(&boot.modules[1].image);
    return result;
}

static int load_elf(void)
{
    return load(elf.bytes, elf.size);
}

static void assert_refused(int error, const char *reason)
{
    test_memory_create(16);
    int result = load_elf();
    assert_string_equal(test_reason, reason);
    assert_int_equal(result, error);
}

static void put_header1(uint32_t flags)
{
    put32(elf.bytes + HEADER, 0x1badb002);
    put32(elf.bytes + HEADER + 4, flags);
    put32(elf.bytes + HEADER + 8, 0 - 0x1badb002u - flags);
}

/* An ELF image at 1 MiB, linked 1 GiB higher, with bss, a symbol section and its strings. */
static void build_elf(bool is64)
{
    elf_begin(&elf, is64, 0x40100010);
    elf_add_segment(&elf, 1, 0x1000, 0x40100000, 0x100000, 0x200, 0x1234);
    memset(elf.bytes + 0x1000, 0x55, 0x200);
    elf_set_sections(&elf, 0x1400, 4, 3);
    elf_put_section(&elf, 0x1400, 0, 0, 0, 0, 0);
    elf_put_section(&elf, 0x1400, 1, 1, 0x100000, 0x1000, 0x200); /* text: loaded already */
    elf_put_section(&elf, 0x1400, 2, 8, 0, 0x1200, 0x1000);       /* bss: nothing to load */
    elf_put_section(&elf, 0x1400, 3, 3, 0, 0x1600, 17);           /* strings */
    memcpy(elf.bytes + 0x1600, "\0.text\0.shstrtab", 17);
    elf.size = 0x1611;
    module_count = 2;
}

static void test_multiboot1_elf(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        build_elf(i == 1);
        put_header1(3);
        test_memory_create(16);
        assert_int_equal(load_elf(), 0);
        assert_string_equal(test_reason, "");
        assert_protected_state(0x100010);
        assert_int_equal(test_state.gpr[GPR_RAX], 0x2badb002);
        assert_guest_bytes(0x100000, elf.bytes + 0x1000, 0x200);
        assert_int_equal(guest64(0x100200), 0);

        const uint64_t info = test_state.gpr[GPR_RBX];
        assert_int_equal(guest32(info), 1 << 0 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 9);
        assert_int_equal(guest32(info + 4), 639);
        assert_int_equal(guest32(info + 8), 15 * 1024);
        assert_string_equal(guest_string(guest32(info + 16)), "one two");
        assert_int_equal(guest32(info + 20), 2);
        assert_string_equal(guest_string(guest32(info + 64)), "Innkeeper");

        const uint64_t modules = guest32(info + 24);
        assert_int_equal(guest32(modules), 0x102000); /* the page after the bss */
        assert_int_equal(guest32(modules + 4), 0x102000 + 5000);
        assert_string_equal(guest_string(guest32(modules + 8)), "first x=1");
        assert_guest_bytes(0x102000, module_bytes, 5000);
        assert_int_equal(guest32(modules + 16), 0x104000);
        assert_int_equal(guest32(modules + 20), 0x10400a);
        assert_string_equal(guest_string(guest32(modules + 24)), "");

        const uint64_t sections = guest32(info + 36);
        const uint64_t size = i == 1 ? 64 : 40;
        const uint64_t address = i == 1 ? 16 : 12;
        assert_int_equal(guest32(info + 28), 4);
        assert_int_equal(guest32(info + 32), size);
        assert_int_equal(guest32(info + 40), 3);
        assert_int_equal(guest32(sections + size + address), 0x100000);
        assert_int_equal(guest32(sections + 2 * size + address), 0);
        assert_guest_bytes(guest32(sections + 3 * size + address), "\0.text\0.shstrtab", 17);

        assert_int_equal(guest32(info + 44), 6 * 24);
        const uint64_t map = guest32(info + 48);
        assert_int_equal(guest32(map), 20);
        assert_int_equal(guest64(map + 4), 0);
        assert_int_equal(guest64(map + 12), 0x9fc00);
        assert_int_equal(guest32(map + 20), 1);
        assert_int_equal(guest64(map + 3 * 24 + 4), MIB);
        assert_int_equal(guest64(map + 3 * 24 + 12), 15 * MIB);
    }
}

/* The image as a plain file, by the addresses in its header. */
static void put_addresses1(uint32_t header, uint32_t load_address, uint32_t load_end,
                           uint32_t bss_end, uint32_t entry)
{
    put_header1(0x10000);
    put32(elf.bytes + HEADER + 12, header);
    put32(elf.bytes + HEADER + 16, load_address);
    put32(elf.bytes + HEADER + 20, load_end);
    put32(elf.bytes + HEADER + 24, bss_end);
    put32(elf.bytes + HEADER + 28, entry);
}

static void test_multiboot1_addresses(void **state)
{
    (void)state;
    build_elf(false);
    memset(elf.bytes, 0x66, HEADER);
    put_addresses1(0x200800, 0x200000, 0x200a00, 0x203001, 0x200900);
    test_memory_create(16);
    assert_int_equal(load_elf(), 0);
    assert_protected_state(0x200900);
    assert_guest_bytes(0x200000, elf.bytes + 0x800, 0xa00);
    assert_int_equal(guest32(0x200a00), 0);
    assert_int_equal(guest32(guest32(LAYOUT_MULTIBOOT + 24)), 0x204000);
    assert_int_equal(guest32(LAYOUT_MULTIBOOT) & 1 << 5, 0); /* no ELF sections */
    /* Without ends: all of the file, no bss; and in base memory. */
    put_addresses1(0x11000, 0x11000, 0, 0, 0x11000);
    test_memory_create(16);
    assert_int_equal(load_elf(), 0);
    assert_guest_bytes(0x11000, elf.bytes + HEADER, elf.size - HEADER);
    assert_int_equal(guest32(0x11000 + (uint32_t)elf.size - HEADER + 3), 0);
    assert_int_equal(guest32(guest32(LAYOUT_MULTIBOOT + 24)), 0x100000);
}

static void test_multiboot1_refusals(void **state)
{
    (void)state;
    build_elf(false);
    assert_refused(-ENOEXEC, "hello.elf: no multiboot image: no header in its first 32 KiB");
    put_header1(3);
    elf.bytes[HEADER + 8] ^= 1;
    assert_refused(-ENOEXEC, "hello.elf: no multiboot image: no header in its first 32 KiB");
    put_header1(4);
    assert_refused(-ENOTSUP,
                   "hello.elf: requires a video mode (header flag 2), there is no screen");
    put_header1(0x8008);
    assert_refused(-ENOTSUP, "hello.elf: requires unknown features: flags 0x8008");
    put_addresses1(0x200000, 0x200001, 0, 0, 0x200000);
    assert_refused(-ENOEXEC, "hello.elf: its header loads at 0x200000, but lies 4096 bytes into "
                             "the file, and the file at 0x200001");
    put_addresses1(0x201001, 0x200000, 0, 0, 0x200000);
    assert_refused(-ENOEXEC, "hello.elf: its header loads at 0x201001, but lies 4096 bytes into "
                             "the file, and the file at 0x200000");
    put_addresses1(0x200000, 0x200000, 0x200612, 0, 0x200000);
    assert_refused(-ENOEXEC, "hello.elf: truncated: the header promises bytes from 0x200000 to "
                             "0x200612, the module has 1553 of them");
    put_addresses1(0x200000, 0x200000, 0x1fffff, 0, 0x200000);
    assert_refused(-ENOEXEC, "hello.elf: truncated: the header promises bytes from 0x200000 to "
                             "0x1fffff, the module has 1553 of them");
    put_addresses1(0x200000, 0x200000, 0x200600, 0, 0x200600);
    assert_refused(-ENOEXEC, "hello.elf: its entry point 0x200600 is outside of what is loaded");
    put_addresses1(0x80000, 0x80000, 0x80001, 0, 0x80000);
    assert_refused(-ENOEXEC, "hello.elf: it needs 0x80000 to 0x80001; below 1 MiB only 0x1000 to "
                             "0x80000 is free");
    put_addresses1(0x200000, 0x200000, 0, 0xffffffff, 0x200000);
    assert_refused(-ENOMEM, "hello.elf: it needs memory from 0x200000 to 0xffffffff, the VM's ends "
                            "at 0x1000000");
    put_header1(0);
    put32(elf.bytes + 24, 0x40101234);
    assert_refused(-ENOEXEC, "hello.elf: its entry point is in no segment");
    memcpy(elf.bytes, "\177elf", 4);
    assert_refused(-ENOEXEC, "hello.elf: neither an ELF file nor load addresses in its header");
}

static void test_memory_shortage(void **state)
{
    (void)state;
    build_elf(false);
    put_addresses1(0x1fe000, 0x1fe000, 0, 0, 0x1fe000);
    test_memory_create(2);
    assert_int_equal(load_elf(), -ENOMEM);
    assert_string_equal(test_reason, "first: 5000 bytes do not fit at 0x1ff000, the VM's memory "
                                     "ends at 0x200000");
    build_elf(false);
    put_header1(0);
    elf_put_section(&elf, 0x1400, 3, 3, 0, 0x1600, 18);
    assert_refused(-ENOEXEC, "hello.elf: truncated: section 3 promises 18 bytes at 5632, the "
                             "module has 5649");
}

static size_t header2_end;

static void begin_header2(void)
{
    put32(elf.bytes + HEADER, 0xe85250d6);
    put32(elf.bytes + HEADER + 4, 0);
    header2_end = HEADER + 16;
}

static void add_tag(uint16_t type, uint16_t flags, unsigned words, const uint32_t *body)
{
    uint8_t *tag = elf.bytes + header2_end;

    put16(tag, type);
    put16(tag + 2, flags);
    put32(tag + 4, 8 + 4 * words);
    for (unsigned i = 0; i < words; i++) {
        put32(tag + 8 + 4 * i, body[i]);
    }
    header2_end += (8 + 4 * words + 7) & ~7u;
}

static void seal_header2(uint32_t architecture, uint32_t length)
{
    put32(elf.bytes + HEADER + 4, architecture);
    put32(elf.bytes + HEADER + 8, length);
    put32(elf.bytes + HEADER + 12, 0 - 0xe85250d6u - architecture - length);
}

static void end_header2(void)
{
    add_tag(0, 0, 0, NULL);
    seal_header2(0, (uint32_t)(header2_end - HEADER));
}

/* Address of the first information tag of that type, 0 if there is none. */
static uint64_t find_information(uint32_t type)
{
    const uint64_t end = LAYOUT_MULTIBOOT + guest32(LAYOUT_MULTIBOOT);

    for (uint64_t tag = LAYOUT_MULTIBOOT + 8; tag < end;
         tag += (guest32(tag + 4) + 7) & ~UINT64_C(7)) {
        if (guest32(tag) == type) {
            return tag;
        }
        assert_true(guest32(tag) != 0 || tag + 8 == end);
    }
    return 0;
}

static void test_multiboot2_elf(void **state)
{
    static const uint32_t request[] = {1, 2, 3, 4, 6, 9, 14, 15};
    uint8_t rsdp[36] = "RSD PTR ";

    (void)state;
    rsdp[15] = 2;
    rsdp[35] = 0x99;
    for (unsigned i = 0; i < 2; i++) {
        build_elf(i == 1);
        begin_header2();
        add_tag(1, 0, 8, request);
        add_tag(6, 0, 0, NULL);
        add_tag(4, 0, 1, (const uint32_t[]){2});
        add_tag(5, 1, 3, (const uint32_t[]){80, 25, 0});
        add_tag(7, 0, 0, NULL);
        add_tag(9, 0, 1, (const uint32_t[]){0x100000});
        add_tag(77, 1, 1, (const uint32_t[]){0});
        end_header2();
        test_memory_create(16);
        assert_int_equal(guest_memory_write(&test_memory, LAYOUT_RSDP, rsdp, sizeof(rsdp)), 0);
        assert_int_equal(load_elf(), 0);
        assert_string_equal(test_reason, "");
        assert_protected_state(0x100010);
        assert_int_equal(test_state.gpr[GPR_RAX], 0x36d76289);
        assert_int_equal(test_state.gpr[GPR_RBX], LAYOUT_MULTIBOOT);

        assert_string_equal(guest_string(find_information(1) + 8), "one two");
        assert_int_equal(guest32(find_information(1) + 4), 16);
        assert_string_equal(guest_string(find_information(2) + 8), "Innkeeper");
        const uint64_t module = find_information(3);
        assert_int_equal(guest32(module + 8), 0x102000);
        assert_int_equal(guest32(module + 12), 0x102000 + 5000);
        assert_string_equal(guest_string(module + 16), "first x=1");
        const uint64_t second = (module + guest32(module + 4) + 7) & ~UINT64_C(7);
        assert_int_equal(guest32(second), 3);
        assert_int_equal(guest32(second + 4), 17);
        assert_int_equal(guest32(second + 8), 0x104000);
        assert_int_equal(guest32(find_information(4) + 8), 639);
        assert_int_equal(guest32(find_information(4) + 12), 15 * 1024);
        const uint64_t map = find_information(6);
        assert_int_equal(guest32(map + 4), 16 + 6 * 24);
        assert_int_equal(guest32(map + 8), 24);
        assert_int_equal(guest32(map + 12), 0);
        assert_int_equal(guest64(map + 16 + 3 * 24), MIB);
        assert_int_equal(guest64(map + 24 + 3 * 24), 15 * MIB);
        assert_int_equal(guest32(map + 32 + 3 * 24), 1);
        const uint64_t sections = find_information(9);
        const uint64_t size = i == 1 ? 64 : 40;
        const uint64_t address = i == 1 ? 16 : 12;
        assert_int_equal(guest32(sections + 4), 20 + 4 * size);
        assert_int_equal(guest32(sections + 8), 4);
        assert_int_equal(guest32(sections + 12), size);
        assert_int_equal(guest32(sections + 16), 3);
        assert_int_equal(guest32(sections + 20 + size + address), 0x100000);
        assert_guest_bytes(guest32(sections + 20 + 3 * size + address), "\0.text\0.shstrtab", 17);
        assert_int_equal(guest32(find_information(14) + 4), 28);
        assert_guest_bytes(find_information(14) + 8, rsdp, 20);
        assert_int_equal(guest32(find_information(15) + 4), 44);
        assert_guest_bytes(find_information(15) + 8, rsdp, 36);
        assert_int_equal(find_information(21), 0);
        /* It ends with the end tag. */
        const uint64_t end = LAYOUT_MULTIBOOT + guest32(LAYOUT_MULTIBOOT);
        assert_int_equal(guest64(end - 8), UINT64_C(8) << 32);
    }
}

static void test_multiboot2_addresses(void **state)
{
    (void)state;
    build_elf(false);
    begin_header2();
    add_tag(2, 0, 4, (const uint32_t[]){0x300000, 0x300000, 0x300100, 0x302000});
    add_tag(3, 0, 1, (const uint32_t[]){0x300080});
    end_header2();
    test_memory_create(16);
    assert_int_equal(load_elf(), 0);
    assert_protected_state(0x300080);
    assert_guest_bytes(0x300000, elf.bytes + HEADER, 0x100);
    assert_int_equal(guest32(find_information(3) + 8), 0x302000);
    assert_int_equal(find_information(9), 0);
    assert_int_equal(find_information(14), 0); /* no ACPI tables in this VM */
}

static void load_relocatable(uint32_t min, uint32_t max, uint32_t align, uint32_t preference)
{
    build_elf(true);
    begin_header2();
    add_tag(10, 0, 4, (const uint32_t[]){min, max, align, preference});
    end_header2();
    test_memory_create(16);
    assert_int_equal(load_elf(), 0);
}

static void assert_loaded_at(uint64_t address)
{
    assert_int_equal(guest32(find_information(21) + 8), address);
    assert_guest_bytes(address, elf.bytes + 0x1000, 0x200);
    assert_protected_state((uint32_t)address + 0x10);
    assert_int_equal(guest32(find_information(3) + 8), (address + 0x1234 + 0xfff) & ~0xfffu);
}

static void test_multiboot2_relocatable(void **state)
{
    (void)state;
    load_relocatable(0, 0xffffffff, 0x1000, 0);
    assert_loaded_at(0x100000);
    load_relocatable(0x200001, 0xffffffff, 0x200000, 0);
    assert_loaded_at(0x400000);
    load_relocatable(0x200000, 0xffffffff, 1, 1);
    assert_loaded_at(0x200000);
    load_relocatable(0x200000, 0x7fffff, 0x1000, 2);
    assert_loaded_at(0x7fe000);
    load_relocatable(0, 0xffffffff, 0x1000, 2);
    /* Room for the modules, for sections and for alignment stays above. */
    assert_loaded_at((16 * MIB - 0x3000 - elf.size - 0x1000 - 0x1234) & ~UINT64_C(0xfff));

    build_elf(true);
    begin_header2();
    add_tag(10, 0, 4, (const uint32_t[]){0x200000, 0x201232, 1, 0});
    end_header2();
    assert_refused(-ENOMEM, "hello.elf: no room for its 4660 bytes from 0x200000 to 0x201232");
    begin_header2();
    add_tag(10, 0, 4, (const uint32_t[]){0x200000, 0x301232, 3, 0});
    end_header2();
    assert_refused(-ENOEXEC, "hello.elf: its alignment 0x3 is no power of two");
    test_memory_create(2);
    begin_header2();
    add_tag(10, 0, 4, (const uint32_t[]){0x300000, 0xffffffff, 1, 2});
    end_header2();
    assert_int_equal(load_elf(), -ENOMEM);
}

static void assert_tag_refused(uint16_t type, unsigned words, const uint32_t *body, int error,
                               const char *reason)
{
    build_elf(false);
    begin_header2();
    add_tag(type, 0, words, body);
    end_header2();
    assert_refused(error, reason);
}

static void test_multiboot2_refusals(void **state)
{
    (void)state;
    assert_tag_refused(1, 2, (const uint32_t[]){1, 8}, -ENOTSUP,
                       "hello.elf: requires a framebuffer, which is not offered");
    assert_tag_refused(1, 1, (const uint32_t[]){12}, -ENOTSUP,
                       "hello.elf: requires the 64-bit EFI system table, which is not offered");
    assert_tag_refused(1, 1, (const uint32_t[]){99}, -ENOTSUP,
                       "hello.elf: requires information of unknown type 99");
    assert_tag_refused(4, 1, (const uint32_t[]){1}, -ENOTSUP,
                       "hello.elf: requires a text console, there is no screen");
    assert_tag_refused(5, 3, (const uint32_t[]){0, 0, 0}, -ENOTSUP,
                       "hello.elf: requires a framebuffer, there is no screen");
    assert_tag_refused(57, 0, NULL, -ENOTSUP, "hello.elf: requires unknown header tag 57");
    assert_tag_refused(2, 3, (const uint32_t[]){0, 0, 0}, -ENOEXEC,
                       "hello.elf: its header tag 2 is too short (20 bytes)");
    assert_tag_refused(3, 0, NULL, -ENOEXEC, "hello.elf: its header tag 3 is too short (8 bytes)");
    assert_tag_refused(10, 1, (const uint32_t[]){0}, -ENOEXEC,
                       "hello.elf: its header tag 10 is too short (12 bytes)");
    assert_tag_refused(2, 4, (const uint32_t[]){0x300000, 0x300000, 0, 0}, -ENOEXEC,
                       "hello.elf: its header gives load addresses, but no entry address");
    seal_header2(4, 16);
    assert_refused(-ENOTSUP, "hello.elf: its multiboot2 header is for architecture 4, not for x86");
    seal_header2(0, 0x700);
    assert_refused(-ENOEXEC, "hello.elf: truncated: its multiboot2 header promises 1792 bytes, the "
                             "module has 1553");
    seal_header2(0, 8);
    assert_refused(-ENOEXEC, "hello.elf: truncated: its multiboot2 header promises 8 bytes, the "
                             "module has 1553");
    begin_header2();
    add_tag(6, 0, 0, NULL);
    end_header2();
    put32(elf.bytes + HEADER + 16 + 4, 17);
    assert_refused(-ENOEXEC, "hello.elf: its header tag at 4112 does not lie in the header");
    put32(elf.bytes + HEADER + 16 + 4, 7);
    assert_refused(-ENOEXEC, "hello.elf: its header tag at 4112 does not lie in the header");
}

/* With both headers the newer one counts. */
static void test_both_headers(void **state)
{
    (void)state;
    build_elf(false);
    begin_header2();
    end_header2();
    put32(elf.bytes + HEADER + 0x100, 0x1badb002);
    put32(elf.bytes + HEADER + 0x104, 0);
    put32(elf.bytes + HEADER + 0x108, 0 - 0x1badb002u);
    test_memory_create(16);
    assert_int_equal(load_elf(), 0);
    assert_int_equal(test_state.gpr[GPR_RAX], 0x36d76289);
}

/* What the guest is to be told does not fit under the EBDA. */
static void test_information_too_long(void **state)
{
    static char cmdline[0x20000];

    (void)state;
    build_elf(false);
    memset(cmdline, 'x', sizeof(cmdline) - 1);
    for (unsigned version = 1; version <= 2; version++) {
        if (version == 1) {
            put_header1(0);
        } else {
            begin_header2();
            end_header2();
        }
        struct multiboot_boot boot = {.image = test_image("hello.elf", elf.bytes, elf.size),
                                      .cmdline = cmdline};
        test_memory_create(16);
        assert_int_equal(
            load_multiboot(&test_memory, &boot, &test_state, test_reason, sizeof(test_reason)),
            -ENOMEM);
        assert_string_equal(test_reason,
                            "hello.elf: what it is to be told is too long for base memory");
        test_image_free(&boot.image);
    }
}

/* An image cut anywhere, or with any byte of its headers changed: never a crash. */
static void test_mutations(void **state)
{
    static const uint8_t values[] = {0, 1, 9, 0x7f, 0x80, 0xff};

    (void)state;
    test_memory_create(16);
    for (unsigned kind = 0; kind < 4; kind++) {
        build_elf((kind & 1) != 0);
        if (kind < 2) {
            put_header1(3);
        } else {
            begin_header2();
            add_tag(1, 0, 2, (const uint32_t[]){1, 2});
            add_tag(3, 0, 1, (const uint32_t[]){0x100020});
            add_tag(10, 0, 4, (const uint32_t[]){0x100000, 0xffffff, 1, kind & 1});
            end_header2();
        }
        for (size_t size = 0; size < elf.size; size++) {
            assert_int_not_equal(load(elf.bytes, size), 0);
        }
        for (size_t at = 0; at < 0x1500; at++) {
            const uint8_t old = elf.bytes[at];
            for (unsigned i = 0; i < sizeof(values) && (at < 0x80 || at >= HEADER); i++) {
                elf.bytes[at] = values[i];
                (void)load_elf();
            }
            elf.bytes[at] = old;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_multiboot1_elf, test_memory_destroy),
        cmocka_unit_test_teardown(test_multiboot1_addresses, test_memory_destroy),
        cmocka_unit_test_teardown(test_multiboot1_refusals, test_memory_destroy),
        cmocka_unit_test_teardown(test_memory_shortage, test_memory_destroy),
        cmocka_unit_test_teardown(test_multiboot2_elf, test_memory_destroy),
        cmocka_unit_test_teardown(test_multiboot2_addresses, test_memory_destroy),
        cmocka_unit_test_teardown(test_multiboot2_relocatable, test_memory_destroy),
        cmocka_unit_test_teardown(test_multiboot2_refusals, test_memory_destroy),
        cmocka_unit_test_teardown(test_both_headers, test_memory_destroy),
        cmocka_unit_test_teardown(test_information_too_long, test_memory_destroy),
        cmocka_unit_test_teardown(test_mutations, test_memory_destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
