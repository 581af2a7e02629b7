/* SPDX-License-Identifier: MIT */
/* Geometry and augmentation inside of the room. */
#ifndef GRAFT_SRC_DATA_PREPROCESS_H
#define GRAFT_SRC_DATA_PREPROCESS_H

#include "data/decode.h"

/* Picture → [crop_height, crop_width, channels]: views of 1 or 3 channels give either. False: no memory. */
bool graft_preprocess_view(struct graft_scratch *scratch, const struct graft_preprocess *preprocess,
                           const struct graft_view *view, uint8_t *result);

/* The same with random changes, drawn from (seed, epoch, sample). */
bool graft_augment_view(struct graft_scratch *scratch, const struct graft_preprocess *preprocess,
                        const struct graft_augment *augment, uint64_t seed, int64_t epoch, int64_t sample,
                        const struct graft_view *view, uint8_t *result);

/* Makes the number of channels what is asked, in scratch->changed if it has to change. */
bool graft_match_channels(struct graft_scratch *scratch, int32_t channels, struct graft_view *view);

enum graft_status graft_augment_check(struct graft_context *context, const struct graft_augment *augment);

#endif
