/* SPDX-License-Identifier: MIT */
/* How much there is to do: helpers for the ops' work functions. */
#include "op/check.h"

double graft_work_bytes(const struct graft_call *call)
{
    const struct graft_op_def *const def = graft_op_get(call->op);
    double bytes = 0;
    for (int i = 0; i < call->n_inputs; i++) {
        bytes += (double)graft_desc_bytes(&call->in[i]) * (def->mutates >> i & 1u ? 2 : 1);
    }
    for (int i = 0; i < def->n_outputs; i++) {
        bytes += (double)graft_desc_bytes(&call->out[i]) * (call->accumulate >> i & 1u ? 2 : 1);
    }
    return bytes;
}

void graft_work_elementwise(const struct graft_call *call, double flops, struct graft_work *work)
{
    *work = (struct graft_work){
        .flops = flops * (double)graft_shape_count(&call->out[0].shape),
        .bytes = graft_work_bytes(call),
        .terms = 1,
    };
}

void graft_work_copy(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 0, work);
}

void graft_work_products(const struct graft_call *call, double count, double terms, struct graft_work *work)
{
    *work = (struct graft_work){.flops = 2 * count * terms, .bytes = graft_work_bytes(call), .terms = terms};
}
