/* SPDX-License-Identifier: MIT */
/*
 * y = activation(a op b) and y = scale · x with NumPy's broadcasting. Neighbouring dimensions along which
 * each operand goes on in the same way are merged, so that the innermost loop is as long as can be.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

/* Merged dimensions of the output; step[i] is 0 where operand i is stretched. */
struct walk {
    int rank;
    int64_t dim[GRAFT_MAX_RANK + 1];
    int64_t step[2][GRAFT_MAX_RANK + 1];
    int64_t rows;      /* product of all but the last dimension */
    int64_t item_rows; /* of one item */
    int64_t pieces;    /* of a long row */
    int64_t items;
};

static void make_walk(struct walk *walk, const struct graft_shape *y,
                      const struct graft_shape *const operands[2])
{
    *walk = (struct walk){.rank = 1, .dim = {1}};
    int64_t stride[2] = {1, 1};
    /* From the innermost dimension outwards; collected in reverse. */
    for (int d = y->rank - 1; d >= 0; d--) {
        if (y->dim[d] == 1)
            continue;
        int64_t step[2];
        bool merges = true;
        const int last = walk->rank - 1;
        for (int i = 0; i < 2; i++) {
            const int own = operands[i] ? d - (y->rank - operands[i]->rank) : -1;
            const int64_t size = own >= 0 ? operands[i]->dim[own] : 1;
            step[i] = size == 1 ? 0 : stride[i];
            stride[i] *= size;
            merges = merges && step[i] == walk->step[i][last] * walk->dim[last];
        }
        if (walk->dim[last] == 1 || merges) {
            for (int i = 0; i < 2 && walk->dim[last] == 1; i++)
                walk->step[i][last] = step[i];
            walk->dim[last] *= y->dim[d];
            continue;
        }
        walk->dim[walk->rank] = y->dim[d];
        for (int i = 0; i < 2; i++)
            walk->step[i][walk->rank] = step[i];
        walk->rank++;
    }
    walk->rows = 1;
    for (int d = 1; d < walk->rank; d++)
        walk->rows *= walk->dim[d];
    walk->item_rows = graft_max_i64(FAST_CHUNK / graft_max_i64(walk->dim[0], 1), 1);
    walk->pieces = fast_chunks(walk->dim[0]);
    walk->items = graft_ceil_div(walk->rows, walk->item_rows) * walk->pieces;
}

/* Where operand i's row begins. */
static int64_t row_begin(const struct walk *walk, int operand, int64_t row)
{
    int64_t at = 0;
    for (int d = 1; d < walk->rank; d++) {
        at += row % walk->dim[d] * walk->step[operand][d];
        row /= walk->dim[d];
    }
    return at;
}

struct run {
    const struct graft_cpu_args *args;
    struct walk walk;
};

/* y may be the memory of a or b, element on element: no iteration needs what another one wrote.
 * The loop for one pattern of steps; a_step and b_step are constants 0 or 1 where it is inlined. */
FAST_INLINE void combine(float *y, const float *a, const float *b, int64_t count, const int a_step,
                         const int b_step, const struct graft_binary_attributes *attributes, bool accumulate)
{
    const enum graft_unary activation = attributes->activation;
    if (accumulate) {
#pragma GCC ivdep
        for (int64_t i = 0; i < count; i++) {
            const float left = a[i * a_step];
            const float right = b[i * b_step];
            y[i] +=
                fast_activate(activation, attributes->kind == GRAFT_BINARY_MUL ? left * right : left + right);
        }
    } else if (attributes->kind == GRAFT_BINARY_MUL) {
#pragma GCC ivdep
        for (int64_t i = 0; i < count; i++)
            y[i] = fast_activate(activation, a[i * a_step] * b[i * b_step]);
    } else if (activation == GRAFT_UNARY_RELU) {
#pragma GCC ivdep
        for (int64_t i = 0; i < count; i++)
            y[i] = fast_activate(GRAFT_UNARY_RELU, a[i * a_step] + b[i * b_step]);
    } else {
#pragma GCC ivdep
        for (int64_t i = 0; i < count; i++)
            y[i] = fast_activate(activation, a[i * a_step] + b[i * b_step]);
    }
}

static void binary_row(float *y, const float *a, const float *b, int64_t count, int64_t a_step,
                       int64_t b_step, const struct graft_binary_attributes *attributes, bool accumulate)
{
    if (a_step && b_step) {
        combine(y, a, b, count, 1, 1, attributes, accumulate);
    } else if (a_step) { /* read before anything is written: y may be its memory */
        const float scalar = *b;
        combine(y, a, &scalar, count, 1, 0, attributes, accumulate);
    } else if (b_step) {
        const float scalar = *a;
        combine(y, &scalar, b, count, 0, 1, attributes, accumulate);
    } else {
        const float left = *a;
        const float right = *b;
        combine(y, &left, &right, count, 0, 0, attributes, accumulate);
    }
}

static void item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct walk *const walk = &run->walk;
    const struct graft_call *const call = run->args->call;
    const bool accumulate = fast_accumulates(call, 0);
    const int64_t begin = fast_chunk_begin(item % walk->pieces);
    const int64_t count = fast_chunk_end(item % walk->pieces, walk->dim[0]) - begin;
    const int64_t first = item / walk->pieces * walk->item_rows;
    const int64_t last = graft_min_i64(first + walk->item_rows, walk->rows);
    for (int64_t row = first; row < last; row++) {
        float *const y = (float *)run->args->out[0] + row * walk->dim[0] + begin;
        const float *const a =
            (const float *)run->args->in[0] + row_begin(walk, 0, row) + begin * walk->step[0][0];
        if (call->op == GRAFT_OP_BINARY) {
            const float *const b =
                (const float *)run->args->in[1] + row_begin(walk, 1, row) + begin * walk->step[1][0];
            binary_row(y, a, b, count, walk->step[0][0], walk->step[1][0], &call->attributes.binary,
                       accumulate);
            continue;
        }
        const float scale = call->attributes.broadcast.scale;
        const float first_value = scale * *a;
        if (walk->step[0][0]) {
#pragma GCC ivdep
            for (int64_t i = 0; i < count; i++)
                y[i] = accumulate ? y[i] + scale * a[i] : scale * a[i];
        } else {
#pragma GCC ivdep
            for (int64_t i = 0; i < count; i++)
                y[i] = accumulate ? y[i] + first_value : first_value;
        }
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_call *const call = args->call;
    const struct graft_shape *const operands[2] = {&call->in[0].shape,
                                                   call->op == GRAFT_OP_BINARY ? &call->in[1].shape : NULL};
    struct run run = {.args = args};
    if (graft_shape_count(&call->out[0].shape) == 0)
        return;
    make_walk(&run.walk, &call->out[0].shape, operands);
    graft_pool_run(args->pool, run.walk.items, item, &run);
}

const struct graft_cpu_variant FAST(binary_vector) = {"vector", check, NULL, run};
const struct graft_cpu_variant FAST(broadcast_vector) = {"vector", check, NULL, run};
