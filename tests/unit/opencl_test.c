/* SPDX-License-Identifier: MIT */
/* The OpenCL backend apart from its ops: what is listed, launched and refused. What is kept on
 * disk: opencl_cache_test.c. */
#include "opencl_gate.h"
#include "backend/opencl/opencl.h"
#include "backend/opencl/program.h"
#include "backend/opencl/upload.h"
#include "base/context.h"
#include "support/support.h"

#include <pthread.h>
#include <sys/wait.h>

#define COUNT 1000

struct fixture {
    char folder[128];
    struct graft_context *context;
    struct graft_device *device; /* NULL: there is none */
};

static void open_device(struct fixture *f)
{
    assert_int_equal(
        graft_context_open(&(struct graft_context_options){.threads = 1, .cache_folder = f->folder},
                           &f->context),
        GRAFT_OK);
    f->device = NULL;
    if (graft_device_open(f->context, "opencl:0", &f->device) != GRAFT_OK) {
        f->device = NULL;
    }
}

static void close_device(struct fixture *f)
{
    graft_device_close(&f->device);
    graft_context_close(&f->context);
}

static int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    test_folder(f->folder, sizeof f->folder);
    open_device(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    watch_no_more(); /* a check may have failed before the device was let go */
    close_device(f);
    test_folder_remove(f->folder);
    free(f);
    return 0;
}

static struct fixture *need_device(void **state)
{
    struct fixture *const f = *state;
    if (f->device == NULL) {
        print_message("no OpenCL device: skipped\n");
        skip();
    }
    return f;
}

/* y = value through the op fill, read back. Fails the test if anything is not as it should be. */
static void fill_and_read(struct fixture *f, float value)
{
    struct graft_call call = {.op = GRAFT_OP_FILL};
    call.attributes.fill.shape = graft_shape_of(1, COUNT);
    call.attributes.fill.value = value;
    assert_int_equal(graft_op_infer(f->context, &call), GRAFT_OK);
    struct graft_tensor out[GRAFT_MAX_OUTPUTS] = {{0}}, in[GRAFT_MAX_INPUTS] = {{0}};
    struct graft_kernel *kernel = NULL;
    float result[COUNT];
    assert_int_equal(graft_buffer_open(f->device, sizeof result, &out[0].buffer), GRAFT_OK);
    assert_int_equal(f->device->backend->kernel_open(f->device, &call, 0, &kernel), GRAFT_OK);
    assert_int_equal(f->device->backend->kernel_run(f->device, kernel, in, out, (struct graft_tensor){0}),
                     GRAFT_OK);
    assert_int_equal(f->device->backend->buffer_read(f->device, result, out[0], sizeof result), GRAFT_OK);
    f->device->backend->kernel_close(f->device, kernel);
    graft_buffer_close(f->device, &out[0].buffer, sizeof result);
    for (int i = 0; i < COUNT; i++) {
        assert_true(result[i] == value);
    }
}

/* In a process of its own, because the loader looks for drivers once a process. Returns its exit code. */
static int in_child(int (*run)(void))
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(run());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int list_without_drivers(void)
{
    char folder[128];
    test_folder(folder, sizeof folder);
    setenv("OCL_ICD_VENDORS", folder, 1);
    setenv("OCL_ICD_FILENAMES", "", 1);
    struct graft_context *context = NULL;
    struct graft_device_list *list = NULL;
    struct graft_device *device = NULL;
    int wrong = 0;
    if (graft_context_open(NULL, &context) != GRAFT_OK ||
        graft_device_list_open(context, &list) != GRAFT_OK) {
        return 100;
    }
    for (int i = 0; i < list->count; i++) {
        wrong += strncmp(list->devices[i].id, "opencl", 6) == 0;
    }
    wrong += strstr(list->hint, "pocl-opencl-icd") == NULL ? 10 : 0;
    wrong += graft_device_open(context, "opencl:0", &device) != GRAFT_ERROR_NOT_FOUND ? 20 : 0;
    wrong += strstr(graft_context_error(context), "pocl-opencl-icd") == NULL ? 40 : 0;
    graft_device_list_close(context, &list);
    graft_context_close(&context);
    test_folder_remove(folder);
    return wrong;
}

