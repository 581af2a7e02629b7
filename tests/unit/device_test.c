/* SPDX-License-Identifier: MIT */
/* Devices by name, the books over their memory, and the choice among variants. */
#include "backend/cpu/cpu.h"
#include "backend/cpu/processor.h"
#include "base/context.h"
#include "support/support.h"

#include <math.h>
#include <sys/stat.h>
#include <time.h>

static char last_log[256];

static void remember_log(void *user, enum graft_log_level level, const char *text)
{
    (void)user;
    (void)level;
    snprintf(last_log, sizeof last_log, "%s", text);
}

static int open_context(void **state)
{
    unsetenv("GRAFT_ISA");
    const struct graft_context_options options = {.threads = 2, .log = remember_log};
    struct graft_context *context;
    if (graft_context_open(&options, &context) != GRAFT_OK) {
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

static struct graft_device *open_device(struct graft_context *context, const char *which)
{
    struct graft_device *device;
    if (graft_device_open(context, which, &device) != GRAFT_OK) {
        fail_msg("%s: %s", which, graft_context_error(context));
    }
    return device;
}

static void assert_refused(struct graft_context *context, const char *which, enum graft_status status,
                           const char *part)
{
    struct graft_device *device;
    assert_int_equal(graft_device_open(context, which, &device), status);
    assert_null(device);
    if (strstr(graft_context_error(context), part) == NULL) {
        fail_msg("'%s' lacks '%s'", graft_context_error(context), part);
    }
}

static void devices_are_listed(void **state)
{
    struct graft_device_list *list;
    assert_int_equal(graft_device_list_open(*state, &list), GRAFT_OK);
    assert_true(list->count >= 2);
    assert_string_equal(list->devices[0].id, "reference");
    assert_string_equal(list->devices[1].id, "cpu");
    assert_int_equal(list->devices[0].compute_units, 1);
    assert_int_equal(list->devices[1].compute_units, 2);
    for (int i = 0; i < list->count; i++) {
        assert_true(list->devices[i].memory_bytes > 0 && list->devices[i].max_allocation_bytes > 0);
        assert_true(list->devices[i].name[0] != '\0');
    }
    graft_device_list_close(*state, &list);
    assert_null(list);
    graft_device_list_close(*state, &list);
}

static void devices_open_by_name(void **state)
{
    struct graft_device *device = open_device(*state, "CPU");
    assert_string_equal(graft_device_get_info(device)->id, "cpu");
    graft_device_close(&device);
    assert_null(device);
    graft_device_close(&device);
    device = open_device(*state, "plain LOOPS");
    assert_string_equal(graft_device_get_info(device)->id, "reference");
    graft_device_close(&device);
    last_log[0] = '\0';
    device = open_device(*state, "auto");
    assert_non_null(strstr(last_log, "device auto: cpu ("));
    graft_device_close(&device);
}

static void unknown_devices_are_refused(void **state)
{
    assert_refused(*state, "cpuu", GRAFT_ERROR_NOT_FOUND, "there is no device 'cpuu' (is 'cpu' meant?)");
    assert_refused(*state, "cpuu", GRAFT_ERROR_NOT_FOUND, "reference (plain loops, one thread), cpu (");
    assert_refused(*state, "opencl:99", GRAFT_ERROR_NOT_FOUND, "there is no device 'opencl:99'");
    assert_refused(*state, "native", GRAFT_ERROR_NOT_FOUND, "'native' fits 2 devices: reference (");
    assert_refused(*state, "", GRAFT_ERROR_ARGUMENT, "no device is named");
    assert_refused(*state, NULL, GRAFT_ERROR_ARGUMENT, "no device is named");
}

/* Why there are no OpenCL devices, where there are none: no driver, or a build without them. */
static void what_is_missing_is_told_when_it_is_asked_for(void **state)
{
    struct graft_device_list *list;
    struct graft_device *device;
    assert_int_equal(graft_device_list_open(*state, &list), GRAFT_OK);
    if (list->count == 2) {
        assert_true(strlen(list->hint) > 40);
        assert_int_equal(graft_device_open(*state, "opencl:0", &device), GRAFT_ERROR_NOT_FOUND);
        assert_non_null(strstr(graft_context_error(*state), list->hint));
    }
    graft_device_list_close(*state, &list);
}

static void write_file(const char *root, const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    for (char *at = path + strlen(root) + 1;; at++) {
        const char kept = *at;
        if (kept == '/' || kept == '\0') {
            *at = '\0';
            mkdir(path, 0777);
            *at = kept;
        }
        if (kept == '\0')
            break;
    }
    snprintf(path, sizeof path, "%s/%s/%s", root, folder, name);
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* As Linux writes them: arch/x86/kernel/cpu/proc.c and arch/arm64/kernel/cpuinfo.c. */
static void processors_have_names(void **state)
{
    (void)state;
    char root[128], name[96];
    test_folder(root, sizeof root);
    graft_processor_name_below(root, name, sizeof name);
    assert_string_equal(name, "processor");
    write_file(root, "proc", "cpuinfo", "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n");
    graft_processor_name_below(root, name, sizeof name);
    assert_string_equal(name, "AMD EPYC");
    write_file(root, "proc", "cpuinfo",
               "processor\t: 0\nBogoMIPS\t: 108.00\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
               "CPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n");
    graft_processor_name_below(root, name, sizeof name);
    assert_string_equal(name, "Arm Cortex-A72");
    write_file(root, "sys/firmware/devicetree/base", "model", "Raspberry Pi 4 Model B Rev 1.4");
    graft_processor_name_below(root, name, sizeof name);
    assert_string_equal(name, "Arm Cortex-A72 (Raspberry Pi 4 Model B Rev 1.4)");
    write_file(root, "proc", "cpuinfo", "CPU implementer\t: 0x51\nCPU part\t: 0x001\n");
    graft_processor_name_below(root, name, sizeof name);
    assert_string_equal(name, "Arm processor 0x51 0x001 (Raspberry Pi 4 Model B Rev 1.4)");
    test_folder_remove(root);
}

static void the_instruction_set_can_be_lowered(void **state)
{
    setenv("GRAFT_ISA", "baseline", 1);
    struct graft_device *device = open_device(*state, "cpu");
    assert_int_equal(((struct graft_cpu_device *)device)->isa, GRAFT_ISA_BASELINE);
    assert_non_null(strstr(graft_device_get_info(device)->driver, "baseline"));
    graft_device_close(&device);
    setenv("GRAFT_ISA", "sse9", 1);
    assert_refused(*state, "cpu", GRAFT_ERROR_ARGUMENT,
                   "GRAFT_ISA is 'sse9'; this processor can do baseline");
    unsetenv("GRAFT_ISA");
}

static void memory_is_booked(void **state)
{
    struct graft_device *device = open_device(*state, "reference");
    struct graft_buffer *a, *b;
    uint64_t live, peak;
    assert_int_equal(graft_buffer_open(device, 100, &a), GRAFT_OK);
    assert_int_equal(graft_buffer_open(device, 50, &b), GRAFT_OK);
    graft_buffer_close(device, &a, 100);
    assert_null(a);
    graft_buffer_close(device, &a, 100);
    graft_device_memory(device, &live, &peak);
    assert_int_equal(live, 50);
    assert_int_equal(peak, 150);
    const struct graft_tensor tensor = {b, 16};
    uint8_t bytes[4] = {1, 2, 3, 4};
    assert_int_equal(device->backend->buffer_write(device, tensor, bytes, 4), GRAFT_OK);
    assert_int_equal(device->backend->buffer_fill(device, (struct graft_tensor){b, 18}, 9, 1), GRAFT_OK);
    uint64_t ticket = 0;
    uint8_t fetched[4];
    assert_int_equal(device->backend->buffer_fetch(device, fetched, tensor, 4, &ticket), GRAFT_OK);
    assert_int_equal(device->backend->buffer_read(device, bytes, tensor, 4), GRAFT_OK);
    assert_memory_equal(bytes, ((const uint8_t[]){1, 2, 9, 4}), 4);
    assert_int_equal(device->backend->buffer_fetch(device, NULL, (struct graft_tensor){0}, 0, &ticket),
                     GRAFT_OK);
    assert_memory_equal(fetched, bytes, 4);
    graft_buffer_close(device, &b, 50);

    assert_int_equal(graft_buffer_open(device, UINT64_MAX, &a), GRAFT_ERROR_MEMORY);
    assert_non_null(strstr(graft_context_error(*state),
                           "18446744073709551615 bytes is asked for; the largest on "
                           "reference is"));
    assert_int_equal(graft_buffer_open(device, 0, &a), GRAFT_ERROR_ARGUMENT);
    graft_device_memory(device, &live, &peak);
    assert_int_equal(live, 0);
    graft_device_close(&device);
}

static struct graft_call add_call(struct graft_context *context, enum graft_dtype dtype)
{
    struct graft_call call = {
        .op = GRAFT_OP_BINARY,
        .n_inputs = 2,
        .in = {{dtype, graft_shape_of(1, 3)}, {dtype, graft_shape_of(1, 1)}},
    };
    assert_int_equal(graft_op_infer(context, &call), GRAFT_OK);
    return call;
}

static void variants_are_chosen(void **state)
{
    struct graft_device *device = open_device(*state, "cpu");
    struct graft_variant_info info;
    int variant;
    const struct graft_call f64 = add_call(*state, GRAFT_DTYPE_F64);
    assert_int_equal(graft_variant_choose(device, &f64, NULL, &variant, &info), GRAFT_OK);
    assert_string_equal(info.name, "reference"); /* the fast ones compute f32 only */
    const struct graft_call f32 = add_call(*state, GRAFT_DTYPE_F32);
    assert_int_equal(graft_variant_choose(device, &f32, "reference", &variant, &info), GRAFT_OK);
    assert_string_equal(info.name, "reference");
    assert_int_equal(graft_variant_choose(device, &f32, "warp", &variant, &info), GRAFT_ERROR_NOT_FOUND);
    assert_non_null(strstr(graft_context_error(*state), "cpu has no variant 'warp' of binary; there are: "));
    assert_non_null(strstr(graft_context_error(*state), "reference"));
    graft_device_close(&device);
}

/* A device that can do nothing: its reasons must all be told. */
static enum graft_status check_nothing(struct graft_device *device, const struct graft_call *call,
                                       int variant, struct graft_variant_info *info)
{
    (void)call;
    static const char *const names[] = {"tiled", "direct"};
    static const char *const reasons[] = {"needs 3 hands", "needs 4 hands"};
    if (variant >= 2) {
        return graft_fail(device->context, GRAFT_ERROR_NOT_FOUND, "no more");
    }
    info->name = names[variant];
    info->reason = reasons[variant];
    (void)graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED, "%s", info->reason);
    /* Another thread fails just now. */
    (void)graft_fail(device->context, GRAFT_ERROR_IO, "a picture is damaged");
    return GRAFT_ERROR_UNSUPPORTED;
}

static void all_reasons_are_told(void **state)
{
    const struct graft_backend backend = {.name = "none", .check = check_nothing};
    struct graft_device device = {.backend = &backend, .context = *state, .info.id = "none:0"};
    const struct graft_call call = add_call(*state, GRAFT_DTYPE_F32);
    struct graft_variant_info info;
    int variant;
    assert_int_equal(graft_variant_choose(&device, &call, NULL, &variant, &info), GRAFT_ERROR_UNSUPPORTED);
    assert_string_equal(graft_context_error(*state), "none:0 cannot compute binary a[3] b[1] add -> [3]: "
                                                     "tiled: needs 3 hands; direct: needs 4 hands");
    assert_int_equal(graft_variant_choose(&device, &call, "direct", &variant, &info),
                     GRAFT_ERROR_UNSUPPORTED);
    assert_string_equal(graft_context_error(*state), "binary (direct) on none:0: needs 4 hands");
}

/* "large" and "huge" can do everything and suit nothing; "plain" takes two inputs. */
static enum graft_status check_spares(struct graft_device *device, const struct graft_call *call, int variant,
                                      struct graft_variant_info *info)
{
    static const char *const names[] = {"large", "huge", "plain"};
    if (variant >= 3)
        return graft_fail(device->context, GRAFT_ERROR_NOT_FOUND, "no more");
    info->name = names[variant];
    info->spare = variant < 2;
    info->reason = variant == 2 && call->n_inputs > 2 ? "has two hands" : NULL;
    return variant == 2 && call->n_inputs > 2
               ? graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED, "has two hands")
               : GRAFT_OK;
}

static void spare_variants_come_last(void **state)
{
    const struct graft_backend backend = {.name = "spares", .check = check_spares};
    struct graft_device device = {
        .backend = &backend, .context = *state, .info = {.id = "s:0", .max_allocation_bytes = 1}};
    struct graft_call call = add_call(*state, GRAFT_DTYPE_F32);
    struct graft_variant_info info;
    int variant;
    assert_int_equal(graft_variant_choose(&device, &call, NULL, &variant, &info), GRAFT_OK);
    assert_string_equal(info.name, "plain");
    assert_int_equal(variant, 2);
    assert_int_equal(graft_variant_choose(&device, &call, "huge", &variant, &info), GRAFT_OK);
    assert_int_equal(variant, 1);
    call.n_inputs = 3;
    assert_int_equal(graft_variant_choose(&device, &call, NULL, &variant, &info), GRAFT_OK);
    assert_string_equal(info.name, "large"); /* the first of those that are left */
    assert_int_equal(variant, 0);
}

/* All have to be tried out; what "other" has shown then speaks against it. */
static int tried[3];
static enum graft_status check_tries(struct graft_device *device, const struct graft_call *call, int variant,
                                     struct graft_variant_info *info)
{
    static const char *const names[] = {"library", "other", "plain"};
    (void)call;
    if (variant >= 3)
        return graft_fail(device->context, GRAFT_ERROR_NOT_FOUND, "no more");
    info->name = names[variant];
    info->spare = variant == 0;
    if (info->untried)
        return GRAFT_OK;
    tried[variant]++;
    info->reason = variant == 1 ? "computes wrong results" : NULL;
    return variant == 1 ? graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED, "wrong") : GRAFT_OK;
}

