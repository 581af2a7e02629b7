/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/response.h"

static double gradient(const struct graft_lrn_attributes *a, const real *x, const real *dy, int64_t channels,
                       int64_t c)
{
    const double beta = (double)a->beta;
    const int64_t end = graft_min_i64(c + a->size / 2 + 1, channels);
    double sum = 0;
    for (int64_t j = graft_max_i64(c - (a->size - 1) / 2, 0); j < end; j++) {
        sum += (double)dy[j] * (double)x[j] / pow(response_divisor(a, x, channels, j), beta + 1);
    }
    return (double)dy[c] / pow(response_divisor(a, x, channels, c), beta) -
           2 * (double)a->alpha * beta / a->size * (double)x[c] * sum;
}

void REFERENCE(lrn_grad)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const int64_t channels = index_columns(&call->in[0].shape);
    const real *x = args->in[0];
    const real *dy = args->in[1];
    real *dx = args->out[0];
    for (int64_t row = index_rows(&call->in[0].shape); row > 0; row--, x += channels, dy += channels) {
        for (int64_t c = 0; c < channels; c++) {
            reference_store(call, 0, dx++, gradient(&call->attributes.lrn, x, dy, channels, c));
        }
    }
}