static void without_drivers_there_is_a_hint(void **state)
{
    (void)state;
    assert_int_equal(in_child(list_without_drivers), 0);
}

/* PoCL up to version 3 has no device then; later ones do without the cache. */
static int list_without_cache(void)
{
    struct graft_context *context = NULL;
    struct graft_device_list *list = NULL;
    bool told = false;
    unsetenv("POCL_CACHE_DIR");
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", "/proc/nowhere", 1); /* nobody can make a folder there, not even root */
    if (graft_context_open(NULL, &context) != GRAFT_OK ||
        graft_device_list_open(context, &list) != GRAFT_OK) {
        return 100;
    }
    told = strstr(list->hint, "set POCL_CACHE_DIR") != NULL || strstr(list->hint, "no driver is installed") != NULL;
    for (int i = 0; i < list->count; i++) {
        told = told || strncmp(list->devices[i].id, "opencl", 6) == 0;
    }
    graft_device_list_close(context, &list);
    graft_context_close(&context);
    return !told;
}

static void without_a_home_there_is_a_hint(void **state)
{
    (void)state;
    assert_int_equal(in_child(list_without_cache), 0);
}

static int find_full_folder(void)
{
    setenv("POCL_CACHE_DIR", "/proc", 1); /* it takes no files, and has no room for them */
    return graft_opencl_full_folder() == NULL || strcmp(graft_opencl_full_folder(), "/proc") != 0;
}

static void a_full_disk_is_found(void **state)
{
    (void)state;
    assert_int_equal(in_child(find_full_folder), 0);
}

static void codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(graft_opencl_error_name(-5), "CL_OUT_OF_RESOURCES");
    assert_string_equal(graft_opencl_error_name(-54), "CL_INVALID_WORK_GROUP_SIZE");
    assert_string_equal(graft_opencl_error_name(-9999), "unknown OpenCL error");
    struct graft_context *context = NULL;
    assert_int_equal(graft_context_open(NULL, &context), GRAFT_OK);
    assert_int_equal(graft_opencl_fail(context, -5, "clEnqueueNDRangeKernel", "conv2d"), GRAFT_ERROR_DEVICE);
    assert_string_equal(graft_context_error(context),
                        "clEnqueueNDRangeKernel (conv2d): CL_OUT_OF_RESOURCES (-5)");
    assert_int_equal(graft_opencl_fail(context, -4, "clCreateBuffer", NULL), GRAFT_ERROR_MEMORY);
    assert_string_equal(graft_context_error(context),
                        "clCreateBuffer: CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)");
    graft_context_close(&context);
}

static void unknown_devices_are_refused(void **state)
{
    struct fixture *const f = need_device(state);
    struct graft_device *device = NULL;
    assert_int_equal(graft_device_open(f->context, "opencl:63", &device), GRAFT_ERROR_NOT_FOUND);
    assert_null(device);
    assert_non_null(strstr(graft_context_error(f->context), "opencl:0"));
    assert_int_equal(graft_backend_opencl.open(f->context, 63, &device), GRAFT_ERROR_NOT_FOUND);
    assert_non_null(strstr(graft_context_error(f->context), "opencl:63"));
    assert_int_equal(graft_backend_opencl.open(f->context, -1, &device), GRAFT_ERROR_NOT_FOUND);
}

static void devices_are_described(void **state)
{
    struct fixture *const f = need_device(state);
    const struct graft_device_info *const info = graft_device_get_info(f->device);
    assert_string_equal(info->id, "opencl:0");
    assert_true(info->name[0] != '\0' && info->platform[0] != '\0' && info->driver[0] != '\0');
    assert_true(info->max_allocation_bytes > 0 && info->memory_bytes >= info->max_allocation_bytes);
    assert_true(info->compute_units > 0);
}

