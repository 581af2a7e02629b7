/* SPDX-License-Identifier: MIT */
/* Parts and rates of real networks, as scripts of PyTorch's name them: no pictures, no weights. */
#include "support/support.h"

#include "model/parts.h"
#include "train/rates.h"

#include <math.h>

/* What graft_fit_rates_open looks at. */
static struct graft_fit_job job_of(struct graft_context *context, struct graft_model *model, double rate)
{
    return (struct graft_fit_job){
        .context = context,
        .whole = model,
        .options = {.stages = {{"all", 1, rate}}, .stage_count = 1, .trunk_factor = 1}};
}

static struct graft_model *open_network(struct graft_context *context, const char *name)
{
    const struct graft_model_options options = {.height = 64, .width = 64};
    const bool keras = strncmp(name, "keras", 5) == 0;
    struct graft_model *model = NULL;
    assert_int_equal(graft_model_open(context, name, keras ? NULL : &options, &model), GRAFT_OK);
    return model;
}

static double rate_of(const struct graft_fit_job *job, const struct graft_fit_rates *rates,
                      const char *parameter)
{
    for (int p = 0; p < job->whole->parameter_count; p++)
        if (strcmp(job->whole->parameters[p].name, parameter) == 0)
            return job->options.stages[0].learning_rate * (double)rates->factors[p];
    fail_msg("%s has no %s", job->whole->info->name, parameter);
    return 0;
}

static void assert_rate(const struct graft_fit_job *job, const struct graft_fit_rates *rates,
                        const char *parameter, double wanted)
{
    const double rate = rate_of(job, rates, parameter);
    if (!(fabs(rate - wanted) <= 1e-6 * wanted))
        fail_msg("%s: %.9g, not %.9g", parameter, rate, wanted);
}

/* VGG16-bn has 44 modules in `features`: 1e-7 and 2.27e-6 more for each, 1e-4 for the classifier's three
 * layers. */
static void a_step_a_layer(void **state)
{
    static const int convolutions[] = {0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40}; /* torchvision's */
    struct graft_model *model = open_network(*state, "vgg16_bn");
    struct graft_fit_job job = job_of(*state, model, 1e-4);
    struct graft_fit_rates rates;
    job.options.lr_decay = "linear:1e-4:1e-7";
    assert_int_equal(graft_fit_rates_open(&job, 0, &rates), GRAFT_OK);
    const double step = (1e-4 - 1e-7) / 44;
    assert_true(fabs(step - 2.27e-6) < 0.005e-6);
    for (int i = 0; i < 13; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "features.%d.bias", convolutions[i]);
        assert_rate(&job, &rates, name, 1e-7 + convolutions[i] * step);
        (void)snprintf(name, sizeof name, "features.%d.weight",
                       convolutions[i] + 1); /* batch normalization */
        assert_rate(&job, &rates, name, 1e-7 + (convolutions[i] + 1) * step);
    }
    assert_rate(&job, &rates, "classifier.0.weight", 1e-4);
    assert_rate(&job, &rates, "classifier.6.bias", 1e-4);
    graft_fit_rates_close(&job, &rates);
    graft_model_close(&model);
}

/* fc, layer4 … layer1, bn1, conv1: a third each. */
static void a_factor_a_group(void **state)
{
    static const char *const groups[] = {"fc.weight",
                                         "layer4.1.conv2.weight",
                                         "layer3.0.conv1.weight",
                                         "layer2.0.downsample.0.weight",
                                         "layer1.1.bn2.bias",
                                         "bn1.weight",
                                         "conv1.weight"};
    struct graft_model *model = open_network(*state, "resnet18");
    struct graft_fit_job job = job_of(*state, model, 1e-3);
    struct graft_fit_rates rates;
    struct graft_fit_rate line;
    job.options.lr_decay = "exp:3";
    assert_int_equal(graft_fit_rates_open(&job, 0, &rates), GRAFT_OK);
    for (int g = 0; g < 7; g++)
        assert_rate(&job, &rates, groups[g], 1e-3 / pow(3, g));
    int next = 0, lines = 0;
    int64_t parameters = 0;
    for (; graft_fit_rates_next(&job, 0, &rates, &next, &line); lines++)
        parameters += line.parameters;
    assert_int_equal(lines, 7);
    assert_int_equal(parameters, 11689512); /* torchvision's resnet18 */
    graft_fit_rates_close(&job, &rates);
    graft_model_close(&model);
}

