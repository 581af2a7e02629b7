# SPDX-License-Identifier: MIT
"""ONNX's ops that compute: products, functions, pooling, normalization, losses."""
import math

import numpy

from net import Skip, channels_last, handles, pair, pixels, window

# ---- products


@handles("Conv")
def conv(node, net):
    x, w, bias = node.input(0), node.input(1), node.input(2)
    stride, dilation, pad = window(node, x, pair(w.shape[2:], w.ndim - 2, 1))
    inputs = [net.value(pixels(x)), net.value(pixels(w), "parameter")]
    if bias is not None:
        inputs.append(net.value(bias, "parameter"))
    y = net.op("conv2d", *inputs, stride=stride, dilation=dilation, pad=pad, groups=node.get("group", 1))
    net.want(y, pixels(node.outputs[0]))


@handles("ConvTranspose")
def conv_transpose(node, net):
    """The gradient of a convolution for its input: y is what the convolution saw, x its output."""
    x, w, bias, y = node.input(0), node.input(1), node.input(2), node.outputs[0]
    spatial = x.ndim - 2
    kernel = pair(w.shape[2:], w.ndim - 2, 1)
    if spatial not in (1, 2):
        raise Skip(f"{spatial} spatial dimensions")
    stride, dilation = pair(node.get("strides"), spatial, 1), pair(node.get("dilations"), spatial, 1)
    size = pair(y.shape[2:], spatial, 1)
    pads, node_shape = node.get("pads"), node.get("output_shape")
    extra = pair(node.get("output_padding"), spatial, 0)
    total = [stride[i] * (pair(x.shape[2:], spatial, 1)[i] - 1) + extra[i] + (kernel[i] - 1) * dilation[i] + 1 - size[i]
             for i in range(2)]
    if pads is None or node_shape is not None or node.get("auto_pad", "NOTSET") != "NOTSET":
        lower = node.get("auto_pad", "NOTSET") != "SAME_UPPER"
        begin = [t - t // 2 if lower else t // 2 for t in total]
    else:
        begin = pair(pads[:spatial], spatial, 0)
    end = [max(total[i] - begin[i] - extra[i], 0) for i in range(2)]
    if min(begin) < 0:
        raise Skip("an output larger than what the convolution can see")
    y_value = net.op("conv2d_grad_input", net.value(pixels(x)), net.value(pixels(w), "parameter"), stride=stride,
                     dilation=dilation, pad=[begin[0], end[0], begin[1], end[1]], groups=node.get("group", 1), size=size)
    if bias is not None:
        y_value = net.binary("ADD", y_value, net.value(bias))
    net.want(y_value, pixels(y))


def scaled(net, value, scale, shape):
    return value if scale == 1 else net.op("broadcast", value, shape=shape, scale=scale)


@handles("Gemm")
def gemm(node, net):
    a, b, c = node.input(0), node.input(1), node.input(2)
    shape = node.outputs[0].shape
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    attributes = {"transpose_a": node.get("transA", 0), "transpose_b": node.get("transB", 0)}
    inputs = [net.value(a), net.value(b, "parameter")]
    if c is not None and c.shape == shape[1:] and alpha == 1 and beta == 1:
        net.want(net.op("matmul", *inputs, net.value(c, "parameter"), **attributes), node.outputs[0])
        return
    y = scaled(net, net.op("matmul", *inputs, **attributes), alpha, shape)
    if c is not None:
        y = net.binary("ADD", y, net.op("broadcast", net.value(c), shape=shape, scale=beta))
    net.want(y, node.outputs[0])


@handles("MatMul")
def matmul(node, net):
    a, b, y = node.input(0), node.input(1), node.outputs[0]
    if a.ndim == 1:
        a = a[None, :]
    if b.ndim == 1:
        b = b[:, None]
    batch = numpy.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    values = []
    for array in (a, b):
        value = net.value(array)
        if not (array is b and b.ndim == 2) and array.shape[:-2] != batch:
            value = net.op("broadcast", value, shape=batch + array.shape[-2:], scale=1)
        values.append(value)
    product = net.op("matmul", *values)
    net.want(net.reshape(product, y.shape), y)


# ---- one value, two values

UNARY = {"Relu": "RELU", "Sigmoid": "SIGMOID", "Tanh": "TANH", "HardSwish": "HARD_SWISH", "Sqrt": "SQRT", "Exp": "EXP",
         "Log": "LOG", "Abs": "ABS"}


@handles(*UNARY)
def unary(node, net):
    net.want(net.unary(UNARY[node.op], net.value(node.input(0))), node.outputs[0])


@handles("LeakyRelu")
def leaky_relu(node, net):
    x = net.value(node.input(0))
    net.want(net.unary("LEAKY_RELU", x, alpha=node.get("alpha", 0.01)), node.outputs[0])


@handles("HardSigmoid")
def hard_sigmoid(node, net):
    """max(0, min(1, alpha x + beta)); ours is that of alpha = 1/6, beta = 1/2, at another x."""
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    x = net.op("broadcast", net.value(node.input(0)), shape=node.input(0).shape, scale=6 * alpha)
    x = net.binary("ADD", x, net.value(numpy.float32([6 * beta - 3])))
    net.want(net.unary("HARD_SIGMOID", x), node.outputs[0])


@handles("Gelu")
def gelu(node, net):
    kind = "GELU_TANH" if node.get("approximate", "none") == "tanh" else "GELU"
    net.want(net.unary(kind, net.value(node.input(0))), node.outputs[0])


@handles("Swish")
def swish(node, net):
    if node.get("alpha", 1.0) != 1:
        raise Skip("swish of another slope than 1")
    net.want(net.unary("SILU", net.value(node.input(0))), node.outputs[0])


@handles("Clip")
def clip(node, net):
    low, high = (float(node.input(i)) if node.input(i) is not None else default
                 for i, default in ((1, -math.inf), (2, math.inf)))
    if low > high:
        raise Skip("clip with a lowest value above the highest")
    net.want(net.unary("CLIP", net.value(node.input(0)), low=low, high=high), node.outputs[0])


BINARY = {"Add": "ADD", "Sum": "ADD", "Sub": "SUB", "Mul": "MUL", "Div": "DIV", "Pow": "POW", "Max": "MAX", "Min": "MIN"}


@handles(*BINARY)
def binary(node, net):
    values = [net.value(array.astype(numpy.float32) if node.op == "Pow" and i else array)
              for i, array in enumerate(node.inputs)]
    y = values[0]
    for value in values[1:]:
        y = net.binary(BINARY[node.op], y, value)
    net.want(y if len(values) > 1 else net.reshape(y, node.outputs[0].shape), node.outputs[0])


@handles("Mean")
def mean(node, net):
    values = [net.value(array) for array in node.inputs]
    y = values[0]
    for value in values[1:]:
        y = net.binary("ADD", y, value)
    net.want(net.op("broadcast", y, shape=node.outputs[0].shape, scale=1 / len(values)), node.outputs[0])


@handles("Neg")
def negative(node, net):
    net.want(net.op("broadcast", net.value(node.input(0)), shape=node.input(0).shape, scale=-1), node.outputs[0])


@handles("Reciprocal")
def reciprocal(node, net):
    net.want(net.binary("DIV", net.value(numpy.float32([1])), net.value(node.input(0))), node.outputs[0])


# ---- pooling


@handles("MaxPool", "AveragePool")
def pool(node, net):
    x, y = node.input(0), node.outputs[0]
    kernel = pair(node.get("kernel_shape"), x.ndim - 2, 1)
    stride, dilation, pad = window(node, x, kernel)
    if dilation != [1, 1]:
        raise Skip("pooling with dilation")
    attributes = {"kernel": kernel, "stride": stride, "pad": pad, "ceil_mode": node.get("ceil_mode", 0)}
    if node.op == "AveragePool":
        attributes["count_include_pad"] = node.get("count_include_pad", 0)
    name = "max_pool" if node.op == "MaxPool" else "avg_pool"
    net.want(net.op(name, net.value(pixels(x)), **attributes), pixels(y))


@handles("GlobalMaxPool", "GlobalAveragePool")
def global_pool(node, net):
    x = pixels(node.input(0))
    if node.op == "GlobalMaxPool":
        y = net.op("max_pool", net.value(x), kernel=x.shape[1:3], stride=[1, 1])
    else:
        y = net.op("avg_pool", net.value(x), adaptive=[1, 1])
    net.want(y, pixels(node.outputs[0]))


# ---- normalization


@handles("BatchNormalization")
def batch_norm(node, net):
    x, (gamma, beta, mean_, var) = node.input(0), node.inputs[1:5]
    epsilon = node.get("epsilon", 1e-5)
    if not node.get("training_mode", 0):
        inputs = [net.value(channels_last(x))] + [net.value(v, "parameter") for v in (gamma, beta, mean_, var)]
        net.want(net.op("batch_norm", *inputs, epsilon=epsilon), channels_last(node.outputs[0]))
        return
    value = net.value(channels_last(x))
    stats = net.op("batch_norm_stats", value, outputs=2)
    y = net.op("batch_norm", value, net.value(gamma), net.value(beta), *stats, epsilon=epsilon, training=1)
    states = [net.value(mean_, "state"), net.value(var, "state")]
    keep = node.get("momentum", 0.9)
    net.op("batch_norm_update", *states, *stats, value, outputs=0, momentum=1 - keep)
    net.want(y, channels_last(node.outputs[0]))
    net.want(states[0], node.outputs[1])
    # ONNX moves towards the variance of the batch, Graft as PyTorch towards its unbiased estimate.
    count = x.size / x.shape[1]
    expected = keep * var + (node.outputs[2] - keep * var) * count / (count - 1)
    net.want(states[1], expected.astype(numpy.float32))


@handles("GroupNormalization", "InstanceNormalization")
def group_norm(node, net):
    x, gamma, beta = node.inputs
    groups = node.get("num_groups", x.shape[1])
    inputs = [net.value(channels_last(x)), net.value(gamma, "parameter"), net.value(beta, "parameter")]
    y = net.op("group_norm", *inputs, outputs=2, groups=groups, epsilon=node.get("epsilon", 1e-5))[0]
    net.want(y, channels_last(node.outputs[0]))


@handles("LayerNormalization")
def layer_norm(node, net):
    """A group normalization with one group of what lies behind the axis as channels."""
    x, gamma, beta = node.input(0), node.input(1), node.input(2)
    axis = node.get("axis", -1) % x.ndim
    rows, width = math.prod(x.shape[:axis]), math.prod(x.shape[axis:])
    inputs = [net.reshape(net.value(x), (rows, width)), net.value(numpy.broadcast_to(gamma, x.shape[axis:]).reshape(-1)),
              net.value(numpy.zeros(width, numpy.float32) if beta is None else
                        numpy.broadcast_to(beta, x.shape[axis:]).reshape(-1))]
    y, stats = net.op("group_norm", *inputs, outputs=2, groups=1, epsilon=node.get("epsilon", 1e-5))
    net.want(net.reshape(y, x.shape), node.outputs[0])
    if len(node.outputs) == 3:  # mean, 1 / deviation
        both = numpy.stack([numpy.asarray(v).reshape(rows) for v in node.outputs[1:]], axis=-1)
        net.want(stats, both.reshape(rows, 1, 2))


@handles("LRN")
def lrn(node, net):
    size = node.get("size")
    if size % 2 == 0:
        raise Skip("an even window of local response normalization, longer behind in ONNX and before in PyTorch")
    y = net.op("lrn", net.value(channels_last(node.input(0))), size=size, alpha=node.get("alpha", 1e-4),
               beta=node.get("beta", 0.75), k=node.get("bias", 1.0))
    net.want(y, channels_last(node.outputs[0]))


@handles("Softmax", "LogSoftmax")
def softmax(node, net):
    axis = node.get("axis", -1)
    name = "softmax" if node.op == "Softmax" else "log_softmax"
    y = net.op(name, net.value(numpy.moveaxis(node.input(0), axis, -1)))
    net.want(y, numpy.moveaxis(node.outputs[0], axis, -1))


@handles("Attention")
def attention(node, net):
    """[n, t, heads, d] for [n, heads, t, d] or [n, t, heads · d]; what is the same for all heads is a mask, else a bias."""
    q, k, v, added = (node.input(i) for i in range(4))
    if any(x is not None for x in node.inputs[4:]) or len(node.outputs) > 1:
        raise Skip("attention with keys of the past, or that gives its scores")
    if node.get("softcap", 0) != 0:
        raise Skip("attention with a cap on the scores")
    if node.get("left_window_size", -1) != -1 or node.get("right_window_size", -1) != -1:
        raise Skip("attention within a band")
    q, k, v = (x.transpose(0, 2, 1, 3) if x.ndim == 4 else x.reshape(*x.shape[:2], node.get(name), -1)
               for x, name in ((q, "q_num_heads"), (k, "kv_num_heads"), (v, "kv_num_heads")))
    (n, t, heads, d), s = q.shape, k.shape[1]
    if k.shape[2] != heads:
        raise Skip("heads that share keys")
    added = numpy.zeros((1, 1, 1, 1), numpy.float32) if added is None else added
    if added.dtype == bool:
        added = numpy.where(added, numpy.float32(0), numpy.float32(-numpy.inf))
    if added.shape[-1] not in (1, s):
        raise Skip("a mask of fewer keys")
    added = added.reshape((1,) * (4 - added.ndim) + added.shape)
    alike = added.shape[1] == 1
    zeros = numpy.zeros((1, 1, 1, 1), numpy.float32)
    bias = numpy.broadcast_to(zeros if alike else added, (1 if alike else added.shape[0], heads, t, s))
    mask = numpy.broadcast_to((added if alike else zeros)[:, 0], (added.shape[0] if alike else 1, t, s))
    y, _ = net.op("attention", *(net.value(x) for x in (q, k, v, bias, mask)), outputs=2,
                  scale=node.get("scale", d**-0.5), causal=node.get("is_causal", 0))
    want = node.outputs[0]
    net.want(y, want.transpose(0, 2, 1, 3) if want.ndim == 4 else want.reshape(n, t, heads, -1))


@handles("SoftmaxCrossEntropyLoss")
def cross_entropy(node, net):
    logits, labels, weights = node.input(0), node.input(1), node.input(2)
    ignored = node.get("ignore_index")
    if ignored is not None and (labels == ignored).any():
        raise Skip("labels that are ignored")
    classes = logits.shape[1]
    rows = channels_last(logits).reshape(-1, classes)
    flat = labels.reshape(-1)
    inputs = [net.value(rows), net.value(flat)]
    if weights is not None:
        inputs.append(net.value(weights))
    losses = net.op("cross_entropy", *inputs)
    reduction = node.get("reduction", "mean")
    if reduction == "none":
        net.want(net.reshape(losses, labels.shape), node.outputs[0])
    else:
        parts = weights[flat] if weights is not None else numpy.ones(flat.shape)
        share = 1 / parts.sum() if reduction == "mean" else 1
        scaled_losses = net.op("broadcast", losses, shape=flat.shape, scale=share)
        net.want(net.reduce(scaled_losses, "SUM", [0], False), node.outputs[0])
    if len(node.outputs) > 1:
        net.want(net.op("log_softmax", inputs[0]), channels_last(node.outputs[1]).reshape(-1, classes))