static void what_does_not_compile_names_file_and_line(void **state)
{
    struct fixture *const f = need_device(state);
    struct graft_opencl_device *const device = (struct graft_opencl_device *)f->device;
    cl_program program = NULL;
    assert_int_equal(graft_opencl_program(device, "simple.cl", "-DVEC=16", &program), GRAFT_ERROR_DEVICE);
    assert_null(program);
    assert_non_null(strstr(graft_context_error(f->context), "program simple.cl does not compile"));
    assert_non_null(strstr(graft_context_error(f->context), "vector.h needs -DSPAN"));
    assert_non_null(strstr(graft_context_error(f->context), "cl/vector.h:")); /* and the line */
    assert_int_equal(graft_opencl_program(device, "none.cl", "", &program), GRAFT_ERROR_NOT_FOUND);
    fill_and_read(f, 3);
}

static void programs_are_shared(void **state)
{
    struct fixture *const f = need_device(state);
    struct graft_opencl_device *const device = (struct graft_opencl_device *)f->device;
    cl_program a = NULL, b = NULL, c = NULL;
    assert_int_equal(graft_opencl_program(device, "simple.cl", "-DVEC=4 -DSPAN=1 -DLANES=1", &a), GRAFT_OK);
    assert_int_equal(graft_opencl_program(device, "simple.cl", "-DVEC=4 -DSPAN=1 -DLANES=1", &b), GRAFT_OK);
    assert_int_equal(graft_opencl_program(device, "simple.cl", "-DVEC=4 -DSPAN=2 -DLANES=1", &c), GRAFT_OK);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
}

/* Kernels are built with -w in use, because compilers print what they warn of; here they must not warn. */
static void kernels_compile_without_warnings(void **state)
{
    struct fixture *const f = need_device(state);
    struct graft_opencl_device *const device = (struct graft_opencl_device *)f->device;
    static const char *const options[] = {
        "-cl-std=CL1.2 -Werror -DVEC=16 -DSPAN=64 -DLANES=1",
        "-cl-std=CL1.2 -Werror -DVEC=1 -DSPAN=1 -DLANES=64",
        "-cl-std=CL1.2 -Werror -DVEC=4 -DSPAN=2 -DLANES=1",
    };
    const struct graft_opencl_source *source = graft_opencl_sources;
    while (source->name != NULL && strcmp(source->name, "simple.cl") != 0) {
        source++;
    }
    assert_non_null(source->name);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        cl_int code = CL_SUCCESS;
        const cl_program program =
            clCreateProgramWithSource(device->context, 1, (const char **)&source->text, NULL, &code);
        assert_int_equal(code, CL_SUCCESS);
        code = clBuildProgram(program, 1, &device->id, options[i], NULL, NULL);
        if (code != CL_SUCCESS) {
            print_message("simple.cl with %s: %s\n", options[i], graft_opencl_error_name(code));
        }
        assert_int_equal(code, CL_SUCCESS);
        clReleaseProgram(program);
    }
}

