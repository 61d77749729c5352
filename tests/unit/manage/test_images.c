/* manage/images.c and manage/image_set.c over windows that the host's heap makes. */
#include "manage/images.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/boot/boot_info.h"
#include "kernel/memory/frames.h"
#include "tests/unit/support/cmocka.h"

#define MIB   (UINT64_C(1) << 20)
#define SPACE (64 * MIB)

static struct boot_info boot;
static struct boot_module *const module = &boot.modules[0];
static uint64_t free_bytes;
static unsigned windows;
static unsigned fail_after = UINT32_MAX; /* blocks */

const struct boot_info *boot_info(void)
{
    return &boot;
}

const struct boot_module *boot_module_find(const char *name)
{
    return strcmp(name, module->name) == 0 ? module : NULL;
}

uint64_t frames_free(void)
{
    return free_bytes / FRAME_SIZE;
}

uint64_t frames_total(void)
{
    return 512 * MIB / FRAME_SIZE;
}

/* All addresses at once; what is beyond the size is poisoned by being nobody's business. */
int window_open(struct window *window)
{
    *window = (struct window){.base = malloc(SPACE)};
    assert_non_null(window->base);
    windows++;
    return 0;
}

int window_grow(struct window *window, uint64_t wanted)
{
    uint64_t size = wanted < WINDOW_BLOCK ? (wanted + 4095) / 4096 * 4096 : WINDOW_BLOCK;

    assert_int_equal(window->size % WINDOW_BLOCK, 0);
    assert_true(window->size + size <= SPACE);
    if (fail_after == 0) {
        return -ENOMEM;
    }
    fail_after--;
    window->size += size;
    window->count++;
    assert_true(free_bytes >= size);
    free_bytes -= size;
    return 0;
}

void window_close(struct window *window)
{
    free_bytes += window->size;
    free(window->base);
    windows--;
}

static char reason[MACHINE_REASON_SIZE];
static uint64_t free_before;

static int set_up(void **state)
{
    static const char text[] = "a module";

    (void)state;
    boot.module_count = 1;
    *module = (struct boot_module){.name = "module", .size = sizeof(text), .data = text};
    free_bytes = 256 * MIB;
    free_before = free_bytes;
    fail_after = UINT32_MAX;
    reason[0] = '\0';
    return 0;
}

/* Nothing is left behind. */
static int tear_down(void **state)
{
    struct machine_image image;

    (void)state;
    while (images_get(1, &image)) {
        assert_int_equal(images_remove(image.name, reason, sizeof(reason)), 0);
    }
    assert_int_equal(windows, 0);
    assert_int_equal(free_bytes, free_before);
    return 0;
}

static struct image *begin(const char *name, uint64_t length)
{
    struct image *image = NULL;

    assert_int_equal(
        image_begin(name, MACHINE_IMAGE_UPLOADED, length, &image, reason, sizeof(reason)), 0);
    return image;
}

static void append(struct image *image, const void *bytes, size_t length)
{
    assert_int_equal(image_append(image, bytes, length, reason, sizeof(reason)), 0);
}

/* An image of that text, for others to find. */
static void add(const char *name, const char *text)
{
    struct image *image = begin(name, strlen(text));

    append(image, text, strlen(text));
    assert_true(image_is_complete(image, reason, sizeof(reason)));
    assert_int_equal(images_add(image, reason, sizeof(reason)), 0);
    image_drop(image);
}

static void what_was_uploaded_is_found(void **state)
{
    struct machine_image image;
    struct image_use use;

    (void)state;
    add("kernel", "text");
    assert_true(images_get(0, &image));
    assert_string_equal(image.name, "module");
    assert_int_equal(image.source, MACHINE_IMAGE_MODULE);
    assert_true(images_get(1, &image));
    assert_string_equal(image.name, "kernel");
    assert_int_equal(image.size, 4);
    assert_int_equal(image.source, MACHINE_IMAGE_UPLOADED);
    assert_false(images_get(2, &image));
    assert_int_equal(images_use("kernel", &use), 0);
    assert_int_equal(use.file.size, 4);
    assert_memory_equal(use.file.data, "text", 4);
    image_use_end(&use);
    assert_int_equal(images_use("module", &use), 0);
    assert_ptr_equal(use.file.data, module->data);
    image_use_end(&use);
    assert_int_equal(images_use("kern", &use), -ENOENT);
}

/* The bytes of an image of a size that is no round number, in pieces that are none either. */
static void check_bytes(uint64_t announced)
{
    enum { LENGTH = 5 * 1024 * 1024 + 12345, PIECE = 70001 };
    uint8_t *bytes = malloc(LENGTH);
    struct image *image = begin("large", announced);
    uint64_t most = (LENGTH + 2 * MIB - 1) / (2 * MIB) * 2 * MIB;

    assert_non_null(bytes);
    for (size_t i = 0; i < LENGTH; i++) {
        bytes[i] = (uint8_t)(i * 7919 >> 3);
    }
    for (size_t at = 0; at < LENGTH; at += PIECE) {
        append(image, bytes + at, LENGTH - at < PIECE ? LENGTH - at : PIECE);
    }
    assert_true(image_is_complete(image, reason, sizeof(reason)));
    assert_int_equal(image->size, LENGTH);
    assert_memory_equal(image->data, bytes, LENGTH);
    assert_true(image->window.size <= most);
    image_drop(image);
    free(bytes);
}

