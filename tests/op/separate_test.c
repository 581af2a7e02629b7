/* SPDX-License-Identifier: MIT */
/*
 * An op that says that its rows stand for themselves is believed by the plans: every case of every op is
 * computed whole and row by row with the f64 reference, for every choice of inputs that are in rows, and must
 * be equal.
 */
#include "whole.h"

/* Of one of so many parts. */
static size_t part_bytes(const struct graft_desc *desc, int64_t parts)
{
    return graft_desc_bytes(desc) / (size_t)parts;
}

/* How many rows all inputs of the mask have, of which the result has a multiple; 0: they do not. */
static int64_t rows_of(const struct graft_call *call, uint32_t mask)
{
    int64_t rows = 0;
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        if (!(mask >> i & 1u))
            continue;
        if (i >= call->n_inputs || call->in[i].dtype == GRAFT_DTYPE_NONE || call->in[i].shape.rank < 1)
            return 0;
        rows = rows == 0 ? call->in[i].shape.dim[0] : rows;
        if (call->in[i].shape.dim[0] != rows)
            return 0;
    }
    return rows > 1 && call->out[0].dtype != GRAFT_DTYPE_NONE && call->out[0].shape.rank > 0 &&
                   call->out[0].shape.dim[0] > 0 && call->out[0].shape.dim[0] % rows == 0
               ? rows
               : 0;
}

/* One of `rows` rows by itself; false if the op's shape rule does not give that row. */
static bool row_is_equal(struct whole *whole, const struct graft_call *separated, uint32_t mask, int64_t row,
                         int64_t rows)
{
    struct graft_call call = *separated;
    void *in[GRAFT_MAX_INPUTS] = {NULL};
    double *out[GRAFT_MAX_OUTPUTS] = {NULL};
    for (int i = 0; i < call.n_inputs; i++) {
        const struct graft_desc *const desc = &whole->call.in[i];
        in[i] = whole->inputs.in[i];
        if (mask >> i & 1u) {
            in[i] = (char *)in[i] + (size_t)row * part_bytes(desc, rows);
            call.in[i].shape.dim[0] = 1;
        }
    }
    assert_int_equal(graft_op_infer(whole->context, &call), GRAFT_OK);
    for (int o = 0; o < GRAFT_MAX_OUTPUTS; o++) {
        if (whole->call.out[o].dtype == GRAFT_DTYPE_NONE)
            continue;
        struct graft_shape expected = whole->call.out[o].shape;
        expected.dim[0] /= rows;
        if (!graft_shape_equal(&expected, &call.out[o].shape))
            return false;
        out[o] = graft_heap_get(&whole->heap, (size_t)graft_shape_count(&expected) + 1, sizeof(double));
    }
    graft_reference_run(&call, in, out);
    for (int o = 0; o < GRAFT_MAX_OUTPUTS; o++)
        if (out[o] &&
            memcmp(out[o], (const char *)whole->out[o] + (size_t)row * part_bytes(&whole->call.out[o], rows),
                   graft_desc_bytes(&call.out[o])) != 0)
            return false;
    return true;
}

/* All masks of one job; returns how many were said to be separate. */
static int try_job(struct graft_context *context, const struct graft_job *job)
{
    struct whole whole;
    int count = 0;
    whole_open(&whole, context, job);
    for (uint32_t mask = 1; mask < 1u << whole.call.n_inputs; mask++) {
        struct graft_call call = whole.call;
        const int64_t rows = rows_of(&whole.call, mask);
        if (rows == 0 || !graft_op_get(job->op)->separate(&call, mask, 1))
            continue;
        count++;
        for (int64_t row = 0; row < rows; row++)
            if (!row_is_equal(&whole, &call, mask, row, rows)) {
                char text[256];
                fail_msg("%s, inputs 0x%x in rows: row %lld by itself differs",
                         graft_job_format(job, text, sizeof text), (unsigned)mask, (long long)row);
            }
    }
    graft_heap_close(&whole.heap);
    return count;
}

static bool separates(const struct graft_op_def *def)
{
    return def->separate;
}

static void rows_stand_for_themselves(void **state)
{
    (void)state;
    whole_try(separates, try_job, "computed row by row");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_stand_for_themselves)};
    return cmocka_run_group_tests_name("separate", tests, NULL, NULL);
}