static void launches_are_checked(void **state)
{
    struct fixture *const f = need_device(state);
    struct graft_opencl_device *const device = (struct graft_opencl_device *)f->device;
    struct graft_opencl_kernel kernel = {0};
    assert_int_equal(
        graft_opencl_add(device, &kernel, "simple.cl", "fill", "-DVEC=%d -DSPAN=%d -DLANES=1", 1, 1),
        GRAFT_OK);
    struct graft_tensor y = {0};
    assert_int_equal(graft_buffer_open(f->device, 64 * sizeof(float), &y.buffer), GRAFT_OK);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, y, sizeof(float));
    graft_opencl_arg_int(&args, 64);
    graft_opencl_arg_float(&args, 1);

    struct graft_opencl_range range = {.dimensions = 1, .global = {64}, .local = {1}};
    assert_int_equal(graft_opencl_launch(device, &kernel, 0, &args, &range), GRAFT_OK);
    range.global[0] = 0; /* nothing to do is no failure */
    assert_int_equal(graft_opencl_launch(device, &kernel, 0, &args, &range), GRAFT_OK);
    assert_int_equal(graft_opencl_launch(device, &kernel, 1, &args, &range), GRAFT_ERROR_ARGUMENT);
    range = (struct graft_opencl_range){.dimensions = 4, .global = {1}, .local = {1}};
    assert_int_equal(graft_opencl_launch(device, &kernel, 0, &args, &range), GRAFT_ERROR_ARGUMENT);
    range = (struct graft_opencl_range){
        .dimensions = 1, .global = {64}, .local = {device->traits.max_items[0] + 1}};
    assert_int_equal(graft_opencl_launch(device, &kernel, 0, &args, &range), GRAFT_ERROR_UNSUPPORTED);
    assert_non_null(strstr(graft_context_error(f->context), "fill"));
    assert_non_null(
        strstr(graft_context_error(f->context), "work-items in dimension 0")); /* not: too large a group */
    range = (struct graft_opencl_range){
        .dimensions = 2, .global = {64, 64}, .local = {device->traits.max_group, 2}};
    if (device->traits.max_group <= device->traits.max_items[0] && device->traits.max_items[1] >= 2) {
        assert_int_equal(graft_opencl_launch(device, &kernel, 0, &args, &range), GRAFT_ERROR_UNSUPPORTED);
    }
    range = (struct graft_opencl_range){.dimensions = 1, .global = {64}, .local = {1}};
    graft_opencl_arg_int(&args, INT64_MAX); /* beyond 32 bits */
    assert_int_equal(graft_opencl_launch(device, &kernel, 0, &args, &range), GRAFT_ERROR_ARGUMENT);
    args = (struct graft_opencl_args){0};
    graft_opencl_arg_int(&args, 1); /* where a buffer belongs */
    assert_int_equal(graft_opencl_launch(device, &kernel, 0, &args, &range), GRAFT_ERROR_DEVICE);
    assert_non_null(
        strstr(graft_context_error(f->context), "clSetKernelArg (fill, argument 0): CL_INVALID_ARG_"));
    clReleaseKernel(kernel.step[0]);
    graft_buffer_close(f->device, &y.buffer, 64 * sizeof(float));
}

/* More launches than may be queued, then their sum: none is lost. */
static void the_queue_is_bounded_and_timed(void **state)
{
    struct fixture *const f = need_device(state);
    const struct graft_backend *const backend = f->device->backend;
    double seconds = 1;
    assert_int_equal(backend->synchronize(f->device, &seconds), GRAFT_OK);
    assert_true(seconds == 0);
    struct graft_call call = {.op = GRAFT_OP_RESHAPE, .n_inputs = 1, .accumulate = 1};
    call.in[0] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(1, 8)};
    call.attributes.reshape.shape = graft_shape_of(2, 2, 4);
    assert_int_equal(graft_op_infer(f->context, &call), GRAFT_OK);
    struct graft_tensor in[GRAFT_MAX_INPUTS] = {{0}}, out[GRAFT_MAX_OUTPUTS] = {{0}};
    const float one[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    float sum[8] = {0};
    struct graft_kernel *kernel = NULL;
    assert_int_equal(graft_buffer_open(f->device, sizeof one, &in[0].buffer), GRAFT_OK);
    assert_int_equal(graft_buffer_open(f->device, sizeof sum, &out[0].buffer), GRAFT_OK);
    assert_int_equal(backend->buffer_write(f->device, in[0], one, sizeof one), GRAFT_OK);
    assert_int_equal(backend->buffer_fill(f->device, out[0], 0, sizeof sum), GRAFT_OK);
    assert_int_equal(backend->kernel_open(f->device, &call, 0, &kernel), GRAFT_OK);
    for (int i = 0; i < 2500; i++) {
        assert_int_equal(backend->kernel_run(f->device, kernel, in, out, (struct graft_tensor){0}), GRAFT_OK);
    }
    assert_int_equal(backend->buffer_read(f->device, sum, out[0], sizeof sum), GRAFT_OK);
    for (int i = 0; i < 8; i++) {
        assert_true(sum[i] == 2500 * one[i]);
    }
    assert_int_equal(backend->synchronize(f->device, &seconds), GRAFT_OK);
    assert_true(seconds > 0);
    backend->kernel_close(f->device, kernel);
    graft_buffer_close(f->device, &in[0].buffer, sizeof one);
    graft_buffer_close(f->device, &out[0].buffer, sizeof sum);
}

#define WRITTEN (300 * 1024) /* bytes; more than a write that is made as it is */

