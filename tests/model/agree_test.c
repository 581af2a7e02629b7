/* SPDX-License-Identifier: MIT */
/*
 * Two devices agree on whole networks of real sizes: `agree_test DEVICE TRUTH BATCH NETWORK…`. The gradient
 * of every parameter, of one training step of all layers, within 1e-4 of its norm; in turn with the variants
 * that the device prefers, with those of OpenCL's other family, and with each of CLBlast's where it can do a
 * step.
 *
 * Batch normalization keeps its running statistics, as in fit: with the batch's own, some gradients are 0 but
 * for rounding.
 *
 * Kinks: near 0, rounding decides on which side of a relu an activation lies, and two devices need not decide
 * alike. So the truth's gradients see the device's activations at relu, relu6 and max_pool (see network.h).
 */
#include "backend/tuning.h"
#include "base/context.h"
#include "graph/plan.h"
#include "model/network.h"

#ifdef GRAFT_HAVE_OPENCL
#include "backend/opencl/clblast_sets.h"
#include "backend/opencl/opencl.h"
#endif

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOUND 1e-4

struct trial {
    const char *device, *truth, *network;
    int64_t batch;
    const char *way; /* "": as the device prefers; "other family"; else a variant */
    int forced;      /* steps that run it */
    int sites;
    float **activations; /* [sites] of the device */
    int targets;
    float **gradients; /* [targets] */
};

static bool fine(struct graft_context *context, enum graft_status status)
{
    if (status)
        printf("%s\n", graft_context_error(context));
    return status == GRAFT_OK;
}

static float *read_value(struct test_network *network, int value)
{
    const struct graft_desc *const desc = graft_graph_desc(network->model->graph, value);
    const uint64_t bytes = graft_desc_bytes(desc);
    float *const values = malloc(bytes);
    if (values && fine(network->context, graft_plan_read(network->plan, value, values, bytes)))
        return values;
    free(values);
    return NULL;
}

static void prefer_other_family(struct graft_device *device)
{
#ifdef GRAFT_HAVE_OPENCL
    struct graft_opencl_traits *const traits = &((struct graft_opencl_device *)device)->traits;
    traits->family = traits->family == GRAFT_OPENCL_CPU ? GRAFT_OPENCL_GPU : GRAFT_OPENCL_CPU;
#else
    (void)device;
#endif
}

/* Makes `variant` the choice of every step that it can do, as if it had been measured to be the fastest. */
static bool force(struct test_network *network, struct trial *trial)
{
    const struct graft_plan_options sizes = {.deferred = true};
    struct graft_device *const device = network->device;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    bool good =
        fine(network->context, graft_variables_open(device, &variables)) &&
        fine(network->context, graft_plan_open(network->model->graph, device, variables, &sizes, &plan)) &&
        fine(network->context, graft_tuning_open(device));
    for (int s = 0; good && s < plan->n_steps; ++s) {
        const struct graft_plan_step *const step = &plan->steps[s];
        struct graft_variant_info info;
        int variant = 0;
        if (!step->text || strcmp(step->info.name, "alias") == 0 ||
            graft_variant_choose(device, &step->node->call, trial->way, &variant, &info) != GRAFT_OK)
            continue;
        struct graft_tuning_choice choice = {
            .call = step->key, .plain = "-", .seconds = 1, .plain_seconds = 2};
        (void)snprintf(choice.variant, sizeof choice.variant, "%s", trial->way);
        good = fine(network->context, graft_tuning_set(device, &choice));
        trial->forced++;
    }
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    return good;
}

/* The device's gradients and activations. */
static bool run_device(struct trial *trial)
{
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    struct test_network network = {.batch = trial->batch};
    struct test_site *sites = NULL;
    bool good = graft_context_open(NULL, &context) == GRAFT_OK &&
                fine(context, graft_device_open(context, trial->device, &device));
    if (good && strcmp(trial->way, "other family") == 0)
        prefer_other_family(device);
    good = good && test_network_open(&network, context, device, trial->network, 0, GRAFT_DTYPE_F32);
    if (good) {
        sites = test_sites_find(network.model->graph, &trial->sites);
        for (int i = 0; i < trial->sites; ++i)
            graft_graph_output(network.model->graph, sites[i].value);
    }
    if (good && trial->way[0] && strcmp(trial->way, "other family") != 0)
        good = force(&network, trial);
    good = good && test_network_plan(&network) && test_network_run(&network);
    trial->activations = calloc((size_t)trial->sites + 1, sizeof *trial->activations);
    for (int i = 0; good && i < trial->sites; ++i)
        good = (trial->activations[i] = read_value(&network, sites[i].value)) != NULL;
    trial->targets = network.count;
    trial->gradients = calloc((size_t)network.count + 1, sizeof *trial->gradients);
    for (int i = 0; good && i < network.count; ++i)
        good = (trial->gradients[i] = read_value(&network, network.gradients[i])) != NULL;
    free(sites);
    test_network_close(&network);
    graft_device_close(&device);
    graft_context_close(&context);
    return good;
}

