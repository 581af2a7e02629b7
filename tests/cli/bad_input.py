# SPDX-License-Identifier: MIT
"""Bad input: one clear message naming the file or the number, exit code 1 or 2, and what was there unchanged."""

import json
import os
import resource
import shutil
import struct
import subprocess

from command import DATA, Case, draw_class, draw_data, has_device, main, png, safetensors, snapshot

FIT = ["--model", "mnist_convnet", "--device", "cpu", "--epochs", "1", "--batch", "4"]


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Pictures(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"), 4, 2)

    def trained(self):
        self.good("fit", "d", *FIT, "--out", "run")
        return "run"

    def test_predict_names_the_bad_and_does_the_others(self):
        run = self.trained()
        write(self.path("text.jpg"), b"this is no picture at all, it only has the name of one\n" * 20)
        write(self.path("cut.png"), read(self.path("d/val/red/00.png"))[:1500])
        write(self.path("empty.png"), b"")
        write(self.path("new\nline.png"), b"")
        good = ["d/val/red/00.png", "d/val/blue/00.png"]
        for bad in ("text.jpg", "cut.png", "empty.png", "nothing.jpg"):
            with self.subTest(bad):
                done = self.run_graft("predict", run, good[0], bad, good[1], "--json")
                self.assertEqual(done.returncode, 1)
                rows = [json.loads(line) for line in done.stdout.splitlines()]
                self.assertEqual([row["file"] for row in rows], [good[0], bad, good[1]])
                self.assertEqual(["error" in row for row in rows], [False, True, False])
                lines = [line for line in done.stderr.splitlines() if line.startswith("graft: ")]
                self.assertEqual(len(lines), 1, done.stderr)
                self.assertIn(bad, lines[0])
        done = self.run_graft("predict", run, "new\nline.png", "--quiet")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1))
        self.assertEqual(done.stdout, "new\\nline.png\n  not read: the file is empty (0 bytes); replace it\n")

    def test_fit_names_the_bad_or_leaves_it_out(self):
        bad = "d/train/red/01.png"
        for data in (b"no picture", read(self.path(bad))[:1000]):
            write(self.path(bad), data)
            self.bad(1, [bad, "--skip-damaged", "graft check"], "fit", "d", *FIT, "--out", "r1")
            self.assertFalse(os.path.exists(self.path("r1")), "the same command can be given again")
            os.makedirs(self.path("mine"), exist_ok=True)
            self.bad(1, [bad], "fit", "d", *FIT, "--out", "mine")
            self.assertEqual(os.listdir(self.path("mine")), [])
            done = self.run_graft("fit", "d", *FIT, "--out", "r2", "--skip-damaged")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(bad, done.stderr)
            shutil.rmtree(self.path("r2"))
        done = self.run_graft("check", "d")
        self.assertEqual(done.returncode, 1)
        self.assertIn("damaged: d/train/red/01.png", done.stdout)
        self.assertIn("1 damaged", done.stdout)

    def test_check_finds_what_is_in_two_parts(self):
        shutil.copy(self.path("d/train/red/01.png"), self.path("d/val/red/again.png"))
        done = self.run_graft("check", "d")
        self.assertEqual(done.returncode, 1)
        self.assertIn("d/train/red/01.png (train) and d/val/red/again.png (val)", done.stdout)

    def test_folders(self):
        draw_class(self.path("one", "train"), "only", (1, 2, 3), 3, 1)
        self.bad(1, ["one", "class"], "fit", "one", *FIT)
        os.makedirs(self.path("d/train/green"))
        self.bad(1, ["green", "d/train"], "fit", "d", *FIT)
        os.rmdir(self.path("d/train/green"))
        draw_class(self.path("d/val"), "violet", (90, 0, 90), 2, 5)
        self.bad(1, ["violet"], "fit", "d", *FIT)
        os.makedirs(self.path("void"))
        self.bad(1, ["void"], "fit", "void", *FIT)
        self.bad(1, ["missing"], "fit", "missing", *FIT)
        write(self.path("file"), b"x" * 100)
        self.bad(1, ["file"], "fit", "file", *FIT)
        self.assertFalse(os.path.exists(self.path("runs")), "nothing is written before the data are found")

    def test_evaluate_on_other_classes(self):
        run = self.trained()
        draw_class(self.path("o"), "red", (200, 0, 0), 2, 1)
        draw_class(self.path("o"), "yellow", (200, 200, 0), 2, 2)
        self.bad(1, ["yellow"], "evaluate", run, "o")


