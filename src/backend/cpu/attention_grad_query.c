/* SPDX-License-Identifier: MIT */
#include "backend/cpu/attention.h"

#define BLOCK 64 /* as in attention.c */

void REFERENCE(attention_grad_query)(const struct graft_cpu_args *args)
{
    const struct attention a = attention_of(args);
    const struct graft_attention_layout *const l = &a.l;
    const double scale = (double)a.call->attributes.attention.scale;
    real *const dq = args->out[0];
    for (int64_t row = 0; row < l->images * l->queries * l->heads; row++) {
        const int64_t head = row % l->heads;
        const int64_t i = row / l->heads % l->queries;
        const int64_t n = row / l->heads / l->queries;
        for (int64_t first = 0; first < l->depth; first += BLOCK) {
            const int64_t count = l->depth - first < BLOCK ? l->depth - first : BLOCK;
            double sums[BLOCK] = {0};
            for (int64_t j = 0; j < attention_keys(&a, i); j++) {
                const real *const k = a.k + attention_row(&a, n, l->keys, j, head, l->depth) + first;
                double gradient;
                (void)attention_share(&a, args, n, head, i, j, &gradient);
                for (int64_t c = 0; c < count; c++) {
                    sums[c] += gradient * (double)k[c];
                }
            }
            for (int64_t c = 0; c < count; c++) {
                reference_store(a.call, 0, &dq[row * l->depth + first + c], scale * sums[c]);
            }
        }
    }
}