static bool write_pattern(struct test_network *network, int value, const float *activations)
{
    const struct graft_desc *const desc = graft_graph_desc(network->model->graph, value);
    return fine(network->context,
                graft_plan_write(network->plan, value, activations, graft_desc_bytes(desc)));
}

/* The largest ‖difference‖ / ‖gradient‖; what is not a number stays. */
static double compare(struct test_network *network, const struct trial *trial, const char **worst_name)
{
    double worst = 0;
    for (int i = 0; i < network->count; ++i) {
        float *const truth = read_value(network, network->gradients[i]);
        const int64_t count =
            graft_shape_count(&graft_graph_desc(network->model->graph, network->gradients[i])->shape);
        double difference = 0, squares = 0;
        for (int64_t k = 0; truth && k < count; ++k) {
            const double a = (double)trial->gradients[i][k], b = (double)truth[k];
            difference += (a - b) * (a - b);
            squares += b * b;
        }
        const double relative = truth ? sqrt(difference / squares) : NAN;
        if (!(relative <= worst)) {
            worst = relative;
            *worst_name = network->model->parameters[network->targets[i]].name;
        }
        free(truth);
        if (isnan(worst))
            break;
    }
    return worst;
}

static bool run_truth(const struct trial *trial)
{
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    struct test_network network = {.batch = trial->batch};
    struct test_site *sites = NULL;
    int count = 0;
    const char *name = "-";
    double worst = NAN;
    bool good = graft_context_open(NULL, &context) == GRAFT_OK &&
                fine(context, graft_device_open(context, trial->truth, &device)) &&
                test_network_open(&network, context, device, trial->network, 0, GRAFT_DTYPE_F32);
    if (good) {
        sites = test_sites_find(network.model->graph, &count);
        test_sites_replace(network.model->graph, sites, count);
        good = count == trial->sites && network.count == trial->targets && test_network_plan(&network);
    }
    for (int i = 0; good && i < count; ++i) {
        good = write_pattern(&network, sites[i].pattern, trial->activations[i]);
        free(trial->activations[i]);
        trial->activations[i] = NULL;
    }
    good = good && test_network_run(&network);
    if (good)
        worst = compare(&network, trial, &name);
    const bool within = good && network.count > 0 && worst <= BOUND;
    printf("%-14s batch %lld  %-16s %s  %d gradients, at most %.2e of their norm away (%s)", trial->network,
           (long long)trial->batch, trial->way[0] ? trial->way : "as preferred", within ? "ok  " : "FAIL",
           network.count, worst, name);
    if (trial->forced > 0)
        printf(", %d steps forced", trial->forced);
    printf("\n");
    (void)fflush(stdout);
    free(sites);
    test_network_close(&network);
    graft_device_close(&device);
    graft_context_close(&context);
    return within;
}

static bool try_way(const char *const *arguments, const char *network, const char *way)
{
    const char *const only = getenv("GRAFT_TEST_WAY"); /* one of them, by hand */
    if (only && only[0] && strcmp(only, way[0] ? way : "as preferred") != 0)
        return true;
    struct trial trial = {.device = arguments[0],
                          .truth = arguments[1],
                          .network = network,
                          .batch = strtol(arguments[2], NULL, 10),
                          .way = way};
    const bool good = run_device(&trial) && run_truth(&trial);
    for (int i = 0; trial.activations && i < trial.sites; ++i)
        free(trial.activations[i]);
    for (int i = 0; trial.gradients && i < trial.targets; ++i)
        free(trial.gradients[i]);
    free(trial.activations);
    free(trial.gradients);
    if (!good)
        printf("%s, %s: FAIL\n", network, way);
    return good;
}

static bool has_device(const char *name)
{
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    const bool there = graft_context_open(NULL, &context) == GRAFT_OK &&
                       graft_device_open(context, name, &device) == GRAFT_OK;
    graft_device_close(&device);
    graft_context_close(&context);
    return there;
}

int main(int count, char **arguments)
{
    if (count < 5) {
        (void)fprintf(stderr, "usage: agree_test DEVICE TRUTH BATCH NETWORK...\n");
        return 2;
    }
    if (!has_device(arguments[1])) {
        printf("there is no %s\n", arguments[1]);
        return 77;
    }
    int failed = 0;
    for (int n = 4; n < count; ++n) {
        const char *const *const given = (const char *const *)arguments + 1;
        failed += !try_way(given, arguments[n], "");
#ifdef GRAFT_HAVE_OPENCL
        failed += !try_way(given, arguments[n], "other family");
        for (int set = 0; set < GRAFT_CLBLAST_SETS; ++set)
            failed += !try_way(given, arguments[n], graft_clblast_sets[set].name);
#endif
    }
    return failed ? 1 : 0;
}
