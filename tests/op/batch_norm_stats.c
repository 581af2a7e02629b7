/* SPDX-License-Identifier: MIT */
/* `offset`: a mean that is large against the deviation, where E(x²) − E(x)² would have no digit left. */
#include "harness.h"

static const double equal_rows[] = {0.1f, 0.2f, 7.7f, 0.1f, 0.2f, 7.7f, 0.1f, 0.2f,
                                    7.7f, 0.1f, 0.2f, 7.7f, 0.1f, 0.2f, 7.7f};

static const struct graft_case cases[] = {
    {"c1", .attributes.batch_norm = {0}, .in = {REAL(2, 3, 3, 1)}},
    {"c3", .attributes.batch_norm = {0}, .in = {REAL(4, 9, 9, 3)}},
    {"c16", .attributes.batch_norm = {0}, .in = {REAL(2, 8, 8, 16)}},
    {"c33", .attributes.batch_norm = {0}, .in = {REAL(2, 7, 5, 33)}},
    {"c64", .attributes.batch_norm = {0}, .in = {REAL(4, 7, 7, 64)}},
    {"c257", .attributes.batch_norm = {0}, .in = {REAL(3, 2, 2, 257)}},
    {"2d", .attributes.batch_norm = {0}, .in = {REAL(65, 31)}},
    {"one_row", .attributes.batch_norm = {0}, .in = {REAL(1, 1, 1, 20)}},
    {"two_rows", .attributes.batch_norm = {0}, .in = {REAL(2, 20)}},
    {"many_rows", .attributes.batch_norm = {0}, .in = {REAL(2, 50, 51, 3)}},
    {"many_rows_c20", .attributes.batch_norm = {0}, .in = {REAL(1537, 20)}},
    {"many_chunks", .attributes.batch_norm = {0}, .in = {REAL_OF(OFFSET, 9001, 20)}},
    {"offset", .attributes.batch_norm = {0}, .in = {REAL_OF(OFFSET, 1001, 5)}},
    {"offset_c33", .attributes.batch_norm = {0}, .in = {REAL_OF(OFFSET, 2, 20, 20, 33)}},
    {"constant", .attributes.batch_norm = {0}, .in = {LITERAL(equal_rows, 5, 3)}},
    {"mean_only", .attributes.batch_norm = {0}, .in = {REAL(2, 5, 5, 33)}, .unwanted = 2},
    {"var_only", .attributes.batch_norm = {0}, .in = {REAL(2, 5, 5, 33)}, .unwanted = 1},
    {"special", .attributes.batch_norm = {0}, .in = {REAL_OF(SPECIAL, 5, 40)}},
};

const struct graft_case_set graft_cases_batch_norm_stats = {cases, CASE_COUNT(cases)};
