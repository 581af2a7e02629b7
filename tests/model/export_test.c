/* SPDX-License-Identifier: MIT */
/*
 * Networks written as ONNX: every one of the list can be; those that are named, with formula weights, are
 * converted, read by our own importer, and give the same logits.
 *
 * export_test [FOLDER] [NETWORK]…: in a folder the files stay, with input [n, c, h, w] and logits as NumPy
 * files, for tests/model/onnx_runtime.py, which lets ONNX Runtime compute the same.
 */
#include "base/text.h"
#include "graft/convert.h"
#include "graft/onnx.h"
#include "graft/weights.h"
#include "io/layout.h"
#include "io/onnx/onnx_write.h"
#include "model/formula.h"
#include "support/support.h"

#include <math.h>
#include <sys/stat.h>

static struct graft_context *context;
static struct graft_device *device;
static char scratch[512];
static char **names;
static int name_count;
static bool kept; /* the files stay */

static void ok(enum graft_status status)
{
    if (status)
        fail_msg("%s", graft_context_error(context));
}

/* Numbers of the formula pictures; of grey ones the first channel's. */
static float *make_input(const struct graft_model *model)
{
    const size_t pixels = (size_t)(2 * model->height * model->width);
    float *const input = malloc(3 * pixels * sizeof *input);
    test_formula_input((int)model->height, input);
    for (size_t i = 0; i < pixels && model->info->channels == 1; i++)
        input[i] = input[3 * i];
    return input;
}

/* The logits of two pictures on the processor, by the definition of the network that is given. */
static float *run(const struct graft_network *network, const struct graft_tensor_set *set, int64_t size,
                  struct graft_model **result)
{
    const struct graft_model_options options = {.batch = 2, .height = size, .width = size};
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    ok(graft_model_open_network(context, network, &options, &model));
    ok(graft_variables_open(device, &variables));
    ok(graft_model_load_weights(model, variables, set, false, NULL));
    ok(graft_plan_open(model->graph, device, variables, NULL, &plan));
    float *const input = make_input(model);
    float *const logits = malloc((size_t)(2 * model->classes) * sizeof *logits);
    ok(graft_plan_write(plan, model->input, input,
                        graft_desc_bytes(graft_graph_desc(model->graph, model->input))));
    ok(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE));
    ok(graft_plan_read(plan, model->logits, logits, (uint64_t)(2 * model->classes) * sizeof *logits));
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    free(input);
    *result = model;
    return logits;
}

static struct graft_tensor_set *formula_set(const char *name)
{
    struct graft_tensor_set *set = NULL;
    struct graft_model *model = NULL;
    ok(graft_model_open(context, name, NULL, &model));
    ok(graft_tensor_set_open(context, &set));
    for (int i = 0; i < model->parameter_count; i++) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        const struct graft_desc desc = {GRAFT_DTYPE_F32, p->source_shape};
        if (p->idle) /* of an auxiliary head: the weights may lack it, and no graph of inference has it */
            continue;
        ok(graft_tensor_set_add(set, p->name, &desc, NULL));
        test_formula_tensor(name, p->name, &p->source_shape, graft_tensor_set_find(set, p->name)->data);
    }
    graft_model_close(&model);
    return set;
}

static const char *path_of(const char *name, const char *ending, char path[1024])
{
    (void)snprintf(path, 1024, "%s/%s%s", scratch, name, ending);
    return path;
}

/* What ONNX Runtime is to compute from, and what it is to find. */
static void keep(const struct graft_model *model, const float *logits)
{
    char path[1024];
    const int64_t pixels = model->height * model->width, channels = model->info->channels;
    float *const input = make_input(model), *const turned =
                                                malloc((size_t)(2 * pixels * channels) * sizeof *turned);
    graft_layout_transpose(2, pixels, channels, sizeof *input, input, turned);
    const struct graft_desc in = {GRAFT_DTYPE_F32,
                                  graft_shape_of(4, (int64_t)2, channels, model->height, model->width)};
    const struct graft_desc out = {GRAFT_DTYPE_F32, graft_shape_of(2, (int64_t)2, model->classes)};
    ok(graft_npy_save(context, path_of(model->info->name, ".input.npy", path), &in, turned));
    ok(graft_npy_save(context, path_of(model->info->name, ".logits.npy", path), &out, logits));
    free(turned);
    free(input);
}

static double difference(const float *a, const float *b, int64_t count)
{
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)a[i]));
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        if (!isfinite(b[i]))
            return (double)INFINITY;
    }
    return largest > 0 ? worst / largest : (double)INFINITY;
}

