/* SPDX-License-Identifier: MIT */
/* Within a limit of memory: what must be left for later, and who gives way to whom. */
#include "backend/backend.h"
#include "base/context.h"
#include "base/size.h"
#include "base/system.h"
#include "graph/plan.h"
#include "train/fit.h"
#include "infer/inference.h"

#include <string.h>

#define MIB 1048576.0

static bool shares_host(const struct graft_fit_job *job)
{
    return job->device->memory != GRAFT_DEVICE_MEMORY_OWN;
}

uint64_t graft_fit_free_bytes(const struct graft_fit_job *job)
{
    const uint64_t limit = graft_context_memory_limit(job->context);
    const uint64_t system = graft_system_free_memory();
    uint64_t live, peak;
    if (shares_host(job))
        return graft_device_free_bytes(job->device);
    graft_context_memory(job->context, &live, &peak);
    return limit == 0 ? system : graft_min_u64(system, limit > live ? limit - live : 0);
}

static uint64_t picture_bytes(const struct graft_fit_job *job)
{
    const struct graft_preprocess *const p = &job->card.preprocess;
    return (uint64_t)p->crop_height * (uint64_t)p->crop_width * (uint64_t)p->channels;
}

int32_t graft_fit_ahead(const struct graft_fit_job *job, int64_t batch)
{
    const uint64_t limit = graft_context_memory_limit(job->context);
    return limit > 0 && 4 * (uint64_t)batch * picture_bytes(job) > limit / 16 ? 1 : 3;
}

/* Bytes of the weights as they are kept and written. */
static uint64_t weight_bytes(const struct graft_fit_job *job)
{
    uint64_t bytes = 0;
    for (int p = 0; p < job->whole->parameter_count; p++) {
        const struct graft_desc desc = {GRAFT_DTYPE_F32, job->whole->parameters[p].shape};
        bytes += graft_desc_bytes(&desc) + 512;
    }
    return bytes;
}

uint64_t graft_fit_reserve(const struct graft_fit_job *job, bool cached)
{
    if (!shares_host(job))
        return 0;
    const int64_t batch = job->options.batch;
    const int32_t slots = graft_fit_ahead(job, batch) + 1;
    const uint64_t loaders = cached ? 0 : 2 * (uint64_t)slots * (uint64_t)batch; /* training and validation */
    return graft_inference_reserve(job->device, 1, 0, 0) + loaders * (picture_bytes(job) + 256) +
           (job->best ? 0 : weight_bytes(job));
}

uint64_t graft_fit_save_bytes(const struct graft_fit_job *job)
{
    struct graft_desc desc;
    uint64_t bytes = 0;
    for (int i = 0; graft_variables_at(job->variables, i, &desc, NULL); i++)
        bytes += graft_desc_bytes(&desc) + 512;
    return graft_max_u64(bytes, weight_bytes(job));
}

enum graft_status graft_fit_check_saving(const struct graft_fit_job *job)
{
    struct graft_plan_memory plan;
    const uint64_t bytes = graft_fit_save_bytes(job);
    uint64_t room = graft_fit_free_bytes(job);
    if (shares_host(job) && job->plan) {
        graft_plan_get_memory(job->plan, &plan);
        room += plan.activations + plan.sums + plan.inputs + plan.constants + plan.prepared;
    }
    return bytes <= room
               ? GRAFT_OK
               : graft_fail(job->context, GRAFT_ERROR_MEMORY,
                            "saving the run takes %.1f MiB for its weights and optimizer state, and "
                            "%.1f MiB can be had: allow more memory, or use a smaller network",
                            (double)bytes / MIB, (double)room / MIB);
}

uint64_t graft_fit_keep_limit(const struct graft_fit_job *job)
{
    const uint64_t room = graft_fit_free_bytes(job);
    const uint64_t reserve = graft_fit_reserve(job, false);
    return strcmp(job->options.cache, "never") == 0
               ? 0
               : graft_min_u64(job->options.features_limit, room > reserve ? (room - reserve) / 2 : 0);
}

void graft_fit_make_room(struct graft_fit_job *job, uint64_t bytes)
{
    if (job->validation && graft_device_free_bytes(job->device) < bytes)
        graft_plan_release(job->validation);
    if (job->plan && graft_device_free_bytes(job->device) < bytes) {
        graft_plan_release(job->plan);
        job->lent = true;
    }
}

void graft_fit_make_room_on_host(struct graft_fit_job *job, uint64_t bytes)
{
    if (shares_host(job))
        graft_fit_make_room(job, bytes);
}

enum graft_status graft_fit_take_back(struct graft_fit_job *job)
{
    job->lent = false;
    return job->plan ? graft_plan_acquire(job->plan) : GRAFT_OK;
}
