# SPDX-License-Identifier: MIT
"""ONNX's ops that move elements, sum them up, or train."""
import math

import numpy

from net import Skip, handles, need, pixels

# ---- moving elements


@handles("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity")
def reshape(node, net):
    net.want(net.reshape(net.value(node.input(0)), node.outputs[0].shape), node.outputs[0])


@handles("Transpose")
def transpose(node, net):
    x = node.input(0)
    net.want(net.op("transpose", net.value(x), order=node.get("perm", list(range(x.ndim))[::-1])), node.outputs[0])


@handles("DepthToSpace", "SpaceToDepth")
def depth_to_space(node, net):
    x, size = node.input(0), node.get("blocksize")
    n, c, h, w = x.shape
    depth_first = node.get("mode", "DCR") == "DCR"
    if node.op == "SpaceToDepth":
        split = (n, c, h // size, size, w // size, size)
        order = (0, 3, 5, 1, 2, 4) if depth_first else (0, 1, 3, 5, 2, 4)
    elif depth_first:
        split, order = (n, size, size, c // size ** 2, h, w), (0, 3, 4, 1, 5, 2)
    else:
        split, order = (n, c // size ** 2, size, size, h, w), (0, 1, 4, 2, 5, 3)
    y = net.op("transpose", net.reshape(net.value(x), split), order=order)
    net.want(net.reshape(y, node.outputs[0].shape), node.outputs[0])


@handles("Expand")
def expand(node, net):
    net.want(net.op("broadcast", net.value(node.input(0)), shape=node.outputs[0].shape, scale=1), node.outputs[0])


@handles("Gather")
def gather(node, net):
    x, index = node.input(0), node.input(1)
    axis = node.get("axis", 0) % x.ndim
    rows = numpy.moveaxis(x, axis, 0)
    y = net.op("gather", net.value(rows), net.value(numpy.where(index < 0, index + len(rows), index).reshape(-1)))
    at = range(index.ndim)
    want = numpy.moveaxis(node.outputs[0], [axis + i for i in at], list(at))
    net.want(y, want.reshape(-1, *rows.shape[1:]))


@handles("Concat")
def concat(node, net):
    axis = node.get("axis") % node.input(0).ndim
    net.want(net.op("concat", *[net.value(array) for array in node.inputs], axis=axis), node.outputs[0])


def cut(net, value, begin, size, step):
    return net.op("slice", value, begin=begin, size=size, step=step)


@handles("Slice")
def slice_(node, net):
    x, y = node.input(0), node.outputs[0]
    starts, ends = node.input(1), node.input(2)
    axes = node.input(3) if node.input(3) is not None else range(len(starts))
    steps = node.input(4) if node.input(4) is not None else [1] * len(starts)
    begin, step = [0] * x.ndim, [1] * x.ndim
    for start, end, axis, stride in zip(starts, ends, axes, steps):
        if stride < 0:
            raise Skip("slices that run backwards")
        first, _, _ = slice(int(start), int(end)).indices(x.shape[axis])
        begin[axis], step[axis] = first, int(stride)
    net.want(cut(net, net.value(x), begin, y.shape, step), y)


@handles("Split")
def split(node, net):
    x, axis = node.input(0), node.get("axis", 0) % node.input(0).ndim
    value, at = net.value(x), 0
    for y in node.outputs:
        begin = [0] * x.ndim
        begin[axis] = at
        net.want(cut(net, value, begin, y.shape, [1] * x.ndim), y)
        at += y.shape[axis]


@handles("Pad")
def pad(node, net):
    x, pads, value, axes = node.input(0), node.input(1), node.input(2), node.input(3)
    if node.get("mode", "constant") != "constant":
        raise Skip(f"padding of mode {node.get('mode')}")
    if min(pads) < 0:
        raise Skip("negative padding")
    axes = [int(a) % x.ndim for a in axes] if axes is not None else list(range(x.ndim))
    before, after = [0] * x.ndim, [0] * x.ndim
    for i, axis in enumerate(axes):
        before[axis], after[axis] = int(pads[i]), int(pads[i + len(axes)])
    number = 0.0 if value is None else float(value)
    net.want(net.op("pad", net.value(x), before=before, after=after, value=number), node.outputs[0])


@handles("Resize", "Upsample")
def resize(node, net):
    x, y = node.input(0), node.outputs[0]
    mode = node.get("mode", "nearest")
    place = node.get("coordinate_transformation_mode", "half_pixel" if node.op == "Resize" else "asymmetric")
    nearest = node.get("nearest_mode", "round_prefer_floor" if node.op == "Resize" else "floor")
    if node.get("antialias", 0) or node.get("exclude_outside", 0):
        raise Skip("resize with antialias or exclude_outside")
    if x.ndim != 4 or x.shape[:2] != y.shape[:2]:
        raise Skip("resize of other than height and width")
    if mode not in ("nearest", "linear"):
        raise Skip(f"resize of mode {mode}")
    scales = node.input(2) if node.op == "Resize" else node.input(1)
    if scales is not None and scales.size and any(
            float(s) * x.shape[2 + i] != y.shape[2 + i] for i, s in enumerate(scales[-2:])):
        raise Skip("resize by a scale that is not the ratio of the sizes")
    if mode == "nearest" and (place, nearest) != ("asymmetric", "floor"):
        raise Skip(f"nearest of {place}, {nearest}: PyTorch's is asymmetric, floor")
    if mode == "linear" and place not in ("half_pixel", "align_corners") and not (
            place == "pytorch_half_pixel" and min(y.shape[2:]) > 1):
        raise Skip(f"linear of {place}")
    y_value = net.op("resize", net.value(pixels(x)), mode=need("RESIZE_" + {"nearest": "NEAREST",
                     "linear": "BILINEAR"}[mode], mode), align_corners=place == "align_corners", size=y.shape[2:])
    net.want(y_value, pixels(y))


# ---- sums

REDUCE = {"ReduceSum": (None, "SUM", None), "ReduceMean": (None, "MEAN", None), "ReduceL1": ("ABS", "SUM", None),
          "ReduceL2": ("SQUARE", "SUM", "SQRT"), "ReduceSumSquare": ("SQUARE", "SUM", None),
          "ReduceLogSum": (None, "SUM", "LOG"), "ReduceLogSumExp": ("EXP", "SUM", "LOG")}


@handles(*REDUCE)
def reduce(node, net):
    x, y = node.input(0), node.outputs[0]
    axes = node.input(1) if node.input(1) is not None else node.get("axes")
    before, kind, after = REDUCE[node.op]
    if axes is None or len(axes) == 0:
        axes = [] if node.get("noop_with_empty_axes", 0) else range(x.ndim)
    value = net.value(x)
    if before == "SQUARE":
        value = net.binary("MUL", value, value)
    elif before:
        value = net.unary(before, value)
    value = net.reduce(value, kind, [int(a) % x.ndim for a in axes], node.get("keepdims", 1))
    net.want(net.unary(after, value) if after else value, y)


# ---- training


@handles("Dropout")
def dropout(node, net):
    x, ratio, training = node.input(0), node.input(1), node.input(2)
    share = float(ratio) if ratio is not None else node.get("ratio", 0.5)
    if training is not None and bool(training) and share > 0:
        raise Skip("dropout with ONNX's random numbers")
    if training is None or not bool(training):
        share = 0  # inference: the value itself
    y = net.op("dropout", net.value(x), net.value(numpy.int32([1])), probability=share)
    net.want(y, node.outputs[0])


@handles("Momentum")
def momentum(node, net):
    rate, step = float(node.input(0)), int(node.input(1))
    count = (len(node.inputs) - 2) // 3
    if node.get("beta") != 1 and step > 0:
        raise Skip("momentum that weighs the gradient")
    for i in range(count):
        x, g, v = (node.input(2 + i + k * count) for k in range(3))
        p, velocity = net.value(x, "parameter"), net.value(v, "state")
        hyper = net.value(numpy.float32([rate, 1, 1, 1]))
        net.op("sgd", p, net.value(g), velocity, hyper, outputs=0, momentum=node.get("alpha"),
               weight_decay=node.get("norm_coefficient"), nesterov=node.get("mode") == "nesterov")
        net.want(p, node.outputs[i])
        net.want(velocity, node.outputs[i + count])


@handles("Adam")
def adam(node, net):
    """ONNX adds epsilon before it corrects the second moment, so ours is smaller by that factor."""
    rate, step = float(node.input(0)), int(node.input(1))
    if node.get("norm_coefficient_post", 0.0) != 0:
        raise Skip("adam that shrinks the new parameter")
    count = (len(node.inputs) - 2) // 4
    alpha, beta = node.get("alpha", 0.9), node.get("beta", 0.999)
    first, second = (1 - alpha ** step, 1 - beta ** step) if step > 0 else (1, 1)
    for i in range(count):
        x, g, v, h = (node.input(2 + i + k * count) for k in range(4))
        p, moment, square = net.value(x, "parameter"), net.value(v, "state"), net.value(h, "state")
        net.op("adam", p, net.value(g), moment, square, net.value(numpy.float32([rate, first, second, 1])), outputs=0,
               beta1=alpha, beta2=beta, epsilon=node.get("epsilon", 1e-6) / math.sqrt(second),
               weight_decay=node.get("norm_coefficient", 0.0))
        net.want(p, node.outputs[i])
        net.want(moment, node.outputs[i + count])
        net.want(square, node.outputs[i + 2 * count])
