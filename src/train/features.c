/* SPDX-License-Identifier: MIT */
/* The features of a frozen trunk are computed once and kept in host memory. */
#include "base/clock.h"
#include "base/context.h"
#include "base/size.h"
#include "train/share.h"
#include "infer/inference.h"

#include <math.h>
#include <string.h>

void graft_features_close(struct graft_context *context, struct graft_features *features)
{
    graft_release(context, features->cut);
    graft_release(context, features->rows);
    graft_release(context, features->labels);
    graft_release(context, features->samples);
    *features = (struct graft_features){0};
}

/* The trunk before `cut`, ready to run. */
struct trunk {
    struct graft_model *model;
    struct graft_plan *plan;
};

static enum graft_status open_trunk(struct graft_fit_job *job, const char *cut, struct trunk *trunk)
{
    const struct graft_preprocess *const p = &job->card.preprocess;
    const struct graft_model_options options = {.batch = job->options.batch,
                                                .height = p->crop_height,
                                                .width = p->crop_width,
                                                .classes = job->card.class_count,
                                                .part = GRAFT_MODEL_BEFORE,
                                                .cut = cut,
                                                .input_u8 = true,
                                                .mean = p->mean,
                                                .std = p->std};
    enum graft_status status =
        graft_model_open_network(job->context, job->source.network, &options, &trunk->model);
    return status;
}

/* Bytes for all features; what is beyond what can be had is not kept. */
static uint64_t limit_of(const struct graft_fit_job *job)
{
    return graft_min_u64(job->options.features_limit, graft_fit_free_bytes(job) / 2);
}

static enum graft_status plan_trunk(struct graft_fit_job *job, struct trunk *trunk, uint64_t features)
{
    const uint64_t reserve = graft_fit_reserve(job, false);
    const struct graft_inference inference = {.device = job->device,
                                              .variables = job->variables,
                                              .options = &job->plan_options,
                                              .reserve = reserve > 0 ? reserve + features : 0};
    return graft_inference_open(&inference, &trunk->model, &trunk->plan);
}

static void close_trunk(struct trunk *trunk)
{
    graft_plan_close(&trunk->plan);
    graft_model_close(&trunk->model);
}

static void report(const struct graft_fit_job *job, int64_t done, int64_t total, double seconds)
{
    if (!job->call.progress)
        return;
    struct graft_progress now = {.phase = "features",
                                 .stage = job->position.stage,
                                 .done = done,
                                 .total = total,
                                 .loss = (double)NAN,
                                 .accuracy = (double)NAN};
    now.images_per_second = (double)done / seconds;
    now.seconds_left = (double)(total - done) / now.images_per_second;
    job->call.progress(job->call.user, &now);
}

/* A run over one split. */
struct computation {
    struct graft_fit_job *job;
    struct graft_features *features;
    enum graft_split split;
    struct graft_fit_rows rows;
    int64_t *done; /* pictures of all splits */
    int64_t total;
    double begin;
};

static enum graft_status next_batch(void *source, struct graft_fit_batch *batch)
{
    return graft_fit_source_next(source, batch);
}

static void keep_row(void *user, const void *values, int32_t sample)
{
    const struct computation *const computation = user;
    struct graft_features *const features = computation->features;
    features->labels[features->count] = graft_dataset_label(computation->job->dataset, computation->split, sample);
    features->samples[features->count] = sample;
    memcpy(features->rows + (uint64_t)features->count * features->row_bytes, values, (size_t)features->row_bytes);
    features->count++;
}

static enum graft_status take_row(void *user, const struct graft_runner_row *row)
{
    struct computation *const computation = user;
    if (computation->rows.shared)
        graft_fit_rows_add(&computation->rows, row->values, (int32_t)row->sample);
    else
        keep_row(user, row->values, (int32_t)row->sample);
    *computation->done += computation->rows.shared ? graft_ranks_count(computation->job->ranks) : 1;
    return GRAFT_OK;
}

static void report_batch(void *user)
{
    const struct computation *const computation = user;
    report(computation->job, *computation->done, computation->total, graft_seconds() - computation->begin);
}

