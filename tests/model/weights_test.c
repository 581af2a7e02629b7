/* SPDX-License-Identifier: MIT */
/* Weights in and out, initial values, parts that share variables, frozen and training batch normalization. */
#include "base/random.h"
#include "model/weights_fixture.h"
#include "model/models.h"

#include <jansson.h>
#include <math.h>

static void round_trip(void **state)
{
    (void)state;
    struct graft_model *model = open_model("mnist_convnet", (struct graft_model_options){0});
    struct graft_tensor_set *set = formula_set(model, "");
    struct graft_variables *variables = NULL;
    struct graft_weights_report report;
    ok(graft_variables_open(device, &variables));
    ok(graft_model_load_weights(model, variables, set, false, &report));
    assert_int_equal(report.loaded, 10);
    assert_int_equal(report.missing + report.unused + report.misshaped, 0);

    /* Ours: conv2.weight [64, 3, 3, 32], fc1.weight [64, (3, 3, 64)]; PyTorch's: [64, 32, 3, 3], [64, (64, 3,
     * 3)]. */
    const float *const conv = graft_tensor_set_find(set, "conv2.weight")->data;
    const float *const dense = graft_tensor_set_find(set, "fc1.weight")->data;
    const int o = 5, c = 7, y = 1, x = 2;
    assert_true(read_float(variables, "conv2.weight", 64 * 3 * 3 * 32, ((o * 3 + y) * 3 + x) * 32 + c) ==
                conv[((o * 32 + c) * 3 + y) * 3 + x]);
    assert_true(read_float(variables, "fc1.weight", 64 * 576, o * 576 + (y * 3 + x) * 64 + c) ==
                dense[o * 576 + (c * 3 + y) * 3 + x]);

    struct graft_tensor_set *stored = NULL;
    ok(graft_tensor_set_open(context, &stored));
    ok(graft_model_store_weights(model, variables, stored));
    assert_int_equal(graft_tensor_set_count(stored), graft_tensor_set_count(set));
    for (size_t i = 0; i < graft_tensor_set_count(set); ++i) {
        const struct graft_named_tensor *const a = graft_tensor_set_at(set, i), *const b =
                                                                                    graft_tensor_set_at(
                                                                                        stored, i);
        assert_string_equal(a->name, b->name);
        assert_true(graft_shape_equal(&a->desc.shape, &b->desc.shape));
        assert_memory_equal(a->data, b->data, (size_t)graft_desc_bytes(&a->desc));
    }
    /* The same through variables in f64. */
    struct graft_model *wide =
        open_model("mnist_convnet", (struct graft_model_options){.real = GRAFT_DTYPE_F64});
    struct graft_variables *wide_variables = NULL;
    struct graft_tensor_set *again = NULL;
    ok(graft_variables_open(device, &wide_variables));
    ok(graft_tensor_set_open(context, &again));
    ok(graft_model_load_weights(wide, wide_variables, set, false, NULL));
    ok(graft_model_store_weights(wide, wide_variables, again));
    assert_memory_equal(graft_tensor_set_find(again, "fc1.weight")->data, dense, 64 * 576 * sizeof(float));
    graft_tensor_set_close(&again);
    graft_variables_close(&wide_variables);
    graft_model_close(&wide);
    graft_tensor_set_close(&stored);
    graft_variables_close(&variables);
    graft_tensor_set_close(&set);
    graft_model_close(&model);
}

