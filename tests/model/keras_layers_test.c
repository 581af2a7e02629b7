/* SPDX-License-Identifier: MIT */
/*
 * Keras' networks, layer by layer: ../shared/zoo/keras-applications.json has each one's layers as its own
 * configuration names them. keras_test.c computes some of the networks; here are all of them.
 */
#include "graph/graph.h"
#include "graft/model.h"
#include "support/support.h"

#include <jansson.h>
#include <math.h>

static void ok(struct graft_context *context, enum graft_status status)
{
    if (status)
        fail_msg("%s", graft_context_error(context));
}

/* The node that takes "LAYER.WEIGHT"; NULL: there is no such parameter. */
static const struct graft_node *find_layer(const struct graft_model *model, const char *layer,
                                           const char *weight)
{
    char name[256];
    (void)snprintf(name, sizeof name, "%s.%s", layer, weight);
    for (int p = 0; p < model->parameter_count; p++) {
        if (strcmp(model->parameters[p].name, name) != 0)
            continue;
        for (int n = 0; n < model->graph->n_nodes; n++)
            for (int i = 0; i < model->graph->nodes[n].call.n_inputs; i++)
                if (model->graph->nodes[n].inputs[i] == model->parameters[p].value)
                    return &model->graph->nodes[n];
        fail_msg("%s: nothing takes %s", model->info->name, name);
    }
    return NULL;
}

/* Kernel, stride and, where TensorFlow computes it, padding. */
static void check_convolution(const struct graft_model *model, const struct graft_node *node,
                              const json_t *layer)
{
    const char *const name = json_string_value(json_array_get(layer, 0));
    const json_t *const config = json_array_get(layer, 3), *const strides =
                                                               json_object_get(config, "strides");
    const json_t *const kernel = json_array_get(json_array_get(json_array_get(layer, 2), 0), 1);
    const bool same = strcmp(json_string_value(json_object_get(config, "padding")), "same") == 0;
    const struct graft_conv2d_attributes *const ours = &node->call.attributes.conv2d;
    for (size_t d = 0; d < 2; d++) {
        const int64_t taps = json_integer_value(json_array_get(kernel, d)),
                      in = node->call.in[0].shape.dim[1 + d];
        const int64_t stride = strides ? json_integer_value(json_array_get(strides, d)) : 1;
        const int64_t missing = (in + stride - 1) / stride * stride - stride + taps - in;
        const int64_t pads = missing > 0 ? missing : 0;
        if (node->call.in[1].shape.dim[1 + d] != taps)
            fail_msg("%s: %s has another kernel", model->info->name, name);
        if (ours->stride[d] != stride)
            fail_msg("%s: %s has another stride", model->info->name, name);
        if (same && (ours->pad[2 * d] != pads / 2 || ours->pad[2 * d + 1] != pads - pads / 2))
            fail_msg("%s: %s is padded by %d and %d, not %lld in all", model->info->name, name,
                     ours->pad[2 * d], ours->pad[2 * d + 1], (long long)pads);
    }
}

/* Convolutions, and epsilons of normalizations; false: we have another name. */
static bool check_layer(const struct graft_model *model, const json_t *layer)
{
    const char *const name = json_string_value(json_array_get(layer, 0));
    const char *const class = json_string_value(json_array_get(layer, 1));
    if (strcmp(class, "BatchNormalization") == 0) {
        const struct graft_node *const node = find_layer(model, name, "running_mean");
        const json_t *const wanted = json_object_get(json_array_get(layer, 3), "epsilon");
        if (node && node->call.attributes.batch_norm.epsilon != (float)json_real_value(wanted))
            fail_msg("%s: %s has another epsilon", model->info->name, name);
        return node != NULL;
    }
    const struct graft_node *node = find_layer(model, name, "weight");
    node = node ? node : find_layer(model, name, "depthwise.weight");
    /* A head may be dense here; what NASNet halves has a pool of one place before it there. */
    if (node && node->call.op == GRAFT_OP_CONV2D && !strstr(name, "adjust_conv_"))
        check_convolution(model, node, layer);
    return node != NULL;
}

/* Activations that are layers of their own or of convolutions there; those of one kind. */
static void check_activations(const struct graft_model *model, const json_t *layers, const char *theirs,
                              enum graft_unary ours)
{
    int expected = 0, counted = 0;
    for (size_t l = 0; l < json_array_size(layers); l++) {
        const json_t *const layer = json_array_get(layers, l);
        const char *const kind = json_string_value(json_object_get(json_array_get(layer, 3), "activation"));
        expected += kind && strcmp(kind, theirs) == 0;
    }
    for (int n = 0; n < model->graph->n_nodes; n++) {
        const struct graft_call *const call = &model->graph->nodes[n].call;
        counted += call->op == GRAFT_OP_UNARY && call->attributes.unary.kind == ours;
    }
    if (expected > 0 && counted != expected)
        fail_msg("%s: %s %d times, not %d", model->info->name, theirs, counted, expected);
}

