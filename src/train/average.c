/* SPDX-License-Identifier: MIT */
/* Moving averages of weights take the weights' place while these are measured and kept. */
#include "base/context.h"
#include "train/fit.h"

#include <stdio.h>

static enum graft_status swap_one(struct graft_fit_job *job, const struct graft_model_parameter *parameter)
{
    char name[GRAFT_MODEL_NAME_SIZE + 8];
    const uint64_t bytes = (uint64_t)graft_shape_count(&parameter->shape) * sizeof(float);
    (void)snprintf(name, sizeof name, "%s.ema", parameter->name);
    char *const numbers = graft_allocate_raw(job->context, 2, (size_t)bytes);
    if (!numbers)
        return GRAFT_ERROR_MEMORY;
    enum graft_status status = graft_variables_read(job->variables, parameter->name, numbers, bytes);
    if (status == GRAFT_OK)
        status = graft_variables_read(job->variables, name, numbers + bytes, bytes);
    if (status == GRAFT_OK)
        status = graft_variables_write(job->variables, parameter->name, numbers + bytes, bytes);
    if (status == GRAFT_OK)
        status = graft_variables_write(job->variables, name, numbers, bytes);
    graft_release(job->context, numbers);
    return status;
}

enum graft_status graft_fit_average_swap(struct graft_fit_job *job, const struct graft_fit_learning *learning)
{
    const struct graft_model *const model = learning->model;
    enum graft_status status = GRAFT_OK;
    for (int p = 0; p < model->parameter_count && status == GRAFT_OK && job->options.ema > 0; p++)
        if (model->parameters[p].trainable)
            status = swap_one(job, &model->parameters[p]);
    return status;
}
