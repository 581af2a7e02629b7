/* SPDX-License-Identifier: MIT */
/*
 * Sets of parameters for CLBlast 1.5's Xgemm (large products) and XgemmDirect (small ones). Names and meaning
 * are those of CLBlast's doc/tuning.md: a work-group of MDIMC × NDIMC makes MWG × NWG results, KWG terms at a
 * time; VWM and VWN are vectors; SA and SB say that the factors go through local memory. What must hold:
 * MWG % (MDIMC · VWM) = 0 = MWG % (MDIMA · VWM), likewise for N with NDIMC and NDIMB; KWG % KWI = 0; KWG is a
 * multiple of MDIMC · NDIMC / MDIMA and of MDIMC · NDIMC / NDIMB. XgemmDirect: WGD is a multiple of
 * MDIMCD · VWMD, NDIMCD · VWND, MDIMAD · VWMD, NDIMBD · VWND, KWID, MDIMCD · NDIMCD / MDIMAD and
 * MDIMCD · NDIMCD / NDIMBD.
 */
#include "backend/opencl/clblast.h"

#include "backend/tuning.h"
#include "base/context.h"

#include <string.h>

#ifdef GRAFT_HAVE_CLBLAST
#include <clblast_c.h>

#define GEMM_COUNT 16
#define DIRECT_COUNT 10

static const char *const gemm_names[GEMM_COUNT] = {"GEMMK", "KREG",  "KWG",   "KWI", "MDIMA", "MDIMC",
                                                   "MWG",   "NDIMB", "NDIMC", "NWG", "SA",    "SB",
                                                   "STRM",  "STRN",  "VWM",   "VWN"};
static const char *const direct_names[DIRECT_COUNT] = {"KWID", "MDIMAD", "MDIMCD", "NDIMBD", "NDIMCD",
                                                       "PADA", "PADB",   "VWMD",   "VWND",   "WGD"};

static const struct {
    const char *name;
    size_t gemm[GEMM_COUNT];
    size_t direct[DIRECT_COUNT];
} sets[] = {
    {"tile64", {0, 1, 16, 2, 8, 8, 64, 8, 8, 64, 1, 1, 0, 0, 2, 2}, {2, 8, 8, 8, 8, 1, 1, 2, 2, 16}},
    {"tile128",
     {0, 1, 16, 2, 16, 16, 128, 16, 16, 128, 1, 1, 0, 0, 4, 4},
     {2, 16, 16, 16, 16, 1, 1, 2, 2, 32}},
    {"tile64x32", {0, 1, 32, 2, 16, 16, 64, 8, 8, 32, 1, 1, 0, 0, 2, 2}, {2, 8, 16, 16, 8, 1, 1, 1, 1, 32}},
    {"direct32",
     {0, 1, 16, 2, 16, 16, 64, 16, 16, 64, 1, 1, 0, 0, 2, 2},
     {8, 16, 16, 16, 16, 1, 1, 1, 1, 32}},
    {"plain", {0, 1, 32, 2, 4, 4, 32, 4, 4, 32, 0, 0, 0, 0, 8, 8}, {2, 4, 4, 4, 4, 1, 1, 4, 4, 16}},
};

void graft_opencl_clblast_tune(struct graft_opencl_device *device)
{
    const char *const wanted = device->base.tuning != NULL ? device->base.tuning->clblast : "";
    if (wanted[0] == '\0' || (device->clblast_set != NULL && strcmp(wanted, device->clblast_set) == 0))
        return;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if (strcmp(sets[i].name, wanted) != 0)
            continue;
        CLBlastStatusCode code =
            CLBlastOverrideParameters(device->id, "Xgemm", CLBlastPrecisionSingle, GEMM_COUNT,
                                      (const char **)(uintptr_t)gemm_names, sets[i].gemm);
        if (code == CLBlastSuccess)
            code = CLBlastOverrideParameters(device->id, "XgemmDirect", CLBlastPrecisionSingle, DIRECT_COUNT,
                                             (const char **)(uintptr_t)direct_names, sets[i].direct);
        device->clblast_set = sets[i].name;
        if (code != CLBlastSuccess)
            graft_tuning_set_clblast(&device->base, "");
        return;
    }
}

#else

void graft_opencl_clblast_tune(struct graft_opencl_device *device)
{
    (void)device;
}

#endif
