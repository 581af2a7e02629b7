/* SPDX-License-Identifier: MIT */
/* Protocol Buffers as far as writing takes it: a field at a time behind a text; a message within another one
 * is written by itself first. A failure is in the text. */
#ifndef GRAFT_SRC_IO_PROTOBUF_WRITE_H
#define GRAFT_SRC_IO_PROTOBUF_WRITE_H

#include "base/text.h"

/* An integer (wire 0). */
void graft_protobuf_put_number(struct graft_context *context, struct graft_text *text, uint32_t number,
                               uint64_t value);
/* Bytes, a text, a message (wire 2). */
void graft_protobuf_put_bytes(struct graft_context *context, struct graft_text *text, uint32_t number,
                              const void *data, size_t size);

#endif
