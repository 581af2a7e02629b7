# SPDX-License-Identifier: MIT
"""The files of tests/cli/known.def, to the byte: data sets that a test's server publishes.

python3 known.py writes known.def anew.
"""

import hashlib
import io
import os
import random
import struct
import sys
import tarfile


def ppm(seed, base, side=24):
    """A noisy picture around a colour; no compression, so the bytes are the same everywhere."""
    noise = random.Random(seed)
    pixels = bytes(max(0, min(255, c + noise.randrange(-40, 41))) for _ in range(side * side) for c in base)
    return b"P6 %d %d 255\n" % (side, side) + pixels


def tar(files):
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return result.getvalue()


COLOURS = {"blue": (40, 60, 200), "red": (200, 50, 40)}


def colours(count, side=24):
    return tar(
        ("colours/%s/%02d.ppm" % (name, i), ppm(100 * n + i, base, side))
        for n, (name, base) in enumerate(COLOURS.items())
        for i in range(count)
    )


def digits():
    noise = random.Random(1)
    labels = bytes(i % 2 for i in range(20))
    pixels = b"".join(bytes(noise.randrange(60) + 180 * label for _ in range(64)) for label in labels)
    return struct.pack(">IIII", 0x803, 20, 8, 8) + pixels, struct.pack(">II", 0x801, 20) + labels


def files():
    """(data set, name at the publisher, name here, digest, bytes)"""
    pixels, labels = digits()
    return [
        ("colours", "colours-1.tar", "colours.tar", "MD5", colours(10)),
        ("large", "large.tar", "large.tar", "MD5_OF_FIRST_MIB", colours(6, 192)),
        ("digits", "train-images-idx3-ubyte", "digits/train-images-idx3-ubyte", "MD5", pixels),
        ("digits", "train-labels-idx1-ubyte", "digits/train-labels-idx1-ubyte", "MD5", labels),
    ]


def digest(kind, data):
    return hashlib.md5(data[: 1 << 20] if kind == "MD5_OF_FIRST_MIB" else data).hexdigest()


if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "known.def"), "w", encoding="utf-8") as out:
        out.write("/* SPDX-License-Identifier: MIT */\n/* Written by known.py, which makes these files. */\n")
        out.write("/* clang-format off */\n")
        for name, there, here, kind, data in files():
            row = (name, "MNIST", there, here, kind, digest(kind, data), len(data))
            out.write('GRAFT_KNOWN_FILE("%s", %s, "%s", "%s", %s, "%s", %d)\n' % row)