static void reports(void **state)
{
    (void)state;
    struct graft_model *model = open_model("tiny_convnet", (struct graft_model_options){0});
    struct graft_model *two = open_model("tiny_convnet", (struct graft_model_options){.classes = 2});
    struct graft_model *other = open_model("mnist_convnet", (struct graft_model_options){0});
    struct graft_variables *variables = NULL;
    struct graft_weights_report report;
    ok(graft_variables_open(device, &variables));

    /* A prefix and num_batches_tracked do not disturb; a stray tensor is named. */
    struct graft_tensor_set *set = formula_set(model, "module.");
    const struct graft_desc one = {GRAFT_DTYPE_I32, graft_shape_of(0, 0)};
    ok(graft_tensor_set_add(set, "module.block1.bn.num_batches_tracked", &one, NULL));
    ok(graft_tensor_set_add(set, "stray\nname", &one, NULL));
    ok(graft_model_load_weights(model, variables, set, false, &report));
    assert_int_equal(report.loaded, 5 * 5 + 2);
    assert_int_equal(report.unused, 1);
    assert_string_equal(report.unused_names, "stray?name");
    graft_variables_close(&variables);

    /* Two classes: the head does not fit, nothing is changed; without the head it does. */
    ok(graft_variables_open(device, &variables));
    ok(graft_model_initialize(two, variables, 1, 0));
    const float before = read_float(variables, "block1.conv.weight", 432, 0);
    assert_int_equal(graft_model_load_weights(two, variables, set, false, &report), GRAFT_ERROR_FORMAT);
    assert_int_equal(report.misshaped, 2);
    assert_non_null(strstr(graft_context_error(context), "fc.weight f32 [10, 128] instead of f32 [2, 128]"));
    assert_true(read_float(variables, "block1.conv.weight", 432, 0) == before);
    const float head = read_float(variables, "fc.weight", 256, 9);
    ok(graft_model_load_weights(two, variables, set, true, &report));
    assert_int_equal(report.loaded, 5 * 5);
    assert_true(read_float(variables, "block1.conv.weight", 432, 0) != before);
    assert_true(read_float(variables, "fc.weight", 256, 9) == head);
    graft_variables_close(&variables);

    /* Another network's weights: all are missing, a few are named, the rest counted. */
    ok(graft_variables_open(device, &variables));
    assert_int_equal(graft_model_load_weights(other, variables, set, false, &report), GRAFT_ERROR_FORMAT);
    assert_int_equal(report.missing, 10);
    assert_int_equal(report.loaded, 0);
    assert_non_null(strstr(report.missing_names, "conv1.weight; conv1.bias"));
    assert_non_null(strstr(report.unused_names, " more"));
    assert_non_null(strstr(graft_context_error(context), "mnist_convnet"));
    graft_variables_close(&variables);
    graft_tensor_set_close(&set);
    graft_model_close(&other);
    graft_model_close(&two);
    graft_model_close(&model);
}

/* A tensor of the right name and shape that holds whole numbers is no weight. */
static void whole_numbers_are_no_weights(void **state)
{
    (void)state;
    static const enum graft_dtype dtypes[] = {GRAFT_DTYPE_U8, GRAFT_DTYPE_I32};
    struct graft_model *model = open_model("tiny_convnet", (struct graft_model_options){0});
    for (int d = 0; d < 2; ++d) {
        struct graft_tensor_set *set = NULL;
        struct graft_variables *variables = NULL;
        struct graft_weights_report report;
        ok(graft_tensor_set_open(context, &set));
        ok(graft_variables_open(device, &variables));
        for (int i = 0; i < model->parameter_count; ++i) {
            const struct graft_model_parameter *const p = &model->parameters[i];
            const bool last = i == model->parameter_count - 1;
            const struct graft_desc desc = {last ? dtypes[d] : GRAFT_DTYPE_F32, p->source_shape};
            ok(graft_tensor_set_add(set, p->name, &desc, NULL));
        }
        assert_int_equal(graft_model_load_weights(model, variables, set, false, &report), GRAFT_ERROR_FORMAT);
        assert_int_equal(report.misshaped, 1);
        assert_non_null(strstr(report.misshaped_names, "instead of f32"));
        graft_variables_close(&variables);
        graft_tensor_set_close(&set);
    }
    graft_model_close(&model);
}

