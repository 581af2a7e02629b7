/* SPDX-License-Identifier: MIT */
#include "graft/attack.h"

#include "backend/backend.h"
#include "base/context.h"
#include "base/pool.h"
#include "base/text.h"
#include "explain/change.h"
#include "explain/slope.h"
#include "explain/through.h"
#include "graft/run.h"
#include "infer/classifier.h"

#include <math.h>
#include <string.h>

#define LEVELS 255.0
#define STEPS 20
#define FINE 1.03 /* L2: bisection ends where a radius that fails and one that does not are so near */

/* A picture under attack. It looks, learns whether it succeeded, and takes a step, until it is done. */
struct row {
    const struct graft_image *original;
    struct graft_through *through;
    struct graft_change change;
    uint8_t *now, *best; /* the changed picture; the one that succeeded with the least change */
    int32_t before;
    double radius;    /* that is tried, in levels */
    double low, high; /* one that failed, one that succeeded (0: none yet) */
    int32_t step;     /* of this radius */
    int32_t looks;
    bool done;
};

struct graft_attack {
    struct graft_context *context;
    struct graft_classifier *classifier;
    struct graft_slope *slope;
    struct graft_attack_options options; /* resolved; epsilon in 0..1 */
    struct row *rows;                    /* [batch] */
    int32_t count, target;               /* of this run */
    uint8_t *input;                      /* [batch, crop_height, crop_width, channels] */
    float *shares;                       /* [classes] */
    enum graft_status *status;           /* [batch]: of what is done on several threads */
};

/* ---- names */

static const char *const norm_names[GRAFT_ATTACK_NORMS] = {[GRAFT_ATTACK_LINF] = "linf", [GRAFT_ATTACK_L2] = "l2"};
static const char *const method_names[GRAFT_ATTACK_METHODS] = {
    [GRAFT_ATTACK_PGD] = "pgd", [GRAFT_ATTACK_FGSM] = "fgsm", [GRAFT_ATTACK_MINIMAL] = "minimal"};

const char *graft_attack_norm_name(enum graft_attack_norm norm)
{
    return (int)norm >= 0 && (int)norm < GRAFT_ATTACK_NORMS ? norm_names[norm] : NULL;
}

const char *graft_attack_method_name(enum graft_attack_method method)
{
    return (int)method >= 0 && (int)method < GRAFT_ATTACK_METHODS ? method_names[method] : NULL;
}

enum graft_status graft_attack_norm_find(struct graft_context *context, const char *name, enum graft_attack_norm *norm)
{
    for (int i = 0; i < GRAFT_ATTACK_NORMS; i++)
        if (strcmp(name, norm_names[i]) == 0) {
            *norm = (enum graft_attack_norm)i;
            return GRAFT_OK;
        }
    return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "no norm is called '%s': linf, l2", name);
}

enum graft_status graft_attack_method_find(struct graft_context *context, const char *name,
                                           enum graft_attack_method *method)
{
    for (int i = 0; i < GRAFT_ATTACK_METHODS; i++)
        if (strcmp(name, method_names[i]) == 0) {
            *method = (enum graft_attack_method)i;
            return GRAFT_OK;
        }
    return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "no attack is called '%s': pgd, fgsm, minimal", name);
}

/* ---- opening */

static enum graft_status resolve(struct graft_attack *attack)
{
    struct graft_context *const context = attack->context;
    struct graft_attack_options *const o = &attack->options;
    const bool l2 = o->norm == GRAFT_ATTACK_L2, least = o->method == GRAFT_ATTACK_MINIMAL;
    const double most = l2 ? 1000 : 1;
    if (!graft_attack_norm_name(o->norm) || !graft_attack_method_name(o->method))
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "there is no norm %d or no attack %d", (int)o->norm,
                          (int)o->method);
    if (o->epsilon == 0)
        o->epsilon = l2 ? (least ? 16 : 0.5) : (least ? 32 : 2) / LEVELS;
    o->steps = o->method == GRAFT_ATTACK_FGSM ? 1 : o->steps != 0 ? o->steps : STEPS;
    if (!(o->epsilon >= (1 - 1e-6) / LEVELS && o->epsilon <= most))
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "an epsilon of %g; %s takes 1/255 (%.5f, a level of 8 bits) to %g", o->epsilon,
                          graft_attack_norm_name(o->norm), 1 / LEVELS, most);
    if (!l2) /* whole levels */
        o->epsilon = floor(o->epsilon * LEVELS + 1e-4) / LEVELS;
    return o->steps >= 1 && o->steps <= 10000
               ? GRAFT_OK
               : graft_fail(context, GRAFT_ERROR_ARGUMENT, "%d steps; use 1 to 10000", o->steps);
}

