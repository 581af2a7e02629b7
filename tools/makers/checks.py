# SPDX-License-Identifier: MIT
"""What is run on one maker's OpenCL: the conformance suite, networks, ten steps of training. Makes a row."""
import dataclasses
import glob
import json
import os
import re

import makers
import process


@dataclasses.dataclass
class Row:
    name: str
    implementation: str
    version: str = "-"
    device: str = "-"
    ran: int = 0
    passed: int = 0
    cases: int = 0  # that it could run, all in all
    set: str = "-"  # which of them, in words
    unsupported: int = 0
    reasons: list = dataclasses.field(default_factory=list)  # {"op", "reason", "cases"}
    tried: list = dataclasses.field(default_factory=list)  # {"op", "variant", "passed", "seconds", …}: passed > 0
    not_tried: list = dataclasses.field(default_factory=list)  # the same with "reason": no case was run
    variants: int = 0  # op × variant, all in all
    kernels: list = dataclasses.field(default_factory=list)  # of cl/, that an analyser has seen
    kernels_unseen: list = dataclasses.field(default_factory=list)
    worst: float = 0.0
    worst_case: str = ""
    networks: str = "-"
    training: str = "-"
    seconds: float = 0.0
    skipped: str = ""  # why nothing was run
    less: str = ""  # why not all was run
    failures: list = dataclasses.field(default_factory=list)  # one line each

    def verdict(self):
        if self.failures:
            return "FAILED"
        return "skipped" if self.skipped else "passed"


@dataclasses.dataclass
class Tools:
    """The programs of a build, and how long each may take."""

    build: str
    folder: str  # of the makers
    data: str  # of real data
    limit: float
    quick: bool

    def path(self, *parts):
        return os.path.join(self.build, *parts)


SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "cl")

# What Oclgrind says, on stderr, when it has found something; the indented lines after it tell where.
FINDING = re.compile(r"^(?!\s)(Invalid (read|write) of size|.*data race|.*divergence|.*runtime error detected)")
PLACE = re.compile(r"^\s+((?:Kernel|Function|Error):.*|At line \d+)(?: \(column \d+\)( of [^:]+))?")


def findings(errors):
    """Races, accesses out of bounds, barriers that not all reach, wrong calls: each place once."""
    lines = errors.splitlines()
    found = {}
    for at, line in enumerate(lines):
        if FINDING.match(line):
            where = []
            for more in lines[at + 1:at + 16]:
                if FINDING.match(more):
                    break
                place = PLACE.match(more)
                where += [place[1] + (place[2] or "")] if place else []
            text = "; ".join([re.sub(r" at .*address 0x[0-9a-f]+", "", line.strip())] + where)
            found[text] = found.get(text, 0) + 1
    return [text + (f" ({count} times)" if count > 1 else "") for text, count in found.items()]


def fail(row, step, ended, errors=None):
    words = process.last_line(ended.errors if errors is None else errors)
    row.failures.append(f"{step}: {ended.trouble}" + (f": {words}" if words else ""))


def describe(row, device):
    row.implementation = f"{row.implementation}"
    row.device = device["name"]
    row.version = device["driver"] or "-"


def list_devices(tools, variables):
    """What graft devices tells, and how that ended."""
    ended = process.run([tools.path("tools", "graft"), "devices", "--json"], variables, min(tools.limit, 120))
    # A driver that analyses may print lines of its own, before or behind.
    for begin in re.finditer(r"^\[", ended.output, re.MULTILINE):
        try:
            return json.JSONDecoder().raw_decode(ended.output, begin.start())[0], ended
        except ValueError:
            continue
    return [], ended


def kernels_of(folder):
    """The kernels in the sources, but those that ask what a device can do instead of computing an op."""
    names = set()
    for path in glob.glob(os.path.join(folder, "*.cl")):
        if os.path.basename(path) in ("limit.cl", "half.cl", "matrix_probe.cl", "copies_probe.cl"):
            continue
        with open(path, encoding="utf-8") as file:
            names.update(re.findall(r"^(?:[A-Z]+ )?(?:KERNEL|kernel) void (\w+)\(", file.read(), re.MULTILINE))
    return names


