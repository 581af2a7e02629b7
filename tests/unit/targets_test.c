/* SPDX-License-Identifier: MIT */
/* Figures of labels and numbers against scikit-learn (targets_expected.py), and what outputs say. */
#include "run/run.h"
#include "support/support.h"
#include "targets_expected.h"

#include <math.h>

static void near(double got, double wanted, double tolerance, const char *what)
{
    if (!(fabs(got - wanted) <= tolerance * (1 + fabs(wanted)))) {
        fail_msg("%s: %.12g is not near %.12g", what, got, wanted);
    }
}

static void open_labels(struct graft_context *context, const float *limits, bool chooses,
                        struct graft_evaluation *e)
{
    const struct graft_target target = {
        .task = GRAFT_TASK_LABELS, .loss = GRAFT_LOSS_SIGMOID, .thresholds = limits};
    assert_int_equal(graft_evaluation_open_target(context, &target, LABELS, IMAGES, e), GRAFT_OK);
    e->chooses = chooses;
    for (int i = 0; i < IMAGES; i++) {
        graft_evaluation_add_targets(e, logits[i], truth[i]);
    }
    graft_evaluation_finish(e);
}

static void labels_are_judged_as_by_scikit_learn(void **state)
{
    struct graft_evaluation e;
    double sum = 0;
    open_labels(*state, thresholds, false, &e);
    assert_true(e.images == IMAGES && e.confusion == NULL);
    near(e.loss, label_loss, 1e-6, "loss");
    for (int c = 0; c < LABELS; c++) {
        const bool known = c < 3; /* of the last there is no picture */
        near(e.figures[c].threshold, (double)thresholds[c], 0, "threshold");
        near(e.figures[c].precision, precision[c], 1e-12, "precision");
        near(e.figures[c].recall, recall[c], 1e-12, "recall");
        near(e.figures[c].f1, f1[c], 1e-12, "f1");
        if (known) {
            near(e.figures[c].average_precision, average_precision[c], 1e-12, "average precision");
        }
        assert_true(isnan(e.figures[c].average_precision) == !known);
        sum += known ? average_precision[c] : 0;
    }
    near(e.map, sum / 3, 1e-12, "mean average precision");
    near(graft_evaluation_figure(&e), e.map, 0, "figure");
    graft_evaluation_add_targets(&e, logits[0], truth[0]); /* there is room for no more */
    assert_int_equal(e.images, IMAGES);
    graft_evaluation_close(*state, &e);
}

static void the_best_thresholds_are_found(void **state)
{
    struct graft_evaluation e, again;
    float chosen[LABELS];
    open_labels(*state, NULL, true, &e);
    for (int c = 0; c < LABELS; c++) {
        near(e.figures[c].f1, c < 3 ? best_f1[c] : 0, 1e-12, "the highest f1");
        chosen[c] = (float)e.figures[c].threshold;
        assert_true(chosen[c] > 0 && chosen[c] < 1);
    }
    near(e.figures[3].threshold, 0.5, 0, "without a picture");
    open_labels(*state, chosen, false, &again); /* they give the same when they are given */
    for (int c = 0; c < LABELS; c++) {
        near(again.figures[c].f1, e.figures[c].f1, 0, "f1 again");
    }
    graft_evaluation_close(*state, &e);
    graft_evaluation_close(*state, &again);
    open_labels(*state, NULL, false, &e);
    near(e.figures[0].threshold, 0.5, 0, "neither given nor chosen");
    graft_evaluation_close(*state, &e);
}

static void numbers_are_judged_as_by_scikit_learn(void **state)
{
    struct graft_target target = {
        .task = GRAFT_TASK_NUMBER, .loss = GRAFT_LOSS_L2, .mean = mean, .deviation = deviation};
    double sums[3] = {0};
    for (int i = 0; i < IMAGES; i++) {
        const double d = fabs((double)outputs[i] - ((double)numbers[i] - mean) / deviation);
        sums[0] += d * d / IMAGES;
        sums[1] += d / IMAGES;
        sums[2] += (d < 1 ? d * d / 2 : d - 0.5) / IMAGES;
    }
    for (int k = 0; k < 3; k++) {
        struct graft_evaluation e;
        target.loss = (enum graft_loss)(GRAFT_LOSS_L2 + k);
        assert_int_equal(graft_evaluation_open_target(*state, &target, 1, IMAGES, &e), GRAFT_OK);
        for (int i = 0; i < IMAGES; i++) {
            graft_evaluation_add_targets(&e, &outputs[i], &numbers[i]);
        }
        graft_evaluation_finish(&e);
        near(e.loss, sums[k], 1e-9, "loss"); /* L2, L1, Huber */
        near(e.mae, mae, 1e-6, "mae");
        near(e.rmse, rmse, 1e-6, "rmse");
        near(e.r2, r2, 1e-6, "r2");
        near(graft_evaluation_figure(&e), e.r2, 0, "figure");
        graft_evaluation_close(*state, &e);
    }
}

static void outputs_are_read(void **state)
{
    const float raw[] = {0, 200, -200, 1};
    float values[4];
    (void)state;
    struct graft_target target = {.task = GRAFT_TASK_LABELS,
                                  .thresholds = (const float[]){0.5f, 1, 0, 0.74f}};
    graft_target_read(&target, raw, 4, values);
    assert_true(values[0] == 0.5f && values[1] == 1 && values[2] == 0);
    near((double)values[3], 1 / (1 + exp(-1)), 1e-7, "sigmoid");
    assert_true(graft_target_applies(&target, 0, 0.5) &&
                !graft_target_applies(&target, 3, (double)values[3]));
    target = (struct graft_target){.task = GRAFT_TASK_NUMBER, .mean = -3, .deviation = 0.5};
    graft_target_read(&target, raw, 2, values);
    assert_true(values[0] == -3 && values[1] == 97);
    target = (struct graft_target){0}; /* classes */
    graft_target_read(&target, raw, 2, values);
    assert_true(values[1] == 1 && values[0] == 0);
}

static void names_are_found(void **state)
{
    enum graft_task_kind task;
    enum graft_loss loss;
    for (int i = GRAFT_TASK_CLASSES; i <= GRAFT_TASK_NUMBER; i++) {
        assert_int_equal(graft_task_find(*state, graft_task_info((enum graft_task_kind)i)->name, &task),
                         GRAFT_OK);
        assert_int_equal(task, i);
    }
    for (int i = 0; graft_loss_name((enum graft_loss)i); i++) {
        assert_int_equal(graft_loss_find(*state, graft_loss_name((enum graft_loss)i), &loss), GRAFT_OK);
        assert_int_equal(loss, i);
    }
    assert_int_equal(graft_task_find(*state, "naming", &task), GRAFT_ERROR_NOT_FOUND);
    assert_non_null(strstr(graft_context_error(*state), "classes, labels or number"));
    assert_int_equal(graft_loss_find(*state, "l3", &loss), GRAFT_ERROR_NOT_FOUND);
    assert_null(graft_loss_name((enum graft_loss) - 1));
    assert_string_equal(graft_task_info((enum graft_task_kind)99)->name, "classes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_judged_as_by_scikit_learn),
        cmocka_unit_test(the_best_thresholds_are_found),
        cmocka_unit_test(numbers_are_judged_as_by_scikit_learn),
        cmocka_unit_test(outputs_are_read),
        cmocka_unit_test(names_are_found),
    };
    return cmocka_run_group_tests_name("targets", tests, test_open_context, test_close_context);
}
