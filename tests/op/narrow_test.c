/* SPDX-License-Identifier: MIT */
/*
 * An op that says which parts of its inputs make some rows of its output is believed by graft_pass_narrow:
 * every case of every such op is computed whole and for some rows along each dimension, with the f64
 * reference, and must be equal.
 */
#include "whole.h"

struct trial {
    struct whole whole;
    int count; /* of parts that were said to be possible */
};

static int64_t product(const struct graft_shape *shape, int from, int to)
{
    int64_t count = 1;
    for (int d = from; d < to; d++)
        count *= shape->dim[d];
    return count;
}

/* The rows of a tensor, one behind the other; `shape` becomes theirs. */
static void *take(struct trial *trial, const void *whole, struct graft_desc *desc,
                  const struct graft_rows *rows)
{
    struct graft_shape *const shape = &desc->shape;
    const size_t size = graft_dtype_size(desc->dtype);
    const int64_t outer = product(shape, 0, rows->dimension), count = shape->dim[rows->dimension];
    const int64_t inner = product(shape, rows->dimension + 1, shape->rank);
    char *const part = graft_heap_get(&trial->whole.heap, (size_t)(outer * rows->size * inner) + 1, size);
    char *to = part;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < rows->size; i++, to += (size_t)inner * size)
            memcpy(to,
                   (const char *)whole + (size_t)((o * count + rows->begin + i * rows->step) * inner) * size,
                   (size_t)inner * size);
    shape->dim[rows->dimension] = rows->size;
    return part;
}

static bool fits(const struct graft_shape *shape, const struct graft_rows *rows)
{
    return rows->dimension < shape->rank && rows->begin >= 0 && rows->size >= 1 && rows->step >= 1 &&
           rows->begin + (rows->size - 1) * rows->step < shape->dim[rows->dimension];
}

static void fail_rows(const struct trial *trial, const struct graft_rows *rows, const char *why)
{
    char text[256];
    fail_msg("%s: %lld rows of dimension %d from %lld on, %lld apart, by themselves: %s",
             graft_job_format(trial->whole.job, text, sizeof text), (long long)rows->size, rows->dimension,
             (long long)rows->begin, (long long)rows->step, why);
}

static void try_rows(struct trial *trial, const struct graft_rows *rows)
{
    struct graft_call call = trial->whole.call;
    struct graft_rows parts[GRAFT_MAX_INPUTS];
    if (!graft_op_narrow(&call, rows, parts))
        return;
    trial->count++;
    void *in[GRAFT_MAX_INPUTS] = {NULL};
    double *out[GRAFT_MAX_OUTPUTS];
    for (int i = 0; i < call.n_inputs; i++) {
        in[i] = trial->whole.inputs.in[i];
        if (parts[i].dimension < 0)
            continue;
        if (!fits(&call.in[i].shape, &parts[i]))
            fail_rows(trial, rows, "an input does not have the rows that are named of it");
        in[i] = take(trial, in[i], &call.in[i], &parts[i]);
    }
    if (graft_op_infer(trial->whole.context, &call) != GRAFT_OK)
        fail_rows(trial, rows, graft_context_error(trial->whole.context));
    struct graft_desc expected = trial->whole.call.out[0];
    const void *const wanted = take(trial, trial->whole.out[0], &expected, rows);
    whole_outputs(&trial->whole.heap, &call, out);
    const bool same_shape = graft_shape_equal(&expected.shape, &call.out[0].shape);
    if (same_shape)
        graft_reference_run(&call, in, out);
    if (!same_shape || memcmp(out[0], wanted, graft_desc_bytes(&expected)) != 0)
        fail_rows(trial, rows, same_shape ? "other numbers" : "another shape");
}

/* One row, all but one, and what is so many apart for each divisor of their number. */
static void try_dimension(struct trial *trial, int dimension)
{
    const int64_t count = trial->whole.call.out[0].shape.dim[dimension];
    if (count < 2)
        return;
    try_rows(trial, &(struct graft_rows){dimension, 0, 1, 1});
    try_rows(trial, &(struct graft_rows){dimension, count - 1, 1, 1});
    try_rows(trial, &(struct graft_rows){dimension, 1, count - 1, 1});
    for (int64_t step = 2; step < count; step++)
        if (count % step == 0)
            for (int64_t begin = 0; begin < step; begin += step - 1)
                try_rows(trial, &(struct graft_rows){dimension, begin, count / step, step});
}

static int try_job(struct graft_context *context, const struct graft_job *job)
{
    struct trial trial = {.count = 0};
    whole_open(&trial.whole, context, job);
    const struct graft_desc *const y = &trial.whole.call.out[0];
    for (int d = 0; y->dtype != GRAFT_DTYPE_NONE && graft_shape_count(&y->shape) > 0 && d < y->shape.rank;
         d++)
        try_dimension(&trial, d);
    graft_heap_close(&trial.whole.heap);
    return trial.count;
}

static bool narrows(const struct graft_op_def *def)
{
    return def->narrow;
}

static void rows_are_made_of_their_parts(void **state)
{
    (void)state;
    whole_try(narrows, try_job, "computed for some rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_made_of_their_parts)};
    return cmocka_run_group_tests_name("narrow", tests, NULL, NULL);
}
