/* SPDX-License-Identifier: MIT */
/* What the tests of training on ONNX files share: a device, a folder, whether two models are the same, a new
 * head. */
#ifndef GRAFT_TESTS_ONNX_FIXTURE_H
#define GRAFT_TESTS_ONNX_FIXTURE_H

#include "graft/onnx.h"
#include "graft/train.h"
#include "graft/weights.h"
#include "graph/graph.h"
#include "io/network_source.h"
#include "io/onnx/onnx.h"
#include "support/onnx_writer.h" /* before there is a context */
#include "support/support.h"

#include <math.h>

static struct graft_context *context;
static struct graft_device *device;
static char scratch[] = "/tmp/graft-onnx-fit-XXXXXX";

static inline void ok(enum graft_status status)
{
    if (status != GRAFT_OK)
        fail_msg("%s", graft_context_error(context));
}

static inline int set_up(void **state)
{
    (void)state;
    if (graft_context_open(NULL, &context) || !mkdtemp(scratch))
        return 1;
    return graft_device_open(context, "cpu", &device) != GRAFT_OK;
}

static inline int tear_down(void **state)
{
    (void)state;
    graft_device_close(&device);
    graft_context_close(&context);
    return rmdir(scratch);
}

static inline const char *scratch_path(const char *name)
{
    static char paths[4][512];
    static int next;
    char *const path = paths[next++ & 3];
    (void)snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static inline void write_file(const char *path, const void *data, size_t size)
{
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* ---- two models are the same */

static inline void assert_same_parameters(const struct graft_model *a, const struct graft_model *b)
{
    assert_int_equal(a->parameter_count, b->parameter_count);
    for (int i = 0; i < a->parameter_count; i++) {
        const struct graft_model_parameter *const p = &a->parameters[i], *const q = &b->parameters[i];
        assert_string_equal(p->name, q->name);
        assert_true(graft_shape_equal(&p->shape, &q->shape));
        assert_true(graft_shape_equal(&p->source_shape, &q->source_shape));
        assert_int_equal(p->layout, q->layout);
        assert_int_equal(p->trainable, q->trainable);
        assert_int_equal(p->stage, q->stage);
        assert_int_equal(p->by_columns, q->by_columns);
    }
}

/* Node by node, and every number that is not a parameter's. */
static inline void assert_same_graphs(const struct graft_graph *a, const struct graft_graph *b)
{
    assert_int_equal(a->n_values, b->n_values);
    assert_int_equal(a->n_nodes, b->n_nodes);
    for (int v = 0; v < a->n_values; v++) {
        const struct graft_value *const x = &a->values[v], *const y = &b->values[v];
        assert_int_equal(x->kind, y->kind);
        assert_true(graft_shape_equal(&x->desc.shape, &y->desc.shape));
        assert_int_equal(x->data != NULL, y->data != NULL);
        if (x->data)
            assert_memory_equal(x->data, y->data, (size_t)graft_desc_bytes(&x->desc));
    }
    for (int n = 0; n < a->n_nodes; n++) {
        assert_int_equal(a->nodes[n].call.op, b->nodes[n].call.op);
        assert_memory_equal(a->nodes[n].inputs, b->nodes[n].inputs, sizeof a->nodes[n].inputs);
    }
}

/* ---- models */

static inline struct graft_model *open_model(const struct graft_network *network, enum graft_model_part part,
                                             const char *cut, int64_t classes)
{
    struct graft_model *model = NULL;
    const struct graft_model_options options = {.batch = 2,
                                                .classes = classes,
                                                .part = part,
                                                .cut = cut,
                                                .training = part != GRAFT_MODEL_BEFORE,
                                                .bn = GRAFT_BATCH_NORM_TRAIN};
    ok(graft_model_open_network(context, network, &options, &model));
    return model;
}

/* The new head: weights of so many outputs, at most a bias besides, all trainable. */
static inline void check_head(const struct graft_model *model, int64_t classes)
{
    const struct graft_model_stage *const head = &model->stages[model->stage_count - 1];
    assert_string_equal(head->name, "head");
    assert_in_range(head->parameter_count, 1, 2);
    const struct graft_shape *const weights = &model->parameters[head->first_parameter].shape;
    const float inputs = (float)(graft_shape_count(weights) / classes);
    for (int i = 0; i < head->parameter_count; i++) {
        const struct graft_model_parameter *const p = &model->parameters[head->first_parameter + i];
        const bool matrix = i == 0;
        assert_true(p->trainable && !p->state);
        assert_int_equal(p->layout != GRAFT_LAYOUT_VECTOR, matrix); /* biases have no weight decay */
        if (matrix)
            assert_int_equal(p->shape.dim[p->by_columns ? p->shape.rank - 1 : 0], classes);
        else
            assert_int_equal(graft_shape_count(&p->shape), classes);
        assert_int_equal(p->start, GRAFT_START_UNIFORM);
        assert_true(fabsf(p->scale * p->scale * inputs - 1) < 1e-5f); /* as PyTorch's layers begin */
    }
}

#endif
