/* guest/loader: bzImage and PVH. The images are put together here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/layout.h"
#include "guest/loader/loader.h"
#include "kernel/cpu/x86_defs.h"
#include "tests/unit/loader/elf_builder.h"
#include "tests/unit/loader/loading_support.h"
#include "tests/unit/support/cmocka.h"

#define MIB        UINT64_C(0x100000)
#define SETUP_SIZE 0x400u /* boot sector and one setup sector */
#define CODE_SIZE  0x1000u

static uint8_t bz[SETUP_SIZE + CODE_SIZE];
static const uint8_t initrd[5000] = {1, 2, 3, [4999] = 9};

/* A kernel with boot protocol 2.15, 64-bit entry, to be loaded at 16 MiB, wanting 8 MiB. */
static void build_bzimage(void)
{
    memset(bz, 0, sizeof(bz));
    bz[0x1f1] = 1;
    put32(bz + 0x1f4, CODE_SIZE / 16);
    put16(bz + 0x1fe, 0xaa55);
    bz[0x200] = 0xeb;
    bz[0x201] = 0x268 - 0x202;
    memcpy(bz + 0x202, "HdrS", 4);
    put16(bz + 0x206, 0x20f);
    bz[0x211] = 1;                          /* loaded high */
    put32(bz + 0x22c, 0x7fffffff);          /* initrd_addr_max */
    put32(bz + 0x230, 0x200000);            /* kernel_alignment */
    bz[0x234] = 1;                          /* relocatable */
    put16(bz + 0x236, 1);                   /* 64-bit entry */
    put32(bz + 0x238, 2047);                /* cmdline_size */
    put64(bz + 0x258, 16 * MIB);            /* pref_address */
    put32(bz + 0x260, (uint32_t)(8 * MIB)); /* init_size */
    put32(bz + 0x268, 0xfeedface);          /* code that is no header any more */
    for (size_t i = 0; i < CODE_SIZE; i++) {
        bz[SETUP_SIZE + i] = (uint8_t)(i * 31 + 7);
    }
}

static int load(const void *kernel, size_t size, const void *ramdisk, size_t ramdisk_size,
                const char *cmdline)
{
    struct linux_boot boot = {.kernel = test_image("vmlinuz", kernel, size), .cmdline = cmdline};

    if (ramdisk != NULL) {
        boot.initrd = test_image("initrd", ramdisk, ramdisk_size);
    }
    int result = load_linux(&test_memory, &boot, &test_state, test_reason, sizeof(test_reason));
    test_image_free(&boot.kernel);
    test_image_free(&boot.initrd);
    return result;
}

static void assert_refused(const void *kernel, size_t size, int error, const char *reason)
{
    test_memory_create(64);
    int result = load(kernel, size, initrd, sizeof(initrd), "");
    assert_string_equal(test_reason, reason);
    assert_int_equal(result, error);
}

static void assert_bz_refused(int error, const char *reason)
{
    assert_refused(bz, sizeof(bz), error, reason);
    build_bzimage();
}

