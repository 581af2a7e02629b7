/* SPDX-License-Identifier: MIT */
/*
 * Principal components by subspace iteration (Halko, Martinsson, Tropp, SIAM Review 2011, section 4.5): the
 * covariance is applied to some directions more than are asked for until their variances stand still. Sums
 * are in f64 and in a fixed order; the work is split over outputs.
 */
#include "base/context.h"
#include "base/pool.h"
#include "base/random.h"
#include "embed/embed.h"

#include <math.h>
#include <string.h>

#define MORE 12    /* directions beyond those that are asked for: the ones asked for stand still sooner */
#define ROUNDS 400 /* of the iteration at most */
#define STILL 1e-13
#define SLICE 32 /* rows or columns that one item of the pool computes */
#define SEED 1   /* of the first directions, which the result does not depend on */

struct pca {
    struct graft_context *context;
    struct graft_pool *pool;
    const float *rows;
    int64_t n, d;
    int32_t m;
    double *mean;      /* [d] */
    double *basis;     /* [d, m], orthonormal columns */
    double *turned;    /* [d, m] */
    double *projected; /* [n, m] centred rows along the basis */
    double *small;     /* [m, m] */
    double *vectors;   /* [m, m] */
};

static void project_slice(void *argument, int64_t item, int thread)
{
    const struct pca *const p = argument;
    (void)thread;
    for (int64_t i = item * SLICE; i < (item + 1) * SLICE && i < p->n; i++) {
        double *const out = p->projected + i * p->m;
        memset(out, 0, (size_t)p->m * sizeof *out);
        for (int64_t k = 0; k < p->d; k++) {
            const double x = (double)p->rows[i * p->d + k] - p->mean[k];
            const double *const b = p->basis + k * p->m;
            for (int32_t c = 0; c < p->m; c++)
                out[c] += x * b[c];
        }
    }
}

static void gather_slice(void *argument, int64_t item, int thread)
{
    const struct pca *const p = argument;
    const int64_t first = item * SLICE, last = first + SLICE < p->d ? first + SLICE : p->d;
    (void)thread;
    memset(p->turned + first * p->m, 0, (size_t)((last - first) * p->m) * sizeof *p->turned);
    for (int64_t i = 0; i < p->n; i++) {
        const double *const z = p->projected + i * p->m;
        for (int64_t k = first; k < last; k++) {
            const double x = (double)p->rows[i * p->d + k] - p->mean[k];
            double *const out = p->turned + k * p->m;
            for (int32_t c = 0; c < p->m; c++)
                out[c] += x * z[c];
        }
    }
}

/* projected = centred rows × basis */
static void project(struct pca *p)
{
    graft_pool_run(p->pool, (p->n + SLICE - 1) / SLICE, project_slice, p);
}

/* Gram and Schmidt, twice; a column that the others already make becomes 0. */
static void orthonormalize(double *columns, int64_t d, int32_t m)
{
    for (int32_t c = 0; c < m; c++) {
        double before = 0;
        for (int64_t k = 0; k < d; k++)
            before += columns[k * m + c] * columns[k * m + c];
        for (int twice = 0; twice < 2; twice++)
            for (int32_t o = 0; o < c; o++) {
                double product = 0;
                for (int64_t k = 0; k < d; k++)
                    product += columns[k * m + c] * columns[k * m + o];
                for (int64_t k = 0; k < d; k++)
                    columns[k * m + c] -= product * columns[k * m + o];
            }
        double length = 0;
        for (int64_t k = 0; k < d; k++)
            length += columns[k * m + c] * columns[k * m + c];
        const double factor = length > 1e-24 * before ? 1 / sqrt(length) : 0;
        for (int64_t k = 0; k < d; k++)
            columns[k * m + c] *= factor;
    }
}

/* Eigenvectors of a symmetric matrix [m, m] by Jacobi's rotations, into the columns of `vectors`; the matrix
 * becomes diagonal. */
static void diagonalize(double *a, double *vectors, int32_t m)
{
    for (int32_t i = 0; i < m; i++)
        for (int32_t j = 0; j < m; j++)
            vectors[i * m + j] = i == j;
    for (int sweep = 0; sweep < 60; sweep++) {
        double off = 0, all = 0;
        for (int32_t i = 0; i < m * m; i++) {
            all += a[i] * a[i];
            off += i / m != i % m ? a[i] * a[i] : 0;
        }
        if (!(off > 1e-30 * all))
            return;
        for (int32_t p = 0; p < m; p++)
            for (int32_t q = p + 1; q < m; q++) {
                if (a[p * m + q] == 0)
                    continue;
                const double theta = (a[q * m + q] - a[p * m + p]) / (2 * a[p * m + q]);
                const double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
                const double c = 1 / sqrt(t * t + 1), s = t * c;
                for (int32_t k = 0; k < m; k++) {
                    const double x = a[k * m + p], y = a[k * m + q];
                    a[k * m + p] = c * x - s * y;
                    a[k * m + q] = s * x + c * y;
                }
                for (int32_t k = 0; k < m; k++) {
                    const double x = a[p * m + k], y = a[q * m + k];
                    a[p * m + k] = c * x - s * y;
                    a[q * m + k] = s * x + c * y;
                }
                for (int32_t k = 0; k < m; k++) {
                    const double x = vectors[k * m + p], y = vectors[k * m + q];
                    vectors[k * m + p] = c * x - s * y;
                    vectors[k * m + q] = s * x + c * y;
                }
            }
    }
}

