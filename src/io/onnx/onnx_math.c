/* SPDX-License-Identifier: MIT */
/* Ops element by element, reductions, softmax. A factor stays a note at the value until it is needed, so that
 * the pieces of gelu are recognized: x · (1 + erf(x / √2)) / 2. */
#include "io/onnx/onnx.h"

#include <math.h>
#include <string.h>

static struct graft_graph *graph_of(const struct graft_onnx_import *import)
{
    return import->b->graph;
}

static float scale_of(const struct graft_onnx_value *value)
{
    return value->scale == 0 ? 1 : value->scale;
}

/* A single number on the host. */
static bool is_number(const struct graft_onnx_value *value, double *number)
{
    if (!value->host || graft_shape_count(&value->host->shape) != 1)
        return false;
    *number = graft_onnx_number(value->host, 0);
    return true;
}

/* ---- functions of one value */

static bool run_unary(struct graft_onnx_import *import, enum graft_unary kind)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    if (!x)
        return graft_onnx_refuse(import, "it has no input");
    const struct graft_onnx_value own = *x;
    const int id = graft_onnx_plain(import, &own);
    return id >= 0 &&
           graft_onnx_set(import, 0, kind == GRAFT_UNARY_NONE ? id : graft_unary(graph_of(import), kind, id),
                          own.order);
}

