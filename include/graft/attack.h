/* SPDX-License-Identifier: MIT */
/*
 * Adversarial pictures: the least change that makes a network see something else.
 *
 * What counts is the 8-bit picture at its own size, as a file holds it: each look at it goes through the network's
 * own resizing, cropping and rounding, and the gradient goes back through them.
 */
#ifndef GRAFT_ATTACK_H
#define GRAFT_ATTACK_H

#include "graft/classifier.h"

#ifdef __cplusplus
extern "C" {
#endif

enum graft_attack_norm {
    GRAFT_ATTACK_LINF = 0, /* the largest change of a number, in 0..1 */
    GRAFT_ATTACK_L2 = 1    /* the root of the sum of the squares of all changes, in 0..1 each */
};
#define GRAFT_ATTACK_NORMS 2

/*
 * PGD     projected gradient descent: steps of falling length, and back to the nearest change within epsilon
 *                                                                        Madry et al., arXiv 1706.06083
 * FGSM    one step of epsilon along the sign of the gradient (L2: along it)  Goodfellow et al., arXiv 1412.6572
 * MINIMAL PGD with the least epsilon that succeeds, by doubling and then bisection
 */
enum graft_attack_method { GRAFT_ATTACK_PGD = 0, GRAFT_ATTACK_FGSM = 1, GRAFT_ATTACK_MINIMAL = 2 };
#define GRAFT_ATTACK_METHODS 3

/* "linf", "l2"; "pgd", "fgsm", "minimal"; NULL for a number that is none. */
GRAFT_API const char *graft_attack_norm_name(enum graft_attack_norm norm);
GRAFT_API const char *graft_attack_method_name(enum graft_attack_method method);
/* GRAFT_ERROR_NOT_FOUND names those that are. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_attack_norm_find(struct graft_context *context, const char *name,
                                                                    enum graft_attack_norm *norm);
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_attack_method_find(struct graft_context *context,
                                                                      const char *name,
                                                                      enum graft_attack_method *method);

/* All zero but the network: PGD, L∞, 2/255. */
struct graft_attack_options {
    struct graft_classifier_options classifier; /* batch: pictures at a time, 0: 8; output, pool: unused */
    enum graft_attack_norm norm;
    enum graft_attack_method method;
    double epsilon; /* the largest change: L∞ 1/255..1 (8 bits have whole levels: rounded down), L2 1/255..1000.
                       0: 2/255, L2 0.5. MINIMAL: no more is tried; 0: 32/255, L2 16 */
    int32_t steps;  /* for one epsilon, 1..10000; 0: 20. FGSM: 1 */
};

struct graft_attack;

/* Statuses of graft_classifier_open; GRAFT_ERROR_ARGUMENT: options out of range; GRAFT_ERROR_UNSUPPORTED: a network
 * without gradients to the picture, naming the op. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_attack_open(struct graft_device *device,
                                                               const struct graft_attack_options *options,
                                                               struct graft_attack **attack);
GRAFT_API void graft_attack_close(struct graft_attack **attack);
/* The network, its classes and preprocessing; the attack's own. */
GRAFT_API struct graft_classifier *graft_attack_classifier(struct graft_attack *attack);
/* Pictures at a time. */
GRAFT_API int32_t graft_attack_batch(const struct graft_attack *attack);
/* The largest change that is allowed, in 0..1 of a number: as resolved and rounded. */
GRAFT_API double graft_attack_epsilon(const struct graft_attack *attack);

struct graft_attacked {
    bool succeeded;
    int32_t before, after;          /* the most probable classes */
    float before_share, after_share; /* their probabilities, in the original and in the changed picture */
    double linf, l2;                /* the change; numbers in 0..1 */
    double psnr;                    /* dB: 10 log10(1 / mean of the squares of the changes); INFINITY: none */
    int32_t looks;                  /* gradients that it took */
    const uint8_t *pixels; /* [height, width, channels] of the picture: the changed one, also where it failed; the
                              attack's own, valid until its next call */
};

/*
 * Attacks `count` ≤ batch pictures at once, decoded with as many channels as the network has, of any sizes. `target`: the
 * class that is to be seen; -1: any other than is seen now. A picture that is seen so already succeeds unchanged.
 * `attacked`: [count]. GRAFT_ERROR_ARGUMENT; GRAFT_ERROR_CANCELLED after graft_context_cancel; statuses of
 * graft_plan_run.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_attack_run(struct graft_attack *attack,
                                                              const struct graft_image *pictures, int32_t count,
                                                              int32_t target, struct graft_attacked *attacked);

#ifdef __cplusplus
}
#endif
#endif
