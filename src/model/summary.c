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

/* One row of the table, without spaces at its end. */
static void append_row(struct graft_context *context, struct graft_text *text, const char *name,
                       const char *op, const char *shape, const char *parameters, const char *multiply_adds)
{
    char row[256];
    int length =
        snprintf(row, sizeof row, "%-34s %-18s %-20s %13s %16s", name, op, shape, parameters, multiply_adds);
    if (length > (int)sizeof row - 1)
        length = (int)sizeof row - 1;
    while (length > 0 && row[length - 1] == ' ')
        --length;
    graft_text_append(context, text, "%.*s\n", length, row);
}

const char *graft_model_summary(struct graft_model *model)
{
    if (model->summary)
        return model->summary;
    struct graft_context *const context = graft_graph_context(model->graph);
    struct graft_text text = {0};
    char a[32], c[32];
    append_row(context, &text, "layer", "op", "output", "parameters", "multiply-adds");
    for (int s = 0; s < model->stage_count; ++s) {
        const struct graft_model_stage *const stage = &model->stages[s];
        if (stage->layer_count == 0)
            continue;
        graft_text_append(context, &text, "%s%s\n", stage->name, stage->trainable ? " (trainable)" : "");
        for (int i = stage->first_layer; i < stage->first_layer + stage->layer_count; ++i) {
            const struct graft_model_layer *const layer = &model->layers[i];
            char name[GRAFT_MODEL_NAME_SIZE + 2], shape[96];
            (void)snprintf(name, sizeof name, "  %s", layer->name);
            append_row(context, &text, name, layer->op,
                       layer->value < 0 ? "" : graft_shape_format(&layer->shape, shape, sizeof shape),
                       layer->parameters ? grouped(layer->parameters, a) : "",
                       layer->multiply_adds ? grouped(layer->multiply_adds, c) : "");
        }
    }
    graft_text_append(context, &text, "%s: %s parameters, ", model->info->name,
                      grouped(model->total_parameters, a));
    graft_text_append(context, &text, "%s trainable, ", grouped(model->trainable_parameters, a));
    graft_text_append(context, &text, "%s multiply-adds a picture\n", grouped(model->multiply_adds, a));
    if (text.failed) {
        graft_text_close(context, &text);
        return NULL;
    }
    model->summary = text.data;
    return model->summary;
}
