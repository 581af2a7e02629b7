/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/reference.h"

void REFERENCE(reduce)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_reduce_attributes *const a = &call->attributes.reduce;
    const struct graft_shape *const shape = &call->in[0].shape;
    struct graft_shape kept = *shape;   /* reduced dimensions are 1 */
    struct graft_shape summed = *shape; /* all others are 1 */
    for (int d = 0; d < shape->rank; d++) {
        *(a->axes >> d & 1u ? &kept.dim[d] : &summed.dim[d]) = 1;
    }
    const int64_t outputs = graft_shape_count(&kept);
    const int64_t terms = graft_shape_count(&summed);
    const real *const x = args->in[0];
    real *const y = args->out[0];
    int64_t at[GRAFT_MAX_RANK] = {0};
    for (int64_t i = 0; i < outputs; i++, index_next(&kept, at)) {
        double sum = 0;
        int64_t offset[GRAFT_MAX_RANK] = {0};
        for (int64_t j = 0; j < terms; j++, index_next(&summed, offset)) {
            int64_t index[GRAFT_MAX_RANK];
            for (int d = 0; d < shape->rank; d++) {
                index[d] = at[d] + offset[d];
            }
            const double value = (double)x[index_element(shape, shape->rank, index)];
            sum += a->kind == GRAFT_REDUCE_SQUARES ? value * value : value;
        }
        reference_store(call, 0, &y[i], a->kind == GRAFT_REDUCE_MEAN ? sum / (double)terms : sum);
    }
}
