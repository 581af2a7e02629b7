/* SPDX-License-Identifier: MIT */
/*
 * Attacks: the way of slopes back through resizes and crops against the pictures that these make; changes within their
 * radius; what a changed 8-bit picture is seen as, by a classifier that knows nothing of attacks.
 */
#include "data/transform.h"
#include "explain/adversary.h"
#include "explain/change.h"
#include "explain/through.h"
#include "sure_fixture.h"

#include <math.h>
#include <stdlib.h>

#define WIDTH 90
#define HEIGHT 70

struct fixture {
    struct sure sure;
    uint8_t pixels[2][HEIGHT * WIDTH * 3];
};

static int open_fixture(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    open_sure(&f->sure);
    for (int p = 0; p < 2; p++) {
        for (int i = 0; i < HEIGHT * WIDTH * 3; i++) {
            const int x = i / 3 % WIDTH, y = i / 3 / WIDTH;
            f->pixels[p][i] = (uint8_t)(128 + 60 * sin(0.1 * (p + 1) * x + i % 3) + 60 * cos(0.07 * y * (2 - p) + p));
        }
    }
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *const f = *state;
    close_sure(&f->sure);
    free(f);
    return 0;
}

static double dot(const float *a, const uint8_t *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)a[i] * b[i];
    }
    return sum;
}

/*
 * The slope of one number of the input at the picture is the row of weights that the number is made of: their sum over
 * the picture is that number, but for the rounding of each pass (half a level, and through a negative lobe some more).
 */
static void check_way(struct fixture *f, const struct graft_preprocess *p, int32_t width, int32_t height)
{
    static uint8_t picture[100 * 100 * 3], input[40 * 40 * 3];
    static float slope[40 * 40 * 3], back[100 * 100 * 3];
    const struct graft_image image = {width, height, p->channels, picture};
    const int count = p->crop_height * p->crop_width * p->channels;
    struct graft_through *through = NULL;
    for (int i = 0; i < width * height * p->channels; i++) {
        picture[i] = (uint8_t)(64 + i * 97 % 128); /* nothing is cut off behind a negative lobe */
    }
    assert_int_equal(graft_preprocess_image(f->sure.context, p, &image, input), GRAFT_OK);
    assert_int_equal(graft_through_open(f->sure.context, p, width, height, &through), GRAFT_OK);
    for (int i = 0; i < count; i += 41) {
        memset(slope, 0, sizeof slope);
        slope[i] = 1;
        graft_through_back(through, slope, back);
        const double expected = fmin(fmax(dot(back, picture, (int64_t)width * height * p->channels), 0), 255);
        if (fabs(expected - input[i]) > 1.5) {
            fail_msg("%d x %d by %s, number %d: %g, not %d", width, height, graft_filter_name(p->transforms.steps[0].resize.filter), i, expected, input[i]);
        }
    }
    graft_through_close(&through);
}

static void slopes_go_back_through_preprocessing(void **state)
{
    struct fixture *const f = *state;
    static const enum graft_filter filters[] = {GRAFT_FILTER_BILINEAR, GRAFT_FILTER_NEAREST, GRAFT_FILTER_BOX,
                                                GRAFT_FILTER_LANCZOS};
    for (int32_t channels = 1; channels <= 3; channels += 2) {
        struct graft_preprocess p = graft_preprocess_imagenet();
        p.channels = channels;
        for (int k = 0; k < 4; k++) {
            p.crop_height = 28;
            p.crop_width = 33;
            p.transforms = graft_transforms_usual(37, filters[k]);
            check_way(f, &p, 61, 50);
            check_way(f, &p, 45, 99);
            check_way(f, &p, 20, 23); /* enlarged */
            p.transforms = graft_transforms_usual(0, filters[k]); /* stretched */
            check_way(f, &p, 100, 31);
        }
        p.transforms = graft_transforms_usual(20, GRAFT_FILTER_BILINEAR); /* padded */
        check_way(f, &p, 80, 40);
        p.transforms = (struct graft_transforms){
            .count = 3,
            .steps = {{.kind = GRAFT_TRANSFORM_RESIZE, .resize = {.short_side = 60}},
                      {.kind = GRAFT_TRANSFORM_RESIZE, .resize = {.short_side = 40}},
                      {.kind = GRAFT_TRANSFORM_CENTER_CROP}}};
        check_way(f, &p, 97, 83);
    }
}

