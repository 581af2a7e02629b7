/* SPDX-License-Identifier: MIT */
/* A network with its weights on a device, ready to classify pictures. */
#include "backend/backend.h"
#include "base/clock.h"
#include "base/context.h"
#include "graft/train.h"
#include "graft/weights.h"
#include "train/card.h"
#include "train/inference.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct graft_classifier {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_plan *plan;
    struct graft_card card;
    uint8_t *pixels; /* one batch */
    float *logits;   /* one batch */
    uint64_t image_bytes;
};

/* A folder is a run: its best weights. */
static enum graft_status weights_path(struct graft_context *context,
                                      const struct graft_classifier_options *options, char *path, size_t size,
                                      bool *is_run)
{
    struct stat facts;
    *is_run = stat(options->network, &facts) == 0 && S_ISDIR(facts.st_mode);
    if (!*is_run && !options->weights) {
        const struct graft_model_info *info;
        if (strchr(options->network, '/'))
            return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "there is no run folder \"%s\"",
                              options->network);
        const enum graft_status status = graft_model_find(context, options->network, &info);
        return status != GRAFT_OK
                   ? status
                   : graft_fail(context, GRAFT_ERROR_ARGUMENT,
                                "%s needs weights: name a safetensors file with --weights", info->name);
    }
    const int length = *is_run && !options->weights
                           ? snprintf(path, size, "%s/model.safetensors", options->network)
                           : snprintf(path, size, "%s", options->weights);
    return length > 0 && (size_t)length < size
               ? GRAFT_OK
               : graft_fail(context, GRAFT_ERROR_ARGUMENT, "the path \"%s\" is too long", options->network);
}

/* How many classes weights without a card have: the first dimension of the network's last tensor. */
static enum graft_status count_classes(struct graft_context *context, const char *network,
                                       const struct graft_tensor_set *set, int64_t *classes)
{
    struct graft_model *model = NULL;
    const enum graft_status status = graft_model_open(context, network, NULL, &model);
    if (status != GRAFT_OK)
        return status;
    *classes = model->classes;
    for (int p = model->parameter_count - 1; p >= 0; p--) {
        const struct graft_model_parameter *const last = &model->parameters[p];
        if (last->state)
            continue;
        const struct graft_named_tensor *const tensor = graft_tensor_set_find(set, last->name);
        if (tensor && tensor->desc.shape.rank > 0 && tensor->desc.shape.dim[0] > 0)
            *classes = tensor->desc.shape.dim[0];
        break;
    }
    graft_model_close(&model);
    return GRAFT_OK;
}

/* Names "0", "1" … where the weights carry none. */
static enum graft_status number_classes(struct graft_classifier *classifier)
{
    struct graft_card *const card = &classifier->card;
    const int32_t classes = (int32_t)classifier->model->classes;
    if (card->class_count > 0)
        return card->class_count == classes
                   ? GRAFT_OK
                   : graft_fail(classifier->context, GRAFT_ERROR_FORMAT,
                                "the weights name %d classes, but have %d", card->class_count, classes);
    const char **const names = graft_allocate(classifier->context, (size_t)classes, sizeof *names);
    if (!names)
        return GRAFT_ERROR_MEMORY;
    card->class_names = names;
    card->class_count = classes;
    for (int32_t i = 0; i < classes; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        names[i] = graft_duplicate_text(classifier->context, text);
        if (!names[i])
            return GRAFT_ERROR_MEMORY;
    }
    return GRAFT_OK;
}

static enum graft_status open_model(struct graft_classifier *classifier, const char *network, int64_t batch,
                                    const struct graft_tensor_set *set)
{
    struct graft_context *const context = classifier->context;
    struct graft_card *const card = &classifier->card;
    const struct graft_model_info *info;
    int64_t classes = card->class_count;
    enum graft_status status = graft_model_find(context, network, &info);
    if (status == GRAFT_OK && classes == 0)
        status = count_classes(context, network, set, &classes);
    if (status == GRAFT_OK && !card->has_preprocess)
        status = graft_card_preprocess(context, info, 0, &card->preprocess);
    if (status != GRAFT_OK)
        return status;
    const struct graft_model_options options = {.batch = batch,
                                                .height = card->preprocess.crop_height,
                                                .width = card->preprocess.crop_width,
                                                .classes = classes,
                                                .input_u8 = true,
                                                .mean = card->preprocess.mean,
                                                .std = card->preprocess.std};
    status = graft_model_open(context, network, &options, &classifier->model);
    if (status == GRAFT_OK)
        status = graft_variables_open(classifier->device, &classifier->variables);
    if (status == GRAFT_OK)
        status = number_classes(classifier);
    return status;
}

