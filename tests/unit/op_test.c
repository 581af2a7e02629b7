/* SPDX-License-Identifier: MIT */
/* Ops: names, text, work, and shape rules with good and bad calls. */
#include "base/context.h"
#include "op/op.h"
#include "op_expected.h"
#include "support/support.h"

#include <math.h>

#define SHAPE(rank, ...) graft_shape_of(rank, __VA_ARGS__)

static int open_context(void **state)
{
    struct graft_context *context;
    if (graft_context_open(&(struct graft_context_options){.threads = 1}, &context) != GRAFT_OK) {
        return -1;
    }
    *state = context;
    return 0;
}

static int close_context(void **state)
{
    struct graft_context *context = *state;
    graft_context_close(&context);
    return 0;
}

static void names_are_found(void **state)
{
    (void)state;
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        const struct graft_op_def *const def = graft_op_get((enum graft_op)op);
        assert_non_null(def->infer);
        assert_non_null(def->work);
        assert_int_equal(graft_op_find(def->name), op);
        for (int i = 0; i < def->max_inputs; i++) {
            assert_non_null(def->input_names[i]);
        }
        assert_true(def->max_inputs == GRAFT_MAX_INPUTS || def->input_names[def->max_inputs] == NULL);
    }
    assert_int_equal(graft_op_find("convolution"), GRAFT_OP_COUNT);
    assert_null(graft_op_get(GRAFT_OP_COUNT));
    assert_null(graft_op_get((enum graft_op) - 1));
}

static struct graft_call conv_call(struct graft_shape x, struct graft_shape w)
{
    return (struct graft_call){
        .op = GRAFT_OP_CONV2D,
        .attributes.conv2d = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1},
        .n_inputs = 2,
        .in = {{GRAFT_DTYPE_F32, x}, {GRAFT_DTYPE_F32, w}},
    };
}

static void calls_are_text(void **state)
{
    struct graft_call call = conv_call(SHAPE(4, 2, 8, 8, 3), SHAPE(4, 4, 3, 3, 3));
    call.attributes.conv2d.activation = GRAFT_UNARY_RELU;
    assert_int_equal(graft_op_infer(*state, &call), GRAFT_OK);
    char text[256];
    assert_string_equal(graft_call_format(&call, text, sizeof text),
                        "conv2d x[2, 8, 8, 3] w[4, 3, 3, 3] stride 1x1 pad 0,0,0,0 relu -> [2, 6, 6, 4]");
    char small[16];
    assert_string_equal(graft_call_format(&call, small, sizeof small), "conv2d x[2, 8, ");
    struct graft_work work;
    graft_op_get(GRAFT_OP_CONV2D)->work(&call, &work);
    assert_true(work.flops == 2.0 * 27 * 288 && work.terms == 27);
    assert_true(work.bytes == 4.0 * (384 + 108 + 288));
}

/* Operations, terms of a sum and bytes, by hand; no two sizes are equal. */
static void work_is_counted(void **state)
{
    struct graft_call call = conv_call(SHAPE(4, 2, 9, 11, 6), SHAPE(4, 8, 3, 5, 3));
    struct graft_work work;
    call.attributes.conv2d.groups = 2;
    assert_int_equal(graft_op_infer(*state, &call), GRAFT_OK); /* [2, 7, 7, 8] */
    const double products = 2.0 * 7 * 7 * 8 * (3 * 5 * 3);
    graft_op_get(call.op)->work(&call, &work);
    assert_true(work.flops == 2 * products && work.terms == 45);
    const struct graft_desc x = call.in[0], w = call.in[1], y = call.out[0];
    call.op = GRAFT_OP_CONV2D_GRAD_INPUT;
    call.in[0] = y;
    call.attributes.conv2d.size[0] = 9;
    call.attributes.conv2d.size[1] = 11;
    assert_int_equal(graft_op_infer(*state, &call), GRAFT_OK);
    graft_op_get(call.op)->work(&call, &work);
    assert_true(work.flops == 2 * products && work.terms == 15 * 4);
    call.op = GRAFT_OP_CONV2D_GRAD_WEIGHT;
    call.in[0] = x;
    call.in[1] = y;
    call.attributes.conv2d.size[0] = 3;
    call.attributes.conv2d.size[1] = 5;
    assert_int_equal(graft_op_infer(*state, &call), GRAFT_OK);
    assert_true(graft_shape_equal(&call.out[0].shape, &w.shape));
    graft_op_get(call.op)->work(&call, &work);
    assert_true(work.flops == 2 * products && work.terms == 2 * 7 * 7);
    call = (struct graft_call){.op = GRAFT_OP_MATMUL, .n_inputs = 2, .attributes.matmul.transpose_a = true};
    call.in[0] = (struct graft_desc){GRAFT_DTYPE_F32, SHAPE(3, 2, 7, 5)};
    call.in[1] = (struct graft_desc){GRAFT_DTYPE_F32, SHAPE(3, 2, 7, 3)};
    assert_int_equal(graft_op_infer(*state, &call), GRAFT_OK);
    graft_op_get(call.op)->work(&call, &work);
    assert_true(work.flops == 2.0 * 2 * 5 * 3 * 7 && work.terms == 7 && work.bytes == 4.0 * (70 + 42 + 30));
    call = (struct graft_call){.op = GRAFT_OP_REDUCE, .n_inputs = 1, .attributes.reduce.axes = 5};
    call.in[0] = (struct graft_desc){GRAFT_DTYPE_F32, SHAPE(3, 2, 7, 5)};
    assert_int_equal(graft_op_infer(*state, &call), GRAFT_OK);
    graft_op_get(call.op)->work(&call, &work);
    assert_true(work.flops == 70 && work.terms == 10 && work.bytes == 4.0 * (70 + 7));
}

