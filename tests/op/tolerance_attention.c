/* SPDX-License-Identifier: MIT */
/*
 * Magnitudes of attention. A score s errs by unit · A, A = scale · Σ|q·k| + |bias| + |mask|; its exponential,
 * of a difference to the row's largest score or to lse, relatively by unit · (1 + A + |difference|) =: unit ·
 * R. A row's sum errs relatively by unit · Σ p·R, whatever number was taken off before.
 */
#include "attentions.h"
#include "tolerance.h"

double graft_attention_score(const struct graft_call *call, const struct graft_attention_layout *l,
                             const double *q, const double *k, const double *bias, const double *mask,
                             const int64_t at[4], double *size)
{
    const int64_t n = at[0], head = at[1], i = at[2], j = at[3];
    const double scale = (double)call->attributes.attention.scale;
    double score = 0;
    *size = 0;
    if (call->attributes.attention.causal && j > i)
        return -(double)INFINITY;
    for (int64_t c = 0; c < l->depth; c++) {
        const double product = scale * q[((n * l->queries + i) * l->heads + head) * l->depth + c] *
                               k[((n * l->keys + j) * l->heads + head) * l->depth + c];
        score += product;
        *size += fabs(product);
    }
    const double parts[2] = {bias ? bias[((n % l->biases * l->heads + head) * l->queries + i) * l->keys + j]
                                  : 0,
                             mask ? mask[(n % l->masks * l->queries + i) * l->keys + j] : 0};
    for (int part = 0; part < 2; part++) {
        score += parts[part];
        *size += isinf(parts[part]) ? 0 : fabs(parts[part]);
    }
    return score;
}

/* Inputs by what they are. */
struct view {
    const struct graft_call *call;
    struct graft_attention_layout l;
    const double *in[GRAFT_MAX_INPUTS], *bias, *mask;
};

static struct view view_of(const struct graft_call *call, double *const *in)
{
    struct view view = {.call = call, .l = graft_attention_layout_of(call)};
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++)
        view.in[i] = in[i];
    view.bias = view.l.bias >= 0 ? in[view.l.bias] : NULL;
    view.mask = view.l.mask >= 0 ? in[view.l.mask] : NULL;
    return view;
}

static struct view view_of_magnitude(const struct graft_magnitude *m)
{
    double *in[GRAFT_MAX_INPUTS];
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++)
        in[i] = (double *)m->given[i];
    return view_of(m->call, in);
}

/* A row's largest score and sum of exponentials; −∞ and 0 where nothing is left. */
static double row_sum(const struct view *view, int64_t n, int64_t head, int64_t i, double *largest)
{
    double sum = 0, size;
    *largest = -(double)INFINITY;
    for (int64_t j = 0; j < view->l.keys; j++) {
        const double s = graft_attention_score(view->call, &view->l, view->in[0], view->in[1], view->bias,
                                               view->mask, (const int64_t[]){n, head, i, j}, &size);
        *largest = s > *largest ? s : *largest;
    }
    for (int64_t j = 0; j < view->l.keys && *largest != -(double)INFINITY; j++)
        sum += exp(graft_attention_score(view->call, &view->l, view->in[0], view->in[1], view->bias,
                                         view->mask, (const int64_t[]){n, head, i, j}, &size) -
                   *largest);
    return sum;
}

void graft_attention_rows(const struct graft_call *call, double *const *in)
{
    const struct view view = view_of(call, in);
    const struct graft_attention_layout *const l = &view.l;
    for (int64_t row = 0; row < l->images * l->queries * l->heads; row++) {
        const int64_t head = row % l->heads, i = row / l->heads % l->queries, n = row / l->heads / l->queries;
        double largest, delta = 0, size;
        const double sum = row_sum(&view, n, head, i, &largest);
        for (int64_t j = 0; sum > 0 && j < l->keys; j++) {
            const double s = graft_attention_score(call, l, view.in[0], view.in[1], view.bias, view.mask,
                                                   (const int64_t[]){n, head, i, j}, &size);
            for (int64_t c = 0; c < l->width; c++)
                delta += exp(s - largest) / sum *
                         view.in[2][((n * l->keys + j) * l->heads + head) * l->width + c] *
                         view.in[3][row * l->width + c];
        }
        in[4][row] = largest + log(sum);
        in[5][row] = delta;
    }
}

