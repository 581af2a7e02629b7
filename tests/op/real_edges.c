/* SPDX-License-Identifier: MIT */
/* Every op at sizes that no network need have: far behind the beginning of a buffer, with more than 65,535
 * work-groups in each dimension of a launch, with more than 2^31 bytes in a tensor. */
#include "real_edges.h"

#include "base/context.h"

#include <string.h>

#define LARGE ((int64_t)1 << 29) /* elements of f32 that are 2^31 bytes */

static void give(struct graft_call *call, int input, const struct graft_shape *shape)
{
    call->in[input] = (struct graft_desc){GRAFT_DTYPE_F32, *shape};
    call->n_inputs = input + 1 > call->n_inputs ? input + 1 : call->n_inputs;
}

static void give_vector(struct graft_call *call, int first, int last, int64_t size)
{
    const struct graft_shape shape = graft_shape_of(1, size);
    for (int i = first; i <= last; i++) {
        give(call, i, &shape);
    }
}

static void give_labels(struct graft_call *call, int input, int64_t size)
{
    const struct graft_shape shape = graft_shape_of(1, size);
    give(call, input, &shape);
    call->in[input].dtype = GRAFT_DTYPE_I32;
}

void graft_edge_conv(struct graft_call *call, enum graft_op op, const struct graft_edge_conv *s)
{
    const int64_t oh = (s->h + 2 * s->pad - s->k) / s->stride + 1;
    const int64_t ow = (s->w + 2 * s->pad - s->k) / s->stride + 1;
    const struct graft_shape x = graft_shape_of(4, s->n, s->h, s->w, s->c);
    const struct graft_shape y = graft_shape_of(4, s->n, oh, ow, s->o);
    const struct graft_shape w = graft_shape_of(4, s->o, s->k, s->k, s->c / s->groups);
    struct graft_conv2d_attributes a = {.stride = {s->stride, s->stride},
                                        .dilation = {1, 1},
                                        .pad = {s->pad, s->pad, s->pad, s->pad},
                                        .groups = s->groups};
    *call = (struct graft_call){.op = op};
    if (op == GRAFT_OP_CONV2D_GRAD_INPUT) {
        a.size[0] = (int32_t)s->h;
        a.size[1] = (int32_t)s->w;
    } else if (op == GRAFT_OP_CONV2D_GRAD_WEIGHT) {
        a.size[0] = a.size[1] = s->k;
    }
    call->attributes.conv2d = a;
    give(call, 0, op == GRAFT_OP_CONV2D_GRAD_INPUT ? &y : &x);
    give(call, 1, op == GRAFT_OP_CONV2D_GRAD_WEIGHT ? &y : &w);
}

void graft_edge_matmul(struct graft_call *call, int64_t batches, int64_t m, int64_t n, int64_t k,
                       const char *turned, bool shared)
{
    const bool a = strchr(turned, 'a') != NULL;
    const bool b = strchr(turned, 'b') != NULL;
    const int rank = batches > 0 ? 3 : 2;
    const int64_t first[] = {batches, a ? k : m, a ? m : k};
    const int64_t second[] = {batches, b ? n : k, b ? k : n};
    const struct graft_shape left = graft_shape_make(rank, first + (3 - rank));
    const struct graft_shape right = graft_shape_make(shared ? 2 : rank, second + (shared ? 1 : 3 - rank));
    *call =
        (struct graft_call){.op = GRAFT_OP_MATMUL, .attributes.matmul = {.transpose_a = a, .transpose_b = b}};
    give(call, 0, &left);
    give(call, 1, &right);
}

bool graft_edge_add(struct graft_reals *reals, struct graft_context *context, struct graft_call *call,
                    enum graft_real_place place)
{
    call->real = GRAFT_DTYPE_F32;
    return graft_op_infer(context, call) == GRAFT_OK && graft_reals_add(reals, call, place, true);
}

/* ---- every op ---- */

/* Attributes of updates and the like, as the first of the small cases has them. */
static void take_attributes(struct graft_call *call)
{
    call->attributes = graft_case_set_of(call->op)->cases[0].attributes;
}

static void plain_conv(struct graft_call *call, enum graft_op op, const int64_t x[4])
{
    const bool wide = x[3] >= 65536; /* depthwise: as many groups */
    const bool large = x[0] * x[1] * x[2] * x[3] >= LARGE;
    const struct graft_edge_conv conv = {x[0],
                                         x[1],
                                         x[2],
                                         x[3],
                                         wide    ? x[3]
                                         : large ? 8
                                                 : x[3],
                                         large ? 1 : 3,
                                         1,
                                         large ? 0 : 1,
                                         wide ? (int32_t)x[3] : 1};
    graft_edge_conv(call, op, &conv);
}