/* The call must be refused with a message that holds `part`. */
static void refuse(struct graft_context *context, struct graft_call call, const char *part)
{
    if (graft_op_infer(context, &call) == GRAFT_OK) {
        fail_msg("taken, but should be refused with: %s", part);
    }
    if (strstr(graft_context_error(context), part) == NULL) {
        fail_msg("'%s' lacks '%s'", graft_context_error(context), part);
    }
}

static void bad_convolutions_are_refused(void **state)
{
    const struct graft_call good = conv_call(SHAPE(4, 2, 8, 8, 4), SHAPE(4, 4, 3, 3, 4));
    struct graft_call call = good;
    assert_int_equal(graft_op_infer(*state, &call), GRAFT_OK);
    refuse(*state, conv_call(SHAPE(3, 8, 8, 4), SHAPE(4, 4, 3, 3, 4)),
           "conv2d: x has 3 dimensions, not 4 (inputs x[8");
    refuse(*state, conv_call(SHAPE(4, 2, 8, 8, 5), SHAPE(4, 4, 3, 3, 4)), "with 5 channels, not 4");
    refuse(*state, conv_call(SHAPE(4, 2, 2, 8, 4), SHAPE(4, 4, 3, 3, 4)), "does not fit into 2x8");
    refuse(*state, conv_call(SHAPE(4, 2, 8, 8, 4), SHAPE(4, 4, 0, 3, 4)), "empty dimension");
    refuse(*state, conv_call(SHAPE(4, 2, -8, 8, 4), SHAPE(4, 4, 3, 3, 4)), "no valid shape");
    refuse(*state, conv_call(SHAPE(4, INT32_MAX, INT32_MAX, INT32_MAX, 4), SHAPE(4, 4, 3, 3, 4)),
           "no valid shape");
    refuse(*state, conv_call(SHAPE(4, 1, 1 << 20, 1 << 20, 1), SHAPE(4, 1 << 30, 1, 1, 1)), "too large");
    call = good;
    call.attributes.conv2d.groups = 3;
    refuse(*state, call, "3 groups do not divide 4");
    call.attributes.conv2d.groups = 2;
    call.in[1].shape = SHAPE(4, 5, 3, 3, 2);
    refuse(*state, call, "2 groups do not divide 4 input and 5 output channels");
    call = good;
    call.attributes.conv2d.groups = INT32_MIN;
    refuse(*state, call, "groups is -2147483648");
    call = good;
    call.attributes.conv2d.stride[1] = 0;
    refuse(*state, call, "stride 1x0");
    call = good;
    call.attributes.conv2d.dilation[0] = INT32_MAX;
    refuse(*state, call, "dilation 2147483647x1 does not fit");
    /* each axis has its own stride, dilation and pads */
    call = good;
    call.in[0].shape = SHAPE(4, 2, 8, 11, 4);
    call.attributes.conv2d = (struct graft_conv2d_attributes){
        .stride = {1, 2}, .dilation = {2, 3}, .pad = {1, 0, 0, 3}, .groups = 1};
    assert_int_equal(graft_op_infer(*state, &call), GRAFT_OK);
    assert_true(call.out[0].shape.dim[1] == 5 &&
                call.out[0].shape.dim[2] == 4); /* 8 + 1 − 4, (11 + 3 − 7) / 2 + 1 */
    call = good;
    call.attributes.conv2d.pad[3] = -1;
    refuse(*state, call, "pad 0,0,0,-1");
    call = good;
    call.attributes.conv2d.activation = (enum graft_unary)77;
    refuse(*state, call, "number 77");
    call.attributes.conv2d.activation = GRAFT_UNARY_CLIP;
    refuse(*state, call, "clip cannot be the activation of another op: add it as a unary op");
    call = good;
    call.n_inputs = 5;
    refuse(*state, call, "5 inputs are given; it takes 2 to 4");
    call.n_inputs = -1;
    refuse(*state, call, "-1 inputs are given");
    call = good;
    call.in[1].dtype = GRAFT_DTYPE_NONE;
    refuse(*state, call, "input w is missing");
    call.in[1].dtype = GRAFT_DTYPE_F64;
    refuse(*state, call, "input w is f64, those before it are f32");
    call.in[1].dtype = GRAFT_DTYPE_I32;
    refuse(*state, call, "input w is i32, not f32");
    call = good;
    call.n_inputs = 3;
    call.in[2] = (struct graft_desc){GRAFT_DTYPE_F32, SHAPE(1, 5)};
    refuse(*state, call, "bias must be a vector of 4");
    call = good;
    call.op = GRAFT_OP_CONV2D_GRAD_INPUT;
    call.attributes.conv2d.size[0] = 10;
    call.attributes.conv2d.size[1] = 11;
    refuse(*state, call, "dy must have the shape [2, 8, 9, 4]");
    call.attributes.conv2d.groups = INT32_MAX;
    refuse(*state, call, "groups");
    call.op = (enum graft_op)1000;
    refuse(*state, call, "no op of number 1000");
}

