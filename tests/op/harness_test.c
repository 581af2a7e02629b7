/* SPDX-License-Identifier: MIT */
/*
 * The suite must turn red. A device that does one thing wrong is put in the place of the reference
 * (graft_device_open is wrapped by the linker), and what the suite says about it is checked.
 */
#include "conform.h"
#include "harness.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum fault {
    NO_FAULT,
    CRASHES,
    HANGS,
    EXITS,
    CRASHES_AT_OPEN,
    CRASHES_AT_CLOSE,
    WRITES_NOTHING,
    WRITES_BEFORE,
    WRITES_BEHIND,
    CHANGES_INPUT,
    MISSES_ONE,
    ONE_IS_NAN,
    LOSES_ACCUMULATE,
    RELATIVE_ERROR,
    SWITCHES_A_BIT,
    REFUSES,
    FAILS,
    FAILS_TO_OPEN,
    KEEPS_OLD_WEIGHTS,
    HAS_LITTLE_MEMORY
};

/* What the child processes do wrong; set before they are forked. The rest is theirs alone. */
static enum fault fault;
static const struct graft_backend *real_backend;
static struct graft_backend faulty;
static struct graft_call opened;
static int prepared;
static int runs;

enum graft_status __real_graft_device_open(struct graft_context *context, const char *which,
                                           struct graft_device **device);
enum graft_status __wrap_graft_device_open(struct graft_context *context, const char *which,
                                           struct graft_device **device);

static enum graft_status faulty_check(struct graft_device *device, const struct graft_call *call, int variant,
                                      struct graft_variant_info *info)
{
    const enum graft_status status = real_backend->check(device, call, variant, info);
    if (status == GRAFT_OK && fault == REFUSES && call->op == GRAFT_OP_FILL) {
        return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED, "out of paint");
    }
    return status;
}

static enum graft_status faulty_open(struct graft_device *device, const struct graft_call *call, int variant,
                                     struct graft_kernel **kernel)
{
    opened = *call;
    prepared = 0;
    if (fault == FAILS_TO_OPEN && call->op == GRAFT_OP_FILL) {
        return graft_fail(device->context, GRAFT_ERROR_DEVICE, "the compiler is on strike");
    }
    return real_backend->kernel_open(device, call, variant, kernel);
}

static enum graft_status faulty_prepare(struct graft_device *device, struct graft_kernel *kernel,
                                        const struct graft_tensor *in)
{
    prepared++;
    return real_backend->kernel_prepare(device, kernel, in);
}

static void write_word(struct graft_device *device, struct graft_tensor at, uint32_t word)
{
    if (real_backend->buffer_write(device, at, &word, sizeof word) != GRAFT_OK) {
        _exit(3);
    }
}

static uint32_t read_word(struct graft_device *device, struct graft_tensor at)
{
    uint32_t word = 0;
    if (real_backend->buffer_read(device, &word, at, sizeof word) != GRAFT_OK) {
        _exit(3);
    }
    return word;
}

/* The last element of output 0 becomes f(itself). */
static void change_last(struct graft_device *device, const struct graft_tensor *out)
{
    const uint64_t bytes = graft_desc_bytes(&opened.out[0]);
    if (bytes == 0) {
        return;
    }
    const struct graft_tensor last = {out[0].buffer, out[0].offset + bytes - sizeof(float)};
    const uint32_t word = read_word(device, last);
    float value;
    memcpy(&value, &word, sizeof value);
    value = fault == MISSES_ONE       ? value + 1
            : fault == RELATIVE_ERROR ? value * 1.00001f
                                      : (float)__builtin_nanf("");
    uint32_t changed;
    memcpy(&changed, &value, sizeof changed);
    write_word(device, last, fault == SWITCHES_A_BIT ? word ^ (uint32_t)(runs & 1) : changed);
}

