/* SPDX-License-Identifier: MIT */
#include "order.h"
#include "real.h"

#include <stdlib.h>
#include <string.h>

/* A case of about this cost is large enough to reach the edges of tiles, and takes some milliseconds; what is
 * preferred where no limit is given. */
#define GOOD_COST 2e6
#define GOOD_REAL_COST 1e8 /* of a real case, which has no truth in f64 */

/* Tier, with and without accumulation: what a variant is to be tried in. */
#define KINDS 6

struct entry {
    uint64_t can;  /* variants */
    uint64_t draw; /* the seed's */
    double cost;
    double good; /* the cost that is preferred */
    int kind;
    bool empty; /* nothing is computed: it tries no variant */
    bool taken;
};

/* The finalizer of SplitMix64: neighbouring numbers become unrelated ones. */
static uint64_t mix(uint64_t z)
{
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static int kind_of(const struct graft_job *job)
{
    if (job->tier == GRAFT_TIER_REAL) {
        return 5;
    }
    const int tier = job->tier == GRAFT_TIER_EXACT ? 0 : job->tier == GRAFT_TIER_ROUNDING ? 2 : 4;
    return tier + (job->accumulate && tier < 4 ? 1 : 0);
}

/* Arithmetic of the truth and bytes; a gradient by differences runs the truth twice an element. Of real cases
 * each byte counts: it is made, moved, and looked at. */
static double cost_of(struct graft_device *device, const struct graft_job *job)
{
    struct graft_call call;
    struct graft_work work = {0};
    if (graft_job_call(device->context, job, &call) != GRAFT_OK) {
        return 0;
    }
    if (job->real != NULL) {
        graft_op_get(job->op)->work(&call, &work);
        return work.flops + work.bytes;
    }
    double elements = 0;
    for (int i = 0; i < call.n_inputs; i++) {
        elements += call.in[i].dtype != GRAFT_DTYPE_NONE ? (double)graft_shape_count(&call.in[i].shape) : 0;
    }
    graft_op_get(job->op)->work(&call, &work);
    const double once = 1000 + work.flops + elements; /* what a case costs at least, in the same currency */
    return job->tier == GRAFT_TIER_GRADIENT ? once * (1 + 2 * elements) : once;
}

/* Whether one of the job's results has no elements. */
static bool is_empty(struct graft_device *device, const struct graft_job *job)
{
    struct graft_call call;
    bool empty = false;
    if (graft_job_call(device->context, job, &call) != GRAFT_OK) {
        return false;
    }
    const struct graft_op_def *const def = graft_op_get(job->op);
    for (int i = 0; i < def->n_outputs; i++) {
        empty |= call.out[i].dtype != GRAFT_DTYPE_NONE && graft_shape_count(&call.out[i].shape) == 0;
    }
    for (int i = 0; i < call.n_inputs; i++) {
        empty |= (def->mutates >> i & 1u) && call.in[i].dtype != GRAFT_DTYPE_NONE &&
                 graft_shape_count(&call.in[i].shape) == 0;
    }
    return empty;
}

static int count_bits(uint64_t bits)
{
    return __builtin_popcountll(bits);
}

static void take(struct graft_order *order, struct entry *entries, int job)
{
    entries[job].taken = true;
    order->jobs[order->count++] = job;
}

/* Whether a tells more than b: the largest that is not too large; of those that are, the smallest. */
static bool is_better(const struct entry *a, const struct entry *b)
{
    const bool a_good = a->cost <= a->good;
    const bool b_good = b->cost <= b->good;
    if (a_good != b_good) {
        return a_good;
    }
    if (a->cost != b->cost) {
        return (a->cost > b->cost) == a_good;
    }
    return a->draw < b->draw;
}

/* The jobs first..end are those of one op: as few as try every variant in every kind. */
static void cover(struct graft_order *order, struct entry *entries, int first, int end, double largest)
{
    uint64_t covered[KINDS] = {0};
    for (;;) {
        int best = -1;
        int best_gain = 0;
        for (int i = first; i < end; i++) {
            const int gain = count_bits(entries[i].can & ~covered[entries[i].kind]);
            const bool better =
                gain > best_gain || (gain > 0 && gain == best_gain && is_better(&entries[i], &entries[best]));
            const bool allowed = largest <= 0 || entries[i].cost <= largest;
            if (!entries[i].taken && !entries[i].empty && better && allowed) {
                best = i;
                best_gain = gain;
            }
        }
        if (best < 0) {
            return;
        }
        covered[entries[best].kind] |= entries[best].can;
        take(order, entries, best);
    }
}

/* Adds a variant that only jobs above jobs->largest can try, if it is one. False: out of memory. */
static bool note_left(struct graft_order *order, const struct entry *entries, int first, int end, int variant)
{
    int smallest = -1;
    for (int i = first; i < end; i++) {
        if ((entries[i].can >> variant & 1u) && (smallest < 0 || entries[i].cost < entries[smallest].cost)) {
            smallest = i;
        }
        if ((entries[i].can >> variant & 1u) && entries[i].taken) {
            return true;
        }
    }
    if (smallest < 0) {
        return true;
    }
    struct graft_left *const more = realloc(order->left, (size_t)(order->n_left + 1) * sizeof *more);
    if (more == NULL) {
        return false;
    }
    order->left = more;
    order->left[order->n_left++] = (struct graft_left){smallest, variant, entries[smallest].cost};
    return true;
}

/* Of the op's jobs that are left the one drawn first, -1: none. */
static int next_of(const struct entry *entries, int first, int end)
{
    int next = -1;
    for (int i = first; i < end; i++) {
        if (!entries[i].taken && (next < 0 || entries[i].draw < entries[next].draw)) {
            next = i;
        }
    }
    return next;
}

/* The end of the op's jobs that begin at `first`: jobs are listed op by op. */
static int end_of(const struct graft_jobs *jobs, int first)
{
    int end = first + 1;
    while (end < jobs->count && jobs->items[end].op == jobs->items[first].op &&
           (jobs->items[end].real == NULL) == (jobs->items[first].real == NULL)) {
        end++;
    }
    return end;
}

/* What is too large takes no part in the rest: only what covers is run whatever its size. */
static int leave_large(struct entry *entries, const struct graft_jobs *jobs)
{
    int left = 0;
    for (int i = 0; i < jobs->count; i++) {
        const struct graft_real *const real = jobs->items[i].real;
        const bool large = jobs->most_work > 0 && entries[i].cost > jobs->most_work;
        if (!entries[i].taken && (large || (jobs->leave_huge && real != NULL && real->preferred_only))) {
            entries[i].taken = true;
            left++;
        }
    }
    return left;
}

/* What tries everything in the small jobs, or in the real ones. False: out of memory. */
static bool cover_all(struct graft_order *order, struct entry *entries, const struct graft_jobs *jobs,
                      bool real)
{
    for (int first = 0; first < jobs->count; first = end_of(jobs, first)) {
        const int end = end_of(jobs, first);
        if ((jobs->items[first].real != NULL) != real) {
            continue;
        }
        cover(order, entries, first, end, jobs->largest);
        for (int variant = 0; variant < 64 && jobs->largest > 0; variant++) {
            if (!note_left(order, entries, first, end, variant)) {
                return false;
            }
        }
    }
    return true;
}

/* The cheapest first: as many variants as possible are tried before the time is up. */
static void sort_by_cost(struct graft_order *order, const struct entry *entries, int first)
{
    for (int i = first + 1; i < order->count; i++) {
        const int job = order->jobs[i];
        int at = i;
        while (at > first && entries[order->jobs[at - 1]].cost > entries[job].cost) {
            order->jobs[at] = order->jobs[at - 1];
            at--;
        }
        order->jobs[at] = job;
    }
}

/* False: out of memory. */
static bool sample(struct graft_order *order, struct entry *entries, const struct graft_jobs *jobs)
{
    if (!cover_all(order, entries, jobs, false)) {
        return false;
    }
    const bool small = order->count > 0;
    /* What no variant can do costs nothing and is counted. */
    for (int i = 0; i < jobs->count; i++) {
        if (entries[i].can == 0) {
            take(order, entries, i);
        }
    }
    order->must = order->count;
    if (!cover_all(order, entries, jobs, true)) {
        return false;
    }
    sort_by_cost(order, entries, order->must);
    if (jobs->cover_real) {
        order->must = order->count;
    } else if (!small && order->must < order->count) {
        order->must++; /* so that something is said of the device */
    }
    const int end = jobs->count - leave_large(entries, jobs);
    while (order->count < end) {
        for (int first = 0; first < jobs->count; first = end_of(jobs, first)) {
            const int next = next_of(entries, first, end_of(jobs, first));
            if (next >= 0) {
                take(order, entries, next);
            }
        }
    }
    return true;
}

/* All jobs in their order; of real ones, if so asked, as few as try every variant. */
static void list(struct graft_order *order, struct entry *entries, const struct graft_jobs *jobs)
{
    for (int first = 0; first < jobs->count; first = end_of(jobs, first)) {
        const int end = end_of(jobs, first);
        for (int i = first; i < end; i++) {
            if (jobs->items[i].real == NULL || !jobs->sample_real) {
                take(order, entries, i);
            }
        }
        cover(order, entries, first, end, 0);
    }
}

bool graft_order_open(struct graft_device *device, const struct graft_jobs *jobs, uint64_t seed,
                      struct graft_order *order)
{
    const size_t count = jobs->count > 0 ? (size_t)jobs->count : 1;
    *order = (struct graft_order){.jobs = calloc(count, sizeof *order->jobs),
                                  .can = calloc(count, sizeof *order->can)};
    struct entry *const entries = calloc(count, sizeof *entries);
    if (order->jobs == NULL || order->can == NULL || entries == NULL) {
        free(entries);
        graft_order_close(order);
        return false;
    }
    for (int i = 0; i < jobs->count; i++) {
        const struct graft_job *const job = &jobs->items[i];
        entries[i].can = job->tier == GRAFT_TIER_GRADIENT ? 1 : graft_trial_variants(device, job);
        order->can[i] = entries[i].can;
        entries[i].draw = mix(mix(seed) + (uint64_t)i);
        entries[i].cost = cost_of(device, job);
        entries[i].kind = kind_of(job);
        entries[i].good = jobs->most_work > 0 ? jobs->most_work
                          : job->real != NULL ? GOOD_REAL_COST
                                              : GOOD_COST;
        entries[i].empty = is_empty(device, job);
        order->cases += count_bits(entries[i].can);
    }
    bool good = true;
    if (jobs->until > 0 || jobs->most_work > 0) {
        good = sample(order, entries, jobs);
    } else {
        list(order, entries, jobs);
    }
    if (jobs->until == 0) {
        order->must = order->count;
    }
    free(entries);
    if (!good) {
        graft_order_close(order);
    }
    return good;
}

void graft_order_close(struct graft_order *order)
{
    free(order->jobs);
    free(order->can);
    free(order->left);
    *order = (struct graft_order){.jobs = NULL};
}