/* The columns of basis × vectors, of the largest variance first. */
static void turn(struct pca *p, double *variances)
{
    int32_t order[80];
    for (int32_t c = 0; c < p->m; c++) {
        int32_t place = c;
        const double value = p->small[c * p->m + c];
        while (place > 0 && p->small[order[place - 1] * p->m + order[place - 1]] < value) {
            order[place] = order[place - 1];
            place--;
        }
        order[place] = c;
    }
    for (int64_t k = 0; k < p->d; k++)
        for (int32_t c = 0; c < p->m; c++) {
            double sum = 0;
            for (int32_t o = 0; o < p->m; o++)
                sum += p->basis[k * p->m + o] * p->vectors[o * p->m + order[c]];
            p->turned[k * p->m + c] = sum;
        }
    for (int32_t c = 0; c < p->m; c++)
        variances[c] = p->small[order[c] * p->m + order[c]];
    memcpy(p->basis, p->turned, (size_t)(p->d * p->m) * sizeof *p->basis);
}

/* Until the variances of the first `wanted` directions stand still. variances: [m], times n. */
static enum graft_status iterate(struct pca *p, int32_t wanted, double *variances)
{
    double last[80] = {0};
    struct graft_random random;
    graft_random_start(&random, SEED, 0);
    for (int64_t i = 0; i < p->d * p->m; i++)
        p->basis[i] = graft_random_normal(&random);
    orthonormalize(p->basis, p->d, p->m);
    for (int round = 0; round < ROUNDS; round++) {
        bool still = true;
        if (graft_context_cancelled(p->context))
            return graft_fail(p->context, GRAFT_ERROR_CANCELLED, "cancelled");
        project(p);
        memset(p->small, 0, (size_t)p->m * (size_t)p->m * sizeof *p->small);
        for (int64_t i = 0; i < p->n; i++)
            for (int32_t a = 0; a < p->m; a++)
                for (int32_t b = 0; b < p->m; b++)
                    p->small[a * p->m + b] += p->projected[i * p->m + a] * p->projected[i * p->m + b];
        diagonalize(p->small, p->vectors, p->m);
        turn(p, variances);
        for (int32_t c = 0; c < wanted; c++)
            still = still && fabs(variances[c] - last[c]) <= STILL * variances[0];
        if (still)
            break;
        memcpy(last, variances, (size_t)p->m * sizeof *last);
        project(p);
        graft_pool_run(p->pool, (p->d + SLICE - 1) / SLICE, gather_slice, p);
        memcpy(p->basis, p->turned, (size_t)(p->d * p->m) * sizeof *p->basis);
        orthonormalize(p->basis, p->d, p->m);
    }
    return GRAFT_OK;
}

/* The mean, and the variance of all directions together, times n. */
static double center(struct pca *p)
{
    double all = 0;
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t k = 0; k < p->d; k++)
            p->mean[k] += (double)p->rows[i * p->d + k] / (double)p->n;
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t k = 0; k < p->d; k++)
            all += pow((double)p->rows[i * p->d + k] - p->mean[k], 2);
    return all;
}

/* The largest coordinate of each direction is positive. */
static void orient(struct pca *p)
{
    for (int32_t c = 0; c < p->m; c++) {
        double most = 0;
        for (int64_t k = 0; k < p->d; k++)
            most = fabs(p->basis[k * p->m + c]) > fabs(most) ? p->basis[k * p->m + c] : most;
        for (int64_t k = 0; k < p->d && most < 0; k++)
            p->basis[k * p->m + c] = -p->basis[k * p->m + c];
    }
}

static bool allocate(struct pca *p)
{
    const size_t n = (size_t)p->n, d = (size_t)p->d, m = (size_t)p->m, size = sizeof(double);
    p->mean = graft_allocate(p->context, d, size);
    p->basis = graft_allocate(p->context, d * m, size);
    p->turned = graft_allocate(p->context, d * m, size);
    p->projected = graft_allocate(p->context, n * m, size);
    p->small = graft_allocate(p->context, m * m, size);
    p->vectors = graft_allocate(p->context, m * m, size);
    p->pool = graft_context_pool(p->context);
    return p->mean && p->basis && p->turned && p->projected && p->small && p->vectors && p->pool;
}

static void release(struct pca *p)
{
    double *const memory[] = {p->mean, p->basis, p->turned, p->projected, p->small, p->vectors};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        graft_release(p->context, memory[i]);
}

enum graft_status graft_embedding_pca(struct graft_context *context, const struct graft_embedding *e,
                                      int32_t components, double *plane, double *shares)
{
    double variances[80] = {0};
    struct pca p = {.context = context, .rows = e->vectors, .n = e->count, .d = e->width};
    const int64_t rank = e->count < e->width ? e->count : e->width;
    if (components < 1 || components > 64)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%d principal components; use 1 to 64", components);
    memset(plane, 0, (size_t)(e->count * components) * sizeof *plane);
    for (int32_t c = 0; shares && c < components; c++)
        shares[c] = 0;
    if (rank < 1)
        return GRAFT_OK;
    p.m = (int32_t)(rank < components + MORE ? rank : components + MORE);
    const int32_t wanted = components < p.m ? components : p.m;
    enum graft_status status = allocate(&p) ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK) {
        const double all = center(&p);
        status = iterate(&p, wanted, variances);
        for (int32_t c = 0; shares && status == GRAFT_OK && c < wanted; c++)
            shares[c] = all > 0 ? variances[c] / all : 0;
    }
    if (status == GRAFT_OK) {
        orient(&p);
        project(&p);
        for (int64_t i = 0; i < p.n; i++)
            for (int32_t c = 0; c < wanted; c++)
                plane[i * components + c] = p.projected[i * p.m + c];
    }
    release(&p);
    return status;
}
