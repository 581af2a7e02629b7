/* SPDX-License-Identifier: MIT */
/* Devices, plans and training steps. */
#include "world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 8
#define BATCH 2

enum graft_status step_open_device(struct world *world)
{
    return graft_device_open(world->context, world->device_name, &world->device);
}

enum graft_status step_use_helper(struct world *world)
{
    const char *const helper = getenv("GRAFT_TEST_COMPILER");
    (void)world;
    if (helper != NULL) {
        setenv("GRAFT_COMPILER", helper, 1);
    }
    return GRAFT_OK;
}

/* One kernel. */
enum graft_status step_small(struct world *world)
{
    const struct graft_shape shape = graft_shape_of(2, 2, 8);
    const float x[16] = {1, 2, 3, 4, 5, 6, 7, 8, 0.5f, -1, 0, 0, 3, 3, 3, 3};
    float y[16] = {0};
    graft_plan_close(&world->plan);
    graft_variables_close(&world->variables);
    graft_graph_close(&world->graph);
    enum graft_status status = graft_graph_open(world->context, GRAFT_DTYPE_F32, &world->graph);
    const int in = status == GRAFT_OK ? graft_graph_input(world->graph, "x", GRAFT_DTYPE_F32, &shape) : -1;
    const int out = status == GRAFT_OK ? graft_softmax(world->graph, in) : -1;
    if (status == GRAFT_OK) {
        graft_graph_output(world->graph, out);
        status = graft_graph_status(world->graph);
    }
    if (status == GRAFT_OK) {
        status = graft_variables_open(world->device, &world->variables);
    }
    if (status == GRAFT_OK) {
        status = graft_plan_open(world->graph, world->device, world->variables, NULL, &world->plan);
    }
    if (status == GRAFT_OK) {
        status = graft_plan_write(world->plan, in, x, sizeof x);
    }
    if (status == GRAFT_OK) {
        status = graft_plan_run(world->plan, GRAFT_SEGMENT_COMPUTE);
    }
    if (status == GRAFT_OK) {
        status = graft_plan_read(world->plan, out, y, sizeof y);
    }
    if (status == GRAFT_OK) {
        world_hash(world, y, sizeof y);
    }
    return status;
}

enum graft_status step_list_devices(struct world *world)
{
    const enum graft_status status = graft_device_list_open(world->context, &world->list);
    graft_device_list_close(world->context, &world->list);
    return status;
}

/* Numbers without a pattern, small integers among them. */
static void numbers(float *to, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        to[i] = (float)(int32_t)(seed >> 8 & 0xFF) / 64 - 2;
    }
}

/* Two convolutions, batch normalization, pooling, a product, a loss; gradients of all weights. */
enum graft_status step_graph(struct world *world)
{
    graft_graph_close(&world->graph);
    const enum graft_status status = graft_graph_open(world->context, GRAFT_DTYPE_F32, &world->graph);
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_graph *const graph = world->graph;
    const struct graft_conv2d_attributes same = {
        .stride = {1, 1}, .dilation = {1, 1}, .pad = {1, 1, 1, 1}, .groups = 1};
    const struct graft_pool_attributes half = {.kernel = {2, 2}, .stride = {2, 2}};
    const struct graft_shape x_shape = graft_shape_of(4, BATCH, SIDE, SIDE, 3);
    const struct graft_shape rows = graft_shape_of(1, BATCH), eight = graft_shape_of(1, 8);
    const struct graft_shape w1_shape = graft_shape_of(4, 8, 3, 3, 3),
                             w2_shape = graft_shape_of(4, 8, 1, 1, 8);
    const struct graft_shape w3_shape = graft_shape_of(2, 8, 4);
    const double mean[3] = {0.4, 0.5, 0.6}, std[3] = {0.2, 0.3, 0.4};
    const struct graft_shape three = graft_shape_of(1, 3);

