/* SPDX-License-Identifier: MIT */
#include "pull_data.h"

#include "base/context.h"
#include "base/file.h"
#include "data/known.h"
#include "fetch.h"
#include "output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_here(struct graft_command *command, const struct graft_known_file *file, char path[PATH_MAX])
{
    return graft_known_path(command->context, file, path, PATH_MAX) && access(path, R_OK) == 0;
}

static json_t *describe(struct graft_command *command, const struct graft_known_file *file)
{
    char url[PATH_MAX], path[PATH_MAX];
    const bool here = is_here(command, file, path);
    const bool md5 = file->checked && file->digest == GRAFT_DIGEST_MD5;
    json_t *const row = json_object();
    graft_json_add_member(row, "data", graft_json_text(file->set));
    graft_json_add_member(row, "file", graft_json_text(file->file));
    graft_json_add_member(row, "url", graft_json_text(graft_pull_address(file->folder, file->path, url)));
    graft_json_add_member(row, "sha256", file->checked && !md5 ? graft_json_text(file->digits) : json_null());
    graft_json_add_member(row, "md5", md5 ? graft_json_text(file->digits) : json_null());
    graft_json_add_member(row, "digested_bytes",
                          file->digested_bytes > 0 ? json_integer(file->digested_bytes) : json_null());
    graft_json_add_member(row, "bytes", json_integer(file->bytes));
    graft_json_add_member(row, "terms", graft_json_text(file->terms));
    graft_json_add_member(row, "path", here ? graft_json_text(path) : json_null());
    return row;
}

int graft_pull_data_list(struct graft_command *command)
{
    char path[PATH_MAX], size[32];
    json_t *const document = command->json ? json_array() : NULL;
    if (!command->json) {
        printf("%-14s  %9s  %5s  %-4s  %s\n", "data", "size", "files", "here", "terms");
    }
    const struct graft_known_file *file;
    for (int i = 0; (file = graft_known_file_at(i)) != NULL;) {
        const struct graft_known_file *const first = file;
        int64_t bytes = 0;
        int count = 0, here = 0;
        for (; file != NULL && strcmp(file->set, first->set) == 0; file = graft_known_file_at(++i)) {
            bytes += file->bytes;
            here += is_here(command, file, path);
            count++;
            if (command->json) {
                graft_json_add_item(document, describe(command, file));
            }
        }
        if (!command->json) {
            printf("%-14s  %9s  %5d  %-4s  %s\n", first->set, graft_show_bytes((uint64_t)bytes, size), count,
                   here == count ? "yes"
                   : here > 0    ? "part"
                                 : "",
                   first->terms);
        }
    }
    return command->json ? graft_json_print(command, document) : GRAFT_EXIT_DONE;
}

/* Where the file comes from and goes to; its folder is made. */
static int prepare(struct graft_command *command, const struct graft_known_file *file, char url[PATH_MAX],
                   struct graft_fetch *fetch)
{
    *fetch = (struct graft_fetch){.url = graft_pull_address(file->folder, file->path, url),
                                  .digits = file->checked ? file->digits : NULL,
                                  .kind = file->digest,
                                  .digested_bytes = file->digested_bytes,
                                  .exactly = file->digested_bytes > 0 ? file->bytes : 0,
                                  .most = file->bytes + (1 << 20),
                                  .seconds = graft_pull_seconds()};
    if (graft_context_cache_folder(command->context) == NULL ||
        !graft_known_path(command->context, file, fetch->path, sizeof fetch->path)) {
        return graft_command_error(
            command, "there is no folder to keep data in: GRAFT_CACHE or GRAFT_PULLED is empty, "
                     "or there is no home folder");
    }
    char *const slash = strrchr(fetch->path, '/');
    *slash = '\0';
    const enum graft_status status = graft_folder_create(command->context, fetch->path);
    *slash = '/';
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
}

static int pull_file(struct graft_command *command, const struct graft_known_file *file, struct graft_fetch *fetch,
                     char url[PATH_MAX])
{
    bool there = false, right = false;
    int code = prepare(command, file, url, fetch);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_fetch_check(command, fetch, &there, &right);
    }
    if (code == GRAFT_EXIT_GO_ON && there && !right) {
        graft_command_remark(command, "%s is damaged, or another file: fetching it again", fetch->path);
    }
    if (code == GRAFT_EXIT_GO_ON && !right) {
        graft_command_remark(command, "%s; terms: %s", url, file->terms);
        code = graft_fetch(command, fetch);
    }
    return code;
}

static json_t *file_json(const char *url, const struct graft_fetch *fetch)
{
    json_t *const row = json_object();
    graft_json_add_member(row, "path", graft_json_text(fetch->path));
    graft_json_add_member(row, "url", graft_json_text(url));
    graft_json_add_member(row, "bytes", json_integer(fetch->bytes));
    graft_json_add_member(row, "resumed_bytes", json_integer(fetch->resumed));
    graft_json_add_member(row, "sha256", graft_json_text(fetch->sha256));
    graft_json_add_member(row, "fetched", json_boolean(!fetch->present));
    return row;
}

/* All files of a set. */
static int pull_set(struct graft_command *command, const char *name)
{
    const int first = graft_known_set(name);
    json_t *const files = command->json ? json_array() : NULL;
    char url[PATH_MAX], size[32];
    struct graft_fetch fetch;
    int64_t bytes = 0;
    bool present = true;
    int code = GRAFT_EXIT_GO_ON;
    const struct graft_known_file *file;
    for (int i = first; code == GRAFT_EXIT_GO_ON && (file = graft_known_file_at(i)) != NULL &&
                        strcmp(file->set, name) == 0;
         i++) {
        code = pull_file(command, file, &fetch, url);
        bytes += fetch.bytes;
        present = present && fetch.present;
        if (code == GRAFT_EXIT_GO_ON && command->json) {
            graft_json_add_item(files, file_json(url, &fetch));
        }
    }
    if (code != GRAFT_EXIT_GO_ON) {
        json_decref(files);
        return code;
    }
    if (command->json) {
        json_t *const result = json_object();
        graft_json_add_member(result, "data", graft_json_text(name));
        graft_json_add_member(result, "files", files);
        return graft_json_print(command, result) == GRAFT_EXIT_DONE ? GRAFT_EXIT_GO_ON : GRAFT_EXIT_FAILED;
    }
    const struct graft_known_file *const second = graft_known_file_at(first + 1);
    if (second != NULL && strcmp(second->set, name) == 0) { /* their folder */
        *strrchr(fetch.path, '/') = '\0';
    }
    printf("%s: %s, %s%s\n", name, fetch.path, graft_show_bytes((uint64_t)bytes, size),
           present ? ", was there already" : "");
    return GRAFT_EXIT_GO_ON;
}

int graft_pull_data(struct graft_command *command)
{
    const char *names[64];
    int count = 0, code = GRAFT_EXIT_GO_ON;
    const struct graft_known_file *file;
    for (int i = 0; (file = graft_known_file_at(i)) != NULL && count < 64; i++) {
        if (count == 0 || strcmp(names[count - 1], file->set) != 0) {
            names[count++] = file->set;
        }
    }
    for (int i = 0; i < command->operand_count; i++) { /* all names, before anything is fetched */
        if (graft_command_choice(command, "--data", command->operands[i], names, count) < 0) {
            return GRAFT_EXIT_USAGE;
        }
    }
    for (int i = 0; i < command->operand_count && code == GRAFT_EXIT_GO_ON; i++) {
        code = pull_set(command, command->operands[i]);
    }
    return code == GRAFT_EXIT_GO_ON ? GRAFT_EXIT_DONE : code;
}
