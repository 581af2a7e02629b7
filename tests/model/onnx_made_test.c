/* SPDX-License-Identifier: MIT */
/* Networks of ONNX files that are made here: which layer is the head, what is a weight, what is left out or
 * refused. */
#include "base/random.h"
#include "model/onnx_fixture.h"

#include <math.h>

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

/* Of two branches from one value on, the second begins where two values go over: it is no stage, and does not
 * count as one of the four for which the first parts of the names would do. */
static void stages_begin_where_one_value_goes_over(void **state)
{
    static const char *const names[] = {"stem.conv", "left.conv", "tail.one", "tail.two", "head"};
    struct graft_network_source source;
    struct onnx_writer writer = {.context = context};
    (void)state;
    onnx_add_weight(&writer, "stem.conv.weight", 4, (const int64_t[]){4, 3, 1, 1});
    onnx_add_weight(&writer, "left.conv.weight", 4, (const int64_t[]){4, 4, 1, 1});
    onnx_add_weight(&writer, "right.conv.weight", 4, (const int64_t[]){4, 4, 1, 1});
    onnx_add_weight(&writer, "tail.one.weight", 4, (const int64_t[]){4, 4, 1, 1});
    onnx_add_weight(&writer, "tail.two.weight", 4, (const int64_t[]){4, 4, 1, 1});
    onnx_add_node(&writer, "Conv", "x stem.conv.weight", "map", "kernel_shape=1,1");
    onnx_add_node(&writer, "Conv", "map left.conv.weight", "left", "kernel_shape=1,1");
    onnx_add_node(&writer, "Conv", "map right.conv.weight", "right", "kernel_shape=1,1");
    onnx_add_node(&writer, "Add", "left right", "sum", "");
    onnx_add_node(&writer, "Conv", "sum tail.one.weight", "one", "kernel_shape=1,1");
    onnx_add_node(&writer, "Conv", "one tail.two.weight", "two", "kernel_shape=1,1");
    const char *const path = end(&writer, "two");
    ok(graft_network_source_open(context, path, &source, NULL));
    struct graft_model *model = open_model(source.network, GRAFT_MODEL_WHOLE, NULL, 7);
    assert_int_equal(model->stage_count, 5);
    for (int s = 0; s < 5; s++)
        assert_string_equal(model->stages[s].name, names[s]);
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

/* Integers that are scaled by rows, with zero points of int8; a constant; a matrix whose rows are classes. */
static const int8_t integers[4 * 4] = {-128, 127, 5, 0, 1, 2, 3, 4, 7, 7, 7, 7, -1, -1, -1, -1};
static const uint8_t zeros[4] = {0, 1, 2, 255};
static const float scales[4] = {0.5f, 0.25f, 2, 1};
static const float constants[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static const char *write_derived(void)
{
    struct onnx_writer writer = begin();
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
    return path;
}

/* Weights that nodes make of tensors of the file alone are weights like others: they are trained, the head is
 * found among them, and a run keeps none of their numbers. */
static void weights_that_nodes_make_are_trained(void **state)
{
    struct graft_network_source source, kept;
    struct graft_tensor_set *set = NULL;
    struct graft_text graph = {0}, again = {0};
    char digest[GRAFT_DIGEST_TEXT], other[GRAFT_DIGEST_TEXT];
    (void)state;
    const char *const path = write_derived();
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

static void every_failing_allocation_is_reported(void **state)
{
    struct graft_context *const usual = context;
    enum graft_status status = GRAFT_ERROR_MEMORY;
    char path[512], other[512];
    long n = 0;
    (void)state;
    (void)snprintf(path, sizeof path, "%s", write_derived());
    (void)snprintf(other, sizeof other, "%s/kept.onnx", scratch);
    for (; n < 2000 && status != GRAFT_OK; n++) {
        struct test_memory memory;
        const struct graft_context_options options = test_memory_options(&memory, n);
        const struct graft_model_options seven = {.classes = 7};
        struct graft_network_source source = {NULL, NULL}, kept = {NULL, NULL};
        struct graft_tensor_set *set = NULL;
        struct graft_text graph = {0};
        struct graft_model *model = NULL;
        char digest[GRAFT_DIGEST_TEXT];
        context = NULL;
        status = graft_context_open(&options, &context);
        if (status == GRAFT_OK)
            status = graft_network_source_open(context, path, &source, &set);
        if (status == GRAFT_OK)
            status = graft_network_source_graph(context, &source, &graph, digest);
        if (status == GRAFT_OK) {
            write_file(other, graph.data, graph.length);
            status = graft_network_source_open_graph(context, other, digest, &kept);
        }
        if (status == GRAFT_OK)
            status = graft_model_open_network(context, kept.network, &seven, &model);
        assert_true(status == GRAFT_OK || status == GRAFT_ERROR_MEMORY);
        graft_model_close(&model);
        graft_tensor_set_close(&set);
        graft_network_source_close(&source);
        graft_network_source_close(&kept);
        if (context)
            graft_text_close(context, &graph);
        graft_context_close(&context);
        assert_int_equal(memory.alive, 0);
    }
    context = usual;
    (void)unlink(path);
    (void)unlink(other);
    assert_int_equal(status, GRAFT_OK);
    assert_true(n > 100);
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

/* A node without the input that it works on makes nothing; fuzzing found it named as a lack of memory. */
static void nodes_without_inputs_are_refused(void **state)
{
    static const char *const ops[] = {"HardSigmoid",        "Relu",  "Clip", "Conv", "MaxPool",
                                      "BatchNormalization", "Resize"};
    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct graft_network_source source;
        struct graft_model *model = NULL;
        struct onnx_writer writer = begin();
        onnx_add_node(&writer, ops[i], "", "nothing", "");
        onnx_add_node(&writer, "Add", "map nothing", "sum", "");
        const char *const path = end(&writer, "sum");
        enum graft_status status = graft_network_source_open(context, path, &source, NULL);
        if (status == GRAFT_OK)
            status = graft_model_open_network(context, source.network, NULL, &model);
        if (status != GRAFT_ERROR_UNSUPPORTED && status != GRAFT_ERROR_FORMAT)
            fail_msg("%s: %s: %s", ops[i], graft_status_name(status), graft_context_error(context));
        assert_non_null(strstr(graft_context_error(context), ops[i]));
        assert_non_null(strstr(graft_context_error(context), "made.onnx"));
        graft_model_close(&model);
        graft_network_source_close(&source);
        (void)unlink(path);
    }
}

/* Sizes and indices may be any number, also none: outside of everything. */
static void sizes_that_are_no_numbers_are_refused(void **state)
{
    static const float numbers[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f};
    static const char *const ops[] = {"ConstantOfShape", "Expand", "Gather", "Reshape", "Tile", "GatherND"};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] * (sizeof ops / sizeof ops[0]); i++) {
        const char *const op = ops[i / (sizeof numbers / sizeof numbers[0])];
        struct graft_network_source source;
        struct graft_model *model = NULL;
        struct onnx_writer writer = begin();
        onnx_add_constant(&writer, "one", 0, NULL, (const float[]){1}, 1);
        onnx_add_constant(&writer, "size", 1, (const int64_t[]){1},
                          &numbers[i % (sizeof numbers / sizeof numbers[0])], 1);
        onnx_add_node(&writer, op, strcmp(op, "ConstantOfShape") == 0 ? "size" : "map size", "made", "");
        onnx_add_node(&writer, op, strcmp(op, "ConstantOfShape") == 0 ? "size" : "one size", "host", "");
        onnx_add_node(&writer, "Add", "map made", "sum", "");
        const char *const path = end(&writer, "sum");
        ok(graft_network_source_open(context, path, &source, NULL));
        assert_int_not_equal(graft_model_open_network(context, source.network, NULL, &model), GRAFT_OK);
        assert_non_null(strstr(graft_context_error(context), op));
        graft_model_close(&model);
        graft_network_source_close(&source);
        (void)unlink(path);
    }
}

/* A range from, to or by nothing at all: fuzzing found the number read that is not there. */
static void ranges_of_no_numbers_are_refused(void **state)
{
    static const char *const inputs[] = {"none one one", "one none one", "one one none", "one one one"};
    (void)state;
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        struct graft_network_source source;
        struct graft_model *model = NULL;
        struct onnx_writer writer = begin();
        onnx_add_constant(&writer, "one", 0, NULL, (const float[]){1}, 1);
        onnx_add_constant(&writer, "none", 1, (const int64_t[]){0}, NULL, 0);
        onnx_add_node(&writer, "Range", inputs[i], "range", "");
        const char *const path = end(&writer, "map");
        ok(graft_network_source_open(context, path, &source, NULL));
        const enum graft_status status = graft_model_open_network(context, source.network, NULL, &model);
        if (strstr(inputs[i], "none"))
            assert_non_null(strstr(graft_context_error(context), "Range"));
        assert_int_equal(status == GRAFT_OK, !strstr(inputs[i], "none"));
        graft_model_close(&model);
        graft_network_source_close(&source);
        (void)unlink(path);
    }
}

