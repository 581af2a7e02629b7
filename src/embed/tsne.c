/* SPDX-License-Identifier: MIT */
/* t-SNE. Steps, momentum, gains and exaggeration are those of van der Maaten, JMLR 2014; the step's size
 * follows the number of pictures (Belkina et al., Nature Communications 2019). */
#include "backend/backend.h"
#include "base/context.h"
#include "base/pool.h"
#include "base/random.h"
#include "embed/embed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PERPLEXITY 30
#define THETA 0.5
#define STEPS 1000
#define EXAGGERATION 12.0
#define SLICE 64 /* points that one item of the pool moves */

/* Who attracts whom, both ways: rows of columns and values. */
struct attraction {
    int64_t *first; /* [n + 1] */
    int32_t *column;
    double *value;
};

struct tsne {
    struct graft_context *context;
    struct graft_pool *pool;
    int64_t n;
    int32_t k; /* neighbours */
    double theta, exaggeration;
    struct attraction p;
    struct graft_quadtree tree;
    double *at;                    /* [n, 2] */
    double *speed, *gain;          /* [n, 2] */
    double *pull, *push, *weights; /* [n, 2], [n, 2], [n]: Σ w of each point */
};

void graft_tsne_probabilities(const double *distances, int64_t k, double perplexity, double *p)
{
    const double wanted = log(perplexity);
    double beta = 1, low = 0, high = INFINITY, least = INFINITY;
    for (int64_t i = 0; i < k; i++)
        least = fmin(least, distances[i]);
    for (int round = 0; round < 200; round++) {
        double sum = 0, moment = 0;
        for (int64_t i = 0; i < k; i++) {
            p[i] = exp(-beta * (distances[i] - least));
            sum += p[i];
            moment += p[i] * (distances[i] - least);
        }
        const double entropy = log(sum) + beta * moment / sum;
        for (int64_t i = 0; i < k; i++)
            p[i] /= sum;
        if (fabs(entropy - wanted) < 1e-10 || beta > 1e15)
            return;
        if (entropy > wanted)
            low = beta;
        else
            high = beta;
        beta = isfinite(high) ? (low + high) / 2 : 2 * beta;
    }
}

struct entry {
    int32_t row, column;
    double value;
};

static int by_place(const void *a, const void *b)
{
    const struct entry *const x = a, *const y = b;
    return x->row != y->row ? (x->row > y->row) - (x->row < y->row)
                            : (x->column > y->column) - (x->column < y->column);
}

/* p(j | i) and p(i | j), added up and divided by 2 n. */
static enum graft_status attract(struct tsne *t, const struct graft_neighbour *neighbours, double perplexity,
                                 struct entry *entries, double *distances)
{
    const int64_t count = 2 * t->n * t->k;
    for (int64_t i = 0; i < t->n; i++) {
        double *const d = distances, *const p = distances + t->k;
        for (int32_t k = 0; k < t->k; k++) /* of vectors of length 1 */
            d[k] = fmax(2 - 2 * (double)neighbours[i * t->k + k].similarity, 0);
        graft_tsne_probabilities(d, t->k, perplexity, p);
        for (int32_t k = 0; k < t->k; k++) {
            const int32_t j = (int32_t)neighbours[i * t->k + k].row;
            struct entry *const two = entries + 2 * (i * t->k + k);
            two[0] = (struct entry){(int32_t)i, j, p[k] / (2 * (double)t->n)};
            two[1] = (struct entry){j, (int32_t)i, two[0].value};
        }
    }
    qsort(entries, (size_t)count, sizeof *entries, by_place);
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        if (kept > 0 && by_place(&entries[i], &entries[kept - 1]) == 0)
            entries[kept - 1].value += entries[i].value;
        else
            entries[kept++] = entries[i];
    }
    t->p.first = graft_allocate(t->context, (size_t)t->n + 1, sizeof *t->p.first);
    t->p.column = graft_allocate(t->context, (size_t)kept, sizeof *t->p.column);
    t->p.value = graft_allocate(t->context, (size_t)kept, sizeof *t->p.value);
    if (!t->p.first || !t->p.column || !t->p.value)
        return GRAFT_ERROR_MEMORY;
    for (int64_t i = 0; i < kept; i++) {
        t->p.first[entries[i].row + 1] = i + 1;
        t->p.column[i] = entries[i].column;
        t->p.value[i] = entries[i].value;
    }
    return GRAFT_OK;
}