static void check_layers(const struct graft_model *model, const json_t *layers)
{
    int checked = 0, all = 0;
    for (size_t l = 0; l < json_array_size(layers); l++) {
        const json_t *const layer = json_array_get(layers, l);
        const char *const class = json_string_value(json_array_get(layer, 1));
        const char *const name = json_string_value(json_array_get(layer, 0));
        if (strncmp(name, "conv2d", 6) == 0 || strncmp(name, "batch_normalization", 19) == 0)
            continue; /* a name that Keras made up: such networks are computed above */
        if (strstr(class, "Conv2D") || strcmp(class, "BatchNormalization") == 0) {
            all++;
            checked += check_layer(model, layer);
        }
    }
    const bool renamed = strcmp(model->info->family, "convnext") == 0; /* torchvision's names */
    assert_int_equal(checked, renamed ? 0 : all);
    check_activations(model, layers, "relu", GRAFT_UNARY_RELU);
    check_activations(model, layers, "silu", GRAFT_UNARY_SILU);
    check_activations(model, layers, "hard_silu", GRAFT_UNARY_HARD_SWISH);
    check_activations(model, layers, "gelu", GRAFT_UNARY_GELU);
    check_activations(model, layers, "sigmoid", GRAFT_UNARY_SIGMOID);
}

/* What Keras makes of 0 and of 255, before the network or in it; false: that is in the weights. */
static bool keras_pictures(const json_t *entry, const json_t *layers, double made[2][3])
{
    static const double caffe[3] = {123.68, 116.779, 103.939}; /* of red, green, blue */
    static const double means[3] = {0.485, 0.456, 0.406}, deviations[3] = {0.229, 0.224, 0.225};
    const char *const way = json_string_value(json_object_get(entry, "preprocess"));
    const json_t *const first = json_array_get(json_array_get(layers, 0), 3);
    const json_t *const second = json_array_get(json_array_get(layers, 1), 3);
    const json_t *const scale = json_object_get(first, "scale"), *const offset =
                                                                     json_object_get(first, "offset");
    const json_t *const mean = json_object_get(second, "mean"), *const variance =
                                                                    json_object_get(second, "variance");
    const bool within = strncmp(way, "none", 4) == 0;
    if (within && (!scale || (!offset && !mean)))
        return false;
    for (size_t c = 0; c < 3; c++)
        for (int v = 0; v < 2; v++) {
            const double x = v * 255;
            double *const y = &made[v][c];
            *y = strcmp(way, "caffe") == 0   ? x - caffe[c]
                 : strcmp(way, "tf") == 0    ? x / 127.5 - 1
                 : strcmp(way, "torch") == 0 ? (x / 255 - means[c]) / deviations[c]
                                             : x * json_number_value(scale) + json_number_value(offset);
            if (within && mean)
                *y = (*y - json_number_value(json_array_get(mean, c))) /
                     sqrt(json_number_value(json_array_get(variance, c)));
        }
    return true;
}

static void check_pictures(const struct graft_model_info *info, const json_t *entry, const json_t *layers)
{
    const json_t *const size = json_object_get(entry, "input_size");
    double made[2][3];
    if (json_is_integer(size))
        assert_int_equal(info->preprocess.crop, json_integer_value(size));
    if (!keras_pictures(entry, layers, made))
        return;
    assert_int_equal(info->bgr,
                     strcmp(json_string_value(json_object_get(entry, "preprocess")), "caffe") == 0);
    for (int v = 0; v < 2; v++)
        for (int c = 0; c < 3; c++) {
            const double ours = (v - (double)info->preprocess.mean[c]) / (double)info->preprocess.std[c];
            if (fabs(ours - made[v][c]) > 1e-5 * fmax(1, fabs(made[v][c])))
                fail_msg("%s: channel %d of %d becomes %g, not %g", info->name, c, 255 * v, ours, made[v][c]);
        }
}

/* Each network's parameters are as many as Keras counts, but for what it normalizes pictures by; strides,
 * epsilons, activations and what becomes of pictures are Keras'. */
