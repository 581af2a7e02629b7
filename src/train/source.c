/* SPDX-License-Identifier: MIT */
/* Batches for training and evaluation, from pictures or from cached features. */
#include "base/context.h"
#include "base/random.h"
#include "base/size.h"
#include "train/loss.h"
#include "train/share.h"

#include <string.h>

/* Memory for what training learns besides labels. */
static enum graft_status open_targets(const struct graft_fit_job *job, enum graft_split split, bool training,
                                      struct graft_fit_source *source)
{
    source->dataset = job->dataset;
    source->split = split;
    source->target = &job->card.target;
    if (!training || graft_loss_kind(job->loss)->labels)
        return GRAFT_OK;
    source->targets = graft_allocate(job->context, (size_t)source->batch + 1,
                                     (size_t)job->card.class_count * sizeof *source->targets);
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
    enum graft_status status = open_targets(job, split, training, source);
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

static enum graft_split split_of(const struct graft_fit_job *job, const struct graft_features *features)
{
    int split = GRAFT_SPLIT_COUNT - 1;
    while (split > 0 && features != &job->features[split])
        split--;
    return (enum graft_split)split;
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
    source->samples = graft_allocate(job->context, (size_t)batch, sizeof *source->samples);
    enum graft_status status = source->order && source->rows && source->labels && source->samples
                                   ? GRAFT_OK
                                   : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = open_targets(job, split_of(job, features), training, source);
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
    graft_release(source->context, source->samples);
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

/* Of a picture that was mixed with the one before it both count, by their shares; numbers are in deviations. */
static void set_targets(struct graft_fit_source *source, struct graft_fit_batch *batch)
{
    const struct graft_target *const target = source->target;
    if (!source->targets || batch->valid == 0)
        return;
    const int64_t classes = graft_dataset_class_count(source->dataset);
    for (int64_t row = 0; row < batch->valid; row++) {
        float *const targets = source->targets + row * classes;
        graft_dataset_targets(source->dataset, source->split, batch->samples[row], targets);
        for (int64_t c = 0; c < classes && target->task == GRAFT_TASK_NUMBER; c++)
            targets[c] = (float)(((double)targets[c] - target->mean) / target->deviation);
    }
    float *const last = source->targets + source->batch * classes;
    memcpy(last, source->targets + (batch->valid - 1) * classes, (size_t)classes * sizeof *last);
    for (int64_t row = batch->valid - 1; row >= 0 && batch->share != 1; row--) { /* the one before is as it was */
        float *const own = source->targets + row * classes, *const other = row > 0 ? own - classes : last;
        for (int64_t c = 0; c < classes; c++)
            own[c] = (float)(batch->share * (double)own[c] + (1 - batch->share) * (double)other[c]);
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
        .rows = source->rows, .labels = source->labels, .samples = source->samples, .share = 1,
        .number = graft_ceil_div(source->next, source->batch)};
    if (here <= 0)
        return GRAFT_OK;
    batch->valid = source->shuffle ? graft_part_of(here, source->part, source->parts, &first) : here;
    for (int64_t row = 0; row < source->batch && batch->valid > 0; row++) {
        const int64_t from = source->order[source->next + first + row % batch->valid];
        source->rows[row] = features->rows + (uint64_t)from * features->row_bytes;
        source->labels[row] = features->labels[from];
        source->samples[row] = features->samples[from];
    }
    source->next += here;
    set_targets(source, batch);
    return GRAFT_OK;
}
