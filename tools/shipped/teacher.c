/* SPDX-License-Identifier: MIT */
/* What the teacher makes of each version of each picture: its features before the classifier, kept as halves.
 */
#include "shipped.h"

#include "base/clock.h"
#include "base/context.h"
#include "io/stored.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 50 };

struct teacher {
    const struct shipped *job;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_plan *plan;
    struct graft_loader *loader;
    float features[BATCH * TEACHER_FEATURES];
    uint16_t halves[BATCH * TEACHER_FEATURES];
};

enum graft_status shipped_classifier(const struct shipped *job, struct graft_tensor_set **set,
                                     const float **w, const float **b)
{
    enum graft_status status = graft_tensor_set_load(job->context, job->teacher_file, set);
    for (size_t i = 0; status == GRAFT_OK && i < graft_tensor_set_count(*set); i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(*set, i);
        const bool real = tensor->desc.dtype == GRAFT_DTYPE_F32;
        if (real && tensor->desc.shape.rank == 2 && tensor->desc.shape.dim[0] == TEACHER_CLASSES &&
            tensor->desc.shape.dim[1] == TEACHER_FEATURES)
            *w = tensor->data;
        if (real && tensor->desc.shape.rank == 1 && tensor->desc.shape.dim[0] == TEACHER_CLASSES)
            *b = tensor->data;
    }
    return status != GRAFT_OK || (*w && *b)
               ? status
               : graft_fail(job->context, GRAFT_ERROR_FORMAT, "%s has no classifier", job->teacher_file);
}

static enum graft_status open_teacher(struct teacher *teacher)
{
    const struct shipped *const job = teacher->job;
    const struct graft_model_options options = {.batch = BATCH,
                                                .height = TEACHER_SIZE,
                                                .width = TEACHER_SIZE,
                                                .part = GRAFT_MODEL_BASE,
                                                .pool = GRAFT_MODEL_POOL_AVG,
                                                .input_u8 = true};
    struct graft_tensor_set *set = NULL;
    enum graft_status status = graft_model_open(job->context, TEACHER, &options, &teacher->model);
    if (status == GRAFT_OK)
        status = graft_tensor_set_load(job->context, job->teacher_file, &set);
    if (status == GRAFT_OK)
        status = graft_variables_open(job->device, &teacher->variables);
    if (status == GRAFT_OK)
        status = graft_model_load_weights(teacher->model, teacher->variables, set, false, NULL);
    if (status == GRAFT_OK)
        status =
            graft_plan_open(teacher->model->graph, job->device, teacher->variables, NULL, &teacher->plan);
    if (status == GRAFT_OK)
        status = shipped_loader(job, TEACHER_SIZE, BATCH, false, &teacher->loader);
    graft_tensor_set_close(&set);
    return status;
}

/* The batches behind what the file holds already. */
static enum graft_status teach_version(struct teacher *teacher, int version)
{
    const struct shipped *const job = teacher->job;
    const int64_t batches = graft_loader_batches(teacher->loader);
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/teacher-%d.f16", job->folder, version);
    FILE *const file = fopen(path, "ab");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return graft_fail(job->context, GRAFT_ERROR_IO, "cannot write %s: %s", path, strerror(errno));
    const long whole = ftell(file) / (long)sizeof teacher->halves;
    enum graft_status status = ftruncate(fileno(file), whole * (long)sizeof teacher->halves) == 0
                                   ? graft_loader_start(teacher->loader, version, whole < batches ? whole : 0)
                                   : GRAFT_ERROR_IO;
    const double begin = graft_seconds();
    for (int64_t at = whole; at < batches && status == GRAFT_OK; at++) {
        struct graft_batch batch;
        status = graft_loader_next(teacher->loader, &batch);
        if (status == GRAFT_OK)
            status = graft_plan_write(teacher->plan, teacher->model->input, batch.pixels,
                                      (uint64_t)BATCH * TEACHER_SIZE * TEACHER_SIZE * 3);
        if (status == GRAFT_OK)
            status = graft_plan_run(teacher->plan, GRAFT_SEGMENT_COMPUTE);
        if (status == GRAFT_OK)
            status = graft_plan_read(teacher->plan, teacher->model->features, teacher->features,
                                     sizeof teacher->features);
        for (size_t i = 0; i < BATCH * TEACHER_FEATURES; i++)
            teacher->halves[i] = graft_half_of_float(teacher->features[i]);
        if (status == GRAFT_OK && fwrite(teacher->halves, sizeof teacher->halves, 1, file) != 1)
            status = graft_fail(job->context, GRAFT_ERROR_IO, "cannot write %s", path);
        if (status == GRAFT_OK && at % 100 == 99) {
            printf("teacher, version %d: %lld of %lld, %.1f pictures a second\n", version,
                   (long long)(at + 1) * BATCH, (long long)batches * BATCH,
                   (double)(at + 1 - whole) * BATCH / (graft_seconds() - begin));
            (void)fflush(stdout);
        }
    }
    if (fclose(file) != 0 && status == GRAFT_OK)
        status = graft_fail(job->context, GRAFT_ERROR_IO, "cannot write %s", path);
    return status;
}

enum graft_status shipped_teach(const struct shipped *job)
{
    struct teacher *const teacher = calloc(1, sizeof *teacher);
    if (!teacher)
        return GRAFT_ERROR_MEMORY;
    teacher->job = job;
    enum graft_status status = open_teacher(teacher);
    for (int v = 0; v < job->versions && status == GRAFT_OK; v++)
        status = teach_version(teacher, v);
    graft_loader_close(&teacher->loader);
    graft_plan_close(&teacher->plan);
    graft_variables_close(&teacher->variables);
    graft_model_close(&teacher->model);
    free(teacher);
    return status;
}
