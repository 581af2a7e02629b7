/* SPDX-License-Identifier: MIT */
/* How sure a network is, whether that can be relied on, and how well it ranks two classes: against numbers
 * worked out by hand from the definitions. */
#include "graft/run.h"
#include "support/support.h"

#include <math.h>

/* Two classes; the last one has so much of the probability. */
static void add(struct graft_context *context, struct graft_predictions *predictions, double last,
                int32_t label)
{
    const float logits[2] = {0, (float)log(last / (1 - last))};
    assert_int_equal(graft_predictions_add(context, predictions, logits, 2, label, 1, predictions->count),
                     GRAFT_OK);
}

static void a_picture_is_judged_by_its_logits(void **state)
{
    struct graft_context *const context = *state;
    struct graft_predictions p = {0};
    const float logits[4] = {logf(2), logf(4), 0, logf(3)}; /* 0.2, 0.4, 0.1, 0.3 */
    assert_int_equal(graft_predictions_add(context, &p, logits, 4, 3, 2, 17), GRAFT_OK);
    const struct graft_prediction *const one = &p.items[0];
    assert_true(p.count == 1 && p.classes == 4 && one->split == 2 && one->index == 17);
    assert_true(one->label == 3 && one->predicted == 1);
    assert_true(fabs(one->truth - 0.3) < 1e-7 && fabs(one->loss + log(0.3)) < 1e-6);
    assert_true(fabs(one->confidence - 0.4) < 1e-7 && fabs(one->second - 0.3) < 1e-7 &&
                fabs(one->last - 0.3) < 1e-7);
    const float far[2] = {0, 200}; /* what f32 cannot hold as a probability */
    assert_int_equal(graft_predictions_add(context, &p, far, 2, 0, 0, 0), GRAFT_OK);
    assert_true(p.items[1].loss == 200 && p.items[1].confidence == 1);
    graft_predictions_close(context, &p);
}

/* Bins are open below and closed above; a bin counts by its share. */
static void calibration_is_as_defined(void **state)
{
    struct graft_context *const context = *state;
    struct graft_predictions p = {0};
    struct graft_calibration c;
    graft_calibrate(&p, &c);
    assert_true(isnan(c.error) && c.bins[7].images == 0 && isnan(c.bins[7].accuracy));
    for (int i = 0; i < 4; i++)
        add(context, &p, 0.75, i < 3); /* 0.75 sure and 3 of 4 right: bin 12, (11/15, 12/15] */
    add(context, &p, 0.05, 1);         /* 0.95 sure and wrong: the last bin */
    graft_calibrate(&p, &c);
    assert_true(c.bins[11].images == 4 && fabs(c.bins[11].confidence - 0.75) < 1e-7 &&
                c.bins[11].accuracy == 0.75);
    assert_true(c.bins[14].images == 1 && c.bins[14].accuracy == 0);
    assert_true(fabs(c.error - 0.95 / 5) < 1e-7 && fabs(c.largest - 0.95) < 1e-7);
    graft_predictions_close(context, &p);
    const float even[3] = {1, 1, 1}; /* a third: (4/15, 5/15] holds 5/15 */
    assert_int_equal(graft_predictions_add(context, &p, even, 3, 0, 0, 0), GRAFT_OK);
    graft_calibrate(&p, &c);
    assert_int_equal(c.bins[4].images, 1);
    graft_predictions_close(context, &p);
}

static void what_is_unsure_is_left_out(void **state)
{
    struct graft_context *const context = *state;
    struct graft_predictions p = {0};
    const float even[2] = {3, 3};
    add(context, &p, 0.9, 1);
    add(context, &p, 0.8, 0);
    add(context, &p, 0.3, 0);
    assert_int_equal(graft_predictions_add(context, &p, even, 2, 0, 0, 0), GRAFT_OK);
    const struct graft_coverage all = graft_coverage_at(&p, 0.5), some = graft_coverage_at(&p, 0.75),
                                none = graft_coverage_at(&p, 1);
    assert_true(all.sure == 4 && all.coverage == 1 && all.accuracy == 0.75); /* 0.5 is enough for 0.5 */
    assert_true(some.sure == 2 && some.coverage == 0.5 && some.accuracy == 0.5);
    assert_true(none.sure == 0 && none.coverage == 0 && isnan(none.accuracy) && none.images == 4);
    graft_predictions_close(context, &p);
}

