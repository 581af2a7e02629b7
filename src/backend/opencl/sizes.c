/* SPDX-License-Identifier: MIT */
/* How large the pieces are that work is cut into: from what a device says of itself. */
#include "backend/opencl/internal.h"
#include "backend/opencl/thresholds.h"

#include "base/size.h"

/* What a small device takes: 32 MiB are some hundred tiles of Winograd's, 12 GFLOP 60 ms of two processors.
 */
#define LEAST_SCRATCH (UINT64_C(32) << 20)
#define MOST_SCRATCH (UINT64_C(512) << 20)
#define MEMORY_PARTS 256 /* of a GPU's memory, one may be scratch */
#define LEAST_FLOPS 1.2e10
/* A GPU's unit does some 128 floating-point operations in a cycle; a launch is what it does in 10 ms so, and
 * at a fiftieth of that speed still half a second. */
#define UNIT_FLOPS 128
#define LAUNCH_SECONDS 0.01
#define USUAL_MHZ 1000 /* of a driver that does not tell, or nonsense */
#define MOST_MHZ 10000

void graft_opencl_choose_sizes(struct graft_opencl_traits *traits, uint64_t memory_bytes, uint64_t clock_mhz)
{
    traits->launch_flops = LEAST_FLOPS;
    traits->block_terms = GRAFT_GEMM_BLOCK_TERMS;
    traits->scratch_bytes = LEAST_SCRATCH;
    traits->library_reach = GRAFT_CLBLAST_REACH;
    if (traits->family !=
        GRAFT_OPENCL_GPU) /* there it is the caches that count, and products see few tiles */
        return;
    const uint64_t mhz = clock_mhz > 0 && clock_mhz <= MOST_MHZ ? clock_mhz : USUAL_MHZ;
    const double flops = LAUNCH_SECONDS * UNIT_FLOPS * 1e6 * (double)mhz * (double)traits->compute_units;
    const uint64_t share = graft_min_u64(memory_bytes / MEMORY_PARTS, traits->max_allocation / 4);
    traits->launch_flops = flops > LEAST_FLOPS ? flops : LEAST_FLOPS;
    traits->scratch_bytes = graft_max_u64(graft_min_u64(share, MOST_SCRATCH), LEAST_SCRATCH);
}
