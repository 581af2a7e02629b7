/* SPDX-License-Identifier: MIT */
/* graft models: the networks that are known. */
#include "graft/model.h"
#include "output.h"
#include "verbs.h"

#include <stdio.h>

static json_t *describe(const struct graft_model *model)
{
    const struct graft_model_preprocess *const p = &model->info->preprocess;
    json_t *const preprocess =
        json_pack("{s:i, s:s, s:i, s:[f,f,f], s:[f,f,f]}", "resize_short_side", (int)p->resize_short_side,
                  "filter", p->filter, "crop", (int)p->crop, "mean", (double)p->mean[0], (double)p->mean[1],
                  (double)p->mean[2], "std", (double)p->std[0], (double)p->std[1], (double)p->std[2]);
    return json_pack("{s:s, s:s, s:s, s:[I,I,i], s:I, s:I, s:I, s:o}", "name", model->info->name, "family",
                     model->info->family, "source", model->info->source, "input", (json_int_t)model->height,
                     (json_int_t)model->width, (int)model->info->channels, "classes",
                     (json_int_t)model->classes, "parameters", (json_int_t)model->total_parameters,
                     "multiply_adds", (json_int_t)model->multiply_adds, "preprocess", preprocess);
}

static void print_row(const struct graft_model *model)
{
    char input[64], parameters[32], work[32];
    snprintf(input, sizeof input, "%lldx%lldx%d", (long long)model->height, (long long)model->width,
             (int)model->info->channels);
    printf("%-18s %-12s %11s %8lld %13s %16s  %s\n", model->info->name, model->info->family, input,
           (long long)model->classes, graft_show_count(model->total_parameters, parameters),
           graft_show_count(model->multiply_adds, work), model->info->source);
}

static int run(struct graft_command *command)
{
    const int done = graft_command_begin(command, NULL, 0);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    json_t *document = command->json ? json_array() : NULL;
    if (!command->json) {
        printf("%-18s %-12s %11s %8s %13s %16s  %s\n", "network", "family", "input", "classes", "parameters",
               "multiply-adds", "source");
    }
    for (int i = 0; i < graft_model_count(); i++) {
        struct graft_model *model = NULL;
        const enum graft_status status =
            graft_model_open(command->context, graft_model_at(i)->name, NULL, &model);
        if (status != GRAFT_OK) {
            json_decref(document);
            return graft_command_failed(command, status);
        }
        if (!command->json) {
            print_row(model);
        } else if (json_array_append_new(document, describe(model)) != 0) {
            json_decref(document);
            document = NULL;
        }
        graft_model_close(&model);
    }
    return command->json ? graft_json_print(command, document) : GRAFT_EXIT_DONE;
}

const struct graft_verb graft_verb_models = {
    .name = "models",
    .operands = "",
    .purpose = "lists the networks with parameters and multiply-adds",
    .examples = "  graft models                    all networks\n"
                "  graft models --json             the same for programs\n"
                "  graft summary resnet18          one of them, layer by layer\n",
    .run = run,
};
