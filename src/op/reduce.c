/* SPDX-License-Identifier: MIT */
/* y = sum or mean of x, or sum of x², over some dimensions. */
#include "op/check.h"
#include "op/emit.h"

enum { X };

/* The shape of x with the reduced dimensions as 1. */
static struct graft_shape kept(const struct graft_call *call)
{
    struct graft_shape shape = *graft_call_shape(call, X);
    for (int i = 0; i < shape.rank; i++) {
        if (call->attributes.reduce.axes >> i & 1u) {
            shape.dim[i] = 1;
        }
    }
    return shape;
}

/* Elements of x per element of y. */
static double terms(const struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    double count = 1;
    for (int i = 0; i < x->rank; i++) {
        count *= call->attributes.reduce.axes >> i & 1u ? (double)x->dim[i] : 1;
    }
    return count;
}

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_reduce_attributes *const a = &call->attributes.reduce;
    const struct graft_shape *const x = graft_call_shape(call, X);
    if ((unsigned)a->kind > GRAFT_REDUCE_SQUARES) {
        return graft_op_fail(context, call, "there is no reduction of number %d", (int)a->kind);
    }
    if (a->axes >> x->rank != 0) {
        return graft_op_fail(context, call, "axes 0x%x name dimensions that x does not have",
                             (unsigned)a->axes);
    }
    if (a->kind == GRAFT_REDUCE_MEAN && terms(call) < 1) {
        return graft_op_fail(context, call, "the mean of no elements is undefined");
    }
    const struct graft_shape full = kept(call);
    struct graft_shape y = {0};
    for (int i = 0; i < full.rank; i++) {
        if (a->keep_dims || !(a->axes >> i & 1u)) {
            y.dim[y.rank++] = full.dim[i];
        }
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    if (!graft_gradient_wanted(g, X)) {
        return;
    }
    const enum graft_reduction kind = g->call->attributes.reduce.kind;
    const float scale = kind == GRAFT_REDUCE_MEAN      ? (float)(1 / terms(g->call))
                        : kind == GRAFT_REDUCE_SQUARES ? 2
                                                       : 1;
    const struct graft_shape full = kept(g->call);
    const int dy = graft_emit_reshape(g->emitter, g->output_gradients[0], &full);
    const int spread = graft_emit_broadcast(g->emitter, dy, graft_call_shape(g->call, X), scale);
    g->input_gradients[X] = kind == GRAFT_REDUCE_SQUARES
                                ? graft_emit_binary(g->emitter, GRAFT_BINARY_MUL, g->inputs[X], spread)
                                : spread;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    *work = (struct graft_work){
        .flops = (double)graft_shape_count(graft_call_shape(call, X)),
        .bytes = graft_work_bytes(call),
        .terms = terms(call),
    };
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_reduce_attributes *const a = &call->attributes.reduce;
    static const char *const names[] = {"sum", "mean", "squares"};
    graft_format_append(text, size, " %s axes", names[a->kind]);
    const char *separator = " ";
    for (int i = 0; i < GRAFT_MAX_RANK; i++) {
        if (a->axes >> i & 1u) {
            graft_format_append(text, size, "%s%d", separator, i);
            separator = ",";
        }
    }
    graft_format_append(text, size, "%s", a->keep_dims ? " keep_dims" : "");
}

static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    return !(call->attributes.reduce.axes & 1u) && graft_separate_x(call, batched, rows);
}

const struct graft_op_def graft_op_reduce = {
    .name = "reduce",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .separate = separate,
    .gradient = gradient,
    .work = work,
    .format = format,
};
