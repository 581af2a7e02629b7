/* SPDX-License-Identifier: MIT */
/* The transforms of F(4×4, 3×3), vectors along channels: see winograd.h. */
#include "backend/cpu/fast/activate.h"
#include "backend/cpu/fast/winograd.h"

#include "backend/cpu/fast/gemm.h"
#include "base/size.h"

#define POINT_A 0.70710678118654752f /* √½ */
#define POINT_B 1.41421356237309505f /* √2 */

/* Where a tile of outputs is, and how much of it exists. */
struct place {
    int64_t image, y, x;
    int size[2]; /* rows and columns */
};

static struct place place_of(const struct fast_winograd *w, int64_t tile)
{
    const int64_t in_image = tile % (w->tiles[0] * w->tiles[1]);
    struct place place = {.image = tile / (w->tiles[0] * w->tiles[1]),
                          .y = in_image / w->tiles[1] * WINOGRAD_TILE,
                          .x = in_image % w->tiles[1] * WINOGRAD_TILE};
    place.size[0] = (int)graft_min_i64(w->out[0] - place.y, WINOGRAD_TILE);
    place.size[1] = (int)graft_min_i64(w->out[1] - place.x, WINOGRAD_TILE);
    return place;
}

/* Asks for a vector of the tile to the right, so that it comes into the second-level cache while this one is
 * transformed: the hardware does not follow from pixel to pixel. */
FAST_INLINE void ask_for(const float *first, int64_t row, int64_t pixel, int rows, const bool to_write)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < WINOGRAD_TILE; j++) {
            const float *const at = first + i * row + j * pixel;
            if (to_write)
                __builtin_prefetch(at, 1, 2);
            else
                __builtin_prefetch(at, 0, 2);
        }
}

/* Bᵀ d: six values a step apart. */
FAST_INLINE void transform_patch(const vec d[WINOGRAD_PATCH], vec r[WINOGRAD_PATCH])
{
    const vec even_a = d[4] - vec_set(2) * d[2];
    const vec odd_a = vec_set(POINT_A) * (d[3] - vec_set(2) * d[1]);
    const vec even_b = d[4] - vec_set(0.5f) * d[2];
    const vec odd_b = vec_set(POINT_B) * (d[3] - vec_set(0.5f) * d[1]);
    r[0] = d[0] - vec_set(2.5f) * d[2] + d[4];
    r[1] = even_a + odd_a;
    r[2] = even_a - odd_a;
    r[3] = even_b + odd_b;
    r[4] = even_b - odd_b;
    r[5] = d[1] - vec_set(2.5f) * d[3] + d[5];
}

/* Aᵀ m. */
FAST_INLINE void transform_sums(const vec m[WINOGRAD_PATCH], vec r[WINOGRAD_TILE])
{
    const vec even_a = m[1] + m[2];
    const vec odd_a = vec_set(POINT_A) * (m[1] - m[2]);
    const vec even_b = m[3] + m[4];
    const vec odd_b = vec_set(POINT_B) * (m[3] - m[4]);
    r[0] = m[0] + even_a + even_b;
    r[1] = odd_a + odd_b;
    r[2] = vec_set(0.5f) * even_a + vec_set(2) * even_b;
    r[3] = vec_set(0.5f) * odd_a + vec_set(2) * odd_b + m[5];
}

/* G g. */
FAST_INLINE void transform_taps(const vec g[3], vec r[WINOGRAD_PATCH])
{
    const vec even_a = vec_set(-1 / 1.5f) * g[0] + vec_set(-0.5f / 1.5f) * g[2];
    const vec odd_a = vec_set(-POINT_A / 1.5f) * g[1];
    const vec even_b = vec_set(1.0f / 6) * g[0] + vec_set(2.0f / 6) * g[2];
    const vec odd_b = vec_set(POINT_B / 6) * g[1];
    r[0] = g[0];
    r[1] = even_a + odd_a;
    r[2] = even_a - odd_a;
    r[3] = even_b + odd_b;
    r[4] = even_b - odd_b;
    r[5] = g[2];
}