/* In the order of the other work. */
static void copy(const struct graft_opencl_device *device, struct graft_tensor to, struct graft_tensor from,
                 size_t bytes)
{
    assert_int_equal(clEnqueueCopyBuffer(device->queue, graft_opencl_memory(from), graft_opencl_memory(to),
                                         (size_t)from.offset, (size_t)to.offset, bytes, 0, NULL, NULL),
                     CL_SUCCESS);
}

/* With memory of the device's own, and shared with the host: what is written takes its place in the order of
 * the other work; the caller's memory is its own again at once. */
static void check_order(struct fixture *f, bool shared)
{
    const struct graft_backend *const backend = f->device->backend;
    struct graft_opencl_device *const device = (struct graft_opencl_device *)f->device;
    struct graft_tensor to = {NULL, 64}, copies[6] = {{0}};
    uint8_t *const data = malloc(2 * WRITTEN), *const read = malloc(2 * WRITTEN);
    const bool unified = device->traits.unified;
    uint64_t before = 0, peak = 0, live = 0;
    double seconds;
    graft_device_memory(f->device, &before, &peak);
    device->traits.unified = shared;
    assert_false(graft_opencl_uploads(device, GRAFT_OPENCL_UPLOAD_LEAST - 1));
    assert_int_equal(graft_opencl_uploads(device, (uint64_t)GRAFT_OPENCL_UPLOAD_MOST_SHARED + 1), !shared);
    assert_false(graft_opencl_uploads(device, (uint64_t)GRAFT_OPENCL_UPLOAD_MOST + 1));
    assert_true(graft_opencl_uploads(device, WRITTEN));
    assert_int_equal(graft_buffer_open(f->device, 64 + 2 * WRITTEN, &to.buffer), GRAFT_OK);
    for (int i = 0; i < 6; i++) {
        const size_t bytes = i < 3 ? WRITTEN : 2 * WRITTEN - 4; /* larger ones get larger stages */
        assert_int_equal(graft_buffer_open(f->device, 2 * WRITTEN, &copies[i].buffer), GRAFT_OK);
        memset(data, 10 + i, bytes);
        assert_int_equal(backend->buffer_write(f->device, to, data, bytes), GRAFT_OK);
        memset(data, 99, bytes);
        copy(device, copies[i], to, bytes);
        if (i == 4) {
            assert_int_equal(backend->synchronize(f->device, &seconds),
                             GRAFT_OK); /* another queue from now on */
        }
    }
    assert_non_null(device->upload);
    for (int i = 0; i < 6; i++) {
        const size_t bytes = i < 3 ? WRITTEN : 2 * WRITTEN - 4;
        memset(read, 0, bytes);
        assert_int_equal(backend->buffer_read(f->device, read, copies[i], bytes), GRAFT_OK);
        memset(data, 10 + i, bytes);
        assert_memory_equal(read, data, bytes);
        graft_buffer_close(f->device, &copies[i].buffer, 2 * WRITTEN);
    }
    graft_buffer_close(f->device, &to.buffer, 64 + 2 * WRITTEN);
    graft_opencl_upload_close(device);
    graft_opencl_upload_close(device);
    assert_null(device->upload);
    graft_device_memory(f->device, &live, &peak);
    assert_int_equal(live, before);
    device->traits.unified = unified;
    free(data);
    free(read);
}

static void uploads_keep_their_order(void **state)
{
    struct fixture *const f = need_device(state);
    check_order(f, false);
    check_order(f, true);
}

/* More writes than there are stages for, while the device is held up: those that are too many take the memory
 * of the first ones, once it is free. */