static void plain_pool(struct graft_call *call, const struct graft_shape *x)
{
    const struct graft_shape y = graft_shape_of(4, x->dim[0], x->dim[1] / 2, x->dim[2] / 2, x->dim[3]);
    call->attributes.pool = (struct graft_pool_attributes){.kernel = {2, 2}, .stride = {2, 2}};
    give(call, 0, x);
    if (call->op == GRAFT_OP_MAX_POOL_GRAD) {
        give(call, 1, &y);
    } else if (call->op == GRAFT_OP_AVG_POOL_GRAD) {
        give(call, 0, &y);
        call->attributes.pool.size[0] = (int32_t)x->dim[1];
        call->attributes.pool.size[1] = (int32_t)x->dim[2];
    }
}

static void plain_resize(struct graft_call *call, const struct graft_shape *x)
{
    const struct graft_shape y = graft_shape_of(4, x->dim[0], x->dim[1] / 2, x->dim[2] / 2, x->dim[3]);
    const bool back = call->op == GRAFT_OP_RESIZE_GRAD;
    call->attributes.resize = (struct graft_resize_attributes){
        .mode = GRAFT_RESIZE_BILINEAR,
        .size = {(int32_t)(back ? x->dim[1] : y.dim[1]), (int32_t)(back ? x->dim[2] : y.dim[2])}};
    give(call, 0, back ? &y : x);
}

static void plain_group_norm(struct graft_call *call, const struct graft_shape *x)
{
    const bool even = x->dim[3] % 2 == 0 && call->op != GRAFT_OP_GROUP_NORM_GRAD_PARAM;
    const int32_t groups = even ? 2 : 1;
    const struct graft_shape stats = graft_shape_of(3, x->dim[0], (int64_t)groups, 2);
    call->attributes.group_norm = (struct graft_group_norm_attributes){groups, 1e-5f};
    give(call, 0, x);
    switch (call->op) {
    case GRAFT_OP_GROUP_NORM:
        give_vector(call, 1, 2, x->dim[3]);
        break;
    case GRAFT_OP_GROUP_NORM_GRAD_INPUT:
        give(call, 1, x);
        give_vector(call, 2, 2, x->dim[3]);
        give(call, 3, &stats);
        break;
    default:
        give(call, 1, x);
        give(call, 2, &stats);
        break;
    }
}

static void plain_batch_norm(struct graft_call *call, const struct graft_shape *x)
{
    const int64_t c = x->dim[3];
    const struct graft_shape w = graft_shape_of(4, c, 1, 1, 4);
    take_attributes(call);
    call->attributes.batch_norm.training = false;
    call->attributes.batch_norm.activation = GRAFT_UNARY_NONE;
    switch (call->op) {
    case GRAFT_OP_BATCH_NORM:
        give(call, 0, x);
        give_vector(call, 1, 4, c);
        break;
    case GRAFT_OP_BATCH_NORM_STATS:
        give(call, 0, x);
        break;
    case GRAFT_OP_BATCH_NORM_UPDATE:
        give_vector(call, 0, 3, c);
        give(call, 4, x);
        break;
    case GRAFT_OP_BATCH_NORM_GRAD_PARAM:
        give(call, 0, x);
        give(call, 1, x);
        give_vector(call, 2, 3, c);
        break;
    case GRAFT_OP_BATCH_NORM_GRAD_INPUT:
        call->attributes.batch_norm.training = true;
        give(call, 0, x);
        give(call, 1, x);
        give_vector(call, 2, 6, c);
        break;
    default: /* fold */
        give(call, 0, &w);
        give_vector(call, 1, 5, c);
        break;
    }
}

static void plain_update(struct graft_call *call, const struct graft_shape *x)
{
    const int last = call->op == GRAFT_OP_ADAM ? 3 : 2;
    const struct graft_shape hyper = graft_shape_of(1, 4);
    call->attributes.update = (struct graft_update_attributes){
        .momentum = 0.875f, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-6f, .weight_decay = 0.015625f};
    for (int i = 0; i <= last; i++) {
        give(call, i, x);
    }
    give(call, last + 1, &hyper);
}

