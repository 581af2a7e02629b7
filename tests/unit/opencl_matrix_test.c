/* SPDX-License-Identifier: MIT */
/*
 * Products by a matrix unit: whether there is one is found out by trying; without one its variants are for
 * tests only; with one they are the usual choice; and the three products that stand for one err as little as
 * cl/matrix_tile.h says.
 */
#include "opencl_fixture.h"
#include "backend/opencl/gemm.h"
#include "backend/opencl/internal.h"
#include "backend/opencl/thresholds.h"
#include "base/context.h"

#include <math.h>

#define ROWS 70
#define COLUMNS 24
#define TERMS 16
#define UNIT 0x1p-24 /* of rounding */

static struct graft_call product(struct fixture *f, int64_t m, int64_t k, int64_t n)
{
    struct graft_call call = {.op = GRAFT_OP_MATMUL, .n_inputs = 2};
    call.in[0] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(2, m, k)};
    call.in[1] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(2, k, n)};
    need(f, graft_op_infer(f->context, &call));
    return call;
}

static const char *chosen(struct fixture *f, const struct graft_call *call)
{
    struct graft_variant_info info;
    int variant = 0;
    need(f, graft_variant_choose(f->device, call, NULL, &variant, &info));
    return info.name;
}

static void the_emulation_computes_what_integers_say(void **state)
{
    struct fixture *const f = need_device(state);
    bool there = false;
    need(f, graft_matrix_probe(f->opencl, true, &there));
    assert_true(there);
    there = false;
    need(f, graft_copies_probe(f->opencl, true, &there));
    assert_true(there);
}

/* Processors have no unit for work-items: their compilers refuse the program, which is an answer and no
 * error. */
static void a_device_without_a_unit_is_told_by_its_compiler(void **state)
{
    struct fixture *const f = need_device(state);
    bool there = true;
    if (f->device->info.kind != GRAFT_DEVICE_CPU) {
        skip();
    }
    need(f, graft_matrix_probe(f->opencl, false, &there));
    assert_false(there);
    there = true;
    need(f, graft_copies_probe(f->opencl, false, &there));
    assert_false(there);
    assert_string_equal(graft_context_error(f->context), "");
}

static void without_a_unit_it_is_taken_if_forced_only(void **state)
{
    struct fixture *const f = need_device(state);
    const struct graft_call call = product(f, 100, 20, 70);
    f->opencl->traits.family = GRAFT_OPENCL_GPU;
    f->opencl->matrix_asked = true;
    f->opencl->matrix_unit = false;
    assert_null(strstr(chosen(f, &call), "matrix"));
    for (int wide = 0; wide < 2; wide++) {
        const char *const name = wide ? "matrix_wide" : "matrix";
        struct graft_variant_info info;
        int variant = 0;
        need(f, graft_variant_choose(f->device, &call, name, &variant, &info));
        assert_string_equal(info.name, name);
        assert_true(info.emulated); /* never measured: the tuner passes it over */
    }
}

/* Others are the usual choice; it is measured beside them. */
static void with_a_unit_it_is_left_to_measurement(void **state)
{
    static const struct {
        int64_t m, k, n;
        const char *variant; /* that takes it; NULL: none does */
    } shapes[] = {
        {4096, 4096, 4096, "matrix_wide"},
        {200, 64, 100, "matrix"},
        {200, 16, 100, "matrix"},
        {200, 15, 100, NULL},
    };
    struct fixture *const f = need_device(state);
    f->opencl->traits.family = GRAFT_OPENCL_GPU;
    f->opencl->traits.compute_units = 132;
    f->opencl->traits.local_bytes = 49152;
    f->opencl->matrix_asked = f->opencl->matrix_unit = true;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const struct graft_call call = product(f, shapes[i].m, shapes[i].k, shapes[i].n);
        struct graft_variant_info info;
        int variant = 0;
        assert_null(strstr(chosen(f, &call), "matrix"));
        if (shapes[i].variant != NULL) {
            need(f, graft_variant_choose(f->device, &call, shapes[i].variant, &variant, &info));
            assert_string_equal(info.name, shapes[i].variant);
            assert_false(info.emulated);
        } else {
            assert_int_equal(graft_variant_choose(f->device, &call, "matrix", &variant, &info),
                             GRAFT_ERROR_UNSUPPORTED);
        }
    }
}