/* One patch at x; rows and columns outside [*_first, *_end) of the patch count as 0. */
FAST_INLINE void patch(const float *x, int64_t row, int64_t pixel, const int y_range[2], const int x_range[2],
                       const bool inside, float *to, int64_t point, int count)
{
    vec columns[WINOGRAD_PATCH][WINOGRAD_PATCH]; /* [x][y] */
    for (int j = 0; j < WINOGRAD_PATCH; j++) {
        vec d[WINOGRAD_PATCH];
        FAST_UNROLL(8)
        for (int i = 0; i < WINOGRAD_PATCH; i++) {
            const bool there =
                inside || (i >= y_range[0] && i < y_range[1] && j >= x_range[0] && j < x_range[1]);
            d[i] = there ? vec_load_count(x + i * row + j * pixel, count) : (vec){0};
        }
        transform_patch(d, columns[j]);
    }
    for (int i = 0; i < WINOGRAD_PATCH; i++) {
        vec d[WINOGRAD_PATCH];
        vec r[WINOGRAD_PATCH];
        FAST_UNROLL(8)
        for (int j = 0; j < WINOGRAD_PATCH; j++)
            d[j] = columns[j][i];
        transform_patch(d, r);
        FAST_UNROLL(8)
        for (int j = 0; j < WINOGRAD_PATCH; j++)
            vec_store_count(to + (i * WINOGRAD_PATCH + j) * point, r[j], count);
    }
}

void FAST(winograd_input)(const struct fast_winograd *w, const float *x, int64_t first, int64_t count,
                          const struct fast_winograd_points *to)
{
    const int64_t row = w->in[1] * w->in_pitch;
    for (int64_t t = 0; t < count; t++) {
        const struct place place = place_of(w, first + t);
        const int64_t y = place.y + w->first[0];
        const int64_t column = place.x + w->first[1];
        const int y_range[2] = {(int)graft_max_i64(-y, 0), (int)graft_min_i64(w->in[0] - y, WINOGRAD_PATCH)};
        const int x_range[2] = {(int)graft_max_i64(-column, 0),
                                (int)graft_min_i64(w->in[1] - column, WINOGRAD_PATCH)};
        const bool inside = y_range[0] == 0 && x_range[0] == 0 && y_range[1] == WINOGRAD_PATCH &&
                            x_range[1] == WINOGRAD_PATCH;
        const float *const from = x + place.image * w->in[0] * row + y * row + column * w->in_pitch;
        float *const data = to->data + t * to->tile;
        const bool ask = column + WINOGRAD_PATCH + WINOGRAD_TILE <= w->in[1];
        int64_t c = 0;
        for (; inside && c + FAST_WIDTH <= w->c; c += FAST_WIDTH) {
            if (ask)
                ask_for(from + WINOGRAD_PATCH * w->in_pitch + c, row, w->in_pitch, WINOGRAD_PATCH, false);
            patch(from + c, row, w->in_pitch, y_range, x_range, true, data + fast_winograd_channel(to, c),
                  to->point, FAST_WIDTH);
        }
        for (; c < w->c; c += FAST_WIDTH)
            patch(from + c, row, w->in_pitch, y_range, x_range, false, data + fast_winograd_channel(to, c),
                  to->point, (int)graft_min_i64(FAST_WIDTH, w->c - c));
    }
}

/* 4×4 outputs of `count` channels; at: index of the first in y. */
FAST_INLINE void outputs(const struct fast_winograd *w, const float *from, int64_t point, int64_t at,
                         int64_t c, const int size[2], const struct fast_winograd_output *output, int count)
{
    vec columns[WINOGRAD_PATCH][WINOGRAD_TILE]; /* [x][y] */
    for (int j = 0; j < WINOGRAD_PATCH; j++) {
        vec m[WINOGRAD_PATCH];
        FAST_UNROLL(8)
        for (int i = 0; i < WINOGRAD_PATCH; i++)
            m[i] = vec_load_count(from + (i * WINOGRAD_PATCH + j) * point, count);
        transform_sums(m, columns[j]);
    }
    const vec bias = output->bias ? vec_load_count(output->bias + c, count) : (vec){0};
    for (int i = 0; i < size[0]; i++) {
        vec m[WINOGRAD_PATCH];
        vec r[WINOGRAD_TILE];
        FAST_UNROLL(8)
        for (int j = 0; j < WINOGRAD_PATCH; j++)
            m[j] = columns[j][i];
        transform_sums(m, r);
        for (int j = 0; j < size[1]; j++) {
            const int64_t index = at + (i * w->out[1] + j) * w->out_pitch + c;
            vec sum = r[j] + bias;
            if (output->residual)
                sum += vec_load_count(output->residual + index, count);
            if (output->activation == GRAFT_UNARY_RELU)
                sum = vec_relu(sum);
            else if (output->activation == GRAFT_UNARY_RELU6)
                sum = vec_relu6(sum);
            if (output->accumulate)
                sum += vec_load_count(output->y + index, count);
            vec_store_count(output->y + index, sum, count);
            if (fast_is_late(output->activation))
                FAST(activate)(output->y + index, count, output->activation);
        }
    }
}

