/* SPDX-License-Identifier: MIT */
#include "infer/inference.h"

#include "backend/backend.h"
#include "base/context.h"
#include "graph/plan.h"
#include "infer/micro.h"

#define MIB 1048576.0

/* The model and plan of the last attempt. */
struct opening {
    const struct graft_inference *inference;
    struct graft_model **model;
    struct graft_plan **plan;
    uint64_t whole_need;
};

static enum graft_status attempt(void *user, int64_t rows, struct graft_micro_size *size)
{
    struct opening *const opening = user;
    const struct graft_inference *const inference = opening->inference;
    struct graft_plan_options options =
        inference->options ? *inference->options : (struct graft_plan_options){0};
    options.deferred = true;
    graft_plan_close(opening->plan);
    if (rows != (*opening->model)->batch) {
        struct graft_model *other = NULL;
        const enum graft_status status = graft_model_reopen(*opening->model, rows, &other);
        if (status != GRAFT_OK)
            return status;
        graft_model_close(opening->model);
        *opening->model = other;
    }
    if (inference->output > 0)
        graft_graph_output((*opening->model)->graph, inference->output);
    const enum graft_status status = graft_plan_open((*opening->model)->graph, inference->device,
                                                     inference->variables, &options, opening->plan);
    if (status != GRAFT_OK)
        return status;
    size->need = graft_plan_need(*opening->plan);
    size->room = graft_plan_room(*opening->plan, inference->reserve);
    size->fits = graft_plan_fits(*opening->plan, inference->reserve);
    if (opening->whole_need == 0)
        opening->whole_need = size->need;
    return GRAFT_OK;
}

enum graft_status graft_inference_open(const struct graft_inference *inference, struct graft_model **model,
                                       struct graft_plan **plan)
{
    struct graft_context *const context = inference->device->context;
    struct opening opening = {.inference = inference, .model = model, .plan = plan};
    const int64_t batch = (*model)->batch;
    struct graft_micro_size size;
    int64_t rows;
    *plan = NULL;
    enum graft_status status = graft_micro_search(batch, batch, false, attempt, &opening, &rows, &size);
    if (status == GRAFT_OK && !size.fits)
        status =
            graft_plan_refuse(*plan, inference->reserve,
                              batch > 1 ? "not even one picture at a time fits: allow more memory, or use "
                                          "smaller pictures or a smaller network"
                                        : "allow more memory, or use smaller pictures or a smaller network");
    else if (status == GRAFT_OK && rows < batch)
        graft_log(context, GRAFT_LOG_REMARK,
                  "%lld pictures at a time would need %.0f MiB on %s, of which %.0f can be had: it is %lld "
                  "at a time",
                  (long long)batch, (double)opening.whole_need / MIB, inference->device->info.id,
                  (double)size.room / MIB, (long long)rows);
    if (status == GRAFT_OK && !(inference->options && inference->options->deferred))
        status = graft_plan_acquire(*plan);
    if (status != GRAFT_OK)
        graft_plan_close(plan);
    return status;
}

uint64_t graft_inference_reserve(const struct graft_device *device, int64_t batch, uint64_t picture_bytes,
                                 int batches)
{
    if (device->memory == GRAFT_DEVICE_MEMORY_OWN)
        return 0;
    /* A sixteenth of what is allowed, for decoding and everything small. */
    return (uint64_t)batches * (uint64_t)batch * (picture_bytes + 256) +
           graft_context_memory_limit(device->context) / 16;
}
