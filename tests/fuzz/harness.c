/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include "base/context.h"
#include "support/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A deflated byte becomes 1032 at most, and every reader may keep the input twice. */
#define MEMORY_BASE ((uint64_t)64 << 20)
#define MEMORY_FACTOR 1100
/* Executions that share a context: to open one for each would be a third of the time. */
#define SHARED 4096
/* Files that a target writes again and again. */
#define FILES 16

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most); /* libFuzzer's */

static char folder[256];
static bool show; /* what the reader answers */

const char *fuzz_folder(void)
{
    return folder;
}

/* What was written last, and stays open: a system call or two an execution instead of four a file. */
struct written {
    char path[512];
    int descriptor;
    uint8_t *data;
    size_t size;
};

static void no_file(const char *path)
{
    perror(path);
    _Exit(1); /* nothing that the reader is to blame for */
}

static struct written *find_written(const char *name)
{
    static struct written files[FILES];
    struct written *file = files;
    char path[sizeof file->path];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (; file < files + FILES && file->path[0]; file++) {
        if (strcmp(file->path, path) == 0) {
            return file;
        }
    }
    if (file == files + FILES) {
        errno = EMFILE;
        no_file(path);
    }
    memcpy(file->path, path, sizeof path);
    file->descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file->descriptor < 0) {
        no_file(path);
    }
    return file;
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
    struct written *const file = find_written(name);
    if (file->size == size && (size == 0 || memcmp(file->data, data, size) == 0)) {
        return file->path;
    }
    if (size < file->size && ftruncate(file->descriptor, (off_t)size) != 0) {
        no_file(file->path);
    }
    for (size_t done = 0; done < size;) {
        const ssize_t wrote = pwrite(file->descriptor, data + done, size - done, (off_t)done);
        if (wrote <= 0) {
            no_file(file->path);
        }
        done += (size_t)wrote;
    }
    uint8_t *const kept = realloc(file->data, size > 0 ? size : 1);
    if (!kept) {
        no_file(file->path);
    }
    if (size > 0) {
        memcpy(kept, data, size);
    }
    file->data = kept;
    file->size = size;
    return file->path;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void require(const char *fault, const struct graft_context *context)
{
    if (fault) {
        fprintf(stderr, "fuzz: %s\nfuzz: the last message: %s\n", fault, graft_context_error(context));
        abort();
    }
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    const char *const base = getenv("TMPDIR");
    (void)count;
    (void)arguments;
    show = getenv("GRAFT_FUZZ_SHOW") != NULL;
    snprintf(folder, sizeof folder, "%s/" FUZZ_NAME "-XXXXXX", base && base[0] ? base : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        _Exit(1);
    }
    return 0;
}

/* The context for an execution, with no message of one before. */
static struct graft_context *context_of(size_t size)
{
    static const struct graft_context_options options = {.threads = 1, .cache_folder = ""};
    static struct graft_context *context;
    static int uses;
    if (uses++ % SHARED == 0) {
        graft_context_close(&context);
        if (graft_context_open(&options, &context) != GRAFT_OK) {
            abort();
        }
    }
    (void)graft_fail(context, GRAFT_ERROR_ARGUMENT, "none");
    graft_context_limit_memory(context, MEMORY_BASE + MEMORY_FACTOR * size);
    return context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t before = 0, after = 0, peak = 0;
    if (fuzz_target.takes && !fuzz_target.takes(data, size)) {
        return -1;
    }
    struct graft_context *const context = context_of(size);
    graft_context_memory(context, &before, &peak);
    const double began = seconds();
    const enum graft_status status = fuzz_target.read(context, data, size);
    const double took = seconds() - began;
    graft_context_memory(context, &after, &peak);
    if (show) {
        fprintf(stderr, "fuzz: %s %s (%.3f s, %.1f MiB)\n", graft_status_name(status),
                status == GRAFT_OK ? "" : graft_context_error(context), took,
                (double)(peak - before) / 1048576);
    }
    require(answer_fault(context, status, FUZZ_NAME), context);
    require(after != before ? "memory is left behind" : NULL, context);
    require(took > FUZZ_SECONDS ? "it takes too long" : NULL, context);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed)
{
    const size_t changed = LLVMFuzzerMutate(data, size, most);
    if (fuzz_target.mend && seed % 8 != 0) { /* a wrong checksum is worth a trial too */
        fuzz_target.mend(data, changed);
    }
    return changed;
}
