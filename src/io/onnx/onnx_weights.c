/* SPDX-License-Identifier: MIT */
/*
 * Weights that a node makes of tensors of the file alone: another name, another number type, a matrix that is
 * turned, integers that are scaled, a constant that is no initializer. They count as weights of the network,
 * so that they are trained and the head is found; the nodes are taken out.
 */
#include "io/onnx/onnx.h"

#include "base/context.h"
#include "io/tensor_set.h"

#include <string.h>

static const struct graft_onnx_attribute *find_attribute(const struct graft_onnx_node *node, const char *name)
{
    for (int i = 0; i < node->attribute_count; i++) {
        if (graft_onnx_is(node->attributes[i].name, name))
            return &node->attributes[i];
    }
    return NULL;
}

static struct graft_onnx_tensor *constant(const struct graft_onnx *onnx, const struct graft_onnx_node *node,
                                          int input)
{
    return input < node->input_count && node->inputs[input] >= 0 ? onnx->constants[node->inputs[input]]
                                                                 : NULL;
}

/* ---- numbers */

/* A new weight by the name of the node's output, with room for its numbers in the set. */
static enum graft_status add(struct graft_onnx *onnx, struct graft_tensor_set *set,
                             const struct graft_onnx_node *node, const struct graft_shape *shape,
                             float **numbers)
{
    const int value = node->outputs[0];
    const struct graft_desc desc = {GRAFT_DTYPE_F32, *shape};
    struct graft_onnx_tensor *const tensor = graft_onnx_take(onnx, 1, sizeof *tensor);
    char *const name = graft_onnx_take(onnx, GRAFT_MODEL_NAME_SIZE, 1);
    float *const data = graft_allocate_raw(onnx->context, (size_t)graft_shape_count(shape), sizeof *data);
    enum graft_status status = tensor && name && data
                                   ? graft_onnx_name_weight(onnx, onnx->values[value], set, name)
                                   : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = graft_tensor_set_take(set, name, &desc, data, GRAFT_STORED_NONE);
    if (status != GRAFT_OK) {
        graft_release(onnx->context, data);
        return status;
    }
    *tensor =
        (struct graft_onnx_tensor){.kind = GRAFT_ONNX_REAL, .shape = *shape, .name = name, .reals = data};
    onnx->constants[value] = tensor;
    *numbers = data;
    return GRAFT_OK;
}

static enum graft_status turn(struct graft_onnx *onnx, struct graft_tensor_set *set,
                              const struct graft_onnx_node *node)
{
    const struct graft_onnx_tensor *const w = constant(onnx, node, 0);
    const int64_t rows = w->shape.dim[0], columns = w->shape.dim[1];
    const struct graft_shape shape = graft_shape_of(2, columns, rows);
    float *numbers = NULL;
    const enum graft_status status = add(onnx, set, node, &shape, &numbers);
    for (int64_t i = 0; status == GRAFT_OK && i < rows * columns; i++)
        numbers[i % columns * rows + i / columns] = w->reals[i];
    return status;
}

/* (x − zero point) · scale, one of each or as many as dimension `axis` counts. */
static enum graft_status scale(struct graft_onnx *onnx, struct graft_tensor_set *set,
                               const struct graft_onnx_node *node, int axis)
{
    const struct graft_onnx_tensor *const x = constant(onnx, node, 0),
                                          *const factor = constant(onnx, node, 1),
                                          *const zero = constant(onnx, node, 2);
    const struct graft_shape shape = x->shape;
    int64_t inner = 1;
    float *numbers = NULL;
    for (int i = axis + 1; i < shape.rank; i++)
        inner *= shape.dim[i];
    const enum graft_status status = add(onnx, set, node, &shape, &numbers);
    for (int64_t i = 0; status == GRAFT_OK && i < graft_shape_count(&shape); i++) {
        const int64_t place = factor->shape.rank == 0 ? 0 : i / inner % shape.dim[axis];
        const double from = zero ? graft_onnx_number(zero, place) : 0;
        numbers[i] = (float)((graft_onnx_number(x, i) - from) * graft_onnx_number(factor, place));
    }
    return status;
}

static enum graft_status copy(struct graft_onnx *onnx, struct graft_tensor_set *set,
                              const struct graft_onnx_node *node, const struct graft_onnx_tensor *tensor)
{
    float *numbers = NULL;
    const enum graft_status status = add(onnx, set, node, &tensor->shape, &numbers);
    if (status == GRAFT_OK)
        memcpy(numbers, tensor->reals, (size_t)graft_shape_count(&tensor->shape) * sizeof *numbers);
    return status;
}

/* ---- which nodes */

/* The same numbers under another name. */
static bool is_alias(const struct graft_onnx *onnx, const struct graft_onnx_node *node)
{
    const struct graft_onnx_tensor *const w = constant(onnx, node, 0);
    const struct graft_onnx_attribute *const to = find_attribute(node, "to");
    const bool real = to && (to->i == 1 || to->i == 10 || to->i == 11 || to->i == 16);
    return w && w->name && (graft_onnx_is(node->op, "Identity") || (graft_onnx_is(node->op, "Cast") && real));
}

