/* SPDX-License-Identifier: MIT */
/*
 * TIFF by libtiff: strips and tiles, its compressions, 1 to 16 bits of grey, palette, RGB, CMYK, with alpha,
 * interleaved or in planes. The first picture of a file. Samples become 8 bits, then colours
 * (decode_tiff_rows).
 */
#include "data/decode_tiff.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_LIMIT ((uint64_t)256 << 20) /* bytes of a decoded strip or tile */

struct tiff_job {
    struct graft_decoding *decoding;
    TIFF *tiff;
    toff_t at;
    struct tiff_layout layout;
    char text[160]; /* the first error */
};

static int on_error(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments)
{
    struct tiff_job *const job = user;
    (void)tiff;
    (void)module;
    if (!job->text[0]) {
        vsnprintf(job->text, sizeof job->text, format, arguments);
    }
    return 1; /* nobody else is told */
}

/* Warnings are about tags that nobody asks for. */
static int on_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments)
{
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)arguments;
    return 1;
}

static tmsize_t on_read(thandle_t handle, void *target, tmsize_t count)
{
    struct tiff_job *const job = handle;
    const uint64_t size = job->decoding->size;
    const uint64_t left = job->at < size ? size - job->at : 0;
    const uint64_t taken = count < 0 ? 0 : (uint64_t)count < left ? (uint64_t)count : left;
    if (taken > 0) {
        memcpy(target, job->decoding->data + job->at, taken);
        job->at += taken;
    }
    return (tmsize_t)taken;
}

static tmsize_t on_write(thandle_t handle, void *source, tmsize_t count)
{
    (void)handle;
    (void)source;
    (void)count;
    return 0;
}

static toff_t on_seek(thandle_t handle, toff_t offset, int whence)
{
    struct tiff_job *const job = handle;
    job->at = whence == SEEK_SET   ? offset
              : whence == SEEK_CUR ? job->at + offset
                                   : job->decoding->size + offset;
    return job->at;
}

static int on_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t on_size(thandle_t handle)
{
    return ((struct tiff_job *)handle)->decoding->size;
}

/* The bytes are in memory anyway: the library reads them where they are. */
static int on_map(thandle_t handle, void **base, toff_t *size)
{
    struct tiff_job *const job = handle;
    *base = (void *)(uintptr_t)job->decoding->data;
    *size = job->decoding->size;
    return 1;
}

static void on_unmap(thandle_t handle, void *base, toff_t size)
{
    (void)handle;
    (void)base;
    (void)size;
}

static enum graft_status damaged(const struct tiff_job *job)
{
    if (errno == ENOMEM) {
        return graft_fault_set(job->decoding->fault, GRAFT_ERROR_MEMORY, job->decoding->name,
                               "no memory to decode this TIFF");
    }
    return graft_fault_set(job->decoding->fault, GRAFT_ERROR_FORMAT, job->decoding->name,
                           "damaged TIFF: %s; replace it", job->text[0] ? job->text : "no picture in it");
}

static enum graft_status unread(const struct tiff_job *job, const char *what, unsigned value)
{
    return graft_fault_set(job->decoding->fault, GRAFT_ERROR_UNSUPPORTED, job->decoding->name,
                           "this is a TIFF of a kind that is not read (%s %u): convert it to JPEG or PNG",
                           what, value);
}

