/* SPDX-License-Identifier: MIT */
/* Where the slope of an activation is multiplied in: in the gradients of the normalization before it, if
 * nobody else reads the product. The gradients are those of the graph as it was built. */
#include "support/plan_fixture.h"

#include <math.h>

enum { ROWS = 12, CHANNELS = 5, COUNT = ROWS * CHANNELS };

/* x, gamma, beta, mean, var; then what the loss weighs the result by. */
struct net {
    int x, gamma, beta, mean, var, weights, normalized;
};

static int vector(struct fixture *f, const char *name)
{
    const struct graft_shape shape = graft_shape_of(1, CHANNELS);
    return graft_graph_parameter(f->graph, name, &shape);
}

static struct net begin(struct fixture *f, bool training)
{
    const struct graft_shape shape = graft_shape_of(2, ROWS, CHANNELS);
    struct net n = {.x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &shape),
                    .gamma = vector(f, "gamma"),
                    .beta = vector(f, "beta"),
                    .mean = vector(f, "mean"),
                    .var = vector(f, "var"),
                    .weights = graft_graph_input(f->graph, "weights", GRAFT_DTYPE_F32, &shape)};
    n.normalized = training
                       ? graft_batch_norm_training(f->graph, n.x, n.gamma, n.beta, n.mean, n.var, 1e-3f, 0.1f)
                       : graft_batch_norm(f->graph, n.x, n.gamma, n.beta, n.mean, n.var, 1e-3f);
    return n;
}

/* sum(y · weights) and its gradients for x, gamma and beta become outputs. */
static void differentiate(struct fixture *f, const struct net *n, int y, int gradients[3])
{
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 3};
    const int loss = graft_reduce(f->graph, graft_mul(f->graph, y, n->weights), &all);
    const int targets[] = {n->x, n->gamma, n->beta};
    graft_graph_output(f->graph, loss);
    assert_int_equal(graft_graph_gradient(f->graph, loss, targets, 3, gradients), GRAFT_OK);
    for (int i = 0; i < 3; i++)
        graft_graph_output(f->graph, gradients[i]);
}

static void write_vector(const struct fixture *f, const char *name, float first, float step)
{
    float values[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        values[i] = first + step * (float)i;
    assert_int_equal(graft_variables_write(f->variables, name, values, sizeof values), GRAFT_OK);
}

static void run(const struct fixture *f, const struct net *n, const int gradients[3], float results[3][COUNT])
{
    float x[COUNT], weights[COUNT];
    for (int i = 0; i < COUNT; i++) {
        x[i] = (float)(i * 37 % 61) * 0.17f - 4.9f;
        weights[i] = (float)(i * 23 % 19) * 0.3f - 2.6f;
    }
    write_vector(f, "gamma", 2.5f, -0.9f);
    write_vector(f, "beta", -1.55f, 1.2f);
    write_vector(f, "mean", 0.3f, -0.2f);
    write_vector(f, "var", 1.5f, 2);
    assert_int_equal(graft_plan_write(f->plan, n->x, x, sizeof x), GRAFT_OK);
    assert_int_equal(graft_plan_write(f->plan, n->weights, weights, sizeof weights), GRAFT_OK);
    assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            graft_plan_read(f->plan, gradients[i], results[i], i == 0 ? sizeof x : CHANNELS * sizeof(float)),
            GRAFT_OK);
}

static int count(const struct fixture *f, enum graft_op op)
{
    int steps = 0;
    for (int s = 0; s < f->plan->n_steps; s++)
        steps += f->plan->steps[s].node->call.op == op;
    return steps;
}

/* The same gradients with and without passes, of which `slopes` stay ops of their own. */
static void compare(struct fixture *f, const struct net *n, const int gradients[3], int slopes,
                    const char *what)
{
    float results[2][3][COUNT] = {{{0}}};
    for (int plain = 0; plain < 2; plain++) {
        open_plan(f, &(struct graft_plan_options){.no_fusion = plain});
        run(f, n, gradients, results[plain]);
        if (!plain && count(f, GRAFT_OP_UNARY_GRAD) != slopes)
            fail_msg("%s: %d slopes are ops of their own", what, count(f, GRAFT_OP_UNARY_GRAD));
        if (!plain &&
            slopes == 0) { /* it is not made again for the slope, and makes what the activation makes */
            assert_int_equal(count(f, GRAFT_OP_BATCH_NORM), 1);
            assert_int_equal(count(f, GRAFT_OP_UNARY), 0);
        }
        graft_plan_close(&f->plan);
    }
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < (i == 0 ? COUNT : CHANNELS); k++)
            if (!(fabsf(results[0][i][k] - results[1][i][k]) <= 1e-5f * (1 + fabsf(results[1][i][k]))))
                fail_msg("%s: gradient %d [%d] is %g, not %g", what, i, k, (double)results[0][i][k],
                         (double)results[1][i][k]);
}

