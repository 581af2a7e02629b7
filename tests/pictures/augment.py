#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""augment.py > tests/unit/augment_expected.h: what Pillow makes of a drawn picture, as FNV-1a hashes (64 bit) of its
pixels; what Pillow has not (blurs as torchvision's, fills as numpy pads), in f64 by numpy, as numbers.
It takes Pillow and numpy (`pip install pillow==13.0.0 numpy`)."""
import math

import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageOps

WIDTH, HEIGHT = 37, 23
MATRIX = (0.9, -0.35, 3.25, 0.4, 1.1, -5.5)


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return value


def drawn(width, height, channels):
    """The pixels of the test's function of that name: noise, darker towards the left."""
    number, values = 12345, []
    for i in range(width * height * channels):
        number = (number * 1664525 + 1013904223) & 0xFFFFFFFF
        x = i // channels % width
        values.append((number >> 24) * (x + 8) // (width + 8))
    return np.array(values, np.uint8).reshape(height, width, channels)


def hue(image, turns):
    """torchvision's, of a Pillow picture."""
    h, s, v = image.convert("HSV").split()
    turned = (np.array(h).astype(np.int64) + int(turns * 255)) % 256
    return Image.merge("HSV", (Image.fromarray(turned.astype(np.uint8)), s, v)).convert("RGB")


CHANGES = {
    "brightness": lambda image, x: ImageEnhance.Brightness(image).enhance(x),
    "contrast": lambda image, x: ImageEnhance.Contrast(image).enhance(x),
    "saturation": lambda image, x: ImageEnhance.Color(image).enhance(x),
    "sharpness": lambda image, x: ImageEnhance.Sharpness(image).enhance(x),
    "hue": hue,
    "gray": lambda image, x: image.convert("L").convert(image.mode),
    "posterize": lambda image, x: ImageOps.posterize(image, int(x)),
    "solarize": ImageOps.solarize,
    "autocontrast": lambda image, x: ImageOps.autocontrast(image),
    "equalize": lambda image, x: ImageOps.equalize(image),
    # A mean that is rounded up.
    "contrast_inverted": lambda image, x: ImageEnhance.Contrast(ImageOps.invert(image)).enhance(x),
    # Many pixels in the last bin, which does not count towards the step.
    "equalize_above": lambda image, x: ImageOps.equalize(image.point([255 if v > x else v for v in range(256)] * len(image.getbands()))),
    "affine": lambda image, x: image.transform((29, 31), Image.AFFINE, MATRIX, Image.BILINEAR),
}
CASES = """brightness 0.3, brightness 1.7, contrast 0.25, contrast 1.9, contrast_inverted 0.25, saturation 0, saturation 1.5, sharpness 0, sharpness 0.4,
sharpness 1.9, hue 0.1, hue -0.5, hue 0.37, gray 0, posterize 2, posterize 5, solarize 128, solarize 42.5, autocontrast 0,
equalize 0, equalize_above 60, affine 0""".replace("\n", " ").split(", ")


def blurred(pixels, deviation, reach):
    """A Gaussian cut off at `reach`, the picture mirrored without its edge pixels."""
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / deviation) ** 2)
    weights /= weights.sum()
    wide = np.pad(pixels.astype(np.float64), ((reach, reach), (reach, reach), (0, 0)), "reflect")
    height, width = pixels.shape[:2]
    return sum(a * b * wide[y:y + height, x:x + width] for y, a in enumerate(weights) for x, b in enumerate(weights))


def affine(pixels, matrix, mode):
    """Bilinear, at the centres of pixels; outside as np.pad has it."""
    most = 64
    wide = np.pad(pixels.astype(np.float64), ((most, most), (most, most), (0, 0)), mode)
    height, width = pixels.shape[:2]
    result = np.zeros(pixels.shape)
    for y in range(height):
        for x in range(width):
            u, v = np.array(matrix).reshape(2, 3) @ (x + 0.5, y + 0.5, 1) - 0.5
            i, j = math.floor(u), math.floor(v)
            part = wide[j + most:j + most + 2, i + most:i + most + 2]
            rows = part[:, 0] * (1 - (u - i)) + part[:, 1] * (u - i)
            result[y, x] = rows[0] * (1 - (v - j)) + rows[1] * (v - j)
    return result


def about(middle, linear):
    """The [3, 3] matrix that does that about the middle."""
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = middle, [-middle[0], -middle[1]]
    whole = np.eye(3)
    whole[:2, :2] = linear
    return there @ whole @ back


def turned():
    """Rotated by 30 degrees with the clock, then moved a quarter to the right, then twice as wide: where pixels come from."""
    angle = math.radians(30)
    middle = (WIDTH / 2, HEIGHT / 2)
    move = np.eye(3)
    move[0, 2] = WIDTH / 4
    rotate = about(middle, [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    forward = about(middle, [[2, 0], [0, 1]]) @ move @ rotate
    return np.linalg.inv(forward)[:2].reshape(-1)


def show(name, values):
    lines, line = [], "   "
    for number in (repr(round(float(value), 9)) for value in np.asarray(values).reshape(-1)):
        if len(line) + len(number) + 2 > 108:
            lines.append(line)
            line = "   "
        line += " " + number + ","
    print("static const double expected_%s[] = {\n%s\n};" % (name, "\n".join(lines + [line])))


def main():
    print("""/* SPDX-License-Identifier: MIT */
/* Printed by tests/pictures/augment.py with Pillow %s and numpy. */
#ifndef GRAFT_TESTS_AUGMENT_EXPECTED_H
#define GRAFT_TESTS_AUGMENT_EXPECTED_H

#include <stdint.h>

static const struct {
    const char *change;
    double amount;
    uint64_t hash[2]; /* of one channel; of three */
} expected_changes[] = {""" % PIL.__version__)
    pictures = Image.fromarray(drawn(WIDTH, HEIGHT, 1)[:, :, 0]), Image.fromarray(drawn(WIDTH, HEIGHT, 3))
    for case in CASES:
        name, amount = case.split()
        hashes = []
        for image in pictures:
            same = image.mode == "L" and name in ("hue", "saturation", "gray")
            hashes.append(fnv((image if same else CHANGES[name](image, float(amount))).tobytes()))
        print('    {"%s", %s, {0x%016x, 0x%016x}},' % (name, amount, *hashes))
    print("};")
    small = drawn(11, 9, 3)
    show("blur", blurred(small, 1.3, 4))
    for name, mode in (("nearest", "edge"), ("reflect", "symmetric"), ("wrap", "wrap")):
        show(name, affine(small, MATRIX, mode))
    show("turns", turned())
    print("#endif")


main()