static enum graft_status open_slope(struct graft_attack *attack)
{
    const struct graft_classifier_options *const o = &attack->options.classifier;
    const struct graft_preprocess *const p = &attack->classifier->card.preprocess;
    const struct graft_slope_options slope = {.goal = GRAFT_SLOPE_LEAKY,
                                              .batch = o->batch > 0 ? o->batch : 8,
                                              .height = p->crop_height,
                                              .width = p->crop_width,
                                              .plan = o->plan};
    const struct graft_slope_network network = graft_slope_of_classifier(attack->classifier);
    return graft_slope_open(&network, &slope, &attack->slope);
}

enum graft_status graft_attack_open(struct graft_device *device, const struct graft_attack_options *options,
                                    struct graft_attack **attack)
{
    struct graft_context *const context = device->context;
    struct graft_attack *made = graft_allocate(context, 1, sizeof *made);
    struct graft_classifier_options classifier = options->classifier;
    *attack = NULL;
    if (!made)
        return GRAFT_ERROR_MEMORY;
    made->context = context;
    made->options = *options;
    classifier.output = NULL;
    classifier.batch = 1;
    enum graft_status status = resolve(made);
    if (status == GRAFT_OK)
        status = graft_classifier_open(device, &classifier, &made->classifier);
    if (status == GRAFT_OK)
        status = graft_classifier_tells_classes(made->classifier, "an attack");
    if (status == GRAFT_OK)
        status = open_slope(made);
    if (status == GRAFT_OK) {
        const size_t batch = (size_t)made->slope->batch;
        made->rows = graft_allocate(context, batch, sizeof *made->rows);
        made->status = graft_allocate(context, batch, sizeof *made->status);
        made->input = graft_allocate(context, batch, (size_t)made->slope->numbers);
        made->shares = graft_allocate(context, (size_t)made->slope->goals, sizeof *made->shares);
        status = made->rows && made->status && made->input && made->shares ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    if (status != GRAFT_OK)
        graft_attack_close(&made);
    *attack = made;
    return status;
}

static void close_row(struct graft_attack *attack, struct row *row)
{
    graft_through_close(&row->through);
    graft_change_close(&row->change);
    graft_release(attack->context, row->now);
    graft_release(attack->context, row->best);
    *row = (struct row){0};
}

void graft_attack_close(struct graft_attack **attack)
{
    struct graft_attack *const old = *attack;
    if (!old)
        return;
    for (int64_t r = 0; old->rows && r < old->slope->batch; r++)
        close_row(old, &old->rows[r]);
    graft_release(old->context, old->rows);
    graft_release(old->context, old->status);
    graft_release(old->context, old->input);
    graft_release(old->context, old->shares);
    graft_slope_close(&old->slope);
    graft_classifier_close(&old->classifier);
    graft_release(old->context, old);
    *attack = NULL;
}

struct graft_classifier *graft_attack_classifier(struct graft_attack *attack)
{
    return attack->classifier;
}

int32_t graft_attack_batch(const struct graft_attack *attack)
{
    return (int32_t)attack->slope->batch;
}

double graft_attack_epsilon(const struct graft_attack *attack)
{
    return attack->options.epsilon;
}

/* ---- a picture */

static int64_t numbers_of(const struct row *row)
{
    return (int64_t)row->original->width * row->original->height * row->original->channels;
}

/* Logits of an 8-bit picture, and what is most probable. */
static enum graft_status judge(struct graft_attack *attack, const struct row *row, uint8_t *pixels, float *logits,
                               int32_t *best)
{
    const struct graft_image picture = {row->original->width, row->original->height, row->original->channels, pixels};
    const enum graft_status status = graft_classifier_image(attack->classifier, &picture, logits);
    if (status == GRAFT_OK)
        graft_top_k(logits, (int32_t)attack->slope->goals, 1, best);
    return status;
}

static bool is_success(const struct graft_attack *attack, const struct row *row, int32_t seen)
{
    return attack->target < 0 ? seen != row->before : seen == attack->target;
}

/* The radius that is tried next, from nothing. Done where there is none. */
static void choose_radius(const struct graft_attack *attack, struct row *row)
{
    const bool l2 = attack->options.norm == GRAFT_ATTACK_L2;
    const double most = attack->options.epsilon * LEVELS;
    row->step = 0;
    if (attack->options.method != GRAFT_ATTACK_MINIMAL) {
        row->done = row->radius > 0;
        row->radius = most;
    } else if (row->high == 0) {
        row->done = row->low >= most;
        row->radius = fmin(row->low > 0 ? 2 * row->low : l2 ? 0.25 * LEVELS : 1, most);
    } else {
        row->done = l2 ? row->high <= FINE * fmax(row->low, 1) : row->high <= row->low + 1;
        row->radius = l2 ? sqrt(fmax(row->low, 1) * row->high) : floor((row->low + row->high) / 2);
    }
    graft_change_clear(&row->change);
}

static enum graft_status begin_row(struct graft_attack *attack, int32_t r, const struct graft_image *picture)
{
    struct graft_context *const context = attack->context;
    struct row *const row = &attack->rows[r];
    const struct graft_preprocess *const p = &attack->classifier->card.preprocess;
    float *const logits = attack->slope->logits + r * attack->slope->goals;
    close_row(attack, row);
    if (picture->channels != p->channels || picture->width < 1 || picture->height < 1)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "a picture of %d x %d with %d channels; this network's pictures have %d", picture->width,
                          picture->height, picture->channels, p->channels);
    row->original = picture;
    const size_t numbers = (size_t)numbers_of(row);
    row->now = graft_allocate(context, numbers, 1);
    row->best = graft_allocate(context, numbers, 1);
    enum graft_status status = row->now && row->best ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = graft_change_open(context, (int64_t)numbers, &row->change);
    if (status == GRAFT_OK)
        status = graft_through_open(context, p, picture->width, picture->height, &row->through);
    if (status != GRAFT_OK)
        return status;
    memcpy(row->now, picture->pixels, numbers);
    status = judge(attack, row, row->now, logits, &row->before);
    if (status == GRAFT_OK) {
        row->done = attack->target == row->before;
        if (!row->done)
            choose_radius(attack, row);
    }
    return status;
}

