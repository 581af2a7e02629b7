/* SPDX-License-Identifier: MIT */
/* What the real cases are made of: every op, every network, both sides of every threshold. */
#include "real_edges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct graft_reals reals;

static int set_up(void **state)
{
    char error[300];
    (void)state;
    if (!graft_reals_open(&reals, error, sizeof error)) {
        print_error("%s\n", error);
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    graft_reals_close(&reals);
    return 0;
}

static void both_sides_of_every_threshold(void **state)
{
    char text[300];
    (void)state;
    const char *const missing = graft_edge_missing(&reals, text, sizeof text);
    if (missing != NULL) {
        fail_msg("%s", missing);
    }
    assert_true(graft_edge_threshold_count() > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_of_every_threshold),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