/* What kinds of samples a picture is of, and whether they are read. */
static enum graft_status read_kind(struct tiff_job *job)
{
    struct tiff_layout *const layout = &job->layout;
    uint16_t format = SAMPLEFORMAT_UINT, planar = PLANARCONFIG_CONTIG, compression = COMPRESSION_NONE;
    uint16_t extra_count = 0, *extras = NULL;
    TIFF *const tiff = job->tiff;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &layout->bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &layout->samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &format);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planar);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
    if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &layout->photometric)) {
        layout->photometric = PHOTOMETRIC_MINISWHITE; /* as in Pillow */
    }
    if (!TIFFIsCODECConfigured(compression)) {
        return unread(job, "compression", compression);
    }
    if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID &&
        !(format == SAMPLEFORMAT_INT && layout->bits == 8)) {
        return unread(job, "samples that are no whole numbers, format", format);
    }
    layout->planes = planar == PLANARCONFIG_SEPARATE && layout->samples > 1;
    if (layout->photometric == PHOTOMETRIC_YCBCR) {
        if (compression != COMPRESSION_JPEG || layout->planes ||
            !TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB)) {
            return unread(job, "YCbCr with compression", compression);
        }
        layout->photometric = layout->samples == 1 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB;
    }
    if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extras) && extra_count > 0) {
        layout->alpha = extras[0] == EXTRASAMPLE_ASSOCALPHA    ? TIFF_ALPHA_MULTIPLIED
                        : extras[0] == EXTRASAMPLE_UNSPECIFIED ? TIFF_ALPHA_NONE
                                                               : TIFF_ALPHA_PLAIN;
    } else if (layout->photometric == PHOTOMETRIC_RGB && layout->samples == 4) {
        layout->alpha = TIFF_ALPHA_PLAIN; /* not declared, as some writers have it */
    }
    if (layout->photometric == PHOTOMETRIC_PALETTE &&
        (layout->bits > 8 ||
         !TIFFGetField(tiff, TIFFTAG_COLORMAP, &layout->map[0], &layout->map[1], &layout->map[2]))) {
        return unread(job, "a palette at a depth of", layout->bits);
    }
    if (!graft_tiff_is_read(layout)) {
        return graft_fault_set(job->decoding->fault, GRAFT_ERROR_UNSUPPORTED, job->decoding->name,
                               "this is a TIFF of a kind that is not read (%u samples a pixel, %u bits each, "
                               "photometric %u): convert it to JPEG or PNG",
                               layout->samples, layout->bits, layout->photometric);
    }
    return GRAFT_OK;
}

/* The size of strips or tiles. Those of hostile files are bounded before memory is taken. */
static enum graft_status read_blocks(struct tiff_job *job)
{
    struct tiff_layout *const layout = &job->layout;
    const bool tiled = TIFFIsTiled(job->tiff);
    uint32_t rows = layout->height;
    layout->block_width = layout->width;
    if (tiled) {
        if (!TIFFGetField(job->tiff, TIFFTAG_TILEWIDTH, &layout->block_width) ||
            !TIFFGetField(job->tiff, TIFFTAG_TILELENGTH, &layout->block_height)) {
            return damaged(job);
        }
    } else {
        TIFFGetFieldDefaulted(job->tiff, TIFFTAG_ROWSPERSTRIP, &rows);
        layout->block_height = rows < layout->height ? rows : layout->height;
    }
    const uint64_t bits = (uint64_t)layout->bits * (layout->planes ? 1 : layout->samples);
    if (layout->block_width == 0 || layout->block_height == 0 || layout->block_width > GRAFT_IMAGE_MAX_SIDE ||
        layout->block_height > GRAFT_IMAGE_MAX_SIDE) {
        return damaged(job);
    }
    layout->row_bytes = (layout->block_width * bits + 7) / 8;
    layout->block_bytes = tiled ? TIFFTileSize64(job->tiff) : TIFFStripSize64(job->tiff);
    if (layout->block_bytes < layout->row_bytes * layout->block_height || layout->block_bytes > BLOCK_LIMIT) {
        return graft_fault_set(job->decoding->fault, GRAFT_ERROR_FORMAT, job->decoding->name,
                               "this TIFF has strips or tiles of %llu bytes (at most %llu); write it anew",
                               (unsigned long long)layout->block_bytes, (unsigned long long)BLOCK_LIMIT);
    }
    return GRAFT_OK;
}

/* One block of one plane (or of all samples), into `block`. */
static enum graft_status read_block(struct tiff_job *job, uint32_t x, uint32_t y, uint16_t plane,
                                    uint8_t *block)
{
    const bool tiled = TIFFIsTiled(job->tiff);
    const struct tiff_layout *const layout = &job->layout;
    const uint32_t number =
        tiled ? TIFFComputeTile(job->tiff, x, y, 0, plane) : TIFFComputeStrip(job->tiff, y, plane);
    const uint32_t left = layout->height - y;
    const uint32_t rows = tiled || left > layout->block_height ? layout->block_height : left;
    const tmsize_t wanted = (tmsize_t)(rows * layout->row_bytes);
    const tmsize_t got = tiled ? TIFFReadEncodedTile(job->tiff, number, block, wanted)
                               : TIFFReadEncodedStrip(job->tiff, number, block, wanted);
    return got == wanted ? GRAFT_OK : damaged(job);
}

