/* SPDX-License-Identifier: MIT */
/* The matrix products of cl/gemm.cl: tile, panels and launches. */
#include "backend/opencl/gemm.h"
#include "backend/opencl/thresholds.h"

#include "base/size.h"

#include <string.h>

#define BLOCK_FLOATS                                                                                         \
    32768                /* of rows of a that a work-item goes through: half a second-level cache or less    \
                          */
#define ITEMS_A_UNIT 8   /* work-items that each compute unit should get at least */
#define PACK_FLOATS 4096 /* that a work-item packs */
#define SUM_FLOATS 1024  /* that a work-item sums up */
#define BAND_TILES 8     /* BAND of cl/gemm.cl: tiles that share a block of b */
#define SPREAD_PANELS 5  /* SPREAD of cl/outer_tile.h: panels that share rows of a, at most … */
#define SPREAD_USUAL 4   /* … where there are more */
/* Sums are cut into chunks until so many work-items are left, each a block of rows and columns. */
#define LEAST_ITEMS 64
#define ITEM_ROWS 96
#define ITEM_COLUMNS 128
#define DENSE_LINE 64 /* pixels of a made-up line */

_Static_assert(sizeof(struct graft_gather) == 32 * sizeof(int32_t), "two int16");
_Static_assert(sizeof(struct graft_outer) == 32 * sizeof(int32_t), "two int16");

/* As many sums as there are registers for: 32 of 16 floats, else 16. Some are left over: with 14 rows Intel's
 * compiler keeps sums in memory and takes half as long again, PoCL's makes no difference. */
struct graft_gemm_tile graft_gemm_tile(const struct graft_opencl_device *device)
{
    const int width = device->traits.vector_floats;
    const int vector = width >= 16 ? 16 : width >= 8 ? 8 : 4; /* a driver without vectors says 1 */
    return (struct graft_gemm_tile){.vector = vector, .rows = vector == 16 ? 12 : 6, .columns = 2 * vector};
}

enum graft_status graft_gemm_add(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                 const char *name)
{
    const struct graft_gemm_tile tile = graft_gemm_tile(device);
    return graft_opencl_add(device, kernel, "gemm.cl", name, "-DVECTOR=%d -DROWS=%d", tile.vector, tile.rows);
}

static struct graft_opencl_range range_of(int64_t x, int64_t y, int64_t z)
{
    return (struct graft_opencl_range){
        .dimensions = 3, .global = {(size_t)x, (size_t)y, (size_t)z}, .local = {1, 1, 1}};
}

/* ---- panels of b ---- */

int32_t graft_gemm_panels(const struct graft_opencl_device *device, int64_t columns)
{
    return (int32_t)graft_ceil_div(columns, graft_gemm_tile(device).columns);
}

uint64_t graft_gemm_panel_floats(const struct graft_opencl_device *device, const struct graft_gemm_pack *pack)
{
    return (uint64_t)graft_gemm_tile(device).columns * (uint64_t)graft_gemm_panels(device, pack->columns) *
           (uint64_t)pack->groups * (uint64_t)pack->outer_size * (uint64_t)pack->inner_size;
}

uint64_t graft_gemm_packed_floats(const struct graft_opencl_device *device,
                                  const struct graft_gemm_pack *pack)
{
    return graft_gemm_panel_floats(device, pack) * (uint64_t)pack->batches + (uint64_t)pack->zeros;
}

enum graft_status graft_gemm_run_pack(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                      int step, const struct graft_gemm_pack *pack, struct graft_tensor from,
                                      struct graft_tensor to)
{
    const int32_t panels = graft_gemm_panels(device, pack->columns);
    const int64_t inner = (int64_t)pack->outer_size * pack->inner_size;
    const int32_t block = PACK_FLOATS / graft_gemm_tile(device).columns;
    const int32_t steps[8] = {pack->batch_step, pack->group_step, pack->outer_step, pack->inner_step,
                              pack->column_step};
    const int32_t sizes[8] = {pack->outer_size, pack->inner_size, pack->columns, panels, block};
    const uint64_t batch_floats = graft_gemm_panel_floats(device, pack);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, from, sizeof(float));
    graft_opencl_arg_tensor(device, &args, to, sizeof(float));
    graft_opencl_arg_ints(&args, steps, 8);
    graft_opencl_arg_ints(&args, sizes, 8);
    graft_opencl_arg_ulong(&args, batch_floats);
    graft_opencl_arg_ulong(&args, batch_floats * (uint64_t)pack->batches);
    graft_opencl_arg_int(&args, pack->zeros);
    const struct graft_opencl_range range =
        range_of((int64_t)panels * pack->groups, graft_ceil_div(inner, block), pack->batches);
    return graft_opencl_launch(device, kernel, step, &args, &range);
}

