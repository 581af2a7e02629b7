# SPDX-License-Identifier: MIT
"""graft fit on tables whose pictures have several labels each, or a number: fit, evaluate, predict, report, resume, and what
is told of tables that cannot be."""

import csv
import json
import os
import random

from command import Case, main, png

FIT = ["--model", "tiny_convnet", "--input", "32", "--batch", "16", "--device", "cpu", "--lr", "1e-2"]
COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 70, 230)}
LABELS = ["bar", "blue", "frame", "green", "red"]


def draw_marks(path, labels, noise):
    """A grey picture with a disc of each colour, a white bar across, a black frame around."""
    discs = [(noise.randrange(7, 25), noise.randrange(7, 25), COLOURS[name]) for name in labels if name in COLOURS]
    row = noise.randrange(4, 28) if "bar" in labels else -9

    def pixel(x, y):
        if "frame" in labels and not (2 < x < 29 and 2 < y < 29):
            return (10, 10, 10)
        if abs(y - row) < 2:
            return (255, 255, 255)
        for left, top, colour in discs:
            if (x - left) ** 2 + (y - top) ** 2 < 25:
                return colour
        grey = 128 + noise.randrange(-20, 21)
        return (grey, grey, grey)

    png(path, 32, 32, pixel)


def draw_size(path, side, noise):
    """A white square of that side on grey."""
    left, top = noise.randrange(0, 33 - side), noise.randrange(0, 33 - side)

    def pixel(x, y):
        grey = 100 + noise.randrange(-20, 21)
        inside = left <= x < left + side and top <= y < top + side
        return (240, 240, 240) if inside else (grey, grey, grey)

    png(path, 32, 32, pixel)


class Table(Case):
    def write(self, name, rows):
        with open(self.path(name), "w", newline="") as file:
            csv.writer(file).writerows(rows)

    def lines(self, *path):
        with open(self.path(*path), newline="") as file:
            return list(csv.DictReader(file))

    def json_of(self, *arguments):
        return json.loads(self.good(*arguments, "--json"))


