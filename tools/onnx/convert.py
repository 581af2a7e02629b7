# SPDX-License-Identifier: MIT
"""convert.py ROOT FOLDER: turns the node tests of the package onnx into what tests/op/onnx_nodes.c reads.

Run by tools/onnx-node-tests in an environment that has the package. Writes FOLDER/cases.txt, converted.json (each test:
name, op, and why it is not run) and handled.json (the ops of ONNX of which at least one test must be run, and which ops of ours are touched).
"""
import json
import pathlib
import re
import sys
import warnings

import numpy

import computing  # noqa: F401: each adds its handlers
import moving  # noqa: F401
from net import HANDLERS, HAS, Net, Node, Skip

# Attributes without a meaning for what is compared, or whose meaning the shapes tell.
TOLD_BY_SHAPES = {"storage_order", "seed", "axis", "allowzero", "stash_type", "keep_aspect_ratio_policy",
                  "cubic_coeff_a", "kernel_shape", "num_outputs", "axes", "extrapolation_value"}


def convert(test):
    """The graph of ours, or Skip."""
    nodes = test.model.graph.node
    op = nodes[-1].op_type
    if len(nodes) != 1 or "_expanded" in test.name:
        raise Skip("a function written out in other ops: its plain test counts")
    if op not in HANDLERS:
        raise Skip(f"Graft has no counterpart of {op}")
    for array in test.data_sets[0][0]:
        if not isinstance(array, numpy.ndarray) and not numpy.isscalar(array):
            raise Skip("sequences and optional values")
    node, net = Node(test), Net()
    if node.inputs and isinstance(node.inputs[0], numpy.ndarray) and node.inputs[0].dtype != numpy.float32 \
            and op not in ("Momentum", "Adam"):
        raise Skip(f"dtype {node.inputs[0].dtype}")
    HANDLERS[op](node, net)
    unread = set(node.attributes) - node.used - TOLD_BY_SHAPES
    if unread:
        raise AssertionError(f"{test.name}: attributes {sorted(unread)} are not looked at")
    return net


def main():
    root, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    header = (root / "include/graft/op.h").read_text(encoding="utf-8")
    for name, number in re.findall(r"GRAFT_((?:UNARY|BINARY|REDUCE|RESIZE)_\w+) = (\d+)", header):
        HAS[name] = int(number)
    for name in re.findall(r"^GRAFT_OP\((\w+),", (root / "src/op/ops.def").read_text(encoding="utf-8"), re.M):
        HAS["op " + name] = 0
    warnings.simplefilter("ignore")
    from onnx.backend.test.case.node import collect_testcases
    converted, text, touched = [], [], set()
    for test in sorted(collect_testcases(), key=lambda t: t.name):
        op, why = test.model.graph.node[-1].op_type, ""
        try:
            net = convert(test)
            touched |= net.ops
            text += [f"test {test.name} {test.rtol!r} {test.atol!r}", *net.lines, "end"]
        except Skip as reason:
            why = str(reason)
        converted.append({"name": test.name, "op": op, "why": why})
    (folder / "cases.txt").write_text("\n".join(text) + "\n")
    (folder / "converted.json").write_text(json.dumps(converted))
    ops = [name[3:] for name in HAS if name.startswith("op ")]
    (folder / "handled.json").write_text(json.dumps({"handlers": sorted(HANDLERS), "touched": sorted(touched), "ops": ops}))


main()
