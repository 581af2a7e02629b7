#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sides_golden.py [FILE]: writes sides.def, what sides_test holds Graft against: torchvision's networks on pictures that are not
square, of odd sides, with other classes and batches than usual.

By torchvision on PyTorch in f64: each network is made without weights and given formula weights (README of the test data; the rules
of tests/support are those of formula.c), sees as many formula pictures as its row says, and learns the labels (3 + 4 i) mod classes,
with nothing at random. Kept are the loss, the largest logit, the last picture's first eight, and of twelve parameters the norm and the
first element of their gradients. Made by hand, in a virtual environment that has torch and torchvision; no test runs it.
"""
import pathlib
import sys

import numpy
import torch
import torchvision
from formula_values import uniform

# Network, height, width, batch, classes, whose statistics: the batch's (train) or running ones (eval). None has an activation so
# near a kink that f32 on the other side of it would leave the bounds.
ROWS = """
alexnet 127 95 3 7 eval
squeezenet1_1 65 130 5 2 eval
resnet18 97 161 5 1001 eval
densenet121 65 97 1 37 eval
mobilenet_v3_large 97 65 1 37 eval
efficientnet_b0 96 160 3 7 train
regnet_y_800mf 33 65 3 7 train
shufflenet_v2_x1_0 65 97 1 1001 eval
convnext_tiny 75 130 1 1001 eval
swin_t 100 250 1 37 train
swin_v2_t 64 160 3 7 eval
"""
LISTED = 12 # parameters
FIRST = 8 # logits
BUFFERS = ("num_batches_tracked", "relative_position_index", "relative_coords_table")


def formula(network, name, shape):
    """The rules of formula.c, as far as these networks need them."""
    u = uniform(name, int(numpy.prod(shape))).reshape(shape)
    if name.endswith("running_var"):
        x = 1 + 0.5 * u
    elif name.endswith(("running_mean", "bias")):
        x = 0.1 * u
    elif name.endswith(("layer_scale", "f.c.1.weight")):
        x = 0.3 * (1 + 0.1 * u)
    elif name.endswith("logit_scale"):
        x = 2.3 + u
    elif len(shape) >= 2:
        x = u * numpy.sqrt(6 / (u.size // shape[0]))
    else:
        x = (0.3 if "resne" in network and name.endswith(("bn2.weight", "bn3.weight")) else 1) * (1 + 0.1 * u)
    return torch.from_numpy(x.astype("f4").astype("f8"))


def pictures(count, height, width):
    rows, columns = 8 * numpy.arange(height) // height, 8 * numpy.arange(width) // width
    blocks = uniform("input.blocks", count * 3 * 64).reshape(count, 3, 8, 8)[:, :, rows[:, None], columns[None, :]]
    noise = uniform("input.noise", count * 3 * height * width).reshape(count, 3, height, width)
    return torch.from_numpy((blocks + 0.25 * noise).astype("f4").astype("f8"))


def golden(name, height, width, batch, classes, mode):
    model = torchvision.models.get_model(name, weights=None, num_classes=classes)
    state = model.state_dict()
    for key in state:
        if not key.endswith(BUFFERS):
            state[key] = formula(name, key, tuple(state[key].shape))
    model.double().load_state_dict(state)
    for module in model.modules():
        if isinstance(module, (torch.nn.Dropout, torchvision.ops.StochasticDepth)):
            module.p = 0.0
    logits = model.train(mode == "train")(pictures(batch, height, width))
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([(3 + 4 * i) % classes for i in range(batch)]))
    loss.backward()
    gradients = [(key, p.grad) for key, p in model.named_parameters()]
    # Some are 0 but for rounding: of a bias that a batch normalization behind it takes away again.
    largest = max(gradient.norm() for _, gradient in gradients)
    gradients = [(key, gradient) for key, gradient in gradients if gradient.norm() > 1e-6 * largest]
    first = (logits[-1].tolist() + [0.0] * FIRST)[:FIRST]
    text = (f"SIDES({name}, {height}, {width}, {batch}, {classes}, {mode}, {loss.item():.9g}, {logits.abs().max():.9g},\n      "
            f"{', '.join(f'{x:.9g}' for x in first)})\n")
    for i in range(LISTED):
        key, gradient = gradients[int(i * (len(gradients) - 1) / (LISTED - 1) + 0.5)]
        text += f"SIDES_GRADIENT({name}, {key}, {gradient.norm():.9g}, {gradient.flatten()[0]:.9g})\n"
    return text


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("sides.def")
    text = f"""/* SPDX-License-Identifier: MIT */
/* Written by sides_golden.py with torchvision {torchvision.__version__.split('+')[0]} and PyTorch {torch.__version__.split('+')[0]} in f64:
 * SIDES(network, height, width, batch, classes, whose statistics, loss, largest logit, the last picture's first eight), and of it
 * SIDES_GRADIENT(network, parameter, norm of its gradient, the first element) */
/* clang-format off */
"""
    for line in filter(None, ROWS.split("\n")):
        name, *numbers, mode = line.split()
        text += golden(name, *map(int, numbers), mode)
    path.write_text(text)


if __name__ == "__main__":
    main()
