/* SPDX-License-Identifier: MIT */
/*
 * Training agrees: ten steps of ResNet-18 and of MobileNetV2 (batch norm training, batch 4, 64×64, SGD with
 * momentum) give the same losses on every device, step by step, within 1e-4 relative; the same bits twice,
 * and for any number of threads on the cpu.
 *
 *   training_test [--small] DEVICE…    the first is what the others are compared with; a missing OpenCL
 * device is skipped
 *
 * --small: ten steps of a network of five convolutions instead, for devices that are a thousand times slower.
 */
#include "formula.h"
#include "graft/train.h"
#include "graft/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 10
#define BATCH 4
#define MOST_SIDE 64
#define CLASSES 10
#define TOLERANCE 1e-4

/*
 * How fast each learns. Both change their loss by much more than the tolerance in ten steps. What sets the
 * limit is relu: an activation that rounding moves over the kink changes a gradient by about 1 %, and later
 * steps multiply that. With 16 values a channel in the last layers, MobileNetV2's channels of small variance
 * give gradients with a norm of several hundred: with a larger rate the reference in f32 leaves the reference
 * in f64 by more than the tolerance too. ResNet-18 at 1e-3 loses 97 % of its loss, and what is left of it
 * depends on such steps: Winograd's convolutions, which round four times as coarsely as sums, lead to 1.7e-3
 * there, plain ones to 1.2e-6; at 1e-4, where the loss falls by a third, to 4e-6. So in tiny_convnet: at
 * 1e-3, where the loss falls to a third, one activation crosses in the sixth step of the cpu, at 1e-4 none
 * does.
 */
static const struct {
    const char *network;
    double learning_rate;
    int side;
} cases[] = {{"resnet18", 1e-4, 64}, {"mobilenet_v2", 5e-8, 64}, {"tiny_convnet", 1e-4, 32}};
enum { SMALL_CASE = 2 };

struct result {
    double losses[STEPS];
    uint64_t bits; /* a hash of all variables after the last step */
};

/* FNV-1a over the bytes of all variables. */
static enum graft_status hash_variables(struct graft_variables *variables, uint64_t *hash)
{
    *hash = 0xcbf29ce484222325u;
    for (int i = 0;; i++) {
        struct graft_desc desc;
        const char *const name = graft_variables_at(variables, i, &desc, NULL);
        if (!name)
            return GRAFT_OK;
        const uint64_t bytes = graft_desc_bytes(&desc);
        uint8_t *const data = malloc((size_t)bytes + 1);
        if (!data)
            return GRAFT_ERROR_MEMORY;
        const enum graft_status status = graft_variables_read(variables, name, data, bytes);
        for (uint64_t k = 0; k < bytes; k++)
            *hash = (*hash ^ data[k]) * 0x100000001b3u;
        free(data);
        if (status != GRAFT_OK)
            return status;
    }
}

/* The formula's two pictures and their negatives: what the public architectures' figures were made with. */
static void make_batch(int side, float *pixels, int32_t *labels)
{
    const int half = BATCH / 2 * side * side * 3;
    test_formula_input(side, pixels);
    for (int i = 0; i < half; i++)
        pixels[half + i] = -pixels[i];
    for (int n = 0; n < BATCH; n++)
        labels[n] = (int32_t)(3 + 2 * n) % CLASSES;
}

/* Formula weights for every parameter and running statistic. */
static enum graft_status write_weights(const struct graft_model *model, struct graft_variables *variables)
{
    struct graft_context *const context = graft_graph_context(model->graph);
    struct graft_tensor_set *set = NULL;
    enum graft_status status = graft_tensor_set_open(context, &set);
    for (int p = 0; p < model->parameter_count && status == GRAFT_OK; p++) {
        const struct graft_model_parameter *const parameter = &model->parameters[p];
        const struct graft_desc desc = {.dtype = GRAFT_DTYPE_F32, .shape = parameter->source_shape};
        status = graft_tensor_set_add(set, parameter->name, &desc, NULL);
        if (status == GRAFT_OK)
            test_formula_tensor(model->info->name, parameter->name, &parameter->source_shape,
                                graft_tensor_set_find(set, parameter->name)->data);
    }
    if (status == GRAFT_OK)
        status = graft_model_load_weights(model, variables, set, false, NULL);
    graft_tensor_set_close(&set);
    return status;
}

