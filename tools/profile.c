/* SPDX-License-Identifier: MIT */
#include "profile.h"

#include "backend/measure.h"
#include "output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_SHARE 0.03 /* of the whole time */

static bool counts(const struct graft_plan_node *node, bool train)
{
    return !node->once && (train || node->segment == GRAFT_SEGMENT_COMPUTE);
}

double graft_plan_flops(const struct graft_plan *plan, bool train)
{
    double flops = 0;
    for (int i = 0; i < graft_plan_node_count(plan); i++) {
        struct graft_plan_node node;
        graft_plan_node_at(plan, i, &node);
        flops += counts(&node, train) ? node.flops : 0;
    }
    return flops;
}

static enum graft_status measure_rows(struct graft_plan *plan, bool train, int rounds,
                                      struct graft_profile *profile)
{
    const int nodes = graft_plan_node_count(plan);
    enum graft_status status = GRAFT_OK;
    for (int round = 0; round < rounds && status == GRAFT_OK; round++) {
        status = graft_plan_profile(plan, GRAFT_SEGMENT_COMPUTE);
        if (status == GRAFT_OK && train) {
            status = graft_plan_profile(plan, GRAFT_SEGMENT_UPDATE);
        }
        profile->count = 0;
        for (int i = 0; i < nodes && status == GRAFT_OK; i++) {
            struct graft_plan_node node;
            graft_plan_node_at(plan, i, &node);
            if (counts(&node, train)) {
                struct graft_profile_row *const row = &profile->rows[profile->count++];
                row->node = node;
                row->seconds = round == 0 || node.seconds < row->seconds ? node.seconds : row->seconds;
            }
        }
    }
    return status;
}

/* The sum that a node belongs to: of its shapes, or of its op. */
static struct graft_profile_kernel *find(struct graft_profile_kernel *sums, int *count,
                                         const struct graft_plan_node *node, bool shapes)
{
    for (int i = 0; i < *count; i++) {
        const struct graft_plan_node *const other = sums[i].node;
        if (strcmp(other->variant, node->variant) == 0 && strcmp(other->op, node->op) == 0 &&
            (!shapes || strcmp(other->call, node->call) == 0)) {
            return &sums[i];
        }
    }
    sums[*count] = (struct graft_profile_kernel){.node = node, .fewer_products = node->saving > 1};
    return &sums[(*count)++];
}

/* The least time that the limits allow a row: multiply-adds and memory side by side, whichever takes longer.
 */
static void add(const struct graft_device_limits *limits, const struct graft_profile_row *row,
                struct graft_profile_kernel *sum)
{
    const double rate = graft_device_memory_rate(limits, row->node.bytes_at_once);
    const double computing = limits->flops > 0 ? row->node.flops / limits->flops : 0;
    const double moving = rate > 0 ? row->node.bytes / rate : 0;
    const struct graft_work work = {.flops = row->node.flops, .bytes = row->node.bytes};
    const double least = graft_measure_least(limits, &work, row->node.bytes_at_once, row->node.saving);
    sum->layers++;
    sum->seconds += row->seconds;
    sum->flops += row->node.flops;
    sum->bytes += row->node.bytes;
    sum->least += fmax(computing, moving);
    sum->computing += computing > moving ? computing : 0;
    sum->impossible += row->seconds > 0 && !graft_measure_is_possible(least, row->seconds);
}

