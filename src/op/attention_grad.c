/* SPDX-License-Identifier: MIT */
/*
 * dq[i] = scale · Σ_j g[i, j] · k[j], dk[j] = scale · Σ_i g[i, j] · q[i], dv[j] = Σ_i p[i, j] · dy[i], and
 * dbias[b, ., i, j] = Σ g[i, j] over the images that take bias b, with g[i, j] = p[i, j] · (dy[i]·v[j] −
 * delta[i]), p[i, j] = exp(s[i, j] − lse[i]).
 */
#include "base/size.h"
#include "op/check.h"

enum { Q, K, V, BIAS = 6 };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const enum graft_status status = graft_attention_check(context, call);
    if (status != GRAFT_OK)
        return status;
    for (int i = Q; i <= V; i++)
        graft_call_output(call, i, graft_call_shape(call, i));
    if (graft_call_has(call, BIAS))
        graft_call_output(call, 3, graft_call_shape(call, BIAS));
    return GRAFT_OK;
}

/* A sum has as many terms as there are keys (dq), queries (dk, dv) or images that take a bias. */
static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    const double pairs = (double)graft_max_i64(l.keys, l.queries);
    const double images = l.bias < 0 ? 0 : (double)l.images / (double)graft_max_i64(l.biases, 1);
    graft_work_attention(call, 5, pairs > images ? pairs : images, work);
}

const struct graft_op_def graft_op_attention_grad = {
    .name = "attention_grad",
    .input_names = {"q", "k", "v", "dy", "lse", "delta", "bias", "mask"},
    .min_inputs = 6,
    .max_inputs = 8,
    .n_outputs = 4,
    .optional = 1u << 6 | 1u << 7,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = graft_format_attention,
};
