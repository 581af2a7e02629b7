/* SPDX-License-Identifier: MIT */
/* The numbers that the host gives a parameter update for each step. */
#ifndef GRAFT_SRC_BACKEND_CPU_UPDATE_H
#define GRAFT_SRC_BACKEND_CPU_UPDATE_H

#include "backend/cpu/reference.h"

struct update_hyper {
    double rate;
    double correction1; /* 1 − beta1^t */
    double correction2; /* 1 − beta2^t */
    double gradient_scale;
};

static inline struct update_hyper update_hyper_of(const real *hyper)
{
    return (struct update_hyper){(double)hyper[0], (double)hyper[1], (double)hyper[2], (double)hyper[3]};
}

#endif
