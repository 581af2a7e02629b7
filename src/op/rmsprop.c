/* SPDX-License-Identifier: MIT */
/* RMSprop in PyTorch's form (epsilon outside the root); formula in graft/op.h. */
#include "op/check.h"

enum { P, GRADIENT, V, HYPER, SQUARES };

static void work(const struct graft_call *call, struct graft_work *work)
{
    const double count = (double)graft_shape_count(graft_call_shape(call, P));
    *work = (struct graft_work){.flops = 10 * count, .bytes = graft_work_bytes(call), .terms = 4};
}

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    return graft_update_check(context, call);
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_update_attributes *const a = &call->attributes.update;
    graft_format_append(text, size, " alpha %g epsilon %g", (double)a->beta2, (double)a->epsilon);
    graft_format_update(call, text, size);
}

const struct graft_op_def graft_op_rmsprop = {
    .name = "rmsprop",
    .input_names = {"p", "gradient", "v", "hyper", "squares"},
    .min_inputs = 4,
    .max_inputs = 5,
    .n_outputs = 0,
    .optional = 1u << SQUARES,
    .mutates = 1u << P | 1u << V,
    .updates = true,
    .infer = infer,
    .work = work,
    .format = format,
};