static enum graft_status find_attraction(struct tsne *t, struct graft_device *device,
                                         const struct graft_embedding *e, double perplexity)
{
    const size_t count = (size_t)t->n * (size_t)t->k;
    struct graft_neighbour *const neighbours = graft_allocate(t->context, count, sizeof *neighbours);
    struct entry *const entries = graft_allocate(t->context, 2 * count, sizeof *entries);
    double *const distances = graft_allocate(t->context, 2 * (size_t)t->k, sizeof *distances);
    enum graft_status status = neighbours && entries && distances ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = graft_embedding_nearest(device, e, NULL, 0, t->k, neighbours);
    if (status == GRAFT_OK)
        status = attract(t, neighbours, perplexity, entries, distances);
    graft_release(t->context, neighbours);
    graft_release(t->context, entries);
    graft_release(t->context, distances);
    return status;
}

static void move_slice(void *argument, int64_t item, int thread)
{
    struct tsne *const t = argument;
    (void)thread;
    for (int64_t i = item * SLICE; i < (item + 1) * SLICE && i < t->n; i++) {
        double *const pull = t->pull + 2 * i;
        pull[0] = pull[1] = 0;
        for (int64_t a = t->p.first[i]; a < t->p.first[i + 1]; a++) {
            const double *const other = t->at + 2 * (int64_t)t->p.column[a];
            const double x = t->at[2 * i] - other[0], y = t->at[2 * i + 1] - other[1];
            const double w = t->p.value[a] / (1 + x * x + y * y);
            pull[0] += w * x;
            pull[1] += w * y;
        }
        t->weights[i] = graft_quadtree_repel(&t->tree, t->at, i, t->theta, t->push + 2 * i);
    }
}

/* Forces, and Σ w over all pairs. */
static enum graft_status find_forces(struct tsne *t, double *all)
{
    const enum graft_status status = graft_quadtree_fill(t->context, &t->tree, t->at, t->n);
    *all = 0;
    if (status != GRAFT_OK)
        return status;
    graft_pool_run(t->pool, (t->n + SLICE - 1) / SLICE, move_slice, t);
    for (int64_t i = 0; i < t->n; i++)
        *all += t->weights[i];
    return GRAFT_OK;
}

static enum graft_status step(struct tsne *t, double rate, double momentum)
{
    double all = 0, middle[2] = {0, 0};
    const enum graft_status status = find_forces(t, &all);
    if (status != GRAFT_OK)
        return status;
    for (int64_t i = 0; i < 2 * t->n; i++) {
        const double gradient = 4 * (t->exaggeration * t->pull[i] - t->push[i] / all);
        t->gain[i] = fmax(gradient * t->speed[i] < 0 ? t->gain[i] + 0.2 : t->gain[i] * 0.8, 0.01);
        t->speed[i] = momentum * t->speed[i] - rate * t->gain[i] * gradient;
        t->at[i] += t->speed[i];
        middle[i % 2] += t->at[i] / (double)t->n;
    }
    for (int64_t i = 0; i < 2 * t->n; i++)
        t->at[i] -= middle[i % 2];
    return GRAFT_OK;
}

/* Where it begins: the first two components, small, and a little of the seed. */
static enum graft_status begin(struct tsne *t, const struct graft_embedding *e, uint64_t seed)
{
    struct graft_random random;
    double square = 0;
    const enum graft_status status = graft_embedding_pca(t->context, e, 2, t->at, NULL);
    graft_random_start(&random, seed, 0);
    for (int64_t i = 0; i < t->n; i++)
        square += t->at[2 * i] * t->at[2 * i] / (double)t->n;
    for (int64_t i = 0; i < 2 * t->n; i++) {
        t->at[i] = 1e-4 * (square > 0 ? t->at[i] / sqrt(square) : 0) + 1e-6 * graft_random_normal(&random);
        t->gain[i] = 1;
    }
    return status;
}

