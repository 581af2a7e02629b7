#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare.py DECODE_FILES BUILD: made files of every format, decoded by Graft and by Pillow, must be the same bit for
bit. Pillow comes from PyPI into BUILD/pictures; where it cannot be had, exit code 77. Arguments `--pillow` and below:
the part that runs with it.
"""
import collections
import pathlib
import subprocess
import sys
import tempfile

PACKAGE = "pillow==13.0.0"


def environment(build):
    """The interpreter of the virtual environment, made where there is none; None: PyPI is out of reach."""
    folder = build / "pictures" / "venv"
    python, stamp = folder / "bin" / "python3", folder / "packages"
    if stamp.is_file() and stamp.read_text() == PACKAGE:
        return python
    for command in ([sys.executable, "-m", "venv", "--clear", str(folder)],
                    [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1",
                     "--timeout", "15", "--only-binary", ":all:", PACKAGE]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            print("skipped: PyPI's package pillow cannot be had (is there a network, and Debian's python3-venv?): " +
                  (done.stdout.strip().splitlines() or ["no message"])[-1])
            return None
    stamp.write_text(PACKAGE)
    return python


def decode(program, files, folder):
    """What Graft says of each file: (width, height, pixels) or None, and its text."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    (folder / "list").write_text("".join(f"{folder / name}\n" for name in files))
    said = subprocess.run([program, folder / "list"], capture_output=True, check=True).stdout.decode()
    results = {}
    for line in said.splitlines():
        head, _, text = line.partition("\t")
        word, first, second, path = head.split(" ", 3)
        pixels = (int(first), int(second), pathlib.Path(path + ".rgb").read_bytes()) if word == "ok" else None
        results[str(pathlib.Path(path).relative_to(folder))] = (pixels, text)
    return results


def compare(program):
    import made
    import PIL
    files, twins = {}, {}
    for name, data, twin in made.made():
        files[name], twins[name] = data, twin
    counts = collections.defaultdict(collections.Counter)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        results = decode(program, files, pathlib.Path(folder))
        for name, data in files.items():
            kind = name.split("/")[0]
            ours, text = results[name]
            theirs = made.expected(twins[name] or data)
            if theirs is None:
                counts[kind]["Pillow does not read" if ours is None else "Graft alone reads"] += 1
                if "-v" in sys.argv:
                    print(f"Pillow does not read {name}: {text or ours[:2]}")
            elif ours == theirs:
                counts[kind]["the same"] += 1
            elif ours is None and name in made.UNREAD:
                counts[kind]["Pillow alone reads"] += 1
            elif ours is not None and made.unlike(name):
                counts[kind]["different for a reason"] += 1
            else:
                counts[kind]["DIFFERENT"] += 1
                failures += 1
                what = text if ours is None else f"{ours[:2]} and {theirs[:2]}"
                if ours and ours[:2] == theirs[:2]:
                    first = next(i for i in range(len(theirs[2])) if ours[2][i] != theirs[2][i])
                    what = f"from byte {first} on: {ours[2][first:first + 6].hex()}, {theirs[2][first:first + 6].hex()}"
                print(f"FAILED {name} is not as Pillow {PIL.__version__} decodes it: {what}")
    for kind, count in counts.items():
        print(f"{kind}: " + ", ".join(f"{number} {word}" for word, number in count.items()))
    print(f"{sum(count['the same'] for count in counts.values())} of {len(files)} files have Pillow {PIL.__version__}'s pixels")
    return 1 if failures else 0


def main():
    program = sys.argv[1]
    if "--pillow" in sys.argv:
        sys.path.insert(0, str(pathlib.Path(__file__).parent))
        sys.dont_write_bytecode = True
        return compare(program)
    python = environment(pathlib.Path(sys.argv[2]))
    if python is None:
        return 77
    return subprocess.run([python, "-B", __file__, program, "--pillow", *sys.argv[3:]]).returncode


if __name__ == "__main__":
    sys.exit(main())
