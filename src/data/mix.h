/* SPDX-License-Identifier: MIT */
/* Mixup and CutMix: each picture of a batch with another one of it. */
#ifndef GRAFT_SRC_DATA_MIX_H
#define GRAFT_SRC_DATA_MIX_H

#include "base/random.h"
#include "data/preprocess.h"
#include "graft/data.h"

/* What happens to a batch: an average, or a rectangle [top, bottom) × [left, right) of the other picture. */
struct graft_mixture {
    double share; /* of a picture's own pixels */
    bool cut;
    int32_t left, top, right, bottom;
};

/* Neither is asked for: the share is 1. */
void graft_mixture_draw(const struct graft_mix *mix, const struct graft_draw *draw, int32_t width,
                        int32_t height, struct graft_mixture *mixture);
/* The rectangle about (x, y) that leaves `share` of the pixels, cut at the border, after which the share is
 * what is left. */
void graft_mixture_cut(double share, int32_t x, int32_t y, int32_t width, int32_t height,
                       struct graft_mixture *mixture);
/* `pixels` [height, width, channels] becomes the mixture of itself and `other`; averages are rounded. */
void graft_mixture_apply(const struct graft_mixture *mixture, uint8_t *pixels, const uint8_t *other,
                         int32_t width, int32_t height, int32_t channels);
/* Row i of [count, height, width, channels] becomes the mixture of itself and row i − 1, the first that of
 * itself and the last. draw->sample is the batch's number; `spare`: memory for a row. Returns the share of a
 * row's own. */
double graft_mix_batch(const struct graft_mix *mix, const struct graft_draw *draw,
                       const struct graft_preprocess *preprocess, uint8_t *rows, int64_t count,
                       uint8_t *spare);
/* Beta(alpha, alpha), for alpha from GRAFT_MIX_LEAST to GRAFT_MIX_MOST. */
double graft_random_beta(struct graft_random *random, double alpha);
/* GRAFT_ERROR_ARGUMENT: a number that is no such alpha, nor 0; or there are no pixels to be mixed. */
GRAFT_MUST_CHECK enum graft_status graft_mix_check(struct graft_context *context, const struct graft_mix *mix,
                                                   bool pixels);

static inline bool graft_mixes(const struct graft_mix *mix)
{
    return mix->mixup > 0 || mix->cutmix > 0;
}

#endif
