/* SPDX-License-Identifier: MIT */
/* Pictures one after the other in one file, an animated WebP that begins again at its end. */
#ifndef GRAFT_SRC_DATA_FILM_H
#define GRAFT_SRC_DATA_FILM_H

#include "graft/data.h"

struct graft_film;

/* Of frames of `width` × `height`. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_film_open(struct graft_context *context, int32_t width, int32_t height,
                                                   struct graft_film **film);
void graft_film_close(struct graft_film **film);
/* Adds a frame, grey or RGB, which is shown for so long. GRAFT_ERROR_ARGUMENT: it has another size;
 * GRAFT_ERROR_MEMORY; GRAFT_ERROR_UNSUPPORTED: the library cannot encode it. */
GRAFT_MUST_CHECK enum graft_status graft_film_add(struct graft_film *film, const struct graft_image *frame,
                                                  int milliseconds);
/* Writes the file; nothing can be added afterwards. GRAFT_ERROR_ARGUMENT: there is no frame; GRAFT_ERROR_MEMORY;
 * statuses of files. */
GRAFT_MUST_CHECK enum graft_status graft_film_save(struct graft_film *film, const char *path);

#endif
