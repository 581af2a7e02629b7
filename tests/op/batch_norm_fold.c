/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define FOLD(name, o, bias, skip, ...)                                                                       \
    {name, .attributes.batch_norm = {.epsilon = 1e-5f},                                                      \
     .in = {REAL(__VA_ARGS__), bias, REAL(o), REAL(o), REAL(o), REAL_OF(POSITIVE, o)}, .unwanted = skip}

static const struct graft_case cases[] = {
    FOLD("k1", 5, REAL(5), 0, 5, 1, 1, 3),
    FOLD("k3", 33, REAL(33), 0, 33, 3, 3, 7),
    FOLD("no_bias", 64, ABSENT, 0, 64, 3, 3, 3),
    FOLD("depthwise", 65, ABSENT, 0, 65, 3, 3, 1),
    FOLD("one", 1, REAL(1), 0, 1, 1, 1, 1),
    FOLD("wide", 257, REAL(257), 0, 257, 1, 1, 31),
    FOLD("weights_only", 17, REAL(17), 2, 17, 3, 3, 4),
    FOLD("bias_only", 17, ABSENT, 1, 17, 3, 3, 4),
};

const struct graft_case_set graft_cases_batch_norm_fold = {cases, CASE_COUNT(cases)};
