/* SPDX-License-Identifier: MIT */
/* graft bench: how fast a network runs or trains on a device, and where the time goes; an op; a data set. */
#include "base/clock.h"
#include "base/context.h"
#include "bench_data.h"
#include "graft/train.h"
#include "network.h"
#include "output.h"
#include "profile.h"
#include "train/workload.h"
#include "tuning.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROUNDS 10000

struct request {
    const char *model, *op, *data, *augment, *variants, *precision;
    int64_t batch, input[2], rounds;
    double seconds;
    uint64_t memory;
    bool train, profile, layers, tune;
};

/* A network on a device, and how long its rounds took. */
struct bench {
    struct graft_command *command;
    const struct request *request;
    struct graft_device *device;
    struct graft_workload workload;
    double plan_seconds;
    double *times; /* [rounds] */
    int rounds;
};

static enum graft_status open_bench(struct bench *bench)
{
    const struct request *const request = bench->request;
    const struct graft_workload_options options = {.model = request->model,
                                                   .batch = request->batch,
                                                   .side = request->input[0],
                                                   .width = request->input[1],
                                                   .variants = request->variants,
                                                   .tf32 = graft_network_is_tf32(request->precision),
                                                   .seed = (uint64_t)bench->command->seed,
                                                   .train = request->train};
    bench->times = calloc(MAX_ROUNDS, sizeof *bench->times);
    if (bench->times == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    graft_context_limit_memory(bench->command->context, request->memory);
    const enum graft_status status = graft_workload_open(bench->device, &options, &bench->workload);
    bench->plan_seconds = bench->workload.plan_seconds;
    return status;
}

static void close_bench(struct bench *bench)
{
    graft_workload_close(&bench->workload);
    graft_device_close(&bench->device);
    free(bench->times);
}

/* At least --rounds and --seconds, after one that is not counted: kernels may be built in it. */
static enum graft_status run_rounds(struct bench *bench)
{
    const struct request *const request = bench->request;
    struct graft_command *const command = bench->command;
    enum graft_status status = graft_workload_run(&bench->workload);
    const double begin = graft_seconds();
    double now = begin;
    while (status == GRAFT_OK && bench->rounds < MAX_ROUNDS &&
           (bench->rounds < request->rounds || now - begin < request->seconds)) {
        if (graft_context_cancelled(command->context)) {
            return GRAFT_ERROR_CANCELLED;
        }
        status = graft_workload_run(&bench->workload);
        const double end = graft_seconds();
        bench->times[bench->rounds++] = end - now;
        now = end;
        graft_command_progress(command, "%s on %s: round %d, %.1f ms", request->model,
                               graft_device_get_info(bench->device)->id, bench->rounds,
                               1e3 * bench->times[bench->rounds - 1]);
    }
    graft_command_progress_end(command);
    return status;
}

static int compare_times(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static int print_result(struct bench *bench, const struct graft_profile *profile,
                        const struct graft_tuner *tuner, const struct graft_tune_proof *proof)
{
    struct graft_command *const command = bench->command;
    const char *const device = graft_device_get_info(bench->device)->id;
    const char *const mode = bench->request->train ? "train" : "inference";
    const struct graft_workload *const work = &bench->workload;
    const struct graft_model *const model = work->model;
    const int64_t rows = work->trainer != NULL ? graft_trainer_micro_batch(work->trainer) : model->batch;
    const int64_t parts = (model->batch + rows - 1) / rows;
    const double flops = (double)parts * graft_plan_flops(work->plan, bench->request->train);
    struct graft_plan_memory sizes;
    uint64_t live = 0;
    uint64_t peak = 0;
    char memory[32];
    qsort(bench->times, (size_t)bench->rounds, sizeof *bench->times, compare_times);
    const double least = bench->times[0];
    const double median = 0.5 * (bench->times[bench->rounds / 2] + bench->times[(bench->rounds - 1) / 2]);
    const double rate = (double)model->batch / median;
    graft_device_memory(bench->device, &live, &peak);
    graft_plan_get_memory(work->plan, &sizes);
    if (command->json) {
        json_t *const document =
            json_pack("{s:s, s:I, s:s, s:s, s:f, s:f, s:f, s:f, s:I, s:f}", "model", model->info->name,
                      "batch", (json_int_t)model->batch, "device", device, "mode", mode, "images_per_second",
                      rate, "median_ms", 1e3 * median, "min_ms", 1e3 * least, "gflops", 1e-9 * flops / median,
                      "peak_bytes", (json_int_t)peak, "plan_ms", 1e3 * bench->plan_seconds);
        if (document != NULL) {
            graft_json_add_member(document, "micro_batch", json_integer((json_int_t)rows));
            graft_json_add_member(document, "memory", graft_memory_json(&sizes));
        }
        if (document != NULL && tuner != NULL) {
            graft_json_add_member(document, "tuning", graft_tuning_json(tuner));
            graft_json_add_member(document, "tuned_step", graft_tuning_proof_json(proof));
        }
        if (document != NULL && profile != NULL) {
            graft_json_add_member(document, "tuned", json_integer(graft_profile_tuned(profile)));
            graft_json_add_member(document, "limits", graft_profile_limits_json(profile));
            graft_json_add_member(document, "kernels", graft_profile_kernels_json(profile));
            graft_json_add_member(document, "ops", graft_profile_ops_json(profile));
            graft_json_add_member(document, "profile", graft_profile_json(profile));
        }
        return graft_json_print(command, document);
    }
    printf("%s, batch %lld, %s, %s: %.1f images/s, median %.2f ms, min %.2f ms, %.1f GFLOP/s, %s, plan %.0f "
           "ms\n",
           model->info->name, (long long)model->batch, mode, device, rate, 1e3 * median, 1e3 * least,
           1e-9 * flops / median, graft_show_bytes(peak, memory), 1e3 * bench->plan_seconds);
    if (tuner != NULL) {
        graft_tuning_print(command, tuner, proof);
    }
    if (profile != NULL) {
        printf("\nmemory%s\n", parts > 1 ? ", of a micro-batch" : "");
        graft_memory_print(&sizes);
        graft_profile_print(profile, bench->request->layers);
    }
    return GRAFT_EXIT_DONE;
}

static int bench_device(struct graft_command *command, const struct request *request, const char *device)
{
    struct bench bench = {.command = command, .request = request};
    struct graft_profile profile = {0};
    struct graft_tuner tuner = {0};
    struct graft_tune_proof proof = {0};
    const struct graft_fastest_options fastest = {.network = request->model,
                                                  .batch = request->batch,
                                                  .train = request->train,
                                                  .measure = command->device != NULL};
    enum graft_status status = strcasecmp(device, "auto") == 0
                                   ? graft_device_open_fastest(command->context, &fastest, &bench.device)
                                   : graft_device_open(command->context, device, &bench.device);
    if (status != GRAFT_OK) {
        return graft_command_failed_name(command, status);
    }
    status = open_bench(&bench);
    if (status == GRAFT_OK && request->tune) {
        status = graft_tuning_measure(command, &bench.workload, &tuner, &proof);
    }
    if (status == GRAFT_OK) {
        status = run_rounds(&bench);
    }
    if (status == GRAFT_OK && request->profile) {
        status = graft_profile_measure(bench.device, bench.workload.plan, request->train, 5, &profile);
    }
    const int code = status == GRAFT_OK ? print_result(&bench, request->profile ? &profile : NULL,
                                                       request->tune ? &tuner : NULL, &proof)
                                        : graft_command_failed(command, status);
    graft_profile_close(&profile);
    graft_tuner_close(&tuner);
    close_bench(&bench);
    return code;
}

static int run_devices(struct graft_command *command, const struct request *request)
{
    int code = GRAFT_EXIT_DONE;
    const char *rest = command->device != NULL ? command->device : "auto";
    while (rest != NULL && code == GRAFT_EXIT_DONE) {
        char device[128];
        const int next = graft_command_next_device(command, &rest, device, sizeof device);
        code = next != GRAFT_EXIT_GO_ON ? next : bench_device(command, request, device);
    }
    return code;
}

static int run(struct graft_command *command)
{
    struct request request = {.batch = 1, .rounds = 5, .seconds = 2};
    const struct graft_option options[] = {
        {"--model", "MODEL", "the network, with random weights", GRAFT_OPTION_TEXT, &request.model, 0, 0},
        {"--op", "OP", "an op instead: its conformance cases are checked and timed", GRAFT_OPTION_TEXT,
         &request.op, 0, 0},
        {"--data", "DATA", "a data set instead: how fast its pictures are decoded and prepared",
         GRAFT_OPTION_TEXT, &request.data, 0, 0},
        {"--augment", "LIST", "with --data: prepared as `fit --augment LIST` does", GRAFT_OPTION_TEXT,
         &request.augment, 0, 0},
        {"--batch", "N", "pictures at a time", GRAFT_OPTION_INTEGER, &request.batch, 1, 65536},
        {"--input", "SIDE", "side of the pictures: 224, or height x width: 192x256", GRAFT_OPTION_SIDES,
         request.input, 0, 0},
        {"--train", NULL, "training steps instead of inference", GRAFT_OPTION_FLAG, &request.train, 0, 0},
        {"--profile", NULL, "where the time goes, against what the device can do at most", GRAFT_OPTION_FLAG,
         &request.profile, 0, 0},
        {"--layers", NULL, "with --profile: and layer by layer", GRAFT_OPTION_FLAG, &request.layers, 0, 0},
        {"--tune", NULL, "measure each op's kernels on its shapes, and keep the fastest for later runs",
         GRAFT_OPTION_FLAG, &request.tune, 0, 0},
        {"--rounds", "N", "at least so many rounds (5)", GRAFT_OPTION_INTEGER, &request.rounds, 1,
         MAX_ROUNDS},
        {"--seconds", "S", "for at least so long (2)", GRAFT_OPTION_REAL, &request.seconds, 0, 3600},
        {"--memory", "BYTES", "take no more, computing less at a time: 512M, 2G", GRAFT_OPTION_BYTES,
         &request.memory, 0, 0},
        {"--variants", "LIST", "force algorithms: conv2d=reference,matmul=...", GRAFT_OPTION_TEXT,
         &request.variants, 0, 0},
        GRAFT_PRECISION_OPTION(request.precision),
    };
    const struct graft_model_info *info = NULL;
    const int done = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    if ((request.model != NULL) + (request.op != NULL) + (request.data != NULL) != 1) {
        return graft_command_usage(command, "bench takes one of --model, --op and --data");
    }
    const int precise = graft_network_check_precision(command, request.precision);
    if (precise != GRAFT_EXIT_GO_ON) {
        return precise;
    }
    if (request.precision != NULL && request.model == NULL) {
        return graft_command_usage(command, "--precision is for the products of a --model");
    }
    if (request.augment != NULL && request.data == NULL) {
        return graft_command_usage(command, "--augment varies the pictures of --data, which is not given");
    }
    if (request.tune && (request.op != NULL || request.variants != NULL)) {
        return graft_command_usage(command, "--tune measures all kernels of a --model: not with %s",
                                   request.op != NULL ? "--op" : "--variants");
    }
    if (request.op != NULL) {
        return graft_command_bench_op(command, request.op);
    }
    if (request.data != NULL) {
        const struct graft_bench_data data = {
            request.data, request.augment, {request.input[0], request.input[1]}, request.seconds};
        return graft_command_bench_data(command, &data);
    }
    const enum graft_status status = graft_model_find(command->context, request.model, &info);
    return status == GRAFT_OK ? run_devices(command, &request) : graft_command_failed_name(command, status);
}

const struct graft_verb graft_verb_bench = {
    .name = "bench",
    .operands = "",
    .purpose =
        "measures images per second, GFLOP/s and memory of a network or an op, or how fast data is read",
    .examples =
        "  graft bench --model resnet18                       one picture at a time\n"
        "  graft bench --model resnet18 --batch 16 --device cpu,opencl:0\n"
        "                                                     two devices\n"
        "  graft bench --model mobilenet_v2 --batch 32 --train\n"
        "                                                     steps of training\n"
        "  graft bench --model vgg16 --profile                which kernels take the time, and of "
        "what limit\n"
        "  graft bench --model resnet18 --batch 16 --device opencl:0 --tune\n"
        "                                                     kernels chosen by measurement, and kept\n"
        "  graft bench --op conv2d --device cpu               an op, case by case\n"
        "  graft bench --data photos --augment imagenet       pictures a second, without a network\n",
    .cancels = true,
    .run = run,
};
