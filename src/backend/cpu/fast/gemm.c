/* SPDX-License-Identifier: MIT */
/* The micro-kernel, written once for all vector widths, and the loops around it. */
#include "backend/cpu/fast/gemm.h"

#include "backend/cpu/fast/activate.h"

#include "base/size.h"

#define NEAR_FLOATS (64 * 1024)
#define NEAR_TILES 4
#define PREFETCH_K 8 /* rows of the panel that are asked for ahead: it comes from the second-level cache */

/* What the micro-kernel sees: one tile of C. */
struct job {
    const float *a[2];
    ptrdiff_t a_row;
    ptrdiff_t a_k;
    const struct fast_segment *segments;
    int64_t n_segments;
    const float *b;
    ptrdiff_t b_k;
    const float *next_a; /* A of the next tile */
    float *c[2];
    ptrdiff_t c_row;
    ptrdiff_t residual; /* distance from c */
    const float *bias;
    int64_t ask_steps;
    int tail; /* columns in the last vector, 0 for a whole one */
    bool add_c;
    bool add_residual;
    enum graft_unary activation;
    struct fast_coming *coming;
};

FAST_INLINE vec activate(vec x, enum graft_unary activation)
{
    if (activation == GRAFT_UNARY_RELU)
        return vec_relu(x);
    if (activation == GRAFT_UNARY_RELU6)
        return vec_relu6(x);
    return x;
}

/* For all vectors `x` of a tile, at `at`; rows and vectors are constants. */
#define EACH(...)                                                                                            \
    FAST_UNROLL(16) for (int row = 0; row < rows; row++)                                                     \
    {                                                                                                        \
        float *const line = job->c[row >= FAST_HALF] + (row % FAST_HALF) * job->c_row;                       \
        FAST_UNROLL(4) for (int v = 0; v < vectors; v++)                                                     \
        {                                                                                                    \
            float *const at = line + v * FAST_WIDTH;                                                         \
            __VA_ARGS__;                                                                                     \
        }                                                                                                    \
    }

/* Late activations, on what has been stored. */
static __attribute__((noinline)) void activate_stored(const struct job *job, int rows, int columns)
{
    for (int row = 0; row < rows; row++)
        FAST(activate)(job->c[row >= FAST_HALF] + (row % FAST_HALF) * job->c_row, columns, job->activation);
}

/* Whole vectors: what belongs to a sum is added while it is in its register. */
FAST_INLINE void finish_whole(const struct job *job, vec sums[FAST_ROWS][FAST_VECTORS], const int rows,
                              const int vectors)
{
    if (job->bias)
        EACH(sums[row][v] += vec_load(job->bias + v * FAST_WIDTH); (void)at)
    if (job->add_residual)
        EACH(sums[row][v] += vec_load(at + job->residual))
    if (job->add_c)
        EACH(sums[row][v] += vec_load(at))
    if (job->activation == GRAFT_UNARY_RELU)
        EACH(sums[row][v] = vec_relu(sums[row][v]); (void)at)
    else if (job->activation == GRAFT_UNARY_RELU6)
        EACH(sums[row][v] = vec_relu6(sums[row][v]); (void)at)
    EACH(vec_store(at, sums[row][v]))
    if (fast_is_late(job->activation))
        activate_stored(job, rows, vectors * FAST_WIDTH);
}

/* The last vector is not whole: sums[rows][vectors] come by memory. */
static __attribute__((noinline)) void finish(const struct job *job, const vec *sums, int rows, int vectors)
{
    for (int v = 0; v < vectors; v++) {
        const int count = v == vectors - 1 ? job->tail : FAST_WIDTH;
        const vec bias = job->bias ? vec_load_count(job->bias + v * FAST_WIDTH, count) : (vec){0};
        for (int row = 0; row < rows; row++) {
            float *const c = job->c[row >= FAST_HALF] + (row % FAST_HALF) * job->c_row + v * FAST_WIDTH;
            vec sum = sums[row * vectors + v] + bias;
            if (job->add_residual)
                sum += vec_load_count(c + job->residual, count);
            if (job->add_c)
                sum += vec_load_count(c, count);
            vec_store_count(c, activate(sum, job->activation), count);
        }
    }
    if (fast_is_late(job->activation))
        activate_stored(job, rows, (vectors - 1) * FAST_WIDTH + job->tail);
}

/* The tile of C and of what is added to it comes near while the sums are made, a row each few steps: all at
 * once they would stand in the way of A and B. */
#define ASK_STEPS 4 /* and fewer where k is short */

