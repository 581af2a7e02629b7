/* SPDX-License-Identifier: MIT */
/* From a decoded picture to the input of a network, inside of the room. */
#ifndef GRAFT_SRC_DATA_PREPROCESS_H
#define GRAFT_SRC_DATA_PREPROCESS_H

#include "data/decode.h"

#define GRAFT_SIDE_LIMIT 8192

/* What chance depends on. */
struct graft_draw {
    uint64_t seed;
    int64_t epoch, sample;
};

/* Picture → [crop_height, crop_width, channels]: views of 1 or 3 channels give either. False: no memory. */
bool graft_transforms_run(struct graft_scratch *scratch, const struct graft_preprocess *preprocess,
                          const struct graft_transforms *transforms, const struct graft_draw *draw,
                          const struct graft_view *view, uint8_t *result);

/* GRAFT_ERROR_ARGUMENT names step and parameter. */
enum graft_status graft_transforms_check(struct graft_context *context,
                                         const struct graft_transforms *transforms);
/* Does any step draw at random? */
bool graft_transforms_random(const struct graft_transforms *transforms);
/* Do pictures of height × width come out as they are? */
bool graft_transforms_keep(const struct graft_preprocess *preprocess,
                           const struct graft_transforms *transforms, int32_t height, int32_t width);

/*
 * How pictures are decoded for these steps: with preprocess->scaled no smaller than the first resize or crop needs
 * them, and as they are where a step before that looks at pixels.
 */
struct graft_decode_options graft_preprocess_decoding(const struct graft_preprocess *preprocess,
                                                      const struct graft_transforms *transforms);

/* Makes the number of channels what is asked, in scratch->changed if it has to change. */
bool graft_match_channels(struct graft_scratch *scratch, int32_t channels, struct graft_view *view);

#endif
