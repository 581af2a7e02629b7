/* SPDX-License-Identifier: MIT */
/*
 * Writing ONNX files from the graph of a network. ONNX's maps are [n, c, h, w], ours [n, h, w, c]: each value
 * is written in the form in which it comes about, and brought into another one only where something asks for
 * it, so that a network of convolutions has no transpose at all. What is written are lists of names and
 * nodes; those that serve the output go into the file.
 *
 * onnx_write.c: the file; onnx_write_graph.c: names, constants and nodes; onnx_write_form.c: forms of values;
 * onnx_write_attention.c, _layers.c, _math.c, _shape.c: a function an op.
 */
#ifndef GRAFT_SRC_IO_ONNX_WRITE_H
#define GRAFT_SRC_IO_ONNX_WRITE_H

#include "base/text.h"
#include "graft/io.h"
#include "graft/model.h"
#include "graph/graph.h"

#define GRAFT_ONNX_OPSET 17

/* How the elements of a value lie. */
enum graft_onnx_order {
    GRAFT_ONNX_AS_HERE = 0, /* as in our graph */
    GRAFT_ONNX_CHANNELS_FIRST =
        1, /* of a map [n, h, w, c]: [n, c, h, w]; of weights [o, h, w, i]: [o, i, h, w] */
    GRAFT_ONNX_FLAT_FIRST = 2, /* [n, h · w · c], flattened from [n, c, h, w] */
    GRAFT_ONNX_ORDERS = 3
};

struct graft_onnx_written {
    int names[GRAFT_ONNX_ORDERS]; /* in each order in which it is there; -1 */
    enum graft_onnx_order order;  /* in which it came about */
    int64_t map[3];               /* FLAT_FIRST: h, w, c */
    int column;                   /* [c] as [c, 1, 1], to go with a map; -1 */
    int delayed;                  /* node of a reshape that is written only where it is needed; -1 */
    enum graft_onnx_order taken;  /* … in which order it takes its operand */
    int rows; /* a name that has the elements of this [rows, c] in the shape of value `rows_of`; -1 */
    int rows_of;
};

/* A name in the file: what it stands for. */
struct graft_onnx_name {
    int node;      /* that makes it; -1 */
    int parameter; /* of the model; -1 */
    int constant;  /* -1 */
    bool used;
};

struct graft_onnx_constant {
    bool integer; /* i64; else f32 */
    struct graft_shape shape;
    void *data;
};

enum { GRAFT_ONNX_MOST_INPUTS = 8 };

struct graft_onnx_line {
    const char *op;
    int layer; /* of the graph, for its name; -1 */
    int inputs[GRAFT_ONNX_MOST_INPUTS], input_count;
    int output;
    size_t attributes, attributes_end; /* in writer.attributes */
};

struct graft_onnx_writer {
    struct graft_context *context;
    const struct graft_model *model;
    const struct graft_graph *graph, *other; /* other: with another batch; NULL: the batch is fixed */
    struct graft_onnx_written *values;       /* [graph->n_values] */
    int *parameter_of;                       /* [graph->n_values] parameter of a value; -1 */
    struct graft_onnx_name *names;
    int name_count, name_capacity;
    struct graft_onnx_constant *constants;
    int constant_count, constant_capacity;
    struct graft_onnx_line *lines;
    int line_count, line_capacity;
    struct graft_text attributes; /* serialized; those of the next node from `attributes_begin` on */
    size_t attributes_begin;
    const struct graft_node *node; /* that is written now */
    int input;                     /* name of the graph's input */
    int batch;                     /* name of an i64 [1] with the batch's size; -1: not made yet */
    enum graft_status status;      /* the first failure */
    bool batch_matters;            /* what failed would not with a fixed batch */
};

/* ---- onnx_write.c */

struct graft_onnx_file {
    const struct graft_model *model, *other; /* the same with another batch, so that any batch can be told;
                                                NULL: its batch is fixed */
    int output;                              /* value */
    const char *input_name, *output_name;
    const char *description;
    const struct graft_tensor_set *weights; /* PyTorch's layout; its texts become metadata_props */
};
/* `path` NULL: nothing is written, it only tries whether it can be. GRAFT_ERROR_UNSUPPORTED (an op that has
 * no form in ONNX, by name; more than 2 GiB), GRAFT_ERROR_IO, GRAFT_ERROR_MEMORY. *batch_matters: it failed
 * because any batch was asked for; a fixed one can be written. */
