# SPDX-License-Identifier: MIT
"""Programs that may crash or hang: run in an environment of their own, with a time limit."""
import dataclasses
import os
import signal
import subprocess
import tempfile
import time

# What would let another driver in.
FOREIGN = ("OCL_ICD_VENDORS", "OCL_ICD_FILENAMES", "OPENCL_VENDOR_PATH", "OCL_ICD_PLATFORM_SORT", "OPENCL_LAYERS",
           "RUSTICL_ENABLE", "LD_PRELOAD")
KEPT = 1 << 20  # bytes of a program's errors


@dataclasses.dataclass
class Ended:
    code: int  # its exit code; -1: none
    trouble: str  # "" or how it ended: "crashed with SIGSEGV", "no end within 60 s"
    output: str
    errors: str
    seconds: float


def environment(more):
    result = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    result.update(more)
    return result


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def run(command, more, limit, cwd=None):
    """Runs to the end or to the limit, seconds; the program and all that it has started end with it."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd=cwd,
                                     env=environment(more), start_new_session=True)
        except OSError as error:
            return Ended(-1, f"cannot be started: {error}", "", "", 0.0)
        trouble = ""
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired:
            code, trouble = -1, f"no end within {limit:g} s"
        finally:
            end_group(child)
        if code < 0 and not trouble:
            trouble = "crashed with " + signal_name(-code)
        elif code != 0 and not trouble:
            trouble = f"exit code {code}"
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read() if file is output else file.read(KEPT))
    output, errors = (text.decode("utf-8", "replace") for text in texts)
    return Ended(code, trouble, output, errors, time.monotonic() - begin)


def end_group(child):
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    child.wait()


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
