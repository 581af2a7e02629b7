/* SPDX-License-Identifier: MIT */
#include "base/size.h"
#include "backend/cpu/convolution.h"
#include "backend/cpu/reference.h"

enum { DY, W };

/* `count` channels of one pixel from channel `first` (within its group) on, summed over kh, kw, filters. */
static void sum_channels(const struct convolution *s, const real *dy, const real *w, int64_t n, int64_t ih,
                         int64_t iw, int64_t group, int64_t first, int64_t count, double *sums)
{
    for (int64_t c = 0; c < count; c++) {
        sums[c] = 0;
    }
    for (int64_t kh = 0; kh < s->kernel[0]; kh++) {
        const int64_t oh = convolution_output(s, 0, ih, kh);
        for (int64_t kw = 0; kw < s->kernel[1]; kw++) {
            const int64_t ow = convolution_output(s, 1, iw, kw);
            if (oh < 0 || ow < 0) {
                continue;
            }
            for (int64_t o = group * s->o_group; o < (group + 1) * s->o_group; o++) {
                const double slope = (double)dy[convolution_y(s, n, oh, ow) + o];
                const real *const tap = w + convolution_w(s, o, kh, kw) + first;
                for (int64_t c = 0; c < count; c++) {
                    sums[c] += slope * (double)tap[c];
                }
            }
        }
    }
}

void REFERENCE(conv2d_grad_input)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct convolution s =
        convolution_of(call, &call->out[0].shape, &call->in[W].shape, &call->in[DY].shape);
    real *const dx = args->out[0];
    double sums[CONVOLUTION_BLOCK];
    for (int64_t pixel = 0; pixel < s.n * s.in[0] * s.in[1]; pixel++) {
        const int64_t n = pixel / (s.in[0] * s.in[1]);
        const int64_t ih = pixel / s.in[1] % s.in[0];
        const int64_t iw = pixel % s.in[1];
        for (int64_t group = 0; group < s.attributes->groups; group++) {
            for (int64_t first = 0; first < s.c_group; first += CONVOLUTION_BLOCK) {
                const int64_t count = graft_min_i64(CONVOLUTION_BLOCK, s.c_group - first);
                sum_channels(&s, args->in[DY], args->in[W], n, ih, iw, group, first, count, sums);
                real *const to = dx + pixel * s.c + group * s.c_group + first;
                for (int64_t c = 0; c < count; c++) {
                    reference_store(call, 0, &to[c], sums[c]);
                }
            }
        }
    }
}
