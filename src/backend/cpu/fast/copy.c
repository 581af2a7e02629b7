/* SPDX-License-Identifier: MIT */
/*
 * Ops that only move elements: concat, slice, pad, reshape. Everything that lies together in source and
 * target is one run; an item is a number of runs. Concat and slice copy the same bytes for any dtype, padding
 * and sums need f32.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

/* Copies, or adds to, a run of floats. */
static void move(float *to, const float *from, int64_t count, bool accumulate)
{
    if (!accumulate) {
        memcpy(to, from, (size_t)count * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < count; i++)
        to[i] += from[i];
}

/* The box of x in y (pad) or of y in x (slice): which run of the inner tensor lies where in the outer one. */
struct box {
    const struct graft_cpu_args *args;
    struct graft_shape inner, outer;
    int64_t begin[GRAFT_MAX_RANK]; /* of the inner in the outer */
    int64_t step[GRAFT_MAX_RANK];  /* in the outer, from one to the next of the inner */
    int axis; /* from here on, the inner one fills the outer: runs span these dimensions */
    int64_t run,
        outer_run;     /* floats of a run, and from one index before `axis` to the next in the outer one */
    int64_t run_step;  /* in the outer, between floats of a run: 1 where more than one dimension is one */
    int64_t inner_run; /* floats from run to run of the inner one */
    int64_t item_runs;
};

static struct box make_box(const struct graft_cpu_args *args, const struct graft_shape *inner,
                           int64_t inner_pitch, const struct graft_shape *outer, int64_t outer_pitch,
                           const int64_t *begin, const int64_t *step)
{
    struct box box = {.args = args, .inner = *inner, .outer = *outer, .run_step = 1};
    const bool apart = inner_pitch != graft_shape_width(inner) || outer_pitch != graft_shape_width(outer);
    memcpy(box.begin, begin, sizeof box.begin);
    memcpy(box.step, step, sizeof box.step);
    box.axis = inner->rank > 0 ? inner->rank - 1 : 0;
    while (!apart && box.axis > 0 && inner->dim[box.axis] == outer->dim[box.axis])
        box.axis--;
    if (box.axis < inner->rank && step[box.axis] > 1) { /* this one has gaps, those behind it are full */
        const bool last = box.axis == inner->rank - 1;
        box.run_step = last ? step[box.axis] : 1;
        box.axis += last ? 0 : 1;
    }
    box.run = fast_extent(inner, box.axis, inner->rank);
    box.inner_run = apart ? inner_pitch : box.run;
    box.outer_run = apart ? outer_pitch : fast_extent(outer, box.axis, outer->rank);
    box.item_runs = graft_max_i64(FAST_CHUNK / graft_max_i64(box.run, 1), 1);
    return box;
}

/* Where run `index` of the inner tensor begins in the outer one. */
static int64_t outer_begin(const struct box *box, int64_t index)
{
    int64_t at = 0;
    int64_t stride = box->outer_run;
    if (box->outer.rank > 0)
        at = box->begin[box->axis] * fast_extent(&box->outer, box->axis + 1, box->outer.rank);
    for (int d = box->axis - 1; d >= 0; d--) {
        at += (index % box->inner.dim[d] * box->step[d] + box->begin[d]) * stride;
        index /= box->inner.dim[d];
        stride *= box->outer.dim[d];
    }
    return at;
}

static int64_t runs_of(const struct box *box)
{
    return fast_extent(&box->inner, 0, box->axis);
}

static void slice_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct box *const box = argument;
    const bool accumulate = fast_accumulates(box->args->call, 0);
    const int64_t end = graft_min_i64((item + 1) * box->item_runs, runs_of(box));
    for (int64_t run = item * box->item_runs; run < end; run++) {
        float *const to = (float *)box->args->out[0] + run * box->inner_run;
        const float *const from = (const float *)box->args->in[0] + outer_begin(box, run);
        if (box->run_step == 1)
            move(to, from, box->run, accumulate);
        else
            for (int64_t i = 0; i < box->run; i++)
                to[i] = from[i * box->run_step] + (accumulate ? to[i] : 0);
    }
}

static void slice(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_call *const call = args->call;
    if (graft_shape_count(&call->out[0].shape) == 0)
        return;
    int64_t step[GRAFT_MAX_RANK];
    for (int d = 0; d < GRAFT_MAX_RANK; d++)
        step[d] = graft_max_i64(call->attributes.slice.step[d], 1);
    struct box box = make_box(args, &call->out[0].shape, graft_call_out_pitch(call, 0), &call->in[0].shape,
                              graft_call_in_pitch(call, 0), call->attributes.slice.begin, step);
    graft_pool_run(args->pool, graft_ceil_div(runs_of(&box), box.item_runs), slice_item, &box);
}

