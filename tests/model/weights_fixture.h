/* SPDX-License-Identifier: MIT */
/* What the tests of weights share: a context with the reference device, models, sets of formula weights. */
#ifndef GRAFT_TESTS_WEIGHTS_FIXTURE_H
#define GRAFT_TESTS_WEIGHTS_FIXTURE_H

#include "graft/weights.h"
#include "model/formula.h"
#include "support/support.h"

static struct graft_context *context;
static struct graft_device *device;

static void ok(enum graft_status status)
{
    if (status)
        fail_msg("%s", graft_context_error(context));
}

static int set_up(void **state)
{
    (void)state;
    if (graft_context_open(NULL, &context))
        return 1;
    const enum graft_status status = graft_device_open(context, "reference", &device);
    if (status)
        print_error("%s\n", graft_context_error(context));
    return status != GRAFT_OK;
}

static int tear_down(void **state)
{
    (void)state;
    graft_device_close(&device);
    graft_context_close(&context);
    return 0;
}

static struct graft_model *open_model(const char *name, struct graft_model_options options)
{
    struct graft_model *model = NULL;
    ok(graft_model_open(context, name, &options, &model));
    return model;
}

/* All tensors of the model in PyTorch's layout, filled by formula; `prefix` before each name. */
static struct graft_tensor_set *formula_set(const struct graft_model *model, const char *prefix)
{
    struct graft_tensor_set *set = NULL;
    ok(graft_tensor_set_open(context, &set));
    for (int i = 0; i < model->parameter_count; ++i) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        const struct graft_desc desc = {GRAFT_DTYPE_F32, p->source_shape};
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s", prefix, p->name);
        ok(graft_tensor_set_add(set, name, &desc, NULL));
        test_formula_tensor(model->info->name, p->name, &p->source_shape,
                            graft_tensor_set_find(set, name)->data);
    }
    return set;
}

static float read_float(struct graft_variables *variables, const char *name, int64_t count, int64_t index)
{
    float *const data = malloc((size_t)count * sizeof *data);
    ok(graft_variables_read(variables, name, data, (uint64_t)count * sizeof *data));
    const float value = data[index];
    free(data);
    return value;
}

#endif
