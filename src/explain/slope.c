/* SPDX-License-Identifier: MIT */
#include "explain/slope.h"

#include "backend/backend.h"
#include "base/context.h"
#include "explain/explain.h"
#include "explain/pick.h"
#include "graph/graph.h"
#include "infer/classifier.h"

#include <math.h>

#define LEAK 0.05f

int graft_slope_score(struct graft_graph *graph, int of, int *chosen)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, of);
    if (!desc)
        return -1; /* the graph's status says why */
    const struct graft_shape shape = desc->shape;
    const struct graft_reduce_attributes sum = {.kind = GRAFT_REDUCE_SUM, .axes = (1u << shape.rank) - 1};
    graft_graph_layer(graph, "explain");
    *chosen = graft_graph_input(graph, "chosen", GRAFT_DTYPE_F32, &shape);
    return graft_reduce(graph, graft_mul(graph, of, *chosen), &sum);
}

enum graft_status graft_slope_add(struct graft_graph *graph, int of, int target, const char *target_name,
                                  int *chosen, int *gradient)
{
    const int score = graft_slope_score(graph, of, chosen);
    enum graft_status status = graft_graph_status(graph);
    if (status == GRAFT_OK)
        status = graft_graph_gradient(graph, score, &target, 1, gradient);
    if (status == GRAFT_OK && *gradient < 0)
        return graft_fail(graft_graph_context(graph), GRAFT_ERROR_ARGUMENT,
                          "what is asked for does not depend on \"%s\" in a way that can be followed back: name "
                          "another layer, or explain by occlusion",
                          target_name);
    if (status == GRAFT_OK) {
        graft_graph_output(graph, *gradient);
        status = graft_graph_status(graph);
    }
    return status;
}

/* ---- goals */

static const struct graft_node *maker_of(const struct graft_graph *graph, int value, enum graft_op op)
{
    const int producer = value >= 0 ? graph->values[value].producer : -1;
    return producer >= 0 && graph->nodes[producer].call.op == op ? &graph->nodes[producer] : NULL;
}

/* The value before a relu; else -1. */
static int before_relu(const struct graft_graph *graph, int value)
{
    const struct graft_node *const node = maker_of(graph, value, GRAFT_OP_UNARY);
    return node && node->call.attributes.unary.kind == GRAFT_UNARY_RELU ? node->inputs[0] : -1;
}

/* The map of which the logits are means over places, before its relu; else the logits themselves. */
static int classes_of(const struct graft_graph *graph, int logits)
{
    int value = logits;
    for (const struct graft_node *node = maker_of(graph, value, GRAFT_OP_RESHAPE); node;
         node = maker_of(graph, value, GRAFT_OP_RESHAPE))
        value = node->inputs[0];
    const struct graft_node *const mean = maker_of(graph, value, GRAFT_OP_REDUCE);
    if (mean && mean->call.attributes.reduce.kind == GRAFT_REDUCE_MEAN)
        value = mean->inputs[0];
    const int before = before_relu(graph, value);
    const struct graft_desc *const map = graft_graph_desc(graph, before);
    const int64_t classes = graft_graph_desc(graph, logits)->shape.dim[1];
    return map && map->shape.rank == 4 && map->shape.dim[3] == classes ? before : logits;
}

/* A small part of it. */
static int leak_of(struct graft_graph *graph, int value)
{
    const struct graft_shape one = graft_shape_of(1, (int64_t)1);
    return graft_mul(graph, value, graft_fill(graph, &one, LEAK));
}

