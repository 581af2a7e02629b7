/* SPDX-License-Identifier: MIT */
/* graft check: decodes every picture of a data set and lists what is wrong with it. */
#include "base/context.h"
#include "columns.h"
#include "graft/audit.h"
#include "graft/embed.h"
#include "io/pulled.h"
#include "output.h"
#include "verbs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_SIZE 4096
/* The largest class has more than so many times the pictures of the smallest: out of balance. */
#define BALANCE 5
#define NEAR_LISTED 100 /* near doubles */
#define NEAR_ABOVE 0.95

struct near {
    bool wanted;
    const char *network; /* whose features are compared; NULL: the one that ships */
    double above;
    struct graft_embedding embedding;
    struct graft_near_pair pairs[NEAR_LISTED]; /* that are not the same pixels */
    int64_t listed, found;
};

struct check {
    struct graft_command *command;
    struct graft_dataset *dataset;
    struct graft_audit audit;
    struct near near;
};

static void show_progress(void *user, int64_t done, int64_t total)
{
    const struct check *const check = user;
    graft_command_progress(check->command, "decoding: %lld/%lld pictures", (long long)done, (long long)total);
}

static json_t *name_json(const struct check *check, const struct graft_audit_place *place)
{
    char name[NAME_SIZE];
    return graft_json_text(
        graft_dataset_sample_name(check->dataset, place->split, place->index, name, sizeof name));
}

/* ---- near doubles */

static struct graft_audit_place place_of(const struct check *check, int64_t row)
{
    const struct graft_embedded *const picture = &check->near.embedding.pictures[row];
    return (struct graft_audit_place){picture->split, picture->index};
}

static bool same_place(const struct graft_audit_place *a, const struct graft_audit_place *b)
{
    return a->split == b->split && a->index == b->index;
}

/* Has the audit told of these two already? */
static bool is_told(const struct check *check, const struct graft_near_pair *pair)
{
    const struct graft_audit_place a = place_of(check, pair->rows[0]), b = place_of(check, pair->rows[1]);
    for (int64_t i = 0; i < check->audit.count; i++) {
        const struct graft_audit_finding *const finding = &check->audit.findings[i];
        const struct graft_audit_place *const places = finding->places;
        if (finding->text == NULL && ((same_place(&a, &places[0]) && same_place(&b, &places[1])) ||
                                      (same_place(&a, &places[1]) && same_place(&b, &places[0])))) {
            return true;
        }
    }
    return false;
}

static void show_features(void *user, int64_t done, int64_t total)
{
    const struct check *const check = user;
    graft_command_progress(check->command, "features: %lld/%lld pictures", (long long)done, (long long)total);
}

/* GRAFT_EXIT_GO_ON or an exit code. */
static int find_near(struct check *check)
{
    struct graft_command *const command = check->command;
    struct near *const near = &check->near;
    const struct graft_classifier_options options = {.network = near->network != NULL ? near->network
                                                                                      : GRAFT_SHIPPED_NETWORK,
                                                     .output = "features",
                                                     .pool = GRAFT_MODEL_POOL_AVG};
    struct graft_device *device = NULL;
    struct graft_classifier *classifier = NULL;
    int code = graft_command_open_device(command, NULL, false, &device);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    enum graft_status status = graft_classifier_open(device, &options, &classifier);
    if (status == GRAFT_OK) {
        status =
            graft_embed_dataset(classifier, check->dataset, true, show_features, check, &near->embedding);
        graft_command_progress_end(command);
    }
    if (status == GRAFT_OK) {
        status = graft_embedding_near_pairs(device, &near->embedding, (float)near->above, NEAR_LISTED,
                                            near->pairs, &near->found);
    }
    const int64_t count = near->found < NEAR_LISTED ? near->found : NEAR_LISTED;
    for (int64_t i = 0; i < count && status == GRAFT_OK; i++) {
        if (is_told(check, &near->pairs[i])) {
            near->found--;
        } else {
            near->pairs[near->listed++] = near->pairs[i];
        }
    }
    graft_classifier_close(&classifier);
    graft_device_close(&device);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed_name(command, status);
}

