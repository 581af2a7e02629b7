/* SPDX-License-Identifier: MIT */
/* What the tuner makes of measured times: a device whose kernels take, by the clock, what the test wants them
 * to take, and whose own timer lies. */
#include "base/context.h"
#include "graph/tune.h"
#include "support/support.h"

#include "support/fake_clock.h"

#include <math.h>

enum { ROWS = 256, SMALL = 8, LARGE = 64, MOST_STEPS = 16, MOST_KERNELS = 256 };

/* The cpu with two kernels for each op, which do the same. A round of the small product takes a millisecond,
 * of the large one ten, with the other kernel `other` times as long. */
struct script {
    const struct graft_backend *real;
    struct graft_backend backend;
    struct {
        const struct graft_kernel *kernel;
        double seconds;
    } opened[MOST_KERNELS];
    int count;
    double other, lie; /* times as long: by the clock; by the device's timer */
    double
        together[2]; /* with the other kernel, small and large product, as part of a whole step; 0: other */
    double flops;    /* the device's limit */
    int limits;      /* how often it was measured */
    bool no_other_chunks; /* the other kernel takes whole batches only */
    bool emulated;        /* the other kernel is for a unit that the device lacks */
    double event;         /* seconds on the device's timer */
};

static struct script script;

/* What both kernels are in truth: the device's first that takes the call. */
static int real_variant(struct graft_device *device, const struct graft_call *call)
{
    struct graft_kept_error before;
    struct graft_variant_info info;
    int variant = 0;
    graft_keep_error(device->context, &before);
    while (variant < MOST_KERNELS && script.real->check(device, call, variant, &info) != GRAFT_OK)
        variant++;
    graft_restore_error(device->context, &before);
    return variant;
}

static enum graft_status check(struct graft_device *device, const struct graft_call *call, int variant,
                               struct graft_variant_info *info)
{
    if (variant > 1)
        return script.real->check(device, call, 1000, info);
    const enum graft_status status = script.real->check(device, call, real_variant(device, call), info);
    info->name = variant == 0 ? "usual" : "other";
    info->emulated = variant == 1 && script.emulated;
    if (variant == 1 && script.no_other_chunks && call->out[0].shape.dim[0] < ROWS) {
        info->reason = "it takes whole batches";
        return GRAFT_ERROR_UNSUPPORTED;
    }
    return status;
}

static bool is_large(const struct graft_call *call)
{
    return call->out[0].shape.rank == 2 && call->out[0].shape.dim[1] == LARGE;
}

static double usual_seconds(const struct graft_call *call)
{
    const double part = (double)call->out[0].shape.dim[0] / ROWS;
    return part * (is_large(call) ? 10e-3 : 1e-3);
}

static enum graft_status kernel_open(struct graft_device *device, const struct graft_call *call, int variant,
                                     struct graft_kernel **kernel)
{
    const enum graft_status status =
        script.real->kernel_open(device, call, real_variant(device, call), kernel);
    assert_true(script.count < MOST_KERNELS);
    script.opened[script.count].kernel = *kernel;
    script.opened[script.count++].seconds = usual_seconds(call) * (variant == 1 ? script.other : 1);
    return status;
}

static void kernel_close(struct graft_device *device, struct graft_kernel *kernel)
{
    for (int i = 0; i < script.count; i++)
        if (script.opened[i].kernel == kernel)
            script.opened[i] = script.opened[--script.count];
    script.real->kernel_close(device, kernel);
}

static enum graft_status kernel_run(struct graft_device *device, struct graft_kernel *kernel,
                                    const struct graft_tensor *in, const struct graft_tensor *out,
                                    struct graft_tensor workspace)
{
    for (int i = 0; i < script.count; i++)
        if (script.opened[i].kernel == kernel) {
            fake_clock_advance(script.opened[i].seconds);
            script.event += script.lie * script.opened[i].seconds;
        }
    return script.real->kernel_run(device, kernel, in, out, workspace);
}

static enum graft_status synchronize(struct graft_device *device, double *seconds)
{
    const enum graft_status status = script.real->synchronize(device, seconds);
    if (seconds)
        *seconds = script.event;
    script.event = seconds ? 0 : script.event;
    return status;
}

static enum graft_status limit(struct graft_device *device, enum graft_limit what, uint64_t bytes,
                               double *per_second)
{
    (void)device;
    (void)bytes;
    script.limits += what == GRAFT_LIMIT_FMA;
    *per_second = what == GRAFT_LIMIT_FMA ? script.flops : 1e18;
    return GRAFT_OK;
}

struct fixture {
    char folder[128];
    struct graft_context *context;
    struct graft_device *device;
    struct graft_graph *graph;
    struct graft_variables *variables;
    struct graft_plan *plan;
    int x;
    bool whole;
    int told; /* remarks about errors of measurement */
};

