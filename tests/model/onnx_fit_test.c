/* SPDX-License-Identifier: MIT */
/*
 * Training networks of ONNX files: a new head in place of the layer that makes the classes, the graph that a
 * run keeps, gradients of whatever the exporters write, in ../shared/weights/onnx.
 *
 *     onnx_fit_test [FILE …]      names within the folder; without: all
 */
#include "model/onnx_fixture.h"

#include <dirent.h>
#include <limits.h>

static int name_count;
static char **names;

/* The weights of a copy: numbers that tell a place from another, whatever the file says of them. */
static void write_weights(const char *path)
{
    float block[4096];
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 4096; i++)
        block[i] = 0.01f + 0.0001f * (float)i;
    for (int i = 0; i < 22000; i++) /* ViT's 346 MB */
        assert_int_equal(fwrite(block, sizeof block, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

/* Everything that a product or a convolution multiplies by is learnt, but for tables that the exporter made.
 */
static void check_trunk(const struct graft_model *model)
{
    int64_t learnt = 0, all = 0;
    for (int i = 0; i < model->parameter_count; i++) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        all += graft_shape_count(&p->shape);
        learnt += p->trainable ? graft_shape_count(&p->shape) : 0;
    }
    assert_true((double)learnt > 0.9 * (double)all);
}

/* Two parts that are cut at a stage are the whole. */
static void check_cut(const struct graft_network *network, const struct graft_model *model, int stage)
{
    const char *const cut = model->stages[stage].name;
    struct graft_model *before = open_model(network, GRAFT_MODEL_BEFORE, cut, 5);
    struct graft_model *after = open_model(network, GRAFT_MODEL_FROM, cut, 5);
    assert_true(before->features >= 0 && after->logits >= 0);
    assert_int_equal(before->parameter_count + after->parameter_count, model->parameter_count);
    assert_int_equal(before->parameter_count, model->stages[stage].first_parameter);
    assert_true(strlen(cut) > 0 && !strpbrk(cut, ",:= "));
    for (int s = 0; s < stage; s++)
        assert_string_not_equal(model->stages[s].name, cut);
    if (stage > 0)
        printf("%s%s", stage > 1 ? ", " : "    ", cut);
    graft_model_close(&before);
    graft_model_close(&after);
}

static void check_file(const char *name)
{
    struct graft_network_source file = {0}, kept = {0};
    struct graft_tensor_set *set = NULL;
    struct graft_text graph = {0}, again = {0};
    struct graft_variables *variables = NULL;
    struct graft_trainer *trainer = NULL;
    char digest[GRAFT_DIGEST_TEXT], other[GRAFT_DIGEST_TEXT];
    const struct graft_trainer_options options = {.optimizer = GRAFT_ADAMW, .plan = {.deferred = true}};
    const char *const path = scratch_path("network.onnx");
    ok(graft_network_source_open(context, scratch_path(name), &file, &set));
    graft_tensor_set_close(&set); /* what the network needs of it, it has */
    ok(graft_network_source_graph(context, &file, &graph, digest));
    write_file(path, graph.data, graph.length);
    ok(graft_network_source_open_graph(context, path, digest, &kept));
    ok(graft_network_source_graph(context, &kept, &again, other));
    assert_string_equal(digest, other); /* a run that goes on from a run has the same graph */
    assert_true(graph.length < 2u << 20);

    struct graft_model *const model = open_model(file.network, GRAFT_MODEL_WHOLE, NULL, 5);
    struct graft_model *same = open_model(kept.network, GRAFT_MODEL_WHOLE, NULL, 5);
    assert_same_parameters(model, same);
    assert_same_graphs(model->graph, same->graph);
    check_head(model, 5);
    check_trunk(model);
    graft_model_close(&same);

    for (int s = 0; s < model->stage_count; s++)
        check_cut(kept.network, model, s);

    ok(graft_variables_open(device, &variables));
    ok(graft_trainer_open(device, model, variables, &options, &trainer)); /* there are gradients */
    graft_trainer_close(&trainer);
    graft_variables_close(&variables);
    struct graft_model *done = model;
    graft_model_close(&done);
    graft_network_source_close(&file);
    graft_network_source_close(&kept);
    graft_text_close(context, &graph);
    graft_text_close(context, &again);
    (void)unlink(path);
}

static bool is_wanted(const char *name)
{
    for (int i = 0; i < name_count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return name_count == 0 && strcmp(name, "tensors.onnx") != 0; /* tensors alone */
}

static void networks_of_every_exporter_can_be_trained(void **state)
{
    char folder[PATH_MAX], from[PATH_MAX + 512], data[512], weights[512];
    int checked = 0;
    (void)state;
    if (!test_data("weights/onnx", from, sizeof from) || !realpath(from, folder)) {
        skip();
        return;
    }
    DIR *const listing = opendir(folder);
    (void)snprintf(weights, sizeof weights, "%s/weights", scratch);
    write_weights(weights);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (!graft_text_ends(entry->d_name, ".onnx") || !is_wanted(entry->d_name))
            continue;
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", scratch, entry->d_name);
        (void)snprintf(from, sizeof from, "%s/%s", folder, entry->d_name);
        (void)snprintf(data, sizeof data, "%.500s.data", path);
        assert_int_equal(symlink(from, path), 0);
        assert_int_equal(link(weights, data), 0);
        printf("%s\n", entry->d_name);
        (void)fflush(stdout);
        check_file(entry->d_name);
        printf("\n");
        (void)unlink(path);
        (void)unlink(data);
        checked++;
    }
    closedir(listing);
    (void)unlink(weights);
    assert_true(checked > 0);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_of_every_exporter_can_be_trained),
    };
    name_count = count - 1;
    names = arguments + 1;
    return cmocka_run_group_tests_name("onnx fit", tests, set_up, tear_down);
}
