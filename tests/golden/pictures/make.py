#!/usr/bin/env python3
"""Writes the small PNG, PGM, PPM and PBM files of this folder, expected.txt with the greys that a reader must make of them, and
the seeds of the fuzzers. Needs Pillow and pypng: each PNG is read back with both.

    tests/golden/pictures/make.py
"""
import os
import random
import struct
import zlib
from fractions import Fraction

import png
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
SEEDS = os.path.join(HERE, "..", "..", "fuzz", "seeds")
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack(samples, depth):
    """A row's samples as bytes."""
    if depth == 16:
        return b"".join(struct.pack(">H", s) for s in samples)
    bits = "".join(format(s, "0%db" % depth) for s in samples)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filtered(rows, step, kinds):
    out, above = b"", None
    for y, row in enumerate(rows):
        kind = kinds[y % len(kinds)]
        above = above or bytes(len(row))
        out += bytes([kind])
        for i, x in enumerate(row):
            left, up, corner = (row[i - step] if i >= step else 0), above[i], (above[i - step] if i >= step else 0)
            guess = [0, left, up, (left + up) // 2, paeth(left, up, corner)][kind]
            out += bytes([(x - guess) & 255])
        above = row
    return out


def compress(data, level, strategy=zlib.Z_DEFAULT_STRATEGY):
    z = zlib.compressobj(level, zlib.DEFLATED, 15, 8, strategy)
    return z.compress(data) + z.flush()


def encode(image, colour, depth, interlace=False, kinds=(0, 1, 2, 3, 4), level=9, strategy=zlib.Z_DEFAULT_STRATEGY, plte=b"",
           trns=None, pieces=1):
    """image: rows of pixels, each a tuple of samples."""
    height, width = len(image), len(image[0])
    step = max(1, CHANNELS[colour] * depth // 8)
    raw = b""
    for x0, y0, dx, dy in ADAM7 if interlace else [(0, 0, 1, 1)]:
        part = [row[x0::dx] for row in image[y0::dy]]
        if part and part[0]:
            raw += filtered([pack([s for pixel in row for s in pixel], depth) for row in part], step, kinds)
    data = compress(raw, level, strategy)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlace)))
    out += chunk(b"tEXt", b"Comment\0made by make.py") if pieces > 1 else b""
    out += chunk(b"PLTE", plte) if plte else b""
    out += chunk(b"tRNS", trns) if trns is not None else b""
    size = -(-len(data) // pieces)
    for i in range(pieces):
        out += chunk(b"IDAT", data[i * size:(i + 1) * size])
    return out + chunk(b"IEND", b"")


def grey(samples, most):
    """Luma over white, rounded half up."""
    r, g, b, a = samples
    luma = Fraction(299 * r + 587 * g + 114 * b, 1000 * most)
    alpha = Fraction(a, most)
    return int((luma * alpha + 1 - alpha) * 255 + Fraction(1, 2))


def expand(pixel, colour, depth, plte, trns):
    """(red, green, blue, alpha) of a pixel, and the largest sample."""
    most = (1 << depth) - 1
    if colour == PALETTE:
        i = pixel[0]
        return tuple(plte[3 * i:3 * i + 3]) + ((trns[i] if trns is not None and i < len(trns) else 255),), 255
    key = struct.unpack(">%dH" % (len(trns) // 2), trns) if trns is not None else None
    alpha = pixel[-1] if colour in (GREY_ALPHA, RGBA) else 0 if pixel == key else most
    return (pixel[:3] if colour in (RGB, RGBA) else pixel[:1] * 3) + (alpha,), most


def check(name, image, colour, depth, plte, trns):
    """Both libraries see the same pixels in the file; Pillow not where it gives up bits or takes a key for 8 bits."""
    path = os.path.join(HERE, name)
    width, height, rows, info = png.Reader(filename=path).read()
    flat = [[s for pixel in row for s in pixel] for row in image]
    assert (width, height) == (len(image[0]), len(image)) and [list(r) for r in rows] == flat, name
    with Image.open(path) as file:
        file.load()
        assert file.size == (width, height)
        if depth == 8 and colour != GREY_ALPHA or depth < 8 and (colour == PALETTE or trns is None):
            seen = file.convert("RGBA")
            for y in range(height):
                for x in range(width):
                    wanted, most = expand(image[y][x], colour, depth, plte, trns)
                    assert seen.getpixel((x, y)) == tuple(s * 255 // most for s in wanted), (name, x, y)


def picture(width, height, channels, depth, seed):
    """Random samples between smooth ones, and pixels that repeat."""
    rng, most = random.Random(seed), (1 << depth) - 1
    rows = [[tuple((x * (c + 2) + y * 3 + c * most // 3) * most // 40 % (most + 1) if (x + y) % 3 else rng.randint(0, most)
                   for c in range(channels)) for x in range(width)] for y in range(height)]
    rows[height // 2] = [rows[height // 2][0]] * width
    return rows


def pngs():
    rng = random.Random(1)
    plte = {d: bytes(rng.randint(0, 255) for _ in range(3 << d)) for d in (1, 2, 4)}
    plte[8] = bytes(rng.randint(0, 255) for _ in range(3 * 40))
    for colour, word, depths in ((GREY, "grey", (1, 2, 4, 8, 16)), (RGB, "rgb", (8, 16)), (PALETTE, "palette", (1, 2, 4, 8)),
                                 (GREY_ALPHA, "grey_alpha", (8, 16)), (RGBA, "rgba", (8, 16))):
        for depth in depths:
            for interlace in (False, True):
                width, height = (9, 7) if interlace else (7, 6)
                image = picture(width, height, CHANNELS[colour], depth, depth * 10 + colour)
                if colour == PALETTE and depth == 8:
                    image = [[(p[0] % 40,) for p in row] for row in image]
                yield ("%s%d%s.png" % (word, depth, "_interlaced" if interlace else ""), image, colour, depth,
                       dict(interlace=interlace, plte=plte[depth] if colour == PALETTE else b""))
    for colour, depth, word in ((GREY, 1, "grey1"), (GREY, 4, "grey4"), (GREY, 16, "grey16"), (RGB, 8, "rgb8"), (RGB, 16, "rgb16")):
        image = picture(6, 5, CHANNELS[colour], depth, 77)
        yield word + "_key.png", image, colour, depth, dict(trns=struct.pack(">%dH" % len(image[2][0]), *image[2][0]))
    yield "palette2_alpha.png", picture(6, 5, 1, 2, 5), PALETTE, 2, dict(plte=plte[2], trns=bytes([0, 128, 200]))
    yield "rgb8_palette_in_pieces.png", picture(6, 5, 3, 8, 6), RGB, 8, dict(plte=plte[1], pieces=7)
    yield "one_pixel.png", [[(200,)]], GREY, 8, dict(interlace=True)
    for side in (2, 3, 4, 5):
        yield "interlaced_%d.png" % side, picture(side, side, 1, 8, side), GREY, 8, dict(interlace=True)
    yield "stored.png", picture(5, 4, 1, 8, 8), GREY, 8, dict(level=0)
    yield "fixed.png", picture(5, 4, 1, 8, 9), GREY, 8, dict(strategy=zlib.Z_FIXED)
    yield "huffman_only.png", picture(12, 12, 1, 8, 10), GREY, 8, dict(strategy=zlib.Z_HUFFMAN_ONLY, kinds=(0,))
    skewed = [[(min(255, int(rng.expovariate(0.05))),) for _ in range(64)] for _ in range(40)]
    yield "long_codes.png", skewed, GREY, 8, dict(kinds=(0,), strategy=zlib.Z_HUFFMAN_ONLY)
    yield "far_copies.png", [[((x * x + (y % 60) * 7) % 9 * 20,) for x in range(150)] for y in range(240)], GREY, 8, dict(kinds=(0,))


def netpbm():
    yield "text.pbm", b"P1\n# a comment\n5 3\n0 1 0 1 1\n11000\n0 # another\n0 1 1 1\n", [[255, 0, 255, 0, 0], [0, 0, 255, 255, 255],
                                                                                          [255, 255, 0, 0, 0]]
    yield "text.pgm", b"P2 # width\n4#height\n2\n9\n0 1 2 3\n4 5 9 # last\n8", [[0, 28, 57, 85], [113, 142, 255, 227]]
    yield "text.ppm", b"P3\n2 1\n100\n100 0 0\n0 50\t100\n", [[grey((100, 0, 0, 100), 100), grey((0, 50, 100, 100), 100)]]
    yield "binary.pbm", b"P4\n10 2\n\x55\x40\xff\x80", [[255, 0] * 4 + [255, 0], [0] * 9 + [255]]
    yield "binary.pgm", b"P5\n3 2\n255\n\x00\x23\xff\x0a\x20\x0d", [[0, 35, 255], [10, 32, 13]]
    yield "binary16.pgm", b"P5\n#16 bits\n2 1 65535#to here\n\x80\x00\x12\x34", [[128, 18]]
    yield "binary.ppm", b"P6 2 1 15\n\x0f\x00\x07\x01\x02\x03", [[grey((15, 0, 7, 15), 15), grey((1, 2, 3, 15), 15)]]


def write(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def main():
    with open(os.path.join(HERE, "expected.txt"), "w") as text:
        text.write("# file, height, width, greys row by row; written by make.py\n")
        for name, image, colour, depth, options in pngs():
            plte, trns = options.get("plte", b""), options.get("trns")
            data = encode(image, colour, depth, **options)
            write(HERE, name, data)
            check(name, image, colour, depth, plte, trns)
            greys = [[grey(*expand(p, colour, depth, plte, trns)) for p in row] for row in image]
            if len(greys) * len(greys[0]) > 4000:
                print(name, len(data), "bytes: only its first rows are in expected.txt")
            flat = [g for row in greys for g in row][:1000]
            text.write("%s %d %d %s\n" % (name, len(greys), len(greys[0]), " ".join(map(str, flat))))
            if len(data) < 500:
                write(os.path.join(SEEDS, "png"), name[:-4], data)
        for name, data, greys in netpbm():
            write(HERE, name, data)
            text.write("%s %d %d %s\n" % (name, len(greys), len(greys[0]), " ".join(str(g) for row in greys for g in row)))
            write(os.path.join(SEEDS, "pgm"), name.replace(".", "_"), data)


if __name__ == "__main__":
    main()
