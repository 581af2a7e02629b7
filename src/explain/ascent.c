/* SPDX-License-Identifier: MIT */
#include "graft/ascent.h"

#include "backend/backend.h"
#include "base/context.h"
#include "base/pool.h"
#include "explain/octaves.h"
#include "explain/sample.h"
#include "explain/slope.h"
#include "graft/run.h"
#include "infer/classifier.h"

#include <math.h>
#include <string.h>

#define INERTIA 0.9
#define START 0.05 /* deviation of the noise at the beginning, in every octave */
#define SIBLINGS 0.5f
#define CHANNEL_SIDE 150

struct row {
    int32_t goal;
    struct graft_octaves *octaves;
    struct graft_glance glance;
    float *slope;  /* at the pixels */
    float *smooth; /* blur */
};

struct graft_ascent {
    struct graft_context *context;
    struct graft_classifier *classifier;
    struct graft_slope *slope;
    struct graft_ascent_options options; /* resolved */
    struct graft_glance straight;
    int32_t height, width, channels;           /* of the pictures */
    int32_t view_height, view_width;           /* of the network's input */
    int32_t step;
    int32_t batch, goals; /* pictures at a time; classes or channels */
    int32_t *picked;      /* LAYER: [batch], the channels that the slope is of */
    struct row *rows;     /* [batch] */
    uint8_t *picture;
};

static bool has_layer(const struct graft_ascent_options *options)
{
    return options->layer && *options->layer;
}

/* ---- opening */

static enum graft_status check_range(struct graft_context *context, const char *name, double value, double least,
                                     double most)
{
    return value >= least && value <= most ? GRAFT_OK
                                           : graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s of %g; use %g to %g",
                                                        name, value, least, most);
}

/* What is not given, as is usual. */
static enum graft_status resolve(struct graft_ascent *ascent, const struct graft_ascent_options *given)
{
    struct graft_context *const context = ascent->context;
    struct graft_ascent_options *const o = &ascent->options;
    const bool layer = has_layer(given);
    const int32_t side = ascent->height < ascent->width ? ascent->height : ascent->width;
    o->steps = given->steps != 0 ? given->steps : layer ? 30 : 200;
    o->octaves = given->octaves != 0 ? given->octaves : 5;
    o->rate = given->rate != 0 ? given->rate : layer ? 0.3f : 0.08f;
    o->variation = given->variation < 0 ? 0 : given->variation > 0 ? given->variation : 0.15f;
    o->jitter = given->jitter < 0 ? 0 : given->jitter > 0 ? given->jitter : (float)side / 16;
    enum graft_status status = check_range(context, "steps: a number", o->steps, 1, 100000);
    if (status == GRAFT_OK)
        status = check_range(context, "octaves: a number", o->octaves, 1, GRAFT_OCTAVES_LIMIT);
    if (status == GRAFT_OK)
        status = check_range(context, "a rate", (double)o->rate, 1e-6, 10);
    if (status == GRAFT_OK)
        status = check_range(context, "a weight of the variation", (double)o->variation, 0, 100);
    if (status == GRAFT_OK)
        status = check_range(context, "a jitter", (double)o->jitter, 0, side / 4);
    return status == GRAFT_OK ? check_range(context, "a blur", (double)o->blur, 0, 1) : status;
}

/* Pictures of classes have the size that resizing leaves as it is, and of which the middle is the input. */
static void choose_class_size(struct graft_ascent *ascent)
{
    const struct graft_preprocess *const p = &ascent->classifier->card.preprocess;
    int32_t side = 0;
    for (int32_t i = p->transforms.count - 1; i >= 0; i--)
        if (p->transforms.steps[i].kind == GRAFT_TRANSFORM_RESIZE)
            side = p->transforms.steps[i].resize.short_side;
    ascent->view_height = p->crop_height;
    ascent->view_width = p->crop_width;
    ascent->height = side > p->crop_height ? side : p->crop_height;
    ascent->width = side > p->crop_width ? side : p->crop_width;
}

