/* SPDX-License-Identifier: MIT */
/*
 * Functions of graph.h that are made of several ops: value and gradient against PyTorch's numbers
 * (spatial_expected.h, printed by spatial_expected.py), on the reference in f64 and on cpu.
 */
#include "base/context.h"
#include "graft/graph.h"
#include "spatial_expected.h"
#include "support/support.h"

#include <math.h>

#define COUNT(name) (sizeof(name) / sizeof *(name))
#define MOST 512

static double number(int64_t i, int seed) /* the same as numbers() of expected.py */
{
    return (double)((i * 7 + seed * 3 + i / 11) % 11 - 5) / 4;
}

struct run {
    enum graft_dtype real;
    struct graft_context *context;
    struct graft_device *device;
    struct graft_graph *graph;
    struct graft_variables *variables;
    struct graft_plan *plan;
    int x, y, gradient;
};

static void open_run(struct run *run, const char *device, enum graft_dtype real, struct graft_shape shape)
{
    *run = (struct run){.real = real};
    assert_int_equal(graft_context_open(&(struct graft_context_options){.threads = 2}, &run->context),
                     GRAFT_OK);
    assert_int_equal(graft_device_open(run->context, device, &run->device), GRAFT_OK);
    assert_int_equal(graft_graph_open(run->context, real, &run->graph), GRAFT_OK);
    assert_int_equal(graft_variables_open(run->device, &run->variables), GRAFT_OK);
    run->x = graft_graph_parameter(run->graph, "x", &shape);
}

static void close_run(struct run *run)
{
    graft_plan_close(&run->plan);
    graft_variables_close(&run->variables);
    graft_graph_close(&run->graph);
    graft_device_close(&run->device);
    graft_context_close(&run->context);
}

/* Adds L = Σ y · numbers of seed 2, and its gradient for x. */
static void add_gradient(struct run *run)
{
    const struct graft_desc *const desc = graft_graph_desc(run->graph, run->y);
    if (desc == NULL) {
        fail_msg("%s", graft_context_error(run->context));
        return;
    }
    double weights[MOST];
    const struct graft_shape shape = desc->shape;
    for (int64_t i = 0; i < graft_shape_count(&shape); i++)
        weights[i] = number(i, 2);
    const int product =
        graft_mul(run->graph, run->y, graft_graph_constant(run->graph, "weights", &shape, weights));
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = (1u << shape.rank) - 1};
    const int loss = graft_reduce(run->graph, product, &all);
    assert_int_equal(graft_graph_gradient(run->graph, loss, &run->x, 1, &run->gradient), GRAFT_OK);
    graft_graph_output(run->graph, run->y);
    graft_graph_output(run->graph, run->gradient);
}

static void compare(struct run *run, int value, const double *expected, size_t count, const char *what)
{
    double f64[MOST];
    float f32[MOST];
    const struct graft_desc *const desc = graft_graph_desc(run->graph, value);
    const bool wide = run->real == GRAFT_DTYPE_F64;
    assert_int_equal(graft_shape_count(&desc->shape), count);
    assert_int_equal(
        graft_plan_read(run->plan, value, wide ? (void *)f64 : (void *)f32, graft_desc_bytes(desc)),
        GRAFT_OK);
    for (size_t i = 0; i < count; i++) {
        const double got = wide ? f64[i] : (double)f32[i];
        if (!(fabs(got - expected[i]) <= (wide ? 1e-14 : 1e-6) * fmax(1, fabs(expected[i]))))
            fail_msg("%s: element %d is %.17g, expected %.17g", what, (int)i, got, expected[i]);
    }
}

static void check(int (*make)(struct graft_graph *graph, int x), struct graft_shape shape, const double *y,
                  size_t y_count, const double *dx, size_t dx_count, const char *what)
{
    for (int device = 0; device < 2; device++) {
        struct run run;
        double f64[MOST];
        float f32[MOST];
        open_run(&run, device == 0 ? "reference" : "cpu", device == 0 ? GRAFT_DTYPE_F64 : GRAFT_DTYPE_F32,
                 shape);
        run.y = make(run.graph, run.x);
        add_gradient(&run);
        for (size_t i = 0; i < dx_count; i++) {
            f64[i] = number((int64_t)i, 1);
            f32[i] = (float)f64[i];
        }
        if (graft_plan_open(run.graph, run.device, run.variables, NULL, &run.plan) != GRAFT_OK)
            fail_msg("%s", graft_context_error(run.context));
        const bool wide = run.real == GRAFT_DTYPE_F64;
        assert_int_equal(graft_variables_write(run.variables, "x", wide ? (void *)f64 : (void *)f32,
                                               dx_count * (wide ? 8 : 4)),
                         GRAFT_OK);
        assert_int_equal(graft_plan_run(run.plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        compare(&run, run.y, y, y_count, what);
        compare(&run, run.gradient, dx, dx_count, what);
        close_run(&run);
    }
}

#define CHECK(make, shape, name) check(make, shape, name, COUNT(name), name##_dx, COUNT(name##_dx), #name)

static int shuffled(struct graft_graph *graph, int x)
{
    return graft_channel_shuffle(graph, x, 3);
}

static void channels_are_shuffled_as_in_pytorch(void **state)
{
    (void)state;
    CHECK(shuffled, graft_shape_of(4, 1, 2, 3, 12), expected_shuffled);
}

static void global_maxima_are_those_of_pytorch(void **state)
{
    (void)state;
    CHECK(graft_global_max_pool, graft_shape_of(4, 2, 3, 4, 5), expected_global_max);
}

static int absolute_variation(struct graft_graph *graph, int x)
{
    return graft_total_variation(graph, x, false);
}

static int squared_variation(struct graft_graph *graph, int x)
{
    return graft_total_variation(graph, x, true);
}

static void total_variation_by_definition(void **state)
{
    (void)state;
    CHECK(absolute_variation, graft_shape_of(4, 2, 3, 5, 4), expected_variation);
    CHECK(squared_variation, graft_shape_of(4, 2, 3, 5, 4), expected_variation_squared);
    CHECK(absolute_variation, graft_shape_of(4, 2, 1, 5, 3), expected_variation_row);
}

static void bad_calls_are_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        struct run run;
        open_run(&run, "reference", GRAFT_DTYPE_F32,
                 which == 3 ? graft_shape_of(2, 4, 4) : graft_shape_of(4, 1, 2, 3, 12));
        static const int groups[] = {0, -1, 5, 1};
        assert_int_equal(graft_channel_shuffle(run.graph, run.x, groups[which]), -1);
        assert_int_equal(graft_graph_status(run.graph), GRAFT_ERROR_SHAPE);
        assert_non_null(strstr(graft_context_error(run.context), "channel shuffle"));
        assert_int_equal(graft_channel_shuffle(run.graph, -1, 3), -1);
        assert_int_equal(graft_global_max_pool(run.graph, -1), -1);
        assert_int_equal(graft_total_variation(run.graph, -1, false), -1);
        close_run(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_are_shuffled_as_in_pytorch),
        cmocka_unit_test(global_maxima_are_those_of_pytorch),
        cmocka_unit_test(total_variation_by_definition),
        cmocka_unit_test(bad_calls_are_refused),
    };
    return cmocka_run_group_tests_name("graph functions", tests, NULL, NULL);
}
