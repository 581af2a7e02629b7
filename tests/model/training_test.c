/* SPDX-License-Identifier: MIT */
/*
 * Training agrees: ten steps of ResNet-18 and of MobileNetV2 (batch norm training, batch 4, 64×64, SGD with
 * momentum) give the same losses on every device, step by step, within 1e-4 relative; the same bits twice,
 * and for any number of threads on the cpu.
 *
 *   training_test DEVICE…    the first is what the others are compared with; a missing OpenCL device is
 * skipped
 */
#include "base/random.h"
#include "graft/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 10
#define BATCH 4
#define SIDE 64
#define CLASSES 10
#define TOLERANCE 1e-4
/* Small enough that ten steps on so few pictures do not amplify rounding errors. */
#define LEARNING_RATE 1e-3

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

/*
 * Pictures of 8×8 blocks of random colour with a little noise, like those of the public architectures' figures. Plain
 * noise would not do: its features hardly differ between pictures, and batch normalization would divide by that.
 */
static void make_batch(int step, float *pixels, int32_t *labels)
{
    struct graft_random random;
    float blocks[8 * 8 * 3];
    graft_random_start(&random, 11, (uint64_t)step);
    for (int n = 0; n < BATCH; n++) {
        labels[n] = (int32_t)graft_random_below(&random, CLASSES);
        for (int i = 0; i < 8 * 8 * 3; i++)
            blocks[i] = 2 * graft_random_uniform(&random) - 1;
        for (int i = 0; i < SIDE * SIDE * 3; i++) {
            const int y = i / (SIDE * 3), x = i / 3 % SIDE;
            const float noise = 2 * graft_random_uniform(&random) - 1;
            pixels[n * SIDE * SIDE * 3 + i] =
                blocks[(y * 8 / SIDE * 8 + x * 8 / SIDE) * 3 + i % 3] + 0.25f * noise;
        }
    }
}

static enum graft_status train(struct graft_device *device, struct graft_model *model,
                               struct graft_variables *variables, struct result *result)
{
    static float pixels[BATCH * SIDE * SIDE * 3];
    const struct graft_trainer_options options = {.optimizer = GRAFT_SGD};
    struct graft_trainer *trainer = NULL;
    int32_t labels[BATCH];
    enum graft_status status = graft_trainer_open(device, model, variables, &options, &trainer);
    for (int s = 0; s < STEPS && status == GRAFT_OK; s++) {
        make_batch(s, pixels, labels);
        struct graft_step step = {.input = pixels,
                                  .labels = labels,
                                  .valid = BATCH,
                                  .learning_rate = LEARNING_RATE,
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
static int run(const char *network, const char *which, int threads, struct result *result)
{
    const struct graft_context_options context_options = {.threads = threads};
    const struct graft_model_options options = {.batch = BATCH,
                                                .height = SIDE,
                                                .width = SIDE,
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
        status = graft_model_initialize(model, variables, 1, 0);
    if (status == GRAFT_OK)
        status = train(device, model, variables, result);
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

int main(int count, char **arguments)
{
    static const char *const networks[] = {"resnet18", "mobilenet_v2"};
    for (int n = 0; n < 2; n++) {
        struct result first = {0};
        for (int d = 1; d < count; d++) {
            struct result once = {0}, again = {0}, alone = {0};
            const int code = run(networks[n], arguments[d], 2, &once);
            if (code == 77 && d > 1)
                continue;
            if (code != 0)
                return code;
            if (d == 1)
                first = once;
            double worst = 0;
            for (int s = 0; s < STEPS; s++) {
                const double difference = fabs(once.losses[s] - first.losses[s]) / fabs(first.losses[s]);
                worst = difference > worst || isnan(difference) ? difference : worst;
                printf("       step %2d: loss %.8g, relative difference %.2g\n", s + 1, once.losses[s],
                       difference);
            }
            check(worst <= TOLERANCE, networks[n], arguments[d], "largest relative difference of ten losses",
                  worst);
            check(once.losses[STEPS - 1] < once.losses[0] * 1.5, networks[n], arguments[d], "last loss",
                  once.losses[STEPS - 1]);
            if (strcmp(arguments[d], "reference") == 0)
                continue; /* one thread, plain loops: nothing to vary, and slow */
            if (run(networks[n], arguments[d], 2, &again) != 0 ||
                run(networks[n], arguments[d], 1, &alone) != 0)
                return 1;
            check(once.bits == again.bits, networks[n], arguments[d], "same bits twice", 0);
            check(once.bits == alone.bits, networks[n], arguments[d], "same bits with one thread", 0);
        }
    }
    printf("%d passed, %d failed\n", passes, failures);
    return passes + failures == 0 ? 77 : failures > 0;
}
