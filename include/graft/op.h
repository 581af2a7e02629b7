/* SPDX-License-Identifier: MIT */
/*
 * Attributes of the ops. Layout everywhere: activations [n, h, w, c], convolution weights [o, kh, kw, c /
 * groups]. Pairs are {height, width}; pads are {top, bottom, left, right}.
 */
#ifndef GRAFT_OP_H
#define GRAFT_OP_H

#include "graft/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Functions of one value; f(NaN) is NaN, f(±Inf) what the formula gives in IEEE arithmetic. Formulas and
 * slopes are PyTorch's, also at kinks (in brackets; a slope of 0 gives 0 there, whatever comes in); slopes at
 * ±Inf are not defined. As an
 * activation of conv2d, matmul, batch_norm and binary: NONE, RELU, RELU6, SIGMOID, or, where no gradient is
 * taken through it, HARD_SIGMOID, HARD_SWISH, SILU.
 */
enum graft_unary {
    GRAFT_UNARY_NONE = 0,         /* the value itself */
    GRAFT_UNARY_RELU = 1,         /* max(x, 0) [0 at 0] */
    GRAFT_UNARY_RELU6 = 2,        /* min(max(x, 0), 6) [0 at 0 and at 6] */
    GRAFT_UNARY_LEAKY_RELU = 3,   /* x > 0 ? x : alpha · x [alpha at 0] */
    GRAFT_UNARY_SIGMOID = 4,      /* 1 / (1 + exp(−x)) */
    GRAFT_UNARY_TANH = 5,         /* tanh x */
    GRAFT_UNARY_HARD_SIGMOID = 6, /* relu6(x + 3) / 6 [0 at −3 and at 3] */
    GRAFT_UNARY_HARD_SWISH = 7,   /* x · relu6(x + 3) / 6 [0 at −3, 1 at 3] */
    GRAFT_UNARY_SILU = 8,         /* x · sigmoid x */
    GRAFT_UNARY_GELU = 9,         /* x · Φ(x), Φ(x) = (1 + erf(x / √2)) / 2 */
    GRAFT_UNARY_GELU_TANH = 10,   /* x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))) / 2 */
    GRAFT_UNARY_SQRT = 11,        /* √x; NaN below 0 */
    GRAFT_UNARY_EXP = 12,         /* e^x */
    GRAFT_UNARY_LOG = 13,         /* natural logarithm; −Inf at 0, NaN below */
    GRAFT_UNARY_ABS = 14,         /* |x| [0 at 0] */
    GRAFT_UNARY_CLIP = 15,        /* min(max(x, low), high) [0 at low and at high] */
    GRAFT_UNARY_COUNT = 16
};

/*
 * Functions of two values; a NaN gives NaN, but pow(a, 0) and pow(1, b) are 1. Slopes are PyTorch's: of max
 * and min ½ for each of two equal values; of pow for b (a^b · log a) 0 where a is 0 and b ≥ 0, NaN where a is
 * negative, and for a (b · a^(b−1)) 0 where b is 0.
 */
enum graft_binary {
    GRAFT_BINARY_ADD = 0,
    GRAFT_BINARY_MUL = 1,
    GRAFT_BINARY_SUB = 2,
    GRAFT_BINARY_DIV = 3,
    GRAFT_BINARY_POW = 4, /* a^b as C's pow */
    GRAFT_BINARY_MAX = 5,
    GRAFT_BINARY_MIN = 6,
    GRAFT_BINARY_COUNT = 7
};
enum graft_reduction {
    GRAFT_REDUCE_SUM = 0,
    GRAFT_REDUCE_MEAN = 1,
    GRAFT_REDUCE_SQUARES = 2 /* the sum of the squares */
};

/* out = floor((in + pads − dilation × (kernel − 1) − 1) / stride) + 1 */
struct graft_conv2d_attributes {
    int32_t stride[2];   /* ≥ 1 */
    int32_t dilation[2]; /* ≥ 1 */
    int32_t pad[4];      /* ≥ 0 */
    int32_t groups;      /* ≥ 1, divides input and output channels */
    int32_t size[2];     /* conv2d_grad_input: {h, w} of x; conv2d_grad_weight: {kh, kw}; else 0 */
    enum graft_unary activation;
};

/* a [batch…, m, k] (transposed: [batch…, k, m]) times b [batch…, k, n] or [k, n] (transposed: [.., n, k]). */
struct graft_matmul_attributes {
    bool transpose_a;
    bool transpose_b;
    enum graft_unary activation;
};

