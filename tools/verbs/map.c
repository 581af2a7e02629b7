/* SPDX-License-Identifier: MIT */
/* graft map: all pictures of a data set on a plane, near ones beside each other. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "columns.h"
#include "embedded.h"
#include "graft/vis.h"
#include "output.h"
#include "verbs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define THUMBNAIL 64 /* pixels of a picture */
#define SIDE 1600    /* of the PNG */

struct request {
    struct graft_network_options network;
    struct graft_dataset_options data;
    const char *method, *out;
    double perplexity;
    int64_t steps, neighbours, thumbnails;
    bool skip_damaged;
};

struct map {
    struct graft_command *command;
    const struct request *request;
    struct graft_device *device;
    struct graft_embedded_data data;
    bool pca;
    double *plane;     /* [count, 2] */
    double shares[2];  /* of the variance, of PCA */
    double divergence; /* of t-SNE */
    struct graft_embedding_score score;
    struct graft_image *images; /* [count] */
    char **names;               /* [count] */
    struct graft_plane_point *points; /* [count] */
    char title[512], facts[512];
};

/* ---- computing */

static void show_steps(void *user, int64_t done, int64_t total)
{
    if (done % 10 == 0 || done == total) {
        graft_command_progress(user, "t-SNE: %lld/%lld steps", (long long)done, (long long)total);
    }
}

