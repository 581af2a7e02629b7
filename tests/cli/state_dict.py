# SPDX-License-Identifier: MIT
"""Files of weights as others read them: PyTorch's zip container by the rules of torch.load(weights_only=True), written
after PyTorch's torch/_weights_only_unpickler.py, and safetensors by its specification. Tensors are (dtype, shape,
bytes)."""

import collections
import io
import json
import pickle
import pickletools
import struct
import zipfile

# What the weights-only loader takes of what a state dict of plain tensors needs; it refuses all else.
OPCODES = set(
    "PROTO GLOBAL REDUCE BUILD STOP MARK TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_TUPLE EMPTY_DICT BINPUT BINGET LONG_BINPUT "
    "LONG_BINGET BINUNICODE BININT BININT1 BININT2 LONG1 NEWFALSE NEWTRUE NONE SETITEM SETITEMS BINPERSID".split()
)
STORAGES = {"FloatStorage": ("F32", 4), "DoubleStorage": ("F64", 8), "IntStorage": ("I32", 4), "ByteStorage": ("U8", 1)}


class Storage:
    def __init__(self, kind):
        self.kind = kind


def rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks):
    (kind, width), data = storage
    contiguous, step = [], 1
    for dimension in reversed(size):
        contiguous.insert(0, step)
        step *= max(dimension, 1)
    count = 1
    for dimension in size:
        count *= dimension
    assert offset == 0 and list(stride) == contiguous and len(data) == count * width
    assert requires_grad is False and hooks == {}
    return kind, list(size), data


class Unpickler(pickle.Unpickler):
    def __init__(self, archive, root):
        super().__init__(io.BytesIO(archive.read(root + "data.pkl")))
        self.archive, self.root = archive, root

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuild_tensor_v2
        if module == "torch" and name in STORAGES:
            return Storage(name)
        raise pickle.UnpicklingError("%s.%s" % (module, name))

    def persistent_load(self, identity):
        word, storage, key, place, elements = identity
        assert (word, place) == ("storage", "cpu")
        data = self.archive.read("%sdata/%s" % (self.root, key))
        assert len(data) == elements * STORAGES[storage.kind][1]
        return STORAGES[storage.kind], data


def read_pth(path):
    """Tensors and texts of a state dict; the container's and the pickle's form are checked."""
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        assert archive.testzip() is None
        first = archive.infolist()[0].filename
        root = first[: first.index("/") + 1]
        assert first == root + "data.pkl"  # PyTorch's reader takes the archive's name from the first member
        assert archive.read(root + "version").strip() == b"3" and archive.read(root + "byteorder") == b"little"
        for member in archive.infolist():
            file.seek(member.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
            assert member.compress_type == zipfile.ZIP_STORED
            assert (member.header_offset + 30 + name + extra) % 64 == 0, member.filename
        names = [opcode.name for opcode, _, _ in pickletools.genops(archive.read(root + "data.pkl"))]
        assert set(names) <= OPCODES, set(names) - OPCODES
        state = Unpickler(archive, root).load()
        assert type(state) is collections.OrderedDict
        return dict(state), dict(state.__dict__)


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:begin])
    texts = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        from_, to = entry["data_offsets"]
        tensors[name] = entry["dtype"], entry["shape"], data[begin + from_ : begin + to]
    return tensors, texts
