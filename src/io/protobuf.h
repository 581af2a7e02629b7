/* SPDX-License-Identifier: MIT */
/*
 * Protocol Buffers as far as reading takes it: the fields of a message, one after another, within bounds. The
 * wire format is four rules, and a reader of our own keeps what a hostile file can cost to one pass over it;
 * a generated one would unpack the whole tree first.
 */
#ifndef GRAFT_SRC_IO_PROTOBUF_H
#define GRAFT_SRC_IO_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct graft_protobuf {
    const uint8_t *data; /* what is left of the message */
    size_t size;
    bool damaged; /* the message ends within a field, or a field is of a kind that is not written any more */
};

struct graft_protobuf_field {
    uint32_t number;
    int wire;            /* 0: integer, 1: 64 bits, 2: bytes, 5: 32 bits */
    uint64_t value;      /* of 0, 1 and 5 */
    const uint8_t *data; /* of 2 */
    size_t size;
};

/* The next field; false at the end, or where the message is damaged. */
bool graft_protobuf_next(struct graft_protobuf *message, struct graft_protobuf_field *field);
/* A field that is a message, or a packed list. */
struct graft_protobuf graft_protobuf_enter(const struct graft_protobuf_field *field);
/* The next number of a packed list of varints; false at its end. */
bool graft_protobuf_varint(struct graft_protobuf *list, uint64_t *value);

#endif