struct graft_unary_attributes {
    enum graft_unary kind;
    float alpha; /* leaky_relu: slope below 0; ≥ 0 */
    float low;   /* clip: low ≤ high; either may be infinite */
    float high;
};

/* Shapes broadcast as in NumPy: aligned at the last dimension, a dimension of 1 stretches. */
struct graft_binary_attributes {
    enum graft_binary kind;
    enum graft_unary activation;
    int32_t operand; /* binary_grad: the derivative for a (0) or b (1); else 0 */
};

struct graft_pool_attributes {
    int32_t kernel[2]; /* ≥ 1 */
    int32_t stride[2]; /* ≥ 1 */
    int32_t pad[4];    /* ≥ 0, each < kernel; max: padding never wins; average: see count_include_pad */
    /* Rounds the output size up. As in PyTorch a window must begin inside the input or its left/top padding;
     * ONNX's formula alone also counts one that begins in the right/bottom padding. */
    bool ceil_mode;
    bool count_include_pad; /* average: divide by the window clipped to input + padding, else by its valid
                               elements */
    int32_t
        adaptive[2]; /* average, if > 0: output size; window i is [⌊i·in/out⌋, ⌈(i+1)·in/out⌉); rest unused */
    int32_t size[2]; /* avg_pool_grad: {h, w} of x; else 0 */
};

struct graft_reduce_attributes {
    enum graft_reduction kind;
    uint32_t axes;  /* bit i: sum over dimension i */
    bool keep_dims; /* reduced dimensions stay with size 1 */
};

/* out = scale × x, stretched to `shape` (NumPy's rules, after x's reduced axes were put back by reshape). */
struct graft_broadcast_attributes {
    struct graft_shape shape;
    float scale;
};

struct graft_batch_norm_attributes {
    float epsilon;
    float momentum; /* batch_norm_update: running = (1 − momentum) × running + momentum × new */
    bool training;  /* batch_norm: mean and variance are those of x itself, and gradients flow through them */
    enum graft_unary activation;
};

/*
 * x [n, …, c]: each image's channels in `groups` runs of c / groups; mean and (biased) variance of a group
 * are taken over its channels and all that lies between n and c. groups = 1 is layer normalization over all
 * but n, groups = c instance normalization (Wu, He: "Group normalization", 2018).
 */
struct graft_group_norm_attributes {
    int32_t groups; /* ≥ 1, divides c */
    float epsilon;
};

/*
 * losses[n] = −Σ_c target[n, c] × log softmax(logits)[n, c], target = weights[c] × ((1 − s) × one-hot + s /
 * classes): PyTorch's cross_entropy with weight and label_smoothing. Its mean over rows divides by the sum of
 * the labels' weights. A label outside [0, classes) makes the loss and the gradient of its row NaN.
 */
struct graft_cross_entropy_attributes {
    float label_smoothing; /* s, in [0, 1) */
};

/* Keeps with probability 1 − p and scales by 1/(1 − p). Element i, of the four words of Philox with key =
 * seed and counter = {i / 4 low, i / 4 high, step, stream}, takes word i % 4 and is dropped if word < round(p
 * × 2^32). */
struct graft_dropout_attributes {
    float probability; /* in [0, 1) */
    uint32_t stream;
    uint64_t seed;
};

/*
 * Scaled dot-product attention (Vaswani et al., arXiv 1706.03762), each head by itself: q [n, tq, heads, d], k [n, tk,
 * heads, d], v [n, tk, heads, e] → y [n, tq, heads, e],
 *     s[i, j] = scale · Σ q[i]·k[j] + bias[i, j] + mask[i, j], y[i] = Σ_j softmax_j(s[i, j]) · v[j].
 * bias [p, heads, tq, tk] and mask [m, tq, tk] are optional, p and m divide n, and image i takes number i mod p, i mod
 * m: 1 for all alike, the number of windows where images are windows. −Inf in them leaves a pair out; a row of which
 * nothing is left is 0. With `causal` so is what comes later, j > i. There is no gradient for the mask.
 */
struct graft_attention_attributes {
    float scale; /* finite: 1 / √d */
    bool causal;
};

/* gather: y[i, …] = x[index[i], …]; an index outside [0, rows) gives NaN, and to its gradient nothing. */
struct graft_gather_attributes {
    int64_t rows; /* gather_grad: of x; gather: 0 */
};

struct graft_concat_attributes {
    int32_t axis;
};

/* Element i of a dimension of y is element begin + i × step of x. */
struct graft_slice_attributes {
    int64_t begin[GRAFT_MAX_RANK];
    int64_t size[GRAFT_MAX_RANK]; /* of y */
    int64_t step[GRAFT_MAX_RANK]; /* ≥ 1; 0 counts as 1 */
};

