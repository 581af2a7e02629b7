/* SPDX-License-Identifier: MIT */
/*
 * A network with a head of one's own: what the family lays after its last feature map gives way to
 *
 *   flatten,dense:1024,relu,dropout:0.5     and a dense layer to the classes
 *
 * Layers are "head.0", "head.1" …, as of a Sequential of PyTorch's called head; the stages are those before
 * the map, and "head". avg and max pool the map; what is dense reads all of a map.
 */
#ifndef GRAFT_SRC_MODEL_HEAD_H
#define GRAFT_SRC_MODEL_HEAD_H

#include "graft/model.h"

#define GRAFT_HEAD_TEXT 256

/* Checks a head's text. GRAFT_ERROR_ARGUMENT says which piece of it is none. */
GRAFT_MUST_CHECK enum graft_status graft_head_check(struct graft_context *context, const char *text);
/* `pool` ("avg", "max"; NULL, "none": nothing) before the layers of `head` (NULL: none), as one text; "": the
 * network's own head. GRAFT_ERROR_ARGUMENT. */
GRAFT_MUST_CHECK enum graft_status graft_head_join(struct graft_context *context, const char *pool,
                                                   const char *head, char text[GRAFT_HEAD_TEXT]);

struct graft_headed;
/* `base` must outlive it. */
GRAFT_MUST_CHECK enum graft_status graft_headed_open(struct graft_context *context,
                                                     const struct graft_network *base, const char *text,
                                                     struct graft_headed **headed);
const struct graft_network *graft_headed_network(const struct graft_headed *headed);
void graft_headed_close(struct graft_headed **headed);

#endif
