/* SPDX-License-Identifier: MIT */
#include "backend/cpu/attention.h"

#define BLOCK 64 /* as in attention.c */

/* Σ over the queries of what a key's column of k (`values` false) or of v has to be multiplied by. */
static void column(const struct attention *a, const struct graft_cpu_args *args, int64_t row, bool values)
{
    const struct graft_attention_layout *const l = &a->l;
    const int64_t head = row % l->heads, j = row / l->heads % l->keys, n = row / l->heads / l->keys;
    const int64_t size = values ? l->width : l->depth;
    const double scale = values ? 1 : (double)a->call->attributes.attention.scale;
    const real *const from = values ? args->in[3] : a->q;
    real *const to = args->out[values ? 1 : 0];
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
                sums[c] += (values ? p : gradient) * (double)x[c];
            }
        }
        for (int64_t c = 0; c < count; c++) {
            reference_store(a->call, values ? 1 : 0, &to[row * size + first + c], scale * sums[c]);
        }
    }
}

void REFERENCE(attention_grad_key)(const struct graft_cpu_args *args)
{
    const struct attention a = attention_of(args);
    for (int64_t row = 0; row < a.l.images * a.l.keys * a.l.heads; row++) {
        column(&a, args, row, false);
        column(&a, args, row, true);
    }
}
