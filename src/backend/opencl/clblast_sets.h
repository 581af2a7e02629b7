/* SPDX-License-Identifier: MIT */
/*
 * Where CLBlast's products change their way, for those who choose it and for tests that want both sides of
 * each such size. It needs neither CLBlast nor OpenCL.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_CLBLAST_SETS_H
#define GRAFT_SRC_BACKEND_OPENCL_CLBLAST_SETS_H

#include <stdbool.h>
#include <stdint.h>

/* Without a measurement a product takes the first indirect set if it has so many multiply-adds (rows ×
 * columns × terms), and so many for each float of a, b and y, which may have to be copied; else the first
 * direct set. */
#define GRAFT_CLBLAST_INDIRECT_LEAST (INT64_C(1472) * 1472 * 1472)
#define GRAFT_CLBLAST_INDIRECT_LEAST_EACH 128
/* Multiply-adds, floats of the matrices: products below both are left to kernels of our own (clblast.c). */
#define GRAFT_CLBLAST_LEAST_WORK 268435456.0
#define GRAFT_CLBLAST_LEAST_FLOATS 4194304.0
/* Products of a batch follow one another; more of them are refused. */
#define GRAFT_CLBLAST_MOST_BATCHES 8
/* CLBlast's kernels count floats in an int, from the beginning of a buffer. An operand that ends beyond is
 * given to them as a buffer of its own; copies that would are refused. */
#define GRAFT_CLBLAST_REACH INT64_C(0x7FFFFFFF)

/* See thresholds.h. */
#define GRAFT_CLBLAST_THRESHOLDS(GRAFT_X)                                                                    \
    GRAFT_X(GRAFT_CLBLAST_INDIRECT_LEAST - 1, "matmul conv2d conv2d_grad_input conv2d_grad_weight", VOLUME)  \
    GRAFT_X(GRAFT_CLBLAST_MOST_BATCHES, "matmul", BATCHES)

struct graft_clblast_set {
    const char *name; /* of the variant */
    bool indirect;
    int rows, columns, terms; /* of a tile of y: sizes that are no multiples of them go another way */
    int items;                /* of a work-group */
    int local_bytes;          /* of local memory */
};

enum {
#define GRAFT_CLBLAST_DIRECT(name, ...) GRAFT_CLBLAST_SET_##name,
#define GRAFT_CLBLAST_INDIRECT(name, ...) GRAFT_CLBLAST_SET_##name,
#include "backend/opencl/clblast.def"
#undef GRAFT_CLBLAST_DIRECT
#undef GRAFT_CLBLAST_INDIRECT
    GRAFT_CLBLAST_SETS
};

/* CLBlast computes the transposed product, so rows of y are what its numbers call N. */
static const struct graft_clblast_set graft_clblast_sets[GRAFT_CLBLAST_SETS] = {
#define GRAFT_CLBLAST_DIRECT(name, kwid, mdimad, mdimcd, ndimbd, ndimcd, pada, padb, vwmd, vwnd, wgd)        \
    {#name, false, wgd, wgd, wgd, (mdimcd) * (ndimcd), 4 * (wgd) * (2 * (wgd) + (pada) + (padb))},
#define GRAFT_CLBLAST_INDIRECT(name, kwg, kwi, mdima, mdimc, mwg, ndimb, ndimc, nwg, sa, sb, vwm, vwn)       \
    {#name, true, nwg, mwg, kwg, (mdimc) * (ndimc), 4 * (kwg) * ((sa) * (mwg) + (sb) * (nwg))},
#include "backend/opencl/clblast.def"
#undef GRAFT_CLBLAST_DIRECT
#undef GRAFT_CLBLAST_INDIRECT
};

#endif