static enum graft_status faulty_run(struct graft_device *device, struct graft_kernel *kernel,
                                    const struct graft_tensor *in, const struct graft_tensor *out,
                                    struct graft_tensor workspace)
{
    const bool target = opened.op == GRAFT_OP_FILL || opened.op == GRAFT_OP_MATMUL;
    const uint64_t bytes = graft_desc_bytes(&opened.out[0]);
    struct graft_tensor at = out[0];
    runs++;
    if (target && fault == CRASHES) {
        raise(SIGSEGV);
    }
    if (target && fault == HANGS) {
        pause();
    }
    if (target && fault == EXITS) {
        _exit(9);
    }
    if (target && fault == FAILS) {
        return graft_fail(device->context, GRAFT_ERROR_DEVICE, "the device is on fire");
    }
    if (target && fault == WRITES_NOTHING) {
        return GRAFT_OK;
    }
    if (target && fault == KEEPS_OLD_WEIGHTS && prepared > 1) {
        write_word(device, in[1], 0x40490fdb);
    }
    if (target && fault == LOSES_ACCUMULATE && opened.accumulate != 0) {
        struct graft_call plain = opened;
        struct graft_kernel *other = NULL;
        plain.accumulate = 0;
        enum graft_status status = real_backend->kernel_open(device, &plain, 0, &other);
        if (status == GRAFT_OK) {
            status = real_backend->kernel_run(device, other, in, out, workspace);
            real_backend->kernel_close(device, other);
        }
        return status;
    }
    const enum graft_status status = real_backend->kernel_run(device, kernel, in, out, workspace);
    if (!target || status != GRAFT_OK) {
        return status;
    }
    switch (fault) {
    case WRITES_BEFORE:
        at.offset -= sizeof(float);
        write_word(device, at, 7);
        break;
    case WRITES_BEHIND:
        at.offset += bytes;
        write_word(device, at, 7);
        break;
    case CHANGES_INPUT:
        if (opened.op == GRAFT_OP_MATMUL && graft_desc_bytes(&opened.in[0]) > 0) {
            write_word(device, in[0], 7);
        }
        break;
    case MISSES_ONE:
    case ONE_IS_NAN:
    case RELATIVE_ERROR:
    case SWITCHES_A_BIT:
        change_last(device, out);
        break;
    default:
        break;
    }
    return status;
}

static void faulty_close(struct graft_device *device)
{
    if (fault == CRASHES_AT_CLOSE) {
        raise(SIGABRT);
    }
    real_backend->close(device);
}

enum graft_status __wrap_graft_device_open(struct graft_context *context, const char *which,
                                           struct graft_device **device)
{
    signal(SIGSEGV, SIG_DFL); /* cmocka has a handler of its own */
    if (fault == CRASHES_AT_OPEN) {
        raise(SIGABRT);
    }
    const enum graft_status status = __real_graft_device_open(context, which, device);
    if (status == GRAFT_OK) {
        real_backend = (*device)->backend;
        faulty = *real_backend;
        faulty.check = faulty_check;
        faulty.kernel_open = faulty_open;
        faulty.kernel_prepare = faulty_prepare;
        faulty.kernel_run = faulty_run;
        faulty.close = faulty_close;
        (*device)->backend = &faulty;
        if (fault == HAS_LITTLE_MEMORY) {
            (*device)->info.max_allocation_bytes = 2000;
        }
    }
    return status;
}

/* ---- what the suite says ---- */

struct said {
    char first_failure[1400];
    char last_error[1400];
    int failures;
};

static void listen_line(void *user, enum graft_conform_line kind, const char *text)
{
    struct said *const said = user;
    if (kind == GRAFT_CONFORM_FAILURE && said->failures++ == 0) {
        snprintf(said->first_failure, sizeof said->first_failure, "%s", text);
    }
    if (kind == GRAFT_CONFORM_ERROR) {
        snprintf(said->last_error, sizeof said->last_error, "%s", text);
    }
}

