/* SPDX-License-Identifier: MIT */
/* dk[j] = scale · Σ_i g[i, j] · q[i], dv[j] = Σ_i p[i, j] · dy[i]; g and p: attention_grad_query.c. */
#include "op/check.h"

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const enum graft_status status = graft_attention_check(context, call);
    if (status != GRAFT_OK)
        return status;
    graft_call_output(call, 0, graft_call_shape(call, 1));
    graft_call_output(call, 1, graft_call_shape(call, 2));
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_attention(call, 4, (double)graft_attention_layout_of(call).queries, work);
}

const struct graft_op_def graft_op_attention_grad_key = {
    .name = "attention_grad_key",
    .input_names = {"q", "k", "v", "dy", "lse", "delta", "bias", "mask"},
    .min_inputs = 6,
    .max_inputs = 8,
    .n_outputs = 2,
    .optional = 1u << 6 | 1u << 7,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = graft_format_attention,
};
