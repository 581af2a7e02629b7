# SPDX-License-Identifier: MIT
"""graft predict on files, folders, archives and lists; CSV; a fault is a row; the order is the input's. graft features
without classes."""

import csv
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile
import zipfile

from command import GRAFT, Case, draw_class, draw_data, main, png

FIT = ["--model", "mnist_convnet", "--device", "cpu", "--epochs", "1", "--batch", "4", "--quiet"]


def npy_rows(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10:10 + size].decode())  # a literal that NumPy's format fixes
    count = len(data[10 + size:]) // 4
    values = struct.unpack("<%df" % count, data[10 + size:])
    width = count // header["shape"][0] if header["shape"][0] else 0
    return [values[i * width:(i + 1) * width] for i in range(header["shape"][0])]


class Trained(Case):
    """With a run, and pictures without classes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = Case("run_graft")
        cls.shared.setUp()
        draw_data(cls.shared.path("d"), 6, 2)
        cls.shared.good("fit", "d", *FIT, "--out", "run")
        cls.RUN = cls.shared.path("run")

    @classmethod
    def tearDownClass(cls):
        cls.shared.doCleanups()
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        draw_class(self.path("new"), "deep/er", (60, 70, 190), 5, "deeper")
        draw_class(self.path("new"), "flat", (190, 70, 60), 4, "flat")
        with open(self.path("new/notes.txt"), "w", encoding="utf-8") as file:
            file.write("no picture\n")
        with open(self.path("new/labels.csv"), "w", encoding="utf-8") as file:
            file.write("path,label\nnothing.jpg,red\n")
        self.names = ["new/deep/er/%02d.png" % i for i in range(5)] + ["new/flat/%02d.png" % i for i in range(4)]

    def rows(self, *arguments, code=0, feed=None):
        done = subprocess.run([GRAFT, "predict", self.RUN] + list(arguments) + ["--json", "--quiet", "--logits"],
                              cwd=self.folder, input=feed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240)
        self.assertEqual(done.returncode, code, done.stderr)
        return [json.loads(line) for line in done.stdout.decode().splitlines()]


class Predict(Trained):
    def test_folders_archives_and_lists_are_their_files(self):
        expected = self.rows(*self.names)
        self.assertEqual([row["file"] for row in expected], self.names)
        logits = [row["logits"] for row in expected]
        self.assertEqual(self.rows("new"), expected)
        with tarfile.open(self.path("new.tar"), "w") as archive:
            archive.add(self.path("new"), "new")
        with tarfile.open(self.path("new.tar.gz"), "w:gz") as archive:
            archive.add(self.path("new"), ".")
        with zipfile.ZipFile(self.path("new.zip"), "w") as archive:
            for name in self.names:
                archive.write(self.path(name), name)
        for archive in ("new.tar", "new.tar.gz", "new.zip"):
            got = self.rows(archive)
            self.assertEqual([row["logits"] for row in got], logits, archive)
            self.assertTrue(all(row["file"].startswith(archive + ":") for row in got), got)
        for separator in ("\n", "\0", "\r\n"):
            self.assertEqual(self.rows("-", feed=separator.join(self.names).encode()), expected)
            self.assertEqual(self.rows("-", feed=(separator.join(self.names) + separator).encode()), expected)
        mixed = self.rows("new.zip", self.names[8], "new", self.names[0], self.names[0], "-", feed=b"new.tar\n")
        self.assertEqual([row["logits"] for row in mixed],
                         logits + [logits[8]] + logits + [logits[0], logits[0]] + logits)

    def test_a_list_of_more_than_a_block(self):
        lines = (self.names * 1200)[:10001]
        done = subprocess.run([GRAFT, "predict", self.RUN, "-", "--top", "1", "--json", "--quiet", "--batch", "64"],
                              cwd=self.folder, input="\n".join(lines).encode(), stdout=subprocess.PIPE, check=True)
        self.assertEqual([json.loads(line)["file"] for line in done.stdout.decode().splitlines()], lines)

    def test_answers_come_while_the_list_goes_on(self):
        process = subprocess.Popen([GRAFT, "predict", self.RUN, "-", "--json", "--quiet"], cwd=self.folder,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name in self.names[:3]:
            process.stdin.write(name.encode() + b"\n")
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["file"], name)
        process.stdin.close()
        self.assertEqual(process.wait(60), 0)
        process.stdout.close()

    def test_faults_are_rows_in_their_place(self):
        with open(self.path("text.jpg"), "wb") as file:
            file.write(b"no picture at all\n")
        with open(self.path("new/flat/02.png"), "r+b") as file:
            file.truncate(700)
        first = None
        for threads in ("1", "2", "5"):
            got = self.rows("absent.png", "new", "text.jpg", self.names[0], "--threads", threads, code=1)
            first = first or got
            self.assertEqual(got, first)
        self.assertEqual([row["file"] for row in first],
                         ["absent.png"] + self.names + ["text.jpg", self.names[0]])
        bad = {row["file"]: row["error"] for row in first if "error" in row}
        self.assertEqual(sorted(bad), ["absent.png", "new/flat/02.png", "text.jpg"])
        self.assertTrue(bad["text.jpg"].startswith("not a picture"), bad)
        self.assertFalse(any("top" in row for row in first if "error" in row))
        done = self.run_graft("predict", self.RUN, "absent.png", "new", "text.jpg")
        self.assertEqual(done.returncode, 1)
        self.assertIn("absent.png\n  not read: cannot be opened: No such file", done.stdout)
        self.assertEqual([line.split(": ")[1] for line in done.stderr.splitlines() if line.startswith("graft: ")],
                         ["absent.png", "new/flat/02.png", "text.jpg"])
        self.assertIn("3 of 11 pictures could not be read", done.stderr)

    def test_remarks_do_not_cut_lines(self):
        """Results and remarks in one pipe: every line is whole. The second picture lacks its end, but no pixel."""
        with open(self.path(self.names[0]), "rb") as file:
            whole = file.read()
        with open(self.path("short.png"), "wb") as file:
            file.write(whole[:-12])
        pictures = [self.names[1]] * 40 + ["short.png", self.names[2]] * 20
        done = subprocess.run([GRAFT, "predict", self.RUN] + pictures + ["--json", "--quiet", "--batch", "1"],
                              cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(done.returncode, 0, lines)
        self.assertEqual([json.loads(line)["file"] for line in lines if not line.startswith("warning: ")], pictures)
        remarks = [line for line in lines if line.startswith("warning: ")]
        self.assertTrue(remarks and all("short.png" in line and "ends too early" in line for line in remarks), remarks)

    def test_csv(self):
        names = ['a,b.png', 'say "x".png', "two\nlines.png", self.names[0]]
        for name in names[:3]:
            shutil.copy(self.path(self.names[0]), self.path(name))
        done = self.run_graft("predict", self.RUN, *names, "absent.png", "--csv", "t.csv", "--top", "2", "--logits")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        with open(self.path("t.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows[0], ["file", "class", "probability", "class_2", "probability_2", "error", "blue", "red"])
        self.assertEqual([row[0] for row in rows[1:]], names + ["absent.png"])
        expected = self.rows(self.names[0])[0]
        for row in rows[1:5]:
            self.assertEqual([row[1], row[3], row[5]], [top["name"] for top in expected["top"]] + [""])
            self.assertAlmostEqual(float(row[2]), expected["top"][0]["probability"], 6)
            for value, logit in zip(row[6:], expected["logits"], strict=True):
                self.assertAlmostEqual(float(value), logit, 6)  # of a batch of another size: sums are rounded otherwise
        self.assertEqual(rows[5][1:5] + rows[5][6:], [""] * 6)
        self.assertIn("No such file", rows[5][5])
        printed = self.good("predict", self.RUN, self.names[0], "--csv", "-", "--top", "1")
        self.assertEqual(list(csv.reader(io.StringIO(printed)))[1][0], self.names[0])
        self.bad(2, ["--json and --csv"], "predict", self.RUN, self.names[0], "--csv", "x", "--json")
        self.bad(1, ["none/t.csv", "No such file"], "predict", self.RUN, self.names[0], "--csv", "none/t.csv")
        if os.path.exists("/dev/full"):
            self.bad(1, ["/dev/full", "No space left"], "predict", self.RUN, self.names[0], "--csv", "/dev/full")

    def test_inputs_that_are_none_are_told_and_the_others_done(self):
        os.mkdir(self.path("empty"))
        with open(self.path("cut.zip"), "wb") as file:
            file.write(b"PK\3\4" + bytes(50))
        done = self.run_graft("predict", self.RUN, "empty", self.names[0], "cut.zip", "--json", "--quiet")
        self.assertEqual(done.returncode, 1)
        self.assertEqual([json.loads(line)["file"] for line in done.stdout.splitlines()], [self.names[0]])
        self.assertIn("empty holds no pictures", done.stderr)
        self.assertIn("cut.zip", done.stderr)
        with open(self.path("packed.jpg"), "wb") as file:  # named as a picture, it is one that cannot be read
            file.write(b"\x1f\x8b\x08" + bytes(40))
        self.assertIn("error", self.rows("packed.jpg", code=1)[0])
        self.bad(1, ["the list on standard input is empty"], "predict", self.RUN, "-")
        with open(self.path(self.names[0]), "rb") as file:
            wrong = subprocess.run([GRAFT, "predict", self.RUN, "-"], cwd=self.folder, stdin=file,
                                   stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual((wrong.returncode, wrong.stdout), (2, ""))
        self.assertIn("/dev/stdin", wrong.stderr)
        with open(self.path(self.names[0]), "rb") as file:
            right = subprocess.run([GRAFT, "predict", self.RUN, "/dev/stdin"], cwd=self.folder, stdin=file,
                                   stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(right.returncode, 0, right.stderr)

    def test_a_reader_that_goes_away_ends_it(self):
        process = subprocess.Popen([GRAFT, "predict", self.RUN, "-", "--json", "--quiet"], cwd=self.folder,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(("\n".join(self.names * 100) + "\n").encode())
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.close()
        self.assertIn(process.wait(60), (0, 141))
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()


class Features(Trained):
    """Pictures without classes, and what single layers give."""

    def test_flat_folder(self):
        self.good("features", self.RUN, "new/flat", "--out", "flat.npy")
        self.good("features", self.RUN, self.shared.path("d/val"), "--out", "val.npy")
        with open(self.path("flat.txt"), encoding="utf-8") as file:
            self.assertEqual(file.read().splitlines(), ["%s\t\ttrain" % name for name in self.names[5:]])
        self.assertEqual(len(npy_rows(self.path("flat.npy"))), 4)
        self.assertEqual(len(npy_rows(self.path("val.npy"))), 4)

    def test_names_with_line_breaks_stay_one_line(self):
        for name in ("one\nline.png", "a\ttab.png"):
            png(self.path("new/flat", name), 20, 20, lambda x, y: (60, 70, 190))
        self.good("features", self.RUN, "new/flat", "--out", "f.npy")
        with open(self.path("f.txt"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual(len(lines), 6)
        self.assertTrue(all(len(line.split("\t")) == 3 for line in lines), lines)
        self.assertEqual(len(npy_rows(self.path("f.npy"))), 6)

    def test_the_output_layer_gives_the_logits(self):
        names = ["new/flat/%02d.png" % i for i in range(4)]
        expected = [row["logits"] for row in self.rows(*names)]
        stages = self.good("summary", "mnist_convnet")
        self.assertIn("head", stages)
        self.good("features", self.RUN, "new/flat", "--layer", "head", "--out", "head.npy")
        for got, want in zip(npy_rows(self.path("head.npy")), expected):
            self.assertLess(max(abs(a - b) for a, b in zip(got, want)), 1e-6)
        self.bad(2, ["no layer or stage", "did you mean head?"], "features", self.RUN, "new/flat", "--layer", "haed")
        self.bad(2, ["--pool needs maps"], "features", self.RUN, "new/flat", "--layer", "head", "--pool", "max")

    def test_damaged_pictures(self):
        with open(self.path("new/flat/01.png"), "r+b") as file:
            file.truncate(600)
        self.bad(1, ["new/flat/01.png", "--skip-damaged"], "features", self.RUN, "new/flat", "--out", "f.npy")
        self.assertFalse(os.path.exists(self.path("f.npy")))
        done = self.run_graft("features", self.RUN, "new/flat", "--out", "f.npy", "--skip-damaged")
        self.assertEqual(done.returncode, 0)
        self.assertIn("left out: new/flat/01.png", done.stderr)
        self.assertEqual(len(npy_rows(self.path("f.npy"))), 3)


main()
