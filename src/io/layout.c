/* SPDX-License-Identifier: MIT */
/* Transposition of the two inner dimensions, in blocks that stay in the cache. */
#include "io/layout.h"

#include "base/size.h"

#include <string.h>

enum { BLOCK = 32 };

/* With a constant `element` the copy becomes one load and one store. */
static inline __attribute__((always_inline)) void transpose(int64_t outer, int64_t rows, int64_t columns,
                                                            size_t element, const char *from, char *to)
{
    for (int64_t o = 0; o < outer; o++) {
        const char *const source = from + (size_t)(o * rows * columns) * element;
        char *const target = to + (size_t)(o * rows * columns) * element;
        for (int64_t r0 = 0; r0 < rows; r0 += BLOCK) {
            for (int64_t c0 = 0; c0 < columns; c0 += BLOCK) {
                const int64_t r1 = graft_min_i64(r0 + BLOCK, rows), c1 = graft_min_i64(c0 + BLOCK, columns);
                for (int64_t c = c0; c < c1; c++) {
                    for (int64_t r = r0; r < r1; r++) {
                        memcpy(target + (size_t)(c * rows + r) * element,
                               source + (size_t)(r * columns + c) * element, element);
                    }
                }
            }
        }
    }
}

void graft_layout_transpose(int64_t outer, int64_t rows, int64_t columns, size_t element, const void *from,
                            void *to)
{
    switch (element) {
    case 4: transpose(outer, rows, columns, 4, from, to); break;
    case 8: transpose(outer, rows, columns, 8, from, to); break;
    default: transpose(outer, rows, columns, element, from, to); break;
    }
}
