/* SPDX-License-Identifier: MIT */
/* What a plan owes its caller beside right numbers: names, alignment, inputs that nothing reads, sizes that
 * are checked, outputs that last, variables that begin as they should. */
#include "support/plan_fixture.h"

#include <limits.h>
#include <math.h>

static int input(struct fixture *f, const char *name, int64_t count)
{
    const struct graft_shape shape = graft_shape_of(1, count);
    return graft_graph_input(f->graph, name, GRAFT_DTYPE_F32, &shape);
}

static int parameter(struct fixture *f, const char *name, int64_t count)
{
    const struct graft_shape shape = graft_shape_of(1, count);
    return graft_graph_parameter(f->graph, name, &shape);
}

static void write_two(struct fixture *f, int value, float first, float second)
{
    const float data[2] = {first, second};
    assert_int_equal(graft_plan_write(f->plan, value, data, sizeof data), GRAFT_OK);
}

/* The gradients of a layer's nodes carry its name, for profiles and messages. */
static void gradients_belong_to_their_layer(void **state)
{
    struct fixture *const f = *state;
    const struct graft_shape matrix = graft_shape_of(2, 2, 2);
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 3};
    int names = 0;
    graft_graph_layer(f->graph, "first");
    const int x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &matrix);
    int targets[2] = {graft_graph_parameter(f->graph, "a", &matrix), -1}, gradients[2];
    const int y =
        graft_unary(f->graph, GRAFT_UNARY_TANH, graft_matmul(f->graph, x, targets[0], -1, false, false));
    graft_graph_layer(f->graph, "second");
    targets[1] = graft_graph_parameter(f->graph, "b", &matrix);
    const int loss = graft_reduce(f->graph, graft_matmul(f->graph, y, targets[1], -1, false, false), &all);
    graft_graph_layer(f->graph, "third");
    assert_int_equal(graft_graph_gradient(f->graph, loss, targets, 2, gradients), GRAFT_OK);
    graft_graph_output(f->graph, gradients[0]);
    graft_graph_output(f->graph, gradients[1]);
    open_plan(f, &(struct graft_plan_options){.no_fusion = true});
    for (int n = 0; n < graft_plan_node_count(f->plan); n++) {
        struct graft_plan_node node;
        graft_plan_node_at(f->plan, n, &node);
        if (strcmp(node.op, "unary_grad") == 0)
            assert_string_equal(node.layer, "first");
        if (strcmp(node.op, "matmul") == 0 && strcmp(node.layer, "second") == 0)
            names++;
    }
    assert_int_equal(names, 2); /* for each operand; the product itself is not asked for */
}

/* The steps of an op that begin with step `from`. */
static int count_op(const struct graft_plan *plan, const char *op, int from)
{
    int count = 0;
    for (int n = from; n < graft_plan_node_count(plan); n++) {
        struct graft_plan_node node;
        graft_plan_node_at(plan, n, &node);
        count += strcmp(node.op, op) == 0;
    }
    return count;
}

