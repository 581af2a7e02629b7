# SPDX-License-Identifier: MIT
"""Data sets by their published layout, from the first command to the last: Oxford-IIIT Pet."""

import os
import shutil

from command import Case, draw_data, main

FIT = ["--model", "tiny_convnet", "--input", "32", "--batch", "4", "--epochs", "1", "--device", "cpu"]


class Layouts(Case):
    def pets(self, name):
        """Two breeds of cats, and one of dogs."""
        rows = []
        os.makedirs(self.path(name, "images"))
        os.makedirs(self.path(name, "annotations"))
        for number, file in enumerate(sorted(os.listdir(self.path("drawn", "train", "red")))):
            breed, species, title = ((1, 1, "Abyssinian"), (2, 2, "beagle"), (3, 1, "Bengal"))[number % 3]
            rows.append("%s_%d %d %d 1\n" % (title, number, breed, species))
            shutil.copy(self.path("drawn", "train", "red", file), self.path(name, "images", "%s_%d.png" % (title, number)))
        with open(self.path(name, "annotations", "trainval.txt"), "w", encoding="utf-8") as list_file:
            list_file.writelines(rows[:6])
        with open(self.path(name, "annotations", "test.txt"), "w", encoding="utf-8") as list_file:
            list_file.writelines(rows[6:])

    def test_labels_and_parts_of_a_run(self):
        draw_data(self.path("drawn"), 9, 0)
        self.pets("pets")
        self.pets("others")
        self.good("fit", "pets", *FIT, "--labels", "species", "--split", "val=test", "--out", "r")
        self.good("fit", "--resume", "r")
        self.bad(1, ["--labels", "resumed", "begun"], "fit", "--resume", "r", "--labels", "breed")
        text = self.good("evaluate", "r", "--device", "cpu")
        self.assertRegex(text, r"(?m)^cat ")
        self.assertRegex(text, r"(?m)^dog ")
        # all of it, and other pictures
        self.good("evaluate", "r", "--split", "all", "--device", "cpu")
        self.bad(1, ["Abyssinian", "none of the 2 classes"], "evaluate", "r", "others", "--device", "cpu")
        self.good("evaluate", "r", "others", "--labels", "species", "--device", "cpu")
        self.bad(2, ["--labels", "away"], "evaluate", "r", "--labels", "species")
        self.bad(1, ["did you mean 'species'"], "check", "others", "--labels", "specie")


if __name__ == "__main__":
    main()
