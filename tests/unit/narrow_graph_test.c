/* SPDX-License-Identifier: MIT */
/*
 * Where one slice is all that reads a value, only what it takes is computed, and so are gradients. They are
 * those of the graph in which somebody reads all of it.
 */
#include "support/plan_fixture.h"

#include <math.h>

enum { PICTURES = 2, TOKENS = 6, HEADS = 2, CHANNELS = 4, COUNT = PICTURES * TOKENS * CHANNELS };
enum { TARGETS = 6 };

/* A block of a transformer, of which the first token is read. */
struct net {
    int x, weights, qkv, out, wide, narrow, bias, attended, block, first, loss;
    int targets[TARGETS], gradients[TARGETS];
};

static int parameter(struct fixture *f, const char *name, int rows, int columns)
{
    const struct graft_shape shape = graft_shape_of(2, (int64_t)rows, (int64_t)columns);
    return graft_graph_parameter(f->graph, name, &shape);
}

static int heads_of(struct fixture *f, int qkv, int part)
{
    const struct graft_slice_attributes slice = {.begin = {0, 0, (int64_t)part * CHANNELS},
                                                 .size = {PICTURES, TOKENS, CHANNELS}};
    const struct graft_shape heads =
        graft_shape_of(4, (int64_t)PICTURES, (int64_t)TOKENS, (int64_t)HEADS, (int64_t)CHANNELS / HEADS);
    return graft_reshape(f->graph, graft_slice(f->graph, qkv, &slice), &heads);
}

static struct net build(struct fixture *f)
{
    struct graft_graph *const g = f->graph;
    const struct graft_shape tokens = graft_shape_of(3, PICTURES, TOKENS, CHANNELS);
    const struct graft_shape one = graft_shape_of(3, PICTURES, 1, CHANNELS);
    const struct graft_shape pairs = graft_shape_of(4, 1, HEADS, TOKENS, TOKENS);
    const struct graft_shape vector = graft_shape_of(1, CHANNELS);
    struct net n = {.x = graft_graph_input(g, "x", GRAFT_DTYPE_F32, &tokens),
                    .weights = graft_graph_input(g, "weights", GRAFT_DTYPE_F32, &one),
                    .qkv = parameter(f, "qkv", 3 * CHANNELS, CHANNELS),
                    .out = parameter(f, "out", CHANNELS, CHANNELS),
                    .wide = parameter(f, "wide", 3 * CHANNELS, CHANNELS),
                    .narrow = parameter(f, "narrow", 3 * CHANNELS, CHANNELS),
                    .bias = graft_graph_parameter(g, "bias", &pairs)};
    const int gamma = graft_graph_parameter(g, "gamma", &vector),
              beta = graft_graph_parameter(g, "beta", &vector);
    const struct graft_attention_attributes attention = {.scale = 0.7f};
    const int qkv = graft_matmul(g, graft_layer_norm(g, n.x, gamma, beta, 1, 1e-5f), n.qkv, -1, false, true);
    const int y = graft_attention(g, heads_of(f, qkv, 0), heads_of(f, qkv, 1), heads_of(f, qkv, 2), n.bias,
                                  -1, &attention);
    n.attended = graft_add(g, n.x, graft_matmul(g, graft_reshape(g, y, &tokens), n.out, -1, false, true));
    const int wide =
        graft_matmul(g, graft_layer_norm(g, n.attended, gamma, beta, 1, 1e-5f), n.wide, -1, false, true);
    n.block = graft_add(g, n.attended,
                        graft_matmul(g, graft_unary(g, GRAFT_UNARY_GELU, wide), n.narrow, -1, false, false));
    const struct graft_slice_attributes first = {.size = {PICTURES, 1, CHANNELS}};
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 7};
    n.first = graft_slice(g, n.block, &first);
    n.loss = graft_reduce(g, graft_mul(g, n.first, n.weights), &all);
    const int targets[TARGETS] = {n.x, n.qkv, n.out, n.wide, n.narrow, n.bias};
    for (int i = 0; i < TARGETS; i++)
        n.targets[i] = targets[i];
    graft_graph_output(g, n.loss);
    return n;
}

