/* SPDX-License-Identifier: MIT */
#include "vis/album.h"

#include "base/context.h"
#include "data/dataset.h"

#include <math.h>
#include <string.h>

/* How much a picture belongs into a strip; NaN: not at all. */
typedef double weigh_function(const struct graft_prediction *prediction, int32_t label);

static double by_loss(const struct graft_prediction *prediction, int32_t label)
{
    (void)label;
    return prediction->loss;
}

static double by_wrong_confidence(const struct graft_prediction *prediction, int32_t label)
{
    (void)label;
    return prediction->predicted != prediction->label ? prediction->confidence : (double)NAN;
}

static double by_doubt(const struct graft_prediction *prediction, int32_t label)
{
    (void)label;
    return prediction->second - prediction->confidence;
}

/* The loss tells apart what the probability, near 1 or 0, no longer does. */
static double by_truth(const struct graft_prediction *prediction, int32_t label)
{
    return prediction->label == label ? -prediction->loss : (double)NAN;
}

static double by_untruth(const struct graft_prediction *prediction, int32_t label)
{
    return prediction->label == label ? prediction->loss : (double)NAN;
}

static bool holds(const struct graft_album_strip *strip, const struct graft_prediction *prediction)
{
    bool found = false;
    for (int32_t i = 0; strip != NULL && i < strip->count; i++) {
        found = found || strip->items[i].prediction == prediction;
    }
    return found;
}

/* The `most` with the largest weights, but for those of `others`; equal ones in the order of the data. */
static void fill(const struct graft_predictions *predictions, weigh_function *weigh, int32_t label,
                 int32_t most, const struct graft_album_strip *others, struct graft_album_strip *strip)
{
    double weights[GRAFT_ALBUM_STRIP + 1];
    for (int64_t i = 0; i < predictions->count; i++) {
        const struct graft_prediction *const one = &predictions->items[i];
        const double weight = weigh(one, label);
        int32_t place = strip->count;
        while (place > 0 && weights[place - 1] < weight) {
            place--;
        }
        if (isnan(weight) || place == most || holds(others, one)) {
            continue;
        }
        strip->count += strip->count < most ? 1 : 0;
        for (int32_t k = strip->count - 1; k > place; k--) {
            weights[k] = weights[k - 1];
            strip->items[k] = strip->items[k - 1];
        }
        weights[place] = weight;
        strip->items[place] = (struct graft_album_item){.prediction = one};
    }
}

/* ---- reading */

static enum graft_status add_picture(struct graft_album *album, const struct graft_dataset *dataset,
                                     const struct graft_decode_options *decode, int32_t split, int64_t index)
{
    struct graft_context *const context = album->context;
    char name[4096];
    if (album->picture_count == album->picture_capacity) {
        const int32_t capacity = album->picture_capacity * 2 + 32;
        void *const pictures = graft_reallocate(context, album->pictures, (size_t)album->picture_count,
                                                (size_t)capacity, sizeof *album->pictures);
        if (pictures == NULL) {
            return GRAFT_ERROR_MEMORY;
        }
        album->pictures = pictures;
        album->picture_capacity = capacity;
    }
    struct graft_album_picture *const made = &album->pictures[album->picture_count++];
    *made = (struct graft_album_picture){.split = split, .index = index};
    graft_dataset_sample_name(dataset, (enum graft_split)split, index, name, sizeof name);
    const size_t folder = strlen(dataset->path); /* the page says which data they are of */
    const bool below = strncmp(name, dataset->path, folder) == 0 && name[folder] == '/';
    made->name = graft_duplicate_text(context, below ? name + folder + 1 : name);
    enum graft_status status =
        made->name != NULL ? graft_dataset_read(dataset, (enum graft_split)split, index, decode, &made->image)
                           : GRAFT_ERROR_MEMORY;
    return status == GRAFT_OK ? graft_page_shrink(context, &made->image, GRAFT_ALBUM_SIDE) : status;
}

static enum graft_status read_strip(struct graft_album *album, const struct graft_dataset *dataset,
                                    const struct graft_decode_options *decode,
                                    struct graft_album_strip *strip)
{
    enum graft_status status = GRAFT_OK;
    for (int32_t i = 0; i < strip->count && status == GRAFT_OK; i++) {
        const struct graft_prediction *const one = strip->items[i].prediction;
        int32_t at = 0;
        while (at < album->picture_count &&
               (album->pictures[at].split != one->split || album->pictures[at].index != one->index)) {
            at++;
        }
        strip->items[i].picture = at;
        status = at == album->picture_count ? add_picture(album, dataset, decode, one->split, one->index)
                                            : GRAFT_OK;
    }
    return status;
}

