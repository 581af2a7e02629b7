/* SPDX-License-Identifier: MIT */
/* What classified.c does for networks that tell labels or a number: the cells between a picture's name and
 * the end of its row. */
#ifndef GRAFT_TOOLS_CLASSIFIED_TARGETS_H
#define GRAFT_TOOLS_CLASSIFIED_TARGETS_H

#include "classified.h"

#include <jansson.h>

/* Is it such a network? */
bool graft_rows_targeted(const struct graft_rows *rows);
/* rows->probabilities and rows->order. */
void graft_rows_read_targets(struct graft_rows *rows, const float *outputs);
json_t *graft_rows_describe_targets(const struct graft_rows *rows, const char *name);
void graft_rows_print_targets(const struct graft_rows *rows);
void graft_rows_head_targets(struct graft_rows *rows);
/* `reason`: why it could not be read; "": it was. */
void graft_rows_put_targets(struct graft_rows *rows, const struct graft_classified *picture,
                            const char *reason);

#endif
