/* SPDX-License-Identifier: MIT */
/*
 * Batch normalization over the rows of all ranks: behind each step that takes statistics, or the sums that their gradients
 * need, what the ranks have made is put together, in their order, and goes on in place of each one's own.
 */
#include "base/context.h"
#include "base/size.h"
#include "graph/plan.h"
#include "train/trainer.h"

#include <string.h>

enum { RUNNING_VAR = 1, VAR = 3 }; /* inputs of batch_norm_update */

/* Takes statistics of x, or sums along x. */
static bool is_shared(const struct graft_call *call)
{
    const bool sums = call->op == GRAFT_OP_BATCH_NORM_GRAD_PARAM && call->attributes.batch_norm.training;
    /* What goes straight to the sums over runs is read by nobody before these are added up. */
    return call->op == GRAFT_OP_BATCH_NORM_STATS || (sums && call->accumulate == 0);
}

static int64_t channels_of(const struct graft_call *call)
{
    const struct graft_shape *const x = &call->in[0].shape;
    return x->dim[x->rank - 1];
}

/* [1 + 2 × channels] numbers of each rank, and of this one. */
enum graft_status graft_trainer_sync_open(struct graft_trainer *trainer)
{
    struct graft_trainer_reduction *const reduction = &trainer->reduction;
    const struct graft_model *const model = trainer->model;
    const struct graft_graph *const graph = trainer->part.plan->graph;
    const uint64_t batch = (uint64_t)model->batch, ranks = (uint64_t)graft_ranks_count(trainer->ranks);
    uint64_t most = 0;
    if (trainer->part.model->batch < model->batch)
        return graft_fail(trainer->context, GRAFT_ERROR_ARGUMENT,
                          "--bn-sync takes statistics from the whole batch, which memory or --micro-batch cuts into pieces of "
                          "%lld pictures: start more ranks, give a smaller --batch, or leave it out",
                          (long long)trainer->part.model->batch);
    for (int n = 0; n < graph->n_nodes; n++)
        if (!graph->nodes[n].dead && is_shared(&graph->nodes[n].call))
            most = graft_max_u64(most, (uint64_t)channels_of(&graph->nodes[n].call));
    reduction->row = 1 + 2 * most;
    reduction->mine = graft_allocate(trainer->context, (size_t)(reduction->row * (1 + ranks)), sizeof *reduction->mine);
    reduction->numbers = graft_allocate(trainer->context, (size_t)most, sizeof(double));
    /* A rank without a picture goes along with one that counts nothing. */
    const uint64_t input = graft_desc_bytes(graft_graph_desc(model->graph, model->input));
    reduction->nothing =
        graft_allocate(trainer->context, 1, (size_t)graft_max_u64(input, batch * (uint64_t)model->classes * sizeof(double)));
    return reduction->mine && reduction->numbers && reduction->nothing ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

void graft_trainer_sync_close(struct graft_trainer *trainer)
{
    graft_release(trainer->context, trainer->reduction.mine);
    graft_release(trainer->context, trainer->reduction.numbers);
    graft_release(trainer->context, trainer->reduction.nothing);
}

/* A vector of a step, in the graph's type, to and from doubles; one that is not made is 0. */
static enum graft_status read_vector(const struct graft_trainer *trainer, struct graft_tensor from, int64_t count, double *to)
{
    char *const numbers = (char *)trainer->reduction.numbers;
    enum graft_status status = GRAFT_OK;
    if (from.buffer)
        status = trainer->device->backend->buffer_read(trainer->device, numbers, from,
                                                       graft_trainer_real_bytes(trainer, count));
    for (int64_t i = 0; i < count; i++)
        to[i] = !from.buffer                   ? 0
                : graft_trainer_wide(trainer) ? ((const double *)(void *)numbers)[i]
                                              : (double)((const float *)(void *)numbers)[i];
    return status;
}

static enum graft_status write_vector(const struct graft_trainer *trainer, struct graft_tensor to, int64_t count,
                                      const double *from)
{
    char *const numbers = (char *)trainer->reduction.numbers;
    for (int64_t i = 0; i < count; i++)
        if (graft_trainer_wide(trainer))
            ((double *)(void *)numbers)[i] = from[i];
        else
            ((float *)(void *)numbers)[i] = (float)from[i];
    return to.buffer ? trainer->device->backend->buffer_write(trainer->device, to, numbers,
                                                              graft_trainer_real_bytes(trainer, count))
                     : GRAFT_OK;
}

/* mean = Σ n·mean / N, var = Σ n·(var + (mean of the rank − mean)²) / N. */
static void merge_statistics(const struct graft_trainer_reduction *r, int ranks, int64_t channels, double whole, double *mean,
                             double *var)
{
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, squares = 0;
        for (int k = 0; k < ranks; k++) {
            const double *const row = r->mine + (uint64_t)(1 + k) * r->row;
            sum += row[0] * row[1 + c];
        }
        for (int k = 0; k < ranks; k++) {
            const double *const row = r->mine + (uint64_t)(1 + k) * r->row;
            const double distance = row[1 + c] - sum / whole;
            squares += row[0] * (row[1 + channels + c] + distance * distance);
        }
        mean[c] = sum / whole;
        var[c] = squares / whole;
    }
}