static void changes_keep_within_their_radius(void **state)
{
    struct fixture *const f = *state;
    enum { COUNT = 3000 };
    static uint8_t original[COUNT], result[COUNT];
    struct graft_change change;
    assert_int_equal(graft_change_open(f->sure.context, COUNT, &change), GRAFT_OK);
    for (int i = 0; i < COUNT; i++) {
        original[i] = (uint8_t)(i * 89 % 256);
    }
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < COUNT; i++) {
            change.slope[i] = i % 11 == 0 ? 0 : (float)(sin(i * 1.7 + round) / (1 + i % 50));
        }
        graft_change_step_linf(&change, original, 3, round == 0 ? 1 : 0.5, result);
        assert_true(graft_change_largest(original, result, COUNT) == 3);
        for (int i = 0; i < COUNT && round == 0; i++) { /* all the way, but for the ends of the levels */
            const int by = change.slope[i] > 0 ? 3 : change.slope[i] < 0 ? -3 : 0;
            const int to = original[i] + by;
            assert_int_equal(result[i], to < 0 ? 0 : to > 255 ? 255 : to);
        }
    }
    static const double radii[] = {1, 2.5, 20, 300};
    for (int k = 0; k < 4; k++) {
        graft_change_clear(&change);
        graft_change_step_l2(&change, original, radii[k], 1, result);
        const double size = graft_change_size(original, result, COUNT);
        assert_true(size <= radii[k] && size >= 0.95 * floor(radii[k]));
    }
    /* One level: it goes where the slope is the largest. */
    graft_change_clear(&change);
    graft_change_step_l2(&change, original, 1, 1, result);
    for (int i = 0; i < COUNT; i++) {
        if (result[i] != original[i]) {
            for (int other = 0; other < COUNT; other++) {
                const bool room = change.slope[other] > 0 ? original[other] < 255 : original[other] > 0;
                assert_true(!room || fabsf(change.slope[other]) <= fabsf(change.slope[i]) * 1.0001f);
            }
        }
    }
    memset(change.slope, 0, COUNT * sizeof *change.slope);
    graft_change_clear(&change);
    graft_change_step_l2(&change, original, 5, 1, result);
    assert_memory_equal(original, result, COUNT);
    graft_change_close(&change);
}

/* ---- whole attacks */

static struct graft_attack *open(struct fixture *f, struct graft_device *device, struct graft_attack_options options)
{
    struct graft_attack *attack = NULL;
    options.classifier.network = "tiny_convnet";
    options.classifier.weights = f->sure.weights;
    options.classifier.batch = 2;
    if (graft_attack_open(device, &options, &attack) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(f->sure.context));
    }
    return attack;
}