static int by_time(const void *a, const void *b)
{
    const struct graft_profile_kernel *const x = a;
    const struct graft_profile_kernel *const y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static void sum_rows(struct graft_profile *profile)
{
    for (int i = 0; i < profile->count; i++) {
        const struct graft_profile_row *const row = &profile->rows[i];
        add(&profile->limits, row, find(profile->kernels, &profile->kernel_count, &row->node, true));
        add(&profile->limits, row, find(profile->ops, &profile->op_count, &row->node, false));
        profile->seconds += row->seconds;
    }
    qsort(profile->kernels, (size_t)profile->kernel_count, sizeof *profile->kernels, by_time);
    qsort(profile->ops, (size_t)profile->op_count, sizeof *profile->ops, by_time);
}

enum graft_status graft_profile_measure(struct graft_device *device, struct graft_plan *plan, bool train,
                                        int rounds, struct graft_profile *profile)
{
    const size_t nodes = (size_t)graft_plan_node_count(plan) + 1;
    *profile = (struct graft_profile){0};
    profile->rows = calloc(nodes, sizeof *profile->rows);
    profile->kernels = calloc(nodes, sizeof *profile->kernels);
    profile->ops = calloc(nodes, sizeof *profile->ops);
    if (profile->rows == NULL || profile->kernels == NULL || profile->ops == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    enum graft_status status = graft_device_measure(device, &profile->limits);
    if (status == GRAFT_OK) {
        status = measure_rows(plan, train, rounds, profile);
    }
    struct graft_device_limits again = {0};
    if (status == GRAFT_OK) {
        status = graft_device_measure(device, &again);
    }
    if (status == GRAFT_OK) {
        graft_measure_merge(&profile->limits, &again);
        sum_rows(profile);
    }
    return status;
}

void graft_profile_close(struct graft_profile *profile)
{
    free(profile->rows);
    free(profile->kernels);
    free(profile->ops);
    *profile = (struct graft_profile){0};
}

int graft_profile_tuned(const struct graft_profile *profile)
{
    int tuned = 0;
    for (int i = 0; i < profile->count; i++) {
        tuned += profile->rows[i].node.tuned;
    }
    return tuned;
}

/* 0 where nothing was measured. */
static double per_second(double amount, double seconds)
{
    return seconds > 0 ? 1e-9 * amount / seconds : 0;
}

static double share_of(const struct graft_profile *profile, double seconds)
{
    return profile->seconds > 0 ? seconds / profile->seconds : 0;
}

static void print_limits(const struct graft_device_limits *limits)
{
    printf("\nlimits, measured: multiply-adds %.1f GFLOP/s; memory, read and written back, GB/s:",
           1e-9 * limits->flops);
    for (int i = 0; i < limits->n_memory; i++) {
        char bytes[32];
        printf("%s %.1f within %s", i > 0 ? "," : "", 1e-9 * limits->memory[i].bytes_per_second,
               graft_show_bytes(limits->memory[i].bytes, bytes));
    }
    printf("\n\n");
}

/* Bounded by multiply-adds, for the most part? */
static bool is_compute(const struct graft_profile_kernel *kernel)
{
    return 2 * kernel->computing > kernel->least;
}

static double limit_share(const struct graft_profile_kernel *kernel)
{
    return kernel->seconds > 0 ? kernel->least / kernel->seconds : 0;
}

/* Those above SHOWN_SHARE; true if one of them makes fewer products than it counts. */
static bool print_sums(const struct graft_profile *profile, const struct graft_profile_kernel *sums,
                       int count, bool shapes)
{
    bool fewer = false;
    int shown = 0;
    double rest = profile->seconds;
    printf("%9s %6s %9s %7s %9s  %-8s %6s  %s\n", "ms", "share", "GFLOP/s", "GB/s", "of limit", "bound by",
           "layers", shapes ? "kernel, by shapes" : "kernel, all shapes");
    for (; shown < count; shown++) {
        const struct graft_profile_kernel *const sum = &sums[shown];
        const double share = share_of(profile, sum->seconds);
        if (share <= SHOWN_SHARE) {
            break;
        }
        const size_t op = strlen(sum->node->op);
        const bool named = strncmp(sum->node->call, sum->node->op, op) == 0;
        printf("%9.3f %5.1f%% %9.1f %7.1f %7.0f %%%s %-8s %6d  %s %s%s\n", 1e3 * sum->seconds, 100 * share,
               per_second(sum->flops, sum->seconds), per_second(sum->bytes, sum->seconds),
               100 * limit_share(sum), sum->fewer_products ? "*" : " ",
               is_compute(sum) ? "compute" : "memory", sum->layers, sum->node->op, sum->node->variant,
               !shapes ? ""
               : named ? sum->node->call + op
                       : sum->node->call);
        fewer = fewer || sum->fewer_products;
        rest -= sum->seconds;
    }
    if (shown < count) {
        printf("%9.3f %5.1f%% %45s %d more, each below 3 %%\n", 1e3 * rest, 100 * share_of(profile, rest), "",
               count - shown);
    }
    printf("%9.3f\n\n", 1e3 * profile->seconds);
    return fewer;
}

/* The driver's timers, of which profiles are made, can be wrong: what is too fast to be true is told. */
static void print_impossible(const struct graft_profile *profile)
{
    int impossible = 0;
    for (int i = 0; i < profile->op_count; i++) {
        impossible += profile->ops[i].impossible;
    }
    if (impossible > 0) {
        printf(
            "%d of %d layers took less time, by the driver's timer, than the limits allow: the timer, or the "
            "limits, are measured wrong\n",
            impossible, profile->count);
    }
}

static void print_kernels(const struct graft_profile *profile)
{
    print_limits(&profile->limits);
    bool fewer = print_sums(profile, profile->ops, profile->op_count, false);
    fewer = print_sums(profile, profile->kernels, profile->kernel_count, true) || fewer;
    if (fewer) {
        printf(
            "* GFLOP/s and share count the multiplications of the definition; Winograd's algorithm makes a "
            "quarter to less than half of them\n");
    }
    print_impossible(profile);
}

static void print_layers(const struct graft_profile *profile)
{
    printf("\n%-34s %-22s %-18s %9s %7s %9s %7s\n", "layer", "op", "variant", "ms", "share", "GFLOP/s",
           "GB/s");
    for (int i = 0; i < profile->count; i++) {
        const struct graft_profile_row *const row = &profile->rows[i];
        printf("%-34s %-22s %-18s %9.3f %6.1f%% %9.1f %7.1f\n", row->node.layer, row->node.op,
               row->node.variant, 1e3 * row->seconds, 100 * share_of(profile, row->seconds),
               per_second(row->node.flops, row->seconds), per_second(row->node.bytes, row->seconds));
    }
    printf("%-34s %-22s %-18s %9.3f\n", "sum", "", "", 1e3 * profile->seconds);
}

void graft_profile_print(const struct graft_profile *profile, bool layers)
{
    print_kernels(profile);
    if (layers) {
        print_layers(profile);
    }
}

json_t *graft_profile_json(const struct graft_profile *profile)
{
    json_t *const list = json_array();
    for (int i = 0; i < profile->count; i++) {
        const struct graft_profile_row *const row = &profile->rows[i];
        graft_json_add_item(list, json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:f}", "layer",
                                            row->node.layer, "op", row->node.op, "variant", row->node.variant,
                                            "call", row->node.call, "ms", 1e3 * row->seconds, "share",
                                            share_of(profile, row->seconds), "gflops",
                                            per_second(row->node.flops, row->seconds), "gbytes_per_second",
                                            per_second(row->node.bytes, row->seconds)));
    }
    return list;
}

