/* SPDX-License-Identifier: MIT */
/* Values of the graph that is built, and the order of their dimensions: pictures stay [n, h, w, c] for as
 * long as nothing asks for ONNX's [n, c, h, w]. */
#include "io/onnx/onnx.h"

#include "base/context.h"
#include "base/size.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const int graft_onnx_nhwc_order[4] = {0, 3, 1, 2};

bool graft_onnx_is_ordered(const struct graft_onnx_value *value)
{
    for (int i = 0; i < value->shape.rank; i++) {
        if (value->order[i] != i)
            return false;
    }
    return true;
}

/* ---- weights and numbers */

/* Once for a weight: the model's parameter of that name, if it is there. */
static int find_parameter(const struct graft_onnx_import *import, const char *name)
{
    const struct graft_model *const model = import->b->model;
    for (int i = 0; i < model->parameter_count; i++) {
        if (strcmp(model->parameters[i].name, name) == 0)
            return model->parameters[i].value;
    }
    return -1;
}

bool graft_onnx_is_head(const struct graft_onnx_import *import, const struct graft_onnx_tensor *tensor)
{
    return import->onnx->head_weight >= 0 && tensor == import->onnx->constants[import->onnx->head_weight];
}

void graft_onnx_start_head(const struct graft_onnx_import *import, struct graft_model_parameter *parameter)
{
    parameter->start = GRAFT_START_UNIFORM;
    parameter->scale = (float)(1.0 / sqrt((double)graft_max_i64(import->head_inputs, 1)));
}

/* Where another number of classes is asked for, the head's weights and what is added to its result have as
 * many. */
static struct graft_shape with_classes(const struct graft_onnx_import *import,
                                       const struct graft_onnx_tensor *tensor)
{
    const int64_t published = import->onnx->classes, wanted = import->b->model->classes;
    struct graft_shape shape = tensor->shape;
    if (graft_onnx_is_head(import, tensor)) {
        shape.dim[import->onnx->head_outputs] = wanted;
        return shape;
    }
    for (int i = 0; import->head && i < shape.rank; i++) {
        if (shape.dim[i] == published) {
            shape.dim[i] = wanted;
            break;
        }
    }
    return shape;
}

int graft_onnx_parameter(struct graft_onnx_import *import, const struct graft_onnx_tensor *tensor, bool state)
{
    struct graft_graph *const graph = import->b->graph;
    if (tensor->name) {
        const int known = find_parameter(import, tensor->name);
        struct graft_model_parameter *made = NULL;
        if (known >= 0)
            return known;
        const struct graft_shape shape = with_classes(import, tensor);
        const int id = graft_layers_parameter(import->b, tensor->name, shape, state, &made);
        if (id >= 0 && import->head)
            graft_onnx_start_head(import, made);
        return id;
    }
    const size_t count = (size_t)graft_shape_count(&tensor->shape);
    double *const numbers = graft_onnx_import_take(import, count, sizeof *numbers);
    if (!numbers)
        return -1;
    for (size_t i = 0; i < count; i++)
        numbers[i] = graft_onnx_number(tensor, (int64_t)i);
    return graft_graph_constant(graph, "number", &tensor->shape, numbers);
}

int graft_onnx_matrix(struct graft_onnx_import *import, const struct graft_onnx_tensor *tensor, bool by_rows)
{
    struct graft_model *const model = import->b->model;
    const int before = model->parameter_count;
    if (graft_onnx_is_head(import, tensor))
        import->head_inputs = tensor->shape.dim[by_rows ? 1 : tensor->shape.rank - 2];
    const int id = graft_onnx_parameter(import, tensor, false);
    if (model->parameter_count == before || tensor->shape.rank < 2)
        return id;
    struct graft_model_parameter *const made = &model->parameters[before];
    made->layout = GRAFT_LAYOUT_DENSE;
    made->by_columns = !by_rows;
    return id;
}

/* A table (positions, masks) is not trained; a number for each channel is, however its shape is padded. */
static bool is_table(const struct graft_shape *shape)
{
    int wide = 0;
    for (int i = 0; i < shape->rank; i++)
        wide += shape->dim[i] > 1;
    return wide > 1;
}

