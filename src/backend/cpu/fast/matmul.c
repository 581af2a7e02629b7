/* SPDX-License-Identifier: MIT */
/*
 * y[batch, m, n] = activation(a · b + bias + residual).
 *
 * Three ways to the same tiles:
 *   packed   b is packed into panels, once if it is constant
 *   direct   b lies row-major and is used for few rows only: read where it is
 *   swapped  b is transposed (a dense layer's weights) and there are few rows: yᵀ = bᵀ·aᵀ, a is packed and b
 *            read in place; up to MOST_DOTS rows fill too little of a vector: dot products, nothing is packed
 */
#include "backend/cpu/fast/activate.h"
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/gemm.h"

#define ITEM_TERMS (512 * 1024.0) /* multiply-adds of the smallest item of a product that is cut finely */

#define PACKED_ROWS 64 /* of an item that packs rows */
#define MOST_DOTS 4
#define DOT_ROWS                                                                                             \
    (FAST_WIDTH == 16 ? 4 : 2) /* of b at a time: their sums with those of a fit into registers */
#define DOT_AHEAD 512          /* floats of a row of b that are asked for ahead */

enum way { PACKED, DIRECT, SWAPPED };

struct plan {
    enum way way;
    bool prepared; /* packed by prepare */
    bool copy_a;
    bool dots; /* swapped, and each element a dot product */
    int64_t batches;
    int64_t m, n, k;
    int64_t a_batch, b_batch; /* floats from batch to batch; 0: shared */
    ptrdiff_t a_row, a_k;
    ptrdiff_t b_k, b_column;
    int64_t packings;       /* different matrices to pack */
    int64_t packed_columns; /* columns of the packed operand */
    int64_t packed_floats;  /* of one matrix */
    int64_t rows, columns;  /* of one item */
    int64_t row_blocks, column_blocks;
    int64_t block_k;
    uint64_t packed_at, scratch_at, scratch_bytes; /* in the workspace */
    uint64_t segments_at, copy_at, swap_at;        /* in a thread's scratch, behind the tiles */
    uint64_t workspace_bytes;
};

static void choose_way(struct plan *plan, const struct graft_call *call)
{
    const struct graft_matmul_attributes *const attributes = &call->attributes.matmul;
    const bool constant = call->constant >> 1 & 1u;
    plan->way = PACKED;
    if (attributes->transpose_b && plan->batches == 1 &&
        plan->m <= (constant ? FAST_COLUMNS : 4 * FAST_COLUMNS))
        plan->way = SWAPPED;
    else if (!attributes->transpose_b && !constant && plan->m <= 64)
        plan->way = DIRECT;
    plan->prepared = plan->way == PACKED && constant;
    plan->packings = plan->way == SWAPPED || plan->b_batch == 0 ? 1 : plan->batches;
    plan->packed_columns = plan->way == SWAPPED  ? plan->m
                           : plan->way == DIRECT ? plan->n % FAST_COLUMNS
                                                 : plan->n;
    plan->dots = plan->way == SWAPPED && plan->m <= MOST_DOTS && plan->a_k == 1;
    if (plan->dots)
        plan->packed_columns = 0;
    plan->packed_floats = FAST(packed_floats)(plan->k, plan->packed_columns);
    /* Blocks of the same length: none is so short that C is taken up for little. */
    const int64_t blocks = graft_ceil_div(plan->k, FAST_PRODUCT_K);
    plan->block_k = plan->way == DIRECT ? 32 : blocks > 0 ? graft_ceil_div(plan->k, blocks) : 1;
    plan->copy_a =
        plan->way != SWAPPED && plan->n > FAST_COLUMNS && (plan->a_k != 1 || plan->k % FAST_BAD_PITCH == 0);
}

/* Of a large product so many items that the thread which takes the last one is hardly waited for; of a small
 * one few, since each costs something to begin. */
static int64_t choose_items(const struct plan *plan, int threads)
{
    const double terms =
        (double)plan->batches * (double)plan->m * (double)plan->n * (double)plan->k / ITEM_TERMS;
    return terms >= 16.0 * threads ? 16 * threads : graft_max_i64((int64_t)terms, 8 * threads);
}

