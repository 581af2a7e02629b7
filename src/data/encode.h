/* SPDX-License-Identifier: MIT */
/* Pictures as bytes in memory; files are graft_image_write_png's. */
#ifndef GRAFT_SRC_DATA_ENCODE_H
#define GRAFT_SRC_DATA_ENCODE_H

#include "base/text.h"
#include "graft/data.h"

/* Appends a PNG, of a grey or RGB picture. GRAFT_ERROR_ARGUMENT; GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_image_encode_png(struct graft_context *context,
                                                          const struct graft_image *image, struct graft_text *bytes);
/* Appends a JPEG; quality 1..100. GRAFT_ERROR_MEMORY; GRAFT_ERROR_UNSUPPORTED (sides above 65,500). */
GRAFT_MUST_CHECK enum graft_status graft_image_encode_jpeg(struct graft_context *context,
                                                           const struct graft_image *image, int quality,
                                                           struct graft_text *bytes);

#endif
