/* SPDX-License-Identifier: MIT */
/*
 * Resizing and its gradient: vectors along channels, an item is a row of pixels of the result. What is read
 * with which weight along a row is the same for all rows: a table in the workspace.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"
#include "backend/cpu/resizing.h"

/* ---- forward */

/* An output's two elements along an axis, and their weights. */
struct pair {
    int32_t at, next;
    float near, far;
};

struct forward {
    const struct graft_cpu_args *args;
    const struct pair *columns;
};

static struct pair pair_of(const struct graft_resize_attributes *a, int64_t in, int64_t i, int axis)
{
    const struct resize_place place = resize_place_of(a, (int32_t)in, a->size[axis], (int32_t)i);
    return (struct pair){place.at, place.next, (float)(place.whole - place.part) / (float)place.whole,
                         (float)place.part / (float)place.whole};
}

FAST_INLINE void mean(float *y, const float *const corner[4], const vec weight[4], int count)
{
    const vec above =
        weight[0] * vec_load_count(corner[0], count) + weight[1] * vec_load_count(corner[1], count);
    const vec below =
        weight[0] * vec_load_count(corner[2], count) + weight[1] * vec_load_count(corner[3], count);
    vec_store_count(y, weight[2] * above + weight[3] * below, count);
}

static void item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct forward *const forward = argument;
    const struct graft_call *const call = forward->args->call;
    const struct graft_shape *const x = &call->in[0].shape;
    const struct graft_shape *const shape = &call->out[0].shape;
    const bool nearest = call->attributes.resize.mode == GRAFT_RESIZE_NEAREST;
    const int64_t channels = x->dim[3], row = x->dim[2] * channels;
    const struct pair rows = pair_of(&call->attributes.resize, x->dim[1], item % shape->dim[1], 0);
    const float *const image = (const float *)forward->args->in[0] + item / shape->dim[1] * x->dim[1] * row;
    float *y = (float *)forward->args->out[0] + item * shape->dim[2] * channels;
    for (int64_t w = 0; w < shape->dim[2]; w++, y += channels) {
        const struct pair *const columns = &forward->columns[w];
        const float *corner[4] = {image + rows.at * row + columns->at * channels,
                                  image + rows.at * row + columns->next * channels,
                                  image + rows.next * row + columns->at * channels,
                                  image + rows.next * row + columns->next * channels};
        if (nearest) {
            memcpy(y, corner[0], (size_t)channels * sizeof(float));
            continue;
        }
        const vec weight[4] = {vec_set(columns->near), vec_set(columns->far), vec_set(rows.near),
                               vec_set(rows.far)};
        int64_t c = 0;
        for (; c + FAST_WIDTH <= channels; c += FAST_WIDTH) {
            mean(y + c, corner, weight, FAST_WIDTH);
            for (int i = 0; i < 4; i++)
                corner[i] += FAST_WIDTH;
        }
        if (c < channels)
            mean(y + c, corner, weight, (int)(channels - c));
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = (uint64_t)call->out[0].shape.dim[2] * sizeof(struct pair);
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_shape *const y = &args->call->out[0].shape;
    struct pair *const columns = args->workspace;
    for (int64_t w = 0; w < y->dim[2]; w++)
        columns[w] = pair_of(&args->call->attributes.resize, args->call->in[0].shape.dim[2], w, 1);
    struct forward forward = {args, columns};
    graft_pool_run(args->pool, y->dim[0] * y->dim[1], item, &forward);
}

/* ---- gradient */

#define GATHERED 4 /* vectors of dx at once */

struct reader {
    int32_t output;
    float weight;
};

/* Who reads the elements along an axis: element i is read by list[begin[i]] to list[begin[i + 1] − 1], in the
 * order of outputs. */
struct readers {
    struct reader *list; /* 2 an output */
    int32_t *begin;      /* elements + 2 */
};

struct backward {
    const struct graft_cpu_args *args;
    struct readers axis[2];
};

static uint64_t place_readers(const struct graft_call *call, void *workspace, struct backward *backward)
{
    uint64_t used = 0;
    for (int axis = 0; axis < 2; axis++) {
        const uint64_t out = (uint64_t)call->in[0].shape.dim[1 + axis];
        const uint64_t in = (uint64_t)call->out[0].shape.dim[1 + axis];
        const uint64_t list = fast_take(&used, 2 * out * sizeof(struct reader));
        const uint64_t begin = fast_take(&used, (in + 2) * sizeof(int32_t));
        if (workspace)
            backward->axis[axis] = (struct readers){(struct reader *)((char *)workspace + list),
                                                    (int32_t *)(void *)((char *)workspace + begin)};
    }
    return used;
}

