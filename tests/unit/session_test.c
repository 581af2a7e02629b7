/* SPDX-License-Identifier: MIT */
/* Sessions: interrupted at every step with every option, the bits are those of a run that was not; several at
 * a time on one context; pictures of a program's own. */
#include "graft/device.h"
#include "graft/run.h"
#include "graft/train.h"
#include "train/fit.h"
#include "support/support.h"

#include <math.h>
#include <pthread.h>
#include <sys/stat.h>

#define SIDE 16
#define STEPS 40 /* more than any run here has */

struct fixture {
    struct graft_context *context;
    struct graft_device *device;
    char folder[128], data[160], weights[200];
};

static void must(struct graft_context *context, enum graft_status status)
{
    if (status != GRAFT_OK)
        fail_msg("%s", graft_context_error(context));
}

/* Noise around a colour. */
static void draw(uint8_t *pixels, int class, int number)
{
    uint32_t state = (uint32_t)(class * 1000 + number + 1);
    for (int i = 0; i < SIDE * SIDE * 3; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)((i % 3 == class ? 150 : 60) + (state >> 24) % 80);
    }
}

static void draw_folder(struct fixture *f, const char *part, int count)
{
    uint8_t pixels[SIDE * SIDE * 3];
    char path[300];
    for (int class = 0; class < 2; class ++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->data, part);
        (void)mkdir(path, 0777);
        (void)snprintf(path, sizeof path, "%s/%s/%c", f->data, part, 'a' + class);
        (void)mkdir(path, 0777);
        for (int i = 0; i < count; i++) {
            const struct graft_image image = {SIDE, SIDE, 3, pixels};
            draw(pixels, class, i);
            (void)snprintf(path, sizeof path, "%s/%s/%c/%d.png", f->data, part, 'a' + class, i);
            must(f->context, graft_image_write_png(f->context, path, &image));
        }
    }
}

/* Goes on until `stop` steps are done (or all is), and saves; the bits of what was learnt if all is done. */
static bool go(struct fixture *f, const struct graft_fit_options *options, int stop, double rates[STEPS])
{
    struct graft_session *session = NULL;
    must(f->context, graft_session_open(f->device, options, &session));
    const struct graft_session_position *const at = graft_session_position(session);
    enum graft_status status = GRAFT_OK;
    for (int steps = 0; status == GRAFT_OK && !at->done && steps < stop; steps++) {
        const int64_t before = at->step;
        status = graft_session_step(session);
        if (status == GRAFT_OK && rates && at->step > before)
            rates[(at->epoch - 1) * at->batches + at->batch - 1] = at->learning_rate;
        if (status == GRAFT_OK && at->epoch_over)
            status = graft_session_validate(session, NULL);
    }
    if (status == GRAFT_OK)
        status = graft_session_save(session);
    if (status != GRAFT_OK)
        fail_msg("%s", graft_session_error(session));
    const bool done = at->done;
    graft_session_close(&session);
    return done;
}

static char *read_all(const char *run, const char *name, size_t *size)
{
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%s", run, name);
    FILE *const file = fopen(path, "rb");
    assert_non_null(file);
    char *const data = malloc(4 << 20);
    *size = fread(data, 1, 4 << 20, file);
    fclose(file);
    return data;
}

static void assert_same_run(struct fixture *f, const char *a, const char *b, const char *what, int stop)
{
    for (int k = 0; k < 2; k++) {
        const char *const name = k == 0 ? "last.safetensors" : "model.safetensors";
        size_t sizes[2];
        char *const data[2] = {read_all(a, name, &sizes[0]), read_all(b, name, &sizes[1])};
        if (sizes[0] != sizes[1] || memcmp(data[0], data[1], sizes[0]) != 0)
            fail_msg("%s, interrupted after %d steps: another %s", what, stop, name);
        free(data[0]);
        free(data[1]);
    }
    struct graft_run *runs[2];
    const struct graft_run_epoch *epochs[2];
    must(f->context, graft_run_open(f->context, a, &runs[0]));
    must(f->context, graft_run_open(f->context, b, &runs[1]));
    const int count = graft_run_history(runs[0], &epochs[0]);
    assert_int_equal(graft_run_history(runs[1], &epochs[1]), count);
    for (int e = 0; e < count; e++) {
        assert_true(epochs[0][e].train_loss == epochs[1][e].train_loss);
        assert_true(epochs[0][e].val_loss == epochs[1][e].val_loss);
        assert_true(epochs[0][e].learning_rate == epochs[1][e].learning_rate);
    }
    graft_run_close(&runs[0]);
    graft_run_close(&runs[1]);
}

