/* SPDX-License-Identifier: MIT */
/* dx[r, …] = Σ dy[i, …] over the i with index[i] = r, in their order. */
#include "op/check.h"

#include <inttypes.h>

enum { DY, INDEX };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const int64_t rows = call->attributes.gather.rows;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, DY, 1, GRAFT_MAX_RANK)) != GRAFT_OK ||
        (status = graft_check_vector(context, call, INDEX, graft_call_shape(call, DY)->dim[0])) != GRAFT_OK)
        return status;
    if (rows < 0)
        return graft_op_fail(context, call, "x has %" PRId64 " rows", rows);
    struct graft_shape dx = *graft_call_shape(call, DY);
    dx.dim[0] = rows;
    graft_call_output(call, 0, &dx);
    return GRAFT_OK;
}

/* How often a row is summed is the index's matter: at most as often as there are indices. */
static void work(const struct graft_call *call, struct graft_work *work)
{
    *work = (struct graft_work){.flops = (double)graft_shape_count(graft_call_shape(call, DY)),
                                .bytes = graft_work_bytes(call),
                                .terms = (double)graft_call_shape(call, INDEX)->dim[0]};
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    graft_format_append(text, size, " rows %" PRId64, call->attributes.gather.rows);
}

const struct graft_op_def graft_op_gather_grad = {
    .name = "gather_grad",
    .input_names = {"dy", "index"},
    .i32_inputs = 1u << INDEX,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = format,
};