/* Gradients that are larger than what they are made of come last, unless another step needs them. */
static void large_gradients_wait(void **state)
{
    struct fixture *const f = *state;
    enum { SIDE = 32 };
    const struct graft_shape row = graft_shape_of(2, 1, SIDE);
    const struct graft_shape matrix = graft_shape_of(2, SIDE, SIDE);
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 3};
    int weights[3], gradients[3];
    int y = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &row);
    for (int i = 0; i < 3; i++) {
        const char name[2] = {(char)('a' + i), 0};
        weights[i] = graft_graph_parameter(f->graph, name, &matrix);
        y = graft_unary(f->graph, GRAFT_UNARY_TANH, graft_matmul(f->graph, y, weights[i], -1, false, false));
    }
    const int loss = graft_reduce(f->graph, y, &all);
    assert_int_equal(graft_graph_gradient(f->graph, loss, weights, 3, gradients), GRAFT_OK);
    graft_graph_output(f->graph, gradients[0]);
    graft_graph_output(f->graph, gradients[1]);
    const int read = graft_reduce(f->graph, gradients[2], &all); /* cannot wait */
    graft_graph_output(f->graph, read);
    open_plan(f, &(struct graft_plan_options){.no_fusion = true});
    const int nodes = graft_plan_node_count(f->plan);
    assert_int_equal(count_op(f->plan, "matmul", nodes - 2), 2);
    assert_int_equal(count_op(f->plan, "reduce", nodes - 3), 1);

    float weight[SIDE * SIDE], x[SIDE], gradient[SIDE * SIDE], other = 0, sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++)
        weight[i] = 0.01f * (float)(i % 7 - 3);
    for (int i = 0; i < SIDE; i++)
        x[i] = (float)(i % 5) - 1.5f;
    for (int i = 0; i < 3; i++) {
        const char name[2] = {(char)('a' + i), 0};
        assert_int_equal(graft_variables_write(f->variables, name, weight, sizeof weight), GRAFT_OK);
    }
    assert_int_equal(graft_plan_write(f->plan, graft_graph_find(f->graph, "x"), x, sizeof x), GRAFT_OK);
    assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    assert_int_equal(graft_plan_read(f->plan, gradients[0], gradient, sizeof gradient), GRAFT_OK);
    assert_int_equal(graft_plan_read(f->plan, read, &sum, sizeof sum), GRAFT_OK);
    /* Row k of the first gradient is x[k] times one row for all. */
    for (int k = 0; k < SIDE; k++)
        for (int c = 0; c < SIDE; c++) {
            other = gradient[c] * x[k] / x[0];
            assert_true(fabsf(gradient[k * SIDE + c] - other) <= 1e-5f * (1 + fabsf(other)));
        }
    assert_true(isfinite(sum) && sum != 0);
}

/* What is no value of the graph has no gradient; a constant may be its first value, and an output. */
static void odd_values_are_taken(void **state)
{
    struct fixture *const f = *state;
    const struct graft_shape one = graft_shape_of(1, 1);
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 1};
    const int first = graft_fill(f->graph, &one, 5);
    const int p = parameter(f, "p", 1), loss = graft_reduce(f->graph, graft_mul(f->graph, p, first), &all);
    const int count = graft_graph_value_count(f->graph);
    const int targets[] = {p, count, -1, INT_MAX, first};
    int gradients[5];
    float got = 0;
    assert_int_equal(first, 0);
    graft_graph_output(f->graph, first);
    assert_int_equal(graft_graph_gradient(f->graph, loss, targets, 5, gradients), GRAFT_OK);
    assert_true(gradients[0] >= 0 && gradients[1] < 0 && gradients[2] < 0 && gradients[3] < 0);
    graft_graph_output(f->graph, gradients[0]);
    open_plan(f, NULL);
    assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(graft_plan_read(f->plan, i ? gradients[0] : first, &got, sizeof got), GRAFT_OK);
        assert_true(got == 5);
    }
}

/* Vectors are read and written fast where they begin at 64 bytes. */
static void memory_is_aligned(void **state)
{
    struct fixture *const f = *state;
    int value = input(f, "x", 7);
    for (int i = 0; i < 9; i++) {
        const int parts[2] = {value, graft_unary(f->graph, GRAFT_UNARY_TANH, value)};
        value = graft_concat(f->graph, parts, 1 + i % 2, 0);
        graft_graph_output(f->graph, value);
        graft_graph_output(f->graph, parts[1]);
    }
    open_plan(f, NULL);
    for (int i = 0; i < f->plan->memory.n_storages; i++)
        assert_int_equal(f->plan->memory.storages[i].offset % 64, 0);
    for (int i = 0; i < graft_graph_value_count(f->graph); i++)
        assert_int_equal(graft_plan_tensor(f->plan, i).offset % 64, 0);
}

/* An input that nothing reads can be written and is in nobody's way. */
static void unread_inputs_are_in_nobodys_way(void **state)
{
    struct fixture *const f = *state;
    const int unread = input(f, "unread", 2), x = input(f, "x", 2), late = input(f, "late", 2);
    const int y = graft_add(f->graph, graft_unary(f->graph, GRAFT_UNARY_TANH, x), late);
    float got[2];
    graft_graph_output(f->graph, y);
    open_plan(f, NULL);
    for (int run = 0; run < 2; run++) {
        write_two(f, x, 0, 0);
        write_two(f, late, 3, 4);
        write_two(f, unread, 7, 8);
        assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_read(f->plan, y, got, sizeof got), GRAFT_OK);
        assert_true(got[0] == 3 && got[1] == 4);
    }
}

