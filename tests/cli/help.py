# SPDX-License-Identifier: MIT
"""The command explains itself: overview, help of every verb, by example."""

import json
import re
import unittest

from command import Case, main, run

VERBS = [
    "fit",
    "predict",
    "evaluate",
    "features",
    "check",
    "models",
    "pull",
    "summary",
    "convert",
    "devices",
    "bench",
    "conform",
]
EVERYWHERE = ["--device D", "--threads N", "--seed N", "--json", "--quiet", "--help"]


class Help(Case):
    def test_overview(self):
        for arguments in ([], ["--help"], ["-h"], ["help"]):
            text = self.good(*arguments)
            for verb in VERBS:
                self.assertRegex(text, r"(?m)^  %s +\w" % verb)
            self.assertIn("graft fit --help", text)

    def test_every_verb(self):
        for verb in VERBS:
            with self.subTest(verb):
                text = self.good(verb, "--help")
                self.assertIn("graft %s" % verb, text.splitlines()[0])
                self.assertGreaterEqual(len(re.findall(r"(?m)^  graft ", text)), 2, "examples")
                for option in EVERYWHERE:
                    self.assertIn(option, text)
                self.assertEqual(text, self.good("help", verb))
                self.assertEqual(text, self.good(verb, "-h"))
                self.assertLessEqual(max(map(len, text.splitlines())), 130)

    def test_examples_use_what_there_is(self):
        """Every option in an example of a verb is one that the verb has."""
        for verb in VERBS:
            text = self.good(verb, "--help")
            known = set(re.findall(r"(?m)^  (--[a-z-]+)", text))
            for line in re.findall(r"(?m)^  graft %s (.*)$" % verb, text):
                for option in re.findall(r"--[a-z-]+", line):
                    with self.subTest("%s %s" % (verb, option)):
                        self.assertIn(option, known)

    def test_version(self):
        text = self.good("--version")
        self.assertRegex(text, r"^graft \d+\.\d+\.\d+, commit ([0-9a-f]{7,40}(\+changes)?|unknown)\nwith .*\n(without .*\n)?$")
        devices = self.good("devices", "--quiet")
        self.assertIn("OpenCL" if "opencl:" in devices else "baseline", text)

    def test_help_for_programs(self):
        """The same as the help for people."""
        overview = json.loads(self.good("help", "--json"))
        self.assertEqual(overview["version"], self.good("--version").split()[1].rstrip(","))
        self.assertEqual(sorted(set(VERBS) - set(overview["verbs"])), [])
        for verb in overview["verbs"]:
            text, told = self.good("help", verb), json.loads(self.good(verb, "--help", "--json"))
            self.assertEqual(told["verb"], verb)
            self.assertIn(told["purpose"], text)
            options = told["options"] + told["common"]
            self.assertEqual([option["name"] for option in options], re.findall(r"(?m)^  (--[a-z0-9-]+)", text))
            for option in options:
                self.assertIn(option["help"], text)

    def test_help_needs_nothing_else(self):
        self.good("fit", "--help", "--model", "nonsense")


if __name__ == "__main__":
    main()
