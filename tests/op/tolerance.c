/* SPDX-License-Identifier: MIT */
/*
 * The table of tolerances:  |error| ≤ c · u · g(K) · magnitude + K · 2^-125,  u = 2^-24.
 *
 * magnitude: what the result would be if every summand counted with its absolute value, prior contents
 * included; for a sum of products Σ|a·b|. It comes from the same f64 kernel run on absolute values.
 *
 * g(K) = √K, K the number of summands of an element (graft_work.terms). Each of K additions rounds by at most
 * u times a partial sum; the worst case is (K − 1)·u·Σ|a·b|, but with roundings that are not correlated the
 * error exceeds λ·√K·u·Σ|a·b| with a probability below 2·exp(−λ²/2) (Higham and Mary, "A new approach to
 * probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019). Blocked and pairwise sums are
 * better still. A summand that is missing, doubled or taken from the neighbour changes an element by about
 * 1/K of the magnitude: far more than c·u·√K as long as K is below 10^4.
 *
 * c counts the roundings of one summand from inputs to result, an elementary function as often as OpenCL
 * C 1.2 (table 7.1) allows it to err in units of 2u (division 2.5, sqrt 3, rsqrt 2, exp 3, log 3, tanh 5,
 * erfc 16, pow 16), and is λ = 4 at least where sums are long.
 *
 * The last term lets subnormal numbers be flushed to zero, once a summand.
 *
 * c = 0: nothing is computed but choices and moves, so equality; only the accumulating addition rounds
 * (once).
 */
#include "tolerance.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Sign of each real input in the run on absolute values: 'a' absolute, 'n' negative of it, '.' as it is. */
struct rule {
    bool exact;
    double c;
    const char *signs;
    void (*transform)(struct graft_magnitude *m); /* after the signs; NULL: nothing more */
    void (*direct)(struct graft_magnitude *m);    /* instead of a run */
};

/* x [.., c] → mean + |x − mean|: then x − mean counts with its absolute value, as an exact difference of
 * inputs. */
static void spread_x(struct graft_magnitude *m, const double *mean)
{
    const struct graft_shape *const shape = &m->call->in[0].shape;
    const int64_t channels = shape->dim[shape->rank - 1];
    const double *const x = m->given[0];
    for (int64_t i = 0; i < graft_shape_count(shape); i++) {
        m->in[0][i] = mean[i % channels] + fabs(x[i] - mean[i % channels]);
    }
}

/*
 * |dz| for dy, where dz = dy · f'(z) of an activation f: what a summand counts is |dy| times the largest |f'|, with
 * its own roundings beside those of the sum, and times the largest |f''| where f' is continuous, since z errs by
 * some u of the sizes that it is made of.
 */
static void widen_slope(struct graft_magnitude *m, const double *gamma, const double *beta, const double *mean,
                        const double *var)
{
    static const struct {
        double slope, curvature;
    } largest[GRAFT_UNARY_COUNT] = {
        [GRAFT_UNARY_RELU] = {1, 0},           [GRAFT_UNARY_RELU6] = {1, 0},
        [GRAFT_UNARY_SIGMOID] = {1, 0.1},      [GRAFT_UNARY_HARD_SIGMOID] = {1.0 / 3, 0},
        [GRAFT_UNARY_HARD_SWISH] = {3, 1.0 / 3}, [GRAFT_UNARY_SILU] = {4, 0.5},
    };
    const struct graft_batch_norm_attributes *const a = &m->call->attributes.batch_norm;
    const struct graft_shape *const shape = &m->call->in[0].shape;
    const int64_t channels = shape->dim[shape->rank - 1];
    const double *const x = m->given[0];
    for (int64_t i = 0; a->activation != GRAFT_UNARY_NONE && i < graft_shape_count(shape); i++) {
        const int64_t c = i % channels;
        const double scale = fabs(gamma[c]) / sqrt(var[c] + (double)a->epsilon);
        m->in[1][i] *= largest[a->activation].slope +
                       largest[a->activation].curvature * (fabs(x[i] - mean[c]) * scale + fabs(beta[c]));
    }
}