/* ---- looking and stepping; each row on a thread */

/* What is made large: the class that is wanted less what is seen instead, or what else is seen less the class that
 * is not. It is the gradient of the cross-entropy, up to a factor that would vanish where the network is sure. */
static void weigh(const struct graft_attack *attack, const struct row *row, const float *logits, float *weights)
{
    const int32_t classes = (int32_t)attack->slope->goals;
    const int32_t one = attack->target < 0 ? row->before : attack->target;
    const float sign = attack->target < 0 ? -1 : 1;
    double largest = -INFINITY, sum = 0;
    for (int32_t i = 0; i < classes; i++)
        largest = i != one ? fmax(largest, (double)logits[i]) : largest;
    for (int32_t i = 0; i < classes; i++)
        sum += i != one ? exp((double)logits[i] - largest) : 0;
    for (int32_t i = 0; i < classes; i++)
        weights[i] = i == one ? sign : (float)(-(double)sign * exp((double)logits[i] - largest) / sum);
}

static void look(void *argument, int64_t r, int thread)
{
    struct graft_attack *const attack = argument;
    struct row *const row = &attack->rows[r];
    struct graft_slope *const slope = attack->slope;
    const struct graft_preprocess *const p = &attack->classifier->card.preprocess;
    const struct graft_image picture = {row->original->width, row->original->height, row->original->channels, row->now};
    uint8_t *const input = attack->input + r * slope->numbers;
    (void)thread;
    attack->status[r] = GRAFT_OK;
    if (row->done)
        return;
    weigh(attack, row, slope->logits + r * slope->goals, slope->weights + r * slope->goals);
    attack->status[r] = graft_preprocess_image(attack->context, p, &picture, input);
    graft_slope_normalize(p, input, slope->numbers, 1, slope->input + r * slope->numbers);
}

