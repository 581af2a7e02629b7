/* SPDX-License-Identifier: MIT */
/*
 * Slices: some indices along a dimension in which an op computes each alone (channels of a normalization,
 * rows of a softmax), gathered from operands and results, are a call of their own. It is small enough for the
 * f64 reference and the bounds of the small cases.
 */
#include "real_truth.h"
#include "tolerance.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ELEMENTS 1000000 /* of all tensors of a slice, about */
#define MOST_ELEMENTS 40000000
#define WHOLE 9 /* a tensor that all slices share */
#define MOST_INDICES 4096

/* The dimension that is cut, of each tensor; negative ones count from the last: -1. */
struct axes {
    int8_t in[GRAFT_MAX_INPUTS];
    int8_t out[GRAFT_MAX_OUTPUTS];
};

struct cut {
    struct axes axes;
    int64_t count;
    int64_t index[MOST_INDICES];
};

static const struct axes rows = {.in = {0}};
static const struct axes channels = {.in = {-1, -1, -1, -1, -1, -1, -1, -1}, .out = {-1, -1}};

static bool all_alike(const struct graft_call *call)
{
    for (int i = 0; i < call->n_inputs; i++) {
        if (call->in[i].dtype != GRAFT_DTYPE_NONE &&
            !graft_shape_equal(&call->in[i].shape, &call->out[0].shape)) {
            return false;
        }
    }
    return call->out[0].shape.rank > 0;
}

/* The largest dimension of the result: an operand that is stretched along it is whole in each slice. */
static bool stretched_axes(const struct graft_call *call, struct axes *axes)
{
    const struct graft_shape *const y = &call->out[0].shape;
    int largest = 1; /* from the last one */
    for (int d = 2; d <= y->rank; d++) {
        largest = y->dim[y->rank - d] > y->dim[y->rank - largest] ? d : largest;
    }
    *axes = (struct axes){.out = {(int8_t)-largest}};
    for (int i = 0; i < call->n_inputs; i++) {
        const struct graft_shape *const x = &call->in[i].shape;
        const bool has = x->rank >= largest && x->dim[x->rank - largest] == y->dim[y->rank - largest];
        axes->in[i] = has ? (int8_t)-largest : WHOLE;
    }
    return y->rank > 0;
}

/* The last dimension that a reduction or its broadcast leaves as it is. */
static bool kept_axes(const struct graft_call *call, struct axes *axes)
{
    const struct graft_shape *const x = &call->in[0].shape;
    const struct graft_shape *const y = &call->out[0].shape;
    *axes = (struct axes){.in = {WHOLE}, .out = {WHOLE}};
    if (call->op == GRAFT_OP_BROADCAST) {
        for (int d = 1; d <= x->rank; d++) {
            if (x->dim[x->rank - d] == y->dim[y->rank - d] && x->dim[x->rank - d] > 1) {
                axes->in[0] = axes->out[0] = (int8_t)-d;
            }
        }
        return true;
    }
    for (int d = 0, kept = 0; d < x->rank; d++) {
        if (call->attributes.reduce.axes >> d & 1u) {
            kept += call->attributes.reduce.keep_dims;
            continue;
        }
        axes->in[0] = (int8_t)d;
        axes->out[0] = (int8_t)kept++;
    }
    return true;
}