struct outcome {
    enum graft_conform_exit exit;
    int ran, passed, failed, unsupported;
    struct said said;
};

static struct outcome conform(enum fault wrong, const char *device, const char *test, int min_cases)
{
    struct outcome outcome = {.ran = 0};
    const struct graft_conform_options options = {
        .device = device,
        .test = test,
        .seed = 1,
        .min_cases = min_cases,
        .timeout_seconds = wrong == HANGS ? 1 : 60, /* a machine at work is slow, too */
        .line = listen_line,
        .user = &outcome.said,
    };
    struct graft_conform_reports reports;
    fault = wrong;
    outcome.exit = graft_conform(&options, &reports);
    for (int i = 0; i < reports.count; i++) {
        outcome.ran += reports.items[i].ran;
        outcome.passed += reports.items[i].passed;
        outcome.failed += reports.items[i].failed;
        outcome.unsupported += reports.items[i].unsupported;
    }
    graft_conform_reports_close(&reports);
    return outcome;
}

static void expect_one_failure(enum fault wrong, const char *test, const char *words)
{
    const struct outcome outcome = conform(wrong, "reference", test, 0);
    if (outcome.exit != GRAFT_CONFORM_FAILED || outcome.failed != 1 || outcome.ran != 1 ||
        strstr(outcome.said.first_failure, words) == NULL ||
        strstr(outcome.said.first_failure, test) == NULL ||
        strstr(outcome.said.first_failure, "graft conform --device reference --case ") == NULL) {
        fail_msg("fault %d: exit %d, ran %d, failed %d: %s", (int)wrong, (int)outcome.exit, outcome.ran,
                 outcome.failed, outcome.said.first_failure);
    }
}

static void a_good_device_passes(void **state)
{
    (void)state;
    const struct outcome outcome = conform(NO_FAULT, "reference", "matmul/5x7x3_tb", 0);
    assert_int_equal(outcome.exit, GRAFT_CONFORM_PASSED);
    assert_int_equal(outcome.ran, 5); /* two tiers with and without accumulation, and the gradient */
    assert_int_equal(outcome.passed, 5);
}

static void a_crash_is_one_failed_case(void **state)
{
    (void)state;
    expect_one_failure(CRASHES, "fill/one/exact", "crashed with SIGSEGV");
    expect_one_failure(EXITS, "fill/one/exact", "exit code 9");
    expect_one_failure(HANGS, "fill/one/exact", "no answer within 1 seconds");
    const struct outcome all = conform(CRASHES, "reference", "fill*", 0);
    assert_int_equal(all.failed, all.ran);
    assert_int_equal(all.failed, 15); /* 8 cases in two tiers, one of them in one: each crash by itself */
    const struct outcome others = conform(CRASHES, "reference", "unary/relu_long", 0);
    assert_int_equal(others.exit, GRAFT_CONFORM_PASSED);
}

static void crashes_beside_cases_are_failures(void **state)
{
    (void)state;
    const struct outcome close = conform(CRASHES_AT_CLOSE, "reference", "fill/one/exact", 0);
    assert_int_equal(close.exit, GRAFT_CONFORM_FAILED);
    assert_int_equal(close.failed, 1);
    assert_non_null(strstr(close.said.first_failure, "SIGABRT when the device was closed"));
    const struct outcome open = conform(CRASHES_AT_OPEN, "reference", "fill/one/exact", 0);
    assert_int_equal(open.exit, GRAFT_CONFORM_FAILED);
    assert_non_null(strstr(open.said.last_error, "SIGABRT"));
}

static void wrong_memory_is_found(void **state)
{
    (void)state;
    expect_one_failure(WRITES_NOTHING, "fill/one/exact", "got nan, wanted 1");
    expect_one_failure(WRITES_NOTHING, "fill/tenth/exact", "got nan");
    expect_one_failure(WRITES_BEFORE, "fill/zero/exact", "wrote 4 bytes before output 0");
    expect_one_failure(WRITES_BEHIND, "fill/zero/exact", "wrote 1 bytes behind output 0");
    expect_one_failure(WRITES_BEHIND, "fill/empty/exact", "output 0");
    expect_one_failure(CHANGES_INPUT, "matmul/5x7x3_tb/exact", "input 0 was changed");
}

