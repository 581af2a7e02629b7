# SPDX-License-Identifier: MIT
"""What was measured, as Markdown, CSV and a picture."""
import csv
import datetime
import json
import math
import os
import platform
import subprocess
import sys

# The picture is drawn by the peers' Python: matplotlib is a need of this script, not of the project.
PLOT = """
import json, sys
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plot
import matplotlib.ticker as ticker
groups = json.load(sys.stdin)
figure, axes = plot.subplots(len(groups), 1, figsize=(13, 3.6 * len(groups)), squeeze=False)
for axis, (mode, rows) in zip(axes[:, 0], groups.items()):
    networks = list(dict.fromkeys(network for row in rows.values() for network in row))
    width = 0.84 / len(rows)
    for i, (engine, row) in enumerate(rows.items()):
        places = [n + width * (i - (len(rows) - 1) / 2) for n in range(len(networks))]
        heights = [row.get(network, 0) for network in networks]
        colour = None if engine.startswith("Graft") else plot.cm.Greys(0.35 + 0.12 * (i % 5))
        axis.bar(places, heights, width * 0.92, label=engine, color=colour)
        for x, y in zip(places, heights):
            axis.text(x, y, f"{y:.0f}" if y >= 100 else f"{y:.1f}", ha="center", va="bottom", fontsize=6)
    axis.set_xticks(range(len(networks)), networks)
    axis.set_yscale("log")
    axis.set_ylim(bottom=0.6 * min(height for row in rows.values() for height in row.values()))
    axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axis.yaxis.set_minor_formatter(ticker.NullFormatter())
    axis.set_ylabel("images per second")
    axis.set_title(mode, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
figure.tight_layout()
figure.savefig(sys.argv[1], dpi=110)
"""


def machine():
    name = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{name}, {len(os.sched_getaffinity(0))} processors"


def best(cells, network, family):
    """The better memory format of an engine."""
    found = [cell for cell in cells if cell.work.network == network and cell.family == family and cell.times]
    return max(found, key=lambda cell: cell.images_per_second, default=None)


def rows_of(cells, mode):
    """{engine: {network: cell}} in the order of measurement."""
    cells = [cell for cell in cells if cell.work.mode == mode]
    families = list(dict.fromkeys(cell.family for cell in cells if cell.times))
    networks = list(dict.fromkeys(cell.work.network for cell in cells))
    return networks, {family: {network: found for network in networks
                               if (found := best(cells, network, family)) is not None} for family in families}


def geometric(values):
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else float("nan")


def table(cells, mode):
    networks, rows = rows_of(cells, mode)
    batches = {cell.work.network: cell.work.batch for cell in cells}
    lines = ["| " + mode + " | " + " | ".join(f"{network} b{batches[network]}" for network in networks) + " |",
             "| --- |" + " ---: |" * len(networks)]

    def add(name, texts):
        lines.append(f"| {name} | " + " | ".join(texts) + " |")

    for family, row in rows.items():
        add(family, [f"{row[n].images_per_second:.1f} ({row[n].best_images_per_second:.1f}), "
                     f"{row[n].peak_bytes / 1e6:.0f} MB" if n in row else "–" for n in networks])
    peers = [row for family, row in rows.items() if not family.startswith("Graft")]
    pytorch = [row for family, row in rows.items() if family.startswith("PyTorch")]
    for family, row in rows.items():
        if not family.startswith("Graft") or not peers:
            continue
        ratios = {n: row[n].images_per_second / max(peer[n].images_per_second for peer in peers if n in peer)
                  for n in networks if n in row and any(n in peer for peer in peers)}
        add(f"**{family} : the fastest peer** (geometric mean {geometric(ratios.values()):.2f})",
            [f"**{ratios[n]:.2f}**" if n in ratios else "–" for n in networks])
        memory = {n: row[n].peak_bytes / min(peer[n].peak_bytes for peer in pytorch if n in peer)
                  for n in networks if n in row and any(n in peer for peer in pytorch)}
        if memory:
            add(f"{family}, memory : PyTorch's", [f"{memory[n]:.2f}" if n in memory else "–" for n in networks])
    return lines


def write(cells, options, out):
    date = datetime.date.today().isoformat()
    where = "on the device" if options.gpu else "of the process"
    lines = [] if not options.rehearse else ["A rehearsal without a GPU: the figures mean nothing.", ""]
    sides = sorted({cell.work.side for cell in cells})
    shown = " and ".join(f"{side}×{side}" for side in sides)
    lines += [f"Measured {date} on {machine()}, {options.threads} threads, f32, {shown} pictures. "
             f"Images per second: median (best) of {options.rounds} turns of {options.seconds} s, engines in turn; peak "
             f"memory {where}. Of an engine's memory formats the faster one. Training steps: forward, backward, "
             "Adam on all parameters, batch normalization training.", ""]
    for mode in dict.fromkeys(cell.work.mode for cell in cells):
        lines += [*table(cells, mode), ""]
    failures = [f"- {cell.engine}, {cell.work.network}, {cell.work.mode}: {cell.failure}"
                for cell in cells if cell.failure]
    if failures:
        lines += ["Not measured:", "", *failures, ""]
    (out / "peers.md").write_text("\n".join(lines))
    with open(out / "peers.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["date", "machine", "threads", "mode", "network", "batch", "side", "engine", "turns", "median_ms",
                         "min_ms", "images_per_second", "peak_bytes", "failure"])
        for cell in cells:
            work = cell.work
            figures = ([round(cell.median, 3), round(cell.least, 3), round(cell.images_per_second, 2)] if cell.times
                       else ["", "", ""])
            writer.writerow([date, machine(), work.threads, work.mode, work.network, work.batch, work.side, cell.engine,
                             len(cell.times), *figures, cell.peak_bytes, cell.failure])


def plot(cells, python, out):
    groups = {}
    for mode in dict.fromkeys(cell.work.mode for cell in cells):
        _, rows = rows_of(cells, mode)
        groups[mode] = {family: {network: cell.images_per_second for network, cell in row.items()}
                        for family, row in rows.items()}
    done = subprocess.run([python, "-c", PLOT, str(out / "peers.png")], input=json.dumps(groups), text=True,
                          capture_output=True, check=False)
    if done.returncode:
        print("bench-peers: no picture: " + done.stderr.strip().splitlines()[-1], file=sys.stderr)