class Labels(Table):
    def draw(self, form, count=120, val=40):
        """Pictures, and labels.csv in that form. Returns the labels by file."""
        noise = random.Random("marks")
        rows = [["path", "labels", "split"] if form == "names" else ["path", *LABELS, "split"]]
        truth = {}
        for i in range(count + val):
            labels = [name for name in LABELS if noise.randrange(10) < 4]
            file, part = "%03d.png" % i, "train" if i < count else "val"
            draw_marks(self.path(file), labels, noise)
            truth[file] = labels
            cells = [";".join(labels) or "none"] if form == "names" else [int(name in labels) for name in LABELS]
            rows.append([file, *cells, part])
        self.write("labels.csv", rows)
        return truth

    def test_labels(self):
        """The same run from both forms; figures that agree with each other; thresholds that go along."""
        truth = self.draw("names")
        done = self.json_of("fit", "labels.csv", *FIT, "--epochs", "14", "--out", "a")
        self.assertGreater(done["val_map"], 0.95)
        self.draw("flags")
        self.json_of("fit", "labels.csv", *FIT, "--epochs", "14", "--out", "b")
        histories = [[{k: v for k, v in row.items() if k != "seconds"} for row in self.lines(run, "history.csv")] for run in "ab"]
        self.assertEqual(*histories)
        self.assertEqual(histories[0][0]["train_map"], "")

        found = self.json_of("evaluate", "a", "--device", "cpu")
        self.assertEqual(found["map"], done["val_map"])
        self.assertEqual([one["name"] for one in found["labels"]], LABELS)
        with open(self.path("a", "evaluation.json")) as file:
            kept = json.load(file)
        for a, b in zip(kept["classes"], found["labels"]):
            self.assertAlmostEqual(a["threshold"], b["threshold"], places=8)

        # Each picture: the table of evaluate, the rows of predict, and the figures that follow from them.
        self.good("evaluate", "a", "--device", "cpu", "--predictions", "table.csv")
        rows = self.lines("table.csv")
        self.assertEqual(len(rows), 40)
        for c, name in enumerate(LABELS):
            one = found["labels"][c]
            scored = [(float(row[name]), name in truth[os.path.basename(row["file"])]) for row in rows]
            told = [name in row["labels"].split(";") for row in rows]
            self.assertEqual(told, [p >= one["threshold"] for p, _ in scored])
            right = sum(1 for (_, is_true), said in zip(scored, told) if is_true and said)
            self.assertAlmostEqual(one["precision"], right / max(1, sum(told)), places=9)
            self.assertAlmostEqual(one["recall"], right / one["images"], places=9)
            best = sorted(scored, key=lambda pair: -pair[0])
            hits, average = 0, 0.0
            for place, (_, is_true) in enumerate(best):
                hits += is_true
                average += is_true * hits / (place + 1) / one["images"]
            self.assertAlmostEqual(one["average_precision"], average, places=6)
        for row in rows:
            self.assertEqual(row["truth"], ";".join(truth[os.path.basename(row["file"])]) or "none")
        said = json.loads(self.good("predict", "a", "120.png", "--device", "cpu", "--json"))
        self.assertEqual(sorted(one["name"] for one in said["labels"]),
                         sorted(name for name in rows[0]["labels"].split(";") if name != "none"))
        self.assertIn("%", self.good("predict", "a", "120.png", "121.png", "--device", "cpu"))
        self.good("predict", "a", "120.png", "--device", "cpu", "--csv", "one.csv")
        self.assertEqual(self.lines("one.csv")[0]["labels"], rows[0]["labels"])

        with open(self.path("a", "report.html")) as file:
            page = file.read()
        self.assertIn("mean average precision", page)
        self.assertNotIn("Confusion", page)
        self.assertFalse(os.path.exists(self.path("a", "confusion.png")))
        self.good("evaluate", "a", "--device", "cpu", "--report", "page.html")
        self.good("features", "a", "labels.csv", "--device", "cpu", "--out", "f.npy")
        for verb in ("explain", "attack"):
            self.bad(1, ["one class of several"], verb, "a", "120.png", "--device", "cpu", "--out", "o")
        self.bad(1, ["--tta"], "evaluate", "a", "--device", "cpu", "--tta", "flip")

    def test_seen(self):
        self.draw("flags", 12, 4)
        found = self.json_of("check", "labels.csv")
        counts = [sum(int(row[name]) for row in self.lines("labels.csv")) for name in LABELS]
        self.assertEqual([one["images"] for one in found["classes"]], counts)
        self.assertIn("of 5 labels", self.good("check", "labels.csv"))
        self.good("show", "labels.csv", "--out", "s.png")
        self.assertIn("--task labels", self.run_graft("check", "labels.csv").stderr)

    def test_resumed(self):
        """A head on features, then everything; more epochs; mixed pictures. The task stays."""
        self.draw("names", 24, 8)
        self.good("fit", "labels.csv", *FIT, "--epochs", "2", "--out", "a", "--quiet")
        self.good("fit", "labels.csv", *FIT, "--weights", "a", "--stages", "head:2,all:1", "--out", "b", "--quiet")
        self.good("fit", "--resume", "b", "--epochs", "+1", "--quiet")
        self.assertEqual(len(self.lines("b", "history.csv")), 4)
        self.good("fit", "labels.csv", *FIT, "--epochs", "1", "--augment", "mixup,cutmix", "--out", "c", "--quiet")
        self.bad(1, ["--task"], "fit", "--resume", "b", "--task", "classes")
        self.assertIn("val_map", self.json_of("compare", "a", "c", "--out", "o")["runs"][0])
        self.assertIn("mAP, %", self.good("compare", "a", "c", "--out", "p"))

    def test_refused(self):
        noise = random.Random(1)
        for i in range(6):
            draw_marks(self.path("%d.png" % i), [], noise)
        heads = [["%d.png" % i, "red;blue" if i % 2 else "green", "train"] for i in range(5)]

        def table(*more):
            self.write("t.csv", [["path", "label", "split"], *heads, *more])

        fit = ["fit", "t.csv", *FIT, "--epochs", "1", "--quiet", "--out", "r"]
        table(["5.png", "", "train"])
        self.bad(1, ["line 7", "the label is empty"], *fit)
        table(["5.png", "purple", "val"])
        self.bad(1, ["5.png", "line 7", "'purple' is unknown in the training part"], *fit)
        table(["5.png", " ; ", "train"])
        self.bad(1, ["line 7", "the label is missing; write none"], *fit)
        table()
        self.bad(1, ["--class-weights", "classes", "labels"], *fit, "--class-weights", "balanced")
        self.bad(1, ["--sampling balanced"], *fit, "--sampling", "balanced")
        self.bad(1, ["--adversarial"], *fit, "--adversarial", "0.02")
        self.bad(1, ["--loss l1", "labels", "sigmoid"], *fit, "--loss", "l1")
        self.good(*fit[:-1], "c", "--task", "classes")
        self.write("t.csv", [["path", "red", "blue"], ["0.png", 1, 0], ["1.png", 0, ""]])
        self.bad(1, ["line 3", "'blue' is empty"], *fit)
        self.write("t.csv", [["path", "red", "blue"], ["0.png", 1, 0], ["1.png", 0, 7]])
        self.bad(1, ["line 3", "'blue' holds '7'"], *fit)
        os.makedirs(self.path("d", "a"))
        os.makedirs(self.path("d", "b"))
        for name in "ab":
            draw_marks(self.path("d", name, "0.png"), [], noise)
        self.bad(1, ["--task labels is of tables"], "fit", "d", *FIT, "--task", "labels")


