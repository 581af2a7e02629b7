/* SPDX-License-Identifier: MIT */
/* y[n, oh, ow, o] = activation(sum over kh, kw, c of x[n, ih, iw, c] · w[o, kh, kw, c] + bias[o] + residual),
 * with the weights packed into panels. */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/correlate.h"

struct plan {
    struct fast_correlation correlation;
    bool prepared;
    uint64_t packed_at, scratch_at, workspace_bytes;
    int64_t packed_floats;
};

static struct fast_axis axis(const struct graft_call *call, int which)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    return (struct fast_axis){
        .in = call->in[0].shape.dim[1 + which],
        .out = call->out[0].shape.dim[1 + which],
        .stride = a->stride[which],
        .first = -a->pad[2 * which],
        .taps = call->in[1].shape.dim[1 + which],
        .step = a->dilation[which],
        .out_step = 1,
    };
}

static void make_plan(struct plan *plan, const struct graft_cpu_device *device, const struct graft_call *call)
{
    const struct graft_shape *const w = &call->in[1].shape;
    const int groups = call->attributes.conv2d.groups;
    memset(plan, 0, sizeof *plan);
    plan->correlation = (struct fast_correlation){
        .images = call->out[0].shape.dim[0],
        .y = axis(call, 0),
        .x = axis(call, 1),
        .groups = groups,
        .c = w->dim[3],
        .o = w->dim[0] / groups,
        .out_size = {call->out[0].shape.dim[1], call->out[0].shape.dim[2]},
        .in_pitch = graft_call_in_pitch(call, 0),
        .out_pitch = graft_call_out_pitch(call, 0),
    };
    const int threads = fast_threads(device);
    plan->prepared = call->constant >> 1 & 1u;
    FAST(correlation_plan)(&plan->correlation, threads);
    plan->packed_floats = FAST(correlation_packed)(&plan->correlation);
    uint64_t used = 0;
    if (!plan->prepared)
        plan->packed_at = fast_take(&used, (uint64_t)plan->packed_floats * sizeof(float));
    plan->scratch_at = fast_take(&used, plan->correlation.scratch_bytes * (uint64_t)threads);
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
    info->prepared_bytes = plan.prepared ? (uint64_t)plan.packed_floats * sizeof(float) : 0;
    info->pitched_inputs = 1u;
    info->pitched_outputs = call->in[3].dtype == GRAFT_DTYPE_NONE; /* a residual lies as y does */
    return NULL;
}

struct packing {
    const struct fast_correlation *correlation;
    const float *w;
    float *to;
};

/* Item: group × panel. */
static void pack_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct packing *const packing = argument;
    const struct fast_correlation *const c = packing->correlation;
    const int64_t k = c->y.taps * c->x.taps * c->c;
    const int64_t panels = graft_ceil_div(c->o, FAST_COLUMNS);
    const int64_t group = item / panels;
    const int64_t first = item % panels * FAST_COLUMNS;
    FAST(pack_panel)
    (packing->to + group * FAST(packed_floats)(k, c->o) + first * k, packing->w + (group * c->o + first) * k,
     k, graft_min_i64(FAST_COLUMNS, c->o - first), 1, k);
}

static void pack(const struct plan *plan, const struct graft_cpu_args *args, float *to)
{
    const struct fast_correlation *const c = &plan->correlation;
    struct packing packing = {c, args->in[1], to};
    graft_pool_run(args->pool, c->groups * graft_ceil_div(c->o, FAST_COLUMNS), pack_item, &packing);
}

static void prepare(const struct graft_cpu_device *device, const struct graft_cpu_args *args, void *prepared)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    if (plan.prepared)
        pack(&plan, args, prepared);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    char *const workspace = args->workspace;
    float *const packed = plan.prepared ? (float *)args->prepared : (float *)(workspace + plan.packed_at);
    if (!plan.prepared)
        pack(&plan, args, packed);
    const struct fast_correlation_run correlation = {
        .plan = &plan.correlation,
        .in = args->in[0],
        .b = packed,
        .out = args->out[0],
        .bias = args->in[2],
        .residual = args->in[3],
        .activation = args->call->attributes.conv2d.activation,
        .scratch = workspace + plan.scratch_at,
    };
    FAST(correlation_run)(&correlation, args->pool);
}

const struct graft_cpu_variant FAST(conv2d_gemm) = {"gemm", check, prepare, run};
