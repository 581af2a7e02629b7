/* SPDX-License-Identifier: MIT */
/* graft explain: which parts of a picture speak for a class, as heat over the picture. */
#include "graft/explain.h"

#include "base/context.h"
#include "base/text.h"
#include "explain_page.h"
#include "graft/io.h"
#include "graft/vis.h"
#include "inputs.h"
#include "network.h"
#include "output.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CLASS_LIMIT 8 /* heats of one picture side by side */
#define TOP 5
#define TILE 300

struct request {
    struct graft_network_options network;
    const char *classes, *method, *layer, *out;
    int64_t steps, window, stride;
};

struct explain {
    struct graft_command *command;
    const struct request *request;
    struct graft_explainer *explainer;
    const char *const *names; /* of classes */
    int32_t class_count;
    int32_t asked[CLASS_LIMIT]; /* −1: the most probable */
    int asked_count;
    struct graft_explain_page page;
};

/* ---- files */

/* "OUT/NAME[-CLASS]-WHAT", NAME being the file's without its folder and ending. */
static char *path_of(struct explain *job, const char *name, const char *class_name, const char *what,
                     struct graft_text *path)
{
    struct graft_context *const context = job->command->context;
    const char *const slash = strrchr(name, '/');
    const char *const base = slash != NULL ? slash + 1 : name;
    const char *const dot = strrchr(base, '.');
    const int length = dot != NULL && dot != base ? (int)(dot - base) : (int)strlen(base);
    *path = (struct graft_text){0};
    graft_text_append(context, path, "%s/%.*s", job->request->out, length, base);
    if (class_name != NULL) {
        graft_text_append(context, path, "-");
        graft_append_file_name(context, class_name, path);
    }
    graft_text_append(context, path, "%s", what);
    return path->failed ? NULL : path->data;
}

static enum graft_status write_png(struct explain *job, const char *name, const char *class_name,
                                   const char *what, const struct graft_image *image)
{
    struct graft_text path;
    const char *const to = path_of(job, name, class_name, what, &path);
    const enum graft_status status =
        to != NULL ? graft_image_write_png(job->command->context, to, image) : GRAFT_ERROR_MEMORY;
    graft_text_close(job->command->context, &path);
    return status;
}

static enum graft_status write_map(struct explain *job, const char *name, const char *class_name,
                                   const struct graft_heat *heat)
{
    struct graft_text path;
    const struct graft_desc desc = {.dtype = GRAFT_DTYPE_F32,
                                    .shape = {.rank = 2, .dim = {heat->height, heat->width}}};
    const char *const to = path_of(job, name, class_name, ".npy", &path);
    const enum graft_status status =
        to != NULL ? graft_npy_save(job->command->context, to, &desc, heat->map) : GRAFT_ERROR_MEMORY;
    graft_text_close(job->command->context, &path);
    return status;
}

/* ---- a picture */

/* What a sheet is made of: the picture, then map and overlay a class, then the most probable classes. */
struct sheet {
    struct graft_image images[1 + 2 * CLASS_LIMIT];
    char captions[1 + 2 * CLASS_LIMIT][160];
    int count;
};

/* But the picture itself, the first, which is lent. */
static void close_sheet(struct explain *job, struct sheet *sheet)
{
    for (int i = 1; i < sheet->count; i++) {
        graft_image_close(job->command->context, &sheet->images[i]);
    }
}

static enum graft_status draw_class(struct explain *job, const char *name, const struct graft_heat *heat,
                                    struct sheet *sheet)
{
    struct graft_context *const context = job->command->context;
    const struct graft_preprocess *const p =
        graft_classifier_preprocess(graft_explainer_classifier(job->explainer));
    const struct graft_image *const picture = &sheet->images[0];
    const struct graft_region region = graft_preprocess_region(p, picture->width, picture->height);
    const char *const class_name = job->names[heat->class_index];
    const char *const part = job->asked_count > 1 ? class_name : NULL;
    struct graft_image *const map = &sheet->images[sheet->count], *const overlay = map + 1;
    char *const captions[2] = {sheet->captions[sheet->count], sheet->captions[sheet->count + 1]};
    enum graft_status status = graft_vis_heat(context, heat->pixels, p->crop_width, p->crop_height, map);
    sheet->count += status == GRAFT_OK;
    if (status == GRAFT_OK) {
        status = graft_vis_overlay(context, picture, &region, heat->pixels, p->crop_width, p->crop_height,
                                   overlay);
        sheet->count += status == GRAFT_OK;
    }
    (void)snprintf(captions[0], sizeof sheet->captions[0], "%s at %s, %dx%d",
                   job->request->method != NULL ? job->request->method : "gradcam",
                   graft_explainer_layer(job->explainer), heat->height, heat->width);
    (void)snprintf(captions[1], sizeof sheet->captions[1], "%s, %.1f %%", class_name,
                   100 * (double)heat->probabilities[heat->class_index]);
    if (status == GRAFT_OK) {
        status = write_png(job, name, part, "-map.png", map);
    }
    if (status == GRAFT_OK) {
        status = write_png(job, name, part, "-overlay.png", overlay);
    }
    return status == GRAFT_OK ? write_map(job, name, part, heat) : status;
}

