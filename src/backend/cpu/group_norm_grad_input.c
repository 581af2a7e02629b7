/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"

enum { X, DY, GAMMA, STATS };

void REFERENCE(group_norm_grad_input)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_group_layout layout =
        graft_group_layout_of(&call->in[X].shape, call->attributes.group_norm.groups);
    const double count = (double)(layout.pixels * layout.width);
    const real *const gamma = args->in[GAMMA];
    const real *const stats = args->in[STATS];
    for (int64_t row = 0; row < layout.images * layout.groups; row++) {
        const int64_t first = row % layout.groups * layout.width;
        const int64_t begin = row / layout.groups * layout.pixels * layout.channels;
        const real *const x = (const real *)args->in[X] + begin;
        const real *const dy = (const real *)args->in[DY] + begin;
        real *const dx = (real *)args->out[0] + begin;
        const double mean = (double)stats[2 * row];
        const double rstd = (double)stats[2 * row + 1];
        double sum = 0;      /* of g = gamma · dy */
        double products = 0; /* of g · x̂ */
        for (int64_t p = 0; p < layout.pixels; p++) {
            for (int64_t c = first; c < first + layout.width; c++) {
                const int64_t at = p * layout.channels + c;
                const double g = (double)gamma[c] * (double)dy[at];
                sum += g;
                products += g * ((double)x[at] - mean) * rstd;
            }
        }
        for (int64_t p = 0; p < layout.pixels; p++) {
            for (int64_t c = first; c < first + layout.width; c++) {
                const int64_t at = p * layout.channels + c;
                const double g = (double)gamma[c] * (double)dy[at];
                const double normal = ((double)x[at] - mean) * rstd;
                reference_store(call, 0, &dx[at], rstd * (g - sum / count - normal * products / count));
            }
        }
    }
}
