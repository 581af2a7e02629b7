/* SPDX-License-Identifier: MIT */
/* Which pictures are near each other: similarities by matrix products, blocks of queries by blocks of
 * pictures. */
#include "backend/backend.h"
#include "base/context.h"
#include "embed/embed.h"

#include <math.h>
#include <string.h>

#define ROWS 128
#define COLUMNS 1024

struct products {
    struct graft_context *context;
    struct graft_graph *graph;
    struct graft_variables *variables;
    struct graft_plan *plan;
    int a, b, c; /* [ROWS, width], [COLUMNS, width] → [ROWS, COLUMNS] */
    int64_t width;
    float *block, *values; /* a block of inputs, the larger; c */
};

static enum graft_status open_products(struct graft_device *device, int64_t width, struct products *p)
{
    p->context = device->context;
    p->width = width;
    enum graft_status status = graft_graph_open(p->context, GRAFT_DTYPE_F32, &p->graph);
    if (status != GRAFT_OK)
        return status;
    const struct graft_shape rows = graft_shape_of(2, (int64_t)ROWS, width),
                             columns = graft_shape_of(2, (int64_t)COLUMNS, width);
    graft_graph_layer(p->graph, "similarities");
    p->a = graft_graph_input(p->graph, "queries", GRAFT_DTYPE_F32, &rows);
    p->b = graft_graph_input(p->graph, "pictures", GRAFT_DTYPE_F32, &columns);
    p->c = graft_matmul(p->graph, p->a, p->b, -1, false, true);
    graft_graph_output(p->graph, p->c);
    status = graft_graph_status(p->graph);
    if (status == GRAFT_OK)
        status = graft_variables_open(device, &p->variables);
    if (status == GRAFT_OK)
        status = graft_plan_open(p->graph, device, p->variables, NULL, &p->plan);
    if (status != GRAFT_OK)
        return status;
    p->block = graft_allocate(p->context, COLUMNS, (size_t)width * sizeof(float));
    p->values = graft_allocate(p->context, ROWS, COLUMNS * sizeof(float));
    return p->block && p->values ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

static void close_products(struct products *p)
{
    graft_release(p->context, p->block);
    graft_release(p->context, p->values);
    graft_plan_close(&p->plan);
    graft_variables_close(&p->variables);
    graft_graph_close(&p->graph);
}

/* Rows of an input; those behind the last are zeros. */
static enum graft_status write_rows(struct products *p, int value, const float *rows, int64_t count,
                                    int64_t size)
{
    memcpy(p->block, rows, (size_t)(count * p->width) * sizeof(float));
    memset(p->block + count * p->width, 0, (size_t)((size - count) * p->width) * sizeof(float));
    return graft_plan_write(p->plan, value, p->block, (uint64_t)(size * p->width) * sizeof(float));
}

static int64_t at_most(int64_t count, int64_t limit)
{
    return count < limit ? count : limit;
}

enum graft_status graft_embed_products(struct graft_device *device, const struct graft_embedding *e,
                                       const float *queries, int64_t count, graft_products_function *function,
                                       void *user)
{
    struct products p = {0};
    enum graft_status status = open_products(device, e->width, &p);
    for (int64_t row = 0; row < count && status == GRAFT_OK; row += ROWS) {
        const int64_t rows = at_most(count - row, ROWS);
        status = write_rows(&p, p.a, queries + row * e->width, rows, ROWS);
        for (int64_t column = 0; column < e->count && status == GRAFT_OK; column += COLUMNS) {
            const int64_t columns = at_most(e->count - column, COLUMNS);
            status = write_rows(&p, p.b, e->vectors + column * e->width, columns, COLUMNS);
            if (status == GRAFT_OK)
                status = graft_plan_run(p.plan, GRAFT_SEGMENT_COMPUTE);
            if (status == GRAFT_OK)
                status = graft_plan_read(p.plan, p.c, p.values, ROWS * COLUMNS * sizeof(float));
            if (status == GRAFT_OK)
                function(user, p.values, COLUMNS, row, rows, column, columns);
        }
        if (status == GRAFT_OK && graft_context_cancelled(device->context))
            status = graft_fail(device->context, GRAFT_ERROR_CANCELLED, "cancelled");
    }
    if (p.context)
        close_products(&p);
    return status;
}

/* ---- nearest */

struct nearest {
    struct graft_neighbour *neighbours; /* [count, k] */
    int32_t k;
    bool own; /* queries are the embedded pictures */
};

static void take_nearest(void *user, const float *values, int64_t stride, int64_t first_row, int64_t rows,
                         int64_t first_column, int64_t columns)
{
    const struct nearest *const job = user;
    for (int64_t r = 0; r < rows; r++) {
        struct graft_neighbour *const best = job->neighbours + (first_row + r) * job->k;
        for (int64_t c = 0; c < columns; c++) {
            const float similarity = values[r * stride + c];
            int32_t place = job->k;
            if (job->own && first_row + r == first_column + c)
                continue;
            while (place > 0 && (best[place - 1].row < 0 || best[place - 1].similarity < similarity))
                place--;
            if (place == job->k)
                continue;
            memmove(best + place + 1, best + place, (size_t)(job->k - 1 - place) * sizeof *best);
            best[place] = (struct graft_neighbour){first_column + c, similarity};
        }
    }
}

enum graft_status graft_embedding_nearest(struct graft_device *device, const struct graft_embedding *e,
                                          const float *queries, int64_t count, int32_t k,
                                          struct graft_neighbour *neighbours)
{
    struct nearest job = {.neighbours = neighbours, .k = k, .own = queries == NULL};
    if (k < 1)
        return graft_fail(device->context, GRAFT_ERROR_ARGUMENT, "the %d nearest; ask for 1 or more", k);
    const int64_t rows = job.own ? e->count : count;
    for (int64_t i = 0; i < rows * k; i++)
        neighbours[i] = (struct graft_neighbour){.row = -1};
    enum graft_status status =
        graft_embed_products(device, e, job.own ? e->vectors : queries, rows, take_nearest, &job);
    for (int64_t r = 0; r < rows && status == GRAFT_OK && !job.own; r++) {
        double length = 0; /* dividing by it changes no order */
        for (int64_t i = 0; i < e->width; i++)
            length += (double)queries[r * e->width + i] * (double)queries[r * e->width + i];
        for (int32_t i = 0; i < k && length > 0; i++)
            neighbours[r * k + i].similarity =
                (float)((double)neighbours[r * k + i].similarity / sqrt(length));
    }
    return status;
}

/* ---- pairs */

struct pairs {
    const struct graft_embedding *embedding;
    float similarity;
    struct graft_near_pair *pairs; /* [most], the most similar first */
    int64_t most, found;
};

static void take_pairs(void *user, const float *values, int64_t stride, int64_t first_row, int64_t rows,
                       int64_t first_column, int64_t columns)
{
    struct pairs *const job = user;
    const struct graft_embedded *const pictures = job->embedding->pictures;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            const int64_t row = first_row + r, column = first_column + c;
            const float similarity = values[r * stride + c];
            if (!(similarity >= job->similarity) || row >= column ||
                (pictures[row].label == pictures[column].label &&
                 pictures[row].split == pictures[column].split))
                continue;
            int64_t place = at_most(job->found++, job->most);
            while (place > 0 && job->pairs[place - 1].similarity < similarity)
                place--;
            if (place == job->most)
                continue;
            const int64_t behind = at_most(job->found, job->most) - 1 - place;
            memmove(job->pairs + place + 1, job->pairs + place, (size_t)behind * sizeof *job->pairs);
            job->pairs[place] = (struct graft_near_pair){{row, column}, similarity};
        }
}

enum graft_status graft_embedding_near_pairs(struct graft_device *device, const struct graft_embedding *e,
                                             float similarity, int64_t most, struct graft_near_pair *pairs,
                                             int64_t *found)
{
    struct pairs job = {.embedding = e, .similarity = similarity, .pairs = pairs, .most = most};
    const enum graft_status status = graft_embed_products(device, e, e->vectors, e->count, take_pairs, &job);
    *found = job.found;
    return status;
}
