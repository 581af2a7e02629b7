/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define PLAIN(name, m, k, n)                                                                                 \
    {                                                                                                        \
        name, .attributes.matmul = {0}, .in = {REAL(m, k), REAL(k, n)}                                       \
    }
/* the four transposes of one size; bias in some */
#define TRANSPOSED(name, m, k, n)                                                                            \
    {name "_ta", .attributes.matmul = {.transpose_a = true}, .in = {REAL(k, m), REAL(k, n)}},                \
        {name "_tb", .attributes.matmul = {.transpose_b = true}, .in = {REAL(m, k), REAL(n, k), REAL(n)}},   \
    {                                                                                                        \
        name "_tab", .attributes.matmul = {.transpose_a = true, .transpose_b = true},                        \
                     .in = {REAL(k, m), REAL(n, k)}                                                          \
    }

/* Activations that come after the epilogue; few rows, and few columns. */
#define LATE(name, activate)                                                                                 \
    {name, .attributes.matmul = {.transpose_b = true, .activation = GRAFT_UNARY_##activate},                 \
     .in = {REAL(9, 1543), REAL(34, 1543), REAL(34), REAL(9, 34)}, .tiers = GRAFT_TIER_ROUNDING},            \
        {name "_column", .attributes.matmul = {.transpose_b = true, .activation = GRAFT_UNARY_##activate},   \
         .in = {REAL(200, 33), REAL(3, 33), REAL(3)}, .tiers = GRAFT_TIER_ROUNDING},                         \
    {                                                                                                        \
        name "_row", .attributes.matmul = {.transpose_b = true, .activation = GRAFT_UNARY_##activate},       \
                     .in = {REAL(1, 33), REAL(200, 33), REAL(200), REAL(1, 200)},                            \
                     .tiers = GRAFT_TIER_ROUNDING                                                            \
    }

static const struct graft_case cases[] = {
    PLAIN("1x1x1", 1, 1, 1),
    PLAIN("2x3x5", 2, 3, 5),
    PLAIN("1x64x1000", 1, 64, 1000),
    PLAIN("31x33x32", 31, 33, 32),
    PLAIN("32x32x32", 32, 32, 32),
    PLAIN("33x31x65", 33, 31, 65),
    PLAIN("63x64x65", 63, 64, 65),
    PLAIN("64x63x64", 64, 63, 64),
    PLAIN("65x65x1", 65, 65, 1),
    PLAIN("7x257x13", 7, 257, 13),
    PLAIN("257x2x31", 257, 2, 31),
    PLAIN("6x1x257", 6, 1, 257),
    PLAIN("130x257x140", 130, 257, 140),
    PLAIN("3x1543x10", 3, 1543, 10),
    TRANSPOSED("1x1x1", 1, 1, 1),
    TRANSPOSED("5x7x3", 5, 7, 3),
    TRANSPOSED("32x64x33", 32, 64, 33),
    TRANSPOSED("65x31x63", 65, 31, 63),
    TRANSPOSED("64x64x64", 64, 64, 64),
    TRANSPOSED("2x257x17", 2, 257, 17),
    TRANSPOSED("17x1024x10", 17, 1024, 10),
    TRANSPOSED("129x65x257", 129, 65, 257),
    /* nothing in one of the dimensions; without terms the sum is 0 */
    PLAIN("m0", 0, 5, 7),
    PLAIN("n0", 5, 7, 0),
    {"k0", .attributes.matmul = {0}, .in = {REAL(5, 0), REAL(0, 7), REAL(7)}},
    /* so few rows that each element is a dot product */
    {"k0_tb", .attributes.matmul = {.transpose_b = true}, .in = {REAL(2, 0), REAL(7, 0), REAL(7)}},
    {"dots_3", .attributes.matmul = {.transpose_b = true}, .in = {REAL(3, 70), REAL(9, 70), REAL(9)}},
    {"dots_4", .attributes.matmul = {.transpose_b = true, .activation = GRAFT_UNARY_RELU},
     .in = {REAL(4, 1543), REAL(59, 1543), REAL(59), REAL(4, 59)},
     .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    /* batches: of both, with one b for all, of two dimensions */
    {"batch", .attributes.matmul = {0}, .in = {REAL(3, 9, 17), REAL(3, 17, 8)}},
    {"batch_ta", .attributes.matmul = {.transpose_a = true}, .in = {REAL(3, 17, 9), REAL(3, 17, 8)}},
    {"batch_tb", .attributes.matmul = {.transpose_b = true},
     .in = {REAL(3, 9, 17), REAL(3, 33, 17), REAL(33)}},
    {"batch_shared", .attributes.matmul = {0}, .in = {REAL(3, 9, 17), REAL(17, 8), REAL(8)}},
    {"batch_shared_ta", .attributes.matmul = {.transpose_a = true}, .in = {REAL(3, 17, 9), REAL(17, 8)}},
    {"batch_shared_tb", .attributes.matmul = {.transpose_b = true}, .in = {REAL(2, 5, 33), REAL(31, 33)}},
    {"batch_2x3", .attributes.matmul = {.transpose_b = true}, .in = {REAL(2, 3, 6, 16), REAL(2, 3, 6, 16)}},
    {"batch_0", .attributes.matmul = {0}, .in = {REAL(0, 9, 17), REAL(0, 17, 8)}},
    /* what is fused */
    {"bias", .attributes.matmul = {0}, .in = {REAL(6, 20, 1), REAL(6, 1, 35), REAL(35)}},
    {"bias_relu", .attributes.matmul = {.transpose_b = true, .activation = GRAFT_UNARY_RELU},
     .in = {REAL(5, 33), REAL(34, 33), REAL(34)}},
    /* few rows, and few terms, of matrices in many blocks */
    {"few_rows_tb", .attributes.matmul = {.transpose_b = true},
     .in = {REAL(5, 4101), REAL(9, 4101), REAL(9)}},
    {"few_rows", .attributes.matmul = {0}, .in = {REAL(7, 35), REAL(35, 17001)}},
    /* sums that are cut, and that are not because something is added */
    {"many_terms_ta", .attributes.matmul = {.transpose_a = true}, .in = {REAL(4300, 9), REAL(4300, 35)}},
    {"many_terms_ta_bias", .attributes.matmul = {.transpose_a = true},
     .in = {REAL(4300, 9), REAL(4300, 35), REAL(35)}},
    {"cut_terms_ta", .attributes.matmul = {.transpose_a = true}, .in = {REAL(1000, 31), REAL(1000, 32)}},
    {"cut_terms_tab", .attributes.matmul = {.transpose_a = true, .transpose_b = true},
     .in = {REAL(1000, 31), REAL(32, 1000)}},
    {"few_terms_ta", .attributes.matmul = {.transpose_a = true}, .in = {REAL(3, 40), REAL(3, 2100)}},
    {"relu6", .attributes.matmul = {.activation = GRAFT_UNARY_RELU6}, .in = {REAL(5, 33), REAL(33, 34)}},
    LATE("sigmoid", SIGMOID),
    LATE("hard_sigmoid", HARD_SIGMOID),
    LATE("hard_swish", HARD_SWISH),
    LATE("silu", SILU),
    {"relu6_tb", .attributes.matmul = {.transpose_b = true, .activation = GRAFT_UNARY_RELU6},
     .in = {REAL(5, 33), REAL(34, 33), REAL(34)}},
    {"residual", .attributes.matmul = {0}, .in = {REAL(5, 33), REAL(33, 34), ABSENT, REAL(5, 34)}},
    {"residual_relu", .attributes.matmul = {.activation = GRAFT_UNARY_RELU},
     .in = {REAL(19, 12), REAL(12, 48), REAL(48), REAL(19, 48)}},
    {"long_sum", .attributes.matmul = {.activation = GRAFT_UNARY_RELU},
     .in = {REAL(9, 1543), REAL(1543, 34), REAL(34), REAL(9, 34)}},
    {"long_sum_tb", .attributes.matmul = {.transpose_b = true, .activation = GRAFT_UNARY_RELU},
     .in = {REAL(90, 1543), REAL(34, 1543), REAL(34), REAL(90, 34)}},
    /* a large b that is packed a few columns at a time; sums in two blocks, a's rows with a bad pitch */
    PLAIN("large_b", 113, 130, 1030),
    TRANSPOSED("large_b", 113, 130, 1030),
    {"large_b_blocks_ta", .attributes.matmul = {.transpose_a = true}, .in = {REAL(1543, 113), REAL(1543, 200)}},
    {"large_b_blocks_tb", .attributes.matmul = {.transpose_b = true, .activation = GRAFT_UNARY_RELU},
     .in = {REAL(113, 1543), REAL(200, 1543), REAL(200), REAL(113, 200)}},
    {"large_b_copied", .attributes.matmul = {.activation = GRAFT_UNARY_SILU},
     .in = {REAL(3, 41, 1536), REAL(1536, 200), REAL(200), REAL(3, 41, 200)}, .tiers = GRAFT_TIER_ROUNDING},
    {"special", .attributes.matmul = {0}, .in = {REAL_OF(SPECIAL, 18, 5), REAL_OF(SPECIAL, 5, 21)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"special_terms", .attributes.matmul = {0},
     .in = {REAL_OF(SPECIAL, 70, 34), REAL(34, 21), REAL(21)}, .tiers = GRAFT_TIER_ROUNDING},
    {"special_terms_tab", .attributes.matmul = {.transpose_a = true, .transpose_b = true},
     .in = {REAL_OF(SPECIAL, 18, 40), REAL_OF(SPECIAL, 21, 18)}, .tiers = GRAFT_TIER_ROUNDING},
    {"special_relu", .attributes.matmul = {.transpose_b = true, .activation = GRAFT_UNARY_RELU},
     .in = {REAL_OF(SPECIAL, 18, 5), REAL(21, 5), REAL(21)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_matmul = {cases, CASE_COUNT(cases), .constants = 1u << 1 | 1u << 2};
