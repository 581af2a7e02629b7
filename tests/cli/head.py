# SPDX-License-Identifier: MIT
"""Heads of one's own: how many parameters they have, what they compute from the features, and that everything that opens a
run knows them."""

import json
import math
import re
import struct

from command import Case, draw_data, main
from rates import tensors

FIT = ["--model", "tiny_convnet", "--input", "64", "--batch", "5", "--epochs", "1", "--device", "cpu", "--quiet"]


def numbers(data):
    return struct.unpack("<%df" % (len(data) // 4), data)


def rows(data, width):
    values = numbers(data)
    return [values[i : i + width] for i in range(0, len(values), width)]


def dense(x, weight, bias):
    return [sum(a * b for a, b in zip(row, x)) + c for row, c in zip(rows(weight, len(x)), numbers(bias))]


def softmax(x):
    powers = [math.exp(v - max(x)) for v in x]
    return [power / sum(powers) for power in powers]


def load(path):
    """A NumPy file of f32: its shape and numbers."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<H", data[8:10])[0]
    shape = [int(side) for side in re.findall(r"\d+", data[10 : 10 + length].decode().split("'shape'")[1])]
    return shape, numbers(data[10 + length :])


class Head(Case):
    def summary(self, *arguments):
        return json.loads(self.good("summary", *arguments, "--json"))

    def test_vgg16_with_1024(self):
        """Keras' figures for VGG16 at 300 × 300 without its top, Flatten, Dense(1024), Dense(10)."""
        found = self.summary("vgg16", "--input", "300", "--classes", "10", "--head", "flatten,dense:1024,relu,dropout:0.5")
        self.assertEqual(found["parameters"], 57193290)
        layers = {layer["name"]: layer for layer in found["layers"]}
        self.assertEqual(layers["head.0"]["shape"], [1, 41472])
        self.assertEqual(layers["head.1"]["parameters"], 41472 * 1024 + 1024)
        self.assertEqual(layers["head.4"]["parameters"], 1024 * 10 + 10)
        self.assertEqual(sum(layer["parameters"] for name, layer in layers.items() if name.startswith("features.")), 14714688)
        self.assertFalse([name for name in layers if name.startswith("classifier")])
        text = self.good("summary", "vgg16", "--input", "300", "--classes", "10", "--head", "flatten,dense:1024,relu,dropout:0.5",
                         "--freeze", "block5", "--keras")
        for name, type_of, shape, parameters in (("vgg16", "Functional", "9, 9, 512", 14714688), ("head.0", "Flatten", "41472", 0),
                                                 ("head.1", "Dense", "1024", 42468352), ("head.4", "Dense", "10", 10250)):
            self.assertRegex(text, r"(?m)^ %s \(%s\) +\(None, %s\) +%d$" % (re.escape(name), type_of, shape, parameters))
        self.assertIn("Total params: 57193290 (218.18 MB)\nTrainable params: 42478602 (162.04 MB)\n"
                      "Non-trainable params: 14714688 (56.13 MB)\n", text)
        # Keras counts running statistics: 25,636,712 of ResNet-50, 53,120 of them not trainable.
        text = self.good("summary", "keras_resnet50", "--keras")
        self.assertIn("Total params: 25636712 (97.80 MB)\nTrainable params: 25583592", text)
        self.assertIn("Non-trainable params: 53120 ", text)
        pooled = self.summary("vgg16", "--classes", "10", "--pool", "max", "--head", "dense:1024,relu")
        self.assertEqual(pooled["parameters"], 14714688 + 512 * 1024 + 1024 + 10250)
        self.assertEqual(self.summary("resnet18", "--classes", "10", "--pool", "avg")["parameters"], 11176512 + 5130)
        for network in ("googlenet", "inception_v3", "vit_b_16", "swin_t", "maxvit_t", "nasnetamobile", "efficientnet_b0"):
            own, other = self.summary(network), self.summary(network, "--pool", "avg", "--head", "dense:7")
            self.assertEqual(other["layers"][-1]["parameters"], 7 * own["classes"] + own["classes"])

    def test_what_cannot_be(self):
        for wrong in ("dense", "dense:0", "dense:x", "dropout:1", "dropout:", "relu:1", "relux", "flatten,,relu", "dense:4,avg",
                      "flatten,max", ",".join(["dense:1000000"] * 30)):
            self.bad(2, ["--head"], "summary", "resnet18", "--head", wrong)
            self.bad(2, ["--head"], "fit", "d", *FIT, "--head", wrong)
        self.bad(2, ["--no-top"], "summary", "resnet18", "--no-top", "--head", "relu")

    def test_it_computes_what_it_says(self):
        """From the features, by hand, in PyTorch's order: channels, rows, columns."""
        draw_data(self.path("d"), 5, 1)
        picture = "d/val/red/00.png"
        for head, arguments in (("flat", ["--head", "flatten,dense:9,relu,dropout:0.5"]), ("plain", ["--head", "dense:9,relu"]),
                                ("avg", ["--pool", "avg", "--head", "dense:9,tanh"]), ("max", ["--pool", "max"])):
            with self.subTest(head):
                self.good("fit", "d", *FIT, *arguments, "--out", head)
                weights = tensors(self.path(head, "model.safetensors"))
                self.good("features", head, "d/val/red", "--layer", "block5.relu", "--pool", "none", "--out", "f.npy", "--device", "cpu")
                shape, values = load(self.path("f.npy"))
                h, w, c = shape[1:]
                planes = [[values[(y * w + x) * c + k] for y in range(h) for x in range(w)] for k in range(c)]
                if head in ("flat", "plain"):
                    x = [value for plane in planes for value in plane]
                else:
                    x = [max(plane) if head == "max" else sum(plane) / len(plane) for plane in planes]
                layers = sorted({int(name.split(".")[1]) for name in weights if name.startswith("head.")})
                self.assertEqual(layers, {"flat": [1, 4], "plain": [0, 2], "avg": [1, 3], "max": [1]}[head])
                for number, layer in enumerate(layers):
                    x = dense(x, weights["head.%d.weight" % layer], weights["head.%d.bias" % layer])
                    if number + 1 < len(layers):
                        x = [math.tanh(v) if head == "avg" else max(v, 0) for v in x]
                said = json.loads(self.good("predict", head, picture, "--device", "cpu", "--json"))["top"]
                wanted = softmax(x)
                for entry in said:
                    self.assertAlmostEqual(entry["probability"], wanted[entry["index"]], delta=2e-5)

    def test_everything_knows_it(self):
        draw_data(self.path("d"), 5, 2)
        picture, head = "d/val/red/00.png", "flatten,dense:6,relu,dropout:0.5"
        done = self.run_graft("fit", "d", *[word for word in FIT if word != "--quiet"], "--head", head, "--out", "r")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("head: " + head, done.stderr)
        said = self.good("predict", "r", picture, "--device", "cpu")
        self.assertIn("with the head " + head, self.good("summary", "r"))
        self.good("evaluate", "r", "--device", "cpu")
        self.good("explain", "r", picture, "--device", "cpu", "--out", "e")
        self.good("activations", "r", picture, "--device", "cpu", "--out", "a")
        for name in ("r.pth", "r.onnx", "r.safetensors"):
            self.good("convert", "r", name)
        self.assertEqual(self.good("predict", "r.onnx", picture, "--device", "cpu"), said)
        self.assertEqual(self.good("predict", "tiny_convnet", "--weights", "r/model.safetensors", picture, "--device", "cpu"), said)
        self.assertIn("is complete", self.run_graft("fit", "--resume", "r").stderr)
        self.bad(1, ["--head", "resumed", "begun"], "fit", "--resume", "r", "--head", "dense:6")
        # What has learnt goes on; another head begins anew on what it has learnt to see.
        done = self.run_graft("fit", "d", *FIT[4:-1], "--weights", "r", "--stages", "head.4", "--out", "s")
        self.assertIn("the head too", done.stderr)
        first, second = (tensors(self.path(run, "model.safetensors")) for run in "rs")
        self.assertEqual(first["head.1.weight"], second["head.1.weight"])
        self.assertNotEqual(first["head.4.weight"], second["head.4.weight"])
        done = self.run_graft("fit", "d", *FIT[4:-1], "--weights", "r", "--pool", "max", "--stages", "head", "--out", "t")
        self.assertIn("the head is new", done.stderr)
        third = tensors(self.path("t/model.safetensors"))
        self.assertEqual((first["block1.conv.weight"], len(third["head.1.weight"])), (third["block1.conv.weight"], 4 * 2 * 128))
        # A card that says nonsense.
        with open(self.path("r/model.safetensors"), "rb") as file:
            data = file.read()
        with open(self.path("n.safetensors"), "wb") as file:
            file.write(data.replace(b"flatten,dense:6", b"flatten,dense:0"))
        self.bad(1, ["n.safetensors", "graft.head"], "predict", "tiny_convnet", "--weights", "n.safetensors", picture)


if __name__ == "__main__":
    main()