/* Both pictures; what is told is so by the pixels and by what the classifier says of them. */
static void run(struct fixture *f, struct graft_attack *attack, int32_t target, double epsilon, bool l2,
                struct graft_attacked attacked[2])
{
    struct graft_image images[2];
    for (int p = 0; p < 2; p++) {
        images[p] = (struct graft_image){WIDTH, HEIGHT, 3, f->pixels[p]};
    }
    assert_int_equal(graft_attack_run(attack, images, 2, target, attacked), GRAFT_OK);
    for (int p = 0; p < 2; p++) {
        const struct graft_attacked *const a = &attacked[p];
        struct graft_image changed = images[p];
        float logits[SURE_CLASSES], shares[SURE_CLASSES];
        double squares = 0, largest = 0;
        int32_t best;
        changed.pixels = (uint8_t *)a->pixels;
        assert_int_equal(graft_classifier_image(graft_attack_classifier(attack), &changed, logits), GRAFT_OK);
        graft_softmax_row(logits, SURE_CLASSES, shares);
        graft_top_k(logits, SURE_CLASSES, 1, &best);
        assert_int_equal(a->after, best);
        assert_true(fabsf(a->after_share - shares[best]) < 1e-6f);
        assert_int_equal(a->succeeded, target < 0 ? best != a->before : best == target);
        for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
            const double by = (a->pixels[i] - f->pixels[p][i]) / 255.0;
            squares += by * by;
            largest = fmax(largest, fabs(by));
        }
        assert_true(fabs(a->linf - largest) < 1e-9 && fabs(a->l2 - sqrt(squares)) < 1e-9);
        assert_true(squares == 0 || fabs(a->psnr + 10 * log10(squares / (WIDTH * HEIGHT * 3))) < 1e-9);
        assert_true((l2 ? a->l2 : a->linf) <= epsilon + 1e-9);
    }
}

static void attacks_succeed_within_epsilon(void **state)
{
    struct fixture *const f = *state;
    struct graft_attacked pgd[2], fgsm[2], l2[2];
    struct graft_attack *attack = open(f, f->sure.cpu, (struct graft_attack_options){.epsilon = 8 / 255.0});
    run(f, attack, -1, 8 / 255.0, false, pgd);
    graft_attack_close(&attack);
    attack = open(f, f->sure.cpu, (struct graft_attack_options){.epsilon = 8.9 / 255, .method = GRAFT_ATTACK_FGSM});
    assert_true(fabs(graft_attack_epsilon(attack) - 8 / 255.0) < 1e-9); /* whole levels */
    run(f, attack, -1, 8 / 255.0, false, fgsm);
    graft_attack_close(&attack);
    attack = open(f, f->sure.cpu, (struct graft_attack_options){.epsilon = 3, .norm = GRAFT_ATTACK_L2});
    run(f, attack, -1, 3, true, l2);
    graft_attack_close(&attack);
    for (int p = 0; p < 2; p++) {
        assert_true(pgd[p].succeeded && l2[p].succeeded);
        assert_true(fgsm[p].looks <= 2 && fgsm[p].before == pgd[p].before);
        assert_true(fabs(fgsm[p].linf - 8 / 255.0) < 1e-9);
    }
}

/* One level less, and the same attack finds nothing. */
static void minimal_is_the_least(void **state)
{
    struct fixture *const f = *state;
    static const char *const names[] = {"cpu", "reference", "opencl:0"};
    double found[2] = {0};
    for (int d = 0; d < 3; d++) {
        struct graft_device *device = NULL;
        struct graft_attacked least[2], less[2];
        if (graft_device_open(f->sure.context, names[d], &device) != GRAFT_OK) {
            print_message("%s: skipped, it is not there\n", names[d]);
            continue;
        }
        struct graft_attack *attack =
            open(f, device, (struct graft_attack_options){.method = GRAFT_ATTACK_MINIMAL, .steps = 10});
        run(f, attack, -1, 32 / 255.0, false, least);
        for (int p = 0; p < 2; p++) {
            assert_true(least[p].succeeded && least[p].linf > 0);
            assert_true(d == 0 || fabs(found[p] - least[p].linf) < 1e-9);
            found[p] = least[p].linf;
        }
        graft_attack_close(&attack);
        for (int p = 0; p < 2 && d == 0; p++) {
            if (found[p] * 255 < 1.5) {
                continue;
            }
            attack = open(f, device, (struct graft_attack_options){.epsilon = found[p] - 1 / 255.0, .steps = 10});
            run(f, attack, -1, found[p] - 1 / 255.0, false, less);
            assert_false(less[p].succeeded);
            graft_attack_close(&attack);
        }
        graft_device_close(&device);
    }
    struct graft_attacked l2[2];
    struct graft_attack *attack = open(
        f, f->sure.cpu,
        (struct graft_attack_options){.method = GRAFT_ATTACK_MINIMAL, .norm = GRAFT_ATTACK_L2, .steps = 10});
    run(f, attack, -1, 16, true, l2);
    graft_attack_close(&attack);
    attack = open(f, f->sure.cpu,
                  (struct graft_attack_options){.epsilon = 0.9 * l2[0].l2, .norm = GRAFT_ATTACK_L2, .steps = 10});
    assert_true(l2[0].succeeded && l2[1].succeeded && l2[0].l2 < 16);
    struct graft_attacked less[2];
    run(f, attack, -1, 0.9 * l2[0].l2, true, less);
    assert_false(less[0].succeeded);
    graft_attack_close(&attack);
}

