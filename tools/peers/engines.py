# SPDX-License-Identifier: MIT
"""Who is measured, and how each gets its turns."""
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

WORKER = str(pathlib.Path(__file__).resolve().parent / "worker.py")
# After a turn the threads of some engines go on spinning for a while.
PAUSE = 0.3


class EngineError(Exception):
    pass


@dataclasses.dataclass
class Work:
    network: str
    mode: str
    batch: int
    side: int
    threads: int


@dataclasses.dataclass
class Cell:
    """One engine on one network."""
    work: Work
    engine: str  # as in a table's row
    family: str  # peers of one family differ in memory format: the better one counts
    times: list = dataclasses.field(default_factory=list)  # the median of each turn, milliseconds
    least: float = float("inf")
    peak_bytes: int = 0
    failure: str = ""

    @property
    def median(self):
        return statistics.median(self.times)

    @property
    def images_per_second(self):
        return 1e3 * self.work.batch / self.median

    @property
    def best_images_per_second(self):
        return 1e3 * self.work.batch / self.least


class Graft:
    """A device of Graft; each turn is a process of its own."""

    def __init__(self, work, options, device, environment, label):
        self.cell = Cell(work, label, label)
        self.environment = environment
        self.on_device = options.gpu
        self.command = [options.graft, "bench", "--model", work.network, "--batch", str(work.batch), "--input",
                        str(work.side), "--device", device, "--threads", str(work.threads), "--rounds", "3",
                        "--seconds", str(options.seconds), "--json", "--quiet"]
        if work.mode == "train":
            self.command.append("--train")
        if options.tune and device.startswith("opencl"):
            self.tune()

    def tune(self):
        """What it chooses is kept, and used in all turns."""
        progress(f"{self.cell.work.network} {self.cell.work.mode}: choosing kernels, {self.cell.engine}")
        done = subprocess.run([*self.command, "--tune"], env=self.environment, capture_output=True, text=True)
        if done.returncode:
            self.cell.failure = done.stderr.strip() or f"--tune ended with {done.returncode}"

    def turn(self):
        process = subprocess.Popen(self.command, env=self.environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        # Both pipes are short: one line each.
        out, err = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise EngineError(err.strip() or f"ended with {process.returncode}")
        result = json.loads(out)
        self.cell.times.append(result["median_ms"])
        self.cell.least = min(self.cell.least, result["min_ms"])
        peak = result["peak_bytes"] if self.on_device else usage.ru_maxrss * 1024
        self.cell.peak_bytes = max(self.cell.peak_bytes, peak)

    def close(self):
        pass


class Peer:
    """A worker that stays through all turns (a start of PyTorch takes seconds)."""

    def __init__(self, work, options, python, engine, label, model):
        self.cell = Cell(work, label, label)
        self.seconds = options.seconds
        self.process = subprocess.Popen(
            [python, WORKER, engine, work.network, work.mode, str(work.batch), str(work.side), str(work.threads),
             *model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            self.cell.family = self.read()["ready"]
        except EngineError as error:
            self.cell.failure = str(error)
            self.close()
        else:
            self.cell.engine = self.cell.family + label

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            text = self.process.stderr.read().strip().splitlines()
            raise EngineError(text[-1] if text else "the worker ended without a word")
        return json.loads(line)

    def ask(self, text):
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.read()

    def turn(self):
        times = self.ask(f"round {self.seconds}")["times"]
        self.cell.times.append(statistics.median(times))
        self.cell.least = min(self.cell.least, *times)

    def close(self):
        if self.process.poll() is None and self.cell.times:
            self.cell.peak_bytes = self.ask("end")["peak_bytes"]
        self.process.stdin.close()
        self.process.wait()


def graft_devices(options, environment):
    text = subprocess.run([options.graft, "devices", "--json"], env=environment, capture_output=True, text=True)
    if text.returncode:
        raise EngineError(text.stderr.strip())
    wanted = options.devices.split(",") if options.devices else None
    for device in json.loads(text.stdout):
        if wanted is not None and device["id"] not in wanted:
            continue
        fits = device["id"].startswith("opencl") if options.rehearse else (device["kind"] == "gpu") == options.gpu
        if wanted is None and (device["id"] == "reference" or not fits):
            continue
        yield device


def need_gpu(options):
    """Says at once if there is nothing to measure."""
    if options.gpu and not list(grafts_devices(options)):
        raise EngineError("Graft has no GPU here (`graft devices`); --rehearse runs this script without one")


def grafts_devices(options):
    for folder in [None, *options.icd]:
        environment = dict(os.environ)
        if folder is not None:
            environment["OCL_ICD_VENDORS"] = str(pathlib.Path(folder).resolve())
        for device in graft_devices(options, environment):
            if folder is None or device["id"].startswith("opencl"):
                yield device, environment


def grafts(work, options):
    """All devices that the system's drivers and those of --icd offer; cpu only once."""
    for device, environment in grafts_devices(options):
        label = "Graft " + device["id"]
        if device["id"].startswith("opencl"):
            label = f"Graft on {device['platform']} {device['driver']}"
            if options.gpu:
                label = f"Graft on {device['name']} ({device['driver']})"
        yield Graft(work, options, device["id"], environment, label)


def peers(work, options, python, out):
    if "pytorch" in options.peers:
        suffix = "" if not options.gpu else "-fed" if options.rehearse else "-cuda"
        for layout in ("nchw", "nhwc"):
            label = f" {layout.upper()}" + (" CUDA" if options.gpu else "")
            yield Peer(work, options, python, f"pytorch-{layout}{suffix}", label, [])
    others = [name for name in ("onnxruntime", "openvino") if name in options.peers]
    if work.mode == "train" or options.gpu or not others:
        return
    model = out / f"{work.network}-{work.side}.onnx"
    if not model.exists():
        subprocess.run([python, WORKER, "export", work.network, "inference", "1", str(work.side), "1", str(model)],
                       check=True)
    for name in others:
        yield Peer(work, options, python, name, "", [str(model)])


def progress(text):
    """A line that the next one takes the place of, for a person who waits."""
    if sys.stderr.isatty():
        print(f"\r{text:79.79}", end="" if text else "\r", file=sys.stderr, flush=True)


def measure(work, options, python, out):
    """The cells of one network and mode: all engines, turn by turn."""
    runners = [*grafts(work, options), *peers(work, options, python, out)]
    for turn in range(options.rounds):
        for runner in runners:
            if runner.cell.failure:
                continue
            progress(f"{work.network} {work.mode}: turn {turn + 1} of {options.rounds}, {runner.cell.engine}")
            time.sleep(PAUSE)
            try:
                runner.turn()
            except EngineError as error:
                runner.cell.failure = str(error)
    for runner in runners:
        runner.close()
    progress("")
    return [runner.cell for runner in runners]
