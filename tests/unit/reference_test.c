/* SPDX-License-Identifier: MIT */
/*
 * The reference kernels against PyTorch's numbers (op_expected.h, printed by op_expected.py) and against
 * small sums written out.
 */
#include "op_expected.h"
#include "reference_trial.h"

static struct trial *convolution(struct graft_context *context, enum graft_op op)
{
    struct trial *const trial = trial_new(context, op);
    trial->call.attributes.conv2d = (struct graft_conv2d_attributes){
        .stride = {2, 1}, .dilation = {1, 2}, .pad = {1, 0, 2, 1}, .groups = 2};
    return trial;
}

static void convolution_is_that_of_pytorch(void **state)
{
    struct trial *trial = convolution(*state, GRAFT_OP_CONV2D);
    give(trial, SHAPE(4, 1, 4, 5, 4), 1);
    give(trial, SHAPE(4, 4, 3, 2, 2), 2);
    CHECK_OUTPUT(trial, expected_conv);
    give(trial, SHAPE(1, 4), 3);
    give(trial, trial->call.out[0].shape, 5);
    trial->call.attributes.conv2d.activation = GRAFT_UNARY_RELU6;
    CHECK_OUTPUT(trial, expected_conv_relu6);
    const struct graft_shape y = trial->call.out[0].shape;
    free(trial);

    trial = convolution(*state, GRAFT_OP_CONV2D_GRAD_INPUT);
    trial->call.attributes.conv2d.size[0] = 4;
    trial->call.attributes.conv2d.size[1] = 5;
    give(trial, y, 4);
    give(trial, SHAPE(4, 4, 3, 2, 2), 2);
    CHECK_OUTPUT(trial, expected_conv_dx);
    /* Accumulated on the result of the run before: twice as much. */
    trial->call.accumulate = 1;
    run(trial, GRAFT_DTYPE_F32);
    for (size_t i = 0; i < sizeof expected_conv_dx / sizeof *expected_conv_dx; i++) {
        assert_true(trial->out[0][i] == 2 * expected_conv_dx[i]);
    }
    free(trial);

    trial = convolution(*state, GRAFT_OP_CONV2D_GRAD_WEIGHT);
    trial->call.attributes.conv2d.size[0] = 3;
    trial->call.attributes.conv2d.size[1] = 2;
    give(trial, SHAPE(4, 1, 4, 5, 4), 1);
    give(trial, y, 4);
    CHECK_OUTPUT(trial, expected_conv_dw);
    free(trial);
}

static void check_pool(struct graft_context *context, bool max,
                       const struct graft_pool_attributes *attributes, const double *expected, size_t count,
                       const double *expected_dx, const char *what)
{
    const struct graft_shape x = SHAPE(4, 1, 6, 5, 2);
    struct trial *trial = trial_new(context, max ? GRAFT_OP_MAX_POOL : GRAFT_OP_AVG_POOL);
    trial->call.attributes.pool = *attributes;
    give(trial, x, 1);
    check_output(trial, expected, count, what);
    const struct graft_shape y = trial->call.out[0].shape;
    free(trial);
    trial = trial_new(context, max ? GRAFT_OP_MAX_POOL_GRAD : GRAFT_OP_AVG_POOL_GRAD);
    trial->call.attributes.pool = *attributes;
    if (max) {
        give(trial, x, 1);
    } else {
        trial->call.attributes.pool.size[0] = 6;
        trial->call.attributes.pool.size[1] = 5;
    }
    give(trial, y, 2);
    check_output(trial, expected_dx, 60, what);
    free(trial);
}

#define CHECK_POOL(state, max, attributes, name)                                                             \
    check_pool(*state, max, attributes, name, sizeof name / sizeof *name, name##_dx, #name)

static void pooling_is_that_of_pytorch(void **state)
{
    struct graft_pool_attributes a = {
        .kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}, .ceil_mode = true};
    CHECK_POOL(state, true, &a, expected_max);
    CHECK_POOL(state, false, &a, expected_avg);
    a.kernel[1] = 2;
    a.count_include_pad = true;
    CHECK_POOL(state, false, &a, expected_avg_padded);
    const struct graft_pool_attributes adaptive = {.adaptive = {3, 4}};
    CHECK_POOL(state, false, &adaptive, expected_avg_adaptive);
}

