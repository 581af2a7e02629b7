# SPDX-License-Identifier: MIT
"""Run folders: one writer each, saved whatever ends the training, and nothing broken is a success."""

import json
import os
import resource
import shutil
import signal
import subprocess
import time

from command import GRAFT, Case, draw_class, draw_data, main, safetensors, snapshot

COMMON = ["--model", "tiny_convnet", "--input", "16", "--device", "cpu", "--batch", "5"]
FILES = ["config.json", "history.csv", "last.safetensors", "model.safetensors", "state.safetensors"]


class Run(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"))

    def begin(self, *arguments, **options):
        return subprocess.Popen(
            [GRAFT, "fit", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def end(self, process):
        """Exit code and the text of both pipes."""
        out, error = process.communicate(timeout=240)
        return process.returncode, out + error

    def wait_for(self, *path):
        for _ in range(2000):
            if os.path.exists(self.path(*path)):
                return
            time.sleep(0.01)
        self.fail("%s is not written" % os.path.join(*path))

    def lines(self, run):
        with open(self.path(run, "history.csv")) as file:
            return len(file.readlines()) - 1

    def test_two_at_once(self):
        both = [self.begin("d", *COMMON, "--epochs", str(3 + i), "--seed", str(i)) for i in range(2)]
        for process in both:
            self.assertEqual(self.end(process)[0], 0)
        runs = ["runs/d-tiny_convnet-1", "runs/d-tiny_convnet-2"]
        self.assertEqual(sorted(self.lines(run) for run in runs), [3, 4])
        first = self.begin("d", *COMMON, "--epochs", "100000", "--out", "named")
        self.wait_for("named", "state.safetensors")
        self.bad(1, ["another fit writes named"], "fit", "d", *COMMON, "--epochs", "1", "--out", "named")
        self.bad(1, ["another fit writes named"], "fit", "--resume", "named")
        self.good("predict", "named", "d/val/red/00.png")  # readers are let in
        first.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(first)[0], 130)
        self.bad(1, ["holds a run already"], "fit", "d", *COMMON, "--epochs", "1", "--out", "named")

    def test_killed(self):
        """Epochs are saved as they end; a run that saved none is begun again, over what was left of it."""
        process = self.begin("d", *COMMON, "--epochs", "100000", "--out", "r")
        self.wait_for("r", "state.safetensors")
        process.kill()
        process.communicate()
        self.assertTrue(set(FILES) <= set(os.listdir(self.path("r"))))
        self.assertGreater(self.lines("r"), 0)
        self.good("predict", "r", "d/val/red/00.png")
        os.mkdir(self.path("s"))
        for name in ("config.json", "model.safetensors"):
            os.rename(self.path("r", name), self.path("s", name))
        for name in ("model.safetensors.part-77", "notes"):
            with open(self.path("s", name), "w") as file:
                file.write("x")
        self.bad(1, ["has saved nothing", "begin it again"], "fit", "--resume", "s")
        self.good("fit", "d", *COMMON, "--epochs", "2", "--out", "s")
        self.assertEqual(self.lines("s"), 2)
        self.assertNotIn("model.safetensors.part-77", os.listdir(self.path("s")))
        self.assertIn("notes", os.listdir(self.path("s")))

    def test_hung_up(self):
        """A terminal that goes away, twice: saved, as after Ctrl-C. nohup goes on."""
        heard = lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the suite itself may run under nohup
        process = self.begin("d", *COMMON, "--epochs", "100000", "--out", "r", preexec_fn=heard)
        self.wait_for("r", "state.safetensors")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGHUP)
        code, said = self.end(process)
        self.assertEqual(code, 130, said)
        self.assertIn("graft fit --resume r", said)
        ignored = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
        process = self.begin("d", *COMMON, "--epochs", "300", "--out", "s", preexec_fn=ignored)
        self.wait_for("s", "state.safetensors")
        process.send_signal(signal.SIGHUP)
        self.assertEqual(self.end(process)[0], 0)
        self.assertEqual(self.lines("s"), 300)

    def test_a_picture_that_vanishes(self):
        """One that was read before is one lost picture, told once; all of them end the training, saved."""
        # At 32x32 the last batch norm has four places a picture: a batch of which one picture is left has statistics.
        larger = [word if word != "16" else "32" for word in COMMON]
        process = self.begin("d", *larger, "--epochs", "100000", "--augment", "imagenet", "--out", "r")
        self.wait_for("r", "state.safetensors")
        os.remove(self.path("d", "train", "red", "03.png"))
        before = self.lines("r")
        for _ in range(2000):
            if self.lines("r") > before + 20:
                break
            time.sleep(0.01)
        self.assertGreater(self.lines("r"), before + 20)
        for name in ("red", "blue"):
            for file in os.listdir(self.path("d", "train", name)):
                os.remove(self.path("d", "train", name, file))
        code, said = self.end(process)
        self.assertEqual(code, 1, said)
        self.assertEqual(said.count("red/03.png"), 1, said)
        self.assertRegex(said, r"none of the train pictures can be read: .*; r keeps the weights of epoch \d+\n")
        self.good("predict", "r", "d/val/red/00.png")
        os.remove(self.path("d", "val", "red", "02.png"))
        self.bad(1, ["changed"], "evaluate", "r", prints=True)

    def test_rates_are_of_pictures(self):
        """Steps on cached features say nothing of images a second."""
        self.good("fit", "d", *COMMON, "--epochs", "1", "--out", "a")
        how = ["fit", "d", *COMMON, "--weights", "a/model.safetensors", "--json", "--out"]
        self.assertIsNone(json.loads(self.good(*how, "b", "--stages", "head:3"))["images_per_second"])
        self.assertGreater(json.loads(self.good(*how, "c", "--stages", "head:1,all:1"))["images_per_second"], 0)
        text = self.good(*[word for word in how if word != "--json"], "e", "--stages", "head:3")
        self.assertNotIn("images/s", text)

    def test_a_disk_that_is_full(self):
        """The first checkpoint that cannot be written ends the training; what was written before is whole."""
        size = len(self.good("fit", "d", *COMMON, "--epochs", "1", "--out", "whole")) and os.path.getsize(
            self.path("whole", "model.safetensors")
        )
        self.assertGreater(os.path.getsize(self.path("whole", "state.safetensors")), size + 1000)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, size + 1000))
        code, said = self.end(self.begin("d", *COMMON, "--epochs", "50", "--out", "r", preexec_fn=limit))
        self.assertEqual(code, 1, said)
        self.assertIn("cannot write 'r/state.safetensors': File too large", said)
        self.assertEqual(self.lines("r"), 1)
        self.good("predict", "r", "d/val/red/00.png")
        self.assertEqual([name for name in os.listdir(self.path("r")) if ".part" in name], [])
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1000, size - 1000))
        code, said = self.end(self.begin("d", *COMMON, "--epochs", "50", "--out", "s", preexec_fn=limit))
        self.assertEqual(code, 1, said)
        self.assertIn("cannot write 's/model.safetensors': File too large", said)

    def test_numbers_that_are_none(self):
        """Outputs or a loss of NaN: the best epoch before is kept, and exit code 1 says so."""
        how = ["--optimizer", "sgd", "--seed", "2"]
        for last in ("--stages=all:2:1e-2,all:3:9e5", "--stages=all:2:1e-2,all:3:1e3"):
            code, said = self.end(self.begin("d", *COMMON, *how, *last.split("="), "--out", last[-3:]))
            self.assertEqual(code, 1, said)
            self.assertRegex(said, r"%s keeps the weights of epoch [12]\n" % last[-3:])
            self.good("predict", last[-3:], "d/val/red/00.png")
        draw_data(self.path("e"), 10, 0)
        code, said = self.end(
            self.begin("e", *COMMON, *how, "--val-fraction", "0", "--stages", "all:2:1e-2,all:9:9e5", "--out", "r")
        )
        self.assertEqual(code, 1, said)
        self.assertRegex(said, r"r keeps the weights of epoch \d+\n")
        self.good("predict", "r", "d/val/red/00.png")
        code, said = self.end(self.begin("d", *COMMON, *how, "--stages", "all:2:9e5", "--out", "never"))
        self.assertEqual(code, 1, said)
        self.assertFalse(os.path.exists(self.path("never")))

    def test_nothing_to_learn_from(self):
        """All pictures of a part damaged: a failure that says where to look, whatever is skipped."""
        def spoil(part):
            for name in ("blue", "red"):
                for file in os.listdir(self.path("d", part, name)):
                    with open(self.path("d", part, name, file), "wb") as picture:
                        picture.write(b"\x89PNG\r\n\x1a\nnothing")

        self.good("fit", "d", *COMMON, "--epochs", "1", "--out", "whole")
        spoil("val")
        for more in ([], ["--weights", "whole/model.safetensors", "--stages", "head:2"]):
            self.bad(
                1,
                ["none of the val pictures can be read", "graft check d"],
                *["fit", "d", *COMMON, "--epochs", "2", "--skip-damaged", "--out", "r", "--quiet", *more],
            )
            self.assertFalse(os.path.exists(self.path("r")))
        shutil.copytree(self.path("d"), self.path("copy"))
        self.bad(
            1,
            ["none of the val pictures can be read", "graft check copy"],
            *["evaluate", "whole", "copy", "--split", "val", "--skip-damaged", "--quiet"],
        )
        spoil("train")
        for more in ([], ["--weights", "whole/model.safetensors", "--stages", "head:2"]):
            self.bad(
                1,
                ["none of the train pictures can be read", "graft check d"],
                *["fit", "d", *COMMON, "--epochs", "2", "--skip-damaged", "--out", "r", "--quiet", *more],
            )

    def test_what_is_no_run_stays(self):
        self.good("fit", "d", *COMMON, "--epochs", "1", "--out", "first")
        os.mkdir(self.path("hf"))
        os.rename(self.path("first", "model.safetensors"), self.path("hf", "model.safetensors"))
        with open(self.path("hf", "config.json"), "w") as file:
            json.dump({"architectures": ["ResNet"]}, file)
        before = snapshot(self.path("hf"))
        what = ["fit", "d", *COMMON, "--weights", "hf/model.safetensors", "--epochs", "1", "--out", "hf"]
        self.bad(1, ["would be overwritten", "name another folder"], *what)
        os.remove(self.path("hf", "config.json"))
        self.bad(1, ["model.safetensors", "would be overwritten"], *what)
        before.pop("config.json")
        self.assertEqual(snapshot(self.path("hf")), before)


    def kept(self, run):
        with open(self.path(run, "evaluation.json")) as file:
            return json.load(file)

    def figures(self, *arguments, **options):
        done = self.run_graft("evaluate", *arguments, "--json", "--device", "cpu", **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout), done.stderr

    def test_evaluate_knows_the_run(self):
        """Its own data, split as it was: what fit said of its best epoch, with no further flag."""
        for name, base in (("blue", (100, 110, 160)), ("red", (160, 110, 100))):
            draw_class(self.path("flat"), name, base, 15, name)
        how = ["--seed", "3", "--split-seed", "7", "--val-fraction", "0.3", "--epochs", "3", "--out", "r"]
        fitted = json.loads(self.good("fit", "flat", *COMMON, *how, "--json"))
        kept = self.kept("r")
        self.assertEqual((kept["split"], kept["images"]), ("val", 10))
        self.assertEqual(kept["top1"], fitted["val_top1"])
        os.remove(self.path("r", "evaluation.json"))
        os.symlink("flat", self.path("linked"))
        for data in ([], ["flat"], [self.path("linked") + "/"], ["flat", "--split", "val"]):
            found, said = self.figures("r", *data)
            self.assertEqual(found["images"], 10)
            self.assertAlmostEqual(found["loss"], fitted["val_loss"], places=5)
            self.assertIn("10 pictures (val), which the run has not learnt from", said)
            self.assertNotIn("remembers", said)
        again = self.kept("r")
        self.assertEqual(again["confusion"], found["confusion"])
        self.assertEqual(again["classes"], kept["classes"])
        whole, said = self.figures("r", "--split", "all")
        self.assertEqual(whole["images"], 30)
        self.assertIn("has learnt from 20 of them", said)
        train, said = self.figures("r", "flat", "--split", "train")
        self.assertEqual(train["images"], 20)
        self.assertEqual(
            [[w - t for w, t in zip(*rows)] for rows in zip(whole["confusion"], train["confusion"])],
            found["confusion"],
        )
        self.assertEqual(self.kept("r"), again)
        self.bad(2, ["knows how it split it", "--split-seed"], "evaluate", "r", "flat", "--split-seed", "7")
        self.bad(2, ["knows how it split it"], "evaluate", "r", "--split", "val", "--val-fraction", "0.3")
        other, said = self.figures("r", "d")
        self.assertEqual(other["images"], 8)
        self.assertNotIn("learnt", said)
        self.bad(2, ["name DATA"], "evaluate", "tiny_convnet")
        os.remove(self.path("flat", "red", "03.png"))
        self.bad(1, ["flat has changed since r was begun"], "evaluate", "r", prints=True)
        self.assertEqual(self.figures("r", "--split", "all")[0]["images"], 29)

    def test_no_more_rows_than_pictures(self):
        """A batch of which nearly all would be computed in vain neither takes memory nor time."""
        self.good("fit", "d", *COMMON, "--epochs", "1", "--out", "r")
        what = ["predict", "r", "d/val/red/00.png", "--batch", "60000", "--memory", "200M", "--device", "cpu"]
        done = self.run_graft(*what)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("at a time", done.stderr)


if __name__ == "__main__":
    main()
