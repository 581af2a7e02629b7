/* SPDX-License-Identifier: MIT */
/* A large weight's gradient is made and applied by rows: what is learnt is what it is when all of it is made
 * first. */
#include "support/plan_fixture.h"

#include <math.h>

enum { PICTURES = 3, INPUTS = 40, OUTPUTS = 100, WEIGHTS = INPUTS * OUTPUTS, STEPS = 3 };
#define PIECE ((uint64_t)(2 * 16 + 5) * INPUTS * sizeof(float)) /* 32 rows, whole vectors each: 4 pieces */

/* What else stands in the graph. */
enum more { NOTHING, READER_BEHIND, GRADIENT_READ, GRADIENT_SUMMED, MORE_COUNT };

struct net {
    int x, hyper, weights, read;
};

static struct net build(struct fixture *f, enum graft_optimizer optimizer, enum more more)
{
    struct graft_graph *const g = f->graph;
    const struct graft_shape rows = graft_shape_of(2, PICTURES, INPUTS);
    const struct graft_shape matrix = graft_shape_of(2, OUTPUTS, INPUTS), four = graft_shape_of(1, 4);
    struct net n = {.x = graft_graph_input(g, "x", GRAFT_DTYPE_F32, &rows),
                    .hyper = graft_graph_input(g, "hyper", GRAFT_DTYPE_F32, &four),
                    .weights = graft_graph_parameter(g, "w", &matrix),
                    .read = -1};
    const int y = graft_matmul(g, n.x, n.weights, -1, false, true);
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 3};
    const int loss = graft_reduce(g, graft_mul(g, y, y), &all);
    int gradient = -1;
    graft_graph_output(g, loss);
    assert_int_equal(graft_graph_gradient(g, loss, &n.weights, 1, &gradient), GRAFT_OK);
    if (more == GRADIENT_SUMMED)
        gradient = graft_graph_sum(g, gradient);
    (void)graft_update(
        g, optimizer, n.weights, gradient, n.hyper, -1,
        &(struct graft_update_attributes){
            .momentum = 0.9f, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-3f, .weight_decay = 0.01f});
    graft_graph_segment(g, GRAFT_SEGMENT_UPDATE);
    if (more == READER_BEHIND || more == GRADIENT_READ) {
        n.read = graft_unary(g, GRAFT_UNARY_ABS, more == GRADIENT_READ ? gradient : n.weights);
        graft_graph_output(g, n.read);
    }
    graft_graph_segment(g, GRAFT_SEGMENT_COMPUTE);
    return n;
}

static int updates_of(const struct fixture *f)
{
    int steps = 0;
    for (int s = 0; s < f->plan->n_steps; s++)
        steps += graft_op_get(f->plan->steps[s].node->call.op)->updates;
    return steps;
}

/* `variables` gets the weights, then the optimizer's states. */
static void learn(struct fixture *f, const struct net *n, float variables[3][WEIGHTS], float *read)
{
    float x[PICTURES * INPUTS], weights[WEIGHTS];
    const float hyper[4] = {0.01f, 0.5f, 0.25f, 1};
    for (int i = 0; i < WEIGHTS; i++)
        weights[i] = (float)(i * 37 % 61) * 0.01f - 0.3f;
    assert_int_equal(graft_variables_write(f->variables, "w", weights, sizeof weights), GRAFT_OK);
    assert_int_equal(graft_plan_write(f->plan, n->hyper, hyper, sizeof hyper), GRAFT_OK);
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < PICTURES * INPUTS; i++)
            x[i] = (float)((i + step) * 23 % 19) * 0.1f - 0.9f;
        assert_int_equal(graft_plan_clear(f->plan), GRAFT_OK);
        assert_int_equal(graft_plan_write(f->plan, n->x, x, sizeof x), GRAFT_OK);
        assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_UPDATE), GRAFT_OK);
    }
    assert_true(graft_variables_count(f->variables) <= 3);
    for (int i = 0; i < graft_variables_count(f->variables); i++)
        assert_int_equal(graft_variables_read(f->variables, graft_variables_at(f->variables, i, NULL, NULL),
                                              variables[i], sizeof weights),
                         GRAFT_OK);
    if (n->read >= 0)
        assert_int_equal(graft_plan_read(f->plan, n->read, read, sizeof weights), GRAFT_OK);
}

