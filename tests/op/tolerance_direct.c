/* SPDX-License-Identifier: MIT */
/* Magnitudes of ops whose error is not that of a plain sum: what the summands and exponents are is written
 * out. */
#include "tolerance.h"

#include <math.h>

/* Rows and columns of an input, the last dimension being the column. */
static int64_t columns_of(const struct graft_call *call, int input)
{
    const struct graft_shape *const shape = &call->in[input].shape;
    return shape->dim[shape->rank - 1];
}

static int64_t rows_of(const struct graft_call *call, int input)
{
    const int64_t columns = columns_of(call, input);
    return columns > 0 ? graft_shape_count(&call->in[input].shape) / columns : 0;
}

/*
 * mean: Σ|x| / n. var: Σ(x − mean)² / n, in which differences are taken from a mean that is off by up to
 * δ = unit · Σ|x| / n; that adds δ² and nothing of first order, as Σ(x − mean) = 0. A sum of squares minus
 * the square of the mean is not within this bound when the mean is large, and is not meant to be.
 */
void graft_magnitude_batch_norm_stats(struct graft_magnitude *m)
{
    const int64_t rows = rows_of(m->call, 0);
    const int64_t channels = columns_of(m->call, 0);
    const double *const x = m->given[0];
    for (int64_t c = 0; c < channels; c++) {
        double size = 0;
        double sum = 0;
        double squares = 0;
        for (int64_t i = 0; i < rows; i++) {
            size += fabs(x[i * channels + c]) / (double)rows;
            sum += x[i * channels + c] / (double)rows;
        }
        for (int64_t i = 0; i < rows; i++) {
            squares += (x[i * channels + c] - sum) * (x[i * channels + c] - sum) / (double)rows;
        }
        for (int r = 0; r < m->truth->n_results; r++) {
            m->magnitude[r][c] = m->truth->results[r].index == 0 ? size : squares + m->unit * size * size;
        }
    }
}

/*
 * For a row of logits: p = softmax(x) and e = the relative error of each exp in units: 1 + |x − max| for its
 * rounded argument. The sum of the exps errs by Σ p·e.
 */
static double row_errors(const double *x, int64_t columns, double *p, double *e)
{
    double largest = -INFINITY;
    for (int64_t i = 0; i < columns; i++) {
        largest = fmax(largest, x[i]);
    }
    double sum = 0;
    for (int64_t i = 0; i < columns; i++) {
        p[i] = exp(x[i] - largest);
        sum += p[i];
    }
    double mean_error = 0;
    for (int64_t i = 0; i < columns; i++) {
        p[i] /= sum;
        e[i] = 1 + fabs(x[i] - largest);
        mean_error += p[i] > 0 ? p[i] * e[i] : 0;
    }
    return mean_error;
}

/* The copy of input 0 holds p, the magnitude e, until they are used. */
void graft_magnitude_softmax(struct graft_magnitude *m)
{
    const int64_t columns = columns_of(m->call, 0);
    const double *const x = m->given[0];
    for (int64_t row = 0; row < rows_of(m->call, 0); row++) {
        double *const p = m->in[0] + row * columns;
        double *const e = m->magnitude[0] + row * columns;
        const double mean_error = row_errors(x + row * columns, columns, p, e);
        for (int64_t i = 0; i < columns; i++) {
            e[i] = p[i] > 0 ? p[i] * (e[i] + mean_error) : 0;
        }
    }
}

/* y·(dy − Σ dy·y) */
void graft_magnitude_softmax_grad(struct graft_magnitude *m)
{
    const int64_t columns = columns_of(m->call, 0);
    for (int64_t row = 0; row < rows_of(m->call, 0); row++) {
        const double *const y = (const double *)m->given[0] + row * columns;
        const double *const dy = (const double *)m->given[1] + row * columns;
        double sum = 0;
        for (int64_t i = 0; i < columns; i++) {
            sum += fabs(dy[i] * y[i]);
        }
        for (int64_t i = 0; i < columns; i++) {
            m->magnitude[0][row * columns + i] = fabs(y[i]) * (fabs(dy[i]) + sum);
        }
    }
}

/* d of local response normalization for channel c of a row: see struct graft_lrn_attributes. */
static double response_of(const struct graft_call *call, const double *row, int64_t c)
{
    const struct graft_lrn_attributes *const a = &call->attributes.lrn;
    double sum = 0;
    const int64_t first = c - a->size / 2, last = c + (a->size - 1) / 2, columns = columns_of(call, 0);
    for (int64_t j = first > 0 ? first : 0; j <= last && j < columns; j++) {
        sum += row[j] * row[j];
    }
    return (double)a->k + (double)a->alpha / a->size * sum;
}

