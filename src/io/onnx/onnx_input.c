/* SPDX-License-Identifier: MIT */
/* What a file says of its pictures: class names and preprocessing among its metadata, bytes as its input. */
#include "io/onnx/onnx.h"

#include "base/context.h"

#include <string.h>

/* Those of run/card.c that hold for any network. */
static const char *const keys[] = {"graft.classes", "graft.preprocess"};

enum graft_status graft_onnx_read_metadata(struct graft_onnx *onnx, struct graft_protobuf message,
                                           struct graft_tensor_set *set)
{
    struct graft_onnx_text key, value;
    graft_onnx_read_entry(message, &key, &value);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (!graft_onnx_is(key, keys[i]))
            continue;
        char *const copy = graft_allocate(onnx->context, value.length + 1, 1);
        if (!copy)
            return GRAFT_ERROR_MEMORY;
        if (value.length > 0)
            memcpy(copy, value.data, value.length);
        const enum graft_status status = graft_tensor_set_put_text(set, keys[i], copy);
        graft_release(onnx->context, copy);
        return status;
    }
    return GRAFT_OK;
}

/* Integers would overflow where our real numbers do not: they are moved only, until a Cast. */
enum graft_status graft_onnx_check_bytes(struct graft_onnx *onnx)
{
    static const char *const movers[] = {"Transpose", "Reshape", "Squeeze", "Unsqueeze",
                                         "Slice",     "Shape",   "Flatten", "Identity"};
    enum graft_status status = GRAFT_OK;
    if (!onnx->bytes)
        return GRAFT_OK;
    bool *const bytes = graft_allocate(onnx->context, (size_t)onnx->value_count, sizeof *bytes);
    if (!bytes)
        return GRAFT_ERROR_MEMORY;
    bytes[onnx->input] = true;
    for (int n = 0; n < onnx->node_count && status == GRAFT_OK; n++) {
        const struct graft_onnx_node *const node = &onnx->nodes[n];
        bool reads = false, moves = false;
        for (int i = 0; i < node->input_count; i++)
            reads = reads || (node->inputs[i] >= 0 && bytes[node->inputs[i]]);
        for (size_t i = 0; i < sizeof movers / sizeof movers[0]; i++)
            moves = moves || graft_onnx_is(node->op, movers[i]);
        if (!reads || graft_onnx_is(node->op, "Cast"))
            continue;
        if (!moves)
            status =
                graft_onnx_unsupported(onnx, "%.*s computes with bytes; only Cast of them is read",
                                       (int)(node->op.length < 100 ? node->op.length : 100), node->op.data);
        for (int i = 0; i < node->output_count; i++)
            if (node->outputs[i] >= 0)
                bytes[node->outputs[i]] = true;
    }
    graft_release(onnx->context, bytes);
    return status;
}