static json_t *near_json(const struct check *check)
{
    json_t *const list = json_array();
    for (int64_t i = 0; i < check->near.listed; i++) {
        const struct graft_near_pair *const pair = &check->near.pairs[i];
        const struct graft_audit_place a = place_of(check, pair->rows[0]), b = place_of(check, pair->rows[1]);
        graft_json_add_item(list,
                            json_pack("{s:[o, o], s:o}", "files", name_json(check, &a), name_json(check, &b),
                                      "similarity", graft_json_real((double)pair->similarity)));
    }
    return list;
}

/* Pairs of names, texts, or a file with its reason. */
static json_t *finding_json(const struct check *check, const struct graft_audit_finding *finding)
{
    if (finding->kind == GRAFT_AUDIT_FAULT) {
        return graft_json_text(finding->text);
    }
    return finding->text != NULL ? json_pack("{s:o, s:o}", "file", name_json(check, &finding->places[0]),
                                             "reason", graft_json_text(finding->text))
                                 : json_pack("[o, o]", name_json(check, &finding->places[0]),
                                             name_json(check, &finding->places[1]));
}

static json_t *findings_json(const struct check *check, enum graft_audit_kind kind)
{
    json_t *const list = json_array();
    for (int64_t i = 0; i < check->audit.count; i++) {
        if (check->audit.findings[i].kind == kind) {
            graft_json_add_item(list, finding_json(check, &check->audit.findings[i]));
        }
    }
    return list;
}

static int report_json(struct check *check, const long long *splits, bool balanced)
{
    const struct graft_dataset *const dataset = check->dataset;
    const char *const *const names = graft_dataset_class_names(dataset);
    json_t *const list = json_array();
    for (int32_t c = 0; c < graft_dataset_class_count(dataset); c++) {
        graft_json_add_item(list, json_pack("{s:o, s:I}", "name", graft_json_text(names[c]), "images",
                                            (json_int_t)check->audit.class_counts[c]));
    }
    json_t *const document = json_pack(
        "{s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:I}", "train", (json_int_t)splits[0], "val",
        (json_int_t)splits[1], "test", (json_int_t)splits[2], "classes", list, "damaged",
        findings_json(check, GRAFT_AUDIT_DAMAGED), "suspect", findings_json(check, GRAFT_AUDIT_SUSPECT),
        "duplicates", findings_json(check, GRAFT_AUDIT_TWO_PARTS), "contradictions",
        findings_json(check, GRAFT_AUDIT_CONTRADICTION), "twice", findings_json(check, GRAFT_AUDIT_TWICE),
        "faults", findings_json(check, GRAFT_AUDIT_FAULT), "balanced", (int)balanced, "skipped_files",
        (json_int_t)graft_dataset_skipped_count(dataset));
    if (check->near.wanted && document != NULL) {
        graft_json_add_member(document, "near", near_json(check));
    }
    return graft_json_print(check->command, document);
}

/* Two pictures with the same pixels, or (`similarity` is a number) nearly. */
static void print_pair(const struct check *check, const struct graft_audit_finding *finding,
                       double similarity)
{
    char names[2][GRAFT_NAME_SHOWN], labels[2][GRAFT_NAME_SHOWN];
    const char *parts[2];
    for (int i = 0; i < 2; i++) {
        const struct graft_audit_place *const place = &finding->places[i];
        char name[NAME_SIZE], truth[NAME_SIZE];
        graft_show_name(
            graft_dataset_sample_name(check->dataset, place->split, place->index, name, sizeof name),
            names[i]);
        graft_show_name(graft_dataset_truth(check->dataset, place->split, place->index, truth, sizeof truth), labels[i]);
        parts[i] = graft_split_name(place->split);
    }
    if (isfinite(similarity)) {
        printf("nearly the same, %.3f: %s (%s, %s) and %s (%s, %s)\n", similarity, names[0], parts[0],
               labels[0], names[1], parts[1], labels[1]);
    } else if (finding->kind == GRAFT_AUDIT_CONTRADICTION) {
        printf("contradicting labels: %s (%s, %s) and %s (%s, %s) are the same picture\n", names[0], parts[0],
               labels[0], names[1], parts[1], labels[1]);
    } else if (finding->kind == GRAFT_AUDIT_TWICE) {
        printf("twice in %s: %s and %s\n", parts[0], names[0], names[1]);
    } else {
        printf("the same picture: %s (%s) and %s (%s)\n", names[0], parts[0], names[1], parts[1]);
    }
}

