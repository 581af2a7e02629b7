/* SPDX-License-Identifier: MIT */
/* At most 4096 bytes. Seeds: unit/pytorch_test ../shared/weights/torch */
#include "io/pytorch.h"
#include "tensors.h"

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    return fuzz_tensors(graft_pytorch_parse, context, data, size);
}

const struct fuzz_target fuzz_target = {.read = try_bytes, .takes = graft_pytorch_legacy_begins};
