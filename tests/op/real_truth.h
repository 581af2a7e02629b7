/* SPDX-License-Identifier: MIT */
/* Inside of real cases: operands, and what is known of the results. */
#ifndef GRAFT_TESTS_OP_REAL_TRUTH_H
#define GRAFT_TESTS_OP_REAL_TRUTH_H

#include "freivalds.h"
#include "real.h"

#define GRAFT_REAL_SAMPLES 48
#define GRAFT_REAL_IMAGES 4

struct graft_real_truth {
    struct graft_call call;
    void *in[GRAFT_MAX_INPUTS];      /* as the device gets them: f32, i32, u8; NULL: absent */
    float *prior[GRAFT_MAX_OUTPUTS]; /* NULL unless accumulating */
    uint64_t seed;
    bool is_product;
    struct graft_product product;
    struct graft_freivalds check;
    int64_t sample[GRAFT_REAL_SAMPLES]; /* outputs of products summed up as the definition says */
    double sum[GRAFT_REAL_SAMPLES];
    float *wanted[GRAFT_MAX_OUTPUTS];  /* of what is exact: all elements, or those of images; else NULL */
    int64_t images[GRAFT_REAL_IMAGES]; /* along the first dimension, of tensors of gigabytes */
    int n_images;                      /* 0: all */
    struct graft_real_stage *stage;   /* real_run.c: the device's memory with the case; NULL: none yet */
};

/* What a device computed: outputs and mutated inputs, NULL where there is none. */
struct graft_real_results {
    float *out[GRAFT_MAX_OUTPUTS];
    float *in[GRAFT_MAX_INPUTS];
};

/* Fills a verdict's text and difference. Returns false. */
bool graft_real_differs(const struct graft_call *call, bool input, int tensor,
                        const struct graft_conform_difference *difference, char *text, size_t size);

/* real_slice.c: whether it knows slices of the call that stand for themselves, and the comparison of such a
 * one within the bounds of the small cases; share: the largest error in tolerances. */
bool graft_real_slice_is(const struct graft_call *call);
bool graft_real_slice_compare(const struct graft_real_truth *truth, struct graft_context *context,
                              const struct graft_real_results *got, const char *variant, double *share,
                              struct graft_conform_difference *difference, char *text, size_t size);

/* SplitMix64's finalizer: a number out of a number. */
static inline uint64_t graft_real_mix(uint64_t z)
{
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

#endif
