/* SPDX-License-Identifier: MIT */
/* A plan's memory: sums over runs, taking and giving back, what is told before anything is taken. */
#include "graph/plan.h"
#include "support/support.h"

enum { ROWS = 4, SIDE = 6, CHANNELS = 3, FILTERS = 5 };

struct fixture {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_graph *graph;
    struct graft_variables *variables;
    int x, weights, gradient, sum, mean_sum;
};

/*
 * conv → relu → sum; the gradient of the weights, summed over runs, and the sum of a value that has another
 * reader. False if there is no such device.
 */
static bool open_fixture(struct fixture *f, const char *device)
{
    const struct graft_context_options options = {.threads = 2};
    memset(f, 0, sizeof *f);
    assert_int_equal(graft_context_open(&options, &f->context), GRAFT_OK);
    if (graft_device_open(f->context, device, &f->device) != GRAFT_OK) {
        print_message("skipped on %s: %s\n", device, graft_context_error(f->context));
        graft_context_close(&f->context);
        return false;
    }
    assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &f->graph), GRAFT_OK);
    assert_int_equal(graft_variables_open(f->device, &f->variables), GRAFT_OK);
    const struct graft_shape x = graft_shape_of(4, ROWS, SIDE, SIDE, CHANNELS);
    const struct graft_shape w = graft_shape_of(4, FILTERS, 3, 3, CHANNELS);
    const struct graft_conv2d_attributes attributes = {
        .stride = {1, 1}, .dilation = {1, 1}, .pad = {1, 1, 1, 1}, .groups = 1};
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 15u};
    graft_graph_layer(f->graph, "conv");
    f->x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &x);
    f->weights = graft_graph_parameter(f->graph, "w", &w);
    const int y =
        graft_unary(f->graph, GRAFT_UNARY_RELU, graft_conv2d(f->graph, f->x, f->weights, -1, &attributes));
    const int loss = graft_reduce(f->graph, y, &all);
    assert_int_equal(graft_graph_gradient(f->graph, loss, &f->weights, 1, &f->gradient), GRAFT_OK);
    f->sum = graft_graph_sum(f->graph, f->gradient);
    f->mean_sum = graft_graph_sum(f->graph, loss);
    graft_graph_output(f->graph, f->sum);
    graft_graph_output(f->graph, f->mean_sum);
    graft_graph_output(f->graph, loss); /* another reader: the sum must copy */
    assert_int_equal(graft_graph_status(f->graph), GRAFT_OK);
    return true;
}

static void close_fixture(struct fixture *f)
{
    graft_variables_close(&f->variables);
    graft_graph_close(&f->graph);
    graft_device_close(&f->device);
    graft_context_close(&f->context);
}

/* Small integers: sums are exact in any order. */
static void fill(float *to, int count, int seed)
{
    for (int i = 0; i < count; i++)
        to[i] = (float)((i * 7 + seed * 13 + i / 5) % 5 - 2);
}

#define WEIGHTS (FILTERS * 9 * CHANNELS)
#define INPUTS (ROWS * SIDE * SIDE * CHANNELS)

static void write_weights(struct fixture *f)
{
    float weights[WEIGHTS];
    fill(weights, WEIGHTS, 3);
    assert_int_equal(graft_variables_write(f->variables, "w", weights, sizeof weights), GRAFT_OK);
}

static void run(const struct fixture *f, struct graft_plan *plan, int seed)
{
    float x[INPUTS];
    fill(x, INPUTS, seed);
    assert_int_equal(graft_plan_write(plan, f->x, x, sizeof x), GRAFT_OK);
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
}

/* The convolution's gradient, from its definition. `y` positive lets the gradient pass. */
static void expect(const float *weights, int seed, double *gradient, double *total)
{
    float x[INPUTS];
    fill(x, INPUTS, seed);
    for (int n = 0; n < ROWS; n++)
        for (int at = 0; at < SIDE * SIDE * FILTERS; at++) {
            const int o = at % FILTERS, px = at / FILTERS % SIDE, py = at / FILTERS / SIDE;
            double y = 0;
            for (int pass = 0; pass < 2; pass++) /* the value; then, if it is positive, the gradient */
                for (int k = 0; k < 9 * CHANNELS; k++) {
                    const int c = k % CHANNELS, ix = px + k / CHANNELS % 3 - 1,
                              iy = py + k / CHANNELS / 3 - 1;
                    if (ix < 0 || iy < 0 || ix >= SIDE || iy >= SIDE)
                        continue;
                    const double value = (double)x[((n * SIDE + iy) * SIDE + ix) * CHANNELS + c];
                    if (pass == 0)
                        y += value * (double)weights[o * 9 * CHANNELS + k];
                    else if (y > 0)
                        gradient[o * 9 * CHANNELS + k] += value;
                }
            *total += y > 0 ? y : 0;
        }
}

