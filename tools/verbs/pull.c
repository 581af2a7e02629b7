/* SPDX-License-Identifier: MIT */
/* graft pull: fetches published weights into the cache folder, where the other verbs find them by the
 * network's name. */
#include "base/context.h"
#include "base/file.h"
#include "fetch.h"
#include "io/pulled.h"
#include "model/published.h"
#include "output.h"
#include "pull_data.h"
#include "verbs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USUAL_SECONDS 30

struct request {
    const char *url, *sha256, *entry;
    bool list, data;
};

const char *graft_pull_address(const char *folder, const char *path, char url[PATH_MAX])
{
    const char *const base = getenv("GRAFT_PULL_BASE");
    const char *const slash = strrchr(path, '/');
    const bool mirror = base != NULL && base[0] != '\0';
    snprintf(url, PATH_MAX, "%s%s%s", mirror ? base : folder,
             mirror && base[strlen(base) - 1] != '/' ? "/" : "", mirror && slash != NULL ? slash + 1 : path);
    return url;
}

int64_t graft_pull_seconds(void)
{
    const char *const seconds = getenv("GRAFT_PULL_TIMEOUT");
    return seconds != NULL && atoi(seconds) > 0 ? atoi(seconds) : USUAL_SECONDS;
}

static const char *address(const struct graft_published *published, char url[PATH_MAX])
{
    return graft_pull_address(published->folder, published->path, url);
}

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? graft_json_text(text) : json_null();
}

static json_t *number_or_null(double number)
{
    return number > 0 ? json_real(number) : json_null();
}

/* What a row says of its transforms, or the network where it does not. */
struct transforms {
    int short_side, crop;
    const char *filter;
};

static struct transforms transforms_of(struct graft_context *context, const struct graft_published *published)
{
    const struct graft_model_info *info = NULL;
    struct transforms t = {published->resize_short_side, published->crop, published->filter};
    if (t.filter == NULL && graft_model_find(context, published->network, &info) == GRAFT_OK) {
        t = (struct transforms){info->preprocess.resize_short_side, info->preprocess.crop,
                                info->preprocess.filter};
    }
    return t;
}

static bool is_here(struct graft_command *command, const char *file, char path[PATH_MAX])
{
    return graft_pulled_path(command->context, file, path, PATH_MAX) && access(path, R_OK) == 0;
}

static json_t *describe(struct graft_command *command, const struct graft_published *published)
{
    char url[PATH_MAX], path[PATH_MAX];
    const struct transforms t = transforms_of(command->context, published);
    const bool sha256 = published->checked && published->digest == GRAFT_DIGEST_SHA256;
    const bool md5 = published->checked && published->digest == GRAFT_DIGEST_MD5;
    const bool here = is_here(command, graft_published_file(published), path);
    json_t *const row = json_object();
    graft_json_add_member(row, "network", graft_json_text(published->network));
    graft_json_add_member(row, "entry", graft_json_text(published->entry));
    graft_json_add_member(row, "default",
                          json_boolean(published == graft_published_first(published->network)));
    graft_json_add_member(row, "file", graft_json_text(graft_published_file(published)));
    graft_json_add_member(row, "url", graft_json_text(address(published, url)));
    graft_json_add_member(row, "sha256", text_or_null(sha256 ? published->digits : NULL));
    graft_json_add_member(row, "md5", text_or_null(md5 ? published->digits : NULL));
    graft_json_add_member(row, "mebibytes", number_or_null(published->mebibytes));
    graft_json_add_member(row, "top1", number_or_null(published->top1));
    graft_json_add_member(row, "top5", number_or_null(published->top5));
    graft_json_add_member(row, "resize_short_side", json_integer(t.short_side));
    graft_json_add_member(row, "crop", json_integer(t.crop));
    graft_json_add_member(row, "filter", graft_json_text(t.filter));
    graft_json_add_member(row, "terms", graft_json_text(published->terms));
    graft_json_add_member(row, "path", here ? graft_json_text(path) : json_null());
    return row;
}

/* "80.858"; "-" where it is not known */
static const char *show_number(double number, int digits, char text[16])
{
    snprintf(text, 16, "%.*f", digits, number);
    return number > 0 ? text : "-";
}

/* Without names all; a part of a name will do. */
static bool is_listed(const struct graft_command *command, const struct graft_published *p)
{
    bool listed = command->operand_count == 0;
    for (int i = 0; i < command->operand_count; i++) {
        listed = listed || strstr(p->network, command->operands[i]) != NULL;
    }
    return listed;
}

