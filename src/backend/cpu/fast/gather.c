/* SPDX-License-Identifier: MIT */
/* gather_grad: through the index once, in its order; threads share the columns. */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

struct columns {
    const struct graft_cpu_args *args;
    int64_t count, rows, inner, each; /* columns of an item */
};

static void item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct columns *const c = argument;
    const int32_t *const index = c->args->in[1];
    const float *const dy = c->args->in[0];
    float *const dx = c->args->out[0];
    const int64_t first = item * c->each, end = graft_min_i64(first + c->each, c->inner);
    for (int64_t r = 0; r < c->rows && !fast_accumulates(c->args->call, 0); r++)
        memset(dx + r * c->inner + first, 0, (size_t)(end - first) * sizeof *dx);
    for (int64_t i = 0; i < c->count; i++) {
        if (index[i] < 0 || index[i] >= c->rows)
            continue;
        const float *const from = dy + i * c->inner;
        float *const to = dx + index[i] * c->inner;
        for (int64_t k = first; k < end; k++)
            to[k] += from[k];
    }
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    const struct graft_shape *const dy = &args->call->in[0].shape;
    struct columns c = {.args = args,
                        .count = dy->dim[0],
                        .rows = args->call->attributes.gather.rows,
                        .inner = fast_extent(dy, 1, dy->rank)};
    c.each = fast_block(c.inner, FAST_WIDTH, c.inner, fast_threads(device));
    graft_pool_run(args->pool, graft_ceil_div(c.inner, c.each), item, &c);
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

const struct graft_cpu_variant FAST(gather_grad_columns) = {"columns", check, NULL, run};
