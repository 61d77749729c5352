/*
 * What the loaders share among themselves: one attempt to load, reading an image within its bounds,
 * and refusing it in words.
 */
#ifndef GUEST_LOADER_LOADING_H
#define GUEST_LOADER_LOADING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/loader/boot_state.h"

#define LOADING_PAGE UINT64_C(0x1000)

/* Where an image may be linked to: [low_first, low_end) in base memory, or above 1 MiB in low RAM.
 */
struct image_room {
    uint64_t low_first;
    uint64_t low_end;
};

struct loading {
    struct guest_memory *memory;
    char *reason;
    size_t reason_size;
};

/** Writes "NAME: message" as the reason and returns `error`. */
int loading_refuse(const struct loading *loading, int error, const struct guest_image *image,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/** Copies bytes out of the image; false if it does not have them all. */
bool image_read(const struct guest_image *image, uint64_t offset, void *to, size_t length);
/** True if [offset, +length) lies in the image. */
bool image_has(const struct guest_image *image, uint64_t offset, uint64_t length);

/** Copies [offset, +length) of the image, which must have it, to `guest_phys`; 0, or a refusal if
 * there is no RAM. */
int image_copy(const struct loading *loading, const struct guest_image *image, uint64_t offset,
               uint64_t length, uint64_t guest_phys);

/** Places an image as high as it goes, page-aligned, in [first, end) and in low RAM, and copies it;
 * its address goes to `*guest_phys`. 0 or a refusal. */
int image_place_high(const struct loading *loading, const struct guest_image *image, uint64_t first,
                     uint64_t end, uint64_t *guest_phys);

/** 0 if an image may take [first, end), else a refusal that calls this part of it `what`. */
int image_check_room(const struct loading *loading, const struct guest_image *image,
                     const struct image_room *room, const char *what, uint64_t first, uint64_t end);

/** `value` rounded up to a multiple of `alignment`, a power of two; must not overflow. */
static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

#endif
