/* SPDX-License-Identifier: MIT */
/* Inside of the reader of Keras' files. */
#ifndef GRAFT_SRC_IO_KERAS_H
#define GRAFT_SRC_IO_KERAS_H

#include "io/hdf5_file.h"
#include "io/json.h"

/*
 * The set's text under this key says by whose conventions it is laid out: "keras": names "layer/kernel",
 * kernels [h, w, in, out], depthwise ones [h, w, channels, multiplier], dense ones [in, out]. Absent:
 * PyTorch's.
 */
#define GRAFT_KEY_CONVENTION "graft.convention"

/* As graft_tensor_set_load, of bytes: .h5 and .weights.h5, or .keras. */
GRAFT_MUST_CHECK enum graft_status graft_keras_parse(struct graft_context *context, const char *path,
                                                     const uint8_t *data, size_t size,
                                                     struct graft_tensor_set **set);
GRAFT_MUST_CHECK enum graft_status graft_keras_parse_zip(struct graft_context *context, const char *path,
                                                         const uint8_t *data, size_t size,
                                                         struct graft_tensor_set **set);

/* keras_layers.c: weights by the class of their layer (`.weights.h5`); `config` may be NULL. */
GRAFT_MUST_CHECK enum graft_status graft_keras_read_layers(struct graft_context *context,
                                                           struct graft_hdf5 *file, const json_t *config,
                                                           struct graft_tensor_set *set);

#endif
