/* SPDX-License-Identifier: MIT */
/* What a reader owes, whatever the bytes are: shared by the trials of random damage and the fuzz targets. */
#ifndef GRAFT_TESTS_ANSWER_H
#define GRAFT_TESTS_ANSWER_H

#include "graft/base.h"

#include <string.h>

/* What is wrong with its answer about a file of that name, when no memory was missing; NULL: nothing. */
static inline const char *answer_fault(const struct graft_context *context, enum graft_status status,
                                       const char *name)
{
    const char *const text = graft_context_error(context);
    if (status == GRAFT_OK) {
        return NULL;
    }
    if (status == GRAFT_ERROR_MEMORY) {
        return "it asks for more memory than such a file can need";
    }
    if (!strstr(text, name)) {
        return "the refusal does not name the file";
    }
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            return "the refusal is no single line of text";
        }
    }
    return NULL;
}

#endif
