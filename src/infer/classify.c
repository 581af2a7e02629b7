/* SPDX-License-Identifier: MIT */
/* What a classifier says: of pictures in memory, in files, in data sets. */
#include "infer/classifier.h"

#include "base/clock.h"
#include "base/context.h"
#include "data/dataset.h"
#include "data/fault.h"
#include "data/preprocess.h"
#include "graft/weights.h"
#include "infer/runner.h"
#include "infer/views.h"

#include <math.h>
#include <string.h>

/* The first variable that holds something not finite; NULL if there is none, or no memory to look. */
static const char *broken_variable(struct graft_classifier *classifier)
{
    struct graft_desc desc;
    const char *name;
    for (int i = 0; (name = graft_variables_at(classifier->variables, i, &desc, NULL)) != NULL; i++) {
        const int64_t count = graft_shape_count(&desc.shape);
        float *const values = desc.dtype == GRAFT_DTYPE_F32
                                  ? graft_allocate(classifier->context, (size_t)count, sizeof *values)
                                  : NULL;
        bool broken = false;
        if (values &&
            graft_variables_read(classifier->variables, name, values, graft_desc_bytes(&desc)) == GRAFT_OK)
            for (int64_t k = 0; k < count && !broken; k++)
                broken = !isfinite(values[k]);
        graft_release(classifier->context, values);
        if (broken)
            return name;
    }
    return NULL;
}

static enum graft_status check_finite(struct graft_classifier *classifier, const float *values, int64_t count)
{
    int64_t bad = 0;
    while (bad < count && isfinite(values[bad]))
        bad++;
    if (bad == count)
        return GRAFT_OK;
    const char *const name = broken_variable(classifier);
    return name ? graft_fail(classifier->context, GRAFT_ERROR_NUMERIC,
                             "the network's output is not finite: its weights \"%s\" hold NaN or infinity",
                             name)
                : graft_fail(classifier->context, GRAFT_ERROR_NUMERIC,
                             "the network's output is not finite (number %lld of a picture's): the weights "
                             "are damaged or of another network",
                             (long long)(bad % classifier->width));
}

/* [h·w, c] → [c] */
static void pool_row(const struct graft_classifier *classifier, const float *row, float *result)
{
    const int64_t channels = classifier->width;
    const int64_t places = classifier->shape.dim[1] * classifier->shape.dim[2];
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        float most = row[c];
        for (int64_t i = 0; i < places; i++) {
            sum += (double)row[i * channels + c];
            most = fmaxf(most, row[i * channels + c]);
        }
        result[c] = classifier->pool == GRAFT_MODEL_POOL_AVG ? (float)(sum / (double)places) : most;
    }
}

/* A row as the network gives it → [width]. */
static void shape_row(const struct graft_classifier *classifier, const float *row, float *result)
{
    if (classifier->pool == GRAFT_MODEL_POOL_NONE)
        memcpy(result, row, (size_t)classifier->width * sizeof *row);
    else
        pool_row(classifier, row, result);
}

enum graft_status graft_classifier_run(struct graft_classifier *classifier, const uint8_t *pixels,
                                       int64_t count, float *values)
{
    const struct graft_model *const model = classifier->model;
    if (count < 1 || count > model->batch)
        return graft_fail(classifier->context, GRAFT_ERROR_ARGUMENT, "1..%lld pictures at a time, not %lld",
                          (long long)model->batch, (long long)count);
    const uint64_t bytes = (uint64_t)model->batch * classifier->image_bytes;
    const int64_t columns = graft_shape_count(&classifier->shape) / model->batch;
    const uint8_t *input = pixels;
    if (count < model->batch && pixels != classifier->pixels) {
        memcpy(classifier->pixels, pixels, (size_t)((uint64_t)count * classifier->image_bytes));
        input = classifier->pixels;
    }
    enum graft_status status = graft_plan_write(classifier->plan, model->input, input, bytes);
    if (status == GRAFT_OK)
        status = graft_plan_run(classifier->plan, GRAFT_SEGMENT_COMPUTE);
    if (status == GRAFT_OK)
        status = graft_plan_read(classifier->plan, classifier->output, classifier->values,
                                 (uint64_t)graft_shape_count(&classifier->shape) * sizeof(float));
    for (int64_t i = 0; i < count && status == GRAFT_OK; i++)
        shape_row(classifier, classifier->values + i * columns, values + i * classifier->width);
    return status == GRAFT_OK ? check_finite(classifier, values, count * classifier->width) : status;
}

enum graft_status graft_classifier_image(struct graft_classifier *classifier, const struct graft_image *image,
                                         float *values)
{
    const enum graft_status status =
        graft_preprocess_image(classifier->context, &classifier->card.preprocess, image, classifier->pixels);
    return status == GRAFT_OK ? graft_classifier_run(classifier, classifier->pixels, 1, values) : status;
}