/* With copies or without, the usual choice stays; what lacks them is emulated, and never measured. */
static void asynchronous_copies_are_left_to_measurement(void **state)
{
    struct fixture *const f = need_device(state);
    const struct graft_call call = product(f, 4096, 4096, 4096);
    f->opencl->traits.family = GRAFT_OPENCL_GPU;
    f->opencl->traits.compute_units = 132;
    f->opencl->traits.local_bytes = 49152; /* three steps of blocks of 128 × 128, to the byte */
    f->opencl->matrix_asked = f->opencl->matrix_unit = f->opencl->copies_asked = true;
    for (int there = 0; there < 2; there++) {
        struct graft_variant_info info;
        int variant = 0;
        f->opencl->copies = there != 0;
        assert_null(strstr(chosen(f, &call), "matrix"));
        need(f, graft_variant_choose(f->device, &call, "matrix_async_wide", &variant, &info));
        assert_int_equal(info.emulated, there == 0);
        need(f, graft_variant_choose(f->device, &call, "matrix_wide", &variant, &info));
        assert_false(info.emulated);
    }
    f->opencl->traits.local_bytes--;
    struct graft_variant_info info;
    int variant = 0;
    assert_int_equal(graft_variant_choose(f->device, &call, "matrix_async_wide", &variant, &info),
                     GRAFT_ERROR_UNSUPPORTED);
}

/* Emulated products take more local memory, which is known once the unit was asked for. */
static void local_memory_is_looked_at_again(void **state)
{
    struct fixture *const f = need_device(state);
    const struct graft_call call = product(f, 256, 64, 256);
    struct graft_variant_info info;
    int variant = 0;
    if (f->device->info.kind != GRAFT_DEVICE_CPU) {
        skip();
    }
    f->opencl->traits.family = GRAFT_OPENCL_GPU;
    f->opencl->traits.local_bytes = 49152;
    f->device->info.kind = GRAFT_DEVICE_GPU;
    const enum graft_status status =
        graft_variant_choose(f->device, &call, "matrix_async_wide", &variant, &info);
    f->device->info.kind = GRAFT_DEVICE_CPU;
    assert_int_equal(status, GRAFT_ERROR_UNSUPPORTED);
    assert_true(f->opencl->matrix_asked);
    assert_non_null(strstr(graft_context_error(f->context), "has less local memory"));
}

/* One TF32 product comes first where the call allows it, and is left alone elsewhere. */
static void tf32_is_taken_where_it_is_asked_for(void **state)
{
    static const struct {
        int64_t m, k, n;
        const char *variant;
    } shapes[] = {
        {4096, 4096, 4096, "matrix_tf32_wide"},
        {200, 64, 100, "matrix_tf32"},
    };
    struct fixture *const f = need_device(state);
    f->opencl->traits.family = GRAFT_OPENCL_GPU;
    f->opencl->traits.compute_units = 132;
    f->opencl->traits.local_bytes = 49152;
    f->opencl->matrix_asked = f->opencl->matrix_unit = true;
    need(f, graft_device_need_tf32(f->device));
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct graft_call call = product(f, shapes[i].m, shapes[i].k, shapes[i].n);
        assert_null(strstr(chosen(f, &call), "tf32"));
        call.tf32 = true;
        assert_string_equal(chosen(f, &call), shapes[i].variant);
    }
    struct graft_call few = product(f, 200, 15, 100);
    few.tf32 = true; /* more is promised than asked for */
    assert_null(strstr(chosen(f, &few), "matrix"));
}

static void tf32_without_a_unit_is_refused(void **state)
{
    struct fixture *const f = need_device(state);
    f->opencl->matrix_asked = true;
    f->opencl->matrix_unit = false;
    assert_int_equal(graft_device_need_tf32(f->device), GRAFT_ERROR_UNSUPPORTED);
    assert_non_null(
        strstr(graft_context_error(f->context), "has no matrix unit that computes in TF32: take f32"));
    struct graft_call call = product(f, 64, 64, 64);
    call.tf32 = true;
    assert_null(strstr(chosen(f, &call), "matrix"));
}

/* Numbers of which all 24 bits count, those with long rests first. */
static float significant(struct graft_random *random, int i)
{
    const uint32_t low =
        i % 2 == 0 ? 0xfffu - graft_random_below(random, 4) : graft_random_below(random, 1u << 13);
    const uint32_t bits = 0x3f800000u | (i % 3 == 0 ? 0 : graft_random_below(random, 1u << 10)) << 13 | low;
    float x;
    memcpy(&x, &bits, sizeof x);
    return graft_random_below(random, 2) == 0 ? x : -x;
}

