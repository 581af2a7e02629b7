/* SPDX-License-Identifier: MIT */
/* A network with its weights on a device, ready to classify pictures. */
#include "infer/classifier.h"

#include "backend/backend.h"
#include "base/context.h"
#include "base/text.h"
#include "infer/inference.h"
#include "infer/views.h"
#include "io/pulled.h"
#include "io/weights_match.h"
#include "model/published.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define USUAL_BATCH 16

static bool is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

bool graft_classifier_is_run(const char *name, const char *weights)
{
    char path[4096];
    struct stat facts;
    if (!is_folder(name))
        return false;
    if (!graft_model_named(name))
        return true;
    const int length = snprintf(path, sizeof path, "%s/model.safetensors", name);
    return !(weights && *weights) && length > 0 && (size_t)length < sizeof path && stat(path, &facts) == 0;
}

bool graft_classifier_is_weights(const char *name, const char *weights)
{
    struct stat facts;
    return !(weights && *weights) && !graft_model_named(name) && !graft_network_is_file(name) &&
           stat(name, &facts) == 0 && S_ISREG(facts.st_mode);
}

/* The file of weights: a run folder's are its best. */
static enum graft_status find_weights(struct graft_context *context,
                                      const struct graft_classifier_options *options, bool is_run,
                                      struct graft_text *path)
{
    const bool given = options->weights && *options->weights;
    if (graft_network_is_file(options->network)) {
        if (given)
            return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s holds its weights itself: leave %s out",
                              options->network, options->weights);
        graft_text_append(context, path, "%s", options->network);
        return path->failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    }
    if (graft_classifier_is_weights(options->network, options->weights)) {
        graft_text_append(context, path, "%s", options->network);
        return path->failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    }
    if (!is_run && !given) {
        const struct graft_model_info *info;
        if (strchr(options->network, '/'))
            return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "there is no run folder \"%s\"",
                              options->network);
        enum graft_status status = graft_model_find(context, options->network, &info);
        if (status == GRAFT_OK)
            status = graft_pulled_find(context, options->network, path);
        if (status != GRAFT_OK)
            return status;
        if (!path->data && strcmp(info->name, GRAFT_SHIPPED_NETWORK) == 0)
            return graft_fail(context, GRAFT_ERROR_NOT_FOUND,
                              GRAFT_SHIPPED_ABSENT "; or name a file of weights");
        if (!path->data)
            return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                              "%s needs weights: name a file of them with --weights%s%s", info->name,
                              graft_published_first(info->name) ? ", or fetch them: graft pull " : "",
                              graft_published_first(info->name) ? info->name : "");
        graft_log(context, GRAFT_LOG_REMARK, "weights: %s", path->data);
        return GRAFT_OK;
    }
    graft_text_append(context, path, given ? "%s" : "%s/model.safetensors",
                      given ? options->weights : options->network);
    return path->failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
}

/* How many classes weights without a card have; as published where they do not say, or came with the network.
 */
