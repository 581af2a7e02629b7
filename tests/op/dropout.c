/* SPDX-License-Identifier: MIT */
/* Sizes around the four words of a Philox block; which elements stay is compared with the reference's
 * exactly. */
#include "harness.h"

#define STEP {GRAFT_DTYPE_I32, GRAFT_VALUES_NORMAL, DIMS(1), NULL, 1000000}
#define DROP(name, how, p, channel, key, ...)                                                                \
    {name, .attributes.dropout = {.probability = p, .stream = channel, .seed = key},                         \
     .in = {REAL_OF(POSITIVE, __VA_ARGS__), STEP}, .tiers = how}
#define INEXACT (GRAFT_TIER_ROUNDING | GRAFT_TIER_GRADIENT)

/* Word 15 for seed 4, stream 7 and step 0 is 664952320, as worked out with a Philox of another language: this
 * is the probability whose threshold it equals, and an element is dropped below it only. */
#define AT_WORD_15 0x1.3d12fp-3f

/* Word 13 for stream 16 is 3870376, by the same program: the threshold p · 2^32 is 3870376.75, which is rounded
 * up, so the element is dropped. */
#define PAST_WORD_13 0x1.d87546p-11f

static const struct graft_case cases[] = {
    {"past_word", .attributes.dropout = {.probability = PAST_WORD_13, .stream = 16, .seed = 4},
     .in = {REAL_OF(POSITIVE, 20), {GRAFT_DTYPE_I32, GRAFT_VALUES_NORMAL, DIMS(1), NULL, 1}},
     .tiers = INEXACT},
    {"at_threshold", .attributes.dropout = {.probability = AT_WORD_15, .stream = 7, .seed = 4},
     .in = {REAL_OF(POSITIVE, 33), {GRAFT_DTYPE_I32, GRAFT_VALUES_NORMAL, DIMS(1), NULL, 1}},
     .tiers = INEXACT},
    DROP("1", 0, 0.5f, 0, 1, 1),
    DROP("3", 0, 0.5f, 1, 2, 3),
    DROP("5", 0, 0.5f, 7, 3, 5),
    DROP("64", 0, 0.5f, 7, 3, 64),
    DROP("257", 0, 0.5f, 0xffffffffu, 0xfedcba9876543210u, 257),
    DROP("many", 0, 0.75f, 3, 4, 33, 1001),
    DROP("pictures", INEXACT, 0.2f, 3, 4, 2, 5, 7, 31),
    DROP("rows", INEXACT, 0.3f, 4, 1ull << 40, 65, 63),
    DROP("nothing_dropped", 0, 0.0f, 1, 1, 100),
    DROP("nearly_all", INEXACT, 0.99f, 1, 1, 1000),
    /* parts of a batch: as many rows come before, up to beyond 32 bits of blocks */
    {"part", .attributes.dropout = {.probability = 0.4f, .stream = 5, .seed = 77},
     .in = {REAL_OF(POSITIVE, 33, 64), {GRAFT_DTYPE_I32, GRAFT_VALUES_NORMAL, DIMS(2), NULL, 100000}},
     .tiers = INEXACT},
    {"part_odd", .attributes.dropout = {.probability = 0.4f, .stream = 5, .seed = 78},
     .in = {REAL_OF(POSITIVE, 3, 7, 35), {GRAFT_DTYPE_I32, GRAFT_VALUES_NORMAL, DIMS(2), NULL, 100}},
     .tiers = INEXACT},
    {"part_far", .attributes.dropout = {.probability = 0.4f, .stream = 5, .seed = 79},
     .in = {REAL_OF(POSITIVE, 2, 40000), {GRAFT_DTYPE_I32, GRAFT_VALUES_NORMAL, DIMS(2), NULL, 2000000000}},
     .tiers = INEXACT},
    DROP("empty", 0, 0.5f, 1, 1, 0, 3),
    {"signed", .attributes.dropout = {.probability = 0.5f, .stream = 9, .seed = 11},
     .in = {REAL(31, 9), STEP}},
};

const struct graft_case_set graft_cases_dropout = {cases, CASE_COUNT(cases)};
