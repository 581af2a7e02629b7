/* SPDX-License-Identifier: MIT */
/* Stochastic gradient descent, with or without momentum (Nesterov's too); formula in graft/op.h. */
#include "op/check.h"

enum { P, GRADIENT, V, HYPER, SQUARES };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_update_attributes *const a = &call->attributes.update;
    const enum graft_status status = graft_update_check(context, call);
    if (status != GRAFT_OK) {
        return status;
    }
    if (graft_call_has(call, V) != (a->momentum != 0)) {
        return graft_op_fail(context, call,
                             "v must be given for a momentum other than 0 and only then; it is %g",
                             (double)a->momentum);
    }
    if (a->nesterov && a->momentum == 0) {
        return graft_op_fail(context, call, "nesterov needs a momentum");
    }
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const double count = (double)graft_shape_count(graft_call_shape(call, P));
    *work = (struct graft_work){.flops = 6 * count, .bytes = graft_work_bytes(call), .terms = 4};
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_update_attributes *const a = &call->attributes.update;
    graft_format_append(text, size, " momentum %g%s", (double)a->momentum, a->nesterov ? " nesterov" : "");
    graft_format_update(call, text, size);
}

const struct graft_op_def graft_op_sgd = {
    .name = "sgd",
    .input_names = {"p", "gradient", "v", "hyper", "squares"},
    .min_inputs = 4,
    .max_inputs = 5,
    .n_outputs = 0,
    .optional = 1u << V | 1u << SQUARES,
    .mutates = 1u << P | 1u << V,
    .updates = true,
    .infer = infer,
    .work = work,
    .format = format,
};
