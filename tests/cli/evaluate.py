#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""evaluate.py GRAFT: what `graft evaluate` says of each picture, of its certainty, and of pictures seen in several ways.

Figures are computed anew here, in double precision, from the table that it writes; views are cut here.
"""

import csv
import json
import math
import os
import random
import re
import shutil
import struct

from command import Case, main, png

CPU = ["--device", "cpu", "--threads", "1"]


def noisy(folder, count, seed, width=40, height=40):
    """Two classes that overlap: some pictures of each are taken for the other."""
    noise = random.Random(seed)
    for name, mean in (("cold", 105), ("warm", 150)):
        os.makedirs(os.path.join(folder, name))
        for i in range(count):
            red = mean + noise.randrange(-70, 71)
            png(os.path.join(folder, name, "%02d.png" % i), width, height,
                lambda x, y: (max(0, min(255, red + 3 * x - 60 + noise.randrange(-20, 21))), 120 - y, 255 - red // 2))


def areas(rows, positive):
    """Area under the ROC curve as the share of pairs in the right order, and average precision, by definition."""
    scored = [(float(row[positive]), row["truth"] == positive) for row in rows]
    yes = [score for score, hit in scored if hit]
    no = [score for score, hit in scored if not hit]
    auc = sum((a > b) + 0.5 * (a == b) for a in yes for b in no) / (len(yes) * len(no))
    precision, before = 0.0, 0.0
    for threshold in sorted({score for score, _ in scored}, reverse=True):
        taken = [hit for score, hit in scored if score >= threshold]
        recall = sum(taken) / len(yes)
        precision += (recall - before) * sum(taken) / len(taken)
        before = recall
    return auc, precision


class Evaluate(Case):
    def setUp(self):
        super().setUp()
        noisy(self.path("d", "train"), 8, 1)
        noisy(self.path("d", "val"), 14, 2)
        # Equal scores under both classes.
        for i in range(3):
            shutil.copy(self.path("d/val/cold/%02d.png" % i), self.path("d/val/warm/again%d.png" % i))
        self.good("fit", "d", "--model", "tiny_convnet", "--epochs", "8", "--lr", "0.003", "--batch", "4", "--seed", "3", "--out", "r",
                  *CPU)

    def table(self, *options):
        found = json.loads(self.good("evaluate", "r", "--predictions", "t.csv", "--probabilities", "--json", *options,
                                     *CPU))
        with open(self.path("t.csv"), newline="", encoding="utf-8") as file:
            return found, list(csv.DictReader(file))

    def test_the_table_gives_the_figures(self):
        found, rows = self.table("--threshold", "0.6")
        self.assertEqual(list(rows[0]), ["file", "truth", "predicted", "probability_of_truth", "class", "probability",
                                         "class_2", "probability_2", "error", "cold", "warm"])
        self.assertEqual(len(rows), 31)
        self.assertEqual([os.path.basename(os.path.dirname(row["file"])) for row in rows], [row["truth"] for row in rows])
        loss, right = 0.0, 0
        bins = [[] for _ in range(15)]
        for row in rows:
            p = {name: float(row[name]) for name in ("cold", "warm")}
            self.assertAlmostEqual(sum(p.values()), 1, places=6)
            self.assertEqual(row["predicted"], max(p, key=p.get))
            self.assertEqual((row["class"], float(row["probability"])), (row["predicted"], max(p.values())))
            self.assertEqual((float(row["probability_of_truth"]), float(row["probability_2"])),
                             (p[row["truth"]], min(p.values())))
            loss -= math.log(p[row["truth"]]) / len(rows)
            hit = row["predicted"] == row["truth"]
            right += hit
            bins[min(14, math.ceil(max(p.values()) * 15) - 1)].append((max(p.values()), hit))
        self.assertAlmostEqual(found["loss"], loss, places=5)
        self.assertAlmostEqual(found["top1"], right / 31, places=6)
        self.assertTrue(0 < right < 31)  # else nothing is told apart below
        error = 0.0
        for ours, mine in zip(found["calibration"]["bins"], bins, strict=True):
            self.assertEqual(ours["images"], len(mine))
            if mine:
                sure, hits = (sum(column) / len(mine) for column in zip(*mine))
                self.assertAlmostEqual(ours["confidence"], sure, places=6)
                self.assertAlmostEqual(ours["accuracy"], hits, places=6)
                error += abs(hits - sure) * len(mine) / 31
        self.assertAlmostEqual(found["calibration"]["error"], error, places=6)
        for name in ("cold", "warm"):
            auc, precision = areas(rows, name)
            self.assertAlmostEqual(found["ranking"]["roc_auc"], auc, places=6)
            self.assertAlmostEqual(found["ranking"]["average_precision"][name], precision, places=6)
        sure = [row for row in rows if float(row["probability"]) >= 0.6]
        self.assertEqual(found["threshold"]["images"], len(sure))
        self.assertAlmostEqual(found["threshold"]["coverage"], len(sure) / 31, places=6)
        self.assertAlmostEqual(found["threshold"]["top1"],
                               sum(row["predicted"] == row["truth"] for row in sure) / len(sure), places=6)
        text = self.good("evaluate", "r", "--threshold", "0.6", *CPU)
        self.assertIn("area under the ROC curve %.4f" % found["ranking"]["roc_auc"], text)
        self.assertIn("with a confidence of 0.6 or more: %d of 31 pictures" % len(sure), text)
        self.assertIn("calibration error %.2f %%" % (100 * error), text)

    def test_views_are_those_of_torchvision(self):
        """FiveCrop and TenCrop by their definition: pieces are cut here, and what is said of them is averaged."""
        noisy(self.path("wide"), 2, 5, 39, 33)  # the middle of an odd rest: another one when the picture is flipped
        options = ["--input", "24", "--resize", "33"]
        pixels = self.pixels("wide")
        left, top = round((39 - 24) / 2), round((33 - 24) / 2)  # half to even, as torchvision rounds
        five = [(0, 0), (15, 0), (0, 9), (15, 9), (left, top)]
        for views, cuts in (("flip", [(left, top, False), None]), ("five", [(x, y, False) for x, y in five]),
                            ("ten", [(x, y, flip) for flip in (False, True) for x, y in five])):
            expected = {}
            for name, rows in pixels.items():
                names = []
                for i, cut in enumerate(cuts):
                    x0, y0, flip = cut or cuts[0]
                    source = [row[::-1] for row in rows] if flip else rows
                    piece = [row[x0:x0 + 24] for row in source[y0:y0 + 24]]
                    piece = [row[::-1] for row in piece] if cut is None else piece
                    names.append("piece%d.png" % i)
                    png(self.path(names[-1]), 24, 24, lambda x, y, piece=piece: piece[y][x])
                lines = self.good("predict", "r", *names, "--json", "--input", "24", "--resize", "24", *CPU).splitlines()
                warm = [entry["probability"] for line in lines for entry in json.loads(line)["top"]
                        if entry["name"] == "warm"]
                expected[name] = sum(warm) / len(cuts)
            for batch in ("3", "16"):
                self.good("evaluate", "r", "wide", "--tta", views, "--predictions", "w.csv", "--probabilities",
                          "--batch", batch, *options, *CPU)
                with open(self.path("w.csv"), newline="", encoding="utf-8") as file:
                    rows = list(csv.DictReader(file))
                self.assertEqual(len(rows), 4)
                for row in rows:
                    self.assertAlmostEqual(float(row["warm"]), expected[row["file"]], places=5, msg=(views, batch))
            lines = self.good("predict", "r", *sorted(pixels), "--tta", views, "--json", *options, *CPU).splitlines()
            for line in lines:
                found = json.loads(line)
                share = {entry["name"]: entry["probability"] for entry in found["top"]}["warm"]
                self.assertAlmostEqual(share, expected[found["file"]], places=5)

    def pixels(self, folder):
        """The pictures of a folder, as rows of pixels: drawn anew by the same numbers."""
        drawn = {}
        noise = random.Random(5)
        for name, mean in (("cold", 105), ("warm", 150)):
            for i in range(2):
                red = mean + noise.randrange(-70, 71)
                drawn["%s/%s/%02d.png" % (folder, name, i)] = [
                    [(max(0, min(255, red + 3 * x - 60 + noise.randrange(-20, 21))), 120 - y, 255 - red // 2)
                     for x in range(39)] for y in range(33)]
        return drawn

    def test_a_mean_over_views_does_not_stay_with_the_run(self):
        with open(self.path("r/evaluation.json"), "rb") as file:
            before = file.read()
        self.good("evaluate", "r", "--tta", "flip", *CPU)
        with open(self.path("r/evaluation.json"), "rb") as file:
            self.assertEqual(file.read(), before)

    def test_the_report_shows_what_was_hard(self):
        self.good("evaluate", "r", "--report", "page.html", *CPU)
        for name in ("page.html", "r/report.html"):
            with open(self.path(name), encoding="utf-8") as file:
                page = file.read()
            for words in ("How far its certainty can be relied on", "Expected calibration error", "calibration diagram",
                          "Two classes apart", "Area under the ROC curve", "ROC curve, and precision over recall",
                          "Largest loss", "The surest mistakes are all among them", "In doubt",
                          "Best and worst of each class", "Most probable", "Least probable", "Where it looks"):
                self.assertIn(words, page, name)
            self.assertNotIn("<img src", page)
            self.assertEqual(page.count("<img"), page.count(" alt=\""))
        found, rows = self.table()
        worst = min(rows, key=lambda row: float(row["probability_of_truth"]))
        first = page[page.index("Largest loss"):].split("</figure>")[0]
        self.assertIn(os.path.relpath(worst["file"], worst["file"].split("/val/")[0]), first)
        self.assertIn("taken for " + worst["predicted"], first)

    def test_the_report_of_a_fit_knows_all_pictures(self):
        """However many were evaluated, and without another pass: what evaluating said of them is what is shown. Of more than
        4,000 there was nothing."""
        noise = random.Random(7)
        for name, count in ("train", 30), ("t10k", 4100):
            labels = bytes(noise.randrange(2) for _ in range(count))
            with open(self.path(name + "-labels-idx1-ubyte"), "wb") as file:
                file.write(struct.pack(">II", 0x801, count) + labels)
            with open(self.path(name + "-images-idx3-ubyte"), "wb") as file:
                file.write(struct.pack(">IIII", 0x803, count, 28, 28))
                file.write(b"".join(bytes([60 * label + noise.randrange(150)]) * 784 for label in labels))
        self.good("fit", ".", "--kind", "idx", "--epochs", "1", "--batch", "10", "--out", "many", *CPU)
        self.good("evaluate", "many", "--report", "again.html", *CPU)
        shown = []
        for page in "many/report.html", "again.html":
            with open(self.path(page), encoding="utf-8") as file:
                text = file.read()
            self.assertIn("How far its certainty can be relied on", text)
            shown.append(re.findall(r"<small>t10k-images-idx3-ubyte\[(\d+)\]", text))
        self.assertGreater(len(shown[0]), 20)
        self.assertEqual(*shown)

    def test_bad_use(self):
        self.bad(2, ["--tta is flip, five or ten"], "evaluate", "r", "--tta", "twelve", *CPU)
        self.bad(2, ["--predictions"], "evaluate", "r", "--top", "3", *CPU)
        self.bad(2, ["--predictions"], "evaluate", "r", "--probabilities", *CPU)
        self.bad(2, ["a file for --predictions"], "evaluate", "r", "--predictions", "-", *CPU)
        self.bad(2, ["--threshold"], "evaluate", "r", "--threshold", "1.5", *CPU)
        self.bad(1, ["no/t.csv cannot be written"], "evaluate", "r", "--predictions", "no/t.csv", *CPU)


main()
