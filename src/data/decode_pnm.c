/* SPDX-License-Identifier: MIT */
/* PBM, PGM and PPM, plain (P1 to P3) and raw (P4 to P6), of any largest value; the same pixels as Pillow. */
#include "data/decode.h"

#include <math.h>
#include <string.h>

#define TOKEN_LIMIT 10

struct pnm {
    struct graft_decoding *decoding;
    size_t at;
    uint32_t largest;
    uint8_t scaled[256]; /* of values up to 255 */
};

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static enum graft_status damaged(const struct pnm *pnm, const char *what)
{
    return graft_fault_set(pnm->decoding->fault, GRAFT_ERROR_FORMAT, pnm->decoding->name,
                           "damaged PPM: %s at byte %zu; replace it", what, pnm->at);
}

static enum graft_status truncated(const struct pnm *pnm)
{
    return graft_fault_set(pnm->decoding->fault, GRAFT_ERROR_FORMAT, pnm->decoding->name,
                           "this PPM is truncated: its %zu bytes end before the picture does; copy it again",
                           pnm->decoding->size);
}

static void skip_comment(struct pnm *pnm)
{
    while (pnm->at < pnm->decoding->size && pnm->decoding->data[pnm->at] != '\n' &&
           pnm->decoding->data[pnm->at] != '\r') {
        pnm->at++;
    }
}

/* A number between blanks and comments, and the one blank behind it. */
static enum graft_status read_number(struct pnm *pnm, uint64_t *number)
{
    const uint8_t *const data = pnm->decoding->data;
    int digits = 0;
    *number = 0;
    for (; pnm->at < pnm->decoding->size; pnm->at++) {
        const uint8_t byte = data[pnm->at];
        if (byte == '#') {
            skip_comment(pnm);
            if (pnm->at >= pnm->decoding->size) {
                break;
            }
        } else if (is_blank(byte)) {
            if (digits > 0) {
                pnm->at++;
                return GRAFT_OK;
            }
        } else if (byte < '0' || byte > '9' || digits == TOKEN_LIMIT) {
            return damaged(pnm, "no number");
        } else {
            *number = *number * 10 + (uint64_t)(byte - '0');
            digits++;
        }
    }
    return digits > 0 ? GRAFT_OK : truncated(pnm);
}

/* value / largest × 255, ties to even. */
static uint8_t scale(const struct pnm *pnm, uint32_t value)
{
    const double scaled = nearbyint((double)value / pnm->largest * 255);
    return scaled > 255 ? 255 : (uint8_t)scaled;
}

static enum graft_status read_plain(struct pnm *pnm, size_t samples, uint8_t *out)
{
    for (size_t i = 0; i < samples; i++) {
        uint64_t value = 0;
        const enum graft_status status = read_number(pnm, &value);
        if (status != GRAFT_OK) {
            return status;
        }
        if (value > pnm->largest) {
            return damaged(pnm, "a value above the largest");
        }
        out[i] = value < 256 ? pnm->scaled[value] : scale(pnm, (uint32_t)value);
    }
    return GRAFT_OK;
}

/* Digits 0 (white) and 1 (black), with or without blanks. */
static enum graft_status read_plain_bits(struct pnm *pnm, size_t samples, uint8_t *out)
{
    size_t i = 0;
    for (; i < samples && pnm->at < pnm->decoding->size; pnm->at++) {
        const uint8_t byte = pnm->decoding->data[pnm->at];
        if (byte == '#') {
            skip_comment(pnm);
        } else if (byte == '0' || byte == '1') {
            out[i++] = byte == '0' ? 255 : 0;
        } else if (!is_blank(byte)) {
            return damaged(pnm, "neither 0 nor 1");
        }
    }
    return i == samples ? GRAFT_OK : truncated(pnm);
}

static void read_bits(struct pnm *pnm, size_t width, size_t height, uint8_t *out)
{
    const size_t stride = (width + 7) / 8;
    const uint8_t *in = pnm->decoding->data + pnm->at;
    for (size_t y = 0; y < height; y++, in += stride, out += width) {
        for (size_t x = 0; x < width; x++) {
            out[x] = in[x / 8] >> (7 - x % 8) & 1 ? 0 : 255;
        }
    }
}

static void read_raw(struct pnm *pnm, size_t samples, uint8_t *out)
{
    const size_t bytes = pnm->largest < 256 ? 1 : 2;
    const uint8_t *const in = pnm->decoding->data + pnm->at;
    for (size_t i = 0; i < samples; i++) {
        out[i] = bytes == 1 ? pnm->scaled[in[i]] : scale(pnm, (uint32_t)in[2 * i] << 8 | in[2 * i + 1]);
    }
}

/* Bytes that the pixels take: exactly (raw), or at least (plain: a digit and a blank for each sample). */
static size_t least_bytes(const struct pnm *pnm, char kind, size_t width, size_t height, size_t samples)
{
    switch (kind) {
    case '1':
        return samples;
    case '2':
    case '3':
        return 2 * samples - 1;
    case '4':
        return (width + 7) / 8 * height;
    default:
        return samples * (pnm->largest < 256 ? 1 : 2);
    }
}

/* [count] to [count, 3], from the end, in place. */
static void grey_to_rgb(uint8_t *pixels, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        memset(pixels + 3 * i, pixels[i], 3);
    }
}

enum graft_status graft_decode_pnm(struct graft_decoding *decoding)
{
    struct pnm pnm = {.decoding = decoding, .at = 2, .largest = 1};
    const char kind = (char)decoding->data[1];
    const bool bits = kind == '1' || kind == '4', colour = kind == '3' || kind == '6';
    uint64_t width = 0, height = 0, largest = 1;
    enum graft_status status = read_number(&pnm, &width);
    if (status == GRAFT_OK) {
        status = read_number(&pnm, &height);
    }
    if (status == GRAFT_OK && !bits) {
        status = read_number(&pnm, &largest);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    if (largest < 1 || largest > 65535) {
        return damaged(&pnm, "a largest value that is not in 1..65535");
    }
    pnm.largest = (uint32_t)largest;
    for (uint32_t value = 0; value < 256; value++) {
        pnm.scaled[value] = scale(&pnm, value);
    }
    status = graft_check_dimensions(width, height, decoding->name, decoding->fault);
    if (status != GRAFT_OK) {
        return status;
    }
    const size_t count = (size_t)(width * height), samples = count * (colour ? 3 : 1);
    if (decoding->size - pnm.at < least_bytes(&pnm, kind, (size_t)width, (size_t)height, samples)) {
        return truncated(&pnm); /* before memory is taken */
    }
    uint8_t *const pixels = graft_decoding_pixels(decoding, width, height, 3, 3);
    if (!pixels) {
        return decoding->fault->status;
    }
    switch (kind) {
    case '1':
        status = read_plain_bits(&pnm, samples, pixels);
        break;
    case '4':
        read_bits(&pnm, (size_t)width, (size_t)height, pixels);
        break;
    case '5':
    case '6':
        read_raw(&pnm, samples, pixels);
        break;
    default:
        status = read_plain(&pnm, samples, pixels);
        break;
    }
    if (status == GRAFT_OK && !colour) {
        grey_to_rgb(pixels, count);
    }
    return status;
}