static void inputs_last_from_run_to_run(void **state)
{
    struct fixture *const f = *state;
    const int a = input(f, "a", 2), b = input(f, "b", 2);
    int y = graft_unary(f->graph, GRAFT_UNARY_ABS, a);
    float got[2];
    for (int i = 0; i < 4; i++) /* what comes must not take a's memory when it is not read any more */
        y = graft_add(f->graph, graft_unary(f->graph, GRAFT_UNARY_ABS, y), b);
    graft_graph_output(f->graph, y);
    open_plan(f, NULL);
    write_two(f, a, -1, 2);
    write_two(f, b, 10, 20);
    for (int run = 0; run < 3; run++) {
        assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_read(f->plan, y, got, sizeof got), GRAFT_OK);
        assert_true(got[0] == 41 && got[1] == 82);
    }
}

static void sizes_are_checked(void **state)
{
    struct fixture *const f = *state;
    const int x = input(f, "x", 2);
    const int y = graft_unary(f->graph, GRAFT_UNARY_TANH, graft_add(f->graph, x, parameter(f, "p", 2)));
    float data[4] = {0};
    graft_graph_output(f->graph, y);
    open_plan(f, NULL);
    for (size_t count = 0; count <= 4; count++) {
        const enum graft_status wanted = count == 2 ? GRAFT_OK : GRAFT_ERROR_SHAPE;
        assert_int_equal(graft_plan_write(f->plan, x, data, count * sizeof *data), wanted);
        assert_int_equal(graft_variables_write(f->variables, "p", data, count * sizeof *data), wanted);
        assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_read(f->plan, y, data, count * sizeof *data), wanted);
        assert_int_equal(graft_variables_read(f->variables, "p", data, count * sizeof *data), wanted);
    }
    assert_int_equal(graft_plan_write(f->plan, y, data, 2 * sizeof *data), GRAFT_ERROR_ARGUMENT);
    const void *const rows[3] = {data + 3, data, data};
    float got[2];
    data[3] = 0.5f;
    assert_int_equal(graft_plan_write_rows(f->plan, x, rows, 1), GRAFT_ERROR_SHAPE);
    assert_int_equal(graft_plan_write_rows(f->plan, x, rows, 3), GRAFT_ERROR_SHAPE);
    assert_int_equal(graft_plan_write_rows(f->plan, y, rows, 2), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_plan_write_rows(f->plan, x, rows, 2), GRAFT_OK);
    assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    assert_int_equal(graft_plan_read(f->plan, y, got, sizeof got), GRAFT_OK);
    assert_true(fabsf(got[0] - tanhf(0.5f)) < 1e-6f && got[1] == 0);
}

/* An output that is a parameter under another shape keeps what it was when it was computed. */
static void outputs_last_through_updates(void **state)
{
    struct fixture *const f = *state;
    const struct graft_shape matrix = graft_shape_of(2, 1, 2), four = graft_shape_of(1, 4);
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 1};
    int p = parameter(f, "p", 2), gradient;
    const int shown = graft_reshape(f->graph, p, &matrix);
    const int loss = graft_reduce(f->graph, graft_mul(f->graph, p, p), &all);
    const int hyper = graft_graph_input(f->graph, "hyper", GRAFT_DTYPE_F32, &four);
    const struct graft_update_attributes sgd = {.momentum = 0};
    assert_int_equal(graft_graph_gradient(f->graph, loss, &p, 1, &gradient), GRAFT_OK);
    assert_int_equal(graft_update(f->graph, GRAFT_SGD, p, gradient, hyper, -1, &sgd), 0);
    graft_graph_output(f->graph, shown);
    open_plan(f, NULL);
    const float start[2] = {1, -2}, hypers[4] = {0.25f, 1, 1, 1};
    float got[2];
    assert_int_equal(graft_variables_write(f->variables, "p", start, sizeof start), GRAFT_OK);
    assert_int_equal(graft_plan_write(f->plan, hyper, hypers, sizeof hypers), GRAFT_OK);
    for (int step = 0; step < 3; step++) {
        const float before[2] = {ldexpf(1, -step), -ldexpf(2, -step)},
                    after[2] = {before[0] / 2, before[1] / 2};
        assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_UPDATE), GRAFT_OK);
        assert_int_equal(graft_plan_read(f->plan, shown, got, sizeof got), GRAFT_OK);
        assert_memory_equal(got, before, sizeof got);
        assert_int_equal(graft_variables_read(f->variables, "p", got, sizeof got), GRAFT_OK);
        assert_memory_equal(got, after, sizeof got);
    }
}