static void initial_values(void **state)
{
    (void)state;
    struct graft_model *model = open_model("tiny_convnet", (struct graft_model_options){.classes = 100});
    struct graft_variables *a = NULL, *b = NULL;
    ok(graft_variables_open(device, &a));
    ok(graft_variables_open(device, &b));
    ok(graft_model_initialize(model, a, 7, 0));
    const int head = model->stage_count - 1;
    ok(graft_model_initialize(model, b, 7, head));
    /* The head's numbers do not depend on what else is initialized; the others were left as they are created.
     */
    enum { FC = 128 * 100, CONV = 128 * 128 * 9 };
    float *const fc = malloc(FC * sizeof *fc), *const fc_b = malloc(FC * sizeof *fc_b);
    float *const conv = malloc(CONV * sizeof *conv);
    ok(graft_variables_read(a, "fc.weight", fc, FC * sizeof *fc));
    ok(graft_variables_read(b, "fc.weight", fc_b, FC * sizeof *fc_b));
    assert_memory_equal(fc, fc_b, FC * sizeof *fc);
    assert_true(read_float(b, "block1.conv.weight", 432, 0) == 0.0f);
    ok(graft_model_initialize(model, b, 8, head));
    ok(graft_variables_read(b, "fc.weight", fc_b, FC * sizeof *fc_b));
    assert_memory_not_equal(fc, fc_b, FC * sizeof *fc);
    /* Uniform in ±1/sqrt(128): extremes near the bound, mean near 0, deviation bound/sqrt(3). Each within 5
     * sigma. */
    const double bound = 1.0 / sqrt(128.0);
    double sum = 0.0, squares = 0.0, largest = 0.0;
    for (int i = 0; i < FC; ++i) {
        sum += (double)fc[i];
        squares += (double)fc[i] * (double)fc[i];
        largest = fmax(largest, fabs((double)fc[i]));
    }
    assert_true(largest <= bound && largest > 0.995 * bound);
    assert_true(fabs(sum / FC) < 5.0 * bound / sqrt(3.0 * FC));
    assert_true(fabs(squares / FC / (bound * bound / 3.0) - 1.0) < 5.0 * sqrt(0.8 / FC));
    /* Normal with variance 2 / fan_out, fan_out = 128 × 9. */
    ok(graft_variables_read(a, "block5.conv.weight", conv, CONV * sizeof *conv));
    squares = 0.0;
    for (int i = 0; i < CONV; ++i)
        squares += (double)conv[i] * (double)conv[i];
    assert_true(fabs(squares / CONV * 128.0 * 9.0 / 2.0 - 1.0) < 5.0 * sqrt(2.0 / CONV));
    /* Drawn in pieces by several threads, they are one stream all the same. */
    struct graft_random random;
    graft_random_start(&random, 7, graft_hash_text("block5.conv.weight"));
    for (int i = 0; i < CONV; ++i)
        assert_true(conv[i] ==
                    (float)((double)(float)sqrt(2.0 / (128.0 * 9.0)) * graft_random_normal(&random)));
    graft_random_start(&random, 7, graft_hash_text("fc.weight"));
    for (int i = 0; i < FC; ++i)
        assert_true(fc[i] ==
                    (float)((double)(float)bound * (2.0 * (double)graft_random_uniform(&random) - 1.0)));
    /* Each parameter has numbers of its own: the bias is drawn from the same range as the weights. */
    ok(graft_variables_read(a, "fc.bias", fc_b, 100 * sizeof *fc_b));
    assert_memory_not_equal(fc, fc_b, 100 * sizeof *fc);
    assert_true(read_float(a, "block3.bn.weight", 64, 63) == 1.0f &&
                read_float(a, "block3.bn.running_var", 64, 0) == 1.0f);
    assert_true(read_float(a, "block3.bn.bias", 64, 63) == 0.0f &&
                read_float(a, "block3.bn.running_mean", 64, 0) == 0.0f);
    assert_int_equal(graft_model_initialize(model, a, 7, model->stage_count), GRAFT_ERROR_ARGUMENT);
    free(conv);
    free(fc_b);
    free(fc);
    graft_variables_close(&b);
    graft_variables_close(&a);
    graft_model_close(&model);
}

static void run_model(struct graft_model *model, struct graft_variables *variables, const void *input,
                      int value, void *output)
{
    struct graft_plan *plan = NULL;
    ok(graft_plan_open(model->graph, device, variables, NULL, &plan));
    ok(graft_plan_write(plan, model->input, input,
                        graft_desc_bytes(graft_graph_desc(model->graph, model->input))));
    if (model->step >= 0)
        ok(graft_plan_write(plan, model->step, (const int32_t[]){3}, 4));
    ok(graft_plan_refresh(plan));
    ok(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE));
    ok(graft_plan_read(plan, value, output, graft_desc_bytes(graft_graph_desc(model->graph, value))));
    graft_plan_close(&plan);
}

