/* SPDX-License-Identifier: MIT */
/*
 * The bound of Winograd's F(4×4, 3×3): Y = Aᵀ [ Σ_c (G g Gᵀ) ⊙ (Bᵀ d B) ] A, a patch d of 6×6 giving 4×4
 * outputs.
 *
 * Its roundings are not those of the sum Σ a·b of one output: each transformed value mixes the whole patch,
 * and large parts cancel in the last step. So the summands of an output are those of the algorithm: the
 * magnitude is |Aᵀ| [ Σ_c (|G||g||Gᵀ|) ⊙ (|Bᵀ||d||B|) ] |A|, with the matrices of the points 0, ±√½, ±√2 and
 * infinity, which round best among simple ones; a variant with other points must keep to the same bound. The
 * summands of an element are its channels and the additions of the transforms (2·3 of the patch, 2·2 of the
 * filter, 2·5 of the sums, and 4 of bias, residual, prior and product).
 *
 * The gradient by the filters is the transpose of that: Gᵀ [ Σ_tiles (A dY Aᵀ) ⊙ (Bᵀ d B) ] G, with the
 * magnitude |Gᵀ| [ Σ (|A||dY||Aᵀ|) ⊙ (|Bᵀ||d||B|) ] |G|; its summands are the tiles.
 *
 * The matrices hold irrational fractions, so there is no exact tier.
 */
#include "tolerance.h"

#include <math.h>
#include <string.h>

#define TILE 4
#define PATCH 6
#define TRANSFORM_TERMS 24
#define FACTOR 4 /* c, as that of conv2d */

#define R 0.70710678118654752 /* √½ */
#define S 1.41421356237309505 /* √2 */

static const double patch_matrix[PATCH][PATCH] = {
    /* |Bᵀ| */
    {1, 0, 2.5, 0, 1, 0},       {0, 2 * R, 2, R, 1, 0},     {0, 2 * R, 2, R, 1, 0},
    {0, 0.5 * S, 0.5, S, 1, 0}, {0, 0.5 * S, 0.5, S, 1, 0}, {0, 1, 0, 2.5, 0, 1},
};
static const double filter_matrix[PATCH][3] = {
    /* |G| */
    {1, 0, 0},
    {1 / 1.5, R / 1.5, 0.5 / 1.5},
    {1 / 1.5, R / 1.5, 0.5 / 1.5},
    {1 / 6.0, S / 6, 2 / 6.0},
    {1 / 6.0, S / 6, 2 / 6.0},
    {0, 0, 1},
};
static const double output_matrix[TILE][PATCH] = {
    /* |Aᵀ| */
    {1, 1, 1, 1, 1, 0},
    {0, R, R, S, S, 0},
    {0, 0.5, 0.5, 2, 2, 0},
    {0, 0.5 * R, 0.5 * R, 2 * S, 2 * S, 1},
};

/* result[rows][rows] = m · from[columns][columns] · mᵀ, m with `columns` columns. */
static void sandwich(const double *m, int rows, int columns, const double *from, double *result)
{
    double half[PATCH * PATCH]; /* [rows][columns] */
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            half[i * columns + j] = 0;
            for (int k = 0; k < columns; k++) {
                half[i * columns + j] += m[i * columns + k] * from[k * columns + j];
            }
        }
    }
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < rows; j++) {
            result[i * rows + j] = 0;
            for (int k = 0; k < columns; k++) {
                result[i * rows + j] += half[i * columns + k] * m[j * columns + k];
            }
        }
    }
}

/* result[columns][columns] = mᵀ · from[rows][rows] · m. */
static void sandwich_transposed(const double *m, int rows, int columns, const double *from, double *result)
{
    double turned[PATCH * PATCH];
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            turned[j * rows + i] = m[i * columns + j];
        }
    }
    sandwich(turned, columns, rows, from, result);
}

/* The convolution of stride 1 that the call is: of x, or backward of dy with the filters turned. */
struct convolution {
    bool backward;
    int64_t n, in[2], out[2], first[2], channels, filters;
    const double *x;
    const double *w; /* [o, 3, 3, c] of the forward convolution */
};

static struct convolution convolution_of(const struct graft_truth *truth)
{
    const struct graft_call *const call = &truth->call;
    const struct graft_shape *const x = &call->in[0].shape;
    const struct graft_shape *const y = &call->out[0].shape;
    struct convolution s = {.backward = call->op == GRAFT_OP_CONV2D_GRAD_INPUT, .n = x->dim[0]};
    for (int i = 0; i < 2; i++) {
        const int64_t pad = call->attributes.conv2d.pad[2 * i];
        s.in[i] = x->dim[1 + i];
        s.out[i] = y->dim[1 + i];
        s.first[i] = s.backward ? pad - 2 : -pad;
    }
    s.channels = x->dim[3];
    s.filters = y->dim[3];
    s.x = truth->inputs.in[0];
    s.w = truth->inputs.in[1];
    return s;
}

