/* SPDX-License-Identifier: MIT */
/* An axis: its range, its ticks at round numbers, their labels. */
#ifndef GRAFT_SRC_VIS_AXIS_H
#define GRAFT_SRC_VIS_AXIS_H

#include <stdbool.h>
#include <stddef.h>

#define GRAFT_AXIS_TICKS 32

struct graft_axis {
    /* what it is */
    bool logarithmic;
    bool whole;   /* ticks at whole numbers */
    bool percent; /* 0.5 is labelled "50 %" */
    /* what graft_axis_fit finds */
    double low, high;
    double step; /* between ticks; 0 on a logarithmic axis */
    double ticks[GRAFT_AXIS_TICKS];
    int tick_count;
};

/*
 * Range and ticks for values from `low` to `high` (finite; above 0 on a logarithmic axis). `round_ends`: the
 * range is widened until ticks stand at its ends; else it is taken as it is. At most about `most` ticks.
 */
void graft_axis_fit(struct graft_axis *axis, double low, double high, bool round_ends, int most);
/* Where a value lies: 0 at low, 1 at high. */
double graft_axis_place(const struct graft_axis *axis, double value);
void graft_axis_label(const struct graft_axis *axis, double tick, char *label, size_t size);

#endif
