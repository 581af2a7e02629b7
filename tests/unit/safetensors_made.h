/* SPDX-License-Identifier: MIT */
/* safetensors made byte by byte. */
#ifndef GRAFT_TESTS_SAFETENSORS_MADE_H
#define GRAFT_TESTS_SAFETENSORS_MADE_H

#include "io/safetensors.h"
#include "support/support.h"

/* A file in memory: length of the header, header, data. Released with free. */
static uint8_t *make_file(uint64_t length, const char *header, size_t header_size, const void *data,
                          size_t data_size, size_t *size)
{
    *size = 8 + header_size + data_size;
    uint8_t *const file = malloc(*size);
    for (int i = 0; i < 8; i++) {
        file[i] = (uint8_t)(length >> (8 * i));
    }
    memcpy(file + 8, header, header_size);
    if (data_size > 0) {
        memcpy(file + 8 + header_size, data, data_size);
    }
    return file;
}

static enum graft_status parse(struct graft_context *context, const char *header, const void *data,
                               size_t data_size, struct graft_tensor_set **set)
{
    size_t size = 0;
    uint8_t *const file = make_file(strlen(header), header, strlen(header), data, data_size, &size);
    const enum graft_status status = graft_safetensors_parse(context, "made.safetensors", file, size, set);
    free(file);
    return status;
}

#endif
