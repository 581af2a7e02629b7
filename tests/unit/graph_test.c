/* SPDX-License-Identifier: MIT */
/* Graphs: what passes may and may not do, gradients of whole graphs, memory plans, runs that allocate
 * nothing. */
#include "base/random.h"
#include "graph/memory.h"
#include "graph/plan.h"
#include "support/support.h"

#include <math.h>

struct fixture {
    struct test_memory memory;
    struct graft_context *context;
    struct graft_device *device;
    struct graft_graph *graph;
    struct graft_variables *variables;
};

static void open_fixture(struct fixture *f, const char *device, enum graft_dtype real)
{
    memset(f, 0, sizeof *f);
    const struct graft_context_options options = test_memory_options(&f->memory, -1);
    assert_int_equal(graft_context_open(&options, &f->context), GRAFT_OK);
    assert_int_equal(graft_device_open(f->context, device, &f->device), GRAFT_OK);
    assert_int_equal(graft_graph_open(f->context, real, &f->graph), GRAFT_OK);
    assert_int_equal(graft_variables_open(f->device, &f->variables), GRAFT_OK);
}

static void close_fixture(struct fixture *f)
{
    graft_variables_close(&f->variables);
    graft_graph_close(&f->graph);
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    assert_int_equal(atomic_load(&f->memory.alive), 0);
}

/* Numbers for a value, from its name alone. */
static void numbers(const char *name, int64_t count, double offset, float *to)
{
    struct graft_random random;
    graft_random_start(&random, 7, graft_hash_text(name));
    for (int64_t i = 0; i < count; i++)
        to[i] = (float)(offset + (double)graft_random_uniform(&random) - 0.5);
}

static void write_variables(struct fixture *f)
{
    for (int i = 0;; i++) {
        struct graft_desc desc;
        const char *const name = graft_variables_at(f->variables, i, &desc, NULL);
        if (!name)
            return;
        const int64_t count = graft_shape_count(&desc.shape);
        float *const data = malloc((size_t)count * sizeof *data + 1);
        numbers(name, count, strstr(name, "var") ? 1.5 : 0, data);
        assert_int_equal(graft_variables_write(f->variables, name, data, (uint64_t)count * 4), GRAFT_OK);
        free(data);
    }
}

static const struct graft_conv2d_attributes plain = {
    .stride = {1, 1}, .dilation = {1, 1}, .pad = {1, 1, 1, 1}, .groups = 1};

static int parameter(struct graft_graph *graph, const char *layer, const char *name, struct graft_shape shape)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s.%s", layer, name);
    return graft_graph_parameter(graph, text, &shape);
}

/* conv → batch norm (frozen) → relu. */
static int block(struct graft_graph *graph, int x, const char *name, int64_t in, int64_t out)
{
    graft_graph_layer(graph, name);
    const int w = parameter(graph, name, "w", graft_shape_of(4, out, 3, 3, in));
    const int y = graft_conv2d(graph, x, w, -1, &plain);
    const int gamma = parameter(graph, name, "gamma", graft_shape_of(1, out));
    const int beta = parameter(graph, name, "beta", graft_shape_of(1, out));
    const int mean = parameter(graph, name, "mean", graft_shape_of(1, out));
    const int var = parameter(graph, name, "var", graft_shape_of(1, out));
    return graft_unary(graph, GRAFT_UNARY_RELU, graft_batch_norm(graph, y, gamma, beta, mean, var, 1e-5f));
}

struct network {
    int x, labels, logits, losses, loss;
};

/* Two blocks with a residual addition, pooling, a dense layer, a loss. */
static struct network residual_network(struct graft_graph *graph)
{
    struct network net = {0};
    const struct graft_shape input = graft_shape_of(4, 2, 6, 5, 3);
    const struct graft_shape two = graft_shape_of(1, 2);
    net.x = graft_graph_input(graph, "x", graft_graph_real(graph), &input);
    const int a = block(graph, net.x, "a", 3, 8);
    const int b = block(graph, a, "b", 8, 8);
    const int sum = graft_unary(graph, GRAFT_UNARY_RELU, graft_add(graph, b, a));
    const int pooled = graft_global_avg_pool(graph, sum);
    graft_graph_layer(graph, "fc");
    const int w = parameter(graph, "fc", "w", graft_shape_of(2, 4, 8));
    net.logits =
        graft_matmul(graph, pooled, w, parameter(graph, "fc", "bias", graft_shape_of(1, 4)), false, true);
    net.labels = graft_graph_input(graph, "labels", GRAFT_DTYPE_I32, &two);
    net.losses = graft_cross_entropy(graph, net.logits, net.labels, -1, 0);
    const struct graft_reduce_attributes mean = {.kind = GRAFT_REDUCE_MEAN, .axes = 1};
    net.loss = graft_reduce(graph, net.losses, &mean);
    graft_graph_output(graph, net.logits);
    graft_graph_output(graph, net.loss);
    assert_int_equal(graft_graph_status(graph), GRAFT_OK);
    return net;
}

