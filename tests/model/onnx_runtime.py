#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""onnx_runtime.py BUILD [NETWORK]…: what `graft convert` writes as ONNX, by onnx's checker and by ONNX Runtime.

export_test writes the named networks with formula weights, pictures and Graft's logits; a fitted run is converted with
its preprocessing in the metadata and inside the graph. The packages go into a virtual environment in BUILD/onnx; where
PyPI cannot be reached it ends with 77, a skip.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools/onnx"))
PACKAGES = ["onnx==1.23.2", "onnxruntime==1.32.0", "numpy"]
LIMIT = 1e-4  # of the largest logit; a probability as it is
# Maps lie as ONNX has them, so a network of convolutions has no transposes. ConvNeXt normalizes the vectors of a map in
# each block and in four other places: two each; ShuffleNet shuffles channels in each of its units.
TRANSPOSES = {"convnext_tiny": 2 * 18 + 2 * 4, "shufflenet_v2_x0_5": 16}


def largest_difference(found, expected):
    import numpy
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return float(numpy.abs(found.astype("f8") - expected.astype("f8")).max())


def open_file(path):
    import onnx
    import onnxruntime
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    return model, onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def check_network(folder, name):
    """What is wrong, or None."""
    import numpy
    model, session = open_file(folder / (name + ".onnx"))
    expected, picture = (numpy.load(folder / f"{name}.{kind}.npy") for kind in ("logits", "input"))
    scale = float(numpy.abs(expected).max())
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    both = session.run(["logits"], {"input": picture})[0]
    one = session.run(["logits"], {"input": picture[1:]})[0]  # any batch
    worst = max(largest_difference(both, expected), largest_difference(one, expected[1:])) / scale
    matrices = {node.input[1] for node in model.graph.node if node.op_type == "MatMul"}
    transposes = [node.name for node in model.graph.node if node.op_type == "Transpose" and node.output[0] not in matrices]
    print(f"{name:24} logits {worst:.1e}, {len(model.graph.node)} nodes, {len(transposes)} transposes", flush=True)
    if not worst <= LIMIT:
        return f"{name}: ONNX Runtime's logits are off by {worst:.1e}"
    attends = name.startswith(("vit", "swin", "maxvit"))  # heads come before what they attend to, and go back
    if not attends and len(transposes) != TRANSPOSES.get(name, 0):
        return f"{name}: {len(transposes)} transposes: {transposes[:5]}"
    return None


def softmax(rows):
    import numpy
    powers = numpy.exp(rows - rows.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def check_run(graft, folder, model):
    """A fitted run with both kinds of preprocessing; pictures have the input's size, so that nothing is resized."""
    import numpy
    from command import draw_data, png

    def run(*arguments):
        done = subprocess.run([graft, *map(str, arguments)], cwd=folder, stdout=subprocess.PIPE, text=True)
        assert done.returncode == 0, arguments
        return done.stdout

    side, faults = 32, []
    draw_data(str(folder / "data"), 4, 2)
    run("fit", "data", "--model", model, "--input", side, "--epochs", 1, "--batch", 4, "--device", "cpu", "--out", "run",
        "--quiet")
    noise = random.Random(5)
    pixels = [[[[noise.randrange(256) for _ in range(3)] for _ in range(side)] for _ in range(side)] for _ in range(5)]
    for i, picture in enumerate(pixels):
        png(str(folder / f"{i}.png"), side, side, lambda x, y: picture[y][x])
    pictures = numpy.array(pixels, dtype="u1")
    files = [f"{i}.png" for i in range(len(pixels))]

    def logits(network):
        lines = run("predict", network, *files, "--logits", "--json", "--device", "cpu").splitlines()
        return numpy.array([json.loads(line)["logits"] for line in lines])

    expected = logits("run")
    for place in ("metadata", "inside"):
        path = folder / f"{place}.onnx"
        said = json.loads(run("convert", "run", path.name, "--preprocess", place, "--json"))
        model, session = open_file(path)
        texts = {entry.key: json.loads(entry.value) for entry in model.metadata_props if entry.key != "graft.network"}
        card = texts["graft.preprocess"]
        assert texts["graft.classes"] == ["blue", "red"]
        if place == "inside":
            assert said["input"] == [None, side, side, 3]
            found, wanted = session.run(["probabilities"], {"input": pictures})[0], softmax(expected)
        else:
            assert said["input"] == [None, 3, side, side]
            mean, std = (numpy.array(card[key], dtype="f4") for key in ("mean", "std"))
            values = (pictures / numpy.float32(255) - mean) / std
            found = session.run(["logits"], {"input": values.transpose(0, 3, 1, 2).astype("f4")})[0]
            wanted = expected
        scale = float(numpy.abs(wanted).max())
        worst = largest_difference(found, wanted) / scale
        own = largest_difference(logits(path.name), expected) / float(numpy.abs(expected).max())
        print(f"run, {place}: {worst:.1e}; read by Graft again {own:.1e}", flush=True)
        if not worst <= LIMIT or not own <= LIMIT:
            faults.append(f"run with its preprocessing {place}: off by {worst:.1e}, read again by {own:.1e}")
    return faults


def inside(build, names):
    """In the environment."""
    sys.argv = sys.argv[:1]  # of the command's tests, which look at it
    sys.path.append(str(ROOT / "tests/cli"))  # behind the packages: a test there is called onnx, too
    faults = []
    with tempfile.TemporaryDirectory(prefix="graft-onnx-") as scratch:
        folder = pathlib.Path(scratch)
        for name in names:
            done = subprocess.run([build / "tests/model/export_test", folder, name], stdout=subprocess.PIPE, text=True)
            if done.returncode != 0:
                print(done.stdout)
                faults.append(f"{name}: export_test fails")
                continue
            faults.append(check_network(folder, name))
            for path in folder.glob(name + ".*"):
                path.unlink()
        faults += check_run(build / "tools/graft", folder, "tiny_convnet")
    faults = [fault for fault in faults if fault]
    for fault in faults:
        print("FAILED " + fault)
    return 1 if faults else 0


def main():
    build, names = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    if names[:1] == ["--inside"]:
        return inside(build, names[1:])
    from environment import environment
    python = environment(build / "onnx" / "runtime", PACKAGES)
    if python is None:
        return 77
    return subprocess.run([python, "-B", __file__, build, "--inside", *names]).returncode


if __name__ == "__main__":
    sys.exit(main())