static void compare(enum graft_optimizer optimizer, enum more more, int pieces)
{
    static float variables[2][3][WEIGHTS], read[2][WEIGHTS];
    struct fixture *f = NULL;
    memset(variables, 0, sizeof variables);
    for (int whole = 0; whole < 2; whole++) {
        set_up((void **)&f);
        const struct net n = build(f, optimizer, more);
        if (!whole)
            graft_pass_pieces(f->graph, PIECE);
        open_plan(f, NULL);
        assert_int_equal(updates_of(f), whole ? 1 : pieces);
        learn(f, &n, variables[whole], read[whole]);
        tear_down((void **)&f);
    }
    for (int v = 0; v < 3; v++)
        for (int i = 0; i < WEIGHTS; i++)
            if (!(fabsf(variables[0][v][i] - variables[1][v][i]) <= 1e-6f * (1 + fabsf(variables[1][v][i]))))
                fail_msg("optimizer %d, case %d: variable %d [%d] is %g, not %g", (int)optimizer, (int)more,
                         v, i, (double)variables[0][v][i], (double)variables[1][v][i]);
    for (int i = 0; i < WEIGHTS && more == READER_BEHIND; i++)
        assert_true(read[0][i] == fabsf(variables[0][0][i]));
    assert_true(fabsf(variables[1][0][WEIGHTS - 1] - variables[1][0][0]) > 1e-3f);
}

static void pieces_learn_the_same(void **state)
{
    (void)state;
    compare(GRAFT_SGD, NOTHING, 4);
    compare(GRAFT_ADAM, NOTHING, 4);
    compare(GRAFT_RMSPROP, NOTHING, 4);
}

/* The average of a parameter, for one. */
static void what_reads_the_parameter_comes_behind(void **state)
{
    (void)state;
    compare(GRAFT_ADAM, READER_BEHIND, 4);
}

static void a_gradient_that_others_read_is_made(void **state)
{
    (void)state;
    compare(GRAFT_ADAM, GRADIENT_READ, 1);
    compare(GRAFT_ADAM, GRADIENT_SUMMED, 1);
}

/* Plans do it where it is large: the memory of one piece is all that it takes. */
static void plans_make_pieces(void **state)
{
    struct fixture *const f = *state;
    const int64_t inputs = 16 * 1024, outputs = 2 * 1024; /* 128 MiB */
    const struct graft_shape rows = graft_shape_of(2, (int64_t)1, inputs),
                             matrix = graft_shape_of(2, outputs, inputs);
    const struct graft_shape four = graft_shape_of(1, 4);
    const int x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &rows);
    const int hyper = graft_graph_input(f->graph, "hyper", GRAFT_DTYPE_F32, &four);
    const int weights = graft_graph_parameter(f->graph, "w", &matrix);
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 3};
    const int loss = graft_reduce(f->graph, graft_matmul(f->graph, x, weights, -1, false, true), &all);
    int gradient = -1;
    struct graft_plan_memory memory;
    graft_graph_output(f->graph, loss);
    assert_int_equal(graft_graph_gradient(f->graph, loss, &weights, 1, &gradient), GRAFT_OK);
    (void)graft_update(f->graph, GRAFT_SGD, weights, gradient, hyper, -1,
                       &(struct graft_update_attributes){0});
    const uint64_t whole = graft_shape_count(&matrix) * sizeof(float);
    f->device->cache_bytes = 0;
    open_plan(f, &(struct graft_plan_options){.deferred = true});
    graft_plan_get_memory(f->plan, &memory);
    assert_true(memory.activations < whole / 4);
    assert_int_equal(updates_of(f), 8);
    graft_plan_close(&f->plan);
    f->device->cache_bytes = whole; /* half of it */
    open_plan(f, &(struct graft_plan_options){.deferred = true});
    assert_int_equal(updates_of(f), 2);
    graft_plan_close(&f->plan);
    open_plan(f, &(struct graft_plan_options){.deferred = true, .no_fusion = true});
    assert_int_equal(updates_of(f), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_learn_the_same),
                                       cmocka_unit_test(what_reads_the_parameter_comes_behind),
                                       cmocka_unit_test(a_gradient_that_others_read_is_made),
                                       cmocka_unit_test_setup_teardown(plans_make_pieces, set_up, tear_down)};
    return cmocka_run_group_tests_name("pieces", tests, NULL, NULL);
}