/* Of a layer, a channel for each picture. */
static enum graft_status choose_channels(struct graft_slope *slope, const struct graft_slope_options *options)
{
    const struct graft_model *const model = slope->model;
    struct graft_explain_grid grid;
    int value = -1;
    const enum graft_status status =
        graft_classifier_find_output(slope->context, model, options->layer, &value);
    if (status != GRAFT_OK)
        return status;
    if (!graft_explain_grid_of(&graft_graph_desc(model->graph, value)->shape, &grid))
        return graft_fail(slope->context, GRAFT_ERROR_ARGUMENT,
                          "\"%s\" of %s gives no map over the picture: name a layer before it", options->layer,
                          model->info->name);
    slope->channels = grid.channels;
    for (int64_t r = 0; r < slope->batch; r++)
        if (options->channels[r] < 0 || options->channels[r] >= slope->channels)
            return graft_fail(slope->context, GRAFT_ERROR_ARGUMENT, "channel %d; there are %lld, from 0",
                              options->channels[r], (long long)slope->channels);
    graft_graph_not_output(model->graph, model->logits); /* what comes behind the layer is not computed */
    slope->goal = graft_pick_means(model->graph, value, options->channels, slope->batch);
    return graft_graph_status(model->graph);
}

static enum graft_status choose_goal(struct graft_slope *slope, const struct graft_slope_options *options)
{
    const struct graft_model *const model = slope->model;
    int value = model->logits;
    if (options->goal == GRAFT_SLOPE_CHANNELS) {
        const enum graft_status status = choose_channels(slope, options);
        if (status != GRAFT_OK)
            return status;
    } else {
        if (options->goal == GRAFT_SLOPE_LOG_SOFTMAX)
            value = graft_log_softmax(model->graph, value);
        else if (options->goal != GRAFT_SLOPE_LOGITS)
            value = classes_of(model->graph, model->logits);
        slope->goal = graft_mean_of_places(model->graph, value);
    }
    if (options->goal == GRAFT_SLOPE_LEAKY && value != model->logits)
        slope->goal = graft_add(model->graph, model->logits, leak_of(model->graph, slope->goal));
    graft_graph_output(model->graph, slope->goal);
    return graft_graph_status(model->graph);
}

/* ---- opening */

static enum graft_status allocate(struct graft_slope *slope, bool says)
{
    const size_t pictures = (size_t)(slope->batch * slope->numbers), goals = (size_t)(slope->batch * slope->goals);
    slope->input = graft_allocate(slope->context, pictures, sizeof(float));
    slope->gradients = graft_allocate(slope->context, pictures, sizeof(float));
    slope->weights = graft_allocate(slope->context, goals, sizeof(float));
    slope->scores = graft_allocate(slope->context, goals, sizeof(float));
    if (says)
        slope->logits = graft_allocate(slope->context, goals, sizeof(float));
    return slope->input && slope->gradients && slope->weights && slope->scores && (slope->logits || !says)
               ? GRAFT_OK
               : GRAFT_ERROR_MEMORY;
}

struct graft_slope_network graft_slope_of_classifier(struct graft_classifier *classifier)
{
    return (struct graft_slope_network){.device = classifier->device,
                                        .network = classifier->source.network,
                                        .variables = classifier->variables,
                                        .classes = classifier->card.class_count};
}

enum graft_status graft_slope_open(const struct graft_slope_network *network,
                                   const struct graft_slope_options *options, struct graft_slope **slope)
{
    struct graft_context *const context = network->device->context;
    struct graft_slope *made = graft_allocate(context, 1, sizeof *made);
    const struct graft_model_options model = {.batch = options->batch,
                                              .height = options->height,
                                              .width = options->width,
                                              .classes = network->classes};
    *slope = NULL;
    if (!made)
        return GRAFT_ERROR_MEMORY;
    made->context = context;
    made->batch = options->batch;
    enum graft_status status = graft_model_open_network(context, network->network, &model, &made->model);
    if (status == GRAFT_OK)
        status = choose_goal(made, options);
    if (status == GRAFT_OK) {
        made->numbers = graft_shape_count(&graft_graph_desc(made->model->graph, made->model->input)->shape) /
                        made->batch;
        made->goals = graft_graph_desc(made->model->graph, made->goal)->shape.dim[1];
        status = graft_slope_add(made->model->graph, made->goal, made->model->input, "input", &made->chosen,
                                 &made->gradient);
    }
    if (status == GRAFT_OK)
        status = graft_plan_open(made->model->graph, network->device, network->variables, &options->plan,
                                 &made->plan);
    if (status == GRAFT_OK)
        status = allocate(made, options->goal != GRAFT_SLOPE_CHANNELS);
    if (status != GRAFT_OK)
        graft_slope_close(&made);
    *slope = made;
    return status;
}