static void hear(void *user, enum graft_log_level level, const char *text)
{
    struct fixture *const f = user;
    f->told += level == GRAFT_LOG_REMARK && strstr(text, "an error of measurement") != NULL;
}

static int product(struct fixture *f, int x, const char *name, int64_t columns)
{
    const struct graft_shape shape = graft_shape_of(2, SMALL, columns);
    return graft_matmul(f->graph, x, graft_graph_parameter(f->graph, name, &shape), -1, false, false);
}

static int set_up_device(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    test_folder(f->folder, sizeof f->folder);
    const struct graft_context_options options = {
        .threads = 1, .cache_folder = f->folder, .log = hear, .log_user = f};
    const struct graft_shape x = graft_shape_of(2, ROWS, SMALL);
    assert_int_equal(graft_context_open(&options, &f->context), GRAFT_OK);
    assert_int_equal(graft_device_open(f->context, "cpu", &f->device), GRAFT_OK);
    assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &f->graph), GRAFT_OK);
    assert_int_equal(graft_variables_open(f->device, &f->variables), GRAFT_OK);
    f->x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &x);
    script = (struct script){
        .real = f->device->backend, .backend = *f->device->backend, .other = 1, .lie = 1, .flops = 1e18};
    script.backend.check = check;
    script.backend.kernel_open = kernel_open;
    script.backend.kernel_close = kernel_close;
    script.backend.kernel_run = kernel_run;
    script.backend.synchronize = synchronize;
    script.backend.limit = limit;
    f->device->backend = &script.backend;
    f->whole = true;
    *state = f;
    return 0;
}

/* Two products of one shape and a larger one. */
static int set_up(void **state)
{
    set_up_device(state);
    struct fixture *const f = *state;
    const int y = product(f, product(f, f->x, "a", SMALL), "b", SMALL);
    graft_graph_output(f->graph, product(f, y, "c", LARGE));
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
    const struct graft_plan_options options = {.whole_batch = f->whole};
    static const float x[ROWS * SMALL] = {0};
    graft_plan_close(&f->plan);
    if (graft_plan_open(f->graph, f->device, f->variables, &options, &f->plan) != GRAFT_OK)
        fail_msg("%s", graft_context_error(f->context));
    assert_in_range(f->plan->n_steps, 3, MOST_STEPS);
    assert_int_equal(graft_plan_write(f->plan, f->x, x, sizeof x), GRAFT_OK);
    assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
}

/* A graft_tune_step: what the kernels take, or what they take together. */
static enum graft_status step(void *user, double *seconds)
{
    struct fixture *const f = user;
    open_plan(f);
    *seconds = 1e-3;
    for (int s = 0; s < f->plan->n_steps; s++) {
        const struct graft_plan_step *const one = &f->plan->steps[s];
        const struct graft_call *const call = &one->node->call;
        if (!one->kernel || call->op != GRAFT_OP_MATMUL)
            continue;
        const double together = script.together[is_large(call)];
        const double times = strcmp(one->info.name, "other") != 0 ? 1
                             : together > 0                       ? together
                                                                  : script.other;
        *seconds += times * usual_seconds(call);
    }
    return GRAFT_OK;
}

/* Row 0 is that of the small products, row 1 of the large one; candidate 0 is the usual one. */
static void tune(struct fixture *f, struct graft_tuner *tuner, struct graft_tune_proof *proof)
{
    bool more = true;
    assert_int_equal(graft_tuner_open(f->device, tuner), GRAFT_OK);
    for (int trial = 0; more; trial++) {
        assert_in_range(trial, 0, 9);
        open_plan(f);
        assert_int_equal(graft_tuner_measure(tuner, f->plan, false), GRAFT_OK);
        assert_int_equal(graft_tuner_next(tuner, &more), GRAFT_OK);
    }
    assert_int_equal(graft_tuner_finish(tuner, step, f, proof), GRAFT_OK);
}

static void tune_two(struct fixture *f, struct graft_tuner *tuner, struct graft_tune_proof *proof)
{
    tune(f, tuner, proof);
    assert_int_equal(tuner->count, 2);
    for (int r = 0; r < 2; r++) {
        assert_int_equal(tuner->rows[r].steps, r == 0 ? 2 : 1);
        assert_int_equal(tuner->rows[r].count, 2);
        assert_int_equal(tuner->rows[r].plain, 0);
    }
}

static void expect_seconds(double seconds, double wanted)
{
    if (!(fabs(seconds - wanted) < 1e-3 * wanted))
        fail_msg("%g, not %g", seconds, wanted);
}

static void expect_choice(const struct fixture *f, const struct graft_tune_row *row, int chosen)
{
    const struct graft_tuning_choice *const choice = graft_tuning_find(f->device, row->call);
    assert_int_equal(row->chosen, chosen);
    assert_non_null(choice);
    assert_string_equal(choice->variant, row->candidates[chosen].name);
    assert_string_equal(choice->plain, row->candidates[0].name);
}

