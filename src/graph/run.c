/* SPDX-License-Identifier: MIT */
/* Running a plan. Nothing here allocates. */
#include "base/context.h"
#include "base/pool.h"
#include "base/size.h"
#include "graph/plan.h"

#include <math.h>

/* Fails if an output of the step holds NaN or Inf. */
static enum graft_status check_numbers(struct graft_plan *plan, const struct graft_plan_step *step)
{
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        const struct graft_desc *const desc = &step->node->call.out[i];
        const int64_t count = desc->dtype == GRAFT_DTYPE_NONE ? 0 : graft_shape_count(&desc->shape);
        if (count == 0 || (desc->dtype != GRAFT_DTYPE_F32 && desc->dtype != GRAFT_DTYPE_F64))
            continue;
        const enum graft_status status = plan->device->backend->buffer_read(
            plan->device, plan->numbers, step->out[i], graft_desc_bytes(desc));
        if (status != GRAFT_OK)
            return status;
        for (int64_t k = 0; k < count; k++) {
            const double x = desc->dtype == GRAFT_DTYPE_F64 ? ((const double *)plan->numbers)[k]
                                                            : ((const float *)plan->numbers)[k];
            if (!isfinite(x))
                return graft_fail(plan->context, GRAFT_ERROR_NUMERIC,
                                  "layer %s made %s at element %lld: %s. A smaller learning rate often helps",
                                  step->node->layer >= 0 ? plan->graph->layers[step->node->layer] : "-",
                                  isnan(x) ? "NaN" : "Inf", (long long)k, step->text);
        }
    }
    return GRAFT_OK;
}

enum graft_status graft_plan_run_step(struct graft_plan *plan, const struct graft_plan_step *step)
{
    if (!step->kernel)
        return GRAFT_OK;
    enum graft_status status =
        plan->device->backend->kernel_run(plan->device, step->kernel, step->in, step->out, step->workspace);
    if (status == GRAFT_OK && plan->numbers)
        status = check_numbers(plan, step);
    if (status != GRAFT_OK && status != GRAFT_ERROR_NUMERIC)
        status = graft_fail_prefix(plan->context, status, "layer %s",
                                   step->node->layer >= 0 ? plan->graph->layers[step->node->layer] : "-");
    return status;
}

static enum graft_status check_acquired(const struct graft_plan *plan)
{
    return plan->acquired ? GRAFT_OK
                          : graft_fail(plan->context, GRAFT_ERROR_ARGUMENT,
                                       "the plan's memory was given back: take it with graft_plan_acquire");
}

enum graft_status graft_plan_refresh(struct graft_plan *plan)
{
    const enum graft_status acquired = check_acquired(plan);
    if (acquired != GRAFT_OK)
        return acquired;
    const uint64_t lost = plan->device->lost;
    plan->version = 0; /* half of it done is nothing */
    for (int s = 0; s < plan->n_steps; s++) {
        const struct graft_plan_step *const step = &plan->steps[s];
        if (!step->node->once)
            continue;
        const enum graft_status status = graft_plan_run_step(plan, step);
        if (status != GRAFT_OK)
            return status;
    }
    for (int s = 0; s < plan->n_steps; s++) {
        const struct graft_plan_step *const step = &plan->steps[s];
        if (!step->kernel || step->info.prepared_bytes == 0)
            continue;
        const enum graft_status status =
            plan->device->backend->kernel_prepare(plan->device, step->kernel, step->in);
        if (status != GRAFT_OK)
            return status;
    }
    plan->version = plan->variables->version;
    plan->lost = lost;
    return GRAFT_OK;
}

/* A segment's own changes do not concern what this plan has packed: packed are only variables it never
 * changes. */
static void note_changes(struct graft_plan *plan, enum graft_segment segment)
{
    if (!plan->mutates[segment])
        return;
    plan->variables->version++;
    plan->version += plan->version != 0;
}

static enum graft_status begin(struct graft_plan *plan, enum graft_segment segment)
{
    const enum graft_status status = check_acquired(plan);
    if (status != GRAFT_OK)
        return status;
    if (plan->version != 0 &&
        (segment == GRAFT_SEGMENT_UPDATE ||
         (plan->version == plan->variables->version && plan->lost == plan->device->lost)))
        return GRAFT_OK;
    return graft_plan_refresh(plan);
}

static enum graft_status tell(const struct graft_plan *plan, struct graft_plan_watcher *watcher, int step)
{
    const enum graft_status status = watcher->made ? watcher->made(watcher->user, step) : GRAFT_OK;
    if (status != GRAFT_OK)
        return status;
    const bool inside = graft_chunks_has_step(&plan->chunks, step); /* then all steps there are done */
    const uint64_t bytes = watcher->ready ? plan->ready[inside ? plan->chunks.end - 1 : step] : 0;
    if (bytes <= watcher->told)
        return GRAFT_OK;
    watcher->told = bytes;
    return watcher->ready(watcher->user, bytes);
}

