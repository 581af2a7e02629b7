/* SPDX-License-Identifier: MIT */
/*
 * dw[o, kh, kw, c] = sum over n, oh, ow of dy[n, oh, ow, o] · x[n, ih, iw, c].
 *
 * A part is a row of the filter window (all its taps where they are neighbours in memory and few), else one
 * tap. For each part, dw is a matrix product over output positions: columns are the part's width, taps ×
 * channels, rows the filters; or the other way round ("swapped") where the width fills vectors badly.
 *
 * Positions are summed in chunks: dy and, part by part, x are packed position by position, so that the
 * micro-kernel reads without gaps. Small filters are summed in several splits side by side, added in order at
 * the end. Chunks and splits depend on the shapes only.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/thresholds.h"
#include "backend/cpu/fast/correlate.h"

#include <math.h>

#define CHUNK_FLOATS (256 * 1024)
#define MOST_POSITIONS 384
#define MOST_PARTIAL_FLOATS (1024 * 1024)
#define MOST_SPLITS 16
#define PACK_TERMS 24.0 /* products that take as long as packing a float */

struct plan {
    struct fast_correlation view; /* where x is found: y and x axes as forward */
    bool swapped;
    int64_t parts, parts_in_row, width; /* of the window; floats of w in a part */
    int64_t strips, pixels;             /* of a chunk: rows of output, pixels of each */
    int64_t pixel_chunks, chunks;
    int64_t splits;                  /* of the chunks, even ones */
    int64_t outputs, output_blocks;  /* filters of one item */
    int64_t item_parts, part_blocks; /* parts of one item */
    int64_t columns, column_blocks;  /* floats of a part's width of one item */
    int64_t positions;               /* most in a chunk */
    int64_t w_floats;
    int64_t dy_pitch; /* floats from pixel to pixel */
    uint64_t partial_at, scratch_at, scratch_bytes, strips_at, band_at, a_at, b_at, workspace_bytes;
};

static struct fast_axis axis(const struct graft_call *call, int which)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    return (struct fast_axis){
        .in = call->in[0].shape.dim[1 + which],
        .out = call->in[1].shape.dim[1 + which],
        .stride = a->stride[which],
        .first = -a->pad[2 * which],
        .taps = call->out[0].shape.dim[1 + which],
        .step = a->dilation[which],
        .out_step = 1,
    };
}

/* How well `columns` fill vectors. */
static double filling(int64_t columns)
{
    return (double)columns / (double)graft_max_i64(graft_round_up((uint64_t)columns, FAST_WIDTH), 1);
}

/* Everything that decides the order of sums: from shapes alone. */
static void choose_sums(struct plan *plan)
{
    struct fast_correlation *const view = &plan->view;
    FAST(correlation_layout)(view);
    const bool joined = view->x.step == 1 && (view->copy ? view->pixel_pitch : view->in_pitch) == view->c &&
                        view->x.taps * view->c <= FAST_WEIGHT_MOST_JOINED;
    plan->parts_in_row = joined ? 1 : view->x.taps;
    plan->parts = view->y.taps * plan->parts_in_row;
    plan->width = joined ? view->x.taps * view->c : view->c;
    plan->swapped = filling(plan->width) < 0.8 * filling(view->o);

    const int64_t per_position =
        view->c * (view->y.taps > 1 ? view->y.stride : 1) * (view->x.taps > 1 ? view->x.stride : 1) +
        graft_min_i64(view->o, 512);
    const int64_t positions =
        graft_max_i64(graft_min_i64(CHUNK_FLOATS / graft_max_i64(per_position, 1), MOST_POSITIONS), 32);
    const int64_t strips = view->images * view->y.out;
    const int64_t out_x = graft_max_i64(view->x.out, 1);
    plan->pixels = graft_ceil_div(out_x, graft_ceil_div(out_x, positions));
    plan->pixel_chunks = graft_ceil_div(view->x.out, plan->pixels);
    plan->strips = graft_max_i64(positions / plan->pixels, 1);
    plan->positions = plan->strips * plan->pixels;
    plan->chunks = plan->pixel_chunks * graft_ceil_div(strips, plan->strips);
    plan->w_floats = view->groups * view->o * plan->parts * plan->width;
    plan->splits = graft_min_i64(
        graft_min_i64(MOST_PARTIAL_FLOATS / graft_max_i64(plan->w_floats, 1), MOST_SPLITS), plan->chunks / 2);
    plan->splits = graft_max_i64(plan->splits, 1);
}