static void check_sums(const struct fixture *f, struct graft_plan *plan, int first, int last)
{
    float weights[WEIGHTS], sum[WEIGHTS], mean;
    double expected[WEIGHTS] = {0}, total = 0;
    fill(weights, WEIGHTS, 3);
    for (int seed = first; seed <= last; seed++)
        expect(weights, seed, expected, &total);
    assert_int_equal(graft_plan_read(plan, f->sum, sum, sizeof sum), GRAFT_OK);
    assert_int_equal(graft_plan_read(plan, f->mean_sum, &mean, sizeof mean), GRAFT_OK);
    for (int i = 0; i < WEIGHTS; i++)
        assert_true((double)sum[i] == expected[i]);
    assert_true((double)mean == total);
}

static const char *const devices[] = {"reference", "cpu", "opencl:0"};

static void sums_go_over_runs(void **state)
{
    (void)state;
    for (int d = 0; d < 3; d++) {
        struct fixture f;
        if (!open_fixture(&f, devices[d]))
            continue;
        int nodes[2];
        for (int plain = 0; plain < 2; plain++) {
            const struct graft_plan_options options = {.no_fusion = plain == 1};
            struct graft_plan *plan = NULL;
            assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, &options, &plan), GRAFT_OK);
            write_weights(&f);
            for (int round = 0; round < 2; round++) { /* what was there before does not count */
                assert_int_equal(graft_plan_clear(plan), GRAFT_OK);
                for (int seed = 1; seed <= 3 + round; seed++)
                    run(&f, plan, seed);
                check_sums(&f, plan, 1, 3 + round);
            }
            nodes[plain] = graft_plan_node_count(plan);
            graft_plan_close(&plan);
        }
        assert_true(nodes[0] < nodes[1]); /* the gradient's node adds by itself */
        close_fixture(&f);
    }
}

static uint64_t live_bytes(const struct fixture *f)
{
    uint64_t live, peak;
    graft_device_memory(f->device, &live, &peak);
    return live;
}

static void memory_comes_and_goes(void **state)
{
    (void)state;
    for (int d = 0; d < 3; d++) {
        struct fixture f;
        if (!open_fixture(&f, devices[d]))
            continue;
        const struct graft_plan_options options = {.deferred = true};
        struct graft_plan *plan = NULL;
        float x[INPUTS] = {0};
        assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, &options, &plan), GRAFT_OK);
        assert_int_equal(live_bytes(&f), 0);
        assert_int_equal(graft_variables_count(f.variables), 0);
        assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_ERROR_ARGUMENT);
        assert_int_equal(graft_plan_write(plan, f.x, x, sizeof x), GRAFT_ERROR_ARGUMENT);
        assert_int_equal(graft_plan_refresh(plan), GRAFT_ERROR_ARGUMENT);
        assert_int_equal(graft_plan_clear(plan), GRAFT_ERROR_ARGUMENT);
        const uint64_t need = graft_plan_need(plan);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(graft_plan_acquire(plan), GRAFT_OK);
            assert_int_equal(graft_plan_acquire(plan), GRAFT_OK); /* there is nothing more to take */
            if (d == 2) /* elsewhere packed weights are no buffers */
                assert_int_equal(live_bytes(&f), need);
            if (round == 0) /* the second time they are there, but packed no more */
                write_weights(&f);
            assert_int_equal(graft_plan_clear(plan), GRAFT_OK);
            run(&f, plan, 5);
            check_sums(&f, plan, 5, 5);
            graft_plan_release(plan);
            graft_plan_release(plan);
            struct graft_desc desc;
            assert_non_null(graft_variables_at(f.variables, 0, &desc, NULL));
            assert_int_equal(live_bytes(&f), graft_variables_size(&desc));
            assert_int_equal(graft_plan_need(plan), need - graft_variables_size(&desc));
        }
        graft_plan_close(&plan);
        close_fixture(&f);
    }
}

