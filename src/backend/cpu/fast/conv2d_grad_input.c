/* SPDX-License-Identifier: MIT */
/*
 * dx[n, ih, iw, c] = sum over all outputs that saw the element of dy[n, oh, ow, o] · w[o, kh, kw, c].
 *
 * Positions of x with the same remainder by the stride (a phase) see the same taps, and are a convolution of
 * dy with stride 1 and the taps turned round. The phases run one after the other and share nothing.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/correlate.h"

struct plan {
    const struct graft_call *call;
    int threads;
    bool prepared;
    uint64_t packed_bytes, packed_at, scratch_at, workspace_bytes;
};

/* The taps of one phase along one axis: kernel positions last, last − between, … */
struct taps {
    int64_t last;
    int64_t between;
    int64_t count;
};

static struct taps phase_taps(const struct graft_call *call, int which, int64_t phase)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const int64_t stride = a->stride[which];
    struct taps taps = {0};
    int64_t before = -1;
    for (int64_t k = 0; k < call->in[1].shape.dim[1 + which]; k++) {
        if ((phase + a->pad[2 * which] - k * a->dilation[which]) % stride)
            continue;
        if (before >= 0)
            taps.between = k - before;
        before = taps.last = k;
        taps.count++;
    }
    return taps;
}

static struct fast_axis phase_axis(const struct graft_call *call, int which, int64_t phase)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const int64_t stride = a->stride[which];
    const struct taps taps = phase_taps(call, which, phase);
    const int64_t size = call->out[0].shape.dim[1 + which];
    return (struct fast_axis){
        .in = call->in[0].shape.dim[1 + which],
        .out = phase < size ? (size - phase + stride - 1) / stride : 0,
        .stride = 1,
        .first = taps.count ? (phase + a->pad[2 * which] - taps.last * a->dilation[which]) / stride : 0,
        .taps = taps.count,
        .step = taps.between * a->dilation[which] / stride,
        .out_first = phase,
        .out_step = stride,
    };
}

static void make_phase(struct fast_correlation *phase, const struct graft_call *call, int64_t index,
                       int threads)
{
    const struct graft_shape *const w = &call->in[1].shape;
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    *phase = (struct fast_correlation){
        .images = call->out[0].shape.dim[0],
        .y = phase_axis(call, 0, index / a->stride[1]),
        .x = phase_axis(call, 1, index % a->stride[1]),
        .groups = a->groups,
        .c = w->dim[0] / a->groups,
        .o = w->dim[3],
        .out_size = {call->out[0].shape.dim[1], call->out[0].shape.dim[2]},
        .in_pitch = graft_call_in_pitch(call, 0),
        .out_pitch = graft_call_out_pitch(call, 0),
    };
    FAST(correlation_plan)(phase, threads);
}

static int64_t phase_count(const struct graft_call *call)
{
    return (int64_t)call->attributes.conv2d.stride[0] * call->attributes.conv2d.stride[1];
}

static void make_plan(struct plan *plan, const struct graft_cpu_device *device, const struct graft_call *call)
{
    *plan =
        (struct plan){.call = call, .threads = fast_threads(device), .prepared = call->constant >> 1 & 1u};
    uint64_t scratch = 0;
    for (int64_t i = 0; i < phase_count(call); i++) {
        struct fast_correlation phase;
        make_phase(&phase, call, i, plan->threads);
        scratch = phase.scratch_bytes > scratch ? phase.scratch_bytes : scratch;
        plan->packed_bytes += (uint64_t)FAST(correlation_packed)(&phase) * sizeof(float);
    }
    uint64_t used = 0;
    if (!plan->prepared)
        plan->packed_at = fast_take(&used, plan->packed_bytes);
    plan->scratch_at = fast_take(&used, scratch * (uint64_t)plan->threads);
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
    info->prepared_bytes = plan.prepared ? plan.packed_bytes : 0;
    info->pitched_inputs = info->pitched_outputs = 1u;
    return NULL;
}

struct packing {
    const struct graft_call *call;
    const struct fast_correlation *phase;
    struct taps y, x;
    const float *w;
    float *to;
};

/* Item: group × panel of one phase. */
static void pack_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct packing *const packing = argument;
    const struct graft_shape *const w = &packing->call->in[1].shape; /* [o, kh, kw, c] */
    const struct fast_correlation *const phase = packing->phase;
    const int64_t panels = graft_ceil_div(phase->o, FAST_COLUMNS);
    const int64_t group = item / panels;
    const int64_t first = item % panels * FAST_COLUMNS;
    const int64_t columns = graft_min_i64(FAST_COLUMNS, phase->o - first);
    const int64_t k = packing->y.count * packing->x.count * phase->c;
    const int64_t filter = w->dim[1] * w->dim[2] * w->dim[3];
    float *to = packing->to + group * FAST(packed_floats)(k, phase->o) + first * k;
    for (int64_t ty = 0; ty < packing->y.count; ty++) {
        for (int64_t tx = 0; tx < packing->x.count; tx++) {
            const int64_t ky = packing->y.last - ty * packing->y.between;
            const int64_t kx = packing->x.last - tx * packing->x.between;
            const float *const from =
                packing->w + group * phase->c * filter + (ky * w->dim[2] + kx) * w->dim[3] + first;
            FAST(pack_panel)(to, from, phase->c, columns, filter, 1);
            to += phase->c * FAST_COLUMNS;
        }
    }
}

static void pack_phase(const struct graft_cpu_args *args, const struct fast_correlation *phase, int64_t index,
                       float *to)
{
    const int64_t phases_x = args->call->attributes.conv2d.stride[1];
    struct packing packing = {
        .call = args->call,
        .phase = phase,
        .y = phase_taps(args->call, 0, index / phases_x),
        .x = phase_taps(args->call, 1, index % phases_x),
        .w = args->in[1],
        .to = to,
    };
    graft_pool_run(args->pool, phase->groups * graft_ceil_div(phase->o, FAST_COLUMNS), pack_item, &packing);
}

static void prepare(const struct graft_cpu_device *device, const struct graft_cpu_args *args, void *prepared)
{
    float *to = prepared;
    for (int64_t i = 0; (args->call->constant >> 1 & 1u) && i < phase_count(args->call); i++) {
        struct fast_correlation phase;
        make_phase(&phase, args->call, i, fast_threads(device));
        pack_phase(args, &phase, i, to);
        to += FAST(correlation_packed)(&phase);
    }
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    char *const workspace = args->workspace;
    float *packed = plan.prepared ? (float *)args->prepared : (float *)(workspace + plan.packed_at);
    for (int64_t i = 0; i < phase_count(args->call); i++) {
        struct fast_correlation phase;
        make_phase(&phase, args->call, i, plan.threads);
        if (!plan.prepared)
            pack_phase(args, &phase, i, packed);
        const struct fast_correlation_run correlation = {
            .plan = &phase,
            .in = args->in[0],
            .b = packed,
            .out = args->out[0],
            .accumulate = fast_accumulates(args->call, 0),
            .scratch = workspace + plan.scratch_at,
        };
        FAST(correlation_run)(&correlation, args->pool);
        packed += FAST(correlation_packed)(&phase);
    }
}

const struct graft_cpu_variant FAST(conv2d_grad_input_gemm) = {"gemm", check, prepare, run};
