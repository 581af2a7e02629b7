/* SPDX-License-Identifier: MIT */
/* What a run keeps while it goes on: weights, and the variables from which it is resumed to the bit. */
#include "backend/backend.h"
#include "base/clock.h"
#include "base/context.h"
#include "graft/weights.h"
#include "train/share.h"

#include <string.h>

/* The network's weights as they are now, with their card. */
static enum graft_status snapshot(struct graft_fit_job *job, struct graft_tensor_set **set)
{
    enum graft_status status = graft_tensor_set_open(job->context, set);
    if (status == GRAFT_OK)
        status = graft_card_write(job->context, &job->card, *set);
    if (status == GRAFT_OK)
        status = graft_model_store_weights(job->whole, job->variables, *set);
    if (status != GRAFT_OK)
        graft_tensor_set_close(set);
    return status;
}

enum graft_status graft_fit_keep_best(struct graft_fit_job *job)
{
    struct graft_tensor_set *set = NULL;
    if (!graft_fit_writes(job))
        return GRAFT_OK;
    graft_fit_make_room_on_host(job, graft_fit_save_bytes(job));
    enum graft_status status = snapshot(job, &set);
    const char *const broken = status == GRAFT_OK ? graft_fit_not_finite(set) : NULL;
    if (broken)
        status =
            graft_fail(job->context, GRAFT_ERROR_NUMERIC,
                       "the weights \"%s\" are no longer all numbers: training has diverged, a lower --lr "
                       "may help",
                       broken);
    if (status != GRAFT_OK) {
        graft_tensor_set_close(&set);
        return status;
    }
    graft_tensor_set_close(&job->best);
    job->best = set;
    job->best_unsaved = true;
    return GRAFT_OK;
}

/* All variables in our own layout, and the position. */
static enum graft_status save_state(struct graft_fit_job *job)
{
    struct graft_tensor_set *set = NULL;
    enum graft_status status = graft_tensor_set_open(job->context, &set);
    for (int i = 0; status == GRAFT_OK; i++) {
        struct graft_desc desc;
        const char *const name = graft_variables_at(job->variables, i, &desc, NULL);
        if (!name)
            break;
        status = graft_tensor_set_add(set, name, &desc, NULL);
        if (status == GRAFT_OK)
            status = graft_variables_read(job->variables, name, graft_tensor_set_find(set, name)->data,
                                          graft_desc_bytes(&desc));
    }
    struct graft_run_position position = job->position;
    position.total_seconds += graft_seconds() - job->begin;
    if (status == GRAFT_OK)
        status = graft_run_save_state(job->run, &position, set);
    graft_tensor_set_close(&set);
    return status;
}

static enum graft_status save_best(struct graft_fit_job *job)
{
    const enum graft_status status = job->best && job->best_unsaved
                                         ? graft_run_save_weights(job->run, GRAFT_RUN_BEST, job->best)
                                         : GRAFT_OK;
    job->best_unsaved = job->best_unsaved && status != GRAFT_OK;
    return status;
}

enum graft_status graft_fit_save(struct graft_fit_job *job)
{
    struct graft_tensor_set *last = NULL;
    const double begin = graft_seconds();
    if (!graft_fit_writes(job))
        return GRAFT_OK;
    enum graft_status status = save_best(job);
    graft_fit_make_room_on_host(job, graft_fit_save_bytes(job));
    if (status == GRAFT_OK)
        status = snapshot(job, &last);
    if (status == GRAFT_OK)
        status = graft_run_save_weights(job->run, GRAFT_RUN_LAST, last);
    graft_tensor_set_close(&last);
    if (status == GRAFT_OK)
        status = save_state(job);
    job->last_saved = graft_seconds();
    job->save_seconds = job->last_saved - begin;
    return status;
}

enum graft_status graft_fit_save_end(struct graft_fit_job *job, enum graft_status status)
{
    const struct graft_run_history *const history = &job->run->history;
    struct graft_kept_error kept;
    if (!graft_fit_writes(job))
        return status == GRAFT_ERROR_CANCELLED ? GRAFT_OK : status;
    if (status == GRAFT_ERROR_CANCELLED)
        status = job->best ? GRAFT_OK : graft_fit_keep_best(job);
    if (status == GRAFT_OK)
        return graft_fit_save(job);
    if (graft_run_history_best(history) < 0)
        return status; /* nothing that would be lost */
    graft_keep_error(job->context, &kept);
    /* A state that makes NaN is no place to go on from: the one before it stays. */
    const enum graft_status saved = status == GRAFT_ERROR_NUMERIC ? save_best(job) : graft_fit_save(job);
    graft_restore_error(job->context, &kept);
    return saved != GRAFT_OK ? status
                             : graft_fail(job->context, status, "%s; %s keeps the weights of epoch %d",
                                          graft_context_error(job->context), job->run->folder,
                                          history->epochs[graft_run_history_best(history)].epoch);
}

/* Variables that only a later stage's plan creates are created here, from the state's own description. */
static enum graft_status read_variables(struct graft_fit_job *job, const struct graft_tensor_set *set)
{
    struct graft_graph *graph = NULL;
    enum graft_status status = graft_graph_open(job->context, GRAFT_DTYPE_F32, &graph);
    for (size_t i = 0; i < graft_tensor_set_count(set) && status == GRAFT_OK; i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        bool known = false;
        const char *name;
        for (int k = 0; !known && (name = graft_variables_at(job->variables, k, NULL, NULL)); k++)
            known = strcmp(name, tensor->name) == 0;
        if (!known)
            (void)graft_graph_state(graph, tensor->name, &tensor->desc.shape, 0);
        status = graft_graph_status(graph);
    }
    if (status == GRAFT_OK)
        status = graft_variables_add(job->variables, graph);
    for (size_t i = 0; i < graft_tensor_set_count(set) && status == GRAFT_OK; i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        status = graft_variables_write(job->variables, tensor->name, tensor->data,
                                       graft_desc_bytes(&tensor->desc));
    }
    graft_graph_close(&graph);
    return status;
}

/* Thresholds go with the best weights. */
static enum graft_status take_thresholds(struct graft_fit_job *job, const char *file)
{
    struct graft_card best;
    const enum graft_status status = graft_card_read(job->context, job->best, file, &best);
    if (status == GRAFT_OK && best.thresholds && best.class_count == job->card.class_count) {
        graft_release(job->context, job->card.thresholds);
        job->card.target.thresholds = job->card.thresholds = best.thresholds;
        best.thresholds = NULL;
    }
    graft_card_close(job->context, &best);
    return status;
}

enum graft_status graft_fit_load(struct graft_fit_job *job)
{
    struct graft_tensor_set *set = NULL;
    struct graft_text path = {0};
    enum graft_status status = graft_run_load(job->run, &job->position, &set);
    if (status == GRAFT_OK)
        status = read_variables(job, set);
    graft_tensor_set_close(&set);
    if (status == GRAFT_OK)
        status = graft_run_path(job->run, GRAFT_RUN_BEST, &path);
    if (status == GRAFT_OK)
        status = graft_safetensors_load(job->context, path.data, &job->best);
    if (status == GRAFT_OK)
        status = take_thresholds(job, path.data);
    graft_text_close(job->context, &path);
    if (status == GRAFT_OK && job->position.stage >= job->options.stage_count)
        graft_log(job->context, GRAFT_LOG_REMARK, "the run %s is complete; it is evaluated again",
                  job->run->folder);
    return status;
}
