/* SPDX-License-Identifier: MIT */
/*
 * Networks from ONNX files: whatever PyTorch's two exporters, Keras and tf2onnx wrote
 * (../shared/weights/onnx), with the logits that ONNX Runtime gives; every kind of tensor; files to refuse;
 * files with random damage.
 *
 *     onnx_test [FILE …]      names within the folder; without: all
 */
#include "base/context.h"
#include "base/random.h"
#include "base/text.h"
#include "graft/onnx.h"
#include "graft/weights.h"
#include "io/onnx/onnx.h"
#include "model/formula.h"
#include "support/onnx_writer.h"
#include "support/support.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>

static struct graft_context *context;
static struct graft_device *device;
static char scratch[] = "/tmp/graft-onnx-XXXXXX";
static int name_count;
static char **names;

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

static char *read_whole(const char *path, size_t *size)
{
    FILE *const file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *const data = malloc(*size + 1);
    assert_int_equal(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

/* ---- weights by formula, in a file beside a copy of the .onnx */

struct external {
    char name[512];
    struct graft_shape shape;
    long offset;
    bool there;
};

static struct external read_external(struct graft_protobuf message)
{
    struct external result = {.name = ""};
    struct graft_protobuf_field field, inner;
    while (graft_protobuf_next(&message, &field)) {
        struct graft_protobuf entry = graft_protobuf_enter(&field);
        uint64_t size = 0;
        if (field.number == 1 && field.wire == 0)
            result.shape.dim[result.shape.rank++] = (int64_t)field.value;
        while (field.number == 1 && field.wire == 2 && graft_protobuf_varint(&entry, &size))
            result.shape.dim[result.shape.rank++] = (int64_t)size;
        if (field.number == 8)
            (void)snprintf(result.name, sizeof result.name, "%.*s", (int)field.size,
                           (const char *)field.data);
        if (field.number == 14)
            result.there = field.value == 1;
        bool is_offset = false;
        while (field.number == 13 && graft_protobuf_next(&entry, &inner)) {
            if (inner.number == 1)
                is_offset = inner.size == 6 && memcmp(inner.data, "offset", 6) == 0;
            else if (is_offset)
                result.offset = strtol((const char *)inner.data, NULL, 10);
        }
    }
    return result;
}

static void write_weights(const char *file, size_t size, FILE *out)
{
    struct graft_protobuf model = {.data = (const uint8_t *)file, .size = size};
    struct graft_protobuf_field field, inner;
    while (graft_protobuf_next(&model, &field)) {
        struct graft_protobuf graph = graft_protobuf_enter(&field);
        while (field.number == 7 && graft_protobuf_next(&graph, &inner)) {
            if (inner.number != 5)
                continue;
            const struct external tensor = read_external(graft_protobuf_enter(&inner));
            const size_t count = (size_t)graft_shape_count(&tensor.shape);
            if (!tensor.there)
                continue;
            float *const data = malloc(count * sizeof *data);
            test_formula_onnx(tensor.name, &tensor.shape, data);
            assert_int_equal(fseek(out, tensor.offset, SEEK_SET), 0);
            assert_int_equal(fwrite(data, sizeof *data, count, out), count);
            free(data);
        }
    }
}

/* The path of a copy with its weights; both are removed by `remove_copy`. */
static void make_copy(const char *name, char *copy, char *weights)
{
    char member[256], path[512];
    size_t size = 0;
    (void)snprintf(member, sizeof member, "weights/onnx/%s", name);
    assert_non_null(test_data(member, path, sizeof path));
    (void)sprintf(copy, "%s/%s", scratch, name);
    (void)sprintf(weights, "%s/%s.data", scratch, name);
    char *const data = read_whole(path, &size);
    FILE *const file = fopen(copy, "wb"), *const out = fopen(weights, "wb");
    assert_true(file && out);
    assert_int_equal(fwrite(data, 1, size, file), size);
    write_weights(data, size, out);
    fclose(file);
    fclose(out);
    free(data);
}

/* ---- logits */

static float *run_network(const struct graft_onnx *onnx, const struct graft_tensor_set *set, int size,
                          int64_t *classes)
{
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    const struct graft_model_options options = {.batch = 2, .height = size, .width = size};
    enum graft_status status = graft_model_open_network(context, graft_onnx_network(onnx), &options, &model);
    if (!status)
        status = graft_variables_open(device, &variables);
    if (!status)
        status = graft_model_load_weights(model, variables, set, false, NULL);
    if (!status)
        status = graft_plan_open(model->graph, device, variables, NULL, &plan);
    const size_t count = (size_t)(2 * size * size * 3);
    float *const input = malloc(count * sizeof *input);
    float *logits = NULL;
    test_formula_input(size, input);
    if (!status)
        status = graft_plan_write(plan, model->input, input, count * sizeof *input);
    if (!status)
        status = graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE);
    if (!status) {
        *classes = model->classes;
        logits = malloc((size_t)(2 * *classes) * sizeof *logits);
        status = graft_plan_read(plan, model->logits, logits, (size_t)(2 * *classes) * sizeof *logits);
    }
    free(input);
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    graft_model_close(&model);
    if (status)
        printf("%s\n", graft_context_error(context));
    return logits;
}

/* The largest difference of a logit by the largest logit; infinite where they cannot be compared. */
static double compare_rows(const float *logits, int64_t classes, const json_t *rows)
{
    double largest = 0, worst = 0;
    for (size_t n = 0; n < json_array_size(rows); n++) {
        for (size_t i = 0; i < json_array_size(json_array_get(rows, n)); i++) {
            const double expected = json_number_value(json_array_get(json_array_get(rows, n), i));
            largest = fmax(largest, fabs(expected));
            worst = fmax(worst, fabs((double)logits[(int64_t)n * classes + (int64_t)i] - expected));
        }
    }
    return json_array_size(rows) == 2 && largest > 0 ? worst / largest : (double)INFINITY;
}

static bool is_wanted(const char *name)
{
    for (int i = 0; i < name_count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return name_count == 0;
}

static double check_file(const char *name, const json_t *facts)
{
    struct graft_onnx *onnx = NULL;
    struct graft_tensor_set *set = NULL;
    char copy[512], weights[512];
    int64_t classes = 0;
    /* Keras' network has its figures beside its other files. */
    json_t *const keras =
        json_object_get(facts, "logits_first64")
            ? NULL
            : json_load_file(test_data("weights/keras/mobilenet.json", copy, sizeof copy), 0, NULL);
    const json_t *const rows =
        keras ? json_object_get(keras, "logits") : json_object_get(facts, "logits_first64");
    make_copy(name, copy, weights);
    double difference = (double)INFINITY;
    if (graft_onnx_open(context, copy, &onnx, &set) == GRAFT_OK) {
        float *const logits =
            run_network(onnx, set, (int)json_integer_value(json_object_get(facts, "input_size")), &classes);
        if (logits)
            difference = compare_rows(logits, classes, rows);
        free(logits);
    } else {
        printf("%s\n", graft_context_error(context));
    }
    graft_onnx_close(&onnx);
    graft_tensor_set_close(&set);
    (void)unlink(copy);
    (void)unlink(weights);
    json_decref(keras);
    return difference;
}

static void networks_of_every_exporter_are_read(void **state)
{
    char path[512];
    (void)state;
    if (!test_data("weights/onnx/onnx.json", path, sizeof path)) {
        skip();
        return;
    }
    json_t *const list = json_load_file(path, 0, NULL), *facts = NULL;
    const char *name = NULL;
    int failed = 0, checked = 0;
    json_object_foreach(list, name, facts)
    {
        if (!is_wanted(name))
            continue;
        /* ONNX Runtime computes in f32 too, and its own optimized run differs by `rounding`. */
        const double rounding = json_number_value(json_object_get(facts, "rounding"));
        const double difference = check_file(name, facts);
        const bool good = difference <= fmax(1e-4, 2 * rounding);
        printf("%-44s %s  logits %.1e (ONNX Runtime's own: %.1e)\n", name, good ? "ok  " : "FAIL", difference,
               rounding);
        (void)fflush(stdout);
        failed += !good;
        checked++;
    }
    json_decref(list);
    assert_true(checked > 0);
    assert_int_equal(failed, 0);
}

/* ---- every kind of tensor */

static void check_numbers(const char *name, const struct graft_onnx_tensor *tensor, const json_t *facts)
{
    const json_t *const shape = json_object_get(facts, "shape"), *const values =
                                                                     json_object_get(facts, "values");
    const char *const dtype = json_string_value(json_object_get(facts, "dtype"));
    if (!tensor)
        fail_msg("%s is not there", name);
    assert_int_equal(tensor->shape.rank, json_array_size(shape));
    for (size_t i = 0; i < json_array_size(shape); i++)
        assert_int_equal(tensor->shape.dim[i], json_integer_value(json_array_get(shape, i)));
    assert_int_equal(graft_shape_count(&tensor->shape), json_array_size(values));
    for (size_t i = 0; i < json_array_size(values); i++) {
        const double expected = json_number_value(json_array_get(values, i));
        if (graft_onnx_number(tensor, (int64_t)i) != expected)
            fail_msg("%s[%zu] is %g, not %g", name, i, graft_onnx_number(tensor, (int64_t)i), expected);
    }
    if (dtype && strcmp(dtype, "BOOL") == 0)
        assert_int_equal(tensor->kind, GRAFT_ONNX_BOOL);
    else if (dtype)
        assert_int_equal(tensor->kind, strstr(dtype, "INT") ? GRAFT_ONNX_INTEGER : GRAFT_ONNX_REAL);
}

/* A node Constant: what its attribute says. */
static void check_constant(const struct graft_onnx *onnx, const char *name, const json_t *facts)
{
    const json_t *const values = json_object_get(facts, "values");
    char output[128];
    (void)snprintf(output, sizeof output, "out.%s", name);
    const int value = graft_onnx_find_value(onnx, (struct graft_onnx_text){output, strlen(output)});
    const struct graft_onnx_attribute *attribute = NULL;
    for (int n = 0; n < onnx->node_count; n++)
        if (onnx->nodes[n].outputs[0] == value)
            attribute = &onnx->nodes[n].attributes[0];
    assert_non_null(attribute);
    assert_true(graft_onnx_is(attribute->name, name + strlen("Constant.")));
    if (attribute->t) {
        check_numbers(name, attribute->t, facts);
        return;
    }
    const double single = attribute->type == 1 ? (double)attribute->f : (double)attribute->i;
    assert_int_equal(attribute->list ? attribute->count : 1, json_array_size(values));
    for (size_t i = 0; i < json_array_size(values); i++)
        assert_true((attribute->list ? attribute->list[i] : single) ==
                    json_number_value(json_array_get(values, i)));
}

/* tensors.onnx holds one of every type in every field that can hold it; it is no network, but read it is. */
static void every_kind_of_tensor_is_read(void **state)
{
    char path[512];
    struct graft_tensor_set *set = NULL;
    size_t size = 0;
    (void)state;
    json_t *const list = test_data("weights/onnx/tensors.json", path, sizeof path)
                             ? json_load_file(path, 0, NULL)
                             : NULL,
                  *facts = NULL;
    if (!list) {
        skip();
        return;
    }
    assert_non_null(test_data("weights/onnx/tensors.onnx", path, sizeof path));
    char *const data = read_whole(path, &size);
    struct graft_onnx *onnx = graft_allocate(context, 1, sizeof *onnx);
    *onnx = (struct graft_onnx){.context = context, .input = -1, .output = -1, .head_weight = -1};
    onnx->path = graft_duplicate_text(context, path);
    onnx->file = (struct graft_protobuf){.data = (const uint8_t *)data, .size = size};
    assert_int_equal(graft_tensor_set_open(context, &set), GRAFT_OK);
    assert_int_equal(graft_onnx_read_model(onnx, set), GRAFT_ERROR_UNSUPPORTED);
    assert_non_null(strstr(graft_context_error(context), "no picture as input"));
    const char *name = NULL;
    json_object_foreach(list, name, facts)
    {
        if (graft_text_starts(name, "Constant.")) {
            check_constant(onnx, name, facts);
            continue;
        }
        const int value = graft_onnx_find_value(onnx, (struct graft_onnx_text){name, strlen(name)});
        check_numbers(name, value >= 0 ? onnx->constants[value] : NULL, facts);
    }
    assert_true(json_object_size(list) >= 29);
    graft_onnx_close(&onnx);
    graft_tensor_set_close(&set);
    json_decref(list);
    free(data);
}

/* ---- files to refuse */

static void files_to_refuse_are_refused(void **state)
{
    char folder[512], path[1024];
    int refused = 0;
    (void)state;
    if (!test_data("weights/onnx/refuse", folder, sizeof folder)) {
        skip();
        return;
    }
    DIR *const listing = opendir(folder);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        struct graft_onnx *onnx = NULL;
        struct graft_tensor_set *set = NULL;
        struct graft_model *model = NULL;
        if (!graft_text_ends(entry->d_name, ".onnx"))
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        enum graft_status status = graft_onnx_open(context, path, &onnx, &set);
        if (status == GRAFT_OK) /* some are found out when they are built */
            status = graft_model_open_network(context, graft_onnx_network(onnx), NULL, &model);
        if (status == GRAFT_OK)
            fail_msg("%s is read", entry->d_name);
        assert_true(status == GRAFT_ERROR_FORMAT || status == GRAFT_ERROR_UNSUPPORTED ||
                    status == GRAFT_ERROR_SHAPE || status == GRAFT_ERROR_NOT_FOUND);
        assert_non_null(strstr(graft_context_error(context), entry->d_name));
        graft_model_close(&model);
        graft_onnx_close(&onnx);
        graft_tensor_set_close(&set);
        refused++;
    }
    closedir(listing);
    assert_true(refused >= 30);
}

/* Weights beside the file are read, and nothing that a hostile name leads to. */
static void weights_outside_of_the_folder_are_refused(void **state)
{
    static const char name[] = "squeezenet1_1-torchscript-20.onnx",
                      data_name[] = "squeezenet1_1-torchscript-20.onnx.data";
    static const char *const begins[] = {"../", "/qu", "\\qu"};
    char path[512], copy[600];
    (void)state;
    if (!test_data("weights/onnx/squeezenet1_1-torchscript-20.onnx", path, sizeof path)) {
        skip();
        return;
    }
    (void)snprintf(copy, sizeof copy, "%s/%s", scratch, name);
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        struct graft_onnx *onnx = NULL;
        struct graft_tensor_set *set = NULL;
        size_t size = 0;
        int places = 0;
        char *const data = read_whole(path, &size);
        for (char *at = data; (at = memmem(at, size - (size_t)(at - data), data_name, sizeof data_name - 1));
             places++)
            memcpy(at, begins[i], 3);
        FILE *const file = fopen(copy, "wb");
        assert_int_equal(fwrite(data, 1, size, file), size);
        fclose(file);
        free(data);
        assert_true(places > 10);
        assert_int_equal(graft_onnx_open(context, copy, &onnx, &set), GRAFT_ERROR_FORMAT);
        assert_non_null(strstr(graft_context_error(context), "outside of its folder"));
        assert_null(set);
        graft_onnx_close(&onnx);
    }
    (void)unlink(copy);
}

