/* SPDX-License-Identifier: MIT */
/* The comparator must see what others overlooked. Expected results follow from its definition in compare.h.
 */
#include "compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static bool one(double got, double wanted, double tolerance)
{
    const float value = (float)got;
    struct graft_comparison result;
    return graft_compare(&value, &wanted, &tolerance, 1, &result);
}

static void classes_come_first(void **state)
{
    (void)state;
    const double huge = 1e300;
    assert_false(one(NAN, 1, huge));
    assert_false(one(1, NAN, huge));
    assert_true(one(NAN, NAN, 0));
    assert_false(one(INFINITY, 1, huge));
    assert_false(one(1, INFINITY, huge));
    assert_true(one(INFINITY, INFINITY, 0));
    assert_false(one(INFINITY, -INFINITY, huge));
    assert_false(one(-INFINITY, INFINITY, huge));
    assert_false(one(NAN, INFINITY, huge));
    assert_false(one(INFINITY, NAN, huge));
    assert_true(one(INFINITY, 1e39, 0)); /* beyond f32 */
    assert_false(one(3e38, 1e39, huge));
}

static void tolerance_is_kept(void **state)
{
    (void)state;
    assert_true(one(1, 1, 0));
    assert_true(one(-0.0, 0, 0));
    assert_true(one(1.5, 1, 0.5));
    assert_false(one(1.5, 1, 0.49));
    assert_false(one(-1.5, 1.5, 0.5));
    assert_false(one(1.5, 1, NAN));
    assert_false(one(1.5, 1, INFINITY));
    assert_false(one(1.5, 1, -1));
    assert_true(one(1, 1, NAN));
}

static void equality_is_that_of_f32(void **state)
{
    (void)state;
    const float got[] = {0.1f, 16777216.0f};
    const double wanted[] = {0.1, 16777217.0};
    struct graft_comparison result;
    assert_true(graft_compare(got, wanted, NULL, 2, &result));
    const float next = nextafterf(0.1f, 1);
    assert_false(graft_compare(&next, wanted, NULL, 1, &result));
}

static void infinity_hides_no_neighbour(void **state)
{
    (void)state;
    const float got[] = {INFINITY, 2, INFINITY};
    const double wanted[] = {INFINITY, 1, INFINITY};
    const double tolerance[] = {INFINITY, 0.5, INFINITY};
    struct graft_comparison result;
    assert_false(graft_compare(got, wanted, tolerance, 3, &result));
    assert_int_equal(result.bad, 1);
    assert_int_equal(result.index, 1);
    assert_true(result.got == 2 && result.wanted == 1 && result.tolerance == 0.5);
    assert_true(result.share == 2);
}

static void one_in_a_million_is_found(void **state)
{
    (void)state;
    const int64_t count = 1000000;
    float *const got = calloc((size_t)count, sizeof *got);
    double *const wanted = calloc((size_t)count, sizeof *wanted);
    double *const tolerance = calloc((size_t)count, sizeof *tolerance);
    assert_true(got != NULL && wanted != NULL && tolerance != NULL);
    for (int64_t i = 0; i < count; i++) {
        wanted[i] = (double)i;
        got[i] = (float)i;
        tolerance[i] = 1e-3;
    }
    struct graft_comparison result;
    assert_true(graft_compare(got, wanted, tolerance, count, &result));
    assert_int_equal(result.index, -1);
    const int64_t places[] = {0, 654321, count - 1};
    for (int p = 0; p < 3; p++) {
        const float saved = got[places[p]];
        got[places[p]] = saved + 1;
        assert_false(graft_compare(got, wanted, tolerance, count, &result));
        assert_false(graft_compare(got, wanted, NULL, count, &result));
        assert_int_equal(result.bad, 1);
        assert_int_equal(result.index, places[p]);
        got[places[p]] = NAN;
        assert_false(graft_compare(got, wanted, tolerance, count, &result));
        assert_int_equal(result.index, places[p]);
        got[places[p]] = saved;
    }
    free(got);
    free(wanted);
    free(tolerance);
}

static void nothing_is_equal_to_nothing(void **state)
{
    (void)state;
    struct graft_comparison result;
    assert_true(graft_compare(NULL, NULL, NULL, 0, &result));
    assert_int_equal(result.bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_come_first),        cmocka_unit_test(tolerance_is_kept),
        cmocka_unit_test(equality_is_that_of_f32),   cmocka_unit_test(infinity_hides_no_neighbour),
        cmocka_unit_test(one_in_a_million_is_found), cmocka_unit_test(nothing_is_equal_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
