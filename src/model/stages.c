/* SPDX-License-Identifier: MIT */
/* Where a network begins, where it is cut, and where it ends. */
#include "model/layers.h"

#include "base/context.h"

#include <stdio.h>
#include <string.h>

int graft_layers_input(struct graft_layers *b)
{
    struct graft_model *const model = b->model;
    const struct graft_model_options *const options = b->options;
    const int channels = model->info->channels;
    const struct graft_shape shape = graft_shape_of(4, model->batch, model->height, model->width, channels);
    graft_graph_layer(b->graph, "input");
    if (options->part == GRAFT_MODEL_FROM)
        return -1;
    if (!options->input_u8) {
        model->input = graft_graph_input(b->graph, "input", graft_graph_real(b->graph), &shape);
        return model->input;
    }
    double mean[3], deviation[3];
    for (int i = 0; i < channels; ++i) {
        mean[i] = (double)(options->mean ? options->mean[i] : model->info->preprocess.mean[i]);
        deviation[i] = (double)(options->std ? options->std[i] : model->info->preprocess.std[i]);
    }
    const struct graft_shape vector = graft_shape_of(1, channels);
    model->input = graft_graph_input(b->graph, "input", GRAFT_DTYPE_U8, &shape);
    return graft_normalize(b->graph, model->input,
                           graft_graph_constant(b->graph, "input.mean", &vector, mean),
                           graft_graph_constant(b->graph, "input.std", &vector, deviation));
}

static void end_stage(struct graft_model *model, int x)
{
    if (model->stage_count == 0)
        return;
    struct graft_model_stage *const stage = &model->stages[model->stage_count - 1];
    stage->output = x;
    stage->parameter_count = model->parameter_count - stage->first_parameter;
    stage->layer_count = model->layer_count - stage->first_layer;
}

int graft_layers_stage(struct graft_layers *b, int x, const char *name)
{
    struct graft_model *const model = b->model;
    const struct graft_model_options *const options = b->options;
    if (b->ended)
        return -1;
    end_stage(model, x);
    if (model->stage_count == b->stage_capacity) {
        const int wanted = b->stage_capacity + 16;
        struct graft_model_stage *const larger = graft_reallocate(
            b->context, model->stages, (size_t)b->stage_capacity, (size_t)wanted, sizeof *larger);
        if (!larger) {
            b->failed = true;
            return -1;
        }
        model->stages = larger;
        b->stage_capacity = wanted;
    }
    if (!b->found_train_from && options->train_from && strcmp(options->train_from, name) == 0)
        b->found_train_from = true;
    b->trainable = options->training && (b->found_train_from || !options->train_from);

    const bool cuts = options->part == GRAFT_MODEL_BEFORE || options->part == GRAFT_MODEL_FROM;
    if (cuts && strcmp(options->cut ? options->cut : "head", name) == 0) {
        b->found_cut = true;
        if (options->part == GRAFT_MODEL_FROM) {
            graft_graph_layer(b->graph, "features");
            x = graft_graph_input(b->graph, "features", graft_graph_real(b->graph), b->cut_shape);
            model->input = x;
        }
        model->features = x;
        if (options->part == GRAFT_MODEL_BEFORE)
            x = -1;
    }
    if (options->part == GRAFT_MODEL_WHOLE && strcmp(name, "head") == 0)
        model->features = x;

    struct graft_model_stage *const stage = &model->stages[model->stage_count++];
    *stage = (struct graft_model_stage){.input = x,
                                        .output = -1,
                                        .first_parameter = model->parameter_count,
                                        .first_layer = model->layer_count,
                                        .trainable = b->trainable};
    (void)snprintf(stage->name, sizeof stage->name, "%s", name);
    return x;
}

static int pool_map(struct graft_layers *b, int x)
{
    graft_graph_layer(b->graph, "pool");
    if (b->options->pool == GRAFT_MODEL_POOL_AVG)
        return graft_global_avg_pool(b->graph, x);
    return b->options->pool == GRAFT_MODEL_POOL_MAX ? graft_global_max_pool(b->graph, x) : x;
}

int graft_layers_base(struct graft_layers *b, int x)
{
    b->ended = b->replaces_head;
    b->map = x;
    if (x < 0)
        return -1;
    b->model->map = x;
    if (b->replaces_head && b->options->part != GRAFT_MODEL_BASE)
        return -1;
    if (b->options->part != GRAFT_MODEL_BASE)
        return x;
    b->model->features = pool_map(b, x);
    return -1;
}

/* Parameters may be made ahead of their layer, to stand in PyTorch's order. */
static void train_early_ones(struct graft_layers *b)
{
    struct graft_model *const model = b->model;
    for (int p = 0; p < model->parameter_count && b->first_trainable > 0 && b->options->training; ++p) {
        struct graft_model_parameter *const parameter = &model->parameters[p];
        if (parameter->trainable || parameter->state || parameter->idle ||
            parameter->layer < b->first_trainable)
            continue;
        parameter->trainable = true;
        model->trainable_parameters += graft_shape_count(&parameter->shape);
    }
}

int graft_layers_stage_after_base(struct graft_layers *b, const char *name)
{
    b->ended = false;
    return graft_layers_stage(b, b->options->part == GRAFT_MODEL_BASE ? -1 : b->map, name);
}

enum graft_status graft_layers_finish(struct graft_layers *b, int logits)
{
    struct graft_model *const model = b->model;
    const struct graft_model_options *const options = b->options;
    end_stage(model, logits);
    train_early_ones(b);
    model->logits = logits;
    const enum graft_status status = b->status   ? b->status
                                     : b->failed ? GRAFT_ERROR_MEMORY
                                                 : graft_graph_status(b->graph);
    if (status)
        return status;
    const bool cuts = options->part == GRAFT_MODEL_BEFORE || options->part == GRAFT_MODEL_FROM;
    const char *const lost = cuts && !b->found_cut ? (options->cut ? options->cut : "head")
                             : options->train_from && !b->found_train_from ? options->train_from
                                                                           : NULL;
    if (lost) {
        char list[512] = "";
        size_t at = 0;
        for (int i = 0; i < model->stage_count && at < sizeof list - 1; ++i)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", model->stages[i].name);
        return graft_fail(b->context, GRAFT_ERROR_NOT_FOUND, "%s has no stage '%s'; its stages are %s",
                          model->info->name, lost, list);
    }
    const bool whole_end = options->part == GRAFT_MODEL_WHOLE || options->part == GRAFT_MODEL_FROM;
    const int result = whole_end ? logits : model->features;
    if (result < 0)
        return graft_fail(b->context, GRAFT_ERROR_UNSUPPORTED, "%s: nothing in it computes its output",
                          model->info->name);
    graft_graph_output(b->graph, result);
    return GRAFT_OK;
}
