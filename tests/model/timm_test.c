/* SPDX-License-Identifier: MIT */
/*
 * timm's weights in our networks: names, shapes and logits as timm has them (timm.def, which timm_golden.py
 * has made), with formula weights under its names. Whose the names are is nowhere said but in the hash of
 * them.
 *
 *     timm_test DEVICE [NETWORK of timm …]      without names: all of timm.def
 */
#include "graft/weights.h"
#include "io/weight_names.h"
#include "model/formula.h"
#include "support/support.h"

#include <math.h>

#define LIMIT 1e-4 /* of the largest logit */

enum { FIRST = 8, TENSORS = 2048 };

struct golden {
    const char *network, *timm;
    int64_t side;
    int tensors;
    uint64_t names;
    double largest, root_mean_square, logits[FIRST];
};
#define TIMM(network, timm, side, tensors, names, largest, root_mean_square, ...)                            \
    {#network, #timm, side, tensors, names, largest, root_mean_square, {__VA_ARGS__}},
static const struct golden goldens[] = {
#include "model/timm.def"
};
#undef TIMM

static struct graft_context *context;
static struct graft_device *device;
static char **wanted;
static int wanted_count;

static void ok(enum graft_status status)
{
    if (status)
        fail_msg("%s", graft_context_error(context));
}

/* ---- names */

struct tensor {
    char name[GRAFT_WEIGHT_NAME_SIZE];
    struct graft_shape shape;
};
struct tensors {
    int count;
    struct tensor tensor[TENSORS];
};

static void add(struct tensors *list, const char *name, struct graft_shape shape, bool vector)
{
    while (vector && shape.rank > 1 && shape.dim[shape.rank - 1] == 1)
        shape.dim[--shape.rank] = 0;
    assert_in_range(list->count, 0, TENSORS - 1);
    (void)snprintf(list->tensor[list->count].name, GRAFT_WEIGHT_NAME_SIZE, "%s", name);
    list->tensor[list->count++].shape = shape;
}

static bool ends(const char *text, const char *end)
{
    const size_t length = strlen(text), part = strlen(end);
    return length >= part && strcmp(text + length - part, end) == 0;
}

/* The tensors of the model by a convention; false where it has no name for one. */
static bool list_tensors(const struct graft_model *model, const struct graft_weight_convention *convention,
                         struct tensors *list)
{
    list->count = 0;
    for (int i = 0; i < model->parameter_count; ++i) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        char name[GRAFT_WEIGHT_NAME_SIZE];
        if (!convention->rename(model, i, name))
            return false;
        if (ends(name, ".q_bias")) { /* of queries and of values, in place of all three */
            const struct graft_shape third = graft_shape_of(1, p->shape.dim[0] / 3);
            add(list, name, third, true);
            name[strlen(name) - strlen("q_bias")] = 'v';
            add(list, name, third, true);
        } else {
            add(list, name, p->source_shape, p->layout == GRAFT_LAYOUT_VECTOR);
        }
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* FNV-1a of the sorted lines "name dimensions", without ones at the end. */
static uint64_t hash_of(const struct tensors *list)
{
    uint64_t h = UINT64_C(14695981039346656037);
    char **const lines = calloc((size_t)list->count, sizeof *lines);
    for (int i = 0; i < list->count; ++i) {
        const struct graft_shape *const s = &list->tensor[i].shape;
        int rank = s->rank;
        while (rank > 1 && s->dim[rank - 1] == 1)
            --rank;
        lines[i] = malloc(GRAFT_WEIGHT_NAME_SIZE + 100);
        int length = sprintf(lines[i], "%s", list->tensor[i].name);
        for (int d = 0; d < rank; ++d)
            length += sprintf(lines[i] + length, " %lld", (long long)s->dim[d]);
        (void)sprintf(lines[i] + length, "\n");
    }
    qsort(lines, (size_t)list->count, sizeof *lines, compare);
    for (int i = 0; i < list->count; ++i) {
        for (const char *c = lines[i]; *c; ++c)
            h = (h ^ (unsigned char)*c) * UINT64_C(1099511628211);
        free(lines[i]);
    }
    free(lines);
    return h;
}

/* Finds the convention that has timm's names. */
static bool find_tensors(const struct golden *golden, const struct graft_model *model, struct tensors *list)
{
    for (size_t i = 0; i < graft_weight_convention_count; ++i) {
        const struct graft_weight_convention *const convention = &graft_weight_conventions[i];
        if (!convention->keras &&
            (!convention->family || strcmp(convention->family, model->info->family) == 0) &&
            list_tensors(model, convention, list) && list->count == golden->tensors &&
            hash_of(list) == golden->names)
            return true;
    }
    return false;
}

/* ---- logits */

static struct graft_tensor_set *make_set(const struct tensors *list)
{
    struct graft_tensor_set *set = NULL;
    ok(graft_tensor_set_open(context, &set));
    for (int i = 0; i < list->count; ++i) {
        const struct tensor *const t = &list->tensor[i];
        const struct graft_desc desc = {GRAFT_DTYPE_F32, t->shape};
        ok(graft_tensor_set_add(set, t->name, &desc, NULL));
        test_formula_tensor("resnet", t->name, &t->shape, graft_tensor_set_find(set, t->name)->data);
    }
    return set;
}

static void run(const struct graft_model *model, const struct graft_tensor_set *set, float *logits)
{
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    struct graft_weights_report report;
    float *const input = malloc((size_t)(2 * 3 * model->height * model->width) * sizeof *input);
    ok(graft_variables_open(device, &variables));
    ok(graft_model_load_weights(model, variables, set, false, &report));
    assert_string_equal(report.unused_names, "");
    ok(graft_plan_open(model->graph, device, variables, NULL, &plan));
    test_formula_input((int)model->height, input);
    ok(graft_plan_write(plan, model->input, input,
                        graft_desc_bytes(graft_graph_desc(model->graph, model->input))));
    ok(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE));
    ok(graft_plan_read(plan, model->logits, logits, (uint64_t)model->classes * sizeof *logits));
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    free(input);
}

static bool check(const struct golden *golden)
{
    static struct tensors list;
    const struct graft_model_options options = {.batch = 1, .height = golden->side, .width = golden->side};
    struct graft_model *model = NULL;
    float logits[1000];
    ok(graft_model_open(context, golden->network, &options, &model));
    assert_int_equal(model->classes, 1000);
    const bool named = find_tensors(golden, model, &list);
    double worst = 0.0, squares = 0.0;
    if (named) {
        struct graft_tensor_set *set = make_set(&list);
        run(model, set, logits);
        graft_tensor_set_close(&set);
        for (int i = 0; i < 1000; ++i)
            squares += (double)logits[i] * (double)logits[i];
        worst = fabs(sqrt(squares / 1000) - golden->root_mean_square);
        for (int i = 0; i < FIRST; ++i)
            worst = fmax(worst, fabs((double)logits[i] - golden->logits[i]));
        worst /= golden->largest;
    }
    graft_model_close(&model);
    const bool good = named && worst <= LIMIT;
    if (!named)
        print_error("%s: no convention gives timm's names of %s\n", golden->network, golden->timm);
    else
        print_message("%-24s %-32s %s %.1e\n", golden->network, golden->timm, good ? "ok  " : "FAIL", worst);
    return good;
}

static void logits_are_timms(void **state)
{
    int checked = 0, failed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; ++i) {
        bool named = wanted_count == 0;
        for (int k = 0; k < wanted_count; ++k)
            named = named || strcmp(wanted[k], goldens[i].timm) == 0;
        checked += named;
        failed += named && !check(&goldens[i]);
    }
    assert_int_equal(failed, 0);
    assert_true(checked > 0 && checked >= wanted_count);
}