/* ---- rows of a gathered ---- */

void graft_gather_dense(struct graft_gather *gather, int64_t rows, int64_t inner, int64_t columns)
{
    *gather = (struct graft_gather){.row_end = (int32_t)rows,
                                    .columns = (int32_t)columns,
                                    .run = (int32_t)inner,
                                    .taps_y = 1,
                                    .taps_x = 1,
                                    .grid_y = 1,
                                    .grid_x = (int32_t)rows,
                                    .step_y = 1,
                                    .step_x = 1,
                                    .tap_y = 0,
                                    .tap_x = 1,
                                    .height = 1,
                                    .width = (int32_t)rows,
                                    .pixel = (int32_t)inner,
                                    .tap_row = 1,
                                    .tap_column = 1,
                                    .to_height = 1,
                                    .to_width = (int32_t)rows,
                                    .to_step_y = 1,
                                    .to_step_x = 1,
                                    .leading = (int32_t)columns,
                                    .packed = (int32_t)inner};
}

int32_t graft_product_flags(const struct graft_products *products)
{
    return (products->bias.buffer != NULL ? 1 : 0) | (products->residual.buffer != NULL ? 2 : 0) |
           (products->accumulate ? 4 : 0) | (int32_t)products->activation * 8;
}

int64_t graft_launch_blocks(const struct graft_opencl_device *device, int64_t rows, int64_t block,
                            double row_flops)
{
    const int64_t blocks = graft_ceil_div(rows, block);
    const double most = device->traits.launch_flops / (row_flops + 1.0) / (double)block;
    return most < 1 ? 1 : most > (double)blocks ? graft_max_i64(blocks, 1) : (int64_t)most;
}

/* Tiles of a work-item: a block of rows that stays in the cache, and work for every unit. */
static int32_t choose_tiles(const struct graft_opencl_device *device, int64_t tiles, int64_t inner,
                            int64_t others)
{
    const struct graft_gemm_tile tile = graft_gemm_tile(device);
    const int64_t fit = graft_max_i64(BLOCK_FLOATS / (tile.rows * graft_max_i64(inner, 1)), BAND_TILES);
    const int64_t share =
        tiles * others / ((int64_t)ITEMS_A_UNIT * graft_max_i64(device->traits.compute_units, 1));
    return (int32_t)graft_max_i64(1, graft_min_i64(fit, graft_min_i64(share, tiles)));
}

