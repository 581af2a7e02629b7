/* SPDX-License-Identifier: MIT */
#include "io/protobuf_write.h"

static void put_varint(struct graft_context *context, struct graft_text *text, uint64_t value)
{
    char bytes[10];
    size_t count = 0;
    do {
        bytes[count++] = (char)((value & 127u) | (value > 127 ? 128u : 0u));
        value >>= 7;
    } while (value > 0);
    graft_text_append_bytes(context, text, bytes, count);
}

void graft_protobuf_put_number(struct graft_context *context, struct graft_text *text, uint32_t number,
                               uint64_t value)
{
    put_varint(context, text, (uint64_t)number << 3);
    put_varint(context, text, value);
}

void graft_protobuf_put_bytes(struct graft_context *context, struct graft_text *text, uint32_t number,
                              const void *data, size_t size)
{
    put_varint(context, text, (uint64_t)number << 3 | 2u);
    put_varint(context, text, size);
    graft_text_append_bytes(context, text, data, size);
}
