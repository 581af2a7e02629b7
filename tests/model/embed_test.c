/* SPDX-License-Identifier: MIT */
/*
 * Vectors on a plane and beside each other. Figures of similarities, silhouette, votes and principal
 * components are scikit-learn's, for vectors that embed_golden.py makes alike; t-SNE is held against its
 * definition in f64, all pairs.
 */
#include "base/context.h"
#include "embed/embed.h"
#include "graft/graft.h"
#include "support/support.h"

#include <math.h>

#define COUNT 60
#define WIDTH 12
#define CLASSES 3

struct fixture {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_embedding embedding;
};

static int open_fixture(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    assert_int_equal(graft_context_open(NULL, &f->context), GRAFT_OK);
    assert_int_equal(graft_device_open(f->context, "cpu", &f->device), GRAFT_OK);
    f->embedding = (struct graft_embedding){.count = COUNT, .width = WIDTH};
    f->embedding.vectors = malloc(COUNT * WIDTH * sizeof(float));
    f->embedding.pictures = malloc(COUNT * sizeof *f->embedding.pictures);
    for (int i = 0; i < COUNT; i++) {
        double row[WIDTH], length = 0;
        for (int k = 0; k < WIDTH; k++) {
            row[k] = (i * 7919 + k * 104729 + i * i * 31 + i * k * 17) % 1009 / 1009.0 +
                     (k % CLASSES == i % CLASSES ? 0.35 : 0);
            length += row[k] * row[k];
        }
        for (int k = 0; k < WIDTH; k++)
            f->embedding.vectors[i * WIDTH + k] = (float)(row[k] / sqrt(length));
        f->embedding.pictures[i] =
            (struct graft_embedded){i < 40 ? GRAFT_SPLIT_TRAIN : GRAFT_SPLIT_VAL, i % 40, i % CLASSES};
    }
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *const f = *state;
    free(f->embedding.vectors);
    free(f->embedding.pictures);
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    free(f);
    return 0;
}

static void near(double found, double expected, double bound)
{
    if (!(fabs(found - expected) <= bound))
        fail_msg("%.12g, expected %.12g", found, expected);
}

static void nearest_rows_on(struct fixture *f, const char *name)
{
    static const int64_t rows[2][3] = {{57, 59, 1}, {32, 25, 51}};
    static const double cosines[2][3] = {{0.935678769042938, 0.9233617389085536, 0.9195089384992808},
                                         {0.9324292329422988, 0.9277774420371325, 0.9264203023067473}};
    struct graft_neighbour own[COUNT * 3], asked[4];
    float query[WIDTH];
    struct graft_device *device = NULL;
    if (graft_device_open(f->context, name, &device) != GRAFT_OK) {
        print_message("%s: skipped, it is not there\n", name);
        return;
    }
    assert_int_equal(graft_embedding_nearest(device, &f->embedding, NULL, 0, 3, own), GRAFT_OK);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++) {
            assert_int_equal(own[3 * i + k].row, rows[i][k]);
            near((double)own[3 * i + k].similarity, cosines[i][k], 1e-6);
        }
    for (int k = 0; k < WIDTH; k++)
        query[k] = 7 * f->embedding.vectors[k];
    assert_int_equal(graft_embedding_nearest(device, &f->embedding, query, 1, 4, asked), GRAFT_OK);
    assert_int_equal(asked[0].row, 0); /* itself, whatever its length */
    near((double)asked[0].similarity, 1, 1e-6);
    assert_int_equal(asked[1].row, 57);
    near((double)asked[3].similarity, cosines[0][2], 1e-6);
    assert_int_equal(graft_embedding_nearest(device, &f->embedding, NULL, 0, 0, own), GRAFT_ERROR_ARGUMENT);
    graft_device_close(&device);
}

static void nearest_rows(void **state)
{
    nearest_rows_on(*state, "reference");
    nearest_rows_on(*state, "cpu");
    nearest_rows_on(*state, "opencl:0");
}