static bool has_partials(const struct plan *plan)
{
    return plan->splits > 1 || plan->swapped;
}

/* Cuts filters, parts and width into `filters`, `parts` and `columns` blocks, if there are so many. */
static void cut(struct plan *plan, int64_t filters, int64_t parts, int64_t columns)
{
    const int64_t o = plan->view.o, width = plan->width;
    plan->outputs = fast_block(o, plan->swapped ? FAST_COLUMNS : FAST_ROWS, 512, filters);
    plan->output_blocks = graft_ceil_div(o, plan->outputs);
    plan->item_parts = graft_max_i64(graft_ceil_div(plan->parts, parts), 1);
    plan->part_blocks = graft_ceil_div(plan->parts, plan->item_parts);
    plan->columns = columns > 1 ? fast_block(width, FAST_COLUMNS, width, columns) : graft_max_i64(width, 1);
    plan->column_blocks = graft_ceil_div(width, plan->columns);
}

/*
 * Chooses the items: at least `wanted` of them, so that they take the least time. Each packs the positions of
 * its filters and of its width of x: cut along filters x is packed again and again, cut along parts or width
 * dy. Fewer items than threads at the end wait for the others. What an item computes does not depend on it.
 */
static void choose_items(struct plan *plan, int64_t wanted, int64_t threads)
{
    const int64_t o = plan->view.o, sets = plan->splits * plan->view.groups;
    const int64_t most_columns = plan->swapped ? 1 : graft_ceil_div(plan->width, 4 * FAST_COLUMNS);
    cut(plan, 1, 1, 1);
    struct plan best = *plan;
    double least = INFINITY;
    for (int64_t parts = 1; parts <= plan->parts; parts++) {
        for (int64_t columns = 1; columns <= graft_max_i64(most_columns, 1) && columns < 2 * wanted;
             columns *= 2) {
            const int64_t first = graft_ceil_div(wanted, parts * columns);
            for (int64_t filters = first; filters < first + 2; filters++) {
                cut(plan, graft_min_i64(filters, graft_ceil_div(o, 4 * FAST_ROWS)), parts, columns);
                const int64_t items = plan->output_blocks * plan->part_blocks * plan->column_blocks;
                const double all = (double)o * (double)(plan->parts * plan->width);
                const double packed = (double)(items / plan->output_blocks * o) +
                                      (double)(plan->output_blocks * plan->parts * plan->width);
                const double rounds = (double)graft_ceil_div(items * sets, threads);
                const double time = (all + PACK_TERMS * packed) * rounds / (double)(items * sets);
                if (time < least) {
                    least = time;
                    best = *plan;
                }
            }
        }
    }
    *plan = best;
}

