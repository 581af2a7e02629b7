/* SPDX-License-Identifier: MIT */
/*
 * BMP: 1, 4, 8, 16, 24 and 32 bits a pixel, as rows or with run lengths, top-down or bottom-up, with headers
 * of OS/2 and of Windows up to version 5; the same files and the same pixels as Pillow.
 */
#include "data/decode.h"

#include <string.h>

#define FILE_HEADER 14
#define PALETTE_LIMIT 65536
#define RUNS_FREE_PIXELS (UINT64_C(16) << 20)
#define RUNS_PIXELS_PER_BYTE 344 /* 3 bytes each: a deflated byte becomes 1032 at most */

enum bmp_compression { BMP_ROWS = 0, BMP_RLE8 = 1, BMP_RLE4 = 2, BMP_MASKS = 3 };

struct bmp {
    struct graft_decoding *decoding;
    uint64_t width, height;
    uint32_t header, bits, compression;
    bool top_down;
    uint32_t masks[4];       /* red, green, blue, alpha; 0: none */
    uint8_t palette[256][3]; /* red, green, blue; black behind its end */
    uint64_t pixels;         /* offset in the file */
    uint8_t *rgb;            /* [height, width, 3], or [height, width, 4] with alpha */
};

static uint32_t little_16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t little_32(const uint8_t *bytes)
{
    return little_16(bytes) | little_16(bytes + 2) << 16;
}

static enum graft_status truncated(const struct bmp *bmp)
{
    return graft_fault_set(bmp->decoding->fault, GRAFT_ERROR_FORMAT, bmp->decoding->name,
                           "this BMP is truncated: its %zu bytes end before the picture does; copy it again",
                           bmp->decoding->size);
}

static enum graft_status unread(const struct bmp *bmp, const char *what, uint32_t value)
{
    return graft_fault_set(bmp->decoding->fault, GRAFT_ERROR_UNSUPPORTED, bmp->decoding->name,
                           "this is a BMP of a kind that is not read (%s %u): convert it to JPEG or PNG",
                           what, value);
}