static void spread_grad_param(struct graft_magnitude *m)
{
    spread_x(m, m->given[2]);
    widen_slope(m, m->given[4], m->given[5], m->given[2], m->given[3]);
}

static void spread_grad_input(struct graft_magnitude *m)
{
    spread_x(m, m->given[3]);
    widen_slope(m, m->given[2], m->given[7], m->given[3], m->given[4]);
}

/* p − lr·(…) becomes p + lr·|…|. */
static void negate_learning_rate(struct graft_magnitude *m)
{
    m->in[3][0] = -fabs(m->in[3][0]);
    graft_magnitude_widen_for_clip(m, 8);
}

static const struct rule rules[GRAFT_OP_COUNT] = {
    /* product, bias, residual, prior */
    [GRAFT_OP_CONV2D] = {true, 4, "aaaa", NULL, NULL},
    [GRAFT_OP_CONV2D_GRAD_INPUT] = {true, 4, "aa", NULL, NULL},
    [GRAFT_OP_CONV2D_GRAD_WEIGHT] = {true, 4, "aa", NULL, NULL},
    [GRAFT_OP_MATMUL] = {true, 4, "aaaa", NULL, NULL},
    [GRAFT_OP_BINARY] = {true, 2, "aa", NULL, NULL}, /* sums and products; the others: binary_rules */
    [GRAFT_OP_BINARY_GRAD] = {true, 1, NULL, NULL, graft_magnitude_binary_grad},
    /* c = 1: each function's own errors are counted in its magnitude */
    [GRAFT_OP_UNARY] = {true, 1, NULL, NULL, graft_magnitude_unary},
    [GRAFT_OP_UNARY_GRAD] = {true, 1, NULL, NULL, graft_magnitude_unary_grad},
    [GRAFT_OP_MAX_POOL] = {true, 0, "", NULL, NULL},
    [GRAFT_OP_MAX_POOL_GRAD] = {true, 4, ".a", NULL, NULL},
    [GRAFT_OP_AVG_POOL] = {true, 6, "a", NULL, NULL}, /* a division or a rounded reciprocal and a product */
    [GRAFT_OP_AVG_POOL_GRAD] = {true, 6, "a", NULL, NULL},
    [GRAFT_OP_REDUCE] = {true, 6, "a", NULL, NULL},
    [GRAFT_OP_BROADCAST] = {true, 2, "a", NULL, NULL},
    /* var + ε, rsqrt (4), x − mean, two products, + beta, + residual; or scale and shift made first */
    [GRAFT_OP_BATCH_NORM] = {false, 10, "aaan.a", NULL, NULL},
    [GRAFT_OP_BATCH_NORM_STATS] = {false, 6, NULL, NULL, graft_magnitude_batch_norm_stats},
    [GRAFT_OP_BATCH_NORM_UPDATE] = {false, 8, "aaaa.", NULL, NULL}, /* n / (n − 1) is a division (5) */
    [GRAFT_OP_BATCH_NORM_GRAD_PARAM] = {false, 8, ".a....", spread_grad_param, NULL},
    [GRAFT_OP_BATCH_NORM_GRAD_INPUT] = {false, 14, ".aa..nn.", spread_grad_input, NULL},
    [GRAFT_OP_BATCH_NORM_FOLD] = {false, 10, "aaaan.", NULL, NULL},
    /* the mean's division (5), var + ε, sqrt and division (8), two products, + beta */
    [GRAFT_OP_GROUP_NORM] = {false, 16, NULL, NULL, graft_magnitude_group_norm},
    /* gamma · dy, x̂ (2), two means (5), their product, rstd, two differences */
    [GRAFT_OP_GROUP_NORM_GRAD_INPUT] = {false, 14, NULL, NULL, graft_magnitude_group_norm_grad_input},
    [GRAFT_OP_GROUP_NORM_GRAD_PARAM] = {false, 8, NULL, NULL, graft_magnitude_group_norm_grad_param},
    /* exp (6), division (5), the sum */
    [GRAFT_OP_SOFTMAX] = {false, 12, NULL, NULL, graft_magnitude_softmax},
    [GRAFT_OP_SOFTMAX_GRAD] = {false, 4, NULL, NULL, graft_magnitude_softmax_grad},
    [GRAFT_OP_LOG_SOFTMAX] = {false, 12, NULL, NULL, graft_magnitude_log_softmax},
    /* exp (6), the sum, product, difference, prior */
    [GRAFT_OP_LOG_SOFTMAX_GRAD] = {false, 10, NULL, NULL, graft_magnitude_log_softmax_grad},
    [GRAFT_OP_CROSS_ENTROPY] = {false, 12, NULL, NULL, graft_magnitude_cross_entropy},
    [GRAFT_OP_CROSS_ENTROPY_GRAD] = {false, 14, NULL, NULL, graft_magnitude_cross_entropy_grad},
    /* exp (6), a division (5), products, factors of what was summed before a larger score came */
    [GRAFT_OP_ATTENTION] = {false, 16, NULL, NULL, graft_magnitude_attention},
    /* exp (6), products and differences, prior */
    [GRAFT_OP_ATTENTION_GRAD] = {false, 14, NULL, NULL, graft_magnitude_attention_grad},
    [GRAFT_OP_DROPOUT] = {true, 3, "a.", NULL, NULL}, /* 1 − p, its reciprocal, the product */
    [GRAFT_OP_GATHER] = {true, 0, "", NULL, NULL},
    [GRAFT_OP_GATHER_GRAD] = {true, 4, "a.", NULL, NULL},
    [GRAFT_OP_CONCAT] = {true, 0, "", NULL, NULL},
    [GRAFT_OP_SLICE] = {true, 0, "", NULL, NULL},
    [GRAFT_OP_PAD] = {true, 0, "", NULL, NULL},
    /* two weights, each a division (5), their products with x, two sums */
    [GRAFT_OP_RESIZE] = {true, 14, "a", NULL, NULL},
    [GRAFT_OP_RESIZE_GRAD] = {true, 14, "a", NULL, NULL},
    /* pow (16 units of 2u), alpha / size (5), square, product, sum, and the product with x */
    [GRAFT_OP_LRN] = {false, 42, NULL, NULL, graft_magnitude_lrn},
    /* those, a division of the power by d (5), and two products more */
    [GRAFT_OP_LRN_GRAD] = {false, 50, NULL, NULL, graft_magnitude_lrn_grad},
    [GRAFT_OP_TRANSPOSE] = {true, 0, "", NULL, NULL},
    [GRAFT_OP_RESHAPE] = {true, 0, "", NULL, NULL},
    [GRAFT_OP_FILL] = {true, 0, "", NULL, NULL},
    [GRAFT_OP_NORMALIZE] = {false, 12, ".na", NULL, NULL}, /* two divisions (10), a difference */
    /* g·scale, + wd·p, ·momentum, +, ·lr, − */
    [GRAFT_OP_SGD] = {true, 8, "aaaa.", negate_learning_rate, NULL},
    /* those and 1 − b, g², two divisions (10), sqrt (6) */
    [GRAFT_OP_ADAM] = {false, 24, NULL, NULL, graft_magnitude_adam},
    [GRAFT_OP_RMSPROP] = {false, 20, NULL, NULL, graft_magnitude_rmsprop},
};

