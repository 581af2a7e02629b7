/* SPDX-License-Identifier: MIT */
/*
 * Batch normalization's sums over rows: mean and variance of x, and the gradients of gamma and beta. Rows are
 * cut into chunks by the shape alone; each chunk is summed in f32, and the chunks are joined in order in
 * double.
 *
 * Variance: each chunk measures distances from a centre near its own mean, m, keeping s = Σ(x − m) and q =
 * Σ(x − m)². With the whole mean known, d = mean − m, the chunk's share is q − 2·d·s + k·d²: no cancellation
 * of large squares.
 */
#include "backend/cpu/fast/batch_norm.h"

#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/slope.h"
#include "backend/cpu/fast/thresholds.h"

#define JOIN_CHANNELS 64
#define BLOCK_ROWS 8

struct sums {
    const struct graft_cpu_args *args;
    int64_t channels, rows;
    int64_t chunk_rows, chunks;
};

static struct sums describe(const struct graft_call *call)
{
    const struct graft_shape *const x = &call->in[0].shape;
    struct sums s = {.channels = x->dim[x->rank - 1], .rows = fast_extent(x, 0, x->rank - 1)};
    s.chunk_rows = graft_max_i64(FAST_CHUNK / graft_max_i64(s.channels, 1), 16);
    s.chunk_rows = graft_max_i64(s.chunk_rows, graft_ceil_div(s.rows, FAST_BATCH_NORM_MOST_CHUNKS));
    s.chunks = graft_ceil_div(s.rows, s.chunk_rows);
    return s;
}

static int64_t chunk_size(const struct sums *s, int64_t chunk)
{
    return graft_min_i64(s->chunk_rows, s->rows - chunk * s->chunk_rows);
}

/* Where a chunk keeps its vectors [c], `which` from 0 to 2; behind the last one are the scales of a gradient.
 */
static float *partial(const struct sums *s, int64_t chunk, int which)
{
    return (float *)s->args->workspace + (chunk * 3 + which) * s->channels;
}

/* A row of a vector of channels; that of the next block is asked for, since with many channels the hardware
 * does not follow from row to row. */
FAST_INLINE vec load_row(const float *x, int64_t pitch, int row, int lanes)
{
    __builtin_prefetch(x + (row + BLOCK_ROWS) * pitch, 0, 2);
    return vec_load_count(x + row * pitch, lanes);
}

/* What one pass adds up for a vector of channels, over `rows` ≤ BLOCK_ROWS rows. */
FAST_INLINE void centre_rows(float *centre, const float *x, int64_t pitch, int rows, int lanes)
{
    vec sum = vec_load_count(centre, lanes);
    FAST_UNROLL_UP_TO(BLOCK_ROWS)
    for (int row = 0; row < rows; row++)
        sum += load_row(x, pitch, row, lanes);
    vec_store_count(centre, sum, lanes);
}

FAST_INLINE void distance_rows(const float *centre, float *distance, float *squares, const float *x,
                               int64_t pitch, int rows, int lanes)
{
    const vec from = vec_load_count(centre, lanes);
    vec sum = vec_load_count(distance, lanes);
    vec square = vec_load_count(squares, lanes);
    FAST_UNROLL_UP_TO(BLOCK_ROWS)
    for (int row = 0; row < rows; row++) {
        const vec d = vec_load_count(x + row * pitch, lanes) - from;
        sum += d;
        square += d * d;
    }
    vec_store_count(distance, sum, lanes);
    vec_store_count(squares, square, lanes);
}

/* All rows of a chunk, a block of rows at a time along all channels: `body` with c, lanes, rows and row. */
#define EACH_BLOCK(s, chunk, body)                                                                           \
    for (int64_t row = 0; row < chunk_size(s, chunk); row += BLOCK_ROWS) {                                   \
        const int rows = (int)graft_min_i64(BLOCK_ROWS, chunk_size(s, chunk) - row);                         \
        int64_t c = 0;                                                                                       \
        for (; rows == BLOCK_ROWS && c + FAST_WIDTH <= (s)->channels; c += FAST_WIDTH)                       \
            body(BLOCK_ROWS, FAST_WIDTH);                                                                    \
        for (; c < (s)->channels; c += FAST_WIDTH)                                                           \
            body(rows, (int)graft_min_i64(FAST_WIDTH, (s)->channels - c));                                   \
    }

