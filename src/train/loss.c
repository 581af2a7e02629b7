/* SPDX-License-Identifier: MIT */
/* Losses that take targets, each a mean over the outputs of a row as PyTorch's function of that name. */
#include "train/loss.h"

/* The values of [rows, columns] in each row → [rows], times `scale`. */
static int reduce_rows(struct graft_graph *graph, int value, enum graft_reduction kind, float scale)
{
    const struct graft_reduce_attributes along = {.kind = kind, .axes = 2u};
    const int reduced = graft_reduce(graph, value, &along);
    const struct graft_desc *const desc = graft_graph_desc(graph, reduced);
    const struct graft_shape shape = desc ? desc->shape : graft_shape_of(1, 1);
    return scale == 1 ? reduced : graft_broadcast(graph, reduced, &shape, scale);
}

/* −Σ target · log softmax(logits) */
static int add_soft(struct graft_graph *graph, int logits, int targets)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, logits);
    const struct graft_shape shape = desc ? desc->shape : graft_shape_of(2, 1, 1);
    const int shares = graft_reshape(graph, targets, &shape);
    return reduce_rows(graph, graft_mul(graph, shares, graft_log_softmax(graph, logits)), GRAFT_REDUCE_SUM,
                       -1);
}

/* PyTorch smooths the distribution first, then each class weighs what is left. */
static void write_soft(const float *targets, int64_t outputs, const double *weights, double smoothing,
                       double *row)
{
    for (int64_t c = 0; c < outputs; c++) {
        const double smoothed = (1 - smoothing) * (double)targets[c] + smoothing / (double)outputs;
        row[c] = weights ? weights[c] * smoothed : smoothed;
    }
}

/* log sigmoid(x) and log sigmoid(−x) are the log softmax of (0, x): exact where sigmoid has gone to 0 or 1.
 */
static int add_sigmoid(struct graft_graph *graph, int logits, int targets)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, logits);
    const struct graft_shape rows = desc ? desc->shape : graft_shape_of(2, 1, 1);
    const struct graft_shape cells = graft_shape_of(2, rows.dim[0] * rows.dim[1], 1);
    const int pair[] = {graft_fill(graph, &cells, 0), graft_reshape(graph, logits, &cells)};
    const int both = graft_log_softmax(graph, graft_concat(graph, pair, 2, 1));
    const int losses = reduce_rows(graph, graft_mul(graph, targets, both), GRAFT_REDUCE_SUM, -1);
    return reduce_rows(graph, graft_reshape(graph, losses, &rows), GRAFT_REDUCE_MEAN, 1);
}

static void write_sigmoid(const float *targets, int64_t outputs, const double *weights, double smoothing,
                          double *row)
{
    (void)weights;
    for (int64_t c = 0; c < outputs; c++) {
        row[2 * c + 1] = (1 - smoothing) * (double)targets[c] + smoothing / 2;
        row[2 * c] = 1 - row[2 * c + 1];
    }
}

static int subtract(struct graft_graph *graph, int logits, int targets)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, logits);
    const struct graft_shape shape = desc ? desc->shape : graft_shape_of(2, 1, 1);
    return graft_sub(graph, logits, graft_reshape(graph, targets, &shape));
}

static int add_l2(struct graft_graph *graph, int logits, int targets)
{
    const int difference = subtract(graph, logits, targets);
    return reduce_rows(graph, graft_mul(graph, difference, difference), GRAFT_REDUCE_MEAN, 1);
}

static int add_l1(struct graft_graph *graph, int logits, int targets)
{
    return reduce_rows(graph, graft_unary(graph, GRAFT_UNARY_ABS, subtract(graph, logits, targets)),
                       GRAFT_REDUCE_MEAN, 1);
}

/* With a = |difference| and c = min(a, 1) it is c · (a − c / 2): a² / 2 up to 1, then a − 1/2. */
static int add_huber(struct graft_graph *graph, int logits, int targets)
{
    const int a = graft_unary(graph, GRAFT_UNARY_ABS, subtract(graph, logits, targets));
    const int c = graft_clip(graph, a, 0, 1);
    const struct graft_desc *const desc = graft_graph_desc(graph, c);
    const struct graft_shape shape = desc ? desc->shape : graft_shape_of(2, 1, 1);
    const int half = graft_broadcast(graph, c, &shape, 0.5f);
    return reduce_rows(graph, graft_mul(graph, c, graft_sub(graph, a, half)), GRAFT_REDUCE_MEAN, 1);
}

static void write_number(const float *targets, int64_t outputs, const double *weights, double smoothing,
                         double *row)
{
    (void)weights;
    (void)smoothing;
    for (int64_t c = 0; c < outputs; c++)
        row[c] = (double)targets[c];
}

static const struct graft_loss_kind kinds[] = {
    [GRAFT_LOSS_CROSS_ENTROPY] = {.labels = true, .tells_class = true},
    [GRAFT_LOSS_SOFT] = {false, true, 1, write_soft, add_soft},
    [GRAFT_LOSS_SIGMOID] = {false, false, 2, write_sigmoid, add_sigmoid},
    [GRAFT_LOSS_L2] = {false, false, 1, write_number, add_l2},
    [GRAFT_LOSS_L1] = {false, false, 1, write_number, add_l1},
    [GRAFT_LOSS_HUBER] = {false, false, 1, write_number, add_huber},
};

const struct graft_loss_kind *graft_loss_kind(enum graft_loss loss)
{
    return (int)loss >= 0 && (size_t)loss < sizeof kinds / sizeof kinds[0] ? &kinds[loss] : NULL;
}
