/* SPDX-License-Identifier: MIT */
/* Convolution as an implicit matrix product: see correlate.h. */
#include "backend/cpu/fast/correlate.h"

#include "backend/cpu/fast/common.h"

/* What a thread's caches hold of the input while it works on one item. */
#define BAND_FLOATS (192 * 1024)
#define BLOCK_FLOATS (96 * 1024)
#define MOST_TILES 64

static int64_t sum_length(const struct fast_correlation *plan)
{
    return plan->y.taps * plan->x.taps * plan->c;
}

int64_t FAST(correlation_packed)(const struct fast_correlation *correlation)
{
    return correlation->groups * FAST(packed_floats)(sum_length(correlation), correlation->o);
}

static bool leaves_input(const struct fast_axis *axis)
{
    return axis->first < 0 ||
           (axis->out - 1) * axis->stride + axis->first + (axis->taps - 1) * axis->step >= axis->in;
}

/* With one tap the band holds just the pixels that are used. */
static int64_t band_stride(const struct fast_axis *axis)
{
    return axis->taps > 1 ? axis->stride : 1;
}

static int64_t band_length(const struct fast_axis *axis, int64_t outputs)
{
    return (outputs - 1) * band_stride(axis) + (axis->taps > 0 ? axis->taps - 1 : 0) * axis->step + 1;
}

/* 1×1 without stride and padding: all pixels of all images are one row. */
static void flatten(struct fast_correlation *plan)
{
    const struct fast_axis *const y = &plan->y;
    const struct fast_axis *const x = &plan->x;
    if (y->taps * x->taps != 1 || y->stride != 1 || x->stride != 1 || y->first || x->first ||
        y->in != y->out || x->in != x->out || y->out_step != 1 || x->out_step != 1)
        return;
    plan->x.in = plan->x.out = plan->out_size[1] = plan->images * y->in * x->in;
    plan->y.in = plan->y.out = plan->out_size[0] = plan->images = 1;
}

int64_t FAST(correlation_band)(const struct fast_correlation *plan, int64_t strips, int64_t pixels)
{
    /* Each image touched has its own band. */
    const int64_t images = graft_min_i64((strips - 1) / graft_max_i64(plan->y.out, 1) + 2, strips);
    const int64_t rows = strips * band_stride(&plan->y) + images * band_length(&plan->y, 1);
    return rows * band_length(&plan->x, pixels) * plan->pixel_pitch;
}

void FAST(correlation_layout)(struct fast_correlation *plan)
{
    flatten(plan);
    /* Taps side by side are one run of the sum: where pixels lie apart, too, after a copy. */
    const bool parted = plan->groups == 1 && plan->in_pitch != plan->c && plan->x.taps > 1;
    plan->copy = leaves_input(&plan->y) || leaves_input(&plan->x) || parted ||
                 (!plan->packs && plan->x.stride * plan->in_pitch % FAST_BAD_ROW_PITCH == 0);
    plan->pixel_pitch = plan->c;
    if (!plan->packs && band_stride(&plan->x) * plan->c % FAST_BAD_ROW_PITCH == 0)
        plan->pixel_pitch += FAST_PITCH_EXTRA;
}

