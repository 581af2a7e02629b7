/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"

enum { X, GAMMA, BETA };
enum { Y, STATS };

void REFERENCE(group_norm)(const struct graft_cpu_args *args)
{
    const struct graft_group_norm_attributes *const a = &args->call->attributes.group_norm;
    const struct graft_group_layout layout = graft_group_layout_of(&args->call->in[X].shape, a->groups);
    const double count = (double)(layout.pixels * layout.width);
    const real *const gamma = args->in[GAMMA];
    const real *const beta = args->in[BETA];
    real *const stats = args->out[STATS];
    for (int64_t row = 0; row < layout.images * layout.groups; row++) {
        const int64_t first = row % layout.groups * layout.width;
        const int64_t begin = row / layout.groups * layout.pixels * layout.channels;
        const real *const x = (const real *)args->in[X] + begin;
        double mean = 0;
        double var = 0;
        for (int64_t p = 0; p < layout.pixels; p++) {
            for (int64_t c = first; c < first + layout.width; c++) {
                mean += (double)x[p * layout.channels + c];
            }
        }
        mean /= count;
        for (int64_t p = 0; p < layout.pixels; p++) {
            for (int64_t c = first; c < first + layout.width; c++) {
                const double distance = (double)x[p * layout.channels + c] - mean;
                var += distance * distance;
            }
        }
        const double rstd = 1 / sqrt(var / count + (double)a->epsilon);
        for (int64_t p = 0; args->out[Y] != NULL && p < layout.pixels; p++) {
            for (int64_t c = first; c < first + layout.width; c++) {
                const int64_t at = p * layout.channels + c;
                real *const y = (real *)args->out[Y] + begin;
                y[at] = (real)(((double)x[at] - mean) * rstd * (double)gamma[c] + (double)beta[c]);
            }
        }
        if (stats != NULL) {
            stats[2 * row] = (real)mean;
            stats[2 * row + 1] = (real)rstd;
        }
    }
}