/* Compares a whole run of graft_fit, which begins each step before it knows the results of the one before,
 * with runs of a session that end after each of its steps in turn and are resumed. */
static void interrupt_everywhere(struct fixture *f, const struct graft_recipe *recipe, const char *what)
{
    char whole[200], cut[200];
    (void)snprintf(whole, sizeof whole, "%s/whole", f->folder);
    (void)snprintf(cut, sizeof cut, "%s/cut", f->folder);
    const struct graft_fit_options options = {.recipe = *recipe, .out = whole};
    struct graft_fit_result result;
    must(f->context, graft_fit(f->device, &options, &result));
    graft_fit_result_close(f->context, &result);
    bool done = false;
    int stop = 1;
    for (; !done && stop < STEPS; stop++) {
        const struct graft_fit_options begin = {.recipe = *recipe, .out = cut}, rest = {.resume = cut};
        done = go(f, &begin, stop, NULL);
        if (!done)
            assert_true(go(f, &rest, STEPS, NULL));
        assert_same_run(f, whole, cut, what, stop);
        test_folder_remove(cut);
    }
    assert_true(stop > 4);
    test_folder_remove(whole);
}

static struct graft_recipe usual(const struct fixture *f)
{
    return (struct graft_recipe){.data = f->data,
                                 .model = "tiny_convnet",
                                 .weights = f->weights,
                                 .input = SIDE,
                                 .batch = 4,
                                 .seed = 3,
                                 .stages = {{"head", 2, 1e-2}, {"block5", 1, 1e-3}},
                                 .stage_count = 2};
}

/* A value other than the default for every option, in the form of graft_recipe_set, and another option that it
 * needs; NULL: said by `usual`, or without bearing on what is learnt. A flag that is not here is tried too.
 */
static const char *const others[][4] = {
    {"data", NULL},
    {"kind", "folders"},
    {"val", NULL},
    {"val_fraction", "0"},
    {"split_seed", "5"},
    {"column_path", NULL},
    {"column_label", NULL},
    {"column_split", NULL},
    {"task", "classes"},
    {"class_pattern", "([^/]+)/"},
    {"labels", NULL},
    {"parts", "train=train+val"},
    {"take", "4"},
    {"archive_limit", "1M"},
    {"skip_damaged", "true"},
    {"model", NULL},
    {"weights", NULL},
    {"head", "flatten,dense:5,relu,dropout:0.3"},
    {"pool", "max"},
    {"input", NULL},
    {"stages", "last:1:1:1e-2,block4.bn:1:1e-3"},
    {"freeze", "block4"},
    {"epochs", "2"},
    {"learning_rate", "3e-3"},
    {"trunk_factor", "0"},
    {"stage_factors", "head=0.5,block5=2"},
    {"lr_decay", "exp:3"},
    {"lr_groups", "block5.bn=1e-4"},
    {"lr_rest", "1e-5"},
    {"decay_factors", "bias=1,head=2", "optimizer", "adamw"},
    {"batch", "3"},
    {"optimizer", "rmsprop"},
    {"momentum", "0", "optimizer", "sgd"},
    {"nesterov", "true", "optimizer", "sgd"},
    {"weight_decay", "0", "optimizer", "adamw"},
    {"clip_norm", "0.1"},
    {"loss", "cross-entropy"},
    {"label_smoothing", "0.2"},
    {"class_weights", "1,2"},
    {"schedule", "onecycle"},
    {"lr_end", "0.25"},
    {"restart", "1"},
    {"restart_factor", "2", "restart", "1"},
    {"lr_period", "1", "schedule", "step"},
    {"lr_gamma", "0.5", "schedule", "exponential"},
    {"peak", "0.5", "schedule", "onecycle"},
    {"plateau", "0", "schedule", "plateau"},
    {"patience", "1", "min_change", "10"}, /* no loss falls by that: a stage has two epochs */
    {"min_change", "1e-3", "patience", "1"},
    {"ema", "0.5"},
    {"micro_batch", "3"},
    {"sampling", "balanced"},
    {"warmup", "3"},
    {"dropout", "0.4"},
    {"bn", "train"},
    {"bn_sync", "true", "bn", "train"},
    {"augment", "light"},
    {"seed", "11"},
    {"features_limit", "1"},
    {"memory_limit", "1G"},
    {"variants", "matmul=reference"},
    {"device", NULL},
    {"threads", NULL},
};

