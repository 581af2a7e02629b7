/* SPDX-License-Identifier: MIT */
/* What the tuner makes of measured times: a device whose clock says what the test wants it to say. */
#include "graph/tune.h"
#include "support/support.h"

#include <math.h>

enum { ROWS = 4, SMALL = 8, LARGE = 64, MOST_STEPS = 16 };

/* The cpu with two kernels for each op, which do the same. A round of the small product takes a second, of
 * the large one ten, with the other kernel `other` times as long; the first rounds are slow. */
struct script {
    const struct graft_backend *real;
    struct graft_backend backend;
    const struct graft_plan *plan;
    const struct graft_kernel *ran;
    int rounds[MOST_STEPS];
    double other;
};

static struct script script;

static enum graft_status check(struct graft_device *device, const struct graft_call *call, int variant,
                               struct graft_variant_info *info)
{
    if (variant > 1)
        return script.real->check(device, call, 1000, info);
    const enum graft_status status = script.real->check(device, call, 0, info);
    info->name = variant == 0 ? "usual" : "other";
    return status;
}

static enum graft_status kernel_open(struct graft_device *device, const struct graft_call *call, int variant,
                                     struct graft_kernel **kernel)
{
    (void)variant;
    return script.real->kernel_open(device, call, 0, kernel);
}

static enum graft_status kernel_run(struct graft_device *device, struct graft_kernel *kernel,
                                    const struct graft_tensor *in, const struct graft_tensor *out,
                                    struct graft_tensor workspace)
{
    script.ran = kernel;
    return script.real->kernel_run(device, kernel, in, out, workspace);
}

static double times_of(const struct graft_plan_step *step)
{
    return strcmp(step->info.name, "usual") == 0 ? 1 : script.other;
}

static enum graft_status synchronize(struct graft_device *device, double *seconds)
{
    static const double slow[] = {3, 1, 2};
    const enum graft_status status = script.real->synchronize(device, seconds);
    for (int s = 0; seconds && script.plan && s < script.plan->n_steps; s++) {
        const struct graft_plan_step *const step = &script.plan->steps[s];
        if (!step->kernel || step->kernel != script.ran)
            continue;
        const int round = script.rounds[s]++;
        const bool large = step->node->call.out[0].shape.dim[1] == LARGE;
        *seconds = (large ? 10 : 1) * times_of(step) * slow[round < 2 ? round : 2];
    }
    script.ran = NULL;
    return status;
}

struct fixture {
    char folder[128];
    struct graft_context *context;
    struct graft_device *device;
    struct graft_graph *graph;
    struct graft_variables *variables;
    struct graft_plan *plan;
    int x;
};

/* Two products of one shape and a larger one. */
static int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    test_folder(f->folder, sizeof f->folder);
    const struct graft_context_options options = {.threads = 1, .cache_folder = f->folder};
    const struct graft_shape x = graft_shape_of(2, ROWS, SMALL), small = graft_shape_of(2, SMALL, SMALL),
                             large = graft_shape_of(2, SMALL, LARGE);
    assert_int_equal(graft_context_open(&options, &f->context), GRAFT_OK);
    assert_int_equal(graft_device_open(f->context, "cpu", &f->device), GRAFT_OK);
    assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &f->graph), GRAFT_OK);
    assert_int_equal(graft_variables_open(f->device, &f->variables), GRAFT_OK);
    f->x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &x);
    int y = f->x;
    const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        y = graft_matmul(f->graph, y, graft_graph_parameter(f->graph, names[i], i < 2 ? &small : &large), -1,
                         false, false);
    graft_graph_output(f->graph, y);
    script = (struct script){.real = f->device->backend, .backend = *f->device->backend, .other = 1};
    script.backend.check = check;
    script.backend.kernel_open = kernel_open;
    script.backend.kernel_run = kernel_run;
    script.backend.synchronize = synchronize;
    f->device->backend = &script.backend;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    graft_plan_close(&f->plan);
    graft_variables_close(&f->variables);
    graft_graph_close(&f->graph);
    f->device->backend = script.real;
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    test_folder_remove(f->folder);
    free(f);
    return 0;
}

