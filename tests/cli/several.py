#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""several.py GRAFT: several networks in one `graft fit`: trained in turn, compared, interrupted, resumed, failed."""

import json
import os
import shutil
import signal
import subprocess
import time

from command import GRAFT, Case, draw_data, main

CPU = ["--device", "cpu", "--threads", "1"]
FIT = ["--batch", "4", "--seed", "7", "--input", "32", "--weights", "none", *CPU]


class Several(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"), 5, 2)

    def recipe(self, run):
        with open(self.path(run, "config.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_one_after_the_other(self):
        out = self.good("fit", "d", "--model", "tiny_convnet,mobilenet_v2", *FIT, "--epochs", "1", "--out", "o")
        self.assertLess(out.index("network     tiny_convnet"), out.index("network     mobilenet_v2"))
        self.assertIn("o/tiny_convnet", out[out.index("network     mobilenet_v2"):])  # the comparison comes last
        for name in ("index.html", "table.md", "table.csv", "accuracy.png", "curves.png"):
            self.assertTrue(os.path.exists(self.path("o/compared", name)), name)
        recipes = [self.recipe("o/" + name) for name in ("tiny_convnet", "mobilenet_v2")]
        for key in ("epochs", "seed", "batch", "input", "stages"):
            self.assertEqual(recipes[0][key], recipes[1][key], key)
        self.bad(1, ["o holds several networks already", "--resume o"], "fit", "d", "--model", "tiny_convnet,resnet18", *FIT,
                 "--out", "o")
        # Alone it is the same run, to the bit.
        self.good("fit", "d", "--model", "tiny_convnet", *FIT, "--epochs", "1", "--out", "alone")
        with open(self.path("alone/last.safetensors"), "rb") as one, open(self.path("o/tiny_convnet/last.safetensors"),
                                                                         "rb") as other:
            weights = other.read()
            self.assertEqual(one.read(), weights)
        # Going on: one is begun anew as it was asked for, from another folder; one is done.
        shutil.rmtree(self.path("o/tiny_convnet"))
        os.mkdir(self.path("elsewhere"))
        done = subprocess.run([GRAFT, "fit", "--resume", "../o", "--json", *CPU], cwd=self.path("elsewhere"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("mobilenet_v2 is done", done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([list(line)[0] for line in lines], ["run", "runs"])
        self.assertEqual([run["network"] for run in lines[1]["runs"]], ["tiny_convnet", "mobilenet_v2"])
        with open(self.path("o/tiny_convnet/last.safetensors"), "rb") as file:
            self.assertEqual(file.read(), weights)

    def test_one_that_fails(self):
        """Weights that are not here, a file that is not there: told; the others go on, and the exit code says so."""
        arguments = ["fit", "d", "--model", "resnet18,nothing.onnx,mnist_convnet", "--epochs", "1", "--batch", "4", *CPU,
                     "--out", "o"]
        for command in (arguments, ["fit", "--resume", "o", *CPU]):
            done = self.run_graft(*command)
            self.assertEqual(done.returncode, 1, done.stderr)
            failures = [line for line in done.stderr.splitlines() if line.startswith("graft: ")]
            self.assertEqual(len(failures), 3, done.stderr)
            self.assertIn("graft pull resnet18", failures[0])
            self.assertIn("nothing.onnx", failures[1])
            self.assertIn("2 of 3 networks failed: resnet18, nothing.onnx; once more: graft fit --resume o", failures[2])
            self.assertIn("o/mnist_convnet", done.stdout)
            self.assertEqual(os.path.exists(self.path("o/resnet18")), False)

    def test_interrupted(self):
        process = subprocess.Popen([GRAFT, "fit", "d", "--model", "tiny_convnet,mnist_convnet", *FIT, "--epochs", "100000",
                                    "--out", "o"], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(20000):
            if os.path.exists(self.path("o/tiny_convnet/state.safetensors")) or process.poll() is not None:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
        self.assertEqual(process.returncode, 130, said)
        self.assertIn("go on with: graft fit --resume o\n", said)
        self.assertFalse(os.path.exists(self.path("o/mnist_convnet")))
        before = os.path.getsize(self.path("o/tiny_convnet/history.csv"))
        process = subprocess.Popen([GRAFT, "fit", "--resume", "o", *CPU], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        for _ in range(20000):
            if os.path.getsize(self.path("o/tiny_convnet/history.csv")) > before or process.poll() is not None:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
        self.assertEqual(process.returncode, 130, said)
        self.assertGreater(os.path.getsize(self.path("o/tiny_convnet/history.csv")), before)

    def test_bad_use(self):
        self.bad(2, ["resnet18 twice"], "fit", "d", "--model", "resnet18,resnet18", *CPU)
        self.bad(2, ["number 2 has no name"], "fit", "d", "--model", "resnet18,,resnet50", *CPU)
        self.bad(2, ["resnet81", "resnet"], "fit", "d", "--model", "resnet18,resnet81", *CPU)
        self.bad(2, ["layer9"], "fit", "d", "--model", "resnet18,resnet50", "--stages", "layer9", *CPU)
        self.bad(2, ["--weights w.pth", "one network"], "fit", "d", "--model", "resnet18,resnet50", "--weights", "w.pth", *CPU)
        self.bad(2, ["resnet18,resnet50"], "lr-find", "d", "--model", "resnet18,resnet50", *CPU)
        self.assertEqual(sorted(os.listdir(self.folder)), ["d"])
        os.mkdir(self.path("o"))
        with open(self.path("o/networks.json"), "w", encoding="utf-8") as file:
            file.write("{")
        self.bad(1, ["o/networks.json, line 1"], "fit", "--resume", "o")
        self.bad(2, ["leave --epochs away"], "fit", "--resume", "o", "--epochs", "3")


main()
