/* SPDX-License-Identifier: MIT */
/*
 * Steps of a list of transforms. A kind of step is a file transform_NAME.c with a row, and a line in the
 * table of transform.c: from the fields of the row come its checks and its JSON.
 */
#ifndef GRAFT_SRC_DATA_TRANSFORM_H
#define GRAFT_SRC_DATA_TRANSFORM_H

#include "base/random.h"
#include "data/pixels.h"
#include "data/preprocess.h"
#include "data/resize.h"

enum graft_transform_field_type {
    GRAFT_FIELD_INTEGER, /* int32_t */
    GRAFT_FIELD_REAL,    /* float */
    GRAFT_FIELD_RANGE,   /* float[2], the lower bound first */
    GRAFT_FIELD_FILTER,  /* enum graft_filter */
    GRAFT_FIELD_FILL     /* enum graft_fill */
};

struct graft_transform_field {
    const char *name; /* in JSON */
    enum graft_transform_field_type type;
    size_t offset;      /* in struct graft_transform */
    double least, most; /* of numbers */
};

#define GRAFT_TRANSFORM_FIELDS 4

struct graft_picture;

struct graft_transform_row {
    const char *name;
    struct graft_transform_field fields[GRAFT_TRANSFORM_FIELDS]; /* ended by a NULL name, or full */
    bool random;
    bool turns; /* it takes a picture that waits to be turned */
    /* False: no memory. */
    bool (*apply)(struct graft_picture *picture, const struct graft_transform *step);
};

extern const struct graft_transform_row graft_transform_resize, graft_transform_center_crop,
    graft_transform_random_crop, graft_transform_flip, graft_transform_jitter, graft_transform_rotate,
    graft_transform_shift, graft_transform_shear, graft_transform_zoom, graft_transform_gray,
    graft_transform_blur, graft_transform_erase, graft_transform_trivial, graft_transform_rand,
    graft_transform_corner_crop;

/* NULL for a number that is none. */
const struct graft_transform_row *graft_transform_row(enum graft_transform_kind kind);
/* Of a field whose values have names; NULL: the type has none, or that number is none. */
const char *graft_transform_value_name(enum graft_transform_field_type type, int32_t number);

/* One axis of a crop: what is cut off in front, or padded there, and how many pixels are taken. */
struct graft_placement {
    int32_t cut, pad, count;
};

/* Of the middle of an axis of `size` pixels. */
struct graft_placement graft_center_place(int32_t size, int32_t crop);
/* The size after a resize step: the short side as asked, the long one in proportion; `side` 0: the input's.
 */
void graft_resized(const struct graft_preprocess *preprocess, int32_t side, int32_t *height, int32_t *width);

/*
 * A picture on its way. Resizes wait: `view` is what there is, [height, width] what it is to become, and the
 * frame the part of that which is needed; so only that part is computed. Turns wait too, once nothing else
 * does.
 */
struct graft_picture {
    struct graft_scratch *scratch;
    const struct graft_preprocess *preprocess;
    struct graft_random random;
    uint8_t *result; /* [crop_height, crop_width, channels] */
    struct graft_view view;
    uint8_t *pixels; /* the view's, if they are this picture's own and may be changed; else NULL */
    uint8_t *at;     /* the memory that the view lies in, if it is the picture's own; else NULL */
    int32_t height, width;
    enum graft_filter filter;
    int32_t frame_height, frame_width;
    struct graft_placement down, across;
    bool turned; /* the pixel at p is to be what the view shows at matrix · (p, 1) */
    double matrix[6];
    enum graft_fill fill;
};

/* Computes what waits: afterwards `pixels` are [height, width, channels] without gaps. */
bool graft_picture_settle(struct graft_picture *picture);
/* Nothing waits: the picture has the size of its view. */
bool graft_picture_settled(const struct graft_picture *picture);
/* Becomes height × width, all of which is needed. */
void graft_picture_resize(struct graft_picture *picture, int32_t height, int32_t width,
                          enum graft_filter filter);
/* Where a crop waits it is computed, so that another can be taken of the picture. False: no memory. */
bool graft_picture_whole(struct graft_picture *picture);
/* What is needed of a whole picture: the input's size, from there. */
void graft_picture_crop(struct graft_picture *picture, struct graft_placement down, struct graft_placement across);
/* Of a settled picture. */
struct graft_pixels graft_picture_pixels(const struct graft_picture *picture);
/*
 * A turn about the middle: what is to be at (x, y) from there is now at back · (x, y), [2, 2]; then it moves
 * by these parts of its width and height.
 */
bool graft_picture_turn(struct graft_picture *picture, const double back[4], double across, double down,
                        enum graft_fill fill);
/* In [low, high). */
double graft_picture_draw(struct graft_picture *picture, double low, double high);

#endif