static void test_bzimage(void **state)
{
    (void)state;
    build_bzimage();
    test_memory_create(64);
    assert_int_equal(load(bz, sizeof(bz), initrd, sizeof(initrd), "console=ttyS0"), 0);
    assert_string_equal(test_reason, "");

    assert_guest_bytes(16 * MIB, bz + SETUP_SIZE, CODE_SIZE);
    assert_int_equal(guest64(16 * MIB + CODE_SIZE), 0);
    /* The zero page: the header as in the image, with our answers. */
    const uint64_t params = LAYOUT_LINUX_BOOT;
    assert_int_equal(guest32(params + 0x202), 0x53726448);
    assert_int_equal(guest32(params + 0x210) & 0xff, 0xff);
    assert_int_equal(guest32(params + 0x214), 16 * MIB);
    assert_int_equal(guest32(params + 0x218), (64 * MIB - 5000) & ~UINT64_C(0xfff));
    assert_int_equal(guest32(params + 0x21c), 5000);
    assert_int_equal(guest32(params + 0x228), LAYOUT_LINUX_CMDLINE);
    assert_int_equal(guest32(params + 0x260), 8 * MIB);
    assert_int_equal(guest32(params + 0x268), 0); /* only the header was copied */
    assert_int_equal(guest64(params + 0x70), LAYOUT_RSDP);
    assert_guest_bytes(guest32(params + 0x218), initrd, sizeof(initrd));
    assert_string_equal(guest_string(LAYOUT_LINUX_CMDLINE), "console=ttyS0");
    /* Memory map: 0-0x9fc00 first, RAM from 1 MiB to the end fourth. */
    assert_int_equal(guest32(params + 0x1e8) & 0xff, 6);
    assert_int_equal(guest64(params + 0x2d0), 0);
    assert_int_equal(guest64(params + 0x2d8), 0x9fc00);
    assert_int_equal(guest32(params + 0x2e0), 1);
    assert_int_equal(guest64(params + 0x2d0 + 60), MIB);
    assert_int_equal(guest64(params + 0x2d8 + 60), 63 * MIB);

    assert_int_equal(test_state.rip, 16 * MIB + 0x200);
    assert_int_equal(test_state.gpr[GPR_RSI], params);
    assert_int_equal(test_state.rflags, RFLAGS_FIXED1);
    assert_int_equal(test_state.cr0, CR0_PE | CR0_ET | CR0_PG);
    assert_int_equal(test_state.cr4, CR4_PAE);
    assert_int_equal(test_state.efer, EFER_LME | EFER_LMA);
    assert_int_equal(test_state.segments[SEGMENT_CS].selector, 0x10);
    assert_int_equal(test_state.segments[SEGMENT_CS].attributes, 0xa09b);
    assert_int_equal(test_state.segments[SEGMENT_DS].selector, 0x18);
    assert_int_equal(guest64(test_state.gdtr.base + 0x10), 0x00af9b000000ffff);
    /* The firmware's data area. */
    assert_int_equal(guest32(0x400), 0x3f8);
    assert_int_equal(guest32(0x40e) & 0xffff, 0x9fc0);
    assert_int_equal(guest32(0x413) & 0xffff, 639);
    assert_int_equal(guest32(0x9fc00) & 0xff, 1);
}

/* Walks the page tables like a CPU does. */
static void test_page_tables(void **state)
{
    (void)state;
    build_bzimage();
    test_memory_create(64);
    assert_int_equal(load(bz, sizeof(bz), NULL, 0, ""), 0);
    for (uint64_t address = 0x1234; address < UINT64_C(1) << 32; address += 511 * 0x1001 * 8) {
        uint64_t entry = guest64(test_state.cr3 + 8 * (address >> 39));
        assert_int_equal(entry & 0x81, 1);
        entry = guest64((entry & ~UINT64_C(0xfff)) + 8 * (address >> 30 & 511));
        assert_int_equal(entry & 0x81, 1);
        entry = guest64((entry & ~UINT64_C(0xfff)) + 8 * (address >> 21 & 511));
        assert_int_equal(entry & 0x83, 0x83);
        assert_int_equal(entry & ~UINT64_C(0x1fffff), address & ~UINT64_C(0x1fffff));
    }
    assert_int_equal(guest64(test_state.cr3 + 8), 0);
    assert_int_equal(guest32(LAYOUT_LINUX_BOOT + 0x218), 0); /* no initrd */
    assert_int_equal(guest32(LAYOUT_LINUX_BOOT + 0x21c), 0);
}

static void test_bzimage_32bit(void **state)
{
    (void)state;
    build_bzimage();
    put16(bz + 0x206, 0x20a);
    put16(bz + 0x236, 0);
    test_memory_create(64);
    assert_int_equal(load(bz, sizeof(bz), NULL, 0, ""), 0);
    assert_protected_state((uint32_t)(16 * MIB));
    assert_int_equal(test_state.gpr[GPR_RSI], LAYOUT_LINUX_BOOT);
}

static void test_bzimage_placement(void **state)
{
    (void)state;
    build_bzimage();
    put64(bz + 0x258, 17 * MIB); /* to be rounded up to the alignment */
    put32(bz + 0x22c, (uint32_t)(40 * MIB - 1));
    test_memory_create(64);
    assert_int_equal(load(bz, sizeof(bz), initrd, sizeof(initrd), ""), 0);
    assert_guest_bytes(18 * MIB, bz + SETUP_SIZE, CODE_SIZE);
    assert_int_equal(guest32(LAYOUT_LINUX_BOOT + 0x218), 40 * MIB - 0x2000);
    bz[0x234] = 0; /* not relocatable: at that very place */
    test_memory_create(64);
    assert_int_equal(load(bz, sizeof(bz), initrd, sizeof(initrd), ""), 0);
    assert_guest_bytes(17 * MIB, bz + SETUP_SIZE, CODE_SIZE);
}

