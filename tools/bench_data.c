/* SPDX-License-Identifier: MIT */
/* graft bench --data: how fast pictures are decoded, and decoded and prepared, without a network. */
#include "bench_data.h"

#include "base/clock.h"
#include "base/context.h"
#include "graft/data.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define BATCH 32

/* What is measured: pictures of the training part, over and over. */
struct pass {
    const char *name;  /* of the JSON member */
    const char *shown; /* in the table */
    bool decode_only;
    bool scaled; /* as fit --decode scaled */
    int64_t pictures, bad;
    double seconds;
};

struct bench_data {
    struct graft_command *command;
    const struct graft_bench_data *request;
    struct graft_dataset *dataset;
    struct graft_preprocess preprocess;
    struct graft_transforms varied;
    struct graft_mix mix;
};

static void look(void *user, int64_t sample, const struct graft_image *picture)
{
    (void)user;
    (void)sample;
    (void)picture;
}

/* Whole epochs for at least the seconds asked for, after a batch that is not counted. */
static enum graft_status measure(const struct bench_data *bench, struct pass *pass)
{
    const bool decode_only = pass->decode_only;
    struct graft_preprocess preprocess = bench->preprocess;
    preprocess.scaled = pass->scaled;
    const struct graft_loader_options options = {.split = GRAFT_SPLIT_TRAIN,
                                                 .batch = BATCH,
                                                 .seed = (uint64_t)bench->command->seed,
                                                 .transforms = &bench->varied,
                                                 .mix = decode_only ? (struct graft_mix){0} : bench->mix,
                                                 .keep_damaged = true,
                                                 .look = decode_only ? look : NULL};
    struct graft_loader *loader = NULL;
    struct graft_batch batch;
    double begin = 0;
    int64_t epoch = 0;
    enum graft_status status =
        graft_loader_open(bench->command->context, bench->dataset, &preprocess, &options, &loader);
    if (status == GRAFT_OK) {
        status = graft_loader_next(loader, &batch);
        begin = graft_seconds();
    }
    while (status == GRAFT_OK &&
           (epoch < (pass->pictures == 0 ? 2 : 1) || pass->seconds < bench->request->seconds)) {
        status = graft_loader_next(loader, &batch);
        if (status == GRAFT_OK && batch.valid == 0) {
            status = graft_loader_start(loader, ++epoch, 0);
        } else if (status == GRAFT_OK) {
            for (int32_t i = 0; i < batch.valid; i++) {
                pass->bad += batch.notes[i].status != GRAFT_OK;
            }
            pass->pictures += batch.valid;
        }
        pass->seconds = graft_seconds() - begin;
        graft_command_progress(bench->command, "%s: %lld pictures", pass->shown, (long long)pass->pictures);
    }
    graft_command_progress_end(bench->command);
    graft_loader_close(&loader);
    return status;
}

static int print_passes(const struct bench_data *bench, const struct pass *passes, int count)
{
    json_t *const document = bench->command->json ? json_object() : NULL;
    for (int i = 0; i < count; i++) {
        const double rate = (double)passes[i].pictures / passes[i].seconds;
        if (bench->command->json) {
            graft_json_add_member(document, passes[i].name, json_real(rate));
        } else {
            printf("%-22s %9.1f pictures/s\n", passes[i].shown, rate);
        }
    }
    return bench->command->json ? graft_json_print(bench->command, document) : GRAFT_EXIT_DONE;
}

static enum graft_status prepare(struct bench_data *bench)
{
    struct graft_context *const context = bench->command->context;
    const int32_t side = bench->request->input[0] > 0 ? (int32_t)bench->request->input[0] : 224;
    const int32_t width = (int32_t)bench->request->input[1];
    bench->preprocess = graft_preprocess_imagenet();
    bench->preprocess.crop_height = side;
    bench->preprocess.crop_width = width > 0 ? width : side;
    bench->preprocess.transforms = graft_transforms_usual(width > 0 ? 0 : side * 8 / 7, GRAFT_FILTER_BILINEAR);
    bench->varied = bench->preprocess.transforms;
    return bench->request->augment == NULL
               ? GRAFT_OK
               : graft_augment_parse(context, bench->request->augment, &bench->preprocess, &bench->varied,
                                     &bench->mix);
}

int graft_command_bench_data(struct graft_command *command, const struct graft_bench_data *request)
{
    struct bench_data bench = {.command = command, .request = request};
    const struct graft_dataset_options options = {.keep_damaged = true, .val_fraction = -1};
    struct pass passes[] = {
        {.name = "decoded_per_second", .shown = "decoded", .decode_only = true},
        {.name = "prepared_per_second", .shown = "decoded and prepared"},
        {.name = "scaled_decoded_per_second", .shown = "decoded, scaled", .decode_only = true, .scaled = true},
        {.name = "scaled_prepared_per_second", .shown = "  and prepared", .scaled = true}};
    const int count = (int)(sizeof passes / sizeof passes[0]);
    char shown[GRAFT_NAME_SHOWN];
    enum graft_status status = prepare(&bench);
    if (status != GRAFT_OK) {
        return graft_command_failed_name(command, status);
    }
    status = graft_dataset_open(command->context, request->data, &options, &bench.dataset);
    for (int i = 0; i < count && status == GRAFT_OK; i++) {
        status = measure(&bench, &passes[i]);
    }
    graft_dataset_close(&bench.dataset);
    if (status != GRAFT_OK) {
        return graft_command_failed(command, status);
    }
    return passes[0].bad > 0
               ? graft_command_error(command, "%s has pictures that cannot be read; `graft check` lists them",
                                     graft_show_name(request->data, shown))
               : print_passes(&bench, passes, count);
}