/* Found with the fuzz target: 2 KB of nodes made tables of some MiB each, or read one again and again, for seconds. */
static void the_hosts_tables_are_bounded(void **state)
{
    static const int64_t side[] = {1024, 1024};
    char path[512], texts[2][32];
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        const char *const ops[] = {"Add", "ReduceSum", "Add"};
        struct onnx_writer writer = {.context = context};
        struct graft_onnx *onnx = NULL;
        struct graft_tensor_set *set = NULL;
        struct graft_model *model = NULL;
        onnx_add_tensor(&writer, "side", 7, 1, (const int64_t[]){2}, side, sizeof side);
        onnx_add_weight(&writer, "w", 4, (const int64_t[]){2, 3, 1, 1});
        onnx_add_node(&writer, "ConstantOfShape", "side", "t0", "");
        for (int i = 0; i < (kind == 2 ? 1 : 30); i++) {
            (void)snprintf(texts[0], sizeof texts[0], kind == 1 ? "t0" : "t%d t%d", i, i);
            (void)snprintf(texts[1], sizeof texts[1], "t%d", i + 1);
            onnx_add_node(&writer, ops[kind], texts[0], texts[1], kind == 1 ? "keepdims=0" : "");
        }
        onnx_add_node(&writer, "Conv", "x w", "c", "kernel_shape=1,1");
        onnx_add_node(&writer, "GlobalAveragePool", "c", "p", "");
        onnx_add_node(&writer, "Flatten", "p", "y", "");
        (void)snprintf(path, sizeof path, "%s/tables.onnx", scratch);
        onnx_write(&writer, 8, 2, path);
        assert_int_equal(graft_onnx_open(context, path, &onnx, &set), GRAFT_OK);
        const enum graft_status status = graft_model_open_network(context, graft_onnx_network(onnx), NULL, &model);
        assert_int_equal(status, kind == 2 ? GRAFT_OK : GRAFT_ERROR_UNSUPPORTED);
        assert_true(kind == 2 || strstr(graft_context_error(context), "tables that the file makes are too large"));
        graft_model_close(&model);
        graft_onnx_close(&onnx);
        graft_tensor_set_close(&set);
        (void)unlink(path);
    }
}