static void make_plan(struct plan *plan, const struct graft_cpu_device *device, const struct graft_call *call)
{
    const int groups = call->attributes.conv2d.groups;
    memset(plan, 0, sizeof *plan);
    plan->view = (struct fast_correlation){
        .images = call->in[0].shape.dim[0],
        .y = axis(call, 0),
        .x = axis(call, 1),
        .groups = groups,
        .packs = true,
        .c = call->out[0].shape.dim[3],
        .o = call->out[0].shape.dim[0] / groups,
        .out_size = {call->in[1].shape.dim[1], call->in[1].shape.dim[2]},
        .in_pitch = graft_call_in_pitch(call, 0),
    };
    plan->dy_pitch = graft_call_in_pitch(call, 1);
    choose_sums(plan);

    const struct fast_correlation *const view = &plan->view;
    const int threads = fast_threads(device);
    choose_items(plan, graft_ceil_div(4 * threads, plan->splits * groups), threads);
    uint64_t used = 0;
    plan->partial_at =
        fast_take(&used, has_partials(plan) ? (uint64_t)(plan->splits * plan->w_floats) * sizeof(float) : 0);
    uint64_t scratch = 0;
    const int64_t rows = plan->swapped ? plan->width : plan->outputs;
    fast_take(&scratch, (uint64_t)(rows / FAST_ROWS + 1) * sizeof(struct fast_tile));
    plan->strips_at = fast_take(&scratch, (uint64_t)plan->strips * sizeof(const float *));
    const int64_t band = view->copy ? FAST(correlation_band)(view, plan->strips, plan->pixels) : 0;
    plan->band_at = fast_take(&scratch, (uint64_t)band * sizeof(float));
    const int64_t columns = plan->swapped ? plan->outputs : plan->columns;
    plan->a_at = fast_take(&scratch, (uint64_t)(plan->positions * (rows + FAST_ROWS)) * sizeof(float));
    plan->b_at = fast_take(&scratch, (uint64_t)(plan->positions * (columns + FAST_COLUMNS)) * sizeof(float));
    plan->scratch_bytes = scratch;
    plan->scratch_at = fast_take(&used, scratch * (uint64_t)threads);
    plan->workspace_bytes = used;
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    const char *const reason = fast_need_f32(call);
    if (reason)
        return reason;
    struct plan plan;
    make_plan(&plan, device, call);
    info->workspace_bytes = plan.workspace_bytes;
    info->prepared_bytes = 0;
    info->pitched_inputs = 3u;
    return NULL;
}

struct run {
    const struct graft_cpu_args *args;
    const struct plan *plan;
};

/* What one item works on. */
struct item {
    int64_t split, group;
    int64_t output, outputs; /* filters of the group */
    int64_t part, parts;
    int64_t column, columns;      /* of each part's width */
    struct fast_correlation view; /* with the item's rows of taps only */
    char *scratch;
};

/* One chunk of positions: strips (rows of output) of so many pixels. */
struct chunk {
    int64_t strips, pixels;
    const float **x;                  /* for each strip: the first tap of its first pixel */
    ptrdiff_t x_row, x_pixel, x_step; /* floats from input row to row, pixel to pixel, output to output */
    const float *dy;
    ptrdiff_t dy_strip, dy_pixel;
};

/* Where a chunk's positions are: strips [first, last), pixels from x on of each. */
struct span {
    int64_t first, last;
    int64_t x, pixels;
};

static struct span span_of(const struct plan *plan, int64_t index)
{
    const struct fast_correlation *const view = &plan->view;
    const int64_t x = index % plan->pixel_chunks * plan->pixels;
    const int64_t first = index / plan->pixel_chunks * plan->strips;
    return (struct span){
        .first = first,
        .last = graft_min_i64(first + plan->strips, view->images * view->y.out),
        .x = x,
        .pixels = graft_min_i64(plan->pixels, view->x.out - x),
    };
}

static const float *dy_at(const struct run *run, const struct item *item, const struct span *span)
{
    const struct plan *const plan = run->plan;
    return (const float *)run->args->in[1] + (span->first * plan->view.x.out + span->x) * plan->dy_pitch +
           item->group * plan->view.o + item->output;
}

static struct chunk open_chunk(const struct run *run, const struct item *item, int64_t index)
{
    const struct plan *const plan = run->plan;
    const struct fast_correlation *const view = &item->view;
    const struct span span = span_of(plan, index);
    float *band = (float *)(item->scratch + plan->band_at);
    struct chunk chunk = {
        .strips = span.last - span.first,
        .pixels = span.pixels,
        .x = (const float **)(item->scratch + plan->strips_at),
        .dy = dy_at(run, item, &span),
        .dy_strip = view->x.out * plan->dy_pitch,
        .dy_pixel = plan->dy_pitch,
    };
    for (int64_t strip = span.first; strip < span.last;) {
        const int64_t y = strip % view->y.out;
        const int64_t rows = graft_min_i64(view->y.out - y, span.last - strip);
        const struct fast_view found = FAST(correlation_view)(
            view, run->args->in[0], item->group, strip / view->y.out, y, rows, span.x, span.pixels, &band);
        for (int64_t row = 0; row < rows; row++, strip++)
            chunk.x[strip - span.first] = found.origin + row * found.y_stride * found.row;
        chunk.x_row = found.row;
        chunk.x_pixel = found.pixel;
        chunk.x_step = found.x_stride * found.pixel;
    }
    return chunk;
}