/* What has no name is read by nobody, whether the op computes or only notes what its result is: fuzzing found
 * writes in front of all values. */
static void results_without_a_name_are_dropped(void **state)
{
    static const char *const nodes[][2] = {
        {"Neg", "map"},      {"Erf", "map"},  {"Mul", "map one"},   {"Div", "map one"}, {"Add", "erf one"},
        {"Mul", "map bell"}, {"Relu", "map"}, {"Gather", "map at"}, {"Split", "map"},   {"Identity", "map"}};
    (void)state;
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        struct graft_network_source source;
        struct graft_model *model = NULL;
        struct onnx_writer writer = begin();
        onnx_add_constant(&writer, "one", 0, NULL, (const float[]){1}, 1);
        onnx_add_node(&writer, "Erf", "map", "erf", "");
        onnx_add_node(&writer, "Add", "erf one", "bell", "");
        onnx_add_node(&writer, "Shape", "map", "at", "");
        onnx_add_node(&writer, nodes[i][0], nodes[i][1], "", "");
        const char *const path = end(&writer, "map");
        ok(graft_network_source_open(context, path, &source, NULL));
        const enum graft_status status = graft_model_open_network(context, source.network, NULL, &model);
        if (status != GRAFT_OK)
            assert_non_null(strstr(graft_context_error(context), nodes[i][0]));
        graft_model_close(&model);
        graft_network_source_close(&source);
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

/* Vectors that are called as Swin V2's biases of queries and values are: each is a parameter of its own. */
static void biases_of_queries_stay_their_own(void **state)
{
    struct graft_network_source source;
    struct graft_tensor_set *set = NULL;
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    struct graft_weights_report report;
    struct onnx_writer writer = begin();
    (void)state;
    const char *const vectors[] = {"block.attn.q_bias", "block.attn.v_bias", "mean_", "variance"};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        onnx_add_weight(&writer, vectors[i], 1, (const int64_t[]){4});
    onnx_add_node(&writer, "BatchNormalization", "map block.attn.q_bias block.attn.v_bias mean_ variance", "sum", "");
    const char *const path = end(&writer, "sum");
    ok(graft_network_source_open(context, path, &source, &set));
    ok(graft_model_open_network(context, source.network, NULL, &model));
    ok(graft_variables_open(device, &variables));
    ok(graft_model_load_weights(model, variables, set, false, &report));
    assert_int_equal(report.unused + report.missing + report.misshaped, 0);
    assert_true(report.loaded >= 2);
    graft_variables_close(&variables);
    graft_model_close(&model);
    graft_tensor_set_close(&set);
    graft_network_source_close(&source);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_head_has_other_classes),
        cmocka_unit_test(stages_begin_where_one_value_goes_over),
        cmocka_unit_test(weights_that_nodes_make_are_trained),
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test(quantized_networks_are_refused),
        cmocka_unit_test(nodes_without_inputs_are_refused),
        cmocka_unit_test(sizes_that_are_no_numbers_are_refused),
        cmocka_unit_test(ranges_of_no_numbers_are_refused),
        cmocka_unit_test(results_without_a_name_are_dropped),
        cmocka_unit_test(shared_statistics_are_not_trained),
        cmocka_unit_test(random_damage_of_a_graph_is_survived),
        cmocka_unit_test(tensors_of_other_types_are_left_out),
        cmocka_unit_test(biases_of_queries_stay_their_own),
    };
    return cmocka_run_group_tests_name("onnx made", tests, set_up, tear_down);
}
