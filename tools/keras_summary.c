/* SPDX-License-Identifier: MIT */
#include "keras_summary.h"

#include <stdio.h>
#include <string.h>

static const char thin[] =
    "_________________________________________________________________________________";
static const char thick[] =
    "=================================================================================";

/* By how an op's name begins. */
static const struct {
    const char *op, *type;
} types[] = {{"conv2d", "Conv2D"},
             {"dense", "Dense"},
             {"batch_norm", "BatchNormalization"},
             {"layer_norm", "LayerNormalization"},
             {"flatten", "Flatten"},
             {"dropout", "Dropout"},
             {"global_avg_pool", "GlobalAveragePooling2D"},
             {"global_max_pool", "GlobalMaxPooling2D"},
             {"max_pool", "MaxPooling2D"},
             {"avg_pool", "AveragePooling2D"},
             {"add", "Add"},
             {"concat", "Concatenate"},
             {"relu", "ReLU"}};

static const char *type_of(const struct graft_model_layer *layer)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strncmp(layer->op, types[i].op, strlen(types[i].op)) == 0) {
            return types[i].type;
        }
    }
    return layer->op;
}

/* Of layers first … end − 1, with running statistics, which Keras counts. */
static int64_t count(const struct graft_model *model, int first, int end, bool trainable)
{
    int64_t sum = 0;
    for (int p = 0; p < model->parameter_count; p++) {
        const struct graft_model_parameter *const parameter = &model->parameters[p];
        if (parameter->layer >= first && parameter->layer < end && (!trainable || parameter->trainable)) {
            sum += graft_shape_count(&parameter->shape);
        }
    }
    return sum;
}

static void row(const char *name, const char *type, const struct graft_shape *shape, int64_t parameters)
{
    char what[GRAFT_MODEL_NAME_SIZE + 40], size[128] = "(None";
    (void)snprintf(what, sizeof what, "%s (%s)", name, type);
    for (int i = 1; i < shape->rank; i++) {
        const size_t used = strlen(size);
        (void)snprintf(size + used, sizeof size - used, ", %lld", (long long)shape->dim[i]);
    }
    (void)snprintf(size + strlen(size), sizeof size - strlen(size), ")");
    printf(" %-43s %-24s %lld\n", what, size, (long long)parameters);
}

static void total(const char *what, int64_t parameters)
{
    printf("%s params: %lld (%.2f MB)\n", what, (long long)parameters, (double)parameters * 4 / 1048576);
}

void graft_keras_summary(const struct graft_model *model, bool headed)
{
    const int head = headed ? model->stages[model->stage_count - 1].first_layer : 0;
    const int64_t all = count(model, 0, model->layer_count, false);
    const int64_t trainable = count(model, 0, model->layer_count, true);
    printf("Model: \"%s\"\n%s\n %-43s %-24s %s\n%s\n", headed ? "sequential" : model->info->name, thin,
           "Layer (type)", "Output Shape", "Param #", thick);
    if (headed) {
        row(model->info->name, "Functional", &graft_graph_desc(model->graph, model->features)->shape,
            count(model, 0, head, false));
    }
    for (int i = head; i < model->layer_count; i++) {
        if (model->layers[i].value >= 0) {
            row(model->layers[i].name, type_of(&model->layers[i]), &model->layers[i].shape,
                count(model, i, i + 1, false));
        }
    }
    printf("%s\n", thick);
    total("Total", all);
    total("Trainable", trainable);
    total("Non-trainable", all - trainable);
    printf("%s\n", thin);
}
