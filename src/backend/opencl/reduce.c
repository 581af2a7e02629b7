/* SPDX-License-Identifier: MIT */
#include "backend/opencl/columns.h"
#include "backend/opencl/thresholds.h"

#include "backend/merge.h"
#include "base/size.h"

enum { FIRST, COMBINE };

/* x seen as kept and reduced dimensions, neighbours of a kind merged: at most three of each. */
struct state {
    int64_t kept;
    int32_t kept_dim[8], kept_stride[8];
    int reduced; /* outer reduced dimensions */
    int32_t dim[8], stride[8];
    bool inner_is_reduced;
    int64_t terms;        /* elements of x per element of y */
    int64_t row_chunks;   /* reduce_inner: chunks are rows … */
    int64_t columns_each; /* … or columns */
    struct graft_opencl_columns columns;
};

static void describe(const struct graft_opencl_device *device, const struct graft_call *call,
                     enum graft_opencl_family family, struct state *state)
{
    struct graft_merged merged;
    graft_merge_reduced(&merged, call);
    const int count = merged.count;
    int64_t inner = count > 0 ? merged.dim[count - 1] : 1, step = inner, rows = 1;
    int kept = 0, reduced = 0;
    *state = (struct state){.kept = 1, .row_chunks = 1};
    state->inner_is_reduced = count > 0 && merged.step[1][count - 1] == 0;
    state->terms = state->inner_is_reduced ? inner : 1;
    for (int i = 0; i < 8; i++)
        state->kept_dim[i] = state->dim[i] = 1;
    /* From the inside out: kept dimensions fill kept_dim from its third entry down, reduced ones dim from the
     * last. */
    for (int i = count - 2; i >= 0; i--)
        reduced += merged.step[1][i] == 0;
    state->reduced = reduced;
    for (int i = count - 2; i >= 0; i--) {
        if (merged.step[1][i] == 0) {
            state->dim[--reduced] = (int32_t)merged.dim[i];
            state->stride[reduced] = (int32_t)step;
            rows *= merged.dim[i];
        } else {
            state->kept_dim[2 - kept] = (int32_t)merged.dim[i];
            state->kept_stride[2 - kept++] = (int32_t)step;
            state->kept *= merged.dim[i];
        }
        step *= merged.dim[i];
    }
    state->terms *= rows;
    if (!state->inner_is_reduced) {
        state->columns = graft_opencl_columns_make(device, family, state->kept, rows, inner);
        return;
    }
    /* All lanes of a group side by side in a row; chunks of rows, or of columns if there is one long row. */
    state->columns = graft_opencl_columns_make(device, family, state->kept, 1, 1);
    state->columns.lanes *= state->columns.columns;
    state->columns.columns = 1;
    state->columns.rows = rows;
    state->columns.inner = inner;
    state->columns.rows_each = graft_max_i64(rows, 1);
    state->columns_each = graft_max_i64(inner, 1);
    if (rows > 1) {
        struct graft_opencl_columns split =
            graft_opencl_columns_make(device, GRAFT_OPENCL_CPU, graft_max_i64(state->kept, 1), rows, 1);
        const int64_t least = graft_max_i64(GRAFT_REDUCE_CHUNK_COLUMNS / graft_max_i64(inner, 1), 1);
        state->columns.rows_each = graft_max_i64(graft_ceil_div(rows, split.chunks), least);
        state->row_chunks = graft_ceil_div(rows, state->columns.rows_each);
        state->columns.chunks = state->row_chunks;
    } else if (state->kept < 64 && inner > GRAFT_REDUCE_CHUNK_COLUMNS) {
        state->columns_each = graft_max_i64(graft_round_up((uint64_t)graft_ceil_div(inner, 64), 16),
                                            GRAFT_REDUCE_CHUNK_COLUMNS);
        state->columns.chunks = graft_ceil_div(inner, state->columns_each);
    }
}