/* |G||g||Gᵀ| of all filters and channels: [filters][channels][6 × 6]. */
static double *filters_of(struct graft_heap *heap, const struct convolution *s)
{
    double *const filters =
        graft_heap_get(heap, (size_t)(s->filters * s->channels) * PATCH * PATCH, sizeof(double));
    for (int64_t o = 0; o < s->filters; o++) {
        for (int64_t c = 0; c < s->channels; c++) {
            double taps[9];
            for (int t = 0; t < 9; t++) {
                taps[t] = fabs(s->backward ? s->w[(c * 9 + 8 - t) * s->filters + o]
                                           : s->w[(o * 9 + t) * s->channels + c]);
            }
            sandwich(&filter_matrix[0][0], PATCH, 3, taps, filters + (o * s->channels + c) * PATCH * PATCH);
        }
    }
    return filters;
}

/* |Bᵀ||d||B| of the patch of outputs (y, x) on: [channels][6 × 6]. */
static void transform_patch(const struct convolution *s, int64_t n, int64_t y, int64_t x, double *patches)
{
    for (int64_t c = 0; c < s->channels; c++) {
        double patch[PATCH * PATCH];
        for (int i = 0; i < PATCH * PATCH; i++) {
            const int64_t ih = y + s->first[0] + i / PATCH;
            const int64_t iw = x + s->first[1] + i % PATCH;
            const bool inside = ih >= 0 && ih < s->in[0] && iw >= 0 && iw < s->in[1];
            patch[i] = inside ? fabs(s->x[((n * s->in[0] + ih) * s->in[1] + iw) * s->channels + c]) : 0;
        }
        sandwich(&patch_matrix[0][0], PATCH, PATCH, patch, patches + c * PATCH * PATCH);
    }
}

static void add_tile(const struct convolution *s, const double *filters, const double *patches, int64_t n,
                     int64_t y, int64_t x, double *magnitude)
{
    for (int64_t o = 0; o < s->filters; o++) {
        double sums[PATCH * PATCH] = {0};
        double outputs[TILE * TILE];
        for (int64_t c = 0; c < s->channels; c++) {
            const double *const filter = filters + (o * s->channels + c) * PATCH * PATCH;
            for (int i = 0; i < PATCH * PATCH; i++) {
                sums[i] += filter[i] * patches[c * PATCH * PATCH + i];
            }
        }
        sandwich(&output_matrix[0][0], TILE, PATCH, sums, outputs);
        for (int i = 0; i < TILE * TILE; i++) {
            const int64_t oh = y + i / TILE;
            const int64_t ow = x + i % TILE;
            if (oh < s->out[0] && ow < s->out[1]) {
                magnitude[((n * s->out[0] + oh) * s->out[1] + ow) * s->filters + o] += outputs[i];
            }
        }
    }
}

/* Bias, residual and prior contents count as they are. */
static void add_epilogue(const struct graft_truth *truth, const struct convolution *s, double *magnitude)
{
    const bool forward = !s->backward;
    const double *const bias = forward && truth->call.n_inputs > 2 ? truth->inputs.in[2] : NULL;
    const double *const residual = forward && truth->call.n_inputs > 3 ? truth->inputs.in[3] : NULL;
    for (int64_t i = 0; i < truth->results[0].count; i++) {
        magnitude[i] += bias != NULL ? fabs(bias[i % s->filters]) : 0;
        magnitude[i] += residual != NULL ? fabs(residual[i]) : 0;
        magnitude[i] += truth->prior[0] != NULL ? fabs(truth->prior[0][i]) : 0;
    }
}

/* |A||dY||Aᵀ| of the tile of outputs (y, x) on: [filters][6 × 6]. */
static void transform_gradients(const struct convolution *s, const double *dy, int64_t n, int64_t y,
                                int64_t x, double *gradients)
{
    for (int64_t o = 0; o < s->filters; o++) {
        double tile[TILE * TILE];
        for (int i = 0; i < TILE * TILE; i++) {
            const int64_t oh = y + i / TILE;
            const int64_t ow = x + i % TILE;
            const bool inside = oh < s->out[0] && ow < s->out[1];
            tile[i] = inside ? fabs(dy[((n * s->out[0] + oh) * s->out[1] + ow) * s->filters + o]) : 0;
        }
        sandwich_transposed(&output_matrix[0][0], TILE, PATCH, tile, gradients + o * PATCH * PATCH);
    }
}