/* Pictures of channels are the network's input, of any size from what a place of the layer sees. */
static enum graft_status choose_channel_size(struct graft_ascent *ascent, const struct graft_ascent_options *given)
{
    const struct graft_preprocess *const p = &ascent->classifier->card.preprocess;
    const struct graft_model *const model = ascent->classifier->model;
    const int32_t usual = p->crop_height < p->crop_width ? p->crop_height : p->crop_width;
    int value = -1;
    enum graft_status status = graft_classifier_find_output(ascent->context, model, given->layer, &value);
    if (status != GRAFT_OK)
        return status;
    const int64_t reach = graft_slope_reach(model->graph, value);
    if (reach < 0)
        return GRAFT_ERROR_MEMORY;
    const int32_t least = reach < usual ? (int32_t)reach : usual;
    const int32_t side = given->side != 0        ? given->side
                         : least > CHANNEL_SIDE  ? least
                         : usual < CHANNEL_SIDE  ? usual
                                                 : CHANNEL_SIDE;
    if (side < 16 || side > 2048)
        return graft_fail(ascent->context, GRAFT_ERROR_ARGUMENT, "pictures of %d pixels a side; use 16 to 2048", side);
    if (side < least)
        return graft_fail(ascent->context, GRAFT_ERROR_ARGUMENT,
                          "a place of \"%s\" sees %lld pixels a side, more than pictures of %d have: use %d or more",
                          given->layer, (long long)reach, side, least);
    ascent->height = ascent->width = ascent->view_height = ascent->view_width = side;
    return GRAFT_OK;
}

static enum graft_status open_rows(struct graft_ascent *ascent)
{
    struct graft_context *const context = ascent->context;
    const size_t places = (size_t)ascent->height * (size_t)ascent->width;
    const size_t bytes = (size_t)ascent->channels * sizeof(float);
    ascent->rows = graft_allocate(context, (size_t)ascent->batch, sizeof *ascent->rows);
    ascent->picture = graft_allocate(context, places, (size_t)ascent->channels);
    enum graft_status status = ascent->rows && ascent->picture ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    for (int32_t r = 0; r < ascent->batch && status == GRAFT_OK; r++) {
        struct row *const row = &ascent->rows[r];
        row->slope = graft_allocate(context, places, bytes);
        row->smooth = graft_allocate(context, places, bytes);
        status = row->slope && row->smooth
                     ? graft_octaves_open(context, ascent->height, ascent->width, ascent->channels,
                                          ascent->options.octaves, &row->octaves)
                     : GRAFT_ERROR_MEMORY;
    }
    return status;
}

static enum graft_status open_slope(struct graft_ascent *ascent)
{
    const bool layer = has_layer(&ascent->options);
    const struct graft_slope_options slope = {.goal = layer ? GRAFT_SLOPE_CHANNELS : GRAFT_SLOPE_CLASSES,
                                              .layer = ascent->options.layer,
                                              .channels = ascent->picked,
                                              .batch = ascent->batch,
                                              .height = ascent->view_height,
                                              .width = ascent->view_width,
                                              .plan = ascent->options.classifier.plan};
    const struct graft_slope_network network = graft_slope_of_classifier(ascent->classifier);
    const enum graft_status status = graft_slope_open(&network, &slope, &ascent->slope);
    if (status == GRAFT_OK)
        ascent->goals = (int32_t)(layer ? ascent->slope->channels : ascent->slope->goals);
    return status;
}

/* Other channels are another plan. */
static enum graft_status open_slope_of(struct graft_ascent *ascent, const int32_t *goals, int32_t count)
{
    bool same = ascent->slope != NULL;
    for (int32_t r = 0; r < ascent->batch && has_layer(&ascent->options); r++) {
        const int32_t channel = goals[r < count ? r : 0];
        same = same && ascent->picked[r] == channel;
        ascent->picked[r] = channel;
    }
    if (same)
        return GRAFT_OK;
    graft_slope_close(&ascent->slope);
    return open_slope(ascent);
}

enum graft_status graft_ascent_open(struct graft_device *device, const struct graft_ascent_options *options,
                                    struct graft_ascent **ascent)
{
    struct graft_context *const context = device->context;
    struct graft_ascent *made = graft_allocate(context, 1, sizeof *made);
    struct graft_classifier_options classifier = options->classifier;
    *ascent = NULL;
    if (!made)
        return GRAFT_ERROR_MEMORY;
    made->context = context;
    made->options = *options;
    made->batch = (int32_t)(classifier.batch > 0 ? classifier.batch : has_layer(options) ? 8 : 1);
    made->picked = graft_allocate(context, (size_t)made->batch, sizeof *made->picked);
    classifier.output = NULL;
    classifier.batch = 1;
    enum graft_status status =
        made->picked ? graft_classifier_open(device, &classifier, &made->classifier) : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK && !has_layer(options))
        status = graft_classifier_tells_classes(made->classifier, "the ideal picture of a class");
    if (status == GRAFT_OK) {
        made->channels = made->classifier->card.preprocess.channels;
        if (has_layer(options))
            status = choose_channel_size(made, options);
        else
            choose_class_size(made);
    }
    if (status == GRAFT_OK)
        status = resolve(made, options);
    if (status == GRAFT_OK)
        status = open_slope(made);
    if (status == GRAFT_OK)
        status = open_rows(made);
    if (status == GRAFT_OK)
        made->straight = graft_glance_straight(made->height, made->width, made->view_height, made->view_width);
    else
        graft_ascent_close(&made);
    *ascent = made;
    return status;
}

