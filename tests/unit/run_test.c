/* SPDX-License-Identifier: MIT */
/* Run folders: who writes them, what is read back, which epoch is the best. */
#include "base/context.h"
#include "base/file.h"
#include "run/run.h"
#include "support/support.h"

#include "run_fixture.h"

#include <locale.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool exists(const struct place *place, const char *name)
{
    char path[256];
    return access(in(place, name, path), F_OK) == 0;
}

static enum graft_status open_run(const struct place *place, struct graft_run **run)
{
    return graft_run_open(place->context, place->folder, run);
}

static void damaged_histories_are_refused_by_line(void **state)
{
    const struct place *const place = *state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "line 1: the file is empty"},
        {"stage,epoch\nhead,1\n", "line 1: there is no column learning_rate"},
        {HEADER "head,1,0.1,2,0.5,2,0.5\n", "line 2: it has 7 fields, 8 are expected"},
        {HEADER "head,1,0.1,2,0.5,2,0.5,1\nhead,2,0.1,abc,0.5,2,0.5,1\n",
         "line 3: train_loss is no number: abc"},
        {HEADER "head,1,0.1,nan,0.5,2,0.5,1\n", "line 2: train_loss is no number: nan"},
        {HEADER "head,1,0.1,1e999,0.5,2,0.5,1\n", "line 2: train_loss is no number: 1e999"},
        {HEADER "head,1,0.1,2,1.5,2,0.5,1\n", "line 2: train_top1 is outside of 0 to 1: 1.5"},
        {HEADER "head,1,0.1,2,0.5,2,0.5,1\nhead,1,0.1,2,0.5,2,0.5,1\n",
         "line 3: epochs do not count upwards: 1"},
        {HEADER "head,,0.1,2,0.5,2,0.5,1\n", "line 2: epochs do not count upwards"},
        {HEADER "head,0.5,0.1,2,0.5,2,0.5,1\n", "line 2: epochs do not count upwards: 0.5"},
        {HEADER "\n", "line 2: it has 1 fields"},
        {HEADER "\"head,1,0.1,2,0.5,2,0.5,1\n", "line 2: a quote is out of place"},
        {HEADER "\"he\"ad,1,0.1,2,0.5,2,0.5,1\n", "line 2: a quote is out of place"},
    };
    char path[256];
    struct graft_run *run;
    in(place, "history.csv", path);
    write_text(place, "config.json", CONFIG, strlen(CONFIG));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text(place, "history.csv", cases[i].text, strlen(cases[i].text));
        assert_int_equal(open_run(place, &run), GRAFT_ERROR_FORMAT);
        if (strstr(graft_context_error(place->context), cases[i].message) == NULL) {
            print_message("case %zu: %s\n", i, graft_context_error(place->context));
        }
        assert_non_null(strstr(graft_context_error(place->context), cases[i].message));
        assert_non_null(strstr(graft_context_error(place->context), path));
        assert_null(run);
    }
    write_text(place, "history.csv", HEADER "he\0ad,1,0,2,0,2,0,1\n", sizeof HEADER + 20);
    assert_int_equal(open_run(place, &run), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(place->context), "line 2: it holds a zero byte"));
    char *const commas = malloc(100000);
    memset(commas, ',', 100000);
    write_text(place, "history.csv", commas, 100000);
    free(commas);
    assert_int_equal(open_run(place, &run), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(place->context), "line 1: it has too many columns"));
}

static void runs_are_read(void **state)
{
    const struct place *const place = *state;
    static const char text[] =
        "more,stage,epoch,learning_rate,train_loss,train_top1,val_loss,val_top1,seconds\r\n"
        "1,\"he\"\"ad, really\",2,0.5,1.25,0.5,\"\",,1\r\n"
        "2,head,7,0.25,0.125,1,,,1";
    struct graft_run *run;
    const struct graft_run_epoch *epochs;
    write_text(place, "config.json", CONFIG, strlen(CONFIG));
    write_text(place, "history.csv", text, strlen(text));
    assert_int_equal(open_run(place, &run), GRAFT_OK);
    assert_string_equal(graft_run_folder(run), place->folder);
    assert_string_equal(graft_run_recipe(run), CONFIG);
    assert_string_equal(graft_run_text(run, "data"), "photos");
    assert_null(graft_run_text(run, "seed"));
    assert_null(graft_run_text(run, "weights"));
    assert_true(graft_run_number(run, "seed", -1) == 7 && graft_run_number(run, "data", -1) == -1);
    assert_int_equal(graft_run_class_count(run), 2);
    assert_string_equal(graft_run_class_names(run)[1], "<bees> & \"co\"");
    assert_string_equal(graft_run_stage(run, 1), "all");
    assert_null(graft_run_stage(run, 2));
    assert_int_equal(graft_run_history(run, &epochs), 2);
    assert_true(epochs[0].epoch == 2 && epochs[1].epoch == 7);
    assert_true(epochs[0].stage == 0 && epochs[1].stage == 1); /* the first has two epochs */
    assert_true(epochs[1].train_loss == 0.125);
    assert_true(isnan(epochs[0].val_loss));
    assert_int_equal(graft_run_best(run), 1); /* nothing to validate with: the last */
    assert_null(graft_run_evaluation(run));
    assert_null(graft_run_evaluated(run));
    graft_run_close(&run);
    graft_run_close(&run);
}

