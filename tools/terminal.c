/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define USUAL_WIDTH 80

bool graft_terminal_rewrites(void)
{
    const char *const kind = getenv("TERM");
    const char *const plain = getenv("NO_COLOR");
    return isatty(STDERR_FILENO) == 1 && kind != NULL && kind[0] != '\0' && strcmp(kind, "dumb") != 0 &&
           (plain == NULL || plain[0] == '\0');
}

int graft_terminal_width(void)
{
    struct winsize size = {0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : USUAL_WIDTH;
}

struct range {
    uint32_t first, last;
};

static bool within(uint32_t point, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (point >= ranges[i].first && point <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

/* Unicode's East Asian Width W and F, and what combines with the character before it, in whole blocks. */
static int width_of(uint32_t point)
{
    static const struct range wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
                                        {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
                                        {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
                                        {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    static const struct range marks[] = {{0x300, 0x36f},   {0x200b, 0x200d}, {0x1ab0, 0x1aff},
                                         {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
    return within(point, wide, sizeof wide / sizeof wide[0])      ? 2
           : within(point, marks, sizeof marks / sizeof marks[0]) ? 0
                                                                  : 1;
}

/* The character at `text`: its bytes, and the columns that it takes; a byte that is no UTF-8 takes one. */
static size_t next_character(const char *text, int *columns)
{
    const unsigned char *const bytes = (const unsigned char *)text;
    const size_t length = graft_text_character(text);
    uint32_t point = length <= 1 ? bytes[0] : bytes[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        point = point << 6 | (bytes[i] & 0x3fu);
    }
    *columns = width_of(point);
    return length > 0 ? length : 1;
}

int graft_columns(const char *text)
{
    int all = 0, columns;
    while (*text != '\0') {
        text += next_character(text, &columns);
        all += columns;
    }
    return all;
}

size_t graft_columns_fit(const char *text, int columns)
{
    size_t used = 0;
    int taken = 0, more;
    while (text[used] != '\0') {
        const size_t length = next_character(text + used, &more);
        if (taken + more > columns) {
            break;
        }
        taken += more;
        used += length;
    }
    return used;
}

const char *graft_show_column(const char *name, int columns, char *shown, size_t size)
{
    static const char cut[] = "…";
    const int wanted = columns < 0 ? -columns : columns;
    (void)graft_text_show(name, shown, size);
    const size_t fits = graft_columns_fit(shown, wanted);
    if (shown[fits] != '\0') {
        const size_t kept = graft_columns_fit(shown, wanted - 1);
        snprintf(shown + kept, size - kept, "%s", cut);
    }
    size_t length = strlen(shown);
    size_t blanks = (size_t)(wanted - graft_columns(shown));
    blanks = blanks < size - length - 1 ? blanks : size - length - 1;
    if (columns < 0) {
        memmove(shown + blanks, shown, length + 1);
        memset(shown, ' ', blanks);
    } else {
        memset(shown + length, ' ', blanks);
        shown[length + blanks] = '\0';
    }
    return shown;
}
