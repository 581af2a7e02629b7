/* SPDX-License-Identifier: MIT */
/* dbias[b, ., i, j] = Σ g[i, j] over the images that take bias b; g: attention_grad_query.c. */
#include "op/check.h"

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const enum graft_status status = graft_attention_check(context, call);
    if (status != GRAFT_OK)
        return status;
    graft_call_output(call, 0, graft_call_shape(call, 6));
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    graft_work_attention(call, 2, (double)(l.images / (l.biases > 0 ? l.biases : 1)), work);
}

const struct graft_op_def graft_op_attention_grad_bias = {
    .name = "attention_grad_bias",
    .input_names = {"q", "k", "v", "dy", "lse", "delta", "bias", "mask"},
    .min_inputs = 7,
    .max_inputs = 8,
    .n_outputs = 1,
    .optional = 1u << 7,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = graft_format_attention,
};