/* |y|·(1 + beta): a relative error of d, a sum of positive numbers, is beta times that in its power. */
void graft_magnitude_lrn(struct graft_magnitude *m)
{
    const double beta = (double)m->call->attributes.lrn.beta;
    const int64_t columns = columns_of(m->call, 0);
    for (int64_t i = 0; i < rows_of(m->call, 0) * columns; i++) {
        const double *const row = (const double *)m->given[0] + i / columns * columns;
        const double d = response_of(m->call, row, i % columns);
        m->magnitude[0][i] = (1 + beta) * fabs(row[i % columns]) * pow(d, -beta);
    }
}

/* |dy|·d^−beta·(1 + beta) + 2·alpha·beta/size·|x|·Σ |dy·x|·d^(−beta − 1)·(2 + beta) */
void graft_magnitude_lrn_grad(struct graft_magnitude *m)
{
    const struct graft_lrn_attributes *const a = &m->call->attributes.lrn;
    const double beta = (double)a->beta;
    const double factor = 2 * (double)a->alpha * beta / a->size;
    const int64_t columns = columns_of(m->call, 0);
    for (int64_t i = 0; i < rows_of(m->call, 0) * columns; i++) {
        const double *const row = (const double *)m->given[0] + i / columns * columns;
        const double *const dy = (const double *)m->given[1] + i / columns * columns;
        const int64_t c = i % columns;
        double size = (1 + beta) * fabs(dy[c]) * pow(response_of(m->call, row, c), -beta);
        /* The windows that c lies in: those of j with j − ⌊size / 2⌋ ≤ c ≤ j + ⌊(size − 1) / 2⌋. */
        const int64_t first = c - (a->size - 1) / 2, last = c + a->size / 2;
        for (int64_t j = first > 0 ? first : 0; j <= last && j < columns; j++) {
            const double power = pow(response_of(m->call, row, j), -beta - 1);
            size += factor * fabs(row[c]) * fabs(dy[j] * row[j]) * power * (2 + beta);
        }
        m->magnitude[0][i] = size;
    }
}

/* For x − max − log Σ exp(x − max): |max| + log Σ + what the log's argument errs by, 1 + Σ p·e; |x| is to be
 * added. */
static double log_size(const double *x, int64_t columns)
{
    double largest = -INFINITY;
    double sum = 0;
    double weighted = 0;
    for (int64_t i = 0; i < columns; i++) {
        largest = fmax(largest, x[i]);
    }
    for (int64_t i = 0; i < columns; i++) {
        const double distance = fabs(x[i] - largest);
        const double p = exp(-distance);
        sum += p;
        weighted += p > 0 ? p * (1 + distance) : 0;
    }
    return fabs(largest) + log(sum) + 1 + weighted / sum;
}

void graft_magnitude_log_softmax(struct graft_magnitude *m)
{
    const int64_t columns = columns_of(m->call, 0);
    const double *const x = m->given[0];
    for (int64_t row = 0; row < rows_of(m->call, 0); row++) {
        const double size = log_size(x + row * columns, columns);
        for (int64_t i = 0; i < columns; i++) {
            m->magnitude[0][row * columns + i] = size + fabs(x[row * columns + i]);
        }
    }
}

/* dy − exp(y)·Σ dy; exp errs by its rounded argument, too. */
void graft_magnitude_log_softmax_grad(struct graft_magnitude *m)
{
    const int64_t columns = columns_of(m->call, 0);
    for (int64_t row = 0; row < rows_of(m->call, 0); row++) {
        const double *const y = (const double *)m->given[0] + row * columns;
        const double *const dy = (const double *)m->given[1] + row * columns;
        double sum = 0;
        for (int64_t i = 0; i < columns; i++) {
            sum += fabs(dy[i]);
        }
        for (int64_t i = 0; i < columns; i++) {
            m->magnitude[0][row * columns + i] = fabs(dy[i]) + exp(y[i]) * sum;
        }
    }
}

/* `weights`: the index of that input. */
static double target_of(const struct graft_call *call, const void *const *given, int weights, int64_t label,
                        int64_t i)
{
    const double smoothing = (double)call->attributes.cross_entropy.label_smoothing;
    const double target = (i == label ? 1 - smoothing : 0) + smoothing / (double)columns_of(call, 0);
    return given[weights] != NULL ? target * ((const double *)given[weights])[i] : target;
}

/* Σ target · (max + log Σ exp(x − max) − x) */
void graft_magnitude_cross_entropy(struct graft_magnitude *m)
{
    const int64_t columns = columns_of(m->call, 0);
    const int32_t *const labels = m->given[1];
    for (int64_t row = 0; row < rows_of(m->call, 0); row++) {
        const double *const x = (const double *)m->given[0] + row * columns;
        const double size = log_size(x, columns);
        for (int64_t i = 0; i < columns; i++) {
            const double target = target_of(m->call, m->given, 2, labels[row], i);
            m->magnitude[0][row] += target > 0 ? target * (size + fabs(x[i])) : 0;
        }
    }
}