void graft_ascent_close(struct graft_ascent **ascent)
{
    struct graft_ascent *const old = *ascent;
    if (!old)
        return;
    for (int32_t r = 0; old->rows && r < old->batch; r++) {
        graft_octaves_close(&old->rows[r].octaves);
        graft_release(old->context, old->rows[r].slope);
        graft_release(old->context, old->rows[r].smooth);
    }
    graft_release(old->context, old->rows);
    graft_release(old->context, old->picked);
    graft_release(old->context, old->picture);
    graft_slope_close(&old->slope);
    graft_classifier_close(&old->classifier);
    graft_release(old->context, old);
    *ascent = NULL;
}

struct graft_classifier *graft_ascent_classifier(struct graft_ascent *ascent)
{
    return ascent->classifier;
}

int32_t graft_ascent_goals(const struct graft_ascent *ascent)
{
    return ascent->goals;
}

int32_t graft_ascent_batch(const struct graft_ascent *ascent)
{
    return ascent->batch;
}

int32_t graft_ascent_steps(const struct graft_ascent *ascent)
{
    return ascent->options.steps;
}

/* ---- a step */

void graft_ascent_picture(struct graft_ascent *ascent, int32_t row, struct graft_image *picture)
{
    const float *const pixels = ascent->rows[row].octaves->pixels;
    const int64_t numbers = (int64_t)ascent->height * ascent->width * ascent->channels;
    for (int64_t i = 0; i < numbers; i++)
        ascent->picture[i] = (uint8_t)lroundf(255 * pixels[i]);
    *picture = (struct graft_image){ascent->width, ascent->height, ascent->channels, ascent->picture};
}

/* Less at the end, so that what is there becomes sharp. */
static double jitter_at(const struct graft_ascent *ascent)
{
    const double left = 1 - (double)ascent->step / ascent->options.steps;
    return (double)ascent->options.jitter * fmin(1, 0.25 + 5 * left);
}

static double rate_at(const struct graft_ascent *ascent)
{
    const double left = 1 - (double)ascent->step / ascent->options.steps;
    return (double)ascent->options.rate * fmin(1, 0.1 + 3 * left);
}

/* The coarsest octave begins; all of them move from the middle on. */
static int first_octave(const struct graft_ascent *ascent, const struct graft_octaves *octaves)
{
    const double gone = 2.0 * ascent->step / ascent->options.steps;
    const int waiting = (int)(octaves->count * (1 - gone));
    return waiting < 0 ? 0 : waiting < octaves->count ? waiting : octaves->count - 1;
}

/* Among the numbers that the slope has for a picture. */
static int64_t place_of_goal(const struct graft_ascent *ascent, int64_t r)
{
    return has_layer(&ascent->options) ? r : ascent->rows[r].goal;
}

/* What is made large: a channel; or a class, less what comes near to it by the step before, so that a picture is not
 * as much one of its siblings. */
static void weigh(struct graft_ascent *ascent, int64_t r)
{
    struct graft_slope *const slope = ascent->slope;
    const int32_t goals = (int32_t)slope->goals;
    const int64_t goal = place_of_goal(ascent, r);
    float *const weights = slope->weights + r * goals;
    if (has_layer(&ascent->options) || ascent->step == 0) {
        memset(weights, 0, (size_t)goals * sizeof *weights);
        weights[goal] = 1;
        return;
    }
    graft_softmax_row(slope->logits + r * goals, goals, weights);
    for (int32_t i = 0; i < goals; i++)
        weights[i] = (i == goal ? 1.0f : 0.0f) - SIBLINGS * weights[i];
}

