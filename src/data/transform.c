/* SPDX-License-Identifier: MIT */
/* Lists of transforms: checked, and run on a picture. */
#include "data/transform.h"

#include "base/context.h"

#include <string.h>

static const struct graft_transform_row *const rows[] = {
    [GRAFT_TRANSFORM_RESIZE] = &graft_transform_resize,
    [GRAFT_TRANSFORM_CENTER_CROP] = &graft_transform_center_crop,
    [GRAFT_TRANSFORM_RANDOM_CROP] = &graft_transform_random_crop,
    [GRAFT_TRANSFORM_FLIP] = &graft_transform_flip,
    [GRAFT_TRANSFORM_JITTER] = &graft_transform_jitter,
};
#define KINDS ((int)(sizeof rows / sizeof rows[0]))

const struct graft_transform_row *graft_transform_row(enum graft_transform_kind kind)
{
    return (int)kind >= 0 && (int)kind < KINDS ? rows[kind] : NULL;
}

const char *graft_transform_name(enum graft_transform_kind kind)
{
    const struct graft_transform_row *const row = graft_transform_row(kind);
    return row ? row->name : NULL;
}

static enum graft_status check_field(struct graft_context *context, const struct graft_transform *step,
                                     const char *name, const struct graft_transform_field *field)
{
    const char *const at = (const char *)step + field->offset;
    if (field->type == GRAFT_FIELD_FILTER) {
        enum graft_filter filter;
        memcpy(&filter, at, sizeof filter);
        return graft_filter_name(filter)
                   ? GRAFT_OK
                   : graft_fail(context, GRAFT_ERROR_ARGUMENT, "no filter has the number %d", (int)filter);
    }
    if (field->type == GRAFT_FIELD_RANGE) {
        float range[2];
        memcpy(range, at, sizeof range);
        const double low = (double)range[0], high = (double)range[1];
        return low > field->least && low <= high && high <= field->most
                   ? GRAFT_OK
                   : graft_fail(context, GRAFT_ERROR_ARGUMENT,
                                "%s: %s from %g to %g; use %g < lowest <= highest <= %g", name, field->name,
                                low, high, field->least, field->most);
    }
    float real = 0;
    int32_t integer = 0;
    memcpy(field->type == GRAFT_FIELD_REAL ? (void *)&real : (void *)&integer, at, sizeof real);
    const double value = field->type == GRAFT_FIELD_REAL ? (double)real : integer;
    return value >= field->least && value <= field->most
               ? GRAFT_OK
               : graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s: a %s of %g; use %g to %g", name, field->name,
                            value, field->least, field->most);
}

/* What the picture has for its size after this step: `fits` is whether it is the input's. */
static bool makes_size(const struct graft_transform *step, bool fits)
{
    switch (step->kind) {
    case GRAFT_TRANSFORM_RESIZE:
        return step->resize.short_side == 0;
    case GRAFT_TRANSFORM_CENTER_CROP:
    case GRAFT_TRANSFORM_RANDOM_CROP:
        return true;
    default:
        return fits;
    }
}

enum graft_status graft_transforms_check(struct graft_context *context,
                                         const struct graft_transforms *transforms)
{
    bool fits = false;
    if (transforms->count < 1 || transforms->count > GRAFT_TRANSFORM_LIMIT) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a list of %d transforms; use 1 to %d",
                          transforms->count, GRAFT_TRANSFORM_LIMIT);
    }
    for (int32_t i = 0; i < transforms->count; i++) {
        const struct graft_transform *const step = &transforms->steps[i];
        const struct graft_transform_row *const row = graft_transform_row(step->kind);
        if (!row) {
            return graft_fail(context, GRAFT_ERROR_ARGUMENT, "no transform has the number %d",
                              (int)step->kind);
        }
        for (int f = 0; f < GRAFT_TRANSFORM_FIELDS && row->fields[f].name; f++) {
            const enum graft_status status = check_field(context, step, row->name, &row->fields[f]);
            if (status != GRAFT_OK) {
                return status;
            }
        }
        fits = makes_size(step, fits);
    }
    return fits ? GRAFT_OK
                : graft_fail(context, GRAFT_ERROR_ARGUMENT,
                             "the transforms do not end with the input's size: add a centre crop");
}

bool graft_transforms_random(const struct graft_transforms *transforms)
{
    for (int32_t i = 0; i < transforms->count; i++) {
        if (rows[transforms->steps[i].kind]->random) {
            return true;
        }
    }
    return false;
}

