/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "responses.h"

#define PLAIN(name, size, alpha, beta, k, values, ...)                                                       \
    {#name, .attributes.lrn = {size, alpha, beta, k}, .in = {REAL_OF(values, __VA_ARGS__)}},

static const struct graft_case cases[] = {RESPONSES(PLAIN)};

const struct graft_case_set graft_cases_lrn = {cases, CASE_COUNT(cases)};
