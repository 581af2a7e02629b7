#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/setup and tools/build on systems that are not this one: the package manager, meson and ninja are scripts that answer
as those would, and note that they were called. And what tools/count-tests says of a log.

  setup_build.py SOURCE
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
COMMON = ("sh", "awk", "sed", "tr", "tail", "mktemp", "rm", "env", "cat", "mkdir", "dirname", "echo", "touch", "grep")
# As in Debian 13: what Mesa of Debian 12 needs is not there, and clang has another name.
ABSENT = "oclgrind libclc-15 libclang-cpp15 libllvmspirvlib15 libdrm-nouveau2 clang-15 libjpeg-turbo8-dev".split()


class Scripts(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="graft-scripts-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.bin, self.calls = self.folder / "bin", self.folder / "calls"
        (self.folder / "tools").mkdir()
        self.bin.mkdir()
        for name in ("setup", "build"):
            shutil.copy(SOURCE / "tools" / name, self.folder / "tools" / name)
        for name in COMMON:
            (self.bin / name).symlink_to(shutil.which(name))
        (self.bin / "python3").symlink_to(sys.executable)

    def command(self, name, text):
        """A command that notes how it was called, and then does `text`."""
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{text}\n')
        path.chmod(0o755)

    def run_script(self, name, **environment):
        done = subprocess.run([self.folder / "tools" / name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={"PATH": str(self.bin), **environment}, timeout=60)
        called = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return done, called

    def debian(self, user, installed=lambda name: True, lists=True, install="true"):
        """`installed`: which packages are there; `lists`: whether apt knows any before `apt-get update`."""
        table = [line.split()[0] for line in (SOURCE / "tools/setup").read_text().splitlines()
                 if len(line.split()) == 5 and not line.startswith(("#", " "))]
        self.assertGreater(len(table), 25)
        names = [name for line in table for name in line.split("|")]
        there = [name for name in names if name not in ABSENT and installed(name)]
        known = [name for name in names if name not in ABSENT]
        (self.folder / "there").write_text("\n".join(there) + "\n")
        (self.folder / "known").write_text("\n".join(known) + "\n" if lists else "")
        (self.folder / "mirror").write_text("\n".join(known) + "\n")
        self.command("dpkg-query", f'for last in "$@"; do :; done\ngrep -qx "$last" "{self.folder}/there" && echo installed')
        self.command("apt-cache", f'grep -qx "$2" "{self.folder}/known"')
        self.command("apt-get", f'[ "$1" != update ] || {{ cat "{self.folder}/mirror" >"{self.folder}/known"; exit; }}\n{install}')
        self.command("id", f"echo {user}")

    def apt_calls(self, called):
        return [call for call in called if call.startswith("apt-get")]

    def test_what_a_later_debian_has_not_is_no_reason_to_stop(self):
        for user in (0, 1000):
            self.debian(user)
            done, called = self.run_script("setup")
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn("done without: oclgrind", done.stdout)
            self.assertNotIn("clang", done.stdout.replace("libclang", ""))
            self.assertEqual(self.apt_calls(called), [], "nothing is to be installed")

    def test_what_is_missing_is_installed_by_the_lists_that_are_there(self):
        self.debian(0, lambda name: name not in ("meson", "clang"))
        done, called = self.run_script("setup")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.apt_calls(called), ["apt-get install -y --no-install-recommends meson clang"])

    def test_lists_are_renewed_where_there_are_none(self):
        self.debian(0, lambda name: name != "meson", lists=False)
        done, called = self.run_script("setup")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.apt_calls(called), ["apt-get update", "apt-get install -y --no-install-recommends meson"])

    def test_lists_are_renewed_where_they_are_old(self):
        self.debian(0, lambda name: name != "meson", install=f'[ -f "{self.folder}/old" ] || {{ touch "{self.folder}/old"; exit 100; }}')
        done, called = self.run_script("setup")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(len(self.apt_calls(called)), 3)

    def test_a_user_is_told_what_root_has_to_do(self):
        self.debian(1000, lambda name: name != "meson")
        done, called = self.run_script("setup")
        self.assertEqual(done.returncode, 1)
        self.assertIn("apt-get install meson", done.stdout)
        self.debian(1000, lambda name: name != "libheif-dev")
        done, called = self.run_script("setup")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("done without what is optional; as root: apt-get install libheif-dev", done.stdout)

    def test_what_no_list_has_is_named(self):
        self.debian(0, lambda name: name != "meson")
        (self.folder / "known").write_text("libc6-dev\n")
        (self.folder / "mirror").write_text("libc6-dev\n")
        done, called = self.run_script("setup")
        self.assertEqual(done.returncode, 1)
        self.assertIn("these packages cannot be had: meson\n", done.stdout)

    def test_other_systems_are_told_their_names(self):
        for manager, query, line in (("dnf", "rpm", "dnf install gcc glibc-devel pkgconf-pkg-config meson ninja-build python3 ocl-icd-devel"),
                                     ("pacman", "pacman", "pacman -S --needed gcc pkgconf meson ninja python ocl-icd"),
                                     ("apk", "apk", "apk add gcc musl-dev pkgconf meson samurai python3 opencl-icd-loader-dev"),
                                     ("zypper", "rpm", "zypper install gcc glibc-devel pkgconf-pkg-config meson ninja python3 ocl-icd-devel")):
            self.command(manager, "exit 1")
            self.command(query, "exit 1")
            done, _ = self.run_script("setup")
            self.assertEqual(done.returncode, 1)
            self.assertIn("  " + line, done.stdout)
            self.assertIn("not tried out", done.stdout)
            self.command(query, "exit 0")
            done, _ = self.run_script("setup")
            self.assertEqual(done.returncode, 0, done.stdout)
            (self.bin / manager).unlink()
        done, _ = self.run_script("setup")
        self.assertIn("this is no Debian", done.stdout)
        self.assertEqual(self.run_script("setup", GRAFT_SETUP="skip")[0].returncode, 0)

    def test_warnings_are_errors_when_that_is_asked_for(self):
        options = self.folder / "build/meson-info/intro-buildoptions.json"
        self.command("meson", f'mkdir -p "{options.parent}"\ntouch "{self.folder}/build/build.ninja"\n'
                              f'for last in "$@"; do :; done\n'
                              f"echo '[{{\"name\": \"werror\", \"value\": '${{last#-Dwerror=}}'}}]' >\"{options}\"")
        self.command("ninja", "true")
        for value, calls in (("", ["meson setup build -Dwerror=false"]), ("", []), ("true", ["meson configure build -Dwerror=true"]),
                             ("true", []), ("", []), ("false", ["meson configure build -Dwerror=false"])):
            done, called = self.run_script("build", **({"GRAFT_WERROR": value} if value else {}))
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertEqual([call for call in called if call.startswith("meson")], calls)
            self.assertEqual(len(called), len(calls) + 1, "ninja is called each time")


