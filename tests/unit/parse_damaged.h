/* SPDX-License-Identifier: MIT */
/* Random damage to a file of tensors: whatever comes, an answer, no crash, nothing left behind. */
#ifndef GRAFT_TESTS_UNIT_PARSE_DAMAGED_H
#define GRAFT_TESTS_UNIT_PARSE_DAMAGED_H

#include "base/random.h"
#include "graft/io.h"
#include "support/answer.h"
#include "support/seeds.h"
#include "support/support.h"

struct damage_trial {
    struct graft_context *context;
    const struct test_memory *memory; /* the context's */
    enum graft_status (*parse)(struct graft_context *context, const char *path, const uint8_t *data,
                               size_t size, struct graft_tensor_set **set);
    uint8_t (*change)(struct graft_random *random, uint8_t byte); /* what a damaged byte becomes */
    struct graft_random random;
    int refused, read;
};

/* The first `kept` bytes, up to three of them changed. */
static inline void parse_damaged(struct damage_trial *trial, const uint8_t *whole, size_t kept)
{
    const long before = trial->memory->alive;
    uint8_t *const copy = malloc(kept + 1); /* of its exact size, for the address sanitizer */
    uint8_t *const file = copy + (kept == 0);
    memcpy(file, whole, kept);
    for (uint32_t k = graft_random_below(&trial->random, 4); k > 0 && kept > 0; k--) {
        uint8_t *const byte = &file[graft_random_below(&trial->random, (uint32_t)kept)];
        *byte = trial->change(&trial->random, *byte);
    }
    struct graft_tensor_set *set = NULL;
    const enum graft_status status = trial->parse(trial->context, "damaged", file, kept, &set);
    const char *const fault = answer_fault(trial->context, status, "'damaged'");
    if (fault != NULL) {
        fail_msg("%s: %s", fault, graft_context_error(trial->context));
    }
    if (status == GRAFT_OK) {
        trial->read++;
    } else {
        trial->refused++;
        assert_null(set);
    }
    graft_tensor_set_close(&set);
    free(copy);
    assert_int_equal(trial->memory->alive, before);
}

#endif
