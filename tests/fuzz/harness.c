/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include "support/answer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A deflated byte becomes 1032 at most, and every reader may keep the input twice. */
#define MEMORY_BASE ((uint64_t)64 << 20)
#define MEMORY_FACTOR 1100

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most); /* libFuzzer's */

static char folder[256];

const char *fuzz_folder(void)
{
    return folder;
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t done = 0;
    while (descriptor >= 0 && done < size) {
        const ssize_t wrote = write(descriptor, data + done, size - done);
        if (wrote <= 0) {
            break;
        }
        done += (size_t)wrote;
    }
    if (descriptor < 0 || close(descriptor) != 0 || done < size) {
        perror(path);
        _Exit(1); /* nothing that the reader is to blame for */
    }
    return path;
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
    snprintf(folder, sizeof folder, "%s/" FUZZ_NAME "-XXXXXX", base && base[0] ? base : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        _Exit(1);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct graft_context_options options = {.threads = 1, .cache_folder = ""};
    struct graft_context *context = NULL;
    uint64_t before = 0, after = 0, peak = 0;
    if (fuzz_target.takes && !fuzz_target.takes(data, size)) {
        return -1;
    }
    if (graft_context_open(&options, &context) != GRAFT_OK) {
        abort();
    }
    graft_context_limit_memory(context, MEMORY_BASE + MEMORY_FACTOR * size);
    graft_context_memory(context, &before, &peak);
    const double began = seconds();
    const enum graft_status status = fuzz_target.read(context, data, size);
    const double took = seconds() - began;
    graft_context_memory(context, &after, &peak);
    if (getenv("GRAFT_FUZZ_SHOW")) {
        fprintf(stderr, "fuzz: %s %s (%.3f s, %.1f MiB)\n", graft_status_name(status),
                status == GRAFT_OK ? "" : graft_context_error(context), took, (double)(peak - before) / 1048576);
    }
    require(answer_fault(context, status, FUZZ_NAME), context);
    require(after != before ? "memory is left behind" : NULL, context);
    require(took > FUZZ_SECONDS ? "it takes too long" : NULL, context);
    graft_context_close(&context);
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