/* Rows of c classes. */
static void plain_rows(struct graft_call *call, const struct graft_shape *x)
{
    const int64_t rows = x->dim[0] * x->dim[1] * x->dim[2];
    const struct graft_shape logits = graft_shape_of(2, rows, x->dim[3]);
    give(call, 0, &logits);
    switch (call->op) {
    case GRAFT_OP_CROSS_ENTROPY:
        give_labels(call, 1, rows);
        break;
    case GRAFT_OP_CROSS_ENTROPY_GRAD:
        give_labels(call, 1, rows);
        give_vector(call, 2, 2, rows);
        break;
    case GRAFT_OP_SOFTMAX_GRAD:
    case GRAFT_OP_LOG_SOFTMAX_GRAD:
        give(call, 1, &logits);
        break;
    default:
        break;
    }
}

/* Rows of pictures as tokens, of heads of 40 channels at most. False: seconds would become hours. */
static bool plain_attention(struct graft_call *call, const struct graft_shape *x)
{
    const int64_t width = x->dim[3] <= 40 ? x->dim[3] : x->dim[3] % 40 == 0 ? 40 : 32;
    const int64_t heads = x->dim[3] / width, tokens = x->dim[2];
    const struct graft_shape q = graft_shape_of(4, x->dim[0] * x->dim[1], tokens, heads, width);
    const struct graft_shape rows = graft_shape_of(3, q.dim[0], tokens, heads);
    const struct graft_shape bias = graft_shape_of(4, (int64_t)1, heads, tokens, tokens);
    const bool gradient = call->op != GRAFT_OP_ATTENTION;
    call->attributes.attention.scale = 0.25f;
    for (int i = 0; i < (gradient ? 4 : 3); i++) {
        give(call, i, &q);
    }
    for (int i = 4; i < 6 && gradient; i++) {
        give(call, i, &rows);
    }
    give(call, gradient ? 6 : 3, &bias);
    return graft_shape_count(x) < LARGE;
}

/* Rows by an index that is half as long; their gradients to a table of 50, which looks at the index 50 times.
 */
static bool plain_gather(struct graft_call *call, const struct graft_shape *x)
{
    const int64_t rows = x->dim[0] * x->dim[1] * x->dim[2], count = rows / 2 + 1;
    const bool back = call->op == GRAFT_OP_GATHER_GRAD;
    const struct graft_shape table = graft_shape_of(2, back ? count : rows, x->dim[3]);
    call->attributes.gather.rows = back ? 50 : 0;
    give(call, 0, &table);
    give_labels(call, 1, count);
    return !back || graft_shape_count(x) < LARGE;
}

/* Moves, choices and the like. */
static bool plain_moves(struct graft_call *call, const struct graft_shape *x)
{
    union graft_attributes *const a = &call->attributes;
    if (call->op != GRAFT_OP_FILL) {
        give(call, 0, x);
    }
    switch (call->op) {
    case GRAFT_OP_BINARY:
    case GRAFT_OP_BINARY_GRAD:
        a->binary.kind = call->op == GRAFT_OP_BINARY ? GRAFT_BINARY_MUL : GRAFT_BINARY_MAX;
        give(call, 1, x);
        if (call->op == GRAFT_OP_BINARY_GRAD) {
            give(call, 2, x);
        }
        return true;
    case GRAFT_OP_UNARY:
        a->unary.kind = GRAFT_UNARY_RELU6;
        return true;
    case GRAFT_OP_UNARY_GRAD: /* from y */
        a->unary.kind = GRAFT_UNARY_RELU;
        call->in[0] = (struct graft_desc){.dtype = GRAFT_DTYPE_NONE};
        give(call, 1, x);
        give(call, 2, x);
        return true;
    case GRAFT_OP_REDUCE:
        a->reduce = (struct graft_reduce_attributes){.kind = GRAFT_REDUCE_SUM, .axes = 6};
        return true;
    case GRAFT_OP_BROADCAST:
        call->in[0].shape.dim[1] = call->in[0].shape.dim[2] = 1;
        a->broadcast = (struct graft_broadcast_attributes){*x, 1};
        return true;
    case GRAFT_OP_DROPOUT:
        a->dropout = (struct graft_dropout_attributes){.probability = 0.5f, .stream = 3, .seed = 77};
        give_labels(call, 1, 1);
        return true;
    case GRAFT_OP_CONCAT:
        a->concat.axis = 3;
        call->in[0].shape.dim[3] -= x->dim[3] / 2;
        give(call, 1, x);
        call->in[1].shape.dim[3] = x->dim[3] / 2;
        return true;
    case GRAFT_OP_SLICE:
        for (int d = 0; d < 4; d++) {
            a->slice.size[d] = x->dim[d];
        }
        a->slice.begin[3] = 1;
        a->slice.size[3] = x->dim[3] - 2;
        return true;
    case GRAFT_OP_PAD:
        a->pad.before[1] = a->pad.after[2] = 1;
        return true;
    case GRAFT_OP_TRANSPOSE: /* to channels first */
        a->transpose = (struct graft_transpose_attributes){{0, 3, 1, 2}};
        return true;
    case GRAFT_OP_RESHAPE:
        a->reshape.shape = graft_shape_of(2, x->dim[0], x->dim[1] * x->dim[2] * x->dim[3]);
        return true;
    case GRAFT_OP_FILL:
        a->fill = (struct graft_fill_attributes){*x, 2.5f};
        return true;
    default:
        return false;
    }
}

