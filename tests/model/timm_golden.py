#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""timm_golden.py [FILE]: writes timm.def, what timm_test holds Graft's reading of timm's weights against.

By timm on PyTorch in f64: each network is made without weights and given formula weights by its own tensors' names (README
of the test data; the rules of ResNet, which keep deep networks calm), and sees the first formula picture. Kept are how many tensors
its state_dict has (counters and buffers left out), a hash of their sorted names and shapes, eight logits, the largest and the root
of the mean square. Rows that FILE has are not made again. Made by hand, in a virtual environment that has torch and timm; no
test runs it.
"""
import pathlib
import re
import sys

import numpy
import timm
import torch
from formula_values import fnv, uniform

# Network here, network of timm, side of the picture.
NETWORKS = """
resnet18 resnet18 32
resnet26 resnet26 32
regnet_y_400mf regnety_004 32
efficientnet_b0 efficientnet_b0 64
efficientnet_b5 efficientnet_b5 64
efficientnet_v2_s efficientnetv2_s 64
mobilenet_v2 mobilenetv2_100 64
mobilenet_v3_large mobilenetv3_large_100 64
mobilenet_v3_small mobilenetv3_small_100 64
mnasnet0_5 mnasnet_050 64
tf_efficientnet_b0 tf_efficientnet_b0 65
tf_efficientnet_b3 tf_efficientnet_b3 64
tf_efficientnetv2_b1 tf_efficientnetv2_b1 63
tf_efficientnetv2_s tf_efficientnetv2_s 64
mobilenetv2_050 mobilenetv2_050 64
mobilenetv2_140 mobilenetv2_140 33
mobilenetv3_large_100 mobilenetv3_large_100 65
mobilenetv3_small_050 mobilenetv3_small_050 64
mobilenetv3_small_075 mobilenetv3_small_075 64
tf_mobilenetv3_large_075 tf_mobilenetv3_large_075 65
tf_mobilenetv3_small_100 tf_mobilenetv3_small_100 64
densenet121 densenet121 64
convnext_tiny convnext_tiny 32
convnext_atto convnext_atto 64
convnext_nano convnext_nano 32
vit_tiny_patch16_224 vit_tiny_patch16_224 224
deit_tiny_patch16_224 deit_tiny_patch16_224 224
swin_t swin_tiny_patch4_window7_224 224
swin_v2_t swinv2_tiny_window8_256 256
"""
BUFFERS = ("num_batches_tracked", "relative_position_index", "relative_coords_table", "attn_mask")


def formula(name, shape):
    u = uniform(name, int(numpy.prod(shape))).reshape(shape)
    if name.endswith("running_var"):
        x = 1 + 0.5 * u
    elif name.endswith(("running_mean", "bias")):
        x = 0.1 * u
    elif name.endswith(("cls_token", "pos_embed")):
        x = 0.5 * u
    elif name.endswith("logit_scale"):
        x = 2.3 + u
    elif len(shape) >= 2:
        x = u * numpy.sqrt(6 / (u.size // shape[0]))
    else:
        x = (0.3 if name.endswith(("bn2.weight", "bn3.weight")) else 1) * (1 + 0.1 * u)
    return torch.from_numpy(x.astype("f4").astype("f8"))


def picture(side):
    at = 8 * numpy.arange(side) // side
    blocks = uniform("input.blocks", 2 * 3 * 64).reshape(2, 3, 8, 8)[:1][:, :, at[:, None], at[None, :]]
    noise = uniform("input.noise", 2 * 3 * side * side).reshape(2, 3, side, side)[:1]
    return torch.from_numpy((blocks + 0.25 * noise).astype("f4").astype("f8"))


def tensor_names(tensors):
    """Sorted, with shapes but for ones at the end: [c, 1, 1] is [c]."""
    lines = []
    for name, shape in tensors.items():
        while len(shape) > 1 and shape[-1] == 1:
            shape = shape[:-1]
        lines.append(" ".join([name, *map(str, shape)]) + "\n")
    return "".join(sorted(lines))


def golden(ours, theirs, side):
    model = timm.create_model(theirs, pretrained=False).eval().double()
    state = model.state_dict()
    weights = {name: formula(name, tuple(tensor.shape)) for name, tensor in state.items() if not name.endswith(BUFFERS)}
    model.load_state_dict({**state, **weights})
    with torch.no_grad():
        logits = model(picture(side))[0].numpy()
    digest = fnv(tensor_names({name: tuple(tensor.shape) for name, tensor in weights.items()}))
    first = ", ".join(f"{x:.9g}" for x in logits[:8])
    return (f"TIMM({ours}, {theirs}, {side}, {len(weights)}, UINT64_C(0x{digest:016x}), {abs(logits).max():.9g},\n"
            f"     {numpy.sqrt((logits**2).mean()):.9g}, {first})\n")


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("timm.def")
    text = f"""/* SPDX-License-Identifier: MIT */
/* Written by timm_golden.py with timm {timm.__version__} and PyTorch {torch.__version__.split('+')[0]} in f64:
 * TIMM(network, timm's, side of the picture, tensors, hash of names and shapes, largest logit, root of their mean square,
 *      the first eight) */
/* clang-format off */
"""
    old = path.read_text() if path.exists() else ""
    known = {row.groups(): row[0] for row in re.finditer(r"TIMM\((\w+), (\w+), (\d+), .*\n.*\n", old)}
    for line in filter(None, NETWORKS.split("\n")):
        row = tuple(line.split())
        text += known.get(row) or golden(row[0], row[1], int(row[2]))
    path.write_text(text)


main()
