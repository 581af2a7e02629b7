/* SPDX-License-Identifier: MIT */
/* At most 1024 bytes. Seeds: unit/safetensors_test */
#include "io/safetensors.h"
#include "tensors.h"

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    return fuzz_tensors(graft_safetensors_parse, context, data, size);
}

const struct fuzz_target fuzz_target = {.read = try_bytes};
