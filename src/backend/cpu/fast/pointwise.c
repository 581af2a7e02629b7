/* SPDX-License-Identifier: MIT */
/*
 * 1×1 convolutions of stride 1 and their gradients are products of matrices whose rows are pixels:
 *
 *   y [pixels, o] = x [pixels, c] · wᵀ        dx [pixels, c] = dy [pixels, o] · w        dw [o, c] = dyᵀ · x
 *
 * with w [o, c]. Those with a large b are taken as such: one variant of each of the three (matmul_columns.c).
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

extern const struct graft_cpu_variant FAST(matmul_columns);

static bool is_pointwise(const struct graft_call *call, const struct graft_shape *w)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    bool plain = w->dim[1] == 1 && w->dim[2] == 1 && a->stride[0] == 1 && a->stride[1] == 1 && a->groups == 1;
    for (int i = 0; i < 4; i++)
        plain = plain && a->pad[i] == 0;
    return plain;
}

/* As a matrix: the last dimension of rank 4 and all others; of weights the first and the last. */
static void flatten(struct graft_desc *desc, bool weights)
{
    const struct graft_shape shape = desc->shape;
    desc->shape = (struct graft_shape){
        .rank = 2,
        .dim = {weights ? shape.dim[0] : fast_extent(&shape, 0, 3), shape.dim[3]},
    };
}

/* What of the inputs is a, and b. */
static int place_of(const struct graft_call *call, int of_product)
{
    return call->op == GRAFT_OP_CONV2D_GRAD_WEIGHT ? 1 - of_product : of_product;
}

static struct graft_call product_of(const struct graft_call *call)
{
    const bool forward = call->op == GRAFT_OP_CONV2D, weight = call->op == GRAFT_OP_CONV2D_GRAD_WEIGHT;
    struct graft_call made = *call;
    made.op = GRAFT_OP_MATMUL;
    memset(&made.attributes, 0, sizeof made.attributes);
    made.attributes.matmul.transpose_a = weight;
    made.attributes.matmul.transpose_b = forward;
    made.attributes.matmul.activation = forward ? call->attributes.conv2d.activation : GRAFT_UNARY_NONE;
    made.constant = call->constant & (weight ? 0 : 2u);
    for (int i = 0; i < 2; i++) {
        made.in[i] = call->in[place_of(call, i)];
        made.in_pitch[i] = call->in_pitch[place_of(call, i)];
    }
    flatten(&made.in[0], false);
    flatten(&made.in[1], !weight);
    flatten(&made.out[0], weight);
    if (call->in[3].dtype != GRAFT_DTYPE_NONE)
        flatten(&made.in[3], false);
    return made;
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    const bool weight = call->op == GRAFT_OP_CONV2D_GRAD_WEIGHT;
    if (!is_pointwise(call, weight ? &call->out[0].shape : &call->in[1].shape))
        return "for filters of 1x1, stride 1, one group and no padding";
    const struct graft_call made = product_of(call);
    const char *const reason = FAST(matmul_columns).check(device, &made, info);
    info->pitched_inputs = weight ? 3u : 1u;
    info->pitched_outputs = !weight && call->in[3].dtype == GRAFT_DTYPE_NONE; /* a residual lies as y does */
    return reason;
}

static struct graft_cpu_args args_of(const struct graft_cpu_args *args, const struct graft_call *made)
{
    struct graft_cpu_args given = *args;
    given.call = made;
    for (int i = 0; i < 2; i++)
        given.in[i] = args->in[place_of(args->call, i)];
    return given;
}

static void prepare(const struct graft_cpu_device *device, const struct graft_cpu_args *args, void *prepared)
{
    const struct graft_call made = product_of(args->call);
    const struct graft_cpu_args given = args_of(args, &made);
    FAST(matmul_columns).prepare(device, &given, prepared);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    const struct graft_call made = product_of(args->call);
    const struct graft_cpu_args given = args_of(args, &made);
    FAST(matmul_columns).run(device, &given);
}

const struct graft_cpu_variant FAST(conv2d_columns) = {"columns", check, prepare, run};
const struct graft_cpu_variant FAST(conv2d_grad_input_columns) = {"columns", check, prepare, run};
const struct graft_cpu_variant FAST(conv2d_grad_weight_columns) = {"columns", check, NULL, run};
