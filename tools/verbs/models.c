/* SPDX-License-Identifier: MIT */
/* graft models: the networks that are known. */
#include "base/text.h"
#include "graft/model.h"
#include "io/pulled.h"
#include "model/published.h"
#include "output.h"
#include "verbs.h"
#include "weights.h"

#include <stdio.h>
#include <string.h>

/* What others publish for a network, and what is here of it. */
struct published {
    double top1;       /* of the weights that are here, else of the publisher's default; 0: not known */
    const char *terms; /* NULL: there are none */
    struct graft_text weights;
};

static enum graft_status look(struct graft_context *context, const char *network, struct published *published)
{
    *published = (struct published){.top1 = 0};
    const enum graft_status status = graft_pulled_find(context, network, &published->weights);
    const struct graft_published *row = NULL;
    if (status == GRAFT_OK && published->weights.data != NULL) {
        row = graft_published_of_file(network, published->weights.data);
    } else if (status == GRAFT_OK) {
        row = graft_published_first(network);
    }
    if (row != NULL) {
        published->top1 = row->top1;
        published->terms = row->terms;
    }
    return status;
}

static json_t *describe(const struct graft_model *model, const struct published *published)
{
    const struct graft_model_preprocess *const p = &model->info->preprocess;
    json_t *const preprocess =
        json_pack("{s:i, s:s, s:i, s:[f,f,f], s:[f,f,f]}", "resize_short_side", (int)p->resize_short_side,
                  "filter", p->filter, "crop", (int)p->crop, "mean", (double)p->mean[0], (double)p->mean[1],
                  (double)p->mean[2], "std", (double)p->std[0], (double)p->std[1], (double)p->std[2]);
    return json_pack("{s:s, s:s, s:s, s:[I,I,i], s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "name",
                     model->info->name, "family", model->info->family, "source", model->info->source, "input",
                     (json_int_t)model->height, (json_int_t)model->width, (int)model->info->channels,
                     "classes", (json_int_t)model->classes, "parameters", (json_int_t)model->total_parameters,
                     "multiply_adds", (json_int_t)model->multiply_adds, "preprocess", preprocess, "top1",
                     published->top1 > 0 ? json_real(published->top1) : json_null(), "weights",
                     published->weights.data != NULL ? graft_json_text(published->weights.data) : json_null(),
                     "terms", published->terms != NULL ? graft_json_text(published->terms) : json_null());
}

/* As wide as the longest of each. */
struct widths {
    int name, family;
};

static struct widths measure(void)
{
    struct widths widths = {7, 6};
    for (int i = 0; i < graft_model_count(); i++) {
        const int name = (int)strlen(graft_model_at(i)->name),
                  family = (int)strlen(graft_model_at(i)->family);
        widths.name = name > widths.name ? name : widths.name;
        widths.family = family > widths.family ? family : widths.family;
    }
    return widths;
}

static void print_row(const struct graft_model *model, const struct published *published,
                      struct widths widths)
{
    char input[64], parameters[32], work[32], top1[16] = "-";
    if (published->top1 > 0) {
        snprintf(top1, sizeof top1, "%.2f", published->top1);
    }
    snprintf(input, sizeof input, "%lldx%lldx%d", (long long)model->height, (long long)model->width,
             (int)model->info->channels);
    printf("%-*s  %-*s %11s %8lld %12s %15s %6s  %-7s  %-11s  %s\n", widths.name, model->info->name,
           widths.family, model->info->family, input, (long long)model->classes,
           graft_show_count(model->total_parameters, parameters),
           graft_show_count(model->multiply_adds, work), top1,
           published->weights.data != NULL ? "here"
           : published->terms != NULL      ? "pull"
                                           : "",
           model->info->source, published->terms != NULL ? published->terms : "");
}

static int run(struct graft_command *command)
{
    const char *file = NULL;
    const struct graft_option options[] = {
        {"--match", "FILE", "only those that a file of weights fits, and the nearest others",
         GRAFT_OPTION_TEXT, &file, 0, 0},
    };
    const int done = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    if (file != NULL) {
        return graft_weights_show_matches(command, file);
    }
    json_t *document = command->json ? json_array() : NULL;
    const struct widths widths = measure();
    if (!command->json) {
        printf("%-*s  %-*s %11s %8s %12s %15s %6s  %-7s  %-11s  %s\n", widths.name, "network", widths.family,
               "family", "input", "classes", "parameters", "multiply-adds", "top 1", "weights", "source",
               "terms");
    }
    for (int i = 0; i < graft_model_count(); i++) {
        struct graft_model *model = NULL;
        struct published published;
        enum graft_status status = look(command->context, graft_model_at(i)->name, &published);
        if (status == GRAFT_OK) {
            status = graft_model_open(command->context, graft_model_at(i)->name, NULL, &model);
        }
        if (status == GRAFT_OK && command->json) {
            graft_json_add_item(document, describe(model, &published));
        } else if (status == GRAFT_OK) {
            print_row(model, &published, widths);
        }
        graft_text_close(command->context, &published.weights);
        graft_model_close(&model);
        if (status != GRAFT_OK) {
            json_decref(document);
            return graft_command_failed(command, status);
        }
    }
    return command->json ? graft_json_print(command, document) : GRAFT_EXIT_DONE;
}

const struct graft_verb graft_verb_models = {
    .name = "models",
    .operands = "",
    .purpose = "lists the networks: size, published accuracy, whether weights are here",
    .examples = "  graft models                    all networks\n"
                "  graft models --json             the same for programs\n"
                "  graft models --match w.pth      whose weights are these?\n"
                "  graft summary resnet18          one of them, layer by layer\n",
    .notes = "  top 1: per cent of ImageNet's validation pictures, as published; of the weights that are "
             "here, else\n"
             "  of those that `graft pull` fetches. terms: of these weights.\n",
    .run = run,
};
