/* SPDX-License-Identifier: MIT */
/* What a network says of each picture: how sure it is, and whether that can be relied on. */
#include "base/context.h"
#include "graft/run.h"
#include "run/scored.h"

#include <math.h>

static struct graft_prediction judge(const float *logits, int32_t classes, int32_t label)
{
    struct graft_prediction made = {.label = label};
    double sum = 0, second = -INFINITY;
    for (int32_t c = 1; c < classes; c++) {
        made.predicted = logits[c] > logits[made.predicted] ? c : made.predicted;
    }
    const double largest = (double)logits[made.predicted];
    for (int32_t c = 0; c < classes; c++) {
        sum += exp((double)logits[c] - largest);
        second = c == made.predicted ? second : fmax(second, (double)logits[c]);
    }
    made.loss = largest + log(sum) - (double)logits[label];
    made.truth = exp((double)logits[label] - largest) / sum;
    made.confidence = 1 / sum;
    made.second = exp(second - largest) / sum;
    made.last = exp((double)logits[classes - 1] - largest) / sum;
    return made;
}

enum graft_status graft_predictions_add(struct graft_context *context, struct graft_predictions *predictions,
                                        const float *logits, int32_t classes, int32_t label, int split,
                                        int64_t index)
{
    if (predictions->count == predictions->capacity) {
        const int64_t capacity = predictions->capacity * 2 + 64;
        void *const items = graft_reallocate(context, predictions->items, (size_t)predictions->count,
                                             (size_t)capacity, sizeof *predictions->items);
        if (items == NULL) {
            return GRAFT_ERROR_MEMORY;
        }
        predictions->items = items;
        predictions->capacity = capacity;
    }
    struct graft_prediction *const made = &predictions->items[predictions->count++];
    *made = judge(logits, classes, label);
    made->split = split;
    made->index = index;
    predictions->classes = classes;
    return GRAFT_OK;
}

void graft_predictions_close(struct graft_context *context, struct graft_predictions *predictions)
{
    graft_release(context, predictions->items);
    *predictions = (struct graft_predictions){0};
}

/* ---- calibration */

void graft_calibrate(const struct graft_predictions *predictions, struct graft_calibration *calibration)
{
    *calibration = (struct graft_calibration){.error = predictions->count > 0 ? 0 : (double)NAN};
    for (int64_t i = 0; i < predictions->count; i++) {
        const struct graft_prediction *const one = &predictions->items[i];
        const double place = ceil(one->confidence * GRAFT_CALIBRATION_BINS) - 1;
        struct graft_calibration_bin *const bin =
            &calibration->bins[(int)fmin(fmax(place, 0), GRAFT_CALIBRATION_BINS - 1)];
        bin->images++;
        bin->confidence += one->confidence;
        bin->accuracy += one->predicted == one->label;
    }
    for (int b = 0; b < GRAFT_CALIBRATION_BINS; b++) {
        struct graft_calibration_bin *const bin = &calibration->bins[b];
        const double images = bin->images > 0 ? (double)bin->images : (double)NAN;
        bin->confidence /= images;
        bin->accuracy /= images;
        if (bin->images > 0) {
            const double gap = fabs(bin->accuracy - bin->confidence);
            calibration->error += images / (double)predictions->count * gap;
            calibration->largest = fmax(calibration->largest, gap);
        }
    }
}

struct graft_coverage graft_coverage_at(const struct graft_predictions *predictions, double threshold)
{
    struct graft_coverage coverage = {.threshold = threshold, .images = predictions->count};
    int64_t right = 0;
    for (int64_t i = 0; i < predictions->count; i++) {
        const struct graft_prediction *const one = &predictions->items[i];
        const bool sure = one->confidence >= threshold;
        coverage.sure += sure;
        right += sure && one->predicted == one->label;
    }
    coverage.coverage = coverage.images > 0 ? (double)coverage.sure / (double)coverage.images : (double)NAN;
    coverage.accuracy = coverage.sure > 0 ? (double)right / (double)coverage.sure : (double)NAN;
    return coverage;
}

/* ---- two classes, ranked */

static void add_point(struct graft_ranking *ranking, int64_t taken, int64_t hits, int64_t positives,
                      int64_t negatives)
{
    const int64_t at = ranking->count++;
    ranking->recall[at] = positives > 0 ? (double)hits / (double)positives : (double)NAN;
    ranking->false_positive[at] = negatives > 0 ? (double)(taken - hits) / (double)negatives : (double)NAN;
    ranking->precision[at] = taken > 0 ? (double)hits / (double)taken : 1;
    if (at > 0) {
        ranking->auc += (ranking->false_positive[at] - ranking->false_positive[at - 1]) *
                        (ranking->recall[at] + ranking->recall[at - 1]) / 2;
    }
}

static void add_points(struct graft_ranking *ranking, struct graft_scored *scored, int64_t count)
{
    struct graft_scored_walk walk = {.scored = scored, .count = count};
    int64_t positives = 0;
    for (int64_t i = 0; i < count; i++) {
        positives += scored[i].positive;
    }
    add_point(ranking, 0, 0, positives, count - positives);
    graft_scored_begin(&walk);
    while (graft_scored_next(&walk)) {
        add_point(ranking, walk.taken, walk.hits, positives, count - positives);
    }
    ranking->average_precision = positives > 0 ? walk.precisions / (double)positives : (double)NAN;
    ranking->auc = count > 0 ? ranking->auc : (double)NAN;
}

enum graft_status graft_rank(struct graft_context *context, const struct graft_predictions *predictions,
                             int32_t positive, struct graft_ranking *ranking)
{
    const size_t count = (size_t)predictions->count;
    *ranking = (struct graft_ranking){.positive = positive};
    if (predictions->classes != 2 || positive < 0 || positive > 1) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "two classes can be ranked, not %d",
                          (int)predictions->classes);
    }
    struct graft_scored *const scored = graft_allocate(context, count + 1, sizeof *scored);
    ranking->false_positive = graft_allocate(context, count + 1, sizeof(double));
    ranking->recall = graft_allocate(context, count + 1, sizeof(double));
    ranking->precision = graft_allocate(context, count + 1, sizeof(double));
    if (!scored || !ranking->false_positive || !ranking->recall || !ranking->precision) {
        graft_release(context, scored);
        graft_ranking_close(context, ranking);
        return GRAFT_ERROR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        /* By the same number for both classes, so that equal scores are equal from both sides. */
        const double last = predictions->items[i].last;
        scored[i] = (struct graft_scored){positive == 1 ? last : -last, predictions->items[i].label == positive};
    }
    add_points(ranking, scored, (int64_t)count);
    graft_release(context, scored);
    return GRAFT_OK;
}

void graft_ranking_close(struct graft_context *context, struct graft_ranking *ranking)
{
    graft_release(context, ranking->false_positive);
    graft_release(context, ranking->recall);
    graft_release(context, ranking->precision);
    *ranking = (struct graft_ranking){0};
}