static void pack_dy(const struct plan *plan, const struct item *item, const struct chunk *chunk, int panel,
                    float *to)
{
    for (int64_t strip = 0; strip < chunk->strips; strip++)
        fast_pack_lines(to, strip * chunk->pixels, plan->positions, panel,
                        chunk->dy + strip * chunk->dy_strip, chunk->dy_pixel, chunk->pixels, item->outputs);
}

static void pack_x(const struct plan *plan, const struct item *item, const struct chunk *chunk, ptrdiff_t tap,
                   int panel, float *to)
{
    for (int64_t strip = 0; strip < chunk->strips; strip++)
        fast_pack_lines(to, strip * chunk->pixels, plan->positions, panel,
                        chunk->x[strip] + tap + item->column, chunk->x_step, chunk->pixels, item->columns);
}

/* What the next chunk packs, where its lines lie evenly: of x what is not copied before. */
static void ask_chunk(const struct run *run, const struct item *item, int64_t index,
                      struct fast_coming coming[2])
{
    const struct plan *const plan = run->plan;
    const struct fast_correlation *const view = &item->view;
    const struct span span = span_of(plan, index);
    const bool whole_lines = span.last - span.first == 1 || span.pixels == view->x.out;
    const bool pointwise = view->y.out == 1 && view->y.taps * view->x.taps * view->x.stride == 1;
    const int64_t lines = whole_lines ? (span.last - span.first) * span.pixels : 0;
    coming[0] = (struct fast_coming){
        .line = dy_at(run, item, &span),
        .floats = item->outputs,
        .step = plan->dy_pitch,
        .lines = lines,
        .next = &coming[1],
    };
    coming[1] = (struct fast_coming){
        .line = (const float *)run->args->in[0] + (span.first * view->x.in + span.x) * view->in_pitch +
                item->group * view->c + item->column,
        .floats = item->columns,
        .step = view->in_pitch,
        .lines = pointwise && !view->copy ? lines : 0,
    };
}

/* Adds one chunk to the item's parts of dw (or of its split's partial sums). */
static void add_chunk(const struct run *run, const struct item *item, int64_t index, bool first, bool last)
{
    const struct plan *const plan = run->plan;
    const struct fast_correlation *const view = &item->view;
    const struct chunk chunk = open_chunk(run, item, index);
    struct fast_tile *const tiles = (struct fast_tile *)item->scratch;
    float *const a = (float *)(item->scratch + plan->a_at);
    float *const b = (float *)(item->scratch + plan->b_at);
    const int64_t filter = plan->parts * plan->width;
    float *const partial =
        (float *)((char *)run->args->workspace + plan->partial_at) + item->split * plan->w_floats;
    float *const dw =
        (has_partials(plan) ? partial : (float *)run->args->out[0]) + item->group * view->o * filter;
    const struct fast_segment all = {0, 0, chunk.strips * chunk.pixels};
    struct fast_coming coming[2];
    if (!last)
        ask_chunk(run, item, index + 1, coming);
    struct fast_product product = {
        .coming = last ? NULL : &coming[0],
        .tiles = tiles,
        .a_row = 1,
        .a_k = FAST_ROWS,
        .segments = &all,
        .n_segments = 1,
        .block_k = plan->positions,
        .b = b,
        .b_k = FAST_COLUMNS,
        .b_panel = plan->positions * FAST_COLUMNS,
        .columns = plan->swapped ? item->outputs : item->columns,
        .c_row = plan->swapped ? view->o : filter,
        .accumulate = !first || (!has_partials(plan) && fast_accumulates(run->args->call, 0)),
    };
    if (plan->swapped)
        pack_dy(plan, item, &chunk, FAST_COLUMNS, b);
    else
        pack_dy(plan, item, &chunk, FAST_ROWS, a);
    product.n_tiles = FAST(tile_packed)(tiles, a, plan->positions, product.c_row,
                                        plan->swapped ? plan->width : item->outputs);
    for (int64_t part = item->part; part < item->part + item->parts; part++) {
        const int64_t ty = part / plan->parts_in_row - item->part / plan->parts_in_row;
        const int64_t tx = part % plan->parts_in_row;
        const ptrdiff_t tap = ty * view->y.step * chunk.x_row + tx * view->x.step * chunk.x_pixel;
        if (plan->swapped) { /* dw here is [part][width][filters] */
            pack_x(plan, item, &chunk, tap, FAST_ROWS, a);
            product.c = dw + part * plan->width * view->o + item->output;
        } else { /* [filters][part][width] */
            pack_x(plan, item, &chunk, tap, FAST_COLUMNS, b);
            product.c = dw + item->output * filter + part * plan->width + item->column;
        }
        FAST(sweep)(&product);
    }
}

