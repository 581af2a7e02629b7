/* SPDX-License-Identifier: MIT */
/* Where the outputs of a resizing stand: see struct graft_resize_attributes. */
#ifndef GRAFT_SRC_BACKEND_CPU_RESIZING_H
#define GRAFT_SRC_BACKEND_CPU_RESIZING_H

#include "op/op.h"

/* Output i reads element `at` with the weight (whole − part) / whole and `next` with part / whole. */
struct resize_place {
    int32_t at, next;
    int32_t part, whole;
};

/* Sizes are at most GRAFT_RESIZE_MAX_SIZE, so that no product leaves 31 bits. */
static inline struct resize_place resize_place_of(const struct graft_resize_attributes *a, int32_t in,
                                                  int32_t out, int32_t i)
{
    if (a->mode == GRAFT_RESIZE_NEAREST) {
        const float scale = (float)in / (float)out;
        const float product = (float)i * scale;
        const int32_t at = (int32_t)product < in ? (int32_t)product : in - 1;
        return (struct resize_place){at, at, 0, 1};
    }
    int32_t place = (2 * i + 1) * in - out;
    int32_t whole = 2 * out;
    if (a->align_corners) {
        place = i * (in - 1);
        whole = out > 1 ? out - 1 : 1;
    }
    place = place > 0 ? place : 0;
    const int32_t at = place / whole;
    return (struct resize_place){at, at + 1 < in ? at + 1 : at, place % whole, whole};
}

#endif