GRAFT_MUST_CHECK enum graft_status graft_onnx_save(struct graft_context *context, const char *path,
                                                   const struct graft_onnx_file *file, bool *batch_matters);

/* ---- onnx_write_graph.c. Names are -1 after a failure, and as operands that are absent. */

/* "'NETWORK' cannot be written as ONNX: layer 'LAYER': …"; -1. */
int graft_onnx_fail(struct graft_onnx_writer *writer, const char *format, ...) GRAFT_PRINTF(2, 3);
/* As before, but only because any batch is asked for; -1. */
int graft_onnx_fail_batch(struct graft_onnx_writer *writer);
/* Attributes of the node that is emitted next. */
void graft_onnx_put_int(struct graft_onnx_writer *writer, const char *name, int64_t value);
void graft_onnx_put_float(struct graft_onnx_writer *writer, const char *name, float value);
void graft_onnx_put_ints(struct graft_onnx_writer *writer, const char *name, const int64_t *values,
                         int count);
void graft_onnx_put_text(struct graft_onnx_writer *writer, const char *name, const char *value);
/* A node; its output. */
int graft_onnx_emit(struct graft_onnx_writer *writer, const char *op, const int *inputs, int count);
int graft_onnx_emit_1(struct graft_onnx_writer *writer, const char *op, int x);
int graft_onnx_emit_2(struct graft_onnx_writer *writer, const char *op, int x, int y);
int graft_onnx_parameter_name(struct graft_onnx_writer *writer, int parameter);
int graft_onnx_integers(struct graft_onnx_writer *writer, const int64_t *values, int count);
/* f32; `data` is copied. */
int graft_onnx_reals(struct graft_onnx_writer *writer, const struct graft_shape *shape, const float *data);
int graft_onnx_real(struct graft_onnx_writer *writer, float value);
/* Gives a name to the value's result. */
void graft_onnx_note(struct graft_onnx_writer *writer, int value, enum graft_onnx_order order, int name);

/* ---- onnx_write_form.c */

const struct graft_shape *graft_onnx_shape(const struct graft_onnx_writer *writer, int value);
/* Does a dimension depend on the batch? */
bool graft_onnx_varies(const struct graft_onnx_writer *writer, int value, int dimension);
/* The value's name in an order; made where it is not there yet. */
int graft_onnx_take_as(struct graft_onnx_writer *writer, int value, enum graft_onnx_order order);
/* The order in which it came about. */
enum graft_onnx_order graft_onnx_order_of(struct graft_onnx_writer *writer, int value);
/* The place of a dimension of ours. */
int graft_onnx_place(enum graft_onnx_order order, int rank, int dimension);
/* As an operand that is broadcast to a value of `rank` dimensions in that order. */
int graft_onnx_take_to(struct graft_onnx_writer *writer, int value, int rank, enum graft_onnx_order order);
/* Reshapes to a value's shape in an order; what depends on the batch is told by the reader. */
int graft_onnx_reshape_to(struct graft_onnx_writer *writer, int name, int value, enum graft_onnx_order order);
/* An i64 vector: the value's shape in an order. */
int graft_onnx_whole_shape(struct graft_onnx_writer *writer, int value, enum graft_onnx_order order);

/* ---- the ops: they write writer->node */

typedef void graft_onnx_write_op(struct graft_onnx_writer *writer);
graft_onnx_write_op graft_onnx_write_attention, graft_onnx_write_gather, graft_onnx_write_conv2d,
    graft_onnx_write_matmul, graft_onnx_write_max_pool, graft_onnx_write_avg_pool,
    graft_onnx_write_batch_norm, graft_onnx_write_group_norm, graft_onnx_write_lrn,
    graft_onnx_write_normalize;
graft_onnx_write_op graft_onnx_write_binary, graft_onnx_write_unary, graft_onnx_write_reduce,
    graft_onnx_write_softmax, graft_onnx_write_log_softmax;
graft_onnx_write_op graft_onnx_write_concat, graft_onnx_write_slice, graft_onnx_write_pad,
    graft_onnx_write_resize, graft_onnx_write_transpose, graft_onnx_write_reshape, graft_onnx_write_broadcast,
    graft_onnx_write_fill;
/* x after a function of one value. */
int graft_onnx_apply(struct graft_onnx_writer *writer, const struct graft_unary_attributes *function, int x);
/* Notes output 0 after the residual (input, or 0) and the activation that are part of the node. */
void graft_onnx_finish(struct graft_onnx_writer *writer, int name, enum graft_onnx_order order, int residual,
                       enum graft_unary activation);

#endif
