/* SPDX-License-Identifier: MIT */
/* What a training step makes of its options, on a small network in f64. */
#include "support/support.h"
#include "train/trainer.h"

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

static enum graft_status session_try_norm(struct graft_context *context, int64_t batch,
                                          enum graft_batch_norm_mode norm,
                                          const struct graft_trainer_options *options,
                                          struct session *session)
{
    const struct graft_model_options of_model = {.batch = batch,
                                                 .height = SIDE,
                                                 .width = SIDE,
                                                 .classes = CLASSES,
                                                 .real = GRAFT_DTYPE_F64,
                                                 .training = true,
                                                 .bn = norm};
    *session = (struct session){0};
    assert_int_equal(graft_device_open(context, "reference", &session->device), GRAFT_OK);
    assert_int_equal(graft_model_open(context, "tiny_convnet", &of_model, &session->model), GRAFT_OK);
    assert_int_equal(graft_variables_open(session->device, &session->variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(session->model, session->variables, 5, 0), GRAFT_OK);
    return graft_trainer_open(session->device, session->model, session->variables, options,
                              &session->trainer);
}

static enum graft_status session_try(struct graft_context *context, int64_t batch,
                                     const struct graft_trainer_options *options, struct session *session)
{
    return session_try_norm(context, batch, GRAFT_BATCH_NORM_FROZEN, options, session);
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

/* A picture for each label: the same label, the same picture, `size` large. */
static enum graft_status step_try(struct session *session, int64_t rows, const int32_t *labels,
                                  int64_t number, double rate, double size, struct graft_step *result)
{
    static double pixels[8 * PIXELS];
    for (int64_t row = 0; row < rows; row++) {
        for (int i = 0; i < PIXELS; i++) {
            pixels[row * PIXELS + i] = size * sin((double)(i * (labels[row] + 2)));
        }
    }
    *result = (struct graft_step){.input = pixels,
                                  .labels = labels,
                                  .valid = rows,
                                  .learning_rate = rate,
                                  .number = number,
                                  .no_update = rate == 0};
    return graft_trainer_step(session->trainer, result);
}

/* Returns the loss. */
static double step(struct session *session, int64_t rows, const int32_t *labels, int64_t number, double rate)
{
    struct graft_step result;
    if (step_try(session, rows, labels, number, rate, 1, &result) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(graft_graph_context(session->model->graph)));
    }
    return result.loss;
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

/* Options whose padding is not zero, as on a stack, mean the same: the optimizer's defaults. */
static void padding_says_nothing(void **state)
{
    double losses[2];
    for (int dirty = 0; dirty < 2; dirty++) {
        struct session session;
        struct graft_trainer_options options = {.optimizer = GRAFT_ADAM};
        memset(&options.update, dirty ? 0xff : 0, sizeof options.update);
        options.update.momentum = options.update.beta1 = options.update.beta2 = 0;
        options.update.epsilon = options.update.weight_decay = options.update.max_norm = 0;
        options.update.nesterov = options.update.decoupled = false;
        session_open(*state, 2, &options, &session);
        for (int number = 1; number <= 3; number++)
            losses[dirty] = step(&session, 2, (const int32_t[]){0, 2}, number, 0.01);
        session_close(&session);
    }
    assert_true(losses[0] == losses[1]);
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

/* The divisor counts valid rows only, with weights of classes and without. */
static void a_partial_batch_is_a_smaller_one(void **state)
{
    static const float weights[CLASSES] = {3, 0.25f, 1};
    static const int32_t labels[] = {1, 0, 2, 2};
    for (int weighted = 0; weighted < 2; weighted++) {
        struct session whole, partial;
        const struct graft_trainer_options options = {
            .class_weights = weighted ? weights : NULL, .label_smoothing = 0.1f, .keep_gradients = true};
        session_open(*state, 2, &options, &whole);
        session_open(*state, 4, &options, &partial);
        assert_near(step(&whole, 2, labels, 1, 0), step(&partial, 2, labels, 1, 0));
        assert_same_gradients(&whole, &partial);
        session_close(&whole);
        session_close(&partial);
    }
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

/* Parameters in one row, without running statistics; to be freed. */
static double *values_of(struct session *session, bool gradients, int64_t *count)
{
    double *all = NULL;
    *count = 0;
    for (int p = 0; p < session->model->parameter_count; p++) {
        const struct graft_model_parameter *const parameter = &session->model->parameters[p];
        if (parameter->state) {
            continue;
        }
        const int64_t more = elements(session, p);
        all = realloc(all, (size_t)(*count + more) * sizeof *all);
        const uint64_t bytes = (uint64_t)more * sizeof *all;
        assert_int_equal(gradients
                             ? graft_trainer_gradient(session->trainer, p, all + *count, bytes)
                             : graft_variables_read(session->variables, parameter->name, all + *count, bytes),
                         GRAFT_OK);
        *count += more;
    }
    return all;
}

static const int32_t three_labels[] = {0, 1, 2};

/* One step of plain SGD, from its own gradients: with a limit above their norm, and one below. */
static void gradients_are_clipped_to_their_common_norm(void **state)
{
    const double limits[] = {1e6, 0.125};
    for (int i = 0; i < 2; i++) {
        const struct graft_trainer_options options = {
            .update = {.epsilon = 1}, .clip_norm = (float)limits[i], .keep_gradients = true};
        struct session session;
        struct graft_step result;
        int64_t count;
        session_open(*state, 3, &options, &session);
        double *const before = values_of(&session, false, &count);
        assert_int_equal(step_try(&session, 3, three_labels, 1, 0.5, 1, &result), GRAFT_OK);
        double *const after = values_of(&session, false, &count);
        double *const gradient = values_of(&session, true, &count);
        double squares = 0;
        for (int64_t k = 0; k < count; k++) {
            squares += gradient[k] * gradient[k];
        }
        assert_true(sqrt(squares) > 2 * limits[1]);
        assert_near(result.gradient_norm, sqrt(squares));
        const double factor = fmin(1, limits[i] / (sqrt(squares) + 1e-6));
        for (int64_t k = 0; k < count; k++) {
            assert_near(after[k], before[k] - 0.5 * factor * gradient[k]);
        }
        free(before);
        free(after);
        free(gradient);
        session_close(&session);
    }
}

/* The norm is that of the gradients added up, however the batch was cut. */
static void micro_batches_are_clipped_together(void **state)
{
    struct graft_trainer_options options = {.clip_norm = 0.125f, .class_weights = (const float[]){1, 3, 2}};
    double *values[2];
    double norms[2];
    int64_t count;
    for (int i = 0; i < 2; i++) {
        struct session session;
        struct graft_step result;
        options.micro_batch = i;
        session_open(*state, 3, &options, &session);
        assert_int_equal(step_try(&session, 3, three_labels, 1, 0.5, 1, &result), GRAFT_OK);
        values[i] = values_of(&session, false, &count);
        norms[i] = result.gradient_norm;
        session_close(&session);
    }
    assert_near(norms[0], norms[1]);
    for (int64_t k = 0; k < count; k++) {
        assert_near(values[0][k], values[1][k]);
    }
    free(values[0]);
    free(values[1]);
}

/* Gradients whose squares have no sum in f64, of a loss that is finite: told, and nothing is changed. */
static void a_norm_that_is_not_finite_is_told(void **state)
{
    const struct graft_trainer_options options = {.optimizer = GRAFT_ADAMW, .clip_norm = 1};
    struct session session;
    struct graft_step result;
    int64_t count;
    session_open(*state, 3, &options, &session);
    double *const before = values_of(&session, false, &count);
    assert_int_equal(step_try(&session, 3, three_labels, 7, 0.5, 1e160, &result), GRAFT_ERROR_NUMERIC);
    assert_true(isfinite(result.loss));
    assert_non_null(strstr(graft_context_error(*state), "step 7"));
    assert_non_null(strstr(graft_context_error(*state), "gradient norm"));
    double *const after = values_of(&session, false, &count);
    assert_memory_equal(before, after, (size_t)count * sizeof *before);
    assert_int_equal(step_try(&session, 3, three_labels, 7, 0.5, 1, &result), GRAFT_OK);
    free(before);
    free(after);
    session_close(&session);
}

/* Steps that are begun before the results of the one before are taken, and the same ones one by one: the same
 * bits, whole or in parts, clipped or not. */
static void steps_under_way_are_the_same(void **state)
{
    static double pixels[3 * PIXELS];
    for (int i = 0; i < 6; i++) {
        const struct graft_trainer_options options = {
            .optimizer = GRAFT_ADAM, .micro_batch = i % 3, .clip_norm = i < 3 ? 0 : 0.125f};
        struct graft_step results[2][4];
        double *values[2];
        int64_t count;
        for (int late = 0; late < 2; late++) {
            struct session session;
            session_open(*state, 3, &options, &session);
            for (int n = 0; n < 4; n++) {
                int32_t labels[] = {0, n % 3, 2};
                for (int k = 0; k < 3 * PIXELS; k++) {
                    pixels[k] = sin((double)(k * (n + 2)));
                }
                struct graft_step step = {
                    .input = pixels, .labels = labels, .valid = n == 3 ? 2 : 3, .number = n + 1};
                step.learning_rate = 0.25;
                if (late == 0) {
                    assert_int_equal(graft_trainer_step(session.trainer, &step), GRAFT_OK);
                    results[0][n] = step;
                    continue;
                }
                assert_int_equal(graft_trainer_begin(session.trainer, &step), GRAFT_OK);
                memset(labels, 0xff, sizeof labels); /* the caller's again */
                if (n > 0) {
                    assert_int_equal(graft_trainer_end(session.trainer, &results[1][n - 1]), GRAFT_OK);
                }
            }
            if (late == 1) {
                assert_int_equal(graft_trainer_end(session.trainer, &results[1][3]), GRAFT_OK);
            }
            values[late] = values_of(&session, false, &count);
            session_close(&session);
        }
        assert_memory_equal(values[0], values[1], (size_t)count * sizeof *values[0]);
        for (int n = 0; n < 4; n++) {
            const struct graft_step *const one = &results[0][n], *const other = &results[1][n];
            assert_true(one->loss == other->loss && one->gradient_norm == other->gradient_norm);
            assert_true(one->correct == other->correct && other->number == n + 1);
        }
        free(values[0]);
        free(values[1]);
    }
}

/* The loss of a step is no number, for its pictures or for a label that is no class, and that comes out when
 * the next step has been begun: the step has changed nothing, it is the one that is named, and what made the
 * number is found with its pictures. */
static void a_late_loss_that_is_not_finite_is_told(void **state)
{
    static double good[3 * PIXELS], bad[3 * PIXELS];
    static const int32_t wrong[] = {0, CLASSES, 2};
    for (int k = 0; k < 3 * PIXELS; k++) {
        good[k] = bad[k] = sin((double)(3 * k));
    }
    bad[PIXELS + 7] = (double)NAN;
    for (int i = 0; i < 4; i++) {
        const struct graft_trainer_options options = {.clip_norm = i < 2 ? 0 : 1};
        struct session session, expected;
        const struct graft_step first = {
            .input = good, .labels = three_labels, .valid = 3, .learning_rate = 0.25, .number = 1};
        struct graft_step second = first, third = first, done = first;
        int64_t count;
        second.number = 2;
        second.input = i % 2 == 0 ? bad : good;
        second.labels = i % 2 == 0 ? three_labels : wrong;
        third.number = 3;
        third.no_update = true;
        session_open(*state, 3, &options, &session);
        session_open(*state, 3, &options, &expected);
        assert_int_equal(graft_trainer_step(expected.trainer, &done), GRAFT_OK);
        assert_int_equal(graft_trainer_begin(session.trainer, &first), GRAFT_OK);
        assert_int_equal(graft_trainer_begin(session.trainer, &second), GRAFT_OK);
        assert_int_equal(graft_trainer_begin(session.trainer, &third), GRAFT_ERROR_ARGUMENT);
        assert_int_equal(graft_trainer_end(session.trainer, &done), GRAFT_OK);
        assert_int_equal(graft_trainer_begin(session.trainer, &third), GRAFT_OK);
        assert_int_equal(graft_trainer_end(session.trainer, &done), GRAFT_ERROR_NUMERIC);
        assert_non_null(strstr(graft_context_error(*state), "step 2: the loss is not finite"));
        double *const after = values_of(&session, false, &count);
        double *const before = values_of(&expected, false, &count);
        assert_memory_equal(after, before, (size_t)count * sizeof *after);
        assert_int_equal(graft_trainer_explain(session.trainer, &second), GRAFT_ERROR_NUMERIC);
        assert_non_null(strstr(graft_context_error(*state), "step 2: layer "));
        done = third;
        assert_int_equal(graft_trainer_step(session.trainer, &done), GRAFT_OK);
        free(after);
        free(before);
        session_close(&session);
        session_close(&expected);
    }
}

/* Pictures of labels {0, 1, 2, 0}, then of {2, 1, 0} and once more of 2, which counts in statistics only. */
static const int32_t two_parts[8] = {0, 1, 2, 0, 2, 1, 0, 2};

static void step_on(struct session *session, int64_t first, int64_t valid)
{
    static double pixels[8 * PIXELS];
    for (int i = 0; i < 8 * PIXELS; i++) {
        pixels[i] = sin((double)(i % PIXELS * (two_parts[i / PIXELS] + 2)));
    }
    struct graft_step step = {.input = pixels + first * PIXELS,
                              .labels = two_parts + first,
                              .valid = valid,
                              .learning_rate = 1,
                              .number = 1,
                              .no_update = true};
    if (graft_trainer_step(session->trainer, &step) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(graft_graph_context(session->model->graph)));
    }
}

/* Are all running statistics the same, and not what they were at first? */
static void assert_same_statistics(struct session *one, struct session *other)
{
    double moved = 0;
    for (int p = 0; p < one->model->parameter_count; p++) {
        const struct graft_model_parameter *const parameter = &one->model->parameters[p];
        double a[128], b[128];
        const uint64_t bytes = (uint64_t)elements(one, p) * sizeof *a;
        if (!parameter->state) {
            continue;
        }
        assert_true(bytes <= sizeof a);
        assert_int_equal(graft_variables_read(one->variables, parameter->name, a, bytes), GRAFT_OK);
        assert_int_equal(graft_variables_read(other->variables, parameter->name, b, bytes), GRAFT_OK);
        for (int64_t i = 0; i < elements(one, p); i++) {
            assert_near(a[i], b[i]);
            moved += fabs(a[i]);
        }
    }
    assert_true(moved > 1);
}

/* Seven rows in parts of four: what the last part lacks are its own first rows, as running statistics show.
 */
static void parts_are_filled_up_with_their_own_rows(void **state)
{
    struct session whole, parts;
    const struct graft_trainer_options cut = {.micro_batch = 4}, plain = {.micro_batch = 0};
    assert_int_equal(session_try_norm(*state, 7, GRAFT_BATCH_NORM_TRAIN, &cut, &whole), GRAFT_OK);
    assert_int_equal(session_try_norm(*state, 4, GRAFT_BATCH_NORM_TRAIN, &plain, &parts), GRAFT_OK);
    assert_int_equal(graft_trainer_micro_batch(whole.trainer), 4);
    step_on(&whole, 0, 7);
    step_on(&parts, 0, 4);
    step_on(&parts, 4, 4);
    assert_same_statistics(&whole, &parts);
    session_close(&whole);
    session_close(&parts);
}

/* Rows that fill a batch up are in no statistics: full and partial batches in turn are batches of their size.
 */
static void statistics_are_of_valid_rows(void **state)
{
    static const struct {
        int64_t first, valid;
    } turns[] = {{0, 5}, {5, 3}, {0, 5}, {1, 2}, {2, 3}};
    const struct graft_trainer_options options = {.keep_gradients = true};
    struct session whole;
    assert_int_equal(session_try_norm(*state, 5, GRAFT_BATCH_NORM_TRAIN, &options, &whole), GRAFT_OK);
    struct session exact[6];
    for (int rows = 2; rows <= 5; rows++) {
        assert_int_equal(session_try_norm(*state, rows, GRAFT_BATCH_NORM_TRAIN, &options, &exact[rows]),
                         GRAFT_OK);
    }
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        struct session *const of_size = &exact[turns[i].valid];
        for (int p = 0; p < whole.model->parameter_count; p++) { /* both begin with the same statistics */
            const char *const name = whole.model->parameters[p].name;
            const uint64_t bytes = (uint64_t)elements(&whole, p) * sizeof(double);
            double *const values = malloc(bytes);
            assert_int_equal(graft_variables_read(whole.variables, name, values, bytes), GRAFT_OK);
            assert_int_equal(graft_variables_write(of_size->variables, name, values, bytes), GRAFT_OK);
            free(values);
        }
        step_on(&whole, turns[i].first, turns[i].valid);
        step_on(of_size, turns[i].first, turns[i].valid);
        assert_same_statistics(&whole, of_size);
        assert_same_gradients(&whole, of_size);
    }
    for (int rows = 2; rows <= 5; rows++) {
        session_close(&exact[rows]);
    }
    session_close(&whole);
    /* Six of eight rows in parts of at most four: two runs of three */
    const struct graft_trainer_options cut = {.micro_batch = 4};
    assert_int_equal(session_try_norm(*state, 8, GRAFT_BATCH_NORM_TRAIN, &cut, &whole), GRAFT_OK);
    assert_int_equal(session_try_norm(*state, 3, GRAFT_BATCH_NORM_TRAIN, &cut, &exact[3]), GRAFT_OK);
    step_on(&whole, 0, 6);
    step_on(&exact[3], 0, 3);
    step_on(&exact[3], 3, 3);
    assert_same_statistics(&whole, &exact[3]);
    session_close(&whole);
    session_close(&exact[3]);
}

/* By their definition: mean and unbiased variance of what the first convolution makes of three pictures of
 * five. */
static void first_statistics_by_definition(void **state)
{
    struct session session;
    const struct graft_trainer_options options = {0};
    assert_int_equal(session_try_norm(*state, 5, GRAFT_BATCH_NORM_TRAIN, &options, &session), GRAFT_OK);
    const int conv = 0;
    const struct graft_model_parameter *const weight = &session.model->parameters[conv];
    assert_string_equal(weight->name, "block1.conv.weight");
    const int64_t outputs = weight->shape.dim[0]; /* [o, 3, 3, 3], see GRAFT_LAYOUT_CONV */
    double w[4096], mean[128], var[128];
    assert_int_equal(graft_variables_read(session.variables, weight->name, w,
                                          (uint64_t)elements(&session, conv) * sizeof *w),
                     GRAFT_OK);
    step_on(&session, 0, 3);
    assert_int_equal(graft_variables_read(session.variables, "block1.bn.running_mean", mean,
                                          (uint64_t)outputs * sizeof *mean),
                     GRAFT_OK);
    assert_int_equal(graft_variables_read(session.variables, "block1.bn.running_var", var,
                                          (uint64_t)outputs * sizeof *var),
                     GRAFT_OK);
    const int count = 3 * SIDE * SIDE;
    for (int64_t o = 0; o < outputs; o++) {
        static double y[3 * SIDE * SIDE];
        double sum = 0, squares = 0;
        for (int at = 0; at < count; at++) {
            const int row = at / (SIDE * SIDE), top = at / SIDE % SIDE - 1, left = at % SIDE - 1;
            y[at] = 0;
            for (int k = 0; k < 27; k++) { /* k: kernel row, column, channel */
                const int r = top + k / 9, c = left + k / 3 % 3;
                const double x = r < 0 || c < 0 || r >= SIDE || c >= SIDE
                                     ? 0
                                     : sin((double)((r * SIDE + c) * 3 + k % 3) * (two_parts[row] + 2));
                y[at] += x * w[o * 27 + k];
            }
            sum += y[at];
        }
        for (int at = 0; at < count; at++) {
            squares += (y[at] - sum / count) * (y[at] - sum / count);
        }
        const double momentum = (double)0.1f;
        assert_near(mean[o], momentum * sum / count);
        assert_near(var[o], 1 - momentum + momentum * squares / (count - 1));
    }
    session_close(&session);
}

/* One picture whose last maps have one place has no variance: that is told, and other batches go on. */
static void a_variance_of_nothing_is_told(void **state)
{
    struct session session;
    const struct graft_trainer_options options = {0};
    const struct graft_model_options of_model = {.batch = 3,
                                                 .height = 32,
                                                 .width = 32,
                                                 .classes = CLASSES,
                                                 .training = true,
                                                 .bn = GRAFT_BATCH_NORM_TRAIN};
    session = (struct session){0};
    assert_int_equal(graft_device_open(*state, "cpu", &session.device), GRAFT_OK);
    assert_int_equal(graft_model_open(*state, "resnet18", &of_model, &session.model), GRAFT_OK);
    assert_int_equal(graft_variables_open(session.device, &session.variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(session.model, session.variables, 5, 0), GRAFT_OK);
    assert_int_equal(
        graft_trainer_open(session.device, session.model, session.variables, &options, &session.trainer),
        GRAFT_OK);
    static float pixels[3 * 32 * 32 * 3];
    for (int i = 0; i < 3 * 32 * 32 * 3; i++) {
        pixels[i] = (float)sin((double)i);
    }
    static const int32_t labels[] = {0, 1, 2};
    struct graft_step step = {
        .input = pixels, .labels = labels, .valid = 1, .learning_rate = 1e-3, .number = 1};
    assert_int_equal(graft_trainer_step(session.trainer, &step), GRAFT_ERROR_SHAPE);
    assert_non_null(strstr(graft_context_error(*state), "a batch of only 1 pictures"));
    assert_non_null(strstr(graft_context_error(*state), "use a larger batch or freeze"));
    step.valid = 2;
    assert_int_equal(graft_trainer_step(session.trainer, &step), GRAFT_OK);
    step.valid = 3;
    assert_int_equal(graft_trainer_step(session.trainer, &step), GRAFT_OK);
    session_close(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padding_says_nothing),
        cmocka_unit_test(weights_count_like_repeated_pictures),
        cmocka_unit_test(a_partial_batch_is_a_smaller_one),
        cmocka_unit_test(a_weight_of_nothing_is_refused),
        cmocka_unit_test(gradients_are_clipped_to_their_common_norm),
        cmocka_unit_test(micro_batches_are_clipped_together),
        cmocka_unit_test(a_norm_that_is_not_finite_is_told),
        cmocka_unit_test(steps_under_way_are_the_same),
        cmocka_unit_test(a_late_loss_that_is_not_finite_is_told),
        cmocka_unit_test(parts_are_filled_up_with_their_own_rows),
        cmocka_unit_test(statistics_are_of_valid_rows),
        cmocka_unit_test(first_statistics_by_definition),
        cmocka_unit_test(a_variance_of_nothing_is_told),
    };
    return cmocka_run_group_tests(tests, test_open_context, test_close_context);
}
