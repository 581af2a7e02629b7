/* SPDX-License-Identifier: MIT */
/*
 * Magnitudes of functions of one and two values, in units of u = 2^-24: what the roundings of a computation
 * add up to, relative to what they are roundings of.
 *
 * OpenCL C 1.2, table 7.1, in units of the last place, each at most 2u: exp 3, log 3, division 2.5, sqrt 3,
 * tanh 5, erfc 16, pow 16; +, − and × round once (u). A constant that is no float counts u too. An error in
 * an argument counts with the function's condition: relative errors δ of v change e^v by |v|·δ.
 *
 * Exponentials below 2^-126 may be flushed to 0, and factors make that larger: |x| × 2^-125 is put into the
 * magnitude where x multiplies one.
 */
#include "tolerance.h"
#include "backend/cpu/index.h"

#include <math.h>

#define EXP 6
#define LOG 6
#define DIVISION 5
#define ROOT 6
#define TANH 10
#define ERFC 32
#define POWER 32

static double sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}

/* e / (1 + e) or 1 / (1 + e) of e = exp(−|x|): e by 6, by which the quotient changes no more; the sum; the
 * division. */
#define SIGMOID (EXP + 1 + DIVISION)

static double normal(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

static double density(double x)
{
    return exp(-0.5 * x * x) * 0.39894228040143267794;
}

/* Relative error of Φ(x) = erfc(−x/√2) / 2: its argument is a product with a constant (2u), and its condition
 * |x|·φ(x)/Φ(x) is below 1 + x² (Mills' ratio). An e^(−x²/2) times a sum for it errs no more. */
static double normal_error(double x)
{
    return ERFC + 2 * (1 + x * x);
}

/* Of φ(x) = e^(−x²/2) / √(2π): x² rounds once; the constant, the product. */
static double density_error(double x)
{
    return EXP + 0.5 * x * x + 2;
}

#define GELU_FACTOR 1.59576912160573071176
#define GELU_CUBE 0.044715

/* v = x·(k + k'·x²): two constants, x², two products and a sum, all of one sign: 5u. */
#define ARGUMENT 5

static double gelu_argument(double x)
{
    return GELU_FACTOR * x * (1 + GELU_CUBE * x * x);
}

static double product(double a, double b) /* 0 · ∞ = 0: of what has vanished nothing is left */
{
    return a == 0 || b == 0 ? 0 : a * b;
}

/* Relative error of sigmoid(v), v off by ARGUMENT: condition |v|·sigmoid(−v). */
static double gelu_sigmoid_error(double v)
{
    return SIGMOID + ARGUMENT * product(fabs(v), sigmoid(-v));
}

/* |x| as long as an exponential may be flushed; beyond `end` it is below 2^-149 in any case. */
static double reach(double x, double end)
{
    return fabs(x) < end ? fabs(x) : 0;
}

/* Errors of y = f(x), and what a flushed exponential is multiplied with in *flushed. */
static double unary_error(enum graft_unary kind, double x, double y, double *flushed)
{
    *flushed = 0;
    switch (kind) {
    case GRAFT_UNARY_LEAKY_RELU:
        return fabs(y);
    case GRAFT_UNARY_SIGMOID:
        return SIGMOID * fabs(y);
    case GRAFT_UNARY_TANH:
        return TANH * fabs(y);
    case GRAFT_UNARY_HARD_SIGMOID: /* the sum, then a division or a rounded sixth and a product */
        return (1 + DIVISION) * fmin(fabs(x) + 3, 6) / 6;
    case GRAFT_UNARY_HARD_SWISH:
        return (2 + DIVISION) * fabs(x) * (fabs(x) < 3 ? (fabs(x) + 3) / 6 : x > 0 ? 1 : 0);
    case GRAFT_UNARY_SILU:
        *flushed = reach(x, 110);
        return (SIGMOID + 1) * fabs(y);
    case GRAFT_UNARY_GELU:
        *flushed = reach(x, 16);
        return (normal_error(x) + 1) * fabs(y);
    case GRAFT_UNARY_GELU_TANH:
        *flushed = reach(x, 16);
        return (gelu_sigmoid_error(gelu_argument(x)) + 1) * fabs(y);
    case GRAFT_UNARY_SQRT:
        return ROOT * fabs(y);
    case GRAFT_UNARY_EXP:
        return EXP * fabs(y);
    case GRAFT_UNARY_LOG:
        return LOG * fabs(y);
    default: /* choices */
        return 0;
    }
}

/* 2^-125 in the magnitude's units. */
static double flush_of(const struct graft_magnitude *m, double factor)
{
    return isfinite(factor) ? factor * 0x1p-125 / m->unit : 0;
}

void graft_magnitude_unary(struct graft_magnitude *m)
{
    const double *const x = m->given[0];
    const struct graft_result *const y = &m->truth->results[0];
    for (int64_t i = 0; i < y->count; i++) {
        double flushed;
        const double error = unary_error(m->call->attributes.unary.kind, x[i], y->wanted[i], &flushed);
        m->magnitude[0][i] =
            isnan(error) || isinf(y->wanted[i]) ? fabs(y->wanted[i]) : error + flush_of(m, flushed);
    }
}

/* The largest slope, or 1 if it is smaller: what was there counts in full. */
double graft_tolerance_steepest(enum graft_unary kind)
{
    return kind == GRAFT_UNARY_HARD_SWISH ? 1.5 : kind == GRAFT_UNARY_SILU ? 1.1 : 1;
}

void graft_tolerance_activate(struct graft_heap *heap, struct graft_truth *truth)
{
    struct graft_result *const y = &truth->results[0];
    const enum graft_unary kind = graft_op_activation(&truth->call);
    if (kind == GRAFT_UNARY_NONE || kind == GRAFT_UNARY_RELU || kind == GRAFT_UNARY_RELU6) {
        return;
    }
    struct graft_call call = truth->call;
    call.accumulate = 0;
    graft_op_set_activation(&call, GRAFT_UNARY_NONE);
    double *const x = graft_heap_get(heap, (size_t)y->count, sizeof *x);
    double *const out[GRAFT_MAX_OUTPUTS] = {x};
    graft_reference_run(&call, truth->inputs.in, out);
    for (int64_t i = 0; i < y->count; i++) {
        const double prior = truth->prior[0] != NULL ? truth->prior[0][i] : 0;
        double flushed;
        const double error = unary_error(kind, x[i], y->wanted[i] - prior, &flushed);
        if (isfinite(y->wanted[i]) && isfinite(x[i])) {
            y->tolerance[i] =
                graft_tolerance_steepest(kind) * y->tolerance[i] + error * 0x1p-24 + flushed * 0x1p-125;
        }
    }
}

/* Errors of f'(s), s = x or y. */
static double slope_error(enum graft_unary kind, const struct graft_unary_attributes *a, double s,
                          double *flushed)
{
    *flushed = 0;
    switch (kind) {
    case GRAFT_UNARY_LEAKY_RELU:
        return s > 0 ? 0 : (double)a->alpha;
    case GRAFT_UNARY_SIGMOID: /* the difference and a product */
        return 2 * fabs(s) * fabs(1 - s);
    case GRAFT_UNARY_TANH: /* the square and the difference */
        return 2 * (1 + s * s);
    case GRAFT_UNARY_HARD_SIGMOID:
        return s > -3 && s < 3 ? DIVISION / 6.0 : 0;
    case GRAFT_UNARY_HARD_SWISH:
        return s > -3 && s < 3 ? (DIVISION + 1) * (fabs(s) / 3 + 0.5) : 0;
    case GRAFT_UNARY_SILU: { /* σ·(1 + x·σ(−x)): twice σ, two products, the sum */
        const double value = sigmoid(s);
        const double inner = product(fabs(s), sigmoid(-s));
        *flushed = reach(s, 110);
        return value * ((SIGMOID + 2) + inner * (2 * SIGMOID + 3));
    }
    case GRAFT_UNARY_GELU:
        *flushed = 1 + reach(s, 16);
        return normal(s) * (normal_error(s) + 1) + product(density(s), fabs(s) * (density_error(s) + 2));
    case GRAFT_UNARY_GELU_TANH: { /* σ(v)·(1 + x·σ(−v)·v'), v' with an error like v's */
        const double v = gelu_argument(s);
        const double inner = product(sigmoid(-v), fabs(s) * GELU_FACTOR * (1 + 3 * GELU_CUBE * s * s));
        *flushed = reach(s, 16) * (1 + reach(s, 16) * reach(s, 16));
        const double twice = gelu_sigmoid_error(v) + gelu_sigmoid_error(-v);
        return product(sigmoid(v), (gelu_sigmoid_error(v) + 2) + product(inner, twice + ARGUMENT + 4));
    }
    case GRAFT_UNARY_SQRT:
        return DIVISION * fabs(0.5 / s);
    case GRAFT_UNARY_EXP:
        return 0;
    case GRAFT_UNARY_LOG:
        return DIVISION * fabs(1 / s);
    default:
        return 0;
    }
}

/* Two more for the product with dy and the sum with what was there. */
void graft_magnitude_unary_grad(struct graft_magnitude *m)
{
    const struct graft_unary_attributes *const a = &m->call->attributes.unary;
    const double *const s = m->given[graft_unary_needs(a->kind) == GRAFT_UNARY_FROM_X ? 0 : 1];
    const double *const dy = m->given[2];
    const struct graft_result *const dx = &m->truth->results[0];
    const double *const prior = m->truth->prior[0];
    for (int64_t i = 0; i < dx->count; i++) {
        double flushed;
        const double error = slope_error(a->kind, a, s[i], &flushed);
        const double value = fabs(dx->wanted[i] - (prior != NULL ? prior[i] : 0));
        m->magnitude[0][i] = !isfinite(dx->wanted[i])
                                 ? fabs(dx->wanted[i])
                                 : 2 * value + fabs(dy[i]) * (error + flush_of(m, flushed));
    }
}

/* dy·a/b², dy·b·a^(b−1), dy·a^b·log a: products of single terms. */
void graft_magnitude_binary_grad(struct graft_magnitude *m)
{
    const struct graft_call *const call = m->call;
    const struct graft_shape *const shape = &call->out[0].shape;
    const struct graft_result *const out = &m->truth->results[0];
    const double *const prior = m->truth->prior[0];
    const double *const a = m->given[0];
    const double *const b = m->given[1];
    const bool for_b = call->attributes.binary.operand == 1;
    int64_t index[GRAFT_MAX_RANK] = {0};
    for (int64_t i = 0; i < out->count; i++, index_next(shape, index)) {
        const double left = a[index_element(&call->in[0].shape, shape->rank, index)];
        const double right = b[index_element(&call->in[1].shape, shape->rank, index)];
        double error = 2 * DIVISION + 2;
        if (call->attributes.binary.kind == GRAFT_BINARY_POW) {
            /* b − 1 rounds: a^(b−1) changes by |b − 1|·|log a| */
            error = for_b ? POWER + LOG + 3 : POWER + 3 + fabs(right - 1) * fabs(log(fabs(left)));
        }
        const double value = fabs(out->wanted[i] - (prior != NULL ? prior[i] : 0));
        m->magnitude[0][i] = product(value, isfinite(error) ? error : 1);
    }
}
