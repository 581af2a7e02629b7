/* SPDX-License-Identifier: MIT */
/* Names that are no UTF-8: from archives and tables of other systems. */
#include "data/dataset.h"

#include "base/context.h"
#include "base/text.h"

#include <string.h>

/* CP437, 0x80 to 0xff, as Unicode. */
static const uint16_t cp437[128] = {
    0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee,
    0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6,
    0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa,
    0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593, 0x2502,
    0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510, 0x2514,
    0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550,
    0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c,
    0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4,
    0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320,
    0x2321, 0x00f7, 0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0};

enum encoding { ENCODING_UNKNOWN, ENCODING_CP437, ENCODING_LATIN1 };

/*
 * Letters of CP437 lie at 0x80 to 0xa5, of Latin-1 at 0xc0 to 0xff: a name with one kind only tells which it is
 * (0xe1 alone is á rather than ß). A part of a path that has few plain letters beside them, or a backslash right
 * behind one, is more likely of another alphabet, with two bytes a letter or letters of its own.
 */
static enum encoding guess(const char *text, size_t length)
{
    bool low = false, high = false, other = false;
    int foreign = 0, plain = 0;
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)text[i];
        const bool sharp_s = byte == 0xe1 && low;
        low = low || (byte >= 0x80 && byte <= 0xa5);
        high = high || (byte >= 0xc0 && !sharp_s);
        other = other || (byte > 0xa5 && byte < 0xc0) || (byte >= 0x80 && i + 1 < length && text[i + 1] == '\\');
        foreign += byte >= 0x80;
        plain += (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (byte == '/' || i + 1 == length) {
            other = other || foreign * 2 > plain;
            foreign = plain = 0;
        }
    }
    return low && !high && !other ? ENCODING_CP437 : high && !low && !other ? ENCODING_LATIN1 : ENCODING_UNKNOWN;
}

static size_t encode(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | point >> 12);
    out[1] = (char)(0x80 | (point >> 6 & 0x3f));
    out[2] = (char)(0x80 | (point & 0x3f));
    return 3;
}

static bool is_utf8(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        const size_t step = text[i] == '\0' ? 0 : graft_text_character(text + i);
        if (step == 0 || step > length - i) {
            return false;
        }
        i += step;
    }
    return true;
}

const char *graft_names_add_utf8(struct graft_dataset *dataset, const char *text, size_t length)
{
    if (is_utf8(text, length)) {
        return graft_names_add(dataset, text, length);
    }
    const enum encoding encoding = guess(text, length);
    char shown[256];
    if (encoding == ENCODING_UNKNOWN) {
        return graft_names_add(dataset, text, length); /* a class of that name is refused, other names are shown */
    }
    char *const raw = graft_allocate_raw(dataset->context, length, 3);
    size_t used = 0;
    for (size_t i = 0; raw && i < length; i++) {
        const unsigned char byte = (unsigned char)text[i];
        used += encode(byte < 0x80 || encoding == ENCODING_LATIN1 ? byte : cp437[byte - 0x80], raw + used);
    }
    char *const copy = raw ? graft_names_add(dataset, raw, used) : NULL;
    graft_release(dataset->context, raw);
    if (copy && !dataset->converted) {
        dataset->converted = true;
        graft_log(dataset->context, GRAFT_LOG_REMARK, "%s: names that are not UTF-8 are read as %s, as in '%s'",
                  dataset->path, encoding == ENCODING_CP437 ? "CP437" : "Latin-1",
                  graft_text_show(copy, shown, sizeof shown));
    }
    return copy;
}
