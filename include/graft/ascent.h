/* SPDX-License-Identifier: MIT */
/*
 * Pictures that a network likes: what excites a channel of a layer most, the ideal picture of a class. Gradient
 * ascent from noise or from a picture, many at a time.
 *
 * A picture is a sum of octaves, of its own size, half of it, a quarter …, which all move at the same rate; coarse
 * ones begin, finer ones join them. Each step looks at it from a little aside, nearer, and turned, so that what comes
 * is no noise that only one raster sees; and takes away from its total variation. Same seed, same bits on a device.
 *
 * Devices differ in rounding, and so do the kernels of one. A network's gradient jumps where a relu or a maximum turns
 * over, so that steps of one length, whatever the gradient's, lead two pictures apart that differ by 1e-7: after some
 * tens of steps they are two pictures of the class. Its probability, and so which class is seen, agree within 1 %, a
 * channel's mean after 30 steps too; the logits of such pictures, which are a hundred times as large as of a photograph,
 * lie up to some percent apart, as those of two seeds do.
 */
#ifndef GRAFT_ASCENT_H
#define GRAFT_ASCENT_H

#include "graft/classifier.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All zero but the network: as is usual. Its texts must outlive the ascent. */
struct graft_ascent_options {
    struct graft_classifier_options classifier; /* batch: pictures at a time, 0: 8; output, pool: unused */
    /* NULL or "": pictures of classes. Else of the channels of this layer or stage, whose result must be a map
     * [h, w, c] or tokens [t, c] of a square number: what is made large is a channel's mean over its places. */
    const char *layer;
    int32_t side;     /* LAYER: pixels, 16..2048; 0: 150, or as many as a place of the layer sees, but no more than the
                         network's input. Classes: unused, what the network's resizing leaves as it is */
    int32_t steps;    /* 1..100000; 0: 200 for a class, 30 for a channel */
    int32_t octaves;  /* 1..8; 0: 5 */
    float rate;       /* of a step, in the logarithm of p / (1 - p) of a pixel p in 0..1; 0: 0.08, channels 0.3; to 10 */
    float variation;  /* weight of the total variation against the gradient, to 100; 0: 0.15; below 0: none */
    float jitter;     /* pixels of a look aside; 0: a sixteenth of the side; below 0: none; to a quarter of the side */
    float blur;       /* 0..1: how much of each step's finest detail is smoothed away; 0: nothing */
    uint64_t seed;
};

struct graft_ascent;

/* Statuses of graft_classifier_open and graft_model_open; GRAFT_ERROR_ARGUMENT: options out of range, a layer that
 * is none (the nearest is proposed) or makes no map, a side that is less than a place of the layer sees (and less
 * than the network's input); GRAFT_ERROR_UNSUPPORTED: an op between has no gradient. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_ascent_open(struct graft_device *device,
                                                               const struct graft_ascent_options *options,
                                                               struct graft_ascent **ascent);
GRAFT_API void graft_ascent_close(struct graft_ascent **ascent);
/* The network, its classes and preprocessing; the ascent's own. */
GRAFT_API struct graft_classifier *graft_ascent_classifier(struct graft_ascent *ascent);
/* How many goals there are: classes, or channels of the layer. */
GRAFT_API int32_t graft_ascent_goals(const struct graft_ascent *ascent);
/* Pictures at a time; steps. */
GRAFT_API int32_t graft_ascent_batch(const struct graft_ascent *ascent);
GRAFT_API int32_t graft_ascent_steps(const struct graft_ascent *ascent);

/* Picture `row` as it is now: u8 [height, width, channels]; memory is the ascent's, valid until its next call. */
GRAFT_API void graft_ascent_picture(struct graft_ascent *ascent, int32_t row, struct graft_image *picture);

/* Called after each step, 1..steps, and with step 0 before the first. Anything but GRAFT_OK ends the run and is what
 * it returns. */
typedef enum graft_status graft_ascent_watch(void *user, struct graft_ascent *ascent, int32_t step);

struct graft_ideal {
    int32_t goal;
    float score;       /* what was made large, of the 8-bit picture: a channel's mean; a class's logit, before a relu behind it */
    float probability; /* a class's, of the 8-bit picture as predicting takes it from a file; channels: 0 */
    int32_t predicted; /* the most probable class then; channels: -1 */
};

/*
 * Makes `count` ≤ batch pictures at once, one for each of `goals` (classes or channels, from 0); look at them with
 * graft_ascent_picture. `start`: NULL: from noise; else all begin with this picture, RGB or grey, resized and cropped to theirs. `ideals`:
 * [count]. GRAFT_ERROR_ARGUMENT; GRAFT_ERROR_CANCELLED after graft_context_cancel; statuses of graft_plan_run.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_ascent_run(struct graft_ascent *ascent, const int32_t *goals,
                                                              int32_t count, const struct graft_image *start,
                                                              graft_ascent_watch *watch, void *user,
                                                              struct graft_ideal *ideals);

/* ---- kernels as they are */

struct graft_kernels {
    const char *layer; /* the network's first convolution; the classifier's own */
    int32_t count, height, width, channels;
    float *values; /* [count, height, width, channels]; graft_kernels_close */
};

/* Of the convolution that takes the picture: its weights are pictures themselves. GRAFT_ERROR_ARGUMENT: there is none;
 * statuses of graft_variables_read. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_kernels_read(struct graft_classifier *classifier,
                                                                struct graft_kernels *kernels);
GRAFT_API void graft_kernels_close(struct graft_context *context, struct graft_kernels *kernels);
/* Kernel `index` as a picture of height × width: 0 is grey, its largest weight black or white. `picture` is the
 * caller's (graft_image_close). GRAFT_ERROR_MEMORY. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_kernels_picture(struct graft_context *context,
                                                                   const struct graft_kernels *kernels,
                                                                   int32_t index, struct graft_image *picture);

#ifdef __cplusplus
}
#endif
#endif
