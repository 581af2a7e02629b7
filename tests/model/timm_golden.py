#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""timm_golden.py [FILE]: writes timm.def, what timm_test holds Graft's reading of timm's weights against.

By timm on PyTorch in f64: each network is made without weights and given formula weights by its own tensors' names (README
of the test data; the rules of ResNet, which keep deep networks calm), and sees the first formula picture. Kept are how many tensors
its state_dict has (counters and buffers left out), a hash of their sorted names and shapes, eight logits, the largest and the root
of the mean square. For GRADIENTS, with both formula pictures: the loss for the labels 3 and 7, and of twelve parameters the norm
and the first element of its gradient. For each name of timm's that models.def has: tensors, hash, and how pictures are prepared
for the weights that it names first. Rows that FILE has are not made again. Made by hand, in a virtual environment that has torch
and timm; no test runs it.
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
regnetx_002 regnetx_002 64
regnety_008 regnety_008 64
tf_mobilenetv3_small_minimal_100 tf_mobilenetv3_small_minimal_100 65
tf_mobilenetv3_large_minimal_100 tf_mobilenetv3_large_minimal_100 64
mobilenetv2_035 mobilenetv2_035 64
swin_s3_tiny_224 swin_s3_tiny_224 224
swinv2_tiny_window16_256 swinv2_tiny_window16_256 256
swinv2_base_window12to16_192to256 swinv2_base_window12to16_192to256 256
maxvit_tiny_tf_224 maxvit_tiny_tf_224 224
"""
# Network here, network of timm, side, whose statistics: the batch's (train) or running ones (eval).
GRADIENTS = """
efficientnet_b5 efficientnet_b5 64 eval
tf_efficientnet_b0 tf_efficientnet_b0 65 train
tf_efficientnetv2_b0 tf_efficientnetv2_b0 64 train
mobilenetv2_035 mobilenetv2_035 64 eval
mobilenetv3_small_050 mobilenetv3_small_050 64 train
tf_mobilenetv3_small_minimal_100 tf_mobilenetv3_small_minimal_100 65 train
regnetx_002 regnetx_002 64 train
regnety_002 regnety_002 64 train
resnet26 resnet26 64 train
convnext_atto convnext_atto 64 train
vit_tiny_patch16_224 vit_tiny_patch16_224 224 train
swin_s3_tiny_224 swin_s3_tiny_224 224 train
swinv2_tiny_window16_256 swinv2_tiny_window16_256 256 train
maxvit_tiny_tf_224 maxvit_tiny_tf_224 224 train
"""
LISTED = 12 # parameters
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
    elif name.endswith("conv3_1x1.weight"):
        x = 0.2 * u * numpy.sqrt(6 / (u.size // shape[0]))
    elif len(shape) >= 2:
        x = u * numpy.sqrt(6 / (u.size // shape[0]))
    else:
        x = (0.3 if name.endswith(("bn2.weight", "bn3.weight")) else 1) * (1 + 0.1 * u)
    return torch.from_numpy(x.astype("f4").astype("f8"))


def pictures(side):
    at = 8 * numpy.arange(side) // side
    blocks = uniform("input.blocks", 2 * 3 * 64).reshape(2, 3, 8, 8)[:, :, at[:, None], at[None, :]]
    noise = uniform("input.noise", 2 * 3 * side * side).reshape(2, 3, side, side)
    return torch.from_numpy((blocks + 0.25 * noise).astype("f4").astype("f8"))


def tensor_names(tensors):
    """Sorted, with shapes but for ones at the end: [c, 1, 1] is [c]."""
    lines = []
    for name, shape in tensors.items():
        while len(shape) > 1 and shape[-1] == 1:
            shape = shape[:-1]
        lines.append(" ".join([name, *map(str, shape)]) + "\n")
    return "".join(sorted(lines))


def shapes(model):
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items() if not name.endswith(BUFFERS)}


def named(theirs):
    """Without classes of its own, and without what is random in training."""
    return timm.create_model(theirs, pretrained=False, num_classes=1000, drop_rate=0.0, **(
        {"drop_path_rate": 0.0} if theirs.startswith(("swin", "vit", "maxvit", "convnext", "regnet")) else {}))


def filled(theirs):
    model = named(theirs).eval().double()
    weights = {name: formula(name, shape) for name, shape in shapes(model).items()}
    model.load_state_dict({**model.state_dict(), **weights})
    return model


def golden(ours, theirs, side):
    model = filled(theirs)
    weights = shapes(model)
    with torch.no_grad():
        logits = model(pictures(side)[:1])[0].numpy()
    first = ", ".join(f"{x:.9g}" for x in logits[:8])
    return (f"TIMM({ours}, {theirs}, {side}, {len(weights)}, UINT64_C(0x{fnv(tensor_names(weights)):016x}), "
            f"{abs(logits).max():.9g},\n     {numpy.sqrt((logits**2).mean()):.9g}, {first})\n")


def gradients(ours, theirs, side, mode):
    model = filled(theirs).train(mode == "train")
    loss = torch.nn.functional.cross_entropy(model(pictures(side)), torch.tensor([3, 7]))
    loss.backward()
    all_of_them = [(name, p.grad) for name, p in model.named_parameters()]
    # Some are 0 but for rounding: of a bias that a batch normalization behind it takes away again.
    largest = max(gradient.norm() for _, gradient in all_of_them)
    all_of_them = [(name, gradient) for name, gradient in all_of_them if gradient.norm() > 1e-6 * largest]
    text = f"TIMM_GRADIENTS({ours}, {theirs}, {side}, {mode}, {loss.item():.9g})\n"
    for i in range(LISTED):
        name, gradient = all_of_them[int(i * (len(all_of_them) - 1) / (LISTED - 1) + 0.5)]
        text += f"TIMM_GRADIENT({theirs}, {name}, {gradient.norm():.9g}, {gradient.flatten()[0]:.9g})\n"
    return text


def facts(theirs):
    with torch.device("meta"):
        weights = shapes(named(theirs))
    config = timm.get_pretrained_cfg(theirs)
    side = config.input_size[1]
    return (f"TIMM_FACTS({theirs}, {len(weights)}, UINT64_C(0x{fnv(tensor_names(weights)):016x}), "
            f"{int(side / config.crop_pct)}, {side}, {config.interpolation}, {config.mean[0]:.4g}, {config.std[0]:.4g})\n")


def names_in_common():
    """What models.def lists, and timm has; but VGG, whose dense layers are convolutions in its files."""
    models = (pathlib.Path(__file__).parents[2] / "src/model/models.def").read_text()
    ours = re.findall(r"^GRAFT_(?:MODEL|ALIAS)\((\w+), ", models, re.MULTILINE)
    return [name for name in ours if name in timm.list_models(exclude_filters="vgg*")]


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("timm.def")
    text = f"""/* SPDX-License-Identifier: MIT */