static json_t *sums_json(const struct graft_profile *profile, const struct graft_profile_kernel *sums,
                         int count, bool shapes)
{
    json_t *const list = json_array();
    for (int i = 0; i < count; i++) {
        const struct graft_profile_kernel *const sum = &sums[i];
        json_t *const item =
            json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:s, s:f, s:b}", "op", sum->node->op, "variant",
                      sum->node->variant, "layers", sum->layers, "ms", 1e3 * sum->seconds, "share",
                      share_of(profile, sum->seconds), "gflops", per_second(sum->flops, sum->seconds),
                      "gbytes_per_second", per_second(sum->bytes, sum->seconds), "bound",
                      is_compute(sum) ? "compute" : "memory", "limit_share", limit_share(sum),
                      "fewer_products", sum->fewer_products);
        if (item != NULL) {
            graft_json_add_member(item, "impossible", json_integer(sum->impossible));
        }
        if (item != NULL && shapes) {
            graft_json_add_member(item, "call", json_string(sum->node->call));
        }
        graft_json_add_item(list, item);
    }
    return list;
}

json_t *graft_profile_kernels_json(const struct graft_profile *profile)
{
    return sums_json(profile, profile->kernels, profile->kernel_count, true);
}

json_t *graft_profile_ops_json(const struct graft_profile *profile)
{
    return sums_json(profile, profile->ops, profile->op_count, false);
}

json_t *graft_profile_limits_json(const struct graft_profile *profile)
{
    const struct graft_device_limits *const limits = &profile->limits;
    json_t *const memory = json_array();
    for (int i = 0; i < limits->n_memory; i++) {
        graft_json_add_item(memory,
                            json_pack("{s:I, s:f}", "bytes", (json_int_t)limits->memory[i].bytes,
                                      "gbytes_per_second", 1e-9 * limits->memory[i].bytes_per_second));
    }
    return json_pack("{s:f, s:o}", "gflops", 1e-9 * limits->flops, "memory", memory);
}
