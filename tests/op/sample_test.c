/* SPDX-License-Identifier: MIT */
/* What `graft conform` runs when time is short: everything once, then more, in the same order each time. */
#include "conform.h"
#include "harness.h"
#include "order.h"
#include "pace.h"
#include "real.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_jobs jobs;
};

static int set_up(void **state)
{
    static const struct graft_conform_options all = {.device = "cpu", .sizes = GRAFT_CONFORM_SMALL};
    char error[300];
    struct fixture *const f = calloc(1, sizeof *f);
    const struct graft_context_options options = {.threads = 1, .cache_folder = ""};
    if (f == NULL || graft_context_open(&options, &f->context) != GRAFT_OK ||
        graft_device_open(f->context, "cpu", &f->device) != GRAFT_OK ||
        !graft_jobs_open(&all, true, false, &f->jobs, error, sizeof error)) {
        return -1;
    }
    f->jobs.until = 1; /* long ago */
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    graft_jobs_close(&f->jobs);
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    free(f);
    return 0;
}

static void every_job_is_there_once(void **state)
{
    const struct fixture *const f = *state;
    struct graft_order order;
    assert_true(graft_order_open(f->device, &f->jobs, 1, &order));
    assert_int_equal(order.count, f->jobs.count);
    assert_in_range(order.must, GRAFT_OP_COUNT, f->jobs.count / 2);
    bool *const seen = calloc((size_t)order.count, sizeof *seen);
    for (int i = 0; i < order.count; i++) {
        assert_false(seen[order.jobs[i]]);
        seen[order.jobs[i]] = true;
    }
    free(seen);
    graft_order_close(&order);
}

/* A number for (op, tier, accumulation, variant). */
static size_t place_of(const struct graft_job *job, int variant)
{
    return (((size_t)job->op * 8 + (size_t)job->tier) * 2 + (job->accumulate ? 1 : 0)) * 64 + (size_t)variant;
}

static void the_first_jobs_try_everything(void **state)
{
    const struct fixture *const f = *state;
    struct graft_order order;
    const size_t places = GRAFT_OP_COUNT * 8 * 2 * 64;
    bool *const tried = calloc(places, sizeof *tried);
    int cases = 0;
    assert_true(graft_order_open(f->device, &f->jobs, 1, &order));
    for (int i = 0; i < order.count; i++) {
        const struct graft_job *const job = &f->jobs.items[order.jobs[i]];
        const uint64_t can = job->tier == GRAFT_TIER_GRADIENT ? 1 : graft_trial_variants(f->device, job);
        for (int variant = 0; variant < 64; variant++) {
            if (!(can >> variant & 1u)) {
                continue;
            }
            cases++;
            bool *const place = &tried[place_of(job, variant)];
            assert_true(i < order.must || *place); /* nothing new comes late */
            *place = true;
        }
    }
    assert_int_equal(order.cases, cases);
    free(tried);
    graft_order_close(&order);
}

/* An empty case costs the least of all, and tries nothing. */
static void what_tries_everything_is_not_empty(void **state)
{
    struct fixture *const f = *state;
    struct graft_order order;
    int with_output = 0;
    f->jobs.until = 1; /* long ago: the first are run, whatever the time */
    f->jobs.most_work = 1500;
    assert_true(graft_order_open(f->device, &f->jobs, 1, &order));
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        bool found = false;
        for (int i = 0; i < order.must && !found; i++) {
            const struct graft_job *const job = &f->jobs.items[order.jobs[i]];
            struct graft_call call;
            found = (int)job->op == op && job->tier == GRAFT_TIER_ROUNDING &&
                    graft_case_call(f->device->context, job->op, graft_job_case(job), GRAFT_DTYPE_F32,
                                    &call) == GRAFT_OK &&
                    (call.out[0].dtype == GRAFT_DTYPE_NONE || graft_shape_count(&call.out[0].shape) > 0);
        }
        with_output += found;
    }
    assert_int_equal(with_output, GRAFT_OP_COUNT);
    graft_order_close(&order);
}