/* Seen as it is to be? Else a step, or the next radius. */
static void move(void *argument, int64_t r, int thread)
{
    struct graft_attack *const attack = argument;
    struct row *const row = &attack->rows[r];
    struct graft_slope *const slope = attack->slope;
    const bool l2 = attack->options.norm == GRAFT_ATTACK_L2;
    int32_t seen = 0;
    (void)thread;
    if (row->done)
        return;
    row->looks++;
    graft_top_k(slope->logits + r * slope->goals, (int32_t)slope->goals, 1, &seen);
    if (is_success(attack, row, seen)) {
        memcpy(row->best, row->now, (size_t)numbers_of(row));
        row->high = l2 ? graft_change_size(row->original->pixels, row->now, numbers_of(row)) : row->radius;
        choose_radius(attack, row);
    } else if (row->step == attack->options.steps) {
        row->low = row->radius;
        choose_radius(attack, row);
    }
    if (row->done)
        return;
    float *const gradient = slope->gradients + r * slope->numbers;
    const struct graft_preprocess *const p = &attack->classifier->card.preprocess;
    for (int64_t i = 0; i < slope->numbers; i++)
        gradient[i] /= p->std[i % p->channels];
    graft_through_back(row->through, gradient, row->change.slope);
    /* The first step goes all the way; later ones less and less. */
    const double share = row->step == 0 ? 1 : fmax(0.1, 0.5 * (1 - (double)row->step / attack->options.steps));
    if (l2)
        graft_change_step_l2(&row->change, row->original->pixels, row->radius, share, row->now);
    else
        graft_change_step_linf(&row->change, row->original->pixels, row->radius, share, row->now);
    row->step++;
}

static bool all_done(const struct graft_attack *attack)
{
    for (int32_t r = 0; r < attack->count; r++)
        if (!attack->rows[r].done)
            return false;
    return true;
}

/* ---- a run */

/* What came of a picture, as its file will say. */
static enum graft_status tell(struct graft_attack *attack, int32_t r, struct graft_attacked *attacked)
{
    struct row *const row = &attack->rows[r];
    const int32_t classes = (int32_t)attack->slope->goals;
    float *const logits = attack->slope->logits + r * classes;
    const double numbers = (double)numbers_of(row);
    uint8_t *const pixels = row->high > 0 ? row->best : row->now;
    enum graft_status status = judge(attack, row, row->original->pixels, logits, &row->before);
    graft_softmax_row(logits, classes, attack->shares);
    *attacked = (struct graft_attacked){
        .before = row->before, .before_share = attack->shares[row->before], .looks = row->looks, .pixels = pixels};
    if (status == GRAFT_OK)
        status = judge(attack, row, pixels, logits, &attacked->after);
    graft_softmax_row(logits, classes, attack->shares);
    attacked->after_share = attack->shares[attacked->after];
    attacked->succeeded = is_success(attack, row, attacked->after);
    const double size = graft_change_size(row->original->pixels, pixels, numbers_of(row)) / LEVELS;
    attacked->l2 = size;
    attacked->linf = graft_change_largest(row->original->pixels, pixels, numbers_of(row)) / LEVELS;
    attacked->psnr = size > 0 ? 10 * log10(numbers / (size * size)) : (double)INFINITY;
    return status;
}

enum graft_status graft_attack_run(struct graft_attack *attack, const struct graft_image *pictures, int32_t count,
                                   int32_t target, struct graft_attacked *attacked)
{
    struct graft_context *const context = attack->context;
    struct graft_pool *const pool = graft_context_pool(context);
    enum graft_status status = pool ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    if (count < 1 || count > attack->slope->batch)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%d pictures at a time; use 1 to %lld", count,
                          (long long)attack->slope->batch);
    if (target < -1 || target >= attack->slope->goals)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "class %d; there are %lld", target,
                          (long long)attack->slope->goals);
    attack->count = count;
    attack->target = target;
    for (int32_t r = 0; r < count && status == GRAFT_OK; r++)
        status = begin_row(attack, r, &pictures[r]);
    while (status == GRAFT_OK && !all_done(attack)) {
        graft_pool_run(pool, count, look, attack);
        for (int32_t r = 0; r < count && status == GRAFT_OK; r++)
            status = attack->status[r];
        if (status == GRAFT_OK)
            status = graft_slope_run(attack->slope);
        if (status == GRAFT_OK)
            graft_pool_run(pool, count, move, attack);
        if (status == GRAFT_OK && graft_context_cancelled(context))
            status = graft_fail(context, GRAFT_ERROR_CANCELLED, "cancelled during an attack");
    }
    for (int32_t r = 0; r < count && status == GRAFT_OK; r++)
        status = tell(attack, r, &attacked[r]);
    return status;
}