static void sum_item(void *argument, int64_t index, int thread)
{
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    struct item item = {.view = plan->view};
    item.scratch = (char *)run->args->workspace + plan->scratch_at + (uint64_t)thread * plan->scratch_bytes;
    item.column = index % plan->column_blocks * plan->columns;
    item.columns = graft_min_i64(plan->columns, plan->width - item.column);
    index /= plan->column_blocks;
    item.part = index % plan->part_blocks * plan->item_parts;
    item.parts = graft_min_i64(plan->item_parts, plan->parts - item.part);
    index /= plan->part_blocks;
    item.output = index % plan->output_blocks * plan->outputs;
    item.outputs = graft_min_i64(plan->outputs, plan->view.o - item.output);
    index /= plan->output_blocks;
    item.group = index % plan->view.groups;
    item.split = index / plan->view.groups;

    const int64_t first_row = item.part / plan->parts_in_row;
    const int64_t last_row = (item.part + item.parts - 1) / plan->parts_in_row;
    item.view.y.first += first_row * item.view.y.step;
    item.view.y.taps = last_row - first_row + 1;
    const int64_t begin = item.split * plan->chunks / plan->splits;
    const int64_t end = (item.split + 1) * plan->chunks / plan->splits;
    for (int64_t chunk = begin; chunk < end; chunk++)
        add_chunk(run, &item, chunk, chunk == begin, chunk == end - 1);
}

/* Adds the splits in order and puts swapped sums into dw's order. Item: one filter. */
static void join_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    const int64_t filter = plan->parts * plan->width;
    const int64_t o = plan->view.o;
    const int64_t group = item / o;
    const int64_t step = plan->swapped ? o : 1;
    const float *const partial = (const float *)((const char *)run->args->workspace + plan->partial_at) +
                                 group * o * filter + (plan->swapped ? item % o : item % o * filter);
    float *const dw = (float *)run->args->out[0] + item * filter;
    const bool accumulate = fast_accumulates(run->args->call, 0);
    int64_t i = 0;
    for (; step == 1 && i + FAST_WIDTH <= filter; i += FAST_WIDTH) {
        vec sum = vec_load(partial + i);
        for (int64_t split = 1; split < plan->splits; split++)
            sum += vec_load(partial + split * plan->w_floats + i);
        vec_store(dw + i, accumulate ? vec_load(dw + i) + sum : sum);
    }
    for (; i < filter; i++) {
        float sum = partial[i * step];
        for (int64_t split = 1; split < plan->splits; split++)
            sum += partial[split * plan->w_floats + i * step];
        dw[i] = accumulate ? dw[i] + sum : sum;
    }
}

static void run_grad_weight(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    if (plan.chunks == 0) { /* a sum over nothing */
        if (!fast_accumulates(args->call, 0))
            memset(args->out[0], 0, (size_t)plan.w_floats * sizeof(float));
        return;
    }
    struct run run = {args, &plan};
    const int64_t items = plan.output_blocks * plan.part_blocks * plan.column_blocks;
    graft_pool_run(args->pool, plan.splits * plan.view.groups * items, sum_item, &run);
    if (has_partials(&plan))
        graft_pool_run(args->pool, plan.view.groups * plan.view.o, join_item, &run);
}

const struct graft_cpu_variant FAST(conv2d_grad_weight_gemm) = {"gemm", check, NULL, run_grad_weight};
