/* SPDX-License-Identifier: MIT */
/* The weights of a network's first convolution, which are pictures themselves. */
#include "base/context.h"
#include "graft/ascent.h"
#include "infer/classifier.h"

#include <math.h>

enum graft_status graft_kernels_read(struct graft_classifier *classifier, struct graft_kernels *kernels)
{
    const struct graft_model *const model = classifier->model;
    const struct graft_model_parameter *first = NULL;
    *kernels = (struct graft_kernels){0};
    for (int i = 0; i < model->parameter_count && !first; i++) {
        const struct graft_model_parameter *const parameter = &model->parameters[i];
        if (parameter->shape.rank == 4 && parameter->layout == GRAFT_LAYOUT_CONV)
            first = parameter;
    }
    if (!first || first->shape.dim[3] != classifier->card.preprocess.channels)
        return graft_fail(classifier->context, GRAFT_ERROR_ARGUMENT,
                          "%s does not begin with a convolution of the picture: name a layer", model->info->name);
    const int64_t count = graft_shape_count(&first->shape);
    kernels->layer = model->layers[first->layer].name;
    kernels->count = (int32_t)first->shape.dim[0];
    kernels->height = (int32_t)first->shape.dim[1];
    kernels->width = (int32_t)first->shape.dim[2];
    kernels->channels = (int32_t)first->shape.dim[3];
    kernels->values = graft_allocate(classifier->context, (size_t)count, sizeof *kernels->values);
    return kernels->values ? graft_variables_read(classifier->variables, first->name, kernels->values,
                                                  (uint64_t)count * sizeof *kernels->values)
                           : GRAFT_ERROR_MEMORY;
}

void graft_kernels_close(struct graft_context *context, struct graft_kernels *kernels)
{
    graft_release(context, kernels->values);
    *kernels = (struct graft_kernels){0};
}

enum graft_status graft_kernels_picture(struct graft_context *context, const struct graft_kernels *kernels,
                                        int32_t index, struct graft_image *picture)
{
    const int64_t count = (int64_t)kernels->height * kernels->width * kernels->channels;
    const float *const values = kernels->values + index * count;
    float largest = 0;
    *picture = (struct graft_image){kernels->width, kernels->height, kernels->channels, NULL};
    picture->pixels = graft_allocate(context, (size_t)count, 1);
    if (!picture->pixels)
        return GRAFT_ERROR_MEMORY;
    for (int64_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(values[i]));
    for (int64_t i = 0; i < count; i++)
        picture->pixels[i] = (uint8_t)lroundf(127.5f + 127.5f * (largest > 0 ? values[i] / largest : 0));
    return GRAFT_OK;
}