enum graft_status graft_gemm_run_gather(struct graft_opencl_device *device,
                                        struct graft_opencl_kernel *kernel, int step,
                                        const struct graft_gather *gather,
                                        const struct graft_products *products)
{
    const struct graft_gemm_tile tile = graft_gemm_tile(device);
    struct graft_gather g = *gather;
    const int64_t rows = g.row_end, inner = (int64_t)g.taps_y * g.taps_x * g.run;
    g.panels = graft_gemm_panels(device, g.columns);
    const int64_t panels = (int64_t)g.panels * products->groups;
    const int64_t tiles = graft_ceil_div(rows, tile.rows);
    g.tiles = choose_tiles(device, tiles, inner, panels * products->batches);
    g.flags = graft_product_flags(products);

    const int64_t terms = device->traits.block_terms;
    const bool whole = inner <= 2 * terms;
    const int64_t run = graft_max_i64(g.run, 1);
    const int64_t block_run = whole || run < terms ? run : terms;
    const int64_t block_taps = whole ? graft_max_i64(inner / run, 1) : graft_max_i64(terms / run, 1);
    const double row_flops = 2.0 * (double)inner * (double)panels * tile.columns * products->batches;
    const int64_t block = (int64_t)g.tiles * tile.rows, blocks = graft_ceil_div(rows, block);
    const int64_t launch_blocks = graft_launch_blocks(device, rows, block, row_flops);
    for (int64_t first = 0; first < blocks; first += launch_blocks) {
        g.row_first = (int32_t)(first * block);
        g.row_end = (int32_t)graft_min_i64(rows, (first + launch_blocks) * block);
        int32_t numbers[32];
        memcpy(numbers, &g, sizeof(numbers));
        struct graft_opencl_args args = {0};
        graft_opencl_arg_tensor(device, &args, products->a, sizeof(float));
        graft_opencl_arg_tensor(device, &args, products->b, sizeof(float));
        graft_opencl_arg_ulong(&args, products->zeros);
        graft_opencl_arg_tensor(device, &args, products->bias, sizeof(float));
        graft_opencl_arg_tensor(device, &args, products->residual, sizeof(float));
        graft_opencl_arg_tensor(device, &args, products->y, sizeof(float));
        graft_opencl_arg_ints(&args, numbers, 16);
        graft_opencl_arg_ints(&args, numbers + 16, 16);
        graft_opencl_arg_int(&args, block_taps);
        graft_opencl_arg_int(&args, block_run);
        graft_opencl_arg_int(&args, products->a_batch);
        graft_opencl_arg_ulong(&args, products->b_batch);
        graft_opencl_arg_int(&args, products->y_batch);
        const struct graft_opencl_range range =
            range_of(panels, graft_ceil_div(g.row_end - g.row_first, block), products->batches);
        const enum graft_status status = graft_opencl_launch_items(device, kernel, step, &args, &range);
        if (status != GRAFT_OK)
            return status;
    }
    return GRAFT_OK;
}

/* ---- products of columns ---- */

void graft_outer_dense(struct graft_outer *outer, int64_t pixels)
{
    const int32_t lines = (int32_t)graft_ceil_div(pixels, DENSE_LINE);
    outer->taps_y = outer->taps_x = 1;
    outer->lines = outer->grid_y = outer->height = lines;
    outer->line = outer->width = DENSE_LINE;
    outer->pixels = (int32_t)pixels;
    outer->step_y = outer->step_x = 1;
    outer->base_y = outer->base_x = 0;
    outer->tap_y = outer->tap_x = 1;
    outer->column = 1;
    outer->flat = 0;
}

int64_t graft_gemm_chunks(const struct graft_outer *o, int64_t groups, int64_t pixels)
{
    const int64_t most = graft_ceil_div(pixels, (int64_t)GRAFT_WEIGHT_CHUNK_PIXELS);
    const int64_t taps = o->flat > 0 ? 1 : (int64_t)o->taps_y * o->taps_x;
    const int64_t items = graft_ceil_div(o->rows, (int64_t)ITEM_ROWS) *
                          graft_ceil_div(o->columns, (int64_t)ITEM_COLUMNS) * taps * groups;
    const int64_t least = graft_max_i64(graft_ceil_div(pixels, (int64_t)GRAFT_WEIGHT_MOST_PIXELS),
                                        graft_ceil_div(LEAST_ITEMS, graft_max_i64(items, 1)));
    return graft_max_i64(graft_min_i64(most, least), 1);
}

/* Panels of a work-item: rows of a are packed once for all of them, if enough work-items are left. */
static int32_t choose_spread(const struct graft_opencl_device *device, int32_t panels, int64_t others)
{
    const int64_t least = (int64_t)ITEMS_A_UNIT * graft_max_i64(device->traits.compute_units, 1);
    int64_t spread = panels <= SPREAD_PANELS
                         ? panels
                         : graft_ceil_div(panels, graft_ceil_div(panels, (int64_t)SPREAD_USUAL));
    while (spread > 1 && graft_ceil_div(panels, spread) * others < least)
        spread = graft_ceil_div(spread, 2);
    return (int32_t)graft_max_i64(spread, 1);
}

