/* SPDX-License-Identifier: MIT */
/* A growing text, numbers in every locale, the nearest name for a misspelt one, names fit to be printed. */
#include "base/text.h"

#include "base/context.h"
#include "base/size.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The calling thread's locale becomes the C locale, which needs no memory; what it was before is returned. */
static locale_t use_plain_locale(void)
{
    return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

int graft_format_list(char *text, size_t size, const char *format, va_list arguments)
{
    const locale_t before = use_plain_locale();
    const int length = vsnprintf(text, size, format, arguments);
    (void)uselocale(before);
    return length;
}

int graft_format(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = graft_format_list(text, size, format, arguments);
    va_end(arguments);
    return length;
}

double graft_read_number(const char *text, char **end)
{
    const locale_t before = use_plain_locale();
    const double number = strtod(text, end);
    (void)uselocale(before);
    return number;
}

static bool read_side(const char **at, int64_t *side)
{
    char *end = NULL;
    *side = **at >= '0' && **at <= '9' ? strtoll(*at, &end, 10) : 0;
    *at = end ? end : *at;
    return *side >= 1 && *side <= 8192;
}

bool graft_read_sides(const char *text, int64_t sides[2])
{
    bool fits = read_side(&text, &sides[0]);
    sides[1] = 0;
    if (fits && *text == 'x') {
        text++;
        fits = read_side(&text, &sides[1]);
        sides[1] = sides[1] == sides[0] ? 0 : sides[1];
    }
    return fits && *text == '\0';
}

void graft_text_append(struct graft_context *context, struct graft_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = graft_format_list(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->failed = true;
        return;
    }
    if (!grow(context, text, (size_t)length)) {
        return;
    }
    va_start(arguments, format);
    (void)graft_format_list(text->data + text->length, (size_t)length + 1, format, arguments);
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

/* The first name whose beginning is the nearest: "squeezent" is meant as the first squeezenet there is. */
static const char *nearest_beginning(const char *name, size_t length, int limit, const char *const *names,
                                     size_t count)
{
    char beginning[LONGEST_NAME + 1];
    int best = limit + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count && length >= 5; i++) {
        for (size_t part = length - 1; names[i] != NULL && part <= length + 1 && part <= LONGEST_NAME; part++) {
            (void)snprintf(beginning, part + 1, "%s", names[i]);
            const int distance = graft_text_distance(name, beginning);
            if (distance < best) {
                best = distance;
                nearest = names[i];
            }
        }
    }
    return nearest;
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
    return nearest != NULL ? nearest : nearest_beginning(name, length, limit, names, count);
}

/* The character at `text` and its length; 0 if it is no UTF-8. */
static size_t read_character(const char *text, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *const bytes = (const unsigned char *)text;
    const size_t length = bytes[0] < 0x80       ? 1
                          : bytes[0] >> 5 == 6  ? 2
                          : bytes[0] >> 4 == 14 ? 3
                          : bytes[0] >> 3 == 30 ? 4
                                                : 0;
    *point = length == 1 ? bytes[0] : bytes[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if (bytes[i] >> 6 != 2) {
            return 0;
        }
        *point = *point << 6 | (bytes[i] & 0x3fu);
    }
    const bool surrogate = *point >= 0xd800 && *point < 0xe000;
    return length > 0 && *point >= least[length] && *point <= 0x10ffff && !surrogate ? length : 0;
}

size_t graft_text_character(const char *text)
{
    uint32_t point = 0;
    return read_character(text, &point);
}

bool graft_bytes_are_utf8(const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes, *const end = at + length;
    while (at < end) {
        const int more = *at < 0x80   ? 0
                         : *at < 0xc2 ? -1
                         : *at < 0xe0 ? 1
                         : *at < 0xf0 ? 2
                         : *at < 0xf5 ? 3
                                      : -1;
        if (more < 0 || end - at <= more)
            return false;
        /* The second byte's range excludes overlong forms, surrogates, and what lies beyond U+10FFFF. */
        const int low = *at == 0xe0 ? 0xa0 : *at == 0xf0 ? 0x90 : 0x80;
        const int high = *at == 0xed ? 0x9f : *at == 0xf4 ? 0x8f : 0xbf;
        if (more > 0 && (at[1] < low || at[1] > high))
            return false;
        for (int i = 2; i <= more; i++)
            if (at[i] < 0x80 || at[i] > 0xbf)
                return false;
        at += more + 1;
    }
    return true;
}

bool graft_text_is_utf8(const char *text)
{
    return graft_bytes_are_utf8(text, strlen(text));
}

size_t graft_text_fit(const char *text, size_t most)
{
    const size_t length = strnlen(text, most + 1);
    if (length <= most) {
        return length;
    }
    size_t at = most;
    while (at > 0 && most - at < 4 && ((unsigned char)text[at] & 0xc0) == 0x80) {
        at--;
    }
    return graft_text_character(text + at) > most - at ? at : most;
}

/* How the next character is printed, in `form`; returns how many bytes of the text it is. */
static size_t show_character(const char *text, char form[16])
{
    uint32_t point = 0;
    const size_t length = read_character(text, &point);
    const bool turns = (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
                       (point >= 0x2066 && point <= 0x2069);
    if (length == 0) {
        snprintf(form, 16, "\\x%02x", (unsigned char)text[0]);
    } else if (point == '\n' || point == '\t' || point == '\r') {
        snprintf(form, 16, "\\%c", point == '\n' ? 'n' : point == '\t' ? 't' : 'r');
    } else if (point < 0x20 || point == 0x7f) {
        snprintf(form, 16, "\\x%02x", point);
    } else if ((point >= 0x80 && point < 0xa0) || turns) {
        snprintf(form, 16, "\\u%04x", point);
    } else {
        memcpy(form, text, length);
        form[length] = '\0';
    }
    return length > 0 ? length : 1;
}

char *graft_text_show(const char *text, char *shown, size_t size)
{
    static const char dots[] = "…";
    size_t used = 0, mark = 0; /* mark: where the dots fit if what follows does not */
    char form[16];
    if (size == 0) {
        return shown;
    }
    while (*text != '\0') {
        text += show_character(text, form);
        const size_t length = strlen(form);
        if (used + length >= size) {
            used = mark + sizeof dots <= size ? mark + sizeof dots - 1 : 0;
            memcpy(shown + mark, dots, used > 0 ? sizeof dots - 1 : 0);
            break;
        }
        memcpy(shown + used, form, length);
        used += length;
        mark = used + sizeof dots <= size ? used : mark;
    }
    shown[used] = '\0';
    return shown;
}

/* Appends to `quoted`; false where it does not fit. */
static bool quote_more(char *quoted, size_t size, size_t *used, const char *more)
{
    const size_t length = strlen(more);
    if (length >= size - *used) {
        return false;
    }
    memcpy(quoted + *used, more, length + 1);
    *used += length;
    return true;
}

char *graft_text_quote(const char *path, char *quoted, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
    bool escaped = false, special = path[0] == '\0';
    char form[16];
    for (const char *at = path; *at != '\0';) {
        const size_t length = show_character(at, form);
        escaped = escaped || strncmp(at, form, length) != 0 || form[length] != '\0';
        special = special || (length == 1 && strchr(plain, *at) == NULL);
        at += length;
    }
    const char *const begin = escaped ? "$'" : special ? "'" : "";
    size_t used = 0;
    bool fits = size > 0 && quote_more(quoted, size, &used, begin) &&
                quote_more(quoted, size, &used, path[0] == '-' ? "./" : "");
    for (const char *at = path; *at != '\0' && fits;) {
        const size_t length = show_character(at, form);
        if (*at == '\'') {
            fits = quote_more(quoted, size, &used, escaped ? "\\'" : "'\\''");
        } else {
            fits = quote_more(quoted, size, &used, escaped && *at == '\\' ? "\\\\" : form);
        }
        at += length;
    }
    fits = fits && quote_more(quoted, size, &used, escaped || special ? "'" : "");
    return fits ? quoted : graft_text_show(path, quoted, size);
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
