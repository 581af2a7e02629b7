/* SPDX-License-Identifier: MIT */
#include "backend/cpu/softmax.h"

enum { LOGITS, LABELS, DLOSSES, WEIGHTS };

void REFERENCE(cross_entropy_grad)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const float smoothing = call->attributes.cross_entropy.label_smoothing;
    const int64_t rows = call->in[LOGITS].shape.dim[0];
    const int64_t classes = call->in[LOGITS].shape.dim[1];
    const real *const weights = args->in[WEIGHTS];
    const int32_t *const labels = args->in[LABELS];
    const real *const dlosses = args->in[DLOSSES];
    for (int64_t n = 0; n < rows; n++) {
        const real *const x = (const real *)args->in[LOGITS] + n * classes;
        real *const dx = (real *)args->out[0] + n * classes;
        const struct softmax_row row = softmax_row_of(x, classes);
        double targets = 0;
        for (int64_t c = 0; c < classes; c++) {
            targets += softmax_target(smoothing, weights, labels[n], c, classes);
        }
        for (int64_t c = 0; c < classes; c++) {
            const double target = softmax_target(smoothing, weights, labels[n], c, classes);
            const double probability = exp((double)x[c] - row.largest) / row.sum;
            reference_store(call, 0, &dx[c], (double)dlosses[n] * (probability * targets - target));
        }
    }
}
