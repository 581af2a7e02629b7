/* SPDX-License-Identifier: MIT */
/* The table of ops, and what is checked for all of them. */
#include "op/check.h"

#include <inttypes.h>
#include <string.h>

static const struct graft_op_def *const table[GRAFT_OP_COUNT] = {
#define GRAFT_OP(name, NAME) [GRAFT_OP_##NAME] = &graft_op_##name,
#include "op/ops.def"
#undef GRAFT_OP
};

const struct graft_op_def *graft_op_get(enum graft_op op)
{
    return (unsigned)op < GRAFT_OP_COUNT ? table[op] : NULL;
}

enum graft_op graft_op_find(const char *name)
{
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        if (strcmp(table[op]->name, name) == 0) {
            return (enum graft_op)op;
        }
    }
    return GRAFT_OP_COUNT;
}

static enum graft_unary activation_in(const struct graft_call *call, bool there)
{
    enum graft_unary activation = GRAFT_UNARY_NONE;
    if (there) {
        memcpy(&activation, (const char *)&call->attributes + table[call->op]->activation, sizeof activation);
    }
    return activation;
}

enum graft_unary graft_op_activation(const struct graft_call *call)
{
    return activation_in(call, table[call->op]->fuses_unary);
}

enum graft_unary graft_op_slope(const struct graft_call *call)
{
    return activation_in(call, table[call->op]->takes_slope);
}

void graft_op_set_activation(struct graft_call *call, enum graft_unary activation)
{
    const struct graft_op_def *const def = table[call->op];
    if (def->fuses_unary || def->takes_slope) {
        memcpy((char *)&call->attributes + def->activation, &activation, sizeof activation);
    }
}

static const struct {
    const char *name;
    enum graft_unary_operand needs;
    bool fuses;
} unary_kinds[GRAFT_UNARY_COUNT] = {
    [GRAFT_UNARY_NONE] = {"none", GRAFT_UNARY_FROM_Y, true},
    [GRAFT_UNARY_RELU] = {"relu", GRAFT_UNARY_FROM_Y, true},
    [GRAFT_UNARY_RELU6] = {"relu6", GRAFT_UNARY_FROM_Y, true},
    [GRAFT_UNARY_LEAKY_RELU] = {"leaky_relu", GRAFT_UNARY_FROM_Y, false}, /* as alpha ≥ 0 */
    [GRAFT_UNARY_SIGMOID] = {"sigmoid", GRAFT_UNARY_FROM_Y, true},
    [GRAFT_UNARY_TANH] = {"tanh", GRAFT_UNARY_FROM_Y, false},
    /* y rounds to 0 or 1 before x is at the kink */
    [GRAFT_UNARY_HARD_SIGMOID] = {"hard_sigmoid", GRAFT_UNARY_FROM_X, true},
    [GRAFT_UNARY_HARD_SWISH] = {"hard_swish", GRAFT_UNARY_FROM_X, true},
    [GRAFT_UNARY_SILU] = {"silu", GRAFT_UNARY_FROM_X, true},
    [GRAFT_UNARY_GELU] = {"gelu", GRAFT_UNARY_FROM_X, false},
    [GRAFT_UNARY_GELU_TANH] = {"gelu_tanh", GRAFT_UNARY_FROM_X, false},
    [GRAFT_UNARY_SQRT] = {"sqrt", GRAFT_UNARY_FROM_Y, false},
    [GRAFT_UNARY_EXP] = {"exp", GRAFT_UNARY_FROM_Y, false},
    [GRAFT_UNARY_LOG] = {"log", GRAFT_UNARY_FROM_X, false},
    [GRAFT_UNARY_ABS] = {"abs", GRAFT_UNARY_FROM_X, false},
    [GRAFT_UNARY_CLIP] = {"clip", GRAFT_UNARY_FROM_Y, false},
};

bool graft_unary_fuses(enum graft_unary kind)
{
    return (unsigned)kind < GRAFT_UNARY_COUNT && unary_kinds[kind].fuses;
}

const char *graft_unary_name(enum graft_unary kind)
{
    return (unsigned)kind < GRAFT_UNARY_COUNT ? unary_kinds[kind].name : "unknown";
}

enum graft_unary_operand graft_unary_needs(enum graft_unary kind)
{
    return unary_kinds[kind].needs;
}

const char *graft_binary_name(enum graft_binary kind)
{
    static const char *const names[GRAFT_BINARY_COUNT] = {"add", "mul", "sub", "div", "pow", "max", "min"};
    return (unsigned)kind < GRAFT_BINARY_COUNT ? names[kind] : "unknown";
}