/* What follows divides by this rank's own number, and what it makes is added up over ranks: each gets its share of the whole. */
static void merge_sums(const struct graft_trainer_reduction *r, int ranks, int64_t channels, double share, double *out)
{
    for (int64_t i = 0; i < 2 * channels; i++) {
        double sum = 0;
        for (int k = 0; k < ranks; k++)
            sum += r->mine[(uint64_t)(1 + k) * r->row + 1 + (uint64_t)i];
        out[i] = sum * share;
    }
}

/* batch_norm_update makes the variance unbiased by this rank's number of elements: what is missing to the whole batch's is put
 * into the running variance before. */
static enum graft_status correct_running(const struct graft_trainer *trainer, const struct graft_plan *plan,
                                         const struct graft_node *node, double own, double whole, const double *var)
{
    double *const running = trainer->reduction.mine; /* what was sent is not needed any more */
    const int64_t channels = channels_of(&node->call);
    enum graft_status status = GRAFT_OK;
    for (int n = 0; n < plan->graph->n_nodes && status == GRAFT_OK; n++) {
        const struct graft_node *const update = &plan->graph->nodes[n];
        const double momentum = (double)update->call.attributes.batch_norm.momentum;
        if (update->dead || update->call.op != GRAFT_OP_BATCH_NORM_UPDATE || update->inputs[VAR] != node->outputs[1] ||
            momentum >= 1)
            continue;
        const struct graft_tensor at = graft_plan_tensor(plan, update->inputs[RUNNING_VAR]);
        const double missing = momentum / (1 - momentum) * (whole / (whole - 1) - own / (own - 1));
        status = read_vector(trainer, at, channels, running);
        for (int64_t c = 0; c < channels; c++)
            running[c] += missing * var[c];
        if (status == GRAFT_OK)
            status = write_vector(trainer, at, channels, running);
    }
    return status;
}

enum graft_status graft_trainer_sync_step(void *user, int index)
{
    struct graft_trainer *const trainer = user;
    struct graft_trainer_reduction *const r = &trainer->reduction;
    struct graft_plan *const plan = trainer->now->plan;
    const struct graft_plan_step *const step = &plan->steps[index];
    const struct graft_call *const call = &step->node->call;
    if (!is_shared(call))
        return GRAFT_OK;
    const int64_t channels = channels_of(call);
    const int ranks = graft_ranks_count(trainer->ranks);
    const double own = (double)(graft_shape_count(&call->in[0].shape) / channels);
    double *const first = r->mine + 1, *const second = first + channels;
    r->mine[0] = r->empty ? 0 : own;
    enum graft_status status = read_vector(trainer, step->out[0], channels, first);
    if (status == GRAFT_OK)
        status = read_vector(trainer, step->out[1], channels, second);
    const uint64_t bytes = r->row * sizeof *r->mine;
    if (status == GRAFT_OK)
        status = graft_ranks_gather(trainer->ranks, r->mine, r->mine + r->row, bytes);
    if (status != GRAFT_OK)
        return status;
    double whole = 0;
    for (int k = 0; k < ranks; k++)
        whole += r->mine[(uint64_t)(1 + k) * r->row];
    if (call->op == GRAFT_OP_BATCH_NORM_STATS)
        merge_statistics(r, ranks, channels, whole, first, second);
    else
        merge_sums(r, ranks, channels, (r->empty ? 0 : own) / whole, first);
    status = write_vector(trainer, step->out[0], channels, first);
    if (status == GRAFT_OK)
        status = write_vector(trainer, step->out[1], channels, second);
    return status == GRAFT_OK && call->op == GRAFT_OP_BATCH_NORM_STATS
               ? correct_running(trainer, plan, step->node, own, whole, second)
               : status;
}
