# SPDX-License-Identifier: MIT
"""graft pull: a server on this machine that behaves, and one that misbehaves in each way that there is."""

import array
import fcntl
import http.server
import json
import os
import random
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest

from command import DATA, GRAFT, SKIP, draw_data, main, open_terminal, png, run, safetensors
from server import DIGEST, LONG, Handler, Served


class Pull(Served):
    def test_fetches(self):
        result = json.loads(self.pull("good", "--json"))
        self.assert_whole()
        self.assertEqual(
            result,
            {
                "network": "resnet18",
                "path": self.weights("own.pth"),
                "url": self.base + "/good/own.pth",
                "bytes": len(LONG),
                "resumed_bytes": 0,
                "sha256": DIGEST,
                "checked": True,
                "fetched": True,
            },
        )
        with open(self.weights("resnet18.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["sha256"], DIGEST)
        self.assertIn("was there already", self.pull("good", sha256=DIGEST[:8].upper()))
        self.assertEqual(len(self.server.asked), 1)

    def test_follows_a_redirection(self):
        self.pull("hop")
        self.assert_whole()

    def test_damaged_file_is_fetched_again(self):
        self.pull("good")
        with open(self.weights("own.pth"), "r+b") as file:
            file.write(b"damage")
        self.pull("good")
        self.assert_whole()
        self.assertEqual(len(self.server.asked), 2)

    def test_goes_on_where_it_ended(self):
        half = len(LONG) // 2
        self.refuse(["ended after 1500000 of 3000000 bytes", "goes on"], "short")
        self.assert_nothing(part=half)
        self.refuse(["ended after 2250000 of 3000000 bytes"], "short")
        result = json.loads(self.pull("good", "--json"))
        self.assertEqual(result["resumed_bytes"], 2250000)
        self.assertEqual([asked[1] for asked in self.server.asked], [None, "bytes=1500000-", "bytes=2250000-"])
        self.assert_whole()

    def test_server_without_parts(self):
        self.refuse(["ended"], "short")
        self.assertEqual(json.loads(self.pull("whole", "--json"))["resumed_bytes"], 0)
        self.assert_whole()
        self.assertEqual(len(self.server.asked), 2)

    def begin(self, data):
        os.makedirs(self.path("cache", "weights"), exist_ok=True)
        with open(self.weights("own.pth.part"), "wb") as file:
            file.write(data)

    def test_part_of_another_file(self):
        self.begin(b"x" * 1000000)
        self.pull("good")
        self.assert_whole()
        self.assertEqual([asked[1] for asked in self.server.asked], ["bytes=1000000-", None])

    def test_part_that_is_longer(self):
        self.begin(LONG + b"x")
        self.pull("good")
        self.assert_whole()

    def test_part_that_is_whole(self):
        self.begin(LONG)
        self.pull("good")
        self.assert_whole()
        self.assertEqual(self.server.asked, [])

    def test_another_part_than_asked_for(self):
        self.begin(LONG[:1000])
        self.refuse(["another part"], "part")
        self.assert_nothing(part=1000)

    def test_wrong_digest(self):
        self.refuse(["SHA-256", DIGEST, "nothing is kept"], "wrong")
        self.assert_nothing()
        self.refuse(["SHA-256", "should be 00112233"], "good", sha256="00112233")
        self.assert_nothing()

    def test_not_there(self):
        self.refuse(["no such file (404)"], "missing")
        self.refuse(["answers 500"], "broken")
        self.refuse(["does not say where"], "nowhere")
        self.refuse(["without end"], "circle")
        self.assert_nothing()

    def test_another_scheme(self):
        self.refuse(["file:///etc/passwd", "another scheme"], "file")
        self.refuse(["https://127.0.0.1/own.pth", "another scheme"], "https")
        self.assert_nothing()

    def test_hangs(self):
        quick = {"GRAFT_PULL_TIMEOUT": "2"}
        self.refuse(["hangs after 1500000 of 3000000 bytes", "silent for 2 s", "goes on"], "hang", environment=quick)
        self.refuse(["does not answer"], "silent", environment=quick)
        self.assert_nothing(part=len(LONG) // 2)
        self.pull("good")
        self.assert_whole()

    def test_no_network(self):
        closed = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        port = closed.server_address[1]
        closed.server_close()
        self.bad(
            1,
            ["no way to the server", "elsewhere", self.weights("resnet50-11ad3fa6.pth")],
            "pull",
            "resnet50",
            environment={"GRAFT_PULL_BASE": "http://127.0.0.1:%d" % port},
        )
        self.bad(1, ["no way to the server"], "pull", "resnet18", "--url", "http://nothing.invalid/own.pth")

    def test_full_disk(self):
        self.refuse(["the disk is full", "1048576.0 TiB are to come"], "huge")
        self.assert_nothing()
        self.refuse(["the disk is full"], "endless")
        self.begin(LONG[:1000])
        self.refuse(["the server ended"], "endless")
        self.assert_nothing(part=len(LONG))
        os.remove(self.weights("own.pth.part"))

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000000, 1000000))

        self.refuse(["the disk is full", "File too large", "1000000 bytes"], "good", preexec_fn=limit)
        self.assert_nothing(part=1000000)
        self.pull("good")
        self.assert_whole()

    def test_folder_that_cannot_be_written(self):
        os.makedirs(self.path("cache"))
        with open(self.path("cache", "weights"), "wb"):
            pass
        self.refuse(["weights"], "good")
        self.refuse(["no folder to keep weights in"], "good", environment={"GRAFT_CACHE": ""})

    def test_interrupted(self):
        process = subprocess.Popen(
            [GRAFT, "pull", "resnet18", "--url", self.base + "/hang/own.pth", "--sha256", DIGEST],
            env=dict(os.environ, **self.environment),
            stderr=subprocess.PIPE,
            text=True,
        )
        part = self.weights("own.pth.part")
        until = time.time() + 60
        while time.time() < until and not (os.path.exists(part) and os.path.getsize(part) == len(LONG) // 2):
            time.sleep(0.05)
        self.refuse(["is being fetched by another graft"], "good")
        process.send_signal(signal.SIGINT)
        self.assertIn("interrupted", process.communicate(timeout=60)[1])
        self.assertEqual(process.returncode, 130)
        self.pull("good")
        self.assert_whole()

    def test_proxy_of_curl(self):
        proxy = {"no_proxy": "", "http_proxy": self.base}
        self.good(
            *("pull", "resnet18", "--url", "http://weights.invalid/own.pth", "--sha256", DIGEST), environment=proxy
        )
        self.assert_whole()
        self.assertEqual(self.server.asked[0], ("http://weights.invalid/own.pth", "proxy"))

    def test_progress(self):
        """On a terminal: how much, how fast, how long."""
        master, slave = open_terminal()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        process = subprocess.Popen(
            [GRAFT, "pull", "resnet18", "--url", self.base + "/slow/own.pth", "--sha256", DIGEST],
            env=dict(os.environ, TERM="xterm", **self.environment),
            stdout=subprocess.DEVNULL,
            stderr=slave,
        )
        text = b""
        while process.poll() is None:
            if select.select([master], [], [], 0.05)[0]:
                text += os.read(master, 65536)
        os.close(slave)
        os.close(master)
        self.assertEqual(process.returncode, 0, text)
        lines = re.findall(r"own.pth: [\d.]+ [KM]iB of 2.9 MiB, [\d.]+ [KM]iB/s, \d+ s left", text.decode())
        self.assertGreaterEqual(len(lines), 3, text)
        self.assert_whole()

    def test_published_file_from_a_mirror(self):
        mirror = {"GRAFT_PULL_BASE": self.base + "/"}
        self.bad(1, ["SHA-256", "should be 11ad3fa6"], "pull", "resnet50", environment=mirror)
        self.bad(
            1,
            ["SHA-256", "should be 0676ba61"],
            *("pull", "resnet50", "--entry", "IMAGENET1K_V1"),
            environment=mirror
        )
        self.bad(1, ["MD5", "should be 64373286793e3c8b2b4e3219cbf3544b:"], "pull", "keras_vgg16", environment=mirror)
        self.assertEqual(
            [asked[0] for asked in self.server.asked],
            [
                "/resnet50-11ad3fa6.pth",
                "/resnet50-0676ba61.pth",
                "/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
            ],
        )
        # A published file's name at any other place is held to the published digest.
        self.bad(
            1, ["should be f37072fd"], "pull", "resnet18", "--url", self.base + "/good/resnet18-f37072fd.pth"
        )

    def test_nothing_to_check_by(self):
        done = self.run_graft("pull", "keras_mobilenet_25", environment={"GRAFT_PULL_BASE": self.base})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("warning: nothing is published to check", done.stderr)
        self.assertIn(DIGEST, done.stderr)
        self.bad(
            1,
            ["more than the file has"],
            *("pull", "keras_mobilenet_v2"),
            environment={"GRAFT_PULL_BASE": self.base + "/more"}
        )
        self.refuse(["ended"], "short", sha256=None)
        self.pull("good", sha256=None)
        self.assert_whole()
        self.assertNotIn("bytes=", str(self.server.asked))

    def test_wrong_usage(self):
        for words, arguments in (
            (["which network", "--list"], []),
            (['did you mean \'resnet18\''], ["resnet81"]),
            (["no weights are published for mnist_convnet"], ["mnist_convnet"]),
            (["IMAGENET1K_V2 or IMAGENET1K_V1"], ["resnet50", "--entry", "V3"]),
            (["begins with https:// or http://"], ["resnet18", "--url", "file:///etc/passwd"]),
            (["name of a file"], ["resnet18", "--url", "http://127.0.0.1/"]),
            (["name of a file"], ["resnet18", "--url", "http://127.0.0.1"]),
            (["name of a file"], ["resnet18", "--url", "http://127.0.0.1/.."]),
            (["name of a file"], ["resnet18", "--url", "http://127.0.0.1/resnet18.json"]),
            (["hexadecimal"], ["resnet18", "--url", "http://127.0.0.1/a.pth", "--sha256", "xyz"]),
            (["of one network"], ["resnet18", "resnet34", "--sha256", DIGEST]),
            (["leave the names out"], ["--data", "--list", "mnist"]),
            (["no weights are published", "'nothing'"], ["--list", "nothing"]),
            (["ships with Graft", "nothing to fetch"], ["graft_small"]),
            (["which data set", "--data --list"], ["--data"]),
            (["of a network's weights"], ["--data", "pets", "--entry", "X"]),
            (["pets", "food101"], ["--data", "pest"]),
        ):
            with self.subTest(arguments=arguments):
                self.bad(2, words, "pull", *arguments)


def mobilenet_v2():
    """Weights of MobileNetV2 as its paper's table 2 lays it out, with torchvision's names; not trained."""
    chance = random.Random(3)
    pool = array.array("f", (chance.uniform(-1, 1) for _ in range(65536)))
    tensors = {}

    def conv(name, out, into, side):
        count, scale = out * into * side * side, (6 / (into * side * side)) ** 0.5
        values = array.array("f", (scale * v for v in pool))
        repeated = values * (count // len(values) + 1)
        first = len(tensors) * 37 % 1000
        tensors[name + ".weight"] = ((out, into, side, side), (values[first:] + repeated)[:count].tobytes())

    def norm(name, width):
        for part, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            tensors["%s.%s" % (name, part)] = ((width,), array.array("f", [value] * width).tobytes())

    conv("features.0.0", 32, 3, 3)
    norm("features.0.1", 32)
    width, block = 32, 1
    for factor, out, count in ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1)):
        for _ in range(count):
            name, inner, layer = "features.%d.conv." % block, width * factor, 0
            if factor > 1:
                conv(name + "0.0", inner, width, 1)
                norm(name + "0.1", inner)
                layer = 1
            conv("%s%d.0" % (name, layer), inner, 1, 3)
            norm("%s%d.1" % (name, layer), inner)
            conv("%s%d" % (name, layer + 1), out, inner, 1)
            norm("%s%d" % (name, layer + 2), out)
            width, block = out, block + 1
    conv("features.18.0", 1280, 320, 1)
    norm("features.18.1", 1280)
    conv("classifier.1", 1000, 1280, 1)
    tensors["classifier.1.weight"] = ((1000, 1280), tensors["classifier.1.weight"][1])
    tensors["classifier.1.bias"] = ((1000,), bytes(4000))
    return tensors


class Use(Served):
    """What was pulled is what other verbs take."""

    def logits(self, *arguments):
        done = self.run_graft("predict", *arguments, self.path("picture.png"), "--logits", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["logits"], done.stderr

    def test_network_by_its_name(self):
        png(self.path("picture.png"), 90, 70, lambda x, y: (3 * x % 256, 2 * y, x ^ y))
        data = draw_data(self.path("data"), 6, 2)
        self.bad(2, ["needs weights", "--weights"], "predict", "tiny_convnet", "picture.png")
        self.bad(2, ["graft pull resnet18"], "predict", "resnet18", "picture.png")
        self.good("fit", data, "--model", "tiny_convnet", "--epochs", "1", "--out", "run", "--quiet")
        with open(self.path("run", "model.safetensors"), "rb") as file:
            self.server.files["own.safetensors"] = file.read()
        self.good("pull", "tiny_convnet", "--url", self.base + "/good/own.safetensors?download=1")
        named, said = self.logits("tiny_convnet")
        self.assertIn("weights: " + self.weights("own.safetensors"), said)
        self.assertEqual(named, self.logits("tiny_convnet", "--weights", "run/model.safetensors")[0])
        # fit begins with them, and the run says so
        arguments = ["fit", data, "--model", "tiny_convnet", "--epochs", "1"]
        done = self.run_graft(*arguments, "--out", "again")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("weights: " + self.weights("own.safetensors"), done.stderr)
        with open(self.path("again", "config.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["weights"], os.path.realpath(self.weights("own.safetensors")))
        done = self.run_graft(*arguments, "--weights", "none", "--out", "scratch")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("weights: ", done.stderr)
        with open(self.path("scratch", "config.json"), encoding="utf-8") as file:
            self.assertIsNone(json.load(file)["weights"])
        models = {model["name"]: model for model in json.loads(self.good("models", "--json"))}
        self.assertEqual(models["tiny_convnet"]["weights"], self.weights("own.safetensors"))
        self.assertIsNone(models["mnist_convnet"]["weights"])
        # without the note, or with one that tells of another folder, they are not taken
        for note in ('{"file": "../weights/own.safetensors"}', "no JSON", '{"file": 3}'):
            with open(self.weights("tiny_convnet.json"), "w", encoding="utf-8") as file:
                file.write(note)
            self.bad(2, ["needs weights"], "predict", "tiny_convnet", "picture.png")

    def test_transforms_of_the_file(self):
        """The newer weights are for pictures of short side 232, the older ones for 256."""
        png(self.path("picture.png"), 300, 280, lambda x, y: (37 * x * x % 256, 91 * y % 256, x * y % 256))
        os.makedirs(self.path("cache", "weights"))
        tensors = mobilenet_v2()
        for path in (self.path("plain.safetensors"), self.weights("mobilenet_v2-7ebf99e0.pth")):
            safetensors(path, tensors)
        newer, said = self.logits("mobilenet_v2")
        self.assertIn("mobilenet_v2-7ebf99e0.pth", said)
        plain = ["mobilenet_v2", "--weights", "plain.safetensors"]
        older = self.logits(*plain)[0]
        self.assertEqual(newer, self.logits(*plain, "--resize", "232")[0])
        self.assertEqual(older, self.logits(*plain, "--resize", "256")[0])
        self.assertNotEqual(newer, older)
        os.rename(self.weights("mobilenet_v2-7ebf99e0.pth"), self.weights("mobilenet_v2-b0353104.pth"))
        self.assertEqual(older, self.logits("mobilenet_v2")[0])

    def test_list_and_models(self):
        rows = json.loads(self.good("pull", "--list", "--json"))
        models = {model["name"]: model for model in json.loads(self.good("models", "--json"))}
        first = {row["network"]: row for row in rows if row["default"]}
        for row in rows:
            self.assertTrue(row["url"].startswith("https://"), row)
            self.assertTrue(row["url"].endswith("/" + row["file"]), row)
            self.assertTrue(row["terms"])
            self.assertIsNone(row["path"])
            self.assertIn(row["network"], models)
            self.assertIn(row["network"], first)
            if row["sha256"] and len(row["sha256"]) < 64:  # torchvision's digits are in the name
                self.assertIn(row["sha256"], row["file"])
        self.assertEqual(len({row["file"] for row in rows}), len(rows))
        for name, model in models.items():
            self.assertEqual(model["top1"], first.get(name, {}).get("top1"))
            self.assertEqual(model["terms"], first.get(name, {}).get("terms"))
        # Columns stand below each other, whatever the names' length.
        table = self.good("models").splitlines()
        for column in ("source", "terms", "family"):
            at = table[0].index(column)
            for line in table[1:]:
                self.assertEqual(line[at - 1 : at].strip(), "", line)
        sources = {line[table[0].index("source") :].split()[0] for line in table[1:]}
        self.assertEqual(sources, {model["source"] for model in models.values()})
        self.assertEqual(len(self.good("pull", "--list").splitlines()), len(rows) + 1)
        some = json.loads(self.good("pull", "--list", "resnet18", "alexnet", "--json"))
        self.assertEqual({row["network"] for row in some}, {"resnet18", "alexnet"})

    def test_list_is_as_published(self):
        path = os.path.join(DATA, "zoo", "torchvision-weights.json")
        if not os.path.exists(path):
            self.skipTest("%s is not there" % path)
        with open(path, encoding="utf-8") as file:
            published = {entry["file"]: entry for entry in json.load(file)}
        with open(os.path.join(DATA, "zoo", "keras-applications.json"), encoding="utf-8") as file:
            keras = {
                entry["weights"][0]: entry["weights"][1] for entry in json.load(file).values() if "weights" in entry
            }
        models = {model["name"]: model for model in json.loads(self.good("models", "--json"))}
        rows = {row["file"]: row for row in json.loads(self.good("pull", "--list", "--json"))}
        ours = {file for file, row in rows.items() if models[row["network"]]["source"] == "torchvision"}
        names = {name for name, model in models.items() if model["source"] == "torchvision"}
        self.assertEqual(ours, {f for f, e in published.items() if e["model"] in names and e["classes"] == 1000})
        for file in ours:
            row, entry = rows[file], published[file]
            self.assertEqual(row["url"], "https://download.pytorch.org/models/" + file)
            self.assertEqual(row["network"], entry["model"])
            self.assertEqual(row["entry"], entry["weights"].split(".")[1])
            self.assertEqual(row["default"], entry["default"])
            self.assertEqual(row["sha256"], entry["sha256_prefix"])
            self.assertEqual((row["top1"], row["top5"]), (entry["acc@1"], entry["acc@5"]))
            self.assertEqual(row["mebibytes"], entry["file_megabytes"])
            t = entry["transforms"]
            self.assertEqual(
                [row["resize_short_side"], row["crop"], row["filter"]],
                [t["resize_size"][0], t["crop_size"][0], t["interpolation"]],
            )
            # torchvision counts googlenet without the two auxiliary heads that its file holds.
            heads = 6379984 if row["network"] == "googlenet" else 0
            parameters = models[row["network"]]["parameters"]
            if models[row["network"]]["family"] == "vit":  # one position embedding a patch
                at_size = self.good("summary", row["network"], "--input", str(row["crop"]), "--json")
                parameters = json.loads(at_size)["parameters"]
            self.assertEqual(parameters, entry["num_params"] + heads)
        compared = [file for file in rows if file in keras]
        self.assertGreaterEqual(len(compared), 34)
        for file in compared:
            self.assertEqual(rows[file]["md5"] or rows[file]["sha256"], keras[file])


if "without libcurl" in run("pull", "resnet18", environment={"GRAFT_PULL_BASE": "http://127.0.0.1:9"}).stderr:
    print("graft was built without libcurl")
    sys.exit(SKIP)
main()
