/* SPDX-License-Identifier: MIT */
/*
 * Whole networks against ../shared/zoo: logits, loss and the gradient of every parameter for formula weights,
 * computed there in f64 by the networks' public definitions. Weights go the way of real ones: a tensor set in
 * PyTorch's layout.
 *
 *     zoo_test DEVICE [f64] [NETWORK …]      without names: every network that has a file
 *
 * Exit code 0: all agree; 1: one does not; 77: there are no files.
 */
#include "graft/weights.h"
#include "model/formula.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Bounds: relative to the largest logit, to the loss, to each gradient's norm. */
struct bounds {
    double logits, loss, gradient;
};
static const struct bounds f32_bounds = {1e-4, 1e-5, 1e-3};
/* The files have 9 digits for logits; the same computation in f64 must agree to those. */
static const struct bounds f64_bounds = {1e-8, 1e-9, 1e-8};

struct check {
    struct graft_context *context;
    struct graft_device *device;
    enum graft_dtype real;
    const struct graft_model_info *info;
    json_t *file;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_plan *plan;
    int labels, loss;
    int *targets, *gradients; /* parameter's index in the model; value */
    int target_count;
};

static bool fine(const struct check *check, enum graft_status status)
{
    if (status)
        printf("%s: %s\n", check->info->name, graft_context_error(check->context));
    return status == GRAFT_OK;
}

static bool build(struct check *check)
{
    const int64_t size = json_integer_value(json_object_get(check->file, "input_size"));
    const struct graft_model_options options = {
        .batch = 2, .height = size, .width = size, .real = check->real};
    if (!fine(check, graft_model_open(check->context, check->info->name, &options, &check->model)))
        return false;
    struct graft_model *const model = check->model;
    const struct graft_shape two = graft_shape_of(1, 2);
    check->labels = graft_graph_input(model->graph, "labels", GRAFT_DTYPE_I32, &two);
    const int losses = graft_cross_entropy(model->graph, model->logits, check->labels, 0.0f);
    check->loss = graft_reduce(model->graph, losses,
                               &(struct graft_reduce_attributes){.kind = GRAFT_REDUCE_MEAN, .axes = 1});
    graft_graph_output(model->graph, check->loss);
    check->targets = calloc((size_t)model->parameter_count, sizeof *check->targets);
    check->gradients = calloc((size_t)model->parameter_count, sizeof *check->gradients);
    int *const values = calloc((size_t)model->parameter_count, sizeof *values);
    for (int i = 0; i < model->parameter_count; ++i) {
        if (!model->parameters[i].state) {
            values[check->target_count] = model->parameters[i].value;
            check->targets[check->target_count++] = i;
        }
    }
    bool done = fine(check, graft_graph_gradient(model->graph, check->loss, values, check->target_count,
                                                 check->gradients));
    for (int i = 0; done && i < check->target_count; ++i)
        graft_graph_output(model->graph, check->gradients[i]);
    free(values);
    return done && fine(check, graft_graph_status(model->graph));
}

static bool load(struct check *check)
{
    struct graft_tensor_set *set = NULL;
    if (!fine(check, graft_variables_open(check->device, &check->variables)) ||
        !fine(check, graft_tensor_set_open(check->context, &set)))
        return false;
    bool done = true;
    for (int i = 0; done && i < check->model->parameter_count; ++i) {
        const struct graft_model_parameter *const p = &check->model->parameters[i];
        const struct graft_desc desc = {GRAFT_DTYPE_F32, p->source_shape};
        done = fine(check, graft_tensor_set_add(set, p->name, &desc, NULL));
        if (done)
            test_formula_tensor(check->info->name, p->name, &p->source_shape,
                                graft_tensor_set_find(set, p->name)->data);
    }
    struct graft_weights_report report;
    done = done && fine(check, graft_model_load_weights(check->model, check->variables, set, false, &report));
    graft_tensor_set_close(&set);
    return done;
}

