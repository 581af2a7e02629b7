/* SPDX-License-Identifier: MIT */
/* Inside of the safetensors reader: the same from memory, for tests and for archives. */
#ifndef GRAFT_SRC_IO_SAFETENSORS_H
#define GRAFT_SRC_IO_SAFETENSORS_H

#include "graft/io.h"

#define GRAFT_SAFETENSORS_HEADER_LIMIT UINT64_C(100000000)
#define GRAFT_SAFETENSORS_METADATA "__metadata__"

/* As graft_safetensors_load, of `size` bytes at `data`; `path` is what messages call it. */
GRAFT_MUST_CHECK enum graft_status graft_safetensors_parse(struct graft_context *context, const char *path,
                                                           const uint8_t *data, size_t size,
                                                           struct graft_tensor_set **set);

#endif