/* The dimension in which each index stands for itself. */
static bool find_axes(const struct graft_call *call, struct axes *axes)
{
    *axes = rows;
    switch (call->op) {
    case GRAFT_OP_AVG_POOL:
    case GRAFT_OP_AVG_POOL_GRAD:
    case GRAFT_OP_BATCH_NORM:
    case GRAFT_OP_BATCH_NORM_STATS:
    case GRAFT_OP_BATCH_NORM_UPDATE:
    case GRAFT_OP_BATCH_NORM_GRAD_PARAM:
    case GRAFT_OP_BATCH_NORM_GRAD_INPUT:
        *axes = channels;
        return true;
    case GRAFT_OP_BATCH_NORM_FOLD:
    case GRAFT_OP_SOFTMAX:
    case GRAFT_OP_SOFTMAX_GRAD:
    case GRAFT_OP_LOG_SOFTMAX:
    case GRAFT_OP_LOG_SOFTMAX_GRAD:
    case GRAFT_OP_RESIZE:
    case GRAFT_OP_RESIZE_GRAD:
    case GRAFT_OP_LRN:
    case GRAFT_OP_LRN_GRAD:
        return true;
    case GRAFT_OP_NORMALIZE:
    case GRAFT_OP_GROUP_NORM:
        axes->in[1] = axes->in[2] = WHOLE;
        return true;
    case GRAFT_OP_GROUP_NORM_GRAD_INPUT:
    case GRAFT_OP_CROSS_ENTROPY:
        axes->in[2] = WHOLE;
        return true;
    case GRAFT_OP_CROSS_ENTROPY_GRAD:
        axes->in[3] = WHOLE;
        return true;
    case GRAFT_OP_SGD:
    case GRAFT_OP_RMSPROP:
        axes->in[3] = axes->in[4] = WHOLE;
        return true;
    case GRAFT_OP_ADAM:
        axes->in[4] = axes->in[5] = WHOLE;
        return true;
    case GRAFT_OP_UNARY:
    case GRAFT_OP_UNARY_GRAD:
        return all_alike(call);
    case GRAFT_OP_BINARY:
    case GRAFT_OP_BINARY_GRAD:
        return all_alike(call) || stretched_axes(call, axes);
    case GRAFT_OP_REDUCE:
    case GRAFT_OP_BROADCAST:
        return kept_axes(call, axes);
    case GRAFT_OP_GATHER:
    case GRAFT_OP_GATHER_GRAD:
        *axes = channels;
        axes->in[1] = WHOLE;
        return true;
    case GRAFT_OP_ATTENTION: /* heads */
        *axes = (struct axes){.in = {2, 2, 2, 1, WHOLE}, .out = {2, 2}};
        return true;
    case GRAFT_OP_ATTENTION_GRAD:
        *axes = (struct axes){.in = {2, 2, 2, 2, 2, 2, 1, WHOLE}, .out = {2, 2, 2, 1}};
        return true;
    case GRAFT_OP_GROUP_NORM_GRAD_PARAM: /* with one group, each channel alone */
        *axes = channels;
        axes->in[2] = WHOLE;
        return call->attributes.group_norm.groups == 1;
    case GRAFT_OP_DROPOUT: /* an element's number decides */
        *axes = (struct axes){.in = {WHOLE, WHOLE, WHOLE}, .out = {WHOLE, WHOLE}};
        return true;
    default:
        return false;
    }
}

static int axis_of(const struct graft_desc *desc, int8_t axis)
{
    return axis < 0 ? desc->shape.rank + axis : axis;
}

static int64_t elements_of(const struct graft_call *call)
{
    int64_t elements = 0;
    for (int i = 0; i < call->n_inputs; i++) {
        elements += call->in[i].dtype != GRAFT_DTYPE_NONE ? graft_shape_count(&call->in[i].shape) : 0;
    }
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        elements += call->out[i].dtype != GRAFT_DTYPE_NONE ? graft_shape_count(&call->out[i].shape) : 0;
    }
    return elements;
}

/* Size of the dimension that is cut; 1 if none is. */
static int64_t cut_size(const struct graft_call *call, const struct axes *axes)
{
    for (int i = 0; i < call->n_inputs; i++) {
        if (axes->in[i] != WHOLE && call->in[i].dtype != GRAFT_DTYPE_NONE) {
            return call->in[i].shape.dim[axis_of(&call->in[i], axes->in[i])];
        }
    }
    return 1;
}

bool graft_real_slice_is(const struct graft_call *call)
{
    struct axes axes;
    return find_axes(call, &axes) && elements_of(call) / cut_size(call, &axes) <= MOST_ELEMENTS;
}

/* The first index, the last one, and others in order. */
static void choose_indices(struct cut *cut, int64_t size, int64_t wanted, uint64_t seed)
{
    const int64_t most = wanted < MOST_INDICES ? wanted : MOST_INDICES;
    cut->count = most < 1 ? 1 : most > size ? size : most;
    if (cut->count == 1) {
        cut->index[0] = (int64_t)(graft_real_mix(seed) % (uint64_t)size);
        return;
    }
    for (int64_t i = 0; i < cut->count; i++) { /* one of each of `count` equal runs */
        const int64_t first = i * size / cut->count;
        const int64_t end = (i + 1) * size / cut->count;
        const uint64_t word = graft_real_mix(seed + (uint64_t)i);
        cut->index[i] = i == 0                ? 0
                        : i == cut->count - 1 ? size - 1
                                              : first + (int64_t)(word % (uint64_t)(end - first));
    }
}

