/* SPDX-License-Identifier: MIT */
/* Keras' .h5 and .weights.h5. At most 4096 bytes. Seeds: unit/hdf5_test made.py ../shared/weights/keras */
#include "io/keras.h"
#include "tensors.h"

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    return fuzz_tensors(graft_keras_parse, context, data, size);
}

const struct fuzz_target fuzz_target = {.read = try_bytes, .takes = graft_hdf5_begins};
