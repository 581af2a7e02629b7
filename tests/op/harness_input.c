/* SPDX-License-Identifier: MIT */
/* What the inputs of a job hold. Each input has its own stream of random numbers, named after case and input.
 */
#include "harness.h"
#include "base/random.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE_BLOCK ((size_t)64 << 20)
#define HUGE_PAGE ((size_t)2 << 20)
#define KEPT_BYTES (1 << 30) /* by malloc, for the next job */

void *graft_heap_get(struct graft_heap *heap, size_t count, size_t size)
{
    if (heap->count == heap->capacity) {
        const int capacity = heap->capacity == 0 ? 64 : 2 * heap->capacity;
        void **const blocks = realloc(heap->blocks, (size_t)capacity * sizeof *blocks);
        if (blocks == NULL) {
            fprintf(stderr, "conform: no memory for a case\n");
            _exit(1);
        }
        heap->blocks = blocks;
        heap->capacity = capacity;
    }
    void *const block = calloc(count > 0 ? count : 1, size);
    if (block == NULL) {
        fprintf(stderr, "conform: no memory for a case (%zu elements of %zu bytes)\n", count, size);
        _exit(1);
    }
    if (count * size >= LARGE_BLOCK) { /* large pages: touching small ones takes longer than filling them */
        char *const aligned = (char *)(((uintptr_t)block + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
        (void)madvise(aligned, count * size - (size_t)(aligned - (char *)block), MADV_HUGEPAGE);
    }
    heap->blocks[heap->count++] = block;
    heap->bytes += count * size;
    return block;
}

void graft_heap_close(struct graft_heap *heap)
{
    for (int i = 0; i < heap->count; i++) {
        free(heap->blocks[i]);
    }
    free(heap->blocks);
#ifdef __GLIBC__
    if (heap->bytes > KEPT_BYTES) {
        (void)malloc_trim(0); /* gaps between blocks, too */
    }
#endif
    *heap = (struct graft_heap){NULL, 0, 0};
}

void graft_heap_keep_memory(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_MAX, 0);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

static double between(struct graft_random *random, int lowest, int highest)
{
    return lowest + (int)graft_random_below(random, (uint32_t)(highest - lowest + 1));
}

static double exact_value(struct graft_random *random, enum graft_values values)
{
    switch (values) {
    case GRAFT_VALUES_POSITIVE:
        return between(random, 1, 4);
    case GRAFT_VALUES_UNIT:
        return (double)(1 << graft_random_below(random, 3));
    case GRAFT_VALUES_TIES:
        return between(random, 0, 2);
    case GRAFT_VALUES_KINKS: {
        const double x = between(random, -4, 16) / 2;
        return x == 0 && graft_random_below(random, 2) ? -0.0 : x;
    }
    default:
        return between(random, -3, 3);
    }
}

static double away(struct graft_random *random)
{
    for (;;) {
        const double x = 4 * graft_random_normal(random);
        if (fabs(x) > 0.05 && fabs(x - 6) > 0.05) {
            return x;
        }
    }
}

static double rounding_value(struct graft_random *random, enum graft_values values)
{
    switch (values) {
    case GRAFT_VALUES_POSITIVE:
        return 0.25 + fabs(graft_random_normal(random));
    case GRAFT_VALUES_UNIT:
        return 0.2 + (double)graft_random_uniform(random);
    case GRAFT_VALUES_TIES:
    case GRAFT_VALUES_KINKS:
        return exact_value(random, values);
    case GRAFT_VALUES_AWAY:
        return away(random);
    case GRAFT_VALUES_SPECIAL: {
        const double special[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
        const double x = graft_random_normal(random);
        return graft_random_below(random, 19) == 0 ? special[graft_random_below(random, 3)] : x;
    }
    case GRAFT_VALUES_INFINITE: {
        const double x = graft_random_normal(random);
        return graft_random_below(random, 7) == 0 ? -(double)INFINITY : x;
    }
    case GRAFT_VALUES_EXTREME: {
        const double x = 40 * graft_random_normal(random);
        const uint32_t which = graft_random_below(random, 10);
        return which == 0 ? 1000 : which == 1 ? -1000 : x;
    }
    case GRAFT_VALUES_DEEP:
        return -300 + 4 * graft_random_normal(random);
    case GRAFT_VALUES_OFFSET:
        return 100 + graft_random_normal(random);
    default:
        return graft_random_normal(random);
    }
}

/* Multiples of 1/8 around 0, each once, in random order. */
static void fill_distinct(struct graft_random *random, double *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        values[i] = (double)(i - count / 2) / 8;
    }
    for (int64_t i = count - 1; i > 0; i--) {
        const uint32_t j = graft_random_below(random, (uint32_t)(i + 1));
        const double value = values[i];
        values[i] = values[j];
        values[j] = value;
    }
}

static double *make_real(struct graft_heap *heap, struct graft_random *random, enum graft_tier tier,
                         const struct graft_case_input *input, int64_t count)
{
    double *const values = graft_heap_get(heap, (size_t)count, sizeof *values);
    if (input->values == GRAFT_VALUES_DISTINCT) {
        fill_distinct(random, values, count);
        return values;
    }
    if (input->values == GRAFT_VALUES_LITERAL) {
        for (int64_t i = 0; i < count; i++) {
            values[i] = (double)(float)input->literal[i % input->literal_count];
        }
        return values;
    }
    for (int64_t i = 0; i < count; i++) {
        values[i] = tier == GRAFT_TIER_EXACT ? exact_value(random, input->values)
                                             : (double)(float)rounding_value(random, input->values);
    }
    return values;
}

static void start_stream(struct graft_random *random, const struct graft_job *job, const char *what,
                         int index, uint64_t seed)
{
    char name[200];
    snprintf(name, sizeof name, "%s/%s/%d/%s%d", graft_op_get(job->op)->name, graft_job_case(job)->name,
             (int)job->tier, what, index);
    graft_random_start(random, seed, graft_hash_text(name));
}

void graft_inputs_make(struct graft_heap *heap, const struct graft_job *job, const struct graft_call *call,
                       uint64_t seed, struct graft_inputs *inputs)
{
    const struct graft_case *const test = graft_job_case(job);
    *inputs = (struct graft_inputs){{NULL}};
    for (int i = 0; i < call->n_inputs; i++) {
        const int64_t count = graft_shape_count(&call->in[i].shape);
        struct graft_random random;
        start_stream(&random, job, "in", i, seed);
        switch (call->in[i].dtype) {
        case GRAFT_DTYPE_NONE:
            break;
        case GRAFT_DTYPE_F32:
        case GRAFT_DTYPE_F64:
            inputs->in[i] = make_real(heap, &random, job->tier, &test->in[i], count);
            break;
        case GRAFT_DTYPE_I32: {
            int32_t *const values = graft_heap_get(heap, (size_t)count, sizeof *values);
            for (int64_t k = 0; k < count; k++) {
                values[k] = (int32_t)graft_random_below(&random, (uint32_t)test->in[i].below);
            }
            inputs->in[i] = values;
            break;
        }
        case GRAFT_DTYPE_U8: {
            uint8_t *const values = graft_heap_get(heap, (size_t)count, sizeof *values);
            for (int64_t k = 0; k < count; k++) {
                values[k] = (uint8_t)graft_random_below(&random, 256);
            }
            inputs->in[i] = values;
            break;
        }
        }
    }
    const struct graft_case_set *const set = graft_case_set_of(job->op);
    if (set->derive != NULL) {
        double *real[GRAFT_MAX_INPUTS] = {NULL};
        for (int i = 0; i < call->n_inputs; i++) {
            real[i] = inputs->in[i];
        }
        set->derive(call, real);
        for (int i = 0; i < call->n_inputs; i++) {
            for (int64_t k = 0;
                 test->in[i].dtype == GRAFT_DTYPE_F32 && k < graft_shape_count(&call->in[i].shape); k++) {
                real[i][k] = (double)(float)real[i][k];
            }
        }
    }
}

double *graft_prior_make(struct graft_heap *heap, const struct graft_job *job, int output, int64_t count,
                         uint64_t seed)
{
    struct graft_random random;
    start_stream(&random, job, "out", output, seed);
    const struct graft_case_input plain = REAL(1);
    return make_real(heap, &random, job->tier, &plain, count);
}

void graft_to_device(const struct graft_desc *desc, const void *values, void *bytes)
{
    const int64_t count = graft_shape_count(&desc->shape);
    if (desc->dtype == GRAFT_DTYPE_F32) {
        const double *const from = values;
        float *const to = bytes;
        for (int64_t i = 0; i < count; i++) {
            to[i] = (float)from[i];
        }
    } else if (count > 0) {
        memcpy(bytes, values, (size_t)count * graft_dtype_size(desc->dtype));
    }
}