static void the_seed_decides_the_rest(void **state)
{
    const struct fixture *const f = *state;
    struct graft_order first, second, other;
    assert_true(graft_order_open(f->device, &f->jobs, 1, &first));
    assert_true(graft_order_open(f->device, &f->jobs, 1, &second));
    assert_true(graft_order_open(f->device, &f->jobs, 2, &other));
    const size_t bytes = (size_t)first.count * sizeof first.jobs[0];
    assert_memory_equal(first.jobs, second.jobs, bytes);
    assert_true(memcmp(first.jobs, other.jobs, bytes) != 0);
    /* The rest is even: among as many as there are ops no op comes twice. */
    bool seen[GRAFT_OP_COUNT] = {false};
    for (int i = first.must; i < first.must + GRAFT_OP_COUNT / 2; i++) {
        const enum graft_op op = f->jobs.items[first.jobs[i]].op;
        assert_false(seen[op]);
        seen[op] = true;
    }
    graft_order_close(&first);
    graft_order_close(&second);
    graft_order_close(&other);
}

/* Each variant that is left out is one that the order does not try, and its smallest case is too large. */
static void check_left(const struct fixture *f, const struct graft_order *order)
{
    assert_true(order->n_left > 0);
    for (int i = 0; i < order->n_left; i++) {
        const struct graft_left *const left = &order->left[i];
        const struct graft_job *const job = &f->jobs.items[left->job];
        assert_true(left->cost > 6e4);
        assert_true(graft_trial_variants(f->device, job) >> left->variant & 1u);
        for (int k = 0; k < order->count; k++) {
            const struct graft_job *const tried = &f->jobs.items[order->jobs[k]];
            assert_false(tried->op == job->op && tried->tier != GRAFT_TIER_GRADIENT &&
                         (graft_trial_variants(f->device, tried) >> left->variant & 1u));
        }
    }
}

static void small_cases_try_everything_too(void **state)
{
    struct fixture *const f = *state;
    struct graft_order all, small, smaller;
    assert_true(graft_order_open(f->device, &f->jobs, 1, &all));
    f->jobs.until = 0;
    f->jobs.most_work = 2e4;
    assert_true(graft_order_open(f->device, &f->jobs, 1, &small));
    f->jobs.most_work = 2e3;
    assert_true(graft_order_open(f->device, &f->jobs, 1, &smaller));
    assert_true(smaller.count < small.count && small.count < all.count);
    assert_int_equal(small.must, small.count); /* no limit of time: all of them */
    assert_int_equal(smaller.must, smaller.count);
    assert_int_equal(smaller.cases, all.cases);
    /* Winograd's cases are all larger than this; what they alone try is left out. */
    struct graft_order none_large;
    f->jobs.largest = 6e4;
    assert_true(graft_order_open(f->device, &f->jobs, 1, &none_large));
    f->jobs.largest = 0;
    assert_true(none_large.count < smaller.count && none_large.count > GRAFT_OP_COUNT);
    assert_int_equal(none_large.cases, all.cases);
    check_left(f, &none_large);
    assert_int_equal(smaller.n_left, 0);
    graft_order_close(&none_large);
    uint64_t tried[GRAFT_OP_COUNT][8][2] = {{{0}}};
    for (int i = 0; i < smaller.count; i++) {
        const struct graft_job *const job = &f->jobs.items[smaller.jobs[i]];
        tried[job->op][job->tier][job->accumulate] |=
            job->tier == GRAFT_TIER_GRADIENT ? 1 : graft_trial_variants(f->device, job);
    }
    for (int i = 0; i < f->jobs.count; i++) {
        const struct graft_job *const job = &f->jobs.items[i];
        const uint64_t can = job->tier == GRAFT_TIER_GRADIENT ? 1 : graft_trial_variants(f->device, job);
        assert_int_equal(can & ~tried[job->op][job->tier][job->accumulate], 0);
    }
    graft_order_close(&all);
    graft_order_close(&small);
    graft_order_close(&smaller);
}

/* Real cases look at the clock from the first on; the cheapest of those that try everything come first, and
 * all of them before what repeats. */
