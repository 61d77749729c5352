/* Images as the table of functions shows them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/log.h"
#include "manage/events.h"
#include "manage/machine_parts.h"

static bool names(const struct vm_description *description, const char *image)
{
    if (strcmp(description->image, image) == 0 || strcmp(description->initrd, image) == 0) {
        return true;
    }
    for (unsigned i = 0; i < description->module_count; i++) {
        if (strcmp(description->modules[i].name, image) == 0) {
            return true;
        }
    }
    return false;
}

/* The index-th VM whose description names the image. */
static const struct managed_vm *user(const char *image, unsigned index)
{
    const struct managed_vm *vm;

    for (unsigned i = 0; (vm = vms_get(i)) != NULL; i++) {
        if (names(&vm->description, image) && index-- == 0) {
            return vm;
        }
    }
    return NULL;
}

static void count_users(struct machine_image *image)
{
    while (user(image->name, image->used_by)) {
        image->used_by++;
    }
}

bool machine_get_image(unsigned index, struct machine_image *image)
{
    bool found;

    vms_lock();
    found = images_get(index, image);
    if (found) {
        count_users(image);
    }
    vms_unlock();
    return found;
}

bool machine_get_image_by_name(const char *name, struct machine_image *image)
{
    bool found = false;

    vms_lock();
    for (unsigned i = 0; !found && images_get(i, image); i++) {
        found = strcmp(image->name, name) == 0;
    }
    if (found) {
        count_users(image);
    }
    vms_unlock();
    return found;
}

int machine_delete_image(const char *name, char *reason, size_t size)
{
    const struct managed_vm *vm;
    int error;

    vms_lock();
    vm = user(name, 0);
    if (vm) {
        snprintf(reason, size, "image %s: the description of VM %s names it", name,
                 vm->description.name);
        error = -EBUSY;
    } else {
        error = images_remove(name, reason, size);
    }
    if (!error) {
        log_info("image %s: deleted", name);
        events_post(MACHINE_EVENT_IMAGE, name, "deleted");
    }
    vms_unlock();
    return error;
}

int machine_image_begin(const char *name, uint64_t length, void **upload, char *reason, size_t size)
{
    struct image *image;
    int error = images_check_name(name, reason, size); /* before all of it has come */

    if (!error) {
        error = image_begin(name, MACHINE_IMAGE_UPLOADED, length, &image, reason, size);
    }
    if (!error) {
        *upload = image;
    }
    return error;
}

int machine_image_data(void *upload, const void *bytes, size_t length, char *reason, size_t size)
{
    return image_append(upload, bytes, length, reason, size);
}

int machine_image_end(void *upload, bool complete, char *reason, size_t size)
{
    struct image *image = upload;
    int error = 0;

    vms_lock();
    if (complete) {
        error = image_is_complete(image, reason, size) ? images_add(image, reason, size) : -EINVAL;
        if (!error) {
            log_info("image %s: %lu bytes uploaded", image->name, image->size);
            events_post(MACHINE_EVENT_IMAGE, image->name, "uploaded");
        }
    }
    image_drop(image);
    vms_unlock();
    return error;
}