static void slopes_move_into_normalizations(void **state)
{
    static const enum graft_unary kinds[] = {GRAFT_UNARY_RELU,       GRAFT_UNARY_RELU6,
                                             GRAFT_UNARY_SIGMOID,    GRAFT_UNARY_HARD_SIGMOID,
                                             GRAFT_UNARY_HARD_SWISH, GRAFT_UNARY_SILU};
    struct fixture *f = NULL;
    (void)state;
    for (size_t i = 0; i < 2 * sizeof kinds / sizeof kinds[0]; i++) {
        const enum graft_unary kind = kinds[i / 2];
        const bool training = i % 2 == 0;
        int gradients[3];
        set_up((void **)&f);
        const struct net n = begin(f, training);
        differentiate(f, &n, graft_unary(f->graph, kind, n.normalized), gradients);
        compare(f, &n, gradients, 0, graft_unary_name(kind));
        tear_down((void **)&f);
    }
}

/* The other branch of an addition has the same gradient: it is made. */
static void what_others_read_is_made(void **state)
{
    struct fixture *const f = *state;
    int gradients[3];
    const struct net n = begin(f, true);
    const int sum = graft_add(f->graph, n.normalized, graft_unary(f->graph, GRAFT_UNARY_ABS, n.x));
    differentiate(f, &n, graft_unary(f->graph, GRAFT_UNARY_RELU, sum), gradients);
    compare(f, &n, gradients, 2, "residual");
}

/* So is one that is read from outside. */
static void an_output_is_made(void **state)
{
    struct fixture *const f = *state;
    int gradients[3];
    const struct net n = begin(f, true);
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 3};
    const int y = graft_unary(f->graph, GRAFT_UNARY_RELU, n.normalized);
    const int loss = graft_reduce(f->graph, graft_mul(f->graph, y, n.weights), &all);
    const int targets[] = {n.x, n.gamma, n.beta, n.normalized};
    int all_gradients[4];
    assert_int_equal(graft_graph_gradient(f->graph, loss, targets, 4, all_gradients), GRAFT_OK);
    for (int i = 0; i < 4; i++)
        graft_graph_output(f->graph, all_gradients[i]);
    for (int i = 0; i < 3; i++)
        gradients[i] = all_gradients[i];
    compare(f, &n, gradients, 1, "output");
}

/* What is normalized goes to a second reader, whose gradient is added behind the activation's. */
static void two_ways_are_added(void **state)
{
    struct fixture *const f = *state;
    int gradients[3];
    const struct net n = begin(f, true);
    const int y = graft_add(f->graph, graft_unary(f->graph, GRAFT_UNARY_RELU, n.normalized),
                            graft_unary(f->graph, GRAFT_UNARY_TANH, n.normalized));
    differentiate(f, &n, y, gradients);
    compare(f, &n, gradients, 2, "two ways");
}

/* Of a frozen normalization only x has a gradient: one reader is enough, unless what it reads is an output,
 * too. */
static void one_reader_is_enough(void **state)
{
    struct fixture *f = NULL;
    (void)state;
    for (int read = 0; read < 2; read++) {
        int gradients[2];
        set_up((void **)&f);
        const struct net n = begin(f, false);
        const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 3};
        const int y = graft_unary(f->graph, GRAFT_UNARY_RELU, n.normalized);
        const int loss = graft_reduce(f->graph, graft_mul(f->graph, y, n.weights), &all);
        const int targets[] = {n.x, n.normalized};
        assert_int_equal(graft_graph_gradient(f->graph, loss, targets, 2, gradients), GRAFT_OK);
        for (int i = 0; i <= read; i++)
            graft_graph_output(f->graph, gradients[i]);
        open_plan(f, NULL);
        assert_int_equal(count(f, GRAFT_OP_UNARY_GRAD), read);
        assert_int_equal(count(f, GRAFT_OP_BATCH_NORM), read);
        assert_int_equal(count(f, GRAFT_OP_BATCH_NORM_GRAD_INPUT), 1);
        tear_down((void **)&f);
    }
}

static void only_an_activation_takes_beta(void **state)
{
    struct fixture *const f = *state;
    struct graft_call call = {.op = GRAFT_OP_BATCH_NORM_GRAD_PARAM, .n_inputs = 6};
    const struct graft_desc matrix = {GRAFT_DTYPE_F32, graft_shape_of(2, ROWS, CHANNELS)};
    const struct graft_desc numbers = {GRAFT_DTYPE_F32, graft_shape_of(1, CHANNELS)};
    for (int i = 0; i < 6; i++)
        call.in[i] = i < 2 ? matrix : numbers;
    assert_int_equal(graft_op_infer(f->context, &call), GRAFT_ERROR_SHAPE);
    assert_non_null(strstr(graft_context_error(f->context), "beta"));
    call.attributes.batch_norm.activation = GRAFT_UNARY_RELU;
    assert_int_equal(graft_op_infer(f->context, &call), GRAFT_OK);
    call.n_inputs = 4;
    call.in[4].dtype = call.in[5].dtype = GRAFT_DTYPE_NONE;
    assert_int_equal(graft_op_infer(f->context, &call), GRAFT_ERROR_SHAPE);
    assert_non_null(strstr(graft_context_error(f->context), "relu"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slopes_move_into_normalizations),
        cmocka_unit_test_setup_teardown(what_others_read_is_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_output_is_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_ways_are_added, set_up, tear_down),
        cmocka_unit_test(one_reader_is_enough),
        cmocka_unit_test_setup_teardown(only_an_activation_takes_beta, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