/* Reads a value as doubles. */
static double *read_value(struct check *check, int value, int64_t *count)
{
    const struct graft_desc *const desc = graft_graph_desc(check->model->graph, value);
    *count = graft_shape_count(&desc->shape);
    double *const wide = malloc((size_t)*count * sizeof *wide);
    float *const narrow = malloc((size_t)*count * sizeof *narrow);
    const bool is_wide = desc->dtype == GRAFT_DTYPE_F64;
    const bool done = fine(
        check, graft_plan_read(check->plan, value, is_wide ? (void *)wide : narrow, graft_desc_bytes(desc)));
    for (int64_t i = 0; done && !is_wide && i < *count; ++i)
        wide[i] = (double)narrow[i];
    free(narrow);
    if (done)
        return wide;
    free(wide);
    return NULL;
}

static bool run(struct check *check)
{
    static const int32_t labels[2] = {3, 7};
    const struct graft_desc *const desc = graft_graph_desc(check->model->graph, check->model->input);
    const size_t count = (size_t)graft_shape_count(&desc->shape);
    float *const input = malloc(count * sizeof *input);
    double *const wide = malloc(count * sizeof *wide);
    test_formula_input((int)desc->shape.dim[1], input);
    for (size_t i = 0; i < count; ++i)
        wide[i] = (double)input[i];
    const bool done = fine(check, graft_plan_open(check->model->graph, check->device, check->variables, NULL,
                                                  &check->plan)) &&
                      fine(check, graft_plan_write(check->plan, check->labels, labels, sizeof labels)) &&
                      fine(check, graft_plan_write(check->plan, check->model->input,
                                                   desc->dtype == GRAFT_DTYPE_F64 ? (void *)wide : input,
                                                   graft_desc_bytes(desc))) &&
                      fine(check, graft_plan_refresh(check->plan)) &&
                      fine(check, graft_plan_run(check->plan, GRAFT_SEGMENT_COMPUTE));
    free(input);
    free(wide);
    return done;
}

static double number(const json_t *array, size_t index)
{
    return json_number_value(json_array_get(array, index));
}

/* Largest difference by the largest logit. */
static double compare_logits(struct check *check)
{
    const json_t *const rows = json_object_get(check->file, "logits");
    int64_t count = 0;
    double *const logits = read_value(check, check->model->logits, &count);
    double largest = 0.0, worst = 0.0;
    for (int64_t i = 0; logits && i < count; ++i) {
        const json_t *const row = json_array_get(rows, (size_t)(i / check->model->classes));
        const double expected = number(row, (size_t)(i % check->model->classes));
        const double difference = fabs(logits[i] - expected);
        largest = fmax(largest, fabs(expected));
        worst = difference <= worst ? worst : difference; /* NaN becomes the worst and stays it */
    }
    const bool done = logits && count == (int64_t)json_array_size(rows) * check->model->classes;
    free(logits);
    return done ? worst / largest : INFINITY;
}

static double compare_loss(struct check *check)
{
    const double expected = json_number_value(json_object_get(check->file, "loss"));
    int64_t count = 0;
    double *const loss = read_value(check, check->loss, &count);
    const double result = loss ? fabs(*loss - expected) / fabs(expected) : INFINITY;
    free(loss);
    return result;
}

struct deviation {
    double worst;
    const char *name;
};

static void note(struct deviation *deviation, double value, const char *name)
{
    if (!(value <= deviation->worst)) {
        deviation->worst = value;
        deviation->name = name;
    }
}

/*
 * `norm`: by each gradient's norm. `first`: the first element's difference by |first| + norm /
 * sqrt(elements), the size of a typical element; it tells a gradient of the right size from the right
 * gradient.
 */
