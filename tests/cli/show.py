# SPDX-License-Identifier: MIT
"""graft show: the sheet has the classes and what was asked for, is the same for a seed, and says what it cannot read."""

import json
import os
import struct
import unittest

from command import Case, draw_data, main


def size_of(path):
    with open(path, "rb") as file:
        return struct.unpack(">II", file.read(24)[16:])


class Show(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"))

    def sheet(self, name, *arguments):
        said = json.loads(self.good("show", "d", "--out", name, "--json", *arguments))
        with open(self.path(name), "rb") as file:
            return said, size_of(self.path(name)), file.read()

    def test_sheets(self):
        said, (width, height), first = self.sheet("a.png")
        self.assertEqual((said["pictures"], said["unreadable"]), (20, 0))
        self.assertEqual(width, 14 + 8 * 174)
        self.assertEqual(height, 14 + 34 + 3 * 200)  # 20 pictures in rows of 8
        self.assertEqual(self.sheet("b.png")[2], first)
        self.assertEqual(self.sheet("b.png", "--split", "val")[0]["pictures"], 8)
        few = self.sheet("c.png", "--count", "4")[2]
        self.assertNotEqual(self.sheet("c.png", "--count", "4", "--seed", "5")[2], few)
        self.good("show", "d")
        self.assertTrue(os.path.exists(self.path("show.png")))

    def test_augmented(self):
        said, (width, height), first = self.sheet("a.png", "--augment", "light", "--input", "40")
        self.assertEqual(said["pictures"], 6 * 8)
        self.assertEqual((width, height), (14 + 8 * 174, 14 + 34 + 6 * 200))
        self.assertEqual(self.sheet("b.png", "--augment", "light", "--input", "40", "--threads", "1")[2], first)
        self.assertNotEqual(self.sheet("b.png", "--augment", "keras", "--input", "40")[2], first)

    def test_damaged(self):
        with open(self.path("d", "train", "red", "03.png"), "wb") as file:
            file.write(b"no picture")
        done = self.run_graft("show", "d")
        self.assertEqual(done.returncode, 1)
        self.assertIn("red/03.png", done.stderr)
        self.assertTrue(os.path.exists(self.path("show.png")))  # of the others

    def test_refused(self):
        self.bad(1, ["rotat", "did you mean 'rotate'"], "show", "d", "--augment", "flip,rotat")
        self.bad(2, ["train, val or test"], "show", "d", "--split", "valid")
        self.bad(1, ["no part", "test"], "show", "d", "--split", "test")
        self.bad(1, ["nowhere"], "show", "nowhere")
        self.bad(1, ["no/such"], "show", "d", "--out", "no/such/folder.png")


if __name__ == "__main__":
    main()