static struct graft_call one_input(enum graft_op op, struct graft_shape x)
{
    return (struct graft_call){.op = op, .n_inputs = 1, .in = {{GRAFT_DTYPE_F32, x}}};
}

static void bad_attributes_are_refused(void **state)
{
    struct graft_call call = one_input(GRAFT_OP_MAX_POOL, SHAPE(4, 1, 5, 5, 2));
    refuse(*state, call, "kernel 0x0");
    call.attributes.pool =
        (struct graft_pool_attributes){.kernel = {2, 2}, .stride = {2, 2}, .pad = {0, 2, 0, 0}};
    refuse(*state, call, "pad 0,2,0,0 must be at least 0 and less than the kernel 2x2");
    call.attributes.pool = (struct graft_pool_attributes){.kernel = {6, 2}, .stride = {2, 2}};
    refuse(*state, call, "window of 6x2 does not fit into 5x5");
    call.attributes.pool = (struct graft_pool_attributes){.adaptive = {1, 1}};
    refuse(*state, call, "averages only");
    call.op = GRAFT_OP_AVG_POOL;
    assert_int_equal(graft_op_infer(*state, &call), GRAFT_OK);
    call.attributes.pool.adaptive[1] = -1;
    refuse(*state, call, "adaptive size of 1x-1");

    call = one_input(GRAFT_OP_REDUCE, SHAPE(2, 3, 4));
    call.attributes.reduce.axes = 4;
    refuse(*state, call, "axes 0x4");
    call.attributes.reduce.axes = 1u << 31;
    refuse(*state, call, "axes 0x80000000");
    call = one_input(GRAFT_OP_REDUCE, SHAPE(2, 0, 4));
    call.attributes.reduce = (struct graft_reduce_attributes){.kind = GRAFT_REDUCE_MEAN, .axes = 1};
    refuse(*state, call, "mean of no elements");
    call = one_input(GRAFT_OP_RESHAPE, SHAPE(2, 3, 4));
    call.attributes.reshape.shape = SHAPE(1, 13);
    refuse(*state, call, "[13] has 13 elements, x has 12");
    call.attributes.reshape.shape.rank = 7;
    refuse(*state, call, "not valid");
    call = one_input(GRAFT_OP_BROADCAST, SHAPE(2, 3, 4));
    call.attributes.broadcast = (struct graft_broadcast_attributes){.shape = SHAPE(2, 3, 1), .scale = 1};
    refuse(*state, call, "cannot be stretched to [3, 1]");
    call.attributes.broadcast.scale = NAN;
    refuse(*state, call, "scale is nan");
    call = one_input(GRAFT_OP_SLICE, SHAPE(1, 4));
    call.attributes.slice.begin[0] = 2;
    call.attributes.slice.size[0] = INT64_MAX;
    refuse(*state, call, "9223372036854775807 elements from 2 on are not in dimension 0");
    call.attributes.slice.size[0] = 3;
    refuse(*state, call, "3 elements from 2 on are not in dimension 0");
    call.attributes.slice.step[0] = 2;
    call.attributes.slice.size[0] = 2;
    refuse(*state, call, "2 elements from 2 on, 2 apart, are not in dimension 0");
    call.attributes.slice.begin[0] = 5;
    call.attributes.slice.size[0] = 0;
    refuse(*state, call, "0 elements from 5 on");
    call = one_input(GRAFT_OP_PAD, SHAPE(1, 4));
    call.attributes.pad.after[0] = INT64_MAX;
    refuse(*state, call, "9223372036854775807 of dimension 0");
    call.attributes.pad.after[0] = INT64_MAX - 4;
    refuse(*state, call, "too large");
    call = one_input(GRAFT_OP_CONCAT, SHAPE(1, 4));
    call.attributes.concat.axis = 1;
    refuse(*state, call, "axis is 1");
    call.attributes.concat.axis = -1;
    refuse(*state, call, "axis is -1");
    call = one_input(GRAFT_OP_SOFTMAX, SHAPE(0, 0));
    refuse(*state, call, "x has 0 dimensions");
    call = one_input(GRAFT_OP_BATCH_NORM_STATS, SHAPE(2, 0, 4));
    refuse(*state, call, "no elements");
    call.attributes.batch_norm.epsilon = -1;
    refuse(*state, call, "epsilon is -1");
    call.attributes.batch_norm.epsilon = NAN;
    refuse(*state, call, "epsilon is nan");
    call = one_input(GRAFT_OP_RESIZE, SHAPE(4, 1, GRAFT_RESIZE_MAX_SIZE + 1, 5, 1));
    call.attributes.resize = (struct graft_resize_attributes){.size = {4, 4}};
    refuse(*state, call, "from 32768 to 4 along dimension 1");
    call.in[0].shape = SHAPE(4, 1, 5, GRAFT_RESIZE_MAX_SIZE + 1, 1);
    refuse(*state, call, "from 32768 to 4 along dimension 2");
    call.in[0].shape = SHAPE(4, 1, 5, 5, 1);
    call.attributes.resize.size[1] = GRAFT_RESIZE_MAX_SIZE + 1;
    refuse(*state, call, "from 5 to 32768 along dimension 2");
    call = one_input(GRAFT_OP_DROPOUT, SHAPE(1, 4));
    call.in[call.n_inputs++] = (struct graft_desc){GRAFT_DTYPE_I32, SHAPE(1, 1)};
    call.attributes.dropout.probability = 1;
    refuse(*state, call, "probability is 1");
    call.in[1].dtype = GRAFT_DTYPE_F32;
    refuse(*state, call, "input step is f32, not i32");
}

