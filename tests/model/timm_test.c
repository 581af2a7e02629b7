/* SPDX-License-Identifier: MIT */
/*
 * timm's weights in our networks: names, shapes, logits and gradients as timm has them (timm.def, which
 * timm_golden.py has made), with formula weights under its names. Whose the names are is nowhere said but in
 * the hash of them.
 *
 *     timm_test DEVICE [NETWORK of timm …]      without names: all of timm.def
 */
#include "graft/weights.h"
#include "io/weight_names.h"
#include "model/formula.h"
#include "model/network.h"
#include "support/support.h"

#include <math.h>

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

#define LIMIT 1e-4          /* of the largest logit */
#define LOSS_LIMIT 1e-5     /* of the loss */
#define GRADIENT_LIMIT 1e-3 /* of a gradient's norm */
#define FIRST_LIMIT 1e-2    /* of the size of a typical element, see zoo_test */

enum { FIRST = 8, TENSORS = 2048 };

struct golden {
    const char *network, *timm;
    int64_t side;
    int tensors;
    uint64_t names;
    double largest, root_mean_square, logits[FIRST];
};
#define TIMM_GRADIENTS(...)
#define TIMM_GRADIENT(...)
#define TIMM_FACTS(...)
#define TIMM(network, timm, side, tensors, names, largest, root_mean_square, ...)                            \
    {#network, #timm, side, tensors, names, largest, root_mean_square, {__VA_ARGS__}},
static const struct golden goldens[] = {
#include "model/timm.def"
};
#undef TIMM
#define TIMM(...)

struct step {
    const char *network, *timm;
    int64_t side;
    const char *statistics;
    double loss;
};
#undef TIMM_GRADIENTS
#define TIMM_GRADIENTS(network, timm, side, statistics, loss) {#network, #timm, side, #statistics, loss},
static const struct step steps[] = {
#include "model/timm.def"
};
#undef TIMM_GRADIENTS
#define TIMM_GRADIENTS(...)

struct gradient {
    const char *timm, *parameter;
    double norm, first;
};
#undef TIMM_GRADIENT
#define TIMM_GRADIENT(timm, parameter, norm, first) {#timm, #parameter, norm, first},
static const struct gradient gradients[] = {
#include "model/timm.def"
};
#undef TIMM_GRADIENT
#define TIMM_GRADIENT(...)

struct facts {
    const char *timm;
    int tensors;
    uint64_t names;
    int short_side, crop;
    const char *filter;
    double mean, deviation;
};
#undef TIMM_FACTS
#define TIMM_FACTS(timm, tensors, names, short_side, crop, filter, mean, deviation)                          \
    {#timm, tensors, names, short_side, crop, #filter, mean, deviation},
static const struct facts facts[] = {
#include "model/timm.def"
};

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
        if (p->idle)
            continue;
        if (!convention->rename(model, i, name))
            return false;
        if (ends(name, ".q_bias") &&
            !ends(p->name, ".q_bias")) { /* of queries and of values, in place of all three */
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

/* The convention by which the model's tensors are so many of these names, or NULL. */
static const struct graft_weight_convention *find_tensors(const struct graft_model *model, int tensors,
                                                          uint64_t names, struct tensors *list)
{
    for (size_t i = 0; i < graft_weight_convention_count; ++i) {
        const struct graft_weight_convention *const convention = &graft_weight_conventions[i];
        if (!convention->keras &&
            (!convention->family || strcmp(convention->family, model->info->family) == 0) &&
            list_tensors(model, convention, list) && list->count == tensors && hash_of(list) == names)
            return convention;
    }
    return NULL;
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
    const bool named = find_tensors(model, golden->tensors, golden->names, &list) != NULL;
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

static bool is_wanted(const char *timm)
{
    bool named = wanted_count == 0;
    for (int k = 0; k < wanted_count; ++k)
        named = named || strcmp(wanted[k], timm) == 0;
    return named;
}

static void logits_are_timms(void **state)
{
    int checked = 0, failed = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(goldens); ++i) {
        const bool named = is_wanted(goldens[i].timm);
        checked += named;
        failed += named && !check(&goldens[i]);
    }
    assert_int_equal(failed, 0);
    assert_true(checked > 0 && checked >= wanted_count);
}

/* ---- gradients */

static const struct facts *facts_of(const char *timm)
{
    for (size_t i = 0; i < COUNT(facts); ++i) {
        if (strcmp(facts[i].timm, timm) == 0)
            return &facts[i];
    }
    fail_msg("timm.def has no facts of %s", timm);
    return NULL;
}

/* Of the parameter that the file calls so; NULL: it lists none. */
static const struct gradient *gradient_of(const char *timm, const char *parameter)
{
    for (size_t i = 0; i < COUNT(gradients); ++i) {
        if (strcmp(gradients[i].timm, timm) == 0 && strcmp(gradients[i].parameter, parameter) == 0)
            return &gradients[i];
    }
    return NULL;
}

struct deviations {
    double loss, norm, first;
    int gradients;
};

static void compare_gradients(struct test_network *network, const struct step *step,
                              const struct graft_weight_convention *convention, struct deviations *worst)
{
    for (int i = 0; i < network->count; ++i) {
        char name[GRAFT_WEIGHT_NAME_SIZE];
        assert_true(convention->rename(network->model, network->targets[i], name));
        const struct gradient *const expected = gradient_of(step->timm, name);
        if (!expected)
            continue;
        int64_t count = 0;
        double squares = 0.0;
        double *const own = test_network_read(network, network->gradients[i], &count);
        assert_non_null(own);
        for (int64_t k = 0; k < count; ++k)
            squares += own[k] * own[k];
        const double typical = fabs(expected->first) + expected->norm / sqrt((double)count);
        worst->norm = fmax(worst->norm, fabs(sqrt(squares) - expected->norm) / expected->norm);
        worst->first = fmax(worst->first, fabs(own[0] - expected->first) / typical);
        ++worst->gradients;
        free(own);
    }
}

static bool check_step(const struct step *step)
{
    static struct tensors list;
    const struct facts *const known = facts_of(step->timm);
    struct test_network network = {.training = strcmp(step->statistics, "train") == 0};
    struct deviations worst = {0};
    int64_t count = 0;
    int listed = 0;
    assert_true(test_network_open(&network, context, device, step->network, step->side, GRAFT_DTYPE_F32));
    const struct graft_weight_convention *const convention =
        find_tensors(network.model, known->tensors, known->names, &list);
    assert_non_null(convention);
    struct graft_tensor_set *set = make_set(&list);
    network.weights = set;
    assert_true(test_network_plan(&network) && test_network_run(&network));
    graft_tensor_set_close(&set);
    double *const loss = test_network_read(&network, network.loss, &count);
    assert_non_null(loss);
    worst.loss = fabs(loss[0] - step->loss) / step->loss;
    free(loss);
    compare_gradients(&network, step, convention, &worst);
    test_network_close(&network);
    for (size_t i = 0; i < COUNT(gradients); ++i)
        listed += strcmp(gradients[i].timm, step->timm) == 0;
    const bool good = listed > 0 && worst.gradients == listed && worst.loss <= LOSS_LIMIT &&
                      worst.norm <= GRADIENT_LIMIT && worst.first <= FIRST_LIMIT;
    print_message("%-32s %-5s %s  loss %.1e  %d of %d gradients: norm %.1e, first element %.1e\n", step->timm,
                  step->statistics, good ? "ok  " : "FAIL", worst.loss, worst.gradients, listed, worst.norm,
                  worst.first);
    return good;
}

static void gradients_are_timms(void **state)
{
    int failed = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(steps); ++i)
        failed += is_wanted(steps[i].timm) && !check_step(&steps[i]);
    assert_int_equal(failed, 0);
}

/* ---- facts */

/* Tensors of a network by a name of timm's; and, where the network is timm's, how its pictures are prepared.
 */
static bool check_facts(const struct facts *expected)
{
    static struct tensors list;
    const struct graft_model_info *const info = graft_model_named(expected->timm);
    const struct graft_model_options options = {.classes = 1000};
    struct graft_model *model = NULL;
    if (!info) {
        print_error("%s is no name of a network\n", expected->timm);
        return false;
    }
    ok(graft_model_open(context, expected->timm, &options, &model));
    const bool named = find_tensors(model, expected->tensors, expected->names, &list) != NULL;
    graft_model_close(&model);
    if (!named)
        print_error("%s has not the names and shapes of timm's %s\n", info->name, expected->timm);
    const struct graft_model_preprocess *const p = &info->preprocess;
    const bool alike =
        strcmp(info->source, "timm") != 0 ||
        (p->resize_short_side == expected->short_side && p->crop == expected->crop &&
         strcmp(p->filter, expected->filter) == 0 && fabs((double)p->mean[0] - expected->mean) < 1e-3 &&
         fabs((double)p->std[0] - expected->deviation) < 1e-3);
    if (!alike)
        print_error("pictures of %s are prepared otherwise than timm's\n", info->name);
    return named && alike;
}

static void facts_are_timms(void **state)
{
    int failed = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(facts); ++i)
        failed += is_wanted(facts[i].timm) && !check_facts(&facts[i]);
    assert_int_equal(failed, 0);
}

/* timm.def is made anew where a network of timm's comes. */
static void all_of_timms_networks_are_listed(void **state)
{
    (void)state;
    for (int i = 0; graft_model_at(i); ++i) {
        const struct graft_model_info *const info = graft_model_at(i);
        if (strcmp(info->source, "timm") == 0 &&
            strcmp(info->name, "nasnetamobile") != 0) /* of an earlier timm */
            (void)facts_of(info->name);
    }
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_timms), cmocka_unit_test(gradients_are_timms),
        cmocka_unit_test(facts_are_timms), cmocka_unit_test(all_of_timms_networks_are_listed),
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