enum graft_status graft_classifier_encoded(struct graft_classifier *classifier, const void *data, size_t size,
                                           const char *name, float *values)
{
    const struct graft_preprocess *const p = &classifier->card.preprocess;
    const struct graft_decode_options options = graft_preprocess_decoding(p, &p->transforms);
    struct graft_image image;
    enum graft_status status = graft_image_decode(classifier->context, data, size,
                                                  name ? name : "a picture in memory", &options, &image);
    if (status == GRAFT_OK)
        status = graft_classifier_image(classifier, &image, values);
    graft_image_close(classifier->context, &image);
    return status;
}

enum graft_status graft_classifier_file(struct graft_classifier *classifier, const char *path, float *values)
{
    const enum graft_status status =
        graft_preprocess_file(classifier->context, &classifier->card.preprocess, path, classifier->pixels);
    return status == GRAFT_OK ? graft_classifier_run(classifier, classifier->pixels, 1, values) : status;
}

/* ---- many pictures */

struct run {
    struct graft_classifier *classifier;
    graft_classified_function *function;
    void *user;
    enum graft_split split;
    int32_t views; /* rows of a picture; 1: as they come */
    int32_t seen;  /* of them */
    double *sums;  /* [classes] of probabilities, with several views */
};

/* A row of a picture's views: the last one makes the picture's. */
static void add_view(struct run *run, float *shaped)
{
    const int32_t classes = (int32_t)run->classifier->width;
    if (run->seen == 0)
        memset(run->sums, 0, (size_t)classes * sizeof *run->sums);
    graft_views_add(shaped, classes, run->sums);
    if (run->seen + 1 == run->views)
        graft_views_mean(run->sums, classes, run->views, shaped);
}

static enum graft_status take(void *user, const struct graft_runner_row *row)
{
    struct run *const run = user;
    struct graft_classifier *const classifier = run->classifier;
    float *const shaped = classifier->values + graft_shape_count(&classifier->shape);
    const struct graft_classified classified = {.split = run->split,
                                                .index = row->sample,
                                                .label = row->label,
                                                .status = row->note.status,
                                                .note = row->note.text,
                                                .values = row->values ? shaped : NULL};
    if (row->values) {
        shape_row(classifier, row->values, shaped);
        const enum graft_status status = check_finite(classifier, shaped, classifier->width);
        if (status != GRAFT_OK)
            return status;
        if (run->views > 1)
            add_view(run, shaped);
    }
    run->seen = (run->seen + 1) % run->views;
    return run->seen == 0 ? run->function(run->user, &classified) : GRAFT_OK;
}

static enum graft_status run_once(const struct graft_dataset *dataset, struct graft_runner *runner,
                                  const struct run *run)
{
    struct graft_classifier *const classifier = run->classifier;
    const struct graft_loader_options options = {
        .split = run->split, .batch = (int32_t)classifier->model->batch, .keep_damaged = true};
    struct graft_loader *loader = NULL;
    enum graft_status status =
        graft_loader_open(classifier->context, dataset, &classifier->card.preprocess, &options, &loader);
    runner->next = graft_runner_next_pictures;
    runner->source = loader;
    if (status == GRAFT_OK)
        status = graft_runner_run(runner);
    graft_loader_close(&loader);
    return status;
}

static enum graft_status run_views(const struct graft_dataset *dataset, struct graft_runner *runner,
                                   struct run *run)
{
    struct graft_classifier *const classifier = run->classifier;
    struct graft_views_source source;
    run->sums = graft_allocate(classifier->context, (size_t)classifier->width, sizeof *run->sums);
    if (!run->sums)
        return GRAFT_ERROR_MEMORY;
    enum graft_status status =
        graft_views_open(classifier->context, dataset, &classifier->card.preprocess, run->split,
                         classifier->views, classifier->model->batch, &source);
    if (status == GRAFT_OK) {
        runner->next = graft_views_next;
        runner->source = &source;
        status = graft_runner_run(runner);
        graft_views_close(&source);
    }
    graft_release(classifier->context, run->sums);
    return status;
}

enum graft_status graft_classifier_dataset(struct graft_classifier *classifier,
                                           const struct graft_dataset *dataset, enum graft_split split,
                                           graft_classified_function *function, void *user)
{
    struct run run = {.classifier = classifier,
                      .function = function,
                      .user = user,
                      .split = split,
                      .views = graft_views_count(classifier->views)};
    struct graft_runner runner = {.context = classifier->context,
                                  .model = classifier->model,
                                  .plan = classifier->plan,
                                  .value = classifier->output,
                                  .take = take,
                                  .user = &run};
    return run.views > 1 ? run_views(dataset, &runner, &run) : run_once(dataset, &runner, &run);
}

enum graft_status graft_classifier_files(struct graft_classifier *classifier, const char *const *paths,
                                         int64_t count, graft_classified_function *function, void *user)
{
    struct graft_dataset *files = NULL;
    enum graft_status status = graft_dataset_open_files(classifier->context, paths, count, &files);
    if (status == GRAFT_OK)
        status = graft_classifier_dataset(classifier, files, GRAFT_SPLIT_TRAIN, function, user);
    graft_dataset_close(&files);
    return status;
}

/* ---- evaluation */

struct measure {
    struct graft_context *context;
    struct graft_evaluation *evaluation;
    const struct graft_evaluate_options *options;
    const struct graft_dataset *dataset;
    float *targets; /* of a picture; NULL: labels */
    int64_t total;
    double begin;
};

