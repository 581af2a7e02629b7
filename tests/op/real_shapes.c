/* SPDX-License-Identifier: MIT */
/* The calls that networks make: taken from their plans, so that there is no second list of shapes. */
#include "product.h"
#include "real.h"

#include "base/random.h"
#include "graft/model.h"
#include "graft/train.h"
#include "graph/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t batches[] = {1, 32};

static void append_shape(char *name, size_t size, const struct graft_shape *shape)
{
    for (int d = 0; d < shape->rank; d++) {
        const size_t used = strlen(name);
        snprintf(name + used, size - used, "%s%" PRId64, d > 0 ? "x" : used > 0 ? "_" : "", shape->dim[d]);
    }
}

void graft_real_append_flags(const struct graft_call *call, char text[GRAFT_REAL_TEXT])
{
    const size_t used = strlen(text);
    uint32_t absent = 0;
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        absent |= (uint32_t)(call->out[i].dtype == GRAFT_DTYPE_NONE) << i;
    }
    snprintf(text + used, GRAFT_REAL_TEXT - used, " %x %x %x", call->constant, call->accumulate, absent);
}

/* Out of all that decides how the call is computed, as text. */
static void name_call(struct graft_real *real)
{
    const struct graft_call *const call = &real->call;
    char *const name = real->name;
    const size_t size = sizeof real->name;
    char text[GRAFT_REAL_TEXT];
    graft_call_format(call, text, GRAFT_CALL_TEXT);
    real->kind = graft_real_kind(call, text);
    graft_real_append_flags(call, text);
    const size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, " %d", (int)real->place);
    name[0] = '\0';
    for (int i = 0, named = 0; i < call->n_inputs && named < 2; i++) {
        if (call->in[i].dtype != GRAFT_DTYPE_NONE) {
            append_shape(name, size, &call->in[i].shape);
            named++;
        }
    }
    const size_t end = strlen(name);
    snprintf(name + end, size - end, "%s%08x", end > 0 ? "_" : "", (uint32_t)graft_hash_text(text));
}

/* Where the item is, or would be. */
static uint32_t find_place(const struct graft_reals *reals, const struct graft_real *real)
{
    uint32_t place = (uint32_t)graft_hash_text(real->name) ^ (uint32_t)real->call.op * 0x9E3779B9u;
    for (;; place++) {
        place &= reals->place_count - 1;
        const struct graft_real *const other =
            reals->places[place] > 0 ? &reals->items[reals->places[place] - 1] : NULL;
        if (other == NULL || (other->call.op == real->call.op && strcmp(other->name, real->name) == 0)) {
            return place;
        }
    }
}

/* Room for one more item. */
static bool grow(struct graft_reals *reals)
{
    if (2 * ((uint32_t)reals->count + 1) < reals->place_count) {
        return true;
    }
    const uint32_t wanted = reals->place_count > 0 ? 2 * reals->place_count : 1024;
    struct graft_real *const items = realloc(reals->items, wanted / 2 * sizeof *items);
    if (items == NULL) {
        return false;
    }
    reals->items = items;
    int *const places = calloc(wanted, sizeof *places);
    if (places == NULL) {
        return false;
    }
    uint64_t *const calls = calloc(wanted, sizeof *calls); /* what it forgets is formatted once more */
    if (calls == NULL) {
        free(places);
        return false;
    }
    free(reals->places);
    free(reals->calls);
    reals->places = places;
    reals->calls = calls;
    reals->place_count = wanted;
    for (int i = 0; i < reals->count; i++) {
        places[find_place(reals, &items[i])] = i + 1;
    }
    return true;
}

/* Products are exact with relu and relu6 of sums with a bias. Other activations and sums have cases of small sizes: of
 * them the product alone is taken. */
static void plain_activation(struct graft_call *call)
{
    const enum graft_unary activation = graft_op_activation(call);
    const bool bias = call->n_inputs > 2 && call->in[2].dtype != GRAFT_DTYPE_NONE;
    const bool known = activation == GRAFT_UNARY_RELU || activation == GRAFT_UNARY_RELU6;
    if (graft_product_is(call->op) && activation != GRAFT_UNARY_NONE && !(known && bias)) {
        graft_op_set_activation(call, GRAFT_UNARY_NONE);
    }
}

/* Whether the same call was added before, by its bytes. A call that is not recognized because of bytes
 * between its members is found by its text. */
static bool is_known(struct graft_reals *reals, const struct graft_call *call, enum graft_real_place place)
{
    const unsigned char *const bytes = (const unsigned char *)call;
    uint64_t hash = (uint64_t)place;
    _Static_assert(sizeof *call % sizeof hash == 0, "words");
    for (size_t at = 0; at < sizeof *call; at += sizeof hash) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    hash |= 1u;
    uint64_t *const own = &reals->calls[hash >> 32 & (reals->place_count - 1)];
    const bool known = *own == hash;
    *own = hash;
    return known;
}

