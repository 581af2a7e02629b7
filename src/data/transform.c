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
    [GRAFT_TRANSFORM_ROTATE] = &graft_transform_rotate,
    [GRAFT_TRANSFORM_SHIFT] = &graft_transform_shift,
    [GRAFT_TRANSFORM_SHEAR] = &graft_transform_shear,
    [GRAFT_TRANSFORM_ZOOM] = &graft_transform_zoom,
    [GRAFT_TRANSFORM_GRAY] = &graft_transform_gray,
    [GRAFT_TRANSFORM_BLUR] = &graft_transform_blur,
    [GRAFT_TRANSFORM_ERASE] = &graft_transform_erase,
    [GRAFT_TRANSFORM_TRIVIAL] = &graft_transform_trivial,
    [GRAFT_TRANSFORM_RAND] = &graft_transform_rand,
    [GRAFT_TRANSFORM_CORNER_CROP] = &graft_transform_corner_crop,
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

const char *graft_fill_name(enum graft_fill fill)
{
    static const char *const names[] = {[GRAFT_FILL_CONSTANT] = "constant",
                                        [GRAFT_FILL_NEAREST] = "nearest",
                                        [GRAFT_FILL_REFLECT] = "reflect",
                                        [GRAFT_FILL_WRAP] = "wrap"};
    return (int)fill >= 0 && (size_t)fill < sizeof names / sizeof names[0] ? names[fill] : NULL;
}

const char *graft_transform_value_name(enum graft_transform_field_type type, int32_t number)
{
    return type == GRAFT_FIELD_FILTER ? graft_filter_name((enum graft_filter)number)
           : type == GRAFT_FIELD_FILL ? graft_fill_name((enum graft_fill)number)
                                      : NULL;
}

static enum graft_status check_field(struct graft_context *context, const struct graft_transform *step,
                                     const char *name, const struct graft_transform_field *field)
{
    const char *const at = (const char *)step + field->offset;
    if (field->type == GRAFT_FIELD_FILTER || field->type == GRAFT_FIELD_FILL) {
        int32_t number;
        memcpy(&number, at, sizeof number);
        return graft_transform_value_name(field->type, number)
                   ? GRAFT_OK
                   : graft_fail(context, GRAFT_ERROR_ARGUMENT, "no %s has the number %d", field->name,
                                number);
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
               : graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s: %s is %g; use %g to %g", name, field->name,
                            value, field->least, field->most);
}

/* What the picture has for its size after this step: `fits` is whether it is the input's. */
static bool makes_size(const struct graft_transform *step, bool fits)
{
    switch (step->kind) {
    case GRAFT_TRANSFORM_RESIZE:
        return step->resize.short_side == 0;
    case GRAFT_TRANSFORM_CENTER_CROP:
    case GRAFT_TRANSFORM_CORNER_CROP:
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

bool graft_picture_whole(struct graft_picture *picture)
{
    const bool whole = picture->frame_height == picture->height && picture->frame_width == picture->width;
    return whole || graft_picture_settle(picture);
}

void graft_picture_crop(struct graft_picture *picture, struct graft_placement down, struct graft_placement across)
{
    picture->frame_height = picture->preprocess->crop_height;
    picture->frame_width = picture->preprocess->crop_width;
    picture->down = down;
    picture->across = across;
}

bool graft_picture_settled(const struct graft_picture *picture)
{
    return !picture->turned && picture->height == picture->view.height &&
           picture->width == picture->view.width && picture->frame_height == picture->height &&
           picture->frame_width == picture->width;
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

struct graft_pixels graft_picture_pixels(const struct graft_picture *picture)
{
    return (struct graft_pixels){.data = picture->pixels,
                                 .width = picture->width,
                                 .height = picture->height,
                                 .channels = picture->view.channels};
}

static struct graft_view view_of(uint8_t *pixels, int32_t width, int32_t height, int32_t channels)
{
    return (struct graft_view){.pixels = pixels,
                               .width = width,
                               .height = height,
                               .channels = channels,
                               .stride = (size_t)width * (size_t)channels};
}

bool graft_picture_turn(struct graft_picture *picture, const double back[4], double across, double down,
                        enum graft_fill fill)
{
    if (!picture->turned) {
        if (!graft_picture_settle(picture)) {
            return false;
        }
        static const double as_it_is[6] = {1, 0, 0, 0, 1, 0};
        memcpy(picture->matrix, as_it_is, sizeof as_it_is);
        picture->turned = true;
    }
    /* The new step's way back first: p → back · (p − middle − move) + middle. */
    double *const m = picture->matrix;
    const double x = picture->width / 2.0, y = picture->height / 2.0;
    const double from_x = -x - across * picture->width, from_y = -y - down * picture->height;
    const double step[6] = {back[0], back[1], back[0] * from_x + back[1] * from_y + x,
                            back[2], back[3], back[2] * from_x + back[3] * from_y + y};
    for (int row = 0; row < 6; row += 3) {
        const double a = m[row], b = m[row + 1];
        m[row] = a * step[0] + b * step[3];
        m[row + 1] = a * step[1] + b * step[4];
        m[row + 2] += a * step[2] + b * step[5];
    }
    picture->fill = fill;
    return true;
}

/* The one resampling of all turns that wait. */
static bool resample(struct graft_picture *picture)
{
    const struct graft_view from = picture->view;
    uint8_t *const target = target_of(picture, from.stride * (size_t)from.height);
    if (!target) {
        return false;
    }
    const struct graft_pixels to = {target, from.width, from.height, from.channels};
    graft_pixels_affine(&from, picture->matrix, picture->fill, &to);
    picture->view = view_of(target, from.width, from.height, from.channels);
    picture->pixels = picture->at = target;
    picture->turned = false;
    return true;
}

bool graft_picture_settle(struct graft_picture *picture)
{
    if (picture->turned) {
        return resample(picture);
    }
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
    picture->view = view_of(target, picture->frame_width, picture->frame_height, channels);
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
        const struct graft_transform_row *const row = rows[step->kind];
        if ((picture.turned && !row->turns && !resample(&picture)) || !row->apply(&picture, step)) {
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
