/* SPDX-License-Identifier: MIT */
/* Losses of targets against PyTorch (loss_expected.py): value and gradient, in f64 by the reference and in
 * f32 by the cpu; and training steps that learn from them. */
#include "support/support.h"
#include "train/trainer.h"

#include "loss_expected.h"

#include <math.h>

#define ROWS 4
#define OUTPUTS 3
#define COUNT(x) (sizeof(x) / sizeof(x)[0])

static void check(double got, double wanted, double tolerance, size_t of)
{
    if (!(fabs(got - wanted) <= tolerance * (1 + fabs(wanted)))) {
        fail_msg("loss %zu: %.17g is not near %.17g", of, got, wanted);
    }
}

/* The numbers as the graph has them. */
static void put(struct graft_plan *plan, int value, const double *numbers, size_t count, bool wide)
{
    float narrow[64];
    for (size_t i = 0; i < count; i++) {
        narrow[i] = (float)numbers[i];
    }
    assert_int_equal(graft_plan_write(plan, value, wide ? (const void *)numbers : narrow,
                                      count * (wide ? sizeof(double) : sizeof(float))),
                     GRAFT_OK);
}

static void take(struct graft_plan *plan, int value, double *numbers, size_t count, bool wide)
{
    float narrow[64];
    assert_int_equal(graft_plan_read(plan, value, wide ? (void *)numbers : narrow,
                                     count * (wide ? sizeof(double) : sizeof(float))),
                     GRAFT_OK);
    for (size_t i = 0; i < count && !wide; i++) {
        numbers[i] = (double)narrow[i];
    }
}

static void run(struct graft_context *context, const char *on, bool wide, double tolerance)
{
    for (size_t k = 0; k < COUNT(losses); k++) {
        const struct graft_loss_kind *const kind = graft_loss_kind(losses[k].loss);
        const struct graft_shape rows = graft_shape_of(2, ROWS, OUTPUTS);
        const struct graft_shape cells = graft_shape_of(2, ROWS * OUTPUTS, kind->columns);
        const struct graft_reduce_attributes mean = {.kind = GRAFT_REDUCE_MEAN, .axes = 1u};
        struct graft_device *device;
        struct graft_graph *graph;
        struct graft_variables *variables;
        struct graft_plan *plan;
        double row_weights[OUTPUTS], targets[2 * ROWS * OUTPUTS], value, gradient[ROWS * OUTPUTS];
        float narrow[ROWS * OUTPUTS];
        int slope;
        for (int c = 0; c < OUTPUTS; c++) {
            row_weights[c] = (double)weights[c];
        }
        for (int row = 0; row < ROWS; row++) {
            kind->write(losses[k].targets[row], OUTPUTS, losses[k].weighted ? row_weights : NULL,
                        (double)losses[k].smoothing, targets + row * OUTPUTS * kind->columns);
        }
        for (int i = 0; i < ROWS * OUTPUTS; i++) {
            narrow[i] = (float)logits[i / OUTPUTS][i % OUTPUTS];
        }
        assert_int_equal(graft_device_open(context, on, &device), GRAFT_OK);
        assert_int_equal(graft_graph_open(context, wide ? GRAFT_DTYPE_F64 : GRAFT_DTYPE_F32, &graph),
                         GRAFT_OK);
        assert_int_equal(graft_variables_open(device, &variables), GRAFT_OK);
        const int x = graft_graph_parameter(graph, "logits", &rows);
        const int t = graft_graph_input(graph, "targets", graft_graph_real(graph), &cells);
        const int loss = graft_reduce(graph, kind->add(graph, x, t), &mean);
        graft_graph_output(graph, loss);
        assert_int_equal(graft_graph_gradient(graph, loss, &x, 1, &slope), GRAFT_OK);
        graft_graph_output(graph, slope);
        if (graft_plan_open(graph, device, variables, &(struct graft_plan_options){0}, &plan) != GRAFT_OK) {
            fail_msg("%s", graft_context_error(context));
        }
        assert_int_equal(graft_variables_write(variables, "logits", wide ? (const void *)logits : narrow,
                                               ROWS * OUTPUTS * (wide ? sizeof(double) : sizeof(float))),
                         GRAFT_OK);
        put(plan, t, targets, (size_t)(ROWS * OUTPUTS * kind->columns), wide);
        assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        take(plan, loss, &value, 1, wide);
        take(plan, slope, gradient, ROWS * OUTPUTS, wide);
        check(value, losses[k].value, tolerance, k);
        for (int i = 0; i < ROWS * OUTPUTS; i++) {
            check(gradient[i], losses[k].gradient[i / OUTPUTS][i % OUTPUTS], tolerance, k);
        }
        graft_plan_close(&plan);
        graft_variables_close(&variables);
        graft_graph_close(&graph);
        graft_device_close(&device);
    }
}

static void losses_are_pytorchs(void **state)
{
    run(*state, "reference", true, 1e-7); /* the slope of a mean is an attribute, in f32 */
    run(*state, "cpu", false, 1e-6);
}

/* ---- steps of a small network */

#define SIDE 16
#define PIXELS (SIDE * SIDE * 3)

