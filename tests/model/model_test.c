/* SPDX-License-Identifier: MIT */
/* Networks as descriptions: names, shapes, counts, parts, freezing, messages. Nothing is computed. What their graphs are told:
 * model_graph_test.c. */
#include "model_fixture.h"

#include "model/models.h"

#include <jansson.h>
#include <math.h>

/* ---- against the files of the public architectures */

static const struct graft_model_constant *constant_of(const struct graft_model *model, const char *name)
{
    for (int i = 0; i < model->constant_count; ++i)
        if (strcmp(model->constants[i].name, name) == 0)
            return &model->constants[i];
    return NULL;
}

/* [name, dtype, first eight elements, sum of all] */
static void compare_constants(const struct graft_model *model, const json_t *constants)
{
    assert_int_equal(model->constant_count, json_array_size(constants));
    for (size_t i = 0; i < json_array_size(constants); ++i) {
        const json_t *const row = json_array_get(constants, i), *const first = json_array_get(row, 2);
        const struct graft_model_constant *const own =
            constant_of(model, json_string_value(json_array_get(row, 0)));
        assert_non_null(own);
        const bool whole = own->desc.dtype == GRAFT_DTYPE_I32;
        assert_string_equal(json_string_value(json_array_get(row, 1)), whole ? "int64" : "float32");
        double sum = 0.0;
        for (int64_t k = 0; k < graft_shape_count(&own->desc.shape); ++k) {
            const double value = whole ? ((const int32_t *)own->data)[k] : (double)((const float *)own->data)[k];
            sum += value;
            if ((size_t)k < json_array_size(first))
                assert_true(fabs(value - json_number_value(json_array_get(first, (size_t)k))) < 1e-6);
        }
        assert_true(fabs(sum - json_number_value(json_array_get(row, 3))) < 1e-3);
    }
}

static void compare_with_file(const char *name, const char *path)
{
    json_t *const root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    const int64_t size = json_integer_value(json_object_get(root, "input_size"));
    struct graft_model *model = open_model(name, (struct graft_model_options){.height = size, .width = size});
    assert_int_equal(model->total_parameters, json_integer_value(json_object_get(root, "parameters")));
    assert_int_equal(model->multiply_adds, json_integer_value(json_object_get(root, "multiply_adds")));
    const json_t *const tensors = json_object_get(root, "tensors");
    int at = 0;
    for (size_t i = 0; i < json_array_size(tensors); ++i) {
        const json_t *const row = json_array_get(tensors, i);
        const char *const tensor = json_string_value(json_array_get(row, 0));
        const json_t *const dims = json_array_get(row, 1);
        if (strstr(tensor, "num_batches_tracked"))
            continue;
        const struct graft_model_constant *const constant = constant_of(model, tensor);
        assert_true(constant || at < model->parameter_count);
        const struct graft_model_parameter *const p = constant ? NULL : &model->parameters[at++];
        const struct graft_shape *const shape = constant ? &constant->desc.shape : &p->source_shape;
        assert_string_equal(constant ? constant->name : p->name, tensor);
        assert_int_equal(shape->rank, json_array_size(dims));
        for (int d = 0; d < shape->rank; ++d)
            assert_int_equal(shape->dim[d], json_integer_value(json_array_get(dims, (size_t)d)));
    }
    assert_int_equal(at, model->parameter_count);
    compare_constants(model, json_object_get(root, "constants"));
    graft_model_close(&model);
    json_decref(root);
}

static void public_architectures(void **state)
{
    (void)state;
    int compared = 0;
    for (int i = 0; i < graft_model_count(); ++i) {
        char file[128], path[512];
        snprintf(file, sizeof file, "zoo/%s.json", graft_model_at(i)->name);
        const char *const found = test_data(file, path, sizeof path);
        if (found) {
            compare_with_file(graft_model_at(i)->name, found);
            ++compared;
        }
    }
    if (compared == 0)
        skip();
    assert_true(compared >= 15);
}

/* ---- what holds for every network */

