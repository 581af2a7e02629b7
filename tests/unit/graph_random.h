/* SPDX-License-Identifier: MIT */
/* Builds random graphs for graph_random_test.c: all that is random follows from a seed. */
#ifndef GRAFT_TESTS_GRAPH_RANDOM_H
#define GRAFT_TESTS_GRAPH_RANDOM_H

#include "base/random.h"
#include "graph/graph.h"
#include "support/support.h"

#define N 2
#define SIDE 4
#define CHANNELS 8
#define ELEMENTS (N * SIDE * SIDE * CHANNELS)
#define MOST_OPS 16
#define MOST_VALUES 96
#define MOST_PARAMETERS 64
#define MOST_OUTPUTS 64

/* A graph whose values are all [N, SIDE, SIDE, CHANNELS]. */
struct network {
    struct graft_graph *graph;
    struct graft_random random;
    bool smooth;  /* no kinks: rounding moves nothing far */
    bool updates; /* the optimizer changes some parameters */
    bool moving;  /* gradients see other statistics than the values they belong to */
    int values[MOST_VALUES];
    bool used[MOST_VALUES];
    int n_values;
    int parameters[MOST_PARAMETERS];
    int n_parameters;
    int x, step, hyper, loss;
    int outputs[MOST_OUTPUTS];
    int n_outputs;
    int targets[MOST_PARAMETERS], gradients[MOST_PARAMETERS];
    int n_targets;
};

static uint32_t below(struct network *net, uint32_t bound)
{
    return graft_random_below(&net->random, bound);
}

static struct graft_shape picture(void)
{
    return graft_shape_of(4, N, SIDE, SIDE, CHANNELS);
}

/* One of the values so far, often a late one. */
static int pick(struct network *net)
{
    const uint32_t n = (uint32_t)net->n_values;
    const uint32_t late = n < 3 ? n : 3;
    const uint32_t i = below(net, 2) ? n - 1 - below(net, late) : below(net, n);
    net->used[i] = true;
    return net->values[i];
}

static void keep(struct network *net, int value)
{
    assert_true(net->n_values < MOST_VALUES);
    net->values[net->n_values++] = value;
}

static int parameter(struct network *net, struct graft_shape shape)
{
    char name[32];
    (void)snprintf(name, sizeof name, "p%d", net->n_parameters);
    const int value = graft_graph_parameter(net->graph, name, &shape);
    assert_true(net->n_parameters < MOST_PARAMETERS);
    net->parameters[net->n_parameters++] = value;
    return value;
}

static int statistic(struct network *net, const char *kind, double initial)
{
    char name[32];
    const struct graft_shape shape = graft_shape_of(1, CHANNELS);
    (void)snprintf(name, sizeof name, "%s%d", kind, net->n_parameters);
    return graft_graph_state(net->graph, name, &shape, initial);
}

/* ---- what a graph may be made of: value → value */

static int add_convolution(struct network *net, int x)
{
    const int kernel = below(net, 2) ? 3 : 1, pad = kernel / 2;
    const struct graft_conv2d_attributes a = {
        .stride = {1, 1}, .dilation = {1, 1}, .pad = {pad, pad, pad, pad}, .groups = 1};
    const int w = parameter(net, graft_shape_of(4, CHANNELS, kernel, kernel, CHANNELS));
    const int bias = below(net, 2) ? parameter(net, graft_shape_of(1, CHANNELS)) : -1;
    const int y = graft_conv2d(net->graph, x, w, bias, &a);
    return below(net, 4) ? y : graft_conv2d(net->graph, y, w, -1, &a); /* weights that are shared */
}

static int add_batch_norm(struct network *net, int x)
{
    const int gamma = parameter(net, graft_shape_of(1, CHANNELS));
    const int beta = parameter(net, graft_shape_of(1, CHANNELS));
    if (below(net, 3) == 0)
        return graft_batch_norm_training(net->graph, x, gamma, beta, statistic(net, "mean", 0),
                                         statistic(net, "var", 1), 1e-3f, 0.25f);
    const int mean = statistic(net, "mean", 0), var = statistic(net, "var", 1);
    const int y = graft_batch_norm(net->graph, x, gamma, beta, mean, var, 1e-3f);
    if (below(net, 4))
        return y;
    /* Statistics that another norm changes in every run, after this one and before its gradient. */
    net->moving = true;
    return graft_batch_norm_training(net->graph, y, gamma, beta, mean, var, 1e-3f, 0.25f);
}

static int add_function(struct network *net, int x)
{
    static const enum graft_unary kinds[] = {GRAFT_UNARY_SIGMOID, GRAFT_UNARY_TANH,  GRAFT_UNARY_SILU,
                                             GRAFT_UNARY_RELU,    GRAFT_UNARY_RELU6, GRAFT_UNARY_RELU};
    return graft_unary(net->graph, kinds[below(net, net->smooth ? 3 : 6)], x);
}