static void test_bzimage_fit(void **state)
{
    (void)state;
    build_bzimage();
    test_memory_create(22);
    assert_int_equal(load(bz, sizeof(bz), NULL, 0, ""), -ENOMEM);
    assert_string_equal(test_reason, "vmlinuz: needs memory from 0x1000000 to 0x1800000, the VM's "
                                     "ends at 0x1600000");
    test_memory_create(24);
    assert_int_equal(load(bz, sizeof(bz), NULL, 0, ""), 0);
    test_memory_create(24);
    assert_int_equal(load(bz, sizeof(bz), initrd, 1, ""), -ENOMEM);
    assert_string_equal(test_reason, "initrd: 1 bytes do not fit between the kernel's end "
                                     "(0x1800000) and 0x1800000");
}

static void test_bzimage_refusals(void **state)
{
    char cmdline[2100];

    (void)state;
    build_bzimage();
    assert_refused(bz, sizeof(bz) - 1, -ENOEXEC,
                   "vmlinuz: truncated: the header promises 5120 bytes, the module has 5119");
    put16(bz + 0x1fe, 0);
    assert_bz_refused(-ENOEXEC, "vmlinuz: no boot flag 0xaa55 in its header");
    put16(bz + 0x206, 0x204);
    assert_bz_refused(-ENOTSUP,
                      "vmlinuz: too old: boot protocol 2.04, 2.10 is the oldest supported");
    bz[0x211] = 0;
    assert_bz_refused(-ENOTSUP, "vmlinuz: a zImage (wants to be loaded low)");
    put32(bz + 0x1f4, UINT32_MAX);
    assert_bz_refused(-ENOEXEC, "vmlinuz: truncated: the header promises 68719477744 bytes, the "
                                "module has 5120");
    put32(bz + 0x1f4, 1);
    assert_bz_refused(-ENOEXEC,
                      "vmlinuz: truncated: the header promises 1040 bytes, the module has 5120");
    put32(bz + 0x230, 0x3000);
    assert_bz_refused(-ENOEXEC, "vmlinuz: its alignment 0x3000 is no power of two");
    put64(bz + 0x258, UINT64_MAX);
    assert_bz_refused(-ENOEXEC, "vmlinuz: wants to be loaded at 0xffffffffffffffff, not in RAM");
    bz[0x234] = 0;
    put64(bz + 0x258, 0x10000);
    assert_bz_refused(-ENOEXEC, "vmlinuz: wants to be loaded at 0x10000, not in RAM");
    memset(cmdline, 'x', sizeof(cmdline));
    cmdline[2048] = '\0';
    test_memory_create(64);
    assert_int_equal(load(bz, sizeof(bz), NULL, 0, cmdline), -ENOTSUP);
    assert_string_equal(test_reason,
                        "vmlinuz: its command line may have 2047 characters, this one has 2048");
    assert_refused("#!/bin/sh", 9, -ENOEXEC,
                   "vmlinuz: no Linux kernel: neither a bzImage nor an ELF file");
    assert_refused("", 0, -ENOEXEC, "vmlinuz: no Linux kernel: neither a bzImage nor an ELF file");
}

static void test_bzimage_truncations(void **state)
{
    (void)state;
    build_bzimage();
    test_memory_create(64);
    for (size_t size = 0; size < sizeof(bz); size += size < SETUP_SIZE ? 1 : 61) {
        assert_int_equal(load(bz, size, NULL, 0, ""), -ENOEXEC);
        assert_memory_equal(test_reason, "vmlinuz: ", 9);
    }
}

static struct elf_builder elf;

