/* SPDX-License-Identifier: MIT */
/* Times and limits, by a clock that the test moves. */
#include "backend/measure.h"
#include "support/support.h"

#include "support/fake_clock.h"

#include <math.h>

/* Something that takes so long for each call and for each round; the first calls longer. */
struct work {
    double call, round;
    double slow[8]; /* times as long, of the first calls that fill 3 ms */
    int calls, filled;
    int64_t most, rounds;
    enum graft_status status;
};

static enum graft_status run(void *user, int64_t rounds)
{
    struct work *const work = user;
    double seconds = work->call + (double)rounds * work->round;
    if (seconds >= 0.003) {
        seconds *= work->filled < 8 && work->slow[work->filled] > 0 ? work->slow[work->filled] : 1;
        work->filled++;
    }
    fake_clock_advance(seconds);
    work->calls++;
    work->rounds += rounds;
    work->most = rounds > work->most ? rounds : work->most;
    return work->status;
}

/* As many rounds as fill 3 ms, so that what a call costs once is a small part; all of it counts. */
static void bursts_fill_three_milliseconds(void **state)
{
    (void)state;
    struct work work = {.call = 10e-6, .round = 1e-6};
    double seconds = 0;
    assert_int_equal(graft_measure(run, &work, &seconds), GRAFT_OK);
    assert_in_range(work.most, 2990, 2 * 3000);
    assert_in_range(work.filled, 2, 5);
    assert_true(seconds >= 1e-6 + 10e-6 / (double)work.most - 1e-12 && seconds < 1.01e-6);
    work = (struct work){.round = 0.25};
    assert_int_equal(graft_measure(run, &work, &seconds), GRAFT_OK);
    assert_int_equal(work.rounds, 2); /* what takes long is not made often */
    assert_true(fabs(seconds - 0.25) < 1e-6);
    work = (struct work){0}; /* nothing at all takes no time, and comes to an end */
    assert_int_equal(graft_measure(run, &work, &seconds), GRAFT_OK);
    assert_true(seconds > 0 && seconds < 1e-12);
}

static void the_best_burst_counts(void **state)
{
    (void)state;
    struct work work = {.round = 0.004, .slow = {3, 2, 1.5, 2, 2, 2}};
    double seconds = 0;
    assert_int_equal(graft_measure(run, &work, &seconds), GRAFT_OK);
    assert_true(fabs(seconds - 0.006) < 1e-9);
    work = (struct work){.round = 0.001, .status = GRAFT_ERROR_DEVICE};
    assert_int_equal(graft_measure(run, &work, &seconds), GRAFT_ERROR_DEVICE);
    assert_int_equal(work.calls, 1);
}

/* ---- limits ---- */

static struct {
    double rates[16]; /* one size after the other */
    uint64_t bytes[16];
    int asked, most;
} sizes;

static enum graft_status limit(struct graft_device *device, enum graft_limit what, uint64_t bytes,
                               double *per_second)
{
    (void)device;
    *per_second = 1e9;
    if (what == GRAFT_LIMIT_FMA)
        return GRAFT_OK;
    if (sizes.asked == sizes.most)
        return GRAFT_ERROR_MEMORY;
    sizes.bytes[sizes.asked] = bytes;
    *per_second = sizes.rates[sizes.asked++];
    return GRAFT_OK;
}

static enum graft_status synchronize(struct graft_device *device, double *seconds)
{
    (void)device;
    if (seconds != NULL)
        *seconds = 0;
    return GRAFT_OK;
}

static const struct graft_backend backend = {.limit = limit, .synchronize = synchronize};

static void measure(struct graft_context *context, enum graft_device_kind kind, uint64_t memory,
                    uint64_t cache, int most, struct graft_device_limits *limits)
{
    struct graft_device device = {
        .backend = &backend,
        .context = context,
        .info = {.kind = kind, .memory_bytes = memory, .max_allocation_bytes = memory / 2},
        .last_cache_bytes = cache};
    sizes.asked = 0;
    sizes.most = most;
    assert_int_equal(graft_device_measure(&device, limits), GRAFT_OK);
}

/* What is slow at a small size is told so, whatever a larger one reaches. */
static void no_size_is_lifted_by_another(void **state)
{
    struct graft_device_limits limits;
    for (int i = 0; i < 16; i++)
        sizes.rates[i] = 1e9 * (i % 3 == 0 ? i + 1 : 20 - i);
    measure(*state, GRAFT_DEVICE_GPU, UINT64_C(64) << 30, 0, 16, &limits);
    assert_int_equal(limits.n_memory, GRAFT_LIMIT_SIZES);
    for (int i = 0; i < limits.n_memory; i++) {
        assert_true(limits.memory[i].bytes_per_second == sizes.rates[i]);
        assert_true(limits.memory[i].bytes == sizes.bytes[i]);
        assert_true(i == 0 || limits.memory[i].bytes > limits.memory[i - 1].bytes);
    }
}

static uint64_t largest(const struct graft_device_limits *limits)
{
    return limits->memory[limits->n_memory - 1].bytes;
}