void FAST(winograd_output)(const struct fast_winograd *w, const struct fast_winograd_points *from,
                           int64_t first, int64_t count, const struct fast_winograd_output *output)
{
    for (int64_t t = 0; t < count; t++) {
        const struct place place = place_of(w, first + t);
        const int64_t at = ((place.image * w->out[0] + place.y) * w->out[1] + place.x) * w->out_pitch;
        const float *const data = from->data + t * from->tile;
        float *const next = place.x + 2 * WINOGRAD_TILE <= w->out[1]
                                ? output->y + at + WINOGRAD_TILE * w->out_pitch
                                : NULL;
        int64_t c = 0;
        for (; c + FAST_WIDTH <= w->o; c += FAST_WIDTH) {
            if (next)
                ask_for(next + c, w->out[1] * w->out_pitch, w->out_pitch, place.size[0], true);
            outputs(w, data + c, from->point, at, c, place.size, output, FAST_WIDTH);
        }
        if (c < w->o)
            outputs(w, data + c, from->point, at, c, place.size, output, (int)(w->o - c));
    }
}

/* G g Gᵀ of one filter, `count` channels; tap: floats from tap to tap, negative where the taps are turned. */
FAST_INLINE void filter(const float *g, ptrdiff_t tap, float *to, int64_t point, int count)
{
    vec columns[3][WINOGRAD_PATCH]; /* [x][y] */
    for (int j = 0; j < 3; j++) {
        const vec taps[3] = {vec_load_count(g + j * tap, count), vec_load_count(g + (3 + j) * tap, count),
                             vec_load_count(g + (6 + j) * tap, count)};
        transform_taps(taps, columns[j]);
    }
    for (int i = 0; i < WINOGRAD_PATCH; i++) {
        const vec taps[3] = {columns[0][i], columns[1][i], columns[2][i]};
        vec r[WINOGRAD_PATCH];
        transform_taps(taps, r);
        for (int j = 0; j < WINOGRAD_PATCH; j++)
            vec_store_count(to + (i * WINOGRAD_PATCH + j) * point, r[j], count);
    }
}

void FAST(winograd_filters)(float *to, int64_t point_step, const float *w, int64_t filters, int64_t channels,
                            int64_t first, bool backward, float *scratch)
{
    if (backward) { /* a row of the panel is a filter's channels [first, first + FAST_COLUMNS) */
        const int64_t columns = graft_min_i64(FAST_COLUMNS, channels - first);
        for (int64_t o = 0; o < filters; o++) {
            float *const row = to + o * FAST_COLUMNS;
            for (int64_t j = 0; j < FAST_COLUMNS; j += FAST_WIDTH) {
                const int count = (int)graft_max_i64(graft_min_i64(FAST_WIDTH, columns - j), 0);
                const float *const last = w + (o * 9 + 8) * channels + first + graft_min_i64(j, columns);
                if (count == FAST_WIDTH)
                    filter(last, -channels, row + j, point_step, FAST_WIDTH);
                else
                    filter(last, -channels, row + j, point_step, count);
            }
        }
        return;
    }
    const int64_t columns = graft_min_i64(FAST_COLUMNS, filters - first);
    for (int64_t k = 0; k < channels; k += WINOGRAD_K) { /* [point][filter][k] first, then turned */
        const int64_t length = graft_min_i64(WINOGRAD_K, channels - k);
        const int64_t plane = FAST_COLUMNS * WINOGRAD_K;
        for (int64_t o = 0; o < columns; o++) {
            for (int64_t i = 0; i < length; i += FAST_WIDTH) {
                const int count = (int)graft_min_i64(FAST_WIDTH, length - i);
                const float *const g = w + (first + o) * 9 * channels + k + i;
                if (count == FAST_WIDTH)
                    filter(g, channels, scratch + o * WINOGRAD_K + i, plane, FAST_WIDTH);
                else
                    filter(g, channels, scratch + o * WINOGRAD_K + i, plane, count);
            }
        }
        for (int point = 0; point < WINOGRAD_POINTS; point++)
            FAST(pack_panel)
            (to + point * point_step + k * FAST_COLUMNS, scratch + point * plane, length, columns, 1,
             WINOGRAD_K);
    }
}

/* A d: the transpose of transform_sums. */
FAST_INLINE void transform_gradient(const vec d[WINOGRAD_TILE], vec r[WINOGRAD_PATCH])
{
    const vec even_a = d[0] + vec_set(0.5f) * d[2];
    const vec odd_a = vec_set(POINT_A) * (d[1] + vec_set(0.5f) * d[3]);
    const vec even_b = d[0] + vec_set(2) * d[2];
    const vec odd_b = vec_set(POINT_B) * (d[1] + vec_set(2) * d[3]);
    r[0] = d[0];
    r[1] = even_a + odd_a;
    r[2] = even_a - odd_a;
    r[3] = even_b + odd_b;
    r[4] = even_b - odd_b;
    r[5] = d[3];
}