/* Features of the first stages, then the last stages on them: the same bits as the whole network. */
static void parts_agree(void **state)
{
    (void)state;
    static const char *const cuts[] = {"head", "block3"};
    static uint8_t picture[2 * 64 * 64 * 3];
    for (size_t i = 0; i < sizeof picture; ++i)
        picture[i] = (uint8_t)(i * i / 7);
    struct graft_model_options options = {.batch = 2, .input_u8 = true};
    struct graft_model *whole = open_model("tiny_convnet", options);
    struct graft_variables *variables = NULL;
    struct graft_tensor_set *set = formula_set(whole, "");
    ok(graft_variables_open(device, &variables));
    ok(graft_model_load_weights(whole, variables, set, false, NULL));
    graft_tensor_set_close(&set);
    float expected[20], logits[20];
    run_model(whole, variables, picture, whole->logits, expected);
    for (int i = 0; i < 2; ++i) {
        options.part = GRAFT_MODEL_BEFORE;
        options.cut = cuts[i];
        struct graft_model *before = open_model("tiny_convnet", options);
        options.part = GRAFT_MODEL_FROM;
        struct graft_model *from = open_model("tiny_convnet", options);
        float *const features = malloc((size_t)graft_desc_bytes(graft_graph_desc(from->graph, from->input)));
        run_model(before, variables, picture, before->features, features);
        run_model(from, variables, features, from->logits, logits);
        assert_memory_equal(logits, expected, sizeof logits);
        free(features);
        graft_model_close(&before);
        graft_model_close(&from);
    }
    graft_variables_close(&variables);
    graft_model_close(&whole);
}

static void batch_norm_modes(void **state)
{
    (void)state;
    static uint8_t picture[4 * 64 * 64 * 3];
    for (size_t i = 0; i < sizeof picture; ++i)
        picture[i] = (uint8_t)(i * i / 7);
    for (int mode = 0; mode < 3; ++mode) {
        /* 0: frozen though trainable; 1: train, all stages; 2: train, the first stages frozen. */
        const struct graft_model_options options = {.batch = 4,
                                                    .input_u8 = true,
                                                    .training = true,
                                                    .train_from = mode == 2 ? "block4" : NULL,
                                                    .bn = mode == 0 ? GRAFT_BATCH_NORM_FROZEN
                                                                    : GRAFT_BATCH_NORM_TRAIN};
        struct graft_model *model = open_model("tiny_convnet", options);
        struct graft_variables *variables = NULL;
        float logits[40];
        ok(graft_variables_open(device, &variables));
        ok(graft_model_initialize(model, variables, 1, 0));
        run_model(model, variables, picture, model->logits, logits);
        const bool first = read_float(variables, "block1.bn.running_mean", 16, 0) != 0.0f;
        const bool last = read_float(variables, "block5.bn.running_var", 128, 0) != 1.0f;
        assert_int_equal(first, mode == 1);
        assert_int_equal(last, mode != 0);
        graft_variables_close(&variables);
        graft_model_close(&model);
    }
}

/* A set under another's prefix, with a head for 7 classes and a tensor that no network has. */
static void networks_are_told_by_their_tensors(void **state)
{
    (void)state;
    struct graft_weights_match *const matches = calloc((size_t)graft_model_count(), sizeof *matches);
    struct graft_model *model = open_model("resnet18", (struct graft_model_options){.classes = 7});
    struct graft_tensor_set *set = formula_set(model, "module.");
    const struct graft_desc one = {GRAFT_DTYPE_F32, graft_shape_of(1, 1)};
    int count = 0;
    ok(graft_weights_match(context, set, matches, &count));
    assert_string_equal(matches[0].info->name, "resnet18");
    assert_true(matches[0].fits && !matches[1].fits);
    assert_int_equal(matches[0].classes, 7);
    assert_int_equal(matches[0].tensors, 102); /* 62 parameters, 20 times two statistics */
    assert_int_equal(matches[0].report.unused, 0);
    assert_string_equal(matches[1].info->name, "resnet34"); /* has what resnet18 has, and more */
    assert_int_equal(matches[1].report.missing, 182 - 102);
    assert_int_equal(matches[1].report.misshaped, 0);
    for (int i = 0; i < count; i++)
        assert_true(matches[i].tensors > matches[i].report.missing + matches[i].report.misshaped);
    ok(graft_tensor_set_add(set, "module.extra", &one, NULL));
    ok(graft_weights_match(context, set, matches, &count));
    assert_true(matches[0].fits);
    assert_int_equal(matches[0].report.unused, 1);
    assert_string_equal(matches[0].report.unused_names, "module.extra");
    graft_tensor_set_close(&set);
    graft_model_close(&model);
    free(matches);
}

