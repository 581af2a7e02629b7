# SPDX-License-Identifier: MIT
"""Seeds of targets whose files no unit test makes: SEEDS[target]() gives small valid files."""
import gzip
import io
import json
import os
import re
import struct
import zipfile

TINY_KERAS = {
    "class_name": "Functional",
    "config": {
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [None, 8, 8, 3]}},
            {"class_name": "Conv2D", "config": {"name": "conv", "filters": 2, "kernel_size": [3, 3]}},
            {"class_name": "Dense", "config": {"name": "predictions", "units": 2}},
        ]
    },
}


def keras():
    """The archive without weights, so that what is in front of them is reached; ../shared has whole ones."""
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression) as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.8.0"}))
            archive.writestr("config.json", json.dumps(TINY_KERAS))
            archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(120))
        yield file.getvalue()


# ---- ONNX: protocol buffers by hand


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


def tensor(name, shape, numbers=None):
    """Of floats, or of whole numbers (those are given)."""
    count = 1
    for side in shape:
        count *= side
    data = struct.pack("<%dq" % len(numbers), *numbers) if numbers else struct.pack("<%df" % count, *[0.25] * count)
    return b"".join(field(1, side) for side in shape) + field(2, 7 if numbers else 1) + field(8, name) + field(9, data)


def attribute(name, value):
    if isinstance(value, float):
        return field(5, field(1, name) + b"\x15" + struct.pack("<f", value) + field(20, 1))
    if isinstance(value, int):
        return field(5, field(1, name) + field(3, value) + field(20, 2))
    return field(5, field(1, name) + b"".join(field(8, item) for item in value) + field(20, 7))


def node(op, inputs, output, **attributes):
    return field(
        1,
        b"".join(field(1, name) for name in inputs)
        + field(2, output)
        + field(3, output + "_node")
        + field(4, op)
        + b"".join(attribute(name, value) for name, value in attributes.items()),
    )


def picture_value(name, shape):
    sides = b"".join(field(1, field(1, side)) for side in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, sides)))


def network(nodes, tensors, opset=17):
    graph = nodes + b"".join(field(5, one) for one in tensors)
    graph += field(11, picture_value("x", [1, 3, 8, 8])) + field(12, picture_value("logits", [1, 2]))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, opset))


