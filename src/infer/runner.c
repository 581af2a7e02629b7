/* SPDX-License-Identifier: MIT */
#include "infer/runner.h"

#include "base/context.h"
#include "graph/plan.h"

#include <string.h>

/* What is to be told of the rows of a batch, after the source has gone on. */
struct told {
    int64_t *samples;
    int32_t *labels;
    enum graft_status *statuses;
    char **texts;
    int64_t count;
    bool any; /* some row is not damaged: the batch was run */
};

static void forget(struct graft_context *context, struct told *told)
{
    for (int64_t i = 0; told->texts && i < told->count; i++) {
        graft_release(context, told->texts[i]);
        told->texts[i] = NULL;
    }
    told->count = 0;
}

static void close_told(struct graft_context *context, struct told *told)
{
    forget(context, told);
    graft_release(context, told->samples);
    graft_release(context, told->labels);
    graft_release(context, told->statuses);
    graft_release(context, told->texts);
}

static enum graft_status open_told(struct graft_context *context, int64_t batch, struct told *told)
{
    const size_t rows = (size_t)batch;
    told->samples = graft_allocate(context, rows, sizeof *told->samples);
    told->labels = graft_allocate(context, rows, sizeof *told->labels);
    told->statuses = graft_allocate(context, rows, sizeof *told->statuses);
    told->texts = graft_allocate(context, rows, sizeof *told->texts);
    return told->samples && told->labels && told->statuses && told->texts ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

static enum graft_status keep(struct graft_context *context, const struct graft_fit_batch *batch,
                              struct told *told)
{
    told->any = false;
    for (int64_t i = 0; i < batch->valid; i++) {
        const struct graft_note note = batch->notes ? batch->notes[i] : (struct graft_note){GRAFT_OK, NULL};
        told->samples[i] = batch->samples ? batch->samples[i] : -1;
        told->labels[i] = batch->labels[i];
        told->statuses[i] = note.status;
        told->any = told->any || note.status == GRAFT_OK;
        told->count = i + 1;
        if (note.text) {
            told->texts[i] = graft_duplicate_text(context, note.text);
            if (!told->texts[i]) {
                return GRAFT_ERROR_MEMORY;
            }
        }
    }
    return GRAFT_OK;
}

/* The next batch, on its way to the device: there it waits for what runs on the one before. */
static enum graft_status fetch(const struct graft_runner *runner, struct graft_fit_batch *batch)
{
    const struct graft_model *const model = runner->model;
    *batch = (struct graft_fit_batch){0};
    const enum graft_status status = runner->next(runner->source, batch);
    if (status != GRAFT_OK || batch->valid == 0) {
        return status;
    }
    return batch->rows ? graft_plan_write_rows(runner->plan, model->input, batch->rows, model->batch)
                       : graft_plan_write(runner->plan, model->input, batch->input,
                                          graft_desc_bytes(graft_graph_desc(model->graph, model->input)));
}

static enum graft_status hand_out(const struct graft_runner *runner, const struct told *told, uint8_t *values)
{
    const uint64_t bytes = graft_desc_bytes(graft_graph_desc(runner->model->graph, runner->value));
    const uint64_t row_bytes = bytes / (uint64_t)runner->model->batch;
    enum graft_status status =
        told->any ? graft_plan_read(runner->plan, runner->value, values, bytes) : GRAFT_OK;
    for (int64_t i = 0; status == GRAFT_OK && i < told->count; i++) {
        const struct graft_runner_row row = {
            .sample = told->samples[i],
            .label = told->labels[i],
            .note = {told->statuses[i], told->texts[i]},
            .values = told->statuses[i] == GRAFT_OK ? values + (uint64_t)i * row_bytes : NULL};
        status = runner->take(runner->user, &row);
    }
    if (status == GRAFT_OK && runner->batch_done) {
        runner->batch_done(runner->user);
    }
    return status;
}

enum graft_status graft_runner_run(const struct graft_runner *runner)
{
    struct graft_context *const context = runner->context;
    struct told told = {0};
    struct graft_fit_batch batch;
    const uint64_t bytes = graft_desc_bytes(graft_graph_desc(runner->model->graph, runner->value));
    uint8_t *const values = graft_allocate_raw(context, (size_t)bytes, 1);
    enum graft_status status = values ? open_told(context, runner->model->batch, &told) : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK) {
        status = fetch(runner, &batch);
    }
    while (status == GRAFT_OK && batch.valid > 0) {
        status = keep(context, &batch, &told);
        if (status == GRAFT_OK && told.any) {
            status = graft_plan_run(runner->plan, GRAFT_SEGMENT_COMPUTE);
        }
        if (status != GRAFT_OK) {
            break;
        }
        const enum graft_status fetched = fetch(runner, &batch);
        if (fetched == GRAFT_OK || fetched == GRAFT_ERROR_CANCELLED) {
            status = hand_out(runner, &told, values);
        }
        forget(context, &told);
        status = status == GRAFT_OK ? fetched : status;
    }
    close_told(context, &told);
    graft_release(context, values);
    return status;
}

enum graft_status graft_runner_next_pictures(void *loader, struct graft_fit_batch *batch)
{
    struct graft_batch loaded;
    const enum graft_status status = graft_loader_next(loader, &loaded);
    if (status == GRAFT_OK) {
        *batch = (struct graft_fit_batch){.input = loaded.pixels,
                                          .labels = loaded.labels,
                                          .share = loaded.share,
                                          .samples = loaded.samples,
                                          .notes = loaded.notes,
                                          .valid = loaded.valid,
                                          .number = loaded.number};
    }
    return status;
}
