# SPDX-License-Identifier: MIT
"""graft fit --augment mixup, cutmix: the same run on every number of threads and after a resume; what is told of it; the
sheet of `graft show`."""

import json
import os

from command import Case, draw_data, main

FIT = ["--model", "tiny_convnet", "--input", "32", "--batch", "4", "--device", "cpu", "--augment", "flip,mixup:0.4,cutmix",
       "--label-smoothing", "0.1"]


class Mixing(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"), 7, 3)

    def history(self, run):
        """Without the seconds."""
        with open(self.path(run, "history.csv")) as file:
            return [line.rsplit(",", 1)[0] for line in file]

    def fit(self, out, *arguments):
        return json.loads(self.good("fit", "d", *FIT, "--out", out, "--json", *arguments))

    def test_same_bits(self):
        said = self.run_graft("fit", "d", *FIT, "--epochs", "2", "--out", "a", "--threads", "1").stderr
        self.assertIn("training loss and accuracy are of mixed pictures", said)
        self.fit("b", "--epochs", "2", "--threads", "3")
        self.assertEqual(self.history("a"), self.history("b"))
        self.fit("c", "--epochs", "2", "--seed", "1")
        self.assertNotEqual(self.history("a"), self.history("c"))

    def test_validation_is_not_mixed(self):
        """Colours are learnt all the same, and an evaluation of the run says what its validation said."""
        self.assertEqual(self.fit("a", "--epochs", "8", "--lr", "1e-2")["val_top1"], 1)
        self.assertEqual(json.loads(self.good("evaluate", "a", "--device", "cpu", "--json"))["top1"], 1)
        # Training a head keeps no features: each picture is another one each time.
        self.assertIsNotNone(self.fit("b", "--epochs", "1", "--weights", "a", "--stages", "head")["images_per_second"])

    def test_show(self):
        sheets = []
        for augment in ("light,mixup", "light"):
            self.good("show", "d", "--augment", augment, "--out", "s.png", "--input", "48", "--count", "3")
            with open(self.path("s.png"), "rb") as file:
                sheets.append(file.read())
        self.assertNotEqual(*sheets)

    def test_refused(self):
        for words, *arguments in (
            (["character 7", "a number is expected"], "--augment", "mixup:x"),
            (["character 8", "alpha is from 0.001 to 1000"], "--augment", "cutmix:-1"),
            (["did you mean 'cutmix'"], "--augment", "cutmx"),
            (["--adversarial", "mixup"], "--augment", "mixup", "--adversarial", "0.02"),
        ):
            self.bad(1, words, "fit", "d", *FIT, "--quiet", "--out", "r", *arguments)
            self.assertFalse(os.path.exists(self.path("r")))
        self.bad(1, ["character 7"], "show", "d", "--augment", "mixup:0")


if __name__ == "__main__":
    main()
