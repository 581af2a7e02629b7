/* SPDX-License-Identifier: MIT */
#include "base/size.h"
#include "backend/cpu/convolution.h"
#include "backend/cpu/reference.h"

enum { X, DY };

/* `count` channels of one tap of filter o from channel `first` (within its group) on, summed over n, oh, ow.
 */
static void sum_channels(const struct convolution *s, const real *x, const real *dy, int64_t o, int64_t kh,
                         int64_t kw, int64_t first, int64_t count, double *sums)
{
    const int64_t channel = o / s->o_group * s->c_group + first;
    for (int64_t c = 0; c < count; c++) {
        sums[c] = 0;
    }
    for (int64_t n = 0; n < s->n; n++) {
        for (int64_t oh = 0; oh < s->out[0]; oh++) {
            const int64_t ih = convolution_input(s, 0, oh, kh);
            for (int64_t ow = 0; ow < s->out[1]; ow++) {
                const int64_t iw = convolution_input(s, 1, ow, kw);
                if (ih < 0 || iw < 0) {
                    continue;
                }
                const double slope = (double)dy[convolution_y(s, n, oh, ow) + o];
                const real *const pixel = x + convolution_x(s, n, ih, iw) + channel;
                for (int64_t c = 0; c < count; c++) {
                    sums[c] += slope * (double)pixel[c];
                }
            }
        }
    }
}

void REFERENCE(conv2d_grad_weight)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct convolution s =
        convolution_of(call, &call->in[X].shape, &call->out[0].shape, &call->in[DY].shape);
    real *const dw = args->out[0];
    double sums[CONVOLUTION_BLOCK];
    for (int64_t o = 0; o < s.o; o++) {
        for (int64_t kh = 0; kh < s.kernel[0]; kh++) {
            for (int64_t kw = 0; kw < s.kernel[1]; kw++) {
                for (int64_t first = 0; first < s.c_group; first += CONVOLUTION_BLOCK) {
                    const int64_t count = graft_min_i64(CONVOLUTION_BLOCK, s.c_group - first);
                    sum_channels(&s, args->in[X], args->in[DY], o, kh, kw, first, count, sums);
                    real *const to = dw + convolution_w(&s, o, kh, kw) + first;
                    for (int64_t c = 0; c < count; c++) {
                        reference_store(call, 0, &to[c], sums[c]);
                    }
                }
            }
        }
    }
}
