/* SPDX-License-Identifier: MIT */
/* Learning rates of every schedule, and optimizers with clipping, groups, accumulation and averages: each
 * step as PyTorch makes it (schedule_expected.py). */
#include "support/support.h"

#include "graft/device.h"
#include "graft/train.h"

#include "schedule_expected.h"

#include <math.h>

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

static void assert_curve(const char *name, struct graft_schedule_options schedule, const double *wanted,
                         int count)
{
    for (int step = 0; step < count; step++) {
        const double factor = graft_schedule_factor(&schedule, step);
        if (!(fabs(factor - wanted[step]) <= 1e-14))
            fail_msg("%s, step %d: %.17g, not %.17g", name, step, factor, wanted[step]);
    }
}
#define CURVE(name, ...)                                                                                     \
    assert_curve(#name, (struct graft_schedule_options){__VA_ARGS__}, expected_##name, COUNT(expected_##name))

static void rates_are_those_of_pytorch(void **state)
{
    (void)state;
    CURVE(cosine, .kind = GRAFT_SCHEDULE_COSINE, .steps = 10, .end = 0.125);
    CURVE(warm_cosine, .kind = GRAFT_SCHEDULE_COSINE, .steps = 14, .warmup = 4);
    CURVE(restarts, .kind = GRAFT_SCHEDULE_COSINE, .steps = 30, .restart = 4, .restart_factor = 2,
          .end = 0.25);
    CURVE(even_restarts, .kind = GRAFT_SCHEDULE_COSINE, .steps = 13, .restart = 5);
    CURVE(step, .kind = GRAFT_SCHEDULE_STEP, .steps = 11, .period = 3, .gamma = 0.3);
    CURVE(warm_step, .kind = GRAFT_SCHEDULE_STEP, .steps = 11, .warmup = 2, .epoch = 2, .period = 2,
          .gamma = 0.5);
    CURVE(exponential, .kind = GRAFT_SCHEDULE_EXPONENTIAL, .steps = 8, .gamma = 0.8);
    CURVE(one_cycle, .kind = GRAFT_SCHEDULE_ONE_CYCLE, .steps = 20);
    CURVE(one_cycle_late, .kind = GRAFT_SCHEDULE_ONE_CYCLE, .steps = 13, .peak = 0.55);
    /* Several steps an epoch, which counts as a whole. */
    for (int step = 0; step < 24; step++) {
        const struct graft_schedule_options one = {
            .kind = GRAFT_SCHEDULE_EXPONENTIAL, .steps = 24, .gamma = 0.8, .epoch = 3};
        assert_true(fabs(graft_schedule_factor(&one, step) - expected_exponential[step / 3]) <= 1e-14);
    }
    /* ÷10 at 1/2 and at 3/4, and a rate that stays. */
    static const double falls[] = {1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01};
    for (int step = 0; step < 8; step++) {
        const struct graft_schedule_options usual = {.kind = GRAFT_SCHEDULE_STEP, .steps = 10, .warmup = 2};
        const struct graft_schedule_options none = {.kind = GRAFT_SCHEDULE_CONSTANT, .steps = 8};
        assert_true(fabs(graft_schedule_factor(&usual, 2 + step) - falls[step]) <= 1e-15);
        assert_true(graft_schedule_factor(&none, step) == 1);
    }
    /* A cycle of few steps, and what lies behind the end, are numbers too. */
    for (int steps = 1; steps < 6; steps++)
        for (int step = 0; step < 8; step++) {
            const struct graft_schedule_options few = {.kind = GRAFT_SCHEDULE_ONE_CYCLE, .steps = steps};
            const struct graft_schedule_options cosine = {.kind = GRAFT_SCHEDULE_COSINE, .steps = steps};
            const double factor = graft_schedule_factor(&few, step);
            assert_true(factor > 0 && factor <= 1 && graft_schedule_factor(&cosine, step) >= 0);
        }
}

static void plateaus_are_those_of_pytorch(void **state)
{
    (void)state;
    static const double losses[] = {1.0,  0.9,  0.9,  0.89995, 0.91, 0.9, 0.8,
                                    0.81, 0.85, 0.82, 0.83,    0.84, 0.7, 0.71};
    for (int e = 0; e < COUNT(losses); e++) {
        assert_true(fabs(graft_plateau_factor(losses, e, 0, 0.5) - expected_plateau_0[e]) <= 1e-15);
        assert_true(fabs(graft_plateau_factor(losses, e, 2, 0.5) - expected_plateau_2[e]) <= 1e-15);
    }
}

/* The first number of epochs after which it stops, by hand from what Keras says of EarlyStopping; 0: never.
 */
static void stopping_waits_for_lower_losses(void **state)
{
    (void)state;
    static const double losses[] = {1.0, 0.9, 0.9, 0.89995, 0.91, 0.9, 0.8, 0.81, 0.85, 0.82};
    static const struct {
        int patience;
        double least;
        int stops;
    } rows[] = {{1, 0, 3},    {2, 0, 6},    {3, 0, 10},   {4, 0, 0},
                {2, 0.01, 4}, {4, 0.01, 6}, {5, 0.01, 0}, {0, 0, 0}};
    for (int r = 0; r < COUNT(rows); r++) {
        int stops = 0;
        for (int e = 1; e <= COUNT(losses) && stops == 0; e++)
            stops = graft_stops_early(losses, e, rows[r].patience, rows[r].least) ? e : 0;
        assert_int_equal(stops, rows[r].stops);
    }
    const double broken[] = {NAN, NAN, 0.5, NAN}; /* no loss is lower by being none */
    assert_true(graft_stops_early(broken, 2, 2, 0) && !graft_stops_early(broken, 3, 2, 0));
}

/* ---- steps */

#define ROWS 4
#define INPUTS 128
#define CLASSES 3
#define STEPS 6

/* expected.py's. */
static void fill(double *data, int count, int seed, double scale)
{
    for (int i = 0; i < count; i++)
        data[i] = (double)((i * 7 + seed * 3 + i / 11) % 11 - 5) / 4 * scale;
}

struct way {
    struct graft_trainer_options options;
    bool one_cycle;
};

static void read_some(const struct graft_variables *variables, const char *suffix, double *numbers)
{
    static double weight[CLASSES * INPUTS], bias[CLASSES];
    char name[32];
    (void)snprintf(name, sizeof name, "fc.weight%s", suffix);
    assert_int_equal(
        graft_variables_read((struct graft_variables *)(uintptr_t)variables, name, weight, sizeof weight),
        GRAFT_OK);
    (void)snprintf(name, sizeof name, "fc.bias%s", suffix);
    assert_int_equal(
        graft_variables_read((struct graft_variables *)(uintptr_t)variables, name, bias, sizeof bias),
        GRAFT_OK);
    for (int i = 0; i < 3; i++) {
        numbers[i] = weight[i];
        numbers[3 + i] = bias[i];
    }
}

/* A dense layer, in a part of a network that is nothing else. */
static void check_steps(struct graft_context *context, const char *name, struct way way, const double *wanted)
{
    static const float factors[] = {1, 0.25f}, decays[] = {1, 0.5f};
    static double features[ROWS * INPUTS], start[CLASSES * INPUTS];
    const struct graft_model_options of_model = {.batch = ROWS,
                                                 .height = 16,
                                                 .width = 16,
                                                 .classes = CLASSES,
                                                 .real = GRAFT_DTYPE_F64,
                                                 .part = GRAFT_MODEL_FROM,
                                                 .training = true};
    const struct graft_schedule_options cycle = {.kind = GRAFT_SCHEDULE_ONE_CYCLE, .steps = STEPS};
    struct graft_device *device = NULL;
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    struct graft_trainer *trainer = NULL;
    assert_int_equal(graft_device_open(context, "reference", &device), GRAFT_OK);
    assert_int_equal(graft_model_open(context, "tiny_convnet", &of_model, &model), GRAFT_OK);
    assert_int_equal(graft_variables_open(device, &variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(model, variables, 1, 0), GRAFT_OK);
    fill(start, CLASSES * INPUTS, 7, 1.0 / 8);
    assert_int_equal(graft_variables_write(variables, "fc.weight", start, sizeof start), GRAFT_OK);
    fill(start, CLASSES, 9, 1);
    assert_int_equal(graft_variables_write(variables, "fc.bias", start, CLASSES * sizeof *start), GRAFT_OK);
    way.options.factors = factors;
    way.options.decay_factors = decays;
    way.options.update.weight_decay = 0.25f;
    way.options.ema = 0.75f;
    assert_int_equal(graft_trainer_open(device, model, variables, &way.options, &trainer), GRAFT_OK);
    for (int number = 1; number <= STEPS; number++, wanted += 14) {
        const int32_t labels[ROWS] = {number % 3, 0, 1, (number + 1) % 3};
        struct graft_step step = {.input = features,
                                  .labels = labels,
                                  .valid = ROWS,
                                  .number = number,
                                  .learning_rate =
                                      0.1 * (way.one_cycle ? graft_schedule_factor(&cycle, number - 1) : 1)};
        double got[14];
        fill(features, ROWS * INPUTS, number, 1);
        assert_int_equal(graft_trainer_step(trainer, &step), GRAFT_OK);
        got[0] = step.loss;
        got[1] = step.gradient_norm;
        read_some(variables, "", got + 2);
        read_some(variables, ".ema", got + 8);
        for (int i = 0; i < 14; i++)
            if (!(fabs(got[i] - wanted[i]) <= 2e-9 * (1 + fabs(wanted[i]))))
                fail_msg("%s, step %d, number %d: %.17g, not %.17g", name, number, i, got[i], wanted[i]);
    }
    graft_trainer_close(&trainer);
    graft_variables_close(&variables);
    graft_model_close(&model);
    graft_device_close(&device);
}

static void steps_are_those_of_pytorch(void **state)
{
    const struct graft_update_attributes moments = {.beta1 = 0.875f, .beta2 = 0.96875f, .epsilon = 1e-8f};
    struct way sgd = {
        {.optimizer = GRAFT_SGD, .update = {.momentum = 0.5f, .nesterov = true}, .micro_batch = 2}, false};
    struct way adam = {{.optimizer = GRAFT_ADAM, .update = moments, .clip_norm = 0.5f}, false};
    struct way adamw = {{.optimizer = GRAFT_ADAMW, .update = moments, .clip_norm = 2, .micro_batch = 1},
                        true};
    struct way rmsprop = {{.optimizer = GRAFT_RMSPROP, .update = moments}, false};
    check_steps(*state, "sgd", sgd, expected_sgd);
    check_steps(*state, "adam", adam, expected_adam);
    check_steps(*state, "adamw", adamw, expected_adamw);
    check_steps(*state, "rmsprop", rmsprop, expected_rmsprop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_those_of_pytorch),
        cmocka_unit_test(plateaus_are_those_of_pytorch),
        cmocka_unit_test(stopping_waits_for_lower_losses),
        cmocka_unit_test(steps_are_those_of_pytorch),
    };
    return cmocka_run_group_tests(tests, test_open_context, test_close_context);
}