static void every_option_survives_every_step(void **state)
{
    struct fixture *const f = *state;
    const struct graft_recipe_row *row;
    for (int r = 0; (row = graft_recipe_row(r)); r++) {
        struct graft_recipe recipe = usual(f);
        const char *value = row->kind == GRAFT_RECIPE_FLAG ? "true" : NULL;
        bool listed = false;
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            if (strcmp(others[i][0], row->name) == 0) {
                listed = true;
                value = others[i][1];
                if (others[i][2])
                    must(f->context, graft_recipe_set(f->context, &recipe, others[i][2], others[i][3]));
            }
        if (!listed)
            print_message("         %s has no value here\n", row->name);
        if (!value)
            continue;
        if (strcmp(row->name, "freeze") == 0 || strcmp(row->name, "epochs") == 0 ||
            strcmp(row->name, "learning_rate") == 0) {
            recipe.stage_count = 0;
            recipe.epochs = 2;
        }
        if (recipe.patience > 0 || strcmp(row->name, "patience") == 0)
            recipe.stages[0].epochs = 4;
        must(f->context, graft_recipe_set(f->context, &recipe, row->name, value));
        interrupt_everywhere(f, &recipe, row->name);
    }
    struct graft_recipe scratch = usual(f);
    scratch.weights = NULL;
    interrupt_everywhere(f, &scratch, "from scratch");
    struct graft_recipe mixed = usual(f);
    mixed.augment = "mixup:0.4,cutmix";
    interrupt_everywhere(f, &mixed, "mixed pictures");
}

/* Of a table of labels, mixed, and of one of numbers: thresholds and scale go along. */
static void labels_and_numbers_survive_every_step(void **state)
{
    struct fixture *const f = *state;
    for (int number = 0; number < 2; number++) {
        char table[200];
        (void)snprintf(table, sizeof table, "%s/t%d.csv", f->folder, number);
        FILE *const file = fopen(table, "wb");
        assert_non_null(file);
        fprintf(file, "path,what,split\n");
        for (int i = 0; i < 8; i++) {
            const char *const part = i < 6 ? "train" : "val";
            const char class = i % 2 == 0 ? 'a' : 'b';
            char what[16];
            (void)snprintf(what, sizeof what, "%d.5", 3 * i);
            fprintf(file, "%s/train/%c/%d.png,%s,%s\n", f->data, class, i / 2,
                    number       ? what
                    : i % 2 == 0 ? "x;y"
                                 : "y",
                    part);
        }
        fclose(file);
        struct graft_recipe recipe = usual(f);
        recipe.data = table;
        recipe.augment = number ? "none" : "mixup";
        interrupt_everywhere(f, &recipe, number ? "numbers" : "labels");
    }
}

/* One picture a batch, two of eight unreadable: the batches without a valid picture are passed over, and the
 * rate of each other one is that of its number. */
