/* SPDX-License-Identifier: MIT */
/* Freivalds' check must find what is wrong, and only that. Right results are those of the f64 reference. */
#include "freivalds.h"
#include "real_edges.h"
#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct subject {
    struct graft_heap heap;
    struct graft_call call;
    struct graft_product product;
    float *result;
    int64_t count;
};

static float *integers(struct subject *s, const struct graft_shape *shape, int exponent, uint64_t seed)
{
    struct graft_random random;
    const int64_t count = graft_shape_count(shape);
    float *const values = graft_heap_get(&s->heap, (size_t)count, sizeof *values);
    graft_random_start(&random, seed, 1);
    for (int64_t i = 0; i < count; i++) {
        values[i] = ldexpf((float)((int)graft_random_below(&random, 7) - 3), -exponent);
    }
    return values;
}

/* Operands, and the result of the f64 reference kernel, which knows nothing of the check. */
static void make(struct subject *s, struct graft_context *context, const struct graft_call *call,
                 int exponent)
{
    void *in[GRAFT_MAX_INPUTS] = {NULL};
    double *out[GRAFT_MAX_OUTPUTS] = {NULL};
    *s = (struct subject){.call = *call};
    s->call.real = GRAFT_DTYPE_F32;
    assert_int_equal(graft_op_infer(context, &s->call), GRAFT_OK);
    s->product = (struct graft_product){.call = &s->call, .exponent = exponent};
    struct graft_call call64 = s->call;
    for (int i = 0; i < call->n_inputs; i++) {
        const int64_t count = graft_shape_count(&s->call.in[i].shape);
        float *const values =
            integers(s, &s->call.in[i].shape, i > 0 ? exponent : 0, 7 + (uint64_t)(i + (int)call->op));
        double *const wide = graft_heap_get(&s->heap, (size_t)count, sizeof *wide);
        for (int64_t k = 0; k < count; k++) {
            wide[k] = (double)values[k];
        }
        s->product.in[i] = values;
        in[i] = wide;
        call64.in[i].dtype = GRAFT_DTYPE_F64;
    }
    call64.real = call64.out[0].dtype = GRAFT_DTYPE_F64;
    s->count = graft_shape_count(&s->call.out[0].shape);
    out[0] = graft_heap_get(&s->heap, (size_t)s->count, sizeof(double));
    graft_reference_run(&call64, in, out);
    s->result = graft_heap_get(&s->heap, (size_t)s->count, sizeof(float));
    for (int64_t i = 0; i < s->count; i++) {
        s->result[i] = (float)out[0][i];
    }
}

static bool passes(struct subject *s, uint64_t seed, bool rounded, struct graft_freivalds_verdict *verdict)
{
    struct graft_heap heap = {NULL, 0, 0};
    struct graft_freivalds check;
    graft_freivalds_open(&heap, NULL, &s->product, seed, &check);
    const bool good = graft_freivalds_compare(&check, &heap, s->result, rounded, verdict);
    graft_heap_close(&heap);
    return good;
}

static int make_calls(struct graft_call calls[16])
{
    static const enum graft_op ops[] = {GRAFT_OP_CONV2D, GRAFT_OP_CONV2D_GRAD_INPUT,
                                        GRAFT_OP_CONV2D_GRAD_WEIGHT};
    static const struct graft_edge_conv convs[] = {
        {3, 9, 7, 6, 10, 3, 2, 1, 2}, {2, 8, 8, 5, 4, 1, 1, 0, 1}, {2, 7, 9, 6, 6, 5, 1, 2, 6}};
    int count = 0;
    for (int op = 0; op < 3; op++) {
        for (int i = 0; i < 3; i++) {
            graft_edge_conv(&calls[count++], ops[op], &convs[i]);
        }
    }
    graft_edge_matmul(&calls[count++], 0, 7, 9, 11, "", false);
    graft_edge_matmul(&calls[count++], 0, 7, 9, 11, "ab", false);
    graft_edge_matmul(&calls[count++], 3, 5, 4, 6, "b", false);
    graft_edge_matmul(&calls[count++], 3, 5, 4, 6, "a", true);
    graft_edge_matmul(&calls[count], 0, 9, 6, 5, "", false); /* with bias and residual */
    calls[count].in[2] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(1, 6)};
    calls[count].in[3] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(2, 9, 6)};
    calls[count++].n_inputs = 4;
    return count;
}

