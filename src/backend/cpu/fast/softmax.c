/* SPDX-License-Identifier: MIT */
/*
 * softmax, log_softmax, cross_entropy and their gradients: rows [rows, classes], each taken whole by one
 * thread. A NaN in a row, or no number above −Inf, makes the sum of its exponentials NaN, and so the row.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/function.h"

#include <math.h>

/* for (ROW(i, n, count)): n ≤ FAST_WIDTH elements from i on. */
#define ROW(i, n, count)                                                                                     \
    int64_t i = 0, n = 0;                                                                                    \
    i<(count) && (n = graft_min_i64((count)-i, FAST_WIDTH))> 0;                                              \
    i += FAST_WIDTH

FAST_INLINE void store(float *to, vec value, int64_t count, bool accumulate)
{
    if (accumulate)
        value += vec_load_count(to, count);
    vec_store_count(to, value, count);
}

/* `other` in lanes from `count` on. */
FAST_INLINE vec fill_rest(vec value, int64_t count, float other)
{
    if (count < FAST_WIDTH)
        for (int lane = (int)count; lane < FAST_WIDTH; lane++)
            value[lane] = other;
    return value;
}

/* Not a NaN: the sum has it. */
static float largest_of(const float *x, int64_t count)
{
    vec largest = vec_set(-INFINITY);
    for (ROW(i, n, count)) {
        const vec value = fill_rest(vec_load_count(x + i, n), n, -INFINITY);
        largest = vec_select(value > largest, value, largest);
    }
    return vec_largest(largest);
}

/* Σ exp(x − largest) */
static float exponentials_of(const float *x, int64_t count, float largest)
{
    vec sum = {0};
    for (ROW(i, n, count))
        sum += fill_rest(vec_exp(vec_load_count(x + i, n) - largest), n, 0);
    return vec_sum(sum);
}

typedef void row_function(const struct graft_cpu_args *args, int64_t row, int64_t classes);

struct rows {
    const struct graft_cpu_args *args;
    int64_t rows, classes;
    int64_t item_rows;
    row_function *row;
};

static void softmax_row(const struct graft_cpu_args *args, int64_t row, int64_t classes)
{
    const float *const x = (const float *)args->in[0] + row * classes;
    float *const y = (float *)args->out[0] + row * classes;
    const float largest = largest_of(x, classes);
    const float scale = 1 / exponentials_of(x, classes, largest);
    for (ROW(i, n, classes))
        store(y + i, vec_exp(vec_load_count(x + i, n) - largest) * scale, n, false);
}

static void log_softmax_row(const struct graft_cpu_args *args, int64_t row, int64_t classes)
{
    const float *const x = (const float *)args->in[0] + row * classes;
    float *const y = (float *)args->out[0] + row * classes;
    const float largest = largest_of(x, classes);
    const float logarithm = logf(exponentials_of(x, classes, largest));
    for (ROW(i, n, classes))
        store(y + i, vec_load_count(x + i, n) - largest - logarithm, n, false);
}

/* y · (dy − Σ y·dy) */
static void softmax_grad_row(const struct graft_cpu_args *args, int64_t row, int64_t classes)
{
    const float *const y = (const float *)args->in[0] + row * classes;
    const float *const dy = (const float *)args->in[1] + row * classes;
    float *const dx = (float *)args->out[0] + row * classes;
    const bool accumulate = fast_accumulates(args->call, 0);
    vec products = {0};
    for (ROW(i, n, classes))
        products += vec_load_count(y + i, n) * vec_load_count(dy + i, n);
    const float sum = vec_sum(products);
    for (ROW(i, n, classes))
        store(dx + i, vec_load_count(y + i, n) * (vec_load_count(dy + i, n) - sum), n, accumulate);
}

/* dy − exp(y) · Σ dy */
static void log_softmax_grad_row(const struct graft_cpu_args *args, int64_t row, int64_t classes)
{
    const float *const y = (const float *)args->in[0] + row * classes;
    const float *const dy = (const float *)args->in[1] + row * classes;
    float *const dx = (float *)args->out[0] + row * classes;
    const bool accumulate = fast_accumulates(args->call, 0);
    vec gradients = {0};
    for (ROW(i, n, classes))
        gradients += vec_load_count(dy + i, n);
    const float sum = vec_sum(gradients);
    for (ROW(i, n, classes))
        store(dx + i, vec_load_count(dy + i, n) - vec_exp(vec_load_count(y + i, n)) * sum, n, accumulate);
}