static void batches_without_pictures_keep_their_place(void **state)
{
    struct fixture *const f = *state;
    char path[2][300];
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path[i], sizeof path[i], "%s/train/%c/%d.png", f->data, 'a' + i, i + 1);
        FILE *const file = fopen(path[i], "wb");
        fputs("no picture", file);
        fclose(file);
    }
    struct graft_recipe recipe = usual(f);
    recipe.batch = 1;
    recipe.skip_damaged = true;
    recipe.stage_count = 1;
    recipe.stages[0] = (struct graft_fit_stage){"all", 2, 1e-3};
    interrupt_everywhere(f, &recipe, "damaged pictures");
    double rates[STEPS] = {0};
    char run[200];
    (void)snprintf(run, sizeof run, "%s/rates", f->folder);
    const struct graft_fit_options options = {.recipe = recipe, .out = run};
    assert_true(go(f, &options, STEPS, rates));
    int seen = 0;
    for (int k = 0; k < 16; k++) {
        const double wanted = 1e-3 * 0.5 * (1 + cos(acos(-1) * k / 16));
        seen += rates[k] > 0;
        assert_true(rates[k] == 0 || fabs(rates[k] - wanted) < 1e-12);
    }
    assert_int_equal(seen, 12);
    test_folder_remove(run);
    /* Without skipping, the message says what to do. */
    struct graft_fit_options strict = options;
    strict.recipe.skip_damaged = false;
    struct graft_fit_result result;
    assert_int_not_equal(graft_fit(f->device, &strict, &result), GRAFT_OK);
    const char *const advice = strstr(graft_context_error(f->context), "--skip-damaged");
    assert_true(advice && !strstr(advice + 1, "--skip-damaged")); /* once */
    assert_non_null(strstr(graft_context_error(f->context), "graft check"));
    for (int i = 0; i < 2; i++) {
        uint8_t pixels[SIDE * SIDE * 3];
        const struct graft_image image = {SIDE, SIDE, 3, pixels};
        draw(pixels, i, i + 1);
        must(f->context, graft_image_write_png(f->context, path[i], &image));
    }
}

/* ---- pictures of a program's own */

#define OWN 24

static int32_t label_of(void *user, int64_t index)
{
    (void)user;
    return (int32_t)(index % 2);
}

static enum graft_status picture_of(void *user, int64_t index, struct graft_sample *sample)
{
    sample->pixels = (uint8_t *)user + index * SIDE * SIDE * 3;
    sample->width = sample->height = SIDE;
    sample->channels = 3;
    return GRAFT_OK;
}

static const char *const own_names[] = {"red", "green"};

static struct graft_picture_source own_source(uint8_t *pixels)
{
    for (int i = 0; i < OWN; i++)
        draw(pixels + i * SIDE * SIDE * 3, i % 2, i);
    return (struct graft_picture_source){.count = OWN,
                                         .class_names = own_names,
                                         .class_count = 2,
                                         .user = pixels,
                                         .label = label_of,
                                         .read = picture_of};
}

static bool count_steps(void *user, const struct graft_session_position *position)
{
    int *const left = user;
    assert_true(position->batch >= 1 && position->batch <= position->batches && position->loss > 0);
    return --*left != 0;
}

static void a_program_stops_and_goes_on(void **state)
{
    struct fixture *const f = *state;
    static uint8_t pixels[OWN * SIDE * SIDE * 3];
    const struct graft_picture_source source = own_source(pixels);
    char runs[2][200];
    int left = 3;
    struct graft_fit_result result;
    const struct graft_recipe recipe = {.model = "tiny_convnet", .input = SIDE, .batch = 8, .epochs = 2};
    for (int i = 0; i < 2; i++)
        (void)snprintf(runs[i], sizeof runs[i], "%s/own%d", f->folder, i);
    struct graft_fit_options options = {
        .recipe = recipe, .source = &source, .out = runs[0], .step_done = count_steps, .user = &left};
    must(f->context, graft_fit(f->device, &options, &result));
    assert_true(result.cancelled && left == 0);
    graft_fit_result_close(f->context, &result);
    const struct graft_fit_options no_source = {.resume = runs[0]};
    assert_int_equal(graft_fit(f->device, &no_source, &result), GRAFT_ERROR_ARGUMENT);
    const struct graft_fit_options rest = {.resume = runs[0], .source = &source};
    must(f->context, graft_fit(f->device, &rest, &result));
    assert_true(!result.cancelled && result.epochs == 2);
    graft_fit_result_close(f->context, &result);
    options.step_done = NULL;
    options.out = runs[1];
    must(f->context, graft_fit(f->device, &options, &result));
    graft_fit_result_close(f->context, &result);
    assert_same_run(f, runs[0], runs[1], "pictures of its own", 3);
    for (int i = 0; i < 2; i++)
        test_folder_remove(runs[i]);
}

