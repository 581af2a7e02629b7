/* SPDX-License-Identifier: MIT */
#include "train/rates.h"

#include "base/context.h"
#include "base/text.h"
#include "model/parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool has_parameters(const struct graft_model_layer *layer)
{
    return layer->parameters > 0 && layer->value >= 0;
}

/* ---- by depth */

/* Of layers before the classifier's stage: a step each, whether they have parameters or not, so that the
 * rates of VGG's features lie where they lie when a script counts its modules. */
static void spread(const struct graft_model *model, const struct graft_recipe_decay *decay, double *factors)
{
    int first;
    if (graft_model_part_find(graft_graph_context(model->graph), model, "classifier", &first) != GRAFT_OK)
        return;
    const int steps = model->stages[model->layers[first].stage].first_layer;
    for (int i = 0; i < model->layer_count; i++)
        factors[i] = i < steps ? (decay->last + (decay->first - decay->last) * i / steps) / decay->first : 1;
}

/* The first part of a layer's name. */
static size_t module_length(const struct graft_model_layer *layer)
{
    return strcspn(layer->name, ".");
}

/* Stages are groups; the modules of a stem too (ResNet's conv1 and bn1). */
static void divide(const struct graft_model *model, double by, double *factors)
{
    const struct graft_model_layer *later = NULL; /* with parameters */
    double factor = 1;
    for (int i = model->layer_count - 1; i >= 0; i--) {
        const struct graft_model_layer *const layer = &model->layers[i];
        if (has_parameters(layer)) {
            const bool stem = strcmp(model->stages[layer->stage].name, "stem") == 0;
            const bool other = later && (module_length(layer) != module_length(later) ||
                                         strncmp(layer->name, later->name, module_length(layer)) != 0);
            if (later && (layer->stage != later->stage || (stem && other)))
                factor /= by;
            later = layer;
        }
        factors[i] = factor;
    }
}

/* ---- by name */

/* What a list says of parts: NAME=NUMBER,... */
struct naming {
    const struct graft_fit_job *job;
    const char *flag;
    double unit;     /* of the numbers in the list */
    double *numbers; /* [layers]: set where a name is right */
    bool *named;     /* [layers] */
};

static enum graft_status name_one(const struct naming *naming, const char *name, double number)
{
    const struct graft_model *const model = naming->job->whole;
    bool *const marked = graft_allocate(naming->job->context, (size_t)model->layer_count, sizeof *marked);
    enum graft_status status =
        marked ? graft_model_part_mark(naming->job->context, model, name, marked) : GRAFT_ERROR_MEMORY;
    for (int i = 0; i < model->layer_count && status == GRAFT_OK; i++) {
        naming->numbers[i] = marked[i] ? number / naming->unit : naming->numbers[i];
        naming->named[i] = naming->named[i] || marked[i];
    }
    graft_release(naming->job->context, marked);
    return status == GRAFT_OK ? status : graft_fail_prefix(naming->job->context, status, "%s", naming->flag);
}

static enum graft_status name_all(const struct naming *naming, const char *list)
{
    struct graft_recipe_part part;
    enum graft_status status = GRAFT_OK;
    for (const char *at = list; status == GRAFT_OK && at && *at;) {
        status = graft_recipe_read_part(naming->job->context, naming->flag, &at, &part);
        if (status == GRAFT_OK)
            status = name_one(naming, part.name, part.number);
    }
    return status;
}

/* ---- together */

static enum graft_status find_factors(const struct graft_fit_job *job, double rate, double *factors,
                                      bool *named)
{
    const struct graft_recipe *const o = &job->options;
    const struct graft_model *const model = job->whole;
    const int head = model->stage_count - 1;
    struct graft_recipe_decay decay = {0};
    enum graft_status status = graft_recipe_read_decay(job->context, o->lr_decay, &decay);
    for (int i = 0; i < model->layer_count; i++)
        factors[i] = model->layers[i].stage == head ? 1 : o->trunk_factor;
    if (status == GRAFT_OK && decay.by > 0)
        divide(model, decay.by, factors);
    else if (status == GRAFT_OK && decay.first > 0)
        spread(model, &decay, factors);
    const struct naming slower = {job, "--lr-factors", 1, factors, named};
    const struct naming rated = {job, "--lr-groups", rate, factors, named};
    if (status == GRAFT_OK)
        status = name_all(&slower, o->stage_factors);
    if (status == GRAFT_OK)
        status = name_all(&rated, o->lr_groups);
    for (int i = 0; i < model->layer_count && o->given.lr_rest; i++)
        if (!named[i] && model->layers[i].stage != head)
            factors[i] = o->lr_rest / rate;
    return status;
}

static bool normalizes(const struct graft_model_layer *layer)
{
    return strstr(layer->op, "norm") != NULL;
}

/* "bias" and "norm" are what weight decay spares by itself; a part's name is for its weights. */
static enum graft_status find_decays(const struct graft_fit_job *job, struct graft_fit_rates *rates,
                                     double *numbers, bool *named)
{
    const struct graft_model *const model = job->whole;
    const struct naming parts = {job, "--decay-factors", 1, numbers, named};
    double bias = 0, norm = 0;
    enum graft_status status = GRAFT_OK;
    for (int i = 0; i < model->layer_count; i++)
        numbers[i] = 1;
    for (const char *at = job->options.decay_factors; status == GRAFT_OK && at && *at;) {
        struct graft_recipe_part part;
        status = graft_recipe_read_part(job->context, parts.flag, &at, &part);
        if (status == GRAFT_OK && strcmp(part.name, "bias") == 0)
            bias = part.number;
        else if (status == GRAFT_OK && strcmp(part.name, "norm") == 0)
            norm = part.number;
        else if (status == GRAFT_OK)
            status = name_one(&parts, part.name, part.number);
    }
    for (int p = 0; p < model->parameter_count; p++) {
        const struct graft_model_parameter *const parameter = &model->parameters[p];
        rates->decays[p] = (float)(parameter->layout != GRAFT_LAYOUT_VECTOR       ? numbers[parameter->layer]
                                   : normalizes(&model->layers[parameter->layer]) ? norm
                                                                                  : bias);
    }
    return status;
}

