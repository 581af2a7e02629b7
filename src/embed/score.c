/* SPDX-License-Identifier: MIT */
/* How well the classes of an embedding are apart. */
#include "backend/backend.h"
#include "base/context.h"
#include "embed/embed.h"

#include <math.h>

struct classes {
    int32_t count;  /* the largest label and one */
    int64_t *sizes; /* [count] pictures */
    double *sums;   /* [count, width] of their vectors */
};

static void close_classes(struct graft_context *context, struct classes *classes)
{
    graft_release(context, classes->sizes);
    graft_release(context, classes->sums);
}

static enum graft_status open_classes(struct graft_context *context, const struct graft_embedding *e,
                                      struct classes *classes)
{
    *classes = (struct classes){0};
    for (int64_t i = 0; i < e->count; i++)
        if (e->pictures[i].label >= classes->count)
            classes->count = e->pictures[i].label + 1;
    classes->sizes = graft_allocate(context, (size_t)classes->count, sizeof *classes->sizes);
    classes->sums = graft_allocate(context, (size_t)classes->count, (size_t)e->width * sizeof *classes->sums);
    if (!classes->sizes || !classes->sums)
        return GRAFT_ERROR_MEMORY;
    for (int64_t i = 0; i < e->count; i++) {
        const int32_t label = e->pictures[i].label;
        if (label < 0)
            continue;
        classes->sizes[label]++;
        for (int64_t k = 0; k < e->width; k++)
            classes->sums[label * e->width + k] += (double)e->vectors[i * e->width + k];
    }
    return GRAFT_OK;
}

/* The mean cosine distance to a class is 1 − v · Σ of its vectors / their number: no pairs are needed. */
static double silhouette_of(const struct graft_embedding *e, const struct classes *classes, int64_t i)
{
    const int32_t own = e->pictures[i].label;
    const float *const v = e->vectors + i * e->width;
    double a = 0, b = INFINITY;
    if (classes->sizes[own] < 2)
        return 0;
    for (int32_t c = 0; c < classes->count; c++) {
        double product = 0, itself = 0;
        if (classes->sizes[c] == 0)
            continue;
        for (int64_t k = 0; k < e->width; k++) {
            product += (double)v[k] * classes->sums[c * e->width + k];
            itself += (double)v[k] * (double)v[k];
        }
        if (c == own)
            a = 1 - (product - itself) / (double)(classes->sizes[c] - 1);
        else
            b = fmin(b, 1 - product / (double)classes->sizes[c]);
    }
    const double larger = fmax(a, b);
    return larger > 0 ? (b - a) / larger : 0;
}

/* Do the neighbours vote for the picture's own class? */
static bool votes_right(const struct graft_embedding *e, const struct graft_neighbour *neighbours, int32_t k,
                        int32_t own)
{
    int32_t chosen = -1, most = 0;
    for (int32_t i = 0; i < k && neighbours[i].row >= 0; i++) { /* from the nearest on */
        const int32_t label = e->pictures[neighbours[i].row].label;
        int32_t votes = 0;
        for (int32_t j = 0; j < k && neighbours[j].row >= 0; j++)
            votes += e->pictures[neighbours[j].row].label == label;
        if (label >= 0 && votes > most) {
            most = votes;
            chosen = label;
        }
    }
    return chosen == own;
}

enum graft_status graft_embedding_rate(struct graft_device *device, const struct graft_embedding *e,
                                       int32_t k, struct graft_embedding_score *score)
{
    struct graft_context *const context = device->context;
    struct classes classes;
    struct graft_neighbour *neighbours = NULL;
    int64_t rated = 0, right = 0;
    int32_t there = 0;
    double sum = 0;
    *score = (struct graft_embedding_score){NAN, NAN};
    enum graft_status status = open_classes(context, e, &classes);
    for (int32_t c = 0; status == GRAFT_OK && c < classes.count; c++)
        there += classes.sizes[c] > 0;
    if (status == GRAFT_OK && there >= 2) {
        neighbours = graft_allocate(context, (size_t)e->count, (size_t)(k > 0 ? k : 1) * sizeof *neighbours);
        status = neighbours ? graft_embedding_nearest(device, e, NULL, 0, k, neighbours) : GRAFT_ERROR_MEMORY;
    }
    for (int64_t i = 0; status == GRAFT_OK && neighbours && i < e->count; i++) {
        if (e->pictures[i].label < 0)
            continue;
        sum += silhouette_of(e, &classes, i);
        right += votes_right(e, neighbours + i * k, k, e->pictures[i].label);
        rated++;
    }
    if (rated > 0)
        *score = (struct graft_embedding_score){sum / (double)rated, (double)right / (double)rated};
    graft_release(context, neighbours);
    close_classes(context, &classes);
    return status;
}