static void nan_is_the_largest_of_its_window(void **state)
{
    struct trial *const trial = trial_new(*state, GRAFT_OP_MAX_POOL);
    trial->call.attributes.pool = (struct graft_pool_attributes){.kernel = {1, 2}, .stride = {1, 2}};
    give_values(trial, SHAPE(4, 1, 1, 6, 1), (const double[]){NAN, 1, 1, NAN, -INFINITY, -INFINITY});
    infer(trial);
    run(trial, GRAFT_DTYPE_F32);
    assert_true(isnan(trial->out[0][0]) && isnan(trial->out[0][1]));
    assert_true(trial->out[0][2] == -INFINITY);
    free(trial);
}

static void batch_norm_trains_as_in_pytorch(void **state)
{
    const struct graft_batch_norm_attributes attributes = {
        .epsilon = 0.25f, .momentum = 0.125f, .training = true};
    const struct graft_shape x = SHAPE(4, 2, 3, 1, 3);
    struct trial *trial = trial_new(*state, GRAFT_OP_BATCH_NORM_STATS);
    trial->call.attributes.batch_norm = attributes;
    give(trial, x, 1);
    CHECK_OUTPUT(trial, expected_bn_mean);
    compare(trial->out[1], expected_bn_var, 3, 1e-14, "var");
    free(trial);

    trial = trial_new(*state, GRAFT_OP_BATCH_NORM);
    trial->call.attributes.batch_norm = attributes;
    give(trial, x, 1);
    give(trial, SHAPE(1, 3), 2);
    give(trial, SHAPE(1, 3), 3);
    give_values(trial, SHAPE(1, 3), expected_bn_mean);
    give_values(trial, SHAPE(1, 3), expected_bn_var);
    CHECK_OUTPUT(trial, expected_bn);
    free(trial);

    trial = trial_new(*state, GRAFT_OP_BATCH_NORM_UPDATE);
    trial->call.attributes.batch_norm = attributes;
    give_values(trial, SHAPE(1, 3), (const double[]){0, 0, 0});
    give_values(trial, SHAPE(1, 3), (const double[]){1, 1, 1});
    give_values(trial, SHAPE(1, 3), expected_bn_mean);
    give_values(trial, SHAPE(1, 3), expected_bn_var);
    give(trial, x, 1);
    infer(trial);
    run(trial, GRAFT_DTYPE_F64);
    compare(trial->in[0], expected_bn_running_mean, 3, 1e-14, "running mean");
    compare(trial->in[1], expected_bn_running_var, 3, 1e-14, "running var");
    free(trial);

    trial = trial_new(*state, GRAFT_OP_BATCH_NORM_GRAD_PARAM);
    trial->call.attributes.batch_norm = attributes;
    give(trial, x, 1);
    give(trial, x, 4);
    give_values(trial, SHAPE(1, 3), expected_bn_mean);
    give_values(trial, SHAPE(1, 3), expected_bn_var);
    CHECK_OUTPUT(trial, expected_bn_dgamma);
    compare(trial->out[1], expected_bn_dbeta, 3, 1e-14, "dbeta");
    free(trial);

    trial = trial_new(*state, GRAFT_OP_BATCH_NORM_GRAD_INPUT);
    trial->call.attributes.batch_norm = attributes;
    give(trial, x, 1);
    give(trial, x, 4);
    give(trial, SHAPE(1, 3), 2);
    give_values(trial, SHAPE(1, 3), expected_bn_mean);
    give_values(trial, SHAPE(1, 3), expected_bn_var);
    give_values(trial, SHAPE(1, 3), expected_bn_dgamma);
    give_values(trial, SHAPE(1, 3), expected_bn_dbeta);
    CHECK_OUTPUT(trial, expected_bn_dx);
    free(trial);
}

