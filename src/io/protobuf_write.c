/* SPDX-License-Identifier: MIT */
#include "io/protobuf_write.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

void graft_protobuf_put_varint(struct graft_context *context, struct graft_text *message, uint64_t value)
{
    uint8_t bytes[10];
    size_t count = 0;
    do {
        bytes[count++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value > 0);
    graft_text_append_bytes(context, message, (const char *)bytes, count);
}

static void put_key(struct graft_context *context, struct graft_text *message, uint32_t number, int wire)
{
    graft_protobuf_put_varint(context, message, (uint64_t)number << 3 | (uint64_t)wire);
}

void graft_protobuf_put_number(struct graft_context *context, struct graft_text *message, uint32_t number,
                                int64_t value)
{
    put_key(context, message, number, WIRE_VARINT);
    graft_protobuf_put_varint(context, message, (uint64_t)value);
}

void graft_protobuf_put_float(struct graft_context *context, struct graft_text *message, uint32_t number,
                              float value)
{
    uint32_t bits = 0;
    char bytes[4];
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; i++) {
        bytes[i] = (char)(uint8_t)(bits >> (8 * i));
    }
    put_key(context, message, number, WIRE_FIXED32);
    graft_text_append_bytes(context, message, bytes, sizeof bytes);
}

void graft_protobuf_put_double(struct graft_context *context, struct graft_text *message, uint32_t number,
                               double value)
{
    uint64_t bits = 0;
    char bytes[8];
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++) {
        bytes[i] = (char)(uint8_t)(bits >> (8 * i));
    }
    put_key(context, message, number, WIRE_FIXED64);
    graft_text_append_bytes(context, message, bytes, sizeof bytes);
}

void graft_protobuf_put_head(struct graft_context *context, struct graft_text *message, uint32_t number,
                             uint64_t size)
{
    put_key(context, message, number, WIRE_BYTES);
    graft_protobuf_put_varint(context, message, size);
}

void graft_protobuf_put_bytes(struct graft_context *context, struct graft_text *message, uint32_t number,
                              const void *data, size_t size)
{
    graft_protobuf_put_head(context, message, number, size);
    if (size > 0) {
        graft_text_append_bytes(context, message, data, size);
    }
}

void graft_protobuf_put_text(struct graft_context *context, struct graft_text *message, uint32_t number,
                             const char *text)
{
    graft_protobuf_put_bytes(context, message, number, text, strlen(text));
}
