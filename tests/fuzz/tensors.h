/* SPDX-License-Identifier: MIT */
/* Targets that are readers of tensor sets. */
#ifndef GRAFT_TESTS_FUZZ_TENSORS_H
#define GRAFT_TESTS_FUZZ_TENSORS_H

#include "fuzz.h"
#include "graft/io.h"

typedef enum graft_status fuzz_parser(struct graft_context *context, const char *path, const uint8_t *data,
                                      size_t size, struct graft_tensor_set **set);

static inline enum graft_status fuzz_tensors(fuzz_parser *parse, struct graft_context *context,
                                             const uint8_t *data, size_t size)
{
    struct graft_tensor_set *set = NULL;
    const enum graft_status status = parse(context, FUZZ_NAME, data, size, &set);
    graft_tensor_set_close(&set);
    return status;
}

#endif
