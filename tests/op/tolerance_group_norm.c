/* SPDX-License-Identifier: MIT */
/*
 * Magnitudes of group normalization. A mean errs by δ = unit · Σ|x| / n at most; a variance, taken of
 * distances from such a mean, by unit · (var + δ·Σ|x| / n), as Σ(x − mean) = 0 (a sum of squares minus the
 * mean's square is not within this bound when the mean is large, and is not meant to be); 1 / sqrt(var + ε)
 * relatively by half of that.
 */
#include "tolerance.h"

#include <math.h>

static struct graft_group_layout layout_of(const struct graft_magnitude *m)
{
    return graft_group_layout_of(&m->call->in[0].shape, m->call->attributes.group_norm.groups);
}

/* Element `i` of a group, as an index of x. */
static int64_t element(const struct graft_group_layout *l, int64_t row, int64_t i)
{
    return row / l->groups * l->pixels * l->channels + row % l->groups * l->width +
           i / l->width * l->channels + i % l->width;
}

void graft_magnitude_group_norm(struct graft_magnitude *m)
{
    const struct graft_group_layout l = layout_of(m);
    const double epsilon = (double)m->call->attributes.group_norm.epsilon;
    const int64_t count = l.pixels * l.width;
    const double *const x = m->given[0], *const gamma = m->given[1], *const beta = m->given[2];
    for (int64_t row = 0; row < l.images * l.groups; row++) {
        double size = 0, mean = 0, var = 0;
        for (int64_t i = 0; i < count; i++) {
            size += fabs(x[element(&l, row, i)]) / (double)count;
            mean += x[element(&l, row, i)] / (double)count;
        }
        for (int64_t i = 0; i < count; i++) {
            const double d = x[element(&l, row, i)] - mean;
            var += d * d / (double)count;
        }
        const double rstd = 1 / sqrt(var + epsilon);
        const double of_rstd = 1 + 0.5 * (var + m->unit * size * size) / (var + epsilon);
        for (int r = 0; r < m->truth->n_results; r++) {
            if (m->truth->results[r].index == 1) {
                m->magnitude[r][2 * row] = size;
                m->magnitude[r][2 * row + 1] = rstd * of_rstd;
                continue;
            }
            for (int64_t i = 0; i < count; i++) {
                const int64_t at = element(&l, row, i), c = at % l.channels;
                m->magnitude[r][at] =
                    fabs(gamma[c]) * rstd * (fabs(x[at] - mean) * of_rstd + size) + fabs(beta[c]);
            }
        }
    }
}

/* rstd · (|g| + mean |g| + |x̂| · mean |g · x̂|), g = gamma · dy */
void graft_magnitude_group_norm_grad_input(struct graft_magnitude *m)
{
    const struct graft_group_layout l = layout_of(m);
    const int64_t count = l.pixels * l.width;
    const double *const x = m->given[0], *const dy = m->given[1], *const gamma = m->given[2];
    const double *const stats = m->given[3];
    for (int64_t row = 0; row < l.images * l.groups; row++) {
        const double mean = stats[2 * row], rstd = stats[2 * row + 1];
        double sum = 0, products = 0;
        for (int64_t i = 0; i < count; i++) {
            const int64_t at = element(&l, row, i);
            const double g = fabs(gamma[at % l.channels] * dy[at]) / (double)count;
            sum += g;
            products += g * fabs(x[at] - mean) * rstd;
        }
        for (int64_t i = 0; i < count; i++) {
            const int64_t at = element(&l, row, i);
            m->magnitude[0][at] =
                rstd * (fabs(gamma[at % l.channels] * dy[at]) + sum + fabs(x[at] - mean) * rstd * products);
        }
    }
}

/* Σ|dy · x̂| and Σ|dy| */
void graft_magnitude_group_norm_grad_param(struct graft_magnitude *m)
{
    const struct graft_group_layout l = layout_of(m);
    const double *const x = m->given[0], *const dy = m->given[1], *const stats = m->given[2];
    for (int64_t row = 0; row < l.images * l.groups; row++) {
        for (int64_t i = 0; i < l.pixels * l.width; i++) {
            const int64_t at = element(&l, row, i), c = at % l.channels;
            const double normal = fabs(x[at] - stats[2 * row]) * stats[2 * row + 1];
            for (int r = 0; r < m->truth->n_results; r++) {
                m->magnitude[r][c] += fabs(dy[at]) * (m->truth->results[r].index == 0 ? normal : 1);
            }
        }
    }
}