def onnx():
    """A convolution, one op or a chain between it and the pooling, a dense layer."""
    head = [tensor("w", [2, 4]), tensor("b", [2])]
    kernel = tensor("k", [4, 3, 3, 3])
    four = [tensor(name, [4]) for name in ("s", "t", "m", "v")]
    begin = node("Conv", ["x", "k"], "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1], group=1)
    end = node("GlobalAveragePool", ["y"], "p") + node("Flatten", ["p"], "f", axis=1)
    end += node("Gemm", ["f", "w", "b"], "logits", transB=1, alpha=1.0)
    middles = {
        "plain": (node("Relu", ["c"], "y"), []),
        "norm": (node("BatchNormalization", ["c", "s", "t", "m", "v"], "y", epsilon=1e-3), four),
        "pool": (node("MaxPool", ["c"], "q", kernel_shape=[2, 2], strides=[2, 2]) + node("Sigmoid", ["q"], "y"), []),
        "concat": (node("Concat", ["c", "c"], "d", axis=1) + node("Slice", ["d", "i", "j", "a"], "y"),
                   [tensor("i", [1], [0]), tensor("j", [1], [4]), tensor("a", [1], [1])]),
        "reshape": (node("Shape", ["c"], "z") + node("Reshape", ["c", "r"], "e")
                    + node("Transpose", ["e"], "g", perm=[0, 2, 1]) + node("Softmax", ["g"], "h", axis=-1)
                    + node("Transpose", ["h"], "l", perm=[0, 2, 1]) + node("Reshape", ["l", "z"], "y"),
                    [tensor("r", [3], [0, 4, -1])]),
        "attention": (node("Reshape", ["c", "r"], "e") + node("Transpose", ["e"], "g", perm=[0, 2, 1])
                      + node("MatMul", ["g", "e"], "h") + node("MatMul", ["h", "g"], "l")
                      + node("LayerNormalization", ["l", "s", "t"], "n", axis=-1, epsilon=1e-5)
                      + node("Transpose", ["n"], "o", perm=[0, 2, 1]) + node("Reshape", ["o", "u"], "y"),
                      [tensor("r", [3], [0, 4, -1]), tensor("u", [4], [0, 4, 8, 8])] + four[:2]),
        "mean": (node("Pad", ["c", "g"], "q") + node("ReduceMean", ["q", "a"], "d", keepdims=1)
                 + node("Clip", ["d"], "e") + node("Mul", ["c", "e"], "h") + node("Add", ["h", "c"], "y"),
                 [tensor("g", [8], [0, 0, 1, 1, 0, 0, 1, 1]), tensor("a", [2], [2, 3])]),
    }  # fmt: skip
    for middle, tensors in middles.values():
        yield network(begin + middle + end, [kernel] + head + tensors, 18)


# ---- tables, cards, runs


def csv():
    yield b"path,label,split\na/1.jpg,cat,train\nb/2.jpg,dog,val\n"
    yield b'file;class\n"a;1.jpg";"c""at"\r\nb.jpg; dog \n'
    yield b"id\tbreed\tis_valid\n17\tpug\tTrue\n18\thusky\t0\n"
    yield "\ufeffimage,category\nä.png,Käfer\n".encode()


def idx():
    pictures = struct.pack(">IIII", 0x803, 2, 2, 3) + bytes(range(12))
    yield pictures
    yield struct.pack(">IIIII", 0x804, 2, 1, 2, 3) + bytes(range(12))
    yield struct.pack(">II", 0x801, 2) + b"\0\1"
    yield struct.pack(">IIii", 0xC01, 2, 0, 1)
    yield gzip.compress(pictures, mtime=0)


PREPROCESS = {
    "crop_height": 224,
    "crop_width": 224,
    "channels": 3,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
    "ignore_orientation": True,
}


def card():
    steps = [
        {"kind": "resize", "short_side": 256, "filter": "bilinear"},
        {"kind": "center_crop"},
    ]
    for preprocess in (
        dict(PREPROCESS, transforms=steps),
        dict(PREPROCESS, filter="bicubic", resize_short_side=256),
    ):
        yield "\n".join(["resnet18", json.dumps(["ant", "bee"]), json.dumps(preprocess)]).encode()


def run():
    """As they stand in a run folder; of config.json's entries those that every run has."""
    header = os.path.join(os.path.dirname(__file__), "..", "..", "include", "graft", "recipe.def")
    with open(header, encoding="utf-8") as file:
        config = {name: None for name in re.findall(r"^GRAFT_RECIPE_ROW\(\w+, (\w+)", file.read(), re.M)}
    stages = [{"from": "head", "epochs": 2, "learning_rate": 0.001, "micro_batch": None}]
    config.update(classes=["ant", "bee"], network="resnet18", data="photos", stages=stages, seed=7)
    config.update(learning_rate=0.001, batch=32, optimizer="adam", augment=False, archive_limit=1000)
    history = (
        "stage,epoch,learning_rate,train_loss,train_top1,val_loss,val_top1,seconds\nhead,1,0.001,1.5,0.4,1.25,0.5,0.5\n"
    )
    figures = {"images": 2, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    evaluation = {
        "images": 4,
        "split": "val",
        "loss": 0.5,
        "top1": 0.75,
        "top5": 1.0,
        "seconds": 1.0,
        "classes": [figures, figures],
        "confusion": [[2, 0], [1, 1]],
    }
    position = dict.fromkeys(
        ("stage", "epoch", "batch", "number", "correct", "seen", "trained"), 0
    )
    position.update(dict.fromkeys(("loss_sum", "seconds", "train_seconds", "total_seconds"), 0.5))
    texts = {"graft.position": json.dumps(position), "graft.history": json.dumps([{"stage": 0, "epoch": 1}])}
    header = json.dumps({"__metadata__": texts}).encode()
    state = struct.pack("<Q", len(header)) + header
    yield json.dumps(config).encode()
    yield b"\0".join([json.dumps(config).encode(), history.encode(), json.dumps(evaluation).encode(), state])
