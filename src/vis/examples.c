/* SPDX-License-Identifier: MIT */
#include "vis/examples.h"

#include "backend/backend.h"
#include "base/context.h"
#include "graft/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST_CLASSES 20

/* A picture that was seen, by its place. */
struct candidate {
    enum graft_split split;
    int64_t index; /* −1: none yet */
    int32_t predicted;
    double label_share, predicted_share;
};

struct search {
    struct graft_context *context;
    enum graft_split split;
    int32_t classes;
    struct candidate *right, *wrong; /* [classes] the surest of each kind, by the true class */
};

/* The softmax of logits at two places. */
static void shares(const float *logits, int32_t classes, struct candidate *candidate, int32_t label)
{
    double sum = 0;
    for (int32_t c = 0; c < classes; c++)
        sum += exp((double)(logits[c] - logits[candidate->predicted]));
    candidate->predicted_share = 1 / sum;
    candidate->label_share = exp((double)(logits[label] - logits[candidate->predicted])) / sum;
}

static enum graft_status look(void *user, const struct graft_classified *picture)
{
    const struct search *const search = user;
    struct candidate found = {search->split, picture->index, 0, 0, 0};
    if (!picture->values && picture->status == GRAFT_ERROR_MEMORY)
        return graft_fail(search->context, picture->status, "%s", picture->note);
    if (!picture->values || picture->label < 0)
        return GRAFT_OK; /* evaluating has said what is wrong with it */
    graft_top_k(picture->values, search->classes, 1, &found.predicted);
    shares(picture->values, search->classes, &found, picture->label);
    struct candidate *const best =
        &(found.predicted == picture->label ? search->right : search->wrong)[picture->label];
    if (best->index < 0 || found.predicted_share > best->predicted_share)
        *best = found;
    return GRAFT_OK;
}

static enum graft_status search_all(struct search *search, struct graft_device *device,
                                    const struct graft_classifier_options *options,
                                    const struct graft_dataset *dataset, enum graft_split split)
{
    struct graft_classifier *classifier = NULL;
    enum graft_status status = graft_classifier_open(device, options, &classifier);
    for (int s = 0; s < GRAFT_SPLIT_COUNT && status == GRAFT_OK; s++) {
        search->split = (enum graft_split)s;
        if ((split == GRAFT_SPLIT_COUNT || split == search->split) &&
            graft_dataset_count(dataset, search->split) > 0)
            status = graft_classifier_dataset(classifier, dataset, search->split, look, search);
    }
    graft_classifier_close(&classifier);
    return status;
}

/* ---- explaining */

static enum graft_status make_smaller(struct graft_context *context, struct graft_image *image)
{
    const int32_t larger = image->width > image->height ? image->width : image->height;
    struct graft_image small = {0};
    if (larger <= GRAFT_EXAMPLE_SIDE)
        return GRAFT_OK;
    const int32_t width = (int32_t)((int64_t)image->width * GRAFT_EXAMPLE_SIDE / larger),
                  height = (int32_t)((int64_t)image->height * GRAFT_EXAMPLE_SIDE / larger);
    const enum graft_status status = graft_image_resize(
        context, image, GRAFT_FILTER_BILINEAR, width > 0 ? width : 1, height > 0 ? height : 1, &small);
    if (status == GRAFT_OK) {
        graft_image_close(context, image);
        *image = small;
    }
    return status;
}

static enum graft_status explain(struct graft_examples *examples, struct graft_explainer *explainer,
                                 const struct graft_dataset *dataset, const struct candidate *found,
                                 int32_t label)
{
    struct graft_context *const context = examples->context;
    struct graft_example *const item = &examples->items[examples->count];
    const struct graft_preprocess *const p =
        graft_classifier_preprocess(graft_explainer_classifier(explainer));
    const struct graft_decode_options decode = {.ignore_orientation = p->ignore_orientation};
    char name[4096];
    *item = (struct graft_example){.label = label,
                                   .predicted = found->predicted,
                                   .label_share = found->label_share,
                                   .predicted_share = found->predicted_share};
    item->name = graft_duplicate_text(
        context, graft_dataset_sample_name(dataset, found->split, found->index, name, sizeof name));
    examples->count++;
    if (!item->name)
        return GRAFT_ERROR_MEMORY;
    enum graft_status status =
        graft_dataset_read(dataset, found->split, found->index, &decode, &item->picture);
    const int32_t classes[2] = {found->predicted, label};
    const struct graft_region region = graft_preprocess_region(p, item->picture.width, item->picture.height);
    for (int i = 0; i < (found->predicted == label ? 1 : 2) && status == GRAFT_OK; i++) {
        struct graft_heat heat;
        status = graft_explain_image(explainer, &item->picture, classes[i], &heat);
        if (status == GRAFT_OK)
            status = graft_vis_overlay(context, &item->picture, &region, heat.pixels, p->crop_width,
                                       p->crop_height, &item->overlays[i]);
        if (status == GRAFT_OK)
            status = make_smaller(context, &item->overlays[i]);
    }
    return status == GRAFT_OK ? make_smaller(context, &item->picture) : status;
}

