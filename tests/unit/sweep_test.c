/* SPDX-License-Identifier: MIT */
/*
 * The fast functions of `cpu` on every 4099th float, for each instruction set: the largest error against the
 * C library's functions in double must not exceed the one that stands in the table. Errors are in units of
 * the last place of the true result. Measured on every 61st float (sweep_test 61), the same for all three:
 * exp 1.00, log 0.82, tanh 1.30, sigmoid 2.3, silu 2.9, gelu 6.4. Four roundings of hard_swish are 4 units at
 * most.
 */
#include "graft/graft.h"
#include "support/support.h"

#include <math.h>

#define BATCH (1 << 18)

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

static double gelu(double x)
{
    return x * 0.5 * erfc(-x * sqrt(0.5));
}

static double gelu_tanh(double x)
{
    return x * sigmoid(2 * sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x));
}

static double hard_swish(double x)
{
    return x * fmin(fmax(x + 3, 0), 6) / 6;
}

static const struct {
    enum graft_unary kind;
    double (*truth)(double x);
    double low, high; /* what is swept: beyond it the definition gives NaN, or f32 cancels */
    double error;     /* at most */
} functions[] = {
    {GRAFT_UNARY_EXP, exp, -INFINITY, INFINITY, 1.05},
    {GRAFT_UNARY_LOG, log, 0, INFINITY, 0.9},
    {GRAFT_UNARY_TANH, tanh, -INFINITY, INFINITY, 1.4},
    {GRAFT_UNARY_SIGMOID, sigmoid, -INFINITY, INFINITY, 2.5},
    {GRAFT_UNARY_SILU, silu, -80, INFINITY, 3.2},
    {GRAFT_UNARY_GELU, gelu, -12.5, INFINITY, 7.0},
    {GRAFT_UNARY_GELU_TANH, gelu_tanh, -3, INFINITY, 11.0},
    {GRAFT_UNARY_SQRT, sqrt, 0, INFINITY, 0.5},
    {GRAFT_UNARY_HARD_SWISH, hard_swish, 0, 1e30, 4.0},
};

static double unit_of(double y)
{
    return ldexp(1, (fabs(y) < 0x1p-126 ? -126 : ilogb(y)) - 23);
}

struct worst {
    double error;
    float x, y;
    long long count;
};

static void look_at(struct worst *worst, double (*truth)(double x), const float *x, const float *y, int count)
{
    for (int i = 0; i < count; i++) {
        const double wanted = truth((double)x[i]);
        double error = 0;
        if (isnan(wanted) || isinf((float)wanted))
            error = isnan(wanted) == isnan(y[i]) && (isnan(wanted) || y[i] == (float)wanted) ? 0 : INFINITY;
        else if (y[i] != (float)wanted)
            error = fabs((double)y[i] - wanted) / unit_of(wanted);
        if (!(error <= worst->error)) {
            worst->error = error;
            worst->x = x[i];
            worst->y = y[i];
        }
    }
    worst->count += count;
}

struct machine {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_graph *graph;
    struct graft_variables *variables;
    struct graft_plan *plan;
    int x, y;
};

static void open_machine(struct machine *m, enum graft_unary kind)
{
    const struct graft_shape shape = {.rank = 1, .dim = {BATCH}};
    assert_int_equal(graft_context_open(&(struct graft_context_options){.threads = 1}, &m->context),
                     GRAFT_OK);
    assert_int_equal(graft_device_open(m->context, "cpu", &m->device), GRAFT_OK);
    assert_int_equal(graft_variables_open(m->device, &m->variables), GRAFT_OK);
    assert_int_equal(graft_graph_open(m->context, GRAFT_DTYPE_F32, &m->graph), GRAFT_OK);
    m->x = graft_graph_input(m->graph, "x", GRAFT_DTYPE_F32, &shape);
    m->y = graft_unary(m->graph, kind, m->x);
    graft_graph_output(m->graph, m->y);
    assert_int_equal(graft_plan_open(m->graph, m->device, m->variables, NULL, &m->plan), GRAFT_OK);
}

static void close_machine(struct machine *m)
{
    graft_plan_close(&m->plan);
    graft_variables_close(&m->variables);
    graft_graph_close(&m->graph);
    graft_device_close(&m->device);
    graft_context_close(&m->context);
}

static void run_batch(struct machine *m, const float *x, float *y)
{
    assert_int_equal(graft_plan_write(m->plan, m->x, x, BATCH * sizeof *x), GRAFT_OK);
    assert_int_equal(graft_plan_run(m->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    assert_int_equal(graft_plan_read(m->plan, m->y, y, BATCH * sizeof *y), GRAFT_OK);
}

/* Every `step`th float of the function's range. */
static struct worst sweep(int which, uint64_t step)
{
    struct machine m = {0};
    struct worst worst = {0};
    float *const x = calloc(BATCH, sizeof *x);
    float *const y = calloc(BATCH, sizeof *y);
    open_machine(&m, functions[which].kind);
    int count = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += step) {
        const uint32_t word = (uint32_t)bits;
        memcpy(&x[count], &word, sizeof word);
        if ((double)x[count] < functions[which].low || (double)x[count] > functions[which].high)
            continue;
        if (++count == BATCH) {
            run_batch(&m, x, y);
            look_at(&worst, functions[which].truth, x, y, count);
            count = 0;
        }
    }
    run_batch(&m, x, y);
    look_at(&worst, functions[which].truth, x, y, count);
    close_machine(&m);
    free(x);
    free(y);
    return worst;
}

static void functions_are_near(void **state)
{
    const uint64_t step = *(const uint64_t *)*state;
    for (int i = 0; i < (int)(sizeof functions / sizeof *functions); i++) {
        const struct worst worst = sweep(i, step);
        print_message("function %2d: %.3f units at %a (%a), %lld floats\n", (int)functions[i].kind,
                      worst.error, (double)worst.x, (double)worst.y, worst.count);
        assert_true(worst.count > 1000);
        assert_true(worst.error <= functions[i].error);
    }
}

static bool has_cpu(void)
{
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    if (graft_context_open(NULL, &context) != GRAFT_OK)
        return false;
    const bool has = graft_device_open(context, "cpu", &device) == GRAFT_OK;
    graft_device_close(&device);
    graft_context_close(&context);
    return has;
}

int main(int count, char **arguments)
{
    uint64_t step = count > 1 ? strtoull(arguments[1], NULL, 10) : 4099;
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(functions_are_near, &step)};
    int failed = 0;
    const char *const only = getenv("GRAFT_ISA");
    static const char *const sets[] = {"baseline", "avx2", "avx512"};
    for (int i = 0; i < 3; i++) {
        if (only && strcmp(only, sets[i]) != 0)
            continue;
        (void)setenv("GRAFT_ISA", sets[i], 1);
        if (!has_cpu()) {
            print_message("%s: not on this processor\n", sets[i]);
            continue;
        }
        failed += cmocka_run_group_tests_name(sets[i], tests, NULL, NULL);
    }
    return failed;
}