static void feed(struct graft_plan *plan, const struct network *net)
{
    float x[2 * 6 * 5 * 3];
    const int32_t labels[2] = {1, 3};
    numbers("x", 2 * 6 * 5 * 3, 0, x);
    assert_int_equal(graft_plan_write(plan, net->x, x, sizeof x), GRAFT_OK);
    if (net->labels >= 0)
        assert_int_equal(graft_plan_write(plan, net->labels, labels, sizeof labels), GRAFT_OK);
}

static int count_ops(const struct graft_plan *plan, const char *op, bool once)
{
    int count = 0;
    for (int i = 0; i < graft_plan_node_count(plan); i++) {
        struct graft_plan_node node;
        graft_plan_node_at(plan, i, &node);
        count += strcmp(node.op, op) == 0 && node.once == once;
    }
    return count;
}

/* Inference: folded and fused down to two convolutions, a reduction and a product, with the same result. */
static void fuses_inference(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "reference", GRAFT_DTYPE_F32);
    const struct network net = residual_network(f.graph);
    float logits[2][8];
    for (int fused = 0; fused < 2; fused++) {
        const struct graft_plan_options options = {.no_fusion = !fused, .no_in_place = !fused};
        struct graft_plan *plan = NULL;
        assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, &options, &plan), GRAFT_OK);
        write_variables(&f);
        feed(plan, &net);
        assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_read(plan, net.logits, logits[fused], sizeof logits[0]), GRAFT_OK);
        assert_int_equal(count_ops(plan, "conv2d", false), 2);
        assert_int_equal(count_ops(plan, "batch_norm", false), fused ? 0 : 2);
        assert_int_equal(count_ops(plan, "batch_norm_fold", true), fused ? 2 : 0);
        assert_int_equal(count_ops(plan, "unary", false), fused ? 0 : 3);
        graft_plan_close(&plan);
    }
    for (int i = 0; i < 8; i++)
        assert_true(fabs((double)logits[0][i] - (double)logits[1][i]) <= 1e-5);
    close_fixture(&f);
}

/* An addition whose both sides come from convolutions moves into the later one, with its activation. */
static void fuses_additions(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "reference", GRAFT_DTYPE_F32);
    const struct graft_shape input = graft_shape_of(4, 2, 6, 5, 3);
    const int x = graft_graph_input(f.graph, "x", GRAFT_DTYPE_F32, &input);
    const int wa = parameter(f.graph, "a", "w", graft_shape_of(4, 4, 3, 3, 3));
    const int wb = parameter(f.graph, "b", "w", graft_shape_of(4, 4, 3, 3, 3));
    const int a = graft_conv2d(f.graph, x, wa, -1, &plain);
    const int b = graft_conv2d(f.graph, x, wb, -1, &plain);
    const int y = graft_unary(f.graph, GRAFT_UNARY_RELU6, graft_add(f.graph, b, a));
    graft_graph_output(f.graph, y);
    const struct network net = {.x = x, .labels = -1};
    float results[2][2 * 6 * 5 * 4];
    for (int fused = 0; fused < 2; fused++) {
        const struct graft_plan_options options = {.no_fusion = !fused};
        struct graft_plan *plan = NULL;
        assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, &options, &plan), GRAFT_OK);
        write_variables(&f);
        feed(plan, &net);
        assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_read(plan, y, results[fused], sizeof results[0]), GRAFT_OK);
        assert_int_equal(graft_plan_node_count(plan), fused ? 2 : 4);
        graft_plan_close(&plan);
    }
    for (size_t i = 0; i < sizeof results[0] / sizeof results[0][0]; i++)
        assert_true(fabs((double)results[0][i] - (double)results[1][i]) <= 1e-5);
    close_fixture(&f);
}

