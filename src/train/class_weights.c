/* SPDX-License-Identifier: MIT */
/* How much each class counts in the training loss. */
#include "base/context.h"
#include "base/text.h"
#include "train/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* n / (classes · n_c): classes of different size then count the same in all. A class without pictures
 * counts 1. */
static enum graft_status balance(struct graft_fit_job *job)
{
    const int64_t pictures = graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN);
    const int32_t classes = job->card.class_count;
    int64_t *const counts = graft_allocate(job->context, (size_t)classes, sizeof *counts);
    if (!counts)
        return GRAFT_ERROR_MEMORY;
    int32_t least = 0, most = 0;
    for (int64_t i = 0; i < pictures; i++)
        counts[graft_dataset_label(job->dataset, GRAFT_SPLIT_TRAIN, i)]++;
    for (int32_t c = 0; c < classes; c++) {
        const double share = (double)classes * (double)counts[c];
        job->class_weights[c] = counts[c] ? (float)((double)pictures / share) : 1;
        least = job->class_weights[c] < job->class_weights[least] ? c : least;
        most = job->class_weights[c] > job->class_weights[most] ? c : most;
    }
    graft_release(job->context, counts);
    graft_log(job->context, GRAFT_LOG_REMARK, "classes weigh from %.3g (%s) to %.3g (%s) in the loss",
              (double)job->class_weights[least], job->card.class_names[least],
              (double)job->class_weights[most], job->card.class_names[most]);
    return GRAFT_OK;
}

static enum graft_status read_list(struct graft_fit_job *job)
{
    const int32_t classes = job->card.class_count;
    int32_t count = 0;
    for (const char *at = job->options.class_weights; at; count++) {
        const size_t length = strcspn(at, ",");
        char *end = NULL;
        const double weight = graft_read_number(at, &end);
        if (length == 0 || end != at + length || !(weight >= 1e-6 && weight <= 1e6))
            return graft_fail(
                job->context, GRAFT_ERROR_ARGUMENT,
                "class weights are \"balanced\", \"none\" or numbers from 1e-6 to 1e6 with commas "
                "between them; \"%.*s\" is none",
                (int)length, at);
        if (count < classes)
            job->class_weights[count] = (float)weight;
        at = at[length] ? at + length + 1 : NULL;
    }
    if (count != classes)
        return graft_fail(
            job->context, GRAFT_ERROR_ARGUMENT,
            "there are %d class weights for %d classes (%s to %s): give one for each, in this order", count,
            classes, job->card.class_names[0], job->card.class_names[classes - 1]);
    return GRAFT_OK;
}

enum graft_status graft_fit_class_weights(struct graft_fit_job *job)
{
    const char *const text = job->options.class_weights;
    if (!text || strcmp(text, "none") == 0)
        return GRAFT_OK;
    job->class_weights = graft_allocate(job->context, (size_t)job->card.class_count, sizeof(float));
    if (!job->class_weights)
        return GRAFT_ERROR_MEMORY;
    return strcmp(text, "balanced") == 0 ? balance(job) : read_list(job);
}