/* What is a dense layer here is written as the 1×1 convolution that timm reads. */
static void convolutions_stay_such(void **state)
{
    struct graft_model *model = NULL;
    int found = 0;
    (void)state;
    ok(graft_model_open(context, "mobilenetv3_small_050", NULL, &model));
    for (int i = 0; i < model->parameter_count; ++i) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        const struct graft_shape expected =
            graft_shape_of(4, (int64_t)1024, (int64_t)288, (int64_t)1, (int64_t)1);
        found += strcmp(p->name, "conv_head.weight") == 0 && graft_shape_equal(&p->source_shape, &expected);
    }
    assert_int_equal(found, 1);
    graft_model_close(&model);
}

int main(int argc, char **argv)
{
    if (argc < 2 || graft_context_open(NULL, &context))
        return 2;
    wanted = argv + 2;
    wanted_count = argc - 2;
    const enum graft_status status = graft_device_open(context, argv[1], &device);
    const struct CMUnitTest tests[] = {cmocka_unit_test(logits_are_timms),
                                       cmocka_unit_test(convolutions_stay_such)};
    if (status)
        print_error("%s\n", graft_context_error(context));
    const int result = status == GRAFT_ERROR_NOT_FOUND ? 77
                       : status                        ? 1
                                : cmocka_run_group_tests_name("timm", tests, NULL, NULL);
    graft_device_close(&device);
    graft_context_close(&context);
    return result;
}