static void choose_blocks(struct plan *plan, int threads)
{
    const int64_t items = choose_items(plan, threads);
    if (plan->way == SWAPPED) {
        plan->rows = fast_block(plan->n, FAST_ROWS, 4 * FAST_ROWS, items);
        plan->row_blocks = graft_ceil_div(plan->n, plan->rows);
        plan->columns = plan->m;
        plan->column_blocks = 1;
        return;
    }
    const int64_t most =
        graft_max_i64(graft_min_i64(131072 / graft_max_i64(plan->k, 1), 48 * FAST_ROWS), 2 * FAST_ROWS);
    /* Of a transposed matrix few rows are pieces of lines. */
    const int64_t row_items = graft_min_i64(plan->a_k == 1 ? items / 2 : items / 4,
                                            graft_ceil_div(plan->m, 2 * FAST_ROWS) * plan->batches);
    plan->rows =
        fast_block(plan->m, FAST_ROWS, most, graft_ceil_div(row_items, graft_max_i64(plan->batches, 1)));
    plan->row_blocks = graft_ceil_div(plan->m, plan->rows);
    const int64_t widest = plan->way == DIRECT || plan->k < 64 ? 1024 : plan->n;
    /* Each block of columns reads the rows once more: narrow ones are for want of other items only. */
    const int64_t blocks = graft_max_i64(plan->batches * plan->row_blocks, 1);
    const int64_t wide = plan->copy_a ? 1
                                      : graft_min_i64((plan->a_k == 1 ? items : items / 2) / blocks,
                                                      plan->n / (4 * FAST_COLUMNS));
    plan->columns = fast_block(plan->n, FAST_COLUMNS, graft_max_i64(widest, 1),
                               graft_max_i64(wide, graft_ceil_div(4 * threads, blocks)));
    plan->column_blocks = graft_ceil_div(plan->n, plan->columns);
    plan->rows =
        fast_even_block(plan->m, FAST_ROWS, plan->rows, plan->batches * plan->column_blocks, threads);
    plan->row_blocks = graft_ceil_div(plan->m, plan->rows);
}

static void make_plan(struct plan *plan, const struct graft_cpu_device *device, const struct graft_call *call)
{
    const struct graft_matmul_attributes *const attributes = &call->attributes.matmul;
    const struct graft_shape *const a = &call->in[0].shape;
    const struct graft_shape *const b = &call->in[1].shape;
    const struct graft_shape *const y = &call->out[0].shape;
    memset(plan, 0, sizeof *plan);
    plan->m = y->dim[y->rank - 2];
    plan->n = y->dim[y->rank - 1];
    plan->k = attributes->transpose_a ? a->dim[a->rank - 2] : a->dim[a->rank - 1];
    plan->batches = 1;
    for (int i = 0; i < y->rank - 2; i++)
        plan->batches *= y->dim[i];
    plan->a_batch = plan->m * plan->k;
    plan->b_batch = b->rank > 2 ? plan->k * plan->n : 0;
    if (plan->b_batch == 0 && !attributes->transpose_a) { /* one tall matrix */
        plan->m *= plan->batches;
        plan->batches = 1;
    }
    plan->a_row = attributes->transpose_a ? 1 : plan->k;
    plan->a_k = attributes->transpose_a ? plan->m : 1;
    plan->b_k = attributes->transpose_b ? 1 : plan->n;
    plan->b_column = attributes->transpose_b ? plan->k : 1;
    choose_way(plan, call);
    const int threads = fast_threads(device);
    choose_blocks(plan, threads);

    uint64_t used = 0;
    if (!plan->prepared)
        plan->packed_at = fast_take(&used, (uint64_t)(plan->packings * plan->packed_floats) * sizeof(float));
    uint64_t scratch = 0;
    fast_take(&scratch, (uint64_t)(plan->rows / FAST_ROWS + 1) * sizeof(struct fast_tile));
    plan->segments_at =
        fast_take(&scratch, (uint64_t)(plan->k / plan->block_k + 1) * sizeof(struct fast_segment));
    const int64_t copied = plan->rows * (plan->k + FAST_PITCH_EXTRA);
    plan->copy_at = fast_take(&scratch, plan->copy_a ? (uint64_t)copied * sizeof(float) : 0);
    plan->swap_at =
        fast_take(&scratch, plan->way == SWAPPED ? (uint64_t)(plan->rows * plan->m) * sizeof(float) : 0);
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
    if (fast_accumulates(call, 0) && call->attributes.matmul.activation != GRAFT_UNARY_NONE)
        return "the activation of a sum is taken before it is added to what is there";
    struct plan plan;
    make_plan(&plan, device, call);
    info->workspace_bytes = plan.workspace_bytes;
    info->prepared_bytes = plan.prepared ? (uint64_t)(plan.packings * plan.packed_floats) * sizeof(float) : 0;
    return NULL;
}

