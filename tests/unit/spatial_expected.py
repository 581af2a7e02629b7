#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints spatial_expected.h: what PyTorch computes in f64 for spatial_test.c. Run by hand."""
import torch
import torch.nn.functional as F

from expected import header, nchw, nhwc, show, tensor


def both(name, x, function):
    """y = function(x), and dx for the numbers of seed 2 as dy."""
    x.requires_grad_()
    y = function(x)
    y.backward(tensor(y.shape, 2))
    show(name, y)
    show(name + "_dx", x.grad)


def resizing():
    for name, shape, size, mode in [
        ("nearest", (1, 3, 5, 2), (7, 4), {"mode": "nearest"}),
        ("nearest_rounded", (1, 1, 3, 1), (1, 123), {"mode": "nearest"}),
        ("bilinear_up", (1, 3, 4, 2), (7, 6), {"mode": "bilinear"}),
        ("bilinear_down", (1, 7, 8, 2), (3, 5), {"mode": "bilinear"}),
        ("bilinear_corners", (1, 3, 5, 2), (7, 4), {"mode": "bilinear", "align_corners": True}),
        ("bilinear_corners_one", (1, 3, 5, 2), (1, 4), {"mode": "bilinear", "align_corners": True}),
    ]:
        both(name, tensor(shape, 1), lambda x, s=size, m=mode: nhwc(F.interpolate(nchw(x), s, **m)))


def response():
    for name, size, alpha, beta, k in [
        ("lrn", 5, 0.5, 0.75, 2),
        ("lrn_even", 4, 1.5, 0.5, 1),
        ("lrn_wide", 15, 2, 1.25, 0.5),
    ]:
        both(name, tensor((1, 2, 2, 9), 1),
             lambda x, a=(size, alpha, beta, k): nhwc(F.local_response_norm(nchw(x), *a)))


def moving():
    both("permuted", tensor((2, 3, 4, 5), 1), lambda x: x.permute(2, 0, 3, 1))
    both("stepped", tensor((5, 4, 7), 1), lambda x: x[1::2, :, 0:6:3])
    # A transposed convolution with the weight 1 puts zeros between the pixels.
    both("spread", tensor((1, 3, 4, 1), 1),
         lambda x: nhwc(F.pad(F.conv_transpose2d(nchw(x), torch.ones(1, 1, 1, 1), stride=(2, 3)), (1, 0, 0, 2))))


def variation(x, size):
    return size(x[:, 1:] - x[:, :-1]).sum((1, 2, 3)) + size(x[:, :, 1:] - x[:, :, :-1]).sum((1, 2, 3))


def graphs():
    both("variation", tensor((2, 3, 5, 4), 1), lambda x: variation(x, torch.abs))
    both("variation_squared", tensor((2, 3, 5, 4), 1), lambda x: variation(x, torch.square))
    both("variation_row", tensor((2, 1, 5, 3), 1), lambda x: variation(x, torch.abs))
    both("shuffled", tensor((1, 2, 3, 12), 1), lambda x: nhwc(torch.nn.ChannelShuffle(3)(nchw(x))))
    both("global_max", tensor((2, 3, 4, 5), 1), lambda x: F.max_pool2d(nchw(x), (3, 4))[:, :, 0, 0])


def ceiling():
    for name, pool in {
        "ceil_max": lambda t: F.max_pool2d(t, 3, 3, 1, ceil_mode=True),
        "ceil_avg": lambda t: F.avg_pool2d(t, 3, 3, 1, ceil_mode=True, count_include_pad=False),
        "ceil_avg_padded": lambda t: F.avg_pool2d(t, 3, 3, 1, ceil_mode=True, count_include_pad=True),
        "ceil_far_padded": lambda t: F.avg_pool2d(t, 2, 4, 1, ceil_mode=True, count_include_pad=True),
    }.items():
        both(name, tensor((1, 8, 10, 2), 1), lambda x, p=pool: nhwc(p(nchw(x))))


header("GRAFT_TESTS_SPATIAL_EXPECTED_H", "spatial_expected.py", resizing, response, moving, graphs, ceiling)
