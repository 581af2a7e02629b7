/* SPDX-License-Identifier: MIT */
/* Which part of its inputs an op needs for a part of its output: what the ops' `narrow` functions share. */
#include "op/check.h"

bool graft_narrow_x(struct graft_call *call, const struct graft_rows *rows, struct graft_rows *in)
{
    if (rows->dimension == call->out[0].shape.rank - 1) {
        return false;
    }
    in[0] = *rows;
    return true;
}