/* The first layer that makes an infinity is named, like one that makes NaN. */
static void infinities_are_named(void **state)
{
    struct fixture *const f = *state;
    const int x = input(f, "x", 2);
    graft_graph_layer(f->graph, "good");
    const int y = graft_unary(f->graph, GRAFT_UNARY_ABS, x);
    graft_graph_layer(f->graph, "bad");
    graft_graph_output(f->graph, graft_unary(f->graph, GRAFT_UNARY_EXP, y));
    open_plan(f, &(struct graft_plan_options){.check_numbers = true});
    write_two(f, x, 1, -2);
    assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    write_two(f, x, 1, -200);
    assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_ERROR_NUMERIC);
    assert_non_null(strstr(graft_context_error(f->context), "layer bad made Inf at element 1"));
}

/* Parameters begin as 0, states with their value, up to the last element. */
static void variables_begin_as_asked(void **state)
{
    struct fixture *const f = *state;
    enum { MANY = 40000 };
    const struct graft_shape shape = graft_shape_of(1, MANY);
    float *const data = malloc(MANY * sizeof *data);
    (void)parameter(f, "p", MANY);
    (void)graft_graph_state(f->graph, "one", &shape, 1);
    (void)graft_graph_state(f->graph, "half", &shape, 0.5);
    assert_int_equal(graft_variables_add(f->variables, f->graph), GRAFT_OK);
    static const struct {
        const char *name;
        float value;
    } wanted[] = {{"p", 0}, {"one", 1}, {"half", 0.5f}};
    for (int v = 0; v < 3; v++) {
        assert_int_equal(graft_variables_read(f->variables, wanted[v].name, data, MANY * sizeof *data),
                         GRAFT_OK);
        for (int i = 0; i < MANY; i++)
            assert_true(data[i] == wanted[v].value);
    }
    free(data);
}

/* What is forced is forced for the op of that very name, wherever it stands in the list. */
static void forced_variants_are_of_one_op(void **state)
{
    struct fixture *const f = *state;
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 1};
    static const char *const lists[] = {NULL, "unary_grad=reference", "unary=reference",
                                        "unary_grad=reference,reduce=reference,unary=reference"};
    int p = parameter(f, "p", 64), gradient;
    const int loss = graft_reduce(f->graph, graft_unary(f->graph, GRAFT_UNARY_TANH, p), &all);
    assert_int_equal(graft_graph_gradient(f->graph, loss, &p, 1, &gradient), GRAFT_OK);
    graft_graph_output(f->graph, gradient);
    graft_graph_output(f->graph, loss);
    for (int i = 0; i < 4; i++) {
        open_plan(f, &(struct graft_plan_options){.variants = lists[i]});
        int seen = 0;
        for (int n = 0; n < graft_plan_node_count(f->plan); n++) {
            struct graft_plan_node node;
            graft_plan_node_at(f->plan, n, &node);
            const bool forward = strcmp(node.op, "unary") == 0, backward = strcmp(node.op, "unary_grad") == 0;
            const bool forced = (forward && i >= 2) || (backward && (i == 1 || i == 3));
            if (forward || backward)
                assert_int_equal(strcmp(node.variant, "reference") == 0, forced);
            seen += forward + backward;
        }
        assert_int_equal(seen, 2);
        graft_plan_close(&f->plan);
    }
    static const char *const wrong[] = {"unary", "unary_grad=reference,unary", "unary,reduce=reference",
                                        "=reference"};
    for (int i = 0; i < 4; i++) {
        const struct graft_plan_options options = {.variants = wrong[i]};
        assert_int_equal(graft_plan_open(f->graph, f->device, f->variables, &options, &f->plan),
                         GRAFT_ERROR_ARGUMENT);
        assert_null(f->plan);
    }
}