/* By the rule's own words, on all histories of four epochs whose figures differ in what it looks at. */
static void the_best_epoch_has_one_rule(void **state)
{
    const struct place *const place = *state;
    static const double values[][2] = {/* top 1, loss; the better the earlier */
                                       {0.75, 3},
                                       {0.5, 1},
                                       {0.5, 2},
                                       {0.8, (double)NAN},
                                       {0.9, (double)INFINITY}};
    enum { KINDS = sizeof values / sizeof values[0], SOUND = 3 };
    for (int number = 0; number < KINDS * KINDS * KINDS * KINDS; number++) {
        struct graft_run_history history = {0};
        const int kinds[4] = {number % KINDS, number / KINDS % KINDS, number / KINDS / KINDS % KINDS,
                              number / KINDS / KINDS / KINDS};
        int wanted = -1;
        for (int i = 0; i < 4; i++) {
            const struct graft_run_epoch epoch = {.epoch = i + 1,
                                                  .train_loss = 1,
                                                  .val_top1 = values[kinds[i]][0],
                                                  .val_loss = values[kinds[i]][1]};
            assert_int_equal(graft_run_history_add(place->context, &history, &epoch), GRAFT_OK);
            if (kinds[i] < SOUND && (wanted < 0 || kinds[i] < kinds[wanted])) {
                wanted = i;
            }
        }
        assert_int_equal(graft_run_history_best(&history), wanted);
        graft_run_history_close(place->context, &history);
    }
    struct graft_run_history history = {0};
    struct graft_run_epoch epoch = {
        .train_loss = (double)NAN, .val_top1 = (double)NAN, .val_loss = (double)NAN};
    assert_int_equal(graft_run_history_best(&history), -1);
    for (int i = 0; i < 3; i++) { /* without validation */
        assert_int_equal(graft_run_history_add(place->context, &history, &epoch), GRAFT_OK);
        assert_int_equal(graft_run_history_best(&history), i < 1 ? -1 : 1);
        epoch.train_loss = i < 1 ? 1 : (double)NAN;
    }
    graft_run_history_close(place->context, &history);
}

static struct graft_class_figures figures[] = {{5, 0.8, 0.8, 0.8}, {4, 0.75, 0.75, 0.75}};
static int64_t confusion[] = {4, 1, 1, 3};
static const struct graft_evaluation evaluation = {.images = 9,
                                                   .loss = 1.0 / 3,
                                                   .top1 = 7.0 / 9,
                                                   .top5 = 1,
                                                   .classes = 2,
                                                   .figures = figures,
                                                   .confusion = confusion,
                                                   .seconds = 0.25};

