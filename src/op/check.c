/* SPDX-License-Identifier: MIT */
/* Checks of single inputs and attributes. */
#include "op/check.h"

#include <inttypes.h>
#include <math.h>

static const char *input_name(const struct graft_call *call, int input)
{
    const char *const name = graft_op_get(call->op)->input_names[input];
    return name != NULL ? name : "input";
}

enum graft_status graft_check_rank(struct graft_context *context, const struct graft_call *call, int input,
                                   int lowest, int highest)
{
    const int rank = call->in[input].shape.rank;
    if (!graft_call_has(call, input) || (rank >= lowest && rank <= highest)) {
        return GRAFT_OK;
    }
    if (lowest == highest) {
        return graft_op_fail(context, call, "%s has %d dimensions, not %d", input_name(call, input), rank,
                             lowest);
    }
    return graft_op_fail(context, call, "%s has %d dimensions, not %d to %d", input_name(call, input), rank,
                         lowest, highest);
}

enum graft_status graft_check_shape(struct graft_context *context, const struct graft_call *call, int input,
                                    const struct graft_shape *expected, const char *like)
{
    char text[160];
    if (!graft_call_has(call, input) || graft_shape_equal(&call->in[input].shape, expected)) {
        return GRAFT_OK;
    }
    return graft_op_fail(context, call, "%s must have the shape %s, %s", input_name(call, input),
                         graft_shape_format(expected, text, sizeof text), like);
}

enum graft_status graft_check_vector(struct graft_context *context, const struct graft_call *call, int input,
                                     int64_t length)
{
    const struct graft_shape *const shape = graft_call_shape(call, input);
    if (!graft_call_has(call, input) || (shape->rank == 1 && shape->dim[0] == length)) {
        return GRAFT_OK;
    }
    return graft_op_fail(context, call, "%s must be a vector of %" PRId64, input_name(call, input), length);
}

enum graft_status graft_check_number(struct graft_context *context, const struct graft_call *call,
                                     const char *name, double value, double lowest, double limit)
{
    if (value >= lowest && value < limit) {
        return GRAFT_OK;
    }
    return graft_op_fail(context, call, "%s is %g; it must be at least %g and less than %g", name, value,
                         lowest, limit);
}

enum graft_status graft_check_unary(struct graft_context *context, const struct graft_call *call)
{
    const struct graft_unary_attributes *const a = &call->attributes.unary;
    if ((unsigned)a->kind >= GRAFT_UNARY_COUNT) {
        return graft_op_fail(context, call, "there is no unary function of number %d", (int)a->kind);
    }
    if (a->kind == GRAFT_UNARY_LEAKY_RELU) {
        return graft_check_number(context, call, "alpha", (double)a->alpha, 0, HUGE_VAL);
    }
    if (a->kind == GRAFT_UNARY_CLIP && !(a->low <= a->high)) {
        return graft_op_fail(context, call,
                             "clip from %g to %g: the first limit must not be above the second",
                             (double)a->low, (double)a->high);
    }
    return GRAFT_OK;
}

enum graft_status graft_check_binary(struct graft_context *context, const struct graft_call *call)
{
    const enum graft_binary kind = call->attributes.binary.kind;
    if ((unsigned)kind < GRAFT_BINARY_COUNT) {
        return GRAFT_OK;
    }
    return graft_op_fail(context, call, "there is no binary function of number %d", (int)kind);
}

enum graft_status graft_check_activation(struct graft_context *context, const struct graft_call *call,
                                         enum graft_unary kind)
{
    if (graft_unary_fuses(kind)) {
        return GRAFT_OK;
    }
    if ((unsigned)kind < GRAFT_UNARY_COUNT) {
        return graft_op_fail(context, call, "%s cannot be the activation of another op: add it as a unary op",
                             graft_unary_name(kind));
    }
    return graft_op_fail(context, call, "there is no unary function of number %d", (int)kind);
}
