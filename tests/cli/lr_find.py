# SPDX-License-Identifier: MIT
"""graft lr-find: a range test of learning rates; graft fit --resume RUN --epochs +N."""

import csv
import json
import math
import os

from command import Case, draw_data, main, snapshot

FIT = ["--model", "tiny_convnet", "--input", "32", "--device", "cpu"]


class Find(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"), 5, 2)

    def rows(self, path):
        with open(self.path(path), newline="") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]

    def find(self, *arguments):
        return json.loads(self.good("lr-find", "d", *FIT, "--json", *arguments))

    def test_the_curve(self):
        """Rates that rise by the same factor; the moving average and what is suggested, by their definitions."""
        before = snapshot(self.folder)
        found = self.find("--batch", "10", "--steps", "40", "--from", "1e-6", "--to", "1")
        now = snapshot(self.folder)
        self.assertEqual(sorted(set(now) - set(before)), ["lr-find.csv", "lr-find.png"])
        self.assertTrue(now["lr-find.png"].startswith(b"\x89PNG"))
        rows = self.rows("lr-find.csv")
        self.assertEqual((len(rows), found["steps"], found["diverged"]), (40, 40, False))
        average = 0
        for i, row in enumerate(rows):
            self.assertAlmostEqual(math.log10(row["learning_rate"]), -6 + 6 * i / 39, delta=1e-6)
            average = 0.98 * average + 0.02 * row["loss"]
            self.assertAlmostEqual(row["smoothed"], average / (1 - 0.98 ** (i + 1)), delta=1e-6)
        slopes = {i: (rows[i + 2]["smoothed"] - rows[i - 2]["smoothed"]) /
                     math.log(rows[i + 2]["learning_rate"] / rows[i - 2]["learning_rate"]) for i in range(6, 38)}
        steepest = min(slopes, key=slopes.get)
        self.assertAlmostEqual(found["steepest"] / rows[steepest]["learning_rate"], 1, delta=1e-6)
        least = min(rows, key=lambda row: row["smoothed"])
        self.assertAlmostEqual(found["minimum"] / least["learning_rate"], 1, delta=1e-6)
        # The first step is that of a run: all pictures are in it.
        self.good("fit", "d", *FIT, "--batch", "10", "--epochs", "1", "--out", "r")
        self.assertAlmostEqual(self.rows_of_run("r")[0]["train_loss"], rows[0]["loss"], delta=1e-6)
        # The same again, and with a decay by depth, which is another curve.
        self.find("--batch", "10", "--steps", "40", "--from", "1e-6", "--to", "1", "--out", "again")
        self.assertEqual(self.rows("again.csv"), rows)
        self.find("--batch", "10", "--steps", "40", "--from", "1e-6", "--to", "1", "--out", "other", "--lr-decay", "exp:3")
        self.assertNotEqual(self.rows("other.csv"), rows)

    def rows_of_run(self, run):
        with open(self.path(run, "history.csv"), newline="") as file:
            return [dict(row, train_loss=float(row["train_loss"])) for row in csv.DictReader(file)]

    def test_it_ends_where_the_loss_diverges(self):
        """Batches of three of ten: epochs go by without a word. The last average is four times the least one, or the
        step after it had a loss that is no number."""
        found = self.find("--batch", "3", "--optimizer", "sgd", "--from", "1e-3", "--to", "1e6", "--steps", "200")
        rows = self.rows("lr-find.csv")
        self.assertTrue(found["diverged"])
        self.assertTrue(5 < found["steps"] < 200 and found["steps"] == len(rows))
        least = min(row["smoothed"] for row in rows)
        for row in rows[5:-1]:
            self.assertLessEqual(row["smoothed"], 4 * least + 1e-9)
        self.assertTrue(all(math.isfinite(row["loss"]) for row in rows))
        self.bad(2, ["--to"], "lr-find", "d", *FIT, "--from", "1", "--to", "0.1")
        self.bad(2, ["lr-find needs DATA"], "lr-find", *FIT)
        self.assertFalse(os.path.exists(self.path("runs")))

    def test_more_epochs(self):
        """A stage like the last one; the best epoch is that of all."""
        rest = ["--batch", "5", "--stages", "all:2:1e-3,last:2:1:5e-4"]
        self.good("fit", "d", *FIT, *rest, "--out", "r")
        before = self.rows_of_run("r")
        done = self.run_graft("fit", "--resume", "r", "--epochs", "+2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("stage 3 of 3, epochs 4 to 5: learning rates: ", done.stderr)
        rows = self.rows_of_run("r")
        self.assertEqual(rows[:3], before)
        self.assertEqual([row["epoch"] for row in rows], ["1", "2", "3", "4", "5"])
        self.assertEqual([float(row["learning_rate"]) for row in rows[3:]], [5e-4, 2.5e-4])
        with open(self.path("r/config.json")) as file:
            stages = json.load(file)["stages"]
        self.assertEqual([(s["from"], s["epochs"]) for s in stages], [("all", 2), ("last:2", 1), ("last:2", 2)])
        self.assertIn("is complete", self.run_graft("fit", "--resume", "r").stderr)
        for _ in range(5):
            self.good("fit", "--resume", "r", "--epochs", "+1")
        self.bad(1, ["8 stages"], "fit", "--resume", "r", "--epochs", "+1")
        self.bad(2, ["--resume"], "fit", "d", *FIT, "--epochs", "+1", "--out", "n")
        self.bad(1, ["--epochs"], "fit", "--resume", "r", "--epochs", "3")
        self.bad(2, ["--epochs"], "fit", "--resume", "r", "--epochs", "+0")


if __name__ == "__main__":
    main()
