/* SPDX-License-Identifier: MIT */
#include "infer/views.h"

#include "base/context.h"

#include <float.h>
#include <math.h>

const char *graft_views_name(enum graft_views views)
{
    static const char *const names[GRAFT_VIEWS_COUNT] = {"one", "flip", "five", "ten"};
    return (int)views >= 0 && (int)views < GRAFT_VIEWS_COUNT ? names[views] : NULL;
}

int32_t graft_views_count(enum graft_views views)
{
    static const int32_t counts[GRAFT_VIEWS_COUNT] = {1, 2, 5, GRAFT_VIEWS_MOST};
    return counts[views];
}

static void add_step(struct graft_transforms *transforms, struct graft_transform step)
{
    if (transforms->count < GRAFT_TRANSFORM_LIMIT) {
        transforms->steps[transforms->count++] = step;
    }
}

/* Preprocessing with another crop in place of the middle (corner 0 to 3; 4: the middle), of the flipped
 * picture or not: the flip comes before the crop, as in TenCrop, where the middle of an odd rest is told by
 * it. */
static struct graft_transforms way(const struct graft_preprocess *preprocess, int32_t corner, bool flipped)
{
    static const struct graft_transform flip = {.kind = GRAFT_TRANSFORM_FLIP, .flip = {.probability = 1}};
    struct graft_transforms made = {0};
    bool turned = !flipped;
    for (int32_t i = 0; i < preprocess->transforms.count; i++) {
        struct graft_transform step = preprocess->transforms.steps[i];
        if (step.kind == GRAFT_TRANSFORM_CENTER_CROP) {
            if (!turned) {
                add_step(&made, flip);
                turned = true;
            }
            if (corner < 4) {
                step = (struct graft_transform){.kind = GRAFT_TRANSFORM_CORNER_CROP,
                                                .corner = {.corner = corner}};
            }
        }
        add_step(&made, step);
    }
    if (!turned) {
        add_step(&made, flip);
    }
    return made;
}

/* One way: the middle. FLIP: the input, as it is and with left and right changed. */
static void find_ways(struct graft_views_source *source, const struct graft_preprocess *preprocess,
                      enum graft_views views)
{
    const bool crops = views == GRAFT_VIEWS_FIVE || views == GRAFT_VIEWS_TEN;
    for (int32_t v = 0; v < source->views; v++) {
        source->ways[v] = crops ? way(preprocess, v % 5, v >= 5) : way(preprocess, 4, false);
    }
    if (views == GRAFT_VIEWS_FLIP) {
        add_step(&source->ways[1],
                 (struct graft_transform){.kind = GRAFT_TRANSFORM_FLIP, .flip = {.probability = 1}});
    }
}

enum graft_status graft_views_open(struct graft_context *context, const struct graft_dataset *dataset,
                                   const struct graft_preprocess *preprocess, enum graft_split split,
                                   enum graft_views views, int64_t rows, struct graft_views_source *source)
{
    const size_t count = (size_t)rows;
    *source =
        (struct graft_views_source){.context = context, .views = graft_views_count(views), .rows = rows};
    find_ways(source, preprocess, views);
    source->row_bytes = (int64_t)preprocess->crop_height * preprocess->crop_width * preprocess->channels;
    source->pointers = graft_allocate(context, count, sizeof *source->pointers);
    source->labels = graft_allocate(context, count, sizeof *source->labels);
    source->samples = graft_allocate(context, count, sizeof *source->samples);
    source->notes = graft_allocate(context, count, sizeof *source->notes);
    const struct graft_loader_options options = {
        .split = split,
        .batch = (int32_t)(rows > source->views ? rows / source->views : 1),
        .views = source->ways,
        .view_count = source->views,
        .keep_damaged = true};
    enum graft_status status = source->pointers && source->labels && source->samples && source->notes
                                   ? GRAFT_OK
                                   : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK) {
        status = graft_loader_open(context, dataset, preprocess, &options, &source->loader);
    }
    if (status != GRAFT_OK) {
        graft_views_close(source);
    }
    return status;
}

void graft_views_close(struct graft_views_source *source)
{
    graft_loader_close(&source->loader);
    graft_release(source->context, source->pointers);
    graft_release(source->context, source->labels);
    graft_release(source->context, source->samples);
    graft_release(source->context, source->notes);
    *source = (struct graft_views_source){0};
}

enum graft_status graft_views_next(void *user, struct graft_fit_batch *batch)
{
    struct graft_views_source *const source = user;
    if (source->next == (int64_t)source->batch.valid * source->views) {
        source->next = 0;
        const enum graft_status status = graft_loader_next(source->loader, &source->batch);
        if (status != GRAFT_OK || source->batch.valid == 0) {
            return status;
        }
    }
    const int64_t left = (int64_t)source->batch.valid * source->views - source->next;
    const int64_t valid = left < source->rows ? left : source->rows;
    for (int64_t i = 0; i < source->rows; i++) {
        const int64_t row = source->next + (i < valid ? i : i % valid), picture = row / source->views;
        source->pointers[i] = source->batch.pixels + row * source->row_bytes;
        source->labels[i] = source->batch.labels[picture];
        source->samples[i] = source->batch.samples[picture];
        source->notes[i] = source->batch.notes[picture];
    }
    source->next += valid;
    *batch = (struct graft_fit_batch){.rows = source->pointers,
                                      .labels = source->labels,
                                      .samples = source->samples,
                                      .notes = source->notes,
                                      .valid = valid,
                                      .number = source->batch.number};
    return GRAFT_OK;
}

void graft_views_add(const float *logits, int32_t classes, double *sums)
{
    double largest = -INFINITY, sum = 0;
    for (int32_t c = 0; c < classes; c++) {
        largest = fmax(largest, (double)logits[c]);
    }
    for (int32_t c = 0; c < classes; c++) {
        sum += exp((double)logits[c] - largest);
    }
    for (int32_t c = 0; c < classes; c++) {
        sums[c] += exp((double)logits[c] - largest) / sum;
    }
}

void graft_views_mean(const double *sums, int32_t classes, int32_t views, float *logarithms)
{
    for (int32_t c = 0; c < classes; c++) { /* a probability of 0 must stay a number */
        logarithms[c] = (float)log(fmax(sums[c] / views, DBL_MIN));
    }
}
