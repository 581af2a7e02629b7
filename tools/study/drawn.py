# SPDX-License-Identifier: MIT
"""Data that nobody has photographed: textures by formula, and digits of seven segments as IDX files."""
import gzip
import math
import os
import random
import struct
import zlib

SIDE = 64
TEXTURES = ("stripes", "checks", "rings", "dots", "waves", "spots")


def write_png(path, width, height, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                   + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b""))


def texture(name, draw):
    """A function of x and y with values around 0..1: a pattern of its class, turned, moved and scaled at random."""
    angle, scale = draw.uniform(0, math.pi), draw.uniform(0.35, 0.75)
    shift_x, shift_y = draw.uniform(0, 50), draw.uniform(0, 50)
    bumps = [(draw.uniform(0, SIDE), draw.uniform(0, SIDE), draw.uniform(3, 6)) for _ in range(14)]
    cosine, sine = math.cos(angle), math.sin(angle)

    def value(x, y):
        u, v = scale * (cosine * x + sine * y + shift_x), scale * (cosine * y - sine * x + shift_y)
        if name == "stripes":
            return 0.5 + 0.5 * math.sin(u)
        if name == "checks":
            return float((math.sin(u) > 0) != (math.sin(v) > 0))
        if name == "rings":
            return 0.5 + 0.5 * math.sin(scale * 1.4 * math.hypot(x - shift_x - 7, y - shift_y - 7))
        if name == "dots":
            return float(math.cos(u) + math.cos(v) > 0.9)
        if name == "waves":
            return 0.5 + 0.5 * math.sin(u + 1.8 * math.sin(0.5 * v))
        return min(1.0, sum(math.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * r * r)) for a, b, r in bumps))
    return value


def draw_textures(folder, train, val, seed):
    """FOLDER/train and FOLDER/val with a folder a class; two colours and noise are drawn for each picture."""
    draw = random.Random(seed)
    for part, count in (("train", train), ("val", val)):
        for name in TEXTURES:
            os.makedirs(os.path.join(folder, part, name))
            for i in range(count):
                value = texture(name, draw)
                dark = [draw.randrange(0, 130) for _ in range(3)]
                light = [min(255, c + draw.randrange(50, 125)) for c in dark]
                rows = []
                for y in range(SIDE):
                    row = bytearray()
                    for x in range(SIDE):
                        share = value(x, y) + draw.uniform(-0.25, 0.25)
                        row += bytes(max(0, min(255, int(a + (b - a) * share))) for a, b in zip(dark, light))
                    rows.append(bytes(row))
                write_png(os.path.join(folder, part, name, "%03d.png" % i), SIDE, SIDE, rows)


SEGMENTS = ("1110111", "0010010", "1011101", "1011011", "0111010", "1101011", "1101111", "1010010", "1111111", "1111011")


def distance(x, y, line):
    """From a point to a line from (a, b) to (c, d)."""
    (a, b), (c, d) = line
    along = max(0.0, min(1.0, ((x - a) * (c - a) + (y - b) * (d - b)) / ((c - a) ** 2 + (d - b) ** 2)))
    return math.hypot(x - a - along * (c - a), y - b - along * (d - b))


def digit(number, draw):
    """28 × 28: top, upper left, upper right, middle, lower left, lower right, bottom; moved, slanted, thick or thin."""
    left, top, slant = draw.uniform(7, 10), draw.uniform(3, 6), draw.uniform(-0.2, 0.35)
    wide, high, thick = draw.uniform(8, 11), draw.uniform(8, 9.5), draw.uniform(0.9, 1.7)
    ends = (((0, 0), (1, 0)), ((0, 0), (0, 1)), ((1, 0), (1, 1)), ((0, 1), (1, 1)), ((0, 1), (0, 2)), ((1, 1), (1, 2)),
            ((0, 2), (1, 2)))
    lines = [[(left + wide * x - slant * (top + high * y - 14), top + high * y) for x, y in pair]
             for lit, pair in zip(SEGMENTS[number], ends) if lit == "1"]
    return bytes(int(255 * max(0.0, 1.0 - max(0.0, min(distance(x, y, line) for line in lines) - thick / 2)))
                 for y in range(28) for x in range(28))


def draw_digits(folder, train, val, seed):
    """MNIST's four files."""
    os.makedirs(folder)
    draw = random.Random(seed)
    for name, count in (("train", train), ("t10k", val)):
        labels = bytes(range(10)) * count
        images = b"".join(digit(label, draw) for label in labels)
        for kind, head, data in (("images-idx3", (2051, len(labels), 28, 28), images),
                                 ("labels-idx1", (2049, len(labels)), labels)):
            with gzip.open(os.path.join(folder, "%s-%s-ubyte.gz" % (name, kind)), "wb") as file:
                file.write(struct.pack(">%dI" % len(head), *head) + data)