static enum graft_status count_classes(const struct graft_classifier *classifier,
                                       const struct graft_tensor_set *set, int64_t *classes)
{
    struct graft_model *model = NULL;
    const enum graft_status status =
        graft_model_open_network(classifier->context, classifier->source.network, NULL, &model);
    if (status != GRAFT_OK)
        return status;
    *classes = classifier->source.file ? 0 : graft_model_count_classes(model, set);
    if (*classes == 0)
        *classes = model->classes;
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

/* What was stretched to the input's size is cropped to it then. */
static void set_short_side(struct graft_transforms *transforms, int32_t i, int32_t side)
{
    const bool stretched = transforms->steps[i].resize.short_side == 0 && transforms->count == 1;
    if (stretched)
        *transforms = graft_transforms_usual(side, transforms->steps[i].resize.filter);
    else
        transforms->steps[i].resize.short_side = side;
}

/* As the card says, or the network; what is asked for otherwise comes last. */
static enum graft_status choose_preprocess(struct graft_classifier *classifier,
                                           const struct graft_model_info *info, const char *file,
                                           const struct graft_classifier_options *options)
{
    struct graft_context *const context = classifier->context;
    struct graft_preprocess *const p = &classifier->card.preprocess;
    enum graft_status status = GRAFT_OK;
    if (!classifier->card.has_preprocess || options->input > 0)
        status = graft_card_preprocess(context, info, &classifier->card, file, options->input,
                                       options->input_width, p);
    if (status != GRAFT_OK)
        return status;
    for (int32_t i = 0; i < p->transforms.count && options->resize > 0; i++)
        if (p->transforms.steps[i].kind == GRAFT_TRANSFORM_RESIZE)
            set_short_side(&p->transforms, i, options->resize);
    if (options->orientation != GRAFT_ORIENTATION_AS_TRAINED)
        p->ignore_orientation = options->orientation == GRAFT_ORIENTATION_IGNORE;
    return graft_preprocess_check(context, p);
}

static enum graft_status open_model(struct graft_classifier *classifier,
                                    const struct graft_classifier_options *options, const char *file,
                                    const struct graft_tensor_set *set)
{
    struct graft_context *const context = classifier->context;
    struct graft_card *const card = &classifier->card;
    int64_t classes = card->class_count;
    enum graft_status status = classes == 0 ? count_classes(classifier, set, &classes) : GRAFT_OK;
    if (status == GRAFT_OK)
        status = choose_preprocess(classifier, graft_network_info(classifier->source.network), file, options);
    if (status != GRAFT_OK)
        return status;
    const int64_t views = graft_views_count(options->views);
    const int64_t usual = (USUAL_BATCH + views - 1) / views * views; /* whole pictures */
    const struct graft_model_options model = {.batch = options->batch > 0 ? options->batch : usual,
                                              .height = card->preprocess.crop_height,
                                              .width = card->preprocess.crop_width,
                                              .classes = classes,
                                              .input_u8 = true,
                                              .mean = card->preprocess.mean,
                                              .std = card->preprocess.std};
    status = graft_model_open_network(context, classifier->source.network, &model, &classifier->model);
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
        return graft_weights_say_whose(classifier->context, status, set, file);
    if (report.unused > 0)
        graft_log(classifier->context, GRAFT_LOG_REMARK, "%s: %d tensors are not used: %s", file,
                  report.unused, report.unused_names);
    return classifier->card.network[0] ? GRAFT_OK : graft_weights_remark_name(classifier->model, set, file);
}

/* The nearest name of a layer or stage. */
static enum graft_status unknown_output(struct graft_context *context, const struct graft_model *model,
                                        const char *output)
{
    const char **const names =
        graft_allocate(context, (size_t)(model->layer_count + model->stage_count), sizeof *names);
    if (!names)
        return GRAFT_ERROR_MEMORY;
    size_t count = 0;
    for (int i = 0; i < model->layer_count; i++)
        names[count++] = model->layers[i].name;
    for (int i = 0; i < model->stage_count; i++)
        names[count++] = model->stages[i].name;
    const char *const nearest = graft_text_nearest(output, names, count);
    graft_release(context, names);
    return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                      "%s has no layer or stage \"%s\"%s%s%s: graft summary %s lists them", model->info->name,
                      output, nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "",
                      model->info->name);
}

enum graft_status graft_classifier_find_output(struct graft_context *context, const struct graft_model *model,
                                               const char *output, int *value)
{
    *value = strcmp(output, "features") == 0 ? model->features : -1;
    for (int i = 0; i < model->layer_count && *value < 0; i++)
        if (strcmp(model->layers[i].name, output) == 0)
            *value = model->layers[i].value;
    const int stage = *value < 0 ? graft_model_stage_find(model, output) : -1;
    if (stage >= 0)
        *value = model->stages[stage].output;
    return *value < 0 ? unknown_output(context, model, output) : GRAFT_OK;
}