static void print_findings(const struct check *check)
{
    static const char *const words[GRAFT_AUDIT_KINDS] = {
        [GRAFT_AUDIT_FAULT] = "wrong", [GRAFT_AUDIT_DAMAGED] = "damaged", [GRAFT_AUDIT_SUSPECT] = "suspect"};
    char shown[GRAFT_NAME_SHOWN];
    for (int64_t i = 0; i < check->audit.count; i++) {
        const struct graft_audit_finding *const finding = &check->audit.findings[i];
        if (finding->text != NULL) {
            printf("%s: %s\n", words[finding->kind], graft_show_name(finding->text, shown));
        } else {
            print_pair(check, finding, (double)NAN);
        }
    }
    for (int64_t i = 0; i < check->near.listed; i++) {
        const struct graft_near_pair *const pair = &check->near.pairs[i];
        const struct graft_audit_finding two = {
            .places = {place_of(check, pair->rows[0]), place_of(check, pair->rows[1])}};
        print_pair(check, &two, (double)pair->similarity);
    }
    for (int64_t i = 0; i < graft_dataset_skipped_count(check->dataset); i++) {
        printf("left out, as no picture or outside of class folders: %s\n",
               graft_show_name(graft_dataset_skipped(check->dataset, i), shown));
    }
}

static void report_text(const struct check *check, const long long *splits, bool balanced)
{
    const struct graft_audit *const audit = &check->audit;
    const int64_t *const found = audit->counts;
    const int32_t classes = graft_dataset_class_count(check->dataset);
    char shown[GRAFT_NAME_SHOWN];
    print_findings(check);
    for (int32_t c = 0; c < classes && (!balanced || classes <= 20); c++) {
        printf("%8lld  %s\n", (long long)audit->class_counts[c],
               graft_show_name(graft_dataset_class_names(check->dataset)[c], shown));
    }
    const enum graft_task_kind task = graft_dataset_task(check->dataset);
    char what[64];
    snprintf(what, sizeof what, "of %d %s", (int)classes, task == GRAFT_TASK_LABELS ? "labels" : "classes");
    printf("%lld pictures (%lld train, %lld val, %lld test) %s: %lld damaged, %lld suspect, "
           "%lld in two parts",
           (long long)audit->pictures, splits[0], splits[1], splits[2],
           task == GRAFT_TASK_NUMBER ? "with numbers" : what,
           (long long)found[GRAFT_AUDIT_DAMAGED], (long long)found[GRAFT_AUDIT_SUSPECT],
           (long long)found[GRAFT_AUDIT_TWO_PARTS]);
    if (found[GRAFT_AUDIT_TWICE] > 0) {
        printf(", %lld twice in one", (long long)found[GRAFT_AUDIT_TWICE]);
    }
    if (found[GRAFT_AUDIT_CONTRADICTION] > 0) {
        printf(", %lld under two classes", (long long)found[GRAFT_AUDIT_CONTRADICTION]);
    }
    if (found[GRAFT_AUDIT_FAULT] > 0) {
        printf(", %lld other fault%s", (long long)found[GRAFT_AUDIT_FAULT],
               found[GRAFT_AUDIT_FAULT] == 1 ? "" : "s");
    }
    if (check->near.wanted) {
        printf(", %lld nearly the same", (long long)check->near.found);
    }
    printf("%s\n", balanced ? "" : ", out of balance");
}