/* More rows than a block has, and more neighbours than rows. */
static void blocks_and_few(void **state)
{
    struct fixture *const f = *state;
    enum { MANY = 1300 };
    struct graft_embedding e = {.count = MANY, .width = 2};
    struct graft_neighbour *const found = malloc(MANY * 3 * sizeof *found);
    e.vectors = malloc(MANY * 2 * sizeof(float));
    for (int i = 0; i < MANY; i++) { /* on a circle, a step of it apart */
        e.vectors[2 * i] = (float)cos(i * 2 * 3.14159265358979 / (MANY + 200));
        e.vectors[2 * i + 1] = (float)sin(i * 2 * 3.14159265358979 / (MANY + 200));
    }
    assert_int_equal(graft_embedding_nearest(f->device, &e, NULL, 0, 3, found), GRAFT_OK);
    for (int i = 2; i < MANY - 2; i++)
        assert_true(llabs(found[3 * i].row - i) <= 2 && llabs(found[3 * i + 1].row - i) <= 2 &&
                    found[3 * i].row != found[3 * i + 1].row && found[3 * i].row != i);
    e.count = 2;
    assert_int_equal(graft_embedding_nearest(f->device, &e, NULL, 0, 3, found), GRAFT_OK);
    assert_true(found[0].row == 1 && found[1].row == -1 && found[2].row == -1 && found[3].row == 0);
    free(e.vectors);
    free(found);
}

static void near_pairs(void **state)
{
    struct fixture *const f = *state;
    struct graft_near_pair pairs[COUNT];
    int64_t found = 0;
    struct graft_embedding one_part = f->embedding;
    struct graft_embedded pictures[COUNT];
    memcpy(pictures, f->embedding.pictures, sizeof pictures);
    one_part.pictures = pictures;
    for (int i = 0; i < COUNT; i++)
        pictures[i].split = GRAFT_SPLIT_TRAIN;
    assert_int_equal(graft_embedding_near_pairs(f->device, &one_part, 0.95f, COUNT, pairs, &found), GRAFT_OK);
    assert_int_equal(found, 5);
    assert_true(pairs[0].rows[0] == 32 && pairs[0].rows[1] == 51);
    near((double)pairs[0].similarity, 0.9945858917856523, 1e-6);
    for (int i = 0; i < 5; i++) {
        assert_true(pairs[i].rows[0] < pairs[i].rows[1] && pairs[i].similarity >= 0.95f);
        assert_true(pictures[pairs[i].rows[0]].label != pictures[pairs[i].rows[1]].label);
        assert_true(i == 0 || pairs[i].similarity <= pairs[i - 1].similarity);
    }
    /* Room for fewer: the same first ones, and all are counted. */
    struct graft_near_pair two[3] = {{{-7, -7}, 0}, {{-7, -7}, 0}, {{-7, -7}, 0}};
    assert_int_equal(graft_embedding_near_pairs(f->device, &one_part, 0.95f, 2, two, &found), GRAFT_OK);
    assert_int_equal(found, 5);
    for (int i = 0; i < 2; i++)
        assert_true(two[i].rows[0] == pairs[i].rows[0] && two[i].rows[1] == pairs[i].rows[1] &&
                    two[i].similarity == pairs[i].similarity);
    assert_int_equal(two[2].rows[0], -7);
    /* Two parts: pairs of one class count too. */
    assert_int_equal(graft_embedding_near_pairs(f->device, &f->embedding, 0.95f, COUNT, pairs, &found),
                     GRAFT_OK);
    assert_true(found > 5);
}

static void rates(void **state)
{
    struct fixture *const f = *state;
    struct graft_embedding_score score;
    struct graft_embedded pictures[COUNT];
    struct graft_embedding other = f->embedding;
    assert_int_equal(graft_embedding_rate(f->device, &f->embedding, 5, &score), GRAFT_OK);
    near(score.silhouette, 0.32045285975608623, 1e-6);
    near(score.neighbours, 0.9166666666666666, 1e-12);
    memcpy(pictures, f->embedding.pictures, sizeof pictures);
    other.pictures = pictures;
    for (int i = 0; i < COUNT; i++)
        pictures[i].label = 2;
    assert_int_equal(graft_embedding_rate(f->device, &other, 5, &score), GRAFT_OK);
    assert_true(isnan(score.silhouette) && isnan(score.neighbours)); /* one class */
    for (int i = 0; i < COUNT; i++)
        pictures[i].label = -1;
    assert_int_equal(graft_embedding_rate(f->device, &other, 5, &score), GRAFT_OK);
    assert_true(isnan(score.silhouette));
}