void FAST(correlation_plan)(struct fast_correlation *plan, int threads)
{
    FAST(correlation_layout)(plan);
    const int64_t k = sum_length(plan);
    if (k == 0)
        plan->copy = false;
    const int64_t strips = plan->images * plan->y.out;
    const int64_t wanted = graft_ceil_div(4 * threads, plan->groups);
    const int64_t per_pixel = band_stride(&plan->y) * band_stride(&plan->x) * plan->pixel_pitch;
    int64_t most = graft_min_i64(BAND_FLOATS / per_pixel,
                                 BLOCK_FLOATS / graft_max_i64(graft_min_i64(k, FAST_BLOCK_K), 1));
    most = graft_max_i64(graft_min_i64(most, MOST_TILES * FAST_ROWS), 4 * FAST_ROWS);
    const int64_t widest = plan->copy && plan->y.taps > 1 ? graft_min_i64(most, 8 * FAST_ROWS) : most;
    plan->pixels =
        fast_block(plan->x.out, FAST_ROWS, widest, graft_ceil_div(wanted, graft_max_i64(strips, 1)));
    plan->pixel_blocks = graft_ceil_div(plan->x.out, plan->pixels);
    plan->pixels = graft_min_i64(plan->pixels, graft_max_i64(plan->x.out, 1));
    const int64_t tiles = graft_ceil_div(plan->pixels, FAST_ROWS);
    plan->strips =
        fast_block(strips, 1, graft_min_i64(graft_max_i64(most / plan->pixels, 1), MOST_TILES / tiles),
                   graft_ceil_div(wanted, graft_max_i64(plan->pixel_blocks, 1)));
    plan->strip_blocks = graft_ceil_div(strips, plan->strips);
    plan->columns =
        fast_block(plan->o, FAST_COLUMNS, plan->o + FAST_COLUMNS,
                   graft_ceil_div(wanted, graft_max_i64(plan->pixel_blocks * plan->strip_blocks, 1)));
    plan->column_blocks = graft_ceil_div(plan->o, plan->columns);

    uint64_t used = 0;
    fast_take(&used, (uint64_t)(plan->strips * tiles + 1) * sizeof(struct fast_tile));
    const int64_t segments = plan->y.taps * plan->x.taps * (plan->c / FAST_BLOCK_K + 2);
    plan->segments_at = fast_take(&used, (uint64_t)segments * sizeof(struct fast_segment));
    const int64_t band = FAST(correlation_band)(plan, plan->strips, plan->pixels);
    plan->band_at = fast_take(&used, plan->copy ? (uint64_t)band * sizeof(float) : 0);
    plan->scratch_bytes = used;
}

/* Copies one row of the band; `from` is input row `y` of the image, outside ones are 0. */
static void copy_row(const struct fast_correlation *plan, float *to, const float *image, int64_t y, int64_t x,
                     int64_t length)
{
    const int64_t in_pitch = plan->in_pitch;
    const int64_t pitch = plan->pixel_pitch;
    const int64_t step = plan->x.taps > 1 ? 1 : plan->x.stride;
    if (y < 0 || y >= plan->y.in) {
        memset(to, 0, (size_t)(length * pitch) * sizeof(float));
        return;
    }
    /* Pixels before the input, inside, behind. */
    const int64_t before = x < 0 ? graft_min_i64(graft_ceil_div(-x, step), length) : 0;
    const int64_t end = graft_max_i64(graft_min_i64(graft_ceil_div(plan->x.in - x, step), length), before);
    memset(to, 0, (size_t)(before * pitch) * sizeof(float));
    const float *const from = image + (y * plan->x.in + x) * in_pitch;
    if (step == 1 && pitch == in_pitch)
        memcpy(to + before * pitch, from + before * in_pitch,
               (size_t)((end - before) * pitch) * sizeof(float));
    else
        for (int64_t i = before; i < end; i++)
            memcpy(to + i * pitch, from + i * step * in_pitch, (size_t)plan->c * sizeof(float));
    memset(to + end * pitch, 0, (size_t)((length - end) * pitch) * sizeof(float));
}

struct fast_view FAST(correlation_view)(const struct fast_correlation *plan, const float *input,
                                        int64_t group, int64_t image, int64_t y, int64_t rows, int64_t x,
                                        int64_t pixels, float **band)
{
    const int64_t pitch = plan->in_pitch;
    const float *const in = input + image * plan->y.in * plan->x.in * pitch + group * plan->c;
    const int64_t first_y = y * plan->y.stride + plan->y.first;
    const int64_t first_x = x * plan->x.stride + plan->x.first;
    if (!plan->copy) {
        return (struct fast_view){in + (first_y * plan->x.in + first_x) * pitch, plan->x.in * pitch, pitch,
                                  plan->y.stride, plan->x.stride};
    }
    const int64_t length = band_length(&plan->x, pixels);
    const int64_t lines = band_length(&plan->y, rows);
    const int64_t step = plan->y.taps > 1 ? 1 : plan->y.stride;
    const ptrdiff_t row = length * plan->pixel_pitch;
    float *const to = *band;
    for (int64_t line = 0; line < lines; line++)
        copy_row(plan, to + line * row, in, first_y + line * step, first_x, length);
    *band = to + lines * row;
    return (struct fast_view){to, row, plan->pixel_pitch, band_stride(&plan->y), band_stride(&plan->x)};
}

