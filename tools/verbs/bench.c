/* SPDX-License-Identifier: MIT */
/* graft bench: how fast a network runs or trains on a device, and where the time goes. */
#include "base/context.h"
#include "base/random.h"
#include "graft/train.h"
#include "output.h"
#include "profile.h"
#include "train/inference.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROUNDS 10000

struct request {
    const char *model, *op, *variants;
    int64_t batch, input, rounds;
    double seconds;
    uint64_t memory;
    bool train, profile;
};

/* A network of random weights on a device, with one batch of random pictures. */
struct bench {
    struct graft_command *command;
    const struct request *request;
    struct graft_device *device;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_trainer *trainer; /* --train */
    struct graft_plan *plan;       /* else */
    uint8_t *pixels;               /* [batch, h, w, channels] */
    int32_t *labels;               /* [batch] */
    float *logits;                 /* [batch, classes] */
    uint64_t pixel_bytes, logit_bytes;
    int64_t step;
    double plan_seconds;
    double *times; /* [rounds] */
    int rounds;
};

static struct graft_plan *plan_of(const struct bench *bench)
{
    return bench->trainer != NULL ? graft_trainer_plan(bench->trainer) : bench->plan;
}

static enum graft_status make_batch(struct bench *bench)
{
    const struct graft_model *const model = bench->model;
    struct graft_random random;
    bench->pixel_bytes = graft_desc_bytes(graft_graph_desc(model->graph, model->input));
    bench->logit_bytes = (uint64_t)(model->batch * model->classes) * sizeof(float);
    bench->pixels = graft_allocate_raw(bench->command->context, 1, (size_t)bench->pixel_bytes);
    bench->labels = calloc((size_t)model->batch, sizeof *bench->labels);
    bench->logits = malloc((size_t)bench->logit_bytes);
    bench->times = calloc(MAX_ROUNDS, sizeof *bench->times);
    if (bench->pixels == NULL || bench->labels == NULL || bench->logits == NULL || bench->times == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    graft_random_start(&random, (uint64_t)bench->command->seed, graft_hash_text("bench"));
    for (uint64_t i = 0; i < bench->pixel_bytes; i++) {
        bench->pixels[i] = (uint8_t)(graft_random_u32(&random) >> 24);
    }
    for (int64_t i = 0; i < model->batch; i++) {
        bench->labels[i] = (int32_t)graft_random_below(&random, (uint32_t)model->classes);
    }
    return GRAFT_OK;
}

/* The batch of pictures lies in the host's memory too. */
static uint64_t reserve_of(const struct bench *bench)
{
    return graft_inference_reserve(
        bench->device, bench->model->batch,
        (uint64_t)(bench->model->height * bench->model->width) * (uint64_t)bench->model->info->channels, 1);
}

static enum graft_status open_bench(struct bench *bench)
{
    const struct request *const request = bench->request;
    const struct graft_model_options options = {.batch = request->batch,
                                                .height = request->input,
                                                .width = request->input,
                                                .input_u8 = true,
                                                .training = request->train,
                                                .bn = GRAFT_BATCH_NORM_TRAIN};
    const struct graft_plan_options plan = {.variants = request->variants};
    graft_context_limit_memory(bench->command->context, request->memory);
    enum graft_status status =
        graft_model_open(bench->command->context, request->model, &options, &bench->model);
    if (status == GRAFT_OK) {
        status = graft_variables_open(bench->device, &bench->variables);
    }
    if (status == GRAFT_OK) {
        status = graft_model_initialize(bench->model, bench->variables, (uint64_t)bench->command->seed, 0);
    }
    const double begin = graft_command_seconds();
    if (status == GRAFT_OK && request->train) {
        const struct graft_trainer_options trainer = {
            .optimizer = GRAFT_ADAM, .reserve = reserve_of(bench), .plan = plan};
        status = graft_trainer_open(bench->device, bench->model, bench->variables, &trainer, &bench->trainer);
    } else if (status == GRAFT_OK) {
        const struct graft_inference inference = {.device = bench->device,
                                                  .variables = bench->variables,
                                                  .options = &plan,
                                                  .reserve = reserve_of(bench)};
        status = graft_inference_open(&inference, &bench->model, &bench->plan);
        if (status == GRAFT_OK) {
            status = graft_plan_refresh(bench->plan);
        }
    }
    bench->plan_seconds = graft_command_seconds() - begin;
    return status == GRAFT_OK ? make_batch(bench) : status;
}

static void close_bench(struct bench *bench)
{
    graft_trainer_close(&bench->trainer);
    graft_plan_close(&bench->plan);
    graft_variables_close(&bench->variables);
    graft_model_close(&bench->model);
    graft_device_close(&bench->device);
    graft_release(bench->command->context, bench->pixels);
    free(bench->labels);
    free(bench->logits);
    free(bench->times);
}

/* One batch as a user has it: pictures to the device, all layers, the result back. */
static enum graft_status run_round(struct bench *bench)
{
    const struct graft_model *const model = bench->model;
    if (bench->trainer != NULL) {
        struct graft_step step = {.input = bench->pixels,
                                  .labels = bench->labels,
                                  .valid = model->batch,
                                  .learning_rate = 1e-6,
                                  .number = ++bench->step};
        return graft_trainer_step(bench->trainer, &step);
    }
    enum graft_status status = graft_plan_write(bench->plan, model->input, bench->pixels, bench->pixel_bytes);
    if (status == GRAFT_OK) {
        status = graft_plan_run(bench->plan, GRAFT_SEGMENT_COMPUTE);
    }
    return status == GRAFT_OK ? graft_plan_read(bench->plan, model->logits, bench->logits, bench->logit_bytes)
                              : status;
}

/* At least --rounds and --seconds, after one that is not counted: kernels may be built in it. */
static enum graft_status run_rounds(struct bench *bench)
{
    const struct request *const request = bench->request;
    struct graft_command *const command = bench->command;
    enum graft_status status = run_round(bench);
    const double begin = graft_command_seconds();
    double now = begin;
    while (status == GRAFT_OK && bench->rounds < MAX_ROUNDS &&
           (bench->rounds < request->rounds || now - begin < request->seconds)) {
        if (graft_context_cancelled(command->context)) {
            return GRAFT_ERROR_CANCELLED;
        }
        status = run_round(bench);
        const double end = graft_command_seconds();
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

static int print_result(struct bench *bench, struct graft_profile *profile)
{
    struct graft_command *const command = bench->command;
    const char *const device = graft_device_get_info(bench->device)->id;
    const char *const mode = bench->request->train ? "train" : "inference";
    const int64_t rows =
        bench->trainer != NULL ? graft_trainer_micro_batch(bench->trainer) : bench->model->batch;
    const int64_t parts = (bench->model->batch + rows - 1) / rows;
    const double flops = (double)parts * graft_plan_flops(plan_of(bench), bench->request->train);
    struct graft_plan_memory sizes;
    uint64_t live = 0;
    uint64_t peak = 0;
    char memory[32];
    qsort(bench->times, (size_t)bench->rounds, sizeof *bench->times, compare_times);
    const double least = bench->times[0];
    const double median = 0.5 * (bench->times[bench->rounds / 2] + bench->times[(bench->rounds - 1) / 2]);
    const double rate = (double)bench->model->batch / median;
    graft_device_memory(bench->device, &live, &peak);
    graft_plan_get_memory(plan_of(bench), &sizes);
    if (command->json) {
        json_t *const document = json_pack(
            "{s:s, s:I, s:s, s:s, s:f, s:f, s:f, s:f, s:I, s:f}", "model", bench->model->info->name, "batch",
            (json_int_t)bench->model->batch, "device", device, "mode", mode, "images_per_second", rate,
            "median_ms", 1e3 * median, "min_ms", 1e3 * least, "gflops", 1e-9 * flops / median, "peak_bytes",
            (json_int_t)peak, "plan_ms", 1e3 * bench->plan_seconds);
        if (document != NULL) {
            graft_json_add_member(document, "micro_batch", json_integer((json_int_t)rows));
            graft_json_add_member(document, "memory", graft_memory_json(&sizes));
        }
        if (document != NULL && profile != NULL) {
            graft_json_add_member(document, "profile", graft_profile_json(profile));
        }
        return graft_json_print(command, document);
    }
    printf("%s, batch %lld, %s, %s: %.1f images/s, median %.2f ms, min %.2f ms, %.1f GFLOP/s, %s, plan %.0f "
           "ms\n",
           bench->model->info->name, (long long)bench->model->batch, mode, device, rate, 1e3 * median,
           1e3 * least, 1e-9 * flops / median, graft_show_bytes(peak, memory), 1e3 * bench->plan_seconds);
    if (profile != NULL) {
        printf("\nmemory%s\n", parts > 1 ? ", of a micro-batch" : "");
        graft_memory_print(&sizes);
        graft_profile_print(profile);
    }
    return GRAFT_EXIT_DONE;
}

static int bench_device(struct graft_command *command, const struct request *request, const char *device)
{
    struct bench bench = {.command = command, .request = request};
    struct graft_profile profile = {0};
    enum graft_status status = graft_device_open(command->context, device, &bench.device);
    if (status != GRAFT_OK) {
        return graft_command_failed_name(command, status);
    }
    status = open_bench(&bench);
    if (status == GRAFT_OK) {
        status = run_rounds(&bench);
    }
    if (status == GRAFT_OK && request->profile) {
        status = graft_profile_measure(plan_of(&bench), request->train, 5, &profile);
    }
    const int code = status == GRAFT_OK ? print_result(&bench, request->profile ? &profile : NULL)
                                        : graft_command_failed(command, status);
    graft_profile_close(&profile);
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
        {"--batch", "N", "pictures at a time", GRAFT_OPTION_INTEGER, &request.batch, 1, 65536},
        {"--input", "SIDE", "side of the pictures", GRAFT_OPTION_INTEGER, &request.input, 1, 8192},
        {"--train", NULL, "training steps instead of inference", GRAFT_OPTION_FLAG, &request.train, 0, 0},
        {"--profile", NULL, "time of each layer", GRAFT_OPTION_FLAG, &request.profile, 0, 0},
        {"--rounds", "N", "at least so many rounds (5)", GRAFT_OPTION_INTEGER, &request.rounds, 1,
         MAX_ROUNDS},
        {"--seconds", "S", "for at least so long (2)", GRAFT_OPTION_REAL, &request.seconds, 0, 3600},
        {"--memory", "BYTES", "take no more, computing less at a time: 512M, 2G", GRAFT_OPTION_BYTES,
         &request.memory, 0, 0},
        {"--variants", "LIST", "force algorithms: conv2d=reference,matmul=...", GRAFT_OPTION_TEXT,
         &request.variants, 0, 0},
    };
    const struct graft_model_info *info = NULL;
    const int done = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    if ((request.model != NULL) == (request.op != NULL)) {
        return graft_command_usage(command, "bench takes either --model or --op");
    }
    if (request.op != NULL) {
        return graft_command_bench_op(command, request.op);
    }
    const enum graft_status status = graft_model_find(command->context, request.model, &info);
    return status == GRAFT_OK ? run_devices(command, &request) : graft_command_failed_name(command, status);
}

const struct graft_verb graft_verb_bench = {
    .name = "bench",
    .operands = "",
    .purpose = "measures images per second, GFLOP/s and memory of a network or an op",
    .examples = "  graft bench --model resnet18                       one picture at a time\n"
                "  graft bench --model resnet18 --batch 16 --device cpu,opencl:0\n"
                "                                                     two devices\n"
                "  graft bench --model mobilenet_v2 --batch 32 --train\n"
                "                                                     steps of training\n"
                "  graft bench --model vgg16 --profile                layer by layer\n"
                "  graft bench --op conv2d --device cpu               an op, case by case\n",
    .cancels = true,
    .run = run,
};
