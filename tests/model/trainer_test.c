/* SPDX-License-Identifier: MIT */
/* What a training step makes of its options, on a small network in f64. */
#include "graft/train.h"
#include "support/support.h"

#include <math.h>

#define SIDE 16
#define PIXELS (SIDE * SIDE * 3)
#define CLASSES 3

struct session {
    struct graft_device *device;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_trainer *trainer;
};

static enum graft_status session_try(struct graft_context *context, int64_t batch,
                                     const struct graft_trainer_options *options, struct session *session)
{
    const struct graft_model_options of_model = {.batch = batch,
                                                 .height = SIDE,
                                                 .width = SIDE,
                                                 .classes = CLASSES,
                                                 .real = GRAFT_DTYPE_F64,
                                                 .training = true};
    *session = (struct session){0};
    assert_int_equal(graft_device_open(context, "reference", &session->device), GRAFT_OK);
    assert_int_equal(graft_model_open(context, "tiny_convnet", &of_model, &session->model), GRAFT_OK);
    assert_int_equal(graft_variables_open(session->device, &session->variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(session->model, session->variables, 5, 0), GRAFT_OK);
    return graft_trainer_open(session->device, session->model, session->variables, options,
                              &session->trainer);
}

static void session_open(struct graft_context *context, int64_t batch,
                         const struct graft_trainer_options *options, struct session *session)
{
    if (session_try(context, batch, options, session) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(context));
    }
}

static void session_close(struct session *session)
{
    graft_trainer_close(&session->trainer);
    graft_variables_close(&session->variables);
    graft_model_close(&session->model);
    graft_device_close(&session->device);
}

/* A picture for each label: the same label, the same picture. Returns the loss. */
static double step(struct session *session, int64_t rows, const int32_t *labels, int64_t number, double rate)
{
    static double pixels[8 * PIXELS];
    for (int64_t row = 0; row < rows; row++) {
        for (int i = 0; i < PIXELS; i++) {
            pixels[row * PIXELS + i] = sin((double)(i * (labels[row] + 2)));
        }
    }
    struct graft_step step = {.input = pixels,
                              .labels = labels,
                              .valid = rows,
                              .learning_rate = rate,
                              .number = number,
                              .no_update = rate == 0};
    if (graft_trainer_step(session->trainer, &step) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(graft_graph_context(session->model->graph)));
    }
    return step.loss;
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-12 * (1 + fabs(b)))) {
        fail_msg("%.17g is not near %.17g", a, b);
    }
}

static int64_t elements(const struct session *session, int parameter)
{
    return graft_shape_count(&session->model->parameters[parameter].shape);
}

/* The gradient of a parameter; NULL for running statistics. */
static double *gradient_of(struct session *session, int parameter)
{
    if (session->model->parameters[parameter].state) {
        return NULL;
    }
    const size_t bytes = (size_t)elements(session, parameter) * sizeof(double);
    double *const data = malloc(bytes);
    assert_int_equal(graft_trainer_gradient(session->trainer, parameter, data, bytes), GRAFT_OK);
    return data;
}

static void assert_same_gradients(struct session *a, struct session *b)
{
    double sum = 0;
    for (int p = 0; p < a->model->parameter_count; p++) {
        double *const first = gradient_of(a, p), *const second = gradient_of(b, p);
        for (int64_t i = 0; first != NULL && i < elements(a, p); i++) {
            assert_near(first[i], second[i]);
            sum += fabs(first[i]);
        }
        free(first);
        free(second);
    }
    assert_true(sum > 0.1);
}

/* A class of weight 2 counts like one whose pictures are there twice, in the loss and in its divisor. */
static void weights_count_like_repeated_pictures(void **state)
{
    struct session weighted, repeated;
    const float weights[CLASSES] = {0.5f, 1, 1};
    const struct graft_trainer_options options = {.class_weights = weights, .keep_gradients = true};
    const struct graft_trainer_options plain = {.keep_gradients = true};
    session_open(*state, 2, &options, &weighted);
    session_open(*state, 3, &plain, &repeated);
    const double loss = step(&weighted, 2, (const int32_t[]){0, 2}, 1, 0);
    assert_near(loss, step(&repeated, 3, (const int32_t[]){2, 0, 2}, 1, 0));
    assert_same_gradients(&weighted, &repeated);
    session_close(&weighted);
    session_close(&repeated);
}

/* The divisor counts valid rows only. */
static void weights_of_a_partial_batch(void **state)
{
    struct session whole, partial;
    const float weights[CLASSES] = {3, 0.25f, 1};
    const struct graft_trainer_options options = {
        .class_weights = weights, .label_smoothing = 0.1f, .keep_gradients = true};
    session_open(*state, 2, &options, &whole);
    session_open(*state, 4, &options, &partial);
    const int32_t labels[] = {1, 0, 2, 2};
    assert_near(step(&whole, 2, labels, 1, 0), step(&partial, 2, labels, 1, 0));
    assert_same_gradients(&whole, &partial);
    session_close(&whole);
    session_close(&partial);
}

static void a_weight_of_nothing_is_refused(void **state)
{
    struct session session;
    const float weights[CLASSES] = {1, 1, 0};
    const struct graft_trainer_options options = {.class_weights = weights};
    assert_int_equal(session_try(*state, 2, &options, &session), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(*state), "class 2"));
    session_close(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_count_like_repeated_pictures),
        cmocka_unit_test(weights_of_a_partial_batch),
        cmocka_unit_test(a_weight_of_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, test_open_context, test_close_context);
}
