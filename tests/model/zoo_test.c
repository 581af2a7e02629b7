/* SPDX-License-Identifier: MIT */
/*
 * Whole networks against ../shared/zoo: logits, loss and the gradient of every parameter for formula weights,
 * computed there in f64 from the networks' public definitions.
 *
 *     zoo_test DEVICE [f64] [NETWORK …]      without names: every network that has a file
 *
 * Exit code 0: all agree; 1: one does not; 2: wrong usage; 77: there are no files, or no such device.
 */
#include "model/network.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * Relative to the largest logit, to the loss, to each gradient's norm, to a typical element (see
 * compare_gradients): a first element of another place or sign is off by about 1, while kinks move single
 * elements more than norms.
 */
struct bounds {
    double logits, loss, gradient, first;
};
static const struct bounds f32_bounds = {1e-4, 1e-5, 1e-3, 1e-2};
/* Attributes are f32 also in f64 graphs: epsilon and the factor of a mean are off by up to 3e-8. */
static const struct bounds f64_bounds = {1e-7, 1e-7, 1e-7, 1e-7};

/* Of activations on the other side of a kink than in f64: their share, and how far off they may be. */
static const double flipped_share = 1e-5, flipped_distance = 1e-4;

struct deviation {
    double worst;
    const char *name;
};

struct result {
    double logits, loss;
    struct deviation norm, first;
};

static void note(struct deviation *deviation, double value, const char *name)
{
    if (!(value <= deviation->worst)) { /* NaN becomes the worst, and is not within any bound */
        deviation->worst = value;
        deviation->name = name;
    }
}

static double number(const json_t *array, size_t index)
{
    return json_number_value(json_array_get(array, index));
}

/* The files give all logits, or the first 64 of each picture with the sum and the sum of squares of all. */
static bool compare_logits(struct test_network *network, const json_t *file, struct result *result)
{
    const json_t *const all = json_object_get(file, "logits");
    const json_t *const rows = all ? all : json_object_get(file, "logits_first64");
    const int64_t classes = network->model->classes;
    int64_t count = 0;
    double *const logits = test_network_read(network, network->model->logits, &count);
    if (!logits || count != (int64_t)json_array_size(rows) * classes) {
        free(logits);
        return false;
    }
    double largest = 0.0;
    struct deviation difference = {0}, sums = {0};
    for (size_t n = 0; n < json_array_size(rows); ++n) {
        const json_t *const row = json_array_get(rows, n);
        const double *const own = logits + (int64_t)n * classes;
        for (size_t i = 0; i < json_array_size(row); ++i) {
            largest = fmax(largest, fabs(number(row, i)));
            note(&difference, fabs(own[i] - number(row, i)), "");
        }
        double sum = 0.0, squares = 0.0;
        for (int64_t i = 0; i < classes; ++i) {
            sum += own[i];
            squares += own[i] * own[i];
        }
        if (!all) {
            const double expected = number(json_object_get(file, "logits_sumsq"), n);
            note(&sums, fabs(squares - expected) / expected / 2, "");
            /* The sum by what sums of so many such numbers come to: √classes × their root mean square. */
            note(&sums,
                 fabs(sum - number(json_object_get(file, "logits_sum"), n)) / sqrt(expected) /
                     sqrt((double)classes),
                 "");
        }
    }
    result->logits = fmax(difference.worst / largest, sums.worst);
    free(logits);
    return isfinite(difference.worst) && isfinite(sums.worst);
}

static bool compare_loss(struct test_network *network, double expected, struct result *result)
{
    int64_t count = 0;
    double *const loss = test_network_read(network, network->loss, &count);
    if (!loss)
        return false;
    result->loss = fabs(*loss - expected) / fabs(expected);
    free(loss);
    return true;
}

/*
 * The files give the gradients of all parameters, or where there are more than 150 of 60 of them.
 * `norm`: relative to each gradient's norm. `first`: the first element's difference by |first| + norm /
 * sqrt(elements), the size of a typical element; it tells a gradient of the right size from the right one.
 */
static bool compare_gradients(struct test_network *network, const json_t *table, struct result *result)
{
    const int listed = (int)json_object_size(table);
    int compared = 0;
    for (int i = 0; i < network->count; ++i) {
        const char *const name = network->model->parameters[network->targets[i]].name;
        const json_t *const row = json_object_get(table, name);
        if (!row && listed == 60 && network->count > 150)
            continue;
        ++compared;
        int64_t count = 0;
        double *const gradient = row ? test_network_read(network, network->gradients[i], &count) : NULL;
        if (!gradient) {
            printf("no gradient of %s\n", name);
            return false;
        }
        const double norm = number(row, 0), first = number(row, 1);
        double sum = 0.0;
        for (int64_t k = 0; k < count; ++k)
            sum += gradient[k] * gradient[k];
        note(&result->norm, fabs(sqrt(sum) - norm) / norm, name);
        note(&result->first, fabs(gradient[0] - first) / (fabs(first) + norm / sqrt((double)count)), name);
        free(gradient);
    }
    if (compared != listed)
        printf("%d gradients compared, %d in the file\n", compared, listed);
    return compared == listed;
}