/* dloss · (softmax · Σ target − target) */
void graft_magnitude_cross_entropy_grad(struct graft_magnitude *m)
{
    const int64_t columns = columns_of(m->call, 0);
    const double *const x = m->given[0];
    const int32_t *const labels = m->given[1];
    const double *const dlosses = m->given[2];
    for (int64_t row = 0; row < rows_of(m->call, 0); row++) {
        double *const p = m->in[0] + row * columns;
        double *const e = m->magnitude[0] + row * columns;
        const double mean_error = row_errors(x + row * columns, columns, p, e);
        double targets = 0;
        for (int64_t i = 0; i < columns; i++) {
            targets += target_of(m->call, m->given, 3, labels[row], i);
        }
        for (int64_t i = 0; i < columns; i++) {
            const double softmax = p[i] > 0 ? p[i] * (e[i] + mean_error) : 0;
            e[i] = fabs(dlosses[row]) * (softmax * targets + target_of(m->call, m->given, 3, labels[row], i));
        }
    }
}

static const double *wanted_of(const struct graft_magnitude *m, int input, int *result)
{
    for (int r = 0; r < m->truth->n_results; r++) {
        if (m->truth->results[r].input && m->truth->results[r].index == input) {
            *result = r;
            return m->truth->results[r].wanted;
        }
    }
    return NULL;
}

void graft_magnitude_widen_for_clip(struct graft_magnitude *m, double c)
{
    m->unit *= m->call->attributes.update.max_norm > 0 ? (c + 26) / c : 1;
}

/* What a clipping update multiplies its gradient by. */
static double clip_scale(const struct graft_magnitude *m, int hyper)
{
    const double *const squares = m->call->n_inputs > hyper + 1 ? m->given[hyper + 1] : NULL;
    const double most = (double)m->call->attributes.update.max_norm;
    const double scale = ((const double *)m->given[hyper])[3];
    const double factor = squares != NULL && most > 0 ? most / (scale * sqrt(*squares) + 1e-6) : 1;
    return factor < 1 ? scale * factor : scale;
}

/*
 * With G = |scale·g| + |wd·p| (the gradient's summands), M and V the moments made of them and d = √(v/h2) + ε
 * the true divisor: a relative error of V/v in v is half of that in d, and the step is M/h1/d.
 */
void graft_magnitude_adam(struct graft_magnitude *m)
{
    const struct graft_update_attributes *const a = &m->call->attributes.update;
    const double b1 = (double)a->beta1;
    const double b2 = (double)a->beta2;
    const double decay = (double)a->weight_decay;
    const double *const p = m->given[0];
    const double *const gradient = m->given[1];
    const double *const m0 = m->given[2];
    const double *const v0 = m->given[3];
    const double *const hyper = m->given[4];
    int at_p = 0;
    int at_m = 0;
    int at_v = 0;
    const double scale = clip_scale(m, 4);
    graft_magnitude_widen_for_clip(m, 24);
    wanted_of(m, 0, &at_p);
    wanted_of(m, 2, &at_m);
    const double *const v = wanted_of(m, 3, &at_v);
    for (int64_t i = 0; i < m->truth->results[at_p].count; i++) {
        const double size = fabs(scale * gradient[i]) + (a->decoupled ? 0 : fabs(decay * p[i]));
        const double first = fabs(b1 * m0[i]) + (1 - b1) * size;
        const double second = b2 * v0[i] + (1 - b2) * size * size;
        const double divisor = sqrt(v[i] / hyper[2]) + (double)a->epsilon;
        const double step = first / hyper[1] / divisor * (1 + (v[i] > 0 ? second / v[i] : 0));
        m->magnitude[at_p][i] = fabs(p[i]) * (1 + (a->decoupled ? hyper[0] * decay : 0)) + hyper[0] * step;
        m->magnitude[at_m][i] = first;
        m->magnitude[at_v][i] = second;
    }
}

/* As adam, the gradient itself being the numerator. */
void graft_magnitude_rmsprop(struct graft_magnitude *m)
{
    const struct graft_update_attributes *const a = &m->call->attributes.update;
    const double b2 = (double)a->beta2;
    const double *const p = m->given[0];
    const double *const gradient = m->given[1];
    const double *const v0 = m->given[2];
    const double *const hyper = m->given[3];
    int at_p = 0;
    int at_v = 0;
    const double scale = clip_scale(m, 3);
    graft_magnitude_widen_for_clip(m, 20);
    wanted_of(m, 0, &at_p);
    const double *const v = wanted_of(m, 2, &at_v);
    for (int64_t i = 0; i < m->truth->results[at_p].count; i++) {
        const double size = fabs(scale * gradient[i]) + fabs((double)a->weight_decay * p[i]);
        const double second = b2 * v0[i] + (1 - b2) * size * size;
        const double step = size / (sqrt(v[i]) + (double)a->epsilon) * (1 + (v[i] > 0 ? second / v[i] : 0));
        m->magnitude[at_p][i] = fabs(p[i]) + hyper[0] * step;
        m->magnitude[at_v][i] = second;
    }
}
