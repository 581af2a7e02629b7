/* SPDX-License-Identifier: MIT */
/* The builders of group and layer normalization, with all gradients, against PyTorch's numbers. */
#include "graft/graph.h"
#include "op_expected.h"
#include "support/support.h"

#include <math.h>

/* Element i of a test tensor: the same as numbers() of op_expected.py. */
static double number(int64_t i, int seed)
{
    return (double)((i * 7 + seed * 3 + i / 11) % 11 - 5) / 4;
}

static int parameter(struct graft_graph *graph, const char *name, const struct graft_shape *shape)
{
    return graft_graph_parameter(graph, name, shape);
}

static void write_numbers(struct graft_variables *variables, const char *name, int64_t count, int seed)
{
    double values[128];
    for (int64_t i = 0; i < count; i++) {
        values[i] = number(i, seed);
    }
    assert_int_equal(graft_variables_write(variables, name, values, (uint64_t)count * sizeof *values),
                     GRAFT_OK);
}

static void compare(struct graft_plan *plan, int value, int64_t count, const double *expected,
                    const char *what)
{
    double values[128];
    assert_int_equal(graft_plan_read(plan, value, values, (uint64_t)count * sizeof *values), GRAFT_OK);
    for (int64_t i = 0; i < count; i++) {
        if (!(fabs(values[i] - expected[i]) <= 1e-13)) {
            fail_msg("%s[%d] is %.17g, not %.17g", what, (int)i, values[i], expected[i]);
        }
    }
}

enum kind { GROUP, LAYER };

/* y, dx, dgamma, dbeta of L = Σ y · numbers(seed 4). */
static void check(struct graft_context *context, enum kind kind, struct graft_shape of_x,
                  struct graft_shape of_gamma, const double *const expected[4])
{
    struct graft_device *device = NULL;
    struct graft_graph *graph = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    const int64_t count = graft_shape_count(&of_x), channels = graft_shape_count(&of_gamma);
    double dy[128];
    for (int64_t i = 0; i < count; i++) {
        dy[i] = number(i, 4);
    }
    assert_int_equal(graft_device_open(context, "reference", &device), GRAFT_OK);
    assert_int_equal(graft_graph_open(context, GRAFT_DTYPE_F64, &graph), GRAFT_OK);
    const int x = parameter(graph, "x", &of_x);
    const int gamma = parameter(graph, "gamma", &of_gamma);
    const int beta = parameter(graph, "beta", &of_gamma);
    const int y = kind == GROUP ? graft_group_norm(graph, x, gamma, beta, 3, 0.125f)
                                : graft_layer_norm(graph, x, gamma, beta, 2, 0.125f);
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = (1u << of_x.rank) - 1};
    const int loss =
        graft_reduce(graph, graft_mul(graph, y, graft_graph_constant(graph, "dy", &of_x, dy)), &all);
    const int targets[] = {x, gamma, beta};
    int gradients[3];
    assert_int_equal(graft_graph_gradient(graph, loss, targets, 3, gradients), GRAFT_OK);
    graft_graph_output(graph, y);
    for (int i = 0; i < 3; i++) {
        graft_graph_output(graph, gradients[i]);
    }
    assert_int_equal(graft_variables_open(device, &variables), GRAFT_OK);
    assert_int_equal(graft_plan_open(graph, device, variables, NULL, &plan), GRAFT_OK);
    write_numbers(variables, "x", count, 1);
    write_numbers(variables, "gamma", channels, 2);
    write_numbers(variables, "beta", channels, 3);
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    compare(plan, y, count, expected[0], "y");
    compare(plan, gradients[0], count, expected[1], "dx");
    compare(plan, gradients[1], channels, expected[2], "dgamma");
    compare(plan, gradients[2], channels, expected[3], "dbeta");
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    graft_graph_close(&graph);
    graft_device_close(&device);
}

static void group_normalization_is_that_of_pytorch(void **state)
{
    const double *const expected[] = {expected_group_norm, expected_group_norm_dx, expected_group_norm_dgamma,
                                      expected_group_norm_dbeta};
    check(*state, GROUP, graft_shape_of(4, 2, 3, 2, 6), graft_shape_of(1, 6), expected);
}

static void layer_normalization_is_that_of_pytorch(void **state)
{
    const double *const expected[] = {expected_layer_norm, expected_layer_norm_dx, expected_layer_norm_dgamma,
                                      expected_layer_norm_dbeta};
    check(*state, LAYER, graft_shape_of(3, 3, 2, 5), graft_shape_of(2, 2, 5), expected);
}

/* What cannot be is told with the figures. */
static void what_does_not_fit_is_refused(void **state)
{
    const struct graft_shape shape = graft_shape_of(4, 2, 3, 3, 6), six = graft_shape_of(1, 6);
    const char *const words[] = {"6 channels do not fall into 4 groups", "over 1 to 4 last dimensions, not 5",
                                 "without elements"};
    for (int i = 0; i < 3; i++) {
        struct graft_graph *graph = NULL;
        assert_int_equal(graft_graph_open(*state, GRAFT_DTYPE_F32, &graph), GRAFT_OK);
        const struct graft_shape flat = graft_shape_of(4, 2, 0, 3, 6);
        const int x = parameter(graph, "x", i == 2 ? &flat : &shape);
        const int gamma = parameter(graph, "gamma", &six), beta = parameter(graph, "beta", &six);
        const int y = i == 1 ? graft_layer_norm(graph, x, gamma, beta, 5, 1e-5f)
                             : graft_group_norm(graph, x, gamma, beta, i == 0 ? 4 : 2, 1e-5f);
        assert_int_equal(y, -1);
        assert_int_equal(graft_graph_status(graph), GRAFT_ERROR_SHAPE);
        assert_non_null(strstr(graft_context_error(*state), words[i]));
        graft_graph_close(&graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_normalization_is_that_of_pytorch),
        cmocka_unit_test(layer_normalization_is_that_of_pytorch),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, test_open_context, test_close_context);
}