bool graft_reals_add(struct graft_reals *reals, const struct graft_call *call, enum graft_real_place place,
                     bool edge)
{
    if (!grow(reals)) {
        return false;
    }
    if (is_known(reals, call, place)) {
        return true;
    }
    struct graft_real real = {.call = *call, .place = place, .edge = edge};
    plain_activation(&real.call);
    name_call(&real);
    int *const own = &reals->places[find_place(reals, &real)];
    if (*own == 0) {
        real.cost = graft_real_cost(&real.call);
        reals->items[reals->count++] = real;
        *own = reals->count;
    }
    return true;
}

static bool add_plan(struct graft_reals *reals, const struct graft_plan *plan)
{
    for (int s = 0; s < plan->n_steps; s++) {
        const struct graft_node *const node = plan->steps[s].node;
        if (!graft_memory_is_alias(plan->graph, node) &&
            !graft_reals_add(reals, &node->call, GRAFT_REAL_NEAR, false)) {
            return false;
        }
    }
    return true;
}

/* One network, planned without memory. */
static bool add_network(struct graft_reals *reals, struct graft_device *device,
                        struct graft_variables *variables, const char *name, int64_t batch, bool training)
{
    const struct graft_model_options options = {
        .batch = batch, .input_u8 = true, .training = training, .bn = GRAFT_BATCH_NORM_TRAIN};
    const struct graft_plan_options plan_options = {.whole_batch = true, .deferred = true};
    const struct graft_trainer_options trainer_options = {.optimizer = GRAFT_ADAM, .plan = plan_options};
    struct graft_model *model = NULL;
    struct graft_trainer *trainer = NULL;
    struct graft_plan *plan = NULL;
    enum graft_status status = graft_model_open(device->context, name, &options, &model);
    if (status == GRAFT_OK && training) {
        status = graft_trainer_open(device, model, variables, &trainer_options, &trainer);
    } else if (status == GRAFT_OK) {
        status = graft_plan_open(model->graph, device, variables, &plan_options, &plan);
    }
    const bool good = status == GRAFT_OK && add_plan(reals, training ? graft_trainer_plan(trainer) : plan);
    graft_trainer_close(&trainer);
    graft_plan_close(&plan);
    graft_model_close(&model);
    return good;
}

static bool add_networks(struct graft_reals *reals, struct graft_device *device)
{
    for (int i = 0; i < graft_model_count(); i++) {
        for (int b = 0; b < 2; b++) {
            for (int training = 0; training < 2; training++) {
                struct graft_variables *variables = NULL;
                const bool good =
                    graft_variables_open(device, &variables) == GRAFT_OK &&
                    add_network(reals, device, variables, graft_model_at(i)->name, batches[b], training != 0);
                graft_variables_close(&variables);
                if (!good) {
                    return false;
                }
            }
        }
    }
    return true;
}

double graft_real_cost(const struct graft_call *call)
{
    struct graft_work work = {0};
    graft_op_get(call->op)->work(call, &work);
    return work.flops + work.bytes / 4;
}

/* Op by op, each op's from the smallest to the largest. */
static int compare_ops(const void *a, const void *b)
{
    const struct graft_real *const x = a;
    const struct graft_real *const y = b;
    if (x->call.op != y->call.op) {
        return (int)x->call.op - (int)y->call.op;
    }
    return x->cost != y->cost ? (x->cost > y->cost) - (x->cost < y->cost) : strcmp(x->name, y->name);
}

bool graft_reals_open(struct graft_reals *reals, char *error, size_t error_size)
{
    const struct graft_context_options one = {.threads = 1}; /* no thread is started: a child may be forked */
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    *reals = (struct graft_reals){0};
    bool good = graft_context_open(&one, &context) == GRAFT_OK &&
                graft_device_open(context, "reference", &device) == GRAFT_OK && add_networks(reals, device) &&
                graft_reals_add_edges(reals, context);
    if (good) {
        qsort(reals->items, (size_t)reals->count, sizeof *reals->items, compare_ops);
        good = graft_reals_mark(reals);
    }
    if (!good) {
        snprintf(error, error_size, "the cases of real sizes cannot be made: %s",
                 context != NULL ? graft_context_error(context) : "no memory");
        graft_reals_close(reals);
    }
    graft_device_close(&device);
    graft_context_close(&context);
    return good;
}

void graft_reals_close(struct graft_reals *reals)
{
    free(reals->items);
    free(reals->places);
    free(reals->calls);
    *reals = (struct graft_reals){0};
}