static enum graft_status compute(struct map *job)
{
    const struct graft_embedding *const e = &job->data.embedding;
    const struct graft_tsne_options options = {.perplexity = job->request->perplexity,
                                               .steps = (int32_t)job->request->steps,
                                               .seed = (uint64_t)job->command->seed,
                                               .progress = show_steps,
                                               .user = job->command};
    job->plane = graft_allocate(job->command->context, (size_t)e->count, 2 * sizeof *job->plane);
    if (job->plane == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    enum graft_status status =
        graft_embedding_rate(job->device, e, (int32_t)job->request->neighbours, &job->score);
    if (status == GRAFT_OK) {
        status = job->pca ? graft_embedding_pca(job->command->context, e, 2, job->plane, job->shares)
                          : graft_embedding_tsne(job->device, e, &options, job->plane, &job->divergence);
        graft_command_progress_end(job->command);
    }
    return status;
}

/* ---- drawing */

/* Pictures of every so many rows, so that there are `thumbnails` of them. */
static enum graft_status read_pictures(struct map *job)
{
    struct graft_context *const context = job->command->context;
    const struct graft_embedding *const e = &job->data.embedding;
    const int64_t most = job->request->thumbnails;
    enum graft_status status = GRAFT_OK;
    job->images = graft_allocate(context, (size_t)e->count, sizeof *job->images);
    job->names = graft_allocate(context, (size_t)e->count, sizeof *job->names);
    job->points = graft_allocate(context, (size_t)e->count, sizeof *job->points);
    if (job->images == NULL || job->names == NULL || job->points == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    for (int64_t i = 0; i < e->count && status == GRAFT_OK; i++) {
        const struct graft_embedded *const picture = &e->pictures[i];
        char name[GRAFT_NAME_SHOWN];
        job->names[i] = graft_duplicate_text(
            context, graft_dataset_sample_name(job->data.dataset, picture->split, picture->index, name,
                                               sizeof name));
        job->points[i] = (struct graft_plane_point){.x = job->plane[2 * i],
                                                    .y = job->plane[2 * i + 1],
                                                    .label = picture->label,
                                                    .name = job->names[i]};
        if (job->names[i] == NULL) {
            return GRAFT_ERROR_MEMORY;
        }
        if (e->count <= most || (i + 1) * most / e->count > i * most / e->count) {
            status = graft_embedded_picture(job->command, &job->data, i, THUMBNAIL, &job->images[i]);
            job->points[i].picture = &job->images[i];
        }
    }
    return status;
}

static void tell_facts(struct map *job)
{
    char rate[160] = "", method[96];
    if (isfinite(job->score.silhouette)) {
        (void)graft_format(
            rate, sizeof rate, "; features: silhouette %.3f, %lld nearest neighbours name %.1f %% right",
            job->score.silhouette, (long long)job->request->neighbours, 100 * job->score.neighbours);
    }
    if (job->pca) {
        (void)graft_format(method, sizeof method, "principal components, %.1f %% and %.1f %% of the variance",
                           100 * job->shares[0], 100 * job->shares[1]);
    } else {
        (void)graft_format(method, sizeof method, "t-SNE, divergence %.3f", job->divergence);
    }
    (void)snprintf(job->title, sizeof job->title, "%.200s as %.200s sees it", job->command->operands[1],
                   job->command->operands[0]);
    (void)snprintf(job->facts, sizeof job->facts, "%lld pictures; %s%s", (long long)job->data.embedding.count,
                   method, rate);
}

static enum graft_status write_table(struct map *job, const char *path)
{
    struct graft_context *const context = job->command->context;
    struct graft_text csv = {0};
    graft_text_append(context, &csv, "file,class,split,x,y\n");
    for (int64_t i = 0; i < job->data.embedding.count; i++) {
        const struct graft_embedded *const picture = &job->data.embedding.pictures[i];
        const char *const texts[2] = {
            job->names[i],
            picture->label >= 0 ? graft_dataset_class_names(job->data.dataset)[picture->label] : ""};
        for (int t = 0; t < 2; t++) { /* quoted, quotes doubled */
            graft_text_append(context, &csv, "\"");
            for (const char *c = texts[t]; *c != '\0'; c++) {
                graft_text_append(context, &csv, *c == '"' ? "\"\"" : "%c", *c);
            }
            graft_text_append(context, &csv, "\",");
        }
        graft_text_append(context, &csv, "%s,%.9g,%.9g\n", graft_split_name(picture->split),
                          job->plane[2 * i], job->plane[2 * i + 1]);
    }
    const enum graft_status status =
        csv.failed ? GRAFT_ERROR_MEMORY : graft_file_write(context, path, csv.data, csv.length);
    graft_text_close(context, &csv);
    return status;
}

static enum graft_status write_files(struct map *job)
{
    struct graft_context *const context = job->command->context;
    const bool classes = isfinite(job->score.silhouette);
    const struct graft_plane plane = {.title = job->title,
                                      .facts = job->facts,
                                      .points = job->points,
                                      .count = job->data.embedding.count,
                                      .class_names = graft_dataset_class_names(job->data.dataset),
                                      .class_count =
                                          classes ? graft_dataset_class_count(job->data.dataset) : 0};
    static const char *const ends[] = {".png", ".html", ".csv"};
    enum graft_status status = GRAFT_OK;
    for (int64_t i = 0; i < plane.count && !classes; i++) {
        job->points[i].label = -1;
    }
    for (int f = 0; f < 3 && status == GRAFT_OK; f++) {
        struct graft_text path = {0};
        graft_text_append(context, &path, "%s%s", job->request->out, ends[f]);
        status = path.failed ? GRAFT_ERROR_MEMORY
                 : f == 0    ? graft_vis_plane(context, path.data, &plane, SIDE)
                 : f == 1    ? graft_vis_plane_page(context, path.data, &plane)
                             : write_table(job, path.data);
        graft_text_close(context, &path);
    }
    return status;
}

static int print(struct map *job)
{
    if (job->command->json) {
        return graft_json_print(
            job->command,
            json_pack("{s:I, s:I, s:s, s:o, s:o, s:o, s:o}", "pictures",
                      (json_int_t)job->data.embedding.count, "left_out",
                      (json_int_t)job->data.embedding.left_out, "method", job->pca ? "pca" : "tsne",
                      "silhouette", graft_json_real(job->score.silhouette), "neighbours",
                      graft_json_real(job->score.neighbours), "variance",
                      job->pca ? json_pack("[o, o]", graft_json_real(job->shares[0]),
                                           graft_json_real(job->shares[1]))
                               : json_null(),
                      "divergence", job->pca ? json_null() : graft_json_real(job->divergence)));
    }
    printf("%s\n", job->facts);
    graft_command_remark(job->command, "%s.png, %s.html, %s.csv", job->request->out, job->request->out,
                         job->request->out);
    return GRAFT_EXIT_DONE;
}

static int draw(struct map *job)
{
    int code = graft_embedded_open(job->command, job->device, &job->request->network, &job->request->data,
                                   job->request->skip_damaged, &job->data);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    enum graft_status status = compute(job);
    if (status == GRAFT_OK) {
        status = read_pictures(job);
    }
    if (status == GRAFT_OK) {
        tell_facts(job);
        status = write_files(job);
    }
    return status == GRAFT_OK ? print(job) : graft_command_failed(job->command, status);
}

static void release(struct map *job)
{
    struct graft_context *const context = job->command->context;
    for (int64_t i = 0; i < job->data.embedding.count && job->images != NULL; i++) {
        graft_image_close(context, &job->images[i]);
    }
    for (int64_t i = 0; i < job->data.embedding.count && job->names != NULL; i++) {
        graft_release(context, job->names[i]);
    }
    graft_release(context, job->images);
    graft_release(context, job->names);
    graft_release(context, job->points);
    graft_release(context, job->plane);
    graft_embedded_close(job->command, &job->data);
}

static int run(struct graft_command *command)
{
    static const char *const methods[] = {"tsne", "pca"};
    struct request request = {.out = "map", .neighbours = 5, .thumbnails = 2000};
    struct map job = {.command = command, .request = &request};
    const struct graft_option options[] = {
        {"--method", "NAME", "tsne: what is near stays near; pca: along the largest variance",
         GRAFT_OPTION_TEXT, &request.method, 0, 0, .usual = "tsne"},
        {"--perplexity", "X", "t-SNE: how many neighbours count; else 30, or a third of few pictures",
         GRAFT_OPTION_REAL, &request.perplexity, 1, 1000},
        {"--steps", "N", "t-SNE: steps of the descent", GRAFT_OPTION_INTEGER, &request.steps, 1, 100000,
         .usual = "1000"},
        {"--neighbours", "K", "so many vote for a picture's class", GRAFT_OPTION_INTEGER, &request.neighbours,
         1, 100, .usual = "5"},
        {"--thumbnails", "N", "so many pictures are drawn, the others are dots", GRAFT_OPTION_INTEGER,
         &request.thumbnails, 0, 20000, .usual = "2000"},
        {"--layer", "NAME", "what this layer or stage gives; else what enters the head", GRAFT_OPTION_TEXT,
         &request.network.output, 0, 0},
        {"--out", "NAME", "files NAME.png, NAME.html, NAME.csv", GRAFT_OPTION_TEXT, &request.out, 0, 0,
         .usual = "map"},
        {"--skip-damaged", NULL, "leave out pictures that cannot be read, and list them", GRAFT_OPTION_FLAG,
         &request.skip_damaged, 0, 0},
        GRAFT_COLUMN_OPTIONS(request.data),
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code == GRAFT_EXIT_GO_ON && request.method != NULL) {
        const int method = graft_command_choice(command, "--method", request.method, methods, 2);
        if (method < 0) {
            return GRAFT_EXIT_USAGE;
        }
        job.pca = method == 1;
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_device(command, &request.network, &job.device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = draw(&job);
    }
    release(&job);
    graft_device_close(&job.device);
    return code;
}

const struct graft_verb graft_verb_map = {
    .name = "map",
    .operands = "RUN-or-MODEL-or-FILE DATA",
    .purpose = "draws all pictures of a data set on a plane, similar ones beside each other",
    .examples = "  graft map runs/insects-1 insects                  map.png, and map.html to look closer\n"
                "  graft map graft_small photos --method pca --out plane\n",
    .notes = "  Beside it: the silhouette of the classes and how often the nearest neighbours name the "
             "class, both\n"
             "  of the features, not of the plane. The same seed gives the same map.\n",
    .least = 2,
    .most = 2,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
