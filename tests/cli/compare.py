# SPDX-License-Identifier: MIT
"""graft compare: figures are those of history.csv, differences those of the recipes, tables are what readers take them for."""

import csv
import json
import os
import unittest

from command import Case, draw_data, main

COMMON = ["--model", "tiny_convnet", "--input", "16", "--device", "cpu", "--batch", "5"]


class Compare(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"))
        self.good("fit", "d", *COMMON, "--epochs", "2", "--out", "a")
        weights = ["--weights", "a/model.safetensors", "--stages", "head:2,all:3"]
        self.good("fit", "d", *COMMON, *weights, "--lr", "3e-4", "--out", 'b,"|c')

    def history(self, run):
        with open(self.path(run, "history.csv"), newline="") as file:
            return list(csv.DictReader(file))

    def test_figures(self):
        told = json.loads(self.good("compare", "a", 'b,"|c', "--json"))
        for run in told["runs"]:
            rows = self.history(run["run"])
            best = max(rows, key=lambda row: (float(row["val_top1"]), -float(row["val_loss"])))
            self.assertAlmostEqual(run["val_top1"], float(best["val_top1"]), places=6)
            self.assertAlmostEqual(run["val_loss"], float(best["val_loss"]), places=6)
            self.assertEqual(run["best_epoch"], int(best["epoch"]))
            self.assertEqual(run["epochs"], len(rows))
            self.assertAlmostEqual(run["seconds"], sum(float(row["seconds"]) for row in rows), places=3)
        stages = [[float(row["val_top1"]) for row in self.history('b,"|c') if row["stage"] == stage] for stage in ("head", "all")]
        self.assertEqual([round(x, 6) for x in told["runs"][1]["stage_top1"]], [round(max(s), 6) for s in stages])
        self.assertIsNone(told["runs"][0]["stage_top1"][1])
        different = told["differences"]
        self.assertEqual(different["learning_rate"], [None, 3e-4])
        self.assertEqual(different["bn"], ["train", "frozen"])
        self.assertEqual([stage["epochs"] for stage in different["stages"][1]], [2, 3])
        for key in ("batch", "data", "seed", "classes", "rates"):
            self.assertNotIn(key, different)

    def test_what_teaching_took(self):
        """Memory and rate stay with the run, whatever it is evaluated on; a test part has a figure of its own."""
        draw_data(self.path("t"), 4, 2)
        os.rename(self.path("t/val"), self.path("t/test"))
        self.good("fit", "t", *COMMON, "--epochs", "1", "--out", "t1")
        self.good("fit", "t", *COMMON, "--epochs", "1", "--weights", "t1", "--stages", "head", "--out", "t2")
        told = json.loads(self.good("compare", "t1", "t2", "--json"))["runs"]
        self.good("evaluate", "t1", "--device", "cpu")
        again = json.loads(self.good("compare", "t1", "t2", "--json"))["runs"]
        self.assertEqual(told[0]["memory_bytes"], again[0]["memory_bytes"])
        with open(self.path("t1/evaluation.json")) as file:
            evaluation = json.load(file)
        self.assertEqual((evaluation["split"], evaluation["top1"]), ("test", told[0]["test_top1"]))
        self.assertIsNone(told[0]["val_top1"])
        self.assertAlmostEqual(told[0]["images_per_second"], evaluation["training"]["images_per_second"], 3)
        self.assertIsNone(told[1]["images_per_second"])  # its steps were on features
        # Weights, gradients and Adam's two moments, at the least.
        self.assertGreater(told[0]["memory_bytes"], 4 * 4 * told[0]["parameters_learnt"])
        self.assertGreater(told[0]["memory_bytes"], told[1]["memory_bytes"])
        head = self.good("compare", "t1", "t2").splitlines()[0]
        self.assertRegex(head, "^run +network +right, % +loss +test, % +best epoch +epochs +parameters learnt +seconds +images/s +MiB")

    def test_files(self):
        self.good("compare", "a", 'b,"|c', "--out", "x")
        self.assertEqual(sorted(os.listdir(self.path("x"))), ["accuracy.png", "curves.png", "index.html", "table.csv", "table.md"])
        with open(self.path("x", "table.csv"), newline="") as file:
            rows = list(csv.reader(file))
        self.assertEqual([row[0] for row in rows[:3]], ["run", "a", 'b,"|c'])
        self.assertEqual(len({len(row) for row in rows[:3]}), 1)
        with open(self.path("x", "table.md")) as file:
            lines = file.read().split("\n\n")[0].splitlines()
        bars = {line.replace("\\|", "").count("|") for line in lines}
        self.assertEqual(len(bars), 1)
        self.assertIn('b,"\\|c', lines[3])

    def test_one_alone_and_refused(self):
        self.assertEqual(json.loads(self.good("compare", "a", "--json"))["differences"], {})
        self.bad(1, ["nowhere"], "compare", "a", "nowhere")
        self.bad(1, ["cannot make the folder", "a/config.json"], "compare", "a", "--out", "a/config.json/x", prints=True)
        self.bad(2, [], "compare")


if __name__ == "__main__":
    main()