static void differentiate(struct fixture *f, struct net *n)
{
    assert_int_equal(graft_graph_gradient(f->graph, n->loss, n->targets, TARGETS, n->gradients), GRAFT_OK);
    for (int i = 0; i < TARGETS; i++)
        graft_graph_output(f->graph, n->gradients[i]);
}

static void fill(float *values, size_t count, int seed)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(((int)i * 37 + seed * 11) % 61) * 0.04f - 1.2f;
}

static void run(struct fixture *f, const struct net *n)
{
    static const char *const names[] = {"qkv", "out", "wide", "narrow", "bias", "gamma", "beta"};
    float values[COUNT * 3];
    open_plan(f, NULL);
    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++) {
        const struct graft_desc *const desc =
            graft_graph_desc(f->graph, graft_graph_find(f->graph, names[i]));
        const size_t count = (size_t)graft_shape_count(&desc->shape);
        assert_true(count <= sizeof values / sizeof values[0]);
        fill(values, count, i);
        assert_int_equal(graft_variables_write(f->variables, names[i], values, count * sizeof *values),
                         GRAFT_OK);
    }
    fill(values, COUNT, 9);
    assert_int_equal(graft_plan_write(f->plan, n->x, values, COUNT * sizeof *values), GRAFT_OK);
    assert_int_equal(graft_plan_write(f->plan, n->weights, values, PICTURES * CHANNELS * sizeof *values),
                     GRAFT_OK);
    assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
}

static size_t count_of(const struct fixture *f, int value)
{
    return (size_t)graft_shape_count(&graft_graph_desc(f->graph, value)->shape);
}

/* Steps of an op that make one row of each picture, of all pictures or of one; `all`: and those of more rows.
 */
static int steps_of(const struct fixture *f, enum graft_op op, bool all)
{
    int steps = 0;
    for (int s = 0; s < f->plan->n_steps; s++) {
        const struct graft_call *const call = &f->plan->steps[s].node->call;
        const struct graft_shape *const y = &call->out[0].shape;
        steps += call->op == op && (all || graft_shape_count(y) / graft_shape_width(y) <= PICTURES);
    }
    return steps;
}

static void compare(const float *a, const float *b, size_t count, const char *what, int which)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(a[i] - b[i]) <= 2e-5f * (1 + fabsf(b[i]))))
            fail_msg("%s %d [%zu] is %g, not %g", what, which, i, (double)a[i], (double)b[i]);
}

/* The loss's terms and the gradients, once as they are, once with all of the block read from outside. */
static void what_is_read_is_the_same(void **state)
{
    struct fixture *f = NULL;
    float results[2][TARGETS + 1][COUNT * 3] = {{{0}}};
    size_t counts[TARGETS + 1] = {0};
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        set_up((void **)&f);
        struct net n = build(f);
        graft_graph_output(f->graph, n.first);
        if (whole)
            graft_graph_output(f->graph, n.block);
        differentiate(f, &n);
        run(f, &n);
        for (int i = 0; i <= TARGETS; i++) {
            const int value = i < TARGETS ? n.gradients[i] : n.first;
            counts[i] = count_of(f, value);
            assert_int_equal(graft_plan_read(f->plan, value, results[whole][i], counts[i] * sizeof(float)),
                             GRAFT_OK);
        }
        /* out, wide and narrow; the gradients of their factors; gelu's, and what is normalized before wide.
         */
        assert_int_equal(steps_of(f, GRAFT_OP_MATMUL, false), whole ? 0 : 6);
        assert_int_equal(steps_of(f, GRAFT_OP_MATMUL, true), 12);
        assert_int_equal(steps_of(f, GRAFT_OP_UNARY_GRAD, false), whole ? 0 : 1);
        assert_int_equal(steps_of(f, GRAFT_OP_GROUP_NORM, false), whole ? 0 : 1);
        tear_down((void **)&f);
    }
    for (int i = 0; i <= TARGETS; i++)
        compare(results[0][i], results[1][i], counts[i], "result", i);
    float largest = 0;
    for (int i = 0; i < COUNT; i++)
        largest = fmaxf(largest, fabsf(results[0][0][i]));
    assert_true(largest > 0.01f);
}