/* 1x1 convolution and normalization of one pixel with two channels; in training its statistics are counted
 * on. */
static int build_norm(struct graft_graph *graph, bool training, int *x)
{
    const struct graft_shape pixel = graft_shape_of(4, 2, 1, 1, 2), two = graft_shape_of(1, 2);
    const struct graft_shape filters = graft_shape_of(4, 2, 1, 1, 2);
    const struct graft_conv2d_attributes plain = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    *x = graft_graph_input(graph, "x", GRAFT_DTYPE_F32, &pixel);
    const int w = graft_graph_parameter(graph, "w", &filters);
    const int gamma = graft_graph_parameter(graph, "gamma", &two),
              beta = graft_graph_parameter(graph, "beta", &two);
    const int mean = graft_graph_state(graph, "mean", &two, 0),
              var = graft_graph_state(graph, "var", &two, 1);
    const int y = graft_conv2d(graph, *x, w, -1, &plain);
    return training ? graft_batch_norm_training(graph, y, gamma, beta, mean, var, 0, 0.5)
                    : graft_batch_norm(graph, y, gamma, beta, mean, var, 0);
}

/* One plan's run changes what another one has folded into its weights: mean 0 and variance 1 become, by half,
 * those of the pixels, which are 2, and 2 or 18 (of a sample). */
static void statistics_of_another_plan_are_noticed(void **state)
{
    struct fixture *const f = *state;
    const float pixels[4] = {1, 5, 3, -1}, identity[4] = {1, 0, 0, 1}, ones[2] = {1, 1};
    struct graft_graph *frozen = NULL;
    struct graft_plan *plan = NULL;
    int x, frozen_x;
    float got[4];
    graft_graph_output(f->graph, build_norm(f->graph, true, &x));
    open_plan(f, NULL);
    assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &frozen), GRAFT_OK);
    const int y = build_norm(frozen, false, &frozen_x);
    graft_graph_output(frozen, y);
    assert_int_equal(graft_variables_write(f->variables, "w", identity, sizeof identity), GRAFT_OK);
    assert_int_equal(graft_variables_write(f->variables, "gamma", ones, sizeof ones), GRAFT_OK);
    assert_int_equal(graft_plan_open(frozen, f->device, f->variables, NULL, &plan), GRAFT_OK);
    for (int run = 0; run < 2; run++) {
        const float mean[2] = {run ? 1.0f : 0, run ? 1.0f : 0}, var[2] = {run ? 1.5f : 1, run ? 9.5f : 1};
        assert_int_equal(graft_plan_write(plan, frozen_x, pixels, sizeof pixels), GRAFT_OK);
        assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_read(plan, y, got, sizeof got), GRAFT_OK);
        for (int i = 0; i < 4; i++)
            assert_true(fabsf(got[i] - (pixels[i] - mean[i % 2]) / sqrtf(var[i % 2])) < 1e-6f);
        assert_int_equal(graft_plan_write(f->plan, x, pixels, sizeof pixels), GRAFT_OK);
        assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    }
    graft_plan_close(&plan);
    graft_graph_close(&frozen);
}

/* Whatever of a convolution and the normalization behind it comes anew with each run is no part of folded
 * weights: y = ((x w + bias) - mean) / sqrt(variance) gamma + beta, of one number each. */
