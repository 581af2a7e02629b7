/* SPDX-License-Identifier: MIT */
/* CLBlast's products as variants: what they need, and how a call becomes some of them. */
#include "backend/opencl/clblast.h"

#include "backend/opencl/internal.h"

#include "base/context.h"
#include "base/size.h"

#include <string.h>

#define FINISH_GROUP 64 /* work-items of a group of matmul_finish */

enum { BIAS = 2, RESIDUAL = 3 }; /* of matmul and conv2d; gradients of convolutions have neither */

int graft_clblast_find(const char *variant)
{
    int set = 0;
    while (strcmp(graft_clblast_sets[set].name, variant) != 0)
        set++;
    return set;
}

static enum graft_unary activation_of(const struct graft_call *call)
{
    return call->op == GRAFT_OP_MATMUL ? call->attributes.matmul.activation
                                       : call->attributes.conv2d.activation;
}

/* What runs where nothing was measured. */
static int usual_set(const struct graft_product_sizes *p)
{
    const double m = (double)p->m, n = (double)p->n, k = (double)p->k;
    const bool indirect = m * n * k >= (double)GRAFT_CLBLAST_INDIRECT_LEAST &&
                          m * n * k >= GRAFT_CLBLAST_INDIRECT_LEAST_EACH * (m * k + k * n + m * n);
    int set = 0;
    while (graft_clblast_sets[set].indirect != indirect)
        set++;
    return set;
}

/* Whether a product is over sooner than the library would save a user in thousands of runs what compiling it
 * takes, a second or more: a network's last layer, for example. */
static bool is_small(const struct graft_product_sizes *p)
{
    const double m = (double)p->m, n = (double)p->n, k = (double)p->k, batches = (double)p->batches;
    return batches * m * n * k < GRAFT_CLBLAST_LEAST_WORK &&
           batches * (m * k + k * n + m * n) < GRAFT_CLBLAST_LEAST_FLOATS;
}

/* A buffer of its own for an operand begins at a multiple of this. A driver that tells nonsense gets what all
 * of them are content with. */
static uint64_t alignment(const struct graft_opencl_device *device)
{
    const uint64_t bytes = device->traits.align_bytes;
    return bytes >= sizeof(float) && bytes <= 65536 && (bytes & (bytes - 1)) == 0 ? bytes : 4096;
}

/* Of a, b and y, each filled up to whole tiles. Sizes are at most 2^30. */
uint64_t graft_clblast_copies(int set, const struct graft_product_sizes *p)
{
    const struct graft_clblast_set *const tile = &graft_clblast_sets[set];
    const double m = (double)(graft_ceil_div(p->m, (int64_t)tile->rows) * tile->rows);
    const double n = (double)(graft_ceil_div(p->n, (int64_t)tile->columns) * tile->columns);
    const double k = (double)(graft_ceil_div(p->k, (int64_t)tile->terms) * tile->terms);
    const double bytes = (m * k + k * n + m * n) * sizeof(float);
    return tile->indirect ? (uint64_t)bytes : 0;
}

static const char *check_device(const struct graft_opencl_device *device, const struct graft_clblast_set *set)
{
    const size_t items = (size_t)(set->items > FINISH_GROUP ? set->items : FINISH_GROUP);
    if (device->traits.max_group < items || device->traits.max_items[0] < items)
        return "the device has no work-groups as large as CLBlast's with these parameters";
    if (device->traits.local_bytes < (uint64_t)set->local_bytes)
        return "the device has less local memory than CLBlast takes with these parameters";
    return NULL;
}