/* ---- forms */

int graft_onnx_scalar(const struct graft_onnx_import *import, double number)
{
    const struct graft_shape one = graft_shape_of(0);
    return graft_graph_constant(import->b->graph, "number", &one, &number);
}

static int times(struct graft_onnx_import *import, int id, double factor)
{
    return factor == 1 ? id : graft_mul(import->b->graph, id, graft_onnx_scalar(import, factor));
}

int graft_onnx_plain(struct graft_onnx_import *import, const struct graft_onnx_value *value)
{
    if (value->host)
        return graft_onnx_parameter(import, value->host, is_table(&value->host->shape));
    if (value->form != GRAFT_ONNX_PLAIN) {
        (void)graft_onnx_refuse(import, "erf is only read within gelu: x · (1 + erf(x / √2)) / 2");
        return -1;
    }
    return times(import, value->id, value->scale == 0 ? 1 : (double)value->scale);
}

/* ---- order */

/* Dimension i of the result is dimension order[i] of the value of the graph. Where only dimensions of 1 move,
 * it is a reshape. */
static int reorder(struct graft_onnx_import *import, int id, const int *order, int rank)
{
    struct graft_graph *const graph = import->b->graph;
    const struct graft_desc *const desc = graft_graph_desc(graph, id);
    struct graft_transpose_attributes attributes = {{0}};
    struct graft_shape shape = {.rank = rank};
    bool same = true, moves = false;
    int latest = -1;
    if (!desc)
        return -1;
    for (int i = 0; i < rank; i++) {
        attributes.order[i] = order[i];
        shape.dim[i] = desc->shape.dim[order[i]];
        same = same && order[i] == i;
        if (shape.dim[i] != 1) {
            moves = moves || order[i] < latest;
            latest = order[i];
        }
    }
    if (same)
        return id;
    return moves ? graft_transpose(graph, id, &attributes) : graft_reshape(graph, id, &shape);
}

int graft_onnx_ordered(struct graft_onnx_import *import, const struct graft_onnx_value *value)
{
    const int id = graft_onnx_plain(import, value);
    return id < 0 ? -1 : reorder(import, id, value->order, value->shape.rank);
}

int graft_onnx_as(struct graft_onnx_import *import, const struct graft_onnx_value *value, int rank,
                  const int *order)
{
    struct graft_graph *const graph = import->b->graph;
    const int old_rank = value->shape.rank;
    int id = graft_onnx_plain(import, value), inverse[GRAFT_MAX_RANK];
    if (id < 0)
        return -1;
    if (old_rank == rank && memcmp(value->order, order, (size_t)rank * sizeof *order) == 0)
        return id;
    id = reorder(import, id, value->order, old_rank); /* ONNX's order */
    if (id >= 0 && old_rank < rank) {
        struct graft_shape shape = {.rank = rank};
        for (int i = 0; i < rank; i++)
            shape.dim[i] =
                i < rank - old_rank ? 1 : graft_graph_desc(graph, id)->shape.dim[i - (rank - old_rank)];
        id = graft_reshape(graph, id, &shape);
    }
    for (int i = 0; i < rank; i++)
        inverse[order[i]] = i;
    return id < 0 ? -1 : reorder(import, id, inverse, rank);
}

int graft_onnx_nhwc(struct graft_onnx_import *import, const struct graft_onnx_value *value)
{
    if (value->shape.rank != 4) {
        (void)graft_onnx_refuse(import, "its input has %d dimensions, not 4", value->shape.rank);
        return -1;
    }
    return graft_onnx_as(import, value, 4, graft_onnx_nhwc_order);
}

/* ---- results */

const struct graft_onnx_value *graft_onnx_input(const struct graft_onnx_import *import, int index)
{
    return index < import->node->input_count && import->node->inputs[index] >= 0
               ? &import->values[import->node->inputs[index]]
               : NULL;
}

