/* SPDX-License-Identifier: MIT */
#include "profile.h"

#include "output.h"

#include <stdio.h>
#include <stdlib.h>

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

enum graft_status graft_profile_measure(struct graft_plan *plan, bool train, int rounds,
                                        struct graft_profile *profile)
{
    const int nodes = graft_plan_node_count(plan);
    enum graft_status status = GRAFT_OK;
    profile->rows = calloc((size_t)nodes + 1, sizeof *profile->rows);
    if (profile->rows == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
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
    profile->seconds = 0;
    for (int i = 0; i < profile->count; i++) {
        profile->seconds += profile->rows[i].seconds;
    }
    return status;
}

void graft_profile_close(struct graft_profile *profile)
{
    free(profile->rows);
    *profile = (struct graft_profile){0};
}

/* 0 where nothing was measured. */
static double per_second(double amount, double seconds)
{
    return seconds > 0 ? 1e-9 * amount / seconds : 0;
}

void graft_profile_print(const struct graft_profile *profile)
{
    printf("%-34s %-22s %-18s %9s %7s %9s %7s\n", "layer", "op", "variant", "ms", "share", "GFLOP/s", "GB/s");
    for (int i = 0; i < profile->count; i++) {
        const struct graft_profile_row *const row = &profile->rows[i];
        const double share = profile->seconds > 0 ? 100 * row->seconds / profile->seconds : 0;
        printf("%-34s %-22s %-18s %9.3f %6.1f%% %9.1f %7.1f\n", row->node.layer, row->node.op,
               row->node.variant, 1e3 * row->seconds, share, per_second(row->node.flops, row->seconds),
               per_second(row->node.bytes, row->seconds));
    }
    printf("%-34s %-22s %-18s %9.3f\n", "sum", "", "", 1e3 * profile->seconds);
}

json_t *graft_profile_json(const struct graft_profile *profile)
{
    json_t *const list = json_array();
    for (int i = 0; i < profile->count; i++) {
        const struct graft_profile_row *const row = &profile->rows[i];
        const double share = profile->seconds > 0 ? row->seconds / profile->seconds : 0;
        graft_json_add_item(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:f}", "layer", row->node.layer,
                                        "op", row->node.op, "variant", row->node.variant, "call",
                                        row->node.call, "ms", 1e3 * row->seconds, "share", share, "gflops",
                                        per_second(row->node.flops, row->seconds), "gbytes_per_second",
                                        per_second(row->node.bytes, row->seconds)));
    }
    return list;
}