struct run {
    const struct graft_cpu_args *args;
    const struct plan *plan;
    float *packed; /* what is being packed, or has been */
};

/* Whether what is packed lies in lines of columns. */
static bool packs_lines(const struct plan *plan)
{
    return (plan->way == SWAPPED ? plan->a_row : plan->b_column) == 1;
}

static int64_t packing_pieces(const struct plan *plan)
{
    return packs_lines(plan) && plan->packed_columns > 0 ? graft_ceil_div(plan->k, PACKED_ROWS)
                                                         : graft_ceil_div(plan->packed_columns, FAST_COLUMNS);
}

/* Item: matrix × panel; where lines are packed matrix × some of them, so that they are read in order. */
static void pack_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    const bool swapped = plan->way == SWAPPED, lines = packs_lines(plan);
    const float *const from = run->args->in[swapped ? 0 : 1];
    const ptrdiff_t k_step = swapped ? plan->a_k : plan->b_k;
    const ptrdiff_t column_step = swapped ? plan->a_row : plan->b_column;
    const int64_t pieces = packing_pieces(plan), matrix = item / pieces, piece = item % pieces;
    const int64_t first = plan->way == DIRECT ? plan->n - plan->packed_columns : 0;
    const int64_t begin = lines ? 0 : piece * FAST_COLUMNS;
    const int64_t end =
        lines ? plan->packed_columns : graft_min_i64(begin + FAST_COLUMNS, plan->packed_columns);
    const int64_t k = lines ? piece * PACKED_ROWS : 0;
    const int64_t rows = lines ? graft_min_i64(PACKED_ROWS, plan->k - k) : plan->k;
    float *const to = run->packed + matrix * plan->packed_floats + k * FAST_COLUMNS;
    for (int64_t column = begin; column < end; column += FAST_COLUMNS) {
        const float *const source =
            from + matrix * plan->b_batch + (first + column) * column_step + k * k_step;
        const int64_t columns = graft_min_i64(FAST_COLUMNS, end - column);
        FAST(pack_panel)(to + column * plan->k, source, rows, columns, k_step, column_step);
    }
}

static void pack(const struct run *run)
{
    graft_pool_run(run->args->pool, run->plan->packings * packing_pieces(run->plan), pack_item, (void *)run);
}

static void prepare(const struct graft_cpu_device *device, const struct graft_cpu_args *args, void *prepared)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    if (plan.prepared)
        pack(&(struct run){.args = args, .plan = &plan, .packed = prepared});
}

/*
 * The rows of an item as tiles of the product: where they lie, or copied. Rows whose pitch collides in the
 * cache get another one. In a transposed matrix, which is as wide as C is high, each k of a tile would be a
 * line, and often a page, of its own: it is packed.
 */
static void take_rows(const struct plan *plan, const float *a, int64_t rows, float *copy,
                      struct fast_tile *tiles, struct fast_product *product)
{
    product->tiles = tiles;
    product->a_row = plan->a_row;
    product->a_k = plan->a_k;
    if (plan->copy_a && plan->a_k != 1) {
        fast_pack_lines(copy, 0, plan->k, FAST_ROWS, a, plan->a_k, plan->k, rows);
        product->a_k = FAST_ROWS;
        product->n_tiles = FAST(tile_packed)(tiles, copy, plan->k, plan->n, rows);
        return;
    }
    if (plan->copy_a) {
        product->a_row = plan->k + FAST_PITCH_EXTRA;
        for (int64_t row = 0; row < rows; row++)
            memcpy(copy + row * product->a_row, a + row * plan->a_row, (size_t)plan->k * sizeof(float));
        a = copy;
    }
    product->n_tiles = FAST(tile_rows)(tiles, 0, a, product->a_row, 0, plan->n, rows);
}