class Counting(unittest.TestCase):
    def count(self, *results, code=0):
        with tempfile.TemporaryDirectory(prefix="graft-count-") as folder:
            logs = pathlib.Path(folder, "meson-logs")
            logs.mkdir()
            keys = ("name", "result", "stdout")
            logs.joinpath("testlog.json").write_text(
                "".join(json.dumps({**dict(zip(keys, result)), "duration": 1}) + "\n" for result in results))
            done = subprocess.run([sys.executable, SOURCE / "tools/count-tests", folder, str(code)],
                                  stdout=subprocess.PIPE, text=True, timeout=60)
        return done.stdout, done.returncode

    def test_what_a_test_skipped_inside_is_named(self):
        output, code = self.count(("graft:unit / a", "OK", "[ RUN      ] x\n[  SKIPPED ] x\n[       OK ] y\n"
                                   "[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] x\n"),
                                  ("graft:unit / b", "OK", "[       OK ] y\n"), ("graft:unit / c", "SKIP", ""))
        self.assertEqual(code, 0)
        self.assertIn("skipped: graft:unit / c\nskipped in part: graft:unit / a: x\n", output)
        self.assertTrue(output.endswith("2 passed, 0 failed, 1 skipped\n"), output)

    def test_failures_decide(self):
        self.assertEqual(self.count(("a", "OK", ""), ("b", "FAIL", ""), code=1)[1], 1)
        self.assertEqual(self.count(("a", "OK", ""), code=1)[1], 1)  # meson itself
        self.assertEqual(self.count(("a", "SKIP", ""))[1], 1)
        self.assertEqual(self.count(code=0)[1], 1)


if __name__ == "__main__":
    unittest.main()