static void open_plan(struct fixture *f)
{
    const struct graft_plan_options options = {.whole_batch = true};
    const float x[ROWS * SMALL] = {0};
    graft_plan_close(&f->plan);
    if (graft_plan_open(f->graph, f->device, f->variables, &options, &f->plan) != GRAFT_OK)
        fail_msg("%s", graft_context_error(f->context));
    assert_in_range(f->plan->n_steps, 3, MOST_STEPS);
    script.plan = f->plan;
    memset(script.rounds, 0, sizeof script.rounds);
    assert_int_equal(graft_plan_write(f->plan, f->x, x, sizeof x), GRAFT_OK);
    assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    script.ran = NULL; /* rounds begin behind it */
}

/* Row 0 is that of the small products, row 1 of the large one; candidate 0 is the usual one. */
static void tune(struct fixture *f, struct graft_tuner *tuner)
{
    bool more = true;
    assert_int_equal(graft_tuner_open(f->device, tuner), GRAFT_OK);
    for (int trial = 0; more; trial++) {
        assert_in_range(trial, 0, 9);
        open_plan(f);
        assert_int_equal(graft_tuner_measure(tuner, f->plan, false), GRAFT_OK);
        assert_int_equal(graft_tuner_next(tuner, &more), GRAFT_OK);
    }
    assert_int_equal(graft_tuner_finish(tuner), GRAFT_OK);
    assert_int_equal(tuner->count, 2);
    for (int r = 0; r < 2; r++) {
        assert_int_equal(tuner->rows[r].steps, r == 0 ? 2 : 1);
        assert_int_equal(tuner->rows[r].count, 2);
        assert_int_equal(tuner->rows[r].plain, 0);
    }
}

static void expect_seconds(double seconds, double wanted)
{
    assert_true(fabs(seconds - wanted) < 1e-9 * wanted);
}

static void expect_choice(const struct fixture *f, const struct graft_tune_row *row, int chosen)
{
    const struct graft_tuning_choice *const choice = graft_tuning_find(f->device, row->call);
    assert_int_equal(row->chosen, chosen);
    assert_non_null(choice);
    assert_string_equal(choice->variant, row->candidates[chosen].name);
    assert_string_equal(choice->plain, row->candidates[0].name);
}

/* The sum of all steps of a shape, in the best round. */
static void times_are_sums_of_the_best_round(void **state)
{
    struct fixture *const f = *state;
    struct graft_tuner tuner;
    script.other = 1.5;
    tune(f, &tuner);
    expect_seconds(tuner.rows[0].candidates[0].seconds, 2);
    expect_seconds(tuner.rows[0].candidates[1].seconds, 3);
    expect_seconds(tuner.rows[1].candidates[0].seconds, 10);
    expect_seconds(tuner.rows[1].candidates[1].seconds, 15);
    expect_choice(f, &tuner.rows[0], 0);
    expect_choice(f, &tuner.rows[1], 0);
    graft_tuner_close(&tuner);
}

/* Just below and just above what another kernel must gain. */
static void small_gains_are_none(void **state)
{
    struct fixture *const f = *state;
    for (int chosen = 0; chosen < 2; chosen++) {
        struct graft_tuner tuner;
        script.other = 1 - GRAFT_TUNE_GAIN + (chosen ? -0.01 : 0.01);
        tune(f, &tuner);
        expect_choice(f, &tuner.rows[0], chosen);
        expect_choice(f, &tuner.rows[1], chosen);
        graft_tuner_close(&tuner);
    }
}

/* What takes six times as long on the cheapest shape is not tried on others; four times may be the shape's.
 */
static void hopeless_kernels_are_tried_once(void **state)
{
    struct fixture *const f = *state;
    for (int hopeless = 0; hopeless < 2; hopeless++) {
        struct graft_tuner tuner;
        script.other = hopeless ? 6 : 4;
        tune(f, &tuner);
        assert_true(tuner.rows[0].candidates[1].tried);
        assert_true(tuner.rows[1].candidates[1].tried == !hopeless);
        graft_tuner_close(&tuner);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(times_are_sums_of_the_best_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(small_gains_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hopeless_kernels_are_tried_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
