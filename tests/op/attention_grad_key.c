/* SPDX-License-Identifier: MIT */
#include "attentions.h"

static const struct graft_case cases[] = {
    ATTENTION_GRAD_CASES,
    {"only_keys", .attributes.attention = {0.25f}, .in = {ATTENTION_GRAD(NORMAL, 2, 17, 19, 3, 8, 5)},
     .unwanted = 2},
    {"only_values", .attributes.attention = {0.25f}, .in = {ATTENTION_GRAD(NORMAL, 2, 17, 19, 3, 8, 5)},
     .unwanted = 1},
};

const struct graft_case_set graft_cases_attention_grad_key = {cases, CASE_COUNT(cases),
                                                              .derive = graft_attention_rows};