static void real_cases_look_at_the_clock(void **state)
{
    struct fixture *const f = *state;
    const struct graft_conform_options real = {.device = "cpu", .sizes = GRAFT_CONFORM_REAL};
    struct graft_jobs jobs;
    struct graft_order order, covering;
    char error[300];
    uint64_t tried[GRAFT_OP_COUNT] = {0};
    double before = 0;
    assert_true(graft_jobs_open(&real, false, true, &jobs, error, sizeof error));
    assert_int_equal(jobs.real_calls, jobs.count);
    assert_in_range(jobs.real_repeats, 10 * jobs.count / 4, jobs.reals->count - jobs.count);
    jobs.until = 1;
    assert_true(graft_order_open(f->device, &jobs, 1, &order));
    jobs.cover_real = true;
    assert_true(graft_order_open(f->device, &jobs, 1, &covering));
    assert_in_range(order.must, 0, 5); /* those that no variant can do */
    assert_in_range(covering.must, GRAFT_OP_COUNT / 2, 200);
    for (int i = 0; i < order.count; i++) {
        const struct graft_job *const job = &jobs.items[order.jobs[i]];
        assert_int_equal(order.jobs[i], covering.jobs[i]);
        assert_false(job->real->repeats);
        assert_int_equal(order.can[order.jobs[i]], graft_trial_variants(f->device, job));
        if (order.can[order.jobs[i]] != 0 && i < covering.must) {
            struct graft_call call;
            struct graft_work work = {0};
            assert_int_equal(graft_job_call(f->device->context, job, &call), GRAFT_OK);
            graft_op_get(job->op)->work(&call, &work);
            assert_true(work.flops + work.bytes >= before);
            before = work.flops + work.bytes;
        } else {
            assert_int_equal(order.can[order.jobs[i]] & ~tried[job->op], 0);
        }
        tried[job->op] |= order.can[order.jobs[i]];
    }
    graft_order_close(&covering);
    /* A short run leaves out what takes half a minute a case. */
    int huge[2] = {0};
    jobs.leave_huge = true;
    for (int i = 0; i < jobs.reals->count; i++) {
        jobs.reals->items[i].preferred_only = i % 7 == 0;
    }
    assert_true(graft_order_open(f->device, &jobs, 1, &covering));
    for (int i = 0; i < order.count; i++) {
        huge[0] += jobs.items[order.jobs[i]].real->preferred_only;
        huge[1] +=
            i >= covering.must && i < covering.count && jobs.items[covering.jobs[i]].real->preferred_only;
    }
    assert_in_range(huge[0], jobs.count / 14, jobs.count);
    assert_int_equal(huge[1], 0);
    graft_order_close(&order);
    graft_order_close(&covering);
    graft_jobs_close(&jobs);
}

static void without_a_limit_the_order_is_the_list(void **state)
{
    struct fixture *const f = *state;
    struct graft_order order;
    f->jobs.until = 0;
    assert_true(graft_order_open(f->device, &f->jobs, 1, &order));
    assert_int_equal(order.must, f->jobs.count);
    for (int i = 0; i < order.count; i++) {
        assert_int_equal(order.jobs[i], i);
    }
    graft_order_close(&order);
}

static void note_progress(void *user, const struct graft_conform_progress *progress)
{
    struct graft_conform_progress *const last = user;
    assert_true(progress->ran >= last->ran && progress->ran <= progress->cases);
    *last = *progress;
}

static void a_short_run_tells_how_much_it_was(void **state)
{
    (void)state;
    struct graft_conform_progress last = {.ran = 0};
    const struct graft_conform_options options = {
        .device = "cpu", .seed = 3, .seconds = 1e-3, .progress = note_progress, .user = &last};
    struct graft_conform_reports reports;
    assert_int_equal(graft_conform(&options, &reports), GRAFT_CONFORM_PASSED);
    assert_int_equal(reports.count, 1);
    const struct graft_conform_report *const report = &reports.items[0];
    assert_false(report->complete);
    assert_true(report->cases > 2 * report->ran);
    assert_int_equal(report->ran, report->passed);
    assert_int_equal(last.ran, report->ran);
    assert_int_equal(last.cases, report->cases);
    bool seen[GRAFT_OP_COUNT] = {false};
    for (int i = 0; i < report->n_coverage; i++) {
        const struct graft_conform_coverage *const row = &report->coverage[i];
        seen[graft_op_find(row->op)] = row->passed_rounding > 0 || seen[graft_op_find(row->op)];
        assert_true(row->worst <= 1);
    }
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        assert_true(seen[op]);
    }
    graft_conform_reports_close(&reports);
}

