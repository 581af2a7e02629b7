# SPDX-License-Identifier: MIT
"""graft conform: a sample in limited time, the verdict, and the page to send to a maker."""

import html.parser
import json
import os
import re
import signal
import subprocess
import time
import unittest

from command import GRAFT, Case, has_device, main

LAYER = os.environ.get("GRAFT_TEST_LAYER")
VOID = ("meta", "br", "hr", "img")


class Page(html.parser.HTMLParser):
    """A page's text by block, its tags, and whether they are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open and data.strip():
            self.words.append(data)

    def text(self):
        return " ".join(" ".join(self.words).split())


class Conform(Case):
    def page(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            page = Page(file.read())
        self.assertEqual(page.open, [])
        for tag, attributes in page.tags:
            self.assertNotIn(tag, ("script", "link", "iframe", "object", "img"))
            self.assertFalse(set(attributes) & {"src", "href", "onload", "onclick"}, tag)
        return page

    def test_sample(self):
        begin = time.monotonic()
        text = self.good("conform", "--device", "cpu", "--seconds", "0.01", "--report", "page.html")
        self.assertLess(time.monotonic() - begin, 120)
        row = re.search(r"^cpu +(\d+) +(\d+) +(\d+) +0 +(\d+) ", text, re.M)
        ran, cases, passed, refused = map(int, row.groups())
        if refused:  # calls of real sizes for which cpu has plain loops only
            self.assertLess(refused, ran / 10)
            self.assertIn("plain loops are for smaller cases", text)
        self.assertEqual(ran, passed)
        self.assertGreater(cases, 4 * ran)
        self.assertIn("cpu computes right: %d of %d cases within the bounds" % (ran, ran), text)
        self.assertIn("--full", text)
        page = self.page("page.html").text()
        ops = {line.split("/")[0] for line in self.good("conform", "--list").splitlines()}
        for word in ("Graft", "UTC", "Linux", "%d of %d" % (ran, cases), "a sample", "--seconds 0.01", *ops):
            self.assertIn(word, page)

    def test_same_sample_for_the_same_seed(self):
        def worst(seed):
            report = json.loads(
                self.good("conform", "--device", "reference", "--seconds", "0.01", "--seed", seed, "--json")
            )
            return report["ran"], report["cases"], report["complete"], report["ops"][0]["op"]

        first = worst(5)
        self.assertEqual(first, worst(5))
        self.assertFalse(first[2])

    def interrupt(self, number, *options, sizes="small"):
        """Ends it by a signal when its progress tells of a case. Returns stdout and stderr."""
        process = subprocess.Popen(
            [GRAFT, "conform", "--sizes", sizes, "--progress", "0.01", *options],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        ran = 0
        while ran == 0:
            line = process.stderr.readline()
            self.assertRegex(line, r"^cpu: \d+ of \d+ cases, 0 failed: \w+$")
            ran = int(line.split()[1])
        process.send_signal(number)
        out, error = process.communicate(timeout=240)  # which ends when the child has closed its side, too
        self.assertEqual(process.returncode, 130, error)
        return out, error

    def test_interrupted(self):
        """What ran is told, and what did not."""
        out, error = self.interrupt(signal.SIGINT, "--device", "cpu,reference", "--report", "page.html")
        ran, cases = map(int, re.search(r"^cpu: interrupted after (\d+) of (\d+) cases, all within", out, re.M).groups())
        self.assertGreater(ran, 0)
        self.assertGreater(cases, ran)
        self.assertRegex(out, r"(?m)^cpu +%d +%d +%d +0 " % (ran, cases, ran))
        self.assertRegex(out, r"not tried in small sizes \(\d+ of \d+ variants\): .*: left out: interrupted")
        self.assertIn("Interrupted:", out)
        self.assertNotIn("computes right", out)
        self.assertIn("reference: nothing was run: interrupted", error)
        self.assertIn("interrupted after %d of %d" % (ran, cases), self.page("page.html").text())

    def test_interrupted_json(self):
        """Of real sizes, which two processes share."""
        report = json.loads(self.interrupt(signal.SIGTERM, "--device", "cpu", "--json", sizes="real")[0])
        self.assertGreater(report["real_calls"], 1000)
        self.assertEqual((report["interrupted"], report["complete"]), (True, False))
        self.assertIn("interrupted after %d of %d" % (report["ran"], report["cases"]), report["verdict"])
        self.assertIn("left out: interrupted", {row["reason"] for row in report["ops"]})

    def test_progress_in_a_log(self):
        """Sparse: nothing in a run of seconds, unless asked for."""
        options = ("conform", "--device", "cpu", "--op", "fill", "--sizes", "small")
        self.assertNotIn("cases, 0 failed", self.run_graft(*options).stderr)
        self.assertIn("cases, 0 failed", self.run_graft(*options, "--progress", "0.0001").stderr)
        self.assertNotIn("cases, 0 failed", self.run_graft(*options, "--progress", "0.0001", "--quiet").stderr)

    def test_usage(self):
        self.bad(2, ["--full", "--seconds"], "conform", "--full", "--seconds", "3")
        self.bad(1, ["no/page.html"], "conform", "--op", "fill", "--report", "no/page.html")
        self.bad(1, ["cannot write"], "conform", "--op", "fill", "--report", self.folder)

    @unittest.skipUnless(LAYER and has_device("opencl:0"), "needs an OpenCL device and a loader with layers")
    def test_wrong_device(self):
        name = "<b>evil & co</b>\"'<script>alert(1)</script>"
        environment = {
            "OPENCL_LAYERS": LAYER,
            "GRAFT_FAULT": "skip=max_pool driver=<i>9 name=" + name.replace(" ", "_"),
        }
        options = ("conform", "--device", "opencl:0", "--op", "max_pool")
        done = self.run_graft(*options, "--report", "page.html", environment=environment)
        self.assertEqual(done.returncode, 1, done.stderr)
        failed = len(re.findall("^FAILED ", done.stdout, re.M))
        self.assertGreater(failed, 10)
        self.assertIn("opencl:0 computes WRONG: %d of " % failed, done.stdout)
        self.assertIn("in max_pool (%d cases)" % failed, done.stdout)
        self.assertIn("driver (this is <i>9)", done.stdout)
        page = self.page("page.html")
        text = page.text()
        self.assertIn(name, text)
        self.assertIn("driver (this is <i>9)", text)
        again = re.findall(r"FAILED (graft conform [^#]*\S) +#", done.stdout)
        self.assertEqual(len(again), failed)
        for command in again:
            self.assertIn(command, text)
        self.assertEqual(sum(tag == "code" for tag, _ in page.tags), failed)
        self.assertRegex(text, r"wanted got error bound .* \d+ of \d+")
        # What the page proposes to run again does fail again, and nothing without the fault.
        command = again[0].split()[1:]
        self.assertEqual(self.run_graft(*command, environment=environment).returncode, 1)
        self.assertEqual(self.run_graft(*command).returncode, 0)
        report = json.loads(self.run_graft(*options, "--json", environment=environment).stdout)
        self.assertEqual((report["failed"], len(report["failures"])), (failed, failed))
        failure = report["failures"][0]
        self.assertEqual(
            list(failure),
            ["op", "case", "variant", "command", "text"]
            + ["place", "index", "elements", "differ", "got", "wanted", "tolerance"],
        )
        self.assertEqual(failure["command"], again[0])
        self.assertIsNone(failure["got"])  # the NaN that was there before
        self.assertIsInstance(failure["wanted"], float)
        self.assertEqual(failure["place"], "output 0[0, 0, 0, 0]")

    @unittest.skipUnless(LAYER and has_device("opencl:0"), "needs an OpenCL device and a loader with layers")
    def test_a_sample_finds_a_broken_op(self):
        environment = {"OPENCL_LAYERS": LAYER, "GRAFT_FAULT": "skip=avg_pool"}
        done = self.run_graft(
            "conform",
            "--device",
            "opencl:0",
            "--op",
            "avg_pool",
            "--seconds",
            "0.01",
            "--json",
            environment=environment,
        )
        self.assertEqual(done.returncode, 1, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual({failure["op"] for failure in report["failures"]}, {"avg_pool"})
        self.assertFalse(report["complete"])

    @unittest.skipUnless(LAYER and has_device("opencl:0"), "needs an OpenCL device and a loader with layers")
    def test_crashing_compiler(self):
        """The first use of a device whose driver crashes: a message, and a failed case."""
        environment = {
            "OPENCL_LAYERS": LAYER,
            "GRAFT_FAULT": "abort driver=0.0-crashing",
            "GRAFT_CACHE": self.path("cache"),
        }
        self.bad(
            1,
            ["opencl:0", "0.0-crashing", "crashed with SIGABRT", "simple.cl", "another version of the driver"],
            "bench",
            "--device",
            "opencl:0",
            "--model",
            "mnist_convnet",
            "--batch",
            "1",
            environment=environment,
        )
        done = self.run_graft(
            "conform",
            "--device",
            "opencl:0",
            "--case",
            "fill/one",
            "--report",
            "page.html",
            environment=environment,
        )
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("computes WRONG", done.stdout)
        self.assertIn("crashed with SIGABRT at program simple.cl", self.page("page.html").text())
        self.good("conform", "--device", "opencl:0", "--case", "fill/one", environment={"OPENCL_LAYERS": LAYER})


if __name__ == "__main__":
    main()
