/* SPDX-License-Identifier: MIT */
/*
 * Kinds of calls. A hundred networks make forty thousand calls, and most of them repeat what another one
 * shows: the same kernel at the same remainders of its tiles. Two calls are of one kind if their descriptions
 * are the same but for numbers of one class each. Classes: each number up to 7 (the batch of one, kernels,
 * strides, pads), multiples of 16 (a vector), all others; all that are no whole numbers (epsilon, a
 * probability) are one.
 *
 * Of each kind the smallest call is run, and for each op the smallest on the same sides of all thresholds.
 */
#include "real_edges.h"

#include "base/random.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALONE 7                        /* the largest number that is a class of its own */
#define HUGE_BYTES ((uint64_t)1 << 31) /* of a tensor: seconds go into moving it */

static char class_of(long long number)
{
    return number <= ALONE ? (char)('0' + number) : number % 16 == 0 ? 'v' : 'o';
}

/* Whether the digit at `at` begins a number: those in names (conv2d, i32) do not, the second of 3x3 does. */
static bool begins_number(const char *text, const char *at)
{
    if (at == text) {
        return true;
    }
    const bool behind_x = at[-1] == 'x' && at > text + 1 && isdigit((unsigned char)at[-2]);
    return behind_x || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
}

/* A copy of the text, which is no longer than it, with classes in place of numbers. */
static void classify(const char *text, char *kind)
{
    for (const char *at = text; *at != '\0';) {
        if (!isdigit((unsigned char)*at) || !begins_number(text, at)) {
            *kind++ = *at++;
            continue;
        }
        char *whole;
        char *real;
        const long long number = strtoll(at, &whole, 10);
        (void)strtod(at, &real);
        *kind++ = real > whole ? 'r' : class_of(number);
        at = real > whole ? real : whole;
    }
    *kind = '\0';
}

uint64_t graft_real_kind(const struct graft_call *call, const char *text)
{
    char kind[GRAFT_REAL_TEXT];
    classify(text, kind);
    graft_real_append_flags(call, kind);
    return graft_hash_text(kind);
}

static uint64_t sides_of(const struct graft_call *call)
{
    char sides[64];
    snprintf(sides, sizeof sides, "%d above %" PRIx64, (int)call->op, graft_edge_sides(call));
    return graft_hash_text(sides);
}

struct seen {
    uint64_t *numbers; /* 0: free */
    uint32_t size;     /* a power of 2 */
};

/* Whether it is new. */
static bool note(struct seen *seen, uint64_t number)
{
    const uint64_t own = number | 1u;
    uint32_t place = (uint32_t)(number >> 32) & (seen->size - 1);
    while (seen->numbers[place] != 0 && seen->numbers[place] != own) {
        place = (place + 1) & (seen->size - 1);
    }
    const bool is_new = seen->numbers[place] == 0;
    seen->numbers[place] = own;
    return is_new;
}

static bool is_huge(const struct graft_call *call)
{
    bool huge = false;
    for (int i = 0; i < call->n_inputs; i++) {
        huge = huge || (call->in[i].dtype != GRAFT_DTYPE_NONE && graft_desc_bytes(&call->in[i]) > HUGE_BYTES);
    }
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        huge =
            huge || (call->out[i].dtype != GRAFT_DTYPE_NONE && graft_desc_bytes(&call->out[i]) > HUGE_BYTES);
    }
    return huge;
}

bool graft_reals_mark(struct graft_reals *reals)
{
    struct seen seen = {.size = 1024};
    while (seen.size < 4 * (uint32_t)reals->count) {
        seen.size *= 2;
    }
    seen.numbers = calloc(seen.size, sizeof *seen.numbers);
    for (int i = 0; seen.numbers != NULL && i < reals->count; i++) {
        struct graft_real *const real = &reals->items[i];
        const bool far = real->place != GRAFT_REAL_NEAR; /* shows what lies there, not what it computes */
        const bool kind = !far && note(&seen, real->kind);
        const bool sides = !far && note(&seen, sides_of(&real->call));
        real->repeats = !real->edge && !kind && !sides;
        real->preferred_only = is_huge(&real->call);
    }
    free(seen.numbers);
    return seen.numbers != NULL;
}