/* The sum of all steps of a shape. */
static void times_are_sums_of_steps(void **state)
{
    struct fixture *const f = *state;
    struct graft_tuner tuner;
    struct graft_tune_proof proof;
    script.other = 1.5;
    tune_two(f, &tuner, &proof);
    expect_seconds(tuner.rows[0].candidates[0].seconds, 2e-3);
    expect_seconds(tuner.rows[0].candidates[1].seconds, 3e-3);
    expect_seconds(tuner.rows[1].candidates[0].seconds, 10e-3);
    expect_seconds(tuner.rows[1].candidates[1].seconds, 15e-3);
    expect_choice(f, &tuner.rows[0], 0);
    expect_choice(f, &tuner.rows[1], 0);
    assert_int_equal(proof.wanted, 0);
    graft_tuner_close(&tuner);
}

/* Whatever the driver's timer says, the clock decides. */
static void a_timer_that_lies_has_no_say(void **state)
{
    static const double lies[] = {0, 1e-6, 1, 1000};
    struct fixture *const f = *state;
    for (int faster = 0; faster < 2; faster++) {
        for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
            struct graft_tuner tuner;
            struct graft_tune_proof proof;
            script.lie = lies[i];
            script.other = faster ? 0.5 : 2;
            tune_two(f, &tuner, &proof);
            expect_seconds(tuner.rows[1].candidates[1].seconds, 10e-3 * script.other);
            expect_choice(f, &tuner.rows[0], faster);
            expect_choice(f, &tuner.rows[1], faster);
            graft_tuner_close(&tuner);
        }
    }
}

/* Just below and just above what another kernel must gain. */
static void small_gains_are_none(void **state)
{
    struct fixture *const f = *state;
    for (int chosen = 0; chosen < 2; chosen++) {
        struct graft_tuner tuner;
        struct graft_tune_proof proof;
        script.other = 1 - GRAFT_TUNE_GAIN + (chosen ? -0.01 : 0.01);
        tune_two(f, &tuner, &proof);
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
        struct graft_tune_proof proof;
        script.other = hopeless ? 6 : 4;
        tune_two(f, &tuner, &proof);
        assert_true(tuner.rows[0].candidates[1].tried);
        assert_true(tuner.rows[1].candidates[1].tried == !hopeless);
        graft_tuner_close(&tuner);
    }
}

/* However fast: it stands for something that the device has not. */
static void the_emulated_is_never_measured(void **state)
{
    struct fixture *const f = *state;
    struct graft_tuner tuner;
    struct graft_tune_proof proof;
    script.other = 0.5;
    script.emulated = true;
    tune(f, &tuner, &proof);
    for (int r = 0; r < 2; r++) {
        assert_int_equal(tuner.rows[r].count, 1);
        assert_int_equal(tuner.rows[r].chosen, 0);
    }
    graft_tuner_close(&tuner);
}

/* Faster than the device can be: measured again, with the limits, told, and not chosen, however much it
 * promises. */
static void the_impossible_is_never_chosen(void **state)
{
    struct fixture *const f = *state;
    const double flops = 2.0 * ROWS * SMALL * SMALL;
    for (int possible = 0; possible < 2; possible++) {
        struct graft_tuner tuner;
        struct graft_tune_proof proof;
        f->told = script.limits = 0;
        script.flops = flops / (possible ? 0.1e-3 : 0.8e-3); /* the least that the small product takes */
        script.other = 0.25;
        tune_two(f, &tuner, &proof);
        assert_true(tuner.rows[0].candidates[1].impossible == !possible);
        assert_false(tuner.rows[0].candidates[0].impossible);
        expect_choice(f, &tuner.rows[0], possible);
        expect_seconds(tuner.rows[0].candidates[1].seconds, 0.5e-3); /* what was measured is not hidden */
        assert_int_equal(f->told, possible ? 0 : 2); /* the large one is eight times the work in ten times */
        assert_int_equal(script.limits, possible ? 1 : 3);
        graft_tuner_close(&tuner);
    }
}

/* Where even the usual kernel is too fast to be true, nothing that is measured can be believed. */
static void without_a_true_measure_there_is_no_choice(void **state)
{
    struct fixture *const f = *state;
    struct graft_tuner tuner;
    struct graft_tune_proof proof;
    script.flops = 2.0 * ROWS * SMALL * SMALL / 4e-3;
    script.other = 0.5;
    tune_two(f, &tuner, &proof);
    assert_true(tuner.rows[0].candidates[0].impossible);
    expect_choice(f, &tuner.rows[0], 0);
    assert_int_equal(proof.wanted, 0);
    graft_tuner_close(&tuner);
}

