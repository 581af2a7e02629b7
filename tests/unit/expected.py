# SPDX-License-Identifier: MIT
"""For the scripts that print what PyTorch computes in f64: inputs and the form of the headers."""
import torch

torch.set_default_dtype(torch.float64)


def numbers(count, seed):
    """The inputs of op_test.c: quarters in -1.25 .. 1.25."""
    return torch.tensor([((i * 7 + seed * 3 + i // 11) % 11 - 5) / 4 for i in range(count)])


def tensor(shape, seed):
    count = 1
    for dim in shape:
        count *= dim
    return numbers(count, seed).reshape(shape)


def show(name, value):
    flat = [repr(float(v)) for v in value.detach().reshape(-1)]
    lines, line = [], "   "
    for number in flat:
        if len(line) + len(number) + 2 > 108:
            lines.append(line)
            line = "   "
        line += " " + number + ","
    lines.append(line)
    print(f"static const double expected_{name}[] = {{\n" + "\n".join(lines) + "\n};\n")


def nchw(t):
    return t.permute(0, 3, 1, 2).contiguous()


def nhwc(t):
    return t.permute(0, 2, 3, 1).contiguous()


def header(name, script, *parts):
    """Prints a whole header: each part shows its numbers."""
    version = torch.__version__.split("+")[0]
    print(f"/* SPDX-License-Identifier: MIT */\n/* Printed by {script} with PyTorch {version} in f64. */")
    print(f"#ifndef {name}\n#define {name}\n")
    for part in parts:
        part()
    print("#endif")
