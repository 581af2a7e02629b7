# SPDX-License-Identifier: MIT
"""--json: documents that parse, with the stable keys; figures agree with each other and with other sources."""

import json
import math
import os
import struct
import unittest

from command import DATA, Case, draw_data, main, run


def read_npy(path):
    """Shape and values of a little-endian f4 file, as NumPy describes its format."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:6] == b"\x93NUMPY"
    length = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10 : 10 + length].decode(), {"__builtins__": {}}, {"False": False, "True": True})
    assert header["descr"] == "<f4" and not header["fortran_order"]
    values = data[10 + length :]
    return header["shape"], struct.unpack("<%df" % (len(values) // 4), values)


class Json(Case):
    def one(self, *arguments):
        text = self.good(*arguments, "--json")
        self.assertEqual(text.count("\n"), 1)
        return json.loads(text)

    def test_devices(self):
        devices = self.one("devices")
        self.assertEqual([device["id"] for device in devices[:2]], ["reference", "cpu"])
        for device in devices:
            self.assertEqual(
                list(device),
                [
                    "id",
                    "name",
                    "platform",
                    "driver",
                    "kind",
                    "memory_bytes",
                    "max_allocation_bytes",
                    "fp16",
                    "fp64",
                    "fp16_storage",
                ],
            )
            if device["id"].startswith("opencl"):
                self.assertTrue(device["fp16_storage"])  # OpenCL 1.2 has vload_half
            self.assertGreaterEqual(device["fp16_storage"], device["fp16"])
            self.assertIn(device["kind"], ("cpu", "gpu"))
            self.assertGreater(device["memory_bytes"], 1 << 20)
            self.assertIsInstance(device["fp64"], bool)

    def test_preprocessing_is_as_published(self):
        """Of the networks with torchvision's names: that of one of its weights."""
        path = os.path.join(DATA, "zoo", "torchvision-weights.json")
        if not os.path.exists(path):
            self.skipTest("%s is not there" % path)
        with open(path, encoding="utf-8") as file:
            published = json.load(file)
        compared = 0
        for model in self.one("models"):
            if model["source"] != "torchvision":
                continue
            ours = model["preprocess"]
            transforms = [entry["transforms"] for entry in published if entry["model"] == model["name"]]
            self.assertTrue(transforms, model["name"])
            self.assertIn(
                (ours["resize_short_side"], ours["crop"], ours["filter"]),
                [(t["resize_size"][0], t["crop_size"][0], t["interpolation"]) for t in transforms],
                model["name"],
            )
            for key in ("mean", "std"):
                # These two normalize once more what was normalized so: both steps together are (x - 0.5) / 0.5.
                twice = model["name"] in ("googlenet", "inception_v3")
                expected = [[0.5] * 3] if twice else [t[key] for t in transforms]
                self.assertIn([round(v, 6) for v in ours[key]], expected, model["name"])
            self.assertEqual(model["input"][:2], [ours["crop"]] * 2)
            compared += 1
        self.assertGreaterEqual(compared, 15)

    def test_models_and_summary(self):
        models = {model["name"]: model for model in self.one("models")}
        self.assertEqual(models["mnist_convnet"]["parameters"], 93322)
        self.assertEqual(models["resnet18"]["input"], [224, 224, 3])
        summary = self.one("summary", "mnist_convnet")
        self.assertEqual(
            list(summary),
            [
                "model",
                "input",
                "output",
                "classes",
                "parameters",
                "trainable_parameters",
                "multiply_adds",
                "layers",
            ],
        )
        self.assertEqual(sum(layer["parameters"] for layer in summary["layers"]), 93322)
        self.assertEqual(
            sum(layer["multiply_adds"] for layer in summary["layers"]),
            models["mnist_convnet"]["multiply_adds"],
        )
        other = self.one(
            "summary", "resnet18", "--classes", "7", "--input", "64x96", "--freeze", "layer4", "--batch", "2"
        )
        self.assertEqual(other["input"], [2, 64, 96, 3])
        self.assertEqual(other["layers"][-1]["shape"], [2, 7])
        self.assertEqual(other["trainable_parameters"], 512 * 7 + 7)
        top = self.one("summary", "resnet18", "--no-top", "--pool", "avg")
        self.assertEqual(top["output"], [1, 512])
        memory = self.one("summary", "mnist_convnet", "--device", "cpu", "--train")["memory"]
        self.assertGreaterEqual(memory["parameters"], 4 * 93322)
        self.assertGreaterEqual(memory["state"], 2 * 4 * 93322)
        memory = self.one("summary", "resnet18", "--input", "64", "--device", "cpu")["memory"]
        self.assertGreater(memory["activations_without_reuse"], memory["activations"])

    def test_bench(self):
        keys = [
            "model",
            "batch",
            "device",
            "mode",
            "images_per_second",
            "median_ms",
            "min_ms",
            "gflops",
            "peak_bytes",
            "plan_ms",
            "micro_batch",
            "memory",
        ]
        for mode in ([], ["--train"]):
            result = self.one(
                "bench",
                "--model",
                "mnist_convnet",
                "--batch",
                "4",
                "--device",
                "cpu",
                "--seconds",
                "0",
                "--rounds",
                "3",
                *mode
            )
            self.assertEqual(list(result), keys)
            self.assertEqual(result["mode"], "train" if mode else "inference")
            self.assertAlmostEqual(result["images_per_second"] * result["median_ms"] / 4000, 1, places=5)
            self.assertLessEqual(result["min_ms"], result["median_ms"])
            self.assertGreater(result["peak_bytes"], 4 * 93322)
            self.assertEqual(result["micro_batch"], 4)
            parts = ("parameters", "state", "inputs", "constants", "activations", "prepared", "sums")
            total = sum(result["memory"][part] for part in parts)
            self.assertAlmostEqual(result["peak_bytes"] / total, 1, delta=0.01)
        result = self.one(
            "bench", "--model", "mnist_convnet", "--device", "cpu", "--seconds", "0", "--profile"
        )
        self.assertAlmostEqual(sum(row["share"] for row in result["profile"]), 1, places=5)
        self.profile_adds_up(result)
        lines = self.good(
            "bench", "--model", "mnist_convnet", "--device", "cpu,reference", "--seconds", "0", "--json"
        ).splitlines()
        self.assertEqual([json.loads(line)["device"] for line in lines], ["cpu", "reference"])
        for line in self.good("bench", "--op", "fill", "--device", "cpu", "--json").splitlines():
            self.assertEqual(list(json.loads(line)), ["device", "case", "variant", "microseconds", "gflops"])

    def test_bench_of_data(self):
        """Preparing is decoding and more; lists of steps are read as fit reads them."""
        draw_data(self.path("d"), 2, 8)
        result = self.one("bench", "--data", "d", "--augment", "light", "--seconds", "0", "--input", "64")
        kinds = ["decoded_per_second", "prepared_per_second"]
        self.assertEqual(list(result), kinds + ["scaled_" + kind for kind in kinds])
        self.assertGreater(min(result.values()), 0)
        self.bad(2, ["--augment", "--data"], "bench", "--model", "mnist_convnet", "--augment", "light")
        self.bad(2, ["one of --model, --op and --data"], "bench", "--data", "d", "--op", "fill")
        self.bad(2, ["crop", "sharpn"], "bench", "--data", "d", "--augment", "crop:0.5-1,sharpn")
        self.bad(1, ["nowhere"], "bench", "--data", "nowhere")
        with open(self.path("d/train/red/empty.jpg"), "wb"):
            self.bad(1, ["d has pictures that cannot be read", "graft check"], "bench", "--data", "d", "--seconds", "0")

    def profile_adds_up(self, result):
        """Kernels are the layers, summed; each is held against the limit that it meets first."""
        limits, kernels = result["limits"], result["kernels"]
        self.assertEqual(list(limits), ["gflops", "memory"])
        rates = [size["gbytes_per_second"] for size in limits["memory"]]
        sizes = [size["bytes"] for size in limits["memory"]]
        self.assertEqual(sizes, sorted(sizes))
        self.assertGreaterEqual(len(sizes), 5)
        self.assertEqual([kernel["ms"] for kernel in kernels], sorted((k["ms"] for k in kernels), reverse=True))
        self.assertAlmostEqual(sum(kernel["share"] for kernel in kernels), 1, places=5)
        self.assertEqual(sum(kernel["layers"] for kernel in kernels), len(result["profile"]))
        self.assertAlmostEqual(sum(op["ms"] for op in result["ops"]) / sum(k["ms"] for k in kernels), 1, places=5)
        self.assertEqual(len({(op["op"], op["variant"]) for op in result["ops"]}), len(result["ops"]))
        self.assertEqual(len({(kernel["variant"], kernel["call"]) for kernel in kernels}), len(kernels))
        for kernel in kernels:
            compute = kernel["gflops"] / limits["gflops"]
            if kernel["ms"] == 0:
                continue
            if kernel["bound"] == "compute":
                self.assertAlmostEqual(kernel["limit_share"] / compute, 1, places=5)
            else:
                self.assertGreaterEqual(kernel["limit_share"], compute * 0.99999)
                self.assertGreaterEqual(kernel["limit_share"], kernel["gbytes_per_second"] / max(rates) * 0.99999)
                self.assertLessEqual(kernel["limit_share"], kernel["gbytes_per_second"] / min(rates) * 1.00001)
            self.assertEqual(kernel["fewer_products"], kernel["variant"].startswith("winograd"))
            self.assertLessEqual(kernel["impossible"], kernel["layers"])

    def test_tuning(self):
        """What is measured is kept and used by the next run, which says so; not where a variant is forced."""
        cache = {"GRAFT_CACHE": self.path("cache"), "GRAFT_TUNING": "1"}
        bench = "bench --model squeezenet1_1 --input 64 --batch 2 --device cpu --seconds 0".split()
        table = self.good(*bench, "--tune", environment=cache)
        for words in ("conv2d, ", "chosen: ", "choices differ from the default", "kept in " + cache["GRAFT_CACHE"]):
            self.assertIn(words, table)
        result = json.loads(self.good(*bench, "--tune", "--json", environment=cache))
        changed = 0
        step = result["tuned_step"]
        self.assertEqual(list(step), ["default_ms", "ms", "choices", "kept"])
        self.assertLessEqual(step["ms"], step["default_ms"])
        self.assertEqual(step["kept"], sum(row["chosen"] != row["default"] for row in result["tuning"]))
        self.assertGreaterEqual(step["choices"], step["kept"])
        for row in result["tuning"]:
            self.assertEqual(list(row), ["op", "call", "layers", "variants", "chosen", "default", "taken_back"])
            times = {variant["variant"]: variant["ms"] for variant in row["variants"]}
            self.assertGreater(len(times), 1)
            self.assertGreater(times[row["default"]], 0)
            if row["chosen"] != row["default"]:
                changed += row["layers"]
                possible = [one["ms"] for one in row["variants"] if one["ms"] is not None and not one["impossible"]]
                self.assertEqual(times[row["chosen"]], min(possible))
                self.assertIsNone(row["taken_back"])
        again = run(*bench, "--profile", "--json", environment=cache)
        self.assertEqual(json.loads(again.stdout)["tuned"], changed)
        self.assertEqual("graft bench --tune" in again.stderr, changed > 0)
        forced = json.loads(self.good(*bench, "--profile", "--json", "--variants", "conv2d=gemm", environment=cache))
        self.assertEqual({row["variant"] for row in forced["profile"] if row["op"] == "conv2d"}, {"gemm"})
        self.assertEqual(forced["tuned"], 0)

    def test_auto(self):
        """The fastest device is measured when asked for, remembered, and what nobody measured is cpu."""
        cache = {"GRAFT_CACHE": self.path("cache"), "GRAFT_TUNING": "1"}
        bench = "bench --model mnist_convnet --batch 16 --seconds 0 --rounds 1 --json".split()
        before = run(*bench, environment=cache)
        self.assertEqual(json.loads(before.stdout)["device"], "cpu")
        self.assertIn("device auto: cpu (", before.stderr)
        asked = run(*bench, "--device", "auto", environment=cache)
        chosen = json.loads(asked.stdout)["device"]
        devices = [device["id"] for device in json.loads(self.good("devices", "--json"))]
        if len(devices) == 2:
            self.assertEqual(chosen, "cpu")
            self.assertNotIn("is the fastest", asked.stderr)
            return
        self.assertIn("device auto: %s (" % chosen, asked.stderr)
        self.assertIn("is the fastest", asked.stderr)
        for again in (run(*bench, environment=cache), run(*bench, "--device", "auto", environment=cache)):
            self.assertEqual(json.loads(again.stdout)["device"], chosen)
            self.assertIn("as measured before", again.stderr)
        # Another kind of work, another number of threads: measured by itself.
        other = run(*bench, "--threads", "1", environment=cache)
        self.assertNotIn("as measured before", other.stderr)
        nobody = {**cache, "OCL_ICD_VENDORS": self.path("no-drivers")}
        alone = run(*bench, "--device", "auto", environment=nobody)
        self.assertEqual(json.loads(alone.stdout)["device"], "cpu")
        self.assertNotIn("is the fastest", alone.stderr)

    def test_conform(self):
        # Without --sizes a sample of real sizes would be added.
        text = self.good(
            "conform", "--device", "reference,cpu", "--op", "softmax", "--sizes", "small", "--json", "--quiet"
        )
        for device, line in zip(("reference", "cpu"), text.splitlines(), strict=True):
            report = json.loads(line)
            self.assertEqual(
                list(report),
                ["device", "ran", "passed", "failed", "unsupported", "skipped", "real_calls", "real_repeats", "left_slow", "worst"]
                + ["cases", "complete", "interrupted", "verdict", "name", "platform", "driver", "seconds"]
                + ["ops", "unsupported_reasons", "failures"],
            )
            self.assertEqual((report["cases"], report["complete"]), (report["ran"], True))
            self.assertEqual(sum(row["passed_exact"] + row["passed_rounding"] + row["passed_real"] for row in report["ops"]), report["ran"])
            self.assertEqual((report["device"], report["failed"]), (device, 0))
            self.assertEqual(report["ran"], report["passed"])
            self.assertGreater(report["ran"], 0)
            for worst in report["worst"]:
                self.assertEqual(list(worst), ["case", "share_of_tolerance"])
                self.assertLessEqual(worst["share_of_tolerance"], 1)
        self.bad(
            1,
            ["1000000", "--min-cases"],
            "conform",
            "--device",
            "cpu",
            "--op",
            "softmax",
            "--min-cases",
            "1000000",
            prints=True,
        )

    def test_run(self):
        """fit, then everything that reads the run."""
        draw_data(self.path("colours"))
        result = self.one(
            "fit", "colours", "--model", "mnist_convnet", "--epochs", "6", "--batch", "5", "--device", "cpu"
        )
        self.assertEqual(
            list(result),
            ["run", "best_epoch", "val_top1", "val_loss", "test_top1", "seconds", "images_per_second"],
        )
        self.assertEqual(result["run"], "runs/colours-mnist_convnet-1")
        self.assertIsNone(result["test_top1"])
        run = result["run"]
        pictures = ["colours/val/%s/00.png" % name for name in ("blue", "red")]
        lines = self.good("predict", run, *pictures, "--json", "--logits", "--device", "cpu").splitlines()
        for picture, line in zip(pictures, lines, strict=True):
            found = json.loads(line)
            self.assertEqual(list(found), ["file", "top", "logits"])
            self.assertEqual(found["file"], picture)
            self.assertEqual([list(entry) for entry in found["top"]], [["index", "name", "probability"]] * 2)
            self.assertEqual({entry["name"] for entry in found["top"]}, {"blue", "red"})
            largest = max(found["logits"])
            sums = sum(math.exp(value - largest) for value in found["logits"])
            for entry in found["top"]:
                self.assertAlmostEqual(
                    entry["probability"], math.exp(found["logits"][entry["index"]] - largest) / sums, places=6
                )
        evaluation = self.one("evaluate", run, "colours", "--device", "cpu")
        self.assertEqual(
            list(evaluation), ["images", "loss", "top1", "top5", "classes", "confusion", "calibration", "ranking"]
        )
        self.assertEqual(list(evaluation["calibration"]), ["error", "largest", "bins"])
        self.assertEqual(list(evaluation["ranking"]), ["roc_auc", "average_precision"])
        self.assertEqual(evaluation["images"], 8)
        self.assertAlmostEqual(evaluation["top1"], result["val_top1"], places=6)
        self.assertAlmostEqual(evaluation["loss"], result["val_loss"], places=6)
        self.assertEqual(
            [list(entry) for entry in evaluation["classes"]],
            [["name", "images", "precision", "recall", "f1"]] * 2,
        )
        self.assertEqual(sum(map(sum, evaluation["confusion"])), 8)
        right = sum(evaluation["confusion"][i][i] for i in range(2))
        self.assertAlmostEqual(right / 8, evaluation["top1"])
        self.assertEqual(self.one("evaluate", run, "colours", "--split", "train")["images"], 20)
        features = self.one("features", run, "colours", "--out", "f.npy", "--device", "cpu")
        shape, values = read_npy(self.path("f.npy"))
        self.assertEqual(list(shape), features["shape"])
        self.assertEqual(shape[0], 28)
        self.assertEqual(len(values), math.prod(shape))
        with open(self.path("f.txt")) as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
        self.assertEqual(len(rows), 28)
        self.assertEqual({row[1] for row in rows}, {"blue", "red"})
        checked = self.one("check", "colours")
        self.assertEqual((checked["train"], checked["val"], checked["damaged"]), (20, 8, []))


if __name__ == "__main__":
    main()
