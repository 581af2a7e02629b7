/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define ALONG(number) .attributes.concat = {number}

static const struct graft_case cases[] = {
    {"one", ALONG(0), .in = {REAL(3, 5)}},
    {"fire", ALONG(3), .in = {REAL(2, 5, 7, 64), REAL(2, 5, 7, 64)}},
    {"channels", ALONG(3), .in = {REAL(2, 3, 5, 1), REAL(2, 3, 5, 31), REAL(2, 3, 5, 33)}},
    {"rows", ALONG(0), .in = {REAL(2, 9), REAL(1, 9), REAL(64, 9)}},
    {"columns", ALONG(1), .in = {REAL(5, 257), REAL(5, 2)}},
    {"middle", ALONG(1), .in = {REAL(3, 2, 17), REAL(3, 5, 17)}},
    {"eight", ALONG(1),
     .in = {REAL(4, 1), REAL(4, 2), REAL(4, 3), REAL(4, 4), REAL(4, 5), REAL(4, 6), REAL(4, 7), REAL(4, 8)}},
    {"vectors", ALONG(0), .in = {REAL(7), REAL(31)}},
    {"6d", ALONG(2), .in = {REAL(2, 1, 3, 2, 1, 3), REAL(2, 1, 2, 2, 1, 3)}},
    {"empty_part", ALONG(1), .in = {REAL(3, 4), REAL(3, 0), REAL(3, 2)}},
    {"empty", ALONG(1), .in = {REAL(0, 4), REAL(0, 3)}},
    {"special", ALONG(1), .in = {REAL_OF(SPECIAL, 9, 20), REAL_OF(SPECIAL, 9, 11)},
     .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_concat = {cases, CASE_COUNT(cases)};
