/* SPDX-License-Identifier: MIT */
#include "group_norms.h"

#define GRAD(name, kind, count, c, ...)                                                                      \
    {                                                                                                        \
        name, .attributes.group_norm = {.groups = count, .epsilon = 1e-5f},                                  \
              .in = {REAL_OF(kind, __VA_ARGS__), REAL(__VA_ARGS__), REAL(c), STATS(count, __VA_ARGS__)}      \
    }
/* [n, groups, 2] of x's shape */
#define STATS(count, n, ...) REAL(n, count, 2)

static const struct graft_case cases[] = {
    GRAD("g2", NORMAL, 2, 6, 2, 3, 5, 6),
    GRAD("g1", NORMAL, 1, 7, 2, 4, 3, 7),
    GRAD("instance", NORMAL, 33, 33, 2, 5, 3, 33),
    GRAD("width_17", NORMAL, 3, 51, 2, 3, 3, 51),
    GRAD("vectors", NORMAL, 1, 65, 9, 65),
    GRAD("vectors_of_one", NORMAL, 5, 5, 4, 5),
    GRAD("offset", OFFSET, 4, 8, 3, 7, 5, 8),
    GRAD("offset_wide", OFFSET, 1, 1000, 3, 1000),
    GRAD("g32_c64", NORMAL, 32, 64, 3, 7, 9, 64),
    GRAD("g129_c258", NORMAL, 129, 258, 2, 3, 258),
    GRAD("wide_width", NORMAL, 2, 640, 2, 3, 2, 640),
    GRAD("many_pixels", NORMAL, 3, 6, 2, 31, 33, 6),
    GRAD("many_rows", NORMAL, 1, 16, 1543, 16),
    GRAD("none", NORMAL, 2, 6, 0, 3, 5, 6),
};

static void derive(const struct graft_call *call, double *const *in)
{
    group_stats(call, in[0], in[3]);
}

const struct graft_case_set graft_cases_group_norm_grad_input = {cases, CASE_COUNT(cases),
                                                                 .constants = 1u << 2, .derive = derive};
