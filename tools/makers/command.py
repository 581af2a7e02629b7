# SPDX-License-Identifier: MIT
"""The command line of tools/opencl-makers."""
import argparse
import difflib
import os
import re
import subprocess
import sys

import checks
import makers
import table

PASSED, FAILED, USAGE, NOTHING = 0, 1, 2, 77

EXPLANATION = """
examples:
  tools/opencl-makers                        everything, on all that is to be had: many minutes
  tools/opencl-makers --quick                every op in every variant, then what fits: some minutes
  tools/opencl-makers --only intel,pocl      these
  tools/opencl-makers --only ./libX.so       a driver of your own, a library or an .icd file
  tools/opencl-makers --markdown > table.md

Each implementation runs in an environment of its own, in BUILD/makers/NAME: drivers, program caches. One that
cannot be set up is a row that says why and what to install. Exit code: 0 if something ran and all that ran
passed; 1 if a case, a network or a driver failed, crashed, or took longer than --limit; 2 wrong usage;
77 nothing was run.
"""


def parse(arguments):
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser = argparse.ArgumentParser(prog="opencl-makers", description=__doc__, epilog=EXPLANATION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAMES", help="pocl, intel, rusticl, oclgrind, gpu, or a driver's file; "
                        "with commas between")
    parser.add_argument("--quick", action="store_true", help="a sample that covers every op and variant")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    parser.add_argument("--markdown", action="store_true", help="the table as Markdown")
    parser.add_argument("--limit", metavar="SECONDS", type=float, default=1800, help="of each step (1800)")
    parser.add_argument("--build", metavar="FOLDER", default=os.path.join(here, "build"), help="(build)")
    options = parser.parse_args(arguments)
    options.data = os.environ.get("GRAFT_TEST_DATA") or os.path.join(here, "..", "shared")
    return parser, options


def gpus(tools, rows):
    """Makers for the graphics cards that the system's own drivers show; a row if there is none."""
    folder = os.path.join(tools.folder, "system")
    row = checks.Row("gpu", "graphics cards")
    devices, ended = checks.list_devices(tools, makers.own_caches(folder))
    found = [device for device in devices if device["kind"] == "gpu"]
    if ended.trouble and not devices:
        checks.fail(row, "graft devices with all drivers of the system", ended)
        rows.append(row)
    elif not found:
        row.skipped = f"none is shown by the drivers of the system ({makers.SYSTEM_VENDORS})"
        rows.append(row)
    return [makers.of_system_device(device) for device in found]


def choose(parser, names, tools):
    """Makers, whether graphics cards are wanted too. `names` is what --only was given."""
    known = {maker.name: maker for maker in makers.known()}
    if names is None:
        return list(known.values()), True
    chosen, gpu = [], False
    for name in names.split(","):
        if name == "gpu":
            gpu = True
        elif name in known:
            chosen.append(known[name])
        elif os.sep in name or name.endswith((".so", ".icd")):
            if name.endswith(".icd") and not os.path.exists(name):
                parser.error(f"there is no file {name}")
            chosen.append(makers.of_driver(name))
        else:
            near = difflib.get_close_matches(name, [*known, "gpu"], 1, 0.3)
            parser.error(f"there is no maker {name}" + (f"; did you mean {near[0]}?" if near else ""))
    return chosen, gpu


def main(arguments):
    parser, options = parse(arguments)
    build = os.path.abspath(options.build)
    tools = checks.Tools(build, os.path.join(build, "makers"), os.path.abspath(options.data), options.limit,
                         options.quick)
    chosen, with_gpus = choose(parser, options.only, tools)
    if not os.access(tools.path("tools", "graft"), os.X_OK):
        parser.error(f"{build} has no tools/graft: build first, with ./tools/build, or name it with --build")
    features = subprocess.run([tools.path("tools", "graft"), "--version"], stdout=subprocess.PIPE, text=True).stdout
    if re.search(r"(?m)^without .*OpenCL", features):
        print("skipped: this Graft was built without OpenCL (-Dopencl=enabled)")
        return NOTHING
    rows = []
    if with_gpus:
        chosen += gpus(tools, rows)
    for number, maker in enumerate(chosen):
        if sys.stderr.isatty():
            print(f"{number + 1} of {len(chosen)}: {maker.title} …", file=sys.stderr)
        rows.append(checks.run(maker, tools))
    show = table.as_json if options.json else table.markdown if options.markdown else table.text
    print(show(rows))
    if any(row.failures for row in rows):
        return FAILED
    return PASSED if any(row.ran > 0 for row in rows) else NOTHING