static bool compare_gradients(struct check *check, struct deviation *norm, struct deviation *first)
{
    const json_t *const table = json_object_get(check->file, "gradient_norm_and_first");
    if ((int)json_object_size(table) != check->target_count) {
        printf("%s: %d gradients, %d in the file\n", check->info->name, check->target_count,
               (int)json_object_size(table));
        return false;
    }
    for (int i = 0; i < check->target_count; ++i) {
        const char *const name = check->model->parameters[check->targets[i]].name;
        const json_t *const row = json_object_get(table, name);
        int64_t count = 0;
        double *const gradient = row ? read_value(check, check->gradients[i], &count) : NULL;
        if (!gradient) {
            printf("%s: no gradient of %s\n", check->info->name, name);
            return false;
        }
        const double expected_norm = number(row, 0), expected_first = number(row, 1);
        double sum = 0.0;
        for (int64_t k = 0; k < count; ++k)
            sum += gradient[k] * gradient[k];
        const double typical = expected_norm / sqrt((double)count);
        note(norm, expected_norm > 0.0 ? fabs(sqrt(sum) - expected_norm) / expected_norm : sum, name);
        note(first,
             expected_norm > 0.0 ? fabs(gradient[0] - expected_first) / (fabs(expected_first) + typical)
                                 : fabs(gradient[0]),
             name);
        free(gradient);
    }
    return true;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool check_network(struct check *check)
{
    const struct bounds *const bounds = check->real == GRAFT_DTYPE_F64 ? &f64_bounds : &f32_bounds;
    const double start = seconds();
    struct deviation norm = {0.0, "-"}, first = {0.0, "-"};
    bool good = build(check) && load(check);
    const double planned = seconds();
    good = good && run(check);
    if (good) {
        const double logits = compare_logits(check), loss = compare_loss(check);
        const double ran = seconds();
        good = compare_gradients(check, &norm, &first) && logits <= bounds->logits && loss <= bounds->loss &&
               norm.worst <= bounds->gradient && first.worst <= bounds->gradient;
        printf("%-16s %s  logits %.1e  loss %.1e  gradient norm %.1e (%s)  first %.1e (%s)  run %.1f s, all "
               "%.1f s\n",
               check->info->name, good ? "ok  " : "FAIL", logits, loss, norm.worst, norm.name, first.worst,
               first.name, ran - planned, seconds() - start);
    }
    graft_plan_close(&check->plan);
    graft_variables_close(&check->variables);
    graft_model_close(&check->model);
    free(check->targets);
    free(check->gradients);
    (void)fflush(stdout);
    return good;
}

/* Says so where a name is not a network's: a test that silently checks nothing cannot fail. */
static bool wanted(const char *name, int count, char **names)
{
    for (int i = 0; i < count; ++i) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return count == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: zoo_test DEVICE [f64] [NETWORK ...]\n");
        return 2;
    }
    const bool f64 = argc > 2 && strcmp(argv[2], "f64") == 0;
    const int first = f64 ? 3 : 2;
    const char *const data = getenv("GRAFT_TEST_DATA");
    struct check shared = {.real = f64 ? GRAFT_DTYPE_F64 : GRAFT_DTYPE_F32};
    if (graft_context_open(NULL, &shared.context))
        return 1;
    if (graft_device_open(shared.context, argv[1], &shared.device)) {
        printf("%s\n", graft_context_error(shared.context));
        graft_context_close(&shared.context);
        return 1;
    }
    int checked = 0, failed = 0, absent = 0;
    for (int i = 0; i < graft_model_count(); ++i) {
        struct check check = shared;
        check.info = graft_model_at(i);
        if (!wanted(check.info->name, argc - first, argv + first))
            continue;
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/zoo/%s.json", data && data[0] ? data : "../shared",
                       check.info->name);
        check.file = access(path, R_OK) == 0 ? json_load_file(path, 0, NULL) : NULL;
        if (!check.file) {
            ++absent;
            continue;
        }
        ++checked;
        failed += !check_network(&check);
        json_decref(check.file);
    }
    graft_device_close(&shared.device);
    graft_context_close(&shared.context);
    printf("%s: %d networks checked, %d failed, %d without a file\n", argv[1], checked, failed, absent);
    if (argc > first && checked + absent != argc - first) {
        printf("some of the names are no networks\n");
        return 1;
    }
    return failed ? 1 : checked ? 0 : 77;
}