/* Adds the magnitudes of dw [filters, 3, 3, channels]; returns the number of tiles. */
static int64_t add_filter_gradient(struct graft_heap *heap, const struct graft_truth *truth,
                                   double *magnitude)
{
    const struct graft_shape *const x = &truth->call.in[0].shape;
    const struct graft_shape *const dy = &truth->call.in[1].shape;
    struct convolution s = {.n = x->dim[0], .channels = x->dim[3], .filters = dy->dim[3]};
    s.x = truth->inputs.in[0];
    for (int i = 0; i < 2; i++) {
        s.in[i] = x->dim[1 + i];
        s.out[i] = dy->dim[1 + i];
        s.first[i] = -truth->call.attributes.conv2d.pad[2 * i];
    }
    const size_t pairs = (size_t)(s.filters * s.channels);
    double *const patches = graft_heap_get(heap, (size_t)s.channels * PATCH * PATCH, sizeof(double));
    double *const gradients = graft_heap_get(heap, (size_t)s.filters * PATCH * PATCH, sizeof(double));
    double *const sums = graft_heap_get(heap, pairs * PATCH * PATCH, sizeof(double));
    int64_t tiles = 0;
    for (int64_t n = 0; n < s.n; n++) {
        for (int64_t y = 0; y < s.out[0]; y += TILE) {
            for (int64_t left = 0; left < s.out[1]; left += TILE, tiles++) {
                transform_patch(&s, n, y, left, patches);
                transform_gradients(&s, truth->inputs.in[1], n, y, left, gradients);
                for (size_t i = 0; i < pairs * PATCH * PATCH; i++) {
                    const size_t point = i % (PATCH * PATCH), pair = i / (PATCH * PATCH);
                    sums[i] += gradients[pair / (size_t)s.channels * PATCH * PATCH + point] *
                               patches[pair % (size_t)s.channels * PATCH * PATCH + point];
                }
            }
        }
    }
    for (int64_t pair = 0; pair < (int64_t)pairs; pair++) {
        double taps[9];
        sandwich_transposed(&filter_matrix[0][0], PATCH, 3, sums + pair * PATCH * PATCH, taps);
        for (int t = 0; t < 9; t++) {
            magnitude[(pair / s.channels * 9 + t) * s.channels + pair % s.channels] += taps[t];
        }
    }
    for (int64_t i = 0; truth->prior[0] != NULL && i < truth->results[0].count; i++) {
        magnitude[i] += fabs(truth->prior[0][i]);
    }
    return tiles;
}

/* Adds the magnitudes of outputs; returns the number of channels. */
static int64_t add_outputs(struct graft_heap *heap, const struct graft_truth *truth, double *magnitude)
{
    const struct convolution s = convolution_of(truth);
    const double *const filters = filters_of(heap, &s);
    double *const patches = graft_heap_get(heap, (size_t)s.channels * PATCH * PATCH, sizeof(double));
    for (int64_t n = 0; n < s.n; n++) {
        for (int64_t y = 0; y < s.out[0]; y += TILE) {
            for (int64_t x = 0; x < s.out[1]; x += TILE) {
                transform_patch(&s, n, y, x, patches);
                add_tile(&s, filters, patches, n, y, x, magnitude);
            }
        }
    }
    add_epilogue(truth, &s, magnitude);
    return s.channels;
}

bool graft_tolerance_winograd(struct graft_heap *heap, struct graft_truth *truth)
{
    struct graft_result *const result = &truth->results[0];
    for (int64_t i = 0; i < result->count; i++) {
        if (!isfinite(result->wanted[i])) {
            return false; /* a NaN or Inf goes into its whole tile */
        }
    }
    double *const tolerance = graft_heap_get(heap, (size_t)result->count, sizeof(double));
    const int64_t summands = truth->call.op == GRAFT_OP_CONV2D_GRAD_WEIGHT
                                 ? add_filter_gradient(heap, truth, tolerance)
                                 : add_outputs(heap, truth, tolerance);
    const double terms = (double)summands + TRANSFORM_TERMS;
    for (int64_t i = 0; i < result->count; i++) {
        tolerance[i] = FACTOR * 0x1p-24 * sqrt(terms) * tolerance[i] + terms * 0x1p-125;
    }
    result->tolerance = tolerance;
    graft_tolerance_activate(heap, truth);
    return true;
}
