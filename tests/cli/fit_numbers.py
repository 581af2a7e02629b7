# SPDX-License-Identifier: MIT
"""graft fit: what is learnt and noted has the numbers that follow from other runs of the command."""

import csv
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time
import zlib

from command import GRAFT, Case, draw_class, draw_data, main, png

COMMON = ["--model", "tiny_convnet", "--input", "32", "--device", "cpu"]
ONE_STEP = ["--batch", "20", "--epochs", "1", "--optimizer", "sgd", "--momentum", "0", "--lr", "0.1"]
TRUNK = ["block%d" % (i + 1) for i in range(5)]


def read_file(path):
    """A safetensors file: name → list of floats; the texts of its metadata."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    texts = header.pop("__metadata__", {})
    values = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values[name] = struct.unpack("<%df" % ((end - begin) // 4), data[begin:end])
    return values, texts


def distance(a, b, names):
    """The largest difference of what has a name that begins with one of `names`."""
    chosen = [name for name in a if name.startswith(tuple(names))]
    return max(abs(x - y) for name in chosen for x, y in zip(a[name], b[name]))


class Numbers(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"))

    def fit(self, out, *arguments, data="d"):
        """Runs it; what it prints as JSON."""
        return json.loads(self.good("fit", data, *COMMON, "--out", out, "--json", *arguments))

    def last(self, run):
        return read_file(self.path(run, "last.safetensors"))[0]

    def best(self, run):
        return read_file(self.path(run, "model.safetensors"))[0]

    def history(self, run):
        with open(self.path(run, "history.csv"), newline="") as file:
            return list(csv.DictReader(file))

    def config(self, run):
        with open(self.path(run, "config.json")) as file:
            return json.load(file)

    def evaluate(self, run, split):
        return json.loads(self.good("evaluate", run, "d", "--split", split, "--device", "cpu", "--json"))

    def assert_near(self, a, b, tolerance):
        self.assertAlmostEqual(a, b, delta=tolerance * (1 + abs(b)))

    def start(self):
        """Weights of a run to begin with."""
        self.fit("w", "--batch", "5", "--epochs", "1", "--seed", "2")
        return "w/model.safetensors"

    def test_balanced_weights(self):
        """n / (classes × n of the class): of 20 pictures 15 in one class and 5 in the other, 20/30 and 20/10."""
        draw_class(self.path("e/train"), "blue", (60, 70, 190), 15, "a")
        draw_class(self.path("e/train"), "red", (190, 70, 60), 5, "b")
        self.fit("a", "--epochs", "2", "--class-weights", "balanced", data="e")
        self.fit("b", "--epochs", "2", "--class-weights", "%.9g,2" % (20 / 30), data="e")
        self.fit("c", "--epochs", "2", data="e")
        balanced = self.last("a")
        self.assert_same_tensors(balanced, self.last("b"))
        self.assertNotEqual(balanced, self.last("c"))

    def test_the_best_epoch_is_kept(self):
        """The first of the highest top 1, among these the lowest loss; what is evaluated are its weights."""
        for number, rate in enumerate(("0.3", "0.03", "1e-3")):
            run = "r%d" % number
            how = ["--stages", "all:4:%s,all:5:%s" % (rate, rate), "--batch", "3", "--optimizer", "sgd"]
            done = self.fit(run, *how, "--schedule", "constant", "--seed", str(number))
            rows = self.history(run)
            key = [(-float(row["val_top1"]), float(row["val_loss"])) for row in rows]
            self.assertEqual(done["best_epoch"], key.index(min(key)) + 1, rows)
            self.assertEqual([int(row["epoch"]) for row in rows], list(range(1, 10)))
            figures = self.evaluate(run, "val")
            best = rows[done["best_epoch"] - 1]
            self.assertEqual(figures["images"], 8)
            self.assert_near(figures["loss"], float(best["val_loss"]), 1e-5)
            self.assertEqual(figures["top1"], float(best["val_top1"]))
            self.assert_near(done["val_loss"], float(best["val_loss"]), 1e-6)
            with open(self.path(run, "report.html")) as file:
                self.assertIn("tiny_convnet", file.read())

    def test_noted_losses_are_means_over_pictures(self):
        """Without learning, of batches of 8, 8 and 4: what the evaluation of the training pictures says."""
        weights = self.start()
        for stages in ("all:2:1e-12", "head:2:1e-12"):
            run = stages[:4].strip(":")
            self.fit(run, "--weights", weights, "--stages", stages, "--batch", "8", "--bn", "frozen")
            figures, val = self.evaluate(run, "train"), self.evaluate(run, "val")
            for row in self.history(run):
                self.assertAlmostEqual(float(row["train_loss"]), figures["loss"], delta=1e-5)
                self.assertEqual(float(row["train_top1"]), figures["top1"])
                self.assertAlmostEqual(float(row["val_loss"]), val["loss"], delta=1e-5)
                self.assertEqual(float(row["val_top1"]), val["top1"])

    def test_a_head_learns_from_features(self):
        """Which picture has which features and label is kept, in all of three sizes of batches."""
        weights = self.start()
        for batch in ("4", "8", "20"):
            run = "batch" + batch
            self.fit(run, "--weights", weights, "--stages", "head:60:3e-2", "--batch", batch)
            row = self.history(run)[-1]
            self.assertEqual((float(row["train_top1"]), float(row["val_top1"])), (1, 1), row)
            self.assertLess(float(row["train_loss"]), 0.1)

    def test_features_of_another_cut(self):
        """Features before the head are none before block 5: what comes second learns as if it were first."""
        weights = self.start()
        rest = ["--weights", weights, "--batch", "8"]
        self.fit("one", *rest, "--stages", "head:1:1e-12,block5:1:1e-12")
        self.fit("two", *rest, "--stages", "block5:1:1e-12")
        one, two = self.history("one")[1], self.history("two")[0]
        for key in ("train_loss", "val_loss"):
            self.assertAlmostEqual(float(one[key]), float(two[key]), delta=1e-5)

    def test_factors_of_learning_rates(self):
        """One step of plain descent: how far a stage goes is its factor, before the head 0.1 by default."""
        weights = self.start()
        begin = self.best("w")
        rest = ["--weights", weights, "--bn", "frozen", *ONE_STEP]
        same = ",".join(name + "=1" for name in TRUNK)
        self.fit("plain", *rest)
        self.fit("usual", *rest, "--stages", "all")
        self.fit("same", *rest, "--stages", "all", "--lr-factors", same)
        self.fit("some", *rest, "--stages", "all", "--lr-factors", "block2=0.5,head=3")
        self.assertEqual(distance(self.last("plain"), begin, TRUNK), 0)
        moved = {run: self.last(run) for run in ("usual", "same", "some")}
        for stage in [*TRUNK, "fc"]:
            names = [stage + "."]
            step = distance(moved["same"], begin, names)
            factor = 3 if stage == "fc" else 0.5 if stage == "block2" else 0.1
            self.assertGreater(step, 1e-6)
            self.assert_near(distance(moved["usual"], begin, names) / step, 1 if stage == "fc" else 0.1, 3e-3)
            self.assert_near(distance(moved["some"], begin, names) / step, factor, 3e-3)
        self.assertEqual(self.config("usual")["trunk_factor"], 0.1)

    def test_rates_change_from_step_to_step(self):
        """Two steps in one epoch: the second one's rate is another, with the cosine and while it warms up."""
        seen = []
        for number, arguments in enumerate(
            (
                ["--schedule", "constant"],
                ["--schedule", "cosine"],
                ["--schedule", "constant", "--warmup", "2"],
                ["--schedule", "constant", "--warmup", "4"],
                ["--schedule", "constant", "--label-smoothing", "0.2"],
            )
        ):
            self.fit("r%d" % number, "--batch", "10", "--epochs", "1", "--lr", "0.01", *arguments)
            seen.append(self.last("r%d" % number))
        for i, first in enumerate(seen):
            self.assertNotIn(first, seen[:i])
        # Adam's first step is as long as its rate: 1/4 and 2/4 of it, or 1/2 and all.
        self.fit("begin", "--batch", "10", "--epochs", "1", "--lr", "1e-12")
        begin = self.last("begin")
        self.assertAlmostEqual(distance(seen[0], begin, ["fc."]), 0.02, delta=0.003)
        self.assertAlmostEqual(distance(seen[2], begin, ["fc."]), 0.015, delta=0.003)
        self.assertAlmostEqual(distance(seen[3], begin, ["fc."]), 0.0075, delta=0.0015)

    def test_stages_begin_anew(self):
        """Two stages of two steps, the optimizer's numbers and sums from 0 on: as two runs one after the other."""
        weights = self.start()
        rest = ["--batch", "20", "--bn", "frozen", "--schedule", "constant"]
        for optimizer in ("adam", "sgd"):
            both = ["--optimizer", optimizer, *rest]
            names = ["both" + optimizer, "one" + optimizer, "two" + optimizer]
            self.fit(names[0], "--weights", weights, "--stages", "all:2:1e-3,all:2:1e-3", *both)
            self.fit(names[1], "--weights", weights, "--stages", "all:2:1e-3", *both)
            self.fit(names[2], "--weights", names[1] + "/last.safetensors", "--stages", "all:2:1e-3", *both)
            one, two = self.last(names[1]), self.last(names[2])
            way = distance(one, two, ["fc."])
            self.assertGreater(way, 1e-5)
            self.assertLess(distance(self.last(names[0]), two, [*TRUNK, "fc."]), 0.02 * way)

    def test_a_later_stage_sees_another_order(self):
        """A stage after one that does not learn takes its batches in another order than the same stage at once."""
        weights = self.start()
        rest = ["--weights", weights, "--batch", "5", "--seed", "5", "--bn", "frozen"]
        for stage in ("all", "head"):
            self.fit("at once" + stage, *rest, "--stages", stage + ":1:1e-2")
            self.fit("after" + stage, *rest, "--stages", "%s:1:1e-12,%s:1:1e-2" % (stage, stage))
            self.assertGreater(distance(self.last("at once" + stage), self.last("after" + stage), ["fc."]), 1e-5)

    def test_a_new_head(self):
        """Classes of other names, though as many: the head is new, and what is before it stays to the bit."""
        weights = self.start()
        for part in ("train", "val"):
            os.rename(self.path("d", part, "blue"), self.path("d", part, "ants"))
            os.rename(self.path("d", part, "red"), self.path("d", part, "bees"))
        begin = self.best("w")
        rest = ["--weights", weights, "--epochs", "1", "--lr", "1e-12"]
        done = self.run_graft("fit", "d", *COMMON, "--out", "new", *rest)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the head is new, for 2 classes", done.stderr)
        now = self.last("new")
        self.assertEqual(distance(now, begin, TRUNK), 0)
        self.assertGreater(distance(now, begin, ["fc.weight"]), 1e-3)

    def test_a_head_that_knows_some_classes(self):
        """A class more, or others in another order: known classes keep their rows of the head, to the bit. `--weights`
        takes the run itself."""
        self.start()
        begin = self.best("w")
        rest = ["--weights", "w", "--epochs", "1", "--lr", "1e-12"]
        done = self.run_graft("fit", "d", *COMMON, "--out", "same", *rest)
        self.assertIn("the head too: it knows these 2 classes", done.stderr)
        for name in begin:
            self.assertLess(distance(begin, self.last("same"), [name]), 1e-9, name)
        for part in ("train", "val"):
            draw_class(self.path("d", part), "aqua", (60, 190, 190), 3, part)
        done = self.run_graft("fit", "d", *COMMON, "--out", "more", *rest)
        self.assertIn("the head knows 2 of 3 classes", done.stderr)
        now, width = self.last("more"), len(begin["fc.weight"]) // 2
        self.assertEqual(len(now["fc.bias"]), 3)
        for row in range(2):  # aqua, blue, red
            there = now["fc.weight"][(row + 1) * width : (row + 2) * width]
            before = begin["fc.weight"][row * width : (row + 1) * width]
            self.assertLess(max(abs(x - y) for x, y in zip(there, before)), 1e-9)
            self.assertAlmostEqual(now["fc.bias"][row + 1], begin["fc.bias"][row], delta=1e-9)
        self.assertEqual(distance(now, begin, TRUNK), 0)

    def test_first_lines_say_what_a_run_does(self):
        self.start()
        done = self.run_graft("fit", "d", *COMMON, "--out", "r", "--weights", "w", "--stages", "head:1:1e-2,all:2:1e-3",
                              "--lr-factors", "block2=0,block3=0.5", "--optimizer", "adamw", "--batch", "8", "--warmup", "2")
        said = [line for line in done.stderr.splitlines() if line.startswith("stage ")]
        self.assertEqual(said, [
            "stage 1 of 2, epochs 1 to 1: learning rates: head at 0.01; adamw, cosine after 2 steps of warm-up; weight "
            "decay 0.01, not of biases and normalization; 8 pictures a step, 3 steps an epoch",
            "stage 2 of 2, epochs 2 to 3: learning rates: block1 at 0.0001, block2 not at all, block3 at 0.0005, block4 "
            "to block5 at 0.0001, head at 0.001; adamw, cosine after 2 steps of warm-up; weight decay 0.01, not of biases "
            "and normalization; 8 pictures a step, 3 steps an epoch"])
        begin, now = self.best("w"), self.last("r")
        self.assertEqual(distance(now, begin, ["block2."]), 0)

    def test_zero_means_zero(self):
        """--dropout 0 is none, not the network's own half; --momentum 0 and --weight-decay 0 mean that."""
        for number, (own, none) in enumerate(((["--model", "mobilenet_v2"], ["--model", "mobilenet_v2", "--dropout", "0"]),
                                              (["--optimizer", "sgd"], ["--optimizer", "sgd", "--momentum", "0"]),
                                              (["--optimizer", "adamw"], ["--optimizer", "adamw", "--weight-decay", "0"]))):
            runs = ["%s%d" % (name, number) for name in ("own", "none", "again")]
            for run, arguments in zip(runs, (own, none, none)):
                self.fit(run, "--batch", "10", "--epochs", "2", "--lr", "0.1", *arguments)
            self.assert_same_tensors(self.last(runs[1]), self.last(runs[2]))
            self.assertNotEqual(self.last(runs[0]), self.last(runs[1]))
        self.assertEqual((self.config("none0")["dropout"], self.config("own0")["dropout"]), (0, None))

    def test_seeds_can_be_compared(self):
        """--seed leaves the validation pictures as they are; --split-seed chooses others."""
        os.rename(self.path("d", "train"), self.path("flat"))
        for run, arguments in (("a", []), ("b", ["--seed", "7"]), ("c", ["--split-seed", "7"])):
            self.fit(run, "--epochs", "1", "--batch", "5", *arguments, data="flat")
        prints = [self.config(run)["fingerprints"]["val"] for run in "abc"]
        self.assertEqual(prints[0], prints[1])
        self.assertNotEqual(prints[0], prints[2])
        self.assertNotEqual(self.last("a"), self.last("b"))

    def test_what_cannot_be_learnt_from(self):
        with open(self.path(self.start()), "rb") as file:
            data = file.read()
        where = 8 + struct.unpack("<Q", data[:8])[0]
        name = json.loads(data[8:where])
        name.pop("__metadata__")
        first = min(name, key=lambda key: name[key]["data_offsets"][0])
        with open(self.path("nan.safetensors"), "wb") as file:
            file.write(data[:where] + struct.pack("<f", float("nan")) + data[where + 4 :])
        self.bad(1, ["nan.safetensors", first], "fit", "d", *COMMON, "--weights", "nan.safetensors", "--out", "n")
        self.bad(1, ["--bn frozen", "--weights"], "fit", "d", *COMMON, "--bn", "frozen", "--out", "n")
        self.assertFalse(os.path.exists(self.path("n")))

    def test_the_device_is_the_runs(self):
        """Without --device a resumed run goes on where it was; elsewhere only when that is asked for."""
        self.fit("r", "--batch", "10", "--epochs", "2", "--device", "reference")
        done = self.run_graft("fit", "--resume", "r")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.config("r")["device"], "reference")
        done = self.run_graft("fit", "--resume", "r", "--device", "cpu")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("not to the same bits", done.stderr)
        self.assertEqual(self.config("r")["device"], "cpu")

    def test_preprocessing_goes_with_the_size(self):
        """ImageNet's 256 before a crop of 224, in proportion; a size that is asked for counts, not the weights'."""
        weights = self.start()
        self.fit("small", "--epochs", "1", "--weights", weights)
        self.assertEqual(self.config("small")["preprocess"]["crop_width"], 32)
        self.fit("large", "--epochs", "1", "--weights", weights, "--input", "48")
        self.assertEqual(self.config("large")["preprocess"]["crop_width"], 48)
        rest = ["--weights", "large/model.safetensors", "--epochs", "1", "--out", "as large"]
        self.good("fit", "d", "--model", "tiny_convnet", "--device", "cpu", *rest)
        self.assertEqual(self.config("as large")["preprocess"]["crop_width"], 48)
        self.fit("squeeze", "--model", "squeezenet1_1", "--input", "63", "--batch", "2", "--epochs", "1")
        self.assertEqual(self.config("squeeze")["preprocess"]["transforms"][0]["short_side"], 63 * 256 // 224)

    def test_weights_may_want_pictures_as_stored(self):
        """A file turned by its orientation is taken as it lies if the weights' card says so, and else is turned."""
        self.start()
        with open(self.path("w/model.safetensors"), "rb") as file:
            data = file.read()
        self.assertEqual(data.count(b'ignore_orientation\\":false'), 1)
        with open(self.path("stored.safetensors"), "wb") as file:
            file.write(data.replace(b'ignore_orientation\\":false', b'ignore_orientation\\":true '))
        png(self.path("plain.png"), 32, 32, lambda x, y: (8 * y, 255 - 7 * x, 60 if x + y < 20 else 200))
        exif = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
        with open(self.path("plain.png"), "rb") as file:
            plain = file.read()
        chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
        with open(self.path("turned.png"), "wb") as file:
            file.write(plain[:33] + chunk + plain[33:])  # behind the header
        said = {}
        for weights in ("w/model.safetensors", "stored.safetensors"):
            for name in ("plain.png", "turned.png"):
                line = self.good("predict", "tiny_convnet", "--weights", weights, name, "--device", "cpu", "--json")
                said[weights, name] = json.loads(line)
                for key in [key for key, value in said[weights, name].items() if value == name]:
                    del said[weights, name][key]
        self.assertEqual(said["stored.safetensors", "plain.png"], said["stored.safetensors", "turned.png"])
        self.assertEqual(said["stored.safetensors", "plain.png"], said["w/model.safetensors", "plain.png"])
        self.assertNotEqual(said["w/model.safetensors", "plain.png"], said["w/model.safetensors", "turned.png"])

    def test_test_pictures_are_evaluated(self):
        """Where there are some the last word is theirs: the classes changed places there, so none is right."""
        draw_class(self.path("d/test"), "red", (60, 70, 190), 3, "blue ones")
        draw_class(self.path("d/test"), "blue", (190, 70, 60), 3, "red ones")
        done = self.fit("r", "--batch", "5", "--epochs", "4")
        self.assertEqual((done["val_top1"], done["test_top1"]), (1, 0))
        # By the best weights, not by what a step of a wrong length has made of them since.
        done = self.fit("s", "--weights", "r/model.safetensors", "--stages", "head:1:1e-12,all:1:1")
        self.assertLess(float(self.history("s")[1]["val_top1"]), 1)
        self.assertEqual((done["val_top1"], done["test_top1"]), (1, 0))

    def position(self, run):
        return json.loads(read_file(self.path(run, "state.safetensors"))[1]["graft.position"])

    def interrupt(self, *arguments, share=0.5):
        """Runs graft fit; Ctrl-C behind the second epoch that it tells of, after a share of the time between the first and
        it, saving included. Whether it came before the run's end: on a busy machine it may come late."""
        process = subprocess.Popen(
            [GRAFT, "fit", *arguments, "--device", "cpu"],
            cwd=self.folder,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        first = None
        for line in process.stderr:
            if re.match(r" +\d+  all ", line):
                if first is not None:
                    time.sleep(share * (time.monotonic() - first))
                    process.send_signal(signal.SIGINT)
                    break
                first = time.monotonic()
        rest = process.stderr.read()
        process.stderr.close()
        self.assertIn(process.wait(), (0, 130), rest)
        return process.returncode == 130

    def test_resumed_with_every_option(self):
        """Each option that bears on the numbers comes back from config.json, and an epoch's sums from the state."""
        draw_data(self.path("e"), 12, 0)
        os.rename(self.path("e", "train"), self.path("flat"))
        how = ["--model", "mobilenet_v2", "--input", "32", "--out"]
        options = ["--stages", "all:8:1e-2", "--optimizer", "sgd", "--momentum", "0.8", "--nesterov"]
        options += ["--warmup", "200", "--weight-decay", "1e-3", "--label-smoothing", "0.1", "--bn", "frozen"]
        options += ["--dropout", "0.3", "--augment", "imagenet", "--lr-factors", "head=2,block6=0.5", "--val-fraction", "0.3"]
        options += ["--batch", "1", "--seed", "9"]
        self.fit("first", "--model", "mobilenet_v2", "--batch", "4", "--epochs", "1", data="flat")
        options += ["--weights", "first/model.safetensors"]
        self.good("fit", "flat", *how, "whole", *options, "--device", "cpu")
        for share in range(1, 17):  # one of these times lies among an epoch's steps, whatever they and saving take
            if self.interrupt("flat", *how, "cut", *options, share=share / 16) and self.position("cut")["batch"] > 0:
                break
            shutil.rmtree(self.path("cut"))
        self.assertGreater(self.position("cut")["batch"], 0)
        self.good("fit", "--resume", "cut", "--device", "cpu")
        self.assert_same_tensors(self.last("cut"), self.last("whole"))
        self.assert_same_tensors(self.best("cut"), self.best("whole"))
        rows = [self.history(run) for run in ("cut", "whole")]
        for row in rows[0] + rows[1]:
            del row["seconds"]
        self.assertEqual(rows[0], rows[1])


if __name__ == "__main__":
    main()