static bool run_simple(struct graft_onnx_import *import)
{
    static const struct {
        const char *op;
        enum graft_unary kind;
    } rows[] = {{"Relu", GRAFT_UNARY_RELU},     {"Sigmoid", GRAFT_UNARY_SIGMOID},
                {"Tanh", GRAFT_UNARY_TANH},     {"HardSwish", GRAFT_UNARY_HARD_SWISH},
                {"Sqrt", GRAFT_UNARY_SQRT},     {"Exp", GRAFT_UNARY_EXP},
                {"Log", GRAFT_UNARY_LOG},       {"Abs", GRAFT_UNARY_ABS},
                {"Identity", GRAFT_UNARY_NONE}, {"Dropout", GRAFT_UNARY_NONE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (graft_onnx_is(import->node->op, rows[i].op))
            return run_unary(import, rows[i].kind);
    }
    return graft_onnx_refuse(import, "this op is not read");
}

static bool run_cast(struct graft_onnx_import *import)
{
    const int64_t to = graft_onnx_int(import, "to", 0);
    if (to != 1 && to != 10 && to != 11 && to != 16)
        return graft_onnx_refuse(import, "it makes the picture's values integers");
    return run_unary(import, GRAFT_UNARY_NONE);
}

static bool run_leaky_relu(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    const struct graft_onnx_value own = x ? *x : (struct graft_onnx_value){.id = -1};
    const int id = x ? graft_onnx_plain(import, &own) : -1;
    return id >= 0 &&
           graft_onnx_set(import, 0,
                          graft_leaky_relu(graph_of(import), id, graft_onnx_float(import, "alpha", 0.01f)),
                          own.order);
}

static bool run_gelu(struct graft_onnx_import *import)
{
    const struct graft_onnx_attribute *const how = graft_onnx_attribute(import, "approximate");
    return run_unary(import, how && how->type == 3 && graft_onnx_is(how->s, "tanh") ? GRAFT_UNARY_GELU_TANH
                                                                                    : GRAFT_UNARY_GELU);
}

/* max(0, min(1, α x + β)) */
static bool run_hard_sigmoid(struct graft_onnx_import *import)
{
    const float alpha = graft_onnx_float(import, "alpha", 0.2f),
                beta = graft_onnx_float(import, "beta", 0.5f);
    if (fabsf(alpha - 1.0f / 6) < 1e-6f && beta == 0.5f)
        return run_unary(import, GRAFT_UNARY_HARD_SIGMOID);
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    struct graft_graph *const graph = graph_of(import);
    const struct graft_onnx_value own = x ? *x : (struct graft_onnx_value){.id = -1};
    int id = x ? graft_onnx_plain(import, &own) : -1;
    if (id < 0)
        return false;
    id = graft_add(graph, graft_mul(graph, id, graft_onnx_scalar(import, (double)alpha)),
                   graft_onnx_scalar(import, (double)beta));
    return graft_onnx_set(import, 0, graft_clip(graph, id, 0, 1), own.order);
}

static bool run_clip(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    double limits[2] = {(double)graft_onnx_float(import, "min", -INFINITY),
                        (double)graft_onnx_float(import, "max", INFINITY)};
    for (int i = 0; i < 2; i++) {
        const struct graft_onnx_value *const limit = graft_onnx_input(import, 1 + i);
        if (limit && (!limit->host || graft_shape_count(&limit->host->shape) != 1))
            return graft_onnx_refuse(import, "its limits are no numbers");
        if (limit)
            limits[i] = graft_onnx_number(limit->host, 0);
    }
    if (!x)
        return graft_onnx_refuse(import, "it has no input");
    if (limits[0] == 0 && limits[1] == 6)
        return run_unary(import, GRAFT_UNARY_RELU6);
    const struct graft_onnx_value own = *x;
    const int id = graft_onnx_plain(import, &own);
    return id >= 0 &&
           graft_onnx_set(import, 0, graft_clip(graph_of(import), id, (float)limits[0], (float)limits[1]),
                          own.order);
}

static bool run_neg(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    if (!x || x->host || x->form != GRAFT_ONNX_PLAIN)
        return graft_onnx_refuse(import, "its input is none that is read");
    struct graft_onnx_value negative = *x;
    negative.scale = -scale_of(x);
    graft_onnx_give(import, &negative);
    return true;
}

static bool run_erf(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    if (!x || x->host || x->form != GRAFT_ONNX_PLAIN)
        return graft_onnx_refuse(import, "its input is none that is read");
    struct graft_onnx_value erf = *x;
    erf.form = GRAFT_ONNX_ERF;
    graft_onnx_give(import, &erf);
    return true;
}

/* ---- functions of two values */

/* 1 + erf. */
static bool add_one(struct graft_onnx_import *import, const struct graft_onnx_value *a,
                    const struct graft_onnx_value *b)
{
    double number = 0;
    if (a->form != GRAFT_ONNX_ERF || !is_number(b, &number) || number != 1)
        return false;
    struct graft_onnx_value sum = *a;
    sum.form = GRAFT_ONNX_ONE_ERF;
    graft_onnx_give(import, &sum);
    return true;
}

/* x · s times 1 + erf(x / √2): 2 s gelu(x). */
static bool make_gelu(struct graft_onnx_import *import, const struct graft_onnx_value *x,
                      const struct graft_onnx_value *erf)
{
    if (erf->form != GRAFT_ONNX_ONE_ERF || x->host || x->form != GRAFT_ONNX_PLAIN || x->id != erf->id ||
        fabsf(scale_of(erf) - 0.70710678f) > 1e-6f)
        return false;
    const struct graft_onnx_value own = *x;
    const float factor = erf->factor == 0 ? 1 : erf->factor; /* the result may take erf's place */
    if (!graft_onnx_set(import, 0, graft_unary(graph_of(import), GRAFT_UNARY_GELU, own.id), own.order))
        return false;
    struct graft_onnx_value *const gelu = graft_onnx_output(import, 0);
    if (gelu)
        gelu->scale = 2 * scale_of(&own) * factor;
    return true;
}

/* A value times a number, or by one: noted. */
static bool multiply(struct graft_onnx_import *import, const struct graft_onnx_value *x, double factor)
{
    struct graft_onnx_value product = *x;
    const float scale = (float)((double)scale_of(x) * factor);
    if (x->form == GRAFT_ONNX_ONE_ERF) {
        product.factor = (float)((x->factor == 0 ? 1 : (double)x->factor) * factor);
        graft_onnx_give(import, &product);
        return true;
    }
    if (x->host || x->form != GRAFT_ONNX_PLAIN || !isfinite(scale) || scale == 0)
        return false;
    product.scale = scale;
    graft_onnx_give(import, &product);
    return true;
}

/* What is noted, or recognized, instead of computed. */
static bool is_noted(struct graft_onnx_import *import, enum graft_binary kind,
                     const struct graft_onnx_value *a, const struct graft_onnx_value *b)
{
    double number = 0;
    if (kind == GRAFT_BINARY_ADD)
        return add_one(import, a, b) || add_one(import, b, a);
    if (kind == GRAFT_BINARY_MUL)
        return make_gelu(import, a, b) || make_gelu(import, b, a) ||
               (is_number(b, &number) && multiply(import, a, number)) ||
               (is_number(a, &number) && multiply(import, b, number));
    return kind == GRAFT_BINARY_DIV && is_number(b, &number) && number != 0 &&
           multiply(import, a, 1 / number);
}

static bool run_kind(struct graft_onnx_import *import, enum graft_binary kind)
{
    const struct graft_onnx_value *const a = graft_onnx_input(import, 0), *const b =
                                                                              graft_onnx_input(import, 1);
    if (!a || !b || import->node->input_count > 2)
        return graft_onnx_refuse(import, "it has not two inputs");
    if (is_noted(import, kind, a, b))
        return true;
    /* The order of the one with more dimensions; of the picture's value, where both have as many. */
    const bool of_a = a->shape.rank > b->shape.rank || (a->shape.rank == b->shape.rank && !a->host);
    const struct graft_onnx_value like = of_a ? *a : *b;
    const int x = graft_onnx_as(import, a, like.shape.rank, like.order);
    const int y = x >= 0 ? graft_onnx_as(import, b, like.shape.rank, like.order) : -1;
    return y >= 0 && graft_onnx_set(import, 0, graft_binary(graph_of(import), kind, x, y), like.order);
}

static bool run_binary(struct graft_onnx_import *import)
{
    static const struct {
        const char *op;
        enum graft_binary kind;
    } rows[] = {{"Add", GRAFT_BINARY_ADD}, {"Sub", GRAFT_BINARY_SUB}, {"Mul", GRAFT_BINARY_MUL},
                {"Div", GRAFT_BINARY_DIV}, {"Max", GRAFT_BINARY_MAX}, {"Min", GRAFT_BINARY_MIN}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (graft_onnx_is(import->node->op, rows[i].op))
            return run_kind(import, rows[i].kind);
    }
    return false;
}

static bool run_pow(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0), *const y =
                                                                              graft_onnx_input(import, 1);
    double exponent = 0;
    if (!x || !y)
        return graft_onnx_refuse(import, "it has not two inputs");
    if (y->host && graft_shape_count(&y->host->shape) == 1)
        exponent = graft_onnx_number(y->host, 0);
    if (exponent == 0.5)
        return run_unary(import, GRAFT_UNARY_SQRT);
    if (exponent != 2)
        return run_kind(import, GRAFT_BINARY_POW);
    const struct graft_onnx_value own = *x;
    const int id = graft_onnx_plain(import, &own);
    return id >= 0 && graft_onnx_set(import, 0, graft_mul(graph_of(import), id, id), own.order);
}