static void bad_pairs_are_refused(void **state)
{
    struct graft_call call = one_input(GRAFT_OP_MATMUL, SHAPE(2, 3, 4));
    call.in[call.n_inputs++] = (struct graft_desc){GRAFT_DTYPE_F32, SHAPE(2, 5, 6)};
    refuse(*state, call, "a has 4 columns, but b has 5 rows (inputs a[3, 4] b[5, 6])");
    call.in[1].shape = SHAPE(2, 3, 6);
    refuse(*state, call, "a has 4 columns, but b has 3 rows (inputs a[3, 4] b[3, 6])");
    call.in[0].shape = SHAPE(4, 2, 5, 3, 4);
    call.in[1].shape = SHAPE(4, 2, 6, 4, 6);
    refuse(*state, call, "batch dimensions of a");
    call.in[1].shape = SHAPE(4, 3, 5, 4, 6);
    refuse(*state, call, "batch dimensions of a");
    call.in[0].shape = SHAPE(3, 2, 3, 4);
    call.in[1].shape = SHAPE(3, 3, 4, 6);
    refuse(*state, call, "batch dimensions of a");
    call.op = GRAFT_OP_BINARY;
    refuse(*state, call, "dimensions must be equal or 1");
    call.in[1].shape = SHAPE(3, 0, 3, 4);
    refuse(*state, call, "dimensions must be equal or 1");
    call.in[0].shape = SHAPE(3, 2, 0, 4);
    call.in[1].shape = SHAPE(3, 2, 3, 4);
    refuse(*state, call, "dimensions must be equal or 1");
    call.in[0].shape = SHAPE(3, 2, 3, 4);
    call.in[1].shape = SHAPE(1, 4);
    call.attributes.binary = (struct graft_binary_attributes){.kind = (enum graft_binary)7};
    refuse(*state, call, "no binary function of number 7");
    call.attributes.binary = (struct graft_binary_attributes){.activation = GRAFT_UNARY_GELU};
    refuse(*state, call, "gelu cannot be the activation of another op");
    call.op = GRAFT_OP_BINARY_GRAD;
    call.in[call.n_inputs++] = (struct graft_desc){GRAFT_DTYPE_F32, SHAPE(1, 4)};
    call.attributes.binary = (struct graft_binary_attributes){.kind = GRAFT_BINARY_SUB};
    refuse(*state, call, "the gradient of sub is made of other ops");
    call.attributes.binary = (struct graft_binary_attributes){.kind = GRAFT_BINARY_DIV, .operand = 2};
    refuse(*state, call, "operand is 2");
    call.attributes.binary.operand = 1;
    refuse(*state, call, "dy must have the shape [2, 3, 4]");
    call = one_input(GRAFT_OP_CROSS_ENTROPY, SHAPE(2, 3, 4));
    call.in[call.n_inputs++] = (struct graft_desc){GRAFT_DTYPE_I32, SHAPE(1, 4)};
    refuse(*state, call, "labels must be a vector of 3");
    call = one_input(GRAFT_OP_UNARY_GRAD, SHAPE(1, 3));
    call.attributes.unary.kind = GRAFT_UNARY_RELU;
    call.in[2] = call.in[0];
    call.n_inputs = 3;
    refuse(*state, call, "computed from y, which is missing");
    call = one_input(GRAFT_OP_UNARY, SHAPE(1, 3));
    call.attributes.unary.kind = GRAFT_UNARY_COUNT;
    refuse(*state, call, "no unary function of number 16");
    call.attributes.unary = (struct graft_unary_attributes){.kind = GRAFT_UNARY_CLIP, .low = 2, .high = 1};
    refuse(*state, call, "clip from 2 to 1");
    call.attributes.unary.low = NAN;
    refuse(*state, call, "clip from nan to 1");
    call.attributes.unary = (struct graft_unary_attributes){.kind = GRAFT_UNARY_LEAKY_RELU, .alpha = -1};
    refuse(*state, call, "alpha is -1");
    call = one_input(GRAFT_OP_SGD, SHAPE(1, 3));
    call.in[1] = call.in[0];
    call.in[3] = (struct graft_desc){GRAFT_DTYPE_F32, SHAPE(1, 4)};
    call.n_inputs = 4;
    call.attributes.update.momentum = 0.5f;
    refuse(*state, call, "v must be given");
    call.attributes.update.momentum = NAN;
    refuse(*state, call, "momentum is nan");
}