/* All blocks; the planes of a block lie one behind the other. */
static enum graft_status read_pixels(struct tiff_job *job, uint8_t *pixels)
{
    struct graft_scratch *const scratch = job->decoding->scratch;
    struct tiff_layout *const layout = &job->layout;
    const uint16_t planes = layout->planes ? layout->samples : 1;
    const uint64_t bytes = layout->block_bytes * planes + (uint64_t)layout->block_width * layout->samples;
    if (bytes > BLOCK_LIMIT + GRAFT_IMAGE_MAX_SIDE * TIFF_SAMPLE_LIMIT ||
        !graft_buffer_reserve(scratch->context, &scratch->rows, (size_t)bytes)) {
        return graft_fault_set(job->decoding->fault, GRAFT_ERROR_MEMORY, job->decoding->name,
                               "no memory for strips or tiles of %llu bytes", (unsigned long long)bytes);
    }
    uint8_t *const block = scratch->rows.data;
    for (uint32_t y = 0; y < layout->height; y += layout->block_height) {
        for (uint32_t x = 0; x < layout->width; x += layout->block_width) {
            for (uint16_t plane = 0; plane < planes; plane++) {
                const enum graft_status status =
                    read_block(job, x, y, plane, block + plane * layout->block_bytes);
                if (status != GRAFT_OK) {
                    return status;
                }
            }
            graft_tiff_block(layout, block, x, y, block + planes * layout->block_bytes, pixels);
        }
    }
    if (layout->alpha != TIFF_ALPHA_NONE) {
        graft_composite_on_white(pixels, (size_t)layout->width * layout->height);
    }
    return GRAFT_OK;
}

static void find_orientation(struct tiff_job *job)
{
    uint16_t orientation = 0;
    uint32_t size = 0;
    void *xmp = NULL;
    if (TIFFGetField(job->tiff, TIFFTAG_ORIENTATION, &orientation)) {
        job->decoding->orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
    } else if (TIFFGetField(job->tiff, TIFFTAG_XMLPACKET, &size, &xmp)) {
        job->decoding->orientation = graft_orientation_find(job->decoding->scratch, NULL, 0, xmp, size);
    }
}

static enum graft_status decode(struct tiff_job *job)
{
    struct tiff_layout *const layout = &job->layout;
    if (!TIFFGetField(job->tiff, TIFFTAG_IMAGEWIDTH, &layout->width) ||
        !TIFFGetField(job->tiff, TIFFTAG_IMAGELENGTH, &layout->height)) {
        return damaged(job);
    }
    enum graft_status status =
        graft_check_dimensions(layout->width, layout->height, job->decoding->name, job->decoding->fault);
    if (status == GRAFT_OK) {
        status = read_kind(job);
    }
    if (status == GRAFT_OK) {
        status = read_blocks(job);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    uint8_t *const pixels = graft_decoding_pixels(job->decoding, layout->width, layout->height, 3,
                                                  layout->alpha == TIFF_ALPHA_NONE ? 3 : 4);
    if (!pixels) {
        return job->decoding->fault->status;
    }
    find_orientation(job);
    return read_pixels(job, pixels);
}

enum graft_status graft_decode_tiff(struct graft_decoding *decoding)
{
    struct tiff_job job = {.decoding = decoding};
    errno = 0; /* the library does not say that it lacks memory; malloc's errno does */
    TIFFOpenOptions *const options = TIFFOpenOptionsAlloc();
    if (!options) {
        return damaged(&job);
    }
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, &job);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, &job);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)BLOCK_LIMIT);
    job.tiff = TIFFClientOpenExt("", "r", &job, on_read, on_write, on_seek, on_close, on_size, on_map,
                                 on_unmap, options);
    TIFFOpenOptionsFree(options);
    const enum graft_status status = job.tiff ? decode(&job) : damaged(&job);
    if (job.tiff) {
        TIFFClose(job.tiff);
    }
    return status;
}