/* Written by timm_golden.py with timm {timm.__version__} and PyTorch {torch.__version__.split('+')[0]} in f64:
 * TIMM(network, timm's, side of the picture, tensors, hash of names and shapes, largest logit, root of their mean square,
 *      the first eight)
 * TIMM_GRADIENTS(network, timm's, side, whose statistics, loss), and of it
 * TIMM_GRADIENT(timm's, parameter, norm of its gradient, the first element)
 * TIMM_FACTS(timm's, tensors, hash, short side, crop, filter, the first mean, the first deviation) */
/* clang-format off */
"""
    old = path.read_text() if path.exists() else ""
    known = {row.groups(): row[0] for row in re.finditer(r"TIMM\((\w+), (\w+), (\d+), .*\n.*\n", old)}
    for line in filter(None, NETWORKS.split("\n")):
        row = tuple(line.split())
        text += known.get(row) or golden(row[0], row[1], int(row[2]))
    known = {row.groups(): row[0] for row in
             re.finditer(r"TIMM_GRADIENTS\((\w+), (\w+), (\d+), (\w+), .*\n(?:TIMM_GRADIENT\(.*\n)+", old)}
    for line in filter(None, GRADIENTS.split("\n")):
        row = tuple(line.split())
        text += known.get(row) or gradients(row[0], row[1], int(row[2]), row[3])
    known = {row[1]: row[0] for row in re.finditer(r"TIMM_FACTS\((\w+), .*\n", old)}
    for name in names_in_common():
        text += known.get(name) or facts(name)
    path.write_text(text)


if __name__ == "__main__":
    main()
