/* SPDX-License-Identifier: MIT */
/* A tree of quarters, built by sorting points into cells one after the other; without recursion. */
#include "base/context.h"
#include "embed/embed.h"

#include <math.h>

#define DEEPEST 40 /* points that are nearer than 2^-40 of the plane share a cell */

enum graft_status graft_quadtree_open(struct graft_context *context, int64_t points,
                                      struct graft_quadtree *tree)
{
    *tree = (struct graft_quadtree){0};
    tree->leaf = graft_allocate(context, (size_t)points, sizeof *tree->leaf);
    return tree->leaf ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

void graft_quadtree_close(struct graft_context *context, struct graft_quadtree *tree)
{
    graft_release(context, tree->cells);
    graft_release(context, tree->leaf);
    *tree = (struct graft_quadtree){0};
}

/* Four cells without points below `parent`, or the root. */
static bool add_cells(struct graft_context *context, struct graft_quadtree *tree, int32_t count)
{
    if (tree->count + count > tree->capacity) {
        const int32_t more = tree->capacity > 0 ? 2 * tree->capacity : 1024;
        void *const grown =
            graft_reallocate(context, tree->cells, (size_t)tree->capacity, (size_t)more, sizeof *tree->cells);
        if (!grown)
            return false;
        tree->cells = grown;
        tree->capacity = more;
    }
    tree->count += count;
    return true;
}

static int32_t part_of(const struct graft_quadtree_cell *cell, const double *point)
{
    return cell->first + (point[0] >= cell->x) + 2 * (point[1] >= cell->y);
}

static bool split(struct graft_context *context, struct graft_quadtree *tree, int32_t at)
{
    const int32_t first = tree->count;
    if (!add_cells(context, tree, 4))
        return false;
    struct graft_quadtree_cell *const cell = &tree->cells[at];
    cell->first = first;
    for (int32_t q = 0; q < 4; q++)
        tree->cells[first + q] =
            (struct graft_quadtree_cell){.x = cell->x + (q & 1 ? 0.25 : -0.25) * cell->side,
                                         .y = cell->y + (q & 2 ? 0.25 : -0.25) * cell->side,
                                         .side = cell->side / 2,
                                         .first = -1};
    return true;
}

/* Down to a cell that is empty, splitting those that are not. `held`: [cells] the first point of a leaf. */
static bool put(struct graft_context *context, struct graft_quadtree *tree, const double *points, int64_t i)
{
    int32_t at = 0;
    for (int depth = 0;; depth++) {
        struct graft_quadtree_cell *cell = &tree->cells[at];
        const double count = (double)cell->count;
        const bool empty = cell->count == 0;
        const double x = cell->mass_x, y = cell->mass_y; /* of a leaf: its only point */
        cell->mass_x = (x * count + points[2 * i]) / (count + 1);
        cell->mass_y = (y * count + points[2 * i + 1]) / (count + 1);
        cell->count++;
        if (cell->first < 0) {
            if (empty || depth == DEEPEST)
                return true;
            if (!split(context, tree, at))
                return false;
            cell = &tree->cells[at];
            struct graft_quadtree_cell *const below = &tree->cells[part_of(cell, (const double[2]){x, y})];
            below->mass_x = x;
            below->mass_y = y;
            below->count = 1;
        }
        at = part_of(cell, points + 2 * i);
    }
}

enum graft_status graft_quadtree_fill(struct graft_context *context, struct graft_quadtree *tree,
                                      const double *points, int64_t count)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int64_t i = 0; i < 2 * count; i++) {
        low[i % 2] = fmin(low[i % 2], points[i]);
        high[i % 2] = fmax(high[i % 2], points[i]);
    }
    tree->count = 0;
    if (count < 1)
        return GRAFT_OK;
    if (!add_cells(context, tree, 1))
        return GRAFT_ERROR_MEMORY;
    tree->cells[0] = (struct graft_quadtree_cell){.x = (low[0] + high[0]) / 2,
                                                  .y = (low[1] + high[1]) / 2,
                                                  .side = fmax(high[0] - low[0], high[1] - low[1]) * 1.0001,
                                                  .first = -1};
    for (int64_t i = 0; i < count; i++)
        if (!put(context, tree, points, i))
            return GRAFT_ERROR_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        int32_t at = 0;
        while (tree->cells[at].first >= 0)
            at = part_of(&tree->cells[at], points + 2 * i);
        tree->leaf[i] = at;
    }
    return GRAFT_OK;
}

double graft_quadtree_repel(const struct graft_quadtree *tree, const double *points, int64_t i, double theta,
                            double force[2])
{
    int32_t stack[4 * (DEEPEST + 1)];
    int waiting = 0;
    double sum = 0;
    force[0] = force[1] = 0;
    stack[waiting++] = 0;
    while (waiting > 0) {
        const int32_t at = stack[--waiting];
        const struct graft_quadtree_cell *const cell = &tree->cells[at];
        const double count = (double)(cell->count - (at == tree->leaf[i]));
        const double x = points[2 * i] - cell->mass_x, y = points[2 * i + 1] - cell->mass_y;
        const double distance = x * x + y * y;
        if (count <= 0)
            continue;
        if (cell->first >= 0 && !(cell->side * cell->side < theta * theta * distance)) {
            for (int32_t q = 0; q < 4; q++)
                stack[waiting++] = cell->first + q;
            continue;
        }
        const double w = 1 / (1 + distance);
        sum += count * w;
        force[0] += count * w * w * x;
        force[1] += count * w * w * y;
    }
    return sum;
}
