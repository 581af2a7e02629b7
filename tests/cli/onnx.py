# SPDX-License-Identifier: MIT
"""graft fit on the network of an ONNX file: as by name, resumed to the same bits, from the run folder alone."""

import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess

from command import GRAFT, Case, draw_data, main, safetensors
from onnx_file import Graph, drawn

COMMON = ["--input", "32", "--device", "cpu", "--batch", "5"]
CHANNELS = [3, 16, 32, 64, 128, 128]


def tiny_convnet(classes):
    """The tensors of Graft's network tiny_convnet: name → (shape, bytes)."""
    tensors = {}
    for i in range(1, 6):
        inputs, outputs = CHANNELS[i - 1], CHANNELS[i]
        name = "block%d.conv.weight" % i
        tensors[name] = ([outputs, inputs, 3, 3], drawn(name, outputs * inputs * 9, (6 / inputs / 9) ** 0.5))
        for kind, middle in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            name = "block%d.bn.%s" % (i, kind)
            tensors[name] = ([outputs], drawn(name, outputs, 0.1, middle))
    tensors["fc.weight"] = ([classes, 128], drawn("fc.weight", classes * 128, 0.1))
    tensors["fc.bias"] = ([classes], drawn("fc.bias", classes, 0.1))
    return tensors


def write_tiny_convnet(path, classes=7):
    """The same as an exporter writes it that leaves batch normalization as it is."""
    graph = Graph()
    for name, (shape, data) in tiny_convnet(classes).items():
        graph.weight(name, shape, data)
    x = "x"
    for i in range(1, 6):
        x = graph.node("Conv", x, "block%d.conv.weight" % i, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        names = ["block%d.bn.%s" % (i, kind) for kind in ("weight", "bias", "running_mean", "running_var")]
        x = graph.node("Relu", graph.node("BatchNormalization", x, *names))
        if i < 5:
            x = graph.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x), axis=1)
    x = graph.node("Gemm", x, "fc.weight", "fc.bias", name="/fc/Gemm", transB=1)
    graph.write(path, [0, 3, 0, 0], x, [0, classes])


def write_pixels_last(path):
    """As Keras exports: pictures [n, h, w, c], transposes around convolutions, a product and a sum as the head."""
    graph = Graph()
    graph.weight("stem/kernel", [8, 3, 3, 3], drawn("stem", 216, 0.4))
    graph.weight("stem/bias", [1, 8, 1, 1], drawn("bias", 8, 0.1))
    graph.weight("dense/kernel", [8, 5], drawn("dense", 40, 0.5))
    graph.weight("dense/bias", [5], drawn("dense bias", 5, 0.1))
    x = graph.node("Transpose", "x", perm=[0, 3, 1, 2])
    x = graph.node("Conv", x, "stem/kernel", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    x = graph.node("Relu", graph.node("Add", x, "stem/bias"))
    x = graph.node("ReduceMean", graph.node("Transpose", x, perm=[0, 2, 3, 1]), axes=[1, 2], keepdims=0)
    x = graph.node("Add", graph.node("MatMul", x, "dense/kernel"), "dense/bias")
    graph.write(path, [0, 32, 32, 3], graph.node("Softmax", x, axis=1), [0, 5])


def write_conv_head(path, kernel=1):
    """As SqueezeNet ends: a convolution makes the classes, whose maps are averaged."""
    graph = Graph()
    graph.weight("stem", [8, 3, 3, 3], drawn("stem", 216, 0.4))
    graph.weight("classes", [6, 8, kernel, kernel], drawn("classes", 48 * kernel**2, 0.5))
    graph.weight("bias", [6], drawn("bias", 6, 0.1))
    x = graph.node("Relu", graph.node("Conv", "x", "stem", kernel_shape=[3, 3], strides=[2, 2]))
    x = graph.node("Conv", x, "classes", "bias", name="last", kernel_shape=[kernel, kernel])
    x = graph.node("GlobalAveragePool", graph.node("Relu", x))
    graph.write(path, [0, 3, 32, 32], graph.node("Flatten", x), [0, 6])


def write_residual(path):
    """An extractor: what it gives is a sum of two layers, no classes."""
    graph = Graph()
    graph.weight("a", [6, 3, 1, 1], drawn("a", 18))
    graph.weight("b", [6, 6, 1, 1], drawn("b", 36))
    x = graph.node("Conv", "x", "a", kernel_shape=[1, 1])
    x = graph.node("Add", x, graph.node("Conv", x, "b", kernel_shape=[1, 1]))
    graph.write(path, [0, 3, 32, 32], graph.node("Flatten", graph.node("GlobalAveragePool", x)), [0, 6])


def write_quantized(path):
    """What computes with integers and gives f32: a convolution on bytes, then a dense layer of f32."""
    graph = Graph()
    graph.weight("step", [], struct.pack("<f", 0.02))
    graph.integers("zero", [0])
    graph.weight("kernel", [4, 3, 3, 3], drawn("kernel", 108))
    graph.weight("fc.weight", [7, 4], drawn("fc", 28))
    graph.weight("fc.bias", [7], drawn("bias", 7))
    x = graph.node("QuantizeLinear", "x", "step", "zero")
    x = graph.node("QLinearConv", x, "step", "zero", "kernel", "step", "zero", "step", "zero", kernel_shape=[3, 3])
    x = graph.node("DequantizeLinear", x, "step", "zero")
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x), axis=1)
    x = graph.node("Gemm", x, "fc.weight", "fc.bias", transB=1)
    graph.write(path, [0, 3, 0, 0], x, [0, 7])


