/* SPDX-License-Identifier: MIT */
/* What is compiled for a device: no more than what is taken, for GPUs in programs as small as their files. */
#include "backend/opencl/clblast.h"
#include "backend/opencl/flat.h"
#include "backend/opencl/program.h"
#include "base/context.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct graft_context *context;
    struct graft_device *device; /* NULL: there is none */
    struct graft_opencl_device *opencl;
};

static int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    assert_int_equal(graft_context_open(NULL, &f->context), GRAFT_OK);
    if (graft_device_open(f->context, "opencl:0", &f->device) != GRAFT_OK) {
        f->device = NULL;
    }
    f->opencl = (struct graft_opencl_device *)f->device;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    free(f);
    return 0;
}

static void need_device(struct fixture *f)
{
    if (f->device == NULL) {
        print_message("no OpenCL device: %s\n", graft_context_error(f->context));
        skip();
    }
}

static const struct graft_opencl_source *source_of(const char *name)
{
    const struct graft_opencl_source *source = graft_opencl_sources;
    while (source->name != NULL && strcmp(source->name, name) != 0) {
        source++;
    }
    assert_non_null(source->name);
    return source;
}

static void simple_kernels_are_where_the_list_says(void **state)
{
    const char *const together = source_of("simple.cl")->text;
    int count = 0;
    (void)state;
    for (const struct graft_opencl_simple_kernel *kernel = graft_opencl_simple_kernels; kernel->name != NULL;
         kernel++) {
        char definition[96];
        (void)snprintf(definition, sizeof definition, "void %s(", kernel->name);
        assert_non_null(strstr(source_of(kernel->source)->text, definition));
        assert_non_null(strstr(together, definition));
        count++;
    }
    assert_true(count > 50);
}

/* The program that a kernel is added from. */
static const char *program_of(struct fixture *f, enum graft_device_kind kind, const char *name)
{
    const struct graft_opencl_variant variant = {.name = "narrow", .family = GRAFT_OPENCL_GPU};
    struct graft_opencl_kernel kernel = {.variant = &variant};
    const enum graft_device_kind was = f->device->info.kind;
    f->device->info.kind = kind;
    f->opencl->deferring = true; /* it is named, and not compiled */
    assert_int_equal(graft_opencl_simple_add(f->opencl, &kernel, name), GRAFT_OK);
    f->opencl->deferring = false;
    f->device->info.kind = was;
    return kernel.program[0]->source->name;
}

static void for_gpus_each_file_is_a_program(void **state)
{
    struct fixture *const f = *state;
    need_device(f);
    assert_string_equal(program_of(f, GRAFT_DEVICE_GPU, "reduce_combine"), "reduce.cl");
    assert_string_equal(program_of(f, GRAFT_DEVICE_GPU, "adam"), "adam.cl");
    assert_string_equal(program_of(f, GRAFT_DEVICE_CPU, "adam"), "simple.cl");
}

/* Before it is known whether the driver keeps what it compiles, a GPU's child sends what it has compiled:
 * else it would be compiled here a second time, one program after the other. */
static void binaries_are_asked_for(void **state)
{
    static const struct {
        enum graft_device_kind kind;
        enum graft_opencl_keeping keeping;
        bool wanted;
    } cases[] = {
        {GRAFT_DEVICE_GPU, GRAFT_OPENCL_KEEPING_UNKNOWN, true},
        {GRAFT_DEVICE_CPU, GRAFT_OPENCL_KEEPING_UNKNOWN, false},
        {GRAFT_DEVICE_GPU, GRAFT_OPENCL_KEEPING_DRIVER, false},
        {GRAFT_DEVICE_CPU, GRAFT_OPENCL_KEEPING_NOBODY, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct graft_opencl_device device = {.base.info.kind = cases[i].kind,
                                                   .keeping = cases[i].keeping};
        assert_int_equal(graft_opencl_wants_binary(&device), cases[i].wanted);
    }
}

/* The last layer of a ResNet: CLBlast would take longer to compile than it could ever save. */
static void small_products_do_not_compile_a_library(void **state)
{
    struct fixture *const f = *state;
    struct graft_call call = {.op = GRAFT_OP_MATMUL, .n_inputs = 2};
    struct graft_variant_info info;
    int variant = 0;
    need_device(f);
    call.in[0] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(2, 64, 512)};
    call.in[1] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(2, 512, 1000)};
    assert_int_equal(graft_op_infer(f->context, &call), GRAFT_OK);
    f->opencl->traits.family = GRAFT_OPENCL_GPU;
    assert_int_equal(graft_variant_choose(f->device, &call, NULL, &variant, &info), GRAFT_OK);
    assert_string_equal(info.name, "local");
    assert_false(f->opencl->matrix_asked);
    for (int set = 0; set < GRAFT_CLBLAST_SETS; set++) {
        assert_false(f->opencl->clblast_proofs[set].done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_kernels_are_where_the_list_says),
        cmocka_unit_test(binaries_are_asked_for),
        cmocka_unit_test_setup_teardown(for_gpus_each_file_is_a_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(small_products_do_not_compile_a_library, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