enum graft_status graft_fit_rates_open(const struct graft_fit_job *job, int stage,
                                       struct graft_fit_rates *rates)
{
    const struct graft_model *const model = job->whole;
    const struct graft_fit_stage *const of = &job->options.stages[stage];
    const size_t layers = (size_t)model->layer_count;
    double *const numbers = graft_allocate(job->context, layers, sizeof *numbers);
    bool *const named = graft_allocate(job->context, layers, sizeof *named);
    *rates = (struct graft_fit_rates){.first = 0};
    rates->factors = graft_allocate(job->context, (size_t)model->parameter_count, sizeof *rates->factors);
    rates->decays = graft_allocate(job->context, (size_t)model->parameter_count, sizeof *rates->decays);
    enum graft_status status =
        numbers && named && rates->factors && rates->decays ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = graft_model_part_find(job->context, model, of->from, &rates->first);
    if (status == GRAFT_OK)
        status = find_factors(job, of->learning_rate, numbers, named);
    for (int p = 0; p < model->parameter_count && status == GRAFT_OK; p++)
        rates->factors[p] = (float)numbers[model->parameters[p].layer];
    if (status == GRAFT_OK)
        status = find_decays(job, rates, numbers, named);
    graft_release(job->context, numbers);
    graft_release(job->context, named);
    if (status != GRAFT_OK)
        graft_fit_rates_close(job, rates);
    return status;
}

void graft_fit_rates_close(const struct graft_fit_job *job, struct graft_fit_rates *rates)
{
    graft_release(job->context, rates->factors);
    graft_release(job->context, rates->decays);
    *rates = (struct graft_fit_rates){.first = 0};
}

void graft_fit_rates_of_part(const struct graft_fit_job *job, const struct graft_fit_rates *rates,
                             const struct graft_model *part, float *factors, float *decays)
{
    const struct graft_model *const whole = job->whole;
    for (int p = 0, w = 0; p < part->parameter_count; p++) {
        while (w + 1 < whole->parameter_count &&
               strcmp(whole->parameters[w].name, part->parameters[p].name) != 0)
            w++; /* the part's are the last of the whole's, in the same order */
        factors[p] = rates->factors[w];
        decays[p] = rates->decays[w];
    }
}

/* ---- the table */

/* The first parameter of a layer that is trained; -1: it has none. */
static int parameter_of(const struct graft_model *model, int layer)
{
    for (int p = 0; p < model->parameter_count; p++)
        if (model->parameters[p].layer == layer && !model->parameters[p].state && !model->parameters[p].idle)
            return p;
    return -1;
}

/* Is there a layer with parameters in `stage` outside of first … last? */
static bool is_whole(const struct graft_model *model, int stage, int first, int last)
{
    const struct graft_model_stage *const s = &model->stages[stage];
    for (int i = s->first_layer; i < s->first_layer + s->layer_count; i++)
        if (has_parameters(&model->layers[i]) && (i < first || i > last))
            return false;
    return true;
}

static void name_line(const struct graft_model *model, int first, int last, struct graft_fit_rate *line)
{
    const int from = model->layers[first].stage, to = model->layers[last].stage;
    const bool stages = is_whole(model, from, first, last) && is_whole(model, to, first, last);
    const char *const begin = stages ? model->stages[from].name : model->layers[first].name;
    const char *const end = stages ? model->stages[to].name : model->layers[last].name;
    (void)snprintf(line->part, sizeof line->part, "%s%s%s", begin, strcmp(begin, end) != 0 ? " to " : "",
                   strcmp(begin, end) != 0 ? end : "");
}

bool graft_fit_rates_next(const struct graft_fit_job *job, int stage, const struct graft_fit_rates *rates,
                          int *next, struct graft_fit_rate *line)
{
    const struct graft_model *const model = job->whole;
    int first = -1, last = -1, of_first = -1;
    *line = (struct graft_fit_rate){.parameters = 0};
    int at = *next > rates->first ? *next : rates->first;
    for (; at < model->layer_count; at++) {
        const int p = has_parameters(&model->layers[at]) ? parameter_of(model, at) : -1;
        if (p < 0)
            continue;
        if (first >= 0 && rates->factors[p] != rates->factors[of_first])
            break;
        of_first = first < 0 ? p : of_first;
        first = first < 0 ? at : first;
        last = at;
        line->parameters += model->layers[at].parameters;
    }
    *next = at;
    if (first < 0)
        return false;
    name_line(model, first, last, line);
    line->rate = job->options.stages[stage].learning_rate * (double)rates->factors[of_first];
    return true;
}

enum graft_status graft_fit_rates_json(const struct graft_fit_job *job, struct graft_json *list)
{
    for (int s = 0; s < job->options.stage_count; s++) {
        struct graft_fit_rates rates;
        struct graft_fit_rate line;
        const enum graft_status status = graft_fit_rates_open(job, s, &rates);
        if (status != GRAFT_OK)
            return status;
        for (int next = 0; graft_fit_rates_next(job, s, &rates, &next, &line);)
            graft_json_append(list,
                              json_pack("{s:i,s:s,s:I,s:f}", "stage", s + 1, "part", line.part, "parameters",
                                        (json_int_t)line.parameters, "learning_rate", line.rate));
        graft_fit_rates_close(job, &rates);
    }
    return GRAFT_OK;
}
