# SPDX-License-Identifier: MIT
"""graft fit: the run folder, the same bits for the same seed, Ctrl-C and going on, stages and freezing."""

import csv
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time

from command import GRAFT, Case, draw_data, main, open_terminal

COMMON = ["--model", "tiny_convnet", "--input", "32", "--device", "cpu", "--batch", "5"]


def tensors(path):
    """name → bytes, as formats.md describes safetensors."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    return {
        name: data[8 + length + entry["data_offsets"][0] : 8 + length + entry["data_offsets"][1]]
        for name, entry in header.items()
    }


class Fit(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"))

    def fit(self, out, *arguments):
        self.good("fit", "d", *COMMON, "--out", out, *arguments)
        return tensors(self.path(out, "model.safetensors"))

    def history(self, run):
        with open(self.path(run, "history.csv"), newline="") as file:
            return list(csv.DictReader(file))

    def test_run_folder(self):
        text = self.good("fit", "d", *COMMON, "--epochs", "3")
        self.assertIn("runs/d-tiny_convnet-1", text)
        self.assertIn("graft predict runs/d-tiny_convnet-1", text)
        run = "runs/d-tiny_convnet-1"
        for name in (
            "config.json",
            "model.safetensors",
            "last.safetensors",
            "state.safetensors",
            "history.csv",
        ):
            self.assertTrue(os.path.exists(self.path(run, name)), name)
        for name in ("curves.png", "confusion.png"):
            with open(self.path(run, name), "rb") as file:
                self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n", name)
        with open(self.path(run, "report.html")) as file:
            self.assertIn("tiny_convnet", file.read())
        with open(self.path(run, "config.json")) as file:
            config = json.load(file)
        self.assertEqual(config["classes"], ["blue", "red"])
        self.assertEqual(len(self.history(run)), 3)
        self.good("fit", "d/", *COMMON, "--epochs", "1")
        self.assertTrue(os.path.exists(self.path("runs/d-tiny_convnet-2/config.json")))
        with open(self.path("runs", "d-tiny_convnet-3"), "w"):
            pass  # whatever has the name: it is not free
        self.good("fit", self.path("d"), *COMMON, "--epochs", "1")
        self.assertTrue(os.path.exists(self.path("runs/d-tiny_convnet-4/config.json")))

    def test_what_is_told(self):
        done = self.run_graft("fit", "d", *COMMON, "--epochs", "2")
        self.assertRegex(done.stderr, r"(?m)^epoch +learns from +rate +train loss")
        self.assertEqual(len(re.findall(r"(?m)^ +\d  all +1\.00e-03|^ +\d  all ", done.stderr)), 2)
        self.assertNotIn("\r", done.stderr)
        done = self.run_graft("fit", "d", *COMMON, "--epochs", "2", "--quiet")
        self.assertEqual(done.stderr, "")
        self.assertIn("best epoch", done.stdout)

    def test_the_next_command_is_one_for_a_shell(self):
        for out in ("it's my run", "$(touch bad) é\n'", "-run"):
            text = self.good("fit", "d", *COMMON, "--epochs", "1", "--out=" + out)
            line = re.search(r"(?m)^next +(graft predict .*) PICTURE\.\.\.$", text).group(1)
            done = subprocess.run(
                ["bash", "-c", 'graft() { "$GRAFT" "$@"; }\n' + line + " d/val/red/00.png --quiet --device cpu"],
                cwd=self.folder,
                env=dict(os.environ, GRAFT=GRAFT),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.assertEqual(done.returncode, 0, line + done.stdout)
            self.assertIn("red", done.stdout)
        self.assertFalse(os.path.exists(self.path("bad")))

    def test_progress_on_a_terminal(self):
        """A line that overwrites itself, only there; with images per second and time left."""
        master, slave = open_terminal()
        with subprocess.Popen(
            [GRAFT, "fit", "d", *COMMON, "--epochs", "10"],
            cwd=self.folder,
            stderr=slave,
            stdout=subprocess.DEVNULL,
            env=dict(os.environ, TERM="xterm", NO_COLOR=""),
        ) as process:
            os.close(slave)
            seen = b""
            while True:
                try:
                    part = os.read(master, 65536)
                except OSError:
                    break
                if not part:
                    break
                seen += part
        os.close(master)
        self.assertEqual(process.returncode, 0, seen)
        self.assertRegex(
            seen.decode(), r"\rtraining, epoch \d+/10: \d+/20 pictures, \d+ images/s, .* left, loss"
        )

    def test_same_seed_same_bits(self):
        first = self.fit("a", "--epochs", "2", "--augment", "imagenet", "--seed", "7", "--threads", "1")
        self.assert_same_tensors(first, self.fit("b", "--epochs", "2", "--augment", "imagenet", "--seed", "7", "--threads", "2"))
        self.assertNotEqual(first, self.fit("c", "--epochs", "2", "--augment", "imagenet", "--seed", "8"))

    def test_interrupted_and_resumed(self):
        """Ctrl-C in the middle: usable, exit code 130; resumed, it ends with the bits of an unbroken run."""
        how = ["--epochs", "150", "--seed", "3", "--clip-norm", "0.5", "--class-weights", "1,2"]
        how += ["--optimizer", "adamw", "--label-smoothing", "0.1"]
        whole = self.fit("whole", *how)
        process = subprocess.Popen(
            [GRAFT, "fit", "d", *COMMON, "--out", "cut", *how],
            cwd=self.folder,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for line in process.stderr:
            if re.match(r" +3  all ", line):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        process.stdout.read()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.wait(), 130, rest)
        self.assertIn("graft fit --resume cut", rest)
        epochs = len(self.history("cut"))
        self.assertTrue(3 <= epochs < 150, epochs)
        self.assertEqual(len(self.good("predict", "cut", "d/val/red/00.png").splitlines()), 3)
        self.good("evaluate", "cut", "d")
        shutil.copytree(self.path("cut"), self.path("copy"))
        self.good("fit", "--resume", "cut", "--device", "cpu")
        self.assertEqual(len(self.history("cut")), 150)
        self.assert_same_tensors(tensors(self.path("cut", "model.safetensors")), whole)
        self.assert_same_tensors(
            tensors(self.path("cut", "last.safetensors")), tensors(self.path("whole", "last.safetensors"))
        )

    def test_second_interrupt_ends_at_once(self):
        process = subprocess.Popen(
            [GRAFT, "fit", "d", *COMMON, "--epochs", "100000"],
            cwd=self.folder,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        process.stderr.readline()
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(), 130)
        self.assertLess(time.monotonic() - begin, 20)

    def test_stages_and_freezing(self):
        self.fit(
            "a", "--stages", "head:1:1e-2,block4:2,all:1:1e-4", "--optimizer", "sgd", "--schedule", "constant"
        )
        rows = self.history("a")
        self.assertEqual([row["stage"] for row in rows], ["head", "block4", "block4", "all"])
        self.assertEqual([float(row["learning_rate"]) for row in rows], [1e-2, 1e-3, 1e-3, 1e-4])
        start = tensors(self.path("a", "model.safetensors"))
        frozen = self.fit(
            "b", "--weights", "a/model.safetensors", "--freeze", "block3", "--epochs", "1", "--lr", "0.1"
        )
        changed = {name.split(".")[0] for name in start if start[name] != frozen[name]}
        self.assertFalse(changed & {"block1", "block2", "block3"}, changed)
        self.assertTrue({"block4", "block5", "fc"} <= changed, changed)

    def test_class_weights(self):
        """Balanced weights of 10 : 10 pictures are none; others change what is learnt, and stand in the run."""
        plain = self.fit("a", "--epochs", "2")
        self.assert_same_tensors(plain, self.fit("b", "--epochs", "2", "--class-weights", "balanced"))
        self.assert_same_tensors(plain, self.fit("c", "--epochs", "2", "--class-weights", "none"))
        self.assertNotEqual(plain, self.fit("d1", "--epochs", "2", "--class-weights", "1,3"))
        with open(self.path("d1", "config.json")) as file:
            self.assertEqual(json.load(file)["class_weights"], "1,3")
        for words, weights in (
            (["3 class weights for 2 classes", "blue", "red"], "1,2,3"),
            (['"x" is none'], "1,x"),
            (['"" is none'], "1,"),
            (['"0" is none'], "0,1"),
            (['"even" is none'], "even"),
        ):
            self.bad(1, words, "fit", "d", *COMMON, "--out", "e", "--class-weights", weights)
        self.assertFalse(os.path.exists(self.path("e")))

    def test_optimizers(self):
        """Each can be chosen, learns otherwise than the others, and stands in the run with what it was told."""
        seen = []
        for number, (arguments, expected) in enumerate(
            (
                (["--optimizer", "adam"], {"optimizer": "adam"}),
                (["--optimizer", "adamw"], {"optimizer": "adamw", "weight_decay": 0.01}),
                (["--optimizer", "adamw", "--weight-decay", "0.3"], {"weight_decay": 0.3}),
                (["--optimizer", "rmsprop"], {"optimizer": "rmsprop"}),
                (["--optimizer", "sgd"], {"momentum": 0.9, "nesterov": False}),
                (["--optimizer", "sgd", "--nesterov"], {"momentum": 0.9, "nesterov": True}),
                (["--optimizer", "sgd", "--momentum", "0"], {"optimizer": "sgd"}),
                (["--clip-norm", "0.01"], {"clip_norm": 0.01}),
            )
        ):
            out = f"r{number}"
            learnt = self.fit(out, "--epochs", "2", "--schedule", "constant", *arguments)
            seen.append(hash(tuple(sorted(learnt.items()))))
            with open(self.path(out, "config.json")) as file:
                config = json.load(file)
            self.assertEqual(config | expected, config, arguments)
        self.assertEqual(len(set(seen)), len(seen), seen)
        same = self.fit("none", "--epochs", "2", "--schedule", "constant", "--clip-norm", "1e9")
        self.assertEqual(hash(tuple(sorted(same.items()))), seen[0])
        for words, *arguments in (
            (["momentum and nesterov", "sgd", "adam"], "--nesterov"),
            (["momentum and nesterov", "adamw"], "--optimizer", "adamw", "--momentum", "0.5"),
            (["nesterov needs a momentum"], "--optimizer", "sgd", "--nesterov", "--momentum", "0"),
        ):
            self.bad(1, words, "fit", "d", *COMMON, "--out", "e", *arguments)

    def test_an_old_run_is_not_touched(self):
        before = self.fit("a", "--epochs", "1")
        self.bad(1, ["a holds a run already"], "fit", "d", *COMMON, "--out", "a", "--epochs", "2")
        self.assert_same_tensors(tensors(self.path("a", "model.safetensors")), before)

    def test_other_data_set_shapes(self):
        """One folder that is split by the seed; validation elsewhere; no validation at all."""
        draw_data(self.path("one"), 10, 0)
        os.rename(self.path("one", "train"), self.path("flat"))
        done = json.loads(self.good("fit", "flat", *COMMON, "--epochs", "1", "--out", "r", "--json"))
        self.assertIsNotNone(done["val_top1"])
        split = ("evaluate", "r", "flat", "--json", "--quiet", "--split")
        self.assertEqual(json.loads(self.good(*split, "val"))["images"], 4)
        self.assertEqual(json.loads(self.good("evaluate", "r", "flat", "--json"))["images"], 4)
        self.assertEqual(json.loads(self.good(*split, "all"))["images"], 20)
        self.good("fit", "d/train", *COMMON, "--val", "d/val", "--epochs", "1", "--out", "v")
        done = json.loads(
            self.good("fit", "flat", *COMMON, "--epochs", "1", "--val-fraction", "0", "--out", "n", "--json")
        )
        self.assertIsNone(done["val_top1"])


if __name__ == "__main__":
    main()