/* A real file with bytes changed, or cut: an answer, no crash. */
static void random_damage_is_survived(void **state)
{
    struct graft_random random;
    char path[512], copy[512];
    size_t size = 0;
    int opened = 0, built = 0;
    (void)state;
    if (!test_data("weights/onnx/keras-mobilenet-tf2onnx.onnx", path, sizeof path)) {
        skip();
        return;
    }
    char *const whole = read_whole(path, &size), *const data = malloc(size);
    (void)snprintf(copy, sizeof copy, "%s/damaged.onnx", scratch);
    graft_random_start(&random, 3, 3);
    for (int round = 0; round < 400; round++) {
        struct graft_onnx *onnx = NULL;
        struct graft_tensor_set *set = NULL;
        struct graft_model *model = NULL;
        const size_t kept = round % 8 == 0 ? graft_random_below(&random, (uint32_t)size) : size;
        memcpy(data, whole, size);
        for (int k = 0; k < 8; k++)
            data[graft_random_below(&random, (uint32_t)size)] = (char)graft_random_u32(&random);
        FILE *const file = fopen(copy, "wb");
        assert_int_equal(fwrite(data, 1, kept, file), kept);
        fclose(file);
        if (graft_onnx_open(context, copy, &onnx, &set) == GRAFT_OK) {
            opened++;
            built += graft_model_open_network(context, graft_onnx_network(onnx), NULL, &model) == GRAFT_OK;
        }
        graft_model_close(&model);
        graft_onnx_close(&onnx);
        graft_tensor_set_close(&set);
    }
    free(whole);
    free(data);
    (void)unlink(copy);
    assert_true(opened > 10 && built > 0);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_of_every_exporter_are_read),
        cmocka_unit_test(every_kind_of_tensor_is_read),
        cmocka_unit_test(files_to_refuse_are_refused),
        cmocka_unit_test(weights_outside_of_the_folder_are_refused),
        cmocka_unit_test(the_hosts_tables_are_bounded),
        cmocka_unit_test(random_damage_is_survived),
    };
    name_count = count - 1;
    names = arguments + 1;
    return cmocka_run_group_tests_name("onnx", tests, set_up, tear_down);
}
