# SPDX-License-Identifier: MIT
"""tools/gpu-check: the packed folder needs nothing of this system's packages, and its rehearsal ends with a page."""

import os
import re
import shutil
import subprocess
import sys
import unittest

from command import Case, GRAFT, has_device, main

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.path.dirname(os.path.dirname(GRAFT))
# What a C library brings along; everything else has to be in the folder.
OF_EVERY_LINUX = re.compile(r"linux-vdso|ld-linux|lib(c|m|mvec|dl|pthread|rt|resolv|util|gcc_s|stdc\+\+)\.so")
CHECKS = ["conformance", "real sizes", "networks", "ten training steps", "profile", "step of tiny_convnet", "tf32", "speed"]


class GpuCheck(Case):
    def check(self, program, *arguments, **variables):
        """As somebody starts it who has nothing but a shell; the exit code, and the page."""
        names = ("PATH", "HOME", "XDG_CACHE_HOME", "POCL_CACHE_DIR", "OCL_ICD_VENDORS", "ASAN_OPTIONS")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        kept["PYTHONDONTWRITEBYTECODE"] = "1"
        done = subprocess.run([program, "--out", self.path("out"), "--data", self.path("none"), *arguments],
                              env={**kept, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              cwd=self.folder, timeout=1500)
        with open(self.path("out/page.md"), encoding="utf-8") as file:
            return done.returncode, file.read(), done.stdout

    def test_without_the_device_there_is_a_page_that_says_so(self):
        code, page, told = self.check(os.path.join(ROOT, "tools/gpu-check"), "--build", BUILD, "--device", "opencl:77",
                                      "--minutes", "0.01")
        self.assertEqual(code, 77, told)
        self.assertIn("There is no device to check.", page)

    def pack(self):
        """A packed folder, and what of it comes from elsewhere."""
        folder = self.path("packed")
        subprocess.run([os.path.join(ROOT, "tools/gpu-check"), "--build", BUILD, "--pack", folder], check=True,
                       stdout=subprocess.DEVNULL)
        again = subprocess.run([os.path.join(ROOT, "tools/gpu-check"), "--build", BUILD, "--pack", folder],
                               capture_output=True, text=True)
        self.assertEqual(again.returncode, 1)
        self.assertIn("is not empty: name another folder", again.stderr)
        return folder

    def foreign(self, folder):
        """Libraries that a program of the folder takes from outside of it."""
        found = set()
        for name in os.listdir(os.path.join(folder, "bin")):
            lines = subprocess.run(["ldd", os.path.join(folder, "bin", name)], capture_output=True, text=True,
                                   env={"LD_LIBRARY_PATH": os.path.join(folder, "lib"), "PATH": os.environ["PATH"]})
            found.update(line.strip() for line in lines.stdout.splitlines() if folder + "/lib/" not in line)
        return {line for line in found if not OF_EVERY_LINUX.search(line)}

    @unittest.skipUnless(shutil.which("ldd") and has_device("opencl:0"), "needs ldd and an OpenCL device")
    def test_a_packed_folder_rehearses(self):
        folder = self.pack()
        code, page, told = self.check(os.path.join(folder, "gpu-check"), "--device", "opencl:0", "--minutes", "0.01")
        self.assertEqual(code, 0, told)
        self.assertEqual(self.foreign(folder), set())
        self.assertEqual(re.findall(r"^\| (.*?) \| opencl:0 \|", page, re.M), CHECKS)
        self.assertIn("All that ran is right.", page)
        self.assertRegex(page, r"step of tiny_convnet \| opencl:0 \| [0-9.]+ ms, its kernels [0-9.]+ ms one by one")
        self.assertIn("| tf32 | opencl:0 | graft: opencl:0", page)  # a processor's, which has no unit
        self.assertIn("a rehearsal: its figures mean nothing", page)
        self.assertRegex(page, r"conformance \| opencl:0 \| (\d+) of \1 cases passed")
        for title in ("## Devices", "## Speed of opencl:0", "## Profile: squeezenet1_0"):
            self.assertIn(title, page)
        self.assertEqual(page.count("```") % 2, 0)
        self.assertNotIn("FAILED", page)

    def test_what_is_wrong_is_on_the_page(self):
        """With a command that says what a wrong device makes it say."""
        program = self.path("wrong/tools/graft")
        os.makedirs(os.path.dirname(program))
        with open(program, "w", encoding="utf-8") as file:
            file.write("#!%s\nREPORT = %r\n%s" % (sys.executable, REPORT, WRONG))
        os.chmod(program, 0o755)
        code, page, told = self.check(os.path.join(ROOT, "tools/gpu-check"), "--build", self.path("wrong"),
                                      "--minutes", "0.01", "--only", "conformance,real")
        self.assertEqual(code, 1, told)
        self.assertIn("| conformance | opencl:3 | FAILED |", page)
        self.assertIn("- conformance on opencl:3: `graft conform --case fill/one`: got 1, wanted 2", page)
        self.assertIn("| real sizes | opencl:3 | FAILED |", page)
        self.assertNotIn("All that ran is right.", page)


REPORT = {"ran": 2, "passed": 1, "failures": [{"command": "graft conform --case fill/one", "text": "got 1, wanted 2"}],
          "ops": [{"op": "fill", "variant": "wide", "reason": ""}]}
WRONG = """
import json, sys
if sys.argv[1] == "devices":
    rows = [{"id": "cpu", "kind": "cpu", "name": "A", "driver": "1"}, {"id": "opencl:3", "kind": "gpu", "name": "B", "driver": "2"}]
    print(json.dumps(rows) if "--json" in sys.argv else "B")
else:
    print(json.dumps(REPORT))
    sys.exit(1)
"""


if __name__ == "__main__":
    main()
