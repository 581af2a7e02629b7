/* SPDX-License-Identifier: MIT */
/*
 * The library itself. Its parameters belong to the process, for each device: they are set before a call, and
 * a lock keeps the two together, as another thread may use the same device. Programs are kept for each set.
 */
#include "backend/opencl/clblast.h"

#include "backend/opencl/internal.h"

#ifdef GRAFT_HAVE_CLBLAST
#include <clblast_c.h>
#include <pthread.h>

#define GEMM_COUNT 16
#define DIRECT_COUNT 10
#define NEVER (1 << 20) /* its third power is more multiply-adds than a product has */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    cl_device_id device; /* NULL: none yet */
    int set;
} latest; /* setting what is set already would take milliseconds: CLBlast copies its database for it */

static const char *const gemm_names[GEMM_COUNT] = {"GEMMK", "KREG",  "KWG",   "KWI", "MDIMA", "MDIMC",
                                                   "MWG",   "NDIMB", "NDIMC", "NWG", "SA",    "SB",
                                                   "STRM",  "STRN",  "VWM",   "VWN"};
static const char *const direct_names[DIRECT_COUNT] = {"KWID", "MDIMAD", "MDIMCD", "NDIMBD", "NDIMCD",
                                                       "PADA", "PADB",   "VWMD",   "VWND",   "WGD"};
static const char *const switch_names[1] = {"XGEMM_MIN_INDIRECT_SIZE"};

static const size_t gemm_values[][GEMM_COUNT] = {
#define GRAFT_CLBLAST_DIRECT(name, ...)
#define GRAFT_CLBLAST_INDIRECT(name, kwg, kwi, mdima, mdimc, mwg, ndimb, ndimc, nwg, sa, sb, vwm, vwn)       \
    {0, 1, kwg, kwi, mdima, mdimc, mwg, ndimb, ndimc, nwg, sa, sb, 0, 0, vwm, vwn},
#include "backend/opencl/clblast.def"
#undef GRAFT_CLBLAST_DIRECT
#undef GRAFT_CLBLAST_INDIRECT
};
static const size_t direct_values[][DIRECT_COUNT] = {
#define GRAFT_CLBLAST_DIRECT(name, ...) {__VA_ARGS__},
#define GRAFT_CLBLAST_INDIRECT(name, ...)
#include "backend/opencl/clblast.def"
#undef GRAFT_CLBLAST_DIRECT
#undef GRAFT_CLBLAST_INDIRECT
};

static CLBlastStatusCode override(const struct graft_opencl_device *device, const char *kernel,
                                  const char *const *names, const size_t *values, size_t count)
{
    return CLBlastOverrideParameters(device->id, kernel, CLBlastPrecisionSingle, count,
                                     (const char **)(uintptr_t)names, values);
}

/* With the lock held. What a set leaves open (CLBlast compiles both kernels) is as in the first set that says
 * it. */
static CLBlastStatusCode apply(const struct graft_opencl_device *device, int set)
{
    const bool indirect = graft_clblast_sets[set].indirect;
    if (latest.device == device->id && latest.set == set)
        return CLBlastSuccess;
    latest.device = NULL;
    const size_t least = indirect ? 1 : NEVER;
    int number = 0; /* among its kind */
    for (int i = 0; i < set; i++)
        number += graft_clblast_sets[i].indirect == indirect;
    CLBlastStatusCode code =
        override(device, "Xgemm", gemm_names, gemm_values[indirect ? number : 0], GEMM_COUNT);
    if (code == CLBlastSuccess)
        code =
            override(device, "XgemmDirect", direct_names, direct_values[indirect ? 0 : number], DIRECT_COUNT);
    if (code == CLBlastSuccess)
        code = override(device, "GemmRoutine", switch_names, &least, 1);
    if (code == CLBlastSuccess) {
        latest.device = device->id;
        latest.set = set;
    }
    return code;
}

static CLBlastTranspose turned(bool is)
{
    return is ? CLBlastTransposeYes : CLBlastTransposeNo;
}

/* yᵀ = bᵀ aᵀ by columns: a result that consists of whole tiles is not copied then. */
cl_int graft_clblast_enqueue(struct graft_opencl_device *device, const struct graft_clblast_product *p,
                             cl_event *event, const char **name)
{
    *name = "CLBlastOverrideParameters";
    *event = NULL;
    device->clblast = true;
    pthread_mutex_lock(&lock);
    CLBlastStatusCode code = apply(device, p->set);
    if (code == CLBlastSuccess) {
        *name = "CLBlastSgemmWithTempBuffer";
        code = CLBlastSgemmWithTempBuffer(
            CLBlastLayoutColMajor, turned(p->transpose_b), turned(p->transpose_a), (size_t)p->n, (size_t)p->m,
            (size_t)p->k, 1.0f, p->b, (size_t)p->b_at, (size_t)(p->transpose_b ? p->k : p->n), p->a,
            (size_t)p->a_at, (size_t)(p->transpose_a ? p->m : p->k), p->accumulate ? 1.0f : 0.0f, p->y,
            (size_t)p->y_at, (size_t)p->n, &device->queue, event, p->copies);
    }
    pthread_mutex_unlock(&lock);
    /* Some of its kernels may have been queued; a failure later is told by those that wait. */
    return code != CLBlastSuccess ? (cl_int)code : *event == NULL ? CL_INVALID_EVENT : CL_SUCCESS;
}

cl_int graft_clblast_ask_copies(const struct graft_opencl_device *device, int set,
                                const struct graft_product_sizes *p, uint64_t *bytes)
{
    cl_command_queue queue = device->queue;
    size_t size = 0;
    pthread_mutex_lock(&lock);
    CLBlastStatusCode code = apply(device, set);
    if (code == CLBlastSuccess) /* an offset other than 0 is the worst case */
        code = CLBlastSGemmTempBufferSize(
            CLBlastLayoutColMajor, turned(p->transpose_b), turned(p->transpose_a), (size_t)p->n, (size_t)p->m,
            (size_t)p->k, 1, (size_t)(p->transpose_b ? p->k : p->n), 1,
            (size_t)(p->transpose_a ? p->m : p->k), 1, (size_t)p->n, &queue, &size);
    pthread_mutex_unlock(&lock);
    *bytes = size;
    return (cl_int)code;
}

/* Its programs hold on to the context. The cache is of all contexts: others compile theirs once more. */
void graft_opencl_clblast_close(struct graft_opencl_device *device)
{
    pthread_mutex_lock(&lock);
    if (device->clblast)
        (void)CLBlastClearCache();
    pthread_mutex_unlock(&lock);
    device->clblast = false;
}

#else

cl_int graft_clblast_enqueue(struct graft_opencl_device *device, const struct graft_clblast_product *p,
                             cl_event *event, const char **name)
{
    (void)device;
    (void)p;
    *event = NULL;
    *name = "this build is without CLBlast (libclblast-dev)";
    return CL_INVALID_OPERATION;
}

cl_int graft_clblast_ask_copies(const struct graft_opencl_device *device, int set,
                                const struct graft_product_sizes *p, uint64_t *bytes)
{
    (void)device;
    (void)set;
    (void)p;
    *bytes = 0;
    return CL_SUCCESS;
}

void graft_opencl_clblast_close(struct graft_opencl_device *device)
{
    (void)device;
}

#endif