enum graft_status graft_album_open(struct graft_context *context, const struct graft_dataset *dataset,
                                   const struct graft_predictions *predictions, const int32_t *classes,
                                   int32_t class_count, const struct graft_decode_options *decode,
                                   struct graft_album *album)
{
    *album = (struct graft_album){.context = context};
    fill(predictions, by_loss, -1, GRAFT_ALBUM_STRIP, NULL, &album->loss);
    fill(predictions, by_wrong_confidence, -1, GRAFT_ALBUM_STRIP, NULL, &album->wrong);
    fill(predictions, by_doubt, -1, GRAFT_ALBUM_STRIP, NULL, &album->doubt);
    album->classes = graft_allocate(context, (size_t)class_count + 1, sizeof *album->classes);
    enum graft_status status = album->classes != NULL ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    struct graft_album_strip *const strips[] = {&album->loss, &album->wrong, &album->doubt};
    for (int s = 0; s < 3 && status == GRAFT_OK; s++) {
        status = read_strip(album, dataset, decode, strips[s]);
    }
    for (int32_t c = 0; c < class_count && status == GRAFT_OK; c++) {
        struct graft_album_class *const one = &album->classes[album->class_count++];
        one->label = classes[c];
        fill(predictions, by_truth, classes[c], GRAFT_ALBUM_OF_CLASS, NULL, &one->best);
        fill(predictions, by_untruth, classes[c], GRAFT_ALBUM_OF_CLASS, &one->best, &one->worst);
        status = read_strip(album, dataset, decode, &one->best);
        if (status == GRAFT_OK) {
            status = read_strip(album, dataset, decode, &one->worst);
        }
    }
    if (status != GRAFT_OK) {
        graft_album_close(album);
    }
    return status;
}

void graft_album_close(struct graft_album *album)
{
    for (int32_t i = 0; i < album->picture_count; i++) {
        graft_release(album->context, album->pictures[i].name);
        graft_image_close(album->context, &album->pictures[i].image);
    }
    graft_release(album->context, album->pictures);
    graft_release(album->context, album->classes);
    *album = (struct graft_album){0};
}

/* ---- the page */

static enum graft_status put_item(const struct graft_page *page, const struct graft_album *album,
                                  const struct graft_album_item *item, const char *const *names)
{
    const struct graft_prediction *const one = item->prediction;
    const struct graft_album_picture *const picture = &album->pictures[item->picture];
    const bool right = one->predicted == one->label;
    char alt[256];
    (void)graft_format(alt, sizeof alt, "a picture of %.100s, taken for %.100s", names[one->label],
                       names[one->predicted]);
    graft_page_put(page, "<figure>");
    const enum graft_status status = graft_page_picture(page, &picture->image, GRAFT_ALBUM_SIDE, alt, NULL);
    graft_page_put(page, right ? "<figcaption>" : "<figcaption><span class=\"wrong\">");
    graft_page_text(page, names[one->label]);
    graft_page_number(page, " %.1f %%", 100 * one->truth);
    if (!right) {
        graft_page_put(page, "</span><br>taken for ");
        graft_page_text(page, names[one->predicted]);
        graft_page_number(page, " %.1f %%", 100 * one->confidence);
    }
    graft_page_number(page, "<br>loss %.2f<br><small>", one->loss);
    graft_page_text(page, picture->name);
    graft_page_put(page, "</small></figcaption></figure>\n");
    return status;
}

static enum graft_status put_strip(const struct graft_page *page, const struct graft_album *album,
                                   const char *heading, const struct graft_album_strip *strip,
                                   const char *const *names)
{
    enum graft_status status = GRAFT_OK;
    graft_page_put(page, heading);
    graft_page_put(page,
                   strip->count > 0 ? "<div class=\"pictures small\">\n" : "<p class=\"sub\">None.</p>\n");
    for (int32_t i = 0; i < strip->count && status == GRAFT_OK; i++) {
        status = put_item(page, album, &strip->items[i], names);
    }
    graft_page_put(page, strip->count > 0 ? "</div>\n" : "");
    return status;
}

static enum graft_status put_class(const struct graft_page *page, const struct graft_album *album,
                                   const struct graft_album_class *one, const char *const *names)
{
    graft_page_put(page, "<h3>");
    graft_page_text(page, names[one->label]);
    enum graft_status status =
        put_strip(page, album, "</h3>\n<p class=\"sub\">Most probable</p>\n", &one->best, names);
    if (status == GRAFT_OK && one->worst.count > 0) {
        status = put_strip(page, album, "<p class=\"sub\">Least probable</p>\n", &one->worst, names);
    }
    return status;
}

enum graft_status graft_album_put(const struct graft_page *page, const struct graft_album *album,
                                  const char *const *class_names)
{
    enum graft_status status =
        put_strip(page, album,
                  "<h2>Largest loss</h2>\n<p>The pictures that cost most: look here first for wrong labels. "
                  "Below each: "
                  "what it is, the probability that it got for that, and what it was taken for.</p>\n",
                  &album->loss, class_names);
    bool known = album->wrong.count > 0;
    for (int32_t i = 0; i < album->wrong.count; i++) {
        known = known && holds(&album->loss, album->wrong.items[i].prediction);
    }
    if (known) { /* of two classes always */
        graft_page_put(page, "<p class=\"sub\">The surest mistakes are all among them.</p>\n");
    } else if (status == GRAFT_OK) {
        status = put_strip(page, album, "<h2>Sure and wrong</h2>\n", &album->wrong, class_names);
    }
    if (status == GRAFT_OK) {
        status = put_strip(
            page, album,
            "<h2>In doubt</h2>\n<p>The two most probable classes are the nearest to each other.</p>\n",
            &album->doubt, class_names);
    }
    graft_page_put(page, "<h2>Best and worst of each class</h2>\n");
    for (int32_t c = 0; c < album->class_count && status == GRAFT_OK; c++) {
        status = put_class(page, album, &album->classes[c], class_names);
    }
    return status;
}