static void a_class_is_aimed_at(void **state)
{
    struct fixture *const f = *state;
    struct graft_attacked attacked[2];
    struct graft_attack *attack = open(f, f->sure.cpu, (struct graft_attack_options){.epsilon = 40 / 255.0, .steps = 40});
    run(f, attack, 2, 40 / 255.0, false, attacked);
    assert_true(attacked[0].succeeded && attacked[1].succeeded && attacked[0].after == 2);
    run(f, attack, attacked[0].before, 40 / 255.0, false, attacked);
    assert_true(attacked[0].succeeded && attacked[0].linf == 0 && isinf(attacked[0].psnr));
    assert_memory_equal(attacked[0].pixels, f->pixels[0], sizeof f->pixels[0]);
    graft_attack_close(&attack);
}

/* Cross-entropy of two preprocessed pictures. */
static void losses_of(struct graft_classifier *classifier, const uint8_t *pixels, const int32_t *labels, double *losses)
{
    for (int r = 0; r < 2; r++) {
        float logits[SURE_CLASSES];
        double sum = 0;
        assert_int_equal(graft_classifier_run(classifier, pixels + r * 64 * 64 * 3, 1, logits), GRAFT_OK);
        for (int i = 0; i < SURE_CLASSES; i++) {
            sum += exp((double)logits[i] - (double)logits[0]);
        }
        losses[r] = log(sum) - ((double)logits[labels[r]] - (double)logits[0]);
    }
}

