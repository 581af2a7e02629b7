# SPDX-License-Identifier: MIT
"""Small ONNX networks, protocol buffers by hand: a convolution, one op or a chain, pooling, a dense layer. Every op that is
read occurs, those that the host computes in chains that begin with the shape."""
import struct


def varint(value):
    value &= (1 << 64) - 1
    result = b""
    while value > 127:
        result += bytes([value & 127 | 128])
        value >>= 7
    return result + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, shape, numbers=None, real=0.25):
    """Of floats, all the same, or of whole numbers (those are given)."""
    count = 1
    for side in shape:
        count *= side
    data = struct.pack("<%df" % count, *[real] * count) if numbers is None else struct.pack("<%dq" % len(numbers), *numbers)
    kind = 1 if numbers is None else 7
    return b"".join(field(1, side) for side in shape) + field(2, kind) + field(8, name) + field(9, data)


def attribute(name, value):
    if isinstance(value, float):
        return field(5, field(1, name) + b"\x15" + struct.pack("<f", value) + field(20, 1))
    if isinstance(value, int):
        return field(5, field(1, name) + field(3, value) + field(20, 2))
    if isinstance(value, bytes):  # a tensor
        return field(5, field(1, name) + field(5, value) + field(20, 4))
    if isinstance(value, str):
        return field(5, field(1, name) + field(4, value) + field(20, 3))
    return field(5, field(1, name) + b"".join(field(8, item) for item in value) + field(20, 7))


def node(op, inputs, outputs, **attributes):
    outputs = [outputs] if isinstance(outputs, str) else outputs
    text = b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs)
    text += field(3, outputs[0] + "_node") + field(4, op)
    return field(1, text + b"".join(attribute(name, value) for name, value in attributes.items()))


def picture_value(name, shape):
    sides = b"".join(field(1, field(1, side)) for side in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, sides)))


def network(nodes, tensors, opset=18):
    graph = nodes + b"".join(field(5, one) for one in tensors)
    graph += field(11, picture_value("x", [1, 3, 8, 8])) + field(12, picture_value("logits", [1, 2]))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, opset))


FOUR = [tensor(name, [4]) for name in ("s", "t", "m", "v")]
WHOLE = {
    "zero": ([], [0]), "one": ([], [1]), "two": ([], [2]), "four": ([], [4]), "begin": ([1], [0]), "end": ([1], [4]),
    "axis": ([1], [1]), "last": ([1], [-1]), "sides": ([2], [2, 3]), "halves": ([2], [2, 2]), "places": ([4], [3, 1, 0, 2]),
    "tokens": ([3], [0, 4, -1]), "picture": ([4], [0, 4, 8, 8]), "pads": ([8], [0, 0, 1, 1, 0, 0, 1, 1]),
    "immense": ([2], [1 << 61, 4]), "where": ([1, 1], [0]), "update": ([1], [5]),
}  # fmt: skip
TENSORS = FOUR + [tensor("scalar", []), tensor("root", [], real=2**0.5), tensor("unit", [], real=1.0), tensor("half", [], real=0.5)]
TENSORS += [tensor("channels", [1, 4, 1, 1]), tensor("token", [1, 1, 4])]
TENSORS += [tensor(name, shape, numbers) for name, (shape, numbers) in WHOLE.items()]

SIMPLE = ["Relu", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "LeakyRelu", "Gelu", "Erf", "Exp", "Log", "Sqrt", "Abs", "Neg"]
SIMPLE += ["Identity", "Dropout"]
BINARY = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"]
HOST = BINARY + ["Mod", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]