void graft_slope_close(struct graft_slope **slope)
{
    struct graft_slope *const old = *slope;
    if (!old)
        return;
    graft_plan_close(&old->plan);
    graft_model_close(&old->model);
    graft_release(old->context, old->input);
    graft_release(old->context, old->gradients);
    graft_release(old->context, old->weights);
    graft_release(old->context, old->scores);
    graft_release(old->context, old->logits);
    graft_release(old->context, old);
    *slope = NULL;
}

/* ---- running */

enum graft_status graft_slope_run(struct graft_slope *slope)
{
    const uint64_t pictures = (uint64_t)(slope->batch * slope->numbers) * sizeof(float);
    const uint64_t goals = (uint64_t)(slope->batch * slope->goals) * sizeof(float);
    enum graft_status status = graft_plan_write(slope->plan, slope->model->input, slope->input, pictures);
    if (status == GRAFT_OK)
        status = graft_plan_write(slope->plan, slope->chosen, slope->weights, goals);
    if (status == GRAFT_OK)
        status = graft_plan_run(slope->plan, GRAFT_SEGMENT_COMPUTE);
    if (status == GRAFT_OK)
        status = graft_plan_read(slope->plan, slope->goal, slope->scores, goals);
    if (status == GRAFT_OK)
        status = slope->logits ? graft_plan_read(slope->plan, slope->model->logits, slope->logits, goals) : GRAFT_OK;
    if (status == GRAFT_OK)
        status = graft_plan_read(slope->plan, slope->gradient, slope->gradients, pictures);
    return status;
}

void graft_slope_normalize(const struct graft_preprocess *preprocess, const uint8_t *pixels, int64_t count,
                           double share, float *input)
{
    for (int64_t i = 0; i < count; i++) {
        const int64_t c = i % preprocess->channels;
        input[i] = (float)((share * pixels[i] / 255 - (double)preprocess->mean[c]) / (double)preprocess->std[c]);
    }
}

/* ---- how much of a picture a place sees */

/* Rows of a kernel and its stride: of convolutions and pools. */
static void window_of(const struct graft_node *node, int64_t *rows, int64_t *stride)
{
    const union graft_attributes *const a = &node->call.attributes;
    *rows = *stride = 1;
    if (node->call.op == GRAFT_OP_CONV2D) {
        const struct graft_call *const call = &node->call;
        *rows = (call->in[1].shape.dim[1] - 1) * a->conv2d.dilation[0] + 1;
        *stride = a->conv2d.stride[0];
    } else if (node->call.op == GRAFT_OP_MAX_POOL || node->call.op == GRAFT_OP_AVG_POOL) {
        *rows = a->pool.kernel[0];
        *stride = a->pool.stride[0];
    }
}

int64_t graft_slope_reach(const struct graft_graph *graph, int value)
{
    struct reach {
        int64_t rows, step; /* pixels that a place sees; pixels between two places */
    } *const of = graft_allocate(graph->context, (size_t)graph->n_values, sizeof *of);
    if (!of)
        return -1;
    for (int v = 0; v < graph->n_values; v++)
        of[v] = (struct reach){1, 1};
    for (int n = 0; n < graph->n_nodes; n++) { /* nodes stand in order of computation */
        const struct graft_node *const node = &graph->nodes[n];
        struct reach most = {1, 1};
        for (int i = 0; i < node->call.n_inputs; i++) {
            const struct reach *const in = node->inputs[i] >= 0 ? &of[node->inputs[i]] : &most;
            most.rows = in->rows > most.rows ? in->rows : most.rows;
            most.step = in->step > most.step ? in->step : most.step;
        }
        int64_t rows, stride;
        window_of(node, &rows, &stride);
        for (int o = 0; o < GRAFT_MAX_OUTPUTS; o++)
            if (node->outputs[o] >= 0)
                of[node->outputs[o]] = (struct reach){most.rows + (rows - 1) * most.step, most.step * stride};
    }
    const int64_t rows = of[value].rows;
    graft_release(graph->context, of);
    return rows;
}