static int list(struct graft_command *command)
{
    char path[PATH_MAX], numbers[2][16], pictures[48];
    json_t *const document = command->json ? json_array() : NULL;
    int width = 0, count = 0;
    for (int i = 0; graft_published_at(i) != NULL; i++) {
        const int length = (int)strlen(graft_published_at(i)->network);
        width = length > width ? length : width;
        count += is_listed(command, graft_published_at(i));
    }
    if (count == 0) {
        json_decref(document);
        return graft_command_usage(command,
                                   "no weights are published for a network called '%s': `graft pull --list` "
                                   "shows those for which there are",
                                   command->operands[0]);
    }
    if (!command->json) {
        printf("%-*s  %-14s %8s %7s  %-18s  %-4s  %s\n", width, "network", "entry", "MiB", "top 1",
               "pictures", "here", "terms");
    }
    for (int i = 0; graft_published_at(i) != NULL; i++) {
        const struct graft_published *const p = graft_published_at(i);
        if (!is_listed(command, p)) {
            continue;
        }
        if (command->json) {
            graft_json_add_item(document, describe(command, p));
            continue;
        }
        const struct transforms t = transforms_of(command->context, p);
        snprintf(pictures, sizeof pictures, "%d, %d %s", t.short_side, t.crop, t.filter);
        printf("%-*s  %-14s %8s %7s  %-18s  %-4s  %s\n", width, p->network, p->entry,
               show_number(p->mebibytes, 1, numbers[0]), show_number(p->top1, 2, numbers[1]), pictures,
               is_here(command, graft_published_file(p), path) ? "yes" : "", p->terms);
    }
    return command->json ? graft_json_print(command, document) : GRAFT_EXIT_DONE;
}

/* The entry that is asked for; NULL with *code GRAFT_EXIT_GO_ON: none, and an address is given. */
static const struct graft_published *choose(struct graft_command *command, const struct request *request,
                                            const char *network, int *code)
{
    const struct graft_published *const first = graft_published_first(network);
    *code = GRAFT_EXIT_GO_ON;
    if (request->entry != NULL) {
        const char *names[16];
        const struct graft_published *rows[16];
        int count = 0;
        for (int i = 0; graft_published_at(i) != NULL && count < 16; i++) {
            if (strcmp(graft_published_at(i)->network, network) == 0) {
                rows[count] = graft_published_at(i);
                names[count] = rows[count]->entry;
                count++;
            }
        }
        const int chosen =
            count > 0 ? graft_command_choice(command, "--entry", request->entry, names, count)
                      : (graft_command_usage(command, "no weights are published for %s", network), -1);
        *code = chosen >= 0 ? GRAFT_EXIT_GO_ON : GRAFT_EXIT_USAGE;
        return chosen >= 0 ? rows[chosen] : NULL;
    }
    if (first == NULL && request->url == NULL && strcmp(network, GRAFT_SHIPPED_NETWORK) == 0) {
        *code = graft_command_usage(command, "%s ships with Graft: there is nothing to fetch", network);
    } else if (first == NULL && request->url == NULL) {
        *code = graft_command_usage(command,
                                    "no weights are published for %s: `graft pull --list` shows those for "
                                    "which there are; --url takes a file from elsewhere",
                                    network);
    }
    return first;
}

/* The file's name at the end of an address; false if it has none that is fit for a folder. */
static bool file_of_url(const char *url, char *file, size_t size)
{
    const char *const host = strstr(url, "://");
    const size_t length = strcspn(url, "?#");
    size_t first = length;
    while (first > 0 && url[first - 1] != '/') {
        first--;
    }
    const size_t count = length - first;
    if (host == NULL || url + first <= host + 3 || count == 0 || count >= size || count > 200) {
        return false;
    }
    memcpy(file, url + first, count);
    file[count] = '\0';
    for (const char *c = file; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("._+-", *c) == NULL) {
            return false;
        }
    }
    const char *const ending = strrchr(file, '.');
    return file[0] != '.' &&
           (ending == NULL || (strcmp(ending, ".json") != 0 && strcmp(ending, ".part") != 0));
}