static void every_network(void **state)
{
    (void)state;
    for (int i = 0; i < graft_model_count(); ++i) {
        const struct graft_model_info *const info = graft_model_at(i);
        const struct graft_model_options options = {
            .batch = 3, .classes = 2, .training = true, .train_from = "head"};
        struct graft_model *model = open_model(info->name, options);
        assert_shape(model, model->logits, "[3, 2]");
        assert_true(model->map >= 0 && model->features >= 0 && model->stage_count >= 3);
        const struct graft_model_stage *const head = &model->stages[model->stage_count - 1];
        assert_string_equal(head->name, "head");
        assert_true(head->trainable && !model->stages[0].trainable);
        assert_int_equal(head->input, model->features);
        assert_int_equal(head->output, model->logits);
        /* Stages, layers and parameters tell the same story. */
        int64_t parameters = 0, trainable = 0;
        int stage_layers = 0, stage_parameters = 0;
        for (int s = 0; s < model->stage_count; ++s) {
            assert_int_equal(model->stages[s].first_layer, stage_layers);
            assert_int_equal(model->stages[s].first_parameter, stage_parameters);
            stage_layers += model->stages[s].layer_count;
            stage_parameters += model->stages[s].parameter_count;
            if (s > 0)
                assert_int_equal(model->stages[s].input, model->stages[s - 1].output);
        }
        assert_int_equal(stage_layers, model->layer_count);
        assert_int_equal(stage_parameters, model->parameter_count);
        for (int l = 0; l < model->layer_count; ++l) {
            parameters += model->layers[l].parameters;
            trainable += model->layers[l].trainable ? model->layers[l].parameters : 0;
            assert_int_equal(graft_graph_find(model->graph, model->layers[l].name), model->layers[l].value);
        }
        assert_int_equal(parameters, model->total_parameters);
        assert_int_equal(trainable, model->trainable_parameters);
        assert_true(trainable > 0);
        for (int p = 0; p < model->parameter_count; ++p)
            assert_true(strlen(model->parameters[p].name) < GRAFT_MODEL_NAME_SIZE - 1);
        const char *const summary = graft_model_summary(model);
        assert_non_null(summary);
        assert_non_null(strstr(summary, "head (trainable)"));
        graft_model_close(&model);
        graft_model_close(&model);
    }
    assert_null(graft_model_at(graft_model_count()));
    assert_null(graft_model_at(-1));
}

static void mnist_convnet(void **state)
{
    (void)state;
    struct graft_model *model = open_model("mnist_convnet", (struct graft_model_options){0});
    assert_int_equal(model->total_parameters, 93322);
    int64_t convolutions = 0;
    for (int i = 0; i < model->layer_count; ++i)
        convolutions += strstr(model->layers[i].op, "conv2d") ? model->layers[i].parameters : 0;
    assert_int_equal(convolutions, 55744);
    assert_shape(model, model->map, "[1, 3, 3, 64]");
    const int fc1 = model->stages[graft_model_stage_find(model, "dense")].first_parameter;
    assert_string_equal(model->parameters[fc1].name, "fc1.weight");
    assert_int_equal(model->parameters[fc1].flattened[0], 3);
    assert_int_equal(model->parameters[fc1].flattened[2], 64);
    graft_model_close(&model);
}

static void other_sizes(void **state)
{
    (void)state;
    /* The adaptive pool makes VGG's dense layers fit whatever the picture's size. */
    struct graft_model *model =
        open_model("vgg11", (struct graft_model_options){.height = 320, .width = 160});
    assert_shape(model, model->map, "[1, 10, 5, 512]");
    assert_shape(model, model->logits, "[1, 1000]");
    assert_int_equal(model->total_parameters, 132863336);
    graft_model_close(&model);
    model = open_model("resnet18", (struct graft_model_options){.batch = 4, .height = 64, .width = 64});
    assert_shape(model, model->map, "[4, 2, 2, 512]");
    graft_model_close(&model);
    /* SqueezeNet's pools round up: 224 and 227 leave 13. */
    model = open_model("squeezenet1_0", (struct graft_model_options){.height = 227, .width = 227});
    assert_shape(model, model->map, "[1, 13, 13, 512]");
    graft_model_close(&model);
    model = open_model("squeezenet1_0", (struct graft_model_options){0});
    assert_shape(model, model->input, "[1, 224, 224, 3]");
    assert_shape(model, model->map, "[1, 13, 13, 512]");
    graft_model_close(&model);
}

/* The smallest pictures are those of torchvision's list, to the pixel. */
static void smallest_sizes(void **state)
{
    (void)state;
    char path[512];
    const char *const found = test_data("zoo/torchvision-weights.json", path, sizeof path);
    if (!found)
        skip();
    json_t *const list = json_load_file(found, 0, NULL);
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        const char *const name = json_string_value(json_object_get(entry, "model"));
        const int64_t least = json_integer_value(json_array_get(json_object_get(entry, "min_size"), 0));
        const struct graft_model_info *info = NULL;
        if (graft_model_find(context, name, &info) || json_integer_value(json_object_get(entry, "classes")) != 1000)
            continue;
        struct graft_model *model = open_model(name, (struct graft_model_options){.height = least, .width = least});
        graft_model_close(&model);
        const struct graft_model_options less = {.height = least - 1, .width = least + 7};
        if (least > 1)
            assert_int_equal(graft_model_open(context, name, &less, &model), GRAFT_ERROR_SHAPE);
    }
    json_decref(list);
}