/* Time for the small cases only: those of real sizes are left out, and each variant says so. */
static void a_short_run_leaves_real_sizes_out(void **state)
{
    (void)state;
    const struct graft_conform_options options = {
        .device = "cpu", .op = "conv2d", .sizes = GRAFT_CONFORM_BOTH, .seed = 3, .seconds = 1e-3};
    struct graft_conform_reports reports;
    int left = 0;
    assert_int_equal(graft_conform(&options, &reports), GRAFT_CONFORM_PASSED);
    const struct graft_conform_report *const report = &reports.items[0];
    assert_false(report->complete);
    for (int i = 0; i < report->n_coverage; i++) {
        const struct graft_conform_coverage *const row = &report->coverage[i];
        assert_int_equal(row->passed_real, 0);
        left += row->left_real;
        if (row->left_real) {
            assert_string_equal(row->reason, "left out: the time of --seconds was up");
        }
    }
    assert_in_range(left, 3, report->n_coverage);
    graft_conform_reports_close(&reports);
    /* Of real sizes alone the cheapest is run: nothing run would be no answer. */
    const struct graft_conform_options real = {
        .device = "cpu", .op = "conv2d", .sizes = GRAFT_CONFORM_REAL, .seed = 3, .seconds = 1e-3};
    assert_int_equal(graft_conform(&real, &reports), GRAFT_CONFORM_PASSED);
    assert_in_range(reports.items[0].ran, 1, 8); /* as many as there are variants for it */
    assert_int_equal(reports.items[0].passed, reports.items[0].ran);
    /* What that case's variants refused, others would have tried. */
    for (int i = 0; i < reports.items[0].n_coverage; i++) {
        const struct graft_conform_coverage *const row = &reports.items[0].coverage[i];
        assert_true(row->passed_real > 0 || row->left_real);
    }
    graft_conform_reports_close(&reports);
}

/* Not with what it refuses of other shapes. */
static void what_is_left_out_says_why(void **state)
{
    (void)state;
    const struct graft_conform_options options = {
        .device = "cpu", .op = "conv2d", .seed = 3, .seconds = 1e-3, .largest = 6e4};
    struct graft_conform_reports reports;
    assert_int_equal(graft_conform(&options, &reports), GRAFT_CONFORM_PASSED);
    const struct graft_conform_report *const report = &reports.items[0];
    bool found = false;
    for (int i = 0; i < report->n_coverage; i++) {
        const struct graft_conform_coverage *const row = &report->coverage[i];
        if (strcmp(row->variant, "winograd4") == 0) {
            found = true;
            assert_int_equal(row->passed_rounding, 0);
            assert_non_null(
                strstr(row->reason, "left out: the smallest case for it, conv2d/tiles_4/rounding"));
            assert_non_null(strstr(row->reason, "--largest is 60000"));
        }
    }
    assert_true(found);
    graft_conform_reports_close(&reports);
}

static bool same_job(const struct graft_job *a, const struct graft_job *b)
{
    return a->op == b->op && a->index == b->index && a->tier == b->tier && a->accumulate == b->accumulate &&
           a->real == b->real;
}