static enum graft_status draw_sheet(struct explain *job, const char *name, const struct sheet *sheet,
                                    const float *probabilities)
{
    struct graft_sheet_tile tiles[2 + 2 * CLASS_LIMIT];
    struct graft_sheet_bar bars[TOP];
    int32_t best[TOP];
    const int32_t count = job->class_count < TOP ? job->class_count : TOP;
    struct graft_text path;
    graft_top_k(probabilities, job->class_count, count, best);
    for (int i = 0; i < count; i++) {
        bars[i] =
            (struct graft_sheet_bar){.name = job->names[best[i]], .share = (double)probabilities[best[i]]};
        for (int k = 0; k < job->asked_count; k++) {
            bars[i].marked = bars[i].marked || best[i] == job->asked[k] || (job->asked[k] < 0 && i == 0);
        }
    }
    for (int i = 0; i < sheet->count; i++) {
        tiles[i] = (struct graft_sheet_tile){.caption = sheet->captions[i], .picture = &sheet->images[i]};
    }
    tiles[sheet->count] =
        (struct graft_sheet_tile){.caption = "what the network says", .bars = bars, .bar_count = count};
    const char *const to = path_of(job, name, NULL, "-sheet.png", &path);
    enum graft_status status = to != NULL ? graft_vis_sheet(job->command->context, to, NULL, tiles,
                                                            sheet->count + 1, sheet->count + 1, TILE)
                                          : GRAFT_ERROR_MEMORY;
    graft_text_close(job->command->context, &path);
    if (status == GRAFT_OK) {
        status = graft_explain_page_add(&job->page, name, tiles, sheet->count, bars, count);
    }
    return status;
}

static int print(struct explain *job, const char *name, const struct graft_heat *heat)
{
    const char *const class_name = job->names[heat->class_index];
    char shown[2][GRAFT_NAME_SHOWN];
    if (job->command->json) {
        return graft_json_print(job->command,
                                json_pack("{s:o, s:i, s:o, s:o, s:[i,i], s:o}", "file", graft_json_text(name),
                                          "index", (int)heat->class_index, "name",
                                          graft_json_text(class_name), "probability",
                                          graft_json_real((double)heat->probabilities[heat->class_index]),
                                          "map", (int)heat->height, (int)heat->width, "largest",
                                          graft_json_real((double)heat->largest)));
    }
    printf("%s: %s, %.1f %%%s\n", graft_show_name(name, shown[0]), graft_show_name(class_name, shown[1]),
           100 * (double)heat->probabilities[heat->class_index],
           heat->largest > 0 ? "" : "; nothing in it speaks for this class");
    return GRAFT_EXIT_DONE;
}

static int explain_picture(void *user, const char *name, const struct graft_image *image)
{
    struct explain *const job = user;
    struct sheet sheet = {.images = {*image}, .count = 1};
    struct graft_heat heat = {0};
    enum graft_status status = GRAFT_OK;
    (void)snprintf(sheet.captions[0], sizeof sheet.captions[0], "%.150s",
                   strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name);
    for (int i = 0; i < job->asked_count && status == GRAFT_OK; i++) {
        status = graft_explain_image(job->explainer, image, job->asked[i], &heat);
        if (status == GRAFT_OK) {
            status = draw_class(job, name, &heat, &sheet);
        }
        if (status == GRAFT_OK) {
            (void)print(job, name, &heat);
        }
    }
    if (status == GRAFT_OK) {
        status = draw_sheet(job, name, &sheet, heat.probabilities);
    }
    close_sheet(job, &sheet);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(job->command, status);
}

/* ---- all */

static int open_explainer(struct explain *job, struct graft_device *device)
{
    const struct request *const request = job->request;
    struct graft_explainer_options options = {.classifier =
                                                  graft_network_classifier(job->command, &request->network),
                                              .layer = request->layer,
                                              .steps = (int32_t)request->steps,
                                              .window = (int32_t)request->window,
                                              .stride = (int32_t)request->stride};
    graft_context_limit_memory(job->command->context, request->network.memory);
    enum graft_status status = GRAFT_OK;
    if (request->method != NULL) {
        status = graft_explain_method_find(job->command->context, request->method, &options.method);
    }
    if (status != GRAFT_OK) {
        return graft_command_failed_name(job->command, status);
    }
    status = graft_explainer_open(device, &options, &job->explainer);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed_name(job->command, status);
}