/* Where there are too many classes, those with the surest mistakes. */
static bool is_shown(const struct search *search, int32_t label)
{
    int32_t before = 0;
    const double own = search->wrong[label].index >= 0 ? search->wrong[label].predicted_share : 0;
    for (int32_t c = 0; c < search->classes; c++) {
        const double other = search->wrong[c].index >= 0 ? search->wrong[c].predicted_share : 0;
        before += other > own || (other == own && c < label);
    }
    return before < MOST_CLASSES;
}

static enum graft_status explain_all(struct graft_examples *examples, const struct search *search,
                                     struct graft_device *device,
                                     const struct graft_classifier_options *options,
                                     const struct graft_dataset *dataset)
{
    const struct graft_explainer_options settings = {.classifier = *options};
    struct graft_explainer *explainer = NULL;
    enum graft_status status = graft_explainer_open(device, &settings, &explainer);
    if (status == GRAFT_OK)
        (void)snprintf(examples->layer, sizeof examples->layer, "%s", graft_explainer_layer(explainer));
    for (int32_t c = 0; c < search->classes && status == GRAFT_OK; c++) {
        const struct candidate *const kinds[2] = {&search->right[c], &search->wrong[c]};
        const bool shown = is_shown(search, c);
        examples->left_out += !shown;
        for (int k = 0; k < 2 && shown && status == GRAFT_OK; k++)
            if (kinds[k]->index >= 0)
                status = explain(examples, explainer, dataset, kinds[k], c);
    }
    graft_explainer_close(&explainer);
    return status;
}

enum graft_status graft_examples_find(struct graft_device *device,
                                      const struct graft_classifier_options *options,
                                      const struct graft_dataset *dataset, enum graft_split split,
                                      struct graft_examples **examples)
{
    struct graft_context *const context = device->context;
    struct search search = {.context = context, .classes = graft_dataset_class_count(dataset)};
    const size_t classes = (size_t)search.classes;
    struct graft_examples *const made = graft_allocate(context, 1, sizeof *made);
    *examples = made;
    if (!made)
        return GRAFT_ERROR_MEMORY;
    made->context = context;
    made->class_names = graft_dataset_class_names(dataset);
    made->items = graft_allocate(context, 2 * MOST_CLASSES, sizeof *made->items);
    search.right = graft_allocate(context, classes, sizeof *search.right);
    search.wrong = graft_allocate(context, classes, sizeof *search.wrong);
    enum graft_status status = made->items && search.right && search.wrong ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    for (int32_t c = 0; c < search.classes && status == GRAFT_OK; c++)
        search.right[c].index = search.wrong[c].index = -1;
    if (status == GRAFT_OK)
        status = search_all(&search, device, options, dataset, split);
    if (status == GRAFT_OK)
        status = explain_all(made, &search, device, options, dataset);
    graft_release(context, search.right);
    graft_release(context, search.wrong);
    if (status != GRAFT_OK)
        graft_examples_close(examples);
    return status;
}

void graft_examples_close(struct graft_examples **examples)
{
    struct graft_examples *const old = *examples;
    if (!old)
        return;
    for (int64_t i = 0; i < old->count; i++) {
        graft_release(old->context, old->items[i].name);
        graft_image_close(old->context, &old->items[i].picture);
        for (int k = 0; k < 2; k++)
            graft_image_close(old->context, &old->items[i].overlays[k]);
    }
    graft_release(old->context, old->items);
    graft_release(old->context, old);
    *examples = NULL;
}
