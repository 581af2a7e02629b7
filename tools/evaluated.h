/* SPDX-License-Identifier: MIT */
/* What an evaluation came to: a table for people, or JSON. */
#ifndef GRAFT_TOOLS_EVALUATED_H
#define GRAFT_TOOLS_EVALUATED_H

#include "graft/train.h"

#include <jansson.h>

/* What came of it. */
struct graft_evaluated {
    const struct graft_evaluation *evaluation;
    const char *const *names; /* [classes] */
    const struct graft_calibration *calibration;
    const struct graft_ranking *rankings;  /* [2], of both classes; NULL: there are not two */
    const struct graft_coverage *coverage; /* NULL: no threshold */
};

json_t *graft_evaluated_json(const struct graft_evaluated *evaluated);
void graft_evaluated_print(const struct graft_evaluated *evaluated);

#endif