static enum graft_status descend(struct tsne *t, const struct graft_tsne_options *options, int32_t steps)
{
    const int32_t early = steps / 4;
    const double rate = fmax((double)t->n / EXAGGERATION / 4, 50);
    enum graft_status status = GRAFT_OK;
    for (int32_t s = 0; s < steps && status == GRAFT_OK; s++) {
        t->exaggeration = s < early ? EXAGGERATION : 1;
        status = step(t, rate, s < early ? 0.5 : 0.8);
        if (options->progress)
            options->progress(options->user, s + 1, steps);
        if (status == GRAFT_OK && graft_context_cancelled(t->context))
            status = graft_fail(t->context, GRAFT_ERROR_CANCELLED, "cancelled");
    }
    return status;
}

/* Σ p log(p / q), q = w / Σ w. */
static enum graft_status find_divergence(struct tsne *t, double *divergence)
{
    double all = 0;
    const enum graft_status status = find_forces(t, &all);
    *divergence = 0;
    for (int64_t i = 0; i < t->n && status == GRAFT_OK; i++)
        for (int64_t a = t->p.first[i]; a < t->p.first[i + 1]; a++) {
            const double *const other = t->at + 2 * (int64_t)t->p.column[a];
            const double x = t->at[2 * i] - other[0], y = t->at[2 * i + 1] - other[1];
            const double p = t->p.value[a];
            if (p > 0)
                *divergence += p * log(p * all * (1 + x * x + y * y));
        }
    return status;
}

static enum graft_status allocate(struct tsne *t)
{
    const size_t n = (size_t)t->n;
    t->speed = graft_allocate(t->context, 2 * n, sizeof *t->speed);
    t->gain = graft_allocate(t->context, 2 * n, sizeof *t->gain);
    t->pull = graft_allocate(t->context, 2 * n, sizeof *t->pull);
    t->push = graft_allocate(t->context, 2 * n, sizeof *t->push);
    t->weights = graft_allocate(t->context, n, sizeof *t->weights);
    t->pool = graft_context_pool(t->context);
    if (!t->speed || !t->gain || !t->pull || !t->push || !t->weights || !t->pool)
        return GRAFT_ERROR_MEMORY;
    return graft_quadtree_open(t->context, t->n, &t->tree);
}

static void release(struct tsne *t)
{
    void *const memory[] = {t->speed,   t->gain,    t->pull,     t->push,
                            t->weights, t->p.first, t->p.column, t->p.value};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        graft_release(t->context, memory[i]);
    graft_quadtree_close(t->context, &t->tree);
}

enum graft_status graft_embedding_tsne(struct graft_device *device, const struct graft_embedding *e,
                                       const struct graft_tsne_options *options, double *plane,
                                       double *divergence)
{
    struct tsne t = {.context = device->context, .n = e->count, .at = plane};
    const int32_t steps = options->steps > 0 ? options->steps : STEPS;
    const double asked = options->perplexity > 0 ? options->perplexity : PERPLEXITY;
    t.theta = options->theta < 0 ? 0 : options->theta > 0 ? options->theta : THETA;
    memset(plane, 0, 2 * (size_t)e->count * sizeof *plane);
    if (divergence)
        *divergence = 0;
    if (e->count < 3) {
        for (int64_t i = 0; i < e->count; i++)
            plane[2 * i] = (double)i;
        return GRAFT_OK;
    }
    const double perplexity = fmax(fmin(asked, (double)(e->count - 1) / 3), 1);
    t.k = (int32_t)fmin(ceil(3 * perplexity), (double)(e->count - 1));
    enum graft_status status = allocate(&t);
    if (status == GRAFT_OK)
        status = find_attraction(&t, device, e, perplexity);
    if (status == GRAFT_OK)
        status = begin(&t, e, options->seed);
    if (status == GRAFT_OK)
        status = descend(&t, options, steps);
    if (status == GRAFT_OK && divergence)
        status = find_divergence(&t, divergence);
    release(&t);
    return status;
}