static void losses_are_those_of_pytorch(void **state)
{
    const int32_t labels[] = {0, 4, 2};
    struct trial *trial = trial_new(*state, GRAFT_OP_CROSS_ENTROPY);
    trial->call.attributes.cross_entropy.label_smoothing = 0.125f;
    give(trial, SHAPE(2, 3, 5), 1);
    give_labels(trial, 3, labels);
    CHECK_OUTPUT(trial, expected_losses);
    trial->labels[1] = 5;
    run(trial, GRAFT_DTYPE_F32);
    assert_true(isnan(trial->out[0][1]) && !isnan(trial->out[0][0]) && !isnan(trial->out[0][2]));
    free(trial);

    trial = trial_new(*state, GRAFT_OP_CROSS_ENTROPY_GRAD);
    trial->call.attributes.cross_entropy.label_smoothing = 0.125f;
    give(trial, SHAPE(2, 3, 5), 1);
    give_labels(trial, 3, labels);
    give(trial, SHAPE(1, 3), 2);
    CHECK_OUTPUT(trial, expected_losses_dx);
    free(trial);

    trial = trial_new(*state, GRAFT_OP_SOFTMAX);
    give(trial, SHAPE(2, 3, 5), 1);
    CHECK_OUTPUT(trial, expected_softmax);
    free(trial);

    trial = trial_new(*state, GRAFT_OP_SOFTMAX_GRAD);
    give_values(trial, SHAPE(2, 3, 5), expected_softmax);
    give(trial, SHAPE(2, 3, 5), 2);
    CHECK_OUTPUT(trial, expected_softmax_dx);
    free(trial);
}

/* The mean of PyTorch divides by the sum of the labels' weights: what a trainer's row weights are made of. */
static void weighted_losses_are_those_of_pytorch(void **state)
{
    const int32_t labels[] = {0, 4, 2};
    struct trial *trial = trial_new(*state, GRAFT_OP_CROSS_ENTROPY);
    trial->call.attributes.cross_entropy.label_smoothing = 0.125f;
    give(trial, SHAPE(2, 3, 5), 1);
    give_labels(trial, 3, labels);
    give_values(trial, SHAPE(1, 5), expected_losses_weight);
    CHECK_OUTPUT(trial, expected_losses_weighted);
    double sum = 0, weights = 0;
    for (int i = 0; i < 3; i++) {
        sum += trial->out[0][i];
        weights += expected_losses_weight[labels[i]];
    }
    compare((const double[]){sum / weights}, expected_losses_weighted_mean, 1, 1e-14, "mean");
    free(trial);

    trial = trial_new(*state, GRAFT_OP_CROSS_ENTROPY_GRAD);
    trial->call.attributes.cross_entropy.label_smoothing = 0.125f;
    give(trial, SHAPE(2, 3, 5), 1);
    give_labels(trial, 3, labels);
    give(trial, SHAPE(1, 3), 2);
    give_values(trial, SHAPE(1, 5), expected_losses_weight);
    CHECK_OUTPUT(trial, expected_losses_weighted_dx);
    free(trial);
}

static void logarithms_of_softmax_are_those_of_pytorch(void **state)
{
    struct trial *trial = trial_new(*state, GRAFT_OP_LOG_SOFTMAX);
    give(trial, SHAPE(2, 3, 5), 1);
    CHECK_OUTPUT(trial, expected_log_softmax);
    free(trial);

    trial = trial_new(*state, GRAFT_OP_LOG_SOFTMAX_GRAD);
    give_values(trial, SHAPE(2, 3, 5), expected_log_softmax);
    give(trial, SHAPE(2, 3, 5), 2);
    CHECK_OUTPUT(trial, expected_log_softmax_dx);
    free(trial);
}

/* Three steps from p = numbers of seed 1 with the gradients of seeds 2 to 4. */
static void check_update(struct graft_context *context, enum graft_op op, int states,
                         const struct graft_update_attributes *attributes, const double *expected,
                         const char *what)
{
    for (int precision = 0; precision < 2; precision++) {
        struct trial *const trial = trial_new(context, op);
        trial->call.attributes.update = *attributes;
        give(trial, SHAPE(1, 6), 1);
        give(trial, SHAPE(1, 6), 2);
        for (int i = 0; i < states; i++) {
            give_values(trial, SHAPE(1, 6), (const double[]){0, 0, 0, 0, 0, 0});
        }
        if (op == GRAFT_OP_SGD && states == 0) {
            give_absent(trial);
        }
        const int hyper = trial->call.n_inputs;
        give(trial, SHAPE(1, 4), 0);
        if (attributes->max_norm > 0) {
            give(trial, SHAPE(1, 1), 0);
        }
        infer(trial);
        for (int step = 1; step <= 3; step++) {
            double squares = 0;
            for (int i = 0; i < 6; i++) {
                squares += 4 * number(i, 1 + step) * number(i, 1 + step);
                trial->in[1][i] = 2 * number(i, 1 + step); /* undone by the gradient scale */
            }
            trial->in[hyper + 1][0] = squares; /* ignored by updates that do not clip */
            trial->in[hyper][0] = 0.125;
            trial->in[hyper][1] = 1 - pow((double)attributes->beta1, step);
            trial->in[hyper][2] = 1 - pow((double)attributes->beta2, step);
            trial->in[hyper][3] = 0.5;
            run(trial, precision == 0 ? GRAFT_DTYPE_F32 : GRAFT_DTYPE_F64);
        }
        compare(trial->in[0], expected, 6, precision == 0 ? 1e-6 : 1e-14, what);
        free(trial);
    }
}

