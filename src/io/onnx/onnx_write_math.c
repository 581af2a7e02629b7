/* SPDX-License-Identifier: MIT */
/* Functions of elements, reductions, softmax. */
#include "io/onnx/onnx_write.h"

#include <math.h>

/* min(max(x, low), high); a limit that is infinite is left out. */
static int clip(struct graft_onnx_writer *writer, int x, float low, float high)
{
    const int inputs[3] = {x, isinf(low) ? -1 : graft_onnx_real(writer, low),
                           isinf(high) ? -1 : graft_onnx_real(writer, high)};
    return isinf(low) && isinf(high) ? x : graft_onnx_emit(writer, "Clip", inputs, isinf(high) ? 2 : 3);
}

static int multiply(struct graft_onnx_writer *writer, int x, float factor)
{
    return graft_onnx_emit_2(writer, "Mul", x, graft_onnx_real(writer, factor));
}

/* x · (1 + y) / 2 */
static int gate(struct graft_onnx_writer *writer, int x, int y)
{
    y = graft_onnx_emit_2(writer, "Add", y, graft_onnx_real(writer, 1));
    return multiply(writer, graft_onnx_emit_2(writer, "Mul", x, y), 0.5f);
}

static int gelu(struct graft_onnx_writer *writer, int x)
{
    const int y = graft_onnx_emit_2(writer, "Div", x, graft_onnx_real(writer, 1.41421356237309505f));
    return gate(writer, x, graft_onnx_emit_1(writer, "Erf", y));
}

static int gelu_tanh(struct graft_onnx_writer *writer, int x)
{
    const int square = graft_onnx_emit_2(writer, "Mul", x, x);
    int y = multiply(writer, graft_onnx_emit_2(writer, "Mul", square, x), 0.044715f);
    y = multiply(writer, graft_onnx_emit_2(writer, "Add", x, y), 0.797884560802865356f);
    return gate(writer, x, graft_onnx_emit_1(writer, "Tanh", y));
}

int graft_onnx_apply(struct graft_onnx_writer *writer, const struct graft_unary_attributes *function, int x)
{
    static const char *const simple[GRAFT_UNARY_COUNT] = {
        [GRAFT_UNARY_RELU] = "Relu", [GRAFT_UNARY_SIGMOID] = "Sigmoid",
        [GRAFT_UNARY_TANH] = "Tanh", [GRAFT_UNARY_HARD_SWISH] = "HardSwish",
        [GRAFT_UNARY_SQRT] = "Sqrt", [GRAFT_UNARY_EXP] = "Exp",
        [GRAFT_UNARY_LOG] = "Log",   [GRAFT_UNARY_ABS] = "Abs"};
    switch (function->kind) {
    case GRAFT_UNARY_NONE:
        return x;
    case GRAFT_UNARY_RELU6:
        return clip(writer, x, 0, 6);
    case GRAFT_UNARY_CLIP:
        return clip(writer, x, function->low, function->high);
    case GRAFT_UNARY_LEAKY_RELU:
        graft_onnx_put_float(writer, "alpha", function->alpha);
        return graft_onnx_emit_1(writer, "LeakyRelu", x);
    case GRAFT_UNARY_HARD_SIGMOID:
        graft_onnx_put_float(writer, "alpha", 1.0f / 6.0f);
        graft_onnx_put_float(writer, "beta", 0.5f);
        return graft_onnx_emit_1(writer, "HardSigmoid", x);
    case GRAFT_UNARY_SILU:
        return graft_onnx_emit_2(writer, "Mul", x, graft_onnx_emit_1(writer, "Sigmoid", x));
    case GRAFT_UNARY_GELU:
        return gelu(writer, x);
    case GRAFT_UNARY_GELU_TANH:
        return gelu_tanh(writer, x);
    default:
        return simple[function->kind]
                   ? graft_onnx_emit_1(writer, simple[function->kind], x)
                   : graft_onnx_fail(writer, "function %s is not written", graft_unary_name(function->kind));
    }
}

/* In the order of the operand. */
void graft_onnx_write_unary(struct graft_onnx_writer *writer)
{
    const int x = writer->node->inputs[0], y = writer->node->outputs[0];
    const enum graft_onnx_order order = graft_onnx_order_of(writer, x);
    for (int i = 0; i < 3; i++)
        writer->values[y].map[i] = writer->values[x].map[i];
    graft_onnx_note(
        writer, y, order,
        graft_onnx_apply(writer, &writer->node->call.attributes.unary, graft_onnx_take_as(writer, x, order)));
}

