/* SPDX-License-Identifier: MIT */
/* What ranks exchange, among processes that reach each other without MPI: sums in the order of the ranks, notes, a rank that
 * dies, one that does not answer. */
#include "ranks/ranks.h"
#include "support/support.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ELEMENTS 10007 /* no multiple of any number of ranks */

/* What each rank does; its exit code. */
typedef int role(struct graft_context *context, struct graft_ranks *ranks);

/* Runs `play` as so many processes; their exit codes. The last one may stay until the others have ended. */
static void perform(role *play, int count, bool last_stays, int *codes)
{
    char folder[] = "/tmp/graft-ranks-XXXXXX", text[16];
    pid_t children[8];
    const char *const module = getenv("GRAFT_TEST_RANKS_MODULE");
    if (module == NULL)
        skip();
    assert_non_null(mkdtemp(folder));
    setenv("GRAFT_RANKS_MODULE", module, 1);
    setenv("GRAFT_RANKS_FOLDER", folder, 1);
    (void)snprintf(text, sizeof text, "%d", count);
    setenv("GRAFT_RANKS", text, 1);
    for (int r = 0; r < count; r++) {
        children[r] = fork();
        assert_true(children[r] >= 0);
        if (children[r] == 0) {
            struct graft_context *context;
            struct graft_ranks *ranks;
            (void)snprintf(text, sizeof text, "%d", r);
            setenv("GRAFT_RANK", text, 1);
            (void)alarm(60);
            if (graft_context_open(NULL, &context) != GRAFT_OK || graft_ranks_open(context, &ranks) != GRAFT_OK)
                _exit(90);
            const int code = play(context, ranks);
            graft_ranks_close(&ranks);
            graft_context_close(&context);
            _exit(code);
        }
    }
    for (int r = 0; r < count; r++) {
        int status = 0;
        if (last_stays && r == count - 1)
            (void)kill(children[r], SIGKILL);
        assert_int_equal(waitpid(children[r], &status, 0), children[r]);
        codes[r] = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    (void)rmdir(folder);
}

/* Numbers whose sum depends on the order in which they are added. */
static double number_of(int rank, int i)
{
    const double sizes[] = {1, 1e8, -1e8, 3};
    return sizes[(rank + i) % 4] * (1 + 1e-3 * i) + rank;
}

static int add_up(struct graft_context *context, struct graft_ranks *ranks)
{
    (void)context;
    static float narrow[ELEMENTS];
    static double wide[ELEMENTS];
    const int rank = graft_ranks_number(ranks), count = graft_ranks_count(ranks);
    for (int i = 0; i < ELEMENTS; i++) {
        narrow[i] = (float)number_of(rank, i);
        wide[i] = number_of(rank, i);
    }
    /* Several at a time, of sizes below and above the number of ranks. */
    struct graft_ranks_job jobs[] = {
        {.kind = GRAFT_RANKS_SUM_F32, .data = narrow, .bytes = sizeof narrow[0]},
        {.kind = GRAFT_RANKS_SUM_F32, .data = narrow + 1, .bytes = (ELEMENTS - 1) * sizeof narrow[0]},
        {.kind = GRAFT_RANKS_SUM_F64, .data = wide, .bytes = sizeof wide}};
    for (int j = 0; j < 3; j++)
        graft_ranks_begin(ranks, &jobs[j]);
    for (int j = 0; j < 3; j++)
        if (graft_ranks_wait(ranks, &jobs[j]) != GRAFT_OK)
            return 1;
    for (int i = 0; i < ELEMENTS; i++) {
        float sum32 = (float)number_of(0, i);
        double sum64 = number_of(0, i);
        for (int r = 1; r < count; r++) {
            sum32 += (float)number_of(r, i);
            sum64 += number_of(r, i);
        }
        if (narrow[i] != sum32 || wide[i] != sum64)
            return 2;
    }
    int all[8] = {0}, root = rank == count - 1 ? 17 : 0;
    const int mine = 10 * rank + 1;
    if (graft_ranks_gather(ranks, &mine, all, sizeof mine) != GRAFT_OK ||
        graft_ranks_broadcast(ranks, count - 1, &root, sizeof root) != GRAFT_OK)
        return 3;
    for (int r = 0; r < count; r++)
        if (all[r] != 10 * r + 1)
            return 4;
    int threads = 0;
    if (graft_ranks_threads(ranks, &threads) != GRAFT_OK || threads < 1)
        return 5;
    return root == 17 ? 0 : 6;
}

static void test_sums_are_in_the_order_of_ranks(void **state)
{
    (void)state;
    for (int count = 2; count <= 4; count++) {
        int codes[8];
        perform(add_up, count, false, codes);
        for (int r = 0; r < count; r++)
            assert_int_equal(codes[r], 0);
    }
}

/* Exchanges until it fails; 0: for the reason that contains `text`. */
static int expect(struct graft_context *context, struct graft_ranks *ranks, enum graft_status wanted, const char *text)
{
    enum graft_status status = GRAFT_OK;
    char all[8];
    for (int i = 0; i < 1000 && status == GRAFT_OK; i++)
        status = graft_ranks_gather(ranks, "x", all, 1);
    const bool told = strstr(graft_context_error(context), text) != NULL;
    if (status != wanted || !told)
        (void)fprintf(stderr, "rank %d: %s: %s\n", graft_ranks_number(ranks), graft_status_name(status),
                      graft_context_error(context));
    return status == wanted && told && graft_ranks_lost(ranks) ? 0 : 1;
}

static int one_fails(struct graft_context *context, struct graft_ranks *ranks)
{
    if (graft_ranks_number(ranks) != 1)
        return expect(context, ranks, GRAFT_ERROR_FORMAT, "rank 1: rose.jpg is no picture");
    graft_ranks_fail(ranks, GRAFT_ERROR_FORMAT, "rose.jpg is no picture");
    return expect(context, ranks, GRAFT_ERROR_FORMAT, "rose.jpg is no picture");
}

static int one_dies(struct graft_context *context, struct graft_ranks *ranks)
{
    char all[8];
    if (graft_ranks_number(ranks) != 1)
        return expect(context, ranks, GRAFT_ERROR_IO, "rank 1 has ended");
    if (graft_ranks_gather(ranks, "x", all, 1) == GRAFT_OK)
        (void)kill(getpid(), SIGKILL);
    return 1;
}

static int one_is_silent(struct graft_context *context, struct graft_ranks *ranks)
{
    while (graft_ranks_number(ranks) == 1)
        (void)pause();
    graft_ranks_set_patience(ranks, 0.2);
    return expect(context, ranks, GRAFT_ERROR_IO, "have not answered");
}

static int one_is_silent_and_all_end(struct graft_context *context, struct graft_ranks *ranks)
{
    while (graft_ranks_number(ranks) == 1)
        (void)pause();
    graft_context_cancel(context);
    return expect(context, ranks, GRAFT_ERROR_CANCELLED, "have not answered");
}

static void test_a_failure_reaches_all(void **state)
{
    (void)state;
    int codes[8];
    perform(one_fails, 3, false, codes);
    for (int r = 0; r < 3; r++)
        assert_int_equal(codes[r], 0);
    perform(one_dies, 3, false, codes);
    for (int r = 0; r < 3; r++)
        assert_int_equal(codes[r], r == 1 ? 128 + SIGKILL : 0);
}

static void test_nobody_waits_for_ever(void **state)
{
    (void)state;
    int codes[8];
    perform(one_is_silent, 2, true, codes);
    assert_int_equal(codes[0], 0);
    perform(one_is_silent_and_all_end, 2, true, codes);
    assert_int_equal(codes[0], 0);
}

static void test_alone_there_are_no_ranks(void **state)
{
    (void)state;
    struct graft_context *context;
    struct graft_ranks *ranks;
    int rank, threads;
    unsetenv("GRAFT_RANKS");
    assert_int_equal(graft_ranks_launched(&rank), 1);
    assert_int_equal(rank, 0);
    assert_int_equal(graft_context_open(NULL, &context), GRAFT_OK);
    assert_int_equal(graft_ranks_open(context, &ranks), GRAFT_OK);
    assert_null(ranks);
    assert_int_equal(graft_ranks_count(ranks), 1);
    assert_int_equal(graft_ranks_number(ranks), 0);
    assert_int_equal(graft_ranks_threads(ranks, &threads), GRAFT_OK);
    assert_int_equal(threads, graft_context_threads(context));
    /* Started together, but without a module. */
    setenv("GRAFT_RANKS", "2", 1);
    setenv("GRAFT_RANK", "1", 1);
    setenv("GRAFT_RANKS_MODULE", "/nowhere.so", 1);
    assert_int_equal(graft_ranks_launched(&rank), 2);
    assert_int_equal(rank, 1);
    assert_int_equal(graft_ranks_open(context, &ranks), GRAFT_ERROR_UNSUPPORTED);
    assert_null(ranks);
    assert_non_null(strstr(graft_context_error(context), "process 1 of 2"));
    assert_non_null(strstr(graft_context_error(context), "built without MPI"));
    unsetenv("GRAFT_RANKS");
    graft_context_close(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums_are_in_the_order_of_ranks),
                                       cmocka_unit_test(test_a_failure_reaches_all),
                                       cmocka_unit_test(test_nobody_waits_for_ever),
                                       cmocka_unit_test(test_alone_there_are_no_ranks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