static enum graft_status run(struct graft_plan *plan, enum graft_segment segment, struct graft_plan_watcher *watcher)
{
    enum graft_status status = begin(plan, segment);
    for (int s = 0; s < plan->n_steps && status == GRAFT_OK; s++) {
        if (plan->steps[s].node->once || plan->steps[s].node->segment != segment)
            continue;
        if (!graft_chunks_has_step(&plan->chunks, s))
            status = graft_plan_run_step(plan, &plan->steps[s]);
        else if (s == plan->chunks.begin)
            status = graft_plan_run_chunks(plan, false);
        if (status == GRAFT_OK)
            status = tell(plan, watcher, s);
    }
    note_changes(plan, segment);
    return status;
}

enum graft_status graft_plan_run(struct graft_plan *plan, enum graft_segment segment)
{
    struct graft_plan_watcher nobody = {.ready = NULL};
    return run(plan, segment, &nobody);
}

enum graft_status graft_plan_run_sums(struct graft_plan *plan, struct graft_plan_watcher watcher)
{
    watcher.ready = plan->ready ? watcher.ready : NULL;
    return run(plan, GRAFT_SEGMENT_COMPUTE, &watcher);
}

enum graft_status graft_plan_profile(struct graft_plan *plan, enum graft_segment segment)
{
    double seconds;
    enum graft_status status = begin(plan, segment);
    if (status == GRAFT_OK)
        status = plan->device->backend->synchronize(plan->device, &seconds);
    for (int s = 0; s < plan->n_steps && status == GRAFT_OK; s++) {
        struct graft_plan_step *const step = &plan->steps[s];
        if (step->node->once || step->node->segment != segment)
            continue;
        if (graft_chunks_has_step(&plan->chunks, s)) {
            if (s == plan->chunks.begin)
                status = graft_plan_run_chunks(plan, true);
            continue;
        }
        status = graft_plan_run_step(plan, step);
        if (status == GRAFT_OK)
            status = plan->device->backend->synchronize(plan->device, &step->seconds);
    }
    note_changes(plan, segment);
    return status;
}

enum graft_status graft_plan_clear(struct graft_plan *plan)
{
    enum graft_status status = check_acquired(plan);
    for (int chunk = 0; chunk < plan->memory.n_chunks[GRAFT_ARENA_SUM] && status == GRAFT_OK; chunk++) {
        const struct graft_tensor whole = {plan->buffers[GRAFT_ARENA_SUM][chunk], 0};
        status = plan->device->backend->buffer_fill(plan->device, whole, 0,
                                                    plan->memory.chunk_bytes[GRAFT_ARENA_SUM][chunk]);
    }
    return status;
}

enum graft_status graft_plan_wait(struct graft_plan *plan)
{
    return plan->device->backend->synchronize(plan->device, NULL);
}

/* Finds the memory of a value of the caller's graph and checks the size. */
static enum graft_status locate(const struct graft_plan *plan, int value, uint64_t bytes, const char *what,
                                struct graft_tensor *tensor)
{
    if (value < 0 || value >= plan->n_graph_values)
        return graft_fail(plan->context, GRAFT_ERROR_ARGUMENT, "the graph has no value %d to %s", value,
                          what);
    const struct graft_desc *const desc = &plan->graph->values[value].desc;
    if (graft_desc_bytes(desc) != bytes)
        return graft_fail(plan->context, GRAFT_ERROR_SHAPE, "value \"%s\" has %llu bytes, not %llu",
                          graft_graph_name(plan->graph, value), (unsigned long long)graft_desc_bytes(desc),
                          (unsigned long long)bytes);
    const enum graft_status status = check_acquired(plan);
    if (status != GRAFT_OK)
        return status;
    *tensor = graft_plan_tensor(plan, value);
    if (!tensor->buffer)
        return graft_fail(plan->context, GRAFT_ERROR_NOT_FOUND,
                          "value \"%s\" is not kept by this plan: mark it with graft_graph_output",
                          graft_graph_name(plan->graph, value));
    return GRAFT_OK;
}

enum graft_status graft_plan_write(struct graft_plan *plan, int value, const void *data, uint64_t bytes)
{
    struct graft_tensor tensor;
    if (graft_graph_kind(plan->graph, value) != GRAFT_VALUE_INPUT)
        return graft_fail(plan->context, GRAFT_ERROR_ARGUMENT, "value \"%s\" is no input",
                          graft_graph_name(plan->graph, value));
    const enum graft_status status = locate(plan, value, bytes, "write", &tensor);
    if (status != GRAFT_OK || bytes == 0)
        return status;
    return plan->device->backend->buffer_write(plan->device, tensor, data, bytes);
}