static void large_images_keep_their_bytes(void **state)
{
    (void)state;
    check_bytes(5 * 1024 * 1024 + 12345);
    check_bytes(UINT64_MAX);
}

static void an_upload_that_breaks_off_leaves_nothing(void **state)
{
    struct image *image = begin("part", 10 * MIB);
    struct machine_image found;

    (void)state;
    append(image, "xyz", 3);
    assert_false(image_is_complete(image, reason, sizeof(reason)));
    assert_string_equal(reason, "only 3 of 10485760 bytes came");
    assert_false(images_get(1, &found));
    image_drop(image);
    assert_int_equal(free_bytes, free_before);
}

static void more_than_announced_is_refused(void **state)
{
    struct image *image = begin("short", 3);

    (void)state;
    append(image, "ab", 2);
    assert_int_equal(image_append(image, "cd", 2, reason, sizeof(reason)), -EINVAL);
    assert_string_equal(reason, "more than the 3 bytes that were announced");
    append(image, "c", 1);
    assert_true(image_is_complete(image, reason, sizeof(reason)));
    image_drop(image);
}

static void nothing_is_no_image(void **state)
{
    struct image *image = begin("chunked", UINT64_MAX);

    (void)state;
    assert_false(image_is_complete(image, reason, sizeof(reason)));
    image_drop(image);
    assert_int_equal(
        image_begin("empty", MACHINE_IMAGE_UPLOADED, 0, &image, reason, sizeof(reason)), -EINVAL);
    assert_string_equal(reason, "the image is empty");
}

static void names_are_checked(void **state)
{
    static const char *const wrong[] = {
        "",      "two words", "a/b",
        "tab\t", "del\x7f",   "0123456789012345678901234567890123456789012345678901234567890123"};
    struct image *image;

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(
            image_begin(wrong[i], MACHINE_IMAGE_UPLOADED, 1, &image, reason, sizeof(reason)),
            -EINVAL);
    }
    image_drop(begin("012345678901234567890123456789012345678901234567890123456789012", 1));
}

/* 64 MiB stay free, or an eighth of RAM: here that is the same. */
static void what_vms_need_is_left_alone(void **state)
{
    struct image *image;
    char block[4096] = {0};
    int error = 0;

    (void)state;
    free_bytes = 70 * MIB;
    assert_int_equal(
        image_begin("big", MACHINE_IMAGE_UPLOADED, 6 * MIB + 1, &image, reason, sizeof(reason)),
        -ENOSPC);
    assert_string_equal(reason,
                        "no memory: 6291457 more bytes are wanted, 6291456 are left for images");
    image_drop(begin("fits", 6 * MIB));
    image = begin("chunked", UINT64_MAX);
    while (!error) {
        error = image_append(image, block, sizeof(block), reason, sizeof(reason));
    }
    assert_int_equal(error, -ENOSPC);
    assert_true(free_bytes >= 64 * MIB);
    assert_int_equal(image->size, 6 * MIB);
    image_drop(image);
    free_bytes = 10 * MIB;
    assert_int_equal(
        image_begin("small", MACHINE_IMAGE_UPLOADED, 1, &image, reason, sizeof(reason)), -ENOSPC);
    free_bytes = free_before;
}

static void a_shortage_in_the_middle_gives_all_back(void **state)
{
    struct image *image;

    (void)state;
    fail_after = 2;
    assert_int_equal(
        image_begin("big", MACHINE_IMAGE_UPLOADED, 10 * MIB, &image, reason, sizeof(reason)),
        -ENOMEM);
    assert_int_equal(free_bytes, free_before);
}

static void an_image_in_use_outlives_its_name(void **state)
{
    struct image_use use;
    struct image_use again;

    (void)state;
    add("kernel", "first");
    assert_int_equal(images_use("kernel", &use), 0);
    add("kernel", "other");
    assert_memory_equal(use.file.data, "first", 5);
    assert_int_equal(images_use("kernel", &again), 0);
    assert_memory_equal(again.file.data, "other", 5);
    assert_int_equal(images_remove("kernel", reason, sizeof(reason)), 0);
    assert_int_equal(windows, 2);
    assert_memory_equal(again.file.data, "other", 5);
    image_use_end(&use);
    image_use_end(&again);
    assert_int_equal(windows, 0);
    assert_int_equal(images_remove("kernel", reason, sizeof(reason)), -ENOENT);
}

static void boot_modules_stay(void **state)
{
    struct image *image = begin("module", 1);

    (void)state;
    append(image, "x", 1);
    assert_int_equal(images_add(image, reason, sizeof(reason)), -EEXIST);
    image_drop(image);
    assert_int_equal(images_remove("module", reason, sizeof(reason)), -EBUSY);
}