bool graft_edge_plain(struct graft_call *call, enum graft_op op, const int64_t sizes[4])
{
    const struct graft_shape x = graft_shape_make(4, sizes);
    *call = (struct graft_call){.op = op};
    switch (op) {
    case GRAFT_OP_CONV2D:
    case GRAFT_OP_CONV2D_GRAD_INPUT:
    case GRAFT_OP_CONV2D_GRAD_WEIGHT:
        plain_conv(call, op, sizes);
        return true;
    case GRAFT_OP_MATMUL:
        graft_edge_matmul(call, 0, sizes[0] * sizes[1] * sizes[2], 8, sizes[3], "", false);
        return true;
    case GRAFT_OP_MAX_POOL:
    case GRAFT_OP_MAX_POOL_GRAD:
    case GRAFT_OP_AVG_POOL:
    case GRAFT_OP_AVG_POOL_GRAD:
        plain_pool(call, &x);
        return true;
    case GRAFT_OP_RESIZE:
    case GRAFT_OP_RESIZE_GRAD:
        plain_resize(call, &x);
        return true;
    case GRAFT_OP_GROUP_NORM:
    case GRAFT_OP_GROUP_NORM_GRAD_INPUT:
    case GRAFT_OP_GROUP_NORM_GRAD_PARAM:
        plain_group_norm(call, &x);
        return true;
    case GRAFT_OP_BATCH_NORM:
    case GRAFT_OP_BATCH_NORM_STATS:
    case GRAFT_OP_BATCH_NORM_UPDATE:
    case GRAFT_OP_BATCH_NORM_GRAD_PARAM:
    case GRAFT_OP_BATCH_NORM_GRAD_INPUT:
    case GRAFT_OP_BATCH_NORM_FOLD:
        plain_batch_norm(call, &x);
        return true;
    case GRAFT_OP_SOFTMAX:
    case GRAFT_OP_SOFTMAX_GRAD:
    case GRAFT_OP_LOG_SOFTMAX:
    case GRAFT_OP_LOG_SOFTMAX_GRAD:
    case GRAFT_OP_CROSS_ENTROPY:
    case GRAFT_OP_CROSS_ENTROPY_GRAD:
        plain_rows(call, &x);
        return true;
    case GRAFT_OP_ATTENTION:
    case GRAFT_OP_ATTENTION_GRAD:
        return plain_attention(call, &x);
    case GRAFT_OP_GATHER:
    case GRAFT_OP_GATHER_GRAD:
        return plain_gather(call, &x);
    case GRAFT_OP_LRN:
    case GRAFT_OP_LRN_GRAD:
        call->attributes.lrn = (struct graft_lrn_attributes){5, 1e-2f, 0.75f, 2};
        give(call, 0, &x);
        if (op == GRAFT_OP_LRN_GRAD) {
            give(call, 1, &x);
        }
        return true;
    case GRAFT_OP_NORMALIZE:
        give(call, 0, &x);
        call->in[0].dtype = GRAFT_DTYPE_U8;
        give_vector(call, 1, 2, sizes[3]);
        return true;
    case GRAFT_OP_SGD:
    case GRAFT_OP_ADAM:
    case GRAFT_OP_RMSPROP:
        plain_update(call, &x);
        return true;
    default:
        return plain_moves(call, &x);
    }
}

/* ---- sizes ---- */