enum graft_status graft_gemm_run_outer(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                       int step, const struct graft_outer *outer,
                                       const struct graft_products *products, uint64_t y_chunk)
{
    struct graft_outer o = *outer;
    const int64_t bands = graft_ceil_div(o.rows, (int64_t)graft_gemm_tile(device).rows * BAND_TILES);
    const int64_t taps = o.flat > 0 ? 1 : (int64_t)o.taps_y * o.taps_x;
    const int64_t sets = (int64_t)o.chunks * products->batches;
    o.panels = graft_gemm_panels(device, o.columns);
    o.flags = graft_product_flags(products);
    o.spread = choose_spread(device, o.panels, taps * products->groups * bands * sets);
    int32_t numbers[32];
    memcpy(numbers, &o, sizeof(numbers));
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, products->a, sizeof(float));
    graft_opencl_arg_tensor(device, &args, products->b, sizeof(float));
    graft_opencl_arg_tensor(device, &args, products->bias, sizeof(float));
    graft_opencl_arg_tensor(device, &args, products->residual, sizeof(float));
    graft_opencl_arg_tensor(device, &args, products->y, sizeof(float));
    graft_opencl_arg_ulong(&args, y_chunk);
    graft_opencl_arg_ints(&args, numbers, 16);
    graft_opencl_arg_ints(&args, numbers + 16, 16);
    graft_opencl_arg_int(&args, products->a_batch);
    graft_opencl_arg_ulong(&args, products->b_batch);
    graft_opencl_arg_int(&args, products->y_batch);
    const struct graft_opencl_range range =
        range_of(graft_ceil_div(o.panels, o.spread) * taps * products->groups, bands, sets);
    return graft_opencl_launch(device, kernel, step, &args, &range);
}

enum graft_status graft_gemm_run_sum(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                     int step, struct graft_tensor from, uint64_t part_step, int parts,
                                     struct graft_tensor y, int64_t count, bool accumulate)
{
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, from, sizeof(float));
    graft_opencl_arg_ulong(&args, part_step);
    graft_opencl_arg_int(&args, parts);
    graft_opencl_arg_tensor(device, &args, y, sizeof(float));
    graft_opencl_arg_int(&args, count);
    graft_opencl_arg_int(&args, SUM_FLOATS);
    graft_opencl_arg_int(&args, accumulate ? 1 : 0);
    const struct graft_opencl_range range = range_of(graft_ceil_div(count, SUM_FLOATS), 1, 1);
    return graft_opencl_launch(device, kernel, step, &args, &range);
}

/* ---- long sums, in chunks ---- */

struct graft_chunks graft_outer_cut(const struct graft_opencl_device *device, struct graft_outer *outer,
                                    int64_t chunks, int64_t size)
{
    const int64_t lines = graft_max_i64(outer->lines, 1);
    outer->chunk = (int32_t)graft_ceil_div(lines, chunks);
    struct graft_chunks cut = {.all = (int32_t)graft_ceil_div(lines, outer->chunk)};
    const double chunk_flops = 2.0 * outer->chunk * outer->line * (double)size + 1;
    const int64_t fit = graft_min_i64(
        (int64_t)(device->traits.scratch_bytes / sizeof(float) / (uint64_t)graft_max_i64(size, 1)),
        (int64_t)(device->traits.launch_flops / chunk_flops));
    cut.most = (int32_t)graft_max_i64(1, graft_min_i64(fit, cut.all));
    cut.parts_bytes = cut.most > 1 ? (uint64_t)cut.most * (uint64_t)size * sizeof(float) : 0;
    return cut;
}

enum graft_status graft_outer_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  int step, const struct graft_outer *outer,
                                  const struct graft_chunks *chunks, const struct graft_products *products,
                                  struct graft_tensor parts, int64_t size)
{
    const bool local = kernel->variant->family == GRAFT_OPENCL_GPU;
    struct graft_outer some = *outer;
    struct graft_products made = *products;
    bool accumulate = products->accumulate;
    enum graft_status status = GRAFT_OK;
    for (int32_t first = 0; first < chunks->all && size > 0 && status == GRAFT_OK; first += chunks->most) {
        some.chunk_first = first;
        some.chunks = (int32_t)graft_min_i64(chunks->most, chunks->all - first);
        const bool direct = some.chunks == 1;
        made.accumulate = direct && accumulate;
        made.y = direct ? products->y : parts;
        status = (local ? graft_local_run_outer : graft_gemm_run_outer)(device, kernel, step, &some, &made,
                                                                        (uint64_t)size);
        if (status == GRAFT_OK && !direct)
            status = (local ? graft_local_run_sum : graft_gemm_run_sum)(
                device, kernel, step + 1, parts, (uint64_t)size, some.chunks, products->y, size, accumulate);
        accumulate = true;
    }
    return status;
}