static void there_are_not_more_than_there_is_room_for(void **state)
{
    struct image *image;
    char name[16];

    (void)state;
    for (unsigned i = 0; i < MACHINE_IMAGES_MAX; i++) {
        snprintf(name, sizeof(name), "i%u", i);
        add(name, "x");
    }
    image = begin("more", 1);
    append(image, "x", 1);
    assert_int_equal(images_add(image, reason, sizeof(reason)), -ENOSPC);
    image_drop(image);
    add("i7", "another"); /* in the place of the first of that name */
}

static void a_set_holds_all_that_is_described(void **state)
{
    struct vm_description description = {.boot = BOOT_KIND_MULTIBOOT, .image = "kernel"};
    struct image_set set;

    (void)state;
    add("kernel", "k");
    add("data", "d");
    description.module_count = 2;
    strcpy(description.modules[0].name, "module");
    strcpy(description.modules[1].name, "data");
    assert_int_equal(image_set_take(&set, &description, false, reason, sizeof(reason)), 0);
    assert_int_equal(images_remove("data", reason, sizeof(reason)), 0);
    assert_string_equal(set.images.image.name, "kernel");
    assert_memory_equal(set.images.modules[1].data, "d", 1);
    assert_ptr_equal(set.images.modules[0].data, module->data);
    image_set_drop(&set);
    /* Now one of them is missing, and what was held by then is not any more. */
    assert_int_equal(image_set_take(&set, &description, false, reason, sizeof(reason)), -ENOENT);
    assert_string_equal(reason, "data: there is no image of that name");
}

static void an_initrd_belongs_to_a_linux(void **state)
{
    struct vm_description description = {
        .boot = BOOT_KIND_LINUX, .image = "module", .initrd = "initrd"};
    struct image_set set;

    (void)state;
    add("initrd", "i");
    assert_int_equal(image_set_take(&set, &description, false, reason, sizeof(reason)), 0);
    assert_memory_equal(set.images.initrd.data, "i", 1);
    image_set_drop(&set);
    description.initrd[0] = '\0';
    assert_int_equal(image_set_take(&set, &description, false, reason, sizeof(reason)), 0);
    assert_null(set.images.initrd.data);
    image_set_drop(&set);
}

static void another_image_can_stand_for_a_missing_one(void **state)
{
    struct vm_description description = {
        .boot = BOOT_KIND_LINUX, .image = "missing", .initrd = "module"};
    struct image_set set;

    (void)state;
    assert_int_equal(image_set_take(&set, &description, false, reason, sizeof(reason)), -ENOENT);
    assert_int_equal(image_set_take(&set, &description, true, reason, sizeof(reason)), 0);
    assert_null(set.images.image.data);
    assert_string_equal(set.images.image.name, "missing");
    assert_ptr_equal(set.images.initrd.data, module->data);
    image_set_drop(&set);
    strcpy(description.initrd, "gone");
    assert_int_equal(image_set_take(&set, &description, true, reason, sizeof(reason)), -ENOENT);
    assert_string_equal(reason, "gone: there is no image of that name");
}

static void put(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void assert_kind(const uint8_t *bytes, size_t size, bool known, enum boot_kind kind)
{
    enum boot_kind told;

    assert_int_equal(image_kind(bytes, size, &told), known);
    assert_true(!known || told == kind);
}

static void kinds_are_told_by_content(void **state)
{
    static uint8_t bytes[40000];

    (void)state;
    assert_kind(bytes, 0, false, 0);
    assert_kind(bytes, sizeof(bytes), false, 0);
    memcpy(bytes + 0x202, "HdrS", 4);
    assert_kind(bytes, sizeof(bytes), true, BOOT_KIND_LINUX);
    assert_kind(bytes, 0x205, false, 0);
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, "\177ELF", 4);
    assert_kind(bytes, sizeof(bytes), true, BOOT_KIND_LINUX);
    put(bytes + 8188, 0x1badb002); /* its checksum is wrong */
    assert_kind(bytes, sizeof(bytes), true, BOOT_KIND_LINUX);
    put(bytes + 8188 - 8, 0x1badb002);
    put(bytes + 8188, 0 - 0x1badb002u);
    assert_kind(bytes, sizeof(bytes), true, BOOT_KIND_MULTIBOOT);
    memset(bytes, 0, sizeof(bytes));
    put(bytes + 8192, 0x1badb002); /* too far behind */
    put(bytes + 8200, 0 - 0x1badb002u);
    assert_kind(bytes, sizeof(bytes), false, 0);
    put(bytes + 32764, 0xe85250d6);
    put(bytes + 32768, 0);
    put(bytes + 32772, 24);
    put(bytes + 32776, 0 - (0xe85250d6u + 24));
    assert_kind(bytes, sizeof(bytes), true, BOOT_KIND_MULTIBOOT);
    assert_kind(bytes, 32779, false, 0); /* cut */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_uploaded_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_images_keep_their_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_upload_that_breaks_off_leaves_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(more_than_announced_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_no_image, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_vms_need_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shortage_in_the_middle_gives_all_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_image_in_use_outlives_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(boot_modules_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_are_not_more_than_there_is_room_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_set_holds_all_that_is_described, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_initrd_belongs_to_a_linux, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_image_can_stand_for_a_missing_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(kinds_are_told_by_content, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
