/*
 * Images that VMs are started from, by name: boot modules, and those that came over the network. An
 * image does not change. Whoever uses one holds it, so that it stays until nobody does, though it
 * may have been deleted or replaced meanwhile: a guest that resets is loaded anew.
 *
 * What came over the network is in windows (kernel/memory/window.h), and takes only what is left of
 * memory beyond a reserve.
 *
 * All by whoever has the VMs' lock (vms_lock), but for what happens to an image before images_add:
 * that is its maker's alone.
 */
#ifndef MANAGE_IMAGES_H
#define MANAGE_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/vm.h"
#include "kernel/memory/window.h"
#include "manage/machine.h"

/* Memory that uploads leave free: the larger of these. */
#define IMAGES_RESERVE_MIN   (UINT64_C(64) << 20)
#define IMAGES_RESERVE_SHARE 8u /* one in so many bytes of RAM */

struct image {
    char name[DESCRIPTION_MODULE_NAME_SIZE];
    enum machine_image_source source;
    const uint8_t *data; /* NULL: there is no such image */
    uint64_t size;
    uint64_t expected; /* the size that was announced, UINT64_MAX: none */
    unsigned holders;
    struct window window;
};

/* An image in use, or a boot module, which needs nobody to hold it. */
struct image_use {
    struct guest_image file; /* `name` is not set */
    struct image *image;     /* NULL: a boot module */
};

/** An empty image that its maker holds; `length` is what it will have, UINT64_MAX if that is not
 * known. 0; -EINVAL (no name, or length), -ENOMEM, -ENOSPC. `reason` says why. */
int image_begin(const char *name, enum machine_image_source source, uint64_t length,
                struct image **image, char *reason, size_t size);
/** Adds to its end. 0; -EINVAL (more than announced), -ENOMEM, -ENOSPC. */
int image_append(struct image *image, const void *bytes, size_t length, char *reason, size_t size);
/** True if it has all that was announced, and something. Else why not. */
bool image_is_complete(const struct image *image, char *reason, size_t size);
/** It is used by one less; gone if nobody is left. */
void image_drop(struct image *image);

/** Lets others find it, in place of one of that name; the caller still holds it too. 0; -EEXIST (a
 * boot module has that name), -ENOSPC. */
int images_add(struct image *image, char *reason, size_t size);
/** Whether an image of that name can be added: 0, -EINVAL or -EEXIST, and why not. */
int images_check_name(const char *name, char *reason, size_t size);
/** 0; -ENOENT, or -EBUSY for a boot module. */
int images_remove(const char *name, char *reason, size_t size);
/** Boot modules first; false past the last. `used_by` is not set. */
bool images_get(unsigned index, struct machine_image *image);
/** Finds the image of that name and holds it. 0 or -ENOENT. */
int images_use(const char *name, struct image_use *use);
void image_use_end(struct image_use *use);

/* All that a VM is started from. */
#define IMAGE_SET_MAX (DESCRIPTION_MODULES_MAX + 2u)

struct image_set {
    struct vm_images images;
    struct image_use uses[IMAGE_SET_MAX];
    unsigned count;
};

/** Finds and holds what a description names, which must last as long as the set. If something
 * else is going to be booted, the kernel or multiboot image need not be there. 0, or -ENOENT and
 * which is missing in `reason`; then nothing is held. */
int image_set_take(struct image_set *set, const struct vm_description *description,
                   bool boots_other, char *reason, size_t size);
void image_set_drop(struct image_set *set);
/** What kind of image these bytes are; false if that cannot be told. */
bool image_kind(const uint8_t *data, uint64_t size, enum boot_kind *kind);

#endif