/* "OUT/index.html": all pictures. GRAFT_EXIT_GO_ON or an exit code. */
static int write_page(struct explain *job)
{
    struct graft_context *const context = job->command->context;
    struct graft_text path = {0};
    graft_text_append(context, &path, "%s/index.html", job->request->out);
    const enum graft_status status =
        path.failed ? GRAFT_ERROR_MEMORY : graft_explain_page_write(&job->page, path.data);
    graft_text_close(context, &path);
    if (status != GRAFT_OK) {
        return graft_command_failed(job->command, status);
    }
    graft_command_remark(job->command,
                         "in %s: index.html, NAME-sheet.png, NAME-overlay.png, NAME-map.png, NAME.npy",
                         job->request->out);
    return GRAFT_EXIT_GO_ON;
}

static int explain(struct graft_command *command, const struct request *request, struct graft_device *device)
{
    struct explain job = {.command = command, .request = request};
    struct graft_class_file names = {0};
    struct graft_inputs_count seen = {0};
    int code = open_explainer(&job, device);
    if (code == GRAFT_EXIT_GO_ON) {
        struct graft_classifier *const classifier = graft_explainer_classifier(job.explainer);
        job.class_count = graft_classifier_class_count(classifier);
        code = graft_network_names(command, &request->network, classifier, &names, &job.names);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_class_find_list(command, job.names, job.class_count, request->classes, job.asked, CLASS_LIMIT,
                                     &job.asked_count);
    }
    if (code == GRAFT_EXIT_GO_ON && mkdir(request->out, 0777) != 0 && errno != EEXIST) {
        code = graft_command_error(command, "cannot make the folder %s: %s", request->out, strerror(errno));
    }
    if (code == GRAFT_EXIT_GO_ON) {
        const struct graft_decode_options decode = {
            .ignore_orientation =
                graft_classifier_preprocess(graft_explainer_classifier(job.explainer))->ignore_orientation};
        graft_explain_page_begin(&job.page, command->context, command->operands[0],
                                 request->method != NULL ? request->method : "gradcam",
                                 graft_explainer_layer(job.explainer));
        code = graft_inputs_pictures(command, command->operands + 1, command->operand_count - 1, &decode,
                                     explain_picture, &job, &seen);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = seen.bad > 0 ? GRAFT_EXIT_FAILED : GRAFT_EXIT_DONE;
        const int written = seen.done > seen.bad ? write_page(&job) : GRAFT_EXIT_GO_ON;
        code = written != GRAFT_EXIT_GO_ON ? written : code;
    }
    if (job.page.context != NULL) {
        graft_explain_page_close(&job.page);
    }
    graft_class_file_close(&names);
    graft_explainer_close(&job.explainer);
    return code;
}

static int run(struct graft_command *command)
{
    struct request request = {.out = "explained"};
    struct graft_device *device = NULL;
    const struct graft_option options[] = {
        {"--class", "NAME[,NAME]", "explain these classes, by name or number; else the most probable one",
         GRAFT_OPTION_TEXT, &request.classes, 0, 0},
        {"--method", "NAME", "gradcam, gradcam++, layercam, occlusion, gradient, integrated",
         GRAFT_OPTION_TEXT, &request.method, 0, 0, .usual = "gradcam"},
        {"--layer", "NAME", "look at the result of this layer or stage; else at the last feature map",
         GRAFT_OPTION_TEXT, &request.layer, 0, 0},
        {"--steps", "N", "integrated: steps from black to the picture", GRAFT_OPTION_INTEGER, &request.steps,
         1, 1024, .usual = "32"},
        {"--window", "PIXELS", "occlusion: side of the grey window; else a fifth of the input",
         GRAFT_OPTION_INTEGER, &request.window, 1, 8192},
        {"--stride", "PIXELS", "occlusion: from window to window; else a quarter of it", GRAFT_OPTION_INTEGER,
         &request.stride, 1, 8192},
        {"--out", "FOLDER", "where the pictures go", GRAFT_OPTION_TEXT, &request.out, 0, 0,
         .usual = "explained"},
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_device(command, &request.network, &device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = explain(command, &request, device);
    }
    graft_device_close(&device);
    return code;
}

const struct graft_verb graft_verb_explain = {
    .name = "explain",
    .operands = "RUN-or-MODEL-or-FILE IMAGE...",
    .purpose = "shows which parts of pictures speak for a class",
    .examples = "  graft explain runs/insects-1 bee.jpg                 for the class that is predicted\n"
                "  graft explain runs/insects-1 bee.jpg --class ants,bees\n"
                "                                                      two classes side by side\n"
                "  graft explain squeezenet1_0 --weights w.safetensors --method occlusion *.jpg\n",
    .notes = "  For each picture: NAME-sheet.png (the picture, the map, the map over the picture, the most "
             "probable\n"
             "  classes), NAME-overlay.png at the picture's own size, NAME-map.png, and NAME.npy, the bare "
             "map; for all\n"
             "  together index.html, a page that loads nothing from elsewhere.\n",
    .least = 2,
    .most = -1,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
