/* SPDX-License-Identifier: MIT */
/* Which calls compute rows along dimension 0 each alone: what the ops' `separate` functions share. */
#include "op/check.h"

bool graft_separate_x(struct graft_call *call, uint32_t batched, int64_t rows)
{
    (void)rows;
    const int residual = graft_op_get(call->op)->residual_input;
    const uint32_t expected = residual > 0 && graft_call_has(call, residual) ? 1u | 1u << residual : 1u;
    return batched == expected && graft_call_shape(call, 0)->rank >= 2;
}

bool graft_separate_all(struct graft_call *call, uint32_t batched, int64_t rows)
{
    (void)rows;
    for (int i = 0; i < call->n_inputs; i++) {
        if (graft_call_has(call, i) != (batched >> i & 1u)) {
            return false;
        }
    }
    return graft_call_shape(call, 0)->rank >= 2;
}

bool graft_separate_shape(struct graft_shape *shape, const struct graft_call *call, int64_t rows)
{
    if (shape->rank < 1 || shape->dim[0] != graft_call_shape(call, 0)->dim[0]) {
        return false;
    }
    shape->dim[0] = rows;
    return true;
}