/* ---- over dimensions */

static bool run_reduce(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    int64_t axes[GRAFT_MAX_RANK];
    bool present = false, reduced[GRAFT_MAX_RANK] = {false};
    const int count = graft_onnx_list_or_input(import, "axes", 1, axes, GRAFT_MAX_RANK, &present);
    if (!x || count < 0)
        return x ? false : graft_onnx_refuse(import, "it has no input");
    const struct graft_onnx_value own = *x;
    struct graft_reduce_attributes attributes = {
        .kind = graft_onnx_is(import->node->op, "ReduceMean") ? GRAFT_REDUCE_MEAN : GRAFT_REDUCE_SUM,
        .keep_dims = graft_onnx_int(import, "keepdims", 1) != 0};
    for (int i = 0; i < (count > 0 ? count : own.shape.rank); i++) {
        const int64_t axis = count > 0 ? (axes[i] < 0 ? axes[i] + own.shape.rank : axes[i]) : i;
        if (axis < 0 || axis >= own.shape.rank)
            return graft_onnx_refuse(import, "there is no axis %lld", (long long)axes[i]);
        reduced[axis] = true;
        attributes.axes |= 1u << own.order[axis];
    }
    /* What is left of the order when dimensions go. */
    int order[GRAFT_MAX_RANK], rank = 0;
    for (int i = 0; i < own.shape.rank; i++) {
        if (!attributes.keep_dims && reduced[i])
            continue;
        order[rank] = own.order[i];
        for (int k = 0; !attributes.keep_dims && k < own.shape.rank; k++)
            order[rank] -= reduced[k] && own.order[k] < own.order[i];
        rank++;
    }
    const int id = graft_onnx_plain(import, &own);
    return id >= 0 && graft_onnx_set(import, 0, graft_reduce(graph_of(import), id, &attributes), order);
}

/* Along the last dimension in memory; others come there first. */
static bool run_softmax(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    if (!x)
        return graft_onnx_refuse(import, "it has no input");
    const int rank = x->shape.rank;
    int64_t axis = graft_onnx_int(import, "axis", import->onnx->opset < 13 ? 1 : -1);
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank || (import->onnx->opset < 13 && axis != rank - 1))
        return graft_onnx_refuse(import, "axis %lld is not read", (long long)axis);
    struct graft_onnx_value own = *x;
    int id = graft_onnx_plain(import, &own);
    if (own.order[axis] != rank - 1) {
        /* The order of ONNX, with the axis last. */
        int order[GRAFT_MAX_RANK];
        for (int i = 0; i < rank; i++)
            order[i] = i == axis ? rank - 1 : i - (i > axis);
        id = graft_onnx_as(import, &own, rank, order);
        memcpy(own.order, order, sizeof own.order);
    }
    const bool log = graft_onnx_is(import->node->op, "LogSoftmax");
    return id >= 0 &&
           graft_onnx_set(import, 0,
                          log ? graft_log_softmax(graph_of(import), id) : graft_softmax(graph_of(import), id),
                          own.order);
}

const struct graft_onnx_row graft_onnx_math[] = {
    {"Relu", run_simple},
    {"Sigmoid", run_simple},
    {"Tanh", run_simple},
    {"HardSwish", run_simple},
    {"Sqrt", run_simple},
    {"Exp", run_simple},
    {"Log", run_simple},
    {"Abs", run_simple},
    {"Identity", run_simple},
    {"Dropout", run_simple},
    {"Cast", run_cast},
    {"LeakyRelu", run_leaky_relu},
    {"Gelu", run_gelu},
    {"Clip", run_clip},
    {"HardSigmoid", run_hard_sigmoid},
    {"Neg", run_neg},
    {"Erf", run_erf},
    {"Add", run_binary},
    {"Sub", run_binary},
    {"Mul", run_binary},
    {"Div", run_binary},
    {"Max", run_binary},
    {"Min", run_binary},
    {"Pow", run_pow},
    {"ReduceMean", run_reduce},
    {"ReduceSum", run_reduce},
    {"Softmax", run_softmax},
    {"LogSoftmax", run_softmax},
    {NULL, NULL},
};