/* The gradients of all parameters, with and without passes and reuse of memory: the same. */
static void passes_keep_gradients(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "reference", GRAFT_DTYPE_F32);
    const struct network net = residual_network(f.graph);
    static const char *const names[] = {"a.w",     "a.gamma", "a.beta", "b.w",
                                        "b.gamma", "b.beta",  "fc.w",   "fc.bias"};
    int targets[9], gradients[9];
    for (int i = 0; i < 8; i++)
        targets[i] = graft_graph_find(f.graph, names[i]);
    targets[8] = net.x;
    assert_int_equal(graft_graph_gradient(f.graph, net.loss, targets, 9, gradients), GRAFT_OK);
    float results[2][9][600];
    for (int fused = 0; fused < 2; fused++) {
        const struct graft_plan_options options = {.no_fusion = !fused, .no_in_place = !fused};
        struct graft_plan *plan = NULL;
        for (int i = 0; i < 9; i++) {
            assert_true(gradients[i] >= 0);
            graft_graph_output(f.graph, gradients[i]);
        }
        assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, &options, &plan), GRAFT_OK);
        write_variables(&f);
        feed(plan, &net);
        assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        for (int i = 0; i < 9; i++)
            assert_int_equal(graft_plan_read(plan, gradients[i], results[fused][i],
                                             graft_desc_bytes(graft_graph_desc(f.graph, gradients[i]))),
                             GRAFT_OK);
        if (fused) {
            struct graft_plan_memory memory;
            graft_plan_get_memory(plan, &memory);
            assert_true(memory.activations < memory.activations_without_reuse);
            assert_int_equal(count_ops(plan, "binary", false),
                             1); /* a's two gradients: no addition of its own */
        }
        graft_plan_close(&plan);
    }
    for (int i = 0; i < 9; i++) {
        const int64_t count = graft_shape_count(&graft_graph_desc(f.graph, gradients[i])->shape);
        double norm = 0;
        for (int64_t k = 0; k < count; k++) {
            norm += fabs((double)results[0][i][k]);
            assert_true(fabs((double)results[0][i][k] - (double)results[1][i][k]) <= 1e-6);
        }
        assert_true(norm > 1e-3);
    }
    close_fixture(&f);
}

/* Only the head is trained: the trunk gets no gradient nodes and keeps no activations. */
static void prunes_frozen_trunk(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "reference", GRAFT_DTYPE_F32);
    const struct network net = residual_network(f.graph);
    const int targets[2] = {graft_graph_find(f.graph, "fc.w"), graft_graph_find(f.graph, "fc.bias")};
    int gradients[2];
    assert_int_equal(graft_graph_gradient(f.graph, net.loss, targets, 2, gradients), GRAFT_OK);
    graft_graph_output(f.graph, gradients[0]);
    graft_graph_output(f.graph, gradients[1]);
    struct graft_plan *plan = NULL;
    assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, NULL, &plan), GRAFT_OK);
    assert_int_equal(count_ops(plan, "conv2d_grad_input", false), 0);
    assert_int_equal(count_ops(plan, "conv2d_grad_weight", false), 0);
    assert_int_equal(count_ops(plan, "batch_norm", false), 0);
    assert_int_equal(count_ops(plan, "matmul", false), 2);
    graft_plan_close(&plan);
    close_fixture(&f);
}

/* An activation whose gradient needs what it was given is fused where nobody takes a gradient, else not. */
static void fuses_what_no_gradient_needs(void **state)
{
    (void)state;
    static const enum graft_unary kinds[] = {GRAFT_UNARY_SILU, GRAFT_UNARY_HARD_SWISH, GRAFT_UNARY_SIGMOID,
                                             GRAFT_UNARY_GELU};
    static const int left[][2] = {{0, 1}, {0, 1}, {0, 0}, {1, 1}}; /* unary nodes in inference, in training */
    for (int k = 0; k < 4; k++) {
        for (int training = 0; training < 2; training++) {
            struct fixture f;
            open_fixture(&f, "cpu", GRAFT_DTYPE_F32);
            const struct graft_shape shape = graft_shape_of(4, 2, 6, 5, 3);
            const int x = graft_graph_input(f.graph, "x", GRAFT_DTYPE_F32, &shape);
            const int w = parameter(f.graph, "c", "w", graft_shape_of(4, 3, 3, 3, 3));
            const int y = graft_unary(f.graph, kinds[k], graft_conv2d(f.graph, x, w, -1, &plain));
            const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 15};
            const int sum = graft_reduce(f.graph, y, &all);
            graft_graph_output(f.graph, sum);
            int gradient = -1;
            if (training) {
                assert_int_equal(graft_graph_gradient(f.graph, sum, &w, 1, &gradient), GRAFT_OK);
                graft_graph_output(f.graph, gradient);
            }
            struct graft_plan *plan = NULL;
            assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, NULL, &plan), GRAFT_OK);
            assert_int_equal(count_ops(plan, "unary", false), left[k][training]);
            graft_plan_close(&plan);
            close_fixture(&f);
        }
    }
    /* Fused by hand: its gradient is refused, with the way out. */
    struct fixture f;
    open_fixture(&f, "cpu", GRAFT_DTYPE_F32);
    const struct graft_shape shape = graft_shape_of(4, 2, 6, 5, 3);
    const int x = graft_graph_input(f.graph, "x", GRAFT_DTYPE_F32, &shape);
    const int w = parameter(f.graph, "c", "w", graft_shape_of(4, 3, 3, 3, 3));
    struct graft_conv2d_attributes attributes = plain;
    attributes.activation = GRAFT_UNARY_SILU;
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 15};
    const int sum = graft_reduce(f.graph, graft_conv2d(f.graph, x, w, -1, &attributes), &all);
    int gradient = -1;
    assert_int_equal(graft_graph_gradient(f.graph, sum, &w, 1, &gradient), GRAFT_ERROR_SHAPE);
    assert_non_null(strstr(graft_context_error(f.context), "make it an op of its own"));
    close_fixture(&f);
}

