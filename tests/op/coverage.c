/* SPDX-License-Identifier: MIT */
#include "coverage.h"

#include "harness.h"
#include "tolerance.h"

#include <string.h>

/* A variant that runs at all must have passed in each tier its op has; one that never ran says why. */
void graft_conform_check_coverage(const struct graft_conform_options *options, const char *device,
                                  struct graft_conform_report *report)
{
    for (int i = 0; i < report->n_coverage; i++) {
        const struct graft_conform_coverage *const row = &report->coverage[i];
        const bool exact =
            graft_tolerance_has_exact(graft_op_find(row->op)) && graft_variant_has_exact(row->variant);
        if (row->failed > 0 || strcmp(row->variant, "gradient") == 0) {
            continue;
        }
        const enum graft_conform_sizes sizes = options->sizes;
        const char *const missing = sizes != GRAFT_CONFORM_REAL && exact && row->passed_exact == 0 ? "exact"
                                    : sizes != GRAFT_CONFORM_REAL && row->passed_rounding == 0 ? "rounding"
                                    : sizes != GRAFT_CONFORM_SMALL && row->passed_real == 0    ? "real"
                                                                                               : NULL;
        if (row->passed_exact + row->passed_rounding + row->passed_real == 0) {
            graft_conform_say(options, GRAFT_CONFORM_REMARK, "%s: %s: variant %s ran no case: %s", device,
                row->op, row->variant, row->reason);
        } else if (missing != NULL && strcmp(missing, "real") == 0 && row->left_real) {
            graft_conform_say(options, GRAFT_CONFORM_REMARK, "%s: %s: variant %s ran no case of real sizes: %s",
                device, row->op, row->variant, row->reason);
        } else if (missing != NULL) {
            report->ran++;
            report->failed++;
            graft_conform_say(options, GRAFT_CONFORM_FAILURE,
                "graft conform --device %s --op %s  # variant %s has no passing case of the %s tier: add one "
                "to tests/op/%s.c",
                device, row->op, row->variant, missing,
                strcmp(missing, "real") == 0 ? "real_edges" : row->op);
        }
    }
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        const char *const name = graft_op_get((enum graft_op)op)->name;
        bool found = false;
        for (int i = 0; i < report->n_coverage && !found; i++) {
            found = report->coverage[i].op == name;
        }
        if (!found) {
            report->ran++;
            report->failed++;
            graft_conform_say(options, GRAFT_CONFORM_FAILURE,
                "graft conform --device %s --op %s  # no variant and no reason", device, name);
        }
    }
}
