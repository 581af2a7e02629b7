/* SPDX-License-Identifier: MIT */
/* What the attention ops' cases share: shapes, and the rows' statistics that their gradient is given. */
#ifndef GRAFT_TESTS_ATTENTIONS_H
#define GRAFT_TESTS_ATTENTIONS_H

#include "harness.h"

#include <math.h>

/* s[i, j] of image n and a head, −∞ where the query does not see the key; in *size its summands' absolute
 * values. */
double graft_attention_score(const struct graft_call *call, const struct graft_attention_layout *l,
                             const double *q, const double *k, const double *bias, const double *mask,
                             const int64_t at[4], double *size);

/* lse and delta of the rows, from all other inputs of attention_grad. */
void graft_attention_rows(const struct graft_call *call, double *const *in);

static const double attention_nothing[] = {-(double)INFINITY}; /* a mask that leaves nothing */

#endif
