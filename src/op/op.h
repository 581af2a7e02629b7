/* SPDX-License-Identifier: MIT */
/*
 * What an op is, apart from how it is computed: shape rule, gradient rule, work. One file an op; ops.def
 * lists them.
 */
#ifndef GRAFT_SRC_OP_OP_H
#define GRAFT_SRC_OP_OP_H

#include "graft/op.h"

#include <stddef.h>

#define GRAFT_MAX_INPUTS 8
#define GRAFT_MAX_OUTPUTS 4

enum graft_op {
#define GRAFT_OP(name, NAME) GRAFT_OP_##NAME,
#include "op/ops.def"
#undef GRAFT_OP
    GRAFT_OP_COUNT
};

union graft_attributes {
    struct graft_conv2d_attributes conv2d; /* conv2d, conv2d_grad_* */
    struct graft_matmul_attributes matmul;
    struct graft_unary_attributes unary;   /* unary, unary_grad */
    struct graft_binary_attributes binary; /* binary, binary_grad */
    struct graft_pool_attributes pool;     /* max_pool, avg_pool, *_grad */
    struct graft_reduce_attributes reduce;
    struct graft_broadcast_attributes broadcast;
    struct graft_batch_norm_attributes batch_norm; /* batch_norm* */
    struct graft_group_norm_attributes group_norm; /* group_norm* */
    struct graft_attention_attributes attention;   /* attention* */
    struct graft_cross_entropy_attributes cross_entropy;
    struct graft_dropout_attributes dropout;
    struct graft_gather_attributes gather; /* gather, gather_grad */
    struct graft_concat_attributes concat;
    struct graft_slice_attributes slice;
    struct graft_pad_attributes pad;
    struct graft_transpose_attributes transpose;
    struct graft_resize_attributes resize; /* resize, resize_grad */
    struct graft_lrn_attributes lrn;       /* lrn, lrn_grad */
    struct graft_reshape_attributes reshape;
    struct graft_fill_attributes fill;
    struct graft_update_attributes update; /* sgd, adam, rmsprop */
};

/* One use of an op: everything that decides how it is computed, nothing about where tensors are. */
struct graft_call {
    enum graft_op op;
    union graft_attributes attributes;
    int n_inputs;                             /* inputs given, absent ones in the middle included */
    struct graft_desc in[GRAFT_MAX_INPUTS];   /* dtype NONE: absent */
    struct graft_desc out[GRAFT_MAX_OUTPUTS]; /* dtype NONE: not wanted, the kernel must not write it */
    uint32_t accumulate; /* bit i: out[i] += result instead of = (ops with `accumulates`) */
    uint32_t
        constant; /* bit i: in[i] changes only between runs, announced by kernel_prepare: may be packed */
    enum graft_dtype
        real; /* F32, or F64 on the reference device: the dtype of all real tensors of this call */
    /* Elements from row to row (of the last dimension) of a tensor that is a view of some columns of a wider
     * one; 0: its rows lie one behind the other. */
    int64_t in_pitch[GRAFT_MAX_INPUTS];
    int64_t out_pitch[GRAFT_MAX_OUTPUTS];
    bool tf32;       /* of products: their factors may be rounded to TF32 */
    uint32_t placed; /* concat, bit i: in[i] lies in its place in y; slice, bit 0: y lies in x. Not copied */
};

/* The last dimension, 1 of a scalar: elements of a row. */
static inline int64_t graft_shape_width(const struct graft_shape *shape)
{
    return shape->rank > 0 ? shape->dim[shape->rank - 1] : 1;
}

/* Elements from row to row of an input or output, in any case. */
static inline int64_t graft_call_in_pitch(const struct graft_call *call, int input)
{
    return call->in_pitch[input] ? call->in_pitch[input] : graft_shape_width(&call->in[input].shape);
}

static inline int64_t graft_call_out_pitch(const struct graft_call *call, int output)
{
    return call->out_pitch[output] ? call->out_pitch[output] : graft_shape_width(&call->out[output].shape);
}

