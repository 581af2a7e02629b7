/* SPDX-License-Identifier: MIT */
/*
 * Reference kernels that resize, normalize, pool and move the pixels of a picture against PyTorch's numbers
 * (spatial_expected.h, printed by spatial_expected.py).
 */
#include "reference_trial.h"
#include "spatial_expected.h"

#define COUNT(name) (sizeof(name) / sizeof *(name))

/* op(x) and the gradient op, whose inputs are x (if it wants it) and dy. */
static void check_both(struct graft_context *context, enum graft_op op, enum graft_op grad, bool wants_x,
                       const union graft_attributes *attributes,
                       const union graft_attributes *grad_attributes, struct graft_shape x, const double *y,
                       size_t y_count, const double *dx, size_t dx_count, const char *what)
{
    struct trial *trial = trial_new(context, op);
    trial->call.attributes = *attributes;
    give(trial, x, 1);
    check_output(trial, y, y_count, what);
    const struct graft_shape shape = trial->call.out[0].shape;
    free(trial);
    trial = trial_new(context, grad);
    trial->call.attributes = *grad_attributes;
    if (wants_x) {
        give(trial, x, 1);
    }
    give(trial, shape, 2);
    check_output(trial, dx, dx_count, what);
    free(trial);
}

#define CHECK_BOTH(state, op, grad, wants_x, attributes, grad_attributes, x, name)                           \
    check_both(*state, op, grad, wants_x, attributes, grad_attributes, x, name, COUNT(name), name##_dx,      \
               COUNT(name##_dx), #name)

static void check_resize(struct graft_context *context, enum graft_resize_mode mode, bool align_corners,
                         int32_t height, int32_t width, struct graft_shape x, const double *y, size_t y_count,
                         const double *dx, size_t dx_count, const char *what)
{
    const union graft_attributes forward = {.resize = {mode, align_corners, {height, width}}};
    const union graft_attributes backward = {
        .resize = {mode, align_corners, {(int32_t)x.dim[1], (int32_t)x.dim[2]}}};
    check_both(context, GRAFT_OP_RESIZE, GRAFT_OP_RESIZE_GRAD, false, &forward, &backward, x, y, y_count, dx,
               dx_count, what);
}

#define CHECK_RESIZE(mode, corners, height, width, x, name)                                                  \
    check_resize(*state, mode, corners, height, width, x, name, COUNT(name), name##_dx, COUNT(name##_dx),    \
                 #name)

static void resizing_is_that_of_pytorch(void **state)
{
    CHECK_RESIZE(GRAFT_RESIZE_NEAREST, false, 7, 4, SHAPE(4, 1, 3, 5, 2), expected_nearest);
    CHECK_RESIZE(GRAFT_RESIZE_NEAREST, false, 1, 123, SHAPE(4, 1, 1, 3, 1), expected_nearest_rounded);
    CHECK_RESIZE(GRAFT_RESIZE_BILINEAR, false, 7, 6, SHAPE(4, 1, 3, 4, 2), expected_bilinear_up);
    CHECK_RESIZE(GRAFT_RESIZE_BILINEAR, false, 3, 5, SHAPE(4, 1, 7, 8, 2), expected_bilinear_down);
    CHECK_RESIZE(GRAFT_RESIZE_BILINEAR, true, 7, 4, SHAPE(4, 1, 3, 5, 2), expected_bilinear_corners);
    CHECK_RESIZE(GRAFT_RESIZE_BILINEAR, true, 1, 4, SHAPE(4, 1, 3, 5, 2), expected_bilinear_corners_one);
}

static void local_response_is_that_of_pytorch(void **state)
{
    const struct graft_shape x = SHAPE(4, 1, 2, 2, 9);
    const union graft_attributes odd = {.lrn = {5, 0.5f, 0.75f, 2}};
    const union graft_attributes even = {.lrn = {4, 1.5f, 0.5f, 1}};
    const union graft_attributes wide = {.lrn = {15, 2, 1.25f, 0.5f}};
    CHECK_BOTH(state, GRAFT_OP_LRN, GRAFT_OP_LRN_GRAD, true, &odd, &odd, x, expected_lrn);
    CHECK_BOTH(state, GRAFT_OP_LRN, GRAFT_OP_LRN_GRAD, true, &even, &even, x, expected_lrn_even);
    CHECK_BOTH(state, GRAFT_OP_LRN, GRAFT_OP_LRN_GRAD, true, &wide, &wide, x, expected_lrn_wide);
}

static void moving_is_that_of_pytorch(void **state)
{
    const union graft_attributes order = {.transpose = {.order = {2, 0, 3, 1}}};
    const union graft_attributes back = {.transpose = {.order = {1, 3, 0, 2}}};
    CHECK_BOTH(state, GRAFT_OP_TRANSPOSE, GRAFT_OP_TRANSPOSE, false, &order, &back, SHAPE(4, 2, 3, 4, 5),
               expected_permuted);
    const union graft_attributes part = {.slice = {.begin = {1, 0, 0}, .size = {2, 4, 2}, .step = {2, 0, 3}}};
    const union graft_attributes whole = {
        .pad = {.before = {1, 0, 0}, .after = {1, 0, 3}, .between = {1, 0, 2}}};
    CHECK_BOTH(state, GRAFT_OP_SLICE, GRAFT_OP_PAD, false, &part, &whole, SHAPE(3, 5, 4, 7),
               expected_stepped);
    const union graft_attributes spread = {
        .pad = {.before = {0, 0, 1, 0}, .after = {0, 2, 0, 0}, .between = {0, 1, 2, 0}}};
    const union graft_attributes gathered = {
        .slice = {.begin = {0, 0, 1, 0}, .size = {1, 3, 4, 1}, .step = {1, 2, 3, 1}}};
    CHECK_BOTH(state, GRAFT_OP_PAD, GRAFT_OP_SLICE, false, &spread, &gathered, SHAPE(4, 1, 3, 4, 1),
               expected_spread);
}

static void ceil_mode_is_that_of_pytorch(void **state)
{
    const struct graft_shape x = SHAPE(4, 1, 8, 10, 2);
    union graft_attributes a = {
        .pool = {.kernel = {3, 3}, .stride = {3, 3}, .pad = {1, 1, 1, 1}, .ceil_mode = true}};
    CHECK_BOTH(state, GRAFT_OP_MAX_POOL, GRAFT_OP_MAX_POOL_GRAD, true, &a, &a, x, expected_ceil_max);
    union graft_attributes grad = a;
    grad.pool.size[0] = 8;
    grad.pool.size[1] = 10;
    CHECK_BOTH(state, GRAFT_OP_AVG_POOL, GRAFT_OP_AVG_POOL_GRAD, false, &a, &grad, x, expected_ceil_avg);
    a.pool.count_include_pad = grad.pool.count_include_pad = true;
    CHECK_BOTH(state, GRAFT_OP_AVG_POOL, GRAFT_OP_AVG_POOL_GRAD, false, &a, &grad, x,
               expected_ceil_avg_padded);
    for (int i = 0; i < 2; i++) {
        a.pool.kernel[i] = grad.pool.kernel[i] = 2;
        a.pool.stride[i] = grad.pool.stride[i] = 4;
    }
    CHECK_BOTH(state, GRAFT_OP_AVG_POOL, GRAFT_OP_AVG_POOL_GRAD, false, &a, &grad, x,
               expected_ceil_far_padded);
}

static void bad_attributes_are_refused(void **state)
{
    static const struct {
        enum graft_op op;
        union graft_attributes attributes;
        const char *part;
    } bad[] = {
        {GRAFT_OP_TRANSPOSE, {.transpose = {.order = {0, 1, 1, 3}}}, "entry 2 of the order is 1"},
        {GRAFT_OP_TRANSPOSE, {.transpose = {.order = {0, 1, 4, 3}}}, "entry 2 of the order is 4"},
        {GRAFT_OP_TRANSPOSE, {.transpose = {.order = {-1, 1, 2, 3}}}, "entry 0 of the order is -1"},
        {GRAFT_OP_RESIZE, {.resize = {(enum graft_resize_mode)2, false, {4, 4}}}, "of number 2"},
        {GRAFT_OP_RESIZE, {.resize = {GRAFT_RESIZE_NEAREST, true, {4, 4}}}, "align_corners"},
        {GRAFT_OP_RESIZE, {.resize = {GRAFT_RESIZE_BILINEAR, true, {4, 0}}}, "from 4 to 0 along dimension 2"},
        {GRAFT_OP_RESIZE, {.resize = {GRAFT_RESIZE_BILINEAR, true, {32768, 1}}}, "from 3 to 32768"},
        {GRAFT_OP_RESIZE_GRAD, {.resize = {GRAFT_RESIZE_BILINEAR, true, {-1, 1}}}, "from 3 to -1"},
        {GRAFT_OP_LRN, {.lrn = {0, 1, 1, 1}}, "size is 0"},
        {GRAFT_OP_LRN, {.lrn = {3, -1, 1, 1}}, "alpha is -1"},
        {GRAFT_OP_LRN, {.lrn = {3, 1, INFINITY, 1}}, "beta is inf"},
        {GRAFT_OP_LRN, {.lrn = {3, 1, 1, NAN}}, "k is nan"},
        {GRAFT_OP_SLICE, {.slice = {.begin = {0, 2}, .size = {2, 2, 4, 5}}}, "2 elements from 2 on are"},
        {GRAFT_OP_SLICE,
         {.slice = {.size = {2, 3, 4, 5}, .step = {1, -1, 1, 1}}},
         "step of dimension 1 is -1"},
        {GRAFT_OP_SLICE,
         {.slice = {.begin = {0, 1, 0, 0}, .size = {2, 2, 4, 5}, .step = {1, 2, 1, 1}}},
         "2 elements from 1 on, 2 apart, are not in dimension 1"},
        {GRAFT_OP_PAD, {.pad = {.between = {0, 0, INT64_MAX, 0}}}, "9223372036854775807 between"},
        {GRAFT_OP_PAD, {.pad = {.between = {0, 0, INT64_MAX / 2, 0}}}, "fit in 63 bits"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct graft_call call = {.op = bad[i].op, .attributes = bad[i].attributes, .n_inputs = 1};
        call.in[0] = (struct graft_desc){GRAFT_DTYPE_F32, SHAPE(4, 2, 3, 4, 5)};
        assert_int_equal(graft_op_infer(*state, &call), GRAFT_ERROR_SHAPE);
        if (strstr(graft_context_error(*state), bad[i].part) == NULL) {
            fail_msg("'%s' lacks '%s'", graft_context_error(*state), bad[i].part);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizing_is_that_of_pytorch), cmocka_unit_test(local_response_is_that_of_pytorch),
        cmocka_unit_test(moving_is_that_of_pytorch),   cmocka_unit_test(ceil_mode_is_that_of_pytorch),
        cmocka_unit_test(bad_attributes_are_refused),
    };
    return cmocka_run_group_tests_name("spatial", tests, open_context, close_context);
}