def add_report(row, report):
    """What a run of graft conform tells goes to what earlier ones have told."""
    row.ran += report["ran"]
    row.passed += report["passed"]
    row.cases = max(row.cases, report["cases"])
    row.unsupported += report["unsupported"]
    row.reasons += report["unsupported_reasons"]
    if report["worst"] and report["worst"][0]["share_of_tolerance"] > row.worst:
        row.worst, row.worst_case = report["worst"][0]["share_of_tolerance"], report["worst"][0]["case"]
    known = {(entry["op"], entry["variant"]): entry for entry in row.tried + row.not_tried}
    for entry in report["ops"]:
        place = (entry["op"], entry["variant"])
        now = known.setdefault(place, {"op": entry["op"], "variant": entry["variant"], "reason": entry["reason"],
                                       "passed": 0, "failed": 0, "seconds": 0.0})
        now["passed"] += entry["passed_exact"] + entry["passed_rounding"] + entry["passed_real"]
        now["failed"] += entry["failed"]
        now["seconds"] += entry["seconds"]
    row.variants = len(known)
    row.tried = [entry for entry in known.values() if entry["passed"] > 0]
    row.not_tried = [entry for entry in known.values() if entry["passed"] + entry["failed"] == 0]
    for failure in report["failures"]:
        row.failures.append(f"{failure['command']}: {failure['text']}")


def run_conform(row, maker, tools, variables):
    seen = set()
    patience = ["--timeout", str(maker.timeout)] if maker.timeout > 0 else []
    row.set = "a sample" if tools.quick else maker.cases
    for limits in maker.conform_quick if tools.quick else maker.conform:
        ended = process.run([tools.path("tools", "graft"), "conform", "--device", maker.device, "--json", "--quiet",
                             "--seed", "1", *patience, *limits], variables, tools.limit)
        row.seconds += ended.seconds
        if maker.analysed:
            row.failures += findings(ended.errors)
            seen.update(re.findall(r"^Instructions executed for kernel '(\w+)'", ended.output, re.MULTILINE))
        try:
            report = json.loads(ended.output.strip().splitlines()[-1])
        except (ValueError, IndexError):
            fail(row, "conform", ended)
            return
        add_report(row, report)
        if ended.trouble and not report["failures"]:
            fail(row, "conform", ended)
    if maker.analysed:
        known = kernels_of(SOURCES)
        row.kernels, row.kernels_unseen = sorted(known & seen), sorted(known - seen)


def run_networks(row, maker, tools, variables):
    networks = maker.networks_quick if tools.quick else maker.networks
    if not networks:
        return
    ended = process.run([tools.path("tests", "model", "zoo_test"), maker.device, *networks],
                        {**variables, "GRAFT_TEST_DATA": tools.data}, tools.limit)
    row.seconds += ended.seconds
    counts = re.search(r": (\d+) networks checked, (\d+) failed, (\d+) without a file", ended.output)
    if ended.code == 77:
        row.networks = "no data"
    elif counts is None or ended.trouble:
        row.networks = "FAILED"
        bad = [line for line in ended.output.splitlines() if "FAIL" in line or "look" in line]
        fail(row, "networks", ended, bad[0] if bad else None)
    if counts is not None and ended.code != 77:
        row.networks = f"{int(counts[1]) - int(counts[2])} of {counts[1]}"


def run_training(row, maker, tools, variables):
    if not (maker.training_quick if tools.quick else maker.training):
        return
    ended = process.run([tools.path("tests", "model", "training_test"), *maker.training_flags, "cpu", maker.device],
                        variables, tools.limit)
    row.seconds += ended.seconds
    shares = re.findall(r"^ok +\S+ +opencl\S* +largest relative difference of ten losses (\S+)", ended.output,
                        re.MULTILINE)
    row.training = f"{max(map(float, shares)):.1e}" if shares else "FAILED"
    if ended.trouble or not shares:
        row.training = "FAILED"
        bad = [line for line in ended.output.splitlines() if line.startswith("FAILED")]
        fail(row, "training", ended, bad[0] if bad else None)


def run(maker, tools):
    """All of it for one maker. Never raises because of a driver."""
    row = Row(maker.name, maker.title)
    folder = os.path.join(tools.folder, maker.name)
    os.makedirs(folder, exist_ok=True)
    try:
        variables = maker.set_up(folder)
    except makers.Missing as reason:
        row.skipped = str(reason)
        return row
    devices, ended = list_devices(tools, variables)
    device = next((entry for entry in devices if entry["id"] == maker.device), None)
    row.seconds += ended.seconds
    if device is None:
        if ended.trouble:
            fail(row, "graft devices", ended)
        else:
            row.failures.append(f"graft devices: the driver shows no device: {process.last_line(ended.errors)}")
        return row
    describe(row, device)
    row.less = maker.why_less
    run_conform(row, maker, tools, variables)
    run_networks(row, maker, tools, variables)
    run_training(row, maker, tools, variables)
    return row