static void evaluations_are_kept(void **state)
{
    const struct place *const place = *state;
    struct graft_run *run;
    write_text(place, "config.json", CONFIG, strlen(CONFIG));
    write_text(place, "history.csv", HISTORY, strlen(HISTORY));
    assert_int_equal(open_run(place, &run), GRAFT_OK);
    assert_int_equal(graft_run_best(run), 2); /* as many right as epoch 2, with a lower loss */
    assert_int_equal(graft_run_write_evaluation(run, &evaluation, "test"), GRAFT_OK);
    struct graft_evaluation other = evaluation;
    other.classes = 3;
    assert_int_equal(graft_run_write_evaluation(run, &other, "test"), GRAFT_ERROR_ARGUMENT);
    graft_run_close(&run);
    assert_int_equal(open_run(place, &run), GRAFT_OK);
    const struct graft_evaluation *const read = graft_run_evaluation(run);
    assert_non_null(read);
    assert_string_equal(graft_run_evaluated(run), "test");
    assert_true(read->images == 9 && read->classes == 2);
    assert_true(read->loss == evaluation.loss && read->top1 == evaluation.top1 && read->top5 == 1);
    assert_true(read->seconds == 0.25);
    assert_memory_equal(read->figures, figures, sizeof figures);
    assert_memory_equal(read->confusion, confusion, sizeof confusion);
    graft_run_close(&run);
    static const char *const broken[] = {
        "",
        "[]",
        "{}",
        "{\"split\": \"val\", \"classes\": [{}, {}], \"confusion\": [[1, 2], [3]]}",
        "{\"split\": \"val\", \"classes\": [{}, {}], \"confusion\": [[1, 2], [3, -4]]}",
        "{\"split\": \"val\", \"classes\": [{}, {}], \"confusion\": [[1, 2], [3, 4]], \"images\": -1}",
        "{\"split\": 1, \"classes\": [{}, {}], \"confusion\": [[1, 2], [3, 4]]}",
        "{\"split\": \"val\", \"classes\": [{}], \"confusion\": [[1, 2], [3, 4]]}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        write_text(place, "evaluation.json", broken[i], strlen(broken[i]));
        assert_int_equal(open_run(place, &run), GRAFT_ERROR_FORMAT);
        assert_non_null(strstr(graft_context_error(place->context), "evaluation.json"));
    }
}

static enum graft_status claim(const struct place *place, const char *folder, struct graft_run **run)
{
    char path[256];
    const struct graft_run_wish wish = {.folder = in(place, folder, path)};
    return graft_run_claim(place->context, &wish, run);
}

static void save(struct graft_run *run)
{
    struct graft_tensor_set *set = NULL;
    const struct graft_desc desc = {GRAFT_DTYPE_F32, {1, {2}}};
    const float values[] = {1, 2};
    const struct graft_run_position position = {
        .stage = 1, .epoch = 2, .batch = 3, .number = (int64_t)1 << 40, .loss_sum = 1.0 / 3, .seconds = 0.1};
    const struct graft_run_epoch epoch = {.stage = 1,
                                          .epoch = 3,
                                          .learning_rate = 1e-3,
                                          .train_loss = 0.1,
                                          .train_top1 = 0.5,
                                          .val_loss = (double)NAN,
                                          .val_top1 = 0.25};
    assert_int_equal(graft_run_write_recipe(run, CONFIG, strlen(CONFIG)), GRAFT_OK);
    assert_int_equal(graft_run_history_add(run->context, &run->history, &epoch), GRAFT_OK);
    assert_int_equal(graft_tensor_set_open(run->context, &set), GRAFT_OK);
    assert_int_equal(graft_tensor_set_add(set, "w", &desc, values), GRAFT_OK);
    assert_int_equal(graft_run_save_weights(run, GRAFT_RUN_BEST, set), GRAFT_OK);
    assert_int_equal(graft_run_save_weights(run, GRAFT_RUN_LAST, set), GRAFT_OK);
    assert_int_equal(graft_run_save_state(run, &position, set), GRAFT_OK);
    graft_tensor_set_close(&set);
}

/* What is saved comes back to the bit. */
/* Found with the fuzz target: memory for a matrix of all classes was taken before the file was looked at. */
static void an_evaluation_without_its_rows_takes_no_memory(void **state)
{
    const struct place *const place = *state;
    enum { CLASSES = 3000 };
    static char config[16 * CLASSES];
    struct graft_run *run;
    uint64_t live = 0, peak = 0;
    size_t used = (size_t)snprintf(config, sizeof config, "{\"classes\": [\"0\"");
    for (int c = 1; c < CLASSES; c++)
        used += (size_t)snprintf(config + used, sizeof config - used, ", \"%d\"", c);
    used += (size_t)snprintf(config + used, sizeof config - used, "], \"stages\": [{\"from\": \"head\"}]}");
    write_text(place, "config.json", config, used);
    write_text(place, "history.csv", HEADER, strlen(HEADER));
    write_text(place, "evaluation.json", "{}", 2);
    assert_int_equal(open_run(place, &run), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(place->context), "evaluation.json"));
    graft_context_memory(place->context, &live, &peak);
    assert_true(peak < 4 << 20);
}

