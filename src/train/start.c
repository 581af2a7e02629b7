/* SPDX-License-Identifier: MIT */
/* The weights that a run begins with: drawn, or pretrained ones with as much of their head as fits. */
#include "base/context.h"
#include "io/weights_match.h"
#include "train/fit.h"

#include <math.h>
#include <string.h>

const char *graft_fit_not_finite(const struct graft_tensor_set *set)
{
    const struct graft_named_tensor *tensor;
    for (size_t i = 0; (tensor = graft_tensor_set_at(set, i)) != NULL; i++) {
        const float *const values = tensor->data;
        const int64_t count =
            tensor->desc.dtype == GRAFT_DTYPE_F32 ? graft_shape_count(&tensor->desc.shape) : 0;
        for (int64_t k = 0; k < count; k++)
            if (!isfinite(values[k]))
                return tensor->name;
    }
    return NULL;
}

/* Place of a class among the weights' classes; -1: they do not know it. */
static int32_t find_class(const struct graft_card *card, const char *name)
{
    for (int32_t i = 0; i < card->class_count; i++)
        if (strcmp(card->class_names[i], name) == 0)
            return i;
    return -1;
}

/* Rows (columns, where the outputs are these) of one parameter of the head for classes that the weights know.
 */
static enum graft_status copy_rows(struct graft_fit_job *job, const struct graft_card *of_weights,
                                   const struct graft_model_parameter *to, struct graft_variables *old,
                                   const struct graft_model_parameter *from)
{
    struct graft_context *const context = job->context;
    const int32_t classes = job->card.class_count;
    const uint64_t to_bytes = (uint64_t)graft_shape_count(&to->shape) * sizeof(float);
    const uint64_t from_bytes = (uint64_t)graft_shape_count(&from->shape) * sizeof(float);
    const int of_classes = to->by_columns ? to->shape.rank - 1 : 0;
    const size_t was_classes = (size_t)of_weights->class_count;
    const size_t each = (size_t)(to_bytes / (uint64_t)classes); /* bytes of a class */
    const size_t piece = to->by_columns ? sizeof(float) : each;
    if (to->shape.dim[of_classes] != classes || from->shape.dim[of_classes] != of_weights->class_count ||
        from_bytes != each * was_classes)
        return GRAFT_OK;
    char *const fresh = graft_allocate_raw(context, 1, (size_t)to_bytes);
    char *const known = graft_allocate_raw(context, 1, (size_t)from_bytes);
    enum graft_status status = fresh && known ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = graft_variables_read(job->variables, to->name, fresh, to_bytes);
    if (status == GRAFT_OK)
        status = graft_variables_read(old, from->name, known, from_bytes);
    for (int32_t c = 0; c < classes && status == GRAFT_OK; c++) {
        const int32_t was = find_class(of_weights, job->card.class_names[c]);
        for (size_t at = 0; was >= 0 && at < each / piece; at++)
            memcpy(fresh + (at * (size_t)classes + (size_t)c) * piece,
                   known + (at * was_classes + (size_t)was) * piece, piece);
    }
    if (status == GRAFT_OK)
        status = graft_variables_write(job->variables, to->name, fresh, to_bytes);
    graft_release(context, fresh);
    graft_release(context, known);
    return status;
}

/* The weights' own network is loaded aside, because its head has another size. */
static enum graft_status keep_known_classes(struct graft_fit_job *job, const struct graft_tensor_set *set,
                                            const struct graft_card *of_weights)
{
    const struct graft_model *const now = job->whole;
    const struct graft_model_options options = {
        .height = now->height, .width = now->width, .classes = of_weights->class_count};
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    enum graft_status status = graft_model_open_network(job->context, job->source.network, &options, &model);
    if (status == GRAFT_OK)
        status = graft_variables_open(job->device, &variables);
    if (status == GRAFT_OK)
        status = graft_variables_add(variables, model->graph);
    if (status == GRAFT_OK)
        status = graft_model_load_weights(model, variables, set, false, NULL);
    for (int p = 0; status == GRAFT_OK && p < now->parameter_count && p < model->parameter_count; p++)
        if (now->parameters[p].stage == now->stage_count - 1)
            status = copy_rows(job, of_weights, &now->parameters[p], variables, &model->parameters[p]);
    graft_variables_close(&variables);
    graft_model_close(&model);
    return status;
}

/* Which of the classes the weights know, and whether these are all of theirs in the same order. */
static int32_t count_known(const struct graft_fit_job *job, const struct graft_card *of_weights, bool *same)
{
    int32_t known = 0;
    *same = job->card.class_count == of_weights->class_count;
    for (int32_t c = 0; c < job->card.class_count; c++) {
        const int32_t was = find_class(of_weights, job->card.class_names[c]);
        known += was >= 0;
        *same = *same && was == c;
    }
    return known;
}

enum graft_status graft_fit_start_weights(struct graft_fit_job *job, const struct graft_tensor_set *set,
                                          const struct graft_card *of_weights)
{
    const uint64_t seed = (uint64_t)job->options.seed;
    const char *const file = job->options.weights;
    if (!set)
        return graft_model_initialize(job->whole, job->variables, seed, 0);
    const char *const broken = graft_fit_not_finite(set);
    if (broken)
        return graft_fail(
            job->context, GRAFT_ERROR_NUMERIC,
            "%s: \"%s\" holds numbers that are none (NaN or infinity): nothing can be learnt from "
            "these weights",
            file, broken);
    bool same = false;
    const bool other_head = strcmp(job->card.head, of_weights->head) != 0;
    const int32_t known = other_head ? 0 : count_known(job, of_weights, &same);
    same = !other_head && same;
    struct graft_weights_report report;
    enum graft_status status = graft_model_load_weights(job->whole, job->variables, set, !same, &report);
    if (status != GRAFT_OK)
        return graft_weights_say_whose(job->context, status, set, file);
    if (report.unused > 0)
        graft_log(job->context, GRAFT_LOG_REMARK, "%s: %d tensors are not used: %s", file, report.unused,
                  report.unused_names);
    if (!of_weights->network[0])
        status = graft_weights_remark_name(job->whole, set, file);
    if (status != GRAFT_OK)
        return status;
    if (same) {
        graft_log(job->context, GRAFT_LOG_REMARK,
                  "%s: %d tensors loaded, the head too: it knows these %d classes", file, report.loaded,
                  known);
        return GRAFT_OK;
    }
    status = graft_model_initialize(job->whole, job->variables, seed, job->whole->stage_count - 1);
    if (status == GRAFT_OK && known > 0)
        status = keep_known_classes(job, set, of_weights);
    if (status == GRAFT_OK && known > 0)
        graft_log(job->context, GRAFT_LOG_REMARK,
                  "%s: %d tensors loaded; the head knows %d of %d classes, the others begin anew", file,
                  report.loaded, known, job->card.class_count);
    else if (status == GRAFT_OK)
        graft_log(job->context, GRAFT_LOG_REMARK, "%s: %d tensors loaded; the head is new, for %d classes",
                  file, report.loaded, job->card.class_count);
    return status;
}
