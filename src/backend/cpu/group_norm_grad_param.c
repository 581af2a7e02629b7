/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"

enum { X, DY, STATS };

void REFERENCE(group_norm_grad_param)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_group_layout layout =
        graft_group_layout_of(&call->in[X].shape, call->attributes.group_norm.groups);
    const real *const x = args->in[X];
    const real *const dy = args->in[DY];
    const real *const stats = args->in[STATS];
    for (int64_t c = 0; c < layout.channels; c++) {
        double products = 0;
        double sum = 0;
        for (int64_t n = 0; n < layout.images; n++) {
            const real *const of_group = stats + 2 * (n * layout.groups + c / layout.width);
            for (int64_t p = 0; p < layout.pixels; p++) {
                const int64_t at = (n * layout.pixels + p) * layout.channels + c;
                products += (double)dy[at] * ((double)x[at] - (double)of_group[0]) * (double)of_group[1];
                sum += (double)dy[at];
            }
        }
        if (args->out[0] != NULL) {
            reference_store(call, 0, (real *)args->out[0] + c, products);
        }
        if (args->out[1] != NULL) {
            reference_store(call, 1, (real *)args->out[1] + c, sum);
        }
    }
}
