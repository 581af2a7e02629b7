#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/package: the folder works where it is moved to, with its own C library and with the system's.

  package.py SOURCE BUILD
"""
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

SKIP = 77


def main():
    source, build = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    if platform.machine() != "x86_64" or not shutil.which("dpkg") or not shutil.which("objdump"):
        print("skipped: tools/package takes libraries from Debian on x86-64")
        return SKIP
    work = pathlib.Path(tempfile.mkdtemp(prefix="graft-package-"))
    made = work / "made"
    done = subprocess.run([source / "tools/package", "--build", build, "--folder", made], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    failures = done.returncode != 0
    if not failures:
        folder = work / "moved, with spaces é"
        made.rename(folder)
        (work / "link").symlink_to(folder / "bin/graft")
        plain = subprocess.run([build / "tools/graft", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
        for feature, file in (("HEIC and AVIF", "libraries/libheif.so.*"), ("MATLAB files", "libraries/libmatio.so.*"),
                              ("graft pull", "libraries/libcurl*.so.*"), ("MPI", "graft-mpi.so")):
            good = feature not in plain.split(" with")[-1].split("without")[0] or any((folder / "lib/graft").glob(file))
            print(("ok     " if good else "FAILED ") + f"what {feature} loads when it is needed is in the folder")
            failures += not good
        picture = source / "tools/readme/demo.png"
        results = set()
        for library in ("own", "system"):
            for program in (folder / "bin/graft", work / "link"):
                environment = {"GRAFT_C_LIBRARY": library, "PATH": "/usr/bin:/bin", "HOME": str(work), "GRAFT_CACHE": ""}
                asked = [subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
                         for arguments in (["--version"], ["predict", "graft_small", picture, "--quiet", "--device", "cpu"])]
                results.add(asked[1].stdout)
                good = asked[0].stdout == plain and not any(one.returncode for one in asked)
                print(("ok     " if good else "FAILED ") + f"{library} C library, {program.name}")
                failures += not good
                if not good:
                    print("".join(one.stdout for one in asked))
        good = len(results) == 1 and "%" in next(iter(results))
        print(("ok     " if good else "FAILED ") + "the same is predicted\n" + "".join(results))
        failures += not good
    shutil.rmtree(work)
    return 1 if failures else 0


sys.exit(main())
