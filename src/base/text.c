/* SPDX-License-Identifier: MIT */
/* A growing text, and the nearest name for a misspelt one. */
#include "base/text.h"

#include "base/context.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>

#define LONGEST_NAME 63
#define TOO_FAR 1000

/* Makes room for `more` bytes and the terminating zero. */
static bool grow(struct graft_context *context, struct graft_text *text, size_t more)
{
    const size_t limit = SIZE_MAX / 4;
    if (more >= limit || text->length >= limit) {
        text->failed = true;
        return false;
    }
    const size_t needed = text->length + more + 1;
    if (needed <= text->capacity) {
        return true;
    }
    size_t capacity = text->capacity > 0 ? text->capacity : 128;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *const data = graft_reallocate(context, text->data, text->length, capacity, 1);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void graft_text_append(struct graft_context *context, struct graft_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->failed = true;
        return;
    }
    if (!grow(context, text, (size_t)length)) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

void graft_text_append_bytes(struct graft_context *context, struct graft_text *text, const char *bytes,
                             size_t length)
{
    if (!grow(context, text, length)) {
        return;
    }
    if (length > 0) {
        memcpy(text->data + text->length, bytes, length);
    }
    text->length += length;
    text->data[text->length] = '\0';
}

void graft_text_close(struct graft_context *context, struct graft_text *text)
{
    graft_release(context, text->data);
    *text = (struct graft_text){0};
}

int graft_text_distance(const char *a, const char *b)
{
    const size_t a_length = strnlen(a, LONGEST_NAME + 1);
    const size_t b_length = strnlen(b, LONGEST_NAME + 1);
    if (a_length > LONGEST_NAME || b_length > LONGEST_NAME) {
        return TOO_FAR;
    }
    int table[LONGEST_NAME + 1][LONGEST_NAME + 1]; /* [i][j]: of the first i and the first j characters */
    for (size_t i = 0; i <= a_length; i++) {
        table[i][0] = (int)i;
    }
    for (size_t j = 0; j <= b_length; j++) {
        table[0][j] = (int)j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        for (size_t j = 1; j <= b_length; j++) {
            int best = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = table[i - 1][j] + 1 < best ? table[i - 1][j] + 1 : best;
            best = table[i][j - 1] + 1 < best ? table[i][j - 1] + 1 : best;
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && table[i - 2][j - 2] + 1 < best) {
                best = table[i - 2][j - 2] + 1;
            }
            table[i][j] = best;
        }
    }
    return table[a_length][b_length];
}

const char *graft_text_nearest(const char *name, const char *const *names, size_t count)
{
    /* About a third of the letters may be wrong; a beginning of a name stands for it if nothing is nearer. */
    const size_t length = strnlen(name, LONGEST_NAME + 1);
    const int limit = length < 6 ? 1 + (length >= 4) : (int)(length / 3);
    int best = limit + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        const int distance = names[i] == NULL ? TOO_FAR : graft_text_distance(name, names[i]);
        if (distance < best) {
            best = distance;
            nearest = names[i];
        }
    }
    for (size_t i = 0; i < count && nearest == NULL && length >= 2; i++) {
        if (names[i] != NULL && graft_text_starts(names[i], name)) {
            nearest = names[i];
        }
    }
    return nearest;
}

bool graft_text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool graft_text_ends(const char *text, const char *suffix)
{
    const size_t length = strlen(text), suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}
