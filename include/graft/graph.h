/* SPDX-License-Identifier: MIT */
/*
 * Graphs: values and ops, gradients, plans, runs.
 *
 * A graph is built once, planned once for a device, and run many times; a run allocates nothing. Builder
 * functions return a value id ≥ 0, or -1 after a failure; -1 as an operand makes the next one return -1 too,
 * so a network is written without checks and graft_graph_status tells at the end. The failure's text is in
 * the context.
 */
#ifndef GRAFT_GRAPH_H
#define GRAFT_GRAPH_H

#include "graft/device.h"
#include "graft/op.h"

#ifdef __cplusplus
extern "C" {
#endif

struct graft_graph;
struct graft_variables;
struct graft_plan;

enum graft_value_kind {
    GRAFT_VALUE_INPUT = 0,     /* written by the host before a run */
    GRAFT_VALUE_PARAMETER = 1, /* a variable that training may change */
    GRAFT_VALUE_STATE = 2,     /* a variable that nodes change: running statistics, optimizer state */
    GRAFT_VALUE_CONSTANT = 3,  /* fixed when the graph is built */
    GRAFT_VALUE_INTERMEDIATE = 4
};

/* `real` is GRAFT_DTYPE_F32, or GRAFT_DTYPE_F64 for a graph that only the reference device can run. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_graph_open(struct graft_context *context, enum graft_dtype real, struct graft_graph **graph);
GRAFT_API void graft_graph_close(struct graft_graph **graph);
/* GRAFT_OK, or the first failure of a builder function. */
GRAFT_API enum graft_status graft_graph_status(const struct graft_graph *graph);
GRAFT_API enum graft_dtype graft_graph_real(const struct graft_graph *graph);
GRAFT_API struct graft_context *graft_graph_context(const struct graft_graph *graph);

/* ---- values; names are copied and must be unique among inputs, parameters and state */
GRAFT_API int graft_graph_input(struct graft_graph *graph, const char *name, enum graft_dtype dtype,
                                const struct graft_shape *shape);
GRAFT_API int graft_graph_parameter(struct graft_graph *graph, const char *name,
                                    const struct graft_shape *shape);
/* `initial`: the value of all elements when the variable is created. */
GRAFT_API int graft_graph_state(struct graft_graph *graph, const char *name, const struct graft_shape *shape,
                                double initial);
/* `data` is copied; for a real value it is given as double and stored in the graph's dtype. */
GRAFT_API int graft_graph_constant(struct graft_graph *graph, const char *name,
                                   const struct graft_shape *shape, const double *data);
/* The same of whole numbers: i32. */
GRAFT_API int graft_graph_constant_i32(struct graft_graph *graph, const char *name,
                                       const struct graft_shape *shape, const int32_t *data);

GRAFT_API int graft_graph_value_count(const struct graft_graph *graph);
/* NULL for an id that does not exist (also -1). Valid until the next value is added. */
GRAFT_API const struct graft_desc *graft_graph_desc(const struct graft_graph *graph, int value);
GRAFT_API enum graft_value_kind graft_graph_kind(const struct graft_graph *graph, int value);
/* The name of a value: given, or that of the layer that makes it (see graft_graph_layer); never NULL. */
GRAFT_API const char *graft_graph_name(const struct graft_graph *graph, int value);
/* By name among inputs, parameters, state, and layers (the layer's last value); -1 if there is none. */
GRAFT_API int graft_graph_find(const struct graft_graph *graph, const char *name);

/* Nodes added from now on belong to this layer ("features.3.expand1x1"), for messages, summaries and
 * profiles. */
GRAFT_API void graft_graph_layer(struct graft_graph *graph, const char *name);

/* The step of training a node belongs to: see graft_plan_run. Nodes added from now on belong to `segment`. */
enum graft_segment { GRAFT_SEGMENT_COMPUTE = 0, GRAFT_SEGMENT_UPDATE = 1 };
GRAFT_API void graft_graph_segment(struct graft_graph *graph, enum graft_segment segment);

/* Keeps the value readable after a run. Nodes that serve no output and change no variable are not planned. */
GRAFT_API void graft_graph_output(struct graft_graph *graph, int value);

/* ---- ops; -1 for an operand that is optional and absent */
/* x [n, h, w, c], w [o, kh, kw, c / groups], bias [o]? → [n, oh, ow, o] */
GRAFT_API int graft_conv2d(struct graft_graph *graph, int x, int w, int bias,
                           const struct graft_conv2d_attributes *attributes);
/* a [.., m, k], b [.., k, n], bias [n]? → [.., m, n] */
GRAFT_API int graft_matmul(struct graft_graph *graph, int a, int b, int bias, bool transpose_a,
                           bool transpose_b);
GRAFT_API int graft_add(struct graft_graph *graph, int a, int b);
GRAFT_API int graft_mul(struct graft_graph *graph, int a, int b);
GRAFT_API int graft_sub(struct graft_graph *graph, int a, int b);
GRAFT_API int graft_div(struct graft_graph *graph, int a, int b);
GRAFT_API int graft_pow(struct graft_graph *graph, int a, int b);
GRAFT_API int graft_binary(struct graft_graph *graph, enum graft_binary kind, int a, int b);
/* leaky_relu with alpha 0.01, clip without limits: those with other parameters follow. */
GRAFT_API int graft_unary(struct graft_graph *graph, enum graft_unary kind, int x);
GRAFT_API int graft_leaky_relu(struct graft_graph *graph, int x, float alpha);
GRAFT_API int graft_clip(struct graft_graph *graph, int x, float low, float high);
GRAFT_API int graft_max_pool(struct graft_graph *graph, int x,
                             const struct graft_pool_attributes *attributes);
GRAFT_API int graft_avg_pool(struct graft_graph *graph, int x,
                             const struct graft_pool_attributes *attributes);
/* [n, h, w, c] → [n, c] */
GRAFT_API int graft_global_avg_pool(struct graft_graph *graph, int x);
/* [n, h, w, c] → [n, c]; of equal maxima the first, in rows and then columns, gets the gradient. */
GRAFT_API int graft_global_max_pool(struct graft_graph *graph, int x);
GRAFT_API int graft_reduce(struct graft_graph *graph, int x,
                           const struct graft_reduce_attributes *attributes);
/* Σ of the squares of all elements of some values, one number: the square of their common norm. -1 among the
 * values is left out. */
GRAFT_API int graft_sum_squares(struct graft_graph *graph, const int *values, int count);
GRAFT_API int graft_broadcast(struct graft_graph *graph, int x, const struct graft_shape *shape, float scale);
/* Normalizes with the given statistics; gamma, beta, mean, variance [c]. */
GRAFT_API int graft_batch_norm(struct graft_graph *graph, int x, int gamma, int beta, int mean, int variance,
                               float epsilon);
/* Normalizes with the batch's own statistics and moves the running ones (states, or -1 both) towards them. */
GRAFT_API int graft_batch_norm_training(struct graft_graph *graph, int x, int gamma, int beta,
                                        int running_mean, int running_variance, float epsilon,
                                        float momentum);
/* x [n, …, c], gamma and beta [c]; see graft_group_norm_attributes. */
GRAFT_API int graft_group_norm(struct graft_graph *graph, int x, int gamma, int beta, int32_t groups,
                               float epsilon);
/* Over the last `dims` dimensions, whose shape gamma and beta have: 1 for the vectors of a transformer. */
GRAFT_API int graft_layer_norm(struct graft_graph *graph, int x, int gamma, int beta, int dims,
                               float epsilon);
/* q [n, tq, heads, d], k [n, tk, heads, d], v [n, tk, heads, e], bias [p, heads, tq, tk]?, mask [m, tq, tk]? → [n, tq,
 * heads, e], see graft_attention_attributes. No matrix of tq × tk is made. */
GRAFT_API int graft_attention(struct graft_graph *graph, int q, int k, int v, int bias, int mask,
                              const struct graft_attention_attributes *attributes);
/* Along the last dimension; log_softmax is exact where softmax has gone to 0. */
GRAFT_API int graft_softmax(struct graft_graph *graph, int x);
GRAFT_API int graft_log_softmax(struct graft_graph *graph, int x);
/* logits [n, classes], labels i32 [n], class_weights [classes]? → losses [n], see
 * graft_cross_entropy_attributes */
GRAFT_API int graft_cross_entropy(struct graft_graph *graph, int logits, int labels, int class_weights,
                                  float label_smoothing);
/* step: i32 [1] input that changes with each training step; or [2], then step[1] rows of the same batch come
 * before those of x, and a batch in parts drops the same elements (see src/op/dropout.c). */
GRAFT_API int graft_dropout(struct graft_graph *graph, int x, int step,
                            const struct graft_dropout_attributes *attributes);
/* Rows of x along dimension 0; index: i32 [k]. */
GRAFT_API int graft_gather(struct graft_graph *graph, int x, int index);
GRAFT_API int graft_concat(struct graft_graph *graph, const int *values, int count, int axis);
GRAFT_API int graft_slice(struct graft_graph *graph, int x, const struct graft_slice_attributes *attributes);
GRAFT_API int graft_pad(struct graft_graph *graph, int x, const struct graft_pad_attributes *attributes);
GRAFT_API int graft_resize(struct graft_graph *graph, int x,
                           const struct graft_resize_attributes *attributes);
GRAFT_API int graft_lrn(struct graft_graph *graph, int x, const struct graft_lrn_attributes *attributes);
GRAFT_API int graft_transpose(struct graft_graph *graph, int x,
                              const struct graft_transpose_attributes *attributes);
GRAFT_API int graft_reshape(struct graft_graph *graph, int x, const struct graft_shape *shape);
/* ShuffleNet: channel i × (c / groups) + j of x [n, h, w, c] becomes channel j × groups + i (Zhang, Zhou,
 * Lin, Sun, CVPR 2018; PyTorch's ChannelShuffle). `groups` ≥ 1 divides c. */
GRAFT_API int graft_channel_shuffle(struct graft_graph *graph, int x, int groups);
/* The total variation of each picture of x [n, h, w, c] → [n]: Σ |x[h + 1, w] − x[h, w]| + |x[h, w + 1] −
 * x[h, w]| over places and channels (anisotropic; Rudin, Osher, Fatemi 1992), or the sum of the squares of
 * those differences. */
GRAFT_API int graft_total_variation(struct graft_graph *graph, int x, bool squared);
/* [n, …] → [n, the rest]: order is that of our layout, (h, w, c). */
GRAFT_API int graft_flatten(struct graft_graph *graph, int x);
GRAFT_API int graft_fill(struct graft_graph *graph, const struct graft_shape *shape, float value);
/* u8 [n, h, w, c], mean [c], std [c] → real */
GRAFT_API int graft_normalize(struct graft_graph *graph, int x, int mean, int std);

/*
 * The sum of a value over all runs since graft_plan_clear, of the value's shape: gradients of micro-batches,
 * added up in the compute segment, are what the update segment takes.
 */
GRAFT_API int graft_graph_sum(struct graft_graph *graph, int value);

enum graft_optimizer { GRAFT_SGD = 0, GRAFT_ADAM = 1, GRAFT_RMSPROP = 2, GRAFT_ADAMW = 3 };
/*
 * Updates a parameter in place in the update segment; optimizer state is created under
 * "<parameter>.<optimizer>.m" and ".v". hyper: an input [4], see graft_update_attributes; squares:
 * graft_sum_squares of all gradients if attributes->max_norm clips them, else -1 or any number: nothing is
 * changed unless it is finite. GRAFT_ADAMW is adam with
 * decoupled set. Returns 0 or -1.
 */
GRAFT_API int graft_update(struct graft_graph *graph, enum graft_optimizer optimizer, int parameter,
                           int gradient, int hyper, int squares,
                           const struct graft_update_attributes *attributes);

/*
 * Adds the nodes that compute d(of)/d(target) for each target; `of` has one element. gradients[i] is -1 for a
 * target that `of` does not depend on. Only what is needed for the targets is added: a frozen trunk gets no
 * gradient nodes.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_graph_gradient(struct graft_graph *graph, int of, const int *targets, int count, int *gradients);

/* ---- variables: parameters and state on a device, by name; shared by all plans on that device */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_variables_open(struct graft_device *device,
                                                                  struct graft_variables **variables);
GRAFT_API void graft_variables_close(struct graft_variables **variables);
/* Creates those of the graph's parameters and states that are not there yet: one arena for parameters, one
 * for state. Parameters start as 0, states with their initial value. GRAFT_ERROR_SHAPE names one that has
 * another shape. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_variables_add(struct graft_variables *variables,
                                                                 const struct graft_graph *graph);
/* Whole tensors, host memory, the variable's dtype. bytes must match. GRAFT_ERROR_NOT_FOUND names the
 * variable. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_variables_write(struct graft_variables *variables, const char *name, const void *data, uint64_t bytes);
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_variables_read(struct graft_variables *variables, const char *name, void *data, uint64_t bytes);
GRAFT_API int graft_variables_count(const struct graft_variables *variables);
/* In order of creation; NULL beyond the end. `kind`: PARAMETER or STATE; may be NULL, like `desc`. */
GRAFT_API const char *graft_variables_at(const struct graft_variables *variables, int index,
                                         struct graft_desc *desc, enum graft_value_kind *kind);

/* ---- plans */
struct graft_plan_options {
    bool no_fusion;   /* neither fold nor fuse: every node of the graph is run as it stands */
    bool no_in_place; /* every intermediate has memory of its own during its life */
    bool keep_all;    /* every intermediate can be read after a run (no reuse, no fusion) */
    bool whole_batch; /* every layer runs on the whole batch; else, on devices with caches, many layers run on
                         a few pictures before the next ones come (the results may differ in rounding) */
    bool check_numbers; /* after each node: GRAFT_ERROR_NUMERIC names the first layer that made NaN or Inf */
    bool deferred; /* nothing is allocated before graft_plan_acquire: for sizes, see graft_plan_get_memory */
    bool tf32; /* matrix products and convolutions round their factors to TF32 (10 bits instead of 23, errors
                  of 2^-10 of the sums of absolute products) where a matrix unit computes them faster so;
                  GRAFT_ERROR_UNSUPPORTED on devices without one */
    const char *variants;  /* forced variants, "conv2d=reference,matmul=clblast"; NULL: by default */
    uint64_t memory_limit; /* bytes for this plan's own arenas; 0: what the device has free; for all that a
                              program takes see graft_context_limit_memory */
};

struct graft_plan_memory {
    uint64_t parameters; /* bytes of the variables used: parameters */
    uint64_t state;      /* … and state */
    uint64_t inputs;
    uint64_t constants;   /* and values computed once from variables that do not change */
    uint64_t activations; /* intermediates, gradients and workspace included, after reuse */
    uint64_t activations_without_reuse;
    uint64_t workspace;
    uint64_t prepared; /* packed weights */
    uint64_t sums;     /* see graft_graph_sum */
    uint64_t largest;  /* the largest single allocation */
};

/*
 * Plans the graph (which is not changed and may be closed) for a device. Variables that are missing are
 * added. Arenas beyond the device's largest single allocation are split. GRAFT_ERROR_UNSUPPORTED names node
 * and reason; GRAFT_ERROR_MEMORY names need, limit and the largest part.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_plan_open(const struct graft_graph *graph,
                                                             struct graft_device *device,
                                                             struct graft_variables *variables,
                                                             const struct graft_plan_options *options,
                                                             struct graft_plan **plan);
GRAFT_API void graft_plan_close(struct graft_plan **plan);
/*
 * Gives the plan's memory back, so that others can have it, and takes it again; sizes and places stay.
 * Inputs, outputs and sums are lost. Meanwhile writing, reading and running are GRAFT_ERROR_ARGUMENT.
 * Statuses of graft_plan_open; after a failure the plan is released.
 */
GRAFT_API void graft_plan_release(struct graft_plan *plan);
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_plan_acquire(struct graft_plan *plan);

/* Writes an input; `value` is an id of the graph. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_plan_write(struct graft_plan *plan, int value,
                                                              const void *data, uint64_t bytes);
/* Reads an output (or any value with keep_all); waits for the device. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_plan_read(struct graft_plan *plan, int value, void *data,
                                                             uint64_t bytes);
/*
 * Queues all nodes of a segment. COMPUTE: losses and gradients; UPDATE: the optimizer. Allocates nothing.
 *
 * What fails after it was queued is reported by the next call that waits: graft_plan_read, graft_plan_wait,
 * or a run that finds the queue full (GRAFT_ERROR_DEVICE, with the kernel's name). After a failure the
 * segment can be run again, with the same result; but variables that its nodes change (running statistics,
 * what the optimizer updates) may have been changed in part, and have to be written again.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_plan_run(struct graft_plan *plan,
                                                            enum graft_segment segment);
/* Sets all sums over runs to 0; they are undefined before. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_plan_clear(struct graft_plan *plan);
/* Packs and folds weights anew. graft_plan_run does it by itself when variables were changed from outside
 * this plan; calling it takes the time beforehand. What the last run left in outputs is lost. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_plan_refresh(struct graft_plan *plan);
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_plan_wait(struct graft_plan *plan);

GRAFT_API void graft_plan_get_memory(const struct graft_plan *plan, struct graft_plan_memory *memory);

/* One planned node, for listings and profiles. Texts are the plan's. */
struct graft_plan_node {
    const char *layer;
    const char *op;
    const char *variant;
    const char *call; /* shapes and attributes */
    bool tuned;       /* the variant was chosen by a measurement that was kept: `graft bench --tune` */
    enum graft_segment segment;
    bool once; /* run by refresh only */
    double flops;
    double
        saving; /* operations of the definition, which `flops` counts, for one of the kernel's: 1 or more */
    double bytes;
    double bytes_at_once; /* of `bytes`, that a kernel touches at a time: those of a part of the batch */
    double seconds;       /* device time of the last profiled run; 0 before */
};
GRAFT_API int graft_plan_node_count(const struct graft_plan *plan);
GRAFT_API void graft_plan_node_at(const struct graft_plan *plan, int index, struct graft_plan_node *node);
/* Runs a segment node by node, waiting for each, and notes the times. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_plan_profile(struct graft_plan *plan,
                                                                enum graft_segment segment);

#ifdef __cplusplus
}
#endif
#endif