FAST_INLINE void ask(const struct job *job, int row, const int vectors)
{
    const float *const c = job->c[row >= FAST_HALF] + row % FAST_HALF * job->c_row;
    FAST_UNROLL(4)
    for (int v = 0; v < vectors; v++) {
        __builtin_prefetch(c + v * FAST_WIDTH, 1);
        if (job->add_residual)
            __builtin_prefetch(c + job->residual + v * FAST_WIDTH);
    }
}

#define COMING_FLOATS (4 * FAST_LINE_FLOATS) /* asked for at a time */

/* Returns what is left to ask for. */
FAST_INLINE struct fast_coming *ask_coming(struct fast_coming *coming)
{
    if (coming->lines == 0)
        return NULL;
    const float *const from = coming->line + coming->asked;
    FAST_UNROLL(4)
    for (int i = 0; i < COMING_FLOATS; i += FAST_LINE_FLOATS)
        __builtin_prefetch(from + i, 0, 2);
    coming->asked += COMING_FLOATS;
    if (coming->asked >= coming->floats) {
        coming->asked = 0;
        coming->line += coming->step;
        coming->lines--;
        if (coming->lines == 0 && coming->next)
            *coming = *coming->next;
    }
    return coming;
}

/* rows, vectors, k_contiguous and ahead are constants of each instance, so that sums live in registers. */
FAST_INLINE void multiply(const struct job *job, const int rows, const int vectors, const bool k_contiguous,
                          const bool ahead)
{
    vec sums[FAST_ROWS][FAST_VECTORS];
    FAST_UNROLL(16)
    for (int row = 0; row < rows; row++)
        FAST_UNROLL(4)
    for (int v = 0; v < vectors; v++)
        sums[row][v] = (vec){0};

    int asked = 0;
    struct fast_coming *coming = job->coming;
    const float *next_a = job->next_a;
    const ptrdiff_t a_row = job->a_row;
    const ptrdiff_t a_k = k_contiguous ? 1 : job->a_k;
    const ptrdiff_t b_k = job->b_k;
    for (int64_t s = 0; s < job->n_segments; s++) {
        const struct fast_segment *const segment = &job->segments[s];
        /* Rows 0..2, 3..5, 6.. of each half: three rows from one pointer keep the pointers in registers. */
        const float *base[2][4];
        FAST_UNROLL(4)
        for (int i = 0; i < (FAST_HALF + 2) / 3; i++) {
            base[0][i] = job->a[0] + segment->a + 3 * i * (k_contiguous ? a_row : 1);
            base[1][i] = job->a[1] + segment->a + 3 * i * (k_contiguous ? a_row : 1);
        }
        const float *b = job->b + segment->b;
        for (int64_t left = segment->k, steps; left > 0; left -= steps) {
            steps = asked < rows || coming ? graft_min_i64(left, job->ask_steps) : left;
            if (asked < rows)
                ask(job, asked++, vectors);
            if (coming)
                coming = ask_coming(coming);
            for (int64_t k = steps; k > 0; k--) {
                vec panel[FAST_VECTORS];
                FAST_UNROLL(4)
                for (int v = 0; v < vectors; v++)
                    panel[v] = vec_load(b + v * FAST_WIDTH);
                FAST_UNROLL(4)
                for (int v = 0; v < vectors; v += 16 / FAST_WIDTH) /* a cache line each */
                    __builtin_prefetch(b + PREFETCH_K * b_k + v * FAST_WIDTH);
                if (ahead) {
                    __builtin_prefetch(next_a);
                    next_a += rows;
                }
                FAST_UNROLL(16)
                for (int row = 0; row < rows; row++) {
                    const int in_half = row % FAST_HALF;
                    const float *const from = base[row >= FAST_HALF][in_half / 3];
                    const vec a = vec_set(k_contiguous ? from[(in_half % 3) * a_row] : from[in_half % 3]);
                    FAST_UNROLL(4)
                    for (int v = 0; v < vectors; v++)
                        sums[row][v] += a * panel[v];
                }
                FAST_UNROLL(4)
                for (int i = 0; i < (FAST_HALF + 2) / 3; i++) {
                    base[0][i] += a_k;
                    base[1][i] += a_k;
                }
                b += b_k;
            }
        }
    }

    if (!job->tail) {
        finish_whole(job, sums, rows, vectors);
        return;
    }
    vec flat[FAST_ROWS * FAST_VECTORS];
    FAST_UNROLL(16)
    for (int row = 0; row < rows; row++)
        FAST_UNROLL(4)
    for (int v = 0; v < vectors; v++)
        flat[row * vectors + v] = sums[row][v];
    finish(job, flat, rows, vectors);
}

/* While a tile is multiplied the next one, which nobody has read yet, comes near: a line a step of k is a
 * little more than it has. */