/* Scores 0.9+ 0.8− 0.7+ 0.7− 0.7+ 0.2−: three equal ones are one point. */
static void two_classes_are_ranked(void **state)
{
    struct graft_context *const context = *state;
    struct graft_predictions p = {0};
    struct graft_ranking r;
    static const double scores[6] = {0.7, 0.2, 0.9, 0.7, 0.8, 0.7};
    static const int32_t labels[6] = {1, 0, 1, 0, 0, 1};
    for (int i = 0; i < 6; i++)
        add(context, &p, scores[i], labels[i]);
    assert_int_equal(graft_rank(context, &p, 1, &r), GRAFT_OK);
    static const double rates[5] = {0, 0, 1 / 3.0, 2 / 3.0, 1}, recalls[5] = {0, 1 / 3.0, 1 / 3.0, 1, 1},
                        precisions[5] = {1, 1, 0.5, 0.6, 0.5};
    assert_int_equal(r.count, 5);
    for (int i = 0; i < 5; i++)
        assert_true(fabs(r.false_positive[i] - rates[i]) < 1e-12 && fabs(r.recall[i] - recalls[i]) < 1e-12 &&
                    fabs(r.precision[i] - precisions[i]) < 1e-12);
    /* Of nine pairs: won 3 by 0.9, 1.5 + … : 0.9 beats 3; each 0.7+ beats 0.2, ties 0.7, loses to 0.8. */
    assert_true(fabs(r.auc - (3 + 1.5 + 1.5) / 9) < 1e-12);
    assert_true(fabs(r.average_precision - (1 / 3.0 + 2 / 3.0 * 0.6)) < 1e-12);
    graft_ranking_close(context, &r);
    assert_int_equal(graft_rank(context, &p, 0, &r), GRAFT_OK);
    assert_true(r.count == 5 && fabs(r.auc - 6 / 9.0) < 1e-12); /* the same pairs */
    /* 0.2: 1/1; the three equal: 2 of 4; 0.8: 3 of 5 */
    assert_true(fabs(r.average_precision - (1 / 3.0 + 1 / 3.0 * 0.5 + 1 / 3.0 * 0.6)) < 1e-12);
    graft_ranking_close(context, &r);
    graft_predictions_close(context, &p);
}

static void what_cannot_be_ranked_is_told(void **state)
{
    struct graft_context *const context = *state;
    struct graft_predictions p = {0};
    struct graft_ranking r;
    const float three[3] = {0, 1, 2};
    add(context, &p, 0.5, 1);
    assert_int_equal(graft_rank(context, &p, 1, &r), GRAFT_OK);
    assert_true(isnan(r.auc) && r.average_precision == 1); /* no picture of the other class */
    graft_ranking_close(context, &r);
    assert_int_equal(graft_rank(context, &p, 0, &r), GRAFT_OK);
    assert_true(isnan(r.auc) && isnan(r.average_precision));
    graft_ranking_close(context, &r);
    graft_predictions_close(context, &p);
    assert_int_equal(graft_predictions_add(context, &p, three, 3, 0, 0, 0), GRAFT_OK);
    assert_int_equal(graft_rank(context, &p, 1, &r), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(context), "two classes can be ranked, not 3"));
    graft_predictions_close(context, &p);
}

static int open_context(void **state)
{
    return graft_context_open(&(struct graft_context_options){.threads = 1},
                              (struct graft_context **)state) == GRAFT_OK
               ? 0
               : -1;
}

static int close_context(void **state)
{
    graft_context_close((struct graft_context **)state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_is_judged_by_its_logits), cmocka_unit_test(calibration_is_as_defined),
        cmocka_unit_test(what_is_unsure_is_left_out),        cmocka_unit_test(two_classes_are_ranked),
        cmocka_unit_test(what_cannot_be_ranked_is_told),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
