#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints function_expected.h: values and slopes of PyTorch in f64, also at kinks. Run by hand."""
import math
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
INF, NAN = math.inf, math.nan
EVERYWHERE = [-INF, -30.0, -7.5, -3.0, -2.5, -1.5, -1.0, -0.25, -0.0, 0.0, 0.125, 1.0, 2.0, 3.0, 4.5, 6.0, 9.0, 30.0, INF,
              NAN]
UNARY = {
    "RELU": F.relu,
    "RELU6": F.relu6,
    "LEAKY_RELU": lambda x: F.leaky_relu(x, 0.125),
    "SIGMOID": torch.sigmoid,
    "TANH": torch.tanh,
    "HARD_SIGMOID": F.hardsigmoid,
    "HARD_SWISH": F.hardswish,
    "SILU": F.silu,
    "GELU": F.gelu,
    "GELU_TANH": lambda x: F.gelu(x, approximate="tanh"),
    "SQRT": torch.sqrt,
    "EXP": torch.exp,
    "LOG": torch.log,
    "ABS": torch.abs,
    "CLIP": lambda x: torch.clamp(x, -1.5, 2.0),
}
BINARY = {"DIV": torch.div, "POW": torch.pow, "MAX": torch.maximum, "MIN": torch.minimum}
PAIRS = [-3.0, -0.5, -0.0, 0.0, 1.0, 2.5, INF, NAN]


def text(number):
    if math.isnan(number):
        return "NAN"
    return ("-" if number < 0 else "") + "INFINITY" if math.isinf(number) else repr(number)


def rows(kind, columns):
    for row in zip(*columns):
        print(f"    {{{kind}, " + ", ".join(text(number) for number in row) + "},")


print("/* SPDX-License-Identifier: MIT */")
print(f"/* Printed by function_expected.py with PyTorch {torch.__version__.split('+')[0]} in f64. */")
print("#ifndef GRAFT_TESTS_FUNCTION_EXPECTED_H\n#define GRAFT_TESTS_FUNCTION_EXPECTED_H\n")
print("#include \"graft/op.h\"\n\n#include <math.h>\n")
print("static const struct {\n    enum graft_unary kind;\n    double x, y, slope;\n} unary_expected[] = {")
for name, function in UNARY.items():
    x = torch.tensor(EVERYWHERE).requires_grad_()
    y = function(x)
    y.sum().backward()
    rows(f"GRAFT_UNARY_{name}", (x.tolist(), y.tolist(), x.grad.tolist()))
print("};\n\nstatic const struct {\n    enum graft_binary kind;\n    double a, b, y, for_a, for_b;\n} binary_expected[] = {")
for name, function in BINARY.items():
    a = torch.tensor([a for a in PAIRS for _ in PAIRS]).requires_grad_()
    b = torch.tensor(PAIRS * len(PAIRS)).requires_grad_()
    y = function(a, b)
    y.sum().backward()
    rows(f"GRAFT_BINARY_{name}", [t.tolist() for t in (a, b, y, a.grad, b.grad)])
print("};\n#endif")