/* An uncompressed kernel with its note: one segment at 16 MiB, linked high, with 4 KiB of bss. */
static void build_vmlinux(bool is64, unsigned entry_size)
{
    uint8_t *note = elf.bytes + 0x300;

    elf_begin(&elf, is64, 0x1000000);
    put32(note, 4); /* some other note first */
    put32(note + 4, 3);
    put32(note + 8, 7);
    memcpy(note + 12, "GNU", 4);
    note += 20;
    put32(note, 4);
    put32(note + 4, entry_size);
    put32(note + 8, 18);
    memcpy(note + 12, "Xen", 4);
    put64(note + 16, 0x1000010);
    elf_add_segment(&elf, 1, 0x1000, 0xffffffff81000000, 0x1000000, 0x800, 0x1800);
    elf_add_segment(&elf, 4, 0x300, 0, 0, 20 + 16 + entry_size, 0);
    memset(elf.bytes + 0x1000, 0x77, 0x800);
}

static void assert_elf_refused(int error, const char *reason)
{
    assert_refused(elf.bytes, elf.size, error, reason);
    build_vmlinux(true, 8);
}

static void test_pvh(void **state)
{
    static const struct {
        bool is64;
        unsigned entry_size;
    } kinds[] = {{true, 8}, {true, 4}, {false, 4}};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        build_vmlinux(kinds[i].is64, kinds[i].entry_size);
        test_memory_create(1024);
        assert_int_equal(load(elf.bytes, elf.size, initrd, sizeof(initrd), "console=ttyS0"), 0);
        assert_protected_state(0x1000010);
        assert_guest_bytes(0x1000000, elf.bytes + 0x1000, 0x800);
        assert_int_equal(guest64(0x1000800), 0);

        uint64_t info = test_state.gpr[GPR_RBX];
        assert_int_equal(info, LAYOUT_LINUX_BOOT);
        assert_int_equal(guest32(info), 0x336ec578);
        assert_int_equal(guest32(info + 4), 1);
        assert_int_equal(guest32(info + 8), 0);
        assert_int_equal(guest32(info + 12), 1);
        uint64_t module = guest64(info + 16);
        assert_string_equal(guest_string(guest64(info + 24)), "console=ttyS0");
        assert_int_equal(guest64(info + 32), LAYOUT_RSDP);
        uint64_t map = guest64(info + 40);
        assert_int_equal(guest32(info + 48), 6);
        assert_int_equal(guest64(module), (kinds[i].is64 ? 1024 * MIB : 0x38000000) - 0x2000);
        assert_int_equal(guest64(module + 8), sizeof(initrd));
        assert_guest_bytes(guest64(module), initrd, sizeof(initrd));
        assert_int_equal(guest64(map), 0);
        assert_int_equal(guest64(map + 8), 0x9fc00);
        assert_int_equal(guest32(map + 16), 1);
        assert_int_equal(guest64(map + 3 * 24), MIB);
        assert_int_equal(guest64(map + 3 * 24 + 8), 1023 * MIB);
    }
}

