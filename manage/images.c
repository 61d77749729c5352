#include "manage/images.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/boot/boot_info.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"

static struct image *images[MACHINE_IMAGES_MAX];
static unsigned count;

static bool is_name(const char *name)
{
    size_t length = strnlen(name, DESCRIPTION_MODULE_NAME_SIZE);

    if (length == 0 || length == DESCRIPTION_MODULE_NAME_SIZE) {
        return false;
    }
    for (const char *c = name; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || *c == '/' || *c == 0x7f) {
            return false;
        }
    }
    return true;
}

static int refuse_name(char *reason, size_t size)
{
    snprintf(reason, size,
             "this is no image's name: up to %u characters without spaces and slashes",
             DESCRIPTION_MODULE_NAME_SIZE - 1u);
    return -EINVAL;
}

static int refuse_module(char *reason, size_t size)
{
    snprintf(reason, size, "a boot module has that name, and cannot be replaced");
    return -EEXIST;
}

int images_check_name(const char *name, char *reason, size_t size)
{
    if (!is_name(name)) {
        return refuse_name(reason, size);
    }
    return boot_module_find(name) ? refuse_module(reason, size) : 0;
}

/* Bytes that uploads may still have. */
static uint64_t room(void)
{
    uint64_t reserve = frames_total() * FRAME_SIZE / IMAGES_RESERVE_SHARE;
    uint64_t available = frames_free() * FRAME_SIZE;

    if (reserve < IMAGES_RESERVE_MIN) {
        reserve = IMAGES_RESERVE_MIN;
    }
    return available > reserve ? available - reserve : 0;
}

static int refuse_size(uint64_t wanted, char *reason, size_t size)
{
    snprintf(reason, size, "no memory: %lu more bytes are wanted, %lu are left for images", wanted,
             room());
    return -ENOSPC;
}

/* Memory for `more` bytes beyond what there is. */
static int reserve(struct image *image, uint64_t more, char *reason, size_t size)
{
    while (image->window.size - image->size < more) {
        uint64_t missing = more - (image->window.size - image->size);
        int error;

        if (image->expected == UINT64_MAX) {
            missing = WINDOW_BLOCK; /* more will follow */
        }
        if (room() < (missing < WINDOW_BLOCK ? missing : WINDOW_BLOCK)) {
            return refuse_size(missing, reason, size);
        }
        error = window_grow(&image->window, missing);
        if (error) {
            snprintf(reason, size, "no memory for the image");
            return error;
        }
    }
    return 0;
}

int image_begin(const char *name, enum machine_image_source source, uint64_t length,
                struct image **image, char *reason, size_t size)
{
    struct image *made;
    int error;

    if (!is_name(name)) {
        return refuse_name(reason, size);
    }
    if (length == 0) {
        snprintf(reason, size, "the image is empty");
        return -EINVAL;
    }
    if (length != UINT64_MAX && length > room()) {
        return refuse_size(length, reason, size);
    }
    made = kzalloc(sizeof(*made));
    if (!made) {
        snprintf(reason, size, "no memory for the image");
        return -ENOMEM;
    }
    error = window_open(&made->window);
    if (error) {
        snprintf(reason, size, "there are as many images as there can be");
        kfree(made);
        return error;
    }
    memcpy(made->name, name, strlen(name) + 1);
    made->source = source;
    made->data = made->window.base;
    made->expected = length;
    made->holders = 1;
    /* What was announced is there in any case. */
    error = length == UINT64_MAX ? 0 : reserve(made, length, reason, size);
    if (error) {
        image_drop(made);
        return error;
    }
    *image = made;
    return 0;
}

int image_append(struct image *image, const void *bytes, size_t length, char *reason, size_t size)
{
    int error;

    if (image->expected != UINT64_MAX && length > image->expected - image->size) {
        snprintf(reason, size, "more than the %lu bytes that were announced", image->expected);
        return -EINVAL;
    }
    error = reserve(image, length, reason, size);
    if (!error) {
        memcpy(image->window.base + image->size, bytes, length);
        image->size += length;
    }
    return error;
}

bool image_is_complete(const struct image *image, char *reason, size_t size)
{
    if (image->expected != UINT64_MAX && image->size < image->expected) {
        snprintf(reason, size, "only %lu of %lu bytes came", image->size, image->expected);
        return false;
    }
    if (image->size == 0) {
        snprintf(reason, size, "the image is empty");
        return false;
    }
    return true;
}

void image_drop(struct image *image)
{
    if (--image->holders == 0) {
        window_close(&image->window);
        kfree(image);
    }
}

/* Index in the table, `count` if it is not there. */
static unsigned find(const char *name)
{
    unsigned i = 0;

    while (i < count && strcmp(images[i]->name, name) != 0) {
        i++;
    }
    return i;
}

int images_add(struct image *image, char *reason, size_t size)
{
    unsigned index = find(image->name);

    if (boot_module_find(image->name)) {
        return refuse_module(reason, size);
    }
    if (index == MACHINE_IMAGES_MAX) {
        snprintf(reason, size, "there are as many images as there can be");
        return -ENOSPC;
    }
    if (index < count) {
        image_drop(images[index]);
    } else {
        count++;
    }
    image->holders++;
    images[index] = image;
    return 0;
}

int images_remove(const char *name, char *reason, size_t size)
{
    unsigned index = find(name);
    struct image *image;

    if (index == count) {
        bool module = boot_module_find(name) != NULL;

        snprintf(reason, size, "%s",
                 module ? "it is a boot module: these stay" : "there is no image of that name");
        return module ? -EBUSY : -ENOENT;
    }
    image = images[index];
    for (count--; index < count; index++) {
        images[index] = images[index + 1];
    }
    image_drop(image);
    return 0;
}

bool images_get(unsigned index, struct machine_image *out)
{
    const struct boot_info *boot = boot_info();

    *out = (struct machine_image){.source = MACHINE_IMAGE_MODULE};
    if (index < boot->module_count) {
        snprintf(out->name, sizeof(out->name), "%s", boot->modules[index].name);
        out->size = boot->modules[index].size;
        return true;
    }
    index -= boot->module_count;
    if (index >= count) {
        return false;
    }
    memcpy(out->name, images[index]->name, sizeof(out->name));
    out->size = images[index]->size;
    out->source = images[index]->source;
    return true;
}

int images_use(const char *name, struct image_use *use)
{
    const struct boot_module *module = boot_module_find(name);
    unsigned index = find(name);

    *use = (struct image_use){0};
    if (module) {
        use->file.data = module->data;
        use->file.size = module->size;
        return 0;
    }
    if (index == count) {
        return -ENOENT;
    }
    use->image = images[index];
    use->image->holders++;
    use->file.data = use->image->data;
    use->file.size = use->image->size;
    return 0;
}

void image_use_end(struct image_use *use)
{
    if (use->image) {
        image_drop(use->image);
    }
}