/* Arenas in several parts of different sizes take what the parts take, and give it back. */
static void parts_take_their_own_sizes(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(open_fixture(&f, "cpu"));
    const struct graft_plan_options options = {.whole_batch = true, .no_in_place = true};
    struct graft_plan *plan = NULL;
    f.device->info.max_allocation_bytes = 4096; /* y alone has 2880 */
    assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, &options, &plan), GRAFT_OK);
    struct graft_desc desc;
    assert_non_null(graft_variables_at(f.variables, 0, &desc, NULL));
    uint64_t sum = graft_variables_size(&desc) + plan->books.prepared, smallest = UINT64_MAX, largest = 0;
    for (int arena = 0; arena < GRAFT_ARENA_COUNT; arena++)
        for (int i = 0; i < plan->memory.n_chunks[arena]; i++) {
            const uint64_t bytes = plan->memory.chunk_bytes[arena][i];
            sum += bytes;
            if (arena == GRAFT_ARENA_ACTIVATION) {
                smallest = bytes < smallest ? bytes : smallest;
                largest = bytes > largest ? bytes : largest;
            }
        }
    assert_true(smallest < largest); /* so there are two, and not of one size */
    assert_int_equal(live_bytes(&f), sum);
    write_weights(&f);
    assert_int_equal(graft_plan_clear(plan), GRAFT_OK);
    run(&f, plan, 2);
    check_sums(&f, plan, 2, 2);
    graft_plan_close(&plan);
    assert_int_equal(live_bytes(&f), graft_variables_size(&desc));
    close_fixture(&f);
}

/* Also a constant that comes before everything else is written. */
static void constants_come_first(void **state)
{
    (void)state;
    const struct graft_shape shape = graft_shape_of(2, 2, 3);
    const double numbers[6] = {1, -2, 3, 4, 0.5, -6};
    const float x[6] = {2, 2, 2, 3, 3, 3};
    float y[6] = {0};
    for (int d = 0; d < 3; d++) {
        struct fixture f;
        if (!open_fixture(&f, devices[d]))
            continue;
        struct graft_graph *graph = NULL;
        struct graft_plan *plan = NULL;
        assert_int_equal(graft_graph_open(f.context, GRAFT_DTYPE_F32, &graph), GRAFT_OK);
        const int constant = graft_graph_constant(graph, "c", &shape, numbers);
        const int in = graft_graph_input(graph, "x", GRAFT_DTYPE_F32, &shape);
        const int out = graft_mul(graph, in, constant);
        graft_graph_output(graph, out);
        assert_int_equal(graft_plan_open(graph, f.device, f.variables, NULL, &plan), GRAFT_OK);
        assert_int_equal(graft_plan_write(plan, in, x, sizeof x), GRAFT_OK);
        assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_read(plan, out, y, sizeof y), GRAFT_OK);
        for (int i = 0; i < 6; i++)
            assert_true((double)y[i] == (double)x[i] * numbers[i]);
        graft_plan_close(&plan);
        graft_graph_close(&graph);
        close_fixture(&f);
    }
}

static void what_does_not_fit_is_told(void **state)
{
    (void)state;
    for (int d = 1; d < 3; d++) {
        struct fixture f;
        if (!open_fixture(&f, devices[d]))
            continue;
        struct graft_plan *plan = NULL;
        const uint64_t largest = f.device->info.max_allocation_bytes;
        f.device->info.max_allocation_bytes = 1500; /* y is larger: 4 · 6 · 6 · 5 floats */
        assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, NULL, &plan), GRAFT_ERROR_MEMORY);
        assert_non_null(strstr(graft_context_error(f.context), "largest single allocation"));
        assert_non_null(strstr(graft_context_error(f.context), "smaller batch"));
        f.device->info.max_allocation_bytes = 500; /* and the weights are: no batch would help */
        assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, NULL, &plan), GRAFT_ERROR_MEMORY);
        assert_non_null(strstr(graft_context_error(f.context), "the variable \"w\" [5, 3, 3, 3]"));
        assert_null(strstr(graft_context_error(f.context), "smaller batch"));
        f.device->info.max_allocation_bytes = largest;

        uint64_t before, peak;
        graft_context_memory(f.context, &before, &peak);
        graft_context_limit_memory(f.context, before + 20000);
        assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, NULL, &plan), GRAFT_ERROR_MEMORY);
        graft_context_limit_memory(f.context, 0);
        const struct graft_plan_options options = {.deferred = true};
        assert_int_equal(graft_plan_open(f.graph, f.device, f.variables, &options, &plan), GRAFT_OK);
        uint64_t live;
        graft_context_memory(f.context, &live, &peak);
        const uint64_t much = live + (64u << 20);
        graft_context_limit_memory(f.context, much);
        const uint64_t kernels = much - live - graft_plan_room(plan, 0); /* what they take by themselves */
        graft_context_limit_memory(f.context, live + kernels + graft_plan_need(plan) - 1);
        assert_false(graft_plan_fits(plan, 0));
        assert_int_equal(graft_plan_acquire(plan), GRAFT_ERROR_MEMORY);
        const char *const text = graft_context_error(f.context);
        assert_non_null(strstr(text, "smaller batch"));
        assert_non_null(strstr(text, "layer conv"));
        graft_context_limit_memory(f.context, live + kernels + graft_plan_need(plan) + 100);
        assert_true(graft_plan_fits(plan, 100));
        assert_false(graft_plan_fits(plan, 101));
        graft_plan_close(&plan);
        close_fixture(&f);
    }
}