static bool is_http(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* Address, name, digest. `chosen`: the entry, which becomes NULL where the address is that of another file.
 */
static int prepare(struct graft_command *command, const struct request *request, const char *network,
                   const struct graft_published **chosen, char url[PATH_MAX], char digits[GRAFT_DIGEST_TEXT],
                   struct graft_fetch *fetch)
{
    char file[256];
    fetch->seconds = graft_pull_seconds();
    if (request->url != NULL) {
        snprintf(url, PATH_MAX, "%s", request->url);
        if (!file_of_url(url, file, sizeof file)) {
            return graft_command_usage(command, "--url %s does not end with the name of a file of weights",
                                       url);
        }
        /* From elsewhere, but a published file by its name: then it is to be that one. */
        *chosen = graft_published_of_file(network, file);
    } else {
        address(*chosen, url);
        snprintf(file, sizeof file, "%s", graft_published_file(*chosen));
    }
    const struct graft_published *const published = *chosen;
    if (!is_http(url)) {
        return graft_command_usage(command, "%s: an address begins with https:// or http://", url);
    }
    if (published != NULL && published->checked) {
        fetch->kind = published->digest;
        snprintf(digits, GRAFT_DIGEST_TEXT, "%s", published->digits);
        fetch->digits = digits;
    }
    if (published != NULL && published->mebibytes > 0) { /* the figure is rounded, files are packed anew */
        fetch->most = (int64_t)(published->mebibytes * 1.02 * 1048576) + (1 << 20);
    }
    if (request->sha256 != NULL) {
        const size_t length = strlen(request->sha256);
        if (length < 8 || length > 64 || strspn(request->sha256, "0123456789abcdefABCDEF") != length) {
            return graft_command_usage(command, "--sha256 is 8 to 64 hexadecimal digits, not \"%s\"",
                                       request->sha256);
        }
        for (size_t i = 0; i <= length; i++) {
            digits[i] = (char)tolower((unsigned char)request->sha256[i]);
        }
        fetch->kind = GRAFT_DIGEST_SHA256;
        fetch->digits = digits;
    }
    const char *const folder = graft_context_cache_folder(command->context);
    if (folder == NULL || !graft_pulled_path(command->context, file, fetch->path, sizeof fetch->path)) {
        return graft_command_error(
            command, "there is no folder to keep weights in: GRAFT_CACHE or GRAFT_PULLED is empty, "
                     "or there is no home folder");
    }
    *strrchr(fetch->path, '/') = '\0';
    const enum graft_status status = graft_folder_create(command->context, fetch->path);
    fetch->path[strlen(fetch->path)] = '/';
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
}

/* NETWORK.json, by which the other verbs take this file. */
static int write_note(struct graft_command *command, const char *network, const char *url,
                      const struct graft_fetch *fetch)
{
    char name[GRAFT_MODEL_NAME_SIZE + 8], path[PATH_MAX];
    json_t *const note = json_object();
    graft_json_add_member(note, "file", graft_json_text(strrchr(fetch->path, '/') + 1));
    graft_json_add_member(note, "url", graft_json_text(url));
    graft_json_add_member(note, "sha256", graft_json_text(fetch->sha256));
    graft_json_add_member(note, "bytes", json_integer(fetch->bytes));
    char *const text = json_dumps(note, JSON_INDENT(2));
    json_decref(note);
    snprintf(name, sizeof name, "%s.json", network);
    enum graft_status status = GRAFT_ERROR_MEMORY;
    if (text != NULL && graft_pulled_path(command->context, name, path, sizeof path)) {
        status = graft_file_write(command->context, path, text, strlen(text));
    }
    free(text);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
}

/* `url`: where it came from, or would have. */
static json_t *result_json(const char *network, const char *url, const struct graft_fetch *fetch)
{
    json_t *const result = json_object();
    graft_json_add_member(result, "network", graft_json_text(network));
    graft_json_add_member(result, "path", graft_json_text(fetch->path));
    graft_json_add_member(result, "url", graft_json_text(url));
    graft_json_add_member(result, "bytes", json_integer(fetch->bytes));
    graft_json_add_member(result, "resumed_bytes", json_integer(fetch->resumed));
    graft_json_add_member(result, "sha256", graft_json_text(fetch->sha256));
    graft_json_add_member(result, "checked", json_boolean(fetch->digits != NULL));
    graft_json_add_member(result, "fetched", json_boolean(!fetch->present));
    return result;
}

static int pull(struct graft_command *command, const struct request *request, const char *network)
{
    struct graft_fetch fetch = {.bytes = 0};
    const struct graft_model_info *info = NULL;
    char url[PATH_MAX], digits[GRAFT_DIGEST_TEXT], size[32];
    const enum graft_status known = graft_model_find(command->context, network, &info);
    if (known != GRAFT_OK) {
        return graft_command_failed_name(command, known);
    }
    int code = GRAFT_EXIT_GO_ON;
    const struct graft_published *published = choose(command, request, network, &code);
    if (code == GRAFT_EXIT_GO_ON) {
        code = prepare(command, request, network, &published, url, digits, &fetch);
    }
    bool there = false, right = false;
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_fetch_check(command, &fetch, &there, &right);
    }
    if (code == GRAFT_EXIT_GO_ON && there && !right) {
        graft_command_remark(command, "%s is damaged, or another file: fetching it again", fetch.path);
    }
    if (code == GRAFT_EXIT_GO_ON && !right) {
        fetch.url = url;
        graft_command_remark(command, "%s%s%s", url, published != NULL ? "; terms: " : "",
                             published != NULL ? published->terms : "");
        code = graft_fetch(command, &fetch);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = write_note(command, network, url, &fetch);
    }
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    if (fetch.digits == NULL && !fetch.present) {
        graft_log(command->context, GRAFT_LOG_WARNING,
                  "nothing is published to check %s by; its SHA-256 is %s: --sha256 checks it the next time",
                  fetch.path, fetch.sha256);
    }
    if (command->json) {
        json_t *const result = result_json(network, url, &fetch);
        return graft_json_print(command, result) == GRAFT_EXIT_DONE ? GRAFT_EXIT_GO_ON : GRAFT_EXIT_FAILED;
    }
    printf("%s: %s, %s%s\n", network, fetch.path, graft_show_bytes((uint64_t)fetch.bytes, size),
           fetch.present       ? ", was there already"
           : fetch.resumed > 0 ? ", the rest of it fetched"
                               : "");
    return GRAFT_EXIT_GO_ON;
}