/* Counts, then fills: begin[i + 2] counts the readers of i, later begin[i + 1] is where its next one goes. */
static void find_readers(const struct graft_call *call, int axis, const struct readers *readers)
{
    const struct graft_resize_attributes *const a = &call->attributes.resize;
    const int32_t in = a->size[axis], out = (int32_t)call->in[0].shape.dim[1 + axis];
    memset(readers->begin, 0, ((size_t)in + 2) * sizeof(int32_t));
    for (int32_t i = 0; i < out; i++) {
        const struct resize_place place = resize_place_of(a, in, out, i);
        readers->begin[place.at + 2]++;
        if (place.next != place.at && place.part > 0)
            readers->begin[place.next + 2]++;
    }
    for (int32_t i = 1; i <= in; i++)
        readers->begin[i + 1] += readers->begin[i];
    for (int32_t i = 0; i < out; i++) {
        const struct resize_place place = resize_place_of(a, in, out, i);
        const bool two = place.next != place.at && place.part > 0;
        const float near = two ? (float)(place.whole - place.part) / (float)place.whole : 1;
        readers->list[readers->begin[place.at + 1]++] = (struct reader){i, near};
        if (two)
            readers->list[readers->begin[place.next + 1]++] =
                (struct reader){i, (float)place.part / (float)place.whole};
    }
}

/* `vectors` side by side, of `lanes` floats each. */
FAST_INLINE void gather(float *dx, const float *dy, const struct reader *const list[2], const int count[2],
                        int64_t row, int64_t pixel, const int vectors, int lanes, bool accumulate)
{
    vec total[GATHERED] = {{0}};
    for (int i = 0; i < count[0]; i++) {
        const float *const from = dy + list[0][i].output * row;
        vec sum[GATHERED] = {{0}};
        for (int j = 0; j < count[1]; j++)
            for (int v = 0; v < vectors; v++)
                sum[v] += vec_set(list[1][j].weight) *
                          vec_load_count(from + list[1][j].output * pixel + v * FAST_WIDTH, lanes);
        for (int v = 0; v < vectors; v++)
            total[v] += vec_set(list[0][i].weight) * sum[v];
    }
    for (int v = 0; v < vectors; v++) {
        float *const to = dx + v * FAST_WIDTH;
        vec_store_count(to, accumulate ? vec_load_count(to, lanes) + total[v] : total[v], lanes);
    }
}

static void grad_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct backward *const backward = argument;
    const struct graft_call *const call = backward->args->call;
    const struct graft_shape *const y = &call->in[0].shape;
    const struct graft_shape *const x = &call->out[0].shape;
    const int64_t channels = x->dim[3], row = y->dim[2] * channels;
    const bool accumulate = fast_accumulates(call, 0);
    const float *const dy = (const float *)backward->args->in[0] + item / x->dim[1] * y->dim[1] * row;
    float *dx = (float *)backward->args->out[0] + item * x->dim[2] * channels;
    const struct reader *list[2];
    int count[2];
    for (int64_t w = 0; w < x->dim[2]; w++, dx += channels) {
        for (int axis = 0; axis < 2; axis++) {
            const struct readers *const readers = &backward->axis[axis];
            const int64_t at = axis == 0 ? item % x->dim[1] : w;
            list[axis] = readers->list + readers->begin[at];
            count[axis] = readers->begin[at + 1] - readers->begin[at];
        }
        int64_t c = 0;
        for (; c + GATHERED * FAST_WIDTH <= channels; c += GATHERED * FAST_WIDTH)
            gather(dx + c, dy + c, list, count, row, channels, GATHERED, FAST_WIDTH, accumulate);
        for (; c + FAST_WIDTH <= channels; c += FAST_WIDTH)
            gather(dx + c, dy + c, list, count, row, channels, 1, FAST_WIDTH, accumulate);
        if (c < channels)
            gather(dx + c, dy + c, list, count, row, channels, 1, (int)(channels - c), accumulate);
    }
}

static const char *check_grad(const struct graft_cpu_device *device, const struct graft_call *call,
                              struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = place_readers(call, NULL, NULL);
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

static void run_grad(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_shape *const x = &args->call->out[0].shape;
    struct backward backward = {.args = args};
    place_readers(args->call, args->workspace, &backward);
    for (int axis = 0; axis < 2; axis++)
        find_readers(args->call, axis, &backward.axis[axis]);
    graft_pool_run(args->pool, x->dim[0] * x->dim[1], grad_item, &backward);
}

const struct graft_cpu_variant FAST(resize_vector) = {"vector", check, NULL, run};
const struct graft_cpu_variant FAST(resize_grad_vector) = {"vector", check_grad, NULL, run_grad};
