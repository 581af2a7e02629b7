/* SPDX-License-Identifier: MIT */
/* The inverted residuals of MobileNetV3 (Howard et al., arXiv 1905.02244), which a search has sized. */
#ifndef GRAFT_SRC_MODEL_ZOO_MOBILENET_V3_H
#define GRAFT_SRC_MODEL_ZOO_MOBILENET_V3_H

#include <stdbool.h>
#include <stddef.h>

struct mobilenet_v3_row {
    const char *stage; /* begins with it; NULL: goes on */
    int kernel, hidden, out, stride;
    bool squeezed, swish; /* swish: hard swish, else ReLU */
};

static const struct mobilenet_v3_row mobilenet_v3_large[] = {
    {"block1", 3, 16, 16, 1, false, false}, {"block2", 3, 64, 24, 2, false, false},
    {NULL, 3, 72, 24, 1, false, false},     {"block3", 5, 72, 40, 2, true, false},
    {NULL, 5, 120, 40, 1, true, false},     {NULL, 5, 120, 40, 1, true, false},
    {"block4", 3, 240, 80, 2, false, true}, {NULL, 3, 200, 80, 1, false, true},
    {NULL, 3, 184, 80, 1, false, true},     {NULL, 3, 184, 80, 1, false, true},
    {"block5", 3, 480, 112, 1, true, true}, {NULL, 3, 672, 112, 1, true, true},
    {"block6", 5, 672, 160, 2, true, true}, {NULL, 5, 960, 160, 1, true, true},
    {NULL, 5, 960, 160, 1, true, true},     {0},
};
static const struct mobilenet_v3_row mobilenet_v3_small[] = {
    {"block1", 3, 16, 16, 2, true, false}, {"block2", 3, 72, 24, 2, false, false},
    {NULL, 3, 88, 24, 1, false, false},    {"block3", 5, 96, 40, 2, true, true},
    {NULL, 5, 240, 40, 1, true, true},     {NULL, 5, 240, 40, 1, true, true},
    {"block4", 5, 120, 48, 1, true, true}, {NULL, 5, 144, 48, 1, true, true},
    {"block5", 5, 288, 96, 2, true, true}, {NULL, 5, 576, 96, 1, true, true},
    {NULL, 5, 576, 96, 1, true, true},     {0},
};

#endif