/*
 * Gradients that deviate are either wrong or on other sides of kinks; which, is found out: see network.h.
 * (PyTorch 2.15 in f32 meets the gradient bound no better: 5.9e-3 on mobilenet_v2, 2.0e-3 on vgg19 and 1.8e-3
 * on squeezenet1_1, the last two channels-last.)
 */
static bool judge_pattern(struct graft_context *context, struct graft_device *device, const char *name,
                          int64_t size)
{
    struct graft_device *reference = NULL;
    struct test_network network = {0};
    struct test_pattern pattern = {0};
    const bool done = graft_device_open(context, "reference", &reference) == GRAFT_OK &&
                      test_network_open(&network, context, device, name, size, GRAFT_DTYPE_F32) &&
                      test_network_compare_pattern(&network, reference, &pattern);
    const bool good = done && pattern.flipped > 0 && pattern.worst <= f32_bounds.gradient &&
                      (double)pattern.flipped <= flipped_share * (double)pattern.activations &&
                      pattern.farthest <= flipped_distance;
    printf("%-16s %s  rounding put %lld of %lld activations on the other side of a kink (at most %.1e away); "
           "with them there, whole gradients differ by %.1e (%s)\n",
           name, good ? "ok  " : "FAIL", (long long)pattern.flipped, (long long)pattern.activations,
           pattern.farthest, pattern.worst, pattern.worst_name);
    test_network_close(&network);
    graft_device_close(&reference);
    return good;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool check_network(struct graft_context *context, struct graft_device *device, enum graft_dtype real,
                          const char *name, const json_t *file)
{
    const struct bounds *const bounds = real == GRAFT_DTYPE_F64 ? &f64_bounds : &f32_bounds;
    const int64_t size = json_integer_value(json_object_get(file, "input_size"));
    const double start = seconds();
    struct test_network network = {0};
    struct result result = {.norm = {0.0, "-"}, .first = {0.0, "-"}};
    bool good = test_network_open(&network, context, device, name, size, real) && test_network_plan(&network);
    const double planned = seconds();
    good = good && test_network_run(&network);
    const double ran = seconds();
    good = good && compare_logits(&network, file, &result) &&
           compare_loss(&network, json_number_value(json_object_get(file, "loss")), &result) &&
           compare_gradients(&network, json_object_get(file, "gradient_norm_and_first"), &result);
    const bool forward = good && result.logits <= bounds->logits && result.loss <= bounds->loss;
    const bool backward = result.norm.worst <= bounds->gradient && result.first.worst <= bounds->first;
    const char *const verdict = !forward ? "FAIL" : backward ? "ok  " : "look";
    if (good)
        printf("%-16s %s  logits %.1e  loss %.1e  gradient norm %.1e (%s)  first element %.1e (%s)  "
               "run %.2f s, all %.1f s\n",
               name, verdict, result.logits, result.loss, result.norm.worst, result.norm.name,
               result.first.worst, result.first.name, ran - planned, seconds() - start);
    else
        printf("%-16s FAIL\n", name);
    test_network_close(&network);
    (void)fflush(stdout);
    return forward && (backward || (real != GRAFT_DTYPE_F64 && judge_pattern(context, device, name, size)));
}

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
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    if (graft_context_open(NULL, &context))
        return 1;
    const enum graft_status status = graft_device_open(context, argv[1], &device);
    if (status) {
        printf("%s\n", graft_context_error(context));
        graft_context_close(&context);
        return status == GRAFT_ERROR_NOT_FOUND ? 77 : 1;
    }
    int checked = 0, failed = 0, absent = 0;
    for (int i = 0; i < graft_model_count(); ++i) {
        const char *const name = graft_model_at(i)->name;
        if (!wanted(name, argc - first, argv + first))
            continue;
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/zoo/%s.json", data && data[0] ? data : "../shared", name);
        json_t *const file = access(path, R_OK) == 0 ? json_load_file(path, 0, NULL) : NULL;
        absent += !file;
        checked += file != NULL;
        failed +=
            file && !check_network(context, device, f64 ? GRAFT_DTYPE_F64 : GRAFT_DTYPE_F32, name, file);
        json_decref(file);
    }
    graft_device_close(&device);
    graft_context_close(&context);
    printf("%s: %d networks checked, %d failed, %d without a file\n", argv[1], checked, failed, absent);
    if (argc > first && checked + absent != argc - first) {
        printf("not all of the names are networks\n"); /* a test that checks less than it says cannot fail */
        return 2;
    }
    return failed ? 1 : checked ? 0 : 77;
}