static void window_sizes_are_those_of_pytorch(void **state)
{
    (void)state;
    size_t at = 0;
    for (int size = 1; size < 8; size++) {
        for (int kernel_size = 1; kernel_size < 4; kernel_size++) {
            for (int stride = 1; stride < 5; stride++) {
                for (int pad = 0; pad <= kernel_size / 2; pad++) {
                    const int64_t got = graft_window_output(size, kernel_size, stride, 1, pad, pad, true);
                    if ((double)got != expected_ceil_sizes[at++]) {
                        fail_msg("size %d kernel %d stride %d pad %d: %d", size, kernel_size, stride, pad,
                                 (int)got);
                    }
                }
            }
        }
    }
    assert_int_equal(at, sizeof expected_ceil_sizes / sizeof *expected_ceil_sizes);
    assert_int_equal(graft_window_output(10, 3, 2, 2, 0, 1, false), 4); /* floor((11 − 5) / 2) + 1 */
    assert_int_equal(graft_window_output(2, 3, 1, 1, 0, 0, false), -1);
    assert_int_equal(graft_window_output(INT64_MAX, 3, 1, 1, 1, 1, false), -1);
    assert_int_equal(graft_window_output(5, INT64_MAX, 1, INT32_MAX, 0, 0, false), -1);
    assert_int_equal(graft_window_output(5, 3, 0, 1, 0, 0, false), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(calls_are_text),
        cmocka_unit_test(work_is_counted),
        cmocka_unit_test(bad_convolutions_are_refused),
        cmocka_unit_test(bad_attributes_are_refused),
        cmocka_unit_test(bad_pairs_are_refused),
        cmocka_unit_test(window_sizes_are_those_of_pytorch),
    };
    return cmocka_run_group_tests_name("op", tests, open_context, close_context);
}