static void show_progress(const struct measure *measure)
{
    const double seconds = graft_seconds() - measure->begin;
    struct graft_progress now = {.phase = "evaluation",
                                 .done = measure->evaluation->images,
                                 .total = measure->total,
                                 .loss = (double)NAN,
                                 .accuracy = (double)NAN};
    now.images_per_second = (double)now.done / seconds;
    now.seconds_left = (double)(now.total - now.done) / now.images_per_second;
    measure->options->progress(measure->options->progress_user, &now);
}

static enum graft_status add_figures(const struct measure *measure, const struct graft_classified *classified)
{
    struct graft_evaluation *const evaluation = measure->evaluation;
    if (measure->targets) {
        graft_dataset_targets(measure->dataset, classified->split, classified->index, measure->targets);
        graft_evaluation_add_targets(evaluation, classified->values, measure->targets);
        return GRAFT_OK;
    }
    graft_evaluation_add(evaluation, classified->values, &classified->label, 1);
    return measure->options->predictions
               ? graft_predictions_add(measure->context, measure->options->predictions, classified->values,
                                       evaluation->classes, classified->label, (int)classified->split,
                                       classified->index)
               : GRAFT_OK;
}

static enum graft_status add_picture(void *user, const struct graft_classified *classified)
{
    const struct measure *const measure = user;
    const struct graft_evaluate_options *const options = measure->options;
    const bool read = classified->status == GRAFT_OK;
    enum graft_status status = GRAFT_OK;
    if (!read && !options->skip_damaged)
        return graft_fail(measure->context, classified->status, "%s" GRAFT_DAMAGED_ADVICE, classified->note);
    if (classified->note)
        graft_log(measure->context, GRAFT_LOG_WARNING, "%s: %s", read ? "suspect" : "left out",
                  classified->note);
    if (read) {
        status = add_figures(measure, classified);
        if (status == GRAFT_OK && options->each)
            status = options->each(options->each_user, classified);
    }
    if (options->progress)
        show_progress(measure);
    return status;
}

static enum graft_status check_evaluable(const struct graft_classifier *classifier,
                                         const struct graft_dataset *dataset)
{
    const int32_t classes = classifier->card.class_count;
    if (graft_dataset_class_count(dataset) != classes)
        return graft_fail(classifier->context, GRAFT_ERROR_ARGUMENT,
                          "the data has %d classes, the network %d", graft_dataset_class_count(dataset),
                          classes);
    if (classifier->output != classifier->model->logits)
        return graft_fail(
            classifier->context, GRAFT_ERROR_ARGUMENT,
            "a classifier that was opened for another output than the logits cannot be evaluated");
    const char *const task = graft_task_info(classifier->card.target.task)->name;
    const char *const other = graft_task_info(graft_dataset_task(dataset))->name;
    return strcmp(task, other) == 0 ? GRAFT_OK
                                    : graft_fail(classifier->context, GRAFT_ERROR_ARGUMENT,
                                                 "the network has learnt %s, and the data have %s", task, other);
}

enum graft_status graft_classifier_evaluate(struct graft_classifier *classifier,
                                            const struct graft_dataset *dataset,
                                            const struct graft_evaluate_options *options,
                                            struct graft_evaluation *evaluation)
{
    static const struct graft_evaluate_options none;
    struct graft_context *const context = classifier->context;
    struct measure measure = {.context = context,
                              .evaluation = evaluation,
                              .options = options ? options : &none,
                              .dataset = dataset,
                              .begin = graft_seconds()};
    const enum graft_split split = measure.options->split;
    const int first = split == GRAFT_SPLIT_COUNT ? 0 : (int)split;
    const int end = split == GRAFT_SPLIT_COUNT ? GRAFT_SPLIT_COUNT : first + 1;
    *evaluation = (struct graft_evaluation){0};
    enum graft_status status = check_evaluable(classifier, dataset);
    if (status != GRAFT_OK)
        return status;
    for (int s = first; s < end; s++)
        measure.total += graft_dataset_count(dataset, (enum graft_split)s);
    status = graft_evaluation_open_target(context, &classifier->card.target, classifier->card.class_count,
                                          measure.total, evaluation);
    if (status == GRAFT_OK && evaluation->values) {
        measure.targets = graft_allocate(context, (size_t)evaluation->classes, sizeof *measure.targets);
        status = measure.targets ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    for (int s = first; s < end && status == GRAFT_OK; s++)
        if (graft_dataset_count(dataset, (enum graft_split)s) > 0)
            status =
                graft_classifier_dataset(classifier, dataset, (enum graft_split)s, add_picture, &measure);
    graft_release(context, measure.targets);
    if (status == GRAFT_OK && evaluation->images == 0)
        status = graft_dataset_unreadable(dataset, split);
    if (status == GRAFT_OK) {
        graft_evaluation_finish(evaluation);
        evaluation->seconds = graft_seconds() - measure.begin;
    } else {
        graft_evaluation_close(context, evaluation);
    }
    return status;
}
