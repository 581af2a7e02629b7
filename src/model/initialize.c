/* SPDX-License-Identifier: MIT */
/* Initial values. Each parameter has a random stream of its own, so the others' number and order do not
 * matter. */
#include "base/context.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/size.h"
#include "graft/model.h"

#define PIECE 16384 /* elements that a thread draws at a time */

struct drawing {
    const struct graft_model_parameter *parameter;
    uint64_t seed, stream;
    int64_t count;
    bool wide; /* f64 */
    void *data;
};

static void draw_values(struct graft_random *random, const struct graft_model_parameter *parameter,
                        float *values, int64_t count)
{
    const double scale = (double)parameter->scale;
    if (parameter->start == GRAFT_START_NORMAL)
        graft_random_normals(random, scale, values, count);
    for (int64_t i = 0; i < count && parameter->start != GRAFT_START_NORMAL; ++i)
        values[i] = parameter->start == GRAFT_START_UNIFORM
                        ? (float)(scale * (2.0 * (double)graft_random_uniform(random) - 1.0))
                        : parameter->scale;
}

/* Item: a piece, from its own place in the parameter's stream on. */
static void draw(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct drawing *const drawing = argument;
    const int64_t first = item * PIECE, end = graft_min_i64(first + PIECE, drawing->count);
    const int words = drawing->parameter->start == GRAFT_START_NORMAL ? 2 : 1;
    struct graft_random random;
    float values[1024];
    graft_random_start(&random, drawing->seed, drawing->stream);
    graft_random_skip(&random, (uint64_t)first * (uint64_t)words);
    if (!drawing->wide)
        draw_values(&random, drawing->parameter, (float *)drawing->data + first, end - first);
    for (int64_t at = first; at < end && drawing->wide; at += 1024) { /* the same numbers as in f32 */
        const int64_t count = graft_min_i64(1024, end - at);
        draw_values(&random, drawing->parameter, values, count);
        for (int64_t i = 0; i < count; ++i)
            ((double *)drawing->data)[at + i] = (double)values[i];
    }
}

static enum graft_status initialize(const struct graft_model *model,
                                    const struct graft_model_parameter *parameter,
                                    struct graft_variables *variables, uint64_t seed)
{
    struct graft_context *const context = graft_graph_context(model->graph);
    const struct graft_desc *const desc = graft_graph_desc(model->graph, parameter->value);
    struct drawing drawing = {.parameter = parameter,
                              .seed = seed,
                              .stream = graft_hash_text(parameter->name),
                              .count = graft_shape_count(&parameter->shape),
                              .wide = desc->dtype == GRAFT_DTYPE_F64};
    struct graft_pool *const pool = graft_context_pool(context);
    drawing.data =
        pool ? graft_allocate_raw(context, (size_t)drawing.count, graft_dtype_size(desc->dtype)) : NULL;
    if (!drawing.data)
        return GRAFT_ERROR_MEMORY;
    graft_pool_run(pool, graft_ceil_div(drawing.count, PIECE), draw, &drawing);
    const enum graft_status status =
        graft_variables_write(variables, parameter->name, drawing.data, graft_desc_bytes(desc));
    graft_release(context, drawing.data);
    return status;
}

enum graft_status graft_model_initialize(const struct graft_model *model, struct graft_variables *variables,
                                         uint64_t seed, int from_stage)
{
    if (from_stage < 0 || from_stage >= model->stage_count)
        return graft_fail(graft_graph_context(model->graph), GRAFT_ERROR_ARGUMENT,
                          "%s has stages 0..%d, not %d", model->info->name, model->stage_count - 1,
                          from_stage);
    enum graft_status status = graft_variables_add(variables, model->graph);
    for (int i = model->stages[from_stage].first_parameter; !status && i < model->parameter_count; ++i)
        status = initialize(model, &model->parameters[i], variables, seed);
    return status;
}