static void what_changes_is_not_folded(void **state)
{
    struct fixture *const f = *state;
    static const char *const names[6] = {"w", "bias", "gamma", "beta", "mean", "variance"};
    const struct graft_shape one = graft_shape_of(1, 1), pixel = graft_shape_of(4, 1, 1, 1, 1);
    const struct graft_conv2d_attributes plain = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    for (int changing = 0; changing < 6; changing++) {
        struct graft_graph *graph = NULL;
        float v[6] = {3, -1, 2, 5, 0.5f, 4}, got;
        int values[6];
        assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &graph), GRAFT_OK);
        const int x = graft_graph_input(graph, "x", GRAFT_DTYPE_F32, &pixel);
        for (int i = 0; i < 6; i++) {
            const struct graft_shape *const shape = i == 0 ? &pixel : &one;
            values[i] = i == changing ? graft_graph_input(graph, "changing", GRAFT_DTYPE_F32, shape)
                                      : graft_graph_parameter(graph, names[i], shape);
        }
        const int y = graft_batch_norm(graph, graft_conv2d(graph, x, values[0], values[1], &plain), values[2],
                                       values[3], values[4], values[5], 0);
        graft_graph_output(graph, y);
        assert_int_equal(graft_plan_open(graph, f->device, f->variables, NULL, &f->plan), GRAFT_OK);
        for (int i = 0; i < 6; i++)
            if (i != changing)
                assert_int_equal(graft_variables_write(f->variables, names[i], &v[i], sizeof v[i]), GRAFT_OK);
        for (int run = 0; run < 3; run++) {
            const float input = (float)(run + 2);
            v[changing] += (float)run;
            assert_int_equal(graft_plan_write(f->plan, x, &input, sizeof input), GRAFT_OK);
            assert_int_equal(graft_plan_write(f->plan, values[changing], &v[changing], sizeof *v), GRAFT_OK);
            assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
            assert_int_equal(graft_plan_read(f->plan, y, &got, sizeof got), GRAFT_OK);
            const float wanted = (input * v[0] + v[1] - v[4]) / sqrtf(v[5]) * v[2] + v[3];
            assert_true(fabsf(got - wanted) <= 1e-5f * (1 + fabsf(wanted)));
        }
        graft_plan_close(&f->plan);
        graft_graph_close(&graph);
    }
}

/* What is added to a product and stretched for it, along rows or along columns, is no residual of the
 * product. */
static void stretched_sums_are_not_fused(void **state)
{
    struct fixture *const f = *state;
    enum { ROWS = 3, COLUMNS = 40 };
    const struct graft_shape x_shape = graft_shape_of(2, ROWS, 1), w_shape = graft_shape_of(2, 1, COLUMNS);
    const struct graft_shape shapes[3] = {graft_shape_of(2, ROWS, COLUMNS), graft_shape_of(2, 1, COLUMNS),
                                          graft_shape_of(2, ROWS, 1)};
    const int x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &x_shape);
    const int w = graft_graph_parameter(f->graph, "w", &w_shape);
    float numbers[ROWS * COLUMNS], got[ROWS * COLUMNS];
    int more[3], y[3];
    for (int i = 0; i < ROWS * COLUMNS; i++)
        numbers[i] = (float)i;
    for (int i = 0; i < 3; i++) {
        const char name[2] = {(char)('a' + i), 0};
        more[i] = graft_graph_input(f->graph, name, GRAFT_DTYPE_F32, &shapes[i]);
        y[i] = graft_add(f->graph, graft_matmul(f->graph, x, w, -1, false, false), more[i]);
        graft_graph_output(f->graph, y[i]);
    }
    open_plan(f, NULL);
    assert_int_equal(graft_variables_write(f->variables, "w", numbers, COLUMNS * sizeof *numbers), GRAFT_OK);
    assert_int_equal(graft_plan_write(f->plan, x, numbers, ROWS * sizeof *numbers), GRAFT_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(graft_plan_write(f->plan, more[i], numbers,
                                          (size_t)graft_shape_count(&shapes[i]) * sizeof *numbers),
                         GRAFT_OK);
    assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(graft_plan_read(f->plan, y[i], got, sizeof got), GRAFT_OK);
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < COLUMNS; c++) {
                const int at = i == 0 ? r * COLUMNS + c : i == 1 ? c : r;
                assert_true(got[r * COLUMNS + c] == (float)(r * c + at));
            }
    }
}

static double silu_slope(double u)
{
    const double s = 1 / (1 + exp(-u));
    return s * (1 + u * (1 - s));
}

/* Where an activation's gradient needs what the batch's normalization made, that is made again from x instead of
 * being kept, and the activation moves into the normalization. Its slope moves into the normalization's gradients,
 * unless, odd k, the gradient before it is read from outside. d(sum)/d(beta) of silu from its formula. */
