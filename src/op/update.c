/* SPDX-License-Identifier: MIT */
/* What the parameter updates have in common; their formulas are in graft/op.h. */
#include "op/check.h"

#include <math.h>

enum { P, GRADIENT };

enum graft_status graft_update_check(struct graft_context *context, const struct graft_call *call)
{
    const struct graft_update_attributes *const a = &call->attributes.update;
    const struct graft_shape *const p = graft_call_shape(call, P);
    const int squares = graft_op_get(call->op)->max_inputs - 1;
    const int hyper = squares - 1;
    enum graft_status status;
    for (int i = GRADIENT; i < hyper; i++) {
        if ((status = graft_check_shape(context, call, i, p, "that of p")) != GRAFT_OK) {
            return status;
        }
    }
    if ((status = graft_check_vector(context, call, hyper, 4)) != GRAFT_OK ||
        (status = graft_check_number(context, call, "momentum", (double)a->momentum, 0, HUGE_VAL)) !=
            GRAFT_OK ||
        (status = graft_check_number(context, call, "beta1", (double)a->beta1, 0, 1)) != GRAFT_OK ||
        (status = graft_check_number(context, call, "beta2", (double)a->beta2, 0, 1)) != GRAFT_OK ||
        (status = graft_check_number(context, call, "epsilon", (double)a->epsilon, 0, HUGE_VAL)) !=
            GRAFT_OK ||
        (status = graft_check_number(context, call, "weight decay", (double)a->weight_decay, 0, HUGE_VAL)) !=
            GRAFT_OK ||
        (status = graft_check_number(context, call, "max norm", (double)a->max_norm, 0, HUGE_VAL)) !=
            GRAFT_OK) {
        return status;
    }
    if (!graft_call_has(call, squares) && a->max_norm != 0) {
        return graft_op_fail(context, call, "squares must be given for a max norm other than 0; it is %g",
                             (double)a->max_norm);
    }
    if (graft_call_has(call, squares) && graft_shape_count(graft_call_shape(call, squares)) != 1) {
        return graft_op_fail(context, call, "squares must be one number");
    }
    return GRAFT_OK;
}