static void only_what_is_taken_is_tried_out(void **state)
{
    const struct graft_backend backend = {.name = "tries", .check = check_tries};
    struct graft_device device = {
        .backend = &backend, .context = *state, .info = {.id = "t:0", .max_allocation_bytes = 1}};
    const struct graft_call call = add_call(*state, GRAFT_DTYPE_F32);
    struct graft_variant_info info;
    int variant;
    assert_int_equal(graft_variant_choose(&device, &call, NULL, &variant, &info), GRAFT_OK);
    assert_string_equal(info.name, "plain");
    assert_int_equal(tried[0] + 10 * tried[1] + 100 * tried[2], 110);
    assert_int_equal(graft_variant_choose(&device, &call, "library", &variant, &info), GRAFT_OK);
    assert_int_equal(tried[0] + 10 * tried[1] + 100 * tried[2], 111);
    assert_int_equal(graft_variant_choose(&device, &call, "other", &variant, &info), GRAFT_ERROR_UNSUPPORTED);
    assert_string_equal(graft_context_error(*state), "binary (other) on t:0: computes wrong results");
    assert_int_equal(graft_variant_choose(&device, &call, "third", &variant, &info), GRAFT_ERROR_NOT_FOUND);
    assert_int_equal(tried[0] + 10 * tried[1] + 100 * tried[2], 121);
}

