/* SPDX-License-Identifier: MIT */
/* Initial values. Each parameter has a random stream of its own, so the others' number and order do not
 * matter. */
#include "base/context.h"
#include "base/random.h"
#include "graft/model.h"

static double next(struct graft_random *random, const struct graft_model_parameter *parameter)
{
    const double scale = (double)parameter->scale;
    switch (parameter->start) {
    case GRAFT_START_UNIFORM:
        return scale * (2.0 * (double)graft_random_uniform(random) - 1.0);
    case GRAFT_START_NORMAL:
        return scale * graft_random_normal(random);
    case GRAFT_START_CONSTANT:
        break;
    }
    return scale;
}

static enum graft_status initialize(const struct graft_model *model,
                                    const struct graft_model_parameter *parameter,
                                    struct graft_variables *variables, uint64_t seed)
{
    struct graft_context *const context = graft_graph_context(model->graph);
    const struct graft_desc *const desc = graft_graph_desc(model->graph, parameter->value);
    const int64_t count = graft_shape_count(&parameter->shape);
    void *const data = graft_allocate_raw(context, (size_t)count, graft_dtype_size(desc->dtype));
    if (!data)
        return GRAFT_ERROR_MEMORY;
    struct graft_random random;
    graft_random_start(&random, seed, graft_hash_text(parameter->name));
    for (int64_t i = 0; i < count; ++i) {
        const double value = next(&random, parameter);
        if (desc->dtype == GRAFT_DTYPE_F64)
            ((double *)data)[i] = (double)(float)value; /* the same number as in f32 */
        else
            ((float *)data)[i] = (float)value;
    }
    const enum graft_status status =
        graft_variables_write(variables, parameter->name, data, graft_desc_bytes(desc));
    graft_release(context, data);
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