/* Masks of whole bytes, or zeros, which mean blue, green, red, alpha in this order. */
static bool masks_of_32_bits(struct bmp *bmp)
{
    static const uint32_t known[][4] = {
        {0xff0000, 0xff00, 0xff, 0},          {0xff000000, 0xff0000, 0xff00, 0},
        {0xff000000, 0xff00, 0xff, 0},        {0xff000000, 0xff0000, 0xff00, 0xff},
        {0xff, 0xff00, 0xff0000, 0xff000000}, {0xff0000, 0xff00, 0xff, 0xff000000},
        {0xff000000, 0xff00, 0xff, 0xff0000}, {0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (memcmp(bmp->masks, known[i], sizeof bmp->masks) == 0) {
            if (bmp->masks[0] == 0) {
                memcpy(bmp->masks, known[5], sizeof bmp->masks);
            }
            return true;
        }
    }
    return false;
}

/* Three masks, behind a header of 40 bytes or in a longer one, which may have a fourth. */
static enum graft_status read_masks(struct bmp *bmp)
{
    const size_t at = FILE_HEADER + 40;
    const int count = bmp->header >= 56 ? 4 : 3;
    const uint32_t *const masks = bmp->masks;
    if (bmp->decoding->size < at + (size_t)count * 4) {
        return truncated(bmp);
    }
    for (int i = 0; i < count; i++) {
        bmp->masks[i] = little_32(bmp->decoding->data + at + 4 * i);
    }
    const bool known = bmp->bits == 32   ? masks_of_32_bits(bmp)
                       : bmp->bits == 24 ? masks[0] == 0xff0000 && masks[1] == 0xff00 && masks[2] == 0xff
                       : bmp->bits == 16 ? masks[2] == 0x1f && ((masks[0] == 0xf800 && masks[1] == 0x7e0) ||
                                                                (masks[0] == 0x7c00 && masks[1] == 0x3e0))
                                         : false;
    if (bmp->bits != 32) {
        bmp->masks[3] = 0;
    }
    return known ? GRAFT_OK : unread(bmp, "bit masks at a depth of", bmp->bits);
}

/* The header; *colours and *entry: how many in the palette, and bytes of each. */
static enum graft_status read_header(struct bmp *bmp, uint64_t *colours, uint32_t *entry)
{
    const uint8_t *const data = bmp->decoding->data;
    const size_t size = bmp->decoding->size;
    if (size < FILE_HEADER + 12) {
        return truncated(bmp);
    }
    bmp->pixels = little_32(data + 10);
    bmp->header = little_32(data + FILE_HEADER);
    switch (bmp->header) {
    case 12:
        bmp->width = little_16(data + 18);
        bmp->height = little_16(data + 20);
        bmp->bits = little_16(data + 24);
        *entry = 3;
        break;
    case 40:
    case 52:
    case 56:
    case 64:
    case 108:
    case 124:
        if (size < FILE_HEADER + bmp->header) {
            return truncated(bmp);
        }
        bmp->top_down = data[25] == 0xff;
        bmp->width = little_32(data + 18);
        bmp->height = bmp->top_down ? (UINT64_C(1) << 32) - little_32(data + 22) : little_32(data + 22);
        bmp->bits = little_16(data + 28);
        bmp->compression = little_32(data + 30);
        *colours = little_32(data + 46);
        *entry = 4;
        break;
    default:
        return unread(bmp, "a header of bytes:", bmp->header);
    }
    if (bmp->bits != 1 && bmp->bits != 4 && bmp->bits != 8 && bmp->bits != 16 && bmp->bits != 24 &&
        bmp->bits != 32) {
        return unread(bmp, "bits a pixel:", bmp->bits);
    }
    switch (bmp->compression) {
    case BMP_ROWS:
        break;
    case BMP_RLE8:
    case BMP_RLE4:
        if (bmp->bits != (bmp->compression == BMP_RLE8 ? 8 : 4)) {
            return unread(bmp, "run lengths at a depth of", bmp->bits);
        }
        break;
    case BMP_MASKS:
        return read_masks(bmp);
    default:
        return unread(bmp, "compression", bmp->compression);
    }
    return GRAFT_OK;
}

/* The palette, and where the pixels begin. */
static enum graft_status read_palette(struct bmp *bmp, uint64_t colours, uint32_t entry)
{
    const size_t size = bmp->decoding->size;
    const uint64_t begin =
        (uint64_t)FILE_HEADER + bmp->header + (bmp->compression == BMP_MASKS && bmp->header == 40 ? 12 : 0);
    if (bmp->bits > 8) {
        bmp->pixels = bmp->pixels ? bmp->pixels : begin;
        return GRAFT_OK;
    }
    colours = colours ? colours : UINT64_C(1) << bmp->bits;
    if (colours > PALETTE_LIMIT) {
        return unread(bmp, "colours in the palette:", (uint32_t)colours);
    }
    /* Writers are known that leave the palette out of the offset. */
    if (bmp->pixels == FILE_HEADER + (uint64_t)bmp->header || bmp->pixels == 0) {
        bmp->pixels = begin + entry * colours;
    }
    bool ramp = bmp->bits == 8 && colours != 2;
    for (uint64_t i = 0; i < colours && begin + (i + 1) * entry <= size; i++) {
        const uint8_t *const colour = bmp->decoding->data + begin + i * entry;
        if (i < 256) {
            for (int c = 0; c < 3; c++) {
                bmp->palette[i][c] = colour[2 - c];
            }
        }
        ramp = ramp && colour[0] == (i & 255) && colour[1] == colour[0] && colour[2] == colour[0];
    }
    for (uint64_t i = colours; ramp && i < 256; i++) { /* a short ramp of greys means all of them */
        memset(bmp->palette[i], (int)i, 3);
    }
    return GRAFT_OK;
}

static uint8_t *row_of(const struct bmp *bmp, uint64_t y, size_t bytes_per_pixel)
{
    return bmp->rgb + (bmp->top_down ? y : bmp->height - 1 - y) * bmp->width * bytes_per_pixel;
}

static void indexed_row(const struct bmp *bmp, const uint8_t *in, uint8_t *out)
{
    const uint32_t last = (1u << bmp->bits) - 1;
    for (uint64_t x = 0; x < bmp->width; x++) {
        const uint64_t bit = x * bmp->bits;
        memcpy(out + 3 * x, bmp->palette[in[bit / 8] >> (8 - bmp->bits - bit % 8) & last], 3);
    }
}

/* 5 bits each, or 5, 6, 5; v × 255 / 31 (63), cut. */
static void row_of_16_bits(const struct bmp *bmp, const uint8_t *in, uint8_t *out)
{
    const bool six = bmp->masks[1] == 0x7e0;
    for (uint64_t x = 0; x < bmp->width; x++) {
        const uint32_t value = little_16(in + 2 * x);
        const uint32_t green = value >> 5 & (six ? 63 : 31);
        out[3 * x] = (uint8_t)((value >> (six ? 11 : 10) & 31) * 255 / 31);
        out[3 * x + 1] = (uint8_t)(green * 255 / (six ? 63 : 31));
        out[3 * x + 2] = (uint8_t)((value & 31) * 255 / 31);
    }
}

/* Bytes in the order of the masks; `step` bytes a pixel to 3, or 4 with alpha. */
static void row_of_bytes(const struct bmp *bmp, const uint8_t *in, uint32_t step, uint8_t *out)
{
    static const uint32_t usual[4] = {0xff0000, 0xff00, 0xff, 0};
    const uint32_t *const masks = bmp->compression == BMP_MASKS ? bmp->masks : usual;
    const size_t channels = masks[3] ? 4 : 3;
    size_t from[4];
    for (size_t c = 0; c < channels; c++) {
        from[c] = masks[c] == 0xff ? 0 : masks[c] == 0xff00 ? 1 : masks[c] == 0xff0000 ? 2 : 3;
    }
    for (uint64_t x = 0; x < bmp->width; x++) {
        for (size_t c = 0; c < channels; c++) {
            out[channels * x + c] = in[step * x + from[c]];
        }
    }
}

/* Whether all rows are there; the last one's padding may lack. Asked before memory is taken. */
static bool has_rows(const struct bmp *bmp)
{
    const uint64_t row = (bmp->width * bmp->bits + 7) / 8;
    const uint64_t stride = (bmp->width * bmp->bits + 31) / 32 * 4;
    const uint64_t size = bmp->decoding->size;
    return bmp->pixels <= size && size - bmp->pixels >= stride * (bmp->height - 1) + row;
}

/* Whether run lengths of so many bytes may be meant for such a picture. A run puts 128 pixels a byte at most,
 * but escapes leave whole rows out: without a bound a hundred bytes would ask for half a gigabyte. No more is
 * taken than a PNG of this size might ask for, or 48 MiB. */
static bool may_be_runs(const struct bmp *bmp)
{
    const uint64_t pixels = bmp->width * bmp->height;
    return pixels <= RUNS_FREE_PIXELS || pixels / RUNS_PIXELS_PER_BYTE <= bmp->decoding->size;
}

static void read_rows(struct bmp *bmp)
{
    const uint64_t stride = (bmp->width * bmp->bits + 31) / 32 * 4;
    for (uint64_t y = 0; y < bmp->height; y++) {
        const uint8_t *const in = bmp->decoding->data + bmp->pixels + y * stride;
        uint8_t *const out = row_of(bmp, y, bmp->masks[3] ? 4 : 3);
        if (bmp->bits <= 8) {
            indexed_row(bmp, in, out);
        } else if (bmp->bits == 16) {
            row_of_16_bits(bmp, in, out);
        } else {
            row_of_bytes(bmp, in, bmp->bits / 8, out);
        }
    }
}

/* Where run lengths have come to, in pixels from the first row of the file on. */
struct bmp_runs {
    uint64_t at, end;
    uint64_t next; /* in the file */
};

static void put(const struct bmp *bmp, struct bmp_runs *runs, uint8_t index)
{
    if (runs->at < runs->end) {
        memcpy(row_of(bmp, runs->at / bmp->width, 3) + 3 * (runs->at % bmp->width), bmp->palette[index], 3);
        runs->at++;
    }
}

/* By doubling what is there: a skip may be as large as the picture. */
static void fill(uint8_t *out, const uint8_t colour[3], uint64_t count)
{
    memcpy(out, colour, 3);
    for (uint64_t done = 1; done < count;) {
        const uint64_t more = done < count - done ? done : count - done;
        memcpy(out + 3 * done, out, 3 * more);
        done += more;
    }
}

static void put_zeros(const struct bmp *bmp, struct bmp_runs *runs, uint64_t count)
{
    const uint64_t left = runs->end - runs->at;
    count = count < left ? count : left;
    while (count > 0) {
        const uint64_t x = runs->at % bmp->width;
        const uint64_t pixels = count < bmp->width - x ? count : bmp->width - x;
        fill(row_of(bmp, runs->at / bmp->width, 3) + 3 * x, bmp->palette[0], pixels);
        runs->at += pixels;
        count -= pixels;
    }
}

/* `count` pixels as they are, padded to an even place in the file; false at its end. */
static bool put_absolute(const struct bmp *bmp, struct bmp_runs *runs, uint64_t count)
{
    const bool nibbles = bmp->compression == BMP_RLE4;
    const uint64_t left = runs->end - runs->at;
    const uint64_t pixels = count < left ? count : left;
    const uint64_t bytes = nibbles ? (pixels + 1) / 2 : pixels;
    if (bmp->decoding->size - runs->next < bytes) {
        return false;
    }
    for (uint64_t i = 0; i < pixels; i++) {
        const uint8_t byte = bmp->decoding->data[runs->next + (nibbles ? i / 2 : i)];
        put(bmp, runs, nibbles ? (i % 2 == 0 ? byte >> 4 : byte & 15) : byte);
    }
    runs->next += bytes;
    runs->next += runs->next % 2;
    return runs->next <= bmp->decoding->size;
}

/* Pillow's reading of escapes: what is skipped gets colour 0, and x counts the pixels of this row so far. */
static enum graft_status read_runs(struct bmp *bmp)
{
    const uint8_t *const data = bmp->decoding->data;
    const uint64_t size = bmp->decoding->size;
    struct bmp_runs runs = {.end = bmp->width * bmp->height, .next = bmp->pixels};
    uint64_t x = 0;
    while (runs.at < runs.end && runs.next < size && size - runs.next >= 2) {
        const uint8_t count = data[runs.next], byte = data[runs.next + 1];
        runs.next += 2;
        if (count > 0) {
            const uint64_t room = x < bmp->width ? bmp->width - x : 0;
            const uint64_t pixels = count < room ? count : room;
            for (uint64_t i = 0; i < pixels; i++) {
                put(bmp, &runs, bmp->compression == BMP_RLE8 ? byte : i % 2 == 0 ? byte >> 4 : byte & 15);
            }
            x += pixels;
        } else if (byte == 0) { /* end of the row */
            put_zeros(bmp, &runs, (bmp->width - runs.at % bmp->width) % bmp->width);
            x = 0;
        } else if (byte == 1) { /* end of the picture */
            break;
        } else if (byte == 2) { /* to the right and up */
            if (size - runs.next < 2) {
                break;
            }
            put_zeros(bmp, &runs, data[runs.next] + data[runs.next + 1] * bmp->width);
            runs.next += 2;
            x = runs.at % bmp->width;
        } else if (!put_absolute(bmp, &runs, byte)) {
            break;
        } else {
            x += byte;
        }
    }
    return runs.at == runs.end
               ? GRAFT_OK
               : graft_fault_set(bmp->decoding->fault, GRAFT_ERROR_FORMAT, bmp->decoding->name,
                                 "damaged BMP: its run lengths end before the picture does, at "
                                 "byte %llu of %zu; replace it",
                                 (unsigned long long)runs.next, bmp->decoding->size);
}

enum graft_status graft_decode_bmp(struct graft_decoding *decoding)
{
    struct bmp bmp = {.decoding = decoding};
    uint64_t colours = 0;
    uint32_t entry = 0;
    enum graft_status status = read_header(&bmp, &colours, &entry);
    if (status == GRAFT_OK) {
        status = read_palette(&bmp, colours, entry);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    status = graft_check_dimensions(bmp.width, bmp.height, decoding->name, decoding->fault);
    if (status != GRAFT_OK) {
        return status;
    }
    const bool runs = bmp.compression == BMP_RLE8 || bmp.compression == BMP_RLE4;
    if (!runs && !has_rows(&bmp)) {
        return truncated(&bmp);
    }
    if (runs && !may_be_runs(&bmp)) {
        return graft_fault_set(
            decoding->fault, GRAFT_ERROR_FORMAT, decoding->name,
            "damaged BMP: %zu bytes of run lengths cannot hold %llu × %llu pixels; replace it",
            decoding->size, (unsigned long long)bmp.width, (unsigned long long)bmp.height);
    }
    bmp.rgb = graft_decoding_pixels(decoding, bmp.width, bmp.height, 3, bmp.masks[3] ? 4 : 3);
    if (!bmp.rgb) {
        return decoding->fault->status;
    }
    if (runs) {
        return read_runs(&bmp);
    }
    read_rows(&bmp);
    if (bmp.masks[3]) {
        graft_composite_on_white(bmp.rgb, (size_t)(bmp.width * bmp.height));
    }
    return GRAFT_OK;
}
