/* SPDX-License-Identifier: MIT */
/* A network with its weights as an ONNX file: opened for two batches, whose difference tells what depends on
 * it. */
#include "infer/convert.h"

#include "base/context.h"
#include "base/text.h"
#include "io/onnx/onnx_write.h"

#include <stdio.h>

enum { ONE_BATCH = 2, OTHER_BATCH = 3 };

static const char *reading_name(const struct graft_target *target)
{
    return target->task == GRAFT_TASK_NUMBER ? "number" : "probabilities";
}

/* What the logits say: probabilities, or the number. */
static int add_reading(struct graft_graph *graph, const struct graft_target *target, int logits)
{
    const struct graft_shape one = graft_shape_of(1, 1);
    graft_graph_layer(graph, reading_name(target));
    if (target->task == GRAFT_TASK_LABELS)
        return graft_unary(graph, GRAFT_UNARY_SIGMOID, logits);
    if (target->task != GRAFT_TASK_NUMBER)
        return graft_softmax(graph, logits);
    const int deviation = graft_graph_constant(graph, "deviation", &one, &target->deviation);
    const int mean = graft_graph_constant(graph, "mean", &one, &target->mean);
    return graft_add(graph, graft_mul(graph, logits, deviation), mean);
}

/* With that behind the logits, where it is asked for; *output: the value that is written. */
static enum graft_status open_model(const struct graft_converting *job,
                                    const struct graft_model_options *options, struct graft_model **model,
                                    int *output)
{
    enum graft_status status = graft_model_open_network(job->context, job->source.network, options, model);
    if (status != GRAFT_OK)
        return status;
    *output = (*model)->logits;
    if (job->options->preprocess_inside) {
        *output = add_reading((*model)->graph, &job->card.target, (*model)->logits);
        status = graft_graph_status((*model)->graph);
    }
    return status;
}

/* What the pictures must be like, in words and as metadata: what still has to be done before the graph. */
static enum graft_status describe(struct graft_converting *job, const struct graft_preprocess *p,
                                  struct graft_text *words)
{
    struct graft_context *const context = job->context;
    struct graft_preprocess left = *p;
    if (job->options->preprocess_inside) {
        for (int i = 0; i < 3; i++) { /* bytes as they are: x / 255 less 0, by 1 / 255 */
            left.mean[i] = 0;
            left.std[i] = 1.0f / 255.0f;
        }
        graft_text_append(
            context, words,
            "Input: u8 [batch, %d, %d, %d], %s, resized and cropped as graft.preprocess says. Output: %s.",
            (int)p->crop_height, (int)p->crop_width, (int)p->channels,
            p->channels == 3 ? "red, green, blue" : "grey", reading_name(&job->card.target));
    } else {
        graft_text_append(context, words,
                          "Input: f32 [batch, %d, %d, %d], %s: (x / 255 - mean) / std by channel, mean",
                          (int)p->channels, (int)p->crop_height, (int)p->crop_width,
                          p->channels == 3 ? "red, green, blue" : "grey");
        for (int i = 0; i < p->channels; i++)
            graft_text_append(context, words, " %.9g", (double)p->mean[i]);
        graft_text_append(context, words, ", std");
        for (int i = 0; i < p->channels; i++)
            graft_text_append(context, words, " %.9g", (double)p->std[i]);
        graft_text_append(context, words, ", resized and cropped as graft.preprocess says. Output: logits.");
    }
    if (words->failed)
        return GRAFT_ERROR_MEMORY;
    return graft_card_describe(
        context, job->source.file ? NULL : graft_network_info(job->source.network)->name, &left, job->set);
}

static enum graft_status choose_preprocess(const struct graft_converting *job, struct graft_preprocess *p)
{
    *p = job->card.preprocess;
    const int32_t input = job->options->input;
    if (job->card.has_preprocess && input == 0)
        return GRAFT_OK;
    return graft_card_preprocess(job->context, graft_network_info(job->source.network), &job->card, job->path,
                                 input, job->options->input_width, p);
}

/* For any batch, or for one picture. */
static enum graft_status save(struct graft_converting *job, const struct graft_model_options *options,
                              bool any_batch, const char *words, bool *batch_matters)
{
    struct graft_model *model = NULL, *other = NULL;
    struct graft_model_options o = *options;
    struct graft_onnx_file file = {.input_name = "input",
                                   .output_name =
                                       job->options->preprocess_inside ? reading_name(&job->card.target) : "logits",
                                   .description = words};
    *batch_matters = false;
    o.batch = any_batch ? ONE_BATCH : 1;
    enum graft_status status = open_model(job, &o, &model, &file.output);
    o.batch = OTHER_BATCH;
    int same = -1;
    if (status == GRAFT_OK && any_batch)
        status = open_model(job, &o, &other, &same);
    if (status == GRAFT_OK) {
        file.model = model;
        file.other = other;
        file.weights = job->set;
        status = graft_onnx_save(job->context, job->options->out, &file, batch_matters);
    }
    graft_model_close(&other);
    graft_model_close(&model);
    return status;
}

enum graft_status graft_convert_to_onnx(struct graft_converting *job)
{
    struct graft_context *const context = job->context;
    struct graft_preprocess preprocess;
    struct graft_model *model = NULL;
    struct graft_text words = {0};
    struct graft_model_options options = {.classes = job->card.class_count};
    bool batch_matters = false;
    enum graft_status status = choose_preprocess(job, &preprocess);
    if (status == GRAFT_OK && options.classes == 0)
        status = graft_convert_classes(job, &options.classes);
    if (status == GRAFT_OK) {
        options.height = preprocess.crop_height;
        options.width = preprocess.crop_width;
        options.input_u8 = job->options->preprocess_inside;
        options.mean = preprocess.mean;
        options.std = preprocess.std;
        status = graft_model_open_network(context, job->source.network, &options, &model);
    }
    if (status == GRAFT_OK)
        status = graft_convert_weights(job, model);
    graft_model_close(&model);
    if (status == GRAFT_OK)
        status = describe(job, &preprocess, &words);
    if (status == GRAFT_OK)
        status = save(job, &options, true, words.data, &batch_matters);
    job->conversion->any_batch = status == GRAFT_OK;
    if (batch_matters) {
        graft_log(context, GRAFT_LOG_REMARK, "'%s' takes one picture at a time: %s", job->options->out,
                  graft_context_error(context));
        status = save(job, &options, false, words.data, &batch_matters);
    }
    job->conversion->height = preprocess.crop_height;
    job->conversion->width = preprocess.crop_width;
    job->conversion->channels = preprocess.channels;
    graft_text_close(context, &words);
    return status;
}