const char *graft_clblast_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                const struct graft_product_sizes *p, struct graft_variant_info *info)
{
    const int set = graft_clblast_find(info->name);
    const char *const reason = check_device(device, &graft_clblast_sets[set]);
    info->spare = info->spare || set != usual_set(p) || is_small(p);
#ifndef GRAFT_HAVE_CLBLAST
    return "this build is without CLBlast (libclblast-dev)";
#endif
    if (reason != NULL)
        return reason;
    if (p->k == 0)
        return "CLBlast has no product without terms";
    if ((call->accumulate & 1u) != 0 && activation_of(call) != GRAFT_UNARY_NONE)
        return "CLBlast cannot add what an activation gives to the output";
    if (p->batches > GRAFT_CLBLAST_MOST_BATCHES)
        return "so many products of a batch are better off in one launch of our own";
    if (!graft_clblast_sets[set].indirect || p->batches * p->m * p->n == 0)
        return NULL;
    const uint64_t bytes = graft_clblast_copies(set, p);
    if (bytes / sizeof(float) + alignment(device) > (uint64_t)device->traits.library_reach)
        return "CLBlast's copies of the factors are too large for its indices; use a smaller batch";
    info->workspace_bytes = bytes + alignment(device);
    return NULL;
}

/* ---- operands inside of buffers ---- */

enum { PART_A, PART_B, PART_Y, PART_COPIES, PARTS };

/* A part of a buffer as a buffer of its own, kept as long as the operand stays where it is. */
struct part {
    cl_mem whole, memory; /* memory: NULL, none is needed */
    uint64_t begin, bytes;
};

struct state {
    int set;
    struct part parts[PARTS];
};

enum graft_status graft_clblast_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct graft_call *const call = &kernel->call;
    struct state *const state = graft_opencl_state(device, kernel, sizeof *state);
    if (state == NULL)
        return GRAFT_ERROR_MEMORY;
    state->set = graft_clblast_find(kernel->variant->name);
    const bool finish = call->in[BIAS].dtype != GRAFT_DTYPE_NONE ||
                        call->in[RESIDUAL].dtype != GRAFT_DTYPE_NONE ||
                        activation_of(call) != GRAFT_UNARY_NONE;
    return finish ? graft_opencl_add(device, kernel, "matmul.cl", "matmul_finish", "%s", "") : GRAFT_OK;
}

static void drop_part(struct part *part)
{
    if (part->memory != NULL)
        clReleaseMemObject(part->memory);
    *part = (struct part){0};
}

void graft_clblast_close(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    struct state *const state = kernel->state;
    (void)device;
    for (int i = 0; state != NULL && i < PARTS; i++)
        drop_part(&state->parts[i]);
}

