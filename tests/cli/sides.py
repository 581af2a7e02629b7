# SPDX-License-Identifier: MIT
"""--input HEIGHTxWIDTH: networks whose pictures are not square, trained, used and exported; and ONNX files that are made for such."""

import json
import os

from command import Case, draw_data, main, png, safetensors
from onnx_file import Graph, drawn
from state_dict import read_safetensors

CPU = ["--device", "cpu"]
COMMON = ["--model", "tiny_convnet", *CPU, "--batch", "4", "--epochs", "2"]


def near(self, one, other, places=5):
    self.assertEqual(len(one), len(other))
    for a, b in zip(one, other):
        self.assertAlmostEqual(a, b, places=places)


class Sides(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"), 4, 2)
        png(self.path("wide.png"), 70, 50, lambda x, y: (3 * x, 5 * y, (x * y) % 251))

    def logits(self, *arguments):
        return json.loads(self.good("predict", *arguments, "--logits", "--json", *CPU))["logits"]

    def card(self, run):
        return json.loads(read_safetensors(self.path(run, "model.safetensors"))[1]["graft.preprocess"])

    def test_fit_and_use(self):
        self.good("fit", "d", *COMMON, "--input", "24x40", "--out", "run")
        with open(self.path("run/config.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["input"], "24x40")
        card = self.card("run")
        self.assertEqual((card["crop_height"], card["crop_width"]), (24, 40))
        self.assertEqual(card["transforms"], [{"kind": "resize", "short_side": 0, "filter": "bilinear"}]) # stretched
        row = self.logits("run", "wide.png")
        self.assertEqual(row, self.logits("run", "wide.png", "--input", "24x40"))
        self.assertNotEqual(row, self.logits("run", "wide.png", "--input", "40x24"))
        self.assertNotEqual(row, self.logits("run", "wide.png", "--input", "24"))
        self.assertEqual(self.logits("run", "wide.png", "--input", "24"), self.logits("run", "wide.png", "--input", "24x24"))
        # As trained, with other options, and elsewhere: all see pictures of 24 rows and 40 columns.
        self.good("evaluate", "run", "d", "--tta", "ten", *CPU)
        self.good("explain", "run", "wide.png", "--out", "why", *CPU)
        self.good("features", "run", "d", "--out", "f.npy", *CPU)
        self.good("attack", "run", "wide.png", "--epsilon", "128/255", "--out", "changed", *CPU)
        self.assertIn("[any, 3, 24, 40]", self.good("convert", "run", "net.onnx"))
        near(self, self.logits("net.onnx", "wide.png"), row)
        self.assertIn("[any, 3, 40, 24]", self.good("convert", "run", "other.onnx", "--input", "40x24"))
        near(self, self.logits("other.onnx", "wide.png"), self.logits("run", "wide.png", "--input", "40x24"))
        self.good("fit", "--resume", "run", "--epochs", "+1")
        self.assertEqual(self.card("run"), card)
        self.bad(1, ["--input is 24x40 in the run"], "fit", "--resume", "run", "--input", "24")
        self.good("fit", "d", "--weights", "run", "--out", "second", *CPU, "--epochs", "1")
        self.assertEqual(self.card("second"), card)

    def test_augmented(self):
        """Random crops have the input's shape, too."""
        self.good("fit", "d", *COMMON, "--input", "24x40", "--augment", "imagenet", "--out", "run")
        self.assertEqual((self.card("run")["crop_height"], self.card("run")["crop_width"]), (24, 40))

    def test_resized_and_cropped(self):
        """With --resize the middle of the picture, else all of it: what the metadata of another file say step by step."""
        self.good("fit", "d", *COMMON, "--input", "32", "--out", "run")
        tensors, texts = read_safetensors(self.path("run/model.safetensors"))
        card = dict(json.loads(texts["graft.preprocess"]), crop_height=24, crop_width=40)
        resize = {"kind": "resize", "filter": "bilinear"}
        for options, steps in (([], [dict(resize, short_side=0)]),
                               (["--resize", "45"], [dict(resize, short_side=45), {"kind": "center_crop"}])):
            with self.subTest(options):
                texts["graft.preprocess"] = json.dumps(dict(card, transforms=steps))
                safetensors(self.path("told.safetensors"), {n: (shape, data) for n, (_, shape, data) in tensors.items()}, texts)
                self.assertEqual(self.logits("run", "wide.png", "--input", "24x40", *options),
                                 self.logits("told.safetensors", "wide.png"))

    def test_onnx(self):
        """A file whose input is 24 rows and 40 columns, and none else."""
        graph = Graph()
        x = graph.node("Relu", graph.node("Conv", "x", graph.weight("w", [4, 3, 3, 3], drawn("w", 108, 0.3)), strides=[2, 2],
                                          pads=[1, 1, 1, 1]))
        x = graph.node("Gemm", graph.node("Flatten", x), graph.weight("g", [5, 4 * 12 * 20], drawn("g", 4800, 0.05)), transB=1)
        graph.write(self.path("net.onnx"), [1, 3, 24, 40], x, [1, 5])
        row = self.logits("net.onnx", "wide.png")
        self.assertEqual(row, self.logits("net.onnx", "wide.png", "--input", "24x40"))
        self.bad(1, ["do not fit"], "predict", "net.onnx", "wide.png", "--input", "24", *CPU)
        self.good("fit", "d", "--model", "net.onnx", "--stages", "all:1", "--out", "run", *CPU)
        self.assertEqual((self.card("run")["crop_height"], self.card("run")["crop_width"]), (24, 40))

    def test_bench_and_refused(self):
        self.good("bench", "--model", "tiny_convnet", "--input", "24x40", "--batch", "2", "--rounds", "1", "--seconds", "0.1", *CPU)
        for wrong in ("24x", "x24", "24x0", "24x8193", "24x24x24", "24X40", "-24", "24 x 40"):
            for verb in (("predict", "graft_small", "wide.png"), ("fit", "d"), ("bench", "--model", "tiny_convnet")):
                with self.subTest(verb=verb[0], wrong=wrong):
                    self.bad(2, ["--input is a side of 1 to 8192 such as 224, or height x width such as 192x256", wrong], *verb,
                             "--input", wrong)
        self.assertFalse(os.path.exists(self.path("runs")))


if __name__ == "__main__":
    main()
