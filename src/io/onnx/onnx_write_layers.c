/* SPDX-License-Identifier: MIT */
/* Convolution, products, pooling, normalization. */
#include "io/onnx/onnx_write.h"

#include "base/context.h"
#include "base/size.h"

void graft_onnx_finish(struct graft_onnx_writer *writer, int name, enum graft_onnx_order order, int residual,
                       enum graft_unary activation)
{
    const struct graft_node *const node = writer->node;
    const struct graft_unary_attributes function = {.kind = activation};
    if (residual > 0 && residual < node->call.n_inputs && node->inputs[residual] >= 0)
        name =
            graft_onnx_emit_2(writer, "Add", name, graft_onnx_take_as(writer, node->inputs[residual], order));
    graft_onnx_note(writer, node->outputs[0], order, graft_onnx_apply(writer, &function, name));
}

static int input(const struct graft_onnx_writer *writer, int index)
{
    return index < writer->node->call.n_inputs ? writer->node->inputs[index] : -1;
}

static void put_pair(struct graft_onnx_writer *writer, const char *name, const int32_t pair[2])
{
    graft_onnx_put_ints(writer, name, (const int64_t[]){pair[0], pair[1]}, 2);
}

/* top, left, bottom, right there */
static void put_pads(struct graft_onnx_writer *writer, const int32_t pad[4])
{
    graft_onnx_put_ints(writer, "pads", (const int64_t[]){pad[0], pad[2], pad[1], pad[3]}, 4);
}

/* ---- products */

void graft_onnx_write_conv2d(struct graft_onnx_writer *writer)
{
    const struct graft_conv2d_attributes *const a = &writer->node->call.attributes.conv2d;
    const struct graft_shape *const w = graft_onnx_shape(writer, input(writer, 1));
    int operands[3] = {graft_onnx_take_as(writer, input(writer, 0), GRAFT_ONNX_CHANNELS_FIRST),
                       graft_onnx_take_as(writer, input(writer, 1), GRAFT_ONNX_CHANNELS_FIRST), -1};
    const bool bias = input(writer, 2) >= 0;
    if (bias)
        operands[2] = graft_onnx_take_as(writer, input(writer, 2), GRAFT_ONNX_AS_HERE);
    graft_onnx_put_ints(writer, "kernel_shape", (const int64_t[]){w->dim[1], w->dim[2]}, 2);
    put_pair(writer, "strides", a->stride);
    put_pair(writer, "dilations", a->dilation);
    put_pads(writer, a->pad);
    graft_onnx_put_int(writer, "group", a->groups);
    graft_onnx_finish(writer, graft_onnx_emit(writer, "Conv", operands, bias ? 3 : 2),
                      GRAFT_ONNX_CHANNELS_FIRST, 3, a->activation);
}

