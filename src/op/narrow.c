/* SPDX-License-Identifier: MIT */
/* Which part of its inputs an op needs for a part of its output: the ops' `narrow` functions, and what they
 * share. */
#include "op/check.h"

bool graft_op_narrow(struct graft_call *call, const struct graft_rows *rows,
                     struct graft_rows in[GRAFT_MAX_INPUTS])
{
    const struct graft_op_def *const def = graft_op_get(call->op);
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        in[i] = (struct graft_rows){.dimension = -1};
    }
    return def->narrow && def->narrow(call, rows, in);
}

bool graft_narrow_x(struct graft_call *call, const struct graft_rows *rows, struct graft_rows *in)
{
    if (rows->dimension == call->out[0].shape.rank - 1) {
        return false;
    }
    in[0] = *rows;
    return true;
}