static void updates_are_those_of_pytorch(void **state)
{
    struct graft_update_attributes a = {.momentum = 0.5f, .weight_decay = 0.25f, .nesterov = true};
    check_update(*state, GRAFT_OP_SGD, 1, &a, expected_sgd, "sgd");
    a = (struct graft_update_attributes){.weight_decay = 0.25f};
    check_update(*state, GRAFT_OP_SGD, 0, &a, expected_sgd_plain, "plain sgd");
    a = (struct graft_update_attributes){
        .beta1 = 0.5f, .beta2 = 0.75f, .epsilon = 0.0625f, .weight_decay = 0.25f};
    check_update(*state, GRAFT_OP_ADAM, 2, &a, expected_adam, "adam");
    check_update(*state, GRAFT_OP_RMSPROP, 1, &a, expected_rmsprop, "rmsprop");
    a.decoupled = true;
    check_update(*state, GRAFT_OP_ADAM, 2, &a, expected_adamw, "adamw");
    a.max_norm = 1.5f;
    check_update(*state, GRAFT_OP_ADAM, 2, &a, expected_adamw_clipped, "adamw, clipped");
    a = (struct graft_update_attributes){
        .momentum = 0.5f, .weight_decay = 0.25f, .nesterov = true, .max_norm = 1.5f};
    check_update(*state, GRAFT_OP_SGD, 1, &a, expected_sgd_clipped, "sgd, clipped");
}

/* A step whose gradients have no finite norm changes neither parameter nor state, not even by decay; nor does
 * one that is guarded by another number, without clipping. */
static void updates_of_no_finite_norm_do_nothing(void **state)
{
    static const struct {
        enum graft_op op;
        int states;
    } updates[] = {{GRAFT_OP_SGD, 1}, {GRAFT_OP_ADAM, 2}, {GRAFT_OP_RMSPROP, 1}};
    const double squares[] = {(double)INFINITY, (double)NAN};
    for (int i = 0; i < 12; i++) {
        struct trial *const trial = trial_new(*state, updates[i / 2 % 3].op);
        trial->call.attributes.update = (struct graft_update_attributes){.momentum = 0.5f,
                                                                         .beta1 = 0.5f,
                                                                         .beta2 = 0.75f,
                                                                         .epsilon = 1,
                                                                         .weight_decay = 0.25f,
                                                                         .max_norm = i < 6 ? 2 : 0};
        const int inputs = 2 + updates[i / 2 % 3].states;
        for (int k = 0; k < inputs; k++) {
            give(trial, SHAPE(1, 6), 1 + k);
        }
        give_values(trial, SHAPE(1, 4), (const double[]){0.125, 0.5, 0.5, 1});
        give_values(trial, SHAPE(1, 1), &squares[i % 2]);
        infer(trial);
        run(trial, GRAFT_DTYPE_F64);
        for (int k = 0; k < inputs * 6; k++) {
            assert_true(trial->in[k / 6][k % 6] == number(k % 6, 1 + k / 6));
        }
        free(trial);
    }
}

/* The mask comes from a second implementation of Philox, in op_expected.py. */
static void dropout_drops_what_philox_says(void **state)
{
    struct trial *const trial = trial_new(*state, GRAFT_OP_DROPOUT);
    trial->call.attributes.dropout =
        (struct graft_dropout_attributes){.probability = 0.25f, .stream = 7, .seed = 0x123456789ABCDEF0};
    give(trial, SHAPE(1, 23), 1);
    give_labels(trial, 1, (const int32_t[]){3});
    CHECK_OUTPUT(trial, expected_dropout);
    free(trial);
}

