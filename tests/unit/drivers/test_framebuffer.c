/* The framebuffer's pixels in its formats, drawn into ordinary memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/font.h"
#include "drivers/framebuffer.h"
#include "kernel/boot/boot_info.h"
#include "kernel/console.h"
#include "kernel/memory/paging.h"
#include "tests/unit/support/cmocka.h"

#define WIDTH  20u /* two characters and a margin */
#define HEIGHT 37u
#define PHYS   UINT64_C(0xe0000000)

static struct boot_info info;
static uint8_t *pixels;
static size_t pixels_size;
static struct console_sink *sink;

const struct boot_info *boot_info(void)
{
    return &info;
}

void *map_physical(uint64_t phys, size_t size, enum map_type type)
{
    assert_true(phys == PHYS);
    assert_int_equal(type, MAP_WRITE_COMBINING);
    pixels_size = size;
    pixels = malloc(size);
    if (pixels) {
        memset(pixels, 0x77, size);
    }
    return pixels;
}

void console_add(struct console_sink *added)
{
    sink = added;
}

/* What the log had before the framebuffer came. */
void log_replay(void (*write)(const char *text, size_t length))
{
    write("A", 1);
}

static struct boot_framebuffer rgb(uint8_t bits, uint32_t pitch)
{
    return (struct boot_framebuffer){.phys = PHYS,
                                     .pitch = pitch,
                                     .width = WIDTH,
                                     .height = HEIGHT,
                                     .bits_per_pixel = bits,
                                     .rgb = true,
                                     .red_position = 16,
                                     .red_size = 8,
                                     .green_position = 8,
                                     .green_size = 8,
                                     .blue_position = 0,
                                     .blue_size = 8};
}

static uint32_t pixel(unsigned x, unsigned y)
{
    unsigned bytes = (info.framebuffer.bits_per_pixel + 7u) / 8;
    uint32_t value = 0;

    memcpy(&value, pixels + (size_t)y * info.framebuffer.pitch + (size_t)x * bytes, bytes);
    return value;
}

static void assert_glyph(unsigned column, char character, uint32_t colour)
{
    for (unsigned y = 0; y < FONT_HEIGHT; y++) {
        for (unsigned x = 0; x < FONT_WIDTH; x++) {
            bool lit = (font_8x16[(unsigned char)character - FONT_FIRST][y] & 0x80u >> x) != 0;

            assert_int_equal(pixel(column * FONT_WIDTH + x, y), lit ? colour : 0);
        }
    }
}

static void draw_and_check(struct boot_framebuffer format, uint32_t colour)
{
    unsigned line = (format.bits_per_pixel + 7u) / 8 * format.width;

    info.framebuffer = format;
    assert_int_equal(framebuffer_init(), 0);
    assert_int_equal(pixels_size, (size_t)format.pitch * HEIGHT);
    sink->write("gxyz", 4); /* wraps, and scrolls by one line */
    sink->flush();
    assert_false(sink->work());
    assert_glyph(0, 'x', colour);
    assert_glyph(1, 'y', colour);
    assert_int_equal(pixel(format.width - 1, HEIGHT - 1), 0);
    /* What lies between the lines is nobody's. */
    for (unsigned y = 0; y < HEIGHT; y++) {
        for (unsigned i = line; i < format.pitch; i++) {
            assert_int_equal(pixels[(size_t)y * format.pitch + i], 0x77);
        }
    }
    free(pixels);
}

static void test_formats(void **state)
{
    struct boot_framebuffer format = rgb(32, WIDTH * 4 + 16);

    (void)state;
    draw_and_check(format, 0xc0c0c0);
    format.red_position = 24; /* other order of colours */
    format.green_position = 16;
    format.blue_position = 8;
    draw_and_check(format, 0xc0c0c000);
    format = rgb(24, WIDTH * 3);
    format.width = 2 * FONT_WIDTH; /* no margin: the last pixel is the line's last */
    draw_and_check(format, 0xc0c0c0);
    format = rgb(16, WIDTH * 2);
    format.red_position = 11;
    format.red_size = 5;
    format.green_position = 5;
    format.green_size = 6;
    format.blue_size = 5;
    draw_and_check(format, 24u << 11 | 48u << 5 | 24u);
}

static void test_draws_in_small_parts(void **state)
{
    unsigned calls = 0;

    (void)state;
    info.framebuffer = rgb(32, 2048 * 4);
    info.framebuffer.width = 1024;
    info.framebuffer.height = 768;
    assert_int_equal(framebuffer_init(), 0);
    for (unsigned i = 0; i < 3000; i++) {
        sink->write("#", 1);
    }
    while (sink->work()) {
        calls++;
    }
    assert_true(calls >= 3000 / 64 + 768 / 16);
    free(pixels);
}

static void test_refuses(void **state)
{
    (void)state;
    info.framebuffer = (struct boot_framebuffer){0};
    assert_int_equal(framebuffer_init(), -ENODEV);
#define ASSERT_REFUSED(field, value)                   \
    do {                                               \
        info.framebuffer = rgb(32, WIDTH * 4);         \
        info.framebuffer.field = (value);              \
        assert_int_equal(framebuffer_init(), -ENODEV); \
    } while (0)
    ASSERT_REFUSED(rgb, false);
    ASSERT_REFUSED(bits_per_pixel, 8);
    ASSERT_REFUSED(bits_per_pixel, 64);
    ASSERT_REFUSED(bits_per_pixel, 0);
    ASSERT_REFUSED(width, 7);
    ASSERT_REFUSED(height, 15);
    ASSERT_REFUSED(pitch, WIDTH * 4 - 1);
    ASSERT_REFUSED(red_position, 40);
    ASSERT_REFUSED(blue_size, 16);
#undef ASSERT_REFUSED
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_draws_in_small_parts),
        cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