struct graft_onnx_value *graft_onnx_output(const struct graft_onnx_import *import, int index)
{
    return index < import->node->output_count && import->node->outputs[index] >= 0
               ? &import->values[import->node->outputs[index]]
               : NULL;
}

void graft_onnx_give(struct graft_onnx_import *import, const struct graft_onnx_value *value)
{
    struct graft_onnx_value *const output = graft_onnx_output(import, 0);
    if (output)
        *output = *value;
}

void graft_onnx_set_host(struct graft_onnx_import *import, int output, const struct graft_onnx_tensor *tensor)
{
    struct graft_onnx_value *const value = graft_onnx_output(import, output);
    if (!value)
        return;
    *value = (struct graft_onnx_value){.host = tensor, .id = -1, .shape = tensor->shape};
    for (int i = 0; i < tensor->shape.rank; i++)
        value->order[i] = i;
}

bool graft_onnx_set(struct graft_onnx_import *import, int output, int id, const int *order)
{
    const struct graft_desc *const desc = graft_graph_desc(import->b->graph, id);
    if (!desc)
        return false;
    struct graft_onnx_value *const value = graft_onnx_output(import, output);
    if (!value)
        return true;
    *value = (struct graft_onnx_value){.id = id, .shape.rank = desc->shape.rank};
    for (int i = 0; i < desc->shape.rank; i++) {
        value->order[i] = order ? order[i] : i;
        value->shape.dim[i] = desc->shape.dim[value->order[i]];
    }
    return true;
}

/* ---- attributes */

const struct graft_onnx_attribute *graft_onnx_attribute(const struct graft_onnx_import *import,
                                                        const char *name)
{
    for (int i = 0; i < import->node->attribute_count; i++) {
        if (graft_onnx_is(import->node->attributes[i].name, name))
            return &import->node->attributes[i];
    }
    return NULL;
}

int64_t graft_onnx_int(const struct graft_onnx_import *import, const char *name, int64_t otherwise)
{
    const struct graft_onnx_attribute *const attribute = graft_onnx_attribute(import, name);
    return attribute && attribute->type == 2 ? attribute->i : otherwise;
}

float graft_onnx_float(const struct graft_onnx_import *import, const char *name, float otherwise)
{
    const struct graft_onnx_attribute *const attribute = graft_onnx_attribute(import, name);
    return attribute && attribute->type == 1 ? attribute->f : otherwise;
}

int64_t graft_onnx_integer(double number)
{
    return number >= 0x1p63 ? INT64_MAX : number > -0x1p63 ? (int64_t)number : INT64_MIN;
}

int graft_onnx_list(const struct graft_onnx_import *import, const char *name, int64_t *list, int most)
{
    const struct graft_onnx_attribute *const attribute = graft_onnx_attribute(import, name);
    const int count = attribute && attribute->type == 7 ? attribute->count : 0;
    for (int i = 0; i < count && i < most; i++)
        list[i] = graft_onnx_integer(attribute->list[i]);
    return count;
}

int graft_onnx_list_or_input(struct graft_onnx_import *import, const char *name, int input, int64_t *list,
                             int most, bool *present)
{
    const struct graft_onnx_value *const value = graft_onnx_input(import, input);
    *present = value != NULL || graft_onnx_attribute(import, name) != NULL;
    if (!value) {
        const int count = graft_onnx_list(import, name, list, most);
        if (count <= most && (count > 0 || !*present || graft_onnx_attribute(import, name)->type == 7))
            return count;
        (void)graft_onnx_refuse(import, "attribute %s is no list of at most %d numbers", name, most);
        return -1;
    }
    const int64_t count = value->host ? graft_shape_count(&value->host->shape) : -1;
    if (count < 0 || count > most) {
        (void)graft_onnx_refuse(import, count < 0 ? "%s depends on the picture" : "%s is too long", name);
        return -1;
    }
    if (value->host->name && !value->host->reals) {
        (void)graft_onnx_refuse(import, "%s is a weight", name);
        return -1;
    }
    for (int64_t i = 0; i < count; i++)
        list[i] = graft_onnx_integer(graft_onnx_number(value->host, i));
    return (int)count;
}