struct row_writing {
    struct graft_plan *plan;
    struct graft_tensor to;
    const void *const *rows;
    uint64_t row_bytes;
};

static enum graft_status write_row(const struct row_writing *writing, int64_t row)
{
    struct graft_tensor to = writing->to;
    to.offset += (uint64_t)row * writing->row_bytes;
    return writing->plan->device->backend->buffer_write(writing->plan->device, to, writing->rows[row],
                                                        writing->row_bytes);
}

/* Where kernels may run in the pool's threads, buffers are memory: writing there does not fail. */
static void write_row_item(void *argument, int64_t row, int thread)
{
    (void)thread;
    (void)write_row(argument, row);
}

enum graft_status graft_plan_write_rows(struct graft_plan *plan, int value, const void *const *rows,
                                        int64_t count)
{
    struct row_writing writing = {.plan = plan, .rows = rows};
    if (graft_graph_kind(plan->graph, value) != GRAFT_VALUE_INPUT)
        return graft_fail(plan->context, GRAFT_ERROR_ARGUMENT, "value \"%s\" is no input",
                          graft_graph_name(plan->graph, value));
    const struct graft_desc *const desc = &plan->graph->values[value].desc;
    if (desc->shape.rank < 1 || desc->shape.dim[0] != count)
        return graft_fail(plan->context, GRAFT_ERROR_SHAPE, "value \"%s\" does not have %lld rows",
                          graft_graph_name(plan->graph, value), (long long)count);
    enum graft_status status = locate(plan, value, graft_desc_bytes(desc), "write", &writing.to);
    writing.row_bytes = count > 0 ? graft_desc_bytes(desc) / (uint64_t)count : 0;
    if (status != GRAFT_OK || writing.row_bytes == 0)
        return status;
    if (plan->device->lanes)
        graft_pool_run(plan->device->lanes, count, write_row_item, &writing);
    for (int64_t row = 0; row < count && status == GRAFT_OK && !plan->device->lanes; row++)
        status = write_row(&writing, row);
    return status;
}

static enum graft_status locate_kept(const struct graft_plan *plan, int value, uint64_t bytes,
                                     struct graft_tensor *tensor)
{
    const enum graft_status status = locate(plan, value, bytes, "read", tensor);
    if (status != GRAFT_OK)
        return status;
    if (graft_graph_kind(plan->graph, value) == GRAFT_VALUE_INTERMEDIATE &&
        !plan->graph->values[value].output)
        return graft_fail(plan->context, GRAFT_ERROR_NOT_FOUND,
                          "value \"%s\" is not kept by this plan: mark it with graft_graph_output",
                          graft_graph_name(plan->graph, value));
    return GRAFT_OK;
}

enum graft_status graft_plan_read(struct graft_plan *plan, int value, void *data, uint64_t bytes)
{
    struct graft_tensor tensor;
    const enum graft_status status = locate_kept(plan, value, bytes, &tensor);
    return status == GRAFT_OK && bytes ? plan->device->backend->buffer_read(plan->device, data, tensor, bytes)
                                       : status;
}

enum graft_status graft_plan_fetch(struct graft_plan *plan, int value, void *data, uint64_t bytes,
                                   uint64_t *ticket)
{
    struct graft_tensor tensor;
    const enum graft_status status = locate_kept(plan, value, bytes, &tensor);
    return status == GRAFT_OK && bytes
               ? plan->device->backend->buffer_fetch(plan->device, data, tensor, bytes, ticket)
               : status;
}

void graft_plan_get_memory(const struct graft_plan *plan, struct graft_plan_memory *memory)
{
    *memory = plan->books;
}

int graft_plan_node_count(const struct graft_plan *plan)
{
    return plan->n_steps;
}

void graft_plan_node_at(const struct graft_plan *plan, int index, struct graft_plan_node *node)
{
    *node = (struct graft_plan_node){.layer = ""};
    if (index < 0 || index >= plan->n_steps)
        return;
    const struct graft_plan_step *const step = &plan->steps[index];
    const struct graft_op_def *const def = graft_op_get(step->node->call.op);
    struct graft_work work = {0};
    if (def->work && !graft_memory_is_alias(plan->graph, step->node))
        def->work(&step->node->call, &work);
    const double times = graft_chunks_has_step(&plan->chunks, index) ? (double)plan->chunks.count : 1;
    node->layer = step->node->layer >= 0 ? plan->graph->layers[step->node->layer] : "";
    node->op = def->name;
    node->variant = step->info.name;
    node->call = step->text;
    node->tuned = step->tuned;
    node->segment = step->node->segment;
    node->once = step->node->once;
    node->flops = times * work.flops;
    node->saving = step->info.saving > 0 ? step->info.saving : 1;
    node->bytes = times * work.bytes;
    node->bytes_at_once = work.bytes * (times > 1 ? (double)plan->chunks.lanes : 1);
    node->seconds = step->seconds;
}
