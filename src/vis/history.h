/* SPDX-License-Identifier: MIT */
/* history.csv of a run, read back. */
#ifndef GRAFT_SRC_VIS_HISTORY_H
#define GRAFT_SRC_VIS_HISTORY_H

#include "graft/base.h"

/* The numbers of an epoch, as columns. */
enum graft_history_column {
    GRAFT_HISTORY_EPOCH,
    GRAFT_HISTORY_LEARNING_RATE,
    GRAFT_HISTORY_TRAIN_LOSS,
    GRAFT_HISTORY_TRAIN_TOP1,
    GRAFT_HISTORY_VAL_LOSS,
    GRAFT_HISTORY_VAL_TOP1,
    GRAFT_HISTORY_SECONDS,
    GRAFT_HISTORY_COLUMNS
};

struct graft_history {
    int64_t rows;
    int64_t capacity;
    double *columns[GRAFT_HISTORY_COLUMNS]; /* [rows]; NaN: empty in the file */
};

/* GRAFT_ERROR_FORMAT names file and line; GRAFT_ERROR_NOT_FOUND, GRAFT_ERROR_IO, GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_history_read(struct graft_context *context, const char *path,
                                                      struct graft_history *history);
void graft_history_close(struct graft_context *context, struct graft_history *history);

/* The row that graft_fit takes as the best: most right in validation, then the lowest loss; without
 * validation the last. −1 without rows. */
int64_t graft_history_best(const struct graft_history *history);

#endif
