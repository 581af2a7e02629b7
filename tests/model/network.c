/* SPDX-License-Identifier: MIT */
#include "model/network.h"

#include "graft/weights.h"
#include "model/formula.h"

#include <stdio.h>
#include <stdlib.h>

static bool fine(const struct test_network *network, enum graft_status status)
{
    if (status)
        printf("%s\n", graft_context_error(network->context));
    return status == GRAFT_OK;
}

bool test_network_open(struct test_network *network, struct graft_context *context,
                       struct graft_device *device, const char *name, int64_t size, enum graft_dtype real)
{
    network->batch = network->batch > 0 ? network->batch : 2; /* at most 64 */
    const struct graft_model_options options = {.batch = network->batch,
                                                .height = size,
                                                .width = network->width > 0 ? network->width : size,
                                                .classes = network->classes,
                                                .real = real,
                                                .training = network->training,
                                                .bn = GRAFT_BATCH_NORM_TRAIN,
                                                .dropout = -1.0f};
    network->context = context;
    network->device = device;
    if (!fine(network, graft_model_open(context, name, &options, &network->model)))
        return false;
    struct graft_model *const model = network->model;
    const size_t parameters = (size_t)model->parameter_count;
    const struct graft_shape rows = graft_shape_of(1, network->batch);
    const struct graft_reduce_attributes mean = {.kind = GRAFT_REDUCE_MEAN, .axes = 1};
    network->labels = graft_graph_input(model->graph, "labels", GRAFT_DTYPE_I32, &rows);
    const int losses = graft_cross_entropy(model->graph, model->logits, network->labels, -1, 0.0f);
    network->loss = graft_reduce(model->graph, losses, &mean);
    graft_graph_output(model->graph, network->loss);

    network->targets = calloc(parameters, sizeof *network->targets);
    network->gradients = calloc(parameters, sizeof *network->gradients);
    int *const values = calloc(parameters, sizeof *values);
    for (int i = 0; i < model->parameter_count; ++i) {
        if (!model->parameters[i].state && !model->parameters[i].idle) {
            values[network->count] = model->parameters[i].value;
            network->targets[network->count++] = i;
        }
    }
    const enum graft_status status =
        graft_graph_gradient(model->graph, network->loss, values, network->count, network->gradients);
    for (int i = 0; !status && i < network->count; ++i)
        graft_graph_output(model->graph, network->gradients[i]);
    free(values);
    return fine(network, status) && fine(network, graft_graph_status(model->graph));
}

static bool load(struct test_network *network)
{
    const struct graft_model *const model = network->model;
    struct graft_tensor_set *set = NULL;
    if (network->weights)
        return fine(network,
                    graft_model_load_weights(model, network->variables, network->weights, false, NULL));
    bool done = fine(network, graft_tensor_set_open(network->context, &set));
    for (int i = 0; done && i < model->parameter_count; ++i) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        const struct graft_desc desc = {GRAFT_DTYPE_F32, p->source_shape};
        done = fine(network, graft_tensor_set_add(set, p->name, &desc, NULL));
        if (done)
            test_formula_tensor(model->info->name, p->name, &p->source_shape,
                                graft_tensor_set_find(set, p->name)->data);
    }
    done = done && fine(network, graft_model_load_weights(model, network->variables, set, false, NULL));
    graft_tensor_set_close(&set);
    return done;
}

bool test_network_write(struct test_network *network, int value, const double *data)
{
    const struct graft_desc *const desc = graft_graph_desc(network->model->graph, value);
    const int64_t count = graft_shape_count(&desc->shape);
    float *const narrow = malloc((size_t)count * sizeof *narrow);
    for (int64_t i = 0; i < count; ++i)
        narrow[i] = (float)data[i];
    const void *const chosen = desc->dtype == GRAFT_DTYPE_F64 ? (const void *)data : narrow;
    const bool done = fine(network, graft_plan_write(network->plan, value, chosen, graft_desc_bytes(desc)));
    free(narrow);
    return done;
}

bool test_network_plan(struct test_network *network)
{
    int32_t labels[64];
    const struct graft_model *const model = network->model;
    for (int64_t i = 0; i < network->batch; ++i)
        labels[i] = (int32_t)((3 + 4 * i) % model->classes);
    if (!fine(network, graft_variables_open(network->device, &network->variables)) || !load(network) ||
        !fine(network,
              graft_plan_open(model->graph, network->device, network->variables, NULL, &network->plan)) ||
        !fine(network, graft_plan_write(network->plan, network->labels, labels,
                                        (uint64_t)network->batch * sizeof labels[0])))
        return false;
    const size_t two = (size_t)(2 * model->height * model->width * 3);
    const size_t count = two / 2 * (size_t)network->batch;
    float *const input = malloc((network->width > 0 ? count : two) * sizeof *input);
    double *const wide = malloc(count * sizeof *wide);
    if (network->width > 0)
        test_formula_pictures((int)network->batch, (int)model->height, (int)model->width, input);
    else
        test_formula_input((int)model->height, input);
    for (size_t i = 0; i < count; ++i) /* later pictures of squares are the first two, moved on */
        wide[i] = (double)input[network->width > 0 ? i : (i + i / two * 30030) % two];
    const bool done = test_network_write(network, model->input, wide);
    free(wide);
    free(input);
    return done;
}

bool test_network_run(struct test_network *network)
{
    return fine(network, graft_plan_refresh(network->plan)) &&
           fine(network, graft_plan_run(network->plan, GRAFT_SEGMENT_COMPUTE)) &&
           fine(network, graft_plan_wait(network->plan));
}

double *test_network_read(struct test_network *network, int value, int64_t *count)
{
    const struct graft_desc *const desc = graft_graph_desc(network->model->graph, value);
    const bool is_wide = desc->dtype == GRAFT_DTYPE_F64;
    *count = graft_shape_count(&desc->shape);
    double *const wide = malloc((size_t)*count * sizeof *wide);
    float *const narrow = malloc((size_t)*count * sizeof *narrow);
    const bool done = fine(network, graft_plan_read(network->plan, value, is_wide ? (void *)wide : narrow,
                                                    graft_desc_bytes(desc)));
    for (int64_t i = 0; done && !is_wide && i < *count; ++i)
        wide[i] = (double)narrow[i];
    free(narrow);
    if (done)
        return wide;
    free(wide);
    return NULL;
}

void test_network_close(struct test_network *network)
{
    graft_plan_close(&network->plan);
    graft_variables_close(&network->variables);
    graft_model_close(&network->model);
    free(network->targets);
    free(network->gradients);
    *network = (struct test_network){0};
}