/* ---- what a product's gradient makes again */

enum { TOKENS = 3, DEPTH = 8, WIDE = 1024 };

struct block {
    struct fixture f;
    int factors[2]; /* what the two products read first */
    int gradients[3];
};

/* Normalization, reshaped, · w1, GELU, · w2, sum; gradients of gamma, w1 and w2. `kept`: what products read
 * is an output. */
static void open_block(struct block *b, bool kept)
{
    static const char *const names[] = {"gamma", "w1", "w2"};
    struct fixture *const f = &b->f;
    memset(b, 0, sizeof *b);
    assert_int_equal(graft_context_open(NULL, &f->context), GRAFT_OK);
    assert_int_equal(graft_device_open(f->context, "reference", &f->device), GRAFT_OK);
    assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &f->graph), GRAFT_OK);
    assert_int_equal(graft_variables_open(f->device, &f->variables), GRAFT_OK);
    const struct graft_shape x = graft_shape_of(2, TOKENS, DEPTH), cut = graft_shape_of(3, 1, TOKENS, DEPTH);
    const struct graft_shape shapes[] = {graft_shape_of(1, DEPTH), graft_shape_of(2, DEPTH, WIDE),
                                         graft_shape_of(2, WIDE, 2)};
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 7u};
    int parameters[3];
    f->x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &x);
    for (int i = 0; i < 3; i++) {
        parameters[i] = graft_graph_parameter(f->graph, names[i], &shapes[i]);
    }
    const int moved = graft_mul(f->graph, f->x, parameters[0]); /* so that the normalization has a gradient */
    b->factors[0] = graft_reshape(
        f->graph, graft_group_norm(f->graph, moved, parameters[0], parameters[0], 1, 1e-5f), &cut);
    b->factors[1] = graft_unary(f->graph, GRAFT_UNARY_GELU,
                                graft_matmul(f->graph, b->factors[0], parameters[1], -1, false, false));
    for (int i = 0; i < 2 && kept; i++) {
        graft_graph_output(f->graph, b->factors[i]);
    }
    const int loss =
        graft_reduce(f->graph, graft_matmul(f->graph, b->factors[1], parameters[2], -1, false, false), &all);
    assert_int_equal(graft_graph_gradient(f->graph, loss, parameters, 3, b->gradients), GRAFT_OK);
    for (int i = 0; i < 3; i++) {
        graft_graph_output(f->graph, b->gradients[i]);
    }
}

static int readers_of(const struct graft_graph *graph, int value)
{
    int readers = 0;
    for (int n = 0; n < graph->n_nodes; n++) {
        for (int i = 0; i < graph->nodes[n].call.n_inputs; i++) {
            readers += graph->nodes[n].inputs[i] == value;
        }
    }
    return readers;
}

static void run_block(struct block *b, float gradients[DEPTH + (DEPTH + 2) * WIDE])
{
    struct graft_plan *plan;
    float values[DEPTH * WIDE];
    fill(values, DEPTH * WIDE, 5);
    assert_int_equal(graft_plan_open(b->f.graph, b->f.device, b->f.variables, NULL, &plan), GRAFT_OK);
    assert_int_equal(graft_variables_write(b->f.variables, "gamma", values, DEPTH * sizeof *values),
                     GRAFT_OK);
    assert_int_equal(graft_variables_write(b->f.variables, "w1", values, sizeof values), GRAFT_OK);
    assert_int_equal(graft_variables_write(b->f.variables, "w2", values, 2 * WIDE * sizeof *values),
                     GRAFT_OK);
    assert_int_equal(graft_plan_write(plan, b->f.x, values + 1, TOKENS * DEPTH * sizeof *values), GRAFT_OK);
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    const uint64_t counts[] = {DEPTH, DEPTH * WIDE, 2 * WIDE};
    for (int i = 0; i < 3; gradients += counts[i++]) {
        assert_int_equal(graft_plan_read(plan, b->gradients[i], gradients, counts[i] * sizeof *gradients),
                         GRAFT_OK);
    }
    graft_plan_close(&plan);
}

