#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""grad_cam_golden.py DATA: writes grad_cam.def, the maps that explain_golden_test holds Graft's against.

By PyTorch in f64, from the definitions in graft/explain.h: hooks on a module of torchvision's networks keep what it
gives and its gradient, and NumPy makes maps of these. Made by hand, in a virtual environment that has torch,
torchvision, safetensors and pillow; no test runs it. SqueezeNet has its real weights and a photograph of DATA, the others formula
weights and a drawn picture (README of the test data).
"""
import pathlib
import sys

import numpy
import torch
import torchvision
from safetensors.numpy import load_file

PHOTO = "data/imagenet-samples/n01534433_junco.JPEG"
MEAN, STD = numpy.array([0.485, 0.456, 0.406]), numpy.array([0.229, 0.224, 0.225])
# The module whose result is looked at.
NETWORKS = {"squeezenet1_0": "features.12", "resnet18": "layer4", "vgg16": "features.30", "mobilenet_v2": "features.18",
            "densenet121": "features.relu5", "vit_b_16": "encoder.layers.encoder_layer_11.ln_1"}


def uniform(name, count):
    h = numpy.uint64(14695981039346656037)
    with numpy.errstate(over="ignore"):
        for byte in name.encode():
            h = (h ^ numpy.uint64(byte)) * numpy.uint64(1099511628211)
        z = h + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z ^= z >> numpy.uint64(30)
        z *= numpy.uint64(0xBF58476D1CE4E5B9)
        z ^= z >> numpy.uint64(27)
        z *= numpy.uint64(0x94D049BB133111EB)
        z ^= z >> numpy.uint64(31)
    return (z >> numpy.uint64(40)).astype("f8") / 2**23 - 1


def formula(network, name, shape):
    u = uniform(name, int(numpy.prod(shape))).reshape(shape)
    if name.endswith("running_var"):
        x = 1 + 0.5 * u
    elif name.endswith(("running_mean", "bias")):
        x = 0.1 * u
    elif name.endswith(("class_token", "pos_embedding")):
        x = 0.5 * u
    elif len(shape) >= 2:
        x = u * numpy.sqrt(6 / (u.size // shape[0]))
    else:
        x = (0.3 if "resne" in network and name.endswith(("bn2.weight", "bn3.weight")) else 1) * (1 + 0.1 * u)
    return torch.from_numpy(x.astype("f4").astype("f8"))


def drawn_picture(side):
    """[side, side, 3], bytes: the first input of the zoo, brought into range."""
    at = 8 * numpy.arange(side) // side
    blocks = uniform("input.blocks", 2 * 3 * 64).reshape(2, 3, 8, 8)[0][:, at[:, None], at[None, :]]
    noise = uniform("input.noise", 2 * 3 * side * side).reshape(2, 3, side, side)[0]
    x = (blocks + 0.25 * noise).astype("f4").astype("f8")
    return numpy.clip(numpy.floor(127.5 + 80 * x + 0.5), 0, 255).astype("u1").transpose(1, 2, 0)


def photograph(data, side):
    from PIL import Image
    from torchvision.transforms import functional
    picture = functional.resize(Image.open(data / PHOTO).convert("RGB"), 256)
    return numpy.asarray(functional.center_crop(picture, side))


def maps(features, gradient):
    """[places, channels] each → the three maps, by name."""
    mean = gradient.mean(0)
    below = 2 * gradient**2 + gradient**3 * features.sum(0)
    alpha = numpy.where((gradient != 0) & (below != 0), gradient**2 / numpy.where(below == 0, 1, below), 0)
    plus = (alpha * numpy.maximum(gradient, 0)).sum(0)
    return {"GRADCAM": numpy.maximum(features @ mean, 0), "GRADCAM_PLUS": numpy.maximum(features @ plus, 0),
            "LAYERCAM": numpy.maximum((features * numpy.maximum(gradient, 0)).sum(1), 0)}


def explain(data, name):
    network = getattr(torchvision.models, name)(weights=None).double().eval()
    for module in network.modules():  # hooks want results that nothing overwrites
        if hasattr(module, "inplace"):
            module.inplace = False
    if name == "squeezenet1_0":
        state = {k: torch.from_numpy(v).double()
                 for k, v in load_file(data / "data/squeezenet1_0-imagenet.safetensors").items()}
        pixels = photograph(data, 227)
    else:
        state = {k: formula(name, k, v.shape) for k, v in network.state_dict().items() if v.is_floating_point()}
        pixels = drawn_picture(224)
    if name == "densenet121":  # its last relu is no module
        network.features.add_module("relu5", torch.nn.ReLU())
        network.forward = lambda x: network.classifier(network.features(x).mean((2, 3)))
    missing = network.load_state_dict(state, strict=False)
    assert all(key.endswith("num_batches_tracked") for key in missing.missing_keys) and not missing.unexpected_keys
    kept = []

    def keep(module, arguments, result):
        result.retain_grad()
        kept.append(result)

    network.get_submodule(NETWORKS[name]).register_forward_hook(keep)
    x = torch.from_numpy(((pixels / 255 - MEAN) / STD).transpose(2, 0, 1).copy())[None].requires_grad_()
    logits = network(x)[0]
    chosen = int(logits.argmax())
    logits[chosen].backward()
    features, gradient = (t.detach()[0] for t in (kept[0], kept[0].grad))
    if features.dim() == 3:
        height, width = features.shape[1:]
        features, gradient = (t.flatten(1).T for t in (features, gradient))
    else:  # tokens, the first of which is the class's
        height = width = int((features.shape[0] - 1) ** 0.5)
        features, gradient = features[1:], gradient[1:]
    found = {method: m.reshape(height, width) for method, m in maps(features.numpy(), gradient.numpy()).items()}
    return chosen, float(logits[chosen].detach()), found


def main():
    torch.manual_seed(1)
    data = pathlib.Path(sys.argv[1])
    with open(pathlib.Path(__file__).with_name("grad_cam.def"), "w", encoding="utf-8") as file:
        file.write("/* SPDX-License-Identifier: MIT */\n"
                   f"/* Written by grad_cam_golden.py with PyTorch {torch.__version__.split('+')[0]} in f64:\n"
                   " * GOLDEN(network, method, most probable class, height, width, map in rows) */\n")
        for name in NETWORKS:
            chosen, logit, found = explain(data, name)
            print(name, chosen, logit, {method: float(m.max()) for method, m in found.items()}, flush=True)
            for method, m in found.items():
                assert m.max() > 0, name
                file.write(f"GOLDEN({name}, {method}, {chosen}, {m.shape[0]}, {m.shape[1]},\n")
                rows = [", ".join(f"{x:.6g}" for x in row) for row in m]
                file.write(",\n".join("       " + row for row in rows) + ")\n")


main()
