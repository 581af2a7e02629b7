/* SPDX-License-Identifier: MIT */
#include "harness.h"

static const struct graft_case cases[] = {
    {"1x1", .in = {REAL(1, 1)}},
    {"5x2", .in = {REAL(5, 2)}},
    {"3x1000", .in = {REAL(3, 1000)}},
    {"257x10", .in = {REAL(257, 10)}},
    {"4x65", .in = {REAL(4, 65)}},
    {"2x16", .in = {REAL(2, 16)}},
    {"33x31", .in = {REAL(33, 31)}},
    {"1x5001", .in = {REAL(1, 5001)}},
    {"vector", .in = {REAL(7)}},
    {"4d", .in = {REAL(2, 3, 4, 33)}},
    {"empty", .in = {REAL(0, 10)}},
    {"equal", .in = {REAL_OF(TIES, 9, 17)}},
    {"extreme", .in = {REAL_OF(EXTREME, 40, 21)}},
    {"extreme_wide", .in = {REAL_OF(EXTREME, 3, 1000)}},
    {"deep", .in = {REAL_OF(DEEP, 5, 37)}},
    {"offset", .in = {REAL_OF(OFFSET, 6, 40)}},
    {"infinite", .in = {REAL_OF(INFINITE, 9, 33)}},
    {"special", .in = {REAL_OF(SPECIAL, 40, 9)}},
};

const struct graft_case_set graft_cases_log_softmax = {cases, CASE_COUNT(cases)};
