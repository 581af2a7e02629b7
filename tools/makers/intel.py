# SPDX-License-Identifier: MIT
"""Intel's OpenCL for processors, as its packages on PyPI bring it: downloaded by pip, unpacked into a folder."""
import importlib.util
import os
import shutil
import sys
import zipfile

import process

# Together they are complete. Newer ones replace them here after a run of everything.
PACKAGES = ("intel-opencl-rt==2026.2.0", "intel-cmplr-lib-rt==2026.2.0", "tbb==2023.2.0")
# A loader of its own, and what only its compiler driver and profilers use.
NOT_NEEDED = ("libOpenCL.", "icx-lto.", "libxptifw.", "libze_", "libtbbmalloc_proxy.")
DOWNLOAD_SECONDS = 300


class Unavailable(Exception):
    pass


def pip(folder):
    """A command that is pip: this Python's, or that of a virtual environment in the folder."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    python = os.path.join(folder, "venv", "bin", "python")
    if not os.path.exists(python):
        ended = process.run([sys.executable, "-m", "venv", os.path.join(folder, "venv")], {}, DOWNLOAD_SECONDS)
        if ended.trouble:
            shutil.rmtree(os.path.join(folder, "venv"), ignore_errors=True)
            raise Unavailable(f"its download from PyPI needs pip ({ended.trouble}): apt-get install python3-pip")
    return [python, "-m", "pip"]


def reason_of(ended):
    if "no end within" in ended.trouble:
        return ended.trouble
    for line in ended.errors.splitlines():
        if "NewConnectionError" in line or "Name or service" in line or "NameResolution" in line:
            return "no network"
    return process.last_line(ended.errors) or ended.trouble


def download(folder):
    wheels = os.path.join(folder, "wheels")
    os.makedirs(wheels, exist_ok=True)
    command = pip(folder) + ["download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps",
                             "--only-binary=:all:", "--platform", "manylinux_2_28_x86_64", "--retries", "1",
                             "--timeout", "20", "--dest", wheels, *PACKAGES]
    ended = process.run(command, {}, DOWNLOAD_SECONDS)
    if ended.trouble:
        raise Unavailable(f"its packages could not be had from PyPI: {reason_of(ended)}")
    return [os.path.join(wheels, name) for name in sorted(os.listdir(wheels)) if name.endswith(".whl")]


def unpack(wheels, to):
    """What lies in lib/ of the wheels; a file that is there under several names once, with links."""
    seen = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                name = os.path.basename(entry.filename)
                if ".data/data/lib/" not in entry.filename or not name or name.startswith(NOT_NEEDED):
                    continue
                same = seen.setdefault((entry.CRC, entry.file_size), name)
                if same != name:
                    os.symlink(same, os.path.join(to, name))
                    continue
                with archive.open(entry) as source, open(os.path.join(to, name), "wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)


def set_up(folder):
    """The path of libintelocl.so."""
    if os.uname().machine != "x86_64":
        raise Unavailable("it is for x86-64 only")
    libraries = os.path.join(folder, "lib-" + PACKAGES[0].partition("==")[2])
    if not os.path.isdir(libraries):
        part = libraries + ".part"
        shutil.rmtree(part, ignore_errors=True)
        os.makedirs(part)
        try:
            unpack(download(folder), part)
        except (OSError, zipfile.BadZipFile) as error:
            raise Unavailable(f"its packages could not be unpacked: {error}") from None
        shutil.rmtree(os.path.join(folder, "wheels"), ignore_errors=True)
        os.rename(part, libraries)
    return os.path.join(libraries, "libintelocl.so")
