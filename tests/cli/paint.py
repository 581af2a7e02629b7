# SPDX-License-Identifier: MIT
"""graft filters, dream and attack: pictures that are read back from their files, films, sheets, what is refused.
fit --adversarial."""

import json
import os
import random
import struct

from command import Case, draw_data, main, png

FIT = ["--model", "tiny_convnet", "--input", "32", "--device", "cpu", "--batch", "5", "--epochs", "6", "--out", "r"]


def size_of(path):
    with open(path, "rb") as file:
        return struct.unpack(">II", file.read(24)[16:])


def animation(path):
    """An animated WebP by its container (RIFF): (width, height), loops (0: endless), milliseconds of each frame."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:4] == b"RIFF" and data[8:12] == b"WEBP" and struct.unpack("<I", data[4:8])[0] == len(data) - 8
    at, canvas, loops, times = 12, None, None, []
    while at < len(data):
        kind, size = data[at:at + 4], struct.unpack("<I", data[at + 4:at + 8])[0]
        body = data[at + 8:at + 8 + size]
        if kind == b"VP8X":
            canvas = tuple(1 + int.from_bytes(body[i:i + 3], "little") for i in (4, 7))
        elif kind == b"ANIM":
            loops = struct.unpack("<H", body[4:6])[0]
        elif kind == b"ANMF":
            times.append(int.from_bytes(body[12:15], "little"))
        at += 8 + size + size % 2
    return canvas, loops, times


class Paint(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"))
        self.good("fit", "d", *FIT)

    def test_filters(self):
        filters = ("filters", "r", "--device", "cpu", "--json")
        found = json.loads(self.good(*filters))
        self.assertEqual((found["layer"], found["file"]), ("block1.conv", "filters/block1.conv.png"))
        self.assertEqual([channel["channel"] for channel in found["channels"]], list(range(16)))
        self.assertEqual(size_of(self.path("filters", "block1.conv.png")), (14 + 8 * 78, 14 + 34 + 2 * 104))
        patterns = filters + ("--layer", "block2", "--channels", "0-8,30", "--steps", "5", "--batch", "4")
        found = json.loads(self.good(*patterns))
        self.assertEqual([channel["channel"] for channel in found["channels"]], [*range(9), 30])
        self.assertGreater(sum(channel["score"] > 0 for channel in found["channels"]), 5)
        self.assertEqual(size_of(self.path("filters", "block2.png")), (14 + 8 * (32 + 14), 14 + 34 + 2 * (32 + 40)))
        self.good(*patterns, "--out", "again", "--batch", "3")  # the same in any company
        with open(self.path("filters", "block2.png"), "rb") as one, open(self.path("again", "block2.png"), "rb") as two:
            self.assertEqual(one.read(), two.read())
        self.good(*patterns, "--out", "other", "--seed", "5")
        with open(self.path("filters", "block2.png"), "rb") as one, open(self.path("other", "block2.png"), "rb") as two:
            self.assertNotEqual(one.read(), two.read())

    def test_filters_refused(self):
        for words, arguments in (
            (["block22", "block2"], ["--layer", "block22"]),
            (["no map"], ["--layer", "fc"]),
            (["0 to 31"], ["--layer", "block2", "--channels", "30-32"]),
            (["0-63"], ["--layer", "block2", "--channels", "3-1"]),
            (["0-63"], ["--layer", "block2", "--channels", "a"]),
            (["sees"], ["--layer", "block5", "--side", "20"]),
        ):
            self.bad(2, words, "filters", "r", *arguments)

    def test_dream(self):
        dream = ("dream", "r", "--device", "cpu", "--steps", "60", "--rate", "0.2")
        lines = self.good(*dream, "--class", "red,blue", "--batch", "2", "--film", "20", "--json").splitlines()
        files = sorted(os.listdir(self.path("dreams")))
        self.assertEqual(files, ["%s%s.png" % (name, end) for name in ("blue", "red")
                                 for end in ("-0000", "-0001", "-0002", "-0003", "")])
        for line, name in zip(map(json.loads, lines), ("red", "blue")):
            self.assertEqual((line["file"], line["name"], line["predicted_name"]), ("dreams/%s.png" % name, name, name))
            self.assertGreaterEqual(line["probability"], 0.9)
            seen = json.loads(self.good("predict", "r", line["file"], "--device", "cpu", "--json").splitlines()[0])
            self.assertEqual(seen["top"][0]["name"], name)
            self.assertAlmostEqual(seen["top"][0]["probability"], line["probability"], places=5)
        with open(self.path("dreams", "red.png"), "rb") as one, open(self.path("dreams", "red-0003.png"), "rb") as last:
            self.assertEqual(one.read(), last.read())
        self.good(*dream, "--class", "red", "--out", "again")  # one at a time: the same picture
        self.assertEqual(size_of(self.path("again", "red.png")), size_of(self.path("dreams", "red.png")))
        self.good(*dream, "--class", "red", "--start", "d/val/blue/00.png", "--out", "from")
        with open(self.path("again", "red.png"), "rb") as one, open(self.path("from", "red.png"), "rb") as other:
            self.assertNotEqual(one.read(), other.read())

    def test_film(self):
        """An animation: its canvas, its frames and how long each is shown, endless; the first one is read back."""
        self.good("dream", "r", "--device", "cpu", "--class", "red", "--steps", "150", "--film", "way.webp", "--quiet")
        canvas, loops, times = animation(self.path("way.webp"))
        self.assertEqual(canvas, size_of(self.path("dreams", "red.png")))
        self.assertEqual(loops, 0)
        self.assertLessEqual(len(times), 76)  # every other step, the beginning, the end; frames alike are one
        self.assertGreater(len(times), 40)
        self.assertEqual((sum(times), times[-1]), (75 * 60 + 2000, 2000))
        self.assertEqual(os.listdir(self.path("dreams")), ["red.png"])
        self.assertIn("name", self.predicted("way.webp"))
        try:
            from PIL import Image
        except ImportError:
            return
        with Image.open(self.path("way.webp")) as film:
            self.assertEqual((film.size, film.n_frames, film.info["loop"]), (canvas, len(times), 0))
            film.seek(film.n_frames - 1)
            with Image.open(self.path("dreams", "red.png")) as last:
                off = [abs(a - b) for a, b in zip(film.convert("RGB").tobytes(), last.convert("RGB").tobytes())]
                self.assertLess(sum(off) / len(off), 12)

    def test_dream_refused(self):
        for words, arguments in (
            (["webp"], ["--class", "red", "--film", "way.gif"]),
            (["webp"], ["--class", "red", "--film", "0"]),
            (["one class"], ["--class", "red,blue", "--film", "way.webp"]),
            (["--class"], []),
            (["no class \"rde\"", "\"red\""], ["--class", "rde"]),
            (["octaves"], ["--class", "red", "--octaves", "9"]),
            (["jitter"], ["--class", "red", "--jitter", "30"]),
        ):
            self.bad(2, words, "dream", "r", *arguments)
        self.bad(1, ["none.png"], "dream", "r", "--class", "red", "--start", "none.png")
        with open(self.path("file"), "w"):
            pass
        self.bad(1, ["file"], "dream", "r", "--class", "red", "--steps", "1", "--out", "file/below")

    def predicted(self, file):
        return json.loads(self.good("predict", "r", file, "--device", "cpu", "--json").splitlines()[0])["top"][0]

    def test_attack(self):
        attack = ("attack", "r", "--device", "cpu", "--epsilon", "60/255")
        line = json.loads(self.good(*attack, "d/val/red/00.png", "--json"))
        self.assertEqual(sorted(os.listdir(self.path("attacked"))), ["00-sheet.png", "00.png"])
        self.assertEqual(size_of(self.path("attacked", "00.png")), (40, 40))  # the picture's own size
        self.assertTrue(line["succeeded"])
        self.assertLessEqual(line["linf"], 60 / 255 + 1e-9)
        self.assertNotEqual(line["before"], line["after"])
        seen = self.predicted("attacked/00.png")
        self.assertEqual(seen["name"], line["after"])
        self.assertAlmostEqual(seen["probability"], line["after_probability"], places=5)
        least = json.loads(self.good(*attack[:4], "d/val/red/00.png", "--method", "minimal", "--json"))
        self.assertLessEqual(least["linf"], line["linf"])
        aimed = json.loads(self.good(*attack, "d/val/red/00.png", "--target", "blue", "--out", "blue", "--json"))
        self.assertEqual(aimed["after"], "blue")
        *lines, table = self.good(*attack, "d/val", "--all", "--out", "all", "--norm", "l2", "--epsilon", "20",
                                  "--json").splitlines()
        table = json.loads(table)
        changed = [json.loads(line) for line in lines if json.loads(line)["succeeded"]]
        self.assertEqual((table["pictures"], table["changed"]), (len(lines), len(changed)))
        sizes = sorted(line["l2"] for line in changed)
        middle = (sizes[(len(sizes) - 1) // 2] + sizes[len(sizes) // 2]) / 2
        self.assertAlmostEqual(table["median_l2"], middle, places=6)
        self.assertFalse(any("sheet" in name for name in os.listdir(self.path("all"))))
        self.assertIn("rate", self.good(*attack, "d/val", "--all", "--out", "all"))

    def test_attack_refused(self):
        picture = "d/val/red/00.png"
        for words, arguments in (
            (["no class \"rde\"", "\"red\""], ["--target", "rde"]),
            (["1 class can be named"], ["--target", "red,blue"]),
            (["2/255"], ["--epsilon", "much"]),
            (["2/255"], ["--epsilon", "1/0"]),
            (["1/255"], ["--epsilon", "0.5/255"]),
            (["linf, l2"], ["--norm", "l1"]),
            (["pgd, fgsm, minimal"], ["--method", "magic"]),
        ):
            self.bad(2, words, "attack", "r", picture, *arguments)
        self.bad(1, ["none.png"], "attack", "r", "none.png")
        done = self.run_graft("attack", "r", picture, "--method", "fgsm", "--epsilon", "1/255")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not found", done.stdout)

    def test_hardened(self):
        """Of pictures that a coarse and a faint fine pattern tell apart a network learns both, and six levels deceive it;
        one that has learnt against attacks sees as much and holds out."""
        drawn = random.Random(5)
        for part, count in (("train", 24), ("val", 12)):
            for name, sign in (("left", 1), ("right", -1)):
                os.makedirs(self.path("h", part, name))
                for i in range(count):
                    base, edge = drawn.randint(100, 156), drawn.randint(12, 19)

                    def pixel(x, y):
                        coarse, fine = 24 if x < edge else -24, 6 if (x + y) % 2 else -6
                        return 3 * (base + sign * (coarse + fine) + drawn.randint(-12, 12),)

                    png(self.path("h", part, name, "%02d.png" % i), 32, 32, pixel)
        deceived = {}
        for run, options in (("plain", []), ("hard", ["--adversarial", "0.0471"])):
            self.good("fit", "h", "--model", "tiny_convnet", "--input", "32", "--device", "cpu", "--batch", "8", "--epochs", "10",
                      "--out", run, *options)
            with open(self.path(run, "evaluation.json")) as file:
                self.assertEqual(json.load(file)["top1"], 1, run)
            lines = self.good("attack", run, "h/val", "--all", "--epsilon", "6/255", "--device", "cpu", "--out", run + "-a", "--json")
            table = json.loads(lines.splitlines()[-1])
            self.assertEqual(table["pictures"], 24)
            deceived[run] = table["changed"]
        self.assertGreaterEqual(deceived["plain"], 20)  # seen: 24
        self.assertLessEqual(deceived["hard"], 6)  # seen: 1

    def test_adversarial(self):
        """Other weights, the same ones again; a head alone learns from changed pictures too."""
        self.good("fit", "d", *FIT[:-1], "robust", "--adversarial", "0.35")
        weights = {}
        for run in ("r", "robust"):
            with open(self.path(run, "model.safetensors"), "rb") as file:
                weights[run] = file.read()
            with open(self.path(run, "config.json")) as file:
                self.assertEqual(json.load(file)["adversarial"], 0.35 if run == "robust" else 0)
        self.assertNotEqual(weights["r"][-4096:], weights["robust"][-4096:])
        self.good("fit", "d", *FIT[:-1], "again", "--adversarial", "0.35")
        with open(self.path("robust", "model.safetensors"), "rb") as one:
            with open(self.path("again", "model.safetensors"), "rb") as two:
                self.assertEqual(one.read(), two.read())
        self.good("fit", "d", *FIT[:-1], "head", "--stages", "head:1", "--weights", "r", "--adversarial", "0.35")
        self.bad(1, ["1/255"], "fit", "d", *FIT[:-1], "none", "--adversarial", "0.001")


main()
