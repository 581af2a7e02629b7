/* SPDX-License-Identifier: MIT */
/* Adam (Kingma, Ba: "Adam: a method for stochastic optimization", 2015) and AdamW; formula in graft/op.h. */
#include "op/check.h"

enum { P, GRADIENT, M, V, HYPER, SQUARES };

static void work(const struct graft_call *call, struct graft_work *work)
{
    const double count = (double)graft_shape_count(graft_call_shape(call, P));
    *work = (struct graft_work){.flops = 16 * count, .bytes = graft_work_bytes(call), .terms = 4};
}

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    return graft_update_check(context, call);
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_update_attributes *const a = &call->attributes.update;
    graft_format_append(text, size, " beta %g,%g epsilon %g%s", (double)a->beta1, (double)a->beta2,
                        (double)a->epsilon, a->decoupled ? " decoupled" : "");
    graft_format_update(call, text, size);
}

const struct graft_op_def graft_op_adam = {
    .name = "adam",
    .input_names = {"p", "gradient", "m", "v", "hyper", "squares"},
    .min_inputs = 5,
    .max_inputs = 6,
    .n_outputs = 0,
    .optional = 1u << SQUARES,
    .mutates = 1u << P | 1u << M | 1u << V,
    .updates = true,
    .infer = infer,
    .work = work,
    .format = format,
};
