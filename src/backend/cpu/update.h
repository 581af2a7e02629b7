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
    bool skip; /* the gradients are not finite: nothing is changed */
};

/* `index`: of the input hyper; squares is the one behind it. */
static inline struct update_hyper update_hyper_of(const struct graft_cpu_args *args, int index)
{
    const real *const hyper = args->in[index];
    const real *const squares = args->in[index + 1];
    struct update_hyper result = {(double)hyper[0], (double)hyper[1], (double)hyper[2], (double)hyper[3],
                                  false};
    if (squares != NULL) {
        const double most = (double)args->call->attributes.update.max_norm;
        const double factor = most / (result.gradient_scale * sqrt((double)*squares) + 1e-6);
        result.gradient_scale *= most > 0 && factor < 1 ? factor : 1;
        result.skip = !isfinite((double)*squares);
    }
    return result;
}

#endif