static int add_sum(struct network *net, int x)
{
    return graft_add(net->graph, x, pick(net));
}

static int add_product(struct network *net, int x)
{
    return graft_mul(net->graph, x, graft_unary(net->graph, GRAFT_UNARY_TANH, pick(net)));
}

/* With something that is stretched: a vector, or each picture's means. */
static int add_stretched(struct network *net, int x)
{
    const struct graft_reduce_attributes mean = {
        .kind = GRAFT_REDUCE_MEAN, .axes = 1u << 1 | 1u << 2, .keep_dims = true};
    const int other = below(net, 2) ? parameter(net, graft_shape_of(1, CHANNELS))
                                    : graft_reduce(net->graph, pick(net), &mean);
    return below(net, 2) ? graft_add(net->graph, x, other) : graft_add(net->graph, other, x);
}

/* Other names for the same memory, and something in place between them. */
static int add_reshaped(struct network *net, int x)
{
    const struct graft_shape flat = graft_shape_of(2, N, ELEMENTS / N), shape = picture();
    int y = graft_reshape(net->graph, x, &flat);
    if (below(net, 2))
        y = graft_add(net->graph, y, graft_reshape(net->graph, pick(net), &flat));
    if (below(net, 2))
        y = graft_unary(net->graph, GRAFT_UNARY_TANH, y);
    return graft_reshape(net->graph, y, &shape);
}

/* A parameter under another shape must keep its numbers. */
static int add_reshaped_parameter(struct network *net, int x)
{
    const struct graft_shape shape = picture();
    const int p = parameter(net, graft_shape_of(1, ELEMENTS));
    const int y = graft_unary(net->graph, GRAFT_UNARY_TANH, graft_reshape(net->graph, p, &shape));
    return graft_add(net->graph, x, y);
}

static int add_pool(struct network *net, int x)
{
    const struct graft_pool_attributes a = {
        .kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1, 1, 1}, .count_include_pad = below(net, 2)};
    return below(net, 2) && !net->smooth ? graft_max_pool(net->graph, x, &a)
                                         : graft_avg_pool(net->graph, x, &a);
}

static int add_joined(struct network *net, int x)
{
    const int parts[3] = {x, pick(net), pick(net)};
    const int count = 2 + (int)below(net, 2), axis = (int)below(net, 4);
    const struct graft_shape shape = picture();
    struct graft_slice_attributes cut = {.begin = {0}};
    for (int i = 0; i < 4; i++)
        cut.size[i] = shape.dim[i];
    cut.begin[axis] = (int64_t)below(net, (uint32_t)((count - 1) * shape.dim[axis] + 1));
    return graft_slice(net->graph, graft_concat(net->graph, parts, count, axis), &cut);
}

static int add_bordered(struct network *net, int x)
{
    const struct graft_shape shape = picture();
    struct graft_pad_attributes border = {.value = 0.5f};
    struct graft_slice_attributes cut = {.begin = {0}};
    for (int i = 0; i < 4; i++) {
        border.before[i] = below(net, 2);
        border.after[i] = below(net, 2);
        cut.begin[i] = below(net, (uint32_t)(border.before[i] + border.after[i] + 1));
        cut.size[i] = shape.dim[i];
    }
    return graft_slice(net->graph, graft_pad(net->graph, x, &border), &cut);
}

static int add_matrix(struct network *net, int x)
{
    const struct graft_shape rows = graft_shape_of(2, ELEMENTS / CHANNELS, CHANNELS), shape = picture();
    const int w = parameter(net, graft_shape_of(2, CHANNELS, CHANNELS));
    const int bias = below(net, 2) ? parameter(net, graft_shape_of(1, CHANNELS)) : -1;
    const int y =
        graft_matmul(net->graph, graft_reshape(net->graph, x, &rows), w, bias, false, below(net, 2));
    return graft_reshape(net->graph, y, &shape);
}

static int add_turned(struct network *net, int x)
{
    const struct graft_transpose_attributes turn = {.order = {0, 2, 1, 3}};
    const int y = graft_transpose(net->graph, x, &turn);
    return below(net, 2) ? y : graft_transpose(net->graph, graft_add(net->graph, y, pick(net)), &turn);
}

static int add_dropout(struct network *net, int x)
{
    const struct graft_dropout_attributes a = {.probability = 0.25f, .stream = below(net, 9), .seed = 3};
    return graft_dropout(net->graph, x, net->step, &a);
}

static int add_softmax(struct network *net, int x)
{
    return graft_softmax(net->graph, x);
}

