/* SPDX-License-Identifier: MIT */
#include "backend/cpu/convolution.h"
#include "backend/cpu/reference.h"

enum { X, W, BIAS, RESIDUAL };

/* One output element before bias, residual and activation. */
static double convolve(const struct convolution *s, const real *x, const real *w, int64_t n, int64_t oh,
                       int64_t ow, int64_t o)
{
    const int64_t first = o / s->o_group * s->c_group; /* channel of x */
    double sum = 0;
    for (int64_t kh = 0; kh < s->kernel[0]; kh++) {
        const int64_t ih = convolution_input(s, 0, oh, kh);
        for (int64_t kw = 0; kw < s->kernel[1]; kw++) {
            const int64_t iw = convolution_input(s, 1, ow, kw);
            if (ih < 0 || iw < 0) {
                continue;
            }
            const real *const pixel = x + convolution_x(s, n, ih, iw) + first;
            const real *const tap = w + convolution_w(s, o, kh, kw);
            for (int64_t c = 0; c < s->c_group; c++) {
                sum += (double)pixel[c] * (double)tap[c];
            }
        }
    }
    return sum;
}

void REFERENCE(conv2d)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct convolution s =
        convolution_of(call, &call->in[X].shape, &call->in[W].shape, &call->out[0].shape);
    const real *const bias = args->in[BIAS];
    const real *const residual = args->in[RESIDUAL];
    real *const y = args->out[0];
    for (int64_t n = 0; n < s.n; n++) {
        for (int64_t oh = 0; oh < s.out[0]; oh++) {
            for (int64_t ow = 0; ow < s.out[1]; ow++) {
                for (int64_t o = 0; o < s.o; o++) {
                    const int64_t at = convolution_y(&s, n, oh, ow) + o;
                    double value = convolve(&s, args->in[X], args->in[W], n, oh, ow, o);
                    value += bias != NULL ? (double)bias[o] : 0;
                    value += residual != NULL ? (double)residual[at] : 0;
                    reference_store(call, 0, &y[at], reference_activate(s.attributes->activation, value));
                }
            }
        }
    }
}
