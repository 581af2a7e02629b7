/* SPDX-License-Identifier: MIT */
/*
 * ONNX files: what is read of them, and the import of their graph as a network. Reading makes lists of nodes,
 * values and tensors; the import walks the nodes whenever a model is opened and emits layers. What does not
 * depend on the picture (shapes, masks, positions) is computed on the way, on the host.
 */
#ifndef GRAFT_SRC_IO_ONNX_H
#define GRAFT_SRC_IO_ONNX_H

#include "graft/onnx.h"
#include "io/protobuf.h"
#include "model/models.h"

/* Bytes within the file. */
struct graft_onnx_text {
    const char *data;
    size_t length;
};
bool graft_onnx_is(struct graft_onnx_text text, const char *other);
/* A StringStringEntryProto; what it lacks is empty. */
void graft_onnx_read_entry(struct graft_protobuf message, struct graft_onnx_text *key, struct graft_onnx_text *value);

enum graft_onnx_kind {
    GRAFT_ONNX_REAL = 0,
    GRAFT_ONNX_INTEGER = 1,
    GRAFT_ONNX_BOOL = 2,
    GRAFT_ONNX_UNREAD = 3 /* numbers of a type that is not read: no node may use them */
};

/* A tensor on the host. */
struct graft_onnx_tensor {
    enum graft_onnx_kind kind;
    bool hosted; /* the host computes with its numbers */
    int type;    /* of what is UNREAD: TensorProto.DataType */
    struct graft_shape shape;
    const char *name;   /* of a weight in the set: terminated; NULL for others */
    const float
        *reals; /* of real ones; NULL for a weight that only the network's parameter of its name has; or */
    double *numbers;    /* those of anything else */
};

struct graft_onnx_attribute {
    struct graft_onnx_text name;
    int type; /* AttributeProto.type: 1 f, 2 i, 3 s, 4 t, 6 floats, 7 ints */
    float f;
    int64_t i;
    struct graft_onnx_text s;
    struct graft_onnx_tensor *t;
    double *list; /* of floats or ints */
    int count;
};

struct graft_onnx_node {
    struct graft_onnx_text name, op;
    int *inputs, *outputs; /* values; -1: absent */
    int input_count, output_count;
    struct graft_onnx_attribute *attributes;
    int attribute_count;
};

/* A part of the network: the node that it begins with, and the value that enters it. */
#define GRAFT_ONNX_STAGE_NAME 64
#define GRAFT_ONNX_STAGES 32
struct graft_onnx_stage {
    int node, value;
    char name[GRAFT_ONNX_STAGE_NAME];
};
struct graft_onnx_stages {
    struct graft_onnx_stage list[GRAFT_ONNX_STAGES];
    int count;
};

struct graft_onnx {
    struct graft_context *context;
    char *path;
    struct graft_protobuf file; /* all of it */
    bool apart;                 /* it is what a run keeps: weights have no numbers there */
    int64_t opset;
    struct graft_onnx_node *nodes;
    int node_count, node_capacity;
    struct graft_onnx_text *values;       /* names */
    struct graft_onnx_tensor **constants; /* [value_count], of initializers; NULL for others */
    int value_count, value_capacity;
    bool *aliases, *aliased;        /* [value_count] other names of weights, and what has such */
    int *slots, slot_count;         /* a hash table of the values' names: numbers + 1 */
    int input, output;              /* values */
    struct graft_shape input_shape; /* 0: any */
    bool bytes;                     /* the input is u8 */
    bool channels_last;             /* the input is [n, h, w, c] */
    int head;                       /* node that makes the classes */
    int head_weight, head_outputs;  /* its weights, and which dimension of theirs counts the classes */
    const char *head_fault;         /* why another head cannot take its place; NULL: it can */
    int64_t classes;
    struct graft_onnx_stages stages; /* before the head */
    void **memory; /* all that the reader took */
    int memory_count, memory_capacity;
    struct graft_network network; /* what the import builds */
    char name[64];
};

/* "'FILE' is damaged …" or "… cannot be imported: …". */
enum graft_status graft_onnx_damaged(const struct graft_onnx *onnx, const char *format, ...)
    GRAFT_PRINTF(2, 3);
enum graft_status graft_onnx_unsupported(const struct graft_onnx *onnx, const char *format, ...)
    GRAFT_PRINTF(2, 3);
/* Memory that is released with the file; NULL (and released) where the list cannot grow. */
void *graft_onnx_keep(struct graft_onnx *onnx, void *memory);
/* Memory that lives as long as the file; NULL with the error recorded. */
void *graft_onnx_take(struct graft_onnx *onnx, size_t count, size_t size);

