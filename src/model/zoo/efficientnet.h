/* SPDX-License-Identifier: MIT */
/*
 * The stages of EfficientNet (Tan and Le, arXiv 1905.11946), which widths and depths scale, and of
 * EfficientNetV2 (arXiv 2104.00298): small, medium, large, the base of B0 to B3, which they scale too, extra
 * large.
 */
#ifndef GRAFT_SRC_MODEL_ZOO_EFFICIENTNET_H
#define GRAFT_SRC_MODEL_ZOO_EFFICIENTNET_H

#include <stdbool.h>

enum { EFFICIENTNET_STAGES = 7, EFFICIENTNET_BASE = 3 };

struct efficientnet_row {
    bool fused; /* a 3×3 convolution in place of a 1×1 and a depthwise one */
    int expand, kernel, stride, channels, blocks;
};

static const struct efficientnet_row efficientnet_v1[EFFICIENTNET_STAGES] = {
    {false, 1, 3, 1, 16, 1},  {false, 6, 3, 2, 24, 2},  {false, 6, 5, 2, 40, 2}, {false, 6, 3, 2, 80, 3},
    {false, 6, 5, 1, 112, 3}, {false, 6, 5, 2, 192, 4}, {false, 6, 3, 1, 320, 1}};
static const struct efficientnet_row efficientnet_v2[5][EFFICIENTNET_STAGES] = {
    {{true, 1, 3, 1, 24, 2},
     {true, 4, 3, 2, 48, 4},
     {true, 4, 3, 2, 64, 4},
     {false, 4, 3, 2, 128, 6},
     {false, 6, 3, 1, 160, 9},
     {false, 6, 3, 2, 256, 15}},
    {{true, 1, 3, 1, 24, 3},
     {true, 4, 3, 2, 48, 5},
     {true, 4, 3, 2, 80, 5},
     {false, 4, 3, 2, 160, 7},
     {false, 6, 3, 1, 176, 14},
     {false, 6, 3, 2, 304, 18},
     {false, 6, 3, 1, 512, 5}},
    {{true, 1, 3, 1, 32, 4},
     {true, 4, 3, 2, 64, 7},
     {true, 4, 3, 2, 96, 7},
     {false, 4, 3, 2, 192, 10},
     {false, 6, 3, 1, 224, 19},
     {false, 6, 3, 2, 384, 25},
     {false, 6, 3, 1, 640, 7}},
    {{true, 1, 3, 1, 16, 1},
     {true, 4, 3, 2, 32, 2},
     {true, 4, 3, 2, 48, 2},
     {false, 4, 3, 2, 96, 3},
     {false, 6, 3, 1, 112, 5},
     {false, 6, 3, 2, 192, 8}},
    {{true, 1, 3, 1, 32, 4},
     {true, 4, 3, 2, 64, 8},
     {true, 4, 3, 2, 96, 8},
     {false, 4, 3, 2, 192, 16},
     {false, 6, 3, 1, 256, 24},
     {false, 6, 3, 2, 512, 32},
     {false, 6, 3, 1, 640, 8}},
};

#endif