/* Pixels → the network's input, from aside. */
static void look(void *argument, int64_t r, int thread)
{
    struct graft_ascent *const ascent = argument;
    struct row *const row = &ascent->rows[r];
    const struct graft_preprocess *const p = &ascent->classifier->card.preprocess;
    float *const input = ascent->slope->input + r * ascent->slope->numbers;
    (void)thread;
    const uint64_t stream = ((uint64_t)row->goal << 32) + (uint64_t)ascent->step + 1; /* in any company the same */
    const int32_t side = ascent->height < ascent->width ? ascent->height : ascent->width;
    row->glance =
        graft_glance_draw(&ascent->straight, ascent->options.seed, stream, jitter_at(ascent), side);
    weigh(ascent, r);
    graft_octaves_render(row->octaves);
    graft_glance_see(&row->glance, row->octaves->pixels, ascent->height, ascent->width, ascent->channels,
                     ascent->view_height, ascent->view_width, input);
    for (int64_t i = 0; i < ascent->slope->numbers; i++) {
        const int64_t c = i % p->channels;
        input[i] = (input[i] - p->mean[c]) / p->std[c];
    }
}

/* The finest octave, part of the way to the mean of each pixel and its neighbours. */
static void smooth(struct row *row, float part)
{
    struct graft_octave *const fine = &row->octaves->octave[0];
    const int32_t height = fine->height, width = fine->width, channels = row->octaves->channels;
    const int64_t line = (int64_t)width * channels;
    memcpy(row->smooth, fine->values, (size_t)height * (size_t)line * sizeof(float));
    for (int32_t y = 0; y < height; y++)
        for (int64_t i = 0; i < line; i++) {
            const int64_t at = y * line + i;
            const float sum = row->smooth[y > 0 ? at - line : at] + row->smooth[y + 1 < height ? at + line : at] +
                              row->smooth[i >= channels ? at - channels : at] +
                              row->smooth[i + channels < line ? at + channels : at];
            fine->values[at] += part * (0.25f * sum - row->smooth[at]);
        }
}

/* The network's gradient → a step. */
static void climb(void *argument, int64_t r, int thread)
{
    struct graft_ascent *const ascent = argument;
    struct row *const row = &ascent->rows[r];
    const struct graft_preprocess *const p = &ascent->classifier->card.preprocess;
    float *const gradient = ascent->slope->gradients + r * ascent->slope->numbers;
    const int64_t numbers = (int64_t)ascent->height * ascent->width * ascent->channels;
    double squares = 0;
    (void)thread;
    for (int64_t i = 0; i < ascent->slope->numbers; i++)
        gradient[i] /= p->std[i % p->channels];
    graft_glance_back(&row->glance, gradient, ascent->view_height, ascent->view_width, ascent->channels,
                      ascent->height, ascent->width, row->slope);
    for (int64_t i = 0; i < numbers; i++)
        squares += (double)row->slope[i] * (double)row->slope[i];
    const double size = sqrt(squares / (double)numbers);
    const float scale = size > 0 && isfinite(size) ? (float)(1 / size) : 0;
    for (int64_t i = 0; i < numbers; i++)
        row->slope[i] = scale > 0 ? scale * row->slope[i] : 0;
    if (ascent->options.variation > 0)
        graft_add_variation_slope(row->octaves->pixels, ascent->height, ascent->width, ascent->channels,
                                  -(double)ascent->options.variation, row->slope);
    graft_octaves_step(row->octaves, row->slope, first_octave(ascent, row->octaves), rate_at(ascent), INERTIA);
    if (ascent->options.blur > 0)
        smooth(row, ascent->options.blur);
}

/* ---- a run */

