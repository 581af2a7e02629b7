/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target is a file here that fills `fuzz_target`; harness.c gives it libFuzzer's bytes and holds it to
 * what every reader owes: an answer within FUZZ_SECONDS and the bound of memory, a refusal of one line that
 * names the file, nothing left behind. The target's first comment says "At most N bytes": long enough for all
 * that the format has, short enough for ten thousand executions a second; and "Seeds:", what tools/fuzz
 * begins with: folders of the test data, tests that make files (GRAFT_TEST_SEEDS), made.py.
 */
#ifndef GRAFT_TESTS_FUZZ_H
#define GRAFT_TESTS_FUZZ_H

#include "graft/base.h"

/* What messages call the bytes; part of every path of fuzz_file. */
#define FUZZ_NAME "fuzzed"
/* Of the processor, in a build with sanitizers. */
#define FUZZ_SECONDS 1.0

struct fuzz_target {
    /* Reads the bytes and closes what it opened. */
    enum graft_status (*read)(struct graft_context *context, const uint8_t *data, size_t size);
    /* NULL, or whether the bytes are for this target: others are dropped. */
    bool (*takes)(const uint8_t *data, size_t size);
    /* NULL, or mends checksums after a mutation, without which nothing behind them would be reached. */
    void (*mend)(uint8_t *data, size_t size);
};
extern const struct fuzz_target fuzz_target;

/* For readers that want a path: a file of that name in the target's folder, with these bytes. It stays, and
 * so do those of earlier calls; a target has 16 at most. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);
const char *fuzz_folder(void);

#endif