/* y[m, n] from the transposed product of an item. */
static void store_swapped(const struct run *run, const float *from, int64_t first, int64_t rows)
{
    const struct plan *const plan = run->plan;
    const struct graft_call *const call = run->args->call;
    const enum graft_unary activation = call->attributes.matmul.activation;
    const float *const bias = run->args->in[2];
    const float *const residual = run->args->in[3];
    const bool accumulate = fast_accumulates(call, 0);
    float *const y = run->args->out[0];
    for (int64_t m = 0; m < plan->m; m++) {
        for (int64_t row = 0; row < rows; row++) {
            const int64_t at = m * plan->n + first + row;
            float value = from[row * plan->m + m];
            if (bias)
                value += bias[first + row];
            if (residual)
                value += residual[at];
            if (accumulate)
                value += y[at];
            y[at] = fast_activate(fast_early(activation), value);
        }
        if (fast_is_late(activation))
            FAST(activate)(y + m * plan->n + first, rows, activation);
    }
}

/* Runs the product over all of k, with the segments that its steps ask for. */
static void sweep(const struct plan *plan, struct fast_product *product, char *scratch)
{
    struct fast_segment *const segments = (struct fast_segment *)(scratch + plan->segments_at);
    product->n_segments = FAST(cut)(segments, 0, (struct fast_segment){0, 0, plan->k}, product->a_k,
                                    product->b_k, plan->block_k);
    product->segments = segments;
    product->block_k = plan->block_k;
    FAST(sweep)(product);
}

/* to[row][m]: dot products of rows of w and of x, both [.., k]. rows and m are constants of each instance. */
FAST_INLINE void dot_products(const float *w, const float *x, int64_t k, const int rows, const int m,
                              float *to)
{
    vec sums[DOT_ROWS][MOST_DOTS] = {{{0}}};
    for (int64_t i = 0; i < k; i += FAST_WIDTH) {
        const int64_t count = graft_min_i64(FAST_WIDTH, k - i);
        vec row[DOT_ROWS];
        FAST_UNROLL(4)
        for (int r = 0; r < rows; r++) {
            __builtin_prefetch(w + r * k + i + DOT_AHEAD);
            row[r] = vec_load_count(w + r * k + i, count);
        }
        FAST_UNROLL(4)
        for (int j = 0; j < m; j++) {
            const vec column = vec_load_count(x + j * k + i, count);
            FAST_UNROLL(4)
            for (int r = 0; r < rows; r++)
                sums[r][j] += row[r] * column;
        }
    }
    for (int r = 0; r < rows; r++) {
        for (int j = 0; j < m; j++) {
            float lanes[FAST_WIDTH];
            vec_store(lanes, sums[r][j]);
            for (int half = FAST_WIDTH / 2; half > 0; half /= 2)
                for (int lane = 0; lane < half; lane++)
                    lanes[lane] += lanes[lane + half];
            to[r * m + j] = lanes[0];
        }
    }
}

#define DOTS(m)                                                                                              \
    case m:                                                                                                  \
        for (; row + DOT_ROWS <= rows; row += DOT_ROWS)                                                      \
            dot_products(w + row * plan->k, x, plan->k, DOT_ROWS, m, to + row * m);                          \
        for (; row < rows; row++)                                                                            \
            dot_products(w + row * plan->k, x, plan->k, 1, m, to + row * m);                                 \
        break;

static void dot_rows(const struct plan *plan, const float *w, const float *x, int64_t rows, float *to)
{
    int64_t row = 0;
    switch (plan->m) {
        DOTS(1)
        DOTS(2)
        DOTS(3)
        DOTS(4)
    default: /* none, or more than MOST_DOTS */
        break;
    }
}

static void swapped_item(const struct run *run, char *scratch, int64_t item)
{
    const struct plan *const plan = run->plan;
    const int64_t first = item * plan->rows;
    const int64_t rows = graft_min_i64(plan->rows, plan->n - first);
    struct fast_tile *const tiles = (struct fast_tile *)scratch;
    float *const result = (float *)(scratch + plan->swap_at);
    const float *const b = run->args->in[1];
    if (plan->dots) {
        dot_rows(plan, b + first * plan->k, run->args->in[0], rows, result);
        store_swapped(run, result, first, rows);
        return;
    }
    const int n_tiles = FAST(tile_rows)(tiles, 0, b + first * plan->k, plan->k, 0, plan->m, rows);
    struct fast_product product = {
        .tiles = tiles,
        .n_tiles = n_tiles,
        .a_row = plan->k,
        .a_k = 1,
        .b = run->packed,
        .b_k = FAST_COLUMNS,
        .b_panel = plan->k * FAST_COLUMNS,
        .c = result,
        .c_row = plan->m,
        .columns = plan->m,
    };
    sweep(plan, &product, scratch);
    store_swapped(run, result, first, rows);
}

