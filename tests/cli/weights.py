# SPDX-License-Identifier: MIT
"""graft summary FILE and graft models --match FILE: whose weights these are, and what is in the file."""

import json
import os
import shutil
import struct
import tempfile

from command import DATA, Case, draw_data, main, png, run, safetensors
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


class Hub(Case):
    """config.json beside a file of weights, as timm and the Hugging Face Hub have it. What it should make of pictures is said
    once more as the metadata of another file: with the same steps the same bits come out."""

    CONFIG = {
        "architecture": "tf_mobilenetv3_small_075", "num_classes": 2, "num_features": 1024,
        "pretrained_cfg": {
            "tag": "in1k", "input_size": [3, 40, 40], "fixed_input_size": False, "interpolation": "bicubic", "crop_pct": 0.8,
            "crop_mode": "center", "mean": [0.5, 0.375, 0.25], "std": [0.25, 0.5, 0.125], "classifier": "classifier"},
    }

    @classmethod
    def setUpClass(cls):
        """Weights of the names and shapes that mobilenetv3_small_075 and tf_mobilenetv3_small_075 share."""
        cls.made = tempfile.mkdtemp(prefix="graft-cli-")
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        draw_data(os.path.join(cls.made, "d"), 4, 2)
        run("fit", "d", "--model", "mobilenetv3_small_075", "--weights", "none", "--input", "32", "--device", "cpu", "--epochs",
            "1", "--out", "m", "--quiet", cwd=cls.made)
        found = read_safetensors(os.path.join(cls.made, "m/model.safetensors"))[0]
        cls.tensors = {name: (shape, data) for name, (_, shape, data) in found.items()}

    def setUp(self):
        super().setUp()
        safetensors(self.path("model.safetensors"), self.tensors)
        png(self.path("wide.png"), 70, 50, lambda x, y: (3 * x, 5 * y, (x * y) % 251))

    def tell(self, config, **changes):
        if isinstance(config, dict):
            config = json.dumps(dict(config, pretrained_cfg=dict(config.get("pretrained_cfg", {}), **changes)))
        with open(self.path("config.json"), "w") as file:
            file.write(config)

    def logits(self, *arguments):
        """And what was remarked."""
        done = self.run_graft("predict", *arguments, "wide.png", "--logits", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["logits"], done.stderr

    def expected(self, network="tf_mobilenetv3_small_075", side=40, short_side=50, resample="bicubic", mean=(0.5, 0.375, 0.25),
                 std=(0.25, 0.5, 0.125)):
        preprocess = {
            "crop_height": side, "crop_width": side, "channels": 3, "mean": mean, "std": std, "ignore_orientation": True,
            "transforms": [{"kind": "resize", "short_side": short_side, "filter": resample}, {"kind": "center_crop"}]}
        os.makedirs(self.path("card"), exist_ok=True)
        safetensors(self.path("card/w.safetensors"), self.tensors,
                    {"graft.network": network, "graft.preprocess": json.dumps(preprocess)})
        return self.logits("card/w.safetensors")[0]

    def test_network_and_preprocessing(self):
        named = ("tf_mobilenetv3_small_075", "--weights", "model.safetensors")
        self.tell(self.CONFIG)
        row, remarks = self.logits("model.safetensors")
        self.assertIn("weights of tf_mobilenetv3_small_075", remarks)
        self.assertIn("pictures are prepared as config.json beside it says", remarks)
        self.assertEqual(row, self.expected())
        self.assertNotEqual(row, self.expected("mobilenetv3_small_075"))
        self.assertEqual(self.logits(*named)[0], row)
        self.assertEqual(self.logits(*named, "--input", "36")[0], self.expected(side=36, short_side=45))
        self.tell(self.CONFIG, crop_mode="squash", crop_pct=1.0)
        self.assertEqual(self.logits(*named)[0], self.expected(short_side=0))
        self.tell(self.CONFIG, crop_pct=0.94, interpolation="bilinear") # 40 / 0.94 = 42.6
        self.assertEqual(self.logits(*named)[0], self.expected(short_side=42, resample="bilinear"))
        self.tell(dict(self.CONFIG, model_args={"img_size": 48}), fixed_input_size=True)
        self.assertEqual(self.logits(*named)[0], self.expected(side=48, short_side=60))

    def test_older_form(self):
        """All in one object, the weights' name behind the network's."""
        flat = dict(self.CONFIG["pretrained_cfg"], architecture="tf_mobilenetv3_small_075.in1k")
        self.tell(json.dumps(flat))
        self.assertEqual(self.logits("model.safetensors")[0], self.expected())

    def test_fit_and_convert(self):
        self.tell(self.CONFIG)
        shutil.copytree(os.path.join(self.made, "d"), self.path("d"))
        done = self.run_graft("fit", "d", "--weights", "model.safetensors", "--device", "cpu", "--epochs", "1", "--out", "run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.good("convert", "model.safetensors", "other.safetensors")
        for file in ("run/model.safetensors", "other.safetensors"):
            with self.subTest(file):
                texts = read_safetensors(self.path(file))[1]
                preprocess = json.loads(texts["graft.preprocess"])
                self.assertEqual(texts["graft.network"], "tf_mobilenetv3_small_075")
                self.assertEqual((preprocess["crop_height"], preprocess["mean"], preprocess["std"]),
                                 (40, [0.5, 0.375, 0.25], [0.25, 0.5, 0.125]))
                self.assertEqual(preprocess["transforms"][0], {"kind": "resize", "short_side": 50, "filter": "bicubic"})
        # A run's own card counts, whatever stands in its config.json, or in one of timm's in its place; what it says of
        # normalization and filter holds for another size, too.
        preprocess.update(crop_height=28, crop_width=28, ignore_orientation=False)
        preprocess["transforms"][0]["short_side"] = 32
        tensors, texts = read_safetensors(self.path("run/model.safetensors"))
        safetensors(self.path("card.safetensors"), {name: (shape, data) for name, (_, shape, data) in tensors.items()},
                    dict(texts, **{"graft.preprocess": json.dumps(preprocess)}))
        kept, other = self.logits("run")[0], self.logits("card.safetensors")[0]
        self.assertEqual(self.logits("run", "--input", "28")[0], other)
        self.tell(self.CONFIG, mean=[0, 0], crop_pct=0.5)
        shutil.copy(self.path("config.json"), self.path("run/config.json"))
        self.assertEqual(self.logits("run/model.safetensors")[0], kept)
        self.assertNotIn("config.json", self.logits("run/model.safetensors", "--input", "28")[1])

    def test_another_network(self):
        for network in ("resnet18", "mobilenetv3_small_100"): # nothing in common, and some tensors
            self.tell(dict(self.CONFIG, architecture=network))
            self.bad(1, ["model.safetensors", f"by config.json beside it these are weights of {network}", "mobilenetv3_small_075",
                         "--weights FILE"], "predict", "model.safetensors", "wide.png")
        row, remarks = self.logits("mobilenetv3_small_075", "--weights", "model.safetensors", "--input", "40")
        self.assertNotIn("config.json", remarks) # it lies there for other weights
        os.remove(self.path("config.json"))
        self.assertEqual(self.logits("mobilenetv3_small_075", "--weights", "model.safetensors", "--input", "40")[0], row)
        self.tell(self.CONFIG)
        row, remarks = self.logits("mobilenetv3_small_075", "--weights", "model.safetensors", "--input", "40")
        self.assertIn("by config.json beside it these are weights of tf_mobilenetv3_small_075", remarks)
        self.assertIn("take tf_mobilenetv3_small_075 instead of mobilenetv3_small_075", remarks)

    def test_no_network_of_ours(self):
        """What tells no network leaves it to the tensors; preprocessing is taken all the same where timm wrote it."""
        several = ["fits mobilenetv3_small_075 and tf_mobilenetv3_small_075: say of which"]
        for text in ('{"architectures": ["ResNetForImageClassification"], "model_type": "resnet", "mean": 1}', "[]"):
            with self.subTest(text):
                self.tell(text)
                self.assertNotIn("config.json", self.bad(1, several, "predict", "model.safetensors", "wide.png"))
        self.tell(dict(self.CONFIG, architecture="mobilenetv3_small_x"))
        self.bad(1, ["config.json beside it names none of them but mobilenetv3_small_x, which Graft does not know"], "predict",
                 "model.safetensors", "wide.png")
        shutil.move(self.path("model.safetensors"), self.path("tf_mobilenetv3_small_075-1.safetensors"))
        row, remarks = self.logits("tf_mobilenetv3_small_075-1.safetensors")
        self.assertIn("config.json beside it says mobilenetv3_small_x, which Graft does not know", remarks)
        self.assertEqual(row, self.expected())

    def test_what_is_not_taken(self):
        usual = self.expected(side=224, short_side=256, resample="bilinear", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        halves = self.expected(side=224, short_side=256, resample="bilinear")
        for words, row, config in (
            ("all of it, for it is no JSON", None, "{"),
            ("all of it, for it is no JSON", None, "[" * 100000),
            ("architecture", None, dict(self.CONFIG, architecture=["tf_mobilenetv3_small_075"])),
            ("architecture", None, dict(self.CONFIG, architecture="x" * 64)),
            ("architecture", None, dict(self.CONFIG, architecture="tf \33[31m")),
            ("mean and std, input_size", usual, dict(mean=[0.5, 0.5], input_size=[3, 40, 44])),
            ("mean and std, input_size", usual, dict(std=[0.5, 0, 0.5], input_size=[1, 40, 40])),
            ("mean and std, crop_mode", usual, dict(mean="half", crop_mode="border")),
            ("mean and std, crop_pct", usual, dict(std=[0.5, 0.5, "1"], crop_pct=1.5)),
            ("crop_pct", halves, dict(crop_pct=0.001)),
            ("crop_mode", halves, dict(crop_mode="squash")),
            ("interpolation", halves, dict(interpolation="random")),
            ("interpolation", halves, dict(interpolation=3)),
            ("input_size", halves, dict(input_size=[3, 40000, 40000])),
            ("input_size", halves, dict(input_size=224)),
        ):
            with self.subTest(config if isinstance(config, dict) else config[:9]):
                if row:
                    self.tell(self.CONFIG, **config)
                else:
                    self.tell(config)
                told, remarks = self.logits("tf_mobilenetv3_small_075", "--weights", "model.safetensors")
                self.assertIn(f"model.safetensors: of config.json beside it this is not taken: {words}\n", remarks)
                if row:
                    self.assertEqual(told, row)
        os.remove(self.path("config.json"))
        os.mkdir(self.path("config.json"))
        remarks = self.logits("tf_mobilenetv3_small_075", "--weights", "model.safetensors")[1]
        self.assertNotIn("config.json", remarks)


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