static void check_waiting(struct fixture *f, bool shared)
{
    enum { WRITES = (32 << 20) / WRITTEN + 8, HELD = 50 };
    const struct graft_backend *const backend = f->device->backend;
    struct graft_opencl_device *const device = (struct graft_opencl_device *)f->device;
    struct graft_tensor to = {0};
    uint8_t *const data = malloc(WRITTEN), *const read = malloc(WRITTEN);
    const bool unified = device->traits.unified;
    pthread_t opener;
    device->traits.unified = shared;
    assert_int_equal(graft_buffer_open(f->device, (uint64_t)WRITES * WRITTEN, &to.buffer), GRAFT_OK);
    const cl_event gate = hold_up(device);
    for (int i = 0; i < WRITES; i++) {
        if (i == HELD) { /* none of those before has waited */
            assert_int_equal(pthread_create(&opener, NULL, complete_soon, gate), 0);
        }
        memset(data, 10 + i, WRITTEN);
        to.offset = (uint64_t)i * WRITTEN;
        assert_int_equal(backend->buffer_write(f->device, to, data, WRITTEN), GRAFT_OK);
    }
    assert_int_equal(pthread_join(opener, NULL), 0);
    for (int i = 0; i < WRITES; i++) {
        memset(data, 10 + i, WRITTEN);
        to.offset = (uint64_t)i * WRITTEN;
        assert_int_equal(backend->buffer_read(f->device, read, to, WRITTEN), GRAFT_OK);
        assert_memory_equal(read, data, WRITTEN);
    }
    graft_buffer_close(f->device, &to.buffer, (uint64_t)WRITES * WRITTEN);
    clReleaseEvent(gate);
    graft_opencl_upload_close(device);
    device->traits.unified = unified;
    free(data);
    free(read);
}

static void uploads_wait_for_their_stage(void **state)
{
    struct fixture *const f = need_device(state);
    check_waiting(f, false);
    check_waiting(f, true);
}

/* What is shared takes a 64th of --memory at most; beyond that, and what is larger than any stage, is mapped.
 */
static void stages_leave_memory_to_others(void **state)
{
    enum { LARGE = GRAFT_OPENCL_UPLOAD_MOST_SHARED + 4 };
    struct fixture *const f = need_device(state);
    const struct graft_backend *const backend = f->device->backend;
    struct graft_opencl_device *const device = (struct graft_opencl_device *)f->device;
    static const struct {
        uint64_t bytes, limit;
        bool staged;
    } writes[] = {
        {WRITTEN, 63 * (uint64_t)WRITTEN, false},
        {WRITTEN, 100 * (uint64_t)WRITTEN, true},
        {2 * WRITTEN, 100 * (uint64_t)WRITTEN, false},
        {LARGE, 0, false},
    };
    const bool unified = device->traits.unified;
    device->traits.unified = true;
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        struct graft_tensor to = {0};
        uint8_t *const data = malloc(writes[i].bytes), *const read = malloc(writes[i].bytes);
        uint64_t before, after, peak;
        graft_opencl_upload_close(device);
        assert_int_equal(graft_buffer_open(f->device, writes[i].bytes, &to.buffer), GRAFT_OK);
        graft_context_limit_memory(f->context, writes[i].limit);
        graft_context_memory(f->context, &before, &peak);
        memset(data, 30 + (int)i, writes[i].bytes);
        assert_int_equal(backend->buffer_write(f->device, to, data, writes[i].bytes), GRAFT_OK);
        graft_context_memory(f->context, &after, &peak);
        assert_int_equal(after - before >= writes[i].bytes, writes[i].staged);
        graft_context_limit_memory(f->context, 0);
        assert_int_equal(backend->buffer_read(f->device, read, to, writes[i].bytes), GRAFT_OK);
        assert_memory_equal(read, data, writes[i].bytes);
        graft_buffer_close(f->device, &to.buffer, writes[i].bytes);
        free(data);
        free(read);
    }
    graft_opencl_upload_close(device);
    device->traits.unified = unified;
}