static enum graft_status load(struct graft_classifier *classifier, const char *file,
                              const struct graft_tensor_set *set)
{
    struct graft_weights_report report;
    const enum graft_status status =
        graft_model_load_weights(classifier->model, classifier->variables, set, false, &report);
    if (status != GRAFT_OK)
        return graft_fail_prefix(classifier->context, status, "%s", file);
    if (report.unused > 0)
        graft_log(classifier->context, GRAFT_LOG_REMARK, "%s: %d tensors are not used: %s", file,
                  report.unused, report.unused_names);
    return GRAFT_OK;
}

/* Network and weights. */
static enum graft_status open_network(struct graft_classifier *classifier,
                                      const struct graft_classifier_options *options, bool is_run,
                                      const char *file, const struct graft_tensor_set *set)
{
    struct graft_context *const context = classifier->context;
    enum graft_status status = graft_card_read(context, set, file, &classifier->card);
    if (status != GRAFT_OK)
        return status;
    const struct graft_card *const card = &classifier->card;
    const char *const network = is_run ? card->network : options->network;
    if (is_run && !card->network[0])
        return graft_fail(
            context, GRAFT_ERROR_FORMAT,
            "%s does not say of which network it is: name the network and give the file as weights", file);
    if (card->network[0] && strcmp(card->network, network) != 0)
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s holds weights of %s, not of %s", file,
                          card->network, network);
    status = open_model(classifier, network, options->batch > 0 ? options->batch : 16, set);
    return status == GRAFT_OK ? load(classifier, file, set) : status;
}

