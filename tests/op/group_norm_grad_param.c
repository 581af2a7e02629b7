/* SPDX-License-Identifier: MIT */
#include "group_norms.h"

#define GRAD(name, kind, count, unwanted_, ...)                                                              \
    {name, .attributes.group_norm = {.groups = count, .epsilon = 1e-5f},                                     \
     .in = {REAL_OF(kind, __VA_ARGS__), REAL(__VA_ARGS__), STATS(count, __VA_ARGS__)},                       \
     .unwanted = unwanted_}
/* [n, groups, 2] of x's shape */
#define STATS(count, n, ...) REAL(n, count, 2)

static const struct graft_case cases[] = {
    GRAD("g2", NORMAL, 2, 0, 2, 3, 5, 6),           GRAD("g1", NORMAL, 1, 0, 2, 4, 3, 7),
    GRAD("instance", NORMAL, 33, 0, 2, 5, 3, 33),   GRAD("width_17", NORMAL, 3, 0, 2, 3, 3, 51),
    GRAD("vectors", NORMAL, 1, 0, 9, 65),           GRAD("vectors_of_one", NORMAL, 5, 0, 4, 5),
    GRAD("offset", OFFSET, 4, 0, 3, 7, 5, 8),       GRAD("g32_c64", NORMAL, 32, 0, 3, 7, 9, 64),
    GRAD("wide_width", NORMAL, 2, 0, 2, 3, 2, 640), GRAD("many_pixels", NORMAL, 3, 0, 2, 31, 33, 6),
    GRAD("many_rows", NORMAL, 1, 0, 1543, 16),      GRAD("many_images", NORMAL, 2, 0, 301, 5, 7, 4),
    GRAD("chunks", NORMAL, 4, 0, 41, 4, 9, 64),     GRAD("only_gamma", NORMAL, 2, 2, 2, 3, 5, 6),
    GRAD("only_beta", NORMAL, 2, 1, 2, 3, 5, 6),    GRAD("none", NORMAL, 2, 0, 0, 3, 5, 6),
    GRAD("g129_c258", NORMAL, 129, 0, 2, 3, 258),
};

static void derive(const struct graft_call *call, double *const *in)
{
    group_stats(call, in[0], in[2]);
}

const struct graft_case_set graft_cases_group_norm_grad_param = {cases, CASE_COUNT(cases), .derive = derive};