/* Factors of the stage's rate, rates themselves, and one for the rest; and in a part of the network the same. */
static void rates_by_name(void **state)
{
    static const struct {
        const char *parameter;
        double usual, named, rest;
    } rows[] = {{"fc.weight", 1e-3, 1e-3, 1e-3},         {"layer4.1.conv2.weight", 1e-4, 2e-3, 2e-3},
                {"layer4.0.conv2.weight", 1e-4, 1e-4, 1e-8}, {"layer2.1.bn1.bias", 1e-4, 5e-4, 5e-4},
                {"bn1.weight", 1e-4, 3e-4, 3e-4},        {"conv1.weight", 1e-4, 1e-4, 1e-8}};
    const struct graft_model_options from = {.height = 64, .width = 64, .part = GRAFT_MODEL_FROM, .cut = "layer4"};
    struct graft_model *model = open_network(*state, "resnet18"), *part = NULL;
    float factors[128], decays[128];
    assert_int_equal(graft_model_open(*state, "resnet18", &from, &part), GRAFT_OK);
    assert_true(part->parameter_count < 128);
    for (int way = 0; way < 3; way++) {
        struct graft_fit_job job = job_of(*state, model, 1e-3);
        struct graft_fit_rates rates;
        job.options.trunk_factor = 0.1;
        job.options.stage_factors = way > 0 ? "layer2=0.5" : NULL;
        job.options.lr_groups = way > 0 ? "layer4.1=2e-3,bn1=3e-4" : NULL;
        job.options.lr_rest = way > 1 ? 1e-8 : 0;
        job.options.given.lr_rest = way > 1;
        job.options.decay_factors = "norm=2,layer4.0=0.5";
        assert_int_equal(graft_fit_rates_open(&job, 0, &rates), GRAFT_OK);
        for (int r = 0; r < 6; r++)
            assert_rate(&job, &rates, rows[r].parameter, way == 0   ? rows[r].usual
                                                         : way == 1 ? rows[r].named
                                                                    : rows[r].rest);
        graft_fit_rates_of_part(&job, &rates, part, factors, decays);
        for (int p = 0; p < part->parameter_count; p++) {
            const char *const name = part->parameters[p].name;
            assert_true((double)factors[p] * 1e-3 == rate_of(&job, &rates, name));
            const bool vector = part->parameters[p].shape.rank == 1;
            const bool bias = strcmp(name, "fc.bias") == 0, slow = strncmp(name, "layer4.0.", 9) == 0;
            assert_true(decays[p] == (bias ? 0 : vector ? 2 : slow ? 0.5f : 1));
        }
        graft_fit_rates_close(&job, &rates);
    }
    graft_model_close(&part);
    graft_model_close(&model);
}

/* Which layer a part begins with; NULL: there is none, and a near one is told. */
static void parts_have_many_names(void **state)
{
    static const struct {
        const char *network, *part, *layer;
    } rows[] = {
        {"vgg16", "features.7", "features.7"},
        {"vgg16", "features.17", "features.17"},
        {"vgg16", "block5", "features.24"},
        {"vgg16", "classifier.3", "classifier.3"},
        {"vgg16", "head", "classifier.6"},
        {"vgg16", "last:2", "classifier.3"},
        {"vgg16", "last:4", "features.28"},
        {"vgg16", "all", "features.0"},
        {"vgg16", "features", "features.0"},
        {"resnet18", "layer4.1", "layer4.1.conv1"},
        {"resnet18", "classifier", "fc"},
        {"resnet18", "fc", "fc"},
        {"resnet18", "bn1", "bn1"},
        {"resnet18", "layr4", NULL},
        {"resnet18", "layer44", NULL},
        {"squeezenet1_0", "classifier", "classifier.1"},
        {"keras_vgg16", "block5", "block5_conv1"},
        {"keras_vgg16", "block5_conv3", "block5_conv3"},
        {"keras_vgg16", "fc2", "fc2"},
        {"keras_vgg16", "classifier", "fc1"},
        {"keras_resnet50", "conv5_block1", "conv5_block1_1_conv"},
        {"vit_b_16", "encoder.layers.encoder_layer_11", "encoder.layers.encoder_layer_11.ln_1"},
    };
    struct graft_context *const context = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct graft_model *model = open_network(context, rows[i].network);
        int layer = -1;
        const enum graft_status status = graft_model_part_find(context, model, rows[i].part, &layer);
        if (rows[i].layer && (status != GRAFT_OK || strcmp(model->layers[layer].name, rows[i].layer) != 0))
            fail_msg("%s, %s: %s, not %s", rows[i].network, rows[i].part,
                     status ? graft_context_error(context) : model->layers[layer].name, rows[i].layer);
        assert_true(rows[i].layer || (status == GRAFT_ERROR_NOT_FOUND &&
                                      strstr(graft_context_error(context), "the nearest are layer4, ")));
        graft_model_close(&model);
    }
}

/* What is trainable from a layer in the middle of a stage on: that, and all that is computed later. */
static void networks_learn_from_a_layer_on(void **state)
{
    static const char *const starts[][2] = {{"vgg16", "classifier.3"},
                                            {"resnet18", "layer4.1.conv1"},
                                            {"vit_b_16", "encoder.layers.encoder_layer_11.ln_2"}};
    for (int i = 0; i < 3; i++) {
        const struct graft_model_options options = {
            .height = 64, .width = 64, .training = true, .train_from = starts[i][1]};
        struct graft_model *model = NULL;
        int64_t trainable = 0;
        assert_int_equal(graft_model_open(*state, starts[i][0], &options, &model), GRAFT_OK);
        int first = 0;
        while (strcmp(model->layers[first].name, starts[i][1]) != 0)
            first++;
        for (int p = 0; p < model->parameter_count; p++) {
            const struct graft_model_parameter *const parameter = &model->parameters[p];
            if (!parameter->state && parameter->trainable != (parameter->layer >= first))
                fail_msg("%s of %s", parameter->name, starts[i][0]);
            trainable += parameter->trainable ? graft_shape_count(&parameter->shape) : 0;
        }
        assert_int_equal(model->trainable_parameters, trainable);
        assert_true(trainable > 0 && trainable < model->total_parameters);
        graft_model_close(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_a_layer),
        cmocka_unit_test(a_factor_a_group),
        cmocka_unit_test(rates_by_name),
        cmocka_unit_test(parts_have_many_names),
        cmocka_unit_test(networks_learn_from_a_layer_on),
    };
    return cmocka_run_group_tests(tests, test_open_context, test_close_context);
}
