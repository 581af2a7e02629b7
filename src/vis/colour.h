/* SPDX-License-Identifier: MIT */
/* Colours for values. */
#ifndef GRAFT_SRC_VIS_COLOUR_H
#define GRAFT_SRC_VIS_COLOUR_H

#include "vis/canvas.h"

/* For a share in 0..1: from dark to light in steps that look equal. */
struct graft_colour graft_colour_heat(double share);
/* The same for 256 shares, as bytes. */
void graft_heat_colours(uint8_t table[256][3]);

#endif
