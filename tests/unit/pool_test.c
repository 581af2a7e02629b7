/* SPDX-License-Identifier: MIT */
/* The thread pool: every item once, scratch by thread number, nested runs, tasks that wait, run and leave. */
#include "base/context.h"
#include "base/pool.h"
#include "support/support.h"

#include <pthread.h>
#include <sched.h>

static const int thread_counts[] = {1, 2, 5};
enum { THREAD_COUNTS = 3, THREADS_MOST = 5, ITEMS = 1000 };

static struct graft_context *open_context(int threads)
{
    struct graft_context *context = NULL;
    const struct graft_context_options options = {.threads = threads};
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    return context;
}

struct visits {
    struct graft_pool *pool;
    atomic_int item[ITEMS];
    atomic_int busy[8]; /* by thread number: how many are in there now */
    atomic_int wrong;
};

static void visit(void *argument, int64_t item, int thread)
{
    struct visits *const visits = argument;
    if (thread < 0 || thread >= graft_pool_threads(visits->pool) ||
        atomic_fetch_add(&visits->busy[thread], 1) != 0) {
        atomic_fetch_add(&visits->wrong, 1);
    }
    atomic_fetch_add(&visits->item[item], 1);
    if (item % 7 == 0) {
        sched_yield(); /* stirs the order */
    }
    atomic_fetch_sub(&visits->busy[thread], 1);
}

static void every_item_runs_once(void **state)
{
    (void)state;
    for (int t = 0; t < THREAD_COUNTS; t++) {
        struct graft_context *context = open_context(thread_counts[t]);
        struct visits *const visits = graft_allocate(context, 1, sizeof *visits);
        visits->pool = graft_context_pool(context);
        assert_int_equal(graft_pool_threads(visits->pool), thread_counts[t]);
        assert_ptr_equal(graft_context_pool(context), visits->pool);
        int expected[ITEMS] = {0};
        for (int round = 0; round < 2000;
             round++) { /* short runs in a row: workers come late to most of them */
            const int64_t items = round % 50 == 0 ? ITEMS : round % 9;
            graft_pool_run(visits->pool, items, visit, visits);
            for (int64_t i = 0; i < items; i++) {
                expected[i]++;
            }
            if (round % 100 == 0) {
                usleep(300); /* long enough for the workers to fall asleep */
            }
        }
        for (int i = 0; i < ITEMS; i++) {
            assert_int_equal(visits->item[i], expected[i]);
        }
        assert_int_equal(visits->wrong, 0);
        graft_release(context, visits);
        graft_context_close(&context);
    }
}

struct nested {
    struct graft_pool *pool;
    atomic_int count;
    atomic_int wrong;
};

struct inner {
    struct nested *nested;
    pthread_t outer_thread;
};

static void inner_item(void *argument, int64_t item, int thread)
{
    const struct inner *const inner = argument;
    (void)item;
    if (thread != 0 || !pthread_equal(pthread_self(), inner->outer_thread)) {
        atomic_fetch_add(&inner->nested->wrong, 1);
    }
    atomic_fetch_add(&inner->nested->count, 1);
}

static void outer_item(void *argument, int64_t item, int thread)
{
    struct nested *const nested = argument;
    (void)item;
    (void)thread;
    struct inner inner = {nested, pthread_self()};
    graft_pool_run(nested->pool, 11, inner_item, &inner);
}

static void nested_runs_stay_in_their_thread(void **state)
{
    (void)state;
    for (int t = 0; t < THREAD_COUNTS; t++) {
        struct graft_context *context = open_context(thread_counts[t]);
        struct nested nested = {.pool = graft_context_pool(context)};
        for (int i = 0; i < 200; i++) {
            graft_pool_run(nested.pool, i % 20, outer_item, &nested);
        }
        assert_int_equal(nested.count, 200 / 20 * 190 * 11);
        assert_int_equal(nested.wrong, 0);
        graft_context_close(&context);
    }
}

struct job {
    struct graft_task task;
    struct graft_pool *pool;
    atomic_int *order;
    atomic_int *gate; /* waits until it is above 0; NULL: no waiting */
    atomic_int begun;
    int place; /* in which it ran, from 1 */
};

static void add_one(void *argument, int64_t item, int thread)
{
    (void)thread;
    ((int *)argument)[item]++;
}

static void do_job(void *argument)
{
    struct job *const job = argument;
    int sums[16] = {0};
    atomic_store(&job->begun, 1);
    while (job->gate != NULL && atomic_load(job->gate) == 0) {
        sched_yield();
    }
    graft_pool_run(job->pool, 16, add_one, sums); /* a task may use the pool */
    job->place = sums[15] == 1 ? atomic_fetch_add(job->order, 1) + 1 : -1;
}

static void prepare_job(struct job *job, struct graft_pool *pool, atomic_int *order, atomic_int *gate)
{
    memset(job, 0, sizeof *job);
    job->task.run = do_job;
    job->task.argument = job;
    job->pool = pool;
    job->order = order;
    job->gate = gate;
}