/* Four times the last cache; at least 128 MiB, 1 GiB on a GPU; at most what may be allocated, and a quarter
 * of what is free. */
static void the_largest_size_goes_by_the_cache(void **state)
{
    struct graft_device_limits limits;
    const uint64_t mib = 1 << 20;
    measure(*state, GRAFT_DEVICE_CPU, 65536 * mib, 20 * mib, 16, &limits);
    assert_true(largest(&limits) == 128 * mib);
    measure(*state, GRAFT_DEVICE_CPU, 65536 * mib, 300 * mib, 16, &limits);
    assert_true(largest(&limits) == 1200 * mib);
    measure(*state, GRAFT_DEVICE_GPU, 65536 * mib, 300 * mib, 16, &limits);
    assert_true(largest(&limits) == 1200 * mib);
    measure(*state, GRAFT_DEVICE_GPU, 65536 * mib, 6 * mib, 16, &limits);
    assert_true(largest(&limits) == 1024 * mib);
    measure(*state, GRAFT_DEVICE_GPU, 2048 * mib, 6 * mib, 16, &limits);
    assert_true(largest(&limits) == 512 * mib);
    measure(*state, GRAFT_DEVICE_GPU, 64 * mib, 6 * mib, 16, &limits);
    assert_true(largest(&limits) == 16 * mib);
    measure(*state, GRAFT_DEVICE_GPU, 65536 * mib, 6 * mib, 3, &limits); /* there is less than it says */
    assert_true(largest(&limits) == 4 * mib);
}

static void rates_lie_between_what_was_measured(void **state)
{
    (void)state;
    const struct graft_device_limits limits = {.n_memory = 3,
                                               .memory = {{1024, 64e9}, {4096, 16e9}, {65536, 1e9}}};
    assert_true(graft_device_memory_rate(&limits, 1) == 64e9);
    assert_true(graft_device_memory_rate(&limits, 1024) == 64e9);
    assert_true(fabs(graft_device_memory_rate(&limits, 2048) / 32e9 - 1) <
                1e-6); /* half of the way in logarithms */
    assert_true(fabs(graft_device_memory_rate(&limits, 16384) / 4e9 - 1) < 1e-6);
    assert_true(graft_device_memory_rate(&limits, 1e12) == 1e9);
    assert_true(graft_device_memory_rate(&(struct graft_device_limits){0}, 5) == 0);
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b);
}

/* Multiply-adds or memory, whichever takes longer; of memory the greatest rate that may be meant. */
static void the_least_time_is_that_of_the_limits(void **state)
{
    (void)state;
    const struct graft_device_limits limits = {
        .flops = 1e12, .n_memory = 3, .memory = {{1024, 10e9}, {4096, 40e9}, {65536, 1e9}}};
    const struct graft_work products = {.flops = 1e9, .bytes = 1e6}, copies = {.flops = 1e6, .bytes = 1e9};
    assert_true(near(graft_measure_least(&limits, &products, 4096, 0), 1e-3));
    assert_true(near(graft_measure_least(&limits, &products, 4096, 4), 0.25e-3));
    assert_true(near(graft_measure_least(&limits, &copies, 1e5, 0), 1));
    assert_true(near(graft_measure_least(&limits, &copies, 65536, 0), 1));
    assert_true(near(graft_measure_least(&limits, &copies, 8192, 0), 1 / 40.0)); /* may fit the cache */
    assert_true(near(graft_measure_least(&limits, &copies, 100, 0), 1 / 40.0));  /* a pass was too short */
    assert_true(graft_measure_least(&(struct graft_device_limits){0}, &products, 4096, 0) == 0);
    assert_true(graft_measure_is_possible(1, 1) && graft_measure_is_possible(1, 0.9));
    assert_true(!graft_measure_is_possible(1, 0.8) && graft_measure_is_possible(0, 0));
    struct graft_device_limits merged = limits;
    const struct graft_device_limits again = {
        .flops = 2e12, .n_memory = 2, .memory = {{1024, 5e9}, {4096, 50e9}}};
    graft_measure_merge(&merged, &again);
    assert_true(merged.flops == 2e12 && merged.memory[0].bytes_per_second == 10e9 &&
                merged.memory[1].bytes_per_second == 50e9 && merged.memory[2].bytes_per_second == 1e9);
}

static int open_context(void **state)
{
    struct graft_context *context = NULL;
    const struct graft_context_options options = {.threads = 1, .cache_folder = ""};
    if (graft_context_open(&options, &context) != GRAFT_OK)
        return -1;
    *state = context;
    return 0;
}

static int close_context(void **state)
{
    struct graft_context *context = *state;
    graft_context_close(&context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bursts_fill_three_milliseconds),
        cmocka_unit_test(the_best_burst_counts),
        cmocka_unit_test(no_size_is_lifted_by_another),
        cmocka_unit_test(the_largest_size_goes_by_the_cache),
        cmocka_unit_test(rates_lie_between_what_was_measured),
        cmocka_unit_test(the_least_time_is_that_of_the_limits),
    };
    return cmocka_run_group_tests_name("measure", tests, open_context, close_context);
}
