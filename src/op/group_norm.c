/* SPDX-License-Identifier: MIT */
/* y = (x − mean) · rstd · gamma[c] + beta[c], mean and rstd = 1 / sqrt(var + epsilon) of the group. */
#include "op/check.h"
#include "op/emit.h"

#include <math.h>

enum { X, GAMMA, BETA };
enum { Y, STATS };

struct graft_group_layout graft_group_layout_of(const struct graft_shape *x, int32_t groups)
{
    struct graft_group_layout layout = {
        .images = x->dim[0], .pixels = 1, .groups = groups, .channels = graft_shape_last(x)};
    for (int i = 1; i < x->rank - 1; i++) {
        layout.pixels *= x->dim[i];
    }
    layout.width = layout.channels / groups;
    return layout;
}

enum graft_status graft_group_norm_check(struct graft_context *context, const struct graft_call *call,
                                         int vector, int stats)
{
    const struct graft_group_norm_attributes *const a = &call->attributes.group_norm;
    const struct graft_shape *const x = graft_call_shape(call, X);
    enum graft_status status;
    if ((status = graft_check_rank(context, call, X, 2, GRAFT_MAX_RANK)) != GRAFT_OK ||
        (status = graft_check_number(context, call, "epsilon", (double)a->epsilon, 0, HUGE_VAL)) !=
            GRAFT_OK) {
        return status;
    }
    if (a->groups < 1 || graft_shape_last(x) % a->groups != 0) {
        return graft_op_fail(context, call, "%lld channels do not fall into %d groups",
                             (long long)graft_shape_last(x), (int)a->groups);
    }
    const struct graft_group_layout layout = graft_group_layout_of(x, a->groups);
    if (layout.pixels * layout.width < 1) {
        return graft_op_fail(context, call, "the mean of a group without elements is undefined");
    }
    if (vector >= 0 && (status = graft_check_vector(context, call, vector, layout.channels)) != GRAFT_OK) {
        return status;
    }
    const struct graft_shape of_stats = graft_shape_of(3, layout.images, layout.groups, (int64_t)2);
    return stats >= 0 ? graft_check_shape(context, call, stats, &of_stats, "[n, groups, 2]") : GRAFT_OK;
}

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    enum graft_status status;
    if ((status = graft_group_norm_check(context, call, GAMMA, -1)) != GRAFT_OK ||
        (status = graft_group_norm_check(context, call, BETA, -1)) != GRAFT_OK) {
        return status;
    }
    const struct graft_shape *const x = graft_call_shape(call, X);
    const struct graft_shape stats =
        graft_shape_of(3, x->dim[0], (int64_t)call->attributes.group_norm.groups, (int64_t)2);
    graft_call_output(call, Y, x);
    graft_call_output(call, STATS, &stats);
    return GRAFT_OK;
}

/* The statistics are for the gradient ops alone: what is made of them besides has no gradient. */
static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const union graft_attributes *const attributes = &g->call->attributes;
    const int x = g->inputs[X], stats = g->outputs[STATS], dy = g->output_gradients[Y];
    if (dy < 0) {
        return;
    }
    if (graft_gradient_wanted(g, GAMMA) || graft_gradient_wanted(g, BETA)) {
        const int inputs[] = {x, dy, stats};
        int sums[GRAFT_MAX_OUTPUTS] = {-1, -1};
        if (g->emitter->apply(g->emitter, GRAFT_OP_GROUP_NORM_GRAD_PARAM, attributes, inputs, 3, sums) < 0) {
            return;
        }
        g->input_gradients[GAMMA] = graft_gradient_wanted(g, GAMMA) ? sums[0] : -1;
        g->input_gradients[BETA] = graft_gradient_wanted(g, BETA) ? sums[1] : -1;
    }
    if (graft_gradient_wanted(g, X)) {
        const int inputs[] = {x, dy, g->inputs[GAMMA], stats};
        g->input_gradients[X] =
            g->emitter->apply(g->emitter, GRAFT_OP_GROUP_NORM_GRAD_INPUT, attributes, inputs, 4, NULL);
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    const struct graft_group_layout layout = graft_group_layout_of(x, call->attributes.group_norm.groups);
    *work = (struct graft_work){
        .flops = 6 * (double)graft_shape_count(x),
        .bytes = graft_work_bytes(call),
        .terms = (double)(layout.pixels * layout.width),
    };
}

void graft_format_group_norm(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_group_norm_attributes *const a = &call->attributes.group_norm;
    graft_format_append(text, size, " groups %d epsilon %g", (int)a->groups, (double)a->epsilon);
}

/* Whole groups, that is whole images. */
static bool narrow(struct graft_call *call, const struct graft_rows *rows, struct graft_rows *in)
{
    return rows->dimension == 0 && graft_narrow_x(call, rows, in);
}

const struct graft_op_def graft_op_group_norm = {
    .name = "group_norm",
    .input_names = {"x", "gamma", "beta"},
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 2,
    .infer = infer,
    .separate = graft_separate_x,
    .narrow = narrow,
    .gradient = gradient,
    .work = work,
    .format = graft_format_group_norm,
};