static void run(struct fixture *f, const struct graft_call *call, const char *name, const float *a,
                const float *b, float *y)
{
    const struct graft_backend *const backend = f->device->backend;
    struct graft_tensor in[GRAFT_MAX_INPUTS] = {{NULL, 0}}, out[GRAFT_MAX_OUTPUTS] = {{NULL, 0}};
    const uint64_t bytes[] = {ROWS * TERMS * sizeof *a, TERMS * COLUMNS * sizeof *b,
                              ROWS * COLUMNS * sizeof *y};
    struct graft_variant_info info;
    struct graft_kernel *kernel = NULL;
    int variant = 0;
    need(f, graft_variant_choose(f->device, call, name, &variant, &info));
    need(f, graft_buffer_open(f->device, bytes[0], &in[0].buffer));
    need(f, graft_buffer_open(f->device, bytes[1], &in[1].buffer));
    need(f, graft_buffer_open(f->device, bytes[2], &out[0].buffer));
    need(f, backend->buffer_write(f->device, in[0], a, bytes[0]));
    need(f, backend->buffer_write(f->device, in[1], b, bytes[1]));
    need(f, backend->kernel_open(f->device, call, variant, &kernel));
    const int rows = ((const struct graft_opencl_kernel *)(const void *)kernel)->local_tile.rows;
    assert_true(strstr(name, "wide") ? rows == GRAFT_LOCAL_WIDE : rows <= GRAFT_LOCAL_NARROW);
    need(f, backend->kernel_run(f->device, kernel, in, out, (struct graft_tensor){NULL, 0}));
    need(f, backend->buffer_read(f->device, y, out[0], bytes[2]));
    backend->kernel_close(f->device, kernel);
    graft_buffer_close(f->device, &in[0].buffer, bytes[0]);
    graft_buffer_close(f->device, &in[1].buffer, bytes[1]);
    graft_buffer_close(f->device, &out[0].buffer, bytes[2]);
}

/*
 * Sums of one term, of a few, and of all: within 8 units for the products and 2 for each time that the unit
 * rounds a sum: it is four times that a high product is added to others. (Truncated parts would err by up to
 * 28 units.)
 */
static void three_products_err_little(void **state)
{
    struct fixture *const f = need_device(state);
    static const char *const names[] = {"matrix", "matrix_wide", "matrix_async"};
    static const int terms[] = {1, 3, TERMS};
    static float a[ROWS * TERMS], b[TERMS * COLUMNS], y[ROWS * COLUMNS];
    struct graft_random random;
    graft_random_start(&random, 3, 1);
    const struct graft_call call = product(f, ROWS, TERMS, COLUMNS);
    for (int t = 0; t < 3; t++) {
        for (int i = 0; i < ROWS * TERMS; i++) {
            a[i] = i % TERMS < terms[t] ? significant(&random, i / TERMS) : 0;
        }
        for (int i = 0; i < TERMS * COLUMNS; i++) {
            b[i] = significant(&random, i);
        }
        for (int n = 0; n < 3; n++) {
            run(f, &call, names[n], a, b, y);
            for (int i = 0; i < ROWS * COLUMNS; i++) {
                double sum = 0, size = 0;
                for (int k = 0; k < TERMS; k++) {
                    const double one =
                        (double)a[i / COLUMNS * TERMS + k] * (double)b[k * COLUMNS + i % COLUMNS];
                    sum += one;
                    size += fabs(one);
                }
                if (!(fabs((double)y[i] - sum) <= (8 + 2 * 4) * UNIT * size)) {
                    fail_msg("%s, %d terms: element %d errs by %g units", names[n], terms[t], i,
                             ((double)y[i] - sum) / (UNIT * size));
                }
            }
        }
    }
}

/* Factors that lie half-way between two numbers of TF32, and products that do not cancel: each errs by close
 * to 2^-10, and so does the sum; with f32's three products it would be thousands of times less. */
static void one_product_errs_as_tf32_does(void **state)
{
    struct fixture *const f = need_device(state);
    static const char *const names[] = {"matrix_tf32", "matrix_tf32_wide"};
    static float a[ROWS * TERMS], b[TERMS * COLUMNS], y[ROWS * COLUMNS];
    const double x = 1 + 0x1p-11;
    const struct graft_call call = product(f, ROWS, TERMS, COLUMNS);
    for (int i = 0; i < ROWS * TERMS; i++) {
        a[i] = (float)x;
    }
    for (int i = 0; i < TERMS * COLUMNS; i++) {
        b[i] = (float)x;
    }
    for (int n = 0; n < 2; n++) {
        run(f, &call, names[n], a, b, y);
        for (int i = 0; i < ROWS * COLUMNS; i++) {
            const double error = fabs((double)y[i] - TERMS * x * x) / (TERMS * x * x);
            if (!(error > 0x1p-11 && error <= 0x1p-10 + 0x1p-22)) {
                fail_msg("%s: element %d errs by %g of itself", names[n], i, error);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_emulation_computes_what_integers_say, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(a_device_without_a_unit_is_told_by_its_compiler, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(without_a_unit_it_is_taken_if_forced_only, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(with_a_unit_it_is_left_to_measurement, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(asynchronous_copies_are_left_to_measurement, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(local_memory_is_looked_at_again, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(tf32_is_taken_where_it_is_asked_for, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(tf32_without_a_unit_is_refused, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(one_product_errs_as_tf32_does, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(three_products_err_little, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