static int check_data(struct check *check)
{
    const struct graft_audit *const audit = &check->audit;
    const enum graft_status status =
        graft_dataset_audit(check->command->context, check->dataset, show_progress, check, &check->audit);
    graft_command_progress_end(check->command);
    if (status != GRAFT_OK) {
        return graft_command_failed(check->command, status);
    }
    const int compared = check->near.wanted ? find_near(check) : GRAFT_EXIT_GO_ON;
    if (compared != GRAFT_EXIT_GO_ON) {
        return compared;
    }
    const long long splits[] = {graft_dataset_count(check->dataset, GRAFT_SPLIT_TRAIN),
                                graft_dataset_count(check->dataset, GRAFT_SPLIT_VAL),
                                graft_dataset_count(check->dataset, GRAFT_SPLIT_TEST)};
    const bool balanced = audit->most <= BALANCE * audit->least;
    const int64_t wrong = audit->counts[GRAFT_AUDIT_DAMAGED] + audit->counts[GRAFT_AUDIT_TWO_PARTS] +
                          audit->counts[GRAFT_AUDIT_CONTRADICTION] + audit->counts[GRAFT_AUDIT_FAULT];
    int code = wrong > 0 ? GRAFT_EXIT_FAILED : GRAFT_EXIT_DONE;
    if (check->command->json) {
        const int printed = report_json(check, splits, balanced);
        code = printed != GRAFT_EXIT_DONE ? printed : code;
    } else {
        report_text(check, splits, balanced);
    }
    return code;
}

static int run(struct graft_command *command)
{
    struct check check = {.command = command, .near = {.above = NEAR_ABOVE}};
    struct graft_dataset_options options = {0};
    const struct graft_option own[] = {
        {"--val", "FOLDER", "the validation pictures, where they lie elsewhere", GRAFT_OPTION_TEXT,
         &options.val_path, 0, 0},
        {"--near", NULL, "list pictures of two classes or parts that are nearly the same, too",
         GRAFT_OPTION_FLAG, &check.near.wanted, 0, 0},
        {"--network", "RUN-or-MODEL", "--near: whose features are compared; else the network that ships",
         GRAFT_OPTION_TEXT, &check.near.network, 0, 0},
        {"--above", "X", "--near: what counts as nearly the same (the cosine of features)", GRAFT_OPTION_REAL,
         &check.near.above, -1, 1, .usual = "0.95"},
        GRAFT_COLUMN_OPTIONS(options),
    };
    int code = graft_command_begin(command, own, sizeof own / sizeof own[0]);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    options.seed = (uint64_t)command->seed;
    options.val_fraction = -1;
    options.keep_damaged = true;
    options.list_faults = true;
    const enum graft_status status =
        graft_dataset_open(command->context, command->operands[0], &options, &check.dataset);
    code = status == GRAFT_OK ? check_data(&check) : graft_command_failed(command, status);
    graft_embedding_close(command->context, &check.near.embedding);
    graft_audit_close(command->context, &check.audit);
    graft_dataset_close(&check.dataset);
    return code;
}

const struct graft_verb graft_verb_check = {
    .name = "check",
    .operands = "DATA",
    .purpose = "decodes every picture of a data set and lists what is damaged, twice there or wrong",
    .examples = "  graft check photos              is the folder fit for `graft fit`?\n"
                "  graft check photos --json       the same for programs\n"
                "  graft check photos --near       pictures that were cut or saved anew, too\n",
    .notes = "  First come pictures under two classes and doubles, then rows of tables, folders and members "
             "of archives\n"
             "  that are wrong, then damaged pictures. The exit code is 1 if a picture is damaged, is in two "
             "of train,\n"
             "  val and test or under two classes, or if anything else is wrong. What --near lists is to be "
             "looked at, and\n"
             "  changes no exit code: graft similar draws it.\n",
    .least = 1,
    .most = 1,
    .cancels = true,
    .run = run,
};