/* A step under way when the session is cancelled has learnt: it is ended and counted before the run is saved. */
static void a_step_under_way_counts(void **state)
{
    struct fixture *const f = *state;
    static uint8_t pixels[OWN * SIDE * SIDE * 3];
    const struct graft_picture_source source = own_source(pixels);
    const struct graft_recipe recipe = {.model = "tiny_convnet", .input = SIDE, .batch = 8, .epochs = 2};
    struct graft_session *session = NULL;
    struct graft_fit_result result;
    char runs[2][200];
    for (int i = 0; i < 2; i++) {
        (void)snprintf(runs[i], sizeof runs[i], "%s/late%d", f->folder, i);
        const struct graft_fit_options options = {.recipe = recipe, .source = &source, .out = runs[i]};
        if (i == 0) {
            must(f->context, graft_session_open(f->device, &options, &session));
            graft_session_hurry(session);
            must(f->context, graft_session_step(session));
            must(f->context, graft_session_step(session));
            graft_session_cancel(session);
            assert_int_equal(graft_session_step(session), GRAFT_ERROR_CANCELLED);
            assert_int_equal(graft_session_position(session)->batch, 2);
            must(f->context, graft_session_save(session));
            graft_session_close(&session);
        }
        const struct graft_fit_options rest = {.resume = runs[0], .source = &source};
        must(f->context, graft_fit(f->device, i == 0 ? &rest : &options, &result));
        graft_fit_result_close(f->context, &result);
    }
    assert_same_run(f, runs[0], runs[1], "with a step under way", 2);
    for (int i = 0; i < 2; i++)
        test_folder_remove(runs[i]);
}

/* ---- two sessions in two threads on one context */

struct part {
    struct graft_context *context;
    struct graft_recipe recipe;
    const struct graft_picture_source *source;
    char run[200];
    bool cancels; /* itself, after two steps */
    char error[200];
    enum graft_status status;
};

static void *run_part(void *argument)
{
    struct part *const part = argument;
    struct graft_device *device = NULL;
    struct graft_session *session = NULL;
    const struct graft_fit_options options = {
        .recipe = part->recipe, .source = part->source, .out = part->run};
    part->status = graft_device_open(part->context, "cpu", &device);
    if (part->status == GRAFT_OK)
        part->status = graft_session_open(device, &options, &session);
    for (int steps = 1; part->status == GRAFT_OK && !graft_session_position(session)->done; steps++) {
        part->status = graft_session_step(session);
        if (part->cancels && steps == 2)
            graft_session_cancel(session);
    }
    if (session)
        (void)snprintf(part->error, sizeof part->error, "%s", graft_session_error(session));
    if (part->status == GRAFT_OK)
        part->status = graft_session_save(session);
    graft_session_close(&session);
    graft_device_close(&device);
    return NULL;
}

