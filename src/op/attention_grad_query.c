/* SPDX-License-Identifier: MIT */
/* dq[i] = scale · Σ_j g[i, j] · k[j], g[i, j] = p[i, j] · (dy[i]·v[j] − delta[i]), p[i, j] = exp(s[i, j] −
 * lse[i]). */
#include "op/check.h"

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const enum graft_status status = graft_attention_check(context, call);
    if (status != GRAFT_OK)
        return status;
    graft_call_output(call, 0, graft_call_shape(call, 0));
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_attention(call, 3, (double)graft_attention_layout_of(call).keys, work);
}

const struct graft_op_def graft_op_attention_grad_query = {
    .name = "attention_grad_query",
    .input_names = {"q", "k", "v", "dy", "lse", "delta", "bias", "mask"},
    .min_inputs = 6,
    .max_inputs = 8,
    .n_outputs = 1,
    .optional = 1u << 6 | 1u << 7,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = graft_format_attention,
};
