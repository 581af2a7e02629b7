# SPDX-License-Identifier: MIT
"""graft convert: what is in the files that it writes, as others read them, and each way in which it says no."""

import json
import os
import random
import resource
import struct

from command import DATA, Case, draw_data, main, safetensors
from state_dict import read_pth, read_safetensors


def numbers(count, seed):
    draw = random.Random(seed)
    return struct.pack("<%df" % count, *(draw.uniform(-1, 1) for _ in range(count)))


class Weights(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"), 4, 2)
        self.good("fit", "d", "--model", "tiny_convnet", "--input", "32", "--device", "cpu", "--epochs", "1", "--out", "run")

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def test_run_to_pytorch_and_back(self):
        said = json.loads(self.good("convert", "run", "net.pth", "--json"))
        tensors, texts = read_safetensors(self.path("run/model.safetensors"))
        self.assertEqual(said, {"file": "net.pth", "format": "PyTorch", "network": "tiny_convnet", "tensors": len(tensors)})
        written, attributes = read_pth(self.path("net.pth"))
        self.assertEqual(list(written), sorted(written, key=list(tensors).index), "in the same order")
        self.assert_same_tensors(written, tensors)
        self.assertEqual({k: json.loads(v) if v[0] in "[{" else v for k, v in attributes.items()},
                         {k: json.loads(v) if v[0] in "[{" else v for k, v in texts.items() if k.startswith("graft.")})
        self.assertIn("graft.classes", attributes)
        # Back: the same bits, names and card; and the same answers.
        self.assertIn("safetensors, tiny_convnet", self.good("convert", "net.pth", "again.safetensors"))
        again, card = read_safetensors(self.path("again.safetensors"))
        self.assert_same_tensors(again, tensors)
        self.assertEqual(json.loads(card["graft.classes"]), ["blue", "red"])
        picture = "d/val/red/00.png"
        answer = self.good("predict", "run", picture, "--json", "--logits", "--device", "cpu")
        self.assertEqual(self.good("predict", "tiny_convnet", "--weights", "net.pth", picture, "--json", "--logits",
                                   "--device", "cpu"), answer)

    def test_half(self):
        self.good("convert", "run", "half.safetensors", "--half")
        tensors, _ = read_safetensors(self.path("run/model.safetensors"))
        halves, _ = read_safetensors(self.path("half.safetensors"))
        self.assertEqual(list(halves), list(tensors))
        for name, (kind, shape, data) in tensors.items():
            count = len(data) // 4
            rounded = struct.pack("<%de" % count, *struct.unpack("<%df" % count, data))
            self.assertTrue(halves[name] == ("F16", shape, rounded), name)

    def test_unknown_tensors_stay_as_they_are(self):
        tensors = {"encoder.w": ([2, 3, 4], numbers(24, 1)), "encoder.scalar": ([], numbers(1, 2)),
                   "encoder.none": ([0, 5], b""), "encoder.long": ([300, 70000 // 300], numbers(300 * (70000 // 300), 3))}
        safetensors(self.path("w.safetensors"), tensors)
        self.assertIn("network not known, 4 tensors", self.good("convert", "w.safetensors", "w.pt"))
        written, texts = read_pth(self.path("w.pt"))
        self.assert_same_tensors(written, {name: ("F32", shape, data) for name, (shape, data) in tensors.items()})
        self.assertEqual(texts, {})

    def test_the_network_is_told_by_names_and_shapes(self):
        tensors, _ = read_safetensors(self.path("run/model.safetensors"))
        safetensors(self.path("bare.safetensors"), {"module." + n: (s, d) for n, (_, s, d) in tensors.items()})
        self.assertIn("PyTorch, tiny_convnet", self.good("convert", "bare.safetensors", "bare.pth"))
        written, texts = read_pth(self.path("bare.pth"))
        self.assertEqual(sorted(written), sorted("module." + name for name in tensors))
        self.assertEqual(texts["graft.network"], "tiny_convnet")
        self.good("convert", "bare.safetensors", "named.pth", "--model", "tiny_convnet")
        self.assert_same_tensors(read_pth(self.path("named.pth"))[0], tensors)

    def test_onnx_keeps_names_and_card(self):
        tensors, texts = read_safetensors(self.path("run/model.safetensors"))
        said = json.loads(self.good("convert", "run", "net.onnx", "--json"))
        self.assertEqual(said, {"file": "net.onnx", "format": "ONNX", "network": "tiny_convnet", "tensors": len(tensors),
                                "input": [None, 3, 32, 32], "preprocess": "metadata"})
        self.good("convert", "net.onnx", "net.pth")
        written, attributes = read_pth(self.path("net.pth"))
        self.assert_same_tensors({name: written[name] for name in tensors}, tensors)
        self.assertEqual(json.loads(attributes["graft.classes"]), ["blue", "red"])
        self.assertIn("[any, 3, 48, 48]", self.good("convert", "run", "large.onnx", "--input", "48"))
        # Once more, and with the preprocessing inside: the same answers.
        self.good("convert", "net.onnx", "again.onnx")
        text = self.good("convert", "run", "inside.onnx", "--preprocess", "inside")
        self.assertIn("bytes [any, 32, 32, 3]", text)
        rows = [json.loads(self.good("predict", network, "d/val/red/00.png", "--json", "--logits", "--device", "cpu"))
                for network in ("run", "net.onnx", "again.onnx", "inside.onnx")]
        for row in rows[1:]:
            self.assertEqual([top["name"] for top in row["top"]], [top["name"] for top in rows[0]["top"]])
            for found, expected in zip(row["logits"], rows[0]["logits"]):
                self.assertLess(abs(found - expected), 1e-4 * max(map(abs, rows[0]["logits"])))

    def test_out_is_whole_or_as_it_was(self):
        with open(self.path("net.pth"), "wb") as file:
            file.write(b"precious")
        self.bad(2, ["net.pth", "there already", "--overwrite"], "convert", "run", "net.pth")
        self.assertEqual(self.read("net.pth"), b"precious")
        self.good("convert", "run", "net.pth", "--overwrite")
        before = self.read("net.pth")

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

        for name in ("net.pth", "net.safetensors", "net.onnx"):
            self.bad(1, [name, "File too large"], "convert", "run", name, "--overwrite", preexec_fn=limit)
        self.assertEqual(self.read("net.pth"), before)
        self.assertEqual([name for name in os.listdir(self.folder) if "part" in name or name in ("net.safetensors", "net.onnx")], [])
        # A file onto itself.
        self.good("convert", "net.pth", "net.pth", "--overwrite")
        self.assert_same_tensors(read_pth(self.path("net.pth"))[0], read_safetensors(self.path("run/model.safetensors"))[0])

    def test_messages(self):
        tensors, _ = read_safetensors(self.path("run/model.safetensors"))
        safetensors(self.path("w.safetensors"), {name: (shape, data) for name, (_, shape, data) in tensors.items()})
        large = dict(tensors)
        name, (kind, shape, data) = next(iter(tensors.items()))
        large[name] = kind, shape, struct.pack("<f", 1e6) + data[4:]
        safetensors(self.path("large.safetensors"), {name: (shape, data) for name, (_, shape, data) in large.items()})
        safetensors(self.path("foreign.safetensors"), {"encoder.w": ([2, 2], numbers(4, 1))})
        none = {"GRAFT_PULLED": ""}
        for code, words, *arguments in (
            (2, ["OUT"], "run"),
            (2, ["x.bin", ".safetensors", ".pth"], "run", "x.bin"),
            (2, ["'pth'", ".safetensors", ".pth"], "run", "pth"),
            (2, ["x.pth", "safetensors"], "run", "x.pth", "--half"),
            (2, ["x.onnx", "safetensors"], "run", "x.onnx", "--half"),
            (2, ["insde", "inside"], "run", "x.onnx", "--preprocess", "insde"),
            (2, ["x.pth", ".onnx"], "run", "x.pth", "--preprocess", "inside"),
            (2, ["x.pth", ".onnx"], "run", "x.pth", "--input", "64"),
            (2, ["--input", "8192"], "run", "x.onnx", "--input", "9000"),
            (1, ["tiny_convnet", "input 2x2"], "run", "x.onnx", "--input", "2"),
            (1, ["foreign.safetensors", "no tensor"], "foreign.safetensors", "x.onnx"),
            (1, ["large.safetensors", "mnist_convnet", "missing"], "large.safetensors", "x.onnx", "--model", "mnist_convnet"),
            (1, ["resnet81", "no file", "resnet18"], "resnet81", "x.pth"),
            (1, ["nothing.pth", "No such file"], "nothing.pth", "x.pth"),
            (1, ["no/run", "No such file"], "no/run", "x.pth"),
            (1, ["d/model.safetensors"], "d", "x.pth"),
            (2, ["resnet50", "graft pull resnet50"], "resnet50", "x.pth"),
            (2, ["--modle", "--model"], "run", "x.pth", "--modle", "resnet18"),
            (1, ["tiny_convnt", "tiny_convnet"], "w.safetensors", "x.pth", "--model", "tiny_convnt"),
            (1, ["tiny_convnet", "resnet18"], "run", "x.pth", "--model", "resnet18"),
            (1, ["w.safetensors", "resnet18", "missing"], "w.safetensors", "x.pth", "--model", "resnet18"),
            (1, ["1e+06", "too large for f16"], "large.safetensors", "x.safetensors", "--half"),
            (1, ["no/folder/x.pth", "No such file"], "run", "no/folder/x.pth"),
        ):
            with self.subTest(" ".join(arguments)):
                self.bad(code, words, "convert", *arguments, environment=none)
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("x.")], [])

    def test_damaged(self):
        whole = self.read("run/model.safetensors")
        self.good("convert", "run", "whole.pth")
        for name, data in (("w.safetensors", whole), ("w.pth", self.read("whole.pth"))):
            for keep in (0, 5, len(data) // 2, len(data) - 1):
                with self.subTest("%s %d" % (name, keep)):
                    with open(self.path(name), "wb") as file:
                        file.write(data[:keep])
                    self.bad(1, [name], "convert", name, "x.safetensors")
                    self.assertFalse(os.path.exists(self.path("x.safetensors")))


class Published(Case):
    """Files as other programs wrote them."""

    def setUp(self):
        super().setUp()
        self.weights = os.path.join(DATA, "weights")
        if not os.path.isdir(self.weights):
            self.skipTest("%s is not there" % self.weights)

    def test_keras(self):
        folder = os.path.join(self.weights, "keras")
        self.good("convert", os.path.join(folder, "keras3-mobilenet-legacy.h5"), "one.safetensors")
        one, texts = read_safetensors(self.path("one.safetensors"))
        self.assertEqual(texts["graft.network"], "keras_mobilenet_25")
        self.assertNotIn("graft.convention", texts)
        for name in ("keras3-mobilenet.keras", "keras3-mobilenet.weights.h5", "keras2-mobilenet-trained.h5"):
            with self.subTest(name):
                self.good("convert", os.path.join(folder, name), name + ".pth")
                self.assert_same_tensors(read_pth(self.path(name + ".pth"))[0], one)
        self.bad(1, ["keras2-long-names.h5", "no weights of a network"], "convert",
                 os.path.join(folder, "keras2-long-names.h5"), "x.pth")

    def test_checkpoint(self):
        path = os.path.join(self.weights, "torch", "shufflenet_v2_x1_0-checkpoint.pth")
        self.good("convert", path, "one.pth")
        self.good("convert", path, "one.safetensors")
        tensors, _ = read_safetensors(self.path("one.safetensors"))
        self.assertIn("module.label_map", tensors)
        self.assert_same_tensors(read_pth(self.path("one.pth"))[0], tensors)


if __name__ == "__main__":
    main()