/* Published in halves, in both of PyTorch's containers; the expected logits were computed in f64 from these
 * halves. */
static void halves_give_their_logits(void **state)
{
    static const char *const files[] = {"squeezenet1_1-f16.pth", "squeezenet1_1-f16-legacy.pth"};
    static float input[2 * 128 * 128 * 3], logits[2 * 1000];
    struct graft_device *cpu = NULL;
    char path[512], member[64];
    (void)state;
    json_t *const facts = test_data("weights/torch/squeezenet1_1-f16.json", path, sizeof path)
                              ? json_load_file(path, 0, NULL)
                              : NULL;
    if (!facts) {
        skip();
        return;
    }
    const json_t *const rows = json_object_get(facts, "logits");
    assert_int_equal(json_array_size(rows), 2);
    test_formula_input(128, input);
    ok(graft_device_open(context, "cpu", &cpu));
    for (int f = 0; f < 2; f++) {
        struct graft_tensor_set *set = NULL;
        struct graft_variables *variables = NULL;
        struct graft_plan *plan = NULL;
        struct graft_model *model = open_model(
            "squeezenet1_1", (struct graft_model_options){.batch = 2, .height = 128, .width = 128});
        (void)snprintf(member, sizeof member, "weights/torch/%s", files[f]);
        assert_non_null(test_data(member, path, sizeof path));
        ok(graft_tensor_set_load(context, path, &set));
        ok(graft_variables_open(cpu, &variables));
        ok(graft_model_load_weights(model, variables, set, false, NULL));
        ok(graft_plan_open(model->graph, cpu, variables, NULL, &plan));
        ok(graft_plan_write(plan, model->input, input, sizeof input));
        ok(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE));
        ok(graft_plan_read(plan, model->logits, logits, sizeof logits));
        double largest = 0, worst = 0;
        for (size_t i = 0; i < 2000; i++) {
            const json_t *const expected = json_array_get(json_array_get(rows, i / 1000), i % 1000);
            assert_non_null(expected);
            largest = fmax(largest, fabs(json_number_value(expected)));
            worst = fmax(worst, fabs((double)logits[i] - json_number_value(expected)));
        }
        assert_true(largest > 1 && worst <= 1e-4 * largest);
        graft_plan_close(&plan);
        graft_variables_close(&variables);
        graft_model_close(&model);
        graft_tensor_set_close(&set);
    }
    graft_device_close(&cpu);
    json_decref(facts);
}

/* A set with the names and shapes of vit_b_32, all zeros; `old`: torchvision's first names; `positions`: of the embedding. */
static struct graft_tensor_set *vit_set(const struct graft_model *model, bool old, int64_t positions)
{
    struct graft_tensor_set *set = NULL;
    ok(graft_tensor_set_open(context, &set));
    for (int i = 0; i < model->parameter_count; ++i) {
        struct graft_desc desc = {GRAFT_DTYPE_F32, model->parameters[i].source_shape};
        char name[128];
        const char *const own = model->parameters[i].name;
        const char *const mlp = old ? strstr(own, ".mlp.") : NULL;
        if (mlp)
            (void)snprintf(name, sizeof name, "%.*s.mlp.linear_%d%s", (int)(mlp - own), own, mlp[5] == '0' ? 1 : 2,
                           mlp + 6);
        else
            (void)snprintf(name, sizeof name, "%s", own);
        if (strcmp(own, "encoder.pos_embedding") == 0)
            desc.shape.dim[1] = positions;
        ok(graft_tensor_set_add(set, name, &desc, NULL));
    }
    return set;
}

/* mlp.linear_1 and mlp.linear_2 are mlp.0 and mlp.3; an embedding of another square of places fits, one of none does not. */
static void vision_transformers(void **state)
{
    (void)state;
    static const struct {
        bool old;
        int64_t positions;
        int misshaped;
    } sets[] = {{false, 50, 0}, {true, 50, 0}, {true, 145, 0}, {false, 2, 0}, {false, 146, 1}, {false, 1, 1}};
    struct graft_model *model = open_model("vit_b_32", (struct graft_model_options){0});
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; ++i) {
        struct graft_weights_report report;
        struct graft_tensor_set *set = vit_set(model, sets[i].old, sets[i].positions);
        ok(graft_model_compare_weights(model, set, &report));
        assert_int_equal(report.missing, 0);
        assert_int_equal(report.unused, 0);
        assert_int_equal(report.misshaped, sets[i].misshaped);
        graft_tensor_set_close(&set);
    }
    graft_model_close(&model);
}

