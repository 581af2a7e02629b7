# SPDX-License-Identifier: MIT
"""graft similar and graft map: neighbours by the cosine of features, near doubles, the files of a map, what is refused."""

import csv
import json
import math
import os
import shutil
import struct

from command import Case, draw_data, main

FIT = ["--model", "tiny_convnet", "--input", "32", "--device", "cpu", "--batch", "5", "--epochs", "2", "--out", "r"]


class Similar(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"))
        self.good("fit", "d", *FIT)

    def features(self):
        """name → vector of length 1, by graft features."""
        self.good("features", "r", "d", "--out", "f.npy")
        with open(self.path("f.npy"), "rb") as file:
            data = file.read()
        begin = 10 + struct.unpack("<H", data[8:10])[0]
        with open(self.path("f.txt"), encoding="utf-8") as file:
            names = [line.split("\t")[0] for line in file]
        values = struct.unpack("<%df" % ((len(data) - begin) // 4), data[begin:])
        width = len(values) // len(names)
        rows = [values[i * width : (i + 1) * width] for i in range(len(names))]
        return {name: [v / math.hypot(*row) for v in row] for name, row in zip(names, rows)}

    def test_nearest(self):
        vectors = self.features()
        line = json.loads(self.good("similar", "r", "d", "d/val/red/01.png", "--count", "4", "--json"))
        own = vectors["d/val/red/01.png"]
        expected = sorted(((sum(a * b for a, b in zip(own, v)), name) for name, v in vectors.items()), reverse=True)[:4]
        self.assertEqual([(n["file"]) for n in line["nearest"]], [name for _, name in expected])
        for found, (cosine, _) in zip(line["nearest"], expected):
            self.assertAlmostEqual(found["similarity"], cosine, places=5)
        self.assertEqual((line["nearest"][0]["class"], line["nearest"][0]["split"]), ("red", "val"))
        self.assertEqual(os.listdir(self.path("similar")), ["01-similar.png"])

    def test_pairs(self):
        shutil.copy(self.path("d/train/red/03.png"), self.path("d/val/blue/77.png"))
        found = json.loads(self.good("similar", "r", "d", "--above", "0.99999", "--json", "--out", "s"))
        self.assertIn(["d/train/red/03.png", "d/val/blue/77.png"], [pair["files"] for pair in found["pairs"]])
        self.assertEqual((found["pictures"], found["found"]), (29, len(found["pairs"])))
        self.assertTrue(os.path.exists(self.path("s", "near.png")))
        text = self.good("similar", "r", "d", "--above", "0.99999", "--out", "s")
        self.assertIn("d/val/blue/77.png (blue, val)", text)
        self.assertIn("of 29 pictures", text)

    def test_map(self):
        for method in ("tsne", "pca"):
            found = json.loads(self.good("map", "r", "d", "--method", method, "--out", method, "--json"))
            self.assertEqual((found["pictures"], found["left_out"], found["method"]), (28, 0, method))
            self.assertGreater(found["neighbours"], 0.9)  # red and blue
            self.assertGreater(found["silhouette"], 0)
            with open(self.path(method + ".csv"), encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            self.assertEqual(len(rows), 28)
            self.assertEqual({(row["class"], row["split"]) for row in rows},
                             {(c, s) for c in ("blue", "red") for s in ("train", "val")})
            self.assertGreater(os.path.getsize(self.path(method + ".png")), 1000)
            with open(self.path(method + ".html"), encoding="utf-8") as file:
                page = file.read()
            self.assertEqual(page.count("<img "), 28)
            self.assertIn("d/train/red/03.png: red", page)
        with open(self.path("tsne.csv"), encoding="utf-8") as file:
            first = file.read()
        self.good("map", "r", "d", "--out", "again", "--thumbnails", "5")
        with open(self.path("again.csv"), encoding="utf-8") as file:
            self.assertEqual(file.read(), first)
        with open(self.path("again.html"), encoding="utf-8") as file:
            page = file.read()
        self.assertEqual((page.count("<img "), page.count("<i role")), (5, 23))

    def test_refused(self):
        self.bad(2, ["needs weights"], "similar", "squeezenet1_0", "d")
        self.bad(2, ["block33", "block3"], "map", "r", "d", "--layer", "block33")
        self.bad(2, ["tsn", "tsne"], "map", "r", "d", "--method", "tsn")
        self.bad(1, ["nowhere"], "similar", "r", "nowhere")
        with open(self.path("file"), "w"):
            pass
        self.bad(1, ["file"], "similar", "r", "d", "--out", "file/below")
        with open(self.path("d/train/red/zz.png"), "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\nnothing")
        self.bad(1, ["zz.png", "--skip-damaged"], "map", "r", "d")
        found = json.loads(self.good("map", "r", "d", "--skip-damaged", "--json"))
        self.assertEqual((found["pictures"], found["left_out"]), (28, 1))

    def test_without_classes(self):
        os.makedirs(self.path("plain"))
        for i in range(6):
            shutil.copy(self.path("d/train/red/%02d.png" % i), self.path("plain"))
        found = json.loads(self.good("map", "r", "plain", "--json"))
        self.assertIsNone(found["silhouette"])
        with open(self.path("map.html"), encoding="utf-8") as file:
            self.assertNotIn("fieldset", file.read())


main()
