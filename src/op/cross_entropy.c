/* SPDX-License-Identifier: MIT */
/*
 * losses[n] = −sum over c of target[n, c] · log softmax(logits)[n, c], the target being the label's one-hot
 * vector, smoothed, times the classes' weights. A label that is no class makes NaN: the kernel cannot fail,
 * and a wrong number would go unnoticed.
 */
#include "op/check.h"
#include "op/emit.h"

enum { LOGITS, LABELS, WEIGHTS };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const logits = graft_call_shape(call, LOGITS);
    const double smoothing = (double)call->attributes.cross_entropy.label_smoothing;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, LOGITS, 2, 2)) != GRAFT_OK ||
        (status = graft_check_vector(context, call, LABELS, logits->dim[0])) != GRAFT_OK ||
        (status = graft_check_vector(context, call, WEIGHTS, logits->dim[1])) != GRAFT_OK ||
        (status = graft_check_number(context, call, "label smoothing", smoothing, 0, 1)) != GRAFT_OK) {
        return status;
    }
    if (logits->dim[1] < 1) {
        return graft_op_fail(context, call, "there are no classes");
    }
    graft_call_output(call, 0, graft_call_shape(call, LABELS));
    return GRAFT_OK;
}

/* The weights get no gradient: they are chosen, not learnt. */
static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const int weights = g->call->n_inputs > WEIGHTS ? g->inputs[WEIGHTS] : -1;
    const int inputs[] = {g->inputs[LOGITS], g->inputs[LABELS], g->output_gradients[0], weights};
    if (graft_gradient_wanted(g, LOGITS) && inputs[2] >= 0) {
        g->input_gradients[LOGITS] =
            g->emitter->apply(g->emitter, GRAFT_OP_CROSS_ENTROPY_GRAD, &g->call->attributes, inputs, 4, NULL);
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_shape *const logits = graft_call_shape(call, LOGITS);
    *work = (struct graft_work){
        .flops = 5 * (double)graft_shape_count(logits),
        .bytes = graft_work_bytes(call),
        .terms = (double)logits->dim[1],
    };
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    graft_format_append(text, size, " smoothing %g", (double)call->attributes.cross_entropy.label_smoothing);
}

const struct graft_op_def graft_op_cross_entropy = {
    .name = "cross_entropy",
    .input_names = {"logits", "labels", "weights"},
    .i32_inputs = 1u << LABELS,
    .min_inputs = 2,
    .max_inputs = 3,
    .n_outputs = 1,
    .optional = 1u << WEIGHTS,
    .infer = infer,
    .gradient = gradient,
    .work = work,
    .format = format,
};
