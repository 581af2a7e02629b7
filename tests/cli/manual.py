# SPDX-License-Identifier: MIT
"""Man pages and completion say what the help says, and programs that read them take them."""

import os
import re
import shutil
import subprocess
import sys
import unittest

from command import Case, main, run

FOLDER = os.environ.get("GRAFT_TEST_MANUAL")


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


class Manual(Case):
    @classmethod
    def setUpClass(cls):
        if not FOLDER:
            raise unittest.SkipTest("this build makes no man pages")
        overview = run("help").stdout
        cls.verbs = re.findall(r"(?m)^  ([a-z-]+) +\w", overview.split("\n\n")[-2])
        cls.options = {verb: re.findall(r"(?m)^  (--[a-z0-9-]+)", run(verb, "--help").stdout) for verb in cls.verbs}

    def test_man_pages_have_all(self):
        self.assertGreater(len(self.verbs), 12)
        for verb in self.verbs:
            self.assertIn("\\fB%s\\fR" % verb, read("graft.1"))
            page = read("graft-%s.1" % verb)
            for option in self.options[verb]:
                self.assertIn("\\fB" + option.replace("-", "\\-"), page)

    @unittest.skipUnless(shutil.which("groff"), "no groff")
    def test_man_pages_are_formatted_without_a_warning(self):
        for verb in ["graft"] + ["graft-" + verb for verb in self.verbs]:
            done = subprocess.run(
                ["groff", "-man", "-ww", "-rLL=120n", "-Tutf8", "-P-cbou", os.path.join(FOLDER, verb + ".1")],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            self.assertEqual(done.stderr, "")
            self.assertIn("NAME", done.stdout)

    def complete(self, *words):
        """What bash proposes for the last word."""
        script = 'complete() { :; }; . "$0/graft"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _graft; echo "${COMPREPLY[@]}"'
        return subprocess.run(["bash", "-c", script, FOLDER, *words], stdout=subprocess.PIPE, check=True, text=True).stdout.split()

    def test_bash_completes(self):
        self.assertEqual(sorted(self.complete("graft", "")), sorted(self.verbs + ["help", "--help", "--version"]))
        self.assertEqual(self.complete("graft", "ev"), ["evaluate"])
        self.assertEqual(
            sorted(self.complete("graft", "help", "f")), sorted(verb for verb in self.verbs if verb.startswith("f"))
        )
        for verb in self.verbs:
            self.assertEqual(sorted(self.complete("graft", verb, "-")), sorted(self.options[verb]))
        self.assertEqual(self.complete("graft", "fit", "photos", "--model", "squeezenet1_1"), ["squeezenet1_1"])
        self.assertEqual(self.complete("graft", "conform", "--sizes", ""), ["small", "real"])
        self.assertEqual(self.complete("graft", "fit", "--out", ""), [], "files are proposed by bash itself")

    @unittest.skipUnless(shutil.which("zsh"), "no zsh")
    def test_zsh_reads_it(self):
        subprocess.run(["zsh", "-n", os.path.join(FOLDER, "_graft")], check=True)

    @unittest.skipUnless(shutil.which("fish"), "no fish")
    def test_fish_completes(self):
        done = subprocess.run(
            ["fish", "--no-config", "-c", "source $argv[1]; complete -C 'graft fit --ep'", os.path.join(FOLDER, "graft.fish")],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        self.assertIn("--epochs", done.stdout)

    def test_every_shell_knows_every_option(self):
        zsh, fish = read("_graft"), read("graft.fish")
        for verb in self.verbs:
            part = zsh[zsh.index("    %s) _arguments" % verb) :].split(";;")[0]
            for option in self.options[verb]:
                self.assertIn("'%s[" % option, part)
                self.assertRegex(fish, r"_from %s' -l %s( |$)" % (verb, option[2:]))


if __name__ == "__main__":
    main()
