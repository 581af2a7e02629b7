/* SPDX-License-Identifier: MIT */
/* Weights from one kind of file into another. */
#include "infer/convert.h"

#include "base/context.h"
#include "base/text.h"
#include "graft/classifier.h"
#include "graft/weights.h"
#include "io/keras.h"
#include "io/pulled.h"
#include "model/published.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- what is written */

static enum graft_status write_safetensors(struct graft_converting *job)
{
    return job->options->half ? graft_safetensors_save_half(job->context, job->options->out, job->set)
                              : graft_safetensors_save(job->context, job->options->out, job->set);
}

static enum graft_status write_pytorch(struct graft_converting *job)
{
    return graft_pytorch_save(job->context, job->options->out, job->set);
}

/* A kind of file that is written. */
struct target {
    const char *ending, *format;
    enum graft_status (*write)(struct graft_converting *job);
};

static const struct target targets[] = {
    {".safetensors", "safetensors", write_safetensors},
    {".pth", "PyTorch", write_pytorch},
    {".pt", "PyTorch", write_pytorch},
    {".onnx", "ONNX", graft_convert_to_onnx},
};

static enum graft_status find_target(struct graft_context *context,
                                     const struct graft_convert_options *options,
                                     const struct target **target)
{
    struct stat facts;
    *target = NULL;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0] && !*target; i++)
        if (graft_text_ends(options->out, targets[i].ending))
            *target = &targets[i];
    if (!*target)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "'%s' does not say what to write: its name must end in .safetensors, .pth or .onnx",
                          options->out);
    if (options->half && (*target)->write != write_safetensors)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "'%s': f16 is written to .safetensors files only",
                          options->out);
    if ((options->preprocess_inside || options->input > 0) && (*target)->write != graft_convert_to_onnx)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "'%s': the input's size and what lies inside are told to .onnx files only",
                          options->out);
    if (!options->overwrite && stat(options->out, &facts) == 0)
        return graft_fail(
            context, GRAFT_ERROR_ARGUMENT,
            "'%s' is there already: name another file, or say that it may be overwritten (--overwrite)",
            options->out);
    return GRAFT_OK;
}

/* ---- what is read */

static enum graft_status set_path(struct graft_converting *job, struct graft_text *text)
{
    job->path = text->data; /* taken over */
    return text->failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
}

/* A network's name: the weights that were pulled for it. */
static enum graft_status find_pulled(struct graft_converting *job, const char *name)
{
    struct graft_text text = {0};
    const enum graft_status status = graft_pulled_find(job->context, name, &text);
    if (status != GRAFT_OK || text.data)
        return status != GRAFT_OK ? status : set_path(job, &text);
    const bool published = graft_published_first(name) != NULL;
    return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                      "there are no weights of %s here: name a file of them%s%s", name,
                      published ? ", or fetch them: graft pull " : "", published ? name : "");
}

static enum graft_status find_path(struct graft_converting *job)
{
    const char *const in = job->options->in;
    const struct graft_model_info *info = NULL;
    struct graft_text text = {0};
    struct stat facts;
    if (graft_classifier_is_run(in, NULL)) {
        graft_text_append(job->context, &text, "%s/model.safetensors", in);
        return set_path(job, &text);
    }
    const bool there = stat(in, &facts) == 0;
    if (there || strpbrk(in, "./")) {
        graft_text_append(job->context, &text, "%s", in);
        return set_path(job, &text);
    }
    const enum graft_status status = graft_model_find(job->context, in, &info);
    if (status == GRAFT_ERROR_NOT_FOUND)
        return graft_fail_prefix(job->context, status, "there is no file or run folder '%s'", in);
    if (status == GRAFT_OK && job->options->network && strcmp(job->options->network, in) != 0)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "'%s' is a network itself: it cannot be %s", in,
                          job->options->network);
    return status == GRAFT_OK ? find_pulled(job, in) : status;
}

static enum graft_status read(struct graft_converting *job)
{
    enum graft_status status = find_path(job);
    if (status == GRAFT_OK && graft_network_is_file(job->path))
        status = graft_network_source_open(job->context, job->path, &job->source, &job->set);
    else if (status == GRAFT_OK)
        status = graft_tensor_set_load(job->context, job->path, &job->set);
    return status == GRAFT_OK ? graft_card_read(job->context, job->set, job->path, &job->card) : status;
}

/* ---- whose weights they are */

/* By names and shapes. */
static enum graft_status match(struct graft_converting *job, bool needed)
{
    const struct graft_model_info *info = NULL;
    struct graft_kept_error before; /* what does not matter is not told */
    int fitting = 0;
    graft_keep_error(job->context, &before);
    const enum graft_status status =
        graft_weights_recognize(job->context, job->set, job->path, &info, &fitting);
    if (status == GRAFT_OK)
        return graft_network_source_open(job->context, info->name, &job->source, NULL);
    if (needed || status != GRAFT_ERROR_UNSUPPORTED)
        return status;
    if (fitting > 1)
        graft_log(job->context, GRAFT_LOG_REMARK, "%s", graft_context_error(job->context));
    graft_restore_error(job->context, &before);
    return GRAFT_OK;
}

/* As it is said: by the caller, by the card, by the name of `in`; else by the tensors. The network of a run
 * may be a graph beside its weights. */