/* Every combination of transposes and batches, against the sum written out. */
static void matrix_product_by_definition(void **state)
{
    enum { BATCH = 2, M = 3, N = 5, K = 4 };
    for (int mode = 0; mode < 8; mode++) {
        const bool ta = mode & 1, tb = mode & 2, shared = mode & 4;
        struct trial *const trial = trial_new(*state, GRAFT_OP_MATMUL);
        trial->call.attributes.matmul =
            (struct graft_matmul_attributes){.transpose_a = ta, .transpose_b = tb};
        give(trial, SHAPE(3, BATCH, ta ? K : M, ta ? M : K), 1);
        give(trial, shared ? SHAPE(2, tb ? N : K, tb ? K : N) : SHAPE(3, BATCH, tb ? N : K, tb ? K : N), 2);
        give(trial, SHAPE(1, N), 3);
        double expected[BATCH * M * N] = {0};
        for (int batch = 0; batch < BATCH; batch++) {
            for (int m = 0; m < M; m++) {
                for (int n = 0; n < N; n++) {
                    double *const y = &expected[(batch * M + m) * N + n];
                    *y = number(n, 3);
                    for (int k = 0; k < K; k++) {
                        *y += number(batch * M * K + (ta ? k * M + m : m * K + k), 1) *
                              number((shared ? 0 : batch * K * N) + (tb ? n * K + k : k * N + n), 2);
                    }
                }
            }
        }
        CHECK_OUTPUT(trial, expected);
        struct graft_work work;
        graft_op_get(GRAFT_OP_MATMUL)->work(&trial->call, &work);
        assert_true(work.flops == 2.0 * BATCH * M * N * K && work.terms == K);
        free(trial);
    }
}

static void moving_and_stretching(void **state)
{
    struct trial *trial = trial_new(*state, GRAFT_OP_BINARY);
    give_values(trial, SHAPE(2, 2, 1), (const double[]){1, 2});
    give_values(trial, SHAPE(1, 3), (const double[]){10, 20, 30});
    check_output(trial, (const double[]){11, 21, 31, 12, 22, 32}, 6, "add");
    trial->call.attributes.binary.kind = GRAFT_BINARY_MUL;
    check_output(trial, (const double[]){10, 20, 30, 20, 40, 60}, 6, "mul");
    free(trial);

    trial = trial_new(*state, GRAFT_OP_REDUCE);
    trial->call.attributes.reduce = (struct graft_reduce_attributes){.kind = GRAFT_REDUCE_MEAN, .axes = 5};
    give_values(trial, SHAPE(3, 2, 2, 2), (const double[]){1, 2, 3, 4, 5, 6, 7, 8});
    check_output(trial, (const double[]){3.5, 5.5}, 2, "mean");
    assert_int_equal(trial->call.out[0].shape.rank, 1);
    free(trial);

    trial = trial_new(*state, GRAFT_OP_BROADCAST);
    trial->call.attributes.broadcast =
        (struct graft_broadcast_attributes){.shape = SHAPE(2, 2, 2), .scale = 0.5f};
    give_values(trial, SHAPE(2, 2, 1), (const double[]){1, 3});
    check_output(trial, (const double[]){0.5, 0.5, 1.5, 1.5}, 4, "broadcast");
    free(trial);

    trial = trial_new(*state, GRAFT_OP_CONCAT);
    trial->call.attributes.concat.axis = 1;
    give_values(trial, SHAPE(2, 2, 1), (const double[]){1, 2});
    give_values(trial, SHAPE(2, 2, 2), (const double[]){3, 4, 5, 6});
    check_output(trial, (const double[]){1, 3, 4, 2, 5, 6}, 6, "concat");
    free(trial);

    trial = trial_new(*state, GRAFT_OP_SLICE);
    trial->call.attributes.slice = (struct graft_slice_attributes){.begin = {0, 1}, .size = {2, 1}};
    give_values(trial, SHAPE(2, 2, 3), (const double[]){1, 2, 3, 4, 5, 6});
    check_output(trial, (const double[]){2, 5}, 2, "slice");
    free(trial);

    trial = trial_new(*state, GRAFT_OP_PAD);
    trial->call.attributes.pad = (struct graft_pad_attributes){.before = {1, 0}, .after = {0, 1}, .value = 9};
    give_values(trial, SHAPE(2, 1, 2), (const double[]){1, 2});
    check_output(trial, (const double[]){9, 9, 9, 1, 2, 9}, 6, "pad");
    free(trial);

    trial = trial_new(*state, GRAFT_OP_NORMALIZE);
    trial->call.in[trial->call.n_inputs++] = (struct graft_desc){GRAFT_DTYPE_U8, SHAPE(4, 1, 1, 1, 2)};
    trial->bytes[0] = 255;
    trial->bytes[1] = 51;
    give_values(trial, SHAPE(1, 2), (const double[]){0.5, 0.25});
    give_values(trial, SHAPE(1, 2), (const double[]){0.25, 0.5});
    check_output(trial, (const double[]){2, (51.0 / 255 - 0.25) / 0.5}, 2, "normalize");
    free(trial);
}