static const struct {
    int64_t x[4];
    enum graft_real_place place;
    bool products; /* conv2d and its gradients too */
} sizes[] = {
    {{32, 56, 56, 64}, GRAFT_REAL_NEAR, true},
    {{1, 113, 111, 24}, GRAFT_REAL_NEAR, true},
    {{2, 28, 28, 40}, GRAFT_REAL_FAR_31, true},
    {{2, 28, 28, 40}, GRAFT_REAL_FAR_32, true},
    {{2, 28, 28, 40}, GRAFT_REAL_FAR_33, true},
    {{70000, 2, 2, 10}, GRAFT_REAL_NEAR, true},   /* images, rows: a work-group each */
    {{2, 2, 2, 2200000}, GRAFT_REAL_NEAR, false}, /* channels: 65,535 groups of 32, elements: of 256 */
    {{2, 2, 2, 70000}, GRAFT_REAL_NEAR, true},    /* depthwise: groups of a convolution */
    {{33, 512, 512, 65}, GRAFT_REAL_NEAR, true},  /* 2^31 bytes and more */
};

static bool is_convolution(enum graft_op op)
{
    return op == GRAFT_OP_CONV2D || op == GRAFT_OP_CONV2D_GRAD_INPUT || op == GRAFT_OP_CONV2D_GRAD_WEIGHT;
}

static bool add_every_op(struct graft_reals *reals, struct graft_context *context)
{
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct graft_call call;
            if ((is_convolution((enum graft_op)op) && !sizes[i].products) ||
                !graft_edge_plain(&call, (enum graft_op)op, sizes[i].x)) {
                continue;
            }
            if (!graft_edge_add(reals, context, &call, sizes[i].place)) {
                return false;
            }
        }
    }
    return true;
}

/* Rows, columns and matrices of products: blocks of 64 rows or columns, 65,535 of them and more. */
static bool add_products(struct graft_reals *reals, struct graft_context *context)
{
    static const struct {
        int64_t batches, m, n, k;
        const char *turned;
        bool shared;
    } products[] = {
        {0, 4200000, 4, 5, "", false},      {0, 4, 4200000, 5, "", false},
        {0, 4200000, 4, 5, "b", false},     {0, 4, 4200000, 5, "a", false},
        {70000, 3, 2, 5, "", false},        {70000, 3, 2, 5, "", true},
        {3, 190, 130, 257, "", true},       {3, 190, 130, 257, "b", true},
        {3, 190, 130, 257, "a", true},      {3, 190, 130, 1537, "a", true},
        {6, 1500, 64, 1500, "", false},     {6, 1500, 1500, 64, "b", false},
        {2, 1537, 1536, 1536, "", true},    {2, 1536, 1536, 1536, "", true},
        {2, 1536, 1536, 1536, "", false},   {1, 1536, 1536, 1536, "b", false},
        {0, 1536, 1536, 1536, "ab", false},
    };
    static const struct graft_edge_conv convolutions[] = {
        {1, 2100, 2100, 4, 4, 1, 1, 0, 1}, {1, 2100, 2100, 3, 5, 3, 1, 1, 1},
        {1, 2, 2, 4194300, 4, 1, 1, 0, 1}, {1, 2, 2, 4, 4194300, 1, 1, 0, 1},
        {1, 3000, 1500, 8, 8, 3, 1, 1, 8}, {2, 48, 48, 1536, 1536, 1, 1, 0, 1},
        {1, 25, 15, 30, 31, 3, 1, 1, 1}, /* what an emulated matrix unit takes of Winograd's products */
    };
    struct graft_call call;
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        graft_edge_matmul(&call, products[i].batches, products[i].m, products[i].n, products[i].k,
                          products[i].turned, products[i].shared);
        if (!graft_edge_add(reals, context, &call, GRAFT_REAL_NEAR)) {
            return false;
        }
    }
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        for (size_t i = 0;
             is_convolution((enum graft_op)op) && i < sizeof convolutions / sizeof convolutions[0]; i++) {
            graft_edge_conv(&call, (enum graft_op)op, &convolutions[i]);
            if (!graft_edge_add(reals, context, &call, GRAFT_REAL_NEAR)) {
                return false;
            }
        }
    }
    return true;
}

bool graft_reals_add_edges(struct graft_reals *reals, struct graft_context *context)
{
    return add_every_op(reals, context) && add_products(reals, context) &&
           graft_edge_add_thresholds(reals, context);
}