    const int pixels = graft_graph_input(graph, "pixels", GRAFT_DTYPE_U8, &x_shape);
    const int labels = graft_graph_input(graph, "labels", GRAFT_DTYPE_I32, &rows);
    const int w1 = graft_graph_parameter(graph, "w1", &w1_shape);
    const int w2 = graft_graph_parameter(graph, "w2", &w2_shape);
    const int w3 = graft_graph_parameter(graph, "w3", &w3_shape);
    const int gamma = graft_graph_state(graph, "gamma", &eight, 1);
    const int beta = graft_graph_state(graph, "beta", &eight, 0);
    graft_graph_layer(graph, "first");
    int x = graft_normalize(graph, pixels, graft_graph_constant(graph, "mean", &three, mean),
                            graft_graph_constant(graph, "std", &three, std));
    x = graft_conv2d(graph, x, w1, -1, &same);
    x = graft_batch_norm(graph, x, gamma, beta, beta, gamma, 1e-5f);
    x = graft_unary(graph, GRAFT_UNARY_RELU, x);
    x = graft_max_pool(graph, x, &half);
    graft_graph_layer(graph, "second");
    const struct graft_conv2d_attributes point = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    x = graft_add(graph, x, graft_conv2d(graph, x, w2, -1, &point));
    graft_graph_layer(graph, "head");
    const int logits = graft_matmul(graph, graft_global_avg_pool(graph, x), w3, -1, false, false);
    const struct graft_reduce_attributes sum = {.kind = GRAFT_REDUCE_SUM, .axes = 1};
    const int loss = graft_reduce(graph, graft_cross_entropy(graph, logits, labels, -1, 0), &sum);
    graft_graph_output(graph, logits);
    graft_graph_output(graph, loss);
    const int targets[3] = {w1, w2, w3};
    int gradients[3] = {-1, -1, -1};
    if (graft_graph_status(graph) != GRAFT_OK) {
        return graft_graph_status(graph);
    }
    const enum graft_status made = graft_graph_gradient(graph, loss, targets, 3, gradients);
    const int all[8] = {pixels, labels, logits, loss, gradients[0], gradients[1], gradients[2], -1};
    memcpy(world->values, all, sizeof all);
    for (int i = 0; made == GRAFT_OK && i < 3; i++) {
        graft_graph_output(graph, gradients[i]);
    }
    return made;
}

static enum graft_status write_variables(struct world *world)
{
    static const char *const names[] = {"w1", "w2", "w3"};
    static const size_t counts[] = {8 * 3 * 3 * 3, 8 * 8, 8 * 4};
    enum graft_status status = GRAFT_OK;
    for (int i = 0; i < 3 && status == GRAFT_OK; i++) {
        float data[8 * 3 * 3 * 3];
        numbers(data, counts[i], (uint32_t)i + 1);
        status = graft_variables_write(world->variables, names[i], data, counts[i] * sizeof *data);
    }
    return status;
}

static enum graft_status open_plan(struct world *world, const struct graft_plan_options *options)
{
    enum graft_status status = GRAFT_OK;
    graft_plan_close(&world->plan);
    if (world->variables == NULL) {
        status = graft_variables_open(world->device, &world->variables);
    }
    if (status == GRAFT_OK) {
        status = graft_variables_add(world->variables, world->graph);
    }
    if (status == GRAFT_OK) {
        status = write_variables(world);
    }
    if (status == GRAFT_OK) {
        status = graft_plan_open(world->graph, world->device, world->variables, options, &world->plan);
    }
    return status;
}

enum graft_status step_plan(struct world *world)
{
    return open_plan(world, NULL);
}

/* Writes, runs, reads everything. */
enum graft_status step_run(struct world *world)
{
    const int *const v = world->values;
    uint8_t pixels[BATCH * SIDE * SIDE * 3];
    const int32_t labels[BATCH] = {1, 3};
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(i * 37 + i / 7);
    }
    enum graft_status status = graft_plan_write(world->plan, v[0], pixels, sizeof pixels);
    if (status == GRAFT_OK) {
        status = graft_plan_write(world->plan, v[1], labels, sizeof labels);
    }
    if (status == GRAFT_OK) {
        status = graft_plan_run(world->plan, GRAFT_SEGMENT_COMPUTE);
    }
    if (status == GRAFT_OK) {
        status = graft_plan_wait(world->plan);
    }
    const uint64_t before = world->bits;
    for (int i = 2; i < 7 && status == GRAFT_OK; i++) {
        float data[8 * 3 * 3 * 3];
        const uint64_t bytes = graft_desc_bytes(graft_graph_desc(world->graph, v[i]));
        status = graft_plan_read(world->plan, v[i], data, bytes);
        if (status == GRAFT_OK) {
            world_hash(world, data, (size_t)bytes);
        }
    }
    if (status != GRAFT_OK) {
        world->bits = before;
        return status;
    }
    return GRAFT_OK;
}

enum graft_status step_check_numbers(struct world *world)
{
    const struct graft_plan_options options = {.check_numbers = true, .keep_all = true};
    const enum graft_status status = open_plan(world, &options);
    return status == GRAFT_OK ? step_run(world) : status;
}

/* A product by CLBlast, which is tried out first. */
enum graft_status step_library(struct world *world)
{
    const struct graft_plan_options options = {.variants = "matmul=clblast"};
    const enum graft_status status = open_plan(world, &options);
    return status == GRAFT_OK ? step_run(world) : status;
}