static void principal_components(void **state)
{
    static const double shares[3] = {0.2511348176478405, 0.19922030692485823, 0.10405698548441526};
    static const double rows[2][3] = {{0.06359115082237579, 0.016394996857908233, 0.3279850018128601},
                                      {0.30261196797688134, -0.25272762529729487, 0.28480189236437814}};
    struct fixture *const f = *state;
    double plane[COUNT * 12], found[12];
    assert_int_equal(graft_embedding_pca(f->context, &f->embedding, 3, plane, found), GRAFT_OK);
    for (int c = 0; c < 3; c++) {
        near(found[c], shares[c], 1e-9);
        near(plane[c], rows[0][c], 1e-6);
        near(plane[3 * 59 + c], rows[1][c], 1e-6);
    }
    assert_int_equal(graft_embedding_pca(f->context, &f->embedding, 12, plane, found), GRAFT_OK);
    double all = 0;
    for (int c = 0; c < 12; c++)
        all += found[c];
    near(all, 1, 1e-9); /* all directions that there are */
    assert_int_equal(graft_embedding_pca(f->context, &f->embedding, 0, plane, found), GRAFT_ERROR_ARGUMENT);
    struct graft_embedding few = f->embedding;
    few.count = 2;
    assert_int_equal(graft_embedding_pca(f->context, &few, 3, plane, found), GRAFT_OK);
    near(found[0], 1, 1e-9);
    near(plane[2], 0, 1e-9); /* beyond the rank */
}

/* The entropy of the neighbours' probabilities is the perplexity's. */
static void probabilities(void **state)
{
    double distances[40], p[40];
    (void)state;
    for (int i = 0; i < 40; i++)
        distances[i] = 0.1 + 0.013 * i * i;
    graft_tsne_probabilities(distances, 40, 9, p);
    double entropy = 0, sum = 0;
    for (int i = 0; i < 40; i++) {
        sum += p[i];
        entropy -= p[i] > 0 ? p[i] * log(p[i]) : 0;
        assert_true(i == 0 || p[i] <= p[i - 1]);
    }
    near(sum, 1, 1e-12);
    near(exp(entropy), 9, 1e-6);
    for (int i = 0; i < 40; i++)
        distances[i] = 0.25;
    graft_tsne_probabilities(distances, 40, 9, p); /* nothing tells them apart */
    near(p[3], 1.0 / 40, 1e-12);
}

/* Sums over the tree are sums over all pairs: exactly with theta 0, nearly with 0.5; doubles have no place of
 * their own. */
static void tree_sums(void **state)
{
    struct fixture *const f = *state;
    enum { POINTS = 400 };
    static double at[2 * POINTS];
    struct graft_quadtree tree;
    for (int i = 0; i < POINTS; i++) {
        at[2 * i] = i * 7919 % 1009 / 10.0;
        at[2 * i + 1] = i % 9 == 0 ? 3 : i * 31 * i % 997 / 10.0;
    }
    memcpy(at + 2 * 17, at + 2 * 23, 2 * sizeof *at);
    memcpy(at + 2 * 399, at + 2 * 23, 2 * sizeof *at);
    assert_int_equal(graft_quadtree_open(f->context, POINTS, &tree), GRAFT_OK);
    for (int again = 0; again < 2; again++) /* a tree is filled at each step */
        assert_int_equal(graft_quadtree_fill(f->context, &tree, at, POINTS), GRAFT_OK);
    assert_int_equal(tree.cells[0].count, POINTS);
    double rough = 0, whole = 0;
    for (int i = 0; i < POINTS; i++) {
        double force[2], sum = 0, expected[2] = {0, 0};
        for (int j = 0; j < POINTS; j++) {
            const double x = at[2 * i] - at[2 * j], y = at[2 * i + 1] - at[2 * j + 1];
            const double w = j == i ? 0 : 1 / (1 + x * x + y * y);
            sum += w;
            expected[0] += w * w * x;
            expected[1] += w * w * y;
        }
        near(graft_quadtree_repel(&tree, at, i, 0, force), sum, 1e-11 * sum);
        near(force[0], expected[0], 1e-11);
        near(force[1], expected[1], 1e-11);
        rough += graft_quadtree_repel(&tree, at, i, 0.5, force);
        whole += sum;
    }
    near(rough, whole, 0.02 * whole);
    assert_true(rough != whole);
    graft_quadtree_close(f->context, &tree);
}