bool graft_transforms_keep(const struct graft_preprocess *preprocess,
                           const struct graft_transforms *transforms, int32_t height, int32_t width)
{
    const bool fits = height == preprocess->crop_height && width == preprocess->crop_width;
    bool kept = fits;
    for (int32_t i = 0; i < transforms->count; i++) {
        const struct graft_transform *const step = &transforms->steps[i];
        const int32_t side = step->resize.short_side;
        kept = kept && (step->kind == GRAFT_TRANSFORM_CENTER_CROP ||
                        (step->kind == GRAFT_TRANSFORM_RESIZE &&
                         (side == 0 || side == (width < height ? width : height))));
    }
    return kept;
}

/* ---- A picture on its way */

void graft_picture_resize(struct graft_picture *picture, int32_t height, int32_t width,
                          enum graft_filter filter)
{
    picture->height = picture->frame_height = height;
    picture->width = picture->frame_width = width;
    picture->filter = filter;
    picture->down = (struct graft_placement){.count = height};
    picture->across = (struct graft_placement){.count = width};
}

bool graft_picture_settled(const struct graft_picture *picture)
{
    return picture->height == picture->view.height && picture->width == picture->view.width &&
           picture->frame_height == picture->height && picture->frame_width == picture->width;
}

double graft_picture_draw(struct graft_picture *picture, double low, double high)
{
    return low + (high - low) * (double)graft_random_uniform(&picture->random);
}

/* Memory for the settled picture, other than where its pixels lie now: the result if it has that size. */
static uint8_t *target_of(struct graft_picture *picture, size_t bytes)
{
    const struct graft_preprocess *const p = picture->preprocess;
    struct graft_scratch *const scratch = picture->scratch;
    const bool fits = picture->frame_height == p->crop_height && picture->frame_width == p->crop_width;
    /* Own pixels may begin within the memory: a crop of what was settled there. */
    if (fits && picture->at != picture->result) {
        return picture->result;
    }
    struct graft_buffer *const free_stage =
        &scratch->stages[picture->at != NULL && picture->at == scratch->stages[0].data];
    return graft_buffer_reserve(scratch->context, free_stage, bytes) ? free_stage->data : NULL;
}

bool graft_picture_settle(struct graft_picture *picture)
{
    if (picture->pixels && graft_picture_settled(picture)) {
        return true;
    }
    const int32_t channels = picture->preprocess->channels;
    const size_t stride = (size_t)picture->frame_width * (size_t)channels;
    const size_t bytes = stride * (size_t)picture->frame_height;
    if (!graft_match_channels(picture->scratch, channels, &picture->view)) {
        return false;
    }
    uint8_t *const target = (int64_t)picture->frame_height * picture->frame_width <= GRAFT_IMAGE_MAX_PIXELS
                                ? target_of(picture, bytes)
                                : NULL;
    if (!target) {
        return false;
    }
    const struct graft_placement *const down = &picture->down, *const across = &picture->across;
    if (down->count < picture->frame_height || across->count < picture->frame_width) {
        memset(target, 0, bytes);
    }
    const struct graft_window window = {.width = picture->width,
                                        .height = picture->height,
                                        .x = across->cut,
                                        .y = down->cut,
                                        .columns = across->count,
                                        .rows = down->count};
    uint8_t *const corner = target + (size_t)down->pad * stride + (size_t)across->pad * (size_t)channels;
    if (!graft_resize_view(picture->scratch, &picture->view, picture->filter, &window, corner, stride)) {
        return false;
    }
    picture->view = (struct graft_view){.pixels = target,
                                        .width = picture->frame_width,
                                        .height = picture->frame_height,
                                        .channels = channels,
                                        .stride = stride};
    picture->pixels = picture->at = target;
    graft_picture_resize(picture, picture->frame_height, picture->frame_width, picture->filter);
    return true;
}

bool graft_transforms_run(struct graft_scratch *scratch, const struct graft_preprocess *preprocess,
                          const struct graft_transforms *transforms, const struct graft_draw *draw,
                          const struct graft_view *view, uint8_t *result)
{
    struct graft_picture picture = {
        .scratch = scratch, .preprocess = preprocess, .result = result, .view = *view};
    const uint64_t stream =
        graft_hash_text("augment") ^ ((uint64_t)draw->epoch << 32 | ((uint64_t)draw->sample & 0xffffffff));
    graft_random_start(&picture.random, draw->seed, stream);
    graft_picture_resize(&picture, view->height, view->width, GRAFT_FILTER_NEAREST);
    for (int32_t i = 0; i < transforms->count; i++) {
        const struct graft_transform *const step = &transforms->steps[i];
        if (!rows[step->kind]->apply(&picture, step)) {
            return false;
        }
    }
    if (!graft_picture_settle(&picture)) {
        return false;
    }
    if (picture.pixels != result) {
        memcpy(result, picture.pixels, picture.view.stride * (size_t)picture.view.height);
    }
    return true;
}
