/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/response.h"

void REFERENCE(lrn)(const struct graft_cpu_args *args)
{
    const struct graft_lrn_attributes *const a = &args->call->attributes.lrn;
    const int64_t channels = index_columns(&args->call->in[0].shape);
    const real *x = args->in[0];
    real *y = args->out[0];
    for (int64_t row = index_rows(&args->call->in[0].shape); row > 0; row--, x += channels) {
        for (int64_t c = 0; c < channels; c++) {
            *y++ = (real)((double)x[c] / pow(response_divisor(a, x, channels, c), (double)a->beta));
        }
    }
}