/* GELU's result and a normalization's are not kept for the gradient of the product that reads them. */
static void factors_are_made_again(void **state)
{
    (void)state;
    static float gradients[2][DEPTH + (DEPTH + 2) * WIDE];
    for (int kept = 0; kept < 2; kept++) {
        struct block b;
        open_block(&b, kept);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(readers_of(b.f.graph, b.factors[i]), kept ? 2 : 1);
        }
        run_block(&b, gradients[kept]);
        close_fixture(&b.f);
    }
    assert_memory_equal(gradients[0], gradients[1], sizeof gradients[0]);
    assert_true(gradients[0][DEPTH] != 0.0f);
}

enum again { NARROW, BROAD, UNNEEDED, NEEDED, FIXED, READ_TWICE, RESHAPED, FROZEN, AGAINS };

/* How often what w's factor is made by stands in the graph, once the loss was differentiated. */
static int count_made(enum again which, enum graft_op op)
{
    struct fixture f = {0};
    const bool reshaped = which == READ_TWICE || which == RESHAPED;
    const struct graft_shape shapes[] = {graft_shape_of(2, 8, 4), graft_shape_of(1, 4),
                                         graft_shape_of(2, 16, 2),
                                         graft_shape_of(2, reshaped ? 2 : 4,
                                                        which == NARROW  ? 1023
                                                        : which == BROAD ? 1024
                                                                         : 3)};
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 3u};
    int gradients[2], made = 0;
    assert_int_equal(graft_context_open(NULL, &f.context), GRAFT_OK);
    assert_int_equal(graft_graph_open(f.context, GRAFT_DTYPE_F32, &f.graph), GRAFT_OK);
    const int x = graft_graph_input(f.graph, "x", GRAFT_DTYPE_F32, &shapes[0]);
    const int gamma = graft_graph_parameter(f.graph, "gamma", &shapes[1]);
    const int w = graft_graph_parameter(f.graph, "w", &shapes[3]), targets[] = {gamma, w};
    const int moved = which == UNNEEDED ? x : graft_mul(f.graph, x, gamma);
    const int factor = which <= BROAD ? graft_group_norm(f.graph, moved, gamma, gamma, 1, 1e-5f)
                       : which == FROZEN
                           ? graft_unary(f.graph, GRAFT_UNARY_SILU,
                                         graft_batch_norm(f.graph, moved, gamma, gamma, gamma, gamma, 1e-5f))
                           : graft_unary(f.graph, GRAFT_UNARY_GELU, moved);
    const int read = reshaped ? graft_reshape(f.graph, factor, &shapes[2]) : factor;
    int loss = graft_reduce(f.graph, graft_matmul(f.graph, read, w, -1, false, false), &all);
    if (which == READ_TWICE) {
        loss = graft_add(f.graph, loss, graft_reduce(f.graph, factor, &all));
    }
    assert_int_equal(graft_graph_gradient(f.graph, loss, targets, which == FIXED ? 1 : 2, gradients),
                     GRAFT_OK);
    for (int n = 0; n < f.graph->n_nodes; n++) {
        made += f.graph->nodes[n].call.op == op;
    }
    graft_graph_close(&f.graph);
    graft_context_close(&f.context);
    return made;
}

/* Only for a gradient that takes it, only where it spares a tensor, and in the shape in which it was read. */
static void only_what_spares_memory_is_made_again(void **state)
{
    static const struct {
        enum graft_op op;
        int made;
    } wanted[AGAINS] = {[NARROW] = {GRAFT_OP_GROUP_NORM, 1}, [BROAD] = {GRAFT_OP_GROUP_NORM, 2},
                        [UNNEEDED] = {GRAFT_OP_UNARY, 1},    [NEEDED] = {GRAFT_OP_UNARY, 2},
                        [FIXED] = {GRAFT_OP_UNARY, 1},       [READ_TWICE] = {GRAFT_OP_UNARY, 1},
                        [RESHAPED] = {GRAFT_OP_UNARY, 2},    [FROZEN] = {GRAFT_OP_BATCH_NORM, 1}};
    (void)state;
    for (int which = 0; which < AGAINS; which++) {
        assert_int_equal(count_made((enum again)which, wanted[which].op), wanted[which].made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_go_over_runs),
        cmocka_unit_test(memory_comes_and_goes),
        cmocka_unit_test(parts_take_their_own_sizes),
        cmocka_unit_test(constants_come_first),
        cmocka_unit_test(what_does_not_fit_is_told),
        cmocka_unit_test(factors_are_made_again),
        cmocka_unit_test(only_what_spares_memory_is_made_again),
    };
    return cmocka_run_group_tests_name("plan_memory", tests, NULL, NULL);
}
