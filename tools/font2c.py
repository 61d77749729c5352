#!/usr/bin/env python3
"""Turns a GRUB font (PF2, as the package grub-common has them) into a C table of 8x16 glyphs.

Usage: font2c.py FONT.pf2 OUT.c

The table holds the printable ASCII characters, and in the place of 0x7f a box for all others.
"""
import struct
import sys

WIDTH, HEIGHT = 8, 16
FIRST, LAST = 0x20, 0x7E
BOX = [0, 0, 0x7E] + [0x42] * 9 + [0x7E, 0, 0, 0]


def read_sections(data):
    """PF2 is a row of sections: a name of four letters, a big-endian length, the contents."""
    sections = {}
    at = 0
    while at + 8 <= len(data):
        name, length = struct.unpack_from(">4sI", data, at)
        if name == b"DATA":  # the last; the glyphs are found by their offset in the file
            break
        sections[name] = data[at + 8 : at + 8 + length]
        at += 8 + length
    return sections


def glyph_offsets(index):
    """CHIX: code point, storage flags, offset in the file."""
    return {code: offset for code, flags, offset in struct.iter_unpack(">IBI", index)}


def glyph_rows(data, offset, ascent):
    """The glyph as HEIGHT bytes, leftmost pixel in bit 7."""
    width, height, x, y, _advance = struct.unpack_from(">HHhhh", data, offset)
    bits = data[offset + 10 :]
    top = ascent - y - height
    if x < 0 or x + width > WIDTH or top < 0 or top + height > HEIGHT:
        raise ValueError(f"a glyph of {width}x{height} does not fit {WIDTH}x{HEIGHT}")
    rows = [0] * HEIGHT
    for i in range(width * height):  # rows follow each other without padding
        if bits[i // 8] & 0x80 >> i % 8:
            rows[top + i // width] |= 0x80 >> x + i % width
    return rows


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as font:
        data = font.read()
    sections = read_sections(data)
    if sections.get(b"FILE") != b"PFF2":
        sys.exit(f"{sys.argv[1]}: not a PF2 font")
    offsets = glyph_offsets(sections[b"CHIX"])
    (ascent,) = struct.unpack(">H", sections[b"ASCE"])
    try:
        glyphs = [glyph_rows(data, offsets[code], ascent) for code in range(FIRST, LAST + 1)]
    except (KeyError, ValueError) as error:
        sys.exit(f"{sys.argv[1]}: not usable as console font: {error}")
    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write('#include "drivers/font.h"\n\n')
        out.write("const uint8_t font_8x16[FONT_GLYPHS][FONT_HEIGHT] = {\n")
        for rows in glyphs + [BOX]:
            out.write("    {" + ", ".join(f"0x{row:02x}" for row in rows) + "},\n")
        out.write("};\n")


if __name__ == "__main__":
    main()