static void test_pvh_refusals(void **state)
{
    (void)state;
    build_vmlinux(true, 8);
    put32(elf.bytes + 0x314 + 8, 17);
    assert_elf_refused(-ENOTSUP, "vmlinuz: an ELF file without PVH entry note (Linux needs "
                                 "CONFIG_PVH)");
    memcpy(elf.bytes + 0x314 + 12, "NeX", 4);
    assert_elf_refused(-ENOTSUP, "vmlinuz: an ELF file without PVH entry note (Linux needs "
                                 "CONFIG_PVH)");
    put64(elf.bytes + 0x314 + 16, 0x1001800);
    assert_elf_refused(-ENOEXEC, "vmlinuz: its PVH entry point 0x1001800 is in no segment");
    put64(elf.bytes + 0x314 + 16, 0x101000010);
    assert_elf_refused(-ENOEXEC, "vmlinuz: its PVH entry point 0x101000010 is in no segment");
    elf.bytes[18] = 40;
    assert_elf_refused(-ENOEXEC, "vmlinuz: ELF file for machine 40, not for x86");
    elf.bytes[4] = 3;
    assert_elf_refused(-ENOEXEC, "vmlinuz: ELF file of unknown class 3");
    elf.bytes[16] = 1;
    assert_elf_refused(-ENOEXEC, "vmlinuz: ELF file of type 1 is no executable");
    put16(elf.bytes + 56, 0);
    assert_elf_refused(-ENOEXEC, "vmlinuz: ELF file has no program headers");
    put16(elf.bytes + 56, 65);
    assert_elf_refused(-ENOEXEC, "vmlinuz: ELF file has 65 program headers, over 64");
    put64(elf.bytes + 32, UINT64_MAX - 8);
    assert_elf_refused(-ENOEXEC, "vmlinuz: truncated: 2 program headers at 18446744073709551607 do "
                                 "not lie in its 6144 bytes");
    elf.size--;
    assert_elf_refused(-ENOEXEC, "vmlinuz: truncated: segment 0 promises 2048 bytes at 4096, the "
                                 "module has 6143");
    elf_add_segment(&elf, 1, 0x1000, 0, 0x10017ff, 1, 1);
    assert_elf_refused(-ENOEXEC, "vmlinuz: segments 0 and 2 overlap at 0x10017ff");
    elf_add_segment(&elf, 1, 0x1000, 0, 0x2000000, 2, 1);
    assert_elf_refused(-ENOEXEC, "vmlinuz: segment 2 has an impossible size (2 in the file, 1 in "
                                 "memory)");
    elf_add_segment(&elf, 1, 0x1000, 0, UINT64_MAX, 1, 2);
    assert_elf_refused(-ENOEXEC, "vmlinuz: segment 2 has an impossible size (1 in the file, 2 in "
                                 "memory)");
    elf_add_segment(&elf, 1, 0x1000, 0, 0x4000000, 1, 1);
    assert_elf_refused(-ENOMEM, "vmlinuz: a segment needs memory from 0x4000000 to 0x4000001, the "
                                "VM's ends at 0x4000000");
    elf_add_segment(&elf, 1, 0x1000, 0, 0x2ffff, 1, 1);
    assert_elf_refused(-ENOEXEC, "vmlinuz: a segment needs 0x2ffff to 0x30000; below 1 MiB only "
                                 "0x30000 to 0x9fc00 is free");
    elf_add_segment(&elf, 1, 0x1000, 0, 0x9fbff, 1, 2);
    assert_elf_refused(-ENOEXEC, "vmlinuz: a segment needs 0x9fbff to 0x9fc01; below 1 MiB only "
                                 "0x30000 to 0x9fc00 is free");
    elf_begin(&elf, true, 0);
    elf_add_segment(&elf, 1, 0x1000, 0, 0x1000000, 0, 0);
    assert_elf_refused(-ENOEXEC, "vmlinuz: ELF file has nothing to load");
}

static void test_pvh_truncations(void **state)
{
    (void)state;
    build_vmlinux(true, 8);
    test_memory_create(64);
    for (size_t size = 0; size < elf.size; size += size < 0x400 ? 1 : 61) {
        assert_int_equal(load(elf.bytes, size, NULL, 0, ""), -ENOEXEC);
    }
}

/* Any byte of the headers changed in any way: refused or loaded, never a crash. */
static void test_mutations(void **state)
{
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};

    (void)state;
    test_memory_create(64);
    for (unsigned i = 0; i < sizeof(values); i++) {
        for (size_t at = 0x1f1; at < 0x270; at++) {
            build_bzimage();
            bz[at] = values[i];
            (void)load(bz, sizeof(bz), initrd, sizeof(initrd), "x");
        }
        for (size_t at = 0; at < 0x340; at++) {
            build_vmlinux((at & 1) != 0, 4);
            elf.bytes[at] = values[i];
            (void)load(elf.bytes, elf.size, initrd, sizeof(initrd), "x");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_bzimage, test_memory_destroy),
        cmocka_unit_test_teardown(test_page_tables, test_memory_destroy),
        cmocka_unit_test_teardown(test_bzimage_32bit, test_memory_destroy),
        cmocka_unit_test_teardown(test_bzimage_placement, test_memory_destroy),
        cmocka_unit_test_teardown(test_bzimage_fit, test_memory_destroy),
        cmocka_unit_test_teardown(test_bzimage_refusals, test_memory_destroy),
        cmocka_unit_test_teardown(test_bzimage_truncations, test_memory_destroy),
        cmocka_unit_test_teardown(test_pvh, test_memory_destroy),
        cmocka_unit_test_teardown(test_pvh_refusals, test_memory_destroy),
        cmocka_unit_test_teardown(test_pvh_truncations, test_memory_destroy),
        cmocka_unit_test_teardown(test_mutations, test_memory_destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
