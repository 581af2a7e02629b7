/* SPDX-License-Identifier: MIT */
/* y = softmax(scale · q·kᵀ + bias + mask)·v of each head; lse: the logarithm of each row's sum of
 * exponentials. */
#include "op/check.h"
#include "op/emit.h"

#include <inttypes.h>
#include <math.h>

enum { Q, K, V, BIAS, MASK };                      /* of attention */
enum { DY = 3, LSE, DELTA, GRAD_BIAS, GRAD_MASK }; /* of its gradients, after q, k, v; which have Q … BIAS for outputs */

struct graft_attention_layout graft_attention_layout_of(const struct graft_call *call)
{
    const bool forward = call->op == GRAFT_OP_ATTENTION;
    const int bias = forward ? BIAS : GRAD_BIAS, mask = forward ? MASK : GRAD_MASK;
    const struct graft_shape *const q = graft_call_shape(call, Q);
    const struct graft_shape *const v = graft_call_shape(call, V);
    struct graft_attention_layout layout = {.images = q->dim[0],
                                            .queries = q->dim[1],
                                            .keys = v->dim[1],
                                            .heads = q->dim[2],
                                            .depth = q->dim[3],
                                            .width = v->dim[3],
                                            .biases = 1,
                                            .masks = 1,
                                            .bias = graft_call_has(call, bias) ? bias : -1,
                                            .mask = graft_call_has(call, mask) ? mask : -1};
    if (layout.bias >= 0)
        layout.biases = graft_call_shape(call, bias)->dim[0];
    if (layout.mask >= 0)
        layout.masks = graft_call_shape(call, mask)->dim[0];
    return layout;
}

/* Dimension 0 of a bias or mask divides the number of images. */
static enum graft_status check_part(struct graft_context *context, const struct graft_call *call, int input,
                                    struct graft_shape expected)
{
    if (!graft_call_has(call, input))
        return GRAFT_OK;
    const struct graft_shape *const shape = graft_call_shape(call, input);
    expected.dim[0] = shape->rank > 0 ? shape->dim[0] : 0;
    const int64_t images = graft_call_shape(call, Q)->dim[0];
    const enum graft_status status =
        graft_check_shape(context, call, input, &expected, "one score for each pair");
    if (status != GRAFT_OK)
        return status;
    if (expected.dim[0] < 1 || images % expected.dim[0] != 0)
        return graft_op_fail(context, call, "%" PRId64 " of %s do not fall on %" PRId64 " images evenly",
                             expected.dim[0], graft_op_get(call->op)->input_names[input], images);
    return GRAFT_OK;
}

enum graft_status graft_attention_check(struct graft_context *context, const struct graft_call *call)
{
    const struct graft_attention_attributes *const a = &call->attributes.attention;
    enum graft_status status;
    for (int i = Q; i <= V; i++)
        if ((status = graft_check_rank(context, call, i, 4, 4)) != GRAFT_OK)
            return status;
    if (!isfinite(a->scale))
        return graft_op_fail(context, call, "scale is %g; it must be finite", (double)a->scale);
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    if (l.keys < 1 || l.depth < 1)
        return graft_op_fail(context, call,
                             "a softmax over no keys, or of vectors without elements, is undefined");
    const struct graft_shape k = graft_shape_of(4, l.images, l.keys, l.heads, l.depth);
    const struct graft_shape v = graft_shape_of(4, l.images, l.keys, l.heads, l.width);
    if ((status = graft_check_shape(context, call, K, &k, "that of q and v")) != GRAFT_OK ||
        (status = graft_check_shape(context, call, V, &v, "that of q and k")) != GRAFT_OK)
        return status;
    if (call->op != GRAFT_OP_ATTENTION) {
        const struct graft_shape dy = graft_shape_of(4, l.images, l.queries, l.heads, l.width);
        const struct graft_shape row = graft_shape_of(3, l.images, l.queries, l.heads);
        if ((status = graft_check_shape(context, call, DY, &dy, "that of y")) != GRAFT_OK ||
            (status = graft_check_shape(context, call, LSE, &row, "[n, tq, heads]")) != GRAFT_OK ||
            (status = graft_check_shape(context, call, DELTA, &row, "[n, tq, heads]")) != GRAFT_OK)
            return status;
    }
    const bool forward = call->op == GRAFT_OP_ATTENTION;
    status = check_part(context, call, forward ? BIAS : GRAD_BIAS,
                        graft_shape_of(4, (int64_t)0, l.heads, l.queries, l.keys));
    return status != GRAFT_OK ? status
                              : check_part(context, call, forward ? MASK : GRAD_MASK,
                                           graft_shape_of(3, (int64_t)0, l.queries, l.keys));
}

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const enum graft_status status = graft_attention_check(context, call);
    if (status != GRAFT_OK)
        return status;
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    const struct graft_shape y = graft_shape_of(4, l.images, l.queries, l.heads, l.width);
    const struct graft_shape lse = graft_shape_of(3, l.images, l.queries, l.heads);
    graft_call_output(call, 0, &y);
    graft_call_output(call, 1, &lse);
    return GRAFT_OK;
}