enum graft_status step_profile(struct world *world)
{
    const struct graft_plan_options options = {.variants = "matmul=reference"};
    const uint64_t before = world->bits;
    const bool reference = strncmp(world->device_name, "opencl", 6) != 0;
    enum graft_status status = open_plan(world, reference ? &options : NULL);
    if (status == GRAFT_OK) {
        status = step_run(world);
    }
    if (status == GRAFT_OK) {
        status = graft_plan_profile(world->plan, GRAFT_SEGMENT_COMPUTE);
    }
    if (status == GRAFT_OK) {
        status = graft_plan_refresh(world->plan);
    }
    if (status != GRAFT_OK) {
        world->bits = before;
    }
    return status;
}

/* A network made for training, with initial weights. */
enum graft_status step_model(struct world *world)
{
    const struct graft_model_options options = {.batch = BATCH,
                                                .height = 16,
                                                .width = 16,
                                                .classes = 3,
                                                .training = true,
                                                .bn = GRAFT_BATCH_NORM_TRAIN,
                                                .dropout = 0.25f,
                                                .seed = 5};
    graft_trainer_close(&world->trainer);
    graft_plan_close(&world->plan);
    graft_variables_close(&world->variables);
    graft_model_close(&world->model);
    enum graft_status status = graft_model_open(world->context, "tiny_convnet", &options, &world->model);
    if (status == GRAFT_OK) {
        status = graft_variables_open(world->device, &world->variables);
    }
    if (status == GRAFT_OK) {
        status = graft_model_initialize(world->model, world->variables, 7, 0);
    }
    if (status == GRAFT_OK && graft_model_summary(world->model) == NULL) {
        status = GRAFT_ERROR_MEMORY;
    }
    return status;
}

/* After a failure the model's graph holds a part of the training: it is made anew, as the header says. */
enum graft_status step_trainer(struct world *world)
{
    const struct graft_trainer_options options = {.optimizer = GRAFT_ADAM, .keep_gradients = true};
    const enum graft_status status = step_model(world);
    return status == GRAFT_OK
               ? graft_trainer_open(world->device, world->model, world->variables, &options, &world->trainer)
               : status;
}

/* All variables as at the beginning: a step that failed may have changed some of them. */
static enum graft_status reset_variables(struct world *world)
{
    enum graft_status status = graft_model_initialize(world->model, world->variables, 7, 0);
    for (int i = 0; status == GRAFT_OK; i++) {
        static const float zeros[1 << 18];
        struct graft_desc desc;
        const char *const name = graft_variables_at(world->variables, i, &desc, NULL);
        if (name == NULL) {
            break;
        }
        if (strstr(name, ".adam.") != NULL) {
            status = graft_variables_write(world->variables, name, zeros, graft_desc_bytes(&desc));
        }
    }
    return status;
}

static void fill_step(struct graft_step *step, float *input, int32_t *labels, int number)
{
    numbers(input, BATCH * 16 * 16 * 3, 11);
    for (int i = 0; i < BATCH; i++) {
        labels[i] = i + 1;
    }
    *step = (struct graft_step){
        .input = input, .labels = labels, .valid = BATCH, .learning_rate = 1e-3, .number = number};
}

enum graft_status step_train(struct world *world)
{
    float input[BATCH * 16 * 16 * 3], weights[3 * 128] = {0}, gradient[16 * 3 * 3 * 3] = {0};
    int32_t labels[BATCH];
    struct graft_step step;
    const uint64_t before = world->bits;
    enum graft_status status = reset_variables(world);
    for (int number = 1; number <= 2 && status == GRAFT_OK; number++) {
        fill_step(&step, input, labels, number);
        status = graft_trainer_step(world->trainer, &step);
        world_hash(world, &step.loss, sizeof step.loss);
    }
    if (status == GRAFT_OK) {
        status = graft_variables_read(world->variables, "fc.weight", weights, sizeof weights);
    }
    if (status == GRAFT_OK) {
        status = graft_trainer_gradient(world->trainer, 0, gradient, sizeof gradient);
    }
    world_hash(world, weights, sizeof weights);
    world_hash(world, gradient, sizeof gradient);
    if (status != GRAFT_OK) {
        world->bits = before;
    }
    return status;
}

/* A loss that is not finite is explained by a second plan; without memory for it the message says less. */
enum graft_status step_train_not_finite(struct world *world)
{
    float input[BATCH * 16 * 16 * 3];
    int32_t labels[BATCH];
    struct graft_step step;
    fill_step(&step, input, labels, 1);
    input[5] = INFINITY;
    const enum graft_status status = graft_trainer_step(world->trainer, &step);
    return status == GRAFT_ERROR_NUMERIC ? GRAFT_OK : status == GRAFT_OK ? GRAFT_ERROR_NUMERIC : status;
}
