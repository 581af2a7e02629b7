/* SPDX-License-Identifier: MIT */
/* The summary as a table: layer, op, output, parameters, multiply-adds; stages as headings; totals. */
#include "base/context.h"
#include "base/text.h"
#include "graft/model.h"

#include <stdio.h>

/* 1234567 → "1,234,567" */
static const char *grouped(int64_t value, char text[32])
{
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    int at = 0;
    for (int i = 0; i < length; ++i) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

const char *graft_model_summary(struct graft_model *model)
{
    if (model->summary)
        return model->summary;
    struct graft_context *const context = graft_graph_context(model->graph);
    struct graft_text text = {0};
    char a[32], c[32];
    graft_text_append(context, &text, "%-34s %-22s %-20s %13s %16s\n", "layer", "op", "output", "parameters",
                      "multiply-adds");
    for (int s = 0; s < model->stage_count; ++s) {
        const struct graft_model_stage *const stage = &model->stages[s];
        if (stage->layer_count == 0)
            continue;
        graft_text_append(context, &text, "%s%s\n", stage->name, stage->trainable ? " (trainable)" : "");
        for (int i = stage->first_layer; i < stage->first_layer + stage->layer_count; ++i) {
            const struct graft_model_layer *const layer = &model->layers[i];
            char shape[96];
            graft_text_append(context, &text, "  %-32s %-22s %-20s %13s %16s\n", layer->name, layer->op,
                              graft_shape_format(&layer->shape, shape, sizeof shape),
                              layer->parameters ? grouped(layer->parameters, a) : "",
                              layer->multiply_adds ? grouped(layer->multiply_adds, c) : "");
        }
    }
    graft_text_append(context, &text, "%s: %s parameters, ", model->info->name, grouped(model->total_parameters, a));
    graft_text_append(context, &text, "%s trainable, ", grouped(model->trainable_parameters, a));
    graft_text_append(context, &text, "%s multiply-adds a picture\n", grouped(model->multiply_adds, a));
    if (text.failed) {
        graft_text_close(context, &text);
        return NULL;
    }
    model->summary = text.data;
    return model->summary;
}
