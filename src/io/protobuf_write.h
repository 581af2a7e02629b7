/* SPDX-License-Identifier: MIT */
/* Protocol Buffers as far as writing takes it: fields are appended to a text, one after another. A text that
 * failed (no memory) says so at the end. */
#ifndef GRAFT_SRC_IO_PROTOBUF_WRITE_H
#define GRAFT_SRC_IO_PROTOBUF_WRITE_H

#include "base/text.h"

void graft_protobuf_put_varint(struct graft_context *context, struct graft_text *message, uint64_t value);
/* A field with an integer. */
void graft_protobuf_put_number(struct graft_context *context, struct graft_text *message, uint32_t number,
                                int64_t value);
/* A field with a 32-bit float. */
void graft_protobuf_put_float(struct graft_context *context, struct graft_text *message, uint32_t number,
                              float value);
/* A field with a 64-bit one. */
void graft_protobuf_put_double(struct graft_context *context, struct graft_text *message, uint32_t number,
                               double value);
/* A field with bytes, a text, or another message. */
void graft_protobuf_put_bytes(struct graft_context *context, struct graft_text *message, uint32_t number,
                              const void *data, size_t size);
void graft_protobuf_put_text(struct graft_context *context, struct graft_text *message, uint32_t number,
                             const char *text);
/* What stands before a field of `size` bytes that is written elsewhere. */
void graft_protobuf_put_head(struct graft_context *context, struct graft_text *message, uint32_t number,
                             uint64_t size);

#endif
