# SPDX-License-Identifier: MIT
"""Small HDF5 files as h5py writes Keras' weights, byte by byte (File Format Specification 3.0): OLD with superblock 0, groups
by symbol tables, texts on the global heap; NEW with superblock 2, headers of version 2 and links in them.

A tree is {name: tree or DATA}, with "@name" for attributes: lists of texts.
"""
import struct

DATA = "data"  # a data set of two by three floats
UNDEFINED = (1 << 64) - 1
VALUES = struct.pack("<6f", 1, -2, 3, 0.5, 8, -0.25)
REAL = b"\x11\x20\x1f\0" + struct.pack("<IHHBBBBI", 4, 0, 32, 23, 8, 0, 23, 127)
TEXT = b"\x13\0\0\0" + struct.pack("<I", 1)
VARIABLE_TEXT = b"\x19\1\0\0" + struct.pack("<I", 16) + TEXT

LEGACY = {
    "@layer_names": ["conv", "d"],
    "conv": {"@weight_names": ["conv/kernel:0"], "conv": {"kernel:0": DATA}},
    "d": {"@weight_names": ["d/kernel:0", "d/gamma:0"], "d": {"kernel:0": DATA, "gamma:0": DATA}},
}
LAYERS = {
    "layers": {
        "conv2d": {"vars": {"@name": ["conv"], "0": DATA}},
        "dense_1": {"vars": {"0": DATA, "1": DATA}},
        "functional": {"layers": {"dense": {"vars": {"0": DATA}}}},
    }
}


def padded(data):
    return data + bytes(-len(data) % 8)


def space(version, sizes):
    head = struct.pack("<BBBB", 1, len(sizes), 0, 0) + bytes(4)
    if version == 2:
        head = struct.pack("<BBBB", 2, len(sizes), 0, 1)
    return head + b"".join(struct.pack("<Q", size) for size in sizes)


class File:
    def __init__(self, old):
        self.old = old
        self.data = bytearray(96 if old else 48)

    def put(self, data):
        self.data += bytes(-len(self.data) % 8)
        at = len(self.data)
        self.data += data
        return at

    def header(self, messages):
        if self.old:
            body = b"".join(struct.pack("<HHI", kind, len(padded(m)), 0) + padded(m) for kind, m in messages)
            return self.put(struct.pack("<BBHIII", 1, 0, len(messages), 1, len(body), 0) + body)
        body = b"".join(struct.pack("<BHB", kind, len(m), 0) + m for kind, m in messages)
        return self.put(b"OHDR\2\2" + struct.pack("<I", len(body)) + body + bytes(4))

    def data_set(self):
        at = self.put(VALUES)
        layout = struct.pack("<BBQQ", 3, 1, at, len(VALUES))
        return self.header([(1, space(1 if self.old else 2, [2, 3])), (3, REAL), (8, layout)])

    def attribute(self, name, texts):
        name = name.encode() + b"\0"
        texts = [text.encode() for text in texts]
        if self.old:
            objects = b"".join(struct.pack("<HHIQ", i + 1, 1, 0, len(t)) + padded(t) for i, t in enumerate(texts))
            heap = self.put(b"GCOL\1\0\0\0" + struct.pack("<Q", 16 + len(objects)) + objects)
            data = b"".join(struct.pack("<IQI", len(t), heap, i + 1) for i, t in enumerate(texts))
            kind, shape = VARIABLE_TEXT, space(1, [len(texts)])
            sizes = struct.pack("<HHH", len(name), len(kind), len(shape))
            return b"\1\0" + sizes + padded(name) + padded(kind) + padded(shape) + data
        longest = max(len(t) for t in texts)
        kind, shape = b"\x13\1\0\0" + struct.pack("<I", longest), space(2, [len(texts)])
        sizes = struct.pack("<HHH", len(name), len(kind), len(shape))
        return b"\3\0" + sizes + b"\0" + name + kind + shape + b"".join(t.ljust(longest, b"\0") for t in texts)

    def symbol_table(self, members):
        names, entries = bytearray(8), b""
        for name, address in sorted(members):
            entries += struct.pack("<QQQ", len(names), address, 0) + bytes(16)
            names += padded(name.encode() + b"\0")
        node = self.put(b"SNOD\1\0" + struct.pack("<H", len(members)) + entries)
        heap = self.put(bytes(names))
        heap = self.put(b"HEAP\0\0\0\0" + struct.pack("<QQQ", len(names), UNDEFINED, heap))
        tree = b"TREE\0\0" + struct.pack("<HQQQQQ", 1, UNDEFINED, UNDEFINED, 0, node, 8)
        return struct.pack("<QQ", self.put(tree), heap)

    def group(self, tree):
        messages = [(0x0C, self.attribute(name[1:], texts)) for name, texts in tree.items() if name[0] == "@"]
        inner = {name: value for name, value in tree.items() if name[0] != "@"}
        members = [(n, self.data_set() if value is DATA else self.group(value)) for n, value in inner.items()]
        if self.old:
            messages.append((0x11, self.symbol_table(members)))
        else:
            for name, address in members:
                link = struct.pack("<BBB", 1, 0, len(name)) + name.encode() + struct.pack("<Q", address)
                messages.append((6, link))
        return self.header(messages)

    def whole(self, tree):
        root = self.group(tree)
        self.data += bytes(-len(self.data) % 8)
        if self.old:
            begin = b"\x89HDF\r\n\x1a\n" + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0)
            begin += struct.pack("<QQQQQQQ", 0, UNDEFINED, len(self.data), UNDEFINED, 0, root, 0) + bytes(16)
        else:
            begin = b"\x89HDF\r\n\x1a\n\2\x08\x08\0" + struct.pack("<QQQQI", 0, UNDEFINED, len(self.data), root, 0)
        self.data[: len(begin)] = begin
        return bytes(self.data)


def files():
    for tree in (LEGACY, LAYERS):
        for old in (True, False):
            yield File(old).whole(tree)