class Numbers(Table):
    def draw(self, count=120, val=40, offset=0.5, factor=1.0):
        noise = random.Random("sizes")
        rows = [["path", "size", "split"]]
        for i in range(count + val):
            side = noise.randrange(3, 29)
            draw_size(self.path("%03d.png" % i), side, noise)
            rows.append(["%03d.png" % i, factor * side + offset, "train" if i < count else "val"])
        self.write("sizes.csv", rows)
        return {row[0]: row[1] for row in rows[1:]}

    def test_numbers(self):
        truth = self.draw()
        said = self.run_graft("fit", "sizes.csv", *FIT, "--epochs", "14", "--out", "a", "--json")
        self.assertIn("a number is learnt (--task number", said.stderr)
        done = json.loads(said.stdout)
        found = self.json_of("evaluate", "a", "--device", "cpu")
        self.assertEqual(found["r2"], done["val_r2"])
        self.assertLess(found["mae"], 1)
        history = self.lines("a", "history.csv")
        best = min(history, key=lambda row: float(row["val_loss"]))
        self.assertEqual(int(best["epoch"]), done["best_epoch"])

        self.good("evaluate", "a", "--device", "cpu", "--predictions", "table.csv")
        rows = self.lines("table.csv")
        pairs = [(float(row["truth"]), float(row["size"])) for row in rows]
        self.assertEqual([t for t, _ in pairs], [truth[os.path.basename(row["file"])] for row in rows])
        mean = sum(t for t, _ in pairs) / len(pairs)
        squares = sum((p - t) ** 2 for t, p in pairs)
        self.assertAlmostEqual(found["mae"], sum(abs(p - t) for t, p in pairs) / len(pairs), places=4)
        self.assertAlmostEqual(found["rmse"], (squares / len(pairs)) ** 0.5, places=4)
        self.assertAlmostEqual(found["r2"], 1 - squares / sum((t - mean) ** 2 for t, _ in pairs), places=5)
        one = json.loads(self.good("predict", "a", "120.png", "--device", "cpu", "--json"))
        self.assertEqual((one["name"], round(one["number"], 3)), ("size", round(pairs[0][1], 3)))
        self.assertIn("size", self.good("predict", "a", "120.png", "--device", "cpu"))
        with open(self.path("a", "report.html")) as file:
            page = file.read()
        self.assertIn("mean absolute error", page)
        self.assertIn("numbers as predicted over numbers as they are", page)
        self.assertIn("R", self.good("evaluate", "a", "--device", "cpu"))
        self.assertIn("with numbers", self.good("check", "sizes.csv"))

    def test_unit_does_not_matter(self):
        """What is learnt is in deviations: the same run in another unit, with its numbers."""
        self.draw(24, 8)
        runs = []
        for offset, factor in ((0.5, 1), (-4096.0, 1024)):
            self.draw(24, 8, offset, factor)
            self.good("fit", "sizes.csv", *FIT, "--epochs", "2", "--out", "r%g" % factor, "--quiet", "--loss", "huber",
                      "--task", "number")
            runs.append(self.lines("r%g" % factor, "history.csv"))
        for a, b in zip(*runs):
            self.assertAlmostEqual(float(a["train_loss"]), float(b["train_loss"]), places=5)
            self.assertAlmostEqual(float(a["val_r2"]), float(b["val_r2"]), places=5)

    def test_losses_and_stages(self):
        self.draw(24, 8)
        for loss in ("l1", "l2"):
            self.good("fit", "sizes.csv", *FIT, "--epochs", "1", "--out", loss, "--loss", loss, "--quiet")
        self.good("fit", "sizes.csv", *FIT, "--weights", "l1", "--stages", "head:1,all:1", "--out", "b", "--quiet",
                  "--augment", "flip,mixup")
        self.good("fit", "--resume", "b", "--epochs", "+1", "--quiet")
        self.assertEqual(len(self.lines("b", "history.csv")), 3)
        self.good("compare", "l1", "l2", "--out", "o")
        self.good("convert", "l1", "n.onnx", "--preprocess", "inside")

    def test_refused(self):
        self.draw(60, 0)
        fit = ["fit", "sizes.csv", *FIT, "--epochs", "1", "--quiet", "--out", "r"]
        rows = [["path", "age"]] + [["%03d.png" % i, 3 * i + 7] for i in range(60)]
        self.write("sizes.csv", rows)
        self.bad(1, ["60 whole numbers from 7 to 184", "--task classes or --task number"], *fit)
        self.good(*fit[:-1], "n", "--task", "number")
        self.write("sizes.csv", rows + [["000.png", "old"]])
        self.bad(1, ["line 62", "'old' is no number"], *fit, "--task", "number")
        self.write("sizes.csv", rows + [["000.png", "nan"]])
        self.bad(1, ["line 62", "'nan' is no number"], *fit, "--task", "number")
        self.write("sizes.csv", [["path", "age"]] + [["%03d.png" % i, 41.5] for i in range(60)])
        self.bad(1, ["41.5", "nothing to learn"], *fit)
        self.write("sizes.csv", [["path", "age"]] + [["%03d.png" % i, i / 2] for i in range(60)])
        self.bad(1, ["--loss sigmoid", "l2, l1 or huber"], *fit, "--loss", "sigmoid")
        self.bad(1, ["--label-smoothing"], *fit, "--label-smoothing", "0.1")


if __name__ == "__main__":
    main()
