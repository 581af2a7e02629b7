/* SPDX-License-Identifier: MIT */
/* Every line of recipe.def: given and not given are told apart, 0 too; and through config.json and back. */
#include "support/support.h"
#include "run/recipe.h"

#include <string.h>

/* A text that each kind takes, and the least of its range. */
static const char *sample(const struct graft_recipe_row *row, char text[64])
{
    switch (row->kind) {
    case GRAFT_RECIPE_INTEGER:
        (void)snprintf(text, 64, "%.0f", row->least);
        return text;
    case GRAFT_RECIPE_SIDES:
        return "192x256";
    case GRAFT_RECIPE_REAL:
        (void)snprintf(text, 64, "%.17g", row->least);
        return text;
    case GRAFT_RECIPE_BYTES:
        return "3M";
    case GRAFT_RECIPE_CHOICE: /* the last of them */
        return strrchr(row->choices, ' ') + 1;
    case GRAFT_RECIPE_FLAG:
        return "false";
    case GRAFT_RECIPE_STAGES:
        return "head:3:0.001,last:5:2:1e-05,all";
    case GRAFT_RECIPE_TEXT:
    case GRAFT_RECIPE_PATH:
        break;
    }
    return "some text";
}

static void every_option_comes_back(void **state)
{
    struct graft_context *const context = *state;
    struct graft_recipe none = {0}, all = {0};
    const struct graft_recipe_row *row;
    char text[64], got[128], again[128];
    int rows = 0;
    graft_recipe_settle(&none);
    for (int r = 0; (row = graft_recipe_row(r)); r++, rows++) {
        assert_false(*graft_recipe_bit(&none, r));
        assert_string_equal(graft_recipe_get(&none, r, got, sizeof got), "");
        assert_int_equal(graft_recipe_set(context, &all, row->name, sample(row, text)), GRAFT_OK);
        assert_true(*graft_recipe_bit(&all, r));
        if (row->kind != GRAFT_RECIPE_BYTES && row->kind != GRAFT_RECIPE_REAL)
            assert_string_equal(graft_recipe_get(&all, r, got, sizeof got), sample(row, text));
        /* What is decided later has no value now; nobody has both. */
        assert_true(row->value == NULL || row->decided == NULL);
    }
    assert_int_equal(rows, GRAFT_RECIPE_ROWS);
    const struct graft_recipe *const both[] = {&none, &all};
    for (int i = 0; i < 2; i++) {
        struct graft_json config = graft_json_object();
        struct graft_recipe back = {0};
        graft_recipe_write(both[i], &config);
        assert_int_equal(json_object_size(config.value), rows);
        assert_false(config.failed);
        assert_int_equal(graft_recipe_read(context, config.value, "config.json", &back), GRAFT_OK);
        for (int r = 0; (row = graft_recipe_row(r)); r++) {
            assert_int_equal(*graft_recipe_bit(&back, r), i);
            assert_string_equal(graft_recipe_get(&back, r, got, sizeof got),
                                graft_recipe_get(both[i], r, again, sizeof again));
        }
        /* The same recipe again is no other run. */
        assert_int_equal(graft_recipe_resume(context, &back, both[i]), GRAFT_OK);
        graft_json_close(&config);
    }
}

/* One number where it is a square, as runs of older versions have it. */
static void sides_are_one_or_two(void **state)
{
    static const struct {
        const char *given, *got;
        int64_t height, width;
    } rows[] = {{"1", "1", 1, 0},
                {"224x224", "224", 224, 0},
                {"1x8192", "1x8192", 1, 8192},
                {"32x8", "32x8", 32, 8}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct graft_recipe recipe = {0}, back = {0}, square = {.input = rows[i].height};
        struct graft_json config = graft_json_object();
        char text[64];
        int r = 0;
        while (strcmp(graft_recipe_row(r)->name, "input") != 0)
            r++;
        assert_int_equal(graft_recipe_set(*state, &recipe, "input", rows[i].given), GRAFT_OK);
        assert_int_equal(recipe.input, rows[i].height);
        assert_int_equal(recipe.input_width, rows[i].width);
        assert_string_equal(graft_recipe_get(&recipe, r, text, sizeof text), rows[i].got);
        graft_recipe_write(&recipe, &config);
        assert_int_equal(json_is_integer(json_object_get(config.value, "input")), rows[i].width == 0);
        assert_int_equal(graft_recipe_read(*state, config.value, "config.json", &back), GRAFT_OK);
        assert_int_equal(back.input, rows[i].height);
        assert_int_equal(back.input_width, rows[i].width);
        graft_recipe_settle(&square);
        assert_int_equal(graft_recipe_resume(*state, &back, &square),
                         rows[i].width == 0 ? GRAFT_OK : GRAFT_ERROR_ARGUMENT);
        graft_json_close(&config);
    }
    const struct graft_recipe wide = {.input = 32, .input_width = 8193};
    assert_int_equal(graft_recipe_check(*state, &wide), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(*state), "--input is a side"));
}