static void unary_slopes(void **state)
{
    struct trial *trial = trial_new(*state, GRAFT_OP_UNARY);
    trial->call.attributes.unary.kind = GRAFT_UNARY_RELU6;
    give_values(trial, SHAPE(1, 4), (const double[]){-1, 0, 3, 8});
    check_output(trial, (const double[]){0, 0, 3, 6}, 4, "relu6");
    trial->in[0][0] = NAN;
    run(trial, GRAFT_DTYPE_F32);
    assert_true(isnan(trial->out[0][0]));
    free(trial);

    trial = trial_new(*state, GRAFT_OP_UNARY_GRAD);
    trial->call.attributes.unary.kind = GRAFT_UNARY_RELU6;
    give_absent(trial);
    give_values(trial, SHAPE(1, 4), (const double[]){0, 0, 3, 6});
    give_values(trial, SHAPE(1, 4), (const double[]){5, INFINITY, 7, 8});
    check_output(trial, (const double[]){0, 0, 7, 0}, 4, "relu6 gradient");
    free(trial);
}

/* A folded convolution gives what convolution and batch normalization give one after the other. */
static void batch_norm_folds_into_weights(void **state)
{
    struct trial *const trial = trial_new(*state, GRAFT_OP_BATCH_NORM_FOLD);
    trial->call.attributes.batch_norm.epsilon = 0.25f;
    give_values(trial, SHAPE(2, 2, 2), (const double[]){1, 2, 3, 4});
    give_absent(trial);
    give_values(trial, SHAPE(1, 2), (const double[]){2, 3});       /* gamma */
    give_values(trial, SHAPE(1, 2), (const double[]){5, 6});       /* beta */
    give_values(trial, SHAPE(1, 2), (const double[]){0.5, 1});     /* mean */
    give_values(trial, SHAPE(1, 2), (const double[]){0.75, 3.75}); /* var: roots 1 and 2 */
    check_output(trial, (const double[]){2, 4, 4.5, 6}, 4, "folded weights");
    compare(trial->out[1], (const double[]){4, 4.5}, 2, 0, "folded bias");
    free(trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_is_that_of_pytorch),
        cmocka_unit_test(pooling_is_that_of_pytorch),
        cmocka_unit_test(nan_is_the_largest_of_its_window),
        cmocka_unit_test(batch_norm_trains_as_in_pytorch),
        cmocka_unit_test(batch_norm_folds_into_weights),
        cmocka_unit_test(losses_are_those_of_pytorch),
        cmocka_unit_test(weighted_losses_are_those_of_pytorch),
        cmocka_unit_test(logarithms_of_softmax_are_those_of_pytorch),
        cmocka_unit_test(updates_are_those_of_pytorch),
        cmocka_unit_test(updates_of_no_finite_norm_do_nothing),
        cmocka_unit_test(dropout_drops_what_philox_says),
        cmocka_unit_test(matrix_product_by_definition),
        cmocka_unit_test(moving_and_stretching),
        cmocka_unit_test(unary_slopes),
    };
    return cmocka_run_group_tests_name("reference", tests, open_context, close_context);
}
