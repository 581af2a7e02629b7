/* SPDX-License-Identifier: MIT */
/* Pictures that a network was least right about, and those that each class is known and not known by. */
#ifndef GRAFT_SRC_VIS_ALBUM_H
#define GRAFT_SRC_VIS_ALBUM_H

#include "vis/page.h"

#define GRAFT_ALBUM_SIDE 150 /* pixels of a picture on the page */
#define GRAFT_ALBUM_STRIP 12
#define GRAFT_ALBUM_OF_CLASS 3

struct graft_album_picture {
    int32_t split;
    int64_t index;
    char *name;
    struct graft_image image; /* made smaller */
};

/* Pictures in an order; `prediction` is one of the predictions that the album was made of. */
struct graft_album_strip {
    struct graft_album_item {
        const struct graft_prediction *prediction;
        int32_t picture; /* of the album */
    } items[GRAFT_ALBUM_STRIP];
    int32_t count;
};

struct graft_album_class {
    int32_t label;
    struct graft_album_strip best, worst; /* by the probability of the class; no picture is in both */
};

struct graft_album {
    struct graft_context *context;
    struct graft_album_strip loss;  /* the largest first */
    struct graft_album_strip wrong; /* the surest first */
    struct graft_album_strip doubt; /* the two first classes are the nearest to each other first */
    struct graft_album_class *classes;
    int32_t class_count;
    struct graft_album_picture *pictures; /* each once */
    int32_t picture_count, picture_capacity;
};

/* Reads the pictures of a data set that the predictions, which must outlive the album, are of. `classes`
 * [class_count]: those to be shown. Statuses of graft_dataset_read. */
GRAFT_MUST_CHECK enum graft_status
graft_album_open(struct graft_context *context, const struct graft_dataset *dataset,
                 const struct graft_predictions *predictions, const int32_t *classes, int32_t class_count,
                 const struct graft_decode_options *decode, struct graft_album *album);
void graft_album_close(struct graft_album *album);

/* Sections of a page. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_album_put(const struct graft_page *page,
                                                   const struct graft_album *album,
                                                   const char *const *class_names);

#endif
