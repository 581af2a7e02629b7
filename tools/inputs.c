/* SPDX-License-Identifier: MIT */
#include "inputs.h"

#include "output.h"

#include "base/context.h"
#include "base/text.h"
#include "data/decode.h"
#include "data/known.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_FILES 4096 /* handed out at a time */
#define BLOCK 65536

struct inputs {
    struct graft_command *command;
    graft_inputs_function *function;
    void *user;
    int64_t *failed;
    char *files[MOST_FILES]; /* that wait to be handed out */
    int count;
};

static bool is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* What archives begin with, unless the name is a picture's; a tar without a mark is told by its name. */
static bool is_archive(const char *path)
{
    static const struct {
        const char *magic;
        size_t at, length;
    } kinds[] = {{"PK\3\4", 0, 4},
                 {"PK\5\6", 0, 4},
                 {"ustar", 257, 5},
                 {"\x1f\x8b", 0, 2},
                 {"\xfd"
                  "7zXZ",
                  0, 5},
                 {"BZh", 0, 3},
                 {"\x28\xb5\x2f\xfd", 0, 4}};
    struct stat facts;
    char head[GRAFT_MAGIC_SIZE];
    if (graft_picture_ending(path) || stat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return false;
    }
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t size = descriptor >= 0 ? read(descriptor, head, sizeof head) : 0;
    if (descriptor >= 0) {
        close(descriptor);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (size >= (ssize_t)(kinds[i].at + kinds[i].length) &&
            memcmp(head + kinds[i].at, kinds[i].magic, kinds[i].length) == 0) {
            return true;
        }
    }
    const char *const ending = strrchr(path, '.');
    return size > 0 && ending != NULL && strcasecmp(ending, ".tar") == 0 &&
           graft_picture_format_find((const uint8_t *)head, (size_t)size) == NULL;
}

static int hand_out(struct inputs *inputs, enum graft_status status, struct graft_dataset **dataset)
{
    int code = GRAFT_EXIT_GO_ON;
    if (status == GRAFT_OK) {
        code = inputs->function(inputs->user, *dataset);
    } else {
        code = graft_command_failed(inputs->command, status);
        if (status != GRAFT_ERROR_MEMORY && status != GRAFT_ERROR_CANCELLED) {
            ++*inputs->failed;
            code = GRAFT_EXIT_GO_ON;
        }
    }
    graft_dataset_close(dataset);
    return code;
}

static int hand_out_files(struct inputs *inputs)
{
    struct graft_dataset *dataset = NULL;
    if (inputs->count == 0) {
        return GRAFT_EXIT_GO_ON;
    }
    const enum graft_status status = graft_dataset_open_files(
        inputs->command->context, (const char *const *)inputs->files, inputs->count, &dataset);
    for (int i = 0; i < inputs->count; i++) {
        free(inputs->files[i]);
    }
    inputs->count = 0;
    return hand_out(inputs, status, &dataset);
}

/* All pictures that lie below a folder, whatever tables lie there; else whatever it is (IDX files). */
static enum graft_status open_tree(struct graft_context *context, const char *path,
                                   struct graft_dataset **dataset)
{
    struct graft_dataset_options options = {.unlabelled = true, .kind = GRAFT_DATASET_FOLDERS};
    enum graft_status status = graft_dataset_open(context, path, &options, dataset);
    if (status == GRAFT_ERROR_FORMAT && is_folder(path)) {
        options.kind = GRAFT_DATASET_AUTO;
        status = graft_dataset_open(context, path, &options, dataset);
    }
    return status;
}

/* All of a folder, an archive or a data set that has been pulled. */
static int add_tree(struct inputs *inputs, const char *path)
{
    struct graft_dataset *dataset = NULL;
    const int code = hand_out_files(inputs);
    return code != GRAFT_EXIT_GO_ON
               ? code
               : hand_out(inputs, open_tree(inputs->command->context, path, &dataset), &dataset);
}

static int add_path(struct inputs *inputs, const char *path)
{
    if (is_folder(path) || is_archive(path) || (graft_known_set(path) >= 0 && access(path, F_OK) != 0)) {
        return add_tree(inputs, path);
    }
    inputs->files[inputs->count] = strdup(path);
    if (inputs->files[inputs->count] == NULL) {
        return graft_command_error(inputs->command, "not enough memory for the list of files");
    }
    inputs->count++;
    return inputs->count == MOST_FILES ? hand_out_files(inputs) : GRAFT_EXIT_GO_ON;
}

/* ---- A list on standard input */

struct list {
    char *data;
    size_t length, capacity;
    bool begun, zeros; /* paths end with a zero */
};

/* Reads on; *ended at the end. */
static int read_block(struct inputs *inputs, struct list *list, bool *ended)
{
    if (list->capacity - list->length < BLOCK) {
        char *const grown = realloc(list->data, list->capacity + 2 * BLOCK);
        if (grown == NULL) {
            return graft_command_error(inputs->command, "not enough memory for the list of files");
        }
        list->data = grown;
        list->capacity += 2 * BLOCK;
    }
    ssize_t got;
    do {
        got = read(STDIN_FILENO, list->data + list->length, BLOCK);
    } while (got < 0 && errno == EINTR && !graft_context_cancelled(inputs->command->context));
    if (got < 0 && errno != EINTR) {
        return graft_command_error(inputs->command, "standard input cannot be read: %s", strerror(errno));
    }
    *ended = got <= 0;
    list->length += got > 0 ? (size_t)got : 0;
    if (!list->begun && got > 0) {
        list->begun = true;
        list->zeros = memchr(list->data, '\0', list->length) != NULL;
        if (graft_picture_format_find((const uint8_t *)list->data, list->length) != NULL) {
            return graft_command_usage(inputs->command,
                                       "\"-\" reads a list of paths, and standard input holds a picture: "
                                       "name it /dev/stdin");
        }
    }
    return GRAFT_EXIT_GO_ON;
}

