#include "guest/loader/loading.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "guest/layout.h"

int loading_refuse(const struct loading *loading, int error, const struct guest_image *image,
                   const char *format, ...)
{
    int used = snprintf(loading->reason, loading->reason_size, "%s: ", image->name);

    if (used >= 0 && (size_t)used < loading->reason_size) {
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(loading->reason + used, loading->reason_size - (size_t)used, format, arguments);
        va_end(arguments);
    }
    return error;
}

bool image_has(const struct guest_image *image, uint64_t offset, uint64_t length)
{
    return offset <= image->size && length <= image->size - offset;
}

bool image_read(const struct guest_image *image, uint64_t offset, void *to, size_t length)
{
    if (!image_has(image, offset, length)) {
        return false;
    }
    memcpy(to, (const uint8_t *)image->data + offset, length);
    return true;
}

int image_copy(const struct loading *loading, const struct guest_image *image, uint64_t offset,
               uint64_t length, uint64_t guest_phys)
{
    if (guest_memory_write(loading->memory, guest_phys, (const uint8_t *)image->data + offset,
                           length) != 0) {
        return loading_refuse(loading, -ENOMEM, image,
                              "%lu bytes do not fit at 0x%lx, the VM has %lu MiB", length,
                              guest_phys, loading->memory->size >> 20);
    }
    return 0;
}

int image_place_high(const struct loading *loading, const struct guest_image *image, uint64_t first,
                     uint64_t end, uint64_t *guest_phys)
{
    if (end > loading->memory->low_size) {
        end = loading->memory->low_size;
    }
    if (end < first || image->size > end - first ||
        ((end - image->size) & ~(LOADING_PAGE - 1)) < first) {
        return loading_refuse(loading, -ENOMEM, image,
                              "%lu bytes do not fit between the kernel's end (0x%lx) and 0x%lx",
                              image->size, first, end);
    }
    *guest_phys = (end - image->size) & ~(LOADING_PAGE - 1);
    return image_copy(loading, image, 0, image->size, *guest_phys);
}

int image_check_room(const struct loading *loading, const struct guest_image *image,
                     const struct image_room *room, const char *what, uint64_t first, uint64_t end)
{
    if (first >= LAYOUT_EXTENDED_MEMORY) {
        if (first <= end && end <= loading->memory->low_size) {
            return 0;
        }
        return loading_refuse(loading, -ENOMEM, image,
                              "%s needs memory from 0x%lx to 0x%lx, the VM's ends at 0x%lx", what,
                              first, end, loading->memory->low_size);
    }
    if (first >= room->low_first && first <= end && end <= room->low_end) {
        return 0;
    }
    return loading_refuse(loading, -ENOEXEC, image,
                          "%s needs 0x%lx to 0x%lx; below 1 MiB only 0x%lx to 0x%lx is free", what,
                          first, end, room->low_first, room->low_end);
}
