/* SPDX-License-Identifier: MIT */
/*
 * Training networks of ONNX files: a new head in place of the layer that makes the classes, the graph that a
 * run keeps, gradients of whatever the exporters write. Files of ../shared/weights/onnx, and small ones made
 * here.
 *
 *     onnx_fit_test [FILE …]      names within the folder; without: all
 */
#include "base/random.h"
#include "graft/onnx.h"
#include "graft/train.h"
#include "graft/weights.h"
#include "graph/graph.h"
#include "io/network_source.h"
#include "io/onnx/onnx.h"
#include "support/onnx_writer.h"
#include "support/support.h"

#include <dirent.h>
#include <limits.h>
#include <math.h>

static struct graft_context *context;
static struct graft_device *device;
static char scratch[] = "/tmp/graft-onnx-fit-XXXXXX";
static int name_count;
static char **names;

static void ok(enum graft_status status)
{
    if (status != GRAFT_OK)
        fail_msg("%s", graft_context_error(context));
}

static int set_up(void **state)
{
    (void)state;
    if (graft_context_open(NULL, &context) || !mkdtemp(scratch))
        return 1;
    return graft_device_open(context, "cpu", &device) != GRAFT_OK;
}

static int tear_down(void **state)
{
    (void)state;
    graft_device_close(&device);
    graft_context_close(&context);
    return rmdir(scratch);
}