static void defaults_are_values_of_their_rows(void **state)
{
    struct graft_recipe recipe = {.dropout = 0, .given = {.dropout = true}, .model = ""};
    const struct graft_recipe_row *row;
    graft_recipe_settle(&recipe);
    assert_true(recipe.given.dropout && !recipe.given.model && recipe.model == NULL);
    assert_int_equal(graft_recipe_defaults(*state, &recipe), GRAFT_OK);
    for (int r = 0; (row = graft_recipe_row(r)); r++)
        assert_int_equal(*graft_recipe_bit(&recipe, r), row->value != NULL || !strcmp(row->name, "dropout"));
    assert_string_equal(recipe.optimizer, "adam");
    assert_true(recipe.features_limit == 2ull << 30 && recipe.dropout == 0);
    assert_int_equal(graft_recipe_check(*state, &recipe), GRAFT_OK);
}

/* What may change is taken over, and nothing else may differ: not by a 0 either. */
static void resumed_runs_keep_what_is_fixed(void **state)
{
    struct graft_recipe was = {.momentum = 0.9, .batch = 8, .stages = {{"head", 5, 1e-3}}, .stage_count = 1};
    struct graft_recipe given = {.memory_limit = 1 << 20, .batch = 8, .stages = {{"head"}}, .stage_count = 1};
    graft_recipe_settle(&was);
    graft_recipe_settle(&given);
    assert_int_equal(graft_recipe_resume(*state, &was, &given), GRAFT_OK);
    assert_true(was.memory_limit == 1 << 20 && was.stages[0].epochs == 5);
    given.given.momentum = true;
    assert_int_equal(graft_recipe_resume(*state, &was, &given), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(*state), "--momentum is 0.9 in the run"));
    given.given.momentum = false;
    given.stages[0].epochs = 6;
    assert_int_equal(graft_recipe_resume(*state, &was, &given), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(*state), "--stages is head:5:0.001 in the run"));
}

static void what_cannot_be_is_refused(void **state)
{
    static const char *const wrong[][3] = {
        {"batch", "1e300", "--batch"},    {"batch", "65537", "65536"},
        {"batch", "0", "--batch"},        {"dropout", "-1", "--dropout"},
        {"input", "0", "--input"},        {"input", "8193", "192x256"},       {"input", "24x", "24x"},
        {"input", "x24", "x24"},          {"input", "24x0", "24x0"},          {"input", "24x8x8", "24x8x8"},
        {"input", "+24", "+24"},          {"input", "24X32", "24X32"},        {"input", "24x-3", "24x-3"},
        {"dropout", "nan", "--dropout"},  {"memory_limit", "1X", "512M"},
        {"schedule", "cosin", "cosine?"}, {"nesterov", "yes", "--nesterov"},
        {"stages", "last:2:0", "last:2:0"}, {"stages", "head:0", "head:0"},   {"stages", "all,,head", "--stages"},
        {"bach", "3", "batch"},           {"seed", "99999999999999999999", "--seed"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct graft_recipe recipe = {0};
        assert_int_not_equal(graft_recipe_set(*state, &recipe, wrong[i][0], wrong[i][1]), GRAFT_OK);
        if (!strstr(graft_context_error(*state), wrong[i][2]))
            fail_msg("%s: %s", wrong[i][0], graft_context_error(*state));
    }
    const struct graft_recipe many[] = {{.batch = -1},
                                        {.learning_rate = 1e300},
                                        {.schedule = "fast"},
                                        {.stage_count = 9},
                                        {.stages = {{"all", -1}}, .stage_count = 1},
                                        {.stages = {{"all", 1, -1}}, .stage_count = 1},
                                        {.model = "resnet18", .stages = {{"layer9"}}, .stage_count = 1},
                                        {.model = "resnet18", .freeze = "head"},
                                        {.model = "resnet81"},
                                        {.freeze = "layer1", .stages = {{"all"}}, .stage_count = 1}};
    for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
        assert_int_not_equal(graft_recipe_check(*state, &many[i]), GRAFT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_comes_back),
        cmocka_unit_test(sides_are_one_or_two),
        cmocka_unit_test(defaults_are_values_of_their_rows),
        cmocka_unit_test(resumed_runs_keep_what_is_fixed),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, test_open_context, test_close_context);
}
