/* SPDX-License-Identifier: MIT */
/* Attention, in the ops that every version of ONNX has. */
#include "io/onnx/onnx_write.h"

#include "base/context.h"

#include <math.h>

enum { Q, K, V, BIAS, MASK };

static int permuted(struct graft_onnx_writer *writer, int name, int64_t a, int64_t b, int64_t c, int64_t d)
{
    graft_onnx_put_ints(writer, "perm", (const int64_t[]){a, b, c, d}, 4);
    return graft_onnx_emit_1(writer, "Transpose", name);
}

static int reshaped(struct graft_onnx_writer *writer, int name, const int64_t *shape, int rank)
{
    return graft_onnx_emit_2(writer, "Reshape", name, graft_onnx_integers(writer, shape, rank));
}

/* Adds `parts` tables to scores [n, heads, tq, tk]; image i takes number i mod parts. `table` is [parts,
 * heads or 1, tq, tk]. */
static int add_table(struct graft_onnx_writer *writer, int scores, int table, int64_t parts,
                     const int64_t shape[3])
{
    const int64_t divided[5] = {-1, parts, shape[0], shape[1], shape[2]},
                  whole[4] = {-1, shape[0], shape[1], shape[2]};
    if (parts == 1)
        return graft_onnx_emit_2(writer, "Add", scores, table);
    scores = graft_onnx_emit_2(writer, "Add", reshaped(writer, scores, divided, 5), table);
    return reshaped(writer, scores, whole, 4);
}

/* Takes out what comes later. */
static int add_causal(struct graft_onnx_writer *writer, int scores, int64_t queries, int64_t keys)
{
    const struct graft_shape shape = graft_shape_of(2, queries, keys);
    float *const data = graft_allocate(writer->context, (size_t)(queries * keys), sizeof *data);
    if (!data) {
        writer->status = GRAFT_ERROR_MEMORY;
        return -1;
    }
    for (int64_t i = 0; i < queries; i++)
        for (int64_t j = i + 1; j < keys; j++)
            data[i * keys + j] = -HUGE_VALF;
    scores = graft_onnx_emit_2(writer, "Add", scores, graft_onnx_reals(writer, &shape, data));
    graft_release(writer->context, data);
    return scores;
}

void graft_onnx_write_attention(struct graft_onnx_writer *writer)
{
    const struct graft_node *const node = writer->node;
    const struct graft_attention_attributes *const a = &node->call.attributes.attention;
    const struct graft_shape *const q = graft_onnx_shape(writer, node->inputs[Q]), *const k =
                                                                                       graft_onnx_shape(
                                                                                           writer,
                                                                                           node->inputs[K]);
    const int64_t shape[3] = {q->dim[2], q->dim[1], k->dim[1]}; /* heads, tq, tk */
    const int bias = node->call.n_inputs > BIAS ? node->inputs[BIAS] : -1;
    const int mask = node->call.n_inputs > MASK ? node->inputs[MASK] : -1;
    int names[3];
    for (int i = Q; i <= V; i++)
        names[i] = graft_onnx_take_as(writer, node->inputs[i], GRAFT_ONNX_AS_HERE);
    int y = graft_onnx_emit_2(writer, "MatMul", permuted(writer, names[Q], 0, 2, 1, 3),
                              permuted(writer, names[K], 0, 2, 3, 1));
    y = graft_onnx_emit_2(writer, "Mul", y, graft_onnx_real(writer, a->scale));
    if (bias >= 0)
        y = add_table(writer, y, graft_onnx_take_as(writer, bias, GRAFT_ONNX_AS_HERE),
                      graft_onnx_shape(writer, bias)->dim[0], shape);
    if (mask >= 0) {
        const int64_t parts = graft_onnx_shape(writer, mask)->dim[0],
                      table[4] = {parts, 1, shape[1], shape[2]};
        y = add_table(writer, y,
                      reshaped(writer, graft_onnx_take_as(writer, mask, GRAFT_ONNX_AS_HERE), table, 4), parts,
                      shape);
    }
    if ((bias >= 0 && graft_onnx_varies(writer, bias, 0)) ||
        (mask >= 0 && graft_onnx_varies(writer, mask, 0))) {
        (void)graft_onnx_fail_batch(writer);
        return;
    }
    if (a->causal)
        y = add_causal(writer, y, shape[1], shape[2]);
    graft_onnx_put_int(writer, "axis", -1);
    y = graft_onnx_emit_1(writer, "Softmax", y);
    y = graft_onnx_emit_2(writer, "MatMul", y, permuted(writer, names[V], 0, 2, 1, 3));
    graft_onnx_note(writer, node->outputs[0], GRAFT_ONNX_AS_HERE, permuted(writer, y, 0, 2, 1, 3));
}

/* Rows by a constant index. */
void graft_onnx_write_gather(struct graft_onnx_writer *writer)
{
    const int x = writer->node->inputs[0], index = writer->node->inputs[1];
    const struct graft_value *const constant = &writer->graph->values[index];
    const int64_t count = constant->desc.shape.dim[0], rows = graft_onnx_shape(writer, x)->dim[0];
    int64_t *const list = constant->kind == GRAFT_VALUE_CONSTANT && !graft_onnx_varies(writer, index, 0)
                              ? graft_allocate(writer->context, (size_t)count, sizeof *list)
                              : NULL;
    bool inside = list != NULL;
    for (int64_t i = 0; inside && i < count; i++) {
        list[i] = ((const int32_t *)constant->data)[i];
        inside = list[i] >= 0 && list[i] < rows;
    }
    if (inside) {
        const int name = graft_onnx_take_as(writer, x, GRAFT_ONNX_AS_HERE);
        const int places = graft_onnx_integers(writer, list, (int)count);
        graft_onnx_put_int(writer, "axis", 0);
        graft_onnx_note(writer, writer->node->outputs[0], GRAFT_ONNX_AS_HERE,
                        graft_onnx_emit_2(writer, "Gather", name, places));
    } else {
        (void)graft_onnx_fail(writer,
                              "it gathers rows by an index that is no constant, or outside of what there is");
    }
    graft_release(writer->context, list);
}