/* Nodes as the passes leave them: with a residual and an activation already. */
static int add_finished(struct network *net, int x)
{
    union graft_attributes a = {0};
    int outputs[GRAFT_MAX_OUTPUTS];
    int inputs[6] = {x, -1, -1, -1, -1, -1};
    if (below(net, 2)) {
        const struct graft_shape vector = graft_shape_of(1, CHANNELS);
        a.batch_norm = (struct graft_batch_norm_attributes){.epsilon = 1e-3f};
        inputs[1] = parameter(net, vector);
        inputs[2] = parameter(net, vector);
        inputs[3] = statistic(net, "mean", 0);
        inputs[4] = statistic(net, "var", 1);
        inputs[5] = below(net, 3) ? pick(net) : -1;
        a.batch_norm.activation = below(net, 2) && !net->smooth ? GRAFT_UNARY_RELU : GRAFT_UNARY_NONE;
        if (below(net, 2)) /* after a convolution, into which it may be folded */
            inputs[0] = add_convolution(net, x);
        graft_graph_apply(net->graph, GRAFT_OP_BATCH_NORM, &a, inputs, 6, outputs);
    } else {
        a.conv2d = (struct graft_conv2d_attributes){.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
        inputs[1] = parameter(net, graft_shape_of(4, CHANNELS, 1, 1, CHANNELS));
        inputs[3] = pick(net);
        a.conv2d.activation = below(net, 2) && !net->smooth ? GRAFT_UNARY_RELU6 : GRAFT_UNARY_NONE;
        graft_graph_apply(net->graph, GRAFT_OP_CONV2D, &a, inputs, 4, outputs);
    }
    return outputs[0];
}

static int (*const builders[])(struct network *net, int x) = {
    add_convolution, add_finished, add_convolution, add_batch_norm, add_batch_norm,
    add_function,    add_function, add_function,    add_sum,        add_sum,
    add_sum,         add_product,  add_stretched,   add_reshaped,   add_reshaped_parameter,
    add_pool,        add_joined,   add_bordered,    add_matrix,     add_turned,
    add_dropout,     add_softmax};
#define BUILDERS (uint32_t)(sizeof builders / sizeof builders[0])

/* The loss has all that nothing else has used, each with weights of its own. */
static void add_loss(struct network *net)
{
    const struct graft_shape shape = picture();
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 15};
    int total = -1;
    for (int i = 0; i < net->n_values; i++) {
        if (net->used[i] && below(net, 5))
            continue;
        double weights[ELEMENTS];
        for (int k = 0; k < ELEMENTS; k++)
            weights[k] = (double)graft_random_uniform(&net->random) - 0.5;
        const int constant = graft_graph_constant(net->graph, "weights", &shape, weights);
        const int part = graft_mul(net->graph, net->values[i], constant);
        total = total < 0 ? part : graft_add(net->graph, total, part);
    }
    net->loss = graft_reduce(net->graph, total, &all);
}

static void add_output(struct network *net, int value)
{
    graft_graph_output(net->graph, value);
    assert_true(net->n_outputs < MOST_OUTPUTS);
    net->outputs[net->n_outputs++] = value;
}

static void add_gradients(struct network *net)
{
    const struct graft_update_attributes momentum = {.momentum = 0.5f};
    for (int i = 0; i < net->n_parameters; i++)
        if (below(net, 3))
            net->targets[net->n_targets++] = net->parameters[i];
    assert_int_equal(
        graft_graph_gradient(net->graph, net->loss, net->targets, net->n_targets, net->gradients), GRAFT_OK);
    for (int i = 0; i < net->n_targets; i++) {
        if (net->gradients[i] < 0)
            continue;
        add_output(net, net->gradients[i]);
        if (below(net, 2) && net->updates)
            assert_int_equal(graft_update(net->graph, GRAFT_SGD, net->targets[i], net->gradients[i],
                                          net->hyper, -1, &momentum),
                             0);
    }
}

/* The same seed gives the same graph, with updates or without. */
static void build(struct network *net, struct graft_graph *graph, uint64_t seed, bool smooth, bool updates)
{
    const struct graft_shape shape = picture(), one = graft_shape_of(1, 1), four = graft_shape_of(1, 4);
    *net = (struct network){.graph = graph, .smooth = smooth, .updates = updates};
    graft_random_start(&net->random, seed, 17);
    net->x = graft_graph_input(graph, "x", graft_graph_real(graph), &shape);
    net->step = graft_graph_input(graph, "step", GRAFT_DTYPE_I32, &one);
    net->hyper = graft_graph_input(graph, "hyper", graft_graph_real(graph), &four);
    keep(net, net->x);
    const int ops = 3 + (int)below(net, MOST_OPS - 2);
    for (int i = 0; i < ops; i++) {
        const int value = builders[below(net, BUILDERS)](net, pick(net));
        keep(net, value);
        if (below(net, 6) == 0)
            add_output(net, value);
    }
    add_loss(net);
    add_output(net, net->loss);
    if (below(net, 3))
        add_gradients(net);
    assert_int_equal(graft_graph_status(graph), GRAFT_OK);
}

#endif