static double share_of_own_class(const struct fixture *f, const double *plane)
{
    int right = 0;
    for (int i = 0; i < COUNT; i++) {
        int nearest = -1;
        double least = INFINITY;
        for (int j = 0; j < COUNT; j++) {
            const double d = hypot(plane[2 * i] - plane[2 * j], plane[2 * i + 1] - plane[2 * j + 1]);
            if (j != i && d < least) {
                least = d;
                nearest = j;
            }
        }
        right += f->embedding.pictures[nearest].label == f->embedding.pictures[i].label;
    }
    return (double)right / COUNT;
}

/* As good as scikit-learn's (0.567 with all pairs), the same bits for any number of threads, another with
 * another seed. */
static void plane_of_neighbours(void **state)
{
    struct fixture *const f = *state;
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    const struct graft_context_options single = {.threads = 1, .cache_folder = ""};
    struct graft_tsne_options options = {.perplexity = 10, .seed = 3};
    double plane[2 * COUNT], again[2 * COUNT], divergence = 0;
    assert_int_equal(graft_embedding_tsne(f->device, &f->embedding, &options, plane, &divergence), GRAFT_OK);
    if (!(divergence > 0.4 && divergence < 0.62))
        fail_msg("a divergence of %g", divergence);
    assert_true(share_of_own_class(f, plane) >= 0.7); /* scikit-learn: 0.8 */
    assert_int_equal(graft_context_open(&single, &context), GRAFT_OK);
    assert_int_equal(graft_device_open(context, "cpu", &device), GRAFT_OK);
    assert_int_equal(graft_embedding_tsne(device, &f->embedding, &options, again, NULL), GRAFT_OK);
    assert_memory_equal(plane, again, sizeof plane);
    options.seed = 4;
    assert_int_equal(graft_embedding_tsne(device, &f->embedding, &options, again, NULL), GRAFT_OK);
    assert_memory_not_equal(plane, again, sizeof plane);
    /* Few pictures, and pictures that are all the same. */
    struct graft_embedding few = f->embedding;
    for (few.count = 0; few.count < 6; few.count++)
        assert_int_equal(graft_embedding_tsne(device, &few, &options, again, &divergence), GRAFT_OK);
    for (int i = 0; i < COUNT * WIDTH; i++)
        f->embedding.vectors[i] = f->embedding.vectors[i % WIDTH];
    assert_int_equal(graft_embedding_tsne(device, &f->embedding, &options, again, &divergence), GRAFT_OK);
    for (int i = 0; i < 2 * COUNT; i++)
        assert_true(isfinite(again[i]));
    graft_device_close(&device);
    graft_context_close(&context);
}

static void cancelled(void **state)
{
    struct fixture *const f = *state;
    double plane[2 * COUNT];
    struct graft_neighbour found[COUNT];
    graft_context_cancel(f->context);
    assert_int_equal(graft_embedding_nearest(f->device, &f->embedding, NULL, 0, 1, found),
                     GRAFT_ERROR_CANCELLED);
    assert_int_equal(graft_embedding_pca(f->context, &f->embedding, 2, plane, NULL), GRAFT_ERROR_CANCELLED);
    graft_context_cancel_clear(f->context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_rows),
        cmocka_unit_test(blocks_and_few),
        cmocka_unit_test(near_pairs),
        cmocka_unit_test(rates),
        cmocka_unit_test(principal_components),
        cmocka_unit_test(probabilities),
        cmocka_unit_test(tree_sums),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(plane_of_neighbours), /* the last: it changes the vectors */
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