static __attribute__((noinline)) void multiply_ahead(const struct job *job)
{
    multiply(job, FAST_ROWS, FAST_VECTORS, true, true);
}

/* Instances: multiply_<rows>_<vectors>_<k contiguous>. */
#define INSTANCE(rows, vectors, k_contiguous)                                                                \
    static                                                                                                   \
        __attribute__((noinline)) void multiply_##rows##_##vectors##_##k_contiguous(const struct job *job)   \
    {                                                                                                        \
        multiply(job, rows, vectors, k_contiguous, false);                                                   \
    }
#define INSTANCES(rows) INSTANCE(rows, 1, 0) INSTANCE(rows, 1, 1) INSTANCE(rows, 2, 0) INSTANCE(rows, 2, 1)
#define ENTRY(rows)                                                                                          \
    {                                                                                                        \
        {multiply_##rows##_1_0, multiply_##rows##_1_1},                                                      \
        {                                                                                                    \
            multiply_##rows##_2_0, multiply_##rows##_2_1                                                     \
        }                                                                                                    \
    }

/* clang-format off */
INSTANCES(1) INSTANCES(2) INSTANCES(3) INSTANCES(4) INSTANCES(5) INSTANCES(6)
#if FAST_ROWS > 6
INSTANCES(7) INSTANCES(8) INSTANCES(9) INSTANCES(10)
#endif
#if FAST_ROWS > 10
INSTANCES(11) INSTANCES(12) INSTANCES(13) INSTANCES(14)
#endif

static void (*const kernels[FAST_ROWS][FAST_VECTORS][2])(const struct job *job) = {
    ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6),
#if FAST_ROWS > 6
    ENTRY(7), ENTRY(8), ENTRY(9), ENTRY(10),
#endif
#if FAST_ROWS > 10
    ENTRY(11), ENTRY(12), ENTRY(13), ENTRY(14),
#endif
};
/* clang-format on */

/* All columns of `n_tiles` of the product's tiles from `tile` on, over segments [first, last), which have k.
 */
static void sweep_tiles(const struct fast_product *product, int tile, int n_tiles, int64_t first,
                        int64_t last, int64_t k)
{
    const struct fast_tile *const tiles = product->tiles + tile;
    const int k_contiguous = product->a_k == 1;
    const bool is_last = last >= product->n_segments;
    for (int64_t column = 0; column < product->columns; column += FAST_COLUMNS) {
        const int columns = (int)graft_min_i64(FAST_COLUMNS, product->columns - column);
        struct job job = {
            .a_row = product->a_row,
            .a_k = product->a_k,
            .segments = product->segments + first,
            .n_segments = last - first,
            .b = product->b + column / FAST_COLUMNS * product->b_panel,
            .b_k = product->b_k,
            .c_row = product->c_row,
            .residual = product->residual ? product->residual - product->c : 0,
            .bias = first == 0 && product->bias ? product->bias + column : NULL,
            .ask_steps = graft_max_i64(graft_min_i64(k / FAST_ROWS, ASK_STEPS), 1),
            .tail = columns % FAST_WIDTH,
            .add_c = first > 0 || product->accumulate,
            .add_residual = first == 0 && product->residual,
            .activation = is_last ? product->activation : GRAFT_UNARY_NONE,
            .coming = product->coming,
        };
        const int vectors = (columns + FAST_WIDTH - 1) / FAST_WIDTH;
        /* The first to read A; if its rows lie one behind the other, so do tiles. */
        const bool first_read = column == 0 && k_contiguous && vectors == FAST_VECTORS;
        for (int t = 0; t < n_tiles; t++) {
            job.a[0] = tiles[t].a[0];
            job.a[1] = tiles[t].a[1];
            job.c[0] = product->c + tiles[t].c[0] + column;
            job.c[1] = product->c + tiles[t].c[1] + column;
            job.next_a = tile + t + 1 < product->n_tiles ? tiles[t + 1].a[0] : NULL;
            if (first_read && tiles[t].rows == FAST_ROWS && job.next_a &&
                job.next_a - job.a[0] == FAST_ROWS * k)
                multiply_ahead(&job);
            else
                kernels[tiles[t].rows - 1][vectors - 1][k_contiguous](&job);
        }
    }
}

void FAST(sweep)(const struct fast_product *product)
{
    for (int64_t first = 0; first < product->n_segments || first == 0;) {
        int64_t last = first;
        int64_t k = 0;
        while (last < product->n_segments &&
               (last == first || k + product->segments[last].k <= product->block_k))
            k += product->segments[last++].k;
        /* While all of B stays in the second-level cache, C is written a few whole rows at a time. */
        const int group = k * product->columns <= NEAR_FLOATS ? NEAR_TILES : product->n_tiles;
        for (int t = 0; t < product->n_tiles; t += group)
            sweep_tiles(product, t, (int)graft_min_i64(group, product->n_tiles - t), first, last, k);
        if (last >= product->n_segments)
            break;
        first = last;
    }
}

