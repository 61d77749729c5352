#include "drivers/framebuffer.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "drivers/font.h"
#include "drivers/text_screen.h"
#include "kernel/boot/boot_info.h"
#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/memory/paging.h"

/* What one call of work() does at most: some ten thousand instructions. */
#define WORK_CELLS       64u
#define WORK_CLEAR_LINES 16u

/* Pixels of half a glyph row, four pixels of at most four bytes each. */
#define NIBBLE_BYTES 16u

static const struct boot_framebuffer *display;
static uint8_t *pixels;
static unsigned bytes_per_pixel;
static uint32_t cleared_lines; /* what was on the display before goes line by line */
static uint8_t nibble_pixels[16][NIBBLE_BYTES];
static struct text_screen screen;

/* A grey of 3/4 brightness in the display's own layout. */
static uint32_t foreground(void)
{
    uint32_t red = (3u << display->red_size >> 2) << display->red_position;
    uint32_t green = (3u << display->green_size >> 2) << display->green_position;
    uint32_t blue = (3u << display->blue_size >> 2) << display->blue_position;

    return red | green | blue;
}

/* What any four pixels of a glyph look like, so that drawing one is a few copies. */
static void make_nibbles(void)
{
    uint32_t colour = foreground();

    for (unsigned nibble = 0; nibble < 16; nibble++) {
        for (unsigned i = 0; i < 4 * bytes_per_pixel; i++) {
            uint32_t pixel = nibble & 8u >> i / bytes_per_pixel ? colour : 0;

            nibble_pixels[nibble][i] = (uint8_t)(pixel >> i % bytes_per_pixel * 8);
        }
    }
}

/* The builtin, so that constant sizes become single stores: a byte at a time is slow on a device.
 */
static void copy_nibble(uint8_t *to, unsigned nibble)
{
    switch (bytes_per_pixel) {
    case 4:
        __builtin_memcpy(to, nibble_pixels[nibble], 16);
        break;
    case 3:
        __builtin_memcpy(to, nibble_pixels[nibble], 12);
        break;
    default:
        __builtin_memcpy(to, nibble_pixels[nibble], 8);
        break;
    }
}

static void draw(const struct text_change *change)
{
    const uint8_t *glyph = font_8x16[change->character - FONT_FIRST];
    size_t line = (size_t)change->row * FONT_HEIGHT;
    uint8_t *to =
        pixels + line * display->pitch + (size_t)change->column * FONT_WIDTH * bytes_per_pixel;

    for (unsigned row = 0; row < FONT_HEIGHT; row++, to += display->pitch) {
        copy_nibble(to, glyph[row] >> 4);
        copy_nibble(to + 4 * (size_t)bytes_per_pixel, glyph[row] & 0xf);
    }
}

static void clear_some(void)
{
    size_t line_bytes = (size_t)display->width * bytes_per_pixel;

    for (unsigned i = 0; i < WORK_CLEAR_LINES && cleared_lines < display->height; i++) {
        memset(pixels + (size_t)cleared_lines * display->pitch, 0, line_bytes);
        cleared_lines++;
    }
}

static size_t sink_space(void)
{
    return SIZE_MAX;
}

static void sink_write(const char *text, size_t length)
{
    text_screen_put(&screen, text, length);
}

static bool sink_work(void)
{
    struct text_change change;

    if (cleared_lines < display->height) {
        clear_some();
        return true;
    }
    for (unsigned i = 0; i < WORK_CELLS; i++) {
        if (!text_screen_next_change(&screen, &change)) {
            return false;
        }
        draw(&change);
    }
    return true;
}

static void sink_flush(void)
{
    while (sink_work()) {
    }
}

static struct console_sink sink = {
    .space = sink_space,
    .write = sink_write,
    .work = sink_work,
    .flush = sink_flush,
};

static bool colour_fits(uint8_t position, uint8_t size)
{
    return size <= 8 && position + size <= 32;
}

static bool usable(void)
{
    return display->phys != 0 && display->rgb && bytes_per_pixel >= 2 && bytes_per_pixel <= 4 &&
           display->width >= FONT_WIDTH && display->height >= FONT_HEIGHT &&
           display->pitch / bytes_per_pixel >= display->width &&
           colour_fits(display->red_position, display->red_size) &&
           colour_fits(display->green_position, display->green_size) &&
           colour_fits(display->blue_position, display->blue_size);
}

int framebuffer_init(void)
{
    display = &boot_info()->framebuffer;
    bytes_per_pixel = (display->bits_per_pixel + 7u) / 8;
    if (!usable()) {
        return -ENODEV;
    }
    pixels =
        map_physical(display->phys, (size_t)display->pitch * display->height, MAP_WRITE_COMBINING);
    if (!pixels) {
        return -ENOMEM;
    }
    make_nibbles();
    cleared_lines = 0;
    text_screen_init(&screen, display->width / FONT_WIDTH, display->height / FONT_HEIGHT);
    log_replay(sink_write);
    console_add(&sink);
    log_info("framebuffer: %ux%u, %u bits a pixel, %u x %u characters", display->width,
             display->height, display->bits_per_pixel, screen.columns, screen.rows);
    return 0;
}
