/* SPDX-License-Identifier: MIT */
/* What each layer of a network makes of a picture, all in one run. */
#include "backend/backend.h"
#include "base/context.h"
#include "explain/explain.h"
#include "infer/classifier.h"

#include <string.h>

struct layer {
    int value; /* in the model */
    char name[GRAFT_MODEL_NAME_SIZE];
    struct graft_explain_grid grid;
    float *values; /* [height, width, channels] behind `skip` places that are none */
    int64_t count; /* with these */
};

struct graft_activations {
    struct graft_context *context;
    struct graft_classifier *classifier;
    struct graft_model *model; /* of one picture */
    struct graft_plan *plan;
    struct layer *layers;
    int layer_count;
    uint8_t *picture;
};

/* Values of layers that make maps: those that are named, or all that follow a convolution or activation. */
static enum graft_status add_layer(struct graft_activations *made, const char *name, int value, bool must)
{
    struct layer *const layer = &made->layers[made->layer_count];
    if (!graft_explain_grid_of(&graft_graph_desc(made->model->graph, value)->shape, &layer->grid))
        return must ? graft_fail(made->context, GRAFT_ERROR_ARGUMENT,
                                 "\"%s\" of %s gives no map over the picture", name, made->model->info->name)
                    : GRAFT_OK;
    for (int i = 0; i < made->layer_count; i++)
        if (made->layers[i].value == value)
            return GRAFT_OK; /* another name of the same */
    (void)snprintf(layer->name, sizeof layer->name, "%s", name);
    layer->value = value;
    layer->count = graft_shape_count(&graft_graph_desc(made->model->graph, value)->shape);
    layer->values = graft_allocate(made->context, (size_t)layer->count, sizeof *layer->values);
    made->layer_count++;
    graft_graph_output(made->model->graph, value);
    return layer->values ? graft_graph_status(made->model->graph) : GRAFT_ERROR_MEMORY;
}

static enum graft_status choose_layers(struct graft_activations *made, const char *const *names, int count)
{
    const struct graft_model *const model = made->model;
    const int most = count > 0 ? count : model->layer_count;
    enum graft_status status = GRAFT_OK;
    made->layers = graft_allocate(made->context, (size_t)most, sizeof *made->layers);
    if (!made->layers)
        return GRAFT_ERROR_MEMORY;
    for (int i = 0; i < most && status == GRAFT_OK; i++) {
        int value = -1;
        if (count > 0)
            status = graft_classifier_find_output(made->context, model, names[i], &value);
        else
            value = model->layers[i].value;
        if (status == GRAFT_OK)
            status = add_layer(made, count > 0 ? names[i] : model->layers[i].name, value, count > 0);
    }
    return status;
}

enum graft_status graft_activations_open(struct graft_device *device,
                                         const struct graft_classifier_options *options,
                                         const char *const *layers, int count,
                                         struct graft_activations **activations)
{
    struct graft_context *const context = device->context;
    struct graft_activations *made = graft_allocate(context, 1, sizeof *made);
    struct graft_classifier_options one = *options;
    *activations = NULL;
    if (!made)
        return GRAFT_ERROR_MEMORY;
    one.batch = 1;
    one.output = NULL;
    made->context = context;
    enum graft_status status = graft_classifier_open(device, &one, &made->classifier);
    if (status == GRAFT_OK) {
        const struct graft_preprocess *const p = &made->classifier->card.preprocess;
        const struct graft_model_options model = {.height = p->crop_height,
                                                  .width = p->crop_width,
                                                  .classes = made->classifier->card.class_count,
                                                  .input_u8 = true,
                                                  .mean = p->mean,
                                                  .std = p->std};
        made->picture =
            graft_allocate(context, (size_t)p->crop_height * (size_t)p->crop_width, (size_t)p->channels);
        status = made->picture ? graft_model_open_network(context, made->classifier->source.network, &model,
                                                          &made->model)
                               : GRAFT_ERROR_MEMORY;
    }
    if (status == GRAFT_OK)
        status = choose_layers(made, layers, count);
    if (status == GRAFT_OK)
        status = graft_plan_open(made->model->graph, device, made->classifier->variables, &options->plan,
                                 &made->plan);
    if (status != GRAFT_OK)
        graft_activations_close(&made);
    *activations = made;
    return status;
}

void graft_activations_close(struct graft_activations **activations)
{
    struct graft_activations *const old = *activations;
    if (!old)
        return;
    for (int i = 0; i < old->layer_count; i++)
        graft_release(old->context, old->layers[i].values);
    graft_release(old->context, old->layers);
    graft_release(old->context, old->picture);
    graft_plan_close(&old->plan);
    graft_model_close(&old->model);
    graft_classifier_close(&old->classifier);
    graft_release(old->context, old);
    *activations = NULL;
}

struct graft_classifier *graft_activations_classifier(struct graft_activations *activations)
{
    return activations->classifier;
}

int graft_activations_count(const struct graft_activations *activations)
{
    return activations->layer_count;
}

enum graft_status graft_activations_image(struct graft_activations *activations,
                                          const struct graft_image *image)
{
    const struct graft_preprocess *const p = &activations->classifier->card.preprocess;
    const uint64_t bytes = (uint64_t)p->crop_height * (uint64_t)p->crop_width * (uint64_t)p->channels;
    enum graft_status status = graft_preprocess_image(activations->context, p, image, activations->picture);
    if (status == GRAFT_OK)
        status = graft_plan_write(activations->plan, activations->model->input, activations->picture, bytes);
    if (status == GRAFT_OK)
        status = graft_plan_run(activations->plan, GRAFT_SEGMENT_COMPUTE);
    for (int i = 0; i < activations->layer_count && status == GRAFT_OK; i++) {
        const struct layer *const layer = &activations->layers[i];
        status = graft_plan_read(activations->plan, layer->value, layer->values,
                                 (uint64_t)layer->count * sizeof *layer->values);
    }
    return status;
}

void graft_activations_at(const struct graft_activations *activations, int index, struct graft_layer_map *map)
{
    const struct layer *const layer = &activations->layers[index];
    const struct graft_explain_grid *const grid = &layer->grid;
    const int64_t places = (int64_t)grid->height * grid->width;
    int64_t zeros = 0;
    *map = (struct graft_layer_map){.name = layer->name,
                                    .height = grid->height,
                                    .width = grid->width,
                                    .channels = (int32_t)grid->channels,
                                    .values = layer->values + grid->skip * grid->channels};
    map->lowest = map->highest = map->values[0];
    for (int64_t c = 0; c < grid->channels; c++) {
        int64_t zero_here = 0;
        for (int64_t i = 0; i < places; i++) {
            const float value = map->values[i * grid->channels + c];
            zero_here += value == 0;
            map->lowest = value < map->lowest ? value : map->lowest;
            map->highest = value > map->highest ? value : map->highest;
        }
        zeros += zero_here;
        map->dead += zero_here == places;
    }
    map->zeros = (double)zeros / (double)(places * grid->channels);
}