/* A result is one quotient (5) or power (32) or one of the operands; the sum with what was there (1). */
static const struct rule binary_rules[GRAFT_BINARY_COUNT] = {
    [GRAFT_BINARY_SUB] = {true, 2, "an", NULL, NULL},  [GRAFT_BINARY_DIV] = {true, 6, "aa", NULL, NULL},
    [GRAFT_BINARY_POW] = {true, 33, "..", NULL, NULL}, [GRAFT_BINARY_MAX] = {true, 0, "", NULL, NULL},
    [GRAFT_BINARY_MIN] = {true, 0, "", NULL, NULL},
};
static const struct rule choice = {true, 0, "", NULL, NULL};

/* Functions that only choose, or change a sign. */
static bool chooses(enum graft_unary kind)
{
    switch (kind) {
    case GRAFT_UNARY_NONE:
    case GRAFT_UNARY_RELU:
    case GRAFT_UNARY_RELU6:
    case GRAFT_UNARY_ABS:
    case GRAFT_UNARY_CLIP:
        return true;
    default:
        return false;
    }
}

static const struct rule *rule_of(const struct graft_call *call)
{
    const enum graft_binary kind = call->attributes.binary.kind;
    switch (call->op) {
    case GRAFT_OP_BINARY:
        return kind == GRAFT_BINARY_ADD || kind == GRAFT_BINARY_MUL ? &rules[call->op] : &binary_rules[kind];
    case GRAFT_OP_BINARY_GRAD: /* halves are exact */
        return kind == GRAFT_BINARY_MAX || kind == GRAFT_BINARY_MIN ? &choice : &rules[call->op];
    case GRAFT_OP_UNARY:
    case GRAFT_OP_UNARY_GRAD:
        return chooses(call->attributes.unary.kind) ? &choice : &rules[call->op];
    default:
        return &rules[call->op];
    }
}

