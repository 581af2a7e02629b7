/* SPDX-License-Identifier: MIT */
/* Pictures seen in several ways, for a runner: a batch of the network's holds all ways of some pictures, and
 * what it says of them becomes one row. */
#ifndef GRAFT_SRC_INFER_VIEWS_H
#define GRAFT_SRC_INFER_VIEWS_H

#include "graft/classifier.h"
#include "infer/runner.h"

#define GRAFT_VIEWS_MOST 10

struct graft_views_source {
    struct graft_context *context;
    struct graft_loader *loader;
    int32_t views;
    int64_t rows; /* of the network's batch */
    int64_t row_bytes;
    struct graft_batch batch; /* of the loader, [valid, views] */
    int64_t next;             /* of its valid × views */
    const void **pointers;    /* [rows] and so on */
    int32_t *labels;
    int64_t *samples;
    struct graft_note *notes;
    struct graft_transforms ways[GRAFT_VIEWS_MOST];
};

/* `split` of the data set in batches for `rows` rows of the network. GRAFT_ERROR_MEMORY, statuses of
 * graft_loader_open. */
GRAFT_MUST_CHECK enum graft_status graft_views_open(struct graft_context *context,
                                                    const struct graft_dataset *dataset,
                                                    const struct graft_preprocess *preprocess,
                                                    enum graft_split split, enum graft_views views,
                                                    int64_t rows, struct graft_views_source *source);
void graft_views_close(struct graft_views_source *source);
/* For a runner; `source` is a struct graft_views_source. */
GRAFT_MUST_CHECK enum graft_status graft_views_next(void *source, struct graft_fit_batch *batch);

/* Adds softmax(logits) to sums [classes]; and the logarithms of their means over `views`, as f32. */
void graft_views_add(const float *logits, int32_t classes, double *sums);
void graft_views_mean(const double *sums, int32_t classes, int32_t views, float *logarithms);

#endif
