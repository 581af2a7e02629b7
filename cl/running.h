/* SPDX-License-Identifier: MIT */
/* Running statistics of batch norm. Required -D: those of simple.h. */
#ifndef GRAFT_CL_RUNNING_H
#define GRAFT_CL_RUNNING_H

#include "simple.h"

/* running[n] = rest × running[n] + momentum × value[n], rest = 1 − momentum. */
void move_running(global float *running, const real value, const float momentum, const float rest, const int n);
void move_running(global float *running, const real value, const float momentum, const float rest, const int n)
{
    store_some(rest * load_some(running, n) + momentum * value, running, n);
}

#endif