struct graft_work {
    double flops; /* additions + multiplications */
    double bytes; /* read once + written once */
    double terms; /* products or summands per output element: K of the rounding bound */
};

/* How gradient rules add nodes: the graph room provides it. Values are ids ≥ 0; -1 is "none". After the first
 * failure every call returns -1 and does nothing; the graph reports it at the end. */
struct graft_emitter {
    /* Adds a node; returns the id of output 0 (0 for an op without outputs) or -1. `outputs` (may be NULL)
     * gets the ids of all outputs. */
    int (*apply)(struct graft_emitter *emitter, enum graft_op op, const union graft_attributes *attributes,
                 const int *inputs, int n_inputs, int outputs[GRAFT_MAX_OUTPUTS]);
    const struct graft_desc *(*desc)(struct graft_emitter *emitter, int value);
};

/* The gradient rule's task: dL/d(output) is given for each output that has one, dL/d(input) is asked for. */
struct graft_gradient {
    struct graft_emitter *emitter;
    const struct graft_call *call;
    const int *inputs;                     /* value ids, -1 absent */
    const int *outputs;                    /* value ids */
    const int *output_gradients;           /* value ids, -1: nothing depends on that output */
    const bool *wanted;                    /* for each input */
    int input_gradients[GRAFT_MAX_INPUTS]; /* result; -1 where not wanted or there is none */
};

/* Some of the indices along one dimension: begin + i × step, i < size. */
struct graft_rows {
    int dimension; /* -1: all of the tensor */
    int64_t begin, size, step;
};

struct graft_op_def {
    const char *name;
    const char *input_names[GRAFT_MAX_INPUTS]; /* "x", "w" …: for messages */
    uint32_t i32_inputs;                       /* bit i: input i is i32 */
    uint32_t u8_inputs;                        /* bit i: input i is u8; all others are real */
    int min_inputs;
    int max_inputs;
    int n_outputs;
    uint32_t optional;   /* bit i: input i may be absent (-1) */
    uint32_t shape_only; /* bit i: of input i the shape is looked at, not what it holds */
    uint32_t mutates;    /* bit i: input i is changed in place */
    uint32_t in_place;   /* bit i: output 0 may share the memory of input i if shapes and dtypes are equal */
    bool updates;        /* changes input 0 by the gradient in input 1, element by element */
    bool accumulates;    /* understands call.accumulate */
    bool fuses_unary;    /* has an activation in its attributes (set by graft_op_set_activation), or … */
    bool takes_slope;    /* multiplies a gradient by the slope of an activation in its attributes … */
    size_t activation;   /* … either at so many bytes of the union */
    bool is_product;     /* sums of products of two inputs: call.tf32 says something to it */
    int residual_input;  /* input index of the fused addition, 0 if there is none */
    /* Checks inputs and attributes; sets call->out[] of all outputs, but of those that an absent input leaves
     * out. Failures name op, shapes and attribute. */
    enum graft_status (*infer)(struct graft_context *context, struct graft_call *call);
    /* NULL: not differentiable (updates, statistics). Failures come through the emitter. */
    void (*gradient)(struct graft_gradient *gradient);
    void (*work)(const struct graft_call *call, struct graft_work *work);
    /*
     * Whether each row along dimension 0 of the outputs depends only on the same row of the inputs in the
     * mask `batched` (and on the other inputs as a whole), so that `rows` of them can be computed by
     * themselves. If so, changes attributes that hold the number of rows. NULL: no. The outputs may have more
     * rows, or fewer, for each of the inputs' (reshape); an empty mask: all rows are the same.
     */
    bool (*separate)(struct graft_call *call, uint32_t batched, int64_t rows);
    /*
     * Whether the op of parts of its inputs makes just `rows` of output 0, each element of which is computed
     * from the same elements. If so, sets in[i] to what it takes of input i (of all that are given; they are
     * set to everything beforehand) and changes attributes that hold a shape. NULL: no.
     */
    bool (*narrow)(struct graft_call *call, const struct graft_rows *rows, struct graft_rows *in);
    /* Appends the attributes to `text` as in " stride 2x2 groups 4"; NULL for ops without any. */
    void (*format)(const struct graft_call *call, char *text, size_t size);
};

