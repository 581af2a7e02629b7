/* SPDX-License-Identifier: MIT */
/* The order of a plan's steps: what waits until the activations before it are gone, and what must not. */
#include "graph/order.h"
#include "support/support.h"

enum { ROWS = 4, INNER = 8, MOST_NODES = 32 };

struct fixture {
    struct graft_context *context;
    struct graft_graph *graph;
    int hidden; /* an activation [ROWS, INNER] */
};

static int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    const struct graft_shape shape = graft_shape_of(2, ROWS, INNER);
    assert_int_equal(graft_context_open(NULL, &f->context), GRAFT_OK);
    assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &f->graph), GRAFT_OK);
    const int x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &shape);
    f->hidden = graft_unary(f->graph, GRAFT_UNARY_RELU, x);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    graft_graph_close(&f->graph);
    graft_context_close(&f->context);
    free(f);
    return 0;
}

static int output(struct fixture *f, int value)
{
    graft_graph_output(f->graph, value);
    return value;
}

/* hidden × a parameter of its own: [ROWS, columns] */
static int product(struct fixture *f, const char *name, int64_t columns)
{
    const struct graft_shape shape = graft_shape_of(2, INNER, columns);
    return graft_matmul(f->graph, f->hidden, graft_graph_parameter(f->graph, name, &shape), -1, false, false);
}

/* What is neither larger than the activation that it reads nor read by others. */
static int last_of_all(struct fixture *f)
{
    return output(f, graft_unary(f->graph, GRAFT_UNARY_TANH, f->hidden));
}

/* When the node that makes `value` runs. */
static int step_of(const struct fixture *f, int value)
{
    int order[MOST_NODES], count = 0;
    assert_int_equal(graft_graph_status(f->graph), GRAFT_OK);
    assert_in_range(f->graph->n_nodes, 1, MOST_NODES);
    assert_int_equal(graft_order_steps(f->graph, order, &count), GRAFT_OK);
    for (int s = 0; s < count; s++) {
        if (order[s] == f->graph->values[value].producer) {
            return s;
        }
    }
    fail_msg("nobody makes value %d", value);
    return -1;
}

/* Larger than the activation, if by little: that one can go meanwhile. As large: nothing is won. */
static void larger_results_wait(void **state)
{
    struct fixture *const f = *state;
    const int larger = output(f, product(f, "larger", INNER + 1));
    const int equal = output(f, product(f, "equal", INNER));
    const int last = last_of_all(f);
    assert_true(step_of(f, equal) < step_of(f, last));
    assert_true(step_of(f, last) < step_of(f, larger));
}

/* What is as large as the activation, and some numbers more, which are the node's other outputs. */
static void all_outputs_count(void **state)
{
    struct fixture *const f = *state;
    const struct graft_shape channels = graft_shape_of(1, INNER);
    const int gamma = graft_graph_parameter(f->graph, "gamma", &channels);
    const int beta = graft_graph_parameter(f->graph, "beta", &channels);
    const int normal = output(f, graft_group_norm(f->graph, f->hidden, gamma, beta, 2, 1e-5F));
    const struct graft_node *const node = &f->graph->nodes[f->graph->values[normal].producer];
    const int last = last_of_all(f);
    assert_int_equal(graft_graph_desc(f->graph, node->outputs[0])->shape.dim[1], INNER);
    assert_true(node->outputs[1] >= 0);
    assert_true(step_of(f, last) < step_of(f, normal));
}

/* A statistic is copied, itself and under another name, before the batch moves it. */
static void old_states_are_read_before(void **state)
{
    struct fixture *const f = *state;
    const struct graft_shape channels = graft_shape_of(1, INNER), line = graft_shape_of(2, 1, INNER);
    const struct graft_shape many = graft_shape_of(2, 100, INNER);
    const int gamma = graft_graph_parameter(f->graph, "gamma", &channels);
    const int beta = graft_graph_parameter(f->graph, "beta", &channels);
    const int mean = graft_graph_state(f->graph, "mean", &channels, 0);
    const int variance = graft_graph_state(f->graph, "variance", &channels, 1);
    const int before = output(f, graft_broadcast(f->graph, mean, &many, 1));
    const int renamed = output(f, graft_broadcast(f->graph, graft_reshape(f->graph, mean, &line), &many, 1));
    output(f, graft_batch_norm_training(f->graph, f->hidden, gamma, beta, mean, variance, 1e-5F, 0.1F));
    const int last = last_of_all(f);
    assert_true(step_of(f, before) < step_of(f, last));
    assert_true(step_of(f, renamed) < step_of(f, last));
}

/* Two products in the same memory: the second one makes nothing new. */
static void sums_do_not_wait(void **state)
{
    struct fixture *const f = *state;
    const int first = product(f, "first", 2 * INNER);
    const int sum = output(f, graft_add(f->graph, first, product(f, "second", 2 * INNER)));
    const int last = last_of_all(f);
    graft_pass_accumulate(f->graph);
    assert_int_equal(f->graph->nodes[f->graph->values[sum].producer].continues, first);
    assert_true(step_of(f, first) < step_of(f, sum));
    assert_true(step_of(f, sum) < step_of(f, last));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(larger_results_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_outputs_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_states_are_read_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_do_not_wait, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