/* ---- building blocks: small networks of their own */

static int blocks(struct graft_layers *b, int x, const void *configuration)
{
    const int32_t *const choice = configuration;
    x = graft_layers_stage(b, x, "only");
    switch (*choice) {
    case 0:
        x = graft_layer_conv(b, x, "conv",
                             (struct graft_conv){.channels = 6, .kernel = {1, 7}, .dilation = 2, .half = true});
        break;
    case 1:
        x = graft_layer_conv(b, x, "conv",
                             (struct graft_conv){.channels = 6, .kernel = {5, 2}, .pad = {1, 2, 3, 4}, .groups = 3});
        break;
    case 2:
        x = graft_layer_conv(
            b, x, "conv",
            (struct graft_conv){.channels = 6, .kernel = {3, 3}, .dilation = 3, .stride = 2, .same = true});
        break;
    default:
        x = graft_layer_stochastic_depth(b, x, "depth", 0.25f);
        break;
    }
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "pool");
    return graft_layer_dense(b, graft_layers_stage(b, x, "head"), "fc", b->model->classes);
}

static struct graft_model *open_blocks(const int32_t *choice, struct graft_model_options options)
{
    /* Models point to their network. */
    static struct graft_network network = {.info = {.name = "blocks",
                                                    .family = "blocks",
                                                    .source = "test",
                                                    .channels = 3,
                                                    .classes = 2,
                                                    .preprocess = {.crop = 20}},
                                           .build = blocks};
    struct graft_model *model = NULL;
    network.configuration = choice;
    if (graft_model_open_network(context, &network, &options, &model))
        fail_msg("%s", graft_context_error(context));
    return model;
}

/* Kernels, pads and dilation of their own in each direction: shapes, pads, work, the line of the summary. */
static void convolutions(void **state)
{
    (void)state;
    static const struct {
        const char *map, *op;
        int32_t pad[4];
        int64_t source[4], multiply_adds;
    } rows[] = {
        {"[1, 20, 15, 6]", "conv2d 1x7 d2", {0, 0, 6, 6}, {6, 3, 1, 7}, 20 * 15 * 6 * 3 * 7},
        {"[1, 19, 21, 6]", "conv2d 5x2 g3", {1, 2, 3, 4}, {6, 1, 5, 2}, 19 * 21 * 6 * 10},
        /* ⌈20 / 2⌉ and ⌈15 / 2⌉; the kernel reaches over 7: (10 − 1) × 2 + 7 − 20 and (8 − 1) × 2 + 7 − 15. */
        {"[1, 10, 8, 6]", "conv2d 3x3/2 d3", {2, 3, 3, 3}, {6, 3, 3, 3}, 10 * 8 * 6 * 3 * 9},
    };
    for (int32_t i = 0; i < 3; ++i) {
        struct graft_model *model = open_blocks(&i, (struct graft_model_options){.height = 20, .width = 15});
        const struct graft_node *const node = find_node(model, GRAFT_OP_CONV2D, 0);
        assert_shape(model, model->map, rows[i].map);
        assert_string_equal(model->layers[0].op, rows[i].op);
        assert_int_equal(model->layers[0].multiply_adds, rows[i].multiply_adds);
        assert_memory_equal(node->call.attributes.conv2d.pad, rows[i].pad, sizeof rows[i].pad);
        for (int d = 0; d < 4; ++d)
            assert_int_equal(model->parameters[0].source_shape.dim[d], rows[i].source[d]);
        graft_model_close(&model);
    }
}

/* Where dropout is: in trainable stages, unless the options say that there is none. */
static void stochastic_depth(void **state)
{
    (void)state;
    const int32_t choice = 3;
    static const struct {
        struct graft_model_options options;
        bool active;
    } rows[] = {{{.training = true, .seed = 5}, true},
                {{.training = true, .dropout = 0.5f}, true},
                {{.training = true, .train_from = "head"}, false},
                {{.training = true, .dropout = -1.0f}, false},
                {{0}, false}};
    for (int i = 0; i < 5; ++i) {
        struct graft_model *model = open_blocks(&choice, rows[i].options);
        const struct graft_node *const node = find_node(model, GRAFT_OP_DROPOUT, 0);
        assert_int_equal(node != NULL, rows[i].active);
        assert_int_equal(model->step >= 0, rows[i].active);
        if (node) {
            assert_true(node->call.attributes.dropout.probability == 0.25f);
            assert_int_equal(node->call.attributes.dropout.seed, rows[i].options.seed);
        }
        graft_model_close(&model);
    }
    /* EfficientNet B0: 0.2 × block / 16, none in the first and where nothing is added. */
    struct graft_model *model = open_model("efficientnet_b0", (struct graft_model_options){.training = true});
    static const int numbers[9] = {2, 4, 6, 7, 9, 10, 12, 13, 14};
    for (int i = 0; i < 9; ++i) {
        const struct graft_node *const node = find_node(model, GRAFT_OP_DROPOUT, i);
        assert_non_null(node);
        assert_true(fabs((double)node->call.attributes.dropout.probability - 0.2 * numbers[i] / 16) < 1e-6);
    }
    graft_model_close(&model);
}

