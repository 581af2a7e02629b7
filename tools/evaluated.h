/* SPDX-License-Identifier: MIT */
/* What an evaluation came to: a table for people, or JSON. */
#ifndef GRAFT_TOOLS_EVALUATED_H
#define GRAFT_TOOLS_EVALUATED_H

#include "graft/train.h"

#include <jansson.h>

/* `names`: [classes]. */
json_t *graft_evaluated_json(const struct graft_evaluation *evaluation, const char *const *names);
void graft_evaluated_print(const struct graft_evaluation *evaluation, const char *const *names);

#endif
