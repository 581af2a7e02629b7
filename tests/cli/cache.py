# SPDX-License-Identifier: MIT
"""graft fit --cache and --decode: what is kept and what is computed anew, and that a run's pixels stay what they were when
it learnt."""

import csv
import json
import os
import re
import subprocess

from command import GRAFT, Case, draw_data, main

FIT = ["--model", "tiny_convnet", "--input", "32", "--batch", "5", "--epochs", "2", "--device", "cpu"]


class Cached(Case):
    def losses(self, run):
        with open(self.path(run, "history.csv")) as file:
            return [float(row[name]) for row in csv.DictReader(file) for name in ("train_loss", "val_loss")]

    def fit(self, data, out, *arguments):
        """What is said of features: lines."""
        done = self.run_graft("fit", data, *FIT, "--out", out, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line for line in done.stderr.splitlines() if "features" in line]

    def test_what_is_kept_and_what_it_costs(self):
        draw_data(self.path("d"), 6, 3)
        self.assertEqual(self.fit("d", "base"), [])  # everything learns
        head = ["--weights", "base", "--stages", "head"]
        for out, how in (("kept", []), ("always", ["--cache", "always"])):
            (line,) = self.fit("d", out, *head, *how)
            self.assertRegex(line, r"^features before head: kept \(--cache %s\), as nothing varies: 18 pictures went through "
                             r"it once, in \d+\.\d s; 0\.\d MiB$" % (how or ["", "auto"])[1])
        (line,) = self.fit("d", "never", *head, "--cache", "never")
        self.assertRegex(line, r"^features before head: computed anew \(--cache never\).* in each epoch 18 pictures go through")
        # It is the same computation, in another order of the pictures.
        self.assertEqual(self.losses("kept"), self.losses("always"))
        with open(self.path("never/config.json")) as file:
            self.assertEqual(json.load(file)["cache"], "never")
        (line,) = self.fit("d", "varied", *head, "--augment", "light")
        self.assertRegex(line, r"^features before head: computed anew \(--cache auto\), as --augment varies the pictures: in each")
        (line,) = self.fit("d", "hard", *head, "--adversarial", "0.01")
        self.assertRegex(line, r"^features before head: computed anew \(--cache auto\), as --adversarial changes the pictures")
        # The head alone, then all: what is kept for the one is of no use for the other.
        lines = self.fit("d", "both", "--weights", "base", "--stages", "head:1,all:1")
        self.assertEqual([re.sub(r":.*", "", line) for line in lines], ["features before head"])

    def test_always_is_refused_where_something_varies(self):
        draw_data(self.path("d"), 3, 2)
        self.good("fit", "d", *FIT, "--out", "base")
        always = ["fit", "d", *FIT, "--weights", "base", "--cache", "always", "--out", "r"]
        for options, words in ((["--augment", "light"], ["--cache always", "--augment", "leave one"]),
                               (["--augment", "mixup"], ["--cache always", "--augment", "leave one"]),
                               (["--adversarial", "0.01"], ["--cache always", "--adversarial", "leave one"]),
                               (["--features-limit", "100"], ["--cache always", "10 pictures", "--features-limit"])):
            self.bad(1, words, *always, "--stages", "head", *options)
        self.bad(1, ["--cache always", "all of tiny_convnet learns", "--stages head"], *always, "--stages", "all")
        self.assertFalse(os.path.exists(self.path("r")))


class Decoded(Case):
    def test_a_run_sees_the_pixels_that_it_learnt_from(self):
        subprocess.run([os.path.join(os.path.dirname(GRAFT), "draw-flowers"), self.path("d"), "--train", "3", "--val", "4"],
                       check=True, stdout=subprocess.DEVNULL)
        losses = {}
        for how in ("exact", "scaled"):
            self.good("fit", "d", *FIT, "--decode", how, "--out", how)
            with open(self.path(how, "config.json")) as file:
                config = json.load(file)
            self.assertEqual((config["decode"], config["preprocess"]["scaled"]), (how, how == "scaled"))
            with open(self.path(how, "evaluation.json")) as file:
                losses[how] = json.load(file)["loss"]
            again = json.loads(self.good("evaluate", how, "--device", "cpu", "--json"))
            self.assertAlmostEqual(again["loss"], losses[how], 6)
            # A picture by itself and one of a data set.
            table = self.path("table.csv")
            self.good("evaluate", how, "--device", "cpu", "--predictions", table)
            with open(table) as file:
                row = next(row for row in csv.DictReader(file) if row["file"].endswith(".jpg"))
            alone = json.loads(self.good("predict", how, self.path("d/val", row["file"].split("val/")[-1]), "--device", "cpu",
                                         "--json").splitlines()[0])
            self.assertAlmostEqual(alone["top"][0]["probability"], float(row["probability"]), 5)
        self.assertNotEqual(losses["exact"], losses["scaled"])
        # Resumed as it was begun; what learns on from these weights says its own.
        self.bad(1, ["--decode", "scaled"], "fit", "--resume", "scaled", "--decode", "exact")
        self.good("fit", "d", *FIT, "--weights", "scaled", "--epochs", "1", "--out", "next")
        with open(self.path("next/config.json")) as file:
            self.assertFalse(json.load(file)["preprocess"]["scaled"])


if __name__ == "__main__":
    main()
