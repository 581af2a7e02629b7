/* SPDX-License-Identifier: MIT */
/*
 * aᵀ · b of few columns and many rows, as a dense layer's gradient for its weights is: the same sums as those
 * of a 1×1 convolution, a being the gradients of k positions and b their inputs. So they are taken like
 * those, some positions at a time that stay in the caches, in splits side by side (conv2d_grad_weight.c).
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

extern const struct graft_cpu_variant FAST(conv2d_grad_weight_gemm);

/* x [1, 1, k, n], dy [1, 1, k, m] → [m, 1, 1, n] */
static struct graft_call correlation_of(const struct graft_call *call)
{
    const struct graft_shape *const a = &call->in[0].shape, *const b = &call->in[1].shape;
    struct graft_call made = {
        .op = GRAFT_OP_CONV2D_GRAD_WEIGHT,
        .attributes.conv2d = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1},
        .n_inputs = 2,
        .real = call->real,
        .accumulate = call->accumulate,
        .in_pitch = {call->in_pitch[1], call->in_pitch[0]},
    };
    made.in[0] = call->in[1];
    made.in[1] = call->in[0];
    made.out[0] = call->out[0];
    made.in[0].shape = (struct graft_shape){.rank = 4, .dim = {1, 1, b->dim[0], b->dim[1]}};
    made.in[1].shape = (struct graft_shape){.rank = 4, .dim = {1, 1, a->dim[0], a->dim[1]}};
    made.out[0].shape = (struct graft_shape){.rank = 4, .dim = {a->dim[1], 1, 1, b->dim[1]}};
    return made;
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    const struct graft_matmul_attributes *const attributes = &call->attributes.matmul;
    if (!attributes->transpose_a || attributes->transpose_b || call->in[0].shape.rank != 2 ||
        call->in[1].shape.rank != 2)
        return "for aᵀ · b of two matrices";
    if (call->in[2].dtype != GRAFT_DTYPE_NONE || call->in[3].dtype != GRAFT_DTYPE_NONE ||
        attributes->activation != GRAFT_UNARY_NONE)
        return "nothing is added, and no activation taken";
    if (call->in[0].shape.dim[0] < FAST_SPLIT_K)
        return "for sums of many terms";
    const struct graft_call made = correlation_of(call);
    return FAST(conv2d_grad_weight_gemm).check(device, &made, info);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    const struct graft_call made = correlation_of(args->call);
    struct graft_cpu_args given = *args;
    given.call = &made;
    given.in[0] = args->in[1];
    given.in[1] = args->in[0];
    FAST(conv2d_grad_weight_gemm).run(device, &given);
}

const struct graft_cpu_variant FAST(matmul_split_k) = {"split_k", check, NULL, run};
