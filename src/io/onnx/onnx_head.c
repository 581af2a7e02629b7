/* SPDX-License-Identifier: MIT */
/*
 * The head: going back from the output, the first layer with weights, past what only shapes or normalizes its
 * result. A softmax at the end is left out: what a network gives here are logits.
 */
#include "io/onnx/onnx.h"

#include "base/context.h"

static const struct graft_onnx_node *maker(const struct graft_onnx *onnx, int value, int *node)
{
    for (int n = 0; n < onnx->node_count; n++) {
        for (int i = 0; i < onnx->nodes[n].output_count; i++) {
            if (onnx->nodes[n].outputs[i] == value) {
                *node = n;
                return &onnx->nodes[n];
            }
        }
    }
    return NULL;
}

static bool is_one_of(struct graft_onnx_text op, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (graft_onnx_is(op, names[i]))
            return true;
    }
    return false;
}

/* The input that is no weight; -1 if there is none. */
static int data_input(const struct graft_onnx *onnx, const struct graft_onnx_node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        if (node->inputs[i] >= 0 && !onnx->constants[node->inputs[i]])
            return node->inputs[i];
    }
    return -1;
}

static const struct graft_onnx_attribute *find_attribute(const struct graft_onnx_node *node, const char *name)
{
    for (int i = 0; i < node->attribute_count; i++) {
        if (graft_onnx_is(node->attributes[i].name, name))
            return &node->attributes[i];
    }
    return NULL;
}

/* Notes the layer's weights and how many outputs they give; why it is none that another can take the place
 * of. */
static void note_head(struct graft_onnx *onnx, const struct graft_onnx_node *node)
{
    const struct graft_onnx_tensor *const w =
        node->input_count > 1 && node->inputs[1] >= 0 ? onnx->constants[node->inputs[1]] : NULL;
    if (!w || w->kind != GRAFT_ONNX_REAL || w->shape.rank < 2)
        return;
    const bool conv = graft_onnx_is(node->op, "Conv");
    const struct graft_onnx_attribute *const transposed = find_attribute(node, "transB");
    const struct graft_onnx_attribute *const groups = find_attribute(node, "group");
    const bool by_rows = graft_onnx_is(node->op, "Gemm") && transposed && transposed->i != 0;
    onnx->head_weight = node->inputs[1];
    onnx->head_outputs = conv || by_rows ? 0 : w->shape.rank - 1;
    onnx->classes = w->shape.dim[onnx->head_outputs];
    if (conv &&
        (w->shape.rank != 4 || w->shape.dim[2] != 1 || w->shape.dim[3] != 1 || (groups && groups->i != 1)))
        onnx->head_fault = "it is a convolution, but none of 1×1";
}

/* A sum with a constant leaves the classes what they are; one with another value does not. */
static bool adds_values(const struct graft_onnx *onnx, const struct graft_onnx_node *node)
{
    int count = 0;
    for (int i = 0; i < node->input_count; i++)
        count += node->inputs[i] >= 0 && !onnx->constants[node->inputs[i]];
    return graft_onnx_is(node->op, "Add") && count > 1;
}

enum graft_status graft_onnx_find_head(struct graft_onnx *onnx)
{
    static const char *const endings[] = {"Softmax", "LogSoftmax", "Identity", "Sigmoid"};
    static const char *const passed[] = {
        "Flatten", "Reshape",   "Squeeze",  "GlobalAveragePool", "ReduceMean", "AveragePool", "Relu",
        "Add",     "Transpose", "Identity", "Dropout",           "Unsqueeze",  "Cast"};
    static const char *const layers[] = {"Gemm", "MatMul", "Conv"};
    const char *fault = NULL;
    int n = -1;
    const struct graft_onnx_node *node = maker(onnx, onnx->output, &n);
    while (node && is_one_of(node->op, endings, sizeof endings / sizeof endings[0])) {
        onnx->output = node->inputs[0];
        node = maker(onnx, onnx->output, &n);
    }
    for (int steps = 0; node && steps < 16; steps++) {
        if (is_one_of(node->op, layers, sizeof layers / sizeof layers[0])) {
            onnx->head = n;
            onnx->head_fault = fault;
            note_head(onnx, node);
            break;
        }
        if (!is_one_of(node->op, passed, sizeof passed / sizeof passed[0]))
            break;
        if (adds_values(onnx, node))
            fault = "its result is added to that of another layer";
        node = maker(onnx, data_input(onnx, node), &n);
    }
    return onnx->classes >= 1 && onnx->classes <= 1000000
               ? GRAFT_OK
               : graft_onnx_unsupported(
                     onnx, "no last dense layer or convolution with weights makes its output%s%.*s",
                     node ? "; there is a " : "", node ? (int)node->op.length : 0, node ? node->op.data : "");
}
