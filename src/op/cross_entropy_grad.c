/* SPDX-License-Identifier: MIT */
/* dlogits[n, c] = dlosses[n] · (softmax(logits)[n, c] · (sum of target[n]) − target[n, c]); the sum is 1
 * without weights. */
#include "op/check.h"

enum { LOGITS, LABELS, DLOSSES, WEIGHTS };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const logits = graft_call_shape(call, LOGITS);
    const double smoothing = (double)call->attributes.cross_entropy.label_smoothing;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, LOGITS, 2, 2)) != GRAFT_OK ||
        (status = graft_check_vector(context, call, LABELS, logits->dim[0])) != GRAFT_OK ||
        (status = graft_check_vector(context, call, DLOSSES, logits->dim[0])) != GRAFT_OK ||
        (status = graft_check_vector(context, call, WEIGHTS, logits->dim[1])) != GRAFT_OK ||
        (status = graft_check_number(context, call, "label smoothing", smoothing, 0, 1)) != GRAFT_OK) {
        return status;
    }
    if (logits->dim[1] < 1) {
        return graft_op_fail(context, call, "there are no classes");
    }
    graft_call_output(call, 0, logits);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 6, work);
    work->terms = (double)graft_call_shape(call, LOGITS)->dim[1];
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    graft_format_append(text, size, " smoothing %g", (double)call->attributes.cross_entropy.label_smoothing);
}

const struct graft_op_def graft_op_cross_entropy_grad = {
    .name = "cross_entropy_grad",
    .input_names = {"logits", "labels", "dlosses", "weights"},
    .i32_inputs = 1u << LABELS,
    .min_inputs = 3,
    .max_inputs = 4,
    .n_outputs = 1,
    .optional = 1u << WEIGHTS,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = format,
};
