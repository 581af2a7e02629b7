/* SPDX-License-Identifier: MIT */
/*
 * Does CLBlast compute right on this device? A few small products of a set, on integers, all tensors in one
 * buffer at odd places, as a plan has them: whole tiles in each orientation, where a library may think that
 * nothing has to be copied, and sizes with a rest. Every float of the buffer must be what it should be.
 */
#include "backend/opencl/clblast.h"

#include "backend/opencl/internal.h"

#include "base/context.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 5
#define TRIES                                                                                                \
    2 /* what fails once may have failed for want of something; twice: it is not for this device             \
       */

struct trial {
    struct graft_opencl_device *device;
    int set;
    struct graft_tensor buffer, copies; /* the tensors; what CLBlast needs beside them */
    uint64_t buffer_bytes, copies_bytes;
    float *data, *wanted;
    cl_int code; /* of the library, and the name of its call */
    const char *name;
    bool known; /* how much memory it takes */
    bool right;
};

static struct graft_product_sizes sizes_of(int number, int round)
{
    const struct graft_clblast_set *const set = &graft_clblast_sets[number];
    const int rest = round == ROUNDS - 1;
    return (struct graft_product_sizes){.batches = 1,
                                        .m = set->rows + rest,
                                        .n = set->columns + 3 * rest,
                                        .k = 2 * set->terms + rest,
                                        .transpose_a = (round & 1) != 0,
                                        .transpose_b = (round & 2) != 0};
}

/* Odd numbers of floats lie before, between and behind the tensors. */
static void place(const struct graft_product_sizes *p, struct graft_clblast_product *product, size_t *count)
{
    product->a_at = 3;
    product->b_at = (product->a_at + (uint64_t)(p->m * p->k) + 4) | 1;
    product->y_at = (product->b_at + (uint64_t)(p->k * p->n) + 4) | 1;
    *count = (size_t)(product->y_at + (uint64_t)(p->m * p->n) + 5);
}

static float element(const float *matrix, bool transposed, int64_t rows, int64_t columns, int64_t row,
                     int64_t column)
{
    return matrix[transposed ? column * rows + row : row * columns + column];
}

/* Fills data, and wanted with what it must become. */
static void fill(struct trial *trial, const struct graft_clblast_product *p, size_t count)
{
    uint32_t seed = 12345;
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        trial->data[i] = (float)((int)(seed >> 16) % 9 - 4);
    }
    memcpy(trial->wanted, trial->data, count * sizeof(float));
    for (int64_t i = 0; i < p->m; i++) {
        for (int64_t j = 0; j < p->n; j++) {
            float *const y = &trial->wanted[p->y_at + (uint64_t)(i * p->n + j)];
            float sum = p->accumulate ? *y : 0;
            for (int64_t l = 0; l < p->k; l++)
                sum += element(trial->data + p->a_at, p->transpose_a, p->m, p->k, i, l) *
                       element(trial->data + p->b_at, p->transpose_b, p->k, p->n, l, j);
            *y = sum;
        }
    }
}

/* trial->code is left when the library fails; the status is that of our own calls. */
static enum graft_status run_round(struct trial *trial, int round)
{
    struct graft_opencl_device *const device = trial->device;
    const struct graft_backend *const backend = device->base.backend;
    const struct graft_product_sizes p = sizes_of(trial->set, round);
    const cl_mem memory = graft_opencl_memory(trial->buffer);
    struct graft_clblast_product product = {.set = trial->set,
                                            .m = p.m,
                                            .n = p.n,
                                            .k = p.k,
                                            .transpose_a = p.transpose_a,
                                            .transpose_b = p.transpose_b,
                                            .accumulate = round >= 2,
                                            .a = memory,
                                            .b = memory,
                                            .y = memory,
                                            .copies = graft_opencl_memory(trial->copies)};
    size_t count = 0;
    cl_event event = NULL;
    place(&p, &product, &count);
    fill(trial, &product, count);
    enum graft_status status =
        backend->buffer_write(&device->base, trial->buffer, trial->data, count * sizeof(float));
    if (status != GRAFT_OK)
        return status;
    trial->code = graft_clblast_enqueue(device, &product, &event, &trial->name);
    if (trial->code != CL_SUCCESS)
        return GRAFT_OK;
    status = graft_opencl_enqueued(device, event, trial->name);
    if (status == GRAFT_OK)
        status = backend->buffer_read(&device->base, trial->data, trial->buffer, count * sizeof(float));
    trial->right = status == GRAFT_OK && memcmp(trial->data, trial->wanted, count * sizeof(float)) == 0;
    return status;
}

