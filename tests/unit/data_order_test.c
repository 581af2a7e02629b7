/* SPDX-License-Identifier: MIT */
/* Orders: permutations, and draws by class with the frequencies of PyTorch's WeightedRandomSampler with 1 / n
 * of its class as the weight of each picture. */
#include "support/support.h"

#include "data/order.h"

#include <math.h>

#define CLASSES 5
#define COUNT 43
#define DRAWS 60000

/* 30, 0, 2, 11 and 0 pictures, mixed. */
static int32_t label_of(const void *user, int64_t index)
{
    static const int32_t pattern[] = {0, 3, 0, 0};
    (void)user;
    return index == 7 || index == 40 ? 2 : pattern[index % 4];
}

static void shuffles_are_permutations(void **state)
{
    (void)state;
    int64_t order[COUNT], at_first[COUNT] = {0};
    struct graft_random random;
    for (int seed = 0; seed < 4300; seed++) {
        bool seen[COUNT] = {false};
        graft_random_start(&random, (uint64_t)seed, 5);
        graft_order_shuffle(&random, order, COUNT);
        for (int i = 0; i < COUNT; i++) {
            assert_true(order[i] >= 0 && order[i] < COUNT && !seen[order[i]]);
            seen[order[i]] = true;
        }
        at_first[order[0]]++;
    }
    for (int i = 0; i < COUNT; i++) /* 100 each: within five deviations */
        assert_true(labs((long)at_first[i] - 100) < 50);
}

static void classes_are_drawn_alike(void **state)
{
    struct graft_balance balance = {.classes = 0};
    struct graft_random random;
    int64_t counts[CLASSES] = {0}, of_picture[COUNT] = {0}, sizes[CLASSES] = {0};
    int64_t *const order = malloc(DRAWS * sizeof *order);
    assert_int_equal(graft_balance_open(*state, COUNT, CLASSES, label_of, NULL, &balance), GRAFT_OK);
    assert_int_equal(balance.classes, 3);
    graft_random_start(&random, 1, 2);
    graft_balance_draw(&balance, &random, order, DRAWS);
    for (int64_t i = 0; i < COUNT; i++)
        sizes[label_of(NULL, i)]++;
    for (int64_t i = 0; i < DRAWS; i++) {
        counts[label_of(NULL, order[i])]++;
        of_picture[order[i]]++;
    }
    for (int c = 0; c < CLASSES; c++) {
        const double wanted = sizes[c] > 0 ? DRAWS / 3.0 : 0;
        assert_true(fabs((double)counts[c] - wanted) <= 5 * sqrt(wanted));
    }
    for (int64_t i = 0; i < COUNT; i++) {
        const double wanted = DRAWS / 3.0 / (double)sizes[label_of(NULL, i)];
        assert_true(fabs((double)of_picture[i] - wanted) <= 5 * sqrt(wanted));
    }
    free(order);
    graft_balance_close(*state, &balance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffles_are_permutations),
        cmocka_unit_test(classes_are_drawn_alike),
    };
    return cmocka_run_group_tests(tests, test_open_context, test_close_context);
}
