/* SPDX-License-Identifier: MIT */
#include "base/random.h"
#include "backend/cpu/reference.h"

enum { X, STEP };

void REFERENCE(dropout)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_dropout_attributes *const a = &call->attributes.dropout;
    const uint32_t key[2] = {(uint32_t)a->seed, (uint32_t)(a->seed >> 32)};
    const int32_t *const numbers = args->in[STEP];
    const uint32_t step = (uint32_t)numbers[0];
    const int64_t row_blocks = graft_dropout_row_blocks(call);
    const uint64_t first = row_blocks ? (uint64_t)row_blocks * (uint32_t)numbers[1] : 0;
    const double bound = round((double)a->probability * 0x1p32);
    const double scale = 1 / (1 - (double)a->probability);
    const real *const x = args->in[X];
    real *const y = args->out[0];
    const int64_t count = graft_shape_count(&call->out[0].shape);
    uint32_t words[4];
    for (int64_t i = 0; i < count; i++) {
        if (i % 4 == 0) {
            const uint64_t block = first + (uint64_t)i / 4;
            const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), step, a->stream};
            graft_philox(key, counter, words);
        }
        const bool dropped = (double)words[i % 4] < bound;
        reference_store(call, 0, &y[i], dropped ? 0 : scale * (double)x[i]);
    }
}