static void states_are_kept(void **state)
{
    const struct place *const place = *state;
    struct graft_run *run;
    struct graft_run_position at;
    struct graft_tensor_set *set;
    char path[256];
    assert_int_equal(claim(place, "r", &run), GRAFT_OK);
    save(run);
    graft_run_close(&run);
    assert_int_equal(graft_run_claim_again(place->context, in(place, "r", path), &run), GRAFT_OK);
    assert_int_equal(graft_run_load(run, &at, &set), GRAFT_OK);
    assert_true(at.stage == 1 && at.epoch == 2 && at.batch == 3 && at.number == (int64_t)1 << 40);
    assert_true(at.loss_sum == 1.0 / 3 && at.seconds == 0.1 && at.seen == 0);
    assert_int_equal(run->history.count, 1);
    const struct graft_run_epoch *const epoch = &run->history.epochs[0];
    assert_true(epoch->stage == 1 && epoch->epoch == 3 && epoch->learning_rate == 1e-3);
    assert_true(epoch->train_loss == 0.1 && isnan(epoch->val_loss) && epoch->val_top1 == 0.25);
    assert_true(((const float *)graft_tensor_set_find(set, "w")->data)[1] == 2);
    graft_tensor_set_close(&set);
    graft_run_close(&run);
    static const char *const broken[] = {"", "{}", "[]", "{\"stage\": -1}", "{\"stage\": 1e300}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_int_equal(graft_run_claim_again(place->context, path, &run), GRAFT_OK);
        assert_int_equal(graft_tensor_set_open(place->context, &set), GRAFT_OK);
        assert_int_equal(graft_tensor_set_put_text(set, "graft.position", broken[i]), GRAFT_OK);
        assert_int_equal(graft_tensor_set_put_text(set, "graft.history", "[]"), GRAFT_OK);
        assert_int_equal(graft_run_save_weights(run, "state.safetensors", set), GRAFT_OK);
        graft_tensor_set_close(&set);
        assert_int_equal(graft_run_load(run, &at, &set), GRAFT_ERROR_FORMAT);
        assert_null(set);
        graft_run_close(&run);
    }
}

static void a_folder_has_one_writer(void **state)
{
    const struct place *const place = *state;
    struct graft_context *const c = place->context;
    struct graft_run *run, *other;
    char path[256];
    assert_int_equal(claim(place, "deep/r/", &run), GRAFT_OK);
    assert_int_equal(claim(place, "deep/r", &other), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(c), "another fit writes"));
    assert_null(other);
    assert_true(exists(place, "deep/r"));
    save(run);
    assert_int_equal(graft_run_claim_again(c, in(place, "deep/r", path), &other), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_run_open(c, path, &other), GRAFT_OK); /* who reads needs no claim */
    graft_run_close(&other);
    graft_run_close(&run);
    assert_int_equal(claim(place, "deep/r", &run), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(c), "holds a run already"));
    assert_int_equal(graft_run_claim_again(c, path, &run), GRAFT_OK);
    graft_run_close(&run);
    assert_int_equal(graft_run_claim_again(c, in(place, "none", path), &run), GRAFT_ERROR_NOT_FOUND);
    write_text(place, "file", "x", 1);
    assert_int_equal(claim(place, "file", &run), GRAFT_ERROR_ARGUMENT);
    const struct graft_run_wish wish = {.folder = ""};
    assert_int_equal(graft_run_claim(c, &wish, &run), GRAFT_ERROR_ARGUMENT);
}

