# SPDX-License-Identifier: MIT
"""Seeds of targets whose files no unit test makes: SEEDS[target]() gives small valid files."""
import gzip
import io
import json
import os
import re
import struct
import zipfile

import made_hdf5
import made_onnx

TINY_KERAS = {
    "class_name": "Functional",
    "config": {
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [None, 8, 8, 3]}},
            {"class_name": "Conv2D", "config": {"name": "conv", "filters": 2, "kernel_size": [3, 3]}},
            {"class_name": "Dense", "config": {"name": "first", "units": 2}},
            {"class_name": "Dense", "config": {"name": "predictions", "units": 2}},
        ]
    },
}


def put_member(archive, name, data):
    """Always of the same time: seeds are the same bytes each time."""
    member = zipfile.ZipInfo(name)
    member.compress_type = archive.compression
    archive.writestr(member, data)


def keras():
    """Plain and deflated, with weights and without."""
    weights = list(made_hdf5.files())
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for data in (weights[2], weights[3], b"\x89HDF\r\n\x1a\n" + bytes(120)):
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", compression) as archive:
                put_member(archive, "metadata.json", json.dumps({"keras_version": "3.8.0"}))
                put_member(archive, "config.json", json.dumps(TINY_KERAS))
                put_member(archive, "model.weights.h5", data)
            yield file.getvalue()


def hdf5():
    return made_hdf5.files()


def onnx():
    return made_onnx.files()


# ---- tables, cards, runs


def csv():
    yield b"path,label,split\na/1.jpg,cat,train\nb/2.jpg,dog,val\n"
    yield b'file;class\n"a;1.jpg";"c""at"\r\nb.jpg; dog \n'
    yield b"id\tbreed\tis_valid\n17\tpug\tTrue\n18\thusky\t0\n"
    yield "\ufeffimage,category\nä.png,Käfer\n".encode()


def lists():
    """The first byte is the layout's number in lists.c."""
    yield b"\0# name breed species\nA_1 1 1 1\nb_2 2 2 1\n"
    yield b"\1a/1\nb/2\n"
    yield b'\2{"a": ["a/1"], "b": ["b/2"]}'
    yield b"\3val_0.JPEG\tn1\t0\t32\t44\t62\n"
    yield b"\4n1\tant, Formica\nn2\tbee\n"
    yield b"\0051.JPEG 1\n1.JPEG n2\n"
    yield b"\6ImageId,PredictionString\n1,n2 1 2 3 4\n"
    yield b"\0071\n2\n"
    yield b"\x08n1 1 ant\nn2 2 bee\n"
    yield b"\t\1\0\2"
    yield b'\n{"cls": 0, "label": "ant"}'


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
        yield "\n".join(["resnet18", json.dumps(["ant", "bee"]), "", json.dumps(preprocess)]).encode()
    labels = {"task": "labels", "loss": "sigmoid", "thresholds": [0.25, 1]}
    number = {"task": "number", "loss": "l2", "mean": 41.5, "deviation": 12}
    for names, target in ((["ant", "bee"], labels), (["age"], number)):
        yield "\n".join(["resnet18", json.dumps(names), json.dumps(target), json.dumps(dict(PREPROCESS, transforms=steps))]).encode()


def hub():
    whole = {"input_size": [3, 224, 224], "fixed_input_size": True, "interpolation": "bicubic", "crop_pct": 0.95}
    whole.update(crop_mode="center", mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5])
    yield json.dumps({"architecture": "resnet50", "model_args": {"img_size": 288}, "pretrained_cfg": whole}).encode()
    yield json.dumps(dict(whole, architecture="resnet50.a1_in1k", crop_mode="squash", crop_pct=1)).encode()
    yield json.dumps({"architectures": ["ResNetForImageClassification"], "model_type": "resnet"}).encode()


def run():
    """As they stand in a run folder; of config.json's entries those that every run has."""
    header = os.path.join(os.path.dirname(__file__), "..", "..", "include", "graft", "recipe.def")
    with open(header, encoding="utf-8") as file:
        config = {name: None for name in re.findall(r"^GRAFT_RECIPE_ROW\(\w+, (\w+)", file.read(), re.M)}
    stages = [{"from": "head", "epochs": 2, "learning_rate": 0.001, "micro_batch": None}]
    config.update(classes=["ant", "bee"], network="resnet18", data="photos", stages=stages, seed=7)
    config.update(learning_rate=0.001, batch=32, optimizer="adam", augment="none", archive_limit=1000)
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