static bool is_turned(const struct graft_onnx *onnx, const struct graft_onnx_node *node, const int *uses)
{
    const struct graft_onnx_tensor *const w = constant(onnx, node, 0);
    const struct graft_onnx_attribute *const order = find_attribute(node, "perm");
    const bool swaps = !order || (order->count == 2 && order->list[0] == 1 && order->list[1] == 0);
    return graft_onnx_is(node->op, "Transpose") && w && w->name && w->reals && w->shape.rank == 2 && swaps &&
           uses[node->inputs[0]] == 1;
}

static bool fits(const struct graft_onnx_tensor *one, const struct graft_onnx_tensor *x, int axis)
{
    return one->shape.rank == 0 || (one->shape.rank == 1 && axis >= 0 && axis < x->shape.rank &&
                                    one->shape.dim[0] == x->shape.dim[axis]);
}

static bool is_scaled(const struct graft_onnx *onnx, const struct graft_onnx_node *node, int *axis)
{
    const struct graft_onnx_tensor *const x = constant(onnx, node, 0),
                                          *const factor = constant(onnx, node, 1),
                                          *const zero = constant(onnx, node, 2);
    const struct graft_onnx_attribute *const along = find_attribute(node, "axis"), *const block =
                                                                                       find_attribute(
                                                                                           node,
                                                                                           "block_size");
    if (!graft_onnx_is(node->op, "DequantizeLinear") || !x || x->kind != GRAFT_ONNX_INTEGER || !factor ||
        factor->kind != GRAFT_ONNX_REAL || !(factor->reals || factor->numbers) || (block && block->i != 0) ||
        graft_shape_count(&x->shape) < 2 || (node->input_count > 2 && node->inputs[2] >= 0 && !zero))
        return false;
    const int64_t asked = along ? along->i : 1;
    *axis = (int)(asked < 0 ? asked + x->shape.rank : asked);
    return asked >= -GRAFT_MAX_RANK && asked < GRAFT_MAX_RANK && fits(factor, x, *axis) &&
           (!zero || (zero->shape.rank == factor->shape.rank && fits(zero, x, *axis)));
}

/* A constant's own tensor, if it is one of several real numbers. */
static const struct graft_onnx_tensor *own_tensor(const struct graft_onnx_node *node)
{
    const struct graft_onnx_attribute *const value =
        graft_onnx_is(node->op, "Constant") ? find_attribute(node, "value") : NULL;
    const struct graft_onnx_tensor *const tensor = value ? value->t : NULL;
    return tensor && tensor->kind == GRAFT_ONNX_REAL && tensor->reals && graft_shape_count(&tensor->shape) > 1
               ? tensor
               : NULL;
}

static enum graft_status derive(struct graft_onnx *onnx, struct graft_tensor_set *set,
                                const struct graft_onnx_node *node, const int *uses, bool *taken)
{
    const struct graft_onnx_tensor *const own = own_tensor(node);
    int axis = 0;
    *taken = node->output_count == 1 && node->outputs[0] >= 0;
    if (!*taken)
        return GRAFT_OK;
    if (is_alias(onnx, node)) {
        onnx->constants[node->outputs[0]] = constant(onnx, node, 0);
        onnx->aliases[node->outputs[0]] = onnx->aliased[node->inputs[0]] = true;
        return GRAFT_OK;
    }
    if (is_turned(onnx, node, uses))
        return turn(onnx, set, node);
    if (is_scaled(onnx, node, &axis))
        return scale(onnx, set, node, axis);
    *taken = own != NULL;
    return own ? copy(onnx, set, node, own) : GRAFT_OK;
}

static enum graft_status refuse_integers(const struct graft_onnx *onnx)
{
    for (int n = 0; n < onnx->node_count; n++)
        if (graft_onnx_is_quantized(onnx->nodes[n].op))
            return graft_onnx_quantized(onnx, onnx->nodes[n].op);
    return GRAFT_OK;
}

enum graft_status graft_onnx_derive_weights(struct graft_onnx *onnx, struct graft_tensor_set *set)
{
    const size_t values = (size_t)onnx->value_count;
    int *const uses = graft_allocate(onnx->context, values, sizeof *uses);
    onnx->aliases = graft_onnx_take(onnx, values, sizeof *onnx->aliases);
    onnx->aliased = graft_onnx_take(onnx, values, sizeof *onnx->aliased);
    enum graft_status status = uses && onnx->aliases && onnx->aliased ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    for (int n = 0; status == GRAFT_OK && n < onnx->node_count; n++)
        for (int i = 0; i < onnx->nodes[n].input_count; i++)
            if (onnx->nodes[n].inputs[i] >= 0)
                uses[onnx->nodes[n].inputs[i]]++;
    int left = 0;
    for (int n = 0; status == GRAFT_OK && n < onnx->node_count; n++) {
        bool taken = false;
        status = derive(onnx, set, &onnx->nodes[n], uses, &taken);
        if (!taken)
            onnx->nodes[left++] = onnx->nodes[n];
    }
    if (status == GRAFT_OK) {
        onnx->node_count = left;
        status = refuse_integers(onnx);
    }
    graft_release(onnx->context, uses);
    return status;
}