static void stats_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
    const int64_t pitch = graft_call_in_pitch(s->args->call, 0);
    const float *const x = (const float *)s->args->in[0] + item * s->chunk_rows * pitch;
    float *const centre = partial(s, item, 0);
    float *const distance = partial(s, item, 1);
    float *const squares = partial(s, item, 2);
    memset(centre, 0, (size_t)(3 * s->channels) * sizeof(float));
#define ADD(rows, lanes) centre_rows(centre + c, x + row * pitch + c, pitch, rows, lanes)
    EACH_BLOCK(s, item, ADD)
#undef ADD
    for (int64_t c = 0; c < s->channels; c++)
        centre[c] /= (float)chunk_size(s, item);
#define ADD(rows, lanes)                                                                                     \
    distance_rows(centre + c, distance + c, squares + c, x + row * pitch + c, pitch, rows, lanes)
    EACH_BLOCK(s, item, ADD)
#undef ADD
}

static void join_stats_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
    const int64_t first = item * JOIN_CHANNELS;
    const int64_t count = graft_min_i64(JOIN_CHANNELS, s->channels - first);
    double sum[JOIN_CHANNELS] = {0};
    for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
        const double rows = (double)chunk_size(s, chunk);
        const float *const centre = partial(s, chunk, 0) + first;
        const float *const distance = partial(s, chunk, 1) + first;
        /* Distances from an infinite centre are no numbers, but the mean is that infinity. */
        FAST_INDEPENDENT
        for (int64_t c = 0; c < count; c++)
            sum[c] += rows * (double)centre[c] + (double)(isinf(centre[c]) ? 0 : distance[c]);
    }
    for (int64_t c = 0; c < count; c++)
        sum[c] /= (double)s->rows;
    double squares[JOIN_CHANNELS] = {0};
    for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
        const double rows = (double)chunk_size(s, chunk);
        const float *const centre = partial(s, chunk, 0) + first;
        const float *const distance = partial(s, chunk, 1) + first;
        const float *const square = partial(s, chunk, 2) + first;
        FAST_INDEPENDENT
        for (int64_t c = 0; c < count; c++) {
            const double d = sum[c] - (double)centre[c];
            squares[c] += (double)square[c] - 2 * d * (double)distance[c] + rows * d * d;
        }
    }
    float *const mean = s->args->out[0];
    float *const var = s->args->out[1];
    for (int64_t c = 0; c < count; c++) {
        if (mean)
            mean[first + c] = (float)sum[c];
        if (var) /* rounding may leave a tiny negative rest of a constant channel */
            var[first + c] = squares[c] < 0 ? 0 : (float)(squares[c] / (double)s->rows);
    }
}

/* Σ dz · (x − mean) and Σ dz, dz = dy · f'((x − mean) · scale + beta) of an activation. */
FAST_INLINE void grad_rows(const enum graft_unary kind, const float *mean, const float *scale,
                           const float *beta, float *products, float *sums, const float *x, int64_t x_pitch,
                           const float *dy, int64_t dy_pitch, int rows, int lanes)
{
    const vec centre = vec_load_count(mean, lanes);
    const vec by = kind == GRAFT_UNARY_NONE ? centre : vec_load_count(scale, lanes);
    const vec plus = kind == GRAFT_UNARY_NONE ? centre : vec_load_count(beta, lanes);
    vec product = vec_load_count(products, lanes);
    vec sum = vec_load_count(sums, lanes);
    FAST_UNROLL_UP_TO(BLOCK_ROWS)
    for (int row = 0; row < rows; row++) {
        const vec distance = load_row(x, x_pitch, row, lanes) - centre;
        vec gradient = load_row(dy, dy_pitch, row, lanes);
        if (kind != GRAFT_UNARY_NONE)
            gradient = fast_activation_gradient(kind, distance * by + plus, gradient);
        product += gradient * distance;
        sum += gradient;
    }
    vec_store_count(products, product, lanes);
    vec_store_count(sums, sum, lanes);
}