static int run(struct graft_command *command)
{
    struct request request = {.url = NULL};
    const struct graft_option options[] = {
        {"--list", NULL, "what is published, how well it does, what is here", GRAFT_OPTION_FLAG,
         &request.list, 0, 0},
        {"--data", NULL, "data sets in place of weights; with --list: those that can be had", GRAFT_OPTION_FLAG,
         &request.data, 0, 0},
        {"--entry", "NAME", "of several that are published for a network, not the default", GRAFT_OPTION_TEXT,
         &request.entry, 0, 0},
        {"--url", "URL", "weights of MODEL from elsewhere", GRAFT_OPTION_TEXT, &request.url, 0, 0},
        {"--sha256", "DIGITS", "of the file, all 64 or the first ones", GRAFT_OPTION_TEXT, &request.sha256, 0,
         0},
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    if (request.list) {
        return request.data && command->operand_count > 0
                   ? graft_command_usage(command, "--data --list shows all of them: leave the names out")
               : request.data ? graft_pull_data_list(command)
                              : list(command);
    }
    if (command->operand_count == 0) {
        return graft_command_usage(command, "which %s? `graft pull %s--list` shows those that can be had",
                                   request.data ? "data set" : "network", request.data ? "--data " : "");
    }
    if (request.data) {
        return request.url != NULL || request.sha256 != NULL || request.entry != NULL
                   ? graft_command_usage(command, "--url, --sha256 and --entry are of a network's weights")
                   : graft_pull_data(command);
    }
    if (command->operand_count > 1 &&
        (request.url != NULL || request.sha256 != NULL || request.entry != NULL)) {
        return graft_command_usage(command, "--url, --sha256 and --entry are of one network");
    }
    if (request.url != NULL && request.entry != NULL) {
        return graft_command_usage(command, "--url and --entry both say which file: give one of them");
    }
    for (int i = 0; i < command->operand_count && code == GRAFT_EXIT_GO_ON; i++) {
        code = pull(command, &request, command->operands[i]);
    }
    return code == GRAFT_EXIT_GO_ON ? GRAFT_EXIT_DONE : code;
}

const struct graft_verb graft_verb_pull = {
    .name = "pull",
    .operands = "MODEL...",
    .purpose = "fetches published weights or data, checks them, keeps them where other verbs find them",
    .examples =
        "  graft pull resnet50                  the publisher's default; fit and predict then take it\n"
        "  graft pull resnet50 --entry IMAGENET1K_V1\n"
        "                                       another one of those that are published\n"
        "  graft pull --list                    all that can be had; graft pull --list resnet: some of it\n"
        "  graft pull resnet18 --url https://host/own.pth --sha256 0123abcd\n"
        "                                       a file from elsewhere\n"
        "  graft pull --data cifar10            a data set; graft fit cifar10 then takes it\n"
        "  graft pull --data --list             those that can be had\n",
    .notes = "  What was fetched in part goes on where it ended. Proxies: curl's variables (https_proxy, "
             "no_proxy ...).\n"
             "  GRAFT_PULL_BASE=URL takes published files from a mirror; they are checked all the same.\n"
             "  Of several files for a network, that of the last pull is used.\n"
             "  The list: pictures are resized to the first number, short side, and cropped to the second.\n",
    .least = 0,
    .most = -1,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
