/* SPDX-License-Identifier: MIT */
/* Building a network: options are checked, the family's builder runs once (twice for a part that begins at a
 * cut). */
#include "model/models.h"

#include "base/context.h"

#include <string.h>

#define MAX_CHANNELS 4

static enum graft_status check_range(struct graft_context *context, const char *what, int64_t value,
                                     int64_t limit)
{
    if (value >= 1 && value <= limit)
        return GRAFT_OK;
    return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s must be in 1..%lld, not %lld", what,
                      (long long)limit, (long long)value);
}

static enum graft_status check_options(struct graft_context *context, const struct graft_model *model,
                                       const struct graft_model_options *options)
{
    enum graft_status status = check_range(context, "batch", model->batch, 65536);
    if (!status)
        status = check_range(context, "input height", model->height, 8192);
    if (!status)
        status = check_range(context, "input width", model->width, 8192);
    if (!status)
        status = check_range(context, "number of classes", model->classes, 1000000);
    if (!status && !(options->dropout < 1.0f))
        status = graft_fail(context, GRAFT_ERROR_ARGUMENT, "dropout must be below 1, not %g",
                            (double)options->dropout);
    for (int i = 0; !status && options->input_u8 && options->std && i < model->info->channels; ++i) {
        if (!(options->std[i] > 0.0f))
            status = graft_fail(context, GRAFT_ERROR_ARGUMENT,
                                "the standard deviation of channel %d must be above 0, not %g", i,
                                (double)options->std[i]);
    }
    return status;
}

/* A model's options with what they point to. */
struct kept_options {
    struct graft_model_options options; /* first: the model points to it */
    char cut[GRAFT_MODEL_NAME_SIZE], train_from[GRAFT_MODEL_NAME_SIZE];
    float mean[MAX_CHANNELS], std[MAX_CHANNELS];
};

static enum graft_status keep_options(struct graft_context *context, struct graft_model *model,
                                      const struct graft_model_options *options)
{
    struct kept_options *const kept = graft_allocate(context, 1, sizeof *kept);
    if (!kept)
        return GRAFT_ERROR_MEMORY;
    struct graft_model_options *const o = &kept->options;
    const int32_t channels = model->info->channels;
    *o = *options;
    model->options = o;
    if (o->cut) /* a name that is longer is none of a stage */
        o->cut = strncpy(kept->cut, o->cut, sizeof kept->cut - 1);
    if (o->train_from)
        o->train_from = strncpy(kept->train_from, o->train_from, sizeof kept->train_from - 1);
    if (o->mean && channels <= MAX_CHANNELS)
        o->mean = memcpy(kept->mean, o->mean, (size_t)channels * sizeof *o->mean);
    if (o->std && channels <= MAX_CHANNELS)
        o->std = memcpy(kept->std, o->std, (size_t)channels * sizeof *o->std);
    return GRAFT_OK;
}

/* `cut_shape`: what enters a part that begins at a cut; NULL for the others. */
static enum graft_status build(struct graft_context *context, const struct graft_network *network,
                               const struct graft_model_options *options, const struct graft_shape *cut_shape,
                               struct graft_model **result)
{
    const struct graft_model_info *const info = &network->info;
    const int32_t usual_width =
        info->preprocess.crop_width ? info->preprocess.crop_width : info->preprocess.crop;
    struct graft_model *model = graft_allocate(context, 1, sizeof *model);
    if (!model)
        return GRAFT_ERROR_MEMORY;
    *model = (struct graft_model){.network = network,
                                  .info = info,
                                  .input = -1,
                                  .step = -1,
                                  .map = -1,
                                  .features = -1,
                                  .logits = -1,
                                  .batch = options->batch ? options->batch : 1,
                                  .height = options->height ? options->height : info->preprocess.crop,
                                  .width = options->width ? options->width : usual_width,
                                  .classes = options->classes ? options->classes : info->classes};
    struct graft_layers b = {.context = context,
                             .model = model,
                             .options = options,
                             .cut_shape = cut_shape,
                             .epsilon = 1e-5f,
                             .momentum = 0.1f};
    enum graft_status status = check_options(context, model, options);
    if (status)
        goto fail;
    status = graft_graph_open(context, options->real ? options->real : GRAFT_DTYPE_F32, &model->graph);
    if (status)
        goto fail;
    b.graph = model->graph;
    status = keep_options(context, model, options);
    if (status)
        goto fail;
    status = graft_layers_finish(&b, network->build(&b, graft_layers_input(&b), network->configuration));
    if (status == GRAFT_ERROR_SHAPE)
        (void)graft_fail_prefix(context, status, "%s with input %lldx%lld (its usual input is %dx%d)",
                                info->name, (long long)model->height, (long long)model->width,
                                info->preprocess.crop, usual_width);
    if (status)
        goto fail;
    *result = model;
    return GRAFT_OK;
fail:
    if (model->graph)
        graft_model_close(&model);
    else
        graft_release(context, model);
    return status;
}

enum graft_status graft_model_open_network(struct graft_context *context, const struct graft_network *network,
                                           const struct graft_model_options *options,
                                           struct graft_model **model)
{
    static const struct graft_model_options usual = {0};
    *model = NULL;
    if (!options)
        options = &usual;
    if (options->part != GRAFT_MODEL_FROM)
        return build(context, network, options, NULL, model);

    /* What enters the cut is known after the stages before it were built. */
    struct graft_model_options before = *options;
    before.part = GRAFT_MODEL_BEFORE;
    before.train_from = NULL;
    before.training = false;
    struct graft_model *trunk = NULL;
    enum graft_status status = build(context, network, &before, NULL, &trunk);
    if (status)
        return status;
    const struct graft_shape shape = graft_graph_desc(trunk->graph, trunk->features)->shape;
    status = build(context, network, options, &shape, model);
    graft_model_close(&trunk);
    return status;
}

enum graft_status graft_model_open(struct graft_context *context, const char *name,
                                   const struct graft_model_options *options, struct graft_model **model)
{
    const struct graft_network *network = NULL;
    *model = NULL;
    const enum graft_status status = graft_network_find(context, name, &network);
    return status ? status : graft_model_open_network(context, network, options, model);
}

enum graft_status graft_model_reopen(const struct graft_model *model, int64_t batch,
                                     struct graft_model **other)
{
    struct graft_model_options options = *model->options;
    options.batch = batch;
    return graft_model_open_network(graft_graph_context(model->graph), model->network, &options, other);
}

void graft_model_close(struct graft_model **address)
{
    if (!address || !*address)
        return;
    struct graft_model *const model = *address;
    struct graft_context *const context = graft_graph_context(model->graph);
    graft_graph_close(&model->graph);
    graft_release(context, model->stages);
    graft_release(context, model->parameters);
    for (int i = 0; i < model->constant_count; ++i)
        graft_release(context, model->constants[i].data);
    graft_release(context, model->constants);
    graft_release(context, model->layers);
    graft_release(context, model->summary);
    graft_release(context, (void *)(uintptr_t)model->options);
    graft_release(context, model);
    *address = NULL;
}

int graft_model_stage_find(const struct graft_model *model, const char *name)
{
    for (int i = 0; i < model->stage_count; ++i) {
        if (strcmp(model->stages[i].name, name) == 0)
            return i;
    }
    return -1;
}