/* The taps as runs of k; a row of taps is one run where its pixels are neighbours in memory. */
static int64_t list_segments(const struct fast_correlation *plan, const struct fast_view *view,
                             struct fast_segment *segments)
{
    const bool joined = plan->x.step == 1 && view->pixel == plan->c;
    const int64_t runs = joined ? 1 : plan->x.taps;
    const int64_t k = joined ? plan->x.taps * plan->c : plan->c;
    int64_t count = 0;
    for (int64_t ty = 0; ty < plan->y.taps; ty++) {
        for (int64_t run = 0; run < runs; run++) {
            const struct fast_segment segment = {
                ty * plan->y.step * view->row + run * plan->x.step * view->pixel,
                (ty * runs + run) * k * FAST_COLUMNS,
                k,
            };
            count = FAST(cut)(segments, count, segment, 1, FAST_COLUMNS, FAST_BLOCK_K);
        }
    }
    return count;
}

static void item(void *argument, int64_t item, int thread)
{
    const struct fast_correlation_run *const run = argument;
    const struct fast_correlation *const plan = run->plan;
    const int64_t column = item % plan->column_blocks * plan->columns;
    item /= plan->column_blocks;
    const int64_t x = item % plan->pixel_blocks * plan->pixels;
    item /= plan->pixel_blocks;
    const int64_t first = item % plan->strip_blocks * plan->strips;
    const int64_t group = item / plan->strip_blocks;
    const int64_t pixels = graft_min_i64(plan->pixels, plan->x.out - x);
    const int64_t last = graft_min_i64(first + plan->strips, plan->images * plan->y.out);

    char *const scratch = run->scratch + (uint64_t)thread * plan->scratch_bytes;
    struct fast_tile *const tiles = (struct fast_tile *)scratch;
    float *band = (float *)(scratch + plan->band_at);
    const ptrdiff_t c_row = plan->x.out_step * plan->out_pitch;
    struct fast_view view = {0};
    int n_tiles = 0;
    for (int64_t strip = first; strip < last;) {
        const int64_t image = strip / plan->y.out;
        const int64_t y = strip % plan->y.out;
        const int64_t rows = graft_min_i64(plan->y.out - y, last - strip);
        view = FAST(correlation_view)(plan, run->in, group, image, y, rows, x, pixels, &band);
        for (int64_t row = 0; row < rows; row++) {
            const int64_t out_y = (y + row) * plan->y.out_step + plan->y.out_first;
            const int64_t out_x = x * plan->x.out_step + plan->x.out_first;
            const int64_t at = (image * plan->out_size[0] + out_y) * plan->out_size[1] + out_x;
            n_tiles = FAST(tile_rows)(tiles, n_tiles, view.origin + row * view.y_stride * view.row,
                                      view.x_stride * view.pixel, at * plan->out_pitch, c_row, pixels);
        }
        strip += rows;
    }

    struct fast_segment *const segments = (struct fast_segment *)(scratch + plan->segments_at);
    const int64_t output = group * plan->o + column;
    const int64_t k = sum_length(plan);
    const struct fast_product product = {
        .tiles = tiles,
        .n_tiles = n_tiles,
        .a_row = view.x_stride * view.pixel,
        .a_k = 1,
        .segments = segments,
        .n_segments = list_segments(plan, &view, segments),
        .block_k = FAST_BLOCK_K,
        .b = run->b + group * FAST(packed_floats)(k, plan->o) + column * k,
        .b_k = FAST_COLUMNS,
        .b_panel = k * FAST_COLUMNS,
        .c = run->out + output,
        .c_row = c_row,
        .columns = graft_min_i64(plan->columns, plan->o - column),
        .bias = run->bias ? run->bias + output : NULL,
        .residual = run->residual ? run->residual + output : NULL,
        .accumulate = run->accumulate,
        .activation = run->activation,
    };
    FAST(sweep)(&product);
}

void FAST(correlation_run)(const struct fast_correlation_run *run, struct graft_pool *pool)
{
    const struct fast_correlation *const plan = run->plan;
    graft_pool_run(pool, plan->groups * plan->strip_blocks * plan->pixel_blocks * plan->column_blocks, item,
                   (void *)run);
}
