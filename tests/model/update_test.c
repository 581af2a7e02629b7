/* SPDX-License-Identifier: MIT */
/*
 * What a training step does to the parameters: some steps of a small network in f64, each compared with the
 * optimizer's formula (graft/op.h), computed here from the parameters before and the gradients of the step.
 */
#include "graft/train.h"
#include "support/support.h"

#include <math.h>

#define SIDE 16
#define PIXELS (SIDE * SIDE * 3)
#define CLASSES 3
#define BATCH 4
#define STEPS 4

struct session {
    struct graft_device *device;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_trainer *trainer;
};

/* The network learns from stage `train_from` on; NULL: all of it. */
static void session_open(struct graft_context *context, const char *train_from,
                         struct graft_trainer_options options, struct session *session)
{
    const struct graft_model_options of_model = {.batch = BATCH,
                                                 .height = SIDE,
                                                 .width = SIDE,
                                                 .classes = CLASSES,
                                                 .real = GRAFT_DTYPE_F64,
                                                 .training = true,
                                                 .train_from = train_from};
    options.keep_gradients = true;
    *session = (struct session){0};
    assert_int_equal(graft_device_open(context, "reference", &session->device), GRAFT_OK);
    assert_int_equal(graft_model_open(context, "tiny_convnet", &of_model, &session->model), GRAFT_OK);
    assert_int_equal(graft_variables_open(session->device, &session->variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(session->model, session->variables, 5, 0), GRAFT_OK);
    assert_int_equal(
        graft_trainer_open(session->device, session->model, session->variables, &options, &session->trainer),
        GRAFT_OK);
}

static void session_close(struct session *session)
{
    graft_trainer_close(&session->trainer);
    graft_variables_close(&session->variables);
    graft_model_close(&session->model);
    graft_device_close(&session->device);
}

static struct graft_step make_step(int64_t number, double rate)
{
    static double pixels[BATCH * PIXELS];
    static const int32_t labels[BATCH] = {2, 0, 1, 2};
    for (int64_t i = 0; i < BATCH * PIXELS; i++)
        pixels[i] = sin((double)(i * (number + 2)));
    return (struct graft_step){
        .input = pixels, .labels = labels, .valid = BATCH, .learning_rate = rate, .number = number};
}

static size_t bytes_of(const struct session *session, int p)
{
    return (size_t)graft_shape_count(&session->model->parameters[p].shape) * sizeof(double);
}

/* Values of a parameter, to be freed. */
static double *read_parameter(const struct session *session, int p)
{
    double *const data = malloc(bytes_of(session, p));
    assert_int_equal(graft_variables_read(session->variables, session->model->parameters[p].name, data,
                                          bytes_of(session, p)),
                     GRAFT_OK);
    return data;
}

/* The optimizer's own numbers of one parameter. */
struct moments {
    double *m, *v;
};

/* One element, by the formulas of struct graft_update_attributes. */
static double updated(enum graft_optimizer optimizer, const struct graft_update_attributes *a, double rate,
                      double decay, int64_t t, double p, double g, double *m, double *v)
{
    const double beta1 = (double)a->beta1, beta2 = (double)a->beta2, momentum = (double)a->momentum;
    switch (optimizer) {
    case GRAFT_ADAM:
    case GRAFT_ADAMW:
        if (a->decoupled || optimizer == GRAFT_ADAMW)
            p -= rate * decay * p;
        else
            g += decay * p;
        *m = beta1 * *m + (1 - beta1) * g;
        *v = beta2 * *v + (1 - beta2) * g * g;
        return p - rate * (*m / (1 - pow(beta1, (double)t))) /
                       (sqrt(*v / (1 - pow(beta2, (double)t))) + (double)a->epsilon);
    case GRAFT_RMSPROP:
        g += decay * p;
        *v = beta2 * *v + (1 - beta2) * g * g;
        return p - rate * g / (sqrt(*v) + (double)a->epsilon);
    case GRAFT_SGD:
        break;
    }
    g += decay * p;
    *v = momentum * *v + g;
    return p - rate * (a->nesterov ? g + momentum * *v : *v);
}

static void check_parameter(const struct session *session, const struct graft_trainer_options *options,
                            int64_t number, double rate, int p, const double *before, struct moments *moments)
{
    const struct graft_model_parameter *const parameter = &session->model->parameters[p];
    struct graft_update_attributes update = options->update;
    const bool usual = update.momentum == 0 && update.beta1 == 0 && update.beta2 == 0 && update.epsilon == 0 &&
                       update.weight_decay == 0 && !update.nesterov && !update.decoupled;
    if (usual)
        update = graft_update_defaults(options->optimizer);
    /* Neither biases nor what normalization learns decay by themselves. */
    const float usually = parameter->shape.rank > 1 ? 1 : 0;
    const double decay =
        (double)(update.weight_decay * (options->decay_factors ? options->decay_factors[p] : usually));
    const int64_t count = graft_shape_count(&parameter->shape);
    double *const after = read_parameter(session, p);
    double *const gradient = malloc(bytes_of(session, p));
    const double factor = options->factors ? (double)options->factors[p] : 1;
    assert_int_equal(graft_trainer_gradient(session->trainer, p, gradient, bytes_of(session, p)), GRAFT_OK);
    for (int64_t i = 0; i < count; i++) {
        const double wanted = updated(options->optimizer, &update, rate * factor, decay, number, before[i],
                                      gradient[i], &moments->m[i], &moments->v[i]);
        if (!(fabs(after[i] - wanted) <= 1e-12 * (1 + fabs(wanted))))
            fail_msg("step %d, %s[%d]: %.17g, not %.17g", (int)number, parameter->name, (int)i, after[i],
                     wanted);
    }
    free(after);
    free(gradient);
}

/* Some steps; parameters that are not trained and the model's must be as they were. */
static void check_training(struct graft_context *context, const char *train_from,
                           struct graft_trainer_options options)
{
    struct session session;
    struct moments moments[64] = {{NULL, NULL}};
    double *before[64] = {NULL};
    double rate = 0.01;
    session_open(context, train_from, options, &session);
    const int count = session.model->parameter_count;
    assert_true(count <= 64);
    for (int p = 0; p < count; p++) {
        moments[p].m = calloc(1, bytes_of(&session, p));
        moments[p].v = calloc(1, bytes_of(&session, p));
    }
    for (int64_t number = 1; number <= STEPS; number++, rate *= 0.5) {
        struct graft_step step = make_step(number, rate);
        for (int p = 0; p < count; p++)
            before[p] = read_parameter(&session, p);
        assert_int_equal(graft_trainer_step(session.trainer, &step), GRAFT_OK);
        for (int p = 0; p < count; p++) {
            const struct graft_model_parameter *const parameter = &session.model->parameters[p];
            double *const after = read_parameter(&session, p);
            if (!parameter->state && parameter->trainable)
                check_parameter(&session, &options, number, rate, p, before[p], &moments[p]);
            else if (!parameter->state)
                assert_memory_equal(after, before[p], bytes_of(&session, p));
            free(after);
            free(before[p]);
        }
    }
    for (int p = 0; p < count; p++) {
        free(moments[p].m);
        free(moments[p].v);
    }
    session_close(&session);
}

static void adam_corrects_its_moments(void **state)
{
    check_training(*state, NULL, (struct graft_trainer_options){.optimizer = GRAFT_ADAM});
}

static void decay_spares_biases(void **state)
{
    struct graft_trainer_options options = {.optimizer = GRAFT_ADAM,
                                            .update = graft_update_defaults(GRAFT_ADAM)};
    options.update.weight_decay = 0.1f;
    check_training(*state, NULL, options);
    options.update.decoupled = true;
    check_training(*state, NULL, options);
    check_training(*state, NULL, (struct graft_trainer_options){.optimizer = GRAFT_ADAMW});
}

static void momentum_and_nesterov(void **state)
{
    struct graft_trainer_options options = {.optimizer = GRAFT_SGD};
    check_training(*state, NULL, options);
    options.update =
        (struct graft_update_attributes){.momentum = 0.8f, .weight_decay = 0.05f, .nesterov = true};
    check_training(*state, NULL, options);
}

static void rmsprop_as_in_pytorch(void **state)
{
    check_training(*state, NULL, (struct graft_trainer_options){.optimizer = GRAFT_RMSPROP});
}

/* As PyTorch's groups of parameters: each with a rate and a weight decay of its own, some of them the same. */
static void parameters_learn_at_their_own_rate(void **state)
{
    static const float few[] = {0.5f, 0.25f, 2, 3, 0.125f, 1.5f, 0, 4};
    float factors[64], decays[64];
    for (int p = 0; p < 64; p++) {
        factors[p] = few[p * 5 % 8];
        decays[p] = p % 3 == 0 ? 0 : few[p % 8];
    }
    check_training(*state, NULL, (struct graft_trainer_options){.optimizer = GRAFT_SGD, .factors = factors});
    check_training(*state, "block3", (struct graft_trainer_options){.optimizer = GRAFT_ADAMW,
                                                                   .factors = factors,
                                                                   .decay_factors = decays});
    struct graft_trainer_options plain = {.optimizer = GRAFT_SGD,
                                          .update = {.momentum = 0.5f, .weight_decay = 0.2f},
                                          .decay_factors = decays};
    check_training(*state, NULL, plain);
}

static void what_is_frozen_stays(void **state)
{
    check_training(*state, "head", (struct graft_trainer_options){.optimizer = GRAFT_ADAM});
    check_training(*state, "block5", (struct graft_trainer_options){.optimizer = GRAFT_SGD});
    /* From a layer within a stage on. */
    check_training(*state, "block4.bn", (struct graft_trainer_options){.optimizer = GRAFT_ADAM});
}

/* A step without update changes nothing; its loss and its count are those of the valid rows. */
static void steps_without_update(void **state)
{
    struct session session;
    session_open(*state, NULL, (struct graft_trainer_options){.optimizer = GRAFT_SGD}, &session);
    struct graft_step step = make_step(1, 0.1);
    step.no_update = true;
    double *const before = read_parameter(&session, 0);
    assert_int_equal(graft_trainer_step(session.trainer, &step), GRAFT_OK);
    double *const after = read_parameter(&session, 0);
    assert_memory_equal(before, after, bytes_of(&session, 0));
    int64_t correct = 0;
    double loss = 0;
    for (int64_t valid = 1; valid <= BATCH; valid++) { /* sums over more and more rows */
        struct graft_step part = step;
        part.valid = valid;
        assert_int_equal(graft_trainer_step(session.trainer, &part), GRAFT_OK);
        assert_true(part.correct == correct || part.correct == correct + 1);
        assert_true((double)valid * part.loss > loss);
        correct = part.correct;
        loss = (double)valid * part.loss;
    }
    assert_int_equal(correct, step.correct);
    assert_true(fabs(loss / BATCH - step.loss) <= 1e-12);
    free(before);
    free(after);
    session_close(&session);
}

/* What is dropped depends on the number of the step, and on nothing else. */
static void each_step_drops_other_elements(void **state)
{
    enum { WIDE = 64 };
    const struct graft_model_options options = {
        .batch = 1, .height = WIDE, .width = WIDE, .classes = CLASSES, .training = true, .seed = 3};
    const struct graft_trainer_options usual = {.optimizer = GRAFT_SGD};
    static float pixels[WIDE * WIDE * 3];
    const int32_t label = 1;
    struct session session = {NULL, NULL, NULL, NULL};
    double losses[4];
    for (int i = 0; i < WIDE * WIDE * 3; i++)
        pixels[i] = sinf((float)i);
    assert_int_equal(graft_device_open(*state, "cpu", &session.device), GRAFT_OK);
    assert_int_equal(graft_model_open(*state, "squeezenet1_1", &options, &session.model), GRAFT_OK);
    assert_int_equal(graft_variables_open(session.device, &session.variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(session.model, session.variables, 5, 0), GRAFT_OK);
    assert_int_equal(
        graft_trainer_open(session.device, session.model, session.variables, &usual, &session.trainer),
        GRAFT_OK);
    for (int i = 0; i < 4; i++) {
        struct graft_step step = {
            .input = pixels, .labels = &label, .valid = 1, .number = 1 + i % 3, .no_update = true};
        assert_int_equal(graft_trainer_step(session.trainer, &step), GRAFT_OK);
        losses[i] = step.loss;
    }
    assert_true(losses[0] != losses[1] && losses[1] != losses[2] && losses[0] != losses[2]);
    assert_true(losses[0] == losses[3]);
    session_close(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adam_corrects_its_moments),      cmocka_unit_test(decay_spares_biases),
        cmocka_unit_test(momentum_and_nesterov),          cmocka_unit_test(rmsprop_as_in_pytorch),
        cmocka_unit_test(parameters_learn_at_their_own_rate), cmocka_unit_test(what_is_frozen_stays),
        cmocka_unit_test(steps_without_update),           cmocka_unit_test(each_step_drops_other_elements),
    };
    return cmocka_run_group_tests(tests, test_open_context, test_close_context);
}