static double growth(double terms)
{
    return sqrt(terms > 1 ? terms : 1);
}

bool graft_tolerance_has_exact(enum graft_op op)
{
    return rules[op].exact;
}

bool graft_variant_has_exact(const char *variant)
{
    return strncmp(variant, "winograd4", strlen("winograd4")) != 0;
}

static void apply_signs(struct graft_magnitude *m, const char *signs)
{
    for (int i = 0; signs != NULL && signs[i] != '\0' && i < m->call->n_inputs; i++) {
        const int64_t count = graft_shape_count(&m->call->in[i].shape);
        for (int64_t k = 0; m->in[i] != NULL && signs[i] != '.' && k < count; k++) {
            const double size = fabs(m->in[i][k]);
            m->in[i][k] = signs[i] == 'n' ? -size : size;
        }
    }
}

/* The f64 kernel on the transformed inputs, without the activation: neither relu nor relu6 has a slope
 * above 1, and a slope that gradients are multiplied by is in their magnitude. */
static void run_absolute(struct graft_heap *heap, struct graft_magnitude *m)
{
    struct graft_call call = *m->call;
    graft_op_set_activation(&call, GRAFT_UNARY_NONE);
    double *out[GRAFT_MAX_OUTPUTS] = {NULL};
    void *in[GRAFT_MAX_INPUTS];
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        in[i] = m->in[i] != NULL ? (void *)m->in[i] : (void *)m->given[i];
    }
    for (int r = 0; r < m->truth->n_results; r++) {
        const struct graft_result *const result = &m->truth->results[r];
        if (result->input) {
            m->magnitude[r] = m->in[result->index];
            continue;
        }
        out[result->index] = m->magnitude[r] = graft_heap_get(heap, (size_t)result->count, sizeof(double));
    }
    call.accumulate = 0;
    graft_reference_run(&call, in, out);
}

bool graft_variant_is_tf32(const char *variant)
{
    return strstr(variant, "_tf32") != NULL;
}

/*
 * A factor that is rounded to TF32 (11 bits with the hidden one) errs by 2^-11 of itself at most, a product
 * of two by 2^-10 + 2^-22: that much of Σ|a·b| comes to the bound of the sum, whose summands grow by as much.
 * Bias, residual and what was there are not rounded so.
 */
