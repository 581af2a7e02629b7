/* SPDX-License-Identifier: MIT */
/*
 * A run folder belongs to one writer. A new folder is made by mkdir, which one of two writers can do; the
 * open folder is locked, and the lock goes with the process, however that ends.
 */
#include "base/context.h"
#include "base/file.h"
#include "io/json.h"
#include "run/card.h"
#include "run/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_RUNS 100000

/* What is written into a run folder. Readers of files with these names must not find others' there. */
static const char *const files[] = {
    "config.json",     GRAFT_RUN_BEST, GRAFT_RUN_LAST,  "state.safetensors", "history.csv",
    "evaluation.json", "curves.png",   "confusion.png", "report.html",       GRAFT_CARD_GRAPH,
    GRAFT_RUN_EVENTS,
};
#define FILES (sizeof files / sizeof files[0])

static enum graft_status look(const struct graft_run *run, const char *name, bool *there)
{
    struct stat facts;
    *there = fstatat(run->lock, name, &facts, AT_SYMLINK_NOFOLLOW) == 0;
    return *there || errno == ENOENT ? GRAFT_OK
                                     : graft_fail(run->context, GRAFT_ERROR_IO, "cannot look at '%s/%s': %s",
                                                  run->folder, name, strerror(errno));
}

/* What cannot be looked at may be there. */
static bool exists(const struct graft_run *run, const char *name)
{
    bool there;
    return look(run, name, &there) != GRAFT_OK || there;
}

/* Opens the folder and locks it. *busy: another process has it. */
static enum graft_status lock(struct graft_run *run, bool *busy)
{
    *busy = false;
    run->lock = open(run->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run->lock < 0) {
        const enum graft_status status = errno == ENOENT ? GRAFT_ERROR_NOT_FOUND : GRAFT_ERROR_IO;
        return graft_fail(run->context, errno == ENOTDIR ? GRAFT_ERROR_ARGUMENT : status,
                          "cannot open the folder '%s': %s", run->folder, strerror(errno));
    }
    int locked;
    do {
        locked = flock(run->lock, LOCK_EX | LOCK_NB);
    } while (locked != 0 && errno == EINTR);
    *busy = locked != 0 && errno == EWOULDBLOCK;
    if (*busy) {
        return graft_fail(run->context, GRAFT_ERROR_ARGUMENT,
                          "another fit writes %s just now: wait for its end, or name another folder",
                          run->folder);
    }
    if (locked != 0) {
        graft_log(run->context, GRAFT_LOG_REMARK,
                  "%s cannot be locked (%s): no other fit must write it meanwhile", run->folder,
                  strerror(errno));
    }
    return GRAFT_OK;
}

/* Is it "FILE.part-NUMBER", what a killed writer left of one of the files? */
static bool is_leftover(const char *name)
{
    for (size_t i = 0; i < FILES; i++) {
        const size_t length = strlen(files[i]);
        if (strncmp(name, files[i], length) == 0 && graft_text_starts(name + length, ".part-")) {
            const char *const number = name + length + strlen(".part-");
            return *number != '\0' && number[strspn(number, "0123456789")] == '\0';
        }
    }
    return false;
}