/* A tensor with the indices of the cut only; *desc becomes its own. */
static void *gather(struct graft_heap *heap, struct graft_desc *desc, const void *values,
                    const struct cut *cut, int8_t axis)
{
    if (axis == WHOLE || values == NULL) {
        return (void *)values;
    }
    const int d = axis_of(desc, axis);
    const size_t size = graft_dtype_size(desc->dtype);
    int64_t outer = 1;
    int64_t inner = 1;
    for (int i = 0; i < desc->shape.rank; i++) {
        outer *= i < d ? desc->shape.dim[i] : 1;
        inner *= i > d ? desc->shape.dim[i] : 1;
    }
    const int64_t whole = desc->shape.dim[d];
    desc->shape.dim[d] = cut->count;
    char *const part = graft_heap_get(heap, (size_t)graft_shape_count(&desc->shape), size);
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t i = 0; i < cut->count; i++) {
            memcpy(part + (size_t)((o * cut->count + i) * inner) * size,
                   (const char *)values + (size_t)((o * whole + cut->index[i]) * inner) * size,
                   (size_t)inner * size);
        }
    }
    return part;
}

/* A call with operands, prior contents and results, all in the device's form. */
struct slice {
    struct graft_call call;
    void *in[GRAFT_MAX_INPUTS];
    float *prior[GRAFT_MAX_OUTPUTS];
    struct graft_real_results got;
};

static void cut_slice(struct graft_heap *heap, struct slice *slice, const struct cut *cut)
{
    struct graft_call *const call = &slice->call;
    const struct axes *const axes = &cut->axes;
    for (int i = 0; i < call->n_inputs; i++) {
        struct graft_desc desc = call->in[i];
        slice->got.in[i] = gather(heap, &desc, slice->got.in[i], cut, axes->in[i]);
        if (call->in[i].dtype != GRAFT_DTYPE_NONE) {
            slice->in[i] = gather(heap, &call->in[i], slice->in[i], cut, axes->in[i]);
        }
    }
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        if (call->out[i].dtype == GRAFT_DTYPE_NONE) {
            continue;
        }
        struct graft_desc desc = call->out[i];
        slice->prior[i] = gather(heap, &desc, slice->prior[i], cut, axes->out[i]);
        slice->got.out[i] = gather(heap, &call->out[i], slice->got.out[i], cut, axes->out[i]);
        if (call->op == GRAFT_OP_BROADCAST) {
            call->attributes.broadcast.shape = call->out[0].shape;
        }
    }
}

static double *widen(struct graft_heap *heap, const float *values, int64_t count)
{
    double *const wide = graft_heap_get(heap, (size_t)count, sizeof *wide);
    for (int64_t i = 0; i < count; i++) {
        wide[i] = (double)values[i];
    }
    return wide;
}

/* The slice's truth, as that of a small case. */
static bool make_truth(struct graft_heap *heap, struct graft_context *context, const struct slice *slice,
                       struct graft_truth *truth)
{
    struct graft_call call64 = slice->call;
    *truth = (struct graft_truth){.call = slice->call};
    for (int i = 0; i < call64.n_inputs; i++) {
        truth->inputs.in[i] = slice->in[i];
        if (call64.in[i].dtype == GRAFT_DTYPE_F32) {
            call64.in[i].dtype = GRAFT_DTYPE_F64;
            truth->inputs.in[i] = widen(heap, slice->in[i], graft_shape_count(&slice->call.in[i].shape));
        }
    }
    call64.real = GRAFT_DTYPE_F64;
    call64.constant = call64.accumulate = 0;
    if (graft_op_infer(context, &call64) != GRAFT_OK) {
        return false;
    }
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        if (slice->call.out[i].dtype == GRAFT_DTYPE_NONE) {
            call64.out[i].dtype = GRAFT_DTYPE_NONE;
        } else if (!graft_shape_equal(&call64.out[i].shape, &slice->call.out[i].shape)) {
            graft_fail(context, GRAFT_ERROR_SHAPE, "a slice of %s has another shape",
                       graft_op_get(call64.op)->name);
            return false;
        } else if (slice->prior[i] != NULL) {
            truth->prior[i] = widen(heap, slice->prior[i], graft_shape_count(&call64.out[i].shape));
        }
    }
    struct graft_work work = {0};
    graft_op_get(call64.op)->work(&call64, &work);
    truth->terms = work.terms;
    graft_truth_compute(heap, &call64, truth);
    graft_tolerance_fill(heap, &call64, truth);
    return true;
}

