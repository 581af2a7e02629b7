/* SPDX-License-Identifier: MIT */
/* What the tests of ascents and attacks share: a small network on cpu that is sure of what it sees, its weights in a
 * file. */
#ifndef GRAFT_TESTS_SURE_FIXTURE_H
#define GRAFT_TESTS_SURE_FIXTURE_H

#include "graft/graft.h"
#include "support/support.h"

#define SURE_CLASSES 5

struct sure {
    char folder[128], weights[192];
    struct graft_context *context;
    struct graft_device *cpu;
};

static void open_sure(struct sure *f)
{
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    struct graft_tensor_set *set = NULL;
    const struct graft_model_options options = {.classes = SURE_CLASSES};
    test_folder(f->folder, sizeof f->folder);
    snprintf(f->weights, sizeof f->weights, "%s/weights.safetensors", f->folder);
    assert_int_equal(graft_context_open(NULL, &f->context), GRAFT_OK);
    assert_int_equal(graft_device_open(f->context, "cpu", &f->cpu), GRAFT_OK);
    assert_int_equal(graft_model_open(f->context, "tiny_convnet", &options, &model), GRAFT_OK);
    assert_int_equal(graft_variables_open(f->cpu, &variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(model, variables, 11, 0), GRAFT_OK);
    assert_int_equal(graft_tensor_set_open(f->context, &set), GRAFT_OK);
    assert_int_equal(graft_model_store_weights(model, variables, set), GRAFT_OK);
    /* A head that begins is unsure of everything; this one is not. */
    const struct graft_named_tensor *const head = graft_tensor_set_find(set, "fc.weight");
    for (int64_t i = 0; i < graft_shape_count(&head->desc.shape); i++) {
        ((float *)head->data)[i] *= 60;
    }
    assert_int_equal(graft_safetensors_save(f->context, f->weights, set), GRAFT_OK);
    graft_tensor_set_close(&set);
    graft_variables_close(&variables);
    graft_model_close(&model);
}

static void close_sure(struct sure *f)
{
    graft_device_close(&f->cpu);
    graft_context_close(&f->context);
    test_folder_remove(f->folder);
}

#endif
