# SPDX-License-Identifier: MIT
"""graft dream: pictures that are read back from their files, films, what is refused."""

import json
import os
import struct

from command import Case, draw_data, main

FIT = ["--model", "tiny_convnet", "--input", "32", "--device", "cpu", "--batch", "5", "--epochs", "6", "--out", "r"]


def size_of(path):
    with open(path, "rb") as file:
        return struct.unpack(">II", file.read(24)[16:])


class Paint(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"))
        self.good("fit", "d", *FIT)

    def test_dream(self):
        dream = ("dream", "r", "--device", "cpu", "--steps", "60", "--rate", "0.2")
        lines = self.good(*dream, "--class", "red,blue", "--batch", "2", "--film", "20", "--json").splitlines()
        files = sorted(os.listdir(self.path("dreams")))
        self.assertEqual(files, ["%s%s.png" % (name, end) for name in ("blue", "red")
                                 for end in ("-0000", "-0001", "-0002", "-0003", "")])
        for line, name in zip(map(json.loads, lines), ("red", "blue")):
            self.assertEqual((line["file"], line["name"], line["predicted_name"]), ("dreams/%s.png" % name, name, name))
            self.assertGreaterEqual(line["probability"], 0.9)
            seen = json.loads(self.good("predict", "r", line["file"], "--device", "cpu", "--json").splitlines()[0])
            self.assertEqual(seen["top"][0]["name"], name)
            self.assertAlmostEqual(seen["top"][0]["probability"], line["probability"], places=5)
        with open(self.path("dreams", "red.png"), "rb") as one, open(self.path("dreams", "red-0003.png"), "rb") as last:
            self.assertEqual(one.read(), last.read())
        self.good(*dream, "--class", "red", "--out", "again")  # one at a time: the same picture
        self.assertEqual(size_of(self.path("again", "red.png")), size_of(self.path("dreams", "red.png")))
        self.good(*dream, "--class", "red", "--start", "d/val/blue/00.png", "--out", "from")
        with open(self.path("again", "red.png"), "rb") as one, open(self.path("from", "red.png"), "rb") as other:
            self.assertNotEqual(one.read(), other.read())

    def test_dream_refused(self):
        for words, arguments in (
            (["--class"], []),
            (["no class \"rde\"", "\"red\""], ["--class", "rde"]),
            (["octaves"], ["--class", "red", "--octaves", "9"]),
            (["jitter"], ["--class", "red", "--jitter", "30"]),
        ):
            self.bad(2, words, "dream", "r", *arguments)
        self.bad(1, ["none.png"], "dream", "r", "--class", "red", "--start", "none.png")
        with open(self.path("file"), "w"):
            pass
        self.bad(1, ["file"], "dream", "r", "--class", "red", "--steps", "1", "--out", "file/below")


main()