class Weights(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"), 4, 2)
        self.good("fit", "d", *FIT, "--out", "run")
        self.picture = "d/val/red/00.png"

    def refused(self, words, code=1):
        """w.safetensors is told to be bad by all that would read it, and is not changed."""
        before = read(self.path("w.safetensors"))
        words = ["w.safetensors"] + words
        self.bad(code, words, "predict", "mnist_convnet", "--weights", "w.safetensors", self.picture)
        self.bad(code, words, "evaluate", "mnist_convnet", "d", "--weights", "w.safetensors")
        self.bad(code, words, "fit", "d", *FIT, "--weights", "w.safetensors", "--out", "new")
        self.assertFalse(os.path.exists(self.path("new")))
        self.assertEqual(read(self.path("w.safetensors")), before)

    def test_damaged(self):
        whole = read(self.path("run/model.safetensors"))
        for keep in (0, 7, 8, 100, len(whole) // 2, len(whole) - 1):
            with self.subTest(keep):
                write(self.path("w.safetensors"), whole[:keep])
                self.refused([])
        write(self.path("w.safetensors"), whole + b"\0")
        self.refused([])
        self.bad(
            1, ["no.safetensors"], "predict", "mnist_convnet", "--weights", "no.safetensors", self.picture
        )

    def test_hostile(self):
        big = struct.pack("<Q", 2**63) + b"{}"
        write(self.path("w.safetensors"), big)
        self.refused([])
        write(self.path("w.safetensors"), struct.pack("<Q", 99_999_999) + b"{}")
        self.refused([])
        for header in (
            "[" * 100000,
            "{" * 100000,
            '{"a":' * 20000,
            "{}}",
            "nonsense",
            '{"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 16]}}',
            '{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 4000000000]}}',
            '{"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}}',
            '{"a": {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}}',
            '{"a": {"dtype": "F99", "shape": [4], "data_offsets": [0, 16]}}',
        ):
            with self.subTest(header[:60]):
                safetensors(self.path("w.safetensors"), {"a": ([4], b"\0" * 16)}, header=header)
                self.refused([])

    def test_foreign(self):
        safetensors(self.path("w.safetensors"), {"encoder.weight": ([2, 2], b"\0" * 16)})
        self.refused(["conv"])  # names what is missing
        self.good(
            "fit",
            "d",
            "--model",
            "tiny_convnet",
            "--input",
            "32",
            "--device",
            "cpu",
            "--epochs",
            "1",
            "--out",
            "other",
        )
        shutil.copy(self.path("other/model.safetensors"), self.path("w.safetensors"))
        self.refused(["tiny_convnet", "mnist_convnet"])

    def test_not_finite(self):
        """Weights that make NaN are no result, nor are those that make one class infinitely likely."""
        whole = read(self.path("run/model.safetensors"))
        begin = 8 + struct.unpack("<Q", whole[:8])[0]
        entries = json.loads(whole[8:begin])
        [bias] = [entry["data_offsets"][0] for name, entry in entries.items() if entry.get("shape") == [2]]
        for place, number in ((0, "nan"), (bias, "inf")):
            with self.subTest(number):
                damaged = bytearray(whole)
                damaged[begin + place : begin + place + 4] = struct.pack("<f", float(number))
                write(self.path("w.safetensors"), damaged)
                self.bad(1, ["finite"], "predict", "mnist_convnet", "--weights", "w.safetensors", self.picture)

    def test_class_names(self):
        write(self.path("names.txt"), b"a\nb\nc\n")
        self.bad(1, ["names.txt", "3", "2"], "predict", "run", self.picture, "--names", "names.txt")
        write(self.path("names.txt"), b"0\tn1\ta\n0\tn2\tb\n")
        self.bad(1, ["names.txt", "line 2"], "predict", "run", self.picture, "--names", "names.txt")
        self.bad(1, ["nowhere.txt"], "predict", "run", self.picture, "--names", "nowhere.txt")
        write(self.path("names.txt"), b"1\tn2\tROSSO\n0\tn1\tBLU\r\n")
        self.assertIn("ROSSO", self.good("predict", "run", self.picture, "--names", "names.txt"))

    def test_runs(self):
        self.bad(1, ["no/run"], "predict", "no/run", self.picture)
        os.makedirs(self.path("hollow"))
        self.bad(1, ["hollow/model.safetensors"], "predict", "hollow", self.picture)
        self.bad(1, ["hollow/config.json"], "fit", "--resume", "hollow")
        before = snapshot(self.path("run"))
        for name in ("config.json", "state.safetensors"):
            for damaged in (b"", b"{}", before[name][: len(before[name]) // 2]):
                with self.subTest("%s %d" % (name, len(damaged))):
                    write(self.path("run", name), damaged)
                    now = snapshot(self.path("run"))
                    self.bad(1, [name], "fit", "--resume", "run")
                    self.assertEqual(snapshot(self.path("run")), now)
            write(self.path("run", name), before[name])


class Devices(Case):
    def test_memory(self):
        """A plan that does not fit is told with its numbers before anything is run or written."""
        draw_data(self.path("d"), 4, 2)
        line = self.bad(1, ["batch"], "bench", "--model", "resnet18", "--device", "cpu", "--memory", "1M")
        self.assertRegex(line, r"\d{5,}|\d+(\.\d+)? [KMG]i?B")
        self.bad(1, ["batch"], "fit", "d", *FIT, "--memory", "100K", "--out", "new")
        self.assertFalse(os.path.exists(self.path("new/model.safetensors")))
        if has_device("opencl:0"):
            memory = ["bench", "--model", "resnet18", "--device", "opencl:0", "--memory", "1M"]
            self.bad(1, ["batch"], *memory)
            self.bad(1, ["batch"], "summary", "vgg16", "--batch", "65536", "--device", "opencl:0")
        # A summary says what it would take, however much that is.
        done = self.run_graft("summary", "vgg16", "--batch", "65536", "--device", "cpu")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"activations +\d{2,}\.\d GiB")

    def test_no_opencl(self):
        none = {"OCL_ICD_VENDORS": "/nonexistent", "OCL_ICD_FILENAMES": ""}
        done = self.run_graft("devices", "--json", environment=none)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([device["id"] for device in json.loads(done.stdout)], ["reference", "cpu"])
        self.assertIn("install", done.stderr)
        self.bad(
            2,
            ["opencl:0", "install"],
            "bench",
            "--model",
            "mnist_convnet",
            "--device",
            "opencl:0",
            environment=none,
        )
        done = self.run_graft("conform", "--device", "opencl:0", environment=none)
        self.assertEqual(done.returncode, 77, done.stderr)


class Disk(Case):
    """Where nothing can be written."""

    def setUp(self):
        super().setUp()
        draw_data(self.path("d"), 4, 2)

    def test_standard_output(self):
        for arguments in (["devices"], ["models", "--json"], ["fit", "--help"]):
            with open("/dev/full", "w") as full:
                self.bad(1, ["standard output", "No space left"], *arguments, stdout=full)

    def test_limit_on_files(self):
        """Weights larger than a file may be: the run ends with the file's name; what is there is whole."""

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        self.bad(1, ["new/", "File too large"], "fit", "d", *FIT, "--out", "new", preexec_fn=limit)
        self.assertFalse(os.path.exists(self.path("new")), "a folder without weights is of no use")
        self.good("fit", "d", *FIT, "--out", "run")
        before = snapshot(self.path("run"))
        self.bad(1, ["run/"], "fit", "--resume", "run", preexec_fn=limit)
        after = snapshot(self.path("run"))
        for name in ("model.safetensors", "last.safetensors", "state.safetensors", "config.json"):
            self.assertEqual(after[name], before[name], name)
        self.assertEqual([name for name in after if "part" in name], [])
        write(self.path("f.npy"), b"old")
        self.bad(
            1,
            ["f.npy", "File too large"],
            "features",
            "run",
            "d",
            "--pool",
            "none",
            "--layer",
            "conv1",
            "--out",
            "f.npy",
            preexec_fn=limit,
        )
        self.assertEqual(read(self.path("f.npy")), b"old")

    def test_full_disk(self):
        os.makedirs(self.path("small"))
        mounted = (
            os.geteuid() == 0
            and subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=256k", "none", self.path("small")],
                stderr=subprocess.DEVNULL,
            ).returncode
            == 0
        )
        if not mounted:
            self.skipTest("a small file system cannot be mounted here")
        try:
            self.bad(1, ["small/run", "No space left"], "fit", "d", *FIT, "--out", "small/run")
        finally:
            subprocess.run(["umount", self.path("small")], check=True)

    def test_folder_that_cannot_be_written(self):
        write(self.path("file"), b"precious")
        self.bad(1, ["file"], "fit", "d", *FIT, "--out", "file/run")
        self.bad(1, ["file"], "fit", "d", *FIT, "--out", "file")
        self.assertEqual(read(self.path("file")), b"precious")
        write(self.path("runs"), b"precious")
        self.bad(1, ["runs"], "fit", "d", *FIT)
        self.assertEqual(read(self.path("runs")), b"precious")
        if os.geteuid() != 0:
            os.makedirs(self.path("locked"))
            os.chmod(self.path("locked"), 0o555)
            self.bad(1, ["locked", "Permission denied"], "fit", "d", *FIT, "--out", "locked/run")
            os.chmod(self.path("locked"), 0o755)


class RealPictures(Case):
    def test_truncated_jpeg(self):
        folder = os.path.join(DATA, "data", "imagenet-samples")
        if not os.path.isdir(folder):
            self.skipTest("%s is not there" % folder)
        name = sorted(os.listdir(folder))[0]
        draw_data(self.path("d"), 4, 2)
        self.good("fit", "d", *FIT, "--out", "run")
        whole = read(os.path.join(folder, name))
        write(self.path("whole.png"), whole)  # renamed: the first bytes tell what it is
        self.good("predict", "run", "whole.png")
        write(self.path("cut.jpg"), whole[: len(whole) // 2])
        self.bad(1, ["cut.jpg"], "predict", "run", "cut.jpg", prints=True)


if __name__ == "__main__":
    main()