/* What training learns from: within epsilon, other numbers at each step, a larger loss; rows that fill up stay. */
static void batches_are_changed_uphill(void **state)
{
    struct fixture *const f = *state;
    static uint8_t pixels[3 * 64 * 64 * 3], before[2][2 * 64 * 64 * 3];
    struct graft_attack *attack = open(f, f->sure.cpu, (struct graft_attack_options){0});
    struct graft_classifier *const classifier = graft_attack_classifier(attack);
    const struct graft_slope_network network = graft_slope_of_classifier(classifier);
    struct graft_adversary_options options = {
        .epsilon = 6.9 / 255, .preprocess = graft_classifier_preprocess(classifier), .batch = 3, .rows = 1, .seed = 2};
    struct graft_adversary *adversary = NULL;
    static const int32_t labels[3] = {1, 4, 0};
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(128 + 125 * sin((double)i * 0.01));
    }
    for (int rows = 1; rows <= 2; rows++) {
        options.rows = rows;
        assert_int_equal(graft_adversary_open(&network, &options, &adversary), GRAFT_OK);
        const void *changed = NULL;
        double plain[2], larger[2];
        assert_int_equal(graft_adversary_change(adversary, pixels, labels, 2, 14, &changed), GRAFT_OK);
        const uint8_t *const now = changed;
        int largest = 0, at_edge = 0;
        for (int i = 0; i < 2 * 64 * 64 * 3; i++) {
            const int by = abs(now[i] - pixels[i]);
            largest = by > largest ? by : largest;
            at_edge += by == 6;
        }
        assert_int_equal(largest, 6);
        assert_true(at_edge > 64 * 64); /* a step of 5/4 of epsilon reaches the edge from most places */
        assert_memory_equal(now + 2 * 64 * 64 * 3, pixels + 2 * 64 * 64 * 3, 64 * 64 * 3);
        losses_of(classifier, pixels, labels, plain);
        losses_of(classifier, now, labels, larger);
        assert_true(larger[0] > plain[0] && larger[1] > plain[1]);
        memcpy(before[rows - 1], now, sizeof before[0]);
        assert_int_equal(graft_adversary_change(adversary, pixels, labels, 2, 16, &changed), GRAFT_OK);
        assert_memory_not_equal(before[rows - 1], changed, sizeof before[0]);
        graft_adversary_close(&adversary);
    }
    assert_memory_equal(before[0], before[1], sizeof before[0]); /* however many are computed at a time */
    options.epsilon = 0.5 / 255;
    assert_int_equal(graft_adversary_open(&network, &options, &adversary), GRAFT_ERROR_ARGUMENT);
    assert_null(adversary);
    graft_attack_close(&attack);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const struct {
        struct graft_attack_options options;
        const char *says;
    } bad[] = {
        {{.epsilon = 0.5 / 255}, "1/255"},
        {{.epsilon = 1.5}, "1.5"},
        {{.epsilon = -1}, "-1"},
        {{.epsilon = NAN}, "epsilon"},
        {{.epsilon = 2000, .norm = GRAFT_ATTACK_L2}, "1000"},
        {{.steps = -1}, "1 to 10000"},
        {{.method = (enum graft_attack_method)7}, "attack 7"},
        {{.norm = (enum graft_attack_norm)3}, "norm 3"},
    };
    struct fixture *const f = *state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct graft_attack_options options = bad[i].options;
        struct graft_attack *attack = (struct graft_attack *)&options;
        options.classifier.network = "tiny_convnet";
        options.classifier.weights = f->sure.weights;
        assert_int_equal(graft_attack_open(f->sure.cpu, &options, &attack), GRAFT_ERROR_ARGUMENT);
        assert_null(attack);
        if (!strstr(graft_context_error(f->sure.context), bad[i].says)) {
            fail_msg("\"%s\" does not say \"%s\"", graft_context_error(f->sure.context), bad[i].says);
        }
    }
    struct graft_attacked attacked[2];
    struct graft_attack *attack = open(f, f->sure.cpu, (struct graft_attack_options){0});
    const struct graft_image grey = {10, 10, 1, f->pixels[0]}, colour = {10, 10, 3, f->pixels[0]};
    assert_int_equal(graft_attack_run(attack, &grey, 1, -1, attacked), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_attack_run(attack, &colour, 1, SURE_CLASSES, attacked), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_attack_run(attack, &colour, 3, -1, attacked), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_attack_run(attack, &colour, 1, -1, attacked), GRAFT_OK);
    graft_context_cancel(f->sure.context);
    assert_int_equal(graft_attack_run(attack, &colour, 1, (attacked[0].before + 1) % SURE_CLASSES, attacked),
                     GRAFT_ERROR_CANCELLED);
    graft_attack_close(&attack);
    enum graft_attack_method method;
    enum graft_attack_norm norm;
    assert_int_equal(graft_attack_method_find(f->sure.context, "fgsm", &method), GRAFT_OK);
    assert_int_equal(method, GRAFT_ATTACK_FGSM);
    assert_int_equal(graft_attack_norm_find(f->sure.context, "l2", &norm), GRAFT_OK);
    assert_int_equal(norm, GRAFT_ATTACK_L2);
    assert_int_equal(graft_attack_method_find(f->sure.context, "fgms", &method), GRAFT_ERROR_NOT_FOUND);
    assert_int_equal(graft_attack_norm_find(f->sure.context, "l1", &norm), GRAFT_ERROR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slopes_go_back_through_preprocessing),
        cmocka_unit_test(changes_keep_within_their_radius),
        cmocka_unit_test(attacks_succeed_within_epsilon),
        cmocka_unit_test(minimal_is_the_least),
        cmocka_unit_test(a_class_is_aimed_at),
        cmocka_unit_test(batches_are_changed_uphill),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
