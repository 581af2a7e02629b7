/* SPDX-License-Identifier: MIT */
/* Inside of tensor sets: for readers, which have made the data already. */
#ifndef GRAFT_SRC_IO_TENSOR_SET_H
#define GRAFT_SRC_IO_TENSOR_SET_H

#include "graft/io.h"
#include "io/stored.h"

/* Appends a tensor whose data come from graft_allocate; the set owns them on success only. `stored`: what the
 * file has them as; NONE where there is none. */
GRAFT_MUST_CHECK enum graft_status graft_tensor_set_take(struct graft_tensor_set *set, const char *name,
                                                         const struct graft_desc *desc, void *data,
                                                         enum graft_stored stored);

#endif