/* What is made of lse besides has no gradient: it is for the gradient ops alone. */
static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const union graft_attributes *const attributes = &g->call->attributes;
    const int y = g->outputs[0], dy = g->output_gradients[0];
    if (dy < 0)
        return;
    const int delta =
        graft_emit_sum(g->emitter, graft_emit_binary(g->emitter, GRAFT_BINARY_MUL, y, dy), 1u << 3);
    const int bias = g->call->n_inputs > BIAS ? g->inputs[BIAS] : -1;
    const int mask = g->call->n_inputs > MASK ? g->inputs[MASK] : -1;
    const int inputs[] = {g->inputs[Q], g->inputs[K], g->inputs[V], dy, g->outputs[1], delta, bias, mask};
    if (delta < 0)
        return;
    int gradients[GRAFT_MAX_OUTPUTS]; /* what nobody reads of them is not made */
    if (g->emitter->apply(g->emitter, GRAFT_OP_ATTENTION_GRAD, attributes, inputs, 8, gradients) < 0)
        return;
    for (int i = Q; i <= BIAS; i++)
        g->input_gradients[i] = graft_gradient_wanted(g, i) ? gradients[i] : -1;
}

void graft_work_attention(const struct graft_call *call, double products, double terms,
                          struct graft_work *work)
{
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    const double pairs = (double)l.images * (double)l.heads * (double)l.queries * (double)l.keys;
    *work = (struct graft_work){.flops = pairs * (products * (double)(l.depth + l.width) + 4),
                                .bytes = graft_work_bytes(call),
                                .terms = terms + (double)(l.depth + l.width)};
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_attention(call, 2, (double)graft_attention_layout_of(call).keys, work);
}

void graft_format_attention(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_attention_attributes *const a = &call->attributes.attention;
    graft_format_append(text, size, " scale %g%s", (double)a->scale, a->causal ? " causal" : "");
}

/* Images stand for themselves where each run of them begins with the first bias and the first mask. */
static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    return batched == (1u << Q | 1u << K | 1u << V) && rows % l.biases == 0 && rows % l.masks == 0;
}

/* A query's scores are its own; that of a causal call looks at its number. */
static bool narrow(struct graft_call *call, const struct graft_rows *rows, struct graft_rows *in)
{
    if (rows->dimension != 1 || call->attributes.attention.causal) {
        return false;
    }
    in[Q] = *rows;
    if (graft_call_has(call, BIAS)) {
        in[BIAS] = *rows;
        in[BIAS].dimension = 2;
    }
    if (graft_call_has(call, MASK)) {
        in[MASK] = *rows;
    }
    return true;
}

const struct graft_op_def graft_op_attention = {
    .name = "attention",
    .input_names = {"q", "k", "v", "bias", "mask"},
    .min_inputs = 3,
    .max_inputs = 5,
    .n_outputs = 2,
    .optional = 1u << BIAS | 1u << MASK,
    .infer = infer,
    .separate = separate,
    .narrow = narrow,
    .gradient = gradient,
    .work = work,
    .format = graft_format_attention,
};