/* A value that is an output, or is read twice, must survive the passes. */
static void keeps_what_is_read(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "reference", GRAFT_DTYPE_F32);
    const struct graft_shape shape = graft_shape_of(4, 2, 6, 5, 3);
    const int x = graft_graph_input(f.graph, "x", GRAFT_DTYPE_F32, &shape);
    const int w = parameter(f.graph, "c", "w", graft_shape_of(4, 3, 3, 3, 3));
    const int before = graft_conv2d(f.graph, x, w, -1, &plain);
    const int after = graft_unary(f.graph, GRAFT_UNARY_RELU, before);
    const struct graft_shape flat = graft_shape_of(2, 2, 90);
    const int alias = graft_reshape(f.graph, after, &flat);
    graft_graph_output(f.graph, before);
    graft_graph_output(f.graph, alias);
    struct graft_plan *plan = NULL;
    assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, NULL, &plan), GRAFT_OK);
    write_variables(&f);
    const struct network net = {.x = x, .labels = -1};
    feed(plan, &net);
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    float a[180], b[180];
    assert_int_equal(graft_plan_read(plan, before, a, sizeof a), GRAFT_OK);
    assert_int_equal(graft_plan_read(plan, alias, b, sizeof b), GRAFT_OK);
    int negative = 0;
    for (int i = 0; i < 180; i++) {
        negative += a[i] < 0;
        assert_true(b[i] == (a[i] < 0 ? 0 : a[i]));
    }
    assert_true(negative > 10);
    /* Not an output: refused, not garbage. */
    assert_int_equal(graft_plan_read(plan, after, b, sizeof b), GRAFT_ERROR_NOT_FOUND);
    graft_plan_close(&plan);
    close_fixture(&f);
}

/* Storages that live at the same time in the same chunk must not overlap, on a training graph. */
static void memory_never_overlaps(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "cpu", GRAFT_DTYPE_F32);
    const struct network net = residual_network(f.graph);
    int targets[2] = {graft_graph_find(f.graph, "a.w"), graft_graph_find(f.graph, "fc.w")}, gradients[2];
    assert_int_equal(graft_graph_gradient(f.graph, net.loss, targets, 2, gradients), GRAFT_OK);
    const struct graft_shape four = graft_shape_of(1, 4);
    const int hyper = graft_graph_input(f.graph, "hyper", GRAFT_DTYPE_F32, &four);
    const struct graft_update_attributes adam = {.beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f};
    for (int i = 0; i < 2; i++)
        assert_true(graft_update(f.graph, GRAFT_ADAM, targets[i], gradients[i], hyper, -1, &adam) >= 0);
    struct graft_plan *plan = NULL;
    assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, NULL, &plan), GRAFT_OK);
    const struct graft_memory *const memory = &plan->memory;
    int together = 0;
    for (int i = 0; i < memory->n_storages; i++)
        for (int k = 0; k < i; k++) {
            const struct graft_storage *const a = &memory->storages[i], *const b = &memory->storages[k];
            if (a->arena != b->arena || a->chunk != b->chunk || a->last < b->first || b->last < a->first)
                continue;
            together++;
            assert_true(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
        }
    assert_true(together > 20);
    graft_plan_close(&plan);
    close_fixture(&f);
}