static void right_results_pass_and_each_wrong_element_is_found(void **state)
{
    struct graft_call calls[16];
    const int count = make_calls(calls);
    for (int c = 0; c < count; c++) {
        struct subject s;
        struct graft_freivalds_verdict verdict;
        const bool scaled = calls[c].op == GRAFT_OP_CONV2D || calls[c].op == GRAFT_OP_MATMUL;
        make(&s, *state, &calls[c], scaled && c % 2 == 0 ? 4 : 0);
        assert_true(passes(&s, 3, false, &verdict));
        const float unit = ldexpf(1, -s.product.exponent);
        for (int64_t i = 0; i < s.count; i++) {
            const float kept = s.result[i];
            assert_true(graft_product_element(&s.product, i) == (double)kept);
            const float wrong[] = {kept + unit, kept - 4096 * unit, NAN, INFINITY, kept + unit / 2};
            s.result[i] = wrong[i % 5];
            assert_false(passes(&s, 5 + (uint64_t)i, false, &verdict));
            assert_int_equal(verdict.index, i);
            assert_true(verdict.wanted == (double)kept);
            s.result[i] = kept;
        }
        graft_heap_close(&s.heap);
    }
}

/* One in a million elements is off by one unit: found whatever the random numbers, because they are odd. */
static void one_element_in_a_million(void **state)
{
    struct graft_call call;
    struct subject s;
    struct graft_freivalds_verdict verdict;
    graft_edge_matmul(&call, 0, 1000, 1000, 20, "", false);
    make(&s, *state, &call, 0);
    assert_int_equal(s.count, 1000000);
    assert_true(passes(&s, 1, false, &verdict));
    for (uint64_t trial = 0; trial < 100; trial++) {
        const int64_t at = (int64_t)((trial * 7919 * 7919 + 12345) % 1000000);
        s.result[at] += 1;
        assert_false(passes(&s, trial, false, &verdict));
        assert_int_equal(verdict.index, at);
        s.result[at] -= 1;
    }
    graft_heap_close(&s.heap);
}

/*
 * Errors that would cancel in a plain sum: two of them at the same place, as two channels or two images that
 * were exchanged make. They are missed with a probability below 2^-38 each; 20,000 trials with numbers of
 * their own, so one miss in all of them has a probability below 10^-7.
 */
static void errors_that_cancel(void **state)
{
    static const struct graft_edge_conv conv = {4, 3, 3, 4, 8, 3, 1, 1, 1};
    struct graft_call call;
    struct subject s;
    struct graft_freivalds_verdict verdict;
    graft_edge_conv(&call, GRAFT_OP_CONV2D, &conv);
    make(&s, *state, &call, 0);
    for (uint64_t trial = 0; trial < 20000; trial++) {
        const int64_t place = (int64_t)(trial % 9);
        const int64_t a = place * 8 + (int64_t)(trial / 9 % 7);
        const int64_t b = trial % 2 == 0 ? a + 1 : a + 9 * 8; /* the next channel, or the next image */
        const float off = (float)(1 << trial % 11);
        s.result[a] += off;
        s.result[b] -= off;
        assert_false(passes(&s, trial, false, &verdict));
        s.result[a] -= off;
        s.result[b] += off;
    }
    graft_heap_close(&s.heap);
}

static void fractions_are_rounded_only_where_asked(void **state)
{
    struct graft_call call;
    struct subject s;
    struct graft_freivalds_verdict verdict;
    graft_edge_matmul(&call, 0, 30, 40, 20, "", false);
    make(&s, *state, &call, 0);
    for (int64_t i = 0; i < s.count; i++) {
        s.result[i] += i % 2 == 0 ? 0.2f : -0.2f;
    }
    assert_false(passes(&s, 1, false, &verdict));
    assert_true(passes(&s, 1, true, &verdict));
    s.result[77] += 0.1f; /* 0.3 from an integer */
    s.result[77] = floorf(s.result[77]) + 0.3f;
    assert_false(passes(&s, 1, true, &verdict));
    s.result[77] = floorf(s.result[77]) + 7.1f;
    assert_false(passes(&s, 1, true, &verdict));
    graft_heap_close(&s.heap);
}

/* What an activation clips is left out of sums, and looked at alone. */
static void clipped_channels_are_left_out(void **state)
{
    struct graft_call call;
    struct subject s;
    struct graft_freivalds_verdict verdict;
    graft_edge_matmul(&call, 0, 30, 6, 20, "", false);
    make(&s, *state, &call, 0);
    const bool clipped[6] = {[2] = true};
    s.product.clipped = clipped;
    s.result[6 * 4 + 2] += 9;
    assert_true(passes(&s, 1, false, &verdict));
    s.result[6 * 4 + 3] += 9;
    assert_false(passes(&s, 1, false, &verdict));
    graft_heap_close(&s.heap);
}

static int set_up(void **state)
{
    struct graft_context *context = NULL;
    const int result = graft_context_open(NULL, &context) == GRAFT_OK ? 0 : -1;
    *state = context;
    return result;
}

static int tear_down(void **state)
{
    struct graft_context *context = *state;
    graft_context_close(&context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_results_pass_and_each_wrong_element_is_found),
        cmocka_unit_test(one_element_in_a_million),
        cmocka_unit_test(errors_that_cancel),
        cmocka_unit_test(fractions_are_rounded_only_where_asked),
        cmocka_unit_test(clipped_channels_are_left_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
