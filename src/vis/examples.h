/* SPDX-License-Identifier: MIT */
/* Pictures that say most about a network: of each class the surest right one and the surest wrong one,
 * explained. */
#ifndef GRAFT_SRC_VIS_EXAMPLES_H
#define GRAFT_SRC_VIS_EXAMPLES_H

#include "vis/album.h"

#define GRAFT_EXAMPLE_SIDE 240 /* pixels of a picture on the page */

struct graft_example {
    char *name;
    int32_t label, predicted;            /* classes; the same: it is right */
    double label_share, predicted_share; /* probabilities */
    struct graft_image picture;          /* made smaller */
    struct graft_image overlays[2];      /* what speaks for `predicted`; for `label`, where it is another */
};

struct graft_examples {
    struct graft_context *context;
    struct graft_example *items; /* by class, the right one first */
    int64_t count;
    const char *const *class_names;
    int32_t left_out; /* classes that are not shown */
    char layer[GRAFT_MODEL_NAME_SIZE];
    struct graft_predictions predictions; /* of all pictures */
    struct graft_album album;
};

/* Sections of a page. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_examples_put(const struct graft_page *page,
                                                      const struct graft_examples *examples);

#endif
