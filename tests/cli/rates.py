# SPDX-License-Identifier: MIT
"""graft fit: what learns, by the names that people use, and at which rate; the rates that a run tells are those of
scripts of PyTorch's that name them by hand."""

import json
import os
import re
import shutil
import struct

from command import Case, draw_data, main

FIT = ["--model", "tiny_convnet", "--input", "32", "--batch", "10", "--device", "cpu", "--quiet"]
LAYERS = ["block%d.%s" % (i + 1, part) for i in range(5) for part in ("conv", "bn")] + ["fc"]


def tensors(path):
    """A safetensors file: name → bytes."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    return {name: data[8 + length + entry["data_offsets"][0] : 8 + length + entry["data_offsets"][1]]
            for name, entry in header.items()}


class Rates(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"), 5, 2)
        self.good("fit", "d", *FIT, "--epochs", "1", "--out", "w")

    def fit(self, out, *arguments):
        """The table of the run: part → rate, a stage each."""
        shutil.rmtree(self.path(out), ignore_errors=True)
        self.good("fit", "d", *FIT, "--weights", "w", "--out", out, *arguments)
        with open(self.path(out, "config.json")) as file:
            config = json.load(file)
        tables = [{} for _ in config["stages"]]
        for line in config["rates"]:
            tables[line["stage"] - 1][line["part"]] = line["learning_rate"]
        return tables

    def moved(self, run):
        """Layers of which something has learnt."""
        before, now = tensors(self.path("w/model.safetensors")), tensors(self.path(run, "last.safetensors"))
        return [layer for layer in LAYERS if any(before[name] != now[name] for name in now
                                                 if name.rsplit(".", 1)[0] == layer)]

    def test_what_learns(self):
        """A part and what follows it; nothing before."""
        for part, first in (("head", "fc"), ("classifier", "fc"), ("all", "block1.conv"), ("block4", "block4.conv"),
                            ("block4.bn", "block4.bn"), ("last:1", "fc"), ("last:3", "block5.conv"), ("last:4", "block4.bn"),
                            ("last:99", "block1.conv")):
            with self.subTest(part):
                tables = self.fit("r", "--stages", part + ":1:1e-2")
                self.assertEqual(self.moved("r"), LAYERS[LAYERS.index(first):])
                self.assertEqual(len(tables), 1)
        # The name of a stage that is no more than the number of layers keeps its epochs and rate.
        self.fit("r", "--stages", "last:2:3:5e-3,all:2")
        with open(self.path("r/config.json")) as file:
            stages = json.load(file)["stages"]
        self.assertEqual([(s["from"], s["epochs"], s["learning_rate"]) for s in stages],
                         [("last:2", 3, 5e-3), ("all", 2, 1e-4)])

    def test_unknown_parts(self):
        """The nearest names are told."""
        for part, near in (("blok4", "block4"), ("block4.con", "block4.conv"), ("heads", "head"), ("last:0", "all"),
                           ("last:x", "all"), ("", "STAGE")):
            with self.subTest(part):
                self.bad(2, ["--stages", near.replace("STAGE", "STAGE[:EPOCHS")], "fit", "d", *FIT, "--stages", part + ":1")
        self.bad(1, ["--lr-groups", "layer4", "block4"], "fit", "d", *FIT, "--lr-groups", "layer4=1", "--out", "n")
        for flag, wrong in (("--lr-groups", "head"), ("--lr-groups", "head=x"), ("--lr-factors", "head=1,,"), ("--lr-factors", "=1"),
                            ("--decay-factors", "bias=-1"), ("--lr-decay", "linear:1e-4"), ("--lr-decay", "linear:1e-7:1e-4"),
                            ("--lr-decay", "exp:0.5"), ("--lr-decay", "exp:"), ("--lr-decay", "cubic:2"), ("--lr-rest", "-1")):
            with self.subTest(flag + " " + wrong):
                self.bad(2, [flag], "fit", "d", *FIT, flag, wrong, "--out", "n")
        self.bad(2, ["--lr-decay", "--trunk-factor"], "fit", "d", *FIT, "--lr-decay", "exp:3", "--trunk-factor", "1")
        self.assertFalse(os.path.exists(self.path("n")))

    def test_rates_by_depth(self):
        """A third for each stage; a step for each of the layers before the head, activations and pools among them."""
        table, = self.fit("r", "--stages", "all:1:1e-2", "--lr-decay", "exp:3")
        wanted = {"head": 1e-2, **{"block%d" % (5 - k): 1e-2 / 3 ** (k + 1) for k in range(5)}}
        self.assertEqual(list(table), sorted(wanted, key=lambda part: wanted[part]))
        for part, rate in wanted.items():
            self.assertAlmostEqual(table[part], rate, delta=1e-6 * rate)
        # conv, bn, relu, pool of four blocks, conv, bn, relu of the fifth, the mean: 20 layers.
        head, table = self.fit("r", "--stages", "head:1:1e-3,all:1", "--lr-decay", "linear:1e-4:1e-7")
        self.assertEqual(head, {"head": 1e-3})
        step = (1e-4 - 1e-7) / 20
        wanted = {"block%d.%s" % (i + 1, part): 1e-7 + (4 * i + k) * step for i in range(5) for k, part in enumerate(("conv", "bn"))}
        wanted["head"] = 1e-4
        self.assertEqual(list(table), list(wanted))
        for part, rate in wanted.items():
            self.assertAlmostEqual(table[part], rate, delta=1e-6 * rate)

    def test_rates_by_name(self):
        table, = self.fit("r", "--stages", "all:1:1e-2", "--lr-groups", "block5=1e-3,block4.bn=2e-3", "--lr-rest", "1e-8")
        self.assertEqual(list(table), ["block1.conv to block4.conv", "block4.bn", "block5", "head"])
        for part, rate in (("block4.bn", 2e-3), ("block5", 1e-3), ("head", 1e-2)):
            self.assertAlmostEqual(table[part], rate, delta=1e-6 * rate)
        self.assertAlmostEqual(next(iter(table.values())), 1e-8, delta=1e-14)
        table, = self.fit("r", "--stages", "all:1:1e-2", "--lr-factors", "block2=0.5,last:1=2", "--lr-rest", "0")
        self.assertEqual(list(table), ["block1", "block2", "block3 to block5", "head"])
        self.assertEqual([round(rate, 9) for rate in table.values()], [0, 5e-3, 0, 2e-2])
        self.assertEqual(self.moved("r"), ["block2.conv", "block2.bn", "fc"])

    def test_the_table_is_told(self):
        """In the first lines, where a line holds them, else as a table; in the report."""
        self.good("fit", "d", *FIT, "--weights", "w", "--stages", "all:1", "--out", "a")
        loud = [word for word in FIT if word != "--quiet"]
        done = self.run_graft("fit", "d", *loud, "--weights", "w", "--stages", "all:1:1e-3", "--lr-decay", "linear:1e-3:1e-6",
                              "--decay-factors", "bias=1,block1=0", "--weight-decay", "0.1", "--out", "b")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("block1.conv at 1e-06 to head at 0.001, 11 of them", done.stderr)
        self.assertIn("weight decay 0.1 times bias=1,block1=0", done.stderr)
        for layer in LAYERS[:-1]:
            self.assertTrue(re.search(r"(?m)^ +%s +\d+ +[\d.e-]+$" % re.escape(layer), done.stderr), done.stderr)
        with open(self.path("b/report.html")) as file:
            report = file.read()
        self.assertIn("<h2>Learning rates</h2>", report)
        self.assertEqual(report.count('<td class="text">block3.bn</td><td>1</td><td>128</td>'), 1)

    def test_decay_of_parts(self):
        """With plain descent and a rate that hardly learns from the pictures, decay is what moves: by its factor."""
        rest = ["--stages", "all:1:1e-3", "--optimizer", "sgd", "--momentum", "0", "--trunk-factor", "1", "--weight-decay"]
        self.fit("none", *rest, "0")
        self.fit("some", *rest, "100", "--decay-factors", "block2=0.5,bias=2,norm=3,block3=0")
        none, some = (tensors(self.path(run, "last.safetensors")) for run in ("none", "some"))
        begin = tensors(self.path("w/model.safetensors"))

        def share(name):
            """How far it went to 0 by decay alone."""
            count = len(begin[name]) // 4
            numbers = [struct.unpack("<%df" % count, values[name]) for values in (begin, none, some)]
            k = max(range(count), key=lambda i: abs(numbers[0][i]))
            return (numbers[1][k] - numbers[2][k]) / numbers[0][k]

        for name, factor in (("block1.conv.weight", 1), ("block2.conv.weight", 0.5), ("block3.conv.weight", 0), ("fc.weight", 1),
                             ("fc.bias", 2), ("block4.bn.weight", 3), ("block3.bn.weight", 3)):
            with self.subTest(name):
                self.assertAlmostEqual(share(name), 0.1 * factor, delta=2e-4)


if __name__ == "__main__":
    main()