/* The names of the weights are PyTorch's in the file too. */
static void check_names(const struct graft_tensor_set *formula, const struct graft_tensor_set *read)
{
    for (size_t i = 0; i < graft_tensor_set_count(formula); i++) {
        const struct graft_named_tensor *const a = graft_tensor_set_at(formula, i), *const b =
                                                                                        graft_tensor_set_find(
                                                                                            read, a->name);
        if (!b || !graft_shape_equal(&a->desc.shape, &b->desc.shape) ||
            memcmp(a->data, b->data, (size_t)graft_desc_bytes(&a->desc)) != 0)
            fail_msg("%s is not in the ONNX file as it was", a->name);
    }
}

static double check_network(const char *name)
{
    const struct graft_network *network = NULL;
    struct graft_onnx *onnx = NULL;
    struct graft_tensor_set *read = NULL;
    struct graft_model *model = NULL, *again = NULL;
    struct graft_conversion conversion;
    char weights[1024], path[1024];
    struct graft_tensor_set *set = formula_set(name);
    ok(graft_network_find(context, name, &network));
    const int64_t size = graft_network_info(network)->preprocess.crop;
    const struct graft_convert_options options = {.in = path_of(name, ".safetensors", weights),
                                                  .out = path_of(name, ".onnx", path),
                                                  .network = name,
                                                  .overwrite = true};
    ok(graft_safetensors_save(context, weights, set));
    ok(graft_convert(context, &options, &conversion));
    assert_string_equal(conversion.network, name);
    assert_true(conversion.any_batch && conversion.height == size && conversion.width == size);
    (void)unlink(weights);
    ok(graft_onnx_open(context, path, &onnx, &read));
    check_names(set, read);
    float *const expected = run(network, set, size, &model), *const found = run(graft_onnx_network(onnx),
                                                                                read, size, &again);
    assert_int_equal(again->classes, model->classes);
    const double worst = difference(expected, found, 2 * model->classes);
    if (kept)
        keep(model, expected);
    else
        (void)unlink(path);
    free(expected);
    free(found);
    graft_model_close(&again);
    graft_model_close(&model);
    graft_onnx_close(&onnx);
    graft_tensor_set_close(&read);
    graft_tensor_set_close(&set);
    return worst;
}

static void named_networks_are_the_same_as_onnx(void **state)
{
    int failed = 0;
    (void)state;
    for (int i = 0; i < name_count; i++) {
        const double worst = check_network(names[i]);
        const bool good = worst <= 1e-4; /* sums in another order; ONNX Runtime is held against the same */
        printf("%-24s %s  logits %.1e\n", names[i], good ? "ok  " : "FAIL", worst);
        (void)fflush(stdout);
        failed += !good;
    }
    assert_int_equal(failed, 0);
}

/* Without weights, which takes no time: every op of every network has its form, for any batch. */
static void every_network_can_be_written(void **state)
{
    const struct graft_model_info *info = NULL;
    (void)state;
    for (int i = 0; (info = graft_model_at(i)) != NULL; i++) {
        for (int bytes = 0; bytes < 2; bytes++) {
            struct graft_model_options options = {.batch = 2, .input_u8 = bytes == 1};
            struct graft_model *model = NULL, *other = NULL;
            bool batch_matters = false;
            ok(graft_model_open(context, info->name, &options, &model));
            options.batch = 3;
            ok(graft_model_open(context, info->name, &options, &other));
            const struct graft_onnx_file file = {.model = model, .other = other, .output = model->logits};
            ok(graft_onnx_save(context, NULL, &file, &batch_matters));
            assert_false(batch_matters);
            graft_model_close(&other);
            graft_model_close(&model);
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    if (graft_context_open(NULL, &context))
        return 1;
    return graft_device_open(context, "cpu", &device) != GRAFT_OK;
}

static int tear_down(void **state)
{
    (void)state;
    graft_device_close(&device);
    graft_context_close(&context);
    return 0;
}

int main(int count, char **arguments)
{
    struct stat facts;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_networks_are_the_same_as_onnx),
        cmocka_unit_test(every_network_can_be_written),
    };
    names = arguments + 1;
    name_count = count - 1;
    kept = name_count > 0 && stat(names[0], &facts) == 0 && S_ISDIR(facts.st_mode);
    (void)snprintf(scratch, sizeof scratch, "%s", kept ? names[0] : "/tmp/graft-export-XXXXXX");
    names += kept;
    name_count -= kept;
    if (!kept && !mkdtemp(scratch))
        return 1;
    cmocka_set_skip_filter(kept ? "every_*" : NULL);
    const int failed = cmocka_run_group_tests_name("export", tests, set_up, tear_down);
    if (!kept)
        (void)rmdir(scratch);
    return failed;
}
