#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints op_expected.h: what PyTorch computes in f64 for op_test.c and reference_test.c. Run by hand."""
import torch
import torch.nn.functional as F

from expected import header, nchw, nhwc, numbers, show, tensor


def convolution():
    x = tensor([1, 4, 5, 4], 1).requires_grad_()
    w = tensor([4, 3, 2, 2], 2).requires_grad_()
    bias = tensor([4], 3)
    padded = F.pad(nchw(x), (2, 1, 1, 0))  # left, right, top, bottom
    y = nhwc(F.conv2d(padded, nchw(w), None, stride=(2, 1), dilation=(1, 2), groups=2))
    y.backward(tensor(y.shape, 4))
    residual = tensor(y.shape, 5)
    show("conv", y)
    show("conv_relu6", F.relu6(y + bias + residual))
    show("conv_dx", x.grad)
    show("conv_dw", w.grad)


def pooling():
    for name, pool in {
        "max": lambda t: F.max_pool2d(t, 3, 2, 1, ceil_mode=True),
        "avg": lambda t: F.avg_pool2d(t, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        "avg_padded": lambda t: F.avg_pool2d(t, (3, 2), (2, 2), 1, ceil_mode=True, count_include_pad=True),
        "avg_adaptive": lambda t: F.adaptive_avg_pool2d(t, (3, 4)),
    }.items():
        x = tensor([1, 6, 5, 2], 1).requires_grad_()
        y = nhwc(pool(nchw(x)))
        y.backward(tensor(y.shape, 2))
        show(name, y)
        show(name + "_dx", x.grad)
    sizes = []
    for size in range(1, 8):
        for kernel in range(1, 4):
            for stride in range(1, 5):
                for pad in range(kernel // 2 + 1):
                    try:
                        x = torch.zeros(1, 1, size, 16)
                        y = F.max_pool2d(x, (kernel, 1), (stride, 1), (pad, 0), ceil_mode=True)
                        sizes.append(y.shape[2])
                    except RuntimeError:
                        sizes.append(-1)
    show("ceil_sizes", torch.tensor(sizes))


def normalization():
    x = tensor([2, 3, 1, 3], 1).requires_grad_()
    gamma = tensor([3], 2).requires_grad_()
    beta = tensor([3], 3).requires_grad_()
    mean, var = torch.zeros(3), torch.ones(3)
    y = nhwc(F.batch_norm(nchw(x), mean, var, gamma, beta, training=True, momentum=0.125, eps=0.25))
    y.backward(tensor(y.shape, 4))
    flat = x.detach().reshape(-1, 3)
    show("bn_mean", flat.mean(0))
    show("bn_var", flat.var(0, unbiased=False))
    show("bn", y)
    show("bn_running_mean", mean)
    show("bn_running_var", var)
    show("bn_dx", x.grad)
    show("bn_dgamma", gamma.grad)
    show("bn_dbeta", beta.grad)


def groups():
    """group_norm_test.c: group_norm of [n, h, w, c], and layer_norm over the last two of three dimensions."""
    x = tensor([2, 3, 2, 6], 1).requires_grad_()
    gamma = tensor([6], 2).requires_grad_()
    beta = tensor([6], 3).requires_grad_()
    y = nhwc(F.group_norm(nchw(x), 3, gamma, beta, eps=0.125))
    y.backward(tensor(y.shape, 4))
    for name, value in {"": y, "_dx": x.grad, "_dgamma": gamma.grad, "_dbeta": beta.grad}.items():
        show("group_norm" + name, value)
    x = tensor([3, 2, 5], 1).requires_grad_()
    gamma = tensor([2, 5], 2).requires_grad_()
    beta = tensor([2, 5], 3).requires_grad_()
    y = F.layer_norm(x, [2, 5], gamma, beta, eps=0.125)
    y.backward(tensor(y.shape, 4))
    for name, value in {"": y, "_dx": x.grad, "_dgamma": gamma.grad, "_dbeta": beta.grad}.items():
        show("layer_norm" + name, value)


def classification():
    x = tensor([3, 5], 1).requires_grad_()
    losses = F.cross_entropy(x, torch.tensor([0, 4, 2]), reduction="none", label_smoothing=0.125)
    losses.backward(tensor([3], 2))
    show("losses", losses)
    show("losses_dx", x.grad)
    x = tensor([3, 5], 1).requires_grad_()
    y = F.softmax(x, -1)
    y.backward(tensor([3, 5], 2))
    show("softmax", y)
    show("softmax_dx", x.grad)
    x = tensor([3, 5], 1).requires_grad_()
    y = F.log_softmax(x, -1)
    y.backward(tensor([3, 5], 2))
    show("log_softmax", y)
    show("log_softmax_dx", x.grad)
    x = tensor([3, 5], 1).requires_grad_()
    weight = numbers(5, 2).abs() + 0.5
    arguments = (x, torch.tensor([0, 4, 2]), weight)
    losses = F.cross_entropy(*arguments, reduction="none", label_smoothing=0.125)
    losses.backward(tensor([3], 2))
    show("losses_weight", weight)
    show("losses_weighted", losses)
    show("losses_weighted_dx", x.grad)
    show("losses_weighted_mean", F.cross_entropy(*arguments, label_smoothing=0.125))


def updates():
    for name, make in {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.125, momentum=0.5, weight_decay=0.25, nesterov=True),
        "sgd_plain": lambda p: torch.optim.SGD(p, lr=0.125, weight_decay=0.25),
        "adam": lambda p: torch.optim.Adam(p, lr=0.125, betas=(0.5, 0.75), eps=0.0625, weight_decay=0.25),
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.125, betas=(0.5, 0.75), eps=0.0625, weight_decay=0.25),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.125, alpha=0.75, eps=0.0625, weight_decay=0.25),
    }.items():
        p = tensor([6], 1).requires_grad_()
        optimizer = make([p])
        for step in range(3):
            p.grad = tensor([6], 2 + step)
            optimizer.step()
        show(name, p)


def clipping():
    """Three steps whose gradients are clipped to a norm of 1.5 together: theirs are 1.2 to 2.6."""
    for name, make in {
        "sgd_clipped": lambda p: torch.optim.SGD(p, lr=0.125, momentum=0.5, weight_decay=0.25, nesterov=True),
        "adamw_clipped": lambda p: torch.optim.AdamW(p, lr=0.125, betas=(0.5, 0.75), eps=0.0625, weight_decay=0.25),
    }.items():
        p = tensor([6], 1).requires_grad_()
        optimizer = make([p])
        for step in range(3):
            p.grad = tensor([6], 2 + step)
            torch.nn.utils.clip_grad_norm_([p], 1.5)
            optimizer.step()
        show(name, p)


def philox(key, counter):
    for _ in range(10):
        a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        first, third = (b >> 32) ^ counter[1] ^ key[0], (a >> 32) ^ counter[3] ^ key[1]
        counter = [first, b & 0xFFFFFFFF, third, a & 0xFFFFFFFF]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return counter


def dropout():
    x = numbers(23, 1)
    seed, stream, step = 0x123456789ABCDEF0, 7, 3
    words = [philox([seed & 0xFFFFFFFF, seed >> 32], [i // 4, 0, step, stream])[i % 4] for i in range(23)]
    keep = torch.tensor([0.0 if word < round(0.25 * 2**32) else 1.0 for word in words])
    show("dropout", x * keep / 0.75)


header("GRAFT_TESTS_OP_EXPECTED_H", "op_expected.py", convolution, pooling, normalization, groups, classification,
       updates, clipping, dropout)