/* Part of the target that every class has, and that of the label, both to be multiplied by weights. */
struct target {
    float others, own;
};

static struct target target_of(const struct graft_cpu_args *args, int64_t classes)
{
    const float smoothing = args->call->attributes.cross_entropy.label_smoothing;
    return (struct target){smoothing / (float)classes, 1 - smoothing};
}

static void cross_entropy_row(const struct graft_cpu_args *args, int64_t row, int64_t classes)
{
    const float *const x = (const float *)args->in[0] + row * classes;
    const int32_t label = ((const int32_t *)args->in[1])[row];
    const float *const weights = args->in[2];
    float *const loss = (float *)args->out[0] + row;
    if (label < 0 || label >= classes) {
        *loss = NAN;
        return;
    }
    const struct target target = target_of(args, classes);
    const float largest = largest_of(x, classes);
    const float logarithm = logf(exponentials_of(x, classes, largest));
    const float own = target.own * (weights ? weights[label] : 1);
    float result = own != 0 ? own * (logarithm - (x[label] - largest)) : 0; /* 0 · ∞ would be NaN */
    if (target.others != 0) {
        vec sum = {0};
        for (ROW(i, n, classes)) {
            const vec weight = weights ? vec_load_count(weights + i, n) : vec_set(1);
            const vec term = weight * (logarithm - (vec_load_count(x + i, n) - largest));
            sum += fill_rest(vec_select(weight == vec_set(0), (vec){0}, term), n, 0);
        }
        result += target.others * vec_sum(sum);
    }
    *loss = result;
}

/* dloss · (p · Σ target − target) */
static void cross_entropy_grad_row(const struct graft_cpu_args *args, int64_t row, int64_t classes)
{
    const float *const x = (const float *)args->in[0] + row * classes;
    const int32_t label = ((const int32_t *)args->in[1])[row];
    const float dloss = ((const float *)args->in[2])[row];
    const float *const weights = args->in[3];
    float *const dx = (float *)args->out[0] + row * classes;
    const bool accumulate = fast_accumulates(args->call, 0);
    const struct target target = target_of(args, classes);
    const bool is_class = label >= 0 && label < classes;
    float targets = is_class ? 1 : NAN;
    if (weights && is_class) {
        vec sum = {0};
        for (ROW(i, n, classes))
            sum += vec_load_count(weights + i, n);
        targets = target.others * vec_sum(sum) + target.own * weights[label];
    }
    const float largest = largest_of(x, classes);
    const float scale = targets / exponentials_of(x, classes, largest);
    for (ROW(i, n, classes)) {
        vec part = vec_exp(vec_load_count(x + i, n) - largest) * scale;
        part -= weights ? vec_load_count(weights + i, n) * target.others : vec_set(target.others);
        if (label >= i && label < i + n)
            part[label - i] -= target.own * (weights ? weights[label] : 1);
        store(dx + i, dloss * part, n, accumulate);
    }
}

static row_function *const row_functions[GRAFT_OP_COUNT] = {
    [GRAFT_OP_SOFTMAX] = softmax_row,
    [GRAFT_OP_SOFTMAX_GRAD] = softmax_grad_row,
    [GRAFT_OP_LOG_SOFTMAX] = log_softmax_row,
    [GRAFT_OP_LOG_SOFTMAX_GRAD] = log_softmax_grad_row,
    [GRAFT_OP_CROSS_ENTROPY] = cross_entropy_row,
    [GRAFT_OP_CROSS_ENTROPY_GRAD] = cross_entropy_grad_row,
};

static void item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct rows *const rows = argument;
    const int64_t end = graft_min_i64((item + 1) * rows->item_rows, rows->rows);
    for (int64_t row = item * rows->item_rows; row < end; row++)
        rows->row(rows->args, row, rows->classes);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_shape *const shape = &args->call->in[0].shape;
    struct rows rows = {
        .args = args,
        .row = row_functions[args->call->op],
        .rows = fast_extent(shape, 0, shape->rank - 1),
        .classes = shape->dim[shape->rank - 1],
    };
    rows.item_rows = graft_max_i64(FAST_CHUNK / 4 / graft_max_i64(rows.classes, 1), 1);
    graft_pool_run(args->pool, graft_ceil_div(rows.rows, rows.item_rows), item, &rows);
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

const struct graft_cpu_variant FAST(softmax_vector) = {"vector", check, NULL, run};
