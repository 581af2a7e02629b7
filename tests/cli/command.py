# SPDX-License-Identifier: MIT
"""What the tests of the command share: running it, checking its failures, drawing pictures.

Each test file is run as `python3 FILE.py PATH-TO-GRAFT [unittest's arguments]`; only the standard library is
needed.
"""

import json
import os
import pty
import random
import signal
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

GRAFT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "graft"
DATA = os.environ.get("GRAFT_TEST_DATA") or os.path.join(
    os.path.dirname(__file__), "..", "..", "..", "shared"
)
SKIP = 77


def png(path, width, height, pixel):
    """Writes an RGB picture; pixel(x, y) gives three numbers of 0..255."""
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    with open(path, "wb") as file:
        file.write(
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b"")
        )


def draw_class(folder, name, base, count, seed, side=40):
    """A class of noisy pictures around one colour, easy to learn."""
    os.makedirs(os.path.join(folder, name))
    noise = random.Random(seed)
    for i in range(count):
        png(
            os.path.join(folder, name, "%02d.png" % i),
            side,
            side,
            lambda x, y: tuple(max(0, min(255, c + noise.randrange(-60, 61))) for c in base),
        )


def draw_data(folder, count=10, val=4):
    """FOLDER/train and FOLDER/val with the classes blue and red."""
    for part, number in (("train", count), ("val", val)):
        if number:
            draw_class(os.path.join(folder, part), "blue", (60, 70, 190), number, part + "blue")
            draw_class(os.path.join(folder, part), "red", (190, 70, 60), number, part + "red")
    return folder


def safetensors(path, tensors, metadata=None, header=None):
    """tensors: name → (shape, bytes of f32). `header`: instead of the one that fits."""
    entries, data = {}, b""
    if metadata:
        entries["__metadata__"] = metadata
    for name, (shape, values) in tensors.items():
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = (header if header is not None else json.dumps(entries)).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def snapshot(folder):
    """Every file below a folder with its bytes, every folder with None."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.relpath(os.path.join(root, name), folder)] = None
        for name in files:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


def has_device(name):
    return any(device["id"] == name for device in json.loads(run("devices", "--json").stdout))


def run(*arguments, timeout=240, environment=None, **options):
    return subprocess.run(
        [options.pop("program", GRAFT)] + [a if isinstance(a, bytes) else str(a) for a in arguments],
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        env=dict(os.environ, **(environment or {})),
        **options
    )


def open_terminal():
    """Both ends of one; a skip where none can be had (a root without /dev/pts)."""
    try:
        return pty.openpty()
    except OSError as error:
        raise unittest.SkipTest("no terminal can be had: %s" % error)


class Case(unittest.TestCase):
    """A test with a folder of its own, which is the current folder of what it runs."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="graft-cli-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def run_graft(self, *arguments, **options):
        return run(*arguments, cwd=self.folder, **options)

    def good(self, *arguments, **options):
        """Runs it; it must end with 0. Returns stdout."""
        done = self.run_graft(*arguments, **options)
        self.assertEqual(done.returncode, 0, "graft %s: %s" % (" ".join(map(str, arguments)), done.stderr))
        return done.stdout

    def assert_same_tensors(self, one, other):
        """name → values or bytes. Says which differ: to show how takes a quarter of an hour."""
        self.assertEqual(sorted(one), sorted(other))
        differ = [name for name in one if one[name] != other[name]]
        self.assertFalse(differ, "tensors differ: %s" % ", ".join(differ))

    def bad(self, code, words, *arguments, **options):
        """Runs it; it must end with `code` and say all of `words` in its one line of failure, which is returned."""
        stdout = options.pop("prints", False)
        done = self.run_graft(*arguments, **options)
        lines = [line for line in done.stderr.splitlines() if line.startswith("graft: ")]
        what = "graft %s: %d, %s" % (" ".join(map(str, arguments)), done.returncode, done.stderr)
        self.assertEqual(done.returncode, code, what)
        self.assertEqual(len(lines), 1, what)
        for word in words:
            self.assertIn(word, lines[0], what)
        if not stdout and done.stdout is not None:
            self.assertEqual(done.stdout, "", what)
        return lines[0]


def main():
    sys.argv = [sys.argv[0]] + sys.argv[2:]
    unittest.main(verbosity=1)