/* [c, 1, 1] in PyTorch's files: it goes with maps whose channels come first. */
static bool is_column(struct graft_onnx_writer *writer, int value)
{
    (void)graft_onnx_order_of(writer, value);
    return writer->parameter_of[value] >= 0 && writer->values[value].column >= 0;
}

void graft_onnx_write_binary(struct graft_onnx_writer *writer)
{
    static const char *const ops[GRAFT_BINARY_COUNT] = {
        [GRAFT_BINARY_ADD] = "Add", [GRAFT_BINARY_MUL] = "Mul", [GRAFT_BINARY_SUB] = "Sub",
        [GRAFT_BINARY_DIV] = "Div", [GRAFT_BINARY_POW] = "Pow", [GRAFT_BINARY_MAX] = "Max",
        [GRAFT_BINARY_MIN] = "Min"};
    const struct graft_binary_attributes *const a = &writer->node->call.attributes.binary;
    const int *const inputs = writer->node->inputs;
    const int rank = graft_onnx_shape(writer, writer->node->outputs[0])->rank;
    enum graft_onnx_order order = GRAFT_ONNX_AS_HERE;
    for (int i = 0; i < 2 && rank == 4; i++)
        if (graft_onnx_order_of(writer, inputs[i]) == GRAFT_ONNX_CHANNELS_FIRST ||
            is_column(writer, inputs[i]))
            order = GRAFT_ONNX_CHANNELS_FIRST;
    const int left = graft_onnx_take_to(writer, inputs[0], rank, order),
              right = graft_onnx_take_to(writer, inputs[1], rank, order);
    graft_onnx_finish(writer, graft_onnx_emit_2(writer, ops[a->kind], left, right), order, 0, a->activation);
}

/* ---- over dimensions */

/* Whether the dimensions that stay come in our order. */
static bool keeps_order(enum graft_onnx_order order, uint32_t axes)
{
    const bool channels = !(axes >> 3 & 1), places = (axes >> 1 & 3) != 3;
    return order != GRAFT_ONNX_CHANNELS_FIRST || !channels || !places;
}

void graft_onnx_write_reduce(struct graft_onnx_writer *writer)
{
    const struct graft_reduce_attributes *const a = &writer->node->call.attributes.reduce;
    const int value = writer->node->inputs[0];
    enum graft_onnx_order order = graft_onnx_order_of(writer, value);
    const int rank = graft_onnx_shape(writer, value)->rank;
    if (order == GRAFT_ONNX_FLAT_FIRST || (!a->keep_dims && (rank > 4 || !keeps_order(order, a->axes))))
        order = GRAFT_ONNX_AS_HERE;
    const enum graft_onnx_order result = a->keep_dims ? order : GRAFT_ONNX_AS_HERE;
    int64_t axes[GRAFT_MAX_RANK];
    int count = 0;
    for (int place = 0; place < rank; place++)
        for (int d = 0; d < rank; d++)
            if (graft_onnx_place(order, rank, d) == place && a->axes >> d & 1)
                axes[count++] = place;
    int name = graft_onnx_take_as(writer, value, order);
    if (a->kind == GRAFT_REDUCE_SQUARES)
        name = graft_onnx_emit_2(writer, "Mul", name, name);
    if (count > 0 && a->kind == GRAFT_REDUCE_MEAN) {
        graft_onnx_put_ints(writer, "axes", axes, count);
        graft_onnx_put_int(writer, "keepdims", a->keep_dims);
        name = graft_onnx_emit_1(writer, "ReduceMean", name);
    } else if (count > 0) {
        const int list = graft_onnx_integers(writer, axes, count);
        graft_onnx_put_int(writer, "keepdims", a->keep_dims);
        name = graft_onnx_emit_2(writer, "ReduceSum", name, list);
    }
    graft_onnx_note(writer, writer->node->outputs[0], result, name);
}

static void softmax(struct graft_onnx_writer *writer, const char *op)
{
    const int x = writer->node->inputs[0], rank = graft_onnx_shape(writer, x)->rank;
    enum graft_onnx_order order = graft_onnx_order_of(writer, x);
    if (order == GRAFT_ONNX_FLAT_FIRST)
        order = GRAFT_ONNX_AS_HERE;
    const int name = graft_onnx_take_as(writer, x, order);
    graft_onnx_put_int(writer, "axis", graft_onnx_place(order, rank, rank - 1));
    graft_onnx_note(writer, writer->node->outputs[0], order, graft_onnx_emit_1(writer, op, name));
}

void graft_onnx_write_softmax(struct graft_onnx_writer *writer)
{
    softmax(writer, "Softmax");
}

void graft_onnx_write_log_softmax(struct graft_onnx_writer *writer)
{
    softmax(writer, "LogSoftmax");
}