/* The plan, when the file's weights are no longer in memory, and room for a batch. */
static enum graft_status open_plan(struct graft_classifier *classifier,
                                   const struct graft_classifier_options *options)
{
    struct graft_context *const context = classifier->context;
    const struct graft_preprocess *const p = &classifier->card.preprocess;
    classifier->image_bytes = (uint64_t)p->crop_height * (uint64_t)p->crop_width * (uint64_t)p->channels;
    /* One batch here, and four that a loader has under way. */
    const struct graft_inference inference = {.device = classifier->device,
                                              .variables = classifier->variables,
                                              .options = &options->plan,
                                              .reserve = graft_inference_reserve(classifier->device,
                                                                                 classifier->model->batch,
                                                                                 classifier->image_bytes, 5)};
    const enum graft_status status = graft_inference_open(&inference, &classifier->model, &classifier->plan);
    if (status != GRAFT_OK)
        return status;
    const int64_t batch = classifier->model->batch;
    classifier->pixels = graft_allocate(context, (size_t)batch, (size_t)classifier->image_bytes);
    classifier->logits = graft_allocate(context, (size_t)(batch * classifier->model->classes), sizeof(float));
    return classifier->pixels && classifier->logits ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

enum graft_status graft_classifier_open(struct graft_device *device,
                                        const struct graft_classifier_options *options,
                                        struct graft_classifier **classifier)
{
    struct graft_context *const context = device->context;
    char path[4096];
    bool is_run;
    struct graft_tensor_set *set = NULL;
    *classifier = NULL;
    enum graft_status status = weights_path(context, options, path, sizeof path, &is_run);
    if (status != GRAFT_OK)
        return status;
    struct graft_classifier *made = graft_allocate(context, 1, sizeof *made);
    if (!made)
        return GRAFT_ERROR_MEMORY;
    made->context = context;
    made->device = device;
    status = graft_tensor_set_load(context, path, &set);
    if (status == GRAFT_OK)
        status = open_network(made, options, is_run, path, set);
    graft_tensor_set_close(&set);
    if (status == GRAFT_OK)
        status = open_plan(made, options);
    if (status != GRAFT_OK)
        graft_classifier_close(&made);
    *classifier = made;
    return status;
}

void graft_classifier_close(struct graft_classifier **classifier)
{
    struct graft_classifier *const old = *classifier;
    if (!old)
        return;
    graft_plan_close(&old->plan);
    graft_variables_close(&old->variables);
    graft_model_close(&old->model);
    graft_card_close(old->context, &old->card);
    graft_release(old->context, old->pixels);
    graft_release(old->context, old->logits);
    graft_release(old->context, old);
    *classifier = NULL;
}

int32_t graft_classifier_class_count(const struct graft_classifier *classifier)
{
    return classifier->card.class_count;
}

const char *const *graft_classifier_class_names(const struct graft_classifier *classifier)
{
    return classifier->card.class_names;
}

const struct graft_preprocess *graft_classifier_preprocess(const struct graft_classifier *classifier)
{
    return &classifier->card.preprocess;
}

const struct graft_model *graft_classifier_model(const struct graft_classifier *classifier)
{
    return classifier->model;
}

struct graft_plan *graft_classifier_plan(struct graft_classifier *classifier)
{
    return classifier->plan;
}

int64_t graft_classifier_batch(const struct graft_classifier *classifier)
{
    return classifier->model->batch;
}

enum graft_status graft_classifier_run(struct graft_classifier *classifier, const uint8_t *pixels,
                                       int64_t count, float *logits)
{
    const struct graft_model *const model = classifier->model;
    if (count < 1 || count > model->batch)
        return graft_fail(classifier->context, GRAFT_ERROR_ARGUMENT, "1..%lld pictures at a time, not %lld",
                          (long long)model->batch, (long long)count);
    const uint64_t bytes = (uint64_t)model->batch * classifier->image_bytes;
    const uint8_t *input = pixels;
    if (count < model->batch && pixels != classifier->pixels) {
        memcpy(classifier->pixels, pixels, (size_t)((uint64_t)count * classifier->image_bytes));
        input = classifier->pixels;
    }
    enum graft_status status = graft_plan_write(classifier->plan, model->input, input, bytes);
    if (status == GRAFT_OK)
        status = graft_plan_run(classifier->plan, GRAFT_SEGMENT_COMPUTE);
    if (status == GRAFT_OK)
        status = graft_plan_read(classifier->plan, model->logits, classifier->logits,
                                 (uint64_t)(model->batch * model->classes) * sizeof(float));
    if (status == GRAFT_OK)
        memcpy(logits, classifier->logits, (size_t)(count * model->classes) * sizeof(float));
    for (int64_t i = 0; i < count * model->classes && status == GRAFT_OK; i++)
        if (!isfinite(logits[i]))
            status =
                graft_fail(classifier->context, GRAFT_ERROR_NUMERIC,
                           "the network's output is not finite (logit %lld of picture %lld): the weights are "
                           "damaged or of another network",
                           (long long)(i % model->classes), (long long)(i / model->classes));
    return status;
}

enum graft_status graft_classifier_file(struct graft_classifier *classifier, const char *path, float *logits)
{
    const enum graft_status status =
        graft_preprocess_file(classifier->context, &classifier->card.preprocess, path, classifier->pixels);
    return status == GRAFT_OK ? graft_classifier_run(classifier, classifier->pixels, 1, logits) : status;
}

enum graft_status graft_classifier_evaluate(struct graft_classifier *classifier,
                                            const struct graft_dataset *dataset, enum graft_split split,
                                            bool skip_damaged, graft_progress_function *progress, void *user,
                                            struct graft_evaluation *evaluation)
{
    struct graft_context *const context = classifier->context;
    const int64_t classes = classifier->model->classes;
    struct graft_loader *loader = NULL;
    struct graft_batch batch = {0};
    const double begin = graft_seconds();
    float *logits = NULL;
    *evaluation = (struct graft_evaluation){0};
    if (graft_dataset_class_count(dataset) != classes)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "the data has %d classes, the network %lld",
                          graft_dataset_class_count(dataset), (long long)classes);
    const struct graft_loader_options options = {
        .split = split, .batch = (int32_t)classifier->model->batch, .skip_damaged = skip_damaged};
    enum graft_status status = graft_evaluation_open(context, (int32_t)classes, evaluation);
    if (status == GRAFT_OK)
        status = graft_loader_open(context, dataset, &classifier->card.preprocess, &options, &loader);
    if (status == GRAFT_OK) {
        logits = graft_allocate(context, (size_t)(classifier->model->batch * classes), sizeof *logits);
        status = logits ? graft_loader_next(loader, &batch) : GRAFT_ERROR_MEMORY;
    }
    while (status == GRAFT_OK && batch.valid > 0) {
        status = graft_classifier_run(classifier, batch.pixels, batch.valid, logits);
        if (status != GRAFT_OK)
            break;
        graft_evaluation_add(evaluation, logits, batch.labels, batch.valid);
        if (progress) {
            const double seconds = graft_seconds() - begin;
            struct graft_progress now = {.phase = "evaluation",
                                         .done = evaluation->images,
                                         .total = graft_dataset_count(dataset, split),
                                         .loss = (double)NAN,
                                         .accuracy = (double)NAN};
            now.images_per_second = (double)now.done / seconds;
            now.seconds_left = (double)(now.total - now.done) / now.images_per_second;
            progress(user, &now);
        }
        status = graft_loader_next(loader, &batch);
    }
    if (status == GRAFT_OK) {
        graft_evaluation_finish(evaluation);
        evaluation->seconds = graft_seconds() - begin;
    } else {
        graft_evaluation_close(context, evaluation);
    }
    graft_release(context, logits);
    graft_loader_close(&loader);
    return status;
}