static void layers_are_those_of_keras(void **state)
{
    static const struct {
        const char *ours, *theirs;
    } networks[] = {
        {"keras_vgg16", "VGG16"},
        {"keras_vgg19", "VGG19"},
        {"keras_resnet50", "ResNet50"},
        {"keras_resnet101", "ResNet101"},
        {"keras_resnet152", "ResNet152"},
        {"keras_resnet50v2", "ResNet50V2"},
        {"keras_resnet101v2", "ResNet101V2"},
        {"keras_resnet152v2", "ResNet152V2"},
        {"keras_inception_v3", "InceptionV3"},
        {"keras_inception_resnet_v2", "InceptionResNetV2"},
        {"keras_xception", "Xception"},
        {"keras_mobilenet", "MobileNet"},
        {"keras_mobilenet_v2", "MobileNetV2"},
        {"keras_mobilenet_v3_small", "MobileNetV3Small"},
        {"keras_mobilenet_v3_large", "MobileNetV3Large"},
        {"keras_densenet121", "DenseNet121"},
        {"keras_densenet169", "DenseNet169"},
        {"keras_densenet201", "DenseNet201"},
        {"keras_nasnet_mobile", "NASNetMobile"},
        {"keras_nasnet_large", "NASNetLarge"},
        {"convnext_tiny", "ConvNeXtTiny"},
        {"convnext_xlarge", "ConvNeXtXLarge"},
        {"keras_efficientnet_b0", "EfficientNetB0"},
        {"keras_efficientnet_b1", "EfficientNetB1"},
        {"keras_efficientnet_b2", "EfficientNetB2"},
        {"keras_efficientnet_b3", "EfficientNetB3"},
        {"keras_efficientnet_b4", "EfficientNetB4"},
        {"keras_efficientnet_b5", "EfficientNetB5"},
        {"keras_efficientnet_b6", "EfficientNetB6"},
        {"keras_efficientnet_b7", "EfficientNetB7"},
        {"keras_efficientnet_v2_b0", "EfficientNetV2B0"},
        {"keras_efficientnet_v2_b1", "EfficientNetV2B1"},
        {"keras_efficientnet_v2_b2", "EfficientNetV2B2"},
        {"keras_efficientnet_v2_b3", "EfficientNetV2B3"},
        {"keras_efficientnet_v2_s", "EfficientNetV2S"},
        {"keras_efficientnet_v2_m", "EfficientNetV2M"},
        {"keras_efficientnet_v2_l", "EfficientNetV2L"},
    };
    struct graft_context *const context = *state;
    char path[512];
    if (!test_data("zoo/keras-applications.json", path, sizeof path)) {
        skip();
        return;
    }
    json_t *const lists = json_load_file(path, 0, NULL);
    assert_non_null(lists);
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        const json_t *const entry = json_object_get(lists, networks[i].theirs);
        const json_t *const layers = json_object_get(entry, "layers");
        int64_t expected = json_integer_value(json_object_get(entry, "parameters")), counted = 0;
        for (size_t l = 0; l < json_array_size(layers); l++) {
            const json_t *const layer = json_array_get(layers, l);
            if (strcmp(json_string_value(json_array_get(layer, 1)), "Normalization") == 0 &&
                json_array_size(json_array_get(layer, 2)) > 0)
                expected -= 3 + 3 + 1;
        }
        struct graft_model *model = NULL;
        ok(context, graft_model_open(context, networks[i].ours, NULL, &model));
        for (int p = 0; p < model->parameter_count; p++)
            counted += graft_shape_count(&model->parameters[p].source_shape);
        if (counted != expected)
            fail_msg("%s has %lld parameters, not %lld", networks[i].ours, (long long)counted,
                     (long long)expected);
        check_layers(model, layers);
        check_pictures(model->info, entry, layers);
        graft_model_close(&model);
    }
    json_decref(lists);
}

/* The first cell behind NASNet's first reduction also reads what came before that: of the large network the
 * cell before the last (skip_reduction). */
static void cells_of_nasnet_read_the_right_ones(void **state)
{
    static const struct {
        const char *network, *cell, *before;
    } rows[] = {{"keras_nasnet_mobile", "adjust_conv_1_5", "normal_concat_3"},
                {"keras_nasnet_large", "adjust_conv_1_7", "normal_concat_4"}};
    for (int r = 0; r < 2; r++) {
        struct graft_model *model = NULL;
        ok(*state, graft_model_open(*state, rows[r].network, NULL, &model));
        const struct graft_node *const conv = find_layer(model, rows[r].cell, "weight");
        const struct graft_node *relu = NULL;
        assert_non_null(conv);
        for (int n = 0; n < model->graph->n_nodes; n++)
            if (model->graph->nodes[n].outputs[0] == conv->inputs[0])
                relu = &model->graph->nodes[n];
        assert_non_null(relu);
        assert_int_equal(relu->inputs[0], graft_graph_find(model->graph, rows[r].before));
        graft_model_close(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(layers_are_those_of_keras, test_open_context, test_close_context),
        cmocka_unit_test_setup_teardown(cells_of_nasnet_read_the_right_ones, test_open_context,
                                        test_close_context),
    };
    return cmocka_run_group_tests_name("keras layers", tests, NULL, NULL);
}
