/* SPDX-License-Identifier: MIT */
#include "io/protobuf.h"

bool graft_protobuf_varint(struct graft_protobuf *message, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < 10 && i < message->size; i++) {
        *value |= (uint64_t)(message->data[i] & 0x7f) << (7 * i);
        if (message->data[i] < 0x80) {
            message->data += i + 1;
            message->size -= i + 1;
            return true;
        }
    }
    message->damaged = message->damaged || message->size > 0;
    message->size = 0;
    return false;
}

/* `size` bytes of the message; false if there are not so many. */
static bool take(struct graft_protobuf *message, uint64_t size, struct graft_protobuf_field *field)
{
    if (size > message->size) {
        message->damaged = true;
        message->size = 0;
        return false;
    }
    field->data = message->data;
    field->size = (size_t)size;
    message->data += size;
    message->size -= (size_t)size;
    return true;
}

static bool take_fixed(struct graft_protobuf *message, int size, struct graft_protobuf_field *field)
{
    if (!take(message, (uint64_t)size, field)) {
        return false;
    }
    field->value = 0;
    for (int i = size - 1; i >= 0; i--) {
        field->value = field->value << 8 | field->data[i];
    }
    return true;
}

bool graft_protobuf_next(struct graft_protobuf *message, struct graft_protobuf_field *field)
{
    uint64_t key = 0, size = 0;
    if (message->size == 0 || !graft_protobuf_varint(message, &key)) {
        return false;
    }
    *field = (struct graft_protobuf_field){.number = (uint32_t)(key >> 3), .wire = (int)(key & 7)};
    if (key >> 3 == 0 || key >> 3 > UINT32_MAX) {
        message->damaged = true;
        return false;
    }
    switch (field->wire) {
    case 0:
        if (!graft_protobuf_varint(message, &field->value)) {
            message->damaged = true;
            return false;
        }
        return true;
    case 1:
        return take_fixed(message, 8, field);
    case 2:
        if (!graft_protobuf_varint(message, &size)) {
            message->damaged = true;
            return false;
        }
        return take(message, size, field);
    case 5:
        return take_fixed(message, 4, field);
    default:
        message->damaged = true;
        return false; /* groups, and what there is none of */
    }
}

struct graft_protobuf graft_protobuf_enter(const struct graft_protobuf_field *field)
{
    return (struct graft_protobuf){.data = field->data, .size = field->wire == 2 ? field->size : 0};
}
