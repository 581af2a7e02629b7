/* SPDX-License-Identifier: MIT */
/* Targets that are decoders of our own; libraries' formats have their own fuzzers. */
#ifndef GRAFT_TESTS_FUZZ_PICTURE_H
#define GRAFT_TESTS_FUZZ_PICTURE_H

#include "data/decode.h"
#include "fuzz.h"

#include <string.h>

static inline bool fuzz_is_picture(const char *format, const uint8_t *data, size_t size)
{
    const struct graft_picture_format *const found = graft_picture_format_find(data, size);
    return found && strcmp(found->name, format) == 0;
}

static inline enum graft_status fuzz_decode(struct graft_context *context, const uint8_t *data, size_t size)
{
    struct graft_image image;
    const enum graft_status status = graft_image_decode(context, data, size, FUZZ_NAME, NULL, &image);
    graft_image_close(context, &image);
    return status;
}

#endif