/* Ops that compute with integers instead of the network's numbers, and what is said of them. */
bool graft_onnx_is_quantized(struct graft_onnx_text op);
enum graft_status graft_onnx_quantized(const struct graft_onnx *onnx, struct graft_onnx_text op);

/* onnx_tensor.c: a name that a set and a model take; TensorProto; weights of real numbers with a name go into
 * the set. */
GRAFT_MUST_CHECK enum graft_status
graft_onnx_read_tensor(struct graft_onnx *onnx, struct graft_protobuf message, struct graft_tensor_set *set,
                       struct graft_onnx_tensor **tensor, struct graft_onnx_text *name);
/* The largest integers mean "to the end"; as doubles they are larger than any. */
int64_t graft_onnx_integer(double number);
GRAFT_MUST_CHECK enum graft_status graft_onnx_name_weight(struct graft_onnx *onnx, struct graft_onnx_text own,
                                                          const struct graft_tensor_set *set, char *name);
double graft_onnx_number(const struct graft_onnx_tensor *tensor, int64_t index);

/* onnx_read.c: the whole message; the value of a name, -1: there is none. */
int graft_onnx_find_value(const struct graft_onnx *onnx, struct graft_onnx_text name);
GRAFT_MUST_CHECK enum graft_status graft_onnx_read_model(struct graft_onnx *onnx,
                                                         struct graft_tensor_set *set);

/* onnx_weights.c: weights that are made of tensors of the file alone; their nodes are taken out. Integers
 * that are left then are refused. */
GRAFT_MUST_CHECK enum graft_status graft_onnx_derive_weights(struct graft_onnx *onnx,
                                                             struct graft_tensor_set *set);

/* onnx_graph.c: the graph by itself. */
#define GRAFT_ONNX_APART "graft.weights_apart" /* the key in metadata_props that says so */
/* After reading: numbers of weights stay with the file where the host computes with them; elsewhere the set
 * has them, and the file must not, since the set may be closed. */
GRAFT_MUST_CHECK enum graft_status graft_onnx_settle_weights(struct graft_onnx *onnx);
/* What a run keeps: see graft_network.write_graph. */
GRAFT_MUST_CHECK enum graft_status graft_onnx_write_graph(const struct graft_network *network,
                                                          struct graft_text *text);

/* onnx_input.c: an entry of metadata_props, whose text goes into the set if it is one of ours; a check of
 * what is done with bytes. */
GRAFT_MUST_CHECK enum graft_status graft_onnx_read_metadata(struct graft_onnx *onnx,
                                                            struct graft_protobuf message,
                                                            struct graft_tensor_set *set);
GRAFT_MUST_CHECK enum graft_status graft_onnx_check_bytes(struct graft_onnx *onnx);

/* onnx_head.c: the layer that makes the classes. */
GRAFT_MUST_CHECK enum graft_status graft_onnx_find_head(struct graft_onnx *onnx);

/* onnx_stages.c: what comes before it, in parts. */
GRAFT_MUST_CHECK enum graft_status graft_onnx_find_stages(struct graft_onnx *onnx);

/* ---- the import */

enum graft_onnx_form {
    GRAFT_ONNX_PLAIN = 0,
    GRAFT_ONNX_ERF = 1,    /* erf of the value */
    GRAFT_ONNX_ONE_ERF = 2 /* 1 + erf of the value: x times that, halved, is gelu */
};

/* A value of the graph that is being built, or a tensor on the host, or neither: not in the part that is
 * built. */
struct graft_onnx_value {
    const struct graft_onnx_tensor *host;
    int id;                    /* of the graph; -1 */
    struct graft_shape shape;  /* as ONNX sees it */
    int order[GRAFT_MAX_RANK]; /* dimension i of ONNX is dimension order[i] of the graph's value */
    enum graft_onnx_form form;
    float scale;  /* the value is this times the graph's; 0: 1. Of a form: what erf is taken of */
    float factor; /* of a form: the whole is this times it; 0: 1 */
};

struct graft_onnx_import {
    const struct graft_onnx *onnx;
    struct graft_layers *b;
    struct graft_onnx_value *values; /* [value_count] */
    const struct graft_onnx_node *node;
    char layer[GRAFT_MODEL_NAME_SIZE];
    void **memory; /* tensors made on the way */
    int memory_count, memory_capacity;
    bool head;             /* the head has begun; … */
    int64_t head_inputs;   /* … numbers that each of its outputs is made of */
    int64_t multiply_adds; /* of the node, for a picture */
    int64_t host_left;     /* elements that may still be read and made on the host */
};