/* y: Σ p·|v| · (R + Σ p·R); lse: |lse| + Σ p·R. */
void graft_magnitude_attention(struct graft_magnitude *m)
{
    const struct view view = view_of_magnitude(m);
    const struct graft_attention_layout *const l = &view.l;
    for (int64_t row = 0; row < l->images * l->queries * l->heads; row++) {
        const int64_t head = row % l->heads, i = row / l->heads % l->queries, n = row / l->heads / l->queries;
        double largest, mean = 0, size;
        const double sum = row_sum(&view, n, head, i, &largest);
        for (int pass = 0; pass < 2; pass++) {
            for (int64_t j = 0; j < l->keys; j++) {
                const double s = graft_attention_score(m->call, l, view.in[0], view.in[1], view.bias,
                                                       view.mask, (const int64_t[]){n, head, i, j}, &size);
                if (s == -(double)INFINITY)
                    continue;
                const double p = exp(s - largest) / sum, r = 1 + size + fabs(s - largest);
                mean += pass == 0 ? p * r : 0;
                for (int k = 0; pass == 1 && k < m->truth->n_results; k++)
                    for (int64_t c = 0; m->truth->results[k].index == 0 && c < l->width; c++)
                        m->magnitude[k][row * l->width + c] +=
                            p * (r + mean) *
                            fabs(view.in[2][((n * l->keys + j) * l->heads + head) * l->width + c]);
            }
        }
        for (int k = 0; k < m->truth->n_results; k++)
            if (m->truth->results[k].index == 1)
                m->magnitude[k][row] = fabs(largest + log(sum)) + mean;
    }
}

/* p·R of a pair, and in *gradient p·R · (Σ|dy·v| + |delta|); false for a pair that is not seen. */
static bool pair(const struct view *view, const int64_t at[4], double *share, double *gradient)
{
    const struct graft_attention_layout *const l = &view->l;
    const int64_t row = (at[0] * l->queries + at[2]) * l->heads + at[1];
    double size;
    const double s =
        graft_attention_score(view->call, l, view->in[0], view->in[1], view->bias, view->mask, at, &size);
    if (s == -(double)INFINITY)
        return false;
    const double difference = s - view->in[4][row];
    *share = exp(difference) * (1 + size + fabs(difference));
    double products = fabs(view->in[5][row]);
    for (int64_t c = 0; c < l->width; c++)
        products += fabs(view->in[3][row * l->width + c] *
                         view->in[2][((at[0] * l->keys + at[3]) * l->heads + at[1]) * l->width + c]);
    *gradient = *share * products;
    return true;
}

static void add_to(double *to, int64_t count, double factor, const double *from)
{
    for (int64_t c = 0; c < count; c++)
        to[c] += fabs(factor * from[c]);
}

enum { DQ, DK, DV, DBIAS };

/* The call's unit is that of its longest sum, and of a `c` of 14: what an output's own is of it. dbias has no
 * scale and no product behind its sum: 12. */
static double part_of_unit(const struct graft_magnitude *m, const struct graft_attention_layout *l, int output)
{
    const int64_t summands = output == DQ      ? l->keys
                             : output == DBIAS ? l->images / (l->biases > 0 ? l->biases : 1)
                                               : l->queries;
    const double terms = (double)(summands + l->depth + l->width);
    return (output == DBIAS ? 12.0 / 14 : 1) * sqrt(terms / m->truth->terms);
}

void graft_magnitude_attention_grad(struct graft_magnitude *m)
{
    const struct view view = view_of_magnitude(m);
    const struct graft_attention_layout *const l = &view.l;
    const double scale = fabs((double)m->call->attributes.attention.scale);
    for (int64_t row = 0; row < l->images * l->queries * l->heads; row++) {
        const int64_t head = row % l->heads, i = row / l->heads % l->queries, n = row / l->heads / l->queries;
        for (int64_t j = 0; j < l->keys; j++) {
            const int64_t column = (n * l->keys + j) * l->heads + head;
            double share, gradient;
            if (!pair(&view, (const int64_t[]){n, head, i, j}, &share, &gradient))
                continue;
            for (int r = 0; r < m->truth->n_results; r++) {
                const int output = m->truth->results[r].index;
                double *const to = m->magnitude[r];
                if (output == DBIAS)
                    to[((n % l->biases * l->heads + head) * l->queries + i) * l->keys + j] += gradient;
                else if (output == DQ)
                    add_to(to + row * l->depth, l->depth, scale * gradient, view.in[1] + column * l->depth);
                else if (output == DK)
                    add_to(to + column * l->depth, l->depth, scale * gradient, view.in[0] + row * l->depth);
                else
                    add_to(to + column * l->width, l->width, share, view.in[3] + row * l->width);
            }
        }
    }
    for (int r = 0; r < m->truth->n_results; r++) {
        const double part = part_of_unit(m, l, m->truth->results[r].index);
        for (int64_t k = 0; k < m->truth->results[r].count; k++)
            m->magnitude[r][k] *= part;
    }
}
