/* SPDX-License-Identifier: MIT */
/* Pictures on a plane: plane.c draws them, plane_page.c makes a page of them. */
#ifndef GRAFT_SRC_VIS_PLANE_H
#define GRAFT_SRC_VIS_PLANE_H

#include "vis/canvas.h"

/* Places in 0..1 are (x − first) × scale, the same in both directions, in the middle of the square. */
struct graft_plane_frame {
    double first[2], scale;
};
void graft_plane_place(const struct graft_plane *plane, struct graft_plane_frame *frame);
/* GRAFT_ERROR_ARGUMENT: no points, places that are not finite, labels without a class. */
GRAFT_MUST_CHECK enum graft_status graft_plane_check(struct graft_context *context,
                                                     const struct graft_plane *plane);
struct graft_colour graft_colour_class(int32_t label, int32_t classes);

#endif
