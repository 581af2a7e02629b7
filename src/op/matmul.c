/* SPDX-License-Identifier: MIT */
/* y[batch…, m, n] = activation(sum over k of a[batch…, m, k] · b[batch…, k, n] + bias[n] + residual). */
#include "op/check.h"
#include "op/emit.h"

#include <inttypes.h>

enum { A, B, BIAS, RESIDUAL };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_matmul_attributes *const attributes = &call->attributes.matmul;
    const struct graft_shape *const a = graft_call_shape(call, A);
    const struct graft_shape *const b = graft_call_shape(call, B);
    enum graft_status status;
    if ((status = graft_check_rank(context, call, A, 2, GRAFT_MAX_RANK)) != GRAFT_OK ||
        (status = graft_check_rank(context, call, B, 2, GRAFT_MAX_RANK)) != GRAFT_OK ||
        (status = graft_check_activation(context, call, attributes->activation)) != GRAFT_OK) {
        return status;
    }
    bool same_batch = b->rank == 2 || b->rank == a->rank;
    for (int i = 0; same_batch && b->rank > 2 && i < b->rank - 2; i++) {
        same_batch = a->dim[i] == b->dim[i];
    }
    if (!same_batch) {
        return graft_op_fail(context, call, "b must have two dimensions or the batch dimensions of a");
    }
    const int64_t m = a->dim[a->rank - (attributes->transpose_a ? 1 : 2)];
    const int64_t k = a->dim[a->rank - (attributes->transpose_a ? 2 : 1)];
    const int64_t b_k = b->dim[b->rank - (attributes->transpose_b ? 1 : 2)];
    const int64_t n = b->dim[b->rank - (attributes->transpose_b ? 2 : 1)];
    if (k != b_k) {
        return graft_op_fail(context, call, "a%s has %" PRId64 " columns, but b%s has %" PRId64 " rows",
                             attributes->transpose_a ? " transposed" : "", k,
                             attributes->transpose_b ? " transposed" : "", b_k);
    }
    struct graft_shape y = *a;
    y.dim[y.rank - 2] = m;
    y.dim[y.rank - 1] = n;
    if ((status = graft_check_vector(context, call, BIAS, n)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, RESIDUAL, &y, "that of the output")) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

/* [batch…, rows, columns] as [batch · rows, columns]. */
static int flatten(struct graft_emitter *emitter, int value)
{
    const struct graft_shape shape = graft_emit_shape(emitter, value);
    if (shape.rank < 2) {
        return -1;
    }
    int64_t rows = 1;
    for (int i = 0; i < shape.rank - 1; i++) {
        rows *= shape.dim[i];
    }
    const struct graft_shape flat = graft_shape_of(2, rows, graft_shape_last(&shape));
    return graft_emit_reshape(emitter, value, &flat);
}

/* b [.., ..] repeated for each batch of a, where it has none of its own. */
static int with_batch(struct graft_gradient *g)
{
    const struct graft_shape *const a = graft_call_shape(g->call, A);
    const struct graft_shape *const b = graft_call_shape(g->call, B);
    if (b->rank == a->rank) {
        return g->inputs[B];
    }
    struct graft_shape shape = *a;
    shape.dim[a->rank - 2] = b->dim[0];
    shape.dim[a->rank - 1] = b->dim[1];
    return graft_emit_broadcast(g->emitter, g->inputs[B], &shape, 1);
}

static int gradient_a(struct graft_gradient *g, int dy)
{
    const struct graft_matmul_attributes *const attributes = &g->call->attributes.matmul;
    if (attributes->transpose_a) { /* da = op(b) · dyᵀ */
        return graft_emit_matmul(g->emitter, with_batch(g), attributes->transpose_b, dy, true);
    }
    return graft_emit_matmul(g->emitter, dy, false, g->inputs[B], !attributes->transpose_b);
}

static int gradient_b(struct graft_gradient *g, int dy)
{
    const struct graft_matmul_attributes *const attributes = &g->call->attributes.matmul;
    const struct graft_shape *const b = graft_call_shape(g->call, B);
    const bool shared = b->rank < graft_call_shape(g->call, A)->rank;
    int a = g->inputs[A];
    if (shared && !attributes->transpose_a) { /* all batches are rows of one matrix */
        a = flatten(g->emitter, a);
        dy = flatten(g->emitter, dy);
    }
    const int db = attributes->transpose_b
                       ? graft_emit_matmul(g->emitter, dy, true, a, attributes->transpose_a)
                       : graft_emit_matmul(g->emitter, a, !attributes->transpose_a, dy, false);
    return shared ? graft_emit_sum_to(g->emitter, db, b) : db;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const int dy = graft_emit_activation_grad(g->emitter, g->call->attributes.matmul.activation,
                                              g->outputs[0], g->output_gradients[0]);
    if (graft_gradient_wanted(g, A)) {
        g->input_gradients[A] = gradient_a(g, dy);
    }
    if (graft_gradient_wanted(g, B)) {
        g->input_gradients[B] = gradient_b(g, dy);
    }
    if (graft_gradient_wanted(g, BIAS)) {
        g->input_gradients[BIAS] = graft_emit_sum_rows(g->emitter, dy);
    }
    if (graft_gradient_wanted(g, RESIDUAL)) {
        g->input_gradients[RESIDUAL] = dy;
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_shape *const a = graft_call_shape(call, A);
    const int64_t k = a->dim[a->rank - (call->attributes.matmul.transpose_a ? 2 : 1)];
    graft_work_products(call, (double)graft_shape_count(&call->out[0].shape), (double)k, work);
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_matmul_attributes *const a = &call->attributes.matmul;
    graft_format_append(text, size, "%s%s", a->transpose_a ? " transpose_a" : "",
                        a->transpose_b ? " transpose_b" : "");
    graft_format_activation(a->activation, text, size);
}

static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    return graft_separate_x(call, batched, rows) && graft_call_shape(call, B)->rank == 2 &&
           !(call->attributes.matmul.transpose_a && graft_call_shape(call, A)->rank == 2);
}

/* Rows of y are rows of a, or those of a batch. */
static bool narrow(struct graft_call *call, const struct graft_rows *rows, struct graft_rows *in)
{
    const int rank = call->out[0].shape.rank;
    if (rows->dimension == rank - 1) {
        return false;
    }
    const bool of_batch = rows->dimension < rank - 2;
    in[A] = *rows;
    in[A].dimension += !of_batch && call->attributes.matmul.transpose_a;
    if (of_batch && graft_call_shape(call, B)->rank > 2) {
        in[B] = *rows;
    }
    if (graft_call_has(call, RESIDUAL)) {
        in[RESIDUAL] = *rows;
    }
    return true;
}

const struct graft_op_def graft_op_matmul = {
    .name = "matmul",
    .input_names = {"a", "b", "bias", "residual"},
    .min_inputs = 2,
    .max_inputs = 4,
    .n_outputs = 1,
    .optional = 1u << BIAS | 1u << RESIDUAL,
    .accumulates = true,
    .fuses_unary = true,
    .is_product = true,
    .activation = offsetof(union graft_attributes, matmul.activation),
    .residual_input = RESIDUAL,
    .infer = infer,
    .separate = separate,
    .narrow = narrow,
    .gradient = gradient,
    .work = work,
    .format = format,
};