int FAST(tile_rows)(struct fast_tile *tiles, int n_tiles, const float *a, ptrdiff_t a_row, ptrdiff_t c,
                    ptrdiff_t c_row, int64_t rows)
{
    for (int64_t row = 0; row < rows;) {
        const int64_t left = rows - row;
        /* A lonely half of the strip before is filled up. */
        struct fast_tile *const before = n_tiles ? &tiles[n_tiles - 1] : NULL;
        if (before && before->rows == FAST_HALF) {
            const int count = (int)graft_min_i64(left, FAST_HALF);
            before->a[1] = a + row * a_row;
            before->c[1] = c + row * c_row;
            before->rows += count;
            row += count;
            continue;
        }
        const int count = (int)graft_min_i64(left, FAST_ROWS);
        struct fast_tile *const tile = &tiles[n_tiles++];
        tile->rows = count;
        tile->a[0] = a + row * a_row;
        tile->c[0] = c + row * c_row;
        tile->a[1] = count > FAST_HALF ? tile->a[0] + FAST_HALF * a_row : tile->a[0];
        tile->c[1] = count > FAST_HALF ? tile->c[0] + FAST_HALF * c_row : tile->c[0];
        row += count;
    }
    return n_tiles;
}

int FAST(tile_packed)(struct fast_tile *tiles, const float *a, int64_t lines, ptrdiff_t c_row, int64_t rows)
{
    int count = 0;
    for (int64_t row = 0; row < rows; row += FAST_ROWS)
        count = FAST(tile_rows)(tiles, count, a + row * lines, 1, row * c_row, c_row,
                                graft_min_i64(FAST_ROWS, rows - row));
    return count;
}

int64_t FAST(packed_floats)(int64_t k, int64_t columns)
{
    return k * FAST_COLUMNS * graft_ceil_div(columns, FAST_COLUMNS);
}

typedef float quad __attribute__((vector_size(16)));
typedef float quad_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

/* Four columns at a time, four k at a time: transposed in registers. */
static void pack_transposed(float *to, const float *from, int64_t k, int64_t columns, ptrdiff_t step)
{
    int64_t column = 0;
    for (; column + 4 <= columns; column += 4) {
        const float *const in = from + column * step;
        float *const out = to + column;
        int64_t i = 0;
        for (; i + 4 <= k; i += 4) {
            const quad a = *(const quad_unaligned *)(in + i);
            const quad b = *(const quad_unaligned *)(in + step + i);
            const quad c = *(const quad_unaligned *)(in + 2 * step + i);
            const quad d = *(const quad_unaligned *)(in + 3 * step + i);
            const quad ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5);
            const quad ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
            const quad cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5);
            const quad cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
            *(quad_unaligned *)(out + i * FAST_COLUMNS) = __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5);
            *(quad_unaligned *)(out + (i + 1) * FAST_COLUMNS) = __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7);
            *(quad_unaligned *)(out + (i + 2) * FAST_COLUMNS) = __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5);
            *(quad_unaligned *)(out + (i + 3) * FAST_COLUMNS) = __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7);
        }
        for (; i < k; i++)
            for (int j = 0; j < 4; j++)
                out[i * FAST_COLUMNS + j] = in[j * step + i];
    }
    for (; column < FAST_COLUMNS; column++)
        for (int64_t i = 0; i < k; i++)
            to[i * FAST_COLUMNS + column] = column < columns ? from[column * step + i] : 0;
}

void FAST(pack_panel)(float *to, const float *from, int64_t k, int64_t columns, ptrdiff_t k_step,
                      ptrdiff_t column_step)
{
    if (column_step != 1) {
        pack_transposed(to, from, k, columns, column_step);
        return;
    }
    for (int64_t i = 0; i < k; i++) {
        memcpy(to + i * FAST_COLUMNS, from + i * k_step, (size_t)columns * sizeof(float));
        memset(to + i * FAST_COLUMNS + columns, 0, (size_t)(FAST_COLUMNS - columns) * sizeof(float));
    }
}

int64_t FAST(cut)(struct fast_segment *segments, int64_t count, struct fast_segment segment, ptrdiff_t a_k,
                  ptrdiff_t b_k, int64_t most)
{
    for (int64_t k = 0; k < segment.k; k += most) {
        segments[count].a = segment.a + k * a_k;
        segments[count].b = segment.b + k * b_k;
        segments[count].k = graft_min_i64(most, segment.k - k);
        count++;
    }
    return count;
}