/* A process that is killed holds its folder no longer, and what it left is cleared. */
static void the_dead_hold_nothing(void **state)
{
    static const char recipe[] = "{\"graft\": \"1\", \"classes\": [\"a\"]}";
    const struct place *const place = *state;
    struct graft_run *run;
    char path[256];
    int ends[2];
    char byte = 0;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        byte = claim(place, "r", &run) == GRAFT_OK &&
               graft_run_write_recipe(run, recipe, strlen(recipe)) == GRAFT_OK;
        if (write(ends[1], &byte, 1) == 1) {
            pause();
        }
        _exit(0);
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    assert_int_equal(claim(place, "r", &run), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    write_text(place, "r/" GRAFT_RUN_BEST, "x", 1); /* the beginning of a first save */
    write_text(place, "r/last.safetensors.part-123", "x", 1);
    write_text(place, "r/last.safetensors.part-12x", "x", 1);
    write_text(place, "r/notes.part-123", "x", 1);
    assert_int_equal(graft_run_claim_again(place->context, in(place, "r", path), &run),
                     GRAFT_ERROR_NOT_FOUND);
    assert_non_null(strstr(graft_context_error(place->context), "begin it again"));
    assert_int_equal(claim(place, "r", &run), GRAFT_OK);
    assert_false(exists(place, "r/last.safetensors.part-123"));
    assert_true(exists(place, "r/last.safetensors.part-12x") && exists(place, "r/notes.part-123"));
    graft_run_close(&run);
    close(ends[0]);
    close(ends[1]);
}

static void what_is_no_run_stays(void **state)
{
    const struct place *const place = *state;
    static const char *const names[] = {"r/model.safetensors", "r/config.json", "r/history.csv",
                                        "r/curves.png"};
    static const char text[] = "{\"classes\": [\"a\"]}";
    struct graft_run *run;
    char path[256];
    assert_int_equal(mkdir(in(place, "r", path), 0777), 0);
    write_text(place, "r/notes.txt", "x", 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        write_text(place, names[i], text, strlen(text));
        assert_int_equal(claim(place, "r", &run), GRAFT_ERROR_ARGUMENT);
        assert_non_null(strstr(graft_context_error(place->context), names[i] + 2));
        assert_null(run);
        assert_true(exists(place, names[i]));
        assert_int_equal(unlink(in(place, names[i], path)), 0);
    }
    /* Who fails before the first save leaves a folder as it was. */
    assert_int_equal(claim(place, "r", &run), GRAFT_OK);
    assert_int_equal(graft_run_write_recipe(run, CONFIG, strlen(CONFIG)), GRAFT_OK);
    assert_true(exists(place, "r/config.json"));
    graft_run_abandon(run);
    graft_run_close(&run);
    assert_true(exists(place, "r/notes.txt") && !exists(place, "r/config.json"));
    assert_int_equal(claim(place, "new", &run), GRAFT_OK);
    assert_int_equal(graft_run_write_recipe(run, CONFIG, strlen(CONFIG)), GRAFT_OK);
    graft_run_abandon(run);
    graft_run_close(&run);
    assert_false(exists(place, "new"));
    assert_int_equal(claim(place, "new", &run), GRAFT_OK);
    save(run);
    graft_run_abandon(run);
    graft_run_close(&run);
    assert_true(exists(place, "new/config.json") && exists(place, "new/state.safetensors"));
}

static void names_are_numbered(void **state)
{
    const struct place *const place = *state;
    static const struct {
        const char *data, *network, *folder;
    } cases[] = {{"/x/photos", NULL, "runs/photos-1"},
                 {"photos/", "resnet18", "runs/photos-resnet18-1"},
                 {"photos.tar.gz", NULL, "runs/photos-2"},
                 {"/x/.hidden", NULL, "runs/data-1"},
                 {"/", NULL, "runs/data-2"},
                 {"", NULL, "runs/data-3"},
                 {"photos", NULL, "runs/photos-4"}};
    enum { COUNT = sizeof cases / sizeof cases[0] };
    struct graft_run *runs[COUNT] = {NULL};
    char before[256];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(place->folder), 0);
    assert_int_equal(mkdir("runs", 0777), 0);
    write_text(place, "runs/photos-3", "", 0); /* whatever has the name: it is not free */
    for (size_t i = 0; i < COUNT; i++) {
        const struct graft_run_wish wish = {.data = cases[i].data, .network = cases[i].network};
        assert_int_equal(graft_run_claim(place->context, &wish, &runs[i]), GRAFT_OK);
        assert_string_equal(graft_run_folder(runs[i]), cases[i].folder);
        assert_true(exists(place, cases[i].folder));
    }
    for (size_t i = 0; i < COUNT; i++) {
        graft_run_close(&runs[i]);
    }
    assert_int_equal(chdir(before), 0);
}