/* Without a gradient the plan does it. */
static void inference_computes_what_is_read(void **state)
{
    struct fixture *const f = *state;
    const struct net n = build(f);
    run(f, &n);
    assert_int_equal(steps_of(f, GRAFT_OP_MATMUL, false), 3);
    assert_int_equal(steps_of(f, GRAFT_OP_MATMUL, true), 4);
    graft_plan_close(&f->plan);
    open_plan(f, &(struct graft_plan_options){.no_fusion = true});
    assert_int_equal(steps_of(f, GRAFT_OP_MATMUL, false), 0);
}

/* The gradient of a value in between is one of all of it, zeros included, and what has a layer's name is
 * whole. */
static void a_target_stays_whole(void **state)
{
    struct fixture *const f = *state;
    struct net n = build(f);
    n.targets[0] = n.attended;
    differentiate(f, &n);
    const struct graft_shape tokens = graft_shape_of(3, PICTURES, TOKENS, CHANNELS);
    assert_true(graft_shape_equal(&graft_graph_desc(f->graph, n.gradients[0])->shape, &tokens));
    run(f, &n);
    float gradient[COUNT];
    assert_int_equal(graft_plan_read(f->plan, n.gradients[0], gradient, sizeof gradient), GRAFT_OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(gradient[i] != 0.0f, i / CHANNELS % TOKENS == 0);
    /* wide, narrow and their factors' gradients, and out forwards. */
    assert_int_equal(steps_of(f, GRAFT_OP_MATMUL, false), 5);
}

/* The normalization's gradient reads the statistics of all rows: these are made once, and all rows with them.
 */
static void what_makes_something_else_stays(void **state)
{
    struct fixture *const f = *state;
    const struct graft_shape shape = graft_shape_of(2, TOKENS, CHANNELS),
                             vector = graft_shape_of(1, CHANNELS);
    const int x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &shape);
    const int gamma = graft_graph_parameter(f->graph, "gamma", &vector);
    const int y =
        graft_group_norm(f->graph, x, gamma, graft_graph_parameter(f->graph, "beta", &vector), 1, 1e-3f);
    const struct graft_slice_attributes one = {.begin = {2}, .size = {1, CHANNELS}};
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 3};
    const int loss = graft_reduce(f->graph, graft_slice(f->graph, y, &one), &all);
    const int targets[2] = {x, y};
    int gradients[2];
    assert_int_equal(graft_graph_gradient(f->graph, loss, targets, 2, gradients), GRAFT_OK);
    graft_graph_output(f->graph, loss);
    graft_graph_output(f->graph, gradients[0]);
    open_plan(f, NULL);
    assert_int_equal(steps_of(f, GRAFT_OP_GROUP_NORM, true), 1);
}

/* Half of the rows or more, or two readers: as it stands. */
static void what_others_read_stays(void **state)
{
    struct fixture *f = NULL;
    (void)state;
    for (int other = 0; other < 3; other++) {
        set_up((void **)&f);
        const struct graft_shape shape = graft_shape_of(3, PICTURES, TOKENS, CHANNELS);
        const int x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &shape);
        const int y = graft_unary(f->graph, GRAFT_UNARY_GELU, graft_add(f->graph, x, x));
        const struct graft_slice_attributes some = {.begin = {0, 1},
                                                    .size = {PICTURES, other == 1 ? 4 : 2, CHANNELS}};
        graft_graph_output(f->graph, graft_slice(f->graph, y, &some));
        if (other == 2)
            graft_graph_output(f->graph, graft_unary(f->graph, GRAFT_UNARY_ABS, y));
        open_plan(f, NULL);
        assert_int_equal(f->plan->steps[0].node->call.op, other ? GRAFT_OP_BINARY : GRAFT_OP_SLICE);
        tear_down((void **)&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_the_same),
        cmocka_unit_test_setup_teardown(inference_computes_what_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_target_stays_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_makes_something_else_stays, set_up, tear_down),
        cmocka_unit_test(what_others_read_stays)};
    return cmocka_run_group_tests_name("narrow_graph", tests, NULL, NULL);
}
