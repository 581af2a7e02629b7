/* SPDX-License-Identifier: MIT */
/* Rotations, shifts, shears and zooms. They only say where pixels come from: what follows each other is
 * resampled once, when something else needs the pixels. */
#include "data/transform.h"

#include <math.h>

#define DEGREES (3.14159265358979323846 / 180)

static bool rotate(struct graft_picture *picture, const struct graft_transform *step)
{
    const double amount = (double)step->turn.amount;
    const double angle = DEGREES * graft_picture_draw(picture, -amount, amount);
    const double back[4] = {cos(angle), sin(angle), -sin(angle), cos(angle)};
    return graft_picture_turn(picture, back, 0, 0, step->turn.fill);
}

static bool shift(struct graft_picture *picture, const struct graft_transform *step)
{
    const double amount = (double)step->turn.amount;
    const double across = graft_picture_draw(picture, -amount, amount);
    const double down = graft_picture_draw(picture, -amount, amount);
    const double back[4] = {1, 0, 0, 1};
    return graft_picture_turn(picture, back, across, down, step->turn.fill);
}

static bool shear(struct graft_picture *picture, const struct graft_transform *step)
{
    const double amount = (double)step->turn.amount;
    const double back[4] = {1, tan(DEGREES * graft_picture_draw(picture, -amount, amount)), 0, 1};
    return graft_picture_turn(picture, back, 0, 0, step->turn.fill);
}

static bool zoom(struct graft_picture *picture, const struct graft_transform *step)
{
    const double amount = (double)step->turn.amount;
    const double across = graft_picture_draw(picture, 1 - amount, 1 + amount);
    const double down = graft_picture_draw(picture, 1 - amount, 1 + amount);
    const double back[4] = {1 / across, 0, 0, 1 / down};
    return graft_picture_turn(picture, back, 0, 0, step->turn.fill);
}

#define ROW(NAME, MOST)                                                                                      \
    const struct graft_transform_row graft_transform_##NAME = {                                              \
        .name = #NAME,                                                                                       \
        .fields = {{"amount", GRAFT_FIELD_REAL, offsetof(struct graft_transform, turn.amount), 0, MOST},     \
                   {"fill", GRAFT_FIELD_FILL, offsetof(struct graft_transform, turn.fill), 0, 0}},           \
        .random = true,                                                                                      \
        .turns = true,                                                                                       \
        .apply = NAME}

ROW(rotate, 180);
ROW(shift, 1);
ROW(shear, 60);
ROW(zoom, 0.9);
