# SPDX-License-Identifier: MIT
"""graft fit: schedules from epoch to epoch, stages that end early, averages of weights, accumulation, balanced sampling."""

import csv
import json
import os
import shutil

from command import Case, draw_class, draw_data, main
from rates import tensors

FIT = ["--model", "tiny_convnet", "--input", "32", "--batch", "5", "--device", "cpu"]


class Schedules(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"), 5, 2)

    def fit(self, out, *arguments, data="d"):
        """What it says, and its history."""
        shutil.rmtree(self.path(out), ignore_errors=True)
        done = self.run_graft("fit", data, *FIT, "--out", out, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path(out, "history.csv"), newline="") as file:
            return done.stderr, list(csv.DictReader(file))

    def config(self, run):
        with open(self.path(run, "config.json")) as file:
            return json.load(file)

    def test_rates_of_epochs(self):
        """Two steps an epoch; the history holds the rate of the first."""
        for arguments, wanted in (
            (["exponential", "--lr-gamma", "0.5"], [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]),
            (["step", "--lr-period", "2", "--lr-gamma", "0.1"], [1, 1, 0.1, 0.1, 0.01, 0.01]),
            (["cosine", "--restart", "2"], [1, 0.5, 1, 0.5, 1, 0.5]),
            (["cosine", "--restart", "2", "--restart-factor", "2", "--lr-end", "0.5"], [1, 0.75, 1, 0.926776695, 0.75, 0.573223305]),
            (["onecycle", "--peak", "0.5"], [0.04, 0.371662, 0.908328, 0.933013, 0.5, 0.0669902]),
        ):
            with self.subTest(" ".join(arguments)):
                said, rows = self.fit("r", "--epochs", "6", "--lr", "1e-3", "--schedule", *arguments)
                self.assertEqual(len(rows), 6)
                for row, factor in zip(rows, wanted):
                    self.assertAlmostEqual(float(row["learning_rate"]) / 1e-3, factor, delta=2e-3)
        # A loss that cannot fall: after more than one such epoch it is halved.
        said, rows = self.fit("r", "--epochs", "6", "--lr", "1e-12", "--schedule", "plateau", "--plateau", "1", "--lr-gamma", "0.5",
                              "--bn", "train", "--trunk-factor", "1")
        losses = [float(row["val_loss"]) for row in rows]
        factor, best, bad, wanted = 1, float("inf"), 0, []
        for loss in losses:
            wanted.append(factor)
            best, bad = (loss, 0) if loss < best * (1 - 1e-4) else (best, bad + 1)
            factor, bad = (factor / 2, 0) if bad > 1 else (factor, bad)
        self.assertEqual([round(float(row["learning_rate"]) / 1e-12, 9) for row in rows], wanted)

    def test_what_a_schedule_ignores_is_refused(self):
        for arguments in (["step", "--lr-end", "0.1"], ["constant", "--restart", "2"], ["cosine", "--lr-period", "2"],
                          ["cosine", "--lr-gamma", "0.5"], ["cosine", "--peak", "0.5"], ["onecycle", "--warmup", "3"],
                          ["cosine", "--restart-factor", "2"]):
            self.bad(1, [arguments[1], arguments[0]], "fit", "d", *FIT, "--out", "n", "--schedule", *arguments)
        self.assertFalse(os.path.exists(self.path("n")))

    def test_a_stage_ends_early(self):
        """Where no loss falls by 9 it ends after 1 + patience epochs, and the next stage goes on from there."""
        said, rows = self.fit("r", "--stages", "all:6:1e-3,all:2:1e-4", "--patience", "2", "--min-change", "9")
        self.assertIn("stage 1 of 2 ends after 3 of 6 epochs", said)
        self.assertIn("stage 2 of 2, epochs 4 to 5", said)
        self.assertEqual([int(row["epoch"]) for row in rows], [1, 2, 3, 4, 5])
        self.assertEqual([stage["stopped"] for stage in self.config("r")["stages"]], [3, None])
        # The rates are those of six epochs.
        self.assertAlmostEqual(float(rows[2]["learning_rate"]), 0.75e-3, delta=1e-9)
        done = self.run_graft("fit", "--resume", "r")
        self.assertIn("is complete", done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        said, rows = self.fit("r", "--epochs", "3", "--patience", "3")
        self.assertNotIn(" ends after ", said.replace("it ends after", ""))

    def test_averages_are_measured(self):
        """What learns is the same; what is measured and kept is the average, which follows."""
        _, plain = self.fit("plain", "--epochs", "2", "--schedule", "constant")
        said, rows = self.fit("mean", "--epochs", "2", "--schedule", "constant", "--ema", "0.5")
        self.assertIn("a moving average of 0.5", said)
        self.assertEqual([row["train_loss"] for row in rows], [row["train_loss"] for row in plain])
        self.assertNotEqual([row["val_loss"] for row in rows], [row["val_loss"] for row in plain])
        last = [tensors(self.path(run, "last.safetensors")) for run in ("plain", "mean")]
        self.assert_same_tensors(*last)
        kept = tensors(self.path("mean/model.safetensors"))
        self.assertNotEqual(kept["fc.weight"], last[1]["fc.weight"])
        # Statistics are no parameters: they are those of the network that learns.
        best = max(range(2), key=lambda e: (float(rows[e]["val_top1"]), -float(rows[e]["val_loss"])))
        self.assertEqual(kept["block1.bn.running_mean"] == last[1]["block1.bn.running_mean"], best == 1)
        figures = json.loads(self.good("evaluate", "mean", "d", "--split", "val", "--device", "cpu", "--json"))
        self.assertAlmostEqual(figures["loss"], float(rows[best]["val_loss"]), delta=1e-5)

    def test_accumulation(self):
        """Ten pictures a step, two or three at a time: a step a batch, and the same losses."""
        rest = ["--batch", "10", "--epochs", "2", "--bn", "frozen", "--weights", "w"]
        self.fit("w", "--epochs", "1")
        _, whole = self.fit("a", *rest)
        for size in ("2", "3", "40"):
            said, rows = self.fit("b", *rest, "--stages", "all", "--micro-batch", size)
            _, wanted = self.fit("c", *rest, "--stages", "all")
            self.assertEqual("micro-batches of" in said, size != "40")
            for row, other in zip(rows, wanted):
                self.assertAlmostEqual(float(row["train_loss"]), float(other["train_loss"]), delta=1e-5)

    def test_classes_are_drawn_alike(self):
        """Of 32 pictures 30 in one class: a network that only learns how often a class comes says half."""
        for class_name, count, colour in (("many", 30, (90, 90, 90)), ("few", 2, (91, 91, 91))):
            draw_class(self.path("e/train"), class_name, colour, count, class_name, side=16)
            draw_class(self.path("e/val"), class_name, colour, 2, class_name, side=16)
        for augment in ([], ["--augment", "light"]):
            shares = {}
            for how in ("shuffled", "balanced"):
                said, rows = self.fit("r", "--batch", "32", "--stages", "all:30:1e-12", "--sampling", how, *augment, data="e")
                self.assertEqual("classes are drawn alike" in said, how == "balanced")
                # A network that cannot learn is right with one class only, or nearly: the share of that one.
                shares[how] = [float(row["train_top1"]) for row in rows]
            self.assertEqual(len(set(shares["shuffled"])) if not augment else 1, 1)
            mean = sum(shares["balanced"]) / 30
            self.assertTrue(0.3 < mean < 0.7, shares)


if __name__ == "__main__":
    main()
