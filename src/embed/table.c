/* SPDX-License-Identifier: MIT */
/* The features of all pictures of a data set, brought to length 1. */
#include "base/context.h"
#include "data/fault.h"
#include "embed/embed.h"
#include "infer/classifier.h"

#include <math.h>
#include <string.h>

struct job {
    struct graft_context *context;
    struct graft_embedding *embedding;
    enum graft_split split;
    bool skip_damaged;
    int64_t total, done;
    void (*progress)(void *user, int64_t done, int64_t total);
    void *user;
};

static void normalize(float *vector, int64_t width)
{
    double sum = 0;
    for (int64_t i = 0; i < width; i++)
        sum += (double)vector[i] * (double)vector[i];
    for (int64_t i = 0; i < width && sum > 0; i++)
        vector[i] = (float)((double)vector[i] / sqrt(sum));
}

static enum graft_status take(void *user, const struct graft_classified *picture)
{
    struct job *const job = user;
    struct graft_embedding *const e = job->embedding;
    if (!picture->values && !job->skip_damaged)
        return graft_fail(job->context, picture->status, "%s" GRAFT_DAMAGED_ADVICE, picture->note);
    if (picture->note)
        graft_log(job->context, GRAFT_LOG_WARNING, "%s: %s", picture->values ? "suspect" : "left out",
                  picture->note);
    if (picture->values) {
        float *const vector = e->vectors + e->count * e->width;
        memcpy(vector, picture->values, (size_t)e->width * sizeof *vector);
        normalize(vector, e->width);
        e->pictures[e->count++] = (struct graft_embedded){job->split, picture->index, picture->label};
    } else {
        e->left_out++;
    }
    job->done++;
    if (job->progress)
        job->progress(job->user, job->done, job->total);
    return GRAFT_OK;
}

enum graft_status graft_embed_dataset(struct graft_classifier *classifier,
                                      const struct graft_dataset *dataset, bool skip_damaged,
                                      void (*progress)(void *user, int64_t done, int64_t total), void *user,
                                      struct graft_embedding *embedding)
{
    struct graft_context *const context = classifier->context;
    struct job job = {.context = context,
                      .embedding = embedding,
                      .skip_damaged = skip_damaged,
                      .progress = progress,
                      .user = user};
    *embedding = (struct graft_embedding){.width = graft_classifier_width(classifier)};
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++)
        job.total += graft_dataset_count(dataset, (enum graft_split)s);
    embedding->vectors = graft_allocate(context, (size_t)job.total, (size_t)embedding->width * sizeof(float));
    embedding->pictures = graft_allocate(context, (size_t)job.total, sizeof *embedding->pictures);
    enum graft_status status = embedding->vectors && embedding->pictures ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    for (int s = 0; s < GRAFT_SPLIT_COUNT && status == GRAFT_OK; s++) {
        job.split = (enum graft_split)s;
        if (graft_dataset_count(dataset, job.split) > 0)
            status = graft_classifier_dataset(classifier, dataset, job.split, take, &job);
    }
    return status;
}

void graft_embedding_close(struct graft_context *context, struct graft_embedding *embedding)
{
    graft_release(context, embedding->vectors);
    graft_release(context, embedding->pictures);
    *embedding = (struct graft_embedding){0};
}
