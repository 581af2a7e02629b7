# SPDX-License-Identifier: MIT
"""Wrong usage: one line that says what is meant, exit code 2, nothing on stdout."""

import os

from command import Case, draw_data, has_device, main


class WrongUsage(Case):
    def test_nearest_names(self):
        draw_data(self.path("d"), 2, 1)
        for words, *arguments in (
            (["sumary", "did you mean summary"], "sumary"),
            (["predcit", "did you mean predict"], "predcit", "x"),
            (["--josn", "did you mean --json"], "devices", "--josn"),
            (["--epoch", "did you mean --epochs"], "fit", "d", "--epoch", "3"),
            (["resnet81", "resnet18"], "summary", "resnet81"),
            (["squeezenet1-0", "squeezenet1_0"], "predict", "squeezenet1-0", "x.jpg", "--weights", "w"),
            (["mobilenet_v3", "mobilenet_v2"], "fit", "d", "--model", "mobilenet_v3"),
            (["tiny_convnt", "tiny_convnet"], "bench", "--model", "tiny_convnt"),
            (["rmspop", "rmsprop"], "fit", "d", "--optimizer", "rmspop"),
            (["cosin", "cosine"], "fit", "d", "--schedule", "cosin"),
            (["frozn", "frozen"], "fit", "d", "--bn", "frozn"),
            (["tst", "test"], "evaluate", "d", "d", "--split", "tst"),
            (["mx", "avg", "max"], "summary", "vgg16", "--no-top", "--pool", "mx"),
            (["mx", "avg", "max"], "summary", "vgg16", "--pool", "mx"),
            (["conv2", "conv2d"], "conform", "--op", "conv2"),
        ):
            with self.subTest(" ".join(arguments)):
                self.bad(2, words, *arguments)

    def test_unknown_device(self):
        draw_data(self.path("d"), 2, 1)
        for verb in (["fit", "d"], ["bench", "--model", "tiny_convnet"], ["summary", "tiny_convnet"]):
            with self.subTest(verb[0]):
                self.bad(2, ["opncl:0", "reference", "cpu"], *verb, "--device", "opncl:0")
        self.bad(2, ["opencl:97", "reference", "cpu"], "summary", "tiny_convnet", "--device", "opencl:97")
        self.bad(2, ["nonsense"], "conform", "--device", "nonsense")
        self.bad(2, ["list of devices"], "bench", "--model", "tiny_convnet", "--device", "cpu,,reference")

    def test_numbers(self):
        for words, *arguments in (
            (["--top", "1", "zero"], "predict", "m", "x", "--top", "zero"),
            (["--top", "0"], "predict", "m", "x", "--top", "0"),
            (["--top", "3.5"], "predict", "m", "x", "--top=3.5"),
            (["--batch", "65536", "65537"], "predict", "m", "x", "--batch", "65537"),
            (["--threads", "-1"], "devices", "--threads", "-1"),
            (["--seed", "99999999999999999999"], "devices", "--seed", "99999999999999999999"),
            (["--lr", "nan"], "fit", "d", "--lr", "nan"),
            (["--memory", "512X"], "fit", "d", "--memory", "512X"),
            (["--input", "0x0"], "summary", "vgg16", "--input", "0x0"),
            (["--stages", "head:0"], "fit", "d", "--stages", "head:0"),
            (["--stages", "head:1:x"], "fit", "d", "--stages", "all,head:1:x"),
            (["--stages", "\"\""], "fit", "d", "--stages", "head,,all"),
            (["--top", "K"], "predict", "m", "x", "--top"),
            (["--json", "no value"], "devices", "--json=1"),
            (["--weights", "empty"], "predict", "m", "x", "--weights", ""),
        ):
            with self.subTest(" ".join(arguments)):
                self.bad(2, words, *arguments)

    def test_operands(self):
        for words, *arguments in (
            (["DATA"], "fit"),
            (["INPUT"], "predict"),
            (["INPUT"], "predict", "m"),
            (["DATA"], "evaluate", "m"),
            (["DATA"], "check"),
            (["MODEL"], "summary"),
            (["b"], "summary", "vgg16", "b"),
            (["extra"], "devices", "extra"),
            (["--model", "--op"], "bench"),
            (["--precision", "--model"], "bench", "--op", "fill", "--precision", "tf32"),
            (["--tune", "--op"], "bench", "--op", "fill", "--tune"),
            (["--tune", "--variants"], "bench", "--model", "tiny_convnet", "--tune", "--variants", "conv2d=gemm"),
            (["--device"], "devices", "--device", "cpu"),
            (["--weights"], "predict", "squeezenet1_0", "x.jpg"),
            (["--weights"], "evaluate", "squeezenet1_0", "x"),
        ):
            with self.subTest(" ".join(arguments)):
                self.bad(2, words, *arguments)

    def test_precision_is_refused_without_a_unit(self):
        """Never f32 in silence; the same sentence from all that use a network."""
        draw_data(self.path("d"), 3, 2)
        told = ["cpu", "has no matrix unit that computes in TF32", "take f32"]
        self.bad(1, told, "bench", "--model", "tiny_convnet", "--precision", "tf32", "--device", "cpu")
        self.bad(1, told, "fit", "d", "--model", "tiny_convnet", "--weights", "none", "--precision", "tf32", "--device", "cpu",
                 "--out", "r")
        self.assertFalse(os.path.exists(self.path("r")))
        self.good("fit", "d", "--model", "tiny_convnet", "--weights", "none", "--epochs", "1", "--device", "cpu", "--out", "r")
        self.bad(1, told, "predict", "r", "d", "--precision", "tf32", "--device", "cpu")
        self.bad(2, ["--precision", "f32", "tf32"], "predict", "r", "d", "--precision", "f16")
        self.good("predict", "r", "d", "--precision", "f32", "--device", "cpu")

    def test_what_does_not_go_together(self):
        for words, *arguments in (
            (
                ["--freeze", "--stages"],
                "fit",
                "d",
                "--model",
                "vgg16",
                "--freeze",
                "head",
                "--stages",
                "head",
            ),
            (["layer9", "layer3"], "fit", "d", "--model", "resnet18", "--freeze", "layer9"),
            (["head", "last"], "fit", "d", "--model", "resnet18", "--freeze", "head"),
            (["layer9", "layer3"], "fit", "d", "--model", "resnet18", "--stages", "layer9:2"),
            (["--resume", "--out"], "fit", "--resume", "r", "--out", "o"),
        ):
            with self.subTest(" ".join(arguments)):
                self.bad(2, words, *arguments)

    def test_nothing_to_run(self):
        self.bad(77, ["nothing"], "conform", "--device", "reference", "--case", "no/such*", prints=True)
        if not has_device("opencl:97"):
            self.assertEqual(self.run_graft("conform", "--device", "opencl:97").returncode, 77)


if __name__ == "__main__":
    main()
