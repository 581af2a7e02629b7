/* SPDX-License-Identifier: MIT */
/*
 * What went wrong with one picture. Loader tasks fail side by side, so each keeps its own text; the caller
 * hands it to the context at the batch that it belongs to.
 */
#ifndef GRAFT_SRC_DATA_FAULT_H
#define GRAFT_SRC_DATA_FAULT_H

#include "graft/base.h"

struct graft_fault {
    enum graft_status status;
    char text[1200]; /* with GRAFT_OK: a remark, or empty */
};

/* The way out, where one damaged picture ends all of it. */
#define GRAFT_DAMAGED_ADVICE "; --skip-damaged leaves such pictures out, graft check lists them"

/* Records "NAME: text" and returns `status`. `name` may be NULL; a very long one loses its beginning. */
enum graft_status graft_fault_set(struct graft_fault *fault, enum graft_status status, const char *name,
                                  const char *format, ...) GRAFT_PRINTF(4, 5);

/* Records the remark "NAME: text" about a picture that was decoded: status is GRAFT_OK. The first one stays.
 */
void graft_fault_warn(struct graft_fault *fault, const char *name, const char *format, ...)
    GRAFT_PRINTF(3, 4);

/* True for a remark: the picture was decoded, but something is wrong with its file. */
static inline bool graft_fault_suspect(const struct graft_fault *fault)
{
    return fault->status == GRAFT_OK && fault->text[0] != '\0';
}

/* Hands the fault to the context and returns its status. */
enum graft_status graft_fault_report(struct graft_context *context, const struct graft_fault *fault);

#endif