/* The last two dimensions change places. */
static int transposed(struct graft_onnx_writer *writer, int name, int rank)
{
    int64_t order[GRAFT_MAX_RANK];
    for (int i = 0; i < rank; i++)
        order[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    graft_onnx_put_ints(writer, "perm", order, rank);
    return graft_onnx_emit_1(writer, "Transpose", name);
}

/* Are both flattened from the same map, so that their elements may stay in its order? */
static bool both_flat(struct graft_onnx_writer *writer, int a, int b)
{
    if (graft_onnx_order_of(writer, a) != GRAFT_ONNX_FLAT_FIRST ||
        graft_onnx_order_of(writer, b) != GRAFT_ONNX_FLAT_FIRST)
        return false;
    for (int i = 0; i < 3; i++)
        if (writer->values[a].map[i] != writer->values[b].map[i])
            return false;
    return true;
}

void graft_onnx_write_matmul(struct graft_onnx_writer *writer)
{
    const struct graft_matmul_attributes *const attributes = &writer->node->call.attributes.matmul;
    const int a = input(writer, 0), b = input(writer, 1), bias = input(writer, 2);
    const int ranks[2] = {graft_onnx_shape(writer, a)->rank, graft_onnx_shape(writer, b)->rank};
    const bool dense = ranks[0] == 2 && ranks[1] == 2;
    const enum graft_onnx_order order =
        dense && !attributes->transpose_a && attributes->transpose_b && both_flat(writer, a, b)
            ? GRAFT_ONNX_FLAT_FIRST
            : GRAFT_ONNX_AS_HERE;
    int operands[3] = {graft_onnx_take_as(writer, a, order), graft_onnx_take_as(writer, b, order), -1};
    if (bias >= 0)
        operands[2] = graft_onnx_take_as(writer, bias, GRAFT_ONNX_AS_HERE);
    int name;
    if (dense) {
        if (attributes->transpose_a)
            graft_onnx_put_int(writer, "transA", 1);
        if (attributes->transpose_b)
            graft_onnx_put_int(writer, "transB", 1);
        name = graft_onnx_emit(writer, "Gemm", operands, bias >= 0 ? 3 : 2);
    } else {
        if (attributes->transpose_a)
            operands[0] = transposed(writer, operands[0], ranks[0]);
        if (attributes->transpose_b)
            operands[1] = transposed(writer, operands[1], ranks[1]);
        name = graft_onnx_emit(writer, "MatMul", operands, 2);
        if (bias >= 0)
            name = graft_onnx_emit_2(writer, "Add", name, operands[2]);
    }
    graft_onnx_finish(writer, name, GRAFT_ONNX_AS_HERE, 3, attributes->activation);
}

/* ---- pooling */

/*
 * Rounding up is written as padding, whose meaning no version of a runtime changed, where it can be: the
 * padding of a maximum and of an average of valid elements does not count.
 */
static void put_window(struct graft_onnx_writer *writer, const struct graft_pool_attributes *a,
                       bool padding_counts)
{
    const struct graft_shape *const x = graft_onnx_shape(writer, input(writer, 0)),
                                    *const y = graft_onnx_shape(writer, writer->node->outputs[0]);
    int32_t pad[4];
    bool ceil_mode = false;
    for (int d = 0; d < 2; d++) {
        const int64_t covered = (y->dim[1 + d] - 1) * a->stride[d] + a->kernel[d];
        const int64_t more = covered - (x->dim[1 + d] + a->pad[2 * d] + a->pad[2 * d + 1]);
        pad[2 * d] = a->pad[2 * d];
        pad[2 * d + 1] = a->pad[2 * d + 1];
        if (!a->ceil_mode || more <= 0)
            continue;
        if (padding_counts || pad[2 * d + 1] + more >= a->kernel[d])
            ceil_mode = true;
        else
            pad[2 * d + 1] += (int32_t)more;
    }
    put_pair(writer, "kernel_shape", a->kernel);
    put_pair(writer, "strides", a->stride);
    put_pads(writer, ceil_mode ? a->pad : pad);
    if (ceil_mode)
        graft_onnx_put_int(writer, "ceil_mode", 1);
}

void graft_onnx_write_max_pool(struct graft_onnx_writer *writer)
{
    const int x = graft_onnx_take_as(writer, input(writer, 0), GRAFT_ONNX_CHANNELS_FIRST);
    put_window(writer, &writer->node->call.attributes.pool, false);
    graft_onnx_note(writer, writer->node->outputs[0], GRAFT_ONNX_CHANNELS_FIRST,
                    graft_onnx_emit_1(writer, "MaxPool", x));
}

/* The means of windows ⌊i · in / out⌋ to ⌈(i + 1) · in / out⌉ as a matrix: [out, in], or [in, out]. */
static int mean_matrix(struct graft_onnx_writer *writer, int64_t in, int64_t out, bool in_first)
{
    const struct graft_shape shape = in_first ? graft_shape_of(2, in, out) : graft_shape_of(2, out, in);
    float *const data = graft_allocate(writer->context, (size_t)(in * out), sizeof *data);
    if (!data) {
        writer->status = GRAFT_ERROR_MEMORY;
        return -1;
    }
    for (int64_t i = 0; i < out; i++) {
        const int64_t begin = i * in / out, end = graft_ceil_div((i + 1) * in, out);
        for (int64_t k = begin; k < end; k++)
            data[in_first ? k * out + i : i * in + k] = 1.0f / (float)(end - begin);
    }
    const int name = graft_onnx_reals(writer, &shape, data);
    graft_release(writer->context, data);
    return name;
}

static int adaptive_pool(struct graft_onnx_writer *writer, int x, const int32_t out[2])
{
    const struct graft_shape *const from = graft_onnx_shape(writer, input(writer, 0));
    const int64_t h = from->dim[1], w = from->dim[2];
    if (out[0] == 1 && out[1] == 1)
        return graft_onnx_emit_1(writer, "GlobalAveragePool", x);
    if (h % out[0] == 0 && w % out[1] == 0) {
        const int32_t kernel[2] = {(int32_t)(h / out[0]), (int32_t)(w / out[1])};
        put_pair(writer, "kernel_shape", kernel);
        put_pair(writer, "strides", kernel);
        return graft_onnx_emit_1(writer, "AveragePool", x);
    }
    x = graft_onnx_emit_2(writer, "MatMul", mean_matrix(writer, h, out[0], false), x);
    return graft_onnx_emit_2(writer, "MatMul", x, mean_matrix(writer, w, out[1], true));
}

void graft_onnx_write_avg_pool(struct graft_onnx_writer *writer)
{
    const struct graft_pool_attributes *const a = &writer->node->call.attributes.pool;
    int name = graft_onnx_take_as(writer, input(writer, 0), GRAFT_ONNX_CHANNELS_FIRST);
    if (a->adaptive[0] > 0) {
        name = adaptive_pool(writer, name, a->adaptive);
    } else {
        put_window(writer, a, a->count_include_pad);
        graft_onnx_put_int(writer, "count_include_pad", a->count_include_pad);
        name = graft_onnx_emit_1(writer, "AveragePool", name);
    }
    graft_onnx_note(writer, writer->node->outputs[0], GRAFT_ONNX_CHANNELS_FIRST, name);
}

/* ---- normalization */

void graft_onnx_write_batch_norm(struct graft_onnx_writer *writer)
{
    const struct graft_batch_norm_attributes *const a = &writer->node->call.attributes.batch_norm;
    const int rank = graft_onnx_shape(writer, input(writer, 0))->rank;
    const enum graft_onnx_order order = rank == 4 ? GRAFT_ONNX_CHANNELS_FIRST : GRAFT_ONNX_AS_HERE;
    int operands[5];
    if (a->training || (rank != 4 && rank != 2)) {
        (void)graft_onnx_fail(writer, "its batch normalization is one for training, or of %d dimensions",
                              rank);
        return;
    }
    for (int i = 0; i < 5; i++)
        operands[i] = graft_onnx_take_as(writer, input(writer, i), i == 0 ? order : GRAFT_ONNX_AS_HERE);
    graft_onnx_put_float(writer, "epsilon", a->epsilon);
    graft_onnx_finish(writer, graft_onnx_emit(writer, "BatchNormalization", operands, 5), order, 5,
                      a->activation);
}

/* Rows of vectors: where they are a reshaped value, that value is normalized, and reshaped only if need be.
 */
static void layer_norm(struct graft_onnx_writer *writer, float epsilon)
{
    const int x = input(writer, 0), y = writer->node->outputs[0], delayed = writer->values[x].delayed;
    const int whole = delayed >= 0 ? writer->graph->nodes[delayed].inputs[0] : -1;
    const struct graft_shape *const rows = graft_onnx_shape(writer, x);
    const bool same =
        whole >= 0 && graft_onnx_shape(writer, whole)->rank > 0 &&
        graft_onnx_shape(writer, whole)->dim[graft_onnx_shape(writer, whole)->rank - 1] == rows->dim[1];
    int operands[3] = {graft_onnx_take_as(writer, same ? whole : x, GRAFT_ONNX_AS_HERE)};
    for (int i = 1; i < 3; i++)
        operands[i] = graft_onnx_take_as(writer, input(writer, i), GRAFT_ONNX_AS_HERE);
    graft_onnx_put_int(writer, "axis", -1);
    graft_onnx_put_float(writer, "epsilon", epsilon);
    const int name = graft_onnx_emit(writer, "LayerNormalization", operands, 3);
    if (same) {
        writer->values[y].rows = name;
        writer->values[y].rows_of = whole;
    } else {
        graft_onnx_note(writer, y, GRAFT_ONNX_AS_HERE, name);
    }
}

/* [n, c, h, w] as [n, groups, the rest], each group normalized by itself. */
static void group_norm(struct graft_onnx_writer *writer, const struct graft_group_norm_attributes *a)
{
    const int x = input(writer, 0), y = writer->node->outputs[0];
    const struct graft_shape groups = graft_shape_of(1, a->groups);
    float *const numbers = graft_allocate(writer->context, (size_t)a->groups, sizeof *numbers);
    if (!numbers) {
        writer->status = GRAFT_ERROR_MEMORY;
        return;
    }
    const int zeros = graft_onnx_reals(writer, &groups, numbers);
    for (int32_t i = 0; i < a->groups; i++)
        numbers[i] = 1;
    const int ones = graft_onnx_reals(writer, &groups, numbers);
    graft_release(writer->context, numbers);
    const int64_t split[3] = {0, a->groups, -1};
    int name = graft_onnx_emit_2(writer, "Reshape", graft_onnx_take_as(writer, x, GRAFT_ONNX_CHANNELS_FIRST),
                                 graft_onnx_integers(writer, split, 3));
    graft_onnx_put_float(writer, "epsilon", a->epsilon);
    name = graft_onnx_emit(writer, "InstanceNormalization", (const int[]){name, ones, zeros}, 3);
    name = graft_onnx_reshape_to(writer, name, y, GRAFT_ONNX_CHANNELS_FIRST);
    name = graft_onnx_emit_2(writer, "Mul", name,
                             graft_onnx_take_to(writer, input(writer, 1), 4, GRAFT_ONNX_CHANNELS_FIRST));
    name = graft_onnx_emit_2(writer, "Add", name,
                             graft_onnx_take_to(writer, input(writer, 2), 4, GRAFT_ONNX_CHANNELS_FIRST));
    graft_onnx_note(writer, y, GRAFT_ONNX_CHANNELS_FIRST, name);
}

void graft_onnx_write_group_norm(struct graft_onnx_writer *writer)
{
    const struct graft_group_norm_attributes *const a = &writer->node->call.attributes.group_norm;
    const int rank = graft_onnx_shape(writer, input(writer, 0))->rank;
    if (rank == 2 && a->groups == 1)
        layer_norm(writer, a->epsilon);
    else if (rank == 4)
        group_norm(writer, a);
    else
        (void)graft_onnx_fail(writer, "it normalizes %d groups of %d dimensions", (int)a->groups, rank);
}

void graft_onnx_write_lrn(struct graft_onnx_writer *writer)
{
    const struct graft_lrn_attributes *const a = &writer->node->call.attributes.lrn;
    if (a->size % 2 == 0 || graft_onnx_shape(writer, input(writer, 0))->rank != 4) {
        (void)graft_onnx_fail(
            writer, "its local response normalization is over an even number of channels, or of no map");
        return;
    }
    const int x = graft_onnx_take_as(writer, input(writer, 0), GRAFT_ONNX_CHANNELS_FIRST);
    graft_onnx_put_int(writer, "size", a->size);
    graft_onnx_put_float(writer, "alpha", a->alpha);
    graft_onnx_put_float(writer, "beta", a->beta);
    graft_onnx_put_float(writer, "bias", a->k);
    graft_onnx_note(writer, writer->node->outputs[0], GRAFT_ONNX_CHANNELS_FIRST,
                    graft_onnx_emit_1(writer, "LRN", x));
}

/* Bytes become numbers in [n, c, h, w]. */
void graft_onnx_write_normalize(struct graft_onnx_writer *writer)
{
    enum { ONNX_FLOAT = 1 };
    int name = graft_onnx_take_as(writer, input(writer, 0), GRAFT_ONNX_CHANNELS_FIRST);
    graft_onnx_put_int(writer, "to", ONNX_FLOAT);
    name = graft_onnx_emit_1(writer, "Cast", name);
    name = graft_onnx_emit_2(writer, "Div", name, graft_onnx_real(writer, 255));
    name = graft_onnx_emit_2(writer, "Sub", name,
                             graft_onnx_take_to(writer, input(writer, 1), 4, GRAFT_ONNX_CHANNELS_FIRST));
    name = graft_onnx_emit_2(writer, "Div", name,
                             graft_onnx_take_to(writer, input(writer, 2), 4, GRAFT_ONNX_CHANNELS_FIRST));
    graft_onnx_note(writer, writer->node->outputs[0], GRAFT_ONNX_CHANNELS_FIRST, name);
}