/* One step without update; the gradient of the network's last parameter. */
static double step(struct graft_context *context, int64_t batch, const struct graft_trainer_options *options,
                   const struct graft_step *given, int64_t *correct, double gradient[OUTPUTS])
{
    static double pixels[4 * PIXELS];
    const struct graft_model_options of_model = {.batch = batch,
                                                 .height = SIDE,
                                                 .width = SIDE,
                                                 .classes = OUTPUTS,
                                                 .real = GRAFT_DTYPE_F64,
                                                 .training = true};
    struct graft_device *device;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_trainer *trainer;
    struct graft_step result = *given;
    for (int i = 0; i < 4 * PIXELS; i++) {
        pixels[i] = sin((double)(i * (i / PIXELS + 2)));
    }
    assert_int_equal(graft_device_open(context, "reference", &device), GRAFT_OK);
    assert_int_equal(graft_model_open(context, "tiny_convnet", &of_model, &model), GRAFT_OK);
    assert_int_equal(graft_variables_open(device, &variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(model, variables, 5, 0), GRAFT_OK);
    if (graft_trainer_open(device, model, variables, options, &trainer) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(context));
    }
    result.input = pixels;
    result.number = 1;
    result.no_update = true;
    if (graft_trainer_step(trainer, &result) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(context));
    }
    assert_int_equal(
        graft_trainer_gradient(trainer, model->parameter_count - 1, gradient, OUTPUTS * sizeof *gradient),
        GRAFT_OK);
    *correct = result.correct;
    graft_trainer_close(&trainer);
    graft_variables_close(&variables);
    graft_model_close(&model);
    graft_device_close(&device);
    return result.loss;
}

/* A picture that is of one class wholly: the same loss, gradient and right rows as with labels. */
static void whole_shares_are_labels(void **state)
{
    static const int32_t labels[] = {2, 0, 1, 1};
    static const float targets[4 * OUTPUTS] = {0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0};
    const struct graft_trainer_options by_labels = {.label_smoothing = 0.1f, .keep_gradients = true};
    struct graft_trainer_options by_shares = by_labels;
    double gradients[2][OUTPUTS];
    int64_t correct[2];
    by_shares.loss = GRAFT_LOSS_SOFT;
    for (int64_t valid = 3; valid <= 4; valid++) { /* a batch that is not full is a smaller one */
        const struct graft_step labelled = {.labels = labels, .valid = valid},
                                shared = {.targets = targets, .valid = valid};
        const double loss = step(*state, 4, &by_labels, &labelled, &correct[0], gradients[0]);
        check(step(*state, 4, &by_shares, &shared, &correct[1], gradients[1]), loss, 1e-12, 0);
        assert_int_equal(correct[0], correct[1]);
        for (int c = 0; c < OUTPUTS; c++) {
            check(gradients[1][c], gradients[0][c], 1e-12, 0);
        }
    }
}

/* Of all losses: rows beyond the valid ones say nothing, and micro-batches add up. */
static void targets_are_cut_as_batches_are(void **state)
{
    for (size_t k = 0; k < COUNT(losses); k++) {
        struct graft_trainer_options options = {.loss = losses[k].loss,
                                                .label_smoothing = losses[k].smoothing,
                                                .class_weights = losses[k].weighted ? weights : NULL,
                                                .keep_gradients = true};
        const struct graft_step given = {.targets = losses[k].targets[0], .valid = 3};
        double whole[OUTPUTS], cut[OUTPUTS];
        int64_t correct[3];
        const double loss = step(*state, 3, &options, &given, &correct[0], whole);
        check(step(*state, 4, &options, &given, &correct[1], cut), loss, 1e-12, k);
        options.micro_batch = 2;
        check(step(*state, 3, &options, &given, &correct[2], cut), loss, 1e-12, k);
        for (int c = 0; c < OUTPUTS; c++) {
            check(cut[c], whole[c], 1e-12, k);
        }
        assert_true(correct[0] == correct[1] && correct[0] == correct[2]);
        assert_true(graft_loss_kind(losses[k].loss)->tells_class || correct[0] == 0);
    }
}

static void what_makes_no_sense_is_refused(void **state)
{
    const struct graft_trainer_options bad[] = {{.loss = (enum graft_loss)77},
                                                {.loss = GRAFT_LOSS_SIGMOID, .class_weights = weights}};
    const struct graft_model_options of_model = {
        .batch = 2, .height = SIDE, .width = SIDE, .classes = OUTPUTS, .training = true};
    struct graft_device *device;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_trainer *trainer;
    assert_int_equal(graft_device_open(*state, "cpu", &device), GRAFT_OK);
    assert_int_equal(graft_model_open(*state, "tiny_convnet", &of_model, &model), GRAFT_OK);
    assert_int_equal(graft_variables_open(device, &variables), GRAFT_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(graft_trainer_open(device, model, variables, &bad[i], &trainer),
                         GRAFT_ERROR_ARGUMENT);
        assert_null(trainer);
        assert_non_null(strstr(graft_context_error(*state), i == 0 ? "no loss of number 77" : "sigmoid"));
    }
    graft_variables_close(&variables);
    graft_model_close(&model);
    graft_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_pytorchs),
        cmocka_unit_test(whole_shares_are_labels),
        cmocka_unit_test(targets_are_cut_as_batches_are),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests_name("loss", tests, test_open_context, test_close_context);
}
