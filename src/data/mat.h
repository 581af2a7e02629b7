/* SPDX-License-Identifier: MIT */
/* MATLAB files (.mat): lists of whole numbers in them, by libmatio. */
#ifndef GRAFT_SRC_DATA_MAT_H
#define GRAFT_SRC_DATA_MAT_H

#include "graft/base.h"

struct graft_mat {
    int32_t *numbers;
    size_t count;
};

/*
 * Reads a variable, a matrix of one row or one column, whose values are whole numbers from 1 to INT32_MAX; release it with
 * graft_mat_close. GRAFT_ERROR_NOT_FOUND (no such file or variable; the message lists those that are there),
 * GRAFT_ERROR_IO, GRAFT_ERROR_FORMAT, GRAFT_ERROR_UNSUPPORTED (a build without libmatio), GRAFT_ERROR_MEMORY.
 */
GRAFT_MUST_CHECK enum graft_status graft_mat_read(struct graft_context *context, const char *path,
                                                  const char *variable, struct graft_mat *mat);
/* Calls `add` with number and ID of each element of the structure array `synsets` (fields ILSVRC2012_ID and WNID), until it
 * returns false: GRAFT_ERROR_MEMORY. Other statuses as above. */
GRAFT_MUST_CHECK enum graft_status graft_mat_synsets(struct graft_context *context, const char *path,
                                                     bool (*add)(void *user, int32_t number, const char *id),
                                                     void *user);
void graft_mat_close(struct graft_context *context, struct graft_mat *mat);

#endif