/* The buffer that begins at `begin`, a multiple of the alignment, in the tensor's. */
static enum graft_status take_part(struct graft_opencl_device *device, struct part *part,
                                   struct graft_tensor tensor, uint64_t begin, uint64_t bytes)
{
    const cl_mem whole = graft_opencl_memory(tensor);
    const cl_buffer_region region = {.origin = (size_t)begin, .size = (size_t)bytes};
    cl_int code = CL_SUCCESS;
    if (part->memory != NULL && part->whole == whole && part->begin == begin && part->bytes == bytes)
        return GRAFT_OK;
    drop_part(part);
    const cl_mem memory = clCreateSubBuffer(whole, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(device->base.context, code, "clCreateSubBuffer", "matmul");
    *part = (struct part){whole, memory, begin, bytes};
    return GRAFT_OK;
}

/* Where CLBlast finds an operand of `floats`: from the beginning of its buffer if its indices reach so far.
 */
static enum graft_status find_operand(struct graft_opencl_device *device, struct part *part,
                                      struct graft_tensor tensor, int64_t floats, cl_mem *memory,
                                      uint64_t *at)
{
    uint64_t begin = 0;
    *memory = graft_opencl_memory(tensor);
    if (tensor.offset / sizeof(float) + (uint64_t)floats > (uint64_t)device->traits.library_reach) {
        begin = tensor.offset - tensor.offset % alignment(device);
        const enum graft_status status =
            take_part(device, part, tensor, begin, tensor.offset - begin + (uint64_t)floats * sizeof(float));
        if (status != GRAFT_OK)
            return status;
        *memory = part->memory;
    }
    *at = (tensor.offset - begin) / sizeof(float);
    return GRAFT_OK;
}

/* CLBlast takes a whole buffer for its copies. */
static enum graft_status find_copies(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                     struct graft_tensor workspace, cl_mem *memory)
{
    struct state *const state = kernel->state;
    struct part *const part = &state->parts[PART_COPIES];
    const uint64_t step = alignment(device), bytes = kernel->info.workspace_bytes;
    if (bytes == 0)
        return GRAFT_OK;
    const enum graft_status status =
        take_part(device, part, workspace, (workspace.offset + step - 1) / step * step, bytes - step);
    *memory = part->memory;
    return status;
}

/* ---- running ---- */

static enum graft_status run_finish(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                    const struct graft_product_sizes *p,
                                    const struct graft_products *operands)
{
    const int64_t count = p->batches * p->m * p->n;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, operands->bias, sizeof(float));
    graft_opencl_arg_tensor(device, &args, operands->residual, sizeof(float));
    graft_opencl_arg_tensor(device, &args, operands->y, sizeof(float));
    graft_opencl_arg_int(&args, count);
    graft_opencl_arg_int(&args, p->n);
    graft_opencl_arg_int(&args, graft_product_flags(operands));
    const struct graft_opencl_range range = {
        .dimensions = 1, .global = {(size_t)count}, .local = {FINISH_GROUP}};
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

/* One product, with the time of all commands that it takes. */
static enum graft_status enqueue(struct graft_opencl_device *device, const struct graft_clblast_product *one,
                                 const char *op)
{
    const char *name = NULL;
    cl_event since = NULL, event = NULL;
    const enum graft_status status = graft_opencl_begin(device, &since);
    if (status != GRAFT_OK)
        return status;
    const cl_int code = graft_clblast_enqueue(device, one, &event, &name);
    if (code == CL_SUCCESS)
        return graft_opencl_enqueued_since(device, since, event, name);
    if (since != NULL)
        clReleaseEvent(since);
    return graft_opencl_fail(device->base.context, code, name, op);
}

enum graft_status graft_clblast_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                    const struct graft_product_sizes *p,
                                    const struct graft_products *operands, struct graft_tensor workspace)
{
    struct state *const state = kernel->state;
    struct part *const parts = state->parts;
    struct graft_clblast_product one = {.set = state->set,
                                        .m = p->m,
                                        .n = p->n,
                                        .k = p->k,
                                        .transpose_a = p->transpose_a,
                                        .transpose_b = p->transpose_b,
                                        .accumulate = operands->accumulate};
    const int64_t b_count = p->shared ? 1 : p->batches;
    if (p->batches * p->m * p->n == 0)
        return GRAFT_OK;
    enum graft_status status =
        find_operand(device, &parts[PART_A], operands->a, p->batches * p->m * p->k, &one.a, &one.a_at);
    if (status == GRAFT_OK)
        status = find_operand(device, &parts[PART_B], operands->b, b_count * p->k * p->n, &one.b, &one.b_at);
    if (status == GRAFT_OK)
        status =
            find_operand(device, &parts[PART_Y], operands->y, p->batches * p->m * p->n, &one.y, &one.y_at);
    if (status == GRAFT_OK)
        status = find_copies(device, kernel, workspace, &one.copies);
    for (int64_t i = 0; i < p->batches && status == GRAFT_OK; i++) {
        status = enqueue(device, &one, graft_op_get(kernel->call.op)->name);
        one.a_at += (uint64_t)(p->m * p->k);
        one.b_at += p->shared ? 0 : (uint64_t)(p->k * p->n);
        one.y_at += (uint64_t)(p->m * p->n);
    }
    return status != GRAFT_OK || kernel->steps == 0 ? status : run_finish(device, kernel, p, operands);
}