/* One per op, defined in src/op/<name>.c. */
#define GRAFT_OP(name, NAME) extern const struct graft_op_def graft_op_##name;
#include "op/ops.def"
#undef GRAFT_OP

const struct graft_op_def *graft_op_get(enum graft_op op);
/* GRAFT_OP_COUNT if there is none of that name. */
enum graft_op graft_op_find(const char *name);

/* Checks counts, presence, dtypes and rank limits common to all, then calls the op's infer. Sets call->real.
 */
GRAFT_MUST_CHECK enum graft_status graft_op_infer(struct graft_context *context, struct graft_call *call);

/* The op's `narrow`, with in[] set to everything beforehand; false, too, where the op has none. */
bool graft_op_narrow(struct graft_call *call, const struct graft_rows *rows,
                     struct graft_rows in[GRAFT_MAX_INPUTS]);

/* The fused activation of a call; NONE for ops without one. */
enum graft_unary graft_op_activation(const struct graft_call *call);
void graft_op_set_activation(struct graft_call *call, enum graft_unary activation);
/* The activation whose slope a gradient is multiplied by; NONE for ops without one. */
enum graft_unary graft_op_slope(const struct graft_call *call);

/* Whether a kind may be the activation of another op. Where its derivative needs x, which nobody stores then,
 * such an op has no gradient; the pass that fuses leaves alone what a gradient reads. */
bool graft_unary_fuses(enum graft_unary kind);
/* "relu" …; and which of x and y the derivative of a unary function is computed from. */
const char *graft_unary_name(enum graft_unary kind);
const char *graft_binary_name(enum graft_binary kind);
enum graft_unary_operand { GRAFT_UNARY_FROM_X, GRAFT_UNARY_FROM_Y };
enum graft_unary_operand graft_unary_needs(enum graft_unary kind);

/* "conv2d x[2, 8, 8, 3] w[4, 3, 3, 3] stride 1 … -> [2, 6, 6, 4]" into text; returns text. */
char *graft_call_format(const struct graft_call *call, char *text, size_t size);

/* dropout: blocks of random words for each row before this part of a batch; 0 if step[0] is all there is. */
int64_t graft_dropout_row_blocks(const struct graft_call *call);

/* Helpers for infer functions. */
enum graft_status graft_op_fail(struct graft_context *context, const struct graft_call *call,
                                const char *format, ...)
    GRAFT_PRINTF(3, 4); /* GRAFT_ERROR_SHAPE with "op: message (inputs …)" */
/* Output size of a window op along one axis, or -1 if it does not fit. */
int64_t graft_window_output(int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                            int64_t pad_before, int64_t pad_after, bool ceil_mode);
/* x [n, …, c] as the group_norm ops see it: [images, pixels, groups, width], channels = groups × width. */
struct graft_group_layout {
    int64_t images, pixels, groups, width, channels;
};
struct graft_group_layout graft_group_layout_of(const struct graft_shape *x, int32_t groups);
/* What the attention ops have in common; bias and mask: the inputs' numbers, -1 where there is none. */
struct graft_attention_layout {
    int64_t images, queries, keys, heads, depth, width; /* n, tq, tk, heads, d, e */
    int64_t biases, masks;                              /* p, m */
    int bias, mask;
};
struct graft_attention_layout graft_attention_layout_of(const struct graft_call *call);
/* NumPy's broadcast of two shapes; false if they do not fit. */
bool graft_shape_broadcast(const struct graft_shape *a, const struct graft_shape *b,
                           struct graft_shape *result);

#endif