static enum graft_status choose_network(struct graft_converting *job, bool needed)
{
    struct graft_context *const context = job->context;
    const char *const given = job->options->network, *const own = job->card.network;
    if (given && job->source.file)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "'%s' is a network itself: it cannot be %s",
                          job->path, given);
    if (given && own[0] && strcmp(given, own) != 0)
        return graft_fail(context, GRAFT_ERROR_FORMAT, "'%s' holds weights of %s, not of %s", job->path, own,
                          given);
    if (job->source.network)
        return GRAFT_OK;
    if (own[0])
        return needed ? graft_card_open_network(context, &job->card, job->path, &job->source) : GRAFT_OK;
    const struct graft_model_info *info = NULL;
    const char *const name =
        given ? given
        : !strpbrk(job->options->in, "./") && graft_model_find(context, job->options->in, &info) == GRAFT_OK
            ? job->options->in
            : NULL;
    return name ? graft_network_source_open(context, name, &job->source, NULL) : match(job, needed);
}

/* ---- */

/* Texts of the old set, but for the convention, which is PyTorch's now. */
static enum graft_status copy_texts(const struct graft_tensor_set *from, struct graft_tensor_set *to)
{
    const char *key = NULL, *text = NULL;
    enum graft_status status = GRAFT_OK;
    for (size_t i = 0; status == GRAFT_OK && graft_tensor_set_text_at(from, i, &key, &text); i++)
        if (strcmp(key, GRAFT_KEY_CONVENTION) != 0)
            status = graft_tensor_set_put_text(to, key, text);
    return status;
}

enum graft_status graft_convert_classes(struct graft_converting *job, int64_t *classes)
{
    struct graft_model *model = NULL;
    const enum graft_status status =
        graft_model_open_network(job->context, job->source.network, NULL, &model);
    if (status != GRAFT_OK)
        return status;
    *classes = job->source.file ? 0 : graft_model_count_classes(model, job->set);
    if (*classes > 1000000)
        *classes = 0;
    graft_model_close(&model);
    return GRAFT_OK;
}

enum graft_status graft_convert_weights(struct graft_converting *job, const struct graft_model *model)
{
    struct graft_context *const context = job->context;
    struct graft_tensor_set *set = NULL;
    struct graft_weights_report report = {0};
    enum graft_status status = graft_tensor_set_open(context, &set);
    if (status == GRAFT_OK) {
        status = graft_model_translate_weights(model, job->set, set, &report);
        if (status != GRAFT_OK)
            (void)graft_fail_prefix(context, status, "'%s'", job->path);
    }
    if (status == GRAFT_OK)
        status = copy_texts(job->set, set);
    if (status != GRAFT_OK) {
        graft_tensor_set_close(&set);
        return status;
    }
    if (report.unused > 0)
        graft_log(context, GRAFT_LOG_REMARK, "'%s': %d tensors are left out, %s has none of these names: %s",
                  job->path, report.unused, model->info->name, report.unused_names);
    graft_tensor_set_close(&job->set);
    job->set = set;
    return GRAFT_OK;
}

static enum graft_status translate(struct graft_converting *job)
{
    struct graft_model *model = NULL;
    struct graft_model_options options = {.batch = 1};
    enum graft_status status = graft_convert_classes(job, &options.classes);
    if (status == GRAFT_OK)
        status = graft_model_open_network(job->context, job->source.network, &options, &model);
    if (status == GRAFT_OK)
        status = graft_convert_weights(job, model);
    graft_model_close(&model);
    return status;
}

/* A card for weights that have none. */
static enum graft_status describe(struct graft_converting *job)
{
    struct graft_preprocess preprocess;
    if (!job->source.network || job->source.file || job->card.has_preprocess)
        return GRAFT_OK;
    const struct graft_model_info *const info = graft_network_info(job->source.network);
    const enum graft_status status =
        graft_card_preprocess(job->context, info, &job->card, job->path, 0, 0, &preprocess);
    return status == GRAFT_OK ? graft_card_describe(job->context, info->name, &preprocess, job->set) : status;
}

/* Weights as they are, or under the network's names where that is asked for or the file has another layout.
 */
static enum graft_status make_weights(struct graft_converting *job)
{
    const bool translated = graft_tensor_set_text(job->set, GRAFT_KEY_CONVENTION) || job->options->network;
    enum graft_status status = choose_network(job, translated);
    if (status == GRAFT_OK && translated)
        status = translate(job);
    return status == GRAFT_OK ? describe(job) : status;
}

enum graft_status graft_convert(struct graft_context *context, const struct graft_convert_options *options,
                                struct graft_conversion *conversion)
{
    struct graft_conversion own;
    struct graft_converting job = {
        .context = context, .options = options, .conversion = conversion ? conversion : &own};
    const struct target *target = NULL;
    *job.conversion = (struct graft_conversion){.tensors = 0};
    enum graft_status status = find_target(context, options, &target);
    if (status == GRAFT_OK)
        status = read(&job);
    if (status == GRAFT_OK)
        status = target->write == graft_convert_to_onnx ? choose_network(&job, true) : make_weights(&job);
    if (status == GRAFT_OK)
        status = target->write(&job);
    if (status == GRAFT_OK) {
        job.conversion->format = target->format;
        job.conversion->tensors = (int64_t)graft_tensor_set_count(job.set);
        (void)snprintf(job.conversion->network, sizeof job.conversion->network, "%s",
                       job.source.network ? graft_network_info(job.source.network)->name : job.card.network);
    }
    graft_tensor_set_close(&job.set);
    graft_network_source_close(&job.source);
    graft_card_close(context, &job.card);
    graft_release(context, job.path);
    return status;
}