static const char *scratch_path(const char *name)
{
    static char paths[4][512];
    static int next;
    char *const path = paths[next++ & 3];
    (void)snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* ---- two models are the same */

static void assert_same_parameters(const struct graft_model *a, const struct graft_model *b)
{
    assert_int_equal(a->parameter_count, b->parameter_count);
    for (int i = 0; i < a->parameter_count; i++) {
        const struct graft_model_parameter *const p = &a->parameters[i], *const q = &b->parameters[i];
        assert_string_equal(p->name, q->name);
        assert_true(graft_shape_equal(&p->shape, &q->shape));
        assert_true(graft_shape_equal(&p->source_shape, &q->source_shape));
        assert_int_equal(p->layout, q->layout);
        assert_int_equal(p->trainable, q->trainable);
        assert_int_equal(p->stage, q->stage);
        assert_int_equal(p->by_columns, q->by_columns);
    }
}

/* Node by node, and every number that is not a parameter's. */
static void assert_same_graphs(const struct graft_graph *a, const struct graft_graph *b)
{
    assert_int_equal(a->n_values, b->n_values);
    assert_int_equal(a->n_nodes, b->n_nodes);
    for (int v = 0; v < a->n_values; v++) {
        const struct graft_value *const x = &a->values[v], *const y = &b->values[v];
        assert_int_equal(x->kind, y->kind);
        assert_true(graft_shape_equal(&x->desc.shape, &y->desc.shape));
        assert_int_equal(x->data != NULL, y->data != NULL);
        if (x->data)
            assert_memory_equal(x->data, y->data, (size_t)graft_desc_bytes(&x->desc));
    }
    for (int n = 0; n < a->n_nodes; n++) {
        assert_int_equal(a->nodes[n].call.op, b->nodes[n].call.op);
        assert_memory_equal(a->nodes[n].inputs, b->nodes[n].inputs, sizeof a->nodes[n].inputs);
    }
}

/* ---- files of every exporter */

/* The weights of a copy: numbers that tell a place from another, whatever the file says of them. */
static void write_weights(const char *path)
{
    float block[4096];
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 4096; i++)
        block[i] = 0.01f + 0.0001f * (float)i;
    for (int i = 0; i < 22000; i++) /* ViT's 346 MB */
        assert_int_equal(fwrite(block, sizeof block, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static struct graft_model *open_model(const struct graft_network *network, enum graft_model_part part,
                                      const char *cut, int64_t classes)
{
    struct graft_model *model = NULL;
    const struct graft_model_options options = {.batch = 2,
                                                .classes = classes,
                                                .part = part,
                                                .cut = cut,
                                                .training = part != GRAFT_MODEL_BEFORE,
                                                .bn = GRAFT_BATCH_NORM_TRAIN};
    ok(graft_model_open_network(context, network, &options, &model));
    return model;
}

/* The new head: weights of so many outputs, at most a bias besides, all trainable. */
static void check_head(const struct graft_model *model, int64_t classes)
{
    const struct graft_model_stage *const head = &model->stages[model->stage_count - 1];
    assert_string_equal(head->name, "head");
    assert_in_range(head->parameter_count, 1, 2);
    const struct graft_shape *const weights = &model->parameters[head->first_parameter].shape;
    const float inputs = (float)(graft_shape_count(weights) / classes);
    for (int i = 0; i < head->parameter_count; i++) {
        const struct graft_model_parameter *const p = &model->parameters[head->first_parameter + i];
        const bool matrix = i == 0;
        assert_true(p->trainable && !p->state);
        assert_int_equal(p->layout != GRAFT_LAYOUT_VECTOR, matrix); /* biases have no weight decay */
        if (matrix)
            assert_int_equal(p->shape.dim[p->by_columns ? p->shape.rank - 1 : 0], classes);
        else
            assert_int_equal(graft_shape_count(&p->shape), classes);
        assert_int_equal(p->start, GRAFT_START_UNIFORM);
        assert_true(fabsf(p->scale * p->scale * inputs - 1) < 1e-5f); /* as PyTorch's layers begin */
    }
}

/* Everything that a product or a convolution multiplies by is learnt, but for tables that the exporter made.
 */
static void check_trunk(const struct graft_model *model)
{
    int64_t learnt = 0, all = 0;
    for (int i = 0; i < model->parameter_count; i++) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        all += graft_shape_count(&p->shape);
        learnt += p->trainable ? graft_shape_count(&p->shape) : 0;
    }
    assert_true((double)learnt > 0.9 * (double)all);
}

/* Two parts that are cut at a stage are the whole. */
static void check_cut(const struct graft_network *network, const struct graft_model *model, int stage)
{
    const char *const cut = model->stages[stage].name;
    struct graft_model *before = open_model(network, GRAFT_MODEL_BEFORE, cut, 5);
    struct graft_model *after = open_model(network, GRAFT_MODEL_FROM, cut, 5);
    assert_true(before->features >= 0 && after->logits >= 0);
    assert_int_equal(before->parameter_count + after->parameter_count, model->parameter_count);
    assert_int_equal(before->parameter_count, model->stages[stage].first_parameter);
    assert_true(strlen(cut) > 0 && !strpbrk(cut, ",:= "));
    for (int s = 0; s < stage; s++)
        assert_string_not_equal(model->stages[s].name, cut);
    if (stage > 0)
        printf("%s%s", stage > 1 ? ", " : "    ", cut);
    graft_model_close(&before);
    graft_model_close(&after);
}

static void check_file(const char *name)
{
    struct graft_network_source file = {0}, kept = {0};
    struct graft_tensor_set *set = NULL;
    struct graft_text graph = {0}, again = {0};
    struct graft_variables *variables = NULL;
    struct graft_trainer *trainer = NULL;
    char digest[GRAFT_DIGEST_TEXT], other[GRAFT_DIGEST_TEXT];
    const struct graft_trainer_options options = {.optimizer = GRAFT_ADAMW, .plan = {.deferred = true}};
    const char *const path = scratch_path("network.onnx");
    ok(graft_network_source_open(context, scratch_path(name), &file, &set));
    graft_tensor_set_close(&set); /* what the network needs of it, it has */
    ok(graft_network_source_graph(context, &file, &graph, digest));
    write_file(path, graph.data, graph.length);
    ok(graft_network_source_open_graph(context, path, digest, &kept));
    ok(graft_network_source_graph(context, &kept, &again, other));
    assert_string_equal(digest, other); /* a run that goes on from a run has the same graph */
    assert_true(graph.length < 2u << 20);

    struct graft_model *const model = open_model(file.network, GRAFT_MODEL_WHOLE, NULL, 5);
    struct graft_model *same = open_model(kept.network, GRAFT_MODEL_WHOLE, NULL, 5);
    assert_same_parameters(model, same);
    assert_same_graphs(model->graph, same->graph);
    check_head(model, 5);
    check_trunk(model);
    graft_model_close(&same);

    for (int s = 0; s < model->stage_count; s++)
        check_cut(kept.network, model, s);

    ok(graft_variables_open(device, &variables));
    ok(graft_trainer_open(device, model, variables, &options, &trainer)); /* there are gradients */
    graft_trainer_close(&trainer);
    graft_variables_close(&variables);
    struct graft_model *done = model;
    graft_model_close(&done);
    graft_network_source_close(&file);
    graft_network_source_close(&kept);
    graft_text_close(context, &graph);
    graft_text_close(context, &again);
    (void)unlink(path);
}

static bool is_wanted(const char *name)
{
    for (int i = 0; i < name_count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return name_count == 0 && strcmp(name, "tensors.onnx") != 0; /* tensors alone */
}

static void networks_of_every_exporter_can_be_trained(void **state)
{
    char folder[PATH_MAX], from[PATH_MAX + 512], data[512], weights[512];
    int checked = 0;
    (void)state;
    if (!test_data("weights/onnx", from, sizeof from) || !realpath(from, folder)) {
        skip();
        return;
    }
    DIR *const listing = opendir(folder);
    (void)snprintf(weights, sizeof weights, "%s/weights", scratch);
    write_weights(weights);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (!graft_text_ends(entry->d_name, ".onnx") || !is_wanted(entry->d_name))
            continue;
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", scratch, entry->d_name);
        (void)snprintf(from, sizeof from, "%s/%s", folder, entry->d_name);
        (void)snprintf(data, sizeof data, "%.500s.data", path);
        assert_int_equal(symlink(from, path), 0);
        assert_int_equal(link(weights, data), 0);
        printf("%s\n", entry->d_name);
        (void)fflush(stdout);
        check_file(entry->d_name);
        printf("\n");
        (void)unlink(path);
        (void)unlink(data);
        checked++;
    }
    closedir(listing);
    (void)unlink(weights);
    assert_true(checked > 0);
}

/* ---- made here */

static struct onnx_writer begin(void)
{
    struct onnx_writer writer = {.context = context};
    onnx_add_weight(&writer, "stem", 4, (const int64_t[]){4, 3, 3, 3});
    onnx_add_node(&writer, "Conv", "x stem", "map", "kernel_shape=3,3");
    return writer;
}

/* GlobalAveragePool, Flatten, and a dense layer "last" [4, 4] with a bias that is added. */
static const char *end(struct onnx_writer *writer, const char *map)
{
    const char *const path = scratch_path("made.onnx");
    onnx_add_weight(writer, "last", 2, (const int64_t[]){4, 4});
    onnx_add_weight(writer, "bias", 1, (const int64_t[]){4});
    onnx_add_node(writer, "GlobalAveragePool", map, "mean", "");
    onnx_add_node(writer, "Flatten", "mean", "flat", "axis=1");
    onnx_add_node(writer, "MatMul", "flat last", "product", "");
    onnx_add_node(writer, "Add", "product bias", "y", "");
    onnx_write(writer, 16, 4, path);
    return path;
}

static const struct graft_model_parameter *find_parameter(const struct graft_model *model, const char *name)
{
    for (int i = 0; i < model->parameter_count; i++)
        if (strcmp(model->parameters[i].name, name) == 0)
            return &model->parameters[i];
    fail_msg("there is no parameter %s", name);
    return NULL;
}

/* A layer before the head that is as wide as there are classes stays so. */
static void only_the_head_has_other_classes(void **state)
{
    struct graft_network_source source;
    struct onnx_writer writer = begin();
    (void)state;
    onnx_add_weight(&writer, "hidden", 4, (const int64_t[]){4, 4, 1, 1});
    onnx_add_weight(&writer, "channels", 4, (const int64_t[]){1, 4, 1, 1});
    onnx_add_node(&writer, "Conv", "map hidden", "more", "kernel_shape=1,1");
    onnx_add_node(&writer, "Mul", "more channels", "scaled", "");
    const char *const path = end(&writer, "scaled");
    ok(graft_network_source_open(context, path, &source, NULL));
    struct graft_model *model = open_model(source.network, GRAFT_MODEL_WHOLE, NULL, 7);
    assert_int_equal(find_parameter(model, "hidden")->shape.dim[0], 4);
    assert_int_equal(find_parameter(model, "last")->shape.dim[0], 4);
    assert_int_equal(find_parameter(model, "last")->shape.dim[1], 7);
    assert_true(find_parameter(model, "last")->by_columns);
    assert_int_equal(find_parameter(model, "bias")->shape.dim[0], 7);
    assert_true(
        find_parameter(model, "channels")->trainable); /* a number a channel, however its shape is padded */
    assert_int_equal(find_parameter(model, "channels")->layout, GRAFT_LAYOUT_VECTOR);
    check_head(model, 7);
    graft_model_close(&model);
    graft_network_source_close(&source);
    (void)unlink(path);
}

static const float *numbers_of(const struct graft_tensor_set *set, const char *name)
{
    const struct graft_named_tensor *const tensor = graft_tensor_set_find(set, name);
    if (!tensor)
        fail_msg("there is no tensor %s", name);
    return tensor->data;
}

/* Weights that nodes make of tensors of the file alone are weights like others: they are trained, the head is
 * found among them, and a run keeps none of their numbers. */
static void weights_that_nodes_make_are_trained(void **state)
{
    static const int8_t integers[4 * 4] = {-128, 127, 5, 0, 1, 2, 3, 4, 7, 7, 7, 7, -1, -1, -1, -1};
    static const uint8_t zeros[4] = {0, 1, 2, 255};
    static const float scales[4] = {0.5f, 0.25f, 2, 1};
    static const float constants[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    struct graft_network_source source, kept;
    struct graft_tensor_set *set = NULL;
    struct graft_text graph = {0}, again = {0};
    char digest[GRAFT_DIGEST_TEXT], other[GRAFT_DIGEST_TEXT];
    struct onnx_writer writer = begin();
    (void)state;
    onnx_add_tensor(&writer, "small", 3, 4, (const int64_t[]){4, 4, 1, 1}, integers, sizeof integers);
    onnx_add_tensor(&writer, "scales", 1, 1, (const int64_t[]){4}, scales, sizeof scales);
    onnx_add_tensor(&writer, "zeros", 3, 1, (const int64_t[]){4}, zeros, sizeof zeros);
    onnx_add_node(&writer, "DequantizeLinear", "small scales zeros", "wide", "axis=0");
    onnx_add_node(&writer, "Conv", "map wide", "first", "kernel_shape=1,1");
    onnx_add_weight(&writer, "gamma", 1, (const int64_t[]){4});
    onnx_add_weight(&writer, "variance", 1, (const int64_t[]){4});
    onnx_add_node(&writer, "Identity", "gamma", "beta", "");
    onnx_add_node(&writer, "Identity", "beta", "shift", "");
    onnx_add_weight(&writer, "center", 1, (const int64_t[]){4});
    onnx_add_node(&writer, "BatchNormalization", "first gamma shift center variance", "normal", "");
    onnx_add_constant(&writer, "constant", 4, (const int64_t[]){4, 4, 1, 1}, constants, 16);
    onnx_add_node(&writer, "Conv", "normal constant", "second", "kernel_shape=1,1");
    onnx_add_weight(&writer, "rows", 2, (const int64_t[]){3, 4});
    onnx_add_node(&writer, "GlobalAveragePool", "second", "average", "");
    onnx_add_node(&writer, "Flatten", "average", "flat", "axis=1");
    onnx_add_node(&writer, "Transpose", "rows", "columns", "perm=1,0");
    onnx_add_node(&writer, "MatMul", "flat columns", "y", "");
    const char *const path = scratch_path("made.onnx");
    onnx_write(&writer, 16, 3, path);
    ok(graft_network_source_open(context, path, &source, &set));
    for (int i = 0; i < 16; i++) { /* (x − zero point) · scale of the row, zero points of int8 */
        assert_true(numbers_of(set, "wide")[i] ==
                    (float)(integers[i] - (int8_t)zeros[i / 4]) * scales[i / 4]);
        assert_true(numbers_of(set, "constant")[i] == (float)i);
    }
    for (int i = 0; i < 12; i++)
        assert_true(numbers_of(set, "columns")[i % 4 * 3 + i / 4] == numbers_of(set, "rows")[i]);
    graft_tensor_set_close(&set);
    struct graft_model *model = open_model(source.network, GRAFT_MODEL_WHOLE, NULL, 7);
    static const char *const trained[] = {"stem", "wide", "constant", "columns", "gamma"};
    for (size_t i = 0; i < sizeof trained / sizeof trained[0]; i++)
        assert_true(find_parameter(model, trained[i])->trainable);
    assert_int_equal(find_parameter(model, "columns")->shape.dim[1], 7);
    ok(graft_network_source_graph(context, &source, &graph, digest));
    write_file(path, graph.data, graph.length);
    ok(graft_network_source_open_graph(context, path, digest, &kept));
    ok(graft_network_source_graph(context, &kept, &again, other));
    assert_string_equal(digest, other);
    assert_null(memmem(graph.data, graph.length, "small", 5));
    assert_null(memmem(graph.data, graph.length, constants, sizeof constants));
    struct graft_model *same = open_model(kept.network, GRAFT_MODEL_WHOLE, NULL, 7);
    assert_same_parameters(model, same);
    assert_same_graphs(model->graph, same->graph);
    graft_model_close(&same);
    graft_model_close(&model);
    graft_network_source_close(&source);
    graft_network_source_close(&kept);
    graft_text_close(context, &graph);
    graft_text_close(context, &again);
    (void)unlink(path);
}

/* What computes with integers is refused with the way out. */
static void quantized_networks_are_refused(void **state)
{
    static const char *const nodes[][2] = {
        {"QLinearConv", "map"}, {"DynamicQuantizeLinear", "map"}, {"DequantizeLinear", "map stem"}};
    (void)state;
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        struct graft_network_source source;
        struct onnx_writer writer = begin();
        onnx_add_node(&writer, nodes[i][0], nodes[i][1], "integers", "");
        const char *const path = end(&writer, "integers");
        assert_int_equal(graft_network_source_open(context, path, &source, NULL), GRAFT_ERROR_UNSUPPORTED);
        assert_non_null(strstr(graft_context_error(context), nodes[i][0]));
        assert_non_null(strstr(graft_context_error(context), "it is quantized"));
        assert_non_null(strstr(graft_context_error(context), "export the network in f32"));
        (void)unlink(path);
    }
}

/* Exporters keep equal tensors once: two layers cannot both follow their batches with one mean. */
static void shared_statistics_are_not_trained(void **state)
{
    struct graft_network_source source;
    struct graft_model *model = NULL;
    struct onnx_writer writer = begin();
    (void)state;
    const char *const vectors[] = {"gamma", "beta", "gamma2", "beta2", "mean_", "variance"};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        onnx_add_weight(&writer, vectors[i], 1, (const int64_t[]){4});
    onnx_add_node(&writer, "BatchNormalization", "map gamma beta mean_ variance", "a", "");
    onnx_add_node(&writer, "BatchNormalization", "a gamma2 beta2 mean_ variance", "b", "");
    const char *const path = end(&writer, "b");
    struct graft_model_options options = {.classes = 7, .training = true, .bn = GRAFT_BATCH_NORM_TRAIN};
    ok(graft_network_source_open(context, path, &source, NULL));
    assert_int_equal(graft_model_open_network(context, source.network, &options, &model),
                     GRAFT_ERROR_UNSUPPORTED);
    assert_non_null(strstr(graft_context_error(context), "BatchNormalization 'b'"));
    assert_non_null(strstr(graft_context_error(context), "--bn frozen"));
    options.bn = GRAFT_BATCH_NORM_FROZEN;
    ok(graft_model_open_network(context, source.network, &options, &model));
    graft_model_close(&model);
    graft_network_source_close(&source);
    (void)unlink(path);
}

/* A kept graph with bytes changed, or cut: an answer, no crash. */
static void random_damage_of_a_graph_is_survived(void **state)
{
    struct graft_network_source source;
    struct graft_text graph = {0};
    struct graft_random random;
    struct onnx_writer writer = begin();
    char digest[GRAFT_DIGEST_TEXT];
    int opened = 0, built = 0;
    (void)state;
    onnx_add_weight(&writer, "wide", 2, (const int64_t[]){1, 4});
    onnx_add_tensor(&writer, "sizes", 7, 1, (const int64_t[]){2}, (const int64_t[]){1, 4}, 16);
    onnx_add_node(&writer, "Expand", "wide sizes", "table", ""); /* the host computes with its numbers */
    onnx_add_node(&writer, "Reshape", "table four", "channels", "");
    onnx_add_tensor(&writer, "four", 7, 1, (const int64_t[]){4}, (const int64_t[]){1, 4, 1, 1}, 32);
    onnx_add_node(&writer, "Mul", "map channels", "scaled", "");
    const char *const path = end(&writer, "scaled");
    ok(graft_network_source_open(context, path, &source, NULL));
    ok(graft_network_source_graph(context, &source, &graph, digest));
    graft_network_source_close(&source);
    graft_random_start(&random, 3, 3);
    char *const damaged = malloc(graph.length);
    for (int round = 0; round < 1000; round++) {
        struct graft_model *model = NULL;
        const size_t kept =
            round % 8 == 0 ? graft_random_below(&random, (uint32_t)graph.length) : graph.length;
        memcpy(damaged, graph.data, graph.length);
        for (int k = 0; k < round % 4; k++)
            damaged[graft_random_below(&random, (uint32_t)graph.length)] = (char)graft_random_u32(&random);
        write_file(path, damaged, kept);
        if (graft_network_source_open(context, path, &source, NULL) == GRAFT_OK) {
            opened++;
            built += graft_model_open_network(context, source.network, NULL, &model) == GRAFT_OK;
        }
        graft_model_close(&model);
        graft_network_source_close(&source);
    }
    free(damaged);
    graft_text_close(context, &graph);
    (void)unlink(path);
    assert_true(opened > 100 && built > 100 && built < 1000);
}

struct remarks {
    char text[512];
    int count;
};

static void keep_remark(void *user, enum graft_log_level level, const char *text)
{
    struct remarks *const remarks = user;
    assert_int_equal(level, GRAFT_LOG_REMARK);
    (void)snprintf(remarks->text, sizeof remarks->text, "%s", text);
    remarks->count++;
}

/* A tensor of a type that is not read (17: FLOAT8E4M3FN) is a remark where no node uses it. */
static void tensors_of_other_types_are_left_out(void **state)
{
    struct graft_context *const usual = context;
    struct remarks remarks = {.count = 0};
    const struct graft_context_options options = {.log = keep_remark, .log_user = &remarks};
    (void)state;
    ok(graft_context_open(&options, &context));
    for (int used = 0; used < 2; used++) {
        struct graft_network_source source;
        struct graft_text graph = {0};
        char digest[GRAFT_DIGEST_TEXT];
        struct onnx_writer writer = begin();
        onnx_add_tensor(&writer, "eighths", 17, 1, (const int64_t[]){4}, "abcd", 4);
        if (used)
            onnx_add_node(&writer, "Add", "map eighths", "sum", "");
        const char *const path = end(&writer, used ? "sum" : "map");
        const enum graft_status status = graft_network_source_open(context, path, &source, NULL);
        (void)unlink(path);
        assert_int_equal(status, used ? GRAFT_ERROR_UNSUPPORTED : GRAFT_OK);
        assert_int_equal(remarks.count, 1);
        if (used) {
            assert_non_null(strstr(graft_context_error(context), "'eighths', which node 1 (Add) uses"));
            assert_non_null(strstr(graft_context_error(context), "type 17"));
            continue;
        }
        assert_non_null(strstr(remarks.text, "'eighths' is left out: elements of type 17"));
        ok(graft_network_source_graph(context, &source, &graph, digest));
        assert_null(memmem(graph.data, graph.length, "eighths", 7));
        graft_text_close(context, &graph);
        graft_network_source_close(&source);
    }
    graft_context_close(&context);
    context = usual;
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_of_every_exporter_can_be_trained),
        cmocka_unit_test(only_the_head_has_other_classes),
        cmocka_unit_test(weights_that_nodes_make_are_trained),
        cmocka_unit_test(quantized_networks_are_refused),
        cmocka_unit_test(shared_statistics_are_not_trained),
        cmocka_unit_test(tensors_of_other_types_are_left_out),
        cmocka_unit_test(random_damage_of_a_graph_is_survived),
    };
    name_count = count - 1;
    names = arguments + 1;
    return cmocka_run_group_tests_name("onnx fit", tests, set_up, tear_down);
}
