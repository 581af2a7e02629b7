# SPDX-License-Identifier: MIT
"""The network that ships: `graft fit` takes it where none is named and says so; what it knows, on real pictures."""

import json
import os
import shutil
import tarfile
import unittest

from command import DATA, GRAFT, Case, draw_data, main

DEVICE = ["--device", "cpu"]
FILE = os.path.join(os.path.dirname(__file__), "..", "..", "src", "model", "graft_small.safetensors")
HYMENOPTERA = os.path.join(DATA, "data", "hymenoptera")
TINY = os.path.join(DATA, "data", "tinyimagenet100-val.tar")


def needs(path):
    return unittest.skipUnless(os.path.exists(path), path + " is not there")


class Shipped(Case):
    def fit(self, data, *arguments):
        done = self.run_graft("fit", data, *DEVICE, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def result(self, data, *arguments):
        return json.loads(self.fit(data, "--json", *arguments).stdout)

    def test_size(self):
        """At most 3 MB with its card, as the issue of a network in a repository asks."""
        self.assertLessEqual(os.path.getsize(FILE), 3000000)

    def test_taken_where_none_is_named(self):
        draw_data(self.path("d"))
        done = self.fit("d", "--epochs", "2", "--out", "r")
        lines = [line for line in done.stderr.splitlines() if line.startswith("network: ")]
        self.assertEqual(len(lines), 1, done.stderr)
        said = done.stderr.splitlines()
        self.assertEqual(said[0], lines[0], done.stderr)  # though the data is read before
        self.assertIn("2 classes", said[1])
        for word in ("graft_small", "ships with Graft", "none was named", "graft pull"):
            self.assertIn(word, lines[0])
        with open(self.path("r", "config.json")) as file:
            self.assertEqual(json.load(file)["network"], "graft_small")
        said = self.run_graft("fit", "d", "--epochs", "1", "--out", "auto").stderr.splitlines()
        self.assertEqual(said[0], lines[0])
        self.assertIn("device auto: ", said[1])
        self.assertIn("2 classes", said[2])
        said = self.run_graft("fit", "nowhere").stderr.splitlines()
        self.assertIn("device auto: ", said[0])
        self.assertEqual(len(said), 2, said)
        self.good("predict", "r", "d/val/red/00.png", *DEVICE)
        self.good("fit", "--resume", "r", *DEVICE)

    def test_from_scratch(self):
        """Weights of none, and networks that ship no weights, are said to learn from scratch."""
        draw_data(self.path("d"))
        for arguments, words in (
            (["--weights", "none"], ["tiny_convnet", "from scratch"]),
            (["--model", "resnet18", "--input", "32"], ["resnet18", "from scratch", "graft pull resnet18"]),
            (["--model", "graft_small", "--weights", "none", "--input", "64"], ["graft_small", "from scratch"]),
        ):
            said = self.fit("d", "--epochs", "1", *arguments).stderr
            line = said.splitlines()[0]
            self.assertTrue(line.startswith("network: "), said)
            for word in words:
                self.assertIn(word, line)
            self.assertNotIn("pretrained, since", line)

    def test_what_was_said_of_the_data_is_not_lost(self):
        """Where no network can be chosen, since the weights are damaged."""
        draw_data(self.path("d"), 2, 1)
        with open(self.path("w.safetensors"), "w") as file:
            file.write("none")
        done = self.run_graft("fit", "d", "--weights", "w.safetensors", *DEVICE)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("2 classes", done.stderr.splitlines()[0])
        self.assertNotIn("network: ", done.stderr)

    def test_by_name(self):
        draw_data(self.path("d"), 1, 1)
        row = json.loads(self.good("predict", "graft_small", "d/val/red/00.png", "--json", *DEVICE))
        names = [top["name"] for top in row["top"]]
        self.assertFalse([name for name in names if name.startswith("n0")], names)
        table = json.loads(self.good("models", "--json"))
        row = next(model for model in table if model["name"] == "graft_small")
        with open(row["weights"], "rb") as one, open(FILE, "rb") as other:
            self.assertEqual(one.read(), other.read())

    def test_moved_program(self):
        """A program without what is installed with it says so, and how to do without."""
        draw_data(self.path("d"), 2, 1)
        os.mkdir(self.path("bin"))
        shutil.copy(GRAFT, self.path("bin", "graft"))
        installed = self.path("share", "graft")
        alone = dict(program=self.path("bin", "graft"))
        absent = ["graft_small", "not where it is installed", "share/graft"]
        self.bad(1, [*absent, "--weights none"], "fit", "d", *DEVICE, **alone)
        self.bad(1, [*absent, "--weights none"], "fit", "d", "--model", "graft_small", *DEVICE, **alone)
        self.bad(1, [*absent, "--weights"], "predict", "graft_small", "d/val/red/00.png", *DEVICE, **alone)
        os.makedirs(installed)
        shutil.copy(FILE, installed)
        self.good("fit", "d", "--epochs", "1", *DEVICE, **alone)
        os.symlink("../bin/graft", self.path("share", "linked"))
        self.good("predict", "graft_small", "d/val/red/00.png", *DEVICE, program=self.path("share", "linked"))
        os.truncate(os.path.join(installed, "graft_small.safetensors"), 100000)
        self.bad(1, ["graft_small.safetensors"], "fit", "d", *DEVICE, **alone)

    @needs(HYMENOPTERA)
    def test_ants_and_bees(self):
        """A new head on what it sees, at default settings: 86.9 % were seen, 85 are asked for; from scratch 81."""
        self.assertGreaterEqual(self.result(HYMENOPTERA)["val_top1"], 0.85)

    @needs(TINY)
    def test_its_own_classes(self):
        with open(os.path.join(DATA, "data", "tinyimagenet100-classes.txt")) as file:
            names = dict(line.rstrip("\n").split("\t") for line in file)
        with tarfile.open(TINY) as archive:
            for member in archive:
                if member.isfile():
                    folder, name = os.path.split(member.name)
                    folder = self.path("tiny", names[folder].split(",")[0])
                    os.makedirs(folder, exist_ok=True)
                    with open(os.path.join(folder, name), "wb") as file:
                        shutil.copyfileobj(archive.extractfile(member), file)
        found = json.loads(self.good("evaluate", "graft_small", "tiny", "--json", *DEVICE))
        self.assertEqual(found["images"], 5000)
        self.assertGreaterEqual(found["top1"], 0.5)


main()
