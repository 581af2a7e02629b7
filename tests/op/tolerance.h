/* SPDX-License-Identifier: MIT */
/* How far a result may be from the truth: one table for all backends, variants and cases. */
#ifndef GRAFT_TESTS_OP_TOLERANCE_H
#define GRAFT_TESTS_OP_TOLERANCE_H

#include "harness.h"

/* Whether the op has an exact tier: sums and products only, so that small integers leave no rounding. */
bool graft_tolerance_has_exact(enum graft_op op);
/* False for algorithms that compute with fractions of their own (Winograd). */
bool graft_variant_has_exact(const char *variant);

/*
 * Fills tolerance[] of every result of a rounding job; `call` is the f64 call and `inputs` what the truth was
 * computed from. Results stay with NULL (equality) where nothing is rounded.
 */
void graft_tolerance_fill(struct graft_heap *heap, const struct graft_call *call, struct graft_truth *truth);

/* Puts the bound of F(4×4, 3×3) into a rounding truth of conv2d or conv2d_grad_input: the algorithm of
 * variants whose names begin with winograd4, in whatever backend. False if it does not apply: NaN or Inf
 * among the results. */
bool graft_tolerance_winograd(struct graft_heap *heap, struct graft_truth *truth);

/* Adds to the bound of a rounding truth what factors of TF32 err by: of variants with _tf32 in their names.
 */
bool graft_variant_is_tf32(const char *variant);
void graft_tolerance_tf32(struct graft_heap *heap, struct graft_truth *truth);

/* What a magnitude function gets: the magnitude of each result is Σ|summands|, to be multiplied by c·u·g(K).
 */
struct graft_magnitude {
    const struct graft_call *call; /* f64 */
    double *in[GRAFT_MAX_INPUTS]; /* copies of real inputs, to be changed at will; NULL: absent or not real */
    const void *const *given;     /* inputs as they were */
    const struct graft_truth *truth;
    double *magnitude[GRAFT_MAX_RESULTS]; /* in the order of truth->results */
    double unit;                          /* c·u·g(K), for second-order terms */
};

/* Magnitudes that are not one run on absolute values: tolerance_direct.c. Prior contents are added by the
 * caller. */
void graft_magnitude_batch_norm_stats(struct graft_magnitude *m);
/* Makes tolerances of values before a fused activation, other than relu and relu6, tolerances of its results.
 */
double graft_tolerance_steepest(enum graft_unary kind); /* the most that a small change grows by */
void graft_tolerance_activate(struct graft_heap *heap, struct graft_truth *truth);
void graft_magnitude_unary(struct graft_magnitude *m); /* these three: tolerance_function.c */
void graft_magnitude_unary_grad(struct graft_magnitude *m);
void graft_magnitude_binary_grad(struct graft_magnitude *m);
void graft_magnitude_group_norm(struct graft_magnitude *m);
void graft_magnitude_group_norm_grad_input(struct graft_magnitude *m);
void graft_magnitude_group_norm_grad_param(struct graft_magnitude *m);
void graft_magnitude_softmax(struct graft_magnitude *m);
void graft_magnitude_softmax_grad(struct graft_magnitude *m);
void graft_magnitude_log_softmax(struct graft_magnitude *m);
void graft_magnitude_log_softmax_grad(struct graft_magnitude *m);
void graft_magnitude_cross_entropy(struct graft_magnitude *m);
void graft_magnitude_cross_entropy_grad(struct graft_magnitude *m);
void graft_magnitude_attention(struct graft_magnitude *m); /* these two: tolerance_attention.c */
void graft_magnitude_attention_grad(struct graft_magnitude *m);
void graft_magnitude_lrn(struct graft_magnitude *m);
void graft_magnitude_lrn_grad(struct graft_magnitude *m);
/* The factor that clips gradients errs by sqrt (6), division (5), two products, twice that in a square: more
 * than the `c` of the table. */
void graft_magnitude_widen_for_clip(struct graft_magnitude *m, double c);
void graft_magnitude_adam(struct graft_magnitude *m);
void graft_magnitude_rmsprop(struct graft_magnitude *m);

#endif