static void normalizations_are_made_again(void **state)
{
    struct fixture *const f = *state;
    enum { ROWS = 5, CHANNELS = 3 };
    static const enum graft_unary kinds[] = {GRAFT_UNARY_SILU, GRAFT_UNARY_HARD_SWISH, GRAFT_UNARY_RELU,
                                             GRAFT_UNARY_GELU};
    static const int norms[] = {1, 2, 1, 2, 1, 1, 1, 1}, unaries[] = {0, 0, 0, 0, 0, 0, 1, 1};
    static const float gamma[CHANNELS] = {1, 2, -0.5f}, beta[CHANNELS] = {0.5f, -1, 0};
    const struct graft_shape shape = graft_shape_of(2, ROWS, CHANNELS);
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 3};
    float pixels[ROWS * CHANNELS], got[CHANNELS];
    for (int i = 0; i < ROWS * CHANNELS; i++)
        pixels[i] = (float)(i * i % 11) - 4;
    for (int k = 0; k < 8; k++) {
        struct graft_graph *graph = NULL;
        assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &graph), GRAFT_OK);
        const struct graft_shape vector = graft_shape_of(1, CHANNELS);
        const int x = graft_graph_input(graph, "x", GRAFT_DTYPE_F32, &shape);
        const int g = graft_graph_parameter(graph, "gamma", &vector);
        const int b = graft_graph_parameter(graph, "beta", &vector);
        const int u = graft_batch_norm_training(graph, x, g, b, -1, -1, 0, 0);
        const int loss = graft_reduce(graph, graft_unary(graph, kinds[k / 2], u), &all);
        const int targets[2] = {b, u};
        int gradients[2];
        assert_int_equal(graft_graph_gradient(graph, loss, targets, 2, gradients), GRAFT_OK);
        graft_graph_output(graph, loss);
        graft_graph_output(graph, gradients[0]);
        if (k % 2 == 1)
            graft_graph_output(graph, gradients[1]);
        assert_int_equal(graft_plan_open(graph, f->device, f->variables, NULL, &f->plan), GRAFT_OK);
        assert_int_equal(count_op(f->plan, "batch_norm", 0), norms[k]);
        assert_int_equal(count_op(f->plan, "unary", 0), unaries[k]);
        assert_int_equal(graft_variables_write(f->variables, "gamma", gamma, sizeof gamma), GRAFT_OK);
        assert_int_equal(graft_variables_write(f->variables, "beta", beta, sizeof beta), GRAFT_OK);
        assert_int_equal(graft_plan_write(f->plan, x, pixels, sizeof pixels), GRAFT_OK);
        assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_read(f->plan, gradients[0], got, sizeof got), GRAFT_OK);
        for (int c = 0; c < CHANNELS && k < 2; c++) {
            double mean = 0, square = 0, wanted = 0;
            for (int r = 0; r < ROWS; r++)
                mean += (double)pixels[r * CHANNELS + c] / ROWS;
            for (int r = 0; r < ROWS; r++)
                square += pow((double)pixels[r * CHANNELS + c] - mean, 2) / ROWS;
            for (int r = 0; r < ROWS; r++)
                wanted += silu_slope(((double)pixels[r * CHANNELS + c] - mean) / sqrt(square) *
                                         (double)gamma[c] +
                                     (double)beta[c]);
            assert_true(fabs((double)got[c] - wanted) <= 1e-5 * (1 + fabs(wanted)));
        }
        graft_plan_close(&f->plan);
        graft_graph_close(&graph);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gradients_belong_to_their_layer),
        TEST(large_gradients_wait),
        TEST(memory_is_aligned),
        TEST(odd_values_are_taken),
        TEST(unread_inputs_are_in_nobodys_way),
        TEST(inputs_last_from_run_to_run),
        TEST(sizes_are_checked),
        TEST(outputs_last_through_updates),
        TEST(infinities_are_named),
        TEST(variables_begin_as_asked),
        TEST(forced_variants_are_of_one_op),
        TEST(statistics_of_another_plan_are_noticed),
        TEST(what_changes_is_not_folded),
        TEST(stretched_sums_are_not_fused),
        TEST(normalizations_are_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
