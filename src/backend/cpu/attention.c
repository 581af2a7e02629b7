/* SPDX-License-Identifier: MIT */
#include "backend/cpu/attention.h"

#define BLOCK 64 /* columns summed side by side, each in the order of the keys */

/* One query of a head: the largest score, then the sum of the exponentials, then the mean of v. */
static void query(const struct attention *a, const struct graft_cpu_args *args, int64_t n, int64_t head,
                  int64_t i)
{
    const struct graft_attention_layout *const l = &a->l;
    const int64_t keys = attention_keys(a, i);
    double largest = attention_score(a, n, head, i, 0);
    for (int64_t j = 1; j < keys; j++) {
        const double score = attention_score(a, n, head, i, j);
        largest = score > largest ? score : largest;
    }
    largest = attention_base(largest);
    double sum = 0;
    for (int64_t j = 0; j < keys; j++) {
        sum += exp(attention_score(a, n, head, i, j) - largest);
    }
    const int64_t row = attention_row(a, n, l->queries, i, head, 1);
    real *const y = args->out[0];
    for (int64_t first = 0; y != NULL && first < l->width; first += BLOCK) {
        const int64_t count = l->width - first < BLOCK ? l->width - first : BLOCK;
        double means[BLOCK] = {0};
        for (int64_t j = 0; j < keys; j++) {
            const double p = sum == 0 ? 0 : exp(attention_score(a, n, head, i, j) - largest) / sum;
            const real *const v = a->v + attention_row(a, n, l->keys, j, head, l->width) + first;
            for (int64_t c = 0; c < count; c++) {
                means[c] += p * (double)v[c];
            }
        }
        for (int64_t c = 0; c < count; c++) {
            y[row * l->width + first + c] = (real)means[c];
        }
    }
    if (args->out[1] != NULL) {
        ((real *)args->out[1])[row] = (real)(largest + log(sum));
    }
}

void REFERENCE(attention)(const struct graft_cpu_args *args)
{
    const struct attention a = attention_of(args);
    for (int64_t n = 0; n < a.l.images; n++) {
        for (int64_t head = 0; head < a.l.heads; head++) {
            for (int64_t i = 0; i < a.l.queries; i++) {
                query(&a, args, n, head, i);
            }
        }
    }
}