/* A limit on single allocations splits arenas into chunks; the result stays. */
static void splits_large_arenas(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "reference", GRAFT_DTYPE_F32);
    const struct network net = residual_network(f.graph);
    float logits[2][8];
    for (int split = 0; split < 2; split++) {
        if (split)
            f.device->info.max_allocation_bytes = 2560;
        struct graft_plan *plan = NULL;
        assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, NULL, &plan), GRAFT_OK);
        assert_true(!split || plan->memory.n_chunks[GRAFT_ARENA_ACTIVATION] > 1);
        write_variables(&f);
        feed(plan, &net);
        assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_read(plan, net.logits, logits[split], sizeof logits[0]), GRAFT_OK);
        graft_plan_close(&plan);
    }
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    close_fixture(&f);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "reference", GRAFT_DTYPE_F32);
    (void)residual_network(f.graph);
    const struct graft_plan_options options = {.memory_limit = 1000};
    struct graft_plan *plan = NULL;
    assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, &options, &plan), GRAFT_ERROR_MEMORY);
    assert_null(plan);
    assert_non_null(strstr(graft_context_error(f.context), "smaller batch"));
    close_fixture(&f);
}

static bool has_device(const char *which)
{
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    assert_int_equal(graft_context_open(NULL, &context), GRAFT_OK);
    const enum graft_status status = graft_device_open(context, which, &device);
    graft_device_close(&device);
    graft_context_close(&context);
    return status == GRAFT_OK;
}

/* Runs, updates and refreshed weights allocate nothing. */
static void runs_allocate_nothing(void **state)
{
    (void)state;
    static const char *const devices[] = {"reference", "cpu", "opencl:0"};
    for (int d = 0; d < 3; d++) {
        struct fixture f;
        if (d == 2 && !has_device(devices[d])) {
            print_message("no OpenCL device: only reference and cpu\n");
            break;
        }
        open_fixture(&f, devices[d], GRAFT_DTYPE_F32);
        const struct network net = residual_network(f.graph);
        int target = graft_graph_find(f.graph, "fc.w"), gradient;
        assert_int_equal(graft_graph_gradient(f.graph, net.loss, &target, 1, &gradient), GRAFT_OK);
        const struct graft_shape four = graft_shape_of(1, 4);
        const int hyper = graft_graph_input(f.graph, "hyper", GRAFT_DTYPE_F32, &four);
        const struct graft_update_attributes sgd = {.momentum = 0.9f};
        assert_true(graft_update(f.graph, GRAFT_SGD, target, gradient, hyper, -1, &sgd) >= 0);
        struct graft_plan *plan = NULL;
        assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, NULL, &plan), GRAFT_OK);
        write_variables(&f);
        feed(plan, &net);
        const float hypers[4] = {0.1f, 1, 1, 1};
        assert_int_equal(graft_plan_write(plan, hyper, hypers, sizeof hypers), GRAFT_OK);
        float first = 0, loss = 0;
        const long before = atomic_load(&f.memory.uses);
        for (int step = 0; step < 5; step++) {
            assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
            assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_UPDATE), GRAFT_OK);
            assert_int_equal(graft_plan_read(plan, net.loss, &loss, sizeof loss), GRAFT_OK);
            first = step == 0 ? loss : first;
        }
        assert_int_equal(atomic_load(&f.memory.uses), before);
        assert_true(loss < first);
        graft_plan_close(&plan);
        close_fixture(&f);
    }
}

/* Weights that another plan (or the host) changes are folded and packed anew, without being told. */
static void notices_changed_variables(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "cpu", GRAFT_DTYPE_F32);
    const struct network net = residual_network(f.graph);
    struct graft_plan *plan = NULL;
    float before[8], after[8];
    assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, NULL, &plan), GRAFT_OK);
    write_variables(&f);
    feed(plan, &net);
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    assert_int_equal(graft_plan_read(plan, net.logits, before, sizeof before), GRAFT_OK);
    const float zeros[8 * 3 * 3 * 3] = {0};
    assert_int_equal(graft_variables_write(f.variables, "a.w", zeros, sizeof zeros), GRAFT_OK);
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    assert_int_equal(graft_plan_read(plan, net.logits, after, sizeof after), GRAFT_OK);
    assert_memory_not_equal(before, after, sizeof before);
    graft_plan_close(&plan);
    close_fixture(&f);
}