/* Refuse the node, by its name and op; they return false. */
bool graft_onnx_refuse(struct graft_onnx_import *import, const char *format, ...) GRAFT_PRINTF(2, 3);
void *graft_onnx_import_take(struct graft_onnx_import *import, size_t count, size_t size);

/* Inputs; NULL where absent. */
const struct graft_onnx_value *graft_onnx_input(const struct graft_onnx_import *import, int index);
/* What an output has got, or is to get; NULL where the node has no name for it, so that nobody reads it. */
struct graft_onnx_value *graft_onnx_output(const struct graft_onnx_import *import, int index);
/* The first output is `value`. */
void graft_onnx_give(struct graft_onnx_import *import, const struct graft_onnx_value *value);
void graft_onnx_set_host(struct graft_onnx_import *import, int output,
                         const struct graft_onnx_tensor *tensor);
/* `order` NULL: as it is. */
bool graft_onnx_set(struct graft_onnx_import *import, int output, int id, const int *order);

/* Attributes. A wrong type counts as absent; graft_onnx_list fills at most `most` and returns how many there
 * are. */
const struct graft_onnx_attribute *graft_onnx_attribute(const struct graft_onnx_import *import,
                                                        const char *name);
int64_t graft_onnx_int(const struct graft_onnx_import *import, const char *name, int64_t otherwise);
float graft_onnx_float(const struct graft_onnx_import *import, const char *name, float otherwise);
int graft_onnx_list(const struct graft_onnx_import *import, const char *name, int64_t *list, int most);
/* From an attribute, or from an input on the host, as newer opsets have it; -1: it cannot be told, refused.
 */
int graft_onnx_list_or_input(struct graft_onnx_import *import, const char *name, int input, int64_t *list,
                             int most, bool *present);

/* onnx_value.c: values of the graph in the order that is asked for; -1 after a failure. */
int graft_onnx_plain(struct graft_onnx_import *import,
                     const struct graft_onnx_value *value); /* its own order */
int graft_onnx_ordered(struct graft_onnx_import *import,
                       const struct graft_onnx_value *value); /* ONNX's order */
int graft_onnx_nhwc(struct graft_onnx_import *import, const struct graft_onnx_value *value); /* rank 4 */
int graft_onnx_as(struct graft_onnx_import *import, const struct graft_onnx_value *value, int rank,
                  const int *order); /* with dimensions of 1 before, and in that order */
bool graft_onnx_is_ordered(const struct graft_onnx_value *value);
/* The weights of a product: [in, out], or `by_rows` [out, in]. */
int graft_onnx_matrix(struct graft_onnx_import *import, const struct graft_onnx_tensor *tensor, bool by_rows);
/* Is it the weights of the layer that makes the classes? */
bool graft_onnx_is_head(const struct graft_onnx_import *import, const struct graft_onnx_tensor *tensor);
/* What a new head's weights and biases begin with: as PyTorch's layers do by themselves. */
void graft_onnx_start_head(const struct graft_onnx_import *import, struct graft_model_parameter *parameter);
/* A weight as a parameter (or, `state`, as what is not trained); a number otherwise: as a constant. */
int graft_onnx_parameter(struct graft_onnx_import *import, const struct graft_onnx_tensor *tensor,
                         bool state);
/* A constant of one number. */
int graft_onnx_scalar(const struct graft_onnx_import *import, double number);
extern const int graft_onnx_nhwc_order[4];

/* onnx_host.c: the node on the host, if all that it needs is there; false: it is not done there. */
bool graft_onnx_fold(struct graft_onnx_import *import, bool *refused);
struct graft_onnx_tensor *graft_onnx_make(struct graft_onnx_import *import, enum graft_onnx_kind kind,
                                          const struct graft_shape *shape);

/* Elements that the import of a file may read and make there. */
int64_t graft_onnx_host_limit(const struct graft_onnx *onnx);

/* onnx_shape.c: where the elements of a result come from: element (i, j, …) from begin + i · step[0] + j ·
 * step[1] … */
struct graft_onnx_moved {
    struct graft_shape shape;
    int64_t begin, step[GRAFT_MAX_RANK];
};
bool graft_onnx_plan_move(struct graft_onnx_import *import, struct graft_onnx_moved *moved);

/* The ops: onnx_layers.c, onnx_math.c, onnx_shape.c. False: refused, or a failure of the graph's. */
typedef bool graft_onnx_op(struct graft_onnx_import *import);
struct graft_onnx_row {
    const char *name;
    graft_onnx_op *run;
};
extern const struct graft_onnx_row graft_onnx_layers[], graft_onnx_math[], graft_onnx_shapes[];

/* onnx_import.c */
int graft_onnx_build(struct graft_layers *b, int x, const void *configuration);

#endif
