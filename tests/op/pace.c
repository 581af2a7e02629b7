/* SPDX-License-Identifier: MIT */
#include "pace.h"

#include "product.h"
#include "real.h"

#define LEAST_COST 1e6   /* smaller calls say little of large ones, unless they take … */
#define LEAST_SPENT 2e-3 /* … so many seconds */
#define LEAST_SAMPLES 2

/* Filters through all channels, through some, through one. */
static int class_of(const struct graft_call *call)
{
    if (!graft_product_is(call->op) || call->op == GRAFT_OP_MATMUL) {
        return 0;
    }
    const struct graft_product_geometry g = graft_product_geometry_of(call);
    return g.groups == 1 ? 0 : g.c_each == 1 ? 2 : 1;
}

void graft_pace_note(struct graft_paces *paces, const struct graft_real *real, int variant, double spent)
{
    struct graft_pace *const pace = &paces->variants[class_of(&real->call)][variant];
    if (spent > 0 && (real->cost >= LEAST_COST || spent >= LEAST_SPENT)) {
        const double now = spent / real->cost;
        pace->seconds = pace->samples++ == 0 ? now : (pace->seconds + now) / 2;
    }
}

bool graft_pace_is_slow(const struct graft_paces *paces, const struct graft_real *real, int variant,
                        double *expected, double *times)
{
    const struct graft_pace *const all = paces->variants[class_of(&real->call)];
    const struct graft_pace *const own = &all[variant];
    if (own->samples < LEAST_SAMPLES) {
        return false;
    }
    double best = own->seconds;
    for (int i = 0; i < 64; i++) {
        best = all[i].samples >= LEAST_SAMPLES && all[i].seconds < best ? all[i].seconds : best;
    }
    *expected = real->cost * own->seconds;
    *times = own->seconds / best;
    return *expected > (*times > GRAFT_PACE_FASTER ? GRAFT_PACE_MOST_SLOWLY : GRAFT_PACE_MOST);
}