/* Numbers are written and read alike where the program has set a locale with decimal commas. */
static void commas_change_nothing(void **state)
{
    const struct place *const place = *state;
    char path[256], command[512];
    struct graft_run *run;
    struct graft_text text = {0};
    struct graft_run_position at;
    struct graft_tensor_set *set;
    char *end = NULL, *csv = NULL;
    size_t size = 0;
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 '%s' >/dev/null 2>&1",
             in(place, "de_DE.UTF-8", path));
    const bool made = system(command) == 0;
    setenv("LOCPATH", place->folder, 1);
    if (!made || setlocale(LC_ALL, "de_DE.UTF-8") == NULL || localeconv()->decimal_point[0] != ',') {
        unsetenv("LOCPATH");
        print_message("no locale with decimal commas can be made here\n");
        skip();
    }
    graft_text_append(place->context, &text, "%.2f", 0.5);
    const double half = graft_read_number("0.5,1", &end);
    const enum graft_status claimed = claim(place, "r", &run);
    if (claimed == GRAFT_OK) {
        save(run);
        graft_run_close(&run);
    }
    const enum graft_status read =
        graft_file_read(place->context, in(place, "r/history.csv", path), 1 << 20, &csv, &size);
    const enum graft_status again = graft_run_claim_again(place->context, in(place, "r", path), &run);
    const enum graft_status loaded = again == GRAFT_OK ? graft_run_load(run, &at, &set) : again;
    graft_run_close(&run);
    const enum graft_status opened = graft_run_open(place->context, path, &run);
    char shown[16];
    snprintf(shown, sizeof shown, "%.1f", 0.5);
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    assert_string_equal(shown, "0,5"); /* the program's locale is as it was */
    assert_string_equal(text.data, "0.50");
    assert_true(half == 0.5 && strcmp(end, ",1") == 0);
    assert_true(claimed == GRAFT_OK && read == GRAFT_OK && loaded == GRAFT_OK && opened == GRAFT_OK);
    assert_non_null(strstr(csv, "\nall,3,0.001,0.1,0.5,\"\",0.25,0\n"));
    assert_true(at.loss_sum == 1.0 / 3 && run->history.epochs[0].train_loss == 0.1);
    graft_tensor_set_close(&set);
    graft_run_close(&run);
    graft_release(place->context, csv);
    graft_text_close(place->context, &text);
}

/* Each allocation fails once: that is told, nothing leaks, and no lock stays behind. */
static void failing_memory_is_an_error(void **state)
{
    const struct place *const place = *state;
    struct graft_run *run;
    char path[256];
    assert_int_equal(claim(place, "r", &run), GRAFT_OK);
    save(run);
    assert_int_equal(graft_run_write_evaluation(run, &evaluation, "val"), GRAFT_OK);
    graft_run_close(&run);
    in(place, "r", path);
    for (int what = 0; what < 2; what++) {
        enum graft_status status = GRAFT_ERROR_MEMORY;
        long fail_at = 0;
        for (; status != GRAFT_OK; fail_at++) {
            struct test_memory memory;
            struct graft_context *context = NULL;
            struct graft_run_position at;
            struct graft_tensor_set *set = NULL;
            const struct graft_context_options options = test_memory_options(&memory, fail_at);
            run = NULL;
            status = graft_context_open(&options, &context);
            if (status == GRAFT_OK) {
                status = what == 0 ? graft_run_open(context, path, &run)
                                   : graft_run_claim_again(context, path, &run);
                if (status == GRAFT_OK && what == 1) {
                    status = graft_run_load(run, &at, &set);
                }
                graft_tensor_set_close(&set);
                graft_run_close(&run);
                graft_context_close(&context);
            }
            assert_true(status == GRAFT_OK || status == GRAFT_ERROR_MEMORY);
            assert_int_equal(atomic_load(&memory.alive), 0);
            assert_true(fail_at < 10000);
        }
        assert_true(fail_at > 8);
    }
    assert_int_equal(graft_run_claim_again(place->context, path, &run), GRAFT_OK);
    graft_run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damaged_histories_are_refused_by_line, open_place, close_place),
        cmocka_unit_test_setup_teardown(runs_are_read, open_place, close_place),
        cmocka_unit_test_setup_teardown(the_best_epoch_has_one_rule, open_place, close_place),
        cmocka_unit_test_setup_teardown(evaluations_are_kept, open_place, close_place),
        cmocka_unit_test_setup_teardown(an_evaluation_without_its_rows_takes_no_memory, open_place, close_place),
        cmocka_unit_test_setup_teardown(states_are_kept, open_place, close_place),
        cmocka_unit_test_setup_teardown(a_folder_has_one_writer, open_place, close_place),
        cmocka_unit_test_setup_teardown(the_dead_hold_nothing, open_place, close_place),
        cmocka_unit_test_setup_teardown(what_is_no_run_stays, open_place, close_place),
        cmocka_unit_test_setup_teardown(names_are_numbered, open_place, close_place),
        cmocka_unit_test_setup_teardown(commas_change_nothing, open_place, close_place),
        cmocka_unit_test_setup_teardown(failing_memory_is_an_error, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
