/* SPDX-License-Identifier: MIT */
#include "backend/cpu/attention.h"

#define BLOCK 64 /* as in attention.c */

enum { DQ, DK, DV, DBIAS };

/* A query's row of dq. */
static void query(const struct attention *a, const struct graft_cpu_args *args, int64_t row)
{
    const struct graft_attention_layout *const l = &a->l;
    const int64_t head = row % l->heads, i = row / l->heads % l->queries, n = row / l->heads / l->queries;
    const double scale = (double)a->call->attributes.attention.scale;
    real *const dq = args->out[DQ];
    for (int64_t first = 0; dq != NULL && first < l->depth; first += BLOCK) {
        const int64_t count = l->depth - first < BLOCK ? l->depth - first : BLOCK;
        double sums[BLOCK] = {0};
        for (int64_t j = 0; j < attention_keys(a, i); j++) {
            const real *const k = a->k + attention_row(a, n, l->keys, j, head, l->depth) + first;
            double gradient;
            (void)attention_share(a, args, n, head, i, j, &gradient);
            for (int64_t c = 0; c < count; c++) {
                sums[c] += gradient * (double)k[c];
            }
        }
        for (int64_t c = 0; c < count; c++) {
            reference_store(a->call, DQ, &dq[row * l->depth + first + c], scale * sums[c]);
        }
    }
}

/* A key's row of dk or dv: Σ over the queries of what their columns have to be multiplied by. */
static void key(const struct attention *a, const struct graft_cpu_args *args, int64_t row, int output)
{
    const struct graft_attention_layout *const l = &a->l;
    const int64_t head = row % l->heads, j = row / l->heads % l->keys, n = row / l->heads / l->keys;
    const int64_t size = output == DV ? l->width : l->depth;
    const double scale = output == DV ? 1 : (double)a->call->attributes.attention.scale;
    const real *const from = output == DV ? args->in[3] : a->q;
    real *const to = args->out[output];
    for (int64_t first = 0; to != NULL && first < size; first += BLOCK) {
        const int64_t count = size - first < BLOCK ? size - first : BLOCK;
        double sums[BLOCK] = {0};
        for (int64_t i = 0; i < l->queries; i++) {
            if (j >= attention_keys(a, i)) {
                continue;
            }
            const real *const x = from + attention_row(a, n, l->queries, i, head, size) + first;
            double gradient;
            const double p = attention_share(a, args, n, head, i, j, &gradient);
            for (int64_t c = 0; c < count; c++) {
                sums[c] += (output == DV ? p : gradient) * (double)x[c];
            }
        }
        for (int64_t c = 0; c < count; c++) {
            reference_store(a->call, output, &to[row * size + first + c], scale * sums[c]);
        }
    }
}

static void biases(const struct attention *a, const struct graft_cpu_args *args)
{
    const struct graft_attention_layout *const l = &a->l;
    real *dbias = args->out[DBIAS];
    for (int64_t row = 0; row < l->biases * l->heads * l->queries; row++) {
        const int64_t i = row % l->queries, head = row / l->queries % l->heads,
                      b = row / l->queries / l->heads;
        for (int64_t j = 0; j < l->keys; j++, dbias++) {
            double sum = 0;
            for (int64_t n = b; j < attention_keys(a, i) && n < l->images; n += l->biases) {
                double gradient;
                (void)attention_share(a, args, n, head, i, j, &gradient);
                sum += gradient;
            }
            reference_store(a->call, DBIAS, dbias, sum);
        }
    }
}

void REFERENCE(attention_grad)(const struct graft_cpu_args *args)
{
    const struct attention a = attention_of(args);
    for (int64_t row = 0; row < a.l.images * a.l.queries * a.l.heads; row++) {
        query(&a, args, row);
    }
    for (int64_t row = 0; row < a.l.images * a.l.keys * a.l.heads; row++) {
        key(&a, args, row, DK);
        key(&a, args, row, DV);
    }
    if (args->out[DBIAS] != NULL) {
        biases(&a, args);
    }
}