static void parts(void **state)
{
    (void)state;
    struct graft_model *model =
        open_model("resnet50", (struct graft_model_options){.part = GRAFT_MODEL_BASE, .batch = 2});
    assert_shape(model, model->features, "[2, 7, 7, 2048]");
    assert_int_equal(model->logits, -1);
    assert_int_equal(model->total_parameters, 25557032 - 2048 * 1000 - 1000);
    graft_model_close(&model);
    for (int pool = GRAFT_MODEL_POOL_AVG; pool <= GRAFT_MODEL_POOL_MAX; ++pool) {
        model = open_model("resnet50", (struct graft_model_options){.part = GRAFT_MODEL_BASE,
                                                                    .pool = (enum graft_model_pool)pool,
                                                                    .batch = 2});
        assert_shape(model, model->features, "[2, 2048]");
        graft_model_close(&model);
    }
    model = open_model(
        "squeezenet1_0",
        (struct graft_model_options){.part = GRAFT_MODEL_FROM, .classes = 2, .batch = 5, .training = true});
    assert_shape(model, model->input, "[5, 13, 13, 512]");
    assert_string_equal(graft_graph_name(model->graph, model->input), "features");
    assert_shape(model, model->logits, "[5, 2]");
    assert_int_equal(model->total_parameters, 512 * 2 + 2);
    assert_int_equal(model->parameter_count, 2);
    assert_true(model->step >= 0);
    graft_model_close(&model);
    /* Cut in the middle: both parts together have all parameters, and what leaves one enters the other. */
    struct graft_model_options options = {.part = GRAFT_MODEL_BEFORE, .cut = "layer4"};
    struct graft_model *before = open_model("resnet18", options);
    options.part = GRAFT_MODEL_FROM;
    struct graft_model *from = open_model("resnet18", options);
    assert_shape(before, before->features, "[1, 14, 14, 256]");
    assert_shape(from, from->input, "[1, 14, 14, 256]");
    assert_int_equal(before->total_parameters + from->total_parameters, 11689512);
    assert_int_equal(before->stage_count, from->stage_count);
    graft_model_close(&before);
    graft_model_close(&from);
    /* Where the cut lies before a flattening, the dense layer still knows the map. */
    from =
        open_model("mnist_convnet", (struct graft_model_options){.part = GRAFT_MODEL_FROM, .cut = "dense"});
    assert_shape(from, from->input, "[1, 3, 3, 64]");
    assert_int_equal(from->parameters[0].flattened[1], 3);
    graft_model_close(&from);
}

static int count_updates(const struct graft_model *model)
{
    int trainable = 0;
    for (int i = 0; i < model->parameter_count; ++i)
        trainable += model->parameters[i].trainable;
    return trainable;
}

static void freezing(void **state)
{
    (void)state;
    struct graft_model *model = open_model("vgg16", (struct graft_model_options){0});
    assert_int_equal(model->step, -1);
    assert_int_equal(count_updates(model), 0);
    graft_model_close(&model);
    model = open_model("vgg16", (struct graft_model_options){.training = true, .train_from = "block5"});
    assert_int_equal(count_updates(model), 2 * (3 + 3));
    assert_true(model->step >= 0);
    graft_model_close(&model);
    model = open_model("vgg16", (struct graft_model_options){.training = true, .dropout = -1.0f});
    assert_int_equal(model->step, -1);
    assert_int_equal(model->trainable_parameters, model->total_parameters);
    graft_model_close(&model);
    /* Batch normalization in training takes nodes of its own, in trainable stages only. */
    int values[3];
    for (int i = 0; i < 3; ++i) {
        const struct graft_model_options options = {.training = true,
                                                    .train_from = i == 1 ? "head" : NULL,
                                                    .bn = i == 0 ? GRAFT_BATCH_NORM_FROZEN
                                                                 : GRAFT_BATCH_NORM_TRAIN};
        model = open_model("resnet18", options);
        values[i] = graft_graph_value_count(model->graph);
        graft_model_close(&model);
    }
    assert_int_equal(values[0], values[1]);
    assert_true(values[2] >= values[0] + 2 * 20);
}