static void kernels_run(void **state)
{
    struct graft_device *device = open_device(*state, "reference");
    const struct graft_backend *const backend = device->backend;
    const struct graft_call call = add_call(*state, GRAFT_DTYPE_F32);
    struct graft_kernel *kernel;
    struct graft_buffer *buffer;
    assert_int_equal(backend->kernel_open(device, &call, 1, &kernel), GRAFT_ERROR_NOT_FOUND);
    assert_null(kernel);
    assert_int_equal(backend->kernel_open(device, &call, 0, &kernel), GRAFT_OK);
    assert_int_equal(graft_buffer_open(device, 256, &buffer), GRAFT_OK);
    const struct graft_tensor in[GRAFT_MAX_INPUTS] = {{buffer, 0}, {buffer, 64}};
    const struct graft_tensor out[GRAFT_MAX_OUTPUTS] = {{buffer, 128}};
    assert_int_equal(backend->buffer_write(device, in[0], (const float[]){1, 2, 3}, 12), GRAFT_OK);
    assert_int_equal(backend->buffer_write(device, in[1], (const float[]){10}, 4), GRAFT_OK);
    assert_int_equal(backend->kernel_prepare(device, kernel, in), GRAFT_OK);
    assert_int_equal(backend->kernel_run(device, kernel, in, out, (struct graft_tensor){0}), GRAFT_OK);
    assert_int_equal(backend->synchronize(device, NULL), GRAFT_OK);
    float sums[3];
    assert_int_equal(backend->buffer_read(device, sums, out[0], 12), GRAFT_OK);
    assert_true(sums[0] == 11 && sums[1] == 12 && sums[2] == 13);
    double seconds;
    assert_int_equal(backend->synchronize(device, &seconds), GRAFT_OK);
    assert_true(seconds >= 0 && seconds < 10);
    assert_int_equal(backend->synchronize(device, &seconds), GRAFT_OK);
    assert_true(seconds == 0);
    /* Many runs take no longer than they do on the clock, across full seconds too, and not next to nothing.
     */
    struct timespec begin, end;
    int runs = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        assert_int_equal(backend->kernel_run(device, kernel, in, out, (struct graft_tensor){0}), GRAFT_OK);
        clock_gettime(CLOCK_MONOTONIC, &end);
        runs++;
    } while (end.tv_sec == begin.tv_sec || runs < 100);
    assert_int_equal(backend->synchronize(device, &seconds), GRAFT_OK);
    assert_true(seconds > 0 && seconds <= (double)(end.tv_sec - begin.tv_sec) + 1);
    assert_true(seconds >= runs * 1e-9);
    backend->kernel_close(device, kernel);
    graft_buffer_close(device, &buffer, 256);
    graft_device_close(&device);
}

