/* SPDX-License-Identifier: MIT */
/*
 * CLBlast's products where a library can be wrong without a word: sizes on both sides of where it changes its
 * algorithm, operands that do not begin where their buffer begins. Small integers, so that the sums are exact
 * in f32 in every order.
 */
#include "backend/backend.h"
#include "backend/opencl/opencl.h"
#include "base/random.h"
#include "graft/graph.h"
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_random random;
};

static int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    assert_int_equal(graft_context_open(NULL, &f->context), GRAFT_OK);
    if (graft_device_open(f->context, "opencl:0", &f->device) != GRAFT_OK) {
        f->device = NULL;
    }
    graft_random_start(&f->random, 12, 1);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    free(f);
    return 0;
}

static void need_device(struct fixture *f)
{
    if (f->device == NULL) {
        print_message("no OpenCL device: %s\n", graft_context_error(f->context));
        skip();
    }
}

static void need(struct fixture *f, enum graft_status status)
{
    if (status != GRAFT_OK) {
        fail_msg("%s", graft_context_error(f->context));
    }
}

static float *make_integers(struct fixture *f, size_t count)
{
    float *const data = malloc(count * sizeof *data);
    assert_non_null(data);
    for (size_t i = 0; i < count; i++) {
        data[i] = (float)((int)graft_random_below(&f->random, 7) - 3);
    }
    return data;
}

/* y r = a (b r) for a random r of −1, 0 and 1 (Freivalds, 1977): a wrong y passes with a chance of a third at
 * most. All numbers are integers below 2^53. a [m, k], b [k, n], y [m, n]. */
static bool passes_freivalds(struct fixture *f, const float *a, const float *b, const float *y, size_t m,
                             size_t n, size_t k)
{
    double *const r = malloc(n * sizeof *r), *const br = malloc(k * sizeof *br);
    bool same = true;
    for (size_t j = 0; j < n; j++) {
        r[j] = (double)graft_random_below(&f->random, 3) - 1;
    }
    for (size_t l = 0; l < k; l++) {
        br[l] = 0;
        for (size_t j = 0; j < n; j++) {
            br[l] += (double)b[l * n + j] * r[j];
        }
    }
    for (size_t i = 0; i < m && same; i++) {
        double left = 0, right = 0;
        for (size_t j = 0; j < n; j++) {
            left += (double)y[i * n + j] * r[j];
        }
        for (size_t l = 0; l < k; l++) {
            right += (double)a[i * k + l] * br[l];
        }
        same = left == right;
    }
    free(r);
    free(br);
    return same;
}

#define SIDE 1536 /* of the matrices: beyond what CLBlast's database calls small on every device */
#define FIRST 1000
#define SAMPLES 100

/* As a network has it: all parameters in one buffer, so that the factors begin somewhere inside. */
static void large_products_inside_a_buffer(void **state)
{
    struct fixture *const f = *state;
    const struct graft_shape first_shape = graft_shape_of(1, FIRST), side = graft_shape_of(2, SIDE, SIDE);
    const size_t count = (size_t)SIDE * SIDE, bytes = count * sizeof(float);
    struct graft_graph *graph = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    need_device(f);
    float *const a = make_integers(f, count), *const b = make_integers(f, count);
    float *const y = malloc(bytes), zeros[FIRST] = {0};
    const struct graft_plan_options options = {.variants = "matmul=clblast"};
    need(f, graft_graph_open(f->context, GRAFT_DTYPE_F32, &graph));
    need(f, graft_variables_open(f->device, &variables));
    const int first = graft_graph_parameter(graph, "first", &first_shape);
    const int product = graft_matmul(graph, graft_graph_parameter(graph, "a", &side),
                                     graft_graph_parameter(graph, "b", &side), -1, false, false);
    graft_graph_output(graph, product);
    graft_graph_output(graph, graft_unary(graph, GRAFT_UNARY_RELU, first));
    need(f, graft_graph_status(graph));
    need(f, graft_plan_open(graph, f->device, variables, &options, &plan));
    need(f, graft_variables_write(variables, "first", zeros, sizeof zeros));
    need(f, graft_variables_write(variables, "a", a, bytes));
    need(f, graft_variables_write(variables, "b", b, bytes));
    need(f, graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE));
    need(f, graft_plan_read(plan, product, y, bytes));
    int wrong = 0;
    for (int s = 0; s < SAMPLES; s++) {
        const size_t i = graft_random_below(&f->random, SIDE), j = graft_random_below(&f->random, SIDE);
        double sum = 0;
        for (size_t l = 0; l < SIDE; l++) {
            sum += (double)a[i * SIDE + l] * (double)b[l * SIDE + j];
        }
        wrong += (double)y[i * SIDE + j] != sum;
    }
    if (wrong > 0) {
        fail_msg("%d of %d elements are wrong", wrong, SAMPLES);
    }
    for (int round = 0; round < 5; round++) {
        assert_true(passes_freivalds(f, a, b, y, SIDE, SIDE, SIDE));
    }
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    graft_graph_close(&graph);
    free(a);
    free(b);
    free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(large_products_inside_a_buffer, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
