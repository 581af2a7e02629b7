/* SPDX-License-Identifier: MIT */
/* Archives of Keras 3. At most 4096 bytes. Seeds: made.py ../shared/weights/keras */
#include "io/keras.h"
#include "io/zip.h"
#include "tensors.h"
#include "zip.h"

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    return fuzz_tensors(graft_keras_parse_zip, context, data, size);
}

const struct fuzz_target fuzz_target = {.read = try_bytes, .takes = graft_zip_begins, .mend = fuzz_mend_zip};