bool graft_shape_broadcast(const struct graft_shape *a, const struct graft_shape *b,
                           struct graft_shape *result)
{
    struct graft_shape shape = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 0; i < shape.rank; i++) {
        const int at_a = i - (shape.rank - a->rank);
        const int at_b = i - (shape.rank - b->rank);
        const int64_t dim_a = at_a < 0 ? 1 : a->dim[at_a];
        const int64_t dim_b = at_b < 0 ? 1 : b->dim[at_b];
        if (dim_a != dim_b && dim_a != 1 && dim_b != 1) {
            return false;
        }
        shape.dim[i] = dim_a == 1 ? dim_b : dim_a;
    }
    *result = shape;
    return true;
}

/* The dtype an input must have; NONE where any one real dtype will do. */
static enum graft_dtype expected_dtype(const struct graft_op_def *def, int input)
{
    if (def->i32_inputs >> input & 1u) {
        return GRAFT_DTYPE_I32;
    }
    return def->u8_inputs >> input & 1u ? GRAFT_DTYPE_U8 : GRAFT_DTYPE_NONE;
}

/* Presence, shape and dtype of one input; the first real one decides call->real. */
static enum graft_status check_input(struct graft_context *context, struct graft_call *call, int input,
                                     bool *real_seen)
{
    const struct graft_op_def *const def = graft_op_get(call->op);
    const struct graft_desc *const desc = &call->in[input];
    if (desc->dtype == GRAFT_DTYPE_NONE) {
        if (input < def->min_inputs && !(def->optional >> input & 1u)) {
            return graft_op_fail(context, call, "input %s is missing", def->input_names[input]);
        }
        if (input >= def->min_inputs && !(def->optional >> input & 1u)) {
            return graft_op_fail(context, call, "input %d must not be absent", input);
        }
        return GRAFT_OK;
    }
    if (!graft_shape_check(&desc->shape)) {
        return graft_op_fail(context, call,
                             "input %s has no valid shape: up to %d dimensions of at least 0, of a "
                             "size that can be addressed",
                             def->input_names[input], GRAFT_MAX_RANK);
    }
    const enum graft_dtype expected = expected_dtype(def, input);
    if (expected != GRAFT_DTYPE_NONE) {
        return desc->dtype == expected
                   ? GRAFT_OK
                   : graft_op_fail(context, call, "input %s is %s, not %s", def->input_names[input],
                                   graft_dtype_name(desc->dtype), graft_dtype_name(expected));
    }
    if (desc->dtype != GRAFT_DTYPE_F32 && desc->dtype != GRAFT_DTYPE_F64) {
        return graft_op_fail(context, call, "input %s is %s, not f32", def->input_names[input],
                             graft_dtype_name(desc->dtype));
    }
    if (*real_seen && desc->dtype != call->real) {
        return graft_op_fail(context, call, "input %s is %s, those before it are %s", def->input_names[input],
                             graft_dtype_name(desc->dtype), graft_dtype_name(call->real));
    }
    *real_seen = true;
    call->real = desc->dtype;
    return GRAFT_OK;
}

enum graft_status graft_op_infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_op_def *const def = graft_op_get(call->op);
    if (def == NULL) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "there is no op of number %d", (int)call->op);
    }
    memset(call->out, 0, sizeof call->out);
    if (call->n_inputs < def->min_inputs || call->n_inputs > def->max_inputs) {
        return graft_op_fail(context, call, "%d inputs are given; it takes %d to %d", call->n_inputs,
                             def->min_inputs, def->max_inputs);
    }
    for (int i = call->n_inputs; i < GRAFT_MAX_INPUTS; i++) {
        call->in[i] = (struct graft_desc){0};
    }
    if (call->real != GRAFT_DTYPE_F64) {
        call->real = GRAFT_DTYPE_F32; /* for ops without real inputs */
    }
    bool real_seen = false;
    for (int i = 0; i < call->n_inputs; i++) {
        const enum graft_status status = check_input(context, call, i, &real_seen);
        if (status != GRAFT_OK) {
            return status;
        }
    }
    const enum graft_status status = def->infer(context, call);
    if (status != GRAFT_OK) {
        return status;
    }
    for (int i = 0; i < def->n_outputs; i++) {
        if (!graft_shape_check(&call->out[i].shape)) {
            char text[160];
            return graft_op_fail(context, call, "a result of shape %s is too large to be addressed",
                                 graft_shape_format(&call->out[i].shape, text, sizeof text));
        }
    }
    return GRAFT_OK;
}
