#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tensorboard.py GRAFT: the event files of `graft fit --tensorboard`, read by a small reader of our own.

The reader is written from the descriptions of TFRecord and Protocol Buffers: a bit in it that is not understood fails.
"""

import csv
import json
import os
import shutil
import signal
import struct
import subprocess
import time

from command import GRAFT, Case, draw_data, main

COMMON = ["--model", "tiny_convnet", "--batch", "4", "--seed", "5", "--device", "cpu", "--threads", "1"]
EVENTS = "tensorboard/events.out.tfevents.graft"
PICTURES = "tensorboard/pictures/events.out.tfevents.graft"


def crc32c(data):
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        length, check = struct.unpack_from("<QI", data, at)
        assert check == masked(data[at:at + 8]), "length at %d" % at
        body = data[at + 12:at + 12 + length]
        assert len(body) == length and struct.unpack_from("<I", data, at + 12 + length)[0] == masked(body), at
        yield body
        at += 16 + length


def fields(data):
    """(number, value) of a message: whole numbers, floats, doubles, bytes."""
    def varint(at):
        value = shift = 0
        while True:
            byte = data[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at

    at = 0
    while at < len(data):
        key, at = varint(at)
        kind = key & 7
        if kind == 0:
            value, at = varint(at)
        elif kind == 2:
            length, at = varint(at)
            value, at = data[at:at + length], at + length
            assert len(value) == length
        else:
            value = struct.unpack_from({1: "<d", 5: "<f"}[kind], data, at)[0]
            at += {1: 8, 5: 4}[kind]
        yield key >> 3, value


def read(path):
    """Scalars {(tag, step): value}, each once; pictures {tag: (step, png)}; hparams {tag: content}; the version first."""
    scalars, pictures, plugins = {}, {}, {}
    for number, record in enumerate(records(path)):
        event = dict(fields(record))
        assert 1.6e9 < event[1] < 1e10 and set(event) <= {1, 2, 3, 5}, event
        if number == 0:
            assert event[3] == b"brain.Event:2"
            continue
        for key, value in fields(event[5]):
            value = dict(fields(value))
            tag = value[1].decode()
            if 2 in value:
                assert (tag, event[2]) not in scalars, (tag, event[2])
                scalars[tag, event[2]] = value[2]
            elif 4 in value:
                image = dict(fields(value[4]))
                assert image[3] == 3 and struct.unpack(">II", image[4][16:24]) == (image[2], image[1])
                pictures[tag] = (event[2], image[4])
            else:
                plugin = dict(fields(dict(fields(value[9]))[1]))
                assert plugin[1] == b"hparams" and tag not in plugins
                plugins[tag] = plugin[2]
    return scalars, pictures, plugins


def settings(start):
    found = {}
    for key, value in fields(start):
        if key == 1:
            entry = dict(fields(value))
            (kind, setting), = fields(entry[2])
            found[entry[1].decode()] = {2: setting, 3: setting, 4: bool(setting) if kind == 4 else None}[kind]
    return found


def comparable(scalars):
    """What does not tell how long something took."""
    return {key: value for key, value in scalars.items() if not key[0].endswith(("seconds", "_second"))}


class TensorBoard(Case):
    def setUp(self):
        super().setUp()
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)  # the check value of CRC-32C
        draw_data(self.path("d"), 7, 3)

    def fit(self, *arguments):
        return self.good("fit", *arguments, "--device", "cpu", "--threads", "1")

    def test_what_is_written(self):
        self.fit("d", *COMMON, "--epochs", "3", "--tensorboard", "2", "--out", "r")
        scalars, pictures, plugins = read(self.path("r", EVENTS))
        with open(self.path("r/history.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            for column in ("learning_rate", "train_loss", "train_top1", "val_loss", "val_top1"):
                self.assertAlmostEqual(scalars["epoch/" + column, int(row["epoch"])], float(row[column]), places=6)
        # 14 pictures in batches of 4: 4 steps an epoch, of which every second one is told.
        self.assertEqual([step for tag, step in scalars if tag == "step/loss"], [2, 4, 6, 8, 10, 12])
        told = [scalars["step/loss", step] for step in (2, 4)]
        self.assertAlmostEqual((told[0] * 8 + told[1] * 6) / 14, float(rows[0]["train_loss"]), places=5)
        right = [scalars["step/top1", step] for step in (2, 4)]
        self.assertAlmostEqual((right[0] * 8 + right[1] * 6) / 14, float(rows[0]["train_top1"]), places=5)
        self.assertGreater(scalars["step/images_per_second", 4], 0)
        self.assertLess(scalars["step/learning_rate", 12], scalars["step/learning_rate", 2])
        with open(self.path("r/evaluation.json"), encoding="utf-8") as file:
            self.assertAlmostEqual(scalars["evaluation/top1", 3], json.load(file)["top1"], places=6)
        self.assertFalse(pictures)
        self.assertEqual(set(plugins), {"_hparams_/experiment", "_hparams_/session_start_info",
                                        "_hparams_/session_end_info"})
        (kind, start), = [item for item in fields(plugins["_hparams_/session_start_info"])]
        found = settings(start)
        self.assertEqual((kind, found["batch"], found["seed"], found["network"].decode()), (3, 4, 5, "tiny_convnet"))
        self.assertIs(found["nesterov"], False)
        (kind, experiment), = fields(plugins["_hparams_/experiment"])
        metrics = [dict(fields(dict(fields(value))[1]))[2].decode() for key, value in fields(experiment) if key == 5]
        self.assertEqual(kind, 2)
        self.assertLessEqual({"epoch/val_top1", "epoch/val_loss"}, set(metrics))
        self.assertEqual(set(dict(fields(value))[1].decode() for key, value in fields(experiment) if key == 4), set(found))
        _, pictures, _ = read(self.path("r", PICTURES))
        self.assertEqual(set(pictures), {"confusion", "pictures/largest_loss", "pictures/in_doubt"} |
                         ({"pictures/sure_and_wrong"} if scalars["evaluation/top1", 3] < 1 else set()))
        with open(self.path("r/confusion.png"), "rb") as file:
            self.assertEqual(pictures["confusion"], (3, file.read()))
        self.fit("d", *COMMON, "--epochs", "1", "--out", "plain")
        self.assertNotIn("tensorboard", os.listdir(self.path("plain")))

    def test_going_on_doubles_no_step(self):
        """A copy of the folder between two saves, with what a killed writer leaves behind it, gives the same file."""
        self.fit("d", *COMMON, "--epochs", "60", "--input", "16", "--tensorboard", "3", "--out", "whole")
        process = subprocess.Popen([GRAFT, "fit", "d", *COMMON, "--epochs", "60", "--input", "16", "--tensorboard", "3",
                                    "--out", "r"], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(20000):
            if os.path.exists(self.path("r/state.safetensors")) or process.poll() is not None:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with open(self.path("r", EVENTS), "rb") as file:
            data = file.read()
        kept = self.path("kept")
        shutil.copytree(self.path("r"), kept)
        expected, _, _ = read(self.path("whole", EVENTS))
        # Nothing, the same records again and the beginning of one, less than there was.
        for tail in (data, data + data[24:] + data[:30], data[:100]):
            shutil.rmtree(self.path("r"))
            shutil.copytree(kept, self.path("r"))
            with open(self.path("r", EVENTS), "wb") as file:
                file.write(tail)
            done = self.run_graft("fit", "--resume", "r")
            self.assertEqual(done.returncode, 0, done.stderr)
            after, _, plugins = read(self.path("r", EVENTS))
            self.assertIn("_hparams_/session_end_info", plugins)
            if tail == data[:100]:
                self.assertIn("it is begun again", done.stderr)
                first = min((step for tag, step in after if tag == "step/loss"), default=10**9)
                same = {key: value for key, value in expected.items() if not key[0].startswith("step") or key[1] >= first}
                self.assertEqual(comparable(after), comparable(same))
            else:
                self.assertEqual(comparable(after), comparable(expected))

    def test_turned_on_later(self):
        self.fit("d", *COMMON, "--epochs", "2", "--out", "r")
        self.fit("--resume", "r", "--epochs", "+2", "--tensorboard", "1")
        scalars, _, _ = read(self.path("r", EVENTS))
        self.assertEqual([step for tag, step in scalars if tag == "epoch/val_loss"], [1, 2, 3, 4])
        self.assertEqual(min(step for tag, step in scalars if tag == "step/loss"), 9)
        self.fit("--resume", "r", "--epochs", "+1", "--tensorboard", "0")
        again, _, _ = read(self.path("r", EVENTS))
        self.assertEqual(comparable(again), comparable(scalars))

    def test_bad_use(self):
        self.bad(2, ["--tensorboard"], "fit", "d", *COMMON, "--tensorboard", "-1")
        os.mkdir(self.path("taken"))
        with open(self.path("taken/tensorboard"), "w", encoding="utf-8") as file:
            file.write("x")
        self.bad(1, ["taken/tensorboard"], "fit", "d", *COMMON, "--epochs", "1", "--tensorboard", "1", "--out", "taken")


main()