static void f64_and_giants_are_refused(void **state)
{
    struct fixture *const f = need_device(state);
    struct graft_call call = {.op = GRAFT_OP_UNARY, .n_inputs = 1};
    struct graft_variant_info info;
    call.in[0] = (struct graft_desc){GRAFT_DTYPE_F64, graft_shape_of(1, 8)};
    assert_int_equal(graft_op_infer(f->context, &call), GRAFT_OK);
    assert_int_equal(f->device->backend->check(f->device, &call, 0, &info), GRAFT_ERROR_UNSUPPORTED);
    assert_non_null(strstr(graft_context_error(f->context), "f64"));
    call.in[0] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(2, 1 << 16, 1 << 15)};
    assert_int_equal(graft_op_infer(f->context, &call), GRAFT_OK);
    assert_int_equal(f->device->backend->check(f->device, &call, 0, &info), GRAFT_ERROR_UNSUPPORTED);
    assert_non_null(strstr(graft_context_error(f->context), "2^31"));
    /* a giant that is read only, one that is made only */
    struct graft_call part = {.op = GRAFT_OP_SLICE, .n_inputs = 1};
    part.in[0] = call.in[0];
    part.attributes.slice.size[0] = part.attributes.slice.size[1] = 1;
    assert_int_equal(graft_op_infer(f->context, &part), GRAFT_OK);
    assert_int_equal(f->device->backend->check(f->device, &part, 0, &info), GRAFT_ERROR_UNSUPPORTED);
    part = (struct graft_call){.op = GRAFT_OP_FILL, .attributes.fill = {.shape = call.in[0].shape}};
    assert_int_equal(graft_op_infer(f->context, &part), GRAFT_OK);
    assert_int_equal(f->device->backend->check(f->device, &part, 0, &info), GRAFT_ERROR_UNSUPPORTED);
    call.in[0].shape = graft_shape_of(1, 8);
    assert_int_equal(graft_op_infer(f->context, &call), GRAFT_OK);
    assert_int_equal(f->device->backend->check(f->device, &call, 0, &info), GRAFT_OK);
    assert_int_equal(f->device->backend->check(f->device, &call, 99, &info), GRAFT_ERROR_NOT_FOUND);
}

/* Halves in memory are OpenCL 1.2; whether they compute, the compiler knows: not fewer than the driver says.
 * What came of it is kept, and what is kept is believed. */
static void halves_are_found_out_by_trying(void **state)
{
    struct fixture *const f = need_device(state);
    struct graft_device_half half, again;
    if (graft_device_probe_half(f->device, &half) != GRAFT_OK)
        fail_msg("%s", graft_context_error(f->context));
    assert_true(half.storage);
    assert_true(half.arithmetic || !f->device->info.fp16);
    assert_string_equal(graft_context_error(f->context), "");
    assert_int_equal(graft_device_probe_half(f->device, &again), GRAFT_OK);
    assert_true(again.arithmetic == half.arithmetic && again.storage == half.storage);
    double can = -1;
    assert_int_equal(f->device->backend->limit(f->device, GRAFT_LIMIT_HALF_ARITHMETIC, 0, &can), GRAFT_OK);
    assert_true(can == (half.arithmetic ? 1 : 0));
}

/* The sweep touches every float once a pass, else this fails; small buffers and large ones, with memory given
 * back. */
static void limits_are_measured(void **state)
{
    struct fixture *const f = need_device(state);
    struct graft_device_limits limits;
    const uint64_t live = f->device->live_bytes;
    if (graft_device_measure(f->device, &limits) != GRAFT_OK)
        fail_msg("%s", graft_context_error(f->context));
    assert_true(limits.flops > 1e7 && limits.flops < 1e16);
    assert_true(limits.n_memory >= 3);
    for (int i = 0; i < limits.n_memory; i++)
        assert_true(limits.memory[i].bytes_per_second > 1e6 && limits.memory[i].bytes_per_second < 1e15);
    assert_true(f->device->live_bytes == live);
    double rate = 0; /* a prime number of vectors, which no number of work-items shares evenly; and one */
    assert_int_equal(f->device->backend->limit(f->device, GRAFT_LIMIT_MEMORY, 10007 * 64, &rate), GRAFT_OK);
    assert_int_equal(f->device->backend->limit(f->device, GRAFT_LIMIT_MEMORY, 64, &rate), GRAFT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_drivers_there_is_a_hint), /* before the loader has looked for drivers */
        cmocka_unit_test(without_a_home_there_is_a_hint),
        cmocka_unit_test(a_full_disk_is_found),
        cmocka_unit_test(codes_have_names),
        cmocka_unit_test_setup_teardown(unknown_devices_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(devices_are_described, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_compile_names_file_and_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(programs_are_shared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kernels_compile_without_warnings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(launches_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_queue_is_bounded_and_timed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(uploads_keep_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(uploads_wait_for_their_stage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stages_leave_memory_to_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(f64_and_giants_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(halves_are_found_out_by_trying, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits_are_measured, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