static void pad_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct box *const box = argument;
    const bool accumulate = fast_accumulates(box->args->call, 0);
    const int64_t end = graft_min_i64((item + 1) * box->item_runs, runs_of(box));
    for (int64_t run = item * box->item_runs; run < end; run++) {
        float *const to = (float *)box->args->out[0] + outer_begin(box, run);
        const float *const from = (const float *)box->args->in[0] + run * box->inner_run;
        if (box->run_step == 1)
            move(to, from, box->run, accumulate);
        else
            for (int64_t i = 0; i < box->run; i++)
                to[i * box->run_step] = from[i] + (accumulate ? to[i * box->run_step] : 0);
    }
}

static void fill_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct graft_cpu_args *const args = argument;
    const float value = args->call->attributes.pad.value;
    const int64_t end = fast_chunk_end(item, graft_shape_count(&args->call->out[0].shape));
    float *const y = args->out[0];
    for (int64_t i = fast_chunk_begin(item); i < end; i++)
        y[i] = value;
}

static void pad(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_call *const call = args->call;
    if (!fast_accumulates(call, 0)) /* else the value is 0 */
        graft_pool_run(args->pool, fast_chunks(graft_shape_count(&call->out[0].shape)), fill_item,
                       (void *)args);
    if (graft_shape_count(&call->in[0].shape) == 0)
        return;
    int64_t step[GRAFT_MAX_RANK];
    for (int d = 0; d < GRAFT_MAX_RANK; d++)
        step[d] = call->attributes.pad.between[d] + 1;
    struct box box = make_box(args, &call->in[0].shape, graft_call_in_pitch(call, 0), &call->out[0].shape,
                              graft_call_out_pitch(call, 0), call->attributes.pad.before, step);
    graft_pool_run(args->pool, graft_ceil_div(runs_of(&box), box.item_runs), pad_item, &box);
}

/* Item: some indices before the axis, from all inputs. */
static void concat_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct graft_cpu_args *const args = argument;
    const struct graft_call *const call = args->call;
    const struct graft_shape *const y = &call->out[0].shape;
    const int axis = call->attributes.concat.axis;
    const bool last = axis == y->rank - 1; /* views are parts of this one */
    const int64_t total = fast_extent(y, axis, y->rank);
    const int64_t y_run = last ? graft_call_out_pitch(call, 0) : total;
    const int64_t runs = fast_extent(y, 0, axis);
    const int64_t item_runs = graft_max_i64(FAST_CHUNK / total, 1);
    const int64_t end = graft_min_i64((item + 1) * item_runs, runs);
    int64_t begin = 0;
    for (int i = 0; i < call->n_inputs; i++) {
        const int64_t length = fast_extent(&call->in[i].shape, axis, y->rank);
        const int64_t x_run = last ? graft_call_in_pitch(call, i) : length;
        for (int64_t run = item * item_runs; run < end && length > 0 && !(call->placed >> i & 1u); run++)
            memcpy((float *)args->out[0] + run * y_run + begin, (const float *)args->in[i] + run * x_run,
                   (size_t)length * sizeof(float));
        begin += length;
    }
}

static void concat(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_shape *const y = &args->call->out[0].shape;
    const int axis = args->call->attributes.concat.axis;
    const int64_t total = fast_extent(y, axis, y->rank);
    if (total == 0)
        return;
    const int64_t item_runs = graft_max_i64(FAST_CHUNK / total, 1);
    graft_pool_run(args->pool, graft_ceil_div(fast_extent(y, 0, axis), item_runs), concat_item, (void *)args);
}

static void reshape_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct graft_cpu_args *const args = argument;
    const int64_t begin = fast_chunk_begin(item);
    const int64_t end = fast_chunk_end(item, graft_shape_count(&args->call->out[0].shape));
    move((float *)args->out[0] + begin, (const float *)args->in[0] + begin, end - begin,
         fast_accumulates(args->call, 0));
}

static void reshape(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    if (args->in[0] == args->out[0] && !fast_accumulates(args->call, 0))
        return;
    graft_pool_run(args->pool, fast_chunks(graft_shape_count(&args->call->out[0].shape)), reshape_item,
                   (void *)args);
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    const struct graft_shape *const y = &call->out[0].shape;
    if (call->op == GRAFT_OP_CONCAT && call->attributes.concat.axis == y->rank - 1)
        info->pitched_inputs = (1u << call->n_inputs) - 1;
    if (call->op == GRAFT_OP_SLICE)
        info->pitched_inputs = 1u;
    info->pitched_outputs = info->pitched_inputs != 0;
    return call->in[0].dtype == GRAFT_DTYPE_F32 ? NULL : "it moves f32 elements";
}

static const char *check_pad(const struct graft_cpu_device *device, const struct graft_call *call,
                             struct graft_variant_info *info)
{
    return fast_accumulates(call, 0) && call->attributes.pad.value != 0
               ? "it fills before it copies, and adds zeros only"
               : check(device, call, info);
}

const struct graft_cpu_variant FAST(concat_vector) = {"vector", check, NULL, concat};
const struct graft_cpu_variant FAST(slice_vector) = {"vector", check, NULL, slice};
const struct graft_cpu_variant FAST(pad_vector) = {"vector", check_pad, NULL, pad};
const struct graft_cpu_variant FAST(reshape_vector) = {"vector", check, NULL, reshape};