/* Two processes share the jobs; one of them has all that take gigabytes. */
static void parts_have_each_job_once(void **state)
{
    struct fixture *const f = *state;
    struct graft_jobs jobs = f->jobs, parts[2];
    struct graft_real huge = {.preferred_only = true};
    struct graft_job *const items = calloc((size_t)jobs.count, sizeof *items);
    int at[2] = {0};
    assert_non_null(items);
    memcpy(items, jobs.items, (size_t)jobs.count * sizeof *items);
    jobs.items = items;
    jobs.items[1].real = jobs.items[2].real = &huge;
    assert_true(graft_jobs_part(&jobs, 0, &parts[0]));
    assert_true(graft_jobs_part(&jobs, 1, &parts[1]));
    assert_int_equal(parts[0].count + parts[1].count, jobs.count);
    assert_in_range(parts[0].count, jobs.count / 4, jobs.count / 2);
    for (int i = 0; i < jobs.count; i++) { /* in their order */
        const int own = at[0] < parts[0].count && same_job(&parts[0].items[at[0]], &items[i]) ? 0 : 1;
        assert_true(at[own] < parts[own].count && same_job(&parts[own].items[at[own]], &items[i]));
        assert_true(own == 0 || items[i].real == NULL);
        at[own]++;
    }
    graft_jobs_close(&parts[0]);
    graft_jobs_close(&parts[1]);
    free(items);
}

/* A variant that needs 50 ns for what another does in 1 ns is given cases of a tenth of a second, and told
 * so; what it does well with other filters does not count. */
static void slow_variants_are_left_out(void **state)
{
    static struct graft_paces paces;
    struct graft_real dense = {.cost = 1e6}, thin = {.cost = 1e6}, large = {.cost = 3e6},
                      tiny = {.cost = 1e3};
    double expected = 0, times = 0;
    (void)state;
    dense.call.op = GRAFT_OP_CONV2D;
    dense.call.attributes.conv2d.groups = 1;
    dense.call.in[0].shape = graft_shape_of(4, 1, 8, 8, 64);
    dense.call.in[1].shape = graft_shape_of(4, 64, 3, 3, 64);
    dense.call.out[0].shape = graft_shape_of(4, 1, 8, 8, 64);
    thin.call = large.call = tiny.call = dense.call;
    thin.call.attributes.conv2d.groups = 64;
    thin.call.in[1].shape.dim[3] = 1;
    for (int i = 0; i < 2; i++) {
        assert_false(graft_pace_is_slow(&paces, &large, 3, &expected, &times)); /* nothing is known */
        graft_pace_note(&paces, &dense, 3, 0.05);
        graft_pace_note(&paces, &tiny, 3, 1e-3); /* says nothing */
        assert_false(
            graft_pace_is_slow(&paces, &large, 3, &expected, &times)); /* it may be the fastest one */
        graft_pace_note(&paces, &dense, 1, 1e-3);
        graft_pace_note(&paces, &thin, 3, 1e-3);
    }
    assert_false(graft_pace_is_slow(&paces, &dense, 3, &expected, &times));
    assert_true(graft_pace_is_slow(&paces, &large, 3, &expected, &times));
    assert_true(expected > 0.149 && expected < 0.151 && times > 49 && times < 51);
    assert_false(graft_pace_is_slow(&paces, &large, 1, &expected, &times));
    large.cost = 4.1e9; /* too much for the fastest, too */
    assert_true(graft_pace_is_slow(&paces, &large, 1, &expected, &times));
    large.call = thin.call;
    large.cost = 3e6;
    assert_false(graft_pace_is_slow(&paces, &large, 3, &expected, &times));
    graft_pace_note(&paces, &thin, 3, 9); /* the last one counts most */
    graft_pace_note(&paces, &thin, 3, 9);
    assert_true(graft_pace_is_slow(&paces, &large, 3, &expected, &times));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_run_tells_how_much_it_was), /* first: it forks */
        cmocka_unit_test(what_is_left_out_says_why),
        cmocka_unit_test(a_short_run_leaves_real_sizes_out),
        cmocka_unit_test_setup_teardown(every_job_is_there_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_jobs_try_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_seed_decides_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_tries_everything_is_not_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(small_cases_try_everything_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_have_each_job_once, set_up, tear_down),
        cmocka_unit_test(slow_variants_are_left_out),
        cmocka_unit_test_setup_teardown(real_cases_look_at_the_clock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_limit_the_order_is_the_list, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
