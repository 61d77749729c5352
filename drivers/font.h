/*
 * The framebuffer's font, made at build time from a font of the package grub-common
 * (tools/font2c.py).
 */
#ifndef DRIVERS_FONT_H
#define DRIVERS_FONT_H

#include <stdint.h>

#define FONT_WIDTH  8u
#define FONT_HEIGHT 16u
#define FONT_FIRST  0x20u /* character of the first glyph */
#define FONT_GLYPHS 0x60u /* 0x20-0x7e, and in the place of 0x7f a box for all other characters */

/* Rows from the top; the leftmost pixel is bit 7. */
extern const uint8_t font_8x16[FONT_GLYPHS][FONT_HEIGHT];

#endif
