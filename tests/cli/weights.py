# SPDX-License-Identifier: MIT
"""graft summary FILE and graft models --match FILE: whose weights these are, and what is in the file."""

import json
import os
import struct

from command import DATA, Case, draw_data, main, safetensors
from state_dict import read_safetensors


class Told(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"), 4, 2)
        self.good("fit", "d", "--model", "tiny_convnet", "--input", "32", "--device", "cpu", "--epochs", "1", "--out",
                  "run", "--quiet")
        self.tensors, self.texts = read_safetensors(self.path("run/model.safetensors"))
        self.bare = {"module." + name: (shape, data) for name, (_, shape, data) in self.tensors.items()}

    def matches(self, name):
        return json.loads(self.good("models", "--match", name, "--json"))

    def test_match(self):
        safetensors(self.path("w.safetensors"), dict(self.bare, extra=([1], b"\0" * 4)))
        best, *others = self.matches("w.safetensors")
        self.assertEqual((best["network"], best["fits"], best["classes"], best["tensors"], best["missing"],
                          best["misshaped"], best["unused"], best["unused_names"]),
                         ("tiny_convnet", True, 2, len(self.tensors), 0, 0, 1, "extra"))
        self.assertFalse(any(other["fits"] for other in others))
        text = self.good("models", "--match", "w.safetensors")
        self.assertRegex(text, r"(?m)^tiny_convnet +yes +2 +%d +0 +0 +1$" % len(self.tensors))
        self.assertIn("unused: extra", text)

    def test_missing_and_misshaped(self):
        bare = dict(self.bare)
        [first, second, *_] = bare
        del bare[first]
        shape, data = bare[second]
        bare[second] = ([1, *shape], data)
        safetensors(self.path("w.safetensors"), bare)
        best = self.matches("w.safetensors")[0]
        self.assertEqual((best["network"], best["fits"], best["missing"], best["misshaped"]), ("tiny_convnet", False, 1, 1))
        self.assertEqual(best["missing_names"], first[len("module."):])
        self.assertIn(second[len("module."):], best["misshaped_names"])
        done = self.run_graft("models", "--match", "w.safetensors")
        self.assertEqual((done.returncode, "fits no network" in done.stderr), (0, True))
        self.assertRegex(done.stdout, r"(?m)^tiny_convnet +no ")
        self.assertIn("network: none of the list; the nearest is tiny_convnet, 1 of", self.good("summary", "w.safetensors"))

    def test_network_by_its_weights(self):
        safetensors(self.path("w.safetensors"), {name: (shape, data) for name, (_, shape, data) in self.tensors.items()})
        picture = next(os.path.join(root, name) for root, _, names in os.walk(self.path("d")) for name in sorted(names))
        row = json.loads(self.good("predict", "w.safetensors", picture, "--input", "32", "--logits", "--json"))
        named = json.loads(self.good("predict", "tiny_convnet", "--weights", "w.safetensors", picture, "--input", "32", "--logits",
                                     "--json"))
        self.assertEqual(row["logits"], named["logits"])
        done = self.run_graft("fit", "d", "--weights", "w.safetensors", "--input", "32", "--device", "cpu", "--epochs", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("network: tiny_convnet, as the weights say; weights: w.safetensors", done.stderr)
        done = self.run_graft("predict", "resnet18", "--weights", "w.safetensors", picture)
        self.assertEqual(done.returncode, 1)
        self.assertIn("w.safetensors: these are weights of tiny_convnet; these are not the weights of resnet18", done.stderr)

    def test_networks_of_the_same_tensors(self):
        """timm's tf_mobilenetv3_small_075 pads as TensorFlow does, and has the names and shapes of mobilenetv3_small_075."""
        self.good("fit", "d", "--model", "mobilenetv3_small_075", "--weights", "none", "--input", "32", "--device", "cpu", "--epochs",
                  "1", "--out", "m", "--quiet")
        tensors = {name: (shape, data) for name, (_, shape, data) in read_safetensors(self.path("m/model.safetensors"))[0].items()}
        os.makedirs(self.path("models--timm--tf_mobilenetv3_small_075.in1k/one"))
        picture = next(os.path.join(root, name) for root, _, names in os.walk(self.path("d")) for name in sorted(names))
        for name, network in (("w", None), ("mobilenetv3_small_075_x", "mobilenetv3_small_075"),
                              ("models--timm--tf_mobilenetv3_small_075.in1k/one/w", "tf_mobilenetv3_small_075"),
                              ("tf_mobilenetv3_small_075x", None)):
            file = name + ".safetensors"
            safetensors(self.path(file), tensors)
            done = self.run_graft("predict", file, picture, "--input", "32")
            if network:
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(f"{file}: weights of {network}, by names and shapes", done.stderr)
            else:
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"'{file}' fits mobilenetv3_small_075 and tf_mobilenetv3_small_075: say of which", done.stderr)
            done = self.run_graft("predict", "mobilenetv3_small_075", "--weights", file, picture, "--input", "32")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual("take tf_mobilenetv3_small_075 instead of mobilenetv3_small_075" in done.stderr,
                             network == "tf_mobilenetv3_small_075")

    def test_foreign(self):
        safetensors(self.path("w.safetensors"), {"encoder.w": ([2, 2], struct.pack("<4f", 1, 2, 3, 4))})
        self.assertEqual(self.matches("w.safetensors"), [])
        text = self.good("summary", "w.safetensors")
        self.assertIn("network: none of the list\n", text)
        self.assertRegex(text, r"(?m)^F32 +\[2, 2\] +encoder\.w$")
        self.assertIn("1 tensors, 4 numbers, 16 B in memory", text)

    def test_summary_of_runs_and_of_what_is_converted(self):
        for name, form in (("run", "F32"), ("run/model.safetensors", "F32"), ("net.pth", "F32"),
                           ("half.safetensors", "F16")):
            if not os.path.exists(self.path(name)):
                self.good("convert", "run", name, *(["--half"] if form == "F16" else []))
            with self.subTest(name):
                text = self.good("summary", name)
                self.assertIn("network: tiny_convnet, as the file says, 2 classes: %d tensors, 0 missing, 0 misshaped, "
                              "0 unused" % len(self.tensors), text)
                self.assertIn('graft.classes: ["blue","red"]', text)
                document = json.loads(self.good("summary", name, "--json"))
                self.assertEqual(document["network"], "tiny_convnet")
                self.assertEqual({tensor["name"]: tensor["shape"] for tensor in document["tensors"]},
                                 {tensor: shape for tensor, (_, shape, _) in self.tensors.items()})
                self.assertEqual({tensor["stored"] for tensor in document["tensors"]}, {form})

    def test_messages(self):
        with open(self.path("text.pth"), "w") as file:
            file.write("no weights\n" * 20)
        for code, words, *arguments in (
            (1, ["nothing.pth", "No such file"], "summary", "nothing.pth"),
            (1, ["nothing.pth", "No such file"], "models", "--match", "nothing.pth"),
            (1, ["text.pth"], "summary", "text.pth"),
            (1, ["text.pth"], "models", "--match", "text.pth"),
            (1, ["d/model.safetensors"], "summary", "d"),
            (2, ["resnet81", "resnet18"], "summary", "resnet81"),
            (2, ["file of weights"], "summary", "run", "--batch", "8"),
            (2, ["--match"], "models", "--match"),
        ):
            with self.subTest(" ".join(arguments)):
                self.bad(code, words, *arguments)


class Published(Case):
    def test_types_and_wrappers(self):
        path = os.path.join(DATA, "weights", "torch", "shufflenet_v2_x1_0-checkpoint.pth")
        if not os.path.isfile(path):
            self.skipTest("%s is not there" % path)
        best = json.loads(self.good("models", "--match", path, "--json"))[0]
        self.assertEqual((best["network"], best["fits"], best["unused_names"]),
                         ("shufflenet_v2_x1_0", True, "module.label_map"))
        tensors = json.loads(self.good("summary", path, "--json"))["tensors"]
        self.assertEqual({tensor["stored"] for tensor in tensors}, {"BF16", "F32", "I64", "I32"})


if __name__ == "__main__":
    main()