static enum graft_status train(struct graft_device *device, struct graft_model *model,
                               struct graft_variables *variables, double learning_rate, int side,
                               struct result *result)
{
    static float pixels[BATCH * MOST_SIDE * MOST_SIDE * 3];
    const struct graft_trainer_options options = {.optimizer = GRAFT_SGD};
    struct graft_trainer *trainer = NULL;
    int32_t labels[BATCH];
    enum graft_status status = graft_trainer_open(device, model, variables, &options, &trainer);
    make_batch(side, pixels, labels);
    for (int s = 0; s < STEPS && status == GRAFT_OK; s++) {
        struct graft_step step = {.input = pixels,
                                  .labels = labels,
                                  .valid = BATCH,
                                  .learning_rate = learning_rate,
                                  .number = s + 1};
        status = graft_trainer_step(trainer, &step);
        result->losses[s] = step.loss;
    }
    if (status == GRAFT_OK)
        status = hash_variables(variables, &result->bits);
    graft_trainer_close(&trainer);
    return status;
}

/* 0, or 1 after a failure that has been told; 77 if there is no such device. */
static int run(int n, double learning_rate, const char *which, int threads, struct result *result)
{
    const char *const network = cases[n].network;
    const struct graft_context_options context_options = {.threads = threads};
    const struct graft_model_options options = {.batch = BATCH,
                                                .height = cases[n].side,
                                                .width = cases[n].side,
                                                .classes = CLASSES,
                                                .training = true,
                                                .bn = GRAFT_BATCH_NORM_TRAIN,
                                                .dropout = 0.2f,
                                                .seed = 3};
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    enum graft_status status = graft_context_open(&context_options, &context);
    if (status == GRAFT_OK)
        status = graft_device_open(context, which, &device);
    const bool absent = status == GRAFT_ERROR_NOT_FOUND && strncmp(which, "opencl", 6) == 0;
    if (status == GRAFT_OK)
        status = graft_model_open(context, network, &options, &model);
    if (status == GRAFT_OK)
        status = graft_variables_open(device, &variables);
    if (status == GRAFT_OK)
        status = write_weights(model, variables);
    if (status == GRAFT_OK)
        status = train(device, model, variables, learning_rate, cases[n].side, result);
    if (status != GRAFT_OK)
        printf("%s on %s: %s\n", network, which, graft_context_error(context));
    graft_variables_close(&variables);
    graft_model_close(&model);
    graft_device_close(&device);
    graft_context_close(&context);
    return status == GRAFT_OK ? 0 : absent ? 77 : 1;
}

static int failures;
static int passes;

static void check(bool good, const char *network, const char *device, const char *what, double figure)
{
    printf("%s %-14s %-10s %s %.3g\n", good ? "ok    " : "FAILED", network, device, what, figure);
    good ? passes++ : failures++;
}

/* One network on one device against the first device's losses. 0, 1, or 77 if there is no such device. */
static int compare(int n, const char *device, bool is_first, struct result *first)
{
    const char *const network = cases[n].network;
    const double rate = cases[n].learning_rate;
    struct result once = {0}, again = {0}, alone = {0}, frozen = {0};
    const int code = run(n, rate, device, 2, &once);
    if (code != 0)
        return code;
    if (is_first)
        *first = once;
    double worst = 0;
    for (int s = 0; s < STEPS; s++) {
        const double difference = fabs(once.losses[s] - first->losses[s]) / fabs(first->losses[s]);
        worst = difference > worst || isnan(difference) ? difference : worst;
        printf("       step %2d: loss %.8g, relative difference %.2g\n", s + 1, once.losses[s], difference);
    }
    check(worst <= TOLERANCE, network, device, "largest relative difference of ten losses", worst);
    if (strcmp(device, "reference") == 0)
        return 0; /* one thread, plain loops: nothing to vary, and slow */
    if (run(n, rate, device, 2, &again) != 0)
        return 1;
    check(once.bits == again.bits, network, device, "same bits twice", 0);
    if (n == SMALL_CASE && !is_first)
        return 0; /* that the first one has learnt is enough */
    if (run(n, rate, device, 1, &alone) != 0 || run(n, 0, device, 2, &frozen) != 0)
        return 1;
    check(once.bits == alone.bits, network, device, "same bits with one thread", 0);
    const double learnt = frozen.losses[STEPS - 1] / once.losses[STEPS - 1] - 1;
    check(learnt > 100 * TOLERANCE, network, device, "loss fell, relative, by", learnt);
    return 0;
}

int main(int count, char **arguments)
{
    const bool small = count > 1 && strcmp(arguments[1], "--small") == 0;
    const int begin = small ? 2 : 1;
    for (int n = small ? SMALL_CASE : 0; n < (small ? SMALL_CASE + 1 : SMALL_CASE); n++) {
        struct result first = {0};
        for (int d = begin; d < count; d++) {
            const int code = compare(n, arguments[d], d == begin, &first);
            if (code != 0 && !(code == 77 && d > begin))
                return code;
        }
    }
    printf("%d passed, %d failed\n", passes, failures);
    return passes + failures == 0 ? 77 : failures > 0;
}
