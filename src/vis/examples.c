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
    int32_t classes;
    struct graft_predictions *predictions;
    struct candidate *right, *wrong; /* [classes] the surest of each kind, by the true class */
};

static enum graft_status look(void *user, const struct graft_classified *picture)
{
    const struct search *const search = user;
    if (!picture->values && picture->status == GRAFT_ERROR_MEMORY)
        return graft_fail(search->context, picture->status, "%s", picture->note);
    if (!picture->values || picture->label < 0)
        return GRAFT_OK; /* evaluating has said what is wrong with it */
    return graft_predictions_add(search->context, search->predictions, picture->values, search->classes,
                                 picture->label, (int)picture->split, picture->index);
}

static enum graft_status run_all(struct search *search, struct graft_device *device,
                                 const struct graft_classifier_options *options,
                                 const struct graft_dataset *dataset, enum graft_split split)
{
    struct graft_classifier *classifier = NULL;
    enum graft_status status = graft_classifier_open(device, options, &classifier);
    for (int s = 0; s < GRAFT_SPLIT_COUNT && status == GRAFT_OK; s++)
        if ((split == GRAFT_SPLIT_COUNT || split == (enum graft_split)s) &&
            graft_dataset_count(dataset, (enum graft_split)s) > 0)
            status = graft_classifier_dataset(classifier, dataset, (enum graft_split)s, look, search);
    graft_classifier_close(&classifier);
    return status;
}

static enum graft_status copy_all(const struct search *search, const struct graft_predictions *predictions)
{
    const size_t count = (size_t)predictions->count;
    struct graft_prediction *const items = graft_allocate(search->context, count + 1, sizeof *items);
    if (!items)
        return GRAFT_ERROR_MEMORY;
    memcpy(items, predictions->items, count * sizeof *items);
    *search->predictions = (struct graft_predictions){.items = items,
                                                      .count = predictions->count,
                                                      .capacity = predictions->count + 1,
                                                      .classes = search->classes};
    return GRAFT_OK;
}

static void find_surest(const struct search *search)
{
    for (int64_t i = 0; i < search->predictions->count; i++) {
        const struct graft_prediction *const one = &search->predictions->items[i];
        struct candidate *const best =
            &(one->predicted == one->label ? search->right : search->wrong)[one->label];
        if (best->index < 0 || one->confidence > best->predicted_share)
            *best = (struct candidate){(enum graft_split)one->split, one->index, one->predicted, one->truth,
                                       one->confidence};
    }
}

/* ---- explaining */

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
            status = graft_page_shrink(context, &item->overlays[i], GRAFT_EXAMPLE_SIDE);
    }
    return status == GRAFT_OK ? graft_page_shrink(context, &item->picture, GRAFT_EXAMPLE_SIDE) : status;
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
    struct graft_explainer_options settings = {.classifier = *options};
    struct graft_explainer *explainer = NULL;
    int32_t shown_classes[MOST_CLASSES], shown_count = 0;
    settings.classifier.views = GRAFT_VIEWS_ONE;
    enum graft_status status = graft_explainer_open(device, &settings, &explainer);
    if (status == GRAFT_OK)
        (void)snprintf(examples->layer, sizeof examples->layer, "%s", graft_explainer_layer(explainer));
    for (int32_t c = 0; c < search->classes && status == GRAFT_OK; c++) {
        const struct candidate *const kinds[2] = {&search->right[c], &search->wrong[c]};
        const bool shown = is_shown(search, c);
        examples->left_out += !shown;
        if (shown)
            shown_classes[shown_count++] = c;
        for (int k = 0; k < 2 && shown && status == GRAFT_OK; k++)
            if (kinds[k]->index >= 0)
                status = explain(examples, explainer, dataset, kinds[k], c);
    }
    if (status == GRAFT_OK) {
        const struct graft_preprocess *const p =
            graft_classifier_preprocess(graft_explainer_classifier(explainer));
        const struct graft_decode_options decode = {.ignore_orientation = p->ignore_orientation};
        status = graft_album_open(examples->context, dataset, &examples->predictions, shown_classes,
                                  shown_count, &decode, &examples->album);
    }
    graft_explainer_close(&explainer);
    return status;
}

enum graft_status graft_examples_find(struct graft_device *device,
                                      const struct graft_classifier_options *options,
                                      const struct graft_dataset *dataset, enum graft_split split,
                                      const struct graft_predictions *predictions,
                                      struct graft_examples **examples)
{
    struct graft_context *const context = device->context;
    struct search search = {.context = context, .classes = graft_dataset_class_count(dataset)};
    const size_t classes = (size_t)search.classes;
    struct graft_examples *const made = graft_allocate(context, 1, sizeof *made);
    *examples = made;
    if (!made)
        return GRAFT_ERROR_MEMORY;
    search.predictions = &made->predictions;
    made->context = context;
    made->class_names = graft_dataset_class_names(dataset);
    made->items = graft_allocate(context, 2 * MOST_CLASSES, sizeof *made->items);
    search.right = graft_allocate(context, classes, sizeof *search.right);
    search.wrong = graft_allocate(context, classes, sizeof *search.wrong);
    enum graft_status status = made->items && search.right && search.wrong ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    for (int32_t c = 0; c < search.classes && status == GRAFT_OK; c++)
        search.right[c].index = search.wrong[c].index = -1;
    if (status == GRAFT_OK)
        status =
            predictions ? copy_all(&search, predictions) : run_all(&search, device, options, dataset, split);
    if (status == GRAFT_OK)
        find_surest(&search);
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
    graft_album_close(&old->album);
    graft_predictions_close(old->context, &old->predictions);
    graft_release(old->context, old);
    *examples = NULL;
}
