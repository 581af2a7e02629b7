# SPDX-License-Identifier: MIT
"""graft pull --data: the list of published data sets, and with a list of its own (known.py) fetching them from a
server on this machine, and fit and the others by their names."""

import json
import os
import unittest

import command
import known
from command import main, run
from server import Served

TEST_GRAFT = os.environ.get("GRAFT_TEST_KNOWN", "")


class List(unittest.TestCase):
    def test_list(self):
        rows = json.loads(run("pull", "--data", "--list", "--json").stdout)
        sets = {}
        for row in rows:
            sets.setdefault(row["data"], []).append(row)
            self.assertRegex(row["url"], r"^https?://")
            self.assertRegex(row["md5"], "^[0-9a-f]{32}$")
            self.assertGreater(row["bytes"], 0)
            self.assertTrue(row["terms"])
            self.assertIsNone(row["path"])
        self.assertEqual(
            sorted(sets), ["cifar10", "flowers102", "food101", "mnist", "pets", "tiny-imagenet"]
        )
        self.assertEqual(len({row["file"] for row in rows}), len(rows))
        table = run("pull", "--data", "--list").stdout.splitlines()
        self.assertEqual(len(table), len(sets) + 1)

    def test_names_are_known_where_nothing_is_pulled(self):
        for verb in ("fit", "check"):
            done = run(verb, "pets", environment={"GRAFT_PULLED": ""}, cwd="/")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("graft pull --data pets", done.stderr)
            self.assertIn("773 MiB", done.stderr)


@unittest.skipUnless(TEST_GRAFT, "no graft with a list of its own")
class Data(Served):
    def setUp(self):
        super().setUp()
        self.addCleanup(setattr, command, "GRAFT", command.GRAFT)
        command.GRAFT = TEST_GRAFT
        self.environment["GRAFT_PULL_BASE"] = self.base + "/good"
        self.files = known.files()
        for _, there, _, _, data in self.files:
            self.server.files[there] = data

    def kept(self, *parts):
        return self.path("cache", "data", *parts)

    def pull_data(self, *names):
        return self.good("pull", "--data", *names)

    def test_fetches_all_files_of_a_set(self):
        result = json.loads(self.good("pull", "--data", "digits", "--json"))
        self.assertEqual(result["data"], "digits")
        self.assertEqual([row["path"] for row in result["files"]], [self.kept(here) for _, _, here, _, _ in self.files[2:4]])
        self.assertEqual([row["fetched"] for row in result["files"]], [True, True])
        for _, _, here, _, data in self.files[2:4]:
            with open(self.kept(here), "rb") as file:
                self.assertEqual(file.read(), data)
        again = self.good("pull", "--data", "digits")
        self.assertIn("was there already", again)
        self.assertIn(self.kept("digits") + ",", again)
        self.assertEqual(len(self.server.asked), 2)

    def test_wrong_bytes(self):
        self.server.files["colours-1.tar"] = known.colours(10)[:-1] + b"?"
        self.bad(1, ["MD5", "should be", "nothing is kept"], "pull", "--data", "colours")
        self.server.files["colours-1.tar"] = known.colours(10)[:-512]
        self.bad(1, ["MD5 of the 60928 bytes"], "pull", "--data", "colours")
        self.server.files["colours-1.tar"] = bytes(61440 + (1 << 20) + 1)
        self.bad(1, ["more than the file has"], "pull", "--data", "colours")
        self.assertEqual(os.listdir(self.kept()), [])

    def test_digest_of_the_beginning(self):
        """fast.ai publishes the size and the digest of the first MiB."""
        self.pull_data("large")
        data = self.files[1][4]
        os.remove(self.kept("large.tar"))
        self.server.files["large.tar"] = data[:5000] + b"?" + data[5001:]
        self.bad(1, ["MD5", "should be"], "pull", "--data", "large")
        self.server.files["large.tar"] = data[:-512]
        self.bad(1, ["1340928 bytes came, and the file has 1341440"], "pull", "--data", "large")
        self.server.files["large.tar"] = data
        self.bad(1, ["ended after"], "pull", "--data", "large", environment={"GRAFT_PULL_BASE": self.base + "/short"})
        self.pull_data("large")
        self.assertIn("bytes=670720-", str(self.server.asked[-1]))
        with open(self.kept("large.tar"), "rb") as file:
            self.assertEqual(file.read(), data)

    def test_a_set_in_part(self):
        self.pull_data("digits")
        os.remove(self.kept("digits", "train-labels-idx1-ubyte"))
        self.bad(1, ["only in part", "graft pull --data digits"], "check", "digits")
        listed = json.loads(self.good("pull", "--data", "--list", "--json"))
        here = {row["file"]: row["path"] for row in listed}
        self.assertIsNone(here["digits/train-labels-idx1-ubyte"])
        self.assertEqual(here["digits/train-images-idx3-ubyte"], self.kept("digits", "train-images-idx3-ubyte"))

    def test_by_its_name(self):
        fit = ["fit", "colours", "--model", "tiny_convnet", "--epochs", "1", "--input", "24", "--device", "cpu"]
        self.bad(1, ["has not been fetched", "graft pull --data colours"], *fit)
        self.pull_data("colours", "digits")
        done = self.run_graft(*fit, "--out", "run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("data: " + self.kept("colours.tar"), done.stderr)
        with open(self.path("run", "config.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["data"], os.path.realpath(self.kept("colours.tar")))
        self.assertEqual(len(self.good("predict", "run", "colours", "--json").splitlines()), 20)
        own = json.loads(self.good("evaluate", "run", "colours", "--json"))
        self.assertEqual(own["images"], 4)  # its own validation part: it knows that these are its data
        again = json.loads(self.good("evaluate", "run", "--json"))
        self.assertEqual([own["loss"], own["top1"]], [again["loss"], again["top1"]])
        self.good("check", "colours")
        self.good("fit", "colours", "--resume", "run")
        self.good("features", "run", "colours", "--out", "x.npy")
        self.good("fit", "digits", "--epochs", "1", "--quiet")
        self.assertEqual(os.listdir(self.path("runs")), ["digits-1"])
        # without what was pulled
        self.bad(1, ["has not been fetched"], "check", "colours", environment={"GRAFT_PULLED": ""})

    def test_a_path_goes_first(self):
        self.pull_data("colours")
        os.makedirs(self.path("colours"))
        self.bad(1, ["no pictures"], "check", "colours", prints=True)
        os.rmdir(self.path("colours"))
        os.symlink("nowhere", self.path("colours"))
        self.bad(1, ["cannot be opened"], "check", "colours")

    def test_nowhere_to_keep_it(self):
        self.bad(1, ["no folder to keep data in"], "pull", "--data", "colours", environment={"GRAFT_CACHE": ""})


main()
