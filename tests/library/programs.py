#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The installed library as a C programmer meets it: each header compiles alone as C11 and as C++, and the programs of
README.md are compiled with pkg-config against the installed headers, linked shared and static, and run.

  programs.py SOURCE BUILD
"""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

passed = failed = 0


def check(good, what, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok     " if good else "FAILED ") + what + ("" if good else "\n" + detail))


def run(arguments, **options):
    return subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def png(path, shade):
    """A picture of 64×64: vertical or horizontal stripes."""
    write_png(path, 64, 64, b"".join(b"\0" + bytes(255 if (x if shade % 2 else y) // 8 % 2 else 40 + shade
                                                   for x in range(64) for _ in range(3)) for y in range(64)))


def write_png(path, width, height, rows):
    """`rows`: each a 0 and its pixels."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def drawn_features(graft, network, work):
    """`graft features` of the picture that README's program draws."""
    folder = os.path.join(work, "drawn")
    os.makedirs(folder, exist_ok=True)
    write_png(os.path.join(folder, "picture.png"), 160, 120,
              b"".join(b"\0" + b"".join(bytes((x + y // 2, 0, x + y // 2)) for x in range(160)) for y in range(120)))
    out = os.path.join(work, "drawn.npy")
    done = run([graft, "features", network, folder, "--out", out, "--quiet", "--device", "cpu"])
    if done.returncode != 0:
        return []
    with open(out, "rb") as file:
        data = file.read()
    begin = 10 + struct.unpack("<H", data[8:10])[0]
    return struct.unpack("<%df" % ((len(data) - begin) // 4), data[begin:])


def private_libraries(description):
    """What libgraft.a itself calls, linked shared: graft.pc names it as private."""
    with open(os.path.join(description, "graft.pc"), encoding="utf-8") as file:
        fields = dict(line.strip().split(":", 1) for line in file if ":" in line)
    names = [name for name in fields.get("Requires.private", "").replace(",", " ").split() if name[0].isalpha()]
    flags = run(["pkg-config", "--libs"] + names).stdout.split() if names else []
    return flags + [flag for flag in fields.get("Libs.private", "").split() if not flag.startswith("-L")]


def check_places(library, description):
    """What README says does without more words where the loader and pkg-config look by themselves; elsewhere a prefix was
    chosen by somebody."""
    if not library.startswith("/usr/"):
        print(f"skipped: {library} is no place of the system")
        return
    done = run([shutil.which("ldconfig", path="/sbin:/usr/sbin") or "ldconfig", "-v", "-N", "-X"])
    absent = f"Can't stat {library}:" in done.stdout  # it looks there, and nobody has installed anything yet
    check(absent or f"\n{library}:" in "\n" + done.stdout, f"the loader looks into {library}", done.stdout[:2000])
    searched = run(["pkg-config", "--variable", "pc_path", "pkg-config"]).stdout.strip().split(":")
    check(description in searched, f"pkg-config looks into {description}", " ".join(searched))


def main():
    source, build = (os.path.abspath(path) for path in sys.argv[1:3])
    work = tempfile.mkdtemp(prefix="graft-library-")
    installed = run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", work])
    if installed.returncode != 0:
        print("FAILED meson install\n" + installed.stdout)
        return 1
    prefix = next(folder for folder, _, files in os.walk(work) if "graft.h" in files)
    include = os.path.dirname(prefix)
    library = next(folder for folder, _, files in os.walk(work) if "libgraft.so" in files)
    description = next(folder for folder, _, files in os.walk(work) if "graft.pc" in files)
    check_places(library[len(os.path.abspath(work)):], description[len(os.path.abspath(work)):])

    for header in sorted(name for name in os.listdir(prefix) if name.endswith(".h")):
        for compiler, language, standard in (("cc", "c", "c11"), ("c++", "c++", "c++11")):
            if not shutil.which(compiler):
                print(f"skipped {header} as {language}: no {compiler}")
                continue
            got = run([compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic",
                       "-fsyntax-only", "-I", include, "-"], input=f'#include "graft/{header}"\n')
            check(got.returncode == 0, f"graft/{header} alone as {standard}", got.stdout)

    with open(os.path.join(source, "README.md"), encoding="utf-8") as file:
        programs = re.findall(r"```c\n(.*?)```", file.read(), re.S)
    check(len(programs) == 6, "README.md shows six programs", str(len(programs)))
    classify, features, explain, paint, teach, session = range(6)
    environment = dict(os.environ, PKG_CONFIG_PATH=description, PKG_CONFIG_SYSROOT_DIR=work,
                       LD_LIBRARY_PATH=library)
    binaries = {}
    for number, program in enumerate(programs):
        path = os.path.join(work, f"program{number}.c")
        with open(path, "w", encoding="utf-8") as file:
            file.write(program)
        for kind in ("shared", "static"):
            flags = run(["pkg-config", "--cflags", "--libs", "graft"], env=environment).stdout.split()
            if kind == "static":
                flags = ["-I" + include, os.path.join(library, "libgraft.a")] + private_libraries(description)
            binaries[number, kind] = os.path.join(work, f"program{number}-{kind}")
            got = run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", path, "-o", binaries[number, kind]] + flags,
                      env=environment)
            check(got.returncode == 0, f"program {number + 1} compiles, {kind}", got.stdout)

    # README's own line for the compiler.
    with open(os.path.join(source, "README.md"), encoding="utf-8") as file:
        lines = re.findall(r"(?m)^    (cc classify\.c .*)$", file.read())
    shutil.copy(os.path.join(work, "program0.c"), os.path.join(work, "classify.c"))
    for line in lines:
        got = run(["sh", "-c", line], env=environment, cwd=work)
        check(got.returncode == 0, line, got.stdout)
    check(len(lines) == 2, "README.md shows how to compile", str(lines))

    data = os.path.join(work, "data")
    for shade, name in enumerate(("lying", "standing")):
        for split in ("train", "val"):
            os.makedirs(os.path.join(data, split, name))
            for number in range(12):
                png(os.path.join(data, split, name, f"{number}.png"), shade + 2 * number)
    # A run made from scratch has the weights that the programs then start from.
    graft = os.path.join(build, "tools", "graft")
    first = os.path.join(work, "first")
    got = run([graft, "fit", data, "--model", "tiny_convnet", "--epochs", "8", "--out", first, "--quiet"])
    check(got.returncode == 0, "graft fit makes weights", got.stdout)
    weights = os.path.join(first, "model.safetensors")
    for kind in ("shared", "static"):
        run_folder = os.path.join(work, "run-" + kind)
        got = run([binaries[teach, kind], data, "tiny_convnet", weights, run_folder], env=environment)
        check(got.returncode == 0 and got.stdout.endswith("100.0 % right\n"), f"a program teaches, {kind}", got.stdout)
        pictures = [os.path.join(data, "val", name) for name in ("standing/3.png", "lying/1.png", "absent.png")]
        for network in (["tiny_convnet", os.path.join(run_folder, "model.safetensors")], [run_folder, ""]):
            got = run([binaries[classify, kind], *network, *pictures], env=environment)
            check(got.returncode == 0 and got.stdout.startswith("standing\nlying\n? " + pictures[2]),
                  f"a program classifies, {kind}", got.stdout)
        got = run([binaries[classify, kind], "tiny_convnet", os.path.join(work, "absent"), pictures[0]], env=environment)
        check(got.returncode == 1 and "absent" in got.stdout, f"a program names what is missing, {kind}", got.stdout)
        got = run([binaries[features, kind], run_folder, ""], env=environment)
        same = drawn_features(graft, run_folder, work)
        values = [float(line) for line in got.stdout.split()] if got.returncode == 0 else []
        check(len(values) == len(same) == 128 and max(map(abs, values)) > 0 and
              all(abs(a - b) <= 1e-4 * max(map(abs, same)) for a, b in zip(values, same)),
              f"a program computes features of a picture of its own, {kind}", got.stdout)
        overlay, same = os.path.join(work, f"overlay-{kind}.png"), os.path.join(work, "explained-" + kind)
        got = run([binaries[explain, kind], run_folder, "", pictures[0], overlay], env=environment)
        told = run([graft, "explain", run_folder, pictures[0], "--out", same, "--quiet", "--device", "cpu"])
        check(got.returncode == 0 and got.stdout == "standing\n" and told.returncode == 0 and
              open(overlay, "rb").read() == open(os.path.join(same, "3-overlay.png"), "rb").read(),
              f"a program draws the heat over a picture as graft explain does, {kind}", got.stdout + told.stdout)
    for kind in ("shared", "static"):
        folder = os.path.join(work, "paint-" + kind)
        os.makedirs(folder)
        got = run([binaries[paint, kind], run_folder, "0", pictures[0]], env=environment, cwd=folder)
        seen = run([graft, "predict", run_folder, "dream.png", "attacked.png", "--json", "--device", "cpu"], cwd=folder)
        names = [json.loads(line)["top"][0]["name"] for line in seen.stdout.splitlines() if line.startswith("{")]
        check(got.returncode == 0 and "seen as asked" in got.stdout and names == ["lying", "lying"],
              f"a program dreams and attacks, {kind}", got.stdout + seen.stdout)
    # Pictures of its own: it stops by itself when the loss is low, or by Ctrl-C, and either way the run is there.
    for kind in ("shared", "static"):
        folder = os.path.join(work, "session-" + kind)
        os.makedirs(folder)
        got = run([binaries[session, kind]], env=environment, cwd=folder)
        steps = [line for line in got.stdout.splitlines() if line.startswith("epoch ")]
        stopped = bool(steps) and float(steps[-1].split()[-1]) <= 0.02 or len(steps) == 7 * 30
        check(got.returncode == 0 and stopped, f"program 5 trains on its own pictures, {kind}", got.stdout)
        saved = os.path.exists(os.path.join(folder, "stripes", "model.safetensors"))
        check(saved, f"program 4 saves, {kind}", " ".join(os.listdir(folder)))
    folder = os.path.join(work, "session-interrupted")
    os.makedirs(folder)
    with subprocess.Popen([binaries[session, "shared"]], env=environment, cwd=folder, stdout=subprocess.DEVNULL) as process:
        run_folder = os.path.join(folder, "stripes")
        while process.poll() is None and not os.path.exists(os.path.join(run_folder, "config.json")):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
    check(process.returncode == 0 and os.path.exists(os.path.join(run_folder, "state.safetensors")),
          "program 4 saves when it is interrupted", str(process.returncode))
    shutil.rmtree(work)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