/* The whole paths that have come; the last one too at the end. */
static int take_paths(struct inputs *inputs, struct list *list, bool ended)
{
    const char separator = list->zeros ? '\0' : '\n';
    size_t begin = 0;
    int code = GRAFT_EXIT_GO_ON;
    while (begin < list->length && code == GRAFT_EXIT_GO_ON) {
        char *const path = list->data + begin;
        char *end = memchr(path, separator, list->length - begin);
        if (end == NULL && !ended) {
            break;
        }
        end = end != NULL ? end : list->data + list->length; /* there is room for a zero: see read_block */
        begin = (size_t)(end - list->data) + 1;
        *end = '\0';
        if (!list->zeros && end > path && end[-1] == '\r') {
            end[-1] = '\0';
        }
        code = path[0] != '\0' ? add_path(inputs, path) : GRAFT_EXIT_GO_ON;
    }
    begin = begin < list->length ? begin : list->length;
    memmove(list->data, list->data + begin, list->length - begin);
    list->length -= begin;
    return code;
}

static bool more_is_there(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

static int read_list(struct inputs *inputs)
{
    struct list list = {0};
    bool ended = false;
    int code = GRAFT_EXIT_GO_ON;
    while (code == GRAFT_EXIT_GO_ON && !ended) {
        code = read_block(inputs, &list, &ended);
        if (code == GRAFT_EXIT_GO_ON && graft_context_cancelled(inputs->command->context)) {
            code = graft_command_failed(inputs->command, GRAFT_ERROR_CANCELLED);
        }
        if (code == GRAFT_EXIT_GO_ON) {
            code = take_paths(inputs, &list, ended);
        }
        if (code == GRAFT_EXIT_GO_ON && !ended && !more_is_there()) {
            code = hand_out_files(inputs); /* whoever writes the list may wait for what comes of it */
        }
    }
    if (code == GRAFT_EXIT_GO_ON && !list.begun) {
        code = graft_command_error(inputs->command, "the list on standard input is empty");
    }
    free(list.data);
    return code;
}

int graft_inputs_each(struct graft_command *command, const char *const *operands, int count,
                      graft_inputs_function *function, void *user, int64_t *failed)
{
    struct inputs *const inputs = calloc(1, sizeof *inputs);
    int code = GRAFT_EXIT_GO_ON;
    *failed = 0;
    if (inputs == NULL) {
        return graft_command_error(command, "not enough memory for the list of files");
    }
    *inputs = (struct inputs){.command = command, .function = function, .user = user, .failed = failed};
    for (int i = 0; i < count && code == GRAFT_EXIT_GO_ON; i++) {
        code = strcmp(operands[i], "-") == 0 ? read_list(inputs) : add_path(inputs, operands[i]);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = hand_out_files(inputs);
    }
    for (int i = 0; i < inputs->count; i++) {
        free(inputs->files[i]);
    }
    free(inputs);
    return code;
}

struct pictures {
    struct graft_command *command;
    const struct graft_decode_options *options;
    graft_inputs_picture *function;
    void *user;
    struct graft_inputs_count *seen;
};

static int take_pictures(void *user, const struct graft_dataset *dataset)
{
    const struct pictures *const job = user;
    struct graft_context *const context = job->command->context;
    const int64_t count = graft_dataset_count(dataset, GRAFT_SPLIT_TRAIN);
    int code = GRAFT_EXIT_GO_ON;
    for (int64_t i = 0; i < count && code == GRAFT_EXIT_GO_ON; i++) {
        char name[GRAFT_NAME_SHOWN];
        struct graft_image image;
        graft_dataset_sample_name(dataset, GRAFT_SPLIT_TRAIN, i, name, sizeof name);
        const enum graft_status status =
            graft_dataset_read(dataset, GRAFT_SPLIT_TRAIN, i, job->options, &image);
        job->seen->done++;
        if (status == GRAFT_OK) {
            code = job->function(job->user, name, &image);
            graft_image_close(context, &image);
        } else {
            job->seen->bad++;
            (void)graft_command_failed(job->command, status);
        }
        if (graft_context_cancelled(context)) {
            code = graft_command_failed(job->command, GRAFT_ERROR_CANCELLED);
        }
    }
    return code;
}

int graft_inputs_pictures(struct graft_command *command, const char *const *operands, int count,
                          const struct graft_decode_options *options, graft_inputs_picture *function,
                          void *user, struct graft_inputs_count *seen)
{
    struct pictures job = {command, options, function, user, seen};
    int64_t failed = 0;
    *seen = (struct graft_inputs_count){0};
    const int code = graft_inputs_each(command, operands, count, take_pictures, &job, &failed);
    seen->done += failed;
    seen->bad += failed;
    return code;
}

int64_t graft_inputs_files(const char *const *operands, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(operands[i], "-") == 0 || is_folder(operands[i]) || is_archive(operands[i]) ||
            graft_known_set(operands[i]) >= 0) {
            return 0;
        }
    }
    return count;
}
