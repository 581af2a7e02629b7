/* SPDX-License-Identifier: MIT */
#include "backend/cpu/attention.h"

void REFERENCE(attention_grad_bias)(const struct graft_cpu_args *args)
{
    const struct attention a = attention_of(args);
    const struct graft_attention_layout *const l = &a.l;
    real *dbias = args->out[0];
    for (int64_t b = 0; b < l->biases; b++) {
        for (int64_t head = 0; head < l->heads; head++) {
            for (int64_t i = 0; i < l->queries; i++) {
                for (int64_t j = 0; j < l->keys; j++, dbias++) {
                    double sum = 0;
                    for (int64_t n = b; j < attention_keys(&a, i) && n < l->images; n += l->biases) {
                        double gradient;
                        (void)attention_share(&a, args, n, head, i, j, &gradient);
                        sum += gradient;
                    }
                    reference_store(a.call, 0, dbias, sum);
                }
            }
        }
    }
}