struct graft_pad_attributes {
    int64_t before[GRAFT_MAX_RANK]; /* ≥ 0 */
    int64_t after[GRAFT_MAX_RANK];  /* ≥ 0 */
    float value;
    int64_t between[GRAFT_MAX_RANK]; /* ≥ 0, < 2^63 − 1: that many of `value` between neighbours of x */
};

enum graft_resize_mode { GRAFT_RESIZE_NEAREST = 0, GRAFT_RESIZE_BILINEAR = 1 };

/* Most rows and columns that resize reads and writes. */
#define GRAFT_RESIZE_MAX_SIZE 32767

/*
 * x [n, h, w, c] → y of another height and width, as PyTorch's interpolate(x, size) without antialias does
 * it. Along each axis, from `in` to `out` elements, output i stands at nearest:                      min(⌊i ·
 * s⌋, in − 1), s = in / out, with s and i · s rounded to f32 bilinear:                     max((i + 1/2) · in
 * / out − 1/2, 0) bilinear with align_corners:  i · (in − 1) / (out − 1); 0 where out is 1 and bilinear
 * weighs the elements before and behind that place (behind the last one: the last one) with 1 − f and f, f
 * being the fraction. Places are computed in whole numbers, and f is rounded once. The gradient sums, for an
 * element of x, the outputs that read it with a weight that is not 0, by rows and then columns.
 */
struct graft_resize_attributes {
    enum graft_resize_mode mode;
    bool align_corners; /* bilinear only */
    int32_t size[2];    /* resize: {h, w} of y; resize_grad: {h, w} of x; 1 to GRAFT_RESIZE_MAX_SIZE */
};

/*
 * Local response normalization over the last dimension (Krizhevsky, Sutskever, Hinton, NIPS 2012, 3.3, with
 * the mean in place of the sum), as PyTorch's local_response_norm: y[.., c] = x[.., c] / d[.., c]^beta, d[..,
 * c] = k + alpha / size · Σ x[.., j]², j from c − ⌊size / 2⌋ to c + ⌊(size − 1) / 2⌋ where there are such
 * channels. (ONNX's LRN has an even size's longer side behind c.) Gradient: dx[.., c] = dy[.., c] / d[..,
 * c]^beta − 2 · alpha · beta / size · x[.., c] · Σ dy[.., j] · x[.., j] / d[.., j]^(beta + 1),  j over the
 * channels whose sum has c in it.
 */
struct graft_lrn_attributes {
    int32_t size; /* ≥ 1 */
    float alpha;  /* ≥ 0 */
    float beta;   /* ≥ 0 */
    float k;      /* ≥ 0; where it is 0, a window of zeros gives NaN */
};

/* Dimension i of y is dimension order[i] of x, as in torch.permute: each of 0 … rank − 1 once; the rest is
 * unused. */
struct graft_transpose_attributes {
    int32_t order[GRAFT_MAX_RANK];
};

struct graft_reshape_attributes {
    struct graft_shape shape; /* as many elements as the input */
};

struct graft_fill_attributes {
    struct graft_shape shape;
    float value;
};

/*
 * Parameter updates. `hyper` is an f32 vector [4] written by the host for each step:
 * {learning rate, 1 − beta1^t, 1 − beta2^t, gradient scale}; unused entries are ignored. g below = scale ×
 * gradient; with max_norm and `squares`, the sum of the squares of all gradients, scale is multiplied by
 * min(1, max_norm / (scale × √squares + 1e-6)), as torch.nn.utils.clip_grad_norm_ does it. Squares that are
 * not finite leave everything as it was, so that the step can be looked at; without max_norm they may be any
 * number, the loss for one, and that is all they do. sgd:     g += wd·p; v = momentum·v + g; p −= lr ×
 * (nesterov ? g + momentum·v : v)        (no v if momentum is 0) adam:    g += wd·p (not decoupled); m = b1·m
 * + (1−b1)·g; v = b2·v + (1−b2)·g²; p −= lr·wd·p (decoupled); p −= lr × (m / h1) / (sqrt(v / h2) + epsilon)
 * rmsprop: g += wd·p; v = b2·v + (1−b2)·g²; p −= lr × g / (sqrt(v) + epsilon)              (PyTorch's form)
 */
struct graft_update_attributes {
    float momentum;
    float beta1;
    float beta2; /* rmsprop: alpha */
    float epsilon;
    float weight_decay;
    float max_norm; /* > 0: squares must be given; 0: none */
    bool nesterov;
    bool decoupled;
};

#ifdef __cplusplus
}
#endif
#endif