static enum graft_status open_trial(struct trial *trial)
{
    struct graft_device *const base = &trial->device->base;
    for (int round = 0; round < ROUNDS; round++) {
        const struct graft_product_sizes p = sizes_of(trial->set, round);
        struct graft_clblast_product product = {0};
        size_t count = 0;
        uint64_t asked = 0;
        place(&p, &product, &count);
        trial->buffer_bytes = graft_max_u64(trial->buffer_bytes, count * sizeof(float));
        trial->name = "CLBlastSGemmTempBufferSize";
        trial->code = graft_clblast_ask_copies(trial->device, trial->set, &p, &asked);
        if (trial->code != CL_SUCCESS)
            return GRAFT_OK;
        const uint64_t bytes = graft_clblast_copies(trial->set, &p);
        trial->copies_bytes = graft_max_u64(trial->copies_bytes, bytes);
        trial->known = trial->known && asked <= bytes;
    }
    trial->data = graft_allocate(base->context, 2 * trial->buffer_bytes, 1);
    if (trial->data == NULL)
        return GRAFT_ERROR_MEMORY;
    trial->wanted = trial->data + trial->buffer_bytes / sizeof(float);
    enum graft_status status = graft_buffer_open(base, trial->buffer_bytes, &trial->buffer.buffer);
    if (status == GRAFT_OK && trial->copies_bytes > 0)
        status = graft_buffer_open(base, trial->copies_bytes, &trial->copies.buffer);
    return status;
}

static void close_trial(struct trial *trial)
{
    struct graft_device *const base = &trial->device->base;
    graft_buffer_close(base, &trial->copies.buffer, trial->copies_bytes);
    graft_buffer_close(base, &trial->buffer.buffer, trial->buffer_bytes);
    graft_release(base->context, trial->data);
}

static enum graft_status try_once(struct trial *trial)
{
    trial->known = trial->right = true;
    enum graft_status status = open_trial(trial);
    for (int round = 0; round < ROUNDS && status == GRAFT_OK && trial->code == CL_SUCCESS; round++)
        if (trial->known && trial->right)
            status = run_round(trial, round);
    close_trial(trial);
    return status;
}

enum graft_status graft_clblast_prove(struct graft_opencl_device *device,
                                      const struct graft_opencl_variant *variant, struct graft_variant_info *info)
{
    const int set = graft_clblast_find(variant->name);
    struct graft_opencl_proof *const proof = &device->clblast_proofs[set];
    struct trial trial = {0};
    for (int i = 0; i < TRIES && !proof->done; i++) {
        trial = (struct trial){.device = device, .set = set};
        const enum graft_status status = try_once(&trial);
        if (status != GRAFT_OK)
            return graft_fail_prefix(device->base.context, status, "trying out CLBlast");
        if (trial.code == CL_OUT_OF_HOST_MEMORY || trial.code == CL_MEM_OBJECT_ALLOCATION_FAILURE)
            return graft_opencl_fail(device->base.context, trial.code, trial.name, "trying out CLBlast");
        proof->done = trial.code == CL_SUCCESS;
    }
    if (!proof->done)
        snprintf(proof->fault, sizeof proof->fault, "CLBlast does not run here: %s: %s (%d)", trial.name,
                 graft_opencl_error_name(trial.code), (int)trial.code);
    else if (trial.device != NULL && !trial.known)
        snprintf(proof->fault, sizeof proof->fault,
                 "this version of CLBlast takes more memory for copies than Graft knows of");
    else if (trial.device != NULL && !trial.right)
        snprintf(proof->fault, sizeof proof->fault,
                 "CLBlast computes wrong results here: a product of small integers is not what it should be");
    if (trial.device != NULL && proof->fault[0] != '\0')
        graft_log(device->base.context, GRAFT_LOG_REMARK, "%s: its kernels '%s' are not used: %s",
                  device->base.info.id, variant->name, proof->fault);
    proof->done = true;
    info->reason = proof->fault[0] != '\0' ? proof->fault : NULL;
    return GRAFT_OK;
}
