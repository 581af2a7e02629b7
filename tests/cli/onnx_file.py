# SPDX-License-Identifier: MIT
"""Small ONNX files, written field by field as onnx.proto describes them: no package is needed."""

import random
import struct


def drawn(name, count, scale=1.0, middle=0.0):
    """The bytes of `count` numbers around `middle`, the same for the same name."""
    source = random.Random(name)
    return struct.pack("<%df" % count, *(middle + scale * source.uniform(-1, 1) for _ in range(count)))


def varint(value):
    value &= (1 << 64) - 1
    data = b""
    while value > 127:
        data += bytes((value & 127 | 128,))
        value >>= 7
    return data + bytes((value,))


def number(field, value):
    return varint(field << 3) + varint(value)


def part(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def attribute(name, value):
    if isinstance(value, float):
        return part(5, part(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1))
    if isinstance(value, int):
        return part(5, part(1, name) + number(3, value) + number(20, 2))
    return part(5, part(1, name) + b"".join(number(8, v) for v in value) + number(20, 7))


def value(field, name, shape):
    sizes = b"".join(part(1, number(1, n) if n else part(2, "n")) for n in shape)
    return part(field, part(1, name) + part(2, part(1, number(1, 1) + part(2, sizes))))


class Graph:
    """nodes and weights in the order in which they are added; a weight is a shape and the bytes of its f32."""

    def __init__(self):
        self.nodes = self.weights = b""
        self.count = 0

    def weight(self, name, shape, data):
        dims = b"".join(number(1, n) for n in shape)
        self.weights += part(5, dims + number(2, 1) + part(8, name) + part(9, data))
        return name

    def integers(self, name, values):
        data = struct.pack("<%dq" % len(values), *values)
        self.weights += part(5, number(1, len(values)) + number(2, 7) + part(8, name) + part(9, data))
        return name

    def node(self, op, *inputs, name="", output="", **attributes):
        """Returns the name of its output."""
        self.count += 1
        output = output or "v%d" % self.count
        self.nodes += part(
            1,
            b"".join(part(1, i) for i in inputs)
            + part(2, output)
            + part(3, name or "%s_%d" % (op, self.count))
            + part(4, op)
            + b"".join(attribute(k, v) for k, v in attributes.items()),
        )
        return output

    def write(self, path, input_shape, output, output_shape, opset=17):
        """The input is "x"."""
        graph = self.nodes + part(2, "g") + self.weights
        graph += value(11, "x", input_shape) + value(12, output, output_shape)
        with open(path, "wb") as file:
            file.write(number(1, 8) + part(2, "graft's tests") + part(7, graph))
            file.write(part(8, part(1, "") + number(2, opset)))
