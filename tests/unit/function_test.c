/* SPDX-License-Identifier: MIT */
/* Functions of one and two values in the reference against PyTorch, at ordinary points, kinks and infinities.
 */
#include "function_expected.h"
#include "reference_trial.h"

/* PyTorch's gelu cancels below 0, and its hard_sigmoid has a sixth in f32. */
static double tolerance_of(enum graft_unary kind)
{
    return kind == GRAFT_UNARY_HARD_SIGMOID ? 1e-8 : 1e-14;
}

/* Zeros of either sign are equal. */
static void check(const char *what, double a, double b, double got, double expected, double tolerance)
{
    const bool near = fabs(got - expected) <= tolerance * fmax(1, fabs(expected));
    if (isnan(expected) ? !isnan(got) : isinf(expected) ? got != expected : !near) {
        fail_msg("%s at %g, %g: %.17g, expected %.17g", what, a, b, got, expected);
    }
}

static double run_one(struct graft_context *context, enum graft_op op, const union graft_attributes *a,
                      const double *in, int count)
{
    struct trial *const trial = trial_new(context, op);
    trial->call.attributes = *a;
    for (int i = 0; i < count; i++) {
        give_values(trial, SHAPE(1, 1), &in[i]);
    }
    infer(trial);
    run(trial, GRAFT_DTYPE_F64);
    const double result = trial->out[0][0];
    free(trial);
    return result;
}

static void unary_is_that_of_pytorch(void **state)
{
    for (size_t i = 0; i < sizeof unary_expected / sizeof *unary_expected; i++) {
        const enum graft_unary kind = unary_expected[i].kind;
        const union graft_attributes a = {.unary = {.kind = kind, .alpha = 0.125f, .low = -1.5f, .high = 2}};
        const double x = unary_expected[i].x;
        const double y = run_one(*state, GRAFT_OP_UNARY, &a, &x, 1);
        check(graft_unary_name(kind), x, 0, y, unary_expected[i].y, tolerance_of(kind));
        if (!isfinite(x)) { /* slopes there are not defined */
            continue;
        }
        const double slope = run_one(*state, GRAFT_OP_UNARY_GRAD, &a, (const double[]){x, y, 1}, 3);
        check(graft_unary_name(kind), x, y, slope, unary_expected[i].slope, tolerance_of(kind));
        const double twice = run_one(*state, GRAFT_OP_UNARY_GRAD, &a, (const double[]){x, y, -2}, 3);
        check(graft_unary_name(kind), x, y, twice, -2 * slope, 1e-14);
    }
}

static void binary_is_that_of_pytorch(void **state)
{
    for (size_t i = 0; i < sizeof binary_expected / sizeof *binary_expected; i++) {
        const double in[] = {binary_expected[i].a, binary_expected[i].b, 1};
        union graft_attributes a = {.binary = {.kind = binary_expected[i].kind}};
        const char *const name = graft_binary_name(a.binary.kind);
        check(name, in[0], in[1], run_one(*state, GRAFT_OP_BINARY, &a, in, 2), binary_expected[i].y, 1e-14);
        check(name, in[0], in[1], run_one(*state, GRAFT_OP_BINARY_GRAD, &a, in, 3), binary_expected[i].for_a,
              1e-14);
        a.binary.operand = 1;
        check(name, in[0], in[1], run_one(*state, GRAFT_OP_BINARY_GRAD, &a, in, 3), binary_expected[i].for_b,
              1e-14);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary_is_that_of_pytorch),
        cmocka_unit_test(binary_is_that_of_pytorch),
    };
    return cmocka_run_group_tests_name("function", tests, open_context, close_context);
}
