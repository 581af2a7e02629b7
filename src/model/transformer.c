/* SPDX-License-Identifier: MIT */
#include "model/transformer.h"

#include "base/size.h"

#include <stdio.h>

/* A layer begins; `text` gets its full name. */
static void begin(struct graft_layers *b, const char *name, char text[GRAFT_MODEL_NAME_SIZE])
{
    graft_layers_name(b, name, text);
    graft_layers_begin(b, text);
}

/* name.suffix, or what there is of it. */
static const char *join(const char *name, const char *suffix, char text[GRAFT_MODEL_NAME_SIZE])
{
    (void)snprintf(text, GRAFT_MODEL_NAME_SIZE, "%s%s%s", name, name[0] && suffix[0] ? "." : "", suffix);
    return text;
}

/* A vector of the layer, all elements `initial`. */
static int vector(struct graft_layers *b, const char *name, const char *suffix, int64_t size, float initial,
                  struct graft_model_parameter **result)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    struct graft_model_parameter *made = NULL;
    const int value = graft_layers_parameter(b, join(name, suffix, text), graft_shape_of(1, size), false, &made);
    if (made) {
        made->start = GRAFT_START_CONSTANT;
        made->scale = initial;
    }
    if (result)
        *result = made;
    return value;
}

int graft_layer_layer_norm(struct graft_layers *b, int x, const char *name, float epsilon)
{
    if (x < 0)
        return -1;
    const int64_t channels = graft_layer_channels(b, x);
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    const int gamma = vector(b, name, "weight", channels, 1.0f, NULL);
    const int beta = vector(b, name, "bias", channels, 0.0f, NULL);
    return graft_layers_end(b, graft_layer_norm(b->graph, x, gamma, beta, 1, epsilon), text, 0, "layer_norm");
}

int graft_layer_linear(struct graft_layers *b, int x, const char *name, int64_t outputs, bool bias)
{
    if (x < 0)
        return -1;
    const struct graft_shape shape = graft_graph_desc(b->graph, x)->shape;
    const int64_t inputs = graft_layer_channels(b, x);
    char text[GRAFT_MODEL_NAME_SIZE], weight[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    struct graft_model_parameter *made = NULL;
    const int w = graft_layers_parameter(b, join(name, "weight", weight), graft_shape_of(2, outputs, inputs), false, &made);
    if (w < 0)
        return -1;
    made->layout = GRAFT_LAYOUT_DENSE;
    graft_layers_start(made, b->dense_init, (double)inputs, (double)outputs);
    const int beta = bias ? vector(b, name, "bias", outputs, 0.0f, NULL) : -1;
    if (bias && beta < 0)
        return -1;
    const int64_t rows = graft_shape_count(&shape) / graft_max_i64(inputs * b->model->batch, 1);
    return graft_layers_end(b, graft_matmul(b->graph, x, w, beta, false, true), text, rows * inputs * outputs,
                            "linear");
}

int graft_layer_scale_reserve(struct graft_layers *b, int x, const char *name, int source_rank, float initial)
{
    if (x < 0)
        return -1;
    struct graft_model_parameter *made = NULL;
    if (vector(b, name, "", graft_layer_channels(b, x), initial, &made) < 0)
        return -1;
    for (; made->source_shape.rank < source_rank; ++made->source_shape.rank)
        made->source_shape.dim[made->source_shape.rank] = 1;
    return b->model->parameter_count - 1;
}

int graft_layer_scale(struct graft_layers *b, int x, const char *name, int reserved)
{
    if (x < 0 || reserved < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    struct graft_model_parameter *const p = &b->model->parameters[reserved];
    p->layer = b->model->layer_count;
    const int y = graft_layers_end(b, graft_mul(b->graph, x, p->value), text, 0, "scale");
    if (y >= 0) {
        struct graft_model_layer *const layer = &b->model->layers[b->model->layer_count - 1];
        layer->parameters = graft_shape_count(&p->shape);
        layer->trainable = b->trainable;
    }
    return y;
}