def tensors(path):
    """name → bytes, as formats.md describes safetensors."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    begin = 8 + length
    return {k: data[begin + v["data_offsets"][0] : begin + v["data_offsets"][1]] for k, v in header.items()}


class Onnx(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"))
        write_tiny_convnet(self.path("net.onnx"))

    def fit(self, out, *arguments):
        self.good("fit", "d", *COMMON, "--out", out, *arguments)
        return tensors(self.path(out, "model.safetensors"))

    def config(self, run):
        with open(self.path(run, "config.json")) as file:
            return json.load(file)

    def test_as_by_name(self):
        """The network of the list and the file's are the same one: so are the weights that they learn, bit for bit."""
        for number, how in enumerate(
            (
                ["--epochs", "3"],
                ["--stages", "head:2,all:2", "--optimizer", "adamw", "--weight-decay", "0.1"],
                ["--stages", "all:3", "--bn", "train", "--augment", "imagenet", "--trunk-factor", "0.5"],
                ["--stages", "block4:2,all:2", "--lr-factors", "block2=0,block5=0.3"],
                ["--freeze", "block3", "--epochs", "2", "--optimizer", "sgd"],
            )
        ):
            learnt = self.fit("a%d" % number, "--model", "net.onnx", *how)
            # Pictures are cut otherwise by a network without a name: the weights say how.
            preprocess = json.dumps(self.config("a%d" % number)["preprocess"])
            safetensors(self.path("w.safetensors"), tiny_convnet(7), {"graft.preprocess": preprocess})
            named = ["--model", "tiny_convnet", "--weights", "w.safetensors", "--out", "b%d" % number]
            self.good("fit", "d", *COMMON[2:], *named, *how)
            self.assert_same_tensors(learnt, tensors(self.path("b%d" % number, "model.safetensors")))

    def test_run_folder_alone(self):
        """The run says everything itself: the file may be gone, and the folder elsewhere."""
        text = self.good("fit", "d", *COMMON, "--model", "net.onnx", "--epochs", "2")
        run = "runs/d-net-1"
        self.assertIn("graft predict " + run, text)
        self.assertEqual(self.config(run)["network"], "net.onnx")
        self.assert_same_tensors(
            self.fit("other", "--weights", "net.onnx", "--epochs", "2"),
            tensors(self.path(run, "model.safetensors")),
        )
        self.assertLess(os.path.getsize(self.path(run, "network.onnx")), 8192)
        os.makedirs(self.path("far"))
        os.rename(self.path(run), self.path("far", "away"))
        os.rename(self.path("net.onnx"), self.path("gone"))
        self.assertEqual(len(self.good("predict", "far/away", "d/val/red/00.png").splitlines()), 3)
        self.good("evaluate", "far/away", "d")
        self.good("features", "far/away", "d/val", "--out", "features.npy")
        self.assertIn("block5", self.good("summary", "far/away/network.onnx"))
        # A run that goes on from it has the same graph, and knows the classes.
        again = self.fit("again", "--weights", "far/away", "--epochs", "1")
        self.assertEqual(self.config("again")["graph"], self.config("far/away")["graph"])
        self.assertEqual(sorted(again), sorted(tensors(self.path("far/away/model.safetensors"))))
        self.good("fit", "d", *COMMON, "--weights", "again/model.safetensors", "--epochs", "1")

    def test_interrupted_and_resumed(self):
        """Ctrl-C in the second stage; resumed without the file, it ends with the bits of an unbroken run."""
        how = ["--model", "net.onnx", "--stages", "head:2,all:60", "--bn", "train", "--seed", "3"]
        how += ["--lr-factors", "block2=0.3", "--optimizer", "adamw"]
        whole = self.fit("whole", *how)
        process = subprocess.Popen(
            [GRAFT, "fit", "d", *COMMON, "--out", "cut", *how],
            cwd=self.folder,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for line in process.stderr:
            if re.match(r" +4  all ", line):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(), 130, rest)
        shutil.copytree(self.path("cut"), self.path("copy"))
        self.good("fit", "--resume", "copy", "--model", "net.onnx")
        os.remove(self.path("net.onnx"))
        self.good("fit", "--resume", "cut")
        for run in ("cut", "copy"):
            self.assert_same_tensors(tensors(self.path(run, "model.safetensors")), whole)
            self.assert_same_tensors(
                tensors(self.path(run, "last.safetensors")), tensors(self.path("whole", "last.safetensors"))
            )

    def test_a_damaged_graph_is_told(self):
        self.fit("r", "--model", "net.onnx", "--epochs", "1")
        graph = self.path("r", "network.onnx")
        with open(graph, "rb") as file:
            data = file.read()
        uses = (
            ["fit", "--resume", "r"],
            ["predict", "r", "d/val/red/00.png"],
            ["evaluate", "r", "d"],
            ["features", "r", "d/val", "--out", "f.npy"],
            ["fit", "d", "--weights", "r", "--epochs", "1", "--out", "n"],
        )

        def changed(place, bits=1):
            return data[:place] + bytes((data[place] ^ bits,)) + data[place + 1 :]

        def begins(content):
            return hashlib.sha256(content).hexdigest()[:2]

        alike = next(content for bits in range(1, 256) for content in map(lambda p: changed(p, bits), range(len(data)))
                     if begins(content) == begins(data))  # all of the digest counts
        for content in (changed(0), changed(len(data) // 2), changed(len(data) - 1), alike):
            with open(graph, "wb") as file:
                file.write(content)
            for use in uses:
                self.bad(1, ["net.onnx", "r/network.onnx", "SHA-256", "put back"], *use)
        os.remove(graph)
        for use in uses:
            self.bad(1, ["net.onnx", "r/network.onnx", "not beside its weights"], *use)
        self.assertFalse(os.path.exists(self.path("n")))
        with open(graph, "wb") as file:
            file.write(data)
        self.good("predict", "r", "d/val/red/00.png")
        # By itself it is no network with weights.
        self.bad(1, ["r/network.onnx", "run's folder"], "predict", "r/network.onnx", "d/val/red/00.png")
        self.bad(1, ["r/network.onnx", "run's folder"], "fit", "d", "--model", "r/network.onnx", "--out", "n")

    def test_other_layouts(self):
        """Pixels last with transposes, and a convolution as the head: both learn, frozen and as a whole."""
        write_pixels_last(self.path("last.onnx"))
        write_conv_head(self.path("conv.onnx"))
        for name, head in (("last", ["dense/bias", "dense/kernel"]), ("conv", ["bias", "classes"])):
            how = ["--model", name + ".onnx", "--stages", "head:30:1e-2,all:10:1e-2"]
            learnt = self.fit(name, *how, "--trunk-factor", "1")
            with open(self.path(name, "evaluation.json")) as file:
                self.assertEqual(json.load(file)["top1"], 1)
            frozen = self.fit(name + "2", "--weights", name, "--epochs", "1", "--lr", "0.1")
            changed = {k for k in frozen if learnt[k] != frozen[k]}
            self.assertTrue(changed <= set(head), changed)
            still = self.fit(name + "3", "--weights", name, "--stages", "all:2", "--lr-factors", "trunk=0")
            changed = {k for k in still if learnt[k] != still[k]}
            self.assertTrue(changed <= set(head), changed)

    def test_known_classes_go_on(self):
        """Of three classes two are known: their rows (or columns) stay as they were."""
        write_pixels_last(self.path("last.onnx"))
        for name in ("net", "last"):
            old = self.fit(name + "-a", "--model", name + ".onnx", "--epochs", "1")
            if not os.path.exists(self.path("three")):
                shutil.copytree(self.path("d"), self.path("three"))
                for split in ("train", "val"):
                    shutil.copytree(self.path("three", split, "red"), self.path("three", split, "crimson"))
            self.good(
                "fit", "three", *COMMON, "--weights", name + "-a", "--out", name + "-b", "--epochs", "1", "--lr", "1e-12"
            )
            new = tensors(self.path(name + "-b", "model.safetensors"))
            weight = "fc.weight" if name == "net" else "dense/kernel"
            before = struct.unpack("<%df" % (len(old[weight]) // 4), old[weight])
            after = struct.unpack("<%df" % (len(new[weight]) // 4), new[weight])
            count = len(before) // 2  # of a class; classes: blue, red; blue, crimson, red
            for at in range(count):
                for was, now in ((0, 0), (1, 2)):
                    one = before[was * count + at] if name == "net" else before[at * 2 + was]
                    other = after[now * count + at] if name == "net" else after[at * 3 + now]
                    self.assertAlmostEqual(one, other, 6)

    def test_refused(self):
        write_conv_head(self.path("wide.onnx"), 3)
        write_residual(self.path("sum.onnx"))
        for words, *arguments in (
            (["net.onnx", "itself", "--weights"], "--model", "net.onnx", "--weights", "none"),
            (["net.onnx", "tiny_convnet"], "--model", "tiny_convnet", "--weights", "net.onnx"),
            (["wide.onnx", "Conv 'last'", "1×1", "no new head"], "--model", "wide.onnx"),
            (["sum.onnx", "Conv 'Conv_1'", "added", "no new head"], "--model", "sum.onnx"),
        ):
            self.bad(1, words, "fit", "d", *COMMON, "--out", "n", *arguments)
        self.bad(2, ["nothing.onnx"], "fit", "d", *COMMON, "--out", "n", "--model", "nothing.onnx")
        self.bad(2, ["conv9", "block1", "head"], "fit", "d", "--out", "n", "--model", "net.onnx", "--stages", "conv9")
        self.assertFalse(os.path.exists(self.path("n")))
        # Who asks for no other classes gets what they give.
        self.good("features", "sum.onnx", "d/val", "--input", "32", "--out", "f.npy")

    def test_quantized(self):
        """No verb takes a network that computes with integers; all say so alike, in a sentence with the way out."""
        write_quantized(self.path("q.onnx"))
        picture = os.path.join("d", "val", "red", sorted(os.listdir(self.path("d", "val", "red")))[0])
        said = set()
        for arguments in (
            ("fit", "d", "--model", "q.onnx", "--out", "n"),
            ("predict", "q.onnx", picture),
            ("features", "q.onnx", "d/val", "--out", "n.npy"),
            ("similar", "q.onnx", "d/val"),
            ("map", "q.onnx", "d/val", "--out", "n"),
            ("explain", "q.onnx", picture, "--out", "n"),
            ("activations", "q.onnx", picture, "--out", "n.png"),
            ("filters", "q.onnx", "--out", "n.png"),
            ("dream", "q.onnx", "--class", "1", "--out", "n.png"),
            ("attack", "q.onnx", picture, "--out", "n"),
            ("convert", "q.onnx", "n.safetensors"),
            ("summary", "q.onnx"),
        ):
            said.add(self.bad(1, ["'q.onnx'", "is quantized: Quanti", "export the network in f32"], *arguments))
        self.assertEqual(len(said), 1, said)
        for name in ("n", "n.png", "n.npy", "n.safetensors"):
            self.assertFalse(os.path.exists(self.path(name)), name)


if __name__ == "__main__":
    main()