static void tasks_run_beside_kernels(void **state)
{
    (void)state;
    for (int t = 0; t < THREAD_COUNTS; t++) {
        struct graft_context *context = open_context(thread_counts[t]);
        struct graft_pool *const pool = graft_context_pool(context);
        struct visits *const visits = graft_allocate(context, 1, sizeof *visits);
        visits->pool = pool;
        static struct job jobs[300];
        atomic_int order = 0;
        for (int i = 0; i < 300; i++) {
            prepare_job(&jobs[i], pool, &order, NULL);
            graft_pool_submit(pool, &jobs[i].task);
            graft_pool_run(pool, 5, visit, visits);
        }
        for (int i = 0; i < 300; i++) {
            graft_pool_wait(pool, &jobs[i].task);
            graft_pool_wait(pool, &jobs[i].task); /* waiting for what is done returns at once */
        }
        assert_int_equal(order, 300);
        for (int i = 0; i < 300; i++) {
            assert_true(jobs[i].place >= 1);
            if (thread_counts[t] == 1) { /* nobody but the waiter runs them: in order */
                assert_int_equal(jobs[i].place, i + 1);
            }
        }
        assert_int_equal(visits->item[4], 300);
        assert_int_equal(visits->wrong, 0);
        /* The same memory may be queued again. */
        graft_pool_submit(pool, &jobs[7].task);
        graft_pool_wait(pool, &jobs[7].task);
        assert_int_equal(jobs[7].place, 301);
        graft_release(context, visits);
        graft_context_close(&context);
    }
}

static void withdrawn_tasks_never_run(void **state)
{
    (void)state;
    for (int t = 0; t < THREAD_COUNTS; t++) {
        const int workers = thread_counts[t] - 1;
        struct graft_context *context = open_context(thread_counts[t]);
        struct graft_pool *const pool = graft_context_pool(context);
        atomic_int order = 0, gate = 0;
        struct job blockers[THREADS_MOST], waiting[3];
        for (int i = 0; i < workers; i++) { /* every worker is held up at the gate */
            prepare_job(&blockers[i], pool, &order, &gate);
            graft_pool_submit(pool, &blockers[i].task);
        }
        for (int i = 0; i < workers; i++) {
            while (atomic_load(&blockers[i].begun) == 0) {
                sched_yield();
            }
        }
        for (int i = 0; i < 3; i++) {
            prepare_job(&waiting[i], pool, &order, NULL);
            graft_pool_submit(pool, &waiting[i].task);
        }
        /* Kernels go on without the workers. */
        int sums[64] = {0};
        graft_pool_run(pool, 64, add_one, sums);
        for (int i = 0; i < 64; i++) {
            assert_int_equal(sums[i], 1);
        }
        graft_pool_withdraw(pool, &waiting[2].task);
        graft_pool_withdraw(pool, &waiting[0].task);
        graft_pool_withdraw(pool, &waiting[0].task);
        graft_pool_wait(pool, &waiting[1].task);
        assert_int_equal(waiting[1].place, 1);
        atomic_store(&gate, 1);
        for (int i = 0; i < workers; i++) {
            graft_pool_withdraw(pool, &blockers[i].task); /* has begun: waits for it */
            assert_true(blockers[i].place >= 2);
        }
        assert_int_equal(waiting[0].begun, 0);
        assert_int_equal(waiting[2].begun, 0);
        assert_int_equal(order, workers + 1);
        graft_context_close(&context);
    }
}

static void closing_drops_what_is_queued(void **state)
{
    (void)state;
    struct graft_context *context = open_context(1);
    atomic_int order = 0;
    struct graft_pool *pool = NULL;
    assert_int_equal(graft_pool_open(context, 0, &pool), GRAFT_ERROR_ARGUMENT);
    assert_null(pool);
    assert_int_equal(graft_pool_open(context, 1, &pool), GRAFT_OK);
    struct job job;
    prepare_job(&job, pool, &order, NULL);
    graft_pool_submit(pool, &job.task);
    graft_pool_close(&pool);
    graft_pool_close(&pool);
    assert_int_equal(job.begun, 0);
    assert_int_equal(job.task.state, 0);
    graft_context_close(&context);
}

struct rival {
    struct graft_pool *pool;
    long sum;
};

static void *run_as_rival(void *argument)
{
    struct rival *const rival = argument;
    for (int i = 0; i < 2000; i++) {
        int sums[8] = {0};
        graft_pool_run(rival->pool, 8, add_one, sums);
        for (int k = 0; k < 8; k++) {
            rival->sum += sums[k];
        }
    }
    return NULL;
}

static void two_callers_share_a_pool(void **state)
{
    (void)state;
    struct graft_context *context = open_context(3);
    struct rival rivals[2] = {{graft_context_pool(context), 0}, {graft_context_pool(context), 0}};
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, run_as_rival, &rivals[1]), 0);
    run_as_rival(&rivals[0]);
    pthread_join(other, NULL);
    assert_int_equal(rivals[0].sum, 16000);
    assert_int_equal(rivals[1].sum, 16000);
    graft_context_close(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_runs_once),         cmocka_unit_test(nested_runs_stay_in_their_thread),
        cmocka_unit_test(tasks_run_beside_kernels),     cmocka_unit_test(withdrawn_tasks_never_run),
        cmocka_unit_test(closing_drops_what_is_queued), cmocka_unit_test(two_callers_share_a_pool),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