static bool compare(const struct graft_truth *truth, const struct slice *slice, double *share,
                    struct graft_conform_difference *difference, char *text, size_t size)
{
    for (int r = 0; r < truth->n_results; r++) {
        const struct graft_result *const result = &truth->results[r];
        const float *const got = result->input ? slice->got.in[result->index] : slice->got.out[result->index];
        struct graft_comparison comparison;
        const bool near = graft_compare(got, result->wanted, result->tolerance, result->count, &comparison);
        *share = comparison.share > *share ? comparison.share : *share;
        if (!near) {
            *difference = (struct graft_conform_difference){.known = true,
                                                            .index = comparison.index,
                                                            .count = result->count,
                                                            .bad = comparison.bad,
                                                            .got = comparison.got,
                                                            .wanted = comparison.wanted,
                                                            .tolerance = comparison.tolerance};
            char where[200];
            graft_real_differs(&slice->call, result->input, result->index, difference, where, sizeof where);
            snprintf(text, size, "a slice, %s", where);
            return false;
        }
    }
    return true;
}

/* Of a product that is not exact (Winograd's): one picture and some channels; of filter gradients, some of
 * both sides' channels. */
static void cut_product(struct graft_heap *heap, struct slice *slice, uint64_t seed)
{
    struct cut *const cut = graft_heap_get(heap, 1, sizeof *cut);
    const enum graft_op op = slice->call.op;
    const bool weight = op == GRAFT_OP_CONV2D_GRAD_WEIGHT;
    cut->axes = weight ? (struct axes){.in = {-1, WHOLE}, .out = {-1}}
                       : (struct axes){.in = {0, WHOLE, WHOLE, 0}, .out = {0}};
    choose_indices(cut, cut_size(&slice->call, &cut->axes), 1, seed);
    cut_slice(heap, slice, cut);
    cut->axes = weight                  ? (struct axes){.in = {WHOLE, -1}, .out = {0}}
                : op == GRAFT_OP_CONV2D ? (struct axes){.in = {WHOLE, 0, 0, -1}, .out = {-1}}
                                        : (struct axes){.in = {WHOLE, -1}, .out = {-1}};
    choose_indices(cut, cut_size(&slice->call, &cut->axes), weight ? 1 : 2, seed + 5);
    cut_slice(heap, slice, cut);
}

bool graft_real_slice_compare(const struct graft_real_truth *real, struct graft_context *context,
                              const struct graft_real_results *got, const char *variant, double *share,
                              struct graft_conform_difference *difference, char *text, size_t size)
{
    struct graft_heap heap = {NULL, 0, 0};
    struct slice slice = {.call = real->call, .got = *got};
    struct graft_truth truth;
    struct graft_truth adapted;
    memcpy(slice.in, real->in, sizeof slice.in);
    memcpy(slice.prior, real->prior, sizeof slice.prior);
    if (real->is_product) {
        cut_product(&heap, &slice, real->seed + 31);
    } else {
        struct cut *const cut = graft_heap_get(&heap, 1, sizeof *cut);
        find_axes(&slice.call, &cut->axes);
        const int64_t whole = cut_size(&slice.call, &cut->axes);
        choose_indices(cut, whole, ELEMENTS / (elements_of(&slice.call) / whole + 1), real->seed + 31);
        cut_slice(&heap, &slice, cut);
    }
    const struct graft_job job = {.op = real->call.op, .tier = GRAFT_TIER_ROUNDING};
    bool good = make_truth(&heap, context, &slice, &truth);
    if (!good) {
        snprintf(text, size, "%s", graft_context_error(context));
    } else if (!graft_truth_adapt(&heap, &job, variant, &truth, &adapted)) {
        snprintf(text, size, "the variant has no bound for the slice");
        good = false;
    } else {
        good = compare(&adapted, &slice, share, difference, text, size);
    }
    graft_heap_close(&heap);
    return good;
}