/* Every allocation on the way fails once; nothing is lost. */
static void failing_memory_is_survived(void **state)
{
    (void)state;
    for (long at = 0; at < 1000; at++) {
        struct test_memory memory;
        const struct graft_context_options options = test_memory_options(&memory, at);
        struct graft_context *context;
        struct graft_device *device = NULL;
        enum graft_status status = graft_context_open(&options, &context);
        if (status == GRAFT_OK) {
            status = graft_device_open(context, "cpu", &device);
            if (status == GRAFT_OK) {
                struct graft_call call = add_call(context, GRAFT_DTYPE_F32);
                struct graft_variant_info info;
                struct graft_kernel *kernel = NULL;
                struct graft_buffer *buffer = NULL;
                int variant;
                const enum graft_status choice = graft_variant_choose(device, &call, "warp", &variant, &info);
                assert_true(choice == GRAFT_ERROR_NOT_FOUND || choice == GRAFT_ERROR_MEMORY);
                status = device->backend->kernel_open(device, &call, 0, &kernel);
                if (status == GRAFT_OK) {
                    status = graft_buffer_open(device, 64, &buffer);
                }
                graft_buffer_close(device, &buffer, 64);
                device->backend->kernel_close(device, kernel);
                status = status == GRAFT_OK && choice == GRAFT_ERROR_MEMORY ? choice : status;
            }
            graft_device_close(&device);
            graft_context_close(&context);
        }
        assert_int_equal(atomic_load(&memory.alive), 0);
        if (status == GRAFT_OK) {
            assert_true(at > 4);
            return;
        }
        assert_int_equal(status, GRAFT_ERROR_MEMORY);
    }
    fail_msg("it never came to an end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_listed),
        cmocka_unit_test(devices_open_by_name),
        cmocka_unit_test(unknown_devices_are_refused),
        cmocka_unit_test(what_is_missing_is_told_when_it_is_asked_for),
        cmocka_unit_test(processors_have_names),
        cmocka_unit_test(the_instruction_set_can_be_lowered),
        cmocka_unit_test(memory_is_booked),
        cmocka_unit_test(variants_are_chosen),
        cmocka_unit_test(all_reasons_are_told),
        cmocka_unit_test(spare_variants_come_last),
        cmocka_unit_test(only_what_is_taken_is_tried_out),
        cmocka_unit_test(kernels_run),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return cmocka_run_group_tests_name("device", tests, open_context, close_context);
}
