/* SPDX-License-Identifier: MIT */
/*
 * Sums, means and sums of squares: y[o, i] = sum over r and t of x[o, r, i, t]. The sum is cut into chunks of
 * rows r that depend on the shape only; chunks are summed in f32, side by side, and added in order in double,
 * and so are the t.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"
#include "backend/merge.h"

#define MOST_CHUNKS 1024
#define BLOCK_VECTORS 4
#define JOIN_OUTPUTS 256

struct sums {
    const struct graft_cpu_args *args;
    int64_t outer, terms, kept, tail;
    int64_t inner; /* floats of a row: kept × tail */
    int64_t chunk_terms, chunks;
    int64_t item_units; /* a unit is a chunk of one o */
};

/* False if the reduced dimensions lie in more than two places, or in two and not also at the end (dimensions
 * of 1 aside). */
static bool describe(struct sums *s, const struct graft_call *call)
{
    struct graft_merged merged;
    graft_merge_reduced(&merged, call);
    *s = (struct sums){.outer = 1, .terms = 1, .kept = 1, .tail = 1};
    int places = 0;
    for (int d = 0; d < merged.count; d++) {
        const bool reduced = merged.step[1][d] == 0;
        places += reduced;
        if (places > 2 || (places == 2 && !reduced))
            return false;
        *(places == 0 ? &s->outer : places == 2 ? &s->tail : reduced ? &s->terms : &s->kept) *= merged.dim[d];
    }
    s->inner = s->kept * s->tail;
    const int64_t inner = graft_max_i64(s->inner, 1);
    s->chunk_terms = graft_max_i64(FAST_CHUNK / inner, 16);
    s->chunk_terms = graft_max_i64(s->chunk_terms, graft_ceil_div(s->terms, MOST_CHUNKS));
    s->chunks = graft_max_i64(graft_ceil_div(s->terms, s->chunk_terms), 1);
    const int64_t unit = graft_max_i64(graft_min_i64(s->chunk_terms, s->terms) * inner, 1);
    s->item_units = graft_max_i64(FAST_CHUNK / unit, 1);
    return true;
}

FAST_INLINE vec term(vec x, const bool squares)
{
    return squares ? x * x : x;
}

/* Rows of `inner` floats, or their squares, added up. */
FAST_INLINE void sum_rows(float *to, const float *x, int64_t rows, int64_t inner, const bool squares)
{
    int64_t i = 0;
    for (; i + BLOCK_VECTORS * FAST_WIDTH <= inner; i += BLOCK_VECTORS * FAST_WIDTH) {
        vec sums[BLOCK_VECTORS] = {{0}};
        for (int64_t row = 0; row < rows; row++)
            for (int v = 0; v < BLOCK_VECTORS; v++)
                sums[v] += term(vec_load(x + row * inner + i + v * FAST_WIDTH), squares);
        for (int v = 0; v < BLOCK_VECTORS; v++)
            vec_store(to + i + v * FAST_WIDTH, sums[v]);
    }
    for (; i < inner; i += FAST_WIDTH) {
        const int count = (int)graft_min_i64(FAST_WIDTH, inner - i);
        vec sum = {0};
        for (int64_t row = 0; row < rows; row++)
            sum += term(vec_load_count(x + row * inner + i, count), squares);
        vec_store_count(to + i, sum, count);
    }
}

/* One sum of a contiguous run. */
FAST_INLINE float sum_run(const float *x, int64_t count, const bool squares)
{
    vec sums[BLOCK_VECTORS] = {{0}};
    int64_t i = 0;
    for (; i + BLOCK_VECTORS * FAST_WIDTH <= count; i += BLOCK_VECTORS * FAST_WIDTH)
        for (int v = 0; v < BLOCK_VECTORS; v++)
            sums[v] += term(vec_load(x + i + v * FAST_WIDTH), squares);
    for (int v = 0; i < count; i += FAST_WIDTH, v++)
        sums[v] += term(vec_load_count(x + i, (int)graft_min_i64(FAST_WIDTH, count - i)), squares);
    const vec all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    float sum = 0;
    for (int lane = 0; lane < FAST_WIDTH; lane++)
        sum += all[lane];
    return sum;
}

static void sum_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
    const int64_t end = graft_min_i64((item + 1) * s->item_units, s->outer * s->chunks);
    for (int64_t unit = item * s->item_units; unit < end; unit++) {
        const int64_t first = unit % s->chunks * s->chunk_terms;
        const int64_t terms = graft_min_i64(s->chunk_terms, s->terms - first);
        const float *const x =
            (const float *)s->args->in[0] + (unit / s->chunks * s->terms + first) * s->inner;
        float *const partial = (float *)s->args->workspace + unit * s->inner;
        const bool squares = s->args->call->attributes.reduce.kind == GRAFT_REDUCE_SQUARES;
        if (s->inner == 1)
            *partial = squares ? sum_run(x, terms, true) : sum_run(x, terms, false);
        else if (squares)
            sum_rows(partial, x, terms, s->inner, true);
        else
            sum_rows(partial, x, terms, s->inner, false);
    }
}

/* Item: JOIN_OUTPUTS elements of y. */
static void join_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
    const struct graft_call *const call = s->args->call;
    const float *const partial = s->args->workspace;
    float *const y = s->args->out[0];
    const bool accumulate = fast_accumulates(call, 0);
    const bool mean = call->attributes.reduce.kind == GRAFT_REDUCE_MEAN;
    const double divisor = mean ? (double)s->terms * (double)s->tail : 1;
    const int64_t end = graft_min_i64((item + 1) * JOIN_OUTPUTS, s->outer * s->kept);
    for (int64_t i = item * JOIN_OUTPUTS; i < end; i++) {
        const float *const row = partial + i / s->kept * s->chunks * s->inner + i % s->kept * s->tail;
        double sum = 0;
        for (int64_t chunk = 0; chunk < s->chunks; chunk++)
            for (int64_t t = 0; t < s->tail; t++)
                sum += (double)row[chunk * s->inner + t];
        y[i] = (float)((accumulate ? (double)y[i] : 0) + sum / divisor);
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    const char *const reason = fast_need_f32(call);
    if (reason)
        return reason;
    struct sums sums;
    if (!describe(&sums, call))
        return "it sums over neighbouring dimensions, and the last ones";
    info->workspace_bytes = (uint64_t)(sums.outer * sums.chunks * sums.inner) * sizeof(float);
    info->prepared_bytes = 0;
    return NULL;
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct sums sums;
    describe(&sums, args->call);
    sums.args = args;
    graft_pool_run(args->pool, graft_ceil_div(sums.outer * sums.chunks, sums.item_units), sum_item, &sums);
    graft_pool_run(args->pool, graft_ceil_div(sums.outer * sums.kept, JOIN_OUTPUTS), join_item, &sums);
}

const struct graft_cpu_variant FAST(reduce_vector) = {"vector", check, NULL, run};