def chains():
    """From "c", [1, 4, 8, 8], to "y"."""
    for op in SIMPLE:
        yield node(op, ["c"], "y")
    for op in BINARY:
        for other in ("c", "scalar", "channels"):
            yield node(op, ["c", other], "y")
    yield node("Cast", ["c"], "y", to=1)
    yield node("Clip", ["c", "scalar", "scalar"], "y")
    yield node("Softmax", ["c"], "y", axis=1) + node("LogSoftmax", ["y"], "z", axis=-1)
    yield node("BatchNormalization", ["c", "s", "t", "m", "v"], "y", epsilon=1e-3)
    yield node("MaxPool", ["c"], "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)
    yield node("AveragePool", ["c"], "y", kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER", count_include_pad=1)
    yield node("GlobalMaxPool", ["c"], "y")
    yield node("Pad", ["c", "pads"], "q") + node("ReduceMean", ["q", "sides"], "d", keepdims=1) + node("Mul", ["c", "d"], "y")
    yield node("ReduceSum", ["c", "sides"], "d", keepdims=1) + node("Add", ["c", "d"], "y")
    yield node("Concat", ["c", "c"], "d", axis=1) + node("Slice", ["d", "begin", "end", "axis"], "y")
    yield node("Split", ["c", "halves"], ["d", "e"], axis=1) + node("Concat", ["e", "d"], "y", axis=1)
    yield node("Gather", ["c", "places"], "y", axis=1)
    yield node("Gather", ["c", "sides"], "y", axis=1) + node("Gather", ["y", "one"], "z", axis=2)
    yield node("Unsqueeze", ["c", "axis"], "d") + node("Squeeze", ["d", "axis"], "y")
    yield (node("Div", ["c", "root"], "d") + node("Erf", ["d"], "e") + node("Add", ["e", "unit"], "g")
           + node("Mul", ["c", "g"], "h") + node("Mul", ["h", "half"], "y"))  # fmt: skip
    yield node("Reshape", ["c", "immense"], "y")  # to be refused: its product is no number
    # channels shuffled, as ShuffleNet does
    yield (node("Reshape", ["c", "five"], "d") + node("Transpose", ["d"], "e", perm=[0, 2, 1, 3, 4])
           + node("Reshape", ["e", "picture"], "y"))  # fmt: skip
    tokens = node("Reshape", ["c", "tokens"], "d") + node("Transpose", ["d"], "e", perm=[0, 2, 1])
    back = node("Transpose", ["o"], "p_", perm=[0, 2, 1]) + node("Reshape", ["p_", "picture"], "y")
    yield (tokens + node("LayerNormalization", ["e", "s", "t"], "n", axis=-1, epsilon=1e-5) + node("MatMul", ["n", "d"], "a")
           + node("Softmax", ["a"], "b_", axis=-1) + node("MatMul", ["b_", "n"], "o") + back)  # fmt: skip
    yield tokens + node("Attention", ["e", "e", "e"], "o", q_num_heads=2, kv_num_heads=2) + back
    yield (tokens + node("Shape", ["e"], "f_") + node("Gather", ["f_", "begin"], "g") + node("Concat", ["g", "axis", "axis"], "h", axis=0)
           + node("Expand", ["token", "h"], "i") + node("Concat", ["i", "e"], "j", axis=1)
           + node("Slice", ["j", "axis", "end", "axis"], "y"))  # fmt: skip


def host():
    """What the host computes: numbers from the shape, which a Reshape takes at the end."""
    nodes = node("Shape", ["c"], "shape") + node("Gather", ["shape", "one"], "n", axis=0)
    for op in HOST:
        nodes += node(op, ["n", "four"], "host_" + op)
    nodes += node("And", ["host_Equal", "host_Less"], "and") + node("Or", ["and", "host_Equal"], "or") + node("Not", ["or"], "not")
    nodes += node("Where", ["not", "n", "four"], "chosen") + node("Cast", ["chosen"], "real", to=1)
    for op in ("Sqrt", "Floor", "Ceil", "Abs", "Neg", "Identity"):
        nodes += node(op, ["real"], "host_" + op)
    nodes += node("Constant", [], "constant", value=tensor("", [2], [2, 2])) + node("Range", ["zero", "four", "one"], "range")
    nodes += node("ConstantOfShape", ["constant"], "full", value=tensor("", [1], [7])) + node("Expand", ["range", "end"], "wide")
    nodes += node("ScatterND", ["range", "where", "update"], "scattered") + node("Slice", ["range", "begin", "end"], "cut")
    nodes += node("ReduceProd", ["cut"], "product", keepdims=0) + node("ReduceSum", ["cut"], "sum", keepdims=1)
    nodes += node("Transpose", ["full"], "turned") + node("Flatten", ["turned"], "flat", axis=0) + node("Reshape", ["flat", "last"], "line")
    nodes += node("Squeeze", ["line"], "short") + node("Unsqueeze", ["n", "begin"], "size")
    nodes += node("Concat", ["axis", "size", "last"], "target", axis=0) + node("Reshape", ["c", "target"], "d")
    return nodes + node("Reshape", ["d", "shape"], "y")


def files():
    begin = node("Conv", ["x", "k"], "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1], dilations=[1, 1], group=1)
    end = node("GlobalAveragePool", ["y"], "p") + node("Flatten", ["p"], "f", axis=1)
    end += node("Gemm", ["f", "w", "b"], "logits", transB=1, alpha=1.0)
    head = [tensor("k", [4, 3, 3, 3]), tensor("w", [2, 4]), tensor("b", [2]), tensor("five", [5], [0, 2, 2, 8, 8])]
    for middle in list(chains()) + [host()]:
        used = [one for one in head + TENSORS if is_used(one, begin + middle + end)]
        yield network(begin + middle + end, used, 23 if b"Attention" in middle else 20 if b"Gelu" in middle else 18)
    # to be refused before memory is taken for it: 24 GiB, in a file that is not there
    beside = field(13, field(1, "location") + field(2, "absent")) + field(14, 1)
    far = field(1, 1 << 31) + field(1, 3) + field(2, 1) + field(8, "far") + beside
    yield network(begin + node("Mul", ["c", "far"], "y") + end, head[:3] + [far])
    # the network's output is the second one of a layer that has one
    second = node("GlobalAveragePool", ["c"], "p") + node("Flatten", ["p"], "f", axis=1)
    second += node("Gemm", ["f", "w", "b"], ["g", "logits"], transB=1)
    yield network(begin + second, head[:3])


def is_used(one, nodes):
    name = one[one.index(b"\x42") + 2 :]  # field 8
    return field(1, name[: one[one.index(b"\x42") + 1]].decode("latin-1")) in nodes
