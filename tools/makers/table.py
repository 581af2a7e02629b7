# SPDX-License-Identifier: MIT
"""Rows as a table for people, for the README, or as JSON."""
import dataclasses
import json
import re

HEADS = ("implementation", "version", "cases", "ran", "passed", "unsupported", "op × variant", "worst share",
         "networks", "training", "seconds", "verdict")


def cells(row):
    if row.skipped:
        return (row.implementation, row.version) + ("-",) * 8 + ("-", "skipped")
    ran = f"{row.ran} of {row.cases}" if row.cases > row.ran else str(row.ran)
    worst = f"{100 * row.worst:.1f} %" if row.ran else "-"
    tried = f"{len(row.tried)} of {row.variants}" if row.variants else "-"
    return (row.implementation, row.version, row.set, ran, str(row.passed), str(row.unsupported), tried, worst,
            row.networks, row.training, f"{row.seconds:.0f}", row.verdict())


def by_reason(entries):
    """{reason: ["op variant", …]}: one line for a reason, which names an op and a device before it."""
    found = {}
    for entry in entries:
        name = f"{entry['op']} {entry['variant']}"
        own = re.match(rf"{re.escape(entry['op'])} \({re.escape(entry['variant'])}\) on [^ ]+: ", entry["reason"])
        found.setdefault(entry["reason"][own.end():] if own else entry["reason"], []).append(name)
    return found


def remarks(row):
    """What has no room in the table."""
    if row.skipped:
        return [row.skipped]
    told = [f"unsupported: {reason['cases']} of {reason['op']}: {reason['reason']}" for reason in row.reasons]
    told += [f"not tried: {', '.join(names)}: {reason}" for reason, names in by_reason(row.not_tried).items()]
    if row.kernels:
        told += [f"{len(row.kernels)} of the {len(row.kernels) + len(row.kernels_unseen)} kernels in cl/ were run"
                 + (f"; not {', '.join(row.kernels_unseen)}" if row.kernels_unseen else "")]
    told += [row.less] if row.less else []
    told += [f"worst: {row.worst_case}"] if row.worst_case and row.worst > 0.5 else []
    return told


def failures(row, most=20):
    rest = len(row.failures) - most
    return row.failures[:most] + ([f"and {rest} more; --json lists all"] if rest > 0 else [])


def text(rows):
    table = [HEADS] + [cells(row) for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table]
    for row in rows:
        lines += [f"{row.name}: {remark}" for remark in remarks(row)]
        lines += [f"FAILED {row.name}: {failure}" for failure in failures(row)]
    return "\n".join(lines)


def markdown(rows):
    lines = ["| " + " | ".join(HEADS) + " |", "|" + " --- |" * len(HEADS)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells(row)) + " |" for row in rows]
    notes = [f"- {row.name}: {note}" for row in rows for note in remarks(row) + failures(row)]
    return "\n".join(lines + ([""] + notes if notes else []))


def as_json(rows):
    return json.dumps([{**dataclasses.asdict(row), "verdict": row.verdict()} for row in rows])