/* Swin's files hold numbers that follow from its windows: they are no strangers. */
static void constants_are_known(void **state)
{
    (void)state;
    struct graft_model *model = open_model("swin_v2_t", (struct graft_model_options){0});
    struct graft_tensor_set *set = vit_set(model, false, 0);
    struct graft_weights_report report;
    assert_int_equal(model->constant_count, 2 * 12);
    for (int i = 0; i < model->constant_count; ++i)
        ok(graft_tensor_set_add(set, model->constants[i].name, &model->constants[i].desc, model->constants[i].data));
    ok(graft_model_compare_weights(model, set, &report));
    assert_int_equal(report.missing + report.unused + report.misshaped, 0);
    graft_tensor_set_close(&set);
    graft_model_close(&model);
}

static int dropped_pictures(struct graft_layers *b, int x, const void *configuration)
{
    (void)configuration;
    x = graft_layers_stage(b, x, "only");
    x = graft_layers_base(b, graft_layer_stochastic_depth(b, x, "depth", 0.5f));
    x = graft_layer_global_pool(b, x, "pool");
    return graft_layer_dense(b, graft_layers_stage(b, x, "head"), "fc", b->model->classes);
}

/* What stochastic depth leaves of pictures of ones; `before`: rows of the same batch that come before these. */
static void drop_pictures(int64_t batch, int32_t step, int32_t before, float *map)
{
    static const struct graft_network network = {
        .info = {.name = "dropped", .channels = 3, .classes = 2, .preprocess = {.crop = 2}},
        .build = dropped_pictures};
    const struct graft_model_options options = {.batch = batch, .training = true, .seed = 11};
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    ok(graft_model_open_network(context, &network, &options, &model));
    graft_graph_output(model->graph, model->map);
    ok(graft_variables_open(device, &variables));
    ok(graft_plan_open(model->graph, device, variables, NULL, &plan));
    float *const ones = malloc((size_t)batch * 12 * sizeof *ones);
    for (int64_t i = 0; i < batch * 12; ++i)
        ones[i] = 1.0f;
    ok(graft_plan_write(plan, model->input, ones, (uint64_t)batch * 12 * sizeof *ones));
    ok(graft_plan_write(plan, model->step, (const int32_t[]){step, before}, 8));
    ok(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE));
    ok(graft_plan_read(plan, model->map, map, (uint64_t)batch * 12 * sizeof *map));
    free(ones);
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    graft_model_close(&model);
}

/* A picture is dropped as a whole or doubled as a whole; a batch in parts drops the same ones, another step others. */
static void whole_pictures_are_dropped(void **state)
{
    (void)state;
    enum { BATCH = 400 };
    float *const map = malloc(BATCH * 12 * sizeof *map), *const other = malloc(BATCH * 12 * sizeof *other);
    int dropped = 0;
    drop_pictures(BATCH, 3, 0, map);
    for (int n = 0; n < BATCH; ++n) {
        assert_true(map[n * 12] == 0.0f || map[n * 12] == 2.0f);
        dropped += map[n * 12] == 0.0f;
        for (int i = 1; i < 12; ++i)
            assert_true(map[n * 12 + i] == map[n * 12]);
    }
    assert_true(abs(dropped - BATCH / 2) < 50); /* five standard deviations */
    drop_pictures(150, 3, 0, other);
    drop_pictures(BATCH - 150, 3, 150, other + 150 * 12);
    assert_memory_equal(map, other, BATCH * 12 * sizeof *map);
    drop_pictures(BATCH, 4, 0, other);
    assert_memory_not_equal(map, other, BATCH * 12 * sizeof *map);
    free(other);
    free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_are_told_by_their_tensors),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(reports),
        cmocka_unit_test(halves_give_their_logits),
        cmocka_unit_test(whole_numbers_are_no_weights),
        cmocka_unit_test(initial_values),
        cmocka_unit_test(parts_agree),
        cmocka_unit_test(batch_norm_modes),
        cmocka_unit_test(vision_transformers),
        cmocka_unit_test(constants_are_known),
        cmocka_unit_test(whole_pictures_are_dropped),
    };
    return cmocka_run_group_tests_name("weights", tests, set_up, tear_down);
}
