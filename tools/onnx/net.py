# SPDX-License-Identifier: MIT
"""What the node tests of ONNX are turned into: a graph of ours as text, for tests/op/onnx_nodes.c."""
import math

import numpy
import onnx

HANDLERS = {}
HAS = {}  # names of ours: "op conv2d", "UNARY_RELU" → number


class Skip(Exception):
    """The test does not apply, and why."""


def need(what, name):
    if what not in HAS:
        raise Skip(f"Graft has no {name}")
    return HAS[what]


def handles(*ops):
    def keep(function):
        for op in ops:
            HANDLERS[op] = function
        return function
    return keep


class Net:
    """A graph of ours, as lines of text."""

    def __init__(self):
        self.lines, self.count, self.ops = [], 0, set()

    def value(self, array, kind="input"):
        array = numpy.asarray(array)
        dtype = {"float32": "f32", "int64": "i32", "int32": "i32", "uint8": "u8"}.get(str(array.dtype))
        if dtype is None:
            raise Skip(f"dtype {array.dtype}")
        self.check(array)
        self.lines.append(f"value {kind} {dtype} {dimensions(array.shape)} {numbers(array)}")
        self.count += 1
        return self.count - 1

    @staticmethod
    def check(array):
        if array.ndim > 6:
            raise Skip("more than 6 dimensions")

    def op(self, name, *inputs, outputs=1, **attributes):
        need("op " + name, "op " + name)
        self.ops.add(name)
        self.lines.append(f"op {name}")
        for key, value in attributes.items():
            if key == "shape":
                self.lines.append(f"set shape {dimensions(value)}")
            else:
                value = numpy.atleast_1d(numpy.asarray(value, dtype=numpy.float64))
                self.lines.append(f"set {key} {len(value)} {numbers(value)}")
        self.lines.append(f"apply {len(inputs)} {' '.join(map(str, inputs))} {outputs}")
        first = self.count
        self.count += outputs
        return first if outputs == 1 else tuple(range(first, first + outputs))

    def want(self, value, array):
        array = numpy.asarray(array)
        if array.dtype != numpy.float32:
            raise Skip(f"dtype {array.dtype}")
        self.check(array)
        self.lines.append(f"want {value} {dimensions(array.shape)} {numbers(array)}")

    # What several ops of ONNX are made of.
    def unary(self, kind, x, **attributes):
        return self.op("unary", x, kind=need("UNARY_" + kind, kind.lower()), **attributes)

    def binary(self, kind, a, b):
        return self.op("binary", a, b, kind=need("BINARY_" + kind, kind.lower()))

    def reshape(self, x, shape):
        return self.op("reshape", x, shape=shape)

    def reduce(self, x, kind, axes, keep):
        return self.op("reduce", x, kind=need("REDUCE_" + kind, kind.lower()), axes=sum(1 << a for a in axes),
                       keep_dims=keep)


def dimensions(shape):
    if len(shape) > 6:
        raise Skip("more than 6 dimensions")
    return " ".join(map(str, [len(shape), *shape]))


def numbers(array):
    return " ".join(f"{x:.9g}" for x in numpy.asarray(array, dtype=numpy.float64).reshape(-1))


class Node:
    """A test's only node: attributes, inputs by position, outputs."""

    def __init__(self, test):
        node = test.model.graph.node[0]
        self.op = node.op_type
        given, out = test.data_sets[0]
        names = [i.name for i in test.model.graph.input]
        arrays = dict(zip(names, given))
        self.inputs = [arrays.get(name) if name else None for name in node.input]
        outputs = dict(zip([o.name for o in test.model.graph.output], out))
        self.outputs = [outputs.get(name) if name else None for name in node.output]
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        self.used = set()

    def get(self, name, default=None):
        self.used.add(name)
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def input(self, i):
        return self.inputs[i] if i < len(self.inputs) else None


def pixels(array):
    """[n, c, h, w] or [n, c, w] → [n, h, w, c]."""
    array = numpy.asarray(array)
    if array.ndim == 3:
        array = array[:, :, None, :]
    if array.ndim != 4:
        raise Skip(f"{array.ndim - 2} spatial dimensions")
    return array.transpose(0, 2, 3, 1)


def channels_last(array):
    return numpy.moveaxis(numpy.asarray(array), 1, -1)


def pair(values, spatial, default):
    values = list(values or [default] * spatial)
    return values if spatial == 2 else [default] + values


def window(node, x, kernel):
    """Stride, dilation and pads {top, bottom, left, right} of a node that slides over x [n, c, …]."""
    spatial = x.ndim - 2
    if spatial not in (1, 2):
        raise Skip(f"{spatial} spatial dimensions")
    stride, dilation = pair(node.get("strides"), spatial, 1), pair(node.get("dilations"), spatial, 1)
    pads = list(node.get("pads", [0] * 2 * spatial))
    begin, end = (pads[:spatial], pads[spatial:])
    if spatial == 1:
        begin, end = [0] + begin, [0] + end
    auto = node.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        size = [1] * (2 - spatial) + list(x.shape[2:])
        for i in range(2):
            out = math.ceil(size[i] / stride[i])
            total = max((out - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 - size[i], 0)
            begin[i], end[i] = total // 2, total - total // 2
            if auto == "SAME_LOWER":
                begin[i], end[i] = end[i], begin[i]
    elif auto == "VALID":
        begin, end = [0, 0], [0, 0]
    return stride, dilation, [begin[0], end[0], begin[1], end[1]]