/* `columns` of y from `column` on, in the item's rows; product->b is set. */
static void multiply_columns(const struct run *run, struct fast_product *product, char *scratch, int64_t y_at,
                             int64_t column, int64_t columns)
{
    const float *const bias = run->args->in[2];
    const float *const residual = run->args->in[3];
    product->c = (float *)run->args->out[0] + y_at + column;
    product->residual = residual ? residual + y_at + column : NULL;
    product->bias = bias ? bias + column : NULL;
    product->columns = columns;
    sweep(run->plan, product, scratch);
}

/* What this thread probably packs next of a: the rows of the item that begins when all that run have ended.
 */
static struct fast_coming coming_after(const struct run *run, int64_t item)
{
    const struct plan *const plan = run->plan;
    item += graft_pool_threads(run->args->pool);
    const int64_t row = item / plan->column_blocks % plan->row_blocks * plan->rows;
    const int64_t batch = item / plan->column_blocks / plan->row_blocks;
    const int64_t rows = graft_min_i64(plan->rows, plan->m - row);
    if (!plan->copy_a || batch >= plan->batches)
        return (struct fast_coming){.lines = 0};
    const float *const a = (const float *)run->args->in[0] + batch * plan->a_batch + row * plan->a_row;
    return plan->a_k == 1 ? (struct fast_coming){a, plan->k, plan->a_row, rows, 0, NULL}
                          : (struct fast_coming){a, rows, plan->a_k, plan->k, 0, NULL};
}

static void item(void *argument, int64_t item, int thread)
{
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    char *const scratch =
        (char *)run->args->workspace + plan->scratch_at + (uint64_t)thread * plan->scratch_bytes;
    if (plan->way == SWAPPED) {
        swapped_item(run, scratch, item);
        return;
    }
    const int64_t column = item % plan->column_blocks * plan->columns;
    const int64_t columns = graft_min_i64(plan->columns, plan->n - column);
    const int64_t row = item / plan->column_blocks % plan->row_blocks * plan->rows;
    const int64_t rows = graft_min_i64(plan->rows, plan->m - row);
    const int64_t batch = item / plan->column_blocks / plan->row_blocks;
    const float *const a = (const float *)run->args->in[0] + batch * plan->a_batch + row * plan->a_row;
    struct fast_coming coming = coming_after(run, item);
    struct fast_product product = {
        .c_row = plan->n,
        .accumulate = fast_accumulates(run->args->call, 0),
        .activation = run->args->call->attributes.matmul.activation,
        .coming = &coming,
    };
    take_rows(plan, a, rows, (float *)(scratch + plan->copy_at), (struct fast_tile *)scratch, &product);
    const int64_t y_at = (batch * plan->m + row) * plan->n;
    int64_t direct = 0; /* columns read where they are; the rest comes in panels */
    if (plan->way == DIRECT)
        direct = graft_min_i64(columns, plan->n - plan->packed_columns - column);
    if (direct > 0) {
        product.b = (const float *)run->args->in[1] + batch * plan->b_batch + column;
        product.b_k = plan->n;
        product.b_panel = FAST_COLUMNS;
        multiply_columns(run, &product, scratch, y_at, column, direct);
    }
    if (direct < columns) {
        const int64_t matrix = plan->packings > 1 ? batch : 0;
        product.b = run->packed + matrix * plan->packed_floats + (plan->way == DIRECT ? 0 : column * plan->k);
        product.b_k = FAST_COLUMNS;
        product.b_panel = plan->k * FAST_COLUMNS;
        multiply_columns(run, &product, scratch, y_at, column + direct, columns - direct);
    }
}

static void run_matmul(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    struct run run = {.args = args, .plan = &plan};
    run.packed =
        plan.prepared ? (float *)args->prepared : (float *)((char *)args->workspace + plan.packed_at);
    if (!plan.prepared)
        pack(&run);
    graft_pool_run(args->pool, plan.batches * plan.row_blocks * plan.column_blocks, item, &run);
}

const struct graft_cpu_variant FAST(matmul_gemm) = {"gemm", check, prepare, run_matmul};
