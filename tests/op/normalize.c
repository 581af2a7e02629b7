/* SPDX-License-Identifier: MIT */
#include "harness.h"

/* ImageNet's, as published with torchvision's weights. */
static const double imagenet_mean[] = {0.485, 0.456, 0.406};
static const double imagenet_deviation[] = {0.229, 0.224, 0.225};

static const struct graft_case cases[] = {
    {"imagenet", .in = {PIXELS(2, 9, 11, 3), LITERAL(imagenet_mean, 3), LITERAL(imagenet_deviation, 3)}},
    {"grey", .in = {PIXELS(3, 28, 28, 1), REAL(1), REAL_OF(UNIT, 1)}},
    {"c4", .in = {PIXELS(1, 7, 5, 4), REAL(4), REAL_OF(UNIT, 4)}},
    {"c33", .in = {PIXELS(1, 3, 5, 33), REAL(33), REAL_OF(UNIT, 33)}},
    {"one_pixel", .in = {PIXELS(1, 1, 1, 3), REAL(3), REAL_OF(UNIT, 3)}},
    {"row", .in = {PIXELS(1, 1, 257, 3), LITERAL(imagenet_mean, 3), LITERAL(imagenet_deviation, 3)}},
    {"empty", .in = {PIXELS(0, 4, 4, 3), REAL(3), REAL_OF(UNIT, 3)}},
};

const struct graft_case_set graft_cases_normalize = {cases, CASE_COUNT(cases),
                                                     .constants = 1u << 1 | 1u << 2};