void graft_tolerance_tf32(struct graft_heap *heap, struct graft_truth *truth)
{
    const struct graft_call *const call = &truth->call;
    const double grown = 0x1p-10 + 0x1p-22, slope = graft_tolerance_steepest(graft_op_activation(call));
    struct graft_magnitude m = {.call = call, .given = (const void *const *)truth->inputs.in, .truth = truth};
    struct graft_result *const y = &truth->results[0];
    for (int i = 0; i < call->n_inputs; i++) {
        const size_t count = (size_t)graft_shape_count(&call->in[i].shape);
        m.in[i] = call->in[i].dtype == GRAFT_DTYPE_F32 ? graft_heap_get(heap, count, sizeof(double)) : NULL;
        for (size_t k = 0; m.in[i] != NULL && k < count; k++) {
            m.in[i][k] = i < 2 ? fabs(((const double *)truth->inputs.in[i])[k]) : 0;
        }
    }
    run_absolute(heap, &m);
    double *const tolerance = graft_heap_get(heap, (size_t)y->count, sizeof(double));
    for (int64_t i = 0; i < y->count; i++) {
        const double size = isfinite(m.magnitude[0][i]) ? m.magnitude[0][i] : 0;
        tolerance[i] = y->tolerance[i] * (1 + grown) + slope * grown * size;
    }
    y->tolerance = tolerance;
}

static void fill_result(struct graft_heap *heap, const struct graft_magnitude *m, int index, double terms)
{
    struct graft_result *const result = (struct graft_result *)&m->truth->results[index];
    const double *const prior = result->input ? NULL : m->truth->prior[result->index];
    result->tolerance = graft_heap_get(heap, (size_t)result->count, sizeof(double));
    for (int64_t i = 0; i < result->count; i++) {
        const double size = fabs(m->magnitude[index][i]) + (prior != NULL ? fabs(prior[i]) : 0);
        const double underflow = (terms > 1 ? terms : 1) * 0x1p-125;
        result->tolerance[i] = isfinite(size) ? m->unit * size + underflow : 0;
    }
}

/* Choices and moves: equality, but for one rounded addition to what was there. */
static void fill_moves(struct graft_heap *heap, struct graft_truth *truth)
{
    for (int r = 0; r < truth->n_results; r++) {
        struct graft_result *const result = &truth->results[r];
        const double *const prior = result->input ? NULL : truth->prior[result->index];
        if (prior == NULL) {
            continue;
        }
        result->tolerance = graft_heap_get(heap, (size_t)result->count, sizeof(double));
        for (int64_t i = 0; i < result->count; i++) {
            const double size = fabs(result->wanted[i]);
            result->tolerance[i] = isfinite(size) ? 0x1p-24 * size + 0x1p-125 : 0;
        }
    }
}

void graft_tolerance_fill(struct graft_heap *heap, const struct graft_call *call, struct graft_truth *truth)
{
    const struct rule *const rule = rule_of(call);
    if (rule->c == 0) {
        fill_moves(heap, truth);
        return;
    }
    struct graft_magnitude m = {.call = call, .given = (const void *const *)truth->inputs.in, .truth = truth};
    m.unit = rule->c * 0x1p-24 * growth(truth->terms);
    for (int i = 0; i < call->n_inputs; i++) {
        if (call->in[i].dtype == GRAFT_DTYPE_F64) {
            const size_t count = (size_t)graft_shape_count(&call->in[i].shape);
            m.in[i] = graft_heap_get(heap, count, sizeof(double));
            memcpy(m.in[i], truth->inputs.in[i], count * sizeof(double));
        }
    }
    apply_signs(&m, rule->signs);
    if (rule->transform != NULL) {
        rule->transform(&m);
    }
    if (rule->direct != NULL) {
        for (int r = 0; r < truth->n_results; r++) {
            m.magnitude[r] = graft_heap_get(heap, (size_t)truth->results[r].count, sizeof(double));
        }
        rule->direct(&m);
    } else {
        run_absolute(heap, &m);
    }
    for (int r = 0; r < truth->n_results; r++) {
        fill_result(heap, &m, r, truth->terms);
    }
    graft_tolerance_activate(heap, truth);
}