FAST_INLINE void grad_chunk(const enum graft_unary kind, const struct sums *s, int64_t item)
{
    const int64_t x_pitch = graft_call_in_pitch(s->args->call, 0);
    const int64_t dy_pitch = graft_call_in_pitch(s->args->call, 1);
    const float *const x = (const float *)s->args->in[0] + item * s->chunk_rows * x_pitch;
    const float *const dy = (const float *)s->args->in[1] + item * s->chunk_rows * dy_pitch;
    const float *const mean = s->args->in[2], *const beta = s->args->in[5];
    const float *const scale = partial(s, s->chunks, 0);
    float *const products = partial(s, item, 0);
    float *const sums = partial(s, item, 1);
    memset(products, 0, (size_t)(2 * s->channels) * sizeof(float));
#define ADD(rows, lanes)                                                                                     \
    grad_rows(kind, mean + c, scale + c, beta + c, products + c, sums + c, x + row * x_pitch + c, x_pitch,   \
              dy + row * dy_pitch + c, dy_pitch, rows, lanes)
    EACH_BLOCK(s, item, ADD)
#undef ADD
}

static void grad_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
#define CHUNK(kind) grad_chunk(kind, s, item)
    FAST_EACH_ACTIVATION(s->args->call->attributes.batch_norm.activation, CHUNK)
#undef CHUNK
}

static void join_grad_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
    const struct graft_call *const call = s->args->call;
    const int64_t first = item * JOIN_CHANNELS;
    const int64_t count = graft_min_i64(JOIN_CHANNELS, s->channels - first);
    double products[JOIN_CHANNELS] = {0};
    double sums[JOIN_CHANNELS] = {0};
    for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
        const float *const product = partial(s, chunk, 0) + first;
        const float *const sum = partial(s, chunk, 1) + first;
        FAST_INDEPENDENT
        for (int64_t c = 0; c < count; c++) {
            products[c] += (double)product[c];
            sums[c] += (double)sum[c];
        }
    }
    const float *const var = (const float *)s->args->in[3] + first;
    float *const dgamma = s->args->out[0];
    float *const dbeta = s->args->out[1];
    for (int64_t c = 0; c < count; c++) {
        products[c] /= sqrt((double)var[c] + (double)call->attributes.batch_norm.epsilon);
        if (dgamma)
            dgamma[first + c] =
                (float)((fast_accumulates(call, 0) ? (double)dgamma[first + c] : 0) + products[c]);
        if (dbeta)
            dbeta[first + c] = (float)((fast_accumulates(call, 1) ? (double)dbeta[first + c] : 0) + sums[c]);
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    const char *const reason = fast_need_f32(call);
    if (reason)
        return reason;
    const struct sums sums = describe(call);
    info->workspace_bytes = (uint64_t)((sums.chunks * 3 + 1) * sums.channels) * sizeof(float);
    info->prepared_bytes = 0;
    info->pitched_inputs = call->op == GRAFT_OP_BATCH_NORM_STATS ? 1u : 3u;
    return NULL;
}

static void run_stats(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct sums sums = describe(args->call);
    sums.args = args;
    graft_pool_run(args->pool, sums.chunks, stats_item, &sums);
    graft_pool_run(args->pool, graft_ceil_div(sums.channels, JOIN_CHANNELS), join_stats_item, &sums);
}

static void run_grad(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct sums sums = describe(args->call);
    sums.args = args;
    if (args->in[4])
        fast_batch_norm_scale(args->call, partial(&sums, sums.chunks, 0), args->in[4], args->in[3],
                              sums.channels);
    graft_pool_run(args->pool, sums.chunks, grad_item, &sums);
    graft_pool_run(args->pool, graft_ceil_div(sums.channels, JOIN_CHANNELS), join_grad_item, &sums);
}

const struct graft_cpu_variant FAST(batch_norm_stats_vector) = {"vector", check, NULL, run_stats};
const struct graft_cpu_variant FAST(batch_norm_grad_param_vector) = {"vector", check, NULL, run_grad};