static void pictures(void **state)
{
    (void)state;
    struct graft_model *model = open_model("resnet18", (struct graft_model_options){.input_u8 = true});
    assert_int_equal(graft_graph_desc(model->graph, model->input)->dtype, GRAFT_DTYPE_U8);
    graft_model_close(&model);
    model =
        open_model("mnist_convnet", (struct graft_model_options){.input_u8 = true, .real = GRAFT_DTYPE_F64});
    assert_shape(model, model->input, "[1, 28, 28, 1]");
    assert_int_equal(graft_graph_desc(model->graph, model->logits)->dtype, GRAFT_DTYPE_F64);
    graft_model_close(&model);
}

static void assert_fails(const char *name, struct graft_model_options options, enum graft_status status,
                         const char *part_of_message)
{
    struct graft_model *model = NULL;
    assert_int_equal(graft_model_open(context, name, &options, &model), status);
    assert_null(model);
    if (!strstr(graft_context_error(context), part_of_message))
        fail_msg("'%s' is not in: %s", part_of_message, graft_context_error(context));
}

static void failures(void **state)
{
    (void)state;
    typedef struct graft_model_options options;
    assert_fails("resnet19", (options){0}, GRAFT_ERROR_NOT_FOUND, "'resnet18'");
    assert_fails("no such thing", (options){0}, GRAFT_ERROR_NOT_FOUND, "no such thing");
    assert_fails("resnet18", (options){.batch = -1}, GRAFT_ERROR_ARGUMENT, "-1");
    assert_fails("resnet18", (options){.height = 10000}, GRAFT_ERROR_ARGUMENT, "10000");
    assert_fails("resnet18", (options){.classes = 1000001}, GRAFT_ERROR_ARGUMENT, "1000001");
    assert_fails("resnet18", (options){.dropout = 1.0f}, GRAFT_ERROR_ARGUMENT, "dropout");
    assert_fails("resnet18", (options){.training = true, .train_from = "layer9"}, GRAFT_ERROR_NOT_FOUND,
                 "layer4");
    assert_fails("resnet18", (options){.part = GRAFT_MODEL_BEFORE, .cut = "layer9"}, GRAFT_ERROR_NOT_FOUND,
                 "layer9");
    assert_fails("squeezenet1_0", (options){.height = 16, .width = 16}, GRAFT_ERROR_SHAPE, "16x16");
    assert_fails("vgg11", (options){.height = 31, .width = 224}, GRAFT_ERROR_SHAPE, "31x224");
    assert_fails("mnist_convnet", (options){.height = 5, .width = 5}, GRAFT_ERROR_SHAPE, "28x28");
    assert_fails("resnet18", (options){.input_u8 = true, .std = (const float[]){0.2f, 0.0f, 0.2f}},
                 GRAFT_ERROR_ARGUMENT, "channel 1");
}

/* Every allocation is made to fail once: a status, a message, nothing left. */
static void memory_failures(void **state)
{
    (void)state;
    enum graft_status status = GRAFT_ERROR_MEMORY;
    for (long n = 0; status; ++n) {
        struct test_memory memory;
        const struct graft_context_options options = test_memory_options(&memory, n);
        struct graft_context *small = NULL;
        struct graft_model *model = NULL;
        status = graft_context_open(&options, &small);
        if (!status)
            status = graft_model_open(
                small, "tiny_convnet",
                &(struct graft_model_options){.part = GRAFT_MODEL_FROM, .training = true}, &model);
        if (!status && !graft_model_summary(model))
            status = GRAFT_ERROR_MEMORY;
        if (status)
            assert_int_equal(status, GRAFT_ERROR_MEMORY);
        graft_model_close(&model);
        graft_context_close(&small);
        assert_int_equal(atomic_load(&memory.alive), 0);
        assert_true(n < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_architectures),
        cmocka_unit_test(every_network),
        cmocka_unit_test(mnist_convnet),
        cmocka_unit_test(other_sizes),
        cmocka_unit_test(smallest_sizes),
        cmocka_unit_test(convolutions),
        cmocka_unit_test(stochastic_depth),
        cmocka_unit_test(parts),
        cmocka_unit_test(freezing),
        cmocka_unit_test(pictures),
        cmocka_unit_test(failures),
        cmocka_unit_test(memory_failures),
    };
    return cmocka_run_group_tests_name("model", tests, set_up, tear_down);
}
