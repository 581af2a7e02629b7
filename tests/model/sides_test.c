/* SPDX-License-Identifier: MIT */
/*
 * Pictures that are not square, of odd sides, other batches and classes than usual: logits, loss and
 * gradients as torchvision has them (sides.def, which sides_golden.py has made).
 *
 *     sides_test DEVICE [NETWORK …]      without names: all of sides.def
 */
#include "model/network.h"
#include "support/support.h"

#include <math.h>

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

#define LIMIT 1e-4          /* of the largest logit */
#define LOSS_LIMIT 1e-5     /* of the loss */
#define GRADIENT_LIMIT 1e-3 /* of a gradient's norm */
#define FIRST_LIMIT 1e-2    /* of the size of a typical element, see zoo_test */

enum { FIRST = 8 };

struct golden {
    const char *network;
    int64_t height, width, batch, classes;
    const char *statistics;
    double loss, largest, logits[FIRST];
};
#define SIDES_GRADIENT(...)
#define SIDES(network, height, width, batch, classes, statistics, loss, largest, ...)                        \
    {#network, height, width, batch, classes, #statistics, loss, largest, {__VA_ARGS__}},
static const struct golden goldens[] = {
#include "model/sides.def"
};
#undef SIDES
#undef SIDES_GRADIENT

struct gradient {
    const char *network, *parameter;
    double norm, first;
};
#define SIDES(...)
#define SIDES_GRADIENT(network, parameter, norm, first) {#network, #parameter, norm, first},
static const struct gradient gradients[] = {
#include "model/sides.def"
};

struct deviations {
    double logits, loss, norm, first;
    int gradients;
};

static struct graft_context *context;
static struct graft_device *device;
static char **wanted;
static int wanted_count;

static void compare_logits(struct test_network *network, const struct golden *golden,
                           struct deviations *worst)
{
    int64_t count = 0;
    double *const logits = test_network_read(network, network->model->logits, &count);
    assert_non_null(logits);
    assert_int_equal(count, golden->batch * golden->classes);
    const double *const last = logits + count - golden->classes;
    for (int64_t i = 0; i < FIRST && i < golden->classes; ++i)
        worst->logits = fmax(worst->logits, fabs(last[i] - golden->logits[i]) / golden->largest);
    free(logits);
    double *const loss = test_network_read(network, network->loss, &count);
    assert_non_null(loss);
    worst->loss = fabs(loss[0] - golden->loss) / golden->loss;
    free(loss);
}

static void compare_gradient(struct test_network *network, int target, const struct gradient *expected,
                             struct deviations *worst)
{
    int64_t count = 0;
    double squares = 0.0;
    double *const own = test_network_read(network, network->gradients[target], &count);
    assert_non_null(own);
    for (int64_t k = 0; k < count; ++k)
        squares += own[k] * own[k];
    const double typical = fabs(expected->first) + expected->norm / sqrt((double)count);
    worst->norm = fmax(worst->norm, fabs(sqrt(squares) - expected->norm) / expected->norm);
    worst->first = fmax(worst->first, fabs(own[0] - expected->first) / typical);
    ++worst->gradients;
    free(own);
}

static bool check(const struct golden *golden)
{
    struct test_network network = {.batch = golden->batch,
                                   .width = golden->width,
                                   .classes = golden->classes,
                                   .training = strcmp(golden->statistics, "train") == 0};
    struct deviations worst = {0};
    int listed = 0;
    assert_true(
        test_network_open(&network, context, device, golden->network, golden->height, GRAFT_DTYPE_F32));
    assert_true(test_network_plan(&network) && test_network_run(&network));
    compare_logits(&network, golden, &worst);
    for (size_t i = 0; i < COUNT(gradients); ++i) {
        if (strcmp(gradients[i].network, golden->network) != 0)
            continue;
        ++listed;
        for (int t = 0; t < network.count; ++t)
            if (strcmp(network.model->parameters[network.targets[t]].name, gradients[i].parameter) == 0)
                compare_gradient(&network, t, &gradients[i], &worst);
    }
    test_network_close(&network);
    const bool good = listed > 0 && worst.gradients == listed && worst.logits <= LIMIT &&
                      worst.loss <= LOSS_LIMIT && worst.norm <= GRADIENT_LIMIT && worst.first <= FIRST_LIMIT;
    print_message(
        "%-20s %3lldx%-3lld of %lld, %lld classes, %-5s %s  logits %.1e  loss %.1e  %d of %d gradients: "
        "norm %.1e, first element %.1e\n",
        golden->network, (long long)golden->height, (long long)golden->width, (long long)golden->batch,
        (long long)golden->classes, golden->statistics, good ? "ok  " : "FAIL", worst.logits, worst.loss,
        worst.gradients, listed, worst.norm, worst.first);
    return good;
}

static void networks_are_torchvisions(void **state)
{
    int checked = 0, failed = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(goldens); ++i) {
        bool named = wanted_count == 0;
        for (int k = 0; k < wanted_count; ++k)
            named = named || strcmp(wanted[k], goldens[i].network) == 0;
        checked += named;
        failed += named && !check(&goldens[i]);
    }
    assert_int_equal(failed, 0);
    assert_true(checked > 0 && checked >= wanted_count);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: sides_test DEVICE [NETWORK ...]\n");
        return 2;
    }
    wanted = argv + 2;
    wanted_count = argc - 2;
    if (graft_context_open(NULL, &context))
        return 1;
    const enum graft_status status = graft_device_open(context, argv[1], &device);
    const struct CMUnitTest tests[] = {cmocka_unit_test(networks_are_torchvisions)};
    if (status)
        print_error("%s\n", graft_context_error(context));
    const int result = status == GRAFT_ERROR_NOT_FOUND ? 77
                       : status                        ? 1
                                : cmocka_run_group_tests_name("sides", tests, NULL, NULL);
    graft_device_close(&device);
    graft_context_close(&context);
    return result;
}
