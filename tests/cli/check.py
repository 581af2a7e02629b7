#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py GRAFT: what `graft check` lists, in which order, and with which exit code."""

import json
import os
import shutil
import zipfile

from command import Case, draw_class, draw_data, main, png


class Check(Case):
    def check(self, code, *arguments):
        done = self.run_graft("check", *arguments, "--quiet")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout.splitlines()

    def listed(self, code, *arguments):
        done = self.run_graft("check", *arguments, "--json")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def copy(self, a, b):
        shutil.copy(self.path(a), self.path(b))

    def test_doubles_come_first(self):
        draw_data(self.path("d"), 5, 3)
        self.copy("d/train/blue/00.png", "d/train/blue/again.png")
        self.copy("d/train/blue/01.png", "d/train/red/wrong.png")
        self.copy("d/train/red/02.png", "d/val/red/learnt.png")
        with open(self.path("d/train/red/04.png"), "wb") as file:
            file.write(b"no picture")
        lines = self.check(1, "d")
        self.assertEqual(lines[0], "contradicting labels: d/train/blue/01.png (train, blue) and "
                                   "d/train/red/wrong.png (train, red) are the same picture")
        self.assertEqual(lines[1], "twice in train: d/train/blue/00.png and d/train/blue/again.png")
        self.assertEqual(lines[2], "the same picture: d/train/red/02.png (train) and d/val/red/learnt.png (val)")
        self.assertTrue(lines[3].startswith("damaged: d/train/red/04.png: "))
        self.assertIn("1 damaged, 0 suspect, 1 in two parts, 1 twice in one, 1 under two classes", lines[-1])
        found = self.listed(1, "d")
        self.assertEqual(found["contradictions"], [["d/train/blue/01.png", "d/train/red/wrong.png"]])
        self.assertEqual(found["twice"], [["d/train/blue/00.png", "d/train/blue/again.png"]])
        self.assertEqual(found["duplicates"], [["d/train/red/02.png", "d/val/red/learnt.png"]])
        self.assertEqual(found["faults"], [])

    def test_near_doubles(self):
        """A picture that is cut a little is found by what a network makes of it; the same pixels are told once."""
        draw_data(self.path("d"), 4, 2)
        self.copy("d/train/blue/01.png", "d/train/red/wrong.png")
        bars = lambda x, y: (250, 250, 40) if (x // 9 + y // 14) % 2 else (x * 3 % 256, 20, y * 2 % 256)
        png(self.path("d/train/blue/bars.png"), 90, 90, bars)
        png(self.path("d/val/red/bars.png"), 88, 89, lambda x, y: bars(x + 1, y + 1))
        lines = self.check(1, "d", "--near", "--above", "0.97")
        self.assertIn("contradicting labels: d/train/blue/01.png (train, blue) and "
                      "d/train/red/wrong.png (train, red) are the same picture", lines)
        near = [line for line in lines if line.startswith("nearly the same")]
        pair = "d/train/blue/bars.png (train, blue) and d/val/red/bars.png (val, red)"
        self.assertTrue(any(line.endswith(pair) for line in near), near)
        self.assertFalse(any("train/blue/01.png" in line and "wrong.png" in line for line in near), near)
        self.assertIn(", %d nearly the same" % len(near), lines[-1])
        found = self.listed(1, "d", "--near", "--above", "0.97")
        self.assertIn(["d/train/blue/bars.png", "d/val/red/bars.png"], [pair["files"] for pair in found["near"]])
        self.assertNotIn("near", self.listed(1, "d"))
        self.bad(2, ["graft_smal", "graft_small"], "check", "d", "--near", "--network", "graft_smal")

    def test_a_double_of_one_class_is_no_failure(self):
        draw_data(self.path("d"), 3, 0)
        self.copy("d/train/blue/00.png", "d/train/blue/again.png")
        self.assertEqual(self.check(0, "d")[0], "twice in train: d/train/blue/00.png and d/train/blue/again.png")

    def test_tables_are_read_to_the_end(self):
        draw_data(self.path("d"), 3, 0)
        with open(self.path("d/t.csv"), "w") as file:
            file.write("where,what,label,note\n"
                       "train/blue/00.png,blue,x,1\ntrain/blue/77.png,blue,x,1\ntrain/red/00.png,red,x,1\n"
                       "\"train/red/01.png,red,x,1\ntrain/red/78.png,red,x,1\n,red,x,1\n")
        asked = ["--column-path", "where", "--column-label", "2"]
        lines = self.check(1, "d/t.csv", *asked)
        self.assertIn("line 5: a quote is opened and never closed", lines[0])
        self.assertIn("line 7: the path is empty", lines[1])
        self.assertIn("damaged: d/train/blue/77.png: there is no such file; it stands in line 3 of d/t.csv", lines)
        self.assertIn("damaged: d/train/red/78.png: there is no such file; it stands in line 6 of d/t.csv", lines)
        self.assertIn("4 pictures (4 train, 0 val, 0 test) of 2 classes: 2 damaged", lines[-1])
        self.assertEqual(len(self.listed(1, "d/t.csv", *asked)["faults"]), 2)
        self.bad(1, ["no column 'there'", "where, what, label, note"], "check", "d/t.csv", "--column-path", "there")
        # the same columns in fit, and a listed file that is not there can be left out
        self.bad(1, ["line 3", "there is no file"], "fit", "d/t.csv", *asked, "--epochs", "1", "--device", "cpu")
        with open(self.path("d/t.csv"), "w") as file:
            file.write("where,what\n" + "".join("train/%s/%02d.png,%s\n" % (c, i, c)
                                               for c in ("blue", "red") for i in range(4)))
        done = self.run_graft("fit", "d/t.csv", *asked, "--skip-damaged", "--model", "tiny_convnet", "--epochs", "1",
                              "--device", "cpu", "--out", "r")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("train/red/03.png: there is no such file", done.stderr)
        with open(self.path("r/config.json")) as file:
            self.assertIn('"column_path": "where"', file.read())

    def test_what_is_left_out_is_told(self):
        draw_data(self.path("d"), 3, 2)
        draw_class(self.path("d/val"), "Blue", (1, 2, 3), 2, "x")
        os.mkdir(self.path("d/train/green"))
        draw_class(self.path("d/train"), "black", (0, 0, 0), 1, "x")
        with open(self.path("d/train/black/00.png"), "wb") as file:
            file.write(b"nothing")
        lines = self.check(1, "d")
        self.assertIn("wrong: class folder d/train/green holds no pictures; put pictures there or remove the folder",
                      lines)
        self.assertTrue(any("class 'Blue' in the val part" in line and "which has 'blue'" in line for line in lines))
        self.assertIn("wrong: no training picture of class 'black' can be read", lines)
        self.assertIn("3 other faults", lines[-1])
        self.bad(1, ["d/train/green holds no pictures"], "fit", "d", "--epochs", "1", "--device", "cpu")

    def test_archives_are_listed_to_the_end(self):
        draw_data(self.path("d"), 4, 0)
        names = sorted(os.path.join(root, name) for root, _, files in os.walk(self.path("d")) for name in files)
        with zipfile.ZipFile(self.path("d.zip"), "w") as archive:
            for name in names:
                archive.write(name, os.path.relpath(name, self.path("d", "train")))
        with open(self.path("d.zip"), "rb") as file:
            data = bytearray(file.read())
        at = data.find(b"IDAT", data.find(b"blue/01.png")) + 300
        data[at] ^= 0x55
        with open(self.path("d.zip"), "wb") as file:
            file.write(data)
        lines = self.check(1, "d.zip")
        self.assertTrue(lines[0].startswith("damaged: d.zip:blue/01.png: damaged in the archive: "), lines[0])
        self.assertIn("8 pictures (8 train, 0 val, 0 test) of 2 classes: 1 damaged", lines[-1])

    def test_names_are_escaped(self):
        draw_data(self.path("d"), 3, 0)
        os.rename(self.path("d/train/red"), self.path("d/train/r\ned\x1b[31m"))
        self.copy("d/train/blue/00.png", "d/train/blue/a\nb.png")
        lines = self.check(0, "d")
        self.assertEqual(lines[0], "twice in train: d/train/blue/00.png and d/train/blue/a\\nb.png")
        self.assertIn("       3  r\\ned\\x1b[31m", lines)
        self.assertEqual(self.listed(0, "d")["classes"][1]["name"], "r\ned\x1b[31m")

    def test_names_that_are_no_utf8(self):
        draw_data(self.path("d"), 3, 0)
        os.rename(self.path("d/train/red"), os.fsencode(self.path("d/train/")) + b"caf\xe9")
        self.assertIn("       3  caf\u00e9", self.check(0, "d"))
        os.rename(os.fsencode(self.path("d/train/")) + b"caf\xe9", os.fsencode(self.path("d/train/")) + b"\xb9\xb7")
        self.assertTrue(any("the class name '\\xb9\\xb7'" in line and "is not UTF-8" in line
                            for line in self.check(1, "d")))
        self.bad(1, ["the class name '\\xb9\\xb7'", "rename it"], "fit", "d", "--epochs", "1", "--device", "cpu")


if __name__ == "__main__":
    main()