static void wrong_numbers_are_found(void **state)
{
    (void)state;
    expect_one_failure(MISSES_ONE, "matmul/130x257x140/exact", "1 differ");
    expect_one_failure(MISSES_ONE, "matmul/130x257x140/rounding", "element 18199 of 18200");
    expect_one_failure(ONE_IS_NAN, "matmul/130x257x140/rounding", "got nan");
    expect_one_failure(ONE_IS_NAN, "fill/one/exact", "got nan");
    expect_one_failure(RELATIVE_ERROR, "matmul/5x7x3_tb/rounding", "1 differ");
    expect_one_failure(SWITCHES_A_BIT, "matmul/5x7x3_tb/rounding", "in a second run");
    expect_one_failure(LOSES_ACCUMULATE, "matmul/5x7x3_tb/exact+accumulate", "differ");
    expect_one_failure(KEEPS_OLD_WEIGHTS, "matmul/5x7x3_tb/exact", "constant weights");
}

/* What the report keeps of them, besides the lines that are told. */
static void the_report_keeps_failures_and_reasons(void **state)
{
    (void)state;
    const struct graft_conform_options one = {
        .device = "reference", .test = "matmul/130x257x140/rounding", .seed = 7};
    struct graft_conform_reports reports;
    fault = MISSES_ONE;
    assert_int_equal(graft_conform(&one, &reports), GRAFT_CONFORM_FAILED);
    assert_int_equal(reports.items[0].n_failures, 1);
    const struct graft_conform_failure *const failure = &reports.items[0].failures[0];
    assert_string_equal(failure->op, "matmul");
    assert_string_equal(failure->test, "matmul/130x257x140/rounding");
    assert_string_equal(failure->command, "graft conform --device reference --case "
                                          "matmul/130x257x140/rounding --variant reference --seed 7");
    assert_true(failure->difference.known);
    assert_string_equal(failure->difference.place, "output 0[129, 139]");
    assert_int_equal(failure->difference.index, 18199);
    assert_int_equal(failure->difference.count, 18200);
    assert_int_equal(failure->difference.bad, 1);
    assert_true(failure->difference.tolerance > 0);
    assert_false(failure->difference.got == failure->difference.wanted);
    graft_conform_reports_close(&reports);

    const struct graft_conform_options all = {.device = "reference", .op = "fill", .seed = 1};
    fault = CRASHES;
    assert_int_equal(graft_conform(&all, &reports), GRAFT_CONFORM_FAILED);
    assert_int_equal(reports.items[0].n_failures, 15);
    assert_false(reports.items[0].failures[14].difference.known);
    assert_true(reports.items[0].complete);
    graft_conform_reports_close(&reports);

    fault = REFUSES;
    assert_int_equal(graft_conform(&all, &reports), GRAFT_CONFORM_NOTHING);
    assert_int_equal(reports.items[0].n_reasons, 1);
    assert_string_equal(reports.items[0].reasons[0].op, "fill");
    assert_non_null(strstr(reports.items[0].reasons[0].reason, "out of paint"));
    assert_int_equal(reports.items[0].reasons[0].cases, 15);
    graft_conform_reports_close(&reports);
}