/* Both kernels look good alone and make the step slower: the network stays as fast as it was. */
static void what_makes_the_step_slower_is_taken_back(void **state)
{
    struct fixture *const f = *state;
    struct graft_tuner tuner;
    struct graft_tune_proof proof;
    script.other = 0.5;
    script.together[0] = script.together[1] = 1.3;
    tune_two(f, &tuner, &proof);
    assert_int_equal(proof.wanted, 2);
    assert_int_equal(proof.kept, 0);
    expect_seconds(proof.plain_seconds, 13e-3);
    expect_seconds(proof.seconds, 13e-3);
    for (int r = 0; r < 2; r++) {
        expect_choice(f, &tuner.rows[r], 0);
        assert_int_equal(tuner.rows[r].taken_back, 1);
    }
    graft_tuner_close(&tuner);
}

/* One of two lies: it is taken back alone, whether it promises more than the other or less. */
static void the_choice_that_lies_is_found(void **state)
{
    struct fixture *const f = *state;
    for (int liar = 0; liar < 2; liar++) {
        struct graft_tuner tuner;
        struct graft_tune_proof proof;
        script.other = 0.5;
        script.together[liar] = liar == 0 ? 9 : 2;
        script.together[!liar] = 0;
        tune_two(f, &tuner, &proof);
        assert_int_equal(proof.wanted, 2);
        assert_int_equal(proof.kept, 1);
        expect_choice(f, &tuner.rows[liar], 0);
        expect_choice(f, &tuner.rows[!liar], 1);
        assert_int_equal(tuner.rows[liar].taken_back, 1);
        assert_int_equal(tuner.rows[!liar].taken_back, -1);
        expect_seconds(proof.seconds, liar == 0 ? 8e-3 : 12e-3);
        graft_tuner_close(&tuner);
    }
}

/* A gain of the step below GRAFT_TUNE_STEP_GAIN is noise. */
static void the_step_has_to_gain_too(void **state)
{
    struct fixture *const f = *state;
    for (int gains = 0; gains < 2; gains++) {
        struct graft_tuner tuner;
        struct graft_tune_proof proof;
        script.other = 0.5;
        script.together[0] = 1;
        script.together[1] = 1 - 1.3 * (GRAFT_TUNE_STEP_GAIN + (gains ? 0.005 : -0.005));
        tune_two(f, &tuner, &proof);
        assert_int_equal(proof.kept > 0, gains);
        graft_tuner_close(&tuner);
    }
}

/* Two products of one key, the first in chunks that the other kernel cannot take: there the usual one runs,
 * and its time is its own. */
static void a_step_is_charged_to_what_ran(void **state)
{
    struct fixture *const f = *state;
    struct graft_tuner tuner;
    struct graft_tune_proof proof;
    int y = product(f, f->x, "a", SMALL);
    graft_graph_output(f->graph, y);
    const struct graft_reduce_attributes rows = {
        .kind = GRAFT_REDUCE_MEAN, .axes = 1u << 0, .keep_dims = true};
    const int mean = graft_reduce(f->graph, y, &rows);
    y = product(f, graft_add(f->graph, y, mean), "b", SMALL);
    graft_graph_output(f->graph, y);
    f->device->cache_bytes = 8192;
    f->whole = false;
    script.other = 0.5;
    script.no_other_chunks = true;
    tune(f, &tuner, &proof);
    const struct graft_tune_row *row = NULL;
    for (int r = 0; r < tuner.count; r++)
        row = strcmp(tuner.rows[r].op, "matmul") == 0 ? &tuner.rows[r] : row;
    assert_non_null(row);
    assert_int_equal(row->steps, 2);
    assert_int_equal(row->part_steps[GRAFT_TUNE_CHUNKS], 1);
    assert_int_equal(row->part_steps[GRAFT_TUNE_WHOLE], 1);
    expect_seconds(row->candidates[0].step[GRAFT_TUNE_CHUNKS], 1e-3); /* of all chunks */
    expect_seconds(row->candidates[0].step[GRAFT_TUNE_WHOLE], 1e-3);
    expect_seconds(row->candidates[0].seconds, 2e-3);
    assert_true(row->candidates[1].step[GRAFT_TUNE_CHUNKS] == 0);
    expect_seconds(row->candidates[1].step[GRAFT_TUNE_WHOLE], 0.5e-3);
    expect_seconds(row->candidates[1].seconds, 1.5e-3);
    graft_tuner_close(&tuner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(times_are_sums_of_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_that_lies_has_no_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(small_gains_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hopeless_kernels_are_tried_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_emulated_is_never_measured, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_impossible_is_never_chosen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_true_measure_there_is_no_choice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_makes_the_step_slower_is_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_choice_that_lies_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_step_has_to_gain_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_is_charged_to_what_ran, set_up_device, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