/* They are in nobody's way: what cannot be looked for or removed stays. */
static void clear_leftovers(const struct graft_run *run)
{
    DIR *const folder = opendir(run->folder);
    const struct dirent *item;
    while (folder != NULL && (item = readdir(folder)) != NULL) {
        if (is_leftover(item->d_name)) {
            (void)unlinkat(run->lock, item->d_name, 0);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}

/* Did a run of ours begin here that saved nothing? Its config.json may go, and what a first save wrote. */
static bool never_saved(struct graft_run *run)
{
    struct graft_kept_error kept;
    graft_keep_error(run->context, &kept);
    const bool ours = !exists(run, "state.safetensors") && !exists(run, "history.csv") &&
                      graft_run_read_recipe(run) == GRAFT_OK && graft_run_text(run, "graft") != NULL;
    graft_restore_error(run->context, &kept);
    return ours;
}

/* The folder is ours: may a run be written into it? */
static enum graft_status check_free(struct graft_run *run)
{
    bool there;
    enum graft_status status = look(run, "config.json", &there);
    const bool begun = status == GRAFT_OK && there && never_saved(run);
    for (size_t i = 0; i < FILES && status == GRAFT_OK && !begun; i++) {
        status = look(run, files[i], &there);
        if (status == GRAFT_OK && there) {
            return exists(run, "state.safetensors")
                       ? graft_fail(run->context, GRAFT_ERROR_ARGUMENT,
                                    "%s holds a run already: resume it, or name another folder", run->folder)
                       : graft_fail(run->context, GRAFT_ERROR_ARGUMENT,
                                    "%s holds a file %s that would be overwritten: name another folder",
                                    run->folder, files[i]);
        }
    }
    if (status == GRAFT_OK) {
        clear_leftovers(run);
        run->fresh = true;
    }
    return status;
}

/* Makes the folder; parents too. *taken: it is there already. */
static enum graft_status make(struct graft_run *run, bool *taken)
{
    char *const slash = strrchr(run->folder, '/');
    enum graft_status status = GRAFT_OK;
    if (slash != NULL && slash != run->folder) {
        *slash = '\0';
        status = graft_folder_create(run->context, run->folder);
        *slash = '/';
    }
    *taken = false;
    if (status != GRAFT_OK) {
        return status;
    }
    run->made = mkdir(run->folder, 0777) == 0;
    *taken = !run->made && errno == EEXIST;
    return run->made || *taken ? GRAFT_OK
                               : graft_fail(run->context, GRAFT_ERROR_IO, "cannot create the folder '%s': %s",
                                            run->folder, strerror(errno));
}

static enum graft_status claim_named(struct graft_context *context, const char *folder,
                                     struct graft_run **run)
{
    bool taken, busy;
    enum graft_status status = graft_run_new(context, folder, run);
    for (char *end = status == GRAFT_OK ? strrchr((*run)->folder, '/') : NULL;
         end != NULL && end != (*run)->folder && end[1] == '\0'; end = strrchr((*run)->folder, '/')) {
        *end = '\0';
    }
    if (status == GRAFT_OK) {
        status = make(*run, &taken);
    }
    if (status == GRAFT_OK) {
        status = lock(*run, &busy);
    }
    if (status == GRAFT_OK) {
        status = check_free(*run);
    }
    return status;
}

/* A file's is its name without folder and ending. */
static void append_network(struct graft_context *context, struct graft_text *stem, const char *network)
{
    const char *const slash = strrchr(network, '/');
    const char *const name = slash != NULL ? slash + 1 : network;
    const char *const dot = strrchr(name, '.');
    const size_t length = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
    graft_text_append(context, stem, "-%.*s", (int)length, name);
}

/* runs/<data>[-<network>]: the data's last part without endings. */
static enum graft_status make_stem(struct graft_context *context, const struct graft_run_wish *wish,
                                   struct graft_text *stem)
{
    const char *const data = wish->data != NULL ? wish->data : "";
    size_t length = strlen(data);
    while (length > 1 && data[length - 1] == '/') {
        length--;
    }
    size_t begin = length;
    while (begin > 0 && data[begin - 1] != '/') {
        begin--;
    }
    const char *const name = data + begin;
    const size_t most = length - begin < 200 ? length - begin : 200;
    const char *const dot = memchr(name, '.', most);
    const size_t kept = dot != NULL ? (size_t)(dot - name) : most;
    graft_text_append(context, stem, "runs/%.*s", (int)kept, name);
    if (kept == 0 || name[0] == '/') {
        stem->length = 0;
        graft_text_append(context, stem, "runs/data");
    }
    if (wish->network != NULL) {
        append_network(context, stem, wish->network);
    }
    return stem->failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
}

static enum graft_status claim_next(struct graft_context *context, const struct graft_run_wish *wish,
                                    struct graft_run **run)
{
    struct graft_text path = {0};
    enum graft_status status = make_stem(context, wish, &path);
    const size_t stem = path.length;
    bool found = false;
    for (int n = 1; n < MOST_RUNS && !found && status == GRAFT_OK; n++) {
        bool taken, busy = false;
        graft_run_close(run);
        path.length = stem;
        graft_text_append(context, &path, "-%d", n);
        status = path.failed ? GRAFT_ERROR_MEMORY : graft_run_new(context, path.data, run);
        if (status == GRAFT_OK) {
            status = make(*run, &taken);
        }
        if (status != GRAFT_OK || taken) {
            continue;
        }
        status = lock(*run, &busy);
        found = (*run)->fresh = status == GRAFT_OK;
        if (busy) { /* who named this folder was faster: it is theirs */
            (*run)->made = false;
            status = GRAFT_OK;
        }
    }
    if (status == GRAFT_OK && !found) {
        status = graft_fail(context, GRAFT_ERROR_ARGUMENT,
                            "%s and all before it are there: name a folder for the run", path.data);
    }
    graft_text_close(context, &path);
    return status;
}

enum graft_status graft_run_claim(struct graft_context *context, const struct graft_run_wish *wish,
                                  struct graft_run **run)
{
    *run = NULL;
    if (wish->folder != NULL && wish->folder[0] == '\0') {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "fit needs a folder for the run");
    }
    const enum graft_status status =
        wish->folder != NULL ? claim_named(context, wish->folder, run) : claim_next(context, wish, run);
    if (status != GRAFT_OK && *run != NULL) {
        graft_run_abandon(*run);
        graft_run_close(run);
    }
    return status;
}

enum graft_status graft_run_claim_again(struct graft_context *context, const char *folder,
                                        struct graft_run **run)
{
    bool busy;
    enum graft_status status = graft_run_new(context, folder, run);
    if (status == GRAFT_OK) {
        status = lock(*run, &busy);
    }
    if (status == GRAFT_OK) {
        status = graft_run_read_recipe(*run);
    }
    if (status == GRAFT_OK && !exists(*run, "state.safetensors")) {
        status =
            graft_fail(context, GRAFT_ERROR_NOT_FOUND,
                       "the run %s has saved nothing to go on from: begin it again as it was begun", folder);
    }
    if (status == GRAFT_OK) {
        clear_leftovers(*run);
    } else {
        graft_run_close(run);
    }
    return status;
}

void graft_run_abandon(struct graft_run *run)
{
    if (!run->fresh || exists(run, GRAFT_RUN_BEST)) {
        return;
    }
    (void)unlinkat(run->lock, "config.json", 0);
    (void)unlinkat(run->lock, GRAFT_CARD_GRAPH, 0);
    if (run->made) {
        (void)rmdir(run->folder); /* stays if there is something in it */
    }
}

void graft_run_close(struct graft_run **run)
{
    struct graft_run *const old = *run;
    if (old == NULL) {
        return;
    }
    if (old->lock >= 0) {
        (void)close(old->lock);
    }
    graft_run_history_close(old->context, &old->history);
    graft_text_close(old->context, &old->events.pending);
    graft_evaluation_close(old->context, &old->evaluation);
    graft_release(old->context, old->class_names);
    json_decref(old->config);
    graft_release(old->context, old->recipe);
    graft_release(old->context, old->folder);
    graft_release(old->context, old);
    *run = NULL;
}