/* A sample goes on behind a crash, and what crashed is the case that is named. */
static void a_sample_survives_crashes(void **state)
{
    (void)state;
    const struct graft_conform_options options = {.device = "reference", .seed = 1, .seconds = 1e-3};
    struct graft_conform_reports reports;
    fault = CRASHES;
    assert_int_equal(graft_conform(&options, &reports), GRAFT_CONFORM_FAILED);
    const struct graft_conform_report *const report = &reports.items[0];
    /* The faulty device crashes in fill (two tiers) and matmul (two tiers with and without accumulation, and
     * the gradient). */
    assert_int_equal(report->failed, 7);
    assert_int_equal(report->n_failures, 7);
    for (int i = 0; i < 7; i++) {
        const char *const op = report->failures[i].op;
        assert_true(strcmp(op, "fill") == 0 || strcmp(op, "matmul") == 0);
        assert_int_equal(strncmp(report->failures[i].test, op, strlen(op)), 0);
    }
    assert_true(report->passed > GRAFT_OP_COUNT);
    graft_conform_reports_close(&reports);
}

static void refusals_and_errors_have_reasons(void **state)
{
    (void)state;
    expect_one_failure(FAILS, "fill/one/exact", "the device is on fire");
    expect_one_failure(FAILS_TO_OPEN, "fill/one/exact", "the compiler is on strike");
    const struct outcome refused = conform(REFUSES, "reference", "fill/one", 0);
    assert_int_equal(refused.ran, 0);
    assert_int_equal(refused.unsupported, 2);
    assert_int_equal(refused.exit, GRAFT_CONFORM_NOTHING);
}

/* A device is not wrong because a case is too large for it. */
static void what_does_not_fit_is_unsupported(void **state)
{
    (void)state;
    const struct graft_conform_options all = {.device = "reference", .op = "fill", .seed = 1};
    struct graft_conform_reports reports;
    fault = HAS_LITTLE_MEMORY;
    assert_int_equal(graft_conform(&all, &reports), GRAFT_CONFORM_PASSED);
    const struct graft_conform_report *const report = &reports.items[0];
    assert_int_equal(report->failed, 0);
    assert_true(report->passed > 0 && report->unsupported > 0);
    assert_int_equal(report->n_reasons > 0, 1);
    assert_non_null(strstr(report->reasons[0].reason, "the largest on reference is 2000"));
    graft_conform_reports_close(&reports);
}

static void nothing_run_is_no_success(void **state)
{
    (void)state;
    assert_int_equal(conform(NO_FAULT, "reference", "no/such/case", 0).exit, GRAFT_CONFORM_NOTHING);
    assert_int_equal(conform(NO_FAULT, "no such device", "fill", 0).exit, GRAFT_CONFORM_NOTHING);
    assert_int_equal(conform(NO_FAULT, "no such device", "fill", 1).exit, GRAFT_CONFORM_FAILED);
    assert_int_equal(conform(NO_FAULT, "reference", "fill/one/exact", 1).exit, GRAFT_CONFORM_PASSED);
    assert_int_equal(conform(NO_FAULT, "reference", "fill/one/exact", 2).exit, GRAFT_CONFORM_FAILED);
    struct said said = {.failures = 0};
    struct graft_conform_options options = {
        .device = "reference", .op = "conv2", .line = listen_line, .user = &said};
    struct graft_conform_reports reports;
    assert_int_equal(graft_conform(&options, &reports), GRAFT_CONFORM_USAGE);
    assert_non_null(strstr(said.last_error, "did you mean conv2d?"));
    graft_conform_reports_close(&reports);
}

int main(void)
{
#ifdef TEST_LTO
    puts("skipped: a linker that optimizes calls functions of one library past --wrap, with which faults are planted");
    return 77;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_device_passes),
        cmocka_unit_test(a_crash_is_one_failed_case),
        cmocka_unit_test(crashes_beside_cases_are_failures),
        cmocka_unit_test(wrong_memory_is_found),
        cmocka_unit_test(wrong_numbers_are_found),
        cmocka_unit_test(the_report_keeps_failures_and_reasons),
        cmocka_unit_test(a_sample_survives_crashes),
        cmocka_unit_test(refusals_and_errors_have_reasons),
        cmocka_unit_test(what_does_not_fit_is_unsupported),
        cmocka_unit_test(nothing_run_is_no_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
