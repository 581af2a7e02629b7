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
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/thresholds.h"
#include "backend/cpu/fast/vector.h"

#include <math.h>

#define JOIN_CHANNELS 64
#define BLOCK_VECTORS 4

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

/* Where a chunk keeps its vectors [c], `which` from 0 to 2. */
static float *partial(const struct sums *s, int64_t chunk, int which)
{
    return (float *)s->args->workspace + (chunk * 3 + which) * s->channels;
}

/* `vectors` neighbouring vectors of channels at once; count: floats in the last one. */
FAST_INLINE void stats_block(const struct sums *s, int64_t chunk, const float *x, int64_t c,
                             const int vectors, int count)
{
    const int64_t rows = chunk_size(s, chunk);
    const int64_t pitch = graft_call_in_pitch(s->args->call, 0);
    vec centre[BLOCK_VECTORS] = {{0}};
    for (int64_t row = 0; row < rows; row++)
        for (int v = 0; v < vectors; v++)
            centre[v] += vec_load_count(x + row * pitch + c + v * FAST_WIDTH, count);
    for (int v = 0; v < vectors; v++)
        centre[v] /= vec_set((float)rows);
    vec distance[BLOCK_VECTORS] = {{0}};
    vec squares[BLOCK_VECTORS] = {{0}};
    for (int64_t row = 0; row < rows; row++) {
        for (int v = 0; v < vectors; v++) {
            const vec d = vec_load_count(x + row * pitch + c + v * FAST_WIDTH, count) - centre[v];
            distance[v] += d;
            squares[v] += d * d;
        }
    }
    for (int v = 0; v < vectors; v++) {
        vec_store_count(partial(s, chunk, 0) + c + v * FAST_WIDTH, centre[v], count);
        vec_store_count(partial(s, chunk, 1) + c + v * FAST_WIDTH, distance[v], count);
        vec_store_count(partial(s, chunk, 2) + c + v * FAST_WIDTH, squares[v], count);
    }
}

static void stats_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
    const float *const x =
        (const float *)s->args->in[0] + item * s->chunk_rows * graft_call_in_pitch(s->args->call, 0);
    int64_t c = 0;
    for (; c + BLOCK_VECTORS * FAST_WIDTH <= s->channels; c += BLOCK_VECTORS * FAST_WIDTH)
        stats_block(s, item, x, c, BLOCK_VECTORS, FAST_WIDTH);
    for (; c < s->channels; c += FAST_WIDTH)
        stats_block(s, item, x, c, 1, (int)graft_min_i64(FAST_WIDTH, s->channels - c));
}

static void join_stats_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
    float *const mean = s->args->out[0];
    float *const var = s->args->out[1];
    const int64_t end = graft_min_i64((item + 1) * JOIN_CHANNELS, s->channels);
    for (int64_t c = item * JOIN_CHANNELS; c < end; c++) {
        double sum = 0;
        for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
            const double m = (double)partial(s, chunk, 0)[c];
            /* Distances from an infinite centre are no numbers, but the mean is that infinity. */
            sum += (double)chunk_size(s, chunk) * m + (isinf(m) ? 0 : (double)partial(s, chunk, 1)[c]);
        }
        const double centre = sum / (double)s->rows;
        double squares = 0;
        for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
            const double d = centre - (double)partial(s, chunk, 0)[c];
            squares += (double)partial(s, chunk, 2)[c] - 2 * d * (double)partial(s, chunk, 1)[c] +
                       (double)chunk_size(s, chunk) * d * d;
        }
        if (mean)
            mean[c] = (float)centre;
        if (var) /* rounding may leave a tiny negative rest of a constant channel */
            var[c] = squares < 0 ? 0 : (float)(squares / (double)s->rows);
    }
}

/* Σ dy · (x − mean) and Σ dy. */
FAST_INLINE void grad_block(const struct sums *s, int64_t chunk, int64_t c, const int vectors, int count)
{
    const int64_t rows = chunk_size(s, chunk);
    const int64_t x_pitch = graft_call_in_pitch(s->args->call, 0);
    const int64_t dy_pitch = graft_call_in_pitch(s->args->call, 1);
    const float *const x = (const float *)s->args->in[0] + chunk * s->chunk_rows * x_pitch + c;
    const float *const dy = (const float *)s->args->in[1] + chunk * s->chunk_rows * dy_pitch + c;
    vec mean[BLOCK_VECTORS];
    for (int v = 0; v < vectors; v++)
        mean[v] = vec_load_count((const float *)s->args->in[2] + c + v * FAST_WIDTH, count);
    vec products[BLOCK_VECTORS] = {{0}};
    vec sums[BLOCK_VECTORS] = {{0}};
    for (int64_t row = 0; row < rows; row++) {
        for (int v = 0; v < vectors; v++) {
            const vec gradient = vec_load_count(dy + row * dy_pitch + v * FAST_WIDTH, count);
            products[v] += gradient * (vec_load_count(x + row * x_pitch + v * FAST_WIDTH, count) - mean[v]);
            sums[v] += gradient;
        }
    }
    for (int v = 0; v < vectors; v++) {
        vec_store_count(partial(s, chunk, 0) + c + v * FAST_WIDTH, products[v], count);
        vec_store_count(partial(s, chunk, 1) + c + v * FAST_WIDTH, sums[v], count);
    }
}

static void grad_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
    int64_t c = 0;
    for (; c + BLOCK_VECTORS * FAST_WIDTH <= s->channels; c += BLOCK_VECTORS * FAST_WIDTH)
        grad_block(s, item, c, BLOCK_VECTORS, FAST_WIDTH);
    for (; c < s->channels; c += FAST_WIDTH)
        grad_block(s, item, c, 1, (int)graft_min_i64(FAST_WIDTH, s->channels - c));
}

static void join_grad_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
    const struct graft_call *const call = s->args->call;
    const float *const var = s->args->in[3];
    float *const dgamma = s->args->out[0];
    float *const dbeta = s->args->out[1];
    const int64_t end = graft_min_i64((item + 1) * JOIN_CHANNELS, s->channels);
    for (int64_t c = item * JOIN_CHANNELS; c < end; c++) {
        double products = 0;
        double sum = 0;
        for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
            products += (double)partial(s, chunk, 0)[c];
            sum += (double)partial(s, chunk, 1)[c];
        }
        products /= sqrt((double)var[c] + (double)call->attributes.batch_norm.epsilon);
        if (dgamma)
            dgamma[c] = (float)((fast_accumulates(call, 0) ? (double)dgamma[c] : 0) + products);
        if (dbeta)
            dbeta[c] = (float)((fast_accumulates(call, 1) ? (double)dbeta[c] : 0) + sum);
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
    info->workspace_bytes = (uint64_t)(sums.chunks * 3 * sums.channels) * sizeof(float);
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
    graft_pool_run(args->pool, sums.chunks, grad_item, &sums);
    graft_pool_run(args->pool, graft_ceil_div(sums.channels, JOIN_CHANNELS), join_grad_item, &sums);
}

const struct graft_cpu_variant FAST(batch_norm_stats_vector) = {"vector", check, NULL, run_stats};
const struct graft_cpu_variant FAST(batch_norm_grad_param_vector) = {"vector", check, NULL, run_grad};