static void two_threads_share_a_context(void **state)
{
    struct fixture *const f = *state;
    static uint8_t pixels[OWN * SIDE * SIDE * 3];
    const struct graft_picture_source source = own_source(pixels);
    struct part parts[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        parts[i] = (struct part){.context = f->context,
                                 .source = &source,
                                 .cancels = i == 1,
                                 .recipe = {.model = "tiny_convnet", .input = SIDE, .batch = 8, .epochs = 2}};
        (void)snprintf(parts[i].run, sizeof parts[i].run, "%s/part%d", f->folder, i);
        parts[i].recipe.memory_limit = i == 1 ? 1ull << 30 : 0; /* binds nobody else */
        assert_int_equal(pthread_create(&threads[i], NULL, run_part, &parts[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(parts[0].status, GRAFT_OK);
    assert_int_equal(parts[1].status, GRAFT_ERROR_CANCELLED);
    assert_int_equal(parts[2].status, GRAFT_OK);
    assert_non_null(strstr(parts[1].error, "cancelled"));
    assert_null(strstr(parts[0].error, "cancelled"));
    assert_same_run(f, parts[0].run, parts[2].run, "side by side", 0);
    test_folder_remove(parts[0].run);
    test_folder_remove(parts[2].run);
    struct stat facts;
    assert_int_not_equal(stat(parts[1].run, &facts), 0); /* never saved: nothing is left of it */
}

/* ---- what a resumed run cannot have changed */

static void changed_data_are_refused(void **state)
{
    struct fixture *const f = *state;
    char run[200], from[300], to[300];
    (void)snprintf(run, sizeof run, "%s/changed", f->folder);
    const struct graft_recipe recipe = usual(f);
    const struct graft_fit_options begin = {.recipe = recipe, .out = run}, rest = {.resume = run};
    assert_false(go(f, &begin, 2, NULL));
    static const char *const moves[][3] = {
        {"train/a", "train/z", "'z'"},                               /* a class renamed */
        {"train/a/0.png", "train/a/9.png", "other train pictures"},  /* a picture renamed */
        {"train/a/0.png", "train/b/0x.png", "other train pictures"}, /* to another class */
        {"train/a/0.png", "gone", "8 train pictures"},
        {"val/a/0.png", "train/a/9.png", "train pictures"},
    };
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        struct graft_session *session = NULL;
        (void)snprintf(from, sizeof from, "%s/%s", f->data, moves[i][0]);
        (void)snprintf(to, sizeof to, "%s/%s", f->data, moves[i][1]);
        assert_int_equal(rename(from, to), 0);
        assert_int_not_equal(graft_session_open(f->device, &rest, &session), GRAFT_OK);
        if (!strstr(graft_context_error(f->context), moves[i][2]))
            fail_msg("%s: %s", moves[i][1], graft_context_error(f->context));
        assert_int_equal(rename(to, from), 0);
    }
    assert_true(go(f, &rest, STEPS, NULL));
    test_folder_remove(run);
}

/* Of the weights' preprocessing nothing is lost: begun with theirs, it goes on with theirs. */
static void preprocessing_of_the_weights_is_kept(void **state)
{
    struct fixture *const f = *state;
    struct graft_recipe recipe = usual(f);
    recipe.input = 0; /* the weights' 16; the network's own is another */
    interrupt_everywhere(f, &recipe, "preprocessing");
}

static int set_up(void **state)
{
    static struct fixture f;
    struct graft_fit_result result;
    char run[200];
    must(NULL, graft_context_open(&(struct graft_context_options){.threads = 2}, &f.context));
    must(f.context, graft_device_open(f.context, "cpu", &f.device));
    test_folder(f.folder, sizeof f.folder);
    (void)snprintf(f.data, sizeof f.data, "%s/data", f.folder);
    (void)mkdir(f.data, 0777);
    draw_folder(&f, "train", 4);
    draw_folder(&f, "val", 1);
    (void)snprintf(run, sizeof run, "%s/first", f.folder);
    (void)snprintf(f.weights, sizeof f.weights, "%s/first/model.safetensors", f.folder);
    const struct graft_fit_options options = {
        .recipe = {.data = f.data, .model = "tiny_convnet", .input = SIDE, .epochs = 1}, .out = run};
    must(f.context, graft_fit(f.device, &options, &result));
    graft_fit_result_close(f.context, &result);
    *state = &f;
    return 0;
}

static int take_down(void **state)
{
    struct fixture *const f = *state;
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    test_folder_remove(f->folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_survives_every_step),
        cmocka_unit_test(labels_and_numbers_survive_every_step),
        cmocka_unit_test(batches_without_pictures_keep_their_place),
        cmocka_unit_test(preprocessing_of_the_weights_is_kept),
        cmocka_unit_test(a_program_stops_and_goes_on),
        cmocka_unit_test(a_step_under_way_counts),
        cmocka_unit_test(two_threads_share_a_context),
        cmocka_unit_test(changed_data_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, take_down);
}