static enum graft_status begin(struct graft_ascent *ascent, const int32_t *goals, int32_t count,
                               const struct graft_image *start)
{
    if (count < 1 || count > ascent->batch)
        return graft_fail(ascent->context, GRAFT_ERROR_ARGUMENT, "%d pictures at a time; use 1 to %d", count,
                          ascent->batch);
    for (int32_t r = 0; r < count; r++) {
        if (goals[r] < 0 || goals[r] >= ascent->goals)
            return graft_fail(ascent->context, GRAFT_ERROR_ARGUMENT, "%s %d; there are %d, from 0",
                              has_layer(&ascent->options) ? "channel" : "class", goals[r], ascent->goals);
        ascent->rows[r].goal = goals[r];
    }
    enum graft_status status = open_slope_of(ascent, goals, count);
    if (status != GRAFT_OK)
        return status;
    struct graft_slope *const slope = ascent->slope;
    memset(slope->weights, 0, (size_t)(slope->batch * slope->goals) * sizeof *slope->weights);
    if (!start) {
        for (int32_t r = 0; r < count; r++)
            graft_octaves_noise(ascent->rows[r].octaves, ascent->options.seed, (uint64_t)goals[r] << 32, START);
        return GRAFT_OK;
    }
    struct graft_preprocess p = ascent->classifier->card.preprocess;
    p.crop_height = ascent->height;
    p.crop_width = ascent->width;
    p.transforms =
        graft_transforms_usual(ascent->height < ascent->width ? ascent->width : ascent->height, GRAFT_FILTER_BILINEAR);
    status = graft_preprocess_image(ascent->context, &p, start, ascent->picture);
    for (int32_t r = 0; r < count && status == GRAFT_OK; r++)
        graft_octaves_picture(ascent->rows[r].octaves, ascent->picture);
    return status;
}

/* What the network says of the 8-bit pictures. */
static enum graft_status judge(struct graft_ascent *ascent, int32_t count, struct graft_ideal *ideals)
{
    struct graft_slope *const slope = ascent->slope;
    const int64_t numbers = (int64_t)ascent->height * ascent->width * ascent->channels;
    const struct graft_preprocess *const p = &ascent->classifier->card.preprocess;
    const int32_t classes = ascent->classifier->card.class_count;
    enum graft_status status = GRAFT_OK;
    for (int32_t r = 0; r < count && status == GRAFT_OK; r++) {
        struct graft_image picture;
        float *const levels = ascent->rows[r].slope;
        graft_ascent_picture(ascent, r, &picture);
        for (int64_t i = 0; i < numbers; i++)
            levels[i] = (float)((double)ascent->picture[i] / 255);
        float *const input = slope->input + r * slope->numbers;
        graft_glance_see(&ascent->straight, levels, ascent->height, ascent->width, ascent->channels,
                         ascent->view_height, ascent->view_width, input);
        for (int64_t i = 0; i < slope->numbers; i++)
            input[i] = (input[i] - p->mean[i % p->channels]) / p->std[i % p->channels];
        ideals[r].predicted = -1;
        ideals[r].probability = 0;
        if (has_layer(&ascent->options))
            continue;
        float *const logits = graft_allocate(ascent->context, 2 * (size_t)classes, sizeof *logits);
        if (!logits)
            return GRAFT_ERROR_MEMORY;
        status = graft_classifier_image(ascent->classifier, &picture, logits);
        if (status == GRAFT_OK) {
            graft_softmax_row(logits, classes, logits + classes);
            graft_top_k(logits, classes, 1, &ideals[r].predicted);
            ideals[r].probability = logits[classes + ideals[r].goal];
        }
        graft_release(ascent->context, logits);
    }
    if (status == GRAFT_OK)
        status = graft_slope_run(slope);
    for (int32_t r = 0; r < count && status == GRAFT_OK; r++)
        ideals[r].score = slope->scores[r * slope->goals + place_of_goal(ascent, r)];
    return status;
}

enum graft_status graft_ascent_run(struct graft_ascent *ascent, const int32_t *goals, int32_t count,
                                   const struct graft_image *start, graft_ascent_watch *watch, void *user,
                                   struct graft_ideal *ideals)
{
    struct graft_pool *const pool = graft_context_pool(ascent->context);
    enum graft_status status = pool ? begin(ascent, goals, count, start) : GRAFT_ERROR_MEMORY;
    for (int32_t r = 0; r < count && status == GRAFT_OK; r++)
        ideals[r].goal = goals[r];
    for (ascent->step = 0; status == GRAFT_OK; ascent->step++) {
        graft_pool_run(pool, count, look, ascent);
        if (watch)
            status = watch(user, ascent, ascent->step);
        if (status == GRAFT_OK && graft_context_cancelled(ascent->context))
            status = graft_fail(ascent->context, GRAFT_ERROR_CANCELLED, "cancelled after %d steps of %d", ascent->step,
                                ascent->options.steps);
        if (status != GRAFT_OK || ascent->step == ascent->options.steps)
            break;
        status = graft_slope_run(ascent->slope);
        if (status == GRAFT_OK)
            graft_pool_run(pool, count, climb, ascent);
    }
    return status == GRAFT_OK ? judge(ascent, count, ideals) : status;
}