static void names_the_layer_that_made_nan(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "reference", GRAFT_DTYPE_F32);
    const struct network net = residual_network(f.graph);
    const struct graft_plan_options options = {.check_numbers = true};
    struct graft_plan *plan = NULL;
    assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, &options, &plan), GRAFT_OK);
    write_variables(&f);
    feed(plan, &net);
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    float bad[4] = {0, (float)NAN, 0, 0};
    assert_int_equal(graft_variables_write(f.variables, "fc.bias", bad, sizeof bad), GRAFT_OK);
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_ERROR_NUMERIC);
    assert_non_null(strstr(graft_context_error(f.context), "layer fc made NaN"));
    graft_plan_close(&plan);
    close_fixture(&f);
}

static void reports_mistakes(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "reference", GRAFT_DTYPE_F32);
    const struct graft_shape shape = graft_shape_of(2, 3, 4);
    const int x = graft_graph_input(f.graph, "x", GRAFT_DTYPE_F32, &shape);
    graft_graph_layer(f.graph, "bad.layer");
    assert_int_equal(graft_matmul(f.graph, x, x, -1, false, false), -1);
    assert_int_equal(graft_graph_status(f.graph), GRAFT_ERROR_SHAPE);
    assert_non_null(strstr(graft_context_error(f.context), "bad.layer"));
    /* After the first failure everything is -1, and nothing is planned. */
    assert_int_equal(graft_add(f.graph, x, x), -1);
    struct graft_plan *plan = NULL;
    assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, NULL, &plan), GRAFT_ERROR_SHAPE);
    assert_null(plan);
    graft_graph_close(&f.graph);

    assert_int_equal(graft_graph_open(f.context, GRAFT_DTYPE_I32, &f.graph), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_graph_open(f.context, GRAFT_DTYPE_F32, &f.graph), GRAFT_OK);
    for (int i = 0; i < 300; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "x%d", i);
        graft_graph_layer(f.graph, name);
        assert_int_equal(graft_graph_input(f.graph, name, GRAFT_DTYPE_F32, &shape), i);
        assert_int_equal(f.graph->layer, i);
    }
    graft_graph_layer(f.graph, "x17");
    assert_int_equal(f.graph->layer, 17);
    assert_int_equal(graft_graph_parameter(f.graph, "x17", &shape), -1); /* the name is taken */
    close_fixture(&f);

    open_fixture(&f, "reference", GRAFT_DTYPE_F32);
    (void)residual_network(f.graph);
    const struct graft_plan_options unknown = {.variants = "conv3d=fast"};
    assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, &unknown, &plan), GRAFT_ERROR_ARGUMENT);
    const struct graft_plan_options missing = {.variants = "conv2d=no-such-variant"};
    assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, &missing, &plan), GRAFT_ERROR_NOT_FOUND);
    close_fixture(&f);
}

/* Every allocation fails once: the status says so, nothing leaks, and the next attempt works. */
static void survives_failing_memory(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        struct fixture f;
        open_fixture(&f, "cpu", GRAFT_DTYPE_F32);
        struct graft_plan *plan = NULL;
        f.memory.fail_at = atomic_load(&f.memory.uses) + n;
        const struct graft_shape shape = graft_shape_of(4, 2, 6, 5, 3);
        (void)block(f.graph, graft_graph_input(f.graph, "x", GRAFT_DTYPE_F32, &shape), "a", 3, 8);
        graft_graph_output(f.graph, graft_graph_value_count(f.graph) - 1);
        enum graft_status status = graft_graph_status(f.graph);
        if (status == GRAFT_OK)
            status = graft_plan_open(f.graph, f.device, f.variables, NULL, &plan);
        assert_true(status == GRAFT_OK || status == GRAFT_ERROR_MEMORY);
        const bool reached = atomic_load(&f.memory.uses) > f.memory.fail_at;
        assert_true(status == GRAFT_ERROR_MEMORY || !reached);
        graft_plan_close(&plan);
        close_fixture(&f);
        if (!reached)
            break;
        assert_true(n < 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fuses_inference),
        cmocka_unit_test(fuses_additions),
        cmocka_unit_test(passes_keep_gradients),
        cmocka_unit_test(prunes_frozen_trunk),
        cmocka_unit_test(fuses_what_no_gradient_needs),
        cmocka_unit_test(keeps_what_is_read),
        cmocka_unit_test(memory_never_overlaps),
        cmocka_unit_test(splits_large_arenas),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(runs_allocate_nothing),
        cmocka_unit_test(notices_changed_variables),
        cmocka_unit_test(names_the_layer_that_made_nan),
        cmocka_unit_test(reports_mistakes),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