static const char *check(const struct graft_opencl_device *device, const struct graft_call *call,
                         enum graft_opencl_family family, struct graft_variant_info *info)
{
    struct state state;
    describe(device, call, family, &state);
    if (state.columns.chunks > 1)
        info->workspace_bytes =
            (uint64_t)(state.columns.chunks * graft_shape_count(&call->out[0].shape)) * sizeof(float);
    return NULL;
}

static const char *check_chunks(const struct graft_opencl_device *device, const struct graft_call *call,
                                struct graft_variant_info *info)
{
    return check(device, call, GRAFT_OPENCL_CPU, info);
}

static const char *check_lanes(const struct graft_opencl_device *device, const struct graft_call *call,
                               struct graft_variant_info *info)
{
    return check(device, call, GRAFT_OPENCL_GPU, info);
}

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    struct state *state = graft_opencl_state(device, kernel, sizeof(*state));
    if (state == NULL)
        return GRAFT_ERROR_MEMORY;
    describe(device, &kernel->call, kernel->variant->family, state);
    enum graft_status status =
        graft_opencl_simple_add(device, kernel, state->inner_is_reduced ? "reduce_inner" : "reduce_rows");
    if (status == GRAFT_OK && state->columns.chunks > 1)
        status = graft_opencl_simple_add(device, kernel, "reduce_combine");
    return status;
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    const struct state *state = kernel->state;
    const struct graft_opencl_columns *columns = &state->columns;
    const int64_t count = graft_opencl_count_out(kernel, 0);
    const bool mean = kernel->call.attributes.reduce.kind == GRAFT_REDUCE_MEAN;
    const double divisor = mean ? (double)state->terms : 1;
    const int accumulate = graft_opencl_accumulates(kernel, 0);
    const bool parts = columns->chunks > 1;
    if (count == 0)
        return GRAFT_OK;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, parts ? workspace : out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_int(&args, state->kept);
    graft_opencl_arg_ints(&args, state->kept_dim, 8);
    graft_opencl_arg_ints(&args, state->kept_stride, 8);
    graft_opencl_arg_int(&args, state->reduced);
    graft_opencl_arg_ints(&args, state->dim, 8);
    graft_opencl_arg_ints(&args, state->stride, 8);
    graft_opencl_arg_int(&args, kernel->call.attributes.reduce.kind == GRAFT_REDUCE_SQUARES);
    graft_opencl_arg_float(&args, parts ? 1 : divisor);
    graft_opencl_arg_int(&args, parts ? 0 : accumulate);
    struct graft_opencl_range range;
    if (state->inner_is_reduced) {
        graft_opencl_arg_int(&args, columns->rows);
        graft_opencl_arg_int(&args, columns->inner);
        graft_opencl_arg_int(&args, state->row_chunks);
        graft_opencl_arg_int(&args, columns->chunks);
        graft_opencl_arg_int(&args, columns->rows_each);
        graft_opencl_arg_int(&args, state->columns_each);
        range = (struct graft_opencl_range){
            .dimensions = 1,
            .global = {(size_t)(state->kept * columns->chunks * columns->lanes)},
            .local = {(size_t)columns->lanes},
        };
    } else {
        graft_opencl_arg_columns(&args, columns);
        range = graft_opencl_columns_range(columns, state->kept);
    }
    const enum graft_status status = graft_opencl_launch(device, kernel, FIRST, &args, &range);
    if (status != GRAFT_OK || !parts)
        return status;
    args = (struct graft_opencl_args){0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    graft_opencl_arg_float(&args, divisor);
    graft_opencl_arg_int(&args, accumulate);
    graft_opencl_arg_int(&args, columns->chunks);
    graft_opencl_arg_int(&args, count);
    range = graft_opencl_arg_combine(&args, columns, count);
    return graft_opencl_launch(device, kernel, COMBINE, &args, &range);
}

GRAFT_OPENCL_COLUMNS_VARIANTS(reduce, check_chunks, check_lanes, open, run);