/* Runs the trunk over one split. */
static enum graft_status compute(struct trunk *trunk, enum graft_split split, struct computation *computation)
{
    struct graft_fit_job *const job = computation->job;
    struct graft_context *const context = job->context;
    struct graft_features *const features = computation->features;
    const int64_t capacity = graft_dataset_count(job->dataset, split);
    const struct graft_desc *const desc = graft_graph_desc(trunk->model->graph, trunk->model->features);
    struct graft_fit_source source = {.context = context};
    features->row_bytes = graft_desc_bytes(desc) / (uint64_t)trunk->model->batch;
    features->rows = graft_allocate_raw(context, (size_t)capacity, (size_t)features->row_bytes);
    features->labels = graft_allocate(context, (size_t)capacity, sizeof *features->labels);
    features->samples = graft_allocate(context, (size_t)capacity, sizeof *features->samples);
    enum graft_status status =
        features->rows && features->labels && features->samples ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = graft_fit_source_open_pictures(job, split, trunk->model->batch, false, &source);
    const struct graft_runner runner = {.context = context,
                                        .model = trunk->model,
                                        .plan = trunk->plan,
                                        .value = trunk->model->features,
                                        .next = next_batch,
                                        .source = &source,
                                        .take = take_row,
                                        .batch_done = report_batch,
                                        .user = computation};
    if (status == GRAFT_OK)
        status = graft_fit_rows_open(job, split, features->row_bytes, &computation->rows);
    if (status == GRAFT_OK)
        status = graft_runner_run(&runner);
    if (status == GRAFT_OK)
        status = graft_fit_rows_share(job, &computation->rows, keep_row, computation);
    graft_fit_rows_close(job, &computation->rows);
    graft_fit_source_close(&source);
    return status;
}

/* More than can be kept. */
static enum graft_status do_without(const struct graft_fit_job *job, const char *cut, int64_t pictures, uint64_t need,
                                    uint64_t limit)
{
    const double mib = 1048576;
    if (strcmp(job->options.cache, "always") == 0)
        return graft_fail(job->context, GRAFT_ERROR_MEMORY,
                          "--cache always: the features of %lld pictures before stage %s need %.1f MiB, more than the %.1f "
                          "MiB allowed: allow more with --features-limit (or --memory), or leave --cache out",
                          (long long)pictures, cut, (double)need / mib, (double)limit / mib);
    graft_log(job->context, GRAFT_LOG_REMARK,
              "the features of %lld pictures before stage %s need %.1f MiB, more than the %.1f MiB allowed "
              "(--features-limit): they are computed anew in every epoch, all pictures through the whole network",
              (long long)pictures, cut, (double)need / mib, (double)limit / mib);
    return GRAFT_OK;
}

enum graft_status graft_features_prepare(struct graft_fit_job *job, const char *cut, bool *cached)
{
    static const enum graft_split splits[] = {GRAFT_SPLIT_TRAIN, GRAFT_SPLIT_VAL};
    struct graft_features *const train = &job->features[GRAFT_SPLIT_TRAIN];
    *cached = true;
    if (train->cut && strcmp(train->cut, cut) == 0)
        return GRAFT_OK;
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++)
        graft_features_close(job->context, &job->features[s]);
    struct trunk trunk = {0};
    enum graft_status status = open_trunk(job, cut, &trunk);
    if (status == GRAFT_OK) {
        const uint64_t row = graft_desc_bytes(graft_graph_desc(trunk.model->graph, trunk.model->features)) /
                             (uint64_t)trunk.model->batch;
        const int64_t pictures = graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN) +
                                 graft_dataset_count(job->dataset, GRAFT_SPLIT_VAL);
        const uint64_t limit = limit_of(job);
        uint64_t need = 0;
        *cached = graft_multiply_u64(row, (uint64_t)pictures, &need) && need <= limit;
        status = graft_fit_agree(job, cached);
        const double begin = graft_seconds();
        int64_t done = 0;
        if (status == GRAFT_OK && *cached)
            status = plan_trunk(job, &trunk, need);
        else if (status == GRAFT_OK)
            status = do_without(job, cut, pictures, need, limit);
        for (int s = 0; s < 2 && status == GRAFT_OK && *cached; s++)
            if (graft_dataset_count(job->dataset, splits[s]) > 0) {
                struct computation computation = {.job = job,
                                                  .features = &job->features[splits[s]],
                                                  .split = splits[s],
                                                  .done = &done,
                                                  .total = pictures,
                                                  .begin = begin};
                status = compute(&trunk, splits[s], &computation);
            }
    }
    if (status == GRAFT_OK && *cached) {
        train->cut = graft_duplicate_text(job->context, cut);
        status = train->cut ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    close_trunk(&trunk);
    if (status != GRAFT_OK)
        for (int s = 0; s < GRAFT_SPLIT_COUNT; s++)
            graft_features_close(job->context, &job->features[s]);
    return status;
}
