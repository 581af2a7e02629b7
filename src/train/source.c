/* SPDX-License-Identifier: MIT */
/* Batches for training and evaluation, from pictures or from cached features. */
#include "base/context.h"
#include "base/random.h"
#include "base/size.h"
#include "train/loss.h"
#include "train/share.h"

#include <string.h>

/* Memory for what training learns besides labels. */
static enum graft_status open_targets(const struct graft_fit_job *job, bool training, struct graft_fit_source *source)
{
    if (!training || graft_loss_kind(job->loss)->labels)
        return GRAFT_OK;
    source->classes = job->card.class_count;
    source->targets = graft_allocate(job->context, (size_t)source->batch,
                                     (size_t)source->classes * sizeof *source->targets);
    return source->targets ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

enum graft_status graft_fit_source_open_pictures(struct graft_fit_job *job, enum graft_split split,
                                                 int64_t batch, bool training,
                                                 struct graft_fit_source *source)
{
    const int64_t pictures = graft_dataset_count(job->dataset, split);
    const int parts = training ? graft_ranks_count(job->ranks) : graft_fit_parts(job, pictures);
    const struct graft_loader_options options = {.split = split,
                                                 .batch = (int32_t)batch,
                                                 .shuffle = training,
                                                 .balanced = training && job->balanced,
                                                 .seed = (uint64_t)job->options.seed,
                                                 .transforms =
                                                     training && job->varied.count > 0 ? &job->varied : NULL,
                                                 .mix = training ? job->mix : (struct graft_mix){0},
                                                 .skip_damaged = job->options.skip_damaged,
                                                 .ahead = graft_fit_ahead(job, batch),
                                                 .keep_limit = training ? graft_fit_keep_limit(job) : 0,
                                                 .part = parts > 1 ? graft_ranks_number(job->ranks) : 0,
                                                 .parts = parts};
    *source = (struct graft_fit_source){.context = job->context, .batch = batch, .shuffle = training};
    enum graft_status status = open_targets(job, training, source);
    if (status == GRAFT_OK)
        status = graft_loader_open(job->context, job->dataset, &job->card.preprocess, &options, &source->loader);
    if (status != GRAFT_OK)
        graft_fit_source_close(source);
    return status;
}

static int32_t label_of(const void *user, int64_t index)
{
    return ((const struct graft_features *)user)->labels[index];
}

enum graft_status graft_fit_source_open_features(struct graft_fit_job *job,
                                                 const struct graft_features *features, int64_t batch,
                                                 bool training, struct graft_fit_source *source)
{
    *source = (struct graft_fit_source){.context = job->context,
                                        .features = features,
                                        .batch = batch,
                                        .shuffle = training,
                                        .parts = training ? graft_ranks_count(job->ranks)
                                                          : graft_fit_parts(job, features->count),
                                        .seed = (uint64_t)job->options.seed};
    source->part = graft_ranks_number(job->ranks) % source->parts;
    source->order = graft_allocate(job->context, (size_t)features->count, sizeof *source->order);
    source->rows = graft_allocate(job->context, (size_t)batch, sizeof *source->rows);
    source->labels = graft_allocate(job->context, (size_t)batch, sizeof *source->labels);
    enum graft_status status =
        source->order && source->rows && source->labels ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK && training && job->balanced)
        status = graft_balance_open(job->context, features->count, job->card.class_count, label_of, features,
                                    &source->balance);
    if (status != GRAFT_OK)
        graft_fit_source_close(source);
    return status;
}

void graft_fit_source_close(struct graft_fit_source *source)
{
    graft_loader_close(&source->loader);
    graft_release(source->context, source->order);
    graft_balance_close(source->context, &source->balance);
    graft_release(source->context, source->rows);
    graft_release(source->context, source->labels);
    graft_release(source->context, source->targets);
    *source = (struct graft_fit_source){.context = source->context};
}

int64_t graft_fit_source_batches(const struct graft_fit_source *source)
{
    return source->loader ? graft_loader_batches(source->loader)
                          : (source->features->count + source->batch - 1) / source->batch;
}

enum graft_status graft_fit_source_start(struct graft_fit_source *source, int64_t epoch, int64_t first_batch)
{
    if (source->loader)
        return graft_loader_start(source->loader, epoch, first_batch);
    const int64_t count = source->features->count;
    struct graft_random random; /* each epoch has its own stream */
    graft_random_start(&random, source->seed, graft_hash_text("features.order") + (uint64_t)epoch);
    for (int64_t i = 0; i < count && !source->shuffle; i++)
        source->order[i] = i;
    if (source->shuffle && source->balance.classes > 0)
        graft_balance_draw(&source->balance, &random, source->order, count);
    else if (source->shuffle)
        graft_order_shuffle(&random, source->order, count);
    int64_t first = 0;
    source->end = source->shuffle ? count : graft_part_of(count, source->part, source->parts, &first);
    source->end += first;
    source->next = first + first_batch * source->batch;
    return GRAFT_OK;
}

/* Each class's share in a picture that was mixed with the one before it. */
static void set_targets(struct graft_fit_source *source, struct graft_fit_batch *batch)
{
    if (!source->targets)
        return;
    memset(source->targets, 0, (size_t)(source->batch * source->classes) * sizeof *source->targets);
    for (int64_t row = 0; row < batch->valid; row++) {
        float *const shares = source->targets + row * source->classes;
        shares[batch->labels[row]] += (float)batch->share;
        shares[batch->labels[row > 0 ? row - 1 : batch->valid - 1]] += (float)(1 - batch->share);
    }
    batch->targets = source->targets;
}

enum graft_status graft_fit_source_next(struct graft_fit_source *source, struct graft_fit_batch *batch)
{
    *batch = (struct graft_fit_batch){0};
    if (source->loader) {
        const enum graft_status status = graft_runner_next_pictures(source->loader, batch);
        if (status == GRAFT_OK)
            set_targets(source, batch);
        return status;
    }
    const struct graft_features *const features = source->features;
    const int64_t here = graft_min_i64(source->batch, source->end - source->next);
    int64_t first = 0;
    *batch = (struct graft_fit_batch){
        .rows = source->rows, .labels = source->labels, .number = graft_ceil_div(source->next, source->batch)};
    if (here <= 0)
        return GRAFT_OK;
    batch->valid = source->shuffle ? graft_part_of(here, source->part, source->parts, &first) : here;
    for (int64_t row = 0; row < source->batch && batch->valid > 0; row++) {
        const int64_t from = source->order[source->next + first + row % batch->valid];
        source->rows[row] = features->rows + (uint64_t)from * features->row_bytes;
        source->labels[row] = features->labels[from];
    }
    source->next += here;
    return GRAFT_OK;
}
