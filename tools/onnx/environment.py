# SPDX-License-Identifier: MIT
"""Packages from PyPI for a test: a virtual environment in the build folder, made once."""
import subprocess
import sys


def environment(folder, packages):
    """The interpreter of the virtual environment, made where there is none; None: PyPI is out of reach, which is said."""
    python = folder / "bin" / "python3"
    stamp = folder / "packages"
    if stamp.is_file() and stamp.read_text() == " ".join(packages):
        return python
    commands = [[sys.executable, "-m", "venv", "--clear", str(folder)],
                [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1",
                 "--timeout", "15", "--only-binary", ":all:", *packages]]
    for command in commands:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            print(f"skipped: PyPI's {', '.join(packages)} cannot be had (is there a network, and Debian's python3-venv?): " +
                  (done.stdout.strip().splitlines() or ["no message"])[-1])
            return None
    stamp.write_text(" ".join(packages))
    return python
