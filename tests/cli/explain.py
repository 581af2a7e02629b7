# SPDX-License-Identifier: MIT
"""graft explain: the files it writes, classes by name, every method, what it refuses. graft activations."""

import json
import os
import struct
import unittest

from command import DATA, Case, draw_data, main

SAMPLES = os.path.join(DATA, "data", "imagenet-samples")
WEIGHTS = os.path.join(DATA, "data", "squeezenet1_0-imagenet.safetensors")
FIT = ["--model", "tiny_convnet", "--input", "32", "--device", "cpu", "--batch", "5", "--epochs", "2", "--out", "r"]


def size_of(path):
    with open(path, "rb") as file:
        return struct.unpack(">II", file.read(24)[16:])


def array(path):
    """A NumPy file of f32: shape, numbers."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<H", data[8:10])[0]
    shape = tuple(int(n) for n in data[10 : 10 + length].decode().split("(")[1].split(")")[0].split(",") if n.strip())
    return shape, struct.unpack("<%df" % (shape[0] * shape[1]), data[10 + length :])


class Explain(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"))
        self.good("fit", "d", *FIT)

    def test_files(self):
        line = json.loads(self.good("explain", "r", "d/val/red/00.png", "--json"))
        self.assertEqual((line["name"], line["map"]), ("red", [2, 2]))
        self.assertEqual(sorted(os.listdir(self.path("explained"))), ["00" + end for end in ("-map.png", "-overlay.png", "-sheet.png", ".npy")] + ["index.html"])
        self.assertEqual(size_of(self.path("explained", "00-overlay.png")), (40, 40))  # the picture's own size
        self.assertEqual(size_of(self.path("explained", "00-map.png")), (32, 32))  # the input's
        shape, values = array(self.path("explained", "00.npy"))
        self.assertEqual(shape, (2, 2))
        self.assertAlmostEqual(max(values), line["largest"], places=6)
        self.assertGreaterEqual(min(values), 0)

    def test_two_classes(self):
        lines = self.good("explain", "r", "d/val/red/00.png", "--class", "blue,red", "--json", "--out", "two").splitlines()
        self.assertEqual([json.loads(line)["name"] for line in lines], ["blue", "red"])
        self.assertAlmostEqual(sum(json.loads(line)["probability"] for line in lines), 1, places=5)
        for name in ("00-blue-overlay.png", "00-red-overlay.png", "00-blue.npy", "00-red-map.png", "00-sheet.png"):
            self.assertTrue(os.path.exists(self.path("two", name)), name)

    def test_methods(self):
        for method in ("gradcam", "gradcam++", "layercam", "occlusion", "gradient", "integrated"):
            line = json.loads(self.good("explain", "r", "d/val/red/00.png", "--method", method, "--json"))
            self.assertEqual(line["map"], [2, 2] if "cam" in method else [32, 32], method)

    def test_refused(self):
        picture = "d/val/red/00.png"
        for words, arguments in (
            (["no class \"rde\"", "\"red\""], ["--class", "rde"]),
            (["block33", "block3"], ["--layer", "block33"]),
            (["gradcamm", "gradcam"], ["--method", "gradcamm"]),
            (["no map"], ["--layer", "fc"]),
            (["40 pixels"], ["--method", "occlusion", "--window", "40"]),
        ):
            self.bad(2, words, "explain", "r", picture, *arguments)
        with open(self.path("file"), "w"):
            pass
        self.bad(1, ["file"], "explain", "r", picture, "--out", "file/below")
        done = self.run_graft("explain", "r", picture, "file")
        self.assertEqual(done.returncode, 1)
        self.assertIn("file", done.stderr)
        self.assertTrue(os.path.exists(self.path("explained", "00-sheet.png")))  # the other one is done

    def test_activations(self):
        found = json.loads(self.good("activations", "r", "d/val/red/00.png", "--json"))
        layers = {layer["layer"]: layer for layer in found["layers"]}
        self.assertEqual(layers["block1.relu"]["map"], [32, 32, 16])
        self.assertEqual(layers["block1.relu"]["lowest"], 0)
        self.assertGreater(layers["block1.relu"]["zeros"], 0)
        self.assertLess(layers["block1.conv"]["lowest"], 0)
        drawn = sorted(os.listdir(self.path("activations")))
        self.assertIn("00-zeros.png", drawn)
        self.assertEqual(len(drawn), 6)  # and the last map of each of the five blocks
        self.good("activations", "r", "d/val/red/00.png", "--layers", "block2,block1.relu", "--out", "two")
        self.assertEqual(sorted(os.listdir(self.path("two"))), ["00-block1.relu.png", "00-block2.png", "00-zeros.png"])
        self.assertEqual(size_of(self.path("two", "00-block1.relu.png")), (4 * 66 + 2, 4 * 66 + 2))
        self.bad(2, ["block7", "block1"], "activations", "r", "d/val/red/00.png", "--layers", "block7")
        self.bad(2, ["no map"], "activations", "r", "d/val/red/00.png", "--layers", "fc")
        self.bad(2, ["--layers"], "activations", "r", "d/val/red/00.png", "--layers", "block1,,block2")

    @unittest.skipUnless(os.path.exists(WEIGHTS) and os.path.isdir(SAMPLES), "the real network is not there")
    def test_devices_agree(self):
        """The same map of a real network on every device, within 1e-3 of its largest value."""
        maps = {}
        picture = os.path.join(SAMPLES, "n01534433_junco.JPEG")
        for device in ("reference", "cpu", "opencl:0"):
            done = self.run_graft(
                "explain", "squeezenet1_0", picture, "--weights", WEIGHTS, "--layer", "features.12",
                "--device", device, "--out", device, "--quiet")
            if done.returncode == 0:
                maps[device] = array(self.path(device, "n01534433_junco.npy"))[1]
        self.assertIn("cpu", maps)
        largest = max(maps["reference"])
        for device, values in maps.items():
            worst = max(abs(a - b) for a, b in zip(values, maps["reference"]))
            self.assertLessEqual(worst, 1e-3 * largest, device)


main()