/* The value that is handed out. */
static enum graft_status choose_output(struct graft_classifier *classifier,
                                       const struct graft_classifier_options *options)
{
    const struct graft_model *const model = classifier->model;
    int value = model->logits;
    const enum graft_status status =
        options->output ? graft_classifier_find_output(classifier->context, model, options->output, &value)
                        : GRAFT_OK;
    if (status != GRAFT_OK)
        return status;
    if (options->views != GRAFT_VIEWS_ONE && value != model->logits)
        return graft_fail(classifier->context, GRAFT_ERROR_ARGUMENT,
                          "what \"%s\" gives is of one view of a picture; several are for the classes alone",
                          options->output);
    if (options->views != GRAFT_VIEWS_ONE && classifier->card.target.task > GRAFT_TASK_CLASSES)
        return graft_classifier_tells_classes(classifier, "--tta");
    classifier->views = options->views;
    classifier->output = value;
    classifier->shape = graft_graph_desc(model->graph, value)->shape;
    classifier->pool = classifier->shape.rank == 4 ? options->pool : GRAFT_MODEL_POOL_NONE;
    classifier->width = classifier->pool == GRAFT_MODEL_POOL_NONE
                            ? graft_shape_count(&classifier->shape) / model->batch
                            : classifier->shape.dim[3];
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
    const bool alone = graft_classifier_is_weights(options->network, options->weights);
    const struct graft_model_info *info = NULL;
    if (alone && !card->network[0])
        status = graft_weights_recognize(context, set, file, &info, NULL);
    if (status != GRAFT_OK)
        return status;
    const char *const network = info ? info->name : is_run || alone ? card->network : options->network;
    if (info)
        graft_log(context, GRAFT_LOG_REMARK, "%s: weights of %s, by names and shapes of their tensors", file,
                  network);
    if (is_run && !card->network[0])
        return graft_fail(
            context, GRAFT_ERROR_FORMAT,
            "%s does not say of which network it is: name the network and give the file as weights", file);
    if (card->network[0] && strcmp(card->network, network) != 0)
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s holds weights of %s, not of %s", file,
                          card->network, network);
    if (!classifier->source.network && !info && (is_run || alone))
        status = graft_card_open_network(context, card, file, &classifier->source);
    else if (!classifier->source.network)
        status = graft_network_source_open(context, network, &classifier->source, NULL);
    if (status == GRAFT_OK && card->head[0] && !classifier->source.headed)
        status = graft_network_source_put_head(context, card->head, &classifier->source);
    if (status == GRAFT_OK)
        status = open_model(classifier, options, file, set);
    if (status == GRAFT_OK)
        status = choose_output(classifier, options);
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
                                              .output = classifier->output,
                                              .reserve = graft_inference_reserve(classifier->device,
                                                                                 classifier->model->batch,
                                                                                 classifier->image_bytes, 5)};
    const enum graft_status status = graft_inference_open(&inference, &classifier->model, &classifier->plan);
    if (status != GRAFT_OK)
        return status;
    const int64_t batch = classifier->model->batch;
    classifier->pixels = graft_allocate(context, (size_t)batch, (size_t)classifier->image_bytes);
    classifier->shape.dim[0] = batch; /* fewer at a time, perhaps */
    const int64_t values = graft_shape_count(&classifier->shape) + classifier->width;
    classifier->values = graft_allocate(context, (size_t)values, sizeof(float));
    return classifier->pixels && classifier->values ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

enum graft_status graft_classifier_open(struct graft_device *device,
                                        const struct graft_classifier_options *options,
                                        struct graft_classifier **classifier)
{
    struct graft_context *const context = device->context;
    const bool is_run = graft_classifier_is_run(options->network, options->weights);
    struct graft_text path = {0};
    struct graft_tensor_set *set = NULL;
    *classifier = NULL;
    enum graft_status status = find_weights(context, options, is_run, &path);
    struct graft_classifier *made = status == GRAFT_OK ? graft_allocate(context, 1, sizeof *made) : NULL;
    if (!made) {
        graft_text_close(context, &path);
        return status == GRAFT_OK ? GRAFT_ERROR_MEMORY : status;
    }
    made->context = context;
    made->device = device;
    status = graft_network_is_file(options->network)
                 ? graft_network_source_open(context, path.data, &made->source, &set)
                 : graft_tensor_set_load(context, path.data, &set);
    if (status == GRAFT_OK)
        status = open_network(made, options, is_run, path.data, set);
    graft_tensor_set_close(&set);
    graft_text_close(context, &path);
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
    graft_network_source_close(&old->source);
    graft_card_close(old->context, &old->card);
    graft_release(old->context, old->pixels);
    graft_release(old->context, old->values);
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

const struct graft_target *graft_classifier_target(const struct graft_classifier *classifier)
{
    return &classifier->card.target;
}

enum graft_status graft_classifier_tells_classes(const struct graft_classifier *classifier, const char *what)
{
    const enum graft_task_kind task = classifier->card.target.task;
    return task <= GRAFT_TASK_CLASSES
               ? GRAFT_OK
               : graft_fail(classifier->context, GRAFT_ERROR_UNSUPPORTED,
                            "%s asks for one class of several, and this network tells %s", what,
                            task == GRAFT_TASK_NUMBER ? "a number" : "labels, each by itself");
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

int64_t graft_classifier_width(const struct graft_classifier *classifier)
{
    return classifier->width;
}

struct graft_shape graft_classifier_shape(const struct graft_classifier *classifier)
{
    const struct graft_shape *const all = &classifier->shape;
    struct graft_shape shape = {.rank = all->rank - 1};
    if (classifier->pool != GRAFT_MODEL_POOL_NONE)
        return (struct graft_shape){.rank = 1, .dim = {classifier->width}};
    for (int32_t i = 0; i < shape.rank; i++)
        shape.dim[i] = all->dim[i + 1];
    return shape;
}

bool graft_classifier_pooled(const struct graft_classifier *classifier)
{
    return classifier->pool != GRAFT_MODEL_POOL_NONE;
}