/* Gᵀ m: the transpose of transform_taps. */
FAST_INLINE void transform_filter_gradient(const vec m[WINOGRAD_PATCH], vec r[3])
{
    const vec even_a = vec_set(1 / 1.5f) * (m[1] + m[2]);
    const vec even_b = vec_set(1.0f / 6) * (m[3] + m[4]);
    r[0] = m[0] - even_a + even_b;
    r[1] = vec_set(POINT_B / 6) * (m[3] - m[4]) - vec_set(POINT_A / 1.5f) * (m[1] - m[2]);
    r[2] = m[5] - vec_set(0.5f) * even_a + vec_set(2) * even_b;
}

/* One tile at dy, of which size[0] × size[1] exists; the rest counts as 0. */
FAST_INLINE void tile_gradient(const float *dy, int64_t row, int64_t pixel, const int size[2],
                               const bool whole, float *to, int64_t point, int count)
{
    vec columns[WINOGRAD_TILE][WINOGRAD_PATCH]; /* [x][y] */
    FAST_UNROLL(4)
    for (int j = 0; j < WINOGRAD_TILE; j++) {
        vec d[WINOGRAD_TILE];
        FAST_UNROLL(4)
        for (int i = 0; i < WINOGRAD_TILE; i++)
            d[i] = whole || (i < size[0] && j < size[1]) ? vec_load_count(dy + i * row + j * pixel, count)
                                                         : (vec){0};
        transform_gradient(d, columns[j]);
    }
    for (int i = 0; i < WINOGRAD_PATCH; i++) {
        const vec d[WINOGRAD_TILE] = {columns[0][i], columns[1][i], columns[2][i], columns[3][i]};
        vec r[WINOGRAD_PATCH];
        transform_gradient(d, r);
        FAST_UNROLL(8)
        for (int j = 0; j < WINOGRAD_PATCH; j++)
            vec_store_count(to + (i * WINOGRAD_PATCH + j) * point, r[j], count);
    }
}

void FAST(winograd_output_gradient)(const struct fast_winograd *w, const float *dy, int64_t first,
                                    int64_t count, const struct fast_winograd_points *to)
{
    const int64_t row = w->out[1] * w->out_pitch;
    for (int64_t t = 0; t < count; t++) {
        const struct place place = place_of(w, first + t);
        const bool whole = place.size[0] == WINOGRAD_TILE && place.size[1] == WINOGRAD_TILE;
        const float *const from = dy + (place.image * w->out[0] + place.y) * row + place.x * w->out_pitch;
        float *const data = to->data + t * to->tile;
        const bool ask = place.x + 2 * WINOGRAD_TILE <= w->out[1];
        int64_t o = 0;
        for (; whole && o + FAST_WIDTH <= w->o; o += FAST_WIDTH) {
            if (ask)
                ask_for(from + WINOGRAD_TILE * w->out_pitch + o, row, w->out_pitch, WINOGRAD_TILE, false);
            tile_gradient(from + o, row, w->out_pitch, place.size, true, data + fast_winograd_channel(to, o),
                          to->point, FAST_WIDTH);
        }
        for (; o < w->o; o += FAST_WIDTH)
            tile_gradient(from + o, row, w->out_pitch, place.size, false, data + fast_winograd_channel(to, o),
                          to->point, (int)graft_min_i64(FAST_WIDTH, w->o - o));
    }
}

void FAST(winograd_filter_gradient)(const float *from, int64_t point, int64_t split, int64_t splits,
                                    int count, vec result[9])
{
    vec columns[WINOGRAD_PATCH][3]; /* [x][y] */
    for (int j = 0; j < WINOGRAD_PATCH; j++) {
        vec m[WINOGRAD_PATCH];
        for (int i = 0; i < WINOGRAD_PATCH; i++) {
            const float *const at = from + (i * WINOGRAD_PATCH + j) * point;
            m[i] = vec_load_count(at, count);
            for (int64_t s = 1; s < splits; s++)
                m[i] += vec_load_count(at + s * split, count);
        }
        transform_filter_gradient(m, columns[j]);
    }
    for (int i = 0; i < 3; i++) {
        vec m[WINOGRAD_PATCH];
        for (int j = 0; j < WINOGRAD_PATCH; j++)
            m[j] = columns[j][i];
        transform_filter_gradient(m, result + 3 * i);
    }
}
